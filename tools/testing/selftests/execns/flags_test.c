// SPDX-License-Identifier: GPL-2.0
/* What each flag does, alone and with the others. */
#include "execns_test.h"

FIXTURE(flag)
{
	struct report report;
};

FIXTURE_VARIANT(flag)
{
	int flags;
};

FIXTURE_VARIANT_ADD(flag, none) { .flags = 0 };
FIXTURE_VARIANT_ADD(flag, cgroup) { .flags = CLONE_NEWCGROUP };
FIXTURE_VARIANT_ADD(flag, ipc) { .flags = CLONE_NEWIPC };
FIXTURE_VARIANT_ADD(flag, mnt) { .flags = CLONE_NEWNS };
FIXTURE_VARIANT_ADD(flag, net) { .flags = CLONE_NEWNET };
FIXTURE_VARIANT_ADD(flag, pid) { .flags = CLONE_NEWPID };
FIXTURE_VARIANT_ADD(flag, time) { .flags = CLONE_NEWTIME };
FIXTURE_VARIANT_ADD(flag, user) { .flags = CLONE_NEWUSER };
FIXTURE_VARIANT_ADD(flag, uts) { .flags = CLONE_NEWUTS };
FIXTURE_VARIANT_ADD(flag, fs) { .flags = CLONE_FS };
FIXTURE_VARIANT_ADD(flag, files) { .flags = CLONE_FILES };
FIXTURE_VARIANT_ADD(flag, sysvsem) { .flags = CLONE_SYSVSEM };
FIXTURE_VARIANT_ADD(flag, vm) { .flags = CLONE_VM };
FIXTURE_VARIANT_ADD(flag, sighand) { .flags = CLONE_SIGHAND };
FIXTURE_VARIANT_ADD(flag, thread) { .flags = CLONE_THREAD };
FIXTURE_VARIANT_ADD(flag, uts_ipc) { .flags = CLONE_NEWUTS | CLONE_NEWIPC };
FIXTURE_VARIANT_ADD(flag, user_mnt) { .flags = CLONE_NEWUSER | CLONE_NEWNS };
FIXTURE_VARIANT_ADD(flag, all_namespaces) { .flags = ALL_NS };
FIXTURE_VARIANT_ADD(flag, all) {
	.flags = ALL_NS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_VM |
		 CLONE_SIGHAND | CLONE_THREAD,
};

FIXTURE_SETUP(flag)
{
	report_by(BY_EXECNS, variant->flags, &self->report);
	ASSERT_EQ(0, self->report.exit)
		TH_LOG("exec: %s", strerror(self->report.error));
}

FIXTURE_TEARDOWN(flag)
{
}

TEST_F(flag, namespaces_are_new_if_flagged)
{
	size_t i;

	for (i = 0; i < NR_NAMESPACES; i++) {
		ino_t mine = ns_inode("self", namespaces[i].name);
		ino_t theirs = report_ns(&self->report, namespaces[i].name);

		ASSERT_NE(0, theirs);
		EXPECT_EQ(!!(variant->flags & namespaces[i].flag), mine != theirs)
			TH_LOG("%s", namespaces[i].name);
	}
}

TEST_F(flag, pid_namespace_is_for_children)
{
	ino_t child = strtoul(report_get(&self->report, "child/pid"), NULL, 10);

	EXPECT_EQ(!!(variant->flags & CLONE_NEWPID), ns_inode("self", "pid") != child);
}

TEST_F(flag, no_descriptor_is_left)
{
	EXPECT_STREQ("", report_get(&self->report, "fds"));
}

TEST_F(flag, ids_do_not_change)
{
	EXPECT_STREQ("0 0 0 0", report_get(&self->report, "ids"));
}

/* The program is what it was started as: no more, and no less. */
TEST_F(flag, same_as_unshare_and_execve)
{
	static const char *const keys[] = {
		"ids", "secure", "dumpable", "securebits", "keepcaps", "comm", "cwd",
		"status/Umask", "status/CapInh", "status/CapPrm", "status/CapEff",
		"status/CapBnd", "status/CapAmb", "status/NoNewPrivs", "status/Groups",
		"status/Threads", "uid_map", "gid_map", "setgroups", "nice",
	};
	struct report other;
	size_t i;

	report_by(BY_UNSHARE, variant->flags, &other);
	ASSERT_EQ(0, other.exit) TH_LOG("exec: %s", strerror(other.error));
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		EXPECT_STREQ(report_get(&other, keys[i]), report_get(&self->report, keys[i]))
			TH_LOG("%s", keys[i]);
}

TEST(unknown_flags_are_einval)
{
	const unsigned int known = ALL_NS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM |
				   CLONE_VM | CLONE_SIGHAND | CLONE_THREAD;
	char *const argv[] = { "true", NULL };
	int bit;

	for (bit = 0; bit < 32; bit++) {
		unsigned int flag = 1u << bit;

		if (flag & known)
			continue;
		EXPECT_EQ(-1, sys_execns(flag, "./execns_report", argv, environ));
		EXPECT_EQ(EINVAL, errno) TH_LOG("bit %d", bit);
		EXPECT_EQ(-1, sys_execns(flag | ALL_NS, "./execns_report", argv, environ));
		EXPECT_EQ(EINVAL, errno) TH_LOG("bit %d with all", bit);
	}
	EXPECT_EQ(-1, sys_execns(-1, "./execns_report", argv, environ));
	EXPECT_EQ(EINVAL, errno);
}

