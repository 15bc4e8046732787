// SPDX-License-Identifier: GPL-2.0
/* A call that fails, or that only checks, leaves its caller as it was. */
#include "execnsat_test.h"

#include <sys/resource.h>

#define DIR_PATH "/tmp/execnsat.errors"

static char *const arguments[] = { "execns_report", NULL };

/* Everything that a call may ask for, without a privilege if @id is not 0. */
struct request {
	struct execns_args args;
	struct execns_fd fds[3];
	struct execns_id_map map[1];
	struct execns_time_offset offsets[2];
};

static void ask_for_all(struct request *request, unsigned int id, unsigned int at_flags)
{
	*request = (struct request){
		.args = {
			.unshare_flags = ALL_NS, .at_flags = at_flags,
			.flags = EXECNS_SETGROUPS_DENY,
			.fds = PTR(request->fds), .nr_fds = ARRAY_SIZE(request->fds),
			.uid_map = PTR(request->map), .nr_uid_map = ARRAY_SIZE(request->map),
			.gid_map = PTR(request->map), .nr_gid_map = ARRAY_SIZE(request->map),
			.time_offsets = PTR(request->offsets),
			.nr_time_offsets = ARRAY_SIZE(request->offsets),
		},
		.fds = { { 1, 2 }, { 2, 1 }, { 1, 40 } },
		.map = { { 0, id, 1 } },
		.offsets = {
			{ .clock = CLOCK_MONOTONIC, .sec = 1000 },
			{ .clock = CLOCK_BOOTTIME, .sec = 2000, .nsec = 5 },
		},
	};
}

FIXTURE(at_error)
{
	struct snapshot before, after;
	struct request request;
	int dirfd, semid;
};

FIXTURE_VARIANT(at_error)
{
	unsigned int at_flags;
	bool all;
};

FIXTURE_VARIANT_ADD(at_error, none) { 0, false };
FIXTURE_VARIANT_ADD(at_error, all) { 0, true };
FIXTURE_VARIANT_ADD(at_error, check_none) { AT_EXECVE_CHECK, false };
FIXTURE_VARIANT_ADD(at_error, check_all) { AT_EXECVE_CHECK, true };

FIXTURE_SETUP(at_error)
{
	mkdir(DIR_PATH, 0755);
	self->dirfd = open(DIR_PATH, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, self->dirfd);
	self->semid = make_undo();
	ASSERT_LE(0, self->semid);
	if (variant->all)
		ask_for_all(&self->request, 0, variant->at_flags);
	else
		self->request.args.at_flags = variant->at_flags;
}

FIXTURE_TEARDOWN(at_error)
{
	semctl(self->semid, 0, IPC_RMID);
}

#define EXPECT_ERROR_AT(error, dirfd, path, argv, envp) do { \
	take_snapshot(&self->before, self->semid); \
	EXPECT_EQ(-1, sys_execnsat(dirfd, path, argv, envp, &self->request.args, \
				   sizeof(self->request.args))); \
	EXPECT_EQ(error, errno) TH_LOG("%s: %s", #path, strerror(errno)); \
	take_snapshot(&self->after, self->semid); \
	EXPECT_INTACT(&self->before, &self->after); \
	EXPECT_EQ(0, try_clone_fs()); \
} while (0)

#define EXPECT_ERROR(error, path) \
	EXPECT_ERROR_AT(error, self->dirfd, path, arguments, environ)

/* Not mapped. */
#define BAD ((void *)16)

TEST_F(at_error, of_lookup)
{
	static char name[8192];

	EXPECT_ERROR(ENOENT, "nonexistent");
	EXPECT_ERROR(ENOENT, "/nonexistent");
	EXPECT_ERROR(ENOENT, "");
	EXPECT_ERROR(ENOTDIR, "/proc/self/status/x");
	memset(name, 'x', sizeof(name) - 1);
	EXPECT_ERROR(ENAMETOOLONG, name);
	unlink(DIR_PATH "/loop");
	ASSERT_EQ(0, symlink("loop", DIR_PATH "/loop"));
	EXPECT_ERROR(ELOOP, "loop");
	EXPECT_ERROR_AT(EBADF, -1, "program", arguments, environ);
	EXPECT_ERROR_AT(EBADF, 1000, "program", arguments, environ);
	EXPECT_ERROR_AT(ENOENT, 1000, "/nonexistent", arguments, environ);
}

