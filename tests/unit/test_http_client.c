#include "net/http_client.h"

#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/number.h"
#include "net/http_server.h"
#include "net/loop.h"

#include "unit.h"

/* ---- a daemon in a thread of its own ---- */

struct fixture {
    char *folder, *path;
    struct loop *loop;
    struct http_server *http;
    struct loop_source *stop;
    pthread_t thread;
    struct http_client *client;
    struct http_client_answer answer;
    struct why why;
    uint64_t sent, total, data;
    int calls, cancel_at;
};

static uint64_t streamed; /* of the one request at hand */
static uint64_t left;

static void on_head(void *user, struct http_request *r, uint64_t *ret_body_max, bool *ret_stream) {
    (void)user;
    streamed = 0;
    *ret_body_max = 1 << 30;
    *ret_stream = strcmp(http_path(r), "/in") == 0;
    if (strcmp(http_path(r), "/refused") == 0)
        http_answer(r, 403, "application/json", VIEW("{\"no\":1}"));
}

static void on_body(void *user, struct http_request *r, struct view piece) {
    (void)user, (void)r;
    streamed += piece.len;
}

static int on_pull(void *user, struct http_request *r, size_t room, struct buf *to) {
    (void)user, (void)r;
    size_t most = room < 1000 ? room : 1000, n = left < most ? (size_t)left : most;
    char *at = buf_reserve(to, n);
    assert_non_null(at);
    memset(at, 'x', n);
    buf_used(to, n);
    left -= n;
    return left == 7 ? -EIO : left > 0;
}

static void on_request(void *user, struct http_request *r) {
    (void)user;
    const char *path = http_path(r);
    AUTOBUF struct buf text = BUF_INIT(10000);
    left = 0;
    if (strcmp(path, "/silent") == 0)
        return;
    if (strcmp(path, "/in") == 0) {
        const char *length = http_header(r, "Content-Length");
        buf_printf(&text, "%llu %s", (unsigned long long)streamed, length ? length : "chunked");
    } else if (strcmp(path, "/out") == 0 || strcmp(path, "/cut") == 0) {
        const char *n = http_query(r, "n");
        assert_int_equal(number_parse_u64(view_of(n), UINT64_MAX, &left), 0);
        http_answer_stream(r, http_query(r, "s") ? 500 : 200, "text/csv", on_pull, NULL);
        return;
    } else {
        static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OTHER"};
        const char *type = http_header(r, "Content-Type"), *q = http_query(r, "q");
        struct view body = http_body(r);
        buf_printf(&text, "%s %s %s %s %.*s", methods[http_method(r)], path, q ? q : "-", type ? type : "-",
                   (int)body.len, body.len ? body.ptr : "");
    }
    http_answer(r, 200, "text/plain", buf_view(&text));
}

static void on_end(void *user, struct http_request *r) {
    (void)user, (void)r;
}

static void on_stop(void *user) {
    struct fixture *f = user;
    loop_stop(f->loop, 0);
}

static void *serve(void *user) {
    struct fixture *f = user;
    assert_int_equal(loop_run(f->loop), 0);
    return NULL;
}

static void start(struct fixture *f, int64_t deadline_usec) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(fd, 16), 0);
    const struct http_limits limits = {.connections = 8, .request_deadline_usec = deadline_usec};
    const struct http_handlers handlers = {on_head, on_body, on_request, on_end};
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(loop_add_wake(f->loop, on_stop, f, &f->stop), 0);
    assert_int_equal(http_server_new(f->loop, fd, &limits, &handlers, f, &f->http), 0);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
}

static void stop(struct fixture *f) {
    loop_wake(f->stop);
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    f->http = http_server_free(f->http);
    f->stop = loop_remove(f->stop);
    f->loop = loop_free(f->loop);
    assert_int_equal(unlink(f->path), 0);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    void *folder;
    assert_int_equal(unit_folder(&folder), 0);
    f->folder = folder;
    f->path = unit_path(f->folder, "api");
    assert_int_equal(http_client_new(f->path, &f->client), 0);
    buf_init(&f->answer.body, 1 << 20);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    (void)http_client_free(f->client);
    buf_done(&f->answer.body);
    free(f->path);
    void *folder = f->folder;
    int r = unit_folder_gone(&folder);
    free(f);
    return r;
}

static int call(struct fixture *f, struct http_client_request request) {
    request.user = f;
    f->sent = f->total = f->data = 0;
    f->calls = 0;
    f->why = (struct why){0};
    return http_client_call(f->client, &request, &f->answer, &f->why);
}

/* ---- tests ---- */

