// SPDX-License-Identifier: GPL-2.0

//! What the demonstration, the benchmark and the tests share.

pub mod report;
pub mod sys;
