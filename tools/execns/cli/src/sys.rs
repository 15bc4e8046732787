// SPDX-License-Identifier: GPL-2.0

//! System calls without a C library. What starts programs is executed at every start, and a
//! C library that sets itself up costs more than all that it does here.

use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use execns_abi::{ExecnsArgs, SYS_EXECNSAT, raw};
use linux_raw_sys::general::{
    __NR_chdir, __NR_chroot, __NR_execve, __NR_exit_group, __NR_faccessat, __NR_fcntl,
    __NR_getegid, __NR_geteuid, __NR_getpid, __NR_kill, __NR_mount, __NR_openat, __NR_prctl,
    __NR_readlinkat, __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_setgid, __NR_setgroups,
    __NR_setuid, __NR_write, AT_FDCWD, F_GETFD, SIG_UNBLOCK, X_OK,
};
use linux_raw_sys::{errno, prctl};

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u32);

impl Errno {
    pub const EPERM: Self = Self(errno::EPERM);
    pub const ENOENT: Self = Self(errno::ENOENT);
    pub const E2BIG: Self = Self(errno::E2BIG);
    pub const ENOEXEC: Self = Self(errno::ENOEXEC);
    pub const EBADF: Self = Self(errno::EBADF);
    pub const EACCES: Self = Self(errno::EACCES);
    pub const ENODEV: Self = Self(errno::ENODEV);
    pub const ENOTDIR: Self = Self(errno::ENOTDIR);
    pub const EINVAL: Self = Self(errno::EINVAL);
    pub const ENOSPC: Self = Self(errno::ENOSPC);
    pub const ERANGE: Self = Self(errno::ERANGE);
    pub const ENAMETOOLONG: Self = Self(errno::ENAMETOOLONG);
    pub const ENOSYS: Self = Self(errno::ENOSYS);
    pub const ELOOP: Self = Self(errno::ELOOP);
    pub const ETIMEDOUT: Self = Self(errno::ETIMEDOUT);
    pub const ESTALE: Self = Self(errno::ESTALE);

    /// The usual text of those that a start ends with most often.
    pub fn text(self) -> Option<&'static str> {
        Some(match self.0 {
            errno::EPERM => "Operation not permitted",
            errno::ENOENT => "No such file or directory",
            errno::EIO => "Input/output error",
            errno::E2BIG => "Argument list too long",
            errno::ENOEXEC => "Exec format error",
            errno::EBADF => "Bad file descriptor",
            errno::EAGAIN => "Resource temporarily unavailable",
            errno::ENOMEM => "Cannot allocate memory",
            errno::EACCES => "Permission denied",
            errno::ENOTDIR => "Not a directory",
            errno::EISDIR => "Is a directory",
            errno::EINVAL => "Invalid argument",
            errno::ETXTBSY => "Text file busy",
            errno::ENOSPC => "No space left on device",
            errno::ERANGE => "Numerical result out of range",
            errno::ENAMETOOLONG => "File name too long",
            errno::ENOSYS => "Function not implemented",
            errno::ELOOP => "Too many levels of symbolic links",
            _ => return None,
        })
    }
}

pub type Result<T> = core::result::Result<T, Errno>;

/// # Safety
///
/// As for the call: what is passed as a pointer has to be what it takes.
unsafe fn call(number: u32, args: [usize; 6]) -> Result<usize> {
    // SAFETY: By the safety requirements.
    let result = unsafe { raw::syscall(number, args) };

    usize::try_from(result).map_err(|_| Errno(-result as u32))
}

/// A list of strings that ends with a null pointer, as execve(2) takes it.
pub type Strings = *const *const c_char;

/// A path of nobody: mount(2) ignores it.
fn pointer(path: Option<&CStr>) -> usize {
    path.map_or(0, |path| path.as_ptr() as usize)
}

/// # Safety
///
/// `argv` and `envp` are lists of strings.
pub unsafe fn execve(path: &CStr, argv: Strings, envp: Strings) -> Errno {
    let args = [
        path.as_ptr() as usize,
        argv as usize,
        envp as usize,
        0,
        0,
        0,
    ];

    // SAFETY: The caller vouches for the lists.
    match unsafe { call(__NR_execve, args) } {
        Err(errno) => errno,
        Ok(_) => Errno::EINVAL,
    }
}

/// # Safety
///
/// `argv` and `envp` are lists of strings, and the pointers of `args` are what they should be.
pub unsafe fn execnsat(
    dir: c_int,
    path: &CStr,
    argv: Strings,
    envp: Strings,
    args: &ExecnsArgs,
) -> Result<usize> {
    let list = [
        dir as usize,
        path.as_ptr() as usize,
        argv as usize,
        envp as usize,
        ptr::from_ref(args) as usize,
        size_of::<ExecnsArgs>(),
    ];

    // SAFETY: The caller vouches for the pointers.
    unsafe { call(SYS_EXECNSAT as u32, list) }
}

