// SPDX-License-Identifier: GPL-2.0
/* Filters that look at the architecture, and a caller of 32 bits. */
#include "seccomp_filter.h"

#ifdef __x86_64__

/* A number of i386, and what the same call has here. */
struct number {
	int i386, native;
	bool of_execns, of_execnsat;
};

static const struct number numbers[] = {
	{ 310, __NR_unshare, true, true },
	{ 11, __NR_execve, true, false },
	{ 358, __NR_execveat, false, true },
	{ 428, __NR_open_tree, false, true },
	{ 346, __NR_setns, false, true },
	{ 206, __NR_setgroups, false, true },
	{ 208, __NR_setresuid, false, true },
	{ 210, __NR_setresgid, false, true },
};

FIXTURE(compat)
{
};

FIXTURE_VARIANT(compat)
{
	bool at;
};

FIXTURE_VARIANT_ADD(compat, execns) { false };
FIXTURE_VARIANT_ADD(compat, execnsat) { true };

static int errno_under(bool is_at, const struct rule *rule)
{
	char *const argv[] = { "compat_caller", NULL };
	pid_t child = fork();
	int status;

	if (!child) {
		if ((is_at ? setenv("EXECNSAT", "1", 1) : unsetenv("EXECNSAT")) ||
		    (rule && install_rule(rule)))
			_exit(200);
		/* The rule may be about one of both. */
		execve("./compat_caller", argv, environ);
		syscall(__NR_execveat, AT_FDCWD, "./compat_caller", argv, environ, 0);
		_exit(errno == ENOEXEC ? 201 : 202);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

FIXTURE_SETUP(compat)
{
	if (access("./compat_caller", X_OK))
		SKIP(return, "compat_caller was not built: no 32-bit libc here");
	if (errno_under(false, NULL) == 201)
		SKIP(return, "the kernel runs no 32-bit programs");
	ASSERT_EQ(ENOENT, errno_under(variant->at, NULL));
}

FIXTURE_TEARDOWN(compat)
{
}

TEST_F(compat, numbers_are_those_of_32_bits)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		const struct number *number = &numbers[i];
		struct rule rule = {
			.nr = number->i386, .arch = AUDIT_ARCH_I386,
			.action = SECCOMP_RET_KILL_PROCESS,
		};
		bool asked = variant->at ? number->of_execnsat : number->of_execns;

		EXPECT_EQ(asked ? EPERM : ENOENT, errno_under(variant->at, &rule))
			TH_LOG("call %d", rule.nr);
	}
}

/* A filter that denies these to programs of 64 bits only. */
TEST_F(compat, others_are_not_asked_about)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		struct rule rule = { .nr = numbers[i].native, .action = SECCOMP_RET_ERRNO };

		EXPECT_EQ(ENOENT, errno_under(variant->at, &rule)) TH_LOG("call %d", rule.nr);
	}
}

TEST_F(compat, flags_are_compared)
{
	struct rule rule = {
		.nr = 310, .arch = AUDIT_ARCH_I386, .mask = ~0ULL, .value = ALL_NS,
		.action = SECCOMP_RET_ERRNO | ENOSYS,
	};

	EXPECT_EQ(EPERM, errno_under(variant->at, &rule));
	rule.unless = true;
	EXPECT_EQ(ENOENT, errno_under(variant->at, &rule));
	rule.value = CLONE_NEWUSER;
	EXPECT_EQ(EPERM, errno_under(variant->at, &rule));
}

/* Of 64 bits and of 32 bits, for the same number. */
TEST_F(compat, a_filter_of_the_call_itself)
{
	struct rule rule = {
		.nr = variant->at ? __NR_execnsat : __NR_execns, .arch = AUDIT_ARCH_I386,
		.action = SECCOMP_RET_ERRNO | EXDEV,
	};

	EXPECT_EQ(EXDEV, errno_under(variant->at, &rule));
	rule.arch = NATIVE_ARCH;
	EXPECT_EQ(ENOENT, errno_under(variant->at, &rule));
	rule.arch = AUDIT_ARCH_I386;
	rule.action = SECCOMP_RET_KILL_PROCESS;
	EXPECT_EQ(-SIGSYS, errno_under(variant->at, &rule));
}

