// SPDX-License-Identifier: GPL-2.0
/* Races of execns() with threads that change namespaces, descriptors, directories. */
#include "races_round.h"

#include <linux/close_range.h>
#include <poll.h>
#include <sys/socket.h>

#define JAIL "/tmp/execns-races.jail"
#define MOUNT "/tmp/execns-races.mnt"
/* Copies of what is listed, and an end of a pair of sockets. */
#define COPIES OTHER_FD
#define SOCKETS (OTHER_FD + 10)
#define ROOT_FD (OTHER_FD + 12)
#define CWD_FD (OTHER_FD + 13)
#define NS_FDS (OTHER_FD + 20)

FIXTURE(calls)
{
	struct races *races;
};

FIXTURE_VARIANT(calls)
{
	struct race race;
};

/* What is done by a thread of its own, which ends with what it has then. */
static int in_thread(void *(*fn)(void *data), struct other *other)
{
	pthread_t thread;
	void *result;

	return pthread_create(&thread, NULL, fn, other) || pthread_join(thread, &result) ||
	       result;
}

static int has_moved(struct other *other, int flags)
{
	struct seen seen;
	size_t i;

	if (look_around(&seen, false))
		return -1;
	for (i = 0; i < NR_NAMESPACES; i++) {
		bool own = namespaces[i].flag & flags && strcmp(namespaces[i].name, "time");
		bool old = seen.ns[i] == other->races->old.ns[i];

		if (own == old)
			violation(other->races, "a thread that has left %#x: %s is %s", flags,
				  namespaces[i].name, own ? "the old one" : "another");
	}
	return 0;
}

static void *unshare_thread(void *data)
{
	static const int flags[] = {
		CLONE_FILES, CLONE_FS, CLONE_FS | CLONE_FILES | CLONE_SYSVSEM, CLONE_NEWUTS,
		CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWTIME | CLONE_NEWCGROUP,
	};
	struct other *other = data;
	int flag = flags[pick(&other->seed, ARRAY_SIZE(flags))];

	if (unshare(flag))
		return flag & ALL_NS && errno == EPERM ? NULL : data;
	return has_moved(other, flag & ALL_NS) ? data : NULL;
}

static int do_unshare(struct other *other)
{
	return in_thread(unshare_thread, other);
}

static const int moves[] = {
	CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWNET,
};

