// SPDX-License-Identifier: GPL-2.0
/* Attacks through descriptors that the program does not have. */
#include "attack_test.h"

#include <linux/kcmp.h>
#include <poll.h>

#define SECRET_FD 80
/* Where the program would find what it is told of by a signal. */
#define READ_FD 81

/* A file that reads '!', not close-on-exec. */
static int leak_secret(void *unused)
{
	int fd = memfd_create("secret", MFD_CLOEXEC);

	(void)unused;
	return write(fd, "!", 1) != 1 || dup2(fd, SECRET_FD) != SECRET_FD;
}

/* A secret that is left open. execve() hands it on, execns() does not. */
TEST(inherited_secret_descriptor)
{
	static char *const by_number[] = { "secret_fd", "80", NULL };
	static char *const by_path[] = { "secret", "/proc/self/fd/80", NULL };
	struct execns_args args = { .unshare_flags = CLONE_NEWUSER | CLONE_NEWPID };
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .setup = leak_secret, .command = by_number,
	};

	EXPECT_EQ(0, attack_by_unshare(&run));
	EXPECT_EQ(EBADF, attack(&run));
	run.command = by_path;
	EXPECT_EQ(0, attack_by_unshare(&run));
	EXPECT_EQ(ENOENT, attack(&run));
}

/* How one looks at the descriptors of another. 0 if the secret is there. */
struct look {
	pid_t pid;
	int pidfd;
};

static int look_by_proc(const struct look *look)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", look->pid, SECRET_FD);
	return lstat(path, &st);
}

static int look_by_fdinfo(const struct look *look)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", look->pid, SECRET_FD);
	return access(path, F_OK);
}

static int look_by_pidfd(const struct look *look)
{
	int fd = syscall(__NR_pidfd_getfd, look->pidfd, SECRET_FD, 0);

	return fd < 0 ? -1 : close(fd);
}

static bool is_the_program(pid_t pid)
{
	char path[64], exe[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, exe, sizeof(exe) - 1) > 0 && strstr(exe, "attack_agent");
}

FIXTURE(watch)
{
	struct agent_run run;
	struct execns_args args;
};

FIXTURE_VARIANT(watch)
{
	int (*see)(const struct look *look);
	int share;
};

FIXTURE_VARIANT_ADD(watch, proc) { look_by_proc, 0 };
FIXTURE_VARIANT_ADD(watch, fdinfo) { look_by_fdinfo, 0 };
FIXTURE_VARIANT_ADD(watch, pidfd_getfd) { look_by_pidfd, 0 };
FIXTURE_VARIANT_ADD(watch, pidfd_getfd_sibling) { look_by_pidfd, CLONE_FILES };

FIXTURE_SETUP(watch)
{
	static char *const command[] = { "secret_fd", "80", NULL };

	self->args.unshare_flags = CLONE_NEWUSER | CLONE_NEWUTS;
	self->run.path = ATTACK_AGENT;
	self->run.command = command;
	self->run.args = &self->args;
	/* The table of descriptors is large, so that to close it takes a while. */
	ASSERT_EQ(0, leak_secret(NULL));
	ASSERT_EQ(0, open_files(200, 100));
}

FIXTURE_TEARDOWN(watch)
{
	close_range(SECRET_FD, 1000, 0);
}

/*
 * One round: look until the program says that it is there, and once more. Returns
 * how often the secret was seen in the program, and counts in @before how often it
 * was in what has been before that.
 */
static int watch_start(struct agent_run *run, int (*see)(const struct look *look), int share,
		       int *before)
{
	struct pollfd ready;
	struct look look;
	int seen = 0, status, done;

	if (pipe2(run->ready, O_CLOEXEC) || pipe2(run->go, O_CLOEXEC))
		return -1;
	/* With the table shared, and without waiting for exec. */
	look.pid = share ? syscall(__NR_clone, share | SIGCHLD, 0, 0, 0, 0) : fork();
	if (!look.pid)
		_exit((run->call ?: call_agent)(run));
	look.pidfd = syscall(__NR_pidfd_open, look.pid, 0);
	ready = (struct pollfd){ .fd = run->ready[0], .events = POLLIN };
	do {
		bool program;

		done = poll(&ready, 1, 0);
		program = is_the_program(look.pid);
		if (see(&look))
			continue;
		if (program)
			seen++;
		else
			++*before;
	} while (!done);
	close(look.pidfd);
	close(run->ready[0]);
	close(run->ready[1]);
	close(run->go[0]);
	close(run->go[1]);
	waitpid(look.pid, &status, 0);
	return seen;
}

/*
 * Another process looks at /proc/PID/fd, or takes the descriptor by pidfd_getfd(),
 * while the program starts: CVE-2016-9962. After unshare() and execve() the secret
 * is there with the new program, to whom may look at that. By execns() there is
 * never a moment in which it is.
 */
TEST_F_TIMEOUT(watch, inherited_secret_descriptor, 300)
{
	int round, before = 0;

	self->run.call = call_by_unshare;
	if (!variant->share)
		EXPECT_LT(0, watch_start(&self->run, variant->see, 0, &before));
	self->run.call = NULL;
	before = 0;
	for (round = 0; round < rounds_of(300); round++)
		ASSERT_EQ(0, watch_start(&self->run, variant->see, variant->share, &before))
			TH_LOG("round %d", round);
	/* Whoever has not looked can have seen nothing. */
	EXPECT_LT(0, before);
}

