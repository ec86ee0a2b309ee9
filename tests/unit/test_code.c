#include "fixed_keys.h"

#include "base/encode.h"
#include "trust/code.h"

static struct keyring *keys;
static const uint64_t largest = (UINT64_C(1) << 49) - 1;

static const struct {
    enum code_purpose purpose;
    uint64_t first, second;
    const char *text;
} golden[] = {
    {CODE_BOUNCE, 1, 1, "ceaqcbn56tnxx5hkbli5a"},
    {CODE_BOUNCE, 300, 70000, "cgwaf4fcas6ictgnyhkgrbfsyy"},
    {CODE_LEAVE, 0xdeadbeef, (UINT64_C(1) << 49) - 1, "clx73nxvbx777777777x743vh3xqoxh3esigk"},
    {CODE_BOUNCE, (UINT64_C(1) << 49) - 1, (UINT64_C(1) << 49) - 1, "ch777777777x777777777737sb2c4c4b5ytrvfkk"},
    {CODE_LEAVE, 0, 0, "ciaaacdkmhz6cn5kkwp7q"},
};

static void codes_come_back(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        AUTOBUF struct buf text = BUF_INIT(CODE_TEXT_MAX);
        code_make(keys, golden[i].purpose, golden[i].first, golden[i].second, &text);
        assert_string_equal(buf_str(&text), golden[i].text);
        assert_true(text.len <= CODE_TEXT_MAX - 1); /* room for the u of opt-out by mail */
        enum code_purpose purpose;
        uint64_t first, second;
        for (int upper = 0; upper < 2; upper++) {
            assert_int_equal(code_check(keys, buf_view(&text), &purpose, &first, &second), 0);
            assert_true(purpose == golden[i].purpose && first == golden[i].first && second == golden[i].second);
            for (size_t c = 0; c < text.len; c++)
                text.data[c] = (char)(text.data[c] >= 'a' ? text.data[c] - 32 : text.data[c]);
        }
    }
    for (unsigned bit = 0; bit < 49; bit++) /* every length of both numbers */
        for (unsigned other = 0; other < 49; other += 8) {
            AUTOBUF struct buf text = BUF_INIT(CODE_TEXT_MAX);
            enum code_purpose purpose;
            uint64_t first, second;
            code_make(keys, CODE_BOUNCE, UINT64_C(1) << bit, largest >> other, &text);
            assert_int_equal(code_check(keys, buf_view(&text), &purpose, &first, &second), 0);
            assert_true(first == UINT64_C(1) << bit && second == largest >> other);
        }
}

static void refused(struct view text, const char *what) {
    enum code_purpose purpose;
    uint64_t first = 4711, second;
    unit_int(what, code_check(keys, text, &purpose, &first, &second), -EBADMSG);
    unit_int(what, first, 4711);
}

static void every_change_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        char text[CODE_TEXT_MAX + 1];
        size_t len = strlen(golden[i].text);
        for (size_t at = 0; at < len; at++)
            for (int c = 0; c < 256; c++) {
                memcpy(text, golden[i].text, len);
                text[at] = (char)c;
                if ((c | 32) != (golden[i].text[at] | 32))
                    refused(view_make(text, len), "another character");
            }
        for (size_t cut = 0; cut < len; cut++)
            refused(view_make(golden[i].text, cut), "cut off");
        for (size_t at = 0; at <= len; at++)
            for (const char *more = "a7= \n"; *more; more++) {
                memcpy(text, golden[i].text, at);
                text[at] = *more;
                memcpy(text + at + 1, golden[i].text + at, len - at);
                refused(view_make(text, len + 1), "one character more");
            }
    }
    refused((struct view){0}, "nothing");
    static char huge[100000];
    memset(huge, 'a', sizeof huge);
    refused(view_make(huge, sizeof huge), "huge");
}

