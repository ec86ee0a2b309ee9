/* faster.so: time passes faster in the program that it is preloaded into, so that a test sees hours and days go by. All
 * else is real. The programs of one test are given the same values and agree on the time.
 *
 *   FASTER         how many times as fast, a whole number
 *   FASTER_SINCE   from when on, in microseconds of the machine's monotonic clock
 *
 * Clocks, timers (timerfd) and the time-outs of epoll are those that the daemon and the tests' SMTP server use; what a
 * process has used of the processor is told as it is. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

enum { DESCRIPTORS_MAX = 4096 };
#define NSEC INT64_C(1000000000)

static int64_t speed = 1, since_nsec, wall_since_nsec; /* what the two clocks said when it began */
static clockid_t clock_of[DESCRIPTORS_MAX];
static int (*real_clock_gettime)(clockid_t, struct timespec *);
static int (*real_timerfd_create)(int, int);
static int (*real_timerfd_settime)(int, int, const struct itimerspec *, struct itimerspec *);
static int (*real_epoll_wait)(int, struct epoll_event *, int, int);

static int64_t nsec_of(const struct timespec *t) {
    return t->tv_sec * NSEC + t->tv_nsec;
}

static struct timespec timespec_of(int64_t nsec) {
    return (struct timespec){.tv_sec = nsec / NSEC, .tv_nsec = nsec % NSEC};
}

static void begin(void) {
    if (real_clock_gettime)
        return;
    int (*clock)(clockid_t, struct timespec *) =
        (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    real_timerfd_create = (int (*)(int, int))dlsym(RTLD_NEXT, "timerfd_create");
    real_timerfd_settime =
        (int (*)(int, int, const struct itimerspec *, struct itimerspec *))dlsym(RTLD_NEXT, "timerfd_settime");
    real_epoll_wait = (int (*)(int, struct epoll_event *, int, int))dlsym(RTLD_NEXT, "epoll_wait");
    const char *times = getenv("FASTER"), *from = getenv("FASTER_SINCE");
    struct timespec mono, wall;
    clock(CLOCK_MONOTONIC, &mono);
    clock(CLOCK_REALTIME, &wall);
    speed = times && atoll(times) > 0 ? atoll(times) : 1;
    since_nsec = from ? atoll(from) * 1000 : nsec_of(&mono);
    wall_since_nsec = nsec_of(&wall) - (nsec_of(&mono) - since_nsec);
    real_clock_gettime = clock;
}

static __attribute__((constructor)) void at_start(void) {
    begin();
}

/* Of the clocks that run faster: when it began. -1 for the others. */
static int64_t origin(clockid_t id) {
    switch (id) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME: return since_nsec; /* a machine that slept is none to test on */
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE: return wall_since_nsec;
    default: return -1;
    }
}

int clock_gettime(clockid_t id, struct timespec *ret) {
    begin();
    int r = real_clock_gettime(id, ret);
    int64_t from = origin(id);
    if (r == 0 && from >= 0)
        *ret = timespec_of(from + (nsec_of(ret) - from) * speed);
    return r;
}

time_t time(time_t *ret) {
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict ret, void *restrict zone) {
    (void)zone;
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

int timerfd_create(int id, int flags) {
    begin();
    int fd = real_timerfd_create(id, flags);
    if (fd >= 0 && fd < DESCRIPTORS_MAX)
        clock_of[fd] = id;
    return fd;
}

/* Rounded up: never too early. */
static int64_t slower(int64_t nsec) {
    return nsec > 0 ? (nsec + speed - 1) / speed : nsec;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *wanted, struct itimerspec *before) {
    begin();
    struct itimerspec real = *wanted;
    int64_t from = fd >= 0 && fd < DESCRIPTORS_MAX ? origin(clock_of[fd]) : -1, value = nsec_of(&wanted->it_value);
    if (from >= 0 && value) {
        int64_t at = flags & TFD_TIMER_ABSTIME ? from + slower(value - from) : slower(value);
        real.it_value = timespec_of(at > 0 ? at : 1);
        real.it_interval = timespec_of(slower(nsec_of(&wanted->it_interval)));
    }
    return real_timerfd_settime(fd, flags, &real, before);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int msec) {
    begin();
    return real_epoll_wait(fd, events, max, msec > 0 ? (int)slower(msec) : msec);
}

/* Of either clock: it is told by the number, as one counts from 1970 and the other from the machine's start. */
int pthread_cond_timedwait(pthread_cond_t *restrict cond, pthread_mutex_t *restrict lock,
                           const struct timespec *restrict until) {
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    begin();
    if (!real)
        real = (int (*)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *))dlsym(RTLD_NEXT,
                                                                                            "pthread_cond_timedwait");
    int64_t from = nsec_of(until) < wall_since_nsec / 2 ? since_nsec : wall_since_nsec;
    struct timespec then = timespec_of(from + slower(nsec_of(until) - from));
    return real(cond, lock, &then);
}

/* As on a kernel before 5.11: whoever asks falls back to epoll_wait(). */
int epoll_pwait2(int fd, struct epoll_event *events, int max, const struct timespec *limit, const sigset_t *mask) {
    (void)fd, (void)events, (void)max, (void)limit, (void)mask;
    errno = ENOSYS;
    return -1;
}
