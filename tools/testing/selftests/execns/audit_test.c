// SPDX-License-Identifier: GPL-2.0
/* What audit(7) records of execns(): all that it does of execve(), field by field. */
#include "audit_records.h"

#include <linux/securebits.h>
#include <sys/xattr.h>

#define PROGRAM "/tmp/audit.program"
#define SCRIPT "/tmp/audit.script"

static const int exec_calls[] = { __NR_execve, __NR_execveat, __NR_execns, __NR_execnsat, -1 };

FIXTURE(audit)
{
	struct audit_field child;
	struct audit_event ours;
};

FIXTURE_SETUP(audit)
{
	int error = audit_open();

	if (error == -EPROTONOSUPPORT)
		SKIP(return, "the kernel has no audit, see CONFIG_AUDIT");
	if (error == -EEXIST)
		SKIP(return, "there is an audit daemon");
	ASSERT_EQ(0, error);
	self->child = (struct audit_field){ AUDIT_PPID, getpid() };
	ASSERT_EQ(0, audit_rule(AUDIT_ADD_RULE, exec_calls, &self->child, 1));
	ASSERT_EQ(0, copy_program("caps_report", PROGRAM, 0, 0755));
	ASSERT_EQ(0, make_script(SCRIPT, "#!" PROGRAM "\n"));
	ASSERT_EQ(0, copy_program("caps_report", "/tmp/execns.ld.so", 0, 0755));
}

FIXTURE_TEARDOWN(audit)
{
	audit_rule(AUDIT_DEL_RULE, exec_calls, &self->child, 1);
	audit_close();
	unlink(PROGRAM);
	unlink(SCRIPT);
	unlink("/tmp/execns.ld.so");
}

/* How a child executes. */
struct exec {
	int call, flags;
	int at_flags;		/* of those with a descriptor */
	const char *path;
	int (*setup)(void *unused);
};

