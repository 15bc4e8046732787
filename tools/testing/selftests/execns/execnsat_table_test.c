// SPDX-License-Identifier: GPL-2.0
/* A descriptor table that is shared, or that other threads change meanwhile. */
#include "execnsat_test.h"

#include <pthread.h>

FIXTURE(table)
{
};

FIXTURE_VARIANT(table)
{
	int share;
};

FIXTURE_VARIANT_ADD(table, private) { 0 };
FIXTURE_VARIANT_ADD(table, shared) { CLONE_FILES };
FIXTURE_VARIANT_ADD(table, shared_vfork) { CLONE_FILES | CLONE_VM };

FIXTURE_SETUP(table)
{
	ASSERT_EQ(0, set_nofile(1024));
	ASSERT_EQ(0, open_files(10, 8));
}

FIXTURE_TEARDOWN(table)
{
}

/* Keep @fds in a child, and let it see whether it has these. */
static int agent_has(const struct execns_fd *fds, size_t nr, int share, int *error)
{
	char *command[40] = { "fds", NULL }, words[40][32];
	struct agent_run run = {
		.command = command, .fds = fds, .nr_fds = nr, .share = share,
	};
	int result;
	size_t i;

	for (i = 0; i < nr; i++) {
		snprintf(words[i], sizeof(words[i]), "%u:%lu", fds[i].to, fd_inode(fds[i].from));
		command[i + 1] = words[i];
	}
	command[nr + 1] = NULL;
	result = start_agent(&run);
	*error = run.error;
	finish_agent(&run);
	return result;
}

TEST_F_TIMEOUT(table, every_permutation_is_possible, 300)
{
	unsigned int random = 12345, to[8] = { 10, 11, 12, 13, 14, 15, 16, 17 }, i, j, round;
	char before[4096], after[4096];
	struct execns_fd fds[8];
	int error;

	list_fds(before, sizeof(before));
	for (round = 0; round < rounds_of(200); round++) {
		unsigned int nr = round % 4 ? 8 : 1 + round % 8;

		for (i = 7; i > 0; i--) {
			unsigned int other;

			random = random * 1103515245 + 12345;
			j = (random >> 16) % (i + 1);
			other = to[i];
			to[i] = to[j];
			to[j] = other;
		}
		for (i = 0; i < nr; i++)
			fds[i] = (struct execns_fd){ round % 3 ? 10 + i : 10 + (to[i] & 3), to[i] };
		ASSERT_EQ(0, agent_has(fds, nr, variant->share, &error))
			TH_LOG("round %u: %s", round, strerror(error));
	}
	/* Who shares the table, or has a copy, sees nothing of it. */
	list_fds(after, sizeof(after));
	EXPECT_STREQ(before, after);
}

/* What the other thread of a caller does to the descriptors, again and again. */
struct churn {
	int first, n;		/* these numbers are opened and closed */
	int other;		/* and this is what is opened there */
};

static void *churn_thread(void *data)
{
	const struct churn *churn = data;
	int i;

	for (;;) {
		for (i = 0; i < churn->n; i++)
			dup2(churn->other, churn->first + i);
		for (i = 0; i < churn->n; i++)
			close(churn->first + i);
	}
	return NULL;
}

static int start_churning(void *data)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, churn_thread, data))
		return -1;
	usleep(1000);
	return 0;
}

/* Whatever else is opened meanwhile: what is listed is kept, and only that. */
TEST_F_TIMEOUT(table, other_thread_changes_other_descriptors, 120)
{
	const struct execns_fd fds[] = {
		{ 10, 40 }, { 11, 10 }, { 12, 12 }, { 12, 45 }, { 13, 200 },
	};
	struct churn churn = { .first = 40, .n = 10, .other = 17 };
	char *command[ARRAY_SIZE(fds) + 2] = { "fds" };
	char words[ARRAY_SIZE(fds)][32];
	struct agent_run run = {
		.command = command, .fds = fds, .nr_fds = ARRAY_SIZE(fds),
		.setup = start_churning, .data = &churn, .share = variant->share,
	};
	size_t i, round;

	/* A thread needs an address space, which must not be shared with the test's. */
	if (variant->share & CLONE_VM)
		SKIP(return, "a child of vfork() starts no threads");
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		snprintf(words[i], sizeof(words[i]), "%u:%lu", fds[i].to, fd_inode(fds[i].from));
		command[i + 1] = words[i];
	}
	for (round = 0; round < 30; round++) {
		ASSERT_EQ(0, start_agent(&run)) TH_LOG("round %zu: %s", round, strerror(run.error));
		EXPECT_EQ(0, finish_agent(&run));
	}
}

/* One that is replaced and closed all the time is one or the other, or EBADF. */
TEST_F_TIMEOUT(table, other_thread_changes_a_listed_descriptor, 120)
{
	const struct execns_fd fds[] = { { 40, 3 }, { 10, 40 } };
	struct churn churn = { .first = 40, .n = 1, .other = 17 };
	char *command[4] = { "fds" }, words[2][32];
	struct agent_run run = {
		.command = command, .fds = fds, .nr_fds = ARRAY_SIZE(fds),
		.setup = start_churning, .data = &churn, .share = variant->share,
	};
	int round, result;

	if (variant->share & CLONE_VM)
		SKIP(return, "a child of vfork() starts no threads");
	snprintf(words[0], sizeof(words[0]), "3:%lu", fd_inode(17));
	snprintf(words[1], sizeof(words[1]), "40:%lu", fd_inode(10));
	command[1] = words[0];
	command[2] = words[1];
	for (round = 0; round < 50; round++) {
		result = start_agent(&run);
		ASSERT_EQ(result < 0 ? EBADF : 0, run.error) TH_LOG("%s", strerror(run.error));
		ASSERT_GE(0, result);
		finish_agent(&run);
	}
}

TEST_HARNESS_MAIN
