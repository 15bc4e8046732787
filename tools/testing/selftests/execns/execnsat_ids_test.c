// SPDX-License-Identifier: GPL-2.0
/* Other ids and no groups for the program, of those that the maps have. */
#include "execnsat_maps.h"

static struct report report;

/* From the caller's view: 100000 and up is 0 and up, with a hole at 10. */
static const struct execns_id_map ranges[] = { { 0, 100000, 10 }, { 11, 100011, 1000 } };
static const struct execns_id_map own[] = { { 7, 1000, 1 } };

static int as_root_in_groups(void *unused)
{
	static const gid_t groups[] = { 3000, 100003 };

	(void)unused;
	return setgroups(2, groups);
}

static struct execns_args ask(const struct execns_id_map *map, unsigned int nr, unsigned int flags,
			      uid_t uid, gid_t gid)
{
	return (struct execns_args){
		.unshare_flags = CLONE_NEWUSER, .flags = flags, .uid = uid, .gid = gid,
		.uid_map = PTR(map), .nr_uid_map = nr, .gid_map = PTR(map), .nr_gid_map = nr,
	};
}

#define SET EXECNS_SET_IDS
#define DROP EXECNS_DROP_GROUPS
#define DENY EXECNS_SETGROUPS_DENY

struct row {
	const char *name;
	int (*caller)(void *unused);
	const struct execns_id_map *map;
	unsigned int nr, flags;
	uid_t uid;
	gid_t gid;
	int error;
	const char *ids, *groups;
	bool all_caps;
};

static const struct row rows[] = {
	{ "root", as_root_in_groups, ranges, 2, SET, 0, 0, 0, "0 0 0 0", "\t65534 3 ", true },
	{ "another", as_root_in_groups, ranges, 2, SET, 5, 6, 0, "5 5 6 6", "\t65534 3 " },
	{ "second range", as_root, ranges, 2, SET, 11, 1010, 0, "11 11 1010 1010" },
	{ "uid stays", as_root, ranges, 2, SET, -1, 6, 0, "65534 65534 6 6" },
	{ "gid stays", as_root, ranges, 2, SET, 0, -1, 0, "0 0 65534 65534", NULL, true },
	{ "both stay", as_root, ranges, 2, SET, -1, -1, 0, "65534 65534 65534 65534" },
	{ "uid is not mapped", as_root, ranges, 2, SET, 10, 0, EINVAL },
	{ "gid is not mapped", as_root, ranges, 2, SET, 0, 10, EINVAL },
	{ "behind the map", as_root, ranges, 2, SET, 1011, 0, EINVAL },
	{ "an id of outside", as_root, ranges, 2, SET, 100000, 0, EINVAL },
	{ "no id", as_root, ranges, 2, SET, -2, 0, EINVAL },
	{ "no groups", as_root_in_groups, ranges, 2, DROP, 0, 0, 0, "65534 65534 65534 65534",
	  "\t " },
	{ "root without groups", as_root_in_groups, ranges, 2, SET | DROP, 0, 0, 0, "0 0 0 0",
	  "\t ", true },
	{ "denied", as_root_in_groups, ranges, 2, DROP | DENY, 0, 0, EPERM },
	{ "root, denied", as_root_in_groups, ranges, 2, SET | DROP | DENY, 0, 0, EPERM },
	{ "ids, denied", as_root, ranges, 2, SET | DENY, 0, 0, 0, "0 0 0 0", NULL, true },
	{ "its own", as_user, own, 1, SET | DENY, 7, 7, 0, "7 7 7 7", "\t " },
	{ "its own of outside", as_user, own, 1, SET | DENY, 1000, 7, EINVAL },
	{ "root of a user", as_user, own, 1, SET | DENY, 0, 7, EINVAL },
	{ "groups of a user", as_user, own, 1, DROP | DENY, 0, 0, EPERM },
};

