// SPDX-License-Identifier: GPL-2.0

//! Seccomp filters of the current task.
//!
//! C header: [`include/linux/seccomp.h`](srctree/include/linux/seccomp.h).

use crate::{
    bindings,
    macros::paste,
    prelude::*, //
};

macro_rules! syscalls {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:ident, $name32:ident;)*) => {
        /// A system call that a filter may know.
        #[derive(Clone, Copy, Debug)]
        pub enum Syscall {
            $($(#[doc = $doc])* $variant,)*
        }

        paste! {
            impl Syscall {
                #[cfg(not(any(CONFIG_ARM, CONFIG_X86_32)))]
                const fn native(self) -> u32 {
                    match self {
                        $(Self::$variant => bindings::[<__NR_ $name>],)*
                    }
                }

                #[cfg(any(CONFIG_ARM, CONFIG_X86_32))]
                const fn native(self) -> u32 {
                    match self {
                        $(Self::$variant => bindings::[<__NR_ $name32>],)*
                    }
                }

                #[cfg(CONFIG_IA32_EMULATION)]
                const fn compat(self) -> u32 {
                    match self {
                        $(Self::$variant => bindings::[<__NR_ia32_ $name32>],)*
                    }
                }

                #[cfg(all(CONFIG_ARM64, CONFIG_COMPAT))]
                const fn compat(self) -> u32 {
                    match self {
                        $(Self::$variant => bindings::[<__NR_compat32_ $name32>],)*
                    }
                }
            }
        }
    };
}

// The second name is for 32 bits of x86 and Arm, where ids had 16 bits once.
syscalls! {
    /// execve(2)
    Execve = execve, execve;
    /// execveat(2)
    Execveat = execveat, execveat;
    /// open_tree(2)
    OpenTree = open_tree, open_tree;
    /// setgroups(2)
    Setgroups = setgroups, setgroups32;
    /// setns(2)
    Setns = setns, setns;
    /// setresgid(2)
    Setresgid = setresgid, setresgid32;
    /// setresuid(2)
    Setresuid = setresuid, setresuid32;
    /// unshare(2)
    Unshare = unshare, unshare;
}

impl Syscall {
    /// The number, in the numbering of the current system call.
    fn number(self) -> u32 {
        // SAFETY: These can be called by any task.
        let (x32, compat) = unsafe { (bindings::in_x32_syscall(), bindings::in_compat_syscall()) };

        if x32 {
            self.x32()
        } else if compat {
            self.compat()
        } else {
            self.native()
        }
    }

    #[cfg(CONFIG_X86_X32_ABI)]
    const fn x32(self) -> u32 {
        bindings::__X32_SYSCALL_BIT
            | match self {
                Self::Execve => bindings::__NR_x32_execve,
                Self::Execveat => bindings::__NR_x32_execveat,
                other => other.native(),
            }
    }

    #[cfg(not(CONFIG_X86_X32_ABI))]
    const fn x32(self) -> u32 {
        self.native()
    }

    /// Other architectures have the same numbers.
    #[cfg(not(any(CONFIG_IA32_EMULATION, all(CONFIG_ARM64, CONFIG_COMPAT))))]
    const fn compat(self) -> u32 {
        self.native()
    }

    /// Returns whether the filters of the current task let the call pass. Without a filter, they
    /// do. Nobody is notified, signalled or killed.
    ///
    /// This is for what does the same as other calls do, and is called in a system call.
    pub fn is_permitted(self, args: &[usize; 6]) -> bool {
        // SAFETY: The current task is in a system call, and there are six arguments.
        unsafe { bindings::seccomp_permits(self.number() as c_int, args.as_ptr().cast()) }
    }
}

/// Returns whether there are filters to ask.
#[inline]
pub fn is_enabled() -> bool {
    // SAFETY: There are no requirements.
    unsafe { bindings::current_has_seccomp() }
}

/// Returns the arguments of the current system call.
pub fn arguments() -> [usize; 6] {
    let mut args = [0; 6];

    // SAFETY: The current task is in a system call, and there is room for six arguments.
    unsafe { bindings::current_syscall_arguments(args.as_mut_ptr().cast()) };
    args
}
