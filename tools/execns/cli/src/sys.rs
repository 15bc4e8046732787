// SPDX-License-Identifier: GPL-2.0

//! System calls without a C library. What starts programs is executed at every start, and a
//! C library that sets itself up costs more than all that it does here.

use crate::uapi::{self, nr};
use core::arch::asm;
use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use execns_abi::{ExecnsArgs, SYS_EXECNSAT};

/// An error number of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    pub const EPERM: Self = Self(1);
    pub const ENOENT: Self = Self(2);
    pub const ENOEXEC: Self = Self(8);
    pub const EBADF: Self = Self(9);
    pub const EACCES: Self = Self(13);
    pub const EEXIST: Self = Self(17);
    pub const ENODEV: Self = Self(19);
    pub const ENOTDIR: Self = Self(20);
    pub const EINVAL: Self = Self(22);
    pub const ENAMETOOLONG: Self = Self(36);
    pub const ENOSYS: Self = Self(38);
    pub const ELOOP: Self = Self(40);
    pub const ETIMEDOUT: Self = Self(110);
    pub const ESTALE: Self = Self(116);

    /// The usual text of those that a start ends with most often.
    pub fn text(self) -> Option<&'static str> {
        Some(match self.0 {
            1 => "Operation not permitted",
            2 => "No such file or directory",
            5 => "Input/output error",
            7 => "Argument list too long",
            8 => "Exec format error",
            9 => "Bad file descriptor",
            11 => "Resource temporarily unavailable",
            12 => "Cannot allocate memory",
            13 => "Permission denied",
            20 => "Not a directory",
            21 => "Is a directory",
            22 => "Invalid argument",
            26 => "Text file busy",
            28 => "No space left on device",
            34 => "Numerical result out of range",
            36 => "File name too long",
            38 => "Function not implemented",
            40 => "Too many levels of symbolic links",
            _ => return None,
        })
    }
}

pub type Result<T> = core::result::Result<T, Errno>;

/// # Safety
///
/// As for the call: what is passed as a pointer has to be what it takes.
unsafe fn call(number: usize, a: [usize; 6]) -> Result<usize> {
    let result: isize;

    // SAFETY: The kernel changes the registers that are named, and the memory that the caller
    // vouches for.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => result,
            in("rdi") a[0],
            in("rsi") a[1],
            in("rdx") a[2],
            in("r10") a[3],
            in("r8") a[4],
            in("r9") a[5],
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // SAFETY: As above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "svc #0",
            in("x8") number,
            inlateout("x0") a[0] => result,
            in("x1") a[1],
            in("x2") a[2],
            in("x3") a[3],
            in("x4") a[4],
            in("x5") a[5],
            options(nostack),
        );
    }
    if result < 0 {
        Err(Errno(-result as i32))
    } else {
        Ok(result as usize)
    }
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
    match unsafe { call(nr::EXECVE, args) } {
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
    unsafe { call(SYS_EXECNSAT as usize, list) }
}

pub fn open(path: &CStr, flags: c_int) -> Result<c_int> {
    let args = [
        uapi::AT_FDCWD as usize,
        path.as_ptr() as usize,
        flags as usize,
        0,
        0,
        0,
    ];

    // SAFETY: The path is a string.
    unsafe { call(nr::OPENAT, args) }.map(|fd| fd as c_int)
}

/// Whether the caller's real ids may execute it.
pub fn may_execute(path: &CStr) -> Result<()> {
    let args = [
        uapi::AT_FDCWD as usize,
        path.as_ptr() as usize,
        uapi::X_OK as usize,
        0,
        0,
        0,
    ];

    // SAFETY: The path is a string.
    unsafe { call(nr::FACCESSAT, args) }.map(drop)
}

/// Where a link leads. The result fills the buffer if it is too long.
pub fn read_link<'a>(path: &CStr, buffer: &'a mut [u8]) -> Result<&'a [u8]> {
    let args = [
        uapi::AT_FDCWD as usize,
        path.as_ptr() as usize,
        buffer.as_mut_ptr() as usize,
        buffer.len(),
        0,
        0,
    ];

    // SAFETY: The path is a string, and the buffer has its length.
    let len = unsafe { call(nr::READLINKAT, args) }?;
    buffer.get(..len).ok_or(Errno::ENAMETOOLONG)
}

