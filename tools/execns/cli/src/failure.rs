// SPDX-License-Identifier: GPL-2.0

//! What is said about a failure, where there is no memory to compose it in.

use crate::run::{Failure, Step};
use crate::sys::{self, Errno};

/// A line of text, which is cut off where there is no more room.
pub struct Line {
    text: [u8; 512],
    len: usize,
}

impl Line {
    pub fn new() -> Self {
        Self {
            text: [0; 512],
            len: 0,
        }
    }

    pub fn push(&mut self, part: &[u8]) -> &mut Self {
        for (to, from) in self.text.iter_mut().skip(self.len).zip(part) {
            *to = *from;
            self.len += 1;
        }
        self
    }

    pub fn number(&mut self, number: u32) -> &mut Self {
        if number > 9 {
            self.number(number / 10);
        }
        self.push(&[b'0' + (number % 10) as u8])
    }

    pub fn text(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Failure<'_> {
    /// What it is, and what can be done.
    pub fn describe(&self, line: &mut Line) {
        let (what, path, hint): (&str, _, &str) = match self.step {
            Step::Root(path) => ("can't use as root: ", Some(path), ""),
            Step::WorkingDirectory(path) => ("can't work in ", Some(path), ""),
            Step::Propagation => (
                "can't change the propagation of mounts",
                None,
                if self.errno == Errno::EINVAL {
                    "; / is no mount: type --propagation unchanged"
                } else {
                    ""
                },
            ),
            Step::Proc(path) => (
                "can't mount proc at ",
                Some(path),
                if self.errno == Errno::EPERM {
                    "; it takes --pid, and a /proc that nothing is mounted over"
                } else {
                    ""
                },
            ),
            Step::Groups => ("can't drop groups", None, ""),
            Step::Uid => (
                "can't set the uid",
                None,
                if self.errno == Errno::EINVAL {
                    "; map it with --map-users"
                } else {
                    ""
                },
            ),
            Step::Gid => (
                "can't set the gid",
                None,
                if self.errno == Errno::EINVAL {
                    "; map it with --map-groups"
                } else {
                    ""
                },
            ),
            Step::KillChild => ("can't set the signal of --kill-child", None, ""),
            Step::Fork => ("can't make a child", None, ""),
            Step::Itself => ("can't open /proc/self/exe", None, "; mount proc at /proc"),
            Step::Arguments => ("too many arguments", None, ""),
            Step::Namespaces => ("can't enter the new namespaces", None, ""),
            Step::Program(path) => ("can't execute ", Some(path), ""),
        };

        line.push(what.as_bytes())
            .push(path.map_or(b"", |path| path.to_bytes()))
            .push(b": ");
        match self.errno.text() {
            Some(text) => line.push(text.as_bytes()),
            None => line.push(b"error ").number(self.errno.0),
        };
        line.push(hint.as_bytes());
    }

    /// Says it.
    #[cold]
    #[inline(never)]
    pub fn report(&self) {
        let mut line = Line::new();

        line.push(b"execns: ");
        self.describe(&mut line);
        line.push(b"\n");
        let _ = sys::write(2, line.text());
    }

    /// The exit status, which is that of env(1) for what concerns the program.
    pub fn status(&self) -> i32 {
        match (self.step, self.errno) {
            (Step::Program(_), Errno::ENOENT) => 127,
            (Step::Program(_), _) => 126,
            _ => 1,
        }
    }
}
