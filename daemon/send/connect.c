#include "send/connect.h"

#define CURL_DISABLE_DEPRECATION /* of curl_multi_socket_all() */
#include <curl/curl.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "base/view.h"
#include "base/why.h"
#include "conf/conf.h"
#include "net/loop.h"

#include "base/banned.h"

enum { TLS_RECORD_BYTES = 16384, STEPS_MAX = 6, BEHIND_MSEC = 1000 };

struct connector {
    struct loop *loop;
};

struct connection {
    struct connector *connector;
    CURLM *
        multi; /* of its own: libcurl gives a whole multi handle up, and all in it, where memory ends in one of its calls */
    CURL *easy;
    bool in_multi, done;
    unsigned sockets;               /* that libcurl has us watch */
    bool starved;                   /* inside libcurl's callbacks: it cannot go on */
    struct loop_source *curl_timer; /* libcurl's */
    struct loop_source *timer;      /* our own deadline: CURLOPT_TIMEOUT knows no steps */
    int64_t connect_usec, greeting_usec, command_usec;
    int64_t begun_usec;
    int64_t heard_usec; /* the last line of the relay; 0: none yet */
    connection_on_done *on_done;
    void *user;
    struct outcome early; /* of a failure before libcurl was asked, where text is not empty */
    char error[CURL_ERROR_SIZE];

    struct hello hello;
    bool must_authenticate;

    int fd;
    bool tls;
    size_t stuck_bytes; /* of a send that could not go on */
    bool has_peeked;
    char peeked;
};

/* ---- libcurl's multi handle in the loop ---- */

static void fail(struct connection *c, const struct outcome *why);
static void finish(struct connection *c, CURLcode code);

/* The connection may be gone afterwards. */
static void act(struct connection *c, curl_socket_t fd, int what) {
    int running, left;
    if (c->done)
        return;
    CURLMcode code = curl_multi_socket_action(c->multi, fd, what, &running);
    /* 7.88 gives an address up and waits for a call, that no socket and no timer brings, before it tries the next. */
    if (code == CURLM_OK && running && c->sockets == 0 && !c->starved)
        code = curl_multi_socket_all(c->multi, &running);
    if (code != CURLM_OK || c->starved) {
        struct outcome why;
        outcome_set(&why, OUTCOME_DEFERRED, OUTCOME_OF_CONNECTION,
                    code == CURLM_OK ? "out of memory" : curl_multi_strerror(code));
        fail(c, &why);
        return;
    }
    const CURLMsg *m = curl_multi_info_read(c->multi, &left);
    if (m && m->msg == CURLMSG_DONE)
        finish(c, m->data.result);
}

static void on_curl_socket(void *user, int fd, uint32_t events) {
    struct connection *c = user;
    int what = 0;
    if (events & EPOLLIN)
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & (EPOLLERR | EPOLLHUP))
        what |= CURL_CSELECT_ERR;
    act(c, fd, what);
}

static void on_curl_timer(void *user) {
    act(user, CURL_SOCKET_TIMEOUT, 0);
}

/* libcurl asks us to watch a socket. The source is kept as the socket's pointer. */
static int socket_wanted(CURL *easy, curl_socket_t fd, int what, void *user, void *socket) {
    (void)easy;
    struct connection *c = user;
    struct loop_source *source = socket;
    if (what == CURL_POLL_REMOVE) {
        c->sockets -= source != NULL;
        (void)loop_remove(source);
        (void)curl_multi_assign(c->multi, fd, NULL);
        return 0;
    }
    uint32_t events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);
    int r =
        source ? loop_set_io(source, events) : loop_add_io(c->connector->loop, fd, events, on_curl_socket, c, &source);
    if (r == 0 && !socket) {
        c->sockets++;
        (void)curl_multi_assign(c->multi, fd, source);
    }
    c->starved |= r < 0;
    return 0;
}

