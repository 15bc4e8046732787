/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of accounts share: the resources that are counted per user,
 * with low limits, programs that take all of one, and /proc/PID/account.
 */
#ifndef _ACCOUNT_HOGS_H
#define _ACCOUNT_HOGS_H

#include "execns_test.h"

#include <linux/securebits.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define MAX_HOGS 12
/* A user namespace is this deep at most, below the first one. */
#define MAX_DEPTH 33
/* One more than an account can have, to see it. */
#define MAX_COLUMNS (MAX_DEPTH + 2)
#define NO_RLIMIT (-1)
#define ALL_CAPS ((2ULL << CAP_LAST_CAP) - 1)

/* The units are chosen such that a hog has 16 to 32 of them when it is refused. */
static const struct resource {
	const char *name;	/* of execns_hog */
	const char *line;	/* of /proc/PID/account, if it has one */
	int refusal;		/* errno */
	const char *sysctl[2];	/* the limit, also that of root where it differs */
	int rlimit;
	long limit;
	int unit;		/* charged for each unit */
	int beside;		/* charged once */
	int refused;		/* charged in spite of a refusal */
	int over;		/* one gets that many units more than the limit */
	bool racy;		/* checked, then charged: several at once may get more */
	unsigned int exempt[2];	/* the capabilities that lift the limit, each of them */
} resources[] = {
	{ "pipe_soft", "pipe_pages_soft", 0, { "fs/pipe-user-pages-soft" },
	  NO_RLIMIT, 256, .unit = 16, .refused = 2,
	  .exempt = { CAP_SYS_RESOURCE, CAP_SYS_ADMIN } },
	{ "pipe_hard", "pipe_pages_hard", ENFILE, { "fs/pipe-user-pages-hard" },
	  NO_RLIMIT, 256, .unit = 16, .exempt = { CAP_SYS_RESOURCE, CAP_SYS_ADMIN } },
	{ "epoll", "epoll_watches", ENOSPC, { "fs/epoll/max_user_watches" },
	  NO_RLIMIT, 16, .unit = 1, .racy = true },
	{ "inflight", "unix_inflight", ETOOMANYREFS, {},
	  RLIMIT_NOFILE, 32, .unit = 1, .over = 1, .racy = true,
	  .exempt = { CAP_SYS_RESOURCE, CAP_SYS_ADMIN } },
	{ "io_uring", "locked_pages", ENOMEM, {}, RLIMIT_MEMLOCK, 16, .unit = 1,
	  .exempt = { CAP_IPC_LOCK } },
	{ "zerocopy", "locked_pages", ENOBUFS, {}, RLIMIT_MEMLOCK, 32, .unit = 2,
	  .exempt = { CAP_IPC_LOCK } },
	{ "secretmem", "locked_pages", EFAULT, {}, RLIMIT_MEMLOCK, 16, .unit = 1 },
	{ "perf", "perf_pages", EPERM, { "kernel/perf_event_mlock_kb" },
	  NO_RLIMIT, 16, .unit = 1, .racy = true, .exempt = { CAP_IPC_LOCK } },
	{ "keys", "keys", EDQUOT, { "kernel/keys/maxkeys", "kernel/keys/root_maxkeys" },
	  NO_RLIMIT, 17, .unit = 1, .beside = 1 },
	/* The key's name, its data, the link to it; and the name of the keyring. */
	{ "key_bytes", "key_bytes", EDQUOT, { "kernel/keys/maxbytes", "kernel/keys/root_maxbytes" },
	  NO_RLIMIT, 17000, .unit = 17 + 1024 + 4, .beside = 5 },
	{ "watch_queue", "queue_watches", EAGAIN, {}, RLIMIT_NOFILE, 32, .unit = 1 },
	{ "inotify", NULL, EMFILE, { "user/max_inotify_instances" }, NO_RLIMIT, 16, .unit = 1 },
	{ "userns", NULL, ENOSPC, { "user/max_user_namespaces" }, NO_RLIMIT, 16, .unit = 1 },
};