/* The entry of 32 bits is open to programs of 64 bits: it is no way around. */
static int int80(int nr, unsigned int a, unsigned int b, unsigned int c, unsigned int d)
{
	int result;

	asm volatile("int $0x80" : "=a" (result)
		     : "a" (nr), "b" (a), "c" (b), "d" (c), "S" (d)
		     : "memory", "r8", "r9", "r10", "r11");
	return result;
}

FIXTURE(int80)
{
	/* Below 4 GiB. */
	struct {
		unsigned int pointers[2];
		char path[32];
	} *low;
};

/* The negative result in a child, or what it was killed by. */
#define INT80_UNDER(rule, ...) ({ \
	int _status; \
	pid_t _child = fork(); \
	if (!_child) { \
		if (install_rule(rule)) \
			_exit(200); \
		_exit(-int80(__VA_ARGS__)); \
	} \
	waitpid(_child, &_status, 0); \
	WIFEXITED(_status) ? WEXITSTATUS(_status) : -WTERMSIG(_status); \
})

#define EXECNS_UNDER(rule, flags) \
	INT80_UNDER(rule, __NR_execns, flags, PTR(self->low->path), PTR(self->low->pointers), \
		    PTR(self->low->pointers))

FIXTURE_SETUP(int80)
{
	const struct rule log = { .nr = __NR_unshare, .action = SECCOMP_RET_LOG };
	int result;

	self->low = mmap(NULL, sizeof(*self->low), PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	ASSERT_NE(MAP_FAILED, self->low);
	snprintf(self->low->path, sizeof(self->low->path), "%s", NOWHERE);
	result = EXECNS_UNDER(&log, CLONE_NEWUTS);
	if (result == -SIGSEGV || result == ENOSYS)
		SKIP(return, "the kernel has no calls of 32 bits");
	ASSERT_EQ(ENOENT, result);
}

FIXTURE_TEARDOWN(int80)
{
}

TEST_F(int80, has_the_numbers_of_32_bits)
{
	struct rule rule = { .nr = __NR_unshare, .action = SECCOMP_RET_KILL_PROCESS };

	EXPECT_EQ(ENOENT, EXECNS_UNDER(&rule, CLONE_NEWUTS));
	rule = (struct rule){
		.nr = 310, .arch = AUDIT_ARCH_I386, .mask = ~0ULL, .value = CLONE_NEWUTS,
		.action = SECCOMP_RET_KILL_PROCESS,
	};
	EXPECT_EQ(EPERM, EXECNS_UNDER(&rule, CLONE_NEWUTS));
	EXPECT_EQ(ENOENT, EXECNS_UNDER(&rule, CLONE_NEWIPC));
	rule.nr = 11;
	rule.value = PTR(self->low->path);
	EXPECT_EQ(EPERM, EXECNS_UNDER(&rule, 0));
	rule.unless = true;
	EXPECT_EQ(ENOENT, EXECNS_UNDER(&rule, 0));
}

TEST_F(int80, is_another_call_than_that_of_64_bits)
{
	struct rule rule = {
		.nr = __NR_execns, .arch = AUDIT_ARCH_I386, .action = SECCOMP_RET_KILL_PROCESS,
	};

	EXPECT_EQ(-SIGSYS, EXECNS_UNDER(&rule, 0));
	rule.arch = NATIVE_ARCH;
	EXPECT_EQ(ENOENT, EXECNS_UNDER(&rule, 0));
}

#else

TEST(compat)
{
	SKIP(return, "the numbers are those of i386");
}

#endif

TEST_HARNESS_MAIN
