// SPDX-License-Identifier: GPL-2.0

//! What a task has of System V IPC.
//!
//! C headers: [`include/linux/sem.h`](srctree/include/linux/sem.h) and
//! [`include/linux/shm.h`](srctree/include/linux/shm.h).

use crate::{
    bindings,
    task::CurrentTask, //
};

/// Leaves the list of semaphore adjustments. What the last task to leave has not undone is done
/// now, as at exit: in the IPC namespace that the task is in.
///
/// May sleep.
#[inline]
pub fn exit_sem(task: &CurrentTask) {
    // SAFETY: `task` is current.
    unsafe { bindings::exit_sem(task.as_ptr()) };
}

/// Orphans the shared memory segments that the task has created: from now on, none of them is
/// destroyed when it exits.
///
/// May sleep.
#[inline]
pub fn orphan_shm(task: &CurrentTask) {
    // SAFETY: `task` is current. The list has no element after the first call, and may be
    // initialized again.
    unsafe {
        bindings::exit_shm(task.as_ptr());
        bindings::shm_init_task(task.as_ptr());
    }
}
