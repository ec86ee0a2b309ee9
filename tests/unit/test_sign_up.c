#include "store_helper.h"

#include "base/number.h"
#include "store/sign_up.h"

#define AT (1000 * USEC_PER_DAY)

static const uint8_t nonces[2][SIGN_UP_NONCE_BYTES] = {{1}, {2}};

static void add(struct db *db, int nonce, uint32_t list, bool moves, const char *key) {
    const struct sign_up s = {.nonce = nonces[nonce],
                              .list = list,
                              .moves = moves,
                              .token_list = 7,
                              .subscriber = moves ? 5 : 0,
                              .address_key = key,
                              .address = "Vera@town.example",
                              .given_name = "Vera",
                              .family_name = "",
                              .language = "de",
                              .version = "1",
                              .wording = "Ja",
                              .source = "192.0.2.7",
                              .message_id = "m@town.example",
                              .request = nonces[0],
                              .at_usec = AT,
                              .expires_usec = AT + USEC_PER_DAY};
    assert_int_equal(sign_up_add(db, &s), 0);
}

static void those_of_a_mail_are_taken_once_each(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct sign_up s;
    add(f->db, 0, 8, false, "vera@town.example");
    add(f->db, 0, 7, false, "vera@town.example");
    add(f->db, 1, 7, true, "new@town.example");
    assert_int_equal(sign_up_take(f->db, nonces[0], AT, &arena, &s), 1);
    assert_int_equal(s.list, 7);
    assert_false(s.moves);
    assert_string_equal(s.address, "Vera@town.example");
    assert_string_equal(s.given_name, "Vera");
    assert_string_equal(s.wording, "Ja");
    assert_string_equal(s.source, "192.0.2.7");
    assert_string_equal(s.message_id, "m@town.example");
    assert_int_equal(s.at_usec, AT);
    assert_int_equal(sign_up_take(f->db, nonces[0], AT, &arena, &s), 1);
    assert_int_equal(s.list, 8);
    assert_int_equal(sign_up_take(f->db, nonces[0], AT, &arena, &s), 0);
    assert_int_equal(sign_up_take(f->db, nonces[1], AT, &arena, &s), 1);
    assert_true(s.moves);
    assert_int_equal(s.subscriber, 5);
    assert_int_equal(s.token_list, 7);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM sign_up"), 0);
}

static void they_end(void **state) {
    struct fixture *f = *state;
    AUTOARENA struct arena arena = {0};
    struct sign_up s;
    uint64_t count = 0;
    bool any = false;
    add(f->db, 0, 7, false, "vera@town.example");
    assert_int_equal(sign_up_take(f->db, nonces[0], AT + USEC_PER_DAY + 1, &arena, &s), 0);
    assert_int_equal(sign_up_purge(f->db, AT + USEC_PER_DAY, &count), 0);
    assert_int_equal(count, 0);
    assert_int_equal(sign_up_purge(f->db, AT + USEC_PER_DAY + 1, &count), 0);
    assert_int_equal(count, 1);
    add(f->db, 0, 7, false, "vera@town.example");
    assert_int_equal(sign_up_remove(f->db, "other@town.example", &any), 0);
    assert_false(any);
    assert_int_equal(sign_up_remove(f->db, "vera@town.example", &any), 0);
    assert_true(any);
}

static void what_was_asked_for_is_counted(void **state) {
    struct fixture *f = *state;
    static const uint8_t a[ASKED_ADDRESS_BYTES] = {1}, b[ASKED_ADDRESS_BYTES] = {2};
    const struct asked rows[] = {
        {"confirm", a, 7, "192.0.2", AT, AT + 3},
        {"confirm", a, 8, "192.0.2", AT - USEC_PER_HOUR, AT + 9},
        {"link", a, 0, "198.51.100", AT, AT + 5},
        {"confirm", b, 7, "", AT, AT},
        {"confirm", a, 7, "192.0.2", AT - USEC_PER_DAY, AT},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        assert_int_equal(asked_add(f->db, &rows[i]), 0);
    static const struct {
        struct asked asked;
        struct asked_counts want;
    } cases[] = {
        {{"confirm", a, 7, "192.0.2", 0, 0}, {2, 1, 2, 2, AT + 9}},
        {{"confirm", a, 9, "203.0.113", 0, 0}, {2, 0, 0, 0, AT + 9}},
        {{"link", a, 0, "198.51.100", 0, 0}, {1, 1, 1, 1, AT + 9}},
        {{"confirm", b, 7, "", 0, 0}, {1, 1, 0, 2, AT}}, /* where no network is known none is counted */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct asked_counts got;
        assert_int_equal(asked_count(f->db, &cases[i].asked, AT - USEC_PER_DAY, AT - USEC_PER_HOUR, AT - USEC_PER_DAY,
                                     AT - USEC_PER_HOUR, &got),
                         0);
        if (memcmp(&got, &cases[i].want, sizeof got) != 0)
            fail_msg("case %zu: address %lld same %lld network %lld list %lld due %lld", i, (long long)got.address,
                     (long long)got.same, (long long)got.network, (long long)got.list, (long long)got.last_due_usec);
    }
    uint64_t count = 0;
    assert_int_equal(sign_up_purge(f->db, AT + 2 * USEC_PER_DAY, &count), 0);
    assert_int_equal(fixture_int(f->db, "SELECT count(*) FROM asked"), 3);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FIXTURE_TEST(those_of_a_mail_are_taken_once_each),
        FIXTURE_TEST(they_end),
        FIXTURE_TEST(what_was_asked_for_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
