// SPDX-License-Identifier: GPL-2.0

//! Starts workers, sees to it that they get on, and says what came out. It waits for nothing without
//! an end.

use super::counts::{Column, Counts};
use super::end::kill;
use super::left::{self, Left};
use super::sabotage::Break;
use super::shared::Slot;
use super::worker::{self, BLOCK, Orders};
use super::world::Files;
use crate::probe::out_of_the_way;
use crate::sys::at;
use crate::sys::fuzz::{mount, unmount};
use rustix::fd::OwnedFd;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, waitpid};
use std::fs;
use std::io::{self, Write};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// What a run is to be.
#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub time: Duration,
    /// It ends when there were so many calls, too.
    pub calls: u64,
    pub only: Option<u64>,
    pub workers: usize,
    /// A case that takes longer hangs.
    pub hang: Duration,
    pub broken: Option<Break>,
}

/// What was wrong.
#[derive(Clone, Debug)]
pub struct Failure {
    pub case: u64,
    pub text: String,
}

pub struct Outcome {
    pub failure: Option<Failure>,
    /// What is left, if anything.
    pub left: String,
    pub counts: Counts,
    pub time: Duration,
}

struct Running {
    pid: i32,
    slot: Slot,
    told: OwnedFd,
    beats: u64,
    since: Instant,
}

impl Running {
    fn start(options: &Options, counts: Counts, cases: std::ops::Range<u64>) -> io::Result<Self> {
        let slot = Slot::new()?;
        let (told, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        let writer = out_of_the_way(writer);
        let orders = Orders {
            seed: options.seed,
            counts,
            broken: options.broken,
        };
        let pid = at::fork(|| {
            let result = worker::run(orders, slot, cases);

            match result {
                Ok(()) => 0,
                Err(text) => {
                    rustix::io::write(&writer, text.as_bytes()).ok();
                    1
                }
            }
        })?;
        Ok(Self {
            pid,
            slot,
            told,
            beats: 0,
            since: Instant::now(),
        })
    }

    /// What it has said.
    fn text(&self) -> String {
        let mut bytes = vec![0; 32768];
        let length = rustix::io::read(&self.told, &mut bytes[..]).unwrap_or(0);

        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    /// Its end, or what is wrong with it.
    fn look(&mut self, hang: Duration) -> Option<Result<(), Failure>> {
        let case = self.slot.case();
        let failure = |text| Some(Err(Failure { case, text }));

        match waitpid(Pid::from_raw(self.pid), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => {
                let text = self.text();

                if status.exit_status() == Some(0) && text.is_empty() {
                    return Some(Ok(()));
                }
                if text.is_empty() {
                    return failure(format!(
                        "the worker ended in call {}: status {:?}, signal {:?}",
                        self.slot.begun().saturating_sub(1),
                        status.exit_status(),
                        status.terminating_signal()
                    ));
                }
                return failure(text);
            }
            Err(error) if error != rustix::io::Errno::INTR => {
                return failure(format!("waitpid: {error}"));
            }
            _ => {}
        }
        let beats = self.slot.beats();
        if beats != self.beats {
            (self.beats, self.since) = (beats, Instant::now());
        } else if self.since.elapsed() > hang {
            let (seconds, call) = (hang.as_secs(), self.slot.begun());
            let text = format!("nothing has happened for {seconds} s, {call} calls begun\n");
            return failure(text + &stacks(self.pid) + &stacks(self.slot.child()));
        }
        None
    }
}

/// What the threads of a process do.
fn stacks(pid: i32) -> String {
    let mut text = String::new();

    if pid == 0 {
        return text;
    }
    for task in fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
    {
        let Ok(task) = task else { continue };
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        let status = read("status");
        let state = status.lines().find(|line| line.starts_with("State:"));

        text += &format!(
            "  {}: {} {}, wchan {}, syscall {}\n",
            task.path().display(),
            read("comm").trim(),
            state.unwrap_or("State: ?"),
            read("wchan").trim(),
            read("syscall").trim()
        );
        for line in read("stack").lines().take(30) {
            text += &format!("    {line}\n");
        }
    }
    text
}

/// Ends all that is left of the workers, which are this process's children then. Returns how many
/// there were, and whether they are gone.
fn reap() -> (usize, bool) {
    let mut seen = std::collections::BTreeSet::new();

    for _ in 0..200 {
        let children = fs::read_to_string("/proc/thread-self/children").unwrap_or_default();
        for pid in children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
        {
            seen.insert(pid);
            kill(pid);
        }
        while let Ok(Some(_)) = rustix::process::wait(WaitOptions::NOHANG) {}
        if children.trim().is_empty() {
            return (seen.len(), true);
        }
        abort_file_systems();
        sleep(Duration::from_millis(20));
    }
    (seen.len(), false)
}

/// Who waits for a server that is gone, or will be, waits no more.
fn abort_file_systems() {
    let connections = fs::read_dir("/sys/fs/fuse/connections");

    for entry in connections.into_iter().flatten().flatten() {
        fs::write(entry.path().join("abort"), "1").ok();
    }
}

/// Limits that a run reaches are none of what is tested.
fn lift_limits() {
    for kind in ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"] {
        fs::write(format!("/proc/sys/user/max_{kind}_namespaces"), "1000000").ok();
    }
    fs::write("/proc/sys/vm/unprivileged_userfaultfd", "1").ok();
    // To abort what hangs. It may be there already.
    let connections = c"/sys/fs/fuse/connections";
    mount(c"fusectl", connections, c"fusectl", 0, c"").ok();
    // A corrupt program leaves nothing.
    fs::write("/proc/sys/kernel/core_pattern", "|/bin/false").ok();
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).ok();
}