/* Namespaces that are there before, of a process that has gone. */
static int prepare_namespaces(struct races *races)
{
	static const char *const names[] = { "uts", "ipc", "mnt", "cgroup", "net" };
	int status, ready[2];
	char path[64], byte;
	pid_t child;
	size_t i;
	int fd;

	(void)races;
	if (pipe(ready))
		return -1;
	child = fork();
	if (!child) {
		if (unshare(ALL_NS & ~CLONE_NEWUSER) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	if (read(ready[0], &byte, 1) != 1)
		return -1;
	for (i = 0; i < ARRAY_SIZE(moves); i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", child, names[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || dup2(fd, NS_FDS + i) < 0 || close(fd))
			return -1;
	}
	close(ready[0]);
	close(ready[1]);
	kill(child, SIGKILL);
	return waitpid(child, &status, 0) != child;
}

static void *setns_thread(void *data)
{
	struct other *other = data;
	int i = pick(&other->seed, ARRAY_SIZE(moves));

	if (moves[i] == CLONE_NEWNS && unshare(CLONE_FS))
		return data;
	if (setns(NS_FDS + i, moves[i]))
		return data;
	return has_moved(other, moves[i]) ? data : NULL;
}

static int do_setns(struct other *other)
{
	return in_thread(setns_thread, other);
}

static void *close_range_thread(void *data)
{
	struct other *other = data;
	char byte;

	if (close_range(0, ~0U, CLOSE_RANGE_UNSHARE) ||
	    pread(FIRST_SECRET, &byte, 1, 0) != -1)
		violation(other->races, "close_range() has not closed all");
	return NULL;
}

static int do_close_range(struct other *other)
{
	switch (other->seed++ & 3) {
	case 0:
		return close_range(FIRST_FD, LAST_SECRET, CLOSE_RANGE_CLOEXEC);
	case 1:
		dup2(FIRST_FD, OTHER_FD + 40);
		return close_range(OTHER_FD + 40, ~0U, 0);
	case 2:
		dup2(FIRST_FD, OTHER_FD + 40);
		return close_range(OTHER_FD + 40, ~0U, CLOSE_RANGE_UNSHARE);
	default:
		return in_thread(close_range_thread, other);
	}
}

static int copy_listed(struct races *races)
{
	int i;

	(void)races;
	for (i = 0; i < 3; i++)
		if (dup2(FIRST_FD + i, COPIES + i) < 0)
			return -1;
	return 0;
}

/* What is listed is closed and opened again: the program has it, or the call fails. */
static int do_dup_listed(struct other *other)
{
	int i = pick(&other->seed, 3);

	if (other->seed & 8)
		close(FIRST_FD + i);
	return dup2(COPIES + i, FIRST_FD + i) < 0;
}

/* The same number is another descriptor at times, but never none. */
static int do_dup_over(struct other *other)
{
	int i = pick(&other->seed, 3);

	return dup3(COPIES + i, FIRST_FD + i, other->seed & 8 ? O_CLOEXEC : 0) < 0;
}

/* Also such that the table has to grow, which waits for all readers. */
static int do_open(struct other *other)
{
	int number = OTHER_FD + 50 + pick(&other->seed, pick(&other->seed, 16) ? 64 : 4000);
	int pipes[2];
	int fd = open("/dev/null", O_RDWR);

	if (fd < 0 || dup2(fd, number) < 0 || pipe(pipes))
		return -1;
	return close(fd) || close(number) || close(pipes[0]) || close(pipes[1]);
}

static int open_sockets(struct races *races)
{
	int pair[2];

	(void)races;
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || dup2(pair[0], SOCKETS) < 0 ||
	       dup2(pair[1], SOCKETS + 1) < 0 || close(pair[0]) || close(pair[1]);
}

/* Descriptors that come from elsewhere while the table is being replaced. */
static int do_pass(struct other *other)
{
	char byte = '!', space[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = space,
		.msg_controllen = sizeof(space),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
	int fd = FIRST_SECRET;

	(void)other;
	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	if (sendmsg(SOCKETS, &msg, MSG_DONTWAIT) != 1)
		return -1;
	msg.msg_controllen = sizeof(space);
	if (recvmsg(SOCKETS + 1, &msg, MSG_DONTWAIT) != 1 || !msg.msg_controllen)
		return -1;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return close(fd);
}

static int prepare_jail(struct races *races)
{
	(void)races;
	if (private_mounts() || (mkdir(JAIL, 0755) && errno != EEXIST) ||
	    (mkdir(MOUNT, 0755) && errno != EEXIST))
		return -1;
	return mount("/", JAIL, NULL, MS_BIND | MS_REC, NULL);
}

static int open_folders(struct races *races)
{
	int root = open("/", O_PATH | O_CLOEXEC), cwd = open(".", O_PATH | O_CLOEXEC);

	(void)races;
	return dup2(root, ROOT_FD) < 0 || dup2(cwd, CWD_FD) < 0 || close(root) || close(cwd);
}

/* The program is not where the working directory is, at times. */
static int do_chdir(struct other *other)
{
	(void)other;
	return chdir("/") || fchdir(CWD_FD);
}

/* A namespace of users can not be made in a chroot. */
static int do_chroot(struct other *other)
{
	(void)other;
	return chroot(JAIL) || fchdir(ROOT_FD) || chroot(".") || fchdir(CWD_FD);
}

static int do_mount(struct other *other)
{
	char path[64];

	snprintf(path, sizeof(path), MOUNT "/%d", other->number);
	if (mkdir(path, 0755) && errno != EEXIST)
		return -1;
	return mount("races", path, "tmpfs", 0, NULL) || umount2(path, MNT_DETACH);
}

static int do_pidfd(struct other *other)
{
	int fd = syscall(__NR_pidfd_open, getpid(), 0);
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (fd < 0)
		return -1;
	if (poll(&poll_fd, 1, 0))
		violation(other->races, "a process that runs has exited");
	return syscall(__NR_pidfd_send_signal, fd, 0, NULL, 0) || close(fd);
}

/* A process that shares something with the caller, and goes on when there is the program. */
static void share(struct races *races, int flags, int (*do_it)(struct other *other))
{
	struct other other = { .races = races, .seed = getpid() };
	int tries;

	if (syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL))
		return;
	for (tries = 0; tries < 100000 && !load(&races->programs) && !load(&races->failed); tries++)
		if (!do_it(&other))
			count(&races->done);
	check_old(races, "who shares with the caller", 0);
	_exit(0);
}

static void share_files(struct races *races)
{
	share(races, CLONE_FILES, do_dup_over);
}

static void share_folders(struct races *races)
{
	share(races, CLONE_FS, do_chdir);
}

FIXTURE_VARIANT_ADD(calls, unshare) { .race = { .thread = do_unshare } };

FIXTURE_VARIANT_ADD(calls, setns) {
	.race = { .thread = do_setns, .prepare = prepare_namespaces, .only_root = true }
};

FIXTURE_VARIANT_ADD(calls, close_range) { .race = { .thread = do_close_range } };

FIXTURE_VARIANT_ADD(calls, dup_over_listed) {
	.race = { .thread = do_dup_over, .setup = copy_listed }
};

FIXTURE_VARIANT_ADD(calls, close_listed) {
	.race = { .thread = do_dup_listed, .setup = copy_listed, .may = MAY(EBADF) }
};

FIXTURE_VARIANT_ADD(calls, dup_by_who_shares) {
	.race = { .before = share_files, .setup = copy_listed, .thread = do_open, .threads = 1 }
};

FIXTURE_VARIANT_ADD(calls, open) { .race = { .thread = do_open } };

FIXTURE_VARIANT_ADD(calls, pass_descriptors) {
	.race = { .thread = do_pass, .setup = open_sockets }
};

FIXTURE_VARIANT_ADD(calls, chdir) {
	.race = { .thread = do_chdir, .setup = open_folders, .may = MAY(ENOENT) }
};

FIXTURE_VARIANT_ADD(calls, chdir_by_who_shares) {
	.race = { .before = share_folders, .setup = open_folders, .may = MAY(ENOENT) }
};

FIXTURE_VARIANT_ADD(calls, chroot) {
	.race = {
		.thread = do_chroot, .threads = 1, .prepare = prepare_jail, .setup = open_folders,
		.only_root = true, .may = MAY(ENOENT) | MAY(EPERM),
	}
};

FIXTURE_VARIANT_ADD(calls, mount) {
	.race = { .thread = do_mount, .prepare = prepare_jail, .only_root = true }
};

FIXTURE_VARIANT_ADD(calls, pidfd) { .race = { .thread = do_pidfd } };

FIXTURE_SETUP(calls)
{
	self->races = open_races();
	ASSERT_NE(NULL, self->races);
}

FIXTURE_TEARDOWN(calls)
{
	unlink(races_path);
	rmdir(JAIL);
}

/*
 * The program is in what its call has asked for and in what the caller's thread has
 * been in, not in what another thread has entered, and has what is listed.
 */
TEST_F_TIMEOUT(calls, one_program_comes_of_it, RACES_TIMEOUT)
{
	run_race(_metadata, &variant->race, self->races, NULL);
}

TEST_HARNESS_MAIN
