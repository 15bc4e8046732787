// SPDX-License-Identifier: GPL-2.0
/* What the calls that a filter is asked about have as their arguments. */
#include "seccomp_filter.h"

#define TREE_FLAGS (OPEN_TREE_NAMESPACE | AT_EMPTY_PATH | AT_RECURSIVE)
#define FULL (~0ULL)
/* An int: what is above it in a register is not said. */
#define INT 0xffffffffULL

/* A call that fails after the filters, for it names no program. */
struct request {
	bool at;
	int flags, dirfd;
	const char *path;
	char *argv[2], *envp[1];
	struct execns_args args;
};

static int call(struct request *request)
{
	if (!request->at)
		return sys_execns(request->flags, request->path, request->argv, request->envp);
	return sys_execnsat(request->dirfd, request->path, request->argv, request->envp,
			    &request->args, sizeof(request->args));
}

static void fill(struct request *request, bool is_at, unsigned int flags)
{
	*request = (struct request){
		.at = is_at, .flags = flags, .dirfd = AT_FDCWD, .path = NOWHERE,
		.argv = { "program" }, .args.unshare_flags = flags,
	};
}

/* The errno of the call in a child that has these rules. */
static int errno_under(const struct rule *rules, size_t n, struct request *request)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (install_rules(rules, n, 0))
			_exit(200);
		_exit(call(request) == -1 ? errno : 0);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/*
 * Whether each argument is what the row says: it passes a filter that denies all
 * else, and not one that denies this.
 */
static void expect_args(struct __test_metadata *_metadata, struct request *request,
			struct rule *rows, size_t n)
{
	struct rule other;
	size_t i;

	for (i = 0; i < n; i++) {
		rows[i].action = SECCOMP_RET_KILL_PROCESS;
		EXPECT_EQ(EPERM, errno_under(&rows[i], 1, request))
			TH_LOG("call %d, argument %d", rows[i].nr, rows[i].arg);
		/* It is asked about this value, and not just whenever it can be. */
		other = rows[i];
		other.value ^= 1;
		EXPECT_EQ(ENOENT, errno_under(&other, 1, request))
			TH_LOG("call %d, argument %d", rows[i].nr, rows[i].arg);
		rows[i].unless = true;
	}
	EXPECT_EQ(ENOENT, errno_under(rows, n, request));
}

TEST(of_execns)
{
	const int flags = CLONE_NEWUSER | CLONE_NEWIPC;
	struct request request;

	fill(&request, false, flags);
	struct rule rows[] = {
		/* Without what it implies. */
		{ .nr = __NR_unshare, .arg = 0, .mask = FULL, .value = flags },
		{ .nr = __NR_unshare, .arg = 1, .mask = FULL },
		{ .nr = __NR_unshare, .arg = 2, .mask = FULL },
		{ .nr = __NR_unshare, .arg = 3, .mask = FULL },
		{ .nr = __NR_unshare, .arg = 4, .mask = FULL },
		{ .nr = __NR_unshare, .arg = 5, .mask = FULL },
		{ .nr = __NR_execve, .arg = 0, .mask = FULL, .value = PTR(request.path) },
		{ .nr = __NR_execve, .arg = 1, .mask = FULL, .value = PTR(request.argv) },
		{ .nr = __NR_execve, .arg = 2, .mask = FULL, .value = PTR(request.envp) },
		{ .nr = __NR_execve, .arg = 3, .mask = FULL },
		{ .nr = __NR_execve, .arg = 4, .mask = FULL },
		{ .nr = __NR_execve, .arg = 5, .mask = FULL },
	};

	expect_args(_metadata, &request, rows, ARRAY_SIZE(rows));
}

TEST(of_execnsat)
{
	const unsigned int flags = CLONE_NEWUSER | CLONE_NEWNS;
	struct request request;

	fill(&request, true, flags);
	request.dirfd = 1000;
	request.args.at_flags = AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK;
	struct rule rows[] = {
		{ .nr = __NR_unshare, .arg = 0, .mask = FULL, .value = flags },
		{ .nr = __NR_unshare, .arg = 1, .mask = FULL },
		{ .nr = __NR_execveat, .arg = 0, .mask = INT, .value = 1000 },
		{ .nr = __NR_execveat, .arg = 1, .mask = FULL, .value = PTR(request.path) },
		{ .nr = __NR_execveat, .arg = 2, .mask = FULL, .value = PTR(request.argv) },
		{ .nr = __NR_execveat, .arg = 3, .mask = FULL, .value = PTR(request.envp) },
		{ .nr = __NR_execveat, .arg = 4, .mask = FULL, .value = request.args.at_flags },
		{ .nr = __NR_execveat, .arg = 5, .mask = FULL },
	};

	expect_args(_metadata, &request, rows, ARRAY_SIZE(rows));
	/* execve() is another call. */
	EXPECT_EQ(ENOENT, errno_under(&(struct rule){ .nr = __NR_execve }, 1, &request));
}

