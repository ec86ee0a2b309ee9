#include "spool/request.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/files.h"
#include "base/number.h"

#include "base/banned.h"

enum { VERSION = 2, FIELDS_BEFORE_VALUES = 3 };
static const char head_line[] = "rundbrief-requests ";
static const char end_line[] = "end";

/* ---- printing ---- */

static bool is_escaped(char c) {
    return (unsigned char)c < 0x20 || c == 0x7f || c == '%';
}

static void print_value(struct buf *to, struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (is_escaped(v.ptr[i]))
            buf_printf(to, "%%%02X", (unsigned)(unsigned char)v.ptr[i]);
        else
            buf_putc(to, v.ptr[i]);
}

void request_print(struct buf *to, const struct request *r) {
    assert(request_is_whole(r));
    encode_hex(to, r->id, sizeof r->id);
    buf_putc(to, '\t');
    clock_print_utc(to, r->at_usec);
    buf_printf(to, "\t%s", request_verb_name(r->verb));
    for (enum request_key key = 0; key < REQUEST_KEYS; key++)
        if (r->value[key].len) {
            buf_printf(to, "\t%s=", request_key_name(key));
            print_value(to, r->value[key]);
        }
    buf_putc(to, '\n');
}

int request_print_new(struct buf *to, struct request *r) {
    size_t before = to->len;
    if (!request_is_whole(r))
        return -EINVAL;
    if (getrandom(r->id, sizeof r->id, 0) != sizeof r->id)
        return -EIO;
    if (!r->at_usec)
        r->at_usec = clock_now_usec();
    request_print(to, r);
    if (buf_error(to) < 0)
        buf_truncate(to, before);
    return buf_error(to);
}

/* ---- reading ---- */

/* The value of a field, decoded into `to`, which has room for the whole line and so does not move. */
static bool read_value(struct view v, struct buf *to, struct view *ret) {
    size_t begin = to->len;
    for (size_t i = 0; i < v.len; i++) {
        uint8_t byte = (uint8_t)v.ptr[i];
        if (v.ptr[i] == '%') {
            struct view digits = view_slice(v, i + 1, 2);
            if (decode_hex(digits, &byte, 1) < 0 || !is_escaped((char)byte) ||
                (digits.ptr[0] >= 'a' || digits.ptr[1] >= 'a'))
                return false;
            i += 2;
        } else if (is_escaped(v.ptr[i])) {
            return false;
        }
        buf_putc(to, (char)byte);
    }
    *ret = view_make(buf_str(to) + begin, to->len - begin);
    return true;
}

static int verb_named(struct view name) {
    for (enum request_verb verb = 0; verb < REQUEST_VERBS; verb++)
        if (view_eq_str(name, request_verb_name(verb)))
            return (int)verb;
    return -EBADMSG;
}

/* The key at or behind `from` of that name; REQUEST_KEYS where there is none, or it stands before. */
static enum request_key key_named(struct view name, enum request_key from) {
    while (from < REQUEST_KEYS && !view_eq_str(name, request_key_name(from)))
        from++;
    return from;
}

static bool read_values(struct view rest, struct buf *memory, struct request *r) {
    enum request_key next = 0;
    for (struct view field; view_split(&rest, '\t', &field); next++) {
        size_t equals = view_find(field, '=');
        next = key_named(view_slice(field, 0, equals), next);
        if (next == REQUEST_KEYS || equals + 1 >= field.len ||
            !read_value(view_slice(field, equals + 1, field.len), memory, &r->value[next]))
            return false;
    }
    return true;
}

/* Version 1: the fields behind the verb. Its values need no decoding. */
static bool read_fields_of_1(struct view rest, struct request *r) {
    static const enum request_key order[] = {REQUEST_KEY_TOKEN, REQUEST_KEY_ANNOUNCEMENT, REQUEST_KEY_HOW,
                                             REQUEST_KEY_LANGUAGE};
    size_t count = 0;
    for (struct view field; view_split(&rest, '\t', &field); count++) {
        if (count == COUNT_OF(order) || field.len == 0)
            return false;
        bool absent = (order[count] == REQUEST_KEY_LANGUAGE && view_eq_str(field, "-")) ||
                      (order[count] == REQUEST_KEY_ANNOUNCEMENT && view_eq_str(field, "0"));
        if (!absent)
            r->value[order[count]] = field;
    }
    struct view how = r->value[REQUEST_KEY_HOW];
    return count == COUNT_OF(order) && r->verb <= REQUEST_UNDO &&
           (view_eq_str(how, "link") || view_eq_str(how, "one-click"));
}

static int parse_record(struct view line, unsigned version, enum request_door doors, struct buf *memory,
                        struct request *ret) {
    struct view head[FIELDS_BEFORE_VALUES] = {{0}}, rest = line;
    struct request r = {0};
    for (size_t i = 0; i < COUNT_OF(head); i++)
        if (!view_split(&rest, '\t', &head[i]))
            return -EBADMSG;
    int verb = verb_named(head[2]);
    if (line.len > REQUEST_LINE_MAX_BYTES || decode_hex(head[0], r.id, sizeof r.id) < 0 ||
        clock_parse_utc(head[1], &r.at_usec) < 0 || verb < 0)
        return -EBADMSG;
    r.verb = (enum request_verb)verb;
    buf_clear(memory);
    if (!buf_reserve(memory, line.len + 1))
        return -ENOMEM;
    if (!(version == 1 ? read_fields_of_1(rest, &r) : read_values(rest, memory, &r)) || !request_is_whole(&r) ||
        !request_is_of(&r, doors))
        return -EBADMSG;
    *ret = r;
    return 0;
}

