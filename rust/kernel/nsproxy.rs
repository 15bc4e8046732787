// SPDX-License-Identifier: GPL-2.0

//! The namespaces of a task.
//!
//! C header: [`include/linux/nsproxy.h`](srctree/include/linux/nsproxy.h).

use crate::{
    bindings,
    cred::NewCredential,
    error::{
        from_err_ptr,
        to_result, //
    },
    fs::{
        FsStruct,
        LocalFile, //
    },
    prelude::*,
    task::CurrentTask,
    time::NSEC_PER_SEC,
    user_namespace::{
        Capability,
        UserNamespace, //
    }, //
};
use core::{
    mem::ManuallyDrop,
    ptr::{
        self,
        NonNull, //
    }, //
};

/// What unshare(2) can be asked for.
pub mod flags {
    /// Mount namespace.
    pub const CLONE_NEWNS: u32 = bindings::CLONE_NEWNS;

    /// UTS namespace.
    pub const CLONE_NEWUTS: u32 = bindings::CLONE_NEWUTS;

    /// IPC namespace.
    pub const CLONE_NEWIPC: u32 = bindings::CLONE_NEWIPC;

    /// User namespace.
    pub const CLONE_NEWUSER: u32 = bindings::CLONE_NEWUSER;

    /// PID namespace, for children.
    pub const CLONE_NEWPID: u32 = bindings::CLONE_NEWPID;

    /// Network namespace.
    pub const CLONE_NEWNET: u32 = bindings::CLONE_NEWNET;

    /// Cgroup namespace.
    pub const CLONE_NEWCGROUP: u32 = bindings::CLONE_NEWCGROUP;

    /// Time namespace.
    pub const CLONE_NEWTIME: u32 = bindings::CLONE_NEWTIME;

    /// Root, working directory and umask.
    pub const CLONE_FS: u32 = bindings::CLONE_FS;

    /// Descriptor table.
    pub const CLONE_FILES: u32 = bindings::CLONE_FILES;

    /// List of System V semaphore adjustments.
    pub const CLONE_SYSVSEM: u32 = bindings::CLONE_SYSVSEM;

    /// Address space.
    pub const CLONE_VM: u32 = bindings::CLONE_VM;

    /// Signal handlers.
    pub const CLONE_SIGHAND: u32 = bindings::CLONE_SIGHAND;

    /// Thread group.
    pub const CLONE_THREAD: u32 = bindings::CLONE_THREAD;

    /// Mount namespace in which nothing is mounted but an empty root.
    pub const UNSHARE_EMPTY_MNTNS: u32 = bindings::UNSHARE_EMPTY_MNTNS;
}

/// What a clock of a time namespace is ahead of the initial one.
#[repr(transparent)]
pub struct TimeOffset(bindings::proc_timens_offset);

impl TimeOffset {
    /// `sec` may be negative, `nsec` is from 0 to 999999999, and `clock` is `CLOCK_MONOTONIC` or
    /// `CLOCK_BOOTTIME`. Returns `EINVAL` if they are not.
    pub fn new(clock: i32, sec: i64, nsec: i64) -> Result<Self> {
        let known = [bindings::CLOCK_MONOTONIC, bindings::CLOCK_BOOTTIME];

        if !known.contains(&(clock as u32)) || !(0..NSEC_PER_SEC).contains(&nsec) {
            return Err(EINVAL);
        }
        Ok(Self(bindings::proc_timens_offset {
            clockid: clock,
            val: bindings::timespec64 {
                tv_sec: sec,
                // A long in C, which is long enough.
                tv_nsec: nsec as c_long,
            },
        }))
    }
}

/// A `struct nsproxy` that no task has entered yet.
///
/// # Invariants
///
/// `nsproxy` is valid, has one reference, which this owns, and has never been installed: none of
/// its namespaces has an active reference through it.
pub struct NewNsproxy {
    nsproxy: NonNull<bindings::nsproxy>,
}

impl NewNsproxy {
    /// Makes new namespaces, of those kinds that are in `flags`, for the current task, as
    /// unshare(2) does. The others are those of the task.
    ///
    /// They belong to the user namespace of `cred`, or of the task. A new mount namespace changes
    /// `fs` to have its root and working directory there.
    ///
    /// Returns `None` if no kind of namespace is in `flags`. May sleep.
    pub fn unshare(
        flags: u32,
        cred: Option<&mut NewCredential>,
        fs: Option<&mut FsStruct>,
    ) -> Result<Option<Self>> {
        let cred = cred.map_or(ptr::null_mut(), |cred| cred.as_mut_ptr());
        let fs = fs.map_or(ptr::null_mut(), |fs| fs.as_mut_ptr());
        let mut nsproxy = ptr::null_mut();

        // SAFETY: `cred` and `fs` are each either null or valid, and exclusively ours.
        to_result(unsafe {
            bindings::unshare_nsproxy_namespaces(flags as c_ulong, &mut nsproxy, cred, fs)
        })?;
        // INVARIANT: On success this is null or a new nsproxy.
        Ok(NonNull::new(nsproxy).map(|nsproxy| Self { nsproxy }))
    }

