// SPDX-License-Identifier: GPL-2.0
/* struct execns_args: its size, its bits, its arrays, and what a check does. */
#include "execnsat_test.h"

#include <sys/resource.h>

static char *const arguments[] = { "execns_report", NULL };

static int call(const void *args, size_t size)
{
	return sys_execnsat(AT_FDCWD, "./execns_report", arguments, environ, args, size);
}

FIXTURE(args)
{
	struct snapshot before, after;
	struct execns_args args;
	int semid;
};

FIXTURE_VARIANT(args)
{
	unsigned int at_flags;
	int unshare_flags;
};

FIXTURE_VARIANT_ADD(args, none) { 0, 0 };
FIXTURE_VARIANT_ADD(args, all) { 0, ALL_NS };
/* A check fails as the call that it stands for. */
FIXTURE_VARIANT_ADD(args, check_none) { AT_EXECVE_CHECK, 0 };
FIXTURE_VARIANT_ADD(args, check_all) { AT_EXECVE_CHECK, ALL_NS };

FIXTURE_SETUP(args)
{
	ASSERT_LE(0, open("/dev/null", O_RDWR));
	ASSERT_LE(0, open("/dev/null", O_RDWR | O_CLOEXEC));
	self->semid = make_undo();
	ASSERT_LE(0, self->semid);
	self->args.at_flags = variant->at_flags;
	self->args.unshare_flags = variant->unshare_flags;
	take_snapshot(&self->before, self->semid);
}

/* Whatever was called, the caller is as it was. */
FIXTURE_TEARDOWN(args)
{
	take_snapshot(&self->after, self->semid);
	EXPECT_INTACT(&self->before, &self->after);
	EXPECT_EQ(0, try_clone_fs());
	semctl(self->semid, 0, IPC_RMID);
}

#define EXPECT_REFUSED(error, args, size, ...) do { \
	EXPECT_EQ(-1, call(args, size)) TH_LOG(__VA_ARGS__); \
	EXPECT_EQ(error, errno) TH_LOG(__VA_ARGS__); \
} while (0)

#define EXPECT_INVALID(...) \
	EXPECT_REFUSED(EINVAL, &self->args, sizeof(self->args), __VA_ARGS__)

/* What is not refused is only tried where it does not end this program. */
#define EXPECT_FINE(args, size, ...) do { \
	if (variant->at_flags & AT_EXECVE_CHECK) \
		EXPECT_EQ(0, call(args, size)) TH_LOG(__VA_ARGS__); \
} while (0)

/* @size bytes, behind which nothing is mapped. */
static void *at_the_end(size_t size)
{
	size_t page = sysconf(_SC_PAGESIZE), room = (size + page - 1) / page * page;
	char *pages = mmap(NULL, room + page, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED || munmap(pages + room, page))
		abort();
	return pages + room - size;
}

TEST_F(args, smaller_than_the_first_version_is_einval)
{
	size_t size;

	for (size = 0; size < EXECNS_ARGS_SIZE_VER0; size++) {
		EXPECT_REFUSED(EINVAL, &self->args, size, "size %zu", size);
		EXPECT_REFUSED(EINVAL, NULL, size, "NULL, size %zu", size);
	}
	EXPECT_EQ(EXECNS_ARGS_SIZE_VER0, sizeof(self->args));
	EXPECT_FINE(&self->args, EXECNS_ARGS_SIZE_VER0, "size %d", EXECNS_ARGS_SIZE_VER0);
}

TEST_F_TIMEOUT(args, tail_has_to_be_zero, 120)
{
	size_t page = sysconf(_SC_PAGESIZE), size;
	char *buf = at_the_end(page + 8);

	memcpy(buf, &self->args, sizeof(self->args));
	for (size = sizeof(self->args) + 1; size <= page; size++) {
		/* New namespaces take their time: not at each size. */
		bool fine = !variant->unshare_flags || size % 256 <= 1;

		buf[size - 1] = 1;
		EXPECT_REFUSED(E2BIG, buf, size, "byte %zu of %zu", size - 1, size);
		EXPECT_REFUSED(E2BIG, buf, page, "byte %zu of a page", size - 1);
		if (fine)
			EXPECT_FINE(buf, size - 1, "byte %zu is behind the end", size - 1);
		buf[size - 1] = 0;
		if (fine)
			EXPECT_FINE(buf, size, "zeroes up to %zu", size);
	}
	for (; size <= page + 8; size++)
		EXPECT_REFUSED(E2BIG, buf, size, "size %zu", size);
	EXPECT_REFUSED(E2BIG, buf, SIZE_MAX, "the largest size");
	EXPECT_REFUSED(E2BIG, NULL, page + 1, "NULL, more than a page");
}

