// SPDX-License-Identifier: GPL-2.0

//! Files, descriptors and memory that calls are about.

use super::name::FOLDER;
use crate::probe::{OWN, out_of_the_way};
use crate::sys::at::{Guarded, look, place};
use crate::sys::fuzz::{Fault, mount, unmount};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{MemfdFlags, Mode, OFlags, memfd_create, open};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};

/// The soft limit of descriptors.
pub const LIMIT: u32 = 700;

/// Numbers that calls are about.
pub const FOLDER_FD: i32 = 7;
pub const ROOT_FD: i32 = 8;
pub const AGENT_PATH_FD: i32 = 9;
pub const AGENT_FD: i32 = 10;
pub const SCRIPT_FD: i32 = 11;
pub const DELETED_FD: i32 = 12;
pub const MEMFD_FD: i32 = 13;
pub const CORRUPT_FD: i32 = 15;
pub const PIPE_FD: i32 = 5;
/// None of these is open.
pub const CLOSED: [u32; 5] = [18, 19, 500, 699, 5000];
/// Those that may be kept.
pub const OPEN: [u32; 18] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17];

const AGENT: &str = "/usr/bin/execns-fuzz-agent";
const MISC: &str = "/proc/sys/fs/binfmt_misc";

/// The files, of which there is one folder for all workers. Dropping it takes them away.
pub struct Files {
    _busy: File,
}

fn program(name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
    let path = format!("{FOLDER}/{name}");
    let told = |error| io::Error::other(format!("{path}: {error}"));

    fs::write(&path, bytes).map_err(told)?;
    fs::set_permissions(path, Permissions::from_mode(mode))
}

impl Files {
    pub fn new() -> io::Result<Self> {
        fs::create_dir_all(FOLDER)?;
        // What an earlier run has left.
        while unmount(c"/tmp/fuzz").is_ok() {}
        mount(c"fuzz", c"/tmp/fuzz", c"tmpfs", 0, c"mode=0755")?;
        let agent = fs::read(AGENT)?;
        for (name, mode) in [
            ("agent", 0o755),
            ("noexec", 0o644),
            ("busy", 0o755),
            ("unreadable", 0o711),
            ("setuid", 0o4755),
        ] {
            program(name, &agent, mode)?;
        }
        let script = |interpreter: &str| format!("#!{interpreter} x\n");
        let inside = |name: &str| script(&format!("{FOLDER}/{name}"));
        program("script1", inside("agent").as_bytes(), 0o755)?;
        for i in 2..10 {
            let text = inside(&format!("script{}", i - 1));
            program(&format!("script{i}"), text.as_bytes(), 0o755)?;
        }
        program("script-missing", inside("missing").as_bytes(), 0o755)?;
        program("script-magic", script("/proc/self/fd/10").as_bytes(), 0o755)?;
        program("garbage", b"\x01\x02garbage", 0o755)?;
        program("empty", b"", 0o755)?;
        program("misc", b"FUZZOfuzzo", 0o755)?;
        for folder in ["dir", "fuse", "tmp", "proc"] {
            fs::create_dir(format!("{FOLDER}/{folder}"))?;
        }
        // The same paths lead there from a root that is this folder.
        for (to, name) in [
            ("agent", "link"),
            ("link", "link2"),
            ("loop", "loop"),
            ("/", "tmp/fuzz"),
        ] {
            symlink(to, format!("{FOLDER}/{name}"))?;
        }
        // Its interpreter gets the file as a descriptor.
        fs::write(format!("{MISC}/fuzzo"), "-1").ok();
        let rule = format!(":fuzzo:M::FUZZO::{FOLDER}/agent:O");
        fs::write(format!("{MISC}/register"), rule)?;
        Ok(Self {
            _busy: File::options()
                .append(true)
                .open(format!("{FOLDER}/busy"))?,
        })
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        fs::write(format!("{MISC}/fuzzo"), "-1").ok();
        unmount(c"/tmp/fuzz").ok();
    }
}

/// Addresses of memory that arguments are in.
#[derive(Clone, Copy)]
pub struct Memory {
    /// Nothing can be read from here on.
    pub hole: usize,
    /// As `hole`, with this many zeroes before it.
    pub short: usize,
    pub room: usize,
    /// Pointers up to the hole.
    pub endless: usize,
    pub word: usize,
    pub long_word: usize,
    /// The page that comes late, or a hole.
    pub late: usize,
}

