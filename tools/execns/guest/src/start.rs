// SPDX-License-Identifier: GPL-2.0

//! Ways to start a program as a container.
//!
//! Where there is a user namespace, its root is the caller, and setgroups(2) is denied.

use crate::sys::{self, Spawn};
use execns::{Execns, Namespaces, Program, Setgroups};
use nix::spawn::{PosixSpawnAttr, PosixSpawnFileActions, posix_spawn};
use rustix::fs::{Mode, OFlags, open};
use rustix::path::Arg;
use rustix::pipe::{PipeFlags, pipe_with};
use std::ffi::{CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitStatus;

#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// A child of vfork(2) that calls execnsat(2).
    Execnsat(Namespaces),
    /// clone3(2), which makes the namespaces; the parent writes the maps, and lets the child go on
    /// by a pipe.
    Clone(Namespaces),
    /// fork(2) and unshare(2), with a pipe for each direction.
    Fork(Namespaces),
    /// posix_spawn(3), without namespaces.
    PosixSpawn,
    /// vfork(2) and execve(2), without namespaces.
    Vfork,
}

/// A program that is started again and again.
pub struct Starter {
    args: Vec<CString>,
    program: Program,
}

impl Starter {
    /// `args` has the path of the program first. The environment is empty.
    pub fn new(args: Vec<CString>) -> Self {
        Self {
            program: Program::new(args[0].clone(), args.clone(), vec![]),
            args,
        }
    }

    /// What starts the program, waits for it, and returns its exit status.
    pub fn way(&self, way: Way) -> io::Result<Box<dyn Fn() -> io::Result<i32> + '_>> {
        Ok(match way {
            Way::Execnsat(namespaces) => {
                // What is prepared borrows from it, for as long as the program runs.
                let execns = Box::leak(Box::new(self.execns(namespaces)));
                let prepared = execns.prepare()?;

                Box::new(move || exit_status(prepared.spawn()?.wait()?))
            }
            Way::Clone(namespaces) => Box::new(move || self.clone_and_map(namespaces)),
            Way::Fork(namespaces) => Box::new(move || self.fork_and_map(namespaces)),
            Way::PosixSpawn => Box::new(|| {
                let none: [CString; 0] = [];
                let child = posix_spawn(
                    self.program.path(),
                    &PosixSpawnFileActions::init()?,
                    &PosixSpawnAttr::init()?,
                    &self.args,
                    &none,
                )?;
                sys::wait(child.as_raw())
            }),
            Way::Vfork => Box::new(|| {
                let child = Spawn::Vfork.run(&mut || self.become_it())?;

                sys::wait(child)
            }),
        })
    }

    fn execns(&self, namespaces: Namespaces) -> Execns<'static> {
        let path = |arg: &CString| OsStr::from_bytes(arg.as_bytes()).to_owned();
        let mut execns = Execns::new(path(&self.args[0]));

        execns
            .args(self.args[1..].iter().map(path))
            .env_clear()
            .unshare(namespaces)
            .keep_stdio();
        if namespaces.contains(Namespaces::USER) {
            execns
                .setgroups(Setgroups::Deny)
                .map_uid(0, 0, 1)
                .map_gid(0, 0, 1);
        }
        execns
    }

    /// In a child: returns only on failure.
    fn become_it(&self) -> i32 {
        self.program.execve().raw_os_error().unwrap_or(255)
    }

    fn clone_and_map(&self, namespaces: Namespaces) -> io::Result<i32> {
        let (go_on, allow) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut allow = Some(allow);
        let child = Spawn::Into(namespaces).run(&mut || {
            // Without it, a parent that has died can be told from one that is slow.
            drop(allow.take());
            match rustix::io::read(&go_on, &mut [0]) {
                Ok(1) => self.become_it(),
                _ => 255,
            }
        })?;

        drop(go_on);
        map_ids_of(child)?;
        if let Some(allow) = allow {
            rustix::io::write(&allow, b"x")?;
        }
        sys::wait(child)
    }

    fn fork_and_map(&self, namespaces: Namespaces) -> io::Result<i32> {
        let (is_ready, ready) = pipe_with(PipeFlags::CLOEXEC)?;
        let (go_on, allow) = pipe_with(PipeFlags::CLOEXEC)?;
        let mut allow = Some(allow);
        let mut ready = Some(ready);
        let child = Spawn::Fork.run(&mut || {
            drop(allow.take());
            if let Err(error) = sys::unshare(namespaces) {
                return error.raw_os_error().unwrap_or(255);
            }
            // The end of the file is what the parent waits for.
            drop(ready.take());
            match rustix::io::read(&go_on, &mut [0]) {
                Ok(1) => self.become_it(),
                _ => 255,
            }
        })?;

        drop((ready, go_on));
        rustix::io::read(&is_ready, &mut [0])?;
        map_ids_of(child)?;
        if let Some(allow) = allow {
            rustix::io::write(&allow, b"x")?;
        }
        sys::wait(child)
    }
}

fn exit_status(status: ExitStatus) -> io::Result<i32> {
    status
        .code()
        .ok_or_else(|| io::Error::other(status.to_string()))
}

fn map_ids_of(process: i32) -> io::Result<()> {
    map_own_ids(["setgroups", "uid_map", "gid_map"].map(|file| format!("/proc/{process}/{file}")))
}

/// What who has no privileges can write, too: one line. The paths are those of setgroups, uid_map
/// and gid_map. Nothing is allocated.
pub fn map_own_ids(paths: [impl Arg; 3]) -> io::Result<()> {
    for (path, text) in paths.into_iter().zip(["deny", "0 0 1", "0 0 1"]) {
        let file = open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;

        rustix::io::write(&file, text.as_bytes())?;
    }
    Ok(())
}
