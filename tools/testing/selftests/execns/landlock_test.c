// SPDX-License-Identifier: GPL-2.0
/* A Landlock domain holds for the program, in whatever namespaces, and for finding it. */
#include "execnsat_test.h"

#include <linux/landlock.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#define AGENT "./landlock_agent"
/* All is allowed in one of them, all but to move into it in another, and nothing there. */
#define BELOW_ALLOWED "/landlock.allowed"
#define ALLOWED "/tmp" BELOW_ALLOWED
#define NO_REFER "/tmp/landlock.norefer"
#define BELOW_DENIED "/landlock.denied"
#define DENIED "/tmp" BELOW_DENIED
#define ABSTRACT "landlock.execns"
#define PORT "4711"

/* What run() adds to the errno of a call that has failed. */
#define NOT_EXECUTED 150

#define ALL_FS ((LANDLOCK_ACCESS_FS_IOCTL_DEV << 1) - 1)
#define RIGHTS_OF_FILES (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | \
			 LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

static int landlock_abi(void)
{
	return syscall(__NR_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
}

static int allow(int ruleset, const char *path, unsigned long long access)
{
	struct landlock_path_beneath_attr rule = {
		.allowed_access = access, .parent_fd = open(path, O_PATH | O_CLOEXEC),
	};
	int error = syscall(__NR_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);

	close(rule.parent_fd);
	return error;
}

/* The root is not even readable: only what is needed to start a program here. */
static int enter_domain(void *unused)
{
	struct landlock_ruleset_attr attr = {
		.handled_access_fs = ALL_FS, .handled_access_net = LANDLOCK_ACCESS_NET_BIND_TCP,
		.scoped = LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | LANDLOCK_SCOPE_SIGNAL,
	};
	int ruleset = syscall(__NR_landlock_create_ruleset, &attr, sizeof(attr), 0);

	(void)unused;
	if (ruleset < 0 || allow(ruleset, ".", RIGHTS_OF_FILES) ||
	    allow(ruleset, "/proc", RIGHTS_OF_FILES) || allow(ruleset, ALLOWED, ALL_FS) ||
	    allow(ruleset, NO_REFER, ALL_FS & ~LANDLOCK_ACCESS_FS_REFER) ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(__NR_landlock_restrict_self, ruleset, 0))
		return -1;
	return close(ruleset);
}

/* A user, and a domain. */
static int enter_domain_as_user(void *unused)
{
	return become_user(unused) || enter_domain(unused);
}

static int no_domain(void *unused)
{
	(void)unused;
	return 0;
}

FIXTURE(landlock)
{
	int listener;
};

FIXTURE_VARIANT(landlock)
{
	int flags;
	int (*enter)(void *unused);
};

FIXTURE_VARIANT_ADD(landlock, none) { 0, enter_domain };
FIXTURE_VARIANT_ADD(landlock, mnt) { CLONE_NEWNS, enter_domain };
FIXTURE_VARIANT_ADD(landlock, user) { CLONE_NEWUSER, enter_domain };
FIXTURE_VARIANT_ADD(landlock, user_mnt) { CLONE_NEWUSER | CLONE_NEWNS, enter_domain };
FIXTURE_VARIANT_ADD(landlock, all_but_net) { ALL_NS & ~CLONE_NEWNET, enter_domain };
FIXTURE_VARIANT_ADD(landlock, as_user_none) { 0, enter_domain_as_user };
FIXTURE_VARIANT_ADD(landlock, as_user_user_mnt) {
	CLONE_NEWUSER | CLONE_NEWNS, enter_domain_as_user
};

static int make_tree(const char *dir)
{
	char path[128];

	if (mkdir(dir, 0777) || chmod(dir, 0777))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	if (make_script(path, "") || chmod(path, 0666))
		return -1;
	snprintf(path, sizeof(path), "%s/program", dir);
	return copy_program(AGENT, path, 0, 0755);
}

static int listen_abstract(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(addr.sun_path + 1, ABSTRACT);
	if (fd < 0 || bind(fd, (void *)&addr, offsetof(struct sockaddr_un, sun_path) + 1 +
			   strlen(ABSTRACT)) || listen(fd, 5))
		return -1;
	return fd;
}

static void remove_trees(void)
{
	static const char *const dirs[] = { ALLOWED, NO_REFER, DENIED };
	static const char *const names[] = { "moved", "new", "script", "program", "file" };
	char path[128];
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		for (j = 0; j < ARRAY_SIZE(names); j++) {
			snprintf(path, sizeof(path), "%s/%s", dirs[i], names[j]);
			unlink(path);
		}
		rmdir(dirs[i]);
	}
}

