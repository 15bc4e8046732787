// SPDX-License-Identifier: GPL-2.0

//! A program that was started.

use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// A program that [`Execns::spawn`](crate::Execns::spawn) has started, by a descriptor of its
/// process (pidfd), which can not come to mean another process as a number can.
///
/// Dropping it closes the descriptor. That neither ends the program nor waits for it: if nobody
/// waits, it stays a zombie when it has ended, until the caller has ended too.
///
/// # Examples
///
/// ```
/// use execns::{ErrorKind, Execns};
///
/// let mut program = Execns::new("/bin/sh");
/// program.args(["-c", "exit 3"]);
/// match program.spawn() {
///     Ok(mut child) => assert_eq!(child.wait()?.code(), Some(3)),
///     Err(error) => assert_eq!(*error.kind(), ErrorKind::NotSupported),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    pid: i32,
    pidfd: OwnedFd,
    status: Option<ExitStatus>,
}

impl Child {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd) -> Self {
        Self {
            pid,
            pidfd,
            status: None,
        }
    }

    /// The number of the process. It may be that of another one after a wait.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// Waits until the program has ended, with one system call, and returns how. It can be called
    /// again, and returns the same.
    ///
    /// # Errors
    ///
    /// `ECHILD` if somebody else has waited for the process, or the caller ignores `SIGCHLD`.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.wait_with(WaitIdOptions::EXITED)? {
                return Ok(status);
            }
        }
    }

    /// As [`Child::wait`], but returns `None` if the program has not ended.
    ///
    /// # Errors
    ///
    /// As [`Child::wait`].
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.wait_with(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    fn wait_with(&mut self, options: WaitIdOptions) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            // A child that a signal ends before it is the program has no exit signal.
            let options = options | WaitIdOptions::from_bits_retain(libc::__WALL as u32);
            let id = WaitId::PidFd(self.pidfd.as_fd());

            self.status = rustix::io::retry_on_intr(|| waitid(id.clone(), options))?
                .map(|status| ExitStatus::from_raw(raw(&status)));
        }
        Ok(self.status)
    }

    /// Sends the program a signal, for instance `libc::SIGTERM`. With 0, tells whether there is
    /// a process.
    ///
    /// # Errors
    ///
    /// Those of pidfd_send_signal(2): `ESRCH` if the program was waited for.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        crate::sys::send_signal(self.pidfd.as_fd(), signal)
    }

    /// Sends the program `SIGKILL`. It still has to be waited for.
    ///
    /// # Errors
    ///
    /// As [`Child::signal`].
    pub fn kill(&self) -> io::Result<()> {
        self.signal(libc::SIGKILL)
    }
}

/// As wait(2) has it.
fn raw(status: &WaitIdStatus) -> i32 {
    let dumped = if status.dumped() { 0x80 } else { 0 };

    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => (code & 0xff) << 8,
        (None, signal) => signal.unwrap_or(0) | dumped,
    }
}

impl AsFd for Child {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
}

impl AsRawFd for Child {
    fn as_raw_fd(&self) -> RawFd {
        self.pidfd.as_raw_fd()
    }
}

impl From<Child> for OwnedFd {
    fn from(child: Child) -> Self {
        child.pidfd
    }
}
