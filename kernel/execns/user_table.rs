// SPDX-License-Identifier: GPL-2.0

//! The users of a user namespace, one for each uid that is in use.
//!
//! execns(2) gives a new user namespace a table of its own, so that a uid in it is another user
//! than the same uid elsewhere. Other user namespaces share the table of their parent. The users
//! keep their table, which therefore outlives the namespace while anything is charged in it.
//!
//! The last reference to a user is given up under the lock of the table, and no other one is. Users
//! are looked up without it. A user may be put from softirq, and with interrupts off.
//!
//! C header: [`include/linux/sched/user.h`](srctree/include/linux/sched/user.h).

use core::{
    mem::ManuallyDrop,
    ops::Deref,
    ptr::{
        self,
        NonNull, //
    }, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        aref::ARef,
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
    task::Kuid,
    user::{
        User,
        UserBox, //
    },
    user_hash::UserHash, //
};

/// The type that `struct user_table` of the C side stands for.
#[pin_data]
pub(crate) struct UserTable {
    /// Who has made the table: nobody, for that of the initial user namespace.
    creator: Option<ARef<User>>,
    /// Whether the creator is charged for all of the table.
    charges_creator: bool,
    /// How many tables have been made by users of this one.
    children: Atomic<usize>,
    /// Each of these has a reference to the table: [`User::table`].
    #[pin]
    users: UserHash,
}

/// A reference to a table.
#[repr(transparent)]
pub(crate) struct TableRef(NonNull<UserTable>);

impl TableRef {
    /// Makes a table. Its users are charged to `creator` as well, if `charges_creator`. May sleep.
    pub(crate) fn new(creator: Option<ARef<User>>, charges_creator: bool) -> Result<Self> {
        let table = Arc::try_pin_init(
            try_pin_init!(UserTable {
                creator,
                charges_creator,
                children: Atomic::new(0),
                users <- UserHash::new(),
            }),
            GFP_KERNEL,
        )?;

        if let Some(parent) = table.parent() {
            parent.children.fetch_add(1, Relaxed);
        }
        Ok(Self::from_arc(table))
    }

    /// Makes the table of the initial user namespace. May sleep.
    ///
    /// # Safety
    ///
    /// As for [`UserBox::from_root`].
    pub(crate) unsafe fn initial(root: NonNull<bindings::user_struct>) -> Result<Self> {
        let table = Self::new(None, false)?;

        // SAFETY: By the safety requirements.
        let user = unsafe { UserBox::from_root(root, table.clone().into_raw()) };

        // The first credentials have the references.
        let _ = ARef::into_raw(table.users.lock().insert(user).0);
        Ok(table)
    }

    fn from_arc(table: Arc<UserTable>) -> Self {
        // SAFETY: It is not null.
        Self(unsafe { NonNull::new_unchecked(table.into_raw().cast_mut()) })
    }

    fn into_arc(self) -> Arc<UserTable> {
        let this = ManuallyDrop::new(self);

        // SAFETY: It comes from `Arc::into_raw` in `Self::from_arc`, and is not used any more.
        unsafe { Arc::from_raw(this.0.as_ptr()) }
    }

    fn as_ptr(&self) -> *mut bindings::user_table {
        self.0.as_ptr().cast()
    }

    /// Turns the reference into a raw pointer.
    pub(crate) fn into_raw(self) -> *mut bindings::user_table {
        ManuallyDrop::new(self).as_ptr()
    }

    /// Takes the reference that a raw pointer stands for.
    ///
    /// # Safety
    ///
    /// `ptr` comes from [`TableRef::into_raw`], and is not used any more.
    pub(crate) unsafe fn from_raw(ptr: NonNull<bindings::user_table>) -> Self {
        Self(ptr.cast())
    }