FIXTURE_SETUP(landlock)
{
	if (landlock_abi() < 6)
		SKIP(return, "no Landlock with scopes (ABI %d), see CONFIG_SECURITY_LANDLOCK",
		     landlock_abi());
	remove_trees();
	ASSERT_EQ(0, make_tree(ALLOWED));
	ASSERT_EQ(0, make_tree(NO_REFER));
	ASSERT_EQ(0, make_tree(DENIED));
	ASSERT_EQ(0, make_script(ALLOWED "/script", "#!" DENIED "/program\n"));
	self->listener = listen_abstract();
	ASSERT_LE(0, self->listener);
}

FIXTURE_TEARDOWN(landlock)
{
	if (landlock_abi() < 6)
		return;
	close(self->listener);
	remove_trees();
}

/* What the agent says to the command, or NOT_EXECUTED and the errno of the call. */
static int run(enum how how, int flags, int (*enter)(void *unused), char *const *command)
{
	char *argv[16] = { AGENT, "-1", "-1" };
	int status;
	pid_t child;
	size_t i;

	for (i = 0; command[i]; i++)
		argv[i + 3] = command[i];
	child = fork();
	if (!child) {
		if (enter(NULL))
			_exit(98);
		exec_argv_by(how, flags, argv);
		_exit(NOT_EXECUTED + errno);
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The file may have been moved by the program before. */
static void back(void)
{
	rename(NO_REFER "/moved", ALLOWED "/file");
	rename(ALLOWED "/moved", ALLOWED "/file");
}

struct attempt {
	char *const command[4];
	int error;		/* in the domain */
	int free;		/* outside of it */
	int needs;		/* flags, without which it fails anyway */
};

TEST_F(landlock, domain_holds_for_the_program)
{
	char parent[16];
	const struct attempt rows[] = {
		{ { "read", ALLOWED "/file" }, 0, 0 },
		{ { "read", DENIED "/file" }, EACCES, 0 },
		{ { "write", ALLOWED "/file" }, 0, 0 },
		{ { "write", DENIED "/file" }, EACCES, 0 },
		{ { "create", DENIED "/new" }, EACCES, 0 },
		{ { "read", "/" }, EACCES, 0 },
		{ { "execute", ALLOWED "/program" }, 0, 0 },
		{ { "execute", DENIED "/program" }, EACCES, 0 },
		{ { "execute", ALLOWED "/script" }, EACCES, 95 },
		{ { "rename", ALLOWED "/file", ALLOWED "/moved" }, 0, 0 },
		{ { "rename", ALLOWED "/file", NO_REFER "/moved" }, EXDEV, 0 },
		{ { "signal", parent }, EPERM, 0 },
		{ { "trace", parent }, EPERM, 0 },
		{ { "connect", ABSTRACT }, EPERM, 0 },
		{ { "connect_own", ABSTRACT ".own" }, 0, 0 },
		{ { "bind", PORT }, EACCES, 0 },
		{ { "mount", ALLOWED }, EPERM, 0, CLONE_NEWNS },
		{ { "bindmount", DENIED, ALLOWED }, EPERM, 0, CLONE_NEWNS },
	};
	const int flags = variant->flags;
	bool as_user = variant->enter == enter_domain_as_user;
	size_t i;

	/* Who can be traced and killed, and has nothing that depends on it. */
	pid_t target = fork();

	if (!target) {
		if (as_user)
			become_user(NULL);
		pause();
		_exit(0);
	}
	snprintf(parent, sizeof(parent), "%d", target);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct attempt *row = &rows[i];
		int ours, theirs;

		if (row->needs & ~flags)
			continue;
		back();
		theirs = run(BY_UNSHARE, flags, variant->enter, row->command);
		back();
		ours = run(BY_EXECNS, flags, variant->enter, row->command);
		EXPECT_EQ(theirs, ours) TH_LOG("%s %s", row->command[0], row->command[1]);
		/* The owner of the directory is not mapped there, and a tracer needs the parent. */
		if (as_user && flags && strcmp(row->command[0], "read"))
			continue;
		EXPECT_EQ(row->error, ours) TH_LOG("%s %s", row->command[0], row->command[1]);
		if (as_user || (flags & CLONE_NEWUSER && !strcmp(row->command[0], "trace")))
			continue;
		back();
		EXPECT_EQ(row->free, run(BY_EXECNS, flags, no_domain, row->command))
			TH_LOG("%s %s without a domain", row->command[0], row->command[1]);
	}
	kill(target, SIGKILL);
	waitpid(target, NULL, 0);
}

/* A call that fails with EACCES, and changes nothing. */
static void expect_denied(struct __test_metadata *_metadata, const char *path, int flags)
{
	static struct snapshot before, after;
	char *const argv[] = { (char *)path, "-1", "-1", "nothing", NULL };
	struct execns_args args = { .unshare_flags = flags };

	take_snapshot(&before, -1);
	errno = 0;
	EXPECT_EQ(-1, sys_execns(flags, path, argv, environ));
	EXPECT_EQ(EACCES, errno) TH_LOG("%s", path);
	errno = 0;
	EXPECT_EQ(-1, sys_execnsat(AT_FDCWD, path, argv, environ, &args, sizeof(args)));
	EXPECT_EQ(EACCES, errno) TH_LOG("%s", path);
	take_snapshot(&after, -1);
	EXPECT_INTACT(&before, &after);
	EXPECT_EQ(0, try_clone_fs());
}

TEST_F(landlock, denied_program_leaves_the_caller_intact)
{
	ASSERT_EQ(0, variant->enter(NULL));
	expect_denied(_metadata, DENIED "/program", variant->flags);
	/* The script may be executed, and its interpreter may not. */
	expect_denied(_metadata, ALLOWED "/script", variant->flags);
}

TEST_F(landlock, denied_loader_leaves_the_caller_intact)
{
	/* It names this as its loader, to which no rule leads. */
	ASSERT_EQ(0, copy_program(AGENT, "/tmp/execns.ld.so", 0, 0755));
	ASSERT_EQ(0, variant->enter(NULL));
	expect_denied(_metadata, "./execns_interp", variant->flags);
	/* The domain can not remove it: the next one overwrites it. */
}

/* By execnsat(), a part of the tree as the root. The rule is that of the directory. */
static int run_at_root(const char *root, const char *path, int (*enter)(void *unused),
		       const char *file)
{
	char *const argv[] = { (char *)path, "-1", "-1", "read", (char *)file, NULL };
	struct execns_args args = {
		.unshare_flags = CLONE_NEWUSER | CLONE_NEWNS, .flags = EXECNS_ROOT_FD,
		.root_fd = open(root, O_PATH | O_CLOEXEC),
	};
	int status;
	pid_t child = fork();

	if (!child) {
		if (enter(NULL))
			_exit(98);
		sys_execnsat(AT_FDCWD, path, argv, environ, &args, sizeof(args));
		_exit(NOT_EXECUTED + errno);
	}
	close(args.root_fd);
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST_F(landlock, root_of_execnsat)
{
	if (variant->flags != (CLONE_NEWUSER | CLONE_NEWNS))
		return;
	EXPECT_EQ(0, run_at_root(ALLOWED, "/program", variant->enter, "/file"));
	EXPECT_EQ(0, run_at_root(DENIED, "/program", no_domain, "/file"));
	EXPECT_EQ(NOT_EXECUTED + EACCES, run_at_root(DENIED, "/program", variant->enter, "/file"));
	/* Beneath what is not allowed, as seen from the root above, is what is allowed. */
	EXPECT_EQ(0, run_at_root("/tmp", BELOW_ALLOWED "/program", variant->enter,
				 BELOW_ALLOWED "/file"));
	EXPECT_EQ(EACCES, run_at_root("/tmp", BELOW_ALLOWED "/program", variant->enter,
				      BELOW_DENIED "/file"));
}

TEST_HARNESS_MAIN
