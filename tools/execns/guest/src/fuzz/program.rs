// SPDX-License-Identifier: GPL-2.0

//! What a program is that a call has started, as its caller sees it from outside, against what was
//! asked for.

use super::call::Call;
use super::model::{self, KINDS, MOUNT, TIME, USER, Who};
use super::name::{FILES, Fate, Name};
use super::snapshot::{Snapshot, file_at, line, proc_of};
use execns_abi::*;
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, openat, statat};
use rustix::thread::CapabilitySet;
use std::collections::BTreeMap;
use std::fmt::Write;

/// The files of `/proc/PID/ns`, in the order of [`super::snapshot::NAMESPACES`].
const NAMESPACES: [&str; 10] = [
    "mnt",
    "uts",
    "ipc",
    "user",
    "pid_for_children",
    "net",
    "cgroup",
    "time",
    "time_for_children",
    "pid",
];

/// What is seen of a program.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    /// A PID namespace that has no process yet is 0.
    pub namespaces: [u64; 10],
    /// The file of each descriptor, and whether that is close-on-exec.
    pub descriptors: BTreeMap<u32, (u64, bool)>,
    pub threads: String,
    pub uid: String,
    pub gid: String,
    pub groups: String,
    pub caught: String,
    pub uid_map: String,
    pub gid_map: String,
    /// The permitted, effective, bounding and ambient ones.
    pub capabilities: [String; 4],
    /// The file of its root directory.
    pub root: u64,
    /// What its clocks are ahead of the initial ones.
    pub offsets: String,
    /// What it still has of a semaphore.
    pub semaphore: i64,
}

/// What it has to be.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Namespaces that are not the caller's.
    pub new: u64,
    pub descriptors: BTreeMap<u32, u64>,
    /// Besides, the one of binfmt_misc, of number 3 or above.
    pub one_more: bool,
    pub uid: Option<String>,
    pub gid: Option<String>,
    pub groups: Option<String>,
    pub uid_map: Option<Vec<[u32; 3]>>,
    pub gid_map: Option<Vec<[u32; 3]>>,
    pub capabilities: Option<[String; 4]>,
    pub root: Option<u64>,
    pub offsets: String,
    pub semaphore: Option<i64>,
}

/// The caller, as it is seen in the same way.
#[derive(Clone, Debug)]
pub struct Caller<'a> {
    pub is: &'a model::Caller,
    pub snapshot: &'a Snapshot,
    /// The file of its root directory.
    pub root: u64,
    /// What there is on this kernel.
    pub every_capability: CapabilitySet,
    pub uid: String,
    pub gid: String,
    pub groups: String,
    /// The value of the semaphore without what the program adds to it.
    pub semaphore: i64,
    /// Whether what was added is the program's alone.
    pub owns_undo: bool,
}

fn outside(map: &[ExecnsIdMap], id: u32) -> Option<u32> {
    if map.is_empty() {
        return Some(id);
    }
    map.iter()
        .find(|line| id >= line.inside && id - line.inside < line.count)
        .map(|line| line.outside + (id - line.inside))
}

fn four(id: u32) -> String {
    format!("{id} {id} {id} {id}")
}

/// What root has, or what anybody else has.
fn capabilities(is_root: bool, bounding: CapabilitySet) -> [String; 4] {
    let has = match is_root {
        true => bounding,
        false => CapabilitySet::empty(),
    };

    [has, has, bounding, CapabilitySet::empty()].map(|set| format!("{:016x}", set.bits()))
}

/// Whether the program is root in the new user namespace.
pub fn is_root_inside(call: &Call, caller: &model::Caller) -> bool {
    let map = &call.uid_map.elements;

    if call.plain || call.flags & EXECNS_SET_IDS == 0 || call.uid == SAME_ID {
        // Without a map, ids are the same.
        return match call.plain || map.is_empty() {
            true => caller.uid == 0,
            false => outside(map, 0) == Some(caller.uid),
        };
    }
    call.uid == 0
}

/// As `/proc/PID/timens_offsets` has them, of a caller whose clocks are the initial ones.
fn offsets(list: &[ExecnsTimeOffset]) -> String {
    let of = |clock| {
        let last = list.iter().rfind(|offset| offset.clock == clock);
        last.map_or((0, 0), |offset| (offset.sec, offset.nsec))
    };
    let (monotonic, boottime) = (of(libc::CLOCK_MONOTONIC), of(libc::CLOCK_BOOTTIME));

    format!(
        "monotonic {} {} boottime {} {}",
        monotonic.0, monotonic.1, boottime.0, boottime.1
    )
}

