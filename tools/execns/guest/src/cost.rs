// SPDX-License-Identifier: GPL-2.0

//! What calls cost when there are many accounts: nanoseconds, which `scripts/vm -c` lets be
//! instructions.

use crate::accounts::{Accounts, Pattern, become_user};
use rustix::event::{EventfdFlags, epoll, eventfd};
use rustix::io::Errno;
use rustix::process::Uid;
use rustix::process::getpriority_user;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::io;
use std::thread;
use std::time::Duration;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// setresuid(2) to a uid that has an account, and back.
    Existing,
    /// To one that has none, and back.
    Fresh,
    /// The same with what it leaves to RCU: the account is freed there.
    FreshFreed,
    /// getpriority(2) of a uid that has no account.
    Absent,
    /// pipe(2) and close(2) of both ends.
    Pipe,
    /// epoll_ctl(2) to add a descriptor and to delete it.
    Epoll,
}

/// One number, or why there is none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    pub operation: Operation,
    pub pattern: Pattern,
    pub accounts: u32,
    #[serde(flatten)]
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A pair of calls, or the one call.
    Instructions(f64),
    Skipped(String),
}

/// The monotonic clock.
pub fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);

    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The calls between two readings of the clock.
const BATCH: u32 = 32;
const ROUNDS: u32 = 40;

/// The least of some rounds: what is above is timer interrupts and what they run. The first ones
/// fill caches. `call` gets the number of the call.
fn least(mut call: impl FnMut(u32) -> io::Result<()>) -> io::Result<f64> {
    let mut least = u64::MAX;

    for round in 0..ROUNDS {
        if round % 4 == 0 {
            settle();
        }
        let start = now();
        for i in 0..BATCH {
            call(round * BATCH + i)?;
        }
        least = least.min(now() - start);
    }
    Ok(least as f64 / f64::from(BATCH))
}

/// The least mean of some spans that are so long that interrupts and RCU callbacks are as many in
/// each: 25 ticks.
fn mean(mut call: impl FnMut(u32) -> io::Result<()>) -> io::Result<f64> {
    const SPAN: u64 = 100_000_000;
    const SPANS: usize = 4;
    let mut least = f64::INFINITY;
    let mut i = 0;

    for span in 0..SPANS {
        let first = i;
        let start = now();
        let spent = loop {
            for _ in 0..BATCH {
                call(i)?;
                i += 1;
            }
            let spent = now() - start;
            if spent >= SPAN {
                break spent;
            }
        };
        // In the first one, there are no callbacks yet.
        if span > 0 {
            least = least.min(spent as f64 / f64::from(i - first));
        }
    }
    Ok(least)
}

/// Lets RCU free what was before.
fn settle() {
    thread::sleep(Duration::from_millis(100));
}

fn there_and_back(uid: u32) -> io::Result<()> {
    become_user(uid)?;
    become_user(0)?;
    Ok(())
}

impl Operation {
    pub const ALL: [Self; 6] = [
        Self::Existing,
        Self::Absent,
        Self::Fresh,
        Self::FreshFreed,
        Self::Pipe,
        Self::Epoll,
    ];

    /// What a person calls it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Existing => "setresuid to a uid with an account, and back",
            Self::Fresh => "setresuid to a fresh uid, and back",
            Self::FreshFreed => "the same with what RCU frees later",
            Self::Absent => "getpriority of a uid without an account",
            Self::Pipe => "pipe, close",
            Self::Epoll => "epoll_ctl ADD, DEL",
        }
    }

    /// What a call of it costs, in instructions.
    pub fn measure(self, accounts: &mut Accounts) -> io::Result<f64> {
        let Accounts { pattern, len, .. } = *accounts;

        match self {
            // As many from all over them.
            Self::Existing => least(|i| {
                let i = u64::from(i % BATCH) * u64::from(len) / u64::from(BATCH);

                there_and_back(pattern.live(i as u32))
            }),
            // An account lives on until RCU frees the credentials that had it, so that each call
            // takes a uid of its own.
            Self::Fresh => {
                let fresh = || least(|i| there_and_back(pattern.absent(i)));
                let here = fresh()?;

                // The per-CPU allocator is slow where one of its pages ends: look further on, too.
                grow(accounts, len + (len / 8).min(256), u64::MAX)?;
                Ok(here.min(fresh()?))
            }
            Self::FreshFreed => mean(|i| there_and_back(pattern.absent(i))),
            Self::Absent => least(
                |i| match getpriority_user(Uid::from_raw(pattern.absent(i))) {
                    Err(Errno::SRCH) => Ok(()),
                    Err(error) => Err(error.into()),
                    Ok(_) => Err(io::Error::other("the uid has an account")),
                },
            ),
            Self::Pipe => least(|_| Ok(rustix::pipe::pipe().map(drop)?)),
            Self::Epoll => {
                let waiter = epoll::create(epoll::CreateFlags::CLOEXEC)?;
                let event = eventfd(0, EventfdFlags::CLOEXEC)?;

                least(|_| {
                    let data = epoll::EventData::new_u64(0);

                    epoll::add(&waiter, &event, data, epoll::EventFlags::IN)?;
                    epoll::delete(&waiter, &event)?;
                    Ok(())
                })
            }
        }
    }
}

/// Makes accounts until there are `len`. If that takes more than `budget` instructions, it stops
/// and says so, as soon as what they have taken on average tells it. A single one tells nothing: a
/// table that grows takes long now and then.
pub fn grow(accounts: &mut Accounts, len: u32, budget: u64) -> io::Result<Option<String>> {
    const STEP: u32 = 1024;

    settle();
    let start = now();
    let first = accounts.len;

    while accounts.len < len {
        accounts.add()?;
        let made = accounts.len - first;
        if made % STEP == 0 {
            let each = (now() - start) / u64::from(made);

            if each * u64::from(len - first) > budget {
                become_user(0)?;
                return Ok(Some(format!(
                    "accounts {first} to {} took {each} instructions each to make: {len} would take \
                     more than {budget}",
                    accounts.len
                )));
            }
        }
    }
    become_user(0)?;
    Ok(None)
}
