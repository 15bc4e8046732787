// SPDX-License-Identifier: GPL-2.0
/* What a descriptor that is kept still is, and what becomes of the others. */
#include "execnsat_test.h"

#include <linux/io_uring.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>

#define LOCK_PATH "/tmp/execnsat.lock"

/* The process that has a lock on the first byte, as another one is told: 0 if none. */
static int lock_owner(int cmd)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int status, fd, pipes[2], owner = -1;
	pid_t child;

	if (pipe2(pipes, O_CLOEXEC))
		return -1;
	/* This process may be the owner itself. */
	child = fork();
	if (!child) {
		fd = open(LOCK_PATH, O_RDWR | O_CLOEXEC);
		if (!fcntl(fd, cmd, &lock))
			owner = lock.l_type == F_UNLCK ? 0 : lock.l_pid ?: -1;
		_exit(write(pipes[1], &owner, sizeof(owner)) != sizeof(owner));
	}
	close(pipes[1]);
	if (read(pipes[0], &owner, sizeof(owner)) != sizeof(owner))
		owner = -2;
	close(pipes[0]);
	waitpid(child, &status, 0);
	return owner;
}

static int flock_is_held(void)
{
	int fd = open(LOCK_PATH, O_RDWR | O_CLOEXEC);
	int held = flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK;

	close(fd);
	return held;
}

enum { RECORD = F_SETLK, OPEN_FILE = F_OFD_SETLK, WHOLE = -1 };

static bool is_locked(int type)
{
	if (type == WHOLE)
		return flock_is_held();
	return lock_owner(type == RECORD ? F_GETLK : F_OFD_GETLK);
}

/* Take the lock at descriptor 20, in the child. 21 is of the same file. */
static int take_lock(void *data)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1 };
	int type = *(int *)data, fd = open(LOCK_PATH, O_RDWR | O_CLOEXEC);

	if (dup3(fd, 20, O_CLOEXEC) < 0 || close(fd))
		return -1;
	fd = open(LOCK_PATH, O_RDWR | O_CLOEXEC);
	if (dup3(fd, 21, O_CLOEXEC) < 0 || close(fd))
		return -1;
	return type == WHOLE ? flock(20, LOCK_EX | LOCK_NB) : fcntl(20, type, &lock);
}

FIXTURE(lock)
{
	struct agent_run run;
	int type;
};

FIXTURE_VARIANT(lock)
{
	int share;
	unsigned int to;
	int (*call)(void *run);
};

static void *pause_thread(void *unused)
{
	pause();
	return unused;
}

static void *call_thread(void *run)
{
	call_agent(run);
	return NULL;
}

/* By another thread than the first, while there are some more. */
static int call_by_thread(void *run)
{
	pthread_t thread;
	int i;

	for (i = 0; i < 3; i++)
		if (pthread_create(&thread, NULL, pause_thread, NULL))
			return 98;
	if (pthread_create(&thread, NULL, call_thread, run))
		return 98;
	for (;;)
		pause();
}

FIXTURE_VARIANT_ADD(lock, private) { 0, 20 };
FIXTURE_VARIANT_ADD(lock, private_renumbered) { 0, 5 };
FIXTURE_VARIANT_ADD(lock, private_in_place_of_the_other) { 0, 21 };
FIXTURE_VARIANT_ADD(lock, private_thread) { 0, 20, call_by_thread };
FIXTURE_VARIANT_ADD(lock, private_thread_renumbered) { 0, 5, call_by_thread };
FIXTURE_VARIANT_ADD(lock, shared) { CLONE_FILES, 20 };
FIXTURE_VARIANT_ADD(lock, shared_renumbered) { CLONE_FILES, 5 };
FIXTURE_VARIANT_ADD(lock, shared_vfork) { CLONE_FILES | CLONE_VM, 20 };

