// SPDX-License-Identifier: GPL-2.0

//! The builder of a call.

use crate::child::Child;
use crate::descriptor::Descriptor;
use crate::environment::Environment;
use crate::error::Error;
use crate::map::{Clock, IdMap, Setgroups};
use crate::namespaces::Namespaces;
use execns_abi::{self as abi, ExecnsIdMap, ExecnsTimeOffset};
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::process::ExitStatus;

mod prepare;

/// A program, and what it shall get: the builder of a call of execnsat(2).
///
/// By default the program gets the caller's environment, no new namespace and **no descriptor at
/// all**, standard input and output included: see [`Execns::keep`] and [`Execns::keep_stdio`].
///
/// `'fd` is how long the descriptors live that are borrowed. A program is not searched for in
/// `PATH`.
///
/// # Examples
///
/// A shell that is root in new namespaces, and still talks to the caller's terminal:
///
/// ```no_run
/// use execns::{Execns, Namespaces, Setgroups};
///
/// # let (uid, gid) = (1000, 1000);
/// let error = Execns::new("/bin/sh")
///     .unshare(Namespaces::USER | Namespaces::MOUNT)
///     .map_uid(0, uid, 1)
///     .map_gid(0, gid, 1)
///     .setgroups(Setgroups::Deny)
///     .keep_stdio()
///     .exec();
/// eprintln!("{error:#}");
/// ```
#[derive(Debug)]
pub struct Execns<'fd> {
    dir: Option<Descriptor<'fd>>,
    path: OsString,
    arg0: Option<OsString>,
    args: Vec<OsString>,
    environment: Environment,
    namespaces: Namespaces,
    at_flags: u32,
    setgroups: Option<Setgroups>,
    uid: Option<u32>,
    gid: Option<u32>,
    drop_groups: bool,
    fds: Vec<(Descriptor<'fd>, RawFd)>,
    uid_map: Vec<ExecnsIdMap>,
    gid_map: Vec<ExecnsIdMap>,
    time_offsets: Vec<ExecnsTimeOffset>,
    root: Option<Descriptor<'fd>>,
    cgroup: Option<Descriptor<'fd>>,
}

impl<'fd> Execns<'fd> {
    fn of(dir: Option<Descriptor<'fd>>, path: &OsStr, at_flags: u32) -> Self {
        Self {
            dir,
            path: path.into(),
            arg0: None,
            args: vec![],
            environment: Environment::default(),
            namespaces: Namespaces::empty(),
            at_flags,
            setgroups: None,
            uid: None,
            gid: None,
            drop_groups: false,
            fds: vec![],
            uid_map: vec![],
            gid_map: vec![],
            time_offsets: vec![],
            root: None,
            cgroup: None,
        }
    }

