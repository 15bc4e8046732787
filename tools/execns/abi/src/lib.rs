// SPDX-License-Identifier: GPL-2.0

//! What `<linux/execns.h>` defines, and the numbers of the system calls: the arguments of
//! execnsat(2) as the kernel takes them, for programs with and without the standard library. For
//! those without, [`raw`] calls the kernel.

#![no_std]
#![deny(missing_docs)]

pub mod raw;

use core::ffi::c_long;
use core::mem::offset_of;

// The flags of execveat(2) that execnsat(2) takes.
pub use linux_raw_sys::general::{AT_EMPTY_PATH, AT_EXECVE_CHECK, AT_SYMLINK_NOFOLLOW};

/// The number of execns(2), the same on all architectures but alpha and MIPS.
pub const SYS_EXECNS: c_long = 473;

/// The number of execnsat(2), the same on all architectures but alpha and MIPS.
pub const SYS_EXECNSAT: c_long = 474;

/// The size of the first version of [`ExecnsArgs`].
pub const EXECNS_ARGS_SIZE_VER0: usize = 80;

/// `allow` is written to `/proc/PID/setgroups` before the maps.
pub const EXECNS_SETGROUPS_ALLOW: u32 = 1 << 0;
/// `deny` is written to `/proc/PID/setgroups` before the maps.
pub const EXECNS_SETGROUPS_DENY: u32 = 1 << 1;
/// The new mount namespace has the tree at [`ExecnsArgs::root_fd`] as its root.
pub const EXECNS_ROOT_FD: u32 = 1 << 2;
/// The program has [`ExecnsArgs::uid`] and [`ExecnsArgs::gid`].
pub const EXECNS_SET_IDS: u32 = 1 << 3;
/// The program is in no group but its gid.
pub const EXECNS_DROP_GROUPS: u32 = 1 << 4;

/// The id that stays what it is, with [`EXECNS_SET_IDS`].
pub const SAME_ID: u32 = u32::MAX;

/// The flag of unshare(2) for a mount namespace without mounts, which `<linux/sched.h>` has.
pub const UNSHARE_EMPTY_MNTNS: u64 = 0x0010_0000;

/// The largest number of extents in a map of ids.
pub const MAX_EXTENTS: usize = 340;

/// The largest number of time offsets.
pub const MAX_TIME_OFFSETS: usize = 2;

/// `struct execns_fd`: a descriptor that the program gets.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecnsFd {
    /// The number that it has in the caller's table.
    pub from: u32,
    /// The number that it has in the program's.
    pub to: u32,
}

/// `struct execns_id_map`: a range of ids, as a line of `/proc/PID/uid_map`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecnsIdMap {
    /// The first id in the new user namespace.
    pub inside: u32,
    /// The first id in the caller's user namespace.
    pub outside: u32,
    /// How many ids.
    pub count: u32,
}

/// `struct execns_time_offset`: what a clock is ahead of the initial time namespace.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecnsTimeOffset {
    /// `CLOCK_MONOTONIC` or `CLOCK_BOOTTIME`.
    pub clock: i32,
    /// Has to be zero.
    pub reserved: u32,
    /// Seconds, which may be negative.
    pub sec: i64,
    /// Nanoseconds, 0 to 999999999.
    pub nsec: i64,
}

/// `struct execns_args`: the arguments of execnsat(2). [`ExecnsArgs::of_arrays`] makes pointers and their numbers.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecnsArgs {
    /// What unshare(2) takes, [`UNSHARE_EMPTY_MNTNS`] included.
    pub unshare_flags: u64,
    /// `AT_*`, as execveat(2) takes them.
    pub at_flags: u32,
    /// `EXECNS_*`.
    pub flags: u32,
    /// The address of an array of [`ExecnsFd`].
    pub fds: u64,
    /// The address of an array of [`ExecnsIdMap`].
    pub uid_map: u64,
    /// The address of an array of [`ExecnsIdMap`].
    pub gid_map: u64,
    /// The address of an array of [`ExecnsTimeOffset`].
    pub time_offsets: u64,
    /// The number of elements of `fds`.
    pub nr_fds: u32,
    /// The number of elements of `uid_map`, at most [`MAX_EXTENTS`].
    pub nr_uid_map: u32,
    /// The number of elements of `gid_map`, at most [`MAX_EXTENTS`].
    pub nr_gid_map: u32,
    /// The number of elements of `time_offsets`, at most [`MAX_TIME_OFFSETS`].
    pub nr_time_offsets: u32,
    /// With [`EXECNS_ROOT_FD`], the descriptor of a directory.
    pub root_fd: i32,
    /// With [`EXECNS_SET_IDS`], the program's uid in the new user namespace, or [`SAME_ID`].
    pub uid: u32,
    /// As `uid`, for the gid.
    pub gid: u32,
    /// Has to be zero.
    pub reserved: u32,
}

