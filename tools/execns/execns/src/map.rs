// SPDX-License-Identifier: GPL-2.0

//! What the new user and time namespaces are made with.

use crate::namespaces::ParseError;
use std::fmt;
use std::str::FromStr;

/// A range of ids, as a line of `/proc/PID/uid_map`.
///
/// # Examples
///
/// ```
/// use execns::IdMap;
///
/// let map: IdMap = "0:1000:1".parse()?;
/// assert_eq!(map, IdMap { inside: 0, outside: 1000, count: 1 });
/// # Ok::<(), execns::ParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IdMap {
    /// The first id in the new user namespace.
    pub inside: u32,
    /// The first id in the caller's user namespace.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

impl IdMap {
    /// As many lines as a map may have.
    pub const MAX_LINES: usize = execns_abi::MAX_EXTENTS;
}

impl FromStr for IdMap {
    type Err = ParseError;

    /// Takes `INSIDE:OUTSIDE:COUNT`, or the three separated by blanks as in `/proc/PID/uid_map`.
    fn from_str(line: &str) -> Result<Self, ParseError> {
        let error = || ParseError {
            word: line.into(),
            expected: "INSIDE:OUTSIDE:COUNT, three numbers below 4294967296".into(),
        };
        let words: Vec<&str> = match line.contains(':') {
            true => line.split(':').collect(),
            false => line.split_whitespace().collect(),
        };
        let [inside, outside, count] = words[..] else {
            return Err(error());
        };
        let number = |word: &str| word.trim().parse().map_err(|_| error());

        Ok(Self {
            inside: number(inside)?,
            outside: number(outside)?,
            count: number(count)?,
        })
    }
}

impl fmt::Display for IdMap {
    /// As [`IdMap::from_str`] takes it, with colons.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.inside, self.outside, self.count)
    }
}

/// Which ids a map is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ids {
    /// User ids.
    Uid,
    /// Group ids.
    Gid,
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Uid => "uid",
            Self::Gid => "gid",
        })
    }
}

/// Whether setgroups(2) can be called in the new user namespace: what is written to
/// `/proc/PID/setgroups` before the maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setgroups {
    /// It can, by who has the capability in the new namespace.
    Allow,
    /// It cannot, for ever. A gid map that an unprivileged caller makes needs it.
    Deny,
}

impl FromStr for Setgroups {
    type Err = ParseError;

    /// Takes `allow` and `deny`.
    fn from_str(word: &str) -> Result<Self, ParseError> {
        match word {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(ParseError {
                word: word.into(),
                expected: "one of allow, deny".into(),
            }),
        }
    }
}

/// A clock that a time namespace can set off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`, and those like it.
    Monotonic,
    /// `CLOCK_BOOTTIME`.
    Boottime,
}

impl Clock {
    pub(crate) fn number(self) -> i32 {
        match self {
            Self::Monotonic => libc::CLOCK_MONOTONIC,
            Self::Boottime => libc::CLOCK_BOOTTIME,
        }
    }
}

impl FromStr for Clock {
    type Err = ParseError;

    /// Takes `monotonic` and `boottime`.
    fn from_str(word: &str) -> Result<Self, ParseError> {
        match word {
            "monotonic" => Ok(Self::Monotonic),
            "boottime" => Ok(Self::Boottime),
            _ => Err(ParseError {
                word: word.into(),
                expected: "one of monotonic, boottime".into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_parsed() {
        let map = IdMap {
            inside: 0,
            outside: 100_000,
            count: 65_536,
        };

        assert_eq!("0:100000:65536".parse(), Ok(map));
        assert_eq!("         0     100000      65536\n".parse(), Ok(map));
        assert_eq!(map.to_string().parse(), Ok(map));
        for wrong in [
            "",
            "0",
            "0:1",
            "0:1:2:3",
            "a:1:1",
            "0:1:-1",
            "0:1:4294967296",
            "0 1",
        ] {
            let error = wrong.parse::<IdMap>().unwrap_err();
            assert!(
                error.to_string().contains("INSIDE:OUTSIDE:COUNT"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn words_are_parsed() {
        assert_eq!("allow".parse(), Ok(Setgroups::Allow));
        assert_eq!("deny".parse(), Ok(Setgroups::Deny));
        assert!("".parse::<Setgroups>().is_err());
        assert_eq!("monotonic".parse(), Ok(Clock::Monotonic));
        assert_eq!("boottime".parse(), Ok(Clock::Boottime));
        assert!("realtime".parse::<Clock>().is_err());
    }
}
