/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What namespaces a user is charged for. No file tells it, but the least limit
 * that lets it make one more does.
 */
#ifndef _FAULTS_CHARGE_H
#define _FAULTS_CHARGE_H

#include "faults.h"

static const struct {
	const char *name;
	int flag;
} charged[] = {
	{ "cgroup", CLONE_NEWCGROUP }, { "ipc", CLONE_NEWIPC }, { "mnt", CLONE_NEWNS },
	{ "net", CLONE_NEWNET }, { "pid", CLONE_NEWPID }, { "time", CLONE_NEWTIME },
	{ "user", CLONE_NEWUSER }, { "uts", CLONE_NEWUTS },
};

struct charges {
	uid_t uid;
	long least[ARRAY_SIZE(charged)];
};

static inline int make_one(uid_t uid, int flag)
{
	pid_t child = fork();
	int status;

	if (!child) {
		if (uid && become_id(uid))
			_exit(EINVAL);
		_exit(unshare(flag | (uid ? CLONE_NEWUSER : 0)) ? errno : 0);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

/* As make_one(), with a limit, of which there have been more for a while at most. */
static inline int make_one_of(uid_t uid, size_t i, long limit, int tries)
{
	char path[64], before[32], text[32];
	int error;

	snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", charged[i].name);
	read_file(path, before, sizeof(before));
	snprintf(text, sizeof(text), "%ld", limit);
	if (write_file(path, text))
		return -1;
	while ((error = make_one(uid, charged[i].flag)) == ENOSPC && --tries > 0)
		usleep(100000);
	write_file(path, before);
	return error;
}

/* Of the kinds in @flags. -1 if one cannot be made at all. */
static inline int take_charges(struct charges *charges, uid_t uid, int flags)
{
	size_t i;
	int error;

	*charges = (struct charges){ .uid = uid };
	for (i = 0; i < ARRAY_SIZE(charged); i++) {
		if (!(flags & charged[i].flag))
			continue;
		do {
			error = make_one_of(uid, i, ++charges->least[i], 5);
		} while (error == ENOSPC && charges->least[i] < 100);
		if (error)
			return -1;
	}
	return 0;
}

/* The kind of which there is more than there was, or NULL. */
static inline const char *what_is_charged(const struct charges *charges, int tries)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(charged); i++)
		if (charges->least[i] && make_one_of(charges->uid, i, charges->least[i], tries))
			return charged[i].name;
	return NULL;
}

#endif
