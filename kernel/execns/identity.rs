// SPDX-License-Identifier: GPL-2.0

//! Who the program is in a new user namespace.

use crate::args::IdentityArgs;
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

/// Prepares credentials in a new user namespace.
pub(crate) fn stage(args: &IdentityArgs) -> Result<NewCredential> {
    let mut cred = NewCredential::in_new_user_ns()?;
    set_maps(cred.user_ns(), args)?;
    // That is all it can lack, whatever C calls it. execve(2) has another meaning for EAGAIN.
    cred.set_ucounts().map_err(|_| ENOMEM)?;
    if args.ids.is_none() && !args.drop_groups {
        return Ok(cred);
    }

    let (uid, gid) = args.ids.unwrap_or((u32::MAX, u32::MAX));
    let other = cred.prepare_ids(uid, gid, args.drop_groups)?;
    Ok(other.unwrap_or(cred))
}

/// Sets what the caller could write to `/proc/PID/setgroups`, `uid_map` and `gid_map` itself, in
/// this order, and that is checked by the same functions.
///
/// With a map that is not given, the caller's ids stay what they are: it has all ids of the parent
/// namespace if the caller may map them, or else its own.
fn set_maps(ns: &UserNamespace, args: &IdentityArgs) -> Result {
    let caller = Credential::current();
    let parent = caller.user_ns();
    let complete = args.uid_map.is_some() && args.gid_map.is_some();
    let all = !complete && may_map_all(parent);

    // Its own gid is one that anybody may map who can not drop a group any more.
    let denied = (args.gid_map.is_none() && !all).then_some(false);
    if let Some(allowed) = args.setgroups.or(denied) {
        ns.set_setgroups(allowed)?;
    }

    match &args.uid_map {
        Some(extents) => ns.set_uid_map(IdMap::Extents(extents))?,
        None if all => ns.set_uid_map(IdMap::Parent)?,
        None => {
            let uid = caller.euid_in(parent).ok_or(EPERM)?;

            ns.set_uid_map(IdMap::Extents(&[IdMapExtent::new(uid, uid, 1)]))?;
        }
    }
    match &args.gid_map {
        Some(extents) => ns.set_gid_map(IdMap::Extents(extents)),
        None if all => ns.set_gid_map(IdMap::Parent),
        None => {
            let gid = caller.egid_in(parent).ok_or(EPERM)?;

            ns.set_gid_map(IdMap::Extents(&[IdMapExtent::new(gid, gid, 1)]))
        }
    }
}

/// Whether all ids of `parent` may be mapped. Not having the right is no denial, so nobody hears
/// about it.
fn may_map_all(parent: &UserNamespace) -> bool {
    parent.capable_noaudit(Capability::Setuid)
        && parent.capable_noaudit(Capability::Setgid)
        && (!parent.has_root() || parent.capable_noaudit(Capability::Setfcap))
}
