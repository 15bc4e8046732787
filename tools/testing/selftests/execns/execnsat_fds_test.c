// SPDX-License-Identifier: GPL-2.0
/* Which descriptors the program has, and at which numbers. */
#include "execnsat_test.h"

static struct report report;

static char *const arguments[] = { "execns_report", NULL };

static void report_with(const struct execns_fd *fds, size_t nr)
{
	struct execns_args args = { .fds = nr ? PTR(fds) : 0, .nr_fds = nr };
	struct spawn spawn = { .how = BY_EXECNSAT, .args = &args };

	spawn_report(&spawn, &report);
}

/* The program has what is listed, as it was, not close-on-exec, and no more. */
static void expect_kept(struct __test_metadata *_metadata, const struct execns_fd *fds, size_t nr)
{
	char expected[4096] = "", line[128], key[32];
	unsigned int to, max = 0;
	size_t i, len = 0;
	struct stat st;

	report_with(fds, nr);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	for (i = 0; i < nr; i++)
		max = fds[i].to > max ? fds[i].to : max;
	for (to = 0; to <= max; to++) {
		for (i = 0; i < nr && fds[i].to != to; i++)
			;
		if (i == nr)
			continue;
		len += snprintf(expected + len, sizeof(expected) - len, "%u ", to);
		ASSERT_EQ(0, fstat(fds[i].from, &st));
		snprintf(line, sizeof(line), "0 %#o %#o %lu:%lu", fcntl(fds[i].from, F_GETFL),
			 st.st_mode & S_IFMT, (unsigned long)st.st_dev, (unsigned long)st.st_ino);
		snprintf(key, sizeof(key), "fd/%u", to);
		EXPECT_STREQ(line, report_get(&report, key)) TH_LOG("%s", key);
	}
	EXPECT_STREQ(expected, report_get(&report, "fds"));
}

#define EXPECT_KEPT(...) do { \
	const struct execns_fd _fds[] = { __VA_ARGS__ }; \
	expect_kept(_metadata, _fds, ARRAY_SIZE(_fds)); \
} while (0)

#define EXPECT_NOT_KEPT(error_, ...) do { \
	const struct execns_fd _fds[] = { __VA_ARGS__ }; \
	report_with(_fds, ARRAY_SIZE(_fds)); \
	EXPECT_EQ(EXEC_FAILED, report.exit); \
	EXPECT_EQ(error_, report.error) TH_LOG("%s", strerror(report.error)); \
} while (0)

FIXTURE(fds)
{
};

FIXTURE_SETUP(fds)
{
	ASSERT_EQ(0, set_nofile(1024));
	ASSERT_EQ(0, open_files(10, 20));
}

FIXTURE_TEARDOWN(fds)
{
}

TEST_F(fds, none_are_kept_without_a_list)
{
	expect_kept(_metadata, NULL, 0);
}

TEST_F(fds, listed_ones_are_kept)
{
	EXPECT_KEPT({ 10, 10 });
	/* This one is close-on-exec. */
	EXPECT_KEPT({ 11, 11 });
	EXPECT_KEPT({ 0, 0 }, { 1, 1 }, { 2, 2 });
	EXPECT_KEPT({ 12, 12 }, { 10, 10 }, { 29, 29 }, { 11, 11 }, { 15, 15 });
}

TEST_F(fds, renumbered_ones_are_kept)
{
	EXPECT_KEPT({ 10, 0 });
	EXPECT_KEPT({ 10, 63 });
	EXPECT_KEPT({ 10, 64 });
	EXPECT_KEPT({ 10, 65 });
	EXPECT_KEPT({ 10, 255 }, { 11, 256 }, { 12, 257 });
	EXPECT_KEPT({ 10, 29 }, { 29, 100 }, { 11, 3 });
	EXPECT_KEPT({ 10, 5 }, { 11, 700 }, { 12, 6 });
}

TEST_F(fds, one_goes_to_many)
{
	EXPECT_KEPT({ 10, 0 }, { 10, 1 }, { 10, 2 });
	EXPECT_KEPT({ 10, 11 }, { 10, 10 }, { 10, 12 }, { 11, 13 }, { 12, 14 });
}

TEST_F(fds, renumbering_is_as_if_all_at_once)
{
	EXPECT_KEPT({ 10, 11 }, { 11, 10 });
	EXPECT_KEPT({ 10, 11 }, { 11, 12 }, { 12, 10 });
	EXPECT_KEPT({ 12, 10 }, { 11, 12 }, { 10, 11 });
	EXPECT_KEPT({ 10, 11 }, { 11, 12 }, { 12, 13 }, { 13, 14 });
	EXPECT_KEPT({ 13, 14 }, { 12, 13 }, { 11, 12 }, { 10, 11 });
	EXPECT_KEPT({ 10, 11 }, { 11, 10 }, { 12, 13 }, { 13, 12 }, { 10, 14 }, { 13, 15 });
}

TEST_F(fds, path_descriptors_are_kept)
{
	int fd = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int link = open("/proc/self/exe", O_PATH | O_NOFOLLOW | O_CLOEXEC);

	ASSERT_LE(0, fd);
	ASSERT_LE(0, link);
	report_with((struct execns_fd[]){ { fd, 3 }, { link, 4 } }, 2);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("3 4 ", report_get(&report, "fds"));
	EXPECT_EQ(O_PATH, strtol(strchr(report_get(&report, "fd/3"), ' '), NULL, 8) & O_PATH);
	EXPECT_EQ(O_PATH, strtol(strchr(report_get(&report, "fd/4"), ' '), NULL, 8) & O_PATH);
}