enum {
	PIPE_SOFT, PIPE_HARD, EPOLL, INFLIGHT, IO_URING, ZEROCOPY, SECRETMEM, PERF, KEYS,
	KEY_BYTES, WATCH_QUEUE, INOTIFY, USERNS, NR_RESOURCES
};

/* No other limit shall be in the way of the one that is tested. */
static const struct {
	const char *name, *value;
} sysctls[] = {
	{ "fs/epoll/max_user_watches", "100000" },
	{ "fs/pipe-user-pages-hard", "0" },
	{ "fs/pipe-user-pages-soft", "0" },
	{ "kernel/io_uring_disabled", "0" },
	{ "kernel/keys/maxbytes", "1000000" },
	{ "kernel/keys/maxkeys", "100000" },
	{ "kernel/keys/root_maxbytes", "1000000" },
	{ "kernel/keys/root_maxkeys", "100000" },
	{ "kernel/perf_event_mlock_kb", "516" },
	{ "kernel/perf_event_paranoid", "2" },
	{ "user/max_inotify_instances", "100000" },
	{ "user/max_user_namespaces", "100000" },
};

/* /proc/PID/account: a column per account, from the process's own upwards. */
struct account {
	int lines, columns;
	struct {
		char name[24], limit[24];
		long count[MAX_COLUMNS];
	} line[16];
};

/* How to start a hog. */
struct start {
	enum how how;
	uid_t uid;		/* who calls */
	unsigned long long caps; /* of the caller; 0: all if root, else none */
	bool unshared;		/* the caller has made a user namespace for itself */
	pid_t join;		/* it has entered that of this process */
	bool root_inside;	/* if root calls for a user: the hog stays root */
	int depth;		/* namespaces inside the first, see execns_hog */
	long max;		/* units, all if 0 */
};

/* One that runs: in a child of @pid, which stays when the child is killed. */
struct hog {
	pid_t pid, holder;
	bool outside;		/* it has the host's account */
	long count, size;
	int error;
	char out[64];
};

struct world {
	const struct resource *resource;
	uid_t uid;		/* of the hogs */
	pid_t observer;		/* a process of that uid, in no container */
	struct account before;	/* its account, when there were no hogs */
	pid_t namespace;	/* a process that has one of root's, or 0 */
	int nr_hogs;
	struct hog hogs[MAX_HOGS];
	char saved[ARRAY_SIZE(sysctls)][32];
};

static inline int set_sysctl(const char *name, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	return access(path, F_OK) ? 0 : write_file(path, value);
}

/* The limit in what /proc/PID/account counts. */
static inline long limit_of(const struct resource *resource)
{
	if (resource == &resources[PERF])
		return resource->limit * sysconf(_SC_NPROCESSORS_ONLN);
	return resource->limit;
}

/* The units that a hog gets which has an account for itself. */
static inline long alone(const struct resource *resource)
{
	return (limit_of(resource) - resource->beside) / resource->unit + resource->over;
}

static inline bool was_refused(const struct world *world, const struct hog *hog)
{
	const struct resource *resource = world->resource;

	if (hog->error != resource->refusal)
		return false;
	return resource->refusal || hog->size < 16 * sysconf(_SC_PAGESIZE);
}

static inline long charge_of(const struct world *world, const struct hog *hog)
{
	const struct resource *resource = world->resource;

	return hog->count * resource->unit + resource->beside +
	       (was_refused(world, hog) ? resource->refused : 0);
}

/* Whether there is such a file. */
static inline bool read_account(pid_t pid, struct account *account)
{
	char path[64], text[16384], *line, *save, *at;
	int used;

	memset(account, 0, sizeof(*account));
	snprintf(path, sizeof(path), "/proc/%d/account", pid);
	read_file(path, text, sizeof(text));
	for (line = strtok_r(text, "\n", &save); line && account->lines < 16;
	     line = strtok_r(NULL, "\n", &save)) {
		int i = account->lines, columns = 0;

		if (sscanf(line, "%23s %23s%n", account->line[i].name,
			   account->line[i].limit, &used) != 2)
			continue;
		for (at = line + used; columns < MAX_COLUMNS &&
		     sscanf(at, "%ld%n", &account->line[i].count[columns], &used) == 1; at += used)
			columns++;
		/* All lines have the same number of them. */
		if (account->lines++ && columns != account->columns)
			columns = -1;
		account->columns = columns;
	}
	return account->lines;
}

