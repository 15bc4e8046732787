// SPDX-License-Identifier: GPL-2.0

//! The system calls: the only unsafe code of this crate.

use crate::call::Call;
use execns_abi::{EXECNS_ARGS_SIZE_VER0, ExecnsArgs, SYS_EXECNS, SYS_EXECNSAT};
use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::mem::{offset_of, size_of};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// Strings, and the array of pointers to them that a null pointer ends.
#[derive(Debug)]
pub(crate) struct Strings {
    strings: Vec<CString>,
    pointers: Vec<*const c_char>,
}

// SAFETY: The pointers point into strings that are owned, and that nobody writes.
unsafe impl Send for Strings {}

// SAFETY: As above: there is no interior mutability.
unsafe impl Sync for Strings {}

impl Clone for Strings {
    fn clone(&self) -> Self {
        Self::new(self.strings.clone())
    }
}

impl Strings {
    pub fn new(strings: Vec<CString>) -> Self {
        let pointers = strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([ptr::null()])
            .collect();

        Self { strings, pointers }
    }

    /// The strings, without the null pointer.
    pub fn as_slice(&self) -> &[CString] {
        &self.strings
    }

    pub fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

/// execns(2). Returns only on failure.
pub(crate) fn execns(flags: c_int, path: &CStr, argv: &Strings, envp: &Strings) -> io::Error {
    // SAFETY: The path and the strings are terminated by a null byte, the arrays by a null pointer,
    // and they live until the call returns or the address space is gone.
    unsafe {
        libc::syscall(
            SYS_EXECNS,
            flags,
            path.as_ptr(),
            argv.as_ptr(),
            envp.as_ptr(),
        )
    };
    io::Error::last_os_error()
}

/// execve(2). Returns only on failure.
pub(crate) fn execve(path: &CStr, argv: &Strings, envp: &Strings) -> io::Error {
    // SAFETY: As for `execns`.
    unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), envp.as_ptr()) };
    io::Error::last_os_error()
}

/// execnsat(2), with more of `at_flags`. Allocates nothing.
pub(crate) fn execnsat(call: &Call, at_flags: u32) -> io::Result<()> {
    let args = call.args(at_flags);

    // SAFETY: As for `execns`. `args` points to arrays of `call` with their lengths.
    let result = unsafe {
        libc::syscall(
            SYS_EXECNSAT,
            call.dirfd,
            call.path.as_ptr(),
            call.argv.as_ptr(),
            call.envp.as_ptr(),
            &raw const args,
            EXECNS_ARGS_SIZE_VER0,
        )
    };

    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether the kernel knows the number: it finds a size of zero wrong before all else.
pub(crate) fn has_execnsat() -> bool {
    let none = ptr::null::<u8>();

    // SAFETY: The kernel reads nothing through the pointers, or finds them not to be mapped.
    unsafe { libc::syscall(SYS_EXECNSAT, -1, none, none, none, none, 0usize) };
    io::Error::last_os_error().raw_os_error() != Some(libc::ENOSYS)
}

/// What [`spawn`] was refused.
pub(crate) enum Refused {
    /// The process.
    Clone(io::Error),
    /// The program.
    Exec(io::Error),
}

/// What the child needs, at a place that it reads while it shares the address space.
#[repr(C)]
struct Launch {
    dirfd: u64,
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    args: *const ExecnsArgs,
    size: usize,
    /// What the child writes: zero, or a negative errno.
    result: i64,
}

const _: () = assert!(offset_of!(Launch, result) == 48);

const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Starts the program in a child, and returns its id and its descriptor.
pub(crate) fn spawn(call: &Call, cgroup: Option<RawFd>) -> Result<(i32, OwnedFd), Refused> {
    let mut pidfd: RawFd = -1;
    let args = call.args(0);
    let mut launch = Launch {
        dirfd: call.dirfd as u64,
        path: call.path.as_ptr(),
        argv: call.argv.as_ptr(),
        envp: call.envp.as_ptr(),
        args: &raw const args,
        size: EXECNS_ARGS_SIZE_VER0,
        result: 0,
    };
    // The table of descriptors is shared until execnsat(2) leaves it: to copy one of 100,000 takes
    // 150 times as long as all the rest. There is no exit signal, so that nobody else sees or reaps a
    // child that fails; execnsat(2) makes it SIGCHLD.
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::CLONE_PIDFD;
    let clone_args = libc::clone_args {
        flags: flags as u64 | CLONE_CLEAR_SIGHAND | cgroup.map_or(0, |_| CLONE_INTO_CGROUP),
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: 0,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup: cgroup.map_or(0, |fd| fd as u64),
    };

    // SAFETY: Both structures, and what they point to, live until the child has left the address
    // space, for which the parent waits in the call.
    let pid = unsafe { clone_and_exec(&clone_args, &mut launch) };
    if pid < 0 {
        return Err(Refused::Clone(io::Error::from_raw_os_error(-pid as i32)));
    }
    // SAFETY: The kernel has made this descriptor, and nobody else knows it.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    match launch.result {
        0 => Ok((pid as i32, pidfd)),
        result => {
            reap(&pidfd);
            Err(Refused::Exec(io::Error::from_raw_os_error(-result as i32)))
        }
    }
}

