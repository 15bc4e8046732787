// SPDX-License-Identifier: GPL-2.0
/*
 * execns_hog [-u UID] [-d DEPTH] [-w] RESOURCE FILE [N]: take as much of a
 * resource as the kernel gives, N units at most, and hold it until killed.
 *
 * FILE gets one line, COUNT ERROR SIZE PID: the units that it has, the errno of
 * the refusal (0: N reached, or a pipe became smaller; ENOSYS: the kernel has no
 * such thing), the bytes of the last pipe (0 without one), and who holds them.
 *
 * -u: become this user first. -d: then go into that many user namespaces by
 * execns(), one inside the other, or as far as they go. -w: hold it in a child,
 * and live on when that is killed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest.h"

#ifndef __NR_execns
#define __NR_execns (__NR_open_tree_attr - 467 + 473)
#endif

/* <linux/watch_queue.h> and <fcntl.h> do not go together. */
#define O_NOTIFICATION_PIPE O_EXCL
#define IOC_WATCH_QUEUE_SET_SIZE _IO('W', 0x60)

#define PAGES_OF_A_PIPE 16

/* What a taker returns, unless it is 0 or a negative errno. */
#define SMALLER 1

static long max = 4096;
static long page_size;
static int base = -1;		/* the descriptor that all units belong to */
static int pipe_size;
static char *memory;		/* a page per unit */

static int take_pipe(long unit)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pipe_size = fcntl(fds[0], F_GETPIPE_SZ);
	return 0;
}

static int take_full_pipe(long unit)
{
	return take_pipe(unit) ?: pipe_size < PAGES_OF_A_PIPE * page_size ? SMALLER : 0;
}

static int start_epoll(void)
{
	base = epoll_create1(EPOLL_CLOEXEC);
	return base < 0 ? -errno : 0;
}

static int take_epoll(long unit)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = eventfd(0, EFD_CLOEXEC);

	return fd < 0 || epoll_ctl(base, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

/* One message with one descriptor, to a socket that nobody reads. */
static int send_descriptor(int fd)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .head = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec data = { .iov_base = "", .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &data, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(base, &message, MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int start_inflight(void)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return -errno;
	base = fds[0];
	return 0;
}

static int take_inflight(long unit)
{
	static int fd = -1;
	int error;

	if (fd < 0)
		fd = eventfd(0, EFD_CLOEXEC);
	error = send_descriptor(fd);
	/* That socket is full. */
	if (error == -EAGAIN)
		error = start_inflight() ?: send_descriptor(fd);
	return error;
}

static int map_memory(int fd, int flags)
{
	memory = mmap(NULL, max * page_size, PROT_READ | PROT_WRITE, flags, fd, 0);
	return memory == MAP_FAILED ? -errno : 0;
}

static int start_io_uring(void)
{
	struct io_uring_params params = {};
	struct io_uring_rsrc_register table = {
		.nr = max, .flags = IORING_RSRC_REGISTER_SPARSE,
	};
	int error = map_memory(-1, MAP_PRIVATE | MAP_ANONYMOUS);

	if (error)
		return error;
	/* A large page would be counted once for all its units. */
	madvise(memory, max * page_size, MADV_NOHUGEPAGE);
	base = syscall(__NR_io_uring_setup, 1, &params);
	if (base < 0)
		return -errno;
	return syscall(__NR_io_uring_register, base, IORING_REGISTER_BUFFERS2, &table,
		       sizeof(table)) ? -errno : 0;
}

static int take_io_uring(long unit)
{
	struct iovec buffer = { .iov_base = memory + unit * page_size, .iov_len = page_size };
	struct io_uring_rsrc_update2 update = {
		.offset = unit, .data = (uintptr_t)&buffer, .nr = 1,
	};

	return syscall(__NR_io_uring_register, base, IORING_REGISTER_BUFFERS_UPDATE, &update,
		       sizeof(update)) < 0 ? -errno : 0;
}

/*
 * A datagram that is never sent keeps its pages, which one on the loopback would
 * not. A socket for each: none comes near its own limit, optmem_max, which is
 * ENOBUFS as well. Two pages are charged for any length below one.
 */
static int take_zerocopy(long unit)
{
	static const char byte;
	struct sockaddr_in to = {
		.sin_family = AF_INET, .sin_port = htons(9),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int one = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof(one)))
		return -ENOSYS;
	return sendto(fd, &byte, 1, MSG_ZEROCOPY | MSG_MORE, (struct sockaddr *)&to,
		      sizeof(to)) < 0 ? -errno : 0;
}

static int start_secretmem(void)
{
	base = syscall(__NR_memfd_secret, O_CLOEXEC);
	if (base < 0 || ftruncate(base, max * page_size))
		return -errno;
	return map_memory(base, MAP_SHARED);
}

/* Where this process would get SIGBUS, the kernel writing for it gets EFAULT. */
static int take_secretmem(long unit)
{
	return uname((struct utsname *)(memory + unit * page_size)) ? -errno : 0;
}

/* The smallest buffer is the page of its head. */
static int take_perf(long unit)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_DUMMY,
		.size = sizeof(attr), .exclude_kernel = 1, .exclude_hv = 1, .disabled = 1,
	};
	int fd = syscall(__NR_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return -errno;
	return mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ?
		-errno : 0;
}

