// SPDX-License-Identifier: GPL-2.0

//! The command `execns-full`, which `execns` executes where something is to be said, or to be
//! looked up. It does the same, and all else.

// With a main function of Rust, the program would start with SIGPIPE ignored.
#![cfg_attr(not(test), no_main)]

mod help;
mod lookup;
mod parser;
mod report;
mod show;

use execns_abi::{AT_EXECVE_CHECK, ExecnsFd, ExecnsIdMap, MAX_EXTENTS};
use execns_cli::environment::Environment;
use execns_cli::grammar::Id;
use execns_cli::options::{Caller, Options};
use execns_cli::plan::Plan;
use execns_cli::run::Program;
use execns_cli::{stage, sys};
use parser::Line;
use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

/// As many descriptors as anybody lists.
const MAX_FDS: usize = 4096;

/// Why it ends, and with which status.
struct End(String, i32);

impl<T: ToString> From<T> for End {
    fn from(text: T) -> Self {
        Self(text.to_string(), 1)
    }
}

#[cfg(not(test))]
#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *mut *const c_char, envp: sys::Strings) -> c_int {
    enter(argc, argv, envp)
}

#[cfg_attr(test, expect(dead_code))]
fn enter(argc: c_int, argv: *mut *const c_char, envp: sys::Strings) -> c_int {
    let argc = argc as usize;

    // SAFETY: They are what the C library passes, and this is the only thread.
    unsafe { stage::enter(argc, argv, envp) };
    // SAFETY: There are so many arguments.
    let args = unsafe { std::slice::from_raw_parts(argv.cast_const(), argc) };
    // SAFETY: They are strings, which do not change.
    let args = args
        .iter()
        .map(|&arg| OsStr::from_bytes(unsafe { CStr::from_ptr(arg) }.to_bytes()));
    // SAFETY: As above.
    let environment = unsafe { Environment::new(envp) };
    let result = match parser::parse(args.map(OsStr::to_os_string)) {
        Ok(line) => run(&line, environment),
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { 1 } else { 0 };
        }
    };

    match result {
        Ok(()) => 0,
        Err(End(text, status)) => {
            let _ = writeln!(std::io::stderr(), "execns: {text}");
            status
        }
    }
}

fn run(line: &Line, environment: Environment<'_>) -> Result<(), End> {
    if let Some(shell) = line.value(Id::Completions) {
        return Ok(show::completions(shell)?);
    }
    let caller = Caller {
        euid: sys::euid(),
        egid: sys::egid(),
        stdio: [0, 1, 2].map(sys::is_open),
    };
    let resolved = resolve(line, &caller)?;
    let (mut uids, mut gids) = (
        vec![ExecnsIdMap::default(); MAX_EXTENTS + 1],
        vec![ExecnsIdMap::default(); MAX_EXTENTS + 1],
    );
    let mut fds = vec![ExecnsFd::default(); MAX_FDS];
    let mut options = Options::new(&mut uids, &mut gids, &mut fds);
    for option in &resolved {
        let given = parser::given(option);
        options
            .give(given, &caller)
            .map_err(|problem| report::problem(problem, Some(given)))?;
    }
    let plan = Plan::new(options, &caller).map_err(|problem| report::problem(problem, None))?;

    let shell = [environment.get(b"SHELL").unwrap_or(c"/bin/sh").as_ptr()];
    let args: Vec<_> = line.program.iter().map(|word| word.as_ptr()).collect();
    let args = if args.is_empty() { &shell[..] } else { &args };
    // SAFETY: These are strings.
    let name = unsafe { CStr::from_ptr(args[0]) };
    if line.has(Id::Show) {
        return Ok(show::plan(&plan, name, &environment)?);
    }
    let check = line.has(Id::Check);
    let program = Program {
        args,
        environment,
        itself: None,
    };
    let mut room = vec![ptr::null(); stage::ARGS + args.len() + 1];
    let at_flags = if check { AT_EXECVE_CHECK } else { 0 };
    plan.execute(&program, at_flags, &mut room)
        .map_err(|failure| End(report::failure(&failure, &plan), failure.status()))?;
    // Only what has been checked gets here. What the stage executes, it finds.
    if plan.stage.is_some() {
        show::find(name, &environment)
            .map_err(|failure| End(report::failure(&failure, &plan), failure.status()))?;
    }
    println!("execns: {} can be started", name.to_string_lossy());
    Ok(())
}

fn resolve(line: &Line, caller: &Caller) -> Result<Vec<(Id, Option<CString>)>, End> {
    let mut resolved = Vec::new();

    for (id, value) in &line.options {
        if !matches!(id, Id::Show | Id::Check) {
            let options = lookup::resolve(*id, value.clone(), caller.euid)
                .map_err(|text| report::option(*id, &text))?;
            resolved.extend(options);
        }
    }
    Ok(resolved)
}
