// SPDX-License-Identifier: GPL-2.0
/* /proc/PID/account: what it says. */
#include "account_proc.h"

#include <linux/capability.h>
#include <sys/resource.h>

/* Users that nothing else in the system is. */
static uid_t user = 5001, other = 5002;

static long read_long(const char *path)
{
	char text[64];

	read_file(path, text, sizeof(text));
	return text[0] ? atol(text) : -1;
}

#define UNLIMITED -1

static void expect_limit(struct __test_metadata *_metadata, const struct account *account,
			 enum account_row row, long long limit)
{
	char text[24];

	snprintf(text, sizeof(text), limit == UNLIMITED ? "unlimited" : "%lld", limit);
	EXPECT_STREQ(text, account->limit[row]) TH_LOG("%s", row_names[row]);
}

/* Effective capabilities less one. */
static int lower(int cap)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -1;
	data[cap / 32].effective &= ~(1U << (cap % 32));
	return syscall(SYS_capset, &head, data);
}

TEST(is_for_all_to_read)
{
	struct stat st;

	ASSERT_EQ(0, stat("/proc/self/account", &st));
	EXPECT_EQ(S_IFREG | 0444, st.st_mode);
}

TEST(names_all_that_is_counted)
{
	struct account account;

	ASSERT_ACCOUNT(getpid(), &account);
	EXPECT_EQ(1, account.columns);
	EXPECT_STREQ("-", account.limit[ROW_UID]);
	EXPECT_EQ(0, account.count[ROW_UID][0]);
	EXPECT_SANE(&account);
}

static const struct {
	enum account_row row;
	const char *path;
	long other;
	bool none_is_unlimited;
	bool of_root;
} sysctls[] = {
	{ ROW_PIPE_SOFT, "/proc/sys/fs/pipe-user-pages-soft", 12345, true },
	{ ROW_PIPE_HARD, "/proc/sys/fs/pipe-user-pages-hard", 54321, true },
	{ ROW_EPOLL, "/proc/sys/fs/epoll/max_user_watches", 34567 },
	{ ROW_KEYS, "/proc/sys/kernel/keys/maxkeys", 234 },
	{ ROW_KEY_BYTES, "/proc/sys/kernel/keys/maxbytes", 23456 },
	{ ROW_KEYS, "/proc/sys/kernel/keys/root_maxkeys", 345, .of_root = true },
	{ ROW_KEY_BYTES, "/proc/sys/kernel/keys/root_maxbytes", 34567, .of_root = true },
};

FIXTURE(limits)
{
	long before[ARRAY_SIZE(sysctls)];
	struct agent agent;
};

FIXTURE_SETUP(limits)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++)
		self->before[i] = read_long(sysctls[i].path);
	ASSERT_EQ(0, agent_start(&self->agent, BY_EXECVE, 0, become, &user));
}

FIXTURE_TEARDOWN(limits)
{
	char text[24];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		snprintf(text, sizeof(text), "%ld", self->before[i]);
		write_file(sysctls[i].path, text);
	}
	agent_stop(&self->agent);
}

TEST_F(limits, are_those_of_sysctls)
{
	struct account account;
	char text[24];
	size_t i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		pid = sysctls[i].of_root ? getpid() : self->agent.pid;
		ASSERT_LE(0, self->before[i]) TH_LOG("%s", sysctls[i].path);
		ASSERT_ACCOUNT(pid, &account);
		expect_limit(_metadata, &account, sysctls[i].row,
			     sysctls[i].none_is_unlimited && !self->before[i] ? UNLIMITED :
			     self->before[i]);
		snprintf(text, sizeof(text), "%ld", sysctls[i].other);
		ASSERT_EQ(0, write_file(sysctls[i].path, text));
		ASSERT_ACCOUNT(pid, &account);
		expect_limit(_metadata, &account, sysctls[i].row, sysctls[i].other);
		if (!sysctls[i].none_is_unlimited)
			continue;
		ASSERT_EQ(0, write_file(sysctls[i].path, "0"));
		ASSERT_ACCOUNT(pid, &account);
		expect_limit(_metadata, &account, sysctls[i].row, UNLIMITED);
	}
}

