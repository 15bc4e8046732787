// SPDX-License-Identifier: GPL-2.0

//! From what was said to what the kernel takes.

use super::Execns;
use crate::call::{Call, Prepared};
use crate::error::Error;
use crate::kind::Argument;
use crate::map::Setgroups;
use crate::sys::Strings;
use execns_abi::{self as abi, ExecnsFd};
use std::ffi::{CString, OsStr};
use std::marker::PhantomData;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;

impl Execns<'_> {
    /// Lays out the call, for as often as it is wanted.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Nul`](crate::ErrorKind::Nul).
    pub fn prepare(&self) -> Result<Prepared<'_>, Error> {
        let word = |word: &OsStr, argument| {
            CString::new(word.as_bytes()).map_err(|_| Error::nul(argument))
        };
        let path = word(&self.path, Argument::Program)?;
        let dirfd = self.dir.as_ref().map_or(libc::AT_FDCWD, AsRawFd::as_raw_fd);
        let arg0 = match &self.arg0 {
            Some(arg) => arg.clone(),
            None if self.path.is_empty() && self.at_flags & abi::AT_EMPTY_PATH != 0 => {
                format!("/dev/fd/{dirfd}").into()
            }
            None => self.path.clone(),
        };
        let argv = [&arg0]
            .into_iter()
            .chain(&self.args)
            .map(|arg| word(arg, Argument::Args))
            .collect::<Result<_, _>>()?;
        let envp = self
            .environment
            .variables()
            .map(|variable| word(&variable, Argument::Env))
            .collect::<Result<_, _>>()?;
        let set_ids = self.uid.is_some() || self.gid.is_some();
        let id = |id: Option<u32>| match set_ids {
            true => id.unwrap_or(abi::SAME_ID),
            false => 0,
        };

        Ok(Prepared {
            call: Call {
                dirfd,
                path,
                argv: Strings::new(argv),
                envp: Strings::new(envp),
                namespaces: self.namespaces,
                at_flags: self.at_flags,
                flags: self.flags(),
                fds: self
                    .fds
                    .iter()
                    .map(|(from, to)| ExecnsFd {
                        from: from.as_raw_fd() as u32,
                        to: *to as u32,
                    })
                    .collect(),
                uid_map: self.uid_map.clone(),
                gid_map: self.gid_map.clone(),
                time_offsets: self.time_offsets.clone(),
                root_fd: self.root.as_ref().map_or(0, AsRawFd::as_raw_fd),
                uid: id(self.uid),
                gid: id(self.gid),
            },
            cgroup: self.cgroup.as_ref().map(AsRawFd::as_raw_fd),
            descriptors: PhantomData,
        })
    }

    fn flags(&self) -> u32 {
        let setgroups = match self.setgroups {
            None => 0,
            Some(Setgroups::Allow) => abi::EXECNS_SETGROUPS_ALLOW,
            Some(Setgroups::Deny) => abi::EXECNS_SETGROUPS_DENY,
        };

        [
            (self.root.is_some(), abi::EXECNS_ROOT_FD),
            (
                self.uid.is_some() || self.gid.is_some(),
                abi::EXECNS_SET_IDS,
            ),
            (self.drop_groups, abi::EXECNS_DROP_GROUPS),
        ]
        .into_iter()
        .filter(|(given, _)| *given)
        .fold(setgroups, |flags, (_, flag)| flags | flag)
    }
}
