// SPDX-License-Identifier: GPL-2.0

//! Users: what a uid is charged for.
//!
//! C header: [`include/linux/sched/user.h`](srctree/include/linux/sched/user.h).

use crate::{
    bindings,
    sync::{
        aref::{
            ARef,
            AlwaysRefCounted, //
        },
        atomic::{
            Acquire,
            Atomic,
            Relaxed, //
        },
        Refcount, //
    },
    task::Kuid,
    types::Opaque, //
};
use core::ptr::NonNull;
#[cfg(CONFIG_USER_NS_EXECNS)]
use {
    crate::prelude::*,
    core::{
        mem::ManuallyDrop,
        ops::Deref,
        ptr, //
    }, //
};

/// Wraps the kernel's `struct user_struct`, which counts what one uid is charged for.
///
/// # Invariants
///
/// The fields other than the counters do not change as long as anyone can refer to it. The first
/// user gets its table while the system boots, and nothing relies on that before.
#[repr(transparent)]
pub struct User(Opaque<bindings::user_struct>);

/// What a user is charged for by `user_charge()` of C.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Counter {
    /// Descriptors in flight in unix sockets.
    UnixInflight = bindings::user_counter_USER_UNIX_INFLIGHT,
    /// Pages of pipe buffers.
    PipeBufs = bindings::user_counter_USER_PIPE_BUFS,
    /// Pinned pages, within `RLIMIT_MEMLOCK`.
    LockedVm = bindings::user_counter_USER_LOCKED_VM,
    /// Pages of perf buffers, within `perf_event_mlock_kb`.
    PerfMlock = bindings::user_counter_USER_PERF_MLOCK,
    /// Watches of watch queues.
    Watches = bindings::user_counter_USER_NR_WATCHES,
}

/// What a user is charged for keys, and how much there may be.
#[cfg(CONFIG_KEYS)]
pub type KeyQuota = bindings::key_quota;

/// Limits that hold for each user.
pub mod limits {
    use super::*;

    /// Returns how many pages of pipes there may be, from which on new pipes are small. `None` is
    /// without limit.
    pub fn pipe_pages_soft() -> Option<usize> {
        pipe_pages(false)
    }

    /// Returns how many pages of pipes there may be, from which on there are no new pipes. `None`
    /// is without limit.
    pub fn pipe_pages_hard() -> Option<usize> {
        pipe_pages(true)
    }

    fn pipe_pages(hard: bool) -> Option<usize> {
        // SAFETY: There are no requirements.
        let limit = unsafe { bindings::pipe_user_pages_limit(hard) };

        (limit != usize::MAX).then_some(limit)
    }

    /// Returns how many epoll watches there may be.
    #[cfg(CONFIG_EPOLL)]
    pub fn epoll_watches() -> usize {
        // SAFETY: There are no requirements.
        unsafe { bindings::epoll_max_user_watches() }
    }

    /// Returns how many pages of perf buffers there may be beyond `RLIMIT_MEMLOCK`.
    #[cfg(CONFIG_PERF_EVENTS)]
    pub fn perf_pages() -> usize {
        // SAFETY: There are no requirements.
        unsafe { bindings::perf_user_lock_limit() }
    }
}

impl User {
    /// Creates a reference to a [`User`] from a valid pointer.
    ///
    /// # Safety
    ///
    /// `ptr` is valid for `'a`.
    #[inline]
    pub unsafe fn from_ptr<'a>(ptr: *const bindings::user_struct) -> &'a Self {
        // SAFETY: The pointer is valid by the safety requirements, and the type is transparent.
        unsafe { &*ptr.cast() }
    }

    /// Returns a raw pointer to the inner C struct.
    #[inline]
    pub fn as_ptr(&self) -> *mut bindings::user_struct {
        self.0.get()
    }

    /// Returns the uid.
    #[inline]
    pub fn uid(&self) -> Kuid {
        // SAFETY: The user is valid, and by the type invariants this does not change.
        Kuid::from_raw(unsafe { (*self.as_ptr()).uid })
    }

    /// Returns the number of references.
    #[inline]
    pub fn refcount(&self) -> &Refcount {
        // SAFETY: The user is valid as long as `self` is, and `Refcount` is transparent.
        unsafe { &*(&raw mut (*self.as_ptr()).__count).cast() }
    }

    /// Returns a reference, unless the last one is being given up. That may be the case where the
    /// user was found under RCU.
    #[inline]
    pub fn get_unless_zero(&self) -> Option<ARef<User>> {
        self.refcount().inc_not_zero().then(|| {
            // SAFETY: There is a reference, which is passed on.
            unsafe { ARef::from_raw(NonNull::from(self)) }
        })
    }

    /// Returns what the user is charged for.
    #[inline]
    pub fn charged(&self, counter: Counter) -> usize {
        // SAFETY: The user is valid, and `counter` is an index of this array. An `atomic_long_t`
        // is laid out as an `Atomic<isize>`.
        let charged = unsafe {
            &*(&raw mut (*self.as_ptr()).charged)
                .cast::<Atomic<isize>>()
                .add(counter as usize)
        };

        charged.load(Relaxed) as usize
    }

    /// Returns the number of epoll watches.
    #[cfg(CONFIG_EPOLL)]
    pub fn epoll_watches(&self) -> u64 {
        // SAFETY: The user is valid. The field is set once, when the counter is there.
        let ready: &Atomic<bool> = unsafe { &*(&raw mut (*self.as_ptr()).epoll_ready).cast() };

        if !ready.load(Acquire) {
            return 0;
        }
        // SAFETY: The user is valid, and has its counter.
        let watches = unsafe {
            bindings::percpu_counter_sum_positive(&raw mut (*self.as_ptr()).epoll_watches)
        };

        watches.unsigned_abs()
    }

