// SPDX-License-Identifier: GPL-2.0

//! User accounts: the kernel has one for each uid that a task has, or that something was charged
//! to and is not given back yet.
//!
//! Only the real uid changes, by the raw system call, so that the process keeps its privileges.

use clap::ValueEnum;
use rustix::event::epoll;
use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::io::Result;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sockopt};
use rustix::process::Uid;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::thread::set_thread_res_uid;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixStream;

/// Sets the real uid of the calling thread.
pub fn become_user(uid: u32) -> Result<()> {
    set_thread_res_uid(Uid::from_raw(uid), Uid::ROOT, Uid::ROOT)
}

/// How uids lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pattern {
    /// One after the other.
    Sequential,
    /// 65,536 apart: the first user of each of 40,000 containers with as many ids, then the
    /// second one of each, and so on, since 1,000,000 such uids are more than there are. The hash
    /// of an unpatched kernel, of 128 buckets, has all users of one number in one bucket.
    Spaced,
}

/// The containers of [`Pattern::Spaced`] that have live users. The others of 65,534 have the uids
/// without an account.
pub const CONTAINERS: u32 = 40_000;
const RANGE: u32 = 65_536;
const FIRST: u32 = 100_000;
const FIRST_FRESH: u32 = 10_000_000;

impl Pattern {
    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Sequential => "sequential uids",
            Self::Spaced => "uids 65,536 apart",
        }
    }

    /// The uid of account number `i`.
    pub fn live(self, i: u32) -> u32 {
        match self {
            Self::Sequential => FIRST + i,
            Self::Spaced => (1 + i % CONTAINERS) * RANGE + i / CONTAINERS,
        }
    }

    /// Uids that have no account. Those of [`Pattern::Spaced`] are the first users of their
    /// containers, and come again after some 25,000.
    pub fn absent(self, i: u32) -> u32 {
        match self {
            Self::Sequential => FIRST_FRESH + i,
            Self::Spaced => (1 + CONTAINERS + i % (65_534 - CONTAINERS)) * RANGE,
        }
    }
}

/// What keeps an account alive that no task has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pin {
    /// A descriptor in flight: 5 kB, and nothing but the account.
    Message,
    /// An epoll descriptor: 1 kB, and its credentials, which keep the uid's line of ucounts.
    Epoll,
}

enum Pins {
    Message {
        from: UnixStream,
        _to: UnixStream,
        what: File,
    },
    Epoll(Vec<OwnedFd>),
}

/// Some live accounts.
pub struct Accounts {
    /// How their uids lie.
    pub pattern: Pattern,
    /// How many there are.
    pub len: u32,
    pins: Pins,
}

impl Accounts {
    /// None yet, but room for `most`.
    pub fn new(pattern: Pattern, pin: Pin, most: u32) -> io::Result<Self> {
        let pins = match pin {
            Pin::Message => {
                let (from, to) = UnixStream::pair()?;

                // A message of one byte takes 1 kB of it. The kernel takes the double of this.
                sockopt::set_socket_send_buffer_size_force(&from, i32::MAX as usize / 2)?;
                Pins::Message {
                    from,
                    _to: to,
                    what: File::open("/dev/null")?,
                }
            }
            Pin::Epoll => {
                let limit = u64::from(most) + 1024;

                for path in ["/proc/sys/fs/nr_open", "/proc/sys/fs/file-max"] {
                    std::fs::write(path, (2 * limit).max(1 << 20).to_string())?;
                }
                setrlimit(
                    Resource::Nofile,
                    Rlimit {
                        current: Some(limit),
                        maximum: Some(limit),
                    },
                )?;
                Pins::Epoll(Vec::with_capacity(most as usize))
            }
        };

        Ok(Self {
            pattern,
            len: 0,
            pins,
        })
    }

    /// Makes one more, and leaves the process in it.
    pub fn add(&mut self) -> io::Result<()> {
        become_user(self.pattern.live(self.len))?;
        match &mut self.pins {
            Pins::Message { from, what, .. } => send(from, what.as_fd())?,
            Pins::Epoll(descriptors) => descriptors.push(pin_here()?),
        }
        self.len += 1;
        Ok(())
    }
}

/// Keeps the account that the process is in, until this is closed.
pub fn pin_here() -> io::Result<OwnedFd> {
    Ok(epoll::create(epoll::CreateFlags::CLOEXEC)?)
}

fn send(from: &UnixStream, what: BorrowedFd<'_>) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let what = [what];

    control.push(SendAncillaryMessage::ScmRights(&what));
    // A queue that is full is an error, and nothing to wait for.
    rustix::net::sendmsg(
        from,
        &[IoSlice::new(b"x")],
        &mut control,
        SendFlags::DONTWAIT,
    )?;
    Ok(())
}
