// SPDX-License-Identifier: GPL-2.0

//! Id maps, against what the same caller can write to files of `/proc/PID` of a child that clone(2)
//! has made in a new user namespace.

use crate::{Stopwatch, alone, cases, fail, holds, seed};
use execns_abi::{
    AT_EXECVE_CHECK, EXECNS_SETGROUPS_ALLOW, EXECNS_SETGROUPS_DENY, ExecnsIdMap, MAX_EXTENTS,
};
use execns_guest::privilege::{Parent, Privilege};
use execns_guest::probe::{Caller, NUMBERS, PROBE, Running, in_worker, proc_file, write_proc_file};
use execns_guest::sys::at::{Held, PAGE, Request, Target};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestCaseError;
use std::cell::Cell;
use std::fmt::Write;

/// Whom a user namespace has no id for. He makes none.
const NO_ID: u32 = 65534;

#[derive(Clone, Debug)]
struct Case {
    flags: u32,
    /// Empty if it is not given.
    uid_map: Vec<ExecnsIdMap>,
    gid_map: Vec<ExecnsIdMap>,
    /// Whether the program is started, too.
    real: bool,
}

/// What makes a line wrong, probably.
#[derive(Clone, Copy, Debug)]
enum Mistake {
    Inside(u32),
    Outside(u32),
    Count(u32),
    /// What the line has in common with another.
    SameInside(Index, i8),
    SameOutside(Index, i8),
}

fn apply(map: &mut [ExecnsIdMap], index: Index, mistake: Mistake) {
    if map.is_empty() {
        return;
    }
    let i = index.index(map.len());

    match mistake {
        Mistake::Inside(id) => map[i].inside = id,
        Mistake::Outside(id) => map[i].outside = id,
        Mistake::Count(count) => map[i].count = count,
        Mistake::SameInside(other, by) => {
            map[i].inside = other.get(map).inside.wrapping_add_signed(by.into());
        }
        Mistake::SameOutside(other, by) => {
            map[i].outside = other.get(map).outside.wrapping_add_signed(by.into());
        }
    }
}

fn odd_number(own: u32) -> impl Strategy<Value = u32> {
    prop_oneof![
        select(vec![0, 1, own, 999, 1000, 65534, 1 << 31]),
        select(vec![u32::MAX, u32::MAX - 1, u32::MAX - 2]),
        any::<u32>(),
        0..2000u32,
    ]
}

/// Lines that do not overlap, of ids that follow one of the parent's.
fn lines(parent: Vec<(u32, u32)>) -> impl Strategy<Value = Vec<ExecnsIdMap>> {
    let count = prop_oneof![
        8 => 1..5usize,
        4 => 5..7usize,
        1 => 7..40usize,
        1 => MAX_EXTENTS - 1..MAX_EXTENTS + 2,
    ];

    (
        count,
        select(parent),
        select(vec![0, 1, 1000, 1 << 31]),
        0..3u32,
    )
        .prop_flat_map(|(count, (first, _), inside, skip)| {
            // Long ones are to fit into a page as text.
            let inside = if count > 100 { 0 } else { inside };
            let line = (0..2u32, 0..2u32, 1..3u32);

            prop::collection::vec(line, count).prop_map(move |line| {
                let (mut inside, mut outside) = (inside, first.saturating_add(skip));

                line.iter()
                    .map(|&(gap_inside, gap_outside, count)| {
                        let extent = ExecnsIdMap {
                            inside: inside + gap_inside,
                            outside: outside.saturating_add(gap_outside),
                            count,
                        };
                        inside = extent.inside + count;
                        outside = extent.outside.saturating_add(count);
                        extent
                    })
                    .collect::<Vec<_>>()
            })
        })
        .prop_flat_map(|lines| prop_oneof![Just(lines.clone()), Just(lines).prop_shuffle()])
}

fn map(parent: Vec<(u32, u32)>, own: u32) -> impl Strategy<Value = Vec<ExecnsIdMap>> {
    let all: Vec<ExecnsIdMap> = one_to_one(&parent);
    let own_line = select(vec![0, 1, own, 1 << 31]).prop_map(move |inside| {
        vec![ExecnsIdMap {
            inside,
            outside: own,
            count: 1,
        }]
    });
    let mistake = prop_oneof![
        odd_number(own).prop_map(Mistake::Inside),
        odd_number(own).prop_map(Mistake::Outside),
        prop_oneof![Just(0), odd_number(own)].prop_map(Mistake::Count),
        (any::<Index>(), -2..3i8).prop_map(|(index, by)| Mistake::SameInside(index, by)),
        (any::<Index>(), -2..3i8).prop_map(|(index, by)| Mistake::SameOutside(index, by)),
    ];

    (
        prop_oneof![
            2 => Just(vec![]),
            4 => own_line,
            1 => Just(all),
            8 => lines(parent),
        ],
        prop::option::weighted(0.3, (any::<Index>(), mistake)),
    )
        .prop_map(|(mut map, mistake)| {
            if let Some((index, mistake)) = mistake {
                apply(&mut map, index, mistake);
            }
            map
        })
}

fn case(parent: &Parent) -> impl Strategy<Value = Case> + use<> {
    (
        prop_oneof![
            4 => Just(0),
            4 => Just(EXECNS_SETGROUPS_DENY),
            2 => Just(EXECNS_SETGROUPS_ALLOW),
            1 => Just(EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY),
        ],
        map(parent.uids.clone(), parent.uid),
        map(parent.gids.clone(), parent.gid),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(flags, uid_map, gid_map, real)| Case {
            flags,
            uid_map,
            gid_map,
            real,
        })
}