    /// The program at a path, which is looked up in the new mount namespace if there is one. A
    /// relative path starts at the working directory.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self::of(None, path.as_ref().as_os_str(), 0)
    }

    /// The program at a path that starts at a directory, if it is relative.
    pub fn at(dir: impl Into<Descriptor<'fd>>, path: impl AsRef<Path>) -> Self {
        Self::of(Some(dir.into()), path.as_ref().as_os_str(), 0)
    }

    /// The program that a descriptor is open on, which may be an `O_PATH` one. Its name is
    /// `/dev/fd/N`, unless [`Execns::arg0`] says another.
    ///
    /// The interpreter of a script opens that name. So a script needs its descriptor at its number,
    /// by [`Execns::inherit`]; without it, there is an error.
    ///
    /// # Examples
    ///
    /// ```
    /// use execns::{ErrorKind, Execns, Namespaces};
    /// use std::fs::File;
    ///
    /// let file = File::open("/bin/sh")?;
    /// let mut program = Execns::from_fd(&file);
    /// program.arg0("sh").args(["-c", "exit 0"]);
    /// match program.status() {
    ///     Ok(status) => assert!(status.success()),
    ///     Err(error) => assert_eq!(*error.kind(), ErrorKind::NotSupported),
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_fd(fd: impl Into<Descriptor<'fd>>) -> Self {
        Self::of(Some(fd.into()), OsStr::new(""), abi::AT_EMPTY_PATH)
    }

    /// Adds an argument.
    pub fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.args.push(arg.as_ref().into());
        self
    }

    /// Adds arguments.
    pub fn args(&mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> &mut Self {
        for arg in args {
            self.arg(arg);
        }
        self
    }

    /// Sets the name that the program is called by, which is its path otherwise.
    pub fn arg0(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.arg0 = Some(arg.as_ref().into());
        self
    }

    /// Sets a variable of the environment.
    pub fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.environment.set(name.as_ref(), value.as_ref());
        self
    }

    /// Sets variables of the environment.
    pub fn envs(
        &mut self,
        variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
    ) -> &mut Self {
        for (name, value) in variables {
            self.env(name, value);
        }
        self
    }

    /// Removes a variable of the environment.
    pub fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.environment.remove(name.as_ref());
        self
    }

    /// Removes all variables: those of the caller, and those that were set.
    pub fn env_clear(&mut self) -> &mut Self {
        self.environment.clear();
        self
    }

    /// Adds what the program gets new.
    pub fn unshare(&mut self, namespaces: Namespaces) -> &mut Self {
        self.namespaces |= namespaces;
        self
    }

    /// Adds a line to the uid map of the new user namespace: `count` ids from `inside` on are those
    /// from `outside` on in the caller's. Without a line, the map is that of execns(2): all ids for
    /// a privileged caller, otherwise its own one.
    pub fn map_uid(&mut self, inside: u32, outside: u32, count: u32) -> &mut Self {
        self.uid_map.push(ExecnsIdMap {
            inside,
            outside,
            count,
        });
        self
    }

    /// As [`Execns::map_uid`], for gids.
    pub fn map_gid(&mut self, inside: u32, outside: u32, count: u32) -> &mut Self {
        self.gid_map.push(ExecnsIdMap {
            inside,
            outside,
            count,
        });
        self
    }

    /// As [`Execns::map_uid`], for several lines.
    pub fn map_uids(&mut self, lines: impl IntoIterator<Item = IdMap>) -> &mut Self {
        for line in lines {
            self.map_uid(line.inside, line.outside, line.count);
        }
        self
    }

    /// As [`Execns::map_gid`], for several lines.
    pub fn map_gids(&mut self, lines: impl IntoIterator<Item = IdMap>) -> &mut Self {
        for line in lines {
            self.map_gid(line.inside, line.outside, line.count);
        }
        self
    }

    /// Says whether setgroups(2) can be called in the new user namespace.
    pub fn setgroups(&mut self, setgroups: Setgroups) -> &mut Self {
        self.setgroups = Some(setgroups);
        self
    }

    /// Lets the program have this as its real, effective and saved uid in the new user namespace,
    /// as by setresuid(2) there. It has to be mapped. Otherwise the program has the uid that the map
    /// makes of the caller's.
    pub fn uid(&mut self, uid: u32) -> &mut Self {
        self.uid = Some(uid);
        self
    }

    /// As [`Execns::uid`], for the gid.
    pub fn gid(&mut self, gid: u32) -> &mut Self {
        self.gid = Some(gid);
        self
    }

    /// Lets the program be in no group but its gid, as by setgroups(2) in the new user namespace.
    pub fn drop_groups(&mut self) -> &mut Self {
        self.drop_groups = true;
        self
    }

    /// Gives the program a descriptor, by the number `to` and not close-on-exec. One descriptor can
    /// be given several numbers, but no number twice. The order does not matter: two descriptors
    /// can swap their numbers.
    pub fn keep(&mut self, fd: impl Into<Descriptor<'fd>>, to: RawFd) -> &mut Self {
        self.fds.push((fd.into(), to));
        self
    }

    /// Gives the program a descriptor, by the number that it has.
    pub fn inherit(&mut self, fd: impl Into<Descriptor<'fd>>) -> &mut Self {
        let fd = fd.into();
        let to = fd.as_raw_fd();

        self.keep(fd, to)
    }

    /// Gives the program the caller's standard input, output and error.
    pub fn keep_stdio(&mut self) -> &mut Self {
        self.inherit(rustix::stdio::stdin())
            .inherit(rustix::stdio::stdout())
            .inherit(rustix::stdio::stderr())
    }

    /// Sets a clock of the new time namespace off against the initial one.
    pub fn time_offset(&mut self, clock: Clock, secs: i64, nanos: u32) -> &mut Self {
        self.time_offsets.push(ExecnsTimeOffset {
            clock: clock.number(),
            reserved: 0,
            sec: secs,
            nsec: nanos.into(),
        });
        self
    }

    /// Makes the new mount namespace of a copy of the tree of mounts at a directory, which may be a
    /// detached one of open_tree(2) or fsmount(2), and not of the caller's mounts. It is the root of
    /// the program, and its working directory, and the program is looked up there.
    pub fn root(&mut self, dir: impl Into<Descriptor<'fd>>) -> &mut Self {
        self.root = Some(dir.into());
        self
    }

    /// Refuses a program that is a symbolic link.
    pub fn nofollow(&mut self) -> &mut Self {
        self.at_flags |= abi::AT_SYMLINK_NOFOLLOW;
        self
    }

    /// Starts the program in a cgroup, by a descriptor of its directory. This is for
    /// [`Execns::spawn`] and [`Execns::status`]; [`Execns::exec`] refuses it.
    pub fn cgroup(&mut self, dir: impl Into<Descriptor<'fd>>) -> &mut Self {
        self.cgroup = Some(dir.into());
        self
    }

    /// Becomes the program. Returns only on failure, with the calling process as it was.
    ///
    /// Destructors do not run, and buffers are not flushed.
    #[must_use = "it returns only on failure"]
    pub fn exec(&self) -> Error {
        match self.prepare() {
            Ok(prepared) => prepared.exec(),
            Err(error) => error,
        }
    }

    /// Tells whether [`Execns::exec`] would succeed, and executes nothing: the kernel checks and
    /// stages everything (`AT_EXECVE_CHECK`), and then takes it back. It does not come to the
    /// format of the program, nor to an interpreter. A cgroup is not taken into account.
    ///
    /// # Errors
    ///
    /// Those of [`Execns::exec`].
    pub fn check(&self) -> Result<(), Error> {
        self.prepare()?.check()
    }

    /// Starts the program in a child, with two system calls: clone3(2), and in the child
    /// execnsat(2). All is laid out before, and the child, which shares the caller's memory until it
    /// is the program, touches none of it.
    ///
    /// The calling thread waits until the program has started; others go on, and may spawn at the
    /// same time.
    ///
    /// # Signals
    ///
    /// The program has the signal mask of the calling thread, as after any exec. Signals that the
    /// caller handles are at their default in the child from its first instruction
    /// (`CLONE_CLEAR_SIGHAND`), so that no handler runs in it. Signals that the caller ignores are
    /// ignored by the program, as after any exec. **`SIGPIPE` is one of these in a Rust program**,
    /// unless it was set to its default. [`std::process::Command`] would set it, and the mask, back,
    /// which takes further system calls in the
    /// child. A signal that ends the child before it is the program looks as if it had ended the
    /// program.
    ///
    /// # Errors
    ///
    /// Those of [`Execns::exec`], and [`ErrorKind::Clone`](crate::ErrorKind::Clone). There is no
    /// child then: if there was one, it has been waited for.
    pub fn spawn(&self) -> Result<Child, Error> {
        self.prepare()?.spawn()
    }

    /// Starts the program as [`Execns::spawn`] does, waits for it, and returns how it ended.
    ///
    /// # Errors
    ///
    /// Those of [`Execns::spawn`], and those of [`Child::wait`] as
    /// [`ErrorKind::Wait`](crate::ErrorKind::Wait).
    pub fn status(&self) -> Result<ExitStatus, Error> {
        self.spawn()?.wait().map_err(Error::wait)
    }
}

#[cfg(test)]
mod tests;
