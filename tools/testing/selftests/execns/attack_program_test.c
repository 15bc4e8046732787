// SPDX-License-Identifier: GPL-2.0
/* Attacks on the program that is executed, and through how it is found. */
#include "attack_test.h"

#include <elf.h>

#define MNT "/tmp/attack.mnt"
#define TREE MNT "/tree"
/* Host's files, outside of TREE. */
#define HOST MNT "/host"

FIXTURE(program)
{
	struct execns_args args;
	struct execns_id_map map;
	struct agent_run run;
};

FIXTURE_SETUP(program)
{
	ASSERT_EQ(0, private_mounts());
	mkdir(MNT, 0755);
	ASSERT_EQ(0, mount("tmpfs", MNT, "tmpfs", 0, "mode=755"));
	ASSERT_EQ(0, mkdir(HOST, 0755));
	ASSERT_EQ(0, make_script(HOST "/secret", "!\n"));
	ASSERT_EQ(0, mkdir(TREE, 0755));
	ASSERT_EQ(0, mkdir(TREE "/proc", 0755));
	/* One is attacked, and one attacks. */
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, TREE "/victim", 0, 0755));
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, TREE "/other", 0, 0755));
	ASSERT_EQ(0, mount(TREE, TREE, NULL, MS_BIND, NULL));
	ASSERT_EQ(0, mount("proc", TREE "/proc", "proc", 0, NULL));
	self->args.unshare_flags = CLONE_NEWNS;
	self->args.flags = EXECNS_ROOT_FD;
	self->args.root_fd = open(TREE, O_PATH | O_DIRECTORY | O_CLOEXEC);
	self->map = (struct execns_id_map){ 0, 1000, 1 };
	self->run.args = &self->args;
	self->run.path = "/victim";
}

FIXTURE_TEARDOWN(program)
{
	umount2(MNT, MNT_DETACH);
}

static char *const overwrite_self[] = { "overwrite", "/proc/self/exe", "/other", NULL };

/*
 * The program keeps its own executable, and overwrites it when nothing executes
 * it any more. Neither unshare() nor execns() is against it; a copy of the tree
 * that is read-only is, also for who is root in the new user namespace.
 */
