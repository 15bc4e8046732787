// SPDX-License-Identifier: GPL-2.0

//! What the crate tells about a call that the kernel refuses: these run as root in the guest.

use execns::{Argument, Clock, Descriptor, Error, ErrorKind, Execns, Ids, MapFault};
use execns::{Namespaces, Setgroups};
use execns_guest::programs::{as_user, sh};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::fs::{self, File};
use std::os::fd::AsRawFd;

fn kind(result: Result<(), Error>) -> ErrorKind {
    result.expect_err("it is refused").kind().clone()
}

#[test]
fn descriptors_are_blamed() {
    let none = || Descriptor::from_number(900);
    let bad = |argument| ErrorKind::BadDescriptor {
        from: 900,
        argument,
    };
    let null = File::open("/dev/null").unwrap();

    assert_eq!(
        kind(sh("").keep_stdio().keep(none(), 3).check()),
        bad(Argument::Descriptors)
    );
    assert_eq!(
        kind(sh("").unshare(Namespaces::MOUNT).root(none()).check()),
        bad(Argument::Root)
    );
    assert_eq!(
        kind(Execns::from_fd(none()).check()),
        bad(Argument::Program)
    );
    assert_eq!(
        kind(sh("").keep(&null, 7).keep(&null, 7).check()),
        ErrorKind::DuplicateTarget { to: 7 }
    );
    assert!(matches!(
        kind(sh("").unshare(Namespaces::MOUNT).root(&null).check()),
        ErrorKind::NotADirectory {
            argument: Argument::Root,
            ..
        }
    ));
    let old = getrlimit(Resource::Nofile);
    let lower = Rlimit {
        current: Some(50),
        ..old
    };
    setrlimit(Resource::Nofile, lower).unwrap();
    let high = kind(sh("").keep(&null, 50).check());
    let mut many = sh("");
    for to in 0..51 {
        many.keep(&null, to);
    }
    let many = kind(many.check());
    setrlimit(Resource::Nofile, old).unwrap();
    assert_eq!(high, ErrorKind::TargetTooHigh { to: 50, limit: 50 });
    assert_eq!(
        many,
        ErrorKind::TooManyDescriptors {
            count: 51,
            limit: 50
        }
    );
}

#[test]
fn what_is_malformed_is_blamed() {
    let user = Namespaces::USER;
    let time = Namespaces::TIME;

    assert_eq!(
        kind(sh("").map_uid(0, 0, 1).check()),
        ErrorKind::NeedsNamespace {
            argument: Argument::Map(Ids::Uid),
            namespace: user
        }
    );
    assert_eq!(
        kind(
            sh("")
                .unshare(user)
                .map_gid(0, 0, 2)
                .map_gid(1, 5, 1)
                .check()
        ),
        ErrorKind::Map {
            which: Ids::Gid,
            line: 1,
            why: MapFault::Overlap { with: 0 }
        }
    );
    assert_eq!(
        kind(sh("").unshare(user).map_uid(0, 1, u32::MAX).check()),
        ErrorKind::Map {
            which: Ids::Uid,
            line: 0,
            why: MapFault::Overflow
        }
    );
    assert_eq!(
        kind(sh("").unshare(Namespaces::EMPTY_MOUNT).check()),
        ErrorKind::NeedsProgramDescriptor
    );
    let offset = |secs, nanos| {
        kind(
            sh("")
                .unshare(time)
                .time_offset(Clock::Monotonic, secs, nanos)
                .check(),
        )
    };
    assert_eq!(offset(1, 1_000_000_000), ErrorKind::TimeOffset { line: 0 });
    assert_eq!(offset(i64::MAX / 2, 0), ErrorKind::TimeOffset { line: 0 });
    let unknown = Namespaces::from_bits_retain(1 << 40);
    assert_eq!(
        kind(sh("").unshare(unknown | Namespaces::UTS).check()),
        ErrorKind::RefusedNamespaces {
            namespaces: unknown
        }
    );
}

#[test]
fn what_is_not_permitted_is_blamed() {
    let user = Namespaces::USER;
    let denied = |argument| move |kind: &ErrorKind| matches!(kind, ErrorKind::NotPermitted { argument: of, .. } if *of == argument);
    let check = |program: &mut Execns<'_>| {
        let error = program.check().unwrap_err();

        assert_eq!(error.raw_os_error(), Some(libc::EPERM), "{error:#}");
        error.kind().clone()
    };

    as_user(|| {
        let namespaces = check(sh("").unshare(Namespaces::UTS));
        assert!(denied(Argument::Namespaces)(&namespaces), "{namespaces}");
        let map = check(
            sh("")
                .unshare(user)
                .map_uid(0, 1000, 1)
                .map_uid(1, 100_000, 5),
        );
        assert_eq!(
            map,
            ErrorKind::Map {
                which: Ids::Uid,
                line: 1,
                why: MapFault::NotPermitted
            }
        );
        let setgroups = check(sh("").unshare(user).map_gid(0, 1000, 1));
        assert!(denied(Argument::Setgroups)(&setgroups), "{setgroups}");
        let gid = check(
            sh("")
                .unshare(user)
                .map_gid(0, 0, 1)
                .setgroups(Setgroups::Deny),
        );
        assert!(
            matches!(
                gid,
                ErrorKind::Map {
                    which: Ids::Gid,
                    ..
                }
            ),
            "{gid}"
        );
    });
}

#[test]
fn limits_are_blamed() {
    let path = "/proc/sys/user/max_uts_namespaces";
    let old = fs::read(path).unwrap();
    let mut program = sh("");

    program.unshare(Namespaces::UTS | Namespaces::IPC);
    fs::write(path, "0").unwrap();
    let result = program.check();
    fs::write(path, old).unwrap();
    assert_eq!(
        kind(result),
        ErrorKind::LimitReached {
            namespaces: Namespaces::UTS
        }
    );
}

#[test]
fn programs_are_blamed() {
    let null = File::open("/dev/null").unwrap();
    let by_link = format!("/proc/self/fd/{}", null.as_raw_fd());

    for (path, errno) in [
        ("/nonexistent", libc::ENOENT),
        ("/etc/passwd", libc::EACCES),
        ("/etc/passwd/x", libc::ENOTDIR),
        (&by_link, libc::ELOOP),
    ] {
        for error in [
            Execns::new(path).check().unwrap_err(),
            Execns::new(path).spawn().unwrap_err(),
            Execns::new(path).exec(),
        ] {
            assert_eq!(error.raw_os_error(), Some(errno), "{error:#}");
            assert!(
                matches!(error.kind(), ErrorKind::Program { .. }),
                "{error:#}"
            );
        }
    }
    fs::remove_file("/tmp/crate.link").unwrap_or(());
    std::os::unix::fs::symlink("/bin/busybox", "/tmp/crate.link").unwrap();
    let error = Execns::new("/tmp/crate.link")
        .nofollow()
        .check()
        .unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ELOOP), "{error:#}");
    Execns::new("/tmp/crate.link").check().unwrap();
    fs::remove_file("/tmp/crate.link").unwrap();
}
