// SPDX-License-Identifier: GPL-2.0
/*
 * Whom PRIO_USER and IOPRIO_WHO_USER reach: those of the user whose account is
 * in the caller's table, or in one below it.
 */
#include "account_proc.h"

#include <linux/ioprio.h>
#include <sys/resource.h>

/* Users that nothing else in the system is. */
static uid_t user = 5001, other = 5002;
#define NOBODY 5999

FIXTURE(prio)
{
	/* Two containers, in each its root and a user, who is on the host as well. */
	struct agent a_root, a_user, b_root, b_user, host;
};

FIXTURE_VARIANT(prio)
{
	bool io;
};

FIXTURE_VARIANT_ADD(prio, nice) { false };
FIXTURE_VARIANT_ADD(prio, io) { true };

static int container(struct agent *root, struct agent *inside)
{
	return agent_start(root, BY_EXECNS, CLONE_NEWUSER, NULL, NULL) ?:
	       agent_fork(root, inside) ?:
	       agent_call(inside, __NR_setresuid, user, user, user);
}

FIXTURE_SETUP(prio)
{
	setpriority(PRIO_PROCESS, 0, 0);
	ASSERT_EQ(0, container(&self->a_root, &self->a_user));
	ASSERT_EQ(0, container(&self->b_root, &self->b_user));
	self->host.pidfd = -1;
}

FIXTURE_TEARDOWN(prio)
{
	agent_stop(&self->a_user);
	agent_stop(&self->b_user);
	agent_stop(&self->a_root);
	agent_stop(&self->b_root);
	agent_stop(&self->host);
}

/* A priority is 1 to 7, by both calls. Without an agent, the test is the caller. */
static long set(bool io, struct agent *by, int which, int who, int prio)
{
	long value = io ? IOPRIO_PRIO_VALUE(IOPRIO_CLASS_BE, prio) : prio;
	long nr = io ? __NR_ioprio_set : __NR_setpriority, ret;

	if (by)
		return agent_call(by, nr, which, who, value);
	ret = syscall(nr, which, who, value);
	return ret < 0 ? -errno : ret;
}

static long get(bool io, struct agent *by, int which, int who)
{
	long nr = io ? __NR_ioprio_get : __NR_getpriority, ret;

	if (by) {
		ret = agent_call(by, nr, which, who);
	} else {
		ret = syscall(nr, which, who);
		if (ret < 0)
			ret = -errno;
	}
	if (ret < 0)
		return ret;
	/* The system call has no negative values: it is 20 less the nice value. */
	return io ? IOPRIO_PRIO_DATA(ret) : 20 - ret;
}

#define SET_USER(by, who, prio) \
	set(variant->io, by, variant->io ? IOPRIO_WHO_USER : PRIO_USER, who, prio)
#define GET_USER(by, who) \
	get(variant->io, by, variant->io ? IOPRIO_WHO_USER : PRIO_USER, who)
#define SET_TASK(agent, prio) \
	set(variant->io, NULL, variant->io ? IOPRIO_WHO_PROCESS : PRIO_PROCESS, (agent)->pid, prio)
#define GET_TASK(agent) \
	get(variant->io, NULL, variant->io ? IOPRIO_WHO_PROCESS : PRIO_PROCESS, (agent)->pid)

/* Also if nobody of its own has that uid, and so no account of it exists. */
TEST_F(prio, host_reaches_all)
{
	EXPECT_EQ(0, SET_USER(NULL, user, 5));
	EXPECT_EQ(5, GET_TASK(&self->a_user));
	EXPECT_EQ(5, GET_TASK(&self->b_user));
	EXPECT_EQ(5, GET_USER(NULL, user));
	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	EXPECT_EQ(0, SET_USER(NULL, user, 6));
	EXPECT_EQ(6, GET_TASK(&self->a_user));
	EXPECT_EQ(6, GET_TASK(&self->b_user));
	EXPECT_EQ(6, GET_TASK(&self->host));
	/* The best of all. */
	ASSERT_EQ(0, SET_TASK(&self->b_user, 2));
	EXPECT_EQ(2, GET_USER(NULL, user));
	/* The user does as well. */
	EXPECT_EQ(2, GET_USER(&self->host, user));
	EXPECT_EQ(0, SET_USER(&self->host, user, 7));
	EXPECT_EQ(7, GET_TASK(&self->a_user));
	EXPECT_EQ(7, GET_TASK(&self->b_user));
}

