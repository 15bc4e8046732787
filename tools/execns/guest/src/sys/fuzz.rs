// SPDX-License-Identifier: GPL-2.0

//! What the fuzzer asks of the kernel that nobody asks for otherwise.

use super::check;
use execns_abi::raw;
use linux_raw_sys::general as kernel;
use std::ffi::{CStr, c_int, c_long, c_void};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

/// Zeroes that this process shares with those that it makes. They stay.
pub fn shared_words(count: usize) -> io::Result<&'static [AtomicU64]> {
    let protection = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;

    // SAFETY: The kernel chooses where. Zero is a value of each word, and nobody unmaps them.
    unsafe {
        let at = libc::mmap(ptr::null_mut(), count * 8, protection, flags, -1, 0);

        if at == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        Ok(std::slice::from_raw_parts(at.cast(), count))
    }
}

/// execns(2) or execnsat(2) with any words. Returns the errno, without that of the C library, which
/// threads and processes may share here. Allocates nothing.
pub fn exec(number: c_long, words: &[usize; 6]) -> Result<(), i32> {
    // SAFETY: The kernel reads what is mapped, and writes nothing.
    let result = unsafe { raw::syscall(number as u32, *words) };

    match result {
        0 => Ok(()),
        errno => Err(-errno as i32),
    }
}

/// Changes a word of memory that somebody may read at this time, and changes it back.
///
/// # Safety
///
/// It is of 4 bytes, aligned, and nobody reads or writes it but the kernel and who calls this.
pub unsafe fn flicker(address: usize, bits: u32) {
    let word = ptr::with_exposed_provenance_mut::<u32>(address);

    // SAFETY: By the safety requirements.
    let word = unsafe { AtomicU32::from_ptr(word) };
    word.fetch_xor(bits, SeqCst);
    std::thread::yield_now();
    word.fetch_xor(bits, SeqCst);
}

/// Ends the calling thread only.
pub fn exit_thread() -> ! {
    loop {
        // SAFETY: What the thread borrows stays, since threads of this kind have no other end.
        unsafe { libc::syscall(libc::SYS_exit, 0) };
    }
}

/// What a process runs on.
pub struct Stack(Vec<u128>);

impl Stack {
    pub fn new() -> Self {
        const SIZE: usize = 256 * 1024;

        Self(vec![0; SIZE / 16])
    }

