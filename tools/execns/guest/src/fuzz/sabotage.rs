// SPDX-License-Identifier: GPL-2.0

//! Makes true what the fuzzer looks for, to see that it is found: `--break`.

use super::call::{Call, Form};
use super::model::{Caller, MOUNT, TIME, USER};
use super::name::Name;
use super::program;
use super::world;
use crate::sys::at::place;
use crate::sys::fuzz::{block_signal, catch, move_heap_end};
use clap::ValueEnum;
use execns_abi::{
    AT_EMPTY_PATH, EXECNS_ROOT_FD, EXECNS_SET_IDS, ExecnsFd, ExecnsTimeOffset, UNSHARE_EMPTY_MNTNS,
};
use rustix::fs::Mode;
use rustix::thread::CapabilitySet;

/// What is wrong after each call, or with each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Break {
    /// A failed call opens a descriptor
    Descriptor,
    /// A failed call changes close-on-exec
    CloseOnExec,
    /// A failed call opens something else by a number
    File,
    /// A failed call leaves the caller in another namespace
    Namespace,
    /// A failed call takes a capability
    Capability,
    /// A failed call changes the effective user
    User,
    /// A failed call changes the groups
    Groups,
    /// A failed call changes the working directory
    Directory,
    /// A failed call changes the root directory
    Root,
    /// A failed call changes the umask
    Umask,
    /// A failed call blocks a signal
    Mask,
    /// A failed call changes a handler
    Handler,
    /// A failed call makes the caller not dumpable
    Dumpable,
    /// A failed call sets no_new_privs
    NoNewPrivs,
    /// A failed call moves the end of the heap
    Heap,
    /// A failed call undoes semaphore operations
    Undo,
    /// A failed call starts a thread
    Thread,
    /// Another errno is returned
    Errno,
    /// An errno is returned that no manual has
    StrangeErrno,
    /// What has to fail succeeds
    Success,
    /// What has to succeed fails
    Failure,
    /// The program has a descriptor more
    ProgramDescriptor,
    /// The program has another file by a number
    ProgramFile,
    /// The program is not in a new namespace
    ProgramOld,
    /// The program is in a new namespace too much
    ProgramNew,
    /// The program has other ids
    ProgramIds,
    /// The program has another root directory
    ProgramRoot,
    /// The clocks of the program are others
    ProgramClocks,
    /// The program has other capabilities
    ProgramCapabilities,
    /// The program is killed
    ProgramDies,
    /// A child changes its parent
    Parent,
    /// A namespace is left
    LeakNamespace,
    /// A mount is left
    LeakMount,
    /// Objects of the kernel are left
    LeakObjects,
    /// A call does not return
    Hang,
    /// The worker dies
    Die,
}

