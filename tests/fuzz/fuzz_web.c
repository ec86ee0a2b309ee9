/* The whole web door, asked over its socket. First byte: which page; second: how its body comes. The rest: the body of a
 * POST, or what the daemon answers to the question of a GET. Whatever comes, the answer is a page of ours, nothing typed
 * becomes markup, and every request that is handed over can be read by the daemon. */
#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "conf/conf.h"
#include "door/web.h"
#include "net/loop.h"
#include "net/question.h"
#include "spool/request.h"
#include "trust/keys.h"
#include "trust/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 32 * 1024, ANSWER_MAX = 4 << 20, TOKENS = 3 };

static char folder[64], requests[128];
static struct loop *loop;
static struct loop_source *heard;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static char tokens[TOKENS][TOKEN_TEXT_MAX + 1]; /* recipient, confirm, release */
static struct view told;                        /* what the daemon says */
static struct buf answer = BUF_INIT(ANSWER_MAX);

static const char lists[] =
    "{\"format\":1,\"lists\":[{\"id\":7,\"name\":\"partners\",\"languages\":[\"de\"],\"titles\":{},\"title\":\"A\","
    "\"organisation\":\"B\",\"imprint_url\":\"\",\"privacy_url\":\"\",\"colour\":\"#123456\",\"logo\":\"\",\"sender\":"
    "\"office\",\"open\":true},{\"id\":8,\"name\":\"more\",\"languages\":[\"he\"],\"titles\":{},\"title\":\"C\","
    "\"organisation\":\"B\",\"imprint_url\":\"\",\"privacy_url\":\"\",\"colour\":\"\",\"logo\":\"\",\"sender\":"
    "\"office\","
    "\"open\":true}]}";

static void need(bool good) {
    if (!good)
        abort();
}

static void copy(char *to, size_t size, const char *from) {
    size_t len = strlen(from) + 1;
    need(len <= size);
    memcpy(to, from, len);
}

static const char *below(const char *name) {
    static char path[192];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name); /* fits */
    return path;
}

static void leave(void) {
    (void)files_remove_tree(AT_FDCWD, folder);
}

static void on_conf_error(void *user, const struct why *why) {
    (void)user;
    (void)fprintf(stderr, "%s %s\n", why->where, why->what);
}

static void on_ask(void *user, struct question *q, struct view text) {
    (void)user;
    (void)text;
    question_answer(q, told);
}

static void make_tokens(void) {
    char keys[128], secrets[128];
    struct why why;
    struct keyring *ring;
    struct token kinds[TOKENS] = {
        {.purpose = TOKEN_RECIPIENT, .list = 7, .subscriber = 42},
        {.purpose = TOKEN_CONFIRM, .list = 7, .nonce = {1}, .expires_usec = clock_now_usec() + (INT64_C(1) << 40)},
        {.purpose = TOKEN_RELEASE,
         .announcement = 3,
         .nonce = {2},
         .expires_usec = clock_now_usec() + (INT64_C(1) << 40)},
    };
    copy(keys, sizeof keys, below("spool/public/keys"));
    copy(secrets, sizeof secrets, below("secrets"));
    need(files_make_dirs(keys, 0755) == 0 && files_make_dirs(secrets, 0700) == 0);
    need(keyring_init(secrets, keys, &why) == 0 && keyring_load(secrets, keys, &why, &ring) == 0);
    for (size_t i = 0; i < TOKENS; i++) {
        AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
        need(token_sign(ring, &kinds[i], &text) == 0);
        copy(tokens[i], sizeof tokens[i], buf_str(&text));
    }
    (void)keyring_free(ring);
}

static struct conf *make_conf(void) {
    AUTOBUF struct buf ini = BUF_INIT(10000);
    AUTOFREE char *templates = realpath("templates", NULL);
    struct conf *conf = NULL;
    need(templates != NULL); /* begin it in the root of the sources */
    buf_printf(&ini,
               "[daemon]\nstate-dir = %s\nspool-dir = %s/spool\nsocket = %s/api.sock\ntemplates = %s\ntimezone = "
               "Europe/Berlin\n[sender office]\nname = B\naddress = b@partner.example\npublic-url = "
               "https://brief.partner.example\n[relay main]\nurl = smtp://relay.example\n[web]\nproxies = unix\n[list "
               "partners]\nsender = office\ntitle = A\n",
               folder, folder, folder, templates);
    need(conf_parse(buf_view(&ini), "fuzz.ini", on_conf_error, NULL, &conf) == 0);
    return conf;
}

