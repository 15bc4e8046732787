// SPDX-License-Identifier: GPL-2.0

//! A call of execnsat(2), laid out as the kernel takes it.

use crate::child::Child;
use crate::diagnose;
use crate::error::Error;
use crate::namespaces::Namespaces;
use crate::sys::{self, Refused, Strings};
use crate::trace;
use execns_abi::{self as abi, ExecnsArgs, ExecnsFd, ExecnsIdMap, ExecnsTimeOffset};
use std::ffi::CString;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{BorrowedFd, RawFd};

/// The arguments of execnsat(2), but for what points to them.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub dirfd: RawFd,
    pub path: CString,
    pub argv: Strings,
    pub envp: Strings,
    pub namespaces: Namespaces,
    pub at_flags: u32,
    pub flags: u32,
    pub fds: Vec<ExecnsFd>,
    pub uid_map: Vec<ExecnsIdMap>,
    pub gid_map: Vec<ExecnsIdMap>,
    pub time_offsets: Vec<ExecnsTimeOffset>,
    pub root_fd: RawFd,
    pub uid: u32,
    pub gid: u32,
}

impl Call {
    /// `struct execns_args`, with more of `at_flags`.
    pub fn args(&self, at_flags: u32) -> ExecnsArgs {
        ExecnsArgs {
            unshare_flags: self.namespaces.bits(),
            at_flags: self.at_flags | at_flags,
            flags: self.flags,
            root_fd: self.root_fd,
            uid: self.uid,
            gid: self.gid,
            ..ExecnsArgs::of_arrays(&self.fds, &self.uid_map, &self.gid_map, &self.time_offsets)
        }
    }
}

/// A call that is laid out, for as often as it is wanted: what remains is the system call itself.
///
/// It is made by [`Execns::prepare`](crate::Execns::prepare), and keeps the descriptors borrowed.
/// It can be used by several threads at once.
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(crate) call: Call,
    pub(crate) cgroup: Option<RawFd>,
    /// These stay open as long.
    pub(crate) descriptors: PhantomData<BorrowedFd<'a>>,
}

impl Prepared<'_> {
    /// As [`Execns::exec`](crate::Execns::exec).
    #[must_use = "it returns only on failure"]
    pub fn exec(&self) -> Error {
        if self.cgroup.is_some() {
            return Error::cgroup_without_spawn(trace::call(&self.call, 0));
        }
        match sys::execnsat(&self.call, 0) {
            Ok(()) => unreachable!("a program that was executed does not return"),
            Err(error) => diagnose::exec(&self.call, 0, error),
        }
    }

    /// As [`Prepared::exec`], without an allocation, so that it can be called between fork(2) or
    /// vfork(2) and exit. It does not tell more than the errno. A cgroup is not taken into account.
    #[must_use = "it returns only on failure"]
    pub fn exec_bare(&self) -> io::Error {
        match sys::execnsat(&self.call, 0) {
            Ok(()) => unreachable!("a program that was executed does not return"),
            Err(error) => error,
        }
    }

    /// As [`Execns::check`](crate::Execns::check).
    pub fn check(&self) -> Result<(), Error> {
        sys::execnsat(&self.call, abi::AT_EXECVE_CHECK)
            .map_err(|error| diagnose::exec(&self.call, abi::AT_EXECVE_CHECK, error))
    }

    /// As [`Execns::spawn`](crate::Execns::spawn).
    pub fn spawn(&self) -> Result<Child, Error> {
        match sys::spawn(&self.call, self.cgroup) {
            Ok((pid, pidfd)) => Ok(Child::new(pid, pidfd)),
            Err(Refused::Exec(error)) => Err(diagnose::exec(&self.call, 0, error)),
            Err(Refused::Clone(error)) => Err(diagnose::clone(self.cgroup, error)),
        }
    }

    /// The call as strace(1) writes it, for instance
    /// `execnsat(AT_FDCWD, "/bin/sh", ["sh"], 0x55d0c8a2 /* 3 vars */, {unshare_flags=CLONE_NEWUSER}, 80)`.
    pub fn trace(&self) -> String {
        trace::call(&self.call, 0)
    }
}
