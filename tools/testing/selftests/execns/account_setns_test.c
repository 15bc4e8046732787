// SPDX-License-Identifier: GPL-2.0
/*
 * A process that enters a container has an account there. What it has been
 * charged before, or is released elsewhere, concerns the account it was
 * charged to.
 */
#include "account_proc.h"

#include <linux/keyctl.h>
#include <sys/mman.h>

/* Users that nothing else in the system is. */
static uid_t user = 5001, other = 5002;

FIXTURE(setns)
{
	/*
	 * The same uid on the host, in a container of root, and who goes there
	 * from the host: it is charged as the user, with root's capabilities.
	 */
	struct agent host, inside, mover;
	int ns;
};

FIXTURE_VARIANT(setns)
{
	enum resource resource;
	bool by_pidfd;
};

FIXTURE_VARIANT_ADD(setns, pipe) { RES_PIPE, false };
FIXTURE_VARIANT_ADD(setns, epoll) { RES_EPOLL, false };
FIXTURE_VARIANT_ADD(setns, inflight) { RES_INFLIGHT, false };
FIXTURE_VARIANT_ADD(setns, secret) { RES_SECRET, false };
FIXTURE_VARIANT_ADD(setns, ring) { RES_RING, false };
FIXTURE_VARIANT_ADD(setns, perf) { RES_PERF, false };
FIXTURE_VARIANT_ADD(setns, key) { RES_KEY, false };
FIXTURE_VARIANT_ADD(setns, pipe_pidfd) { RES_PIPE, true };
FIXTURE_VARIANT_ADD(setns, epoll_pidfd) { RES_EPOLL, true };
FIXTURE_VARIANT_ADD(setns, inflight_pidfd) { RES_INFLIGHT, true };
FIXTURE_VARIANT_ADD(setns, secret_pidfd) { RES_SECRET, true };
FIXTURE_VARIANT_ADD(setns, ring_pidfd) { RES_RING, true };
FIXTURE_VARIANT_ADD(setns, perf_pidfd) { RES_PERF, true };
FIXTURE_VARIANT_ADD(setns, key_pidfd) { RES_KEY, true };

static int open_ns(pid_t pid, bool by_pidfd)
{
	char path[64];

	if (by_pidfd)
		return syscall(__NR_pidfd_open, pid, 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

FIXTURE_SETUP(setns)
{
	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, agent_start(&self->inside, BY_EXECNS, CLONE_NEWUSER, become_real, &user));
	ASSERT_EQ(0, agent_start(&self->mover, BY_EXECVE, 0, become_real, &user));
	self->ns = open_ns(self->inside.pid, variant->by_pidfd);
	ASSERT_LE(0, self->ns);
	if (variant->resource == RES_KEY) {
		/* A key is of the uid that files are made with. */
		ASSERT_EQ(0, agent_call(&self->mover, __NR_setfsuid, user));
		ASSERT_EQ(0, agent_call(&self->inside, __NR_setfsuid, user));
		ASSERT_EQ(true, agent_has_keyring(&self->mover));
	}
}

FIXTURE_TEARDOWN(setns)
{
	close(self->ns);
	agent_stop(&self->mover);
	agent_stop(&self->inside);
	agent_stop(&self->host);
}

/* What the agent has of its own account is what the other has. */
#define EXPECT_SAME_ACCOUNT(a, b) do { \
	struct account _ours, _theirs; \
	ASSERT_EQ(0, agent_account(a, "/proc/self/account", &_ours)); \
	ASSERT_EQ(0, agent_account(b, "/proc/self/account", &_theirs)); \
	EXPECT_EQ(0, memcmp(&_ours, &_theirs, sizeof(_ours))); \
	EXPECT_SANE(&_ours); \
} while (0)

/* Take it: how much it is. */
static long long taken(struct __test_metadata *_metadata, struct agent *agent,
		       enum resource resource, int slot)
{
	enum account_row row = resource_rows[resource];
	long long before = count_of(agent->pid, row, 0), amount;

	EXPECT_LE(0, agent_take(agent, resource, slot));
	amount = count_of(agent->pid, row, 0) - before;
	EXPECT_TAKEN(resource, amount);
	return amount;
}

