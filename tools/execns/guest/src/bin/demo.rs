// SPDX-License-Identifier: GPL-2.0

//! The demonstration: a multithreaded process that has leaked a lot becomes a program, by
//! execns(2) and by unshare(2) followed by execve(2), and the program tells what is left.

#![no_main]

use comfy_table::{Cell, Table, presets};
use execns::{Program, Unshare};
use execns_guest::report::{NAMESPACES, Report};
use execns_guest::sys::{self, Segment, Semaphore, Spawn};
use std::error::Error;
use std::ffi::{CString, c_char, c_int};
use std::fs::{self, File};
use std::thread;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const LEAKED: usize = 1000;
const BEFORE: &str = "/tmp/demo.before";
const AFTER: &str = "/tmp/demo.after";
const ME: &str = "/usr/bin/execns-demo";

/// What std's own entry would do first is to open /dev/null as the descriptors 0, 1 and 2 that a
/// program started by execns(2) does not have, and here they are counted.
#[unsafe(no_mangle)]
extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    match run_main() {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("execns-demo: {error}");
            1
        }
    }
}

fn run_main() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();

    // What is started anew by either way.
    if let [_, "--report", path, stay @ ..] = words.as_slice() {
        Report::of_self()?.write(path)?;
        if !stay.is_empty() {
            // Long enough to be looked at.
            thread::sleep(Duration::from_millis(300));
        }
        return Ok(());
    }

    println!("\nA process with 5 threads, {LEAKED} leaked descriptors, a semaphore to undo and an");
    println!("attached segment executes a program, which tells what it sees:\n");
    let ours = run(|program| program.execns(Unshare::NAMESPACES))?;
    let all = run(|program| unshare_and_execve(program, Unshare::NAMESPACES))?;
    let rest = Unshare::NAMESPACES - Unshare::USER - Unshare::IPC;
    let theirs = run(|program| unshare_and_execve(program, rest))?;
    show(&ours, &all, &theirs);
    real_programs()?;
    Ok(())
}

fn unshare_and_execve(program: &Program, flags: Unshare) -> std::io::Error {
    match sys::unshare(flags) {
        Ok(()) => program.execve(),
        Err(error) => error,
    }
}

fn strings(words: &[&str]) -> Result<Vec<CString>> {
    Ok(words
        .iter()
        .map(|&word| CString::new(word))
        .collect::<std::result::Result<_, _>>()?)
}

/// The caller, and what became of it.
struct Outcome {
    before: Report,
    after: std::result::Result<Report, String>,
    /// What the semaphore shows while the program runs.
    owed: i32,
}

