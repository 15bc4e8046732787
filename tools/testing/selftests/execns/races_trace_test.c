// SPDX-License-Identifier: GPL-2.0
/* Races of execns() with processes that trace, signal, schedule or move the caller. */
#include "races_round.h"

#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/uio.h>

#define CGROUP "/sys/fs/cgroup/races"
#define CORES "/tmp/execns-races.core"

#ifndef PIDFD_GET_USER_NAMESPACE
#define PIDFD_GET_USER_NAMESPACE _IO(0xFF, 9)
#define PIDFD_GET_MNT_NAMESPACE _IO(0xFF, 3)
#endif

FIXTURE(outside)
{
	struct races *races;
};

FIXTURE_VARIANT(outside)
{
	struct race race;
};

/* A thread of the target, or the leader. */
static pid_t any_thread(struct other *other)
{
	int dir, tids[16], n;

	dir = openat(other->proc, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return other->pid;
	n = list_open(dir, tids, ARRAY_SIZE(tids));
	close(dir);
	return n > 0 ? tids[pick(&other->seed, n)] : other->pid;
}

/* Until the tracee stops. Where it has ended, or the leader has become it, it does not. */
static bool stops(pid_t tid, int *status)
{
	int tries;
	pid_t pid;

	for (tries = 0; tries < 200; tries++) {
		pid = waitpid(-1, status, WNOHANG | __WALL);
		if (pid < 0 || (pid == tid && !WIFSTOPPED(*status)))
			return false;
		if (pid > 0 && WIFSTOPPED(*status))
			return true;
		usleep(50);
	}
	return false;
}

/* A tracer, which may end at any time: the tracee goes on then. */
static void trace(pid_t tid, unsigned int seed)
{
	int status, steps = pick(&seed, 4);
	struct iovec iov;
	char regs[1024];

	if (pick(&seed, 2)) {
		if (ptrace(PTRACE_SEIZE, tid, NULL, PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT))
			_exit(errno);
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
	} else if (ptrace(PTRACE_ATTACH, tid, NULL, NULL)) {
		_exit(errno);
	}
	while (steps-- && stops(tid, &status)) {
		iov = (struct iovec){ regs, sizeof(regs) };
		ptrace(PTRACE_GETREGSET, tid, (void *)1, &iov);
		ptrace(PTRACE_PEEKDATA, tid, SECRET_MEMORY, NULL);
		ptrace(pick(&seed, 4) ? PTRACE_CONT : PTRACE_SYSCALL, tid, NULL, NULL);
	}
	if (pick(&seed, 2)) {
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		if (stops(tid, &status))
			ptrace(PTRACE_DETACH, tid, NULL, NULL);
	}
	/* What PTRACE_ATTACH has sent and nobody has waited for. */
	_exit(0);
}

static int do_trace(struct other *other)
{
	pid_t tracer = fork(), tid;
	int status;

	if (!tracer) {
		tid = any_thread(other);
		other->seed = getpid();
		trace(tid, other->seed);
	}
	if (tracer < 0 || waitpid(tracer, &status, 0) != tracer)
		return -1;
	/* A stop that is left, since the tracer has ended before. */
	kill(other->pid, SIGCONT);
	if (status)
		return -1;
	count(&other->races->tally[load(&other->races->programs) ? 1 : 0]);
	return 0;
}

static int do_kill(struct other *other)
{
	int us;

	if (!load(&other->races->called))
		return -1;
	/* On a slow machine, an exec takes long. */
	for (us = pick(&other->seed, 100 << pick(&other->seed, 12)); us > 0; us -= 100) {
		if (load(&other->races->target) != other->pid)
			return -1;
		spin(100);
	}
	return kill(other->pid, SIGKILL) || usleep(500);
}

static int do_stop(struct other *other)
{
	int error = kill(other->pid, SIGSTOP);

	spin(pick(&other->seed, 200));
	error = kill(other->pid, SIGCONT) || error;
	spin(pick(&other->seed, 50 << pick(&other->seed, 7)));
	return error;
}

/* Each of them is refused, or done to the one or the other. */
static int do_schedule(struct other *other)
{
	struct sched_param param = { 0 };
	struct rlimit limit;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(other->seed & 1, &cpus);
	setpriority(PRIO_PROCESS, other->pid, other->seed & 3);
	setpriority(PRIO_PGRP, getpgid(other->pid), 0);
	setpriority(PRIO_USER, 1000, 1);
	getpriority(PRIO_USER, 100000);
	syscall(SYS_ioprio_set, 1, other->pid, (2 << 13) | (other->seed & 7));
	syscall(SYS_ioprio_get, 3, 1000);
	sched_setscheduler(other->pid, other->seed & 4 ? SCHED_BATCH : SCHED_OTHER, &param);
	sched_setaffinity(any_thread(other), sizeof(cpus), &cpus);
	if (!prlimit(other->pid, RLIMIT_NOFILE, NULL, &limit))
		prlimit(other->pid, RLIMIT_NOFILE, &limit, NULL);
	if (!prlimit(other->pid, RLIMIT_STACK, NULL, &limit))
		prlimit(other->pid, RLIMIT_STACK, &limit, NULL);
	getsid(other->pid);
	other->seed++;
	return 0;
}

/* Writes that come too late must not land in the program: it has no such memory. */
static int do_memory(struct other *other)
{
	char byte = '!';
	struct iovec local = { &byte, 1 }, remote = { SECRET_MEMORY, 1 };
	struct iovec range = { SECRET_MEMORY, 4096 };

	process_vm_readv(other->pid, &local, 1, &remote, 1, 0);
	byte = '!';
	process_vm_writev(other->pid, &local, 1, &remote, 1, 0);
	syscall(__NR_process_madvise, other->pidfd, &range, 1,
		other->seed++ & 1 ? MADV_COLD : MADV_PAGEOUT, 0);
	syscall(__NR_process_mrelease, other->pidfd, 0);
	return 0;
}

/* What is got is what is secret, or nothing. */
static int do_take(struct other *other)
{
	int fd = syscall(__NR_pidfd_getfd, other->pidfd, FIRST_SECRET, 0);
	char byte = 0;

	if (fd >= 0) {
		if (pread(fd, &byte, 1, 0) != 1 || byte != '!')
			violation(other->races, "pidfd_getfd() has got another descriptor");
		close(fd);
		count(&other->races->tally[0]);
	}
	syscall(__NR_kcmp, getpid(), other->pid, 0 /* KCMP_FILE */, 0, FIRST_SECRET);
	syscall(__NR_kcmp, getpid(), other->pid, 2 /* KCMP_FILES */, 0, 0);
	syscall(__NR_kcmp, getpid(), other->pid, 3 /* KCMP_FS */, 0, 0);
	syscall(__NR_kcmp, getpid(), other->pid, 6 /* KCMP_SYSVSEM */, 0, 0);
	return 0;
}

static void enter(struct other *other, int flags)
{
	struct seen seen;

	if (setns(other->pidfd, flags))
		_exit(1);
	/* Whatever it has come to, it is something. */
	_exit(look_around(&seen, false) ? 2 : 0);
}

/* By a process that has nothing else to lose. */
static int do_enter(struct other *other)
{
	static const int flags[] = {
		CLONE_NEWUSER, CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC,
		CLONE_NEWNS, CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP, CLONE_NEWPID,
		CLONE_NEWUSER | CLONE_NEWTIME | CLONE_NEWPID,
	};
	int flag = flags[pick(&other->seed, ARRAY_SIZE(flags))], status, fd;
	pid_t child;

	fd = ioctl(other->pidfd, PIDFD_GET_USER_NAMESPACE, 0);
	if (fd >= 0)
		close(fd);
	fd = ioctl(other->pidfd, PIDFD_GET_MNT_NAMESPACE, 0);
	if (fd >= 0)
		close(fd);
	child = fork();
	if (!child)
		enter(other, flag);
	if (child < 0 || waitpid(child, &status, 0) != child)
		return -1;
	if (!status)
		count(&other->races->tally[0]);
	return 0;
}

static int prepare_cgroups(struct races *races)
{
	(void)races;
	if ((mkdir(CGROUP ".a", 0755) && errno != EEXIST) ||
	    (mkdir(CGROUP ".b", 0755) && errno != EEXIST))
		return -1;
	return 0;
}

/* To another cgroup and back, frozen at times. A write of 0 would move the writer. */
static int do_cgroups(struct other *other)
{
	char number[16];
	int error;

	snprintf(number, sizeof(number), "%d", other->pid);
	error = write_file(CGROUP ".a/cgroup.procs", number);
	write_file(CGROUP ".a/cgroup.freeze", "1");
	spin(pick(&other->seed, 200));
	write_file(CGROUP ".a/cgroup.freeze", "0");
	if (!pick(&other->seed, 200))
		write_file(CGROUP ".a/cgroup.kill", "1");
	return write_file(CGROUP ".b/cgroup.procs", number) || error;
}

static char core_pattern[256];

static int dump_cores(const char *pattern)
{
	read_file("/proc/sys/kernel/core_pattern", core_pattern, sizeof(core_pattern));
	core_pattern[strcspn(core_pattern, "\n")] = '\0';
	return write_file("/proc/sys/kernel/core_pattern", pattern);
}

static int prepare_core_file(struct races *races)
{
	(void)races;
	return dump_cores(CORES);
}

/* What is read by a program: of the host, whatever the caller is in. */
static int prepare_core_pipe(struct races *races)
{
	char path[128], pattern[160];

	(void)races;
	if (!realpath(RACES_AGENT, path))
		return -1;
	snprintf(pattern, sizeof(pattern), "|%s core", path);
	return dump_cores(pattern);
}

static void restore_cores(struct races *races)
{
	/* Whether there has been a dump. */
	if (!unlink(CORES))
		count(&races->tally[0]);
}

static int let_dump(struct races *races)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	(void)races;
	/* A user may not exceed what he has. */
	return setrlimit(RLIMIT_CORE, &unlimited) && errno != EPERM;
}

