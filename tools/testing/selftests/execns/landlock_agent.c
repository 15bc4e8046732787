// SPDX-License-Identifier: GPL-2.0
/*
 * landlock_agent -1 -1 COMMAND [ARG]...: try what a security module may deny. The exit
 * status is an errno, 0 if it has worked.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "../kselftest.h"
#include "agent_main.h"

static int opened(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	return fd < 0 ? errno : close(fd);
}

static int cmd_read(char **args)
{
	return opened(*args, O_RDONLY);
}

static int cmd_write(char **args)
{
	return opened(*args, O_WRONLY);
}

static int cmd_create(char **args)
{
	return opened(*args, O_WRONLY | O_CREAT);
}

static int cmd_rename(char **args)
{
	return rename(args[0], args[1]) ? errno : 0;
}

/* PATH: as a program, which is called as one that does nothing. */
static int cmd_execute(char **args)
{
	char *const argv[] = { *args, "-1", "-1", "nothing", NULL };

	execve(*args, argv, environ);
	return errno;
}

static int cmd_nothing(char **args)
{
	(void)args;
	return 0;
}

static int cmd_signal(char **args)
{
	return kill(number(args), 0) ? errno : 0;
}

static int cmd_trace(char **args)
{
	return ptrace(PTRACE_SEIZE, number(args), NULL, NULL) ? errno : 0;
}

static socklen_t abstract(struct sockaddr_un *addr, const char *name)
{
	memset(addr, 0, sizeof(*addr));
	addr->sun_family = AF_UNIX;
	strcpy(addr->sun_path + 1, name);
	return offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name);
}

/* NAME: the socket of this abstract name, in this network namespace. */
static int cmd_connect(char **args)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	socklen_t len = abstract(&addr, *args);

	return connect(fd, (void *)&addr, len) ? errno : 0;
}

/* NAME: a socket of its own. */
static int cmd_connect_own(char **args)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr;
	socklen_t len = abstract(&addr, *args);

	if (bind(fd, (void *)&addr, len) || listen(fd, 1))
		return errno;
	return cmd_connect(args);
}

/* PORT: of TCP, to be bound. */
static int cmd_bind(char **args)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(number(args)),
		.sin_addr.s_addr = htonl(INADDR_ANY),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return bind(fd, (void *)&addr, sizeof(addr)) ? errno : 0;
}

static int cmd_mount(char **args)
{
	return mount("tmpfs", *args, "tmpfs", 0, NULL) ? errno : 0;
}

static int cmd_bindmount(char **args)
{
	return mount(args[0], args[1], NULL, MS_BIND, NULL) ? errno : 0;
}

static int cmd_unshare(char **args)
{
	return unshare(number(args)) ? errno : 0;
}

static const struct agent_command commands[] = {
	{ "read", cmd_read },
	{ "write", cmd_write },
	{ "create", cmd_create },
	{ "rename", cmd_rename },
	{ "execute", cmd_execute },
	{ "nothing", cmd_nothing },
	{ "signal", cmd_signal },
	{ "trace", cmd_trace },
	{ "connect", cmd_connect },
	{ "connect_own", cmd_connect_own },
	{ "bind", cmd_bind },
	{ "mount", cmd_mount },
	{ "bindmount", cmd_bindmount },
	{ "unshare", cmd_unshare },
};

int main(int argc, char **argv)
{
	return agent_main(argc, argv, commands, ARRAY_SIZE(commands));
}
