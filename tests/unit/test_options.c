#include "conf_unit.h"

#include "conf/options.h"
#include "conf/value.h"

static void every_row_is_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_rows[i];
        if (o->type == OPTION_LATER)
            continue;
        bool bounded = o->type != OPTION_WORD && o->type != OPTION_SENDER;
        if (!o->help || o->help[strlen(o->help) - 1] != '.')
            fail_msg("%s has no help, or one that does not end", o->key);
        if (bounded && o->max <= o->min)
            fail_msg("%s has no bounds", o->key);
        if ((o->type == OPTION_WORD) != (o->words != NULL))
            fail_msg("%s has words and is none, or the other way round", o->key);
        if ((!o->fallback || !*o->fallback) && !o->example)
            fail_msg("%s has neither a default nor an example", o->key);
        if (o->type == OPTION_RATE && !o->zero)
            fail_msg("%s has no word for no limit", o->key);
    }
}

static void keys_are_unique_and_rows_stand_together(void **state) {
    (void)state;
    size_t sum = 0;
    for (unsigned s = 0; s < SECTION_COUNT; s++) {
        size_t count;
        const struct option *rows = options_of(s, &count);
        sum += count;
        for (size_t i = 0; i < count; i++)
            for (size_t j = 0; j < i; j++)
                assert_string_not_equal(rows[i].key, rows[j].key);
        assert_true(count > 0);
    }
    assert_int_equal(sum, option_count);
}

/* Two options must not write to one place. */
static void fields_are_unique(void **state) {
    (void)state;
    for (size_t i = 0; i < option_count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct option *a = &option_rows[i], *b = &option_rows[j];
            bool same_struct =
                a->section == b->section || (!section_rows[a->section].name && !section_rows[b->section].name);
            if (same_struct && a->type != OPTION_LATER && b->type != OPTION_LATER && a->offset == b->offset)
                fail_msg("%s and %s share a field", a->key, b->key);
        }
}

/* Each default and each example, put into a configuration of its own. */
static void defaults_and_examples_are_right(void **state) {
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_rows[i];
        const char *texts[] = {o->fallback, o->example};
        for (size_t t = 0; t < COUNT_OF(texts); t++) {
            const char *pair = texts[t] ? strchr(texts[t], '=') : NULL;
            AUTOBUF struct buf text = BUF_INIT(10000), errors = BUF_INIT(10000);
            if (!texts[t] || o->type == OPTION_LATER)
                continue;
            buf_puts(&text, "[sender office]\n");
            if (o->section != SECTION_SENDER || strcmp(o->key, "name") != 0)
                buf_puts(&text, "name = Office\n");
            if (o->section != SECTION_SENDER || strcmp(o->key, "address") != 0)
                buf_puts(&text, "address = news@partner.example\n");
            if (o->section != SECTION_SENDER || strcmp(o->key, "public-url") != 0)
                buf_puts(&text, "public-url = https://news.partner.example\n");
            if (o->section == SECTION_SENDER)
                buf_printf(&text, "%s = %s\n", o->key, texts[t]);
            buf_puts(&text, "[relay main]\n");
            if (o->section != SECTION_RELAY || strcmp(o->key, "url") != 0)
                buf_puts(&text, "url = smtp://mail.partner.example\n");
            if (o->section == SECTION_RELAY)
                buf_printf(&text, "%s = %s\n", o->key, texts[t]);
            if (o->section == SECTION_RELAY && strcmp(o->key, "username") == 0)
                buf_puts(&text, "password-file = /p\n");
            if (o->section == SECTION_RELAY && strcmp(o->key, "password-file") == 0)
                buf_puts(&text, "username = u\n");
            if (o->section != SECTION_SENDER && o->section != SECTION_RELAY)
                buf_printf(&text, "[%s%s%s]\n", section_rows[o->section].word, section_rows[o->section].name ? " " : "",
                           section_rows[o->section].name ? section_rows[o->section].example : "");
            if (o->type == OPTION_TITLES)
                buf_printf(&text, "languages = de, fr\n%s\n", pair ? texts[t] : "no pair");
            else if (o->section != SECTION_SENDER && o->section != SECTION_RELAY)
                buf_printf(&text, "%s = %s\n", o->key, texts[t]);
            if (o->section == SECTION_LIST && strcmp(o->key, "source") == 0)
                buf_puts(&text, "basis = consent\nevidence = lists of the fair\n");
            AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), &errors);
            unit_str(o->key, buf_str(&errors), "");
        }
    }
}