    /// Runs `child` in what clone(2) makes with these flags, which exits with what it returns.
    /// Returns its id.
    ///
    /// With `CLONE_VM` and without `CLONE_VFORK`, both run at the same time: `child`, which must
    /// not allocate, what it borrows, and the stack, are left alone until it is over. A thread
    /// (`CLONE_THREAD`) does not return from `child`.
    pub fn run(&mut self, flags: c_int, child: &mut dyn FnMut() -> i32) -> io::Result<i32> {
        extern "C" fn call(data: *mut c_void) -> c_int {
            // SAFETY: This is the reference that `run` passes. Who shares memory has left it where
            // it is, as said above, and anybody else has a copy.
            let child = unsafe { &mut **data.cast::<*mut dyn FnMut() -> i32>() };
            let status = child();

            // SAFETY: There is nothing to be done at exit.
            unsafe { libc::_exit(status) }
        }

        let child: *mut (dyn FnMut() -> i32 + '_) = child;
        let end = self.0.as_mut_ptr_range().end;
        // SAFETY: The reference is kept at the end of the stack, which grows down from below it and
        // is used by nobody else.
        unsafe {
            let data = end.sub(1).cast::<*mut (dyn FnMut() -> i32 + '_)>();

            data.write(child);
            check(libc::clone(call, end.sub(2).cast(), flags, data.cast()))
        }
    }
}

impl Default for Stack {
    fn default() -> Self {
        Self::new()
    }
}

/// The end of the heap.
pub fn heap_end() -> u64 {
    // SAFETY: Nothing is changed by 0.
    unsafe { libc::syscall(libc::SYS_brk, 0) as u64 }
}

/// Moves the end of the heap up by a page that nobody uses. The allocator has another one then.
pub fn move_heap_end() {
    // SAFETY: Nothing is unmapped.
    unsafe { libc::syscall(libc::SYS_brk, heap_end() + 4096) };
}

/// What PR_GET_* of prctl(2) returns.
pub fn prctl(option: c_int) -> u64 {
    // SAFETY: The options that return a value take no memory.
    unsafe { libc::prctl(option, 0, 0, 0, 0) as u64 }
}

/// A signal of a timer, some microseconds from now, and again after `period` if that is not 0. exec
/// deletes it. `SIGKILL` is one, too.
pub fn signal_after(signal: c_int, micros: u64, period: u64) -> io::Result<()> {
    let spec = |micros: u64| libc::timespec {
        tv_sec: (micros / 1_000_000) as i64,
        tv_nsec: (micros % 1_000_000 * 1000) as i64,
    };
    let when = libc::itimerspec {
        it_interval: spec(period),
        it_value: spec(micros.max(1)),
    };

    // SAFETY: All zero is a sigevent, and what is passed is valid for the calls.
    unsafe {
        let mut event: libc::sigevent = mem::zeroed();
        let mut timer: libc::timer_t = ptr::null_mut();

        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = signal;
        check(libc::timer_create(
            libc::CLOCK_MONOTONIC,
            &mut event,
            &mut timer,
        ))?;
        check(libc::timer_settime(timer, 0, &when, ptr::null_mut())).map(drop)
    }
}

/// The signal SIGALRM after so many microseconds, which exec does not take back.
pub fn alarm_after(micros: i64) {
    let when = libc::itimerval {
        it_interval: libc::timeval {
            tv_sec: 0,
            tv_usec: 0,
        },
        it_value: libc::timeval {
            tv_sec: micros / 1_000_000,
            tv_usec: micros % 1_000_000,
        },
    };

    // SAFETY: `when` is valid.
    unsafe { libc::setitimer(libc::ITIMER_REAL, &when, ptr::null_mut()) };
}

/// Lets a signal do nothing, with system calls restarted or not.
pub fn catch(signal: c_int, restart: bool) {
    extern "C" fn nothing(_: c_int) {}

    // SAFETY: All zero is a sigaction, and the handler does nothing.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();

        action.sa_sigaction = nothing as extern "C" fn(c_int) as usize;
        action.sa_flags = if restart { libc::SA_RESTART } else { 0 };
        libc::sigaction(signal, &action, ptr::null_mut());
    }
}

/// Blocks a signal.
pub fn block_signal(signal: c_int) {
    // SAFETY: `set` is initialized by the first call.
    unsafe {
        let mut set = mem::zeroed();

        libc::sigemptyset(&mut set);
        libc::sigaddset(&mut set, signal);
        libc::sigprocmask(libc::SIG_BLOCK, &set, ptr::null_mut());
    }
}

/// Installs a seccomp filter that answers these system calls with these actions, and lets pass the
/// others. There is no way back, and none to more privileges.
pub fn filter(answers: &[(c_long, u32)]) -> io::Result<()> {
    const MOST: usize = 16;
    let code = |code, k, jt| libc::sock_filter { code, jt, jf: 0, k };
    let mut program = [code(0, 0, 0); 2 * MOST + 2];
    let mut length = 0;
    let mut add = |instruction| {
        program[length] = instruction;
        length += 1;
    };

    // The number of the system call is the first word.
    add(code(
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16,
        0,
        0,
    ));
    for &(number, action) in answers.iter().take(MOST) {
        let mut jump = code(
            (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            number as u32,
            0,
        );
        jump.jf = 1;
        add(jump);
        add(code((libc::BPF_RET | libc::BPF_K) as u16, action, 0));
    }
    add(code(
        (libc::BPF_RET | libc::BPF_K) as u16,
        libc::SECCOMP_RET_ALLOW,
        0,
    ));
    let program = libc::sock_fprog {
        len: length as u16,
        filter: program.as_mut_ptr(),
    };

    // SAFETY: The program has that many instructions.
    unsafe {
        check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
        check(libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        ) as c_int)
        .map(drop)
    }
}

/// A page whose first reader, the kernel included, waits until it is [resolved](Fault::resolve).
pub struct Fault {
    uffd: OwnedFd,
    page: *mut u8,
}

const PAGE: usize = 4096;

impl Fault {
    pub fn new() -> io::Result<Self> {
        let mut api = kernel::uffdio_api {
            api: kernel::UFFD_API.into(),
            features: 0,
            ioctls: 0,
        };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;

        // SAFETY: The structures are those of the requests, and the kernel chooses where the page is.
        unsafe {
            let number = libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC | libc::O_NONBLOCK);
            let uffd = OwnedFd::from_raw_fd(check(number as c_int)?);
            check(libc::ioctl(uffd.as_raw_fd(), 0xc018_aa3f, &mut api))?;
            let page = libc::mmap(ptr::null_mut(), PAGE, protection, flags, -1, 0);
            if page == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            let mut register = kernel::uffdio_register {
                range: kernel::uffdio_range {
                    start: page.expose_provenance() as u64,
                    len: PAGE as u64,
                },
                // UFFDIO_REGISTER_MODE_MISSING
                mode: 1,
                ioctls: 0,
            };
            check(libc::ioctl(uffd.as_raw_fd(), 0xc020_aa00, &mut register))?;
            Ok(Self {
                uffd,
                page: page.cast(),
            })
        }
    }

