// SPDX-License-Identifier: GPL-2.0
/*
 * account_agent SOCKET: do what the test at this socket asks for, wherever the
 * agent has been started. It ends when the test closes its end.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "account_agent.h"

#ifndef __NR_execns
#define __NR_execns (__NR_open_tree_attr - 467 + 473)
#endif

static struct slot {
	int resource;
	int fds[AGENT_FDS];	/* whoever has all of them has the resource */
	void *map;
	size_t len;
	int key;
} slots[AGENT_SLOTS];

static char *self;
static int session_pipe[2];
static pid_t session_child;

static int take_pipe(struct slot *slot)
{
	return pipe2(slot->fds, O_CLOEXEC);
}

static int take_epoll(struct slot *slot)
{
	struct epoll_event event = { .events = EPOLLIN };

	slot->fds[0] = epoll_create1(EPOLL_CLOEXEC);
	slot->fds[1] = eventfd(0, EFD_CLOEXEC);
	if (slot->fds[0] < 0 || slot->fds[1] < 0)
		return -1;
	return epoll_ctl(slot->fds[0], EPOLL_CTL_ADD, slot->fds[1], &event);
}

static int pass(const struct slot *slot)
{
	int i;

	for (i = 0; i < INFLIGHT_FILES; i++)
		if (agent_send(slot->fds[0], "x", 1, &slot->fds[1], 1) != 1)
			return -1;
	return 0;
}

/* The descriptors stay in flight while the receiver has not read them. */
static int take_inflight(struct slot *slot)
{
	struct slot pair;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair.fds))
		return -1;
	slot->fds[0] = pair.fds[1];
	pair.fds[1] = eventfd(0, EFD_CLOEXEC);
	if (pass(&pair))
		return -1;
	close(pair.fds[1]);
	return close(pair.fds[0]);
}

static int take_secret(struct slot *slot)
{
	int fd = syscall(__NR_memfd_secret, O_CLOEXEC);

	slot->fds[0] = fd;
	slot->len = 2 * SECRET_PAGES * getpagesize();
	if (fd < 0 || ftruncate(fd, slot->len))
		return -1;
	slot->map = mmap(NULL, slot->len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (slot->map == MAP_FAILED)
		return -1;
	memset(slot->map, 1, slot->len / 2);
	return 0;
}

/* Nothing is charged for a ring of who has CAP_IPC_LOCK. */
static int drop_ipc_lock(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data))
		return -1;
	data[0].effective &= ~(1 << CAP_IPC_LOCK);
	return syscall(SYS_capset, &head, data);
}

static int take_ring(struct slot *slot)
{
	struct io_uring_params params = {};
	struct iovec iov;

	if (drop_ipc_lock())
		return -1;
	slot->fds[0] = syscall(__NR_io_uring_setup, 4, &params);
	slot->len = RING_BUFFER_PAGES * getpagesize();
	slot->map = mmap(NULL, slot->len, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (slot->fds[0] < 0 || slot->map == MAP_FAILED)
		return -1;
	iov.iov_base = slot->map;
	iov.iov_len = slot->len;
	return syscall(__NR_io_uring_register, slot->fds[0], IORING_REGISTER_BUFFERS, &iov, 1);
}

static int take_perf(struct slot *slot)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.disabled = 1,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	slot->fds[0] = syscall(__NR_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	slot->len = PERF_BUFFER_PAGES * getpagesize();
	if (slot->fds[0] < 0)
		return -1;
	slot->map = mmap(NULL, slot->len, PROT_READ | PROT_WRITE, MAP_SHARED, slot->fds[0], 0);
	return slot->map == MAP_FAILED ? -1 : 0;
}

/* Whoever has its uid may do all with it. */
static int take_key(struct slot *slot)
{
	static int serial;
	char description[64];

	snprintf(description, sizeof(description), "execns:%d:%d", getpid(), serial++);
	slot->key = syscall(__NR_add_key, "user", description, "payload", 7,
			    KEY_SPEC_PROCESS_KEYRING);
	if (slot->key < 0)
		return -1;
	return syscall(__NR_keyctl, KEYCTL_SETPERM, slot->key, 0x3f3f0000);
}

static int (*const takers[NR_RESOURCES])(struct slot *slot) = {
	[RES_PIPE] = take_pipe, [RES_EPOLL] = take_epoll, [RES_INFLIGHT] = take_inflight,
	[RES_SECRET] = take_secret, [RES_RING] = take_ring, [RES_PERF] = take_perf,
	[RES_KEY] = take_key,
};

/* Charged to whoever has made the file, not to who does this. */
static long grow(struct slot *slot)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd;

	switch (slot->resource) {
	case RES_PIPE:
		return fcntl(slot->fds[0], F_SETPIPE_SZ, 32 * getpagesize()) < 0 ? -1 : 0;
	case RES_EPOLL:
		fd = fcntl(slot->fds[1], F_DUPFD_CLOEXEC, 0);
		if (fd < 0 || epoll_ctl(slot->fds[0], EPOLL_CTL_ADD, fd, &event))
			return -1;
		return close(fd);
	case RES_SECRET:
		memset(slot->map + slot->len / 2, 1, slot->len / 2);
		return 0;
	default:
		errno = EOPNOTSUPP;
		return -1;
	}
}

static void forget(struct slot *slot)
{
	memset(slot, 0, sizeof(*slot));
	slot->fds[0] = -1;
	slot->fds[1] = -1;
	slot->map = MAP_FAILED;
}

