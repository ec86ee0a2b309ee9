#include "store/given.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/banned.h"

struct given {
    const struct given_table *table;
    const void *rows;
    size_t count;
};

/* A virtual table of SQLite (sqlite.org/vtab.html), eponymous and only to be read. */
struct given_vtab {
    sqlite3_vtab base; /* first */
    const struct given *given;
};
struct given_cursor {
    sqlite3_vtab_cursor base; /* first */
    const struct given *given;
    size_t row;
};

static int on_connect(sqlite3 *handle, void *user, int argc, const char *const *argv, sqlite3_vtab **ret,
                      char **error) {
    const struct given *g = user;
    (void)argc, (void)argv, (void)error;
    int code = sqlite3_declare_vtab(handle, g->table->declaration);
    struct given_vtab *vtab = code == SQLITE_OK ? calloc(1, sizeof *vtab) : NULL;
    if (!vtab)
        return code == SQLITE_OK ? SQLITE_NOMEM : code;
    vtab->given = g;
    *ret = &vtab->base;
    return SQLITE_OK;
}

static int on_disconnect(sqlite3_vtab *vtab) {
    free(vtab);
    return SQLITE_OK;
}

static int on_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
    (void)vtab;
    info->estimatedCost = 1; /* always read whole, from the first row on */
    return SQLITE_OK;
}

static int on_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret) {
    struct given_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    cursor->given = ((struct given_vtab *)vtab)->given;
    *ret = &cursor->base;
    return SQLITE_OK;
}

static int on_close(sqlite3_vtab_cursor *cursor) {
    free(cursor);
    return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int argc, sqlite3_value **argv) {
    (void)number, (void)text, (void)argc, (void)argv;
    ((struct given_cursor *)cursor)->row = 0;
    return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *cursor) {
    ((struct given_cursor *)cursor)->row++;
    return SQLITE_OK;
}

static int on_eof(sqlite3_vtab_cursor *cursor) {
    const struct given_cursor *c = (const struct given_cursor *)cursor;
    return c->row >= c->given->count;
}

static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
    const struct given_cursor *c = (const struct given_cursor *)cursor;
    struct given_cell cell = {0};
    c->given->table->on_cell(c->given->rows, c->row, column, &cell);
    if (cell.text)
        sqlite3_result_text(context, cell.text, -1, SQLITE_STATIC);
    else
        sqlite3_result_int64(context, cell.number);
    return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret) {
    *ret = (sqlite3_int64)((const struct given_cursor *)cursor)->row;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = on_connect,
    .xBestIndex = on_best_index,
    .xDisconnect = on_disconnect,
    .xOpen = on_open,
    .xClose = on_close,
    .xFilter = on_filter,
    .xNext = on_next,
    .xEof = on_eof,
    .xColumn = on_column,
    .xRowid = on_rowid,
};

int given_new(struct sqlite3 *handle, const struct given_table *table, struct given **ret) {
    struct given *g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    g->table = table;
    if (sqlite3_create_module_v2(handle, table->name, &module, g, free) != SQLITE_OK)
        return -ENOMEM; /* g was freed by it */
    *ret = g;
    return 0;
}

const struct given_table *given_table(const struct given *g) {
    return g->table;
}

void given_set(struct given *g, const void *rows, size_t count) {
    g->rows = rows;
    g->count = count;
}
