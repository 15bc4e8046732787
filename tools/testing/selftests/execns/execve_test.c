// SPDX-License-Identifier: GPL-2.0
/* execns(0, ...) is execve(), but for descriptors. */
#include "execns_test.h"

#include <signal.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/time.h>

static int make_differ(void *unused)
{
	struct rlimit limit = { 77, 99 };
	struct itimerval timer = { .it_value = { .tv_sec = 1000 } };
	sigset_t set;

	(void)unused;
	umask(0123);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGHUP);
	setitimer(ITIMER_REAL, &timer, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_KEEPCAPS, 1);
	prctl(PR_SET_TIMERSLACK, 123456);
	personality(ADDR_NO_RANDOMIZE);
	setrlimit(RLIMIT_CORE, &limit);
	setpriority(PRIO_PROCESS, 0, 5);
	setpgid(0, 0);
	write_file("/proc/self/oom_score_adj", "100");
	return 0;
}

static bool differs_by_nature(const char *line)
{
	/* Process ids, times, memory and context switches, the descriptors, the report. */
	static const char *const keys[] = {
		"fds ", "pid ", "argv/", "child/", "boottime ", "monotonic ",
		"status/Pid", "status/Tgid",
		"status/Ngid", "status/NSpid", "status/NStgid", "status/NSpgid", "status/FDSize",
		"status/Vm", "status/Rss", "status/Huge", "status/voluntary",
		"status/nonvoluntary", "status/Cpus", "status/Mems", "status/x86",
		"status/CoreDumping", "status/Speculation",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strncmp(line, keys[i], strlen(keys[i])))
			return true;
	return false;
}

/* The next line that is not about a descriptor, of which only one has some. */
static char *next_line(char *text, char **save)
{
	char *line = strtok_r(text, "\n", save);

	while (line && !strncmp(line, "fd/", 3))
		line = strtok_r(NULL, "\n", save);
	return line;
}

TEST(everything_else_is_the_same)
{
	static struct report ours, theirs;
	struct spawn spawn = { .setup = make_differ };
	char *a, *b, *save_a, *save_b;
	int lines = 0;

	spawn.how = BY_EXECVE;
	spawn_report(&spawn, &theirs);
	ASSERT_EQ(0, theirs.exit);
	spawn.how = BY_EXECNS;
	spawn_report(&spawn, &ours);
	ASSERT_EQ(0, ours.exit);
	EXPECT_STREQ("", report_get(&ours, "fds"));
	EXPECT_STRNE("", report_get(&theirs, "fds"));

	a = next_line(ours.text, &save_a);
	b = next_line(theirs.text, &save_b);
	for (; a && b; a = next_line(NULL, &save_a), b = next_line(NULL, &save_b)) {
		if (differs_by_nature(a))
			continue;
		EXPECT_STREQ(b, a);
		lines++;
	}
	EXPECT_EQ(NULL, a);
	EXPECT_EQ(NULL, b);
	EXPECT_LT(40, lines);
}

/* The report says what it should, so that the comparison compares something. */
TEST(report_shows_what_was_set)
{
	struct spawn spawn = { .how = BY_EXECNS, .setup = make_differ };
	static struct report report;

	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit);
	EXPECT_STREQ("\t0123", report_get(&report, "status/Umask"));
	EXPECT_STREQ("1", report_get(&report, "itimer"));
	EXPECT_STREQ("5", report_get(&report, "nice"));
	EXPECT_STREQ("0", report_get(&report, "keepcaps"));
	EXPECT_STREQ("100", report_get(&report, "oom_score_adj"));
	EXPECT_STREQ("execns_report", report_get(&report, "comm"));
	EXPECT_STREQ("\t0000000000000001", report_get(&report, "status/SigBlk"));
	EXPECT_STREQ("\t0000000000000200", report_get(&report, "status/SigIgn"));
}

TEST(empty_argv_becomes_an_empty_string)
{
	char *const none[] = { NULL };
	int status;
	pid_t child = fork();

	if (!child) {
		sys_execns(0, "./execns_report", none, environ);
		_exit(EXEC_FAILED);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	/* It misses an argument, but it has run. */
	EXPECT_EQ(97, WEXITSTATUS(status));
}

TEST(null_argv_and_envp)
{
	int status;
	pid_t child = fork();

	if (!child) {
		sys_execns(0, "./execns_report", NULL, NULL);
		_exit(EXEC_FAILED);
	}
	ASSERT_EQ(child, waitpid(child, &status, 0));
	EXPECT_EQ(97, WEXITSTATUS(status));
}

TEST_HARNESS_MAIN
