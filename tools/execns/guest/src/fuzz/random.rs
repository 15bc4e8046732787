// SPDX-License-Identifier: GPL-2.0

//! Random numbers of which the n-th case has its own.

use rand::{Rng, SeedableRng};
use rand_xorshift::XorShiftRng;

/// Slow machines run this.
pub struct Random(XorShiftRng);

impl Random {
    /// Those of a case, or of anything else that has a number.
    pub fn new(seed: u64, number: u64) -> Self {
        let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);

        Self(XorShiftRng::seed_from_u64(seed ^ mixed))
    }

    pub fn word(&mut self) -> u64 {
        self.0.random()
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0.random_range(0..end)
    }

    /// True once in `times`.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    /// One of these, as often as its weight says.
    pub fn weighted<T: Copy>(&mut self, from: &[(u64, T)]) -> T {
        let mut at = self.below(from.iter().map(|(weight, _)| weight).sum());

        for &(weight, value) in from {
            if at < weight {
                return value;
            }
            at -= weight;
        }
        from[0].1
    }

    /// A number that is at an end of something, or any.
    pub fn odd_number(&mut self) -> u32 {
        const ENDS: [u32; 17] = [
            0,
            1,
            2,
            31,
            63,
            64,
            65,
            699,
            700,
            701,
            1000,
            4096,
            65534,
            1 << 20,
            i32::MAX as u32,
            1 << 31,
            u32::MAX,
        ];

        match self.below(4) {
            0 => self.word() as u32,
            1 => self.below(40) as u32,
            _ => self.pick(&ENDS),
        }
    }
}
