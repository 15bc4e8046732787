/* SPDX-License-Identifier: GPL-2.0 */
/*
 * All hits of a call, one after the other. As a caller is intact after a call that
 * has failed, it goes on with the next hit; there is a new one after a call that
 * has started the program in spite of the fault, or that has killed the caller.
 */
#ifndef _FAULTS_SWEEP_H
#define _FAULTS_SWEEP_H

#include "faults_call.h"
#include "faults_state.h"

/* What a caller exits with: it has found something, or there was no fault left. */
#define CALLER_BROKEN 97
#define CALLER_DONE 96

struct sweep {
	const struct faults_call *call;
	unsigned int step;		/* each step-th hit fails */
	/* Of the tests of the test: do something after the first call that has failed. */
	void (*spoil)(void);

	/* What comes of it, which the callers write. */
	unsigned int nth;
	unsigned int injected, failed, killed, tolerated;
	/* After the last one that has failed, and which was the first. */
	unsigned int last_killed, first_killed;
	struct {
		int error;
		unsigned int count;
	} errors[8];
	char broken[400];		/* what is wrong */
	/* Of the caller. */
	struct faults_state before, after;
};

static inline __printf(2, 3) bool
broken(struct sweep *sweep, const char *fmt, ...)
{
	va_list args;
	int len = snprintf(sweep->broken, sizeof(sweep->broken), "fault %u: ", sweep->nth);

	va_start(args, fmt);
	vsnprintf(sweep->broken + len, sizeof(sweep->broken) - len, fmt, args);
	va_end(args);
	return false;
}

/* What execve(2) and unshare(2) set as well if the same fails. */
static inline bool is_expected(const struct faults_call *call, int error)
{
	switch (error) {
	case ENOMEM:
	case EFAULT:
	case E2BIG:			/* there is no page for what is in argv */
	case ENOEXEC:			/* there is none to read the program to */
		return true;
	case ELIBBAD:			/* nor its loader */
		return call->program == DYNAMIC;
	case ENOSPC:			/* nobody to charge for a namespace */
		return call->flags & ALL_NS;
	case EAFNOSUPPORT:		/* of sockets and devices that a network namespace has */
	case EEXIST:
	case EINVAL:
	case ENFILE:
	case ENOBUFS:
	case ENODEV:
		return call->flags & CLONE_NEWNET;
	default:
		return false;
	}
}

static inline void count_failed(struct sweep *sweep, int error)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(sweep->errors) - 1 && sweep->errors[i].error &&
	       sweep->errors[i].error != error)
		i++;
	sweep->errors[i].error = error;
	sweep->errors[i].count++;
	sweep->failed++;
	sweep->last_killed = 0;
}

/* After a call that has returned. Returns whether the caller goes on. */
static inline bool is_intact(struct sweep *sweep, const struct faulted *faulted)
{
	const char *error = strerror(faulted->error), *differs;

	if (faulted->ret && faulted->left)
		return broken(sweep, "%s, without a fault (%u left)", error, faulted->left);
	if (faulted->ret && !sweep->failed && sweep->spoil)
		sweep->spoil();
	take_state(&sweep->after);
	differs = what_differs(&sweep->before, &sweep->after);
	if (differs)
		return broken(sweep, "%s, and %s is not what it was", error, differs);
	/* The sweep goes on, to know of all others as well. */
	if (faulted->ret && !is_expected(sweep->call, faulted->error))
		broken(sweep, "%s", error);
	return true;
}

static inline int caller(void *data)
{
	struct sweep *sweep = data;
	struct faulted faulted;
	int fd = open_fail_nth();

	if (fd < 0 || caller_things(sweep->call->threads) || prepare_call(sweep->call)) {
		broken(sweep, "not prepared: %s", strerror(errno));
		_exit(CALLER_BROKEN);
	}
	take_state(&sweep->before);
	for (;;) {
		faulted = call_with_fault(fd, sweep->nth, make_call, sweep->call);
		if (!is_intact(sweep, &faulted))
			_exit(CALLER_BROKEN);
		if (!faulted.ret && faulted.left) {
			sweep->nth -= faulted.left - 1;
			_exit(CALLER_DONE);
		}
		sweep->injected++;
		if (faulted.ret)
			count_failed(sweep, faulted.error);
		else
			sweep->tolerated++;
		sweep->nth += sweep->step;
	}
}

/* What has become of a caller. Returns whether there are more hits. */
static inline bool judge_caller(struct sweep *sweep, int status, unsigned int left)
{
	if (WIFSIGNALED(status)) {
		if (left || (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGSEGV))
			return broken(sweep, "signal %d, %u left", WTERMSIG(status), left);
		sweep->killed++;
		sweep->last_killed++;
		if (!sweep->first_killed)
			sweep->first_killed = sweep->nth;
	} else {
		if (WEXITSTATUS(status) == CALLER_DONE || WEXITSTATUS(status) == CALLER_BROKEN)
			return false;
		if (WEXITSTATUS(status) != PROGRAM_RAN)
			return broken(sweep, "exit %d of the program", WEXITSTATUS(status));
		if (left) {
			sweep->nth -= left - 1;
			return false;
		}
		sweep->tolerated++;
	}
	sweep->injected++;
	sweep->nth += sweep->step;
	return true;
}

/* Numbers of descriptors that are open. */
static inline unsigned long long open_numbers(void)
{
	unsigned long long numbers = 0;
	int fd;

	for (fd = 0; fd < NR_HELD; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			numbers |= 1ULL << fd;
	return numbers;
}

/* A caller that shares the table leaves in it what it has opened by itself. */
static inline void close_but(unsigned long long numbers)
{
	int fd;

	for (fd = 0; fd < NR_HELD; fd++)
		if (!(numbers & 1ULL << fd))
			close(fd);
}

/* From hit @first on, each @step-th. False if something is wrong. */
static inline bool run_sweep(struct sweep *sweep, unsigned int first, unsigned int step)
{
	const size_t results = offsetof(struct sweep, nth);
	unsigned long long numbers = open_numbers();
	unsigned int left;
	siginfo_t info;
	int status;
	pid_t child;

	memset((char *)sweep + results, 0, sizeof(*sweep) - results);
	sweep->nth = first;
	sweep->step = step;
	do {
		child = run_sharing(sweep->call->share, caller, sweep);
		if (child < 0 || waitid(P_PID, child, &info, WEXITED | WNOWAIT))
			return broken(sweep, "no caller: %s", strerror(errno));
		left = left_by_zombie(child);
		waitpid(child, &status, 0);
		close_but(numbers);
	} while (judge_caller(sweep, status, left));
	return !*sweep->broken;
}

/* How many hits there are: a call for which no fault is left. 0 if it fails. */
static inline unsigned int count_hits(struct sweep *sweep)
{
	if (!run_sweep(sweep, NO_FAULT, 1) || sweep->injected)
		return 0;
	/* It is what would have been the next one. */
	return sweep->nth - 1;
}

#endif
