// SPDX-License-Identifier: GPL-2.0

//! The arguments of execnsat(2), as include/uapi/linux/execns.h has them.

pub const SETGROUPS_ALLOW: u32 = 1 << 0;
pub const SETGROUPS_DENY: u32 = 1 << 1;
pub const ROOT_FD: u32 = 1 << 2;
pub const SET_IDS: u32 = 1 << 3;
pub const DROP_GROUPS: u32 = 1 << 4;

/// What leaves an id as it is.
pub const SAME_ID: u32 = u32::MAX;

/// How many ranges of ids the kernel takes.
pub const MAX_RANGES: usize = 340;

/// A descriptor that the program gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Fd {
    pub from: u32,
    pub to: u32,
}

/// A range of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct IdMap {
    pub inside: u32,
    pub outside: u32,
    pub count: u32,
}

/// What a clock is ahead of the initial time namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct TimeOffset {
    pub clock: i32,
    pub reserved: u32,
    pub sec: i64,
    pub nsec: i64,
}

/// struct execns_args
#[derive(Debug, Default)]
#[repr(C)]
pub struct Args {
    pub unshare_flags: u64,
    pub at_flags: u32,
    pub flags: u32,
    pub fds: u64,
    pub uid_map: u64,
    pub gid_map: u64,
    pub time_offsets: u64,
    pub nr_fds: u32,
    pub nr_uid_map: u32,
    pub nr_gid_map: u32,
    pub nr_time_offsets: u32,
    pub root_fd: i32,
    pub uid: u32,
    pub gid: u32,
    pub reserved: u32,
}

const _: () = assert!(size_of::<Args>() == 80);

/// An array as the kernel takes it: pointer and number are both zero, or none is.
pub fn array<T>(items: &[T]) -> (u64, u32) {
    if items.is_empty() {
        (0, 0)
    } else {
        (items.as_ptr() as u64, items.len() as u32)
    }
}
