// SPDX-License-Identifier: GPL-2.0

//! What is prepared before the point of no return, and carried out after it.
//!
//! The types say in which order: only [`Staged::stage`] can fail, only a [`Staged`] becomes
//! [`Ready`], and [`Ready::commit`] takes all of it. Whatever is dropped on the way is undone.

use crate::{
    flags::{
        UnshareFlag,
        UnshareFlags, //
    },
    identity, //
};
use kernel::{
    cred::{
        Credential,
        NewCredential, //
    },
    fs::{
        File,
        FilesStruct,
        FsOverride,
        FsStruct, //
    },
    ipc,
    nsproxy::{
        self,
        NewNsproxy, //
    },
    prelude::*,
    sync::aref::ARef,
    task::CurrentTask, //
};

/// Where paths are resolved while the program is looked up.
enum Lookup {
    /// In the root and working directory of the caller, since these stay.
    Caller(Option<NewNsproxy>),
    /// In those of the program, which may be in another mount namespace.
    Program(FsOverride),
}

/// All that execns(2) changes, prepared.
struct Staged {
    flags: UnshareFlags,
    files: FilesStruct,
    cred: Option<NewCredential>,
    lookup: Lookup,
}

impl Staged {
    fn stage(flags: UnshareFlags) -> Result<Self> {
        let files = FilesStruct::empty()?;
        let mut fs = Self::stage_fs(flags)?;
        let mut cred = identity::stage(flags)?;
        let nsproxy = match NewNsproxy::unshare(flags.bits(), cred.as_mut(), fs.as_mut())? {
            None => NewNsproxy::pending_at_exec()?,
            new => new,
        };

        // The last step: making namespaces looks at where the caller's root is.
        let lookup = match fs {
            Some(fs) => Lookup::Program(fs.override_current(nsproxy)),
            None => Lookup::Caller(nsproxy),
        };
        Ok(Self {
            flags,
            files,
            cred,
            lookup,
        })
    }

    /// A new mount namespace changes the root: the caller's must not be the one.
    fn stage_fs(flags: UnshareFlags) -> Result<Option<FsStruct>> {
        let private = flags.contains(UnshareFlag::NewMnt)
            || flags.contains(UnshareFlag::Fs) && FsStruct::current_is_shared();

        private.then(FsStruct::copy_current).transpose()
    }

    fn end_lookup(self) -> Ready {
        let (fs, nsproxy) = match self.lookup {
            Lookup::Caller(nsproxy) => (None, nsproxy),
            Lookup::Program(scope) => {
                let (fs, nsproxy) = scope.end();
                (Some(fs), nsproxy)
            }
        };

        Ready {
            flags: self.flags,
            files: self.files,
            cred: self.cred,
            fs,
            nsproxy,
        }
    }
}

/// What is left to do after the point of no return.
struct Ready {
    flags: UnshareFlags,
    files: FilesStruct,
    cred: Option<NewCredential>,
    fs: Option<FsStruct>,
    nsproxy: Option<NewNsproxy>,
}

impl Ready {
    /// Carries out all of it.
    fn commit(self, task: &CurrentTask) {
        let unshares = self.fs.is_some() || self.nsproxy.is_some() || self.cred.is_some();

        self.files.install(task);
        // These are undone in the IPC namespace that they belong to.
        if self.flags.contains(UnshareFlag::SysvSem) {
            ipc::exit_sem(task);
        }
        if self.flags.contains(UnshareFlag::NewIpc) {
            ipc::orphan_shm(task);
        }
        if let Some(fs) = self.fs {
            fs.install(task);
        }
        if let Some(nsproxy) = self.nsproxy {
            nsproxy.install(task);
        }
        if let Some(cred) = self.cred {
            cred.commit(task);
        }
        if unshares {
            nsproxy::notify_perf(task);
        }
    }
}

enum State {
    Staged(Staged),
    Ready(Ready),
    Committed,
}

/// A call of execns(2).
pub(crate) struct Execns {
    state: State,
    /// An interpreter, if one was opened before the credentials were final.
    deferred_dump: Option<ARef<File>>,
}

impl Execns {
    pub(crate) fn stage(flags: UnshareFlags) -> Result<KBox<Self>> {
        // Allocated first, since there is no way back from an override but to drop it.
        let this = KBox::new_uninit(GFP_KERNEL)?;

        Ok(KBox::write(
            this,
            Self {
                state: State::Staged(Staged::stage(flags)?),
                deferred_dump: None,
            },
        ))
    }

    /// Credentials that are staged, from which those of the program are derived.
    pub(crate) fn cred(&self) -> Option<&Credential> {
        match &self.state {
            State::Staged(staged) => staged.cred.as_deref(),
            State::Ready(ready) => ready.cred.as_deref(),
            State::Committed => None,
        }
    }

    pub(crate) fn end_lookup(&mut self) {
        self.advance(|state| match state {
            State::Staged(staged) => State::Ready(staged.end_lookup()),
            other => other,
        });
    }

    pub(crate) fn commit(&mut self, task: &CurrentTask) {
        self.end_lookup();
        self.advance(|state| {
            if let State::Ready(ready) = state {
                ready.commit(task);
            }
            State::Committed
        });
    }

    fn advance(&mut self, step: impl FnOnce(State) -> State) {
        let state = core::mem::replace(&mut self.state, State::Committed);

        self.state = step(state);
    }

    pub(crate) fn defer_dump(&mut self, file: ARef<File>) {
        self.deferred_dump = Some(file);
    }

    pub(crate) fn deferred_dump(&self) -> Option<&File> {
        self.deferred_dump.as_deref()
    }
}

#[cfg(CONFIG_USER_NS_EXECNS_KUNIT_TEST)]
#[kunit_tests(execns_plan)]
mod tests {
    use super::*;
    use kernel::nsproxy::flags::*;

    fn stage(flags: u32) -> Result<KBox<Execns>> {
        UnshareFlags::parse(flags as i32).and_then(Execns::stage)
    }

    #[test]
    fn dropping_restores_the_lookup() -> Result {
        let execns = stage(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC)?;

        assert!(FsStruct::current_is_overridden());
        drop(execns);
        assert!(!FsStruct::current_is_overridden());
        Ok(())
    }

    #[test]
    fn ending_the_lookup_restores_it() -> Result {
        let mut execns = stage(CLONE_NEWNS)?;

        execns.end_lookup();
        assert!(!FsStruct::current_is_overridden());
        assert!(matches!(execns.state, State::Ready(_)));
        // Again is no different.
        execns.end_lookup();
        assert!(matches!(execns.state, State::Ready(_)));
        Ok(())
    }

    #[test]
    fn what_is_not_flagged_is_not_staged() -> Result {
        let execns = stage(CLONE_FILES | CLONE_VM | CLONE_SIGHAND | CLONE_THREAD)?;

        assert!(!FsStruct::current_is_overridden());
        assert!(execns.cred().is_none());
        assert!(matches!(
            execns.state,
            State::Staged(Staged {
                lookup: Lookup::Caller(None),
                ..
            })
        ));
        Ok(())
    }

    #[test]
    fn failing_undoes_what_came_before() {
        // A kernel thread is chrooted in the sense of create_user_ns(): the private fs_struct and
        // the descriptor table are there by then.
        assert!(stage(CLONE_NEWUSER | CLONE_NEWNS).is_err());
        assert!(!FsStruct::current_is_overridden());
    }
}
