#include "base/apart.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/banned.h"

/* In memory that both have. */
struct shared {
    bool is_done;
    alignas(max_align_t) unsigned char out[];
};

static void become_small(pid_t parent) {
    sigset_t alarm_alone;
    (void)sigemptyset(&alarm_alone);
    (void)sigaddset(&alarm_alone, SIGALRM);
    (void)signal(SIGALRM, SIG_DFL);
    (void)sigprocmask(SIG_UNBLOCK, &alarm_alone, NULL);
    (void)alarm(APART_SECONDS_MAX);
    (void)prctl(PR_SET_DUMPABLE, 0); /* no core: that it may die is known */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    /* No lock of a file and no connection outlives the daemon because of it. */
    (void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
}

static void run_child(pid_t parent, void (*run)(const void *in, void *out), const void *in, struct shared *shared) {
    become_small(parent);
    run(in, shared->out);
    shared->is_done = true;
    _exit(0);
}

int apart_run(void (*run)(const void *in, void *out), const void *in, void *out, size_t out_bytes) {
    size_t bytes = sizeof(struct shared) + out_bytes;
    struct shared *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -ENOMEM;
    memcpy(shared->out, out, out_bytes);
    pid_t parent = getpid(), child = fork();
    if (child == 0)
        run_child(parent, run, in, shared);
    while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
    bool is_done = child > 0 && shared->is_done;
    if (is_done)
        memcpy(out, shared->out, out_bytes);
    (void)munmap(shared, bytes); /* cannot fail */
    return is_done ? 0 : -ENOMEM;
}
