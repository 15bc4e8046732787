// SPDX-License-Identifier: GPL-2.0
/* Callers with threads, sharers, a vfork() parent or a tracer. */
#include "execns_test.h"

#include <poll.h>
#include <pthread.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define REPORT "/tmp/process.report"

static struct report report;

static void start_report(void)
{
	close(open(REPORT, O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0666));
	chmod(REPORT, 0666);
}

static void finish_report(void)
{
	read_file(REPORT, report.text, sizeof(report.text));
	unlink(REPORT);
}

static int exec_report(void *data)
{
	char *const argv[] = { "execns_report", REPORT, NULL };

	sys_execns(*(int *)data, "./execns_report", argv, environ);
	return EXEC_FAILED;
}

static void *in_read(void *unused)
{
	int fds[2];
	char byte;

	(void)unused;
	if (!pipe(fds) && read(fds[0], &byte, 1))
		return NULL;
	return NULL;
}

static void *in_poll(void *unused)
{
	poll(NULL, 0, -1);
	return unused;
}

static void *in_sleep(void *unused)
{
	sleep(1000);
	return unused;
}

static void *in_wait(void *unused)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t cond = PTHREAD_COND_INITIALIZER;

	pthread_mutex_lock(&mutex);
	pthread_cond_wait(&cond, &mutex);
	return unused;
}

static void *in_loop(void *unused)
{
	for (;;)
		getppid();
	return unused;
}

static void *in_execns(void *data)
{
	exec_report(data);
	return NULL;
}

static void start_threads(void)
{
	static void *(*const where[])(void *) = { in_read, in_poll, in_sleep, in_wait, in_loop };
	pthread_t thread;
	int i;

	for (i = 0; i < 10; i++)
		pthread_create(&thread, NULL, where[i % 5], NULL);
	usleep(50000);
}

FIXTURE(threads)
{
};

FIXTURE_VARIANT(threads)
{
	int flags;
	bool leader;
	bool user;
};

FIXTURE_VARIANT_ADD(threads, leader_none) { 0, true, false };
FIXTURE_VARIANT_ADD(threads, leader_all) { ALL_NS, true, false };
FIXTURE_VARIANT_ADD(threads, leader_user) { CLONE_NEWUSER, true, true };
FIXTURE_VARIANT_ADD(threads, leader_user_all) { ALL_NS, true, true };
FIXTURE_VARIANT_ADD(threads, other_none) { 0, false, false };
FIXTURE_VARIANT_ADD(threads, other_all) { ALL_NS, false, false };
FIXTURE_VARIANT_ADD(threads, other_user) { CLONE_NEWUSER, false, true };
FIXTURE_VARIANT_ADD(threads, other_user_all) { ALL_NS, false, true };
FIXTURE_VARIANT_ADD(threads, other_thread_vm) { CLONE_THREAD | CLONE_VM | CLONE_SIGHAND, false };

FIXTURE_SETUP(threads)
{
	start_report();
}

FIXTURE_TEARDOWN(threads)
{
}

