// SPDX-License-Identifier: GPL-2.0
/* Attacks by a tracer: attached before the call, or while it is under way. */
#include "attack_test.h"

#include <sys/ptrace.h>

#define PROGRAM "/tmp/attack.program"
#define ROOT_SECRET "/tmp/attack.secret"
#define USER (1000 & 0x7f)

static const struct execns_id_map own_root[] = { { 0, 1000, 1 } };

FIXTURE(tracer)
{
	struct execns_args args;
	struct agent_run run;
};

FIXTURE_VARIANT(tracer)
{
	int (*call)(void *run);
	int flags;
};

FIXTURE_VARIANT_ADD(tracer, execns) { call_agent, 0 };
FIXTURE_VARIANT_ADD(tracer, execns_user) { call_agent, CLONE_NEWUSER };
FIXTURE_VARIANT_ADD(tracer, execns_all) { call_agent, ALL_NS };
FIXTURE_VARIANT_ADD(tracer, execve) { call_by_unshare, 0 };
FIXTURE_VARIANT_ADD(tracer, unshare_user) { call_by_unshare, CLONE_NEWUSER };

FIXTURE_SETUP(tracer)
{
	static char *const command[] = { "euid", NULL };

	self->args.unshare_flags = variant->flags;
	self->run = (struct agent_run){
		.path = PROGRAM, .args = &self->args, .command = command,
	};
	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, make_script(ROOT_SECRET, "!\n"));
	ASSERT_EQ(0, chmod(ROOT_SECRET, 0600));
}

FIXTURE_TEARDOWN(tracer)
{
}

/* Run it, traced from before the call. Stops at the event of exec, which has to come. */
static int start_traced(struct agent_run *run, int (*call)(void *run))
{
	int status;

	if (pipe2(run->ready, O_CLOEXEC) || pipe2(run->go, O_CLOEXEC))
		return -1;
	run->pid = fork();
	if (!run->pid) {
		raise(SIGSTOP);
		_exit(call(run));
	}
	close(run->ready[1]);
	close(run->go[0]);
	if (waitpid(run->pid, &status, WUNTRACED) != run->pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SEIZE, run->pid, NULL, (void *)(PTRACE_O_TRACEEXEC)) ||
	    kill(run->pid, SIGCONT))
		return -1;
	while (waitpid(run->pid, &status, 0) == run->pid && WIFSTOPPED(status)) {
		int signal = WSTOPSIG(status);

		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			return 0;
		/* PTRACE_EVENT_STOP has no signal to pass on. */
		if (status >> 16 || signal == SIGSTOP)
			signal = 0;
		ptrace(PTRACE_CONT, run->pid, NULL, (void *)(long)signal);
	}
	return -1;
}

static int finish_traced(struct agent_run *run)
{
	unsigned char byte = 0xfe;

	if (ptrace(PTRACE_CONT, run->pid, NULL, NULL) || read(run->ready[0], &byte, 1) != 1)
		byte = 0xfe;
	finish_agent(run);
	return byte;
}

/* A word of the program's stack, at the event. */
static int peek(pid_t pid)
{
	/* The beginning of struct ptrace_syscall_info, which C libraries name differently. */
	struct {
		unsigned int op, arch;
		unsigned long long instruction_pointer, stack_pointer;
	} info = { 0 };

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, (void *)sizeof(info), &info) <= 0)
		return 98;
	errno = 0;
	ptrace(PTRACE_PEEKDATA, pid, (void *)(uintptr_t)info.stack_pointer, NULL);
	return errno;
}

/*
 * An unprivileged tracer, and a set-user-ID program of root: the tracer would have all
 * of root. As by execve(), the program runs without, and the event of exec comes. In a
 * user namespace, there is no root to become, traced or not.
 */
TEST_F(tracer, ptrace_by_an_unprivileged_tracer)
{
	char text[8192], path[64];

	ASSERT_EQ(0, copy_program(ATTACK_AGENT, PROGRAM, 0, 06755));
	ASSERT_EQ(0, become_user(NULL));
	/* What it is when nobody traces it. */
	self->run.call = variant->call;
	EXPECT_EQ(variant->flags ? USER : 0, attack(&self->run));
	ASSERT_EQ(0, start_traced(&self->run, variant->call));
	snprintf(path, sizeof(path), "/proc/%d/status", self->run.pid);
	read_file(path, text, sizeof(text));
	EXPECT_NE(NULL, strstr(text, "\nUid:\t1000\t1000\t1000\t1000\n"));
	EXPECT_NE(NULL, strstr(text, "\nCapPrm:\t0000000000000000\n"));
	EXPECT_EQ(0, peek(self->run.pid));
	EXPECT_EQ(USER, finish_traced(&self->run));
}

/*
 * The tracer would read a program from memory that it may not read as a file. As by
 * execve(), it stays attached, and the memory is not for it: also not where the
 * tracer is the owner of the program's user namespace.
 */
TEST_F(tracer, ptrace_of_an_unreadable_program)
{
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, PROGRAM, 0, 0711));
	if (variant->flags) {
		self->args = with_map(own_root, EXECNS_SETGROUPS_DENY);
		self->args.unshare_flags = variant->flags;
	}
	ASSERT_EQ(0, become_user(NULL));
	ASSERT_EQ(0, start_traced(&self->run, variant->call));
	EXPECT_EQ(EIO, peek(self->run.pid));
	EXPECT_EQ(variant->flags ? 0 : USER, finish_traced(&self->run));
}

/* Attach while the call is under way. 0 if that was refused. */
static int attach_during(pid_t pid, unsigned int delay)
{
	usleep(delay);
	return !ptrace(PTRACE_SEIZE, pid, NULL, NULL);
}

/*
 * The tracer attaches while the program starts, at any time. If it is attached, the
 * program has not become root; if that has become root, it is not attached.
 */
TEST_F_TIMEOUT(tracer, ptrace_attached_during_the_call, 300)
{
	const int slow = 150 / rounds_of(150);
	int round, attached = 0, failed = 0;

	if (variant->call != call_agent && variant->flags)
		SKIP(return, "a tracer would stop it at the SIGCHLD of its helper");
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, PROGRAM, 0, 06755));
	ASSERT_EQ(0, become_user(NULL));
	for (round = 0; round < rounds_of(150); round++) {
		struct agent_run *run = &self->run;
		unsigned char euid = 0xfe;
		int traced;

		ASSERT_EQ(0, pipe2(run->ready, O_CLOEXEC));
		ASSERT_EQ(0, pipe2(run->go, O_CLOEXEC));
		run->pid = fork();
		if (!run->pid)
			_exit(usleep(2000 * slow) ?: variant->call(run));
		close(run->ready[1]);
		close(run->go[0]);
		/* From before the call to after it. */
		traced = attach_during(run->pid, round * 40 * slow * slow);
		ASSERT_EQ(1, read(run->ready[0], &euid, 1));
		ASSERT_EQ(traced || variant->flags ? USER : 0, euid) TH_LOG("round %d", round);
		attached += traced;
		failed += !traced;
		finish_agent(run);
	}
	/* Both have happened, where the second may. */
	EXPECT_LT(0, attached);
	EXPECT_TRUE(variant->flags || failed);
}

TEST_HARNESS_MAIN
