// SPDX-License-Identifier: GPL-2.0

//! What a launch by execns(2) costs, against its rivals.
//!
//! In a new user namespace, execns(2) maps ids. A rival that does not starts a program that is
//! nobody; one that does is there as well.

use execns::{Namespaces, Program};
use execns_guest::launch::{self, Others};
use execns_guest::start::map_own_ids;
use execns_guest::sys::{self, Spawn};
use execns_guest::text::{at_most, table};
use std::error::Error;
use std::ffi::CStr;
use std::fs;
use std::io;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What the child does.
#[derive(Clone, Copy)]
enum Way {
    Execve,
    Execns(Namespaces),
    /// unshare(2) if there are flags, close_range(2), in a new table or not, and execve(2).
    Rival(Namespaces, bool),
    /// The same with its own ids mapped.
    RivalMapped(Namespaces),
}

struct Bench {
    program: Program,
}

const OWN: [&CStr; 3] = [
    c"/proc/self/setgroups",
    c"/proc/self/uid_map",
    c"/proc/self/gid_map",
];

impl Bench {
    fn child(&self, way: Way) -> io::Error {
        let prepared = match way {
            Way::Execve => Ok(()),
            Way::Execns(flags) => return self.program.execns(flags),
            Way::Rival(flags, own_table) if flags.is_empty() => sys::close_from(3, own_table),
            Way::Rival(flags, own_table) => {
                sys::unshare(flags).and_then(|()| sys::close_from(3, own_table))
            }
            Way::RivalMapped(flags) => sys::unshare(flags)
                .and_then(|()| map_own_ids(OWN))
                .and_then(|()| sys::close_from(3, false)),
        };

        match prepared {
            Ok(()) => self.program.execve(),
            Err(error) => error,
        }
    }

    /// The instructions of a launch.
    fn launch(&self, spawn: Spawn, way: Way) -> Result<u64> {
        let costs = launch::least(&[&|| {
            let child = spawn.run(&mut || self.child(way).raw_os_error().unwrap_or(255))?;

            match sys::wait(child)? {
                0 => Ok(()),
                errno => Err(io::Error::from_raw_os_error(errno)),
            }
        }])?;

        Ok(costs[0].instructions)
    }
}

fn flags(bench: &Bench) -> Result<bool> {
    let uts_ipc = Namespaces::UTS | Namespaces::IPC;
    let all = Namespaces::EVERY_KIND;
    let rows = [
        ("execve", Way::Execve),
        ("execns(0)", Way::Execns(Namespaces::empty())),
        (
            "close_range, execve",
            Way::Rival(Namespaces::empty(), false),
        ),
        ("execns(UTS|IPC)", Way::Execns(uts_ipc)),
        (
            "unshare(UTS|IPC), close_range, execve",
            Way::Rival(uts_ipc, false),
        ),
        ("execns(USER)", Way::Execns(Namespaces::USER)),
        (
            "unshare(USER), close_range, execve",
            Way::Rival(Namespaces::USER, false),
        ),
        ("execns(all)", Way::Execns(all)),
        ("unshare(all), close_range, execve", Way::Rival(all, false)),
        (
            "unshare(all), id maps, close_range, execve",
            Way::RivalMapped(all),
        ),
    ];
    let mut out = table(&[
        "instructions a launch",
        "fork",
        "/ execve",
        "vfork",
        "/ execve",
    ]);
    let mut costs = Vec::new();

    for (name, way) in rows {
        let cost = [
            bench.launch(Spawn::Fork, way)?,
            bench.launch(Spawn::Vfork, way)?,
        ];

        costs.push(cost);
        let ratio = |i: usize| format!("{:.3}", cost[i] as f64 / costs[0][i] as f64);
        out.add_row([
            name.to_string(),
            cost[0].to_string(),
            ratio(0),
            cost[1].to_string(),
            ratio(1),
        ]);
    }
    println!("{out}");
    let ratio = |a: usize, b: usize, i: usize| costs[a][i] as f64 / costs[b][i] as f64;
    let mut holds = true;
    for (i, spawn) in ["fork", "vfork"].into_iter().enumerate() {
        holds &= at_most(
            &format!("{spawn}: execns(0) / execve"),
            ratio(1, 0, i),
            1.02,
        );
        // The one without id maps has less to make: no maps, and no table of users.
        holds &= at_most(
            &format!("{spawn}: execns(all) / unshare(all), close_range, execve"),
            ratio(7, 8, i),
            1.01,
        );
        holds &= at_most(
            &format!("{spawn}: execns(all) / unshare(all), id maps, close_range, execve"),
            ratio(7, 9, i),
            1.0,
        );
    }
    Ok(holds)
}