/// Runs cases until the time is over, or one is wrong.
pub fn run(options: &Options) -> io::Result<Outcome> {
    let start = Instant::now();
    let counts = Counts::new()?;

    lift_limits();
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let told = |what: &'static str| move |e: io::Error| io::Error::other(format!("{what}: {e}"));
    let files = Files::new().map_err(told("files"))?;
    let before = Left::now().map_err(told("what there is"))?;
    let failure = cases(options, counts, start)?;
    let time = start.elapsed();
    let (children, gone) = reap();
    let kept = broken_left(options.broken);
    let mut left = String::new();
    if failure.is_none() {
        let wait = options.hang.max(Duration::from_secs(10));
        let after = Left::settled(&before, wait)?;

        left = left::differences(&before, &after);
        if children != 0 {
            left = format!("{children} processes, gone: {gone}; {left}");
        }
    }
    end_broken_left(kept);
    drop(files);
    Ok(Outcome {
        failure,
        left,
        counts,
        time,
    })
}

fn cases(options: &Options, counts: Counts, start: Instant) -> io::Result<Option<Failure>> {
    let mut running: Vec<Running> = Vec::new();
    let mut next = 0;
    let mut failure = None;

    loop {
        let done = start.elapsed() >= options.time || counts.total(Column::Calls) >= options.calls;
        let over = done || failure.is_some() || options.only.is_some() && next > 0;

        if over && options.only.is_none() || failure.is_some() {
            counts.stop();
        }
        if !over && running.len() < options.workers {
            let cases = match options.only {
                Some(only) => only..only + 1,
                None => next * BLOCK..(next + 1) * BLOCK,
            };
            running.push(Running::start(options, counts, cases)?);
            next += 1;
            continue;
        }
        let mut still = Vec::new();
        for mut worker in running.drain(..) {
            match worker.look(options.hang) {
                None => still.push(worker),
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    kill(worker.pid);
                    kill(worker.slot.child());
                    failure = failure.or(Some(error));
                }
            }
        }
        running = still;
        if running.is_empty() && (over || failure.is_some()) {
            return Ok(failure);
        }
        io::stdout().flush()?;
        sleep(Duration::from_millis(10));
    }
}

/// What [`Break`] leaves: processes, and whether there is a mount.
type Kept = (Vec<i32>, bool);

fn broken_left(broken: Option<Break>) -> Kept {
    let count = match broken {
        Some(Break::LeakNamespace) => 1,
        Some(Break::LeakObjects) => 200,
        Some(Break::LeakMount) => {
            let mounted = mount(c"leak", c"/tmp", c"tmpfs", 0, c"").is_ok();
            return (vec![], mounted);
        }
        _ => 0,
    };
    let mut held = Vec::new();
    for _ in 0..count {
        let child = at::fork(|| {
            if broken == Some(Break::LeakNamespace) {
                crate::sys::unshare(execns::Namespaces::UTS).ok();
            }
            sleep(Duration::from_secs(60));
            0
        });
        held.extend(child);
    }
    if count != 0 {
        sleep(Duration::from_millis(500));
    }
    (held, false)
}

fn end_broken_left((held, mounted): Kept) {
    for pid in held {
        at::end(pid);
    }
    if mounted {
        unmount(c"/tmp").ok();
    }
}
