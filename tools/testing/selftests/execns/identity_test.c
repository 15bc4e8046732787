// SPDX-License-Identifier: GPL-2.0
/* Who the new program is: id maps, setuid, capabilities, dumpability. */
#include "execns_test.h"

#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/xattr.h>

static int set_file_caps(const char *path, unsigned int caps)
{
	struct vfs_cap_data data = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = caps } },
	};

	return setxattr(path, "security.capability", &data, sizeof(data), 0);
}

static void expect_map(struct __test_metadata *_metadata, const struct report *report,
		       const char *key, const char *expected)
{
	unsigned int first = 0, lower = 0, count = 0;
	char text[64];
	int fields;

	fields = sscanf(report_get(report, key), "%u %u %u", &first, &lower, &count);
	EXPECT_EQ(3, fields);
	snprintf(text, sizeof(text), "%u %u %u", first, lower, count);
	EXPECT_STREQ(expected, text) TH_LOG("%s", key);
}

TEST(map_of_root_is_one_to_one)
{
	struct report report;

	report_by(BY_EXECNS, CLONE_NEWUSER, &report);
	ASSERT_EQ(0, report.exit);
	expect_map(_metadata, &report, "uid_map", "0 0 4294967295");
	expect_map(_metadata, &report, "gid_map", "0 0 4294967295");
	EXPECT_STREQ("allow", report_get(&report, "setgroups"));
	EXPECT_STREQ("0 0 0 0", report_get(&report, "ids"));
}

TEST(map_of_a_user_is_itself)
{
	struct spawn spawn = { .how = BY_EXECNS, .flags = CLONE_NEWUSER, .setup = become_user };
	struct report report;

	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit);
	expect_map(_metadata, &report, "uid_map", "1000 1000 1");
	expect_map(_metadata, &report, "gid_map", "1000 1000 1");
	EXPECT_STREQ("deny", report_get(&report, "setgroups"));
	EXPECT_STREQ("1000 1000 1000 1000", report_get(&report, "ids"));
	EXPECT_STREQ("\t0000000000000000", report_get(&report, "status/CapEff"));
}

static int user_with_caps(void *caps)
{
	return prctl(PR_SET_KEEPCAPS, 1) || become_user(NULL) ||
	       set_caps(*(unsigned long long *)caps, 0);
}

/* What the caller could have written itself depends on three capabilities. */
TEST(map_depends_on_capabilities)
{
	static const struct {
		unsigned long long caps;
		bool all;
	} rows[] = {
		{ 1ULL << CAP_SETUID, false },
		{ 1ULL << CAP_SETGID, false },
		{ 1ULL << CAP_SETUID | 1ULL << CAP_SETGID, false },
		{ 1ULL << CAP_SETFCAP, false },
		{ 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_SETFCAP, true },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spawn spawn = {
			.how = BY_EXECNS, .flags = CLONE_NEWUSER,
			.setup = user_with_caps, .data = (void *)&rows[i].caps,
		};
		struct report report;

		spawn_report(&spawn, &report);
		ASSERT_EQ(0, report.exit) TH_LOG("case %zu: %s", i, strerror(report.error));
		expect_map(_metadata, &report, "uid_map",
			   rows[i].all ? "0 0 4294967295" : "1000 1000 1");
		expect_map(_metadata, &report, "gid_map",
			   rows[i].all ? "0 0 4294967295" : "1000 1000 1");
		EXPECT_STREQ(rows[i].all ? "allow" : "deny", report_get(&report, "setgroups"));
		/* Not root, so exec leaves it none of its capabilities. */
		EXPECT_STREQ("\t0000000000000000", report_get(&report, "status/CapEff"));
	}
}

static int root_without_setfcap(void *unused)
{
	(void)unused;
	return set_caps(0x1ffffffffffULL & ~(1ULL << CAP_SETFCAP), 0);
}