    /// Borrows the reference that a raw pointer of the C side stands for, if it is not null.
    ///
    /// # Safety
    ///
    /// `field` can be read for `'a`. It is null, or comes from [`TableRef::into_raw`], and does not
    /// change for `'a`.
    pub(crate) unsafe fn from_field<'a>(
        field: *const *mut bindings::user_table,
    ) -> Option<&'a Self> {
        // SAFETY: An `Option<TableRef>` is laid out as a pointer that may be null, and by the
        // safety requirements there is a reference if it is not.
        unsafe { (*field.cast::<Option<Self>>()).as_ref() }
    }

    /// Gives up the reference. Returns the creator if it was the last one.
    fn release(self) -> Option<ARef<User>> {
        let mut last = Arc::into_unique_or_drop(self.into_arc())?;

        if let Some(parent) = last.parent() {
            parent.children.fetch_sub(1, Relaxed);
        }
        last.as_mut().project().creator.take()
    }

    /// Returns the user of `uid`, which is made if there is none. May sleep.
    pub(crate) fn alloc(&self, uid: Kuid) -> Result<ARef<User>> {
        match self.find(uid) {
            Some(user) => Ok(user),
            None => self.insert(uid),
        }
    }

    /// Makes a user, but for when somebody else has been faster. Most calls find one.
    #[inline(never)]
    fn insert(&self, uid: Kuid) -> Result<ARef<User>> {
        let new = UserBox::new(uid, self.as_ptr(), self.charged_creator())?;
        let mut users = self.users.lock();

        if let Some(other) = users.find(uid) {
            let other = other.into();

            drop(users);
            return Ok(other);
        }
        // It is given up by `UserTable::put`.
        let _ = self.clone().into_raw();
        let (user, full) = users.insert(new);

        drop(users);
        if full {
            self.users.grow();
        }
        Ok(user)
    }
}

impl UserTable {
    /// Borrows a table of the C side.
    ///
    /// # Safety
    ///
    /// There is a reference to the table for `'a`.
    pub(crate) unsafe fn from_ptr<'a>(ptr: *const bindings::user_table) -> &'a Self {
        // SAFETY: By the safety requirements.
        unsafe { &*ptr.cast() }
    }

    /// Returns the table that a user is in.
    pub(crate) fn of(user: &User) -> &UserTable {
        // SAFETY: The user was made by `TableRef::alloc` or `initial`, and keeps its table.
        unsafe { Self::from_ptr(user.table()) }
    }

    /// Returns the table that the creator of this one is in.
    fn parent(&self) -> Option<&UserTable> {
        self.creator.as_deref().map(UserTable::of)
    }

    /// Returns who is charged for all users of this table, if there is one.
    pub(crate) fn charged_creator(&self) -> Option<&User> {
        self.creator.as_deref().filter(|_| self.charges_creator)
    }

    /// Returns the user of `uid`, if there is one.
    pub(crate) fn find(&self, uid: Kuid) -> Option<ARef<User>> {
        self.users.find(uid)
    }

    /// Returns the user of `uid`, if there is one.
    ///
    /// # Safety
    ///
    /// The caller is in an RCU read-side critical section.
    pub(crate) unsafe fn find_rcu(&self, uid: Kuid) -> Option<ARef<User>> {
        // SAFETY: By the safety requirements.
        unsafe { self.users.find_rcu(uid) }
    }

    /// Returns whether `other` is this table, or has been made by a user of it or of one that has.
    pub(crate) fn includes(&self, other: &UserTable) -> bool {
        let mut table = Some(other);

        while let Some(this) = table {
            if ptr::eq(this, self) {
                return true;
            }
            table = this.parent();
        }
        false
    }

    /// Returns whether any table has been made by a user of this one.
    pub(crate) fn has_children(&self) -> bool {
        self.children.load(Relaxed) != 0
    }

    /// Gives up a reference to `user`. Returns the reference to its table if it was the last one.
    ///
    /// # Safety
    ///
    /// There is a reference to give up.
    unsafe fn put(user: &User) -> Option<TableRef> {
        if user.refcount().dec_not_one() {
            return None;
        }

        let mut users = UserTable::of(user).users.lock();
        if !user.refcount().dec_and_test() {
            return None;
        }
        let table = NonNull::new(user.table())?;
        // SAFETY: That was the last reference.
        let user = unsafe { users.remove(user) };
        drop(users);
        drop(user);

        // SAFETY: It was taken by `TableRef::insert` or `initial`.
        Some(unsafe { TableRef::from_raw(table) })
    }
}

