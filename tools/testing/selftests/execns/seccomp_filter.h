/* SPDX-License-Identifier: GPL-2.0 */
/* Filters made of rules, and what the tests of them expect of a call. */
#ifndef _SECCOMP_FILTER_H
#define _SECCOMP_FILTER_H

#include "execnsat_test.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#else
/* A filter does not ask. */
#define NATIVE_ARCH 0
#endif

#ifndef OPEN_TREE_NAMESPACE
#define OPEN_TREE_NAMESPACE 0x2
#endif

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

/* Lets a call fail after all filters have let it pass. */
#define NOWHERE "/nonexistent"
#define REPORT "./execns_report"

/* Nothing can be tested where there are no filters: the address would be bad. */
static void __attribute__((constructor)) skip_without_filters(void)
{
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL) == -1 && errno != EFAULT)
		ksft_exit_skip("the kernel has no filters, see CONFIG_SECCOMP_FILTER\n");
}

/* What is done about a call: always, or if an argument has this value, or unless it has. */
struct rule {
	int nr;
	unsigned int action;
	unsigned int arch;		/* default: NATIVE_ARCH */
	int arg;
	unsigned long long mask;	/* bits of it to look at: 0 is always */
	unsigned long long value;
	bool unless;
};

struct filter {
	unsigned short len;
	struct sock_filter code[1024];
};

static inline void add_code(struct filter *filter, unsigned short code, unsigned int k)
{
	filter->code[filter->len++] = (struct sock_filter){ .code = code, .k = k };
}

static inline void add_load(struct filter *filter, size_t offset)
{
	add_code(filter, BPF_LD | BPF_W | BPF_ABS, offset);
}

/* A comparison, of which the targets are still to be set. */
static inline struct sock_filter *add_compare(struct filter *filter, unsigned int k)
{
	add_code(filter, BPF_JMP | BPF_JEQ | BPF_K, k);
	return &filter->code[filter->len - 1];
}

static inline void add_rule(struct filter *filter, const struct rule *rule)
{
	const size_t arg = offsetof(struct seccomp_data, args) + 8 * rule->arg;
	const bool big = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;
	struct sock_filter *compare[4], *low = NULL, *act;
	unsigned int arch = rule->arch ?: NATIVE_ARCH;
	int i, n = 0;

	if (arch) {
		add_load(filter, offsetof(struct seccomp_data, arch));
		compare[n++] = add_compare(filter, arch);
	}
	add_load(filter, offsetof(struct seccomp_data, nr));
	compare[n++] = add_compare(filter, rule->nr);
	if (rule->mask) {
		add_load(filter, arg + (big ? 4 : 0));
		add_code(filter, BPF_ALU | BPF_AND | BPF_K, rule->mask);
		low = add_compare(filter, rule->value);
		compare[n++] = low;
		add_load(filter, arg + (big ? 0 : 4));
		add_code(filter, BPF_ALU | BPF_AND | BPF_K, rule->mask >> 32);
		compare[n++] = add_compare(filter, rule->value >> 32);
	}
	add_code(filter, BPF_RET | BPF_K, rule->action);
	act = &filter->code[filter->len - 1];
	for (i = 0; i < n; i++) {
		if (rule->unless && low && compare[i] >= low)
			compare[i]->jf = act - compare[i] - 1;
		else
			compare[i]->jf = act - compare[i];
	}
	/* The last comparison has found the value. */
	if (rule->unless && low)
		compare[n - 1]->jt = 1;
}

/* Returns 0 or the listener, or -1. */
static inline int install(struct filter *filter, unsigned int otherwise, unsigned int flags)
{
	struct sock_fprog program = { .filter = filter->code };

	add_code(filter, BPF_RET | BPF_K, otherwise);
	program.len = filter->len;
	if (geteuid() && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* As install(), of rules that let pass all else. */
static inline int install_rules(const struct rule *rules, size_t n, unsigned int flags)
{
	struct filter filter = { 0 };
	size_t i;

	for (i = 0; i < n; i++)
		add_rule(&filter, &rules[i]);
	return install(&filter, SECCOMP_RET_ALLOW, flags);
}

static inline int install_rule(const struct rule *rule)
{
	return install_rules(rule, 1, 0);
}

static inline int deny(int nr, unsigned int action)
{
	return install_rule(&(struct rule){ .nr = nr, .action = action });
}

/* A setup of struct spawn. */
static inline int setup_rule(void *rule)
{
	return install_rule(rule);
}

static inline int at_flags_of(const char *path, unsigned long long unshare_flags,
			      unsigned int at_flags)
{
	char *const argv[] = { "execns_report", NULL };
	struct execns_args args = { .unshare_flags = unshare_flags, .at_flags = at_flags };

	return sys_execnsat(AT_FDCWD, path, argv, environ, &args, sizeof(args));
}

static inline int at(const char *path, unsigned long long unshare_flags)
{
	return at_flags_of(path, unshare_flags, 0);
}

static inline int ns(const char *path, int unshare_flags)
{
	char *const argv[] = { "execns_report", NULL };

	return sys_execns(unshare_flags, path, argv, environ);
}

/* No event comes of this descriptor. */
static inline bool is_silent(int listener)
{
	struct pollfd poll_fd = { .fd = listener, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 0;
}

/* Expect that the call fails like this, and that the caller is as it was. */
#define EXPECT_CALL_FAILS(error, call) do { \
	struct snapshot _before, _after; \
	take_snapshot(&_before, -1); \
	EXPECT_EQ(-1, call); \
	EXPECT_EQ(error, errno) TH_LOG("%s: %s", #call, strerror(errno)); \
	take_snapshot(&_after, -1); \
	EXPECT_INTACT(&_before, &_after); \
	EXPECT_EQ(0, try_clone_fs()); \
} while (0)

#define EXPECT_DENIED(call) EXPECT_CALL_FAILS(EPERM, call)
/* The call, of NOWHERE. */
#define EXPECT_PASSES(call) EXPECT_CALL_FAILS(ENOENT, call)

#endif
