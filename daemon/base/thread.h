/* Threads beside the loop's. */
#pragma once

/* Runs it in a thread of its own that takes no signals, which are the loop's, and that nobody waits for: it tells by itself
 * when it is done. 0, or a negative errno where there is no thread. */
int thread_begin(void *(*run)(void *user), void *user);