/// Makes the process that is described above, and lets it execute a program by `exec`.
fn run(exec: impl Fn(&Program) -> std::io::Error) -> Result<Outcome> {
    let semaphore = Semaphore::new()?;
    let segment = Segment::new()?;
    let program = Program::new(
        CString::new(ME)?,
        strings(&[ME, "--report", AFTER, "--stay"])?,
        vec![c"PATH=/usr/bin:/bin".into()],
    );

    let _ = fs::remove_file(AFTER);
    let caller = Spawn::Fork.run(&mut || {
        let prepared = prepare(&semaphore, &segment);
        if let Err(error) = prepared {
            return fail(&error.to_string());
        }
        fail(&exec(&program).to_string())
    })?;
    // Look at the semaphore while the program is there.
    for _ in 0..200 {
        if fs::metadata(AFTER).is_ok_and(|file| file.len() > 0) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
    let owed = semaphore.value()?;
    let status = sys::wait(caller)?;
    Ok(Outcome {
        before: Report::read(BEFORE)?,
        after: match status {
            0 => Ok(Report::read(AFTER)?),
            _ => Err(fs::read_to_string(AFTER)?),
        },
        owed,
    })
}

fn fail(error: &str) -> i32 {
    let _ = fs::write(AFTER, error);
    1
}

/// Takes what a program should not inherit.
fn prepare(semaphore: &Semaphore, segment: &Segment) -> Result<()> {
    for _ in 0..LEAKED {
        std::mem::forget(rustix::fs::open(
            "/dev/null",
            rustix::fs::OFlags::RDONLY,
            rustix::fs::Mode::empty(),
        )?);
    }
    // A secret that is open is a secret that leaks.
    std::mem::forget(File::open("/etc/passwd")?);
    for _ in 0..4 {
        thread::spawn(|| {
            loop {
                thread::sleep(Duration::from_secs(1000));
            }
        });
    }
    semaphore.add_with_undo()?;
    segment.attach()?;
    Report::of_self()?.write(BEFORE)?;
    Ok(())
}

fn show(ours: &Outcome, all: &Outcome, theirs: &Outcome) {
    let mut table = Table::new();
    let mark = |new: bool, text: String| if new { format!("{text} new") } else { text };

    table
        .load_preset(presets::ASCII_BORDERS_ONLY_CONDENSED)
        .set_header([
            "",
            "caller",
            "execns(all)",
            "unshare(all), execve",
            "unshare(all but user, ipc), execve",
        ]);
    let mut row = |name: &str, get: &dyn Fn(&Report, &Report, i32) -> String| {
        let cell = |outcome: &Outcome| match &outcome.after {
            Ok(after) => Cell::new(get(after, &outcome.before, outcome.owed)),
            Err(_) => Cell::new("-"),
        };

        table.add_row([
            Cell::new(name),
            Cell::new(get(&ours.before, &ours.before, 1)),
            cell(ours),
            cell(all),
            cell(theirs),
        ]);
    };

    row("uid, gid", &|r, _, _| format!("{}, {}", r.uid, r.gid));
    row("capabilities", &|r, _, _| r.capabilities.clone());
    row("uid map", &|r, _, _| r.uid_map.clone());
    for name in NAMESPACES {
        row(&format!("ns/{name}"), &|r, before, _| {
            let inode = r.namespaces[name];

            mark(inode != before.namespaces[name], inode.to_string())
        });
    }
    row("descriptors", &|r, _, _| r.descriptors.to_string());
    row("threads", &|r, _, _| r.threads.clone());
    row("semaphore to undo", &|_, _, owed| owed.to_string());
    row("attached segments", &|r, _, _| r.segments.to_string());
    row("exe is in its own mount ns", &|r, _, _| {
        r.exe_is_inside.to_string()
    });
    println!("{table}");
    for (name, outcome) in [
        ("execns", ours),
        ("unshare(all)", all),
        ("unshare(rest)", theirs),
    ] {
        if let Err(error) = &outcome.after {
            println!("  {name}: {error}");
        }
    }
}

/// Programs that know nothing of all this.
fn real_programs() -> Result<()> {
    const SCRIPT: &str = "/tmp/demo.script";
    // The first child is the init process of the new PID namespace, and has to outlive the others.
    const OUTER: &str = "exec >/tmp/demo.out 2>&1; sh /tmp/demo.inner; exit $?";
    const INNER: &str = "hostname inside; echo \"$(hostname): pid $$, uid $(id -u), \
        $(ls /proc/self/fd | wc -l) descriptors, $(ip link | grep -c '^[0-9]') network device\"\n";
    let programs: [(&str, &[&str]); 3] = [
        ("busybox, static", &["/bin/busybox", "sh", "-c", OUTER]),
        (
            "coreutils env, dynamic",
            &["/usr/bin/env-dynamic", "sh", "-c", OUTER],
        ),
        ("a script", &[SCRIPT]),
    ];
    let mut table = Table::new();

    fs::write("/tmp/demo.inner", INNER)?;
    fs::write(SCRIPT, format!("#!/bin/sh\n{OUTER}\n"))?;
    rustix::fs::chmod(SCRIPT, rustix::fs::Mode::from(0o755))?;
    println!(
        "\nReal programs, started by execns(all). The 3 descriptors are what ls opens or is given"
    );
    println!("by the shell: the folder that it lists, its output and its error.\n");
    table
        .load_preset(presets::ASCII_BORDERS_ONLY_CONDENSED)
        .set_header(["program", "exit", "says"]);
    for (name, args) in programs {
        let strings = strings(args)?;
        let program = Program::new(
            strings[0].clone(),
            strings,
            vec![c"PATH=/usr/bin:/bin:/sbin".into()],
        );
        let child = Spawn::Vfork.run(&mut || {
            program.execns(Unshare::NAMESPACES);
            99
        })?;
        let status = sys::wait(child)?;
        let said = fs::read_to_string("/tmp/demo.out").unwrap_or_default();

        table.add_row([name, &status.to_string(), said.trim()]);
        let _ = fs::remove_file("/tmp/demo.out");
    }
    println!("{table}");
    println!(
        "The caller is still '{}'.\n",
        fs::read_to_string("/proc/sys/kernel/hostname")?.trim()
    );
    Ok(())
}
