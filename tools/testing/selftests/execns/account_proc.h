/* SPDX-License-Identifier: GPL-2.0 */
/* What /proc/PID/account says, and agents to look at from outside. */
#ifndef _ACCOUNT_PROC_H
#define _ACCOUNT_PROC_H

#include "execns_test.h"

#include <poll.h>
#include <time.h>

#include "account_agent.h"
#include "execns_slab.h"

#define MAX_COLUMNS 40

enum account_row {
	ROW_UID,
	ROW_PIPE_SOFT,
	ROW_PIPE_HARD,
	ROW_EPOLL,
	ROW_INFLIGHT,
	ROW_LOCKED,
	ROW_PERF,
	ROW_WATCHES,
	ROW_KEYS,
	ROW_KEY_BYTES,
	NR_ROWS
};

static const char *const row_names[NR_ROWS] = {
	"uid", "pipe_pages_soft", "pipe_pages_hard", "epoll_watches", "unix_inflight",
	"locked_pages", "perf_pages", "queue_watches", "keys", "key_bytes",
};

struct account {
	int columns;
	char limit[NR_ROWS][24];
	long long count[NR_ROWS][MAX_COLUMNS];
};

/*
 * 0, or the number of the line that is not as it should be. There is one for
 * watch queues if the kernel has these, else its limit is empty.
 */
static inline int parse_account(const char *text, struct account *account)
{
	int row, columns;

	memset(account, 0, sizeof(*account));
	for (row = 0; row < NR_ROWS; row++) {
		char line[1024], *field, *save, *end;

		if (row == ROW_WATCHES && strncmp(text, row_names[row], strlen(row_names[row])))
			continue;
		if (!strchr(text, '\n'))
			return row + 1;
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
		text = strchr(text, '\n') + 1;
		field = strtok_r(line, " ", &save);
		if (!field || strcmp(field, row_names[row]))
			return row + 1;
		field = strtok_r(NULL, " ", &save);
		if (!field)
			return row + 1;
		snprintf(account->limit[row], sizeof(account->limit[row]), "%s", field);
		for (columns = 0; (field = strtok_r(NULL, " ", &save)); columns++) {
			if (columns == MAX_COLUMNS)
				return row + 1;
			account->count[row][columns] = strtoll(field, &end, 10);
			if (*end)
				return row + 1;
		}
		if (!columns || (row && columns != account->columns))
			return row + 1;
		account->columns = columns;
	}
	return *text ? NR_ROWS + 1 : 0;
}

/* As the caller sees it. -errno if it cannot be read, else what the parser says. */
static inline int read_account(pid_t pid, struct account *account)
{
	char path[64], text[8192];

	snprintf(path, sizeof(path), "/proc/%d/account", pid);
	memset(account, 0, sizeof(*account));
	if (access(path, R_OK))
		return -errno;
	read_file(path, text, sizeof(text));
	return parse_account(text, account);
}

/* Those of the harness are no single statement, which a loop is best made of. */
#define EXPECT_EQ_AT(expected, seen, ...) do { \
	long long _expected = (expected), _seen = (seen); \
	EXPECT_EQ(_expected, _seen) TH_LOG(__VA_ARGS__); \
} while (0)

#define ASSERT_OK(error, ...) do { \
	long long _error = (error); \
	ASSERT_EQ(0, _error) TH_LOG(__VA_ARGS__); \
} while (0)

#define ASSERT_ACCOUNT(pid, to) do { \
	pid_t _of = (pid); \
	ASSERT_OK(read_account(_of, to), "/proc/%d/account", _of); \
} while (0)

#define NO_COUNT -1000000

static inline long long count_of(pid_t pid, enum account_row row, int column)
{
	struct account account;

	return read_account(pid, &account) ? NO_COUNT : account.count[row][column];
}

/* What is freed late (by RCU, a work queue, a dying task) may take a while. */
#define PATIENCE 400

static inline long long wait_for_count(long long expected, pid_t pid, enum account_row row,
				       int column)
{
	long long count = count_of(pid, row, column);
	int i;

	for (i = 0; i < PATIENCE && count != expected && count != NO_COUNT; i++) {
		usleep(25000);
		count = count_of(pid, row, column);
	}
	return count;
}

