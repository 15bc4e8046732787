// SPDX-License-Identifier: GPL-2.0

//! What went wrong with a call.

use crate::kind::{Argument, ErrorKind};
use crate::trace;
use std::fmt;
use std::io;

/// Why a program was not executed.
///
/// It displays as a short sentence. The alternate form (`{:#}`) is the call and its result as
/// strace(1) writes them, with that sentence at the end.
///
/// # Examples
///
/// ```
/// use execns::{Descriptor, ErrorKind, Execns};
///
/// let mut program = Execns::new("/bin/true");
/// program.keep(Descriptor::from_number(99), 3);
/// let error = program.check().unwrap_err();
/// match error.kind() {
///     ErrorKind::BadDescriptor { from, .. } => assert_eq!(*from, 99),
///     ErrorKind::NotSupported => assert!(error.to_string().contains("CONFIG_USER_NS_EXECNS")),
///     _ => unreachable!("{error:#}"),
/// }
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    /// The call, as strace(1) writes it.
    call: String,
    source: Option<io::Error>,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, call: String, source: Option<io::Error>) -> Self {
        Self(Box::new(Inner { kind, call, source }))
    }

    pub(crate) fn nul(argument: Argument) -> Self {
        Self::new(ErrorKind::Nul { argument }, String::new(), None)
    }

    pub(crate) fn cgroup_without_spawn(call: String) -> Self {
        Self::new(ErrorKind::CgroupNeedsSpawn, call, None)
    }

    pub(crate) fn wait(source: io::Error) -> Self {
        let call = "waitid(P_PIDFD, ..., WEXITED|__WALL)".into();

        Self::new(ErrorKind::Wait, call, Some(source))
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// The errno of the kernel, if it was called.
    pub fn raw_os_error(&self) -> Option<i32> {
        self.0.source.as_ref()?.raw_os_error()
    }

    /// The call and its result as strace(1) writes them, and what is wrong.
    pub fn trace(&self) -> String {
        format!("{self:#}")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { kind, call, source } = &*self.0;

        if f.alternate() && !call.is_empty() {
            f.write_str(call)?;
            if let Some(number) = self.raw_os_error() {
                write!(f, " = -1 {}", trace::errno(number))?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{kind}")?;
        match (kind, source) {
            // The others say it in other words.
            (
                ErrorKind::Program { .. }
                | ErrorKind::Clone { .. }
                | ErrorKind::Wait
                | ErrorKind::Other,
                Some(source),
            ) => {
                let text = source.to_string();
                // The number is in what strace writes.
                write!(f, ": {}", text.split(" (os error").next().unwrap_or(&text))
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|error| error as _)
    }
}

impl From<Error> for io::Error {
    /// The kind is that of the errno, and the error is inside, as [`io::Error::get_ref`] returns it.
    fn from(error: Error) -> Self {
        let kind = error
            .0
            .source
            .as_ref()
            .map_or(io::ErrorKind::InvalidInput, io::Error::kind);

        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Execns, Namespaces};
    use std::error::Error as _;

    fn missing() -> Error {
        let kind = ErrorKind::Program {
            path: "/x".into(),
            hint: None,
        };
        let source = io::Error::from_raw_os_error(libc::ENOENT);

        Error::new(kind, "execnsat(...)".into(), Some(source))
    }

    #[test]
    fn it_is_told_short_and_long() {
        let error = missing();

        assert_eq!(
            error.to_string(),
            "cannot execute /x: No such file or directory"
        );
        assert_eq!(
            error.trace(),
            "execnsat(...) = -1 ENOENT: cannot execute /x: No such file or directory"
        );
        assert_eq!(error.raw_os_error(), Some(libc::ENOENT));
        let source = error.source().unwrap().downcast_ref::<io::Error>().unwrap();
        assert_eq!(source.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn a_word_is_not_said_twice() {
        let source = io::Error::from_raw_os_error(libc::EBADF);
        let kind = ErrorKind::BadDescriptor {
            from: 5,
            argument: Argument::Descriptors,
        };
        let error = Error::new(kind, "execnsat(...)".into(), Some(source));

        assert_eq!(
            format!("{error:#}"),
            "execnsat(...) = -1 EBADF: descriptor 5 is not open"
        );
    }

    #[test]
    fn it_becomes_an_error_of_io() {
        let error = io::Error::from(missing());

        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let inside = error.get_ref().unwrap().downcast_ref::<Error>().unwrap();
        assert_eq!(inside.raw_os_error(), Some(libc::ENOENT));
    }

    #[test]
    fn null_bytes_are_found_before_the_call() {
        let kind = |program: &Execns<'_>| program.prepare().unwrap_err().kind().clone();
        let nul = |argument| ErrorKind::Nul { argument };

        assert_eq!(kind(&Execns::new("/a\0b")), nul(Argument::Program));
        assert_eq!(kind(Execns::new("/x").arg("a\0b")), nul(Argument::Args));
        assert_eq!(kind(Execns::new("/x").arg0("a\0b")), nul(Argument::Args));
        assert_eq!(kind(Execns::new("/x").env("A", "a\0b")), nul(Argument::Env));
        let error = Execns::new("/a\0b").unshare(Namespaces::UTS).exec();
        assert_eq!(format!("{error:#}"), "there is a null byte in the program");
        assert_eq!(error.raw_os_error(), None);
    }
}
