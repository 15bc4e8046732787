// SPDX-License-Identifier: GPL-2.0

//! Finds the argument that the kernel has refused.
//!
//! What can be seen is looked at: descriptors, limits, the form of maps. For the rest the kernel is
//! asked, by checks (`AT_EXECVE_CHECK`, without a side effect) of calls that have less in them.

use crate::call::Call;
use crate::error::Error;
use crate::kind::{Argument, ErrorKind, MapFault};
use crate::map::Ids;
use crate::namespaces::Namespaces;
use crate::sys;
use crate::trace;
use crate::verify;
use execns_abi::{self as abi, ExecnsIdMap};
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};
use std::ffi::OsStr;
use std::io;
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Why execnsat(2) has failed.
pub(crate) fn exec(call: &Call, at_flags: u32, source: io::Error) -> Error {
    let errno = source.raw_os_error().unwrap_or(0);
    let kind = kind(call, errno, &|call| {
        let error = sys::execnsat(call, abi::AT_EXECVE_CHECK).err()?;

        error.raw_os_error()
    });

    Error::new(kind, trace::call(call, at_flags), Some(source))
}

/// Why clone3(2) has failed.
pub(crate) fn clone(cgroup: Option<RawFd>, source: io::Error) -> Error {
    let errno = source.raw_os_error().unwrap_or(0);
    // What fork(2) does not return.
    let ordinary = matches!(
        errno,
        libc::EAGAIN | libc::ENOMEM | libc::ENOSYS | libc::EPERM
    );
    let kind = ErrorKind::Clone {
        cgroup: cgroup.is_some() && !ordinary,
    };

    Error::new(kind, trace::clone(cgroup), Some(source))
}

/// The errno of a check of a call, or `None` if it succeeds.
type Check<'a> = &'a dyn Fn(&Call) -> Option<i32>;

fn kind(call: &Call, errno: i32, check: Check<'_>) -> ErrorKind {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let found = match errno {
        libc::ENOSYS => Some(ErrorKind::NotSupported),
        libc::EBADF => verify::descriptors(call, limit),
        libc::EINVAL => verify::form(call, limit)
            .or_else(|| refused_namespaces(call, errno, check))
            .or_else(|| unmapped_id(call, errno, check))
            .or_else(|| refused_root(call, errno, check)),
        libc::EAGAIN if call.flags & abi::EXECNS_SET_IDS != 0 => Some(ErrorKind::TooManyProcesses),
        libc::ERANGE => bad_time_offset(call, errno, check),
        libc::EPERM => not_permitted(call, errno, check),
        libc::ENOSPC => Some(ErrorKind::LimitReached {
            namespaces: one_by_one(call, errno, check),
        }),
        libc::E2BIG => Some(ErrorKind::TooLong),
        libc::ENOTDIR => verify::directories(call),
        // Those are about the whole of the machine, or the process.
        libc::ENOMEM | libc::EMFILE | libc::ENFILE | libc::EFAULT => Some(ErrorKind::Other),
        _ => None,
    };

    match (found, errno) {
        (Some(kind), _) => kind,
        (None, libc::EBADF | libc::EINVAL | libc::ERANGE) => ErrorKind::Other,
        (None, _) => program(call, errno),
    }
}

fn program(call: &Call, errno: i32) -> ErrorKind {
    let by_descriptor = call.path.is_empty();
    let rooted =
        call.namespaces.contains(Namespaces::MOUNT) && call.flags & abi::EXECNS_ROOT_FD != 0;
    let hint = match errno {
        libc::ENOENT if by_descriptor => {
            Some("the interpreter of a script needs its descriptor, kept at the same number")
        }
        libc::ENOENT if rooted => Some("it is looked up in the root that was given"),
        libc::ENOENT if !call.path.to_bytes().contains(&b'/') => Some("PATH is not searched"),
        libc::ELOOP if call.at_flags & abi::AT_SYMLINK_NOFOLLOW != 0 => {
            Some("no symbolic link is followed, and no magic link such as /proc/self/fd/3")
        }
        libc::ELOOP => Some("no magic link such as /proc/self/fd/3 is followed"),
        _ => None,
    };

    ErrorKind::Program {
        path: match by_descriptor {
            true => PathBuf::from(format!("/dev/fd/{}", call.dirfd)),
            false => OsStr::from_bytes(call.path.to_bytes()).into(),
        },
        hint,
    }
}

/// The call with the program alone.
fn bare(call: &Call) -> Call {
    Call {
        namespaces: Namespaces::empty(),
        flags: 0,
        uid_map: vec![],
        gid_map: vec![],
        time_offsets: vec![],
        root_fd: 0,
        uid: 0,
        gid: 0,
        ..call.clone()
    }
}

/// The namespaces that give this errno alone, or with a user namespace if there is one.
fn one_by_one(call: &Call, errno: i32, check: Check<'_>) -> Namespaces {
    let fails = |namespaces| {
        check(&Call {
            namespaces,
            ..bare(call)
        }) == Some(errno)
    };
    let user = call.namespaces & Namespaces::USER;

    if !user.is_empty() && fails(user) {
        return user;
    }
    call.namespaces
        .each()
        .filter(|&flag| fails(flag | user))
        .collect()
}

