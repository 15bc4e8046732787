// SPDX-License-Identifier: GPL-2.0
/*
 * What capabilities do to accounts: those of whoever makes a container, and
 * those of whoever runs into a limit. They have to be of the host.
 */
#include "account_expect.h"

FIXTURE(creator)
{
	struct world world;
};

FIXTURE_VARIANT(creator)
{
	bool root, unshared;
	unsigned long long caps;
	bool new;
};

#define OTHER_CAPS (ALL_CAPS & ~(1ULL << CAP_SYS_RESOURCE))

FIXTURE_VARIANT_ADD(creator, root) { true, false, 0, true };
FIXTURE_VARIANT_ADD(creator, root_without) { true, false, OTHER_CAPS, false };
FIXTURE_VARIANT_ADD(creator, root_in_its_own) { true, true, 0, false };
FIXTURE_VARIANT_ADD(creator, user) { false, false, 0, false };
FIXTURE_VARIANT_ADD(creator, user_with) { false, false, 1ULL << CAP_SYS_RESOURCE, true };
FIXTURE_VARIANT_ADD(creator, user_with_others) { false, false, OTHER_CAPS, false };
FIXTURE_VARIANT_ADD(creator, user_in_its_own) { false, true, 0, false };
FIXTURE_VARIANT_ADD(creator, user_with_in_its_own) { false, true, 1ULL << CAP_SYS_RESOURCE, false };

FIXTURE_SETUP(creator)
{
	if (geteuid())
		SKIP(return, "not root");
	set_up_world(&self->world, EPOLL, variant->root);
}

FIXTURE_TEARDOWN(creator)
{
	tear_down_world(&self->world);
}

/* CAP_SYS_RESOURCE does, that of the host. */
TEST_F(creator, decides_whose_account_it_is)
{
	struct world *world = &self->world;
	const struct start container = {
		.how = BY_EXECNS, .uid = world->uid, .caps = variant->caps,
		.unshared = variant->unshared, .root_inside = variant->root,
	};
	const struct start host = { .how = BY_EXECVE, .uid = world->uid };
	struct hog *hog = run_hog(world, &container), *outside;

	EXPECT_LE(alone(world->resource) / 2, hog->count);
	expect_refused(_metadata, world, hog);
	expect_account(_metadata, world, hog, variant->new ? 1 : 2,
		       variant->new ? -1 : charged(world));
	outside = run_hog(world, &host);
	expect_refused(_metadata, world, outside);
	EXPECT_EQ(variant->new, outside->count > 0);
	expect_released(_metadata, world);
}

/* Some limits are not for all. */
FIXTURE(exempt)
{
	struct world world;
};

FIXTURE_VARIANT(exempt)
{
	int resource;
};

FIXTURE_VARIANT_ADD(exempt, pipe_soft) { PIPE_SOFT };
FIXTURE_VARIANT_ADD(exempt, pipe_hard) { PIPE_HARD };
FIXTURE_VARIANT_ADD(exempt, epoll) { EPOLL };
FIXTURE_VARIANT_ADD(exempt, inflight) { INFLIGHT };
FIXTURE_VARIANT_ADD(exempt, io_uring) { IO_URING };
FIXTURE_VARIANT_ADD(exempt, zerocopy) { ZEROCOPY };
FIXTURE_VARIANT_ADD(exempt, secretmem) { SECRETMEM };
FIXTURE_VARIANT_ADD(exempt, perf) { PERF };
FIXTURE_VARIANT_ADD(exempt, keys) { KEYS };
FIXTURE_VARIANT_ADD(exempt, key_bytes) { KEY_BYTES };
FIXTURE_VARIANT_ADD(exempt, watch_queue) { WATCH_QUEUE };
FIXTURE_VARIANT_ADD(exempt, inotify) { INOTIFY };
FIXTURE_VARIANT_ADD(exempt, userns) { USERNS };

FIXTURE_SETUP(exempt)
{
	if (geteuid())
		SKIP(return, "not root");
	set_up_world(&self->world, variant->resource, false);
}

FIXTURE_TEARDOWN(exempt)
{
	tear_down_world(&self->world);
}

TEST_F(exempt, is_who_has_the_capability)
{
	struct world *world = &self->world;
	struct start host = { .how = BY_EXECVE, .uid = world->uid, .caps = ALL_CAPS };
	const unsigned int *exempt = world->resource->exempt;
	struct hog *hog;
	int i;

	for (i = 0; i < 2 && exempt[i]; i++)
		host.caps &= ~(1ULL << exempt[i]);
	hog = run_hog(world, &host);
	if (hog->error == ENOSYS)
		SKIP(return, "the kernel has no %s", world->resource->name);
	EXPECT_EQ(alone(world->resource), hog->count);
	expect_refused(_metadata, world, hog);
	host.max = 2 * alone(world->resource);
	for (i = 0; i < 2 && exempt[i]; i++) {
		host.caps = 1ULL << exempt[i];
		hog = run_hog(world, &host);
		EXPECT_EQ(host.max, hog->count);
		EXPECT_EQ(0, hog->error);
	}
}

TEST_HARNESS_MAIN
