// SPDX-License-Identifier: GPL-2.0
/*
 * Accounts live as long as what has been charged to them, after the container
 * and its user namespace, and no longer.
 */
#include "account_proc.h"

#include <linux/io_uring.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

/* Users of earlier tests that RCU may have yet to free. */
#define LATE 10
#define ROUNDS rounds_of(200)
#define HELD 50
#define DEPTH 32

/* A user that nothing else in the system is. */
static uid_t user = 5001;

/* A resource that has come from a container. */
struct got {
	enum resource resource;
	int fds[AGENT_FDS];
	void *map;
	size_t len;
};

static int get(struct agent *agent, enum resource resource, int slot, struct got *got)
{
	memset(got, 0, sizeof(*got));
	got->resource = resource;
	got->map = MAP_FAILED;
	if (agent_take(agent, resource, slot) || agent_give(agent, slot, got->fds) ||
	    got->fds[0] < 0)
		return -1;
	if (resource != RES_SECRET && resource != RES_PERF)
		return 0;
	/* A buffer of perf is there while it is mapped. */
	got->len = (resource == RES_PERF ? PERF_BUFFER_PAGES : 2 * SECRET_PAGES) * getpagesize();
	got->map = mmap(NULL, got->len, PROT_READ | PROT_WRITE, MAP_SHARED, got->fds[0], 0);
	return got->map == MAP_FAILED ? -1 : 0;
}

/* Use it, with another charge or uncharge where one is possible. */
static int use(struct got *got)
{
	struct epoll_event event = { .events = EPOLLIN };
	static char buffer[4 * 4096];
	struct iovec iov = { buffer, sizeof(buffer) };
	int fds[AGENT_FDS], fd;
	char byte = 0;

	switch (got->resource) {
	case RES_PIPE:
		if (write(got->fds[1], "x", 1) != 1 || read(got->fds[0], &byte, 1) != 1)
			return -1;
		return fcntl(got->fds[0], F_SETPIPE_SZ, 32 * getpagesize()) < 0 ? -1 : 0;
	case RES_EPOLL:
		/* Of another number, so that it is another watch. */
		fd = fcntl(got->fds[1], F_DUPFD_CLOEXEC, 100);
		if (epoll_ctl(got->fds[0], EPOLL_CTL_ADD, fd, &event) ||
		    eventfd_write(fd, 1) || epoll_wait(got->fds[0], &event, 1, 0) != 1 ||
		    epoll_ctl(got->fds[0], EPOLL_CTL_DEL, fd, NULL))
			return -1;
		return close(fd);
	case RES_INFLIGHT:
		if (agent_receive(got->fds[0], &byte, 1, fds) != 1 || eventfd_write(fds[0], 1))
			return -1;
		return close(fds[0]);
	case RES_SECRET:
		byte = ((char *)got->map)[0];
		memset(got->map, 2, got->len);
		return byte == 1 ? 0 : -1;
	case RES_RING:
		return syscall(__NR_io_uring_register, got->fds[0], IORING_UNREGISTER_BUFFERS,
			       NULL, 0) ||
		       syscall(__NR_io_uring_register, got->fds[0], IORING_REGISTER_BUFFERS,
			       &iov, 1);
	case RES_PERF:
		/* Only its first page is for readers to write. */
		memset(got->map + getpagesize() - 1, 1, 1);
		byte = ((char *)got->map)[got->len - 1];
		return byte;
	default:
		return -1;
	}
}

static void put(struct got *got)
{
	int i;

	if (got->map != MAP_FAILED)
		munmap(got->map, got->len);
	for (i = 0; i < AGENT_FDS; i++)
		if (got->fds[i] >= 0)
			close(got->fds[i]);
}

FIXTURE(lifetime)
{
	struct agent host;
	struct objects before;
};

FIXTURE_VARIANT(lifetime)
{
	int (*creator)(void *data);
	bool dependent;
};

