// SPDX-License-Identifier: GPL-2.0

//! The descriptors that the program has.

use crate::args::limit_nofile;
use kernel::{
    fs::{
        FdMove,
        FilesStruct,
        LocalFile, //
    },
    prelude::*,
    task::CurrentTask, //
};

/// A table of descriptors, and where they have been in that of the caller.
pub(crate) struct Descriptors {
    files: FilesStruct,
    moves: KVVec<FdMove>,
}

impl Descriptors {
    /// Takes what the caller has open now, whatever its other threads do to the numbers until the
    /// program starts.
    ///
    /// Returns `EBADF` if a descriptor is not open, or a new number not below `RLIMIT_NOFILE`, and
    /// `EINVAL` if two get the same number. May sleep.
    pub(crate) fn stage(moves: KVVec<FdMove>) -> Result<Self> {
        let limit = limit_nofile();

        if moves.iter().any(|fd| fd.to() as usize >= limit) {
            return Err(EBADF);
        }
        let slots = moves.iter().map(|fd| fd.to() + 1).max();
        let mut files = FilesStruct::with_room(slots.unwrap_or(0))?;

        for fd in &moves {
            files.install(fd.to(), &*LocalFile::fget_raw(fd.from())?)?;
        }
        Ok(Self { files, moves })
    }

    /// Whether the descriptor is there, with the number that it has.
    pub(crate) fn keeps(&self, fd: u32) -> bool {
        self.moves
            .iter()
            .any(|kept| kept.from() == fd && kept.to() == fd)
    }

    /// Closes all that the task has, and lets it have these.
    pub(crate) fn install(self, task: &CurrentTask) {
        self.files.replace(task, &self.moves);
    }
}

#[cfg(CONFIG_USER_NS_EXECNS_KUNIT_TEST)]
#[kunit_tests(execns_descriptors)]
mod tests {
    use super::*;

    fn stage(moves: &[(u32, u32)]) -> Result<Descriptors> {
        let mut list = KVVec::new();

        for &(from, to) in moves {
            list.push(FdMove::new(from, to), GFP_KERNEL)?;
        }
        Descriptors::stage(list)
    }

    #[test]
    fn none_is_no_failure() {
        assert!(stage(&[]).is_ok_and(|fds| !fds.keeps(0)));
    }

    #[test]
    fn what_is_not_open_or_too_high_is_ebadf() {
        // A kernel thread has no descriptors.
        assert!(stage(&[(0, 0)]).is_err_and(|e| e == EBADF));
        assert!(stage(&[(0, u32::MAX)]).is_err_and(|e| e == EBADF));
    }
}
