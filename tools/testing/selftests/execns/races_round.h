/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Rounds of a race: a process whose threads call execns() or execnsat(), and others
 * that do something else again and again meanwhile, in that process or outside of it.
 * Each round has a caller of its own, and what comes of it is checked.
 *
 * A test lasts a second, or EXECNS_RACES seconds, and says what it has seen.
 */
#ifndef _RACES_ROUND_H
#define _RACES_ROUND_H

#include "races_caller.h"

/* It ends by itself, when EXECNS_RACES says so, or when a round hangs. */
#define RACES_TIMEOUT 7200
#define HANGS_SECONDS 180
#define MIN_ROUNDS 5

struct stats {
	long rounds, programs, failures, ends;
	long met, after;	/* calls of the others were done in the exec, with the program */
	long won[MAX_CALLS];
	long errors[64];
};

static inline struct races *open_races(void)
{
	snprintf(races_path, sizeof(races_path), "/tmp/execns-races.%d", getpid());
	races_fd = open(races_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (races_fd < 0 || fchmod(races_fd, 0666) || ftruncate(races_fd, sizeof(struct races)))
		return NULL;
	return map_races(races_fd);
}

/* That the program is what its call has asked for, and nothing else. */
static inline void check_program(struct races *races, pid_t pid)
{
	const struct exec_request *request = &caller.requests[races->which];
	bool at = request->how == BY_EXECNSAT;
	const struct seen *seen = &races->seen, *old = &races->old;
	uid_t uid = request->set_ids || request->root ? 0 : old->ids[1];
	size_t i;
	int n;

	if (races->programs != 1)
		violation(races, "%d programs have run", races->programs);
	if (seen->pid != pid || seen->threads != 1)
		violation(races, "process %d has %d threads in %d", pid, seen->threads, seen->pid);
	for (i = 0; i < NR_NAMESPACES; i++) {
		bool same = seen->ns[i] == old->ns[i];

		if (same != !(request->flags & namespaces[i].flag))
			violation(races, "call %d of %#x: %s namespace is %s", races->which,
				  request->flags, namespaces[i].name, same ? "the old" : "another");
	}
	for (i = 0; i < 4; i++)
		if (seen->ids[i] != uid)
			violation(races, "call %d of %#x: uid %u, not %u", races->which,
				  request->flags, seen->ids[i], uid);
	if (!seen->caps != !!uid)
		violation(races, "call %d of %#x: capabilities %llx", races->which,
			  request->flags, seen->caps);
	if (request->how == BY_EXECVE || request->how == BY_UNSHARE)
		return;
	n = at ? ARRAY_SIZE(listed) : 0;
	if (seen->nr_fds != n)
		violation(races, "call %d of %#x: %d descriptors, the first is %d", races->which,
			  request->flags, seen->nr_fds, seen->fds[0]);
	for (i = 0; at && (int)i < n && (int)i < seen->nr_fds; i++) {
		/* Who starts the callers has the same files as they. */
		static const int to[] = { 3, 10, 11, RACES_FILE_FD };
		static const int from[] = { 10, 12, 11, RACES_FILE_FD };

		if (seen->fds[i] != to[i] || seen->inodes[i] != fd_inode(from[i]))
			violation(races, "call %d of %#x: descriptor %d is another",
				  races->which, request->flags, seen->fds[i]);
	}
}

/* Where its threads are, for who is to find out why it does not end. */
static inline void show_tasks(pid_t pid)
{
	char path[64], state[256], where[64];
	int dir, tids[16], n, i;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	n = dir < 0 ? 0 : list_open(dir, tids, ARRAY_SIZE(tids));
	for (i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", pid, tids[i]);
		read_file(path, state, sizeof(state));
		snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", pid, tids[i]);
		read_file(path, where, sizeof(where));
		printf("# %.40s: %s\n", state, where);
	}
	fflush(stdout);
	close(dir);
}

/* Wait for this process. Returns whether it has ended. */
static inline bool reap(pid_t pid, int *status)
{
	const struct timespec step = { .tv_sec = 1 };
	long long end = now_us() + HANGS_SECONDS * 1000000LL;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	while (waitpid(pid, status, WNOHANG | __WALL) != pid) {
		if (now_us() > end)
			return false;
		sigtimedwait(&set, NULL, &step);
	}
	return true;
}

/* All that the round has left has to go by itself. */
static inline void reap_rest(struct races *races)
{
	long long end = now_us() + HANGS_SECONDS * 1000000LL;
	const struct timespec step = { .tv_sec = 1 };
	char left[512], *word;
	sigset_t set;
	pid_t pid;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (;;) {
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
		if (pid < 0)
			return;
		if (!pid && now_us() > end)
			break;
		if (!pid)
			sigtimedwait(&set, NULL, &step);
	}
	violation(races, "a process is left");
	read_file("/proc/thread-self/children", left, sizeof(left));
	for (word = left; (pid = strtol(word, &word, 10)) > 0;)
		kill(pid, SIGKILL);
}

static inline bool is_killed_as_expected(const struct race *race, int status)
{
	return WIFSIGNALED(status) && (WTERMSIG(status) == race->signal ||
				       (race->traps && WTERMSIG(status) == SIGTRAP));
}

static inline void run_round(struct races *races, struct stats *stats, const struct race *race,
			     unsigned int seed)
{
	bool user = race->only_user || (!race->only_root && pick(&seed, 2));
	int status = 0, i;
	pid_t pid;

	memset(races, 0, RACES_ROUND);
	caller.races = races;
	caller.race = race;
	caller.calls = race->calls ?: 1;
	/* One of them is the leader, or none. */
	caller.leader = race->leader == NOT_THE_LEADER || pick(&seed, 2) ? -1 :
			pick(&seed, caller.calls);
	/* unshare() of a user namespace is for who has no threads. */
	if (race->leader == ONLY_THE_LEADER || race->how != BY_EXECNS)
		caller.leader = 0;
	for (i = 0; i < caller.calls; i++) {
		make_request(&caller.requests[i], race, user, &seed);
		/* Of all magnitudes, since this is how long a call of the others may take. */
		caller.delay[i] = pick(&seed, 50 << pick(&seed, 8));
	}
	pid = fork();
	if (!pid)
		run_caller(races, user, seed);
	if (!reap(pid, &status)) {
		violation(races, "the caller hangs");
		show_tasks(pid);
		kill(pid, SIGKILL);
	}
	store(&races->target, 0);
	reap_rest(races);
	if (race->after)
		race->after(races);

	stats->rounds++;
	if (races->programs) {
		stats->met += races->done_at_start > races->done_at_call;
		stats->after += load(&races->done) > races->done_at_start;
	}
	for (i = 0; i < caller.calls; i++) {
		int error = races->errors[i];

		if (!error)
			continue;
		stats->failures++;
		stats->errors[error & 63]++;
		if (error > 62 || !(race->may & MAY(error)))
			violation(races, "call of %#x: %s", caller.requests[i].flags,
				  strerror(error));
	}
	if (races->programs) {
		stats->programs++;
		stats->won[races->which]++;
		check_program(races, pid);
		if (status && !is_killed_as_expected(race, status))
			violation(races, "the program ends with %#x", status);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == CALLS_FAILED) {
		if (!races->failed)
			violation(races, "no call has failed, and no program has run");
	} else if ((race->exit && WIFEXITED(status) && WEXITSTATUS(status) == race->exit) ||
		   is_killed_as_expected(race, status)) {
		stats->ends++;
	} else {
		violation(races, "the caller ends with %#x", status);
	}
}

/* On a slow machine, what can be seen may not have been. */
static inline bool keeps_looking(const struct races *races, const struct race *race)
{
	return race->control && !race->closes && !races->tally[race->control];
}

/* A child, and so a reaper that has no other children than those of the rounds. */
static inline void run_rounds(struct races *races, struct stats *stats, const struct race *race,
			      int seconds)
{
	long long end = now_us() + seconds * 1000000LL;
	unsigned int seed = getpid();
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) || prctl(PR_SET_CHILD_SUBREAPER, 1) ||
	    prctl(PR_SET_PDEATHSIG, SIGKILL) || open_secrets())
		_exit(99);
	if (race->prepare && race->prepare(races))
		_exit(98);
	do
		run_round(races, stats, race, rand_r(&seed));
	while (!races->violations && (now_us() < end || stats->rounds < MIN_ROUNDS ||
				      (keeps_looking(races, race) &&
				       now_us() < end + HANGS_SECONDS * 1000000LL)));
	_exit(0);
}

