#include "store/list_pin.h"

#include <errno.h>
#include <stdio.h>

#include "store/db.h"

#include "base/banned.h"

static int conflict(struct why *why, const char *name, const char *what, const char *todo) {
    (void)why_set(why, -EEXIST, "%s", what);
    why_where(why, "[list %s]", name);
    why_todo(why, "%s", todo);
    return -EEXIST;
}

/* Compares with the row that already pins the id or the name. 1 equal, 0 there is none. */
static int compare(struct db *db, uint32_t id, const char *name, const char *list_id, struct why *why) {
    struct row *row = NULL;
    int r =
        db_query(db, "SELECT id, name, list_id FROM list_pin WHERE id = ? OR name = ?", &row, "it", (int64_t)id, name);
    if (r < 0 || (r = db_next(row)) <= 0)
        return r;
    char what[320];
    if (row_int(row, 0) != (int64_t)id) {
        (void)snprintf(what, sizeof what, "the id was %lld when links were sent out; with another they lead nowhere",
                       (long long)row_int(row, 0)); /* cut is fine */
        char todo[64];
        (void)snprintf(todo, sizeof todo, "Write: id = %lld", (long long)row_int(row, 0));
        r = conflict(why, name, what, todo);
    } else if (strcmp(row_text(row, 1), name) != 0) {
        (void)snprintf(what, sizeof what, "the id %lld belongs to the list \"%s\"", (long long)id,
                       row_text(row, 1)); /* cut is fine */
        r = conflict(why, name, what, "Give one of the two another id (`id =`), or keep the section's name");
    } else if (strcmp(row_text(row, 2), list_id) != 0) {
        (void)snprintf(what, sizeof what,
                       "the List-Id was \"%s\", by which people sort their mail; it would become \"%s\"",
                       row_text(row, 2), list_id); /* cut is fine */
        r = conflict(why, name, what, "Keep the domain of the sender's public-url or address");
    } else
        r = 1;
    db_end(row);
    return r;
}

int list_pin(struct db *db, uint32_t id, const char *name, const char *list_id, struct why *why) {
    int r = compare(db, id, name, list_id, why);
    if (r == 0)
        r = db_run(db, "INSERT INTO list_pin VALUES (?, ?, ?)", NULL, "itt", (int64_t)id, name, list_id);
    else if (r == 1)
        return 0;
    if (r < 0 && r != -EEXIST)
        (void)why_set(why, r, "the store cannot keep the list's id");
    return r;
}
