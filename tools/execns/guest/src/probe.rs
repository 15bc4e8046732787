// SPDX-License-Identifier: GPL-2.0

//! What tests of execnsat(2) share: processes that call it, what they are before and after, and the
//! program that tells which descriptors it has.

use crate::sys::at::{self, Request, Slot, Target};
use crate::sys::{self, Spawn};
use rustix::buffer::spare_capacity;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::thread::{CapabilitySets, CpuSet, sched_getcpu, sched_setaffinity};
use std::any::Any;
use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::Range;
use std::os::fd::{AsFd, IntoRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// The program.
pub const PROBE: &CStr = c"/usr/bin/execns-probe";

/// The exit status of a child that execnsat(2) has changed although it failed. No errno is this.
const CHANGED: i32 = 250;

/// Numbers from here on are those of what a worker needs itself. Those below are free for tests.
pub const OWN: u32 = 600;

/// The numbers by which a worker has what it has, if it opens little.
pub const NUMBERS: [Range<u32>; 2] = [0..32, OWN..OWN + 20];

/// Opens the same by a number that is a worker's own.
pub fn out_of_the_way(fd: impl AsFd) -> OwnedFd {
    rustix::io::fcntl_dupfd_cloexec(fd, OWN as i32).expect("a number above those of tests")
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());

    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without words".into())
}

/// Lets this process, and those that it makes, run on this processor only.
fn stay_here() -> rustix::io::Result<()> {
    let mut here = CpuSet::new();

    here.set(sched_getcpu());
    sched_setaffinity(None, &here)
}

/// Runs `body` in a process of its own, which may change what it is, and which a call of execnsat(2)
/// that succeeds against expectation ends. Returns what went wrong.
///
/// Nothing else may run in this process at that time, since the other one has a copy of its locks.
pub fn in_worker(body: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    let (reader, writer) = rustix::pipe::pipe().map_err(|error| error.to_string())?;
    let mut writer = File::from(out_of_the_way(writer));
    let child = at::fork(|| {
        // A process and its children wait for each other. On one processor that takes half the time.
        stay_here().ok();
        let result =
            catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|payload| Err(message(&*payload)));
        let text = result.err().unwrap_or_else(|| "fine".into());

        i32::from(writer.write_all(text.as_bytes()).is_err())
    })
    .map_err(|error| format!("no worker: {error}"))?;

    drop(writer);
    let mut text = String::new();
    let read = File::from(reader).read_to_string(&mut text);
    let status = sys::wait(child).map_err(|error| error.to_string())?;
    match (read, text.as_str()) {
        (Ok(_), "fine") if status == 0 => Ok(()),
        (Ok(_), "") => Err(format!(
            "the worker ended with {status} and without a word: it became the program?"
        )),
        (Ok(_), _) => Err(text),
        (Err(error), _) => Err(error.to_string()),
    }
}

const NAMESPACES: [&CStr; 10] = [
    c"/proc/self/ns/mnt",
    c"/proc/self/ns/uts",
    c"/proc/self/ns/ipc",
    c"/proc/self/ns/user",
    c"/proc/self/ns/pid",
    c"/proc/self/ns/pid_for_children",
    c"/proc/self/ns/net",
    c"/proc/self/ns/cgroup",
    c"/proc/self/ns/time",
    c"/proc/self/ns/time_for_children",
];

/// What a process is that a failing call has to leave as it was.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Caller {
    namespaces: [u64; NAMESPACES.len()],
    ids: [u32; 4],
    capabilities: CapabilitySets,
    directory: (u64, u64),
    umask: u32,
    descriptors: u64,
}

impl Caller {
    /// That of this process, with the descriptors of these numbers. Allocates nothing.
    pub fn new(numbers: &[Range<u32>]) -> rustix::io::Result<Self> {
        let mut namespaces = [0; NAMESPACES.len()];
        for (inode, path) in namespaces.iter_mut().zip(NAMESPACES) {
            *inode = rustix::fs::stat(path)?.st_ino;
        }
        let directory = rustix::fs::stat(c".")?;
        let umask = rustix::process::umask(Mode::empty());
        rustix::process::umask(umask);

        Ok(Self {
            namespaces,
            ids: [
                rustix::process::getuid().as_raw(),
                rustix::process::geteuid().as_raw(),
                rustix::process::getgid().as_raw(),
                rustix::process::getegid().as_raw(),
            ],
            capabilities: rustix::thread::capabilities(None)?,
            directory: (directory.st_dev, directory.st_ino),
            umask: umask.bits(),
            descriptors: table_hash(numbers)?,
        })
    }
}

/// What a table has by these numbers, and how much it has, as one number (FNV-1a). Those that are
/// `O_PATH` only count. Allocates nothing.
pub fn table_hash(numbers: &[Range<u32>]) -> rustix::io::Result<u64> {
    let add = |hash: u64, word: u64| (hash ^ word).wrapping_mul(0x100_0000_01b3);
    let count = rustix::fs::stat(c"/proc/self/fd")?.st_size as u64;
    let start = add(0xcbf2_9ce4_8422_2325, count);

    Ok(numbers
        .iter()
        .cloned()
        .flat_map(at::open_numbers)
        .filter_map(|fd| Some((fd, at::look(fd)?)))
        .fold(start, |hash, (fd, slot)| {
            [
                fd.into(),
                slot.cloexec.into(),
                slot.status.into(),
                slot.file,
            ]
            .into_iter()
            .fold(hash, add)
        }))
}

