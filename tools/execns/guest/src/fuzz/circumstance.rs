// SPDX-License-Identifier: GPL-2.0

//! In which circumstances calls are made.

use super::random::Random;
use std::ffi::{c_int, c_long};

/// Who makes them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// The worker, which is to survive each of them.
    Direct,
    /// What clone(2) makes with these flags.
    Child { flags: c_int },
    /// One thread of several.
    Thread {
        /// Whether it is the first one, and whether that one waits otherwise.
        leader: bool,
        leader_waits: bool,
        others: u8,
        /// Whether one of the others makes the last call, too.
        rival: bool,
        /// Whether one of the others changes descriptors and arguments.
        restless: bool,
    },
    /// A child with a tracer, which detaches after so many stops, or goes, or kills.
    Traced { stops: u8, end: End },
    /// A child whose arguments are in a page that comes late, or not at all.
    Fault { delay: u64, answer: Answer },
    /// A child whose program is in a file system that answers late, or not at all.
    Fuse {
        delay: u64,
        answer: Answer,
        opcode: u32,
    },
}

/// What a tracer does in the end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    Detaches,
    Goes,
    /// As `Goes`, so that the child is killed.
    GoesKilling,
    Kills,
}

/// What comes late.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Answer {
    Right,
    /// Zeroes, or an error.
    Wrong,
    /// The child is killed while it waits.
    Kill,
    /// Nothing comes: the server ends.
    Abort,
}

/// What happens besides, after so many microseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Disturbance {
    None,
    /// A signal that is caught or not, again and again.
    Signals {
        period: u64,
        restart: bool,
    },
    Kill {
        after: u64,
    },
    /// SIGSTOP, and SIGCONT.
    Stop {
        after: u64,
    },
}

#[derive(Clone, Debug)]
pub struct Circumstance {
    pub kind: Kind,
    pub disturbance: Disturbance,
    /// What a seccomp filter answers.
    pub filter: Vec<(c_long, u32)>,
}

/// What a filter may deny.
pub const FILTERED: [c_long; 10] = [
    libc::SYS_unshare,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_open_tree,
    libc::SYS_setns,
    libc::SYS_setgroups,
    libc::SYS_setresgid,
    libc::SYS_setresuid,
    execns_abi::SYS_EXECNS,
    execns_abi::SYS_EXECNSAT,
];

impl Circumstance {
    pub fn new(random: &mut Random, has_fuse: bool, has_fault: bool) -> Self {
        let vfork = libc::CLONE_VM | libc::CLONE_VFORK;
        let delay = |random: &mut Random| random.pick(&[0, 100, 500, 2000]);
        let answer = [
            (4, Answer::Right),
            (2, Answer::Wrong),
            (2, Answer::Kill),
            (1, Answer::Abort),
        ];
        let kind = match random.below(100) {
            // Few workers have one.
            0..15 if has_fuse => Kind::Fuse {
                delay: delay(random),
                answer: random.weighted(&answer),
                opcode: random.pick(&[1, 14, 14, 15, 15, 0]),
            },
            0..68 => Kind::Direct,
            68..86 => Kind::Child {
                flags: random.weighted(&[
                    (6, 0),
                    (6, vfork),
                    (2, libc::CLONE_VM),
                    (2, libc::CLONE_FILES),
                    (2, libc::CLONE_FS),
                    (2, libc::CLONE_FILES | libc::CLONE_FS),
                    (2, vfork | libc::CLONE_FILES),
                    (1, libc::CLONE_VM | libc::CLONE_FILES | libc::CLONE_FS),
                    (1, libc::CLONE_VM | libc::CLONE_SIGHAND),
                ]),
            },
            86..92 => Kind::Thread {
                leader: random.one_in(2),
                leader_waits: random.one_in(2),
                others: random.below(4) as u8 + 1,
                rival: random.one_in(3),
                restless: random.one_in(3),
            },
            92..95 => Kind::Traced {
                stops: random.below(24) as u8,
                end: random.pick(&[End::Detaches, End::Goes, End::GoesKilling, End::Kills]),
            },
            95..100 if has_fault => Kind::Fault {
                delay: delay(random),
                answer: random.weighted(&answer),
            },
            _ => Kind::Child { flags: 0 },
        };
        let mut disturbance = Disturbance::None;
        let mut filter = Vec::new();

        if kind != Kind::Direct {
            let after = 1 << random.below(14);
            let after = after + random.below(after);
            let waits = matches!(
                kind,
                Kind::Traced { .. } | Kind::Fault { .. } | Kind::Fuse { .. }
            );
            disturbance = match random.below(20) {
                0..3 => Disturbance::Signals {
                    period: 200 + random.below(2000),
                    restart: random.one_in(2),
                },
                3..6 => Disturbance::Kill { after },
                6 if !waits && !kind.shares_memory() => Disturbance::Stop { after },
                _ => Disturbance::None,
            };
            if random.one_in(6) {
                for _ in 0..random.below(3) + 1 {
                    let number = random.pick(&FILTERED);
                    let errno = libc::SECCOMP_RET_ERRNO | random.pick(&[1u32, 13, 18, 38]);
                    let own = number >= execns_abi::SYS_EXECNS;
                    let action = match random.below(4) {
                        0 if !own => libc::SECCOMP_RET_TRAP,
                        1 if !own => libc::SECCOMP_RET_KILL_PROCESS,
                        _ => errno,
                    };
                    if filter.iter().all(|&(other, _)| other != number) {
                        filter.push((number, action));
                    }
                }
            }
        }
        Self {
            kind,
            disturbance,
            filter,
        }
    }

