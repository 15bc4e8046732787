/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How a test talks to account_agent: execns() leaves no descriptor, so that the
 * agent connects to a socket that the test has bound to a path. A request is
 * one packet, and so is its reply. Both may carry two descriptors.
 */
#ifndef _ACCOUNT_AGENT_H
#define _ACCOUNT_AGENT_H

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define AGENT_SLOTS 16
#define AGENT_FDS 2

enum agent_op {
	AGENT_QUIT,
	AGENT_CALL,	/* the system call args[0], whose arguments follow */
	AGENT_TAKE,	/* the resource args[0] into slot args[1] */
	AGENT_GROW,	/* as much again of slot args[0], for pipe, epoll, and secret */
	AGENT_DROP,	/* what is in slot args[0] */
	AGENT_GIVE,	/* the descriptors of slot args[0], which it keeps */
	AGENT_NUMBER,	/* that of the first one of them */
	AGENT_KEEP,	/* the descriptors of the request, in slot args[0] */
	AGENT_PASS,	/* a kept file over a kept socket, without being received */
	AGENT_SETNS,	/* into the request's descriptor, args[0] is the type */
	AGENT_READ,	/* the file at @text */
	AGENT_WRITE,	/* @data to it */
	AGENT_FORK,	/* a second agent, for the socket at @text */
	AGENT_EXECNS,	/* itself with flags args[0], for the socket at @text */
	AGENT_SESSION,	/* a child that gives its parent a session keyring */
	AGENT_GO,	/* let that child do so, and wait for it */
};

/* What can be taken. Each is charged to the taker's account, but at its time. */
enum resource {
	RES_PIPE,	/* pipe_pages_*: on creation */
	RES_EPOLL,	/* epoll_watches: on a watch, to who made the epoll file */
	RES_INFLIGHT,	/* unix_inflight: on sending */
	RES_SECRET,	/* locked_pages: on a fault, to who made the file */
	RES_RING,	/* locked_pages: on registering, to who made the ring */
	RES_PERF,	/* perf_pages: on mapping */
	RES_KEY,	/* keys, key_bytes: on creation */
	NR_RESOURCES
};

/* How many of it are taken. */
#define SECRET_PAGES 4
#define RING_BUFFER_PAGES 8
#define PERF_BUFFER_PAGES 2
#define INFLIGHT_FILES 3

struct agent_request {
	int op;
	long args[7];
	char text[256];
	char data[64];
};

struct agent_reply {
	long ret;	/* or -errno */
	char text[8192];
};

static inline ssize_t agent_send(int sock, const void *data, size_t len, const int *fds, int nr)
{
	char control[CMSG_SPACE(AGENT_FDS * sizeof(int))] = {};
	struct iovec iov = { .iov_base = (void *)data, .iov_len = len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *cmsg;

	if (nr) {
		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(nr * sizeof(int));
		cmsg = CMSG_FIRSTHDR(&msg);
		cmsg->cmsg_level = SOL_SOCKET;
		cmsg->cmsg_type = SCM_RIGHTS;
		cmsg->cmsg_len = CMSG_LEN(nr * sizeof(int));
		memcpy(CMSG_DATA(cmsg), fds, nr * sizeof(int));
	}
	return sendmsg(sock, &msg, MSG_NOSIGNAL);
}

/* Descriptors that do not come are -1. */
static inline ssize_t agent_receive(int sock, void *data, size_t len, int *fds)
{
	char control[CMSG_SPACE(AGENT_FDS * sizeof(int))];
	struct iovec iov = { .iov_base = data, .iov_len = len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t ret;
	int i;

	for (i = 0; i < AGENT_FDS; i++)
		fds[i] = -1;
	ret = recvmsg(sock, &msg, MSG_CMSG_CLOEXEC);
	if (ret <= 0)
		return ret;
	cmsg = CMSG_FIRSTHDR(&msg);
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(fds, CMSG_DATA(cmsg), cmsg->cmsg_len - CMSG_LEN(0));
	return ret;
}

#endif
