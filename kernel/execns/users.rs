// SPDX-License-Identifier: GPL-2.0

//! What C calls of [`crate::user_table`].
//!
//! C header: [`include/linux/sched/user.h`](srctree/include/linux/sched/user.h).

use crate::user_table::{
    self,
    TableRef,
    UserTable, //
};
use core::ptr::{
    self,
    NonNull, //
};
use kernel::{
    bindings,
    prelude::*,
    sync::aref::ARef,
    task::Kuid,
    user::User, //
};

/// Turns what may be a user into what C expects.
fn into_c(user: Option<ARef<User>>) -> *mut bindings::user_struct {
    user.map_or(ptr::null_mut(), |user| ARef::into_raw(user).as_ptr().cast())
}

/// The table of a user namespace.
///
/// # Safety
///
/// `ns` is valid for `'a`.
unsafe fn table_of<'a>(ns: *const bindings::user_namespace) -> Option<&'a TableRef> {
    // SAFETY: The namespace is valid by the safety requirements. It has a reference to its table
    // from its creation until it is freed, and the pointer to it does not change.
    unsafe { TableRef::from_field(&raw const (*ns).users) }
}

/// Returns the user of `uid` in a user namespace with a new reference, or null if there is no
/// memory. May sleep.
///
/// # Safety
///
/// `ns` is valid.
#[export]
pub(crate) unsafe extern "C" fn alloc_uid(
    ns: *mut bindings::user_namespace,
    uid: bindings::kuid_t,
) -> *mut bindings::user_struct {
    // SAFETY: By the safety requirements.
    into_c(unsafe { table_of(ns) }.and_then(|table| table.alloc(Kuid::from_raw(uid)).ok()))
}

/// Returns the user of `uid` in a user namespace with a new reference, or null if there is none.
///
/// # Safety
///
/// `ns` is valid, and the caller is in an RCU read-side critical section.
#[export]
pub(crate) unsafe extern "C" fn find_user(
    ns: *mut bindings::user_namespace,
    uid: bindings::kuid_t,
) -> *mut bindings::user_struct {
    // SAFETY: By the safety requirements.
    into_c(unsafe { table_of(ns).and_then(|table| table.find_rcu(Kuid::from_raw(uid))) })
}

/// Gives up a reference to a user. Can be called from softirq, and with interrupts off.
///
/// # Safety
///
/// There is a reference to `user`, or it is null.
#[export]
pub(crate) unsafe extern "C" fn free_uid(user: *mut bindings::user_struct) {
    if let Some(user) = NonNull::new(user.cast()) {
        // SAFETY: By the safety requirements, there is a reference to take.
        user_table::put_all(unsafe { ARef::from_raw(user) });
    }
}

/// Makes the table of the initial user namespace, or returns null. May sleep.
///
/// # Safety
///
/// `root` is valid for ever, no table has it, and this is called once.
#[export]
pub(crate) unsafe extern "C" fn user_table_init(
    root: *mut bindings::user_struct,
) -> *mut bindings::user_table {
    let table = NonNull::new(root)
        .ok_or(EINVAL)
        // SAFETY: By the safety requirements.
        .and_then(|root| unsafe { TableRef::initial(root) });

    table.map_or(ptr::null_mut(), TableRef::into_raw)
}

/// Makes a table, or returns null if there is no memory. `creator` is charged for it, unless it is
/// `independent`. May sleep.
///
/// # Safety
///
/// `creator` is valid.
#[export]
pub(crate) unsafe extern "C" fn user_table_new(
    creator: *mut bindings::user_struct,
    independent: bool,
) -> *mut bindings::user_table {
    // SAFETY: By the safety requirements.
    let creator = unsafe { User::from_ptr(creator) };

    TableRef::new(Some(creator.into()), !independent).map_or(ptr::null_mut(), TableRef::into_raw)
}

/// Returns a new reference to a table.
///
/// # Safety
///
/// There is a reference to `table`.
#[export]
pub(crate) unsafe extern "C" fn user_table_get(
    table: *mut bindings::user_table,
) -> *mut bindings::user_table {
    // SAFETY: By the safety requirements.
    match unsafe { TableRef::from_field(&raw const table) } {
        Some(table) => table.clone().into_raw(),
        None => ptr::null_mut(),
    }
}

/// Gives up a reference to a table. Can be called from softirq, and with interrupts off.
///
/// # Safety
///
/// There is a reference to `table`, or it is null.
#[export]
pub(crate) unsafe extern "C" fn user_table_put(table: *mut bindings::user_table) {
    if let Some(table) = NonNull::new(table) {
        // SAFETY: By the safety requirements, there is a reference to take.
        drop(unsafe { TableRef::from_raw(table) });
    }
}

/// Returns whether `other` is `table`, or was made below it.
///
/// # Safety
///
/// Both are valid.
#[export]
pub(crate) unsafe extern "C" fn user_table_includes(
    table: *const bindings::user_table,
    other: *const bindings::user_table,
) -> bool {
    // SAFETY: By the safety requirements.
    let (table, other) = unsafe { (UserTable::from_ptr(table), UserTable::from_ptr(other)) };

    table.includes(other)
}

/// Returns the user that is charged for those of `table`, or null. It is valid as long as `table`
/// is.
///
/// # Safety
///
/// `table` is valid.
#[export]
pub(crate) unsafe extern "C" fn user_table_creator(
    table: *const bindings::user_table,
) -> *const bindings::user_struct {
    // SAFETY: By the safety requirements.
    unsafe { UserTable::from_ptr(table) }
        .charged_creator()
        .map_or(ptr::null(), |user| user.as_ptr().cast_const())
}

/// Returns whether any table was made by a user of `table`.
///
/// # Safety
///
/// `table` is valid.
#[export]
pub(crate) unsafe extern "C" fn user_table_has_children(
    table: *const bindings::user_table,
) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { UserTable::from_ptr(table) }.has_children()
}
