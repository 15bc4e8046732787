// SPDX-License-Identifier: GPL-2.0

//! Words of flags, against a model of which are wrong, and which namespaces of the program are new.

use crate::{Stopwatch, alone, cases, fail, holds, seed};
use execns_abi::{
    AT_EMPTY_PATH, AT_EXECVE_CHECK, AT_SYMLINK_NOFOLLOW, EXECNS_DROP_GROUPS, EXECNS_ROOT_FD,
    EXECNS_SET_IDS, EXECNS_SETGROUPS_ALLOW, EXECNS_SETGROUPS_DENY, UNSHARE_EMPTY_MNTNS,
};
use execns_guest::privilege::Privilege;
use execns_guest::probe::{Caller, NUMBERS, PROBE, Running, in_worker, keep_out_of_the_way};
use execns_guest::sys::at::{Request, Target, place};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use rustix::fs::{Mode, OFlags};
use std::collections::BTreeSet;
use std::fs;

const fn bit(flag: i32) -> u64 {
    flag as u32 as u64
}

/// The kinds of namespaces: the flag, and what `/proc/PID/ns` has of it.
const KINDS: [(u64, &[&str]); 8] = [
    (bit(libc::CLONE_NEWNS), &["mnt"]),
    (bit(libc::CLONE_NEWUTS), &["uts"]),
    (bit(libc::CLONE_NEWIPC), &["ipc"]),
    (bit(libc::CLONE_NEWUSER), &["user"]),
    (bit(libc::CLONE_NEWPID), &["pid_for_children"]),
    (bit(libc::CLONE_NEWNET), &["net"]),
    (bit(libc::CLONE_NEWCGROUP), &["cgroup"]),
    (bit(libc::CLONE_NEWTIME), &["time", "time_for_children"]),
];

const USER: u64 = bit(libc::CLONE_NEWUSER);
const MOUNT: u64 = bit(libc::CLONE_NEWNS);

/// All that unshare_flags can have.
fn known() -> u64 {
    let others = libc::CLONE_FS
        | libc::CLONE_SYSVSEM
        | libc::CLONE_FILES
        | libc::CLONE_VM
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD;

    kinds() | bit(others) | UNSHARE_EMPTY_MNTNS
}

fn kinds() -> u64 {
    KINDS.iter().fold(0, |all, (flag, _)| all | flag)
}

const AT: u32 = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK;
const FLAGS: u32 = OF_USER | EXECNS_ROOT_FD;

/// Those that a new user namespace is needed for. The ids to set are zero here.
const OF_USER: u32 =
    EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY | EXECNS_SET_IDS | EXECNS_DROP_GROUPS;

/// How the program is given.
#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Path,
    Link,
    Descriptor,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Root {
    Zero,
    Directory,
    File,
    Closed,
}

#[derive(Clone, Debug)]
struct Case {
    unshare_flags: u64,
    at_flags: u32,
    flags: u32,
    reserved: u32,
    root: Root,
    by: By,
}

