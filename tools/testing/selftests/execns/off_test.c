// SPDX-License-Identifier: GPL-2.0
/* Without CONFIG_USER_NS_EXECNS, there are no such calls. */
#define EXECNS_TEST_OFF
#include "execns_test.h"

TEST(numbers_are_enosys)
{
	int nr;

	for (nr = __NR_execns; nr <= __NR_execns + 1; nr++) {
		EXPECT_EQ(-1, syscall(nr, 0, "/bin/sh", NULL, NULL));
		EXPECT_EQ(ENOSYS, errno);
		EXPECT_EQ(-1, syscall(nr, -1, NULL, NULL, NULL));
		EXPECT_EQ(ENOSYS, errno);
	}
}

/* Whatever the arguments are: nothing looks at them. */
TEST(arguments_are_not_looked_at)
{
	struct execns_args args = { .at_flags = 0x1000 };
	char *const argv[] = { "sh", NULL };

	EXPECT_EQ(-1, sys_execns(CLONE_NEWUSER, "/nonexistent", argv, environ));
	EXPECT_EQ(ENOSYS, errno);
	EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "/bin/sh", argv, environ, &args, sizeof(args)));
	EXPECT_EQ(ENOSYS, errno);
	EXPECT_EQ(-1, sys_execnsat(-1, NULL, NULL, NULL, (void *)16, 1));
	EXPECT_EQ(ENOSYS, errno);
}

TEST_HARNESS_MAIN
