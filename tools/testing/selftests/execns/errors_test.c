// SPDX-License-Identifier: GPL-2.0
/* A call that fails leaves its caller as it was. */
#include "execns_test.h"

#include <sys/resource.h>

FIXTURE(error)
{
	struct snapshot before, after;
	int semid;
};

FIXTURE_VARIANT(error)
{
	int flags;
};

FIXTURE_VARIANT_ADD(error, none) { .flags = 0 };
FIXTURE_VARIANT_ADD(error, fs) { .flags = CLONE_FS | CLONE_SYSVSEM };
FIXTURE_VARIANT_ADD(error, user) { .flags = CLONE_NEWUSER };
FIXTURE_VARIANT_ADD(error, all_but_user) { .flags = ALL_NS & ~CLONE_NEWUSER };
FIXTURE_VARIANT_ADD(error, all) { .flags = ALL_NS };

FIXTURE_SETUP(error)
{
	ASSERT_EQ(0, chdir("/tmp"));
	ASSERT_LE(0, open("/dev/null", O_RDWR));
	ASSERT_LE(0, open("/dev/null", O_RDWR | O_CLOEXEC));
	self->semid = make_undo();
	ASSERT_LE(0, self->semid);
	take_snapshot(&self->before, self->semid);
	ASSERT_EQ(1, self->before.undo);
}

FIXTURE_TEARDOWN(error)
{
	semctl(self->semid, 0, IPC_RMID);
}

#define EXPECT_ERROR(error, flags, path, argv, envp) do { \
	EXPECT_EQ(-1, sys_execns(flags, path, argv, envp)); \
	EXPECT_EQ(error, errno) TH_LOG("%s: %s", (const char *)#path, strerror(errno)); \
	take_snapshot(&self->after, self->semid); \
	EXPECT_INTACT(&self->before, &self->after); \
	/* Nothing remembers the exec. */ \
	EXPECT_EQ(0, try_clone_fs()); \
} while (0)

static char *const arguments[] = { "program", NULL };

/* Not mapped. */
#define BAD ((void *)16)

TEST_F(error, enoent)
{
	EXPECT_ERROR(ENOENT, variant->flags, "/nonexistent", arguments, environ);
}

TEST_F(error, enoent_empty_path)
{
	EXPECT_ERROR(ENOENT, variant->flags, "", arguments, environ);
}

TEST_F(error, enotdir)
{
	EXPECT_ERROR(ENOTDIR, variant->flags, "/proc/self/status/x", arguments, environ);
}

TEST_F(error, eacces_directory)
{
	EXPECT_ERROR(EACCES, variant->flags, "/", arguments, environ);
}

TEST_F(error, eacces_not_executable)
{
	ASSERT_EQ(0, make_script("/tmp/errors.mode", "#!/bin/sh\n"));
	ASSERT_EQ(0, chmod("/tmp/errors.mode", 0644));
	EXPECT_ERROR(EACCES, variant->flags, "/tmp/errors.mode", arguments, environ);
	unlink("/tmp/errors.mode");
}

TEST_F(error, enoexec)
{
	ASSERT_EQ(0, make_script("/tmp/errors.exec", "neither script nor program\n"));
	EXPECT_ERROR(ENOEXEC, variant->flags, "/tmp/errors.exec", arguments, environ);
	unlink("/tmp/errors.exec");
}

TEST_F(error, enoent_interpreter)
{
	ASSERT_EQ(0, make_script("/tmp/errors.script", "#!/nonexistent\n"));
	EXPECT_ERROR(ENOENT, variant->flags, "/tmp/errors.script", arguments, environ);
	unlink("/tmp/errors.script");
}

TEST_F(error, etxtbsy)
{
	int fd = open("/tmp/errors.busy", O_RDWR | O_CREAT | O_CLOEXEC, 0755);

	ASSERT_LE(0, fd);
	take_snapshot(&self->before, self->semid);
	EXPECT_ERROR(ETXTBSY, variant->flags, "/tmp/errors.busy", arguments, environ);
	unlink("/tmp/errors.busy");
}

