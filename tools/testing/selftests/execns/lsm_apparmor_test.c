// SPDX-License-Identifier: GPL-2.0
/*
 * AppArmor: profiles of programs, by those of lsm_apparmor.profiles, which are found by
 * paths. For a kernel that is booted with lsm=landlock,apparmor.
 */
#include "lsm_test.h"

#define PROFILES "./lsm_apparmor.policy"
#define USERNS_PROFILES "./lsm_apparmor_userns.policy"
#define APPARMORFS "/sys/kernel/security/apparmor"
#define DIR "/tmp/apparmor"
#define LOADER "/tmp/execns.ld.so"

static const struct {
	const char *name, *from;
	mode_t mode;
} programs[] = {
	{ DIR "/plain", "caps_report", 0755 },
	{ DIR "/attached", "caps_report", 0755 },
	{ DIR "/px", "caps_report", 0755 },
	{ DIR "/secure", "caps_report", 0755 },
	{ DIR "/cx", "caps_report", 0755 },
	{ DIR "/ux", "caps_report", 0755 },
	{ DIR "/setuid", "caps_report", 06755 },
	{ DIR "/denied", "caps_report", 0755 },
	{ DIR "/missing", "caps_report", 0755 },
	{ DIR "/nofd", "execns_report", 0755 },
	{ DIR "/keeps", "execns_report", 0755 },
	{ DIR "/loaded", "execns_interp", 0755 },
	{ DIR "/userns", "caps_report", 0755 },
};

/* With those inside of them. The last two are of USERNS_PROFILES. */
static const char *const profiles[] = {
	"execns-attached", "execns-caller", "execns-px", "execns-nofd", "execns-loaded",
	"execns-userns", "execns-no-userns",
};

static int unconfined(void *unused)
{
	(void)unused;
	return 0;
}

static int unconfined_elsewhere(void *unused)
{
	(void)unused;
	return chdir(DIR);
}

static int enter(const char *profile)
{
	char text[64];

	snprintf(text, sizeof(text), "changeprofile %s", profile);
	return write_file("/proc/self/attr/current", text);
}

static int as_caller(void *unused)
{
	(void)unused;
	return enter("execns-caller");
}

static int caller_elsewhere(void *unused)
{
	if (chdir(DIR))
		return -1;
	return as_caller(unused);
}

static int user_caller(void *unused)
{
	return become_user(unused) || as_caller(unused);
}

static int caller_no_new_privs(void *unused)
{
	return as_caller(unused) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* Said before exec, and carried out by it. */
static int caller_on_exec(void *unused)
{
	return as_caller(unused) || write_file("/proc/self/attr/exec", "exec execns-px");
}

static int unconfined_on_exec(void *unused)
{
	(void)unused;
	return write_file("/proc/self/attr/exec", "exec execns-px");
}

FIXTURE(apparmor)
{
};

FIXTURE_SETUP(apparmor)
{
	size_t i;

	if (!lsm_is_active("apparmor"))
		SKIP(return, "AppArmor is not active: boot with lsm=landlock,apparmor");
	if (access(PROFILES, R_OK))
		SKIP(return, "no " PROFILES ", which apparmor_parser makes");
	ASSERT_EQ(0, load_policy(PROFILES, APPARMORFS "/.replace"));
	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, mkdir(DIR, 0755));
	for (i = 0; i < ARRAY_SIZE(programs); i++)
		ASSERT_EQ(0, copy_program(programs[i].from, programs[i].name, 0, programs[i].mode));
	ASSERT_EQ(0, make_script(DIR "/script", "#!" DIR "/plain\n"));
	ASSERT_EQ(0, make_script(DIR "/script-of-attached", "#!" DIR "/attached\n"));
	ASSERT_EQ(0, make_script(DIR "/secret", "secret\n"));
}

FIXTURE_TEARDOWN(apparmor)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(profiles); i++)
		write_file(APPARMORFS "/.remove", profiles[i]);
}

#define SAME "execns-caller (enforce)"
#define PX "execns-px (enforce)"

/*
 * A path is found in the mount namespace of the program, also where it is not the one of
 * the caller: the name is whole, and the profile is attached.
 */
