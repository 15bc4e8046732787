// SPDX-License-Identifier: GPL-2.0
/* Open files that something else than a descriptor keeps: a ring, a socket, a mount. */
#include "attack_test.h"

#include <linux/io_uring.h>
#include <poll.h>
#include <sys/socket.h>

#define RING_FD 80
#define PARAMS_FD 81
#define MNT "/tmp/attack.files"

/* One pipe that the ring has as a registered file, and one that it reads. */
static int registered[2], pending[2];

static unsigned int *ring_word(char *map, unsigned int offset)
{
	return (unsigned int *)(map + offset);
}

/* Submit a read of the pipe that never has anything. */
static int read_by_ring(const struct io_uring_params *p)
{
	static char byte;
	char *sq = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(int),
			PROT_READ | PROT_WRITE, MAP_SHARED, RING_FD, IORING_OFF_SQ_RING);
	struct io_uring_sqe *sqes = mmap(NULL, p->sq_entries * sizeof(*sqes),
					 PROT_READ | PROT_WRITE, MAP_SHARED, RING_FD,
					 IORING_OFF_SQES);

	if (sq == MAP_FAILED || (void *)sqes == MAP_FAILED)
		return -1;
	memset(sqes, 0, sizeof(*sqes));
	sqes->opcode = IORING_OP_READ;
	sqes->fd = pending[0];
	sqes->addr = PTR(&byte);
	sqes->len = 1;
	ring_word(sq, p->sq_off.array)[0] = 0;
	__atomic_store_n(ring_word(sq, p->sq_off.tail), 1, __ATOMIC_RELEASE);
	return syscall(__NR_io_uring_enter, RING_FD, 1, 0, 0, NULL, 0) != 1;
}

/* Nothing but the ring has the ends of the pipes, in the end. All is left open. */
static int make_ring(void *data)
{
	struct io_uring_params p = { 0 };
	bool *with_read = data;

	if (dup2(syscall(__NR_io_uring_setup, 4, &p), RING_FD) < 0 ||
	    dup2(memfd_create("params", MFD_CLOEXEC), PARAMS_FD) < 0 ||
	    pwrite(PARAMS_FD, &p, sizeof(p), 0) != sizeof(p) ||
	    syscall(__NR_io_uring_register, RING_FD, IORING_REGISTER_FILES, &registered[1], 1) ||
	    (*with_read && read_by_ring(&p)))
		return -1;
	return close(registered[0]) || close(registered[1]) || close(pending[0]) ||
	       close(pending[1]);
}

static bool can_make_ring(void)
{
	struct io_uring_params p = { 0 };
	int fd = syscall(__NR_io_uring_setup, 4, &p);

	return fd >= 0 && !close(fd);
}

static int start_with_ring(struct agent_run *run)
{
	int result;

	if (pipe2(registered, O_CLOEXEC | O_NONBLOCK) || pipe2(pending, O_CLOEXEC))
		return NOT_RUN;
	result = start_agent(run);
	close(registered[1]);
	close(pending[0]);
	return result;
}

/* Whether the ring has let go of its file, within 5 seconds: it does that in the background. */
static bool pipes_are_closed(void)
{
	struct pollfd poll_fds[] = {
		{ .fd = registered[0] }, { .fd = pending[1] },
	};
	int i;

	for (i = 0; i < 500; i++) {
		poll(poll_fds, 2, 0);
		if (poll_fds[0].revents & POLLHUP && poll_fds[1].revents & POLLERR)
			return true;
		usleep(10000);
	}
	return false;
}

static void finish_with_ring(struct agent_run *run)
{
	finish_agent(run);
	close(registered[0]);
	close(pending[1]);
}

FIXTURE(ring)
{
	struct agent_run run;
	struct execns_args args;
	bool with_read;
};

FIXTURE_VARIANT(ring)
{
	bool with_read;
	int flags;
};

FIXTURE_VARIANT_ADD(ring, idle) { false, 0 };
FIXTURE_VARIANT_ADD(ring, reading) { true, 0 };
FIXTURE_VARIANT_ADD(ring, reading_user) { true, CLONE_NEWUSER | CLONE_NEWPID };

FIXTURE_SETUP(ring)
{
	static char *const command[] = { "sigio", NULL };

	self->with_read = variant->with_read;
	self->args.unshare_flags = variant->flags;
	self->run = (struct agent_run){
		.path = ATTACK_AGENT, .command = command, .args = &self->args,
		.setup = make_ring, .data = &self->with_read,
	};
}

FIXTURE_TEARDOWN(ring)
{
}