TEST_F(prio, container_reaches_itself)
{
	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, SET_TASK(&self->host, 1));
	ASSERT_EQ(0, SET_TASK(&self->a_user, 2));
	ASSERT_EQ(0, SET_TASK(&self->b_user, 3));
	EXPECT_EQ(2, GET_USER(&self->a_user, user));
	EXPECT_EQ(2, GET_USER(&self->a_root, user));
	EXPECT_EQ(3, GET_USER(&self->b_user, user));
	EXPECT_EQ(3, GET_USER(&self->b_root, user));

	EXPECT_EQ(0, SET_USER(&self->a_user, user, 6));
	EXPECT_EQ(6, GET_TASK(&self->a_user));
	EXPECT_EQ(3, GET_TASK(&self->b_user));
	EXPECT_EQ(1, GET_TASK(&self->host));
	EXPECT_EQ(0, SET_USER(&self->b_user, user, 7));
	EXPECT_EQ(6, GET_TASK(&self->a_user));
	EXPECT_EQ(7, GET_TASK(&self->b_user));
	EXPECT_EQ(1, GET_TASK(&self->host));
}

/* Root inside is a uid that the host has as well. */
TEST_F(prio, root_of_a_container_reaches_its_own)
{
	struct agent host_root;

	ASSERT_EQ(0, agent_start(&host_root, BY_EXECVE, 0, NULL, NULL));
	ASSERT_EQ(0, SET_TASK(&host_root, 1));
	ASSERT_EQ(0, SET_TASK(&self->a_root, 2));
	ASSERT_EQ(0, SET_TASK(&self->b_root, 3));
	EXPECT_EQ(2, GET_USER(&self->a_root, 0));
	EXPECT_EQ(0, SET_USER(&self->a_root, 0, 6));
	EXPECT_EQ(6, GET_TASK(&self->a_root));
	EXPECT_EQ(3, GET_TASK(&self->b_root));
	EXPECT_EQ(1, GET_TASK(&host_root));
	agent_stop(&host_root);
}

TEST_F(prio, container_does_not_know_users_of_others)
{
	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &other));
	ASSERT_EQ(0, SET_TASK(&self->host, 1));
	EXPECT_EQ(-ESRCH, GET_USER(&self->a_root, other));
	EXPECT_EQ(-ESRCH, SET_USER(&self->a_root, other, 5));
	EXPECT_EQ(-ESRCH, GET_USER(&self->a_user, other));
	EXPECT_EQ(1, GET_TASK(&self->host));
	EXPECT_EQ(1, GET_USER(NULL, other));
}

TEST_F(prio, nobody_is_esrch)
{
	struct agent *callers[] = { NULL, &self->a_root, &self->a_user };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(callers); i++) {
		EXPECT_EQ(-ESRCH, GET_USER(callers[i], NOBODY)) TH_LOG("caller %zu", i);
		EXPECT_EQ(-ESRCH, SET_USER(callers[i], NOBODY, 5)) TH_LOG("caller %zu", i);
	}
	/* One who has gone, too. */
	agent_stop(&self->b_user);
	EXPECT_EQ(-ESRCH, GET_USER(&self->b_root, user));
	EXPECT_EQ(-ESRCH, SET_USER(&self->b_root, user, 5));
}

static void expect_below(struct __test_metadata *_metadata, bool io, struct agent *parent,
			 struct agent *child)
{
	const struct { bool io; } row = { io }, *variant = &row;

	ASSERT_EQ(0, SET_TASK(parent, 2));
	ASSERT_EQ(0, SET_TASK(child, 1));
	EXPECT_EQ(1, GET_USER(parent, user));
	EXPECT_EQ(0, SET_USER(parent, user, 4));
	EXPECT_EQ(4, GET_TASK(parent));
	EXPECT_EQ(4, GET_TASK(child));
	ASSERT_EQ(0, SET_TASK(parent, 1));
	EXPECT_EQ(4, GET_USER(child, user));
	EXPECT_EQ(0, SET_USER(child, user, 5));
	EXPECT_EQ(1, GET_TASK(parent));
	EXPECT_EQ(5, GET_TASK(child));
}

