// SPDX-License-Identifier: GPL-2.0

//! What a call returns, as the manual says. Errors are looked for in the order in which the kernel
//! finds them, so that mostly it is one.

use super::call::{Array, Call, Form, Place, Words};
use super::name::{FILES, Fate, Name};
use super::world::{self, LIMIT};
use execns_abi::*;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_long;

/// Who calls, and what the model knows of that.
#[derive(Clone, Debug)]
pub struct Caller {
    pub who: Who,
    pub uid: u32,
    pub gid: u32,
    /// What is open.
    pub open: BTreeMap<u32, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Who {
    /// With all capabilities, in the initial user namespace.
    Root,
    /// As `Root`, with another root directory, so that it has no `/proc`.
    Chrooted,
    /// Without capabilities, in the initial user namespace.
    User,
    /// Anybody else: whether something is permitted is not predicted.
    Other,
}

/// What may come out.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Expected {
    pub errnos: BTreeSet<i32>,
    pub success: bool,
    /// What the program may be killed by is no failure.
    pub may_die: bool,
}

impl Expected {
    fn error(errno: i32) -> Self {
        Self {
            errnos: [errno].into(),
            ..Self::default()
        }
    }

    pub fn allows(&self, result: Result<(), i32>) -> bool {
        match result {
            Ok(()) => self.success,
            Err(errno) => self.errnos.contains(&errno),
        }
    }

    /// Whether there will be a program, or a file is one.
    pub fn is_certain(&self) -> bool {
        self.success && self.errnos.is_empty() && !self.may_die
    }

    /// Anything that the manual names, too.
    pub fn or_anything(mut self) -> Self {
        self.errnos.extend(DOCUMENTED);
        self.success = true;
        self.may_die = true;
        self
    }
}

/// The errors of execve(2), and those that execns(2) adds.
pub const DOCUMENTED: [i32; 24] = [
    libc::E2BIG,
    libc::EACCES,
    libc::EAGAIN,
    libc::EBADF,
    libc::EFAULT,
    libc::EINVAL,
    libc::EIO,
    libc::EISDIR,
    libc::ELIBBAD,
    libc::ELOOP,
    libc::EMFILE,
    libc::ENAMETOOLONG,
    libc::ENFILE,
    libc::ENOENT,
    libc::ENOEXEC,
    libc::ENOMEM,
    libc::ENOSPC,
    libc::ENOTDIR,
    libc::EPERM,
    libc::ERANGE,
    libc::ETXTBSY,
    // Of a file system whose server is gone.
    libc::ENOTCONN,
    libc::ECONNABORTED,
    libc::EINTR,
];

/// What may be wrong with namespaces and ids of a caller of which nothing is known.
const OF_STAGE: [i32; 6] = [
    libc::EPERM,
    libc::EINVAL,
    libc::ENOSPC,
    libc::ERANGE,
    libc::EAGAIN,
    libc::ENOTDIR,
];

const AT: u32 = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK;
const SETGROUPS: u32 = EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY;
const OF_USER: u32 = SETGROUPS | EXECNS_SET_IDS | EXECNS_DROP_GROUPS;

pub const USER: u64 = libc::CLONE_NEWUSER as u64;
pub const MOUNT: u64 = libc::CLONE_NEWNS as u64;
pub const TIME: u64 = libc::CLONE_NEWTIME as u64;

/// The kinds of namespaces, in the order of [`super::snapshot::NAMESPACES`].
pub const KINDS: [u64; 8] = [
    MOUNT,
    libc::CLONE_NEWUTS as u64,
    libc::CLONE_NEWIPC as u64,
    USER,
    libc::CLONE_NEWPID as u64,
    libc::CLONE_NEWNET as u64,
    libc::CLONE_NEWCGROUP as u64,
    TIME,
];

pub fn kinds() -> u64 {
    KINDS.iter().fold(0, |all, kind| all | kind)
}

pub const OTHER_FLAGS: u64 = (libc::CLONE_FS
    | libc::CLONE_SYSVSEM
    | libc::CLONE_FILES
    | libc::CLONE_VM
    | libc::CLONE_SIGHAND
    | libc::CLONE_THREAD) as u64;

