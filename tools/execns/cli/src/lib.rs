// SPDX-License-Identifier: GPL-2.0

//! What starts programs: from the command line to the system call, without a C library.

#![cfg_attr(not(test), no_std)]

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("execns: three pieces of assembly are missing here");

pub mod child;
pub mod environment;
pub mod failure;
pub mod grammar;
pub mod list;
pub mod options;
pub mod plan;
pub mod run;
pub mod signal;
pub mod stage;
pub mod sys;