TEST_F(limits, are_those_of_the_process)
{
	struct rlimit memlock = { 123 * getpagesize() + 1, 200 * getpagesize() };
	struct rlimit files = { 77, 99 };
	struct rlimit infinite = { RLIM_INFINITY, RLIM_INFINITY };
	struct account account;
	pid_t pid = self->agent.pid;

	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &memlock, NULL));
	ASSERT_EQ(0, prlimit(pid, RLIMIT_NOFILE, &files, NULL));
	ASSERT_ACCOUNT(pid, &account);
	expect_limit(_metadata, &account, ROW_LOCKED, 123);
	expect_limit(_metadata, &account, ROW_INFLIGHT, 77);
	if (account.limit[ROW_WATCHES][0])
		expect_limit(_metadata, &account, ROW_WATCHES, 77);
	ASSERT_EQ(0, prlimit(pid, RLIMIT_MEMLOCK, &infinite, NULL));
	ASSERT_ACCOUNT(pid, &account);
	expect_limit(_metadata, &account, ROW_LOCKED, UNLIMITED);
	expect_limit(_metadata, &account, ROW_PERF,
		     read_long("/proc/sys/kernel/perf_event_mlock_kb") * 1024 / getpagesize() *
		     sysconf(_SC_NPROCESSORS_ONLN));
}

FIXTURE(count)
{
	struct agent agent, observer;
};

FIXTURE_VARIANT(count)
{
	enum resource resource;
};

FIXTURE_VARIANT_ADD(count, pipe) { RES_PIPE };
FIXTURE_VARIANT_ADD(count, epoll) { RES_EPOLL };
FIXTURE_VARIANT_ADD(count, inflight) { RES_INFLIGHT };
FIXTURE_VARIANT_ADD(count, secret) { RES_SECRET };
FIXTURE_VARIANT_ADD(count, ring) { RES_RING };
FIXTURE_VARIANT_ADD(count, perf) { RES_PERF };
FIXTURE_VARIANT_ADD(count, key) { RES_KEY };

FIXTURE_SETUP(count)
{
	ASSERT_EQ(0, agent_start(&self->agent, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, agent_start(&self->observer, BY_EXECVE, 0, become, &other));
	if (variant->resource == RES_KEY)
		ASSERT_OK(!agent_has_keyring(&self->agent), "no keyring");
}

FIXTURE_TEARDOWN(count)
{
	agent_stop(&self->agent);
	agent_stop(&self->observer);
}

TEST_F(count, is_what_the_user_has)
{
	enum account_row row = resource_rows[variant->resource];
	struct account before, during, seen;
	char path[64];
	int i;

	ASSERT_ACCOUNT(self->agent.pid, &before);
	ASSERT_LE(0, agent_take(&self->agent, variant->resource, 1));
	ASSERT_ACCOUNT(self->agent.pid, &during);
	ASSERT_EQ(1, during.columns);
	EXPECT_EQ(user, during.count[ROW_UID][0]);
	EXPECT_TAKEN(variant->resource, during.count[row][0] - before.count[row][0]);
	/* Nothing else has changed. Soft and hard limit, or a key and its size, are one. */
	for (i = 1; i < NR_ROWS; i++) {
		if (i == row || (row == ROW_PIPE_SOFT && i == ROW_PIPE_HARD) ||
		    (row == ROW_KEYS && i == ROW_KEY_BYTES))
			continue;
		EXPECT_EQ_AT(before.count[i][0], during.count[i][0], "%s", row_names[i]);
	}
	EXPECT_EQ(during.count[ROW_PIPE_SOFT][0], during.count[ROW_PIPE_HARD][0]);
	EXPECT_EQ(row == ROW_KEYS, before.count[ROW_KEY_BYTES][0] < during.count[ROW_KEY_BYTES][0]);
	/* It is for other users to see, but is not theirs. */
	snprintf(path, sizeof(path), "/proc/%d/account", self->agent.pid);
	ASSERT_EQ(0, agent_account(&self->observer, path, &seen));
	EXPECT_EQ(0, memcmp(&during, &seen, sizeof(seen)));
	EXPECT_EQ(0, count_of(self->observer.pid, row, 0));
	ASSERT_EQ(0, agent_drop(&self->agent, 1));
	EXPECT_COUNT(before.count[row][0], self->agent.pid, row, 0);
	EXPECT_COUNT(before.count[ROW_KEY_BYTES][0], self->agent.pid, ROW_KEY_BYTES, 0);
}

static int root_without_resource(void *data)
{
	return become_real(data) || lower(CAP_SYS_RESOURCE);
}

static int user_with_resource(void *data)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = {
		{ 1 << CAP_SYS_RESOURCE, 1 << CAP_SYS_RESOURCE, 0 },
	};

	return prctl(PR_SET_KEEPCAPS, 1) || become(data) || syscall(SYS_capset, &head, caps);
}

