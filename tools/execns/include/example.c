// SPDX-License-Identifier: GPL-2.0
/*
 * Run a program as root of its own user, mount and UTS namespace, with the standard
 * descriptors and no others: example PROGRAM [ARGUMENT]...
 *
 * cc -std=c99 -Wall -I. -o example example.c
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "execns.h"

extern char **environ;

int main(int argc, char *argv[])
{
	const struct execns_fd fds[] = { { 0, 0 }, { 1, 1 }, { 2, 2 } };
	const struct execns_id_map uids = { 0, geteuid(), 1 };
	const struct execns_id_map gids = { 0, getegid(), 1 };
	struct execns_args args = {
		.unshare_flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS,
		.flags = EXECNS_SETGROUPS_DENY,
		.fds = execns_pointer(fds),
		.nr_fds = 3,
		.uid_map = execns_pointer(&uids),
		.nr_uid_map = 1,
		.gid_map = execns_pointer(&gids),
		.nr_gid_map = 1,
	};

	if (argc < 2) {
		fprintf(stderr, "usage: %s PROGRAM [ARGUMENT]...\n", argv[0]);
		return 2;
	}
	execnsat(AT_FDCWD, argv[1], argv + 1, environ, &args, sizeof(args));
	perror(argv[1]);
	return 1;
}
