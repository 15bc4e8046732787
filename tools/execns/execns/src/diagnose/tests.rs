// SPDX-License-Identifier: GPL-2.0

//! The kernel is played by a function that refuses what the test says.

use super::*;
use crate::{Clock, Descriptor, Execns, Setgroups};

fn diagnose(program: &Execns<'_>, errno: i32, refuses: &dyn Fn(&Call) -> bool) -> ErrorKind {
    let prepared = program.prepare().unwrap();

    assert!(refuses(&prepared.call), "the whole call is refused");
    kind(&prepared.call, errno, &|call| {
        refuses(call).then_some(errno)
    })
}

/// What needs no kernel.
fn at_sight(program: &Execns<'_>, errno: i32) -> ErrorKind {
    diagnose(program, errno, &|_| true)
}

fn everything() -> Execns<'static> {
    let mut program = Execns::new("/bin/sh");

    program
        .unshare(Namespaces::USER | Namespaces::MOUNT | Namespaces::TIME | Namespaces::NET)
        .keep_stdio()
        .root(std::fs::File::open("/").unwrap())
        .map_uid(0, 1000, 1)
        .map_uid(1, 100_000, 10)
        .map_gid(0, 1000, 1)
        .map_gid(1, 100_000, 10)
        .setgroups(Setgroups::Allow)
        .time_offset(Clock::Monotonic, 1, 0)
        .time_offset(Clock::Boottime, 2, 0);
    program
}

#[test]
fn descriptors() {
    let bad = |from, argument| ErrorKind::BadDescriptor { from, argument };
    let none = || Descriptor::from_number(900);
    let mut kept = Execns::new("/bin/sh");
    let mut root = Execns::new("/bin/sh");
    let mut high = Execns::new("/bin/sh");

    kept.keep_stdio().keep(none(), 5);
    assert_eq!(
        at_sight(&kept, libc::EBADF),
        bad(900, Argument::Descriptors)
    );
    root.unshare(Namespaces::MOUNT).root(none());
    assert_eq!(at_sight(&root, libc::EBADF), bad(900, Argument::Root));
    assert_eq!(
        at_sight(&Execns::from_fd(none()), libc::EBADF),
        bad(900, Argument::Program)
    );
    assert_eq!(
        at_sight(&Execns::at(none(), "sh"), libc::EBADF),
        bad(900, Argument::Program)
    );
    // It is not looked at, and so the reason is another one.
    assert_eq!(
        at_sight(&Execns::at(none(), "/bin/sh"), libc::EBADF),
        ErrorKind::Other
    );
    high.keep(std::io::stdin(), i32::MAX);
    assert!(matches!(
        at_sight(&high, libc::EBADF),
        ErrorKind::TargetTooHigh { to: i32::MAX, .. }
    ));
}

#[test]
fn targets() {
    let mut twice = Execns::new("/bin/sh");
    let mut many = Execns::new("/bin/sh");
    let limit = getrlimit(Resource::Nofile).current.unwrap();

    twice.keep_stdio().keep(std::io::stdin(), 2);
    assert_eq!(
        at_sight(&twice, libc::EINVAL),
        ErrorKind::DuplicateTarget { to: 2 }
    );
    for to in 0..=limit {
        many.keep(Descriptor::from_number(0), to as i32);
    }
    assert_eq!(
        at_sight(&many, libc::EINVAL),
        ErrorKind::TooManyDescriptors {
            count: limit as usize + 1,
            limit
        }
    );
}

#[test]
fn directories() {
    let file = || std::fs::File::open("/proc/self/status").unwrap();
    let mut root = Execns::new("/bin/sh");
    let is_none = |kind, argument| match kind {
        ErrorKind::NotADirectory { argument: of, .. } => assert_eq!(of, argument),
        other => panic!("{other}"),
    };

    root.unshare(Namespaces::MOUNT).root(file());
    is_none(at_sight(&root, libc::ENOTDIR), Argument::Root);
    is_none(
        at_sight(&Execns::at(file(), "sh"), libc::ENOTDIR),
        Argument::Program,
    );
    assert!(matches!(
        at_sight(&Execns::new("/bin/sh/x"), libc::ENOTDIR),
        ErrorKind::Program { .. }
    ));
}