#define EXPECT_COUNT(expected, pid, row, column) do { \
	long long _want = (expected); \
	int _row = (row), _column = (column); \
	pid_t _pid = (pid); \
	EXPECT_EQ_AT(_want, wait_for_count(_want, _pid, _row, _column), \
		     "%s of process %d, column %d", row_names[_row], _pid, _column); \
} while (0)

/* No counter goes below zero, whoever is charged. */
#define EXPECT_SANE(of) do { \
	const struct account *_of = (of); \
	int _r, _c; \
	for (_r = 1; _r < NR_ROWS; _r++) { \
		for (_c = 0; _c < _of->columns; _c++) \
			EXPECT_EQ_AT(true, _of->count[_r][_c] >= 0, "%s, column %d: %lld", \
				     row_names[_r], _c, _of->count[_r][_c]); \
	} \
} while (0)

static const enum account_row resource_rows[NR_RESOURCES] = {
	[RES_PIPE] = ROW_PIPE_SOFT, [RES_EPOLL] = ROW_EPOLL, [RES_INFLIGHT] = ROW_INFLIGHT,
	[RES_SECRET] = ROW_LOCKED, [RES_RING] = ROW_LOCKED, [RES_PERF] = ROW_PERF,
	[RES_KEY] = ROW_KEYS,
};

/* What each adds there. A ring has pages of its own as well, 0 stands for that. */
static const long long resource_counts[NR_RESOURCES] = {
	[RES_PIPE] = 16, [RES_EPOLL] = 1, [RES_INFLIGHT] = INFLIGHT_FILES,
	[RES_SECRET] = SECRET_PAGES, [RES_PERF] = PERF_BUFFER_PAGES, [RES_KEY] = 1,
};

#define EXPECT_TAKEN(resource, amount) do { \
	int _what = (resource); \
	long long _want = resource_counts[_what], _have = (amount); \
	if (_want) \
		EXPECT_EQ_AT(_want, _have, "resource %d", _what); \
	else \
		EXPECT_EQ_AT(true, _have >= RING_BUFFER_PAGES, "%lld pages", _have); \
} while (0)

/* What a container leaves: the objects of these caches. */
static const char *const caches[] = { "uid_cache", "cred", "user_namespace" };
enum { UID_CACHE, CRED, USER_NAMESPACE, NR_CACHES };

struct objects {
	long nr[NR_CACHES];
};

static inline bool take_objects(struct objects *objects)
{
	int i;

	for (i = 0; i < NR_CACHES; i++) {
		objects->nr[i] = count_objects(caches[i]);
		if (objects->nr[i] < 0)
			return false;
	}
	return true;
}

#define NO_OBJECTS "no /sys/kernel/slab/*: see CONFIG_SLUB_DEBUG and slab_nomerge"

/* Until there are no more than before, but for @tolerance. */
static inline long wait_for_objects(const char *cache, long max)
{
	long objects = count_objects(cache);
	int i;

	for (i = 0; i < PATIENCE && objects > max; i++) {
		usleep(25000);
		objects = count_objects(cache);
	}
	return objects;
}

#define EXPECT_OBJECTS(before, which, tolerance) do { \
	int _which = (which); \
	long _before = (before)->nr[_which], _max = _before + (tolerance); \
	long _objects = wait_for_objects(caches[_which], _max); \
	EXPECT_EQ_AT(true, _objects <= _max, "%s: %ld, and %ld before", caches[_which], \
		     _objects, _before); \
} while (0)

#define EXPECT_ALL_OBJECTS(before, tolerance) do { \
	const struct objects *_all = (before); \
	int _o, _tolerance = (tolerance); \
	for (_o = 0; _o < NR_CACHES; _o++) \
		EXPECT_OBJECTS(_all, _o, _tolerance); \
} while (0)

/*
 * An account_agent, and how to reach it.
 */
struct agent {
	int sock;
	pid_t pid;
	int pidfd;
};