TEST_F(args, unreadable_is_efault)
{
	size_t size = sizeof(self->args), missing;
	char *end = (char *)at_the_end(size) + size;
	void *none = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT_REFUSED(EFAULT, NULL, size, "NULL");
	EXPECT_REFUSED(EFAULT, (void *)16, size, "not mapped");
	EXPECT_REFUSED(EFAULT, (void *)-4096L, size, "the kernel's");
	EXPECT_REFUSED(EFAULT, (void *)-1L, size, "the last byte");
	EXPECT_REFUSED(EFAULT, none, size, "not readable");
	memset(end - size, 0, size);
	for (missing = 1; missing <= size; missing++)
		EXPECT_REFUSED(EFAULT, end - size + missing, size, "%zu are missing", missing);
	memcpy(end - size, &self->args, size);
	EXPECT_FINE(end - size, size, "up to the last byte of a page");
	for (missing = 1; missing <= 16; missing++)
		EXPECT_REFUSED(EFAULT, end - size, size + missing, "a tail of %zu", missing);
	ASSERT_EQ(0, mprotect((void *)(PTR(end) - sysconf(_SC_PAGESIZE)), size, PROT_READ));
	EXPECT_FINE(end - size, size, "read-only");
}

TEST_F(args, unknown_bits_are_einval)
{
	const unsigned long long unshare_flags = ALL_NS | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM |
		CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | UNSHARE_EMPTY_MNTNS;
	const unsigned int at_flags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_EXECVE_CHECK;
	const unsigned int flags = EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY |
		EXECNS_ROOT_FD | EXECNS_SET_IDS | EXECNS_DROP_GROUPS;
	struct execns_args args = self->args;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		self->args.unshare_flags = args.unshare_flags | 1ULL << bit;
		if (1ULL << bit & ~unshare_flags)
			EXPECT_INVALID("bit %d of unshare_flags", bit);
		else if (1ULL << bit != UNSHARE_EMPTY_MNTNS)
			EXPECT_FINE(&self->args, sizeof(args), "bit %d of unshare_flags", bit);
	}
	self->args = args;
	for (bit = 0; bit < 32; bit++) {
		self->args.at_flags = args.at_flags | 1U << bit;
		if (1U << bit & ~at_flags)
			EXPECT_INVALID("bit %d of at_flags", bit);
		else
			EXPECT_FINE(&self->args, sizeof(args), "bit %d of at_flags", bit);
	}
	self->args = args;
	for (bit = 0; bit < 32; bit++) {
		self->args.flags = 1U << bit;
		if (1U << bit & ~flags)
			EXPECT_INVALID("bit %d of flags", bit);
	}
	self->args.flags = 0;
	for (bit = 0; bit < 32; bit++) {
		self->args.reserved = 1U << bit;
		EXPECT_INVALID("bit %d of reserved", bit);
	}
}

/* The four lists, as members of the structure. */
enum { FDS, UID_MAP, GID_MAP, TIME_OFFSETS, NR_LISTS };

static const struct {
	const char *name;
	size_t pointer, number;
	unsigned int most;	/* of descriptors, this is set by RLIMIT_NOFILE */
	size_t size;		/* of an element */
} lists[] = {
	[FDS] = {
		"fds", offsetof(struct execns_args, fds), offsetof(struct execns_args, nr_fds), 16,
		sizeof(struct execns_fd),
	},
	[UID_MAP] = {
		"uid_map", offsetof(struct execns_args, uid_map),
		offsetof(struct execns_args, nr_uid_map), 340, sizeof(struct execns_id_map),
	},
	[GID_MAP] = {
		"gid_map", offsetof(struct execns_args, gid_map),
		offsetof(struct execns_args, nr_gid_map), 340, sizeof(struct execns_id_map),
	},
	[TIME_OFFSETS] = {
		"time_offsets", offsetof(struct execns_args, time_offsets),
		offsetof(struct execns_args, nr_time_offsets), 2, sizeof(struct execns_time_offset),
	},
};

