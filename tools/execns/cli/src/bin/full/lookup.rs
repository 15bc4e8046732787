// SPDX-License-Identifier: GPL-2.0

//! Values that are words: names of users and groups, and ranges of ids that files tell.

use execns_cli::grammar::Id;
use execns_cli::options;
use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStringExt;

/// Uids or gids.
#[derive(Clone, Copy)]
struct Kind {
    /// Where names are.
    names: &'static str,
    /// Where ranges of a user are.
    ranges: &'static str,
    /// The map of this process.
    map: &'static str,
    /// Who may write such ranges for anybody.
    helper: &'static str,
    capability: (&'static str, u32),
}

const USERS: Kind = Kind {
    names: "/etc/passwd",
    ranges: "/etc/subuid",
    map: "/proc/self/uid_map",
    helper: "newuidmap",
    capability: ("CAP_SETUID", 7),
};

const GROUPS: Kind = Kind {
    names: "/etc/group",
    ranges: "/etc/subgid",
    map: "/proc/self/gid_map",
    helper: "newgidmap",
    capability: ("CAP_SETGID", 6),
};

fn read(path: &str) -> Result<String, String> {
    match fs::read(path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) => Err(format!("can't read {path}: {error}")),
    }
}

/// The third field of the line whose first one is the name.
fn id_of(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok())?
    })
}

/// The first and the count of each range of the user, who is there by name or number.
fn subids(text: &str, name: Option<&str>, uid: u32) -> Vec<[u32; 2]> {
    let uid = uid.to_string();
    let fields = |line: &str| {
        let fields: Vec<&str> = line.trim().split(':').collect();
        let [owner, first, count] = fields[..] else {
            return None;
        };
        let mine = owner == uid || name == Some(owner);
        mine.then(|| Some([first.parse().ok()?, count.parse().ok()?]))?
    };

    text.lines().filter_map(fields).collect()
}

fn name_of(text: &str, uid: u32) -> Option<&str> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// The ranges of a map of /proc, each to itself.
fn all(text: &str) -> Vec<[u32; 3]> {
    let range = |line: &str| {
        let mut numbers = line.split_whitespace().map(str::parse);
        let inside = numbers.next()?.ok()?;
        Some([inside, inside, numbers.nth(1)?.ok()?])
    };

    text.lines().filter_map(range).collect()
}

fn may(capability: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));

    effective
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> capability & 1 != 0)
}

impl Kind {
    fn number(self, name: &str) -> Result<u32, String> {
        id_of(&read(self.names)?, name)
            .ok_or_else(|| format!("there is no {name} in {}: type a number", self.names))
    }

    fn subids(self, uid: u32) -> Result<Vec<[u32; 2]>, String> {
        let (capability, bit) = self.capability;
        if !may(bit) {
            return Err(format!(
                "mapping the ids of {} takes {capability}, which you do not have. {} has it, but \
                 can't help before the program runs. Become root, or type --map-root-user",
                self.ranges, self.helper
            ));
        }
        let names = read(USERS.names).unwrap_or_default();
        let name = name_of(&names, uid);
        let ranges = subids(&read(self.ranges)?, name, uid);
        if ranges.is_empty() {
            let name = name.map_or(uid.to_string(), str::to_string);
            return Err(format!("{} has no range of {name}", self.ranges));
        }
        Ok(ranges)
    }

    fn ranges(self, word: &str, uid: u32) -> Result<Vec<[u32; 3]>, String> {
        match word {
            "all" => Ok(all(&read(self.map)?)),
            "subids" => {
                let itself = |[first, count]: [u32; 2]| [first, first, count];
                Ok(self.subids(uid)?.into_iter().map(itself).collect())
            }
            "auto" => {
                let [first, count] = self.subids(uid)?[0];
                Ok(vec![[0, first, count]])
            }
            _ => Err(format!(
                "{word} is neither inner:outer:count nor all, subids or auto"
            )),
        }
    }
}

/// The option with the words in its value looked up. The ranges may be several.
pub fn resolve(
    id: Id,
    value: Option<CString>,
    uid: u32,
) -> Result<Vec<(Id, Option<CString>)>, String> {
    let kind = match id {
        Id::MapUser | Id::Setuid | Id::MapUsers => USERS,
        Id::MapGroup | Id::Setgid | Id::MapGroups => GROUPS,
        Id::MapAuto => {
            let auto = |id| resolve(id, Some(c"auto".into()), uid);
            return Ok([auto(Id::MapUsers)?, auto(Id::MapGroups)?].concat());
        }
        _ => return Ok(vec![(id, value)]),
    };
    let text = value.clone().unwrap_or_default().into_bytes();
    let word = OsString::from_vec(text.clone())
        .to_string_lossy()
        .into_owned();
    let give = |text: String| (id, CString::new(text).ok());

    if matches!(id, Id::MapUsers | Id::MapGroups) {
        if text.first().is_some_and(u8::is_ascii_digit) {
            return Ok(vec![(id, value)]);
        }
        let ranges = kind.ranges(&word, uid)?.into_iter();
        return Ok(ranges
            .map(|[a, b, count]| give(format!("{a}:{b}:{count}")))
            .collect());
    }
    if options::number(&text).is_ok() {
        return Ok(vec![(id, value)]);
    }
    Ok(vec![give(kind.number(&word)?.to_string())])
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/:/bin/sh\n";

    #[test]
    fn names_are_found_as_a_whole() {
        assert_eq!(id_of(PASSWD, "user"), Some(1000));
        assert_eq!(id_of(PASSWD, "use"), None);
        assert_eq!(name_of(PASSWD, 0), Some("root"));
        assert_eq!(name_of(PASSWD, 1), None);
    }

    #[test]
    fn subordinate_ids_are_those_of_the_user() {
        let text = "user:100000:65536\nother:165536:65536\n1000:300000:10\nbad line\n";

        assert_eq!(
            subids(text, Some("user"), 1000),
            [[100_000, 65536], [300_000, 10]]
        );
        assert_eq!(subids(text, None, 1), [[0; 2]; 0]);
    }

    #[test]
    fn all_ids_are_mapped_to_themselves() {
        let text = "         0     100000      65536\n     65536          0          1\n";

        assert_eq!(all(text), [[0, 0, 65536], [65536, 65536, 1]]);
    }
}
