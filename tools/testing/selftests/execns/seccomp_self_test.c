// SPDX-License-Identifier: GPL-2.0
/* A filter that names execns() or execnsat(), and tracers. */
#include "seccomp_filter.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>

#define OUT "/tmp/execns.seccomp"
#define COOKIE 0x123

FIXTURE(self)
{
	struct execns_args args;
	int nr;
};

FIXTURE_VARIANT(self)
{
	bool at;
};

FIXTURE_VARIANT_ADD(self, execns) { false };
FIXTURE_VARIANT_ADD(self, execnsat) { true };

FIXTURE_SETUP(self)
{
	self->args.unshare_flags = CLONE_NEWUTS;
	self->nr = variant->at ? __NR_execnsat : __NR_execns;
	unlink(OUT);
}

FIXTURE_TEARDOWN(self)
{
	unlink(OUT);
}

static char path[] = REPORT;
static char *argv_of_report[] = { path, OUT, NULL };

static int call(const struct execns_args *args, bool is_at)
{
	if (is_at)
		return sys_execnsat(AT_FDCWD, path, argv_of_report, environ, args, sizeof(*args));
	return sys_execns(args->unshare_flags, path, argv_of_report, environ);
}

/* How a child ends that makes the call: -signal, or 100 more than the errno of a failure. */
static int call_in_child(const struct execns_args *args, bool is_at, int (*before)(void *data),
			 void *data)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (before && before(data))
			_exit(98);
		_exit(call(args, is_at) ? 100 + errno : 99);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_F(self, actions_are_taken)
{
	static const struct {
		unsigned int action;
		int end;
	} rows[] = {
		{ SECCOMP_RET_ERRNO | EXDEV, 100 + EXDEV },
		{ SECCOMP_RET_ERRNO | EPERM, 100 + EPERM },
		{ SECCOMP_RET_KILL_PROCESS, -SIGSYS },
		{ SECCOMP_RET_KILL_THREAD, -SIGSYS },
		{ SECCOMP_RET_TRAP, -SIGSYS },
		/* Without a tracer or a listener. */
		{ SECCOMP_RET_TRACE, 100 + ENOSYS },
		{ SECCOMP_RET_USER_NOTIF, 100 + ENOSYS },
		/* It does not happen. */
		{ SECCOMP_RET_ERRNO | 0, 99 },
		{ SECCOMP_RET_LOG, 0 },
		{ SECCOMP_RET_ALLOW, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct rule rule = { .nr = self->nr, .action = rows[i].action };

		EXPECT_EQ(rows[i].end, call_in_child(&self->args, variant->at, setup_rule, &rule))
			TH_LOG("action %#x", rows[i].action);
		/* The other one is another call. */
		rule.nr ^= __NR_execns ^ __NR_execnsat;
		EXPECT_EQ(0, call_in_child(&self->args, variant->at, setup_rule, &rule));
	}
}

static siginfo_t trapped;

static void on_sigsys(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	trapped = *info;
}

TEST_F(self, trap_says_which_call_it_is)
{
	struct sigaction action = { .sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO };
	struct snapshot before, after;

	ASSERT_EQ(0, sigaction(SIGSYS, &action, NULL));
	ASSERT_EQ(0, deny(self->nr, SECCOMP_RET_TRAP | 77));
	take_snapshot(&before, -1);
	call(&self->args, variant->at);
	take_snapshot(&after, -1);
	EXPECT_INTACT(&before, &after);
	EXPECT_EQ(SIGSYS, trapped.si_signo);
	EXPECT_EQ(self->nr, trapped.si_syscall);
	EXPECT_EQ(77, trapped.si_errno);
	/* Of what it amounts to, there is no signal. */
	memset(&trapped, 0, sizeof(trapped));
	ASSERT_EQ(0, deny(__NR_unshare, SECCOMP_RET_TRAP | 78));
	EXPECT_DENIED(variant->at ? ns(REPORT, CLONE_NEWUTS) : at(REPORT, CLONE_NEWUTS));
	EXPECT_EQ(0, trapped.si_signo);
}

/* Start a child that makes the call, and receive the notification of it. */
static pid_t be_notified(struct __test_metadata *_metadata, int listener,
			 const struct execns_args *args, bool is_at, struct seccomp_notif *notif)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };
	pid_t child = fork();

	if (!child)
		_exit(call(args, is_at) ? 100 + errno : 99);
	memset(notif, 0, sizeof(*notif));
	EXPECT_EQ(1, poll(&poll_fd, 1, 10000));
	EXPECT_EQ(0, ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, notif));
	EXPECT_EQ((__u32)child, notif->pid);
	return child;
}

