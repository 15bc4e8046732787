// SPDX-License-Identifier: GPL-2.0
/* Attempts to get out of limits by user namespaces, however deep they are. */
#include "attack_test.h"

#define NPROC 12

/* A user that nobody else is: what others have counts as well. */
static uid_t own_user;
static struct execns_id_map own_root[1];
static const struct execns_id_map first[] = { { 0, 0, 1 } };
static const struct execns_id_map two[] = { { 0, 0, 2 } };

static void __attribute__((constructor)) choose_user(void)
{
	own_user = 10000 + getpid();
	own_root[0] = (struct execns_id_map){ 0, own_user, 1 };
}

static int as_own_user(void *unused)
{
	(void)unused;
	return become_id(own_user);
}

static int as_limited_user(void *data)
{
	struct rlimit limit = { *(int *)data, *(int *)data };

	return become_id(own_user) || setrlimit(RLIMIT_NPROC, &limit);
}

/*
 * Processes in user namespaces of a user, who is root of them and lifts the limit
 * where it can: they are as many in all as without a namespace.
 */
TEST(limit_escape_by_nesting_nproc)
{
	static char *const forks[] = { "forks", "40", NULL };
	static char *const nest[] = { "nest", "1", "forks", "40", NULL };
	static char *const nest_more[] = { "nest", "9", "forks", "40", NULL };
	static char *const *const commands[] = { forks, nest, nest_more };
	struct execns_args args = { 0 };
	int limit = NPROC;
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .setup = as_limited_user, .data = &limit,
		.command = forks,
	};
	size_t i;

	/* One of them is the program, and it is the limit that counts. */
	EXPECT_EQ(NPROC - 1, attack(&run));
	limit = 1000;
	EXPECT_EQ(40, attack(&run));
	limit = NPROC;
	args = with_map(own_root, EXECNS_SETGROUPS_DENY);
	EXPECT_EQ(NPROC - 1, attack_by_unshare(&run));
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		run.command = commands[i];
		EXPECT_EQ(NPROC - 1, attack(&run)) TH_LOG("%zu", i);
	}
}

/* What one namespace has is not there for the next one of the same user. */
TEST(limit_escape_by_many_namespaces_nproc)
{
	static char *const wait[] = { "sigio", NULL }, *const forks[] = { "forks", "40", NULL };
	struct execns_args args = with_map(own_root, EXECNS_SETGROUPS_DENY);
	int i, limit = NPROC;
	struct agent_run waiting[4], last = {
		.path = ATTACK_AGENT, .args = &args, .setup = as_limited_user, .data = &limit,
		.command = wait,
	};

	for (i = 0; i < 4; i++) {
		waiting[i] = last;
		ASSERT_EQ(0, start_agent(&waiting[i])) TH_LOG("%s", strerror(waiting[i].error));
	}
	last.command = forks;
	EXPECT_EQ(NPROC - 1 - 4, attack(&last));
	for (i = 0; i < 4; i++)
		EXPECT_EQ(0, finish_agent(&waiting[i]));
}

static int crowd(void *data)
{
	struct rlimit limit = { 3, 3 };
	int i, *n = data;

	for (i = 0; i < *n; i++) {
		if (!fork()) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			sleep(20);
			_exit(0);
		}
	}
	return setrlimit(RLIMIT_NPROC, &limit);
}

/*
 * Who has too many processes does not get out of that as another user of a namespace
 * that it makes. setresuid() and execve() say EAGAIN as well; whose ids stay goes on.
 */
TEST(limit_escape_by_set_ids)
{
	static char *const command[] = { "euid", NULL };
	struct execns_args args = with_map(two, EXECNS_SET_IDS | EXECNS_SETGROUPS_DENY);
	int n = 0;
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .setup = crowd, .data = &n,
		.command = command,
	};

	args.uid = 1;
	args.gid = 1;
	ASSERT_EQ(0, as_nested_root(NULL));
	EXPECT_EQ(1, attack(&run));
	n = 6;
	EXPECT_EQ(-EAGAIN, attack(&run));
	args.flags = EXECNS_SETGROUPS_DENY;
	args.uid = 0;
	args.gid = 0;
	EXPECT_EQ(0, attack(&run));
}

