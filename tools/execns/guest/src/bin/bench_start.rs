// SPDX-License-Identifier: GPL-2.0

//! What it costs to start a program as a container: by execnsat(2), by what it replaces, and by
//! commands.

use clap::Parser;
use comfy_table::Table;
use execns::Namespaces;
use execns_guest::launch::{self, Cost, Launch, Others};
use execns_guest::start::{Starter, Way};
use execns_guest::text::{at_most, table};
use rustix::fs::{Mode, OFlags, open};
use std::error::Error;
use std::ffi::CString;
use std::fs;
use std::io;
use std::process;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What it costs to start a program as a container, in instructions where a nanosecond is one
#[derive(Parser)]
struct Options {
    /// Exit with the number of descriptors above standard error
    #[arg(long, hide = true)]
    count_descriptors: bool,
}

/// What does nothing.
const TRUE: &str = "/usr/bin/execns-true";

/// A line of a table.
struct Line {
    name: String,
    starter: Starter,
    way: Way,
    /// What this kernel or this guest lacks for it. That is no error.
    lacks: Option<String>,
}

struct Measured {
    calls: u64,
    cost: Cost,
}

fn starter<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Starter> {
    let words: std::result::Result<_, _> = words.into_iter().map(CString::new).collect();

    Ok(Starter::new(words?))
}

/// Measures lines that are compared.
fn measure(lines: &[Line]) -> io::Result<Vec<Option<Measured>>> {
    let mut runs = Vec::new();

    for line in lines.iter().filter(|line| line.lacks.is_none()) {
        let run = line.starter.way(line.way)?;

        runs.push(move || {
            match run() {
                Ok(0) => Ok(()),
                Ok(status) => Err(format!("exit status {status}")),
                Err(error) => Err(error.to_string()),
            }
            .map_err(|error| io::Error::other(format!("{}: {error}", line.name)))
        });
    }
    let launches: Vec<Launch> = runs.iter().map(|run| run as Launch).collect();
    let costs = launch::least(&launches)?;
    let mut measured = Vec::new();

    for (launch, cost) in launches.into_iter().zip(costs) {
        let calls = launch::system_calls(launch)?;

        measured.push(Measured { calls, cost });
    }
    let mut measured = measured.into_iter();
    Ok(lines
        .iter()
        .map(|line| match line.lacks {
            None => measured.next(),
            Some(_) => None,
        })
        .collect())
}

fn ratio(a: &Option<Measured>, b: &Option<Measured>) -> Option<f64> {
    let instructions = |measured: &Measured| measured.cost.instructions as f64;

    Some(a.as_ref().map(instructions)? / b.as_ref().map(instructions)?)
}

/// Adds lines, which are compared with the first of them. `more` is a column after those of all.
fn add(
    out: &mut Table,
    lines: &[Line],
    measured: &[Option<Measured>],
    more: impl Fn(usize) -> Option<String>,
) {
    for (i, (line, this)) in lines.iter().zip(measured).enumerate() {
        let numbers = this.as_ref().map(|Measured { calls, cost }| {
            [
                calls.to_string(),
                cost.switches.to_string(),
                cost.instructions.to_string(),
            ]
        });
        let mut cells = vec![line.name.clone()];

        cells.extend(numbers.unwrap_or(["-"; 3].map(String::from)));
        cells.push(ratio(this, &measured[0]).map_or("-".into(), |times| format!("{times:.3}")));
        cells.extend(more(i));
        out.add_row(cells);
    }
}

fn explain(lines: &[Line]) {
    for line in lines {
        if let Some(why) = &line.lacks {
            println!("  - {}: {why}", line.name);
        }
    }
}

/// Without ours, which comes first, it does not hold. Without the rival there is nothing to hold.
fn bound(what: &str, measured: &[Option<Measured>], rival: usize, limit: f64) -> bool {
    let times = ratio(&measured[0], &measured[rival]).unwrap_or(f64::INFINITY);

    measured[rival].is_none() || at_most(what, times, limit)
}

fn lacks_call() -> Option<String> {
    (!execns::is_supported()).then(|| "this kernel does not have the call".into())
}

