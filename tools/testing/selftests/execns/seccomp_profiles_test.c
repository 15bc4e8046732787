// SPDX-License-Identifier: GPL-2.0
/* Filters as others make them, which know nothing of execns() and execnsat(). */
#include "seccomp_filter.h"

#ifdef __x86_64__

#include "seccomp_profiles.h"

struct profile {
	const struct sock_filter *code;
	size_t len;
};

FIXTURE(profile)
{
	struct profile profile;
};

FIXTURE_VARIANT(profile)
{
	const struct sock_filter *code;
	size_t len;
	/* Which flags, and what the profile has besides. */
	unsigned long long denied_flags;
	bool exec, ids, tree, setns;
	/* How a process ends that makes a call which is not listed: -signal, or errno. */
	int unknown;
};

FIXTURE_VARIANT_ADD(profile, restrict_namespaces)
{
	.code = restrict_namespaces, .len = ARRAY_SIZE(restrict_namespaces),
	.denied_flags = ALL_NS & ~CLONE_NEWTIME, .exec = true, .ids = true, .tree = true,
	.unknown = ENOENT,
};

FIXTURE_VARIANT_ADD(profile, container)
{
	.code = container, .len = ARRAY_SIZE(container),
	.denied_flags = ~0ULL, .exec = true, .ids = true,
	.unknown = EPERM,
};

FIXTURE_VARIANT_ADD(profile, sandbox)
{
	.code = sandbox, .len = ARRAY_SIZE(sandbox),
	.denied_flags = ~0ULL,
	.unknown = -SIGSYS,
};

FIXTURE_SETUP(profile)
{
	self->profile = (struct profile){ variant->code, variant->len };
}

FIXTURE_TEARDOWN(profile)
{
}

/* The profile as it is, or with both calls listed as ones that execute. */
static int install_profile(const struct profile *profile, bool listed)
{
	struct filter filter = { 0 };
	struct sock_fprog program = { .filter = filter.code };

	if (listed) {
		add_rule(&filter, &(struct rule){ __NR_execns, SECCOMP_RET_ALLOW });
		add_rule(&filter, &(struct rule){ __NR_execnsat, SECCOMP_RET_ALLOW });
	}
	memcpy(filter.code + filter.len, profile->code, profile->len * sizeof(*profile->code));
	program.len = filter.len + profile->len;
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
}

static int setup_profile(void *profile)
{
	return install_profile(profile, true);
}

/* A system call, with what it is asked for. */
struct call {
	long nr, a, b, c;
	const void *data;
	size_t size;
};

/* How a child ends in which the profile is installed: -signal, or the errno of the call. */
static int end_of(const struct profile *profile, bool listed, const struct call *call)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (profile && install_profile(profile, listed))
			_exit(200);
		if (syscall(call->nr, call->a, call->b, call->c, environ, call->data,
			    call->size) == -1)
			_exit(errno);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		return -1000;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static char *const argv[] = { "program", NULL };

static struct call execns_call(int flags)
{
	return (struct call){ __NR_execns, flags, (long)NOWHERE, (long)argv };
}

static struct call execnsat_call(const struct execns_args *args)
{
	return (struct call){ __NR_execnsat, AT_FDCWD, (long)NOWHERE, (long)argv, args,
			      sizeof(*args) };
}

/* Whether the profile lets pass the call itself, which fails otherwise if at all. */
static bool passes(const struct profile *profile, long nr, long a, long b, long c)
{
	struct call call = { nr, a, b, c };
	int end = end_of(profile, true, &call);

	return end != EPERM && end != ENOSYS && end >= 0;
}

static bool unshare_passes(const struct profile *profile, int flags)
{
	return !flags || passes(profile, __NR_unshare, flags, 0, 0);
}

#define TREE_FLAGS (OPEN_TREE_NAMESPACE | AT_EMPTY_PATH | AT_RECURSIVE)