fn lines(map: &[ExecnsIdMap]) -> Vec<[u32; 3]> {
    let mut lines: Vec<_> = map
        .iter()
        .map(|line| [line.inside, line.outside, line.count])
        .collect();
    lines.sort();
    lines
}

/// Whether it is the file that says whose ids a program has.
pub fn is_setuid(call: &Call) -> bool {
    call.name.path().ends_with("setuid")
}

/// What a call asks for.
pub fn wanted(call: &Call, caller: &Caller<'_>) -> Wanted {
    let has = |flag| !call.plain && call.flags & flag != 0;
    let flags = match call.plain {
        true => call.unshare_flags & u64::from(u32::MAX),
        false => call.unshare_flags,
    };
    let empty = flags & UNSHARE_EMPTY_MNTNS != 0;
    let new = KINDS.iter().fold(0, |all, kind| all | flags & kind) | if empty { MOUNT } else { 0 };
    let fate = match call.name {
        Name::File(i) => Some(FILES[i].fate),
        _ => None,
    };
    let is_setuid = is_setuid(call);
    let id = |map: &[ExecnsIdMap], id, same: &String| match has(EXECNS_SET_IDS) && id != SAME_ID {
        true => outside(map, id).map(four),
        false => Some(same.clone()),
    };
    let leaves_undo = flags & (libc::CLONE_NEWIPC | libc::CLONE_SYSVSEM) as u64 != 0;
    let all = caller.every_capability;
    let mut wanted = Wanted {
        new,
        capabilities: match caller.is.who {
            _ if is_setuid => None,
            Who::Other => None,
            _ if new & USER != 0 => Some(capabilities(is_root_inside(call, caller.is), all)),
            Who::Root | Who::Chrooted => Some(capabilities(true, all)),
            Who::User => None,
        },
        root: match has(EXECNS_ROOT_FD) {
            true => caller.is.open.get(&(call.root_fd as u32)).copied(),
            false => Some(caller.root).filter(|_| !empty),
        },
        offsets: offsets(match call.plain {
            true => &[],
            false => &call.time_offsets.elements,
        }),
        one_more: fate == Some(Fate::Misc),
        uid: id(&call.uid_map.elements, call.uid, &caller.uid).filter(|_| !is_setuid),
        gid: id(&call.gid_map.elements, call.gid, &caller.gid),
        groups: Some(if has(EXECNS_DROP_GROUPS) {
            String::new()
        } else {
            caller.groups.clone()
        }),
        semaphore: caller
            .owns_undo
            .then_some(caller.semaphore + i64::from(!leaves_undo)),
        ..Wanted::default()
    };

    if call.plain {
        return wanted;
    }
    wanted.descriptors = call
        .fds
        .elements
        .iter()
        .filter_map(|fd| Some((fd.to, *caller.is.open.get(&fd.from)?)))
        .collect();
    if new & USER != 0 {
        let map = |map: &[ExecnsIdMap]| (!map.is_empty()).then(|| lines(map));

        wanted.uid_map = map(&call.uid_map.elements);
        wanted.gid_map = map(&call.gid_map.elements);
    }
    wanted
}

/// Looks at a process. Returns the name of what can not be looked at.
pub fn look(proc: BorrowedFd<'_>, pid: i32, semaphore: i64) -> Result<Seen, String> {
    let mut seen = Seen {
        semaphore,
        ..Seen::default()
    };
    let mut buffer = vec![0; 16384];
    let words = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };

    for (inode, name) in seen.namespaces.iter_mut().zip(NAMESPACES) {
        *inode = match statat(proc, format!("{pid}/ns/{name}"), AtFlags::empty()) {
            Ok(stat) => stat.st_ino,
            Err(rustix::io::Errno::NOENT) if name == "pid_for_children" => 0,
            Err(error) => return Err(format!("ns/{name}: {error}")),
        };
    }
    let status = proc_of(proc, pid, "status", &mut buffer);
    for (field, name) in [
        (&mut seen.threads, "Threads:"),
        (&mut seen.uid, "Uid:"),
        (&mut seen.gid, "Gid:"),
        (&mut seen.groups, "Groups:"),
        (&mut seen.caught, "SigCgt:"),
    ] {
        *field = words(line(status, name));
    }
    seen.capabilities =
        ["CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"].map(|name| words(line(status, name)));
    seen.uid_map = words(proc_of(proc, pid, "uid_map", &mut buffer));
    seen.gid_map = words(proc_of(proc, pid, "gid_map", &mut buffer));
    seen.offsets = words(proc_of(proc, pid, "timens_offsets", &mut buffer));
    seen.root = file_at(proc, &format!("{pid}/root")).ok_or("root")?;

    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(proc, format!("{pid}/fd"), flags, Mode::empty())
        .and_then(Dir::new)
        .map_err(|error| format!("fd: {error}"))?;
    for entry in folder {
        let entry = entry.map_err(|error| format!("fd: {error}"))?;
        let Ok(Ok(fd)) = entry.file_name().to_str().map(str::parse::<u32>) else {
            continue;
        };
        let file = file_at(proc, &format!("{pid}/fd/{fd}")).unwrap_or(0);
        let info = proc_of(proc, pid, &format!("fdinfo/{fd}"), &mut buffer);
        let flags = words(line(info, "flags:"));
        let flags = u32::from_str_radix(&flags, 8).unwrap_or(0);

        seen.descriptors
            .insert(fd, (file, flags & libc::O_CLOEXEC as u32 != 0));
    }
    Ok(seen)
}

