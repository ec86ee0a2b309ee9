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

/* Sockets and wake-ups are watched by an epoll of our own: what is ready together is served together, for one system
 * call, and posts follow. sd-event, with timers, signals, folders and the watchdog, is one descriptor among them, and is
 * asked only when that is ready or a timer was set; each turn runs at most one of its sources.
 *
 * STATES  of sd-event
 *           IDLE    --sd_event_prepare()--> ARMED: its descriptor tells when something is due
 *           ARMED   --sd_event_wait(0)----> PENDING, or IDLE where nothing was due
 *           PENDING --sd_event_dispatch()-> IDLE */
enum { BATCH_MAX = 64 };
enum event_state { IDLE, ARMED, PENDING };

struct loop {
    sd_event *event;
    enum event_state state;
    bool stirred; /* a timer was set or removed since sd-event was armed: it does not know yet */
    int fd;       /* our epoll */
    struct loop_source *batch[BATCH_MAX]; /* being served; removed ones are NULL */
    int batch_count;
    struct loop_source *posts, **posts_end; /* posted, in order */
    bool stopped;
    int code;
};

enum kind { KIND_IO, KIND_TIMER, KIND_POST, KIND_SIGNAL, KIND_WAKE, KIND_FOLDER };

struct loop_source {
    struct loop *loop;
    enum kind kind;
    sd_event_source *source; /* NULL for those of our epoll, and posts */
    int fd;                  /* KIND_IO borrowed, KIND_WAKE owned, else -1 */
    uint32_t events;         /* 0: not in the epoll */
    struct loop_source *next_post;
    bool posted;
    void *user;
    union {
        loop_on_io *io;
        loop_on_timer *timer;
        loop_on_post *post;
        loop_on_signal *signal;
        loop_on_entry *entry;
    } on;
};

static void run_posts(struct loop *l) {
    unsigned count = 0;
    for (const struct loop_source *s = l->posts; s; s = s->next_post)
        count++;
    /* Those that are posted meanwhile come with the next turn: nobody can keep the loop for himself. */
    while (count-- && l->posts && !l->stopped) {
        struct loop_source *s = l->posts;
        l->posts = s->next_post;
        if (!l->posts)
            l->posts_end = &l->posts;
        s->posted = false;
        s->on.post(s->user);
    }
}

/* A callback before it in the batch may have changed what it wants to know of. */
static void serve_source(struct loop_source *s, uint32_t events) {
    uint64_t count;
    events &= s->events | EPOLLERR | EPOLLHUP;
    if (s->kind == KIND_WAKE) {
        if (read(s->fd, &count, sizeof count) == sizeof count)
            s->on.post(s->user);
    } else if (s->events && events) {
        s->on.io(s->user, s->fd, events);
    }
}

/* Makes sd-event's descriptor tell when something of its own is due; PENDING where something is. */
static int arm(struct loop *l) {
    int r = 1;
    if (l->state == ARMED && l->stirred) {
        r = sd_event_wait(l->event, 0);
        l->state = r > 0 ? PENDING : IDLE;
    }
    if (r >= 0 && l->state == IDLE) {
        l->stirred = false;
        r = sd_event_prepare(l->event);
        l->state = r > 0 ? PENDING : ARMED;
    }
    return r < 0 ? r : 0;
}

/* Serves what is ready; waits where nothing is due already. How many there were. */
static int serve_batch(struct loop *l, bool *ret_event_is_ready) {
    struct epoll_event events[BATCH_MAX];
    int n = epoll_wait(l->fd, events, BATCH_MAX, l->posts || l->state == PENDING ? 0 : -1);
    if (n < 0 && errno != EINTR)
        return -errno;
    l->batch_count = n > 0 ? n : 0;
    for (int i = 0; i < n; i++)
        l->batch[i] = events[i].data.ptr;
    for (int i = 0; i < n && !l->stopped; i++) { /* what is left is told again */
        if (events[i].data.ptr == l)
            *ret_event_is_ready = true;
        else if (l->batch[i])
            serve_source(l->batch[i], events[i].events);
    }
    l->batch_count = 0;
    return n > 0 ? n : 0;
}

/* What became ready while others were served is served as well before posts follow: what they have to say goes out
 * together. */
static int serve(struct loop *l, bool *ret_event_is_ready) {
    int r = serve_batch(l, ret_event_is_ready);
    if (r > 0 && l->posts && !l->stopped)
        r = serve_batch(l, ret_event_is_ready);
    run_posts(l);
    return r < 0 ? r : 0;
}

static int dispatch_event(struct loop *l) {
    int r = 1;
    if (l->state == ARMED)
        r = sd_event_wait(l->event, 0);
    l->state = IDLE;
    if (r > 0)
        r = sd_event_dispatch(l->event);
    run_posts(l);
    return r < 0 ? r : 0;
}

