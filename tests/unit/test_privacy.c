#include <errno.h>

#include "base/cleanup.h"
#include "fixed_keys.h"
#include "people/privacy.h"
#include "store/delivery.h"
#include "store/dossier.h"
#include "store/notice.h"
#include "store/suppression.h"
#include "store_helper.h"

enum { LIST = 7, OTHER = 9 };
static struct keyring *keys;
static const int64_t day = INT64_C(86400) * 1000000;

static int load(void **state) {
    (void)state;
    keys = fixed_keys();
    return 0;
}

static int unload(void **state) {
    (void)state;
    keys = keyring_free(keys);
    return 0;
}

static struct member_act act(int64_t now) {
    return (struct member_act){
        .by = "vera", .basis = "consent", .evidence = "asked by letter", .now_usec = now, .keys = keys};
}

static int add(struct db *db, const char *address, bool again, struct why *why) {
    struct member_act a = act(5 * day);
    bool is_new;
    return member_add(db, LIST, view_of(address), NULL, 0, NULL, 0, again, &a, why, &is_new);
}

static int erase(struct db *db, const char *address, struct why *why) {
    struct member_act a = act(6 * day + 5);
    return privacy_erase(db, view_of(address), &a, why);
}

/* Rows of any table but `erased` that tell of this subscriber or address. */
static int64_t traces(struct db *db, int64_t id, const char *address) {
    int64_t n = 0;
    assert_int_equal(db_get_int(db,
                                "SELECT (SELECT count(*) FROM subscriber WHERE id = ?1 OR address_key = ?2) + (SELECT "
                                "count(*) FROM subscription WHERE subscriber = ?1) + (SELECT count(*) FROM consent "
                                "WHERE subscriber = ?1) + (SELECT count(*) FROM suppression WHERE address_key = ?2) + "
                                "(SELECT count(*) FROM notice WHERE recipient = ?2) + (SELECT count(*) FROM "
                                "import_change WHERE subscriber = ?1) + (SELECT count(*) FROM delivery WHERE "
                                "subscriber = ?1 AND text LIKE '%' || ?2 || '%')",
                                &n, "it", id, address),
                     1);
    return n;
}

static int64_t announced(struct db *db, int64_t subscriber) {
    int64_t id = fixture_announcement(db, LIST, 100 * day);
    const char *languages[] = {"de"};
    const uint32_t list = LIST;
    (void)subscriber;
    assert_int_equal(db_run(db, "UPDATE announcement SET state = 4, started = ? WHERE id = ?", NULL, "ii", 6 * day, id),
                     0);
    assert_int_equal(delivery_gather(db, id, &list, 1, languages, 1, NULL), 0);
    assert_int_equal(db_run(db, "UPDATE announcement SET state = 5 WHERE id = ?", NULL, "i", id), 0);
    return id;
}

