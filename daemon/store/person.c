#include "store/person.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "store/db.h"
#include "store/store.h"
#include "store/visible.h"

#include "base/banned.h"

static const struct {
    const char *name;
    size_t offset;
} fields[PERSON_FIELDS] = {
    {"language", offsetof(struct person, language)},
    {"form", offsetof(struct person, form)},
    {"title", offsetof(struct person, title)},
    {"given_name", offsetof(struct person, given_name)},
    {"family_name", offsetof(struct person, family_name)},
    {"salutation", offsetof(struct person, salutation)},
    {"organisation", offsetof(struct person, organisation)},
    {"timezone", offsetof(struct person, timezone)},
};

const char *person_field_name(size_t field) {
    return fields[field].name;
}

const char **person_field(struct person *p, size_t field) {
    return (const char **)((char *)p + fields[field].offset);
}

const char *person_field_get(const struct person *p, size_t field) {
    const char *value;
    memcpy(&value, (const char *)p + fields[field].offset, sizeof value);
    return value;
}

enum { SEARCH_PAGE = 256, FOLDED_MAX_BYTES = 64 * 1024 };

#define COLUMNS                                                                                                        \
    "id, address_key, " ADDRESS_SENT_TO(                                                                               \
        "") ", language, form, title, given_name, family_name, salutation, organisation, timezone, "                   \
            "attributes, import, created, changed"

enum { COLUMN_VISIBLE = 15 }; /* of search_page(), behind those */

/* Strings are the statement's. */
static void read_row(const struct row *row, struct person *ret) {
    *ret = (struct person){
        .id = row_int(row, 0),
        .address_key = row_text(row, 1),
        .address = row_text(row, 2),
        .language = row_text(row, 3),
        .form = row_text(row, 4),
        .title = row_text(row, 5),
        .given_name = row_text(row, 6),
        .family_name = row_text(row, 7),
        .salutation = row_text(row, 8),
        .organisation = row_text(row, 9),
        .timezone = row_text(row, 10),
        .attributes = row_text(row, 11),
        .import = row_int(row, 12),
        .created_usec = row_int(row, 13),
        .changed_usec = row_int(row, row_int(row, 14) ? 14 : 13),
    };
}

static int take_one(int r, struct row *row, struct arena *arena, struct person *ret) {
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    read_row(row, ret);
    const char **strings[] = {&ret->address_key,  &ret->address,    &ret->language,    &ret->form,
                              &ret->title,        &ret->given_name, &ret->family_name, &ret->salutation,
                              &ret->organisation, &ret->timezone,   &ret->attributes};
    for (size_t i = 0; i < COUNT_OF(strings); i++)
        *strings[i] = arena_strdup(arena, *strings[i]);
    db_end(row);
    return arena_failed(arena) ? -ENOMEM : 1;
}

int person_get(struct db *db, int64_t id, struct arena *arena, struct person *ret) {
    struct row *row = NULL;
    int r =
        db_query(db, "SELECT " COLUMNS " FROM subscriber WHERE id = ? AND " VISIBLE_IMPORT("import"), &row, "i", id);
    return take_one(r, row, arena, ret);
}

int person_find(struct db *db, const char *address_key, struct arena *arena, struct person *ret) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT " COLUMNS " FROM subscriber WHERE address_key = ? AND " VISIBLE_IMPORT("import"), &row,
                     "t", address_key);
    return take_one(r, row, arena, ret);
}

/* --- Changes ------------------------------------------------------------------------------------------------- */

int person_next_id(struct db *db, int64_t *ret) {
    int r = db_get_int(db,
                       "SELECT 1 + max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'subscriber'), 0), "
                       "coalesce((SELECT max(id) FROM subscriber), 0))",
                       ret, "");
    return r < 0 ? r : 0;
}

int person_ids_used(struct db *db, int64_t last) {
    int64_t changed = 0;
    int r = db_run(db, "UPDATE sqlite_sequence SET seq = ? WHERE name = 'subscriber'", &changed, "i", last);
    return r < 0 || changed ? r : db_run(db, "INSERT INTO sqlite_sequence VALUES ('subscriber', ?)", NULL, "i", last);
}

static int insert_as(struct db *db, int64_t id, const struct person *p, int64_t now_usec) {
    return db_run(db,
                  "INSERT INTO subscriber (id, address_key, address, language, form, title, given_name, family_name, "
                  "salutation, organisation, timezone, attributes, created, changed) VALUES (?, ?, ?, coalesce(?, ''), "
                  "coalesce(?, ''), coalesce(?, ''), coalesce(?, ''), coalesce(?, ''), coalesce(?, ''), "
                  "coalesce(?, ''), coalesce(?, ''), coalesce(?, ''), ?, 0)",
                  NULL, "ittttttttttti", id, p->address_key, p->address, p->language, p->form, p->title, p->given_name,
                  p->family_name, p->salutation, p->organisation, p->timezone, p->attributes, now_usec);
}

static int insert(struct db *db, const struct person *p, int64_t now_usec, int64_t *ret_id) {
    int r = person_next_id(db, ret_id);
    if (r == 0)
        r = insert_as(db, *ret_id, p, now_usec);
    return r < 0 ? r : person_ids_used(db, *ret_id);
}

int person_bring_back(struct db *db, const struct person *p, int64_t now_usec) {
    return insert_as(db, p->id, p, now_usec); /* an id that was used is behind the sequence, or moves it on */
}

