// SPDX-License-Identifier: GPL-2.0

//! How those end who make calls.

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

/// How a caller has ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// It was stopped: by the agent, which has become of it.
    Stopped,
    Exited(i32),
    Killed(i32),
}

/// The exit status of the agent.
pub const AGENT: i32 = 77;

pub fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

pub fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        kill_process(pid, signal).ok();
    }
}

/// What has become of a child, if anything.
pub fn state(pid: i32, options: WaitOptions) -> Option<End> {
    loop {
        return match waitpid(Pid::from_raw(pid), options) {
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => Some(End::Exited(-1)),
            Ok(None) => None,
            Ok(Some((_, status))) => {
                Some(match (status.exit_status(), status.terminating_signal()) {
                    (Some(status), _) => End::Exited(status),
                    (_, Some(signal)) => End::Killed(signal),
                    _ => End::Stopped,
                })
            }
        };
    }
}

pub fn wait(pid: i32) -> End {
    state(pid, WaitOptions::UNTRACED).unwrap_or(End::Exited(-1))
}