TEST_F(at_error, of_what_is_no_program)
{
	EXPECT_ERROR(EACCES, "/");
	EXPECT_ERROR(EACCES, ".");
	ASSERT_EQ(0, make_script(DIR_PATH "/mode", "#!/bin/sh\n"));
	ASSERT_EQ(0, chmod(DIR_PATH "/mode", 0644));
	EXPECT_ERROR(EACCES, "mode");
	unlink(DIR_PATH "/fifo");
	ASSERT_EQ(0, mkfifo(DIR_PATH "/fifo", 0777));
	EXPECT_ERROR(EACCES, "fifo");
	EXPECT_ERROR(EACCES, "/dev/null");
}

/* A check does not look into the file, as that of execveat() does not. */
TEST_F(at_error, of_contents)
{
	if (variant->at_flags & AT_EXECVE_CHECK)
		SKIP(return, "a check does not read the file");
	ASSERT_EQ(0, make_script(DIR_PATH "/exec", "neither script nor program\n"));
	EXPECT_ERROR(ENOEXEC, "exec");
	ASSERT_EQ(0, make_script(DIR_PATH "/exec", ""));
	EXPECT_ERROR(ENOEXEC, "exec");
	ASSERT_EQ(0, make_script(DIR_PATH "/script", "#!/nonexistent\n"));
	EXPECT_ERROR(ENOENT, DIR_PATH "/script");
	ASSERT_EQ(0, make_script(DIR_PATH "/script", "#!" DIR_PATH "/script\n"));
	EXPECT_ERROR(ELOOP, DIR_PATH "/script");
}

TEST_F(at_error, etxtbsy)
{
	int fd = open(DIR_PATH "/busy", O_RDWR | O_CREAT | O_CLOEXEC, 0755);

	ASSERT_LE(0, fd);
	EXPECT_ERROR(ETXTBSY, "busy");
	close(fd);
}

TEST_F(at_error, efault)
{
	char *const bads[] = { BAD, NULL };

	EXPECT_ERROR_AT(EFAULT, self->dirfd, BAD, arguments, environ);
	EXPECT_ERROR_AT(EFAULT, self->dirfd, NULL, arguments, environ);
	EXPECT_ERROR_AT(EFAULT, self->dirfd, "/bin/sh", BAD, environ);
	EXPECT_ERROR_AT(EFAULT, self->dirfd, "/bin/sh", arguments, BAD);
	EXPECT_ERROR_AT(EFAULT, self->dirfd, "/bin/sh", bads, environ);
	EXPECT_ERROR_AT(EFAULT, self->dirfd, "/bin/sh", arguments, bads);
}

/* Before all else that is wrong. */
TEST_F(at_error, of_arguments_come_first)
{
	self->request.args.reserved = 1;
	EXPECT_ERROR_AT(EINVAL, -1, BAD, BAD, BAD);
}

TEST_F(at_error, e2big)
{
	static char *many[100000];
	static char big[120000];
	size_t i;

	memset(big, 'x', sizeof(big) - 1);
	for (i = 0; i < ARRAY_SIZE(many) - 1; i++)
		many[i] = big;
	EXPECT_ERROR_AT(E2BIG, self->dirfd, "/bin/sh", many, environ);
}

TEST_F(at_error, of_descriptors)
{
	struct execns_fd closed = { 1000, 3 }, high = { 1, 1024 }, same[] = { { 1, 3 }, { 2, 3 } };
	struct rlimit limit;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 1024;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	self->request.args.nr_fds = 1;
	self->request.args.fds = PTR(&closed);
	EXPECT_ERROR(EBADF, "/bin/sh");
	self->request.args.fds = PTR(&high);
	EXPECT_ERROR(EBADF, "/bin/sh");
	self->request.args.nr_fds = 2;
	self->request.args.fds = PTR(same);
	EXPECT_ERROR(EINVAL, "/bin/sh");
}