TEST(ids_of_the_maps)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *row = &rows[i];
		struct execns_args args = ask(row->map, row->nr, row->flags, row->uid, row->gid);
		const char *caps;

		spawn_args(&args, row->caller, &report);
		EXPECT_EQ(row->error ? EXEC_FAILED : 0, report.exit) TH_LOG("%s", row->name);
		EXPECT_EQ(row->error, report.error) TH_LOG("%s: %s", row->name,
							   strerror(report.error));
		if (report.exit || row->error)
			continue;
		EXPECT_STREQ(row->ids, report_get(&report, "ids")) TH_LOG("%s", row->name);
		if (row->groups)
			EXPECT_STREQ(row->groups, report_get(&report, "status/Groups"))
				TH_LOG("%s", row->name);
		caps = row->all_caps ? report_get(&report, "status/CapBnd") : "\t0000000000000000";
		EXPECT_STREQ(caps, report_get(&report, "status/CapEff")) TH_LOG("%s", row->name);
		EXPECT_STREQ(caps, report_get(&report, "status/CapPrm")) TH_LOG("%s", row->name);
		EXPECT_STREQ("1", report_get(&report, "dumpable")) TH_LOG("%s", row->name);
	}
}

/* Who is root inside is not so outside. */
TEST(ids_outside)
{
	static char *const command[] = { "wait", NULL };
	struct execns_args args = ask(ranges, 2, SET | DROP, 0, 5);
	struct agent_run run = { .command = command, .args = &args };
	char path[64], status[8192];

	ASSERT_EQ(0, start_agent(&run)) TH_LOG("%s", strerror(run.error));
	snprintf(path, sizeof(path), "/proc/%d/status", run.pid);
	read_file(path, status, sizeof(status));
	EXPECT_NE(NULL, strstr(status, "\nUid:\t100000\t100000\t100000\t100000\n"));
	EXPECT_NE(NULL, strstr(status, "\nGid:\t100005\t100005\t100005\t100005\n"));
	EXPECT_EQ(0, finish_agent(&run));
}

/* Without maps of its own, the same: all ids of root, and one of a user. */
TEST(ids_of_the_default_maps)
{
	struct execns_args args = {
		.unshare_flags = CLONE_NEWUSER, .flags = SET | DROP, .uid = 1000, .gid = 1001,
	};

	spawn_args(&args, as_root_in_groups, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("1000 1000 1001 1001", report_get(&report, "ids"));
	EXPECT_STREQ("\t0000000000000000", report_get(&report, "status/CapEff"));
	EXPECT_STREQ("\t ", report_get(&report, "status/Groups"));
	spawn_args(&args, as_user, &report);
	EXPECT_EQ(EPERM, report.error) TH_LOG("%s", strerror(report.error));
	args.flags = SET;
	spawn_args(&args, as_user, &report);
	EXPECT_EQ(EINVAL, report.error) TH_LOG("%s", strerror(report.error));
	args.gid = 1000;
	spawn_args(&args, as_user, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("1000 1000 1000 1000", report_get(&report, "ids"));
}

/* The signal for the death of its parent is not for who it becomes. */
static int as_root_with_pdeathsig(void *unused)
{
	(void)unused;
	return prctl(PR_SET_PDEATHSIG, SIGTERM);
}

TEST(pdeathsig_is_cleared_with_ids)
{
	struct execns_args args = ask(ranges, 2, SET, 5, 5);

	spawn_args(&args, as_root_with_pdeathsig, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("0", report_get(&report, "pdeathsig"));
}

/* A failed call, and a check, leave ids and groups. */
TEST(caller_keeps_its_ids)
{
	char *const argv[] = { "execns_report", NULL };
	struct execns_args args = ask(ranges, 2, SET | DROP, 5, 5);
	static struct snapshot before, after;

	ASSERT_EQ(0, as_root_in_groups(NULL));
	take_snapshot(&before, -1);
	EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "/nonexistent", argv, environ, &args, sizeof(args)));
	EXPECT_EQ(ENOENT, errno);
	args.at_flags = AT_EXECVE_CHECK;
	EXPECT_EQ(0, sys_execnsat(AT_FDCWD, "./execns_report", argv, environ, &args,
				  sizeof(args)));
	take_snapshot(&after, -1);
	EXPECT_INTACT(&before, &after);
}

TEST_HARNESS_MAIN
