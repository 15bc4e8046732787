// SPDX-License-Identifier: GPL-2.0
/*
 * caps_report FILE: write to FILE, or to the descriptor N if it is "@N", who this program
 * is, and nothing else: execns_report takes long for what is asked a thousand times.
 */
#define _GNU_SOURCE
#include <linux/prctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	FILE *status = fopen("/proc/self/status", "re");
	const char *to = argc < 2 ? "" : argv[argc - 1];
	FILE *out = *to == '@' ? fdopen(atoi(to + 1), "w") : fopen(to, "we");
	char line[1024], *colon;
	FILE *attr;

	if (!status || !out)
		return 97;
	while (fgets(line, sizeof(line), status)) {
		colon = strchr(line, ':');
		if (!colon || (strncmp(line, "Cap", 3) && strncmp(line, "Uid", 3) &&
			       strncmp(line, "Gid", 3) && strncmp(line, "Groups", 6) &&
			       strncmp(line, "NoNewPrivs", 10)))
			continue;
		*colon = ' ';
		fputs(line, out);
	}
	fprintf(out, "ids %d %d %d %d\n", getuid(), geteuid(), getgid(), getegid());
	fprintf(out, "secure %lu\n", getauxval(AT_SECURE));
	fprintf(out, "auxv %lu %lu %lu %lu\n", getauxval(AT_UID), getauxval(AT_EUID),
		getauxval(AT_GID), getauxval(AT_EGID));
	fprintf(out, "dumpable %d\n", prctl(PR_GET_DUMPABLE));
	fprintf(out, "securebits %#x\n", prctl(PR_GET_SECUREBITS));
	fprintf(out, "keepcaps %d\n", prctl(PR_GET_KEEPCAPS));
	/* Of a security module that labels. */
	attr = fopen("/proc/self/attr/current", "re");
	if (attr && fgets(line, sizeof(line), attr))
		fprintf(out, "label %.*s\n", (int)strcspn(line, "\n"), line);
	fprintf(out, "end 1\n");
	return fclose(out) ? 95 : 0;
}
