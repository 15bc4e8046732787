// SPDX-License-Identifier: GPL-2.0
/*
 * Who is given what by exec: callers of many kinds execute programs of many kinds, by
 * execns(), by execnsat(), and by unshare() and execve(). There is no difference.
 */
#include "caps_programs.h"

#include <sys/fsuid.h>

static const char *const keys[] = {
	"ids", "auxv", "secure", "dumpable", "securebits", "keepcaps", "Uid", "Gid", "Groups",
	"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs",
};

static int no_new_privs(void *unused)
{
	(void)unused;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static int securebits(unsigned long bits)
{
	return prctl(PR_SET_SECUREBITS, bits);
}

static int noroot(void *unused)
{
	(void)unused;
	return securebits(SECBIT_NOROOT);
}

static int all_locked(void *unused)
{
	(void)unused;
	return securebits(SECURE_ALL_BITS | SECURE_ALL_LOCKS);
}

/* A user with all capabilities: ids that change do not take them. */
static int no_setuid_fixup(void *unused)
{
	return securebits(SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED) ||
	       become_user(unused);
}

/* Permitted ones, of which none is effective. Exec clears the bit, locked or not. */
static int keep_caps(void *unused)
{
	return securebits(SECBIT_KEEP_CAPS) || become_user(unused);
}

static int keep_caps_locked(void *unused)
{
	return securebits(SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED) || become_user(unused);
}

static int raise_ambient(int cap)
{
	return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
}

static int no_ambient_raise(void *unused)
{
	return prctl(PR_SET_KEEPCAPS, 1) || become_user(unused) ||
	       set_caps(ALL_CAPS, NET_RAW | NET_ADMIN) || raise_ambient(CAP_NET_RAW) ||
	       securebits(SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED) ||
	       set_caps(NET_RAW, NET_RAW) || prctl(PR_SET_DUMPABLE, 1);
}

static int ambient_no_new_privs(void *unused)
{
	return prctl(PR_SET_KEEPCAPS, 1) || become_user(unused) ||
	       set_caps(ALL_CAPS, NET_RAW | NET_ADMIN) || raise_ambient(CAP_NET_RAW) ||
	       raise_ambient(CAP_NET_ADMIN) || set_caps(NET_RAW | NET_ADMIN, NET_RAW) ||
	       no_new_privs(unused) || prctl(PR_SET_DUMPABLE, 1);
}

static int inheritable(void *unused)
{
	return prctl(PR_SET_KEEPCAPS, 1) || become_user(unused) || set_caps(0, NET_RAW) ||
	       prctl(PR_SET_DUMPABLE, 1);
}

/* File capabilities that can not be given are an error, if they are to be effective. */
static int bounded(void *unused)
{
	return prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN) || become_user(unused);
}

static int user_no_new_privs(void *unused)
{
	return become_user(unused) || no_new_privs(unused);
}

static int effective_root(void *unused)
{
	(void)unused;
	return setresuid(1000, 0, 0) || prctl(PR_SET_DUMPABLE, 1);
}

static int real_root(void *unused)
{
	(void)unused;
	return setresuid(0, 1000, 0) || prctl(PR_SET_DUMPABLE, 1);
}

/* The group of a set-group-ID program is one of its own already. */
static int in_group(void *unused)
{
	static const gid_t group = 2000;

	(void)unused;
	return setgroups(1, &group) || setresgid(1000, 1000, 1000) ||
	       setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1);
}

static int other_fsuid(void *unused)
{
	(void)unused;
	setfsuid(2000);
	return prctl(PR_SET_DUMPABLE, 1);
}

/* Its root, working directory and umask are another's as well. */
static int shared_fs(void *unused)
{
	return start_idler(CLONE_FS) || become_user(unused);
}

/* In a user namespace, with programs on mounts of this and on those of its parent. */
static int nested_root(void *unused)
{
	static const char map[] = "0 100000 200000";

	(void)unused;
	return enter_userns(CLONE_NEWNS, NULL, map, map) || setgroups(0, NULL) ||
	       setresgid(0, 0, 0) || setresuid(0, 0, 0) || prctl(PR_SET_DUMPABLE, 1);
}

