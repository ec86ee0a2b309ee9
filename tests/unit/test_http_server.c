#include "net/http_server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/number.h"
#include "net/loop.h"

#include "unit.h"

/* ---- a server in a thread of its own ---- */

enum { BODY_MAX = 1000, STREAM_MAX = 50 * 1000 * 1000, CONNECTIONS = 256 };

struct job {
    struct server *server;
    struct http_request *request;
    struct loop_source *timer;
    uint64_t seen, sum, left;
    bool asked;
};

struct server {
    struct loop *loop;
    struct http_server *http;
    struct loop_source *stop, *drain;
    struct http_limits limits;
    struct sockaddr_storage address;
    socklen_t address_len;
    pthread_t thread;
    _Atomic long switches; /* voluntary context switches of the thread, told at its end */
    atomic_uint heads, ends;
    atomic_bool drained;
};

static void on_later(void *user) {
    struct job *job = user;
    http_answer(job->request, 200, "text/plain", VIEW("later"));
}

static void on_resume(void *user) {
    struct job *job = user;
    http_resume_body(job->request);
}

static void on_more(void *user) {
    struct job *job = user;
    http_more(job->request);
}

static void later(struct job *job, loop_on_timer *on_timer, int64_t usec) {
    if (!job->timer)
        assert_int_equal(loop_add_timer(job->server->loop, on_timer, job, &job->timer), 0);
    loop_set_timer(job->timer, clock_mono_usec() + usec);
}

static void on_head(void *user, struct http_request *r, uint64_t *ret_body_max, bool *ret_stream) {
    struct server *s = user;
    struct job *job = calloc(1, sizeof *job);
    assert_non_null(job);
    job->server = s;
    job->request = r;
    http_set_user(r, job);
    atomic_fetch_add(&s->heads, 1);
    *ret_body_max = BODY_MAX;
    if (strcmp(http_path(r), "/early") == 0)
        http_answer(r, 403, "text/plain", VIEW("early"));
    if (strcmp(http_path(r), "/none") == 0)
        *ret_body_max = 0;
    if (strncmp(http_path(r), "/in", 3) == 0) {
        *ret_body_max = STREAM_MAX;
        *ret_stream = true;
    }
    if (strcmp(http_path(r), "/long") == 0)
        http_set_deadline(r, 0);
}

static void on_body(void *user, struct http_request *r, struct view piece) {
    (void)user;
    struct job *job = http_user(r);
    for (size_t i = 0; i < piece.len; i++)
        job->sum = job->sum * 31 + (unsigned char)piece.ptr[i];
    bool first_mega = job->seen < 1000000 && job->seen + piece.len >= 1000000;
    job->seen += piece.len;
    if (strcmp(http_path(r), "/in-paused") == 0) {
        http_pause_body(r);
        if (first_mega)
            later(job, on_resume, 30000);
        else
            http_resume_body(r);
    }
    if (strcmp(http_path(r), "/in-tiny-pauses") == 0) {
        http_pause_body(r);
        later(job, on_resume, 100);
    }
    if (strcmp(http_path(r), "/in-refused") == 0 && job->seen >= 10 && job->seen - piece.len < 10)
        http_answer(r, 422, NULL, VIEW("no"));
}

static int on_pull(void *user, struct http_request *r, size_t room, struct buf *to) {
    struct job *job = user;
    if (strcmp(http_path(r), "/out-broken") == 0 && job->left < 50000)
        return -EIO;
    job->asked = !job->asked;
    if (job->asked) {
        if (job->left % 3 == 0)
            http_more(r); /* at once, from inside */
        else
            later(job, on_more, 100);
        return -EAGAIN;
    }
    size_t n = job->left < room ? job->left : room;
    for (size_t i = 0; i < n; i++)
        buf_putc(to, (char)('a' + (job->left - i) % 26));
    job->left -= n;
    return job->left > 0;
}

static void answer_text(struct http_request *r, const char *text) {
    http_add_header(r, "X-One", "1");
    http_add_header(r, "X-Split", "a\r\nX-Bad: b");
    http_answer(r, 200, "text/plain", view_of(text));
}

