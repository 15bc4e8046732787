// SPDX-License-Identifier: GPL-2.0
/*
 * attack_agent READY GO COMMAND [ARG]...: a program that tries to get what it is
 * to be without. It answers as execnsat_agent does: the byte is an errno, 0 if
 * the attack has worked, or what the command says.
 */
#include "attack_test.h"
#include "agent_main.h"

#include <sys/ptrace.h>

/* FD: the errno of writing to what it is, by opening it again. */
static int cmd_reopen(char **args)
{
	char path[64];
	int fd, tries;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", number(args));
	/* The memory image that denies it goes a moment after exec. */
	for (tries = 0; tries < 200; tries++) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0 || errno != ETXTBSY)
			break;
		usleep(10000);
	}
	if (fd < 0)
		return errno;
	return pwrite(fd, "x", 1, 0) == 1 ? 0 : errno;
}

/* PATH OTHER: keep PATH, a program, and be OTHER, which writes to it. */
static int cmd_overwrite(char **args)
{
	char to_ready[16], to_go[16], number[16];
	char *const argv[] = { "attack_agent", to_ready, to_go, "reopen", number, NULL };
	int fd = open(args[0], O_PATH);

	if (fd < 0)
		return errno;
	/* What a root of the namespace can try against a read-only mount. */
	mount(NULL, "/", NULL, MS_REMOUNT | MS_BIND, NULL);
	snprintf(to_ready, sizeof(to_ready), "%d", ready);
	snprintf(to_go, sizeof(to_go), "%d", go);
	snprintf(number, sizeof(number), "%d", fd);
	execve(args[1], argv, environ);
	return errno;
}

/* PATH: the errno of getting hold of what is there. */
static int cmd_hold(char **args)
{
	return open(*args, O_PATH | O_CLOEXEC) < 0 ? errno : 0;
}

/* PATH: the errno of reading the byte '!' there. */
static int cmd_secret(char **args)
{
	int fd = open(*args, O_RDONLY | O_CLOEXEC);
	char byte = 0;

	if (fd < 0 || pread(fd, &byte, 1, 0) < 0)
		return errno;
	return byte == '!' ? 0 : ENODATA;
}

/* FD: the same for a descriptor. */
static int cmd_secret_fd(char **args)
{
	char byte = 0;

	if (pread(number(args), &byte, 1, 0) < 0)
		return errno;
	return byte == '!' ? 0 : ENODATA;
}

static int cmd_euid(char **args)
{
	(void)args;
	return geteuid() & 0x7f;
}

/* MAX: how many children there can be, with limits lifted where that is allowed. */
static int cmd_forks(char **args)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	int n, max = number(args);
	pid_t children[128];

	setrlimit(RLIMIT_NPROC, &none);
	for (n = 0; n < max && n < 128; n++) {
		children[n] = fork();
		if (children[n] < 0)
			break;
		if (!children[n]) {
			pause();
			_exit(0);
		}
	}
	for (max = 0; max < n; max++) {
		kill(children[max], SIGKILL);
		waitpid(children[max], NULL, 0);
	}
	return n;
}

/* DEPTH COMMAND...: the command, this many user namespaces deeper. */
static int cmd_nest(char **args)
{
	int i, depth = number(args);
	struct execns_fd fds[] = { { ready, ready }, { go, go } };
	struct execns_id_map uid = { 0, geteuid(), 1 }, gid = { 0, getegid(), 1 };
	struct execns_args call = {
		.unshare_flags = CLONE_NEWUSER, .flags = EXECNS_SETGROUPS_DENY,
		.fds = PTR(fds), .nr_fds = 2, .uid_map = PTR(&uid), .gid_map = PTR(&gid),
		.nr_uid_map = 1, .nr_gid_map = 1,
	};
	char to_ready[16], to_go[16], deeper[16];
	char *argv[16] = { "attack_agent", to_ready, to_go, "nest", deeper };

	snprintf(to_ready, sizeof(to_ready), "%d", ready);
	snprintf(to_go, sizeof(to_go), "%d", go);
	snprintf(deeper, sizeof(deeper), "%d", depth - 1);
	for (i = 1; args[i] && i < 8; i++)
		argv[depth > 1 ? i + 4 : i + 2] = args[i];
	sys_execnsat(AT_FDCWD, ATTACK_AGENT, argv, environ, &call, sizeof(call));
	return NESTED_FAILED + errno;
}

/* The errno of a child that looks into the memory of this program. */
static int cmd_look_into(char **args)
{
	int status;
	pid_t child = fork();
	char path[64];

	(void)args;
	if (!child) {
		snprintf(path, sizeof(path), "/proc/%d/mem", getppid());
		if (open(path, O_RDONLY | O_CLOEXEC) < 0)
			_exit(errno);
		_exit(ptrace(PTRACE_SEIZE, getppid(), NULL, NULL) ? errno : 0);
	}
	return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : 97;
}

/* Ready at once; in the end, whether SIGIO is pending, which has to be blocked. */
static int cmd_sigio(char **args)
{
	(void)args;
	return 0;
}

static int finish_sigio(char **args)
{
	sigset_t set;
	char byte;

	(void)args;
	while (read(go, &byte, 1) > 0)
		;
	sigpending(&set);
	return sigismember(&set, SIGIO);
}

/* RING PARAMS: the errno of writing a byte to the ring's registered file 0. */
static int cmd_ring(char **args)
{
	const struct io_uring_sqe sqe = {
		.opcode = IORING_OP_WRITE, .flags = IOSQE_FIXED_FILE, .addr = PTR("!"), .len = 1,
	};
	struct io_uring_cqe cqe;
	int error = ring_do(args, &sqe, &cqe);

	if (error)
		return error;
	return cqe.res == 1 ? 0 : -cqe.res;
}

static const struct agent_command commands[] = {
	{ "reopen", cmd_reopen },
	{ "overwrite", cmd_overwrite },
	{ "hold", cmd_hold },
	{ "secret", cmd_secret },
	{ "secret_fd", cmd_secret_fd },
	{ "euid", cmd_euid },
	{ "forks", cmd_forks },
	{ "nest", cmd_nest },
	{ "look_into", cmd_look_into },
	{ "sigio", cmd_sigio, finish_sigio },
	{ "ring", cmd_ring },
};

int main(int argc, char **argv)
{
	return agent_main(argc, argv, commands, ARRAY_SIZE(commands));
}
