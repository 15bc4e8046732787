// SPDX-License-Identifier: GPL-2.0
/* The id maps that a caller may give, and who the program is through them. */
#include "execnsat_maps.h"

#define ALLOW EXECNS_SETGROUPS_ALLOW
#define DENY EXECNS_SETGROUPS_DENY

static struct report report;

struct row {
	const char *name;
	int (*caller)(void *unused);
	int error;
	unsigned int flags;
	const char *setgroups;		/* afterwards, if there is no error */
	unsigned int nr_uid, nr_gid;	/* 0 gids: as the uids */
	struct execns_id_map uid[6], gid[6];
};

/* The same for uids and gids, or something else for gids. */
#define ONE(inside, outside, count) .nr_uid = 1, .uid = { { inside, outside, count } }
#define SOME(nr, ...) .nr_uid = nr, .uid = { __VA_ARGS__ }
#define GIDS(nr, ...) .nr_uid = 1, .uid = { { 1, 1, 1 } }, .nr_gid = nr, .gid = { __VA_ARGS__ }

static const struct row bad_maps[] = {
	{ "nothing inside and outside", as_root, EINVAL, 0, NULL, ONE(0, 0, 0) },
	{ "count is zero", as_root, EINVAL, 0, NULL, ONE(5, 5, 0) },
	{ "-1 inside", as_root, EINVAL, 0, NULL, ONE(-1, 0, 1) },
	{ "-1 outside", as_root, EINVAL, 0, NULL, ONE(0, -1, 1) },
	{ "-1 is in the range", as_root, EINVAL, 0, NULL, ONE(-2, 0, 2) },
	{ "-1 is in the range outside", as_root, EINVAL, 0, NULL, ONE(0, -2, 2) },
	{ "overflow inside", as_root, EINVAL, 0, NULL, ONE(0xfffffff0, 0, 0x20) },
	{ "overflow outside", as_root, EINVAL, 0, NULL, ONE(0, 0xfffffff0, 0x20) },
	{ "all and one more", as_root, EINVAL, 0, NULL, ONE(1, 1, -1) },
	{ "same inside", as_root, EINVAL, 0, NULL, SOME(2, { 5, 10, 1 }, { 5, 20, 1 }) },
	{ "same outside", as_root, EINVAL, 0, NULL, SOME(2, { 5, 10, 1 }, { 6, 10, 1 }) },
	{ "overlap inside", as_root, EINVAL, 0, NULL, SOME(2, { 5, 10, 5 }, { 9, 20, 5 }) },
	{ "overlap outside", as_root, EINVAL, 0, NULL, SOME(2, { 5, 10, 5 }, { 20, 14, 5 }) },
	{ "within inside", as_root, EINVAL, 0, NULL, SOME(2, { 5, 100, 10 }, { 7, 20, 2 }) },
	{ "around outside", as_root, EINVAL, 0, NULL, SOME(2, { 50, 12, 2 }, { 5, 10, 10 }) },
	{ "sixth overlaps", as_root, EINVAL, 0, NULL,
	  SOME(6, { 0, 10, 1 }, { 1, 20, 2 }, { 3, 30, 3 }, { 6, 40, 4 }, { 10, 50, 5 },
	       { 14, 60, 1 }) },
	{ "gids: same inside", as_root, EINVAL, 0, NULL, GIDS(2, { 5, 10, 1 }, { 5, 20, 1 }) },
	{ "gids: overlap outside", as_root, EINVAL, 0, NULL, GIDS(2, { 5, 10, 5 }, { 20, 14, 5 }) },
	{ "gids: sixth overlaps", as_root, EINVAL, 0, NULL,
	  GIDS(6, { 0, 10, 1 }, { 1, 20, 2 }, { 3, 30, 3 }, { 6, 40, 4 }, { 10, 50, 5 },
	       { 60, 54, 1 }) },
	{ "malformed, of a user", as_user, EINVAL, DENY, NULL, ONE(1000, 1000, 0) },
};

