// SPDX-License-Identifier: GPL-2.0
/*
 * What faults_test looks at is noticed if it changes: a caller that has seen its
 * call fail changes something, or leaves something behind, as the kernel must not.
 */
#include "faults_check.h"

#define MOUNT_POINT "/tmp/faults.mount"

static void open_one(void)
{
	open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void close_one(void)
{
	close(11);
}

static void set_cloexec(void)
{
	fcntl(12, F_SETFD, FD_CLOEXEC);
}

static void move_offset(void)
{
	lseek(10, 1, SEEK_CUR);
}

static void set_umask(void)
{
	umask(0);
}

static void change_directory(void)
{
	if (chdir("/tmp"))
		perror("chdir");
}

static void enter_namespace(void)
{
	unshare(CLONE_NEWUTS);
}

static void change_ids(void)
{
	if (setresgid(-1, -1, 5))
		perror("setresgid");
}

static void set_not_dumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
}

static void set_a_limit(void)
{
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 5, 5 });
}

static void set_no_handler(void)
{
	signal(SIGUSR1, SIG_IGN);
}

static void undo(void)
{
	semctl(things.semid, 0, SETVAL, 0);
}

static void attach(void)
{
	shmat(things.shmid, NULL, 0);
}

static void end_thread(void)
{
	things.patience = 1;
	things.end = true;
	sem_post(&things.ask[0]);
	usleep(100000);
}

/* A process in a new namespace, whose parent is that of the caller. */
static void leave_process(void)
{
	struct clone_args args = { .flags = CLONE_PARENT | CLONE_NEWUTS };
	pid_t child = syscall(__NR_clone3, &args, sizeof(args));

	while (!child)
		pause();
}

static void leave_mount(void)
{
	mount("faults", MOUNT_POINT, "tmpfs", 0, NULL);
}

FIXTURE(noticed) {
	struct check check;
	struct faults_call call;
};

FIXTURE_VARIANT(noticed) {
	void (*spoil)(void);
	const char *expected, *also[5];
	bool threads;
};

FIXTURE_SETUP(noticed)
{
	const char *wrong;

	mkdir(MOUNT_POINT, 0755);
	self->call.flags = CLONE_NEWUTS;
	self->call.threads = variant->threads;
	wrong = begin_check(&self->check, &self->call);
	ASSERT_EQ(NULL, wrong) TH_LOG("%s: %s", wrong, strerror(errno));
	self->check.sweep->spoil = variant->spoil;
	self->check.tries = 5;
}

FIXTURE_TEARDOWN(noticed)
{
	umount2(MOUNT_POINT, MNT_DETACH);
	umount2(MOUNT_POINT, MNT_DETACH);
	write_file(CGROUP_ROOT "cgroup.procs", "0");
	write_file(CGROUP "cgroup.kill", "1");
	while (wait(NULL) > 0)
		;
	EXPECT_TRUE(end_check(&self->check));
}

FIXTURE_VARIANT_ADD(noticed, opened) { .spoil = open_one, .expected = "descriptors" };

FIXTURE_VARIANT_ADD(noticed, closed) { .spoil = close_one, .expected = "descriptors" };

FIXTURE_VARIANT_ADD(noticed, cloexec) { .spoil = set_cloexec, .expected = "descriptors" };

FIXTURE_VARIANT_ADD(noticed, offset) { .spoil = move_offset, .expected = "descriptors" };

FIXTURE_VARIANT_ADD(noticed, umask) { .spoil = set_umask, .expected = "status" };

FIXTURE_VARIANT_ADD(noticed, cwd) { .spoil = change_directory, .expected = "cwd" };

FIXTURE_VARIANT_ADD(noticed, namespace) { .spoil = enter_namespace, .expected = "namespaces" };

FIXTURE_VARIANT_ADD(noticed, ids) { .spoil = change_ids, .expected = "status" };

FIXTURE_VARIANT_ADD(noticed, dumpable) { .spoil = set_not_dumpable, .expected = "dumpable" };

FIXTURE_VARIANT_ADD(noticed, limit) { .spoil = set_a_limit, .expected = "limits" };

FIXTURE_VARIANT_ADD(noticed, handler) { .spoil = set_no_handler, .expected = "status" };

FIXTURE_VARIANT_ADD(noticed, undo) { .spoil = undo, .expected = "undo" };

FIXTURE_VARIANT_ADD(noticed, attached) { .spoil = attach, .expected = "attached" };

FIXTURE_VARIANT_ADD(noticed, thread) {
	.spoil = end_thread, .expected = "status", .threads = true
};

FIXTURE_VARIANT_ADD(noticed, left_process) {
	.spoil = leave_process, .expected = "Left, each time: 1 namespaces 1 tasks",
	.also = { "1 cred", "1 nsproxy", "1 uts_namespace", "Charged: uts" }
};

FIXTURE_VARIANT_ADD(noticed, left_mount) { .spoil = leave_mount, .expected = "mounts" };

/* A few faults: some of them are tolerated. */
TEST_F_TIMEOUT(noticed, noticed, 600)
{
	const char *wrong = run_check(&self->check, 3, 9);
	size_t i;

	ASSERT_NE(NULL, wrong);
	EXPECT_NE(NULL, strstr(wrong, variant->expected)) TH_LOG("%s", wrong);
	for (i = 0; i < ARRAY_SIZE(variant->also) && variant->also[i]; i++)
		EXPECT_NE(NULL, strstr(wrong, variant->also[i]))
			TH_LOG("no %s: %s", variant->also[i], wrong);
}

TEST_HARNESS_MAIN