static void requests_are_answered(void **state) {
    struct fixture *f = *state;
    start(f, 0);
    assert_int_equal(call(f, (struct http_client_request){.path = "/a?q=b%20c"}), 0);
    assert_int_equal(f->answer.status, 200);
    assert_string_equal(f->answer.content_type, "text/plain");
    assert_string_equal(buf_str(&f->answer.body), "GET /a b c - ");
    assert_int_equal(
        call(f, (struct http_client_request){.path = "/b", .content_type = "application/json", .body = VIEW("{}")}), 0);
    assert_string_equal(buf_str(&f->answer.body), "POST /b - application/json {}");
    assert_int_equal(call(f, (struct http_client_request){.path = "/b", .content_type = "a/b"}), 0);
    assert_string_equal(buf_str(&f->answer.body), "POST /b - a/b ");
    assert_int_equal(call(f, (struct http_client_request){.path = "/b", .method = "DELETE"}), 0);
    assert_string_equal(buf_str(&f->answer.body), "DELETE /b - - ");
    assert_int_equal(call(f, (struct http_client_request){.path = "/refused"}), 0);
    assert_int_equal(f->answer.status, 403);
    assert_string_equal(f->answer.content_type, "application/json");
    assert_string_equal(buf_str(&f->answer.body), "{\"no\":1}");
    stop(f);
}

static int on_progress(void *user, uint64_t sent, uint64_t total) {
    struct fixture *f = user;
    assert_true(sent >= f->sent);
    f->sent = sent;
    f->total = total;
    return f->cancel_at && ++f->calls >= f->cancel_at ? 1 : 0;
}

static void files_are_streamed(void **state) {
    struct fixture *f = *state;
    start(f, 0);
    enum { SIZE = 3000000 };
    AUTOFREE char *path = unit_path(f->folder, "file");
    AUTOFCLOSE FILE *file = fopen(path, "w+e");
    assert_non_null(file);
    for (int i = 0; i < SIZE; i++)
        assert_true(putc('a', file) == 'a');
    const struct {
        long from;
        const char *answer;
    } cases[] = {{0, "3000000 3000000"}, {2999990, "10 10"}, {SIZE, "0 0"}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(fseek(file, cases[i].from, SEEK_SET), 0);
        assert_int_equal(call(f,
                              (struct http_client_request){
                                  .path = "/in", .content_type = "text/csv", .file = file, .on_progress = on_progress}),
                         0);
        assert_string_equal(buf_str(&f->answer.body), cases[i].answer);
        assert_int_equal(f->sent, SIZE - cases[i].from);
        assert_int_equal(f->total, SIZE - cases[i].from);
    }

    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(write(pipe_fds[1], "abc", 3), 3);
    assert_int_equal(close(pipe_fds[1]), 0);
    AUTOFCLOSE FILE *piped = fdopen(pipe_fds[0], "r");
    assert_int_equal(call(f,
                          (struct http_client_request){
                              .path = "/in", .content_type = "text/csv", .file = piped, .on_progress = on_progress}),
                     0);
    assert_string_equal(buf_str(&f->answer.body), "3 chunked");
    assert_int_equal(f->total, 0);

    /* Refused at the head: the answer comes through, and the file stays unread. */
    rewind(file);
    assert_int_equal(
        call(f, (struct http_client_request){.path = "/refused", .content_type = "text/csv", .file = file}), 0);
    assert_int_equal(f->answer.status, 403);
    assert_int_equal(ftell(file), 0);

    AUTOFCLOSE FILE *unreadable = fopen(f->folder, "re"); /* a folder: reading fails */
    assert_non_null(unreadable);
    assert_int_equal(
        call(f, (struct http_client_request){.path = "/in", .content_type = "text/csv", .file = unreadable}), -EIO);
    assert_string_equal(f->why.what, "the file cannot be read");

    f->cancel_at = 2;
    rewind(file);
    assert_int_equal(call(f,
                          (struct http_client_request){
                              .path = "/in", .content_type = "text/csv", .file = file, .on_progress = on_progress}),
                     -ECANCELED);
    f->cancel_at = 0;
    stop(f);
}

static int on_data(void *user, struct view piece) {
    struct fixture *f = user;
    f->data += piece.len;
    return f->cancel_at && f->data >= (uint64_t)f->cancel_at;
}

