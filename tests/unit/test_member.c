#include "all_words.h"
#include "store_helper.h"

#include <errno.h>

#include "base/cleanup.h"
#include "people/member.h"
#include "store/suppression.h"

enum { LIST = 7 };

static struct member_act act(int64_t now) {
    return (struct member_act){.by = "vera", .basis = "consent", .evidence = "asked at the fair", .now_usec = now};
}

static int add(struct db *db, const char *address, bool again, const struct member_act *a, struct why *why) {
    bool is_new;
    return member_add(db, LIST, view_of(address), NULL, 0, ALL_WORDS, again, a, why, &is_new);
}

static struct member_record show(struct db *db, const char *address, struct arena *arena) {
    struct member_record m;
    struct why why;
    if (member_show(db, view_of(address), arena, &m, &why) < 0)
        fail_msg("%s: %s", address, why.what);
    return m;
}

/* "STATE of the list: what how; what how; " */
static const char *story(struct db *db, const char *address, struct arena *arena) {
    struct member_record m = show(db, address, arena);
    AUTOBUF struct buf text = BUF_INIT(4096);
    for (size_t i = 0; i < m.subscription_count; i++)
        buf_printf(&text, "%s ", subscription_state_name(m.subscriptions[i].state));
    for (size_t i = 0; i < m.consent_count; i++)
        buf_printf(&text, "| %s %s %s %s %s ", m.consents[i].what, m.consents[i].how, m.consents[i].origin,
                   m.consents[i].basis, m.consents[i].evidence);
    return arena_strdup(arena, buf_str(&text));
}

static void adding(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct member_act a = act(100);
    struct why why;
    bool is_new = false;
    const struct member_field fields[] = {{"Vorname", "Vera"},
                                          {"family-name", "Müller"},
                                          {"form", "Frau"},
                                          {"language", "Deutsch"},
                                          {"attr.Ort", "Bonn"}};
    assert_int_equal(
        member_add(f->db, LIST, VIEW("Vera <Vera@Town.example>"), fields, 5, ALL_WORDS, false, &a, &why, &is_new), 0);
    assert_true(is_new);
    struct person p = show(f->db, "vera@town.example", &arena).person;
    assert_string_equal(p.address, "Vera@town.example");
    assert_string_equal(p.given_name, "Vera");
    assert_string_equal(p.family_name, "Müller");
    assert_string_equal(p.form, "f");
    assert_string_equal(p.language, "de");
    assert_string_equal(p.attributes, "ort\tBonn\n");
    assert_string_equal(story(f->db, "vera@town.example", &arena),
                        "active | subscribed command vera consent asked at the fair ");
    assert_int_equal(add(f->db, "VERA@town.example", false, &a, &why), -ESTALE);
    assert_string_equal(why.what, "this person is on the list already");
    /* another list, fields kept */
    assert_int_equal(
        member_add(f->db, LIST + 1, VIEW("vera@town.example"), NULL, 0, ALL_WORDS, false, &a, &why, &is_new), 0);
    assert_false(is_new);
    assert_string_equal(show(f->db, "vera@town.example", &arena).person.family_name, "Müller");
    assert_string_equal(show(f->db, "vera@town.example", &arena).person.address, "Vera@town.example");

    assert_int_equal(suppression_set(f->db, "bad@town.example", "hard-bounce", NULL, 1), 0);
    assert_int_equal(add(f->db, "bad@town.example", false, &a, &why), -ESTALE);
    assert_string_equal(why.what, "nothing is sent to this address any more (hard-bounce)");
    assert_int_equal(add(f->db, "no address", false, &a, &why), -EINVAL);
    a.evidence = "";
    assert_int_equal(add(f->db, "new@town.example", false, &a, &why), -EINVAL);
    a.evidence = "x", a.basis = "hope";
    assert_int_equal(add(f->db, "new@town.example", false, &a, &why), -EINVAL);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM subscriber"), 1);
}

