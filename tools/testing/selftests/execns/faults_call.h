/* SPDX-License-Identifier: GPL-2.0 */
/* The calls that are made with faults: who calls, with what arguments. */
#ifndef _FAULTS_CALL_H
#define _FAULTS_CALL_H

#include "faults.h"
#include "seccomp_filter.h"

/* What faults_program exits with. */
#define PROGRAM_RAN 42

enum program {
	PROGRAM,
	SCRIPT,
	SCRIPT_OF_SCRIPT,
	DYNAMIC,		/* with an interpreter, as its loader */
	SET_USER_ID,
	NR_PROGRAMS
};

static const char *const programs[NR_PROGRAMS] = {
	"./faults_program", "/tmp/faults.script", "/tmp/faults.script2", "./execns_interp",
	"/tmp/faults.setuid",
};

/* Make those that are not there. */
static inline int make_programs(void)
{
	char text[1024], cwd[900];

	if (!getcwd(cwd, sizeof(cwd)))
		return -1;
	snprintf(text, sizeof(text), "#!%s/faults_program\n", cwd);
	if (make_script(programs[SCRIPT], text))
		return -1;
	snprintf(text, sizeof(text), "#!%s\n", programs[SCRIPT]);
	return make_script(programs[SCRIPT_OF_SCRIPT], text) ||
	       copy_program(programs[PROGRAM], "/tmp/execns.ld.so", 0, 0755) ||
	       copy_program(programs[PROGRAM], programs[SET_USER_ID], 1000, 04755);
}

struct at_call {
	struct execns_args args;
	int dirfd;
	const char *path;
};

/* Of zero: execns(0) of PROGRAM by root. */
struct faults_call {
	enum how how;			/* BY_UNSHARE: without a program */
	int flags;
	enum program program;
	int share;			/* what the caller shares with its parent */
	bool threads;			/* there are more in the caller */
	uid_t uid;
	int (*setup)(void *unused);	/* in the caller, before */
	int (*prepare)(struct at_call *at);	/* the same, for BY_EXECNSAT */
};

static struct at_call prepared;

static inline int prepare_call(const struct faults_call *call)
{
	if (call->setup && call->setup(NULL))
		return -1;
	prepared = (struct at_call){
		.args.unshare_flags = call->flags, .dirfd = AT_FDCWD,
		.path = programs[call->program],
	};
	return call->prepare ? call->prepare(&prepared) : 0;
}

/* Returns only if there was no program to start, or on failure. */
static inline int make_call(const void *data)
{
	static char *const argv[] = { "faults_program", NULL }, *const envp[] = { "A=1", NULL };
	const struct faults_call *call = data;

	switch (call->how) {
	case BY_UNSHARE:
		if (!unshare(call->flags))
			_exit(PROGRAM_RAN);
		return -1;
	case BY_EXECVE:
		return execve(programs[call->program], argv, envp);
	case BY_EXECNSAT:
		return sys_execnsat(prepared.dirfd, prepared.path, argv, envp, &prepared.args,
				    sizeof(prepared.args));
	default:
		return sys_execns(call->flags, programs[call->program], argv, envp);
	}
}

/* Files are open from 10 to 15. They change their numbers, and one is doubled. */
static inline int with_fds(struct at_call *at)
{
	static const struct execns_fd fds[] = {
		{ 10, 11 }, { 11, 10 }, { 12, 300 }, { 12, 0 }, { 13, 13 },
	};

	at->args.fds = PTR(fds);
	at->args.nr_fds = ARRAY_SIZE(fds);
	return 0;
}

static inline int with_maps(struct at_call *at, unsigned int nr)
{
	static struct execns_id_map map[340];
	unsigned int i;

	for (i = 0; i < nr; i++)
		map[i] = (struct execns_id_map){ 2 * i, 2 * i, 1 };
	at->args.uid_map = PTR(map);
	at->args.gid_map = PTR(map);
	at->args.nr_uid_map = nr;
	at->args.nr_gid_map = nr;
	return 0;
}

static inline int with_a_map(struct at_call *at)
{
	return with_maps(at, 1);
}

static inline int with_long_maps(struct at_call *at)
{
	return with_maps(at, 340);
}

static inline int with_ids(struct at_call *at)
{
	at->args.flags = EXECNS_SET_IDS | EXECNS_DROP_GROUPS | EXECNS_SETGROUPS_ALLOW;
	at->args.uid = 2;
	at->args.gid = 4;
	return with_long_maps(at);
}

static inline int with_offsets(struct at_call *at)
{
	static const struct execns_time_offset offsets[] = {
		{ .clock = CLOCK_MONOTONIC, .sec = 1000 }, { .clock = CLOCK_BOOTTIME, .sec = 10 },
	};

	at->args.time_offsets = PTR(offsets);
	at->args.nr_time_offsets = ARRAY_SIZE(offsets);
	return 0;
}

static inline int with_root(struct at_call *at)
{
	at->args.flags = EXECNS_ROOT_FD;
	at->args.root_fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	at->path = "/faults_program";
	return at->args.root_fd < 0;
}

static inline int of_memfd(struct at_call *at)
{
	int fd = memfd_create("faults", MFD_CLOEXEC);
	char path[64];

	at->args.at_flags = AT_EMPTY_PATH;
	at->path = "";
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (copy_program(programs[PROGRAM], path, 0, 0755))
		return -1;
	/* As long as it can be written, it is not executed. */
	at->dirfd = open(path, O_RDONLY | O_CLOEXEC);
	return at->dirfd < 0 || close(fd);
}

static inline int in_empty_mntns(struct at_call *at)
{
	at->args.unshare_flags |= UNSHARE_EMPTY_MNTNS;
	return of_memfd(at);
}

static inline int with_all(struct at_call *at)
{
	return with_fds(at) || with_offsets(at) || with_ids(at);
}

static inline int only_check(struct at_call *at)
{
	at->args.at_flags = AT_EXECVE_CHECK;
	return with_all(at);
}

/* It is asked about all, and denies what nobody does. */
static inline int filtered(void *unused)
{
	static const struct rule rules[] = {
		{ .nr = __NR_unshare, .action = SECCOMP_RET_ERRNO | EPERM, .mask = 1, .value = 1 },
		{ .nr = __NR_setns, .action = SECCOMP_RET_LOG },
	};

	(void)unused;
	return install_rules(rules, ARRAY_SIZE(rules), 0);
}

#endif
