#include "spool/request.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/files.h"
#include "base/number.h"

#include "base/banned.h"

static const char head_line[] = "rundbrief-requests 1";
static const char end_line[] = "end";

static const char *const verb_names[] = {[REQUEST_LEAVE] = "leave", [REQUEST_UNDO] = "undo"};
static const char *const how_names[] = {[REQUEST_BY_LINK] = "link", [REQUEST_ONE_CLICK] = "one-click"};

enum { FIELDS = 7 };

static bool is_of(struct view v, size_t max, const char *also) {
    for (size_t i = 0; i < v.len; i++) {
        char c = v.ptr[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!alnum && (c == '\0' || !strchr(also, c)))
            return false;
    }
    return v.len > 0 && v.len <= max;
}

bool request_is_token(struct view token) {
    return is_of(token, REQUEST_TOKEN_MAX, "_-");
}

bool request_is_language(struct view language) {
    return language.len == 0 || (is_of(language, REQUEST_LANGUAGE_MAX, "-") && language.ptr[0] != '-');
}

/* ---- printing ---- */

void request_print_head(struct buf *to) {
    buf_printf(to, "%s\n", head_line);
}

void request_print(struct buf *to, const struct request *r) {
    assert(request_is_token(r->token) && request_is_language(r->language) && r->announcement >= 0);
    encode_hex(to, r->id, sizeof r->id);
    buf_putc(to, '\t');
    clock_print_utc(to, r->at_usec);
    buf_printf(to, "\t%s\t", verb_names[r->verb]);
    buf_add_view(to, r->token);
    buf_printf(to, "\t%lld\t%s\t", (long long)r->announcement, how_names[r->how]);
    buf_add_view(to, r->language.len ? r->language : VIEW("-"));
    buf_putc(to, '\n');
}

void request_print_end(struct buf *to) {
    buf_printf(to, "%s\n", end_line);
}

/* ---- reading ---- */

static int parse_name(struct view v, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_str(v, names[i]))
            return (int)i;
    return -EBADMSG;
}

static int parse_record(struct view line, struct request *ret) {
    struct view fields[FIELDS];
    size_t count = 0;
    for (struct view field; view_split(&line, '\t', &field); count++) {
        if (count == FIELDS)
            return -EBADMSG;
        fields[count] = field;
    }
    if (count != FIELDS)
        return -EBADMSG;
    struct request r = {.token = fields[3], .language = fields[6]};
    int verb = parse_name(fields[2], verb_names, COUNT_OF(verb_names));
    int how = parse_name(fields[5], how_names, COUNT_OF(how_names));
    uint64_t announcement;
    if (decode_hex(fields[0], r.id, sizeof r.id) < 0 || clock_parse_utc(fields[1], &r.at_usec) < 0 || verb < 0 ||
        how < 0 || !request_is_token(r.token) || number_parse_u64(fields[4], INT64_MAX, &announcement) < 0)
        return -EBADMSG;
    if (view_eq_str(r.language, "-"))
        r.language = VIEW("");
    else if (r.language.len == 0 || !request_is_language(r.language))
        return -EBADMSG;
    r.verb = (enum request_verb)verb;
    r.how = (enum request_how)how;
    r.announcement = (int64_t)announcement;
    *ret = r;
    return 0;
}

/* A line of *rest with its LF; false where none is whole any more. */
static bool take_line(struct view *rest, struct view *ret) {
    size_t at = view_find(*rest, '\n');
    if (at == rest->len)
        return false;
    *ret = view_slice(*rest, 0, at);
    *rest = view_slice(*rest, at + 1, rest->len);
    return true;
}

int request_read(struct view file, request_on_record *on_request, void *user, unsigned *ret_line) {
    struct view rest = file, line = {0};
    struct request r;
    unsigned number = 1;
    bool good = file.len <= REQUEST_FILE_MAX_BYTES && take_line(&rest, &line) && view_eq_str(line, head_line);
    const struct view records = rest;
    size_t count = 0;
    while (good) {
        number++;
        good = take_line(&rest, &line);
        if (good && view_eq_str(line, end_line))
            break;
        good = good && parse_record(line, &r) == 0;
        count++;
    }
    if (!good || count == 0 || rest.len > 0) {
        *ret_line = rest.len > 0 && good && count ? number + 1 : number;
        return -EBADMSG;
    }
    rest = records;
    for (size_t i = 0; i < count; i++) {
        (void)take_line(&rest, &line); /* both went well before */
        (void)parse_record(line, &r);
        int result = on_request(user, &r);
        if (result != 0)
            return result;
    }
    return 0;
}

/* ---- handing over ---- */

/* "20250902T100000.000000Z-<32 hex>" */
static int make_name(struct buf *to) {
    AUTOBUF struct buf time = BUF_INIT(64);
    int64_t now = clock_now_usec();
    clock_print_utc(&time, now);
    for (const char *p = buf_str(&time); *p; p++) {
        if (*p == 'Z')
            buf_printf(to, ".%06d", (int)(now % USEC_PER_SEC));
        if (*p != '-' && *p != ':')
            buf_putc(to, *p);
    }
    uint8_t random[16];
    if (getrandom(random, sizeof random, 0) != sizeof random)
        return -EIO;
    buf_putc(to, '-');
    encode_hex(to, random, sizeof random);
    return buf_error(to);
}

static int write_synced(int dirfd, const char *name, struct view content) {
    AUTOCLOSE int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0)
        return -errno;
    if (fchmod(fd, 0640) < 0) /* whatever the umask: the daemon reads it by the group */
        return -errno;
    int r = files_write_all(fd, content.ptr, content.len);
    return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int request_hand_over(int dirfd, const struct request *records, size_t count) {
    assert(count > 0);
    AUTOBUF struct buf content = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    request_print_head(&content);
    for (size_t i = 0; i < count; i++)
        request_print(&content, &records[i]);
    request_print_end(&content);
    AUTOBUF struct buf name = BUF_INIT(100);
    int r = buf_error(&content);
    if (r == 0)
        r = make_name(&name);
    if (r < 0)
        return r;
    char tmp[100], final[100];
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", buf_str(&name));     /* 56 characters and these */
    (void)snprintf(final, sizeof final, "%s.req", buf_str(&name)); /* the same */
    r = write_synced(dirfd, tmp, buf_view(&content));
    if (r == 0 && renameat(dirfd, tmp, dirfd, final) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dirfd, tmp, 0); /* the first failure is the one to report; the daemon sweeps */
        return r;
    }
    return files_fsync_dir(dirfd);
}