TEST_F(fds, highest_number_is_below_the_limit)
{
	EXPECT_KEPT({ 10, 1023 });
	EXPECT_NOT_KEPT(EBADF, { 10, 1024 });
	EXPECT_NOT_KEPT(EBADF, { 10, 10 }, { 10, 1025 });
	EXPECT_NOT_KEPT(EBADF, { 10, INT32_MAX });
	EXPECT_NOT_KEPT(EBADF, { 10, (__u32)INT32_MAX + 1 });
	EXPECT_NOT_KEPT(EBADF, { 10, UINT32_MAX });
	ASSERT_EQ(0, set_nofile(20000));
	EXPECT_KEPT({ 10, 1024 }, { 11, 4095 }, { 12, 19999 }, { 13, 0 });
	EXPECT_NOT_KEPT(EBADF, { 10, 20000 });
	ASSERT_EQ(0, set_nofile(64));
	EXPECT_KEPT({ 10, 63 });
	EXPECT_NOT_KEPT(EBADF, { 10, 64 });
}

/* A lowered limit is one of new numbers, not of what is open. */
TEST_F(fds, from_may_be_above_the_limit)
{
	ASSERT_EQ(0, set_nofile(4096));
	ASSERT_EQ(0, open_files(3000, 3));
	EXPECT_KEPT({ 3000, 3 }, { 3001, 3000 }, { 3002, 3001 });
	ASSERT_EQ(0, set_nofile(100));
	EXPECT_KEPT({ 3000, 3 }, { 3001, 99 });
	EXPECT_NOT_KEPT(EBADF, { 3000, 3000 });
}

TEST_F(fds, from_has_to_be_open)
{
	ASSERT_EQ(0, close(10));
	EXPECT_NOT_KEPT(EBADF, { 10, 10 });
	EXPECT_NOT_KEPT(EBADF, { 11, 11 }, { 10, 12 });
	EXPECT_NOT_KEPT(EBADF, { 11, 10 }, { 10, 11 });
	EXPECT_NOT_KEPT(EBADF, { 1000, 3 });
	EXPECT_NOT_KEPT(EBADF, { 1u << 20, 3 });
	EXPECT_NOT_KEPT(EBADF, { (__u32)INT32_MAX + 1, 3 });
	EXPECT_NOT_KEPT(EBADF, { UINT32_MAX, 3 });
	EXPECT_NOT_KEPT(EBADF, { (__u32)AT_FDCWD, 3 });
}

TEST_F(fds, numbers_are_given_once)
{
	EXPECT_NOT_KEPT(EINVAL, { 10, 3 }, { 11, 3 });
	EXPECT_NOT_KEPT(EINVAL, { 10, 10 }, { 10, 10 });
	EXPECT_NOT_KEPT(EINVAL, { 10, 1023 }, { 11, 5 }, { 12, 1023 });
}

TEST_F(fds, as_many_as_the_limit)
{
	static struct execns_fd all[1025];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		all[i] = (struct execns_fd){ 10 + i % 20, i };
	/* The report is one more. */
	expect_kept(_metadata, all, 1023);
	report_with(all, 1025);
	EXPECT_EQ(EINVAL, report.error) TH_LOG("%s", strerror(report.error));
}

/* It takes no longer than the number of them lets expect. */
TEST_F_TIMEOUT(fds, a_hundred_thousand, 60)
{
	const unsigned int nr = 100000;
	struct execns_fd *all = calloc(nr, sizeof(*all));
	struct execns_args args = { .fds = PTR(all), .nr_fds = nr };
	struct spawn spawn = { .how = BY_EXECNSAT, .args = &args };
	unsigned int i;

	ASSERT_NE(NULL, all);
	ASSERT_EQ(0, set_nofile(nr + 100));
	for (i = 0; i < nr; i++)
		all[i] = (struct execns_fd){ 10 + i % 20, i };
	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_EQ(0, strncmp("0 1 2 3 4 5 ", report_get(&report, "fds"), 12));
	all[nr - 1].to = 0;
	spawn_report(&spawn, &report);
	EXPECT_EQ(EINVAL, report.error) TH_LOG("%s", strerror(report.error));
	all[nr - 1] = (struct execns_fd){ nr, nr };
	spawn_report(&spawn, &report);
	EXPECT_EQ(EBADF, report.error) TH_LOG("%s", strerror(report.error));
}

/* However many are asked for, the kernel has no reason to complain about the size of the list. */
TEST_F(fds, a_million)
{
	const unsigned int nr = 1000000;
	struct execns_fd *all = calloc(nr, sizeof(*all));
	struct execns_args args = { .fds = PTR(all), .nr_fds = nr };
	struct spawn spawn = { .how = BY_EXECNSAT, .args = &args };

	ASSERT_NE(NULL, all);
	ASSERT_EQ(0, set_nofile(nr + 100));
	spawn_report(&spawn, &report);
	EXPECT_EQ(EINVAL, report.error) TH_LOG("%s", strerror(report.error));
	args.fds = sizeof(*all);
	spawn_report(&spawn, &report);
	EXPECT_EQ(EFAULT, report.error) TH_LOG("%s", strerror(report.error));
}

/* Descriptors that a failed call names are the caller's as before. */
TEST_F(fds, failure_leaves_the_table)
{
	const struct execns_fd fds[] = { { 10, 11 }, { 11, 10 }, { 12, 300 } };
	struct execns_args args = { .fds = PTR(fds), .nr_fds = ARRAY_SIZE(fds) };
	char before[4096], after[4096];

	list_fds(before, sizeof(before));
	EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "/nonexistent", arguments, environ, &args,
				   sizeof(args)));
	EXPECT_EQ(ENOENT, errno);
	list_fds(after, sizeof(after));
	EXPECT_STREQ(before, after);
}

TEST_HARNESS_MAIN