/*
 * A ring that is left open goes on to hold the files that it has registered, after
 * unshare() and execve(). By execns(), it is closed, and its files and its pending
 * reads with it.
 */
TEST_F(ring, io_uring_still_holding_the_old_table)
{
	struct pollfd held;

	if (!can_make_ring())
		SKIP(return, "no io_uring: %s", strerror(errno));
	self->run.call = call_by_unshare;
	ASSERT_EQ(0, start_with_ring(&self->run)) TH_LOG("%s", strerror(self->run.error));
	/* Of a pipe that is held, nothing is to be told. */
	held = (struct pollfd){ .fd = registered[0] };
	EXPECT_EQ(0, poll(&held, 1, 300));
	finish_with_ring(&self->run);
	self->run.call = NULL;
	ASSERT_EQ(0, start_with_ring(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_TRUE(pipes_are_closed());
	finish_with_ring(&self->run);
}

/*
 * A ring that is kept has its registered files still, and the program can use them
 * through it, as after execve(): who keeps a ring keeps these. What it was reading
 * is cancelled, and files that are only in the table are gone.
 */
TEST_F(ring, io_uring_that_is_kept)
{
	const struct execns_fd fds[] = { { RING_FD, RING_FD }, { PARAMS_FD, PARAMS_FD } };
	static char *const command[] = { "ring", "80", "81", NULL };
	struct pollfd gone;
	char byte = 0;

	if (!can_make_ring())
		SKIP(return, "no io_uring: %s", strerror(errno));
	self->run.command = command;
	self->run.fds = fds;
	self->run.nr_fds = ARRAY_SIZE(fds);
	ASSERT_EQ(0, start_with_ring(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(1, read(registered[0], &byte, 1));
	EXPECT_EQ('!', byte);
	gone = (struct pollfd){ .fd = pending[1] };
	EXPECT_EQ(1, poll(&gone, 1, 5000));
	EXPECT_TRUE(gone.revents & POLLERR);
	finish_with_ring(&self->run);
}

/* What the user of this process has in flight. */
static long inflight(pid_t pid)
{
	char path[64], text[4096], *line;
	long count = -1;

	snprintf(path, sizeof(path), "/proc/%d/account", pid);
	read_file(path, text, sizeof(text));
	line = strstr(text, "\nunix_inflight");
	if (!line || sscanf(line, " unix_inflight %*s %ld", &count) != 1)
		return -1;
	return count;
}

static int pass(int socket, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = "x", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	return sendmsg(socket, &msg, 0) != 1;
}

/* Pairs of sockets that are in flight in each other, and a pipe that is in there as well. */
static int make_cycles(void *user)
{
	int i, pair[2];

	if (user && become_id(*(uid_t *)user))
		return -1;
	for (i = 0; i < 10; i++)
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || pass(pair[0], pair[0]) ||
		    pass(pair[1], pair[1]) || pass(pair[0], registered[1]))
			return -1;
	return close(registered[1]);
}

/* The collector looks when a socket is closed for good, as those of a cycle are not. */
static bool collect(pid_t pid, long left)
{
	int i, pair[2];

	for (i = 0; i < 500 && inflight(pid) > left; i++) {
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || close(pair[0]) || close(pair[1]))
			return false;
		usleep(10000);
	}
	return inflight(pid) == left;
}

/*
 * Descriptors in flight in a cycle of sockets, which only the collector of these
 * finds. With execve() they are there while the program has the sockets. execns()
 * closes these; all is collected, and the user is charged for nothing.
 */
TEST(in_flight_scm_rights_cycles)
{
	static char *const command[] = { "sigio", NULL };
	/* What another process of the user has in flight would count. */
	uid_t user = 10000 + getpid();
	struct agent_run run = {
		.path = ATTACK_AGENT, .command = command, .setup = make_cycles, .data = &user,
	};
	struct pollfd held;
	int by_execns;

	for (by_execns = 0; by_execns < 2; by_execns++) {
		ASSERT_EQ(0, pipe2(registered, O_CLOEXEC));
		run.call = by_execns ? NULL : call_by_unshare;
		ASSERT_EQ(0, start_agent(&run)) TH_LOG("%s", strerror(run.error));
		close(registered[1]);
		held = (struct pollfd){ .fd = registered[0] };
		if (by_execns) {
			EXPECT_TRUE(collect(run.pid, 0)) TH_LOG("%ld", inflight(run.pid));
			EXPECT_EQ(1, poll(&held, 1, 5000));
		} else {
			EXPECT_TRUE(collect(run.pid, 30)) TH_LOG("%ld", inflight(run.pid));
			EXPECT_EQ(0, poll(&held, 1, 100));
		}
		EXPECT_EQ(0, finish_agent(&run));
		close(registered[0]);
	}
}

FIXTURE(mounts)
{
	struct execns_args args;
	struct agent_run run;
};

FIXTURE_SETUP(mounts)
{
	ASSERT_EQ(0, private_mounts());
	mkdir(MNT, 0755);
	ASSERT_EQ(0, mount("tmpfs", MNT, "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, mkdir(MNT "/old", 0755));
	ASSERT_EQ(0, mkdir(MNT "/new", 0755));
	ASSERT_EQ(0, mount("tmpfs", MNT "/old", "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, mount("tmpfs", MNT "/new", "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, mkdir(MNT "/old/sub", 0755));
	ASSERT_EQ(0, make_script(MNT "/old/secret", "!\n"));
	ASSERT_EQ(0, make_script(MNT "/old/sub/secret", "!\n"));
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, MNT "/new/agent", 0, 0755));
	self->args = (struct execns_args){
		.unshare_flags = CLONE_NEWNS, .flags = EXECNS_ROOT_FD,
		.root_fd = open(MNT "/new", O_PATH | O_DIRECTORY | O_CLOEXEC),
	};
	self->run = (struct agent_run){ .path = "/agent", .args = &self->args };
}

FIXTURE_TEARDOWN(mounts)
{
	umount2(MNT, MNT_DETACH);
}

static int work_in_old(void *unused)
{
	(void)unused;
	return chdir(MNT "/old/sub");
}

static int work_in_old_and_leak_it(void *unused)
{
	return work_in_old(unused) || dup2(open(".", O_PATH | O_CLOEXEC), RING_FD) < 0;
}

/*
 * The working directory is outside of the new root, from where `..` leads all
 * the way up: the escape from chroot(). By execns(), root and working directory are
 * the new root, with nothing above.
 */
TEST_F(mounts, old_mounts_through_cwd_or_root)
{
	static char *const here[] = { "secret", "secret", NULL };
	static char *const up[] = { "secret", "../secret", NULL };
	static char *const far_up[] = { "secret", "../../../../../../" MNT "/old/secret", NULL };
	static char *const *const commands[] = { here, up, far_up };
	size_t i;

	self->run.setup = work_in_old;
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		self->run.command = commands[i];
		self->args.unshare_flags = CLONE_NEWNS;
		EXPECT_EQ(0, attack_by_unshare(&self->run)) TH_LOG("%s", commands[i][1]);
		EXPECT_EQ(ENOENT, attack(&self->run)) TH_LOG("%s", commands[i][1]);
		self->args.unshare_flags = CLONE_NEWNS | CLONE_NEWUSER;
		EXPECT_EQ(ENOENT, attack(&self->run)) TH_LOG("%s", commands[i][1]);
	}
}

/*
 * A mount of the caller that the program has no business with stays busy by the
 * program: by a directory that is left open, after unshare() and execve(). By
 * execns(), neither that nor the working directory, nor the executable keeps one.
 */
TEST_F(mounts, old_mounts_are_not_busy)
{
	static char *const command[] = { "sigio", NULL };

	self->run.setup = work_in_old_and_leak_it;
	self->run.command = command;
	self->run.call = call_by_unshare;
	ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(-1, umount(MNT "/old"));
	EXPECT_EQ(EBUSY, errno);
	EXPECT_EQ(0, finish_agent(&self->run));
	self->run.call = NULL;
	ASSERT_EQ(0, start_agent(&self->run)) TH_LOG("%s", strerror(self->run.error));
	EXPECT_EQ(0, umount(MNT "/old")) TH_LOG("%s", strerror(errno));
	close(self->args.root_fd);
	EXPECT_EQ(0, umount(MNT "/new")) TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, finish_agent(&self->run));
}

/* Who is in a chroot, and has a directory of outside, is not let out by a user namespace. */
TEST_F(mounts, new_root_from_a_chroot)
{
	static char *const command[] = { "secret", "/secret", NULL };

	ASSERT_EQ(0, copy_program(ATTACK_AGENT, MNT "/old/agent", 0, 0755));
	self->args.root_fd = open(MNT "/old", O_PATH | O_DIRECTORY | O_CLOEXEC);
	self->args.unshare_flags = CLONE_NEWNS | CLONE_NEWUSER;
	self->run.command = command;
	EXPECT_EQ(0, attack(&self->run));
	ASSERT_EQ(0, chroot(MNT "/new"));
	ASSERT_EQ(0, chdir("/"));
	ASSERT_EQ(0, become_user(NULL));
	EXPECT_EQ(-EPERM, attack(&self->run));
}

TEST_HARNESS_MAIN
