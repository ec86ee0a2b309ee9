#include "store/functions.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "mail/attributes.h"
#include "mail/filter.h"
#include "mail/tags.h"

#include "base/banned.h"

enum { FOLDED_MAX_BYTES = 128 * 1024 };

static bool is_null(sqlite3_value *value) {
    return sqlite3_value_type(value) == SQLITE_NULL;
}

static struct view text_of(sqlite3_value *value) {
    const char *text = (const char *)sqlite3_value_text(value);
    return text ? view_make(text, (size_t)sqlite3_value_bytes(value)) : VIEW("");
}

static void put_text(sqlite3_context *context, struct view v) {
    sqlite3_result_text64(context, v.ptr ? v.ptr : "", v.len, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static void on_folded(sqlite3_context *context, int argc, sqlite3_value **argv) {
    struct buf *to = sqlite3_user_data(context);
    (void)argc;
    if (is_null(argv[0]))
        return;
    struct view folded = filter_fold(text_of(argv[0]), to);
    if (buf_error(to))
        sqlite3_result_error_nomem(context);
    else
        put_text(context, folded);
}

static void on_number_of(sqlite3_context *context, int argc, sqlite3_value **argv) {
    int64_t micro;
    (void)argc;
    if (!is_null(argv[0]) && filter_number(text_of(argv[0]), &micro))
        sqlite3_result_int64(context, micro);
}

static void on_moment_of(sqlite3_context *context, int argc, sqlite3_value **argv) {
    int64_t moment;
    (void)argc;
    if (!is_null(argv[0]) && filter_moment(text_of(argv[0]), &moment))
        sqlite3_result_int64(context, moment);
}

static void on_contains(sqlite3_context *context, int argc, sqlite3_value **argv) {
    (void)argc;
    if (is_null(argv[0]))
        return;
    struct view text = text_of(argv[0]), lines = text_of(argv[1]), wanted;
    bool found = false;
    while (!found && view_line(&lines, &wanted))
        found = view_search(text, wanted) < text.len;
    sqlite3_result_int(context, found);
}

static void on_tagged(sqlite3_context *context, int argc, sqlite3_value **argv) {
    (void)argc;
    if (is_null(argv[0]))
        return;
    struct view tags = text_of(argv[0]), lines = text_of(argv[1]), wanted;
    int found = 0;
    while (found == 0 && tags.len && view_line(&lines, &wanted))
        found = tags_have(tags, wanted);
    if (found < 0)
        sqlite3_result_error_nomem(context);
    else
        sqlite3_result_int(context, found);
}

/* ---- attributes_of() ---- */

enum { COLUMN_VALUE, COLUMN_ATTRIBUTES, COLUMN_NAMES };
enum { ARGUMENTS = 2 };

struct attributes_cursor {
    sqlite3_vtab_cursor base; /* first */
    sqlite3_value *arguments[ARGUMENTS];
    struct view rest, names, value;
    bool is_over;
    sqlite3_int64 number;
};

static int on_connect(sqlite3 *handle, void *user, int argc, const char *const *argv, sqlite3_vtab **ret,
                      char **error) {
    (void)user, (void)argc, (void)argv, (void)error;
    int code = sqlite3_declare_vtab(handle, "CREATE TABLE a (value TEXT, attributes HIDDEN, names HIDDEN)");
    if (code != SQLITE_OK)
        return code;
    *ret = calloc(1, sizeof **ret);
    return *ret ? SQLITE_OK : SQLITE_NOMEM;
}

static int on_disconnect(sqlite3_vtab *vtab) {
    free(vtab);
    return SQLITE_OK;
}

/* Both arguments or nothing. */
static int on_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
    int found = 0;
    (void)vtab;
    for (int i = 0; i < info->nConstraint; i++) {
        int column = info->aConstraint[i].iColumn;
        if (column < COLUMN_ATTRIBUTES || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ ||
            !info->aConstraint[i].usable)
            continue;
        info->aConstraintUsage[i].argvIndex = column - COLUMN_ATTRIBUTES + 1;
        info->aConstraintUsage[i].omit = 1;
        found |= 1 << column;
    }
    info->estimatedCost = 1;
    info->estimatedRows = 1;
    return found == (1 << COLUMN_ATTRIBUTES | 1 << COLUMN_NAMES) ? SQLITE_OK : SQLITE_CONSTRAINT;
}

static int on_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **ret) {
    (void)vtab;
    struct attributes_cursor *c = calloc(1, sizeof *c);
    if (!c)
        return SQLITE_NOMEM;
    *ret = &c->base;
    return SQLITE_OK;
}

