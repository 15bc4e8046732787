// SPDX-License-Identifier: GPL-2.0
/*
 * account_storm KIND UID THREADS MS RESULT: do the same again and again in many
 * threads, and write to RESULT how often that was, and what has gone wrong.
 * With KIND "true", do nothing.
 *
 *   same       all threads change between two uids, so that accounts come and go
 *   different  each thread has uids of its own
 *   exec       children change their uid, and execute a program
 *   execns     children execute one in a container of its own
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "account_agent.h"

#ifndef __NR_execns
#define __NR_execns (__NR_open_tree_attr - 467 + 473)
#endif

#define MAX_THREADS 16
#define UIDS_PER_THREAD 2

static const char *kind;
static char *self;
static uid_t first_uid;
static long long end;
static int root;	/* may change its uid */

struct worker {
	pthread_t thread;
	int number;
	long count;
	int error;		/* errno of what has failed first */
	const char *what;
};

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static int failed(struct worker *worker, const char *what)
{
	worker->error = errno ?: EIO;
	worker->what = what;
	return -1;
}

/* Of this thread only, and only the uid that is charged. */
static int change_uid(uid_t uid)
{
	return syscall(__NR_setresuid, uid, -1, -1);
}

static uid_t uid_of(const struct worker *worker, long round)
{
	int base = strcmp(kind, "different") ? 0 : worker->number * UIDS_PER_THREAD;

	return first_uid + base + round % UIDS_PER_THREAD;
}

/* What is taken by one user is released by the next. */
static int change_users(struct worker *worker, long round)
{
	struct epoll_event event = { .events = EPOLLIN };
	int pipe[2], pair[2], epoll, fd;

	if (change_uid(uid_of(worker, round)))
		return failed(worker, "setresuid");
	if (pipe2(pipe, O_CLOEXEC))
		return failed(worker, "pipe2");
	epoll = epoll_create1(EPOLL_CLOEXEC);
	if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, pipe[0], &event))
		return failed(worker, "epoll_ctl");
	if (round % 8 == 0) {
		fd = eventfd(0, EFD_CLOEXEC);
		if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) ||
		    agent_send(pair[0], "x", 1, &fd, 1) != 1)
			return failed(worker, "sendmsg");
		close(fd);
		close(pair[0]);
	}
	if (change_uid(uid_of(worker, round + 1)))
		return failed(worker, "setresuid");
	close(pipe[0]);
	close(pipe[1]);
	close(epoll);
	if (round % 8 == 0)
		close(pair[1]);
	return 0;
}

static int execute(struct worker *worker, long round)
{
	char *const argv[] = { self, "true", NULL };
	int status, pipe[2];
	pid_t child = fork();

	if (!child) {
		if ((root && change_uid(uid_of(worker, round))) || pipe2(pipe, 0))
			_exit(errno);
		if (!strcmp(kind, "execns"))
			syscall(__NR_execns, CLONE_NEWUSER, self, argv, environ);
		else
			execve(self, argv, environ);
		_exit(errno);
	}
	if (child < 0)
		return failed(worker, "fork");
	if (waitpid(child, &status, 0) != child)
		return failed(worker, "waitpid");
	errno = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
	return status ? failed(worker, "exec") : 0;
}

static void *work(void *data)
{
	int (*once)(struct worker *worker, long round) = strncmp(kind, "exec", 4) ?
		change_users : execute;
	struct worker *worker = data;

	while (now() < end && !worker->error)
		if (!once(worker, worker->count))
			worker->count++;
	return NULL;
}

/* The counters of the account that is not empty, after a while. */
static int leftovers(char *text, size_t size)
{
	char line[256];
	int tries, left = 0;
	FILE *in;

	text[0] = '\0';
	for (tries = 0; tries < 200; tries++) {
		in = fopen("/proc/self/account", "re");
		if (!in)
			return -1;
		for (left = 0; fgets(line, sizeof(line), in);) {
			char name[32];
			long long count;

			/* Those of keys are not for a storm to change. */
			if (sscanf(line, "%31s %*s %lld", name, &count) == 2 && count &&
			    strcmp(name, "uid") && strncmp(name, "key", 3)) {
				snprintf(text, size, "%s %lld", name, count);
				left++;
			}
		}
		fclose(in);
		if (!left)
			return 0;
		usleep(25000);
	}
	return left;
}

int main(int argc, char **argv)
{
	static struct worker workers[MAX_THREADS];
	struct worker *bad = NULL;
	int threads, uids, i, left = 0, status;
	long count = 0;
	char text[128];
	FILE *out;

	if (argc == 2 && !strcmp(argv[1], "true"))
		return 0;
	if (argc != 6)
		return 97;
	self = argv[0];
	kind = argv[1];
	first_uid = atoi(argv[2]);
	threads = atoi(argv[3]);
	end = now() + atoi(argv[4]);
	root = !geteuid();
	out = fopen(argv[5], "we");
	if (!out || threads > MAX_THREADS)
		return 96;
	for (i = 0; i < threads; i++) {
		workers[i].number = i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			return 95;
	}
	for (i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		count += workers[i].count;
		if (workers[i].error)
			bad = &workers[i];
	}
	fprintf(out, "%ld operations", count);
	if (bad)
		fprintf(out, ", %s of thread %d: %s", bad->what, bad->number,
			strerror(bad->error));
	/* Others of the same table may be at work when this is the host's. */
	uids = root && getenv("ACCOUNT_STORM_ALONE") ? UIDS_PER_THREAD * threads : 0;
	for (i = 0; i < uids && !left; i++) {
		if (change_uid(first_uid + i))
			return 94;
		left = leftovers(text, sizeof(text));
		if (left)
			fprintf(out, ", account of %u: %s", first_uid + i, text);
	}
	status = bad || left || !count;
	fprintf(out, "%s\n", status ? ", bad" : "");
	return fclose(out) ? 93 : status;
}