static long drop(struct slot *slot)
{
	long ret = 0;
	int i;

	if (slot->map != MAP_FAILED)
		munmap(slot->map, slot->len);
	for (i = 0; i < AGENT_FDS; i++)
		if (slot->fds[i] >= 0)
			close(slot->fds[i]);
	if (slot->key)
		ret = syscall(__NR_keyctl, KEYCTL_UNLINK, slot->key, KEY_SPEC_PROCESS_KEYRING);
	forget(slot);
	return ret;
}

static int connect_to(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (sock >= 0 && connect(sock, (struct sockaddr *)&addr, sizeof(addr))) {
		close(sock);
		return -1;
	}
	return sock;
}

/* A child with the credentials of now. The parent may change its own before. */
static long make_session_child(void)
{
	char byte;

	if (pipe2(session_pipe, O_CLOEXEC))
		return -1;
	signal(SIGCHLD, SIG_DFL);
	session_child = fork();
	if (session_child)
		return session_child;
	close(session_pipe[1]);
	if (read(session_pipe[0], &byte, 1) != 1 ||
	    syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 ||
	    syscall(__NR_keyctl, KEYCTL_SESSION_TO_PARENT))
		_exit(errno ?: 1);
	_exit(0);
}

static long let_session_child_go(void)
{
	int status;

	if (write(session_pipe[1], "x", 1) != 1)
		return -1;
	close(session_pipe[0]);
	close(session_pipe[1]);
	if (waitpid(session_child, &status, 0) < 0)
		return -1;
	errno = WEXITSTATUS(status);
	return status ? -1 : 0;
}

static long do_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = 0, n;

	if (fd < 0)
		return -1;
	while ((n = read(fd, text + len, size - 1 - len)) > 0)
		len += n;
	text[len] = '\0';
	close(fd);
	return n < 0 ? -1 : len;
}

static long do_write(const char *path, const char *data)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	long ret = -1;

	if (fd >= 0 && write(fd, data, strlen(data)) == (ssize_t)strlen(data))
		ret = 0;
	if (fd >= 0)
		close(fd);
	return ret;
}

/* The child has only the new socket. */
static long fork_agent(int *sock, const char *path)
{
	pid_t child;
	int i;

	/* A zombie is a process of its user, too. */
	signal(SIGCHLD, SIG_IGN);
	child = fork();
	if (child)
		return child;
	close(*sock);
	for (i = 0; i < AGENT_SLOTS; i++) {
		slots[i].key = 0;
		drop(&slots[i]);
	}
	*sock = connect_to(path);
	if (*sock < 0)
		_exit(1);
	return 0;
}

static bool serve(int *sock)
{
	struct agent_request rq;
	struct agent_reply reply = {};
	int fds[AGENT_FDS], nr = 0, i;
	struct slot *slot;
	long *args = rq.args;

	if (agent_receive(*sock, &rq, sizeof(rq), fds) != sizeof(rq))
		return false;
	errno = 0;
	switch (rq.op) {
	case AGENT_CALL:
		reply.ret = syscall(args[0], args[1], args[2], args[3], args[4], args[5], args[6]);
		break;
	case AGENT_TAKE:
		slot = &slots[args[1]];
		slot->resource = args[0];
		reply.ret = takers[args[0]](slot);
		if (reply.ret >= 0)
			reply.ret = slot->key;
		break;
	case AGENT_GROW:
		reply.ret = grow(&slots[args[0]]);
		break;
	case AGENT_DROP:
		reply.ret = drop(&slots[args[0]]);
		break;
	case AGENT_GIVE:
		slot = &slots[args[0]];
		for (nr = 0; nr < AGENT_FDS && slot->fds[nr] >= 0; nr++)
			fds[nr] = slot->fds[nr];
		break;
	case AGENT_NUMBER:
		reply.ret = slots[args[0]].fds[0];
		break;
	case AGENT_KEEP:
		memcpy(slots[args[0]].fds, fds, sizeof(fds));
		break;
	case AGENT_PASS:
		reply.ret = pass(&slots[args[0]]);
		break;
	case AGENT_SETNS:
		reply.ret = setns(fds[0], args[0]);
		break;
	case AGENT_READ:
		reply.ret = do_read(rq.text, reply.text, sizeof(reply.text));
		break;
	case AGENT_WRITE:
		reply.ret = do_write(rq.text, rq.data);
		break;
	case AGENT_FORK:
		reply.ret = fork_agent(sock, rq.text);
		/* Who asked for it hears from the parent. */
		if (!reply.ret)
			return true;
		break;
	case AGENT_EXECNS:
		syscall(__NR_execns, args[0], self, (char *[]) { self, rq.text, NULL }, environ);
		reply.ret = -1;
		break;
	case AGENT_SESSION:
		reply.ret = make_session_child();
		break;
	case AGENT_GO:
		reply.ret = let_session_child_go();
		break;
	default:
		return false;
	}
	if (reply.ret == -1)
		reply.ret = -errno;
	if (agent_send(*sock, &reply, sizeof(reply), fds, nr) < 0) {
		reply.ret = -errno;
		agent_send(*sock, &reply, sizeof(reply), NULL, 0);
	}
	if (rq.op != AGENT_KEEP && rq.op != AGENT_GIVE)
		for (i = 0; i < AGENT_FDS; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	return true;
}

int main(int argc, char **argv)
{
	int i, sock;

	if (argc != 2)
		return 97;
	self = argv[0];
	for (i = 0; i < AGENT_SLOTS; i++)
		forget(&slots[i]);
	sock = connect_to(argv[1]);
	if (sock < 0)
		return 96;
	while (serve(&sock))
		;
	return 0;
}
