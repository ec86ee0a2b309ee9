#include "people/forgetting.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "mail/address.h"
#include "people/requests.h"
#include "people/requests_act.h"
#include "spool/spool.h"
#include "store/applied.h"
#include "store/db.h"
#include "store/forget.h"
#include "store/sign_up.h"
#include "trust/code.h"
#include "trust/token.h"

#include "base/banned.h"

enum { BEGIN, APPLIED, REJECTED, END };

/* ---- who is meant ---- */

/* 1 where the text is the address of somebody who is to be forgotten. */
static int is_theirs(struct forgetting *f, struct db *db, struct view text, int64_t applied_usec) {
    struct address a;
    uint8_t hash[FORGET_HASH_BYTES];
    enum address_fault fault = address_parse(text, &a);
    if (fault != ADDRESS_OK)
        return fault == ADDRESS_NO_MEMORY ? -ENOMEM : 0;
    code_address_hash(f->keys, view_of(a.key), hash);
    return forget_address(db, f->upto, hash, applied_usec);
}

/* What stands beside an address in running text, and cannot be part of one as people use them. */
static bool is_around(char c) {
    return (unsigned char)c <= 0x20 || c == 0x7f || strchr("<>()[]{},;:\"\\|", c);
}

/* The next thing at or behind *from that looks like an address. */
static bool next_mention(struct view text, size_t *from, struct view *ret) {
    struct view rest = view_slice(text, *from, text.len);
    size_t at = *from + view_find(rest, '@'), begin = at, end = at;
    if (at >= text.len)
        return false;
    while (begin > *from && at - begin < ADDRESS_INPUT_MAX_BYTES && !is_around(text.ptr[begin - 1]))
        begin--;
    while (end < text.len && end - at < ADDRESS_INPUT_MAX_BYTES && !is_around(text.ptr[end]))
        end++;
    while (begin < at && strchr("'.=", text.ptr[begin]))
        begin++;
    while (end > at && strchr("'.!?=", text.ptr[end - 1]))
        end--;
    *ret = view_slice(text, begin, end - begin);
    *from = end > at ? end : at + 1;
    return true;
}

/* The same where a mention may have a name and an equals sign before it. */
static int is_mention_theirs(struct forgetting *f, struct db *db, struct view mention, int64_t applied_usec) {
    size_t equals = view_find(mention, '=');
    int r = is_theirs(f, db, mention, applied_usec);
    return r == 0 && equals < mention.len ? is_theirs(f, db, view_slice(mention, equals + 1, mention.len), applied_usec)
                                          : r;
}

/* Text without their addresses; *ret_changed where there was one. */
static int cut_mentions(struct forgetting *f, struct db *db, struct view text, int64_t applied_usec, struct buf *to,
                        bool *ret_changed) {
    struct view mention;
    size_t from = 0, copied = 0;
    while (next_mention(text, &from, &mention)) {
        int r = is_mention_theirs(f, db, mention, applied_usec);
        if (r < 0)
            return r;
        if (r == 0)
            continue;
        size_t begin = (size_t)(mention.ptr - text.ptr);
        buf_add_view(to, view_slice(text, copied, begin - copied));
        buf_puts(to, "(erased)");
        copied = begin + mention.len;
        *ret_changed = true;
    }
    buf_add_view(to, view_slice(text, copied, text.len));
    return buf_error(to);
}

/* ---- one record ---- */

static void take(struct request *q, enum request_key key, bool *changed) {
    *changed |= q->value[key].len > 0;
    q->value[key] = VIEW("");
}

/* What an address of theirs stands in. */
static int forget_addresses(struct forgetting *f, struct db *db, struct request *q, int64_t applied_usec,
                            bool *changed) {
    static const enum request_key keys[] = {REQUEST_KEY_ADDRESS, REQUEST_KEY_NEW_ADDRESS};
    int r = 0;
    for (size_t i = 0; r >= 0 && i < COUNT_OF(keys); i++)
        if ((r = is_theirs(f, db, q->value[keys[i]], applied_usec)) == 1)
            take(q, keys[i], changed);
    return r < 0 ? r : 0;
}

/* Whose link asked, or who joined: 0 where the record names no number, or tells nothing but that. */
static int64_t number_of(struct forgetting *f, const struct request *q) {
    struct token t;
    if (!q->value[REQUEST_KEY_NEW_ADDRESS].len && !q->value[REQUEST_KEY_SOURCE].len)
        return 0;
    if (q->verb == REQUEST_JOINED)
        return request_number(q, REQUEST_KEY_SUBSCRIBER);
    if (q->verb != REQUEST_PREFERENCES || token_verify(f->keys, request_get(q, REQUEST_KEY_TOKEN), &t) < 0)
        return 0;
    return t.purpose == TOKEN_RECIPIENT ? (int64_t)t.subscriber : 0;
}

