// SPDX-License-Identifier: GPL-2.0
/* A mount namespace of one tree, and one of nothing. */
#include "execnsat_test.h"

#define MNT "/tmp/execnsat.root"
#define REPORT_FD 100

static struct report report;

/* What is asked for, and the program where it is named by a descriptor. */
struct setting {
	struct execns_args args;
	struct execns_fd fds[1];
	struct execns_id_map map[1];
	int program;
};

FIXTURE(root)
{
	struct setting set;
};

FIXTURE_VARIANT(root)
{
	unsigned long long flags;
	int (*caller)(void *unused);
};

static int as_root(void *unused)
{
	(void)unused;
	return 0;
}

FIXTURE_VARIANT_ADD(root, mnt) { CLONE_NEWNS, as_root };
FIXTURE_VARIANT_ADD(root, all) { ALL_NS, as_root };
FIXTURE_VARIANT_ADD(root, user) { CLONE_NEWNS | CLONE_NEWUSER, become_user };
FIXTURE_VARIANT_ADD(root, user_all) { ALL_NS, become_user };

/* What is at @to can be told from others by its programs and files. */
static int make_tree(const char *to)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/report", to);
	if (copy_program("execns_report", path, 0, 0755))
		return -1;
	snprintf(path, sizeof(path), "%s/agent", to);
	if (copy_program("execnsat_agent", path, 0, 0755))
		return -1;
	snprintf(path, sizeof(path), "%s/here", to);
	return make_script(path, "something\n");
}