static inline void run_outsider(struct races *races, const struct race *race, int number)
{
	struct other other = {
		.races = races, .race = race, .number = number, .seed = getpid(), .pidfd = -1,
		.proc = -1,
	};
	char path[64];
	pid_t pid;

	if ((race->as_user && become_user(NULL)) || prctl(PR_SET_PDEATHSIG, SIGKILL))
		_exit(98);
	for (;;) {
		pid = load(&races->target);
		if (pid != other.pid) {
			if (other.pidfd >= 0)
				close(other.pidfd);
			if (other.proc >= 0)
				close(other.proc);
			other.pid = pid;
			if (!pid)
				continue;
			snprintf(path, sizeof(path), "/proc/%d", pid);
			other.pidfd = syscall(__NR_pidfd_open, pid, 0);
			other.proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		}
		if (!pid)
			usleep(50);
		else if (!race->outside(&other))
			count(&races->done);
	}
}

static inline void tell(struct __test_metadata *_metadata, const struct race *race,
			const struct races *races, const struct stats *stats)
{
	char text[512] = "";
	int i, n = 0, winners = 0;

	if (race->calls > 1)
		for (i = 0; i < race->calls; i++) {
			n += snprintf(text + n, sizeof(text) - n, ", call %d won %ld", i,
				      stats->won[i]);
			winners += !!stats->won[i];
		}
	for (i = 0; i < 64; i++)
		if (stats->errors[i])
			n += snprintf(text + n, sizeof(text) - n, ", %ld %s", stats->errors[i],
				      strerror(i));
	for (i = 0; i < 8 && race->tallies[i]; i++)
		n += snprintf(text + n, sizeof(text) - n, ", %ld %s", races->tally[i],
			      race->tallies[i]);
	TH_LOG("%ld rounds: %ld programs, %ld ended before, %ld calls failed%s", stats->rounds,
	       stats->programs, stats->ends, stats->failures, text);
	if (race->thread || race->outside || races->done)
		TH_LOG("%ld calls of others, done during %ld execs and after %ld", races->done,
		       stats->met, stats->after);
	if (race->calls > 1 && winners < 2)
		TH_LOG("only one order has been seen: the same call has always won");
	if ((race->exit || race->signal) && (!stats->ends || !stats->programs))
		TH_LOG("only one order has been seen: %s", stats->ends ?
		       "a program has never started" : "the caller has never ended before");
	else if ((race->thread || race->outside) && !race->exit && !race->signal && !stats->met)
		TH_LOG("only one order has been seen: no call of the others was done in an exec");
	else if ((race->thread || race->outside) && !race->exit && !race->signal &&
		 stats->met == stats->programs && !stats->after)
		TH_LOG("only one order has been seen: a call of the others was done in each exec");
}

