// SPDX-License-Identifier: GPL-2.0

//! A process that runs the cases of a block, with the privileges that the block has.

use super::call::{Call, Prepared};
use super::caller::{Job, STACKS, UNABLE};
use super::circumstance::{Answer, Circumstance, Disturbance, Kind};
use super::counts::{Column, Counts};
use super::end::{End, kill, signal, state, wait};
use super::fuse::{Plan, Served, Server};
use super::judge::judge;
use super::model::{Caller, Expected, Who, expect};
use super::name::{FOLDER, Name};
use super::program;
use super::random::Random;
use super::rights::{every_capability, privilege, take_privilege};
use super::sabotage::Break;
use super::shared::{MOST, Slot, pause};
use super::snapshot::{HEAP_END, OUT_OF_THE_WAY, Snapshot, differences, line, take};
use super::world::{self, Descriptors, Memory};
use super::{generate, strace, tracer};
use crate::sys::fuzz::{Stack, borrow};
use crate::sys::{self, Semaphore, at};
use rustix::fd::AsFd;
use rustix::process::{Signal, WaitOptions};
use rustix::thread::CapabilitySet;
use std::fmt::Write;

/// As many cases have the same privileges.
pub const BLOCK: u64 = 32;

/// What all workers know.
#[derive(Clone, Copy)]
pub struct Orders {
    pub seed: u64,
    pub counts: Counts,
    pub broken: Option<Break>,
}

/// Waits, and answers what is asked of the file system, if there is one.
fn serve(fuse: &mut Option<Server>, pid: i32, plan: Option<Plan>) -> End {
    let mut plan = plan;

    loop {
        let Some(server) = &fuse else {
            return wait(pid);
        };
        if let Some(end) = state(pid, WaitOptions::UNTRACED | WaitOptions::NOHANG) {
            return end;
        }
        if server.serve(Some(&mut plan)) == Served::Abort {
            if let Some(server) = fuse.take() {
                server.end();
            }
        }
    }
}

pub struct Worker {
    orders: Orders,
    slot: Slot,
    random: Random,
    caller: Caller,
    memory: Memory,
    descriptors: Descriptors,
    fuse: Option<Server>,
    has_fuse: bool,
    semaphore: Semaphore,
    /// What children run on, and their threads.
    stacks: (Stack, [Stack; STACKS]),
    mine: Snapshot,
    agent: Vec<u8>,
    ids: [String; 3],
    root: u64,
    every_capability: CapabilitySet,
}

