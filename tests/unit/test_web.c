#include "door/web.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"
#include "net/loop.h"
#include "spool/request.h"
#include "trust/keys.h"
#include "trust/token.h"

#include "request_helper.h"
#include "unit.h"

/* ---- a door in a thread of its own, on a spool of its own ---- */

struct fixture {
    char *folder;
    struct buf keys, secrets, requests, lists, token, test_token, ini;
    struct keyring *ring;
    struct conf *conf;
    struct loop *loop;
    struct loop_source *stop, *drain, *reload;
    struct web *web;
    pthread_t thread;
    uint16_t port;
    bool started;
};

static const char lists_json[] =
    "{\"format\":1,\"lists\":[{\"id\":7,\"name\":\"partners\",\"languages\":[\"pl\",\"de\"],\"titles\":{\"de\":"
    "\"Partner "
    "<&> Städte\"},\"title\":\"Miasta\",\"organisation\":\"Koordinierungsstelle\",\"imprint_url\":"
    "\"https://partner.example/impressum\",\"privacy_url\":\"\",\"colour\":\"\",\"logo\":\"\"}]}";

static void on_stop(void *user) {
    struct fixture *f = user;
    loop_stop(f->loop, 0);
}

static void on_drain(void *user) {
    struct fixture *f = user;
    web_drain(f->web, on_stop, f);
}

static void on_reload(void *user) {
    struct fixture *f = user;
    struct why why;
    assert_int_equal(web_reload(f->web, &why), 0);
}

static void *serve(void *user) {
    struct fixture *f = user;
    assert_int_equal(loop_run(f->loop), 0);
    return NULL;
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    print_error("%s %s\n", why->where, why->what);
}

static void make_path(const struct fixture *f, const char *name, struct buf *to) {
    buf_init(to, 4096);
    buf_printf(to, "%s/%s", f->folder, name);
}

static void sign(struct fixture *f, struct token token, struct buf *to) {
    buf_init(to, 200);
    assert_int_equal(token_sign(f->ring, &token, to), 0);
}

static void make_keys(struct fixture *f) {
    struct why why;
    assert_int_equal(keyring_init(buf_str(&f->secrets), buf_str(&f->keys), &why), 0);
    assert_int_equal(keyring_load(buf_str(&f->secrets), buf_str(&f->keys), &why, &f->ring), 0);
    sign(f, (struct token){.purpose = TOKEN_RECIPIENT, .list = 7, .subscriber = 42}, &f->token);
    sign(f, (struct token){.purpose = TOKEN_TEST, .list = 7}, &f->test_token);
}

static int setup_bare(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    void *folder;
    char root[2048];
    assert_non_null(f);
    assert_int_equal(unit_folder(&folder), 0);
    f->folder = folder;
    make_path(f, "spool/public/keys", &f->keys);
    make_path(f, "spool/public/lists", &f->lists);
    make_path(f, "spool/requests/web", &f->requests);
    make_path(f, "secrets", &f->secrets);
    assert_int_equal(files_make_dirs(buf_str(&f->keys), 0755), 0);
    assert_int_equal(files_make_dirs(buf_str(&f->requests), 0755), 0);
    assert_int_equal(files_make_dirs(buf_str(&f->secrets), 0700), 0);
    assert_non_null(getcwd(root, sizeof root));
    buf_init(&f->ini, 10000);
    buf_printf(&f->ini,
               "[daemon]\nstate-dir = %s\nspool-dir = %s/spool\ntemplates = %s/templates\nlocal-templates = %s/local\n"
               "timezone = Europe/Berlin\n[sender partner]\nname = Partner\naddress = brief@partner.example\n"
               "organisation = Amt\npostal-address = Markt 1\nimprint-url = https://partner.example/i\n"
               "privacy-url = https://partner.example/p\npublic-url = https://brief.partner.example\n"
               "[relay main]\nurl = smtp://relay.example\n[list partners]\nid = 7\nsender = partner\ntitle = x\n",
               f->folder, f->folder, root, f->folder);
    assert_int_equal(conf_parse(buf_view(&f->ini), "test.ini", on_conf_error, NULL, &f->conf), 0);
    *state = f;
    return 0;
}

static void start(struct fixture *f) {
    struct why why;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(listen(fd, 512), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &len), 0);
    f->port = in.sin_port;
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(loop_add_wake(f->loop, on_stop, f, &f->stop), 0);
    assert_int_equal(loop_add_wake(f->loop, on_drain, f, &f->drain), 0);
    assert_int_equal(loop_add_wake(f->loop, on_reload, f, &f->reload), 0);
    assert_int_equal(web_new(f->loop, f->conf, &why, &f->web), 0);
    assert_int_equal(web_listen(f->web, fd), 0);
    assert_int_equal(pthread_create(&f->thread, NULL, serve, f), 0);
    f->started = true;
}