static const struct row privileged[] = {
	{ "all", as_root, 0, 0, "allow", ONE(0, 0, -1) },
	{ "a range", as_root, 0, 0, "allow", ONE(0, 100000, 65536) },
	{ "the last id", as_root, 0, 0, "allow", ONE(0xfffffffe, 0xfffffffe, 1) },
	{ "said to be allowed", as_root, 0, ALLOW, "allow", ONE(0, 100000, 65536) },
	{ "denied", as_root, 0, DENY, "deny", ONE(0, 100000, 65536) },
	{ "five", as_root, 0, 0, "allow",
	  SOME(5, { 0, 10, 1 }, { 1, 20, 2 }, { 3, 30, 3 }, { 6, 40, 4 }, { 10, 50, 5 }) },
	{ "six", as_root, 0, 0, "allow",
	  SOME(6, { 0, 10, 1 }, { 1, 20, 2 }, { 3, 30, 3 }, { 6, 40, 4 }, { 10, 50, 5 },
	       { 15, 60, 6 }) },
	{ "six gids", as_root, 0, 0, "allow",
	  GIDS(6, { 0, 10, 1 }, { 1, 20, 2 }, { 3, 30, 3 }, { 6, 40, 4 }, { 10, 50, 5 },
	       { 15, 60, 6 }) },
	{ "side by side", as_root, 0, 0, "allow", SOME(2, { 5, 10, 5 }, { 10, 15, 5 }) },
	{ "in any order", as_root, 0, 0, "allow", SOME(2, { 10, 5, 5 }, { 5, 100, 5 }) },
	{ "root by who may not set capabilities of files", as_root_without_setfcap, EPERM, 0, NULL,
	  ONE(0, 0, 1) },
	{ "root in a range by the same", as_root_without_setfcap, EPERM, 0, NULL,
	  SOME(2, { 10, 10, 1 }, { 0, 0, 5 }) },
	{ "root as another by the same", as_root_without_setfcap, EPERM, 0, NULL, ONE(7, 0, 1) },
	{ "others by the same", as_root_without_setfcap, 0, 0, "allow", ONE(0, 1, 65536) },
	{ "another uid without CAP_SETUID", as_root_without_setuid, EPERM, 0, NULL, ONE(0, 1, 1) },
	{ "own uid without CAP_SETUID", as_root_without_setuid, 0, 0, "allow", ONE(7, 0, 1) },
	{ "own uid and others without CAP_SETUID", as_root_without_setuid, EPERM, 0, NULL,
	  ONE(0, 0, 2) },
	{ "another gid without CAP_SETGID", as_root_without_setgid, EPERM, DENY, NULL,
	  ONE(0, 1, 1) },
	{ "own gid without CAP_SETGID", as_root_without_setgid, EPERM, 0, NULL, ONE(0, 0, 1) },
	{ "own gid without CAP_SETGID, denied", as_root_without_setgid, 0, DENY, "deny",
	  ONE(0, 0, 1) },
	{ "a range by a user with both", as_user_with_setids, 0, 0, "allow",
	  ONE(0, 100000, 10) },
	{ "root by a user with both", as_user_with_setids, EPERM, 0, NULL, ONE(0, 0, 1) },
};

static const struct row unprivileged[] = {
	{ "itself", as_user, 0, DENY, "deny", ONE(1000, 1000, 1) },
	{ "itself as root", as_user, 0, DENY, "deny", ONE(0, 1000, 1) },
	{ "itself as another", as_user, 0, DENY, "deny", ONE(4321, 1000, 1) },
	{ "not denied", as_user, EPERM, 0, NULL, ONE(1000, 1000, 1) },
	{ "allowed", as_user, EPERM, ALLOW, NULL, ONE(1000, 1000, 1) },
	{ "another", as_user, EPERM, DENY, NULL, ONE(1000, 1001, 1) },
	{ "root", as_user, EPERM, DENY, NULL, ONE(0, 0, 1) },
	{ "root as itself", as_user, EPERM, DENY, NULL, ONE(1000, 0, 1) },
	{ "its neighbour", as_user, EPERM, DENY, NULL, ONE(1000, 1000, 2) },
	{ "another uid", as_user, EPERM, DENY, NULL, 1, 1, { { 0, 1001, 1 } }, { { 0, 1000, 1 } } },
	{ "another gid", as_user, EPERM, DENY, NULL, 1, 1, { { 0, 1000, 1 } }, { { 0, 1001, 1 } } },
	{ "itself and another", as_user, EPERM, DENY, NULL, 2, 1,
	  { { 0, 1000, 1 }, { 1, 1001, 1 } }, { { 0, 1000, 1 } } },
};

