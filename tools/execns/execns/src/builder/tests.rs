// SPDX-License-Identifier: GPL-2.0

use super::*;
use crate::Prepared;
use execns_abi::ExecnsFd;
use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd;

fn word(word: &CString) -> &str {
    word.to_str().unwrap()
}

#[test]
fn it_can_be_used_by_several_threads() {
    fn shared<T: Send + Sync>() {}

    shared::<Execns<'static>>();
    shared::<Prepared<'static>>();
    shared::<Error>();
    shared::<Child>();
}

#[test]
fn the_name_is_the_path_or_what_is_said() {
    let arg0 = |program: &Execns<'_>| {
        word(&program.prepare().unwrap().call.argv.as_slice()[0]).to_string()
    };
    let file = File::open("/dev/null").unwrap();
    let path = format!("/dev/fd/{}", file.as_raw_fd());

    assert_eq!(arg0(&Execns::new("/bin/sh")), "/bin/sh");
    assert_eq!(arg0(Execns::new("/bin/sh").arg0("-sh")), "-sh");
    assert_eq!(arg0(&Execns::from_fd(&file)), path);
    assert_eq!(arg0(&Execns::at(&file, "")), "");
}

#[test]
fn a_borrowed_descriptor_may_be_younger_than_the_builder() {
    let mut program = Execns::new("/bin/sh");
    let file = File::open("/dev/null").unwrap();

    program.keep(&file, 5).keep(file.as_fd(), 6).inherit(&file);
    let from = file.as_raw_fd() as u32;
    let fds = program.prepare().unwrap().call.fds;
    assert_eq!(fds, [5, 6, from].map(|to| ExecnsFd { from, to }));
}

#[test]
fn what_is_not_given_is_zero() {
    let program = Execns::new("/bin/sh");
    let args = program.prepare().unwrap().call.args(0);

    assert_eq!((args.unshare_flags, args.at_flags, args.flags), (0, 0, 0));
    assert_eq!((args.fds, args.uid_map, args.gid_map), (0, 0, 0));
    assert_eq!((args.nr_fds, args.nr_uid_map, args.nr_gid_map), (0, 0, 0));
    assert_eq!((args.time_offsets, args.nr_time_offsets), (0, 0));
    assert_eq!(
        (args.root_fd, args.uid, args.gid, args.reserved),
        (0, 0, 0, 0)
    );
}

#[test]
fn what_is_given_is_counted() {
    let map = IdMap {
        inside: 0,
        outside: 1,
        count: 2,
    };
    let mut program = Execns::new("/bin/sh");

    program
        .map_uids([map; 3])
        .map_gids([map; 4])
        .keep_stdio()
        .time_offset(Clock::Boottime, -1, 2)
        .root(Descriptor::from_number(0))
        .setgroups(Setgroups::Allow)
        .nofollow();
    let call = program.prepare().unwrap().call;
    let args = call.args(abi::AT_EXECVE_CHECK);

    assert_eq!((args.nr_uid_map, args.nr_gid_map), (3, 4));
    assert_eq!(args.uid_map, call.uid_map.as_ptr().addr() as u64);
    assert_eq!((args.nr_fds, args.nr_time_offsets), (3, 1));
    assert_eq!(
        args.at_flags,
        abi::AT_EXECVE_CHECK | abi::AT_SYMLINK_NOFOLLOW
    );
    // A root of descriptor 0 is one.
    assert_eq!(
        args.flags,
        abi::EXECNS_SETGROUPS_ALLOW | abi::EXECNS_ROOT_FD
    );
    assert_eq!(call.time_offsets[0].clock, libc::CLOCK_BOOTTIME);
}

#[test]
fn a_cgroup_is_for_children() {
    let mut program = Execns::new("/nonexistent");
    let error = program.cgroup(std::io::stdin()).exec();

    assert_eq!(*error.kind(), crate::ErrorKind::CgroupNeedsSpawn);
    assert_eq!(error.raw_os_error(), None);
    assert!(error.trace().starts_with("execnsat(AT_FDCWD, "));
}
