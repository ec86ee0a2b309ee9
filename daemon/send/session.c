#include "send/session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "base/clock.h"
#include "base/log.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "send/connect.h"
#include "send/dialogue.h"

#include "base/banned.h"

/*                        connected              message
 *   CONNECTING ------------------------> IDLE ----------> BUSY
 *       |                                 | ^               |
 *       |                      quit asked | +---------------+ all answered
 *       |                                 v                 |
 *       |                             QUITTING              |
 *       |                                 | 221, end        |
 *       v                                 v                 v
 *     CLOSED <--------------------------- + <---------------+ lost, 421, deadline, protocol broken, aborted
 *
 * An event (connected, octets, deadline, message, wish) leaves its mark in the session; drive() then takes the steps.
 */
#define STATES(X) X(CONNECTING, connecting) X(IDLE, idle) X(BUSY, busy) X(QUITTING, quitting) X(CLOSED, closed)
#define AS_STATE(name, step) STATE_##name,
#define AS_NAME(name, step) #name,
#define AS_STEP(name, step) step_##step,
enum state { STATES(AS_STATE) };
static const char *const state_names[] = {STATES(AS_NAME)};

enum { TURN_MAX_BYTES = 256 * 1024 };

struct session {
    struct loop *loop;
    struct conf *conf;
    const struct conf_relay *relay;
    const struct session_handlers *handlers;
    void *user;

    enum state state;
    bool connected, quit_asked, aborted;
    bool lost;  /* the connection is gone or given up, and why says why */
    bool quiet; /* as we wished: nobody needs a reason */
    bool cannot_write;
    bool inside; /* an event is being worked on: what is given now goes out with it */
    struct outcome why;

    struct connection *connection;
    struct dialogue *dialogue; /* once connected */
    struct loop_source *io, *timer, *post;
    uint32_t events;
    int64_t timer_usec;   /* what the timer was last set to */
    int64_t since_usec;   /* the reply that is awaited has been due since; 0: not yet asked for */
    int64_t blocked_usec; /* output has been waiting since; 0: it goes on */
};

static void drive(struct session *s);

static void lose(struct session *s, const char *text) {
    if (s->lost)
        return;
    s->lost = true;
    outcome_set(&s->why, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION, text);
}

static void lose_by_fault(struct session *s) {
    if (s->lost)
        return;
    s->lost = true;
    s->quiet = dialogue_has_quit(s->dialogue);
    s->why = *dialogue_fault(s->dialogue);
}

/* The relay closed the connection, or broke it. After a 421 that is one and the same: a server that closes without
 * having read all breaks it. */
static void lose_by_end(struct session *s, bool broken) {
    const char *text = dialogue_fault(s->dialogue)->text; /* of a 421 */
    if (text[0] || !broken)
        dialogue_ended(s->dialogue);
    if (text[0])
        lose_by_fault(s);
    else
        lose(s, broken ? "the connection to the relay broke" : "the relay closed the connection");
}

/* ---- the socket ---- */

static void receive(struct session *s) {
    char octets[16384];
    while (!s->lost) {
        unsigned replies = dialogue_replies(s->dialogue);
        ssize_t n = connection_recv(s->connection, octets, sizeof octets);
        if (n == -EAGAIN)
            return;
        if (n == 0)
            lose_by_end(s, false);
        else if (n < 0)
            lose_by_end(s, true);
        else if (dialogue_feed(s->dialogue, view_make(octets, (size_t)n)) < 0 || dialogue_is_over(s->dialogue))
            lose_by_fault(s);
        if (replies != dialogue_replies(s->dialogue))
            s->since_usec = 0; /* the next one has its own time */
        if (n > 0 && (size_t)n < sizeof octets && !connection_is_tls(s->connection))
            return; /* that was all; should more come, the socket says so */
    }
}

/* Until the socket is full, or a turn's share is sent: others wait too, and what the relay says is to be heard. */
static void transmit(struct session *s) {
    struct view v;
    size_t sent = 0;
    while (!s->cannot_write && (v = dialogue_output(s->dialogue)).len) {
        ssize_t n = connection_send(s->connection, v.ptr, v.len);
        if (n == -EAGAIN) {
            if (!s->blocked_usec)
                s->blocked_usec = clock_mono_usec();
            return;
        }
        if (n < 0) {
            /* What the relay said before it hung up tells more than the broken pipe. */
            s->cannot_write = true;
            receive(s);
            if (!s->lost)
                lose_by_end(s, true);
            return;
        }
        dialogue_handed(s->dialogue, (size_t)n);
        s->blocked_usec = 0;
        sent += (size_t)n;
        if (sent >= TURN_MAX_BYTES || ((size_t)n < v.len && !connection_is_tls(s->connection))) {
            s->blocked_usec = dialogue_output(s->dialogue).len ? clock_mono_usec() : 0;
            return;
        }
    }
}

