// SPDX-License-Identifier: GPL-2.0
/*
 * Races of execns() with who looks at the caller in /proc: nobody sees something old
 * once he has seen something new that comes after it.
 *
 * First all is closed, then the namespaces are new, then the memory, then the
 * credentials. A watcher waits for the one to be new, and then looks for the other.
 * That it would find it is shown by execve(), and by unshare() before it.
 */
#include "races_round.h"

#include <elf.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include "execnsat_maps.h"

/* Who has seen what he must not see is counted there. */
#define SEEN 2
#define WATCHES .outside = watch, .outsiders = 2, .stay = 2000, .tallies = { \
	"looks at the moment of change", "looks later", "have seen both", "could not look" }

FIXTURE(watch)
{
	struct races *races;
};

FIXTURE_VARIANT(watch)
{
	struct race race;
};

/* What is found in this file of the target. */
static int read_proc(struct other *other, const char *name, char *buf, size_t size)
{
	int fd = openat(other->proc, name, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, buf, size);
	close(fd);
	return n;
}

/* 1 if the program is the new one, 0 if it is not, -1 if that can not be seen. */
static int new_exe(struct other *other)
{
	char path[256];
	ssize_t n = readlinkat(other->proc, "exe", path, sizeof(path) - 1);

	if (n < 0)
		return -1;
	path[n] = '\0';
	return !!strstr(path, "races_agent");
}

static int new_ns(struct other *other, const char *path, const char *name)
{
	struct stat st;
	size_t i;

	if (fstatat(other->proc, path, &st, 0))
		return -1;
	for (i = 0; i < NR_NAMESPACES; i++)
		if (!strcmp(namespaces[i].name, name))
			return st.st_ino != other->races->old.ns[i];
	return -1;
}

static int new_user(struct other *other)
{
	return new_ns(other, "ns/user", "user");
}

static int new_uts(struct other *other)
{
	return new_ns(other, "ns/uts", "uts");
}

/* Whose it is tells the effective uid, if it may be looked at. */
static int new_ids(struct other *other)
{
	struct stat st;

	if (fstat(other->proc, &st))
		return -1;
	return st.st_uid == 100000;
}

