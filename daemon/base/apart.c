#include "base/apart.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

#include "base/banned.h"

enum { MSEC_PER_SEC = 1000, USEC_PER_MSEC = 1000, BYTES_PER_KIB = 1024 };

/* In memory that both have. */
struct shared {
    bool is_done;
    long begin_kib; /* the child's memory before run */
    alignas(max_align_t) unsigned char out[];
};

struct call {
    void (*run)(const void *in, void *out);
    const void *in, *out;
    size_t out_bytes;
    struct shared *shared;
};

static long memory_kib(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail */
    return usage.ru_maxrss;
}

static void become_small(pid_t parent) {
    static const struct itimerval processor = {
        .it_value = {.tv_sec = APART_CPU_MSEC_MAX / MSEC_PER_SEC,
                     .tv_usec = APART_CPU_MSEC_MAX % MSEC_PER_SEC * USEC_PER_MSEC}};
    sigset_t limits;
    (void)sigemptyset(&limits);
    (void)sigaddset(&limits, SIGALRM);
    (void)sigaddset(&limits, SIGPROF);
    (void)signal(SIGALRM, SIG_DFL);
    (void)signal(SIGPROF, SIG_DFL);
    (void)sigprocmask(SIG_UNBLOCK, &limits, NULL);
    (void)alarm(APART_SECONDS_MAX);
    (void)setitimer(ITIMER_PROF, &processor, NULL);
    (void)prctl(PR_SET_DUMPABLE, 0); /* no core: that it may die is known */
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(0);
    /* No lock of a file and no connection outlives the daemon because of it. */
    (void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
}

static void run_child(pid_t parent, const struct call *c) {
    become_small(parent);
    c->shared->begin_kib = memory_kib();
    c->run(c->in, c->shared->out);
    c->shared->is_done = true;
    _exit(0);
}

static bool has_memory(size_t bytes) {
    void *volatile probe = malloc(bytes); /* volatile: else the compiler does without */
    bool has = probe;
    free(probe);
    return has;
}

/* 0, or as apart_run(), with the status that the child ended with. */
static int try(const struct call *c, int *ret_status) {
    struct rusage usage = {0};
    pid_t parent = getpid(), ended;
    c->shared->is_done = false;
    c->shared->begin_kib = 0;
    memcpy(c->shared->out, c->out, c->out_bytes);
    pid_t child = fork();
    if (child == 0)
        run_child(parent, c);
    if (child < 0)
        return -ENOMEM;
    *ret_status = 0;
    while ((ended = wait4(child, ret_status, 0, &usage)) < 0 && errno == EINTR)
        ;
    if (c->shared->is_done)
        return 0;
    int by = ended == child && WIFSIGNALED(*ret_status) ? WTERMSIG(*ret_status) : 0;
    if (by == SIGKILL || by == SIGALRM) /* the kernel's, for memory; or it did not get to run */
        return -ENOMEM;
    long grown_kib = c->shared->begin_kib ? usage.ru_maxrss - c->shared->begin_kib : 0;
    return has_memory(APART_PROBE_BYTES + (size_t)(grown_kib > 0 ? grown_kib : 0) * BYTES_PER_KIB) ? -ENOTRECOVERABLE
                                                                                                   : -ENOMEM;
}

int apart_run(const char *name, void (*run)(const void *in, void *out), const void *in, void *out, size_t out_bytes) {
    size_t bytes = sizeof(struct shared) + out_bytes;
    struct shared *shared = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return -ENOMEM;
    const struct call call = {run, in, out, out_bytes, shared};
    int status, r = try(&call, &status);
    if (r == -ENOTRECOVERABLE)
        r = try(&call, &status);
    if (r == -ENOTRECOVERABLE)
        log_error("call-crashed", LOG_TEXT("call", name),
                  LOG_NUM("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    if (r == 0)
        memcpy(out, shared->out, out_bytes);
    (void)munmap(shared, bytes); /* cannot fail */
    return r;
}
