// SPDX-License-Identifier: GPL-2.0

//! How a call names the program, and what becomes of it.

/// Where the files are, and, in there, a link of the same name to the folder itself.
pub const FOLDER: &str = "/tmp/fuzz";

/// What a name leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    /// The agent runs.
    Runs,
    /// As `Runs`, by a link.
    Link,
    /// By binfmt_misc, which opens the file for its interpreter.
    Misc,
    /// The file is not opened.
    Fails(i32),
    /// No program is found in it, which a check does not look at.
    LoadFails(i32),
    /// Anything.
    Any,
}

use Fate::{Fails, Link, LoadFails, Misc, Runs};

pub struct File {
    pub path: &'static str,
    pub fate: Fate,
    pub weight: u64,
}

const fn file(weight: u64, path: &'static str, fate: Fate) -> File {
    File { path, fate, weight }
}

pub const FILES: [File; 26] = [
    file(60, "/tmp/fuzz/agent", Runs),
    file(4, "/tmp/fuzz/link", Link),
    file(2, "/tmp/fuzz/link2", Link),
    file(2, "/tmp/fuzz/loop", Fails(libc::ELOOP)),
    file(4, "/tmp/fuzz/missing", Fails(libc::ENOENT)),
    file(2, "/tmp/fuzz/noexec", Fails(libc::EACCES)),
    file(2, "/tmp/fuzz/dir", Fails(libc::EACCES)),
    file(2, "/tmp/fuzz/agent/x", Fails(libc::ENOTDIR)),
    file(6, "/tmp/fuzz/script1", Runs),
    file(3, "/tmp/fuzz/script3", Runs),
    file(2, "/tmp/fuzz/script9", LoadFails(libc::ELOOP)),
    file(2, "/tmp/fuzz/script-missing", LoadFails(libc::ENOENT)),
    file(3, "/tmp/fuzz/script-magic", LoadFails(libc::ELOOP)),
    file(2, "/tmp/fuzz/garbage", LoadFails(libc::ENOEXEC)),
    file(1, "/tmp/fuzz/empty", LoadFails(libc::ENOEXEC)),
    file(2, "/tmp/fuzz/busy", Fails(libc::ETXTBSY)),
    file(2, "/tmp/fuzz/misc", Misc),
    file(2, "/tmp/fuzz/unreadable", Runs),
    file(2, "/tmp/fuzz/setuid", Runs),
    file(3, "/proc/self/fd/10", Fails(libc::ELOOP)),
    file(2, "/dev/fd/9", Fails(libc::ELOOP)),
    file(2, "/proc/self/fd/22", Fails(libc::ENOENT)),
    file(2, "/proc/self/exe", Fails(libc::ELOOP)),
    file(2, "/proc/self/root/tmp/fuzz/agent", Fails(libc::ELOOP)),
    file(2, "/proc/thread-self/cwd/agent", Fails(libc::ELOOP)),
    file(2, "/dev/null", Fails(libc::EACCES)),
];

/// What the path of a call is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Name {
    /// One of [`FILES`].
    File(usize),
    /// `agent`, from a descriptor on.
    Relative,
    /// The empty string.
    Nothing,
    /// One component is longer than any name of a file.
    LongComponent,
    /// Longer than `PATH_MAX`.
    TooLong,
    /// The address is 0.
    Null,
    /// Memory that can not be read.
    Hole,
    /// What a FUSE server has.
    Fuse,
}

impl Name {
    /// The bytes without the last one, if they are in memory.
    pub fn bytes(self) -> Option<Vec<u8>> {
        Some(match self {
            Self::File(i) => FILES[i].path.into(),
            Self::Relative => b"agent".to_vec(),
            Self::Nothing => vec![],
            Self::LongComponent => [FOLDER.as_bytes(), b"/", &[b'x'; 300]].concat(),
            Self::TooLong => vec![b'x'; 5000],
            Self::Null | Self::Hole => return None,
            Self::Fuse => [FOLDER.as_bytes(), b"/fuse/agent"].concat(),
        })
    }

    pub fn path(self) -> &'static str {
        match self {
            Self::File(i) => FILES[i].path,
            Self::Relative => "agent",
            _ => "",
        }
    }

    /// Whether it is not found, or its interpreter is not, where there is no `/proc`.
    pub fn is_of_system(self) -> bool {
        let path = self.path();

        path.starts_with("/proc") || path.starts_with("/dev") || path.ends_with("script-magic")
    }
}