static void answers_are_streamed_or_collected(void **state) {
    struct fixture *f = *state;
    start(f, 0);
    assert_int_equal(call(f, (struct http_client_request){.path = "/out?n=5000000", .on_data = on_data}), 0);
    assert_int_equal(f->data, 5000000);
    assert_int_equal(f->answer.body.len, 0);
    /* A failure is no data. */
    assert_int_equal(call(f, (struct http_client_request){.path = "/out?n=5000&s=5", .on_data = on_data}), 0);
    assert_int_equal(f->data, 0);
    assert_int_equal(f->answer.body.len, 5000);
    /* The caller's cap. */
    assert_int_equal(call(f, (struct http_client_request){.path = "/out?n=1048576"}), 0);
    assert_int_equal(f->answer.body.len, 1048576);
    assert_int_equal(call(f, (struct http_client_request){.path = "/out?n=1048577"}), -EMSGSIZE);
    assert_string_equal(f->why.what, "the answer is too large");
    /* Our own. */
    f->answer.body.limit_bytes = SIZE_MAX;
    buf_done(&f->answer.body);
    AUTOBUF struct buf path = BUF_INIT(100);
    buf_printf(&path, "/out?n=%d", HTTP_CLIENT_ANSWER_MAX_BYTES);
    assert_int_equal(call(f, (struct http_client_request){.path = buf_str(&path)}), 0);
    assert_int_equal(f->answer.body.len, HTTP_CLIENT_ANSWER_MAX_BYTES);
    buf_clear(&path);
    buf_printf(&path, "/out?n=%d", HTTP_CLIENT_ANSWER_MAX_BYTES + 1);
    assert_int_equal(call(f, (struct http_client_request){.path = buf_str(&path)}), -EMSGSIZE);
    f->cancel_at = 100;
    assert_int_equal(call(f, (struct http_client_request){.path = "/out?n=5000000", .on_data = on_data}), -ECANCELED);
    stop(f);
}

static void failures_are_told_in_words(void **state) {
    struct fixture *f = *state;
    assert_int_equal(call(f, (struct http_client_request){.path = "/a"}), -ENOENT);
    assert_string_equal(f->why.what, "rundbriefd does not run, or listens elsewhere");
    assert_string_equal(f->why.where, f->path);
    assert_non_null(strstr(f->why.todo, "systemctl start rundbriefd"));

    /* A socket that somebody left behind. */
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", f->path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(call(f, (struct http_client_request){.path = "/a"}), -ECONNREFUSED);
    assert_string_equal(f->why.what, "rundbriefd does not run, or listens elsewhere");
    (void)close(fd);
    (void)unlink(f->path);

    start(f, 200000);
    assert_int_equal(call(f, (struct http_client_request){.path = "/silent"}), -ECONNRESET);
    assert_string_equal(f->why.what, "rundbriefd ended the connection before its whole answer");
    assert_int_equal(call(f, (struct http_client_request){.path = "/cut?n=100007", .on_data = on_data}), -ECONNRESET);
    stop(f);

    start(f, 0);
    int64_t begin = clock_mono_usec();
    assert_int_equal(call(f, (struct http_client_request){.path = "/silent", .silence_max_usec = 300000}), -ETIMEDOUT);
    assert_true(clock_mono_usec() - begin < 5 * USEC_PER_SEC);
    assert_string_equal(f->why.what, "rundbriefd does not answer");
    stop(f);

    /* A kept connection that is gone is no failure. */
    start(f, 0);
    assert_int_equal(call(f, (struct http_client_request){.path = "/a"}), 0);
    stop(f);
    start(f, 0);
    assert_int_equal(call(f, (struct http_client_request){.path = "/a"}), 0);
    stop(f);

    AUTOBUF struct buf longer = BUF_INIT(20000);
    for (int i = 0; i < 17000; i++)
        buf_putc(&longer, '/');
    assert_int_equal(call(f, (struct http_client_request){.path = buf_str(&longer)}), -EMSGSIZE);
    struct http_client *far;
    buf_truncate(&longer, 200);
    assert_int_equal(http_client_new(buf_str(&longer), &far), 0);
    const struct http_client_request request = {.path = "/a"};
    assert_int_equal(http_client_call(far, &request, &f->answer, &f->why), -ENAMETOOLONG);
    assert_null(http_client_free(far));
}

static void a_socket_may_be_forbidden(void **state) {
    struct fixture *f = *state;
    if (geteuid() != 0) {
        print_message("skipped: needs root to become somebody else\n");
        skip();
    }
    start(f, 0);
    assert_int_equal(chmod(f->folder, 0755), 0);
    assert_int_equal(chmod(f->path, 0600), 0);
    assert_int_equal(seteuid(65534), 0);
    int r = call(f, (struct http_client_request){.path = "/a"});
    assert_int_equal(seteuid(0), 0);
    stop(f);
    assert_int_equal(r, -EACCES);
    assert_string_equal(f->why.what, "you may not ask rundbriefd");
}

static void text_is_encoded(void **state) {
    (void)state;
    AUTOBUF struct buf to = BUF_INIT(1000);
    http_client_encode(&to, VIEW("aZ0-._~ /?&%+\xc3\xbc"));
    assert_string_equal(buf_str(&to), "aZ0-._~%20%2F%3F%26%25%2B%C3%BC");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(requests_are_answered, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_streamed, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_are_streamed_or_collected, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_told_in_words, setup, teardown),
        cmocka_unit_test_setup_teardown(a_socket_may_be_forbidden, setup, teardown),
        cmocka_unit_test(text_is_encoded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
