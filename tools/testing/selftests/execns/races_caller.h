/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The caller of a round of a race: a process of which one thread, or several of
 * them, call execns() or execnsat() while the others do something else.
 */
#ifndef _RACES_CALLER_H
#define _RACES_CALLER_H

#include "races.h"

#include <pthread.h>
#include <signal.h>

#define RACES_AGENT "./races_agent"
#define MAX_THREADS 4
/* What a caller exits with when all its calls have failed, or in a race that lets it. */
#define CALLS_FAILED 90
#define ENDED_ITSELF 91
/* Other numbers, for who needs some. */
#define OTHER_FD 100
/* Where no program is loaded to. */
#define SECRET_MEMORY ((char *)0x300000000000)
/* What all namespaces but those of networks and users are: one of these takes long to make. */
#define CHEAP_NS (ALL_NS & ~(CLONE_NEWNET | CLONE_NEWUSER))
/* Which errnos of a call are one of the ways in which a race can end. */
#define MAY(error) (1ULL << (error))

/* What a call asks for. */
struct exec_request {
	enum how how;
	int flags;
	bool set_ids, root;	/* of an execnsat() */
};

/* A thread, or process, of the others. */
struct other {
	struct races *races;
	const struct race *race;
	unsigned int seed;
	int number;		/* among those that do the same */
	pid_t pid;		/* the target of who is outside */
	int pidfd;
	int proc;		/* its folder in /proc */
};

struct race {
	/* In who starts the callers, once. */
	int (*prepare)(struct races *races);
	/* In the caller, before there are threads. */
	int (*setup)(struct races *races);
	/* In who calls, just before. */
	void (*before)(struct races *races);
	/* In the leader that does not call, while another thread does. */
	void (*leaves)(void);
	/* What its other threads do, again and again. */
	int (*thread)(struct other *other);
	/* The same for processes outside. */
	int (*outside)(struct other *other);
	/* In who starts the callers, after each round. */
	void (*after)(struct races *races);
	int threads;		/* how many: default 2 */
	int outsiders;		/* default 1 */
	int calls;		/* threads that call execns() at once: default 1 */
	bool only_root, only_user;
	enum { ANY_THREAD, ONLY_THE_LEADER, NOT_THE_LEADER } leader;	/* who calls */
	bool as_user;		/* this is who is outside */
	enum how how;		/* default: BY_EXECNS and BY_EXECNSAT in turn */
	int stay;		/* microseconds that the program is there */
	unsigned long long may;	/* errnos that a call may fail with */
	int exit, signal;	/* how the caller may end instead */
	bool traps;		/* or by SIGTRAP, if a tracer of PTRACE_ATTACH ends at an exec */
	const char *tallies[8];	/* what races->tally counts */
	int flags;		/* that each call has */
	int control;		/* the tally of what must not be seen otherwise, and is here */
	bool closes;		/* the program itself closes what it is not to have */
};

static int races_fd = -1;
static char races_path[64];

static inline int pick(unsigned int *seed, int n)
{
	return rand_r(seed) / 7 % n;
}

static inline long long now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000LL + ts.tv_nsec / 1000;
}

/* To sleep would be too coarse. */
static inline void spin(int us)
{
	long long end = now_us() + us;

	while (us && now_us() < end)
		;
}

static inline void make_request(struct exec_request *request, const struct race *race, bool user,
				unsigned int *seed)
{
	static const int flags[] = {
		0, CLONE_NEWUSER, CHEAP_NS, CLONE_NEWUSER | CHEAP_NS,
		CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID, CLONE_NEWUTS | CLONE_NEWIPC,
		CLONE_FS | CLONE_SYSVSEM | CLONE_FILES, CLONE_NEWUSER | CLONE_NEWIPC,
	};

	memset(request, 0, sizeof(*request));
	request->how = race->how;
	if (race->how == BY_EXECNS && pick(seed, 2))
		request->how = BY_EXECNSAT;
	request->flags = pick(seed, 40) ? flags[pick(seed, ARRAY_SIZE(flags))] : ALL_NS;
	request->flags = race->how == BY_EXECVE ? 0 : request->flags | race->flags;
	if (user && request->flags & ALL_NS)
		request->flags |= CLONE_NEWUSER;
	if (request->how == BY_EXECNSAT && request->flags & CLONE_NEWUSER) {
		request->set_ids = !user && pick(seed, 2);
		request->root = user && pick(seed, 2);
	}
}

/* The descriptors of the program of an execnsat(). */
static const struct execns_fd listed[] = {
	{ 10, 3 }, { 11, 11 }, { 12, 10 }, { RACES_FILE_FD, RACES_FILE_FD },
};

