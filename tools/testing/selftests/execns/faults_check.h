/* SPDX-License-Identifier: GPL-2.0 */
/* Sweeps of a call, and all that is looked at before and after. */
#ifndef _FAULTS_CHECK_H
#define _FAULTS_CHECK_H

#include "faults_charge.h"
#include "faults_left.h"
#include "faults_sweep.h"

/*
 * Of the hits of a call that are no allocations of pages, so many may be past the point
 * of no return. There are 26, and 43 with a loader.
 */
#define NR_LAST_HITS 50
#define FEW_HITS 5

struct check {
	struct sweep *sweep;
	unsigned int hits, objects;	/* all, and those that are no allocations of pages */
	int tries;			/* tenths of a second that things may take to go */
	long dying;			/* cgroups */
	struct charges charges;
};

/* What the tests of a program know of each other: their processes come and go. */
static struct {
	nlink_t caches;
	bool settled, own_tmp;
	struct left left;
} *known;

static void __attribute__((constructor)) share_known(void)
{
	known = share_memory(sizeof(*known));
	/* Once for all tests, which count mounts and namespaces. */
	known->own_tmp = !private_tmp();
}

/* NULL, or what does not work. */
static inline const char *begin_check(struct check *check, const struct faults_call *call)
{
	check->tries = 200;
	if (!known->own_tmp)
		return "no /tmp of its own";
	check->sweep = share_memory(sizeof(*check->sweep));
	if (!check->sweep || make_programs() || make_things())
		return "no sweep, programs or things";
	check->sweep->call = call;
	check->dying = count_dying();
	if (enter_cgroup())
		return "no cgroup";
	/* What is made but once is made now, and can fail as well afterwards. */
	if (allow_faults() || let_pages_fail(false) || !count_hits(check->sweep) ||
	    choose_new_caches(&known->caches))
		return *check->sweep->broken ? check->sweep->broken : "no faults";
	check->objects = count_hits(check->sweep);
	if (let_pages_fail(true))
		return "no faults of pages";
	check->hits = count_hits(check->sweep);
	if (!check->hits || !check->objects)
		return *check->sweep->broken ? check->sweep->broken : "no hits";
	if (!known->settled)
		settle(&known->left);
	known->settled = true;
	if (take_charges(&check->charges, call->uid, call->flags))
		return "no charges";
	return NULL;
}

/*
 * How many of the last hits kill the caller, or -1. How many pages are allocated is
 * different each time, as it depends on which cache has to grow: without them it is
 * exact. But the first call of a caller may have a few hits more before those, so that
 * some are met twice.
 */
static inline int count_killed(struct check *check)
{
	struct sweep *sweep = check->sweep;
	unsigned int first = 1;

	if (check->objects > NR_LAST_HITS)
		first = check->objects - NR_LAST_HITS;
	if (let_pages_fail(false) || !run_sweep(sweep, first, 1) || let_pages_fail(true))
		return -1;
	/* The first of them are to be before the point of no return. */
	if (!sweep->failed)
		return -1;
	if (sweep->killed > sweep->last_killed + FEW_HITS) {
		broken(sweep, "killed by %u, and a later fault fails", sweep->first_killed);
		return -1;
	}
	return sweep->last_killed;
}

/* NULL, or what is wrong when these hits fail. */
static inline const char *run_check(struct check *check, unsigned int first, unsigned int step)
{
	static char wrong[1000];
	struct left after;
	const char *left;
	size_t len = 0;

	wrong[0] = '\0';
	if (!run_sweep(check->sweep, first, step))
		len += sprintf(wrong + len, "%s. ", check->sweep->broken);
	left = what_is_left(&known->left, &after, check->tries);
	if (left) {
		/* If it comes of the faults, and not of somebody else, it does so again. */
		printf("# left, if it is not of somebody else: %s\n", left);
		known->left = after;
		run_sweep(check->sweep, first, step);
		left = what_is_left(&known->left, &after, check->tries);
		if (left)
			len += sprintf(wrong + len, "Left, each time: %s. ", left);
	}
	known->left = after;
	left = what_is_charged(&check->charges, check->tries);
	if (left)
		sprintf(wrong + len, "Charged: %s. ", left);
	return *wrong ? wrong : NULL;
}

/* Whether nothing has to do with the cgroup any more. */
static inline bool end_check(const struct check *check)
{
	drop_things();
	return leave_cgroup(check->dying);
}

#endif
