// SPDX-License-Identifier: GPL-2.0
/*
 * Each allocation and each copy from or to user memory that execns() makes fails,
 * one by one. The caller stays what it was, and nothing is left behind. What is past
 * the point of no return kills the caller, as in execve().
 *
 * EXECNS_FAULTS=N lets about N hits of each call fail: each k-th of them, and in the
 * next call those beside. Without it, or with "all", all of them do.
 */
#include "faults_check.h"

#define BUT_NET (ALL_NS & ~CLONE_NEWNET)

/* What the tests know of each other. */
struct row {
	const char *name;
	unsigned int hits, objects;
	int last_killed;
	struct sweep sweep;
};

static struct {
	int nr_rows;
	struct row rows[64];
	/* By a caller that shares its descriptors, and by others. */
	int killed_by_execve[NR_PROGRAMS][2];
} *table;

static void __attribute__((constructor)) share_table(void)
{
	table = share_memory(sizeof(*table));
}

FIXTURE(faults) {
	struct check check;
};

FIXTURE_VARIANT(faults) {
	const char *name;
	struct faults_call call;
};

FIXTURE_SETUP(faults)
{
	const char *wrong = begin_check(&self->check, &variant->call);

	ASSERT_EQ(NULL, wrong) TH_LOG("%s: %s", wrong, strerror(errno));
}

FIXTURE_TEARDOWN(faults)
{
	EXPECT_TRUE(end_check(&self->check)) TH_LOG("something has to do with the cgroup");
}

/* Those to compare with come first. */
FIXTURE_VARIANT_ADD(faults, execve) { "execve", { .how = BY_EXECVE } };
FIXTURE_VARIANT_ADD(faults, execve_script) { "execve script",
	{ .how = BY_EXECVE, .program = SCRIPT } };
FIXTURE_VARIANT_ADD(faults, execve_script_of_script) { "execve script of script",
	{ .how = BY_EXECVE, .program = SCRIPT_OF_SCRIPT } };
FIXTURE_VARIANT_ADD(faults, execve_dynamic) { "execve dynamic",
	{ .how = BY_EXECVE, .program = DYNAMIC } };
FIXTURE_VARIANT_ADD(faults, execve_set_user_id) { "execve set-user-ID",
	{ .how = BY_EXECVE, .program = SET_USER_ID } };
FIXTURE_VARIANT_ADD(faults, execve_vfork) { "execve, vfork, FILES",
	{ .how = BY_EXECVE, .share = CLONE_VM | CLONE_FILES } };
FIXTURE_VARIANT_ADD(faults, unshare) { "unshare, all",
	{ .how = BY_UNSHARE, .flags = ALL_NS } };

FIXTURE_VARIANT_ADD(faults, nothing) { "0", { 0 } };
FIXTURE_VARIANT_ADD(faults, cgroup) { "CGROUP", { .flags = CLONE_NEWCGROUP } };
FIXTURE_VARIANT_ADD(faults, ipc) { "IPC", { .flags = CLONE_NEWIPC } };
FIXTURE_VARIANT_ADD(faults, mnt) { "NS", { .flags = CLONE_NEWNS } };
FIXTURE_VARIANT_ADD(faults, net) { "NET", { .flags = CLONE_NEWNET } };
FIXTURE_VARIANT_ADD(faults, pid) { "PID", { .flags = CLONE_NEWPID } };
FIXTURE_VARIANT_ADD(faults, time) { "TIME", { .flags = CLONE_NEWTIME } };
FIXTURE_VARIANT_ADD(faults, user) { "USER", { .flags = CLONE_NEWUSER } };
FIXTURE_VARIANT_ADD(faults, uts) { "UTS", { .flags = CLONE_NEWUTS } };
FIXTURE_VARIANT_ADD(faults, but_net) { "all but NET", { .flags = BUT_NET } };
FIXTURE_VARIANT_ADD(faults, all) { "all", { .flags = ALL_NS } };
FIXTURE_VARIANT_ADD(faults, fs) { "FS, shared",
	{ .flags = CLONE_FS, .share = CLONE_FS } };
FIXTURE_VARIANT_ADD(faults, sysvsem) { "SYSVSEM", { .flags = CLONE_SYSVSEM } };
FIXTURE_VARIANT_ADD(faults, threads) { "all but NET, threads",
	{ .flags = BUT_NET, .threads = true } };
FIXTURE_VARIANT_ADD(faults, vfork) { "all but NET, vfork, FILES",
	{ .flags = BUT_NET, .share = CLONE_VM | CLONE_FILES } };
FIXTURE_VARIANT_ADD(faults, script) { "NS, script",
	{ .flags = CLONE_NEWNS, .program = SCRIPT } };
FIXTURE_VARIANT_ADD(faults, script_of_script) { "USER, script of script",
	{ .flags = CLONE_NEWUSER, .program = SCRIPT_OF_SCRIPT } };
FIXTURE_VARIANT_ADD(faults, dynamic) { "NS, dynamic",
	{ .flags = CLONE_NEWNS, .program = DYNAMIC } };
FIXTURE_VARIANT_ADD(faults, set_user_id) { "NS, set-user-ID",
	{ .flags = CLONE_NEWNS, .program = SET_USER_ID } };
FIXTURE_VARIANT_ADD(faults, user_by_user) { "all but NET, by a user",
	{ .flags = BUT_NET, .uid = 1000, .setup = become_user } };
FIXTURE_VARIANT_ADD(faults, filtered) { "all but NET, seccomp",
	{ .flags = BUT_NET, .setup = filtered } };