static void on_request(void *user, struct http_request *r) {
    (void)user;
    struct job *job = http_user(r);
    const char *path = http_path(r);
    AUTOBUF struct buf text = BUF_INIT(100000);
    if (strcmp(path, "/later") == 0) {
        later(job, on_later, 20000);
    } else if (strcmp(path, "/never") == 0 || strcmp(path, "/long") == 0) {
        return;
    } else if (strncmp(path, "/in", 3) == 0) {
        if (strcmp(path, "/in-refused") == 0)
            assert_true(job->seen < 10);
        buf_printf(&text, "%llu %llu", (unsigned long long)job->seen, (unsigned long long)job->sum);
        answer_text(r, buf_str(&text));
    } else if (strncmp(path, "/out", 4) == 0) {
        job->left = 100000;
        http_answer_stream(r, 200, "text/plain", on_pull, job);
    } else if (strcmp(path, "/form") == 0) {
        struct view a = http_form(r, "a");
        if (a.ptr)
            buf_printf(&text, "[%.*s]", (int)a.len, a.ptr);
        answer_text(r, a.ptr ? buf_str(&text) : "-");
    } else if (strcmp(path, "/query") == 0) {
        const char *a = http_query(r, "a");
        answer_text(r, a ? a : "-");
    } else if (strcmp(path, "/remote") == 0) {
        char remote[64];
        http_remote(r, remote, sizeof remote);
        answer_text(r, remote);
    } else if (strcmp(path, "/peer") == 0) {
        uid_t uid = 0;
        gid_t gid = 0;
        int result = http_peer(r, &uid, &gid);
        buf_printf(&text, "%d %u %u", result, uid, gid);
        answer_text(r, buf_str(&text));
    } else {
        static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OTHER"};
        struct view body = http_body(r);
        buf_printf(&text, "%s %s %.*s", methods[http_method(r)], path, (int)body.len, body.len ? body.ptr : "");
        answer_text(r, buf_str(&text));
    }
}

static void on_end(void *user, struct http_request *r) {
    struct server *s = user;
    struct job *job = http_user(r);
    (void)loop_remove(job->timer);
    free(job);
    atomic_fetch_add(&s->ends, 1);
}

static void on_stop(void *user) {
    struct server *s = user;
    loop_stop(s->loop, 0);
}

static void on_drained(void *user) {
    struct server *s = user;
    s->drained = true;
    loop_stop(s->loop, 0);
}

static void on_drain(void *user) {
    struct server *s = user;
    http_server_drain(s->http, on_drained, s);
}

static void *serve(void *user) {
    struct server *s = user;
    assert_int_equal(loop_run(s->loop), 0);
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_THREAD, &usage), 0);
    s->switches = usage.ru_nvcsw;
    return NULL;
}

static int listen_on(struct sockaddr *address, socklen_t *len) {
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, address, *len), 0);
    assert_int_equal(listen(fd, 512), 0);
    assert_int_equal(getsockname(fd, address, len), 0);
    return fd;
}

static void server_start_on(struct server *s, int listen_fd) {
    const struct http_handlers handlers = {on_head, on_body, on_request, on_end};
    assert_int_equal(loop_new(&s->loop), 0);
    assert_int_equal(loop_add_wake(s->loop, on_stop, s, &s->stop), 0);
    assert_int_equal(loop_add_wake(s->loop, on_drain, s, &s->drain), 0);
    assert_int_equal(http_server_new(s->loop, listen_fd, &s->limits, &handlers, s, &s->http), 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void server_start(struct server *s) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    s->address_len = sizeof in;
    if (!s->limits.connections)
        s->limits.connections = CONNECTIONS;
    if (!s->limits.request_deadline_usec)
        s->limits.request_deadline_usec = 20 * USEC_PER_SEC;
    memcpy(&s->address, &in, sizeof in);
    int fd = listen_on((struct sockaddr *)&s->address, &s->address_len);
    server_start_on(s, fd);
}

static void server_join(struct server *s) {
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    s->http = http_server_free(s->http);
    (void)loop_remove(s->stop);
    (void)loop_remove(s->drain);
    (void)loop_free(s->loop);
    assert_int_equal(s->heads, s->ends); /* every request that was announced ended */
}

static void server_stop(struct server *s) {
    loop_wake(s->stop);
    server_join(s);
}

/* ---- a client that says exactly what it is told ---- */

static int dial(const struct server *s) {
    int fd = socket(s->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct timeval timeout = {.tv_sec = 10};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&s->address, s->address_len), 0);
    return fd;
}

static void say(int fd, const char *text) {
    struct view rest = view_of(text);
    while (rest.len) {
        ssize_t n = send(fd, rest.ptr, rest.len, MSG_NOSIGNAL);
        if (n < 0)
            return; /* the server closed: the test looks at what it said before */
        rest = view_slice(rest, (size_t)n, rest.len);
    }
}

/* All until the end of the connection. */
static void hear_all(int fd, struct buf *to) {
    for (;;) {
        char *at = buf_reserve(to, 65536);
        assert_non_null(at);
        ssize_t n = recv(fd, at, 65536, 0);
        if (n < 0 && errno == ECONNRESET)
            return;
        if (n < 0)
            fail_msg("%s after: %s", strerror(errno), buf_str(to)); /* the socket's timeout */
        if (n == 0)
            return;
        buf_used(to, (size_t)n);
    }
}

