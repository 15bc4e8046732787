// SPDX-License-Identifier: GPL-2.0

//! What a worker, its children and the supervisor tell each other, in memory that they share.

use super::snapshot::{Snapshot, WORDS};
use crate::sys::fuzz::shared_words;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// As many calls as a case has at most.
pub const MOST: usize = 128;

/// A result that is none yet.
const NONE: u64 = u64::MAX;

const CASE: usize = 0;
const BEAT: usize = 1;
const BEGUN: usize = 2;
const ENDED: usize = 3;
const CHILD: usize = 4;
const GO: usize = 5;
const QUIET: usize = 6;
const COMPARED: usize = 7;
const RESULTS: usize = 8;
const BEFORE: usize = RESULTS + MOST;
const AFTER: usize = BEFORE + WORDS;
const SIZE: usize = AFTER + WORDS;

/// That of one worker.
#[derive(Clone, Copy)]
pub struct Slot(&'static [AtomicU64]);

impl Slot {
    pub fn new() -> io::Result<Self> {
        shared_words(SIZE).map(Self)
    }

    fn get(&self, word: usize) -> u64 {
        self.0[word].load(SeqCst)
    }

    fn set(&self, word: usize, value: u64) {
        self.0[word].store(value, SeqCst);
    }

    /// Begins a case.
    pub fn begin_case(&self, case: u64) {
        self.set(CASE, case);
        for word in [BEGUN, ENDED, CHILD, GO, QUIET, COMPARED] {
            self.set(word, 0);
        }
        for i in 0..MOST {
            self.set(RESULTS + i, NONE);
        }
        self.beat();
    }

    pub fn case(&self) -> u64 {
        self.get(CASE)
    }

    /// Says that something goes on.
    pub fn beat(&self) {
        self.0[BEAT].fetch_add(1, SeqCst);
    }

    pub fn beats(&self) -> u64 {
        self.get(BEAT)
    }

    /// Who makes the calls, for whom a hang is reported.
    pub fn set_child(&self, pid: i32) {
        self.set(CHILD, pid as u64);
    }

    pub fn child(&self) -> i32 {
        self.get(CHILD) as i32
    }

    pub fn begin_call(&self, i: usize) {
        self.set(BEGUN, i as u64 + 1);
    }

    pub fn end_call(&self, i: usize, result: Result<(), i32>) {
        self.set(RESULTS + i, result.err().unwrap_or(0) as u64);
        self.set(ENDED, i as u64 + 1);
    }

    pub fn begun(&self) -> usize {
        self.get(BEGUN) as usize
    }

    /// Of the calls that came to their end.
    pub fn result(&self, i: usize) -> Option<Result<(), i32>> {
        match self.get(RESULTS + i) {
            NONE => None,
            0 => Some(Ok(())),
            errno => Some(Err(errno as i32)),
        }
    }

    /// Lets go who [waits](Slot::wait_go).
    pub fn go(&self) {
        self.set(GO, 1);
    }

    /// Waits for [`Slot::go`], for a second at most.
    pub fn wait_go(&self) {
        self.wait(GO);
    }

    /// Says that no other thread changes anything any more.
    pub fn be_quiet(&self, threads: u64) {
        self.set(QUIET, 1);
        for _ in 0..10_000 {
            if self.get(QUIET) > threads {
                break;
            }
            pause();
        }
    }

    pub fn shall_be_quiet(&self) -> bool {
        self.get(QUIET) != 0
    }

    pub fn is_quiet(&self) {
        self.0[QUIET].fetch_add(1, SeqCst);
    }

    fn wait(&self, word: usize) {
        for _ in 0..10_000 {
            if self.get(word) != 0 {
                break;
            }
            pause();
        }
    }

    pub fn compare(&self, before: &Snapshot, after: &Snapshot) {
        for (at, words) in [(BEFORE, before), (AFTER, after)] {
            for (i, word) in words.iter().enumerate() {
                self.set(at + i, *word);
            }
        }
        self.set(COMPARED, 1);
    }

    /// What the caller was before and after, if it came to that.
    pub fn compared(&self) -> Option<(Snapshot, Snapshot)> {
        let read = |at| std::array::from_fn(|i| self.get(at + i));

        (self.get(COMPARED) != 0).then(|| (read(BEFORE), read(AFTER)))
    }
}

/// A tenth of a millisecond.
pub fn pause() {
    let time = rustix::time::Timespec {
        tv_sec: 0,
        tv_nsec: 100_000,
    };

    // A signal ends it early.
    let _ = rustix::thread::nanosleep(&time);
}
