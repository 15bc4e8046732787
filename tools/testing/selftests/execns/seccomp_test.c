// SPDX-License-Identifier: GPL-2.0
/* A filter that knows unshare(), execve() and execveat() holds for execns() as well. */
#include "seccomp_filter.h"

#include <linux/prctl.h>
#include <pthread.h>

FIXTURE(action)
{
	int listener;
};

FIXTURE_VARIANT(action)
{
	unsigned int action;
	bool closed;
};

FIXTURE_VARIANT_ADD(action, errno_0) { SECCOMP_RET_ERRNO };
FIXTURE_VARIANT_ADD(action, errno_eperm) { SECCOMP_RET_ERRNO | EPERM };
FIXTURE_VARIANT_ADD(action, errno_enosys) { SECCOMP_RET_ERRNO | ENOSYS };
FIXTURE_VARIANT_ADD(action, errno_4095) { SECCOMP_RET_ERRNO | 4095 };
FIXTURE_VARIANT_ADD(action, errno_more) { SECCOMP_RET_ERRNO | 0xffff };
FIXTURE_VARIANT_ADD(action, kill_process) { SECCOMP_RET_KILL_PROCESS };
FIXTURE_VARIANT_ADD(action, kill_thread) { SECCOMP_RET_KILL_THREAD };
FIXTURE_VARIANT_ADD(action, trap) { SECCOMP_RET_TRAP | 1 };
FIXTURE_VARIANT_ADD(action, trace) { SECCOMP_RET_TRACE | 1 };
FIXTURE_VARIANT_ADD(action, user_notif) { SECCOMP_RET_USER_NOTIF };
FIXTURE_VARIANT_ADD(action, user_notif_closed) { SECCOMP_RET_USER_NOTIF, true };
/* The kernel kills for what it does not know. */
FIXTURE_VARIANT_ADD(action, unknown) { 0x12340000 };

FIXTURE_SETUP(action)
{
	self->listener = -1;
}

FIXTURE_TEARDOWN(action)
{
}

static int install_action(struct rule rule, unsigned int action, bool closed)
{
	int listener;

	rule.action = action;
	if (action != SECCOMP_RET_USER_NOTIF)
		return install_rule(&rule) ? -2 : -1;
	listener = install_rules(&rule, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER);
	if (closed && !close(listener))
		return -1;
	return listener < 0 ? -2 : listener;
}

#define INSTALL_ACTION(...) do { \
	self->listener = install_action((struct rule){ __VA_ARGS__ }, variant->action, \
					variant->closed); \
	ASSERT_LE(-1, self->listener); \
} while (0)

#define EXPECT_SILENCE() do { \
	if (self->listener >= 0) \
		EXPECT_TRUE(is_silent(self->listener)); \
} while (0)

/* As RestrictNamespaces= of systemd does for each namespace. */
TEST_F(action, on_one_flag_of_unshare)
{
	INSTALL_ACTION(.nr = __NR_unshare, .mask = CLONE_NEWUSER, .value = CLONE_NEWUSER);
	EXPECT_DENIED(ns(REPORT, CLONE_NEWUSER));
	EXPECT_DENIED(ns(REPORT, ALL_NS));
	EXPECT_DENIED(ns(NOWHERE, CLONE_NEWUSER | CLONE_FS));
	EXPECT_DENIED(at(REPORT, CLONE_NEWUSER));
	EXPECT_DENIED(at_flags_of(REPORT, ALL_NS, AT_EXECVE_CHECK));
	EXPECT_PASSES(ns(NOWHERE, CLONE_NEWUTS));
	EXPECT_PASSES(ns(NOWHERE, ALL_NS & ~CLONE_NEWUSER));
	EXPECT_PASSES(ns(NOWHERE, 0));
	EXPECT_PASSES(at(NOWHERE, CLONE_NEWUTS));
	EXPECT_PASSES(at(NOWHERE, 0));
	EXPECT_EQ(0, at_flags_of(REPORT, CLONE_NEWUTS, AT_EXECVE_CHECK));
	EXPECT_SILENCE();
}

TEST_F(action, on_unshare)
{
	struct report report;
	size_t i;

	INSTALL_ACTION(.nr = __NR_unshare);
	for (i = 0; i < NR_NAMESPACES; i++) {
		if (!namespaces[i].flag)
			continue;
		EXPECT_DENIED(ns(REPORT, namespaces[i].flag));
		EXPECT_DENIED(at(REPORT, namespaces[i].flag));
	}
	/* These do something as well, or nothing. */
	EXPECT_DENIED(ns(REPORT, CLONE_FS));
	EXPECT_DENIED(ns(REPORT, CLONE_FILES));
	/* Nothing is unshared: it is not asked about. */
	report_by(BY_EXECNS, 0, &report);
	EXPECT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_EQ(0, at_flags_of(REPORT, 0, AT_EXECVE_CHECK));
	EXPECT_SILENCE();
}