static inline const char *agent_path(void)
{
	static char path[64];
	static int serial;

	snprintf(path, sizeof(path), "/tmp/execns-agent.%d.%d", getpid(), serial++);
	return path;
}

static inline int agent_listen(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	unlink(path);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (bind(sock, (struct sockaddr *)&addr, sizeof(addr)) || chmod(path, 0777) ||
	    listen(sock, 8))
		return -1;
	return sock;
}

/* Wait for an agent to connect, unless the process @starter ends before. */
static inline int agent_accept(struct agent *agent, int listener, const char *path, int starter)
{
	struct pollfd polls[2] = {
		{ .fd = listener, .events = POLLIN }, { .fd = starter, .events = POLLIN },
	};
	socklen_t len = sizeof(struct ucred);
	struct ucred peer;
	int ret = -1;

	memset(agent, 0, sizeof(*agent));
	agent->sock = -1;
	agent->pidfd = -1;
	if (poll(polls, 2, 20000) > 0 && polls[0].revents) {
		agent->sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (!getsockopt(agent->sock, SOL_SOCKET, SO_PEERCRED, &peer, &len)) {
			agent->pid = peer.pid;
			agent->pidfd = syscall(__NR_pidfd_open, peer.pid, 0);
			ret = agent->pidfd < 0 ? -1 : 0;
		}
	}
	close(listener);
	unlink(path);
	return ret;
}

/* Start an agent in a child. 0, or the child's status or -1 if it fails. */
static inline int agent_start_by(struct agent *agent, const struct spawn *how)
{
	const char *path = agent_path();
	struct spawn spawn = *how;
	int listener, starter, status = -1, ret;
	pid_t child;

	listener = agent_listen(path);
	if (listener < 0)
		return -1;
	/* Agents whose parent ends before them are left to the test. */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	spawn.path = spawn.path ?: "./account_agent";
	child = fork();
	if (!child) {
		if (spawn.setup && spawn.setup(spawn.data))
			_exit(98);
		exec_by(&spawn, (char *)path);
		_exit(EXEC_FAILED);
	}
	starter = syscall(__NR_pidfd_open, child, 0);
	ret = agent_accept(agent, listener, path, starter);
	close(starter);
	if (ret) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		return status ?: -1;
	}
	return 0;
}

static inline int agent_start(struct agent *agent, enum how how, int flags,
			      int (*setup)(void *data), void *data)
{
	struct spawn spawn = { .how = how, .flags = flags, .setup = setup, .data = data };

	return agent_start_by(agent, &spawn);
}

static inline long agent_ask(struct agent *agent, const struct agent_request *rq,
			     struct agent_reply *reply, const int *in, int nr, int *out)
{
	struct agent_reply unused;
	int none[AGENT_FDS];

	reply = reply ?: &unused;
	if (agent_send(agent->sock, rq, sizeof(*rq), in, nr) != sizeof(*rq) ||
	    agent_receive(agent->sock, reply, sizeof(*reply), out ?: none) != sizeof(*reply))
		return -ECONNRESET;
	return reply->ret;
}

#define agent_do(agent, op, ...) \
	agent_ask(agent, &(struct agent_request) { op, { __VA_ARGS__ } }, NULL, NULL, 0, NULL)

#define agent_call(agent, ...) agent_do(agent, AGENT_CALL, __VA_ARGS__)
#define agent_take(agent, resource, slot) agent_do(agent, AGENT_TAKE, resource, slot)
#define agent_grow(agent, slot) agent_do(agent, AGENT_GROW, slot)
#define agent_drop(agent, slot) agent_do(agent, AGENT_DROP, slot)

/* Descriptors of @slot, of which the test gets its own. */
static inline long agent_give(struct agent *agent, int slot, int *fds)
{
	struct agent_request rq = { AGENT_GIVE, { slot } };
	long ret = agent_ask(agent, &rq, NULL, NULL, 0, fds);

	if (ret != -EINVAL)
		return ret;
	/* A ring is not for sockets to pass. */
	ret = agent_do(agent, AGENT_NUMBER, slot);
	fds[0] = syscall(__NR_pidfd_getfd, agent->pidfd, ret, 0);
	return fds[0] < 0 ? -errno : 0;
}