static const struct row nested[] = {
	{ "a range", as_nested_root, 0, 0, "allow", ONE(0, 0, 10) },
	{ "both ranges", as_nested_root, 0, 0, "allow",
	  SOME(2, { 0, 0, 10 }, { 100, 10, 10 }) },
	{ "across ranges", as_nested_root, EPERM, 0, NULL, ONE(0, 5, 10) },
	{ "not mapped", as_nested_root, EPERM, 0, NULL, ONE(0, 20, 1) },
	{ "one of them not mapped", as_nested_root, EPERM, 0, NULL, ONE(0, 10, 11) },
	{ "that of the initial namespace", as_nested_root, EPERM, 0, NULL, ONE(0, 100000, 1) },
	{ "in a namespace where it is denied", as_nested_user, 0, 0, "deny", ONE(0, 0, 1) },
	{ "denied again", as_nested_user, 0, DENY, "deny", ONE(5, 0, 1) },
	{ "allowed where it is denied", as_nested_user, EPERM, ALLOW, NULL, ONE(0, 0, 1) },
	{ "not mapped by a user", as_nested_user, EPERM, 0, NULL, ONE(0, 1, 1) },
	{ "the user of the initial namespace", as_nested_user, EPERM, 0, NULL, ONE(0, 1000, 1) },
};

static void spawn_request(const struct request *request, int (*caller)(void *unused))
{
	struct execns_args args = args_of(request);
	struct spawn spawn = { .how = BY_EXECNSAT, .args = &args, .setup = caller };

	spawn_report(&spawn, &report);
}

static void expect_maps(struct __test_metadata *_metadata, const struct request *request,
			const char *name)
{
	static char asked[16384], reported[16384];

	map_text(request->uid, request->nr_uid, asked, sizeof(asked));
	map_reported(&report, "uid_map ", reported, sizeof(reported));
	EXPECT_STREQ(asked, reported) TH_LOG("%s", name);
	map_text(request->gid, request->nr_gid, asked, sizeof(asked));
	map_reported(&report, "gid_map ", reported, sizeof(reported));
	EXPECT_STREQ(asked, reported) TH_LOG("%s", name);
}

/* The same by a check, by the call, and by unshare() and writes of a helper. */
static void expect_row(struct __test_metadata *_metadata, const struct row *row)
{
	static struct request request;

	request.nr_uid = row->nr_uid;
	request.nr_gid = row->nr_gid ?: row->nr_uid;
	request.flags = row->flags;
	memcpy(request.uid, row->uid, sizeof(row->uid));
	memcpy(request.gid, row->nr_gid ? row->gid : row->uid, sizeof(row->gid));
	EXPECT_EQ(row->error, errno_of(row->caller, write_request, &request))
		TH_LOG("%s, by /proc", row->name);
	EXPECT_EQ(row->error, errno_of(row->caller, check_request, &request))
		TH_LOG("%s, by a check", row->name);
	spawn_request(&request, row->caller);
	EXPECT_EQ(row->error ? EXEC_FAILED : 0, report.exit) TH_LOG("%s", row->name);
	EXPECT_EQ(row->error, report.error) TH_LOG("%s: %s", row->name, strerror(report.error));
	if (row->error || report.exit)
		return;
	expect_maps(_metadata, &request, row->name);
	EXPECT_STREQ(row->setgroups, report_get(&report, "setgroups")) TH_LOG("%s", row->name);
}

static void expect_rows(struct __test_metadata *_metadata, const struct row *rows, size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++)
		expect_row(_metadata, &rows[i]);
}

TEST(malformed_maps_are_einval)
{
	expect_rows(_metadata, bad_maps, ARRAY_SIZE(bad_maps));
}

TEST(what_capabilities_allow)
{
	expect_rows(_metadata, privileged, ARRAY_SIZE(privileged));
}

TEST(what_a_user_may_map)
{
	expect_rows(_metadata, unprivileged, ARRAY_SIZE(unprivileged));
}

TEST(what_is_mapped_outside)
{
	expect_rows(_metadata, nested, ARRAY_SIZE(nested));
}