TEST_F(action, on_execve)
{
	INSTALL_ACTION(.nr = __NR_execve);
	EXPECT_DENIED(ns(REPORT, 0));
	EXPECT_DENIED(ns(REPORT, CLONE_NEWUTS));
	EXPECT_DENIED(ns(NOWHERE, ALL_NS));
	EXPECT_PASSES(at(NOWHERE, 0));
	EXPECT_PASSES(at(NOWHERE, ALL_NS));
	EXPECT_SILENCE();
}

TEST_F(action, on_execveat)
{
	INSTALL_ACTION(.nr = __NR_execveat);
	EXPECT_DENIED(at(REPORT, 0));
	EXPECT_DENIED(at(REPORT, CLONE_NEWUTS));
	EXPECT_DENIED(at(NOWHERE, ALL_NS));
	EXPECT_DENIED(at_flags_of(REPORT, 0, AT_EXECVE_CHECK));
	EXPECT_PASSES(ns(NOWHERE, 0));
	EXPECT_PASSES(ns(NOWHERE, ALL_NS));
	EXPECT_SILENCE();
}

/* It holds for who has inherited it, and is not lost on the way. */
TEST_F(action, of_a_parent)
{
	struct rule rule = { .nr = __NR_unshare, .action = variant->action };
	struct spawn spawn = { .how = BY_EXECNS, .setup = setup_rule, .data = &rule };
	struct report report;

	spawn_report(&spawn, &report);
	EXPECT_EQ(0, report.exit);
	EXPECT_STREQ("\t2", report_get(&report, "status/Seccomp"));
	spawn.flags = CLONE_NEWUTS;
	spawn_report(&spawn, &report);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EPERM, report.error);
}

TEST(allowing_actions_let_pass)
{
	const unsigned int actions[] = { SECCOMP_RET_ALLOW, SECCOMP_RET_LOG };
	struct report report;
	size_t i, call;

	for (i = 0; i < ARRAY_SIZE(actions); i++) {
		const int calls[] = { __NR_unshare, __NR_execve, __NR_execveat };

		for (call = 0; call < ARRAY_SIZE(calls); call++)
			ASSERT_EQ(0, deny(calls[call], actions[i]));
		EXPECT_PASSES(ns(NOWHERE, ALL_NS));
		EXPECT_PASSES(at(NOWHERE, ALL_NS));
		report_by(BY_EXECNS, ALL_NS, &report);
		EXPECT_EQ(0, report.exit);
	}
}

/* One that is not privileged has filters too. */
TEST(of_a_user)
{
	ASSERT_EQ(0, become_user(NULL));
	ASSERT_EQ(0, deny(__NR_unshare, SECCOMP_RET_KILL_PROCESS));
	EXPECT_DENIED(ns(REPORT, CLONE_NEWUSER));
	EXPECT_DENIED(at(REPORT, CLONE_NEWUSER));
	EXPECT_PASSES(ns(NOWHERE, 0));
}

TEST(one_of_several_denies)
{
	const struct rule all = { .nr = __NR_unshare, .action = SECCOMP_RET_ALLOW };
	const struct rule one = {
		.nr = __NR_unshare, .mask = CLONE_NEWNET, .value = CLONE_NEWNET,
		.action = SECCOMP_RET_ERRNO | ENOSYS,
	};
	const struct rule log = { .nr = __NR_unshare, .action = SECCOMP_RET_LOG };

	ASSERT_EQ(0, install_rule(&all));
	ASSERT_EQ(0, install_rule(&one));
	ASSERT_EQ(0, install_rule(&log));
	EXPECT_DENIED(ns(REPORT, CLONE_NEWNET));
	EXPECT_DENIED(at(REPORT, CLONE_NEWNET | CLONE_NEWUTS));
	EXPECT_PASSES(ns(NOWHERE, CLONE_NEWUTS));
	/* What denies first does not stop the others from being asked about other calls. */
	ASSERT_EQ(0, deny(__NR_execve, SECCOMP_RET_TRAP));
	EXPECT_DENIED(ns(NOWHERE, CLONE_NEWUTS));
	EXPECT_PASSES(at(NOWHERE, CLONE_NEWUTS));
}

static void *install_in_thread(void *flags)
{
	const struct rule rule = { .nr = __NR_unshare, .action = SECCOMP_RET_KILL_PROCESS };

	return (void *)(long)install_rules(&rule, 1, *(unsigned int *)flags);
}

/* Who has been joined may still be counted. */
static void join_and_wait(pthread_t thread, void **result)
{
	struct stat st;

	pthread_join(thread, result);
	while (!stat("/proc/self/task", &st) && st.st_nlink > 3)
		usleep(1000);
}

TEST(of_another_thread_only_if_synchronized)
{
	unsigned int flags[] = { 0, SECCOMP_FILTER_FLAG_TSYNC };
	pthread_t thread;
	void *result;

	ASSERT_EQ(0, pthread_create(&thread, NULL, install_in_thread, &flags[0]));
	join_and_wait(thread, &result);
	ASSERT_EQ(NULL, result);
	EXPECT_PASSES(ns(NOWHERE, CLONE_NEWUTS));
	EXPECT_PASSES(at(NOWHERE, CLONE_NEWUTS));
	ASSERT_EQ(0, pthread_create(&thread, NULL, install_in_thread, &flags[1]));
	join_and_wait(thread, &result);
	ASSERT_EQ(NULL, result);
	EXPECT_DENIED(ns(REPORT, CLONE_NEWUTS));
	EXPECT_DENIED(at(REPORT, CLONE_NEWUTS));
}