TEST_F(program, overwrite_of_the_hosts_binary)
{
	self->run.command = overwrite_self;
	EXPECT_EQ(0, attack_by_unshare(&self->run));
	/* What has been overwritten is no program any more. */
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, TREE "/victim", 1000, 0755));
	EXPECT_EQ(0, attack(&self->run));
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, TREE "/victim", 1000, 0755));
	ASSERT_EQ(0, mount(NULL, TREE, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	self->args.unshare_flags = CLONE_NEWNS | CLONE_NEWUSER;
	EXPECT_EQ(EROFS, attack(&self->run));
	self->args.uid_map = PTR(&self->map);
	self->args.nr_uid_map = 1;
	self->run.setup = become_user;
	EXPECT_EQ(EROFS, attack(&self->run));
}

static int sealed_copy(const char *path)
{
	char buf[65536];
	int in = open(path, O_RDONLY | O_CLOEXEC);
	int out = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ssize_t n;

	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return -1;
	close(in);
	if (fcntl(out, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
		return -1;
	return out;
}

static int sealed;

/* As call_agent(), for a program that is a descriptor. */
static int call_sealed(void *data)
{
	struct agent_run *run = data;
	struct execns_args args = *run->args;
	struct execns_fd fds[] = {
		{ run->ready[1], AGENT_READY }, { run->go[0], AGENT_GO },
	};
	char *const argv[] = {
		"attack_agent", "60", "61", run->command[0], run->command[1], run->command[2], NULL
	};
	unsigned char failed[2] = { CALL_FAILED };

	args.fds = PTR(fds);
	args.nr_fds = ARRAY_SIZE(fds);
	args.at_flags = AT_EMPTY_PATH;
	sys_execnsat(sealed, "", argv, environ, &args, sizeof(args));
	failed[1] = errno;
	_exit(write(run->ready[1], failed, 2) == 2 ? EXEC_FAILED : 98);
}

/* The same with a sealed copy as the program: it can be opened, and not written. */
TEST_F(program, overwrite_of_a_sealed_copy)
{
	self->run.command = overwrite_self;
	self->run.call = call_sealed;
	sealed = sealed_copy(ATTACK_AGENT);
	ASSERT_LE(0, sealed);
	EXPECT_EQ(EPERM, attack(&self->run));
	close(sealed);
	/* As it is without the seals. */
	ASSERT_EQ(0, copy_program(ATTACK_AGENT, TREE "/plain", 0, 0755));
	sealed = open(TREE "/plain", O_PATH | O_CLOEXEC);
	EXPECT_EQ(0, attack(&self->run));
}

/* By execve(), what the caller executes is this test, which is told to list itself. */
static int own_binary_by_execve(int root, const char *path)
{
	char *const argv[] = { "link", "-l", NULL };
	int status;
	pid_t child = fork();

	if (!child) {
		if (fchdir(root) || chroot("."))
			_exit(98);
		close(1);
		close(2);
		execve(path, argv, environ);
		_exit(EXEC_FAILED);
	}
	return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

/*
 * The image's program is a link to /proc/self/exe, or a script of that: what the
 * caller executes is then the caller's own binary, and in the program's hands.
 * execve() follows the link, execns() refuses it.
 */
TEST_F(program, own_binary_by_the_images_link)
{
	static char *const paths[] = { "/link", "/script" };
	static char *const command[] = { "hold", "/proc/self/exe", NULL };
	size_t i;

	ASSERT_EQ(0, symlink("/proc/self/exe", TREE "/link"));
	ASSERT_EQ(0, make_script(TREE "/script", "#!/proc/self/exe\n"));
	self->run.command = command;
	for (i = 0; i < ARRAY_SIZE(paths); i++) {
		int status = own_binary_by_execve(self->args.root_fd, paths[i]);

		EXPECT_TRUE(status != EXEC_FAILED && status != 98) TH_LOG("%d", status);
		self->run.path = paths[i];
		self->args.unshare_flags = CLONE_NEWNS;
		EXPECT_EQ(-ELOOP, attack(&self->run)) TH_LOG("%s", paths[i]);
		self->args.unshare_flags = CLONE_NEWNS | CLONE_NEWUSER;
		EXPECT_EQ(-ELOOP, attack(&self->run)) TH_LOG("%s", paths[i]);
	}
}

/*
 * The binary of the caller's parent, by /proc of its PID. Root gets it by
 * unshare() and by execns(); with a user namespace nobody does.
 */
TEST_F(program, binary_of_the_parent)
{
	static char path[64], *command[] = { "hold", path, NULL };

	snprintf(path, sizeof(path), "/proc/%d/exe", getpid());
	self->run.command = command;
	EXPECT_EQ(0, attack_by_unshare(&self->run));
	EXPECT_EQ(0, attack(&self->run));
	self->args.unshare_flags |= CLONE_NEWUSER;
	EXPECT_EQ(EACCES, attack(&self->run));
}

static int leak_directory(void *unused)
{
	(void)unused;
	return dup2(open(HOST, O_PATH | O_DIRECTORY | O_CLOEXEC), 80) != 80;
}

static int leak_and_work_there(void *unused)
{
	return leak_directory(unused) || chdir("/proc/self/fd/80");
}

/*
 * A directory of the host is left open, and a path goes through its number, or it
 * is the working directory: CVE-2024-21626. By unshare(), chroot() and execve()
 * the program reads the host's files. By execns() it finds none of the two.
 */
TEST_F(program, directory_descriptor_by_path_trickery)
{
	static char *const by_fd[] = { "secret", "/proc/self/fd/80/secret", NULL };
	static char *const by_up[] = { "secret", "/proc/self/fd/80/../host/secret", NULL };
	static char *const by_cwd[] = { "secret", "secret", NULL };
	static char *const by_cwd_link[] = { "secret", "/proc/self/cwd/secret", NULL };
	static char *const by_cwd_up[] = { "secret", "../host/secret", NULL };
	static char *const *const commands[] = { by_fd, by_up, by_cwd, by_cwd_link, by_cwd_up };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		self->run.command = commands[i];
		self->run.setup = i < 2 ? leak_directory : leak_and_work_there;
		EXPECT_EQ(0, attack_by_unshare(&self->run)) TH_LOG("%s", commands[i][1]);
		EXPECT_EQ(ENOENT, attack(&self->run)) TH_LOG("%s", commands[i][1]);
	}
}

static int leak_agent(void *unused)
{
	(void)unused;
	return dup2(open(ATTACK_AGENT, O_PATH | O_CLOEXEC), 90) != 90;
}

/*
 * The interpreter of a script is what the caller has open. execve() executes it,
 * and gives it that descriptor and the script. execns() refuses it.
 */
TEST_F(program, script_interpreter_through_dev_fd)
{
	static const char *const scripts[] = { "#!/dev/fd/90\n", "#!/proc/self/fd/90\n" };
	char *const argv[] = { "script", NULL };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(scripts); i++) {
		int status, by_execns;

		ASSERT_EQ(0, make_script("/tmp/attack.script", scripts[i]));
		for (by_execns = 0; by_execns < 2; by_execns++) {
			pid_t child = fork();

			if (!child) {
				if (leak_agent(NULL))
					_exit(98);
				if (by_execns)
					sys_execns(CLONE_NEWUSER, "/tmp/attack.script", argv,
						   environ);
				else
					execve("/tmp/attack.script", argv, environ);
				_exit(errno);
			}
			ASSERT_EQ(child, waitpid(child, &status, 0));
			ASSERT_TRUE(WIFEXITED(status));
			/* 97 is the agent's word on too few arguments. */
			EXPECT_EQ(by_execns ? ELOOP : 97, WEXITSTATUS(status))
				TH_LOG("%s", scripts[i]);
		}
		unlink("/tmp/attack.script");
	}
}

#if defined(__x86_64__)
#define MACHINE EM_X86_64
/* exit(42) */
static const unsigned char code[] = {
	0xb8, 0x3c, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05,
};
#elif defined(__aarch64__)
#define MACHINE EM_AARCH64
static const unsigned char code[] = {
	0xa8, 0x0b, 0x80, 0xd2, 0x40, 0x05, 0x80, 0xd2, 0x01, 0, 0, 0xd4,
};
#endif

#ifdef MACHINE
/* A program of a few bytes, with this interpreter, or one that exits with 42. */
static int make_elf(const char *path, const char *interpreter)
{
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr load, interp;
		unsigned char code[sizeof(code)];
		char name[64];
	} elf = {
		.head = {
			.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			.e_type = ET_DYN, .e_machine = MACHINE, .e_version = EV_CURRENT,
			.e_phoff = sizeof(Elf64_Ehdr), .e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr), .e_phnum = interpreter ? 2 : 1,
			.e_entry = sizeof(Elf64_Ehdr) + 2 * sizeof(Elf64_Phdr),
		},
		.load = {
			.p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = sizeof(elf),
			.p_memsz = sizeof(elf), .p_align = 65536,
		},
	};
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	memcpy(elf.code, code, sizeof(code));
	if (interpreter) {
		elf.interp = (Elf64_Phdr){
			.p_type = PT_INTERP, .p_offset = elf.name - (char *)&elf,
			.p_filesz = strlen(interpreter) + 1,
		};
		memcpy(elf.name, interpreter, elf.interp.p_filesz);
	}
	if (fd < 0 || write(fd, &elf, sizeof(elf)) != sizeof(elf))
		return -1;
	return close(fd);
}

