// SPDX-License-Identifier: GPL-2.0
/* Attacks by user namespaces: for ids, groups, capabilities and limits. */
#include "attack_test.h"

#include <sys/xattr.h>

#define PROGRAM "/tmp/attack.program"
#define SECRET "/tmp/attack.secret"

static struct report report;

static const struct execns_id_map own[] = { { 7, 1000, 1 } };
static const struct execns_id_map own_root[] = { { 0, 1000, 1 } };
/* Ids that root gives away. */
static const struct execns_id_map other[] = { { 0, 100000, 65536 } };
static const struct execns_id_map third[] = { { 0, 200000, 65536 } };

/* Ids as seen from here: real, effective, saved, of the file system. */
static void outside_uids(pid_t pid, char *text, size_t size)
{
	static const char *const keys[] = { "Uid:", NULL };
	char path[64], status[8192];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	read_file(path, status, sizeof(status));
	keep_lines(status, keys, text, size);
}

static void expect_no_root(struct __test_metadata *_metadata, struct agent_run *run, int euid)
{
	char text[256];

	ASSERT_EQ(euid, start_agent(run)) TH_LOG("%s", strerror(run->error));
	outside_uids(run->pid, text, sizeof(text));
	EXPECT_STREQ("Uid:\t1000\t1000\t1000\t1000\n", text);
	finish_agent(run);
}

/*
 * A program that is set-user-ID to root, for a user that is alone in a user
 * namespace. execve() without the namespace gives root. With it, neither unshare()
 * and execve() nor execns() do, whatever the map is, and nobody may map root.
 */
TEST(setuid_root_plus_newuser_plus_identity_map)
{
	static const struct execns_id_map of_root[] = { { 0, 0, 1 } };
	static char *const euid[] = { "euid", NULL }, *const read[] = { "secret", SECRET, NULL };
	static const struct {
		const struct execns_id_map *map;
		int euid;
	} rows[] = { { NULL, 1000 & 0x7f }, { own, 7 }, { own_root, 0 } };
	struct execns_args args;
	struct agent_run run = {
		.path = PROGRAM, .args = &args, .setup = become_user, .command = euid,
	};
	size_t i;

	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, PROGRAM, 0, 06755));
	ASSERT_EQ(0, make_script(SECRET, "!\n"));
	ASSERT_EQ(0, chmod(SECRET, 0600));
	args = (struct execns_args){ 0 };
	EXPECT_EQ(0, attack_by_unshare(&run));
	run.command = read;
	EXPECT_EQ(0, attack_by_unshare(&run));
	EXPECT_EQ(0, attack(&run));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		args = with_map(rows[i].map, EXECNS_SETGROUPS_DENY);
		run.command = euid;
		run.call = call_by_unshare;
		expect_no_root(_metadata, &run, rows[i].euid);
		run.call = NULL;
		expect_no_root(_metadata, &run, rows[i].euid);
		run.command = read;
		EXPECT_EQ(EACCES, attack_by_unshare(&run));
		EXPECT_EQ(EACCES, attack(&run));
	}
	args = with_map(of_root, EXECNS_SETGROUPS_DENY);
	EXPECT_EQ(-EPERM, attack_by_unshare(&run));
	EXPECT_EQ(-EPERM, attack(&run));
}

/*
 * A map of ids that the caller does not have, to be root or another user by it, or
 * to have capabilities that take the right to set file capabilities. The files of
 * /proc refuse that, and so does execns(), each with the same error.
 */
TEST(capability_gain_through_a_map_not_owned)
{
	static const struct {
		const char *name;
		int (*caller)(void *unused);
		struct execns_id_map map;
		int error;
	} rows[] = {
		{ "root of a user", as_user, { 0, 0, 1 }, EPERM },
		{ "another user", as_user, { 0, 1001, 1 }, EPERM },
		{ "more than oneself", as_user, { 0, 1000, 2 }, EPERM },
		{ "what lies around", as_user, { 0, 999, 3 }, EPERM },
		{ "all", as_user, { 0, 0, -1 }, EPERM },
		{ "oneself", as_user, { 0, 1000, 1 }, 0 },
		{ "the parent's root", as_nested_user, { 0, 1000, 1 }, EPERM },
		{ "outside the parent", as_nested_root, { 0, 5, 100 }, EPERM },
		{ "a hole of the parent", as_nested_root, { 0, 25, 1 }, EPERM },
		{ "root without setfcap", as_root_without_setfcap, { 0, 0, 1 }, EPERM },
		{ "users without setuid", as_root_without_setuid, { 0, 1, 1 }, EPERM },
		{ "users", as_root, { 0, 1, 1 }, 0 },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct request request = {
			.uid[0] = rows[i].map, .gid[0] = rows[i].map, .nr_uid = 1, .nr_gid = 1,
			.flags = EXECNS_SETGROUPS_DENY,
		};

		EXPECT_EQ(rows[i].error, errno_of(rows[i].caller, write_request, &request))
			TH_LOG("%s", rows[i].name);
		EXPECT_EQ(rows[i].error, errno_of(rows[i].caller, check_request, &request))
			TH_LOG("%s", rows[i].name);
	}
}

/*
 * File capabilities are for the namespace of one root. Where that is the root of the
 * new namespace, a user has them there, and nowhere else.
 */
