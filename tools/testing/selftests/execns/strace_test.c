// SPDX-License-Identifier: GPL-2.0
/* What a tracer sees, by ptrace() and by strace: a call as others are. */
#include "execnsat_test.h"

#include <signal.h>
#include <sys/ptrace.h>

#define PROGRAM "./caps_report"
#define OUTPUT "/tmp/strace.output"

/* struct ptrace_syscall_info, which C libraries name differently. */
struct syscall_info {
	unsigned char op, pad[3];
	unsigned int arch;
	unsigned long long instruction_pointer, stack_pointer;
	union {
		struct {
			unsigned long long nr, args[6];
		} entry;
		struct {
			long long rval;
			unsigned char is_error;
		} exit;
	};
};

enum { INFO_NONE, INFO_ENTRY, INFO_EXIT };

struct call {
	int number, flags;
	const char *path;
};

static int do_call(const struct call *call)
{
	static struct execns_args args;
	char *const argv[] = { (char *)call->path, "/dev/null", NULL };

	args.unshare_flags = call->flags;
	switch (call->number) {
	case __NR_execns:
		return sys_execns(call->flags, call->path, argv, environ);
	case __NR_execnsat:
		return sys_execnsat(AT_FDCWD, call->path, argv, environ, &args, sizeof(args));
	}
	return execve(call->path, argv, environ);
}

/* What comes of the call, each stop a word: entry, event of exec, exit. */
struct seen {
	char stops[256];
	struct syscall_info entry, exit;
	int status;
};

static void say(struct seen *seen, const char *stop)
{
	strncat(seen->stops, stop, sizeof(seen->stops) - strlen(seen->stops) - 1);
}

static int watch(const struct call *call, struct seen *seen)
{
	struct syscall_info info;
	bool inside = false;
	int status;
	pid_t child = fork();

	memset(seen, 0, sizeof(*seen));
	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		do_call(call);
		_exit(EXEC_FAILED);
	}
	if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, child, NULL,
		   PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL))
		return -1;
	while (!ptrace(PTRACE_SYSCALL, child, NULL, NULL) && waitpid(child, &status, 0) == child) {
		if (!WIFSTOPPED(status)) {
			seen->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
			return 0;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8))
			say(seen, "exec ");
		if (WSTOPSIG(status) != (SIGTRAP | 0x80))
			continue;
		if (ptrace(PTRACE_GET_SYSCALL_INFO, child, (void *)sizeof(info), &info) <= 0)
			return -1;
		if (info.op == INFO_ENTRY && (int)info.entry.nr == call->number && !inside) {
			inside = true;
			seen->entry = info;
			say(seen, "entry ");
		} else if (info.op == INFO_EXIT && inside) {
			inside = false;
			seen->exit = info;
			say(seen, "exit ");
		}
	}
	return -1;
}

FIXTURE(tracer)
{
	struct seen seen, other;
};

FIXTURE_VARIANT(tracer)
{
	int number, flags;
};

FIXTURE_VARIANT_ADD(tracer, execns) { __NR_execns, 0 };
FIXTURE_VARIANT_ADD(tracer, execns_mnt) { __NR_execns, CLONE_NEWNS };
FIXTURE_VARIANT_ADD(tracer, execns_user) { __NR_execns, CLONE_NEWUSER };
FIXTURE_VARIANT_ADD(tracer, execns_all) { __NR_execns, ALL_NS };
FIXTURE_VARIANT_ADD(tracer, execnsat) { __NR_execnsat, 0 };
FIXTURE_VARIANT_ADD(tracer, execnsat_all) { __NR_execnsat, ALL_NS };

FIXTURE_SETUP(tracer)
{
}

FIXTURE_TEARDOWN(tracer)
{
}

TEST_F(tracer, stops_of_a_program)
{
	struct call call = { variant->number, variant->flags, PROGRAM };
	struct call execve_call = { __NR_execve, 0, PROGRAM };
	bool is_execns;

	ASSERT_EQ(0, watch(&execve_call, &self->other));
	ASSERT_EQ(0, watch(&call, &self->seen));
	EXPECT_STREQ("entry exec exit ", self->other.stops);
	EXPECT_STREQ(self->other.stops, self->seen.stops);
	EXPECT_EQ(0, self->seen.status);
	EXPECT_EQ(self->other.entry.arch, self->seen.entry.arch);
	is_execns = call.number == __NR_execns;
	EXPECT_EQ(is_execns ? (unsigned int)call.flags : sizeof(struct execns_args),
		  self->seen.entry.entry.args[is_execns ? 0 : 5]);
	EXPECT_EQ(0, self->seen.exit.exit.rval);
	EXPECT_EQ(0, self->seen.exit.exit.is_error);
}

TEST_F(tracer, stops_of_a_failure)
{
	struct call call = { variant->number, variant->flags, "/tmp" };

	ASSERT_EQ(0, watch(&call, &self->seen));
	EXPECT_STREQ("entry exit ", self->seen.stops);
	EXPECT_EQ(EXEC_FAILED, self->seen.status);
	EXPECT_EQ(-EACCES, self->seen.exit.exit.rval);
	EXPECT_EQ(1, self->seen.exit.exit.is_error);
}

/* strace -f knows no name for it yet, and does not mind. */
TEST_F_TIMEOUT(tracer, strace_follows_the_program, 120)
{
	struct call call = { variant->number, variant->flags, PROGRAM };
	char text[65536], pid[16], number[64];
	int go[2], status, tries = 0;
	const char *at, *end;
	pid_t child, strace;
	char byte = 0;

	if (access("/usr/bin/strace", X_OK))
		SKIP(return, "no /usr/bin/strace");
	ASSERT_EQ(0, pipe2(go, O_CLOEXEC));
	child = fork();
	if (!child) {
		while (read(go[0], &byte, 1) == 1 && byte != 'g')
			;
		do_call(&call);
		_exit(EXEC_FAILED);
	}
	snprintf(pid, sizeof(pid), "%d", child);
	strace = fork();
	if (!strace) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execl("/usr/bin/strace", "strace", "-f", "-o", OUTPUT, "-p", pid, NULL);
		_exit(EXEC_FAILED);
	}
	/* It is attached some time before it sees a call. */
	do {
		ASSERT_EQ(1, write(go[1], "r", 1));
		usleep(10000);
		read_file(OUTPUT, text, sizeof(text));
	} while (!strstr(text, "read(") && ++tries < 3000);
	ASSERT_GT(3000, tries);
	ASSERT_EQ(1, write(go[1], "g", 1));
	ASSERT_EQ(strace, waitpid(strace, &status, 0));
	EXPECT_EQ(0, status);
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);

	read_file(OUTPUT, text, sizeof(text));
	unlink(OUTPUT);
	/* The call is one line with its result, by its name if it has one. */
	snprintf(number, sizeof(number), "syscall_0x%x(", variant->number);
	at = strstr(text, number) ?: strstr(text, "execns");
	ASSERT_NE(NULL, at) TH_LOG("%s", text);
	end = strchr(at, '\n');
	ASSERT_NE(NULL, end);
	EXPECT_EQ(0, strncmp(end - 4, " = 0", 4)) TH_LOG("%.*s", (int)(end - at), at);
	/* And what comes then is of the program. */
	EXPECT_NE(NULL, strstr(end, "/proc/self/status")) TH_LOG("%s", end);
	EXPECT_NE(NULL, strstr(end, "exit_group(0)"));
	EXPECT_NE(NULL, strstr(end, "+++ exited with 0 +++"));
}

TEST_HARNESS_MAIN