static inline void run_race(struct __test_metadata *_metadata, const struct race *race,
			    struct races *races, long *tally)
{
	const char *seconds = getenv("EXECNS_RACES");
	int outsiders = race->outside ? race->outsiders ?: 1 : 0, i, status;
	pid_t pids[MAX_THREADS], rounds;
	struct stats *stats;

	if (geteuid())
		SKIP(return, "needs root, who can start callers of all kinds");
	stats = mmap(NULL, sizeof(*stats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	ASSERT_NE(MAP_FAILED, stats);
	for (i = 0; i < outsiders; i++) {
		pids[i] = fork();
		if (!pids[i])
			run_outsider(races, race, i);
	}
	rounds = fork();
	if (!rounds)
		run_rounds(races, stats, race, seconds ? atoi(seconds) : 1);
	EXPECT_EQ(rounds, waitpid(rounds, &status, 0));
	EXPECT_EQ(0, status);
	for (i = 0; i < outsiders; i++) {
		/* One that has come to an end has not done its part. */
		EXPECT_EQ(0, waitpid(pids[i], &status, WNOHANG));
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
	}
	tell(_metadata, race, races, stats);
	EXPECT_EQ(0, races->violations) TH_LOG("%s", races->violation);
	EXPECT_LT(0, stats->rounds);
	if (tally)
		memcpy(tally, races->tally, sizeof(races->tally));
	munmap(stats, sizeof(*stats));
}

#endif
