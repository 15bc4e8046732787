// SPDX-License-Identifier: GPL-2.0

//! The descriptors that are named in a call.

use std::fs::File;
use std::io::{Stderr, Stdin, Stdout};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{ChildStderr, ChildStdin, ChildStdout};

/// A descriptor for the program: owned, or borrowed for as long as the [`Execns`](crate::Execns)
/// is used.
///
/// It is made from an [`OwnedFd`], a [`BorrowedFd`], a reference to anything that is [`AsFd`], or
/// what the standard library has that owns a descriptor. An owned one is closed when the `Execns`
/// is dropped.
///
/// # Examples
///
/// ```
/// use execns::Execns;
/// use std::fs::File;
///
/// let mut program = Execns::new("/bin/cat");
/// let log = File::open("/dev/null")?;
/// program.keep(&log, 1); // borrowed
/// program.keep(File::open("/dev/null")?, 2); // owned
/// program.keep(std::io::stdin(), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Descriptor<'fd>(Repr<'fd>);

#[derive(Debug)]
enum Repr<'fd> {
    Owned(OwnedFd),
    Borrowed(BorrowedFd<'fd>),
    Number(RawFd),
}

impl Descriptor<'static> {
    /// The one that has this number when the system call is made, if any does.
    ///
    /// It is for programs that are told a number, as a shell is. Nothing is done with the
    /// descriptor but that the kernel gives it to the program, as it gives all of them, close-on-exec
    /// aside, to a program that is executed by any other means.
    pub fn from_number(number: RawFd) -> Self {
        Self(Repr::Number(number))
    }
}

impl AsRawFd for Descriptor<'_> {
    fn as_raw_fd(&self) -> RawFd {
        match &self.0 {
            Repr::Owned(fd) => fd.as_raw_fd(),
            Repr::Borrowed(fd) => fd.as_raw_fd(),
            Repr::Number(number) => *number,
        }
    }
}

impl<'fd> From<BorrowedFd<'fd>> for Descriptor<'fd> {
    fn from(fd: BorrowedFd<'fd>) -> Self {
        Self(Repr::Borrowed(fd))
    }
}

impl<'fd, T: AsFd + ?Sized> From<&'fd T> for Descriptor<'fd> {
    fn from(fd: &'fd T) -> Self {
        Self(Repr::Borrowed(fd.as_fd()))
    }
}

macro_rules! owners {
    ($($owner:ty),+ $(,)?) => {$(
        impl From<$owner> for Descriptor<'_> {
            fn from(owner: $owner) -> Self {
                Self(Repr::Owned(owner.into()))
            }
        }
    )+};
}

owners!(
    OwnedFd,
    File,
    TcpListener,
    TcpStream,
    UdpSocket,
    UnixDatagram,
    UnixListener,
    UnixStream,
    ChildStderr,
    ChildStdin,
    ChildStdout,
);

macro_rules! standard {
    ($($stream:ty => $borrow:path),+ $(,)?) => {$(
        impl From<$stream> for Descriptor<'_> {
            fn from(_: $stream) -> Self {
                Self(Repr::Borrowed($borrow()))
            }
        }
    )+};
}

standard!(
    Stdin => rustix::stdio::stdin,
    Stdout => rustix::stdio::stdout,
    Stderr => rustix::stdio::stderr,
);
