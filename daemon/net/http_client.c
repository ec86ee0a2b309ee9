#include "net/http_client.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#include "base/banned.h"

enum { CACHE_BYTES = 4 << 20 };

struct http_client {
    CURL *curl;
    char *socket_path;
};

/* One exchange, as libcurl's callbacks see it. */
struct exchange {
    const struct http_client_request *request;
    struct http_client_answer *answer;
    CURL *curl;
    uint64_t total, moved;
    uint64_t read, given_back; /* of the file */
    int64_t moved_at_usec;
    int error; /* why a callback of ours ended it */
};

int http_client_new(const char *socket_path, struct http_client **ret) {
    struct http_client *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->socket_path = strdup(socket_path);
    c->curl = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init() : NULL;
    if (!c->socket_path || !c->curl) {
        (void)http_client_free(c);
        return -ENOMEM;
    }
    *ret = c;
    return 0;
}

struct http_client *http_client_free(struct http_client *c) {
    if (c) {
        curl_easy_cleanup(c->curl);
        free(c->socket_path);
        free(c);
    }
    return NULL;
}

void http_client_encode(struct buf *to, struct view text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.len; i++)
        if (memchr(plain, text.ptr[i], sizeof plain - 1))
            buf_putc(to, text.ptr[i]);
        else
            buf_printf(to, "%%%02X", (unsigned char)text.ptr[i]);
}

/* ---- libcurl's callbacks ---- */

/* A file that is read once and from end to end is not to push others' out of the page cache. */
static void give_back_cache(struct exchange *x, size_t read) {
    x->read += read;
    if (x->read - x->given_back < CACHE_BYTES && x->read < x->total && read)
        return;
    (void)posix_fadvise(fileno(x->request->file), 0, (off_t)x->read, POSIX_FADV_DONTNEED); /* a hint */
    x->given_back = x->read;
}

static size_t on_read(char *to, size_t size, size_t count, void *userdata) {
    struct exchange *x = userdata;
    size_t n = fread(to, size, count, x->request->file);
    if (n == 0 && ferror(x->request->file)) {
        x->error = -EIO;
        return CURL_READFUNC_ABORT;
    }
    give_back_cache(x, n);
    return n;
}

static size_t on_write(char *data, size_t size, size_t count, void *userdata) {
    struct exchange *x = userdata;
    struct view piece = view_make(data, size * count);
    long status = 0;
    (void)curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &status); /* 0 stays where there is none */
    if (x->request->on_data && status / 100 == 2) {
        if (x->request->on_data(x->request->user, piece) != 0)
            x->error = -ECANCELED;
    } else if (x->answer->body.len + piece.len > HTTP_CLIENT_ANSWER_MAX_BYTES) {
        x->error = -EMSGSIZE;
    } else {
        buf_add_view(&x->answer->body, piece);
        x->error = buf_error(&x->answer->body);
    }
    return x->error ? CURL_WRITEFUNC_ERROR : piece.len;
}

static int on_transfer(void *userdata, curl_off_t to_get, curl_off_t got, curl_off_t to_send, curl_off_t sent) {
    (void)to_get, (void)to_send;
    struct exchange *x = userdata;
    uint64_t moved = (uint64_t)got + (uint64_t)sent;
    if (moved != x->moved) {
        x->moved = moved;
        x->moved_at_usec = clock_mono_usec();
    } else if (x->request->silence_max_usec && clock_mono_usec() - x->moved_at_usec > x->request->silence_max_usec) {
        x->error = -ETIMEDOUT;
    }
    if (!x->error && x->request->on_progress && x->request->on_progress(x->request->user, (uint64_t)sent, x->total))
        x->error = -ECANCELED;
    return x->error != 0;
}

/* ---- failures in words ---- */

/* What connecting to the socket says; libcurl keeps it to itself. */
static int probe(const char *path) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof un.sun_path)
        return -ENAMETOOLONG;
    memcpy(un.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int r = connect(fd, (const struct sockaddr *)&un, sizeof un) < 0 ? -errno : 0;
    (void)close(fd); /* nothing was said over it */
    return r;
}

static int why_no_connection(const struct http_client *c, CURLcode code, struct why *why) {
    int error = probe(c->socket_path);
    if (error == -ENOENT || error == -ECONNREFUSED) {
        (void)why_set(why, error, "rundbriefd does not run, or listens elsewhere");
        why_todo(why, "Start it (systemctl start rundbriefd), or name its socket with --socket");
    } else if (error == -EACCES || error == -EPERM) {
        (void)why_set(why, error, "you may not ask rundbriefd");
        why_todo(why, "Join the group of its socket (ls -l %s), or ask as root", c->socket_path);
    } else if (error < 0) {
        (void)why_set(why, error, "cannot reach rundbriefd: %s", strerror(-error));
    } else {
        error = why_set(why, -EIO, "cannot reach rundbriefd: %s", curl_easy_strerror(code));
    }
    why_where(why, "%s", c->socket_path);
    return error;
}

