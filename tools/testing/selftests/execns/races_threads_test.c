// SPDX-License-Identifier: GPL-2.0
/* Races of execns() with threads that execute programs, make processes, or end. */
#include "races_round.h"

#define STACK (64 << 10)

FIXTURE(threads)
{
	struct races *races;
};

FIXTURE_VARIANT(threads)
{
	struct race race;
};

/* Look around as a child of the old program, and once more when there is the new one. */
static int old_child(void *data)
{
	struct other *other = data;
	struct races *races = other->races;
	int tries;

	check_old(races, "a child", 0);
	if (pick(&other->seed, 3))
		syscall(SYS_exit, 0);
	for (tries = 0; tries < 5000 && !load(&races->programs) && !load(&races->failed); tries++)
		usleep(200);
	check_old(races, "a child, after the exec,", 0);
	count(&races->tally[0]);
	syscall(SYS_exit, 0);
	return 0;
}

static int make_child(struct other *other, int flags)
{
	char *stack = NULL;
	int pid;

	if (flags & CLONE_VM) {
		stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			     -1, 0);
		if (stack == MAP_FAILED)
			return -1;
	}
	rand_r(&other->seed);
	/* There may be many who share all of it: each has a copy of what it is to know. */
	if (stack) {
		struct other *copy = (struct other *)stack;

		*copy = *other;
		pid = clone(old_child, stack + STACK, flags | SIGCHLD, copy);
	} else {
		pid = syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
		if (!pid)
			old_child(other);
	}
	if (pid < 0)
		return -1;
	/* Those that have ended; the others may last as long as this process. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return 0;
}

static int do_fork(struct other *other)
{
	return make_child(other, 0);
}

static int do_vfork(struct other *other)
{
	return make_child(other, CLONE_VM | CLONE_VFORK);
}

static int do_share_files(struct other *other)
{
	return make_child(other, CLONE_FILES);
}

static int do_share_all(struct other *other)
{
	return make_child(other, CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_SYSVSEM);
}

static int do_clone_parent(struct other *other)
{
	return make_child(other, CLONE_PARENT | CLONE_FS);
}

static int do_share_signals(struct other *other)
{
	return make_child(other, CLONE_VM | CLONE_SIGHAND | CLONE_FILES);
}

/* One that is in namespaces of its own: all others are the old ones. */
static int do_clone_namespaces(struct other *other)
{
	static const int flags[] = {
		CLONE_NEWUTS, CLONE_NEWIPC | CLONE_NEWCGROUP, CLONE_NEWNS,
		CLONE_NEWNS | CLONE_NEWUTS,
	};
	int flag = flags[pick(&other->seed, ARRAY_SIZE(flags))];
	pid_t pid = syscall(SYS_clone, flag | SIGCHLD, NULL, NULL, NULL, NULL);

	if (!pid) {
		check_old(other->races, "a child in namespaces of its own", flag);
		_exit(0);
	}
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return pid < 0;
}

static void *end_at_once(void *unused)
{
	return unused;
}

static int do_thread(struct other *other)
{
	pthread_t thread;

	(void)other;
	return pthread_create(&thread, NULL, end_at_once, NULL) || pthread_join(thread, NULL);
}

/* A call that fails leaves its thread as it was, whatever the other call does. */
static int do_failing_exec(struct other *other)
{
	static const int flags[] = {
		0, CLONE_NEWUSER, CHEAP_NS, CLONE_FS, CLONE_NEWUSER | CHEAP_NS,
	};
	static const char *const paths[] = {
		"/nonexistent", "/tmp", "/proc/self/exe", RACES_AGENT,
	};
	int flag = flags[pick(&other->seed, ARRAY_SIZE(flags))];
	struct execns_args args = { .unshare_flags = flag, .at_flags = AT_EXECVE_CHECK };
	int path = pick(&other->seed, ARRAY_SIZE(paths));
	char *const argv[] = { RACES_AGENT, NULL };

	/* The last one would succeed. */
	if (path == ARRAY_SIZE(paths) - 1)
		sys_execnsat(AT_FDCWD, paths[path], argv, environ, &args, sizeof(args));
	else if (sys_execns(flag, paths[path], argv, environ) != -1)
		violation(other->races, "%s has been executed", paths[path]);
	if (!pick(&other->seed, 3))
		check_old(other->races, "a thread whose call has failed", 0);
	return 0;
}

