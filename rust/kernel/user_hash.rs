// SPDX-License-Identifier: GPL-2.0

//! A table of users by uid, in which they are looked up without a lock.
//!
//! C header: [`include/linux/sched/user.h`](srctree/include/linux/sched/user.h).

use crate::{
    alloc::flags::__GFP_NOWARN,
    bindings,
    new_spinlock_irq,
    prelude::*,
    sync::{
        aref::ARef,
        barrier::{
            smp_mb,
            Read,
            Write, //
        },
        lock::{
            spinlock::SpinLockIrqBackend,
            Guard, //
        },
        rcu,
        SpinLockIrq, //
    },
    task::{
        cond_resched,
        Kuid, //
    },
    user::{
        User,
        UserBox, //
    }, //
};
use core::{
    cell::UnsafeCell,
    mem::{
        self,
        ManuallyDrop, //
    },
    ptr, //
};

/// What leads to the next user of a chain: null, or valid for an RCU read-side critical section.
///
/// It is changed under the lock of the table.
#[repr(transparent)]
struct Link(UnsafeCell<*mut bindings::user_struct>);

impl Link {
    /// The link behind a user.
    fn behind(user: &User) -> &Link {
        // SAFETY: The user is valid as long as the reference is, and `Link` is transparent.
        unsafe { &*(&raw const (*user.as_ptr()).next).cast() }
    }

    #[inline]
    fn get(&self) -> *mut bindings::user_struct {
        // SAFETY: The field can be read. It may be written to meanwhile, by `Link::set`. As with
        // `rcu_dereference()`, what depends on the address is ordered after this.
        unsafe { ptr::read_volatile(self.0.get()) }
    }

    /// Changes where the link leads to. The caller holds the lock of the table, or nobody else has
    /// the link yet.
    #[inline]
    fn set(&self, user: *mut bindings::user_struct) {
        // SAFETY: The field can be written to, and is by nobody else at the moment.
        unsafe { ptr::write_volatile(self.0.get(), user) };
    }

    /// The user that follows.
    ///
    /// # Safety
    ///
    /// For `'a`, the caller is in an RCU read-side critical section, or holds the lock.
    #[inline]
    unsafe fn follow<'a>(&self) -> Option<&'a User> {
        let user = self.get();

        // SAFETY: By the safety requirements, if there is a user then it is valid: its memory is
        // freed a grace period after it was taken out of its chain, under the lock.
        (!user.is_null()).then(|| unsafe { User::from_ptr(user) })
    }
}

// SAFETY: This is a pointer to what any thread can have.
unsafe impl Send for Link {}

// SAFETY: It is read and written as a whole, and written to under a lock.
unsafe impl Sync for Link {}

/// Heads of chains.
struct Buckets {
    /// How far to shift a hash to the right, which has 32 bits.
    shift: u32,
    heads: ManuallyDrop<KVVec<Link>>,
}

impl Buckets {
    /// Makes `1 << bits` empty chains, one bit being the least. May sleep.
    fn new(bits: u32) -> Result<KBox<Self>> {
        let flags = GFP_KERNEL | __GFP_NOWARN;
        let mut heads = KVVec::with_capacity(1 << bits, flags)?;

        for _ in 0..1 << bits {
            heads.push(Link(UnsafeCell::new(ptr::null_mut())), flags)?;
        }
        Ok(KBox::new(
            Self {
                shift: u32::BITS - bits,
                heads: ManuallyDrop::new(heads),
            },
            flags,
        )?)
    }

    #[inline]
    fn bits(&self) -> u32 {
        u32::BITS - self.shift
    }

    /// The chain of a uid, as by `hash_32()`: neither uids in sequence nor ranges of them have a
    /// chain in common.
    #[inline]
    fn head(&self, uid: u32) -> &Link {
        let hash = uid.wrapping_mul(bindings::GOLDEN_RATIO_32);

        // SAFETY: There are `1 << bits` heads, and this has as many bits.
        unsafe { self.heads.get_unchecked((hash >> self.shift) as usize) }
    }