static int forget_choice(struct forgetting *f, struct db *db, struct request *q, int64_t applied_usec, bool *changed) {
    int64_t number = number_of(f, q);
    int r = number ? forget_subscriber(db, f->upto, number, applied_usec) : 0;
    if (r == 1) {
        take(q, REQUEST_KEY_NEW_ADDRESS, changed);
        take(q, REQUEST_KEY_SOURCE, changed);
    }
    return r < 0 ? r : 0;
}

/* texts: memory for what is cut. */
static int forget_texts(struct forgetting *f, struct db *db, struct request *q, int64_t applied_usec,
                        struct buf texts[2], bool *changed) {
    static const enum request_key keys[] = {REQUEST_KEY_SAID, REQUEST_KEY_REASON};
    int r = 0;
    for (size_t i = 0; r == 0 && i < COUNT_OF(keys); i++) {
        bool cut = false;
        if (view_find(q->value[keys[i]], '@') == q->value[keys[i]].len)
            continue;
        r = cut_mentions(f, db, q->value[keys[i]], applied_usec, &texts[i], &cut);
        if (r == 0 && cut) {
            struct view text = buf_view(&texts[i]);
            q->value[keys[i]] = request_is_value(keys[i], text) ? text : VIEW("-");
            *changed = true;
        }
    }
    return r;
}

/* Whether the question that the record led to still waits. */
static int waits(struct forgetting *f, struct db *db, const struct request *q, bool moves) {
    uint8_t nonce[SIGN_UP_NONCE_BYTES];
    code_nonce(f->keys, q->id, moves, nonce);
    return sign_up_waits(db, nonce);
}

static int forget_in_vain(struct forgetting *f, struct db *db, struct request *q, const char *result, bool *changed) {
    int r = 0;
    if (q->verb == REQUEST_LINK)
        take(q, REQUEST_KEY_ADDRESS, changed);
    else if (q->verb == REQUEST_SIGN_UP && strcmp(result, REQUEST_CONFIRMED) != 0 && (r = waits(f, db, q, false)) == 0)
        take(q, REQUEST_KEY_ADDRESS, changed);
    else if (q->verb == REQUEST_PREFERENCES && q->value[REQUEST_KEY_NEW_ADDRESS].len &&
             strcmp(result, REQUEST_MOVED) != 0 && (r = waits(f, db, q, true)) == 0)
        take(q, REQUEST_KEY_NEW_ADDRESS, changed);
    return r < 0 ? r : 0;
}

static bool tells_of_people(const struct request *q) {
    return q->value[REQUEST_KEY_ADDRESS].len || q->value[REQUEST_KEY_NEW_ADDRESS].len ||
           q->value[REQUEST_KEY_SOURCE].len || q->value[REQUEST_KEY_SAID].len || q->value[REQUEST_KEY_REASON].len;
}

/* The record, as far as it is kept. */
static int keep(struct forgetting *f, struct db *db, struct request *q) {
    struct buf texts[2] = {BUF_INIT(REQUEST_LINE_MAX_BYTES), BUF_INIT(REQUEST_LINE_MAX_BYTES)};
    struct applied applied = {0};
    bool changed = false;
    int r = 0, known = 0;
    if (tells_of_people(q))
        r = known = applied_get(db, q->id, &applied);
    if (r >= 0 && f->upto)
        r = forget_addresses(f, db, q, applied.at_usec, &changed);
    if (r >= 0 && f->upto)
        r = forget_choice(f, db, q, applied.at_usec, &changed);
    if (r >= 0 && f->upto)
        r = forget_texts(f, db, q, applied.at_usec, texts, &changed);
    if (r >= 0 && known)
        r = forget_in_vain(f, db, q, applied.result, &changed);
    if (r >= 0) {
        f->records += changed;
        f->changed |= changed;
        if (!changed || request_is_whole(q))
            request_print(&f->kept, q);
    }
    buf_done(&texts[0]);
    buf_done(&texts[1]);
    return r < 0 ? r : buf_error(&f->kept);
}

static int keep_records(struct forgetting *f, struct db *db) {
    struct request q;
    int more;
    while ((more = request_reader_next(&f->reader, &q)) > 0) {
        int r = keep(f, db, &q);
        if (r < 0)
            return r;
        if (db_slice_over(db))
            return STORE_MORE;
    }
    return more;
}

/* ---- what is no file of requests ---- */

static int names_anybody(struct forgetting *f, struct db *db, struct view line) {
    struct view mention;
    size_t from = 0;
    int r = 0;
    while (r == 0 && next_mention(line, &from, &mention))
        r = is_mention_theirs(f, db, mention, 0);
    return r;
}