/* Root that may not set file capabilities may not map root, not even itself. */
TEST(root_without_setfcap_is_eperm)
{
	struct spawn spawn = {
		.how = BY_EXECNS, .flags = CLONE_NEWUSER, .setup = root_without_setfcap,
	};
	struct report report;

	spawn_report(&spawn, &report);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EPERM, report.error);
}

/* In a user namespace of several ranges, which those of the child repeat. */
static int nested(void *unused)
{
	int to_helper[2], status;
	char path[64], byte = 0;
	pid_t helper, me = getpid();

	(void)unused;
	if (pipe2(to_helper, O_CLOEXEC))
		return -1;
	helper = fork();
	if (!helper) {
		static const char map[] = "0 100000 10\n10 200000 10\n20 300000 10\n"
					  "30 400000 10\n40 500000 10\n50 600000 10\n";

		if (read(to_helper[0], &byte, 1) != 1)
			_exit(1);
		snprintf(path, sizeof(path), "/proc/%d/uid_map", me);
		if (write_file(path, map))
			_exit(2);
		snprintf(path, sizeof(path), "/proc/%d/gid_map", me);
		_exit(write_file(path, map) ? 3 : 0);
	}
	if (unshare(CLONE_NEWUSER) || write(to_helper[1], &byte, 1) != 1)
		return -1;
	if (waitpid(helper, &status, 0) != helper || status)
		return -1;
	return setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0);
}

TEST(nested_map_has_all_ranges)
{
	struct spawn spawn = { .how = BY_EXECNS, .flags = CLONE_NEWUSER, .setup = nested };
	struct report report;
	int i, lines = 0;
	const char *at;

	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("0 0 0 0", report_get(&report, "ids"));
	for (at = report.text; (at = strstr(at, "\nuid_map ")); at++, lines++)
		;
	EXPECT_EQ(6, lines);
	for (i = 0; i < 6; i++) {
		char line[64];

		snprintf(line, sizeof(line), "uid_map %10d %10d %10d", i * 10, i * 10, 10);
		EXPECT_NE(NULL, strstr(report.text, line)) TH_LOG("%s", line);
	}
}

/* The maps are there for good. */
TEST(maps_cannot_be_written_again)
{
	char *const argv[] = { "/bin/sleep", "100", NULL };
	char path[64];
	pid_t child;

	if (access(argv[0], X_OK))
		SKIP(return, "no /bin/sleep");
	child = fork();
	if (!child) {
		become_user(NULL);
		sys_execns(CLONE_NEWUSER, argv[0], argv, environ);
		_exit(EXEC_FAILED);
	}
	snprintf(path, sizeof(path), "/proc/%d", child);
	while (ns_inode("self", "user") == ns_inode(path + 6, "user"))
		usleep(1000);
	snprintf(path, sizeof(path), "/proc/%d/uid_map", child);
	EXPECT_EQ(-EPERM, write_file(path, "0 0 1"));
	snprintf(path, sizeof(path), "/proc/%d/gid_map", child);
	EXPECT_EQ(-EPERM, write_file(path, "0 0 1"));
	snprintf(path, sizeof(path), "/proc/%d/setgroups", child);
	EXPECT_EQ(-EPERM, write_file(path, "allow"));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

/*
 * What exec makes of ids and capabilities, by both ways.
 */
static const char *const identity_keys[] = {
	"ids", "secure", "dumpable", "securebits", "keepcaps", "status/Uid",
	"status/Gid", "status/Groups", "status/CapInh", "status/CapPrm",
	"status/CapEff", "status/CapBnd", "status/CapAmb", "status/NoNewPrivs",
	"uid_map", "gid_map", "setgroups", "personality", "pdeathsig",
};

static int no_setup(void *unused)
{
	(void)unused;
	return 0;
}

static int user_no_new_privs(void *unused)
{
	return become_user(unused) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int reduced_bounding_set(void *unused)
{
	(void)unused;
	return prctl(PR_CAPBSET_DROP, CAP_SYS_TIME) || prctl(PR_CAPBSET_DROP, CAP_NET_RAW);
}

static int inheritable_and_ambient(void *unused)
{
	(void)unused;
	return set_caps(0x1ffffffffffULL, 1ULL << CAP_NET_RAW | 1ULL << CAP_CHOWN) ||
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0);
}

static int ambient_user(void *unused)
{
	return prctl(PR_SET_KEEPCAPS, 1) || become_user(unused) ||
	       set_caps(0x1ffffffffffULL, 1ULL << CAP_NET_RAW) ||
	       prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_RAW, 0, 0) ||
	       set_caps(1ULL << CAP_NET_RAW, 1ULL << CAP_NET_RAW);
}