impl Worker {
    /// Becomes it.
    fn new(orders: Orders, slot: Slot, block: u64) -> Result<Self, String> {
        let told = |what: &'static str| move |error: std::io::Error| format!("{what}: {error}");
        // Cases have numbers from 0 on.
        let mut random = Random::new(orders.seed, block | 1 << 63);
        let (who, privilege) = privilege(&mut random);
        let has_fuse = who == Who::Root && random.one_in(3);
        if has_fuse {
            sys::unshare(execns::Namespaces::MOUNT).map_err(told("unshare"))?;
        }
        let descriptors = Descriptors::new().map_err(told("descriptors"))?;
        let fuse = match has_fuse {
            true => Some(Server::new().map_err(told("FUSE"))?),
            false => None,
        };
        let every_capability = every_capability().map_err(told("capabilities"))?;

        if who == Who::Chrooted {
            rustix::process::chroot(FOLDER).map_err(|error| error.to_string())?;
            rustix::process::chdir("/").map_err(|error| error.to_string())?;
        } else {
            rustix::process::chdir(FOLDER).map_err(|error| error.to_string())?;
        }
        take_privilege(who, &privilege)?;
        let semaphore = Semaphore::new().map_err(told("semaphore"))?;
        semaphore.add_with_undo().map_err(told("semaphore"))?;
        let memory = Memory::new(descriptors.fault.as_ref().map(|fault| fault.address()))
            .map_err(told("memory"))?;
        let agent = std::fs::read(match who {
            Who::Chrooted => "/agent",
            _ => "/usr/bin/execns-fuzz-agent",
        });
        let mut worker = Self {
            orders,
            slot,
            random,
            caller: Caller {
                who,
                uid: rustix::process::geteuid().as_raw(),
                gid: rustix::process::getegid().as_raw(),
                open: descriptors.open.clone(),
            },
            memory,
            descriptors,
            fuse,
            has_fuse,
            semaphore,
            stacks: Default::default(),
            mine: [0; super::snapshot::WORDS],
            agent: agent.map_err(told("agent"))?,
            ids: Default::default(),
            root: 0,
            every_capability,
        };
        let mut buffer = [0; 4096];
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let proc = worker.descriptors.proc.as_fd();
        let status = super::snapshot::proc_of(proc, me, "status", &mut buffer);
        worker.ids = ["Uid:", "Gid:", "Groups:"].map(|name| {
            let text = String::from_utf8_lossy(line(status, name));
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        worker.root = super::snapshot::file_at(proc, "self/root").ok_or("no root directory")?;
        worker.mine = worker.look();
        Ok(worker)
    }

    fn look(&self) -> Snapshot {
        let value = self.semaphore.value().map_or(-1, i64::from);

        self.without_own(take(self.descriptors.proc.as_fd(), value))
    }

    fn without_own(&self, mut words: Snapshot) -> Snapshot {
        // It allocates. A server of files is made again with other numbers.
        words[HEAP_END] = 0;
        if self.has_fuse {
            words[OUT_OF_THE_WAY] = 0;
        }
        words
    }

    /// Runs a case, and says what is wrong.
    fn case(&mut self, number: u64) -> Result<(), String> {
        self.random = Random::new(self.orders.seed, number);
        let has_fault = self.descriptors.fault.is_some();
        let circumstance = Circumstance::new(&mut self.random, self.fuse.is_some(), has_fault);
        let calls = self.calls(&circumstance);
        let expected: Vec<Expected> = calls
            .iter()
            .enumerate()
            .map(|(i, call)| {
                let vague = circumstance.is_vague() && i + 1 == calls.len();
                let mut expected = expect(call, &self.caller, &circumstance.filter);
                if circumstance.kind.leader_may_be_gone() && call.name.is_of_system() {
                    expected.errnos.insert(libc::ENOENT);
                }
                match vague || vague_everywhere(&circumstance) {
                    true => expected.or_anything(),
                    false => expected,
                }
            })
            .collect();
        let mut given = calls.clone();
        // Of what may fail, and of what a filter is asked about, something else might be told.
        let certain = expected.last().is_some_and(Expected::is_certain);
        let lone = circumstance.kind != Kind::Direct && circumstance.filter.is_empty();
        if let (Some(broken), Some(last)) = (self.orders.broken, given.last_mut()) {
            if certain && lone && self.caller.who == Who::Root {
                broken.call(last, &self.caller);
            }
        }
        let prepared: Vec<Prepared> = given
            .iter()
            .map(|call| Prepared::new(call, &self.memory))
            .collect();
        let counts = self.orders.counts;
        let rows = circumstance.rows();

        self.slot.begin_case(number);
        let (end, program) = self.run(&circumstance, &calls, &prepared);
        if self.has_fuse && self.fuse.is_none() {
            self.fuse = Some(Server::new().map_err(|error| format!("FUSE: {error}"))?);
        }
        counts.add(rows, Column::Cases, 1);
        let told = judge(counts, self.slot, &circumstance, &expected, end, program);
        let mut told = match told {
            Ok(()) => String::new(),
            Err((i, text)) => format!("{text}\n  call {i}: {}", strace::call(&calls[i])),
        };
        if self.orders.broken == Some(Break::Parent) {
            rustix::process::chdir("/tmp").ok();
        }
        // What a child that was killed had open in this table for a moment.
        let shared = circumstance.kind.flags() & libc::CLONE_FILES != 0;
        if shared && matches!(end, End::Killed(_)) {
            at::close_between(18, 99).ok();
        }
        // It has looked at itself, if it has made the calls itself.
        let now = match self
            .slot
            .compared()
            .filter(|_| circumstance.kind == Kind::Direct)
        {
            Some((_, after)) if self.orders.broken.is_none() => self.without_own(after),
            _ => self.look(),
        };
        let changes = differences(&self.mine, &now);
        if !changes.is_empty() {
            let _ = write!(told, "the worker has changed: {changes}");
        }
        if told.is_empty() {
            return Ok(());
        }
        let results: Vec<_> = (0..calls.len()).map(|i| self.slot.result(i)).collect();
        Err(format!(
            "{told}\n  results: {results:?}, {end:?}\n  caller: {:?} {}:{}\n  {circumstance:?}",
            self.caller.who, self.caller.uid, self.caller.gid
        ))
    }

    fn calls(&mut self, circumstance: &Circumstance) -> Vec<Call> {
        let direct = circumstance.kind == Kind::Direct;
        let count = match direct {
            // What it costs to look at the worker is shared by many.
            true => 1 + MOST as u64 / 2 + self.random.below(MOST as u64 / 2),
            false => 1 + self.random.below(4),
        };
        let mut calls: Vec<Call> = (0..count)
            .map(|_| generate::call(&mut self.random, &self.caller))
            .collect();
        let random = &mut self.random;
        let last = calls.len() - 1;

        // The last one of a child is to have a chance, with others than a network namespace.
        if !direct && !random.one_in(4) {
            for _ in 0..8 {
                let expected = expect(&calls[last], &self.caller, &circumstance.filter);
                if expected.success && !calls[last].is_check() {
                    break;
                }
                calls[last] = generate::call(random, &self.caller);
            }
        }
        match circumstance.kind {
            Kind::Fault { .. } => {
                calls[last].plain = false;
                generate::late(random, &mut calls[last]);
            }
            Kind::Fuse { .. } => calls[last].name = Name::Fuse,
            _ => {}
        }
        for (i, call) in calls.iter_mut().enumerate() {
            let expected = expect(call, &self.caller, &circumstance.filter);
            let is_last = i == last && !direct;

            // All others return.
            if !is_last && expected.success && !call.is_check() {
                call.plain = false;
                call.at_flags |= execns_abi::AT_EXECVE_CHECK;
                let expected = expect(call, &self.caller, &circumstance.filter);
                if expected.success && call.size > 4096 {
                    call.size = 0;
                }
            }
        }
        if calls.iter().any(|call| call.dirfd == world::CORRUPT_FD) {
            self.corrupt();
        }
        calls
    }

    /// Makes another file of the one that is no proper program.
    fn corrupt(&mut self) {
        let mut bytes = self.agent.clone();

        for _ in 0..self.random.below(6) {
            // Mostly headers.
            let end = if self.random.one_in(4) {
                bytes.len() as u64
            } else {
                400
            };
            let at = self.random.below(end.min(bytes.len() as u64)) as usize;
            bytes[at] ^= 1 << self.random.below(8);
        }
        rustix::io::pwrite(borrow(world::CORRUPT_FD), &bytes, 0).ok();
    }

    /// Makes the calls. Returns how who has made them has ended, and what was wrong with the program
    /// if there was one.
    fn run(
        &mut self,
        circumstance: &Circumstance,
        calls: &[Call],
        prepared: &[Prepared],
    ) -> (End, Option<Result<String, String>>) {
        let mut stacks = std::mem::take(&mut self.stacks);
        let mut fuse = self.fuse.take();
        let result = self.run_on(circumstance, calls, prepared, &mut stacks, &mut fuse);

        self.stacks = stacks;
        self.fuse = fuse;
        result
    }

    fn run_on(
        &self,
        circumstance: &Circumstance,
        calls: &[Call],
        prepared: &[Prepared],
        (own, stacks): &mut (Stack, [Stack; STACKS]),
        fuse: &mut Option<Server>,
    ) -> (End, Option<Result<String, String>>) {
        let slot = self.slot;
        let kind = circumstance.kind;
        let job = Job {
            slot,
            calls: prepared,
            circumstance,
            proc: self.descriptors.proc.as_fd(),
            semaphore: &self.semaphore,
            fuse: fuse.as_ref().map(Server::number),
            alarm: calls.iter().any(|call| call.dirfd == world::CORRUPT_FD),
            broken: self.orders.broken,
        };

        if kind == Kind::Direct {
            return (End::Exited(job.make()), None);
        }
        if let (Kind::Fault { .. }, Some(fault)) = (kind, &self.descriptors.fault) {
            fault.rearm();
        }
        let mut body = || job.child(stacks);
        let Ok(pid) = own.run(kind.flags() | libc::SIGCHLD, &mut body) else {
            return (End::Exited(UNABLE + 9), None);
        };
        slot.set_child(pid);
        let mut tracer = None;
        if let Kind::Traced { stops, end } = kind {
            tracer = at::fork(|| tracer::trace(slot, pid, stops, end)).ok();
        }
        if let Disturbance::Stop { after } = circumstance.disturbance {
            for _ in 0..after / 100 {
                pause();
            }
            signal(pid, Signal::STOP);
            pause();
            signal(pid, Signal::CONT);
        }
        let mut end = match kind {
            Kind::Fault { delay, answer } => self.resolve(pid, delay, answer, prepared.last()),
            Kind::Fuse {
                delay,
                answer,
                opcode,
            } => {
                let plan = Plan {
                    opcode,
                    delay,
                    answer,
                    child: pid,
                };
                serve(fuse, pid, Some(plan))
            }
            _ => wait(pid),
        };
        let mut program = None;
        if end == End::Stopped {
            program = Some(self.program(pid, calls));
            if self.orders.broken == Some(Break::ProgramDies) {
                end = End::Killed(9);
            }
            kill(pid);
            while !matches!(serve(fuse, pid, None), End::Exited(_) | End::Killed(_)) {}
        }
        if let Some(tracer) = tracer {
            at::end(tracer);
        }
        if let (Kind::Fuse { .. }, Some(server)) = (kind, &fuse) {
            while server.serve(None) == Served::Request {}
        }
        // Who shares memory has used it until now.
        std::hint::black_box(&mut body);
        (end, program)
    }

    /// Waits, and lets the page come.
    fn resolve(&self, pid: i32, delay: u64, answer: Answer, call: Option<&Prepared>) -> End {
        let Some(fault) = &self.descriptors.fault else {
            return wait(pid);
        };

        loop {
            if let Some(end) = state(pid, WaitOptions::UNTRACED | WaitOptions::NOHANG) {
                return end;
            }
            if !fault.is_waited_for() {
                pause();
                continue;
            }
            for _ in 0..delay / 100 {
                pause();
            }
            match answer {
                Answer::Right => fault.resolve(call.and_then(|call| call.late.as_deref())),
                Answer::Wrong => fault.resolve(None),
                Answer::Kill | Answer::Abort => kill(pid),
            }
        }
    }

    /// Looks at the program. Returns what is wrong with it, or an error if it can not be seen.
    fn program(&self, pid: i32, calls: &[Call]) -> Result<String, String> {
        let value = self.semaphore.value().map_or(-1, i64::from);
        let call = calls.last().ok_or("no call")?;
        let seen = program::look(self.descriptors.proc.as_fd(), pid, value)?;
        let [uid, gid, groups] = self.ids.clone();
        let wanted = program::wanted(
            call,
            &program::Caller {
                is: &self.caller,
                root: self.root,
                every_capability: self.every_capability,
                snapshot: &self.mine,
                uid,
                gid,
                groups,
                semaphore: 1,
                owns_undo: true,
            },
        );

        Ok(program::differences(&wanted, &seen, &self.mine))
    }
}

/// A restless thread may change what any call reads.
fn vague_everywhere(circumstance: &Circumstance) -> bool {
    matches!(circumstance.kind, Kind::Thread { restless: true, .. })
}

/// Runs cases of a block, until one is wrong: that is the text.
pub fn run(orders: Orders, slot: Slot, cases: std::ops::Range<u64>) -> Result<(), String> {
    let case = cases.start;
    slot.begin_case(case);
    let mut worker = Worker::new(orders, slot, case / BLOCK)
        .map_err(|error| format!("no worker for case {case}: {error}"))?;

    for case in cases {
        if orders.counts.is_stopped() {
            break;
        }
        worker.case(case)?;
    }
    if let Some(server) = worker.fuse.take() {
        server.end();
    }
    Ok(())
}