FIXTURE_VARIANT_ADD(lifetime, of_root) { become_real, false };
FIXTURE_VARIANT_ADD(lifetime, of_a_user) { become, true };

FIXTURE_SETUP(lifetime)
{
	struct agent agent;

	ASSERT_EQ(0, agent_start(&self->host, BY_EXECVE, 0, become, &user));
	/* What the first container makes for all. */
	ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER, variant->creator, &user));
	agent_stop(&agent);
	usleep(300000);
	if (!take_objects(&self->before))
		SKIP(return, NO_OBJECTS);
}

FIXTURE_TEARDOWN(lifetime)
{
	agent_stop(&self->host);
}

/* The creator's account is charged while there is something. */
TEST_F(lifetime, used_after_the_container)
{
	struct agent agent;
	enum account_row row;
	struct got got;
	int i;

	for (i = 0; i < RES_KEY; i++) {
		row = resource_rows[i];
		ASSERT_EQ(0, count_of(self->host.pid, row, 0));
		ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER,
					 variant->creator, &user));
		ASSERT_EQ(0, get(&agent, i, 0, &got)) TH_LOG("resource %d", i);
		agent_stop(&agent);
		usleep(50000);
		EXPECT_EQ(variant->dependent, count_of(self->host.pid, row, 0) > 0)
			TH_LOG("resource %d", i);
		EXPECT_EQ(0, use(&got)) TH_LOG("resource %d: %s", i, strerror(errno));
		put(&got);
		EXPECT_COUNT(0, self->host.pid, row, 0);
	}
	EXPECT_ALL_OBJECTS(&self->before, 4);
}

/* Tables are in one of these. What else grows there does not by one per round. */
static const char *const kmalloc_caches[] = {
	"kmalloc-16", "kmalloc-32", "kmalloc-64", "kmalloc-96", "kmalloc-128",
	"kmalloc-192", "kmalloc-256", "kmalloc-512",
};

TEST_F_TIMEOUT(lifetime, nothing_is_left, 600)
{
	long kmalloc[ARRAY_SIZE(kmalloc_caches)];
	struct account account;
	struct agent agent;
	struct got got[RES_KEY];
	int round, i;
	size_t c;

	for (c = 0; c < ARRAY_SIZE(kmalloc_caches); c++)
		kmalloc[c] = count_objects(kmalloc_caches[c]);
	for (round = 0; round < ROUNDS; round++) {
		ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER,
					 variant->creator, &user));
		/* A key has an end of its own, that of the keyring of its process. */
		ASSERT_LT(0, agent_take(&agent, RES_KEY, 8));
		for (i = 0; i < RES_KEY; i++)
			ASSERT_OK(get(&agent, i, i, &got[i]), "resource %d", i);
		agent_stop(&agent);
		for (i = 0; i < RES_KEY; i++) {
			ASSERT_OK(use(&got[i]), "resource %d", i);
			put(&got[i]);
		}
	}
	EXPECT_ALL_OBJECTS(&self->before, ROUNDS / 10);
	for (c = 0; c < ARRAY_SIZE(kmalloc_caches); c++) {
		long max = kmalloc[c] + ROUNDS * 3 / 4;

		EXPECT_GE(max, wait_for_objects(kmalloc_caches[c], max))
			TH_LOG("%s", kmalloc_caches[c]);
	}
	for (i = 0; i <= RES_KEY; i++)
		EXPECT_COUNT(0, self->host.pid, resource_rows[i], 0);
	ASSERT_ACCOUNT(self->host.pid, &account);
	EXPECT_SANE(&account);
}

/*
 * What is in flight has no file of the container: not the socket, not what is
 * sent. Nothing but its account is held.
 */
static int leave_in_flight(struct agent *agent, int *socket)
{
	int fds[3], ret;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, fds))
		return -1;
	*socket = fds[0];
	fds[2] = eventfd(0, EFD_CLOEXEC);
	ret = agent_keep(agent, 0, fds + 1, 2) ?: agent_do(agent, AGENT_PASS, 0);
	close(fds[1]);
	close(fds[2]);
	return ret;
}