static void nothing_is_left_but_the_mark(void **state) {
    struct fixture *f = *state;
    struct why why;
    AUTOARENA struct arena arena = {0};
    int64_t id = fixture_member(f->db, LIST, 1, "de", 1), other = fixture_member(f->db, LIST, 2, "de", 1);
    struct member_act a = act(2 * day);
    assert_int_equal(member_leave(f->db, LIST, VIEW("person1@town.example"), "phone", &a, &why), 0);
    a.now_usec = 3 * day;
    assert_int_equal(add(f->db, "person1@town.example", true, &why), 0);
    assert_int_equal(notice_add(f->db, "test", 0, "office", "", "Person1@TOWN.example", VIEW("x"), 1), 0);
    assert_int_equal(notice_add(f->db, "test", 0, "office", "", "person2@town.example", VIEW("x"), 1), 0);
    int64_t sent = announced(f->db, id);
    struct claims claims = {0};
    assert_int_equal(delivery_claim(f->db, sent, 7 * day, 10, false, &claims), 0);
    assert_int_equal(claims.count, 2);
    assert_int_equal(erase(f->db, "person1@town.example", &why), -EBUSY);
    assert_string_equal(why.what, "a mail to this address is on its way just now");
    struct outcome refused = {.class = OUTCOME_REFUSED, .code = 550, .status = "5.1.1"};
    (void)snprintf(refused.text, sizeof refused.text, "<person1@town.example>: no such user");
    for (size_t i = 0; i < claims.count; i++)
        assert_int_equal(delivery_record(f->db, &claims.items[i], &refused, 7 * day, 0, "main", false), 0);
    claims_done(&claims);
    assert_true(traces(f->db, id, "person1@town.example") > 4);
    assert_int_equal(suppression_set(f->db, "person1@town.example", "hard-bounce", "", 1), 0);
    assert_int_equal(erase(f->db, "PERSON1@town.example", &why), 0);
    assert_int_equal(traces(f->db, id, "person1@town.example"), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM notice"), 1);
    assert_int_equal(traces(f->db, other, "person2@town.example"), 3);
    assert_int_equal(delivery_verify(f->db, sent), 0);
    assert_int_equal(fixture_int(f->db, "SELECT refused FROM announcement"), 2);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM consent WHERE what = 'left' AND subscriber = 0 AND "
                                        "evidence = '' AND origin = '' AND at % 86400000000 = 0 AND how = 'phone'"),
                     1);
    struct erasure erasure;
    assert_int_equal(privacy_erased(f->db, keys, "person1@town.example", &arena, &erasure), 1);
    assert_string_equal(erasure.by, "vera");
    assert_string_equal(erasure.reason, "asked by letter");
    assert_true(erasure.at_usec == 6 * day + 5);
    assert_int_equal(privacy_erased(f->db, keys, "person2@town.example", &arena, &erasure), 0);
    assert_int_equal(erase(f->db, "person1@town.example", &why), -ENOENT);
    assert_string_equal(why.what, "nothing is held on this address");
    assert_true(fixture_member(f->db, LIST, 3, "de", 1) > other); /* the id is not given out again */
}

