#include "store_helper.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fixed_keys.h"
#include "people/presign.h"
#include "store/store.h"
#include "trust/token.h"

enum { LIST = 7, MEMBERS = 700 }; /* more than two pages */

struct house {
    struct fixture *files;
    struct store *store;
    int wake;
};

static void on_wake(void *user) {
    const uint64_t one = 1;
    assert_int_equal(write(((struct house *)user)->wake, &one, sizeof one), sizeof one);
}

static void open_store(struct house *h) {
    struct why why;
    h->files->db = db_close(h->files->db);
    if (store_open(h->files->folder, on_wake, h, &why, &h->store) < 0)
        fail_msg("%s", why.what);
}

static void run(struct house *h) {
    while (store_pending(h->store)) {
        struct pollfd p = {.fd = h->wake, .events = POLLIN};
        uint64_t n;
        if (poll(&p, 1, 100) == 1)
            assert_int_equal(read(h->wake, &n, sizeof n), sizeof n);
        store_dispatch(h->store);
    }
}

static int64_t lacking(struct fixture *f) {
    return fixture_int(f->db, "SELECT count(*) FROM subscription WHERE list = 7 AND state = 2 AND key_id = 0");
}

static void members(struct fixture *f) {
    assert_int_equal(db_begin(f->db), 0);
    for (int n = 1; n <= MEMBERS; n++)
        (void)fixture_member(f->db, LIST, n, "de", 10);
    assert_int_equal(db_commit(f->db), 0);
}

static void active_members_get_theirs(void **state) {
    struct house h = {.files = *state, .wake = eventfd(0, EFD_NONBLOCK)};
    struct keyring *keys = fixed_keys();
    struct fixture *f = h.files;
    members(f);
    (void)fixture_member(f->db, LIST + 1, MEMBERS + 1, "de", 10);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET state = 3 WHERE subscriber % 100 = 5", NULL, ""), 0);
    assert_int_equal(db_run(f->db,
                            "UPDATE subscription SET key_id = 9, signature = zeroblob(64) WHERE subscriber % 100 = 6",
                            NULL, ""),
                     0);
    open_store(&h);
    presign_list(h.store, keys, LIST);
    run(&h);
    h.store = store_close(h.store);
    fixture_reopen(f);
    assert_int_equal(lacking(f), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription WHERE state = 3 AND key_id <> 0"), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription WHERE key_id = 9"), MEMBERS / 100);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscription WHERE list = 8 AND key_id <> 0"), 0);

    struct row *row = NULL;
    int count = 0;
    assert_int_equal(
        db_query(f->db, "SELECT subscriber, key_id, signature FROM subscription WHERE key_id NOT IN (0, 9)", &row, ""),
        0);
    while (db_next(row) == 1) {
        AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
        struct token token;
        assert_int_equal(row_view(row, 2).len, TOKEN_SIGNATURE_BYTES);
        token_print_recipient((uint8_t)row_int(row, 1), LIST, row_uint(row, 0), (const uint8_t *)row_view(row, 2).ptr,
                              &text);
        assert_int_equal(token_verify(keys, buf_view(&text), &token), 0);
        count++;
    }
    assert_int_equal(count, MEMBERS - 2 * (MEMBERS / 100));
    (void)keyring_free(keys);
    (void)close(h.wake);
}

/* Whoever ends the daemon does not wait for a million signatures. */
static void a_store_that_closes_ends_it(void **state) {
    struct house h = {.files = *state, .wake = eventfd(0, EFD_NONBLOCK)};
    struct keyring *keys = fixed_keys();
    members(h.files);
    open_store(&h);
    presign_list(h.store, keys, LIST);
    h.store = store_close(h.store);
    fixture_reopen(h.files);
    assert_true(lacking(h.files) > 0);
    (void)keyring_free(keys);
    (void)close(h.wake);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(active_members_get_theirs),
        FIXTURE_TEST(a_store_that_closes_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
