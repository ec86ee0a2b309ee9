#include "unit.h"

#include "base/encode.h"

/* RFC 4648 §10, in lower case and without padding. */
static const struct {
    const char *bytes, *hex, *base32, *base64url;
} vectors[] = {
    {"", "", "", ""},
    {"f", "66", "my", "Zg"},
    {"fo", "666f", "mzxq", "Zm8"},
    {"foo", "666f6f", "mzxw6", "Zm9v"},
    {"foob", "666f6f62", "mzxw6yq", "Zm9vYg"},
    {"fooba", "666f6f6261", "mzxw6ytb", "Zm9vYmE"},
    {"foobar", "666f6f626172", "mzxw6ytboi", "Zm9vYmFy"},
    {"\xFB\xEF\xFF", "fbefff", "7px76", "--__"},
};

static void test_vectors(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        size_t len = strlen(vectors[i].bytes);
        AUTOBUF struct buf hex = BUF_INIT(100), base32 = BUF_INIT(100), base64url = BUF_INIT(100);
        encode_hex(&hex, vectors[i].bytes, len);
        encode_base32(&base32, vectors[i].bytes, len);
        encode_base64url(&base64url, vectors[i].bytes, len);
        assert_string_equal(buf_str(&base64url), vectors[i].base64url);
        assert_string_equal(buf_str(&hex), vectors[i].hex);
        assert_string_equal(buf_str(&base32), vectors[i].base32);
        char back[16] = {0};
        assert_int_equal(decode_hex(buf_view(&hex), back, len), 0);
        assert_string_equal(back, vectors[i].bytes);
        memset(back, 0, sizeof back);
        assert_int_equal(decode_base32(buf_view(&base32), back, len), 0);
        assert_string_equal(back, vectors[i].bytes);
    }
}

static void every_byte_comes_back_in_any_case(void **state) {
    (void)state;
    uint8_t all[256], back[256];
    for (int i = 0; i < 256; i++)
        all[i] = (uint8_t)i;
    AUTOBUF struct buf hex = BUF_INIT(1000), base32 = BUF_INIT(1000);
    encode_hex(&hex, all, sizeof all);
    encode_base32(&base32, all, sizeof all);
    for (int upper = 0; upper < 2; upper++) {
        assert_int_equal(decode_hex(buf_view(&hex), back, sizeof back), 0);
        assert_memory_equal(back, all, sizeof all);
        memset(back, 0, sizeof back);
        assert_int_equal(decode_base32(buf_view(&base32), back, sizeof back), 0);
        assert_memory_equal(back, all, sizeof all);
        for (size_t i = 0; i < hex.len; i++)
            hex.data[i] = (char)(hex.data[i] >= 'a' ? hex.data[i] - 32 : hex.data[i]);
        for (size_t i = 0; i < base32.len; i++)
            base32.data[i] = (char)(base32.data[i] >= 'a' ? base32.data[i] - 32 : base32.data[i]);
    }
}

static void decoders_take_the_whole_or_nothing(void **state) {
    (void)state;
    static const struct {
        const char *text;
        bool base32;
        size_t len;
    } refused[] = {
        {"6", false, 1},  {"666", false, 1}, {"6g", false, 1},  {"6 ", false, 1},      {"", false, 1},
        {"66", false, 0}, {"m", true, 1},    {"my=", true, 1},  {"my======", true, 1}, {"m1", true, 1},
        {"m8", true, 1},  {"mz", true, 1},   {"mzxq", true, 1}, {"mzxr", true, 2},     {"", true, 1},
    };
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        uint8_t out[8];
        struct view v = view_of(refused[i].text);
        int r = refused[i].base32 ? decode_base32(v, out, refused[i].len) : decode_hex(v, out, refused[i].len);
        unit_int(refused[i].text, r, -EINVAL);
    }
    uint8_t out[2];
    assert_int_equal(decode_base32(view_make("m\0", 2), out, 1), -EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(every_byte_comes_back_in_any_case),
        cmocka_unit_test(decoders_take_the_whole_or_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