/// Which errors there are. Those of the arguments come before the others.
fn model(case: &Case, is_root: bool) -> BTreeSet<i32> {
    let has = |flag| case.unshare_flags & flag != 0;
    let empty = has(UNSHARE_EMPTY_MNTNS);
    let at = |flag| case.at_flags & flag != 0;
    let setgroups = case.flags & (EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY);
    let root = case.flags & EXECNS_ROOT_FD != 0;

    if case.unshare_flags & !known() != 0
        || case.at_flags & !AT != 0
        || case.flags & !FLAGS != 0
        || case.reserved != 0
        || setgroups == EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY
        || case.flags & OF_USER != 0 && !has(USER)
        || empty && !at(AT_EMPTY_PATH)
        || root && (empty || !has(MOUNT))
        || !root && case.root != Root::Zero
    {
        return [libc::EINVAL].into();
    }

    let mut errors = BTreeSet::new();
    if root && case.root == Root::Closed {
        errors.insert(libc::EBADF);
    }
    if root && matches!(case.root, Root::Zero | Root::File) {
        errors.insert(libc::ENOTDIR);
    }
    if !is_root && has((kinds() | UNSHARE_EMPTY_MNTNS) & !USER) && !has(USER) {
        errors.insert(libc::EPERM);
    }
    // Groups are denied by a map that is not given and that one has no right to.
    if !is_root && setgroups == EXECNS_SETGROUPS_ALLOW {
        errors.insert(libc::EPERM);
    }
    if case.flags & EXECNS_DROP_GROUPS != 0 && (!is_root || setgroups == EXECNS_SETGROUPS_DENY) {
        errors.insert(libc::EPERM);
    }
    // The root is not mapped where one may map but oneself.
    if case.flags & EXECNS_SET_IDS != 0 && !is_root {
        errors.insert(libc::EINVAL);
    }
    match case.by {
        By::Descriptor if !at(AT_EMPTY_PATH) => {
            errors.insert(libc::ENOENT);
        }
        By::Path | By::Link if empty => {
            errors.insert(libc::ENOENT);
        }
        By::Link if at(AT_SYMLINK_NOFOLLOW) => {
            errors.insert(libc::ELOOP);
        }
        _ => {}
    }
    errors
}

fn word(known: u64, bits: u32) -> impl Strategy<Value = u64> {
    let some = (any::<u64>(), any::<u64>()).prop_map(move |(a, b)| a & b & known);

    prop_oneof![
        10 => some.clone(),
        4 => any::<u64>().prop_map(move |a| a & known),
        1 => (some, 0..bits).prop_map(|(some, bit)| some ^ 1 << bit),
        1 => any::<u64>().prop_map(move |a| a & (u64::MAX >> (64 - bits))),
    ]
}

fn case() -> impl Strategy<Value = Case> {
    (
        word(known(), 64),
        prop_oneof![2 => Just(0), 5 => word(AT.into(), 32)],
        prop_oneof![5 => Just(0), 5 => word(FLAGS.into(), 32)],
        prop_oneof![20 => Just(0), 1 => any::<u32>()],
        select(vec![Root::Zero, Root::Directory, Root::File, Root::Closed]),
        select(vec![
            By::Path,
            By::Path,
            By::Link,
            By::Descriptor,
            By::Descriptor,
        ]),
        prop::bool::weighted(0.8),
    )
        .prop_map(
            |(unshare_flags, at_flags, flags, reserved, root, by, fits)| {
                let mut case = Case {
                    unshare_flags,
                    at_flags: at_flags as u32,
                    flags: flags as u32,
                    reserved,
                    root,
                    by,
                };

                // A network namespace costs more than all others together.
                if reserved != 0 || at_flags & 1 << 8 == 0 {
                    case.unshare_flags &= !bit(libc::CLONE_NEWNET);
                }
                // Mostly what can be right.
                if fits {
                    if by == By::Descriptor {
                        case.at_flags |= AT_EMPTY_PATH;
                    }
                    if case.flags & EXECNS_ROOT_FD == 0 {
                        case.root = Root::Zero;
                    } else {
                        case.unshare_flags |= MOUNT;
                        case.unshare_flags &= !UNSHARE_EMPTY_MNTNS;
                    }
                    if case.flags & OF_USER != 0 {
                        case.unshare_flags |= USER;
                    }
                }
                case
            },
        )
}

/// What `/proc/PID/ns` has by a name. A PID namespace without a process has nothing.
fn namespace(pid: i32, name: &str) -> Result<Option<String>, TestCaseError> {
    match fs::read_link(format!("/proc/{pid}/ns/{name}")) {
        Ok(link) => Ok(Some(link.to_string_lossy().into_owned())),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) && name == "pid_for_children" => {
            Ok(None)
        }
        Err(error) => Err(fail(format!("{name}: {error}"))),
    }
}

struct World {
    is_root: bool,
    me: i32,
    directory: i32,
    file: i32,
    path: Target,
    link: Target,
    descriptor: Target,
}