static int nested_user(void *unused)
{
	return nested_root(unused) || become_user(unused);
}

/* What is about to be executed. */
static const struct program *executed;

static int nested_root_own_mounts(void *unused)
{
	return nested_root(unused) || make_program_alone(executed);
}

static int nested_user_own_mounts(void *unused)
{
	return nested_root_own_mounts(unused) || become_user(unused);
}

FIXTURE(caps)
{
	int *failed;
};

FIXTURE_VARIANT(caps)
{
	int (*caller)(void *unused);
	bool all;		/* programs, also rare ones */
};

FIXTURE_VARIANT_ADD(caps, as_root) { as_root, true };
FIXTURE_VARIANT_ADD(caps, no_new_privs) { no_new_privs };
FIXTURE_VARIANT_ADD(caps, noroot) { noroot };
FIXTURE_VARIANT_ADD(caps, all_locked) { all_locked };
FIXTURE_VARIANT_ADD(caps, no_setuid_fixup) { no_setuid_fixup };
FIXTURE_VARIANT_ADD(caps, keep_caps) { keep_caps };
FIXTURE_VARIANT_ADD(caps, keep_caps_locked) { keep_caps_locked };
FIXTURE_VARIANT_ADD(caps, no_ambient_raise) { no_ambient_raise };
FIXTURE_VARIANT_ADD(caps, ambient_no_new_privs) { ambient_no_new_privs };
FIXTURE_VARIANT_ADD(caps, inheritable) { inheritable };
FIXTURE_VARIANT_ADD(caps, bounded) { bounded };
FIXTURE_VARIANT_ADD(caps, become_user) { become_user, true };
FIXTURE_VARIANT_ADD(caps, user_no_new_privs) { user_no_new_privs };
FIXTURE_VARIANT_ADD(caps, effective_root) { effective_root };
FIXTURE_VARIANT_ADD(caps, real_root) { real_root };
FIXTURE_VARIANT_ADD(caps, in_group) { in_group };
FIXTURE_VARIANT_ADD(caps, other_fsuid) { other_fsuid };
FIXTURE_VARIANT_ADD(caps, shared_fs) { shared_fs };
FIXTURE_VARIANT_ADD(caps, nested_root) { nested_root, true };
FIXTURE_VARIANT_ADD(caps, nested_user) { nested_user, true };
FIXTURE_VARIANT_ADD(caps, nested_root_own_mounts) { nested_root_own_mounts, true };
FIXTURE_VARIANT_ADD(caps, nested_user_own_mounts) { nested_user_own_mounts, true };

FIXTURE_SETUP(caps)
{
	self->failed = mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->failed);
	ASSERT_EQ(0, make_programs());
}

FIXTURE_TEARDOWN(caps)
{
}

/* A caller, and what it leaves by unshare(). */
struct mover {
	int (*caller)(void *unused);
	int flags;
	int *failed;
};