static inline long agent_keep(struct agent *agent, int slot, const int *fds, int nr)
{
	struct agent_request rq = { AGENT_KEEP, { slot } };

	return agent_ask(agent, &rq, NULL, fds, nr, NULL);
}

static inline long agent_setns(struct agent *agent, int fd)
{
	struct agent_request rq = { AGENT_SETNS, { CLONE_NEWUSER } };

	return agent_ask(agent, &rq, NULL, &fd, 1, NULL);
}

/* What the agent reads there. -errno, what the parser says, or 0. */
static inline long agent_account(struct agent *agent, const char *path, struct account *account)
{
	struct agent_request rq = { .op = AGENT_READ };
	struct agent_reply reply;
	long ret;

	memset(account, 0, sizeof(*account));
	snprintf(rq.text, sizeof(rq.text), "%s", path);
	ret = agent_ask(agent, &rq, &reply, NULL, 0, NULL);
	return ret < 0 ? ret : parse_account(reply.text, account);
}

static inline long agent_write(struct agent *agent, const char *path, const char *data)
{
	struct agent_request rq = { .op = AGENT_WRITE };

	snprintf(rq.text, sizeof(rq.text), "%s", path);
	snprintf(rq.data, sizeof(rq.data), "%s", data);
	return agent_ask(agent, &rq, NULL, NULL, 0, NULL);
}

/* A second agent by fork(), in the same namespaces and with the same ids. */
static inline int agent_fork(struct agent *agent, struct agent *child)
{
	struct agent_request rq = { .op = AGENT_FORK };
	const char *path = agent_path();
	int listener = agent_listen(path);

	snprintf(rq.text, sizeof(rq.text), "%s", path);
	if (listener < 0 || agent_ask(agent, &rq, NULL, NULL, 0, NULL) < 0)
		return -1;
	return agent_accept(child, listener, path, agent->pidfd);
}

/* The agent executes itself in new namespaces. What it has taken is closed. */
static inline int agent_execns(struct agent *agent, int flags)
{
	struct agent_request rq = { .op = AGENT_EXECNS, .args = { flags } };
	const char *path = agent_path();
	int listener = agent_listen(path), old = agent->sock, pidfd = agent->pidfd, ret;

	snprintf(rq.text, sizeof(rq.text), "%s", path);
	if (listener < 0 || agent_send(old, &rq, sizeof(rq), NULL, 0) != sizeof(rq))
		return -1;
	ret = agent_accept(agent, listener, path, pidfd);
	close(old);
	close(pidfd);
	return ret;
}

/* End an agent, and wait until it has. */
static inline void agent_stop(struct agent *agent)
{
	struct pollfd end = { .fd = agent->pidfd, .events = POLLIN };

	if (agent->pidfd < 0)
		return;
	close(agent->sock);
	poll(&end, 1, 20000);
	close(agent->pidfd);
	waitpid(agent->pid, NULL, WNOHANG);
	agent->sock = -1;
	agent->pidfd = -1;
}

/* The keyring that keys are kept in is a key as well: make it before counting. */
static inline bool agent_has_keyring(struct agent *agent)
{
	return agent_take(agent, RES_KEY, 0) > 0 && !agent_drop(agent, 0) &&
	       wait_for_count(1, agent->pid, ROW_KEYS, 0) == 1;
}

/* Set up a child as this user, who can be looked at. */
static inline int become(void *data)
{
	return become_id(*(uid_t *)data);
}

/* Charged as this user, but as capable as root. */
static inline int become_real(void *data)
{
	return setresuid(*(uid_t *)data, 0, 0) || prctl(PR_SET_DUMPABLE, 1);
}

/* A user that is root of its own namespace, by unshare(). */
static inline int root_of_own_namespace(void *data)
{
	char map[32];

	snprintf(map, sizeof(map), "0 %u 1", *(uid_t *)data);
	return become(data) || unshare(CLONE_NEWUSER) ||
	       write_file("/proc/self/setgroups", "deny") ||
	       write_file("/proc/self/uid_map", map) || write_file("/proc/self/gid_map", map);
}

#endif
