// SPDX-License-Identifier: GPL-2.0
/*
 * SELinux: labels of programs, by the policy of lsm_selinux.cil. For a kernel that is
 * booted with lsm=landlock,selinux and has no policy yet.
 */
#include "lsm_test.h"

#define POLICY "./lsm_selinux.policy"
#define SELINUXFS "/sys/fs/selinux"
#define DIR_PLAIN "/tmp/selinux"
#define DIR_NOSUID "/tmp/selinux.nosuid"

static const struct {
	const char *name, *type;
	bool reports_fds;
	uid_t owner;
	mode_t mode;
} programs[] = {
	{ DIR_PLAIN "/plain", "file_t", .mode = 0755 },
	{ DIR_PLAIN "/noexec", "noexec_t", .mode = 0755 },
	{ DIR_PLAIN "/target", "target_exec_t", .mode = 0755 },
	{ DIR_PLAIN "/setuid", "target_exec_t", .owner = 1000, .mode = 06755 },
	{ DIR_PLAIN "/secure", "secure_exec_t", .mode = 0755 },
	{ DIR_PLAIN "/noentry", "noentry_exec_t", .mode = 0755 },
	{ DIR_PLAIN "/notrans", "notrans_exec_t", .mode = 0755 },
	{ DIR_PLAIN "/nnp", "nnp_exec_t", .mode = 0755 },
	{ DIR_PLAIN "/nofd", "nofd_exec_t", true, .mode = 0755 },
	{ DIR_PLAIN "/keeps", "target_exec_t", true, .mode = 0755 },
	{ DIR_NOSUID "/target", "target_exec_t", .mode = 0755 },
	{ DIR_NOSUID "/nnp", "nnp_exec_t", .mode = 0755 },
};

static int label_file(const char *path, const char *type)
{
	char context[64];

	snprintf(context, sizeof(context), "u:object_r:%s", type);
	return setxattr(path, "security.selinux", context, strlen(context) + 1, 0);
}

static int enter(const char *context)
{
	return write_file("/proc/self/attr/current", context);
}

static int as_caller(void *unused)
{
	(void)unused;
	return enter("u:r:caller_t");
}

static int caller_without_userns(void *unused)
{
	(void)unused;
	return enter("u:r:nouserns_t");
}

