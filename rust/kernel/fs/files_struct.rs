// SPDX-License-Identifier: GPL-2.0

//! Descriptor tables.
//!
//! C header: [`include/linux/fdtable.h`](srctree/include/linux/fdtable.h).

use crate::{
    alloc::AllocError,
    bindings,
    prelude::*,
    task::CurrentTask, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};

/// A descriptor table that no task has.
///
/// # Invariants
///
/// `files` is valid and has one reference, which this owns.
pub struct FilesStruct {
    files: NonNull<bindings::files_struct>,
}

impl FilesStruct {
    /// Makes a table in which no descriptor is open. May sleep.
    pub fn empty() -> Result<Self> {
        // SAFETY: There are no requirements.
        let files = unsafe { bindings::new_files_struct() };

        // INVARIANT: A new table has one reference.
        Ok(Self {
            files: NonNull::new(files).ok_or(AllocError)?,
        })
    }

    /// Makes it the table of the task. If nobody shares the old one, all that is in it is closed,
    /// which may sleep for as long as a file system takes to flush.
    pub fn install(self, task: &CurrentTask) {
        let files = ManuallyDrop::new(self).files.as_ptr();
        let task = task.as_ptr();

        // SAFETY: `task` is current, so that it has a table. Others may look at it under
        // `task_lock()`, which is held while it is replaced; the reference is passed on, and that
        // of the old one is ours then.
        unsafe {
            bindings::task_lock(task);
            let old = ptr::replace(&raw mut (*task).files, files);
            bindings::task_unlock(task);
            bindings::put_files_struct(old);
        }
    }
}

impl Drop for FilesStruct {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, there is a reference to put.
        unsafe { bindings::put_files_struct(self.files.as_ptr()) };
    }
}