static int shift_time(void *unused)
{
	(void)unused;
	return unshare(CLONE_NEWTIME) ||
	       write_file("/proc/self/timens_offsets", "boottime 100000 0\n");
}

/* A time namespace that is pending is entered, as by execve(). */
TEST(pending_time_namespace_is_entered)
{
	struct spawn spawn = { .how = BY_EXECNS, .flags = 0, .setup = shift_time };
	struct report report;

	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit);
	EXPECT_NE(ns_inode("self", "time"), report_ns(&report, "time"));
	EXPECT_LT(100000, atol(report_get(&report, "boottime")));
}

/* With a new one on top, its offsets are inherited. */
TEST(new_time_namespace_inherits_pending_offsets)
{
	struct spawn spawn = { .how = BY_EXECNS, .flags = CLONE_NEWTIME, .setup = shift_time };
	struct report report;

	spawn_report(&spawn, &report);
	ASSERT_EQ(0, report.exit);
	EXPECT_EQ(report_ns(&report, "time"), report_ns(&report, "time_for_children"));
	EXPECT_LT(100000, atol(report_get(&report, "boottime")));
}

static int pending_pid(void *unused)
{
	(void)unused;
	return unshare(CLONE_NEWPID);
}

TEST(second_pid_namespace_is_einval)
{
	struct spawn spawn = { .how = BY_EXECNS, .flags = CLONE_NEWPID, .setup = pending_pid };
	struct report report;

	spawn_report(&spawn, &report);
	EXPECT_EQ(EXEC_FAILED, report.exit);
	EXPECT_EQ(EINVAL, report.error);
	spawn.flags = CLONE_NEWUTS;
	spawn_report(&spawn, &report);
	EXPECT_EQ(0, report.exit);
}

/* What is owed to a semaphore is paid when the program leaves its namespace. */
TEST(undo_list_goes_with_ipc_or_sysvsem)
{
	static const struct {
		int flags, value;
	} rows[] = {
		{ 0, 1 }, { CLONE_NEWUTS, 1 }, { CLONE_NEWIPC, 0 }, { CLONE_SYSVSEM, 0 },
	};
	char *const argv[] = { "/bin/sleep", "100", NULL };
	size_t i;

	if (access(argv[0], X_OK))
		SKIP(return, "no /bin/sleep");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int fds[2], semid = semget(IPC_PRIVATE, 1, 0600);
		struct sembuf op = { .sem_op = 1, .sem_flg = SEM_UNDO };
		pid_t child;
		char byte;

		ASSERT_LE(0, semid);
		ASSERT_EQ(0, pipe(fds));
		child = fork();
		if (!child) {
			close(fds[0]);
			semop(semid, &op, 1);
			sys_execns(rows[i].flags, argv[0], argv, environ);
			_exit(EXEC_FAILED);
		}
		close(fds[1]);
		/* The program has been started once its end of the pipe is closed. */
		ASSERT_EQ(0, read(fds[0], &byte, 1));
		close(fds[0]);
		/* A descriptor is closed last but one: wait for the program. */
		wait_for_program(child, "bin");
		EXPECT_EQ(rows[i].value, semctl(semid, 0, GETVAL))
			TH_LOG("flags %#x", rows[i].flags);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		EXPECT_EQ(0, semctl(semid, 0, GETVAL));
		semctl(semid, 0, IPC_RMID);
	}
}

/* A segment that was made by the caller, and attached, stays behind. */
TEST(segments_stay_in_the_old_ipc_namespace)
{
	char *const argv[] = { "/bin/sleep", "100", NULL };
	int fds[2], shmid = shmget(IPC_PRIVATE, 4096, 0600);
	struct shmid_ds info;
	pid_t child;
	char byte;

	if (access(argv[0], X_OK))
		SKIP(return, "no /bin/sleep");
	ASSERT_LE(0, shmid);
	ASSERT_NE((void *)-1, shmat(shmid, NULL, 0));
	ASSERT_EQ(0, pipe(fds));
	child = fork();
	if (!child) {
		close(fds[0]);
		sys_execns(CLONE_NEWIPC, argv[0], argv, environ);
		_exit(EXEC_FAILED);
	}
	close(fds[1]);
	ASSERT_EQ(0, read(fds[0], &byte, 1));
	close(fds[0]);
	wait_for_program(child, "bin");
	ASSERT_EQ(0, shmctl(shmid, IPC_STAT, &info));
	/* The program runs, and ours is the only attachment. */
	EXPECT_EQ(1, info.shm_nattch);
	EXPECT_EQ(0, kill(child, SIGKILL));
	EXPECT_EQ(child, waitpid(child, NULL, 0));
	shmctl(shmid, IPC_RMID, NULL);
}

TEST_HARNESS_MAIN