impl Break {
    /// What the report of it has in it.
    pub fn told(self) -> &'static str {
        match self {
            Self::Descriptor => "number of descriptors",
            Self::CloseOnExec | Self::File => "descriptor 3:",
            Self::Namespace => "uts namespace",
            Self::Capability => "CapEff",
            Self::User => "Uid:",
            Self::Groups => "Groups",
            Self::Directory => "working directory: ",
            Self::Root => "root directory: ",
            Self::Umask => "Umask",
            Self::Mask => "SigBlk",
            Self::Handler => "SigCgt",
            Self::Dumpable => "dumpable",
            Self::NoNewPrivs => "NoNewPrivs",
            Self::Heap => "heap end",
            Self::Undo => "semaphore",
            Self::Thread => "Threads",
            Self::Errno | Self::StrangeErrno => "result",
            Self::Success => "it is 0",
            Self::Failure => "result",
            Self::ProgramDescriptor | Self::ProgramFile => "descriptors: {",
            Self::ProgramOld | Self::ProgramNew => "uts namespace is new",
            Self::ProgramIds => "id: ",
            Self::ProgramRoot => "root directory",
            Self::ProgramClocks => "clock offsets",
            Self::ProgramCapabilities => "effective capabilities",
            Self::ProgramDies => "killed by signal",
            Self::Parent => "the worker has changed",
            Self::LeakNamespace => "namespaces",
            Self::LeakMount => "mounts",
            Self::LeakObjects => "objects of",
            Self::Hang => "nothing has happened",
            Self::Die => "ended",
        }
    }

    /// Changes the caller after its calls.
    pub fn caller(self) {
        let cloexec = |fd: i32| {
            let fd = crate::sys::fuzz::borrow(fd);
            let flags = rustix::io::fcntl_getfd(fd).unwrap_or(rustix::io::FdFlags::empty());
            rustix::io::fcntl_setfd(fd, flags ^ rustix::io::FdFlags::CLOEXEC).ok();
        };

        match self {
            Self::Descriptor => drop(place(3, 30, true)),
            Self::CloseOnExec => cloexec(3),
            Self::File => drop(place(5, 3, false)),
            Self::Namespace => drop(crate::sys::unshare(execns::Namespaces::UTS)),
            Self::Capability => {
                if let Ok(mut sets) = rustix::thread::capabilities(None) {
                    sets.effective.remove(CapabilitySet::SYS_PTRACE);
                    rustix::thread::set_capabilities(None, sets).ok();
                }
            }
            Self::User => {
                let same = rustix::process::Uid::from_raw(u32::MAX);
                let other = rustix::process::Uid::from_raw(7);
                rustix::thread::set_thread_res_uid(same, other, same).ok();
            }
            Self::Groups => {
                let group = rustix::process::Gid::from_raw(77);
                rustix::thread::set_thread_groups(&[group]).ok();
            }
            Self::Directory => drop(rustix::process::chdir("/tmp")),
            Self::Root => drop(rustix::process::chroot("/tmp")),
            Self::Umask => drop(rustix::process::umask(Mode::from_raw_mode(0o777))),
            Self::Mask => block_signal(libc::SIGUSR2),
            Self::Handler => catch(libc::SIGUSR2, false),
            Self::Dumpable => drop(rustix::process::set_dumpable_behavior(
                rustix::process::DumpableBehavior::NotDumpable,
            )),
            Self::NoNewPrivs => drop(rustix::thread::set_no_new_privs(true)),
            Self::Heap => move_heap_end(),
            Self::Hang => loop {
                super::shared::pause();
            },
            Self::Die => std::process::exit(3),
            _ => {}
        }
    }

    /// Changes what a result is.
    pub fn result(self, result: Result<(), i32>) -> Result<(), i32> {
        match (self, result) {
            (Self::Errno, Err(libc::EINVAL)) => Err(libc::EPERM),
            (Self::StrangeErrno, Err(_)) => Err(libc::EXFULL),
            (Self::Success, Err(_)) => Ok(()),
            (Self::Failure, Ok(())) => Err(libc::ENOMEM),
            _ => result,
        }
    }

    /// Changes a call that has to succeed, to one that does.
    pub fn call(self, call: &mut Call, caller: &Caller) {
        let uts = libc::CLONE_NEWUTS as u64;

        match self {
            Self::ProgramDescriptor
                if !call.plain
                    && call.fds.form == Form::Right
                    && call.fds.elements.iter().all(|fd| fd.to != 77) =>
            {
                call.fds.elements.push(ExecnsFd { from: 3, to: 77 });
            }
            Self::ProgramFile => {
                if let Some(fd) = call.fds.elements.iter_mut().find(|fd| fd.from < 5) {
                    fd.from = 5;
                }
            }
            Self::ProgramOld => call.unshare_flags &= !uts,
            Self::ProgramNew => call.unshare_flags |= uts,
            Self::ProgramIds | Self::ProgramCapabilities
                if !call.plain && call.has(USER) && !program::is_setuid(call) =>
            {
                // Nobody asks for this group, and root has what others have not.
                call.uid = match self {
                    Self::ProgramCapabilities if program::is_root_inside(call, caller) => 7,
                    _ => 0,
                };
                call.gid = 3;
                call.flags |= EXECNS_SET_IDS;
                call.uid_map.elements.clear();
                call.gid_map.elements.clear();
            }
            Self::ProgramRoot if call.has(MOUNT) && !call.has(UNSHARE_EMPTY_MNTNS) => {
                call.plain = false;
                call.flags |= EXECNS_ROOT_FD;
                call.root_fd = world::FOLDER_FD;
                // Nothing is looked up in it.
                call.at_flags |= AT_EMPTY_PATH;
                (call.name, call.dirfd) = (Name::Nothing, world::AGENT_FD);
            }
            Self::ProgramClocks if call.has(TIME) && !call.plain => {
                call.time_offsets.elements = vec![ExecnsTimeOffset {
                    clock: libc::CLOCK_BOOTTIME,
                    reserved: 0,
                    sec: 1_000_007,
                    nsec: 0,
                }];
            }
            _ => {}
        }
    }

    /// A word about each, for a test.
    pub fn every() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    pub fn text(self) -> String {
        self.to_possible_value()
            .and_then(|value| value.get_help().map(ToString::to_string))
            .unwrap_or_default()
    }
}