    /// Returns who is charged for what this user is, if there is one.
    #[cfg(CONFIG_USER_NS_EXECNS)]
    #[inline]
    pub fn parent(&self) -> Option<&User> {
        // SAFETY: The user is valid, and by the type invariants this does not change. A user keeps
        // its table, and that the parent.
        unsafe { (*self.as_ptr()).parent.cast::<User>().as_ref() }
    }

    /// Returns all who are charged for what the user is.
    #[cfg(CONFIG_USER_NS_EXECNS)]
    pub fn parents(&self) -> impl Iterator<Item = &User> {
        core::iter::successors(self.parent(), |user| user.parent())
    }

    /// Returns the quota of keys. Must not be called from interrupts.
    #[cfg(all(CONFIG_KEYS, CONFIG_USER_NS_EXECNS))]
    pub fn key_quota(&self) -> KeyQuota {
        let mut quota = KeyQuota::default();

        // SAFETY: The user is valid, and `quota` can be written to.
        unsafe { bindings::key_user_quota(self.as_ptr(), &mut quota) };
        quota
    }

    /// Returns the table that the user is in.
    #[cfg(CONFIG_USER_NS_EXECNS)]
    #[inline]
    pub fn table(&self) -> *mut bindings::user_table {
        // SAFETY: The user is valid, and by the type invariants this does not change.
        unsafe { (*self.as_ptr()).table }
    }
}

// SAFETY: Instances of `User` are always reference-counted.
unsafe impl AlwaysRefCounted for User {
    #[inline]
    fn inc_ref(&self) {
        self.refcount().inc();
    }

    #[inline]
    unsafe fn dec_ref(obj: NonNull<User>) {
        // SAFETY: The safety requirements guarantee that the refcount is non-zero.
        unsafe { bindings::free_uid(obj.cast().as_ptr()) }
    }
}

// SAFETY: A user can be put by any thread.
unsafe impl Send for User {}

// SAFETY: What changes is counted atomically or under locks of its own.
unsafe impl Sync for User {}

/// The memory of a [`User`]. When dropped, it is freed after an RCU grace period.
///
/// # Invariants
///
/// The user is valid, and no other `UserBox` is for it.
#[cfg(CONFIG_USER_NS_EXECNS)]
pub struct UserBox(NonNull<bindings::user_struct>);

#[cfg(CONFIG_USER_NS_EXECNS)]
impl UserBox {
    /// Makes a user that nothing is charged to, with a count of one reference.
    ///
    /// `table` is what [`User::table`] is to return, and has to keep `parent`. May sleep.
    pub fn new(uid: Kuid, table: *mut bindings::user_table, parent: Option<&User>) -> Result<Self> {
        // SAFETY: There are no requirements.
        let user =
            NonNull::new(unsafe { bindings::user_struct_alloc(uid.into_raw()) }).ok_or(ENOMEM)?;
        // INVARIANT: The user is new.
        let user = Self(user);

        user.set_table(table, parent);
        Ok(user)
    }

    /// Takes the first user, which is static, into its table.
    ///
    /// # Safety
    ///
    /// `root` is the first user, which is valid for ever, and this is called once, while the system
    /// boots. The first credentials refer to it already.
    pub unsafe fn from_root(
        root: NonNull<bindings::user_struct>,
        table: *mut bindings::user_table,
    ) -> Self {
        // INVARIANT: By the safety requirements.
        let user = Self(root);

        user.set_table(table, None);
        user
    }

    /// Returns the reference that the user was made with. It is up to whoever gives up the last one
    /// to get the memory back by [`UserBox::from_ref`].
    pub fn into_ref(self) -> ARef<User> {
        let user = ManuallyDrop::new(self).0;

        // SAFETY: The user was made with a reference, the first one with that of the first
        // credentials. It is passed on.
        unsafe { ARef::from_raw(user.cast()) }
    }

    /// Takes the memory back.
    ///
    /// # Safety
    ///
    /// `user` comes from [`UserBox::into_ref`], and has no references. Who may still find it does
    /// so under RCU only.
    pub unsafe fn from_ref(user: &User) -> Self {
        // INVARIANT: By the safety requirements.
        Self(NonNull::from(user).cast())
    }

    fn set_table(&self, table: *mut bindings::user_table, parent: Option<&User>) {
        let user = self.0.as_ptr();

        // SAFETY: By the type invariants, the user is valid. Nobody else refers to it yet, or it is
        // the first one, and nothing relies on these fields.
        unsafe {
            (*user).table = table;
            (*user).parent = parent.map_or(ptr::null_mut(), User::as_ptr);
        }
    }
}

#[cfg(CONFIG_USER_NS_EXECNS)]
impl Deref for UserBox {
    type Target = User;

    #[inline]
    fn deref(&self) -> &User {
        // SAFETY: By the type invariants, the user is valid as long as `self` is.
        unsafe { User::from_ptr(self.0.as_ptr()) }
    }
}

#[cfg(CONFIG_USER_NS_EXECNS)]
impl Drop for UserBox {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, the user is valid, and nothing else frees it.
        unsafe { bindings::user_struct_free(self.0.as_ptr()) };
    }
}

// SAFETY: A user is not bound to a thread.
#[cfg(CONFIG_USER_NS_EXECNS)]
unsafe impl Send for UserBox {}

// SAFETY: As for `User`.
#[cfg(CONFIG_USER_NS_EXECNS)]
unsafe impl Sync for UserBox {}
