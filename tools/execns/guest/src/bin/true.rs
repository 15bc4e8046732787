// SPDX-License-Identifier: GPL-2.0

//! A program that does nothing: it exits with its first instructions.

#![no_std]
#![no_main]

use core::panic::PanicInfo;

#[cfg(target_arch = "x86_64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    // exit_group(0)
    core::arch::naked_asm!("mov eax, 231", "xor edi, edi", "syscall", "ud2")
}

#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
#[unsafe(naked)]
extern "C" fn _start() -> ! {
    // exit_group(0)
    core::arch::naked_asm!("mov x8, #94", "mov x0, #0", "svc #0", "brk #0")
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}
