// SPDX-License-Identifier: GPL-2.0
/*
 * compat_caller FILE: check errors of execns() as a 32-bit program, then become
 * execns_report in all new namespaces. Exits with the number of what failed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef __NR_execns
#define __NR_execns 473
#endif

#define ALL_NS 0x7e020080

int main(int argc, char **argv)
{
	char *const args[] = { "execns_report", "from 32 bit", argv[argc - 1], NULL };
	char *const bad[] = { (char *)16, NULL };

	if (argc < 2)
		return 1;
	if (syscall(__NR_execns, 0x1000, "./execns_report", args, environ) != -1 ||
	    errno != EINVAL)
		return 2;
	if (syscall(__NR_execns, ALL_NS, "/nonexistent", args, environ) != -1 ||
	    errno != ENOENT)
		return 3;
	if (syscall(__NR_execns, ALL_NS, "./execns_report", bad, environ) != -1 ||
	    errno != EFAULT)
		return 4;
	if (syscall(__NR_execns, ALL_NS, "./execns_report", (char **)16, environ) != -1 ||
	    errno != EFAULT)
		return 5;
	syscall(__NR_execns, ALL_NS, "./execns_report", args, environ);
	return 6;
}