static int answer(int listener, const struct seccomp_notif *notif, int error, unsigned int flags)
{
	struct seccomp_notif_resp response = { .id = notif->id, .error = error, .flags = flags };

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static int listen_to(int nr)
{
	struct rule rule = { .nr = nr, .action = SECCOMP_RET_USER_NOTIF };

	return install_rules(&rule, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

TEST_F(self, notification_has_the_arguments)
{
	int status, listener = listen_to(self->nr);
	struct seccomp_notif notif;
	pid_t child;

	ASSERT_LE(0, listener);
	child = be_notified(_metadata, listener, &self->args, variant->at, &notif);
	EXPECT_EQ(self->nr, notif.data.nr);
	EXPECT_EQ(variant->at ? AT_FDCWD : CLONE_NEWUTS, (int)notif.data.args[0]);
	EXPECT_EQ(PTR(path), notif.data.args[1]);
	EXPECT_EQ(PTR(argv_of_report), notif.data.args[2]);
	EXPECT_EQ(PTR(environ), notif.data.args[3]);
	if (variant->at) {
		EXPECT_EQ(PTR(&self->args), notif.data.args[4]);
		EXPECT_EQ(sizeof(self->args), notif.data.args[5]);
	}
	EXPECT_EQ(0, answer(listener, &notif, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, access(OUT, F_OK));
	/* Or it does not happen. */
	child = be_notified(_metadata, listener, &self->args, variant->at, &notif);
	EXPECT_EQ(0, answer(listener, &notif, -EXDEV, 0));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(100 + EXDEV, WEXITSTATUS(status));
}

/* Who lets the call continue does not allow what other filters deny. */
TEST_F(self, notification_before_other_filters)
{
	int status, listener = listen_to(self->nr);
	struct seccomp_notif notif;
	pid_t child;

	ASSERT_LE(0, listener);
	ASSERT_EQ(0, deny(__NR_unshare, SECCOMP_RET_KILL_PROCESS));
	child = be_notified(_metadata, listener, &self->args, variant->at, &notif);
	EXPECT_EQ(0, answer(listener, &notif, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(100 + EPERM, WEXITSTATUS(status));
	EXPECT_TRUE(is_silent(listener));
}

static int stop_with_rules(void *rules)
{
	const struct rule *rule;

	if (ptrace(PTRACE_TRACEME, 0, 0, 0))
		return -1;
	for (rule = rules; rule->action; rule++)
		if (install_rule(rule))
			return -1;
	return raise(SIGSTOP);
}

/* As call_in_child(), traced. Counts the events of seccomp. */
static int call_traced(const struct execns_args *args, bool is_at, struct rule *rules,
		       unsigned long options, int *events)
{
	unsigned long message = 0;
	int status, signal;
	pid_t child;

	*events = 0;
	child = fork();
	if (!child) {
		if (stop_with_rules(rules))
			_exit(98);
		_exit(call(args, is_at) ? 100 + errno : 99);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, child, 0, options))
		return -1000;
	for (;;) {
		signal = WSTOPSIG(status);
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8)) {
			ptrace(PTRACE_GETEVENTMSG, child, 0, &message);
			*events += message == COOKIE ? 1 : 1000;
		}
		ptrace(PTRACE_CONT, child, 0, signal == SIGSTOP || signal == SIGTRAP ? 0 : signal);
		if (waitpid(child, &status, 0) != child)
			return -1001;
		if (!WIFSTOPPED(status))
			return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
	}
}

#define TRACE_OPTIONS (PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL)

TEST_F(self, tracer_lets_it_continue)
{
	struct rule rules[] = {
		{ .nr = self->nr, .action = SECCOMP_RET_TRACE | COOKIE }, {}, {},
	};
	int events;

	EXPECT_EQ(0, call_traced(&self->args, variant->at, rules, TRACE_OPTIONS, &events));
	EXPECT_EQ(1, events);
	/* But what others deny is denied, without a word. */
	rules[1] = (struct rule){ .nr = __NR_unshare, .action = SECCOMP_RET_TRACE | COOKIE };
	EXPECT_EQ(100 + EPERM,
		  call_traced(&self->args, variant->at, rules, TRACE_OPTIONS, &events));
	EXPECT_EQ(1, events);
}

TEST_F(self, tracer_is_not_told_what_it_amounts_to)
{
	const int calls[] = { __NR_unshare, variant->at ? __NR_execveat : __NR_execve };
	size_t i;
	int events;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		struct rule rules[] = {
			{ .nr = calls[i], .action = SECCOMP_RET_TRACE | COOKIE }, {},
		};

		EXPECT_EQ(100 + EPERM,
			  call_traced(&self->args, variant->at, rules, TRACE_OPTIONS, &events));
		EXPECT_EQ(0, events);
	}
}

/* For who dumps and restores a process, there are no filters. */
TEST_F(self, tracer_suspends_filters)
{
	struct rule rules[] = {
		{ .nr = __NR_unshare, .action = SECCOMP_RET_KILL_PROCESS }, {},
	};
	unsigned long options = TRACE_OPTIONS | PTRACE_O_SUSPEND_SECCOMP;
	int events, end;

	end = call_traced(&self->args, variant->at, rules, options, &events);
	if (end == -1000)
		SKIP(return, "filters can not be suspended, see CONFIG_CHECKPOINT_RESTORE");
	EXPECT_EQ(0, end);
	EXPECT_EQ(0, events);
}

TEST_HARNESS_MAIN
