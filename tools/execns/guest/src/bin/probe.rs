// SPDX-License-Identifier: GPL-2.0

//! A program that tells which descriptors it has, in few instructions.
//!
//! `execns-probe FILE N` looks at the numbers below N and writes what it finds to FILE, which it opens
//! by a free number, as `execns_guest::probe` reads it. `execns-probe` alone waits for a signal, to be
//! looked at from outside.

#![no_std]
#![no_main]

use core::mem::MaybeUninit;
use core::panic::PanicInfo;
use execns_abi::raw;
use linux_raw_sys::general as kernel;

#[cfg(target_arch = "x86_64")]
const PAUSE: u32 = kernel::__NR_pause;
// ppoll(2) of nothing.
#[cfg(target_arch = "aarch64")]
const PAUSE: u32 = kernel::__NR_ppoll;

execns_abi::start!(main);

/// A system call of up to four arguments.
///
/// # Safety
///
/// What it writes to has to be memory that nobody else refers to.
unsafe fn syscall(number: u32, [a, b, c, d]: [usize; 4]) -> isize {
    // SAFETY: By the safety requirements.
    unsafe { raw::syscall(number, [a, b, c, d, 0, 0]) }
}

fn exit(status: usize) -> ! {
    loop {
        // SAFETY: Nothing is written.
        unsafe { syscall(kernel::__NR_exit_group, [status, 0, 0, 0]) };
    }
}

const F_GETFD: usize = kernel::F_GETFD as usize;
const F_GETFL: usize = kernel::F_GETFL as usize;
const RLIMIT_NOFILE: usize = kernel::RLIMIT_NOFILE as usize;
const O_WRONLY: usize = kernel::O_WRONLY as usize;
const AT_FDCWD: usize = kernel::AT_FDCWD as usize;

/// The two words that tell of a descriptor: its number and flags, and what it is open on.
fn look(fd: usize) -> Option<[u64; 2]> {
    // struct stat has 128 or 144 bytes, and st_dev and st_ino at its beginning. Not initialized,
    // since there is no memset to do it.
    let mut stat = MaybeUninit::<[u64; 18]>::uninit();
    let at = stat.as_mut_ptr() as usize;

    // SAFETY: `stat` is large enough, and is read if it was written.
    unsafe {
        let flags = syscall(kernel::__NR_fcntl, [fd, F_GETFD, 0, 0]);

        if flags < 0 {
            return None;
        }
        if syscall(kernel::__NR_fstat, [fd, at, 0, 0]) < 0 {
            exit(201);
        }
        let status = syscall(kernel::__NR_fcntl, [fd, F_GETFL, 0, 0]);
        let first = (flags as u64 & 1) << 63 | (status as u64 & 0x7fff_ffff) << 32 | fd as u64;
        let file = stat.as_ptr().cast::<u64>();

        Some([first, (*file.add(1)).wrapping_add(*file << 40)])
    }
}

/// Opens a file, of which the path is a string of C, by a number that is free.
fn open(path: usize) -> usize {
    let mut limit = MaybeUninit::<[u64; 2]>::uninit();
    let at = limit.as_mut_ptr();

    // SAFETY: `limit` is large enough for a struct rlimit64, and is read if it was written.
    unsafe {
        // There may be none below the soft limit.
        if syscall(kernel::__NR_prlimit64, [0, RLIMIT_NOFILE, 0, at as usize]) == 0 {
            (*at)[0] = (*at)[1];
            syscall(kernel::__NR_prlimit64, [0, RLIMIT_NOFILE, at as usize, 0]);
        }
        let file = syscall(kernel::__NR_openat, [AT_FDCWD, path, O_WRONLY, 0]);

        usize::try_from(file).unwrap_or_else(|_| exit(202))
    }
}

/// Writes two words, or ends the program.
fn tell(file: usize, pair: &[u64; 2]) {
    // SAFETY: Nothing is written to memory.
    if unsafe { syscall(kernel::__NR_write, [file, pair.as_ptr() as usize, 16, 0]) } != 16 {
        exit(203);
    }
}

/// How many descriptors there are: the size of the folder that has them.
fn count() -> usize {
    let mut stat = MaybeUninit::<[u64; 18]>::uninit();
    let folder = c"/proc/self/fd".as_ptr() as usize;
    let at = stat.as_mut_ptr() as usize;

    // SAFETY: `stat` is large enough, and is read if it was written.
    unsafe {
        if syscall(kernel::__NR_newfstatat, [AT_FDCWD, folder, at, 0]) < 0 {
            exit(204);
        }
        *stat.as_ptr().cast::<u64>().add(6) as usize
    }
}

/// Looks at the numbers below `limit` until all are found, and writes to the file at `path`.
fn report(path: usize, limit: usize) -> ! {
    let file = open(path);
    let mut missing = count() - 1;

    for fd in (0..limit).filter(|&fd| fd != file) {
        if missing == 0 {
            break;
        }
        if let Some(pair) = look(fd) {
            tell(file, &pair);
            missing -= 1;
        }
    }
    // SAFETY: Nothing is written.
    let pid = unsafe { syscall(kernel::__NR_getpid, [0; 4]) };

    tell(file, &[u64::MAX, (missing as u64) << 32 | pid as u64]);
    exit(0)
}

/// # Safety
///
/// `stack` is what the kernel has laid out for a program.
unsafe extern "C" fn main(stack: *const usize) -> ! {
    // SAFETY: The number of arguments is there, followed by the pointers to them.
    let (count, args) = unsafe { (*stack, stack.add(1)) };

    if count < 3 {
        loop {
            // SAFETY: Nothing is written.
            unsafe { syscall(PAUSE, [0; 4]) };
        }
    }
    // SAFETY: There are at least three.
    let (path, mut digits) = unsafe { (*args.add(1), *args.add(2) as *const u8) };
    let mut limit = 0;
    // SAFETY: A string ends with a null byte.
    unsafe {
        while *digits != 0 {
            limit = limit * 10 + usize::from((*digits).wrapping_sub(b'0'));
            digits = digits.add(1);
        }
    }
    report(path, limit)
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(205)
}
