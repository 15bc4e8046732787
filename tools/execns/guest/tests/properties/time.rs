// SPDX-License-Identifier: GPL-2.0

//! Offsets of clocks, against what the same caller can write to `/proc/PID/timens_offsets`.

use crate::{Stopwatch, alone, cases, fail, holds, seed};
use execns_abi::{AT_EXECVE_CHECK, ExecnsTimeOffset};
use execns_guest::privilege::Privilege;
use execns_guest::probe::{Caller, NUMBERS, PROBE, Running, in_worker, proc_file, write_proc_file};
use execns_guest::sys::at::{Held, Request, Target};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use rustix::thread::CapabilitySet;

const NAME: &str = "timens_offsets";

/// The most seconds that a ktime_t has. Half of it is too late for a clock.
const MAX: i64 = i64::MAX / 1_000_000_000;

#[derive(Clone, Debug)]
struct Case {
    user: bool,
    time: bool,
    offsets: Vec<ExecnsTimeOffset>,
}

fn offset() -> impl Strategy<Value = ExecnsTimeOffset> {
    // Far enough from where a clock would be before its start or too late, whatever it shows now.
    let sec = prop_oneof![
        5 => -1..1_000_000i64,
        1 => -1_000_000_000..-1_000_000i64,
        2 => select(vec![MAX / 2 - 1_000_000, MAX / 2 + 1, MAX, MAX + 1, -MAX, -MAX - 1]),
        1 => select(vec![i64::MAX, i64::MIN, i64::MAX - 1, i64::MIN + 1]),
        1 => any::<i64>().prop_filter("far from now", |sec| !(-1_000_000..-1).contains(sec)),
    ];
    let nsec = prop_oneof![
        5 => 0..1_000_000_000i64,
        1 => select(vec![0, -1, 999_999_999, 1_000_000_000, i64::MAX, i64::MIN]),
    ];
    let clock = prop_oneof![
        8 => select(vec![libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME]),
        1 => select(vec![libc::CLOCK_REALTIME, 2, 4, 6, 8, 11, -1, i32::MAX]),
    ];
    let reserved = prop_oneof![30 => Just(0), 1 => 1..=u32::MAX];

    (clock, reserved, sec, nsec).prop_map(|(clock, reserved, sec, nsec)| ExecnsTimeOffset {
        clock,
        reserved,
        sec,
        nsec,
    })
}

fn case() -> impl Strategy<Value = Case> {
    (
        any::<bool>(),
        prop::bool::weighted(0.95),
        prop::collection::vec(offset(), 0..4),
    )
        .prop_map(|(user, time, offsets)| Case {
            user,
            time,
            offsets,
        })
}

/// The classic way, by a child that waits in its user namespace, if it has one, and has made a time
/// namespace for children of its own.
fn classic(case: &Case, offsets: &[ExecnsTimeOffset]) -> Result<Held, i32> {
    let user = if case.user { libc::CLONE_NEWUSER } else { 0 };
    let time = if case.time { libc::CLONE_NEWTIME } else { 0 };
    let child = Held::new(user, time)?;
    let text: String = offsets
        .iter()
        .map(|offset| format!("{} {} {}\n", offset.clock, offset.sec, offset.nsec))
        .collect();

    if !text.is_empty() {
        write_proc_file(child.pid(), NAME, &text)?;
    }
    Ok(child)
}

fn test(case: &Case, target: &Target) -> Result<(), TestCaseError> {
    // Arguments are looked at before a namespace is made.
    let clocks = [libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME];
    let malformed = case.offsets.len() > 2
        || case.offsets.iter().any(|offset| {
            offset.reserved != 0
                || !clocks.contains(&offset.clock)
                || !(0..1_000_000_000).contains(&offset.nsec)
        })
        || !case.time && !case.offsets.is_empty();
    let classic = if malformed {
        Err(libc::EINVAL)
    } else {
        classic(case, &case.offsets)
    };
    let flag = |is_set, flag: i32| if is_set { flag as u64 } else { 0 };
    let request = Request {
        unshare_flags: flag(case.user, libc::CLONE_NEWUSER) | flag(case.time, libc::CLONE_NEWTIME),
        time_offsets: &case.offsets,
        ..Request::default()
    };
    let before = Caller::new(&NUMBERS).map_err(fail)?;
    let check = target.exec(&Request {
        at_flags: AT_EXECVE_CHECK,
        ..request
    });

    prop_assert_eq!(
        check.err(),
        classic.as_ref().err().copied(),
        "the check, and /proc"
    );
    prop_assert_eq!(before, Caller::new(&NUMBERS).map_err(fail)?);
    let started = Running::start(target, &request);
    match (&started, &classic) {
        (Ok(program), Ok(child)) => {
            let read = |pid| proc_file(pid, NAME).map_err(fail);

            prop_assert_eq!(read(program.pid())?, read(child.pid())?);
        }
        _ => prop_assert_eq!(started.map(drop), check, "the call, and the check"),
    }
    Ok(())
}

#[test]
fn time_offsets_are_those_written_to_proc() {
    let _alone = alone();
    let _watch = Stopwatch::new("time offsets");
    let seed = seed();

    for privilege in [
        Privilege::ROOT,
        Privilege::ROOT.without(CapabilitySet::SYS_TIME),
        Privilege::ROOT.without(CapabilitySet::SYS_ADMIN),
        Privilege::USER,
    ] {
        in_worker(|| {
            let target = Target::new(libc::AT_FDCWD, PROBE, &[]);

            privilege.take()?;
            holds(seed, cases(300), &case(), |case| test(&case, &target))
                .map_err(|error| format!("with the seed for {privilege:?}: {error}"))
        })
        .unwrap();
    }
}