fn one_to_one(ranges: &[(u32, u32)]) -> Vec<ExecnsIdMap> {
    let line = |&(first, count): &(u32, u32)| ExecnsIdMap {
        inside: first,
        outside: first,
        count,
    };

    ranges.iter().map(line).collect()
}

fn text(map: &[ExecnsIdMap]) -> String {
    map.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{} {} {}", line.inside, line.outside, line.count);
        text
    })
}

/// What a process reads of its `setgroups`, `uid_map` and `gid_map`.
type Maps = [String; 3];

fn maps_of(pid: i32) -> Result<Maps, TestCaseError> {
    let [setgroups, uid_map, gid_map] =
        ["setgroups", "uid_map", "gid_map"].map(|name| proc_file(pid, name).map_err(fail));

    Ok([setgroups?, uid_map?, gid_map?])
}

/// The classic way. Returns the step that fails, and its errno.
fn classic(case: &Case, parent: &Parent) -> Result<Held, (&'static str, i32)> {
    let or_default = |map: &[ExecnsIdMap], ranges, own| {
        if !map.is_empty() {
            text(map)
        } else if parent.maps_all {
            text(&one_to_one(ranges))
        } else {
            text(&one_to_one(&[(own, 1)]))
        }
    };
    let child = Held::new(libc::CLONE_NEWUSER, 0).map_err(|errno| ("clone", errno))?;
    let write = |name: &'static str, text: &str| {
        write_proc_file(child.pid(), name, text).map_err(|errno| (name, errno))
    };

    if case.flags & EXECNS_SETGROUPS_ALLOW != 0 {
        write("setgroups", "allow")?;
    } else if case.flags & EXECNS_SETGROUPS_DENY != 0 || case.gid_map.is_empty() && !parent.maps_all
    {
        write("setgroups", "deny")?;
    }
    write(
        "uid_map",
        &or_default(&case.uid_map, &parent.uids, parent.uid),
    )?;
    write(
        "gid_map",
        &or_default(&case.gid_map, &parent.gids, parent.gid),
    )?;
    Ok(child)
}

/// How often each came out.
#[derive(Default)]
struct Tally {
    permitted: Cell<u32>,
    refused: Cell<u32>,
}

fn test(case: &Case, parent: &Parent, target: &Target, tally: &Tally) -> Result<(), TestCaseError> {
    prop_assume!(text(&case.uid_map).len() < PAGE && text(&case.gid_map).len() < PAGE);

    // What is found before a process looks at /proc.
    let malformed = case.flags == EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY
        || case.uid_map.len() > MAX_EXTENTS
        || case.gid_map.len() > MAX_EXTENTS;
    let classic = if malformed {
        Err(("arguments", libc::EINVAL))
    } else {
        classic(case, parent)
    };
    let expected = classic.as_ref().map(drop).map_err(|&(_, errno)| errno);
    let step = classic.as_ref().err();
    let request = Request {
        unshare_flags: libc::CLONE_NEWUSER as u64,
        flags: case.flags,
        uid_map: &case.uid_map,
        gid_map: &case.gid_map,
        ..Request::default()
    };
    let before = Caller::new(&NUMBERS).map_err(fail)?;
    let check = target.exec(&Request {
        at_flags: AT_EXECVE_CHECK,
        ..request
    });

    prop_assert_eq!(check, expected, "the check, and /proc ({:?})", step);
    prop_assert_eq!(before, Caller::new(&NUMBERS).map_err(fail)?);
    let tally = if check.is_ok() {
        &tally.permitted
    } else {
        &tally.refused
    };
    tally.set(tally.get() + 1);
    if case.real {
        let started = Running::start(target, &request);

        match (&started, &classic) {
            (Ok(program), Ok(child)) => {
                prop_assert_eq!(maps_of(program.pid())?, maps_of(child.pid())?);
            }
            _ => prop_assert_eq!(
                started.map(drop),
                expected,
                "the call, and /proc ({:?})",
                step
            ),
        }
    }
    Ok(())
}

#[test]
fn maps_are_permitted_and_read_as_those_written_to_proc() {
    let _alone = alone();
    let _watch = Stopwatch::new("maps");
    let seed = seed();

    for (i, privilege) in Privilege::every().into_iter().enumerate() {
        in_worker(|| {
            let target = Target::new(libc::AT_FDCWD, PROBE, &[]);
            let parent = privilege.take()?;
            let tally = Tally::default();
            let cases = cases(100);

            holds(seed.wrapping_add(i as u64), cases, &case(&parent), |case| {
                test(&case, &parent, &target, &tally)
            })
            .map_err(|error| format!("with the seed for {privilege:?}, {parent:?}: {error}"))?;
            // If little was permitted to who may map all, or refused, little was tested.
            let few = cases / 25;
            let (permitted, refused) = (tally.permitted.get(), tally.refused.get());
            if parent.maps_all && parent.uid != NO_ID && (permitted < few || refused < few) {
                return Err(format!(
                    "{permitted} of {cases} maps are permitted for {privilege:?}"
                ));
            }
            Ok(())
        })
        .unwrap();
    }
}
