// SPDX-License-Identifier: GPL-2.0

//! What `<linux/execns.h>` and `<linux/fcntl.h>` define.

use std::ffi::c_long;
use std::mem::{align_of, offset_of, size_of};

/// The number of execns(2), the same on all architectures but alpha.
pub const SYS_EXECNS: c_long = 473;

/// The number of execnsat(2), the same on all architectures but alpha.
pub const SYS_EXECNSAT: c_long = 474;

/// `struct execns_fd`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExecnsFd {
    pub from: u32,
    pub to: u32,
}

/// `struct execns_id_map`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExecnsIdMap {
    pub inside: u32,
    pub outside: u32,
    pub count: u32,
}

/// `struct execns_time_offset`
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ExecnsTimeOffset {
    pub clock: i32,
    pub reserved: u32,
    pub sec: i64,
    pub nsec: i64,
}

/// `struct execns_args`
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExecnsArgs {
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

/// `EXECNS_ARGS_SIZE_VER0`
pub(crate) const ARGS_SIZE: usize = 80;

const _: () = {
    assert!(size_of::<ExecnsFd>() == 8);
    assert!(size_of::<ExecnsIdMap>() == 12);
    assert!(size_of::<ExecnsTimeOffset>() == 24);
    assert!(offset_of!(ExecnsTimeOffset, sec) == 8);
    assert!(size_of::<ExecnsArgs>() == ARGS_SIZE && align_of::<ExecnsArgs>() == 8);
    assert!(offset_of!(ExecnsArgs, at_flags) == 8);
    assert!(offset_of!(ExecnsArgs, fds) == 16);
    assert!(offset_of!(ExecnsArgs, time_offsets) == 40);
    assert!(offset_of!(ExecnsArgs, nr_fds) == 48);
    assert!(offset_of!(ExecnsArgs, root_fd) == 64);
    assert!(offset_of!(ExecnsArgs, reserved) == 76);
};

pub(crate) const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
pub(crate) const AT_EMPTY_PATH: u32 = 0x1000;
pub(crate) const AT_EXECVE_CHECK: u32 = 0x10000;

pub(crate) const SETGROUPS_ALLOW: u32 = 1 << 0;
pub(crate) const SETGROUPS_DENY: u32 = 1 << 1;
pub(crate) const ROOT_FD: u32 = 1 << 2;
pub(crate) const SET_IDS: u32 = 1 << 3;
pub(crate) const DROP_GROUPS: u32 = 1 << 4;

/// Of an id of `SET_IDS` that stays what it is.
pub(crate) const SAME_ID: u32 = u32::MAX;
