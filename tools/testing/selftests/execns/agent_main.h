/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the programs that tests start have in common: a table of commands, and a
 * ring of io_uring that is inherited.
 */
#ifndef _AGENT_MAIN_H
#define _AGENT_MAIN_H

#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct agent_command {
	const char *name;
	int (*run)(char **args);
	int (*finish)(char **args);	/* if all is well so far */
};

static int ready, go;

static int number(char **args)
{
	return *args ? atoi(*args) : -1;
}

/*
 * RING PARAMS: do what @sqe says, by a ring whose parameters are in a file, and
 * return the errno of getting so far, or above 100. @result is what comes of it.
 */
static inline int ring_do(char **args, const struct io_uring_sqe *sqe,
			  struct io_uring_cqe *result)
{
	unsigned int *tail, *array, *cq_head, *cq_tail;
	struct io_uring_params p;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
	int ring = number(args);
	char *sq, *cq;

	if (pread(number(args + 1), &p, sizeof(p), 0) != sizeof(p))
		return 101;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(*array), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(*cqes), PROT_READ | PROT_WRITE,
		  MAP_SHARED, ring, IORING_OFF_CQ_RING);
	sqes = mmap(NULL, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED,
		    ring, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || sqes == MAP_FAILED)
		return errno;
	tail = (void *)(sq + p.sq_off.tail);
	array = (void *)(sq + p.sq_off.array);
	cq_head = (void *)(cq + p.cq_off.head);
	cq_tail = (void *)(cq + p.cq_off.tail);
	cqes = (void *)(cq + p.cq_off.cqes);
	/* What has come before is of no interest. */
	*cq_head = __atomic_load_n(cq_tail, __ATOMIC_ACQUIRE);
	*sqes = *sqe;
	array[*tail & (p.sq_entries - 1)] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	if (syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) != 1)
		return errno ?: EIO;
	if (__atomic_load_n(cq_tail, __ATOMIC_ACQUIRE) == *cq_head)
		return 102;
	*result = cqes[*cq_head & (p.cq_entries - 1)];
	return 0;
}

/*
 * READY GO COMMAND [ARG]...: the result, 0 if all is well, is written to the
 * descriptor READY as a byte, and is the exit status once GO has been closed by
 * the other side. READY may be -1.
 */
static int agent_main(int argc, char **argv, const struct agent_command *commands, size_t nr)
{
	unsigned char result;
	char byte;
	size_t i;

	if (argc < 4)
		return 97;
	ready = atoi(argv[1]);
	go = atoi(argv[2]);
	for (i = 0; i < nr; i++) {
		if (strcmp(commands[i].name, argv[3]))
			continue;
		result = commands[i].run(argv + 4);
		if (ready < 0)
			return result;
		if (write(ready, &result, 1) != 1)
			return 96;
		if (!result && commands[i].finish)
			result = commands[i].finish(argv + 4);
		while (read(go, &byte, 1) > 0)
			;
		return result;
	}
	return 95;
}

#endif /* _AGENT_MAIN_H */
