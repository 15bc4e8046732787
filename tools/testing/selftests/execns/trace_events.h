/* SPDX-License-Identifier: GPL-2.0 */
/* A trace of its own, by tracefs, and the lines of it that are about a task. */
#ifndef _TRACE_EVENTS_H
#define _TRACE_EVENTS_H

#include "execnsat_test.h"

#define TRACEFS "/sys/kernel/tracing"
#define INSTANCE TRACEFS "/instances/execns"

static const char *const exec_events[] = {
	"syscalls/sys_enter_execns", "syscalls/sys_exit_execns",
	"syscalls/sys_enter_execnsat", "syscalls/sys_exit_execnsat",
	"syscalls/sys_enter_execve", "syscalls/sys_exit_execve",
	"syscalls/sys_enter_execveat", "syscalls/sys_exit_execveat",
	"raw_syscalls/sys_enter", "raw_syscalls/sys_exit",
	"sched/sched_prepare_exec", "sched/sched_process_exec", "task/task_rename",
};

static inline int set_trace(const char *file, const char *text)
{
	char path[512];

	snprintf(path, sizeof(path), INSTANCE "/%s", file);
	return write_file(path, text);
}

static inline int set_event(const char *event, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "events/%s/%s", event, file);
	return set_trace(path, text);
}

static inline bool have_event(const char *event)
{
	char path[256];

	snprintf(path, sizeof(path), TRACEFS "/events/%s/id", event);
	return !access(path, F_OK);
}

static inline int event_id(const char *event)
{
	char path[256], text[32];

	snprintf(path, sizeof(path), TRACEFS "/events/%s/id", event);
	read_file(path, text, sizeof(text));
	return atoi(text);
}

/* All tasks are traced: a filter of pids follows a task only until it forks. */
static inline int start_trace(void)
{
	size_t i;

	if (mkdir(INSTANCE, 0700) && errno != EEXIST)
		return -errno;
	set_trace("trace_clock", "mono");
	set_trace("buffer_size_kb", "8192");
	for (i = 0; i < ARRAY_SIZE(exec_events); i++)
		if (set_event(exec_events[i], "enable", "1"))
			return -1;
	return set_trace("trace", "") || set_trace("tracing_on", "1");
}

static inline void end_trace(void)
{
	set_trace("tracing_on", "0");
	rmdir(INSTANCE);
}

/* What has happened in the tasks @pid and @tid: an event a line, its time removed. */
static inline void read_trace(pid_t pid, pid_t tid, char *out, size_t size)
{
	FILE *in;
	char line[4096], *at;
	size_t len = 0;

	set_trace("tracing_on", "0");
	out[0] = '\0';
	in = fopen(INSTANCE "/trace", "re");
	while (in && fgets(line, sizeof(line), in)) {
		/* TASK-PID [CPU] FLAGS TIME: EVENT, where the task's name may have a '-'. */
		at = strstr(line, " [");
		while (at && at > line && at[-1] == ' ')
			at--;
		while (at && at > line && at[-1] != '-')
			at--;
		if (!at || line[0] == '#' || (atoi(at) != pid && atoi(at) != tid))
			continue;
		at = strstr(at, ": ");
		if (at && len + strlen(at) < size)
			len += snprintf(out + len, size - len, "%s", at + 2);
	}
	if (in)
		fclose(in);
	set_trace("trace", "");
	set_trace("tracing_on", "1");
}

static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line && line[1] ? line + 1 : NULL;
}

/* How many lines begin with this. */
static inline int count_lines(const char *trace, const char *begin)
{
	const char *line;
	int n = 0;

	for (line = trace; line; line = next_line(line))
		n += !strncmp(line, begin, strlen(begin));
	return n;
}

/* The first line that begins with this, in a buffer that the next but three calls reuse. */
static const char *find_line(const char *trace, const char *begin)
{
	static char lines[4][1024];
	static int next;
	char *out = lines[next++ % 4];
	const char *line;

	for (line = trace; line; line = next_line(line)) {
		if (strncmp(line, begin, strlen(begin)))
			continue;
		snprintf(out, sizeof(lines[0]), "%.*s", (int)strcspn(line, "\n"), line);
		return out;
	}
	return strcpy(out, "(none)");
}

#endif