static int noroot(void *unused)
{
	(void)unused;
	return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED);
}

static int different_real_id(void *unused)
{
	(void)unused;
	return setresuid(1000, 0, 0);
}

FIXTURE(privilege)
{
	char program[64];
};

FIXTURE_VARIANT(privilege)
{
	int flags;
	int (*setup)(void *data);
};

FIXTURE_VARIANT_ADD(privilege, root_none) { 0, no_setup };
FIXTURE_VARIANT_ADD(privilege, root_mnt) { CLONE_NEWNS, no_setup };
FIXTURE_VARIANT_ADD(privilege, root_uts) { CLONE_NEWUTS | CLONE_FS, no_setup };
FIXTURE_VARIANT_ADD(privilege, root_user) { CLONE_NEWUSER, no_setup };
FIXTURE_VARIANT_ADD(privilege, root_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, no_setup
};

FIXTURE_VARIANT_ADD(privilege, user_none) { 0, become_user };
FIXTURE_VARIANT_ADD(privilege, user_mnt) { CLONE_NEWNS, become_user };
FIXTURE_VARIANT_ADD(privilege, user_uts) { CLONE_NEWUTS | CLONE_FS, become_user };
FIXTURE_VARIANT_ADD(privilege, user_user) { CLONE_NEWUSER, become_user };
FIXTURE_VARIANT_ADD(privilege, user_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, become_user
};

FIXTURE_VARIANT_ADD(privilege, no_new_privs_none) { 0, user_no_new_privs };
FIXTURE_VARIANT_ADD(privilege, no_new_privs_mnt) { CLONE_NEWNS, user_no_new_privs };
FIXTURE_VARIANT_ADD(privilege, no_new_privs_uts) { CLONE_NEWUTS | CLONE_FS, user_no_new_privs };
FIXTURE_VARIANT_ADD(privilege, no_new_privs_user) { CLONE_NEWUSER, user_no_new_privs };
FIXTURE_VARIANT_ADD(privilege, no_new_privs_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, user_no_new_privs
};

FIXTURE_VARIANT_ADD(privilege, bounding_none) { 0, reduced_bounding_set };
FIXTURE_VARIANT_ADD(privilege, bounding_mnt) { CLONE_NEWNS, reduced_bounding_set };
FIXTURE_VARIANT_ADD(privilege, bounding_uts) { CLONE_NEWUTS | CLONE_FS, reduced_bounding_set };
FIXTURE_VARIANT_ADD(privilege, bounding_user) { CLONE_NEWUSER, reduced_bounding_set };
FIXTURE_VARIANT_ADD(privilege, bounding_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, reduced_bounding_set
};

FIXTURE_VARIANT_ADD(privilege, ambient_none) { 0, inheritable_and_ambient };
FIXTURE_VARIANT_ADD(privilege, ambient_mnt) { CLONE_NEWNS, inheritable_and_ambient };
FIXTURE_VARIANT_ADD(privilege, ambient_uts) { CLONE_NEWUTS | CLONE_FS, inheritable_and_ambient };
FIXTURE_VARIANT_ADD(privilege, ambient_user) { CLONE_NEWUSER, inheritable_and_ambient };
FIXTURE_VARIANT_ADD(privilege, ambient_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, inheritable_and_ambient
};