/* What is wrong with the call itself is found whatever a filter says. */
TEST(malformed_calls_are_found_first)
{
	struct execns_args args = { .unshare_flags = CLONE_NEWUTS };
	char buffer[sizeof(args) + 8] = { 0 };

	ASSERT_EQ(0, deny(__NR_unshare, SECCOMP_RET_KILL_PROCESS));
	ASSERT_EQ(0, deny(__NR_execve, SECCOMP_RET_KILL_PROCESS));
	ASSERT_EQ(0, deny(__NR_execveat, SECCOMP_RET_KILL_PROCESS));
	EXPECT_CALL_FAILS(EINVAL, ns(REPORT, CLONE_NEWUTS | CLONE_PIDFD));
	EXPECT_CALL_FAILS(EINVAL, ns(REPORT, UNSHARE_EMPTY_MNTNS));
	EXPECT_CALL_FAILS(EINVAL, at(REPORT, CLONE_PIDFD));
	EXPECT_CALL_FAILS(EINVAL, at(REPORT, 1ULL << 32 | CLONE_NEWUTS));
	EXPECT_CALL_FAILS(EINVAL, at_flags_of(REPORT, CLONE_NEWUTS, AT_NO_AUTOMOUNT));
#define CALL(args, size) sys_execnsat(AT_FDCWD, REPORT, NULL, NULL, args, size)
	EXPECT_CALL_FAILS(EFAULT, CALL((void *)16, sizeof(args)));
	EXPECT_CALL_FAILS(EINVAL, CALL(&args, sizeof(args) - 1));
	EXPECT_CALL_FAILS(E2BIG, CALL(&args, 1 << 20));
	memcpy(buffer, &args, sizeof(args));
	buffer[sizeof(args)] = 1;
	EXPECT_CALL_FAILS(E2BIG, CALL(buffer, sizeof(buffer)));
	args.flags = EXECNS_SET_IDS;
	EXPECT_CALL_FAILS(EINVAL, CALL(&args, sizeof(args)));
	args.flags = 0;
	args.fds = 16;
	args.nr_fds = 1;
	EXPECT_CALL_FAILS(EFAULT, CALL(&args, sizeof(args)));
	args.fds = 0;
	args.nr_fds = 0;
	EXPECT_DENIED(CALL(&args, sizeof(args)));
	/* So is a path that can not be read, but not what argv has. */
	EXPECT_CALL_FAILS(EFAULT, ns((char *)16, 0));
	EXPECT_CALL_FAILS(EFAULT, at((char *)16, 0));
	EXPECT_CALL_FAILS(ENOENT, ns("", 0));
	EXPECT_CALL_FAILS(ENOENT, at("", 0));
	EXPECT_DENIED(at_flags_of("", 0, AT_EMPTY_PATH));
	EXPECT_DENIED(sys_execns(0, REPORT, (char **)16, (char **)16));
	EXPECT_DENIED(sys_execnsat(-1, "x", (char **)16, (char **)16, &args, sizeof(args)));
}

/* A limit would be hit before the program is not found. */
TEST(nothing_is_created_before)
{
	static const char *const kinds[] = {
		"cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts",
	};
	static const char all[] = "0 0 4294967295";
	char path[64];
	size_t i;

	ASSERT_EQ(0, enter_userns(0, NULL, all, all));
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kinds[i]);
		ASSERT_EQ(0, write_file(path, "0")) TH_LOG("%s", path);
	}
	for (i = 0; i < NR_NAMESPACES; i++)
		if (namespaces[i].flag)
			EXPECT_CALL_FAILS(ENOSPC, ns(NOWHERE, namespaces[i].flag));
	/* It is the last that is asked about. */
	ASSERT_EQ(0, deny(__NR_execve, SECCOMP_RET_ERRNO | ENOENT));
	ASSERT_EQ(0, deny(__NR_execveat, SECCOMP_RET_ERRNO | ENOENT));
	for (i = 0; i < NR_NAMESPACES; i++) {
		if (!namespaces[i].flag)
			continue;
		EXPECT_DENIED(ns(NOWHERE, namespaces[i].flag));
		EXPECT_DENIED(at(NOWHERE, namespaces[i].flag));
	}
	EXPECT_DENIED(at_flags_of(NOWHERE, ALL_NS, AT_EXECVE_CHECK));
}

static int call_in_strict_mode(bool is_at)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
			_exit(98);
		if (is_at)
			at(REPORT, 0);
		else
			ns(REPORT, 0);
		syscall(__NR_exit, EXEC_FAILED);
	}
	waitpid(child, &status, 0);
	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

TEST(strict_mode_kills)
{
	EXPECT_EQ(SIGKILL, call_in_strict_mode(false));
	EXPECT_EQ(SIGKILL, call_in_strict_mode(true));
}

TEST_HARNESS_MAIN