static int exchange(const struct server *s, const char *text, struct buf *answer) {
    AUTOCLOSE int fd = dial(s);
    say(fd, text);
    buf_clear(answer);
    hear_all(fd, answer);
    int status = 0;
    (void)sscanf(buf_str(answer), "HTTP/1.1 %d ", &status);
    return status;
}

static struct view body_of(const struct buf *answer) {
    struct view all = buf_view(answer);
    size_t at = view_search(all, VIEW("\r\n\r\n"));
    return view_slice(all, at + 4, all.len);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n"
#define POST(path, fields, body) "POST " path " HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n" fields "\r\n" body

/* ---- tests ---- */

static void test_requests(void **state) {
    (void)state;
    static const char *const proxies[] = {"127.0.0.1", "192.0.2.0/24"};
    struct server s = {.limits = {.proxies = proxies, .proxy_count = 2}};
    server_start(&s);
    static const struct {
        const char *request;
        int status;
        const char *body; /* NULL: whatever */
    } cases[] = {
        {GET("/x"), 200, "GET /x "},
        {GET("/a%20b%2fc?d=e"), 200, "GET /a b/c "},
        {GET("/%C3%BC"), 200, "GET /\xc3\xbc "},
        {"HEAD /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", 200, ""},
        {"PATCH /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", 200, "OTHER /x "},
        {"DELETE /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", 200, "DELETE /x "},
        {"GET /x HTTP/1.0\r\n\r\n", 200, "GET /x "},
        {POST("/x", "Content-Length: 3\r\n", "abc"), 200, "POST /x abc"},
        {POST("/x", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n2;x=y\r\nbc\r\n0\r\n\r\n"), 200, "POST /x abc"},
        {POST("/x", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\nX-Trailer: 1\r\n\r\n"), 200, "POST /x abc"},
        {GET("/later"), 200, "later"},
        {GET("/query?b=1&a=%2b+x&a=2"), 200, "+ x"},
        {GET("/query"), 200, "-"},
        {GET("/query?a=%zz"), 200, "-"},
        {POST("/form", "Content-Length: 9\r\n", "b=1&a=x+y"), 200, "[x y]"},
        {POST("/form", "Content-Length: 3\r\n", "a=%"), 200, "-"},
        {POST("/form", "Content-Type: multipart/form-data; boundary=B\r\nContent-Length: 59\r\n",
              "--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx y\r\n--B--"),
         200, "[x y]"},
        /* early answers, with a body on its way */
        {GET("/early"), 403, "early"},
        {POST("/early", "Content-Length: 5\r\n", "abcde"), 403, "early"},
        {POST("/early", "Content-Length: 999999999\r\n", "abcde"), 403, "early"},
        {POST("/early", "Transfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), 403, "early"},
        {POST("/none", "Content-Length: 1\r\n", "a"), 413, NULL},
        {POST("/none", "Content-Length: 0\r\n", ""), 200, "POST /none "},
        /* where the request comes from */
        {GET("/remote"), 200, "127.0.0.1"},
        {"GET /remote HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9, 198.51.100.7\r\nX-FORWARDED-FOR: "
         "192.0.2.1\r\nConnection: close\r\n\r\n",
         200, "198.51.100.7"},
        {"GET /remote HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.9, junk\r\nConnection: close\r\n\r\n", 200,
         "127.0.0.1"},
        {GET("/peer"), 200, "-95 0 0"},
        /* what proxies and servers read differently */
        {POST("/x", "Content-Length: 3\r\nContent-Length: 3\r\n", "abc"), 400, NULL},
        {POST("/x", "Content-Length: 3\r\ncontent-length: 4\r\n", "abcd"), 400, NULL},
        {POST("/x", "Content-Length: 3, 3\r\n", "abc"), 400, NULL},
        {POST("/x", "Content-Length: +3\r\n", "abc"), 400, NULL},
        {POST("/x", "Content-Length: -3\r\n", "abc"), 400, NULL},
        {POST("/x", "Content-Length: 0x3\r\n", "abc"), 400, NULL},
        {POST("/x", "Content-Length:\r\n", "abc"), 400, NULL},
        {POST("/x", "Content-Length : 3\r\n", "abc"), 400, NULL},
        {POST("/x", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "3\r\nabc\r\n0\r\n\r\n"), 400, NULL},
        {POST("/x", "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "3\r\nabc\r\n0\r\n\r\n"), 400, NULL},
        {POST("/x", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 400, NULL},
        {POST("/x", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 400, NULL},
        {POST("/x", "Transfer-Encoding: identity\r\n", "abc"), 400, NULL},
        {POST("/x", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n"), 400, NULL},
        {POST("/x",
              "Transfer-Encoding: \x0b"
              "chunked\r\n",
              "0\r\n\r\n"),
         400, NULL},
        {"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, NULL},
        {POST("/x", "Transfer-Encoding: chunked\r\n", "zz\r\nabc\r\n0\r\n\r\n"), 400, NULL},
        {POST("/x", "Transfer-Encoding: chunked\r\n", "1\r\nabc\r\n0\r\n\r\n"), 400, NULL},
        {POST("/x", "Transfer-Encoding: chunked\r\n", "11111111111111111\r\nabc\r\n"), 413, NULL},
        {"GET /x HTTP/1.1\r\nHost: a.test\r\nX: a\rContent-Length: 3\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a.test\r\nX\x01: a\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a.test\r\nno colon\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a.test\r\n: empty\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a\r\n: x\r\nContent-Length: 3\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a\nX: y\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\nHost: a\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a\r\n\n", 400, NULL},
        {"GET /x HTTP/1.1\nHost: a\n\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n 0\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\n folded: first\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET /x HTTP/1.1\r\n\r\n", 400, NULL},
        {"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET /%4 HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET http://a.test/x HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL},
        {"GET /x HTTP/2.0\r\nHost: a\r\n\r\n", 505, NULL},
        {"GET /x HTTP/0.9\r\nHost: a\r\n\r\n", 505, NULL},
        {"GET /x\r\nHost: a\r\n\r\n", 400, NULL},
    };
    AUTOBUF struct buf answer = BUF_INIT(1 << 20);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = exchange(&s, cases[i].request, &answer);
        if (status != cases[i].status || (cases[i].body && !view_eq_str(body_of(&answer), cases[i].body)))
            fail_msg("case %zu: %s\n--- expected %d %s\n--- got %s", i, cases[i].request, cases[i].status,
                     cases[i].body ? cases[i].body : "", buf_str(&answer));
    }
    server_stop(&s);
}

static void test_answer_head(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOBUF struct buf get = BUF_INIT(1 << 20), head = BUF_INIT(1 << 20);
    assert_int_equal(exchange(&s, GET("/x"), &get), 200);
    assert_int_equal(exchange(&s, "HEAD /x HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n", &head), 200);
    assert_non_null(strstr(buf_str(&get), "\r\nX-One: 1\r\n"));
    assert_null(strstr(buf_str(&get), "X-Bad")); /* a value cannot begin a field of its own */
    assert_non_null(strstr(buf_str(&get), "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(buf_str(&get), "\r\nContent-Length: 7\r\n"));
    assert_non_null(strstr(buf_str(&head), "\r\nContent-Length: 8\r\n")); /* "HEAD /x " */
    assert_true(view_ends(buf_view(&head), "\r\n\r\n"));
    server_stop(&s);
}

static void test_split_bytes(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOCLOSE int fd = dial(&s);
    const char *text = POST("/x", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n");
    for (const char *p = text; *p; p++) {
        say(fd, (char[]){*p, '\0'});
        if (p[0] == '\n')
            (void)usleep(500);
    }
    AUTOBUF struct buf answer = BUF_INIT(1 << 20);
    hear_all(fd, &answer);
    assert_true(view_eq_str(body_of(&answer), "POST /x abc"));
    server_stop(&s);
}

static void test_pipelining(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOBUF struct buf answer = BUF_INIT(1 << 20);
    /* Answers come in order though the first takes longest; a body's end is the next request's begin. */
    assert_int_equal(
        exchange(&s,
                 "GET /later HTTP/1.1\r\nHost: a\r\n\r\n"
                 "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
                 "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 30\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n...."
                 "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                 "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"
                 "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
                 &answer),
        200);
    static const char *const order[] = {"later", "POST /1 ab", "early", "GET /2 ", "POST /3 c"};
    const char *at = buf_str(&answer);
    for (size_t i = 0; i < COUNT_OF(order); i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
    assert_null(strstr(buf_str(&answer), "smuggled"));

    /* Behind a refused head nothing is read any more. */
    assert_int_equal(exchange(&s,
                              "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: x\r\n\r\n"
                              "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n",
                              &answer),
                     400);
    assert_null(strstr(buf_str(&answer), "smuggled"));

    /* A line that begins with NUL ends no header. */
    static const char nul[] = "GET /x HTTP/1.1\r\nHost: a\r\n\0X: y\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    AUTOCLOSE int fd = dial(&s);
    assert_int_equal(send(fd, nul, sizeof nul - 1, MSG_NOSIGNAL), sizeof nul - 1);
    buf_clear(&answer);
    hear_all(fd, &answer);
    assert_true(view_starts(buf_view(&answer), "HTTP/1.1 400 "));
    assert_null(strstr(buf_str(&answer), "smuggled"));
    server_stop(&s);
    assert_int_equal(s.heads, 5);
}

static void test_header_limits(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOBUF struct buf text = BUF_INIT(1 << 20), answer = BUF_INIT(1 << 20);
    for (int over = 0; over <= 1; over++) {
        buf_clear(&text);
        buf_puts(&text, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: ");
        while (text.len < (size_t)HTTP_HEADER_MAX_BYTES - 4 + (size_t)over)
            buf_putc(&text, 'x');
        buf_puts(&text, "\r\n\r\n");
        assert_int_equal(exchange(&s, buf_str(&text), &answer), over ? 431 : 200);

        buf_clear(&text);
        buf_puts(&text, "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
        for (int i = 2; i < HTTP_HEADER_FIELDS_MAX + over; i++)
            buf_printf(&text, "X-%d: y\r\n", i);
        buf_puts(&text, "\r\n");
        assert_int_equal(exchange(&s, buf_str(&text), &answer), over ? 431 : 200);
    }
    /* Far too long: a request line, one field, very many fields. */
    buf_clear(&text);
    buf_puts(&text, "GET /");
    for (int i = 0; i < 100000; i++)
        buf_putc(&text, 'x');
    assert_int_equal(exchange(&s, buf_str(&text), &answer), 414);
    buf_clear(&text);
    buf_puts(&text, "GET /x HTTP/1.1\r\nHost: a\r\n");
    for (int i = 0; i < 50000; i++)
        buf_puts(&text, "a:\r\n");
    assert_int_equal(exchange(&s, buf_str(&text), &answer), 431);
    server_stop(&s);
}

static void test_body_limits(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOBUF struct buf text = BUF_INIT(1 << 20), answer = BUF_INIT(1 << 20);
    for (int over = 0; over <= 1; over++) {
        buf_clear(&text);
        buf_printf(&text, "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n",
                   BODY_MAX + over);
        for (int i = 0; i < BODY_MAX + over; i++)
            buf_putc(&text, 'x');
        assert_int_equal(exchange(&s, buf_str(&text), &answer), over ? 413 : 200);

        buf_clear(&text);
        buf_puts(&text, "POST /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < BODY_MAX + over; i += 7) {
            int n = BODY_MAX + over - i < 7 ? BODY_MAX + over - i : 7;
            buf_printf(&text, "%x\r\n%.*s\r\n", (unsigned)n, n, "xxxxxxx");
        }
        buf_puts(&text, "0\r\n\r\n");
        assert_int_equal(exchange(&s, buf_str(&text), &answer), over ? 413 : 200);
    }
    /* Endless chunks end the connection, answered or not. */
    AUTOCLOSE int fd = dial(&s);
    say(fd, "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000; i++)
        say(fd, "400\r\n"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................................................"
                "................................................................\r\n");
    buf_clear(&answer);
    hear_all(fd, &answer);
    server_stop(&s);
}

static void test_expect_continue(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOCLOSE int fd = dial(&s);
    AUTOBUF struct buf answer = BUF_INIT(1 << 20);
    say(fd, POST("/x", "Expect: 100-continue\r\nContent-Length: 3\r\n", ""));
    char line[64] = "";
    assert_true(recv(fd, line, 25, MSG_WAITALL) == 25);
    assert_string_equal(line, "HTTP/1.1 100 Continue\r\n\r\n");
    say(fd, "abc");
    hear_all(fd, &answer);
    assert_true(view_eq_str(body_of(&answer), "POST /x abc"));
    server_stop(&s);
}

static void test_streamed_bodies(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    static const struct {
        const char *path;
        size_t size;
        int status;
    } cases[] = {
        {"/in", 0, 200},
        {"/in", 3000000, 200},
        {"/in-paused", 3000000, 200},
        {"/in-tiny-pauses", 300000, 200},
        {"/in-refused", 9, 200},
        {"/in-refused", 200000, 422},
    };
    AUTOBUF struct buf text = BUF_INIT(1 << 23), answer = BUF_INIT(1 << 20), expected = BUF_INIT(100);
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (int chunked = 0; chunked <= 1; chunked++) {
            buf_clear(&text);
            buf_printf(&text, "POST %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", cases[i].path);
            if (chunked)
                buf_puts(&text, "Transfer-Encoding: chunked\r\n\r\n");
            else
                buf_printf(&text, "Content-Length: %zu\r\n\r\n", cases[i].size);
            uint64_t sum = 0;
            for (size_t n = 0; n < cases[i].size; n++) {
                size_t left = cases[i].size - n;
                if (chunked && n % 1000 == 0)
                    buf_printf(&text, "%s%zx\r\n", n ? "\r\n" : "", left < 1000 ? left : 1000);
                buf_putc(&text, (char)('a' + n % 23));
                sum = sum * 31 + 'a' + n % 23;
            }
            if (chunked)
                buf_printf(&text, "%s0\r\n\r\n", cases[i].size ? "\r\n" : "");
            buf_clear(&expected);
            if (cases[i].status == 200)
                buf_printf(&expected, "%zu %llu", cases[i].size, (unsigned long long)sum);
            else
                buf_puts(&expected, "no");
            assert_int_equal(exchange(&s, buf_str(&text), &answer), cases[i].status);
            assert_string_equal(body_of(&answer).ptr, buf_str(&expected));
        }
    server_stop(&s);
}

static void test_streamed_answers(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOBUF struct buf answer = BUF_INIT(1 << 20);
    /* HTTP/1.0 has no chunks: the body as it is, to the end of the connection. */
    assert_int_equal(exchange(&s, "GET /out HTTP/1.0\r\n\r\n", &answer), 200);
    struct view body = body_of(&answer);
    assert_int_equal(body.len, 100000);
    for (size_t i = 0; i < body.len; i++)
        assert_int_equal(body.ptr[i], 'a' + (100000 - i) % 26);
    assert_int_equal(exchange(&s, GET("/out"), &answer), 200);
    assert_true(answer.len > 100000);
    assert_true(view_ends(buf_view(&answer), "\r\n0\r\n\r\n"));
    assert_int_equal(exchange(&s, GET("/out-broken"), &answer), 200);
    assert_false(view_ends(buf_view(&answer), "\r\n0\r\n\r\n"));
    assert_int_equal(exchange(&s, "HEAD /out HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", &answer), 200);
    assert_int_equal(body_of(&answer).len, 0);
    server_stop(&s);
}

static void test_keep_alive(void **state) {
    (void)state;
    static const struct {
        const char *request, *end;
    } turns[] = {
        {"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nGET /x "},
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb", "\r\n\r\nPOST /x b"},
        {"GET /early HTTP/1.1\r\nHost: a\r\n\r\n", "\r\n\r\nearly"},
        {"POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nb", "\r\n\r\nearly"},
    };
    struct server s = {0};
    server_start(&s);
    AUTOCLOSE int fd = dial(&s);
    for (size_t i = 0; i < 48; i++) {
        say(fd, turns[i % COUNT_OF(turns)].request);
        AUTOBUF struct buf answer = BUF_INIT(1 << 20);
        while (!view_ends(buf_view(&answer), turns[i % COUNT_OF(turns)].end)) {
            char c;
            assert_int_equal(recv(fd, &c, 1, 0), 1);
            buf_putc(&answer, c);
        }
    }
    server_stop(&s);
    assert_int_equal(s.heads, 48);
}

static void test_deadline(void **state) {
    (void)state;
    static const struct {
        const char *said, *drip;
        bool answered_before;
    } cases[] = {
        {"", "", false},
        {"", "G", false},
        {"GET /x HTTP/1.1\r\n", "X-A: b\r\n", false},
        {"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\n", "b", false},
        {"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nb\r\n", false},
        {"GET /never HTTP/1.1\r\nHost: a\r\n\r\n", "", false},
        {"GET /x HTTP/1.1\r\nHost: a\r\n\r\n", "", true}, /* kept, then idle */
    };
    struct server s = {.limits = {.request_deadline_usec = 300000}};
    server_start(&s);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOCLOSE int fd = dial(&s);
        int64_t start = clock_mono_usec(), elapsed = 0;
        say(fd, cases[i].said);
        AUTOBUF struct buf heard = BUF_INIT(1 << 20);
        for (bool open = true; open && elapsed < 5 * USEC_PER_SEC;) {
            say(fd, cases[i].drip);
            struct pollfd p = {.fd = fd, .events = POLLIN};
            (void)poll(&p, 1, 20);
            char piece[4096];
            ssize_t n = p.revents ? recv(fd, piece, sizeof piece, MSG_DONTWAIT) : -1;
            if (n > 0)
                buf_add(&heard, piece, (size_t)n);
            open = !(p.revents && n <= 0);
            elapsed = clock_mono_usec() - start;
        }
        if (elapsed < 280000 || elapsed > 3 * USEC_PER_SEC)
            fail_msg("case %zu ended after %lld usec", i, (long long)elapsed);
        assert_int_equal(view_starts(buf_view(&heard), "HTTP/1.1 200"), cases[i].answered_before);
    }
    /* A request may ask for more. */
    AUTOCLOSE int fd = dial(&s);
    say(fd, "GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 700), 0);
    server_stop(&s);
}

static void test_reader_that_does_not_read(void **state) {
    (void)state;
    struct server s = {.limits = {.request_deadline_usec = 300000}};
    server_start(&s);
    AUTOCLOSE int fd = dial(&s);
    enum { ASKED = 300 }; /* 30 MB: more than socket buffers take in */
    for (int i = 0; i < ASKED; i++)
        say(fd, "GET /out HTTP/1.1\r\nHost: a\r\n\r\n");
    int quiet = 0;
    for (int i = 0; i < 100 && quiet < 10; i++) {
        unsigned heads = s.heads;
        (void)usleep(50000);
        quiet = heads == s.heads && s.heads == s.ends ? quiet + 1 : 0;
    }
    assert_int_equal(quiet, 10); /* cut off, not hanging */
    assert_in_range(s.heads, 1, ASKED - 1);
    server_stop(&s);
}

static void test_parallel(void **state) {
    (void)state;
    enum { PARALLEL = 200 };
    struct server s = {0};
    server_start(&s);
    int fds[PARALLEL];
    for (int i = 0; i < PARALLEL; i++) {
        fds[i] = dial(&s);
        say(fds[i], "POST /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Le");
    }
    for (int i = PARALLEL; i-- > 0;)
        say(fds[i], "ngth: 3\r\n\r\nabc");
    for (int i = 0; i < PARALLEL; i++) {
        AUTOBUF struct buf answer = BUF_INIT(1 << 20);
        hear_all(fds[i], &answer);
        assert_true(view_eq_str(body_of(&answer), "later"));
        (void)close(fds[i]);
    }
    server_stop(&s);
    assert_int_equal(s.heads, PARALLEL);
}

static void test_connection_limit(void **state) {
    (void)state;
    struct server s = {.limits = {.connections = 2}};
    server_start(&s);
    int first = dial(&s), second = dial(&s);
    say(first, "GET /x HTTP/1.1\r\n"); /* both hold on to what they have */
    say(second, "GET /x HTTP/1.1\r\n");
    (void)usleep(50000);
    AUTOCLOSE int third = dial(&s);
    say(third, GET("/third"));
    struct pollfd p = {.fd = third, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 100), 0);
    (void)close(first);
    AUTOBUF struct buf answer = BUF_INIT(1 << 20);
    hear_all(third, &answer); /* waits no longer than for one of them to go */
    assert_true(view_eq_str(body_of(&answer), "GET /third "));
    (void)close(second);
    server_stop(&s);
}

static void test_source_limit(void **state) {
    (void)state;
    static const char *const proxies[] = {"127.0.0.1"};
    for (int proxied = 0; proxied <= 1; proxied++) {
        struct server s = {.limits = {.connections_per_source = 2, .proxies = proxies, .proxy_count = (size_t)proxied}};
        server_start(&s);
        AUTOCLOSE int first = dial(&s);
        AUTOCLOSE int second = dial(&s);
        say(first, "G");
        say(second, "G");
        (void)usleep(50000);
        AUTOBUF struct buf answer = BUF_INIT(1 << 20);
        assert_int_equal(exchange(&s, GET("/x"), &answer), proxied ? 200 : 0);
        server_stop(&s);
    }
}

static void test_client_goes_away(void **state) {
    (void)state;
    struct server s = {.limits = {.request_deadline_usec = 300000}};
    server_start(&s);
    static const char *const said[] = {"GET /never HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "GET /later HTTP/1.1\r\nHost: a\r\n\r\n", "GET /out HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "POST /in-paused HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nabc",
                                       "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nabc"};
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        AUTOCLOSE int fd = dial(&s);
        say(fd, said[i]);
        (void)usleep(5000);
    }
    for (int i = 0; i < 200 && s.ends < COUNT_OF(said); i++)
        (void)usleep(20000);
    assert_int_equal(s.ends, COUNT_OF(said));
    server_stop(&s);
}

static void test_stop_with_requests_open(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    static const char *const said[] = {"GET /never HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "POST /in-paused HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\nabc",
                                       "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nabc", "GET"};
    int fds[COUNT_OF(said)];
    for (size_t i = 0; i < COUNT_OF(said); i++) {
        fds[i] = dial(&s);
        say(fds[i], said[i]);
    }
    (void)usleep(50000);
    server_stop(&s);
    assert_int_equal(s.ends, 3);
    for (size_t i = 0; i < COUNT_OF(said); i++)
        (void)close(fds[i]);
}

static void test_drain(void **state) {
    (void)state;
    struct server s = {0};
    server_start(&s);
    AUTOCLOSE int idle = dial(&s);
    AUTOCLOSE int busy = dial(&s);
    AUTOCLOSE int half = dial(&s);
    say(busy, "GET /later HTTP/1.1\r\nHost: a\r\n\r\n");
    say(half, "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na");
    (void)usleep(5000);
    loop_wake(s.drain);
    (void)usleep(50000);
    say(half, "bc");
    AUTOBUF struct buf answer = BUF_INIT(1 << 20);
    hear_all(busy, &answer);
    assert_true(view_eq_str(body_of(&answer), "later"));
    assert_non_null(strstr(buf_str(&answer), "Connection: close"));
    buf_clear(&answer);
    hear_all(half, &answer);
    assert_true(view_eq_str(body_of(&answer), "POST /x abc"));
    buf_clear(&answer);
    hear_all(idle, &answer);
    assert_int_equal(answer.len, 0);
    server_join(&s);
    assert_true(s.drained);
}

static void test_unix_socket(void **state) {
    (void)state;
    char folder[] = "/tmp/test_http.XXXXXX";
    assert_non_null(mkdtemp(folder));
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s/s", folder);
    static const char *const proxies[] = {"unix"};
    struct server s = {.limits = {.connections = 10, .proxies = proxies, .proxy_count = 1}, .address_len = sizeof un};
    memcpy(&s.address, &un, sizeof un);
    socklen_t len = sizeof un;
    server_start_on(&s, listen_on((struct sockaddr *)&un, &len));
    AUTOBUF struct buf answer = BUF_INIT(1 << 20), expected = BUF_INIT(100);
    assert_int_equal(exchange(&s, GET("/peer"), &answer), 200);
    buf_printf(&expected, "0 %u %u", getuid(), getgid());
    assert_true(view_eq(body_of(&answer), buf_view(&expected)));
    assert_int_equal(exchange(&s, GET("/remote"), &answer), 200);
    assert_true(view_eq_str(body_of(&answer), "unix"));
    assert_int_equal(exchange(&s,
                              "GET /remote HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "
                              "2001:db8::1\r\nConnection: close\r\n\r\n",
                              &answer),
                     200);
    assert_true(view_eq_str(body_of(&answer), "2001:db8::1"));
    server_stop(&s);
    (void)unlink(un.sun_path);
    (void)rmdir(folder);
}

/* An idle server does not wake, neither without connections nor with one that waits for its answer. */
static void test_idle(void **state) {
    (void)state;
    long switches[2];
    for (int run = 0; run < 2; run++) {
        struct server s = {0};
        server_start(&s);
        AUTOCLOSE int kept = dial(&s);
        AUTOCLOSE int waiting = dial(&s);
        say(kept, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        say(waiting, "GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
        (void)usleep(run ? 600000 : 100000);
        server_stop(&s);
        switches[run] = s.switches;
    }
    if (switches[1] > switches[0] + 10) /* half a second more, the same number of wake-ups */
        fail_msg("%ld wake-ups against %ld", switches[1], switches[0]);
}

static void test_bad_arguments(void **state) {
    (void)state;
    struct loop *loop;
    struct http_server *http;
    assert_int_equal(loop_new(&loop), 0);
    const struct http_handlers handlers = {on_head, on_body, on_request, on_end};
    static const char *const bad[] = {"192.0.2.256"};
    struct http_limits limits = {.connections = 1, .proxies = bad, .proxy_count = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(http_server_new(loop, fd, &limits, &handlers, NULL, &http), -EINVAL);
    assert_int_equal(fcntl(fd, F_GETFD), -1); /* taken over */
    (void)loop_free(loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_answer_head),
        cmocka_unit_test(test_split_bytes),
        cmocka_unit_test(test_pipelining),
        cmocka_unit_test(test_header_limits),
        cmocka_unit_test(test_body_limits),
        cmocka_unit_test(test_expect_continue),
        cmocka_unit_test(test_streamed_bodies),
        cmocka_unit_test(test_streamed_answers),
        cmocka_unit_test(test_keep_alive),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_reader_that_does_not_read),
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_connection_limit),
        cmocka_unit_test(test_source_limit),
        cmocka_unit_test(test_client_goes_away),
        cmocka_unit_test(test_stop_with_requests_open),
        cmocka_unit_test(test_drain),
        cmocka_unit_test(test_unix_socket),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