static int timer_wanted(CURLM *multi, long msec, void *user) {
    (void)multi;
    struct connection *c = user;
    if (msec < 0)
        loop_unset_timer(c->curl_timer);
    else
        loop_set_timer(c->curl_timer, clock_mono_usec() + (int64_t)msec * 1000);
    return 0;
}

int connector_new(struct loop *loop, struct connector **ret) {
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    (void)signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    struct connector *k = calloc(1, sizeof *k);
    if (!k)
        return -ENOMEM;
    k->loop = loop;
    *ret = k;
    return 0;
}

struct connector *connector_free(struct connector *k) {
    free(k);
    return NULL;
}

/* ---- what the relay says while libcurl speaks with it ---- */

/* libcurl hands over each line once. */
static size_t on_line(char *data, size_t size, size_t count, void *user) {
    struct connection *c = user;
    c->heard_usec = clock_mono_usec();
    return hello_feed(&c->hello, view_make(data, size * count)) ? size * count : 0;
}

static void fail_text(struct outcome *o, enum outcome_subject subject, const char *what, const char *detail) {
    AUTOBUF struct buf text = BUF_INIT(2048);
    buf_puts(&text, what);
    if (detail[0])
        buf_printf(&text, ": %s", detail);
    outcome_set(o, OUTCOME_DEFERRED, subject, buf_str(&text));
}

/* libcurl does not say for which reason it made no socket. */
static bool has_no_descriptor(void) {
    AUTOCLOSE int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return fd < 0 && (errno == EMFILE || errno == ENFILE);
}

static void explain(const struct connection *c, CURLcode code, struct outcome *o) {
    const char *detail = c->error[0] ? c->error : curl_easy_strerror(code);
    const struct hello *h = &c->hello;
    if (code == CURLE_LOGIN_DENIED) {
        if (hello_refused_for_good(h))
            hello_fail(&h->reply, o, OUTCOME_OF_SENDER, "the relay refused user name or password");
        else if (hello_refused_for_now(h))
            hello_fail(&h->reply, o, OUTCOME_OF_CONNECTION, "the relay cannot check user name and password now");
        else if (hello_is_missing(h))
            hello_fail(&h->ehlo, o, OUTCOME_OF_CONNECTION, "the relay does not say what it offers");
        else if (hello_is_confused(h))
            hello_fail(&h->reply, o, OUTCOME_OF_CONNECTION, "the relay broke the protocol: that is no answer to AUTH");
        else
            fail_text(o, OUTCOME_OF_SENDER, "the relay offers no way to log in that we know", "");
    } else if (code == CURLE_PEER_FAILED_VERIFICATION) {
        fail_text(o, OUTCOME_OF_SENDER, "the relay's certificate is not trusted", detail);
    } else if (code == CURLE_USE_SSL_FAILED) {
        if (hello_refused_for_now(h))
            hello_fail(&h->reply, o, OUTCOME_OF_CONNECTION, "the relay cannot begin TLS now");
        else if (hello_refused_for_good(h))
            hello_fail(&h->reply, o, OUTCOME_OF_SENDER, "the relay refuses TLS, which is required");
        else if (hello_is_missing(h))
            hello_fail(&h->ehlo, o, OUTCOME_OF_CONNECTION, "the relay does not say what it offers");
        else if (hello_is_confused(h))
            hello_fail(&h->reply, o, OUTCOME_OF_CONNECTION,
                       "the relay broke the protocol: that is no answer to STARTTLS");
        else
            fail_text(o, OUTCOME_OF_SENDER, "the relay does not offer TLS, which is required", "");
    } else if (code == CURLE_SSL_CACERT_BADFILE) {
        fail_text(o, OUTCOME_OF_SENDER, "the relay's ca-file cannot be used", detail);
    } else if (code == CURLE_SSL_CONNECT_ERROR) {
        fail_text(o, OUTCOME_OF_CONNECTION, "TLS with the relay failed", detail);
    } else if (code == CURLE_COULDNT_RESOLVE_HOST) {
        fail_text(o, OUTCOME_OF_CONNECTION, "the relay's name cannot be resolved", detail);
    } else if (code == CURLE_COULDNT_CONNECT && has_no_descriptor()) {
        fail_text(o, OUTCOME_OF_CONNECTION, "there is no descriptor for a connection to the relay",
                  "raise the limit of open files (LimitNOFILE=)");
    } else if (code == CURLE_COULDNT_CONNECT) {
        fail_text(o, OUTCOME_OF_CONNECTION, "cannot connect to the relay", detail);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        fail_text(o, OUTCOME_OF_CONNECTION, "connecting to the relay took too long", "");
    } else if (code == CURLE_WRITE_ERROR) {
        fail_text(o, OUTCOME_OF_CONNECTION, "the relay says too much in its reply to EHLO", "");
    } else if (code == CURLE_WEIRD_SERVER_REPLY && h->reply.code == 220) {
        fail_text(o, OUTCOME_OF_CONNECTION, "the relay broke the protocol: there is more behind its answer to STARTTLS",
                  "");
    } else if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_REMOTE_ACCESS_DENIED || h->reply.code == 421) {
        hello_fail(&h->reply, o, OUTCOME_OF_CONNECTION, "the relay refuses the connection");
    } else {
        fail_text(o, OUTCOME_OF_CONNECTION, "the connection to the relay failed", detail);
    }
}