/* Nothing of it was applied: whole lines go. */
static int keep_lines(struct forgetting *f, struct db *db) {
    struct view all = buf_view(&f->content);
    while (f->next < all.len) {
        struct view rest = view_slice(all, f->next, REQUEST_LINE_MAX_BYTES);
        size_t len = view_find(rest, '\n');
        struct view line = view_slice(rest, 0, len < rest.len ? len + 1 : len);
        int r = names_anybody(f, db, line);
        if (r < 0)
            return r;
        if (r == 0)
            buf_add_view(&f->kept, line);
        f->records += r == 1;
        f->changed |= r == 1;
        f->next += line.len;
        if (db_slice_over(db))
            return STORE_MORE;
    }
    return buf_error(&f->kept);
}

/* ---- folders ---- */

static void close_file(struct forgetting *f) {
    request_reader_done(&f->reader);
    buf_done(&f->content);
    buf_done(&f->kept);
    f->reading = f->changed = false;
    f->next = 0;
}

static int skip(struct forgetting *f, int error) {
    log_error("request-file-not-forgotten", LOG_TEXT("file", f->name), LOG_TEXT("reason", strerror(-error)));
    f->skipped = true;
    close_file(f);
    return 0;
}

static int open_file(struct forgetting *f, int dirfd, bool records) {
    unsigned line = 0;
    buf_init(&f->content, REQUEST_FILE_MAX_BYTES);
    buf_init(&f->kept, REQUEST_FILE_MAX_BYTES);
    int r = files_read_regular(dirfd, f->name, &f->content);
    if (r == 0 && records)
        r = request_reader_open(&f->reader, buf_view(&f->content), REQUEST_ANY_DOOR, &line);
    f->reading = r == 0;
    if (r == 0 || r == -ENOMEM)
        return r;
    if (r != -ENOENT)
        return skip(f, r);
    close_file(f);
    return 0;
}

static int write_anew(struct forgetting *f, int dirfd, bool records) {
    struct view kept = buf_view(&f->kept);
    f->files++;
    /* Of others it may tell, too, and rejected/ hands its group on, that of all coordinators. */
    return records || kept.len == 0 ? request_replace(dirfd, f->name, kept)
                                    : files_write_durable(dirfd, f->name, kept, 0600);
}

static int look_at_file(struct forgetting *f, struct db *db, int dirfd, bool records) {
    int r = f->reading ? 0 : open_file(f, dirfd, records);
    if (r < 0 || !f->reading)
        return r;
    r = records ? keep_records(f, db) : keep_lines(f, db);
    if (r != 0)
        return r;
    if (f->changed)
        r = write_anew(f, dirfd, records);
    close_file(f);
    return r;
}

static int open_folder(struct forgetting *f, const char *path) {
    int fd = files_open_dir(f->spool->dirfd, path);
    f->folder = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !f->folder)
        (void)close(fd); /* only read from */
    return f->folder ? 0 : fd < 0 ? fd : -ENOMEM;
}

static void close_folder(struct forgetting *f) {
    if (f->folder)
        (void)closedir(f->folder); /* only read from */
    f->folder = NULL;
}

/* The next file of requests: f->name. What was cut off while one was written anew goes. */
static bool next_file(struct forgetting *f, bool records) {
    for (const struct dirent *e; (e = readdir(f->folder));) {
        struct view name = view_of(e->d_name);
        if (records && view_ends(name, ".tmp"))
            (void)unlinkat(dirfd(f->folder), e->d_name, 0); /* or the next time */
        if (!view_ends(name, ".req") || name.len >= sizeof f->name)
            continue;
        (void)snprintf(f->name, sizeof f->name, "%s", e->d_name); /* fits */
        return true;
    }
    return false;
}

static int look_at_folder(struct forgetting *f, struct db *db, const char *path, bool records) {
    int r = f->folder ? 0 : open_folder(f, path);
    while (r == 0 && (f->reading || next_file(f, records))) {
        r = look_at_file(f, db, dirfd(f->folder), records);
        if (r == 0 && db_slice_over(db))
            return STORE_MORE;
    }
    if (r == 0 && f->files)
        r = files_fsync_dir(dirfd(f->folder));
    if (r == 0)
        close_folder(f);
    return r;
}

/* ---- the job ---- */

static int step(struct store_job *job, struct db *db) {
    struct forgetting *f = (struct forgetting *)job;
    int r = 0;
    switch (f->phase) {
    case BEGIN:
        r = former_address_purge(db, clock_now_usec() - REQUESTS_KEEP_USEC);
        if (r == 0 && (r = forget_last(db, &f->upto)) > 0)
            r = 0;
        break;
    case APPLIED: r = look_at_folder(f, db, "applied", true); break;
    case REJECTED: r = f->upto ? look_at_folder(f, db, "rejected", false) : 0; break;
    case END: return f->upto && !f->skipped ? forget_done(db, f->upto) : STORE_DONE;
    }
    f->phase += r == STORE_DONE;
    return r < 0 ? r : STORE_MORE;
}

void forgetting_init(struct forgetting *f) {
    f->job.lane = STORE_BULK;
    f->job.step = step;
}

void forgetting_done(struct forgetting *f) {
    close_file(f);
    close_folder(f);
}