/* Returns the exit status of the program, or EXEC_FAILED. */
static int execute(const struct exec *exec)
{
	char *const argv[] = { "audit program", "a b", "\001", "/dev/null", NULL };
	struct execns_args args = {
		.unshare_flags = exec->flags, .at_flags = exec->at_flags,
	};
	const char *path = exec->path;
	int status, fd = AT_FDCWD;
	pid_t child = fork();

	if (!child) {
		if (exec->setup && exec->setup(NULL))
			_exit(98);
		if (exec->at_flags & AT_EMPTY_PATH) {
			fd = open(path, O_PATH);
			path = "";
		}
		switch (exec->call) {
		case __NR_execve:
			if (!exec->flags || !unshare_like_execns(exec->flags))
				execve(path, argv, environ);
			break;
		case __NR_execveat:
			execveat(fd, path, argv, environ, exec->at_flags);
			break;
		case __NR_execns:
			sys_execns(exec->flags, path, argv, environ);
			break;
		case __NR_execnsat:
			sys_execnsat(fd, path, argv, environ, &args, sizeof(args));
			break;
		}
		_exit(EXEC_FAILED);
	}
	if (waitpid(child, &status, 0) != child)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* A record without those fields that are another's in each call. */
static void expect_same_record(struct __test_metadata *_metadata, const char *what,
			       const char *theirs, const char *ours)
{
	static const char *const differ[] = { "syscall", "pid", "a0", "a1", "a2", "a3" };
	char a[8192], b[8192], *word_a, *word_b, *save_a, *save_b;
	size_t i;

	snprintf(a, sizeof(a), "%s", theirs);
	snprintf(b, sizeof(b), "%s", ours);
	word_a = strtok_r(a, " ", &save_a);
	word_b = strtok_r(b, " ", &save_b);
	while (word_a && word_b) {
		/* In the record of the program, a0 and so on are its arguments. */
		for (i = 0; i < ARRAY_SIZE(differ) && !strcmp(what, "SYSCALL"); i++)
			if (!strncmp(word_a, differ[i], strlen(differ[i])) &&
			    word_a[strlen(differ[i])] == '=')
				break;
		if (i == ARRAY_SIZE(differ) || strcmp(what, "SYSCALL"))
			EXPECT_STREQ(word_a, word_b) TH_LOG("%s", what);
		word_a = strtok_r(NULL, " ", &save_a);
		word_b = strtok_r(NULL, " ", &save_b);
	}
	EXPECT_EQ(NULL, word_a) TH_LOG("%s: %s / %s", what, theirs, ours);
	EXPECT_EQ(NULL, word_b) TH_LOG("%s: %s / %s", what, theirs, ours);
}

static void expect_same_event(struct __test_metadata *_metadata, const struct audit_event *theirs,
			      const struct audit_event *ours)
{
	int i;

	expect_same_record(_metadata, "SYSCALL", theirs->syscall, ours->syscall);
	expect_same_record(_metadata, "EXECVE", theirs->execve, ours->execve);
	expect_same_record(_metadata, "CWD", theirs->cwd, ours->cwd);
	expect_same_record(_metadata, "BPRM_FCAPS", theirs->fcaps, ours->fcaps);
	expect_same_record(_metadata, "PROCTITLE", theirs->proctitle, ours->proctitle);
	EXPECT_EQ(theirs->paths, ours->paths);
	for (i = 0; i < theirs->paths && i < ours->paths && i < MAX_PATHS; i++)
		expect_same_record(_metadata, "PATH", theirs->path[i], ours->path[i]);
}

/* One event each, and the same. */
static void compare(struct __test_metadata *_metadata, const struct exec *their_exec,
		    const struct exec *our_exec, struct audit_event *event)
{
	static struct audit_event theirs, second;
	int result = execute(their_exec);
	char number[16];

	ASSERT_TRUE(audit_next(&theirs, 5000));
	EXPECT_EQ(result, execute(our_exec));
	ASSERT_TRUE(audit_next(event, 5000)) TH_LOG("call %d", our_exec->call);
	expect_same_event(_metadata, &theirs, event);
	snprintf(number, sizeof(number), "%d", our_exec->call);
	EXPECT_STREQ(number, record_get(event->syscall, "syscall"));
	EXPECT_FALSE(audit_next(&second, 50));
}

TEST_F(audit, record_of_a_program)
{
	static const struct exec theirs = { __NR_execve, .path = PROGRAM };
	static const struct exec ours = { __NR_execns, CLONE_NEWUTS, .path = PROGRAM };
	char number[64], inode[32];
	struct stat st;

	compare(_metadata, &theirs, &ours, &self->ours);
	EXPECT_STREQ("yes", record_get(self->ours.syscall, "success"));
	EXPECT_STREQ("0", record_get(self->ours.syscall, "exit"));
	EXPECT_STREQ("\"" PROGRAM "\"", record_get(self->ours.syscall, "exe"));
	EXPECT_STREQ("\"audit.program\"", record_get(self->ours.syscall, "comm"));
	snprintf(number, sizeof(number), "%x", CLONE_NEWUTS);
	EXPECT_STREQ(number, record_get(self->ours.syscall, "a0"));
	EXPECT_STREQ("4", record_get(self->ours.execve, "argc"));
	/* What has blanks is in hexadecimal. */
	EXPECT_STREQ("61756469742070726F6772616D", record_get(self->ours.execve, "a0"));
	EXPECT_STREQ("612062", record_get(self->ours.execve, "a1"));
	EXPECT_STREQ("01", record_get(self->ours.execve, "a2"));
	EXPECT_STREQ("\"/dev/null\"", record_get(self->ours.execve, "a3"));
	ASSERT_EQ(1, self->ours.paths);
	ASSERT_EQ(0, stat(PROGRAM, &st));
	snprintf(inode, sizeof(inode), "%lu", (unsigned long)st.st_ino);
	EXPECT_STREQ("\"" PROGRAM "\"", record_get(self->ours.path[0], "name"));
	EXPECT_STREQ(inode, record_get(self->ours.path[0], "inode"));
	EXPECT_STREQ("0100755", record_get(self->ours.path[0], "mode"));
}

TEST_F(audit, record_of_a_program_elsewhere)
{
	static const int flags[] = { 0, CLONE_NEWNS, CLONE_NEWUSER, ALL_NS };
	static const char *const paths[] = { PROGRAM, SCRIPT, "./execns_interp", "caps_report" };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		for (j = 0; j < ARRAY_SIZE(paths); j++) {
			const struct exec theirs = { __NR_execve, flags[i], .path = paths[j] };
			const struct exec ours = { __NR_execns, flags[i], .path = paths[j] };
			const struct exec at = { __NR_execnsat, flags[i], .path = paths[j] };

			compare(_metadata, &theirs, &ours, &self->ours);
			compare(_metadata, &theirs, &at, &self->ours);
			/* The interpreter, or the loader, is named as well. */
			EXPECT_EQ(1 + (j == 1 || j == 2), self->ours.paths);
		}
	}
}

TEST_F(audit, record_of_a_descriptor)
{
	static const struct exec theirs = {
		__NR_execveat, .at_flags = AT_EMPTY_PATH, .path = PROGRAM,
	};
	static const struct exec ours = {
		__NR_execnsat, .at_flags = AT_EMPTY_PATH, .path = PROGRAM,
	};

	compare(_metadata, &theirs, &ours, &self->ours);
}

static int no_privilege(void *unused)
{
	return become_user(unused);
}

