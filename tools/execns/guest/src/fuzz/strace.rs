// SPDX-License-Identifier: GPL-2.0

//! Writes a call as strace(1) does, whatever is wrong with it.

use super::call::{Array, Call, Form, Place, Words};
use super::name::Name;
use execns_abi as abi;

const UNSHARE: [(u64, &str); 15] = [
    (libc::CLONE_NEWNS as u64, "CLONE_NEWNS"),
    (libc::CLONE_NEWUTS as u64, "CLONE_NEWUTS"),
    (libc::CLONE_NEWIPC as u64, "CLONE_NEWIPC"),
    (libc::CLONE_NEWUSER as u64, "CLONE_NEWUSER"),
    (libc::CLONE_NEWPID as u64, "CLONE_NEWPID"),
    (libc::CLONE_NEWNET as u64, "CLONE_NEWNET"),
    (libc::CLONE_NEWCGROUP as u64, "CLONE_NEWCGROUP"),
    (libc::CLONE_NEWTIME as u64, "CLONE_NEWTIME"),
    (libc::CLONE_FS as u64, "CLONE_FS"),
    (libc::CLONE_SYSVSEM as u64, "CLONE_SYSVSEM"),
    (libc::CLONE_FILES as u64, "CLONE_FILES"),
    (libc::CLONE_VM as u64, "CLONE_VM"),
    (libc::CLONE_SIGHAND as u64, "CLONE_SIGHAND"),
    (libc::CLONE_THREAD as u64, "CLONE_THREAD"),
    (abi::UNSHARE_EMPTY_MNTNS, "UNSHARE_EMPTY_MNTNS"),
];

const AT: [(u64, &str); 3] = [
    (abi::AT_SYMLINK_NOFOLLOW as u64, "AT_SYMLINK_NOFOLLOW"),
    (abi::AT_EMPTY_PATH as u64, "AT_EMPTY_PATH"),
    (abi::AT_EXECVE_CHECK as u64, "AT_EXECVE_CHECK"),
];

const FLAGS: [(u64, &str); 5] = [
    (abi::EXECNS_SETGROUPS_ALLOW as u64, "EXECNS_SETGROUPS_ALLOW"),
    (abi::EXECNS_SETGROUPS_DENY as u64, "EXECNS_SETGROUPS_DENY"),
    (abi::EXECNS_ROOT_FD as u64, "EXECNS_ROOT_FD"),
    (abi::EXECNS_SET_IDS as u64, "EXECNS_SET_IDS"),
    (abi::EXECNS_DROP_GROUPS as u64, "EXECNS_DROP_GROUPS"),
];

fn bits(value: u64, names: &[(u64, &str)]) -> String {
    let mut left = value;
    let mut words = Vec::new();

    for &(bit, name) in names {
        if value & bit != 0 {
            words.push(name.to_string());
            left &= !bit;
        }
    }
    if left != 0 || value == 0 {
        words.push(format!("{left:#x}"));
    }
    words.join("|")
}

fn array<T>(array: &Array<T>, write: impl Fn(&T) -> String) -> String {
    let mut words: Vec<_> = array.elements.iter().take(16).map(write).collect();
    if array.elements.len() > 16 {
        words.push("...".into());
    }
    let text = format!("[{}]", words.join(", "));

    match array.form {
        Form::Right => text,
        Form::NoPointer => "NULL".into(),
        Form::NoNumber | Form::Many(_) => format!("{text} /* {} */", array.number()),
        Form::Hole | Form::Kernel => format!("{:?} /* {} */", array.form, array.number()),
    }
}

fn words(words: Words) -> String {
    match words {
        Words::Few(count) => format!("[{}]", vec!["\"x\""; count.into()].join(", ")),
        Words::Null => "NULL".into(),
        other => format!("{other:?}"),
    }
}

fn path(name: Name) -> String {
    match name.bytes() {
        None => format!("{name:?}"),
        Some(bytes) if bytes.len() > 100 => format!("\"...\" /* {} */", bytes.len()),
        Some(bytes) => format!("\"{}\"", String::from_utf8_lossy(&bytes)),
    }
}

/// The call, without its result.
pub fn call(call: &Call) -> String {
    let path = path(call.name);
    let (argv, envp) = (words(call.argv), words(call.envp));
    let flags = bits(call.unshare_flags, &UNSHARE);

    if call.plain {
        return format!("execns({flags}, {path}, {argv}, {envp})");
    }
    let dirfd = match call.dirfd {
        libc::AT_FDCWD => "AT_FDCWD".into(),
        fd => fd.to_string(),
    };
    let line =
        |map: &abi::ExecnsIdMap| format!("{{{}, {}, {}}}", map.inside, map.outside, map.count);
    let mut members = vec![format!("unshare_flags={flags}")];
    let mut member = |name: &str, given: bool, value: String| {
        if given {
            members.push(format!("{name}={value}"));
        }
    };
    member(
        "at_flags",
        call.at_flags != 0,
        bits(call.at_flags.into(), &AT),
    );
    member("flags", call.flags != 0, bits(call.flags.into(), &FLAGS));
    member(
        "fds",
        call.fds.form != Form::Right || !call.fds.elements.is_empty(),
        array(&call.fds, |fd| format!("{{{}, {}}}", fd.from, fd.to)),
    );
    for (name, map) in [("uid_map", &call.uid_map), ("gid_map", &call.gid_map)] {
        let given = map.form != Form::Right || !map.elements.is_empty();
        member(name, given, array(map, line));
    }
    let offsets = &call.time_offsets;
    member(
        "time_offsets",
        offsets.form != Form::Right || !offsets.elements.is_empty(),
        array(offsets, |o| {
            format!("{{{}, {}, {}, {}}}", o.clock, o.reserved, o.sec, o.nsec)
        }),
    );
    member("root_fd", call.root_fd != 0, call.root_fd.to_string());
    member("uid", call.uid != 0, (call.uid as i32).to_string());
    member("gid", call.gid != 0, (call.gid as i32).to_string());
    member("reserved", call.reserved != 0, call.reserved.to_string());
    if let Some(at) = call.beyond {
        members.push(format!("/* byte {at} */ 1"));
    }
    let mut text = format!("{{{}}}", members.join(", "));
    if call.place != Place::Right {
        text = format!("{:?} {text}", call.place);
    }
    if let Some(late) = call.late {
        text = format!("{text} /* late: {late:?} */");
    }
    format!(
        "execnsat({dirfd}, {path}, {argv}, {envp}, {text}, {})",
        call.size
    )
}

/// The name of an errno.
pub fn errno(number: i32) -> String {
    if number == 0 {
        return "0".into();
    }
    format!("{:?}", nix::errno::Errno::from_raw(number))
}