/* ---- a connection ---- */

static void disconnect(struct connection *c) {
    c->timer = loop_remove(c->timer);
    if (c->in_multi)
        (void)curl_multi_remove_handle(c->multi, c->easy);
    c->in_multi = false;
    curl_easy_cleanup(c->easy);
    (void)curl_multi_cleanup(c->multi); /* its callbacks are called for the last time */
    c->curl_timer = loop_remove(c->curl_timer);
    c->easy = NULL;
    c->multi = NULL;
}

static void fail(struct connection *c, const struct outcome *why) {
    c->done = true;
    disconnect(c);
    c->on_done(c->user, c, why);
}

/* From now on the connection counts as used, so that libcurl does not take it for an idle one of its own and close it.
 */
static CURLcode attach(struct connection *c) {
    size_t n = 0;
    CURLcode code = curl_easy_recv(c->easy, &c->peeked, 1, &n);
    c->has_peeked = code == CURLE_OK && n == 1;
    return code == CURLE_AGAIN ? CURLE_OK : code;
}

static void finish(struct connection *c, CURLcode code) {
    curl_socket_t fd = CURL_SOCKET_BAD;
    struct outcome why;
    if (code == CURLE_OK && (curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd < 0))
        code = CURLE_COULDNT_CONNECT;
    if (code == CURLE_OK && c->must_authenticate && !c->hello.authenticated)
        code = CURLE_LOGIN_DENIED; /* libcurl goes on without a login where none is offered */
    if (code == CURLE_OK)
        code = attach(c);
    if (code != CURLE_OK) {
        explain(c, code, &why);
        fail(c, &why);
        return;
    }
    const struct curl_tlssessioninfo *tls = NULL;
    c->tls = curl_easy_getinfo(c->easy, CURLINFO_TLS_SSL_PTR, &tls) == CURLE_OK && tls && tls->internals;
    c->timer = loop_remove(c->timer);
    c->fd = fd;
    c->done = true;
    c->on_done(c->user, c, NULL);
}

static long seconds(int64_t usec) {
    return (long)((usec + USEC_PER_SEC - 1) / USEC_PER_SEC);
}

/* For libcurl, to which all that it does is connecting: behind our own deadlines. */
static long longest_msec(const struct connection *c) {
    return seconds(c->connect_usec + c->greeting_usec + STEPS_MAX * c->command_usec) * 1000;
}