FIXTURE_VARIANT_ADD(faults, fds) { "descriptors",
	{ .how = BY_EXECNSAT, .prepare = with_fds } };
FIXTURE_VARIANT_ADD(faults, fds_of_vfork) { "descriptors, vfork, FILES",
	{ .how = BY_EXECNSAT, .prepare = with_fds, .share = CLONE_VM | CLONE_FILES } };
FIXTURE_VARIANT_ADD(faults, a_map) { "maps of 1",
	{ .how = BY_EXECNSAT, .flags = CLONE_NEWUSER, .prepare = with_a_map } };
FIXTURE_VARIANT_ADD(faults, long_maps) { "maps of 340",
	{ .how = BY_EXECNSAT, .flags = CLONE_NEWUSER, .prepare = with_long_maps } };
FIXTURE_VARIANT_ADD(faults, ids) { "ids, no groups",
	{ .how = BY_EXECNSAT, .flags = CLONE_NEWUSER, .prepare = with_ids } };
FIXTURE_VARIANT_ADD(faults, offsets) { "clock offsets",
	{ .how = BY_EXECNSAT, .flags = CLONE_NEWTIME, .prepare = with_offsets } };
FIXTURE_VARIANT_ADD(faults, root) { "root",
	{ .how = BY_EXECNSAT, .flags = CLONE_NEWNS, .prepare = with_root } };
FIXTURE_VARIANT_ADD(faults, memfd) { "memfd",
	{ .how = BY_EXECNSAT, .prepare = of_memfd } };
FIXTURE_VARIANT_ADD(faults, empty_mntns) { "empty NS, memfd",
	{ .how = BY_EXECNSAT, .prepare = in_empty_mntns } };
FIXTURE_VARIANT_ADD(faults, everything) { "all arguments",
	{ .how = BY_EXECNSAT, .flags = BUT_NET, .prepare = with_all } };
FIXTURE_VARIANT_ADD(faults, check) { "all arguments, only checked",
	{ .how = BY_EXECNSAT, .flags = BUT_NET, .prepare = only_check } };

/* How many hits of a call fail at most, or 0. */
static unsigned int limit_of_faults(void)
{
	const char *limit = getenv("EXECNS_FAULTS");

	return limit ? atoi(limit) : 0;
}

/*
 * Nothing that execns() adds kills the caller, so that it is not more than in execve().
 * What is there by chance, as a cache that grows in between, is not there each time.
 */
static void compare_killed(struct __test_metadata *_metadata, struct check *check, struct row *row)
{
	const struct faults_call *call = check->sweep->call;
	int *by_execve = &table->killed_by_execve[call->program][!(call->share & CLONE_FILES)];
	int tries;

	for (tries = 0; tries < 4; tries++) {
		row->last_killed = count_killed(check);
		EXPECT_LE(0, row->last_killed) TH_LOG("%s", check->sweep->broken);
		/* The most of execve(), and the least of the others. */
		if (call->how == BY_EXECVE && *by_execve < row->last_killed)
			*by_execve = row->last_killed;
		if (call->how != BY_EXECVE && *by_execve >= row->last_killed)
			break;
	}
	EXPECT_GE(*by_execve, row->last_killed) TH_LOG("killed by more hits than in execve()");
}

TEST_F_TIMEOUT(faults, sweep, 3600)
{
	unsigned int step = 1, index = table->nr_rows++, limit = limit_of_faults();
	struct row *row = &table->rows[index];
	const char *wrong;

	row->name = variant->name;
	row->last_killed = -1;
	row->hits = self->check.hits;
	row->objects = self->check.objects;
	/* It takes a while: with a limit, do it for some calls. */
	if (!limit || variant->call.how == BY_EXECVE || index % 3 == 1)
		compare_killed(_metadata, &self->check, row);
	if (limit && row->hits > limit)
		step = (row->hits + limit - 1) / limit;
	wrong = run_check(&self->check, 1 + index % step, step);
	EXPECT_EQ(NULL, wrong) TH_LOG("%s", wrong);
	row->sweep = *self->check.sweep;
}

/* The last one: what all of them have found. */
FIXTURE(table) {
};

FIXTURE_SETUP(table)
{
}

FIXTURE_TEARDOWN(table)
{
}

/* As "ENOMEM 400, EFAULT 8". */
static const char *errors_of(const struct sweep *sweep)
{
	static char text[200];
	size_t i, len = 0;

	text[0] = '\0';
	for (i = 0; i < ARRAY_SIZE(sweep->errors) && sweep->errors[i].error; i++)
		len += snprintf(text + len, sizeof(text) - len, "%s%s %u", i ? ", " : "",
				strerrorname_np(sweep->errors[i].error), sweep->errors[i].count);
	return text;
}

TEST_F(table, table)
{
	unsigned int injected = 0;
	int i;

	if (!table->nr_rows)
		SKIP(return, "no call has been swept");
	printf("# %-28s hits = other pages; faults = failed killed tolerated; killed, other\n",
	       "");
	for (i = 0; i < table->nr_rows; i++) {
		const struct row *row = &table->rows[i];
		const struct sweep *sweep = &row->sweep;

		printf("# %-28s %4u %7u %5u %7u %8u %6u %9u %14d  %s\n", row->name, row->hits,
		       row->objects, row->hits - row->objects, sweep->injected, sweep->failed,
		       sweep->killed, sweep->tolerated, row->last_killed, errors_of(sweep));
		injected += sweep->injected;
	}
	printf("# %u faults in all\n", injected);
	fflush(stdout);
	EXPECT_NE(0U, injected);
}

TEST_HARNESS_MAIN