/// The system call against those that it replaces.
fn calls() -> Result<bool> {
    let line = |name: String, way| -> Result<Line> {
        let lacks = match way {
            Way::Execnsat(_) => lacks_call(),
            _ => None,
        };

        Ok(Line {
            name,
            starter: starter([TRUE])?,
            way,
            lacks,
        })
    };
    let all = Namespaces::EVERY_KIND;
    let sets = [
        ("USER", Namespaces::USER, 0.5),
        ("all but NET", all.difference(Namespaces::NET), 0.75),
        ("all", all, 0.87),
    ];
    let mut out = table(&[
        "start until reaped, ids mapped",
        "system calls",
        "context switches",
        "instructions",
        "/ execnsat",
    ]);
    let plain = [
        line("vfork, execnsat".into(), Way::Execnsat(Namespaces::empty()))?,
        line("vfork, execve".into(), Way::Vfork)?,
        line("posix_spawn".into(), Way::PosixSpawn)?,
    ];
    add(&mut out, &plain, &measure(&plain)?, |_| None);
    let mut measured = Vec::new();
    for (set, flags, _) in sets {
        let lines = [
            line(format!("{set}: vfork, execnsat"), Way::Execnsat(flags))?,
            line(format!("{set}: clone3, maps, execve"), Way::Clone(flags))?,
            line(
                format!("{set}: fork, unshare, maps, execve"),
                Way::Fork(flags),
            )?,
        ];

        measured.push(measure(&lines)?);
        add(&mut out, &lines, &measured[measured.len() - 1], |_| None);
    }
    println!("{out}");
    explain(&plain);
    let mut holds = true;
    for ((set, _, limit), measured) in sets.into_iter().zip(measured) {
        let what = format!("{set}: execnsat / clone3, maps, execve");

        holds &= bound(&what, &measured, 1, limit);
    }
    Ok(holds)
}

/// A command that starts a program in all new namespaces, with the caller as root, and /proc.
struct Command {
    path: &'static str,
    options: &'static str,
    /// Where it comes from.
    source: &'static str,
}

const UNSHARE_OPTIONS: &str = "--user --map-root-user --mount --pid --fork --net --ipc --uts \
                               --cgroup --time --mount-proc";

/// Ours first.
const COMMANDS: [Command; 3] = [
    Command {
        path: "/usr/bin/execns",
        options: UNSHARE_OPTIONS,
        source: "tools/execns",
    },
    Command {
        path: "/usr/bin/unshare",
        options: UNSHARE_OPTIONS,
        source: "Debian's package util-linux",
    },
    Command {
        path: "/usr/bin/bwrap",
        options: "--unshare-all --ro-bind / / --proc /proc --dev /dev",
        source: "Debian's package bubblewrap",
    },
];

impl Command {
    fn starter(&self, program: &[&str]) -> Result<Starter> {
        let options = self.options.split_whitespace();

        starter(
            [self.path]
                .into_iter()
                .chain(options)
                .chain(program.iter().copied()),
        )
    }

    fn line(&self) -> Result<Line> {
        let there = fs::exists(self.path)?;

        Ok(Line {
            name: self.path.rsplit('/').next().unwrap_or(self.path).into(),
            starter: self.starter(&[TRUE])?,
            way: Way::Vfork,
            lacks: (!there).then(|| format!("this guest lacks {} of {}", self.path, self.source)),
        })
    }

    /// How many of the descriptors of its caller the program gets.
    fn leaks(&self) -> Result<i32> {
        let me = std::env::current_exe()?;
        let me = me.to_str().ok_or("a path that is no text")?;
        let open_one = |_| open("/dev/null", OFlags::RDONLY, Mode::empty());
        let _opened: Vec<_> = (0..5).map(open_one).collect::<rustix::io::Result<_>>()?;

        Ok(self
            .starter(&[me, "--count-descriptors"])?
            .way(Way::Vfork)?()?)
    }
}

/// The command against others.
fn commands() -> Result<bool> {
    let mut lines: Vec<_> = COMMANDS.iter().map(Command::line).collect::<Result<_>>()?;
    lines[0].lacks = lines[0].lacks.take().or_else(lacks_call);
    let measured = measure(&lines)?;
    let mut leaks = Vec::new();

    for (command, line) in COMMANDS.iter().zip(&lines) {
        leaks.push(match line.lacks {
            None => Some(command.leaks()?),
            Some(_) => None,
        });
    }
    let mut out = table(&[
        "all namespaces, root mapped, /proc",
        "system calls",
        "context switches",
        "instructions",
        "/ execns",
        "leaked of 5 descriptors",
    ]);
    add(&mut out, &lines, &measured, |i| {
        Some(leaks[i].map_or("-".into(), |leaks| leaks.to_string()))
    });
    println!("{out}");
    explain(&lines);
    let leaks = leaks[0].map_or(f64::INFINITY, f64::from);
    Ok([
        bound("execns / unshare", &measured, 1, 0.5),
        bound("execns / bwrap", &measured, 2, 0.25),
        at_most("descriptors that execns leaks", leaks, 0.0),
    ]
    .iter()
    .all(|&holds| holds))
}

/// Those of this process, without the one that reads the folder.
fn count_descriptors() -> io::Result<i32> {
    let mut count = -1;

    for entry in fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number: Option<u32> = name.to_str().and_then(|name| name.parse().ok());

        count += i32::from(number > Some(2));
    }
    Ok(count)
}

fn main() -> Result<()> {
    if Options::parse().count_descriptors {
        process::exit(count_descriptors()?);
    }
    let _others = Others::start()?;
    let holds = calls()?;
    let holds = holds & commands()?;

    if holds {
        Ok(())
    } else {
        Err("what is marked MISS does not hold".into())
    }
}
