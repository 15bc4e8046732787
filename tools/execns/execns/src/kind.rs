// SPDX-License-Identifier: GPL-2.0

//! What can be wrong with a call.

use crate::map::{IdMap, Ids};
use crate::namespaces::Namespaces;
use std::fmt;
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
    /// An id that the program shall have.
    Id(Ids),
    /// That the program shall be in no group.
    DropGroups,
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
            Self::Id(ids) => write!(f, "{ids}"),
            Self::DropGroups => f.write_str("dropping of groups"),
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
            Self::TooManyLines => write!(f, "there are more than {} lines", IdMap::MAX_LINES),
            Self::Empty => f.write_str("it maps no id"),
            Self::Overflow => f.write_str("it goes beyond the last id"),
            Self::Overlap { with } => write!(f, "it overlaps line {}", with + 1),
            Self::NotPermitted => f.write_str(
                "the caller may not map these ids (without a capability, it may map its own id \
                 alone)",
            ),
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
    /// The kernel does not know these flags, was built without these namespaces, or has a PID
    /// namespace pending from unshare(2).
    RefusedNamespaces {
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
    /// The tree of mounts at a directory can not be copied.
    Root {
        /// The descriptor of the directory.
        fd: RawFd,
    },
    /// A map of ids was refused.
    Map {
        /// Which map.
        which: Ids,
        /// The index of the line.
        line: usize,
        /// What is wrong with it.
        why: MapFault,
    },
    /// An id that the program shall have is not mapped.
    IdNotMapped {
        /// Whether it is a uid.
        which: Ids,
        /// The id.
        id: u32,
    },
    /// The user that the program shall be has as many processes as it may (`RLIMIT_NPROC`).
    TooManyProcesses,
    /// A time offset was refused: the nanoseconds are a second or more, or the clock would be
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
    /// There is no child, and the program was not tried.
    Clone {
        /// Whether the cgroup is the reason.
        cgroup: bool,
    },
    /// The child can not be waited for.
    Wait,
    /// Something else.
    Other,
}

impl fmt::Display for ErrorKind {
    /// A short sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSupported => f.write_str(
                "the kernel has no execnsat(2): it needs CONFIG_USER_NS_EXECNS of the execns series",
            ),
            Self::Nul { argument } => write!(f, "there is a null byte in the {argument}"),
            Self::BadDescriptor {
                from,
                argument: Argument::Descriptors,
            } => write!(f, "descriptor {from} is not open"),
            Self::BadDescriptor { from, argument } => {
                write!(f, "descriptor {from}, given for the {argument}, is not open")
            }
            Self::DuplicateTarget { to } => {
                write!(f, "two descriptors shall have the number {to}")
            }
            Self::TargetTooHigh { to, limit } => write!(
                f,
                "a descriptor shall have the number {to}, and the limit is {limit} (RLIMIT_NOFILE)"
            ),
            Self::TooManyDescriptors { count, limit } => write!(
                f,
                "{count} descriptors are to be kept, and the limit is {limit} (RLIMIT_NOFILE)"
            ),
            Self::NotADirectory { fd, argument } => {
                write!(f, "descriptor {fd}, given for the {argument}, is no directory")
            }
            Self::RefusedNamespaces { namespaces } => write!(
                f,
                "the kernel refuses {namespaces}: it does not know it, was built without it, or \
                 has one pending from unshare(2)"
            ),
            Self::NeedsNamespace {
                argument,
                namespace,
            } => write!(f, "{argument} given without a new {namespace} namespace"),
            Self::NeedsProgramDescriptor => f.write_str(
                "no path leads to a program in an empty mount namespace: give it by descriptor",
            ),
            Self::RootOfEmptyMount => {
                f.write_str("root given with an empty mount namespace, which has none")
            }
            Self::Root { fd } => write!(
                f,
                "the mounts at descriptor {fd} can not be copied: they are those of another mount \
                 namespace, or what they cover may not be seen"
            ),
            Self::Map { which, line, why } => write!(f, "{which} map, line {}: {why}", line + 1),
            Self::IdNotMapped { which, id } => {
                write!(f, "the program shall have the {which} {id}, which is not mapped")
            }
            Self::TooManyProcesses => f.write_str(
                "the user of the program has too many processes already (RLIMIT_NPROC)",
            ),
            Self::TimeOffset { line } => write!(
                f,
                "time offset {}: nanoseconds are below a second, and the clock can be neither \
                 negative nor beyond its range",
                line + 1
            ),
            Self::TooManyTimeOffsets => f.write_str("there are more than two time offsets"),
            Self::NotPermitted { argument, hint } => {
                write!(f, "no permission for the {argument}: {hint}")
            }
            Self::LimitReached { namespaces } if namespaces.is_empty() => f.write_str(
                "too many namespaces (/proc/sys/user), or user namespaces nested too deeply",
            ),
            Self::LimitReached { namespaces } => write!(
                f,
                "too many namespaces of the kind {namespaces} (/proc/sys/user), or user namespaces \
                 nested too deeply"
            ),
            Self::Program { path, hint } => {
                write!(f, "cannot execute {}", path.display())?;
                match hint {
                    Some(hint) => write!(f, " ({hint})"),
                    None => Ok(()),
                }
            }
            Self::TooLong => f.write_str("arguments and environment are too long"),
            Self::CgroupNeedsSpawn => f.write_str("a cgroup is given, which only spawn can enter"),
            Self::Clone { cgroup: true } => f.write_str("cannot start a child in the cgroup"),
            Self::Clone { cgroup: false } => f.write_str("cannot start a child"),
            Self::Wait => f.write_str("cannot wait for the child"),
            Self::Other => f.write_str("execnsat failed"),
        }
    }
}
