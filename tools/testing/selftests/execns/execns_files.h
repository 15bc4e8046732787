/* SPDX-License-Identifier: GPL-2.0 */
/* Files that the tests make: programs, scripts, and a /tmp for them. */
#ifndef _EXECNS_FILES_H
#define _EXECNS_FILES_H

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../kselftest.h"

/* What is mounted from now on goes with this process, however that ends. */
static inline int private_mounts(void)
{
	return unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
}

/* And what is made in /tmp. */
static inline int private_tmp(void)
{
	return private_mounts() || mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777");
}

/* Copy the program at @from to @to, with these owner and mode. */
static inline int copy_program(const char *from, const char *to, uid_t uid, mode_t mode)
{
	char buf[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t n;

	if (in < 0 || out < 0)
		return -1;
	while ((n = read(in, buf, sizeof(buf))) > 0)
		if (write(out, buf, n) != n)
			return -1;
	close(in);
	if (fchown(out, uid, uid) || fchmod(out, mode))
		return -1;
	return close(out);
}

/* Copy the loader of dynamically linked programs to @to. Returns 1 if there is none. */
static inline int copy_loader(const char *to, mode_t mode)
{
	static const char *const loaders[] = {
		"/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(loaders); i++)
		if (!access(loaders[i], X_OK))
			return copy_program(loaders[i], to, 0, mode);
	return 1;
}

/* Make the script @path with this content, executable by all. */
static inline int make_script(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		return -1;
	fchmod(fd, 0755);
	return close(fd);
}

#endif
