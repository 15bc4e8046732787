// SPDX-License-Identifier: GPL-2.0

//! Writes calls and errors as strace(1) does. What is zero in the structure is left out.

use crate::call::Call;
use execns_abi::{self as abi, EXECNS_ARGS_SIZE_VER0};
use std::os::fd::RawFd;

/// As many elements of an array as strace(1) writes.
const MOST: usize = 32;

/// As many bytes of a string as are written. strace(1) stops at 32, unless it is told otherwise.
const LONGEST: usize = 256;

fn quote(bytes: &[u8]) -> String {
    let mut out = String::from("\"");

    for &byte in bytes.iter().take(LONGEST) {
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            b' '..=b'~' => out.push(byte.into()),
            _ => out.push_str(&format!("\\{byte:03o}")),
        }
    }
    out.push('"');
    if bytes.len() > LONGEST {
        out.push_str("...");
    }
    out
}

fn array<T>(elements: &[T], write: impl Fn(&T) -> String) -> String {
    let mut words: Vec<String> = elements.iter().take(MOST).map(write).collect();

    if elements.len() > MOST {
        words.push("...".into());
    }
    format!("[{}]", words.join(", "))
}

fn bits(value: u32, names: &[(u32, &str)]) -> String {
    let words: Vec<&str> = names
        .iter()
        .filter(|(bit, _)| value & bit != 0)
        .map(|(_, name)| *name)
        .collect();

    words.join("|")
}

fn clock(number: i32) -> String {
    match number {
        libc::CLOCK_MONOTONIC => "CLOCK_MONOTONIC".into(),
        libc::CLOCK_BOOTTIME => "CLOCK_BOOTTIME".into(),
        other => other.to_string(),
    }
}

/// The call, without its result.
pub(crate) fn call(call: &Call, at_flags: u32) -> String {
    let dirfd = match call.dirfd {
        libc::AT_FDCWD => "AT_FDCWD".into(),
        fd => fd.to_string(),
    };
    let env = call.envp.as_slice().len();
    let mut members = vec![format!("unshare_flags={}", call.namespaces.in_c())];
    let mut member = |name: &str, given: bool, value: String| {
        if given {
            members.push(format!("{name}={value}"));
        }
    };
    let at_flags = call.at_flags | at_flags;
    let maps = [("uid_map", &call.uid_map), ("gid_map", &call.gid_map)];

    member(
        "at_flags",
        at_flags != 0,
        bits(
            at_flags,
            &[
                (abi::AT_SYMLINK_NOFOLLOW, "AT_SYMLINK_NOFOLLOW"),
                (abi::AT_EMPTY_PATH, "AT_EMPTY_PATH"),
                (abi::AT_EXECVE_CHECK, "AT_EXECVE_CHECK"),
            ],
        ),
    );
    member(
        "flags",
        call.flags != 0,
        bits(
            call.flags,
            &[
                (abi::EXECNS_SETGROUPS_ALLOW, "EXECNS_SETGROUPS_ALLOW"),
                (abi::EXECNS_SETGROUPS_DENY, "EXECNS_SETGROUPS_DENY"),
                (abi::EXECNS_ROOT_FD, "EXECNS_ROOT_FD"),
                (abi::EXECNS_SET_IDS, "EXECNS_SET_IDS"),
                (abi::EXECNS_DROP_GROUPS, "EXECNS_DROP_GROUPS"),
            ],
        ),
    );
    member(
        "fds",
        !call.fds.is_empty(),
        array(&call.fds, |fd| {
            format!("{{{}, {}}}", fd.from as RawFd, fd.to as RawFd)
        }),
    );
    for (name, map) in maps {
        member(
            name,
            !map.is_empty(),
            array(map, |line| {
                format!("{{{}, {}, {}}}", line.inside, line.outside, line.count)
            }),
        );
    }
    member(
        "time_offsets",
        !call.time_offsets.is_empty(),
        array(&call.time_offsets, |offset| {
            format!(
                "{{{}, {}, {}}}",
                clock(offset.clock),
                offset.sec,
                offset.nsec
            )
        }),
    );
    member(
        "root_fd",
        call.flags & abi::EXECNS_ROOT_FD != 0,
        call.root_fd.to_string(),
    );
    for (name, id) in [("uid", call.uid), ("gid", call.gid)] {
        member(
            name,
            call.flags & abi::EXECNS_SET_IDS != 0,
            if id == abi::SAME_ID {
                "-1".into()
            } else {
                id.to_string()
            },
        );
    }
    format!(
        "execnsat({dirfd}, {}, {}, {:p} /* {env} var{} */, {{{}}}, {EXECNS_ARGS_SIZE_VER0})",
        quote(call.path.to_bytes()),
        array(call.argv.as_slice(), |arg| quote(arg.to_bytes())),
        call.envp.as_ptr(),
        if env == 1 { "" } else { "s" },
        members.join(", "),
    )
}

/// clone3(2) as `spawn` calls it.
pub(crate) fn clone(cgroup: Option<RawFd>) -> String {
    let flags = "CLONE_VM|CLONE_FILES|CLONE_PIDFD|CLONE_VFORK|CLONE_CLEAR_SIGHAND";

    match cgroup {
        None => format!("clone3({{flags={flags}}}, 88)"),
        Some(fd) => format!("clone3({{flags={flags}|CLONE_INTO_CGROUP, cgroup={fd}}}, 88)"),
    }
}