TEST_F(error, enametoolong)
{
	static char name[8192];

	memset(name, 'x', sizeof(name) - 1);
	EXPECT_ERROR(ENAMETOOLONG, variant->flags, name, arguments, environ);
}

TEST_F(error, eloop)
{
	unlink("/tmp/errors.loop");
	ASSERT_EQ(0, symlink("errors.loop", "/tmp/errors.loop"));
	EXPECT_ERROR(ELOOP, variant->flags, "/tmp/errors.loop", arguments, environ);
	unlink("/tmp/errors.loop");
}

TEST_F(error, efault)
{
	char *const bads[] = { BAD, NULL };

	EXPECT_ERROR(EFAULT, variant->flags, BAD, arguments, environ);
	EXPECT_ERROR(EFAULT, variant->flags, NULL, arguments, environ);
	EXPECT_ERROR(EFAULT, variant->flags, "/bin/sh", BAD, environ);
	EXPECT_ERROR(EFAULT, variant->flags, "/bin/sh", arguments, BAD);
	EXPECT_ERROR(EFAULT, variant->flags, "/bin/sh", bads, environ);
	EXPECT_ERROR(EFAULT, variant->flags, "/bin/sh", arguments, bads);
}

TEST_F(error, e2big)
{
	static char *many[100000];
	static char big[120000];
	size_t i;

	memset(big, 'x', sizeof(big) - 1);
	for (i = 0; i < ARRAY_SIZE(many) - 1; i++)
		many[i] = big;
	EXPECT_ERROR(E2BIG, variant->flags, "/bin/sh", many, environ);
}

TEST_F(error, einval_comes_first)
{
	EXPECT_ERROR(EINVAL, variant->flags | CLONE_PIDFD, BAD, BAD, BAD);
}

/* Without a privilege, a namespace takes a user namespace to own it. */
TEST_F(error, eperm_unprivileged)
{
	if (!variant->flags || variant->flags & (CLONE_NEWUSER | CLONE_FS))
		SKIP(return, "takes no privilege");
	ASSERT_EQ(0, become_user(NULL));
	take_snapshot(&self->before, -1);
	self->semid = -1;
	EXPECT_ERROR(EPERM, variant->flags, "/bin/sh", arguments, environ);
}

TEST_F(error, eperm_chrooted)
{
	if (!(variant->flags & CLONE_NEWUSER))
		SKIP(return, "no new user namespace");
	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, mkdir("/tmp/errors.root", 0755));
	ASSERT_EQ(0, mount("/", "/tmp/errors.root", NULL, MS_BIND | MS_REC, NULL));
	ASSERT_EQ(0, chroot("/tmp/errors.root"));
	ASSERT_EQ(0, chdir("/tmp"));
	take_snapshot(&self->before, self->semid);
	EXPECT_ERROR(EPERM, variant->flags, "/bin/sh", arguments, environ);
}

/* A sysctl of Debian's kernels, which clone() and unshare() look at themselves. */
TEST(eperm_unprivileged_userns_clone)
{
	static const char path[] = "/proc/sys/kernel/unprivileged_userns_clone";
	struct spawn spawn = { .how = BY_EXECNS, .flags = CLONE_NEWUSER };
	struct report report;
	char old[32];

	if (access(path, F_OK))
		SKIP(return, "the kernel has no %s", path);
	read_file(path, old, sizeof(old));
	ASSERT_EQ(0, write_file(path, "0"));
	spawn_report(&spawn, &report);
	EXPECT_EQ(0, report.exit);
	spawn.setup = become_user;
	spawn_report(&spawn, &report);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EPERM, report.error);
	EXPECT_EQ(0, write_file(path, "1"));
	spawn_report(&spawn, &report);
	EXPECT_EQ(0, report.exit);
	EXPECT_EQ(0, write_file(path, old));
}

FIXTURE(limit)
{
	struct snapshot before, after;
	int semid;
};

