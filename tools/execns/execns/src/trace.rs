// SPDX-License-Identifier: GPL-2.0

//! Writes a call as strace(1) does.

use crate::call::Call;

/// The call, without its result.
pub(crate) fn call(call: &Call, at_flags: u32) -> String {
    format!("execnsat({:?}, {at_flags})", call.path)
}
