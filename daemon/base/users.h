/* The machine's groups, asked for through the C library (nsswitch.conf(5)).
 *
 * glibc crashes where memory ends while it looks somebody up for the first time: it reads nsswitch.conf, loads the
 * services that stand there, and makes each thread's part of them. users_warm_up() has that behind itself before there
 * is anything to lose. Later look-ups fail as others do. */
#pragma once
#include <sys/types.h>

/* For each thread that looks somebody up, before it does; at the start of the program first. -ENOMEM. */
int users_warm_up(void);
/* 0; -ENOENT where there is no such group; another errno where that cannot be seen. */
int users_group(const char *name, gid_t *ret);