    /// The user of a uid, if it is in one of these.
    ///
    /// # Safety
    ///
    /// As for [`Link::follow`].
    #[inline]
    unsafe fn find<'a>(&self, uid: u32) -> Option<&'a User> {
        let mut link = self.head(uid);

        // SAFETY: By the safety requirements.
        while let Some(user) = unsafe { link.follow() } {
            if user.uid().into_raw().val == uid {
                return Some(user);
            }
            link = Link::behind(user);
        }
        None
    }

    fn push(&self, user: &User) {
        let head = self.head(user.uid().into_raw().val);

        Link::behind(user).set(head.get());
        // What is behind the link has to be seen by who follows it.
        smp_mb(Write);
        head.set(user.as_ptr());
    }

    /// Takes a user out of its chain, if it is in one of these. The caller holds the lock.
    fn unlink(&self, user: &User) -> bool {
        let mut link = self.head(user.uid().into_raw().val);

        // SAFETY: The caller holds the lock.
        while let Some(this) = unsafe { link.follow() } {
            if ptr::eq(this, user) {
                // Who is at the user goes on from there.
                link.set(Link::behind(user).get());
                return true;
            }
            link = Link::behind(this);
        }
        false
    }

    /// Frees what look-ups may still walk. May sleep.
    fn free_rcu(this: KBox<Self>) {
        let heads = this.heads.as_ptr().cast_mut();
        let this = KBox::into_raw(this);

        // SAFETY: Both come from an allocator whose memory `kvfree()` takes, and are not used any
        // more after a grace period. What is in them needs no drop.
        unsafe {
            bindings::kvfree_call_rcu(ptr::null_mut(), heads.cast());
            bindings::kvfree_call_rcu(ptr::null_mut(), this.cast());
        }
    }
}

impl Drop for Buckets {
    fn drop(&mut self) {
        // SAFETY: The memory is from `kvmalloc()`, and nobody uses it any more. Interrupts may be
        // off, for which there is no way in `KVVec`.
        unsafe { bindings::kvfree_atomic(self.heads.as_ptr().cast()) };
    }
}

/// What is changed under the lock.
struct State {
    buckets: KBox<Buckets>,
    /// Where users are being moved to, while the table grows.
    larger: Option<KBox<Buckets>>,
    growing: bool,
    users: usize,
}

/// A table of users by uid.
///
/// It grows with the number of users, a few chains at a time. It owns the users that are in it.
#[pin_data]
pub struct UserHash {
    /// What look-ups walk: `State::buckets`, or null while users are being moved.
    walk: UnsafeCell<*const Buckets>,
    #[pin]
    state: SpinLockIrq<State>,
}

// SAFETY: `walk` is read and written as a whole, and written to under the lock.
unsafe impl Sync for UserHash {}

// SAFETY: The table is not bound to a thread.
unsafe impl Send for UserHash {}

impl UserHash {
    const FIRST_BITS: u32 = 3;
    const LAST_BITS: u32 = 24;
    /// How many chains are moved before others get the lock.
    const MOVE: usize = 64;

