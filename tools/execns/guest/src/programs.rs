// SPDX-License-Identifier: GPL-2.0

//! What tests of the crate have in common: they fail where it does.

use execns::Execns;
use rustix::io::Errno;
use rustix::process::{Gid, Uid, WaitOptions, wait};
use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
use std::fs::{self, File};
use std::io::Read;
use std::thread;

/// A shell that runs a script, with no variable but this.
pub fn sh(script: &str) -> Execns<'static> {
    let mut program = Execns::new("/bin/sh");

    program
        .args(["-c", script])
        .env_clear()
        .env("PATH", "/bin:/usr/bin");
    program
}

/// Runs a program to its end, and returns the words that it writes.
pub fn output(mut program: Execns<'_>) -> String {
    let (reader, writer) = rustix::pipe::pipe().unwrap();
    let mut words = String::new();

    program.keep(writer, 1);
    let mut child = program.spawn().unwrap_or_else(|error| panic!("{error:#}"));
    // The writer.
    drop(program);
    File::from(reader).read_to_string(&mut words).unwrap();
    assert!(child.wait().unwrap().success(), "{words}");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file that has this in it.
pub fn file(name: &str, text: &str) -> File {
    let path = format!("/tmp/crate.{name}");

    fs::write(&path, text).unwrap();
    let file = File::open(&path).unwrap();
    fs::remove_file(&path).unwrap();
    file
}

/// What the calling process has open, by number and what it is.
pub fn descriptors() -> Vec<(String, String)> {
    let mut list: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|entry| {
            let path = entry.unwrap().path();
            let target = fs::read_link(&path).ok()?;

            Some((path.display().to_string(), target.display().to_string()))
        })
        .collect();

    list.sort();
    list
}

/// Whether the calling process has no child, a zombie without an exit signal included.
pub fn has_no_child() -> bool {
    let all = WaitOptions::from_bits_retain(libc::__WALL as u32);

    matches!(wait(all | WaitOptions::NOHANG), Err(Errno::CHILD))
}

/// Runs a closure in a thread that is a user without a capability.
pub fn as_user<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let user = scope.spawn(|| {
            set_thread_groups(&[]).unwrap();
            set_thread_gid(Gid::from_raw(1000)).unwrap();
            set_thread_uid(Uid::from_raw(1000)).unwrap();
            work()
        });

        user.join().unwrap()
    })
}
