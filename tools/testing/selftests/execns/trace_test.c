// SPDX-License-Identifier: GPL-2.0
/* What tracefs and perf see: a call as others are. */
/* Before what the tests share: both have a NR_NAMESPACES. */
#include <linux/perf_event.h>

#include "trace_events.h"

#include <pthread.h>

#define PROGRAM "./caps_report"

static char trace[1 << 20];

/* A call in a child, of which @pid tells. */
struct traced_call {
	int call, flags;
	const char *path;
	bool thread;
	pid_t tid;		/* of who calls */
};

static int do_call(const struct traced_call *call)
{
	struct execns_args args = { .unshare_flags = call->flags };
	const char *path = call->path ?: PROGRAM;
	char *const argv[] = { (char *)path, "/dev/null", NULL };

	switch (call->call) {
	case __NR_execns:
		return sys_execns(call->flags, path, argv, environ);
	case __NR_execnsat:
		return sys_execnsat(AT_FDCWD, path, argv, environ, &args, sizeof(args));
	case __NR_execveat:
		return execveat(AT_FDCWD, path, argv, environ, 0);
	}
	return execve(path, argv, environ);
}

static void *thread_calls(void *data)
{
	struct traced_call *call = data;

	call->tid = gettid();
	do_call(call);
	_exit(EXEC_FAILED);
}

/* Returns its pid, when it has exited as a program that is well, or as one has to. */
static pid_t run(struct traced_call *call, int expected)
{
	pthread_t thread;
	int status;
	pid_t child = fork();

	if (!child) {
		if (call->thread && !pthread_create(&thread, NULL, thread_calls, call))
			pause();
		do_call(call);
		_exit(EXEC_FAILED);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != expected)
		return -1;
	return child;
}

static const char *call_name(int call)
{
	return call == __NR_execns ? "execns" : call == __NR_execnsat ? "execnsat" :
	       call == __NR_execveat ? "execveat" : "execve";
}

FIXTURE(trace)
{
	struct traced_call *call;
};

FIXTURE_SETUP(trace)
{
	if (!have_event("syscalls/sys_enter_execve"))
		SKIP(return, "no events of system calls, see CONFIG_FTRACE_SYSCALLS");
	ASSERT_EQ(0, start_trace());
	self->call = mmap(NULL, sizeof(*self->call), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->call);
}

FIXTURE_TEARDOWN(trace)
{
	end_trace();
}

/* The names are those of the manual. */
TEST_F(trace, format_names_the_arguments)
{
	static const struct {
		const char *event, *fields[7];
	} rows[] = {
		{ "sys_enter_execns", { "unshare_flags", "filename", "argv", "envp" } },
		{ "sys_enter_execnsat", { "fd", "filename", "argv", "envp", "args", "size" } },
		{ "sys_exit_execns", { "ret" } },
		{ "sys_exit_execnsat", { "ret" } },
	};
	char path[128], text[4096], field[64];
	const char *at, *found;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		snprintf(path, sizeof(path), TRACEFS "/events/syscalls/%s/format", rows[i].event);
		read_file(path, text, sizeof(text));
		at = strstr(text, "__syscall_nr;");
		ASSERT_NE(NULL, at) TH_LOG("%s", path);
		for (j = 0; rows[i].fields[j]; j++) {
			snprintf(field, sizeof(field), " %s;", rows[i].fields[j]);
			found = strstr(at, field);
			EXPECT_NE(NULL, found) TH_LOG("%s%s", rows[i].event, field);
			at = found ?: at;
		}
	}
}