static int compare(pid_t child, int type)
{
	return syscall(__NR_kcmp, getpid(), child, type, 0, 0);
}

/* A sibling with the same table: execns() leaves it, and has nothing of it but what is kept. */
TEST(pidfd_getfd_and_kcmp_of_a_sibling)
{
	static char *const command[] = { "secret_fd", "90", NULL };
	const struct execns_fd fds[] = { { SECRET_FD, 90 } };
	struct agent_run run = {
		.path = ATTACK_AGENT, .command = command, .share = CLONE_FILES,
		.fds = fds, .nr_fds = ARRAY_SIZE(fds),
	};
	int fd, pidfd, wanted, sibling;

	if (compare(getpid(), KCMP_FILES))
		SKIP(return, "no kcmp(): %s", strerror(errno));
	ASSERT_EQ(0, leak_secret(NULL));
	sibling = syscall(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (!sibling) {
		pause();
		_exit(0);
	}
	/* So it is when the table is shared. */
	EXPECT_EQ(0, compare(sibling, KCMP_FILES));
	ASSERT_EQ(0, start_agent(&run)) TH_LOG("%s", strerror(run.error));
	EXPECT_LT(0, compare(run.pid, KCMP_FILES));
	EXPECT_EQ(0, compare(sibling, KCMP_FILES));
	EXPECT_EQ(0, syscall(__NR_kcmp, getpid(), run.pid, KCMP_FILE, SECRET_FD, 90));
	pidfd = syscall(__NR_pidfd_open, run.pid, 0);
	for (wanted = 0; wanted < 1024; wanted++) {
		fd = syscall(__NR_pidfd_getfd, pidfd, wanted, 0);
		if (wanted == 90 || wanted == AGENT_READY || wanted == AGENT_GO) {
			EXPECT_LE(0, fd) TH_LOG("%d", wanted);
			close(fd);
		} else {
			EXPECT_EQ(-1, fd) TH_LOG("%d", wanted);
			EXPECT_EQ(EBADF, errno);
		}
	}
	EXPECT_EQ(0, finish_agent(&run));
	kill(sibling, SIGKILL);
	waitpid(sibling, NULL, 0);
}

static int signal_pipe[2];

/* To be told by SIGIO of what can be read, and to be told when it comes. */
static int ask_for_signals(void *unused)
{
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return dup2(signal_pipe[0], READ_FD) < 0 || fcntl(READ_FD, F_SETOWN, getpid()) ||
	       fcntl(READ_FD, F_SETFL, O_ASYNC);
}

/* Whether the program gets SIGIO for what is written now. The reader is the child's. */
static int signal_of(int (*call)(void *run), bool keep_open)
{
	static char *const command[] = { "sigio", NULL };
	struct agent_run run = {
		.path = ATTACK_AGENT, .command = command, .setup = ask_for_signals, .call = call,
	};
	int result;

	if (pipe2(signal_pipe, O_CLOEXEC))
		return -1;
	result = start_agent(&run);
	if (!keep_open)
		close(signal_pipe[0]);
	if (result)
		return NOT_RUN;
	/* Where nobody reads it, an error. */
	if (write(signal_pipe[1], "x", 1) != 1 && errno != EPIPE)
		return NOT_RUN;
	result = finish_agent(&run);
	close(signal_pipe[0]);
	close(signal_pipe[1]);
	return result;
}

/*
 * The signals of F_SETOWN and O_ASYNC: a descriptor that execve() keeps sends them
 * to the new program. One that execns() has closed does not, unless another process
 * still has the open file: then it does, as after execve() with close-on-exec.
 */
TEST(signals_from_closed_descriptors)
{
	signal(SIGPIPE, SIG_IGN);
	EXPECT_EQ(1, signal_of(call_by_unshare, false));
	EXPECT_EQ(0, signal_of(NULL, false));
	EXPECT_EQ(1, signal_of(NULL, true));
}

static int take_lease(void *unused)
{
	int fd = open("/tmp/attack.lease", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	sigset_t set;

	(void)unused;
	sigemptyset(&set);
	sigaddset(&set, SIGIO);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return dup2(fd, READ_FD) < 0 || close(fd) || fcntl(READ_FD, F_SETLEASE, F_WRLCK) ||
	       fcntl(READ_FD, F_SETOWN, getpid());
}

/* Who opens a file waits for the program that has a lease on it, and is not to know of it. */
TEST(leases_of_closed_descriptors)
{
	static char *const command[] = { "sigio", NULL };
	struct agent_run run = {
		.path = ATTACK_AGENT, .command = command, .setup = take_lease,
		.call = call_by_unshare,
	};
	int by_execns, fd;

	for (by_execns = 0; by_execns < 2; by_execns++) {
		run.call = by_execns ? NULL : call_by_unshare;
		ASSERT_EQ(0, start_agent(&run)) TH_LOG("%s", strerror(run.error));
		fd = open("/tmp/attack.lease", O_RDWR | O_NONBLOCK | O_CLOEXEC);
		EXPECT_EQ(by_execns, fd >= 0) TH_LOG("%s", strerror(errno));
		close(fd);
		EXPECT_EQ(by_execns ? 0 : 1, finish_agent(&run));
	}
	unlink("/tmp/attack.lease");
}

TEST_HARNESS_MAIN