static int setup(void **state) {
    assert_int_equal(setup_bare(state), 0);
    struct fixture *f = *state;
    make_keys(f);
    assert_int_equal(files_write_new(AT_FDCWD, buf_str(&f->lists), view_of(lists_json), 0644), 0);
    start(f);
    return 0;
}

static void join(struct fixture *f) {
    assert_int_equal(pthread_join(f->thread, NULL), 0);
    f->started = false;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    if (f->started) {
        loop_wake(f->stop);
        join(f);
    }
    (void)web_free(f->web);
    (void)loop_remove(f->stop);
    (void)loop_remove(f->drain);
    (void)loop_remove(f->reload);
    (void)loop_free(f->loop);
    (void)conf_unref(f->conf);
    (void)keyring_free(f->ring);
    struct buf *const bufs[] = {&f->keys, &f->secrets, &f->requests, &f->lists, &f->token, &f->test_token, &f->ini};
    for (size_t i = 0; i < COUNT_OF(bufs); i++)
        buf_done(bufs[i]);
    void *folder = f->folder;
    free(f);
    return unit_folder_gone(&folder);
}

/* ---- a client ---- */

static int dial(const struct fixture *f) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = f->port};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval timeout = {.tv_sec = 20};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&in, sizeof in), 0);
    return fd;
}

static void say(int fd, const char *method, const char *path, const char *fields, const char *body) {
    AUTOBUF struct buf text = BUF_INIT(1 << 20);
    buf_printf(&text, "%s %s HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n%s", method, path, fields);
    if (body)
        buf_printf(&text, "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
    else
        buf_puts(&text, "\r\n");
    assert_int_equal(send(fd, text.data, text.len, MSG_NOSIGNAL), text.len);
}

struct answer {
    int status;
    struct buf all;
    struct view body;
};

static void hear(int fd, struct answer *a) {
    buf_done(&a->all);
    buf_init(&a->all, 1 << 20);
    for (;;) {
        char piece[65536];
        ssize_t n = recv(fd, piece, sizeof piece, 0);
        assert_true(n >= 0);
        if (n == 0)
            break;
        buf_add(&a->all, piece, (size_t)n);
    }
    a->status = 0;
    (void)sscanf(buf_str(&a->all), "HTTP/1.1 %d ", &a->status);
    size_t at = view_search(buf_view(&a->all), VIEW("\r\n\r\n"));
    a->body = view_slice(buf_view(&a->all), at + 4, a->all.len);
}

static void done_answer(struct answer *a) {
    buf_done(&a->all);
}
#define AUTOANSWER CLEANUP(done_answer)

static int ask(const struct fixture *f, const char *method, const char *path, const char *fields, const char *body,
               struct answer *a) {
    AUTOCLOSE int fd = dial(f);
    say(fd, method, path, fields, body);
    hear(fd, a);
    return a->status;
}

/* "/u/TOKEN" and what follows. */
static const char *link_to(const struct buf *token, const char *rest) {
    static char text[400];
    (void)snprintf(text, sizeof text, "/u/%s%s", buf_str(token), rest);
    return text;
}

static bool has(const struct answer *a, const char *text) {
    return strstr(buf_str(&a->all), text) != NULL;
}

struct stored {
    size_t files, records;
    struct buf text;
};

static int on_record(void *user, const struct request *r) {
    struct stored *stored = user;
    struct view how = request_get(r, REQUEST_KEY_HOW), language = request_get(r, REQUEST_KEY_LANGUAGE);
    stored->records++;
    buf_printf(&stored->text, "%s %.*s %lld %.*s;", request_verb_name(r->verb), (int)how.len, how.ptr,
               (long long)request_number(r, REQUEST_KEY_ANNOUNCEMENT), (int)language.len, language.ptr);
    for (enum request_key key = REQUEST_KEY_JOIN; key <= REQUEST_KEY_LEAVE; key++)
        if (request_get(r, key).len)
            buf_printf(&stored->text, "%s %.*s;", request_key_name(key), (int)request_get(r, key).len,
                       request_get(r, key).ptr);
    return 0;
}

/* What was asked of the daemon, and is then forgotten. */
static const char *take_stored(const struct fixture *f, struct stored *ret) {
    static char shown[1000];
    *ret = (struct stored){.text = BUF_INIT(1 << 20)};
    char **names;
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, buf_str(&f->requests));
    assert_int_equal(files_list(dir, ".", 10000, &names, &ret->files), 0);
    for (size_t i = 0; i < ret->files; i++) {
        AUTOBUF struct buf text = BUF_INIT(REQUEST_FILE_MAX_BYTES);
        unsigned line;
        assert_int_equal(files_read(dir, names[i], &text), 0);
        assert_non_null(strstr(buf_str(&text), buf_str(&f->token)));
        assert_int_equal(request_read(buf_view(&text), REQUEST_WEB, on_record, ret, &line), 0);
        assert_int_equal(unlinkat(dir, names[i], 0), 0);
    }
    files_free_names(names, ret->files);
    (void)snprintf(shown, sizeof shown, "%s", buf_str(&ret->text));
    buf_done(&ret->text);
    return shown;
}

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define ONE_CLICK "List-Unsubscribe=One-Click"

