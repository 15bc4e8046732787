// SPDX-License-Identifier: GPL-2.0
/* /proc/PID/account: who sees what of it, and of whom. */
#include "account_proc.h"

#include <pthread.h>

/* Users that nothing else in the system is. */
static uid_t user = 5001, other = 5002;

TEST(ids_are_as_the_reader_sees_them)
{
	struct agent agent, reader;
	struct account account;
	char path[64];

	ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER, root_of_own_namespace, &user));
	ASSERT_EQ(0, agent_start(&reader, BY_EXECNS, CLONE_NEWUSER, become, &other));
	ASSERT_EQ(0, agent_account(&agent, "/proc/self/account", &account));
	EXPECT_EQ(0, account.count[ROW_UID][0]);
	/* Not mapped there. */
	snprintf(path, sizeof(path), "/proc/%d/account", agent.pid);
	ASSERT_EQ(0, agent_account(&reader, path, &account));
	EXPECT_EQ(65534, account.count[ROW_UID][0]);
	ASSERT_EQ(0, agent_account(&reader, "/proc/1/account", &account));
	EXPECT_EQ(65534, account.count[ROW_UID][0]);
	ASSERT_EQ(0, agent_account(&reader, "/proc/self/account", &account));
	EXPECT_EQ(other, account.count[ROW_UID][0]);
	ASSERT_ACCOUNT(agent.pid, &account);
	ASSERT_EQ(2, account.columns);
	EXPECT_EQ(user, account.count[ROW_UID][0]);
	EXPECT_EQ(user, account.count[ROW_UID][1]);
	agent_stop(&agent);
	agent_stop(&reader);
}

/* How many users an agent sees of a process: that of it, and who is charged with that. */
static int seen_by(struct agent *reader, pid_t pid)
{
	struct account account;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/account", pid);
	return agent_account(reader, path, &account) ? -1 : account.columns;
}

TEST(what_is_used_outside_is_not_for_a_container_to_see)
{
	struct agent host, outer, inner, other;
	struct account account;

	ASSERT_EQ(0, agent_start(&host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, agent_start(&outer, BY_EXECNS, CLONE_NEWUSER, become, &user));
	ASSERT_EQ(0, agent_fork(&outer, &inner));
	ASSERT_EQ(0, agent_execns(&inner, CLONE_NEWUSER));
	ASSERT_EQ(0, agent_fork(&outer, &other));
	ASSERT_EQ(0, agent_execns(&other, CLONE_NEWUSER));
	/* A user of the host sees all of them, though none is its own. */
	EXPECT_EQ(3, seen_by(&host, inner.pid));
	EXPECT_EQ(2, seen_by(&host, outer.pid));
	/* A container sees itself, and what is below. */
	EXPECT_EQ(1, seen_by(&outer, outer.pid));
	EXPECT_EQ(2, seen_by(&outer, inner.pid));
	EXPECT_EQ(1, seen_by(&inner, inner.pid));
	/* Of a process that is beside or above it, the user only. */
	EXPECT_EQ(1, seen_by(&inner, other.pid));
	EXPECT_EQ(1, seen_by(&inner, outer.pid));
	/* It is charged for nonetheless. */
	ASSERT_EQ(0, agent_take(&inner, RES_PIPE, 0));
	ASSERT_ACCOUNT(inner.pid, &account);
	EXPECT_EQ(16, account.count[ROW_PIPE_SOFT][2]);
	agent_stop(&inner);
	agent_stop(&other);
	agent_stop(&outer);
	agent_stop(&host);
}

/* As /proc/PID/limits, it can be read even where memory cannot. */
TEST(is_readable_where_memory_is_not)
{
	struct agent agent, reader;
	struct account account;
	char path[64];

	ASSERT_EQ(0, agent_start(&agent, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, agent_start(&reader, BY_EXECVE, 0, become, &other));
	ASSERT_EQ(0, agent_call(&agent, __NR_prctl, PR_SET_DUMPABLE, 0));
	snprintf(path, sizeof(path), "/proc/%d/environ", agent.pid);
	ASSERT_EQ(-EACCES, agent_account(&reader, path, &account));
	snprintf(path, sizeof(path), "/proc/%d/account", agent.pid);
	EXPECT_EQ(0, agent_account(&reader, path, &account));
	EXPECT_EQ(user, account.count[ROW_UID][0]);
	agent_stop(&agent);
	agent_stop(&reader);
}

static void *change_and_read(void *account)
{
	char text[8192];

	if (syscall(__NR_setresuid, user, -1, -1))
		return "setresuid";
	read_file("/proc/thread-self/account", text, sizeof(text));
	return parse_account(text, account) ? "no account" : NULL;
}

/* The C library changes the ids of all threads, the kernel those of one. */
TEST(of_a_thread_it_says_what_that_is_charged_for)
{
	struct account thread, process;
	pthread_t id;
	void *error;

	ASSERT_EQ(0, pthread_create(&id, NULL, change_and_read, &thread));
	ASSERT_EQ(0, pthread_join(id, &error));
	ASSERT_EQ(NULL, error) TH_LOG("%s", (char *)error);
	EXPECT_EQ(user, thread.count[ROW_UID][0]);
	EXPECT_EQ(0, thread.count[ROW_PIPE_SOFT][0]);
	ASSERT_ACCOUNT(getpid(), &process);
	EXPECT_EQ(0, process.count[ROW_UID][0]);
}

TEST(of_the_dead_it_says_what_limits_say)
{
	static const char *const names[] = { "limits", "account" };
	struct account account;
	char path[64], text[8192];
	siginfo_t info;
	int fds[2], errors[2], i;
	ssize_t len[2];
	pid_t child = fork();

	if (!child)
		_exit(become(&user));
	ASSERT_EQ(0, waitid(P_PID, child, &info, WEXITED | WNOWAIT));
	ASSERT_EQ(0, info.si_status);
	ASSERT_ACCOUNT(child, &account);
	EXPECT_EQ(user, account.count[ROW_UID][0]);
	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/%s", child, names[i]);
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		ASSERT_LE(0, fds[i]);
	}
	ASSERT_EQ(child, waitpid(child, NULL, 0));
	for (i = 0; i < 2; i++) {
		errno = 0;
		len[i] = read(fds[i], text, sizeof(text));
		errors[i] = errno;
	}
	EXPECT_EQ(len[0], len[1]);
	EXPECT_EQ(errors[0], errors[1]);
}

TEST_HARNESS_MAIN
