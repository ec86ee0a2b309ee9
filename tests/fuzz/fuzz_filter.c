/* Filters from anywhere, on a person from anywhere: parts parted by NUL, the filter, attributes, tags, a name. What is
 * read means the same when it was frozen and thawed, and is a statement; a frozen one from anywhere is refused or means
 * something. The statement is made of our own words and signs. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"
#include "mail/filter.h"
#include "store/db.h"
#include "store/filter_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view part(struct view *rest) {
    struct view v = {0};
    return view_split(rest, '\0', &v) ? v : VIEW("");
}

struct person {
    struct view attributes, tags, family_name;
};

/* A store of nobody; its folder is gone at once. */
static struct db *store(void) {
    static struct db *db;
    struct why why;
    char folder[] = "/tmp/rundbrief-fuzz-XXXXXX", path[64];
    if (db)
        return db;
    log_set_level(LOG_CRIT);
    char *made = mkdtemp(folder);
    assert(made);
    (void)snprintf(path, sizeof path, "%s/store.db", folder); /* fits */
    int r = db_open(path, &why, &db);
    assert(r == 0);
    (void)files_remove_tree(AT_FDCWD, folder);
    return db;
}

/* Whether the filter means the person: 1 or 0, or -EINVAL where it is too deep to be asked. */
static int ask(const struct filter *f, const struct person *p) {
    enum { OWN = 3 };
    struct filter_query q;
    AUTOBUF struct buf sql = BUF_INIT(1 << 20);
    int r = filter_query_init(&q, f, OWN + 1);
    for (size_t i = 0; i < q.sql.len; i++)
        assert(q.sql.data[i] >= ' ' && q.sql.data[i] < 0x7f);
    struct db_value *values = calloc(OWN + q.count, sizeof *values);
    assert(values);
    const struct view own[OWN] = {p->attributes, p->tags, p->family_name};
    for (size_t i = 0; i < OWN; i++)
        values[i] = (struct db_value){.is_text = true, .text = own[i]};
    for (size_t i = 0; i < q.count; i++)
        values[OWN + i] = q.values[i];
    buf_puts(&sql, "SELECT ");
    buf_add_view(&sql, buf_view(&q.sql));
    buf_puts(&sql,
             " FROM (SELECT ?1 AS attributes, ?3 AS family_name, ?3 AS address_key, '' AS address, '' AS language, "
             "'' AS form, '' AS title, 'Vera' AS given_name, '' AS organisation, '' AS timezone) s, "
             "(SELECT ?2 AS tags, 1756765800000000 AS since) u");
    struct row *row = NULL;
    if (r == 0) {
        r = db_query_made(store(), buf_str(&sql), values, OWN + q.count, &row);
        assert(r == 0);
        r = db_next(row);
        assert(r == 1 && !row_is_null(row, 0));
        r = (int)row_int(row, 0);
        assert(r == 0 || r == 1);
        db_end(row);
    }
    filter_query_done(&q);
    free(values);
    return r;
}

static void check_thawed(struct view frozen, const struct person *p) {
    struct filter *f, *again;
    AUTOBUF struct buf text = BUF_INIT(2 * FILTER_FROZEN_MAX_BYTES), twice = BUF_INIT(2 * FILTER_FROZEN_MAX_BYTES);
    if (filter_thaw(frozen, &f) < 0)
        return;
    int matches = ask(f, p);
    assert(matches >= 0 || matches == -EINVAL);
    filter_freeze(f, &text);
    if (text.len <= FILTER_FROZEN_MAX_BYTES) { /* folding may make it longer once */
        assert(filter_thaw(buf_view(&text), &again) == 0);
        assert(ask(again, p) == matches);
        filter_freeze(again, &twice);
        assert(view_eq(buf_view(&text), buf_view(&twice)));
        (void)filter_free(again);
    }
    (void)filter_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_make(data, size), text = part(&rest);
    struct person p = {.attributes = part(&rest), .tags = part(&rest), .family_name = rest};
    const struct filter_language language = {NULL, 0, "", "", "Europe/Berlin"};
    struct filter *f;
    struct filter_fault fault;
    struct filter_unseen unseen;
    check_thawed(text, &p);
    int r = filter_read(text, &language, &f, &fault);
    if (r < 0) {
        assert(r == -EINVAL && fault.key[0] && fault.column >= 1 && fault.column <= text.len + 1);
        return 0;
    }
    assert(text.len <= FILTER_MAX_BYTES);
    AUTOBUF struct buf frozen = BUF_INIT(FILTER_FROZEN_MAX_BYTES);
    filter_freeze(f, &frozen);
    assert(buf_error(&frozen) == 0);
    struct filter *thawed;
    assert(filter_thaw(buf_view(&frozen), &thawed) == 0);
    int matches = ask(f, &p);
    assert(matches >= 0 && matches == ask(thawed, &p));
    (void)filter_free(thawed);
    check_thawed(buf_view(&frozen), &p);
    filter_look(f, p.attributes, p.tags);
    for (size_t at = 0; filter_next_unseen(f, &at, &unseen);)
        assert(unseen.column >= 1 && strlen(unseen.name) <= text.len);
    (void)filter_free(f);
    return 0;
}
