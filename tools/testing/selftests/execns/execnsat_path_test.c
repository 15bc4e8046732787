// SPDX-License-Identifier: GPL-2.0
/* How the program is named: by a path, a directory and a path, or a descriptor. */
#include "execnsat_test.h"

#define DIR_PATH "/tmp/execnsat.path"
#define BINFMT_MISC "/proc/sys/fs/binfmt_misc/"

static struct report report;

FIXTURE(path)
{
	struct execns_args args;
	int dirfd;
};

FIXTURE_VARIANT(path)
{
	int flags;
};

FIXTURE_VARIANT_ADD(path, none) { 0 };
FIXTURE_VARIANT_ADD(path, mnt) { CLONE_NEWNS };
FIXTURE_VARIANT_ADD(path, all) { ALL_NS };

FIXTURE_SETUP(path)
{
	mkdir(DIR_PATH, 0755);
	mkdir(DIR_PATH "/sub", 0755);
	ASSERT_EQ(0, copy_program("execns_report", DIR_PATH "/report", 0, 0755));
	unlink(DIR_PATH "/link");
	ASSERT_EQ(0, symlink("report", DIR_PATH "/link"));
	unlink(DIR_PATH "/here");
	ASSERT_EQ(0, symlink(".", DIR_PATH "/here"));
	ASSERT_EQ(0, make_script(DIR_PATH "/script", "#!" DIR_PATH "/report\n"));
	self->dirfd = open(DIR_PATH, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->dirfd);
	self->args.unshare_flags = variant->flags;
}

FIXTURE_TEARDOWN(path)
{
}

static void spawn_at(const struct execns_args *args, int dirfd, const char *path)
{
	struct spawn spawn = {
		.how = BY_EXECNSAT, .args = args, .dirfd = dirfd, .path = path,
	};

	spawn_report(&spawn, &report);
}

static void expect_run(struct __test_metadata *_metadata, const struct execns_args *args,
		       int dirfd, const char *path)
{
	spawn_at(args, dirfd, path);
	EXPECT_EQ(0, report.exit) TH_LOG("%s: %s", path, strerror(report.error));
	EXPECT_STREQ("2", report_get(&report, "argc"));
	EXPECT_STREQ("", report_get(&report, "fds"));
}

static void expect_refused(struct __test_metadata *_metadata, const struct execns_args *args,
			   int error, int dirfd, const char *path)
{
	spawn_at(args, dirfd, path);
	EXPECT_EQ(EXEC_FAILED, report.exit) TH_LOG("%s", path);
	EXPECT_EQ(error, report.error) TH_LOG("%s: %s", path, strerror(report.error));
}

#define EXPECT_RUN(dirfd, path) expect_run(_metadata, &self->args, dirfd, path)
#define EXPECT_REFUSED(error, dirfd, path) \
	expect_refused(_metadata, &self->args, error, dirfd, path)

TEST_F(path, relative_to_a_directory)
{
	char execfn[64];

	EXPECT_RUN(self->dirfd, "report");
	snprintf(execfn, sizeof(execfn), "/dev/fd/%d/report", self->dirfd);
	EXPECT_STREQ(execfn, report_get(&report, "execfn"));
	EXPECT_RUN(self->dirfd, "sub/../report");
	EXPECT_RUN(self->dirfd, "link");
	EXPECT_RUN(self->dirfd, "here/here/link");
	EXPECT_REFUSED(ENOENT, self->dirfd, "execns_report");
	EXPECT_REFUSED(EBADF, 1000, "report");
	EXPECT_REFUSED(ENOTDIR, open(DIR_PATH "/report", O_PATH | O_CLOEXEC), "report");
}

TEST_F(path, relative_to_the_working_directory)
{
	EXPECT_RUN(AT_FDCWD, "./execns_report");
	EXPECT_REFUSED(ENOENT, AT_FDCWD, "report");
	ASSERT_EQ(0, chdir(DIR_PATH));
	EXPECT_RUN(AT_FDCWD, "report");
	EXPECT_STREQ(DIR_PATH "/report", report_get(&report, "exe"));
	EXPECT_STREQ(DIR_PATH, report_get(&report, "cwd"));
	EXPECT_STREQ("report", report_get(&report, "execfn"));
}

TEST_F(path, absolute)
{
	EXPECT_RUN(self->dirfd, DIR_PATH "/report");
	EXPECT_STREQ(DIR_PATH "/report", report_get(&report, "exe"));
	EXPECT_STREQ(DIR_PATH "/report", report_get(&report, "execfn"));
	/* The directory is not looked at. */
	EXPECT_RUN(1000, DIR_PATH "/report");
	EXPECT_RUN(-1, DIR_PATH "/report");
}

