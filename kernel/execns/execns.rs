// SPDX-License-Identifier: GPL-2.0

//! execns(2) and execnsat(2): execve(2) into new namespaces, without the caller's descriptors.
//!
//! fs/exec.c calls what is exported here, in this order:
//!
//! 1. [`execns_new`] or [`execns_new_at`], which read the arguments, and [`execns_stage`]:
//!    everything that can fail. Paths are resolved as the new program will from here on, and
//!    credentials are derived from [`execns_cred`].
//! 2. [`execns_end_lookup`], right after the point of no return.
//! 3. [`execns_commit`], once the caller is single-threaded and before the new mm is visible.
//!    This can not fail.
//! 4. [`execns_commit_creds`], as soon as it is.
//! 5. [`execns_free`]. What has been staged and not committed is undone, so that a failure before
//!    the point of no return leaves the caller as it was.
//!
//! C header: [`include/linux/execns.h`](srctree/include/linux/execns.h).

use core::ptr;
use kernel::{
    bindings,
    cred::Credential,
    error::{
        from_err_ptr,
        from_result, //
    },
    fs::File,
    prelude::*,
    sync::aref::ARef,
    uaccess::UserPtr, //
};

mod account;
mod args;
mod descriptors;
mod flags;
mod identity;
mod plan;
#[cfg(CONFIG_SECCOMP_FILTER)]
mod seccomp;
mod user_table;
mod users;

use args::Request;
use plan::Execns;

const __LOG_PREFIX: &[u8] = b"execns\0";

/// The type that `struct execns` of the C side stands for.
///
/// # Safety
///
/// `execns` was returned by [`execns_new`] or [`execns_new_at`], has not been passed to
/// [`execns_free`], and nothing else refers to it for `'a`.
unsafe fn from_c<'a>(execns: *mut bindings::execns) -> &'a mut Execns {
    // SAFETY: By the safety requirements, this is a `KBox<Execns>` that was turned into a pointer,
    // and it is borrowed once.
    unsafe { &mut *execns.cast() }
}

fn into_c(request: Result<Request>) -> *mut bindings::execns {
    match request.and_then(Execns::new) {
        Ok(execns) => KBox::into_raw(execns).cast(),
        Err(error) => error.to_ptr(),
    }
}

/// Begins a call of execns(2). Returns an error pointer if its flags are none. May sleep.
#[export]
pub extern "C" fn execns_new(unshare_flags: c_int) -> *mut bindings::execns {
    into_c(Request::from_flags(unshare_flags))
}

/// Begins a call of execnsat(2), whose arguments are at `args` in user memory. Returns an error
/// pointer if they are malformed. May sleep.
#[export]
pub extern "C" fn execns_new_at(
    args: *mut bindings::execns_args,
    size: usize,
) -> *mut bindings::execns {
    into_c(Request::from_user(UserPtr::from_ptr(args.cast()), size))
}

/// Returns the flags that execveat(2) has.
///
/// # Safety
///
/// As for [`from_c`].
#[export]
pub unsafe extern "C" fn execns_at_flags(execns: *mut bindings::execns) -> c_int {
    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }.at_flags() as c_int
}

/// Prepares all that is to change, and lets the current task resolve paths as the program will.
/// Returns 0 or a negative errno. May sleep.
///
/// # Safety
///
/// As for [`from_c`].
#[export]
pub unsafe extern "C" fn execns_stage(execns: *mut bindings::execns) -> c_int {
    // SAFETY: By the safety requirements.
    from_result(|| unsafe { from_c(execns) }.stage().map(|()| 0))
}

/// Returns whether the program has the descriptor that is `fd` of the caller as its `fd`.
///
/// # Safety
///
/// As for [`from_c`].
#[export]
pub unsafe extern "C" fn execns_keeps_fd(execns: *mut bindings::execns, fd: c_int) -> bool {
    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }.keeps(fd as u32)
}

/// Ends the call. What has not been committed is undone. May sleep.
///
/// # Safety
///
/// `execns` was returned by [`execns_new`] or [`execns_new_at`] in this task, where an error
/// pointer is none to free, and is not used any more.
#[export]
pub unsafe extern "C" fn execns_free(execns: *mut bindings::execns) {
    if let Ok(execns) = from_err_ptr(execns) {
        // SAFETY: By the safety requirements, this is a `KBox<Execns>` that was turned into a
        // pointer.
        drop(unsafe { KBox::<Execns>::from_raw(execns.cast()) });
    }
}

/// Returns what the credentials of the program are to be derived from, valid until
/// [`execns_commit`], or null if that is what the caller has.
///
/// # Safety
///
/// As for [`from_c`].
#[export]
pub unsafe extern "C" fn execns_cred(execns: *mut bindings::execns) -> *const bindings::cred {
    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }
        .cred()
        .map_or(ptr::null(), Credential::as_ptr)
}

/// Lets the current task resolve paths as before.
///
/// # Safety
///
/// As for [`from_c`].
#[export]
pub unsafe extern "C" fn execns_end_lookup(execns: *mut bindings::execns) {
    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }.end_lookup();
}

/// Moves the current task to where the program is to run. May sleep.
///
/// # Safety
///
/// As for [`from_c`]. The current task is the only one of its thread group.
#[export]
pub unsafe extern "C" fn execns_commit(execns: *mut bindings::execns) {
    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }.commit(kernel::current!());
}

/// Gives the current task the credentials that the program's are derived from. May sleep.
///
/// # Safety
///
/// As for [`from_c`]. The memory of the current task is that of the program, and nobody looks at it
/// before `exec_update_lock` is released.
#[export]
pub unsafe extern "C" fn execns_commit_creds(execns: *mut bindings::execns) {
    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }.commit_creds(kernel::current!());
}

/// Keeps `file` until the credentials are final, which decide whether the program may read it.
///
/// # Safety
///
/// As for [`from_c`]. `file` is valid.
#[export]
pub unsafe extern "C" fn execns_defer_dump(
    execns: *mut bindings::execns,
    file: *mut bindings::file,
) {
    // SAFETY: `file` is valid by the safety requirements, and has no light references: the caller
    // has opened it itself.
    let file: ARef<File> = unsafe { File::from_raw_file(file) }.into();

    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }.defer_dump(file);
}

/// Returns what [`execns_defer_dump`] has kept, or null. It is valid until [`execns_free`].
///
/// # Safety
///
/// As for [`from_c`].
#[export]
pub unsafe extern "C" fn execns_deferred_dump(
    execns: *mut bindings::execns,
) -> *mut bindings::file {
    // SAFETY: By the safety requirements.
    unsafe { from_c(execns) }
        .deferred_dump()
        .map_or(ptr::null_mut(), |file| file.as_ptr())
}
