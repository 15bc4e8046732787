// SPDX-License-Identifier: GPL-2.0
/* What is executed, and how it is found: mounts, links, interpreters. */
#include "execns_test.h"

#define MNT "/tmp/lookup.mnt"
#define BINFMT_MISC "/proc/sys/fs/binfmt_misc/"
#define SLEEP "/bin/sleep"

static struct report report;

static void spawn_path(const char *path, int flags)
{
	struct spawn spawn = { .how = BY_EXECNS, .flags = flags, .path = path };

	spawn_report(&spawn, &report);
}

FIXTURE(mounted)
{
};

FIXTURE_SETUP(mounted)
{
	ASSERT_EQ(0, private_mounts());
	mkdir(MNT, 0755);
	ASSERT_EQ(0, mount("tmpfs", MNT, "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, copy_program("execns_report", MNT "/report", 0, 0755));
}

FIXTURE_TEARDOWN(mounted)
{
	umount2(MNT, MNT_DETACH);
}

static pid_t start_sleep(int flags)
{
	char *const argv[] = { "sleep", "100", NULL };
	pid_t child = fork();

	if (!child) {
		sys_execns(flags, MNT "/sleep", argv, environ);
		_exit(EXEC_FAILED);
	}
	wait_for_program(child, "sleep");
	return child;
}

/* The program pins nothing of the mount namespace that it was started from. */
TEST_F(mounted, caller_may_umount)
{
	static const int flags[] = { CLONE_NEWNS, ALL_NS };
	pid_t child;
	int i;

	if (access(SLEEP, X_OK))
		SKIP(return, "no " SLEEP);
	ASSERT_EQ(0, copy_program(SLEEP, MNT "/sleep", 0, 0755));
	for (i = 0; i < 2; i++) {
		child = start_sleep(flags[i]);
		ASSERT_EQ(0, kill(child, 0));
		EXPECT_EQ(0, umount(MNT)) TH_LOG("%s", strerror(errno));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		mount("tmpfs", MNT, "tmpfs", 0, "mode=755");
		copy_program(SLEEP, MNT "/sleep", 0, 0755);
	}
	/* It would with execve(). */
	child = start_sleep(0);
	EXPECT_EQ(-1, umount(MNT));
	EXPECT_EQ(EBUSY, errno);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/* A root and cwd below a mount move along. */
TEST_F(mounted, cwd_is_in_the_new_namespace)
{
	ASSERT_EQ(0, chdir(MNT));
	spawn_path("./report", CLONE_NEWNS);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ(MNT, report_get(&report, "cwd"));
	EXPECT_STREQ(MNT "/report", report_get(&report, "exe"));
	ASSERT_EQ(0, chdir("/"));
	EXPECT_EQ(0, umount(MNT));
}

TEST_F(mounted, noexec_and_nosuid_hold)
{
	ASSERT_EQ(0, copy_program("execns_report", MNT "/setuid", 2000, 04755));
	spawn_path(MNT "/setuid", CLONE_NEWNS);
	EXPECT_STREQ("0 2000 0 0", report_get(&report, "ids"));
	ASSERT_EQ(0, mount(NULL, MNT, NULL, MS_REMOUNT | MS_BIND | MS_NOSUID, NULL));
	spawn_path(MNT "/setuid", CLONE_NEWNS);
	EXPECT_STREQ("0 0 0 0", report_get(&report, "ids"));
	ASSERT_EQ(0, mount(NULL, MNT, NULL, MS_REMOUNT | MS_BIND | MS_NOEXEC, NULL));
	spawn_path(MNT "/report", CLONE_NEWNS);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EACCES, report.error);
}

/* Links that lead through a descriptor, or into another process. */
FIXTURE(magic_link)
{
	int fd, dirfd;
};

FIXTURE_VARIANT(magic_link)
{
	int flags;
};

FIXTURE_VARIANT_ADD(magic_link, none) { 0 };
FIXTURE_VARIANT_ADD(magic_link, uts) { CLONE_NEWUTS };
FIXTURE_VARIANT_ADD(magic_link, all) { ALL_NS };

FIXTURE_SETUP(magic_link)
{
	char path[32];

	/* As resolved without the magic, this is the program. */
	self->fd = open("./execns_report", O_PATH | O_CLOEXEC);
	self->dirfd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_EQ(9, dup2(self->fd, 9));
	ASSERT_EQ(8, dup2(self->dirfd, 8));
	ASSERT_EQ(0, fcntl(9, F_SETFD, 0));
	snprintf(path, sizeof(path), "/proc/self/fd/9");
	ASSERT_EQ(0, access(path, X_OK));
}

FIXTURE_TEARDOWN(magic_link)
{
}

static void expect_refused(struct __test_metadata *_metadata, int flags, const char *path)
{
	spawn_path(path, flags);
	EXPECT_EQ(EXEC_FAILED, report.exit) TH_LOG("%s", path);
	EXPECT_EQ(ELOOP, report.error) TH_LOG("%s: %s", path, strerror(report.error));
}

#define EXPECT_REFUSED(path) expect_refused(_metadata, variant->flags, path)

TEST_F(magic_link, filename)
{
	char path[64];

	EXPECT_REFUSED("/proc/self/fd/9");
	EXPECT_REFUSED("/dev/fd/9");
	EXPECT_REFUSED("/proc/thread-self/fd/9");
	EXPECT_REFUSED("/proc/self/fd/8/execns_report");
	EXPECT_REFUSED("/proc/self/exe");
	EXPECT_REFUSED("/proc/self/root/bin/sh");
	EXPECT_REFUSED("/proc/self/cwd/execns_report");
	EXPECT_REFUSED("/proc/1/root/bin/sh");
	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	EXPECT_REFUSED(path);
}

TEST_F(magic_link, behind_a_symlink)
{
	char *program = realpath("./execns_report", NULL);

	ASSERT_NE(NULL, program);
	unlink("/tmp/lookup.link");
	ASSERT_EQ(0, symlink("/proc/self/fd/9", "/tmp/lookup.link"));
	EXPECT_REFUSED("/tmp/lookup.link");
	unlink("/tmp/lookup.link");
	/* A plain one is fine. */
	ASSERT_EQ(0, symlink(program, "/tmp/lookup.link"));
	spawn_path("/tmp/lookup.link", variant->flags);
	EXPECT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	unlink("/tmp/lookup.link");
	free(program);
}

TEST_F(magic_link, script_interpreter)
{
	ASSERT_EQ(0, make_script("/tmp/lookup.script", "#!/proc/self/fd/9\n"));
	EXPECT_REFUSED("/tmp/lookup.script");
	ASSERT_EQ(0, make_script("/tmp/lookup.script2", "#!/tmp/lookup.script\n"));
	EXPECT_REFUSED("/tmp/lookup.script2");
	ASSERT_EQ(0, make_script("/tmp/lookup.script", "#!/proc/self/exe\n"));
	EXPECT_REFUSED("/tmp/lookup.script");
	unlink("/tmp/lookup.script");
	unlink("/tmp/lookup.script2");
}

/* execns_dynamic names /proc/self/fd/9 as its loader. */
TEST_F(magic_link, elf_interpreter)
{
	EXPECT_REFUSED("./execns_dynamic");
}

TEST_F(magic_link, binfmt_misc_interpreter)
{
	if (access(BINFMT_MISC "register", F_OK))
		SKIP(return, "binfmt_misc is not mounted");
	ASSERT_EQ(0, make_script("/tmp/lookup.execnsmagic", "nothing\n"));
	/* What a test that was killed has left. */
	write_file(BINFMT_MISC "execns_magic", "-1");
	ASSERT_EQ(0, write_file(BINFMT_MISC "register",
				":execns_magic:E::execnsmagic::/proc/self/fd/9:"));
	EXPECT_REFUSED("/tmp/lookup.execnsmagic");
	write_file(BINFMT_MISC "execns_magic", "-1");
	unlink("/tmp/lookup.execnsmagic");
}

FIXTURE(format)
{
};

FIXTURE_VARIANT(format)
{
	int flags;
};

FIXTURE_VARIANT_ADD(format, none) { 0 };
FIXTURE_VARIANT_ADD(format, mnt) { CLONE_NEWNS };
FIXTURE_VARIANT_ADD(format, all) { ALL_NS };

FIXTURE_SETUP(format)
{
	ASSERT_EQ(0, copy_program("execns_report", "/tmp/lookup.report", 0, 0755));
}

FIXTURE_TEARDOWN(format)
{
	unlink("/tmp/lookup.report");
}

TEST_F(format, script)
{
	ASSERT_EQ(0, make_script("/tmp/lookup.sh", "#!/tmp/lookup.report one two\n"));
	spawn_path("/tmp/lookup.sh", variant->flags);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("4", report_get(&report, "argc"));
	EXPECT_STREQ("one two", report_get(&report, "argv/1"));
	EXPECT_STREQ("/tmp/lookup.sh", report_get(&report, "argv/2"));
	EXPECT_STREQ("/tmp/lookup.report", report_get(&report, "exe"));
	unlink("/tmp/lookup.sh");
}

TEST_F(format, script_of_script)
{
	ASSERT_EQ(0, make_script("/tmp/lookup.1", "#!/tmp/lookup.report\n"));
	ASSERT_EQ(0, make_script("/tmp/lookup.2", "#!/tmp/lookup.1\n"));
	ASSERT_EQ(0, make_script("/tmp/lookup.3", "#!/tmp/lookup.2\n"));
	spawn_path("/tmp/lookup.3", variant->flags);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("", report_get(&report, "fds"));
	unlink("/tmp/lookup.1");
	unlink("/tmp/lookup.2");
	unlink("/tmp/lookup.3");
}

TEST_F(format, dynamic)
{
	static const char *const names[] = { "/usr/bin/env-dynamic", "/usr/bin/env" };
	const char *program = access(names[0], X_OK) ? names[1] : names[0];
	char *const argv[] = { "env", "./execns_report", "/tmp/lookup.out", NULL };
	int status;
	pid_t child;

	if (access(program, X_OK))
		SKIP(return, "no dynamically linked program at %s", program);
	close(open("/tmp/lookup.out", O_CREAT | O_WRONLY | O_TRUNC, 0666));
	child = fork();
	if (!child) {
		sys_execns(variant->flags, program, argv, environ);
		_exit(EXEC_FAILED);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	read_file("/tmp/lookup.out", report.text, sizeof(report.text));
	EXPECT_STREQ("", report_get(&report, "fds"));
	unlink("/tmp/lookup.out");
}

/* The program that binfmt_misc hands over must not become standard input. */
TEST_F(format, binfmt_misc_descriptor)
{
	static const struct {
		const char *flags;
		bool fd;
	} rows[] = { { "", false }, { "O", true }, { "OC", true }, { "F", false } };
	size_t i;

	if (access(BINFMT_MISC "register", F_OK))
		SKIP(return, "binfmt_misc is not mounted");
	ASSERT_EQ(0, make_script("/tmp/lookup.execnstest", "nothing\n"));
	write_file(BINFMT_MISC "execns_test", "-1");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[128];

		snprintf(line, sizeof(line), ":execns_test:E::execnstest::/tmp/lookup.report:%s",
			 rows[i].flags);
		ASSERT_EQ(0, write_file(BINFMT_MISC "register", line));
		spawn_path("/tmp/lookup.execnstest", variant->flags);
		EXPECT_EQ(0, report.exit) TH_LOG("%s: %s", rows[i].flags, strerror(report.error));
		EXPECT_STREQ(rows[i].fd ? "3 " : "", report_get(&report, "fds"));
		if (rows[i].fd)
			EXPECT_STREQ("3 0", report_get(&report, "execfd"));
		write_file(BINFMT_MISC "execns_test", "-1");
	}
	unlink("/tmp/lookup.execnstest");
}

TEST_HARNESS_MAIN
