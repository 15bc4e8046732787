// SPDX-License-Identifier: GPL-2.0

//! Descriptor tables.
//!
//! C header: [`include/linux/fdtable.h`](srctree/include/linux/fdtable.h).

use crate::{
    bindings,
    error::{
        from_err_ptr,
        to_result, //
    },
    fs::LocalFile,
    prelude::*,
    task::CurrentTask, //
};
use core::{
    mem::ManuallyDrop,
    ptr::NonNull, //
};

/// The number that a descriptor has in one table, and that it has in another.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct FdMove(bindings::fd_move);

impl FdMove {
    /// From this number to that.
    #[inline]
    pub const fn new(from: u32, to: u32) -> Self {
        Self(bindings::fd_move { from, to })
    }

    /// The number that it has in the first table.
    #[inline]
    pub const fn from(self) -> u32 {
        self.0.from
    }

    /// The number that it has in the second table.
    #[inline]
    pub const fn to(self) -> u32 {
        self.0.to
    }
}

/// A descriptor table that no task has.
///
/// # Invariants
///
/// `files` is valid and has one reference, which this owns.
pub struct FilesStruct {
    files: NonNull<bindings::files_struct>,
}

impl FilesStruct {
    /// Makes a table in which no descriptor is open, with room for `slots`. May sleep.
    ///
    /// Returns `EMFILE` if no table can be that large, and `ENOMEM`.
    pub fn with_room(slots: u32) -> Result<Self> {
        // SAFETY: There are no requirements.
        let files = from_err_ptr(unsafe { bindings::new_files_struct(slots) })?;

        // INVARIANT: A new table has one reference.
        Ok(Self {
            files: NonNull::new(files).ok_or(ENOMEM)?,
        })
    }

    /// Installs a file as the descriptor `fd`, which is not close-on-exec.
    ///
    /// Returns `EBADF` if there is no room for that number, and `EINVAL` if it is taken.
    pub fn install(&mut self, fd: u32, file: &LocalFile) -> Result {
        // SAFETY: By the type invariants, nobody else has the table. `file` is valid.
        to_result(unsafe { bindings::new_files_install(self.files.as_ptr(), fd, file.as_ptr()) })
    }

    /// Lets the task have these descriptors instead of its own, as execve(2) does: a table that it
    /// shares is left, one that it has for itself is emptied and filled.
    ///
    /// `moves` tells for each descriptor which one of the task it has been, so that it is not
    /// closed on the way. Closing may sleep for as long as a file system takes to flush. The task
    /// has to be the only one of its thread group.
    pub fn replace(self, _task: &CurrentTask, moves: &[FdMove]) {
        let files = ManuallyDrop::new(self).files.as_ptr();
        // No list has more elements than a table has room for, which is an int.
        let nr = moves.len() as c_uint;

        // SAFETY: The reference is passed on. There are `nr` elements, `FdMove` being transparent.
        unsafe { bindings::exec_replace_files(files, moves.as_ptr().cast(), nr) };
    }
}

impl Drop for FilesStruct {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, there is a reference to put.
        unsafe { bindings::put_files_struct(self.files.as_ptr()) };
    }
}
