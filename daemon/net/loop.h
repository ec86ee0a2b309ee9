/* The event loop: sd-event behind a small interface. One loop, one thread. Callbacks run from loop_run() only, never
 * from inside the call that asked for them. Sources are freed with loop_remove(), also from inside their own callback.
 */
#pragma once
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;

int loop_new(struct loop **ret);
/* After its sources were removed. */
struct loop *loop_free(struct loop *l);
/* Until loop_stop(); returns its code, or a negative errno. May be called again. */
int loop_run(struct loop *l);
void loop_stop(struct loop *l, int code);

typedef void loop_on_io(void *user, int fd, uint32_t epoll_events);
/* Borrows fd: remove the source before closing it. With no events the descriptor is not watched at all. */
int loop_add_io(struct loop *l, int fd, uint32_t epoll_events, loop_on_io *on_io, void *user, struct loop_source **ret);
int loop_set_io(struct loop_source *s, uint32_t epoll_events);

typedef void loop_on_timer(void *user);
/* A timer, unset at first. Deadlines by clock_mono_usec(); fires once for each set, up to a millisecond late. An unset
 * one costs no wake-up. */
int loop_add_timer(struct loop *l, loop_on_timer *on_timer, void *user, struct loop_source **ret);
void loop_set_timer(struct loop_source *s, int64_t deadline_mono_usec);
void loop_unset_timer(struct loop_source *s);
bool loop_timer_is_set(const struct loop_source *s);

/* Runs once, after the current event and those that were ready with it: the way to complete later. Coalesces while set.
 */
typedef void loop_on_post(void *user);
int loop_add_post(struct loop *l, loop_on_post *on_post, void *user, struct loop_source **ret);
void loop_post(struct loop_source *s);

/* Blocks the signal in this thread and leaves it blocked: add signals before starting threads, which inherit that. */
typedef void loop_on_signal(void *user, int signal);
int loop_add_signal(struct loop *l, int signal, loop_on_signal *on_signal, void *user, struct loop_source **ret);

/* Wakes the loop from another thread: loop_wake() is the only function of this header that other threads may call. */
int loop_add_wake(struct loop *l, loop_on_post *on_wake, void *user, struct loop_source **ret);
void loop_wake(struct loop_source *s);

/* Entries that came to rest in a watched folder: closed after writing, or moved in; also a folder that was made there.
 * name "": look at the whole folder again (events were lost, or it was itself moved or deleted). */
typedef void loop_on_entry(void *user, const char *name);
int loop_add_folder(struct loop *l, const char *path, loop_on_entry *on_entry, void *user, struct loop_source **ret);

struct loop_source *loop_remove(struct loop_source *s); /* NULL is fine; returns NULL */

/* systemd: readiness, status text, reload and watchdog; all no-ops where not started by it. */
void loop_notify(const char *state);
int loop_watchdog(struct loop *l);   /* pings well within the interval asked for */
int loop_listen_fds(int *ret_first); /* number of sockets handed over; asked once, children do not inherit the answer */
