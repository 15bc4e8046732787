/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is left behind when all callers have gone: namespaces, objects, mounts,
 * charges.
 */
#ifndef _FAULTS_LEFT_H
#define _FAULTS_LEFT_H

#include "faults.h"

#include <linux/nsfs.h>

#ifndef __NR_listns
#define __NR_listns (__NR_open_tree_attr - 467 + 470)
#endif

#define CGROUP_ROOT "/sys/fs/cgroup/"
#define CGROUP CGROUP_ROOT "execns-faults/"

/* Those after the first one are not of the kernel's threads, which come and go. */
static const char *const caches[] = {
	"cred", "nsproxy", "user_namespace", "pid_namespace", "net_namespace", "uts_namespace",
	"mnt_cache", "files_cache", "fs_cache", "mm_struct", "uid_cache", "filp",
};

struct left {
	long namespaces;
	long tasks;			/* in the cgroup */
	long objects[ARRAY_SIZE(caches)];
	char mounts[8192];
};

/* All that are active, as root sees them. */
static inline long count_namespaces(void)
{
	struct ns_id_req req = { .size = sizeof(req) };
	static __u64 ids[4096];

	return syscall(__NR_listns, &req, ids, ARRAY_SIZE(ids), 0);
}

static inline long read_long(const char *path)
{
	char text[64];

	read_file(path, text, sizeof(text));
	return *text ? strtol(text, NULL, 10) : -1;
}

static inline long count_threads(void)
{
	char text[128];
	long threads;

	read_file("/proc/loadavg", text, sizeof(text));
	return sscanf(text, "%*s %*s %*s %*d/%ld", &threads) == 1 ? threads : 0;
}

/* An idle processor keeps the memory of who ran there last: let it be this process. */
static inline void visit_processors(void)
{
	cpu_set_t all, one;
	int i;

	sched_getaffinity(0, sizeof(all), &all);
	for (i = 0; i < CPU_SETSIZE; i++) {
		if (!CPU_ISSET(i, &all))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
	sched_setaffinity(0, sizeof(all), &all);
}

static inline void take_left(struct left *left)
{
	size_t i;

	visit_processors();
	memset(left, 0, sizeof(*left));
	left->namespaces = count_namespaces();
	left->tasks = read_long(CGROUP "pids.current");
	for (i = 0; i < ARRAY_SIZE(caches); i++)
		left->objects[i] = count_objects(caches[i]) -
			(i ? 0 : count_threads());
	read_file("/proc/self/mountinfo", left->mounts, sizeof(left->mounts));
}

/* Says what there is more of, or NULL. */
static inline const char *compare_left(const struct left *before, const struct left *after)
{
	static char text[256];
	size_t i, len = 0;

	text[0] = '\0';
	if (after->namespaces > before->namespaces)
		len += sprintf(text + len, " %ld namespaces",
			       after->namespaces - before->namespaces);
	if (after->tasks > before->tasks)
		len += sprintf(text + len, " %ld tasks", after->tasks - before->tasks);
	for (i = 0; i < ARRAY_SIZE(caches) && len < 200; i++)
		if (after->objects[i] > before->objects[i])
			len += sprintf(text + len, " %ld %s",
				       after->objects[i] - before->objects[i], caches[i]);
	if (strcmp(before->mounts, after->mounts))
		sprintf(text + len, " mounts");
	return *text ? text + 1 : NULL;
}

/*
 * The last network namespaces that have gone are kept until others go. Let it be this
 * one.
 */
static inline void replace_last_net(void)
{
	pid_t child = fork();

	if (!child)
		_exit(unshare(CLONE_NEWNET) ? 1 : 0);
	waitpid(child, NULL, 0);
}

/*
 * What is left with regard to @before, when what goes by itself has had time to:
 * namespaces do after their last process.
 */
static inline const char *what_is_left(const struct left *before, struct left *after, int tries)
{
	const char *left;

	take_left(after);
	while ((left = compare_left(before, after)) && --tries > 0) {
		if (strstr(left, "net_namespace"))
			replace_last_net();
		usleep(100000);
		take_left(after);
	}
	return left;
}

/* A first reading, which nothing that is about to go is in. */
static inline void settle(struct left *left)
{
	struct left next;
	int same = 0, tries = 0;

	replace_last_net();
	take_left(left);
	while (same < 2 && ++tries < 100) {
		usleep(100000);
		take_left(&next);
		same = compare_left(&next, left) ? 0 : same + 1;
		*left = next;
	}
}

/* Removed cgroups that something refers to, as a namespace does. */
static inline long count_dying(void)
{
	static const char key[] = "nr_dying_descendants ";
	char text[1024], *line;

	read_file(CGROUP_ROOT "cgroup.stat", text, sizeof(text));
	line = strstr(text, key);
	return line ? strtol(line + strlen(key), NULL, 10) : -1;
}

/* All that this process starts is charged to a cgroup. */
static inline int enter_cgroup(void)
{
	if (write_file(CGROUP_ROOT "cgroup.subtree_control", "+pids"))
		return -1;
	if (mkdir(CGROUP, 0755) && errno != EEXIST)
		return -1;
	return write_file(CGROUP "cgroup.procs", "0");
}

/* True if nothing is charged there, and nothing refers to it. */
static inline bool leave_cgroup(long dying)
{
	bool removed = false;
	int tries;

	if (write_file(CGROUP_ROOT "cgroup.procs", "0"))
		return false;
	for (tries = 0; tries < 100; tries++) {
		removed = removed || !rmdir(CGROUP);
		if (removed && count_dying() <= dying)
			return true;
		usleep(50000);
	}
	return false;
}

#endif
