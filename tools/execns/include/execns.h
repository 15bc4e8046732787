/* SPDX-License-Identifier: GPL-2.0 */
/*
 * execns(2) and execnsat(2) for programs in C99 and C++, until a C library has
 * them. There is nothing to link.
 *
 * Define _GNU_SOURCE before the first header. The CLONE_* flags are in <sched.h>.
 */
#ifndef EXECNS_H
#define EXECNS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef __has_include
#if __has_include(<linux/execns.h>)
#include <linux/execns.h>
#endif
#endif

/* The calls have the same numbers everywhere but on alpha, and where ABIs begin elsewhere. */
#ifndef SYS_execns
#if defined(__alpha__)
#define SYS_execns	583
#elif defined(__mips__)
#define SYS_execns	(__NR_Linux + 473)
#elif defined(__x86_64__) && defined(__ILP32__)
#define SYS_execns	(__X32_SYSCALL_BIT + 473)
#else
#define SYS_execns	473
#endif
#endif
#ifndef SYS_execnsat
#define SYS_execnsat	(SYS_execns + 1)
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* What <linux/execns.h> defines, see there. */
#ifndef EXECNS_ARGS_SIZE_VER0
struct execns_fd {
	uint32_t from;
	uint32_t to;
};

struct execns_id_map {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

struct execns_time_offset {
	int32_t clock;
	uint32_t reserved;
	int64_t sec;
	int64_t nsec;
};

/* Each member is at a multiple of its size, on 32 bits as well. */
struct execns_args {
	uint64_t unshare_flags;
	uint32_t at_flags;
	uint32_t flags;
	uint64_t fds;
	uint64_t uid_map;
	uint64_t gid_map;
	uint64_t time_offsets;
	uint32_t nr_fds;
	uint32_t nr_uid_map;
	uint32_t nr_gid_map;
	uint32_t nr_time_offsets;
	int32_t root_fd;
	uint32_t uid;
	uint32_t gid;
	uint32_t reserved;
};

#define EXECNS_ARGS_SIZE_VER0	80

#define EXECNS_SETGROUPS_ALLOW	(1U << 0)
#define EXECNS_SETGROUPS_DENY	(1U << 1)
#define EXECNS_ROOT_FD		(1U << 2)
#define EXECNS_SET_IDS		(1U << 3)
#define EXECNS_DROP_GROUPS	(1U << 4)
#endif

/* What older C libraries lack, of <linux/sched.h> and <linux/fcntl.h>. */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME		0x00000080
#endif
#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS	0x00100000
#endif
#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK		0x10000
#endif

/**
 * execns - execute a program in new namespaces, without a descriptor
 * @unshare_flags: CLONE_NEW*, as unshare(2) takes them
 * @path: the program
 * @argv: its arguments, with a null pointer at the end
 * @envp: its environment, with a null pointer at the end
 *
 * Return: -1 and errno, with the caller as it was, or not at all.
 */
static inline int execns(int unshare_flags, const char *path,
			 char *const argv[], char *const envp[])
{
	return (int)syscall(SYS_execns, unshare_flags, path, argv, envp);
}

/**
 * execnsat - as execns(), with the descriptors, ids and root that are asked for
 * @dirfd: where a relative path begins, or the program with AT_EMPTY_PATH
 * @path: the program
 * @argv: its arguments, with a null pointer at the end
 * @envp: its environment, with a null pointer at the end
 * @args: what the program gets
 * @size: size of what @args points to, by which the kernel knows the version of it
 *
 * Return: 0 if AT_EXECVE_CHECK is set and the call would succeed. Otherwise as
 * execns().
 */
static inline int execnsat(int dirfd, const char *path, char *const argv[],
			   char *const envp[], struct execns_args *args,
			   size_t size)
{
	return (int)syscall(SYS_execnsat, dirfd, path, argv, envp, args, size);
}

/**
 * execns_pointer - a pointer as a member of struct execns_args
 * @array: the first element of an array
 *
 * Return: its address.
 */
static inline uint64_t execns_pointer(const void *array)
{
	return (uint64_t)(uintptr_t)array;
}

#ifdef __cplusplus
}
#endif

#endif /* EXECNS_H */
