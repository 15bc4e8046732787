// SPDX-License-Identifier: GPL-2.0
/* The 32-bit entry, called by an i386 program. */
#include "execns_test.h"

FIXTURE(compat)
{
	struct report report;
};

FIXTURE_SETUP(compat)
{
	struct spawn spawn = { .how = BY_EXECVE, .path = "./compat_caller" };

	if (access("./compat_caller", X_OK))
		SKIP(return, "compat_caller was not built: no 32-bit libc here");
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
	EXPECT_STREQ("", report_get(&self->report, "fds"));
	EXPECT_STREQ("3", report_get(&self->report, "argc"));
	EXPECT_STREQ("from 32 bit", report_get(&self->report, "argv/1"));
	for (i = 0; i < NR_NAMESPACES; i++)
		if (namespaces[i].flag)
			EXPECT_NE(ns_inode("self", namespaces[i].name),
				  report_ns(&self->report, namespaces[i].name));
}

TEST_HARNESS_MAIN