/// Waits for a child without an exit signal, which a wait without `__WALL` does not see.
fn reap(pidfd: &OwnedFd) {
    loop {
        // SAFETY: No memory is passed.
        let result = unsafe {
            libc::waitid(
                libc::P_PIDFD,
                pidfd.as_raw_fd() as libc::id_t,
                ptr::null_mut(),
                libc::WEXITED | libc::__WALL,
            )
        };
        if result == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            break;
        }
    }
}

/// clone3(2), and in the child execnsat(2). The child keeps to registers: its stack is that of the
/// parent.
///
/// # Safety
///
/// `clone_args` has to be valid for a child as vfork(2) makes it, and `launch` for execnsat(2).
#[cfg(target_arch = "x86_64")]
unsafe fn clone_and_exec(clone_args: &libc::clone_args, launch: &mut Launch) -> i64 {
    let result;

    // SAFETY: The parent sees a system call, which changes rax, rcx and r11, and memory that it has
    // pointers to. The child does not leave the block, and no handler runs in it.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "mov rdi, [r12]",
            "mov rsi, [r12 + 8]",
            "mov rdx, [r12 + 16]",
            "mov r10, [r12 + 24]",
            "mov r8, [r12 + 32]",
            "mov r9, [r12 + 40]",
            "mov eax, {execnsat}",
            "syscall",
            "mov [r12 + 48], rax",
            "mov edi, 127",
            "mov eax, {exit_group}",
            "syscall",
            "ud2",
            "2:",
            execnsat = const SYS_EXECNSAT,
            exit_group = const libc::SYS_exit_group,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") clone_args,
            in("rsi") size_of::<libc::clone_args>(),
            in("r12") launch,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        )
    };
    result
}

/// As that of x86-64.
///
/// # Safety
///
/// As that of x86-64.
#[cfg(target_arch = "aarch64")]
unsafe fn clone_and_exec(clone_args: &libc::clone_args, launch: &mut Launch) -> i64 {
    let result;

    // SAFETY: The parent sees a system call, which changes x0, and memory that it has pointers to.
    // The child does not leave the block, and no handler runs in it.
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "ldp x0, x1, [x9]",
            "ldp x2, x3, [x9, #16]",
            "ldp x4, x5, [x9, #32]",
            "mov x8, #{execnsat}",
            "svc #0",
            "str x0, [x9, #48]",
            "mov x0, #127",
            "mov x8, #{exit_group}",
            "svc #0",
            "brk #1",
            "2:",
            execnsat = const SYS_EXECNSAT,
            exit_group = const libc::SYS_exit_group,
            inlateout("x0") clone_args => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x8") libc::SYS_clone3,
            in("x9") launch,
            options(nostack),
        )
    };
    result
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("execns starts programs on x86-64 and AArch64 only");

/// Whether this number is that of an open descriptor.
pub(crate) fn is_open(fd: RawFd) -> bool {
    // SAFETY: No memory is passed, and nothing is changed.
    unsafe { libc::fcntl(fd, libc::F_GETFD) >= 0 }
}

/// Whether this number is that of an open directory.
pub(crate) fn is_directory(fd: RawFd) -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();

    // SAFETY: `stat` is read if the call has written it.
    unsafe {
        libc::fstat(fd, stat.as_mut_ptr()) == 0
            && stat.assume_init().st_mode & libc::S_IFMT == libc::S_IFDIR
    }
}

/// As pidfd_send_signal(2).
pub(crate) fn send_signal(pidfd: BorrowedFd<'_>, signal: c_int) -> io::Result<()> {
    // SAFETY: No memory is passed.
    let result = unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_fd().as_raw_fd(),
            signal,
            ptr::null::<libc::siginfo_t>(),
            0,
        )
    };

    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
