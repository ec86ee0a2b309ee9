#include "store/consent.h"

#include "store/db.h"
#include "store/visible.h"

#include "base/banned.h"

int consent_add(struct db *db, int64_t subscriber, uint32_t list, int64_t at_usec, const struct consent *consent) {
    return db_run(db,
                  "INSERT INTO consent (subscriber, list, at, what, how, origin, basis, evidence, request, import) "
                  "VALUES (?, ?, ?, ?, ?, coalesce(?, ''), coalesce(?, ''), coalesce(?, ''), nullif(?, x''), ?)",
                  NULL, "iiitttttbi", subscriber, (int64_t)list, at_usec, consent->what, consent->how, consent->origin,
                  consent->basis, consent->evidence, view_make(consent->request, consent->request ? 16 : 0),
                  consent->import);
}

int consent_each(struct db *db, int64_t subscriber, consent_on_row *on_row, void *user) {
    struct row *row = NULL;
    int r = db_query(
        db,
        "SELECT at, list, what, how, origin, basis, evidence FROM "
        "(SELECT id, at, list, what, how, origin, basis, evidence FROM consent WHERE subscriber = ?1 "
        "AND " VISIBLE_IMPORT(
            "import") " UNION ALL "
                      "SELECT 0, i.ended, u.list, 'subscribed', 'import', i.by || ', ' || i.file, i.basis, i.evidence "
                      "FROM subscription u CROSS JOIN import i ON i.id = u.import WHERE u.subscriber = ?1 AND i.state "
                      "= 2 AND NOT "
                      "EXISTS (SELECT 1 FROM consent c WHERE c.subscriber = ?1 AND c.list = u.list AND c.import = "
                      "u.import)) "
                      "ORDER BY at, id",
        &row, "i", subscriber);
    if (r < 0)
        return r;
    while ((r = db_next(row)) == 1) {
        struct consent_row one = {
            .at_usec = row_int(row, 0),
            .list = (uint32_t)row_int(row, 1),
            .what = row_text(row, 2),
            .how = row_text(row, 3),
            .origin = row_text(row, 4),
            .basis = row_text(row, 5),
            .evidence = row_text(row, 6),
        };
        r = on_row(user, &one);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}
