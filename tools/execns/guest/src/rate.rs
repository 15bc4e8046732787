// SPDX-License-Identifier: GPL-2.0

//! How often a second one process, and two, can change uids, each in a container of its own.
//!
//! A container made by execns(2) has its own table of accounts; one made by unshare(2) shares that
//! of its maker.

use crate::accounts::{become_user, pin_here};
use crate::cost::now;
use crate::sys::{self, Spawn};
use clap::{Args, ValueEnum};
use execns::{Namespaces, Program};
use rustix::process::getppid;
use rustix::thread::{CpuSet, sched_setaffinity, set_thread_groups};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::ffi::CString;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How the containers are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tables {
    Execns,
    Unshare,
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Call {
    /// getppid(2), which shares nothing: what the machine has to give.
    Getppid,
    /// setresuid(2) between two uids that have an account.
    Existing,
    /// setresuid(2) to uids that have none.
    Fresh,
}

/// Calls a second, of all processes together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    pub tables: Tables,
    pub call: Call,
    pub processes: u32,
    pub per_second: f64,
}

/// What a process does: it is told by its arguments, since execns(2) leaves it no descriptor.
#[derive(Args, Clone, Debug)]
pub struct Work {
    #[arg(long, value_enum)]
    call: Call,
    #[arg(long)]
    cpu: usize,
    /// The first uid that it takes.
    #[arg(long)]
    uid: u32,
    /// When it starts and ends, by the monotonic clock.
    #[arg(long)]
    start: u64,
    #[arg(long)]
    end: u64,
    /// Where it writes how often it could.
    #[arg(long)]
    file: PathBuf,
}

impl Work {
    pub fn run(&self) -> Result<()> {
        const FRESH: u32 = 1_000_000;
        let mut cpus = CpuSet::new();
        let mut calls = 0;
        let mut pins = Vec::new();

        cpus.set(self.cpu);
        sched_setaffinity(None, &cpus)?;
        // A list of groups of its own: each new set of credentials takes a reference to it.
        set_thread_groups(&[])?;
        for uid in [self.uid, self.uid + 1] {
            become_user(uid)?;
            pins.push(pin_here()?);
        }
        if let Some(left) = self.start.checked_sub(now()) {
            sleep(Duration::from_nanos(left));
        }
        while now() < self.end {
            for _ in 0..64 {
                match self.call {
                    Call::Getppid => drop(getppid()),
                    Call::Existing => become_user(self.uid + calls % 2)?,
                    Call::Fresh => become_user(self.uid + 2 + calls % FRESH)?,
                }
                calls += 1;
            }
        }
        fs::write(&self.file, calls.to_string())?;
        Ok(())
    }

    fn program(&self) -> Result<Program> {
        let me = std::env::current_exe()?;
        let call = self.call.to_possible_value().ok_or("no name")?;
        let words = [
            me.to_str().ok_or("a path that is no text")?.to_string(),
            "work".into(),
            format!("--call={}", call.get_name()),
            format!("--cpu={}", self.cpu),
            format!("--uid={}", self.uid),
            format!("--start={}", self.start),
            format!("--end={}", self.end),
            format!("--file={}", self.file.display()),
        ];
        let words: Vec<CString> = words
            .into_iter()
            .map(CString::new)
            .collect::<std::result::Result<_, _>>()?;
        Ok(Program::new(words[0].clone(), words, vec![]))
    }
}

const ALL_IDS: &str = "0 0 4294967295";

fn until(mut there: impl FnMut() -> bool) -> io::Result<()> {
    for _ in 0..1000 {
        if there() {
            return Ok(());
        }
        sleep(Duration::from_millis(1));
    }
    Err(io::ErrorKind::TimedOut.into())
}

/// In a new user namespace all ids are mapped, as execns(2) maps them, which only who is outside
/// can do.
fn unshare_and_execve(program: &Program) -> io::Error {
    let mapped = || fs::read("/proc/self/uid_map").is_ok_and(|map| !map.is_empty());
    let prepared = sys::unshare(Namespaces::USER).and_then(|()| until(mapped));

    match prepared {
        Ok(()) => program.execve(),
        Err(error) => error,
    }
}

fn start(tables: Tables, program: &Program) -> io::Result<i32> {
    let child = Spawn::Fork.run(&mut || {
        let error = match tables {
            Tables::Execns => program.execns(Namespaces::USER),
            Tables::Unshare => unshare_and_execve(program),
        };
        error.raw_os_error().unwrap_or(255)
    })?;

    if tables == Tables::Unshare {
        let theirs = format!("/proc/{child}/ns/user");
        let ours = fs::read_link("/proc/self/ns/user")?;

        until(|| fs::read_link(&theirs).is_ok_and(|theirs| theirs != ours))?;
        fs::write(format!("/proc/{child}/gid_map"), ALL_IDS)?;
        fs::write(format!("/proc/{child}/uid_map"), ALL_IDS)?;
    }
    Ok(child)
}

/// Lets `processes` run for `span`, and returns their changes of uid a second.
fn once(tables: Tables, call: Call, processes: u32, span: Duration) -> Result<f64> {
    // Until then, all of them are there. One that comes later does less, and is not the most.
    let start_time = now() + 200_000_000;
    let mut running = Vec::new();

    for i in 0..processes {
        let work = Work {
            call,
            cpu: i as usize,
            uid: (1 + i) * 10_000_000,
            start: start_time,
            end: start_time + span.as_nanos() as u64,
            file: format!("/tmp/rate.{i}").into(),
        };
        let _ = fs::remove_file(&work.file);
        running.push((start(tables, &work.program()?)?, work.file));
    }
    let mut calls = 0.0;
    for (child, file) in running {
        match sys::wait(child)? {
            0 => calls += fs::read_to_string(file)?.parse::<f64>()?,
            status => return Err(io::Error::from_raw_os_error(status).into()),
        }
    }
    Ok(calls / span.as_secs_f64())
}

/// The most of some runs, one process and two in turn: what is below is what else this machine
/// does.
pub fn measure(tables: Tables, call: Call, runs: u32, span: Duration) -> Result<[Rate; 2]> {
    let mut most = [0.0f64; 2];

    for _ in 0..runs {
        for processes in [1, 2] {
            let rate = once(tables, call, processes, span)?;
            let most = &mut most[processes as usize - 1];

            *most = most.max(rate);
        }
    }
    Ok([1, 2].map(|processes| Rate {
        tables,
        call,
        processes,
        per_second: most[processes as usize - 1],
    }))
}
