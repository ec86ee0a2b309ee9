#include "fixed_keys.h"

#include "base/number.h"
#include "trust/token.h"

static struct keyring *keys;

static const struct {
    struct token token;
    const char *text;
} golden[] = {
    {{.purpose = TOKEN_RECIPIENT, .list = 0x01020304, .subscriber = 0x1122334455667788},
     "AQUBAQIDBBEiM0RVZneIaGmgejoBNOcmmkvEGZVDWYyvdEtq8WKFyUIUx2eyPFourmarklFGQfFkghlvPo23x_EoMa52s6-SyoiJViC_Bw"},
    {{.purpose = TOKEN_CONFIRM,
      .list = 0x01020304,
      .nonce = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
      .expires_usec = 1751356800 * USEC_PER_SEC},
     "AQUCAQIDBAABAgMEBQYHCAkKCwwNDg8AAAAAaGOVgEgNctRRQS9yOi-tHEzNOt-I7EOl6Je-z_6ggBk1HDsXyUujI8Yis7IxNFBQEGxct26XDV8i"
     "bOCLCyAWqL4clAQ"},
    {{.purpose = TOKEN_RELEASE, .announcement = 9, .expires_usec = 1751356800 * USEC_PER_SEC},
     "AQUDAAAAAAAAAAkAAAAAaGOVgBTHPy8Uc-MkcBCRm37VOWFwlubBk00SOw9K0ARqiBQn_M7h9L09Mrvw0274e4rO-CHk7_VU9k1uYjCSIEUO4AU"},
    {{.purpose = TOKEN_TEST, .list = 0x01020304},
     "AQUEAQIDBAAAAAAAAAAA3Yn27TjUn4Gejp4_UdSI89N_GZ7-vqmqzKxgz9GnPQsLT9nmYXhWNDsw7dlSjOeIH2LChTP1agOcpFHAOoMACg"},
};

static bool same(const struct token *a, const struct token *b) {
    return a->key_id == b->key_id && a->purpose == b->purpose && a->list == b->list && a->subscriber == b->subscriber &&
           a->announcement == b->announcement && memcmp(a->nonce, b->nonce, sizeof a->nonce) == 0 &&
           a->expires_usec == b->expires_usec;
}

static void each_purpose_has_its_text(void **state) {
    (void)state;
    static const size_t lengths[] = {106, 127, 111, 106};
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        struct token token = golden[i].token, back;
        memset(&back, 0xFF, sizeof back);
        AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
        assert_int_equal(token_sign(keys, &token, &text), 0);
        assert_string_equal(buf_str(&text), golden[i].text);
        assert_int_equal(text.len, lengths[i]);
        assert_int_equal(token.key_id, 5);
        assert_int_equal(token_verify(keys, buf_view(&text), &back), 0);
        assert_true(same(&token, &back));
    }
}

static void ranges(void **state) {
    (void)state;
    static const struct {
        int r;
        struct token in, out;
    } cases[] = {
        {0,
         {.purpose = TOKEN_RECIPIENT, .list = UINT32_MAX, .subscriber = UINT64_MAX},
         {.purpose = TOKEN_RECIPIENT, .list = UINT32_MAX, .subscriber = UINT64_MAX}},
        {0,
         {.purpose = TOKEN_RELEASE, .announcement = UINT64_MAX, .expires_usec = INT64_MAX},
         {.purpose = TOKEN_RELEASE,
          .announcement = UINT64_MAX,
          .expires_usec = INT64_MAX / USEC_PER_SEC * USEC_PER_SEC}},
        {0,
         {.purpose = TOKEN_CONFIRM, .expires_usec = 1999999},
         {.purpose = TOKEN_CONFIRM, .expires_usec = USEC_PER_SEC}},
        /* what a purpose does not have is not carried */
        {0,
         {.purpose = TOKEN_RECIPIENT, .announcement = 9, .nonce = "x", .expires_usec = 9},
         {.purpose = TOKEN_RECIPIENT}},
        {0, {.purpose = TOKEN_RELEASE, .list = 9, .subscriber = 9}, {.purpose = TOKEN_RELEASE}},
        {-EINVAL, {.purpose = TOKEN_RELEASE, .expires_usec = -1}, {0}},
        {-EINVAL, {.purpose = TOKEN_TEST, .subscriber = 1}, {0}},
        {-EINVAL, {.purpose = 0}, {0}},
        {-EINVAL, {.purpose = 5}, {0}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct token in = cases[i].in, want = cases[i].out, back;
        AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
        unit_int("range", (long long)i * 1000 + token_sign(keys, &in, &text), (long long)i * 1000 + cases[i].r);
        if (cases[i].r) {
            assert_int_equal(text.len, 0);
            continue;
        }
        want.key_id = 5;
        assert_int_equal(token_verify(keys, buf_view(&text), &back), 0);
        if (!same(&want, &back))
            fail_msg("case %zu comes back as something else", i);
    }
}

static void refused(struct view text, const char *what) {
    struct token untouched = {.list = 4711};
    unit_int(what, token_verify(keys, text, &untouched), -EBADMSG);
    unit_int(what, untouched.list, 4711);
}

static void every_changed_bit_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        char text[TOKEN_TEXT_MAX];
        size_t len = strlen(golden[i].text);
        memcpy(text, golden[i].text, len);
        for (size_t bit = 0; bit < len * 8; bit++) {
            text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
            refused(view_make(text, len), "one bit changed");
            text[bit / 8] = (char)(text[bit / 8] ^ (1 << bit % 8));
        }
    }
}