int loop_new(struct loop **ret) {
    struct loop *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    l->posts_end = &l->posts;
    l->fd = epoll_create1(EPOLL_CLOEXEC);
    int r = l->fd < 0 ? -errno : sd_event_new(&l->event);
    if (r >= 0)
        r = sd_event_get_fd(l->event);
    if (r >= 0 && epoll_ctl(l->fd, EPOLL_CTL_ADD, r, &e) < 0)
        r = -errno;
    if (r < 0) {
        (void)loop_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

struct loop *loop_free(struct loop *l) {
    if (l) {
        (void)sd_event_unref(l->event);
        if (l->fd >= 0)
            (void)close(l->fd); /* an epoll holds nothing that could be lost */
        free(l);
    }
    return NULL;
}

int loop_run(struct loop *l) {
    l->stopped = false;
    l->code = 0;
    while (!l->stopped) {
        bool event_is_ready = false;
        int r = arm(l);
        if (r == 0)
            r = serve(l, &event_is_ready);
        if (r == 0 && !l->stopped && (event_is_ready || l->state == PENDING))
            r = dispatch_event(l);
        if (r < 0)
            return r;
    }
    return l->code;
}

void loop_stop(struct loop *l, int code) {
    l->stopped = true;
    l->code = code;
}

static struct loop_source *source_new(struct loop *l, enum kind kind, void *user) {
    struct loop_source *s = calloc(1, sizeof *s);
    if (s) {
        s->loop = l;
        s->kind = kind;
        s->user = user;
        s->fd = -1;
    }
    return s;
}

static void unpost(struct loop_source *s) {
    struct loop *l = s->loop;
    for (struct loop_source **at = &l->posts; *at; at = &(*at)->next_post)
        if (*at == s) {
            *at = s->next_post;
            if (!s->next_post)
                l->posts_end = at;
            return;
        }
}

struct loop_source *loop_remove(struct loop_source *s) {
    if (!s)
        return NULL;
    for (int i = 0; i < s->loop->batch_count; i++)
        if (s->loop->batch[i] == s)
            s->loop->batch[i] = NULL;
    if (s->posted)
        unpost(s);
    if (s->events)
        (void)epoll_ctl(s->loop->fd, EPOLL_CTL_DEL, s->fd, NULL); /* fails where it was closed: then it is out too */
    if (s->kind == KIND_TIMER && s->source && loop_timer_is_set(s))
        s->loop->stirred = true; /* else sd-event would wake for it, once */
    (void)sd_event_source_disable_unref(s->source);
    if (s->kind == KIND_WAKE && s->fd >= 0)
        (void)close(s->fd); /* an eventfd holds nothing that could be lost */
    free(s);
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

static int watch(struct loop_source *s, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = s};
    int op = !events ? EPOLL_CTL_DEL : s->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (events == s->events)
        return 0;
    if (epoll_ctl(s->loop->fd, op, s->fd, &e) < 0)
        return -errno;
    s->events = events;
    return 0;
}

int loop_add_io(struct loop *l, int fd, uint32_t epoll_events, loop_on_io *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(l, KIND_IO, user);
    if (!s)
        return -ENOMEM;
    s->on.io = on;
    s->fd = fd;
    return source_done(s, watch(s, epoll_events), ret);
}

/* With no events epoll would still report a hang-up, for ever: it is taken out. */
int loop_set_io(struct loop_source *s, uint32_t epoll_events) {
    assert(s->kind == KIND_IO);
    return watch(s, epoll_events);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
    (void)source, (void)usec;
    struct loop_source *s = userdata;
    s->on.timer(s->user);
    return 0;
}

int loop_add_timer(struct loop *l, loop_on_timer *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(l, KIND_TIMER, user);
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
    s->loop->stirred = true;
}

void loop_unset_timer(struct loop_source *s) {
    assert(s->kind == KIND_TIMER);
    (void)sd_event_source_set_enabled(s->source, SD_EVENT_OFF); /* turning off cannot fail */
}

bool loop_timer_is_set(const struct loop_source *s) {
    return sd_event_source_get_enabled(s->source, NULL) > 0;
}

int loop_add_post(struct loop *l, loop_on_post *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(l, KIND_POST, user);
    if (!s)
        return -ENOMEM;
    s->on.post = on;
    return source_done(s, 0, ret);
}

void loop_post(struct loop_source *s) {
    assert(s->kind == KIND_POST);
    struct loop *l = s->loop;
    if (s->posted)
        return;
    s->posted = true;
    s->next_post = NULL;
    *l->posts_end = s;
    l->posts_end = &s->next_post;
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
    struct loop_source *s = source_new(l, KIND_SIGNAL, user);
    if (!s)
        return -ENOMEM;
    s->on.signal = on;
    return source_done(s, sd_event_add_signal(l->event, &s->source, signal, on_signal, s), ret);
}

int loop_add_wake(struct loop *l, loop_on_post *on, void *user, struct loop_source **ret) {
    struct loop_source *s = source_new(l, KIND_WAKE, user);
    if (!s)
        return -ENOMEM;
    s->on.post = on;
    s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return source_done(s, s->fd < 0 ? -errno : watch(s, EPOLLIN), ret);
}

void loop_wake(struct loop_source *s) {
    const uint64_t one = 1;
    /* Fails only when the counter is full: then the loop is being woken anyway. */
    if (write(s->fd, &one, sizeof one) < 0)
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
    struct loop_source *s = source_new(l, KIND_FOLDER, user);
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