/* Where unshare() says EINVAL. */
TEST_F(threads, one_is_left)
{
	char pid[32];
	int status;
	pid_t child = fork();

	if (!child) {
		int flags = variant->flags;
		pthread_t thread;

		if (variant->user)
			become_user(NULL);
		start_threads();
		if (flags & CLONE_NEWUSER && (unshare(flags) != -1 || errno != EINVAL))
			_exit(97);
		if (variant->leader)
			_exit(exec_report(&flags));
		pthread_create(&thread, NULL, in_execns, &flags);
		pthread_join(thread, NULL);
		_exit(98);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(0, status);
	finish_report();
	EXPECT_STREQ("\t1", report_get(&report, "status/Threads"));
	/* Whatever thread called, the program is the process. */
	snprintf(pid, sizeof(pid), "%d", child);
	EXPECT_STREQ(pid, report_get(&report, "pid"));
	EXPECT_STREQ("", report_get(&report, "fds"));
}

static void *in_race(void *data)
{
	pthread_barrier_wait(data);
	exec_report(&(int){ ALL_NS });
	return NULL;
}

/* If all threads call at once, one of them gets through. */
TEST(threads_race)
{
	int round;

	for (round = 0; round < 10; round++) {
		int status;
		pid_t child;

		start_report();
		child = fork();
		if (!child) {
			pthread_barrier_t barrier;
			pthread_t thread;
			int i;

			pthread_barrier_init(&barrier, NULL, 9);
			for (i = 0; i < 8; i++)
				pthread_create(&thread, NULL, in_race, &barrier);
			in_race(&barrier);
			_exit(98);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status);
		finish_report();
		EXPECT_STREQ("1", report_get(&report, "end"));
	}
}

/* A call that fails does not cost the caller its threads. */
TEST(failure_keeps_threads)
{
	struct snapshot before, after;
	char *const argv[] = { "x", NULL };
	int flags[] = { 0, CLONE_NEWUSER, ALL_NS };
	int i;

	start_threads();
	take_snapshot(&before, -1);
	ASSERT_NE(NULL, strstr(before.status, "Threads:\t11"));
	for (i = 0; i < 3; i++) {
		ASSERT_EQ(-1, sys_execns(flags[i], "/nonexistent", argv, environ));
		ASSERT_EQ(ENOENT, errno);
		take_snapshot(&after, -1);
		EXPECT_INTACT(&before, &after);
	}
}

FIXTURE(vfork)
{
};

FIXTURE_VARIANT(vfork)
{
	int flags;
	int clone_flags;
};

FIXTURE_VARIANT_ADD(vfork, none) { 0, 0 };
FIXTURE_VARIANT_ADD(vfork, all) { ALL_NS, 0 };
FIXTURE_VARIANT_ADD(vfork, files) { ALL_NS, CLONE_FILES };
FIXTURE_VARIANT_ADD(vfork, fs) { ALL_NS, CLONE_FS };
FIXTURE_VARIANT_ADD(vfork, files_fs_none) { 0, CLONE_FILES | CLONE_FS };
FIXTURE_VARIANT_ADD(vfork, files_fs) { ALL_NS, CLONE_FILES | CLONE_FS | CLONE_SYSVSEM };

FIXTURE_SETUP(vfork)
{
	start_report();
}

FIXTURE_TEARDOWN(vfork)
{
}

/* Aligned as a stack has to be. */
static long double vfork_stack[4096];

/*
 * The parent goes on when the child has its new mm. It must find the child
 * with all that is new, and itself with all that it had.
 */
TEST_F_TIMEOUT(vfork, parent_sees_the_new_program, 120)
{
	struct snapshot before, after;
	int flags = variant->flags, round;
	size_t i;

	take_snapshot(&before, -1);
	for (round = 0; round < rounds_of(100); round++) {
		char pid[32];
		ino_t ns[NR_NAMESPACES];
		int status;
		pid_t child = clone(exec_report, vfork_stack + ARRAY_SIZE(vfork_stack),
				    CLONE_VM | CLONE_VFORK | variant->clone_flags | SIGCHLD,
				    &flags);

		ASSERT_LT(0, child);
		snprintf(pid, sizeof(pid), "%d", child);
		for (i = 0; i < NR_NAMESPACES; i++)
			ns[i] = ns_inode(pid, namespaces[i].name);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status);
		for (i = 0; i < NR_NAMESPACES; i++) {
			if (flags & namespaces[i].flag && ns[i])
				ASSERT_NE(before.ns[i], ns[i])
					TH_LOG("round %d: old %s", round, namespaces[i].name);
		}
	}
	take_snapshot(&after, -1);
	EXPECT_INTACT(&before, &after);
	finish_report();
	EXPECT_STREQ("", report_get(&report, "fds"));
}

static int chdir_in_child(void *unused)
{
	(void)unused;
	return chdir("/");
}

static int exec_failing(void *data)
{
	char *const argv[] = { "x", NULL };

	sys_execns(*(int *)data, "/nonexistent", argv, environ);
	return errno;
}

