/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a caller has, in more detail than struct snapshot, and quick to look at: it
 * is after each fault.
 */
#ifndef _FAULTS_STATE_H
#define _FAULTS_STATE_H

#include "faults.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#define NR_HELD 64

struct held {
	int flags, status;
	off_t offset;
	ino_t inode;
};

struct directory {
	__u64 inode, mount;
};

struct faults_state {
	char namespaces[NR_NAMESPACES][40];
	struct held descriptors[NR_HELD];
	int next_descriptor;
	struct directory cwd, root;
	char status[4096];		/* umask, ids, capabilities, threads, signals */
	char account[2048];
	struct rlimit limits[RLIM_NLIMITS];
	char name[16];
	sighandler_t handler;
	void *brk;
	unsigned long attached;		/* to the segment, and what is in there */
	int segment;
	int undo, securebits, dumpable, deathsig;
	int answers;			/* of other threads */
	int clone_fs;			/* as try_clone_fs(): is an exec under way? */
};

/* What a caller has that a snapshot does not find by itself. */
static struct {
	int semid, shmid;
	int *segment;
	int nr_threads;
	int patience;			/* seconds until a thread is said to be dead */
	bool end;			/* threads end if they are asked */
	sem_t ask[2], answer;
	/* Of the caller's /proc, to be opened but once. */
	int namespaces, status, account;
} things = { .patience = 30 };

static inline void on_signal(int signal)
{
	(void)signal;
}

/* Things of the parent: what is of the process is got by caller_things(). */
static inline int make_things(void)
{
	int i;

	things.semid = semget(IPC_PRIVATE, 1, 0666);
	things.shmid = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0666);
	if (things.semid < 0 || things.shmid < 0)
		return -1;
	things.segment = shmat(things.shmid, NULL, 0);
	if (things.segment == (void *)-1)
		return -1;
	*things.segment = 12345;
	umask(027);
	signal(SIGUSR1, on_signal);
	if (open_files(10, 6))
		return -1;
	for (i = 10; i < 16; i++)
		lseek(i, 7 * i, SEEK_SET);
	return fcntl(12, F_SETFL, O_APPEND | O_NONBLOCK);
}

static inline void drop_things(void)
{
	shmdt(things.segment);
	shmctl(things.shmid, IPC_RMID, NULL);
	semctl(things.semid, 0, IPC_RMID);
}

static inline void *answer(void *ask)
{
	while (!sem_wait(ask) && !things.end)
		sem_post(&things.answer);
	return NULL;
}

