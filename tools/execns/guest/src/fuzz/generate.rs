// SPDX-License-Identifier: GPL-2.0

//! Random calls: mostly right ones, with a mistake or two in some.

use super::call::{Array, Call, Form, Late, Place, Words};
use super::model::{Caller, KINDS, MOUNT, OTHER_FLAGS, TIME, USER, Who};
use super::name::{FILES, Name};
use super::random::Random;
use super::world::{self, CLOSED, OPEN};
use execns_abi::*;

/// A call of this caller.
pub fn call(random: &mut Random, caller: &Caller) -> Call {
    let mut call = Call {
        plain: random.one_in(7),
        unshare_flags: unshare_flags(random, caller.who),
        ..Call::default()
    };

    name(random, &mut call);
    if !call.plain {
        arguments(random, &mut call, caller);
    }
    call.argv = some_words(random);
    call.envp = some_words(random);
    for _ in 0..random.weighted(&[(6, 0), (3, 1), (1, 2)]) {
        mistake(random, &mut call);
    }
    call
}

fn unshare_flags(random: &mut Random, who: Who) -> u64 {
    let mut flags = 0;

    if random.one_in(2) {
        for kind in KINDS {
            // A network namespace costs more than all others together.
            let one_in = match kind == libc::CLONE_NEWNET as u64 {
                true => 60,
                false => 4,
            };
            if random.one_in(one_in) {
                flags |= kind;
            }
        }
    }
    if random.one_in(5) {
        flags |= random.word() & OTHER_FLAGS;
    }
    if who == Who::User && flags & !OTHER_FLAGS != 0 && !random.one_in(5) {
        flags |= USER;
    }
    flags
}

fn name(random: &mut Random, call: &mut Call) {
    const LIST: [(u64, u8); 5] = [(70, 0), (12, 1), (10, 2), (1, 3), (1, 4)];

    call.name = match random.weighted(&LIST) {
        0 => {
            let weights: Vec<_> = FILES
                .iter()
                .enumerate()
                .map(|(i, file)| (file.weight, i))
                .collect();
            Name::File(random.weighted(&weights))
        }
        1 => {
            call.dirfd = random.pick(&[
                world::FOLDER_FD,
                world::FOLDER_FD,
                world::ROOT_FD,
                world::PIPE_FD,
                18,
                libc::AT_FDCWD,
            ]);
            Name::Relative
        }
        2 => {
            call.plain = false;
            call.at_flags |= AT_EMPTY_PATH;
            call.dirfd = random.pick(&[
                world::AGENT_FD,
                world::AGENT_PATH_FD,
                world::SCRIPT_FD,
                world::DELETED_FD,
                world::MEMFD_FD,
                world::MEMFD_FD,
                world::CORRUPT_FD,
                world::FOLDER_FD,
                world::PIPE_FD,
                19,
                libc::AT_FDCWD,
            ]);
            if random.one_in(6) {
                call.unshare_flags |= UNSHARE_EMPTY_MNTNS;
            }
            Name::Nothing
        }
        3 => Name::LongComponent,
        _ => Name::TooLong,
    };
}

fn arguments(random: &mut Random, call: &mut Call, caller: &Caller) {
    if random.one_in(4) {
        call.at_flags |= AT_EXECVE_CHECK;
    }
    if random.one_in(8) {
        call.at_flags |= AT_SYMLINK_NOFOLLOW;
    }
    if random.one_in(12) {
        call.at_flags |= AT_EMPTY_PATH;
    }
    if call.unshare_flags & USER != 0 {
        identity(random, call, caller);
    }
    let empty = call.unshare_flags & UNSHARE_EMPTY_MNTNS != 0;
    if call.unshare_flags & MOUNT != 0 && !empty && random.one_in(4) {
        call.flags |= EXECNS_ROOT_FD;
        call.root_fd = random.pick(&[
            world::FOLDER_FD,
            world::FOLDER_FD,
            world::ROOT_FD,
            world::AGENT_FD,
            18,
        ]);
    }
    if call.unshare_flags & TIME != 0 && random.one_in(2) {
        for _ in 0..random.below(3) {
            call.time_offsets.elements.push(ExecnsTimeOffset {
                clock: random.pick(&[libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME]),
                reserved: 0,
                sec: random.below(1_000_000) as i64,
                nsec: random.below(1_000_000_000) as i64,
            });
        }
    }
    if !random.one_in(3) {
        let mut free: Vec<u32> = (0..24).chain([63, 64, 65, 127, 255, 256, 699]).collect();
        for _ in 0..random.below(7) {
            let to = free.swap_remove(random.below(free.len() as u64) as usize);
            let from = random.pick(&OPEN);
            call.fds.elements.push(ExecnsFd { from, to });
        }
        // Two that change places.
        if random.one_in(8) {
            call.fds.elements = vec![
                ExecnsFd { from: 3, to: 4 },
                ExecnsFd { from: 4, to: 3 },
                ExecnsFd { from: 11, to: 11 },
            ];
        }
    }
}

