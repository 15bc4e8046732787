// SPDX-License-Identifier: GPL-2.0
/*
 * races_agent FILE WHICH USECS: write to the file what there is to be seen, and that
 * it is call number WHICH that has come to it, and be there for a while. FILE may be
 * "@", for a descriptor that it has.
 *
 * races_agent core: take a core dump from stdin.
 */
#include "races.h"

int main(int argc, char **argv)
{
	char buf[16384];
	struct races *races;
	struct seen seen;
	int fd;

	if (argc == 2 && !strcmp(argv[1], "core")) {
		while (read(0, buf, sizeof(buf)) > 0)
			;
		return 0;
	}
	if (argc != 4)
		return 97;
	if (!strcmp(argv[0], "closes"))
		close_range(FIRST_SECRET, LAST_SECRET, 0);
	/* Without one that it opens itself. */
	if (look_around(&seen, true))
		return 96;
	fd = argv[1][0] == '@' ? RACES_FILE_FD : open(argv[1], O_RDWR | O_CLOEXEC);
	races = map_races(fd);
	if (!races)
		return 95;
	store(&races->done_at_start, load(&races->done));
	races->seen = seen;
	races->which = atoi(argv[2]);
	count(&races->programs);
	usleep(atoi(argv[3]));
	return 0;
}
