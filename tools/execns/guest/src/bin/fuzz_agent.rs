// SPDX-License-Identifier: GPL-2.0

//! A program that stops, to be looked at from outside, and ends.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

// kill(getpid(), SIGSTOP), exit_group(77)
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov eax, 39",
    "syscall",
    "mov edi, eax",
    "mov esi, 19",
    "mov eax, 62",
    "syscall",
    "mov eax, 231",
    "mov edi, 77",
    "syscall",
    "ud2",
);

// kill(getpid(), SIGSTOP), exit_group(77)
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x8, #172",
    "svc #0",
    "mov x1, #19",
    "mov x8, #129",
    "svc #0",
    "mov x8, #94",
    "mov x0, #77",
    "svc #0",
    "brk #0",
);

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