static void set_list(struct execns_args *args, int list, unsigned long long array, __u32 nr)
{
	memcpy((char *)args + lists[list].pointer, &array, sizeof(array));
	memcpy((char *)args + lists[list].number, &nr, sizeof(nr));
}

/* Elements that are fine, and the last of them at the end of what is mapped. */
static void *make_elements(int list, unsigned int nr)
{
	char *array = at_the_end(nr * lists[list].size);
	unsigned int i;

	for (i = 0; i < nr; i++) {
		struct execns_time_offset offset = {
			.clock = i ? CLOCK_BOOTTIME : CLOCK_MONOTONIC,
		};
		struct execns_id_map map = { i, i, 1 };
		struct execns_fd fd = { 1, i };
		const void *element = list == FDS ? (void *)&fd :
				      list == TIME_OFFSETS ? (void *)&offset : &map;

		memcpy(array + i * lists[list].size, element, lists[list].size);
	}
	return array;
}

TEST_F(args, pointer_and_number_go_together)
{
	struct execns_args *args = &self->args;
	unsigned long long array;
	int list;

	args->unshare_flags |= CLONE_NEWUSER | CLONE_NEWTIME;
	args->flags = EXECNS_SETGROUPS_DENY;
	for (list = 0; list < NR_LISTS; list++) {
		const char *name = lists[list].name;

		array = PTR(make_elements(list, 1));
		set_list(args, list, array, 0);
		EXPECT_INVALID("%s without a number", name);
		set_list(args, list, array, 1);
		EXPECT_FINE(args, sizeof(*args), "%s", name);
		set_list(args, list, 0, 1);
		EXPECT_INVALID("a number without %s", name);
		set_list(args, list, 0, UINT32_MAX);
		EXPECT_INVALID("a large number without %s", name);
		set_list(args, list, 0, 0);
	}
}

TEST_F(args, too_many_are_einval)
{
	struct execns_args *args = &self->args;
	struct rlimit limit, old;
	int list;

	args->unshare_flags |= CLONE_NEWUSER | CLONE_NEWTIME;
	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &old));
	limit = old;
	limit.rlim_cur = lists[FDS].most;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	for (list = 0; list < NR_LISTS; list++) {
		const char *name = lists[list].name;
		unsigned int most = lists[list].most;
		unsigned long long array = PTR(make_elements(list, most + 1));

		set_list(args, list, array, most);
		EXPECT_FINE(args, sizeof(*args), "%u %s", most, name);
		set_list(args, list, array, most + 1);
		EXPECT_INVALID("%u %s", most + 1, name);
		set_list(args, list, array, 1U << 31);
		EXPECT_INVALID("2^31 %s", name);
		set_list(args, list, array, UINT32_MAX);
		EXPECT_INVALID("2^32 - 1 %s", name);
		set_list(args, list, 0, 0);
	}
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &old));
}

TEST_F(args, unreadable_arrays_are_efault)
{
	struct execns_args *args = &self->args;
	int list;

	args->unshare_flags |= CLONE_NEWUSER | CLONE_NEWTIME;
	for (list = 0; list < NR_LISTS; list++) {
		const char *name = lists[list].name;
		unsigned int nr = lists[list].most;
		unsigned long long array = PTR(make_elements(list, nr));

		set_list(args, list, array, nr);
		EXPECT_FINE(args, sizeof(*args), "%s up to the end", name);
		set_list(args, list, array + 1, nr);
		EXPECT_REFUSED(EFAULT, args, sizeof(*args), "%s and a byte more", name);
		set_list(args, list, array + lists[list].size, nr);
		EXPECT_REFUSED(EFAULT, args, sizeof(*args), "%s and one more", name);
		set_list(args, list, 16, nr);
		EXPECT_REFUSED(EFAULT, args, sizeof(*args), "%s that is not mapped", name);
		set_list(args, list, -4096ULL, nr);
		EXPECT_REFUSED(EFAULT, args, sizeof(*args), "%s that is the kernel's", name);
		set_list(args, list, 0, 0);
	}
}