static inline void call(const struct exec_request *request, int which, int stay, bool closes)
{
	static const struct execns_id_map shifted = { 0, 100000, 65536 };
	struct execns_id_map own = { 0, geteuid(), 1 };
	char number[16], us[16];
	bool at = request->how == BY_EXECNSAT;
	char *const argv[] = {
		closes ? "closes" : RACES_AGENT, at ? "@" : races_path, number, us, NULL,
	};
	static char *const envp[] = { "RACES_NEW=1", NULL };
	struct execns_args args = {
		.unshare_flags = request->flags, .fds = PTR(listed), .nr_fds = ARRAY_SIZE(listed),
	};

	snprintf(number, sizeof(number), "%d", which);
	snprintf(us, sizeof(us), "%d", stay);
	if (request->set_ids || request->root) {
		args.uid_map = PTR(request->root ? &own : &shifted);
		args.gid_map = args.uid_map;
		args.nr_uid_map = 1;
		args.nr_gid_map = 1;
		args.flags = request->root ? EXECNS_SETGROUPS_DENY :
			     EXECNS_SET_IDS | EXECNS_DROP_GROUPS;
	}
	switch (request->how) {
	case BY_EXECNSAT:
		sys_execnsat(AT_FDCWD, RACES_AGENT, argv, envp, &args, sizeof(args));
		break;
	case BY_EXECNS:
		sys_execns(request->flags, RACES_AGENT, argv, envp);
		break;
	case BY_UNSHARE:
		if (!unshare_like_execns(request->flags))
			execve(RACES_AGENT, argv, envp);
		break;
	case BY_EXECVE:
		execve(RACES_AGENT, argv, envp);
		break;
	}
}

/* That a task of the caller, or a child of one, is what the caller has been before. */
static inline void check_old(struct races *races, const char *who, unsigned long long but)
{
	struct seen seen;
	char byte = 0;
	size_t i;

	if (look_around(&seen, false)) {
		violation(races, "%s: does not find itself in /proc", who);
		return;
	}
	for (i = 0; i < NR_NAMESPACES; i++)
		if (seen.ns[i] != races->old.ns[i] && !(namespaces[i].flag & but))
			violation(races, "%s: in another %s namespace", who, namespaces[i].name);
	if (memcmp(seen.ids, races->old.ids, sizeof(seen.ids)) || seen.caps != races->old.caps)
		violation(races, "%s: uid %u, capabilities %llx", who, seen.ids[1], seen.caps);
	for (i = FIRST_SECRET; i <= LAST_SECRET; i++)
		if (pread(i, &byte, 1, 0) != 1 || byte != '!')
			violation(races, "%s: descriptor %zu is gone", who, i);
	if (*SECRET_MEMORY != '!')
		violation(races, "%s: in other memory", who);
}

/* In the caller. */
static struct {
	struct races *races;
	const struct race *race;
	struct exec_request requests[MAX_CALLS];
	int calls, leader, delay[MAX_CALLS];
} caller;

static inline void wait_for_go(struct races *races)
{
	count(&races->ready);
	while (!load(&races->go))
		sched_yield();
}

static inline void *call_thread(void *data)
{
	struct races *races = caller.races;
	int which = (int)(intptr_t)data, error;

	wait_for_go(races);
	if (caller.race->before)
		caller.race->before(races);
	spin(caller.delay[which]);
	store(&races->done_at_call, load(&races->done));
	count(&races->called);
	call(&caller.requests[which], which, caller.race->stay, caller.race->closes);
	error = errno;
	store(&races->errors[which], error);
	check_old(races, "a caller whose call has failed", 0);
	if (count(&races->failed) == caller.calls - 1)
		syscall(SYS_exit_group, CALLS_FAILED);
	return NULL;
}

static inline void *other_thread(void *data)
{
	struct other *other = data;

	wait_for_go(other->races);
	for (;;)
		if (!caller.race->thread(other))
			count(&other->races->done);
	return NULL;
}

static inline int start_thread(void *(*fn)(void *data), void *data)
{
	pthread_attr_t attr;
	pthread_t thread;

	return pthread_attr_init(&attr) || pthread_attr_setstacksize(&attr, 256 << 10) ||
	       pthread_create(&thread, &attr, fn, data);
}

static inline int open_secrets(void)
{
	int fd;

	if (open_files(FIRST_FD, NR_FDS) || dup2(races_fd, RACES_FILE_FD) < 0)
		return -1;
	for (fd = FIRST_FD; fd <= LAST_SECRET; fd++)
		if (pwrite(fd, "!", 1, 0) != 1)
			return -1;
	if (mmap(SECRET_MEMORY, 4096, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != SECRET_MEMORY)
		return -1;
	*SECRET_MEMORY = '!';
	return 0;
}

static inline void run_caller(struct races *races, bool user, unsigned int seed)
{
	static struct other others[MAX_THREADS];
	const struct race *race = caller.race;
	int threads = race->thread ? race->threads ?: 2 : 0, i;
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if ((user && become_user(NULL)) || (race->setup && race->setup(races)) ||
	    look_around(&races->old, false))
		_exit(98);
	races->flags = ~0;
	for (i = 0; i < caller.calls; i++)
		races->flags &= caller.requests[i].flags;
	store(&races->target, getpid());
	for (i = 0; i < threads; i++) {
		others[i] = (struct other){ .races = races, .race = race, .number = i };
		others[i].seed = seed + i;
		if (start_thread(other_thread, &others[i]))
			_exit(97);
	}
	for (i = 0; i < caller.calls; i++)
		if (i != caller.leader && start_thread(call_thread, (void *)(intptr_t)i))
			_exit(97);
	threads += caller.calls - (caller.leader >= 0);
	while (load(&races->ready) != threads)
		sched_yield();
	store(&races->go, 1);
	if (caller.leader >= 0)
		call_thread((void *)(intptr_t)caller.leader);
	if (caller.race->leaves)
		caller.race->leaves();
	for (;;)
		pause();
}

#endif
