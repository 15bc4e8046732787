// SPDX-License-Identifier: GPL-2.0
/* A process that shares memory, descriptors and directories with the caller. */
#include "attack_test.h"

#define UNDUMPABLE 7

/* What a sibling finds, that shares memory, descriptors and directories with the caller. */
struct sibling {
	ino_t ns[NR_NAMESPACES];
	int go[2], result[2], secret;
	char cwd[512];
	int value;
};

static struct sibling sibling;

static char what_has_changed(void)
{
	char cwd[512];
	size_t i;

	for (i = 0; i < NR_NAMESPACES; i++)
		if (ns_inode("self", namespaces[i].name) != sibling.ns[i])
			return 2;
	if (getuid() || geteuid() || getgid())
		return 3;
	if (pread(sibling.secret, cwd, 1, 0) != 1 || cwd[0] != '!')
		return 4;
	if (!getcwd(cwd, sizeof(cwd)) || strcmp(cwd, sibling.cwd))
		return 5;
	if (sibling.value != 4711)
		return 6;
	/* The last one, so that what it differs in is this alone. */
	return prctl(PR_GET_DUMPABLE) == 1 ? 0 : UNDUMPABLE;
}

static int check_sibling(void *unused)
{
	char byte;

	(void)unused;
	if (read(sibling.go[0], &byte, 1) != 1)
		_exit(1);
	byte = what_has_changed();
	_exit(write(sibling.result[1], &byte, 1) != 1);
}

/* In the caller: a sibling that is no thread, which exec would end. */
static int start_sibling(void *unused)
{
	const size_t size = 1 << 18;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	for (i = 0; i < NR_NAMESPACES; i++)
		sibling.ns[i] = ns_inode("self", namespaces[i].name);
	/* Of the parent, so that it can wait for it. */
	if (clone(check_sibling, stack + size, CLONE_VM | CLONE_FILES | CLONE_FS | CLONE_PARENT |
		  SIGCHLD, unused) < 0)
		return -1;
	/* What it is to find has come after it. */
	sibling.value = 4711;
	sibling.secret = memfd_create("secret", 0);
	return write(sibling.secret, "!", 1) != 1 || !getcwd(sibling.cwd, sizeof(sibling.cwd)) ||
	       chdir("/tmp") || chdir(sibling.cwd);
}

/* What the sibling says when the program runs. */
static int ask_sibling(struct agent_run *run)
{
	char byte = 98, secret;
	int status;

	if (pipe2(sibling.go, O_CLOEXEC) || pipe2(sibling.result, O_CLOEXEC))
		return 97;
	if (start_agent(run) != EBADF || write(sibling.go[1], "x", 1) != 1)
		return 96;
	close(sibling.result[1]);
	if (read(sibling.result[0], &byte, 1) != 1)
		byte = 95;
	finish_agent(run);
	if (waitpid(-1, &status, 0) < 0 || status)
		return 94;
	/* Nothing of it is in the table of this process either. */
	if (pread(sibling.secret, &secret, 1, 0) == 1 && secret == '!')
		return 93;
	close(sibling.go[0]);
	close(sibling.go[1]);
	close(sibling.result[0]);
	return byte;
}

/*
 * A sibling goes on in the old memory, and with all else that is old: none of the
 * namespaces, ids, directories and descriptors of the program are its own. It can
 * still be debugged, where setresuid() has changed that for all who share memory.
 */
TEST(clone_vm_siblings)
{
	static const struct execns_id_map other[] = { { 0, 100000, 65536 } };
	static char *const command[] = { "secret_fd", "80", NULL };
	struct execns_args args = with_map(other, EXECNS_SET_IDS | EXECNS_DROP_GROUPS);
	struct agent_run run = {
		.path = ATTACK_AGENT, .args = &args, .command = command, .setup = start_sibling,
	};

	args.unshare_flags = ALL_NS;
	EXPECT_EQ(0, ask_sibling(&run));
	args.unshare_flags = ALL_NS & ~CLONE_NEWPID;
	run.call = call_by_unshare;
	EXPECT_EQ(UNDUMPABLE, ask_sibling(&run));
}

TEST_HARNESS_MAIN