static void forget_arguments(struct attributes_cursor *c) {
    for (int i = 0; i < ARGUMENTS; i++) {
        sqlite3_value_free(c->arguments[i]); /* NULL is fine */
        c->arguments[i] = NULL;
    }
}

static int on_close(sqlite3_vtab_cursor *cursor) {
    forget_arguments((struct attributes_cursor *)cursor);
    free(cursor);
    return SQLITE_OK;
}

static int on_next(sqlite3_vtab_cursor *cursor) {
    struct attributes_cursor *c = (struct attributes_cursor *)cursor;
    struct view name, wanted;
    c->number++;
    while (attributes_next(&c->rest, &name, &c->value))
        for (struct view names = c->names; view_line(&names, &wanted);)
            if (view_eq(name, wanted))
                return SQLITE_OK;
    c->is_over = true;
    return SQLITE_OK;
}

static int on_filter(sqlite3_vtab_cursor *cursor, int number, const char *text, int argc, sqlite3_value **argv) {
    struct attributes_cursor *c = (struct attributes_cursor *)cursor;
    (void)number, (void)text;
    forget_arguments(c);
    for (int i = 0; i < argc && i < ARGUMENTS; i++)
        if (!(c->arguments[i] = sqlite3_value_dup(argv[i])))
            return SQLITE_NOMEM;
    c->rest = text_of(c->arguments[0]);
    c->names = text_of(c->arguments[1]);
    c->number = -1;
    c->is_over = false;
    return on_next(cursor);
}

static int on_eof(sqlite3_vtab_cursor *cursor) {
    return ((const struct attributes_cursor *)cursor)->is_over;
}

static int on_column(sqlite3_vtab_cursor *cursor, sqlite3_context *context, int column) {
    const struct attributes_cursor *c = (const struct attributes_cursor *)cursor;
    if (column == COLUMN_VALUE)
        put_text(context, c->value);
    else
        sqlite3_result_value(context, c->arguments[column - COLUMN_ATTRIBUTES]);
    return SQLITE_OK;
}

static int on_rowid(sqlite3_vtab_cursor *cursor, sqlite3_int64 *ret) {
    *ret = ((const struct attributes_cursor *)cursor)->number;
    return SQLITE_OK;
}

static const sqlite3_module attributes_of = {
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

/* ---- */

static void free_room(void *room) {
    buf_done(room);
    free(room);
}

int functions_add(struct sqlite3 *handle) {
    enum { HOW = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY };
    static const struct {
        const char *name;
        int arguments;
        void (*on_call)(sqlite3_context *, int, sqlite3_value **);
    } functions[] = {{"number_of", 1, on_number_of},
                     {"moment_of", 1, on_moment_of},
                     {"contains", 2, on_contains},
                     {"tagged", 2, on_tagged}};
    struct buf *room = calloc(1, sizeof *room);
    if (!room)
        return -ENOMEM;
    buf_init(room, FOLDED_MAX_BYTES);
    /* Where it fails the room was freed by it. */
    int code = sqlite3_create_function_v2(handle, "folded", 1, HOW, room, on_folded, NULL, NULL, free_room);
    for (size_t i = 0; i < COUNT_OF(functions) && code == SQLITE_OK; i++)
        code = sqlite3_create_function_v2(handle, functions[i].name, functions[i].arguments, HOW, NULL,
                                          functions[i].on_call, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_create_module_v2(handle, "attributes_of", &attributes_of, NULL, NULL);
    return code == SQLITE_OK ? 0 : -ENOMEM;
}
