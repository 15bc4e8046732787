// SPDX-License-Identifier: GPL-2.0

//! What a program gets new.

use std::fmt;
use std::str::FromStr;

bitflags::bitflags! {
    /// What the program gets new, and need not share with its caller: the `unshare_flags` of
    /// execns(2) and execnsat(2), with the values of unshare(2).
    ///
    /// # Examples
    ///
    /// ```
    /// use execns::Namespaces;
    ///
    /// let some: Namespaces = "user,mount".parse()?;
    /// assert_eq!(some, Namespaces::USER | Namespaces::MOUNT);
    /// assert_eq!(some.to_string(), "mount,user");
    /// # Ok::<(), execns::ParseError>(())
    /// ```
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
    pub struct Namespaces: u64 {
        /// A mount namespace.
        const MOUNT = 0x0002_0000;
        /// A UTS namespace: the names of host and domain.
        const UTS = 0x0400_0000;
        /// An IPC namespace.
        const IPC = 0x0800_0000;
        /// A user namespace.
        const USER = 0x1000_0000;
        /// A PID namespace, for the program's children.
        const PID = 0x2000_0000;
        /// A network namespace.
        const NET = 0x4000_0000;
        /// A cgroup namespace.
        const CGROUP = 0x0200_0000;
        /// A time namespace.
        const TIME = 0x0000_0080;
        /// A root, working directory and umask that nobody shares.
        const FS = 0x0000_0200;
        /// No list of semaphore adjustments.
        const SYSVSEM = 0x0004_0000;
        /// A mount namespace without a mount (execnsat(2) only). The program has to be given by
        /// descriptor, as there is no path to it.
        const EMPTY_MOUNT = execns_abi::UNSHARE_EMPTY_MNTNS;

        // Bits that the kernel may come to know.
        const _ = !0;
    }
}

/// Each flag, as C and as a person writes it.
const NAMES: [(Namespaces, &str, &str); 11] = [
    (Namespaces::MOUNT, "CLONE_NEWNS", "mount"),
    (Namespaces::UTS, "CLONE_NEWUTS", "uts"),
    (Namespaces::IPC, "CLONE_NEWIPC", "ipc"),
    (Namespaces::USER, "CLONE_NEWUSER", "user"),
    (Namespaces::PID, "CLONE_NEWPID", "pid"),
    (Namespaces::NET, "CLONE_NEWNET", "net"),
    (Namespaces::CGROUP, "CLONE_NEWCGROUP", "cgroup"),
    (Namespaces::TIME, "CLONE_NEWTIME", "time"),
    (Namespaces::FS, "CLONE_FS", "fs"),
    (Namespaces::SYSVSEM, "CLONE_SYSVSEM", "sysvsem"),
    (
        Namespaces::EMPTY_MOUNT,
        "UNSHARE_EMPTY_MNTNS",
        "empty-mount",
    ),
];

impl Namespaces {
    /// One namespace of each of the eight kinds. (`all()` has every bit there is.)
    pub const EVERY_KIND: Self = Self::MOUNT
        .union(Self::UTS)
        .union(Self::IPC)
        .union(Self::USER)
        .union(Self::PID)
        .union(Self::NET)
        .union(Self::CGROUP)
        .union(Self::TIME);

    /// The flags that are set, one by one. What has no name comes last, and together.
    pub(crate) fn each(self) -> impl Iterator<Item = Self> {
        let named = NAMES.iter().map(|&(flag, ..)| flag);
        let unnamed = named.clone().fold(self, Self::difference);

        named
            .filter(move |&flag| self.contains(flag))
            .chain((!unnamed.is_empty()).then_some(unnamed))
    }

    fn name(self, c: bool) -> Option<&'static str> {
        NAMES
            .iter()
            .find(|(flag, ..)| *flag == self)
            .map(|&(_, in_c, short)| if c { in_c } else { short })
    }

    /// As a C program has them, for instance `CLONE_NEWNS|CLONE_NEWUSER`.
    pub(crate) fn in_c(self) -> String {
        let words: Vec<String> = self
            .each()
            .map(|flag| {
                flag.name(true)
                    .map_or_else(|| format!("{:#x}", flag.bits()), str::to_string)
            })
            .collect();

        if words.is_empty() {
            "0".into()
        } else {
            words.join("|")
        }
    }
}