#[test]
fn arguments_without_their_namespace() {
    type Change<'a> = &'a dyn for<'p> Fn(&'p mut Execns<'static>) -> &'p mut Execns<'static>;
    let needs = |change: Change<'_>| {
        let mut program = Execns::new("/bin/sh");

        program.unshare(Namespaces::UTS);
        change(&mut program);
        match at_sight(&program, libc::EINVAL) {
            ErrorKind::NeedsNamespace {
                argument,
                namespace,
            } => (argument, namespace),
            other => panic!("{other}"),
        }
    };

    assert_eq!(
        needs(&|p| p.map_uid(0, 0, 1)),
        (Argument::Map(Ids::Uid), Namespaces::USER)
    );
    assert_eq!(
        needs(&|p| p.map_gid(0, 0, 1)),
        (Argument::Map(Ids::Gid), Namespaces::USER)
    );
    assert_eq!(
        needs(&|p| p.setgroups(Setgroups::Deny)),
        (Argument::Setgroups, Namespaces::USER)
    );
    assert_eq!(
        needs(&|p| p.time_offset(Clock::Boottime, 0, 1)),
        (Argument::TimeOffsets, Namespaces::TIME)
    );
    assert_eq!(
        needs(&|p| p.root(std::io::stdin())),
        (Argument::Root, Namespaces::MOUNT)
    );
}

#[test]
fn an_empty_mount_namespace() {
    let mut program = Execns::new("/bin/sh");

    program.unshare(Namespaces::EMPTY_MOUNT);
    assert_eq!(
        at_sight(&program, libc::EINVAL),
        ErrorKind::NeedsProgramDescriptor
    );
    program.root(std::io::stdin());
    assert_eq!(
        at_sight(&program, libc::EINVAL),
        ErrorKind::RootOfEmptyMount
    );
}

#[test]
fn maps() {
    let fault = |lines: &[(u32, u32, u32)]| {
        let mut program = Execns::new("/bin/sh");

        program.unshare(Namespaces::USER);
        for &(inside, outside, count) in lines {
            program.map_gid(inside, outside, count);
        }
        match at_sight(&program, libc::EINVAL) {
            ErrorKind::Map {
                which: Ids::Gid,
                line,
                why,
            } => Some((line, why)),
            // The form is all right, so the kernel is asked for the rest, and refuses all.
            ErrorKind::RefusedNamespaces { .. } => None,
            other => panic!("{other}"),
        }
    };
    let many: Vec<_> = (0..341).map(|i| (i, i, 1)).collect();

    assert_eq!(fault(&[(0, 0, 1), (1, 1, 0)]), Some((1, MapFault::Empty)));
    assert_eq!(fault(&[(1, 0, u32::MAX)]), Some((0, MapFault::Overflow)));
    assert_eq!(fault(&[(0, u32::MAX, 1)]), Some((0, MapFault::Overflow)));
    assert_eq!(fault(&[(0, u32::MAX - 1, 1)]), None);
    assert_eq!(fault(&[(0, 0, u32::MAX)]), None);
    assert_eq!(
        fault(&[(0, 0, 10), (20, 20, 10), (29, 40, 1)]),
        Some((2, MapFault::Overlap { with: 1 }))
    );
    assert_eq!(
        fault(&[(0, 10, 10), (20, 0, 11)]),
        Some((1, MapFault::Overlap { with: 0 }))
    );
    assert_eq!(fault(&[(0, 10, 10), (10, 0, 10)]), None);
    assert_eq!(fault(&many[..340]), None);
    assert_eq!(fault(&many), Some((340, MapFault::TooManyLines)));
}

#[test]
fn time_offsets() {
    let mut program = Execns::new("/bin/sh");

    program
        .unshare(Namespaces::TIME)
        .time_offset(Clock::Monotonic, 0, 0)
        .time_offset(Clock::Boottime, 0, 1_000_000_000);
    assert_eq!(
        at_sight(&program, libc::EINVAL),
        ErrorKind::TimeOffset { line: 1 }
    );
    program.time_offset(Clock::Boottime, 0, 0);
    assert_eq!(
        at_sight(&program, libc::EINVAL),
        ErrorKind::TooManyTimeOffsets
    );
    assert_eq!(
        diagnose(&everything(), libc::ERANGE, &|call| {
            call.time_offsets.iter().any(|offset| offset.sec == 2)
        }),
        ErrorKind::TimeOffset { line: 1 }
    );
}

