// SPDX-License-Identifier: GPL-2.0

//! Finds the argument that the kernel has refused.

use crate::call::Call;
use crate::error::{Error, ErrorKind};
use crate::trace;
use std::io;
use std::os::fd::BorrowedFd;

/// Why execnsat(2) has failed.
pub(crate) fn exec(call: &Call, at_flags: u32, source: io::Error) -> Error {
    let kind = match source.raw_os_error() {
        Some(libc::ENOSYS) => ErrorKind::NotSupported,
        _ => ErrorKind::Other,
    };

    Error::new(kind, trace::call(call, at_flags), Some(source))
}

/// Why clone3(2) has failed.
pub(crate) fn clone(call: &Call, cgroup: Option<BorrowedFd<'_>>, source: io::Error) -> Error {
    let kind = ErrorKind::Clone {
        cgroup: cgroup.is_some(),
    };

    Error::new(kind, trace::call(call, 0), Some(source))
}