/// Gives up a reference to `user`, and to all who were kept by it alone.
#[inline]
pub(crate) fn put_all(user: ARef<User>) {
    let user = ARef::into_raw(user);

    // SAFETY: There is a reference, which is given up here or there.
    if !unsafe { user.as_ref() }.refcount().dec_not_one() {
        put_last(user);
    }
}

/// Gives up what may be the last reference. This is no recursion: tables are nested as deeply as
/// user namespaces.
#[inline(never)]
fn put_last(user: NonNull<User>) {
    let mut next = Some(user);

    while let Some(user) = next.take() {
        // SAFETY: There is a reference, which is given up.
        let table = unsafe { UserTable::put(user.as_ref()) };

        next = table.and_then(TableRef::release).map(ARef::into_raw);
    }
}

impl Clone for TableRef {
    fn clone(&self) -> Self {
        // SAFETY: There is a reference, which stays what it is.
        let table = ManuallyDrop::new(unsafe { Arc::from_raw(self.0.as_ptr()) });

        Self::from_arc(Arc::clone(&table))
    }
}

impl Deref for TableRef {
    type Target = UserTable;

    fn deref(&self) -> &UserTable {
        // SAFETY: There is a reference as long as `self` lives.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for TableRef {
    fn drop(&mut self) {
        // `self` is not used any more.
        if let Some(creator) = Self(self.0).release() {
            put_all(creator);
        }
    }
}

// SAFETY: A table can be used and given up by any thread.
unsafe impl Send for TableRef {}

// SAFETY: As above.
unsafe impl Sync for TableRef {}

#[cfg(CONFIG_USER_NS_EXECNS_KUNIT_TEST)]
#[kunit_tests(execns_user_table)]
mod tests {
    use super::*;
    use kernel::{
        cred::Credential,
        sync::Completion,
        workqueue, //
    };

    fn uid(val: u32) -> Kuid {
        Kuid::from_raw(bindings::kuid_t { val })
    }

    fn creator() -> ARef<User> {
        Credential::current().user().into()
    }

    /// A user that nobody else has a reference to.
    fn private_creator() -> Result<ARef<User>> {
        TableRef::new(Some(creator()), true)?.alloc(uid(1))
    }

    fn references(user: &User) -> i32 {
        user.refcount().as_atomic().load(Relaxed)
    }

    #[test]
    fn a_user_is_found_while_there_are_references() -> Result {
        let table = TableRef::new(Some(creator()), true)?;

        assert!(table.find(uid(7)).is_none());
        let user = table.alloc(uid(7))?;
        let again = table.alloc(uid(7))?;
        assert!(ptr::eq(&*user, &*again));
        assert_eq!(references(&user), 2);
        assert!(table.find(uid(8)).is_none());

        drop(user);
        assert!(table.find(uid(7)).is_some());
        drop(again);
        assert!(table.find(uid(7)).is_none());
        Ok(())
    }

    #[test]
    fn a_uid_is_another_user_in_another_table() -> Result {
        let one = TableRef::new(Some(creator()), true)?;
        let other = TableRef::new(Some(creator()), true)?;
        let user = one.alloc(uid(0))?;

        assert!(!ptr::eq(&*user, &*creator()));
        assert!(!ptr::eq(&*user, &*other.alloc(uid(0))?));
        Ok(())
    }

    #[test]
    fn who_loses_the_race_gets_the_other_user() -> Result {
        let table = TableRef::new(Some(creator()), true)?;
        let user = table.insert(uid(7))?;
        let other = table.insert(uid(7))?;

        assert!(ptr::eq(&*user, &*other));
        assert_eq!(references(&user), 2);
        Ok(())
    }

