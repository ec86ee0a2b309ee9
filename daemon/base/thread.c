#include "base/thread.h"

#include <pthread.h>
#include <signal.h>

#include "base/banned.h"

int thread_begin(void *(*run)(void *user), void *user) {
    pthread_t thread;
    sigset_t all, before;
    (void)sigfillset(&all); /* these calls fail for bad arguments only */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int r = -pthread_create(&thread, NULL, run, user);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (r == 0)
        (void)pthread_detach(thread); /* a thread that is joinable, once */
    return r;
}