FIXTURE_VARIANT(limit)
{
	const char *file;
	int flags;
};

FIXTURE_VARIANT_ADD(limit, cgroup) { "max_cgroup_namespaces", CLONE_NEWCGROUP };
FIXTURE_VARIANT_ADD(limit, ipc) { "max_ipc_namespaces", CLONE_NEWIPC };
FIXTURE_VARIANT_ADD(limit, mnt) { "max_mnt_namespaces", CLONE_NEWNS };
FIXTURE_VARIANT_ADD(limit, net) { "max_net_namespaces", CLONE_NEWNET };
FIXTURE_VARIANT_ADD(limit, pid) { "max_pid_namespaces", CLONE_NEWPID };
FIXTURE_VARIANT_ADD(limit, time) { "max_time_namespaces", CLONE_NEWTIME };
FIXTURE_VARIANT_ADD(limit, user) { "max_user_namespaces", CLONE_NEWUSER };
FIXTURE_VARIANT_ADD(limit, uts) { "max_uts_namespaces", CLONE_NEWUTS };

FIXTURE_SETUP(limit)
{
	self->semid = -1;
}

FIXTURE_TEARDOWN(limit)
{
}

/* Each namespace is charged, and what a failed call was charged is given back. */
TEST_F(limit, enospc)
{
	char path[64], old[32];
	struct report report;
	int i;

	snprintf(path, sizeof(path), "/proc/sys/user/%s", variant->file);
	read_file(path, old, sizeof(old));
	ASSERT_EQ(0, write_file(path, "0"));
	take_snapshot(&self->before, -1);
	EXPECT_ERROR(ENOSPC, variant->flags, "/bin/sh", arguments, environ);
	EXPECT_ERROR(ENOSPC, ALL_NS, "/bin/sh", arguments, environ);
	ASSERT_EQ(0, write_file(path, old));

	ASSERT_EQ(0, become_user(NULL));
	for (i = 0; i < 100; i++)
		ASSERT_EQ(-1, sys_execns(ALL_NS, "/nonexistent", arguments, environ));
	report_by(BY_EXECNS, ALL_NS, &report);
	EXPECT_EQ(0, report.exit);
}

/* 32 levels are the most. */
TEST(enospc_nesting)
{
	char path[] = "/tmp/errors.nest", text[32];
	int status, fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	pid_t child = fork();

	ASSERT_LE(0, fd);
	if (!child) {
		int depth = 0;

		/* As deep as unshare() goes, execns() must not go on. */
		while (!unshare_like_execns(CLONE_NEWUSER))
			depth++;
		sys_execns(CLONE_NEWUSER, "/bin/true", arguments, environ);
		dprintf(fd, "%d %d", depth, errno);
		_exit(0);
	}
	waitpid(child, &status, 0);
	read_file(path, text, sizeof(text));
	unlink(path);
	EXPECT_STREQ("33 28", text);
}

/* Failing often must not use anything up. The limits are those of a namespace of its own. */
TEST(failures_leak_nothing)
{
	struct report report;
	int i;

	ASSERT_EQ(0, unshare_like_execns(CLONE_NEWUSER));
	ASSERT_EQ(0, write_file("/proc/sys/user/max_net_namespaces", "20"));
	ASSERT_EQ(0, write_file("/proc/sys/user/max_mnt_namespaces", "20"));
	for (i = 0; i < rounds_of(200); i++) {
		ASSERT_EQ(-1, sys_execns(ALL_NS & ~CLONE_NEWUSER, "/nonexistent",
					 arguments, environ));
		/* Network namespaces are taken down by a worker. */
		if (errno == ENOSPC)
			usleep(10000);
		else
			ASSERT_EQ(ENOENT, errno);
	}
	for (i = 0; i < 200; i++) {
		usleep(10000);
		report_by(BY_EXECNS, ALL_NS & ~CLONE_NEWUSER, &report);
		if (!report.exit)
			break;
	}
	EXPECT_EQ(0, report.exit);
}

TEST_HARNESS_MAIN
