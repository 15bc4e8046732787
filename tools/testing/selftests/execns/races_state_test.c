// SPDX-License-Identifier: GPL-2.0
/* Races of execns() with threads that change credentials, filters, memory, or IPC. */
#include "races_round.h"

#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>

/* Where the caller has a pipe into which nobody writes, and a ring. */
#define PIPE_FDS OTHER_FD
#define RING_FD (OTHER_FD + 2)

FIXTURE(state)
{
	struct races *races;
};

FIXTURE_VARIANT(state)
{
	struct race race;
};

/* Not those of the C library, which change all threads. */
static int do_ids(struct other *other)
{
	gid_t groups[] = { 1, 2, 3 };
	int id = 2000 + pick(&other->seed, 100);

	return syscall(SYS_setgroups, 3, groups) || syscall(SYS_setresgid, -1, id, -1) ||
	       syscall(SYS_setresuid, -1, id, -1) || syscall(SYS_setresuid, -1, 0, -1) ||
	       syscall(SYS_setresgid, -1, 0, -1) || syscall(SYS_setgroups, 0, NULL);
}

static int do_capabilities(struct other *other)
{
	if (other->seed++ & 1)
		return set_caps(1ULL << CAP_SETPCAP, 0);
	return prctl(PR_SET_SECUREBITS, other->seed & 2 ? 1 : 0) && errno != EPERM;
}

/* What exec sets anew, or passes on. */
static int do_prctl(struct other *other)
{
	prctl(PR_SET_DUMPABLE, other->seed & 1);
	prctl(PR_SET_NAME, "race");
	prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_SET_KEEPCAPS, other->seed & 1);
	prctl(PR_SET_TIMERSLACK, 50000 + (other->seed & 1));
	setpgid(0, 0);
	prctl(PR_SET_DUMPABLE, 1);
	other->seed++;
	return 0;
}

static int do_keyctl(struct other *other)
{
	long key;

	(void)other;
	if (syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0)
		return -1;
	key = syscall(__NR_add_key, "user", "races", "!", 1, KEY_SPEC_SESSION_KEYRING);
	return key < 0 && errno != EDQUOT;
}

/*
 * A child replaces the session keyring of its parent, which has no other threads: new
 * credentials are given to who is about to change his own. Here it is the child that
 * is the other one: it starts before the call, and ends after it.
 */
static void give_keyrings(struct races *races)
{
	pid_t parent = getpid();
	int tries;

	if (fork())
		return;
	store(&races->armed, 1);
	for (tries = 0; tries < 3000 && getppid() == parent && !load(&races->programs); tries++) {
		syscall(__NR_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL);
		if (!syscall(__NR_keyctl, KEYCTL_SESSION_TO_PARENT)) {
			count(&races->done);
			count(&races->tally[load(&races->called) ? 1 : 0]);
		}
	}
	_exit(0);
}

/* A filter for all threads, which lets nobody make namespaces or execute a program. */
static int do_filter(struct other *other)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_unshare, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_execve, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_execveat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	if (load(&other->races->armed))
		return sched_yield() || true;
	spin(pick(&other->seed, 50 << pick(&other->seed, 8)));
	if (syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program))
		return -1;
	/* No call that begins from now on can succeed. */
	if (!load(&other->races->called)) {
		store(&other->races->armed, 2);
		count(&other->races->tally[0]);
	} else {
		store(&other->races->armed, 1);
		count(&other->races->tally[1]);
	}
	return 0;
}

static int no_new_privs(struct races *races)
{
	(void)races;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/* A filter that was there before the call can not have let it pass. */
static void check_filter(struct races *races)
{
	if (!races->programs)
		return;
	if (races->armed == 2)
		violation(races, "a call that a filter denies has succeeded");
	count(&races->tally[races->seen.seccomp ? 2 : 3]);
}

static int do_memory(struct other *other)
{
	char *map = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED)
		return -1;
	map[0] = 1;
	switch (pick(&other->seed, 4)) {
	case 0:
		map = mremap(map, 16384, 65536, MREMAP_MAYMOVE);
		return map == MAP_FAILED || munmap(map, 65536);
	case 1:
		return mprotect(map, 4096, PROT_READ) || munmap(map, 16384);
	case 2:
		return madvise(map, 16384, MADV_DONTNEED) || munmap(map, 16384);
	default:
		return munmap(map, 8192) || munmap(map + 8192, 8192);
	}
}

static int semid, shmid;

static int prepare_ipc(struct races *races)
{
	(void)races;
	semid = semget(IPC_PRIVATE, 4, 0666);
	shmid = shmget(IPC_PRIVATE, 65536, 0666);
	return semid < 0 || shmid < 0;
}

/* What is to be undone at the end of the caller, of the program, or at the exec. */
static int do_semaphore(struct other *other)
{
	struct sembuf op = { .sem_num = other->number, .sem_flg = SEM_UNDO | IPC_NOWAIT };

	/* Neither goes below what the sum of all adjustments can undo. */
	op.sem_op = pick(&other->seed, 2) ? 1 : -1;
	return semop(semid, &op, 1) && errno != EAGAIN;
}

static int do_segment(struct other *other)
{
	char *map = shmat(shmid, NULL, 0);

	if (map == (void *)-1)
		return -1;
	map[0]++;
	/* What is still attached is so until the memory goes. */
	return pick(&other->seed, 8) ? shmdt(map) : 0;
}

static void check_ipc(struct races *races)
{
	struct shmid_ds ds;
	int i, value;

	for (i = 0; i < 4; i++) {
		value = semctl(semid, i, GETVAL);
		if (value)
			violation(races, "semaphore %d is %d at the end", i, value);
	}
	if (shmctl(shmid, IPC_STAT, &ds) || ds.shm_nattch)
		violation(races, "the segment is attached at the end");
}

