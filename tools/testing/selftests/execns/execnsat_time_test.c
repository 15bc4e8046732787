// SPDX-License-Identifier: GPL-2.0
/* The clocks of a new time namespace. */
#include "execnsat_test.h"

#define MONOTONIC(seconds, nanoseconds) \
	{ .clock = CLOCK_MONOTONIC, .sec = seconds, .nsec = nanoseconds }
#define BOOTTIME(seconds, nanoseconds) \
	{ .clock = CLOCK_BOOTTIME, .sec = seconds, .nsec = nanoseconds }

static struct report report;

/* What is asked for, and the clocks before. */
struct setting {
	struct execns_args args;
	struct execns_time_offset offsets[3];
	long monotonic, boottime;
};

FIXTURE(time)
{
	struct setting set;
};

static long seconds_of(clockid_t clock)
{
	struct timespec time;

	return clock_gettime(clock, &time) ? -1 : time.tv_sec;
}

FIXTURE_SETUP(time)
{
	if (access("/proc/self/timens_offsets", F_OK))
		SKIP(return, "the kernel has no time namespaces");
	self->set.args.unshare_flags = CLONE_NEWTIME;
	self->set.args.time_offsets = PTR(self->set.offsets);
	self->set.monotonic = seconds_of(CLOCK_MONOTONIC);
	self->set.boottime = seconds_of(CLOCK_BOOTTIME);
}

FIXTURE_TEARDOWN(time)
{
}

static void spawn_offsets(struct setting *set, unsigned int nr, int (*setup)(void *unused))
{
	struct spawn spawn = { .how = BY_EXECNSAT, .args = &set->args, .setup = setup };

	set->args.nr_time_offsets = nr;
	spawn_report(&spawn, &report);
}

/* The program's clocks are this much ahead, give or take the time that this took. */
static void expect_ahead(struct __test_metadata *_metadata, const struct setting *set,
			 long monotonic, long boottime)
{
	long now = atol(report_get(&report, "monotonic")) - set->monotonic;

	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_LE(monotonic, now);
	EXPECT_GT(monotonic + 100, now);
	now = atol(report_get(&report, "boottime")) - set->boottime;
	EXPECT_LE(boottime, now);
	EXPECT_GT(boottime + 100, now);
	EXPECT_NE(ns_inode("self", "time"), report_ns(&report, "time"));
	EXPECT_EQ(report_ns(&report, "time"), report_ns(&report, "time_for_children"));
}

TEST_F(time, both_clocks_are_ahead)
{
	self->set.offsets[0] = (struct execns_time_offset)MONOTONIC(10000, 0);
	self->set.offsets[1] = (struct execns_time_offset)BOOTTIME(200000, 999999999);
	spawn_offsets(&self->set, 2, NULL);
	expect_ahead(_metadata, &self->set, 10000, 200000);
	EXPECT_NE(NULL, strstr(report.text, "timens_offsets monotonic       10000         0\n"));
	EXPECT_NE(NULL, strstr(report.text, "timens_offsets boottime       200000 999999999\n"));
	/* In the other order, it is the same. */
	self->set.offsets[0] = (struct execns_time_offset)BOOTTIME(200000, 0);
	self->set.offsets[1] = (struct execns_time_offset)MONOTONIC(10000, 0);
	spawn_offsets(&self->set, 2, NULL);
	expect_ahead(_metadata, &self->set, 10000, 200000);
}

TEST_F(time, one_clock_is_ahead)
{
	self->set.offsets[0] = (struct execns_time_offset)MONOTONIC(10000, 0);
	spawn_offsets(&self->set, 1, NULL);
	expect_ahead(_metadata, &self->set, 10000, 0);
	self->set.offsets[0] = (struct execns_time_offset)BOOTTIME(10000, 0);
	spawn_offsets(&self->set, 1, NULL);
	expect_ahead(_metadata, &self->set, 0, 10000);
}

TEST_F(time, no_offsets_are_none)
{
	self->set.args.time_offsets = 0;
	spawn_offsets(&self->set, 0, NULL);
	expect_ahead(_metadata, &self->set, 0, 0);
	EXPECT_NE(ns_inode("self", "time"), report_ns(&report, "time"));
}

/* Of a clock that is named twice, the last is set, as by the file of /proc. */
TEST_F(time, last_of_a_clock_is_set)
{
	self->set.offsets[0] = (struct execns_time_offset)BOOTTIME(10000, 0);
	self->set.offsets[1] = (struct execns_time_offset)BOOTTIME(300000, 0);
	spawn_offsets(&self->set, 2, NULL);
	expect_ahead(_metadata, &self->set, 0, 300000);
	self->set.offsets[0] = (struct execns_time_offset)BOOTTIME(300000, 0);
	self->set.offsets[1] = (struct execns_time_offset)BOOTTIME(10000, 0);
	spawn_offsets(&self->set, 2, NULL);
	expect_ahead(_metadata, &self->set, 0, 10000);
}

/* It is over its own namespace that a user may set the clocks. */
TEST_F(time, user_sets_clocks_of_its_namespace)
{
	self->set.args.unshare_flags |= CLONE_NEWUSER;
	self->set.offsets[0] = (struct execns_time_offset)MONOTONIC(10000, 0);
	self->set.offsets[1] = (struct execns_time_offset)BOOTTIME(20000, 0);
	spawn_offsets(&self->set, 2, become_user);
	expect_ahead(_metadata, &self->set, 10000, 20000);
}

