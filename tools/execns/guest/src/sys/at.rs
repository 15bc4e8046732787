// SPDX-License-Identifier: GPL-2.0

//! execnsat(2) with arguments of any form, malformed ones included, which the crate does not let
//! pass, and what its tests need around it.

use super::check;
use execns_abi::{ExecnsArgs, ExecnsFd, ExecnsIdMap, ExecnsTimeOffset, SYS_EXECNSAT};
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::io;
use std::ops::Range;
use std::ptr;

/// What [`ExecnsArgs`] points to, and the rest of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    pub unshare_flags: u64,
    pub at_flags: u32,
    pub flags: u32,
    pub fds: &'a [ExecnsFd],
    pub uid_map: &'a [ExecnsIdMap],
    pub gid_map: &'a [ExecnsIdMap],
    pub time_offsets: &'a [ExecnsTimeOffset],
    pub root_fd: i32,
    pub uid: u32,
    pub gid: u32,
    pub reserved: u32,
}

impl Request<'_> {
    pub fn args(&self) -> ExecnsArgs {
        ExecnsArgs {
            unshare_flags: self.unshare_flags,
            at_flags: self.at_flags,
            flags: self.flags,
            root_fd: self.root_fd,
            uid: self.uid,
            gid: self.gid,
            reserved: self.reserved,
            ..ExecnsArgs::of_arrays(self.fds, self.uid_map, self.gid_map, self.time_offsets)
        }
    }
}

/// A program with its arguments, and no environment.
pub struct Target {
    dirfd: c_int,
    path: CString,
    argv: Vec<*const c_char>,
    _words: Vec<CString>,
}

impl Target {
    /// The program at `path`, from `dirfd` on.
    pub fn new(dirfd: c_int, path: &CStr, args: &[&str]) -> Self {
        let words = args.iter().map(|arg| CString::new(*arg).unwrap());
        let words: Vec<CString> = [path.to_owned()].into_iter().chain(words).collect();

        Self {
            dirfd,
            path: path.to_owned(),
            argv: words
                .iter()
                .map(|word| word.as_ptr())
                .chain([ptr::null()])
                .collect(),
            _words: words,
        }
    }

    /// execnsat(2). Returns the errno if it fails, and otherwise if nothing was to be executed.
    /// Allocates nothing.
    pub fn exec(&self, request: &Request<'_>) -> Result<(), i32> {
        let args = request.args();

        self.exec_at(
            (&raw const args).expose_provenance(),
            size_of::<ExecnsArgs>(),
        )
    }

    /// As [`Target::exec`], with arguments at any address, which the kernel only reads.
    pub fn exec_at(&self, args: usize, size: usize) -> Result<(), i32> {
        let envp = [ptr::null::<c_char>()];

        // SAFETY: The path and the words are terminated by a null byte, the arrays by a null
        // pointer, and they live until the call returns or the address space is gone. The kernel
        // reads `args`, and what that points to, and finds what is not mapped.
        let result = unsafe {
            libc::syscall(
                SYS_EXECNSAT,
                self.dirfd,
                self.path.as_ptr(),
                self.argv.as_ptr(),
                envp.as_ptr(),
                args,
                size,
            )
        };
        match result {
            0 => Ok(()),
            _ => Err(errno()),
        }
    }
}

/// The errno of the last call that failed.
pub fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// What is known of a descriptor by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub cloexec: bool,
    /// The status flags.
    pub status: u32,
    /// The device and number of the file, in one word.
    pub file: u64,
}

/// The device and number of a file, in one word.
pub fn file_word(device: u64, inode: u64) -> u64 {
    inode.wrapping_add(device << 40)
}

/// Looks at a number, which may be free. Allocates nothing.
pub fn look(fd: u32) -> Option<Slot> {
    let fd = fd as c_int;
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();

    // SAFETY: `stat` is read if the call has written it.
    unsafe {
        let flags = libc::fcntl(fd, libc::F_GETFD);

        if flags < 0 || libc::fstat(fd, stat.as_mut_ptr()) < 0 {
            return None;
        }
        let stat = stat.assume_init();

        Some(Slot {
            cloexec: flags & libc::FD_CLOEXEC != 0,
            status: libc::fcntl(fd, libc::F_GETFL) as u32,
            file: file_word(stat.st_dev, stat.st_ino),
        })
    }
}

/// Which of these numbers may be open, but for those that are `O_PATH`, with few system calls.
/// Allocates nothing.
pub fn open_numbers(numbers: Range<u32>) -> impl Iterator<Item = u32> {
    const CHUNK: usize = 256;
    let end = numbers.end;

    numbers.step_by(CHUNK).flat_map(move |first| {
        let mut polled: [libc::pollfd; CHUNK] = std::array::from_fn(|i| libc::pollfd {
            fd: first as c_int + i as c_int,
            events: 0,
            revents: 0,
        });
        let count = CHUNK.min((end - first) as usize);

        // More of them than RLIMIT_NOFILE are refused: then all are told, as if they were open.
        // SAFETY: There are as many elements, and more.
        unsafe { libc::poll(polled.as_mut_ptr(), count as libc::nfds_t, 0) };
        polled
            .into_iter()
            .take(count)
            .filter(|polled| polled.revents & libc::POLLNVAL == 0)
            .map(|polled| polled.fd as u32)
    })
}

