// SPDX-License-Identifier: GPL-2.0

//! What the fuzzer compares, with snapshots that are made up: each difference is told, by its name.
//! These need no kernel that has the call.

use execns_abi::{AT_EXECVE_CHECK, ExecnsFd, ExecnsIdMap, UNSHARE_EMPTY_MNTNS};
use execns_guest::fuzz::call::{Call, Form, Place};
use execns_guest::fuzz::circumstance::Circumstance;
use execns_guest::fuzz::left::{self, Left};
use execns_guest::fuzz::model::{self, Caller, Who, expect};
use execns_guest::fuzz::name::Name;
use execns_guest::fuzz::program::{self, Seen, Wanted};
use execns_guest::fuzz::random::Random;
use execns_guest::fuzz::snapshot::{self, Snapshot, WORDS};
use execns_guest::fuzz::{generate, strace};
use std::collections::{BTreeMap, BTreeSet};

fn snapshot() -> Snapshot {
    std::array::from_fn(|i| 1000 + i as u64)
}

#[test]
fn each_word_of_a_snapshot_is_told() {
    let before = snapshot();
    let mut names = BTreeSet::new();

    assert_eq!(snapshot::differences(&before, &before), "");
    for word in 0..WORDS {
        let mut after = before;
        after[word] ^= 1;
        let text = snapshot::differences(&before, &after);

        assert!(text.starts_with(&snapshot::name(word)), "{text}");
        names.insert(snapshot::name(word));
    }
    assert_eq!(names.len(), WORDS, "a name is that of two words");
}

/// A program in new UTS and user namespaces, with a descriptor, and what it has to be.
fn program() -> (Wanted, Seen) {
    let caller = snapshot();
    let mut seen = Seen {
        namespaces: std::array::from_fn(|i| caller[i]),
        descriptors: BTreeMap::from([(3, (7, false))]),
        threads: "1".into(),
        uid: "5 5 5 5".into(),
        gid: "6 6 6 6".into(),
        groups: String::new(),
        caught: "0000000000000000".into(),
        uid_map: "0 5 1".into(),
        gid_map: "0 6 1".into(),
        capabilities: std::array::from_fn(|_| "0000000000000000".into()),
        root: 20,
        offsets: "monotonic 0 0 boottime 0 0".into(),
        semaphore: 2,
    };
    seen.namespaces[1] = 1;
    seen.namespaces[3] = 2;
    let wanted = Wanted {
        new: (libc::CLONE_NEWUTS | libc::CLONE_NEWUSER) as u64,
        descriptors: BTreeMap::from([(3, 7)]),
        one_more: false,
        uid: Some("5 5 5 5".into()),
        gid: Some("6 6 6 6".into()),
        groups: Some(String::new()),
        uid_map: Some(vec![[0, 5, 1]]),
        gid_map: Some(vec![[0, 6, 1]]),
        capabilities: Some(std::array::from_fn(|_| "0000000000000000".into())),
        root: Some(20),
        offsets: "monotonic 0 0 boottime 0 0".into(),
        semaphore: Some(2),
    };
    (wanted, seen)
}