impl Call {
    pub fn has(&self, flag: u64) -> bool {
        self.unshare_flags & flag != 0
    }

    pub fn is_check(&self) -> bool {
        !self.plain && self.at_flags & AT_EXECVE_CHECK != 0
    }
}

/// What the call returns, with a seccomp filter that answers these.
pub fn expect(call: &Call, caller: &Caller, filter: &[(c_long, u32)]) -> Expected {
    let number = if call.plain { SYS_EXECNS } else { SYS_EXECNSAT };

    if let Some(&(_, action)) = filter.iter().find(|(filtered, _)| *filtered == number) {
        return Expected::error((action & libc::SECCOMP_RET_DATA) as i32);
    }
    if let Err(errno) = malformed(call) {
        return Expected::error(errno);
    }
    match call.name {
        Name::Null | Name::Hole => return Expected::error(libc::EFAULT),
        Name::TooLong => return Expected::error(libc::ENAMETOOLONG),
        Name::Nothing if call.plain || call.at_flags & AT_EMPTY_PATH == 0 => {
            return Expected::error(libc::ENOENT);
        }
        _ => {}
    }
    if is_filtered(call, filter) {
        return Expected::error(libc::EPERM);
    }
    if let Err(errno) = descriptors(call, caller) {
        return Expected::error(errno);
    }
    let mut expected = file(call, caller);
    match stage(call, caller) {
        Some(None) => {}
        Some(Some(errno)) => return Expected::error(errno),
        None => expected.errnos.extend(OF_STAGE),
    }
    expected
}

fn array<T>(array: &Array<T>, max: u32) -> Result<(), i32> {
    let number = array.number();

    match array.form {
        Form::NoPointer | Form::NoNumber => Err(libc::EINVAL),
        _ if number > max => Err(libc::EINVAL),
        Form::Hole | Form::Kernel => Err(libc::EFAULT),
        Form::Right | Form::Many(_) => Ok(()),
    }
}

/// What is wrong with the arguments by themselves.
fn malformed(call: &Call) -> Result<(), i32> {
    let known = kinds() | OTHER_FLAGS | UNSHARE_EMPTY_MNTNS;
    let wrong = |wrong| if wrong { Err(libc::EINVAL) } else { Ok(()) };

    if call.plain {
        // The rest of the register is not looked at.
        let flags = call.unshare_flags as u32;
        return wrong(u64::from(flags) & !(known & !UNSHARE_EMPTY_MNTNS) != 0);
    }
    if call.size > 4096 {
        return Err(libc::E2BIG);
    }
    wrong(call.size < EXECNS_ARGS_SIZE_VER0)?;
    if !matches!(call.place, Place::Right | Place::Odd) {
        return Err(libc::EFAULT);
    }
    if call.beyond.is_some_and(|at| at < call.size) {
        return Err(libc::E2BIG);
    }
    let has = |flag| call.flags & flag != 0;
    let ids = (call.uid, call.gid) != (0, 0);
    wrong(call.at_flags & !AT != 0 || call.flags & !(OF_USER | EXECNS_ROOT_FD) != 0)?;
    wrong(call.reserved != 0 || !has(EXECNS_ROOT_FD) && call.root_fd != 0)?;
    wrong(!has(EXECNS_SET_IDS) && ids || call.unshare_flags & !known != 0)?;
    array(&call.fds, LIMIT)?;
    wrong(call.flags & SETGROUPS == SETGROUPS)?;
    array(&call.uid_map, MAX_EXTENTS as u32)?;
    array(&call.gid_map, MAX_EXTENTS as u32)?;
    array(&call.time_offsets, MAX_TIME_OFFSETS as u32)?;
    wrong(call.time_offsets.elements.iter().any(|offset| {
        offset.reserved != 0
            || ![libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME].contains(&offset.clock)
            || !(0..1_000_000_000).contains(&offset.nsec)
    }))?;
    let empty = call.has(UNSHARE_EMPTY_MNTNS);
    let maps = call.uid_map.number() + call.gid_map.number() != 0;
    wrong(empty && call.at_flags & AT_EMPTY_PATH == 0)?;
    wrong((has(OF_USER) || maps) && !call.has(USER))?;
    wrong(call.time_offsets.number() != 0 && !call.has(TIME))?;
    wrong(has(EXECNS_ROOT_FD) && (empty || !call.has(MOUNT)))
}

