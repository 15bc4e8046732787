// SPDX-License-Identifier: GPL-2.0

//! The plain execns(2).

use crate::namespaces::Namespaces;
use crate::sys::{self, Strings};
use std::ffi::{CStr, CString, c_int};
use std::io;

/// A program with its arguments and environment, for the plain execns(2), which closes all
/// descriptors and has no arguments besides the namespaces.
///
/// Everything is allocated here, so that [`Program::execns`] can be called between fork and exec.
#[derive(Debug)]
pub struct Program {
    path: CString,
    argv: Strings,
    envp: Strings,
}

impl Program {
    /// The program at `path`. `args` has the name that it is called by first.
    pub fn new(path: CString, args: Vec<CString>, env: Vec<CString>) -> Self {
        Self {
            path,
            argv: Strings::new(args),
            envp: Strings::new(env),
        }
    }

    /// The path of the program.
    pub fn path(&self) -> &CStr {
        &self.path
    }

    /// Becomes the program, in new namespaces and without a descriptor. Returns only on failure,
    /// with the calling process as it was.
    ///
    /// Destructors do not run, and buffers are not flushed. Nothing is allocated.
    ///
    /// # Examples
    ///
    /// ```
    /// use execns::{Namespaces, Program};
    ///
    /// let program = Program::new(c"/nonexistent".into(), vec![c"x".into()], vec![]);
    /// let error = program.execns(Namespaces::UTS);
    /// println!("{:?}: {error}", program.path());
    /// ```
    #[must_use = "it returns only on failure"]
    pub fn execns(&self, namespaces: Namespaces) -> io::Error {
        // The plain call takes an int.
        match u32::try_from(namespaces.bits()) {
            Ok(bits) => sys::execns(bits as c_int, &self.path, &self.argv, &self.envp),
            Err(_) => io::Error::from_raw_os_error(libc::EINVAL),
        }
    }

    /// As execve(2).
    pub fn execve(&self) -> io::Error {
        sys::execve(&self.path, &self.argv, &self.envp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_are_no_int_are_refused() {
        let program = Program::new(c"/nonexistent".into(), vec![], vec![]);
        let error = program.execns(Namespaces::from_bits_retain(1 << 32));

        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    #[test]
    fn execve_tells_why_it_failed() {
        let program = Program::new(c"/nonexistent".into(), vec![c"x".into()], vec![]);

        assert_eq!(program.execve().raw_os_error(), Some(libc::ENOENT));
    }
}