TEST_F_TIMEOUT(apparmor, attachment_by_path, LSM_TIMEOUT)
{
	static const struct lsm_row rows[] = {
		{ DIR "/attached", unconfined, "execns-attached (enforce)", "0" },
		{ "./attached", unconfined_elsewhere, "execns-attached (enforce)", "0" },
		{ DIR "/attached", as_caller, "execns-attached (enforce)", "0" },
		{ "attached", caller_elsewhere, "execns-attached (enforce)", "0" },
		{ DIR "/script-of-attached", unconfined, "unconfined", "0" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(_metadata, &rows[i]);
}

TEST_F_TIMEOUT(apparmor, transitions, LSM_TIMEOUT)
{
	static const struct lsm_row rows[] = {
		{ DIR "/plain", as_caller, SAME },
		{ DIR "/script", as_caller, SAME, "0" },
		{ DIR "/px", as_caller, PX },
		{ DIR "/secure", as_caller, PX, "1" },
		{ DIR "/cx", as_caller, "execns-caller//child (enforce)" },
		{ DIR "/ux", as_caller, "unconfined" },
		{ DIR "/setuid", as_caller, PX },
		{ DIR "/setuid", user_caller, PX, .never = CLONE_NEWNS | CLONE_NEWUSER },
		{ DIR "/setuid", user_caller, PX, .only = CLONE_NEWUSER },
		{ DIR "/plain", unconfined_on_exec, PX },
		{ DIR "/px", caller_on_exec, PX },
		{ DIR "/plain", caller_no_new_privs, SAME },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(_metadata, &rows[i]);
}

TEST_F_TIMEOUT(apparmor, denials_leave_the_caller_intact, LSM_TIMEOUT)
{
	static const struct lsm_row rows[] = {
		{ DIR "/denied", as_caller, .error = EACCES },
		{ DIR "/missing", as_caller, .error = EACCES },
		{ "./denied", caller_elsewhere, .error = EACCES },
		{ DIR "/px", caller_no_new_privs, .error = EPERM },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(_metadata, &rows[i]);
}

/* The loader is mapped by the program, with its profile and in its mount namespace. */
TEST_F_TIMEOUT(apparmor, loader, LSM_TIMEOUT)
{
	static const struct lsm_row row = { DIR "/loaded", as_caller };
	static struct report report;
	int copied = copy_loader(LOADER, 0755);
	size_t i;

	if (copied > 0)
		SKIP(return, "no loader of dynamically linked programs");
	ASSERT_EQ(0, copied);
	for (i = 0; i < ARRAY_SIZE(lsm_ways); i++) {
		run_row(&row, lsm_ways[i].how, lsm_ways[i].flags, &report);
		EXPECT_EQ(0, report.exit) TH_LOG("way %zu: %s", i, strerror(report.error));
	}
	unlink(LOADER);
}

static int caller_with_secret(void *unused)
{
	return as_caller(unused) || dup2(open(DIR "/secret", O_RDONLY), KEPT_FD) != KEPT_FD;
}

static int unconfined_with_secret(void *unused)
{
	(void)unused;
	return dup2(open(DIR "/secret", O_RDONLY), KEPT_FD) != KEPT_FD;
}

/*
 * What a profile denies of what is kept is replaced, as by execve(). Who has no profile
 * delegates what it has opened.
 */
TEST_F_TIMEOUT(apparmor, kept_descriptors, LSM_TIMEOUT)
{
	static const int flags[] = { 0, CLONE_NEWNS, CLONE_NEWUSER };
	char theirs[64], ours[64], given[64];
	size_t i;

	device_and_inode(DIR "/secret", given, sizeof(given));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		kept_by(_metadata, DIR "/nofd", caller_with_secret, BY_UNSHARE, flags[i], -1,
			theirs, sizeof(theirs));
		kept_by(_metadata, DIR "/nofd", caller_with_secret, BY_EXECNSAT, flags[i], -1,
			ours, sizeof(ours));
		EXPECT_STRNE("", ours);
		EXPECT_STRNE(given, ours) TH_LOG("flags %#x", flags[i]);
		EXPECT_STREQ(theirs, ours) TH_LOG("flags %#x", flags[i]);
		kept_by(_metadata, DIR "/keeps", unconfined_with_secret, BY_EXECNSAT, flags[i], -1,
			ours, sizeof(ours));
		EXPECT_STREQ(given, ours) TH_LOG("flags %#x", flags[i]);
	}
}

/* The tree that is the root: a path begins there, and is another one. */
TEST_F(apparmor, path_below_a_new_root)
{
	static const struct {
		const char *root, *path, *label;
	} rows[] = {
		{ "/tmp", "/apparmor/attached", "unconfined" },
		{ "/", DIR "/attached", "execns-attached (enforce)" },
	};
	static struct report report;
	size_t i;

	/* Where it reads its label. */
	mkdir("/tmp/proc", 0755);
	ASSERT_EQ(0, mount("proc", "/tmp/proc", "proc", 0, NULL));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct execns_fd fds[] = { { KEPT_FD, KEPT_FD } };
		struct execns_args args = {
			.unshare_flags = CLONE_NEWNS, .flags = EXECNS_ROOT_FD,
			.root_fd = open(rows[i].root, O_PATH | O_CLOEXEC),
			.fds = PTR(fds), .nr_fds = 1,
		};
		struct spawn spawn = {
			.how = BY_EXECNSAT, .path = rows[i].path, .args = &args,
			/* Which the program opens anew. */
			.report_fd = KEPT_FD,
		};

		spawn_report(&spawn, &report);
		close(args.root_fd);
		EXPECT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
		EXPECT_STREQ(rows[i].label, report_get(&report, "label"));
	}
	umount2("/tmp/proc", MNT_DETACH);
	rmdir("/tmp/proc");
}

static int caller_without_userns(void *unused)
{
	(void)unused;
	return enter("execns-no-userns");
}

static int caller_with_userns(void *unused)
{
	(void)unused;
	return enter("execns-userns");
}

/* By profiles of their own, as only newer parsers know the rule. */
TEST_F_TIMEOUT(apparmor, user_namespace_denied, LSM_TIMEOUT)
{
	static const struct lsm_row rows[] = {
		{ DIR "/userns", caller_with_userns, "execns-userns (enforce)", "0" },
		{ DIR "/userns", caller_without_userns, "execns-no-userns (enforce)", "0",
		  .never = CLONE_NEWUSER },
		{ DIR "/userns", caller_without_userns, .error = EACCES, .only = CLONE_NEWUSER },
	};
	size_t i;

	if (access(USERNS_PROFILES, R_OK))
		SKIP(return, "no " USERNS_PROFILES ", see apparmor_parser 4");
	ASSERT_EQ(0, load_policy(USERNS_PROFILES, APPARMORFS "/.replace"));
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(_metadata, &rows[i]);
}

TEST_HARNESS_MAIN