/* ---- tests ---- */

static void the_page_asks_in_the_readers_language(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *rest, *fields, *lang, *text;
    } cases[] = {
        {"/3/de", "Accept-Language: fr\r\n", "de",
         "Partner &lt;&amp;&gt; St\xc3\xa4"
         "dte"},
        {"/3/DE", "", "pl", "Miasta"},
        {"/3/xx", "Accept-Language: fr\r\n", "fr", "Miasta"},
        {"", "Accept-Language: xx, uk;q=0.5\r\n", "uk", "Miasta"},
        {"", "Accept-Language: xx\r\n", "pl", "Miasta"}, /* the list's */
        {"/", "", "pl", "Miasta"},
        {"/3/it", "", "it", "Miasta"},
        {"/3/en", "", "en", "Unsubscribe"},
    };
    AUTOANSWER struct answer a = {0};
    AUTOBUF struct buf expected = BUF_INIT(1000);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unit_int(cases[i].rest, ask(f, "GET", link_to(&f->token, cases[i].rest), cases[i].fields, NULL, &a), 200);
        buf_clear(&expected);
        buf_printf(&expected, "<html lang=\"%s\" dir=\"ltr\">", cases[i].lang);
        unit_int(buf_str(&expected), has(&a, buf_str(&expected)), true);
        unit_int(cases[i].text, has(&a, cases[i].text), true);
        assert_true(has(&a, "<form method=\"post\""));
        assert_true(has(&a, "name=\"action\" value=\"leave\""));
        assert_true(has(&a, "https://partner.example/impressum"));
        assert_false(has(&a, "{{"));
        assert_false(has(&a, "page."));
        assert_false(has(&a, "<script"));
        assert_false(has(&a, "style=\""));
    }
    /* Back to itself, wherever the door is mounted. */
    assert_int_equal(ask(f, "GET", link_to(&f->token, "/3/de"), "", NULL, &a), 200);
    buf_clear(&expected);
    buf_printf(&expected, "action=\"../../../u/%s/3/de\"", buf_str(&f->token));
    assert_true(has(&a, buf_str(&expected)));
    assert_true(has(&a, "href=\"../../../style.css\""));
    struct stored stored;
    assert_string_equal(take_stored(f, &stored), "");
}

static void every_answer_carries_the_headers(void **state) {
    struct fixture *f = *state;
    static const char *const expected[] = {
        "\r\nCache-Control: no-store\r\n",
        "\r\nReferrer-Policy: no-referrer\r\n",
        "\r\nX-Robots-Tag: noindex, nofollow\r\n",
        "\r\nX-Content-Type-Options: nosniff\r\n",
        "\r\nContent-Security-Policy: default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors "
        "'none'; "
        "base-uri 'none'\r\n",
        "\r\nContent-Type: text/html; charset=utf-8\r\n",
    };
    const struct {
        const char *method, *path, *body;
        int status;
    } cases[] = {
        {"GET", link_to(&f->token, ""), NULL, 200},
        {"HEAD", link_to(&f->token, ""), NULL, 200},
        {"POST", link_to(&f->token, ""), ONE_CLICK, 200},
        {"POST", link_to(&f->token, ""), "x", 400},
        {"GET", "/u/broken", NULL, 404},
        {"GET", "/nothing", NULL, 404},
    };
    AUTOANSWER struct answer a = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(ask(f, cases[i].method, cases[i].path, FORM, cases[i].body, &a), cases[i].status);
        for (size_t n = 0; n < COUNT_OF(expected); n++)
            unit_int(expected[n], has(&a, expected[n]), true);
        assert_false(has(&a, "Set-Cookie"));
        assert_false(has(&a, "Location:"));
    }
}

