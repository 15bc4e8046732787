// SPDX-License-Identifier: GPL-2.0

//! The tables of what was measured on a patched kernel and on an unpatched one.

use crate::accounts::Pattern;
use crate::cost::{Cost, Operation, Outcome};
use crate::rate::{Call, Rate, Tables};
use crate::text::{at_least, at_most, table};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A line of what is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "row", rename_all = "kebab-case")]
pub enum Row {
    Cost(Cost),
    Rate(Rate),
}

/// What one kernel has shown.
#[derive(Default)]
struct Kernel {
    costs: Vec<Cost>,
    rates: Vec<Rate>,
}

impl Kernel {
    fn read(paths: &[PathBuf]) -> Result<Self> {
        let mut kernel = Self::default();

        for path in paths {
            for line in fs::read_to_string(path)?.lines() {
                match serde_json::from_str(line) {
                    Ok(Row::Cost(cost)) => kernel.costs.push(cost),
                    Ok(Row::Rate(rate)) => kernel.rates.push(rate),
                    // An error of the guest comes the same way.
                    Err(_) => return Err(format!("{}: {line}", path.display()).into()),
                }
            }
        }
        Ok(kernel)
    }

    fn cost(&self, operation: Operation, pattern: Pattern, accounts: u32) -> Option<f64> {
        self.costs.iter().find_map(|cost| match cost.outcome {
            Outcome::Instructions(number)
                if (cost.operation, cost.pattern, cost.accounts)
                    == (operation, pattern, accounts) =>
            {
                Some(number)
            }
            _ => None,
        })
    }

    fn row(
        &self,
        operation: Operation,
        pattern: Pattern,
        sizes: &BTreeSet<u32>,
    ) -> Vec<Option<f64>> {
        sizes
            .iter()
            .map(|&size| self.cost(operation, pattern, size))
            .collect()
    }

    fn rate(&self, tables: Tables, call: Call, processes: u32) -> Option<f64> {
        self.rates.iter().find_map(|rate| {
            ((rate.tables, rate.call, rate.processes) == (tables, call, processes))
                .then_some(rate.per_second)
        })
    }

    /// Why there are numbers missing.
    fn skipped(&self) -> BTreeSet<(Pattern, u32, &str)> {
        self.costs
            .iter()
            .filter_map(|cost| match &cost.outcome {
                Outcome::Skipped(why) => Some((cost.pattern, cost.accounts, why.as_str())),
                Outcome::Instructions(_) => None,
            })
            .collect()
    }
}

fn ratio(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    Some(a? / b?)
}

fn text(number: Option<f64>, digits: usize) -> String {
    number.map_or("-".into(), |number| format!("{number:.digits$}"))
}

/// The greatest number by the least.
fn spread(numbers: &[Option<f64>]) -> Option<f64> {
    let there = || numbers.iter().copied().flatten();

    ratio(there().reduce(f64::max), there().reduce(f64::min))
}

/// What 100,000 times as many accounts may cost: the most by the least.
const FLAT: f64 = 1.5;

const PATTERNS: [Pattern; 2] = [Pattern::Sequential, Pattern::Spaced];

fn costs(patched: &Kernel, unpatched: &Kernel, sizes: &BTreeSet<u32>) {
    let names: Vec<String> = sizes.iter().map(u32::to_string).collect();
    let mut header = vec!["instructions, live accounts:", ""];

    header.extend(names.iter().map(String::as_str));
    header.push("max / min");
    let mut out = table(&header);
    for operation in Operation::ALL {
        for pattern in PATTERNS {
            let ours = patched.row(operation, pattern, sizes);
            let theirs = unpatched.row(operation, pattern, sizes);
            let ratios: Vec<_> = ours
                .iter()
                .zip(&theirs)
                .map(|(&a, &b)| ratio(a, b))
                .collect();

            for (name, kernel, numbers, digits, last) in [
                (operation.label(), "patched", &ours, 0, spread(&ours)),
                (pattern.label(), "unpatched", &theirs, 0, spread(&theirs)),
                ("", "ratio", &ratios, 3, None),
            ] {
                let mut row = vec![name.to_string(), kernel.to_string()];

                row.extend(numbers.iter().map(|&number| text(number, digits)));
                row.push(last.map_or(String::new(), |last| format!("{last:.2}")));
                out.add_row(row);
            }
        }
    }
    println!("{out}");
    for (name, kernel) in [("patched", patched), ("unpatched", unpatched)] {
        for (pattern, size, why) in kernel.skipped() {
            println!("  - {name}, {}, {size}: {why}", pattern.label());
        }
    }
}

