// SPDX-License-Identifier: GPL-2.0

//! Who the program is in a new user namespace.

use crate::flags::{
    UnshareFlag,
    UnshareFlags, //
};
use kernel::{
    cred::{
        Credential,
        NewCredential, //
    },
    prelude::*,
    user_namespace::{
        Capability,
        IdMap,
        IdMapExtent,
        UserNamespace, //
    }, //
};

/// Prepares credentials in a new user namespace if there is to be one.
pub(crate) fn stage(flags: UnshareFlags) -> Result<Option<NewCredential>> {
    if !flags.contains(UnshareFlag::NewUser) {
        return Ok(None);
    }

    let mut cred = NewCredential::in_new_user_ns()?;
    set_default_maps(cred.user_ns())?;
    // That is all it can lack, whatever C calls it. execve(2) has another meaning for EAGAIN.
    cred.set_ucounts().map_err(|_| ENOMEM)?;
    Ok(Some(cred))
}

/// Sets maps with which the caller's ids stay what they are.
///
/// They are what the caller could write to `/proc/PID/setgroups`, `uid_map` and `gid_map` itself,
/// and are checked by the same functions: all ids of the parent namespace if it may, or else its
/// own.
fn set_default_maps(ns: &UserNamespace) -> Result {
    let caller = Credential::current();
    let parent = caller.user_ns();

    if may_map_all(parent) {
        ns.set_uid_map(IdMap::Parent)?;
        ns.set_gid_map(IdMap::Parent)
    } else {
        let uid = caller.euid_in(parent).ok_or(EPERM)?;
        let gid = caller.egid_in(parent).ok_or(EPERM)?;

        ns.deny_setgroups()?;
        ns.set_uid_map(IdMap::Extents(&[IdMapExtent::new(uid, uid, 1)]))?;
        ns.set_gid_map(IdMap::Extents(&[IdMapExtent::new(gid, gid, 1)]))
    }
}

/// Whether all ids of `parent` may be mapped. Not having the right is no denial, so nobody hears
/// about it.
fn may_map_all(parent: &UserNamespace) -> bool {
    parent.capable_noaudit(Capability::Setuid)
        && parent.capable_noaudit(Capability::Setgid)
        && (!parent.has_root() || parent.capable_noaudit(Capability::Setfcap))
}
