// SPDX-License-Identifier: GPL-2.0

//! The crate on a kernel that has execns(2), and what the guest's programs share: these run as
//! root in the guest.

use execns::{Namespaces, Program};
use execns_guest::accounts::{CONTAINERS, Pattern};
use execns_guest::launch;
use execns_guest::report::Report;
use execns_guest::start::{Starter, Way};
use execns_guest::sys::{self, Spawn};
use std::ffi::CString;
use std::fs;
use std::sync::Barrier;
use std::thread;

const REPORTER: &str = "/usr/bin/execns-demo";

fn reporter(path: &str, file: &str) -> Program {
    let word = |word: &str| CString::new(word).unwrap();

    Program::new(
        word(path),
        vec![word(path), word("--report"), word(file)],
        vec![],
    )
}

/// Starts the program in a child, and returns what it sees.
fn spawn(spawn: Spawn, flags: Namespaces, name: &str) -> Report {
    let file = format!("/tmp/program.{name}");
    let program = reporter(REPORTER, &file);
    let child = spawn
        .run(&mut || {
            let _ = program.execns(flags);
            99
        })
        .unwrap();

    assert_eq!(sys::wait(child).unwrap(), 0);
    let report = Report::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    report
}

#[test]
fn flagged_namespaces_are_new() {
    let me = Report::of_self().unwrap();

    for (flags, new) in [
        (Namespaces::empty(), 0),
        (Namespaces::UTS, 1),
        (Namespaces::USER, 1),
        (Namespaces::MOUNT | Namespaces::IPC | Namespaces::NET, 3),
        (Namespaces::EVERY_KIND, 8),
    ] {
        let report = spawn(Spawn::Fork, flags, "namespaces");

        assert_eq!(report.new_namespaces(&me), new, "{flags:?}");
        assert_eq!(report.descriptors, 0, "{flags:?}");
        assert!(report.exe_is_inside, "{flags:?}");
    }
}

#[test]
fn children_of_all_kinds_can_call() {
    for kind in [Spawn::Fork, Spawn::Vfork, Spawn::VforkFiles] {
        let report = spawn(kind, Namespaces::EVERY_KIND, "children");

        assert_eq!(report.descriptors, 0, "{kind:?}");
        assert_eq!(report.threads, "1", "{kind:?}");
    }
}

#[test]
fn failure_leaves_the_caller_as_it_was() {
    let program = reporter("/nonexistent", "/tmp/program.none");

    for flags in [
        Namespaces::empty(),
        Namespaces::USER,
        Namespaces::EVERY_KIND,
    ] {
        let before = Report::of_self().unwrap();
        let error = program.execns(flags);

        assert_eq!(error.raw_os_error(), Some(2), "{error}");
        let after = Report::of_self().unwrap();
        assert_eq!(after.namespaces, before.namespaces);
        assert_eq!(after.capabilities, before.capabilities);
        assert_eq!(after.uid_map, before.uid_map);
    }
}

#[test]
fn unknown_flags_are_refused() {
    let program = reporter(REPORTER, "/tmp/program.flags");
    let unknown = Namespaces::from_bits_retain(0x1000);

    for flags in [unknown, unknown | Namespaces::EVERY_KIND] {
        assert_eq!(program.execns(flags).raw_os_error(), Some(22));
    }
}

#[test]
fn threads_can_start_programs_at_once() {
    const THREADS: usize = 64;
    let barrier = Barrier::new(THREADS);

    thread::scope(|scope| {
        for i in 0..THREADS {
            let barrier = &barrier;

            scope.spawn(move || {
                let flags = Namespaces::USER | Namespaces::UTS | Namespaces::MOUNT;

                barrier.wait();
                let report = spawn(Spawn::Vfork, flags, &format!("threads.{i}"));
                assert_eq!(report.descriptors, 0);
                assert_eq!(report.threads, "1");
            });
        }
    });
}

#[test]
fn any_thread_can_become_the_program() {
    let file = "/tmp/program.thread";
    let program = reporter(REPORTER, file);
    let child = Spawn::Fork
        .run(&mut || {
            thread::scope(|scope| {
                scope.spawn(|| program.execns(Namespaces::EVERY_KIND));
            });
            99
        })
        .unwrap();

    assert_eq!(sys::wait(child).unwrap(), 0);
    assert_eq!(Report::read(file).unwrap().threads, "1");
}

#[test]
fn uids_of_the_benchmark_are_what_it_says() {
    const LIVE: u32 = 1_000_000;
    const ABSENT: u32 = 25_000;
    // The hash of Linux, until tables of accounts came.
    let bucket = |uid: u32| (uid >> 7).wrapping_add(uid) & 127;

    for pattern in [Pattern::Sequential, Pattern::Spaced] {
        let live = (0..LIVE).map(|i| pattern.live(i));
        let absent = (0..ABSENT).map(|i| pattern.absent(i));
        let mut uids: Vec<u32> = live.chain(absent).collect();

        uids.sort_unstable();
        uids.dedup();
        assert_eq!(uids.len() as u32, LIVE + ABSENT, "{pattern:?}");
        assert!(!uids.contains(&0) && !uids.contains(&u32::MAX));
    }
    for i in 0..CONTAINERS {
        assert_eq!(bucket(Pattern::Spaced.live(i)), 0);
        assert_eq!(bucket(Pattern::Spaced.absent(i)), 0);
    }
}

#[test]
fn ways_that_are_compared_make_the_same_container() {
    let me = Report::of_self().unwrap();
    let file = "/tmp/program.way";
    let args = [REPORTER, "--report", file].map(|word| CString::new(word).unwrap());
    let starter = Starter::new(args.to_vec());
    let mut ways: Vec<fn(Namespaces) -> Way> = vec![Way::Clone, Way::Fork];

    if execns::is_supported() {
        ways.push(Way::Execnsat);
    }
    for way in ways.iter().map(|way| way(Namespaces::EVERY_KIND)) {
        let status = starter.way(way).unwrap()().unwrap();
        assert_eq!(status, 0, "{way:?}");
        let report = Report::read(file).unwrap();
        fs::remove_file(file).unwrap();

        assert_eq!(report.new_namespaces(&me), 8, "{way:?}");
        assert_eq!(report.uid_map, "0 0 1", "{way:?}");
        assert_eq!(report.uid, "0", "{way:?}");
        assert_eq!(report.descriptors, 3, "{way:?}");
    }
}

#[test]
fn system_calls_of_all_processes_are_counted() {
    let starter = Starter::new(vec![c"/usr/bin/execns-true".into()]);

    for (way, expected) in [
        // clone, execve, exit_group, wait4
        (Way::Vfork, 4),
        // pipe2, clone3, 3 * (open, write, close), read, write, 3 * close, execve, exit_group, wait4
        (Way::Clone(Namespaces::USER), 19),
    ] {
        let run = starter.way(way).unwrap();
        let calls = launch::system_calls(&|| run().map(drop)).unwrap();

        assert_eq!(calls, expected, "{way:?}");
    }
}