static int caller_no_new_privs(void *unused)
{
	return as_caller(unused) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* What the program is to be is said before. */
static int caller_of_target(void *unused)
{
	return as_caller(unused) || write_file("/proc/self/attr/exec", "u:r:target_t");
}

static int caller_sharing(void *unused)
{
	return start_idler(CLONE_FS) || as_caller(unused);
}

FIXTURE(selinux)
{
};

FIXTURE_SETUP(selinux)
{
	size_t i;

	if (!lsm_is_active("selinux"))
		SKIP(return, "SELinux is not active: boot with lsm=landlock,selinux");
	if (access(POLICY, R_OK))
		SKIP(return, "no " POLICY ", which secilc makes");
	if (access(SELINUXFS "/load", F_OK))
		mount("selinuxfs", SELINUXFS, "selinuxfs", 0, NULL);
	if (!strncmp(own_label(), "kernel", 6) || !own_label()[0])
		ASSERT_EQ(0, load_policy(POLICY, SELINUXFS "/load"));
	if (strncmp(own_label(), "u:r:kernel_t", 12))
		SKIP(return, "there is another policy");
	ASSERT_EQ(0, write_file(SELINUXFS "/enforce", "1"));

	ASSERT_EQ(0, private_tmp());
	ASSERT_EQ(0, mkdir(DIR_PLAIN, 0755));
	ASSERT_EQ(0, mkdir(DIR_NOSUID, 0755));
	ASSERT_EQ(0, mount("selinux", DIR_NOSUID, "tmpfs", MS_NOSUID, "mode=755"));
	for (i = 0; i < ARRAY_SIZE(programs); i++) {
		ASSERT_EQ(0, copy_program(programs[i].reports_fds ? "execns_report" : "caps_report",
					  programs[i].name, programs[i].owner, programs[i].mode));
		ASSERT_EQ(0, label_file(programs[i].name, programs[i].type));
	}
	ASSERT_EQ(0, make_script(DIR_PLAIN "/script", "#!" DIR_PLAIN "/plain\n"));
	ASSERT_EQ(0, label_file(DIR_PLAIN "/script", "target_exec_t"));
	ASSERT_EQ(0, make_script(DIR_PLAIN "/script-of-target", "#!" DIR_PLAIN "/target\n"));
	ASSERT_EQ(0, label_file(DIR_PLAIN "/script-of-target", "file_t"));
}

FIXTURE_TEARDOWN(selinux)
{
}

/* By default, the label follows from that of the caller and that of the program. */
TEST_F_TIMEOUT(selinux, transitions, LSM_TIMEOUT)
{
	static const struct lsm_row rows[] = {
		{ DIR_PLAIN "/plain", as_caller, "u:r:caller_t", "0" },
		{ DIR_PLAIN "/target", as_caller, "u:r:target_t", "0" },
		{ DIR_PLAIN "/setuid", as_caller, "u:r:target_t", "1" },
		{ DIR_PLAIN "/secure", as_caller, "u:r:secure_t", "1" },
		{ DIR_PLAIN "/script", as_caller, "u:r:target_t", "0" },
		/* It follows from the script alone. */
		{ DIR_PLAIN "/script-of-target", as_caller, "u:r:caller_t", "0" },
		{ DIR_PLAIN "/target", caller_of_target, "u:r:target_t", "0" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(_metadata, &rows[i]);
}

/*
 * On a mount without setuid, and with no_new_privs, the label stays if the policy does not
 * allow it. That a mount of the new namespace is not one of the caller's is no reason.
 */
TEST_F_TIMEOUT(selinux, transitions_that_need_more, LSM_TIMEOUT)
{
	static const struct lsm_row rows[] = {
		{ DIR_NOSUID "/target", as_caller, "u:r:caller_t", "0" },
		{ DIR_NOSUID "/nnp", as_caller, "u:r:nnp_t", "0" },
		{ DIR_PLAIN "/target", caller_no_new_privs, "u:r:caller_t", "0" },
		{ DIR_PLAIN "/nnp", caller_no_new_privs, "u:r:nnp_t", "0" },
		/* Who shares root and working directory with another. */
		{ DIR_PLAIN "/target", caller_sharing, "u:r:target_t", "0", .only = CLONE_NEWNS },
		{ DIR_PLAIN "/target", caller_sharing, "u:r:target_t", "0", .only = CLONE_NEWUSER },
		{ DIR_PLAIN "/nnp", caller_sharing, "u:r:nnp_t", "0" },
		{ DIR_PLAIN "/target", caller_sharing, .error = EPERM,
		  .never = CLONE_NEWNS | CLONE_NEWUSER },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(_metadata, &rows[i]);
}

TEST_F_TIMEOUT(selinux, denials_leave_the_caller_intact, LSM_TIMEOUT)
{
	static const struct lsm_row rows[] = {
		{ DIR_PLAIN "/noexec", as_caller, .error = EACCES },
		{ DIR_PLAIN "/noentry", as_caller, .error = EACCES },
		{ DIR_PLAIN "/notrans", as_caller, .error = EACCES },
		{ DIR_PLAIN "/plain", caller_of_target, .error = EACCES },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(_metadata, &rows[i]);
}

/* The right to make a user namespace is that of the caller, and is asked for once. */
TEST_F_TIMEOUT(selinux, user_namespace_denied, LSM_TIMEOUT)
{
	static const struct lsm_row denied = {
		DIR_PLAIN "/target", caller_without_userns, .error = EACCES, .only = CLONE_NEWUSER,
	};
	static const struct lsm_row allowed = {
		DIR_PLAIN "/target", caller_without_userns, "u:r:target_t", "0",
		.never = CLONE_NEWUSER,
	};

	check_row(_metadata, &denied);
	check_row(_metadata, &allowed);
}

/* What a program may not use of what it is given is replaced, as by execve(). */
TEST_F_TIMEOUT(selinux, kept_descriptors, LSM_TIMEOUT)
{
	static const int flags[] = { 0, CLONE_NEWUSER | CLONE_NEWNS };
	char kept[64], null[64], given[64];
	int file = open(DIR_PLAIN "/plain", O_RDONLY | O_CLOEXEC);
	size_t i;

	device_and_inode(SELINUXFS "/null", null, sizeof(null));
	device_and_inode(DIR_PLAIN "/plain", given, sizeof(given));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		kept_by(_metadata, DIR_PLAIN "/nofd", as_caller, BY_UNSHARE, flags[i], file, kept,
			sizeof(kept));
		EXPECT_STREQ(null, kept) TH_LOG("unshare, flags %#x", flags[i]);
		kept_by(_metadata, DIR_PLAIN "/nofd", as_caller, BY_EXECNSAT, flags[i], file, kept,
			sizeof(kept));
		EXPECT_STREQ(null, kept) TH_LOG("execnsat, flags %#x", flags[i]);
		kept_by(_metadata, DIR_PLAIN "/keeps", as_caller, BY_EXECNSAT, flags[i], file, kept,
			sizeof(kept));
		EXPECT_STREQ(given, kept) TH_LOG("execnsat, flags %#x", flags[i]);
	}
	close(file);
}

TEST_HARNESS_MAIN
