#include "net/loop.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/banned.h"

/* Timers may fire this much late, so that near ones share a wake-up. */
enum { TIMER_ACCURACY_USEC = 1000 };

struct loop {
    sd_event *event;
    bool stopped;
    int code;
};

enum kind { KIND_IO, KIND_TIMER, KIND_POST, KIND_SIGNAL, KIND_WAKE, KIND_FOLDER };

struct loop_source {
    enum kind kind;
    sd_event_source *source;
    int wake_fd; /* KIND_WAKE, else -1 */
    void *user;
    union {
        loop_on_io *io;
        loop_on_timer *timer;
        loop_on_post *post;
        loop_on_signal *signal;
        loop_on_entry *entry;
    } on;
};

int loop_new(struct loop **ret) {
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    int r = sd_event_new(&l->event);
    if (r < 0) {
        free(l);
        return r;
    }
    *ret = l;
    return 0;
}

struct loop *loop_free(struct loop *l) {
    if (l) {
        (void)sd_event_unref(l->event);
        free(l);
    }
    return NULL;
}

int loop_run(struct loop *l) {
    l->stopped = false;
    l->code = 0;
    while (!l->stopped) {
        int r = sd_event_run(l->event, UINT64_MAX);
        if (r < 0)
            return r;
    }
    return l->code;
}

void loop_stop(struct loop *l, int code) {
    l->stopped = true;
    l->code = code;
}

static struct loop_source *source_new(enum kind kind, void *user) {
    struct loop_source *s = calloc(1, sizeof *s);
    if (s) {
        s->kind = kind;
        s->user = user;
        s->wake_fd = -1;
    }
    return s;
}

struct loop_source *loop_remove(struct loop_source *s) {
    if (s) {
        (void)sd_event_source_disable_unref(s->source);
        if (s->wake_fd >= 0)
            (void)close(s->wake_fd); /* an eventfd holds nothing that could be lost */
        free(s);
    }
    return NULL;
}

