// SPDX-License-Identifier: GPL-2.0
/* The 32-bit entries, called by an i386 program. */
#include "execns_test.h"

FIXTURE(compat)
{
	struct report report;
};

FIXTURE_VARIANT(compat)
{
	bool at;
};

FIXTURE_VARIANT_ADD(compat, execns) { false };
FIXTURE_VARIANT_ADD(compat, execnsat) { true };

/* Which of both compat_caller calls. */
static int choose_call(void *at)
{
	return *(const bool *)at ? setenv("EXECNSAT", "1", 1) : unsetenv("EXECNSAT");
}

FIXTURE_SETUP(compat)
{
	bool at = variant->at;
	struct spawn spawn = {
		.how = BY_EXECVE, .path = "./compat_caller", .setup = choose_call, .data = &at,
	};

	if (access("./compat_caller", X_OK))
		SKIP(return, "compat_caller was not built: no 32-bit libc here");
	if (at && sys_execnsat(-1, NULL, NULL, NULL, NULL, 0) == -1 && errno == ENOSYS)
		SKIP(return, "the kernel has no execnsat()");
	spawn_report(&spawn, &self->report);
	if (self->report.exit == EXEC_FAILED && self->report.error == ENOEXEC)
		SKIP(return, "the kernel runs no 32-bit programs");
}

FIXTURE_TEARDOWN(compat)
{
}

/* compat_caller checks errors, then starts execns_report with all namespaces. */
TEST_F(compat, program_is_started_in_new_namespaces)
{
	size_t i;

	ASSERT_EQ(0, self->report.exit);
	EXPECT_STREQ(variant->at ? "1 2 77 " : "", report_get(&self->report, "fds"));
	EXPECT_STREQ("3", report_get(&self->report, "argc"));
	EXPECT_STREQ("from 32 bit", report_get(&self->report, "argv/1"));
	for (i = 0; i < NR_NAMESPACES; i++)
		if (namespaces[i].flag)
			EXPECT_NE(ns_inode("self", namespaces[i].name),
				  report_ns(&self->report, namespaces[i].name));
}

/* And with what it asks for besides. */
TEST_F(compat, settings_are_read)
{
	if (!variant->at)
		SKIP(return, "execns() has none");
	ASSERT_EQ(0, self->report.exit);
	EXPECT_NE(NULL, strstr(self->report.text, "uid_map          0          0          5\n"));
	EXPECT_NE(NULL, strstr(self->report.text, "uid_map        100         10 2147483647\n"));
	EXPECT_NE(NULL, strstr(self->report.text, "gid_map          0          0          5\n"));
	EXPECT_STREQ("deny", report_get(&self->report, "setgroups"));
	EXPECT_LT(100000, atol(report_get(&self->report, "boottime")));
}

TEST_HARNESS_MAIN
