// SPDX-License-Identifier: GPL-2.0

//! Who calls: root, root that lacks something, a user, and users of a namespace with some ids only.

use crate::probe::{proc_file, write_proc_file};
use crate::sys::{self, Spawn};
use execns::Namespaces;
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, Gid, Uid, capabilities, set_capabilities, set_keep_capabilities,
    set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// Maps of a user namespace that the caller is in, and who it is there.
#[derive(Clone, Copy, Debug)]
pub struct Nested {
    pub uid_map: &'static str,
    pub gid_map: &'static str,
    /// If not, it is who it was, mapped or not.
    pub id: Option<(u32, u32)>,
    pub deny: bool,
}

#[derive(Clone, Copy, Debug)]
pub struct Privilege {
    pub nested: Option<Nested>,
    /// In the initial user namespace.
    pub id: Option<(u32, u32)>,
    pub groups: &'static [u32],
    /// Those that are left of the four that maps need.
    pub has: CapabilitySet,
}

/// What maps need.
pub const SET_IDS: [CapabilitySet; 4] = [
    CapabilitySet::SETUID,
    CapabilitySet::SETGID,
    CapabilitySet::SETFCAP,
    CapabilitySet::SYS_ADMIN,
];

/// Two ranges, with the id 0.
const TWO: Nested = Nested {
    uid_map: "0 100000 1000\n5000 200000 10\n",
    gid_map: "0 100000 500\n600 300000 100\n",
    id: Some((0, 0)),
    deny: false,
};

/// More lines than fit into the namespace itself.
const SIX: Nested = Nested {
    uid_map: "0 1000 1\n1 2000 2\n3 3000 1\n10 4000 5\n20 5000 1\n30 6000 40\n",
    gid_map: "30 1000 40\n0 2000 1\n1 3000 2\n5 4000 1\n6 5000 1\n7 6000 7\n",
    id: Some((3, 6)),
    deny: false,
};

/// Without the id 0.
const ROOTLESS: Nested = Nested {
    uid_map: "1000 1000 100\n",
    gid_map: "1000 1000 100\n",
    id: Some((1000, 1001)),
    deny: false,
};

/// As a user makes it, and with groups denied.
const DENIED: Nested = Nested {
    uid_map: "0 0 1\n",
    gid_map: "0 0 1\n",
    id: None,
    deny: true,
};

/// The caller has no id there.
const NOBODY: Nested = Nested {
    uid_map: "10 100000 5\n",
    gid_map: "10 100000 5\n",
    id: None,
    deny: false,
};

impl Privilege {
    pub const ROOT: Self = Self {
        nested: None,
        id: None,
        groups: &[],
        has: CapabilitySet::all(),
    };

    pub const USER: Self = Self {
        nested: None,
        id: Some((1000, 1000)),
        groups: &[],
        has: CapabilitySet::empty(),
    };

    pub fn without(self, capabilities: CapabilitySet) -> Self {
        Self {
            has: self.has - capabilities,
            ..self
        }
    }

    pub fn every() -> Vec<Self> {
        let lacking = |bits: usize| {
            SET_IDS
                .into_iter()
                .enumerate()
                .filter(|(i, _)| bits >> i & 1 != 0)
                .fold(CapabilitySet::empty(), |set, (_, one)| set | one)
        };
        let in_namespace = |nested| Self {
            nested: Some(nested),
            ..Self::ROOT
        };
        let mut every: Vec<Self> = (0..16)
            .map(|bits| Self::ROOT.without(lacking(bits)))
            .collect();

        every.extend([
            Self::USER,
            Self {
                groups: &[1000, 5, 6],
                id: Some((1000, 5)),
                ..Self::USER
            },
            Self {
                has: CapabilitySet::SETUID | CapabilitySet::SETGID,
                ..Self::USER
            },
            Self {
                has: CapabilitySet::SETGID,
                ..Self::USER
            },
        ]);
        for nested in [TWO, SIX, ROOTLESS] {
            every.push(in_namespace(nested));
            for bits in [1, 2, 4, 15] {
                every.push(in_namespace(nested).without(lacking(bits)));
            }
        }
        every.extend([DENIED, NOBODY].map(in_namespace));
        every.push(in_namespace(DENIED).without(lacking(15)));
        every
    }

