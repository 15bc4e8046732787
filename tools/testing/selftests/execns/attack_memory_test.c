// SPDX-License-Identifier: GPL-2.0
/* Attacks on the memory of the program, and of what has been before it. */
#include "attack_test.h"

#include <sys/ptrace.h>
#include <sys/uio.h>

#define PROGRAM "/tmp/attack.program"
/* Where no program is loaded to. */
#define SECRET ((char *)0x300000000000)

static const struct execns_id_map own_root[] = { { 0, 1000, 1 } };
static const struct execns_id_map other[] = { { 0, 100000, 65536 } };

/* The errno of who has this uid and looks into that process. */
static int look_into(pid_t pid, uid_t uid)
{
	int status;
	pid_t child = fork();
	char path[64];

	if (!child) {
		if (become_id(uid))
			_exit(98);
		snprintf(path, sizeof(path), "/proc/%d/mem", pid);
		if (open(path, O_RDONLY | O_CLOEXEC) < 0)
			_exit(errno);
		_exit(ptrace(PTRACE_SEIZE, pid, NULL, NULL) ? errno : 0);
	}
	return waitpid(child, &status, 0) == child ? WEXITSTATUS(status) : 97;
}

FIXTURE(unreadable)
{
	struct execns_args args;
	struct agent_run run;
};

FIXTURE_VARIANT(unreadable)
{
	int (*call)(void *run);
	bool set_ids;
};

FIXTURE_VARIANT_ADD(unreadable, execns) { NULL, false };
FIXTURE_VARIANT_ADD(unreadable, execns_set_ids) { NULL, true };
FIXTURE_VARIANT_ADD(unreadable, unshare) { call_by_unshare, false };
FIXTURE_VARIANT_ADD(unreadable, unshare_set_ids) { call_by_unshare, true };

FIXTURE_SETUP(unreadable)
{
	static char *const command[] = { "look_into", NULL };

	self->args = variant->set_ids ? with_map(other, EXECNS_SET_IDS) :
					with_map(own_root, EXECNS_SETGROUPS_DENY);
	self->run = (struct agent_run){
		.path = PROGRAM, .args = &self->args, .command = command, .call = variant->call,
		.setup = variant->set_ids ? NULL : become_user,
	};
}

FIXTURE_TEARDOWN(unreadable)
{
	unlink(PROGRAM);
}

/*
 * A binary that all may execute, and its owner alone may read. Who is root of the
 * program's user namespace, or whose namespace it is, could read it in memory. It is
 * what the new ids may read that counts: as after unshare() and execve(), nobody can.
 */
TEST_F(unreadable, dumpability_of_an_unreadable_binary)
{
	uid_t outside = variant->set_ids ? 100000 : 1000;

	ASSERT_EQ(0, copy_program(ATTACK_AGENT, PROGRAM, 0, 0755));
	ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	/* Who has the same ids outside, but is in the parent namespace, has fewer rights. */
	EXPECT_EQ(variant->set_ids ? EACCES : 0, look_into(self->run.pid, outside));
	EXPECT_EQ(0, finish_agent(&self->run));
	unlink(PROGRAM);
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, PROGRAM, 0, 0711));
	ASSERT_EQ(EACCES, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(EACCES, look_into(self->run.pid, outside));
	finish_agent(&self->run);
}

static int set_ids_and_exec(void *unused)
{
	(void)unused;
	/* Not that of the C library, which tells all threads. */
	if (syscall(SYS_setresgid, 100000, 100000, 100000) ||
	    syscall(SYS_setresuid, 100000, 100000, 100000))
		_exit(98);
	execl("./execns_report", "execns_report", NULL);
	_exit(99);
}

/*
 * A child of vfork() that changes its ids changes what may be done with the memory
 * that it shares: its parent is no longer dumpable. EXECNS_SET_IDS changes them when
 * the memory is the program's own, which is dumpable too.
 */
TEST(vfork_parent_stays_dumpable)
{
	static char *const command[] = { "look_into", NULL };
	struct execns_args args = with_map(other, EXECNS_SET_IDS | EXECNS_DROP_GROUPS);
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .command = command, .share = CLONE_VM,
	};
	int status;

	ASSERT_EQ(1, prctl(PR_GET_DUMPABLE));
	ASSERT_EQ(0, start_agent(&run)) TH_LOG("%s", strerror(run.error));
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	EXPECT_EQ(0, finish_agent(&run));
	EXPECT_EQ(1, prctl(PR_GET_DUMPABLE));
	waitpid(run_sharing(CLONE_VM, set_ids_and_exec, NULL), &status, 0);
	/* It has no arguments. */
	ASSERT_EQ(97, WEXITSTATUS(status));
	EXPECT_NE(1, prctl(PR_GET_DUMPABLE));
}

FIXTURE(vfork)
{
};

FIXTURE_SETUP(vfork)
{
}

FIXTURE_TEARDOWN(vfork)
{
}

/*
 * When the parent goes on, the child has the ids of the program: what the parent
 * does with its PID is not done to a process that still is the old one.
 */