TEST_F(prio, parent_reaches_what_it_has_made)
{
	struct agent nested, nested2;

	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, SET_TASK(&self->host, 1));
	ASSERT_EQ(0, SET_TASK(&self->b_user, 3));
	ASSERT_EQ(0, agent_fork(&self->a_user, &nested));
	ASSERT_EQ(0, agent_execns(&nested, CLONE_NEWUSER));
	expect_below(_metadata, variant->io, &self->a_user, &nested);
	/* And the one after that. */
	ASSERT_EQ(0, agent_fork(&nested, &nested2));
	ASSERT_EQ(0, agent_execns(&nested2, CLONE_NEWUSER));
	expect_below(_metadata, variant->io, &nested, &nested2);
	expect_below(_metadata, variant->io, &self->a_user, &nested2);
	EXPECT_EQ(1, GET_TASK(&self->host));
	EXPECT_EQ(3, GET_TASK(&self->b_user));
	EXPECT_EQ(0, SET_USER(NULL, user, 6));
	EXPECT_EQ(6, GET_TASK(&nested2));
	agent_stop(&nested2);
	agent_stop(&nested);
}

/* Containers of unshare() have the table of their creator, and reach it. */
TEST_F(prio, unshare_reaches_both_ways)
{
	struct agent unshared;

	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, agent_start(&unshared, BY_UNSHARE, CLONE_NEWUSER, become, &user));
	ASSERT_EQ(0, SET_TASK(&self->a_user, 3));
	ASSERT_EQ(0, SET_TASK(&self->b_user, 3));
	ASSERT_EQ(0, SET_TASK(&self->host, 1));
	ASSERT_EQ(0, SET_TASK(&unshared, 2));
	EXPECT_EQ(1, GET_USER(&unshared, user));
	EXPECT_EQ(0, SET_USER(&unshared, user, 5));
	EXPECT_EQ(5, GET_TASK(&self->host));
	EXPECT_EQ(5, GET_TASK(&unshared));
	EXPECT_EQ(0, SET_USER(&self->host, user, 6));
	EXPECT_EQ(6, GET_TASK(&self->host));
	EXPECT_EQ(6, GET_TASK(&unshared));
	/* Who is not mapped there is nobody. */
	EXPECT_EQ(-ESRCH, GET_USER(&unshared, other));
	agent_stop(&unshared);
}

TEST_F(prio, unshare_in_a_container_reaches_the_container)
{
	struct agent unshared;
	char path[64], map[32];

	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, SET_TASK(&self->host, 1));
	ASSERT_EQ(0, agent_fork(&self->a_user, &unshared));
	ASSERT_EQ(0, agent_call(&unshared, __NR_unshare, CLONE_NEWUSER));
	snprintf(path, sizeof(path), "/proc/%d/uid_map", unshared.pid);
	snprintf(map, sizeof(map), "%u %u 1", user, user);
	ASSERT_EQ(0, agent_write(&self->a_root, path, map));
	ASSERT_EQ(0, SET_TASK(&self->a_user, 2));
	ASSERT_EQ(0, SET_TASK(&unshared, 3));
	EXPECT_EQ(2, GET_USER(&unshared, user));
	EXPECT_EQ(0, SET_USER(&unshared, user, 5));
	EXPECT_EQ(5, GET_TASK(&self->a_user));
	EXPECT_EQ(0, SET_USER(&self->a_user, user, 6));
	EXPECT_EQ(6, GET_TASK(&unshared));
	EXPECT_EQ(1, GET_TASK(&self->host));
	agent_stop(&unshared);
}

/* Who enters a container is one of those there, and no longer of the host. */
TEST_F(prio, setns_changes_sides)
{
	int ns = syscall(__NR_pidfd_open, self->a_root.pid, 0);
	uid_t uid = user;

	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become_real, &uid));
	ASSERT_EQ(0, SET_TASK(&self->host, 1));
	ASSERT_EQ(0, SET_TASK(&self->a_user, 2));
	ASSERT_EQ(0, SET_TASK(&self->b_user, 3));
	EXPECT_EQ(2, GET_USER(&self->a_user, user));
	ASSERT_EQ(0, agent_setns(&self->host, ns));
	/* Nobody may change who has capabilities that he has not. */
	ASSERT_EQ(0, agent_call(&self->host, __NR_setresuid, user, user, user));
	EXPECT_EQ(1, GET_USER(&self->a_user, user));
	EXPECT_EQ(0, SET_USER(&self->a_user, user, 5));
	EXPECT_EQ(5, GET_TASK(&self->host));
	EXPECT_EQ(5, GET_USER(&self->host, user));
	EXPECT_EQ(0, SET_USER(&self->host, user, 6));
	EXPECT_EQ(6, GET_TASK(&self->a_user));
	EXPECT_EQ(3, GET_TASK(&self->b_user));
	close(ns);
}

TEST_HARNESS_MAIN