/// What is missing does not hold.
fn verdicts(patched: &Kernel, unpatched: &Kernel, sizes: &BTreeSet<u32>) -> bool {
    let mut holds = true;

    for operation in [Operation::Pipe, Operation::Epoll] {
        let mut worst = None;

        for pattern in PATTERNS {
            let ours = patched.row(operation, pattern, sizes);
            let theirs = unpatched.row(operation, pattern, sizes);
            let ratios = ours.into_iter().zip(theirs).map(|(a, b)| ratio(a, b));

            worst = ratios.flatten().chain(worst).reduce(f64::max);
        }
        holds &= at_most(
            &format!("{}: patched / unpatched", operation.label()),
            worst.unwrap_or(f64::INFINITY),
            1.02,
        );
    }
    for operation in [Operation::Existing, Operation::Absent, Operation::Fresh] {
        for pattern in PATTERNS {
            let few = |kernel: &Kernel| kernel.cost(operation, pattern, 10);

            holds &= at_most(
                &format!(
                    "{}, {}, 10 accounts: patched / unpatched",
                    operation.label(),
                    pattern.label()
                ),
                ratio(few(patched), few(unpatched)).unwrap_or(f64::INFINITY),
                1.05,
            );
            holds &= at_most(
                &format!("{}, {}: max / min", operation.label(), pattern.label()),
                spread(&patched.row(operation, pattern, sizes)).unwrap_or(f64::INFINITY),
                FLAT,
            );
        }
    }
    let fresh = |kernel: &Kernel| kernel.cost(Operation::Fresh, Pattern::Spaced, 10_000);
    holds
        & at_least(
            "a fresh uid among 10,000 that are 65,536 apart: unpatched / patched",
            ratio(fresh(unpatched), fresh(patched)).unwrap_or(0.0),
            40.0,
        )
}

fn rates(patched: &Kernel, unpatched: &Kernel) {
    let ways = [
        (Tables::Execns, "execns, own tables"),
        (Tables::Unshare, "unshare, one table"),
    ];
    let calls = [
        (Call::Getppid, "getppid"),
        (Call::Existing, "setresuid, uids with an account"),
        (Call::Fresh, "setresuid, fresh uids"),
    ];
    let scaling = |kernel: &Kernel, tables, call| {
        ratio(kernel.rate(tables, call, 2), kernel.rate(tables, call, 1))
    };
    let mut out = table(&[
        "calls a second, in processes:",
        "patched 1",
        "2",
        "2 / 1",
        "unpatched 1",
        "2",
        "2 / 1",
    ]);

    for (tables, way) in ways {
        for (call, name) in calls {
            let mut row = vec![format!("{way}: {name}")];

            for kernel in [patched, unpatched] {
                row.extend([1, 2].map(|n| text(kernel.rate(tables, call, n), 0)));
                row.push(text(scaling(kernel, tables, call), 2));
            }
            out.add_row(row);
        }
    }
    println!("{out}");
    println!(
        "  This is wall time: what else runs on this machine changes it. getppid shares nothing,"
    );
    println!("  so that its 2 / 1 is what this machine had to give.");
    for (call, name) in &calls[1..] {
        let times = scaling(patched, Tables::Execns, *call).unwrap_or(0.0);

        at_least(&format!("own tables, {name}: 2 / 1"), times, 1.8);
    }
}

/// Prints them, and fails if the instructions are not what they should be.
pub fn print(patched: &[PathBuf], unpatched: &[PathBuf]) -> Result<()> {
    let patched = Kernel::read(patched)?;
    let unpatched = Kernel::read(unpatched)?;
    let sizes = patched.costs.iter().map(|cost| cost.accounts).collect();

    costs(&patched, &unpatched, &sizes);
    let holds = verdicts(&patched, &unpatched, &sizes);
    if !patched.rates.is_empty() {
        rates(&patched, &unpatched);
    }
    if holds {
        Ok(())
    } else {
        Err("what is marked MISS does not hold".into())
    }
}
