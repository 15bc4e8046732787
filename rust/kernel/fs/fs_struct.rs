// SPDX-License-Identifier: GPL-2.0

//! Root directory, working directory and umask of a task.
//!
//! C header: [`include/linux/fs_struct.h`](srctree/include/linux/fs_struct.h).

use crate::{
    alloc::AllocError,
    bindings,
    nsproxy::NewNsproxy,
    prelude::*,
    task::{
        CurrentTask,
        Task, //
    },
    types::NotThreadSafe, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};

// `bindgen` lays out structures by itself, and may be wrong about one as large as this: a wrong
// offset would be another member of the task.
kernel::static_assert!(
    core::mem::offset_of!(bindings::task_struct, fs) == bindings::TASK_STRUCT_FS,
    "bindgen and C disagree about task_struct"
);

/// A private `struct fs_struct` that no task has.
///
/// # Invariants
///
/// `fs` is valid and has one user, which this is.
pub struct FsStruct {
    fs: NonNull<bindings::fs_struct>,
}

impl FsStruct {
    /// Copies what the current task has. May sleep.
    pub fn copy_current() -> Result<Self> {
        // SAFETY: The `fs_struct` of the current task is valid, or null in a task that exits,
        // which does not get here.
        let fs = unsafe { bindings::copy_fs_struct((*Task::current_raw()).fs) };

        // INVARIANT: A copy has one user.
        Ok(Self {
            fs: NonNull::new(fs).ok_or(AllocError)?,
        })
    }

    /// Returns whether the current task shares its `fs_struct`, with a thread or a process.
    pub fn current_is_shared() -> bool {
        // SAFETY: The `fs_struct` of the current task is valid. The number of its users may be
        // changed concurrently, but not if this is the only one.
        unsafe { ptr::read_volatile(&raw const (*(*Task::current_raw()).fs).users) != 1 }
    }

    /// Returns whether the current task resolves paths by another `fs_struct` than its own.
    pub fn current_is_overridden() -> bool {
        let task = Task::current_raw();

        // SAFETY: The current task is valid, and only it writes these members.
        unsafe { (*task).fs != (*task).real_fs }
    }

    #[inline]
    pub(crate) fn as_mut_ptr(&mut self) -> *mut bindings::fs_struct {
        self.fs.as_ptr()
    }

    /// Makes it that of the task. May sleep.
    ///
    /// While the `fs_struct` of the task is overridden, this must not be called.
    pub fn install(self, _task: &CurrentTask) {
        let fs = ManuallyDrop::new(self).fs.as_ptr();

        // SAFETY: By the type invariants, `fs` is valid and nobody else's. The old one is returned
        // if nobody has it any more.
        unsafe {
            (*fs).in_exec = 0;
            let old = bindings::switch_fs_struct(fs);
            if !old.is_null() {
                bindings::free_fs_struct(old);
            }
        }
    }

    /// Lets the current task resolve paths by this `fs_struct`, until the returned value is
    /// dropped or [ended](FsOverride::end).
    ///
    /// If there is an `nsproxy`, mounts of its mount namespace count as the task's own meanwhile.
    pub fn override_current(self, nsproxy: Option<NewNsproxy>) -> FsOverride {
        let task = Task::current_raw();
        let fs = self.fs.as_ptr();

        // SAFETY: By the type invariants, `fs` is valid and nobody else's.
        unsafe {
            (*fs).mnt_ns = nsproxy
                .as_ref()
                .map_or(ptr::null_mut(), |nsproxy| nsproxy.mnt_ns());
        }
        // SAFETY: The current task is valid, and only it writes this member, or reads it.
        let saved = unsafe { ptr::replace(&raw mut (*task).fs, fs) };

        // INVARIANT: That is what it was, and `real_fs` keeps it. `self` outlives the scope.
        FsOverride {
            scope: Scope {
                saved,
                _not_send: NotThreadSafe,
            },
            fs: self,
            nsproxy,
        }
    }
}

impl Drop for FsStruct {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, nobody else has it.
        unsafe { bindings::free_fs_struct(self.fs.as_ptr()) };
    }
}

/// An [`FsStruct`] by which the current task resolves paths.
pub struct FsOverride {
    // Members are dropped in this order: the scope ends before what it refers to is gone.
    scope: Scope,
    fs: FsStruct,
    nsproxy: Option<NewNsproxy>,
}

impl FsOverride {
    /// Ends the override, and returns what it was made of.
    pub fn end(self) -> (FsStruct, Option<NewNsproxy>) {
        drop(self.scope);
        (self.fs, self.nsproxy)
    }
}

/// The time for which `current->fs` is another one than `current->real_fs`.
///
/// # Invariants
///
/// `current->fs` is valid and overrides `saved`, which is valid. The mount namespace that it names
/// is valid.
struct Scope {
    saved: *mut bindings::fs_struct,
    _not_send: NotThreadSafe,
}

impl Drop for Scope {
    fn drop(&mut self) {
        let task = Task::current_raw();

        // SAFETY: By the type invariants, both are valid. This runs in the task that the scope was
        // made in, since the type is neither `Send` nor `Sync`; nobody else writes the members.
        unsafe {
            (*(*task).fs).mnt_ns = ptr::null_mut();
            (*task).fs = self.saved;
        }
    }
}