#[test]
fn each_difference_of_a_program_is_told() {
    type Change = fn(&mut Seen);
    let changes: [(&str, Change); 17] = [
        ("mnt namespace", |seen| seen.namespaces[0] = 9),
        ("uts namespace", |seen| seen.namespaces[1] = snapshot()[1]),
        ("time_for_children namespace", |seen| seen.namespaces[8] = 9),
        ("pid namespace", |seen| seen.namespaces[9] = 9),
        ("descriptors", |seen| {
            seen.descriptors.insert(4, (8, false));
        }),
        ("descriptors", |seen| seen.descriptors.clear()),
        ("descriptors", |seen| {
            seen.descriptors.insert(3, (8, false));
        }),
        ("descriptors", |seen| {
            seen.descriptors.insert(3, (7, true));
        }),
        ("threads", |seen| seen.threads = "2".into()),
        ("caught signals", |seen| {
            seen.caught = "0000000000000200".into()
        }),
        ("uid", |seen| seen.uid = "5 0 0 0".into()),
        ("groups", |seen| seen.groups = "7".into()),
        ("gid_map", |seen| seen.gid_map = "0 6 2".into()),
        ("bounding capabilities", |seen| {
            seen.capabilities[2] = "0000000000000001".into()
        }),
        ("root directory", |seen| seen.root = 21),
        ("clock offsets", |seen| {
            seen.offsets = "monotonic 1 0 boottime 0 0".into()
        }),
        ("semaphore", |seen| seen.semaphore = 1),
    ];
    let (wanted, seen) = program();

    assert_eq!(program::differences(&wanted, &seen, &snapshot()), "");
    for (name, change) in changes {
        let mut other = seen.clone();
        change(&mut other);
        let text = program::differences(&wanted, &other, &snapshot());

        assert!(text.starts_with(name), "{name}: {text}");
    }
}

#[test]
fn the_descriptor_of_binfmt_misc_is_one_from_3_on() {
    let (mut wanted, mut seen) = program();

    wanted.one_more = true;
    assert_ne!(program::differences(&wanted, &seen, &snapshot()), "");
    seen.descriptors.insert(2, (8, false));
    assert_ne!(program::differences(&wanted, &seen, &snapshot()), "");
    seen.descriptors.remove(&2);
    seen.descriptors.insert(4, (8, false));
    assert_eq!(program::differences(&wanted, &seen, &snapshot()), "");
}

#[test]
fn what_is_left_is_told() {
    let before = Left {
        namespaces: [1, 2, 3].into(),
        mounts: 4,
        users: 5,
        semaphores: 6,
        objects: BTreeMap::from([("nsproxy".into(), 100)]),
    };
    let told = |change: fn(&mut Left)| {
        let mut after = before.clone();
        change(&mut after);
        left::differences(&before, &after)
    };

    assert_eq!(told(|_| ()), "");
    assert_eq!(
        told(|left| left.namespaces = [1, 3, 9].into()),
        "1 namespaces"
    );
    assert_eq!(told(|left| left.namespaces = [1].into()), "");
    assert_eq!(told(|left| left.mounts += 2), "2 mounts");
    assert_eq!(told(|left| left.users += 1), "1 users");
    assert_eq!(told(|left| left.semaphores += 1), "1 semaphores");
    assert_eq!(
        told(|left| left.objects = BTreeMap::from([("nsproxy".into(), 600)])),
        "500 objects of nsproxy"
    );
}

fn caller(who: Who) -> Caller {
    Caller {
        who,
        uid: 1000,
        gid: 1000,
        open: (0..18).map(|fd| (fd, u64::from(fd))).collect(),
    }
}

/// The one errno of a call, or `None` if it succeeds.
fn errno_of(who: Who, change: impl FnOnce(&mut Call)) -> Option<i32> {
    let mut call = Call::default();
    change(&mut call);
    let expected = expect(&call, &caller(who), &[]);
    let errnos: Vec<_> = expected.errnos.into_iter().collect();

    assert_eq!(errnos.len(), usize::from(!expected.success), "{errnos:?}");
    errnos.first().copied()
}