/*
 * Namespaces go a while after their last process, one after the other: until then, the
 * first or a nested one may be refused. Any other result is one.
 */
static int attack_until(struct agent_run *run, int expected)
{
	int tries, result = attack(run);

	for (tries = 0; tries < 200 && result != expected; tries++) {
		if (result != -ENOSPC && result != NESTED_FAILED + ENOSPC)
			break;
		usleep(10000);
		result = attack(run);
	}
	return result;
}

/*
 * A namespace in which there may be three more: it is three, side by side or one in
 * the other, for execns() as for unshare(). Their own sysctl is not asked alone.
 */
TEST(limit_escape_by_nesting_namespaces)
{
	static char *const wait[] = { "sigio", NULL }, *const euid[] = { "euid", NULL };
	static char *const nest[] = { "nest", "2", "euid", NULL };
	static char *const nest_more[] = { "nest", "3", "euid", NULL };
	struct execns_args args = with_map(first, EXECNS_SETGROUPS_DENY);
	struct agent_run waiting[3], run = {
		.path = ATTACK_AGENT, .args = &args, .command = wait,
	};
	int i;

	ASSERT_EQ(0, as_nested_root(NULL));
	if (write_file("/proc/sys/user/max_user_namespaces", "3"))
		SKIP(return, "no /proc/sys/user: %s", strerror(errno));
	for (i = 0; i < 3; i++) {
		waiting[i] = run;
		ASSERT_EQ(0, start_agent(&waiting[i])) TH_LOG("%s", strerror(waiting[i].error));
	}
	run.command = euid;
	EXPECT_EQ(-ENOSPC, attack(&run));
	EXPECT_EQ(-ENOSPC, attack_by_unshare(&run));
	for (i = 0; i < 3; i++)
		EXPECT_EQ(0, finish_agent(&waiting[i]));
	run.command = nest;
	EXPECT_EQ(0, attack_until(&run, 0));
	run.command = nest_more;
	EXPECT_EQ(NESTED_FAILED + ENOSPC, attack_until(&run, NESTED_FAILED + ENOSPC));
}

/* There are 33 levels for all, and no more by execns(). */
TEST(limit_escape_by_depth)
{
	static char *const nest[] = { "nest", "30", "euid", NULL };
	static char *const nest_more[] = { "nest", "33", "euid", NULL };
	struct execns_args args = with_map(own_root, EXECNS_SETGROUPS_DENY);
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .setup = as_own_user, .command = nest,
	};

	EXPECT_EQ(0, attack(&run));
	run.command = nest_more;
	EXPECT_EQ(NESTED_FAILED + ENOSPC, attack(&run));
}

/* A number that dup2() refuses, for root as for a user, and more of them than there may be. */
TEST(limit_escape_by_descriptors)
{
	char *const argv[] = { "execns_report", NULL };
	struct execns_fd fds[17];
	struct execns_args args = { .at_flags = AT_EXECVE_CHECK, .fds = PTR(fds), .nr_fds = 1 };
	struct rlimit limit = { 16, 16 };
	int i, user;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (i = 0; i < 17; i++)
		fds[i] = (struct execns_fd){ 0, i };
	for (user = 0; user < 2; user++) {
		if (user)
			ASSERT_EQ(0, become_user(NULL));
		fds[0].to = 16;
		EXPECT_EQ(-1, dup2(0, 16));
		EXPECT_EQ(EBADF, errno);
		EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "./execns_report", argv, environ, &args,
					   sizeof(args)));
		EXPECT_EQ(EBADF, errno);
		fds[0].to = 15;
		EXPECT_EQ(0, sys_execnsat(AT_FDCWD, "./execns_report", argv, environ, &args,
					  sizeof(args)));
		fds[0].to = 0;
		args.nr_fds = 17;
		EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "./execns_report", argv, environ, &args,
					   sizeof(args)));
		EXPECT_EQ(EINVAL, errno);
		args.nr_fds = 1;
	}
}

TEST_HARNESS_MAIN
