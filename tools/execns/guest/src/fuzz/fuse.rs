// SPDX-License-Identifier: GPL-2.0

//! A file system of one program, whose answers come late, or wrong, or never.

use super::circumstance::Answer;
use super::shared::pause;
use crate::probe::out_of_the_way;
use crate::sys::fuzz::{mount, unmount};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::fs::{Mode, OFlags, open};
use std::ffi::CString;
use std::fs;
use std::io;

const LOOKUP: u32 = 1;
const FORGET: u32 = 2;
const GETATTR: u32 = 3;
const OPEN: u32 = 14;
const READ: u32 = 15;
const RELEASE: u32 = 18;
const FLUSH: u32 = 25;
const INIT: u32 = 26;
const ACCESS: u32 = 34;
const INTERRUPT: u32 = 36;
const BATCH_FORGET: u32 = 42;

/// The root, and the program in it.
const ROOT: u64 = 1;
const FILE: u64 = 2;

pub struct Server {
    fd: OwnedFd,
    program: Vec<u8>,
}

/// What has come of waiting for a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Served {
    Nothing,
    Request,
    /// It has no answer, and the server has to end.
    Abort,
}

/// What to do with a request of this kind, once.
#[derive(Clone, Copy)]
pub struct Plan {
    pub opcode: u32,
    /// Microseconds.
    pub delay: u64,
    pub answer: Answer,
    pub child: i32,
}

fn words(values: &[u64]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.to_ne_bytes())
        .collect()
}

/// Two numbers of 32 bits, as one word.
fn two(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

impl Server {
    /// Mounts it. The folder is that of the worker's mount namespace.
    pub fn new() -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let server = Self {
            fd: out_of_the_way(open("/dev/fuse", flags, Mode::empty())?),
            program: fs::read("/usr/bin/execns-fuzz-agent")?,
        };
        let fd = server.fd.as_raw_fd();
        let data = format!("fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other");

        mount(c"fuzz", c"/tmp/fuzz/fuse", c"fuse", 0, &CString::new(data)?)?;
        for _ in 0..1000 {
            if server.serve(None) == Served::Request {
                return Ok(server);
            }
        }
        Err(io::Error::other("the kernel asks nothing of a FUSE server"))
    }

    /// The number, which children are not to have.
    pub fn number(&self) -> u32 {
        self.fd.as_raw_fd() as u32
    }

    /// Takes it away. Who waits for an answer, gets an error.
    pub fn end(self) {
        unmount(c"/tmp/fuzz/fuse").ok();
    }

    /// Answers what is asked within a millisecond. With a plan whose time has come, the answer is as
    /// that says, and `None` is left of it.
    pub fn serve(&self, plan: Option<&mut Option<Plan>>) -> Served {
        let mut polled = [PollFd::new(&self.fd, PollFlags::IN)];
        let millisecond = Timespec {
            tv_sec: 0,
            tv_nsec: 1_000_000,
        };
        let mut request = [0; 16384];

        poll(&mut polled, Some(&millisecond)).ok();
        let Ok(length) = rustix::io::read(&self.fd, &mut request) else {
            return Served::Nothing;
        };
        let word = |at: usize| u32::from_ne_bytes(request[at..at + 4].try_into().unwrap_or([0; 4]));
        let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
        let (opcode, unique, node) = (word(4), long(8), long(16));
        let mut answer = Answer::Right;

        if let Some(planned) = plan {
            if let Some(plan) = planned.filter(|plan| plan.opcode == opcode || plan.opcode == 0) {
                for _ in 0..plan.delay / 100 {
                    pause();
                }
                answer = plan.answer;
                *planned = None;
                match answer {
                    Answer::Kill => super::end::kill(plan.child),
                    Answer::Abort => return Served::Abort,
                    Answer::Right | Answer::Wrong => {}
                }
            }
        }
        let reply = match opcode {
            FORGET | BATCH_FORGET | INTERRUPT => return Served::Request,
            _ if answer != Answer::Right => Err(libc::EIO),
            INIT => {
                // Version, no readahead, no flags; background requests, max_write.
                let mut reply = words(&[two(7, 38), 0, two(9 << 16 | 12, 4096), two(1, 0)]);
                reply.resize(64, 0);
                Ok(reply)
            }
            LOOKUP if request[40..length].starts_with(b"agent\0") => {
                let mut reply = words(&[FILE, 0, 0, 0, 0]);
                reply.extend(self.attributes(FILE));
                Ok(reply)
            }
            LOOKUP => Err(libc::ENOENT),
            GETATTR => {
                let mut reply = words(&[0, 0]);
                reply.extend(self.attributes(node));
                Ok(reply)
            }
            OPEN => Ok(words(&[1, 0])),
            READ => {
                let from = (long(48) as usize).min(self.program.len());
                let to = (from + word(56) as usize).min(self.program.len());
                Ok(self.program[from..to].to_vec())
            }
            FLUSH | RELEASE | ACCESS => Ok(vec![]),
            _ => Err(libc::ENOSYS),
        };
        let (error, body) = match reply {
            Ok(body) => (0, body),
            Err(errno) => (-errno, vec![]),
        };
        let mut bytes = words(&[two(16 + body.len() as u32, error as u32), unique]);
        bytes.extend(body);
        rustix::io::write(&self.fd, &bytes).ok();
        Served::Request
    }

    /// struct fuse_attr
    fn attributes(&self, node: u64) -> Vec<u8> {
        let (mode, size) = match node {
            ROOT => (libc::S_IFDIR | 0o755, 0),
            _ => (libc::S_IFREG | 0o755, self.program.len() as u64),
        };

        words(&[
            node,
            size,
            size.div_ceil(512),
            0,
            0,
            0,
            0,
            two(0, mode),
            two(1, 0),
            0,
            two(512, 0),
        ])
    }
}
