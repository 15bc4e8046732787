/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of accounts expect of hogs, and of their /proc/PID/account. */
#ifndef _ACCOUNT_EXPECT_H
#define _ACCOUNT_EXPECT_H

#include "account_hogs.h"

/*
 * The hog's /proc/PID/account: its own account first, that of the host last,
 * with what is @shared with others. -1: there is no account above.
 */
static inline void expect_line(struct __test_metadata *_metadata, const struct account *account,
			       const char *name, const char *limit, long own, long shared)
{
	int i, line = find_line(account, name);

	ASSERT_LE(0, line) TH_LOG("no %s", name);
	EXPECT_STREQ(limit, account->line[line].limit) TH_LOG("%s", name);
	for (i = 0; i < account->columns; i++) {
		bool last = i == account->columns - 1 && shared >= 0;

		EXPECT_EQ(last ? shared : own, account->line[line].count[i])
			TH_LOG("%s of account %d", name, i);
	}
}

static inline void expect_account(struct __test_metadata *_metadata, const struct world *world,
				  const struct hog *hog, int columns, long shared)
{
	const struct resource *resource = world->resource;
	long own = charge_of(world, hog);
	struct account account;
	char limit[24];

	ASSERT_TRUE(read_account(hog->holder, &account));
	ASSERT_EQ(columns, account.columns);
	expect_line(_metadata, &account, "uid", "-", world->uid, -1);
	snprintf(limit, sizeof(limit), "%ld", limit_of(resource));
	if (resource->line)
		expect_line(_metadata, &account, resource->line, limit, own, shared);
	/* Both limits are for the same pages. */
	if (resource == &resources[PIPE_SOFT])
		expect_line(_metadata, &account, "pipe_pages_hard", "unlimited", own, shared);
	if (resource == &resources[PIPE_HARD])
		expect_line(_metadata, &account, "pipe_pages_soft", "unlimited", own, shared);
}

/* What is charged to an account that all hogs share. */
static inline long charged_inside(const struct world *world)
{
	long sum = 0;
	int i;

	for (i = 0; i < world->nr_hogs; i++)
		sum += charge_of(world, &world->hogs[i]);
	return sum;
}

/* The same for the host's account of the user. */
static inline long charged(const struct world *world)
{
	int line = world->resource->line ? find_line(&world->before, world->resource->line) : -1;

	return charged_inside(world) + (line < 0 ? 0 : world->before.line[line].count[0]);
}

/* Each container has an account of its own, below that of the user. */
static inline void expect_accounts(struct __test_metadata *_metadata, const struct world *world,
				   int columns)
{
	int i;

	for (i = 0; i < world->nr_hogs; i++)
		if (world->hogs[i].holder > 0 && !world->hogs[i].outside)
			expect_account(_metadata, world, &world->hogs[i], columns,
				       charged(world));
}

/* When the hogs have gone, nothing is charged, on the host and in containers. */
static inline void expect_released(struct __test_metadata *_metadata, struct world *world)
{
	struct account account;
	int i;

	end_holders(world);
	EXPECT_TRUE(is_as_before(world));
	for (i = 0; i < world->nr_hogs; i++) {
		const struct hog *hog = &world->hogs[i];

		if (hog->holder > 0 && !hog->outside) {
			EXPECT_STREQ("", still_charged(hog, &account) ?: "");
			EXPECT_NE(0, account.lines);
		}
	}
}

static inline void expect_refused(struct __test_metadata *_metadata, const struct world *world,
				  const struct hog *hog)
{
	EXPECT_TRUE(was_refused(world, hog))
		TH_LOG("%ld units, then: %s", hog->count, strerror(hog->error));
}

static inline void expect_nothing(struct __test_metadata *_metadata, const struct world *world,
				  const struct hog *hog)
{
	EXPECT_EQ(0, hog->count);
	expect_refused(_metadata, world, hog);
}

#endif
