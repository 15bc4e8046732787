// SPDX-License-Identifier: GPL-2.0

//! What a process is, in words that can be compared: a call that fails has to leave all of them.
//! Nothing is allocated, since the process may share its memory.

use crate::sys::at::{self, open_numbers};
use crate::sys::fuzz::{borrow, heap_end, prctl};
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use rustix::path::DecInt;
use std::ffi::CStr;
use std::fmt::Write;

/// What `/proc/PID/ns` has.
pub const NAMESPACES: [&CStr; 10] = [
    c"thread-self/ns/mnt",
    c"thread-self/ns/uts",
    c"thread-self/ns/ipc",
    c"thread-self/ns/user",
    c"thread-self/ns/pid_for_children",
    c"thread-self/ns/net",
    c"thread-self/ns/cgroup",
    c"thread-self/ns/time",
    c"thread-self/ns/time_for_children",
    c"thread-self/ns/pid",
];

/// Lines of `/proc/PID/status`.
const STATUS: [&str; 19] = [
    "Umask:",
    "Tgid:",
    "Pid:",
    "Uid:",
    "Gid:",
    "FDSize:",
    "Groups:",
    "Threads:",
    "SigBlk:",
    "SigIgn:",
    "SigCgt:",
    "CapInh:",
    "CapPrm:",
    "CapEff:",
    "CapBnd:",
    "CapAmb:",
    "NoNewPrivs:",
    "Seccomp:",
    "Seccomp_filters:",
];

const OTHERS: [&str; 16] = [
    "working directory",
    "mount of the working directory",
    "root directory",
    "mount of the root directory",
    "dumpable",
    "securebits",
    "keepcaps",
    "parent's death signal",
    "timer slack",
    "heap end",
    "semaphore",
    "number of descriptors",
    "descriptors out of the way",
    "nice value",
    "limit of descriptors",
    "descriptor 700 and above",
];

/// Numbers of descriptors that have a word each.
pub const NUMBERS: u32 = 20;
/// Numbers of which cases change what they are, while calls are made.
pub const RESTLESS: u32 = NUMBERS;

const STATUS_AT: usize = NAMESPACES.len();
const OTHERS_AT: usize = STATUS_AT + STATUS.len();
const NUMBERS_AT: usize = OTHERS_AT + OTHERS.len();
/// Words of `OTHERS` that a worker does not look at in itself.
pub const HEAP_END: usize = OTHERS_AT + 9;
pub const OUT_OF_THE_WAY: usize = OTHERS_AT + 12;
/// How many words there are.
pub const WORDS: usize = NUMBERS_AT + NUMBERS as usize;

pub type Snapshot = [u64; WORDS];

/// FNV-1a.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// The file and whether it is close-on-exec, or 0.
fn slot_word(fd: u32) -> u64 {
    let fd = borrow(fd as i32);
    let (Ok(flags), Ok(stat)) = (rustix::io::fcntl_getfd(fd), rustix::fs::fstat(fd)) else {
        return 0;
    };
    let file = at::file_word(stat.st_dev, stat.st_ino);

    file.wrapping_mul(0x9e37_79b9) ^ u64::from(flags.bits()) ^ 1 << 63
}

/// Reads a file of /proc into a buffer.
fn read_proc<'a>(proc: BorrowedFd<'_>, name: &CStr, buffer: &'a mut [u8]) -> &'a [u8] {
    let Ok(file) = openat(proc, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()) else {
        return &[];
    };
    let mut length = 0;

    while let Ok(count @ 1..) = rustix::io::read(&file, &mut buffer[length..]) {
        length += count;
    }
    &buffer[..length]
}

/// The line of a text that begins with a word, without it.
pub fn line<'a>(text: &'a [u8], name: &str) -> &'a [u8] {
    text.split(|&byte| byte == b'\n')
        .find_map(|line| line.strip_prefix(name.as_bytes()))
        .unwrap_or_default()
}

/// What is known of a directory.
fn directory(path: &CStr) -> [u64; 2] {
    let flags = rustix::fs::StatxFlags::INO | rustix::fs::StatxFlags::MNT_ID;
    let stat = rustix::fs::statx(rustix::fs::CWD, path, AtFlags::empty(), flags);

    stat.map_or([0; 2], |stat| [stat.stx_ino, stat.stx_mnt_id])
}