FIXTURE_VARIANT_ADD(privilege, user_ambient_none) { 0, ambient_user };
FIXTURE_VARIANT_ADD(privilege, user_ambient_mnt) { CLONE_NEWNS, ambient_user };
FIXTURE_VARIANT_ADD(privilege, user_ambient_uts) { CLONE_NEWUTS | CLONE_FS, ambient_user };
FIXTURE_VARIANT_ADD(privilege, user_ambient_user) { CLONE_NEWUSER, ambient_user };
FIXTURE_VARIANT_ADD(privilege, user_ambient_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, ambient_user
};

FIXTURE_VARIANT_ADD(privilege, noroot_none) { 0, noroot };
FIXTURE_VARIANT_ADD(privilege, noroot_mnt) { CLONE_NEWNS, noroot };
FIXTURE_VARIANT_ADD(privilege, noroot_uts) { CLONE_NEWUTS | CLONE_FS, noroot };
FIXTURE_VARIANT_ADD(privilege, noroot_user) { CLONE_NEWUSER, noroot };
FIXTURE_VARIANT_ADD(privilege, noroot_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, noroot
};

FIXTURE_VARIANT_ADD(privilege, real_id_none) { 0, different_real_id };
FIXTURE_VARIANT_ADD(privilege, real_id_mnt) { CLONE_NEWNS, different_real_id };
FIXTURE_VARIANT_ADD(privilege, real_id_uts) { CLONE_NEWUTS | CLONE_FS, different_real_id };
FIXTURE_VARIANT_ADD(privilege, real_id_user) { CLONE_NEWUSER, different_real_id };
FIXTURE_VARIANT_ADD(privilege, real_id_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, different_real_id
};

FIXTURE_SETUP(privilege)
{
	ASSERT_EQ(0, private_tmp());
	strcpy(self->program, "/tmp/identity.program");
}

FIXTURE_TEARDOWN(privilege)
{
}

static void compare(struct __test_metadata *_metadata, const char *program, int flags,
		    int (*setup)(void *data))
{
	struct spawn spawn = { .flags = flags, .path = program, .setup = setup };
	struct report ours, theirs;
	size_t i;

	spawn.how = BY_EXECNS;
	spawn_report(&spawn, &ours);
	spawn.how = BY_UNSHARE;
	spawn_report(&spawn, &theirs);
	ASSERT_EQ(theirs.exit, ours.exit) TH_LOG("%s / %s", strerror(theirs.error),
						 strerror(ours.error));
	ASSERT_EQ(theirs.error, ours.error);
	for (i = 0; i < ARRAY_SIZE(identity_keys); i++) {
		EXPECT_STREQ(report_get(&theirs, identity_keys[i]),
			     report_get(&ours, identity_keys[i]))
			TH_LOG("%s", identity_keys[i]);
	}
}

TEST_F(privilege, plain_program)
{
	ASSERT_EQ(0, copy_program("execns_report", self->program, 0, 0755));
	compare(_metadata, self->program, variant->flags, variant->setup);
}

TEST_F(privilege, setuid_root_program)
{
	ASSERT_EQ(0, copy_program("execns_report", self->program, 0, 06755));
	compare(_metadata, self->program, variant->flags, variant->setup);
}

TEST_F(privilege, setuid_user_program)
{
	ASSERT_EQ(0, copy_program("execns_report", self->program, 2000, 06755));
	compare(_metadata, self->program, variant->flags, variant->setup);
}

TEST_F(privilege, file_capabilities)
{
	ASSERT_EQ(0, copy_program("execns_report", self->program, 0, 0755));
	ASSERT_EQ(0, set_file_caps(self->program, 1 << CAP_NET_ADMIN | 1 << CAP_CHOWN));
	compare(_metadata, self->program, variant->flags, variant->setup);
}