/* A number that is not the program's, nor one that it takes for itself. */
static int old_list(struct other *other)
{
	int dir, fds[64], n, i;

	dir = openat(other->proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -1;
	n = list_open(dir, fds, ARRAY_SIZE(fds));
	close(dir);
	for (i = 0; i < n; i++)
		if (fds[i] > 11 && fds[i] < RACES_FILE_FD)
			return 1;
	return n < 0 ? -1 : 0;
}

static int old_link(struct other *other)
{
	char path[32], to[128];

	snprintf(path, sizeof(path), "fd/%d", FIRST_SECRET);
	if (readlinkat(other->proc, path, to, sizeof(to)) >= 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

static int old_open(struct other *other)
{
	char path[32], byte;

	snprintf(path, sizeof(path), "fd/%d", FIRST_SECRET);
	if (read_proc(other, path, &byte, 1) == 1)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

static int old_getfd(struct other *other)
{
	int fd = syscall(__NR_pidfd_getfd, other->pidfd, FIRST_SECRET, 0);

	if (fd < 0)
		return errno == EBADF ? 0 : -1;
	close(fd);
	return 1;
}

static int old_kcmp(struct other *other)
{
	if (syscall(__NR_kcmp, getpid(), other->pid, 0 /* KCMP_FILE */, 0, FIRST_SECRET) >= 0)
		return 1;
	return errno == EBADF ? 0 : -1;
}

static int old_memory(struct other *other)
{
	char byte = 0;
	struct iovec local = { &byte, 1 }, remote = { SECRET_MEMORY, 1 };

	if (process_vm_readv(other->pid, &local, 1, &remote, 1, 0) == 1)
		return 1;
	return errno == EFAULT ? 0 : -1;
}

/* A file that is opened at that time; one that was before shows what was there then. */
static int old_mem(struct other *other)
{
	int fd = openat(other->proc, "mem", O_RDONLY | O_CLOEXEC), n;
	char byte;

	if (fd < 0)
		return -1;
	n = pread(fd, &byte, 1, (off_t)(uintptr_t)SECRET_MEMORY);
	close(fd);
	return n == 1;
}

static int old_maps(struct other *other)
{
	static char text[65536];
	int n = read_proc(other, "maps", text, sizeof(text) - 1);

	if (n < 0)
		return -1;
	text[n] = '\0';
	return !!strstr(text, "_test\n") || !!strstr(text, "\n300000000000");
}

static int old_environ(struct other *other)
{
	char text[64] = "";
	int n = read_proc(other, "environ", text, sizeof(text) - 1);

	return n <= 0 ? n : !!strncmp(text, "RACES_NEW=", 10);
}

static int old_auxv(struct other *other)
{
	unsigned long auxv[128];
	int n = read_proc(other, "auxv", (char *)auxv, sizeof(auxv)), i;

	for (i = 0; i + 1 < n / (int)sizeof(*auxv); i += 2)
		if (auxv[i] == AT_ENTRY)
			return auxv[i + 1] == getauxval(AT_ENTRY);
	return n < 0 ? -1 : 0;
}

static int old_exe(struct other *other)
{
	int new = new_exe(other);

	return new < 0 ? -1 : !new;
}

/* Each namespace of the call, and where its root is mounted. */
static int old_namespaces(struct other *other)
{
	int flags = other->races->flags & ~(CLONE_NEWUSER | CLONE_NEWTIME);
	struct statx self, target;
	char path[64];
	size_t i;

	for (i = 0; i < NR_NAMESPACES; i++) {
		if (!(namespaces[i].flag & flags))
			continue;
		snprintf(path, sizeof(path), "ns/%s", namespaces[i].name);
		if (!new_ns(other, path, namespaces[i].name))
			return 1;
	}
	if (!(other->races->flags & CLONE_NEWNS))
		return 0;
	if (statx(AT_FDCWD, "/", 0, STATX_MNT_ID, &self) ||
	    statx(other->proc, "root", 0, STATX_MNT_ID, &target))
		return -1;
	return self.stx_mnt_id == target.stx_mnt_id;
}

struct look {
	const char *name;
	int (*at)(struct other *other);
};

static const struct look new[] = {
	{ "program", new_exe }, { "user namespace", new_user }, { "ids", new_ids },
	{ "UTS namespace", new_uts },
};

/* The first ones are descriptors, which go first of all; the program itself is last. */
static const struct look old[] = {
	{ "list of descriptors", old_list }, { "link to a descriptor", old_link },
	{ "descriptor that can be opened", old_open },
	{ "descriptor for pidfd_getfd()", old_getfd },
	{ "descriptor for kcmp()", old_kcmp }, { "namespace", old_namespaces },
	{ "memory", old_memory }, { "/proc/PID/mem", old_mem }, { "/proc/PID/maps", old_maps },
	{ "/proc/PID/environ", old_environ }, { "/proc/PID/auxv", old_auxv },
	{ "program", old_exe },
};

#define NR_DESCRIPTORS 5
#define NR_UNTIL_MEMORY (ARRAY_SIZE(old) - 1)

static void look(struct other *other, const struct look *is_new, const struct look *is_old,
		 bool at_once)
{
	int seen = is_old->at(other);

	/* It may have gone since. */
	if (seen < 0 || load(&other->races->target) != other->pid) {
		count(&other->races->tally[3]);
		return;
	}
	count(&other->races->tally[at_once ? 0 : 1]);
	if (!seen)
		return;
	count(&other->races->tally[SEEN]);
	if (!other->race->control)
		violation(other->races, "a new %s and an old %s have been seen together, %s",
			  is_new->name, is_old->name, at_once ? "in the moment" : "later");
}

/* Wait for one thing to be new, and look for old ones, beginning with any. */
static int watch(struct other *other)
{
	int which = pick(&other->seed, 3) ? 0 : 1 + pick(&other->seed, ARRAY_SIZE(new) - 1);
	const struct look *is_new = &new[which];
	int nr = is_new->at == new_uts ? NR_DESCRIPTORS :
		 is_new->at == new_exe ? (int)NR_UNTIL_MEMORY : (int)ARRAY_SIZE(old);
	int first = pick(&other->seed, 2) ? 0 : pick(&other->seed, nr), i, tries;
	bool was_old = false;

	for (tries = 0; tries < 300; tries++) {
		int is = is_new->at(other);

		if (load(&other->races->target) != other->pid)
			return -1;
		if (is > 0)
			break;
		was_old |= !is;
	}
	if (tries == 300)
		return -1;
	look(other, is_new, &old[first], was_old);
	for (i = 0; i < nr; i++)
		look(other, is_new, &old[i], false);
	return 0;
}

/* Rights that a user does not have, who therefore may not look at it, until he owns it. */
static int with_rights(struct races *races)
{
	(void)races;
	return with_caps(1000, CAP(SETUID) | CAP(SETGID));
}

/* The old memory is never for him to see, whatever else is. */
static int watch_memory(struct other *other)
{
	int (*const looks[])(struct other *other) = { old_memory, old_mem, old_getfd, old_open };
	int i = pick(&other->seed, 8), seen;

	seen = looks[i < 5 ? 0 : i - 4](other);
	if (load(&other->races->target) != other->pid)
		return -1;
	count(&other->races->tally[seen < 0 ? 3 : load(&other->races->programs) ? 1 : 0]);
	if (seen <= 0)
		return 0;
	count(&other->races->tally[SEEN]);
	if (!other->race->control)
		violation(other->races, "the owner of the new user namespace has seen old %s",
			  i < 6 ? "memory" : "descriptors");
	return 0;
}

/* What he can write to is what he has been given: all of it is decided by the call. */
static int write_maps(struct other *other)
{
	static const char *const files[] = { "uid_map", "gid_map", "setgroups", "timens_offsets" };
	static const char *const texts[] = { "0 1000 1", "0 1000 1", "deny", "monotonic 1 0" };
	int i = pick(&other->seed, 4), fd;

	fd = openat(other->proc, files[i], O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	/* To deny what is denied is no change. */
	if (write(fd, texts[i], strlen(texts[i])) > 0 && i != 2)
		violation(other->races, "%s could be written", files[i]);
	close(fd);
	return 0;
}

/* Whatever is there to be read. */
static int read_all(struct other *other)
{
	static const char *const files[] = {
		"account", "auxv", "cgroup", "cmdline", "comm", "coredump_filter", "environ",
		"gid_map", "io", "limits", "maps", "mountinfo", "mounts", "mountstats",
		"numa_maps", "oom_score", "pagemap", "personality", "projid_map", "sched",
		"schedstat", "setgroups", "smaps", "smaps_rollup", "stack", "stat", "statm",
		"status", "syscall", "timens_offsets", "timers", "uid_map", "wchan",
		"fdinfo/10", "fdinfo/14", "net/unix", "task/../stat", "attr/current", "ns/mnt",
	};
	static const char *const links[] = { "cwd", "root", "exe", "fd/10", "ns/net", "ns/pid" };
	char buf[4096];
	struct stat st;

	read_proc(other, files[pick(&other->seed, ARRAY_SIZE(files))], buf, sizeof(buf));
	fstatat(other->proc, links[pick(&other->seed, ARRAY_SIZE(links))], &st, 0);
	return 0;
}

FIXTURE_VARIANT_ADD(watch, by_root) { .race = { WATCHES } };
FIXTURE_VARIANT_ADD(watch, by_user) { .race = { WATCHES, .as_user = true, .only_user = true } };
FIXTURE_VARIANT_ADD(watch, two_calls_by_root) { .race = { WATCHES, .calls = 2, .flags = ALL_NS } };

FIXTURE_VARIANT_ADD(watch, control_execve) {
	.race = { WATCHES, .how = BY_EXECVE, .control = SEEN }
};

FIXTURE_VARIANT_ADD(watch, control_program_closes) {
	.race = { WATCHES, .how = BY_EXECVE, .control = SEEN, .closes = true }
};

FIXTURE_VARIANT_ADD(watch, control_unshare) {
	.race = { WATCHES, .how = BY_UNSHARE, .control = SEEN, .flags = CLONE_NEWUSER }
};

#define OWNS .outside = watch_memory, .outsiders = 2, .stay = 2000, .as_user = true, \
	     .only_root = true, .setup = with_rights, .flags = CLONE_NEWUSER, .tallies = { \
	"looks before the program", "looks later", "have seen it", "were refused" }

FIXTURE_VARIANT_ADD(watch, by_owner) { .race = { OWNS } };

FIXTURE_VARIANT_ADD(watch, control_owner_unshare) {
	.race = { OWNS, .how = BY_UNSHARE, .control = SEEN }
};

FIXTURE_VARIANT_ADD(watch, write_maps_by_root) {
	.race = { .outside = write_maps, .stay = 1000 }
};

FIXTURE_VARIANT_ADD(watch, write_maps_by_user) {
	.race = { .outside = write_maps, .stay = 1000, .as_user = true, .only_user = true }
};

FIXTURE_VARIANT_ADD(watch, read_all_by_root) { .race = { .outside = read_all, .stay = 1000 } };

FIXTURE_VARIANT_ADD(watch, read_all_by_user) {
	.race = { .outside = read_all, .stay = 1000, .as_user = true, .outsiders = 2, .calls = 2 }
};

FIXTURE_SETUP(watch)
{
	self->races = open_races();
	ASSERT_NE(NULL, self->races);
}

FIXTURE_TEARDOWN(watch)
{
	unlink(races_path);
}

TEST_F_TIMEOUT(watch, nothing_old_together_with_what_is_new, RACES_TIMEOUT)
{
	long tally[8];

	run_race(_metadata, &variant->race, self->races, tally);
	/* It can fail. */
	if (variant->race.control && !variant->race.closes)
		EXPECT_LT(0, tally[SEEN]) TH_LOG("a watcher of what shows both has not seen it");
}

TEST_HARNESS_MAIN