static int update(struct db *db, int64_t id, const struct person *p, int64_t now_usec) {
    return db_run(db,
                  "UPDATE subscriber SET address = coalesce(?, address), language = coalesce(?, language), form = "
                  "coalesce(?, form), title = coalesce(?, title), given_name = coalesce(?, given_name), family_name = "
                  "coalesce(?, family_name), salutation = coalesce(?, salutation), organisation = coalesce(?, "
                  "organisation), timezone = coalesce(?, timezone), attributes = coalesce(?, attributes), changed = ? "
                  "WHERE id = ?",
                  NULL, "ttttttttttii", p->address, p->language, p->form, p->title, p->given_name, p->family_name,
                  p->salutation, p->organisation, p->timezone, p->attributes, now_usec, id);
}

/* Somebody whom so far only an open import knows: what it said of them stays its own. */
static int adopt(struct db *db, int64_t id, int64_t now_usec) {
    return db_run(db,
                  "UPDATE subscriber SET import = 0, language = '', form = '', title = '', given_name = '', "
                  "family_name = '', salutation = '', organisation = '', timezone = '', attributes = '', created = ? "
                  "WHERE id = ?",
                  NULL, "ii", now_usec, id);
}

int person_save(struct db *db, const struct person *p, int64_t now_usec, int64_t *ret_id, bool *ret_new) {
    struct row *row = NULL;
    int r = db_query(db, "SELECT id, " VISIBLE_IMPORT("import") " FROM subscriber WHERE address_key = ?", &row, "t",
                     p->address_key);
    if (r < 0 || (r = db_next(row)) < 0)
        return r;
    if (r == 0) {
        *ret_new = true;
        return insert(db, p, now_usec, ret_id);
    }
    *ret_id = row_int(row, 0);
    *ret_new = !row_int(row, 1);
    db_end(row);
    r = *ret_new ? adopt(db, *ret_id, now_usec) : 0;
    return r < 0 ? r : update(db, *ret_id, p, now_usec);
}

int person_change_address(struct db *db, int64_t id, const char *address_key, const char *address, int64_t now_usec) {
    int64_t changed = 0;
    int r = db_run(db,
                   "UPDATE subscriber SET address_key = ?, address = ?, changed = ? WHERE id = ? "
                   "AND " VISIBLE_IMPORT("import"),
                   &changed, "ttii", address_key, address, now_usec, id);
    return r < 0 ? r : changed ? 0 : -ENOENT;
}

/* --- Search -------------------------------------------------------------------------------------------------- */

/* All that is searched, folded, in `to`. */
static void fold(const struct person *p, struct buf *scratch, struct buf *to) {
    buf_clear(scratch);
    buf_clear(to);
    const char *const parts[] = {p->address_key, "\n", p->given_name, " ", p->family_name, "\n", p->organisation};
    for (size_t i = 0; i < COUNT_OF(parts); i++)
        buf_puts(scratch, parts[i]);
    if (!text_is_ascii(buf_view(scratch))) {
        (void)text_fold(buf_view(scratch), to); /* what is no text is not found */
        return;
    }
    buf_add_view(to, buf_view(scratch));
    for (size_t i = 0; i < to->len; i++)
        if (to->data[i] >= 'A' && to->data[i] <= 'Z')
            to->data[i] += 'a' - 'A';
}

static int is_member(struct db *db, int64_t subscriber, const uint32_t *lists, size_t list_count) {
    int64_t found = 0;
    int r = list_count == 0;
    for (size_t i = 0; i < list_count && r == 0; i++)
        r = db_get_int(db, "SELECT 1 FROM subscription WHERE list = ? AND subscriber = ? AND " VISIBLE_IMPORT("import"),
                       &found, "ii", (int64_t)lists[i], subscriber);
    return r;
}

struct search {
    struct view needle;
    const uint32_t *lists;
    size_t list_count;
    struct buf scratch, folded;
    person_on_row *on_row;
    void *user;
};

/* A page is of rows that are looked at: an import brings a million that nobody is to see yet. */
static int search_page(struct db *db, struct search *s, int64_t *cursor, bool *ret_more) {
    struct row *row = NULL;
    int r = db_query(
        db, "SELECT " COLUMNS ", " VISIBLE_IMPORT("import") " FROM subscriber WHERE id < ? ORDER BY id DESC LIMIT ?",
        &row, "id", *cursor, SEARCH_PAGE);
    if (r < 0)
        return r;
    int count = 0;
    while ((r = db_next(row)) == 1) {
        struct person p;
        *cursor = row_int(row, 0);
        count++;
        if (!row_int(row, COLUMN_VISIBLE))
            continue;
        read_row(row, &p);
        fold(&p, &s->scratch, &s->folded);
        if (view_search(buf_view(&s->folded), s->needle) == s->folded.len && s->needle.len)
            continue;
        r = is_member(db, p.id, s->lists, s->list_count);
        if (r == 1)
            r = s->on_row(s->user, &p);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    *ret_more = count == SEARCH_PAGE;
    return r;
}

int person_search(struct db *db, struct view text, const uint32_t *lists, size_t list_count, int64_t *cursor,
                  person_on_row *on_row, void *user) {
    AUTOBUF struct buf needle = BUF_INIT(FOLDED_MAX_BYTES);
    int r = text_fold(view_trim(text), &needle);
    if (r < 0)
        return r == -EILSEQ ? STORE_DONE : r; /* nobody is called so */
    struct search s = {.needle = buf_view(&needle),
                       .lists = lists,
                       .list_count = list_count,
                       .scratch = BUF_INIT(FOLDED_MAX_BYTES),
                       .folded = BUF_INIT(FOLDED_MAX_BYTES),
                       .on_row = on_row,
                       .user = user};
    if (*cursor == 0)
        *cursor = INT64_MAX;
    bool more = true;
    do
        r = search_page(db, &s, cursor, &more);
    while (r == 0 && more && !db_slice_over(db));
    buf_done(&s.scratch);
    buf_done(&s.folded);
    return r != 0 ? r : more ? STORE_MORE : STORE_DONE;
}
