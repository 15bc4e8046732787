// SPDX-License-Identifier: GPL-2.0
/*
 * execns_report FILE: write what this program sees of itself to FILE, which it
 * has to open by its path: after execns() there is no descriptor to write to.
 * Where no path leads to it, "@N" is the descriptor N.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../kselftest.h"

static FILE *out;

/* The file's lines, each with a prefix and without its colon. */
static void file_lines(const char *prefix, const char *path)
{
	char line[4096];
	FILE *in = fopen(path, "re");

	while (in && fgets(line, sizeof(line), in)) {
		char *colon = strchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (colon)
			*colon = ' ';
		fprintf(out, "%s%s\n", prefix, line);
	}
	if (in)
		fclose(in);
}

static void namespaces(void)
{
	static const char *const names[] = {
		"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children",
		"time", "time_for_children", "user", "uts",
	};
	char path[64];
	struct stat st;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		fprintf(out, "ns/%s %lu\n", names[i], stat(path, &st) ? 0 : st.st_ino);
	}
}

/* The inodes of the namespaces that a child gets. */
static void child_namespaces(void)
{
	char path[64];
	struct stat st;
	int fds[2];
	pid_t child;

	if (pipe(fds))
		return;
	child = fork();
	if (!child) {
		char byte;

		close(fds[1]);
		_exit(read(fds[0], &byte, 1) < 0);
	}
	snprintf(path, sizeof(path), "/proc/%d/ns/pid", child);
	fprintf(out, "child/pid %lu\n", stat(path, &st) ? 0 : st.st_ino);
	close(fds[0]);
	close(fds[1]);
	waitpid(child, NULL, 0);
}

static void clocks(void)
{
	struct timespec boot, monotonic;

	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	fprintf(out, "boottime %ld\n", (long)boot.tv_sec);
	fprintf(out, "monotonic %ld\n", (long)monotonic.tv_sec);
}

/* What each descriptor is: its own flags, the file's, its type, device and inode. */
static void descriptors(const char *fds)
{
	struct stat st;
	char *next;
	long fd;

	for (fd = strtol(fds, &next, 10); next != fds; fd = strtol(fds, &next, 10)) {
		fds = next;
		if (fstat(fd, &st))
			memset(&st, 0, sizeof(st));
		fprintf(out, "fd/%ld %d %#o %#o %lu:%lu\n", fd, fcntl(fd, F_GETFD),
			fcntl(fd, F_GETFL), st.st_mode & S_IFMT, (unsigned long)st.st_dev,
			(unsigned long)st.st_ino);
	}
}

/* Where paths start, also for a program that has no /proc. */
static void directories(void)
{
	static const char *const names[] = { "/", "/..", ".", ".." };
	struct dirent *entry;
	struct stat st;
	char cwd[512];
	DIR *dir;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (stat(names[i], &st))
			memset(&st, 0, sizeof(st));
		fprintf(out, "dir:%s %lu:%lu\n", names[i], (unsigned long)st.st_dev,
			(unsigned long)st.st_ino);
	}
	fprintf(out, "getcwd %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "(none)");
	fprintf(out, "root_entries ");
	dir = opendir("/");
	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			fprintf(out, "%s ", entry->d_name);
	if (dir)
		closedir(dir);
	fprintf(out, "\n");
}

int main(int argc, char **argv)
{
	char fds[8192] = "", text[4096];
	size_t len = 0;
	struct itimerval timer;
	ssize_t n;
	int fd, i;

	for (fd = 0; fd < 131072 && len + 16 < sizeof(fds); fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			len += snprintf(fds + len, sizeof(fds) - len, "%d ", fd);
	if (argc < 2)
		return 97;
	out = argv[argc - 1][0] == '@' ? fdopen(atoi(argv[argc - 1] + 1), "w") :
					 fopen(argv[argc - 1], "we");
	if (!out)
		return 96;

	fprintf(out, "fds %s\n", fds);
	descriptors(fds);
	directories();
	fprintf(out, "argc %d\n", argc);
	for (i = 0; i < argc; i++)
		fprintf(out, "argv/%d %s\n", i, argv[i]);
	fprintf(out, "pid %d\n", getpid());
	fprintf(out, "ids %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
	fprintf(out, "secure %lu\n", getauxval(AT_SECURE));
	fprintf(out, "execfd %lu %d\n", getauxval(AT_EXECFD), errno == ENOENT);
	fprintf(out, "execfn %s\n", (char *)getauxval(AT_EXECFN));
	fprintf(out, "dumpable %d\n", prctl(PR_GET_DUMPABLE));
	fprintf(out, "securebits %d\n", prctl(PR_GET_SECUREBITS));
	fprintf(out, "keepcaps %d\n", prctl(PR_GET_KEEPCAPS));
	fprintf(out, "personality %d\n", personality(0xffffffff));
	fprintf(out, "nice %d\n", getpriority(PRIO_PROCESS, 0));
	prctl(PR_GET_PDEATHSIG, &i);
	fprintf(out, "pdeathsig %d\n", i);
	getitimer(ITIMER_REAL, &timer);
	fprintf(out, "itimer %d\n", timer.it_value.tv_sec > 0);
	file_lines("status/", "/proc/self/status");
	file_lines("limits/", "/proc/self/limits");
	file_lines("uid_map ", "/proc/self/uid_map");
	file_lines("gid_map ", "/proc/self/gid_map");
	file_lines("setgroups ", "/proc/self/setgroups");
	file_lines("comm ", "/proc/self/comm");
	file_lines("oom_score_adj ", "/proc/self/oom_score_adj");
	file_lines("timens_offsets ", "/proc/self/timens_offsets");
	n = readlink("/proc/self/exe", text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	fprintf(out, "exe %s\n", text);
	n = readlink("/proc/self/cwd", text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	fprintf(out, "cwd %s\n", text);
	namespaces();
	child_namespaces();
	clocks();
	fprintf(out, "end 1\n");
	return fclose(out) ? 95 : 0;
}