/* What a file of /proc takes at most, apart from its size. */
TEST(as_many_extents_as_a_map_has)
{
	static const unsigned int numbers[] = { 5, 6, 7, 100, 339, 340 };
	static struct request request;
	unsigned int i, j;

	for (i = 0; i < 341; i++) {
		/* With holes, so that nothing could be joined. */
		request.uid[i] = (struct execns_id_map){ 2 * i, 3 * i, 1 };
		request.gid[i] = (struct execns_id_map){ 2 * i, 5000 - 2 * i, 2 };
	}
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		request.nr_uid = numbers[i];
		request.nr_gid = numbers[ARRAY_SIZE(numbers) - 1 - i];
		spawn_request(&request, as_root);
		ASSERT_EQ(0, report.exit) TH_LOG("%u: %s", numbers[i], strerror(report.error));
		expect_maps(_metadata, &request, "many");
	}
	/* The last of many is looked at as well. */
	request.nr_gid = 340;
	for (j = 0; j < 339; j += 113) {
		request.gid[339].outside = 5000 - 2 * j;
		EXPECT_EQ(EINVAL, errno_of(as_root, check_request, &request)) TH_LOG("%u", j);
	}
	request.gid[339].outside = 9000;
	request.nr_uid = 341;
	EXPECT_EQ(EINVAL, errno_of(as_root, check_request, &request));
	request.nr_uid = 1;
	request.nr_gid = 341;
	EXPECT_EQ(EINVAL, errno_of(as_root, check_request, &request));
}

/* One of these, the same ones in each run. */
static unsigned int draw(const unsigned int *from, size_t nr)
{
	static unsigned int random = 1;

	random = random * 1103515245 + 12345;
	return from[(random >> 16) % nr];
}

FIXTURE(drawn)
{
};

FIXTURE_SETUP(drawn)
{
}

FIXTURE_TEARDOWN(drawn)
{
}

/* Whoever maps whatever: the files of /proc would say the same. */
TEST_F_TIMEOUT(drawn, as_the_files_of_proc, 300)
{
	static int (*const callers[])(void *unused) = {
		as_root, as_root_without_setfcap, as_root_without_setuid, as_root_without_setgid,
		as_user, as_user_with_setids, as_nested_root, as_nested_user,
	};
	static const unsigned int inside[] = { 0, 1, 2, 5, 50, 100, 1000, 0xfffffffe, -1 };
	static const unsigned int outside[] = { 0, 0, 1, 5, 10, 15, 1000, 1000, 1001, 0xfffffffe };
	static const unsigned int counts[] = { 0, 1, 1, 1, 1, 1, 2, 10, -1 };
	static const unsigned int flags[] = { 0, ALLOW, DENY, DENY };
	static struct request request;
	unsigned int round, i, fine = 0, denied = 0, malformed = 0;
	int by_proc, by_call;

	for (round = 0; round < rounds_of(320); round++) {
		request.nr_uid = round % 64 < 40 ? 1 : 2;
		request.nr_gid = round % 40 < 32 ? 1 : 3;
		request.flags = draw(flags, ARRAY_SIZE(flags));
		for (i = 0; i < 6; i++) {
			struct execns_id_map *map = i < 3 ? &request.uid[i] : &request.gid[i - 3];

			map->inside = draw(inside, ARRAY_SIZE(inside));
			map->outside = draw(outside, ARRAY_SIZE(outside));
			map->count = draw(counts, ARRAY_SIZE(counts));
		}
		/* Often the same for both. */
		if (round & 24)
			request.gid[0] = request.uid[0];
		by_proc = errno_of(callers[round % 8], write_request, &request);
		by_call = errno_of(callers[round % 8], check_request, &request);
		EXPECT_EQ(by_proc, by_call) {
			char uid[256], gid[256];

			map_text(request.uid, request.nr_uid, uid, sizeof(uid));
			map_text(request.gid, request.nr_gid, gid, sizeof(gid));
			TH_LOG("caller %u, flags %u, uids\n%sgids\n%s", round % 8, request.flags,
			       uid, gid);
		}
		fine += !by_proc;
		denied += by_proc == EPERM;
		malformed += by_proc == EINVAL;
	}
	/* None of them is rare. */
	EXPECT_LT(round / 11, fine);
	EXPECT_LT(round / 11, denied);
	EXPECT_LT(round / 11, malformed);
}

TEST_HARNESS_MAIN
