#include "store_helper.h"

#include <errno.h>

#include "store/person.h"
#include "store/store.h"
#include "store/suppression.h"

static int64_t save(struct db *db, const char *address, const char *given, const char *family) {
    struct person p = {.address_key = address, .address = address, .given_name = given, .family_name = family};
    int64_t id = 0;
    bool is_new;
    assert_int_equal(person_save(db, &p, 100, &id, &is_new), 0);
    return id;
}

static void saving_keeps_what_is_not_given(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct person p = {.address_key = "vera@town.example",
                       .address = "Vera@town.example",
                       .language = "de",
                       .form = "f",
                       .title = "Dr.",
                       .given_name = "Vera",
                       .family_name = "Müller",
                       .salutation = "Liebe Vera",
                       .organisation = "Stadt",
                       .timezone = "Europe/Berlin",
                       .attributes = "city\tHildesheim\n"},
                  got;
    int64_t id = 0, again = 0;
    bool is_new = false;
    assert_int_equal(person_save(f->db, &p, 100, &id, &is_new), 0);
    assert_true(is_new);
    assert_int_equal(person_find(f->db, "vera@town.example", &arena, &got), 1);
    assert_true(got.id == id && got.created_usec == 100 && got.changed_usec == 100 && got.import == 0);
    assert_string_equal(got.address, "Vera@town.example");
    assert_string_equal(got.form, "f");
    assert_string_equal(got.title, "Dr.");
    assert_string_equal(got.salutation, "Liebe Vera");
    assert_string_equal(got.organisation, "Stadt");
    assert_string_equal(got.timezone, "Europe/Berlin");
    assert_string_equal(got.attributes, "city\tHildesheim\n");

    struct person q = {.address_key = "vera@town.example", .family_name = "Schmidt", .title = ""};
    assert_int_equal(person_save(f->db, &q, 200, &again, &is_new), 0);
    assert_false(is_new);
    assert_true(again == id);
    assert_int_equal(person_get(f->db, id, &arena, &got), 1);
    assert_string_equal(got.address, "Vera@town.example");
    assert_string_equal(got.given_name, "Vera");
    assert_string_equal(got.family_name, "Schmidt");
    assert_string_equal(got.title, "");
    assert_string_equal(got.language, "de");
    assert_true(got.created_usec == 100 && got.changed_usec == 200);
    assert_int_equal(person_get(f->db, 99, &arena, &got), 0);
    assert_int_equal(person_find(f->db, "nobody@town.example", &arena, &got), 0);
}

static void an_address_changes_once(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct person got;
    int64_t vera = save(f->db, "vera@town.example", "Vera", "Müller");
    (void)save(f->db, "hans@town.example", "Hans", "Müller");
    assert_int_equal(person_change_address(f->db, vera, "hans@town.example", "hans@town.example", 300), -EEXIST);
    assert_int_equal(person_change_address(f->db, 99, "new@town.example", "new@town.example", 300), -ENOENT);
    assert_int_equal(person_change_address(f->db, vera, "vera@new.example", "Vera@new.example", 300), 0);
    assert_int_equal(person_find(f->db, "vera@town.example", &arena, &got), 0);
    assert_int_equal(person_find(f->db, "vera@new.example", &arena, &got), 1);
    assert_true(got.id == vera && got.changed_usec == 300);
    /* only the spelling */
    assert_int_equal(person_change_address(f->db, vera, "vera@new.example", "VERA@new.example", 400), 0);
}

struct found {
    int count, stop_at;
    char names[256];
};

static int on_person(void *user, const struct person *p) {
    struct found *f = user;
    size_t len = strlen(f->names);
    (void)snprintf(f->names + len, sizeof f->names - len, "%s ", p->given_name);
    return ++f->count == f->stop_at ? -ECANCELED : 0;
}

static void searching(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *text, *found;
    } cases[] = {
        {"VERA@", "Vera "},
        {"müller", "Hans Vera "},
        {"MÜLLER", "Hans Vera "},
        {"vera müll", "Vera "},
        {"gemeinde", "Ana "},
        {"  Hans ", "Hans "},
        {"xyz", ""},
        {"", "Ana Hans Vera "},
        {"ana\nge", ""},
        {"\xff", ""},
        {"städte", "Ana "},
    };
    (void)save(f->db, "vera@town.example", "Vera", "Müller");
    int64_t hans = save(f->db, "hans@town.example", "Hans", "MÜLLER");
    int64_t ana = save(f->db, "ana@town.example", "Ana", "Sá");
    assert_int_equal(
        db_run(f->db, "UPDATE subscriber SET organisation = 'Städte-Gemeinde' WHERE id = ?", NULL, "i", ana), 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct found found = {0};
        int64_t cursor = 0;
        assert_int_equal(person_search(f->db, view_of(cases[i].text), NULL, 0, &cursor, on_person, &found), STORE_DONE);
        assert_string_equal(found.names, cases[i].found);
    }
    assert_int_equal(
        db_run(f->db, "INSERT INTO subscription (list, subscriber, state, since) VALUES (5, ?, 3, 1)", NULL, "i", hans),
        0);
    struct found found = {0};
    int64_t cursor = 0;
    assert_int_equal(person_search(f->db, VIEW("m"), (uint32_t[]){4, 5}, 2, &cursor, on_person, &found), STORE_DONE);
    assert_string_equal(found.names, "Hans ");
    cursor = 0;
    found = (struct found){.stop_at = 2};
    assert_int_equal(person_search(f->db, VIEW(""), NULL, 0, &cursor, on_person, &found), -ECANCELED);
    found.stop_at = 0;
    assert_int_equal(person_search(f->db, VIEW(""), NULL, 0, &cursor, on_person, &found), STORE_DONE);
    assert_string_equal(found.names, "Ana Hans Vera ");
}

