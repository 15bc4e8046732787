// SPDX-License-Identifier: GPL-2.0

//! System calls that no crate offers safely: the only unsafe code of this package.

use execns::Namespaces;
use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::io;
use std::mem;
use std::ptr;

pub mod at;
pub mod fuzz;

fn check(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// How a child is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spawn {
    /// As fork(2).
    Fork,
    /// As vfork(2).
    Vfork,
    /// As vfork(2), with the descriptor table shared.
    VforkFiles,
    /// As fork(2), in new namespaces.
    Into(Namespaces),
}

impl Spawn {
    fn flags(self) -> c_int {
        let vfork = libc::CLONE_VM | libc::CLONE_VFORK;

        libc::SIGCHLD
            | match self {
                Self::Fork | Self::Into(_) => 0,
                Self::Vfork => vfork,
                Self::VforkFiles => vfork | libc::CLONE_FILES,
            }
    }

    /// Runs `child` in a new process, which exits with what it returns, and returns its id.
    ///
    /// The closure has to keep to what is allowed in the child of a multithreaded process, or of
    /// vfork(2): system calls, and no allocation.
    pub fn run(self, child: &mut dyn FnMut() -> i32) -> io::Result<i32> {
        extern "C" fn call(data: *mut c_void) -> c_int {
            // SAFETY: This is the reference that `run` passes, which lives there until the child
            // has its own address space.
            let child = unsafe { &mut *data.cast::<&mut dyn FnMut() -> i32>() };
            let status = child();

            // SAFETY: There is nothing to be done at exit. This ends the threads of the child, too.
            unsafe { libc::_exit(status) }
        }

        if let Self::Into(namespaces) = self {
            return fork_into(namespaces, child);
        }
        thread_local! {
            // The heap grows by a new one each time, and shrinks. A child that makes a child
            // is on this one, and does not find it here.
            static STACK: Cell<Vec<u128>> = const { Cell::new(Vec::new()) };
        }
        const SIZE: usize = 64 * 1024;
        let mut stack = STACK.take();
        stack.resize(SIZE / 16, 0);
        let mut child = child;
        // SAFETY: The stack grows down from its end and is used by the child alone. With a shared
        // address space the parent waits until the child does not use it any more.
        let pid = check(unsafe {
            libc::clone(
                call,
                stack.as_mut_ptr().add(SIZE / 16).cast(),
                self.flags(),
                (&raw mut child).cast(),
            )
        });
        STACK.set(stack);
        pid
    }
}

/// Only clone3(2) can make all kinds of namespaces.
fn fork_into(namespaces: Namespaces, child: &mut dyn FnMut() -> i32) -> io::Result<i32> {
    let args = libc::clone_args {
        flags: namespaces.bits(),
        exit_signal: libc::SIGCHLD as u64,
        // SAFETY: All zero is valid.
        ..unsafe { mem::zeroed() }
    };
    let size = mem::size_of_val(&args);

    // SAFETY: The child has a copy of this address space, with the stack that it goes on with.
    match check(unsafe { libc::syscall(libc::SYS_clone3, &raw const args, size) } as c_int)? {
        0 => {
            let status = child();

            // SAFETY: There is nothing to be done at exit.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(pid),
    }
}

/// Waits for a child, and returns its exit status, or its signal below zero.
pub fn wait(pid: i32) -> io::Result<i32> {
    let mut status = 0;

    // SAFETY: `status` can be written to.
    check(unsafe { libc::waitpid(pid, &mut status, 0) })?;
    Ok(if libc::WIFEXITED(status) {
        libc::WEXITSTATUS(status)
    } else {
        -libc::WTERMSIG(status)
    })
}

/// As unshare(2).
pub fn unshare(flags: Namespaces) -> io::Result<()> {
    // SAFETY: No memory is passed.
    check(unsafe { libc::unshare(flags.bits() as c_int) }).map(drop)
}

/// Closes all descriptors from `first` on, in a table of its own if `unshare` is set.
pub fn close_from(first: u32, unshare: bool) -> io::Result<()> {
    let flags = if unshare {
        libc::CLOSE_RANGE_UNSHARE
    } else {
        0
    };

    // SAFETY: Who calls this is about to exec, and does not use its descriptors any more.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, flags) } as c_int)
        .map(drop)
}

/// Sets the limit of open descriptors.
pub fn limit_descriptors(limit: u64) -> io::Result<()> {
    let limit = libc::rlimit {
        rlim_cur: limit,
        rlim_max: limit,
    };

    // SAFETY: `limit` is valid.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) }).map(drop)
}

/// A System V semaphore.
pub struct Semaphore(c_int);

impl Semaphore {
    /// Makes one, with the value 0.
    pub fn new() -> io::Result<Self> {
        // SAFETY: No memory is passed.
        check(unsafe { libc::semget(libc::IPC_PRIVATE, 1, 0o600) }).map(Self)
    }

    /// Adds one, to be taken back when the process exits.
    pub fn add_with_undo(&self) -> io::Result<()> {
        let mut op = libc::sembuf {
            sem_num: 0,
            sem_op: 1,
            sem_flg: libc::SEM_UNDO as i16,
        };

        // SAFETY: There is one operation.
        check(unsafe { libc::semop(self.0, &mut op, 1) }).map(drop)
    }

    /// Its value: what has been added and not taken back.
    pub fn value(&self) -> io::Result<c_int> {
        // SAFETY: No memory is passed.
        check(unsafe { libc::semctl(self.0, 0, libc::GETVAL) })
    }
}

impl Drop for Semaphore {
    fn drop(&mut self) {
        // SAFETY: No memory is passed.
        unsafe { libc::semctl(self.0, 0, libc::IPC_RMID) };
    }
}

/// A System V segment of shared memory.
pub struct Segment(c_int);

impl Segment {
    /// Makes one of a page.
    pub fn new() -> io::Result<Self> {
        // SAFETY: No memory is passed.
        check(unsafe { libc::shmget(libc::IPC_PRIVATE, 4096, 0o600) }).map(Self)
    }

    /// Attaches it, until the process exits or execs.
    pub fn attach(&self) -> io::Result<()> {
        // SAFETY: The kernel chooses a free address, which nobody uses.
        let at = unsafe { libc::shmat(self.0, ptr::null(), 0) };

        if at as isize == -1 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        // SAFETY: No memory is passed.
        unsafe { libc::shmctl(self.0, libc::IPC_RMID, ptr::null_mut()) };
    }
}
