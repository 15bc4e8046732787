/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of execns() share: a way to start execns_report, which tells
 * what a program sees, and a snapshot of what a caller has.
 */
#ifndef _EXECNS_TEST_H
#define _EXECNS_TEST_H

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/execns.h>
#include <linux/sched.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../kselftest_harness.h"
#include "execns_files.h"

#ifndef __NR_execns
#define __NR_execns (__NR_open_tree_attr - 467 + 473)
#endif

#ifndef __NR_execnsat
#define __NR_execnsat (__NR_execns + 1)
#endif

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#define ALL_NS (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
		CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWTIME)

/* What a child of the tests exits with when exec has failed. */
#define EXEC_FAILED 99

#ifndef EXECNS_TEST_OFF
/* Nothing can be tested where it does not exist. */
static void __attribute__((constructor)) skip_without_execns(void)
{
	if (syscall(__NR_execns, 0, NULL, NULL, NULL) == -1 && errno == ENOSYS)
		ksft_exit_skip("the kernel has no execns(), see CONFIG_USER_NS_EXECNS\n");
}
#endif

static inline int sys_execns(int flags, const char *path, char *const *argv,
			     char *const *envp)
{
	return syscall(__NR_execns, flags, path, argv, envp);
}

static inline int sys_execnsat(int dirfd, const char *path, char *const *argv,
			       char *const *envp, const void *args, size_t size)
{
	return syscall(__NR_execnsat, dirfd, path, argv, envp, args, size);
}

static const struct {
	const char *name;
	int flag;
} namespaces[] = {
	{ "cgroup", CLONE_NEWCGROUP },
	{ "ipc", CLONE_NEWIPC },
	{ "mnt", CLONE_NEWNS },
	{ "net", CLONE_NEWNET },
	{ "pid", 0 },
	{ "pid_for_children", CLONE_NEWPID },
	{ "time", CLONE_NEWTIME },
	{ "time_for_children", CLONE_NEWTIME },
	{ "user", CLONE_NEWUSER },
	{ "uts", CLONE_NEWUTS },
};

#define NR_NAMESPACES (ARRAY_SIZE(namespaces))

static inline ino_t ns_inode(const char *pid, const char *name)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", pid, name);
	return stat(path, &st) ? 0 : st.st_ino;
}

static inline void read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = 0, n;

	while (fd >= 0 && len < (ssize_t)size - 1 &&
	       (n = read(fd, buf + len, size - 1 - len)) > 0)
		len += n;
	buf[len] = '\0';
	if (fd >= 0)
		close(fd);
}

static inline int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		ret = -errno;
	close(fd);
	return ret;
}

/* What execns_report has written: lines of a key and a value. */
struct report {
	int exit;		/* status of the program, or EXEC_FAILED */
	int error;		/* errno of a failed exec */
	char text[65536];
};

/* How to start a program. The first two can be compared. */
enum how {
	BY_EXECNS,
	BY_UNSHARE,		/* unshare(), id maps as execns() makes them, execve() */
	BY_EXECVE,
	BY_EXECNSAT,
};

struct spawn {
	enum how how;
	int flags;
	const char *path;	/* default: ./execns_report */
	int (*setup)(void *data); /* in the child, before */
	void *data;
	/* Of execnsat(). */
	int dirfd;		/* default: AT_FDCWD */
	const struct execns_args *args;
	int report_fd;		/* where to open the report, for who cannot by its path */
};

/* The value of @key, in a buffer that the next but seven calls reuse. */
static inline const char *report_get(const struct report *report, const char *key)
{
	static char values[8][4096];
	static int next;
	char *value = values[next++ % 8];
	size_t len = strlen(key);
	const char *line;

	for (line = report->text; line && *line;
	     line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		if (!strncmp(line, key, len) && line[len] == ' ') {
			line += len + 1;
			snprintf(value, 4096, "%.*s", (int)strcspn(line, "\n"), line);
			return value;
		}
	}
	return strcpy(value, "(none)");
}

static inline ino_t report_ns(const struct report *report, const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "ns/%s", name);
	return strtoul(report_get(report, key), NULL, 10);
}

