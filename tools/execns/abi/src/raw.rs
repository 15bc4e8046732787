// SPDX-License-Identifier: GPL-2.0

//! System calls, and the beginning of a program, without a C library.

use core::arch::asm;

/// Makes a system call, and returns what the kernel does: what is negative is an errno.
///
/// # Safety
///
/// As for the call: what is passed as a pointer has to be what it takes.
#[inline]
pub unsafe fn syscall(number: u32, args: [usize; 6]) -> isize {
    let result;

    // SAFETY: The kernel changes the registers that are named, and the memory that the caller
    // vouches for.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as usize => result,
            in("rdi") args[0],
            in("rsi") args[1],
            in("rdx") args[2],
            in("r10") args[3],
            in("r8") args[4],
            in("r9") args[5],
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
            in("x8") number as usize,
            inlateout("x0") args[0] => result,
            in("x1") args[1],
            in("x2") args[2],
            in("x3") args[3],
            in("x4") args[4],
            in("x5") args[5],
            options(nostack),
        );
    }
    result
}

/// Lets a program begin with a function, `unsafe extern "C" fn(*const usize) -> !`. That is passed the
/// stack as the kernel has laid it out: the number of arguments, they, and the environment, with a
/// null pointer after each.
#[macro_export]
macro_rules! start {
    ($main:path) => {
        #[cfg(target_arch = "x86_64")]
        ::core::arch::global_asm!(
            ".globl _start",
            "_start:",
            "xor ebp, ebp",
            "mov rdi, rsp",
            "and rsp, -16",
            "call {main}",
            "ud2",
            main = sym $main,
        );

        #[cfg(target_arch = "aarch64")]
        ::core::arch::global_asm!(
            ".globl _start",
            "_start:",
            "mov x29, #0",
            "mov x30, #0",
            "mov x0, sp",
            "bl {main}",
            "brk #0",
            main = sym $main,
        );
    };
}