/* Under an unprivileged new user namespace, setuid root is nothing. */
TEST(setuid_root_gives_a_user_nothing_outside)
{
	struct spawn spawn = {
		.how = BY_EXECNS, .flags = CLONE_NEWUSER, .path = "/tmp/identity.setuid",
		.setup = become_user,
	};
	struct report report;

	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, copy_program("execns_report", spawn.path, 0, 06755));
	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit);
	EXPECT_STREQ("1000 1000 1000 1000", report_get(&report, "ids"));
	EXPECT_STREQ("\t0000000000000000", report_get(&report, "status/CapPrm"));
	/* Without a user namespace, it is what setuid is for. */
	spawn.flags = 0;
	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit);
	EXPECT_STREQ("1000 0 1000 0", report_get(&report, "ids"));
	EXPECT_STREQ("1", report_get(&report, "secure"));
}

/* A new mount namespace does not make mounts foreign: setuid is honoured. */
TEST(setuid_root_in_a_new_mount_namespace)
{
	struct spawn spawn = {
		.how = BY_EXECNS, .flags = CLONE_NEWNS, .path = "/tmp/identity.setuid",
		.setup = noroot,
	};
	struct report report;

	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, copy_program("execns_report", spawn.path, 2000, 06755));
	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit);
	EXPECT_STREQ("0 2000 0 2000", report_get(&report, "ids"));
}

/* Who may not read the program must not read its memory. */
FIXTURE(dumpable)
{
};

FIXTURE_VARIANT(dumpable)
{
	int flags;
	int (*setup)(void *data);
	mode_t mode;
	const char *expected;
};

static int user_of_all_ids(void *unused)
{
	static unsigned long long caps = 1ULL << CAP_SETUID | 1ULL << CAP_SETGID |
					 1ULL << CAP_SETFCAP | 1ULL << CAP_DAC_OVERRIDE;

	(void)unused;
	return user_with_caps(&caps);
}

FIXTURE_VARIANT_ADD(dumpable, readable) { CLONE_NEWUSER, become_user, 0755, "1" };
FIXTURE_VARIANT_ADD(dumpable, user) { CLONE_NEWUSER, become_user, 0711, "0" };
FIXTURE_VARIANT_ADD(dumpable, user_mnt) { CLONE_NEWUSER | CLONE_NEWNS, become_user, 0711, "0" };
FIXTURE_VARIANT_ADD(dumpable, user_no_ns) { 0, become_user, 0711, "0" };
FIXTURE_VARIANT_ADD(dumpable, root) { CLONE_NEWUSER, no_setup, 0711, "1" };
/* It may have had the right to, the program does not. */
FIXTURE_VARIANT_ADD(dumpable, was_capable) { CLONE_NEWUSER, user_of_all_ids, 0711, "0" };

FIXTURE_SETUP(dumpable)
{
}

FIXTURE_TEARDOWN(dumpable)
{
	unlink("/tmp/identity.unreadable");
}

TEST_F(dumpable, as_the_program_may_read_it)
{
	struct spawn spawn = {
		.how = BY_EXECNS, .flags = variant->flags, .path = "/tmp/identity.unreadable",
		.setup = variant->setup,
	};
	struct report report;

	ASSERT_EQ(0, copy_program("execns_report", spawn.path, 0, variant->mode));
	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ(variant->expected, report_get(&report, "dumpable"));
}

/* The loader's memory is the program's, and no other's to read either. */
TEST_F(dumpable, as_the_program_may_read_its_loader)
{
	struct spawn spawn = {
		.how = BY_EXECNS, .flags = variant->flags, .path = "./execns_interp",
		.setup = variant->setup,
	};
	struct report report;
	int copied = copy_loader("/tmp/execns.ld.so", variant->mode);

	if (copied > 0)
		SKIP(return, "no loader of dynamically linked programs");
	ASSERT_EQ(0, copied);
	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ(variant->expected, report_get(&report, "dumpable"));
	unlink("/tmp/execns.ld.so");
}

TEST_HARNESS_MAIN