static void hide_all(struct db *db) {
    assert_int_equal(
        db_run(db,
               "INSERT INTO import (id, list, state, started, by, file, basis, evidence, first_subscriber, "
               "first_consent) VALUES (4, 7, 1, 1, 'a', 'b', 'c', 'd', 1, 1)",
               NULL, ""),
        0);
    assert_int_equal(db_run(db, "UPDATE subscriber SET import = 4", NULL, ""), 0);
}

static void a_search_that_hits_nobody_comes_in_slices(void **state) {
    struct fixture *f = *state;
    assert_int_equal(db_begin(f->db), 0);
    for (int i = 0; i < 600; i++)
        (void)fixture_member(f->db, 1, i, "de", 1);
    assert_int_equal(db_commit(f->db), 0);
    struct found found = {0};
    int64_t cursor = 0;
    int slices = 1;
    db_slice_begin(f->db, 0);
    while (person_search(f->db, VIEW("xyz"), NULL, 0, &cursor, on_person, &found) == STORE_MORE)
        slices++;
    assert_int_equal(slices, 3);
    /* those whom an open import brought too: they are looked at like others, and not seen */
    hide_all(f->db);
    for (slices = 1, cursor = 0; person_search(f->db, VIEW(""), NULL, 0, &cursor, on_person, &found) == STORE_MORE;)
        slices++;
    assert_int_equal(slices, 3);
    assert_int_equal(found.count, 0);
}

static void an_open_import_brings_nobody_yet(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct person got;
    int64_t id = save(f->db, "vera@town.example", "Vera", "Müller");
    hide_all(f->db);
    struct found found = {0};
    int64_t cursor = 0;
    assert_int_equal(person_get(f->db, id, &arena, &got), 0);
    assert_int_equal(person_find(f->db, "vera@town.example", &arena, &got), 0);
    assert_int_equal(person_search(f->db, VIEW("vera"), NULL, 0, &cursor, on_person, &found), STORE_DONE);
    assert_int_equal(found.count, 0);
    assert_int_equal(person_change_address(f->db, id, "x@town.example", "x@town.example", 1), -ENOENT);

    /* saved by somebody else meanwhile, the person is new, without what the import says */
    struct person p = {.address_key = "vera@town.example", .address = "vera@town.example", .family_name = "Neu"};
    int64_t again = 0;
    bool is_new = false;
    assert_int_equal(person_save(f->db, &p, 500, &again, &is_new), 0);
    assert_true(is_new && again == id);
    assert_int_equal(person_get(f->db, id, &arena, &got), 1);
    assert_string_equal(got.given_name, "");
    assert_string_equal(got.family_name, "Neu");
    assert_true(got.created_usec == 500);
}

static void suppression_is_by_address(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    const char *reason = NULL;
    bool was = true;
    assert_int_equal(suppression_get(f->db, "a@town.example", &arena, &reason), 0);
    assert_int_equal(suppression_set(f->db, "a@town.example", "hard-bounce", "550 5.1.1 unknown", 100), 0);
    assert_int_equal(suppression_set(f->db, "a@town.example", "complaint", NULL, 200), 0);
    assert_int_equal(suppression_get(f->db, "a@town.example", &arena, &reason), 1);
    assert_string_equal(reason, "hard-bounce");
    assert_int_equal(suppression_clear(f->db, "a@town.example", &was), 0);
    assert_true(was);
    assert_int_equal(suppression_clear(f->db, "a@town.example", &was), 0);
    assert_false(was);
    assert_int_equal(suppression_set(f->db, "a@town.example", "command", NULL, 300), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(saving_keeps_what_is_not_given),
        FIXTURE_TEST(an_address_changes_once),
        FIXTURE_TEST(searching),
        FIXTURE_TEST(a_search_that_hits_nobody_comes_in_slices),
        FIXTURE_TEST(an_open_import_brings_nobody_yet),
        FIXTURE_TEST(suppression_is_by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
