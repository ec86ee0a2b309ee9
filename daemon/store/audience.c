#include "store/audience.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/number.h"
#include "store/db.h"
#include "store/store.h"

#include "base/banned.h"

enum {
    WORDS_MAX_BYTES = 1024,
    NUMBER_BYTES = 10,
    PEOPLE_MAX_BYTES = AUDIENCE_BLOCK * 2 * NUMBER_BYTES,
    DROP_AT_ONCE = 16
};

/* --- A block as it is stored --------------------------------------------------------------------------------- */

static void put_number(struct buf *to, uint64_t n) {
    char bytes[NUMBER_BYTES];
    size_t len = 0;
    for (; n >= 0x80; n >>= 7)
        bytes[len++] = (char)(n | 0x80);
    bytes[len++] = (char)n;
    buf_add(to, bytes, len);
}

/* False where it ends in the middle of one, or one is too long. */
static bool take_number(const uint8_t **at, const uint8_t *end, uint64_t *ret) {
    uint64_t n = 0;
    for (unsigned shift = 0; *at < end && shift < 63; shift += 7) {
        uint8_t byte = *(*at)++;
        n |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret = n;
            return true;
        }
    }
    return false;
}

int audience_add(struct db *db, const struct audience_block *b) {
    AUTOBUF struct buf lists = BUF_INIT(WORDS_MAX_BYTES), languages = BUF_INIT(WORDS_MAX_BYTES),
                       people = BUF_INIT(PEOPLE_MAX_BYTES);
    for (size_t i = 0; i < b->list_count; i++)
        buf_printf(&lists, "%s%u", i ? " " : "", b->lists[i]);
    for (size_t i = 0; i < b->language_count; i++)
        buf_printf(&languages, "%s%s", i ? " " : "", b->languages[i]);
    int64_t before = 0;
    for (size_t i = 0; i < b->count; i++) {
        const struct audience_person *p = &b->people[i];
        put_number(&people, (uint64_t)(p->subscriber - before));
        put_number(&people, p->list * b->language_count + p->language);
        before = p->subscriber;
    }
    if (buf_error(&lists) || buf_error(&languages) || buf_error(&people))
        return -ENOMEM;
    return db_run(db, "INSERT INTO audience (announcement, last, lists, languages, people) VALUES (?, ?, ?, ?, ?)",
                  NULL, "iivvb", b->announcement, before, buf_view(&lists), buf_view(&languages), buf_view(&people));
}

static bool read_words(struct audience_block *b, struct view lists, struct view languages) {
    struct view word;
    uint64_t list;
    while (view_split(&lists, ' ', &word)) {
        if (b->list_count == AUDIENCE_LISTS_MAX || number_parse_u64(word, UINT32_MAX, &list) < 0)
            return false;
        b->lists[b->list_count++] = (uint32_t)list;
    }
    while (view_split(&languages, ' ', &word)) {
        if (b->language_count == AUDIENCE_LANGUAGES_MAX || word.len == 0 || word.len >= sizeof b->languages[0])
            return false;
        char *to = b->languages[b->language_count++];
        memcpy(to, word.ptr, word.len);
        to[word.len] = '\0';
    }
    return true;
}

static bool read_people(struct audience_block *b, struct view people) {
    const uint8_t *at = (const uint8_t *)people.ptr, *end = at + people.len;
    int64_t subscriber = 0;
    uint64_t distance, which;
    while (at < end && b->count < AUDIENCE_BLOCK) {
        if (!take_number(&at, end, &distance) || !take_number(&at, end, &which) || distance == 0 ||
            distance > (uint64_t)(INT64_MAX - subscriber) || which >= b->list_count * b->language_count)
            return false;
        subscriber += (int64_t)distance;
        b->people[b->count++] = (struct audience_person){subscriber, (uint8_t)(which / b->language_count),
                                                         (uint8_t)(which % b->language_count)};
    }
    return b->count && at == end;
}

int audience_next(struct db *db, int64_t announcement, int64_t after, struct audience_block *ret) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT last, lists, languages, people FROM audience WHERE announcement = ? AND last > ? "
                     "ORDER BY last LIMIT 1",
                     &row, "ii", announcement, after);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    ret->announcement = announcement;
    ret->list_count = ret->language_count = ret->count = 0;
    bool whole = read_words(ret, row_view(row, 1), row_view(row, 2)) && read_people(ret, row_view(row, 3)) &&
                 audience_last(ret) == row_int(row, 0);
    db_end(row);
    return whole ? 1 : -EUCLEAN;
}

int audience_find(struct db *db, int64_t announcement, int64_t subscriber, struct audience_block *ret,
                  size_t *ret_place) {
    int r = audience_next(db, announcement, subscriber - 1, ret);
    for (size_t i = 0; r == 1 && i < ret->count; i++)
        if (ret->people[i].subscriber == subscriber) {
            *ret_place = i;
            return 1;
        }
    return r < 0 ? r : 0;
}