FIXTURE_SETUP(root)
{
	ASSERT_EQ(0, private_mounts());
	mkdir(MNT, 0755);
	ASSERT_EQ(0, mount("tmpfs", MNT, "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, make_tree(MNT));
	ASSERT_EQ(0, mkdir(MNT "/plain", 0755));
	ASSERT_EQ(0, mkdir(MNT "/plain/sub", 0755));
	ASSERT_EQ(0, make_tree(MNT "/plain"));
	/* What is covered by the mount is not for everyone. */
	ASSERT_EQ(0, make_script(MNT "/plain/sub/covered", "something\n"));
	ASSERT_EQ(0, mount("tmpfs", MNT "/plain/sub", "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, make_script(MNT "/plain/sub/inside", "something\n"));
	self->set.program = open("./execns_report", O_PATH | O_CLOEXEC);
	ASSERT_LE(0, self->set.program);
	self->set.fds[0] = (struct execns_fd){ REPORT_FD, REPORT_FD };
	self->set.args = (struct execns_args){
		.unshare_flags = variant->flags, .flags = EXECNS_ROOT_FD,
		.fds = PTR(self->set.fds), .nr_fds = ARRAY_SIZE(self->set.fds),
	};
}

FIXTURE_TEARDOWN(root)
{
	umount2(MNT, MNT_DETACH);
}

static void spawn_in(struct setting *set, int (*caller)(void *unused), int root,
		     const char *path)
{
	struct spawn spawn = {
		.how = BY_EXECNSAT, .args = &set->args, .path = path, .setup = caller,
		.report_fd = REPORT_FD, .dirfd = *path ? AT_FDCWD : set->program,
	};

	set->args.root_fd = root;
	set->args.at_flags = *path ? 0 : AT_EMPTY_PATH;
	spawn_report(&spawn, &report);
}

/* All that the program can start a path from is this directory. */
static void expect_root(struct __test_metadata *_metadata, int root)
{
	static const char *const keys[] = { "dir:/", "dir:/..", "dir:.", "dir:.." };
	char expected[64];
	struct stat st;
	size_t i;

	ASSERT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("100 ", report_get(&report, "fds"));
	EXPECT_STREQ("/", report_get(&report, "getcwd"));
	if (root >= 0) {
		ASSERT_EQ(0, fstat(root, &st));
		snprintf(expected, sizeof(expected), "%lu:%lu", (unsigned long)st.st_dev,
			 (unsigned long)st.st_ino);
	} else {
		strcpy(expected, report_get(&report, keys[0]));
	}
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		EXPECT_STREQ(expected, report_get(&report, keys[i])) TH_LOG("%s", keys[i]);
}

/* What the agent in the tree says to the command. */
static int ask_agent(struct setting *set, int (*caller)(void *unused), char *const *command)
{
	struct agent_run run = {
		.path = "/agent", .command = command, .args = &set->args, .setup = caller,
	};
	int result;

	set->args.at_flags = 0;
	result = start_agent(&run);
	finish_agent(&run);
	return result;
}

static char *const read_inside[] = { "read", "/sub/inside", NULL };
static char *const read_below[] = { "read", "/plain/sub/inside", NULL };
static char *const read_old[] = { "read", MNT "/here", NULL };
static char *const read_up[] = { "read", "../../.." MNT "/here", NULL };
static char *const read_here[] = { "read", "here", NULL };

TEST_F(root, plain_directory)
{
	static const int modes[] = { O_PATH | O_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		int root = open(MNT "/plain", modes[i]);

		ASSERT_LE(0, root);
		spawn_in(&self->set, variant->caller, root, "/report");
		expect_root(_metadata, root);
		EXPECT_NE(NULL, strstr(report_get(&report, "root_entries"), "sub "));
		EXPECT_EQ(NULL, strstr(report_get(&report, "root_entries"), "plain "));
		/* The working directory is the root as well. */
		spawn_in(&self->set, variant->caller, root, "report");
		expect_root(_metadata, root);
		spawn_in(&self->set, variant->caller, root, "../../report");
		expect_root(_metadata, root);
		/* What is mounted below comes along, and nothing else. */
		EXPECT_EQ(0, ask_agent(&self->set, variant->caller, read_here));
		EXPECT_EQ(0, ask_agent(&self->set, variant->caller, read_inside));
		EXPECT_EQ(ENOENT, ask_agent(&self->set, variant->caller, read_old));
		EXPECT_EQ(ENOENT, ask_agent(&self->set, variant->caller, read_up));
		close(root);
	}
}

TEST_F(root, root_of_a_mount)
{
	int root = open(MNT, O_PATH | O_DIRECTORY);

	spawn_in(&self->set, variant->caller, root, "/report");
	expect_root(_metadata, root);
	EXPECT_EQ(0, ask_agent(&self->set, variant->caller, read_below));
	EXPECT_EQ(ENOENT, ask_agent(&self->set, variant->caller, read_old));
	EXPECT_EQ(ENOENT, ask_agent(&self->set, variant->caller, read_up));
}

TEST_F(root, program_is_looked_up_there)
{
	int root = open(MNT "/plain", O_PATH | O_DIRECTORY);

	spawn_in(&self->set, variant->caller, root, "./execns_report");
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(ENOENT, report.error) TH_LOG("%s", strerror(report.error));
	spawn_in(&self->set, variant->caller, root, MNT "/report");
	EXPECT_EQ(ENOENT, report.error) TH_LOG("%s", strerror(report.error));
	/* One that is named by its descriptor is from elsewhere. */
	spawn_in(&self->set, variant->caller, root, "");
	expect_root(_metadata, root);
}

/*
 * The root of a new user namespace may mount, but neither see what is covered nor
 * write what is read-only, and nobody outside sees what it mounts.
 */
TEST_F(root, mounts_below_stay_what_they_are)
{
	static char *const umount_sub[] = { "umount", "/sub", NULL };
	static char *const umount_root[] = { "umount", "/", NULL };
	static char *const remount_sub[] = { "remount", "/sub", NULL };
	static char *const mount_sub[] = { "mount", "/sub", NULL };

	if (!(variant->flags & CLONE_NEWUSER))
		SKIP(return, "the program is privileged");
	ASSERT_EQ(0, mount(NULL, MNT, NULL, MS_REC | MS_SHARED, NULL));
	ASSERT_EQ(0, mount(NULL, MNT "/plain/sub", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	self->set.args.root_fd = open(MNT "/plain", O_PATH | O_DIRECTORY);
	if (variant->caller == become_user) {
		self->set.map[0] = (struct execns_id_map){ 0, 1000, 1 };
		self->set.args.uid_map = PTR(self->set.map);
		self->set.args.nr_uid_map = 1;
	}
	EXPECT_EQ(EINVAL, ask_agent(&self->set, variant->caller, umount_sub));
	EXPECT_EQ(EINVAL, ask_agent(&self->set, variant->caller, umount_root));
	EXPECT_EQ(EPERM, ask_agent(&self->set, variant->caller, remount_sub));
	EXPECT_EQ(0, ask_agent(&self->set, variant->caller, mount_sub));
	EXPECT_EQ(0, access(MNT "/plain/sub/inside", F_OK));
}

/* It has to be a directory of the caller's own mount namespace, or a detached one. */
TEST_F(root, of_another_namespace)
{
	int root = open(MNT "/plain", O_PATH | O_DIRECTORY);

	ASSERT_LE(0, root);
	ASSERT_EQ(0, unshare(CLONE_NEWNS));
	spawn_in(&self->set, variant->caller, root, "/report");
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EINVAL, report.error) TH_LOG("%s", strerror(report.error));
}

TEST_F(root, no_longer_mounted)
{
	int root = open(MNT "/plain/sub", O_PATH | O_DIRECTORY);

	ASSERT_LE(0, root);
	ASSERT_EQ(0, umount2(MNT "/plain/sub", MNT_DETACH));
	spawn_in(&self->set, variant->caller, root, "");
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EINVAL, report.error) TH_LOG("%s", strerror(report.error));
}

static int clone_tree(const char *path, int flags)
{
	return syscall(__NR_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

/* A detached tree is copied, and can be used again. */
TEST_F(root, detached_tree)
{
	int round, root = clone_tree(MNT "/plain", AT_RECURSIVE);

	if (variant->caller == become_user)
		SKIP(return, "takes a privilege");
	ASSERT_LE(0, root);
	for (round = 0; round < 2; round++) {
		spawn_in(&self->set, variant->caller, root, "/report");
		expect_root(_metadata, root);
		EXPECT_EQ(0, ask_agent(&self->set, variant->caller, read_inside));
		EXPECT_EQ(ENOENT, ask_agent(&self->set, variant->caller, read_old));
		EXPECT_EQ(ENOENT, ask_agent(&self->set, variant->caller, read_up));
	}
	close(root);
	root = clone_tree(MNT "/plain", 0);
	ASSERT_LE(0, root);
	spawn_in(&self->set, variant->caller, root, "/report");
	expect_root(_metadata, root);
	EXPECT_EQ(ENOENT, ask_agent(&self->set, variant->caller, read_inside));
}

TEST_F(root, new_filesystem)
{
	int fs = syscall(__NR_fsopen, "tmpfs", FSOPEN_CLOEXEC), root;

	if (variant->caller == become_user)
		SKIP(return, "takes a privilege");
	ASSERT_LE(0, fs);
	ASSERT_EQ(0, syscall(__NR_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
	root = syscall(__NR_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	ASSERT_LE(0, root);
	spawn_in(&self->set, variant->caller, root, "");
	expect_root(_metadata, root);
	EXPECT_STREQ("", report_get(&report, "root_entries"));
}

static int without_chroot(void *unused)
{
	(void)unused;
	return set_caps(~(1ULL << CAP_SYS_CHROOT), 0);
}

/* As setns(2) to a mount namespace, which makes it the root as well. */
TEST_F(root, takes_cap_sys_chroot)
{
	int root = open(MNT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool user = variant->flags & CLONE_NEWUSER;

	ASSERT_LE(0, root);
	spawn_in(&self->set, without_chroot, root, "/report");
	/* Who makes a user namespace has it there. */
	EXPECT_EQ(user ? 0 : EPERM, report.error) TH_LOG("%s", strerror(report.error));
	EXPECT_EQ(user, !report.exit);
	close(root);
}

/* The program is in its own copy, so that what it was copied from may go. */
TEST_F(root, caller_may_umount)
{
	char *const command[] = { "wait", NULL };
	struct agent_run run = {
		.path = "/agent", .command = command, .args = &self->set.args,
		.setup = variant->caller,
	};

	self->set.args.root_fd = open(MNT "/plain", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_EQ(0, start_agent(&run)) TH_LOG("%s", strerror(run.error));
	close(self->set.args.root_fd);
	EXPECT_EQ(0, umount(MNT "/plain/sub")) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, umount(MNT)) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, finish_agent(&run));
}

/* There is no path at all in there. */
TEST_F(root, empty)
{
	static char *const argv[] = { "execns_report", "@100", NULL };
	int root = self->set.program;
	unsigned int at_flags;

	self->set.args.flags = 0;
	self->set.args.unshare_flags |= UNSHARE_EMPTY_MNTNS;
	spawn_in(&self->set, variant->caller, 0, "");
	expect_root(_metadata, -1);
	EXPECT_STREQ("", report_get(&report, "root_entries"));
	/* It implies CLONE_NEWNS. */
	self->set.args.unshare_flags &= ~(unsigned long long)CLONE_NEWNS;
	spawn_in(&self->set, variant->caller, 0, "");
	expect_root(_metadata, -1);
	/* Not even of a loader. */
	self->set.program = open("./execns_interp", O_PATH | O_CLOEXEC);
	ASSERT_LE(0, self->set.program);
	spawn_in(&self->set, variant->caller, 0, "");
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(ENOENT, report.error) TH_LOG("%s", strerror(report.error));
	ASSERT_EQ(0, variant->caller(NULL));
	self->set.args.nr_fds = 0;
	self->set.args.fds = 0;
	for (at_flags = 0; at_flags < 2; at_flags++) {
		self->set.args.at_flags = at_flags ? AT_EXECVE_CHECK : 0;
		EXPECT_EQ(-1, sys_execnsat(root, "", argv, environ, &self->set.args,
					   sizeof(self->set.args)));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, "./execns_report", argv, environ,
					   &self->set.args, sizeof(self->set.args)));
		EXPECT_EQ(EINVAL, errno);
	}
}

TEST_HARNESS_MAIN