/* Both ends of the bounds are taken, one beyond each is not. */
static void bounds_hold_on_both_sides(void **state) {
    (void)state;
    size_t tested = 0;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_rows[i];
        const char *suffix = o->type == OPTION_RATE ? "/s" : "";
        if (o->type != OPTION_COUNT && o->type != OPTION_COUNT64 && o->type != OPTION_ID && o->type != OPTION_RATE &&
            o->type != OPTION_DURATION && o->type != OPTION_SIZE)
            continue;
        AUTOARENA struct arena arena;
        arena_init(&arena);
        union {
            struct conf conf;
            struct conf_list list;
            struct conf_relay relay;
            struct conf_destination destination;
        } item;
        memset(&item, 0, sizeof item);
        bool seconds = o->type == OPTION_DURATION;
        int64_t unit = seconds ? 1000000 : 1;
        const struct {
            int64_t n;
            int r;
        } cases[] = {
            {o->min / unit, 0}, {o->max / unit, 0}, {o->min / unit - 1, -EINVAL}, {o->max / unit + 1, -EINVAL}};
        for (size_t c = 0; c < COUNT_OF(cases); c++) {
            AUTOBUF struct buf text = BUF_INIT(100);
            struct why why = {0};
            buf_printf(&text, "%lld%s%s", (long long)cases[c].n, suffix, seconds ? "s" : "");
            unit_int(o->key, value_read(o, buf_view(&text), (struct view){0}, &arena, &item, &why), cases[c].r);
            if (cases[c].r)
                assert_non_null(strstr(why.todo, " to "));
            tested++;
        }
    }
    assert_true(tested > 60);
}

static void lengths_hold_on_both_sides(void **state) {
    (void)state;
    size_t tested = 0;
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_rows[i];
        if ((o->type != OPTION_TEXT && o->type != OPTION_TITLES) || o->check)
            continue;
        for (int64_t len = o->max; len <= o->max + 1; len++) {
            AUTOBUF struct buf text = BUF_INIT(10000), errors = BUF_INIT(10000);
            buf_puts(&text, MINIMAL);
            if (o->section == SECTION_LIST)
                buf_printf(&text, "[list a]\n%s = ", o->type == OPTION_TITLES ? "title.en" : o->key);
            else if (o->section == SECTION_SENDER)
                buf_printf(&text, "[sender b]\naddress = a@b.example\npublic-url = https://b.example\n%s%s = ",
                           strcmp(o->key, "name") == 0 ? "" : "name = B\n", o->key);
            else if (o->section == SECTION_BOUNCE)
                buf_printf(&text, "[bounce]\n%s = ", o->key);
            else
                buf_printf(&text, "[relay b]\nurl = smtp://b.example\npassword-file = /p\n%s = ", o->key);
            for (int64_t n = 0; n < len; n++)
                buf_putc(&text, 'x');
            AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), &errors);
            unit_int(o->key, c != NULL, len == o->max);
            tested++;
        }
    }
    assert_true(tested >= 14);
}

static void numbers_of_values_hold_on_both_sides(void **state) {
    (void)state;
    static const struct {
        const char *key;
        unsigned max;
    } cases[] = {{"languages", CONF_LANGUAGES_MAX}, {"coordinators", 50}};
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        for (unsigned n = cases[i].max; n <= cases[i].max + 1; n++) {
            AUTOBUF struct buf text = BUF_INIT(10000), errors = BUF_INIT(10000);
            buf_printf(&text, MINIMAL "[list a]\n%s = ", cases[i].key);
            for (unsigned v = 0; v < n; v++)
                buf_printf(&text, "%sx%c%.*u%s", v ? "," : "", 'a' + (int)v % 26, i ? 1 : 0, i ? v : 0,
                           i ? "@b.example" : "");
            AUTOCONF struct conf *c = conf_unit_read(buf_view(&text), &errors);
            unit_int(cases[i].key, c != NULL, n == cases[i].max);
            assert_true(c || strstr(buf_str(&errors), "one too many"));
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_whole),
        cmocka_unit_test(keys_are_unique_and_rows_stand_together),
        cmocka_unit_test(fields_are_unique),
        cmocka_unit_test(defaults_and_examples_are_right),
        cmocka_unit_test(bounds_hold_on_both_sides),
        cmocka_unit_test(lengths_hold_on_both_sides),
        cmocka_unit_test(numbers_of_values_hold_on_both_sides),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
