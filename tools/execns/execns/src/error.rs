// SPDX-License-Identifier: GPL-2.0

//! What can go wrong, and with which argument.

use crate::map::Ids;
use crate::namespaces::Namespaces;
use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;

/// An argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Argument {
    /// The program, by path or by descriptor.
    Program,
    /// The arguments of the program.
    Args,
    /// The environment of the program.
    Env,
    /// The namespaces.
    Namespaces,
    /// The descriptors to keep.
    Descriptors,
    /// Whether setgroups(2) can be called.
    Setgroups,
    /// A map of ids.
    Map(Ids),
    /// The time offsets.
    TimeOffsets,
    /// The directory that is the root.
    Root,
    /// The cgroup.
    Cgroup,
}

impl fmt::Display for Argument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program => f.write_str("program"),
            Self::Args => f.write_str("arguments of the program"),
            Self::Env => f.write_str("environment"),
            Self::Namespaces => f.write_str("namespaces"),
            Self::Descriptors => f.write_str("descriptors to keep"),
            Self::Setgroups => f.write_str("setgroups"),
            Self::Map(ids) => write!(f, "{ids} map"),
            Self::TimeOffsets => f.write_str("time offsets"),
            Self::Root => f.write_str("root"),
            Self::Cgroup => f.write_str("cgroup"),
        }
    }
}

/// What is wrong with a map of ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MapFault {
    /// There are more than [`IdMap::MAX_LINES`](crate::IdMap::MAX_LINES).
    TooManyLines,
    /// The line maps no id.
    Empty,
    /// The line goes beyond the last id, 4294967294.
    Overflow,
    /// The line maps what an earlier one does, inside or outside.
    Overlap {
        /// The index of the earlier line.
        with: usize,
    },
    /// The line is well-formed, and the caller may not map its ids.
    NotPermitted,
}

impl fmt::Display for MapFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyLines => f.write_str("there are more than 340 lines"),
            Self::Empty => f.write_str("it maps no id"),
            Self::Overflow => f.write_str("it goes beyond the last id"),
            Self::Overlap { with } => write!(f, "it overlaps line {}", with + 1),
            Self::NotPermitted => f.write_str("the caller may not map these ids"),
        }
    }
}

/// What is wrong, and with which argument. Indices of lines count from 0; messages count from 1.
///
/// The kernel tells no more than an errno. The rest is found out afterwards, and is what is wrong at
/// that time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The kernel has no execnsat(2).
    NotSupported,
    /// There is a null byte in a string.
    Nul {
        /// Which string.
        argument: Argument,
    },
    /// There is no open descriptor of this number.
    BadDescriptor {
        /// Its number.
        from: RawFd,
        /// What it was given for.
        argument: Argument,
    },
    /// Two descriptors shall have the same number in the program.
    DuplicateTarget {
        /// The number.
        to: RawFd,
    },
    /// A descriptor shall have a number that is not below the soft limit (`RLIMIT_NOFILE`).
    TargetTooHigh {
        /// The number.
        to: RawFd,
        /// The limit.
        limit: u64,
    },
    /// There are more descriptors than the soft limit (`RLIMIT_NOFILE`) allows.
    TooManyDescriptors {
        /// How many there are.
        count: usize,
        /// The limit.
        limit: u64,
    },
    /// A descriptor is no directory.
    NotADirectory {
        /// Its number.
        fd: RawFd,
        /// What it was given for.
        argument: Argument,
    },
    /// The kernel does not know these namespaces, or was built without.
    UnknownNamespaces {
        /// Which ones.
        namespaces: Namespaces,
    },
    /// An argument has no meaning without a new namespace.
    NeedsNamespace {
        /// The argument.
        argument: Argument,
        /// The namespace.
        namespace: Namespaces,
    },
    /// In an empty mount namespace, there is no path to a program.
    NeedsProgramDescriptor,
    /// An empty mount namespace has no root that could be given.
    RootOfEmptyMount,
    /// A map of ids was refused.
    Map {
        /// Which map.
        which: Ids,
        /// The index of the line.
        line: usize,
        /// What is wrong with it.
        why: MapFault,
    },
    /// A time offset was refused: the nanoseconds are more than a second, or the clock would be
    /// negative or beyond its range.
    TimeOffset {
        /// The index of the offset.
        line: usize,
    },
    /// There are more than two time offsets.
    TooManyTimeOffsets,
    /// The caller has no permission.
    NotPermitted {
        /// For what.
        argument: Argument,
        /// Why that is, as far as it can be told.
        hint: String,
    },
    /// There are too many namespaces of a kind, or user namespaces are nested too deeply.
    LimitReached {
        /// Which kinds. It is empty if that is not known.
        namespaces: Namespaces,
    },
    /// The program can not be executed.
    Program {
        /// Its path, or `/dev/fd/N` if it was given by descriptor.
        path: PathBuf,
        /// What may be the reason, where the errno does not tell.
        hint: Option<&'static str>,
    },
    /// Arguments and environment are too long.
    TooLong,
    /// A cgroup was given, and the program is not to be a child.
    CgroupNeedsSpawn,
    /// There is no child. Not even the program was tried.
    Clone {
        /// Whether the cgroup is the reason.
        cgroup: bool,
    },
    /// The child can not be waited for.
    Wait,
    /// Something else.
    Other,
}

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

    pub(crate) fn nul(argument: Argument, _word: &OsStr) -> Self {
        Self::new(ErrorKind::Nul { argument }, String::new(), None)
    }

    pub(crate) fn cgroup_without_spawn(call: String) -> Self {
        Self::new(ErrorKind::CgroupNeedsSpawn, call, None)
    }

    pub(crate) fn wait(call: String, source: io::Error) -> Self {
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

    /// The call and its result, as strace(1) writes them.
    pub fn trace(&self) -> String {
        format!("{self:#}")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let _ = (&self.0.call, f.alternate());
        write!(f, "{:?}", self.0.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|error| error as _)
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match (&error.0.source, &error.0.kind) {
            (Some(source), _) => source.kind(),
            (None, _) => io::ErrorKind::InvalidInput,
        };

        Self::new(kind, error)
    }
}
