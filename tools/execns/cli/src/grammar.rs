// SPDX-License-Identifier: GPL-2.0

//! The options, and what getopt_long(3) makes of a command line.
//!
//! `execns-full` builds its parser from the same table, which also knows what to say about errors.

use core::ffi::CStr;

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    None,
    Required,
    /// Only as `--option=VALUE`.
    Optional,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Id {
    User,
    Mount,
    Pid,
    Fork,
    Net,
    Ipc,
    Uts,
    Cgroup,
    Time,
    MapRootUser,
    MapCurrentUser,
    MapUser,
    MapGroup,
    MapUsers,
    MapGroups,
    MapAuto,
    Setgroups,
    MountProc,
    Root,
    Wd,
    KillChild,
    Monotonic,
    Boottime,
    Propagation,
    Setuid,
    Setgid,
    KeepFd,
    CloseStdio,
    Show,
    Check,
    Completions,
    Help,
    Version,
}

#[derive(Clone, Copy, Debug)]
pub struct Opt {
    pub id: Id,
    /// 0 if there is none.
    pub short: u8,
    pub long: &'static str,
    pub value: Value,
}

const fn option(id: Id, short: u8, long: &'static str, value: Value) -> Opt {
    Opt {
        id,
        short,
        long,
        value,
    }
}

pub static OPTIONS: [Opt; 33] = [
    option(Id::User, b'U', "user", Value::None),
    option(Id::Mount, b'm', "mount", Value::None),
    option(Id::Pid, b'p', "pid", Value::None),
    option(Id::Fork, b'f', "fork", Value::None),
    option(Id::Net, b'n', "net", Value::None),
    option(Id::Ipc, b'i', "ipc", Value::None),
    option(Id::Uts, b'u', "uts", Value::None),
    option(Id::Cgroup, b'C', "cgroup", Value::None),
    option(Id::Time, b'T', "time", Value::None),
    option(Id::MapRootUser, b'r', "map-root-user", Value::None),
    option(Id::MapCurrentUser, b'c', "map-current-user", Value::None),
    option(Id::MapUser, 0, "map-user", Value::Required),
    option(Id::MapGroup, 0, "map-group", Value::Required),
    option(Id::MapUsers, 0, "map-users", Value::Required),
    option(Id::MapGroups, 0, "map-groups", Value::Required),
    option(Id::MapAuto, 0, "map-auto", Value::None),
    option(Id::Setgroups, 0, "setgroups", Value::Required),
    option(Id::MountProc, 0, "mount-proc", Value::Optional),
    option(Id::Root, b'R', "root", Value::Required),
    option(Id::Wd, b'w', "wd", Value::Required),
    option(Id::KillChild, 0, "kill-child", Value::Optional),
    option(Id::Monotonic, 0, "monotonic", Value::Required),
    option(Id::Boottime, 0, "boottime", Value::Required),
    option(Id::Propagation, 0, "propagation", Value::Required),
    option(Id::Setuid, b'S', "setuid", Value::Required),
    option(Id::Setgid, b'G', "setgid", Value::Required),
    option(Id::KeepFd, 0, "keep-fd", Value::Required),
    option(Id::CloseStdio, 0, "close-stdio", Value::None),
    option(Id::Show, 0, "show", Value::None),
    option(Id::Check, 0, "check", Value::None),
    option(Id::Completions, 0, "completions", Value::Required),
    option(Id::Help, b'h', "help", Value::None),
    option(Id::Version, b'V', "version", Value::None),
];

/// An option that is on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Given<'a> {
    pub id: Id,
    pub value: Option<&'a CStr>,
}

/// What is no option, or lacks a value, or has one that it does not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

/// The command line without the name of the command. Ends where the program begins.
pub struct Words<'a, I> {
    words: I,
    /// What is left of a word with several short options.
    cluster: Option<&'a CStr>,
    /// How many words have been taken.
    taken: usize,
}

/// The string without its first bytes.
pub fn skip(text: &CStr, count: usize) -> Option<&CStr> {
    let rest = text.to_bytes_with_nul().get(count..)?;

    // SAFETY: The end of a string is one, unless its null byte is not in it any more.
    (!rest.is_empty()).then(|| unsafe { CStr::from_bytes_with_nul_unchecked(rest) })
}

impl<'a, I: Iterator<Item = &'a CStr> + Clone> Words<'a, I> {
    pub fn new(words: I) -> Self {
        Self {
            words,
            cluster: None,
            taken: 0,
        }
    }

    /// How many words are options and their values.
    pub fn taken(&self) -> usize {
        self.taken
    }

    fn word(&mut self) -> Option<&'a CStr> {
        let word = self.words.next()?;

        self.taken += 1;
        Some(word)
    }

    fn short(&mut self, cluster: &'a CStr) -> Result<Given<'a>, Unknown> {
        let letter = *cluster.to_bytes().first().ok_or(Unknown)?;
        let option = OPTIONS
            .iter()
            .find(|option| option.short == letter)
            .ok_or(Unknown)?;
        let rest = skip(cluster, 1).filter(|rest| !rest.is_empty());
        let value = match option.value {
            Value::Required => Some(match rest {
                // -w=DIR is no name of a folder that begins with =, but a slip.
                Some(rest) if rest.to_bytes().first() == Some(&b'=') => return Err(Unknown),
                Some(rest) => rest,
                None => self.word().ok_or(Unknown)?,
            }),
            Value::None | Value::Optional => {
                self.cluster = rest;
                None
            }
        };

        Ok(Given {
            id: option.id,
            value,
        })
    }

    fn long(&mut self, text: &'a CStr) -> Result<Given<'a>, Unknown> {
        let bytes = text.to_bytes();
        let end = bytes.iter().position(|&byte| byte == b'=');
        let name = bytes.get(..end.unwrap_or(bytes.len())).ok_or(Unknown)?;
        let option = OPTIONS
            .iter()
            .find(|option| option.long.as_bytes() == name)
            .ok_or(Unknown)?;
        let given = end.and_then(|end| skip(text, end + 1));
        let value = match (option.value, given) {
            (Value::None, Some(_)) => return Err(Unknown),
            (Value::Required, None) => Some(self.word().ok_or(Unknown)?),
            (_, given) => given,
        };

        Ok(Given {
            id: option.id,
            value,
        })
    }
}

impl<'a, I: Iterator<Item = &'a CStr> + Clone> Iterator for Words<'a, I> {
    type Item = Result<Given<'a>, Unknown>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(cluster) = self.cluster.take() {
            return Some(self.short(cluster));
        }
        let word = self.words.clone().next()?;
        match word.to_bytes() {
            [b'-', b'-'] => {
                self.word();
                None
            }
            [b'-', b'-', ..] => {
                self.word();
                skip(word, 2).map(|text| self.long(text))
            }
            [b'-', _, ..] => {
                self.word();
                skip(word, 1).map(|text| self.short(text))
            }
            _ => None,
        }
    }
}