fn map_lines(text: &str) -> Vec<[u32; 3]> {
    let numbers: Vec<u32> = text
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let mut lines: Vec<_> = numbers
        .chunks_exact(3)
        .map(|n| [n[0], n[1], n[2]])
        .collect();
    lines.sort();
    lines
}

/// Says what is not as it has to be, or nothing.
pub fn differences(wanted: &Wanted, seen: &Seen, caller: &Snapshot) -> String {
    let mut text = String::new();
    let mut same =
        |name: &str, wanted: &dyn std::fmt::Debug, seen: &dyn std::fmt::Debug, is: bool| {
            if !is {
                let _ = write!(text, "{name}: {seen:?}, not {wanted:?}; ");
            }
        };

    for (i, name) in NAMESPACES.iter().enumerate() {
        let kind = match i {
            0..8 => KINDS[i],
            8 => TIME,
            _ => 0,
        };
        let new = wanted.new & kind != 0;
        let is_new = seen.namespaces[i] != caller[i];
        same(
            &format!("{name} namespace is new"),
            &new,
            &is_new,
            new == is_new,
        );
    }
    let mut descriptors = seen.descriptors.clone();
    if wanted.one_more {
        let more = descriptors
            .keys()
            .find(|&&fd| fd >= 3 && !wanted.descriptors.contains_key(&fd))
            .copied();
        let more = more.and_then(|fd| descriptors.remove(&fd));
        same("descriptor of binfmt_misc", &true, &more, more.is_some());
    }
    let as_wanted: BTreeMap<_, _> = wanted
        .descriptors
        .iter()
        .map(|(&fd, &file)| (fd, (file, false)))
        .collect();
    same(
        "descriptors",
        &as_wanted,
        &descriptors,
        descriptors == as_wanted,
    );
    same("threads", &"1", &seen.threads, seen.threads == "1");
    let none = seen.caught.trim_start_matches('0').is_empty();
    same("caught signals", &"0", &seen.caught, none);
    for (name, wanted, seen) in [
        ("uid", &wanted.uid, &seen.uid),
        ("gid", &wanted.gid, &seen.gid),
        ("groups", &wanted.groups, &seen.groups),
    ] {
        same(
            name,
            wanted,
            seen,
            wanted.as_ref().is_none_or(|wanted| wanted == seen),
        );
    }
    for (name, wanted, seen) in [
        ("uid_map", &wanted.uid_map, &seen.uid_map),
        ("gid_map", &wanted.gid_map, &seen.gid_map),
    ] {
        let is = wanted
            .as_ref()
            .is_none_or(|wanted| *wanted == map_lines(seen));
        same(name, wanted, seen, is);
    }
    let sets = ["permitted", "effective", "bounding", "ambient"];
    for (i, (name, seen)) in sets.iter().zip(&seen.capabilities).enumerate() {
        let wanted = wanted.capabilities.as_ref().map(|sets| &sets[i]);
        let is = wanted.is_none_or(|wanted| wanted == seen);
        same(&format!("{name} capabilities"), &wanted, seen, is);
    }
    let is = wanted.root.is_none_or(|wanted| wanted == seen.root);
    same("root directory", &wanted.root, &seen.root, is);
    let is = wanted.offsets == seen.offsets;
    same("clock offsets", &wanted.offsets, &seen.offsets, is);
    let is = wanted
        .semaphore
        .is_none_or(|wanted| wanted == seen.semaphore);
    same("semaphore", &wanted.semaphore, &seen.semaphore, is);
    text
}