/// Calls execnsat(2) in a child, and returns that and its exit status, if the call fails: the errno.
/// With `numbers`, a failing call has to leave the child as it was, and its descriptors by these
/// numbers. A child that shares no memory tells the status by its end alone.
fn call(
    kind: Spawn,
    target: &Target,
    request: &Request<'_>,
    numbers: Option<&[Range<u32>]>,
) -> Result<(i32, i32), i32> {
    let mut status = 0;
    let child = kind
        .run(&mut || {
            let before = numbers.map(Caller::new);

            status = target.exec(request).err().unwrap_or(0);
            if let (Some(before), Some(numbers)) = (before, numbers) {
                if before.is_err() || before != Caller::new(numbers) {
                    status = CHANGED;
                }
            }
            status
        })
        .map_err(|_| at::errno())?;

    Ok((child, status))
}

/// Runs a program to its end by execnsat(2) in a child, which is checked as `call` says. Returns its
/// id, or the errno of the call, or the exit status of the program.
pub fn run(
    kind: Spawn,
    target: &Target,
    request: &Request<'_>,
    numbers: Option<&[Range<u32>]>,
) -> Result<i32, i32> {
    let (child, _) = call(kind, target, request, numbers)?;

    match sys::wait(child) {
        Ok(0) => Ok(child),
        Ok(status) => Err(status),
        Err(_) => Err(at::errno()),
    }
}

/// A program that waits, to be looked at. Dropping it ends it.
pub struct Running(i32);

impl Running {
    /// Starts it by vfork(2).
    pub fn start(target: &Target, request: &Request<'_>) -> Result<Self, i32> {
        let (child, status) = call(Spawn::Vfork, target, request, None)?;

        if status == 0 {
            return Ok(Self(child));
        }
        sys::wait(child).ok();
        Err(status)
    }

    pub fn pid(&self) -> i32 {
        self.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        at::end(self.0);
    }
}

/// What a process has, by the file of `/proc/PID` that tells it.
pub fn proc_file(pid: i32, name: &str) -> Result<String, String> {
    let path = format!("/proc/{pid}/{name}");

    fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
}

/// Writes a file of `/proc/PID` in one call. Returns the errno of what fails.
pub fn write_proc_file(pid: i32, name: &str, text: &str) -> Result<(), i32> {
    let path = format!("/proc/{pid}/{name}");
    let file = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty());
    let written = file.and_then(|file| rustix::io::write(file, text.as_bytes()));

    match written {
        Ok(length) if length == text.len() => Ok(()),
        Ok(_) => Err(Errno::IO.raw_os_error()),
        Err(error) => Err(error.raw_os_error()),
    }
}

/// What the program writes which descriptors it has to.
pub struct Reports {
    path: PathBuf,
    file: File,
    target: Target,
}

impl Reports {
    /// A file of this name, for reports of the numbers below `limit`.
    pub fn new(name: &str, limit: u32) -> Result<Self, String> {
        let path = PathBuf::from(format!("/tmp/{name}.{}", std::process::id()));
        let open = || {
            File::options()
                .create(true)
                .truncate(true)
                .read(true)
                .write(true)
                .open(&path)
        };
        let file = open().map_err(|error| format!("{}: {error}", path.display()))?;
        let args = [&*path.to_string_lossy(), &limit.to_string()];

        Ok(Self {
            target: Target::new(libc::AT_FDCWD, PROBE, &args),
            file: out_of_the_way(file).into(),
            path,
        })
    }

    /// The program that writes it.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Reads what the program in the process `pid` had to tell.
    pub fn read(&self, pid: i32) -> Result<BTreeMap<u32, Slot>, String> {
        read_report(&self.file, pid)
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        fs::remove_file(&self.path).ok();
    }
}

/// Reads what the program in the process `pid` has written to `file`.
pub fn read_report(file: &File, pid: i32) -> Result<BTreeMap<u32, Slot>, String> {
    let mut bytes = Vec::with_capacity(16 * 513);
    let length = rustix::io::pread(file, spare_capacity(&mut bytes), 0)
        .map_err(|error| error.to_string())?;
    let mut table = BTreeMap::new();

    for pair in bytes.chunks_exact(16) {
        let word = |at| u64::from_ne_bytes(pair[at..at + 8].try_into().unwrap_or_default());
        let (first, file) = (word(0), word(8));

        if first == u64::MAX {
            return if file == pid as u64 {
                Ok(table)
            } else {
                Err(format!(
                    "{} are missing in a report of {}: {table:?} of {pid}",
                    file >> 32,
                    file as u32
                ))
            };
        }
        let slot = Slot {
            cloexec: first >> 63 != 0,
            status: (first >> 32) as u32 & 0x7fff_ffff,
            file,
        };
        table.insert(first as u32, slot);
    }
    Err(format!("{length} bytes of a report without its end"))
}

/// Moves a descriptor to where the tests' numbers are not, and lets nobody close it.
pub fn keep_out_of_the_way(fd: OwnedFd) -> i32 {
    let moved = out_of_the_way(&fd);

    drop(fd);
    moved.into_raw_fd()
}