    /// The rows of the table that count it.
    pub fn rows(&self) -> u32 {
        let mut rows = match self.kind {
            Kind::Direct => 1,
            Kind::Child { flags } => {
                let has = |flag, row: u32| u32::from(flags & flag != 0) << row;

                2 | has(libc::CLONE_VFORK, 2)
                    | has(libc::CLONE_VM, 3)
                    | has(libc::CLONE_FILES, 4)
                    | has(libc::CLONE_FS, 5)
            }
            Kind::Thread {
                rival, restless, ..
            } => 1 << 6 | u32::from(restless) << 7 | u32::from(rival) << 8,
            Kind::Traced { end, .. } => 1 << 9 | u32::from(end != End::Detaches) << 10,
            Kind::Fault { .. } => 1 << 11,
            Kind::Fuse { .. } => 1 << 12,
        };

        rows |= u32::from(!self.filter.is_empty()) << 13;
        rows | match self.disturbance {
            Disturbance::None => 0,
            Disturbance::Signals { .. } => 1 << 14,
            Disturbance::Kill { .. } | Disturbance::Stop { .. } => 1 << 15,
        }
    }

    /// Whether a signal may end the caller.
    pub fn may_be_killed(&self) -> bool {
        matches!(self.disturbance, Disturbance::Kill { .. })
            || match self.kind {
                Kind::Traced { end, .. } => matches!(end, End::GoesKilling | End::Kills),
                Kind::Fault { answer, .. } | Kind::Fuse { answer, .. } => answer != Answer::Right,
                _ => false,
            }
    }

    /// Whether arguments are not what they were, so that any result is right.
    pub fn is_vague(&self) -> bool {
        match self.kind {
            Kind::Thread { restless, .. } => restless,
            Kind::Fault { answer, .. } | Kind::Fuse { answer, .. } => answer != Answer::Right,
            _ => false,
        }
    }
}

impl Kind {
    /// Whether the first thread has ended, and with it what `/proc/self` has links to.
    pub fn leader_may_be_gone(self) -> bool {
        matches!(
            self,
            Kind::Thread {
                leader: false,
                leader_waits: false,
                ..
            }
        )
    }

    /// The flags of clone(2).
    pub fn flags(self) -> c_int {
        match self {
            Self::Child { flags } => flags,
            // The page is of the worker's memory, where it can be resolved.
            Self::Fault { .. } => libc::CLONE_VM,
            _ => 0,
        }
    }

    pub fn shares_memory(self) -> bool {
        self.flags() & libc::CLONE_VM != 0
    }
}