impl ExecnsArgs {
    /// With these arrays, and zero otherwise. They have to be there as long as the arguments are
    /// used.
    pub fn of_arrays(
        fds: &[ExecnsFd],
        uid_map: &[ExecnsIdMap],
        gid_map: &[ExecnsIdMap],
        time_offsets: &[ExecnsTimeOffset],
    ) -> Self {
        let (fds, nr_fds) = array(fds);
        let (uid_map, nr_uid_map) = array(uid_map);
        let (gid_map, nr_gid_map) = array(gid_map);
        let (time_offsets, nr_time_offsets) = array(time_offsets);

        Self {
            fds,
            uid_map,
            gid_map,
            time_offsets,
            nr_fds,
            nr_uid_map,
            nr_gid_map,
            nr_time_offsets,
            ..Self::default()
        }
    }
}

const _: () = {
    assert!(size_of::<ExecnsFd>() == 8 && align_of::<ExecnsFd>() == 4);
    assert!(offset_of!(ExecnsFd, to) == 4);
    assert!(size_of::<ExecnsIdMap>() == 12 && align_of::<ExecnsIdMap>() == 4);
    assert!(offset_of!(ExecnsIdMap, outside) == 4);
    assert!(offset_of!(ExecnsIdMap, count) == 8);
    assert!(size_of::<ExecnsTimeOffset>() == 24);
    assert!(offset_of!(ExecnsTimeOffset, reserved) == 4);
    assert!(offset_of!(ExecnsTimeOffset, sec) == 8);
    assert!(offset_of!(ExecnsTimeOffset, nsec) == 16);
    assert!(size_of::<ExecnsArgs>() == EXECNS_ARGS_SIZE_VER0 && align_of::<ExecnsArgs>() == 8);
    assert!(offset_of!(ExecnsArgs, unshare_flags) == 0);
    assert!(offset_of!(ExecnsArgs, at_flags) == 8);
    assert!(offset_of!(ExecnsArgs, flags) == 12);
    assert!(offset_of!(ExecnsArgs, fds) == 16);
    assert!(offset_of!(ExecnsArgs, uid_map) == 24);
    assert!(offset_of!(ExecnsArgs, gid_map) == 32);
    assert!(offset_of!(ExecnsArgs, time_offsets) == 40);
    assert!(offset_of!(ExecnsArgs, nr_fds) == 48);
    assert!(offset_of!(ExecnsArgs, nr_uid_map) == 52);
    assert!(offset_of!(ExecnsArgs, nr_gid_map) == 56);
    assert!(offset_of!(ExecnsArgs, nr_time_offsets) == 60);
    assert!(offset_of!(ExecnsArgs, root_fd) == 64);
    assert!(offset_of!(ExecnsArgs, uid) == 68);
    assert!(offset_of!(ExecnsArgs, gid) == 72);
    assert!(offset_of!(ExecnsArgs, reserved) == 76);
};

/// An array as the kernel takes it, its address and its number of elements: both are zero, or none.
fn array<T>(elements: &[T]) -> (u64, u32) {
    match elements {
        [] => (0, 0),
        // What is too long is refused, at the largest number as well.
        _ => (
            elements.as_ptr().expose_provenance() as u64,
            u32::try_from(elements.len()).unwrap_or(u32::MAX),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the header says after `name`, up to the end of the number.
    fn number(name: &str) -> u64 {
        const HEADER: &str = include_str!("../../../../include/uapi/linux/execns.h");
        let (_, rest) = HEADER.split_once(name).expect(name);
        let value = rest.trim_start();
        let digits = |text: &str| {
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap();
            text[..end].parse::<u64>().unwrap()
        };

        match value.strip_prefix("(1U << ") {
            Some(shift) => 1 << digits(shift),
            None => digits(value),
        }
    }

    #[test]
    fn numbers_are_those_of_the_header() {
        for (name, ours) in [
            ("#define EXECNS_SETGROUPS_ALLOW", EXECNS_SETGROUPS_ALLOW),
            ("#define EXECNS_SETGROUPS_DENY", EXECNS_SETGROUPS_DENY),
            ("#define EXECNS_ROOT_FD", EXECNS_ROOT_FD),
            ("#define EXECNS_SET_IDS", EXECNS_SET_IDS),
            ("#define EXECNS_DROP_GROUPS", EXECNS_DROP_GROUPS),
            (
                "#define EXECNS_ARGS_SIZE_VER0",
                EXECNS_ARGS_SIZE_VER0 as u32,
            ),
        ] {
            assert_eq!(number(name), ours.into(), "{name}");
        }
        assert_eq!(number("elements of @uid_map, at most"), MAX_EXTENTS as u64);
        assert_eq!(number("elements of @gid_map, at most"), MAX_EXTENTS as u64);
        assert_eq!(
            number("elements of @time_offsets, at most"),
            MAX_TIME_OFFSETS as u64
        );
    }

    #[test]
    fn an_array_without_elements_has_no_address() {
        let elements = [ExecnsFd::default(); 3];

        assert_eq!(array::<ExecnsFd>(&[]), (0, 0));
        assert_eq!(array(&elements), (elements.as_ptr() as u64, 3));
    }
}