static void expect_quiet(struct __test_metadata *_metadata, struct agent *agent, long long keys)
{
	struct account account;
	int row;

	ASSERT_ACCOUNT(agent->pid, &account);
	EXPECT_SANE(&account);
	for (row = 1; row < ROW_KEYS; row++)
		EXPECT_EQ_AT(0, account.count[row][0], "%s", row_names[row]);
	/* Keys of earlier tests go when they are collected. */
	EXPECT_COUNT(keys, agent->pid, ROW_KEYS, 0);
}

TEST_F(setns, taken_outside_released_inside)
{
	enum account_row row = resource_rows[variant->resource];
	long long keys = variant->resource == RES_KEY, before, amount;

	before = count_of(self->host.pid, row, 0);
	amount = taken(_metadata, &self->mover, variant->resource, 1);
	EXPECT_SAME_ACCOUNT(&self->mover, &self->host);
	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	EXPECT_SAME_ACCOUNT(&self->mover, &self->inside);
	expect_quiet(_metadata, &self->mover, 0);
	EXPECT_EQ(before + amount, count_of(self->host.pid, row, 0));
	ASSERT_EQ(0, agent_drop(&self->mover, 1));
	EXPECT_COUNT(before, self->host.pid, row, 0);
	expect_quiet(_metadata, &self->mover, 0);
	expect_quiet(_metadata, &self->host, keys);

	/* The next one is the container's. */
	amount = taken(_metadata, &self->mover, variant->resource, 2);
	EXPECT_EQ(amount, count_of(self->inside.pid, row, 0));
	EXPECT_SAME_ACCOUNT(&self->mover, &self->inside);
	expect_quiet(_metadata, &self->host, keys);
	ASSERT_EQ(0, agent_drop(&self->mover, 2));
	EXPECT_COUNT(0, self->inside.pid, row, 0);
	expect_quiet(_metadata, &self->inside, 0);
	expect_quiet(_metadata, &self->host, keys);
}

TEST_F(setns, taken_inside_released_outside)
{
	enum account_row row = resource_rows[variant->resource];
	void *map = MAP_FAILED;
	int fds[2] = { -1, -1 }, i;
	long long amount, before;
	long key;

	if (variant->resource == RES_KEY) {
		ASSERT_EQ(true, agent_has_keyring(&self->inside));
		before = count_of(self->inside.pid, row, 0);
		key = agent_take(&self->inside, RES_KEY, 1);
		ASSERT_LT(0, key);
		EXPECT_EQ(before + 1, count_of(self->inside.pid, row, 0));
		/* It is of the same uid, so that this one may. */
		ASSERT_EQ(0, agent_call(&self->host, __NR_keyctl, KEYCTL_INVALIDATE, key));
		EXPECT_COUNT(before, self->inside.pid, row, 0);
		expect_quiet(_metadata, &self->host, 1);
		return;
	}
	amount = taken(_metadata, &self->inside, variant->resource, 1);
	ASSERT_EQ(0, agent_give(&self->inside, 1, fds));
	ASSERT_LE(0, fds[0]);
	/* A buffer is there while it is mapped. */
	if (variant->resource == RES_PERF) {
		map = mmap(NULL, PERF_BUFFER_PAGES * getpagesize(), PROT_READ | PROT_WRITE,
			   MAP_SHARED, fds[0], 0);
		ASSERT_NE(MAP_FAILED, map);
	}
	expect_quiet(_metadata, &self->host, 0);
	ASSERT_EQ(0, agent_drop(&self->inside, 1));
	EXPECT_EQ(amount, count_of(self->inside.pid, row, 0));
	EXPECT_EQ(0, count_of(self->host.pid, row, 0));
	if (map != MAP_FAILED)
		munmap(map, PERF_BUFFER_PAGES * getpagesize());
	for (i = 0; i < 2; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	EXPECT_COUNT(0, self->inside.pid, row, 0);
	expect_quiet(_metadata, &self->inside, 0);
	expect_quiet(_metadata, &self->host, 0);
}

/* From a container into one that it has made: both are charged for what is taken there. */
TEST_F(setns, taken_inside_released_further_inside)
{
	enum account_row row = resource_rows[variant->resource];
	long long keys = variant->resource == RES_KEY, before, amount;
	struct agent nested;
	struct account account;
	int ns;

	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	ASSERT_EQ(0, agent_fork(&self->inside, &nested));
	ASSERT_EQ(0, agent_execns(&nested, CLONE_NEWUSER));
	ns = open_ns(nested.pid, variant->by_pidfd);
	ASSERT_LE(0, ns);
	before = count_of(self->inside.pid, row, 0);
	amount = taken(_metadata, &self->mover, variant->resource, 1);
	ASSERT_EQ(0, agent_setns(&self->mover, ns));
	ASSERT_ACCOUNT(self->mover.pid, &account);
	ASSERT_EQ(2, account.columns);
	EXPECT_SANE(&account);
	EXPECT_EQ(0, account.count[row][0]);
	EXPECT_EQ(before + amount, account.count[row][1]);
	EXPECT_SAME_ACCOUNT(&self->mover, &nested);
	ASSERT_EQ(0, agent_drop(&self->mover, 1));
	EXPECT_COUNT(before, self->inside.pid, row, 0);
	expect_quiet(_metadata, &nested, 0);

	amount = taken(_metadata, &self->mover, variant->resource, 2);
	ASSERT_ACCOUNT(nested.pid, &account);
	EXPECT_EQ(amount, account.count[row][0]);
	EXPECT_EQ(before + amount, account.count[row][1]);
	expect_quiet(_metadata, &self->host, keys);
	ASSERT_EQ(0, agent_drop(&self->mover, 2));
	EXPECT_COUNT(0, nested.pid, row, 0);
	EXPECT_COUNT(before, nested.pid, row, 1);
	expect_quiet(_metadata, &self->inside, before);
	close(ns);
	agent_stop(&nested);
}

FIXTURE(table)
{
	struct agent host, host_other, inside, inside_other, mover;
	int ns;
};

FIXTURE_SETUP(table)
{
	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, agent_start(&self->host_other, BY_EXECVE, 0, become, &other));
	ASSERT_EQ(0, agent_start(&self->inside, BY_EXECNS, CLONE_NEWUSER, NULL, NULL));
	ASSERT_EQ(0, agent_fork(&self->inside, &self->inside_other));
	ASSERT_EQ(0, agent_call(&self->inside_other, __NR_setresuid, other, 0, 0));
	ASSERT_EQ(0, agent_start(&self->mover, BY_EXECVE, 0, NULL, NULL));
	self->ns = open_ns(self->inside.pid, true);
	ASSERT_LE(0, self->ns);
}