impl World {
    fn new(is_root: bool) -> Result<Self, String> {
        let link = c"/tmp/execns-probe-link";
        let open = |path, flags| {
            rustix::fs::open(path, flags | OFlags::CLOEXEC, Mode::empty())
                .map(keep_out_of_the_way)
                .map_err(|error| error.to_string())
        };
        let file = open(PROBE, OFlags::PATH)?;

        // The number 0 is a descriptor as any other.
        place(file, 0, false).map_err(|error| error.to_string())?;
        rustix::fs::unlink(link).ok();
        rustix::fs::symlink(PROBE, link).map_err(|error| error.to_string())?;
        Ok(Self {
            is_root,
            me: rustix::process::getpid().as_raw_nonzero().get(),
            directory: open(c"/", OFlags::DIRECTORY)?,
            file,
            path: Target::new(libc::AT_FDCWD, PROBE, &[]),
            link: Target::new(libc::AT_FDCWD, link, &[]),
            descriptor: Target::new(file, c"", &[]),
        })
    }

    fn test(&self, case: &Case) -> Result<(), TestCaseError> {
        let errors = model(case, self.is_root);
        let target = match case.by {
            By::Path => &self.path,
            By::Link => &self.link,
            By::Descriptor => &self.descriptor,
        };
        let request = Request {
            unshare_flags: case.unshare_flags,
            at_flags: case.at_flags,
            flags: case.flags,
            reserved: case.reserved,
            root_fd: match case.root {
                Root::Zero => 0,
                Root::Directory => self.directory,
                Root::File => self.file,
                Root::Closed => 500,
            },
            ..Request::default()
        };
        let before = Caller::new(&NUMBERS).map_err(fail)?;
        let check = target.exec(&Request {
            at_flags: case.at_flags | AT_EXECVE_CHECK,
            ..request
        });

        match check {
            Ok(()) => prop_assert!(errors.is_empty(), "0, and not one of {:?}", errors),
            Err(errno) => {
                prop_assert!(
                    errors.contains(&errno),
                    "{}, and not one of {:?}",
                    errno,
                    errors
                );
            }
        }
        prop_assert_eq!(before, Caller::new(&NUMBERS).map_err(fail)?);
        if case.at_flags & AT_EXECVE_CHECK != 0 {
            return Ok(());
        }
        match Running::start(target, &request) {
            Ok(program) => {
                prop_assert_eq!(check, Ok(()), "the check, and a program");
                self.look(case, program.pid())
            }
            Err(errno) => {
                prop_assert_eq!(check, Err(errno), "the check, and the call");
                Ok(())
            }
        }
    }

    fn look(&self, case: &Case, pid: i32) -> Result<(), TestCaseError> {
        for (flag, names) in KINDS {
            let empty = flag == MOUNT && case.unshare_flags & UNSHARE_EMPTY_MNTNS != 0;
            let new = case.unshare_flags & flag != 0 || empty;

            for name in names {
                let (theirs, mine) = (namespace(pid, name)?, namespace(self.me, name)?);

                prop_assert_eq!(theirs != mine, new, "{}: {:?}, {:?}", name, theirs, mine);
            }
        }
        prop_assert_eq!(namespace(pid, "pid")?, namespace(self.me, "pid")?);
        Ok(())
    }
}

fn run(privilege: Privilege, is_root: bool, default: u32) {
    let seed = seed();

    in_worker(|| {
        let world = World::new(is_root)?;
        privilege.take()?;
        holds(seed, cases(default), &case(), |case| world.test(&case))
    })
    .unwrap();
}

#[test]
fn flags_of_root_are_as_the_model_says() {
    let _alone = alone();
    let _watch = Stopwatch::new("flags of root");

    run(Privilege::ROOT, true, 800);
}

#[test]
fn flags_of_a_user_are_as_the_model_says() {
    let _alone = alone();
    let _watch = Stopwatch::new("flags of a user");

    run(Privilege::USER, false, 500);
}