/* 1 or 2; -EPROTONOSUPPORT for what a later one may be called; -EBADMSG. */
static int read_version(struct view line) {
    uint64_t version;
    if (!view_starts(line, head_line))
        return -EBADMSG;
    struct view digits = view_slice(line, strlen(head_line), line.len);
    if (number_parse_u64(digits, 1000000, &version) < 0 || version == 0 || digits.ptr[0] == '0')
        return -EBADMSG;
    return version <= VERSION ? (int)version : -EPROTONOSUPPORT;
}

/* Whether all of it is well-formed; *ret_count records behind the head line. */
static int check(struct view rest, unsigned version, enum request_door doors, struct buf *memory, size_t *ret_count,
                 unsigned *ret_line) {
    struct view line;
    struct request r;
    unsigned number = 1;
    for (size_t count = 0;; count++) {
        number++;
        int error = view_take(&rest, '\n', &line) ? 0 : -EBADMSG;
        if (error == 0 && view_eq_str(line, end_line)) {
            *ret_line = count && rest.len ? number + 1 : number;
            *ret_count = count;
            return count && rest.len == 0 ? 0 : -EBADMSG;
        }
        if (error == 0)
            error = parse_record(line, version, doors, memory, &r);
        if (error < 0) {
            *ret_line = number;
            return error;
        }
    }
}

int request_reader_open(struct request_reader *reader, struct view file, enum request_door doors, unsigned *ret_line) {
    struct view rest = file, line;
    unsigned bad = 1;
    size_t count = 0;
    buf_init(&reader->memory, REQUEST_LINE_MAX_BYTES + 2);
    int version = file.len <= REQUEST_FILE_MAX_BYTES && view_take(&rest, '\n', &line) ? read_version(line) : -EBADMSG;
    int error = version < 0 ? version : check(rest, (unsigned)version, doors, &reader->memory, &count, &bad);
    if (error < 0) {
        *ret_line = bad;
        request_reader_done(reader);
        return error;
    }
    reader->rest = rest;
    reader->left = count;
    reader->version = (unsigned)version;
    reader->doors = doors;
    return 0;
}

int request_reader_next(struct request_reader *reader, struct request *ret) {
    struct view line;
    if (reader->left == 0)
        return 0;
    (void)view_take(&reader->rest, '\n', &line); /* it went well before */
    reader->left--;
    int error = parse_record(line, reader->version, reader->doors, &reader->memory, ret);
    return error < 0 ? error : 1;
}

void request_reader_done(struct request_reader *reader) {
    buf_done(&reader->memory);
    reader->left = 0;
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

static int print_file(struct buf *to, struct view records) {
    if (records.len > REQUEST_RECORDS_MAX_BYTES)
        return -EMSGSIZE;
    buf_printf(to, "%s%d\n", head_line, VERSION);
    buf_add_view(to, records);
    buf_printf(to, "%s\n", end_line);
    return buf_error(to);
}

int request_replace(int dirfd, const char *name, struct view records) {
    AUTOBUF struct buf content = BUF_INIT(REQUEST_FILE_MAX_BYTES), tmp = BUF_INIT(NAME_MAX + 5);
    if (records.len == 0)
        return unlinkat(dirfd, name, 0) < 0 && errno != ENOENT ? -errno : 0;
    buf_printf(&tmp, "%s.tmp", name);
    int r = buf_error(&tmp) < 0 ? buf_error(&tmp) : print_file(&content, records);
    if (r < 0)
        return r;
    (void)unlinkat(dirfd, buf_str(&tmp), 0); /* of one that was cut off */
    r = write_synced(dirfd, buf_str(&tmp), buf_view(&content));
    if (r == 0 && renameat(dirfd, buf_str(&tmp), dirfd, name) < 0)
        r = -errno;
    if (r < 0)
        (void)unlinkat(dirfd, buf_str(&tmp), 0); /* the first failure is the one to report */
    return r;
}

int request_hand_over_as(int dirfd, struct view records, char ret_name[REQUEST_FILE_NAME_BYTES]) {
    assert(records.len > 0 && view_ends(records, "\n"));
    AUTOBUF struct buf content = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    AUTOBUF struct buf name = BUF_INIT(100);
    int r = print_file(&content, records);
    if (r == 0)
        r = make_name(&name);
    if (r < 0)
        return r;
    char tmp[REQUEST_FILE_NAME_BYTES];
    (void)snprintf(tmp, sizeof tmp, "%s.tmp", buf_str(&name));                   /* 56 characters and these */
    (void)snprintf(ret_name, REQUEST_FILE_NAME_BYTES, "%s.req", buf_str(&name)); /* the same */
    r = write_synced(dirfd, tmp, buf_view(&content));
    if (r == 0 && renameat(dirfd, tmp, dirfd, ret_name) < 0)
        r = -errno;
    if (r < 0) {
        (void)unlinkat(dirfd, tmp, 0); /* the first failure is the one to report; the daemon sweeps */
        return r;
    }
    return files_fsync_dir(dirfd);
}

int request_hand_over(int dirfd, struct view records) {
    char name[REQUEST_FILE_NAME_BYTES];
    return request_hand_over_as(dirfd, records, name);
}