static void watch(struct session *s) {
    bool more = !s->cannot_write && dialogue_output(s->dialogue).len > 0;
    uint32_t events = EPOLLIN | (more ? EPOLLOUT : 0);
    if (events != s->events && loop_set_io(s->io, events) < 0) {
        lose(s, "out of memory");
        loop_post(s->post);
    }
    s->events = events;
}

/* ---- deadlines ---- */

static int64_t time_for(const struct session *s, enum reply_stage stage) {
    switch (stage) {
    case REPLY_DATA: return s->conf->timeout_data_usec;
    case REPLY_END: return s->conf->timeout_end_usec;
    case REPLY_QUIT:
        return s->conf->timeout_command_usec < SESSION_QUIT_USEC ? s->conf->timeout_command_usec : SESSION_QUIT_USEC;
    case REPLY_GREETING:
    case REPLY_EHLO:
    case REPLY_STARTTLS:
    case REPLY_AUTH:
    case REPLY_MAIL:
    case REPLY_RCPT:
    case REPLY_RSET: break;
    }
    return s->conf->timeout_command_usec;
}

/* The next deadline, INT64_MAX where nothing is awaited. */
static int64_t deadline(struct session *s, int64_t now_usec) {
    enum reply_stage stage;
    int64_t until = INT64_MAX;
    if (!dialogue_awaits(s->dialogue, &stage)) {
        s->since_usec = 0;
    } else {
        if (!s->since_usec)
            s->since_usec = now_usec;
        until = s->since_usec + time_for(s, stage);
    }
    if (s->blocked_usec && s->blocked_usec + s->conf->timeout_block_usec < until)
        until = s->blocked_usec + s->conf->timeout_block_usec;
    return until;
}

/* A timer that is set too early is left to fire, and then set anew: that is rarer than replies are. */
static void set_timer(struct session *s) {
    int64_t until = deadline(s, clock_mono_usec());
    if (until == INT64_MAX) {
        loop_unset_timer(s->timer);
    } else if (!loop_timer_is_set(s->timer) || until < s->timer_usec) {
        s->timer_usec = until;
        loop_set_timer(s->timer, until);
    }
}

static void on_timer(void *user) {
    struct session *s = user;
    s->inside = true;
    int64_t now = clock_mono_usec();
    if (deadline(s, now) <= now)
        lose(s, "the relay did not answer in time");
    drive(s);
}

/* ---- states ---- */

static enum state step_connecting(struct session *s) {
    if (s->lost)
        return STATE_CLOSED;
    return s->connected ? STATE_IDLE : STATE_CONNECTING;
}

static enum state step_idle(struct session *s) {
    if (s->lost)
        return STATE_CLOSED;
    if (dialogue_in_flight(s->dialogue))
        return STATE_BUSY;
    if (!s->quit_asked && !dialogue_is_retired(s->dialogue))
        return STATE_IDLE;
    dialogue_quit(s->dialogue);
    return STATE_QUITTING;
}

static enum state step_busy(struct session *s) {
    if (!s->lost)
        dialogue_pump(s->dialogue);
    if (!s->lost && dialogue_is_over(s->dialogue))
        lose_by_fault(s);
    if (s->lost)
        return STATE_CLOSED;
    return dialogue_in_flight(s->dialogue) ? STATE_BUSY : STATE_IDLE;
}

static enum state step_quitting(struct session *s) {
    if (!s->lost && dialogue_is_over(s->dialogue))
        lose_by_fault(s); /* it could not even say so */
    s->quiet |= s->lost;
    return s->lost ? STATE_CLOSED : STATE_QUITTING;
}

static enum state step_closed(struct session *s) {
    (void)s;
    return STATE_CLOSED;
}

static enum state (*const steps[])(struct session *s) = {STATES(AS_STEP)};

static void disconnect(struct session *s) {
    s->io = loop_remove(s->io); /* before libcurl closes the socket */
    s->timer = loop_remove(s->timer);
    s->post = loop_remove(s->post);
    s->connection = connection_free(s->connection);
}

static void close_down(struct session *s) {
    disconnect(s);
    if (s->dialogue)
        dialogue_lost(s->dialogue, s->why.text);
    s->handlers->on_closed(s->user, s, s->quiet ? NULL : &s->why);
}