/* An unshare() of nothing does not have to be allowed. */
TEST(of_execnsat_without_flags)
{
	struct rule rules[] = { { .nr = __NR_unshare }, { .nr = __NR_setns },
				{ .nr = __NR_open_tree }, { .nr = __NR_setgroups },
				{ .nr = __NR_setresgid }, { .nr = __NR_setresuid } };
	struct request request;

	fill(&request, true, 0);
	EXPECT_EQ(ENOENT, errno_under(rules, ARRAY_SIZE(rules), &request));
	/* And what is not asked for does not either. */
	fill(&request, true, ALL_NS);
	EXPECT_EQ(ENOENT, errno_under(rules + 1, ARRAY_SIZE(rules) - 1, &request));
	EXPECT_EQ(EPERM, errno_under(rules, 1, &request));
}

TEST(of_an_empty_path)
{
	struct request request;
	struct rule rows[] = {
		{ .nr = __NR_execveat, .arg = 4, .mask = AT_EMPTY_PATH, .value = AT_EMPTY_PATH },
		/* The mount namespace that it implies is not there to be seen. */
		{ .nr = __NR_unshare, .mask = FULL, .value = UNSHARE_EMPTY_MNTNS },
	};
	size_t i;

	fill(&request, true, UNSHARE_EMPTY_MNTNS);
	request.path = "";
	request.dirfd = open("/tmp", O_PATH | O_CLOEXEC);
	request.args.at_flags = AT_EMPTY_PATH;
	ASSERT_LE(0, request.dirfd);
	/* It is a directory. */
	EXPECT_EQ(EACCES, errno_under(NULL, 0, &request));
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_EQ(EPERM, errno_under(&rows[i], 1, &request));
	request.args.at_flags = 0;
	request.args.unshare_flags = CLONE_NEWNS;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_EQ(ENOENT, errno_under(&rows[i], 1, &request));
}

TEST(of_a_root)
{
	struct request request;
	int root = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct rule rows[] = {
		{ .nr = __NR_open_tree, .arg = 0, .mask = FULL, .value = root },
		{ .nr = __NR_open_tree, .arg = 1, .mask = FULL },
		{ .nr = __NR_open_tree, .arg = 2, .mask = FULL, .value = TREE_FLAGS },
		{ .nr = __NR_open_tree, .arg = 3, .mask = FULL },
		{ .nr = __NR_open_tree, .arg = 4, .mask = FULL },
		{ .nr = __NR_open_tree, .arg = 5, .mask = FULL },
		{ .nr = __NR_setns, .arg = 0, .mask = FULL, .value = root },
		{ .nr = __NR_setns, .arg = 1, .mask = FULL, .value = CLONE_NEWNS },
		{ .nr = __NR_setns, .arg = 2, .mask = FULL },
		{ .nr = __NR_setns, .arg = 3, .mask = FULL },
		{ .nr = __NR_setns, .arg = 4, .mask = FULL },
		{ .nr = __NR_setns, .arg = 5, .mask = FULL },
	};

	ASSERT_LE(0, root);
	fill(&request, true, CLONE_NEWNS);
	request.args.flags = EXECNS_ROOT_FD;
	request.args.root_fd = root;
	expect_args(_metadata, &request, rows, ARRAY_SIZE(rows));
}

/* A descriptor that is none is looked at by the calls, of which there is none yet. */
TEST(of_a_root_that_is_none)
{
	struct rule rule = {
		.nr = __NR_setns, .mask = FULL, .value = INT, .action = SECCOMP_RET_TRAP,
	};
	struct request request;

	fill(&request, true, CLONE_NEWNS);
	request.args.flags = EXECNS_ROOT_FD;
	request.args.root_fd = -1;
	EXPECT_EQ(EPERM, errno_under(&rule, 1, &request));
	EXPECT_EQ(EBADF, errno_under(NULL, 0, &request));
}

static void expect_ids(struct __test_metadata *_metadata, unsigned int uid, unsigned int gid)
{
	struct request request;
	struct rule rows[12];
	int i;

	for (i = 0; i < 6; i++) {
		rows[i] = (struct rule){
			.nr = __NR_setresuid, .arg = i, .mask = FULL, .value = i < 3 ? uid : 0,
		};
		rows[6 + i] = (struct rule){
			.nr = __NR_setresgid, .arg = i, .mask = FULL, .value = i < 3 ? gid : 0,
		};
	}
	fill(&request, true, CLONE_NEWUSER);
	request.args.flags = EXECNS_SET_IDS;
	request.args.uid = uid;
	request.args.gid = gid;
	expect_args(_metadata, &request, rows, ARRAY_SIZE(rows));
	/* It does not say what becomes of groups. */
	EXPECT_EQ(ENOENT, errno_under(&(struct rule){ .nr = __NR_setgroups }, 1, &request));
}

TEST(of_ids)
{
	expect_ids(_metadata, 5, 7);
	expect_ids(_metadata, 0, 0);
	expect_ids(_metadata, 0xfffffffe, 0x80000000);
}