/* Sharing of root and cwd ends with the flags that say so, and with these only. */
TEST(shared_fs)
{
	static const int flags[] = { CLONE_FS, CLONE_NEWNS, CLONE_NEWUSER, ALL_NS };
	char cwd[512], now[512];
	int status;
	size_t i;
	pid_t child;

	ASSERT_NE(NULL, getcwd(cwd, sizeof(cwd)));
	for (i = 0; i < 4; i++) {
		/* A failure leaves them sharing. */
		child = clone(exec_failing, vfork_stack + ARRAY_SIZE(vfork_stack),
			      CLONE_VM | CLONE_VFORK | CLONE_FS | SIGCHLD, (void *)&flags[i]);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(ENOENT, WEXITSTATUS(status));
		start_report();
		child = clone(exec_report, vfork_stack + ARRAY_SIZE(vfork_stack),
			      CLONE_VM | CLONE_VFORK | CLONE_FS | SIGCHLD, (void *)&flags[i]);
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status);
		ASSERT_NE(NULL, getcwd(now, sizeof(now)));
		EXPECT_STREQ(cwd, now);
		finish_report();
		EXPECT_STREQ(cwd, report_get(&report, "cwd"));
	}
	child = clone(chdir_in_child, vfork_stack + ARRAY_SIZE(vfork_stack),
		      CLONE_VM | CLONE_VFORK | CLONE_FS | SIGCHLD, NULL);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_NE(NULL, getcwd(now, sizeof(now)));
	EXPECT_STREQ("/", now);
	EXPECT_EQ(0, try_clone_fs());
}

FIXTURE(traced)
{
};

FIXTURE_VARIANT(traced)
{
	int flags;
	bool user;
};

FIXTURE_VARIANT_ADD(traced, none) { 0, false };
FIXTURE_VARIANT_ADD(traced, all) { ALL_NS, false };
FIXTURE_VARIANT_ADD(traced, by_user) { ALL_NS, true };

FIXTURE_SETUP(traced)
{
	ASSERT_EQ(0, private_tmp());
	start_report();
}

FIXTURE_TEARDOWN(traced)
{
}

/* Pass signals on until the tracee has exited. Returns its status. */
static int trace_to_exit(pid_t child)
{
	int status, signal = 0;

	do {
		if (ptrace(PTRACE_CONT, child, NULL, signal) ||
		    waitpid(child, &status, 0) != child)
			return -1;
		signal = WSTOPSIG(status);
	} while (WIFSTOPPED(status));
	return status;
}

TEST_F(traced, exec_event_comes_with_the_new_program)
{
	char pid[32];
	int status, flags = variant->flags;
	unsigned long message = 0;
	pid_t child;

	if (variant->user)
		ASSERT_EQ(0, become_user(NULL));
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(exec_report(&flags));
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACEEXEC));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, child, NULL, NULL));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_EQ(SIGTRAP | PTRACE_EVENT_EXEC << 8, status >> 8);
	ASSERT_EQ(0, ptrace(PTRACE_GETEVENTMSG, child, NULL, &message));
	EXPECT_EQ((unsigned long)child, message);
	snprintf(pid, sizeof(pid), "%d", child);
	if (flags)
		EXPECT_NE(ns_inode("self", "uts"), ns_inode(pid, "uts"));
	EXPECT_EQ(0, trace_to_exit(child));
	finish_report();
	EXPECT_STREQ("1", report_get(&report, "end"));
}

/* Setuid under an unprivileged tracer gives nothing, as with execve(). */
TEST(traced_setuid_program_gains_nothing)
{
	char *const argv[] = { "/tmp/process.setuid", REPORT, NULL };
	int status;
	pid_t child;

	ASSERT_EQ(0, private_tmp());
	start_report();
	ASSERT_EQ(0, copy_program("execns_report", argv[0], 0, 04755));
	ASSERT_EQ(0, become_user(NULL));
	child = fork();
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		sys_execns(0, argv[0], argv, environ);
		_exit(EXEC_FAILED);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(0, trace_to_exit(child));
	read_file(REPORT, report.text, sizeof(report.text));
	EXPECT_STREQ("1000 1000 1000 1000", report_get(&report, "ids"));
}

TEST_HARNESS_MAIN
