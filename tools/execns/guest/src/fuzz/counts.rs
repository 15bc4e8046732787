// SPDX-License-Identifier: GPL-2.0

//! How often what has happened: counted by all workers, and printed at the end.

use crate::sys::fuzz::shared_words;
use crate::text::table;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// In which circumstances calls are made. A case can have several of them.
pub const ROWS: [&str; 16] = [
    "in the worker itself",
    "child",
    "child of vfork",
    "sharing memory",
    "sharing descriptors",
    "sharing directories",
    "one of threads",
    "with restless threads",
    "two threads at once",
    "traced",
    "tracer goes or kills",
    "page that comes late",
    "file that comes late",
    "seccomp filter",
    "signals",
    "SIGKILL, SIGSTOP",
];

/// What becomes of a call.
#[derive(Clone, Copy)]
pub enum Column {
    Cases,
    Calls,
    Execs,
    Checks,
    Failed,
    Killed,
    Unseen,
}

const COLUMNS: [&str; 8] = [
    "", "cases", "calls", "execs", "checks", "failed", "killed", "unseen",
];
const WIDTH: usize = COLUMNS.len() - 1;
const ERRNOS: usize = 140;
const TOTAL: usize = ROWS.len() * WIDTH;
const WHO: usize = TOTAL + WIDTH;
const AT_ERRNO: usize = WHO + 8;
const STOP: usize = AT_ERRNO + ERRNOS;

#[derive(Clone, Copy)]
pub struct Counts(&'static [AtomicU64]);

impl Counts {
    pub fn new() -> io::Result<Self> {
        shared_words(STOP + 1).map(Self)
    }

    /// Counts in each of these rows, of which each bit is one, and in the total.
    pub fn add(&self, rows: u32, column: Column, count: u64) {
        for row in (0..ROWS.len()).filter(|row| rows >> row & 1 != 0) {
            self.0[row * WIDTH + column as usize].fetch_add(count, SeqCst);
        }
        self.0[TOTAL + column as usize].fetch_add(count, SeqCst);
    }

    pub fn add_errno(&self, errno: i32) {
        self.0[AT_ERRNO + (errno as usize).min(ERRNOS - 1)].fetch_add(1, SeqCst);
    }

    pub fn total(&self, column: Column) -> u64 {
        self.0[TOTAL + column as usize].load(SeqCst)
    }

    /// Lets workers end after their case.
    pub fn stop(&self) {
        self.0[STOP].store(1, SeqCst);
    }

    pub fn is_stopped(&self) -> bool {
        self.0[STOP].load(SeqCst) != 0
    }

    fn numbers(&self, row: usize) -> impl Iterator<Item = String> + '_ {
        (0..WIDTH).map(move |column| self.0[row * WIDTH + column].load(SeqCst).to_string())
    }

    /// The tables.
    pub fn tables(&self) -> String {
        let mut out = table(&COLUMNS);
        for (row, name) in ROWS.iter().enumerate() {
            out.add_row([name.to_string()].into_iter().chain(self.numbers(row)));
        }
        out.add_row(
            ["all".to_string()]
                .into_iter()
                .chain(self.numbers(ROWS.len())),
        );
        let mut errnos = table(&["result", "calls"]);
        for errno in 0..ERRNOS {
            let count = self.0[AT_ERRNO + errno].load(SeqCst);
            if count != 0 {
                errnos.add_row([super::strace::errno(errno as i32), count.to_string()]);
            }
        }
        format!("{out}\n{errnos}")
    }
}
