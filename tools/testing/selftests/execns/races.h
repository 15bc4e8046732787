/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of races share with the program that is executed in them: a file
 * that all have mapped, and what one can see of oneself.
 */
#ifndef _RACES_H
#define _RACES_H

#include "execnsat_test.h"

#define RACES_FILE_FD 60
/* Descriptors of the caller: the first ones are listed, the others are secret. */
#define FIRST_FD 10
#define NR_FDS 8
#define FIRST_SECRET 14
#define LAST_SECRET (FIRST_FD + NR_FDS - 1)
#define MAX_SEEN_FDS 24
#define MAX_CALLS 4

/* What a task sees of itself. */
struct seen {
	pid_t pid;
	int threads, seccomp;
	uid_t ids[4];		/* real and effective uid, and gid */
	unsigned long long caps;
	ino_t ns[NR_NAMESPACES];
	int nr_fds, fds[MAX_SEEN_FDS];
	ino_t inodes[MAX_SEEN_FDS];
};

struct races {
	/* Of this round. */
	pid_t target;		/* the caller, for who watches it */
	int ready, go;		/* its threads */
	int called;		/* a call has begun */
	int failed;		/* calls that have */
	int errors[MAX_CALLS];
	long done_at_call, done_at_start;
	int flags;		/* that all calls have in common */
	int programs;		/* that have started */
	int which;		/* call that started the last one */
	int armed;		/* what a test has been ready for */
	struct seen seen;
	struct seen old;	/* what the caller has been before */

	/* Of all rounds. */
	long done;		/* calls of the others */
	long tally[8];		/* what a test counts itself */
	int violations;
	char violation[256];	/* the first one */
};

#define RACES_ROUND offsetof(struct races, done)

#define load(pointer) __atomic_load_n(pointer, __ATOMIC_SEQ_CST)
#define store(pointer, value) __atomic_store_n(pointer, value, __ATOMIC_SEQ_CST)
#define count(pointer) __atomic_fetch_add(pointer, 1, __ATOMIC_SEQ_CST)

static inline void __printf(2, 3) violation(struct races *races, const char *format, ...)
{
	va_list args;

	if (count(&races->violations))
		return;
	va_start(args, format);
	vsnprintf(races->violation, sizeof(races->violation), format, args);
	va_end(args);
}

/*
 * The descriptors in an open directory /proc/PID/fd. In a child of a process with
 * threads there is no memory to be allocated: a lock may have been left taken.
 */
static inline int list_open(int dir, int *fds, int max)
{
	unsigned long long buf[256];
	int n = 0, len, at;

	if (lseek(dir, 0, SEEK_SET))
		return -1;
	while ((len = syscall(SYS_getdents64, dir, buf, sizeof(buf))) > 0)
		for (at = 0; at < len;) {
			struct dirent64 *entry = (void *)((char *)buf + at);

			at += entry->d_reclen;
			if (entry->d_name[0] == '.' || n == max)
				continue;
			fds[n++] = atoi(entry->d_name);
		}
	return len < 0 ? -1 : n;
}

static inline unsigned long long status_value(const char *text, const char *key, int base)
{
	const char *line = strstr(text, key);

	return line ? strtoull(line + strlen(key), NULL, base) : 0;
}

static inline int look_around(struct seen *seen, bool with_fds)
{
	char text[4096];
	int dir, i, n = 0;
	struct stat st;
	size_t ns;

	memset(seen, 0, sizeof(*seen));
	if (with_fds) {
		dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		seen->nr_fds = dir < 0 ? -1 : list_open(dir, seen->fds, MAX_SEEN_FDS);
		for (i = 0; i < seen->nr_fds; i++) {
			if (seen->fds[i] == dir)
				continue;
			seen->fds[n] = seen->fds[i];
			seen->inodes[n] = fstat(seen->fds[n], &st) ? 0 : st.st_ino;
			n++;
		}
		seen->nr_fds = n;
		close(dir);
	}
	for (ns = 0; ns < NR_NAMESPACES; ns++)
		seen->ns[ns] = ns_inode("thread-self", namespaces[ns].name);
	read_file("/proc/thread-self/status", text, sizeof(text));
	seen->pid = getpid();
	seen->threads = status_value(text, "\nThreads:\t", 10);
	seen->seccomp = status_value(text, "\nSeccomp:\t", 10);
	seen->caps = status_value(text, "\nCapEff:\t", 16);
	seen->ids[0] = getuid();
	seen->ids[1] = geteuid();
	seen->ids[2] = getgid();
	seen->ids[3] = getegid();
	return seen->threads ? 0 : -1;
}

static inline struct races *map_races(int fd)
{
	void *map = mmap(NULL, sizeof(struct races), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	return map == MAP_FAILED ? NULL : map;
}

#endif
