// SPDX-License-Identifier: GPL-2.0

//! From the options to what has to be done, and where.

use crate::list::List;
use crate::options::{Caller, Options, Problem, Propagation};
use crate::stage::Stage;
use core::ffi::CStr;
use execns_abi::{self as abi, ExecnsFd, ExecnsIdMap, ExecnsTimeOffset};
use linux_raw_sys::general::{
    CLOCK_BOOTTIME, CLOCK_MONOTONIC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME, CLONE_NEWUSER,
};

/// What execnsat(2) is called with, and what is left to do after it.
#[derive(Debug)]
pub struct Plan<'a> {
    pub unshare: u32,
    /// EXECNS_*
    pub flags: u32,
    pub uid_map: List<'a, ExecnsIdMap>,
    pub gid_map: List<'a, ExecnsIdMap>,
    pub fds: List<'a, ExecnsFd>,
    pub offsets: [ExecnsTimeOffset; 2],
    pub nr_offsets: usize,
    /// The new mount namespace has nothing but this folder.
    pub root: Option<&'a CStr>,
    /// Where the program works, if that can be said outside.
    pub wd: Option<&'a CStr>,
    /// The program's ids inside, with SET_IDS.
    pub uid: u32,
    pub gid: u32,
    /// What has to be done inside the new namespaces. Without it, the command becomes the program.
    pub stage: Option<Stage<'a>>,
}

impl<'a> Plan<'a> {
    /// There has to be room for the standard descriptors, and for two more ranges of ids.
    pub fn new(options: Options<'a>, caller: &Caller) -> Result<Self, Problem> {
        let Options {
            unshare,
            mut uid_map,
            mut gid_map,
            mut keep,
            ..
        } = options;
        let has = |kind| unshare & kind != 0;

        if options.setgroups.is_some() && !has(CLONE_NEWUSER) {
            return Err(Problem::NeedsUser);
        }
        if (options.monotonic.is_some() || options.boottime.is_some()) && !has(CLONE_NEWTIME) {
            return Err(Problem::NeedsTime);
        }
        let mut setgroups = options.setgroups;
        // Without privilege, a group can only be mapped where groups are not dropped. unshare(1)
        // has it so for everybody.
        if options.map_group.is_some() && gid_map.is_empty() {
            if setgroups == Some(true) {
                return Err(Problem::AllowsGroups);
            }
            setgroups = Some(false);
        }
        if let Some(inside) = options.map_user {
            map_one(&mut uid_map, inside, caller.euid)?;
        }
        if let Some(inside) = options.map_group {
            map_one(&mut gid_map, inside, caller.egid)?;
        }
        descriptors(&mut keep, options.close_stdio, caller)?;

        let mut offsets = [ExecnsTimeOffset::default(); 2];
        let mut nr_offsets = 0;
        for (clock, sec) in [
            (CLOCK_MONOTONIC, options.monotonic),
            (CLOCK_BOOTTIME, options.boottime),
        ] {
            if let (Some(sec), Some(offset)) = (sec, offsets.get_mut(nr_offsets)) {
                *offset = ExecnsTimeOffset {
                    clock: clock as i32,
                    sec,
                    ..ExecnsTimeOffset::default()
                };
                nr_offsets += 1;
            }
        }

        // In a user namespace, proc can be mounted only where another one is visible, so that the
        // mounts outside the root have to be there.
        let whole = options.mount_proc.is_some() && has(CLONE_NEWUSER);
        let root = options.root.filter(|_| has(CLONE_NEWNS) && !whole);
        let mut flags = setgroups.map_or(0, |allow| match allow {
            true => abi::EXECNS_SETGROUPS_ALLOW,
            false => abi::EXECNS_SETGROUPS_DENY,
        });
        flags |= if root.is_some() {
            abi::EXECNS_ROOT_FD
        } else {
            0
        };
        let mut stage = Stage {
            // A proc of the new PID namespace takes one who is in it.
            fork: options.fork || options.mount_proc.is_some() && has(CLONE_NEWPID),
            kill_child: options.kill_child,
            propagation: match options.propagation {
                propagation if has(CLONE_NEWNS) => propagation,
                _ => Propagation::Unchanged,
            },
            root: options.root.filter(|_| root.is_none()),
            wd: options.wd,
            mount_proc: options.mount_proc,
            clear_groups: options.gid.is_some() && setgroups != Some(false),
            uid: options.uid,
            gid: options.gid,
        };
        // Ids can be set by the call, unless the stage needs those that it has.
        let (mut uid, mut gid) = (0, 0);
        let ids = (stage.uid.is_some() || stage.gid.is_some()) && has(CLONE_NEWUSER);
        let without_ids = Stage {
            wd: None,
            uid: None,
            gid: None,
            ..stage.clone()
        };
        if ids && without_ids.is_empty() && (root.is_none() || stage.wd.is_none()) {
            flags |= abi::EXECNS_SET_IDS;
            flags |= if stage.clear_groups {
                abi::EXECNS_DROP_GROUPS
            } else {
                0
            };
            uid = stage.uid.take().unwrap_or(abi::SAME_ID);
            gid = stage.gid.take().unwrap_or(abi::SAME_ID);
            stage.clear_groups = false;
        }
        let outside = Stage {
            wd: None,
            ..stage.clone()
        }
        .is_empty()
            && root.is_none();

        Ok(Self {
            unshare,
            flags,
            uid_map,
            gid_map,
            fds: keep,
            offsets,
            nr_offsets,
            root,
            wd: options.wd.filter(|_| outside),
            uid,
            gid,
            stage: Some(stage).filter(|stage| !outside && !stage.is_empty()),
        })
    }
}

/// Adds the standard descriptors that nothing else takes the place of.
fn descriptors(
    fds: &mut List<'_, ExecnsFd>,
    close_stdio: bool,
    caller: &Caller,
) -> Result<(), Problem> {
    for (i, fd) in fds.iter().enumerate() {
        if fds.iter().take(i).any(|other| other.to == fd.to) {
            return Err(Problem::TwoDescriptors(fd.to));
        }
    }
    for (number, open) in (0..).zip(caller.stdio) {
        if open && !close_stdio && !fds.iter().any(|fd| fd.to == number) {
            fds.push(ExecnsFd {
                from: number,
                to: number,
            })?;
        }
    }
    Ok(())
}

/// Maps one id, and takes it out of the ranges that have it on either side.
fn map_one(map: &mut List<'_, ExecnsIdMap>, inside: u32, outside: u32) -> Result<(), Problem> {
    take_out(map, |range| inside.checked_sub(range.inside))?;
    take_out(map, |range| outside.checked_sub(range.outside))?;
    map.push(ExecnsIdMap {
        inside,
        outside,
        count: 1,
    })
}

/// `position` tells where in a range the id is, if it is not too far.
fn take_out(
    map: &mut List<'_, ExecnsIdMap>,
    position: impl Fn(&ExecnsIdMap) -> Option<u32>,
) -> Result<(), Problem> {
    let has = |range: &ExecnsIdMap| position(range).filter(|&at| at < range.count);

    while let Some(index) = map.iter().position(|range| has(range).is_some()) {
        let Some(range) = map.swap_remove(index) else {
            break;
        };
        let at = has(&range).unwrap_or(0);
        let after = at + 1;

        if at > 0 {
            map.push(ExecnsIdMap { count: at, ..range })?;
        }
        if after < range.count {
            // What is too large is refused by the kernel, which says so.
            map.push(ExecnsIdMap {
                inside: range.inside.wrapping_add(after),
                outside: range.outside.wrapping_add(after),
                count: range.count - after,
            })?;
        }
    }
    Ok(())
}