TEST_F(profile, execns_is_like_the_other_calls)
{
	const int flags[] = {
		0, CLONE_FS, CLONE_FILES, CLONE_SYSVSEM, CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWIPC,
		CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWTIME,
		CLONE_NEWTIME | CLONE_NEWUSER, ALL_NS,
	};
	struct execns_args args = { 0 };
	bool exec = passes(&self->profile, __NR_execve, (long)NOWHERE, (long)argv, 0);
	bool execveat = passes(&self->profile, __NR_execveat, AT_FDCWD, (long)NOWHERE, (long)argv);
	struct call call;
	size_t i;

	EXPECT_EQ(variant->exec, exec);
	EXPECT_EQ(variant->exec, execveat);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		bool ok = unshare_passes(&self->profile, flags[i]);

		EXPECT_EQ(!(flags[i] & variant->denied_flags), ok);
		call = execns_call(flags[i]);
		EXPECT_EQ(ok && exec ? ENOENT : EPERM, end_of(&self->profile, true, &call))
			TH_LOG("flags %#x", flags[i]);
		args.unshare_flags = flags[i];
		call = execnsat_call(&args);
		EXPECT_EQ(ok && execveat ? ENOENT : EPERM, end_of(&self->profile, true, &call))
			TH_LOG("flags %#x", flags[i]);
	}
}

TEST_F(profile, settings_are_like_the_other_calls)
{
	bool ids = passes(&self->profile, __NR_setresuid, 0, 0, 0) &&
		   passes(&self->profile, __NR_setresgid, 0, 0, 0);
	bool groups = passes(&self->profile, __NR_setgroups, 0, 0, 0);
	bool tree = passes(&self->profile, __NR_open_tree, -1, (long)"", TREE_FLAGS);
	bool setns = passes(&self->profile, __NR_setns, -1, CLONE_NEWNS, 0);
	bool user = unshare_passes(&self->profile, CLONE_NEWUSER);
	bool mnt = unshare_passes(&self->profile, CLONE_NEWNS);
	int root = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct {
		struct execns_args args;
		bool ok;
	} rows[] = {
		{ { CLONE_NEWUSER, .flags = EXECNS_SET_IDS }, user && ids },
		{ { CLONE_NEWUSER, .flags = EXECNS_DROP_GROUPS }, user && groups },
		{ { CLONE_NEWNS, .flags = EXECNS_ROOT_FD, .root_fd = root }, mnt && tree && setns },
	};
	struct call call;
	size_t i;

	ASSERT_LE(0, root);
	EXPECT_EQ(variant->ids, ids);
	EXPECT_EQ(variant->ids, groups);
	EXPECT_EQ(variant->tree, tree);
	EXPECT_EQ(variant->setns, setns);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		call = execnsat_call(&rows[i].args);
		EXPECT_EQ(ENOENT, end_of(NULL, true, &call));
		EXPECT_EQ(rows[i].ok ? ENOENT : EPERM, end_of(&self->profile, true, &call));
	}
}

/* What is not listed is not asked about: it has the default action, as any call. */
TEST_F(profile, default_action_if_not_listed)
{
	struct execns_args args = { 0 };
	struct call call = execns_call(0);

	EXPECT_EQ(variant->unknown, end_of(&self->profile, false, &call));
	call = execnsat_call(&args);
	EXPECT_EQ(variant->unknown, end_of(&self->profile, false, &call));
}

TEST_F(profile, program_runs)
{
	struct spawn spawn = {
		.how = BY_EXECNS, .setup = setup_profile, .data = &self->profile,
	};
	struct report report;

	spawn_report(&spawn, &report);
	EXPECT_EQ(variant->exec ? 0 : EXEC_FAILED, report.exit);
	EXPECT_EQ(variant->exec ? 0 : EPERM, report.error);
	if (variant->exec) {
		EXPECT_STREQ("", report_get(&report, "fds"));
		EXPECT_STREQ("\t2", report_get(&report, "status/Seccomp"));
	}
	spawn.flags = CLONE_NEWUSER;
	spawn_report(&spawn, &report);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EPERM, report.error);
}

/* The signal would be the end of it. */
TEST_F(profile, caller_is_intact)
{
	struct snapshot before, after;

	ASSERT_EQ(0, install_profile(&self->profile, true));
	take_snapshot(&before, -1);
	EXPECT_EQ(-1, ns(REPORT, ALL_NS));
	EXPECT_EQ(EPERM, errno);
	EXPECT_EQ(-1, at(REPORT, ALL_NS));
	EXPECT_EQ(EPERM, errno);
	take_snapshot(&after, -1);
	EXPECT_INTACT(&before, &after);
}

#else

TEST(profile)
{
	SKIP(return, "the profiles are those of x86-64");
}

#endif

TEST_HARNESS_MAIN