impl Memory {
    /// What is made for it stays.
    pub fn new(late: Option<usize>) -> io::Result<Self> {
        let word = c"x".as_ptr().expose_provenance();
        let long: &'static [u8] = [vec![b'x'; 140_000], vec![0]].concat().leak();
        let pointers = Box::leak(Box::new(Guarded::new()?));
        let zeroes = Box::leak(Box::new(Guarded::new()?));
        let bytes = pointers.bytes();
        for word_bytes in bytes[4096 - 64..].chunks_mut(8) {
            word_bytes.copy_from_slice(&word.to_ne_bytes());
        }
        let hole = pointers.last(0);

        Ok(Self {
            hole,
            short: zeroes.last(0),
            room: 4096,
            endless: pointers.last(64),
            word,
            long_word: long.as_ptr().expose_provenance(),
            late: late.unwrap_or(hole),
        })
    }
}

/// What a worker has open.
pub struct Descriptors {
    pub proc: OwnedFd,
    pub fault: Option<Fault>,
    /// Which file there is by which number.
    pub open: BTreeMap<u32, u64>,
}

impl Descriptors {
    /// Opens them, by the numbers above.
    pub fn new() -> io::Result<Self> {
        let path = |path: &str, flags| open(path, flags, Mode::empty());
        let inside = |name: &str, flags| path(&format!("{FOLDER}/{name}"), flags);
        let deleted = format!("{FOLDER}/deleted.{}", std::process::id());
        let proc = out_of_the_way(path("/proc", OFlags::PATH | OFlags::DIRECTORY)?);
        let limit = getrlimit(Resource::Nofile).maximum;

        setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(LIMIT.into()),
                maximum: limit,
            },
        )?;
        fs::copy(AGENT, &deleted)?;
        fs::set_permissions(&deleted, Permissions::from_mode(0o755))?;
        let agent = fs::read(AGENT)?;
        let memfd = |bytes: &[u8]| -> io::Result<OwnedFd> {
            let fd = memfd_create("fuzz", MemfdFlags::empty())?;
            rustix::io::write(&fd, bytes)?;
            Ok(fd)
        };
        let (reader, writer) = rustix::pipe::pipe()?;
        let (socket, _) = rustix::net::socketpair(
            rustix::net::AddressFamily::UNIX,
            rustix::net::SocketType::STREAM,
            rustix::net::SocketFlags::empty(),
            None,
        )?;
        let list: [(OwnedFd, bool); 15] = [
            (memfd(b"three")?, false),
            (memfd(b"four")?, true),
            (reader, false),
            (writer, true),
            (inside("", OFlags::DIRECTORY)?, true),
            (path("/", OFlags::PATH)?, false),
            (inside("agent", OFlags::PATH)?, true),
            (inside("agent", OFlags::RDONLY)?, false),
            (inside("script1", OFlags::RDONLY)?, false),
            (path(&deleted, OFlags::RDONLY)?, true),
            (memfd(&agent)?, true),
            (socket, false),
            (memfd(&agent)?, false),
            (inside("noexec", OFlags::RDONLY)?, true),
            (path("/dev/null", OFlags::RDWR)?, false),
        ];
        fs::remove_file(&deleted)?;
        // Above all of them first, so that none is in the way of another.
        let list = list.map(|(fd, cloexec)| (rustix::io::fcntl_dupfd_cloexec(&fd, 100), cloexec));
        for (to, (fd, cloexec)) in (3..).zip(list) {
            place(fd?.as_raw_fd(), to, cloexec)?;
        }
        let fault = match Fault::new() {
            Ok(fault) => {
                let fd = out_of_the_way(fault.uffd());
                Some(fault.at_number(fd))
            }
            Err(_) => None,
        };
        let null = path("/dev/null", OFlags::RDWR)?;
        for fd in 0..3 {
            place(null.as_raw_fd(), fd, false)?;
        }
        drop(null);
        Ok(Self {
            proc,
            fault,
            open: OPEN
                .iter()
                .filter_map(|&fd| Some((fd, look(fd)?.file)))
                .collect(),
        })
    }
}

const _: () = assert!(OWN < LIMIT && OWN > 500);