    pub fn uffd(&self) -> &OwnedFd {
        &self.uffd
    }

    /// Moves the descriptor.
    pub fn at_number(self, fd: OwnedFd) -> Self {
        Self { uffd: fd, ..self }
    }

    pub fn address(&self) -> usize {
        self.page.expose_provenance()
    }

    /// Takes a message that somebody waits, if there is one.
    pub fn is_waited_for(&self) -> bool {
        let mut message = mem::MaybeUninit::<kernel::uffd_msg>::uninit();
        let size = mem::size_of_val(&message);

        // SAFETY: As many bytes can be written.
        let read = unsafe { libc::read(self.uffd.as_raw_fd(), message.as_mut_ptr().cast(), size) };
        read == size as isize
    }

    /// Lets the page be a copy of this one, or zeroes.
    pub fn resolve(&self, content: Option<&[u8; PAGE]>) {
        let range = kernel::uffdio_range {
            start: self.address() as u64,
            len: PAGE as u64,
        };

        // SAFETY: The structures are those of the requests.
        unsafe {
            match content {
                Some(content) => {
                    let mut copy = kernel::uffdio_copy {
                        dst: range.start,
                        src: content.as_ptr().expose_provenance() as u64,
                        len: range.len,
                        mode: 0,
                        copy: 0,
                    };
                    libc::ioctl(self.uffd.as_raw_fd(), 0xc028_aa03, &mut copy);
                }
                None => {
                    let mut zero = kernel::uffdio_zeropage {
                        range,
                        mode: 0,
                        zeropage: 0,
                    };
                    libc::ioctl(self.uffd.as_raw_fd(), 0xc020_aa04, &mut zero);
                }
            }
        }
    }

    /// Lets the next reader wait again.
    pub fn rearm(&self) {
        // SAFETY: The page is nobody's whom Rust knows of.
        unsafe { libc::madvise(self.page.cast(), PAGE, libc::MADV_DONTNEED) };
    }
}

/// All namespaces that there are, by their ids (listns(2)).
pub fn list_namespaces() -> io::Result<Vec<u64>> {
    const SYS_LISTNS: c_long = 470;
    // struct ns_id_req: size, ns_id, ns_type, user_ns_id
    let mut request = [32u64, 0, 0, 0];
    let mut all = Vec::new();

    loop {
        let mut ids = [0u64; 256];

        // SAFETY: There are that many ids, and 32 bytes of a request.
        let count = match check(unsafe {
            libc::syscall(SYS_LISTNS, request.as_ptr(), ids.as_mut_ptr(), ids.len(), 0) as c_int
        }) {
            // That was the last one.
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => 0,
            other => other?,
        };
        if count == 0 {
            return Ok(all);
        }
        all.extend(&ids[..count as usize]);
        request[1] = ids[count as usize - 1];
    }
}

/// As mount(2).
pub fn mount(source: &CStr, target: &CStr, kind: &CStr, flags: u64, data: &CStr) -> io::Result<()> {
    // SAFETY: These are strings of C.
    check(unsafe {
        libc::mount(
            source.as_ptr(),
            target.as_ptr(),
            kind.as_ptr(),
            flags,
            data.as_ptr().cast(),
        )
    })
    .map(drop)
}

/// Takes away what is mounted there, now or as soon as nobody uses it.
pub fn unmount(target: &CStr) -> io::Result<()> {
    // SAFETY: This is a string of C.
    check(unsafe { libc::umount2(target.as_ptr(), libc::MNT_DETACH) }).map(drop)
}

/// One of the numbers that a worker never closes.
pub fn borrow(fd: c_int) -> BorrowedFd<'static> {
    // SAFETY: It stays open, says the caller.
    unsafe { BorrowedFd::borrow_raw(fd) }
}