FIXTURE_TEARDOWN(table)
{
	close(self->ns);
	agent_stop(&self->mover);
	agent_stop(&self->inside_other);
	agent_stop(&self->inside);
	agent_stop(&self->host_other);
	agent_stop(&self->host);
}

/* A file grows at the expense of whoever has made it. */
TEST_F(table, grown_inside)
{
	static const enum resource resources[] = { RES_PIPE, RES_EPOLL, RES_SECRET };
	long long amount[ARRAY_SIZE(resources)];
	size_t i;

	ASSERT_EQ(0, agent_call(&self->mover, __NR_setresuid, user, 0, 0));
	for (i = 0; i < ARRAY_SIZE(resources); i++)
		amount[i] = taken(_metadata, &self->mover, resources[i], i);
	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	for (i = 0; i < ARRAY_SIZE(resources); i++) {
		ASSERT_EQ(0, agent_grow(&self->mover, i));
		EXPECT_EQ(2 * amount[i], count_of(self->host.pid, resource_rows[resources[i]], 0));
	}
	expect_quiet(_metadata, &self->mover, 0);
	for (i = 0; i < ARRAY_SIZE(resources); i++) {
		ASSERT_EQ(0, agent_drop(&self->mover, i));
		EXPECT_COUNT(0, self->host.pid, resource_rows[resources[i]], 0);
	}
	expect_quiet(_metadata, &self->mover, 0);
}

/* Whatever it becomes, it is charged in the container. */
static void expect_inside(struct __test_metadata *_metadata, struct agent *mover,
			  struct agent *inside_other, struct agent *host_other)
{
	ASSERT_EQ(0, agent_call(mover, __NR_setresuid, other, 0, 0));
	EXPECT_SAME_ACCOUNT(mover, inside_other);
	ASSERT_EQ(0, agent_take(mover, RES_PIPE, 5));
	EXPECT_EQ(16, count_of(inside_other->pid, ROW_PIPE_SOFT, 0));
	expect_quiet(_metadata, host_other, 0);
	ASSERT_EQ(0, agent_drop(mover, 5));
	EXPECT_COUNT(0, inside_other->pid, ROW_PIPE_SOFT, 0);
	ASSERT_EQ(0, agent_call(mover, __NR_setresuid, 0, 0, 0));
}

