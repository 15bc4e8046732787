// SPDX-License-Identifier: GPL-2.0

//! What many user accounts cost, in lines of JSON, and the tables that are made of them.

use clap::{Args, Parser};
use execns_guest::accounts::{Accounts, Pattern, Pin};
use execns_guest::cost::{self, Cost, Operation, Outcome};
use execns_guest::join::{self, Row};
use execns_guest::rate::{self, Call, Tables, Work};
use execns_guest::sys::Spawn;
use std::error::Error;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// What many user accounts cost
#[derive(Parser)]
enum Command {
    /// Measure calls with more and more accounts
    Calls(Calls),
    /// Measure how often two processes change uids, against one
    Rates {
        #[arg(long, default_value_t = 15)]
        runs: u32,
        #[arg(long, default_value_t = 100)]
        milliseconds: u64,
    },
    #[command(hide = true)]
    Work(Work),
    /// Print tables of what was measured
    Join {
        #[arg(long, num_args = 1.., required = true)]
        patched: Vec<PathBuf>,
        #[arg(long, num_args = 1.., required = true)]
        unpatched: Vec<PathBuf>,
    },
}

#[derive(Args)]
struct Calls {
    #[arg(long, value_enum)]
    pattern: Pattern,
    /// How many accounts, in ascending order
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "10,1000,10000,100000,1000000"
    )]
    sizes: Vec<u32>,
    /// What keeps an account
    #[arg(long, value_enum, default_value_t = Pin::Message)]
    pin: Pin,
    /// The instructions that it may take to make the accounts of one size
    #[arg(long, default_value_t = 20_000_000_000)]
    budget: u64,
    /// Leave the accounts, in a process that sleeps: to give them back takes long, too
    #[arg(long)]
    keep: bool,
}

impl Calls {
    fn run(&self) -> Result<Accounts> {
        let most = self.sizes.iter().copied().max().unwrap_or(0);
        let mut accounts = Accounts::new(self.pattern, self.pin, most)?;
        let mut skipped = None;

        for &size in &self.sizes {
            if skipped.is_none() {
                skipped = cost::grow(&mut accounts, size, self.budget)?;
            }
            for operation in Operation::ALL {
                let outcome = match &skipped {
                    None => Outcome::Instructions(operation.measure(&mut accounts)?),
                    Some(why) => Outcome::Skipped(why.clone()),
                };

                print(&Row::Cost(Cost {
                    operation,
                    pattern: self.pattern,
                    accounts: size,
                    outcome,
                }))?;
            }
        }
        Ok(accounts)
    }

    /// Returns when everything is measured, with the accounts as they are.
    fn run_and_keep(&self) -> Result<()> {
        let (mut ours, mut theirs) = UnixStream::pair()?;

        Spawn::Fork.run(&mut || match self.run() {
            Ok(_accounts) => {
                let _ = theirs.write_all(b"x");
                loop {
                    thread::sleep(Duration::from_secs(1000));
                }
            }
            Err(error) => {
                eprintln!("execns-bench-accounts: {error}");
                1
            }
        })?;
        drop(theirs);
        match ours.read(&mut [0]) {
            Ok(1) => Ok(()),
            _ => Err("it has not come to its end".into()),
        }
    }
}

fn rates(runs: u32, span: Duration) -> Result<()> {
    for tables in [Tables::Execns, Tables::Unshare] {
        for call in [Call::Getppid, Call::Existing, Call::Fresh] {
            match rate::measure(tables, call, runs, span) {
                Ok(rates) => {
                    for rate in rates {
                        print(&Row::Rate(rate))?;
                    }
                }
                // An unpatched kernel has no execns(2).
                Err(error) if is_enosys(&*error) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

fn is_enosys(error: &(dyn Error + 'static)) -> bool {
    let code = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::raw_os_error);

    code == Some(rustix::io::Errno::NOSYS.raw_os_error())
}

fn print(row: &Row) -> Result<()> {
    println!("{}", serde_json::to_string(row)?);
    Ok(())
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Calls(calls) if calls.keep => calls.run_and_keep(),
        Command::Calls(calls) => calls.run().map(drop),
        Command::Rates { runs, milliseconds } => rates(runs, Duration::from_millis(milliseconds)),
        Command::Work(work) => work.run(),
        Command::Join { patched, unpatched } => join::print(&patched, &unpatched),
    };

    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("execns-bench-accounts: {error}");
            ExitCode::FAILURE
        }
    }
}
