// SPDX-License-Identifier: GPL-2.0

//! The crate's way to start a program, from many threads at once.

use crate::{Stopwatch, alone};
use execns::{Execns, Namespaces, Setgroups};
use execns_guest::probe::read_report;
use execns_guest::sys::at::{Slot, look};
use rustix::fs::MemfdFlags;
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;

const THREADS: usize = 64;
const PROGRAMS: usize = 4;
const LIMIT: u32 = 400;

/// What is open in this process.
fn table() -> BTreeMap<u32, Slot> {
    (0..LIMIT).filter_map(|fd| Some((fd, look(fd)?))).collect()
}

/// What one thread starts: programs that have its two files, by numbers of their own, and no
/// descriptor of another thread.
fn start_programs(thread: usize, barrier: &Barrier) -> Result<(), String> {
    barrier.wait();
    let path = PathBuf::from(format!("/tmp/threads.{thread}"));
    let told = |error: &dyn std::fmt::Display| format!("thread {thread}: {error}");
    let memfd = || rustix::fs::memfd_create("kept", MemfdFlags::CLOEXEC).map_err(|e| told(&e));
    let (first, second) = (memfd()?, memfd()?);
    let files = [&first, &second].map(|fd| look(fd.as_raw_fd() as u32).map(|slot| slot.file));
    let report = File::options()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|e| told(&e))?;

    for program in 0..PROGRAMS {
        let to = (3 + thread + program * THREADS) as i32;
        let id = (1000 + thread) as u32;
        let mut execns = Execns::new("/usr/bin/execns-probe");
        execns
            .arg(&path)
            .arg(LIMIT.to_string())
            .unshare(Namespaces::USER | Namespaces::UTS)
            .map_uid(id, 0, 1)
            .map_uid(0, 100_000, 1000)
            .map_gid(id, 0, 1)
            .setgroups(Setgroups::Deny)
            .keep(&first, to)
            .keep(&second, 0);
        let mut child = execns.spawn().map_err(|e| told(&e))?;

        // One that fails, while others succeed.
        if Execns::new("/nonexistent").inherit(&first).spawn().is_ok() {
            return Err(told(&"there is no such program"));
        }
        let status = child.wait().map_err(|e| told(&e))?;
        if !status.success() {
            return Err(told(&status));
        }
        let report = read_report(&report, child.pid()).map_err(|e| told(&e))?;
        let has: Vec<_> = report
            .iter()
            .map(|(&fd, slot)| (fd as i32, Some(slot.file), slot.cloexec))
            .collect();
        if has != [(0, files[1], false), (to, files[0], false)] {
            return Err(told(&format!("a program has {report:?}")));
        }
    }
    fs::remove_file(&path).map_err(|e| told(&e))
}

#[test]
fn threads_start_programs_with_their_descriptors_only() {
    let _alone = alone();
    let _watch = Stopwatch::new("threads");
    let barrier = Barrier::new(THREADS);
    let before = table();
    let results: Vec<Result<(), String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|i| {
                let barrier = &barrier;

                scope.spawn(move || start_programs(i, barrier))
            })
            .collect();

        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a panic".into())))
            .collect()
    });

    assert_eq!(results, vec![Ok(()); THREADS]);
    assert_eq!(table(), before, "a descriptor has leaked");
    let any = WaitIdOptions::EXITED
        | WaitIdOptions::NOHANG
        | WaitIdOptions::from_bits_retain(libc::__WALL as u32);
    assert_eq!(
        waitid(WaitId::All, any).err(),
        Some(rustix::io::Errno::CHILD),
        "a zombie is left"
    );
}
