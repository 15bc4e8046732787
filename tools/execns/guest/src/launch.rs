// SPDX-License-Identifier: GPL-2.0

//! What a launch costs, from making the child until it is reaped.
//!
//! `scripts/vm -c` lets one guest nanosecond be one instruction, so that the clock counts them.

use crate::cost::now;
use crate::sys::Spawn;
use execns::Namespaces;
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pause};
use std::io;
use std::thread;
use std::time::Duration;

/// What is measured: it makes a child, and waits for it.
pub type Launch<'a> = &'a dyn Fn() -> io::Result<()>;

#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub instructions: u64,
    /// Context switches of the launcher and of its descendants.
    pub switches: i64,
}

/// Containers that sleep, among which those that are measured come and go: there are not as many as
/// there were. Without any, the allocators are in one of several states for long, by what has
/// happened before, and a launch takes 20% more in some of them.
pub struct Others(Vec<Pid>);

impl Others {
    pub fn start() -> io::Result<Self> {
        const COUNT: usize = 32;
        let mut others = Self(Vec::new());

        for _ in 0..COUNT {
            let other = Spawn::Into(Namespaces::EVERY_KIND).run(&mut || {
                loop {
                    pause();
                }
            })?;

            others.0.push(Pid::from_raw(other));
        }
        for i in (0..COUNT / 2).rev() {
            end(others.0.remove(2 * i))?;
        }
        thread::sleep(Duration::from_millis(500));
        Ok(others)
    }
}

impl Drop for Others {
    fn drop(&mut self) {
        for other in self.0.drain(..) {
            // There is nobody to tell.
            let _ = end(other);
        }
    }
}

fn end(child: Pid) -> nix::Result<()> {
    kill(child, Signal::SIGKILL)?;
    waitpid(child, None).map(drop)
}

/// The least of some rounds of each: what is above is timer interrupts and workers. They take turns,
/// so that each is measured under the same conditions.
pub fn least(launches: &[Launch]) -> io::Result<Vec<Cost>> {
    const ROUNDS: usize = 25;
    let unknown = Cost {
        instructions: u64::MAX,
        switches: i64::MAX,
    };
    let mut least = vec![unknown; launches.len()];

    // The first ones fill caches.
    for round in 0..ROUNDS + 3 {
        for (launch, least) in launches.iter().zip(&mut least) {
            let switches_before = switches()?;
            let start = now();
            launch()?;
            let instructions = now() - start;

            if round >= 3 {
                least.instructions = least.instructions.min(instructions);
                least.switches = least.switches.min(switches()? - switches_before);
            }
            // Namespaces are taken down by workers.
            thread::sleep(Duration::from_millis(100));
        }
    }
    Ok(least)
}

/// Those of this process and of what it has waited for.
fn switches() -> io::Result<i64> {
    let mut all = 0;

    for who in [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN] {
        let usage = getrusage(who)?;

        all += usage.voluntary_context_switches() + usage.involuntary_context_switches();
    }
    Ok(all)
}

/// The system calls of a launch, those of all its processes. It takes place in a process of its
/// own, which is traced, and is no launch to be timed.
pub fn system_calls(launch: Launch) -> io::Result<u64> {
    let launcher = Pid::from_raw(Spawn::Fork.run(&mut || {
        let traced = || -> io::Result<()> {
            // The first one in a process allocates.
            launch()?;
            ptrace::traceme()?;
            raise(Signal::SIGSTOP)?;
            launch()
        };

        match traced() {
            Ok(()) => 0,
            Err(error) => error.raw_os_error().unwrap_or(255),
        }
    })?);

    waitpid(launcher, None)?;
    ptrace::setoptions(
        launcher,
        Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL,
    )?;
    go_on(launcher, None)?;
    let (mut calls, mut processes) = (0, 1);
    while processes > 0 {
        match waitpid(None, Some(WaitPidFlag::__WALL))? {
            WaitStatus::PtraceSyscall(pid) => {
                calls += u64::from(enters(pid)?);
                go_on(pid, None)?;
            }
            WaitStatus::PtraceEvent(pid, _, event) => {
                processes += i32::from(event != libc::PTRACE_EVENT_EXEC);
                go_on(pid, None)?;
            }
            // How what is new begins to be traced.
            WaitStatus::Stopped(pid, Signal::SIGSTOP) => go_on(pid, None)?,
            WaitStatus::Stopped(pid, signal) => go_on(pid, Some(signal))?,
            WaitStatus::Exited(pid, status) if pid == launcher && status != 0 => {
                return Err(io::Error::from_raw_os_error(status));
            }
            WaitStatus::Signaled(pid, signal, _) if pid == launcher => {
                return Err(io::Error::other(format!("the launcher died of {signal}")));
            }
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => processes -= 1,
            _ => {}
        }
    }
    // The launcher's own exit is none of the launch.
    Ok(calls - 1)
}

/// Whether a process stops at the entry of a system call, and not at its exit.
fn enters(pid: Pid) -> io::Result<bool> {
    match ptrace::syscall_info(pid) {
        Ok(info) => Ok(info.op == libc::PTRACE_SYSCALL_INFO_ENTRY),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// A process may have been killed, with its PID namespace.
fn go_on(pid: Pid, signal: Option<Signal>) -> io::Result<()> {
    match ptrace::syscall(pid, signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