/// Whether a filter denies what the call amounts to.
fn is_filtered(call: &Call, filter: &[(c_long, u32)]) -> bool {
    let denies = |number| filter.iter().any(|&(filtered, _)| filtered == number);
    let has = |flag| !call.plain && call.flags & flag != 0;
    let exec = match call.plain {
        true => libc::SYS_execve,
        false => libc::SYS_execveat,
    };
    let flags = match call.plain {
        true => u64::from(call.unshare_flags as u32),
        false => call.unshare_flags,
    };

    flags != 0 && denies(libc::SYS_unshare)
        || has(EXECNS_ROOT_FD) && (denies(libc::SYS_open_tree) || denies(libc::SYS_setns))
        || has(EXECNS_DROP_GROUPS) && denies(libc::SYS_setgroups)
        || has(EXECNS_SET_IDS) && (denies(libc::SYS_setresgid) || denies(libc::SYS_setresuid))
        || denies(exec)
}

fn descriptors(call: &Call, caller: &Caller) -> Result<(), i32> {
    if call.plain {
        return Ok(());
    }
    let is_open = |fd: u32| caller.open.contains_key(&fd);
    let mut seen = BTreeSet::new();

    if call.flags & EXECNS_ROOT_FD != 0 && !is_open(call.root_fd as u32) {
        return Err(libc::EBADF);
    }
    let fds = &call.fds.elements;
    if fds.iter().any(|fd| fd.to >= LIMIT) {
        return Err(libc::EBADF);
    }
    for fd in fds {
        if !is_open(fd.from) {
            return Err(libc::EBADF);
        }
        if !seen.insert(fd.to) {
            return Err(libc::EINVAL);
        }
    }
    Ok(())
}

/// Whether root may have this map: any that is well-formed.
fn is_map(map: &[ExecnsIdMap]) -> bool {
    let overlap = |a: u32, b: u32, i: &ExecnsIdMap, j: &ExecnsIdMap| {
        u64::from(a) < u64::from(b) + u64::from(j.count)
            && u64::from(b) < u64::from(a) + u64::from(i.count)
    };

    map.iter().enumerate().all(|(n, i)| {
        i.count != 0
            && i.inside.checked_add(i.count).is_some()
            && i.outside.checked_add(i.count).is_some()
            && map[..n]
                .iter()
                .all(|j| !overlap(i.inside, j.inside, i, j) && !overlap(i.outside, j.outside, i, j))
    })
}

fn has_id(map: &[ExecnsIdMap], id: u32) -> bool {
    id == SAME_ID
        || map.is_empty()
        || map
            .iter()
            .any(|line| id >= line.inside && id - line.inside < line.count)
}

/// What is wrong with namespaces and ids: nothing, an error, or it is not known.
fn stage(call: &Call, caller: &Caller) -> Option<Option<i32>> {
    let namespaces = kinds() | UNSHARE_EMPTY_MNTNS;

    match caller.who {
        Who::Chrooted if call.has(USER) => return Some(Some(libc::EPERM)),
        Who::User if call.has(namespaces) && !call.has(USER) => return Some(Some(libc::EPERM)),
        Who::User if call.plain => return Some(None),
        Who::User => {
            let asks = call.flags != 0
                || call.uid_map.number() + call.gid_map.number() != 0
                || call.time_offsets.number() != 0;
            return (!asks).then_some(None);
        }
        Who::Other => return None,
        Who::Root | Who::Chrooted if call.plain => return Some(None),
        Who::Root | Who::Chrooted => {}
    }
    let (uids, gids) = (&call.uid_map.elements, &call.gid_map.elements);
    let has = |flag| call.flags & flag != 0;
    let time = |offset: &ExecnsTimeOffset| !(0..1_000_000).contains(&offset.sec);

    if !is_map(uids) || !is_map(gids) {
        return Some(Some(libc::EINVAL));
    }
    if call.time_offsets.elements.iter().any(time) {
        return None;
    }
    if has(EXECNS_ROOT_FD) && ![world::FOLDER_FD, world::ROOT_FD].contains(&call.root_fd) {
        return None;
    }
    if has(EXECNS_SET_IDS) && !(has_id(uids, call.uid) && has_id(gids, call.gid)) {
        return None;
    }
    if has(EXECNS_DROP_GROUPS) && has(EXECNS_SETGROUPS_DENY) {
        return Some(Some(libc::EPERM));
    }
    Some(None)
}

