/* SPDX-License-Identifier: GPL-2.0 */
/* Programs that exec may give ids or capabilities to, for the tests of that. */
#ifndef _CAPS_PROGRAMS_H
#define _CAPS_PROGRAMS_H

#include "execnsat_maps.h"

#include <linux/securebits.h>
#include <sys/xattr.h>

/* A mount that is nosuid, and a directory of one that is not. */
#define NOSUID "/tmp/caps.nosuid"
#define PLAIN "/tmp/caps.plain"

/* What /proc/PID/status says of no capability at all, and of one. */
#define NO_CAP "\t0000000000000000"
#define NET_ADMIN_CAP "\t0000000000001000"

struct program {
	const char *name;
	uid_t owner;
	mode_t mode;
	/* File capabilities, if there is a version. */
	unsigned int version, permitted, inheritable;
	uid_t rootid;
	bool nosuid;
	/* The interpreter, if it is a script. */
	const char *script;
	/* What it gives a user, by execve(): effective ids, permitted capabilities. */
	const char *ids, *caps;
	/* One that only some callers are to try, since each takes time. */
	bool rare;
};

#define V2 VFS_CAP_REVISION_2
#define V3 VFS_CAP_REVISION_3
#define EFFECTIVE VFS_CAP_FLAGS_EFFECTIVE
#define NET_ADMIN CAP(NET_ADMIN)
#define NET_RAW CAP(NET_RAW)

#define ROOT_CAPS "\t000001ffffffffff"

static const struct program programs[] = {
	{ "plain", 0, 0755, .ids = "1000 1000 1000 1000", .caps = NO_CAP },
	{ "setuid-root", 0, 04755, .ids = "1000 0 1000 1000", .caps = ROOT_CAPS },
	{ "setuid-user", 2000, 04755, .ids = "1000 2000 1000 1000", .caps = NO_CAP, .rare = true },
	{ "setgid", 2000, 02755, .ids = "1000 1000 1000 2000", .caps = NO_CAP },
	/* Without the right of the group to execute, that bit was for mandatory locks. */
	{ "setgid-locks", 2000, 02745, .ids = "1000 1000 1000 1000", .caps = NO_CAP, .rare = true },
	{ "setuid-nosuid", 0, 06755, .nosuid = true, .ids = "1000 1000 1000 1000",
	  .caps = NO_CAP, .rare = true },
	{ "v2", 0, 0755, V2 | EFFECTIVE, NET_ADMIN, 0, .ids = "1000 1000 1000 1000",
	  .caps = NET_ADMIN_CAP },
	{ "v2-not-effective", 0, 0755, V2, NET_ADMIN, 0, .ids = "1000 1000 1000 1000",
	  .caps = NET_ADMIN_CAP, .rare = true },
	{ "v2-inheritable", 0, 0755, V2 | EFFECTIVE, 0, NET_RAW, .ids = "1000 1000 1000 1000",
	  .caps = NO_CAP },
	{ "v2-setuid-root", 0, 04755, V2 | EFFECTIVE, NET_ADMIN, 0, .ids = "1000 0 1000 1000",
	  .caps = NET_ADMIN_CAP, .rare = true },
	{ "v2-nosuid", 0, 0755, V2 | EFFECTIVE, NET_ADMIN, 0, .nosuid = true,
	  .ids = "1000 1000 1000 1000", .caps = NO_CAP, .rare = true },
	{ "v3-root", 0, 0755, V3 | EFFECTIVE, NET_ADMIN, 0, .ids = "1000 1000 1000 1000",
	  .caps = NET_ADMIN_CAP },
	/* For namespaces of others: of a user's own, and of a nested caller. */
	{ "v3-user", 0, 0755, V3 | EFFECTIVE, NET_ADMIN, 0, 1000, .ids = "1000 1000 1000 1000",
	  .caps = NO_CAP, .rare = true },
	{ "v3-nested", 0, 0755, V3 | EFFECTIVE, NET_ADMIN, 0, 100000,
	  .ids = "1000 1000 1000 1000", .caps = NO_CAP, .rare = true },
	{ "script-setuid", 0, 06755, .script = PLAIN "/plain", .ids = "1000 1000 1000 1000",
	  .caps = NO_CAP, .rare = true },
	{ "script-of-setuid", 0, 0755, .script = PLAIN "/setuid-root", .ids = "1000 0 1000 1000",
	  .caps = ROOT_CAPS, .rare = true },
};

#define NR_PROGRAMS ARRAY_SIZE(programs)

static inline const char *program_path(const struct program *program)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", program->nosuid ? NOSUID : PLAIN, program->name);
	return path;
}

static inline int set_file_caps(const char *path, const struct program *program)
{
	struct vfs_ns_cap_data data = {
		.magic_etc = program->version,
		.data = { { program->permitted, program->inheritable } },
		.rootid = program->rootid,
	};
	bool v3 = (program->version & VFS_CAP_REVISION_MASK) == V3;

	return setxattr(path, "security.capability", &data, v3 ? XATTR_CAPS_SZ_3 : XATTR_CAPS_SZ_2,
			0);
}

static inline int make_program(const struct program *program)
{
	const char *path = program_path(program);
	char text[128];

	if (program->script) {
		snprintf(text, sizeof(text), "#!%s\n", program->script);
		return make_script(path, text) || chown(path, program->owner, program->owner) ||
		       chmod(path, program->mode);
	}
	return copy_program("caps_report", path, program->owner, program->mode) ||
	       (program->version && set_file_caps(path, program));
}

/* As who may mount, which in a namespace of its own a caller can as well. */
static inline int make_mounts(void)
{
	mkdir(PLAIN, 0755);
	mkdir(NOSUID, 0755);
	return mount("caps", PLAIN, "tmpfs", 0, "mode=755") ||
	       mount("caps", NOSUID, "tmpfs", MS_NOSUID, "mode=755");
}

static inline int make_programs(void)
{
	size_t i;

	if (private_tmp() || make_mounts())
		return -1;
	for (i = 0; i < NR_PROGRAMS; i++)
		if (make_program(&programs[i]))
			return -1;
	return 0;
}

/* One of them, and those that are interpreters. */
static inline int make_program_alone(const struct program *program)
{
	size_t i;

	if (make_mounts() || make_program(program))
		return -1;
	for (i = 0; i < NR_PROGRAMS; i++)
		if (program->script && !strcmp(program->script, program_path(&programs[i])) &&
		    make_program(&programs[i]))
			return -1;
	return 0;
}

#endif