#[test]
fn the_model_is_the_manual() {
    let root = |change: fn(&mut Call)| errno_of(Who::Root, change);
    let user = |change: fn(&mut Call)| errno_of(Who::User, change);
    let pair = |to| ExecnsFd { from: 3, to };

    assert_eq!(root(|_| ()), None);
    assert_eq!(root(|call| call.unshare_flags = 0x1000), Some(libc::EINVAL));
    assert_eq!(root(|call| call.size = 79), Some(libc::EINVAL));
    assert_eq!(root(|call| call.size = 4097), Some(libc::E2BIG));
    assert_eq!(root(|call| call.reserved = 1), Some(libc::EINVAL));
    assert_eq!(root(|call| call.place = Place::Null), Some(libc::EFAULT));
    assert_eq!(root(|call| call.fds.form = Form::Hole), Some(libc::EFAULT));
    assert_eq!(
        root(|call| call.name = Name::TooLong),
        Some(libc::ENAMETOOLONG)
    );
    assert_eq!(
        root(|call| (call.size, call.beyond) = (90, Some(89))),
        Some(libc::E2BIG)
    );
    assert_eq!(root(|call| (call.size, call.beyond) = (89, Some(89))), None);
    assert_eq!(
        root(|call| call.unshare_flags = UNSHARE_EMPTY_MNTNS),
        Some(libc::EINVAL)
    );
    assert_eq!(
        errno_of(Who::Root, |call| call.fds.elements = vec![pair(4), pair(4)]),
        Some(libc::EINVAL)
    );
    assert_eq!(
        errno_of(Who::Root, |call| call.fds.elements = vec![pair(700)]),
        Some(libc::EBADF)
    );
    assert_eq!(
        user(|call| call.unshare_flags = model::MOUNT),
        Some(libc::EPERM)
    );
    assert_eq!(
        user(|call| call.unshare_flags = model::MOUNT | model::USER),
        None
    );
    assert_eq!(
        errno_of(Who::Chrooted, |call| call.unshare_flags = model::USER),
        Some(libc::EPERM)
    );
    // A map that has an id twice.
    assert_eq!(
        root(|call| {
            let line = |inside| ExecnsIdMap {
                inside,
                outside: 10 * inside,
                count: 3,
            };
            call.unshare_flags = model::USER;
            call.uid_map.elements = vec![line(1), line(3)];
        }),
        Some(libc::EINVAL)
    );
}

#[test]
fn a_filter_is_asked_about_what_a_call_amounts_to() {
    let denied = |call: &Call, number| {
        let filter = [(number, libc::SECCOMP_RET_ERRNO | libc::EXDEV as u32)];
        expect(call, &caller(Who::Root), &filter)
            .errnos
            .first()
            .copied()
    };
    let mut call = Call::default();

    assert_eq!(denied(&call, libc::SYS_execveat), Some(libc::EPERM));
    assert_eq!(denied(&call, libc::SYS_execve), None);
    assert_eq!(denied(&call, libc::SYS_unshare), None);
    call.unshare_flags = libc::CLONE_FILES as u64;
    assert_eq!(denied(&call, libc::SYS_unshare), Some(libc::EPERM));
    assert_eq!(denied(&call, execns_abi::SYS_EXECNSAT), Some(libc::EXDEV));
    call.plain = true;
    assert_eq!(denied(&call, libc::SYS_execve), Some(libc::EPERM));
    assert_eq!(denied(&call, execns_abi::SYS_EXECNSAT), None);
}

#[test]
fn a_case_is_a_function_of_its_seed_and_number() {
    let text = |seed, number| {
        let mut random = Random::new(seed, number);
        let circumstance = Circumstance::new(&mut random, true, true);
        let call = generate::call(&mut random, &caller(Who::Root));
        format!("{circumstance:?} {}", strace::call(&call))
    };

    assert_eq!(text(1, 2), text(1, 2));
    assert_ne!(text(1, 2), text(1, 3));
    assert_ne!(text(1, 2), text(2, 2));
}

#[test]
fn a_call_is_written_as_strace_does() {
    let call = Call {
        unshare_flags: model::USER | 1 << 40,
        at_flags: AT_EXECVE_CHECK,
        reserved: 7,
        ..Call::default()
    };

    assert_eq!(
        strace::call(&call),
        "execnsat(AT_FDCWD, \"/tmp/fuzz/agent\", [\"x\"], [], \
         {unshare_flags=CLONE_NEWUSER|0x10000000000, at_flags=AT_EXECVE_CHECK, reserved=7}, 80)"
    );
}
