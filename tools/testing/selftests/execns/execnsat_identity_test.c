// SPDX-License-Identifier: GPL-2.0
/* Who the program is through the maps that its caller gave, or did not give. */
#include "execnsat_maps.h"

#include <sys/xattr.h>

static struct report report;

#define EXPECT_REPORTED(key, expected) EXPECT_STREQ(expected, report_get(&report, key))

static void expect_map(struct __test_metadata *_metadata, const char *key, const char *expected)
{
	char text[4096];

	map_reported(&report, key, text, sizeof(text));
	EXPECT_STREQ(expected, text) TH_LOG("%s", key);
}

#define NO_CAPS "\t0000000000000000"

/* What is asked for, and the map for it. */
struct setting {
	struct execns_args args;
	struct execns_id_map map[2];
};

FIXTURE(identity)
{
	struct setting set;
};

FIXTURE_SETUP(identity)
{
	self->set.args.unshare_flags = CLONE_NEWUSER;
}

FIXTURE_TEARDOWN(identity)
{
}

static void give_uids(struct setting *set, unsigned int nr)
{
	set->args.uid_map = nr ? PTR(set->map) : 0;
	set->args.nr_uid_map = nr;
}

static void give_gids(struct setting *set, unsigned int nr)
{
	set->args.gid_map = nr ? PTR(set->map) : 0;
	set->args.nr_gid_map = nr;
}