static int do_exit(struct other *other)
{
	spin(pick(&other->seed, 3000));
	syscall(SYS_exit_group, ENDED_ITSELF);
	return -1;
}

static void leave(void)
{
	unsigned int seed = getpid();

	spin(pick(&seed, 2000));
	syscall(SYS_exit, 0);
}

static void handle(int signal)
{
	(void)signal;
}

static int handle_signals(struct races *races)
{
	struct sigaction action = { .sa_handler = handle };

	(void)races;
	return sigaction(SIGURG, &action, NULL);
}

/* SIGURG is ignored where it is not handled. */
static int do_signal(struct other *other)
{
	(void)other;
	return kill(getpid(), SIGURG);
}

static int do_mask_signals(struct other *other)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGURG);
	return sigprocmask(other->seed++ & 1 ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL) ||
	       do_signal(other);
}

#define SHARERS .tallies = { "children have looked again after the exec" }

FIXTURE_VARIANT_ADD(threads, exec) { .race = { .calls = 2 } };
FIXTURE_VARIANT_ADD(threads, exec_of_four) { .race = { .calls = 4 } };
FIXTURE_VARIANT_ADD(threads, failing_exec) { .race = { .thread = do_failing_exec } };

FIXTURE_VARIANT_ADD(threads, exec_and_failing_exec) {
	.race = { .thread = do_failing_exec, .calls = 2 }
};

FIXTURE_VARIANT_ADD(threads, fork) { .race = { .thread = do_fork, SHARERS } };
FIXTURE_VARIANT_ADD(threads, vfork) { .race = { .thread = do_vfork, SHARERS } };
FIXTURE_VARIANT_ADD(threads, clone_files) { .race = { .thread = do_share_files, SHARERS } };
/* Who shares root and working directory with another process: see CLONE_FS in clone(2). */
FIXTURE_VARIANT_ADD(threads, clone_all_shared) { .race = { .thread = do_share_all, SHARERS } };
FIXTURE_VARIANT_ADD(threads, clone_sighand) { .race = { .thread = do_share_signals, SHARERS } };
FIXTURE_VARIANT_ADD(threads, clone_parent) { .race = { .thread = do_clone_parent, SHARERS } };

FIXTURE_VARIANT_ADD(threads, clone_namespaces) {
	.race = { .thread = do_clone_namespaces, .only_root = true }
};

FIXTURE_VARIANT_ADD(threads, clone_thread) { .race = { .thread = do_thread } };

FIXTURE_VARIANT_ADD(threads, exit_group) {
	.race = { .thread = do_exit, .threads = 1, .exit = ENDED_ITSELF }
};

FIXTURE_VARIANT_ADD(threads, exit_of_the_leader) {
	.race = { .leader = NOT_THE_LEADER, .leaves = leave, .calls = 2 }
};

FIXTURE_VARIANT_ADD(threads, signals) {
	.race = { .thread = do_signal, .setup = handle_signals }
};

FIXTURE_VARIANT_ADD(threads, masked_signals) {
	.race = { .thread = do_mask_signals, .setup = handle_signals }
};

FIXTURE_SETUP(threads)
{
	self->races = open_races();
	ASSERT_NE(NULL, self->races);
}

FIXTURE_TEARDOWN(threads)
{
	unlink(races_path);
}

/*
 * One program comes of it, and all it has is what its call has asked for. Who is not
 * the program stays what he was: other threads until they end, and all children.
 */
TEST_F_TIMEOUT(threads, one_program_comes_of_it, RACES_TIMEOUT)
{
	run_race(_metadata, &variant->race, self->races, NULL);
}

TEST_HARNESS_MAIN