/* With a right hash, and yet no code of ours. */
static void what_is_hashed_must_also_be_right(void **state) {
    (void)state;
    static const struct {
        const char *what, *text;
    } cases[] = {
        {"1 in two bytes", "cgaqaajhc5pzvvfsrucidry"}, {"version 2", "eeaqc7t4xs4yylyxjk4vi"},
        {"purpose 3", "cmaqdumhg45gn5wx7gdko"},        {"purpose 0", "caaqckbn22lmgsbyup7tm"},
        {"a third id", "ceaqcakyjvz5drjggwpag4a"},     {"2^49", "ch77777777776aabm4cipjbvu22ofonj"},
        {"an id cut off", "ceaya7tbn3a5non4r3w3c"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refused(view_of(cases[i].text), cases[i].what);
}

static void hashes_are_stable(void **state) {
    (void)state;
    AUTOBUF struct buf id = BUF_INIT(CODE_MESSAGE_ID_LEN), hex = BUF_INIT(1000);
    code_message_id(keys, 12, 34, &id);
    assert_string_equal(buf_str(&id), "aaaaaaaaaaggothlqlnzzeqr3e");
    assert_int_equal(id.len, CODE_MESSAGE_ID_LEN);
    uint8_t hash[32];
    code_address_hash(keys, VIEW("anna@partner.example"), hash);
    encode_hex(&hex, hash, sizeof hash);
    assert_string_equal(buf_str(&hex), "75274ac18964cd41022998c941833134c49ba91d253442508ceddf8b363556b7");
}

static void a_message_id_tells_its_announcement(void **state) {
    (void)state;
    static const struct {
        uint64_t announcement, subscriber;
    } cases[] = {{1, 1}, {12, 34}, {(UINT64_C(1) << 49) - 1, (UINT64_C(1) << 49) - 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf id = BUF_INIT(CODE_MESSAGE_ID_LEN);
        uint64_t announcement = 0;
        code_message_id(keys, cases[i].announcement, cases[i].subscriber, &id);
        assert_int_equal(code_check_message_id(keys, buf_view(&id), cases[i].subscriber, &announcement), 0);
        assert_int_equal(announcement, cases[i].announcement);
        assert_int_equal(code_check_message_id(keys, buf_view(&id), cases[i].subscriber + 1, &announcement), -EBADMSG);
        for (size_t k = 0; k <= id.len; k++) {
            char damaged[CODE_MESSAGE_ID_LEN + 1];
            memcpy(damaged, id.data, id.len);
            if (k < id.len)
                damaged[k] = damaged[k] == 'x' ? 'y' : 'x';
            struct view v = view_make(damaged, k < id.len ? id.len : id.len - 1);
            assert_int_equal(code_check_message_id(keys, v, cases[i].subscriber, &announcement), -EBADMSG);
        }
        for (size_t k = 0; k < id.len; k++)
            id.data[k] = (char)(id.data[k] >= 'a' ? id.data[k] - 'a' + 'A' : id.data[k]);
        assert_int_equal(code_check_message_id(keys, buf_view(&id), cases[i].subscriber, &announcement), 0);
    }
}

static void digests(void **state) {
    (void)state;
    static const struct {
        const char *data, *hex;
    } cases[] = {
        {"", "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
        {"abc", "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t hash[32];
        AUTOBUF struct buf hex = BUF_INIT(100);
        code_digest(view_of(cases[i].data), hash);
        encode_hex(&hex, hash, sizeof hash);
        assert_string_equal(buf_str(&hex), cases[i].hex);
        struct code_digest pieces;
        uint8_t again[32];
        code_digest_begin(&pieces);
        for (const char *c = cases[i].data; *c; c++)
            code_digest_add(&pieces, view_make(c, 1));
        code_digest_add(&pieces, (struct view){0});
        code_digest_end(&pieces, again);
        assert_memory_equal(hash, again, sizeof hash);
    }
}

static int begin(void **state) {
    (void)state;
    keys = fixed_keys();
    return 0;
}

static int end(void **state) {
    (void)state;
    keys = keyring_free(keys);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_come_back),
        cmocka_unit_test(every_change_is_refused),
        cmocka_unit_test(what_is_hashed_must_also_be_right),
        cmocka_unit_test(hashes_are_stable),
        cmocka_unit_test(a_message_id_tells_its_announcement),
        cmocka_unit_test(digests),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
