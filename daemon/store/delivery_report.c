/* Reading deliveries: delivery_report() of store/delivery.h. */
#include "base/buf.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/store.h"
#include "store/visible.h"

#include "base/banned.h"

enum { PAGE = 256, NAME_MAX_BYTES = 4096 };

/* Given and family name, or the organisation. */
static const char *name_of(const struct row *row, int column, struct buf *to) {
    buf_clear(to);
    buf_add_view(to, row_view(row, column));
    struct view family = row_view(row, column + 1);
    if (to->len && family.len)
        buf_putc(to, ' ');
    buf_add_view(to, family);
    if (to->len == 0)
        buf_add_view(to, row_view(row, column + 2));
    return buf_str(to);
}

static int report_page(struct db *db, int64_t announcement, bool not_delivered, int64_t *cursor,
                       delivery_on_row *on_row, void *user, int *ret_count) {
    AUTOBUF struct buf name = BUF_INIT(NAME_MAX_BYTES);
    struct row *row = NULL;
    int r = db_query(
        db,
        "SELECT d.subscriber, " ADDRESS_SENT_TO(
            "s.") ", d.language, d.state, d.at, d.attempts, d.code, d.status, d.text, "
                  "d.relay, s.given_name, s.family_name, s.organisation FROM delivery d LEFT JOIN subscriber s ON "
                  "s.id = d.subscriber WHERE d.announcement = ? AND d.subscriber > ? ORDER BY d.subscriber LIMIT ?",
        &row, "iid", announcement, *cursor, PAGE);
    if (r < 0)
        return r;
    *ret_count = 0;
    while ((r = db_next(row)) == 1) {
        ++*ret_count;
        *cursor = row_int(row, 0);
        struct delivery_row one = {
            .subscriber = *cursor,
            .address = row_text(row, 1),
            .name = name_of(row, 10, &name),
            .language = row_text(row, 2),
            .state = (enum delivery_state)row_int(row, 3),
            .at_usec = row_int(row, 4),
            .attempts = (unsigned)row_int(row, 5),
            .code = (unsigned)row_int(row, 6),
            .status = row_text(row, 7),
            .text = row_text(row, 8),
            .relay = row_text(row, 9),
        };
        r = not_delivered && one.state == DELIVERY_DELIVERED ? 0 : on_row(user, &one);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}

int delivery_report(struct db *db, int64_t announcement, bool not_delivered, int64_t *cursor, delivery_on_row *on_row,
                    void *user) {
    int r, count;
    do
        r = report_page(db, announcement, not_delivered, cursor, on_row, user, &count);
    while (r == 0 && count == PAGE && !db_slice_over(db));
    return r != 0 ? r : count == PAGE ? STORE_MORE : STORE_DONE;
}