/* unshare() and the id maps that plain execns() makes for this caller. */
static inline int unshare_like_execns(int flags)
{
	bool all = !geteuid();
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int to_helper[2], status;
	char line[64], path[64], byte = 0;
	pid_t helper, me = getpid();

	if (!(flags & CLONE_NEWUSER))
		return flags ? unshare(flags) : 0;
	if (pipe2(to_helper, O_CLOEXEC))
		return -1;
	helper = fork();
	if (!helper) {
		close(to_helper[1]);
		if (read(to_helper[0], &byte, 1) != 1)
			_exit(1);
		snprintf(path, sizeof(path), "/proc/%d/setgroups", me);
		if (!all && write_file(path, "deny"))
			_exit(2);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", me);
		snprintf(line, sizeof(line), all ? "0 0 4294967295" : "%u %u 1", uid, uid);
		if (write_file(path, line))
			_exit(3);
		snprintf(path, sizeof(path), "/proc/%d/gid_map", me);
		snprintf(line, sizeof(line), all ? "0 0 4294967295" : "%u %u 1", gid, gid);
		_exit(write_file(path, line) ? 4 : 0);
	}
	if (unshare(flags) || write(to_helper[1], &byte, 1) != 1)
		return -1;
	if (waitpid(helper, &status, 0) != helper || status) {
		errno = EREMOTEIO;
		return -1;
	}
	close(to_helper[0]);
	close(to_helper[1]);
	return 0;
}

/* Start the program argv[0] in the calling process. Returns only on failure. */
static inline void exec_argv_by(enum how how, int flags, char *const *argv)
{
	switch (how) {
	case BY_EXECNS:
		sys_execns(flags, argv[0], argv, environ);
		break;
	case BY_UNSHARE:
		if (!unshare_like_execns(flags))
			execve(argv[0], argv, environ);
		break;
	case BY_EXECVE:
		execve(argv[0], argv, environ);
		break;
	case BY_EXECNSAT:
		break;
	}
}

static inline void exec_by(const struct spawn *spawn, char *out)
{
	const char *path = spawn->path ?: "./execns_report";
	char *const argv[] = { (char *)path, out, NULL };

	if (spawn->how == BY_EXECNSAT)
		sys_execnsat(spawn->dirfd ?: AT_FDCWD, path, argv, environ, spawn->args,
			     sizeof(*spawn->args));
	else
		exec_argv_by(spawn->how, spawn->flags, argv);
}

/* Start execns_report in a child, and read what it reports. */
static inline void spawn_report(const struct spawn *spawn, struct report *report)
{
	char out[64], error[80];
	int status, fd;
	pid_t child;

	memset(report, 0, sizeof(*report));
	snprintf(out, sizeof(out), "/tmp/execns-report.%d", getpid());
	snprintf(error, sizeof(error), "%s.error", out);
	unlink(out);
	unlink(error);
	/* The program may be of any user. */
	fd = open(out, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	fchmod(fd, 0666);
	close(fd);
	fd = open(error, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	child = fork();
	if (!child) {
		if (spawn->report_fd) {
			dup2(open(out, O_WRONLY | O_CLOEXEC), spawn->report_fd);
			snprintf(out, sizeof(out), "@%d", spawn->report_fd);
		}
		if (spawn->setup && spawn->setup(spawn->data))
			_exit(98);
		exec_by(spawn, out);
		dprintf(fd, "%d", errno);
		_exit(EXEC_FAILED);
	}
	close(fd);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	report->exit = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	read_file(error, report->text, sizeof(report->text));
	report->error = atoi(report->text);
	read_file(out, report->text, sizeof(report->text));
	unlink(out);
	unlink(error);
}

static inline void report_by(enum how how, int flags, struct report *report)
{
	struct spawn spawn = { .how = how, .flags = flags };

	spawn_report(&spawn, report);
}

/* What must be the same after a call that has failed. */
struct snapshot {
	ino_t ns[NR_NAMESPACES];
	char fds[4096];
	char cwd[512], root[512];
	char status[4096];	/* ids, capabilities, threads, signals */
	char limits[2048];
	char maps[256];
	int undo, securebits, dumpable;
};

static inline void list_fds(char *buf, size_t size)
{
	size_t len = 0;
	int fd;

	buf[0] = '\0';
	for (fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);
		struct stat st;

		if (flags < 0 || len + 48 > size)
			continue;
		/* AppArmor denies that of a file in another mount namespace. */
		if (fstat(fd, &st))
			st.st_ino = 0;
		len += snprintf(buf + len, size - len, "%d:%d:%llu ", fd, flags,
				(unsigned long long)st.st_ino);
	}
}

static inline void keep_lines(char *text, const char *const *keys, char *out, size_t size)
{
	char *line, *save;
	size_t len = 0;
	int i;

	out[0] = '\0';
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		for (i = 0; keys[i]; i++)
			if (!strncmp(line, keys[i], strlen(keys[i])) &&
			    len + strlen(line) + 2 < size)
				len += sprintf(out + len, "%s\n", line);
}

static const char *const status_keys[] = {
	"Umask:", "Tgid:", "Pid:", "PPid:", "TracerPid:", "Uid:", "Gid:",
	"Groups:", "Threads:", "SigBlk:", "SigIgn:", "SigCgt:", "CapInh:",
	"CapPrm:", "CapEff:", "CapBnd:", "CapAmb:", "NoNewPrivs:", "Seccomp:",
	NULL
};

static inline void take_snapshot(struct snapshot *s, int semid)
{
	char text[8192];
	size_t i;

	memset(s, 0, sizeof(*s));
	for (i = 0; i < NR_NAMESPACES; i++)
		s->ns[i] = ns_inode("self", namespaces[i].name);
	list_fds(s->fds, sizeof(s->fds));
	if (readlink("/proc/self/cwd", s->cwd, sizeof(s->cwd) - 1) < 0 ||
	    readlink("/proc/self/root", s->root, sizeof(s->root) - 1) < 0)
		s->cwd[0] = '?';
	read_file("/proc/self/status", text, sizeof(text));
	keep_lines(text, status_keys, s->status, sizeof(s->status));
	read_file("/proc/self/limits", s->limits, sizeof(s->limits));
	read_file("/proc/self/uid_map", s->maps, sizeof(s->maps));
	s->undo = semid < 0 ? 0 : semctl(semid, 0, GETVAL);
	s->securebits = prctl(PR_GET_SECUREBITS);
	s->dumpable = prctl(PR_GET_DUMPABLE);
}

/* Expect that two snapshots are the same, and that nothing is pending. */
#define EXPECT_INTACT(before, after) do { \
	const struct snapshot *_b = (before), *_a = (after); \
	size_t _i; \
	for (_i = 0; _i < NR_NAMESPACES; _i++) { \
		EXPECT_EQ(_b->ns[_i], _a->ns[_i]) \
			TH_LOG("%s namespace has changed", namespaces[_i].name); \
	} \
	EXPECT_STREQ(_b->fds, _a->fds); \
	EXPECT_STREQ(_b->cwd, _a->cwd); \
	EXPECT_STREQ(_b->root, _a->root); \
	EXPECT_STREQ(_b->status, _a->status); \
	EXPECT_STREQ(_b->limits, _a->limits); \
	EXPECT_STREQ(_b->maps, _a->maps); \
	EXPECT_EQ(_b->undo, _a->undo); \
	EXPECT_EQ(_b->securebits, _a->securebits); \
	EXPECT_EQ(_b->dumpable, _a->dumpable); \
} while (0)