static void begin(void) {
    static struct web *web;
    static struct question_server *server;
    struct why why;
    if (loop)
        return;
    (void)snprintf(folder, sizeof folder, "%s/rundbrief-fuzz-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    need(mkdtemp(folder) != NULL && atexit(leave) == 0);
    log_set_level(LOG_CRIT);
    copy(requests, sizeof requests, below("spool/requests/web"));
    need(files_make_dirs(requests, 0755) == 0);
    make_tokens();
    need(files_write_new(AT_FDCWD, below("spool/public/lists"), view_of(lists), 0644) == 0);
    struct conf *conf = make_conf();
    copy(address.sun_path, sizeof address.sun_path, below("web.sock"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    need(bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 16) == 0);
    need(loop_new(&loop) == 0 && web_new(loop, conf, &why, &web) == 0 && web_listen(web, fd) == 0);
    need(question_server_new(loop, below("door.sock"), on_ask, NULL, &why, &server) == 0);
    (void)conf_unref(conf);
}

static void on_heard(void *user, int fd, uint32_t events) {
    char piece[65536];
    ssize_t n;
    (void)user;
    (void)events;
    while ((n = recv(fd, piece, sizeof piece, MSG_DONTWAIT)) > 0)
        buf_add(&answer, piece, (size_t)n);
    if (n == 0) {
        heard = loop_remove(heard);
        loop_stop(loop, 0);
    }
}

static void ask(const char *method, const char *path, const char *type, struct view body) {
    static unsigned number;
    AUTOBUF struct buf text = BUF_INIT(64 * 1024);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    number++; /* each from a network of its own: nobody asks too often */
    buf_printf(
        &text,
        "%s %s HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\nX-Forwarded-For: %u.%u.%u.1\r\n%sContent-Length: "
        "%zu\r\n\r\n",
        method, path, 1 + (number >> 16) % 200, number >> 8 & 255, number & 255, type, body.len);
    buf_add_view(&text, body);
    need(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    need(send(fd, text.data, text.len, MSG_NOSIGNAL) == (ssize_t)text.len);
    need(loop_add_io(loop, fd, EPOLLIN, on_heard, NULL, &heard) == 0);
    buf_clear(&answer);
    need(loop_run(loop) == 0);
    (void)close(fd);
}

static void check_handed_over(void) {
    char **names;
    size_t count;
    need(files_list(AT_FDCWD, requests, 16, &names, &count) == 0);
    for (size_t i = 0; i < count; i++) {
        AUTOBUF struct buf file = BUF_INIT(1 << 20);
        char path[512];
        struct request_reader reader = {0};
        struct request r;
        unsigned line;
        int records = 0, e;
        (void)snprintf(path, sizeof path, "%s/%s", requests, names[i]); /* fits */
        need(files_read(AT_FDCWD, path, &file) == 0);
        assert(request_reader_open(&reader, buf_view(&file), REQUEST_WEB, &line) == 0);
        while ((e = request_reader_next(&reader, &r)) == 1)
            records++;
        assert(e == 0 && records == 1);
        request_reader_done(&reader);
        (void)unlink(path);
    }
    files_free_names(names, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct {
        const char *method, *path;
        int token;
    } pages[] = {{"POST", "/s/partners", -1}, {"POST", "/l", -1}, {"POST", "/p/", 0}, {"POST", "/c/", 1},
                 {"POST", "/u/", 0},          {"POST", "/r/", 2}, {"GET", "/p/", 0},  {"GET", "/r/", 2}};
    static const char *const types[] = {"Content-Type: application/x-www-form-urlencoded\r\n",
                                        "Content-Type: multipart/form-data; boundary=b\r\n", ""};
    if (size < 2 || size > INPUT_MAX)
        return 0;
    begin();
    size_t page = data[0] % COUNT_OF(pages);
    char path[512];
    bool reads = pages[page].method[0] == 'G';
    struct view rest = view_make(data + 2, size - 2);
    (void)snprintf(path, sizeof path, "%s%s", pages[page].path,
                   pages[page].token < 0 ? "" : tokens[pages[page].token]); /* fits */
    told = reads ? view_slice(rest, 0, QUESTION_ANSWER_MAX_BYTES)
                 : VIEW("{\"purpose\":\"release\",\"list\":7,\"state\":\"held\",\"subject\":\"x\",\"total\":1}");
    ask(pages[page].method, path, reads ? "" : types[data[1] % COUNT_OF(types)], reads ? VIEW("") : rest);
    int status = 0;
    assert(sscanf(buf_str(&answer), "HTTP/1.1 %d ", &status) == 1);
    static const int fine[] = {200, 400, 404, 409, 503};
    bool is_fine = false;
    for (size_t i = 0; i < COUNT_OF(fine); i++)
        is_fine |= status == fine[i];
    assert(is_fine);
    assert(view_search(buf_view(&answer), VIEW("<script")) == answer.len);
    check_handed_over();
    return 0;
}