static int shift_time(void *unused)
{
	(void)unused;
	return unshare(CLONE_NEWTIME) ||
	       write_file("/proc/self/timens_offsets", "monotonic 7000 0\nboottime 8000 0\n");
}

/* They are ahead of the initial namespace, also in one of another. */
TEST_F(time, offsets_are_not_added)
{
	self->set.offsets[0] = (struct execns_time_offset)MONOTONIC(10000, 0);
	spawn_offsets(&self->set, 1, shift_time);
	/* The other is inherited. */
	expect_ahead(_metadata, &self->set, 10000, 8000);
	self->set.offsets[0] = (struct execns_time_offset)BOOTTIME(-1, 0);
	spawn_offsets(&self->set, 1, shift_time);
	expect_ahead(_metadata, &self->set, 7000, -1);
}

#define KTIME_SEC_MAX (INT64_MAX / 1000000000)

TEST_F(time, offsets_are_checked)
{
	const struct {
		struct execns_time_offset offset;
		int error;
	} rows[] = {
		{ { .clock = CLOCK_REALTIME, .sec = 1 }, EINVAL },
		{ { .clock = CLOCK_MONOTONIC_RAW, .sec = 1 }, EINVAL },
		{ { .clock = CLOCK_BOOTTIME_ALARM, .sec = 1 }, EINVAL },
		{ { .clock = CLOCK_PROCESS_CPUTIME_ID, .sec = 1 }, EINVAL },
		{ { .clock = CLOCK_TAI, .sec = 1 }, EINVAL },
		{ { .clock = 0x100 | CLOCK_MONOTONIC, .sec = 1 }, EINVAL },
		{ { .clock = -1, .sec = 1 }, EINVAL },
		{ { .clock = INT32_MIN, .sec = 1 }, EINVAL },
		{ MONOTONIC(0, -1), EINVAL },
		{ MONOTONIC(0, 1000000000), EINVAL },
		{ MONOTONIC(1, INT64_MAX), EINVAL },
		{ BOOTTIME(1, INT64_MIN), EINVAL },
		{ { .clock = CLOCK_MONOTONIC, .reserved = 1 }, EINVAL },
		{ { .clock = CLOCK_BOOTTIME, .reserved = 1U << 31 }, EINVAL },
		{ MONOTONIC(KTIME_SEC_MAX + 1, 0), ERANGE },
		{ MONOTONIC(-KTIME_SEC_MAX - 1, 0), ERANGE },
		{ BOOTTIME(INT64_MAX, 0), ERANGE },
		{ BOOTTIME(INT64_MIN, 0), ERANGE },
		/* The clock would stop, or would start before its zero. */
		{ MONOTONIC(KTIME_SEC_MAX / 2 + 1, 0), ERANGE },
		{ BOOTTIME(-self->set.boottime - 1000, 0), ERANGE },
	};
	struct snapshot before, after;
	char *const argv[] = { "execns_report", NULL };
	size_t i, place;

	take_snapshot(&before, -1);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (place = 0; place < 2; place++) {
			self->set.offsets[!place] = (struct execns_time_offset)MONOTONIC(1, 0);
			self->set.offsets[place] = rows[i].offset;
			self->set.args.nr_time_offsets = 2;
			self->set.args.at_flags = AT_EXECVE_CHECK;
			EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "./execns_report", argv, environ,
						   &self->set.args, sizeof(self->set.args)));
			EXPECT_EQ(rows[i].error, errno) TH_LOG("row %zu: %s", i, strerror(errno));
			self->set.args.at_flags = 0;
			EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "./execns_report", argv, environ,
						   &self->set.args, sizeof(self->set.args)));
			EXPECT_EQ(rows[i].error, errno) TH_LOG("row %zu: %s", i, strerror(errno));
		}
	}
	take_snapshot(&after, -1);
	EXPECT_INTACT(&before, &after);
	self->set.offsets[0] = (struct execns_time_offset)MONOTONIC(1, 0);
	self->set.offsets[1] = (struct execns_time_offset)BOOTTIME(1, 0);
	self->set.offsets[2] = (struct execns_time_offset)BOOTTIME(1, 0);
	spawn_offsets(&self->set, 3, NULL);
	EXPECT_EQ(EINVAL, report.error) TH_LOG("%s", strerror(report.error));
}

static int drop_sys_time(void *unused)
{
	(void)unused;
	return set_caps(0x1ffffffffffULL & ~(1ULL << CAP_SYS_TIME), 0);
}

/* The namespace is one thing, its clocks are another. */
TEST_F(time, clocks_need_a_capability)
{
	self->set.offsets[0] = (struct execns_time_offset)MONOTONIC(10000, 0);
	spawn_offsets(&self->set, 1, drop_sys_time);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EPERM, report.error) TH_LOG("%s", strerror(report.error));
	self->set.args.time_offsets = 0;
	spawn_offsets(&self->set, 0, drop_sys_time);
	EXPECT_EQ(0, report.exit);
	/* Which its owner has over a new user namespace. */
	self->set.args.time_offsets = PTR(self->set.offsets);
	self->set.args.unshare_flags |= CLONE_NEWUSER;
	spawn_offsets(&self->set, 1, drop_sys_time);
	expect_ahead(_metadata, &self->set, 10000, 0);
}

TEST_HARNESS_MAIN