static void running_ones_leave_them_out(void **state) {
    struct fixture *f = *state;
    struct why why;
    int64_t id = fixture_member(f->db, LIST, 1, "de", 1);
    (void)fixture_member(f->db, LIST, 2, "de", 1);
    int64_t sending = announced(f->db, id);
    assert_int_equal(erase(f->db, "person1@town.example", &why), 0);
    assert_int_equal(delivery_verify(f->db, sending), 0);
    struct claims claims = {0};
    assert_int_equal(delivery_claim(f->db, sending, 7 * day, 10, false, &claims), 0);
    assert_int_equal(claims.count, 1);
    assert_true(claims.items[0].subscriber != id);
    claims_done(&claims);
    assert_int_equal(delivery_verify(f->db, sending), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM delivery WHERE state = 6 AND text = 'erased'"), 1);
}

static void they_come_back_on_purpose_only(void **state) {
    struct fixture *f = *state;
    struct why why;
    struct member_act a = act(8 * day);
    (void)fixture_member(f->db, LIST, 1, "de", 1);
    (void)fixture_member(f->db, LIST, 2, "de", 1);
    assert_int_equal(erase(f->db, "person1@town.example", &why), 0);
    assert_int_equal(add(f->db, "Person1@town.example", false, &why), -ESTALE);
    assert_string_equal(why.what, "what was held on this address was erased on 1970-01-07");
    assert_int_equal(member_change_address(f->db, VIEW("person2@town.example"), VIEW("person1@town.example"), &a, &why),
                     -ESTALE);
    assert_int_equal(add(f->db, "person1@town.example", true, &why), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM erased"), 0);
    assert_int_equal(erase(f->db, "person1@town.example", &why), 0);
}

static void reasons(void **state) {
    struct fixture *f = *state;
    struct why why;
    char longest[PRIVACY_REASON_MAX_BYTES + 2] = {0};
    memset(longest, 'x', PRIVACY_REASON_MAX_BYTES + 1);
    struct member_act a = act(1);
    a.evidence = longest;
    assert_int_equal(privacy_suppress(f->db, VIEW("a@town.example"), &a, &why), -EINVAL);
    longest[PRIVACY_REASON_MAX_BYTES] = '\0';
    assert_int_equal(privacy_suppress(f->db, VIEW("a@town.example"), &a, &why), 0);
    for (int i = 0; i < 2; i++) {
        a.evidence = i ? " \t" : NULL;
        assert_int_equal(privacy_erase(f->db, VIEW("a@town.example"), &a, &why), -EINVAL);
        assert_int_equal(privacy_suppress(f->db, VIEW("b@town.example"), &a, &why), -EINVAL);
        assert_int_equal(privacy_unsuppress(f->db, VIEW("a@town.example"), &a, &why), -EINVAL);
    }
    a.evidence = "x";
    assert_int_equal(privacy_erase(f->db, VIEW("no address"), &a, &why), -EINVAL);
}

static void suppressing(void **state) {
    struct fixture *f = *state;
    struct why why;
    AUTOARENA struct arena arena = {0};
    struct member_act a = act(6 * day);
    struct suppression s;
    (void)fixture_member(f->db, LIST, 1, "de", 1);
    assert_int_equal(privacy_unsuppress(f->db, VIEW("person1@town.example"), &a, &why), -ESTALE);
    assert_int_equal(privacy_suppress(f->db, VIEW("Person1@town.example"), &a, &why), 0);
    assert_int_equal(suppression_read(f->db, "person1@town.example", &arena, &s), 1);
    assert_string_equal(s.reason, "command");
    assert_string_equal(s.detail, "vera: asked by letter");
    assert_true(s.since_usec == 6 * day);
    assert_int_equal(privacy_suppress(f->db, VIEW("person1@town.example"), &a, &why), -ESTALE);
    assert_string_equal(why.what, "nothing is sent to this address since 1970-01-07 (command)");
    a.evidence = "mended";
    assert_int_equal(privacy_unsuppress(f->db, VIEW("person1@town.example"), &a, &why), 0);
    assert_int_equal(suppression_read(f->db, "person1@town.example", &arena, &s), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM consent WHERE list = 0 AND origin = 'vera' AND "
                                        "((what = 'suppressed' AND evidence = 'asked by letter') OR (what = "
                                        "'unsuppressed' AND evidence = 'mended (was: command)'))"),
                     2);
    /* whom nobody knows, too; and such an address can be erased */
    assert_int_equal(privacy_suppress(f->db, VIEW("b@town.example"), &a, &why), 0);
    assert_int_equal(erase(f->db, "b@town.example", &why), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM suppression"), 0);
}

/* In a file of the folder: how often the text is there. */
static unsigned found_in(const char *path, const char *text) {
    AUTOBUF struct buf content = BUF_INIT(64 << 20);
    unsigned n = 0;
    int r = files_read_regular(AT_FDCWD, path, &content);
    assert_true(r == 0 || r == -ENOENT);
    struct view rest = buf_view(&content);
    for (size_t at; (at = view_search(rest, view_of(text))) < rest.len; n++)
        rest = view_slice(rest, at + 1, rest.len);
    return n;
}

static void the_files_forget(void **state) {
    struct fixture *f = *state;
    struct why why;
    char wal[128];
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(db_begin(f->db), 0);
    for (int i = 1; i <= 300; i++)
        (void)fixture_member(f->db, LIST, i, "de", 1);
    assert_int_equal(db_commit(f->db), 0);
    assert_true(found_in(wal, "person123@town.example") > 0);
    assert_int_equal(db_begin(f->db), 0);
    assert_int_equal(erase(f->db, "person123@town.example", &why), 0);
    assert_int_equal(db_commit(f->db), 0);
    assert_int_equal(found_in(wal, "person123@town.example"), 0);
    assert_int_equal(found_in(f->path, "person123@town.example"), 0);
    assert_true(found_in(f->path, "person124@town.example") > 0);
}

/* A copy that is under way neither keeps the log from being cut off, nor takes along who was erased meanwhile. */
static void a_copy_forgets_too(void **state) {
    struct fixture *f = *state;
    struct why why;
    struct db_copy *copy = NULL;
    char to[128], wal[128];
    (void)snprintf(to, sizeof to, "%s/copy.db", f->folder);
    (void)snprintf(wal, sizeof wal, "%s-wal", f->path);
    assert_int_equal(db_begin(f->db), 0);
    for (int i = 1; i <= 3000; i++)
        (void)fixture_member(f->db, LIST, i, "de", 1);
    assert_int_equal(db_commit(f->db), 0);
    assert_int_equal(db_copy_begin(f->db, to, &why, &copy), 0);
    db_slice_begin(f->db, 0);
    assert_int_equal(db_copy_step(copy), 1);
    assert_int_equal(db_begin(f->db), 0);
    assert_int_equal(erase(f->db, "person7@town.example", &why), 0);
    assert_int_equal(db_commit(f->db), 0);
    assert_int_equal(found_in(wal, "person7@town.example"), 0);
    db_slice_begin(f->db, -1);
    assert_int_equal(db_copy_step(copy), 0);
    (void)db_copy_end(copy);
    assert_int_equal(found_in(to, "person7@town.example"), 0);
    assert_true(found_in(to, "person8@town.example") > 0);
}

static int count_delivery(void *user, const struct dossier_delivery *d) {
    assert_string_equal(d->name, "workshop");
    assert_string_equal(d->state, "pending");
    assert_int_equal(d->list, LIST);
    ++*(int *)user;
    return 0;
}

static int count_import(void *user, const struct dossier_import *i) {
    assert_string_equal(i->file, "people.csv");
    assert_string_equal(i->evidence, "sheets");
    ++*(int *)user;
    return 0;
}

static int count_notice(void *user, const struct dossier_notice *n) {
    assert_string_equal(n->kind, "test");
    ++*(int *)user;
    return 0;
}

static void dossiers(void **state) {
    struct fixture *f = *state;
    int64_t id = fixture_member(f->db, LIST, 1, "de", 1), other = fixture_member(f->db, OTHER, 2, "de", 1);
    int deliveries = 0, imports = 0, notices = 0;
    assert_int_equal(db_run(f->db,
                            "INSERT INTO import (id, list, state, started, ended, by, file, basis, evidence, "
                            "first_subscriber, first_consent) VALUES (3, ?, 2, 1, 2, 'vera', 'people.csv', 'consent', "
                            "'sheets', 1, 1), (4, ?, 3, 1, 2, 'vera', 'bad.csv', 'consent', 'x', 1, 1)",
                            NULL, "dd", (int)LIST, (int)LIST),
                     0);
    assert_int_equal(db_run(f->db, "UPDATE subscription SET import = 3 WHERE list = ?", NULL, "d", (int)LIST), 0);
    (void)announced(f->db, id);
    assert_int_equal(notice_add(f->db, "test", 0, "office", "", "<Person1@town.EXAMPLE>", VIEW("x"), 1), 0);
    const struct {
        int64_t id;
        const char *address;
        int deliveries, imports, notices;
    } cases[] = {{id, "person1@town.example", 1, 1, 1}, {other, "person2@town.example", 0, 0, 0}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        deliveries = imports = notices = 0;
        assert_int_equal(dossier_deliveries(f->db, cases[i].id, count_delivery, &deliveries), 0);
        assert_int_equal(dossier_imports(f->db, cases[i].id, count_import, &imports), 0);
        assert_int_equal(dossier_notices(f->db, cases[i].address, count_notice, &notices), 0);
        assert_int_equal(deliveries, cases[i].deliveries);
        assert_int_equal(imports, cases[i].imports);
        assert_int_equal(notices, cases[i].notices);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(nothing_is_left_but_the_mark),
        FIXTURE_TEST(running_ones_leave_them_out),
        FIXTURE_TEST(they_come_back_on_purpose_only),
        FIXTURE_TEST(reasons),
        FIXTURE_TEST(suppressing),
        FIXTURE_TEST(the_files_forget),
        FIXTURE_TEST(a_copy_forgets_too),
        FIXTURE_TEST(dossiers),
    };
    return cmocka_run_group_tests(tests, load, unload);
}
