// SPDX-License-Identifier: GPL-2.0

//! Random calls of execns(2) and execnsat(2), and what has to be the same, or new, after them.
//!
//! A case is a function of the seed and its number. Who calls is one of its [block](worker).

pub mod call;
pub mod caller;
pub mod circumstance;
pub mod counts;
pub mod end;
pub mod fuse;
pub mod generate;
pub mod judge;
pub mod left;
pub mod model;
pub mod name;
pub mod program;
pub mod random;
pub mod rights;
pub mod sabotage;
pub mod shared;
pub mod snapshot;
pub mod strace;
pub mod supervisor;
pub mod tracer;
pub mod worker;
pub mod world;
