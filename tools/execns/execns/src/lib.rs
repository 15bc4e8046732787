// SPDX-License-Identifier: GPL-2.0

//! execnsat(2) and execns(2) for Rust programs: execute a program in new namespaces, with no
//! descriptors but those it is given.

#![deny(unsafe_code)]
#![deny(missing_docs)]

mod builder;
mod call;
mod child;
mod descriptor;
mod diagnose;
mod environment;
mod error;
mod kind;
mod map;
mod namespaces;
mod program;
#[allow(unsafe_code)]
mod sys;
mod trace;
mod uapi;
mod verify;

pub use builder::Execns;
pub use call::Prepared;
pub use child::Child;
pub use descriptor::Descriptor;
pub use error::Error;
pub use kind::{Argument, ErrorKind, MapFault};
pub use map::{Clock, IdMap, Ids, Setgroups};
pub use namespaces::{Namespaces, ParseError};
pub use program::Program;
pub use uapi::{SYS_EXECNS, SYS_EXECNSAT};

/// Whether the kernel has execnsat(2). Has no side effect.
pub fn is_supported() -> bool {
    sys::has_execnsat()
}