static inline int caller_things(bool threads)
{
	struct sembuf op = { .sem_num = 0, .sem_op = 1, .sem_flg = SEM_UNDO };
	pthread_t thread;
	size_t i;

	things.nr_threads = threads ? ARRAY_SIZE(things.ask) : 0;
	sem_init(&things.answer, 0, 0);
	for (i = 0; i < (size_t)things.nr_threads; i++) {
		sem_init(&things.ask[i], 0, 0);
		if (pthread_create(&thread, NULL, answer, &things.ask[i]))
			return -1;
	}
	things.namespaces = open("/proc/self/ns", O_PATH | O_CLOEXEC);
	things.status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	things.account = open("/proc/self/account", O_RDONLY | O_CLOEXEC);
	return things.namespaces < 0 || things.status < 0 || things.account < 0 ||
	       semop(things.semid, &op, 1) || prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static inline int ask_threads(void)
{
	struct timespec until;
	int i, answers = 0;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += things.patience;
	for (i = 0; i < things.nr_threads; i++)
		sem_post(&things.ask[i]);
	for (i = 0; i < things.nr_threads; i++)
		answers += !sem_timedwait(&things.answer, &until);
	return answers;
}

/*
 * As try_clone_fs(), but for a number that is in use: nothing is started, and what
 * would refuse it comes first.
 */
static inline int share_fs(void)
{
	pid_t self = getpid();
	struct clone_args args = {
		.flags = CLONE_FS | CLONE_VM, .exit_signal = SIGCHLD,
		.set_tid = PTR(&self), .set_tid_size = 1,
	};

	return syscall(__NR_clone3, &args, sizeof(args)) < 0 ? errno : 0;
}

static inline struct directory directory_of(const char *path)
{
	struct directory directory = { 0 };
	struct statx st;

	if (!statx(AT_FDCWD, path, 0, STATX_INO | STATX_MNT_ID, &st)) {
		directory.inode = st.stx_ino;
		directory.mount = st.stx_mnt_id;
	}
	return directory;
}

static inline void take_held(struct held *held, int fd)
{
	struct stat st;

	held->flags = fcntl(fd, F_GETFD);
	if (held->flags < 0 || fstat(fd, &st))
		return;
	held->status = fcntl(fd, F_GETFL);
	held->offset = lseek(fd, 0, SEEK_CUR);
	held->inode = st.st_ino;
}

static inline void read_again(int fd, char *buf, size_t size)
{
	ssize_t len = pread(fd, buf, size - 1, 0);

	buf[len < 0 ? 0 : len] = '\0';
}

static inline void take_state(struct faults_state *state)
{
	static char text[8192];
	struct sigaction action;
	struct shmid_ds segment;
	int i;

	memset(state, 0, sizeof(*state));
	for (i = 0; i < (int)NR_NAMESPACES; i++)
		if (readlinkat(things.namespaces, namespaces[i].name, state->namespaces[i],
			       sizeof(state->namespaces[i]) - 1) < 0)
			state->namespaces[i][0] = '\0';
	for (i = 0; i < NR_HELD; i++)
		take_held(&state->descriptors[i], i);
	/* Whatever is open above moves no number, but what is leaked is put here. */
	state->next_descriptor = dup(10);
	close(state->next_descriptor);
	state->cwd = directory_of(".");
	state->root = directory_of("/");
	read_again(things.status, text, sizeof(text));
	keep_lines(text, status_keys, state->status, sizeof(state->status));
	read_again(things.account, state->account, sizeof(state->account));
	for (i = 0; i < RLIM_NLIMITS; i++)
		getrlimit(i, &state->limits[i]);
	prctl(PR_GET_NAME, state->name);
	if (!sigaction(SIGUSR1, NULL, &action))
		state->handler = action.sa_handler;
	state->brk = sbrk(0);
	if (!shmctl(things.shmid, IPC_STAT, &segment))
		state->attached = segment.shm_nattch;
	state->segment = *things.segment;
	state->undo = semctl(things.semid, 0, GETVAL);
	state->securebits = prctl(PR_GET_SECUREBITS);
	state->dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_PDEATHSIG, &state->deathsig);
	state->answers = ask_threads();
	state->clone_fs = share_fs();
}

#define STARTS(member) { #member, offsetof(struct faults_state, member) }

/* The name of what is not the same, or NULL. */
static inline const char *what_differs(const struct faults_state *a, const struct faults_state *b)
{
	static const struct {
		const char *name;
		size_t offset;
	} members[] = {
		STARTS(namespaces), STARTS(descriptors), STARTS(next_descriptor), STARTS(cwd),
		STARTS(root), STARTS(status), STARTS(account), STARTS(limits), STARTS(name),
		STARTS(handler), STARTS(brk), STARTS(attached), STARTS(segment), STARTS(undo),
		STARTS(securebits), STARTS(dumpable), STARTS(deathsig), STARTS(answers),
		STARTS(clone_fs), { NULL, sizeof(*a) },
	};
	size_t i;

	for (i = 0; members[i].name; i++)
		if (memcmp((const char *)a + members[i].offset, (const char *)b + members[i].offset,
			   members[i + 1].offset - members[i].offset))
			return members[i].name;
	return NULL;
}

#endif
