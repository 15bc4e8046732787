/* SPDX-License-Identifier: GPL-2.0 */
/* Objects of the kernel, by which tests see what is left behind. */
#ifndef _EXECNS_SLAB_H
#define _EXECNS_SLAB_H

#include "execns_test.h"

#define SLAB_DIR "/sys/kernel/slab/"

/* Objects in use. What is cached for a processor, or is to be freed, is given back before. */
static inline long count_objects(const char *cache)
{
	char path[128], text[128];

	snprintf(path, sizeof(path), SLAB_DIR "%s/shrink", cache);
	if (write_file(path, "1"))
		return -1;
	snprintf(path, sizeof(path), SLAB_DIR "%s/objects", cache);
	read_file(path, text, sizeof(text));
	return *text ? atol(text) : -1;
}

#endif