/* Until when the step must have ended that is under way. */
static int64_t deadline(const struct connection *c) {
    curl_off_t connected = 0;
    if (c->heard_usec)
        return c->heard_usec + c->command_usec;
    if (curl_easy_getinfo(c->easy, CURLINFO_CONNECT_TIME_T, &connected) == CURLE_OK && connected > 0)
        return c->begun_usec + connected + c->greeting_usec;
    return c->begun_usec + c->connect_usec;
}

static void on_deadline(void *user) {
    struct connection *c = user;
    struct outcome why = c->early;
    if (!c->early.text[0]) {
        int64_t until = deadline(c);
        if (until > clock_mono_usec()) {
            curl_easy_setopt(c->easy, CURLOPT_CONNECTTIMEOUT_MS, longest_msec(c)); /* it has connected */
            loop_set_timer(c->timer, until);
            return;
        }
        fail_text(&why, OUTCOME_OF_CONNECTION, "connecting to the relay took too long", "");
    }
    fail(c, &why);
}

/* User name and password, or why not in c->early. */
static int set_login(struct connection *c, const struct conf_relay *relay) {
    struct buf secret;
    struct why why;
    int r = files_read_password(relay->password_file, &secret, &why);
    if (r < 0 && r != -ENOMEM) {
        fail_text(&c->early, OUTCOME_OF_SENDER, why.what, why.where);
        r = 0;
    } else if (r == 0 && (curl_easy_setopt(c->easy, CURLOPT_USERNAME, relay->username) != CURLE_OK ||
                          curl_easy_setopt(c->easy, CURLOPT_PASSWORD, buf_str(&secret)) != CURLE_OK)) {
        r = -ENOMEM;
    }
    files_forget_password(&secret);
    return r;
}

static int set_url(struct connection *c, const struct conf_relay *relay) {
    AUTOBUF struct buf url = BUF_INIT(2048);
    bool literal = strchr(relay->host, ':') != NULL;
    buf_printf(&url, "%s://%s%s%s:%u/", relay->implicit_tls ? "smtps" : "smtp", literal ? "[" : "", relay->host,
               literal ? "]" : "", relay->port);
    char *name = curl_easy_escape(c->easy, relay->ehlo, 0);
    if (name)
        buf_puts(&url, name);
    curl_free(name);
    if (buf_error(&url))
        return buf_error(&url);
    return curl_easy_setopt(c->easy, CURLOPT_URL, buf_str(&url)) == CURLE_OK ? 0 : -ENOMEM;
}

static void set_tls(struct connection *c, const struct conf_relay *relay) {
    bool login = relay->username[0] != '\0', has_ca = relay->ca_file[0] != '\0';
    long use = CURLUSESSL_ALL;
    if (relay->tls == CONF_TLS_NONE)
        use = CURLUSESSL_NONE;
    else if (relay->tls == CONF_TLS_OPPORTUNISTIC && !login)
        use = CURLUSESSL_TRY;
    bool verify = use == CURLUSESSL_ALL || has_ca || relay->implicit_tls;
    curl_easy_setopt(c->easy, CURLOPT_USE_SSL, use);
    curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYPEER, verify ? 1L : 0L);
    curl_easy_setopt(c->easy, CURLOPT_SSL_VERIFYHOST, verify ? 2L : 0L);
    curl_easy_setopt(c->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (has_ca) {
        curl_easy_setopt(c->easy, CURLOPT_CAINFO, relay->ca_file);
        curl_easy_setopt(c->easy, CURLOPT_CAPATH, NULL);
    }
}

static int set_options(struct connection *c, const struct conf_relay *relay) {
    CURL *e = c->easy;
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETFUNCTION, socket_wanted);
    curl_multi_setopt(c->multi, CURLMOPT_SOCKETDATA, c);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERFUNCTION, timer_wanted);
    curl_multi_setopt(c->multi, CURLMOPT_TIMERDATA, c);
    curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_line);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(e, CURLOPT_PROXY, ""); /* nor from the environment */
    curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
    curl_easy_setopt(e, CURLOPT_MAXAGE_CONN, 1000000000L);
    curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L); /* a hanging name server does not hold up the loop */
    curl_easy_setopt(e, CURLOPT_SASL_IR, 1L);
    curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
    /* While it looks for an address that answers: each that is not the last gets half of what remains of it. */
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)(c->connect_usec / 1000) + BEHIND_MSEC);
    /* Behind our own deadlines: */
    curl_easy_setopt(e, CURLOPT_SERVER_RESPONSE_TIMEOUT, seconds(c->greeting_usec + c->command_usec));
    set_tls(c, relay);
    int r = set_url(c, relay);
    return r < 0 || !relay->username[0] ? r : set_login(c, relay);
}