/* The last character carries bits that no byte needs: only zeros are canonical. */
static void every_other_last_character_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        char text[TOKEN_TEXT_MAX];
        size_t len = strlen(golden[i].text);
        memcpy(text, golden[i].text, len);
        for (int c = 0; c < 256; c++)
            if ((char)c != golden[i].text[len - 1]) {
                text[len - 1] = (char)c;
                refused(view_make(text, len), "another last character");
            }
    }
}

static void every_truncation_and_extension_is_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT_OF(golden); i++) {
        char text[TOKEN_TEXT_MAX + 1];
        size_t len = strlen(golden[i].text);
        for (size_t cut = 0; cut < len; cut++)
            refused(view_make(golden[i].text, cut), "cut off");
        for (size_t from = 1; from <= len; from++)
            refused(view_make(golden[i].text + from, len - from), "cut off in front");
        static const char added[] = {'A', 'z', '_', '=', ' ', '\n', '\r', '\t', '.', '/', '\0', '\x80'};
        for (size_t at = 0; at <= len; at++)
            for (size_t c = 0; c < sizeof added; c++) {
                memcpy(text, golden[i].text, at);
                text[at] = added[c];
                memcpy(text + at + 1, golden[i].text + at, len - at);
                refused(view_make(text, len + 1), "one character more");
            }
    }
    static char huge[100000];
    memset(huge, 'A', sizeof huge);
    refused(view_make(huge, sizeof huge), "huge");
    refused((struct view){0}, "nothing");
}

/* Signed with our own key, and yet no token of ours. */
static void what_is_signed_must_also_be_right(void **state) {
    (void)state;
    static const struct {
        const char *what, *text;
    } cases[] = {
        {"version 2",
         "AgUBAQIDBBEiM0RVZneIa_qWHdGLs8F-nrVDUeVqbzUYwCvXB0jdlsCZ-WIuy1f25wacFRl4VSW1PhSH5fVWUpNSD7wvpcYoM20TlFxeCQ"},
        {"purpose 5",
         "AQUFAQIDBBEiM0RVZneIAO0_Kt5DklVmTEmcwmNMKzn-N2RhjQi1oqaKu4GDegPblAQgcxgcixXqgub9cP6-LvOkIiG77zfRBqVs_qrcDg"},
        {"purpose 0",
         "AQUAAQIDBBEiM0RVZneImp2yo-C0hAjVD1YwA00lBHECC21CRnlkL2bqih0REF2xgEH2qNgblwhXFcFXECV26lenpTBkp-6mUt69ECaSDg"},
        {"recipient too short",
         "AQUBAQIDBBEiM0RVZneH7gemTYLh19cz-kuXup2vvzFI5Qydiw4l8cMHRxY-lzeWEIFXv5CJgsj94gxoUOH0oF7wEGr_p8gVlrlKTI0J"},
        {"release too long", "AQUDAAAAAAAAAAkAAAAAaGOVgADMHJFn2_ZxHF8SsnEnVlP7_n1ReHKPOT4PylT4pMTeB-"
                             "z6dxtflHhjxG2MgVFGrcA2ISg9N627NwfalcgYd7c"
                             "O"},
        {"test with a subscriber",
         "AQUEAQIDBAAAAAAAAAABQd_ijZ9ViMVzZKrdEecJXuERjB_81FU92BbkAT2I1vv_Cy8_-g6JWBHhCdZl9Jr3KIk6kmkrO0_XjkfEF6e_Ag"},
        {"expiry after all time", "AQUDAAAAAAAAAAmAAAAAAAAAAMoWEFUKbPZ3dcTyccNLqtVWh1AClAp9cK8rItu2uLywzK9fRC9UO4-"
                                  "4ugXYXHnzx6IIRD8kdAJXHPqGelx1nA0"},
        {"the id of another key",
         "AQYBAQIDBBEiM0RVZneIupyi29Li_FZ65OQgG2JigWlpvcUKKhnJHG1Onc4-tI40or1YkEfwsX168dJycYkCe9kprcpoE44iDZdOu8sJCQ"},
        {"another context",
         "AQUBAQIDBBEiM0RVZneI3kmGr-jrbYZ62Ot32gDM-mmbhaMnk04hq7Ehs_Ro2fM6oK87NXgapeWOvYwQfMnjooX7qP9VXGW0OVItAjh1Cw"},
        {"no context",
         "AQUBAQIDBBEiM0RVZneIPsr3RhI9P_vMOTmUQ68cDGlwHCVKGzQvyasw-QMXjQojVPe8HA57SIZ0g35KJ4rEUuw2o8TIqTQyb93Jw4ZYDA"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        refused(view_of(cases[i].text), cases[i].what);
}

static void a_kept_signature_gives_the_same_text(void **state) {
    (void)state;
    uint8_t signature[TOKEN_SIGNATURE_BYTES], key_id = 0;
    assert_int_equal(token_sign_recipient(keys, 0x01020304, 0x1122334455667788, &key_id, signature), 0);
    assert_int_equal(key_id, 5);
    AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
    token_print_recipient(key_id, 0x01020304, 0x1122334455667788, signature, &text);
    assert_string_equal(buf_str(&text), golden[0].text);
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
        cmocka_unit_test(each_purpose_has_its_text),
        cmocka_unit_test(ranges),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(every_other_last_character_is_refused),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(what_is_signed_must_also_be_right),
        cmocka_unit_test(a_kept_signature_gives_the_same_text),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
