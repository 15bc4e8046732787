// SPDX-License-Identifier: GPL-2.0

//! execns(2) for Rust programs.
//!
//! The system call works like execve(2), moves the new program into new namespaces of the flagged
//! kinds, and closes all descriptors, close-on-exec or not.

#![warn(missing_docs)]

use std::ffi::{CStr, CString, c_char, c_int, c_long};
use std::io;
use std::ptr;

/// The number of the system call, the same on all architectures but alpha.
pub const SYS_EXECNS: c_long = 473;

bitflags::bitflags! {
    /// What the program gets new, and need not share with its caller.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Unshare: c_int {
        /// A mount namespace.
        const MOUNT = libc::CLONE_NEWNS;
        /// A UTS namespace.
        const UTS = libc::CLONE_NEWUTS;
        /// An IPC namespace.
        const IPC = libc::CLONE_NEWIPC;
        /// A user namespace.
        const USER = libc::CLONE_NEWUSER;
        /// A PID namespace, for the program's children.
        const PID = libc::CLONE_NEWPID;
        /// A network namespace.
        const NET = libc::CLONE_NEWNET;
        /// A cgroup namespace.
        const CGROUP = libc::CLONE_NEWCGROUP;
        /// A time namespace.
        const TIME = libc::CLONE_NEWTIME;
        /// A root, working directory and umask that nobody shares.
        const FS = libc::CLONE_FS;
        /// No list of semaphore adjustments.
        const SYSVSEM = libc::CLONE_SYSVSEM;

        // Bits that the kernel may come to know.
        const _ = !0;
    }
}

impl Unshare {
    /// All eight namespaces.
    pub const NAMESPACES: Self = Self::MOUNT
        .union(Self::UTS)
        .union(Self::IPC)
        .union(Self::USER)
        .union(Self::PID)
        .union(Self::NET)
        .union(Self::CGROUP)
        .union(Self::TIME);
}

/// A program with its arguments and environment, in the form that the kernel takes.
///
/// Everything is allocated here, so that [`Program::execns`] can be called between fork and exec.
pub struct Program {
    path: CString,
    argv: Vec<*const c_char>,
    envp: Vec<*const c_char>,
    // What the pointers point to.
    _strings: Vec<CString>,
}

// SAFETY: The pointers point into strings that the program owns and that nobody writes.
unsafe impl Send for Program {}

// SAFETY: As above: there is no interior mutability.
unsafe impl Sync for Program {}

impl Program {
    /// The program at `path`. `args` has the name that it is called by first.
    pub fn new(path: CString, args: Vec<CString>, env: Vec<CString>) -> Self {
        let pointers = |strings: &[CString]| {
            strings
                .iter()
                .map(|s| s.as_ptr())
                .chain([ptr::null()])
                .collect()
        };

        Self {
            path,
            argv: pointers(&args),
            envp: pointers(&env),
            _strings: args.into_iter().chain(env).collect(),
        }
    }

    /// The path of the program.
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// Becomes the program, in new namespaces and without a descriptor. Returns only on failure,
    /// with the calling process as it was.
    ///
    /// Destructors do not run, and buffers are not flushed. Nothing is allocated.
    ///
    /// # Examples
    ///
    /// ```
    /// use execns::{Program, Unshare};
    ///
    /// let program = Program::new(c"/nonexistent".into(), vec![c"x".into()], vec![]);
    /// let error = program.execns(Unshare::UTS);
    /// println!("{:?}: {error}", program.path());
    /// ```
    pub fn execns(&self, unshare: Unshare) -> io::Error {
        // SAFETY: The path and the strings are terminated by a null byte, the arrays by a null
        // pointer, and they live until the call returns or the address space is gone.
        unsafe {
            libc::syscall(
                SYS_EXECNS,
                unshare.bits(),
                self.path.as_ptr(),
                self.argv.as_ptr(),
                self.envp.as_ptr(),
            )
        };
        io::Error::last_os_error()
    }

    /// As execve(2).
    pub fn execve(&self) -> io::Error {
        // SAFETY: As for `execns`.
        unsafe { libc::execve(self.path.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr()) };
        io::Error::last_os_error()
    }
}