    /// Makes an empty table. May sleep.
    pub fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            walk: UnsafeCell::new(ptr::null()),
            state <- new_spinlock_irq!(State {
                buckets: Buckets::new(Self::FIRST_BITS)?,
                larger: None,
                growing: false,
                users: 0,
            }),
        })
        .pin_chain(|this: Pin<&mut Self>| {
            let state = this.state.lock();

            this.set_walk(&*state.buckets);
            Ok(())
        })
    }

    #[inline]
    fn walk(&self) -> *const Buckets {
        // SAFETY: The field can be read. What depends on the address is ordered after this.
        unsafe { ptr::read_volatile(self.walk.get()) }
    }

    /// The caller holds the lock.
    fn set_walk(&self, buckets: *const Buckets) {
        smp_mb(Write);
        // SAFETY: The field can be written to, and is by nobody else at the moment.
        unsafe { ptr::write_volatile(self.walk.get(), buckets) };
        smp_mb(Write);
    }

    /// Returns the user of `uid`, if there is one.
    #[inline]
    pub fn find(&self, uid: Kuid) -> Option<ARef<User>> {
        let _guard = rcu::read_lock();

        // SAFETY: This is an RCU read-side critical section.
        unsafe { self.find_rcu(uid) }
    }

    /// Returns the user of `uid`, if there is one.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU read-side critical section.
    #[inline]
    pub unsafe fn find_rcu(&self, uid: Kuid) -> Option<ARef<User>> {
        // SAFETY: By the safety requirements.
        match unsafe { self.try_find(uid) } {
            Ok(user) => user,
            // Users are being moved, or this one is on its way out.
            Err(()) => self.lock().find(uid).map(Into::into),
        }
    }

    /// Looks a user up without the lock.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU read-side critical section.
    #[inline]
    unsafe fn try_find(&self, uid: Kuid) -> Result<Option<ARef<User>>, ()> {
        let uid = uid.into_raw().val;
        let walk = self.walk();

        // SAFETY: It is null, or has been what look-ups walk within this critical section: it is
        // freed a grace period after that.
        let buckets = unsafe { walk.as_ref() }.ok_or(())?;

        // SAFETY: By the safety requirements.
        if let Some(user) = unsafe { buckets.find(uid) } {
            return user.get_unless_zero().map(Some).ok_or(());
        }

        // The chain was one of another table if users have been moved meanwhile.
        smp_mb(Read);
        if self.walk() == walk {
            Ok(None)
        } else {
            Err(())
        }
    }

    /// Locks the table. Interrupts are off as long as the returned guard lives.
    pub fn lock(&self) -> Locked<'_> {
        Locked {
            state: self.state.lock(),
        }
    }

    /// Makes the table larger, if it is full. May sleep.
    pub fn grow(&self) {
        let mut state = self.state.lock();
        let bits = state.buckets.bits() + 1;

        if state.growing || state.users < 1 << (bits - 1) || bits > Self::LAST_BITS {
            return;
        }
        state.growing = true;
        drop(state);

        // Without memory, the chains get longer.
        let larger = Buckets::new(bits).ok();

        let mut state = self.state.lock();
        if larger.is_some() {
            self.set_walk(ptr::null());
            state.larger = larger;
        }
        let mut moved = 0;
        while let Some(larger) = state.larger.as_deref() {
            let Some(heads) = state.buckets.heads.get(moved..) else {
                break;
            };
            if heads.is_empty() {
                break;
            }
            for head in heads.iter().take(Self::MOVE) {
                // SAFETY: This holds the lock.
                while let Some(user) = unsafe { head.follow() } {
                    head.set(Link::behind(user).get());
                    larger.push(user);
                }
            }
            moved += Self::MOVE;
            drop(state);
            cond_resched();
            state = self.state.lock();
        }
        let old = state
            .larger
            .take()
            .map(|larger| mem::replace(&mut state.buckets, larger));
        state.growing = false;
        self.set_walk(&*state.buckets);
        drop(state);

        if let Some(old) = old {
            Buckets::free_rcu(old);
        }
    }
}

/// A table that is locked.
pub struct Locked<'a> {
    state: Guard<'a, State, SpinLockIrqBackend>,
}

impl Locked<'_> {
    /// Returns the user of `uid`, if there is one. Somebody has a reference to it.
    pub fn find(&self, uid: Kuid) -> Option<&User> {
        let find = |buckets: &Buckets| {
            // SAFETY: This holds the lock.
            unsafe { buckets.find(uid.into_raw().val) }
        };

        find(&self.state.buckets).or_else(|| self.state.larger.as_deref().and_then(find))
    }

    /// Puts a user into the table, which has none of its uid. Returns the reference that the user
    /// was made with, and whether the table is full now, see [`UserHash::grow`].
    pub fn insert(&mut self, user: UserBox) -> (ARef<User>, bool) {
        let user = user.into_ref();

        self.state
            .larger
            .as_deref()
            .unwrap_or(&self.state.buckets)
            .push(&user);
        self.state.users += 1;
        (user, self.state.users >= self.state.buckets.heads.len())
    }

    /// Takes a user out of the table, if it is in it.
    ///
    /// # Safety
    ///
    /// Nobody has a reference to the user any more.
    pub unsafe fn remove(&mut self, user: &User) -> Option<UserBox> {
        let found = self.state.buckets.unlink(user)
            || self
                .state
                .larger
                .as_deref()
                .is_some_and(|larger| larger.unlink(user));

        found.then(|| {
            self.state.users -= 1;
            // SAFETY: The user was put in by `Self::insert`, and is in no table any more. It has
            // no references, says the caller.
            unsafe { UserBox::from_ref(user) }
        })
    }
}
