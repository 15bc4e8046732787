// SPDX-License-Identifier: GPL-2.0
/*
 * compat_caller FILE: check errors of execns() as a 32-bit program, then become
 * execns_report in all new namespaces. With EXECNSAT in the environment, the same
 * of execnsat(). Exits with the number of what failed.
 *
 * compat_caller: make one call that names no program, and exit with its errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/execns.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __NR_execns
#define __NR_execns 473
#endif

#ifndef __NR_execnsat
#define __NR_execnsat 474
#endif

#define ALL_NS 0x7e020080
#define REPORT "./execns_report"

static int fails(int expected, long result)
{
	return result == -1 && errno == expected;
}

static int by_execns(char *const *args)
{
	char *const bad[] = { (char *)16, NULL };

	if (!fails(EINVAL, syscall(__NR_execns, 0x1000, REPORT, args, environ)))
		return 2;
	if (!fails(ENOENT, syscall(__NR_execns, ALL_NS, "/nonexistent", args, environ)))
		return 3;
	if (!fails(EFAULT, syscall(__NR_execns, ALL_NS, REPORT, bad, environ)))
		return 4;
	if (!fails(EFAULT, syscall(__NR_execns, ALL_NS, REPORT, (char **)16, environ)))
		return 5;
	syscall(__NR_execns, ALL_NS, REPORT, args, environ);
	return 6;
}

static long call(const char *path, char *const *argv, const void *args, size_t size)
{
	return syscall(__NR_execnsat, AT_FDCWD, path, argv, environ, args, size);
}

/* The structure is that of 64 bits, and so are the pointers in it. */
static int by_execnsat(char *const *argv)
{
	struct execns_time_offset offsets[] = { { .clock = CLOCK_BOOTTIME, .sec = 100000 } };
	struct execns_id_map map[] = { { 0, 0, 5 }, { 100, 10, 0x7fffffff } };
	struct execns_fd fds[] = { { 1, 2 }, { 2, 1 }, { 1, 77 } };
	struct execns_args good = {
		.unshare_flags = ALL_NS, .flags = EXECNS_SETGROUPS_DENY,
		.fds = (uintptr_t)fds, .nr_fds = 3,
		.uid_map = (uintptr_t)map, .nr_uid_map = 2,
		.gid_map = (uintptr_t)map, .nr_gid_map = 1,
		.time_offsets = (uintptr_t)offsets, .nr_time_offsets = 1,
	};
	char *const bad[] = { (char *)16, NULL };
	struct execns_args args = good;
	char tail[sizeof(args) + 8] = { 0 };

	if (sizeof(args) != EXECNS_ARGS_SIZE_VER0 || offsetof(struct execns_args, nr_fds) != 48)
		return 11;
	if (!fails(EINVAL, call(REPORT, argv, &args, sizeof(args) - 1)))
		return 12;
	if (!fails(EFAULT, call(REPORT, argv, NULL, sizeof(args))))
		return 13;
	memcpy(tail, &args, sizeof(args));
	tail[sizeof(args) + 7] = 1;
	if (!fails(E2BIG, call(REPORT, argv, tail, sizeof(tail))))
		return 14;
	if (!fails(ENOENT, call("/nonexistent", argv, &args, sizeof(args))))
		return 15;
	if (!fails(EFAULT, call(REPORT, bad, &args, sizeof(args))))
		return 16;
	if (!fails(EFAULT, call(REPORT, (char **)16, &args, sizeof(args))))
		return 17;
	/* What is above 4 GiB is not cut off. */
	args.fds |= 1ULL << 32;
	if (!fails(EFAULT, call(REPORT, argv, &args, sizeof(args))))
		return 18;
	args = good;
	args.unshare_flags |= 1ULL << 32;
	if (!fails(EINVAL, call(REPORT, argv, &args, sizeof(args))))
		return 19;
	args = good;
	args.at_flags = 0x10000;
	if (call(REPORT, argv, &args, sizeof(args)))
		return 20;
	call(REPORT, argv, &good, sizeof(good));
	return 21;
}

/* Whatever a filter could know about. */
static int one_call(int at)
{
	char *const argv[] = { "program", NULL };
	struct execns_args args = {
		.unshare_flags = ALL_NS,
		.flags = EXECNS_ROOT_FD | EXECNS_SET_IDS | EXECNS_DROP_GROUPS,
		.root_fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC), .uid = 5, .gid = 7,
	};

	if (at)
		call("/nonexistent", argv, &args, sizeof(args));
	else
		syscall(__NR_execns, ALL_NS, "/nonexistent", argv, environ);
	return errno;
}

int main(int argc, char **argv)
{
	char *const args[] = { "execns_report", "from 32 bit", argv[argc - 1], NULL };

	if (argc < 2)
		return one_call(!!getenv("EXECNSAT"));
	return getenv("EXECNSAT") ? by_execnsat(args) : by_execns(args);
}