TEST(of_ids_that_stay)
{
	expect_ids(_metadata, -1, 7);
	expect_ids(_metadata, 5, -1);
	expect_ids(_metadata, -1, -1);
}

TEST(of_groups)
{
	struct request request;
	struct rule rows[6];
	int i;

	for (i = 0; i < 6; i++)
		rows[i] = (struct rule){ .nr = __NR_setgroups, .arg = i, .mask = FULL };
	fill(&request, true, CLONE_NEWUSER);
	request.args.flags = EXECNS_DROP_GROUPS;
	expect_args(_metadata, &request, rows, ARRAY_SIZE(rows));
	EXPECT_EQ(ENOENT, errno_under(&(struct rule){ .nr = __NR_setresuid }, 1, &request));
	EXPECT_EQ(ENOENT, errno_under(&(struct rule){ .nr = __NR_setresgid }, 1, &request));
}

/* One string is allowed, another one with the same in it is not. */
TEST(of_one_path_by_its_address)
{
	static const char allowed[] = REPORT, same[] = REPORT;
	struct rule rule = {
		.nr = __NR_execve, .mask = FULL, .value = PTR(allowed), .unless = true,
		.action = SECCOMP_RET_ERRNO | EACCES,
	};
	struct spawn spawn = {
		.how = BY_EXECNS, .flags = ALL_NS, .path = allowed, .setup = setup_rule,
		.data = &rule,
	};
	struct report report;

	spawn_report(&spawn, &report);
	EXPECT_EQ(0, report.exit);
	rule.value = PTR(same);
	spawn_report(&spawn, &report);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EPERM, report.error);
}

/* Whichever is denied, with all that the call asks for. The last one is asked about last. */
TEST(caller_is_intact)
{
	const int calls[] = { __NR_execveat, __NR_setresuid, __NR_setresgid, __NR_setgroups,
			      __NR_setns, __NR_open_tree, __NR_unshare };
	struct execns_fd fds[] = { { 1, 2 }, { 2, 1 }, { 1, 40 } };
	struct execns_time_offset offset = { .clock = CLOCK_BOOTTIME, .sec = 1000 };
	struct execns_id_map map = { 0, 0, 10 };
	struct request request;
	size_t i;

	fill(&request, true, ALL_NS);
	request.path = REPORT;
	request.args.flags = EXECNS_ROOT_FD | EXECNS_SET_IDS | EXECNS_DROP_GROUPS;
	request.args.root_fd = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ASSERT_LE(0, request.args.root_fd);
	request.args.fds = PTR(fds);
	request.args.nr_fds = ARRAY_SIZE(fds);
	request.args.uid_map = PTR(&map);
	request.args.nr_uid_map = 1;
	request.args.gid_map = PTR(&map);
	request.args.nr_gid_map = 1;
	request.args.time_offsets = PTR(&offset);
	request.args.nr_time_offsets = 1;
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		ASSERT_EQ(0, deny(calls[i], SECCOMP_RET_TRAP));
		EXPECT_DENIED(call(&request));
		request.args.at_flags ^= AT_EXECVE_CHECK;
		EXPECT_DENIED(call(&request));
	}
}

/* What passes is what is done. */
TEST(all_of_it_at_once)
{
	struct execns_id_map map[] = { { 0, 0, 10 } };
	struct execns_fd fds[] = { { 100, 100 } };
	struct execns_args args = {
		.unshare_flags = ALL_NS,
		.flags = EXECNS_ROOT_FD | EXECNS_SET_IDS | EXECNS_DROP_GROUPS,
		.uid_map = PTR(map), .nr_uid_map = 1, .gid_map = PTR(map), .nr_gid_map = 1,
		.root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), .uid = 5, .gid = 7,
		.fds = PTR(fds), .nr_fds = 1,
	};
	const int calls[] = { __NR_unshare, __NR_open_tree, __NR_setns, __NR_setgroups,
			      __NR_setresgid, __NR_setresuid, __NR_execveat };
	struct rule rule = { .nr = __NR_execve };
	struct spawn spawn = {
		.how = BY_EXECNSAT, .args = &args, .setup = setup_rule, .data = &rule,
	};
	struct report report;
	char path[512];
	size_t i;

	ASSERT_LE(0, args.root_fd);
	ASSERT_NE(NULL, getcwd(path, sizeof(path) - 16));
	strcat(path, "/execns_report");
	spawn.path = path;
	spawn.report_fd = 100;
	spawn_report(&spawn, &report);
	EXPECT_EQ(0, report.exit) TH_LOG("%s", strerror(report.error));
	EXPECT_STREQ("5 5 7 7", report_get(&report, "ids"));
	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		rule.nr = calls[i];
		spawn_report(&spawn, &report);
		EXPECT_EQ(EXEC_FAILED, report.exit);
		EXPECT_EQ(EPERM, report.error) TH_LOG("call %d", calls[i]);
	}
}

TEST_HARNESS_MAIN