FIXTURE(chain)
{
	struct agent host, inside;
};

FIXTURE_VARIANT(chain)
{
	enum how how;
	int (*setup)(void *data);
	int columns;
	bool own;	/* an account that is not the host's */
};

FIXTURE_VARIANT_ADD(chain, host) { BY_EXECVE, become, 1, false };
FIXTURE_VARIANT_ADD(chain, unshare) { BY_UNSHARE, become, 1, false };
FIXTURE_VARIANT_ADD(chain, unshare_by_root) { BY_UNSHARE, become_real, 1, false };
FIXTURE_VARIANT_ADD(chain, execns_by_root) { BY_EXECNS, become_real, 1, true };
FIXTURE_VARIANT_ADD(chain, execns_with_resource) { BY_EXECNS, user_with_resource, 1, true };
FIXTURE_VARIANT_ADD(chain, execns_without_resource) { BY_EXECNS, root_without_resource, 2, true };
FIXTURE_VARIANT_ADD(chain, execns_by_user) { BY_EXECNS, become, 2, true };
/* A capability over a namespace that it has made itself does not count. */
FIXTURE_VARIANT_ADD(chain, unshare_then_execns) { BY_EXECNS, root_of_own_namespace, 2, true };

FIXTURE_SETUP(chain)
{
	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	ASSERT_EQ(0, agent_start(&self->inside, variant->how, CLONE_NEWUSER,
				 variant->setup, &user));
}

FIXTURE_TEARDOWN(chain)
{
	agent_stop(&self->inside);
	agent_stop(&self->host);
}

TEST_F(chain, is_of_those_charged)
{
	bool charged = variant->columns == 2 || !variant->own;
	struct account host, inside;
	int i;

	ASSERT_EQ(0, agent_take(&self->host, RES_PIPE, 0));
	ASSERT_ACCOUNT(self->inside.pid, &inside);
	ASSERT_EQ(variant->columns, inside.columns);
	for (i = 0; i < inside.columns; i++)
		EXPECT_EQ_AT(user, inside.count[ROW_UID][i], "column %d", i);
	/* The host's pipe is known to the host's account only. */
	EXPECT_EQ(variant->own ? 0 : 16, inside.count[ROW_PIPE_SOFT][0]);
	EXPECT_EQ(charged ? 16 : 0, inside.count[ROW_PIPE_SOFT][inside.columns - 1]);

	ASSERT_EQ(0, agent_take(&self->inside, RES_PIPE, 0));
	ASSERT_ACCOUNT(self->inside.pid, &inside);
	ASSERT_ACCOUNT(self->host.pid, &host);
	EXPECT_EQ(1, host.columns);
	EXPECT_EQ(charged ? 32 : 16, host.count[ROW_PIPE_SOFT][0]);
	EXPECT_EQ(variant->own ? 16 : 32, inside.count[ROW_PIPE_SOFT][0]);
	if (!variant->own)
		EXPECT_EQ_AT(0, memcmp(&host, &inside, sizeof(host)), "not the same account");
	for (i = 0; i < NR_ROWS && inside.columns == 2; i++)
		EXPECT_EQ_AT(host.count[i][0], inside.count[i][1], "%s", row_names[i]);

	ASSERT_EQ(0, agent_drop(&self->host, 0));
	EXPECT_COUNT(charged ? 16 : 0, self->host.pid, ROW_PIPE_SOFT, 0);
	EXPECT_COUNT(16, self->inside.pid, ROW_PIPE_SOFT, 0);
	ASSERT_EQ(0, agent_drop(&self->inside, 0));
	EXPECT_COUNT(0, self->inside.pid, ROW_PIPE_SOFT, 0);
	EXPECT_COUNT(0, self->host.pid, ROW_PIPE_SOFT, 0);
}