/* A map that is not given is that of execns(). */
TEST_F(identity, maps_not_given)
{
	spawn_args(&self->set.args, as_root, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	expect_map(_metadata, "uid_map ", "0 0 4294967295\n");
	expect_map(_metadata, "gid_map ", "0 0 4294967295\n");
	EXPECT_REPORTED("setgroups", "allow");
	EXPECT_REPORTED("ids", "0 0 0 0");
	self->set.args.flags = EXECNS_SETGROUPS_DENY;
	spawn_args(&self->set.args, as_root, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_REPORTED("setgroups", "deny");
	self->set.args.flags = 0;
	spawn_args(&self->set.args, as_user, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	expect_map(_metadata, "uid_map ", "1000 1000 1\n");
	expect_map(_metadata, "gid_map ", "1000 1000 1\n");
	EXPECT_REPORTED("setgroups", "deny");
	EXPECT_REPORTED("ids", "1000 1000 1000 1000");
	EXPECT_REPORTED("status/CapEff", NO_CAPS);
}

/* Its own gid alone is only mapped where setgroups() is denied. */
TEST_F(identity, default_of_a_user_cannot_be_allowed)
{
	self->set.args.flags = EXECNS_SETGROUPS_ALLOW;
	spawn_args(&self->set.args, as_user, &report);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EPERM, report.error) TH_LOG("%s", strerror(report.error));
	spawn_args(&self->set.args, as_root, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_REPORTED("setgroups", "allow");
}

TEST_F(identity, only_uids_given)
{
	self->set.map[0] = (struct execns_id_map){ 0, 1000, 1 };
	give_uids(&self->set, 1);
	spawn_args(&self->set.args, as_user, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	expect_map(_metadata, "uid_map ", "0 1000 1\n");
	expect_map(_metadata, "gid_map ", "1000 1000 1\n");
	EXPECT_REPORTED("setgroups", "deny");
	EXPECT_REPORTED("ids", "0 0 1000 1000");
	self->set.args.flags = EXECNS_SETGROUPS_ALLOW;
	spawn_args(&self->set.args, as_user, &report);
	EXPECT_EQ(EPERM, report.error) TH_LOG("%s", strerror(report.error));
	self->set.args.flags = 0;
	spawn_args(&self->set.args, as_root, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	expect_map(_metadata, "gid_map ", "0 0 4294967295\n");
	EXPECT_REPORTED("setgroups", "allow");
	EXPECT_REPORTED("ids", "65534 65534 0 0");
}

TEST_F(identity, only_gids_given)
{
	self->set.map[0] = (struct execns_id_map){ 0, 1000, 1 };
	give_gids(&self->set, 1);
	spawn_args(&self->set.args, as_user, &report);
	EXPECT_EQ(EPERM, report.error) TH_LOG("%s", strerror(report.error));
	self->set.args.flags = EXECNS_SETGROUPS_DENY;
	spawn_args(&self->set.args, as_user, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	expect_map(_metadata, "uid_map ", "1000 1000 1\n");
	expect_map(_metadata, "gid_map ", "0 1000 1\n");
	EXPECT_REPORTED("ids", "1000 1000 0 0");
	EXPECT_REPORTED("status/CapEff", NO_CAPS);
}

TEST_F(identity, root_inside_has_all_capabilities)
{
	self->set.args.flags = EXECNS_SETGROUPS_DENY;
	self->set.map[0] = (struct execns_id_map){ 0, 1000, 1 };
	give_uids(&self->set, 1);
	give_gids(&self->set, 1);
	spawn_args(&self->set.args, as_user, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_REPORTED("ids", "0 0 0 0");
	EXPECT_STREQ(report_get(&report, "status/CapBnd"), report_get(&report, "status/CapEff"));
	EXPECT_STREQ(report_get(&report, "status/CapBnd"), report_get(&report, "status/CapPrm"));
	EXPECT_STRNE(NO_CAPS, report_get(&report, "status/CapEff"));
	EXPECT_REPORTED("status/CapInh", NO_CAPS);
	EXPECT_REPORTED("dumpable", "1");
}

/* Root outside is nobody inside, if it is not mapped. */
TEST_F(identity, not_mapped_is_the_overflow_id)
{
	self->set.map[0] = (struct execns_id_map){ 0, 100000, 65536 };
	give_uids(&self->set, 1);
	give_gids(&self->set, 1);
	spawn_args(&self->set.args, as_root, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_REPORTED("ids", "65534 65534 65534 65534");
	EXPECT_REPORTED("status/CapEff", NO_CAPS);
	EXPECT_REPORTED("status/CapPrm", NO_CAPS);
}

static int as_root_in_groups(void *unused)
{
	static const gid_t groups[] = { 3000, 4000 };

	(void)unused;
	return setgroups(2, groups);
}

TEST_F(identity, supplementary_groups_are_kept)
{
	self->set.map[0] = (struct execns_id_map){ 0, 0, 1 };
	self->set.map[1] = (struct execns_id_map){ 7, 3000, 1 };
	give_uids(&self->set, 1);
	give_gids(&self->set, 2);
	spawn_args(&self->set.args, as_root_in_groups, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_REPORTED("status/Groups", "\t7 65534 ");
}

FIXTURE(program)
{
	struct setting set;
};

FIXTURE_VARIANT(program)
{
	uid_t owner;
	mode_t mode;
	unsigned int caps;
};

FIXTURE_VARIANT_ADD(program, plain) { 0, 0755 };
FIXTURE_VARIANT_ADD(program, unreadable) { 0, 0711 };
FIXTURE_VARIANT_ADD(program, setuid_root) { 0, 06755 };
FIXTURE_VARIANT_ADD(program, setuid_user) { 1000, 06755 };
FIXTURE_VARIANT_ADD(program, setuid_other) { 2000, 06755 };
FIXTURE_VARIANT_ADD(program, capable) { 0, 0755, 1 << CAP_NET_ADMIN | 1 << CAP_CHOWN };

#define PROGRAM "/tmp/identity.program"

FIXTURE_SETUP(program)
{
	struct vfs_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = variant->caps } },
	};

	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, copy_program("execns_report", PROGRAM, variant->owner, variant->mode));
	if (variant->caps)
		ASSERT_EQ(0, setxattr(PROGRAM, "security.capability", &caps, sizeof(caps), 0));
	self->set.args.unshare_flags = CLONE_NEWUSER;
	self->set.args.flags = EXECNS_SETGROUPS_DENY;
}

FIXTURE_TEARDOWN(program)
{
}

/* By the call, and by unshare(), writes of a helper, and execve(). */
TEST_F(program, same_as_unshare_and_execve)
{
	static const char *const keys[] = {
		"ids", "secure", "dumpable", "securebits", "keepcaps", "status/Uid", "status/Gid",
		"status/Groups", "status/CapInh", "status/CapPrm", "status/CapEff",
		"status/CapBnd", "status/CapAmb", "status/NoNewPrivs",
	};
	static const struct {
		int (*caller)(void *unused);
		struct execns_id_map map;
	} rows[] = {
		{ as_root, { 0, 0, 10 } }, { as_root, { 5, 0, 10 } }, { as_root, { 0, 1, 10 } },
		{ as_user, { 0, 1000, 1 } }, { as_user, { 5, 1000, 1 } },
		{ as_user_with_setids, { 0, 1000, 1 } }, { as_user_with_setids, { 0, 1001, 9 } },
		{ as_nested_root, { 0, 0, 5 } }, { as_nested_root, { 0, 1, 5 } },
		{ as_nested_user, { 9, 0, 1 } },
	};
	static struct report theirs;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spawn spawn = {
			.how = BY_EXECNSAT, .args = &self->set.args, .path = PROGRAM,
			.setup = rows[i].caller,
		};
		char text[64];
		int status;
		pid_t child;

		self->set.map[0] = rows[i].map;
		give_uids(&self->set, 1);
		give_gids(&self->set, 1);
		spawn_report(&spawn, &report);
		ASSERT_EQ(0, report.exit) TH_LOG("row %zu: %s", i, strerror(report.error));
		map_text(self->set.map, 1, text, sizeof(text));
		close(open("/tmp/identity.report", O_CREAT | O_TRUNC | O_WRONLY, 0666));
		chmod("/tmp/identity.report", 0666);
		child = fork();
		if (!child) {
			spawn.how = BY_EXECVE;
			if (rows[i].caller(NULL) || enter_userns(0, "deny", text, text))
				_exit(98);
			exec_by(&spawn, "/tmp/identity.report");
			_exit(EXEC_FAILED);
		}
		ASSERT_EQ(child, waitpid(child, &status, 0));
		ASSERT_EQ(0, status);
		read_file("/tmp/identity.report", theirs.text, sizeof(theirs.text));
		unlink("/tmp/identity.report");
		for (j = 0; j < ARRAY_SIZE(keys); j++)
			EXPECT_STREQ(report_get(&theirs, keys[j]), report_get(&report, keys[j]))
				TH_LOG("row %zu: %s", i, keys[j]);
	}
}

/* What the agent says to the command, run by @caller with these maps. */
static int ask_agent(const struct setting *set, int (*caller)(void *unused),
		     char *const *command)
{
	struct agent_run run = { .command = command, .args = &set->args, .setup = caller };
	int result = start_agent(&run);

	finish_agent(&run);
	return result;
}

/* A member of 3000, and of no other group but its own. */
static int as_member(void *unused)
{
	static const gid_t group = 3000;

	(void)unused;
	return setgroups(1, &group) || setresgid(1000, 1000, 1000) ||
	       setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1);
}

/* A group that is shut out stays so: its members cannot leave it. */
TEST_F(identity, no_group_is_dropped)
{
	static char *const read[] = { "read", "/tmp/identity.denied", NULL };
	static char *const leave[] = { "setgroups", NULL };
	int fd = open(read[1], O_CREAT | O_WRONLY | O_CLOEXEC, 0604);
	struct execns_args none = { 0 }, all = self->set.args;

	ASSERT_EQ(0, fchown(fd, 0, 3000));
	ASSERT_EQ(0, fchmod(fd, 0604));
	self->set.args = none;
	EXPECT_EQ(0, ask_agent(&self->set, as_user, read));
	EXPECT_EQ(EACCES, ask_agent(&self->set, as_member, read));
	self->set.args = all;
	EXPECT_EQ(EACCES, ask_agent(&self->set, as_member, read));
	self->set.args.flags = EXECNS_SETGROUPS_DENY;
	self->set.map[0] = (struct execns_id_map){ 0, 1000, 1 };
	give_uids(&self->set, 1);
	give_gids(&self->set, 1);
	EXPECT_EQ(EACCES, ask_agent(&self->set, as_member, read));
	EXPECT_EQ(EPERM, ask_agent(&self->set, as_member, leave));
	/* Without a map, it is the same. */
	self->set.args.flags = 0;
	give_gids(&self->set, 0);
	EXPECT_EQ(EACCES, ask_agent(&self->set, as_member, read));
	EXPECT_EQ(EPERM, ask_agent(&self->set, as_member, leave));
	/* Who could do so outside can inside. */
	give_uids(&self->set, 0);
	EXPECT_EQ(0, ask_agent(&self->set, as_root_in_groups, leave));
	close(fd);
	unlink(read[1]);
}

TEST_F(identity, no_id_is_gained)
{
	static char *const read[] = { "read", "/tmp/identity.secret", NULL };
	char *become[3] = { "setuid", "0" };
	int fd = open(read[1], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	ASSERT_LE(0, fd);
	self->set.args.flags = EXECNS_SETGROUPS_DENY;
	self->set.map[0] = (struct execns_id_map){ 0, 1000, 1 };
	give_uids(&self->set, 1);
	give_gids(&self->set, 1);
	EXPECT_EQ(EACCES, ask_agent(&self->set, as_user, read));
	EXPECT_EQ(0, ask_agent(&self->set, as_user, become));
	become[1] = "1";
	EXPECT_EQ(EINVAL, ask_agent(&self->set, as_user, become));
	become[1] = "1000";
	EXPECT_EQ(EINVAL, ask_agent(&self->set, as_user, become));
	self->set.map[0].inside = 1000;
	become[1] = "0";
	EXPECT_EQ(EINVAL, ask_agent(&self->set, as_user, become));
	become[1] = "1000";
	EXPECT_EQ(0, ask_agent(&self->set, as_user, become));
	close(fd);
	unlink(read[1]);
}

/* The maps are there for good, whoever writes. */
TEST_F(identity, files_cannot_be_written_again)
{
	static const char *const files[] = { "uid_map", "gid_map", "setgroups", "setgroups" };
	static const char *const texts[] = { "0 0 1", "0 0 1", "allow", "deny" };
	char path[64], *command[4] = { "write", path };
	struct agent_run run = { .command = command, .args = &self->set.args };
	size_t i;

	self->set.args.flags = EXECNS_SETGROUPS_DENY;
	self->set.map[0] = (struct execns_id_map){ 0, 0, 10 };
	give_uids(&self->set, 1);
	give_gids(&self->set, 1);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		/* The program, which is root there. */
		snprintf(path, sizeof(path), "/proc/self/%s", files[i]);
		command[2] = (char *)texts[i];
		EXPECT_EQ(EPERM, start_agent(&run)) TH_LOG("%s: %s", path, strerror(run.error));
		/* And who is outside of it. */
		snprintf(path, sizeof(path), "/proc/%d/%s", run.pid, files[i]);
		EXPECT_EQ(-EPERM, write_file(path, texts[i])) TH_LOG("%s", path);
		EXPECT_EQ(EPERM, finish_agent(&run));
	}
}

TEST_HARNESS_MAIN