/* All that the user namespace has, mapped to itself. */
static void all_ids(const char *path, char *text, size_t size)
{
	unsigned int inside, outside, count;
	char map[8192], *line, *save;
	size_t len = 0;

	text[0] = '\0';
	read_file(path, map, sizeof(map));
	for (line = strtok_r(map, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (sscanf(line, "%u %u %u", &inside, &outside, &count) == 3)
			len += snprintf(text + len, size - len, "%u %u %u\n", inside, inside,
					count);
}

static bool may_map_all(void)
{
	const unsigned long long needed = CAP(SETUID) | CAP(SETGID) | CAP(SETFCAP);
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];

	return !syscall(SYS_capget, &head, data) && (data[0].effective & needed) == needed;
}

/* What execns() does, by unshare() and the files of /proc. */
static int move(void *data)
{
	char uids[1024], gids[1024];
	struct mover *mover = data;
	uid_t fsuid;
	bool all;

	if (mover->caller(NULL))
		return -1;
	if (!(mover->flags & CLONE_NEWUSER)) {
		*mover->failed = mover->flags && unshare(mover->flags) ? errno : 0;
		return *mover->failed;
	}
	all = may_map_all();
	all_ids("/proc/self/uid_map", uids, sizeof(uids));
	all_ids("/proc/self/gid_map", gids, sizeof(gids));
	if (!all) {
		snprintf(uids, sizeof(uids), "%u %u 1", geteuid(), geteuid());
		snprintf(gids, sizeof(gids), "%u %u 1", getegid(), getegid());
	}
	/* Who writes the maps opens files. */
	fsuid = setfsuid(geteuid());
	*mover->failed = enter_userns(mover->flags & ~CLONE_NEWUSER, all ? NULL : "deny", uids,
				      gids);
	setfsuid(fsuid);
	return *mover->failed;
}

/* What differs between two reports, or NULL. */
static const char *difference(const struct report *a, const struct report *b)
{
	size_t i;

	if (a->exit != b->exit || a->error != b->error)
		return "outcome";
	for (i = 0; i < ARRAY_SIZE(keys) && !a->exit; i++)
		if (strcmp(report_get(a, keys[i]), report_get(b, keys[i])))
			return keys[i];
	return NULL;
}

static void explain(struct __test_metadata *_metadata, const struct program *program,
		    const struct spawn *spawn, const struct report *theirs,
		    const struct report *ours)
{
	const char *key = difference(theirs, ours);

	EXPECT_EQ(NULL, key) {
		TH_LOG("%s by %s, flags %#x: %s differs: exit %d and %d, %s and %s, %s and %s",
		       program->name, spawn->how == BY_EXECNS ? "execns" : "execnsat",
		       spawn->flags, key, theirs->exit, ours->exit, strerror(theirs->error),
		       strerror(ours->error), report_get(theirs, key), report_get(ours, key));
	}
}

TEST_F_TIMEOUT(caps, as_by_unshare_and_execve, 300)
{
	static const int flags[] = { 0, CLONE_NEWNS, CLONE_NEWUSER | CLONE_NEWNS };
	static struct report theirs, ours;
	int nr_executed = 0;
	size_t i, j;

	for (i = 0; i < NR_PROGRAMS; i++) {
		if (programs[i].rare && !variant->all)
			continue;
		for (j = 0; j < ARRAY_SIZE(flags); j++) {
			struct mover mover = { variant->caller, flags[j], self->failed };
			struct execns_args args = { .unshare_flags = flags[j] };
			struct spawn by_unshare = {
				.how = BY_EXECVE, .path = program_path(&programs[i]),
				.setup = move, .data = &mover,
			};
			struct spawn spawn = {
				.flags = flags[j], .path = by_unshare.path, .args = &args,
				.setup = variant->caller,
				/* They are the same but for their arguments. */
				.how = (i + j) % 2 ? BY_EXECNS : BY_EXECNSAT,
			};

			*self->failed = 0;
			executed = &programs[i];
			spawn_report(&by_unshare, &theirs);
			if (*self->failed) {
				theirs.exit = EXEC_FAILED;
				theirs.error = *self->failed;
			}
			ASSERT_NE(98, theirs.exit) TH_LOG("the caller could not be made");
			nr_executed += !theirs.exit;
			spawn_report(&spawn, &ours);
			explain(_metadata, &programs[i], &spawn, &theirs, &ours);
		}
	}
	/* Where most fails, little is compared. */
	EXPECT_LE(5, nr_executed);
}

/* The programs are what their names say, or there is nothing to compare. */
TEST(programs_give_what_they_should)
{
	static struct report report;
	size_t i;

	ASSERT_EQ(0, make_programs());
	for (i = 0; i < NR_PROGRAMS; i++) {
		struct spawn spawn = {
			.how = BY_EXECVE, .path = program_path(&programs[i]), .setup = become_user,
		};

		spawn_report(&spawn, &report);
		EXPECT_EQ(0, report.exit) TH_LOG("%s", programs[i].name);
		EXPECT_STREQ(programs[i].ids, report_get(&report, "ids"))
			TH_LOG("%s", programs[i].name);
		EXPECT_STREQ(programs[i].caps, report_get(&report, "CapPrm"))
			TH_LOG("%s", programs[i].name);
	}
}

TEST_HARNESS_MAIN
