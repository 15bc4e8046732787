// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts that come, go and change hands in many threads at once. A storm
 * lasts two seconds, or ACCOUNT_STORM_SECONDS.
 */
#include "account_proc.h"

#define THREADS 6
#define MAX_STORMS 16
#define FIRST_UID 6000
#define LAST_UID (FIRST_UID + 2 * THREADS)

/* A user that nothing else in the system is. */
static uid_t user = 5001;

struct storm {
	const char *name;
	pid_t pid;
	char result[64];
};

struct setting {
	/* Containers of root that stay, and who can look at the host's accounts. */
	struct agent a, b, host;
	int ns[2];
	struct storm storms[MAX_STORMS];
	int nr;
	struct objects before;
	int ms;
};

FIXTURE(storm)
{
	struct setting all;
};

FIXTURE_SETUP(storm)
{
	const char *seconds = getenv("ACCOUNT_STORM_SECONDS");

	memset(self, 0, sizeof(*self));
	self->all.ms = seconds ? atoi(seconds) * 1000 : 2000;
	ASSERT_EQ(0, agent_start(&self->all.host, BY_EXECVE, 0, NULL, NULL));
	ASSERT_EQ(0, agent_start(&self->all.a, BY_EXECNS, CLONE_NEWUSER, NULL, NULL));
	ASSERT_EQ(0, agent_start(&self->all.b, BY_EXECNS, CLONE_NEWUSER, NULL, NULL));
	self->all.ns[0] = syscall(__NR_pidfd_open, self->all.a.pid, 0);
	self->all.ns[1] = syscall(__NR_pidfd_open, self->all.b.pid, 0);
	usleep(300000);
	if (!take_objects(&self->all.before))
		SKIP(return, NO_OBJECTS);
}

FIXTURE_TEARDOWN(storm)
{
	int i;

	for (i = 0; i < self->all.nr; i++) {
		if (self->all.storms[i].pid > 0)
			kill(self->all.storms[i].pid, SIGKILL);
		unlink(self->all.storms[i].result);
	}
	agent_stop(&self->all.a);
	agent_stop(&self->all.b);
	agent_stop(&self->all.host);
}

/* Start account_storm, in the container of @ns, or by @how. */
static void start(struct storm *storm, const char *kind, enum how how, int ns,
		  int (*setup)(void *data), int ms)
{
	static int serial;
	char uid[16], threads[16], time[16];
	char *const argv[] = {
		"./account_storm", (char *)kind, uid, threads, time, storm->result, NULL
	};

	snprintf(storm->result, sizeof(storm->result), "/tmp/execns-storm.%d.%d",
		 getpid(), serial++);
	snprintf(uid, sizeof(uid), "%d", FIRST_UID);
	snprintf(threads, sizeof(threads), "%d", THREADS);
	snprintf(time, sizeof(time), "%d", ms);
	storm->name = kind;
	storm->pid = fork();
	if (storm->pid)
		return;
	if ((ns >= 0 && setns(ns, CLONE_NEWUSER)) || (setup && setup(&user)))
		_exit(98);
	/* Nobody else has the table of this one. */
	if (how == BY_EXECNS)
		setenv("ACCOUNT_STORM_ALONE", "1", 1);
	if (how == BY_EXECNS)
		sys_execns(CLONE_NEWUSER, argv[0], argv, environ);
	else if (how == BY_EXECVE || !unshare_like_execns(CLONE_NEWUSER))
		execve(argv[0], argv, environ);
	_exit(EXEC_FAILED);
}

/* Go into a container, be someone there, take something, and end. */
static int enter(const int *ns, int round)
{
	uid_t uid = FIRST_UID + round % 4;
	int fds[2];

	if (setns(ns[round % 2], CLONE_NEWUSER))
		return errno;
	if (pipe(fds) || syscall(__NR_setresuid, uid, 0, 0) || pipe(fds))
		return errno;
	/* Into another one, made of it. */
	if (round % 3 == 0 && unshare(CLONE_NEWUSER))
		return errno;
	return 0;
}