static void changing(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct member_act a = act(100);
    struct why why;
    assert_int_equal(add(f->db, "vera@town.example", false, &a, &why), 0);
    static const struct {
        struct member_field fields[2];
        size_t count;
        int result;
        const char *what; /* the refusal, or the last entry's evidence */
    } cases[] = {
        {{{"title", "Dr."}, {"Sprache", "français"}}, 2, 0, "title, language"},
        {{{"title", "Dr."}}, 1, -ESTALE, "this changes nothing"},
        {{{"attr.ort", "Bonn"}, {"attr.tags", "a, b"}}, 2, 0, "attr.ort, attr.tags"},
        {{{"attr.ort", ""}}, 1, 0, "attr.ort"},
        {{{"title", ""}}, 1, 0, "title"},
        {{{"timezone", "Europe/Berlin"}}, 1, 0, "timezone"},
        {{{"timezone", ""}}, 1, 0, "timezone"},
        {{{"nonsense", "x"}}, 1, -EINVAL, "nonsense: there is no such field"},
        {{{"address", "x@town.example"}}, 1, -EINVAL, "address: there is no such field"},
        {{{"language", "Klingonisch"}}, 1, -EINVAL, "language: “Klingonisch” is not known"},
        {{{"form", "Hochwürden"}}, 1, -EINVAL, "form: “Hochwürden” is not known"},
        {{{"timezone", "Berlin"}}, 1, -EINVAL, "timezone: “Berlin” is not known"},
        {{{"title", "a\nb"}}, 1, -EINVAL, "title: the value holds characters that cannot be shown"},
        {{{"title", "\xff"}}, 1, -EINVAL, "title: the value is not UTF-8"},
        {{{"attr.", "x"}}, 1, -EINVAL, "attr.: this is no name for a field of your own"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int r = member_change(f->db, VIEW("vera@town.example"), cases[i].fields, cases[i].count, ALL_WORDS, &a, &why);
        if (r != cases[i].result)
            fail_msg("case %zu: %d, %s", i, r, why.what);
        struct member_record m = show(f->db, "vera@town.example", &arena);
        assert_string_equal(r < 0 ? why.what : m.consents[m.consent_count - 1].evidence, cases[i].what);
    }
    struct person p = show(f->db, "vera@town.example", &arena).person;
    assert_string_equal(p.language, "fr");
    assert_string_equal(p.title, "");
    assert_string_equal(p.attributes, "tags\ta, b\n");
    assert_int_equal(member_change(f->db, VIEW("nobody@town.example"), cases[0].fields, 1, ALL_WORDS, &a, &why),
                     -ENOENT);
}

static void changing_the_address(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct member_act a = act(100);
    struct why why;
    assert_int_equal(add(f->db, "vera@town.example", false, &a, &why), 0);
    assert_int_equal(add(f->db, "hans@town.example", false, &a, &why), 0);
    assert_int_equal(member_change_address(f->db, VIEW("vera@town.example"), VIEW("hans@town.example"), &a, &why),
                     -EEXIST);
    assert_int_equal(member_change_address(f->db, VIEW("vera@town.example"), VIEW("nonsense"), &a, &why), -EINVAL);
    assert_int_equal(member_change_address(f->db, VIEW("ida@town.example"), VIEW("x@town.example"), &a, &why), -ENOENT);
    assert_int_equal(member_change_address(f->db, VIEW("vera@town.example"), VIEW("vera@town.example"), &a, &why),
                     -ESTALE);
    a.evidence = "";
    assert_int_equal(member_change_address(f->db, VIEW("vera@town.example"), VIEW("Vera@new.example"), &a, &why), 0);
    struct member_record m = show(f->db, "vera@new.example", &arena);
    assert_string_equal(m.person.address, "Vera@new.example");
    assert_string_equal(m.consents[m.consent_count - 1].evidence,
                        "address: Vera@new.example, before vera@town.example");
    struct person p;
    assert_int_equal(member_find(f->db, VIEW("vera@town.example"), &arena, &p, &why), -ENOENT);
}

static void tagging(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct why why;
    struct member_act a = act(1000);
    bool is_new;
    assert_int_equal(add(f->db, "vera@town.example", false, &a, &why), 0);
    assert_int_equal(
        member_add(f->db, LIST + 1, VIEW("vera@town.example"), NULL, 0, ALL_WORDS, false, &a, &why, &is_new), 0);
    const struct view vera = VIEW("VERA@town.example");
    assert_int_equal(member_tag(f->db, LIST, vera, VIEW("funding, +board"), &a, &why), 0);
    assert_int_equal(member_tag(f->db, LIST, vera, VIEW("-Funding"), &a, &why), 0);
    struct member_record m = show(f->db, "vera@town.example", &arena);
    assert_int_equal(m.subscription_count, 2);
    assert_string_equal(m.tags[0], "board\n");
    assert_string_equal(m.tags[1], ""); /* another list's are its own */
    assert_int_equal(m.consent_count, 4);
    assert_string_equal(m.consents[2].evidence, "tags: +funding, +board");
    assert_string_equal(m.consents[3].evidence, "tags: -Funding");
    assert_int_equal(m.consents[3].list, LIST);
    assert_int_equal(member_tag(f->db, LIST, vera, VIEW("BOARD"), &a, &why), -ESTALE);
    assert_string_equal(why.what, "this changes nothing");
    assert_int_equal(member_tag(f->db, LIST, vera, VIEW("a,--b"), &a, &why), -EINVAL);
    assert_string_equal(why.what, "this is no tag: “--b”");
    assert_int_equal(member_tag(f->db, LIST + 2, vera, VIEW("a"), &a, &why), -ENOENT);
    assert_int_equal(member_tag(f->db, LIST, VIEW("nobody@town.example"), VIEW("a"), &a, &why), -ENOENT);
}

static void leaving_and_coming_back(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct member_act a = act(1743638400000000);
    struct why why;
    const char *vera = "vera@town.example";
    struct view v = view_of(vera);
    assert_int_equal(member_leave(f->db, LIST, v, "phone", &a, &why), -ENOENT);
    assert_int_equal(add(f->db, vera, false, &a, &why), 0);
    assert_int_equal(member_leave(f->db, LIST + 1, v, "phone", &a, &why), -ENOENT);
    assert_int_equal(member_leave(f->db, LIST, v, "pigeon", &a, &why), -EINVAL);
    assert_int_equal(member_restore(f->db, LIST, v, &a, &why), -ESTALE);
    a.basis = a.evidence = "";
    assert_int_equal(member_remove(f->db, LIST, v, &a, &why), 0);
    assert_int_equal(member_remove(f->db, LIST, v, &a, &why), -ESTALE);
    assert_int_equal(member_restore(f->db, LIST, v, &a, &why), 0);
    a.evidence = "she called";
    assert_int_equal(member_leave(f->db, LIST, v, "phone", &a, &why), 0);
    assert_int_equal(member_leave(f->db, LIST, v, "phone", &a, &why), -ESTALE);
    assert_int_equal(member_remove(f->db, LIST, v, &a, &why), -ESTALE);
    assert_int_equal(member_restore(f->db, LIST, v, &a, &why), -ESTALE);
    assert_string_equal(why.what, "this person left the list on 2025-04-03");
    a = act(1743638400000001);
    assert_int_equal(add(f->db, vera, false, &a, &why), -ESTALE);
    assert_int_equal(add(f->db, vera, true, &a, &why), 0);
    assert_string_equal(
        story(f->db, vera, &arena),
        "active | subscribed command vera consent asked at the fair | removed command vera   | restored "
        "command vera   | left phone vera  she called | subscribed command vera consent asked at the "
        "fair ");
}

static void leaving_everything(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct member_act a = act(100);
    struct why why;
    bool is_new;
    struct view v = VIEW("vera@town.example");
    for (uint32_t list = 1; list <= 3; list++)
        assert_int_equal(member_add(f->db, list, v, NULL, 0, ALL_WORDS, false, &a, &why, &is_new), 0);
    assert_int_equal(member_remove(f->db, 2, v, &a, &why), 0);
    assert_int_equal(member_leave(f->db, 0, v, "letter", &a, &why), 0);
    struct member_record m = show(f->db, "vera@town.example", &arena);
    assert_int_equal(m.subscription_count, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(m.subscriptions[i].state, SUBSCRIPTION_LEFT);
    assert_int_equal(member_leave(f->db, 0, v, "letter", &a, &why), -ESTALE);
    assert_null(m.suppressed);
    assert_int_equal(suppression_set(f->db, "vera@town.example", "complaint", NULL, 1), 0);
    assert_string_equal(show(f->db, "vera@town.example", &arena).suppressed, "complaint");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(adding),
        FIXTURE_TEST(changing),
        FIXTURE_TEST(changing_the_address),
        FIXTURE_TEST(tagging),
        FIXTURE_TEST(leaving_and_coming_back),
        FIXTURE_TEST(leaving_everything),
    };
    return cmocka_run_group_tests(tests, load_all_words, free_all_words);
}