/// That of the calling thread. `proc` is a directory of procfs, and `semaphore` what the caller has
/// of a semaphore.
pub fn take(proc: BorrowedFd<'_>, semaphore: i64) -> Snapshot {
    let mut words = [0; WORDS];
    let mut buffer = [0; 4096];

    for (word, name) in words.iter_mut().zip(NAMESPACES) {
        *word = statat(proc, name, AtFlags::empty()).map_or(0, |stat| stat.st_ino);
    }
    let status = read_proc(proc, c"thread-self/status", &mut buffer);
    for (i, name) in STATUS.iter().enumerate() {
        words[STATUS_AT + i] = hash(line(status, name));
    }
    let [cwd, cwd_mount] = directory(c".");
    let [root, root_mount] = directory(c"/");
    let own = open_numbers(at_own()).fold(0u64, |hash, fd| {
        (hash ^ slot_word(fd)).wrapping_mul(0x100_0000_01b3)
    });
    words[OTHERS_AT..][..OTHERS.len()].copy_from_slice(&[
        cwd,
        cwd_mount,
        root,
        root_mount,
        prctl(libc::PR_GET_DUMPABLE),
        prctl(libc::PR_GET_SECUREBITS),
        prctl(libc::PR_GET_KEEPCAPS),
        rustix::process::parent_process_death_signal()
            .ok()
            .flatten()
            .map_or(0, |signal| signal.as_raw() as u64),
        prctl(libc::PR_GET_TIMERSLACK),
        heap_end(),
        semaphore as u64,
        statat(proc, c"thread-self/fd", AtFlags::empty()).map_or(0, |stat| stat.st_size as u64),
        own,
        rustix::process::getpriority_process(None).unwrap_or(99) as u64,
        rustix::process::getrlimit(rustix::process::Resource::Nofile)
            .current
            .unwrap_or(0),
        open_numbers(700..720).count() as u64,
    ]);
    for fd in open_numbers(0..NUMBERS) {
        words[NUMBERS_AT + fd as usize] = slot_word(fd);
    }
    // What is O_PATH is not polled, and is there.
    for fd in 0..NUMBERS {
        let word = &mut words[NUMBERS_AT + fd as usize];
        if *word == 0 {
            *word = slot_word(fd);
        }
    }
    words
}

fn at_own() -> std::ops::Range<u32> {
    crate::probe::OWN..crate::probe::OWN + 32
}

/// What a word is of.
pub fn name(word: usize) -> String {
    match word {
        0..STATUS_AT => format!(
            "{} namespace",
            &NAMESPACES[word].to_str().unwrap_or("?")["thread-self/ns/".len()..]
        ),
        STATUS_AT..OTHERS_AT => STATUS[word - STATUS_AT].trim_end_matches(':').into(),
        OTHERS_AT..NUMBERS_AT => OTHERS[word - OTHERS_AT].into(),
        _ => format!("descriptor {}", word - NUMBERS_AT),
    }
}

/// Says what differs, or nothing.
pub fn differences(before: &Snapshot, after: &Snapshot) -> String {
    let mut text = String::new();

    for (word, (before, after)) in before.iter().zip(after).enumerate() {
        if before != after {
            let _ = write!(text, "{}: {before:#x} -> {after:#x}; ", name(word));
        }
    }
    text
}

/// A file of another process, in `buffer`.
pub fn proc_of<'a>(proc: BorrowedFd<'_>, pid: i32, name: &str, buffer: &'a mut [u8]) -> &'a [u8] {
    let mut path = [0u8; 64];
    let digits = DecInt::new(pid);
    let words = [digits.as_bytes(), b"/", name.as_bytes()];
    let mut length = 0;

    for word in words {
        path[length..length + word.len()].copy_from_slice(word);
        length += word.len();
    }
    CStr::from_bytes_until_nul(&path).map_or(&[], |path| read_proc(proc, path, buffer))
}

/// The device and number of what a path leads to, as [`at::look`] has it.
pub fn file_at(proc: BorrowedFd<'_>, path: &str) -> Option<u64> {
    let stat = statat(proc, path, AtFlags::empty()).ok()?;

    Some(at::file_word(stat.st_dev, stat.st_ino))
}