static void expect_nested(struct __test_metadata *_metadata, struct agent *agent, int columns)
{
	struct agent sibling;
	struct account account;
	int i;

	ASSERT_ACCOUNT(agent->pid, &account);
	ASSERT_EQ(columns, account.columns);
	/* A second one below the same creator, next to the innermost. */
	ASSERT_EQ(0, agent_fork(agent, &sibling));
	ASSERT_EQ(0, agent_execns(&sibling, CLONE_NEWUSER));
	ASSERT_EQ(0, agent_execns(agent, CLONE_NEWUSER));
	ASSERT_EQ(0, agent_take(&sibling, RES_PIPE, 0));
	ASSERT_EQ(0, agent_take(agent, RES_EPOLL, 0));
	ASSERT_ACCOUNT(agent->pid, &account);
	ASSERT_EQ(columns + 1, account.columns);
	for (i = 0; i <= columns; i++) {
		EXPECT_EQ(i ? 16 : 0, account.count[ROW_PIPE_SOFT][i]) TH_LOG("column %d", i);
		EXPECT_EQ(1, account.count[ROW_EPOLL][i]) TH_LOG("column %d", i);
	}
	ASSERT_ACCOUNT(sibling.pid, &account);
	ASSERT_EQ(columns + 1, account.columns);
	for (i = 0; i <= columns; i++) {
		EXPECT_EQ(16, account.count[ROW_PIPE_SOFT][i]) TH_LOG("column %d", i);
		EXPECT_EQ(i ? 1 : 0, account.count[ROW_EPOLL][i]) TH_LOG("column %d", i);
	}
	agent_stop(&sibling);
	EXPECT_COUNT(0, agent->pid, ROW_PIPE_SOFT, columns);
	ASSERT_EQ(0, agent_drop(agent, 0));
}

TEST(chain_grows_below_a_user)
{
	struct agent agent;
	int i;

	ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER, become, &user));
	for (i = 2; i < 6; i++)
		expect_nested(_metadata, &agent, i);
	agent_stop(&agent);
}

/* Root of a container depends on it, as anyone there does. */
TEST(chain_grows_below_a_container_of_root)
{
	struct agent agent;
	int i;

	ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER, become_real, &user));
	for (i = 1; i < 4; i++)
		expect_nested(_metadata, &agent, i);
	agent_stop(&agent);
}

/* An account is of a real uid, in the table of the namespace. */
TEST(setuid_inside_is_another_account)
{
	struct agent agent, host;
	struct account account;

	ASSERT_EQ(0, agent_start(&host, BY_EXECVE, 0, become, &other));
	ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER, become_real, &user));
	ASSERT_EQ(0, agent_take(&agent, RES_PIPE, 0));
	ASSERT_EQ(0, agent_call(&agent, __NR_setresuid, other, 0, 0));
	ASSERT_ACCOUNT(agent.pid, &account);
	ASSERT_EQ(1, account.columns);
	EXPECT_EQ(other, account.count[ROW_UID][0]);
	EXPECT_EQ(0, account.count[ROW_PIPE_SOFT][0]);
	ASSERT_EQ(0, agent_take(&agent, RES_PIPE, 1));
	ASSERT_ACCOUNT(agent.pid, &account);
	EXPECT_EQ(16, account.count[ROW_PIPE_SOFT][0]);
	EXPECT_EQ(0, count_of(host.pid, ROW_PIPE_SOFT, 0));
	ASSERT_EQ(0, agent_call(&agent, __NR_setresuid, user, 0, 0));
	ASSERT_ACCOUNT(agent.pid, &account);
	EXPECT_EQ(user, account.count[ROW_UID][0]);
	EXPECT_EQ(16, account.count[ROW_PIPE_SOFT][0]);
	agent_stop(&agent);
	agent_stop(&host);
}

TEST_HARNESS_MAIN