pub fn open(path: &CStr, flags: u32) -> Result<c_int> {
    let args = [
        AT_FDCWD as usize,
        path.as_ptr() as usize,
        flags as usize,
        0,
        0,
        0,
    ];

    // SAFETY: The path is a string.
    unsafe { call(__NR_openat, args) }.map(|fd| fd as c_int)
}

/// Whether the caller's real ids may execute it.
pub fn may_execute(path: &CStr) -> Result<()> {
    let args = [
        AT_FDCWD as usize,
        path.as_ptr() as usize,
        X_OK as usize,
        0,
        0,
        0,
    ];

    // SAFETY: The path is a string.
    unsafe { call(__NR_faccessat, args) }.map(drop)
}

/// Where a link leads. The result fills the buffer if it is too long.
pub fn read_link<'a>(path: &CStr, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    let args = [
        AT_FDCWD as usize,
        path.as_ptr() as usize,
        buffer.as_mut_ptr() as usize,
        buffer.len(),
        0,
        0,
    ];

    // SAFETY: The path is a string, and the buffer has its length.
    let len = unsafe { call(__NR_readlinkat, args) }?;
    buffer.get(..len).ok_or(Errno::ENAMETOOLONG)
}

pub fn is_open(fd: c_int) -> bool {
    // SAFETY: No memory is passed.
    unsafe { call(__NR_fcntl, [fd as usize, F_GETFD as usize, 0, 0, 0, 0]) }.is_ok()
}

pub fn euid() -> u32 {
    // SAFETY: No memory is passed.
    unsafe { call(__NR_geteuid, [0; 6]) }.unwrap_or(0) as u32
}

pub fn egid() -> u32 {
    // SAFETY: No memory is passed.
    unsafe { call(__NR_getegid, [0; 6]) }.unwrap_or(0) as u32
}

pub fn change_dir(path: &CStr) -> Result<()> {
    // SAFETY: The path is a string.
    unsafe { call(__NR_chdir, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

pub fn change_root(path: &CStr) -> Result<()> {
    // SAFETY: The path is a string.
    unsafe { call(__NR_chroot, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

pub fn mount(what: Option<&CStr>, at: &CStr, flags: u32) -> Result<()> {
    // The type is the name of what is mounted, or nothing is mounted anew.
    let args = [
        pointer(what),
        at.as_ptr() as usize,
        pointer(what),
        flags as usize,
        0,
        0,
    ];

    // SAFETY: These are strings or null.
    unsafe { call(__NR_mount, args) }.map(drop)
}

pub fn clear_groups() -> Result<()> {
    // SAFETY: No memory is passed.
    unsafe { call(__NR_setgroups, [0; 6]) }.map(drop)
}

/// Of this thread, which has to be the only one.
pub fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: No memory is passed.
    unsafe { call(__NR_setgid, [gid as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

/// Of this thread, which has to be the only one.
pub fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: No memory is passed.
    unsafe { call(__NR_setuid, [uid as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

/// The signal that comes when the parent ends.
pub fn die_with_parent(signal: u8) -> Result<()> {
    let args = [
        prctl::PR_SET_PDEATHSIG as usize,
        signal as usize,
        0,
        0,
        0,
        0,
    ];

    // SAFETY: No memory is passed.
    unsafe { call(__NR_prctl, args) }.map(drop)
}

/// Changes the mask of signals, and returns what it was.
pub fn signal_mask(how: u32, mask: u64) -> Result<u64> {
    let mut old = 0;
    let args = [
        how as usize,
        ptr::from_ref(&mask) as usize,
        ptr::from_mut(&mut old) as usize,
        8,
        0,
        0,
    ];

    // SAFETY: Both are sets of signals as the kernel has them.
    unsafe { call(__NR_rt_sigprocmask, args) }.map(|_| old)
}

/// Lets a signal do what it does to a process that does not care.
pub fn default_signal(signal: u8) {
    // struct sigaction of the kernel: SIG_DFL, and nothing else.
    let default = [0usize; 4];
    let args = [signal as usize, default.as_ptr() as usize, 0, 8, 0, 0];

    // SAFETY: The action is large enough.
    let _ = unsafe { call(__NR_rt_sigaction, args) };
}

/// Ends this process as the signal ended another, if that is what it does.
pub fn die_by(signal: u8) {
    default_signal(signal);
    let _ = signal_mask(SIG_UNBLOCK, 1 << (signal - 1));
    // SAFETY: No memory is passed.
    unsafe {
        if let Ok(pid) = call(__NR_getpid, [0; 6]) {
            let _ = call(__NR_kill, [pid, signal as usize, 0, 0, 0, 0]);
        }
    }
}

pub fn write(fd: c_int, text: &[u8]) -> Result<usize> {
    // SAFETY: The text has its length.
    unsafe {
        call(
            __NR_write,
            [fd as usize, text.as_ptr() as usize, text.len(), 0, 0, 0],
        )
    }
}

pub fn exit(status: c_int) -> ! {
    loop {
        // SAFETY: No memory is passed.
        let _ = unsafe { call(__NR_exit_group, [status as usize, 0, 0, 0, 0, 0]) };
    }
}
