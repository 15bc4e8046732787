// SPDX-License-Identifier: GPL-2.0

//! A child in the same address space, while this process does nothing but wait for it.

use crate::sys::{Errno, Result};
use core::arch::global_asm;
use core::ffi::{c_int, c_void};
use core::ptr;
use linux_raw_sys::errno::EINTR;
use linux_raw_sys::general::{__NR_clone, __NR_wait4, CLONE_VM, SIGCHLD};

// As vfork(2), but this process is not woken in between: it waits until the child has ended. The
// child goes on below this frame, on pages that are there, and this process does not touch the
// stack before. A call that a signal interrupts is made again.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".pushsection .text.execns_run_child,\"ax\",@progbits",
    ".globl execns_run_child",
    ".type execns_run_child,@function",
    "execns_run_child:",
    "push rbx",
    "push r12",
    "push r13",
    "mov rbx, rsi",
    "mov r12, rdx",
    "mov r13, rcx",
    "lea rsi, [rsp - 256]",
    "and rsi, -16",
    "xor edx, edx",
    "xor r10d, r10d",
    "xor r8d, r8d",
    "mov eax, {clone}",
    "syscall",
    "test rax, rax",
    "jz 3f",
    "js 2f",
    "mov rbx, rax",
    "1:",
    "mov rdi, rbx",
    "mov rsi, r13",
    "xor edx, edx",
    "xor r10d, r10d",
    "mov eax, {wait4}",
    "syscall",
    "cmp rax, -{eintr}",
    "je 1b",
    "2:",
    "pop r13",
    "pop r12",
    "pop rbx",
    "ret",
    "3:",
    "xor ebp, ebp",
    "mov rdi, r12",
    "call rbx",
    "ud2",
    ".size execns_run_child, . - execns_run_child",
    ".popsection",
    clone = const __NR_clone,
    wait4 = const __NR_wait4,
    eintr = const EINTR,
);

#[cfg(target_arch = "aarch64")]
global_asm!(
    ".pushsection .text.execns_run_child,\"ax\",@progbits",
    ".globl execns_run_child",
    ".type execns_run_child,@function",
    "execns_run_child:",
    "mov x9, x1",
    "mov x10, x2",
    "mov x11, x3",
    "sub x1, sp, #256",
    "mov x2, #0",
    "mov x3, #0",
    "mov x4, #0",
    "mov x8, #{clone}",
    "svc #0",
    "cbz x0, 3f",
    "tbnz x0, #63, 2f",
    "mov x9, x0",
    "1:",
    "mov x0, x9",
    "mov x1, x11",
    "mov x2, #0",
    "mov x3, #0",
    "mov x8, #{wait4}",
    "svc #0",
    "cmn x0, #{eintr}",
    "b.eq 1b",
    "2:",
    "ret",
    "3:",
    "mov x29, #0",
    "mov x0, x10",
    "blr x9",
    "brk #0",
    ".size execns_run_child, . - execns_run_child",
    ".popsection",
    clone = const __NR_clone,
    wait4 = const __NR_wait4,
    eintr = const EINTR,
);

unsafe extern "C" {
    fn execns_run_child(
        flags: usize,
        run: unsafe extern "C" fn(*const c_void) -> !,
        data: *const c_void,
        status: *mut c_int,
    ) -> isize;
}

/// Runs `run` in a child, waits until it has ended, and returns its status as wait(2) does.
pub fn run<T: Sync>(data: &T, run: fn(&T) -> !) -> Result<c_int> {
    unsafe extern "C" fn child<T>(pair: *const c_void) -> ! {
        // SAFETY: This is the pair that `run` passes, which lives there as long as it waits.
        let (data, run) = unsafe { &*pair.cast::<(&T, fn(&T) -> !)>() };

        run(data)
    }

    let pair = (data, run);
    let mut status = 0;
    let flags = (CLONE_VM | SIGCHLD) as usize;
    // SAFETY: The function gets what it takes. The child never returns to where it was called, and
    // has ended or has another address space when this process goes on.
    let result = unsafe {
        execns_run_child(
            flags,
            child::<T>,
            ptr::from_ref(&pair).cast(),
            &raw mut status,
        )
    };

    if result < 0 {
        Err(Errno(-result as u32))
    } else {
        Ok(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::exit;

    #[test]
    fn a_child_runs_and_ends() {
        assert_eq!(run(&7, |&status| exit(status)), Ok(7 << 8));
    }
}