/* The end of every loop_add_…: hands over s, or frees it and passes the failure on. */
static int source_done(struct loop_source *s, int r, struct loop_source **ret) {
    if (r < 0) {
        (void)loop_remove(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* Callbacks below do not touch the source after the owner's function: it may have removed it. */

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source;
    struct loop_source *s = userdata;
    s->on.io(s->user, fd, events);
    return 0;
}

int loop_add_io(struct loop *l, int fd, uint32_t epoll_events, loop_on_io *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(KIND_IO, user);
    if (!s)
        return -ENOMEM;
    s->on.io = on;
    int r = sd_event_add_io(l->event, &s->source, fd, epoll_events, on_io, s);
    if (r >= 0 && epoll_events == 0)
        r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
    return source_done(s, r, ret);
}

int loop_set_io(struct loop_source *s, uint32_t epoll_events) {
    assert(s->kind == KIND_IO);
    /* With no events epoll would still report a hang-up, for ever: take it out. */
    if (epoll_events == 0)
        return sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
    int r = sd_event_source_set_io_events(s->source, epoll_events);
    return r < 0 ? r : sd_event_source_set_enabled(s->source, SD_EVENT_ON);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    (void)source, (void)usec;
    struct loop_source *s = userdata;
    s->on.timer(s->user);
    return 0;
}

int loop_add_timer(struct loop *l, loop_on_timer *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(KIND_TIMER, user);
    if (!s)
        return -ENOMEM;
    s->on.timer = on;
    int r = sd_event_add_time(l->event, &s->source, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC, on_timer, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
    return source_done(s, r, ret);
}

void loop_set_timer(struct loop_source *s, int64_t deadline_mono_usec) {
    assert(s->kind == KIND_TIMER);
    uint64_t deadline = deadline_mono_usec > 0 ? (uint64_t)deadline_mono_usec : 0;
    int r = sd_event_source_set_time(s->source, deadline);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->source, SD_EVENT_ONESHOT);
    assert(r >= 0); /* fails for a bad argument only: room was made when the source was added */
    (void)r;
}

void loop_unset_timer(struct loop_source *s) {
    assert(s->kind == KIND_TIMER);
    (void)sd_event_source_set_enabled(s->source, SD_EVENT_OFF); /* turning off cannot fail */
}

bool loop_timer_is_set(const struct loop_source *s) {
    return sd_event_source_get_enabled(s->source, NULL) > 0;
}

static int on_post(sd_event_source *source, void *userdata) {
    (void)source;
    struct loop_source *s = userdata;
    s->on.post(s->user);
    return 0;
}

int loop_add_post(struct loop *l, loop_on_post *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(KIND_POST, user);
    if (!s)
        return -ENOMEM;
    s->on.post = on;
    int r = sd_event_add_defer(l->event, &s->source, on_post, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
    return source_done(s, r, ret);
}

void loop_post(struct loop_source *s) {
    assert(s->kind == KIND_POST);
    int r = sd_event_source_set_enabled(s->source, SD_EVENT_ONESHOT);
    assert(r >= 0); /* as in loop_set_timer() */
    (void)r;
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    (void)source;
    struct loop_source *s = userdata;
    s->on.signal(s->user, (int)info->ssi_signo);
    return 0;
}

int loop_add_signal(struct loop *l, int signal, loop_on_signal *on, void *user, struct loop_source **ret) {
    sigset_t set;
    (void)sigemptyset(&set);
    if (sigaddset(&set, signal) < 0)
        return -errno;
    int r = -pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (r < 0)
        return r;
    struct loop_source *s = source_new(KIND_SIGNAL, user);
    if (!s)
        return -ENOMEM;
    s->on.signal = on;
    return source_done(s, sd_event_add_signal(l->event, &s->source, signal, on_signal, s), ret);
}

static int on_wake(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)source, (void)events;
    struct loop_source *s = userdata;
    uint64_t count;
    if (read(fd, &count, sizeof count) == sizeof count)
        s->on.post(s->user);
    return 0;
}

int loop_add_wake(struct loop *l, loop_on_post *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(KIND_WAKE, user);
    if (!s)
        return -ENOMEM;
    s->on.post = on;
    s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int r = s->wake_fd < 0 ? -errno : sd_event_add_io(l->event, &s->source, s->wake_fd, EPOLLIN, on_wake, s);
    return source_done(s, r, ret);
}

void loop_wake(struct loop_source *s) {
    const uint64_t one = 1;
    /* Fails only when the counter is full: then the loop is being woken anyway. */
    if (write(s->wake_fd, &one, sizeof one) < 0)
        return;
}

static int on_inotify(sd_event_source *source, const struct inotify_event *event, void *userdata) {
    (void)source;
    struct loop_source *s = userdata;
    /* IN_IGNORED only follows an IN_DELETE_SELF, IN_UNMOUNT or our own removal. */
    if (event->mask & IN_IGNORED)
        return 0;
    /* A file that was made is still being written; only a folder's making is told. */
    if ((event->mask & IN_CREATE) && !(event->mask & IN_ISDIR))
        return 0;
    bool named = event->len > 0 && !(event->mask & IN_Q_OVERFLOW);
    s->on.entry(s->user, named ? event->name : "");
    return 0;
}

int loop_add_folder(struct loop *l, const char *path, loop_on_entry *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(KIND_FOLDER, user);
    if (!s)
        return -ENOMEM;
    s->on.entry = on;
    const uint32_t mask = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    return source_done(s, sd_event_add_inotify(l->event, &s->source, path, mask, on_inotify, s), ret);
}

void loop_notify(const char *state) {
    (void)sd_notify(0, state); /* without a listener there is nobody to miss it */
}

int loop_watchdog(struct loop *l) {
    int r = sd_event_set_watchdog(l->event, true);
    return r < 0 ? r : 0;
}

int loop_listen_fds(int *ret_first) {
    *ret_first = SD_LISTEN_FDS_START;
    return sd_listen_fds(1);
}