FIXTURE_SETUP(lock)
{
	int fd = open(LOCK_PATH, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	ASSERT_LE(0, fd);
	close(fd);
	self->run.share = variant->share;
	self->run.call = variant->call;
	self->run.setup = take_lock;
	self->run.data = &self->type;
}

FIXTURE_TEARDOWN(lock)
{
	unlink(LOCK_PATH);
}

/* Of all descriptors of the file, each is kept: none is closed. */
TEST_F(lock, record_lock)
{
	const struct execns_fd fds[] = { { 20, variant->to }, { 21, 30 } };
	static char fd[16], *command[3] = { "locked", fd, NULL };

	snprintf(fd, sizeof(fd), "%u", variant->to);
	self->type = RECORD;
	self->run.command = command;
	self->run.fds = fds;
	self->run.nr_fds = ARRAY_SIZE(fds);
	if (!variant->share) {
		/* To itself, it is not locked. */
		ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
		EXPECT_EQ(self->run.pid, lock_owner(F_GETLK));
		EXPECT_EQ(0, finish_agent(&self->run));
		EXPECT_EQ(0, lock_owner(F_GETLK));
		return;
	}
	/* It is the table's, and the table is now that of this process alone. */
	ASSERT_EQ(1, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_NE(0, lock_owner(F_GETLK));
	EXPECT_EQ(1, finish_agent(&self->run));
	EXPECT_NE(0, lock_owner(F_GETLK));
	close(21);
	EXPECT_EQ(0, lock_owner(F_GETLK));
	close(20);
}

/* As close() does: with any descriptor of the file, all its record locks go. */
TEST_F(lock, record_lock_goes_with_another_descriptor)
{
	const struct execns_fd fds[] = { { 20, variant->to } };
	static char *const command[] = { "wait", NULL };

	self->type = RECORD;
	self->run.command = command;
	self->run.fds = fds;
	self->run.nr_fds = ARRAY_SIZE(fds);
	ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(!!variant->share, !!lock_owner(F_GETLK));
	EXPECT_EQ(0, finish_agent(&self->run));
}

/* These are of the open file, whatever is closed besides. */
TEST_F(lock, open_file_lock)
{
	const struct execns_fd fds[] = { { 20, variant->to } };
	static char *const command[] = { "wait", NULL };

	self->type = OPEN_FILE;
	self->run.command = command;
	self->run.fds = fds;
	self->run.nr_fds = ARRAY_SIZE(fds);
	ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_NE(0, lock_owner(F_OFD_GETLK));
	if (variant->share) {
		close(20);
		EXPECT_NE(0, lock_owner(F_OFD_GETLK));
	}
	EXPECT_EQ(0, finish_agent(&self->run));
	EXPECT_EQ(0, lock_owner(F_OFD_GETLK));
}

TEST_F(lock, whole_file_lock)
{
	const struct execns_fd fds[] = { { 20, variant->to } };
	static char *const command[] = { "wait", NULL };

	self->type = WHOLE;
	self->run.command = command;
	self->run.fds = fds;
	self->run.nr_fds = ARRAY_SIZE(fds);
	ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(1, flock_is_held());
	if (variant->share) {
		close(20);
		EXPECT_EQ(1, flock_is_held());
	}
	EXPECT_EQ(0, finish_agent(&self->run));
	EXPECT_EQ(0, flock_is_held());
}

/* What is not kept is unlocked, unless another has the table. */
TEST_F(lock, locks_of_others_are_released)
{
	static const int types[] = { RECORD, OPEN_FILE, WHOLE };
	static char *const command[] = { "wait", NULL };
	size_t i;

	self->run.command = command;
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		self->type = types[i];
		ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
		EXPECT_EQ(!!variant->share, is_locked(types[i])) TH_LOG("type %d", types[i]);
		EXPECT_EQ(0, finish_agent(&self->run));
		close(20);
		close(21);
	}
}

static int take_lease(void *data)
{
	int fd = open(LOCK_PATH, O_RDWR | O_CLOEXEC);
	sigset_t set;

	(void)data;
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (dup3(fd, 20, O_CLOEXEC) < 0 || close(fd))
		return -1;
	/* Not to this thread, the number of which may be gone with exec. */
	return fcntl(20, F_SETLEASE, F_WRLCK) || fcntl(20, F_SETOWN, getpid());
}

/* The lease is there, and it is the program that is asked to give it up. */
TEST_F(lock, lease)
{
	const struct execns_fd fds[] = { { 20, variant->to } };
	static char fd[16], *command[3] = { "lease", fd, NULL };
	int i, opened = -1;

	snprintf(fd, sizeof(fd), "%u", variant->to);
	self->run.command = command;
	self->run.setup = take_lease;
	self->run.fds = fds;
	self->run.nr_fds = ARRAY_SIZE(fds);
	ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(-1, open(LOCK_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC));
	EXPECT_EQ(EWOULDBLOCK, errno);
	/* Until it has been given up. */
	for (i = 0; i < 1000 && opened < 0; i++) {
		usleep(5000);
		opened = open(LOCK_PATH, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	}
	EXPECT_LE(0, opened);
	EXPECT_EQ(0, finish_agent(&self->run));
}

FIXTURE(kept)
{
	struct agent_run run;
};

FIXTURE_VARIANT(kept)
{
	int share;
};

FIXTURE_VARIANT_ADD(kept, private) { 0 };
FIXTURE_VARIANT_ADD(kept, shared) { CLONE_FILES };

FIXTURE_SETUP(kept)
{
	self->run.share = variant->share;
}

FIXTURE_TEARDOWN(kept)
{
}

/* The descriptor @fd, at 20 or 21. */
static int move_to(int fd, int to)
{
	return fd < 0 || dup3(fd, to, O_CLOEXEC) < 0 || close(fd) ? -1 : 0;
}

static int watch(void *unused)
{
	struct epoll_event event = { .events = EPOLLIN, .data = { .u32 = 77 } };

	(void)unused;
	if (move_to(epoll_create1(0), 20) || move_to(eventfd(1, 0), 21))
		return -1;
	return epoll_ctl(20, EPOLL_CTL_ADD, 21, &event);
}

TEST_F(kept, epoll_reports_what_it_watches)
{
	const struct execns_fd same[] = { { 20, 20 }, { 21, 21 } };
	const struct execns_fd moved[] = { { 20, 30 }, { 21, 20 } };
	char *const command[] = { "epoll", "20", "77", NULL };
	char *const moved_command[] = { "epoll", "30", "77", NULL };

	self->run.setup = watch;
	self->run.command = command;
	self->run.fds = same;
	self->run.nr_fds = ARRAY_SIZE(same);
	EXPECT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(0, finish_agent(&self->run));
	self->run.command = moved_command;
	self->run.fds = moved;
	EXPECT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(0, finish_agent(&self->run));
}

static int make_ring(void *unused)
{
	struct io_uring_params params = { 0 };

	(void)unused;
	if (move_to(syscall(__NR_io_uring_setup, 4, &params), 20) ||
	    move_to(memfd_create("params", 0), 21))
		return -1;
	return pwrite(21, &params, sizeof(params), 0) != sizeof(params);
}

TEST_F(kept, ring_does_what_is_submitted)
{
	const struct execns_fd fds[] = { { 20, 30 }, { 21, 31 } };
	static char *const command[] = { "uring", "30", "31", NULL };

	if (make_ring(NULL))
		SKIP(return, "no io_uring: %s", strerror(errno));
	self->run.setup = make_ring;
	self->run.command = command;
	self->run.fds = fds;
	self->run.nr_fds = ARRAY_SIZE(fds);
	EXPECT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(0, finish_agent(&self->run));
}

struct pipes {
	int to_child[2], from_child[2];
};

static int close_far_ends(void *data)
{
	struct pipes *pipes = data;

	return close(pipes->to_child[1]) || close(pipes->from_child[0]);
}

/* When the program runs, nothing is left open that it does not have. */
TEST(ends_of_pipes_are_closed)
{
	char *command[2] = { "wait" }, byte = 0;
	struct pipes pipes;
	struct agent_run run = {
		.command = command, .setup = close_far_ends, .data = &pipes,
	};
	int round;

	signal(SIGPIPE, SIG_IGN);
	for (round = 0; round < 20; round++) {
		ASSERT_EQ(0, pipe2(pipes.to_child, O_CLOEXEC | O_NONBLOCK));
		ASSERT_EQ(0, pipe2(pipes.from_child, O_NONBLOCK));
		ASSERT_EQ(0, start_agent(&run)) TH_LOG("%s", strerror(run.error));
		/* Then those of the program would be the only ones. */
		close(pipes.to_child[0]);
		close(pipes.from_child[1]);
		EXPECT_EQ(-1, write(pipes.to_child[1], &byte, 1));
		EXPECT_EQ(EPIPE, errno);
		EXPECT_EQ(0, read(pipes.from_child[0], &byte, 1));
		close(pipes.to_child[1]);
		close(pipes.from_child[0]);
		EXPECT_EQ(0, finish_agent(&run));
	}
}

TEST_HARNESS_MAIN
