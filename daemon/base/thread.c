#include "base/thread.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>

#include "base/banned.h"

int thread_start(void *(*run)(void *user), void *user, const char *name, pthread_t *ret) {
    sigset_t all, before;
    (void)sigfillset(&all); /* these calls fail for bad arguments only */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = pthread_create(ret, NULL, run, user);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0 && name)
        (void)pthread_setname_np(*ret, name); /* a longer one is no name */
    return r == EAGAIN ? -ENOMEM : -r;        /* that is what pthread_create(3) calls it */
}

int thread_begin(void *(*run)(void *user), void *user) {
    pthread_t thread;
    int r = thread_start(run, user, NULL, &thread);
    if (r == 0)
        (void)pthread_detach(thread); /* a thread that is joinable, once */
    return r;
}
