// SPDX-License-Identifier: GPL-2.0

//! The builder and the children of the crate on a kernel that has execnsat(2): these run as root
//! in the guest.

use execns::{Clock, ErrorKind, Execns, Namespaces, Setgroups};
use execns_guest::programs::{as_user, descriptors, file, has_no_child, output, sh};
use execns_guest::report::Report;
use execns_guest::sys::{self, Spawn};
use rustix::fs::FlockOperation;
use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Barrier;
use std::thread;

#[test]
fn the_kernel_has_the_call() {
    assert!(execns::is_supported());
}

#[test]
fn the_program_has_what_it_is_given() {
    let (a, b) = (file("a", "a"), file("b", "b"));
    let mut program = sh("echo $0 $A $(cat <&5) $(cat <&6)
        for i in $(seq 0 99) 900; do [ -e /proc/$$/fd/$i ] && echo $i; done");

    program.arg("zero").env("A", "1");
    program.keep(&a, 5).keep(&b, 6).keep(&b, 900);
    assert_eq!(output(program), "zero 1 a b 1 5 6 900");
}

#[test]
fn numbers_can_be_swapped() {
    let (a, b) = (file("a", "a"), file("b", "b"));
    let (low, high) = (a.as_raw_fd(), b.as_raw_fd());
    let mut program = sh("cat <&$0; cat <&$1");

    program.args([low.to_string(), high.to_string()]);
    program.keep(&a, high).keep(&b, low);
    assert_eq!(output(program), "ba");
}

#[test]
fn without_more_it_has_no_descriptor() {
    let path = "/tmp/crate.report";
    let status = Execns::new("/usr/bin/execns-demo")
        .args(["--report", path])
        .status();

    assert!(status.unwrap().success());
    let report = Report::read(path).unwrap();
    assert_eq!(report.descriptors, 0);
    assert_eq!(report.new_namespaces(&Report::of_self().unwrap()), 0);
}

#[test]
fn ids_are_mapped_as_asked() {
    let script = "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u; id -g";
    let mut inside = sh(script);
    let mut outside = sh(script);

    inside
        .unshare(Namespaces::USER)
        .map_uid(0, 0, 1)
        .map_uid(1, 100_001, 9)
        .map_gid(7, 0, 1)
        .setgroups(Setgroups::Deny);
    assert_eq!(output(inside), "0 0 1 1 100001 9 7 0 1 deny 0 7");
    // The caller's ids have no number there.
    outside
        .unshare(Namespaces::USER)
        .map_uid(0, 100_000, 10)
        .map_gid(0, 100_000, 10);
    assert_eq!(output(outside), "0 100000 10 0 100000 10 allow 65534 65534");
}

#[test]
fn a_user_can_be_root_inside() {
    let words = as_user(|| {
        let mut program = sh("id -u; id -g; cat /proc/self/setgroups; hostname inside; hostname");

        program
            .unshare(Namespaces::USER | Namespaces::UTS)
            .map_uid(0, 1000, 1)
            .map_gid(0, 1000, 1)
            .setgroups(Setgroups::Deny);
        output(program)
    });

    assert_eq!(words, "0 0 deny inside");
}

#[test]
fn clocks_are_set_off() {
    let mut program = sh("cat /proc/self/timens_offsets");

    program
        .unshare(Namespaces::TIME)
        .time_offset(Clock::Monotonic, 86_400, 5)
        .time_offset(Clock::Boottime, -1, 0);
    assert_eq!(output(program), "monotonic 86400 5 boottime -1 0");
}

#[test]
fn a_directory_becomes_the_root() {
    let root = "/tmp/crate.root";

    fs::create_dir_all(format!("{root}/bin")).unwrap();
    fs::copy("/bin/busybox", format!("{root}/bin/sh")).unwrap();
    fs::write(format!("{root}/here"), "").unwrap();
    let mut program = sh("echo /*; pwd");
    program
        .unshare(Namespaces::MOUNT)
        .root(File::open(root).unwrap());
    assert_eq!(output(program), "/bin /here /");

    let mut missing = Execns::new("/bin/nothing");
    missing
        .unshare(Namespaces::MOUNT)
        .root(File::open(root).unwrap());
    let error = missing.check().unwrap_err();
    assert!(error.to_string().contains("in the root"), "{error:#}");
    fs::remove_dir_all(root).unwrap();
}

#[test]
fn programs_are_started_by_descriptor() {
    let busybox = File::open("/bin/busybox").unwrap();
    let mut empty = Execns::from_fd(&busybox);
    empty
        .arg0("sh")
        .args(["-c", "echo /*"])
        .unshare(Namespaces::EMPTY_MOUNT);
    assert_eq!(output(empty), "/*");

    let bin = File::open("/bin").unwrap();
    let mut relative = Execns::at(&bin, "busybox");
    relative.args(["echo", "found"]);
    assert_eq!(output(relative), "found");
}

#[test]
fn a_script_by_descriptor_needs_it() {
    let path = "/tmp/crate.script";

    fs::write(path, "#!/bin/sh\necho script\n").unwrap();
    rustix::fs::chmod(path, rustix::fs::Mode::from(0o755)).unwrap();
    let script = File::open(path).unwrap();
    let mut kept = Execns::from_fd(&script);
    kept.inherit(&script);
    assert_eq!(output(kept), "script");

    // A check does not come to the interpreter.
    Execns::from_fd(&script).check().unwrap();
    let error = Execns::from_fd(&script).spawn().unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error:#}");
    assert!(error.to_string().contains("kept at the same number"));
    fs::remove_file(path).unwrap();
}

#[test]
fn a_check_executes_nothing() {
    let path = "/tmp/crate.check";
    let before = Report::of_self().unwrap();
    let mut program = sh("echo >/tmp/crate.check");

    program
        .unshare(Namespaces::EVERY_KIND)
        .map_uid(0, 0, 10)
        .keep_stdio();
    program.check().unwrap_or_else(|error| panic!("{error:#}"));
    assert_eq!(Report::of_self().unwrap(), before);
    assert!(fs::metadata(path).is_err());
    assert!(program.status().unwrap().success());
    fs::remove_file(path).unwrap();
}

#[test]
fn a_process_becomes_the_program() {
    let mut program = sh("exit 5");
    program.unshare(Namespaces::EVERY_KIND);
    let prepared = program.prepare().unwrap();
    let child = Spawn::Fork
        .run(&mut || {
            let _ = prepared.exec_bare();
            99
        })
        .unwrap();

    assert_eq!(sys::wait(child).unwrap(), 5);
}

#[test]
fn children_end_and_are_ended() {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut program = sh("read line; exit $line");
    program.keep(reader, 0);
    let mut child = program.spawn().unwrap();

    assert_eq!(child.try_wait().unwrap(), None);
    child.signal(0).unwrap();
    File::from(writer).write_all(b"7\n").unwrap();
    for _ in 0..2 {
        assert_eq!(child.wait().unwrap().code(), Some(7));
    }
    assert_eq!(child.try_wait().unwrap().unwrap().code(), Some(7));
    assert_eq!(
        child.signal(0).unwrap_err().raw_os_error(),
        Some(libc::ESRCH)
    );

    let mut killed = sh("sleep 1000").spawn().unwrap();
    killed.kill().unwrap();
    assert_eq!(killed.wait().unwrap().signal(), Some(libc::SIGKILL));
}

#[test]
fn signals_are_those_of_an_exec() {
    // Of the signals that this process ignores, SIGPIPE is one, by Rust's runtime. That which it
    // handles, SIGSEGV, is not handled by the program.
    let mut program = Execns::new("/bin/grep");
    let mine = |name: &str| {
        let status = fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();

        line.split_whitespace().nth(1).unwrap().to_string()
    };
    program.args(["-E", "Sig(Blk|Ign|Cgt)", "/proc/self/status"]);
    let (blocked, ignored) = (mine("SigBlk"), mine("SigIgn"));

    assert_ne!(mine("SigCgt"), "0000000000000000");
    assert_eq!(
        output(program),
        format!("SigBlk: {blocked} SigIgn: {ignored} SigCgt: 0000000000000000")
    );
}

#[test]
fn a_failure_leaves_no_child_and_no_descriptor() {
    let before = descriptors();

    for _ in 0..20 {
        let error = Execns::new("/nonexistent")
            .unshare(Namespaces::EVERY_KIND)
            .spawn()
            .unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error:#}");
        assert!(matches!(
            error.kind(),
            ErrorKind::Program { hint: None, .. }
        ));
    }
    assert_eq!(descriptors(), before);
    assert!(has_no_child());
}

#[test]
fn locks_stay_with_the_caller() {
    let locked = file("locked", "");
    let held = || {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        let mine = format!(" {} ", std::process::id());

        locks.lines().filter(|line| line.contains(&mine)).count()
    };
    let mut program = sh("exit 0");

    rustix::fs::fcntl_lock(&locked, FlockOperation::NonBlockingLockShared).unwrap();
    assert_eq!(held(), 1);
    // The child shares the table of descriptors, until it is the program.
    assert!(program.keep(&locked, 3).status().unwrap().success());
    assert!(
        Execns::new("/nonexistent")
            .keep(&locked, 3)
            .spawn()
            .is_err()
    );
    assert_eq!(held(), 1);
}

#[test]
fn threads_spawn_at_once() {
    const THREADS: usize = 64;
    const TIMES: usize = 20;
    let barrier = Barrier::new(THREADS);
    let before = descriptors();

    thread::scope(|scope| {
        for i in 0..THREADS {
            let barrier = &barrier;

            scope.spawn(move || {
                let mut program = sh("exit $0");
                let mut missing = Execns::new("/nonexistent");
                let code = i as i32 + 1;

                program.arg(code.to_string()).unshare(Namespaces::UTS);
                missing.keep(File::open("/dev/null").unwrap(), i as i32);
                let (program, missing) = (program.prepare().unwrap(), missing.prepare().unwrap());
                barrier.wait();
                for _ in 0..TIMES {
                    let mut child = program.spawn().unwrap();
                    let error = missing.spawn().unwrap_err();

                    assert_eq!(error.raw_os_error(), Some(libc::ENOENT), "{error:#}");
                    assert_eq!(child.wait().unwrap().code(), Some(code));
                }
            });
        }
    });
    assert_eq!(descriptors(), before);
    assert!(has_no_child());
}

#[test]
fn a_child_starts_in_a_cgroup() {
    let root = "/tmp/crate.cgroup";
    let group = format!("{root}/group");
    let shell = |line: &str| Command::new("sh").args(["-c", line]).status().unwrap();

    fs::create_dir_all(root).unwrap();
    assert!(shell(&format!("mount -t cgroup2 none {root}")).success());
    fs::create_dir(&group).unwrap();
    let dir = File::open(&group).unwrap();
    let mut program = sh("cat /proc/self/cgroup");
    program.cgroup(&dir);
    assert_eq!(*program.exec().kind(), ErrorKind::CgroupNeedsSpawn);
    assert!(output(program).ends_with("/group"));

    // A file is no cgroup.
    let mut wrong = sh("true");
    let null = File::open("/dev/null").unwrap();
    let error = wrong.cgroup(&null).spawn().unwrap_err();
    assert_eq!(
        *error.kind(),
        ErrorKind::Clone { cgroup: true },
        "{error:#}"
    );
    drop(dir);
    fs::remove_dir(&group).unwrap();
    assert!(shell(&format!("umount {root}")).success());
}

#[test]
fn owned_descriptors_are_closed_with_the_builder() {
    let before = descriptors();
    let mut program = sh("");

    program.keep(OwnedFd::from(File::open("/dev/null").unwrap()), 3);
    assert_ne!(descriptors(), before);
    drop(program);
    assert_eq!(descriptors(), before);
}
