// SPDX-License-Identifier: GPL-2.0

//! From a command line to the plan.

use execns_abi::{self as abi, ExecnsFd, ExecnsIdMap};
use execns_cli::grammar::Words;
use execns_cli::options::{Caller, Options, Problem, Propagation};
use execns_cli::plan::Plan;
use execns_cli::stage::Stage;
use linux_raw_sys::general::{CLOCK_BOOTTIME, CLONE_NEWNS, CLONE_NEWUSER};
use std::ffi::{CStr, CString};

const CALLER: Caller = Caller {
    euid: 1000,
    egid: 100,
    stdio: [true; 3],
};

fn with<T>(caller: Caller, line: &str, look: impl FnOnce(Result<Plan<'_>, Problem>) -> T) -> T {
    let words: Vec<CString> = line
        .split_whitespace()
        .map(|word| CString::new(word).unwrap())
        .collect();
    let (mut uids, mut gids) = ([ExecnsIdMap::default(); 8], [ExecnsIdMap::default(); 8]);
    let mut fds = [ExecnsFd::default(); 8];
    let mut options = Options::new(&mut uids, &mut gids, &mut fds);

    for given in Words::new(words.iter().map(CString::as_c_str)) {
        if let Err(problem) = options.give(given.unwrap(), &caller) {
            return look(Err(problem));
        }
    }
    look(Plan::new(options, &caller))
}

fn plan<T>(line: &str, look: impl FnOnce(Plan<'_>) -> T) -> T {
    with(CALLER, line, |plan| look(plan.unwrap()))
}

fn problem(line: &str) -> Option<Problem> {
    with(CALLER, line, |plan| plan.err())
}

fn range(inside: u32, outside: u32, count: u32) -> ExecnsIdMap {
    ExecnsIdMap {
        inside,
        outside,
        count,
    }
}

fn sorted(ranges: &[ExecnsIdMap]) -> Vec<ExecnsIdMap> {
    let mut ranges = ranges.to_vec();

    ranges.sort_by_key(|range| range.inside);
    ranges
}

#[test]
fn nothing_asked_for_is_nothing_done() {
    plan("prog -U", |plan| {
        assert_eq!((plan.unshare, plan.flags), (0, 0));
        assert!(plan.uid_map.is_empty() && plan.gid_map.is_empty());
        assert_eq!(plan.fds.len(), 3);
        assert_eq!(plan.stage, None);
    });
}

#[test]
fn namespaces_are_implied() {
    for (line, kinds) in [
        ("-UmpniuCT", 0x7e02_0080),
        ("-r", CLONE_NEWUSER),
        ("--map-users 0:0:1", CLONE_NEWUSER),
        ("--mount-proc", CLONE_NEWNS),
        ("-S 5 --wd / --root /", 0),
    ] {
        plan(line, |plan| assert_eq!(plan.unshare, kinds, "{line}"));
    }
}

#[test]
fn maps_are_of_the_caller() {
    plan("-r", |plan| {
        assert_eq!(*plan.uid_map, [range(0, 1000, 1)]);
        assert_eq!(*plan.gid_map, [range(0, 100, 1)]);
        assert_eq!(plan.flags, abi::EXECNS_SETGROUPS_DENY);
    });
    plan("-r -c", |plan| {
        assert_eq!(*plan.uid_map, [range(1000, 1000, 1)])
    });
    plan("-r --map-groups 0:0:5 --setgroups allow", |plan| {
        assert_eq!(sorted(&plan.gid_map), [range(0, 100, 1), range(1, 1, 4)]);
        assert_eq!(plan.flags, abi::EXECNS_SETGROUPS_ALLOW);
    });
}

#[test]
fn an_id_that_is_mapped_is_not_in_a_range() {
    plan("--map-users 0:100:10 --map-user 5", |plan| {
        assert_eq!(
            sorted(&plan.uid_map),
            [range(0, 100, 5), range(5, 1000, 1), range(6, 106, 4)]
        );
    });
    // It is in one range by its inner, and in another by its outer side.
    plan("--map-users 0:2000:3 --map-users 10:999:3 -r", |plan| {
        assert_eq!(
            sorted(&plan.uid_map),
            [
                range(0, 1000, 1),
                range(1, 2001, 2),
                range(10, 999, 1),
                range(12, 1001, 1)
            ]
        );
    });
}

#[test]
fn descriptors_take_the_place_of_standard_ones() {
    plan("--keep-fd 7 --keep-fd 5:1", |plan| {
        let mut fds: Vec<_> = plan.fds.iter().map(|fd| (fd.from, fd.to)).collect();

        fds.sort_unstable();
        assert_eq!(fds, [(0, 0), (2, 2), (5, 1), (7, 7)]);
    });
    plan("--close-stdio --keep-fd 2", |plan| {
        assert_eq!(*plan.fds, [ExecnsFd { from: 2, to: 2 }]);
    });
    let caller = Caller {
        stdio: [false, true, false],
        ..CALLER
    };
    with(caller, "", |plan| {
        assert_eq!(*plan.unwrap().fds, [ExecnsFd { from: 1, to: 1 }])
    });
}

#[test]
fn a_stage_does_what_can_not_be_done_outside() {
    for (line, staged) in [
        ("-rnS 0", false),
        ("-rS 0 -G 0", false),
        ("-w /tmp", false),
        ("-m --propagation unchanged", false),
        ("-m --propagation unchanged -R /", false),
        ("-m", true),
        ("-m --propagation unchanged -R / -w /", true),
        ("-R /", true),
        ("-S 0", true),
        ("-f", true),
        ("--kill-child", true),
        ("--mount-proc", true),
    ] {
        plan(line, |plan| {
            assert_eq!(plan.stage.is_some(), staged, "{line}")
        });
    }
}

#[test]
fn ids_are_set_once_those_before_are_not_needed() {
    plan("-r -S 3", |plan| {
        assert_eq!(plan.flags, abi::EXECNS_SETGROUPS_DENY | abi::EXECNS_SET_IDS);
        assert_eq!((plan.uid, plan.gid), (3, abi::SAME_ID));
    });
    plan("-U -G 3", |plan| {
        assert_eq!(plan.flags, abi::EXECNS_SET_IDS | abi::EXECNS_DROP_GROUPS)
    });
    plan("-U -S 3 -G 4 -f", |plan| {
        let stage = plan.stage.unwrap();

        assert_eq!(plan.flags, 0);
        assert_eq!((plan.uid, plan.gid), (0, 0));
        assert_eq!((stage.uid, stage.gid), (Some(3), Some(4)));
        assert!(stage.clear_groups);
    });
}

#[test]
fn roots_are_mounts_where_they_can_be() {
    let root = Some(c"/srv");

    plan("-rm -R /srv", |plan| {
        assert_eq!((plan.root, plan.stage.unwrap().root), (root, None));
        assert_ne!(plan.flags & abi::EXECNS_ROOT_FD, 0);
    });
    for line in ["-r -R /srv", "-rp --mount-proc -R /srv"] {
        plan(line, |plan| {
            assert_eq!(
                (plan.root, plan.stage.unwrap().root),
                (None, root),
                "{line}"
            );
            assert_eq!(plan.flags & abi::EXECNS_ROOT_FD, 0, "{line}");
        });
    }
}

#[test]
fn proc_of_a_pid_namespace_takes_a_child() {
    plan("--mount-proc", |plan| {
        assert!(!plan.stage.unwrap().fork);
    });
    plan("--mount-proc=/x -p", |plan| {
        let stage = plan.stage.unwrap();

        assert!(stage.fork);
        assert_eq!(stage.mount_proc, Some(c"/x"));
    });
}

#[test]
fn clocks_need_a_namespace() {
    plan("-T --boottime=-5", |plan| {
        assert_eq!(plan.nr_offsets, 1);
        assert_eq!(
            (plan.offsets[0].clock, plan.offsets[0].sec),
            (CLOCK_BOOTTIME as i32, -5)
        );
    });
    assert_eq!(problem("--monotonic 5"), Some(Problem::NeedsTime));
}

#[test]
fn what_is_wrong_is_told_apart() {
    for (line, expected) in [
        ("--setgroups deny", Problem::NeedsUser),
        ("-r --setgroups allow", Problem::AllowsGroups),
        ("-U --setgroups maybe", Problem::NotSetgroups),
        ("--map-user root", Problem::NotNumber),
        ("--map-user 4294967296", Problem::NotNumber),
        ("--map-users all", Problem::NotRange),
        ("--map-users 0:0", Problem::NotRange),
        ("--map-users 0:0:1:1", Problem::NotRange),
        ("--map-users 0,0:1", Problem::NotRange),
        ("--map-users 0:0:0", Problem::EmptyRange),
        ("--keep-fd x", Problem::NotDescriptor),
        ("--keep-fd 1:", Problem::NotDescriptor),
        ("--keep-fd 1:2:3", Problem::NotDescriptor),
        ("--keep-fd 3:5 --keep-fd 4:5", Problem::TwoDescriptors(5)),
        ("--kill-child=NONE", Problem::NotSignal),
        ("--propagation up", Problem::NotPropagation),
        ("--show", Problem::Elsewhere),
    ] {
        assert_eq!(problem(line), Some(expected), "{line}");
    }
    let many = "--keep-fd 9 ".repeat(9);
    assert_eq!(problem(&many), Some(Problem::TooMany));
}

#[test]
fn orders_are_understood() {
    for stage in [
        Stage {
            fork: true,
            kill_child: 64,
            propagation: Propagation::Private,
            root: None,
            wd: Some(c"/tmp"),
            mount_proc: Some(c"/proc"),
            clear_groups: true,
            uid: Some(0xfedc_ba98),
            gid: Some(0),
        },
        Stage {
            fork: false,
            kill_child: 0,
            propagation: Propagation::Unchanged,
            root: Some(c"/"),
            wd: None,
            mount_proc: None,
            clear_groups: false,
            uid: None,
            gid: None,
        },
    ] {
        let orders = stage.orders();
        let orders = CStr::from_bytes_with_nul(&orders).unwrap();

        assert_eq!(
            Stage::from_orders(orders, stage.paths()),
            Some(stage.clone())
        );
    }
    assert_eq!(Stage::from_orders(c"f", [c""; 3]), None);
    assert_eq!(Stage::from_orders(c"f0p-xxxxxxxx--------", [c""; 3]), None);
}
