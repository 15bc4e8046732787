// SPDX-License-Identifier: GPL-2.0

//! Execute a program in new namespaces, with no descriptors but those it is given: execnsat(2) and
//! execns(2), in one system call where there have been clone, pipe, writes to `/proc/PID/uid_map`,
//! dup2, close_range and execve.
//!
//! | | |
//! |---|---|
//! | [`Execns`] | builds a call, and makes it: [`exec`](Execns::exec), [`check`](Execns::check), [`spawn`](Execns::spawn), [`status`](Execns::status) |
//! | [`Namespaces`] | what the program gets new |
//! | [`Child`] | a program that was started |
//! | [`Error`], [`ErrorKind`] | which argument was refused, and why |
//! | [`Prepared`] | a call that is laid out, to be made more than once, or after fork(2) |
//! | [`Program`] | the plain execns(2) |
//!
//! # A program in a container
//!
//! The program is root in a user namespace of its own. It has the caller's standard input, output
//! and error, a log as its descriptor 3, and nothing else of the caller's.
//!
//! ```
//! use execns::{ErrorKind, Execns, Namespaces, Setgroups};
//! use std::fs::File;
//!
//! # let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
//! let log = File::options().append(true).open("/dev/null")?;
//! let mut program = Execns::new("/bin/sh");
//! program
//!     .args(["-c", "echo started >&3 && test $(id -u) = 0"])
//!     .env("PATH", "/usr/bin:/bin")
//!     .unshare(Namespaces::USER | Namespaces::MOUNT | Namespaces::UTS)
//!     .map_uid(0, uid, 1)
//!     .map_gid(0, gid, 1)
//!     .setgroups(Setgroups::Deny)
//!     .keep_stdio()
//!     .keep(&log, 3);
//! match program.spawn() {
//!     Ok(mut child) => assert!(child.wait()?.success()),
//!     // A kernel without the call.
//!     Err(error) if *error.kind() == ErrorKind::NotSupported => eprintln!("{error}"),
//!     Err(error) => return Err(error.into()),
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What went wrong
//!
//! The kernel returns an errno. An [`Error`] says which argument it was about, and the alternate
//! form shows the call:
//!
//! ```
//! use execns::{Descriptor, ErrorKind, Execns, Namespaces};
//!
//! let mut program = Execns::new("/bin/sh");
//! program
//!     .unshare(Namespaces::USER)
//!     .keep_stdio()
//!     .keep(Descriptor::from_number(555), 3);
//! let error = program.exec(); // it returns, so it has failed
//!
//! // execnsat(AT_FDCWD, "/bin/sh", ["/bin/sh"], 0x55d5c0a3ed90 /* 27 vars */,
//! // {unshare_flags=CLONE_NEWUSER, fds=[{0, 0}, {1, 1}, {2, 2}, {555, 3}]}, 80)
//! // = -1 EBADF: descriptor 555 is not open
//! println!("{error:#}");
//! match error.kind() {
//!     ErrorKind::BadDescriptor { from: 555, .. } => {}
//!     ErrorKind::NotSupported => {}
//!     other => unreachable!("{other}"),
//! }
//! ```
//!
//! # Before the point of no return, and after it
//!
//! Everything that can fail does so before anything changes: after an error, the caller has the same
//! namespaces, descriptors, ids and threads as before. It may be multithreaded.
//!
//! # What it needs
//!
//! Linux with `CONFIG_USER_NS_EXECNS` ([`is_supported`]), on x86-64 or AArch64. Everything else of
//! this crate works on any kernel, so that a program can have a fallback.
//!
//! The library forbids unsafe code, but for one module that makes the system calls.

#![deny(unsafe_code)]
#![deny(missing_docs)]

mod builder;
mod call;
mod child;
mod descriptor;
mod diagnose;
mod environment;
mod error;
mod kind;
mod map;
mod namespaces;
mod program;
#[allow(unsafe_code)]
mod sys;
mod trace;
mod verify;

pub use builder::Execns;
pub use call::Prepared;
pub use child::Child;
pub use descriptor::Descriptor;
pub use error::Error;
pub use execns_abi::{SYS_EXECNS, SYS_EXECNSAT};
pub use kind::{Argument, ErrorKind, MapFault};
pub use map::{Clock, IdMap, Ids, Setgroups};
pub use namespaces::{Namespaces, ParseError};
pub use program::Program;

/// Whether the kernel has execnsat(2). This has no side effect.
///
/// # Examples
///
/// ```
/// if !execns::is_supported() {
///     eprintln!("unshare(2), close_range(2) and execve(2) have to do");
/// }
/// ```
pub fn is_supported() -> bool {
    sys::has_execnsat()
}
