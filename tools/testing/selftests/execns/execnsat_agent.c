// SPDX-License-Identifier: GPL-2.0
/*
 * execnsat_agent READY GO COMMAND [ARG]...: do what a test asks of the program
 * that it starts, see agent_main().
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kselftest.h"
#include "agent_main.h"

/* Nothing but to be there. */
static int cmd_wait(char **args)
{
	(void)args;
	return 0;
}

/* NUMBER:INODE...: besides the pipes, exactly these are open, none close-on-exec. */
static int cmd_fds(char **args)
{
	unsigned long inodes[4096] = { 0 };
	struct stat st;
	int fd;

	for (; *args; args++)
		inodes[atoi(*args) % 4096] = strtoul(strchr(*args, ':') + 1, NULL, 10);
	for (fd = 0; fd < 4096; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (fd == ready || fd == go)
			continue;
		if (flags < 0 && inodes[fd])
			return 1;
		if (flags >= 0 && !inodes[fd])
			return 2;
		if (flags >= 0 && (fstat(fd, &st) || st.st_ino != inodes[fd]))
			return 3;
		if (flags > 0)
			return 4;
	}
	return 0;
}

/* FD: whether another has a record lock on its first byte. */
static int cmd_locked(char **args)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };

	return fcntl(number(args), F_GETLK, &lock) ? 2 : lock.l_type != F_UNLCK;
}

/* FD: it has a lease, and SIGIO is not let in. */
static int cmd_lease(char **args)
{
	return fcntl(number(args), F_GETLEASE) == F_WRLCK ? 0 : 1;
}

/* What is said to the owner of a lease when another opens the file. */
static int finish_lease(char **args)
{
	struct timespec timeout = { .tv_sec = 10 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	if (sigtimedwait(&set, NULL, &timeout) != SIGIO)
		return 3;
	return fcntl(number(args), F_SETLEASE, F_UNLCK) ? 4 : 0;
}

/* EPOLL DATA: an event with this data is there. */
static int cmd_epoll(char **args)
{
	struct epoll_event event = { 0 };

	if (epoll_wait(number(args), &event, 1, 5000) != 1)
		return 1;
	return event.data.u32 == (unsigned int)number(args + 1) ? 0 : 2;
}

/* RING PARAMS: do nothing, by io_uring. */
static int cmd_uring(char **args)
{
	const struct io_uring_sqe sqe = { .opcode = IORING_OP_NOP, .user_data = 4711 };
	struct io_uring_cqe cqe;

	if (ring_do(args, &sqe, &cqe))
		return 1;
	return cqe.user_data == 4711 && !cqe.res ? 0 : 5;
}

/* PATH: the errno of reading it, 0 for none. */
static int cmd_read(char **args)
{
	return open(*args, O_RDONLY | O_CLOEXEC) < 0 ? errno : 0;
}

/* The errno of leaving all supplementary groups. */
static int cmd_setgroups(char **args)
{
	(void)args;
	return setgroups(0, NULL) ? errno : 0;
}

/* PATH: the errno of taking the mount there off. */
static int cmd_umount(char **args)
{
	return umount2(*args, MNT_DETACH) ? errno : 0;
}

/* PATH: the errno of making the mount there writable. */
static int cmd_remount(char **args)
{
	return mount(NULL, *args, NULL, MS_REMOUNT | MS_BIND, NULL) ? errno : 0;
}

/* PATH: the errno of mounting something there. */
static int cmd_mount(char **args)
{
	return mount("tmpfs", *args, "tmpfs", 0, NULL) ? errno : 0;
}

/* ID: the errno of becoming it. */
static int cmd_setuid(char **args)
{
	return setresuid(number(args), number(args), number(args)) ? errno : 0;
}

/* PATH TEXT: the errno of writing this. */
static int cmd_write(char **args)
{
	int fd = open(args[0], O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	return write(fd, args[1], strlen(args[1])) < 0 ? errno : 0;
}

static const struct agent_command commands[] = {
	{ "wait", cmd_wait },
	{ "fds", cmd_fds },
	{ "locked", cmd_locked },
	{ "lease", cmd_lease, finish_lease },
	{ "epoll", cmd_epoll },
	{ "uring", cmd_uring },
	{ "read", cmd_read },
	{ "setgroups", cmd_setgroups },
	{ "setuid", cmd_setuid },
	{ "umount", cmd_umount },
	{ "remount", cmd_remount },
	{ "mount", cmd_mount },
	{ "write", cmd_write },
};

int main(int argc, char **argv)
{
	return agent_main(argc, argv, commands, ARRAY_SIZE(commands));
}
