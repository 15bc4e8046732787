// SPDX-License-Identifier: GPL-2.0

//! What is left in the kernel when all is over: as much as there was before.

use crate::sys::fuzz::list_namespaces;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Slab caches, and of what they have objects. Those of one size may be one cache.
const CACHES: [&str; 14] = [
    "nsproxy",
    "user_namespace",
    "mnt_namespace",
    "uts_namespace",
    "pid_namespace",
    "net_namespace",
    "cred",
    "cred_jar",
    "uid_cache",
    "files_cache",
    "fs_cache",
    "mm_struct",
    "task_struct",
    "mnt_cache",
];

/// How many objects of a cache come and go by themselves.
const TOLERANCE: u64 = 64;

/// What there is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Left {
    pub namespaces: BTreeSet<u64>,
    pub mounts: usize,
    pub users: usize,
    pub semaphores: usize,
    pub objects: BTreeMap<String, u64>,
}

impl Left {
    pub fn now() -> io::Result<Self> {
        let lines = |path| -> io::Result<usize> { Ok(fs::read_to_string(path)?.lines().count()) };

        shrink();
        Ok(Self {
            namespaces: list_namespaces()?.into_iter().collect(),
            mounts: lines("/proc/self/mountinfo")?,
            users: lines("/proc/key-users").unwrap_or(0),
            semaphores: lines("/proc/sysvipc/sem")?,
            objects: objects(&fs::read_to_string("/proc/slabinfo").unwrap_or_default()),
        })
    }

    /// Looks until there is no more than before, or for this time.
    pub fn settled(before: &Self, most: Duration) -> io::Result<Self> {
        let start = Instant::now();

        loop {
            let now = Self::now()?;
            if differences(before, &now).is_empty() || start.elapsed() > most {
                return Ok(now);
            }
            sleep(Duration::from_millis(200));
        }
    }
}

/// Gives back slabs that have no object, and those that processors keep.
fn shrink() {
    for cache in CACHES {
        fs::write(format!("/sys/kernel/slab/{cache}/shrink"), "1").ok();
    }
}

/// How many objects each of the caches has.
fn objects(slabinfo: &str) -> BTreeMap<String, u64> {
    slabinfo
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next().filter(|name| CACHES.contains(name))?;

            Some((name.to_string(), words.next()?.parse().ok()?))
        })
        .collect()
}

/// Says what there is more of, or nothing.
pub fn differences(before: &Left, after: &Left) -> String {
    let mut text = Vec::new();
    let more = after.namespaces.difference(&before.namespaces).count();

    if more != 0 {
        text.push(format!("{more} namespaces"));
    }
    for (name, before, after) in [
        ("mounts", before.mounts, after.mounts),
        ("users", before.users, after.users),
        ("semaphores", before.semaphores, after.semaphores),
    ] {
        if after > before {
            text.push(format!("{} {name}", after - before));
        }
    }
    for (cache, &after) in &after.objects {
        let before = before.objects.get(cache).copied().unwrap_or(0);
        if after > before + TOLERANCE {
            text.push(format!("{} objects of {cache}", after - before));
        }
    }
    text.join(", ")
}