fn refused_namespaces(call: &Call, errno: i32, check: Check<'_>) -> Option<ErrorKind> {
    let namespaces = one_by_one(call, errno, check);

    (!namespaces.is_empty()).then_some(ErrorKind::RefusedNamespaces { namespaces })
}

/// The id that is refused when the other stays.
fn unmapped_id(call: &Call, errno: i32, check: Check<'_>) -> Option<ErrorKind> {
    let ids = [
        (Ids::Uid, call.uid, abi::SAME_ID, call.uid),
        (Ids::Gid, abi::SAME_ID, call.gid, call.gid),
    ];
    let (which, .., id) = ids.into_iter().find(|&(_, uid, gid, _)| {
        let step = Call {
            namespaces: call.namespaces & Namespaces::USER,
            flags: call.flags & !(abi::EXECNS_ROOT_FD | abi::EXECNS_DROP_GROUPS),
            uid_map: call.uid_map.clone(),
            gid_map: call.gid_map.clone(),
            uid,
            gid,
            ..bare(call)
        };

        step.flags & abi::EXECNS_SET_IDS != 0 && check(&step) == Some(errno)
    })?;

    Some(ErrorKind::IdNotMapped { which, id })
}

fn refused_root(call: &Call, errno: i32, check: Check<'_>) -> Option<ErrorKind> {
    let step = Call {
        namespaces: call.namespaces & (Namespaces::USER | Namespaces::MOUNT),
        flags: call.flags & abi::EXECNS_ROOT_FD,
        root_fd: call.root_fd,
        ..bare(call)
    };
    let refused = step.flags != 0 && check(&step) == Some(errno);

    refused.then_some(ErrorKind::Root { fd: call.root_fd })
}

fn bad_time_offset(call: &Call, errno: i32, check: Check<'_>) -> Option<ErrorKind> {
    let line = call.time_offsets.iter().position(|&offset| {
        check(&Call {
            namespaces: call.namespaces & (Namespaces::USER | Namespaces::TIME),
            time_offsets: vec![offset],
            ..bare(call)
        }) == Some(errno)
    })?;

    Some(ErrorKind::TimeOffset { line })
}

/// Adds one argument after the other, until the kernel refuses it.
fn not_permitted(call: &Call, errno: i32, check: Check<'_>) -> Option<ErrorKind> {
    let mut step = bare(call);
    let refused = |step: &Call| check(step) == Some(errno);
    let not_permitted = |argument, hint: &str| {
        Some(ErrorKind::NotPermitted {
            argument,
            hint: hint.into(),
        })
    };

    if refused(&step) {
        return not_permitted(
            Argument::Program,
            "a seccomp filter, a security module or a tracer denies it",
        );
    }
    step.namespaces = call.namespaces;
    if refused(&step) {
        return not_permitted(Argument::Namespaces, namespaces_hint(call));
    }
    step.root_fd = call.root_fd;
    step.flags = call.flags & abi::EXECNS_ROOT_FD;
    if refused(&step) {
        return not_permitted(Argument::Root, "its mounts may not be copied");
    }
    step.uid_map.clone_from(&call.uid_map);
    if refused(&step) {
        return Some(map(&step, Ids::Uid, errno, check));
    }
    let later = abi::EXECNS_SET_IDS | abi::EXECNS_DROP_GROUPS;
    step.flags = call.flags & !later;
    step.gid_map.clone_from(&call.gid_map);
    if refused(&step) {
        let denied = Call {
            flags: step.flags & abi::EXECNS_ROOT_FD | abi::EXECNS_SETGROUPS_DENY,
            ..step.clone()
        };

        return match refused(&denied) {
            false => not_permitted(
                Argument::Setgroups,
                "without CAP_SETGID, it has to be denied before a gid can be mapped",
            ),
            true => Some(map(&step, Ids::Gid, errno, check)),
        };
    }
    step.flags = call.flags & !abi::EXECNS_SET_IDS;
    if refused(&step) {
        return not_permitted(
            Argument::DropGroups,
            "setgroups(2) is denied in the new user namespace",
        );
    }
    step.time_offsets.clone_from(&call.time_offsets);
    if refused(&step) {
        return not_permitted(
            Argument::TimeOffsets,
            "they need CAP_SYS_TIME in the user namespace that owns the time namespace",
        );
    }
    None
}

/// The line of a map that is refused alone, or else the first.
fn map(call: &Call, which: Ids, errno: i32, check: Check<'_>) -> ErrorKind {
    let lines = match which {
        Ids::Uid => &call.uid_map,
        Ids::Gid => &call.gid_map,
    };
    let alone = |&line: &ExecnsIdMap| {
        let mut call = call.clone();

        match which {
            Ids::Uid => call.uid_map = vec![line],
            Ids::Gid => call.gid_map = vec![line],
        }
        check(&call) == Some(errno)
    };

    ErrorKind::Map {
        which,
        line: lines.iter().position(alone).unwrap_or(0),
        why: MapFault::NotPermitted,
    }
}

fn namespaces_hint(call: &Call) -> &'static str {
    let capable =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_ADMIN));

    if call.namespaces.contains(Namespaces::USER) {
        "a user namespace is denied in a chroot, to an id that is not mapped, and by a sysctl, a \
         security module or a seccomp filter"
    } else if capable {
        "a security module or a seccomp filter denies them"
    } else {
        "without CAP_SYS_ADMIN, they need a new user namespace"
    }
}

#[cfg(test)]
mod tests;