/* What a user namespace would allow is not without. */
TEST_F(at_error, eperm)
{
	ASSERT_EQ(0, become_user(NULL));
	if (variant->all) {
		ask_for_all(&self->request, 1000, variant->at_flags);
		self->request.args.unshare_flags = ALL_NS & ~CLONE_NEWUSER;
		self->request.args.nr_uid_map = 0;
		self->request.args.nr_gid_map = 0;
		self->request.args.uid_map = 0;
		self->request.args.gid_map = 0;
		self->request.args.flags = 0;
	} else {
		self->request.args.unshare_flags = CLONE_NEWUTS;
	}
	/* The semaphore is root's. */
	self->semid = -1;
	EXPECT_ERROR(EPERM, "/bin/sh");
}

TEST_F(at_error, enospc)
{
	static const char path[] = "/proc/sys/user/max_uts_namespaces";
	char old[32];

	self->request.args.unshare_flags |= CLONE_NEWUTS;
	read_file(path, old, sizeof(old));
	ASSERT_EQ(0, write_file(path, "0"));
	EXPECT_ERROR(ENOSPC, "/bin/sh");
	ASSERT_EQ(0, write_file(path, old));
}

#define LIMIT "/proc/sys/user/max_uts_namespaces"

FIXTURE(check)
{
	struct snapshot before, after;
	struct request request;
	char limit[32];
};

FIXTURE_VARIANT(check)
{
	uid_t uid;
};

FIXTURE_VARIANT_ADD(check, root) { 0 };
FIXTURE_VARIANT_ADD(check, user) { 1000 };

FIXTURE_SETUP(check)
{
	read_file(LIMIT, self->limit, sizeof(self->limit));
	if (variant->uid)
		ASSERT_EQ(0, become_id(variant->uid));
	ask_for_all(&self->request, variant->uid, AT_EXECVE_CHECK);
	take_snapshot(&self->before, -1);
}

FIXTURE_TEARDOWN(check)
{
	if (!variant->uid)
		write_file(LIMIT, self->limit);
	take_snapshot(&self->after, -1);
	EXPECT_INTACT(&self->before, &self->after);
	EXPECT_EQ(0, try_clone_fs());
}

static int check_all(struct request *request)
{
	return sys_execnsat(AT_FDCWD, "./execns_report", arguments, environ, &request->args,
			    sizeof(request->args));
}

TEST_F(check, succeeds_and_changes_nothing)
{
	EXPECT_EQ(0, check_all(&self->request)) TH_LOG("%s", strerror(errno));
}

/*
 * What was staged is given back, so that it can be staged again. A kernel with
 * KASAN and lockdep takes its time.
 */
TEST_F_TIMEOUT(check, leaks_nothing, 240)
{
	int i, busy = 0;

	/* Only root may set the limit, and it is that of the namespace's creator. */
	if (!variant->uid)
		ASSERT_EQ(0, write_file(LIMIT, "5"));
	for (i = 0; i < rounds_of(200) && busy < 1000; i++) {
		if (!check_all(&self->request))
			continue;
		ASSERT_EQ(ENOSPC, errno);
		busy++;
		usleep(1000);
	}
	EXPECT_EQ(rounds_of(200), i);
	EXPECT_GT(1000, busy);
}

/* What has been checked can be done. */
TEST_F(check, is_followed_by_the_call)
{
	struct spawn spawn = { .how = BY_EXECNSAT, .args = &self->request.args };
	static struct report report;
	size_t i;

	ASSERT_EQ(0, check_all(&self->request)) TH_LOG("%s", strerror(errno));
	self->request.args.at_flags = 0;
	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("1 2 40 ", report_get(&report, "fds"));
	EXPECT_STREQ("0 0 0 0", report_get(&report, "ids"));
	for (i = 0; i < NR_NAMESPACES; i++)
		if (namespaces[i].flag)
			EXPECT_NE(self->before.ns[i], report_ns(&report, namespaces[i].name))
				TH_LOG("%s", namespaces[i].name);
}

/* A thread, a sharer of the table and one of the root see nothing of it. */
TEST_F(check, in_a_sharer)
{
	struct clone_args clone = { .flags = CLONE_FILES | CLONE_FS, .exit_signal = SIGCHLD };
	pid_t child = syscall(__NR_clone3, &clone, sizeof(clone));
	int status;

	if (!child)
		_exit(check_all(&self->request) ? errno : 0);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
}

TEST_HARNESS_MAIN
