// SPDX-License-Identifier: GPL-2.0

//! Does what a plan says.

use crate::environment::Environment;
use crate::plan::Plan;
use crate::stage::{ARGS, NAME};
use crate::sys::{self, Errno};
use core::ffi::{CStr, c_char, c_int};
use core::ptr;
use execns_abi::ExecnsArgs;
use linux_raw_sys::general::{AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH};

/// What has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    Root(&'a CStr),
    WorkingDirectory(&'a CStr),
    Propagation,
    Proc(&'a CStr),
    Groups,
    Uid,
    Gid,
    KillChild,
    Fork,
    /// The command finds itself.
    Itself,
    /// There are more arguments than room.
    Arguments,
    Namespaces,
    Program(&'a CStr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure<'a> {
    pub step: Step<'a>,
    pub errno: Errno,
}

/// A program with its arguments and environment.
pub struct Program<'a> {
    /// The name that it is called by, and its arguments.
    pub args: &'a [*const c_char],
    pub environment: Environment<'a>,
    /// A path to this command, for a stage. Without one, proc tells it.
    pub itself: Option<&'a CStr>,
}

/// The interpreter of a script that does not name one.
const SHELL: &CStr = c"/bin/sh";

/// Becomes the program that `argv` has the name of, as execvp(3).
///
/// # Safety
///
/// `argv` is a list of strings, and the element before it can be written to.
pub unsafe fn search_and_execute<'a>(
    argv: *mut *const c_char,
    environment: &Environment<'a>,
) -> Failure<'a> {
    // SAFETY: It is a list of strings.
    let name: &'a CStr = unsafe { CStr::from_ptr(*argv) };
    let envp = environment.list();
    let execute = |path: &CStr| {
        // SAFETY: These are lists of strings.
        let mut errno = unsafe { sys::execve(path, argv, envp) };

        if errno == Errno::ENOEXEC {
            // SAFETY: There is one element before the list. It gets back what it had.
            unsafe {
                let first = *argv;
                *argv = path.as_ptr();
                *argv.sub(1) = SHELL.as_ptr();
                errno = sys::execve(SHELL, argv.sub(1), envp);
                *argv = first;
            }
        }
        Err(errno)
    };
    let errno = environment
        .search(name, execute)
        .err()
        .unwrap_or(Errno::ENOENT);

    Failure {
        step: Step::Program(name),
        errno,
    }
}

impl<'a> Plan<'a> {
    fn args(&self, at_flags: u32, root_fd: c_int) -> ExecnsArgs {
        let offsets = self.offsets.get(..self.nr_offsets).unwrap_or(&[]);

        ExecnsArgs {
            unshare_flags: self.unshare.into(),
            at_flags,
            flags: self.flags,
            root_fd,
            uid: self.uid,
            gid: self.gid,
            ..ExecnsArgs::of_arrays(&self.fds, &self.uid_map, &self.gid_map, offsets)
        }
    }

    /// Becomes the program or the stage that is before it. Returns on failure only, or when it has
    /// been checked, which `at_flags` asks for; nothing has changed then but the working directory.
    ///
    /// `room` is for the arguments: those of the stage and of the program, and a null pointer.
    pub fn execute(
        &self,
        program: &Program<'a>,
        at_flags: u32,
        room: &mut [*const c_char],
    ) -> Result<(), Failure<'a>> {
        let failed = |step| move |errno| Failure { step, errno };
        let root = match self.root {
            None => 0,
            Some(root) => sys::open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)
                .map_err(failed(Step::Root(root)))?,
        };
        if let Some(wd) = self.wd {
            sys::change_dir(wd).map_err(failed(Step::WorkingDirectory(wd)))?;
        }

        let args = self.args(at_flags, root);
        let too_many = Failure {
            step: Step::Arguments,
            errno: Errno::E2BIG,
        };
        let needed = ARGS + program.args.len() + 1;
        let room = room.get_mut(..needed).ok_or(too_many)?;
        for (to, from) in room
            .iter_mut()
            .skip(ARGS)
            .zip(program.args.iter().chain([&ptr::null()]))
        {
            *to = *from;
        }
        match &self.stage {
            None => self.execute_program(program, &args, room),
            Some(stage) => {
                let orders = stage.orders();
                let [root, wd, proc] = stage.paths();
                let head = [
                    NAME.as_ptr(),
                    orders.as_ptr().cast(),
                    root.as_ptr(),
                    wd.as_ptr(),
                    proc.as_ptr(),
                ];
                for (to, from) in room.iter_mut().zip(head) {
                    *to = from;
                }
                self.execute_stage(program, &args, room)
            }
        }
    }

    fn execute_stage(
        &self,
        program: &Program<'a>,
        args: &ExecnsArgs,
        argv: &[*const c_char],
    ) -> Result<(), Failure<'a>> {
        let failed = |step| move |errno| Failure { step, errno };
        let (argv, envp) = (argv.as_ptr(), program.environment.list());
        // A path is looked up in the new mounts. It may lead elsewhere in another root.
        let result = match program.itself.filter(|_| self.root.is_none()) {
            // SAFETY: The lists end with null pointers, and the arguments have been made of slices.
            Some(path) => unsafe { sys::execnsat(AT_FDCWD, path, argv, envp, args) },
            None => {
                let itself = sys::open(c"/proc/self/exe", O_PATH | O_CLOEXEC)
                    .map_err(failed(Step::Itself))?;
                let args = ExecnsArgs {
                    at_flags: args.at_flags | AT_EMPTY_PATH,
                    ..*args
                };
                // SAFETY: As above.
                unsafe { sys::execnsat(itself, c"", argv, envp, &args) }
            }
        };

        result.map(drop).map_err(failed(Step::Namespaces))
    }

    fn execute_program(
        &self,
        program: &Program<'a>,
        args: &ExecnsArgs,
        room: &mut [*const c_char],
    ) -> Result<(), Failure<'a>> {
        let envp = program.environment.list();
        // SAFETY: The first of the arguments is a string.
        let name: &'a CStr =
            unsafe { CStr::from_ptr(*program.args.first().unwrap_or(&c"".as_ptr())) };
        let mut step = Step::Program(name);
        let execute = |path: &CStr| {
            // What is not there need not be prepared for. In another root, only the kernel knows.
            if self.root.is_none() {
                sys::may_execute(path)?;
                step = Step::Namespaces;
            }
            let argv = room.get(ARGS..).unwrap_or(&[]).as_ptr();
            // SAFETY: The lists end with null pointers, and the arguments have been made of slices.
            let result = unsafe { sys::execnsat(AT_FDCWD, path, argv, envp, args) };
            if result != Err(Errno::ENOEXEC) {
                return result.map(drop);
            }
            let [.., interpreter, script] = room.get_mut(..=ARGS).unwrap_or(&mut []) else {
                return Err(Errno::ENOEXEC);
            };
            *interpreter = SHELL.as_ptr();
            *script = path.as_ptr();
            let argv = room.get(ARGS - 1..).unwrap_or(&[]).as_ptr();
            // SAFETY: As above.
            unsafe { sys::execnsat(AT_FDCWD, SHELL, argv, envp, args) }.map(drop)
        };

        program
            .environment
            .search(name, execute)
            .map_err(|errno| match errno {
                // What the look-up of a program ends with.
                Errno::ENOENT | Errno::EACCES | Errno::ENOTDIR | Errno::ENOEXEC | Errno::ELOOP => {
                    Failure {
                        step: Step::Program(name),
                        errno,
                    }
                }
                _ => Failure { step, errno },
            })
    }
}
