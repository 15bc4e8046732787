// SPDX-License-Identifier: GPL-2.0

//! Properties of execnsat(2) for random arguments, against models and against the classic way to the
//! same: these run as root in the guest.
//!
//! A failure prints the smallest case that was found and the seed, which `PROPTEST_RNG_SEED` repeats.
//! `PROPTEST_CASES` is the number of cases of each property.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, RngSeed, TestCaseError, TestRunner};
use std::env;
use std::fs::File;
use std::io::Read;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

#[path = "properties/arguments.rs"]
mod arguments;
#[path = "properties/descriptors.rs"]
mod descriptors;
#[path = "properties/flags.rs"]
mod flags;
#[path = "properties/maps.rs"]
mod maps;
#[path = "properties/threads.rs"]
mod threads;
#[path = "properties/time.rs"]
mod time;

/// Lets one test run at a time: each forks, and some look at all of the process.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());

    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `PROPTEST_RNG_SEED` says, or else a random number.
fn seed() -> u64 {
    if let Ok(seed) = env::var("PROPTEST_RNG_SEED") {
        return seed.parse().expect("PROPTEST_RNG_SEED is a number");
    }
    let mut bytes = [0; 8];
    File::open("/dev/urandom")
        .and_then(|mut file| file.read_exact(&mut bytes))
        .expect("random bytes");
    u64::from_ne_bytes(bytes)
}

/// What `PROPTEST_CASES` says, or else `default`.
fn cases(default: u32) -> u32 {
    env::var("PROPTEST_CASES").map_or(default, |cases| {
        cases.parse().expect("PROPTEST_CASES is a number")
    })
}

/// Tests a property of `cases` random values.
fn holds<S: Strategy>(
    seed: u64,
    cases: u32,
    strategy: &S,
    property: impl Fn(S::Value) -> Result<(), TestCaseError>,
) -> Result<(), String> {
    let mut runner = TestRunner::new(Config {
        cases,
        failure_persistence: None,
        max_shrink_iters: 2000,
        // Slow machines run this.
        rng_algorithm: RngAlgorithm::XorShift,
        rng_seed: RngSeed::Fixed(seed),
        ..Config::default()
    });

    runner
        .run(strategy, property)
        .map_err(|error| format!("PROPTEST_RNG_SEED={seed}: {error}"))
}

/// As [`TestCaseError::fail`], for an error that is to be told with the case.
fn fail(text: impl std::fmt::Display) -> TestCaseError {
    TestCaseError::fail(text.to_string())
}

/// What was done, and in which time, for who looks at the output.
struct Stopwatch(&'static str, Instant);

impl Stopwatch {
    fn new(name: &'static str) -> Self {
        Self(name, Instant::now())
    }
}

impl Drop for Stopwatch {
    fn drop(&mut self) {
        println!("{}: {:.1} s", self.0, self.1.elapsed().as_secs_f64());
    }
}
