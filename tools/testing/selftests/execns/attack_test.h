/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the attacks on execnsat() share. Each is run against unshare() and
 * execve() as well, where that is cheap: if it did nothing there, it would show
 * nothing here.
 */
#ifndef _ATTACK_TEST_H
#define _ATTACK_TEST_H

#include "execnsat_maps.h"

#define ATTACK_AGENT "./attack_agent"
/* What the agent adds to the errno of a call that it makes itself. */
#define NESTED_FAILED 150
/* What attack() says if the caller has not come to its call. */
#define NOT_RUN -1000

/* A new user namespace with this map of uids and gids, or the default one. */
static inline struct execns_args with_map(const struct execns_id_map *map, unsigned int flags)
{
	return (struct execns_args){
		.unshare_flags = CLONE_NEWUSER, .flags = flags,
		.uid_map = PTR(map), .nr_uid_map = !!map, .gid_map = PTR(map), .nr_gid_map = !!map,
	};
}

/* unshare(), chroot() where there is a root, and execve(). */
static inline int call_by_unshare(void *data)
{
	char *argv[32] = { "attack_agent", NULL };
	char uid[1024], gid[1024];
	static const struct execns_args none;
	struct agent_run *run = data;
	const struct execns_args *args = run->args ?: &none;
	unsigned char failed[2] = { CALL_FAILED };
	int cwd, error = 0;

	if (run->setup && run->setup(run->data))
		return 98;
	map_text((void *)(uintptr_t)args->uid_map, args->nr_uid_map, uid, sizeof(uid));
	map_text((void *)(uintptr_t)args->gid_map, args->nr_gid_map, gid, sizeof(gid));
	cwd = open(".", O_PATH | O_CLOEXEC);
	if (args->nr_uid_map)
		error = enter_userns(args->unshare_flags & ~(unsigned long long)CLONE_NEWUSER,
				     args->flags & EXECNS_SETGROUPS_DENY ? "deny" : NULL, uid, gid);
	else if (unshare_like_execns(args->unshare_flags))
		error = errno;
	/* The working directory stays, as chroot() leaves it. */
	if (!error && args->flags & EXECNS_ROOT_FD &&
	    (fchdir(args->root_fd) || chroot(".") || fchdir(cwd)))
		error = errno;
	if (!error && args->flags & EXECNS_SET_IDS &&
	    (setresgid(args->gid, args->gid, args->gid) ||
	     setresuid(args->uid, args->uid, args->uid)))
		error = errno;
	agent_argv(run, argv);
	if (!error && dup2(run->ready[1], AGENT_READY) >= 0 && dup2(run->go[0], AGENT_GO) >= 0) {
		execve(run->path ?: "./execnsat_agent", argv, environ);
		error = errno;
	}
	failed[1] = error;
	_exit(write(run->ready[1], failed, 2) == 2 ? EXEC_FAILED : 98);
}

/* The attacker's result, or that of the call, which is negative. */
static inline int attack(struct agent_run *run)
{
	int result = start_agent(run), exit = finish_agent(run);

	if (result < 0)
		return run->error ? -run->error : NOT_RUN;
	return exit < 0 ? exit : result;
}

/* The same by unshare() and execve(). */
static inline int attack_by_unshare(const struct agent_run *run)
{
	struct agent_run control = *run;

	control.call = call_by_unshare;
	return attack(&control);
}

#endif
