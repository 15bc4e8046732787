// SPDX-License-Identifier: GPL-2.0

//! What the options mean, each by itself.

use crate::grammar::{Given, Id};
use crate::list::List;
use crate::signal;
use core::ffi::CStr;
use execns_abi::{ExecnsFd, ExecnsIdMap};
use linux_raw_sys::general::{
    CLONE_NEWCGROUP, CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME,
    CLONE_NEWUSER, CLONE_NEWUTS, MS_PRIVATE, MS_REC, MS_SHARED, MS_SLAVE, SIGKILL,
};

/// Why the command line can't be taken as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    NotNumber,
    /// A name, or a word such as `all`, that has to be looked up.
    NotRange,
    EmptyRange,
    NotDescriptor,
    NotSignal,
    NotSetgroups,
    NotPropagation,
    TooMany,
    NeedsUser,
    NeedsTime,
    AllowsGroups,
    TwoDescriptors(u32),
    /// What only `execns-full` does.
    Elsewhere,
}

/// What mounts of the new namespace pass on to others, and get from them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Propagation {
    #[default]
    Private,
    Slave,
    Shared,
    Unchanged,
}

impl Propagation {
    pub fn flags(self) -> u32 {
        match self {
            Self::Private => MS_REC | MS_PRIVATE,
            Self::Slave => MS_REC | MS_SLAVE,
            Self::Shared => MS_REC | MS_SHARED,
            Self::Unchanged => 0,
        }
    }
}

#[derive(Debug)]
pub struct Options<'a> {
    pub unshare: u32,
    pub fork: bool,
    /// What the caller's ids are inside.
    pub map_user: Option<u32>,
    pub map_group: Option<u32>,
    pub uid_map: List<'a, ExecnsIdMap>,
    pub gid_map: List<'a, ExecnsIdMap>,
    pub setgroups: Option<bool>,
    pub mount_proc: Option<&'a CStr>,
    pub root: Option<&'a CStr>,
    pub wd: Option<&'a CStr>,
    /// The signal, or 0.
    pub kill_child: u8,
    pub monotonic: Option<i64>,
    pub boottime: Option<i64>,
    pub propagation: Propagation,
    pub uid: Option<u32>,
    pub gid: Option<u32>,
    pub keep: List<'a, ExecnsFd>,
    pub close_stdio: bool,
}

/// The caller, as far as options mean it.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    pub euid: u32,
    pub egid: u32,
    /// Whether the descriptors 0, 1 and 2 are open.
    pub stdio: [bool; 3],
}

impl<'a> Options<'a> {
    pub fn new(
        uid_map: &'a mut [ExecnsIdMap],
        gid_map: &'a mut [ExecnsIdMap],
        keep: &'a mut [ExecnsFd],
    ) -> Self {
        Self {
            unshare: 0,
            fork: false,
            map_user: None,
            map_group: None,
            uid_map: List::new(uid_map),
            gid_map: List::new(gid_map),
            setgroups: None,
            mount_proc: None,
            root: None,
            wd: None,
            kill_child: 0,
            monotonic: None,
            boottime: None,
            propagation: Propagation::default(),
            uid: None,
            gid: None,
            keep: List::new(keep),
            close_stdio: false,
        }
    }