macro_rules! errno_names {
    ($($name:ident)+) => {
        /// The name of an errno that the calls of this crate return, or its number.
        pub(crate) fn errno(number: i32) -> String {
            match number {
                $(libc::$name => stringify!($name).into(),)+
                _ => number.to_string(),
            }
        }
    };
}

errno_names!(
    E2BIG EACCES EAGAIN EBADF EBUSY ECHILD EEXIST EFAULT EINTR EINVAL EIO EISDIR ELIBBAD ELOOP
    EMFILE ENAMETOOLONG ENFILE ENODEV ENOENT ENOEXEC ENOMEM ENOSPC ENOSYS ENOTDIR EOPNOTSUPP
    EOVERFLOW EPERM ERANGE EROFS ESRCH ETXTBSY EUSERS
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, Descriptor, Execns, Namespaces, Setgroups};

    /// The trace of a call, with the address taken out.
    fn trace(program: &Execns<'_>) -> String {
        let trace = program.prepare().unwrap().trace();
        let (before, rest) = trace.split_once("0x").unwrap();
        let (_, after) = rest.split_once(' ').unwrap();

        format!("{before}0x {after}")
    }

    #[test]
    fn the_least_call() {
        assert_eq!(
            trace(Execns::new("/bin/sh").env_clear()),
            r#"execnsat(AT_FDCWD, "/bin/sh", ["/bin/sh"], 0x /* 0 vars */, {unshare_flags=0}, 80)"#
        );
    }

    #[test]
    fn every_member() {
        let mut program = Execns::at(Descriptor::from_number(7), "bin/sh");
        program
            .arg0("sh")
            .arg("-c")
            .env_clear()
            .env("A", "b")
            .unshare(Namespaces::USER | Namespaces::MOUNT | Namespaces::TIME)
            .nofollow()
            .setgroups(Setgroups::Deny)
            .root(Descriptor::from_number(9))
            .uid(0)
            .drop_groups()
            .keep(Descriptor::from_number(0), 0)
            .keep(Descriptor::from_number(5), 3)
            .map_uid(0, 1000, 1)
            .map_gid(0, 100, 1)
            .map_gid(1, 100_000, 65_535)
            .time_offset(Clock::Monotonic, 86_400, 0)
            .time_offset(Clock::Boottime, -1, 5);

        assert_eq!(
            trace(&program),
            concat!(
                r#"execnsat(7, "bin/sh", ["sh", "-c"], 0x /* 1 var */, "#,
                "{unshare_flags=CLONE_NEWNS|CLONE_NEWUSER|CLONE_NEWTIME, ",
                "at_flags=AT_SYMLINK_NOFOLLOW, flags=EXECNS_SETGROUPS_DENY|EXECNS_ROOT_FD|",
                "EXECNS_SET_IDS|EXECNS_DROP_GROUPS, ",
                "fds=[{0, 0}, {5, 3}], uid_map=[{0, 1000, 1}], ",
                "gid_map=[{0, 100, 1}, {1, 100000, 65535}], ",
                "time_offsets=[{CLOCK_MONOTONIC, 86400, 0}, {CLOCK_BOOTTIME, -1, 5}], ",
                "root_fd=9, uid=0, gid=-1}, 80)"
            )
        );
    }

    #[test]
    fn a_program_by_descriptor_is_named_by_it() {
        let program = Execns::from_fd(Descriptor::from_number(7));

        assert!(trace(&program).starts_with(r#"execnsat(7, "", ["/dev/fd/7"], 0x /* "#));
        assert!(trace(&program).ends_with("{unshare_flags=0, at_flags=AT_EMPTY_PATH}, 80)"));
    }

    #[test]
    fn a_check_is_told() {
        let mut program = Execns::new("/bin/sh");
        program.nofollow();
        let call = super::call(&program.prepare().unwrap().call, abi::AT_EXECVE_CHECK);

        assert!(call.contains("at_flags=AT_SYMLINK_NOFOLLOW|AT_EXECVE_CHECK"));
    }

    #[test]
    fn strings_are_quoted() {
        assert_eq!(
            quote("a\"\\\n\t\r\x1b\u{e4}".as_bytes()),
            r#""a\"\\\n\t\r\033\303\244""#
        );
    }

    #[test]
    fn long_strings_are_cut() {
        let short = quote(&[b'x'; LONGEST]);

        assert!(short.ends_with("xx\""), "{short}");
        assert_eq!(quote(&[b'x'; LONGEST + 1]), short + "...");
    }

    #[test]
    fn long_arrays_are_cut() {
        let short = array(&[7; MOST], i32::to_string);
        let long = array(&[7; MOST + 1], i32::to_string);

        assert!(short.ends_with("7, 7]"), "{short}");
        assert_eq!(long, short.replace(']', ", ...]"));
    }

    #[test]
    fn errors_have_names() {
        assert_eq!(errno(libc::EBADF), "EBADF");
        assert_eq!(errno(4000), "4000");
    }
}
