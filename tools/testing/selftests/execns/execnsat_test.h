/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of execnsat() share. */
#ifndef _EXECNSAT_TEST_H
#define _EXECNSAT_TEST_H

#include "execns_test.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>

#ifndef UNSHARE_EMPTY_MNTNS
#define UNSHARE_EMPTY_MNTNS 0x00100000
#endif

#ifndef AT_EXECVE_CHECK
#define AT_EXECVE_CHECK 0x10000
#endif

/* Nothing can be tested where it does not exist. */
static void __attribute__((constructor)) skip_without_execnsat(void)
{
	if (sys_execnsat(-1, NULL, NULL, NULL, NULL, 0) == -1 && errno == ENOSYS)
		ksft_exit_skip("the kernel has no execnsat(), see CONFIG_USER_NS_EXECNS\n");
}

/* A pointer, as a member of struct execns_args. */
#define PTR(pointer) ((uintptr_t)(pointer))

/*
 * Call @fn in a child that shares what @flags say. Who shares waits as after
 * vfork(), so that neither changes what the other is about to use.
 */
static inline pid_t run_sharing(int flags, int (*fn)(void *data), void *data)
{
	const size_t size = 1 << 20;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pid_t child;

	if (stack == MAP_FAILED)
		return -1;
	if (flags)
		flags |= CLONE_VFORK;
	child = clone(fn, stack + size, flags | SIGCHLD, data);
	munmap(stack, size);
	return child;
}

/* Files of which each is another one, at the numbers from @first on. */
static inline int open_files(int first, int n)
{
	int i, fd;

	for (i = 0; i < n; i++) {
		fd = memfd_create("execnsat", i & 1 ? MFD_CLOEXEC : 0);
		if (fd < 0)
			return -1;
		if (fd == first + i)
			continue;
		if (dup3(fd, first + i, i & 1 ? O_CLOEXEC : 0) < 0 || close(fd))
			return -1;
	}
	return 0;
}

static inline int set_nofile(rlim_t soft)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	limit.rlim_cur = soft;
	if (limit.rlim_max < soft)
		limit.rlim_max = soft;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static inline unsigned long fd_inode(int fd)
{
	struct stat st;

	return fstat(fd, &st) ? 0 : st.st_ino;
}

/* Where the agent finds its ends of the pipes to the test. */
#define AGENT_READY 60
#define AGENT_GO 61
/* A byte that is no result of a command: its errno follows. */
#define CALL_FAILED 0xff

/* An execnsat_agent at work. */
struct agent_run {
	const char *path;		/* default: ./execnsat_agent */
	char *const *command;
	const struct execns_args *args;	/* but for the descriptors */
	const struct execns_fd *fds;	/* besides those of the pipes */
	size_t nr_fds;
	int (*setup)(void *data);	/* in the child, before */
	void *data;
	int (*call)(void *run);		/* default: call_agent() */
	int share;			/* CLONE_FILES, CLONE_VM */
	pid_t pid;
	int ready[2], go[2];
	int error;			/* errno of a failed call */
};

/* The words after the name that the agent is called by. */
static inline void agent_argv(const struct agent_run *run, char **argv)
{
	static char ready[16], go[16];
	size_t i;

	snprintf(ready, sizeof(ready), "%d", AGENT_READY);
	snprintf(go, sizeof(go), "%d", AGENT_GO);
	argv[1] = ready;
	argv[2] = go;
	for (i = 0; run->command[i]; i++)
		argv[i + 3] = run->command[i];
}

static inline int call_agent(void *data)
{
	char *argv[32] = { "execnsat_agent", NULL };
	struct agent_run *run = data;
	struct execns_args args = run->args ? *run->args : (struct execns_args){};
	unsigned char failed[2] = { CALL_FAILED };
	struct execns_fd fds[64];

	if (run->setup && run->setup(run->data))
		return 98;
	if (run->nr_fds)
		memcpy(fds, run->fds, run->nr_fds * sizeof(*fds));
	fds[run->nr_fds] = (struct execns_fd){ run->ready[1], AGENT_READY };
	fds[run->nr_fds + 1] = (struct execns_fd){ run->go[0], AGENT_GO };
	args.fds = PTR(fds);
	args.nr_fds = run->nr_fds + 2;
	agent_argv(run, argv);
	sys_execnsat(AT_FDCWD, run->path ?: "./execnsat_agent", argv, environ, &args,
		     sizeof(args));
	failed[1] = errno;
	/* With all its threads, if the setup has started some. */
	_exit(write(run->ready[1], failed, 2) == 2 ? EXEC_FAILED : 98);
}

/* Start the agent. Returns what its command has said, or -1 if it did not run. */
static inline int start_agent(struct agent_run *run)
{
	unsigned char byte;

	run->error = 0;
	if (pipe2(run->ready, O_CLOEXEC) || pipe2(run->go, O_CLOEXEC))
		return -1;
	run->pid = run_sharing(run->share, run->call ?: call_agent, run);
	close(run->ready[1]);
	close(run->go[0]);
	if (read(run->ready[0], &byte, 1) != 1)
		return -1;
	if (byte != CALL_FAILED)
		return byte;
	if (read(run->ready[0], &byte, 1) == 1)
		run->error = byte;
	return -1;
}

/* Let the agent end. Returns its exit status. */
static inline int finish_agent(struct agent_run *run)
{
	int status = -1;

	close(run->go[1]);
	close(run->ready[0]);
	if (waitpid(run->pid, &status, 0) != run->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* Let execnsat() start execns_report in a child that @caller has made what it is. */
static inline void spawn_args(const struct execns_args *args, int (*caller)(void *unused),
			      struct report *report)
{
	struct spawn spawn = { .how = BY_EXECNSAT, .args = args, .setup = caller };

	spawn_report(&spawn, report);
}

/*
 * Become a process in a new user namespace that has these maps, written by the
 * parent of it with what this process is allowed. The errno of what fails.
 */
static inline int enter_userns(int more_flags, const char *setgroups, const char *uid_map,
			       const char *gid_map)
{
	const char *const files[] = { "setgroups", "uid_map", "gid_map" };
	const char *const texts[] = { setgroups, uid_map, gid_map };
	int to_helper[2], status;
	char path[64], byte = 0;
	pid_t helper, me = getpid();
	size_t i;

	if (pipe2(to_helper, O_CLOEXEC))
		return errno;
	helper = fork();
	if (!helper) {
		close(to_helper[1]);
		if (read(to_helper[0], &byte, 1) != 1)
			_exit(EPIPE);
		for (i = 0; i < ARRAY_SIZE(files); i++) {
			snprintf(path, sizeof(path), "/proc/%d/%s", me, files[i]);
			status = texts[i] ? write_file(path, texts[i]) : 0;
			if (status)
				_exit(-status);
		}
		_exit(0);
	}
	status = unshare(CLONE_NEWUSER | more_flags) ? errno : 0;
	if (!status && write(to_helper[1], &byte, 1) != 1)
		status = errno;
	close(to_helper[0]);
	close(to_helper[1]);
	if (status) {
		waitpid(helper, NULL, 0);
		return status;
	}
	if (waitpid(helper, &status, 0) != helper)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#endif