    #[test]
    fn the_last_put_may_meet_a_get() -> Result {
        let table = TableRef::new(Some(creator()), true)?;
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let (theirs, signal) = (table.clone(), done.clone());

        // Each of these is the last reference, or not, as it happens.
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            for _ in 0..20_000 {
                assert!(theirs.alloc(uid(7)).is_ok());
            }
            signal.complete_all();
        })?;
        for _ in 0..20_000 {
            assert!(table.alloc(uid(7)).is_ok());
        }
        done.wait_for_completion();
        assert!(table.find(uid(7)).is_none());
        Ok(())
    }

    #[test]
    fn a_table_grows() -> Result {
        const USERS: u32 = 5_000;
        let table = TableRef::new(Some(creator()), true)?;
        let done = Arc::pin_init(Completion::new(), GFP_KERNEL)?;
        let (theirs, signal) = (table.clone(), done.clone());
        let mut users = KVec::with_capacity(USERS as usize, GFP_KERNEL)?;
        let kept = table.alloc(uid(u32::MAX - 1))?;

        // What is there is found at any time.
        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || {
            while theirs.find(uid(u32::MAX)).is_none() {
                assert!(theirs.find(uid(u32::MAX - 1)).is_some());
            }
            signal.complete_all();
        })?;
        // Half of them are ranges apart.
        let spread = |n: u32| uid(if n % 2 == 0 { n } else { n << 16 });
        for n in 0..USERS {
            users.push(table.alloc(spread(n))?, GFP_KERNEL)?;
        }
        let last = table.alloc(uid(u32::MAX))?;
        done.wait_for_completion();

        for n in 0..USERS {
            assert!(table
                .find(spread(n))
                .is_some_and(|user| ptr::eq(&*user, &*users[n as usize])));
        }
        drop((kept, last, users));
        for n in 0..USERS {
            assert!(table.find(spread(n)).is_none());
        }
        Ok(())
    }

    #[test]
    fn users_keep_their_table() -> Result {
        let creator = private_creator()?;
        let before = references(&creator);
        let table = TableRef::new(Some(creator.clone()), true)?;
        let user = table.alloc(uid(7))?;

        drop(table);
        assert_eq!(references(&creator), before + 1);
        assert!(user
            .parent()
            .is_some_and(|parent| ptr::eq(parent, &*creator)));
        assert!(UserTable::of(&user).find(uid(7)).is_some());
        drop(user);
        assert_eq!(references(&creator), before);
        Ok(())
    }

    #[test]
    fn nested_tables_go_at_once() -> Result {
        let creator = private_creator()?;
        let before = references(&creator);
        let mut user = creator.clone();

        for _ in 0..40 {
            user = TableRef::new(Some(user), true)?.alloc(uid(7))?;
        }
        assert_eq!(user.parents().count(), 41);
        assert_eq!(references(&creator), before + 1);
        drop(user);
        assert_eq!(references(&creator), before);
        Ok(())
    }

    #[test]
    fn a_table_includes_what_is_made_below_it() -> Result {
        let table = TableRef::new(Some(creator()), true)?;
        let child = TableRef::new(Some(table.alloc(uid(7))?), true)?;
        let independent = TableRef::new(Some(table.alloc(uid(8))?), false)?;
        let grandchild = TableRef::new(Some(child.alloc(uid(9))?), true)?;

        for below in [&table, &child, &independent, &grandchild] {
            assert!(table.includes(below));
            assert!(UserTable::of(&creator()).includes(below));
        }
        assert!(!child.includes(&table));
        assert!(!child.includes(&independent));
        assert!(child.includes(&grandchild));
        assert!(table.has_children());
        drop((child, independent));
        assert!(table.has_children());
        drop(grandchild);
        assert!(!table.has_children());
        Ok(())
    }

    #[test]
    fn an_independent_table_charges_nobody() -> Result {
        let table = TableRef::new(Some(creator()), false)?;

        assert!(table.alloc(uid(7))?.parent().is_none());
        assert!(table.charged_creator().is_none());
        Ok(())
    }
}