/* A worker of io_uring is a thread of the caller, and waits for a pipe in vain. */
static int submit(int ring, const struct io_uring_params *p, bool blocks)
{
	unsigned int *tail, *array;
	struct io_uring_sqe *sqes;
	int result;
	char *sq;

	sq = mmap(NULL, p->sq_off.array + p->sq_entries * sizeof(*array), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring, IORING_OFF_SQ_RING);
	sqes = mmap(NULL, p->sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring,
		    IORING_OFF_SQES);
	if (sq == MAP_FAILED || sqes == MAP_FAILED)
		return -1;
	tail = (void *)(sq + p->sq_off.tail);
	array = (void *)(sq + p->sq_off.array);
	memset(sqes, 0, 2 * sizeof(*sqes));
	sqes[0].opcode = IORING_OP_NOP;
	sqes[0].flags = IOSQE_ASYNC;
	sqes[1].opcode = IORING_OP_READ;
	sqes[1].flags = blocks ? IOSQE_ASYNC : 0;
	sqes[1].fd = PIPE_FDS;
	sqes[1].addr = PTR(SECRET_MEMORY + 64);
	sqes[1].len = 1;
	array[0] = 0;
	array[1] = 1;
	__atomic_store_n(tail, *tail + 2, __ATOMIC_RELEASE);
	result = syscall(__NR_io_uring_enter, ring, 2, 0, 0, NULL, 0);
	munmap(sq, p->sq_off.array + p->sq_entries * sizeof(*array));
	munmap(sqes, p->sq_entries * sizeof(*sqes));
	return result != 2;
}

static int do_ring(struct other *other)
{
	struct io_uring_params p = { .flags = pick(&other->seed, 8) ? 0 : IORING_SETUP_SQPOLL };
	int ring = syscall(__NR_io_uring_setup, 4, &p), result;

	if (ring < 0)
		return -1;
	result = submit(ring, &p, other->seed & 16);
	close(ring);
	return result;
}

static int open_pipe(struct races *races)
{
	int pipes[2];

	(void)races;
	return pipe(pipes) || dup2(pipes[0], PIPE_FDS) < 0 || dup2(pipes[1], PIPE_FDS + 1) < 0 ||
	       close(pipes[0]) || close(pipes[1]);
}

/* Requests of the thread that calls, which the call has to cancel. */
static void start_requests(struct races *races)
{
	struct io_uring_params p = { 0 };
	int ring = syscall(__NR_io_uring_setup, 4, &p);

	if (ring < 0 || submit(ring, &p, true))
		violation(races, "no requests: %s", strerror(errno));
}

static int do_timers(struct other *other)
{
	struct itimerval value = { .it_value.tv_sec = 1000 };
	struct sigevent event = { .sigev_notify = SIGEV_NONE };
	struct itimerspec spec = { .it_value.tv_nsec = 1000, .it_interval.tv_nsec = 100000 };
	timer_t timer;
	int fd;

	(void)other;
	fd = timerfd_create(CLOCK_MONOTONIC, 0);
	return fd < 0 || timerfd_settime(fd, 0, &spec, NULL) || close(fd) ||
	       setitimer(ITIMER_PROF, &value, NULL) ||
	       timer_create(CLOCK_MONOTONIC, &event, &timer) ||
	       timer_settime(timer, 0, &spec, NULL) || timer_delete(timer);
}

FIXTURE_VARIANT_ADD(state, ids) { .race = { .thread = do_ids, .only_root = true } };

FIXTURE_VARIANT_ADD(state, capabilities) {
	.race = { .thread = do_capabilities, .only_root = true }
};

FIXTURE_VARIANT_ADD(state, prctl) { .race = { .thread = do_prctl } };
FIXTURE_VARIANT_ADD(state, keyrings) { .race = { .thread = do_keyctl } };

FIXTURE_VARIANT_ADD(state, keyring_from_a_child) {
	.race = {
		.before = give_keyrings, .leader = ONLY_THE_LEADER,
		.tallies = { "given before a call", "given during it" },
	}
};

FIXTURE_VARIANT_ADD(state, seccomp_tsync) {
	.race = {
		.thread = do_filter, .threads = 1, .setup = no_new_privs, .after = check_filter,
		.may = MAY(EPERM),
		.tallies = {
			"filters before the call", "later", "programs with a filter", "without",
		},
	}
};

FIXTURE_VARIANT_ADD(state, memory) { .race = { .thread = do_memory } };

FIXTURE_VARIANT_ADD(state, semaphores) {
	.race = { .thread = do_semaphore, .prepare = prepare_ipc, .after = check_ipc }
};

FIXTURE_VARIANT_ADD(state, segments) {
	.race = { .thread = do_segment, .prepare = prepare_ipc, .after = check_ipc }
};

FIXTURE_VARIANT_ADD(state, io_uring) {
	.race = { .thread = do_ring, .setup = open_pipe, .before = start_requests }
};

FIXTURE_VARIANT_ADD(state, timers) { .race = { .thread = do_timers } };

FIXTURE_SETUP(state)
{
	self->races = open_races();
	ASSERT_NE(NULL, self->races);
}

FIXTURE_TEARDOWN(state)
{
	unlink(races_path);
}

/* What another thread does to itself, or to what is shared, is not what the program has. */
TEST_F_TIMEOUT(state, one_program_comes_of_it, RACES_TIMEOUT)
{
	run_race(_metadata, &variant->race, self->races, NULL);
}

TEST_HARNESS_MAIN