impl fmt::Display for Namespaces {
    /// The names that [`Namespaces::from_str`] takes, for instance `mount,user`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, flag) in self.each().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match flag.name(false) {
                Some(name) => f.write_str(name)?,
                None => write!(f, "{:#x}", flag.bits())?,
            }
        }
        Ok(())
    }
}

/// A word that is none of a list of flags, or no id map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    pub(crate) word: String,
    pub(crate) expected: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not {}", self.word, self.expected)
    }
}

impl std::error::Error for ParseError {}

impl FromStr for Namespaces {
    type Err = ParseError;

    /// Takes a list separated by commas or `|`, of `mount` (or `mnt`), `uts`, `ipc`, `user`, `pid`,
    /// `net`, `cgroup`, `time`, `fs`, `sysvsem`, `empty-mount`, of the names that C has for these,
    /// and of `all`, which is one of each kind.
    fn from_str(list: &str) -> Result<Self, ParseError> {
        let words = list.split([',', '|']).map(str::trim);

        words
            .filter(|word| !word.is_empty())
            .map(|word| match word.to_ascii_lowercase().as_str() {
                "all" => Ok(Self::EVERY_KIND),
                "mnt" => Ok(Self::MOUNT),
                lower => NAMES
                    .iter()
                    .find(|(_, c, short)| *short == lower || c.eq_ignore_ascii_case(lower))
                    .map(|&(flag, ..)| flag)
                    .ok_or_else(|| ParseError {
                        word: word.into(),
                        expected: format!(
                            "one of {}, all",
                            NAMES.map(|(.., name)| name).join(", ")
                        ),
                    }),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_unshare() {
        for (flag, value) in [
            (Namespaces::MOUNT, libc::CLONE_NEWNS),
            (Namespaces::UTS, libc::CLONE_NEWUTS),
            (Namespaces::IPC, libc::CLONE_NEWIPC),
            (Namespaces::USER, libc::CLONE_NEWUSER),
            (Namespaces::PID, libc::CLONE_NEWPID),
            (Namespaces::NET, libc::CLONE_NEWNET),
            (Namespaces::CGROUP, libc::CLONE_NEWCGROUP),
            (Namespaces::TIME, libc::CLONE_NEWTIME),
            (Namespaces::FS, libc::CLONE_FS),
            (Namespaces::SYSVSEM, libc::CLONE_SYSVSEM),
        ] {
            assert_eq!(flag.bits(), value as u64);
        }
        assert_eq!(Namespaces::EVERY_KIND.each().count(), 8);
    }

    #[test]
    fn lists_are_parsed() {
        let parse = str::parse::<Namespaces>;

        assert_eq!(parse(""), Ok(Namespaces::empty()));
        assert_eq!(parse("all"), Ok(Namespaces::EVERY_KIND));
        assert_eq!(parse("mnt, net"), Ok(Namespaces::MOUNT | Namespaces::NET));
        assert_eq!(
            parse("CLONE_NEWUSER|clone_fs"),
            Ok(Namespaces::USER | Namespaces::FS)
        );
        let error = parse("user,bogus").unwrap_err().to_string();
        assert!(
            error.starts_with("'bogus' is not one of mount, uts,"),
            "{error}"
        );
    }

    #[test]
    fn what_is_printed_is_parsed() {
        for flag in NAMES.map(|(flag, ..)| flag) {
            assert_eq!(flag.to_string().parse(), Ok(flag));
            assert_eq!(flag.in_c().parse(), Ok(flag));
        }
        let every = Namespaces::EVERY_KIND | Namespaces::FS;
        assert_eq!(every.to_string().parse(), Ok(every));
    }

    #[test]
    fn unnamed_bits_are_printed() {
        let bits = Namespaces::from_bits_retain(0x1003) | Namespaces::USER;

        assert_eq!(bits.in_c(), "CLONE_NEWUSER|0x1003");
        assert_eq!(bits.to_string(), "user,0x1003");
        assert_eq!(Namespaces::empty().in_c(), "0");
    }
}
