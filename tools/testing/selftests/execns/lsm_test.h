/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of security modules that label programs share. */
#ifndef _LSM_TEST_H
#define _LSM_TEST_H

#include "execnsat_test.h"

#include <sys/xattr.h>

#define LSM_TIMEOUT 900

/* What is tried of each row: few, since a debug kernel takes long. */
static const struct {
	int flags;
	enum how how;
} lsm_ways[] = {
	{ 0, BY_EXECVE }, { CLONE_NEWNS, BY_UNSHARE }, { CLONE_NEWUSER, BY_UNSHARE },
	{ 0, BY_EXECNSAT }, { CLONE_NEWNS, BY_EXECNS }, { ALL_NS, BY_EXECNSAT },
	{ CLONE_NEWUSER, BY_EXECNS },
};

/* Whether the module is one of those that the kernel was booted with. */
static inline bool lsm_is_active(const char *name)
{
	char text[256], *word, *save;

	if (access("/sys/kernel/security/lsm", R_OK))
		mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	read_file("/sys/kernel/security/lsm", text, sizeof(text));
	for (word = strtok_r(text, ",\n", &save); word; word = strtok_r(NULL, ",\n", &save))
		if (!strcmp(word, name))
			return true;
	return false;
}

/* Load a compiled policy, which has to come in one write. */
static inline int load_policy(const char *policy, const char *to)
{
	static char text[1 << 20];
	int in = open(policy, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CLOEXEC);
	ssize_t n = read(in, text, sizeof(text));
	int error = 0;

	if (in < 0 || out < 0 || n <= 0 || write(out, text, n) != n)
		error = -errno ?: -EIO;
	close(in);
	close(out);
	return error;
}

static const char *own_label(void)
{
	static char label[256];

	read_file("/proc/self/attr/current", label, sizeof(label));
	label[strcspn(label, "\n")] = '\0';
	return label;
}

/* Who executes what, and what comes of it. */
struct lsm_row {
	const char *path;
	int (*caller)(void *unused);
	const char *label;
	const char *secure;	/* AT_SECURE, or NULL for what the first way makes of it */
	int error;		/* of the call, which is at the end of nothing else */
	int only, never;	/* flags that the row needs, and that it can not have */
};

static inline void run_row(const struct lsm_row *row, enum how how, int flags,
			   struct report *report)
{
	struct execns_args args = { .unshare_flags = flags };
	struct spawn spawn = {
		.how = how, .flags = flags, .path = row->path, .setup = row->caller, .args = &args,
	};

	spawn_report(&spawn, report);
}

/*
 * In a child: the call fails, and the caller has its label and all else that it had. A
 * number that says what is wrong, or 0.
 */
static inline int fails_intact(const struct lsm_row *row, int flags)
{
	static struct snapshot before, after;
	char *const argv[] = { (char *)row->path, "/dev/null", NULL };
	int status;
	pid_t child = fork();

	if (!child) {
		char label[256];

		if (row->caller(NULL))
			_exit(98);
		strcpy(label, own_label());
		take_snapshot(&before, -1);
		sys_execns(flags, row->path, argv, environ);
		if (errno != row->error)
			_exit(1);
		take_snapshot(&after, -1);
		if (memcmp(&before, &after, sizeof(before)))
			_exit(2);
		_exit(strcmp(label, own_label()) ? 3 : try_clone_fs());
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* By unshare() and execve(), and by execns() or execnsat(), in all namespaces the same. */
static inline void check_row(struct __test_metadata *_metadata, const struct lsm_row *row)
{
	static struct report report;
	char secure[16] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(lsm_ways); i++) {
		const int flags = lsm_ways[i].flags;

		if ((row->only & ~flags) || (row->never & flags))
			continue;
		if (row->error && lsm_ways[i].how == BY_EXECNS) {
			EXPECT_EQ(0, fails_intact(row, flags))
				TH_LOG("%s, flags %#x", row->path, flags);
			continue;
		}
		run_row(row, lsm_ways[i].how, flags, &report);
		EXPECT_EQ(row->error, report.error)
			TH_LOG("%s, way %d, flags %#x", row->path, lsm_ways[i].how, flags);
		EXPECT_EQ(row->error ? EXEC_FAILED : 0, report.exit)
			TH_LOG("%s, way %d, flags %#x", row->path, lsm_ways[i].how, flags);
		if (row->error)
			continue;
		EXPECT_STREQ(row->label, report_get(&report, "label"))
			TH_LOG("%s, way %d, flags %#x", row->path, lsm_ways[i].how, flags);
		if (!*secure)
			snprintf(secure, sizeof(secure), "%s",
				 row->secure ?: report_get(&report, "secure"));
		EXPECT_STREQ(secure, report_get(&report, "secure"))
			TH_LOG("%s, way %d, flags %#x", row->path, lsm_ways[i].how, flags);
	}
}

#define KEPT_FD 7

/*
 * What a program that is given @file as KEPT_FD has there, as device and inode. If it is
 * negative, the caller opens one.
 */
static inline void kept_by(struct __test_metadata *_metadata, const char *path,
			   int (*caller)(void *unused), enum how how, int flags, int file,
			   char *text, size_t size)
{
	struct execns_fd fds[] = { { KEPT_FD, KEPT_FD } };
	struct execns_args args = {
		.unshare_flags = flags, .fds = PTR(fds), .nr_fds = 1,
	};
	struct spawn spawn = {
		.how = how, .flags = flags, .path = path, .setup = caller, .args = &args,
	};
	static struct report report;
	char flags_and_type[3][32];

	text[0] = '\0';
	if (file >= 0)
		ASSERT_EQ(KEPT_FD, dup2(file, KEPT_FD));
	spawn_report(&spawn, &report);
	close(KEPT_FD);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	if (sscanf(report_get(&report, "fd/7"), "%31s %31s %31s %31s", flags_and_type[0],
		   flags_and_type[1], flags_and_type[2], text) != 4)
		snprintf(text, size, "(none)");
}

static inline void device_and_inode(const char *path, char *text, size_t size)
{
	struct stat st;

	if (stat(path, &st))
		memset(&st, 0, sizeof(st));
	snprintf(text, size, "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
}

#endif