/* What is about a namespace needs it to be new. */
TEST_F(args, settings_need_their_namespace)
{
	struct execns_id_map map[] = { { 0, 0, 1 } };
	struct execns_time_offset offsets[] = { { .clock = CLOCK_MONOTONIC } };
	const unsigned long long all = variant->unshare_flags;
	const struct {
		int flag;
		struct execns_args args;
	} rows[] = {
		{ CLONE_NEWUSER, { .uid_map = PTR(map), .nr_uid_map = 1 } },
		{ CLONE_NEWUSER, { .gid_map = PTR(map), .nr_gid_map = 1 } },
		{ CLONE_NEWUSER, { .flags = EXECNS_SETGROUPS_ALLOW } },
		{ CLONE_NEWUSER, { .flags = EXECNS_SETGROUPS_DENY } },
		{ CLONE_NEWUSER, { .flags = EXECNS_SET_IDS } },
		{ CLONE_NEWUSER, { .flags = EXECNS_SET_IDS, .uid = -1, .gid = -1 } },
		{ CLONE_NEWUSER, { .flags = EXECNS_DROP_GROUPS } },
		{ CLONE_NEWTIME, { .time_offsets = PTR(offsets), .nr_time_offsets = 1 } },
		{ CLONE_NEWNS, { .flags = EXECNS_ROOT_FD, .root_fd = 100 } },
	};
	int root = open("/", O_PATH | O_DIRECTORY);
	size_t i;

	ASSERT_EQ(100, dup2(root, 100));
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		self->args = rows[i].args;
		self->args.at_flags = variant->at_flags;
		self->args.unshare_flags = all & ~rows[i].flag;
		EXPECT_INVALID("row %zu", i);
	}
	close(root);
	close(100);
}

TEST_F(args, contradictions_are_einval)
{
	struct execns_args *args = &self->args;
	int root = open("/", O_PATH | O_DIRECTORY), program = open("./execns_report", O_PATH);

	args->unshare_flags |= CLONE_NEWUSER | CLONE_NEWNS;
	args->flags = EXECNS_SETGROUPS_ALLOW | EXECNS_SETGROUPS_DENY;
	EXPECT_INVALID("allow and deny");
	args->flags = 0;
	args->root_fd = root;
	EXPECT_INVALID("root_fd without its flag");
	args->root_fd = -1;
	EXPECT_INVALID("root_fd -1 without its flag");
	args->root_fd = 0;
	args->uid = 1;
	EXPECT_INVALID("uid without its flag");
	args->uid = 0;
	args->gid = -1;
	EXPECT_INVALID("gid without its flag");
	args->gid = 0;
	args->unshare_flags |= UNSHARE_EMPTY_MNTNS;
	EXPECT_INVALID("empty, and a path");
	args->unshare_flags &= ~(unsigned long long)CLONE_NEWNS;
	EXPECT_INVALID("empty and a path, without CLONE_NEWNS");
	args->at_flags |= AT_EMPTY_PATH;
	args->flags = EXECNS_ROOT_FD;
	args->root_fd = root;
	EXPECT_EQ(-1, sys_execnsat(program, "", arguments, environ, args, sizeof(*args)));
	EXPECT_EQ(EINVAL, errno);
	close(root);
	close(program);
}

TEST_F(args, root_is_a_directory)
{
	struct execns_args *args = &self->args;
	int file = open("./execns_report", O_PATH);

	args->unshare_flags |= CLONE_NEWNS;
	args->flags = EXECNS_ROOT_FD;
	args->root_fd = -1;
	EXPECT_REFUSED(EBADF, args, sizeof(*args), "-1");
	args->root_fd = 1000;
	EXPECT_REFUSED(EBADF, args, sizeof(*args), "closed");
	args->root_fd = AT_FDCWD;
	EXPECT_REFUSED(EBADF, args, sizeof(*args), "AT_FDCWD");
	args->root_fd = file;
	EXPECT_REFUSED(ENOTDIR, args, sizeof(*args), "a file");
	close(file);
}

TEST_HARNESS_MAIN