static void looking_changes_nothing(void **state) {
    struct fixture *f = *state;
    AUTOANSWER struct answer get = {0}, head = {0};
    assert_int_equal(ask(f, "GET", link_to(&f->token, "/3/de?action=leave&" ONE_CLICK), "", NULL, &get), 200);
    assert_int_equal(ask(f, "HEAD", link_to(&f->token, "/3/de"), "", NULL, &head), 200);
    assert_int_equal(head.body.len, 0);
    assert_int_equal(ask(f, "GET", link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &get), 200);
    for (const char *const *m = (const char *const[]){"PUT", "DELETE", "PATCH", "OPTIONS", "post", NULL}; *m; m++) {
        assert_int_equal(ask(f, *m, link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &get), 405);
        assert_true(has(&get, "\r\nAllow: GET, HEAD, POST\r\n"));
    }
    struct stored stored;
    assert_string_equal(take_stored(f, &stored), "");
}

#define MULTIPART(name, value) "--B\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n--B--\r\n"

static void leaving_is_stored_before_the_answer(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *rest, *type, *body;
        int status;
        const char *stored;
    } cases[] = {
        {"/3/de", FORM, ONE_CLICK, 200, "leave one-click 3 de;"},
        {"", FORM, ONE_CLICK, 200, "leave one-click 0 ;"},
        {"/3/de", "Content-Type: multipart/form-data; boundary=B\r\n", MULTIPART("List-Unsubscribe", "One-Click"), 200,
         "leave one-click 3 de;"},
        {"/3", "", ONE_CLICK "\r\n", 200, "leave one-click 3 ;"}, /* no type, a line end behind */
        {"/3/de", FORM, "List-Unsubscribe=one-click&x=y", 200, "leave one-click 3 de;"},
        {"/3/de", FORM, "action=leave", 200, "leave link 3 de;"},
        {"", FORM "Accept-Language: fr\r\n", "action=leave", 200, "leave link 0 fr;"}, /* the page's language */
        {"/3/de", "Content-Type: multipart/form-data; boundary=B\r\n", MULTIPART("action", "leave"), 200,
         "leave link 3 de;"},
        {"/x/de", FORM, "action=leave", 200, "leave link 0 de;"},
        {"/3/de", FORM, "", 400, ""},
        {"/3/de", FORM, "List-Unsubscribe=Two-Clicks", 400, ""},
        {"/3/de", FORM, "action=join", 400, ""},
        {"/3/de", "Content-Type: multipart/form-data\r\n", MULTIPART("action", "leave"), 400, ""},
        {"/3/de", FORM, "action=%zz", 400, ""},
    };
    AUTOANSWER struct answer a = {0};
    struct stored stored;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int status = ask(f, "POST", link_to(&f->token, cases[i].rest), cases[i].type, cases[i].body, &a);
        unit_int(cases[i].body, status, cases[i].status);
        unit_str(cases[i].body, take_stored(f, &stored), cases[i].stored);
        unit_int(cases[i].body, has(&a, "value=\"undo\""), status == 200);
    }
    /* Again and again: the same. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &a), 200);
        assert_true(has(&a, "Sie sind abgemeldet"));
    }
    take_stored(f, &stored);
    assert_int_equal(stored.records, 3);
}

static void undoing_is_offered_for_an_hour(void **state) {
    struct fixture *f = *state;
    AUTOANSWER struct answer a = {0};
    struct stored stored;
    assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, "action=leave", &a), 200);
    take_stored(f, &stored);
    const char *at = strstr(buf_str(&a.all), "name=\"since\" value=\"");
    assert_non_null(at);
    long long since = 0, now = clock_now_usec() / USEC_PER_SEC;
    assert_int_equal(sscanf(at, "name=\"since\" value=\"%lld\"", &since), 1);
    assert_in_range(since, now - 60, now);
    const struct {
        long long since;
        int status;
    } cases[] = {{since, 200}, {now - WEB_UNDO_SEC + 30, 200}, {now - WEB_UNDO_SEC - 30, 409}, {0, 409}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf body = BUF_INIT(100);
        buf_printf(&body, "action=undo&since=%lld", cases[i].since);
        assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, buf_str(&body), &a), cases[i].status);
        assert_string_equal(take_stored(f, &stored), cases[i].status == 200 ? "undo link 3 de;" : "");
        assert_true(has(&a, cases[i].status == 200 ? "Abmeldung zur\xc3\xbc"
                                                     "ckgenommen"
                                                   : "eine Stunde lang"));
    }
    assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, "action=undo", &a), 409);
    assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, "action=undo&since=-1", &a), 409);
    assert_string_equal(take_stored(f, &stored), "");
}

static void a_test_link_changes_nothing_and_says_so(void **state) {
    struct fixture *f = *state;
    AUTOANSWER struct answer a = {0};
    struct stored stored;
    for (const char *const *m = (const char *const[]){"GET", "POST", NULL}; *m; m++) {
        assert_int_equal(ask(f, *m, link_to(&f->test_token, "/3/de"), FORM, **m == 'P' ? ONE_CLICK : NULL, &a), 200);
        assert_true(has(&a, "das war ein Test"));
        assert_false(has(&a, "<form"));
    }
    assert_string_equal(take_stored(f, &stored), "");
}

static void anything_but_a_token_of_ours_gets_one_page(void **state) {
    struct fixture *f = *state;
    AUTOANSWER struct answer first = {0}, a = {0};
    struct stored stored;
    assert_int_equal(ask(f, "GET", "/u/x", "", NULL, &first), 404);
    assert_true(has(&first, "This link is not valid"));
    assert_false(has(&first, "Miasta"));
    size_t tried = 0;
    const char *token = buf_str(&f->token);
    size_t len = f->token.len;
    AUTOBUF struct buf path = BUF_INIT(1000);
    /* Every bit of every character, every cut, some characters more; by GET, and sampled by POST. */
    for (size_t i = 0; i < 8 * len + len + 64; i++) {
        buf_clear(&path);
        buf_puts(&path, "/u/");
        for (size_t n = 0; n < len; n++) {
            unsigned char c = (unsigned char)token[n];
            if (i < 8 * len && i / 8 == n)
                c ^= (unsigned char)(1u << i % 8);
            if (i >= 8 * len && i < 9 * len && n >= i - 8 * len)
                break;
            buf_printf(&path, "%%%02x", c);
        }
        if (i >= 9 * len)
            buf_putc(&path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[i - 9 * len]);
        bool nul = strstr(buf_str(&path), "%00") != NULL;
        bool empty = path.len == 3;
        int status = ask(f, i % 7 ? "GET" : "POST", buf_str(&path), FORM, i % 7 ? NULL : ONE_CLICK, &a);
        unit_int(buf_str(&path), status, nul ? 400 : 404);
        if (!nul && !empty && !strstr(buf_str(&path), "%2f"))
            unit_int(buf_str(&path), view_eq(a.body, first.body), true);
        tried++;
    }
    assert_int_equal(tried, 9 * len + 64);
    /* Foreign keys and other purposes. */
    AUTOBUF struct buf confirm = BUF_INIT(200), release = BUF_INIT(200);
    sign(f, (struct token){.purpose = TOKEN_CONFIRM, .list = 7, .expires_usec = INT64_C(4000000000) * USEC_PER_SEC},
         &confirm);
    sign(
        f,
        (struct token){.purpose = TOKEN_RELEASE, .announcement = 7, .expires_usec = INT64_C(4000000000) * USEC_PER_SEC},
        &release);
    const char *const others[] = {
        buf_str(&confirm),
        buf_str(&release),
        "%0a",
        "...",
        "%3Cscript%3E",
        "AQEBAAAABwAAAAAAAAAqAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"};
    for (size_t i = 0; i < COUNT_OF(others); i++) {
        buf_clear(&path);
        buf_printf(&path, "/u/%s", others[i]);
        unit_int(others[i], ask(f, "POST", buf_str(&path), FORM, ONE_CLICK, &a), 404);
        unit_int(others[i], view_eq(a.body, first.body), true);
    }
    assert_string_equal(take_stored(f, &stored), "");
}

