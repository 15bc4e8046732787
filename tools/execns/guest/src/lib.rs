// SPDX-License-Identifier: GPL-2.0

//! What the demonstration, the benchmarks and the tests share.

pub mod accounts;
pub mod command;
pub mod cost;
pub mod fuzz;
pub mod join;
pub mod launch;
pub mod privilege;
pub mod probe;
pub mod programs;
pub mod rate;
pub mod report;
pub mod start;
pub mod sys;
pub mod text;