/* Takes steps until nothing changes any more. The session may be gone afterwards. */
static void drive(struct session *s) {
    bool closed = s->state == STATE_CLOSED;
    for (;;) {
        enum state from = s->state, to = steps[from](s);
        if (s->dialogue && to != STATE_CLOSED) {
            transmit(s);
            if (s->lost)
                continue;
        }
        if (to == from)
            break;
        log_debug("session", LOG_TEXT("relay", s->relay->id), LOG_TEXT("from", state_names[from]),
                  LOG_TEXT("to", state_names[to]));
        s->state = to;
        if (from == STATE_CONNECTING && to == STATE_IDLE)
            s->handlers->on_ready(s->user, s);
    }
    if (s->state == STATE_CLOSED && !closed) {
        close_down(s);
        return;
    }
    s->inside = false;
    if (s->dialogue && s->state != STATE_CLOSED) {
        watch(s);
        set_timer(s);
    }
}

/* All sessions that are ready together hear first and speak then: whoever is at the other end of many of them is woken
 * once, and not by each. */
static void on_io(void *user, int fd, uint32_t events) {
    (void)fd, (void)events;
    struct session *s = user;
    s->inside = true;
    receive(s);
    s->inside = false;
    loop_post(s->post);
}

static void on_post(void *user) {
    struct session *s = user;
    s->inside = true;
    if (s->aborted) {
        lose(s, "sending was broken off");
        s->quiet = true;
    }
    drive(s);
}

/* ---- messages out of the dialogue ---- */

static void on_outcome(void *user, uint64_t cookie, const struct outcome *outcome) {
    struct session *s = user;
    s->handlers->on_outcome(s->user, s, cookie, outcome);
}

static void on_unsent(void *user, uint64_t cookie) {
    struct session *s = user;
    s->handlers->on_unsent(s->user, s, cookie);
}

static const struct dialogue_handlers dialogue_handlers = {.on_outcome = on_outcome, .on_unsent = on_unsent};

/* ---- the life of a session ---- */

static int begin(struct session *s) {
    struct capabilities offers = *connection_capabilities(s->connection);
    if (s->relay->pipelining == CONF_PIPELINING_NONE)
        offers.pipelining = false;
    int r =
        dialogue_new(&offers, s->relay->in_flight, s->conf->message_limit_bytes, &dialogue_handlers, s, &s->dialogue);
    if (r < 0)
        return r;
    s->events = EPOLLIN;
    r = loop_add_io(s->loop, connection_fd(s->connection), s->events, on_io, s, &s->io);
    return r < 0 ? r : loop_add_timer(s->loop, on_timer, s, &s->timer);
}

static void on_connected(void *user, struct connection *c, const struct outcome *why) {
    struct session *s = user;
    s->inside = true;
    (void)c; /* the one we have */
    s->connected = true;
    if (why) {
        s->lost = true;
        s->why = *why;
    } else if (begin(s) < 0) {
        lose(s, "out of memory");
    }
    drive(s);
}

int session_new(struct loop *loop, struct connector *connector, const struct conf *conf, const struct conf_relay *relay,
                const struct session_handlers *handlers, void *user, struct session **ret) {
    struct session *s = calloc(1, sizeof *s);
    if (!s)
        return -ENOMEM;
    *s = (struct session){.loop = loop,
                          .conf = conf_ref(conf),
                          .relay = relay,
                          .handlers = handlers,
                          .user = user,
                          .state = STATE_CONNECTING};
    int r = loop_add_post(loop, on_post, s, &s->post);
    if (r == 0)
        r = connection_new(connector, conf, relay, on_connected, s, &s->connection);
    if (r < 0) {
        (void)session_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct session *session_free(struct session *s) {
    if (!s)
        return NULL;
    disconnect(s);
    (void)dialogue_free(s->dialogue);
    (void)conf_unref(s->conf);
    free(s);
    return NULL;
}

bool session_is_ready(const struct session *s) {
    return (s->state == STATE_IDLE || s->state == STATE_BUSY) && !s->quit_asked && !s->lost;
}

unsigned session_room(const struct session *s) {
    return session_is_ready(s) ? dialogue_room(s->dialogue) : 0;
}

int session_send(struct session *s, const struct envelope *envelope, struct view message, uint64_t cookie) {
    int r = dialogue_send(s->dialogue, envelope, message, cookie);
    if (r == 0 && !s->inside)
        loop_post(s->post);
    return r;
}

void session_quit(struct session *s) {
    s->quit_asked = true;
    if (s->state == STATE_CONNECTING)
        s->aborted = true;
    if (s->post)
        loop_post(s->post);
}

void session_abort(struct session *s) {
    s->aborted = true;
    if (s->post)
        loop_post(s->post);
}

unsigned session_in_flight(const struct session *s) {
    return s->dialogue ? dialogue_in_flight(s->dialogue) : 0;
}