static void other_paths_are_plain(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *method, *path;
        int status;
        const char *text;
    } cases[] = {
        {"GET", "/healthz", 200, "ok\n"},
        {"HEAD", "/healthz", 200, "text/plain"},
        {"POST", "/healthz", 405, "Allow: GET, HEAD\r\n"},
        {"GET", "/style.css", 200, "Content-Type: text/css; charset=utf-8"},
        {"GET", "/style.css", 200, "prefers-color-scheme"},
        {"GET", "/", 404, "There is no such page"},
        {"GET", "/favicon.ico", 404, "There is no such page"},
        {"GET", "/u/", 404, "There is no such page"},
        {"GET", "/p/x", 404, "This link is not valid"},
        {"GET", "/c/x", 404, "This link is not valid"},
        {"GET", "/s/nowhere", 404, "There is no such page"},
        {"POST", "/s/nowhere", 404, "There is no such page"},
        {"GET", "/l", 200, "Send me my links"},
        {"PUT", "/l", 405, "Allow: GET, HEAD, POST"},
        {"GET", "/colour-1f4e79.css", 200, "--accent:#1f4e79"},
        {"GET", "/r/x", 404, "This link is not valid"},
        {"POST", "/", 404, "There is no such page"},
        {"GET", "/a/b/c/d", 404, "href=\"../../../style.css\""},
        {"GET", "/%3Cscript%3Ealert(1)%3C/script%3E", 404, "There is no such page"},
    };
    AUTOANSWER struct answer a = {0};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unit_int(cases[i].path, ask(f, cases[i].method, cases[i].path, "", NULL, &a), cases[i].status);
        unit_int(cases[i].path, has(&a, cases[i].text), true);
        assert_false(has(&a, "alert(1)"));
    }
}

