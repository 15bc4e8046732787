/* SPDX-License-Identifier: GPL-2.0 */
/* A sweep, and all that is looked at before and after it. */
#ifndef _FAULTS_CHECK_H
#define _FAULTS_CHECK_H

#include "faults_charge.h"
#include "faults_left.h"
#include "faults_sweep.h"

struct check {
	struct sweep *sweep;
	unsigned int hits, copies, slabs;	/* the others allocate pages */
	int tries;			/* tenths of a second that things may take to go */
	struct left before;
	long dying;			/* cgroups */
	struct charges charges;
};

/* NULL, or what does not work. */
static inline const char *begin_check(struct check *check, const struct faults_call *call)
{
	check->tries = 100;
	check->sweep = new_sweep(call);
	if (!check->sweep || make_programs() || make_things())
		return "no sweep, programs or things";
	check->dying = count_dying();
	if (enter_cgroup())
		return "no cgroup";
	/* What is made but once is made now, and can fail as well afterwards. */
	check->copies = count_hits(check->sweep, 0);
	check->copies = count_hits(check->sweep, 0);
	check->slabs = count_hits(check->sweep, FAULTS_OF_SLABS) - check->copies;
	check->hits = count_hits(check->sweep, ALL_FAULTS);
	if (!check->hits || !check->copies)
		return *check->sweep->broken ? check->sweep->broken : "no hits";
	settle(&check->before);
	if (take_charges(&check->charges, call->uid, call->flags))
		return "no charges";
	return NULL;
}

/* NULL, or what is wrong when these hits fail. */
static inline const char *run_check(struct check *check, unsigned int first, unsigned int step)
{
	struct left after, again;
	static char wrong[1000];
	const char *left;
	size_t len = 0;

	wrong[0] = '\0';
	if (!run_sweep(check->sweep, first, step))
		len += sprintf(wrong + len, "%s. ", check->sweep->broken);
	left = what_is_left(&check->before, &after, check->tries);
	if (left) {
		/* If it comes of the faults, and not of somebody else, it does so again. */
		printf("# left, if it is not of somebody else: %s\n", left);
		run_sweep(check->sweep, first, step);
		left = what_is_left(&after, &again, check->tries);
		if (left)
			len += sprintf(wrong + len, "Left, each time: %s. ", left);
	}
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
