// SPDX-License-Identifier: GPL-2.0

//! The command `execns`: it starts programs, and leaves all that is to be said to `execns-full`.
//!
//! It is executed twice for a program in a new PID namespace. A C library that sets itself up, or
//! more pages than one, would cost more than what is done here.

#![no_std]
#![no_main]

use core::ffi::{CStr, c_char};
use core::panic::PanicInfo;
use core::ptr;
use execns_abi::{ExecnsFd, ExecnsIdMap};
use execns_cli::environment::Environment;
use execns_cli::grammar::Words;
use execns_cli::options::{Caller, Options};
use execns_cli::plan::Plan;
use execns_cli::run::Program;
use execns_cli::{stage, sys};

execns_abi::start!(start);

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    sys::exit(1)
}

/// What the compiler calls, and a C library has.
mod memory {
    /// Eight bytes at any address.
    #[derive(Clone, Copy)]
    #[repr(C, packed)]
    struct Unaligned(u64);

    /// # Safety
    ///
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
        let mut at = 0;

        // SAFETY: Both have this many bytes. A volatile write is not made a call of this.
        unsafe {
            while at + 8 <= len {
                let word = from.add(at).cast::<u64>().read_unaligned();
                to.add(at)
                    .cast::<Unaligned>()
                    .write_volatile(Unaligned(word));
                at += 8;
            }
            while at < len {
                to.add(at).write_volatile(*from.add(at));
                at += 1;
            }
        }
        to
    }

    /// # Safety
    ///
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
        let word = u64::from(byte as u8) * 0x0101_0101_0101_0101;
        let mut at = 0;

        // SAFETY: As in `memcpy`.
        unsafe {
            while at + 8 <= len {
                to.add(at)
                    .cast::<Unaligned>()
                    .write_volatile(Unaligned(word));
                at += 8;
            }
            while at < len {
                to.add(at).write_volatile(byte as u8);
                at += 1;
            }
        }
        to
    }

    /// # Safety
    ///
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
        for i in 0..len {
            // SAFETY: Both have this many bytes.
            let (a, b) = unsafe { (*a.add(i), *b.add(i)) };
            if a != b {
                return i32::from(a) - i32::from(b);
            }
        }
        0
    }

    /// # Safety
    ///
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
        // SAFETY: As the caller says.
        unsafe { memcmp(a, b, len) }
    }

    /// # Safety
    ///
    /// As in C.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn strlen(text: *const u8) -> usize {
        let mut len = 0;

        // SAFETY: The null byte has not been passed.
        while unsafe { text.add(len).read_volatile() } != 0 {
            len += 1;
        }
        len
    }
}

/// # Safety
///
/// `stack` is what the kernel leaves there: the number of arguments, they, and the environment,
/// with a null pointer after each.
unsafe extern "C" fn start(stack: *mut usize) -> ! {
    // SAFETY: As said above.
    let (argc, argv) = unsafe { (*stack, stack.add(1).cast::<*const c_char>()) };
    // SAFETY: As said above.
    let envp = unsafe { argv.add(argc + 1) };

    // SAFETY: They are this process's, and nobody has them yet.
    unsafe { stage::enter(argc, argv, envp) };
    // SAFETY: The environment does not change.
    let environment = unsafe { Environment::new(envp) };
    // SAFETY: There are so many arguments, and they do not change.
    let args = unsafe { core::slice::from_raw_parts(argv.cast_const(), argc) };
    let _ = launch(args, environment);
    full(argv, environment)
}

/// More of a kind than these are left to `execns-full`.
const RANGES: usize = 4;
const FDS: usize = 8;
const ARGS: usize = 64;

/// What stops a start here. `execns-full` finds it again, and says it.
struct Stopped;

fn launch(args: &[*const c_char], environment: Environment<'_>) -> Result<(), Stopped> {
    // SAFETY: The arguments are strings.
    let words = args
        .iter()
        .skip(1)
        .map(|&word| unsafe { CStr::from_ptr(word) });
    let caller = Caller {
        euid: sys::euid(),
        egid: sys::egid(),
        stdio: [0, 1, 2].map(sys::is_open),
    };
    let (mut uids, mut gids) = (
        [ExecnsIdMap::default(); RANGES],
        [ExecnsIdMap::default(); RANGES],
    );
    let mut fds = [ExecnsFd::default(); FDS];
    let mut options = Options::new(&mut uids, &mut gids, &mut fds);
    let mut words = Words::new(words);
    for given in &mut words {
        let given = given.or(Err(Stopped))?;
        options.give(given, &caller).or(Err(Stopped))?;
    }
    let shell = [environment.get(b"SHELL").unwrap_or(c"/bin/sh").as_ptr()];
    let args = match args.get(1 + words.taken()..) {
        None | Some([]) => &shell,
        Some(args) => args,
    };
    let plan = Plan::new(options, &caller).or(Err(Stopped))?;
    // A relative name would mean something else to `execns-full` then.
    if plan.wd.is_some() {
        return Err(Stopped);
    }
    let mut room = [ptr::null(); ARGS];
    let itself = environment.executable();
    let program = Program {
        args,
        environment,
        itself,
    };
    plan.execute(&program, 0, &mut room).or(Err(Stopped))
}

/// Becomes `execns-full`, which is in the same folder.
#[cold]
#[inline(never)]
fn full(argv: sys::Strings, environment: Environment<'_>) -> ! {
    const NAME: &CStr = c"execns-full";
    let mut link = [0; 4096];
    // Without proc, there is still the path that it was executed by.
    let itself = match sys::read_link(c"/proc/self/exe", &mut link) {
        Ok(path) => path,
        Err(_) => environment.executable().unwrap_or(c"").to_bytes(),
    };
    let mut path = [0; 4096 + 16];

    // Never from the working directory, which may be anybody's.
    if let Some(slash) = itself.iter().rposition(|&byte| byte == b'/') {
        let parts = itself
            .iter()
            .take(slash + 1)
            .chain(NAME.to_bytes_with_nul());
        for (to, from) in path.iter_mut().zip(parts) {
            *to = *from;
        }
        if let Some(last) = path.last_mut() {
            *last = 0;
        }
        // SAFETY: The path ends with a null byte, and these are the lists that the kernel has made.
        unsafe {
            sys::execve(
                CStr::from_ptr(path.as_ptr().cast()),
                argv,
                environment.list(),
            )
        };
    }
    let _ = sys::write(
        2,
        b"execns: can't do this without execns-full: install it beside execns\n",
    );
    sys::exit(1)
}