static void a_body_is_capped(void **state) {
    struct fixture *f = *state;
    AUTOANSWER struct answer a = {0};
    struct stored stored;
    for (int over = 0; over <= 1; over++) {
        AUTOBUF struct buf body = BUF_INIT(WEB_BODY_MAX_BYTES + 1);
        buf_puts(&body, "action=leave&x=");
        while (body.len < (size_t)WEB_BODY_MAX_BYTES + (size_t)over)
            buf_putc(&body, 'x');
        assert_int_equal(ask(f, "POST", link_to(&f->token, ""), FORM, buf_str(&body), &a), over ? 413 : 200);
    }
    take_stored(f, &stored);
    assert_int_equal(stored.records, 1);
}

static void what_cannot_be_stored_is_no_yes(void **state) {
    struct fixture *f = *state;
    AUTOANSWER struct answer a = {0};
    AUTOBUF struct buf aside = BUF_INIT(4096);
    buf_printf(&aside, "%s.away", buf_str(&f->requests));
    assert_int_equal(rename(buf_str(&f->requests), buf_str(&aside)), 0);
    assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &a), 503);
    assert_true(has(&a, "\r\nRetry-After: 120\r\n"));
    assert_true(has(&a, "value=\"leave\"")); /* the same again */
    assert_true(has(&a, "versuchen"));
    AUTOBUF struct buf body = BUF_INIT(100);
    buf_printf(&body, "action=undo&since=%lld", (long long)(clock_now_usec() / USEC_PER_SEC) - 1000);
    assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, buf_str(&body), &a), 503);
    assert_true(has(&a, "value=\"undo\""));
    assert_true(has(&a, strstr(buf_str(&body), "since=") + 6)); /* its hour does not begin anew */
    assert_int_equal(ask(f, "GET", link_to(&f->token, "/3/de"), "", NULL, &a), 200);
    assert_int_equal(rename(buf_str(&aside), buf_str(&f->requests)), 0);
    assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &a), 200);
}

static void a_full_disk_is_no_yes(void **state) {
    struct fixture *f = *state;
    if (geteuid() != 0 || mount("none", buf_str(&f->requests), "tmpfs", 0, "size=4k") < 0) {
        print_message("skipped: needs root to mount a tiny file system\n");
        skip();
    }
    AUTOANSWER struct answer a = {0};
    AUTOBUF struct buf filler = BUF_INIT(4096), path = BUF_INIT(4096);
    while (filler.len < 4096)
        buf_putc(&filler, 'x');
    buf_printf(&path, "%s/filler", buf_str(&f->requests));
    int filled = files_write_new(AT_FDCWD, buf_str(&path), buf_view(&filler), 0600);
    int full = ask(f, "POST", link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &a);
    int removed = unlink(buf_str(&path));
    int fits = ask(f, "POST", link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &a);
    struct stored stored;
    take_stored(f, &stored);
    assert_int_equal(umount(buf_str(&f->requests)), 0);
    assert_int_equal(filled, 0);
    assert_int_equal(full, 503);
    assert_int_equal(removed, 0);
    assert_int_equal(fits, 200);
    assert_int_equal(stored.records, 1);
}

static void many_at_once_share_files(void **state) {
    enum { MANY = 60 };
    struct fixture *f = *state;
    int fds[MANY];
    AUTOANSWER struct answer a = {0};
    struct stored stored;
    for (int i = 0; i < MANY; i++)
        fds[i] = dial(f);
    for (int i = 0; i < MANY; i++)
        say(fds[i], "POST", link_to(&f->token, "/3/de"), FORM, ONE_CLICK);
    for (int i = 0; i < MANY; i++) {
        hear(fds[i], &a);
        assert_int_equal(a.status, 200);
        (void)close(fds[i]);
    }
    take_stored(f, &stored);
    assert_int_equal(stored.records, MANY);
    assert_in_range(stored.files, 1, MANY);
}