/* The program has no descriptor of itself, unless that is listed. */
TEST_F(path, by_descriptor)
{
	static const int modes[] = { O_PATH, O_RDONLY, O_PATH | O_CLOEXEC, O_RDONLY | O_CLOEXEC };
	char execfn[64];
	size_t i;

	self->args.at_flags = AT_EMPTY_PATH;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int fd = open(DIR_PATH "/report", modes[i]);
		const struct execns_fd fds[] = { { fd, fd }, { fd, 200 } };

		ASSERT_LE(0, fd);
		self->args.fds = 0;
		self->args.nr_fds = 0;
		EXPECT_RUN(fd, "");
		snprintf(execfn, sizeof(execfn), "/dev/fd/%d", fd);
		EXPECT_STREQ(execfn, report_get(&report, "execfn"));
		self->args.fds = PTR(fds);
		self->args.nr_fds = ARRAY_SIZE(fds);
		spawn_at(&self->args, fd, "");
		EXPECT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
		snprintf(execfn, sizeof(execfn), "%d 200 ", fd);
		EXPECT_STREQ(execfn, report_get(&report, "fds"));
		close(fd);
	}
}

TEST_F(path, by_descriptor_of_memory)
{
	char path[64];
	int fd = memfd_create("program", MFD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	ASSERT_EQ(0, copy_program("execns_report", path, 0, 0755));
	self->args.at_flags = AT_EMPTY_PATH;
	EXPECT_RUN(fd, "");
	EXPECT_STREQ("/memfd:program (deleted)", report_get(&report, "exe"));
}

TEST_F(path, empty_path_needs_a_program)
{
	self->args.at_flags = AT_EMPTY_PATH;
	EXPECT_REFUSED(EACCES, self->dirfd, "");
	EXPECT_REFUSED(EACCES, AT_FDCWD, "");
	EXPECT_REFUSED(EBADF, 1000, "");
	/* The flag allows an empty path, it does not ask for one. */
	EXPECT_RUN(self->dirfd, "report");
	self->args.at_flags = 0;
	EXPECT_REFUSED(ENOENT, open(DIR_PATH "/report", O_PATH | O_CLOEXEC), "");
}

TEST_F(path, last_link_is_not_followed)
{
	int fd = open(DIR_PATH "/link", O_PATH | O_NOFOLLOW | O_CLOEXEC);

	self->args.at_flags = AT_SYMLINK_NOFOLLOW;
	EXPECT_REFUSED(ELOOP, self->dirfd, "link");
	EXPECT_REFUSED(ELOOP, AT_FDCWD, DIR_PATH "/link");
	EXPECT_RUN(self->dirfd, "report");
	EXPECT_RUN(self->dirfd, "here/report");
	self->args.at_flags |= AT_EMPTY_PATH;
	EXPECT_REFUSED(ELOOP, fd, "");
	EXPECT_RUN(open(DIR_PATH "/report", O_PATH | O_CLOEXEC), "");
}

/* What leads through a descriptor or another process is no path. */
TEST_F(path, magic_links_are_refused)
{
	const struct execns_fd fds[] = { { 9, 9 }, { 10, 10 } };
	int fd = open(DIR_PATH "/report", O_PATH);
	char path[64];

	ASSERT_EQ(9, dup2(fd, 9));
	ASSERT_EQ(10, dup2(fd, 10));
	EXPECT_REFUSED(ELOOP, AT_FDCWD, "/proc/self/fd/9");
	EXPECT_REFUSED(ELOOP, self->dirfd, "/dev/fd/9");
	EXPECT_REFUSED(ELOOP, AT_FDCWD, "/proc/self/exe");
	EXPECT_REFUSED(ELOOP, open("/proc/self/fd", O_PATH | O_CLOEXEC), "9");
	EXPECT_REFUSED(ELOOP, open("/proc/self", O_PATH | O_CLOEXEC), "exe");
	EXPECT_REFUSED(ELOOP, open("/proc/self", O_PATH | O_CLOEXEC), "root/bin/busybox");
	snprintf(path, sizeof(path), "/proc/self/fd/%d/report", self->dirfd);
	EXPECT_REFUSED(ELOOP, AT_FDCWD, path);
	ASSERT_EQ(0, make_script(DIR_PATH "/magic", "#!/proc/self/fd/9\n"));
	EXPECT_REFUSED(ELOOP, AT_FDCWD, DIR_PATH "/magic");
	self->args.at_flags = AT_EMPTY_PATH;
	EXPECT_REFUSED(ELOOP, AT_FDCWD, "/proc/self/fd/9");
	/* To keep a descriptor does not make it a path. */
	self->args.fds = PTR(fds);
	self->args.nr_fds = ARRAY_SIZE(fds);
	EXPECT_REFUSED(ELOOP, AT_FDCWD, "/proc/self/fd/9");
	fd = open(DIR_PATH "/magic", O_RDONLY | O_CLOEXEC);
	ASSERT_EQ(10, dup2(fd, 10));
	EXPECT_REFUSED(ELOOP, 10, "");
}

/* Its interpreter opens /dev/fd/N, which is to be what was executed. */
TEST_F(path, script_by_descriptor)
{
	int script = open(DIR_PATH "/script", O_RDONLY | O_CLOEXEC), other = dup(script);
	const struct execns_fd same[] = { { script, script } };
	const struct execns_fd moved[] = { { script, 200 } };
	const struct execns_fd replaced[] = { { self->dirfd, script }, { script, 200 } };
	const struct execns_fd more[] = { { script, 200 }, { script, script }, { other, 201 } };
	char path[64], fds[64];

	self->args.at_flags = AT_EMPTY_PATH;
	EXPECT_REFUSED(ENOENT, script, "");
	self->args.fds = PTR(moved);
	self->args.nr_fds = 1;
	EXPECT_REFUSED(ENOENT, script, "");
	self->args.fds = PTR(replaced);
	self->args.nr_fds = ARRAY_SIZE(replaced);
	EXPECT_REFUSED(ENOENT, script, "");
	self->args.fds = PTR(same);
	self->args.nr_fds = 1;
	spawn_at(&self->args, script, "");
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	snprintf(path, sizeof(path), "/dev/fd/%d", script);
	snprintf(fds, sizeof(fds), "%d ", script);
	EXPECT_STREQ("3", report_get(&report, "argc"));
	EXPECT_STREQ(path, report_get(&report, "argv/1"));
	EXPECT_STREQ(fds, report_get(&report, "fds"));
	self->args.fds = PTR(more);
	self->args.nr_fds = ARRAY_SIZE(more);
	spawn_at(&self->args, script, "");
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ(path, report_get(&report, "argv/1"));
}

/* What binfmt_misc passes comes on top of what is listed, where that has a gap. */
TEST_F(path, binfmt_misc_descriptor)
{
	const struct execns_fd fds[] = { { 2, 3 }, { 2, 4 }, { 2, 6 } };

	if (access(BINFMT_MISC "register", F_OK))
		SKIP(return, "binfmt_misc is not mounted");
	ASSERT_EQ(0, make_script(DIR_PATH "/x.execnsattest", "nothing\n"));
	/* What a test that was killed has left. */
	write_file(BINFMT_MISC "execnsat_test", "-1");
	ASSERT_EQ(0, write_file(BINFMT_MISC "register",
				":execnsat_test:E::execnsattest::" DIR_PATH "/report:O"));
	self->args.fds = PTR(fds);
	self->args.nr_fds = ARRAY_SIZE(fds);
	spawn_at(&self->args, AT_FDCWD, DIR_PATH "/x.execnsattest");
	EXPECT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("3 4 5 6 ", report_get(&report, "fds"));
	EXPECT_STREQ("5 0", report_get(&report, "execfd"));
	write_file(BINFMT_MISC "execnsat_test", "-1");
}

TEST_F(path, script_in_a_directory)
{
	const struct execns_fd same[] = { { self->dirfd, self->dirfd } };
	char path[64];

	EXPECT_REFUSED(ENOENT, self->dirfd, "script");
	self->args.fds = PTR(same);
	self->args.nr_fds = 1;
	spawn_at(&self->args, self->dirfd, "script");
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	snprintf(path, sizeof(path), "/dev/fd/%d/script", self->dirfd);
	EXPECT_STREQ(path, report_get(&report, "argv/1"));
	/* By an absolute path, there is nothing to keep. */
	self->args.fds = 0;
	self->args.nr_fds = 0;
	spawn_at(&self->args, self->dirfd, DIR_PATH "/script");
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ(DIR_PATH "/script", report_get(&report, "argv/1"));
	EXPECT_STREQ("", report_get(&report, "fds"));
}

TEST_HARNESS_MAIN
