// SPDX-License-Identifier: GPL-2.0

//! A program that does nothing: it exits with its first instructions.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

// exit_group(0)
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov eax, 231",
    "xor edi, edi",
    "syscall",
    "ud2",
);

// exit_group(0)
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x8, #94",
    "mov x0, #0",
    "svc #0",
    "brk #0",
);

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
