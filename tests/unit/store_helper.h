/* What the tests of the store share: a folder that goes away, a database in it, people and lists in that. */
#pragma once
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/files.h"
#include "base/log.h"
#include "store/announcement.h"
#include "store/db.h"
#include "store/person.h"

struct fixture {
    char folder[64], path[96];
    struct db *db;
};

static inline void fixture_reopen(struct fixture *f) {
    struct why why;
    f->db = db_close(f->db);
    if (db_open(f->path, &why, &f->db) < 0)
        fail_msg("%s", why.what);
}

static inline int fixture_setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    if (!f)
        return -1;
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/rundbrief-test-XXXXXX");
    if (!mkdtemp(f->folder))
        return -1;
    (void)snprintf(f->path, sizeof f->path, "%s/store.db", f->folder);
    log_set_level(LOG_CRIT);
    fixture_reopen(f);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state) {
    struct fixture *f = *state;
    (void)db_close(f->db);
    int r = files_remove_tree(AT_FDCWD, f->folder);
    free(f);
    return r;
}

#define FIXTURE_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

/* Person n, "person<n>@town.example", active member of the list since then. */
static inline int64_t fixture_member(struct db *db, uint32_t list, int n, const char *language, int64_t since) {
    char address[64];
    (void)snprintf(address, sizeof address, "person%d@town.example", n);
    int64_t id = 0;
    assert_int_equal(person_next_id(db, &id), 0);
    assert_int_equal(db_run(db,
                            "INSERT INTO subscriber (id, address_key, address, language, given_name, family_name, "
                            "created, changed) VALUES (?, ?, ?, ?, 'Vera', 'Muster', 1, 1)",
                            NULL, "ittt", id, address, address, language),
                     0);
    assert_int_equal(person_ids_used(db, id), 0);
    assert_int_equal(db_run(db, "INSERT INTO subscription (list, subscriber, state, since) VALUES (?, ?, 2, ?)", NULL,
                            "iii", (int64_t)list, id, since),
                     0);
    return id;
}

static inline int64_t fixture_announcement(struct db *db, uint32_t list, int64_t send_until) {
    struct announcement_row row = {.name = "workshop",
                                   .list_names = "twins",
                                   .subject = "Workshop",
                                   .by = "test",
                                   .lists = {{list}, 1},
                                   .created_usec = 1000,
                                   .send_until_usec = send_until};
    assert_int_equal(announcement_insert(db, &row), 0);
    return row.id;
}

static inline int64_t fixture_int(struct db *db, const char *sql) {
    int64_t n = -1;
    assert_int_equal(db_get_int(db, sql, &n, ""), 1);
    return n;
}