static int why_failed(const struct http_client *c, const struct exchange *x, CURLcode code, struct why *why) {
    int error = x->error;
    if (error == -ECANCELED)
        return why_set(why, error, "ended on request");
    if (error == -ETIMEDOUT) {
        (void)why_set(why, error, "rundbriefd does not answer");
        why_todo(why, "See what it is doing: journalctl -u rundbriefd");
    } else if (error == -EMSGSIZE) {
        (void)why_set(why, error, "the answer is too large");
    } else if (error == -EIO) {
        return why_set(why, error, "the file cannot be read");
    } else if (error < 0) {
        (void)why_set(why, error, "the answer cannot be taken: %s", strerror(-error));
    } else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
        return why_no_connection(c, code, why);
    } else if (code == CURLE_OUT_OF_MEMORY) {
        error = why_set(why, -ENOMEM, "memory runs out");
    } else {
        error = why_set(why, -ECONNRESET, "rundbriefd ended the connection before its whole answer");
        why_todo(why, "See why: journalctl -u rundbriefd");
    }
    why_where(why, "%s", c->socket_path);
    return error;
}

/* ---- the exchange ---- */

#define SET(option, value) (ok = ok && curl_easy_setopt(curl, (option), (value)) == CURLE_OK)

static bool set_body(CURL *curl, struct exchange *x, struct curl_slist **headers) {
    const struct http_client_request *request = x->request;
    bool ok = true;
    SET(CURLOPT_POST, 1L);
    if (!request->file) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
        SET(CURLOPT_POSTFIELDS, request->body.ptr ? request->body.ptr : "");
        x->total = request->body.len;
        return ok;
    }
    SET(CURLOPT_READFUNCTION, on_read);
    SET(CURLOPT_READDATA, x);
    struct stat st;
    long at = ftell(request->file);
    if (at >= 0 && fstat(fileno(request->file), &st) == 0 && S_ISREG(st.st_mode) && st.st_size >= at) {
        x->total = (uint64_t)(st.st_size - at);
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)x->total);
    } else {
        *headers = curl_slist_append(*headers, "Transfer-Encoding: chunked");
    }
    /* So that a refusal comes before a file that nobody will read. */
    *headers = curl_slist_append(*headers, "Expect: 100-continue");
    return ok && *headers;
}

static bool set_request(const struct http_client *c, struct exchange *x, const char *url, struct curl_slist **headers) {
    const struct http_client_request *request = x->request;
    CURL *curl = c->curl;
    bool ok = true;
    curl_easy_reset(curl); /* keeps the connection */
    SET(CURLOPT_URL, url);
    SET(CURLOPT_PATH_AS_IS, 1L); /* an argument of .. is one, no way upwards */
    SET(CURLOPT_UNIX_SOCKET_PATH, c->socket_path);
    SET(CURLOPT_PROTOCOLS_STR, "http");
    SET(CURLOPT_PROXY, "");
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_BUFFERSIZE, 128L * 1024);
    SET(CURLOPT_WRITEFUNCTION, on_write);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_transfer);
    SET(CURLOPT_XFERINFODATA, x);
    if (request->content_type) {
        AUTOBUF struct buf type = BUF_INIT(256);
        buf_printf(&type, "Content-Type: %s", request->content_type);
        *headers = buf_error(&type) < 0 ? NULL : curl_slist_append(NULL, buf_str(&type));
        ok = ok && *headers && set_body(curl, x, headers);
        SET(CURLOPT_HTTPHEADER, *headers);
    }
    if (request->method)
        SET(CURLOPT_CUSTOMREQUEST, request->method);
    return ok;
}

int http_client_call(struct http_client *c, const struct http_client_request *request, struct http_client_answer *ret,
                     struct why *why) {
    struct exchange x = {.request = request, .answer = ret, .curl = c->curl, .moved_at_usec = clock_mono_usec()};
    ret->status = 0;
    ret->content_type[0] = '\0';
    buf_clear(&ret->body);
    AUTOBUF struct buf url = BUF_INIT(16 * 1024);
    buf_printf(&url, "http://rundbrief%s", request->path);
    struct curl_slist *headers = NULL;
    int r = buf_error(&url);
    if (r < 0)
        return why_set(why, r, "the request is too long");
    if (strlen(c->socket_path) >= sizeof((struct sockaddr_un *)NULL)->sun_path)
        r = why_no_connection(c, CURLE_COULDNT_CONNECT, why);
    else if (!set_request(c, &x, buf_str(&url), &headers))
        r = why_set(why, -ENOMEM, "memory runs out");
    if (r == 0) {
        CURLcode code = curl_easy_perform(c->curl);
        if (code != CURLE_OK || x.error)
            r = why_failed(c, &x, code, why);
    }
    if (r == 0) {
        long status = 0;
        const char *type = NULL;
        (void)curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
        (void)curl_easy_getinfo(c->curl, CURLINFO_CONTENT_TYPE, &type); /* NULL stays where there is none */
        ret->status = (unsigned)status;
        (void)snprintf(ret->content_type, sizeof ret->content_type, "%s", type ? type : "");
    }
    curl_slist_free_all(headers);
    return r;
}
