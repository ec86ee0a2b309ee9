/* Threads beside the loop's: they take no signals, which are the loop's. Each begins one, and is 0 or a negative errno:
 * -ENOMEM where the machine has no room for it. */
#pragma once
#include <pthread.h>

/* To be waited for with pthread_join(); name is for people who look at threads, 15 octets at most, and may be NULL. */
int thread_start(void *(*run)(void *user), void *user, const char *name, pthread_t *ret);
/* That nobody waits for: it tells by itself when it is done. */
int thread_begin(void *(*run)(void *user), void *user);