/* In the end: what is written in several steps may be seen half-way. */
static bool becomes(struct fixture *f, const char *rest, int status, const char *text) {
    AUTOANSWER struct answer a = {0};
    for (int i = 0; i < 100; i++) {
        if (ask(f, "GET", link_to(&f->token, rest), "", NULL, &a) == status && has(&a, text))
            return true;
        (void)usleep(50000);
    }
    return false;
}

static void keys_and_lists_may_come_later(void **state) {
    struct fixture *f = *state;
    AUTOANSWER struct answer a = {0};
    start(f);
    assert_int_equal(ask(f, "GET", "/u/x", "", NULL, &a), 503); /* who could say that it is not valid? */
    assert_true(has(&a, "\r\nRetry-After: 120\r\n"));
    assert_int_equal(ask(f, "GET", "/healthz", "", NULL, &a), 200);
    make_keys(f);
    assert_true(becomes(f, "/3/de", 200,
                        "M\xc3\xb6"
                        "chten Sie diese E-Mails nicht mehr erhalten?")); /* of a list unknown */
    assert_int_equal(ask(f, "POST", link_to(&f->token, "/3/de"), FORM, ONE_CLICK, &a), 200);
    assert_true(has(&a, "Sie erhalten diese E-Mails nicht mehr."));
    assert_false(has(&a, "<footer"));
    assert_int_equal(files_write_durable(AT_FDCWD, buf_str(&f->lists), view_of(lists_json), 0644), 0);
    assert_true(becomes(f, "/3/de", 200, "Partner &lt;&amp;&gt;"));
    /* A broken file changes nothing, a new one does, and so does its end. */
    assert_int_equal(files_write_durable(AT_FDCWD, buf_str(&f->lists), VIEW("{\"format\":1,\"lists\":["), 0644), 0);
    (void)usleep(1100000);
    assert_true(becomes(f, "/3/de", 200, "Partner &lt;&amp;&gt;"));
    assert_int_equal(files_write_durable(AT_FDCWD, buf_str(&f->lists),
                                         VIEW("{\"format\":1,\"lists\":[{\"id\":7,\"title\":\"Renamed\"}]}"), 0644),
                     0);
    assert_true(becomes(f, "/3/de", 200, "Renamed"));
    assert_int_equal(unlink(buf_str(&f->lists)), 0);
    assert_true(becomes(f, "/3/de", 200, "diese E-Mails nicht mehr"));

    /* A second key. */
    struct why why;
    uint8_t id;
    assert_int_equal(keyring_new_key(buf_str(&f->secrets), buf_str(&f->keys), &id, &why), 0);
    assert_int_equal(keyring_activate(buf_str(&f->secrets), buf_str(&f->keys), id, &why), 0);
    f->ring = keyring_free(f->ring);
    assert_int_equal(keyring_load(buf_str(&f->secrets), buf_str(&f->keys), &why, &f->ring), 0);
    buf_done(&f->token);
    sign(f, (struct token){.purpose = TOKEN_RECIPIENT, .list = 7, .subscriber = 42}, &f->token);
    assert_true(becomes(f, "/3/de", 200, "<form"));
}

/* A form that was open while a list went: leaving it counts, and what cannot be had is said. */
static void a_list_that_is_gone_is_not_saved(void **state) {
    static const char saved[] = "<h1>Gespeichert</h1>", partly[] = "<h1>Nicht alles", gone[] = "<h1>Diese Liste";
    static const struct {
        uint32_t list;
        const char *fields, *says, *asks;
    } cases[] = {
        {7, "was=7&shown=7,9&list-7=on", saved, ""},
        {7, "was=7&shown=7,9&list-7=on&list-9=on", partly, ""},
        {7, "was=7,9&shown=7,9&list-7=on&list-9=on", saved, ""},
        {7, "was=7,9&shown=7,9&list-7=on", saved, "preferences  0 de;leave 9;"},
        {7, "was=7,9&list-7=on", saved, "preferences  0 de;leave 9;"}, /* of a page that does not say what it shows */
        {7, "was=9&shown=7,9&list-9=on&list-7=on", partly, ""},        /* not open */
        {7, "was=7,9&shown=7,9,8&list-8=on", partly, "preferences  0 de;leave 7,9;"},
        {9, "was=7&shown=7", gone, ""},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOANSWER struct answer a = {0};
        AUTOBUF struct buf token = BUF_INIT(TOKEN_TEXT_MAX), path = BUF_INIT(1000), body = BUF_INIT(1000);
        struct stored stored;
        sign(f, (struct token){.purpose = TOKEN_RECIPIENT, .list = cases[i].list, .subscriber = 42}, &token);
        buf_printf(&path, "/p/%s/de", buf_str(&token));
        buf_printf(&body, "action=preferences&%s", cases[i].fields);
        int status = ask(f, "POST", buf_str(&path), FORM, buf_str(&body), &a);
        const char *asked = take_stored(f, &stored);
        if (status != 200 || !has(&a, cases[i].says) || strcmp(asked, cases[i].asks) != 0)
            fail_msg("case %zu: %d, %s\n%s", i, status, asked, buf_str(&a.all));
    }
}