fn identity(random: &mut Random, call: &mut Call, caller: &Caller) {
    let line = |inside, outside, count| ExecnsIdMap {
        inside,
        outside,
        count,
    };
    let mut map = |own: u32| match random.below(8) {
        0 | 1 => vec![line(random.pick(&[0, 1, 1000, own]), own, 1)],
        2 => vec![line(0, 100_000, 65_536)],
        3 => vec![line(0, 0, 1), line(1, 100_000, 1000), line(5000, 1000, 1)],
        4 => (0..random.below(8) as u32 + 1)
            .map(|i| line(i * 10, own.wrapping_add(i * 7), random.below(9) as u32))
            .collect(),
        _ => vec![],
    };

    call.uid_map.elements = map(caller.uid);
    call.gid_map.elements = map(caller.gid);
    call.flags |= random.weighted(&[
        (6, 0),
        (3, EXECNS_SETGROUPS_DENY),
        (2, EXECNS_SETGROUPS_ALLOW),
    ]);
    if random.one_in(3) {
        call.flags |= EXECNS_SET_IDS;
        call.uid = random.pick(&[0, 0, 1, 1000, SAME_ID, 77, caller.uid]);
        call.gid = random.pick(&[0, 0, 1, 1000, SAME_ID, 77, caller.gid]);
    }
    if random.one_in(6) {
        call.flags |= EXECNS_DROP_GROUPS;
    }
}

fn some_words(random: &mut Random) -> Words {
    match random.below(60) {
        0 => Words::Null,
        1 => Words::Hole,
        2 => Words::Endless,
        3 => Words::BadWord,
        4 => Words::LongWord,
        _ => Words::Few(random.below(6) as u8),
    }
}

fn spoil<T>(random: &mut Random, array: &mut Array<T>, max: u32) {
    array.form = match random.below(5) {
        0 => Form::NoPointer,
        1 => Form::NoNumber,
        2 => Form::Hole,
        3 => Form::Kernel,
        _ => Form::Many(random.pick(&[max + 1, max + 9, u32::MAX])),
    };
}

fn mistake(random: &mut Random, call: &mut Call) {
    let bit = random.below(64);

    if call.plain {
        return match random.below(4) {
            0 => call.unshare_flags ^= 1 << (bit % 32),
            1 => call.unshare_flags = random.word(),
            2 => call.name = Name::Null,
            _ => call.name = Name::Hole,
        };
    }
    match random.below(22) {
        0 => call.unshare_flags ^= 1 << bit,
        1 => call.unshare_flags = random.word(),
        2 => call.at_flags ^= 1 << (bit % 32),
        3 => call.flags ^= 1 << (bit % 32),
        4 => call.reserved = random.odd_number(),
        5 => call.root_fd = random.odd_number() as i32,
        6 => call.uid = random.odd_number(),
        7 => call.gid = random.odd_number(),
        8 => call.size = random.below(200) as usize,
        9 => call.size = random.below(4200) as usize,
        10 => call.size = random.word() as usize,
        11 => call.beyond = Some(EXECNS_ARGS_SIZE_VER0 + random.below(100) as usize),
        12 => {
            call.place = random.pick(&[
                Place::Odd,
                Place::Odd,
                Place::Null,
                Place::Hole,
                Place::Kernel,
                Place::Short,
            ]);
        }
        13 => spoil(random, &mut call.fds, world::LIMIT),
        14 => spoil(random, &mut call.uid_map, MAX_EXTENTS as u32),
        15 => spoil(random, &mut call.gid_map, MAX_EXTENTS as u32),
        16 => spoil(random, &mut call.time_offsets, MAX_TIME_OFFSETS as u32),
        17 => call.fds.elements.push(ExecnsFd {
            from: random.pick(&CLOSED),
            to: 30,
        }),
        18 => call.fds.elements.push(ExecnsFd {
            from: random.pick(&OPEN),
            to: random.odd_number(),
        }),
        19 => {
            if let Some(&fd) = call.fds.elements.first() {
                call.fds.elements.push(fd);
            }
        }
        20 => {
            if let Some(offset) = call.time_offsets.elements.first_mut() {
                match random.below(3) {
                    0 => offset.clock = random.odd_number() as i32,
                    1 => offset.nsec = random.word() as i64,
                    _ => offset.sec = random.word() as i64,
                }
            }
        }
        _ => call.name = random.pick(&[Name::Null, Name::Hole]),
    }
}

/// What of a call comes late.
pub fn late(random: &mut Random, call: &mut Call) {
    call.late = Some(random.pick(&[
        Late::Path,
        Late::Words,
        Late::Structure,
        Late::Descriptors,
        Late::UidMap,
    ]));
}