    /// Takes one option in. Of those that exclude each other, the last one counts.
    pub fn give(&mut self, given: Given<'a>, caller: &Caller) -> Result<(), Problem> {
        let value = given.value.unwrap_or(c"");
        let text = value.to_bytes();

        match given.id {
            Id::User => self.unshare |= CLONE_NEWUSER,
            Id::Mount => self.unshare |= CLONE_NEWNS,
            Id::Pid => self.unshare |= CLONE_NEWPID,
            Id::Net => self.unshare |= CLONE_NEWNET,
            Id::Ipc => self.unshare |= CLONE_NEWIPC,
            Id::Uts => self.unshare |= CLONE_NEWUTS,
            Id::Cgroup => self.unshare |= CLONE_NEWCGROUP,
            Id::Time => self.unshare |= CLONE_NEWTIME,
            Id::Fork => self.fork = true,
            Id::MapRootUser => self.map(Some(0), Some(0)),
            Id::MapCurrentUser => self.map(Some(caller.euid), Some(caller.egid)),
            Id::MapUser => self.map(Some(number(text)?), None),
            Id::MapGroup => self.map(None, Some(number(text)?)),
            Id::MapUsers => {
                self.unshare |= CLONE_NEWUSER;
                self.uid_map.push(range(text)?)?;
            }
            Id::MapGroups => {
                self.unshare |= CLONE_NEWUSER;
                self.gid_map.push(range(text)?)?;
            }
            Id::Setgroups => {
                self.setgroups = Some(match text {
                    b"allow" => true,
                    b"deny" => false,
                    _ => return Err(Problem::NotSetgroups),
                })
            }
            Id::MountProc => {
                self.unshare |= CLONE_NEWNS;
                self.mount_proc = Some(given.value.unwrap_or(c"/proc"));
            }
            Id::Root => self.root = Some(value),
            Id::Wd => self.wd = Some(value),
            Id::KillChild => {
                self.fork = true;
                self.kill_child = match given.value {
                    None => SIGKILL as u8,
                    Some(_) => signal::number(text).ok_or(Problem::NotSignal)?,
                };
            }
            Id::Monotonic => self.monotonic = Some(seconds(text)?),
            Id::Boottime => self.boottime = Some(seconds(text)?),
            Id::Propagation => {
                self.propagation = match text {
                    b"private" => Propagation::Private,
                    b"slave" => Propagation::Slave,
                    b"shared" => Propagation::Shared,
                    b"unchanged" => Propagation::Unchanged,
                    _ => return Err(Problem::NotPropagation),
                }
            }
            Id::Setuid => self.uid = Some(number(text)?),
            Id::Setgid => self.gid = Some(number(text)?),
            Id::KeepFd => self.keep.push(descriptor(text)?)?,
            Id::CloseStdio => self.close_stdio = true,
            Id::MapAuto | Id::Show | Id::Check | Id::Completions | Id::Help | Id::Version => {
                return Err(Problem::Elsewhere);
            }
        }
        Ok(())
    }

    fn map(&mut self, user: Option<u32>, group: Option<u32>) {
        self.unshare |= CLONE_NEWUSER;
        self.map_user = user.or(self.map_user);
        self.map_group = group.or(self.map_group);
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    let mut sum = 0u64;

    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        sum = sum.checked_mul(10)?.checked_add(digit.into())?;
    }
    if text.is_empty() { None } else { Some(sum) }
}

/// A decimal number of 32 bits.
pub fn number(text: &[u8]) -> Result<u32, Problem> {
    digits(text)
        .and_then(|sum| sum.try_into().ok())
        .ok_or(Problem::NotNumber)
}

fn seconds(text: &[u8]) -> Result<i64, Problem> {
    let (negative, rest) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let sum = digits(rest)
        .and_then(|sum| i64::try_from(sum).ok())
        .ok_or(Problem::NotNumber)?;

    Ok(if negative { -sum } else { sum })
}

/// Three numbers with the same separator between them.
fn three(text: &[u8], separator: u8) -> Option<[u32; 3]> {
    let mut parts = text.split(|&byte| byte == separator);
    let mut next = || parts.next().and_then(|part| number(part).ok());
    let three = [next()?, next()?, next()?];

    if parts.next().is_none() {
        Some(three)
    } else {
        None
    }
}

/// `inner:outer:count`, or `outer,inner,count` as older versions of unshare(1) have it.
fn range(text: &[u8]) -> Result<ExecnsIdMap, Problem> {
    let map = if let Some([inside, outside, count]) = three(text, b':') {
        ExecnsIdMap {
            inside,
            outside,
            count,
        }
    } else if let Some([outside, inside, count]) = three(text, b',') {
        ExecnsIdMap {
            inside,
            outside,
            count,
        }
    } else {
        return Err(Problem::NotRange);
    };

    if map.count == 0 {
        Err(Problem::EmptyRange)
    } else {
        Ok(map)
    }
}

/// `N`, or `N:M`.
fn descriptor(text: &[u8]) -> Result<ExecnsFd, Problem> {
    let mut parts = text.splitn(2, |&byte| byte == b':');
    let mut next = || {
        parts
            .next()
            .map(|part| number(part).or(Err(Problem::NotDescriptor)))
    };
    let from = next().unwrap_or(Err(Problem::NotDescriptor))?;
    let to = next().unwrap_or(Ok(from))?;

    Ok(ExecnsFd { from, to })
}