TEST_F_TIMEOUT(vfork, parent_sees_the_new_ids, 300)
{
	static char *const command[] = { "sigio", NULL };
	struct execns_args args = with_map(other, EXECNS_SET_IDS | EXECNS_DROP_GROUPS);
	struct agent_run run = { .path = ATTACK_AGENT, .args = &args, .command = command };
	int round, old = 0;
	char path[64], text[8192];

	for (round = 0; round < rounds_of(200); round++) {
		ASSERT_EQ(0, pipe2(run.ready, O_CLOEXEC));
		ASSERT_EQ(0, pipe2(run.go, O_CLOEXEC));
		run.pid = run_sharing(CLONE_VM, call_agent, &run);
		snprintf(path, sizeof(path), "/proc/%d/status", run.pid);
		read_file(path, text, sizeof(text));
		old += !strstr(text, "\nUid:\t100000\t100000\t100000\t100000\n");
		close(run.ready[1]);
		close(run.go[0]);
		/* Nobody listens to it. */
		finish_agent(&run);
	}
	EXPECT_EQ(0, old) TH_LOG("in %d of %d rounds", old, round);
}

/* As a process of its own, traced: 0 if it is dumpable, and the program as well. */
static int vfork_traced(void)
{
	static char *const command[] = { "look_into", NULL };
	struct execns_args args = with_map(other, EXECNS_SET_IDS | EXECNS_DROP_GROUPS);
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .command = command, .share = CLONE_VM,
	};
	int result;

	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
		return 90;
	result = start_agent(&run);
	/* The agent's child can not trace what is traced already. */
	if (result != EPERM || finish_agent(&run) != EPERM)
		return 91;
	return prctl(PR_GET_DUMPABLE) == 1 ? 0 : 92;
}

/* The same while all are traced, and each stops at its events. */
TEST(traced_vfork_parent_stays_dumpable)
{
	const int options = PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEVFORKDONE |
			    PTRACE_O_EXITKILL;
	int status, execs = 0, vforks_done = 0, result = -1;
	pid_t pid, parent = fork();

	if (!parent)
		_exit(vfork_traced());
	ASSERT_EQ(parent, waitpid(parent, &status, 0));
	ASSERT_TRUE(WIFSTOPPED(status));
	ASSERT_EQ(0, ptrace(PTRACE_SETOPTIONS, parent, NULL, options));
	ASSERT_EQ(0, ptrace(PTRACE_CONT, parent, NULL, NULL));
	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int signal;

		if (!WIFSTOPPED(status)) {
			if (pid == parent)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
			continue;
		}
		execs += status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8);
		vforks_done += status >> 8 == (SIGTRAP | PTRACE_EVENT_VFORK_DONE << 8);
		signal = WSTOPSIG(status);
		if (signal == SIGTRAP || signal == SIGSTOP)
			signal = 0;
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)signal);
	}
	EXPECT_EQ(0, result);
	EXPECT_EQ(1, execs);
	EXPECT_EQ(1, vforks_done);
}

/* Read the secret, as this user, until there is a process in which it is not. */
static int watch_memory(pid_t pid, uid_t uid)
{
	char byte;
	struct iovec local = { &byte, 1 }, remote = { SECRET, 1 };
	int i;

	if (become_id(uid))
		return 98;
	for (i = 0; i < 300000; i++) {
		if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == 1)
			return byte == '!' ? 1 : 5;
		/* It may be looked at, and it is not the old memory. */
		if (errno == EFAULT)
			return 2;
		if (errno == ESRCH)
			return 3;
	}
	return 4;
}

/* More rights than a user has, who therefore may not look. */
static int with_rights(void *unused)
{
	(void)unused;
	return with_caps(1000, CAP(SETUID) | CAP(SETGID));
}

static int only_unshare(void)
{
	if (with_rights(NULL) || unshare(CLONE_NEWUSER))
		return 98;
	pause();
	return 0;
}

FIXTURE(old_memory)
{
	struct execns_args args;
	struct agent_run run;
};

FIXTURE_VARIANT(old_memory)
{
	unsigned int flags;
};

FIXTURE_VARIANT_ADD(old_memory, new_namespace) { 0 };
FIXTURE_VARIANT_ADD(old_memory, new_ids) { EXECNS_SET_IDS };

FIXTURE_SETUP(old_memory)
{
	static char *const command[] = { "sigio", NULL };

	self->args.unshare_flags = CLONE_NEWUSER;
	if (variant->flags)
		self->args = with_map(other, variant->flags);
	self->args.uid = variant->flags ? 5 : 0;
	self->args.gid = self->args.uid;
	self->run = (struct agent_run){
		.path = ATTACK_AGENT, .args = &self->args, .command = command,
		.setup = with_rights,
	};
}

FIXTURE_TEARDOWN(old_memory)
{
}

/*
 * A process that a user may not look at, as it has some capabilities, is in a
 * namespace of that user after unshare(), and shows its memory from then on. By
 * execns(), the memory that is there with the new credentials is never the old one.
 */
TEST_F_TIMEOUT(old_memory, not_with_the_new_ids, 300)
{
	struct agent_run *run = &self->run;
	int round, status;
	pid_t watcher;

	ASSERT_EQ(SECRET, mmap(SECRET, 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
	*SECRET = '!';
	for (round = 0; round < rounds_of(200); round++) {
		ASSERT_EQ(0, pipe2(run->ready, O_CLOEXEC));
		ASSERT_EQ(0, pipe2(run->go, O_CLOEXEC));
		run->pid = fork();
		if (!run->pid)
			_exit(round ? call_agent(run) : only_unshare());
		watcher = fork();
		if (!watcher)
			_exit(watch_memory(run->pid, 1000));
		close(run->ready[1]);
		close(run->go[0]);
		ASSERT_EQ(watcher, waitpid(watcher, &status, 0));
		if (!round)
			kill(run->pid, SIGKILL);
		finish_agent(run);
		ASSERT_EQ(round ? 2 : 1, WEXITSTATUS(status)) TH_LOG("round %d", round);
	}
}

TEST_HARNESS_MAIN