    /// Becomes this. There is no way back.
    pub fn take(&self) -> Result<Parent, String> {
        let failed = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");

        if let Some((uid, gid)) = self.id {
            become_id(uid, gid, self.groups).map_err(|e| failed("ids", &e))?;
        }
        if let Some(nested) = &self.nested {
            nest(nested)?;
            if let Some((uid, gid)) = nested.id {
                become_id(uid, gid, &[]).map_err(|e| failed("ids there", &e))?;
            }
        }
        let mut sets = capabilities(None).map_err(|e| failed("capget", &e))?;
        sets.permitted &= self.has;
        sets.effective = sets.permitted;
        sets.inheritable = CapabilitySet::empty();
        set_capabilities(None, sets).map_err(|e| failed("capset", &e))?;
        // A change of ids makes files of /proc/PID root's.
        set_dumpable_behavior(DumpableBehavior::Dumpable).map_err(|e| failed("prctl", &e))?;
        Parent::of_self()
    }
}

fn become_id(uid: u32, gid: u32, groups: &[u32]) -> rustix::io::Result<()> {
    let groups: Vec<Gid> = groups.iter().map(|&gid| Gid::from_raw(gid)).collect();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));

    set_keep_capabilities(true)?;
    set_thread_groups(&groups)?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)
}

/// Enters a new user namespace, for which a process that stays outside writes the maps.
fn nest(nested: &Nested) -> Result<(), String> {
    let me = rustix::process::getpid().as_raw_nonzero().get();
    let (reader, writer) = rustix::pipe::pipe().map_err(|e| e.to_string())?;
    let child = Spawn::Fork
        .run(&mut || {
            let write = || {
                if nested.deny {
                    write_proc_file(me, "setgroups", "deny")?;
                }
                write_proc_file(me, "uid_map", nested.uid_map)?;
                write_proc_file(me, "gid_map", nested.gid_map)
            };

            match rustix::io::read(&reader, &mut [0; 1]) {
                Ok(1) => write().err().unwrap_or(0),
                _ => 99,
            }
        })
        .map_err(|e| e.to_string())?;

    sys::unshare(Namespaces::USER).map_err(|e| format!("unshare: {e}"))?;
    rustix::io::write(&writer, &[1]).map_err(|e| e.to_string())?;
    match sys::wait(child) {
        Ok(0) => Ok(()),
        other => Err(format!("maps of {nested:?}: {other:?}")),
    }
}

/// The user namespace that the caller is in, as it sees it.
#[derive(Clone, Debug)]
pub struct Parent {
    /// Which ids there are: the first and how many.
    pub uids: Vec<(u32, u32)>,
    pub gids: Vec<(u32, u32)>,
    pub uid: u32,
    pub gid: u32,
    /// Whether execns(2) maps all of them.
    pub maps_all: bool,
}

impl Parent {
    fn of_self() -> Result<Self, String> {
        let me = rustix::process::getpid().as_raw_nonzero().get();
        let ranges = |name| -> Result<Vec<(u32, u32)>, String> {
            let text = proc_file(me, name)?;
            let numbers: Vec<u32> = text
                .split_whitespace()
                .map(|word| word.parse().map_err(|e| format!("{name}: {e}")))
                .collect::<Result<_, _>>()?;

            Ok(numbers.chunks(3).map(|line| (line[0], line[2])).collect())
        };
        let has = capabilities(None).map_err(|e| e.to_string())?.effective;
        let uids = ranges("uid_map")?;
        let root = uids.iter().any(|&(first, _)| first == 0);

        Ok(Self {
            gids: ranges("gid_map")?,
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
            maps_all: has.contains(CapabilitySet::SETUID | CapabilitySet::SETGID)
                && (!root || has.contains(CapabilitySet::SETFCAP)),
            uids,
        })
    }
}
