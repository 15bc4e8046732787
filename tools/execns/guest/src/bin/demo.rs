// SPDX-License-Identifier: GPL-2.0

//! The demonstration: a multithreaded process that has leaked a lot becomes a program, by
//! execns(2) and by unshare(2) followed by execve(2), and the program tells what is left. Then a
//! container takes all pipe pages of its account, and another one opens a pipe.

#![no_main]

use comfy_table::{Cell, Table, presets};
use execns::{Namespaces, Program};
use execns_guest::report::{NAMESPACES, Report};
use execns_guest::sys::{self, Segment, Semaphore, Spawn};
use rustix::process::{Pid, Signal, kill_process};
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

    match words.as_slice() {
        [_, "--eat", path] => return eat(path),
        [_, "--pipe", path] => return open_a_pipe(path),
        _ => {}
    }

    println!("\nA process with 5 threads, {LEAKED} leaked descriptors, a semaphore to undo and an");
    println!("attached segment executes a program, which tells what it sees:\n");
    let ours = run(|program| program.execns(Namespaces::EVERY_KIND))?;
    let all = run(|program| unshare_and_execve(program, Namespaces::EVERY_KIND))?;
    let rest = Namespaces::EVERY_KIND - Namespaces::USER - Namespaces::IPC;
    let theirs = run(|program| unshare_and_execve(program, rest))?;
    show(&ours, &all, &theirs);
    real_programs()?;
    accounts()?;
    println!(
        "The caller is still '{}'.\n",
        fs::read_to_string("/proc/sys/kernel/hostname")?.trim()
    );
    Ok(())
}

fn unshare_and_execve(program: &Program, flags: Namespaces) -> std::io::Error {
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
    wait_for(AFTER);
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

/// Waits until there is something in a file.
fn wait_for(path: &str) {
    for _ in 0..200 {
        if fs::metadata(path).is_ok_and(|file| file.len() > 0) {
            break;
        }
        thread::sleep(Duration::from_millis(20));
    }
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
            let _ = program.execns(Namespaces::EVERY_KIND);
            99
        })?;
        let status = sys::wait(child)?;
        let said = fs::read_to_string("/tmp/demo.out").unwrap_or_default();

        table.add_row([name, &status.to_string(), said.trim()]);
        let _ = fs::remove_file("/tmp/demo.out");
    }
    println!("{table}");
    Ok(())
}

/// The program in container A: all pages that the limit allows, in pipes that stay.
fn eat(path: &str) -> Result<()> {
    let limit: usize = fs::read_to_string("/proc/sys/fs/pipe-user-pages-soft")?
        .trim()
        .parse()?;
    let mut pages = 0;

    while pages < limit {
        let (reader, writer) = rustix::pipe::pipe()?;

        pages += rustix::pipe::fcntl_getpipe_size(&reader)? / rustix::param::page_size();
        std::mem::forget((reader, writer));
    }
    fs::write(path, pages.to_string())?;
    loop {
        thread::sleep(Duration::from_secs(1000));
    }
}

/// The program in container B.
fn open_a_pipe(path: &str) -> Result<()> {
    let (reader, _writer) = rustix::pipe::pipe()?;
    let size = rustix::pipe::fcntl_getpipe_size(&reader)?;

    fs::write(path, format!("{size}\n{}", pipe_pages("self")))?;
    Ok(())
}

/// The line of /proc/PID/account about it: the limit, and what is charged.
fn pipe_pages(pid: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/account"))
        .ok()
        .and_then(|account| {
            let line = account
                .lines()
                .find(|line| line.starts_with("pipe_pages_soft "))?;
            Some(line.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .unwrap_or("-".into())
}

/// Two containers of one user: what one takes of a limit of the user, and what is left to the
/// other.
fn accounts() -> Result<()> {
    const EATEN: &str = "/tmp/demo.eaten";
    const PIPE: &str = "/tmp/demo.pipe";
    let program = |task: &str, path: &str| -> Result<Program> {
        let strings = strings(&[ME, task, path])?;
        Ok(Program::new(strings[0].clone(), strings, vec![]))
    };
    let (eater, opener) = (program("--eat", EATEN)?, program("--pipe", PIPE)?);
    let mut table = Table::new();

    table
        .load_preset(presets::ASCII_BORDERS_ONLY_CONDENSED)
        .set_header([
            "containers by",
            "A has, pages",
            "new pipe of B, bytes",
            "/proc/PID/account of A",
            "of B",
        ]);
    for name in ["unshare", "execns"] {
        let exec = |program: &Program| match name {
            "unshare" => unshare_and_execve(program, Namespaces::USER),
            _ => program.execns(Namespaces::USER),
        };
        let start = |program: &Program, path: &str| {
            let _ = fs::remove_file(path);
            Spawn::Fork.run(&mut || exec(program).raw_os_error().unwrap_or(255))
        };
        let a = start(&eater, EATEN)?;

        wait_for(EATEN);
        sys::wait(start(&opener, PIPE)?)?;
        let eaten = fs::read_to_string(EATEN)?;
        let opened = fs::read_to_string(PIPE)?;
        let (size, account) = opened.split_once('\n').ok_or("no size of a pipe")?;

        table.add_row([name, &eaten, size, &pipe_pages(&a.to_string()), account]);
        kill_process(Pid::from_raw(a).ok_or("no process")?, Signal::KILL)?;
        sys::wait(a)?;
    }
    println!(
        "\nContainer A fills all the pages of pipes that a user may have; then container B of the"
    );
    println!(
        "same user opens a pipe. With unshare, both are charged to the user's one account. With"
    );
    println!(
        "execns, each has an account of its own, since who made them administers the machine:\n"
    );
    println!("{table}");
    Ok(())
}
