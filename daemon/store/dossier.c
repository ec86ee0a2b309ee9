#include "store/dossier.h"

#include "store/audience.h"
#include "store/db.h"
#include "store/delivery.h"
#include "store/notice.h"

#include "base/banned.h"

/* Of a person without a row: 0 where the announcement is not for them. */
static int find_in_audience(struct db *db, int64_t subscriber, struct audience_block *block,
                            struct dossier_delivery *one) {
    size_t place = 0;
    int r = audience_find(db, one->announcement, subscriber, block, &place);
    if (r <= 0 || (r = audience_claimed_at(db, one->announcement, subscriber, &one->claimed_usec)) < 0)
        return r;
    const struct audience_person *p = &block->people[place];
    one->list = block->lists[p->list];
    one->language = block->languages[p->language];
    one->state = delivery_state_name(DELIVERY_PENDING);
    one->attempts = one->claimed_usec != 0;
    return 1;
}

int dossier_deliveries(struct db *db, int64_t subscriber, dossier_on_delivery *on_row, void *user) {
    struct audience_block block;
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT a.id, d.first_claim, d.at, d.list, a.name, a.subject, d.language, d.state, d.status, "
                     "d.text, d.relay, d.attempts, d.code FROM announcement a LEFT JOIN delivery d ON d.announcement "
                     "= a.id AND d.subscriber = ?1 WHERE d.subscriber IS NOT NULL OR EXISTS (SELECT 1 FROM audience "
                     "WHERE announcement = a.id AND last >= ?1) ORDER BY a.id",
                     &row, "i", subscriber);
    while (r >= 0 && (r = db_next(row)) == 1) {
        struct dossier_delivery one = {
            .announcement = row_int(row, 0),
            .claimed_usec = row_int(row, 1),
            .at_usec = row_int(row, 2),
            .list = (uint32_t)row_int(row, 3),
            .name = row_text(row, 4),
            .subject = row_text(row, 5),
            .language = row_text(row, 6),
            .state = delivery_state_name((enum delivery_state)row_int(row, 7)),
            .status = row_text(row, 8),
            .text = row_text(row, 9),
            .relay = row_text(row, 10),
            .attempts = (unsigned)row_int(row, 11),
            .code = (unsigned)row_int(row, 12),
        };
        r = row_is_null(row, 3) ? find_in_audience(db, subscriber, &block, &one) : 1;
        if (r == 1)
            r = on_row(user, &one);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}

int dossier_imports(struct db *db, int64_t subscriber, dossier_on_import *on_row, void *user) {
    struct row *row = NULL;
    int r =
        db_query(db,
                 "SELECT id, ended, list, by, file, basis, evidence FROM import i WHERE state = 2 AND (id = (SELECT "
                 "import FROM subscriber WHERE id = ?1) OR id = (SELECT import FROM subscription u WHERE u.list = "
                 "i.list AND u.subscriber = ?1)) ORDER BY id",
                 &row, "i", subscriber);
    while (r >= 0 && (r = db_next(row)) == 1) {
        const struct dossier_import one = {
            .id = row_int(row, 0),
            .at_usec = row_int(row, 1),
            .list = (uint32_t)row_int(row, 2),
            .by = row_text(row, 3),
            .file = row_text(row, 4),
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

int dossier_sign_ups(struct db *db, const char *address_key, int64_t subscriber, dossier_on_sign_up *on_row,
                     void *user) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT list, at, expires, address, given_name, family_name, language, version, wording, source "
                     "FROM sign_up WHERE address_key = ?1 OR (subscriber = ?2 AND ?2 <> 0) ORDER BY at, list",
                     &row, "ti", address_key, subscriber);
    while (r >= 0 && (r = db_next(row)) == 1) {
        const struct dossier_sign_up one = {
            .list = (uint32_t)row_int(row, 0),
            .at_usec = row_int(row, 1),
            .expires_usec = row_int(row, 2),
            .address = row_text(row, 3),
            .given_name = row_text(row, 4),
            .family_name = row_text(row, 5),
            .language = row_text(row, 6),
            .version = row_text(row, 7),
            .wording = row_text(row, 8),
            .source = row_text(row, 9),
        };
        r = on_row(user, &one);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}

int dossier_notices(struct db *db, const char *address_key, dossier_on_notice *on_row, void *user) {
    struct row *row = NULL;
    int r = db_query(db,
                     "SELECT recipient, announcement, created, at, kind, state, status, text, relay, code FROM notice "
                     "ORDER BY id",
                     &row, "");
    while (r >= 0 && (r = db_next(row)) == 1) {
        if (!notice_is_to(row_text(row, 0), address_key))
            continue;
        const struct dossier_notice one = {
            .announcement = row_int(row, 1),
            .created_usec = row_int(row, 2),
            .at_usec = row_int(row, 3),
            .kind = row_text(row, 4),
            .state = delivery_state_name((enum delivery_state)row_int(row, 5)),
            .status = row_text(row, 6),
            .text = row_text(row, 7),
            .relay = row_text(row, 8),
            .code = (unsigned)row_int(row, 9),
        };
        r = on_row(user, &one);
        if (r != 0) {
            db_end(row);
            return r;
        }
    }
    return r;
}