/* As many records as of the call that is denied, and an error. */
TEST_F(audit, record_of_a_failure)
{
	static const struct {
		struct exec exec;
		bool compared;
		const char *error;
	} rows[] = {
		{ { __NR_execns, 0, .path = "/none" }, true, "-2" },
		{ { __NR_execns, 0, .path = "/tmp" }, true, "-13" },
		{ { __NR_execns, 0, .path = PROGRAM "/x" }, true, "-20" },
		{ { __NR_execns, CLONE_NEWUTS, .path = PROGRAM, .setup = no_privilege }, false,
		  "-1" },
		{ { __NR_execns, 1, .path = PROGRAM }, false, "-22" },
		{ { __NR_execnsat, 1, .path = PROGRAM }, false, "-22" },
		{ { __NR_execnsat, CLONE_NEWNS, .path = PROGRAM, .setup = no_privilege }, false,
		  "-1" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		struct exec theirs = rows[i].exec;

		theirs.call = __NR_execve;
		if (rows[i].compared) {
			compare(_metadata, &theirs, &rows[i].exec, &self->ours);
		} else {
			EXPECT_EQ(EXEC_FAILED, execute(&rows[i].exec));
			ASSERT_TRUE(audit_next(&self->ours, 5000));
		}
		EXPECT_STREQ("no", record_get(self->ours.syscall, "success"));
		EXPECT_STREQ(rows[i].error, record_get(self->ours.syscall, "exit"));
		EXPECT_STREQ("", self->ours.execve);
	}
}

/* A caller that gains from file capabilities. */
static int few_caps(void *unused)
{
	(void)unused;
	return prctl(PR_SET_SECUREBITS, SECBIT_NOROOT) || set_caps(1 << CAP_SYS_ADMIN, 0);
}

TEST_F(audit, record_of_capabilities)
{
	static const int flags[] = { 0, CLONE_NEWNS, CLONE_NEWUTS | CLONE_NEWIPC };
	struct vfs_cap_data caps = {
		.magic_etc = VFS_CAP_REVISION_2 | VFS_CAP_FLAGS_EFFECTIVE,
		.data = { { .permitted = 1 << CAP_NET_ADMIN } },
	};
	size_t i;

	ASSERT_EQ(0, setxattr(PROGRAM, "security.capability", &caps, sizeof(caps), 0));
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		const struct exec theirs = {
			__NR_execve, flags[i], .path = PROGRAM, .setup = few_caps,
		};
		const struct exec ours = {
			__NR_execns, flags[i], .path = PROGRAM, .setup = few_caps,
		};

		compare(_metadata, &theirs, &ours, &self->ours);
		EXPECT_STREQ("0000000000001000", record_get(self->ours.fcaps, "fp"));
		EXPECT_STREQ("0000000000200000", record_get(self->ours.fcaps, "old_pp"));
		EXPECT_STREQ("0000000000001000", record_get(self->ours.fcaps, "pp"));
	}
}

/* A new namespace of users, where no file capability is gained: no record of that. */
TEST_F(audit, no_record_of_capabilities)
{
	static const struct exec theirs = { __NR_execve, CLONE_NEWUSER, .path = PROGRAM };
	static const struct exec ours = { __NR_execns, CLONE_NEWUSER, .path = PROGRAM };

	compare(_metadata, &theirs, &ours, &self->ours);
	EXPECT_STREQ("", self->ours.fcaps);
}

/* -w PROGRAM -p x, and -F exe=PROGRAM: whoever executes it, by whatever call. */
TEST_F(audit, watches)
{
	const struct {
		const char *name;
		struct audit_field fields[2];
		int nr;
	} rules[] = {
		{ "exe", { { AUDIT_EXE, .text = PROGRAM } }, 1 },
		{ "watch", { { AUDIT_WATCH, .text = PROGRAM },
			     { AUDIT_PERM, AUDIT_PERM_EXEC } }, 2 },
	};
	const struct exec execs[] = {
		{ __NR_execve, .path = PROGRAM },
		{ __NR_execns, .path = PROGRAM },
		{ __NR_execns, CLONE_NEWNS, .path = PROGRAM },
		{ __NR_execns, ALL_NS, .path = PROGRAM },
		{ __NR_execnsat, .path = PROGRAM },
		{ __NR_execnsat, CLONE_NEWUSER | CLONE_NEWNS, .path = PROGRAM },
	};
	int all[] = { __NR_execve, __NR_execns, __NR_execnsat, -1 };
	size_t i, j;

	ASSERT_EQ(0, audit_rule(AUDIT_DEL_RULE, exec_calls, &self->child, 1));
	for (i = 0; i < ARRAY_SIZE(rules); i++) {
		ASSERT_EQ(0, audit_rule(AUDIT_ADD_RULE, all, rules[i].fields, rules[i].nr))
			TH_LOG("%s", rules[i].name);
		for (j = 0; j < ARRAY_SIZE(execs); j++) {
			struct exec other = execs[j];

			EXPECT_EQ(0, execute(&execs[j]));
			EXPECT_TRUE(audit_next(&self->ours, 5000))
				TH_LOG("%s, exec %zu", rules[i].name, j);
			other.path = "caps_report";
			EXPECT_EQ(0, execute(&other));
			EXPECT_FALSE(audit_next(&self->ours, 50));
		}
		EXPECT_EQ(0, audit_rule(AUDIT_DEL_RULE, all, rules[i].fields, rules[i].nr));
	}
	ASSERT_EQ(0, audit_rule(AUDIT_ADD_RULE, exec_calls, &self->child, 1));
}

TEST_HARNESS_MAIN
