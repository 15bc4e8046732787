/* SPDX-License-Identifier: GPL-2.0 */
/* Callers of several kinds, and what each may write to the files of a map. */
#ifndef _EXECNSAT_MAPS_H
#define _EXECNSAT_MAPS_H

#include "execnsat_test.h"

#define ALL_CAPS 0x1ffffffffffULL
#define CAP(name) (1ULL << CAP_##name)

static inline int with_caps(uid_t uid, unsigned long long caps)
{
	return prctl(PR_SET_KEEPCAPS, 1) || become_id(uid) || set_caps(caps, 0) ||
	       prctl(PR_SET_DUMPABLE, 1);
}

static inline int as_root(void *unused)
{
	(void)unused;
	return 0;
}

static inline int as_root_without_setfcap(void *unused)
{
	(void)unused;
	return set_caps(ALL_CAPS & ~CAP(SETFCAP), 0);
}

static inline int as_root_without_setuid(void *unused)
{
	(void)unused;
	return set_caps(ALL_CAPS & ~CAP(SETUID), 0);
}

static inline int as_root_without_setgid(void *unused)
{
	(void)unused;
	return set_caps(ALL_CAPS & ~CAP(SETGID), 0);
}

static inline int as_user(void *unused)
{
	return become_user(unused);
}

static inline int as_user_with_setids(void *unused)
{
	(void)unused;
	return with_caps(1000, CAP(SETUID) | CAP(SETGID));
}

/* Root of a namespace of two ranges. */
static inline int as_nested_root(void *unused)
{
	static const char map[] = "0 100000 10\n10 200000 10\n";

	(void)unused;
	return enter_userns(0, NULL, map, map) || setgroups(0, NULL) ||
	       setresgid(0, 0, 0) || setresuid(0, 0, 0) || prctl(PR_SET_DUMPABLE, 1);
}

/* A user that is root of its own namespace, where setgroups() is denied. */
static inline int as_nested_user(void *unused)
{
	return become_user(unused) || enter_userns(0, "deny", "0 1000 1", "0 1000 1");
}

/* What a caller asks for. */
struct request {
	struct execns_id_map uid[341], gid[341];
	unsigned int nr_uid, nr_gid, flags;
};

static inline struct execns_args args_of(const struct request *request)
{
	return (struct execns_args){
		.unshare_flags = CLONE_NEWUSER, .flags = request->flags,
		.uid_map = request->nr_uid ? PTR(request->uid) : 0,
		.gid_map = request->nr_gid ? PTR(request->gid) : 0,
		.nr_uid_map = request->nr_uid, .nr_gid_map = request->nr_gid,
	};
}

/* As it is written to /proc/PID/uid_map. */
static inline void map_text(const struct execns_id_map *map, unsigned int nr, char *text,
			    size_t size)
{
	size_t len = 0;
	unsigned int i;

	text[0] = '\0';
	for (i = 0; i < nr; i++)
		len += snprintf(text + len, size - len, "%u %u %u\n", map[i].inside,
				map[i].outside, map[i].count);
}

/* All of the report's lines of this map. */
static inline void map_reported(const struct report *report, const char *key, char *text,
				size_t size)
{
	unsigned int inside, outside, count;
	const char *line = report->text;
	size_t len = 0;

	text[0] = '\0';
	while (line && len + 40 < size) {
		if (!strncmp(line, key, strlen(key)) &&
		    sscanf(line + strlen(key), "%u %u %u", &inside, &outside, &count) == 3)
			len += snprintf(text + len, size - len, "%u %u %u\n", inside, outside,
					count);
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
}

/* The errno of @fn in a child that @setup has made. */
static inline int errno_of(int (*setup)(void *unused),
			   int (*fn)(const struct request *request),
			   const struct request *request)
{
	int status;
	pid_t child = fork();

	if (!child)
		_exit(setup(NULL) ? 250 : fn(request));
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static inline int check_request(const struct request *request)
{
	char *const argv[] = { "execns_report", NULL };
	struct execns_args args = args_of(request);

	args.at_flags = AT_EXECVE_CHECK;
	return sys_execnsat(AT_FDCWD, "./execns_report", argv, environ, &args, sizeof(args)) ?
		errno : 0;
}

/* What unshare() and the files of /proc say to the same. */
static inline int write_request(const struct request *request)
{
	char uid[341 * 34], gid[341 * 34];

	map_text(request->uid, request->nr_uid, uid, sizeof(uid));
	map_text(request->gid, request->nr_gid, gid, sizeof(gid));
	return enter_userns(0, request->flags & EXECNS_SETGROUPS_ALLOW ? "allow" :
			       request->flags & EXECNS_SETGROUPS_DENY ? "deny" : NULL, uid, gid);
}

#endif
