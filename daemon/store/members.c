#include "store/members.h"

#include <errno.h>
#include <stdlib.h>

#include "store/db.h"
#include "store/filter_query.h"

#include "base/banned.h"

enum { SQL_MAX_BYTES = 600 * 1024, OWN_VALUES = 3 };
enum { COLUMN_SUBSCRIBER, COLUMN_STANDING, COLUMN_LANGUAGE, COLUMN_ATTRIBUTES, COLUMN_TAGS };
enum standing { STANDING_GONE, STANDING_ACTIVE, STANDING_MEANT, STANDING_SUPPRESSED };

struct source {
    struct row *row; /* NULL at the end */
    int64_t subscriber;
    enum standing standing;
};

struct members {
    struct db *db;
    struct filter_query filter;
    struct buf sql;
    struct db_value *values; /* of one list after the other */
    size_t list_count;
    int64_t at; /* where the person stands that came last */
    bool looking;
    struct source sources[MEMBERS_LISTS_MAX];
};

/* What is most often so, that no import is hidden from it and nobody is suppressed, is asked once, and not of each
 * person. The filter is asked of nobody who is not active. */
static int write_sql(struct members *m, const struct members_query *query) {
    int64_t hidden = 0, suppressed = 0;
    int r =
        db_get_int(m->db, "SELECT 1 FROM import WHERE state <> 2 OR ended > ? LIMIT 1", &hidden, "i", query->at_usec);
    if (r >= 0)
        r = db_get_int(m->db, "SELECT 1 FROM suppression LIMIT 1", &suppressed, "");
    if (r < 0)
        return r;
    buf_puts(&m->sql, "SELECT u.subscriber,iif(u.state=2 AND u.since<=?2");
    if (hidden)
        buf_puts(&m->sql, " AND u.import NOT IN (SELECT id FROM import WHERE state<>2 OR ended>?2)");
    buf_puts(&m->sql, ",iif(");
    if (query->only)
        buf_add_view(&m->sql, buf_view(&m->filter.sql));
    else
        buf_putc(&m->sql, '1');
    buf_puts(&m->sql, ",2");
    if (suppressed)
        buf_puts(&m->sql, "+EXISTS (SELECT 1 FROM suppression x WHERE x.address_key=s.address_key)");
    buf_puts(&m->sql, ",1),0),s.language");
    buf_puts(&m->sql, query->looking ? ",s.attributes,u.tags" : "");
    buf_puts(&m->sql, " FROM subscription u CROSS JOIN subscriber s ON s.id=u.subscriber "
                      "WHERE u.list=?1 AND u.subscriber>?3 ORDER BY u.subscriber");
    return buf_error(&m->sql);
}

static int advance(struct source *s) {
    int r = db_next(s->row);
    if (r == 1) {
        s->subscriber = row_int(s->row, COLUMN_SUBSCRIBER);
        s->standing = (enum standing)row_int(s->row, COLUMN_STANDING);
    } else
        s->row = NULL; /* it has ended */
    return r < 0 ? r : 0;
}

static int open_source(struct members *m, const struct members_query *query, size_t i) {
    size_t count = OWN_VALUES + m->filter.count;
    struct db_value *values = &m->values[i * count];
    values[0] = (struct db_value){.number = (int64_t)query->lists[i]};
    values[1] = (struct db_value){.number = query->at_usec};
    values[2] = (struct db_value){.number = query->after};
    for (size_t k = 0; k < m->filter.count; k++)
        values[OWN_VALUES + k] = m->filter.values[k];
    int r = db_query_made(m->db, buf_str(&m->sql), values, count, &m->sources[i].row);
    return r < 0 ? r : advance(&m->sources[i]);
}

static int open_all(struct members *m, const struct members_query *query) {
    int r = query->only ? filter_query_init(&m->filter, query->only, OWN_VALUES + 1) : 0;
    if (r == 0)
        r = write_sql(m, query);
    if (r == 0 && !(m->values = calloc(query->list_count * (OWN_VALUES + m->filter.count) + 1, sizeof *m->values)))
        r = -ENOMEM;
    for (size_t i = 0; i < query->list_count && r == 0; i++)
        r = open_source(m, query, i);
    return r;
}

int members_open(struct db *db, const struct members_query *query, struct members **ret) {
    if (query->list_count > MEMBERS_LISTS_MAX)
        return -E2BIG;
    struct members *m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    m->db = db;
    m->list_count = query->list_count;
    m->looking = query->looking;
    buf_init(&m->sql, SQL_MAX_BYTES);
    int r = open_all(m, query);
    if (r < 0)
        (void)members_close(m);
    else
        *ret = m;
    return r;
}

/* All lists go on from the person that came last; of all the one with the smallest id is next. */
int members_next(struct members *m, struct member *ret) {
    const struct source *next = NULL;
    for (size_t i = 0; i < m->list_count; i++) {
        struct source *s = &m->sources[i];
        int r = s->row && s->subscriber == m->at ? advance(s) : 0;
        if (r < 0)
            return r;
        if (s->row && (!next || s->subscriber < next->subscriber))
            next = s;
    }
    if (!next)
        return 0;
    m->at = next->subscriber;
    *ret = (struct member){.subscriber = m->at, .language = VIEW("")};
    for (size_t i = 0; i < m->list_count; i++) {
        const struct source *s = &m->sources[i];
        if (!s->row || s->subscriber != m->at || s->standing == STANDING_GONE)
            continue;
        if (ret->active++ == 0)
            ret->language = row_view(s->row, COLUMN_LANGUAGE);
        if (s->standing == STANDING_ACTIVE)
            continue;
        if (ret->meant++ == 0)
            ret->first = i;
        ret->suppressed = s->standing == STANDING_SUPPRESSED;
    }
    return 1;
}

bool members_look(const struct members *m, size_t list, struct view *ret_attributes, struct view *ret_tags) {
    const struct source *s = &m->sources[list];
    if (!m->looking || !s->row || s->subscriber != m->at || s->standing == STANDING_GONE)
        return false;
    *ret_attributes = row_view(s->row, COLUMN_ATTRIBUTES);
    *ret_tags = row_view(s->row, COLUMN_TAGS);
    return true;
}

struct members *members_close(struct members *m) {
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->list_count; i++)
        if (m->sources[i].row)
            db_end(m->sources[i].row);
    filter_query_done(&m->filter);
    buf_done(&m->sql);
    free(m->values);
    free(m);
    return NULL;
}