/// Each kind of namespace alone, to see where a difference comes from.
fn kinds(bench: &Bench) -> Result<()> {
    let mut out = table(&["one kind, vfork", "execns", "unshare, ..., execve", "ratio"]);

    for (name, kind) in Namespaces::EVERY_KIND.iter_names() {
        let ours = bench.launch(Spawn::Vfork, Way::Execns(kind))?;
        let theirs = bench.launch(Spawn::Vfork, Way::Rival(kind, false))?;

        out.add_row([
            name.to_string(),
            ours.to_string(),
            theirs.to_string(),
            format!("{:.3}", ours as f64 / theirs as f64),
        ]);
    }
    println!("{out}");
    Ok(())
}

fn descriptors(bench: &Bench) -> Result<bool> {
    const COUNTS: [usize; 4] = [3, 100, 10_000, 100_000];
    let none = Namespaces::empty();
    let rows = [
        ("sharer: execns(0)", Spawn::VforkFiles, Way::Execns(none)),
        (
            "sharer: close_range(UNSHARE), execve",
            Spawn::VforkFiles,
            Way::Rival(none, true),
        ),
        (
            "sharer: execve, nothing closed",
            Spawn::VforkFiles,
            Way::Execve,
        ),
        ("owner: execns(0)", Spawn::Fork, Way::Execns(none)),
        (
            "owner: close_range, execve",
            Spawn::Fork,
            Way::Rival(none, false),
        ),
        ("owner: execve, nothing closed", Spawn::Fork, Way::Execve),
    ];
    let mut costs = vec![Vec::new(); rows.len()];

    fs::write("/proc/sys/fs/nr_open", "1048576")?;
    sys::limit_descriptors(200_000)?;
    let mut open = 3;
    for count in COUNTS {
        while open < count {
            let file = rustix::fs::open(
                "/dev/null",
                rustix::fs::OFlags::RDONLY,
                rustix::fs::Mode::empty(),
            )?;
            std::mem::forget(file);
            open += 1;
        }
        for (cost, (_, spawn, way)) in costs.iter_mut().zip(rows) {
            cost.push(bench.launch(spawn, way)?);
        }
    }

    let mut out = table(&["open descriptors", "3", "100", "10000", "100000", "each"]);
    let each = |cost: &[u64]| (cost[3] as f64 - cost[0] as f64) / (COUNTS[3] - COUNTS[0]) as f64;
    for ((name, ..), cost) in rows.iter().zip(&costs) {
        let mut row = vec![name.to_string()];
        row.extend(cost.iter().map(u64::to_string));
        row.push(format!("{:.1}", each(cost)));
        out.add_row(row);
    }
    println!("{out}");
    println!("  owner: the child of fork copies the table, and closes its copy.");
    let ratio = |a: &[u64], b: &[u64], i: usize| a[i] as f64 / b[i] as f64;
    Ok([
        at_most(
            "sharer: execns(0) at 100,000 / at 3",
            ratio(&costs[0], &costs[0][..1].repeat(4), 3),
            1.02,
        ),
        at_most(
            "sharer: execns(0) / close_range(UNSHARE), execve, at 100,000",
            ratio(&costs[0], &costs[1], 3),
            1.02,
        ),
        at_most(
            "owner: execns(0) / close_range, execve, at 100,000",
            ratio(&costs[3], &costs[4], 3),
            1.0,
        ),
    ]
    .iter()
    .all(|&holds| holds))
}

fn main() -> Result<()> {
    let path = c"/usr/bin/execns-true";
    let bench = Bench {
        program: Program::new(path.into(), vec![path.into()], vec![]),
    };
    let _others = Others::start()?;
    let holds = flags(&bench)?;
    kinds(&bench)?;
    let holds = holds & descriptors(&bench)?;

    if holds {
        Ok(())
    } else {
        Err("what is marked MISS does not hold".into())
    }
}