TEST_F_TIMEOUT(lifetime, account_without_its_namespace, 240)
{
	int sockets[HELD], fds[AGENT_FDS], i;
	struct agent agent;
	char byte;

	for (i = 0; i < HELD; i++) {
		ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER,
					 variant->creator, &user));
		ASSERT_EQ(0, leave_in_flight(&agent, &sockets[i]));
		agent_stop(&agent);
	}
	EXPECT_OBJECTS(&self->before, USER_NAMESPACE, HELD / 10);
	EXPECT_OBJECTS(&self->before, CRED, HELD / 10);
	EXPECT_LE(self->before.nr[UID_CACHE] + HELD - LATE, count_objects(caches[UID_CACHE]));
	EXPECT_COUNT(variant->dependent ? HELD * INFLIGHT_FILES : 0, self->host.pid,
		     ROW_INFLIGHT, 0);
	/* One is received, the others are thrown away. */
	for (i = 0; i < HELD; i++) {
		ASSERT_EQ(1, agent_receive(sockets[i], &byte, 1, fds));
		close(fds[0]);
		close(sockets[i]);
	}
	EXPECT_COUNT(0, self->host.pid, ROW_INFLIGHT, 0);
	EXPECT_ALL_OBJECTS(&self->before, HELD / 10);
}

/* The innermost account holds the others, and its end is theirs. */
TEST_F_TIMEOUT(lifetime, deep_chain_is_freed_at_once, 240)
{
	int columns = DEPTH + variant->dependent, round, i, socket;
	struct account account;
	struct agent agent;
	struct got got;

	for (round = 0; round < 3; round++) {
		ASSERT_EQ(0, agent_start(&agent, BY_EXECNS, CLONE_NEWUSER,
					 variant->creator, &user));
		for (i = 1; i < DEPTH; i++)
			ASSERT_OK(agent_execns(&agent, CLONE_NEWUSER), "depth %d", i);
		ASSERT_EQ(0, get(&agent, RES_PIPE, 1, &got));
		ASSERT_EQ(0, leave_in_flight(&agent, &socket));
		ASSERT_ACCOUNT(agent.pid, &account);
		ASSERT_EQ(columns, account.columns);
		for (i = 0; i < columns; i++) {
			EXPECT_EQ(16, account.count[ROW_PIPE_SOFT][i]) TH_LOG("column %d", i);
			EXPECT_EQ(INFLIGHT_FILES, account.count[ROW_INFLIGHT][i])
				TH_LOG("column %d", i);
		}
		agent_stop(&agent);
		EXPECT_COUNT(variant->dependent ? 16 : 0, self->host.pid, ROW_PIPE_SOFT, 0);
		EXPECT_LE(self->before.nr[UID_CACHE] + DEPTH - LATE,
			  count_objects(caches[UID_CACHE]));
		if (round == 1) {
			/* The pipe has the namespaces, too, and goes last. */
			close(socket);
			EXPECT_COUNT(0, self->host.pid, ROW_INFLIGHT, 0);
			EXPECT_LE(self->before.nr[UID_CACHE] + DEPTH - LATE,
				  count_objects(caches[UID_CACHE]));
			put(&got);
		} else {
			put(&got);
			EXPECT_COUNT(0, self->host.pid, ROW_PIPE_SOFT, 0);
			EXPECT_OBJECTS(&self->before, USER_NAMESPACE, 4);
			EXPECT_LE(self->before.nr[UID_CACHE] + DEPTH - LATE,
				  count_objects(caches[UID_CACHE]));
			close(socket);
		}
		EXPECT_ALL_OBJECTS(&self->before, 4);
	}
	EXPECT_COUNT(0, self->host.pid, ROW_PIPE_SOFT, 0);
	EXPECT_COUNT(0, self->host.pid, ROW_INFLIGHT, 0);
}

TEST_HARNESS_MAIN