/* Once at the beginning, once at the end, and what exec tells in between, in its order. */
static void expect_success(struct __test_metadata *_metadata, struct traced_call *call,
			   const char *enter, const char *exit)
{
	static const char *const order[] = {
		"sched_prepare_exec: ", "task_rename: ", "sched_process_exec: ",
	};
	char begin[128], number[64];
	const char *at, *next;
	pid_t pid = run(call, 0);
	size_t i;

	ASSERT_LT(0, pid);
	read_trace(pid, call->tid, trace, sizeof(trace));
	snprintf(begin, sizeof(begin), "sys_%s(", call_name(call->call));
	EXPECT_EQ(1, count_lines(trace, begin)) TH_LOG("%s", trace);
	EXPECT_EQ(1, count_lines(trace, enter)) TH_LOG("%s / %s", enter, find_line(trace, begin));
	EXPECT_EQ(1, count_lines(trace, exit)) TH_LOG("%s: %s", exit, trace);
	snprintf(number, sizeof(number), "sys_enter: NR %d (", call->call);
	EXPECT_EQ(1, count_lines(trace, number));
	at = strstr(trace, begin);
	for (i = 0; i < ARRAY_SIZE(order) && at; i++) {
		EXPECT_EQ(1, count_lines(trace, order[i])) TH_LOG("%s", order[i]);
		next = strstr(at, order[i]);
		EXPECT_NE(NULL, next) TH_LOG("%s is not in its place", order[i]);
		at = next;
	}
	EXPECT_NE(NULL, at ? strstr(at, exit) : NULL);
	snprintf(begin, sizeof(begin), "sched_process_exec: filename=%s pid=%d old_pid=%d",
		 call->path ?: PROGRAM, pid, call->tid ?: pid);
	EXPECT_STREQ(begin, find_line(trace, "sched_process_exec: "));
	EXPECT_NE(NULL, strstr(find_line(trace, "task_rename: "), "newcomm=caps_report"));
}

/*
 * Where the call returns, some architectures say that it was execve(), so that the state
 * of the program is that of one: what execveat() does is right.
 */
static void expected_exit(int call, char *exit, size_t size)
{
	struct traced_call at = { .call = __NR_execveat };
	pid_t pid = run(&at, 0);

	read_trace(pid, 0, trace, sizeof(trace));
	snprintf(exit, size, "sys_%s -> 0x0",
		 count_lines(trace, "sys_execveat -> 0x0") ? call_name(call) : "execve");
}

TEST_F(trace, events_of_a_program)
{
	static const int flags[] = { 0, CLONE_NEWNS, CLONE_NEWUSER, ALL_NS };
	static const int calls[] = { __NR_execns, __NR_execnsat };
	char enter[128], exit[64];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		expected_exit(calls[i], exit, sizeof(exit));
		for (j = 0; j < ARRAY_SIZE(flags); j++) {
			*self->call = (struct traced_call){ calls[i], flags[j] };
			if (calls[i] == __NR_execns)
				snprintf(enter, sizeof(enter), "sys_execns(unshare_flags: %#x, ",
					 flags[j]);
			else
				snprintf(enter, sizeof(enter), "sys_execnsat(fd: 0x%x, ", AT_FDCWD);
			expect_success(_metadata, self->call, enter, exit);
			/* The path is there as text. */
			EXPECT_NE(NULL, strstr(find_line(trace, enter), "\"" PROGRAM "\""));
		}
	}
	/* What it is compared with. */
	*self->call = (struct traced_call){ __NR_execve };
	expect_success(_metadata, self->call, "sys_execve(filename: ", "sys_execve -> 0x0");
}

/* It is the thread that calls, and the process that the program is. */
TEST_F(trace, events_of_a_thread)
{
	static const int calls[] = { __NR_execve, __NR_execns, __NR_execnsat };
	char begin[64], exit[64];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		expected_exit(calls[i], exit, sizeof(exit));
		*self->call = (struct traced_call){
			calls[i], calls[i] == __NR_execve ? 0 : CLONE_NEWUSER, .thread = true,
		};
		snprintf(begin, sizeof(begin), "sys_%s(", call_name(calls[i]));
		expect_success(_metadata, self->call, begin, exit);
		EXPECT_NE(0, self->call->tid);
	}
}