pub fn is_open(fd: c_int) -> bool {
    // SAFETY: No memory is passed.
    unsafe { call(nr::FCNTL, [fd as usize, uapi::F_GETFD as usize, 0, 0, 0, 0]) }.is_ok()
}

pub fn euid() -> u32 {
    // SAFETY: No memory is passed.
    unsafe { call(nr::GETEUID, [0; 6]) }.unwrap_or(0) as u32
}

pub fn egid() -> u32 {
    // SAFETY: No memory is passed.
    unsafe { call(nr::GETEGID, [0; 6]) }.unwrap_or(0) as u32
}

pub fn change_dir(path: &CStr) -> Result<()> {
    // SAFETY: The path is a string.
    unsafe { call(nr::CHDIR, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

pub fn change_root(path: &CStr) -> Result<()> {
    // SAFETY: The path is a string.
    unsafe { call(nr::CHROOT, [path.as_ptr() as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

pub fn mount(what: Option<&CStr>, at: &CStr, flags: usize) -> Result<()> {
    // The type is the name of what is mounted, or nothing is mounted anew.
    let args = [
        pointer(what),
        at.as_ptr() as usize,
        pointer(what),
        flags,
        0,
        0,
    ];

    // SAFETY: These are strings or null.
    unsafe { call(nr::MOUNT, args) }.map(drop)
}

pub fn clear_groups() -> Result<()> {
    // SAFETY: No memory is passed.
    unsafe { call(nr::SETGROUPS, [0; 6]) }.map(drop)
}

/// Of this thread, which has to be the only one.
pub fn set_gid(gid: u32) -> Result<()> {
    // SAFETY: No memory is passed.
    unsafe { call(nr::SETGID, [gid as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

/// Of this thread, which has to be the only one.
pub fn set_uid(uid: u32) -> Result<()> {
    // SAFETY: No memory is passed.
    unsafe { call(nr::SETUID, [uid as usize, 0, 0, 0, 0, 0]) }.map(drop)
}

/// The signal that comes when the parent ends.
pub fn die_with_parent(signal: u8) -> Result<()> {
    let args = [uapi::PR_SET_PDEATHSIG, signal as usize, 0, 0, 0, 0];

    // SAFETY: No memory is passed.
    unsafe { call(nr::PRCTL, args) }.map(drop)
}

/// Changes the mask of signals, and returns what it was.
pub fn signal_mask(how: usize, mask: u64) -> Result<u64> {
    let mut old = 0;
    let args = [
        how,
        ptr::from_ref(&mask) as usize,
        ptr::from_mut(&mut old) as usize,
        8,
        0,
        0,
    ];

    // SAFETY: Both are sets of signals as the kernel has them.
    unsafe { call(nr::RT_SIGPROCMASK, args) }.map(|_| old)
}

/// Lets a signal do what it does to a process that does not care.
pub fn default_signal(signal: u8) {
    // struct sigaction of the kernel: SIG_DFL, and nothing else.
    let default = [0usize; 4];
    let args = [signal as usize, default.as_ptr() as usize, 0, 8, 0, 0];

    // SAFETY: The action is large enough.
    let _ = unsafe { call(nr::RT_SIGACTION, args) };
}

/// Ends this process as the signal ended another, if that is what it does.
pub fn die_by(signal: u8) {
    default_signal(signal);
    let _ = signal_mask(uapi::SIG_UNBLOCK, 1 << (signal - 1));
    // SAFETY: No memory is passed.
    unsafe {
        if let Ok(pid) = call(nr::GETPID, [0; 6]) {
            let _ = call(nr::KILL, [pid, signal as usize, 0, 0, 0, 0]);
        }
    }
}

pub fn write(fd: c_int, text: &[u8]) -> Result<usize> {
    // SAFETY: The text has its length.
    unsafe {
        call(
            nr::WRITE,
            [fd as usize, text.as_ptr() as usize, text.len(), 0, 0, 0],
        )
    }
}

pub fn exit(status: c_int) -> ! {
    loop {
        // SAFETY: No memory is passed.
        let _ = unsafe { call(nr::EXIT_GROUP, [status as usize, 0, 0, 0, 0, 0]) };
    }
}