static int do_crash(struct other *other)
{
	spin(pick(&other->seed, 100 << pick(&other->seed, 7)));
	/* Nothing is there. */
	store(SECRET_MEMORY + (1 << 20), 1);
	return -1;
}

#define CRASHES .thread = do_crash, .threads = 1, .setup = let_dump, .signal = SIGSEGV, \
		.after = restore_cores
#define TRACES .outside = do_trace, .stay = 3000, .traps = true, \
	       .tallies = { "tracers ended before the program", "with it" }
#define STAYS .stay = 1000

FIXTURE_VARIANT_ADD(outside, trace_by_root) { .race = { TRACES } };

FIXTURE_VARIANT_ADD(outside, trace_by_user) {
	.race = { TRACES, .as_user = true, .only_user = true, .outsiders = 2 }
};

FIXTURE_VARIANT_ADD(outside, trace_two_calls) { .race = { TRACES, .calls = 2, .outsiders = 2 } };

FIXTURE_VARIANT_ADD(outside, sigkill) {
	.race = { .outside = do_kill, .stay = 20000, .signal = SIGKILL, .calls = 2 }
};

FIXTURE_VARIANT_ADD(outside, sigstop) { .race = { .outside = do_stop, STAYS } };
FIXTURE_VARIANT_ADD(outside, schedule) { .race = { .outside = do_schedule, STAYS } };