/* The error is the one of the call, and exec has not happened. */
TEST_F(trace, events_of_a_failure)
{
	static const struct {
		struct traced_call call;
		int error;
	} rows[] = {
		{ { __NR_execns, 0, "/none" }, ENOENT },
		{ { __NR_execns, CLONE_NEWUSER, "/tmp" }, EACCES },
		{ { __NR_execns, 1 }, EINVAL },
		{ { __NR_execnsat, CLONE_NEWNS, "/none" }, ENOENT },
		{ { __NR_execnsat, 1 }, EINVAL },
	};
	char exit[64];
	size_t i;
	pid_t pid;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		*self->call = rows[i].call;
		pid = run(self->call, EXEC_FAILED);
		ASSERT_LT(0, pid);
		read_trace(pid, 0, trace, sizeof(trace));
		snprintf(exit, sizeof(exit), "sys_%s -> 0x%llx", call_name(rows[i].call.call),
			 (unsigned long long)-rows[i].error);
		EXPECT_EQ(1, count_lines(trace, exit)) TH_LOG("%s: %s", exit, trace);
		snprintf(exit, sizeof(exit), "sys_exit: NR %d = %d", rows[i].call.call,
			 -rows[i].error);
		EXPECT_EQ(1, count_lines(trace, exit)) TH_LOG("%s: %s", exit, trace);
		EXPECT_EQ(0, count_lines(trace, "sched_process_exec: "));
		EXPECT_EQ(0, count_lines(trace, "sched_prepare_exec: "));
	}
}

/* An argument can be filtered by, as perf trace and trace-cmd do. */
TEST_F(trace, filter_by_an_argument)
{
	pid_t none, user;

	ASSERT_EQ(0, set_event("syscalls/sys_enter_execns", "filter",
			       "unshare_flags & 0x10000000"));
	*self->call = (struct traced_call){ __NR_execns, CLONE_NEWNS };
	none = run(self->call, 0);
	*self->call = (struct traced_call){ __NR_execns, CLONE_NEWUSER };
	user = run(self->call, 0);
	ASSERT_LT(0, none);
	ASSERT_LT(0, user);
	read_trace(none, user, trace, sizeof(trace));
	EXPECT_EQ(1, count_lines(trace, "sys_execns(")) TH_LOG("%s", trace);
	EXPECT_EQ(1, count_lines(trace, "sys_execns(unshare_flags: 0x10000000, "));
}

/* Count an event in a child that waits for a byte, and then calls. */
static long long count_event(struct __test_metadata *_metadata, const char *event, int call,
			     bool on_exec)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr), .config = event_id(event),
		.disabled = on_exec, .enable_on_exec = on_exec,
	};
	struct traced_call traced = { call, call == __NR_execve ? 0 : ALL_NS };
	long long count = -1;
	int go[2], fd, status;
	char byte = 0;
	pid_t child;

	if (pipe2(go, O_CLOEXEC))
		return -1;
	child = fork();
	if (!child) {
		if (read(go[0], &byte, 1) == 1)
			do_call(&traced);
		_exit(EXEC_FAILED);
	}
	fd = syscall(__NR_perf_event_open, &attr, child, -1, -1, PERF_FLAG_FD_CLOEXEC);
	EXPECT_LE(0, fd) TH_LOG("%s: %s", event, strerror(errno));
	EXPECT_EQ(1, write(go[1], &byte, 1));
	EXPECT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ((ssize_t)sizeof(count), read(fd, &count, sizeof(count)));
	close(fd);
	close(go[0]);
	close(go[1]);
	return count;
}

/* What perf counts, and begins to count with the program. */
TEST_F(trace, events_of_perf)
{
	EXPECT_EQ(1, count_event(_metadata, "syscalls/sys_enter_execns", __NR_execns, false));
	EXPECT_EQ(0, count_event(_metadata, "syscalls/sys_enter_execns", __NR_execnsat, false));
	EXPECT_EQ(1, count_event(_metadata, "syscalls/sys_enter_execnsat", __NR_execnsat, false));
	EXPECT_EQ(1, count_event(_metadata, "sched/sched_process_exec", __NR_execns, false));
	/* The call has begun before. */
	EXPECT_EQ(0, count_event(_metadata, "syscalls/sys_enter_execns", __NR_execns, true));
	EXPECT_EQ(1, count_event(_metadata, "sched/sched_process_exec", __NR_execns, true));
	EXPECT_EQ(count_event(_metadata, "raw_syscalls/sys_enter", __NR_execve, true),
		  count_event(_metadata, "raw_syscalls/sys_enter", __NR_execns, true));
}

TEST_HARNESS_MAIN