static void start_setns(struct storm *storm, const int *ns, int ms)
{
	static int serial;
	struct timespec start, now;
	int round = 0, status;
	FILE *out;
	pid_t child;

	snprintf(storm->result, sizeof(storm->result), "/tmp/execns-setns.%d.%d",
		 getpid(), serial++);
	storm->name = "setns";
	storm->pid = fork();
	if (storm->pid)
		return;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		child = fork();
		if (!child)
			_exit(enter(ns, round));
		if (waitpid(child, &status, 0) != child)
			status = -1;
		round++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (!status && (now.tv_sec - start.tv_sec) * 1000 +
			    (now.tv_nsec - start.tv_nsec) / 1000000 < ms);
	out = fopen(storm->result, "we");
	fprintf(out, "%d operations%s%s\n", round, status ? ", the last one: " : "",
		status ? strerror(WEXITSTATUS(status)) : "");
	fclose(out);
	_exit(!!status);
}

#define START(kind, how, ns, setup) \
	start(&self->all.storms[self->all.nr++], kind, how, ns, setup, self->all.ms)
#define START_SETNS() start_setns(&self->all.storms[self->all.nr++], self->all.ns, self->all.ms)

/* No counter of a user of the table that the agent, root there, is in. */
static void expect_nothing(struct __test_metadata *_metadata, struct agent *agent, uid_t uid)
{
	struct account account;
	int row;

	ASSERT_EQ(0, agent_call(agent, __NR_setresuid, uid, 0, 0));
	for (row = 1; row < ROW_KEYS; row++)
		EXPECT_COUNT(0, agent->pid, row, 0);
	ASSERT_ACCOUNT(agent->pid, &account);
	ASSERT_EQ(1, account.columns);
	ASSERT_EQ(uid, account.count[ROW_UID][0]);
	ASSERT_EQ(0, agent_call(agent, __NR_setresuid, 0, 0, 0));
}

/* Wait for the storms to end, and look at what they leave. */
static void calm(struct __test_metadata *_metadata, struct setting *all)
{
	char text[256];
	int status, i;
	uid_t uid;

	for (i = 0; i < all->nr; i++) {
		struct storm *storm = &all->storms[i];

		ASSERT_EQ(storm->pid, waitpid(storm->pid, &status, 0));
		storm->pid = 0;
		read_file(storm->result, text, sizeof(text));
		text[strcspn(text, "\n")] = '\0';
		TH_LOG("%s: %s", storm->name, text);
		EXPECT_EQ(0, status);
	}
	for (uid = FIRST_UID; uid < LAST_UID; uid++) {
		expect_nothing(_metadata, &all->host, uid);
		expect_nothing(_metadata, &all->a, uid);
		expect_nothing(_metadata, &all->b, uid);
	}
	expect_nothing(_metadata, &all->host, user);
	EXPECT_ALL_OBJECTS(&all->before, 4);
}

TEST_F_TIMEOUT(storm, setuid, 120)
{
	START("same", BY_EXECVE, -1, NULL);
	START("different", BY_EXECVE, -1, NULL);
	calm(_metadata, &self->all);
}

TEST_F_TIMEOUT(storm, setuid_across_tables, 120)
{
	START("same", BY_EXECVE, -1, NULL);
	START("same", BY_EXECVE, self->all.ns[0], NULL);
	START("different", BY_EXECVE, self->all.ns[1], NULL);
	START("same", BY_EXECNS, -1, NULL);
	START("different", BY_EXECNS, self->all.ns[0], NULL);
	START("same", BY_UNSHARE, -1, NULL);
	calm(_metadata, &self->all);
}

TEST_F_TIMEOUT(storm, setns, 120)
{
	int i;

	for (i = 0; i < 4; i++)
		START_SETNS();
	START("same", BY_EXECVE, self->all.ns[0], NULL);
	calm(_metadata, &self->all);
}

TEST_F_TIMEOUT(storm, exec, 120)
{
	START("exec", BY_EXECVE, -1, NULL);
	START("exec", BY_EXECVE, self->all.ns[0], NULL);
	START("exec", BY_EXECNS, -1, become);
	calm(_metadata, &self->all);
}

/* With containers of containers that come and go. */
TEST_F_TIMEOUT(storm, all_at_once, 240)
{
	START("same", BY_EXECVE, -1, NULL);
	START("same", BY_EXECVE, self->all.ns[0], NULL);
	START("different", BY_EXECVE, self->all.ns[1], NULL);
	START("exec", BY_EXECVE, -1, NULL);
	START("execns", BY_EXECVE, -1, NULL);
	START("execns", BY_EXECVE, -1, become);
	START("execns", BY_EXECVE, self->all.ns[0], NULL);
	START("execns", BY_EXECNS, self->all.ns[1], NULL);
	START("execns", BY_EXECNS, -1, become);
	START_SETNS();
	START_SETNS();
	calm(_metadata, &self->all);
}

TEST_HARNESS_MAIN
