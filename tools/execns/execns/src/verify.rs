// SPDX-License-Identifier: GPL-2.0

//! The rules that a call breaks by what can be seen of it.

use crate::call::Call;
use crate::kind::{Argument, ErrorKind, MapFault};
use crate::map::{IdMap, Ids};
use crate::namespaces::Namespaces;
use crate::sys;
use execns_abi::{self as abi, ExecnsIdMap};
use std::collections::HashSet;
use std::os::fd::RawFd;

/// Whether the path starts at `dirfd`, or is that.
fn uses_dirfd(call: &Call) -> bool {
    call.dirfd != libc::AT_FDCWD && !call.path.to_bytes().starts_with(b"/")
}

/// What is EBADF.
pub(crate) fn descriptors(call: &Call, limit: u64) -> Option<ErrorKind> {
    let bad = |from: RawFd, argument| {
        (!sys::is_open(from)).then_some(ErrorKind::BadDescriptor { from, argument })
    };
    let kept = || {
        let mut fds = call.fds.iter();

        fds.find_map(|fd| bad(fd.from as RawFd, Argument::Descriptors))
    };
    let target = || {
        let fd = call.fds.iter().find(|fd| u64::from(fd.to) >= limit)?;

        Some(ErrorKind::TargetTooHigh {
            to: fd.to as RawFd,
            limit,
        })
    };
    let rooted = call.flags & abi::EXECNS_ROOT_FD != 0;

    (rooted.then(|| bad(call.root_fd, Argument::Root)).flatten())
        .or_else(target)
        .or_else(kept)
        .or_else(|| (uses_dirfd(call).then(|| bad(call.dirfd, Argument::Program))).flatten())
}

/// What is ENOTDIR.
pub(crate) fn directories(call: &Call) -> Option<ErrorKind> {
    let rooted = call.flags & abi::EXECNS_ROOT_FD != 0;
    let at = uses_dirfd(call) && !call.path.is_empty();

    [
        (rooted, call.root_fd, Argument::Root),
        (at, call.dirfd, Argument::Program),
    ]
    .into_iter()
    .find(|&(given, fd, _)| given && !sys::is_directory(fd))
    .map(|(_, fd, argument)| ErrorKind::NotADirectory { fd, argument })
}

/// What is EINVAL, but for namespaces that the kernel does not know.
pub(crate) fn form(call: &Call, limit: u64) -> Option<ErrorKind> {
    count_of_descriptors(call, limit)
        .or_else(|| duplicate(call))
        .or_else(|| missing_namespace(call))
        .or_else(|| contradiction(call))
        .or_else(|| id_map(Ids::Uid, &call.uid_map))
        .or_else(|| id_map(Ids::Gid, &call.gid_map))
        .or_else(|| time_offsets(call))
}

fn count_of_descriptors(call: &Call, limit: u64) -> Option<ErrorKind> {
    let count = call.fds.len();

    (count as u64 > limit).then_some(ErrorKind::TooManyDescriptors { count, limit })
}

fn duplicate(call: &Call) -> Option<ErrorKind> {
    let mut seen = HashSet::new();
    let twice = call.fds.iter().find(|fd| !seen.insert(fd.to))?;

    Some(ErrorKind::DuplicateTarget {
        to: twice.to as RawFd,
    })
}

fn missing_namespace(call: &Call) -> Option<ErrorKind> {
    let setgroups = call.flags & (abi::EXECNS_SETGROUPS_ALLOW | abi::EXECNS_SETGROUPS_DENY) != 0;
    let root = call.flags & abi::EXECNS_ROOT_FD != 0;
    let given = |id| call.flags & abi::EXECNS_SET_IDS != 0 && id != abi::SAME_ID;
    let empty_mount = call.namespaces.contains(Namespaces::EMPTY_MOUNT);

    [
        (setgroups, Argument::Setgroups, Namespaces::USER),
        (
            !call.uid_map.is_empty(),
            Argument::Map(Ids::Uid),
            Namespaces::USER,
        ),
        (
            !call.gid_map.is_empty(),
            Argument::Map(Ids::Gid),
            Namespaces::USER,
        ),
        (given(call.uid), Argument::Id(Ids::Uid), Namespaces::USER),
        (given(call.gid), Argument::Id(Ids::Gid), Namespaces::USER),
        (
            call.flags & abi::EXECNS_DROP_GROUPS != 0,
            Argument::DropGroups,
            Namespaces::USER,
        ),
        (
            !call.time_offsets.is_empty(),
            Argument::TimeOffsets,
            Namespaces::TIME,
        ),
        (root && !empty_mount, Argument::Root, Namespaces::MOUNT),
    ]
    .into_iter()
    .find(|&(given, _, namespace)| given && !call.namespaces.contains(namespace))
    .map(|(_, argument, namespace)| ErrorKind::NeedsNamespace {
        argument,
        namespace,
    })
}

fn contradiction(call: &Call) -> Option<ErrorKind> {
    if !call.namespaces.contains(Namespaces::EMPTY_MOUNT) {
        None
    } else if call.flags & abi::EXECNS_ROOT_FD != 0 {
        Some(ErrorKind::RootOfEmptyMount)
    } else if call.at_flags & abi::AT_EMPTY_PATH == 0 {
        Some(ErrorKind::NeedsProgramDescriptor)
    } else {
        None
    }
}

fn id_map(which: Ids, lines: &[ExecnsIdMap]) -> Option<ErrorKind> {
    let fault = |line, why| Some(ErrorKind::Map { which, line, why });

    if lines.len() > IdMap::MAX_LINES {
        return fault(IdMap::MAX_LINES, MapFault::TooManyLines);
    }
    for (i, line) in lines.iter().enumerate() {
        // The id of all ones is no id, and what comes after a range is to be a number.
        let beyond = |first: u32| first.checked_add(line.count).is_none();
        let overlaps = |a: u32, a_count: u32, b: u32, b_count: u32| {
            a <= b + (b_count - 1) && b <= a + (a_count - 1)
        };

        if line.count == 0 {
            return fault(i, MapFault::Empty);
        }
        if beyond(line.inside) || beyond(line.outside) {
            return fault(i, MapFault::Overflow);
        }
        let with = lines[..i].iter().position(|other| {
            overlaps(line.inside, line.count, other.inside, other.count)
                || overlaps(line.outside, line.count, other.outside, other.count)
        });
        if let Some(with) = with {
            return fault(i, MapFault::Overlap { with });
        }
    }
    None
}

fn time_offsets(call: &Call) -> Option<ErrorKind> {
    if call.time_offsets.len() > 2 {
        return Some(ErrorKind::TooManyTimeOffsets);
    }
    let line = call
        .time_offsets
        .iter()
        .position(|offset| offset.nsec > 999_999_999)?;

    Some(ErrorKind::TimeOffset { line })
}
