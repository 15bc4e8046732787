/* SPDX-License-Identifier: GPL-2.0 */
/*
 * To let the Nth hit of one call fail: what allocates an object or pages, or
 * copies from or to user memory. See Documentation/fault-injection.
 */
#ifndef _FAULTS_H
#define _FAULTS_H

#include "execns_slab.h"
#include "execnsat_test.h"

#define FAULTS_DIR "/sys/kernel/debug/"

/* The number of a hit that no call comes to. */
#define NO_FAULT 1000000000

/* Nothing can be tested where nothing can be made to fail. */
static void __attribute__((constructor)) skip_without_faults(void)
{
	static const struct {
		const char *path, *config;
	} needed[] = {
		{ "/proc/self/fail-nth", "CONFIG_FAULT_INJECTION" },
		{ FAULTS_DIR "failslab", "CONFIG_FAILSLAB, CONFIG_FAULT_INJECTION_DEBUG_FS" },
		{ FAULTS_DIR "fail_page_alloc", "CONFIG_FAIL_PAGE_ALLOC" },
		{ FAULTS_DIR "fail_usercopy", "CONFIG_FAULT_INJECTION_USERCOPY" },
	};
	size_t i;

	if (geteuid())
		ksft_exit_skip("only root can set up faults\n");
	for (i = 0; i < ARRAY_SIZE(needed); i++)
		if (access(needed[i].path, F_OK))
			ksft_exit_skip("the kernel has no %s, see %s\n", needed[i].path,
				       needed[i].config);
}

/* Zeroed, and the same for all processes. */
static inline void *share_memory(size_t size)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static inline int set_knob(const char *kind, const char *knob, const char *value)
{
	char path[128];

	snprintf(path, sizeof(path), FAULTS_DIR "%s/%s", kind, knob);
	return write_file(path, value);
}

/*
 * Let all caches fail, but for those of kmemleak, which has a reserve: it would hide
 * each second fault. False if the kernel has merged caches, which cannot be told apart.
 */
static inline bool choose_caches(void)
{
	struct dirent *entry;
	DIR *dir = opendir(SLAB_DIR);
	char path[512];
	bool all = dir;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), SLAB_DIR "%s/failslab", entry->d_name);
		if (write_file(path, strncmp(entry->d_name, "kmemleak", 8) ? "1" : "0"))
			all = false;
	}
	if (dir)
		closedir(dir);
	return all;
}

/* It takes a while: do it if there are others than the last time. */
static inline int choose_new_caches(nlink_t *chosen)
{
	struct stat st;

	if (stat(SLAB_DIR, &st) || *chosen == st.st_nlink)
		return 0;
	*chosen = st.st_nlink;
	return set_knob("failslab", "cache-filter", choose_caches() ? "Y" : "N");
}

/* Objects and copies always can fail. */
static inline int let_pages_fail(bool fail)
{
	return set_knob("fail_page_alloc", "min-order", fail ? "0" : "100");
}

/* With a probability of 0, only who writes to its fail-nth has a fault. */
static inline int allow_faults(void)
{
	static const char *const kinds[] = { "failslab", "fail_page_alloc", "fail_usercopy" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		if (set_knob(kinds[i], "probability", "0") || set_knob(kinds[i], "verbose", "0"))
			return -1;
	return set_knob("failslab", "ignore-gfp-wait", "N") ||
	       set_knob("fail_page_alloc", "ignore-gfp-wait", "N") ||
	       set_knob("fail_page_alloc", "ignore-gfp-highmem", "N");
}

/* What came of a call. */
struct faulted {
	int ret, error;
	unsigned int left;	/* hits until the fault: 0 if it has been there */
};

/* Of the calling thread, to be opened by it. */
static inline int open_fail_nth(void)
{
	return open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

/* Make the call, of which the @nth hit fails. @fd is of open_fail_nth(). */
static inline struct faulted call_with_fault(int fd, unsigned int nth,
					     int (*call)(const void *data), const void *data)
{
	struct faulted faulted = { .ret = -1 };
	char text[16], left[16] = "";
	int len = snprintf(text, sizeof(text), "%u", nth);
	ssize_t n;

	if (pwrite(fd, text, len, 0) != len) {
		faulted.error = ENXIO;
		return faulted;
	}
	faulted.ret = call(data);
	faulted.error = errno;
	/* It is read before it is copied, which can be the hit. */
	n = pread(fd, left, sizeof(left) - 1, 0);
	if (pwrite(fd, "0", 1, 0) != 1)
		pwrite(fd, "0", 1, 0);
	faulted.left = n < 0 ? 1 : strtoul(left, NULL, 10);
	return faulted;
}

/* What a process that has ended, and was not waited for, had left. */
static inline unsigned int left_by_zombie(pid_t pid)
{
	char path[64], text[32];

	snprintf(path, sizeof(path), "/proc/%d/fail-nth", pid);
	read_file(path, text, sizeof(text));
	return strtoul(text, NULL, 10);
}

#endif
