// SPDX-License-Identifier: GPL-2.0
/* Without CONFIG_USER_NS_EXECNS, there is no such call. */
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

TEST_HARNESS_MAIN