static long add_key(long unit, size_t size)
{
	static const char payload[1024];
	char name[32];

	snprintf(name, sizeof(name), "execns_hog:%05ld", unit);
	return syscall(__NR_add_key, "user", name, payload, size, KEY_SPEC_PROCESS_KEYRING);
}

static int take_key(long unit)
{
	return add_key(unit, 1) < 0 ? -errno : 0;
}

static int take_key_bytes(long unit)
{
	return add_key(unit, 1024) < 0 ? -errno : 0;
}

static int take_inotify(long unit)
{
	int fd = inotify_init1(IN_CLOEXEC);

	if (fd >= 0)
		return 0;
	/* It is EMFILE also for who has no descriptor left: tell that as EBADF. */
	if (errno == EMFILE && open("/", O_PATH | O_CLOEXEC) < 0)
		return -EBADF;
	return -errno;
}

static int take_userns(long unit)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t parent = getpid(), child = syscall(__NR_clone3, &args, sizeof(args));

	if (child < 0)
		return -errno;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	return 0;
}

static int start_watch_queue(void)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NOTIFICATION_PIPE))
		return errno == ENOPKG ? -ENOSYS : -errno;
	base = fds[0];
	return ioctl(base, IOC_WATCH_QUEUE_SET_SIZE, 1) ? -errno : 0;
}

/* A queue watches a key only once. */
static int take_watch(long unit)
{
	long key = add_key(unit, 1);

	if (key < 0)
		return -errno;
	if (!syscall(__NR_keyctl, KEYCTL_WATCH_KEY, key, base, 1))
		return 0;
	return errno == EOPNOTSUPP ? -ENOSYS : -errno;
}

static const struct {
	const char *name;
	int (*start)(void);
	int (*take)(long unit);
} resources[] = {
	{ "pipe_soft", NULL, take_full_pipe },
	{ "pipe_hard", NULL, take_pipe },
	{ "epoll", start_epoll, take_epoll },
	{ "inflight", start_inflight, take_inflight },
	{ "io_uring", start_io_uring, take_io_uring },
	{ "zerocopy", NULL, take_zerocopy },
	{ "secretmem", start_secretmem, take_secretmem },
	{ "perf", NULL, take_perf },
	{ "keys", NULL, take_key },
	{ "key_bytes", NULL, take_key_bytes },
	{ "inotify", NULL, take_inotify },
	{ "userns", NULL, take_userns },
	{ "watch_queue", start_watch_queue, take_watch },
};

/* Hold it in a child, of which this process is the witness. */
static void stay_behind(void)
{
	pid_t parent = getpid(), child = fork();

	if (child) {
		waitpid(child, NULL, 0);
		for (;;)
			pause();
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
}

static int become(uid_t uid)
{
	return setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid);
}

/* This program again, deeper by one. Without a way down, go on here. */
static void descend(long depth, bool witness, char **operands)
{
	char text[24];
	char *argv[8] = { "./execns_hog", "-d", text };
	int i = 3;

	snprintf(text, sizeof(text), "%ld", depth - 1);
	if (witness)
		argv[i++] = "-w";
	while (*operands && i < 7)
		argv[i++] = *operands++;
	syscall(__NR_execns, CLONE_NEWUSER, argv[0], argv, environ);
}

static int hog(size_t which, int out)
{
	int error = resources[which].start ? resources[which].start() : 0;
	long count = 0;

	for (; !error && count < max; count++) {
		error = resources[which].take(count);
		if (error)
			break;
	}
	return dprintf(out, "%ld %d %d %d\n", count, error == SMALLER ? 0 : -error, pipe_size,
		       getpid()) < 0;
}

int main(int argc, char **argv)
{
	bool witness = false;
	long depth = 0;
	int option, out;
	size_t which;

	page_size = sysconf(_SC_PAGESIZE);
	while ((option = getopt(argc, argv, "u:d:w")) != -1) {
		if (option == 'u' && become(atol(optarg)))
			return 90;
		if (option == 'd')
			depth = atol(optarg);
		witness |= option == 'w';
		if (option == '?')
			return 91;
	}
	argv += optind;
	argc -= optind;
	if (argc < 2)
		return 91;
	if (depth > 0)
		descend(depth, witness, argv);
	if (argc > 2)
		max = atol(argv[2]);
	for (which = 0; which < ARRAY_SIZE(resources); which++)
		if (!strcmp(resources[which].name, argv[0]))
			break;
	if (which == ARRAY_SIZE(resources))
		return 92;
	if (witness)
		stay_behind();
	out = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0 || hog(which, out))
		return 93;
	close(out);
	for (;;)
		pause();
}
