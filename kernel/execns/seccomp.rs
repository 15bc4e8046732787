// SPDX-License-Identifier: GPL-2.0

//! Seccomp filters that know the calls which do the same, and not these.
//!
//! A filter that denies unshare(2) or execve(2) is not to be got round: it is asked about each of
//! the calls that the program would take otherwise, with the arguments that they would have.

use crate::args::{
    AtArgs,
    Request, //
};
use kernel::{
    nsproxy::flags::CLONE_NEWNS,
    prelude::*,
    seccomp::{
        self,
        Syscall, //
    },
    uapi, //
};

/// Returns `EPERM` if a filter of the current task does not let pass what the call amounts to.
pub(crate) fn check(request: &Request) -> Result {
    if !seccomp::is_enabled() {
        return Ok(());
    }
    let [a, b, c, d, ..] = seccomp::arguments();

    if request.unshare_flags != 0 {
        permitted(Syscall::Unshare, [request.unshare_flags, 0, 0, 0, 0])?;
    }
    match &request.at {
        None => permitted(Syscall::Execve, [b, c, d, 0, 0]),
        Some(args) => {
            check_root(args)?;
            check_ids(args)?;
            permitted(Syscall::Execveat, [a, b, c, d, args.at_flags as usize])
        }
    }
}

fn check_root(args: &AtArgs) -> Result {
    // The path would be an empty one. There is no address that a filter could see.
    const TREE: u32 = uapi::OPEN_TREE_NAMESPACE | uapi::AT_EMPTY_PATH | uapi::AT_RECURSIVE;

    if let Some(fd) = args.root {
        permitted(Syscall::OpenTree, [fd as usize, 0, TREE as usize, 0, 0])?;
        permitted(Syscall::Setns, [fd as usize, CLONE_NEWNS as usize, 0, 0, 0])?;
    }
    Ok(())
}

fn check_ids(args: &AtArgs) -> Result {
    if args.identity.drop_groups {
        permitted(Syscall::Setgroups, [0; 5])?;
    }
    if let Some((uid, gid)) = args.identity.ids {
        let [uid, gid] = [uid as usize, gid as usize];

        permitted(Syscall::Setresgid, [gid, gid, gid, 0, 0])?;
        permitted(Syscall::Setresuid, [uid, uid, uid, 0, 0])?;
    }
    Ok(())
}

fn permitted(syscall: Syscall, [a, b, c, d, e]: [usize; 5]) -> Result {
    match syscall.is_permitted(&[a, b, c, d, e, 0]) {
        true => Ok(()),
        false => Err(EPERM),
    }
}