static inline int find_line(const struct account *account, const char *name)
{
	int i;

	for (i = 0; i < account->lines; i++)
		if (!strcmp(account->line[i].name, name))
			return i;
	return -1;
}

static inline void set_rlimit(int which, rlim_t value)
{
	struct rlimit limit = { value, value };

	setrlimit(which, &limit);
}

/* Capabilities that stay with a user's program. */
static inline int raise_ambient(unsigned long long caps)
{
	int cap;

	for (cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (caps >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
			return -1;
	return 0;
}

static inline int become_caller(const struct start *start)
{
	bool stay = start->how == BY_EXECVE;

	if (start->join && setns(syscall(__NR_pidfd_open, start->join, 0), CLONE_NEWUSER))
		return -1;
	if (start->uid && (prctl(PR_SET_KEEPCAPS, !!start->caps) || become_id(start->uid)))
		return -1;
	if (start->caps && set_caps(start->caps, stay ? start->caps : 0))
		return -1;
	if (stay && raise_ambient(start->caps))
		return -1;
	/* Root's would lift some limits. */
	if (stay && !start->uid && prctl(PR_SET_SECUREBITS, SECBIT_NOROOT))
		return -1;
	return start->unshared ? unshare_like_execns(CLONE_NEWUSER) : 0;
}

static inline void exec_hog(const struct world *world, const struct start *start,
			    const struct hog *hog)
{
	const struct resource *resource = world->resource;
	char depth[24], max[24], uid[24];
	char *argv[12] = { "./execns_hog", "-w", "-d", depth };
	int i = 4;

	set_rlimit(RLIMIT_CORE, 0);
	set_rlimit(RLIMIT_NOFILE, 4096);
	set_rlimit(RLIMIT_MEMLOCK, 0);
	if (resource->rlimit == RLIMIT_NOFILE)
		set_rlimit(RLIMIT_NOFILE, resource->limit);
	if (resource->rlimit == RLIMIT_MEMLOCK)
		set_rlimit(RLIMIT_MEMLOCK, resource->limit * sysconf(_SC_PAGESIZE));
	snprintf(depth, sizeof(depth), "%d", start->depth);
	snprintf(max, sizeof(max), "%ld", start->max ?: 4 * alone(resource));
	snprintf(uid, sizeof(uid), "%u", world->uid);
	if (start->uid != world->uid && !start->root_inside) {
		argv[i++] = "-u";
		argv[i++] = uid;
	}
	argv[i++] = (char *)resource->name;
	argv[i++] = (char *)hog->out;
	argv[i] = max;
	if (!become_caller(start))
		exec_argv_by(start->how, CLONE_NEWUSER, argv);
}

static inline struct hog *start_hog(struct world *world, const struct start *start)
{
	struct hog *hog = &world->hogs[world->nr_hogs];
	int fd;

	snprintf(hog->out, sizeof(hog->out), "/tmp/execns-hog.%d.%d", getpid(),
		 world->nr_hogs++);
	unlink(hog->out);
	fd = open(hog->out, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	/* The hog may be of any user. */
	fchmod(fd, 0666);
	hog->outside = start->how != BY_EXECNS && !start->join;
	hog->pid = fork();
	if (!hog->pid) {
		exec_hog(world, start, hog);
		/* Not even the container could be had. */
		dprintf(fd, "0 %d 0 0\n", errno);
		_exit(EXEC_FAILED);
	}
	close(fd);
	return hog;
}

/* Wait until it holds all that it gets. */
static inline void await_hog(struct hog *hog)
{
	char text[128];
	int i;

	hog->error = ETIMEDOUT;
	for (i = 0; i < 10000; i++) {
		read_file(hog->out, text, sizeof(text));
		if (strchr(text, '\n'))
			break;
		usleep(1000);
	}
	sscanf(text, "%ld %d %ld %d", &hog->count, &hog->error, &hog->size, &hog->holder);
	unlink(hog->out);
}

static inline struct hog *run_hog(struct world *world, const struct start *start)
{
	struct hog *hog = start_hog(world, start);

	await_hog(hog);
	return hog;
}

/* Wait until all of root's user namespaces have gone, by making the only one. */
static inline pid_t make_only_namespace(void)
{
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	int looks = 0;
	pid_t child;

	set_sysctl("user/max_user_namespaces", "1");
	do {
		child = syscall(__NR_clone3, &args, sizeof(args));
		if (child < 0)
			usleep(1000);
	} while (child < 0 && looks++ < 5000);
	while (!child)
		pause();
	return child;
}

/*
 * The hogs will be of root, or of a user that only this test has: what other
 * tests have held is not always free yet.
 */
static inline void set_up_world(struct world *world, int which, bool root)
{
	const struct resource *resource = &resources[which];
	char path[128], value[32];
	size_t i;

	memset(world, 0, sizeof(*world));
	world->resource = resource;
	world->uid = root ? 0 : 10000 + getpid();
	for (i = 0; i < ARRAY_SIZE(sysctls); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", sysctls[i].name);
		read_file(path, world->saved[i], sizeof(world->saved[i]));
		set_sysctl(sysctls[i].name, sysctls[i].value);
	}
	if (root && which == USERNS)
		world->namespace = make_only_namespace();
	snprintf(value, sizeof(value), "%ld", which == PERF ?
		 resource->limit * sysconf(_SC_PAGESIZE) / 1024 : resource->limit);
	for (i = 0; i < 2 && resource->sysctl[i]; i++)
		set_sysctl(resource->sysctl[i], value);
	world->observer = fork();
	if (!world->observer) {
		if (!root && become_id(world->uid))
			_exit(1);
		for (;;)
			pause();
	}
	/* Until it is of that user. */
	while (!root && waitpid(world->observer, NULL, WNOHANG) == 0) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d", world->observer);
		if (!stat(path, &st) && st.st_uid == world->uid)
			break;
		usleep(1000);
	}
	read_account(world->observer, &world->before);
}

static inline void end_process(pid_t pid)
{
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
}

/* Whether the observer's account is what it was. */
static inline bool is_as_before(const struct world *world)
{
	struct account now;

	read_account(world->observer, &now);
	return !memcmp(&now, &world->before, sizeof(now));
}

/* What is still charged to a hog's account in a container: the name of it. */
static inline const char *still_charged(const struct hog *hog, struct account *account)
{
	int i;

	read_account(hog->pid, account);
	for (i = 0; i < account->lines; i++)
		if (account->line[i].count[0] && strcmp(account->line[i].name, "uid"))
			return account->line[i].name;
	return NULL;
}

static inline bool is_released(const struct world *world)
{
	struct account account;
	int i;

	for (i = 0; i < world->nr_hogs; i++)
		if (world->hogs[i].holder > 0 && !world->hogs[i].outside &&
		    still_charged(&world->hogs[i], &account))
			return false;
	return is_as_before(world);
}

/*
 * End those who hold something, but not their parents, and wait for what is
 * freed late, by RCU or a work queue.
 */
static inline void end_holders(struct world *world)
{
	int i, looks = 0;

	for (i = 0; i < world->nr_hogs; i++)
		if (world->hogs[i].holder > 0)
			kill(world->hogs[i].holder, SIGKILL);
	/* Until the parent has reaped it. */
	for (i = 0; i < world->nr_hogs; i++)
		while (world->hogs[i].holder > 0 && !kill(world->hogs[i].holder, 0) &&
		       looks++ < 5000)
			usleep(1000);
	while (!is_released(world) && looks++ < 5000)
		usleep(1000);
}

static inline void tear_down_world(struct world *world)
{
	size_t i;

	end_holders(world);
	for (i = 0; i < (size_t)world->nr_hogs; i++) {
		end_process(world->hogs[i].pid);
		unlink(world->hogs[i].out);
	}
	end_process(world->observer);
	end_process(world->namespace);
	for (i = 0; i < ARRAY_SIZE(sysctls); i++)
		set_sysctl(sysctls[i].name, world->saved[i]);
}

#endif
