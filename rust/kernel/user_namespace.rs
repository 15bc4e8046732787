// SPDX-License-Identifier: GPL-2.0

//! User namespaces.
//!
//! C header: [`include/linux/user_namespace.h`](srctree/include/linux/user_namespace.h).
//!
//! Reference: <https://www.kernel.org/doc/html/latest/admin-guide/namespaces/index.html>

use crate::{
    bindings,
    error::to_result,
    prelude::*,
    sync::aref::AlwaysRefCounted,
    task::Kuid,
    types::Opaque, //
};
use core::ptr;

/// A range of ids of a user namespace, and the ids that they are in its parent.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct IdMapExtent(bindings::uid_gid_extent);

impl IdMapExtent {
    /// `count` ids from `first` on are those from `lower_first` on in the parent.
    #[inline]
    pub const fn new(first: u32, lower_first: u32, count: u32) -> Self {
        Self(bindings::uid_gid_extent {
            first,
            lower_first,
            count,
        })
    }
}

/// What a user namespace maps.
#[derive(Clone, Copy)]
pub enum IdMap<'a> {
    /// All ids that the parent has, one to one.
    Parent,
    /// These.
    Extents(&'a [IdMapExtent]),
}

/// Wraps the kernel's `struct user_namespace`. Thread safe.
#[repr(transparent)]
pub struct UserNamespace {
    inner: Opaque<bindings::user_namespace>,
}

impl UserNamespace {
    /// Returns a raw pointer to the inner C struct.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::user_namespace {
        self.inner.get()
    }

    /// Creates a reference to a [`UserNamespace`] from a valid pointer.
    ///
    /// # Safety
    ///
    /// The caller must ensure that `ptr` is valid and remains valid for the lifetime of the
    /// returned [`UserNamespace`] reference.
    #[inline]
    pub unsafe fn from_ptr<'a>(ptr: *const bindings::user_namespace) -> &'a Self {
        // SAFETY: The safety requirements guarantee the validity of the dereference, while the
        // `UserNamespace` type being transparent makes the cast ok.
        unsafe { &*ptr.cast() }
    }

    /// Returns whether the uid 0 is mapped.
    pub fn has_root(&self) -> bool {
        // SAFETY: The namespace is valid.
        let root = unsafe { bindings::make_kuid(self.as_ptr(), 0) };

        root.val != u32::MAX
    }

    /// Returns a UID as this namespace sees it: if it is not mapped, as the overflow UID.
    #[inline]
    pub fn uid_munged(&self, uid: Kuid) -> u32 {
        // SAFETY: The namespace is valid.
        unsafe { bindings::from_kuid_munged(self.as_ptr(), uid.into_raw()) }
    }

    /// Returns whether the current task has a capability over this namespace, without a word to
    /// the audit log if it has not.
    ///
    /// Use this to choose between ways, and not to refuse what was asked for.
    #[inline]
    pub fn capable_noaudit(&self, capability: Capability) -> bool {
        // SAFETY: The namespace is valid.
        unsafe { bindings::ns_capable_noaudit(self.as_ptr(), capability as c_int) }
    }

    /// Returns whether the current task has a capability over this namespace. If it has, it is
    /// taken to make use of it.
    #[inline]
    pub fn capable(&self, capability: Capability) -> bool {
        // SAFETY: The namespace is valid.
        unsafe { bindings::ns_capable(self.as_ptr(), capability as c_int) }
    }

    /// Sets the map of uids, by the rules that apply to a write to `/proc/PID/uid_map` by the
    /// current task. The namespace has to be a child of its own.
    ///
    /// Returns `EINVAL` if the map is malformed, `EPERM` if it is not permitted or there is one
    /// already, and `ENOMEM`. May sleep.
    #[cfg(CONFIG_USER_NS_EXECNS)]
    pub fn set_uid_map(&self, map: IdMap<'_>) -> Result {
        self.set_map(Capability::Setuid, map)
    }

    /// Sets the map of gids, as [`UserNamespace::set_uid_map`] does that of uids.
    #[cfg(CONFIG_USER_NS_EXECNS)]
    pub fn set_gid_map(&self, map: IdMap<'_>) -> Result {
        self.set_map(Capability::Setgid, map)
    }

    #[cfg(CONFIG_USER_NS_EXECNS)]
    fn set_map(&self, setid: Capability, map: IdMap<'_>) -> Result {
        let (extents, nr) = match map {
            IdMap::Parent => (ptr::null(), 0),
            IdMap::Extents(extents) => (extents.as_ptr().cast(), c_uint::try_from(extents.len())?),
        };

        // SAFETY: The namespace is valid. So are `nr` extents, `IdMapExtent` being transparent, or
        // they are null.
        to_result(unsafe { bindings::userns_set_map(self.as_ptr(), setid as c_int, extents, nr) })
    }

    /// Allows or denies setgroups(2) in the namespace, by the rules that apply to a write to
    /// `/proc/PID/setgroups`.
    ///
    /// Returns `EPERM` if it is to be denied and the map of gids is set already, or allowed and
    /// the parent denies it. May sleep.
    pub fn set_setgroups(&self, allowed: bool) -> Result {
        // SAFETY: The namespace is valid.
        to_result(unsafe { bindings::userns_set_setgroups(self.as_ptr(), allowed) })
    }
}

// SAFETY: Instances of `UserNamespace` are always reference-counted.
unsafe impl AlwaysRefCounted for UserNamespace {
    #[inline]
    fn inc_ref(&self) {
        // SAFETY: The existence of a shared reference means that the refcount is nonzero.
        unsafe { bindings::get_user_ns(self.as_ptr()) };
    }

    #[inline]
    unsafe fn dec_ref(obj: ptr::NonNull<UserNamespace>) {
        // SAFETY: The safety requirements guarantee that the refcount is non-zero.
        unsafe { bindings::put_user_ns(obj.cast().as_ptr()) }
    }
}

// SAFETY:
// - `UserNamespace::dec_ref` can be called from any thread.
// - It is okay to send ownership of `UserNamespace` across thread boundaries.
unsafe impl Send for UserNamespace {}

// SAFETY: It's OK to access `UserNamespace` through shared references from other threads because
// we're either accessing properties that don't change or that are properly synchronised by C code.
unsafe impl Sync for UserNamespace {}

/// The capabilities that decide about what is set in new namespaces.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Capability {
    /// `CAP_SETGID`
    Setgid = bindings::CAP_SETGID,
    /// `CAP_SETUID`
    Setuid = bindings::CAP_SETUID,
    /// `CAP_SETFCAP`
    Setfcap = bindings::CAP_SETFCAP,
    /// `CAP_SYS_TIME`
    SysTime = bindings::CAP_SYS_TIME,
}
