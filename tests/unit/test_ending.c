/* The end of an announcement and the mail that tells of it are one. */
#include "intake_helper.h"
#include "mime.h"
#include "store_helper.h"

#include "send/ending.h"
#include "store/notice.h"
#include "store/store.h"

enum { NOW = 5000000, REFUSED = 4, DELIVERED = 2, SENDING = 5, DONE = 7 };

/* An announcement to `all`, of whom the first `refused` did not get it. */
static int64_t sent(struct db *db, uint32_t list, int all, int refused) {
    int64_t id = fixture_announcement(db, list, NOW * 2);
    for (int n = 0; n < all; n++) {
        int64_t person = fixture_member(db, list, n, "de", 1);
        assert_int_equal(
            db_run(db,
                   "INSERT INTO delivery (announcement, subscriber, list, language, state, code, status, text) "
                   "VALUES (?, ?, ?, 'de', ?, ?, '5.1.1', 'no such user')",
                   NULL, "iiiii", id, person, (int64_t)list, (int64_t)(n < refused ? REFUSED : DELIVERED),
                   (int64_t)550),
            0);
    }
    assert_int_equal(db_run(db, "UPDATE announcement SET state = ?, total = ?, delivered = ?, refused = ? WHERE id = ?",
                            NULL, "iiiii", (int64_t)SENDING, (int64_t)all, (int64_t)(all - refused), (int64_t)refused,
                            id),
                     0);
    return id;
}

static int end(struct db *db, struct conf *conf, int64_t id) {
    struct ending e;
    ending_init(&e, conf);
    int r;
    do
        r = ending_step(&e, db, id, NOW);
    while (r == STORE_MORE);
    ending_done(&e);
    return r;
}

static unsigned lines_with(const char *text, const char *what) {
    unsigned n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void who_did_not_get_it_is_listed(void **state) {
    struct fixture *f = *state;
    static const struct {
        int all, refused;
        unsigned listed;
        bool more;
    } cases[] = {{3, 0, 0, false},
                 {3, 3, 3, false},
                 {700, 1, 1, false},
                 {60, ENDING_SHOWN_MAX - 1, ENDING_SHOWN_MAX - 1, false},
                 {60, ENDING_SHOWN_MAX + 1, ENDING_SHOWN_MAX, true}};
    struct conf *conf = intake_conf("");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf text = BUF_INIT(1 << 20);
        struct notice n;
        struct view part;
        assert_int_equal(db_run(f->db, "DELETE FROM subscriber", NULL, ""), 0);
        assert_int_equal(db_run(f->db, "DELETE FROM subscription", NULL, ""), 0);
        int64_t id = sent(f->db, conf->lists[0].id, cases[i].all, cases[i].refused);
        assert_int_equal(end(f->db, conf, id), 0);
        struct arena arena AUTOARENA = {0};
        struct announcement_row row;
        assert_int_equal(announcement_get(f->db, id, &arena, &row), 1);
        assert_int_equal(row.state, DONE);
        assert_int_equal(row.finished_usec, NOW);
        assert_int_equal(notice_claim(f->db, NOW, &n), 1);
        assert_int_equal(mime_find(n.message, "text/plain", &part), 1);
        mime_decode(part, &text);
        unit_int("listed", lines_with(buf_str(&text), "@town.example: refused, 550 5.1.1 no such user"),
                 cases[i].listed);
        unit_int("more", lines_with(buf_str(&text), "…"), cases[i].more);
        notice_done(&n);
        unit_int("one mail", notice_claim(f->db, NOW, &n), 0);
    }
    (void)conf_unref(conf);
}

/* The store undoes what a failed step has changed: then it is not over. */
static void without_its_mail_it_is_not_over(void **state) {
    struct fixture *f = *state;
    struct conf *conf = intake_conf("");
    int64_t id = sent(f->db, conf->lists[0].id, 1, 0);
    assert_int_equal(db_run(f->db,
                            "CREATE TEMP TRIGGER full BEFORE INSERT ON notice BEGIN SELECT RAISE(ABORT, 'full'); END",
                            NULL, ""),
                     0);
    assert_true(end(f->db, conf, id) < 0);
    (void)conf_unref(conf);
}

static void a_list_that_is_gone_ends_without_words(void **state) {
    struct fixture *f = *state;
    struct conf *conf = intake_conf("");
    int64_t id = sent(f->db, conf->lists[0].id + 1000, 1, 1);
    assert_int_equal(end(f->db, conf, id), 0);
    assert_int_equal(fixture_int(f->db, "SELECT state FROM announcement"), DONE);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM notice"), 0);
    (void)conf_unref(conf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(who_did_not_get_it_is_listed),
        FIXTURE_TEST(without_its_mail_it_is_not_over),
        FIXTURE_TEST(a_list_that_is_gone_ends_without_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