static void templates_are_read_again_when_asked(void **state) {
    struct fixture *f = *state;
    AUTOBUF struct buf local = BUF_INIT(4096), file = BUF_INIT(4096);
    buf_printf(&local, "%s/local/common", f->folder);
    assert_int_equal(files_make_dirs(buf_str(&local), 0755), 0);
    buf_printf(&file, "%s/page.html", buf_str(&local));
    assert_int_equal(files_write_durable(AT_FDCWD, buf_str(&file), VIEW("<p>Own: {{heading}}</p>"), 0644), 0);
    AUTOANSWER struct answer a = {0};
    assert_int_equal(ask(f, "GET", link_to(&f->token, "/3/de"), "", NULL, &a), 200);
    assert_false(has(&a, "Own:"));
    loop_wake(f->reload);
    assert_true(becomes(f, "/3/de", 200, "<p>Own: Abmelden</p>"));
    /* One that cannot be shown is left out: leaving goes on. */
    assert_int_equal(files_write_durable(AT_FDCWD, buf_str(&file), VIEW("<p>Own: {{heeding}}</p>"), 0644), 0);
    loop_wake(f->reload);
    assert_true(becomes(f, "/3/de", 200, "<h1>Abmelden</h1>"));
}

static void draining_answers_what_is_in_hand(void **state) {
    struct fixture *f = *state;
    AUTOCLOSE int fd = dial(f);
    const char *path = link_to(&f->token, "/3/de");
    AUTOBUF struct buf head = BUF_INIT(1000);
    buf_printf(&head, "POST %s HTTP/1.1\r\nHost: a\r\n" FORM "Content-Length: %zu\r\n\r\n", path, strlen(ONE_CLICK));
    assert_int_equal(send(fd, head.data, head.len, MSG_NOSIGNAL), head.len);
    (void)usleep(50000);
    loop_wake(f->drain);
    (void)usleep(50000);
    assert_int_equal(send(fd, ONE_CLICK, strlen(ONE_CLICK), MSG_NOSIGNAL), strlen(ONE_CLICK));
    AUTOANSWER struct answer a = {0};
    hear(fd, &a);
    assert_int_equal(a.status, 200);
    join(f);
    struct stored stored;
    assert_string_equal(take_stored(f, &stored), "leave one-click 3 de;");
}

static void sockets_are_capped(void **state) {
    struct fixture *f = *state;
    struct loop *loop;
    struct web *web;
    struct why why;
    assert_int_equal(loop_new(&loop), 0);
    assert_int_equal(web_new(loop, f->conf, &why, &web), 0);
    for (int i = 0; i <= WEB_SOCKETS_MAX; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_int_equal(listen(fd, 1), 0);
        assert_int_equal(web_listen(web, fd), i < WEB_SOCKETS_MAX ? 0 : -E2BIG);
    }
    (void)web_free(web);
    (void)loop_free(loop);
}

int main(void) {
    log_set_level(LOG_CRIT); /* failures are made on purpose here */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_asks_in_the_readers_language, setup, teardown),
        cmocka_unit_test_setup_teardown(every_answer_carries_the_headers, setup, teardown),
        cmocka_unit_test_setup_teardown(looking_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(leaving_is_stored_before_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(undoing_is_offered_for_an_hour, setup, teardown),
        cmocka_unit_test_setup_teardown(a_test_link_changes_nothing_and_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(anything_but_a_token_of_ours_gets_one_page, setup, teardown),
        cmocka_unit_test_setup_teardown(other_paths_are_plain, setup, teardown),
        cmocka_unit_test_setup_teardown(a_body_is_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_stored_is_no_yes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_disk_is_no_yes, setup, teardown),
        cmocka_unit_test_setup_teardown(many_at_once_share_files, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_and_lists_may_come_later, setup_bare, teardown),
        cmocka_unit_test_setup_teardown(a_list_that_is_gone_is_not_saved, setup, teardown),
        cmocka_unit_test_setup_teardown(templates_are_read_again_when_asked, setup, teardown),
        cmocka_unit_test_setup_teardown(draining_answers_what_is_in_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(sockets_are_capped, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