#[test]
fn namespaces() {
    let net = |call: &Call| call.namespaces.contains(Namespaces::NET);
    let user = |call: &Call| call.namespaces.contains(Namespaces::USER);

    assert_eq!(
        diagnose(&everything(), libc::EINVAL, &net),
        ErrorKind::RefusedNamespaces {
            namespaces: Namespaces::NET
        }
    );
    for (refuses, namespaces) in [
        (&net as &dyn Fn(&Call) -> bool, Namespaces::NET),
        (&user, Namespaces::USER),
    ] {
        assert_eq!(
            diagnose(&everything(), libc::ENOSPC, refuses),
            ErrorKind::LimitReached { namespaces }
        );
    }
    assert!(matches!(
        diagnose(&everything(), libc::EINVAL, &|call| call.root_fd != 0),
        ErrorKind::Root { .. }
    ));
}

#[test]
fn permissions() {
    let argument =
        |refuses: &dyn Fn(&Call) -> bool| match diagnose(&everything(), libc::EPERM, refuses) {
            ErrorKind::NotPermitted { argument, .. } => (argument, 0),
            ErrorKind::Map {
                which,
                line,
                why: MapFault::NotPermitted,
            } => (Argument::Map(which), line),
            other => panic!("{other}"),
        };

    assert_eq!(argument(&|_| true), (Argument::Program, 0));
    assert_eq!(
        argument(&|call| !call.namespaces.is_empty()),
        (Argument::Namespaces, 0)
    );
    assert_eq!(argument(&|call| call.root_fd != 0), (Argument::Root, 0));
    let line = |outside| move |line: &ExecnsIdMap| line.outside == outside;
    assert_eq!(
        argument(&|call| call.uid_map.iter().any(line(100_000))),
        (Argument::Map(Ids::Uid), 1)
    );
    assert_eq!(
        argument(&|call| call.uid_map.len() > 1),
        (Argument::Map(Ids::Uid), 0)
    );
    assert_eq!(
        argument(&|call| call.gid_map.iter().any(line(100_000))),
        (Argument::Map(Ids::Gid), 1)
    );
    assert_eq!(
        argument(&|call| {
            !call.gid_map.is_empty() && call.flags & abi::EXECNS_SETGROUPS_DENY == 0
        }),
        (Argument::Setgroups, 0)
    );
    assert_eq!(
        argument(&|call| !call.time_offsets.is_empty()),
        (Argument::TimeOffsets, 0)
    );
}

#[test]
fn programs() {
    let hint = |program: &Execns<'_>, errno| match at_sight(program, errno) {
        ErrorKind::Program { path, hint } => (path.display().to_string(), hint.unwrap_or("")),
        other => panic!("{other}"),
    };
    let (path, why) = hint(&Execns::new("sh"), libc::ENOENT);

    assert_eq!((path.as_str(), why), ("sh", "PATH is not searched"));
    let (path, why) = hint(&Execns::from_fd(Descriptor::from_number(7)), libc::ENOENT);
    assert_eq!(path, "/dev/fd/7");
    assert!(why.contains("script"));
    let (_, why) = hint(&Execns::new("/proc/self/fd/7"), libc::ELOOP);
    assert!(why.contains("magic link"));
    let (_, why) = hint(&Execns::new("/bin/sh"), libc::EACCES);
    assert_eq!(why, "");
    assert_eq!(at_sight(&everything(), libc::E2BIG), ErrorKind::TooLong);
    assert_eq!(at_sight(&everything(), libc::ENOMEM), ErrorKind::Other);
    assert_eq!(
        at_sight(&everything(), libc::ENOSYS),
        ErrorKind::NotSupported
    );
}

#[test]
fn children() {
    let source = |errno| io::Error::from_raw_os_error(errno);

    for (cgroup, errno, blamed) in [
        (None, libc::EAGAIN, false),
        (Some(7), libc::EAGAIN, false),
        (Some(7), libc::EBADF, true),
    ] {
        let error = clone(cgroup, source(errno));

        assert_eq!(*error.kind(), ErrorKind::Clone { cgroup: blamed });
        assert!(error.trace().starts_with("clone3({flags=CLONE_VM|"));
        assert_eq!(error.trace().contains("cgroup="), cgroup.is_some());
    }
}

mod ids;