/// As dup3(2). What was open by the number `to` has to be nobody's who still uses it.
pub fn place(from: c_int, to: u32, cloexec: bool) -> io::Result<()> {
    let flags = if cloexec { libc::O_CLOEXEC } else { 0 };

    // SAFETY: No memory is passed. Nobody uses the number, says the caller.
    check(unsafe { libc::dup3(from, to as c_int, flags) }).map(drop)
}

/// Closes the numbers from `first` to `last`, which nobody may use any more.
pub fn close_between(first: u32, last: u32) -> io::Result<()> {
    // SAFETY: No memory is passed. Nobody uses the numbers, says the caller.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) } as c_int).map(drop)
}

/// Runs `child` in a copy of this process, which exits with what it returns, and returns its id.
///
/// As opposed to [`Spawn::run`](super::Spawn::run), it may allocate, and has the whole of the stack.
/// If other threads hold locks, but for those of the allocator, it may wait for them forever.
pub fn fork(child: impl FnOnce() -> i32) -> io::Result<i32> {
    // SAFETY: The child goes on here, with a copy of all that this thread has.
    match check(unsafe { libc::fork() })? {
        0 => {
            let status = child();

            // SAFETY: What is to be done at exit is up to the parent.
            unsafe { libc::_exit(status) }
        }
        pid => Ok(pid),
    }
}

/// A process that waits for its end, in the address space and with the descriptors of its parent.
/// Dropping it ends it.
pub struct Held {
    pid: c_int,
    // What it runs on.
    _stack: Vec<u128>,
}

impl Held {
    /// Makes one by clone(2) with these namespaces, which has called unshare(2) with `later` if that
    /// is not 0. Returns the errno of what fails.
    pub fn new(namespaces: c_int, later: c_int) -> Result<Self, i32> {
        extern "C" fn wait(later: *mut c_void) -> c_int {
            let later = later.addr() as c_int;

            // SAFETY: No memory is passed. The parent, whose errno this is, waits for the stop.
            unsafe {
                if later != 0 {
                    if libc::unshare(later) < 0 {
                        libc::_exit(errno());
                    }
                    libc::kill(libc::getpid(), libc::SIGSTOP);
                }
                loop {
                    libc::pause();
                }
            }
        }

        const SIZE: usize = 64 * 1024;
        let mut stack = Vec::<u128>::with_capacity(SIZE / 16);
        let flags = libc::CLONE_VM | libc::CLONE_FILES | libc::SIGCHLD | namespaces;
        // SAFETY: The stack grows down from its end, and lives until the process has ended.
        let pid = check(unsafe {
            libc::clone(
                wait,
                stack.as_mut_ptr().add(SIZE / 16).cast(),
                flags,
                ptr::without_provenance_mut(later as usize),
            )
        })
        .map_err(|_| errno())?;

        let mut status = 0;
        if later != 0 {
            // SAFETY: `status` can be written to.
            check(unsafe { libc::waitpid(pid, &mut status, libc::WUNTRACED) })
                .map_err(|_| errno())?;
            if libc::WIFEXITED(status) {
                return Err(libc::WEXITSTATUS(status));
            }
        }
        Ok(Self { pid, _stack: stack })
    }

    pub fn pid(&self) -> c_int {
        self.pid
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        end(self.pid);
    }
}

/// Ends a child, and waits for that.
pub fn end(pid: c_int) {
    // SAFETY: The child was not waited for, so that the number is its own. No memory is passed.
    unsafe {
        libc::kill(pid, libc::SIGKILL);
        libc::waitpid(pid, ptr::null_mut(), 0);
    }
}

/// A page that can be written, followed by one that can not be read.
pub struct Guarded(*mut u8);

/// The size of a page, as execnsat(2) has it for its arguments.
pub const PAGE: usize = 4096;

impl Guarded {
    pub fn new() -> io::Result<Self> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

        // SAFETY: The kernel chooses where, and the second page is in what it has mapped.
        unsafe {
            let at = libc::mmap(ptr::null_mut(), 2 * PAGE, protection, flags, -1, 0);

            if at == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let guarded = Self(at.cast());
            check(libc::mprotect(at.byte_add(PAGE), PAGE, libc::PROT_NONE))?;
            Ok(guarded)
        }
    }

    /// What can be written.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: The page is mapped, and borrowed as `self` is.
        unsafe { std::slice::from_raw_parts_mut(self.0, PAGE) }
    }

    /// The address of that which is `size` bytes before the guard.
    pub fn last(&self, size: usize) -> usize {
        self.0.expose_provenance() + PAGE - size
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: `new` has mapped this, and nothing borrows it any more.
        unsafe { libc::munmap(self.0.cast(), 2 * PAGE) };
    }
}
