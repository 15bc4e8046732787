// SPDX-License-Identifier: GPL-2.0
/*
 * Who is counted together: what one container takes is missing in another of
 * the same user, unless somebody with CAP_SYS_RESOURCE has made them by execns().
 */
#include "account_expect.h"

/* What two containers got, the one after the other: -1 if that did not run. */
static struct measured {
	long count[NR_RESOURCES][2][3][2];
} *measured;

enum { UNSHARED, BY_ROOT, BY_USER };

static void __attribute__((constructor)) map_measured(void)
{
	measured = mmap(NULL, sizeof(*measured), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(measured, -1, sizeof(*measured));
}

static void measure(const struct world *world, int column, const struct hog *first,
		    const struct hog *second)
{
	long *count = measured->count[world->resource - resources][!!world->uid][column];

	count[0] = first->count;
	count[1] = second->count;
}

/* Only the harness itself gets here: its tests _exit(). */
static void __attribute__((destructor)) print_measured(void)
{
	int which, user, column;

	/* All was skipped. */
	if (!measured)
		return;
	ksft_print_msg("units that a 1st and a 2nd container of a user get\n");
	ksft_print_msg("%-12s %-4s  %-11s %-11s %-11s\n", "resource", "who", "unshare",
		       "execns/root", "execns/user");
	for (which = 0; which < NR_RESOURCES; which++) {
		for (user = 1; user >= 0; user--) {
			char cells[3][32];

			for (column = 0; column < 3; column++) {
				long *count = measured->count[which][user][column];

				snprintf(cells[column], sizeof(cells[column]),
					 count[0] < 0 ? "   -" : "%4ld %4ld", count[0], count[1]);
			}
			ksft_print_msg("%-12s %-4s  %-11s %-11s %-11s\n", resources[which].name,
				       user ? "user" : "root", cells[0], cells[1], cells[2]);
		}
	}
}

FIXTURE(account)
{
	struct world world;
};

FIXTURE_VARIANT(account)
{
	int resource;
	bool root;
};

FIXTURE_VARIANT_ADD(account, pipe_soft_user) { PIPE_SOFT, false };
FIXTURE_VARIANT_ADD(account, pipe_soft_root) { PIPE_SOFT, true };
FIXTURE_VARIANT_ADD(account, pipe_hard_user) { PIPE_HARD, false };
FIXTURE_VARIANT_ADD(account, pipe_hard_root) { PIPE_HARD, true };
FIXTURE_VARIANT_ADD(account, epoll_user) { EPOLL, false };
FIXTURE_VARIANT_ADD(account, epoll_root) { EPOLL, true };
FIXTURE_VARIANT_ADD(account, inflight_user) { INFLIGHT, false };
FIXTURE_VARIANT_ADD(account, inflight_root) { INFLIGHT, true };
FIXTURE_VARIANT_ADD(account, io_uring_user) { IO_URING, false };
FIXTURE_VARIANT_ADD(account, io_uring_root) { IO_URING, true };
FIXTURE_VARIANT_ADD(account, zerocopy_user) { ZEROCOPY, false };
FIXTURE_VARIANT_ADD(account, zerocopy_root) { ZEROCOPY, true };
FIXTURE_VARIANT_ADD(account, secretmem_user) { SECRETMEM, false };
FIXTURE_VARIANT_ADD(account, secretmem_root) { SECRETMEM, true };
FIXTURE_VARIANT_ADD(account, perf_user) { PERF, false };
FIXTURE_VARIANT_ADD(account, perf_root) { PERF, true };
FIXTURE_VARIANT_ADD(account, keys_user) { KEYS, false };
FIXTURE_VARIANT_ADD(account, keys_root) { KEYS, true };
FIXTURE_VARIANT_ADD(account, key_bytes_user) { KEY_BYTES, false };
FIXTURE_VARIANT_ADD(account, key_bytes_root) { KEY_BYTES, true };
FIXTURE_VARIANT_ADD(account, watch_queue_user) { WATCH_QUEUE, false };
FIXTURE_VARIANT_ADD(account, watch_queue_root) { WATCH_QUEUE, true };
FIXTURE_VARIANT_ADD(account, inotify_user) { INOTIFY, false };
FIXTURE_VARIANT_ADD(account, inotify_root) { INOTIFY, true };
FIXTURE_VARIANT_ADD(account, userns_user) { USERNS, false };
FIXTURE_VARIANT_ADD(account, userns_root) { USERNS, true };

FIXTURE_SETUP(account)
{
	if (geteuid())
		SKIP(return, "not root");
	set_up_world(&self->world, variant->resource, variant->root);
}

FIXTURE_TEARDOWN(account)
{
	tear_down_world(&self->world);
}

/* As ever: it is the host's account, with which all containers are counted. */
TEST_F(account, is_the_hosts_after_unshare)
{
	struct world *world = &self->world;
	const struct start container = { .how = BY_UNSHARE, .uid = world->uid };
	const struct start host = { .how = BY_EXECVE, .uid = world->uid };
	struct hog *first, *second;

	first = run_hog(world, &container);
	if (first->error == ENOSYS)
		SKIP(return, "the kernel has no %s", world->resource->name);
	second = run_hog(world, &container);
	measure(world, UNSHARED, first, second);
	/* Others of root may hold some. */
	EXPECT_LE(alone(world->resource) / 2, first->count);
	expect_refused(_metadata, world, first);
	expect_nothing(_metadata, world, second);
	expect_nothing(_metadata, world, run_hog(world, &host));
	if (world->before.lines)
		expect_account(_metadata, world, first, 1, charged(world));
}

/* Nothing that is outside counts in the container, nor the other way round. */
TEST_F(account, is_new_by_execns_of_root)
{
	struct world *world = &self->world;
	const struct start container = { .how = BY_EXECNS, .root_inside = variant->root };
	const struct start host = { .how = BY_EXECVE, .uid = world->uid };
	struct hog *first, *second, *outside;

	first = run_hog(world, &container);
	if (first->error == ENOSYS)
		SKIP(return, "the kernel has no %s", world->resource->name);
	second = run_hog(world, &container);
	measure(world, BY_ROOT, first, second);
	EXPECT_EQ(alone(world->resource), first->count);
	expect_refused(_metadata, world, first);
	EXPECT_EQ(alone(world->resource), second->count);
	expect_refused(_metadata, world, second);
	expect_account(_metadata, world, first, 1, -1);
	expect_account(_metadata, world, second, 1, -1);
	EXPECT_TRUE(is_as_before(world));
	outside = run_hog(world, &host);
	/* The containers themselves are root's, and others of root may hold some. */
	EXPECT_LE(alone(world->resource) / (variant->root ? 2 : 1), outside->count);
	expect_refused(_metadata, world, outside);
	expect_account(_metadata, world, first, 1, -1);
	expect_released(_metadata, world);
}

/* Who enters the container, and who is started by execns() in it, has its limit. */
TEST_F(account, is_the_containers_inside)
{
	struct world *world = &self->world;
	struct start container = { .how = BY_EXECNS, .root_inside = variant->root };
	struct start inside = { .how = BY_EXECNS, .uid = world->uid };
	const struct start host = { .how = BY_EXECVE, .uid = world->uid };
	long half = alone(world->resource) / 2;
	struct hog *first, *entered, *nested;

	container.max = half;
	first = run_hog(world, &container);
	if (first->error == ENOSYS)
		SKIP(return, "the kernel has no %s", world->resource->name);
	EXPECT_EQ(half, first->count);
	inside.join = first->pid;
	nested = run_hog(world, &inside);
	expect_refused(_metadata, world, nested);
	/* Of its limit, one unit may have been charged twice. */
	EXPECT_LE(alone(world->resource) - half - 1, nested->count);
	EXPECT_GE(alone(world->resource) - half, nested->count);
	inside.how = BY_EXECVE;
	entered = run_hog(world, &inside);
	expect_nothing(_metadata, world, entered);
	expect_account(_metadata, world, first, 1, charged_inside(world));
	expect_account(_metadata, world, nested, 2, charged_inside(world));
	EXPECT_TRUE(is_as_before(world));
	expect_refused(_metadata, world, run_hog(world, &host));
	expect_released(_metadata, world);
}

/* Containers that an unprivileged user makes are within that user's limit. */
FIXTURE(limit)
{
	struct world world;
};

FIXTURE_VARIANT(limit)
{
	int resource;
};

FIXTURE_VARIANT_ADD(limit, pipe_soft) { PIPE_SOFT };
FIXTURE_VARIANT_ADD(limit, pipe_hard) { PIPE_HARD };
FIXTURE_VARIANT_ADD(limit, epoll) { EPOLL };
FIXTURE_VARIANT_ADD(limit, inflight) { INFLIGHT };
FIXTURE_VARIANT_ADD(limit, io_uring) { IO_URING };
FIXTURE_VARIANT_ADD(limit, zerocopy) { ZEROCOPY };
FIXTURE_VARIANT_ADD(limit, secretmem) { SECRETMEM };
FIXTURE_VARIANT_ADD(limit, perf) { PERF };
FIXTURE_VARIANT_ADD(limit, keys) { KEYS };
FIXTURE_VARIANT_ADD(limit, key_bytes) { KEY_BYTES };
FIXTURE_VARIANT_ADD(limit, watch_queue) { WATCH_QUEUE };
FIXTURE_VARIANT_ADD(limit, inotify) { INOTIFY };
FIXTURE_VARIANT_ADD(limit, userns) { USERNS };

FIXTURE_SETUP(limit)
{
	if (geteuid())
		SKIP(return, "not root");
	set_up_world(&self->world, variant->resource, false);
}

FIXTURE_TEARDOWN(limit)
{
	tear_down_world(&self->world);
}

static void expect_within_limit(struct __test_metadata *_metadata, const struct world *world,
				int at_once)
{
	long units = world->resource->racy ? 1 - at_once : 0;
	int i;

	for (i = 0; i < world->nr_hogs; i++)
		units += world->hogs[i].count;
	EXPECT_GE(alone(world->resource), units);
}

TEST_F(limit, holds_for_all_containers_of_the_user)
{
	struct world *world = &self->world;
	const struct start container = { .how = BY_EXECNS, .uid = world->uid };
	const struct start host = { .how = BY_EXECVE, .uid = world->uid };
	struct hog *first, *second;

	first = run_hog(world, &container);
	if (first->error == ENOSYS)
		SKIP(return, "the kernel has no %s", world->resource->name);
	second = run_hog(world, &container);
	measure(world, BY_USER, first, second);
	/* The container counts as a user namespace. */
	EXPECT_EQ(alone(world->resource) - (variant->resource == USERNS), first->count);
	expect_refused(_metadata, world, first);
	expect_nothing(_metadata, world, second);
	expect_nothing(_metadata, world, run_hog(world, &host));
	expect_accounts(_metadata, world, 2);
	expect_released(_metadata, world);
}

/* Who owns the namespace that it calls from owns nothing of the host. */
TEST_F(limit, holds_for_root_of_an_unshared_namespace)
{
	struct world *world = &self->world;
	const struct start container = {
		.how = BY_EXECNS, .uid = world->uid, .unshared = true,
	};
	struct hog *first;

	first = run_hog(world, &container);
	if (first->error == ENOSYS)
		SKIP(return, "the kernel has no %s", world->resource->name);
	expect_refused(_metadata, world, first);
	expect_nothing(_metadata, world, run_hog(world, &container));
	expect_within_limit(_metadata, world, 1);
	expect_accounts(_metadata, world, 2);
	expect_released(_metadata, world);
}

TEST_F(limit, holds_at_every_depth)
{
	static const int depths[] = { 0, 14, 100, 6 };
	struct world *world = &self->world;
	struct start container = { .how = BY_EXECNS, .uid = world->uid };
	const struct start host = { .how = BY_EXECVE, .uid = world->uid };
	struct hog *hog;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		container.depth = depths[i];
		/* The last one takes what is left. */
		container.max = i < 3 ? alone(world->resource) / 4 : 0;
		hog = run_hog(world, &container);
		if (hog->error == ENOSYS)
			SKIP(return, "the kernel has no %s", world->resource->name);
	}
	expect_refused(_metadata, world, hog);
	expect_within_limit(_metadata, world, 1);
	expect_nothing(_metadata, world, run_hog(world, &host));
	for (i = 0; i < ARRAY_SIZE(depths); i++) {
		/* The namespaces themselves are too many for that limit. */
		if (variant->resource == USERNS)
			continue;
		EXPECT_LT(0, world->hogs[i].count);
		expect_account(_metadata, world, &world->hogs[i],
			       (depths[i] < MAX_DEPTH ? depths[i] + 1 : MAX_DEPTH) + 1,
			       charged(world));
	}
	expect_released(_metadata, world);
}

/* All at the same time. */
TEST_F(limit, holds_for_many_side_by_side)
{
	struct world *world = &self->world;
	const struct start container = { .how = BY_EXECNS, .uid = world->uid };
	struct hog *hogs[8];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(hogs); i++)
		hogs[i] = start_hog(world, &container);
	for (i = 0; i < ARRAY_SIZE(hogs); i++)
		await_hog(hogs[i]);
	if (hogs[0]->error == ENOSYS)
		SKIP(return, "the kernel has no %s", world->resource->name);
	for (i = 0; i < ARRAY_SIZE(hogs); i++)
		expect_refused(_metadata, world, hogs[i]);
	expect_within_limit(_metadata, world, ARRAY_SIZE(hogs));
	expect_accounts(_metadata, world, 2);
	expect_released(_metadata, world);
}

TEST_HARNESS_MAIN