    /// As [`NewNsproxy::unshare`], with the tree of mounts at the directory `root`, or a copy of
    /// it, as the new mount namespace. The root and working directory of `fs` are its root.
    ///
    /// Returns `ENOTDIR` if that is no directory, and `EINVAL` if it may not be copied. May sleep.
    pub fn unshare_at_root(
        flags: u32,
        cred: Option<&mut NewCredential>,
        fs: &mut FsStruct,
        root: &LocalFile,
    ) -> Result<Self> {
        let cred = cred.map_or(ptr::null_mut(), |cred| cred.as_mut_ptr());
        let mut nsproxy = ptr::null_mut();

        // SAFETY: `cred` is either null or valid, `fs` is valid, and both are exclusively ours. The
        // path of an open file does not change.
        to_result(unsafe {
            bindings::unshare_nsproxy_at_root(
                flags as c_ulong,
                &mut nsproxy,
                cred,
                fs.as_mut_ptr(),
                &raw const (*root.as_ptr()).__bindgen_anon_1.f_path,
            )
        })?;
        // INVARIANT: On success this is a new nsproxy.
        NonNull::new(nsproxy)
            .map(|nsproxy| Self { nsproxy })
            .ok_or(EINVAL)
    }

    /// Sets offsets of the time namespace, by the rules that apply to a write to
    /// `/proc/PID/timens_offsets` by the current task.
    ///
    /// Returns `EPERM` without `CAP_SYS_TIME` over it, `EINVAL` if an offset is malformed, `ERANGE`
    /// if it is too large, and `EACCES` if it is not a new time namespace. May sleep.
    pub fn set_time_offsets(&mut self, offsets: &[TimeOffset]) -> Result {
        // SAFETY: By the type invariants, `nsproxy` is valid, and so are its namespaces.
        let (time_ns, user_ns) = unsafe {
            let time_ns = (*self.nsproxy.as_ptr()).time_ns_for_children;

            (time_ns, UserNamespace::from_ptr((*time_ns).user_ns))
        };

        if !user_ns.capable(Capability::SysTime) {
            return Err(EPERM);
        }
        let nr = c_int::try_from(offsets.len())?;
        // SAFETY: As above. There are `nr` elements, `TimeOffset` being transparent.
        to_result(unsafe { bindings::timens_set_offsets(time_ns, offsets.as_ptr().cast(), nr) })
    }

    /// Makes what exec(2) has the current task switch to by itself: if a time namespace is pending
    /// from an earlier unshare(2), the program enters that.
    ///
    /// Returns `None` if there is nothing to switch. May sleep.
    pub fn pending_at_exec() -> Result<Option<Self>> {
        // SAFETY: There are no requirements.
        let nsproxy = from_err_ptr(unsafe { bindings::prepare_exec_namespaces() })?;

        // INVARIANT: On success this is null or a new nsproxy.
        Ok(NonNull::new(nsproxy).map(|nsproxy| Self { nsproxy }))
    }

    /// The mount namespace. Valid as long as `self` is.
    #[inline]
    pub(crate) fn mnt_ns(&self) -> *mut bindings::mnt_namespace {
        // SAFETY: By the type invariants, `nsproxy` is valid.
        unsafe { (*self.nsproxy.as_ptr()).mnt_ns }
    }

    /// Moves the task into the namespaces. A new time namespace is entered at once.
    ///
    /// The task must not hold a reference into its old mount namespace in `fs_struct`: install
    /// that first. May sleep.
    pub fn install(self, task: &CurrentTask) {
        let nsproxy = ManuallyDrop::new(self).nsproxy.as_ptr();

        // SAFETY: By the type invariants, `nsproxy` is valid and nobody else's, and `task` is
        // current. Its only reference is passed on.
        unsafe {
            bindings::timens_on_fork(nsproxy, task.as_ptr());
            bindings::switch_task_namespaces(task.as_ptr(), nsproxy);
        }
    }
}

impl Drop for NewNsproxy {
    fn drop(&mut self) {
        // SAFETY: By the type invariants, this is the only reference, and there are no active ones
        // to drop.
        unsafe { bindings::nsproxy_free(self.nsproxy.as_ptr()) };
    }
}

/// Tells performance monitoring about the namespaces of the task.
#[inline]
pub fn notify_perf(task: &CurrentTask) {
    // SAFETY: `task` is valid.
    unsafe { bindings::perf_event_namespaces(task.as_ptr()) };
}