fn words(words: Words) -> Option<i32> {
    match words {
        Words::Few(_) | Words::Null => None,
        Words::Hole | Words::Endless | Words::BadWord => Some(libc::EFAULT),
        Words::LongWord => Some(libc::E2BIG),
    }
}

/// What becomes of a program that the descriptor is.
fn by_descriptor(call: &Call, caller: &Caller) -> Fate {
    let kept = call
        .fds
        .elements
        .iter()
        .any(|fd| (fd.from as i32, fd.to as i32) == (call.dirfd, call.dirfd));

    match call.dirfd {
        world::AGENT_PATH_FD | world::AGENT_FD | world::DELETED_FD | world::MEMFD_FD => Fate::Runs,
        world::SCRIPT_FD if kept => Fate::Runs,
        world::SCRIPT_FD => Fate::LoadFails(libc::ENOENT),
        world::CORRUPT_FD => Fate::Any,
        // The working directory.
        libc::AT_FDCWD => Fate::Fails(libc::EACCES),
        fd if caller.open.contains_key(&(fd as u32)) => Fate::Fails(libc::EACCES),
        _ => Fate::Fails(libc::EBADF),
    }
}

/// What the file is, and what is wrong with the words.
fn file(call: &Call, caller: &Caller) -> Expected {
    let empty = call.has(UNSHARE_EMPTY_MNTNS);
    let new_root = !call.plain && call.flags & EXECNS_ROOT_FD != 0;
    let mut fate = match call.name {
        Name::File(i) => FILES[i].fate,
        Name::Relative => match call.dirfd {
            _ if call.plain => Fate::Runs,
            world::FOLDER_FD | libc::AT_FDCWD => Fate::Runs,
            world::ROOT_FD if caller.who == Who::Chrooted => Fate::Runs,
            world::ROOT_FD => Fate::Fails(libc::ENOENT),
            fd if caller.open.contains_key(&(fd as u32)) => Fate::Fails(libc::ENOTDIR),
            _ => Fate::Fails(libc::EBADF),
        },
        Name::Nothing => by_descriptor(call, caller),
        Name::LongComponent => Fate::Fails(libc::ENAMETOOLONG),
        Name::Fuse => Fate::Runs,
        Name::Null | Name::Hole | Name::TooLong => Fate::Any,
    };
    let mut expected = Expected::default();

    if fate == Fate::Link && !call.plain && call.at_flags & AT_SYMLINK_NOFOLLOW != 0 {
        fate = Fate::Fails(libc::ELOOP);
    }
    // What is not there in another root. A script has an interpreter in it.
    if empty || new_root || call.name.is_of_system() && caller.who != Who::Root {
        expected.errnos.insert(libc::ENOENT);
        expected.errnos.insert(libc::EACCES);
    }
    if call.dirfd == world::ROOT_FD && call.name == Name::Relative && caller.who != Who::Root {
        expected.errnos.insert(libc::ENOENT);
        expected.success = true;
    }
    let words = words(call.argv).or(words(call.envp));
    let both = matches!((call.argv, call.envp), (Words::LongWord, other) | (other, Words::LongWord)
        if !matches!(other, Words::Few(_) | Words::Null));
    match (fate, words) {
        (Fate::Fails(errno), _) => {
            expected.errnos.insert(errno);
        }
        (_, Some(errno)) => {
            expected.errnos.insert(errno);
            if both {
                expected.errnos.extend([libc::EFAULT, libc::E2BIG]);
            }
        }
        (Fate::LoadFails(errno), None) if !call.is_check() => {
            expected.errnos.insert(errno);
        }
        (Fate::Any, None) => {
            expected.errnos.extend(DOCUMENTED);
            expected.success = true;
            expected.may_die = true;
        }
        _ => expected.success = true,
    }
    // binfmt_misc is that of a user namespace, and may be none there.
    if fate == Fate::Misc {
        expected.errnos.insert(libc::ENOEXEC);
    }
    expected
}