FIXTURE_VARIANT_ADD(outside, schedule_by_user) {
	.race = { .outside = do_schedule, STAYS, .as_user = true, .calls = 2 }
};

FIXTURE_VARIANT_ADD(outside, memory) { .race = { .outside = do_memory, STAYS } };

FIXTURE_VARIANT_ADD(outside, memory_by_user) {
	.race = { .outside = do_memory, STAYS, .as_user = true, .only_user = true }
};

FIXTURE_VARIANT_ADD(outside, pidfd_getfd) {
	.race = { .outside = do_take, STAYS, .tallies = { "got a descriptor" } }
};

FIXTURE_VARIANT_ADD(outside, setns) {
	.race = { .outside = do_enter, .stay = 5000, .tallies = { "have entered" } }
};

FIXTURE_VARIANT_ADD(outside, setns_by_user) {
	.race = {
		.outside = do_enter, .stay = 5000, .as_user = true, .only_user = true,
		.tallies = { "have entered" },
	}
};

FIXTURE_VARIANT_ADD(outside, cgroups) {
	.race = { .outside = do_cgroups, STAYS, .prepare = prepare_cgroups, .signal = SIGKILL }
};

FIXTURE_VARIANT_ADD(outside, core_file) {
	.race = { CRASHES, .prepare = prepare_core_file, .tallies = { "core dumps" } }
};

FIXTURE_VARIANT_ADD(outside, core_pipe) { .race = { CRASHES, .prepare = prepare_core_pipe } };

FIXTURE_SETUP(outside)
{
	self->races = open_races();
	ASSERT_NE(NULL, self->races);
	read_file("/proc/sys/kernel/core_pattern", core_pattern, sizeof(core_pattern));
}

FIXTURE_TEARDOWN(outside)
{
	write_file("/proc/sys/kernel/core_pattern", core_pattern);
	unlink(races_path);
	rmdir(CGROUP ".a");
	rmdir(CGROUP ".b");
}

/* The program is what its call has asked for, or the caller ends, and nothing is left. */
TEST_F_TIMEOUT(outside, one_program_comes_of_it, RACES_TIMEOUT)
{
	run_race(_metadata, &variant->race, self->races, NULL);
}

TEST_HARNESS_MAIN
