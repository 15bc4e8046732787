// SPDX-License-Identifier: GPL-2.0

//! Random calls of execns(2) and execnsat(2), in random circumstances, for a time. What it prints is
//! KTAP. A case is a function of the seed and its number, with which it can be repeated.

use clap::Parser;
use execns_guest::fuzz::counts::Column;
use execns_guest::fuzz::sabotage::Break;
use execns_guest::fuzz::supervisor::{self, Options, Outcome};
use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::time::Duration;

/// Make random calls of execns(2) and execnsat(2), and see what comes out
#[derive(Parser)]
struct Arguments {
    /// What all is a function of [default: a random number]
    #[arg(long)]
    seed: Option<u64>,
    /// For how long, at most
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// How many calls, at most
    #[arg(long, default_value_t = u64::MAX)]
    calls: u64,
    /// This case only
    #[arg(long)]
    only: Option<u64>,
    /// How many processes run cases
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// A case that takes longer than so many seconds hangs
    #[arg(long, default_value_t = 20)]
    hang: u64,
    /// Make this go wrong, to see that it is found
    #[arg(long = "break", value_enum)]
    broken: Option<Break>,
    /// First make everything go wrong that --break knows, each in a run of its own
    #[arg(long)]
    self_test: bool,
}

fn random_seed() -> io::Result<u64> {
    let mut bytes = [0; 4];

    // As opposed to /dev/random, this never waits. Few digits are easy to type.
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes).into())
}

/// A line that is there at once.
fn say(text: &str) {
    let mut out = io::stdout().lock();

    for line in text.lines() {
        writeln!(out, "{line}").ok();
    }
    out.flush().ok();
}

fn diagnose(text: &str) {
    for line in text.lines() {
        say(&format!("# {line}"));
    }
}

/// Whether what was made to go wrong is found, and nothing else.
fn finds(broken: Break, options: &Options) -> io::Result<Result<(), String>> {
    let outcome = supervisor::run(&Options {
        broken: Some(broken),
        time: Duration::from_secs(if is_of_end(broken) { 1 } else { 30 }),
        hang: match broken {
            Break::Hang => Duration::from_secs(2),
            _ => options.hang,
        },
        ..options.clone()
    })?;
    let told = match &outcome.failure {
        Some(failure) => failure.text.clone(),
        None => outcome.left,
    };

    Ok(match told.contains(broken.told()) {
        true => Ok(()),
        false => Err(format!(
            "\"{}\" is not in what it says: {told}",
            broken.told()
        )),
    })
}

/// What is found when the run is over.
fn is_of_end(broken: Break) -> bool {
    matches!(
        broken,
        Break::LeakNamespace | Break::LeakMount | Break::LeakObjects
    )
}

/// Prints the results, and returns whether all are fine.
fn report(number: usize, options: &Options, outcome: &Outcome) -> bool {
    let seed = options.seed;
    let seconds = outcome.time.as_secs_f64();
    let calls = outcome.counts.total(Column::Calls);

    diagnose(&outcome.counts.tables());
    diagnose(&format!(
        "{calls} calls in {seconds:.1} s: {:.0} a second",
        calls as f64 / seconds
    ));
    let not = match &outcome.failure {
        None => "",
        Some(failure) => {
            diagnose(&failure.text);
            diagnose(&format!(
                "case {}: to repeat it, type: make fuzz SEED={seed} ONLY={}",
                failure.case, failure.case
            ));
            "not "
        }
    };
    say(&format!("{not}ok {number} random calls, seed {seed}"));
    if outcome.failure.is_some() {
        say(&format!(
            "ok {} nothing is left # SKIP the run has failed",
            number + 1
        ));
        return false;
    }
    if !outcome.left.is_empty() {
        diagnose(&format!("more than before: {}", outcome.left));
        say(&format!(
            "not ok {} nothing is left, seed {seed}",
            number + 1
        ));
        return false;
    }
    say(&format!("ok {} nothing is left", number + 1));
    true
}

fn main() -> io::Result<ExitCode> {
    let arguments = Arguments::parse();
    let broken: Vec<Break> = match arguments.self_test {
        true => Break::every().collect(),
        false => vec![],
    };
    // Before anything that could take its time.
    say("KTAP version 1");
    say(&format!("1..{}", broken.len() + 2));
    let options = Options {
        seed: match arguments.seed {
            Some(seed) => seed,
            None => random_seed()?,
        },
        time: Duration::from_secs(arguments.seconds),
        calls: arguments.calls,
        only: arguments.only,
        workers: arguments.workers.max(1),
        hang: Duration::from_secs(arguments.hang),
        broken: arguments.broken,
    };
    diagnose(&format!("seed {}, {} s", options.seed, arguments.seconds));
    let mut fine = true;
    for (i, &broken) in broken.iter().enumerate() {
        let found = finds(broken, &options)?;

        if let Err(text) = &found {
            diagnose(text);
            fine = false;
        }
        let not = if found.is_ok() { "" } else { "not " };
        say(&format!("{not}ok {} found: {}", i + 1, broken.text()));
    }
    let outcome = supervisor::run(&options)?;
    fine &= report(broken.len() + 1, &options, &outcome);
    Ok(if fine {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
