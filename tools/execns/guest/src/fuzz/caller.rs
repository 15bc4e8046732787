// SPDX-License-Identifier: GPL-2.0

//! Who makes the calls of a case. Nothing is allocated here, since memory may be shared.

use super::call::Prepared;
use super::circumstance::{Circumstance, Disturbance, Kind};
use super::sabotage::Break;
use super::shared::{Slot, pause};
use super::snapshot::take;
use crate::sys::Semaphore;
use crate::sys::at::{close_between, place};
use crate::sys::fuzz::{
    Stack, alarm_after, catch, exec, exit_thread, filter, flicker, signal_after,
};
use rustix::fd::BorrowedFd;
use std::ffi::c_int;

/// The exit status of a caller that could not do what it was to do.
pub const UNABLE: i32 = 90;

/// As many threads as there are at most.
pub const STACKS: usize = 5;

const THREAD: c_int = libc::CLONE_VM
    | libc::CLONE_FS
    | libc::CLONE_FILES
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD
    | libc::CLONE_SYSVSEM;

/// What is to be done.
pub struct Job<'a> {
    pub slot: Slot,
    pub calls: &'a [Prepared],
    pub circumstance: &'a Circumstance,
    pub proc: BorrowedFd<'a>,
    pub semaphore: &'a Semaphore,
    /// What a child must not have, so that its server is gone with the worker.
    pub fuse: Option<u32>,
    /// Whether the program may go on for ever.
    pub alarm: bool,
    pub broken: Option<Break>,
}

impl Job<'_> {
    fn value(&self) -> i64 {
        self.semaphore.value().map_or(-1, i64::from)
    }

    /// Makes the calls, and tells what this process was before and after. Returns only if all
    /// of them do.
    pub fn make(&self) -> i32 {
        let before = take(self.proc, self.value());

        for (i, call) in self.calls.iter().enumerate() {
            self.slot.begin_call(i);
            let result = exec(call.number, &call.words);

            let result = self.broken.map_or(result, |broken| broken.result(result));
            self.slot.end_call(i, result);
        }
        if let Kind::Thread { restless: true, .. } = self.circumstance.kind {
            self.slot.be_quiet(1);
        }
        match self.broken {
            // It runs on when this function is over, and on a stack that nobody else gets.
            Some(Break::Thread) if self.circumstance.kind == Kind::Direct => {
                let mut wait = || loop {
                    pause();
                };
                Box::leak(Box::<Stack>::default())
                    .run(THREAD, &mut wait)
                    .ok();
            }
            Some(Break::Undo) => drop(self.semaphore.add_with_undo()),
            // A filter may kill who breaks something.
            Some(broken) if self.circumstance.filter.is_empty() => broken.caller(),
            Some(_) | None => {}
        }
        self.slot.compare(&before, &take(self.proc, self.value()));
        0
    }

    /// What a child does.
    pub fn child(&self, stacks: &mut [Stack; STACKS]) -> i32 {
        let kind = self.circumstance.kind;
        let shares = |flag| kind.flags() & flag != 0;

        if let (Some(fuse), false) = (self.fuse, shares(libc::CLONE_FILES)) {
            close_between(fuse, fuse).ok();
        }
        if let Kind::Traced { .. } = kind {
            self.slot.wait_go();
        }
        if self.semaphore.add_with_undo().is_err() {
            return UNABLE;
        }
        match self.circumstance.disturbance {
            Disturbance::Signals { period, restart } => {
                if !shares(libc::CLONE_SIGHAND) {
                    catch(libc::SIGURG, restart);
                }
                signal_after(libc::SIGURG, period, period).ok();
            }
            Disturbance::Kill { after } => drop(signal_after(libc::SIGKILL, after, 0)),
            Disturbance::Stop { .. } | Disturbance::None => {}
        }
        if self.alarm {
            alarm_after(2_000_000);
        }
        if !self.circumstance.filter.is_empty() && filter(&self.circumstance.filter).is_err() {
            return UNABLE + 1;
        }
        match kind {
            Kind::Thread { .. } => self.threads(stacks),
            _ => self.make(),
        }
    }

    /// Makes them in one of several threads.
    fn threads(&self, stacks: &mut [Stack; STACKS]) -> i32 {
        let Kind::Thread {
            leader,
            leader_waits,
            others,
            rival,
            restless,
        } = self.circumstance.kind
        else {
            return UNABLE;
        };
        let [caller, first, second, more @ ..] = stacks;
        let mut wait = || loop {
            pause();
        };
        let mut rival_body = || {
            self.rival();
            loop {
                pause();
            }
        };
        let mut restless_body = || self.restless();
        let mut caller_body = || self.make();

        if rival && first.run(THREAD, &mut rival_body).is_err()
            || restless && second.run(THREAD, &mut restless_body).is_err()
        {
            return UNABLE + 2;
        }
        for stack in more.iter_mut().take(usize::from(others).saturating_sub(2)) {
            if stack.run(THREAD, &mut wait).is_err() {
                return UNABLE + 3;
            }
        }
        if leader {
            return caller_body();
        }
        if caller.run(THREAD, &mut caller_body).is_err() {
            return UNABLE + 4;
        }
        if leader_waits {
            loop {
                pause();
            }
        }
        exit_thread()
    }

    /// Makes the last call at the same time.
    fn rival(&self) {
        while self.slot.begun() < self.calls.len() {
            std::thread::yield_now();
        }
        if let Some(last) = self.calls.last() {
            exec(last.number, &last.words).ok();
        }
    }

    /// Opens and closes, and changes the arguments, until it is to be quiet.
    fn restless(&self) -> i32 {
        while self.slot.begun() == 0 {
            std::thread::yield_now();
        }
        let structure = self.calls.last().and_then(Prepared::structure_address);
        let mut turn = 0u32;

        while !self.slot.shall_be_quiet() {
            place(3, 24, true).ok();
            place(5, 25, false).ok();
            if let Some(address) = structure {
                // SAFETY: It has 20 words, and is the kernel's to read meanwhile.
                unsafe { flicker(address + (turn % 20) as usize * 4, 1 << (turn / 20 % 32)) };
            }
            close_between(24, 25).ok();
            turn = turn.wrapping_add(1);
        }
        self.slot.is_quiet();
        loop {
            pause();
        }
    }
}