TEST(file_capabilities_of_another_root)
{
	struct vfs_ns_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_3 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = 1 << CAP_SYS_ADMIN } }, .rootid = 100000,
	};
	static const struct execns_id_map *const maps[] = { other, third };
	size_t i;

	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, copy_program("execns_report", PROGRAM, 0, 0755));
	if (setxattr(PROGRAM, "security.capability", &caps, sizeof(caps), 0))
		SKIP(return, "no file capabilities in /tmp: %s", strerror(errno));
	for (i = 0; i < ARRAY_SIZE(maps); i++) {
		struct execns_args args = with_map(maps[i], EXECNS_SET_IDS | EXECNS_DROP_GROUPS);
		struct spawn spawn = { .how = BY_EXECNSAT, .args = &args, .path = PROGRAM };

		args.uid = 5;
		args.gid = 5;
		spawn_report(&spawn, &report);
		ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
		EXPECT_STREQ("5 5 5 5", report_get(&report, "ids"));
		EXPECT_STREQ(i ? "\t0000000000000000" : "\t0000000000200000",
			     report_get(&report, "status/CapEff"));
	}
	/* Not for a user's own namespace, as root of it or not, and not without one. */
	for (i = 0; i < 3; i++) {
		struct execns_args args = with_map(i == 1 ? own : NULL, 0);
		struct spawn spawn = {
			.how = BY_EXECNSAT, .args = &args, .path = PROGRAM, .setup = become_user,
		};

		args.flags = i == 1 ? EXECNS_SETGROUPS_DENY : 0;
		args.unshare_flags = i == 2 ? 0 : CLONE_NEWUSER;
		spawn_report(&spawn, &report);
		ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
		EXPECT_STREQ("\t0000000000000000", report_get(&report, "status/CapEff"));
	}
}

#define DENIED_GROUP 3000

/* A user that is in the group that may not read the file, where others may. */
static int in_denied_group(void *unused)
{
	static const gid_t group = DENIED_GROUP;

	(void)unused;
	return setgroups(1, &group) || setresgid(1000, 1000, 1000) ||
	       setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1);
}

/* The same group as the only one that the user has. */
static int of_denied_group(void *unused)
{
	(void)unused;
	return setgroups(0, NULL) || setresgid(DENIED_GROUP, DENIED_GROUP, DENIED_GROUP) ||
	       setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1);
}

/* The group is left, by a process that may do that. */
static int out_of_denied_group(void *unused)
{
	return become_user(unused);
}

/*
 * A group that is denied what all others may: a user namespace would be a way to
 * leave it. Only where setgroups() is allowed, which a user can not have, the file can
 * be read. EXECNS_DROP_GROUPS and EXECNS_SET_IDS are no other way.
 */
TEST(setgroups_drop_of_a_deny_group)
{
	static const struct execns_id_map map_3000[] = { { 5, DENIED_GROUP, 1 } };
	static const struct {
		const char *name;
		int (*caller)(void *unused);
		const struct execns_id_map *gids;
		unsigned int flags;
		int result;
	} rows[] = {
		{ "default", in_denied_group, NULL, 0, EACCES },
		{ "own gid", in_denied_group, own, EXECNS_SETGROUPS_DENY, EACCES },
		{ "own gid as 0", in_denied_group, own_root, EXECNS_SETGROUPS_DENY, EACCES },
		{ "allowed", in_denied_group, own, EXECNS_SETGROUPS_ALLOW, -EPERM },
		{ "not denied", in_denied_group, own, 0, -EPERM },
		{ "its gid", in_denied_group, map_3000, EXECNS_SETGROUPS_DENY, -EPERM },
		{ "dropped", in_denied_group, own, EXECNS_SETGROUPS_DENY | EXECNS_DROP_GROUPS,
		  -EPERM },
		{ "dropped, default", in_denied_group, NULL, EXECNS_DROP_GROUPS, -EPERM },
		{ "ids set", in_denied_group, own, EXECNS_SETGROUPS_DENY | EXECNS_SET_IDS, EACCES },
		{ "ids set, stay", of_denied_group, map_3000,
		  EXECNS_SETGROUPS_DENY | EXECNS_SET_IDS, EACCES },
		{ "another gid", of_denied_group, own, EXECNS_SETGROUPS_DENY, -EPERM },
	};
	static char *const command[] = { "secret", SECRET, NULL };
	struct execns_args args = { 0 };
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .command = command,
		.setup = out_of_denied_group,
	};
	size_t i;

	ASSERT_EQ(0, make_script(SECRET, "!\n"));
	ASSERT_EQ(0, chmod(SECRET, 0604));
	ASSERT_EQ(0, chown(SECRET, 0, DENIED_GROUP));
	EXPECT_EQ(0, attack(&run));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		run.setup = rows[i].caller;
		args = with_map(own, rows[i].flags);
		args.gid_map = PTR(rows[i].gids);
		args.nr_gid_map = !!rows[i].gids;
		if (!rows[i].gids) {
			args.uid_map = 0;
			args.nr_uid_map = 0;
		}
		if (rows[i].flags & EXECNS_SET_IDS) {
			args.uid = own[0].inside;
			args.gid = rows[i].gids[0].inside;
		}
		EXPECT_EQ(rows[i].result, attack(&run)) TH_LOG("%s", rows[i].name);
		if (rows[i].flags & EXECNS_DROP_GROUPS || !rows[i].gids)
			continue;
		EXPECT_EQ(rows[i].result, attack_by_unshare(&run)) TH_LOG("%s", rows[i].name);
	}
	unlink(SECRET);
}

TEST_HARNESS_MAIN
