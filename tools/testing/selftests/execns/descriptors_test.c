// SPDX-License-Identifier: GPL-2.0
/* No descriptor of the caller is left, and nothing happens to those of others. */
#include "execns_test.h"

#include <linux/close_range.h>
#include <sys/resource.h>

static const char *const modes[] = { "none", "all" };

static int open_many(void *data)
{
	long i, n = *(long *)data;
	struct rlimit limit = { n + 100, n + 100 };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		return -1;
	for (i = 0; i < n; i++)
		if (open("/dev/null", i & 1 ? O_RDONLY : O_RDONLY | O_CLOEXEC) < 0)
			return -1;
	return 0;
}

FIXTURE(many)
{
};

FIXTURE_VARIANT(many)
{
	long n;
	int flags;
};

FIXTURE_VARIANT_ADD(many, three) { 3, 0 };
FIXTURE_VARIANT_ADD(many, hundred) { 100, CLONE_NEWUTS };
FIXTURE_VARIANT_ADD(many, thousand) { 1000, ALL_NS };
FIXTURE_VARIANT_ADD(many, hundred_thousand) { 100000, 0 };
FIXTURE_VARIANT_ADD(many, hundred_thousand_all) { 100000, ALL_NS };

FIXTURE_SETUP(many)
{
}

FIXTURE_TEARDOWN(many)
{
}

TEST_F_TIMEOUT(many, are_closed, 120)
{
	long n = variant->n;
	struct spawn spawn = {
		.how = BY_EXECNS, .flags = variant->flags, .setup = open_many, .data = &n,
	};
	struct report report;

	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("", report_get(&report, "fds"));
}

static int run_sharing(int flags, int (*fn)(void *), void *data)
{
	struct clone_args args = { .flags = flags, .exit_signal = SIGCHLD };
	pid_t child = syscall(__NR_clone3, &args, sizeof(args));

	if (!child)
		_exit(fn(data));
	return child;
}

static int exec_report(void *data)
{
	char *const argv[] = { "execns_report", "/tmp/descriptors.report", NULL };

	sys_execns(*(int *)data, "./execns_report", argv, environ);
	return EXEC_FAILED;
}

/* Who shares the table keeps it, with all that is in it. */
TEST(shared_table_stays_with_the_sharer)
{
	int flags[] = { 0, ALL_NS };
	static struct report report;
	char before[4096], after[4096];
	size_t i;

	for (i = 0; i < 2; i++) {
		int status, fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		pid_t child;

		ASSERT_LE(0, fd);
		close(open("/tmp/descriptors.report", O_CREAT | O_WRONLY | O_TRUNC, 0666));
		list_fds(before, sizeof(before));
		child = run_sharing(CLONE_FILES, exec_report, &flags[i]);
		ASSERT_LT(0, child);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status) TH_LOG("%s", modes[i]);
		list_fds(after, sizeof(after));
		EXPECT_STREQ(before, after);
		read_file("/tmp/descriptors.report", report.text, sizeof(report.text));
		EXPECT_STREQ("", report_get(&report, "fds"));
		unlink("/tmp/descriptors.report");
		close(fd);
	}
}

static int hold_lock(void *data)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int fd = open("/tmp/descriptors.lock", O_RDWR | O_CREAT, 0666);

	return fcntl(fd, *(int *)data, &lock);
}

static int lock_is_held(int cmd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int ret, fd = open("/tmp/descriptors.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0666);

	ret = fcntl(fd, cmd, &lock) ? errno : lock.l_type != F_UNLCK;
	close(fd);
	return ret;
}

static void expect_lock(struct __test_metadata *_metadata, int set, int get, enum how how,
			int held)
{
	char *const argv[] = { "/bin/sleep", "100", NULL };
	struct spawn spawn = { .how = how, .path = argv[0] };
	int fds[2];
	char byte;
	pid_t child;

	ASSERT_EQ(0, pipe2(fds, O_CLOEXEC));
	child = fork();
	if (!child) {
		hold_lock(&set);
		exec_by(&spawn, "100");
		_exit(EXEC_FAILED);
	}
	close(fds[1]);
	ASSERT_EQ(0, read(fds[0], &byte, 1));
	close(fds[0]);
	/* The descriptors are closed one after the other. */
	usleep(200000);
	EXPECT_EQ(held, lock_is_held(get));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	EXPECT_EQ(0, lock_is_held(get));
}

TEST(record_locks_are_released)
{
	if (access("/bin/sleep", X_OK))
		SKIP(return, "no /bin/sleep");
	expect_lock(_metadata, F_SETLK, F_GETLK, BY_EXECVE, 1);
	expect_lock(_metadata, F_SETLK, F_GETLK, BY_EXECNS, 0);
}

TEST(open_file_locks_are_released)
{
	if (access("/bin/sleep", X_OK))
		SKIP(return, "no /bin/sleep");
	expect_lock(_metadata, F_OFD_SETLK, F_OFD_GETLK, BY_EXECVE, 1);
	expect_lock(_metadata, F_OFD_SETLK, F_OFD_GETLK, BY_EXECNS, 0);
}

static int many_tables(void *unused)
{
	(void)unused;
	return syscall(__NR_close_range, 3, ~0U, CLOSE_RANGE_UNSHARE);
}

TEST(closing_is_seen_at_once)
{
	struct spawn spawn = { .how = BY_EXECNS, .setup = many_tables };
	struct report report;
	int i;

	/* No watcher may find the new program with an old descriptor. */
	for (i = 0; i < 20; i++) {
		spawn_report(&spawn, &report);
		ASSERT_EQ(0, report.exit);
		ASSERT_STREQ("", report_get(&report, "fds"));
	}
}

/*
 * Look at the descriptors of a process again and again while it execs: none
 * may be there together with the new program.
 */
TEST(watcher_sees_no_old_descriptor)
{
	char *const argv[] = { "/bin/sleep", "100", NULL };
	int round, seen = 0;

	if (access(argv[0], X_OK))
		SKIP(return, "no /bin/sleep");
	for (round = 0; round < 30; round++) {
		char exe[256], path[64], before[256];
		int go[2], looks;
		pid_t child;

		ASSERT_EQ(0, pipe(go));
		child = fork();
		if (!child) {
			char byte;
			int i;

			close(go[1]);
			for (i = 0; i < 200; i++)
				dup(go[0]);
			if (read(go[0], &byte, 1) == 0)
				sys_execns(0, argv[0], argv, environ);
			_exit(EXEC_FAILED);
		}
		snprintf(path, sizeof(path), "/proc/%d/exe", child);
		memset(before, 0, sizeof(before));
		ASSERT_LT(0, readlink(path, before, sizeof(before) - 1));
		close(go[1]);
		close(go[0]);
		for (looks = 0; looks < 100000; looks++) {
			struct dirent *entry;
			int n = 0;
			DIR *dir;

			memset(exe, 0, sizeof(exe));
			snprintf(path, sizeof(path), "/proc/%d/exe", child);
			if (readlink(path, exe, sizeof(exe) - 1) < 0)
				break;
			if (!strcmp(exe, before))
				continue;
			snprintf(path, sizeof(path), "/proc/%d/fd", child);
			dir = opendir(path);
			while (dir && (entry = readdir(dir)))
				n += entry->d_name[0] != '.';
			if (dir)
				closedir(dir);
			EXPECT_EQ(0, n);
			seen++;
			break;
		}
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	EXPECT_EQ(30, seen);
}

TEST_HARNESS_MAIN