int audience_next_announcement(struct db *db, int64_t after, int64_t *ret) {
    return db_get_int(db, "SELECT announcement FROM audience WHERE announcement > ? ORDER BY announcement LIMIT 1", ret,
                      "i", after);
}

/* --- Runs of claims ------------------------------------------------------------------------------------------- */

int audience_cursor(struct db *db, int64_t announcement, int64_t *ret) {
    *ret = 0;
    int r = db_get_int(db, "SELECT upto FROM claim_run WHERE announcement = ? ORDER BY upto DESC LIMIT 1", ret, "i",
                       announcement);
    return r < 0 ? r : 0;
}

int audience_claim(struct db *db, int64_t announcement, int64_t upto, int64_t at_usec) {
    return db_run(db, "INSERT INTO claim_run (announcement, upto, at) VALUES (?, ?, ?)", NULL, "iii", announcement,
                  upto, at_usec);
}

int audience_claimed_at(struct db *db, int64_t announcement, int64_t subscriber, int64_t *ret) {
    *ret = 0;
    int r = db_get_int(db, "SELECT at FROM claim_run WHERE announcement = ? AND upto >= ? ORDER BY upto LIMIT 1", ret,
                       "ii", announcement, subscriber);
    return r < 0 ? r : 0;
}

/* --- What is over --------------------------------------------------------------------------------------------- */

int audience_lacking(struct db *db, const struct audience_block *b, int64_t upto, uint16_t ret[AUDIENCE_BLOCK],
                     size_t *ret_count) {
    struct row *row = NULL;
    *ret_count = 0;
    int r = db_query(db,
                     "SELECT subscriber FROM delivery WHERE announcement = ? AND subscriber BETWEEN ? AND ? ORDER BY "
                     "subscriber",
                     &row, "iii", b->announcement, b->people[0].subscriber, audience_last(b));
    if (r < 0)
        return r;
    int64_t has_row = 0;
    bool more = true;
    for (size_t i = 0; i < b->count && b->people[i].subscriber <= upto; i++) {
        while (more && has_row < b->people[i].subscriber) {
            if ((r = db_next(row)) < 0)
                return r;
            more = r == 1;
            has_row = more ? row_int(row, 0) : INT64_MAX;
        }
        if (has_row != b->people[i].subscriber)
            ret[(*ret_count)++] = (uint16_t)i;
    }
    if (more)
        db_end(row);
    return 0;
}

static int remove_up_to(struct db *db, int64_t announcement, int64_t last) {
    int r = db_run(db, "DELETE FROM audience WHERE announcement = ? AND last <= ?", NULL, "ii", announcement, last);
    return r < 0 ? r
                 : db_run(db, "DELETE FROM claim_run WHERE announcement = ? AND upto <= ?", NULL, "ii", announcement,
                          last);
}

/* 1 where all people of the block have rows. Where some lack one, the last most often does. Rows between them may be of
 * others, who were left out from the beginning: then each is looked for. */
static int is_over(struct db *db, const struct audience_block *b) {
    uint16_t lacking[AUDIENCE_BLOCK];
    size_t count = 0;
    int64_t found, rows = 0;
    int r = db_get_int(db, "SELECT 1 FROM delivery WHERE announcement = ? AND subscriber = ?", &found, "ii",
                       b->announcement, audience_last(b));
    if (r == 1)
        r = db_get_int(
            db, "SELECT count(*) FROM delivery WHERE announcement = ? AND subscriber BETWEEN ? AND ? AND state <> 6",
            &rows, "iii", b->announcement, b->people[0].subscriber, audience_last(b));
    if (r == 1 && rows < (int64_t)b->count) /* some lack one, or were left out */
        r = audience_lacking(db, b, INT64_MAX, lacking, &count);
    else if (r == 0)
        count = 1;
    return r < 0 ? r : count == 0;
}

int audience_trim(struct db *db, int64_t announcement, unsigned max) {
    struct audience_block b;
    int r = 0;
    for (unsigned i = 0; i < max && r == 0; i++) {
        r = audience_next(db, announcement, 0, &b);
        if (r == 1)
            r = is_over(db, &b);
        if (r == 1)
            r = remove_up_to(db, announcement, audience_last(&b));
        else
            break;
    }
    return r < 0 ? r : 0;
}

int audience_drop(struct db *db, int64_t announcement) {
    int r = db_run_pages(db,
                         "DELETE FROM audience WHERE announcement = ?1 AND last IN (SELECT last FROM audience WHERE "
                         "announcement = ?1 ORDER BY last LIMIT ?2)",
                         DROP_AT_ONCE, NULL, "id", announcement, DROP_AT_ONCE);
    if (r == 0)
        r = db_run_pages(db,
                         "DELETE FROM claim_run WHERE announcement = ?1 AND upto IN (SELECT upto FROM claim_run "
                         "WHERE announcement = ?1 ORDER BY upto LIMIT ?2)",
                         DROP_AT_ONCE, NULL, "id", announcement, DROP_AT_ONCE);
    return r;
}