TEST_F(table, setuid_after_setns)
{
	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	EXPECT_SAME_ACCOUNT(&self->mover, &self->inside);
	expect_inside(_metadata, &self->mover, &self->inside_other, &self->host_other);
	EXPECT_SAME_ACCOUNT(&self->mover, &self->inside);
}

/* The new session keyring comes with credentials made from two tasks' ones. */
static void expect_session(struct __test_metadata *_metadata, struct agent *mover)
{
	long before = agent_call(mover, __NR_keyctl, KEYCTL_GET_KEYRING_ID,
				 KEY_SPEC_SESSION_KEYRING, 0);

	ASSERT_EQ(0, agent_do(mover, AGENT_GO));
	EXPECT_NE(before, agent_call(mover, __NR_keyctl, KEYCTL_GET_KEYRING_ID,
				     KEY_SPEC_SESSION_KEYRING, 0));
}

TEST_F(table, session_to_parent_in_the_container)
{
	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	ASSERT_LT(0, agent_do(&self->mover, AGENT_SESSION));
	expect_session(_metadata, &self->mover);
	EXPECT_SAME_ACCOUNT(&self->mover, &self->inside);
	expect_inside(_metadata, &self->mover, &self->inside_other, &self->host_other);
}

/* From a child that has stayed outside. */
TEST_F(table, session_to_parent_from_outside)
{
	ASSERT_LT(0, agent_do(&self->mover, AGENT_SESSION));
	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	expect_session(_metadata, &self->mover);
	EXPECT_SAME_ACCOUNT(&self->mover, &self->inside);
	expect_inside(_metadata, &self->mover, &self->inside_other, &self->host_other);
}

static int map_all(struct agent *by, pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/uid_map", pid);
	return agent_write(by, path, "0 0 10000");
}

TEST_F(table, unshare_after_setns)
{
	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	ASSERT_EQ(0, agent_call(&self->mover, __NR_unshare, CLONE_NEWUSER));
	ASSERT_EQ(0, map_all(&self->inside, self->mover.pid));
	EXPECT_SAME_ACCOUNT(&self->mover, &self->inside);
	expect_inside(_metadata, &self->mover, &self->inside_other, &self->host_other);
	/* And entering such a namespace is as entering the container. */
	close(self->ns);
	self->ns = open_ns(self->mover.pid, false);
	ASSERT_EQ(0, agent_setns(&self->inside, self->ns));
	expect_inside(_metadata, &self->inside, &self->inside_other, &self->host_other);
}

/* On the host, as it has always been. */
TEST_F(table, setns_into_a_namespace_of_unshare)
{
	struct agent unshared;

	ASSERT_EQ(0, agent_start(&unshared, BY_UNSHARE, CLONE_NEWUSER, NULL, NULL));
	close(self->ns);
	self->ns = open_ns(unshared.pid, true);
	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	ASSERT_EQ(0, agent_call(&self->mover, __NR_setresuid, user, 0, 0));
	ASSERT_EQ(0, agent_take(&self->mover, RES_PIPE, 1));
	EXPECT_EQ(16, count_of(self->host.pid, ROW_PIPE_SOFT, 0));
	EXPECT_EQ(16, count_of(self->mover.pid, ROW_PIPE_SOFT, 0));
	agent_stop(&unshared);
}

/* A call that fails changes nothing. */
TEST_F(table, failed_setns)
{
	struct account before, after;

	ASSERT_EQ(0, agent_setns(&self->mover, self->ns));
	ASSERT_EQ(0, agent_call(&self->mover, __NR_setresuid, user, 0, 0));
	ASSERT_EQ(0, agent_take(&self->mover, RES_PIPE, 1));
	ASSERT_ACCOUNT(self->mover.pid, &before);
	ASSERT_EQ(16, before.count[ROW_PIPE_SOFT][0]);
	/* It is there already. */
	EXPECT_EQ(-EINVAL, agent_setns(&self->mover, self->ns));
	/* The way back is closed. */
	close(self->ns);
	self->ns = open_ns(getpid(), true);
	EXPECT_EQ(-EPERM, agent_setns(&self->mover, self->ns));
	ASSERT_ACCOUNT(self->mover.pid, &after);
	EXPECT_EQ(0, memcmp(&before, &after, sizeof(before)));
	ASSERT_EQ(0, agent_drop(&self->mover, 1));
	EXPECT_COUNT(0, self->mover.pid, ROW_PIPE_SOFT, 0);
}

TEST_HARNESS_MAIN
