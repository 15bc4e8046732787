/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
#ifndef _UAPI_LINUX_EXECNS_H
#define _UAPI_LINUX_EXECNS_H

#include <linux/types.h>

/**
 * struct execns_fd - a descriptor that the program of execnsat(2) gets
 * @from: number that it has in the caller's table
 * @to: number that it has in the program's, below the soft RLIMIT_NOFILE. No
 *	other element has the same.
 */
struct execns_fd {
	__u32 from;
	__u32 to;
};

/**
 * struct execns_id_map - a range of ids, as a line of /proc/PID/uid_map
 * @inside: first id in the new user namespace
 * @outside: first id in the caller's user namespace
 * @count: how many ids
 */
struct execns_id_map {
	__u32 inside;
	__u32 outside;
	__u32 count;
};

/**
 * struct execns_time_offset - what a clock of the new time namespace is ahead of
 *	the initial one, as a line of /proc/PID/timens_offsets
 * @clock: CLOCK_MONOTONIC or CLOCK_BOOTTIME
 * @reserved: has to be zero
 * @sec: seconds, may be negative
 * @nsec: nanoseconds, 0 to 999999999
 */
struct execns_time_offset {
	__s32 clock;
	__u32 reserved;
	__s64 sec;
	__s64 nsec;
};

/**
 * struct execns_args - arguments of execnsat(2)
 * @unshare_flags: what unshare(2) takes, UNSHARE_EMPTY_MNTNS included
 * @at_flags: AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW and AT_EXECVE_CHECK, as
 *	execveat(2) takes them
 * @flags: EXECNS_*
 * @fds: pointer to an array of struct execns_fd: these descriptors, and no
 *	others, are open in the program. They are renumbered as if all at once, and
 *	are not close-on-exec.
 * @uid_map: pointer to an array of struct execns_id_map, or 0 for what execns(2)
 *	maps. Needs CLONE_NEWUSER.
 * @gid_map: as @uid_map, for gids
 * @time_offsets: pointer to an array of struct execns_time_offset. Needs
 *	CLONE_NEWTIME.
 * @nr_fds: number of elements of @fds, at most the soft RLIMIT_NOFILE
 * @nr_uid_map: number of elements of @uid_map, at most 340
 * @nr_gid_map: number of elements of @gid_map, at most 340
 * @nr_time_offsets: number of elements of @time_offsets, at most 2
 * @root_fd: with EXECNS_ROOT_FD, descriptor of a directory, otherwise 0
 * @uid: with EXECNS_SET_IDS, uid of the program in the new user namespace, or -1;
 *	otherwise 0
 * @gid: as @uid, for the gid
 * @reserved: has to be zero
 *
 * The structure is versioned by its size. It is extended by new members at the
 * end, of which zero means what older versions do. A pointer and a number are
 * either both zero, or none is.
 */
struct execns_args {
	__aligned_u64 unshare_flags;
	__u32 at_flags;
	__u32 flags;
	__aligned_u64 fds;
	__aligned_u64 uid_map;
	__aligned_u64 gid_map;
	__aligned_u64 time_offsets;
	__u32 nr_fds;
	__u32 nr_uid_map;
	__u32 nr_gid_map;
	__u32 nr_time_offsets;
	__s32 root_fd;
	__u32 uid;
	__u32 gid;
	__u32 reserved;
};

#define EXECNS_ARGS_SIZE_VER0	80	/* sizeof of the first published version */

/*
 * What is written to /proc/PID/setgroups before the maps. Need CLONE_NEWUSER, and
 * exclude each other.
 */
#define EXECNS_SETGROUPS_ALLOW	(1U << 0)
#define EXECNS_SETGROUPS_DENY	(1U << 1)
/*
 * The new mount namespace has the tree of mounts at @root_fd as its root, instead
 * of a copy of all the caller's mounts. Needs CLONE_NEWNS, and excludes
 * UNSHARE_EMPTY_MNTNS. The tree is copied, and may be a detached one, of
 * open_tree(2) or fsmount(2).
 */
#define EXECNS_ROOT_FD		(1U << 2)
/*
 * The program has @uid and @gid of the new user namespace as its real, effective
 * and saved ids, as by setresgid(2) and setresuid(2) in there. An id of -1 stays.
 * Needs CLONE_NEWUSER.
 */
#define EXECNS_SET_IDS		(1U << 3)
/* The program is in no group but its gid. Needs CLONE_NEWUSER. */
#define EXECNS_DROP_GROUPS	(1U << 4)

#endif /* _UAPI_LINUX_EXECNS_H */