/* A child that shares fs_struct: EAGAIN while an exec is under way in it. */
static inline int try_clone_fs(void)
{
	struct clone_args args = { .flags = CLONE_FS, .exit_signal = SIGCHLD };
	pid_t child = syscall(__NR_clone3, &args, sizeof(args));
	int status;

	if (child < 0)
		return -errno;
	if (!child)
		_exit(0);
	waitpid(child, &status, 0);
	return status;
}

/* Make a child that does nothing until the caller ends. */
static inline int start_idler(unsigned long long flags)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	pid_t parent = getpid(), child = syscall(__NR_clone3, &args, sizeof(args));

	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == parent)
			pause();
		_exit(0);
	}
	return child < 0 ? -errno : 0;
}

/* A semaphore of which the caller owes -1 at exit: its value is 1 until then. */
static inline int make_undo(void)
{
	struct sembuf op = { .sem_num = 0, .sem_op = 1, .sem_flg = SEM_UNDO };
	int semid = semget(IPC_PRIVATE, 1, 0600);

	return semid >= 0 && !semop(semid, &op, 1) ? semid : -1;
}

/* With no capability, and still to be looked at by others. */
static inline int become_id(uid_t uid)
{
	return setgroups(0, NULL) || setresgid(uid, uid, uid) || setresuid(uid, uid, uid) ||
	       prctl(PR_SET_DUMPABLE, 1);
}

static inline int become_user(void *unused)
{
	(void)unused;
	return become_id(1000);
}

/*
 * A kernel that checks all it does takes its time: EXECNS_SLOW=N is for doing an Nth
 * of what is done often.
 */
static inline int rounds_of(int rounds)
{
	const char *slow = getenv("EXECNS_SLOW");
	int factor = slow ? atoi(slow) : 1;

	return factor > 1 ? (rounds + factor - 1) / factor : rounds;
}

/* Wait until the child has become the program of this name, or is no more. */
static inline void wait_for_program(pid_t child, const char *name)
{
	char path[64], exe[256];

	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	do {
		memset(exe, 0, sizeof(exe));
		usleep(1000);
	} while (readlink(path, exe, sizeof(exe) - 1) >= 0 && !strstr(exe, name));
}

static inline int set_caps(unsigned long long permitted, unsigned long long inheritable)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = {
		{ permitted, permitted, inheritable },
		{ permitted >> 32, permitted >> 32, inheritable >> 32 },
	};

	return syscall(SYS_capset, &head, data);
}

#endif