/* The same for the loader that an ELF program names. */
TEST(ptinterp_through_proc_self_fd)
{
	static const char *const names[] = { "/tmp/attack.ld", "/proc/self/fd/90", "/dev/fd/90" };
	char *const argv[] = { "elf", NULL };
	int status, by_execns;
	size_t i;

	ASSERT_EQ(0, make_elf("/tmp/attack.ld", NULL));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		ASSERT_EQ(0, make_elf("/tmp/attack.elf", names[i]));
		for (by_execns = 0; by_execns < 2; by_execns++) {
			pid_t child = fork();

			if (!child) {
				if (dup2(open("/tmp/attack.ld", O_PATH | O_CLOEXEC), 90) != 90)
					_exit(98);
				if (by_execns)
					sys_execns(CLONE_NEWUSER, "/tmp/attack.elf", argv, environ);
				else
					execve("/tmp/attack.elf", argv, environ);
				_exit(errno);
			}
			ASSERT_EQ(child, waitpid(child, &status, 0));
			ASSERT_TRUE(WIFEXITED(status)) TH_LOG("%s", names[i]);
			EXPECT_EQ(by_execns && i ? ELOOP : 42, WEXITSTATUS(status))
				TH_LOG("%s", names[i]);
		}
	}
	unlink("/tmp/attack.ld");
	unlink("/tmp/attack.elf");
}
#endif

TEST_HARNESS_MAIN
