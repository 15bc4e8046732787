// SPDX-License-Identifier: GPL-2.0

//! A process that traces a caller, and goes away at some time.

use super::circumstance::End;
use super::shared::Slot;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// Traces the process until `stops` of its stops.
pub fn trace(slot: Slot, pid: i32, stops: u8, end: End) -> i32 {
    let pid = Pid::from_raw(pid);
    let mut options = Options::PTRACE_O_TRACEEXEC | Options::PTRACE_O_TRACESYSGOOD;
    let mut seen = 0;

    options.set(Options::PTRACE_O_EXITKILL, end == End::GoesKilling);
    let seized = ptrace::seize(pid, options).and_then(|()| ptrace::interrupt(pid));
    slot.go();
    if seized.is_err() {
        return 1;
    }
    loop {
        let (signal, is_stop) = match waitpid(pid, Some(WaitPidFlag::__WALL)) {
            Ok(WaitStatus::Stopped(_, signal)) => (Some(signal), true),
            Ok(WaitStatus::PtraceEvent(_, signal, _)) => {
                // A group stop is one as well.
                (None, signal == Signal::SIGSTOP)
            }
            Ok(WaitStatus::PtraceSyscall(_)) => (None, false),
            Ok(_) => return 0,
            Err(_) => return 2,
        };
        let is_program = is_stop && signal.is_none_or(|signal| signal == Signal::SIGSTOP);

        seen += 1;
        if seen <= u32::from(stops) && !is_program {
            ptrace::syscall(pid, signal).ok();
            continue;
        }
        match end {
            End::Kills => {
                kill(pid, Signal::SIGKILL).ok();
                waitpid(pid, Some(WaitPidFlag::__WALL)).ok();
                waitpid(pid, Some(WaitPidFlag::__WALL)).ok();
            }
            End::Detaches => drop(ptrace::detach(pid, signal)),
            End::Goes if is_program => drop(ptrace::detach(pid, signal)),
            End::Goes | End::GoesKilling => {}
        }
        return 0;
    }
}
