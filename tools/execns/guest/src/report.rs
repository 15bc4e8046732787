// SPDX-License-Identifier: GPL-2.0

//! What a process sees of itself.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The namespaces of a process, as /proc/PID/ns names them. The PID namespace is that of children.
pub const NAMESPACES: [&str; 8] = [
    "user",
    "mnt",
    "pid_for_children",
    "net",
    "ipc",
    "uts",
    "cgroup",
    "time",
];

/// What a process sees of itself.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub struct Report {
    pub uid: String,
    pub gid: String,
    pub capabilities: String,
    pub uid_map: String,
    pub threads: String,
    /// Inode numbers.
    pub namespaces: BTreeMap<String, u64>,
    pub descriptors: usize,
    /// Attached System V segments.
    pub segments: usize,
    /// Whether the mount that holds the program is one of the process's mount namespace.
    pub exe_is_inside: bool,
    pub exe: String,
}

impl Report {
    /// Looks at the calling process.
    pub fn of_self() -> io::Result<Self> {
        // The descriptor that reads the folder is one of them.
        let descriptors = fs::read_dir("/proc/self/fd")?.count() - 1;
        let status = fs::read_to_string("/proc/self/status")?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let words = line.and_then(|line| line.strip_prefix(':'));

            words
                .unwrap_or("?")
                .split_whitespace()
                .next()
                .unwrap_or("")
                .to_string()
        };
        let inode = |name: &str| -> io::Result<u64> {
            Ok(fs::metadata(format!("/proc/self/ns/{name}"))?.ino())
        };

        Ok(Self {
            descriptors,
            uid: field("Uid"),
            gid: field("Gid"),
            capabilities: field("CapEff"),
            threads: field("Threads"),
            uid_map: fs::read_to_string("/proc/self/uid_map")?
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" "),
            namespaces: NAMESPACES
                .iter()
                .map(|&name| Ok((name.to_string(), inode(name)?)))
                .collect::<io::Result<_>>()?,
            segments: fs::read_to_string("/proc/self/maps")?
                .lines()
                .filter(|line| line.contains("/SYSV"))
                .count(),
            exe_is_inside: exe_is_inside()?,
            exe: fs::read_link("/proc/self/exe")?.display().to_string(),
        })
    }

    /// Reads what [`Report::write`] has written.
    pub fn read(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }

    /// Writes it to a file, which has to be opened by its path where there are no descriptors.
    pub fn write(&self, path: impl AsRef<Path>) -> io::Result<()> {
        fs::write(path, serde_json::to_vec(self)?)
    }

    /// The number of namespaces that are not those of `other`.
    pub fn new_namespaces(&self, other: &Self) -> usize {
        NAMESPACES
            .into_iter()
            .filter(|&name| self.namespaces.get(name) != other.namespaces.get(name))
            .count()
    }
}

/// The mount is found by its id, which is listed if it belongs to the mount namespace.
fn exe_is_inside() -> io::Result<bool> {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

    let stat = statx(CWD, "/proc/self/exe", AtFlags::empty(), StatxFlags::MNT_ID)?;
    let id = stat.stx_mnt_id.to_string();
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;

    Ok(mounts
        .lines()
        .any(|line| line.split(' ').next() == Some(&id)))
}