int connection_new(struct connector *k, const struct conf *conf, const struct conf_relay *relay,
                   connection_on_done *on_done, void *user, struct connection **ret) {
    struct connection *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    *c = (struct connection){
        .connector = k,
        .connect_usec = conf->timeout_connect_usec,
        .greeting_usec = conf->timeout_greeting_usec,
        .command_usec = conf->timeout_command_usec,
        .on_done = on_done,
        .user = user,
        .fd = -1,
        .begun_usec = clock_mono_usec(),
        .must_authenticate = relay->username[0] != '\0',
    };
    hello_init(&c->hello);
    c->easy = curl_easy_init();
    c->multi = curl_multi_init();
    int r = c->easy && c->multi ? set_options(c, relay) : -ENOMEM;
    if (r == 0)
        r = loop_add_timer(k->loop, on_deadline, c, &c->timer);
    if (r == 0)
        r = loop_add_timer(k->loop, on_curl_timer, c, &c->curl_timer);
    if (r == 0 && !c->early.text[0]) {
        c->in_multi = curl_multi_add_handle(c->multi, c->easy) == CURLM_OK;
        r = c->in_multi ? 0 : -ENOMEM;
    }
    if (r < 0) {
        (void)connection_free(c);
        return r;
    }
    loop_set_timer(c->timer, c->begun_usec + (c->early.text[0] ? 0 : c->connect_usec));
    *ret = c;
    return 0;
}

struct connection *connection_free(struct connection *c) {
    if (c) {
        disconnect(c);
        free(c);
    }
    return NULL;
}

int connection_fd(const struct connection *c) {
    return c->fd;
}

bool connection_is_tls(const struct connection *c) {
    return c->tls;
}

const struct capabilities *connection_capabilities(const struct connection *c) {
    return &c->hello.offers;
}

/* Without TLS the socket is used as it is: libcurl would do the same, after it has searched its list of connections. */
static ssize_t answer(ssize_t n) {
    if (n >= 0)
        return n;
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? -EAGAIN : -errno;
}

ssize_t connection_send(struct connection *c, const char *data, size_t len) {
    if (!c->tls)
        return answer(send(c->fd, data, len, MSG_NOSIGNAL));
    /* One record, and the same one again: what failed was then not read by anyone. */
    size_t sent = 0;
    if (len > TLS_RECORD_BYTES)
        len = TLS_RECORD_BYTES;
    if (c->stuck_bytes && c->stuck_bytes < len)
        len = c->stuck_bytes;
    CURLcode code = curl_easy_send(c->easy, data, len, &sent);
    c->stuck_bytes = code == CURLE_AGAIN ? len : 0;
    if (code == CURLE_OK && sent > 0)
        return (ssize_t)sent;
    return code == CURLE_OK || code == CURLE_AGAIN ? -EAGAIN : -EPIPE;
}

ssize_t connection_recv(struct connection *c, char *data, size_t len) {
    size_t n = 0;
    if (c->has_peeked) {
        c->has_peeked = false;
        data[0] = c->peeked;
        return 1;
    }
    if (!c->tls)
        return answer(recv(c->fd, data, len, 0));
    CURLcode code = curl_easy_recv(c->easy, data, len, &n);
    if (code == CURLE_OK)
        return (ssize_t)n;
    return code == CURLE_AGAIN ? -EAGAIN : -ECONNRESET;
}
