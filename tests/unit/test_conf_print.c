#include "conf_unit.h"

#include "conf/options.h"
#include "prefix.h"

static const char odd[] =
    "[daemon]\nlanguage = de\ntimezone = Europe/Berlin\nalert = a@partner.example, b@partner.example\n"
    "attachment-limit = 1500\n"
    "[sender office]\nname = ;Büro = #1; \"x\"\naddress = news@partner.example\npublic-url = "
    "https://n.partner.example\n"
    "[sender B.2_x]\nname = #\naddress = b@partner.example\npublic-url = https://b.partner.example\ncolour = #123456\n"
    "[relay slow]\nurl = smtps://mail.provider.example:4650\nrate = 600/m\ndaily-limit = 5\npriority = 20\n"
    "[relay fast]\nurl = smtp://127.0.0.1\ntls = none\npriority = 1\n"
    "[destination z.example]\nrate = 20/d\n[destination a.example]\nconnections = 3\n"
    "[list b-list]\nsender = B.2_x\ntitle.fr = Été\ntitle.de = [x]\nlanguages = de,fr\nrelay = slow,fast\n"
    "[list a-list]\nsender = office\nid = 7\ntone = informal\n"
    "[retry]\nfirst = 90m\nthen = 86400s\n[timeouts]\nstop = 61s\n[bounce]\nreturn-path = r@partner.example\n";

/* The dump says all, and in the file's own syntax. */
static void dump_of_a_dump_is_the_same(void **state) {
    (void)state;
    static const char *const texts[] = {MINIMAL, odd};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        AUTOCONF struct conf *first = conf_unit_read(view_of(texts[i]), NULL);
        AUTOBUF struct buf one = BUF_INIT(100000), other = BUF_INIT(100000);
        conf_dump(first, &one);
        AUTOCONF struct conf *second = conf_unit_read(buf_view(&one), NULL);
        conf_dump(second, &other);
        assert_string_equal(buf_str(&one), buf_str(&other));
        assert_int_equal(buf_error(&one), 0);
    }
}

static void dump_has_the_values_in_force(void **state) {
    (void)state;
    static const char *const lines[] = {
        "\nname = ;Büro = #1; \"x\"\n",
        "\nattachment-limit = 1500\n",
        "\nmessage-limit = 25 MB\n",
        "\nrate = 600/m\n",
        "\nrate = 20/d\n",
        "\nrate = none\n",
        "\ndaily-limit = 5\n",
        "\nconnections = all\n",
        "\nfirst = 1h30m\n",
        "\nthen = 1d\n",
        "\nstop = 1m1s\n",
        "\nalert = a@partner.example, b@partner.example\n",
        "\nid = 7\n",
        "\ntitle.fr = Été\ntitle.de = [x]\n",
        "\ncolour =\n",
        "\ntitle = a-list\n",
        "\nrelay = slow, fast\n",
        "\nurl = smtps://mail.provider.example:4650\n",
        "\ntone = informal\n",
    };
    AUTOCONF struct conf *c = conf_unit_read(view_of(odd), NULL);
    AUTOBUF struct buf dump = BUF_INIT(100000);
    conf_dump(c, &dump);
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!strstr(buf_str(&dump), lines[i]))
            fail_msg("the dump lacks %s", lines[i]);
    for (size_t i = 0; i < option_count; i++) {
        AUTOBUF struct buf key = BUF_INIT(100);
        buf_printf(&key, "\n%s =", option_rows[i].key);
        bool there = strstr(buf_str(&dump), buf_str(&key)) != NULL;
        if (option_rows[i].type != OPTION_TITLES)
            unit_int(option_rows[i].key, there, option_rows[i].type != OPTION_LATER);
    }
}

static void a_bundle_freezes_one_list(void **state) {
    (void)state;
    AUTOCONF struct conf *c = conf_unit_read(view_of(odd), NULL);
    const struct conf_list *list = conf_find_list(c, VIEW("b-list"));
    AUTOBUF struct buf one = BUF_INIT(100000), other = BUF_INIT(100000), errors = BUF_INIT(10000);
    struct conf *frozen = NULL;
    conf_dump_lists(c, &list, 1, &one);
    assert_null(strstr(buf_str(&one), "[relay"));
    assert_null(strstr(buf_str(&one), "a-list"));
    assert_null(strstr(buf_str(&one), "office"));
    assert_null(strstr(buf_str(&one), "state-dir"));
    assert_int_equal(conf_parse_frozen(buf_view(&one), "settings.ini", conf_unit_on_error, &errors, &frozen), 0);
    const struct conf_list *again = conf_find_list(frozen, VIEW("b-list"));
    assert_int_equal(again->id, list->id);
    assert_string_equal(again->sender->id, "B.2_x");
    assert_string_equal(conf_list_title(again, "fr"), "Été");
    assert_string_equal(again->timezone, "Europe/Berlin");
    assert_string_equal(frozen->timezone, "Europe/Berlin");
    assert_int_equal(again->relays.count, 2);
    conf_dump_lists(frozen, &again, 1, &other);
    assert_string_equal(buf_str(&one), buf_str(&other));
    frozen = conf_unref(frozen);
}

static void the_sample_is_the_shipped_file(void **state) {
    (void)state;
    AUTOBUF struct buf sample = BUF_INIT(100000), file = BUF_INIT(100000);
    conf_print_sample(&sample);
    assert_int_equal(buf_error(&sample), 0);
    if (strcmp(RUNDBRIEF_DATA_DIR, "/usr/share/rundbrief") != 0) {
        print_message("skipped: the shipped file names the folders of PREFIX=/usr\n");
        return;
    }
    assert_int_equal(files_read(AT_FDCWD, "config/rundbrief.ini", &file), 0);
    assert_string_equal(buf_str(&file), buf_str(&sample));
}

/* As shipped, exactly what is marked is wrong; filled in, nothing is. */
static void the_sample_works_when_it_is_filled_in(void **state) {
    (void)state;
    AUTOBUF struct buf sample = BUF_INIT(100000), filled = BUF_INIT(100000), errors = BUF_INIT(100000);
    conf_print_sample(&sample);
    AUTOCONF struct conf *as_shipped = conf_unit_read(buf_view(&sample), &errors);
    assert_null(as_shipped);
    struct view rest = buf_view(&errors), line, example = {0};
    size_t wrong = 0, required = 0;
    for (; view_line(&rest, &line); wrong++)
        assert_true(view_search(line, VIEW("this must be filled in")) < line.len);
    for (size_t i = 0; i < option_count; i++)
        required += option_rows[i].required;
    assert_int_equal(wrong, required);

    rest = buf_view(&sample);
    while (view_line(&rest, &line)) {
        if (view_starts(line, "# For example: "))
            example = view_slice(line, strlen("# For example: "), line.len);
        buf_add_view(&filled, line);
        if (view_ends(line, " =")) {
            assert_non_null(example.ptr);
            buf_putc(&filled, ' ');
            buf_add_view(&filled, example);
        }
        buf_putc(&filled, '\n');
    }
    AUTOCONF struct conf *c = conf_unit_read(buf_view(&filled), NULL);
    assert_string_equal(c->lists[0].name, "partnerschaften");
    assert_string_equal(c->lists[0].title, "Rundbrief der Städtepartnerschaften");
}

/* Every line that is commented out would be right too, and where it shows a default, change nothing. */
static void the_sample_shows_the_defaults(void **state) {
    (void)state;
    AUTOBUF struct buf sample = BUF_INIT(100000);
    conf_print_sample(&sample);
    for (size_t i = 0; i < option_count; i++) {
        const struct option *o = &option_rows[i];
        AUTOBUF struct buf shown = BUF_INIT(1000);
        if (o->fallback && *o->fallback)
            buf_printf(&shown, "\n#%s = %s\n", o->key, o->fallback);
        else if (o->required || o->fill_in)
            buf_printf(&shown, "\n%s =\n", o->key);
        else if (o->type == OPTION_TITLES)
            buf_printf(&shown, "\n#%s\n", o->example);
        else if (o->type != OPTION_LATER)
            buf_printf(&shown, "\n#%s = %s\n", o->key, o->example);
        if (!strstr(buf_str(&sample), buf_str(&shown)))
            fail_msg("the sample lacks %s", buf_str(&shown));
    }
    struct view rest = buf_view(&sample), line;
    while (view_line(&rest, &line))
        if (!view_starts(line, "# Values:") && !view_starts(line, "# For example:"))
            assert_true(line.len <= 110);
}

static struct buf differing;

static void on_option(void *user, const struct why *why) {
    (void)user;
    buf_printf(&differing, "%s\n", why->where);
}

static void what_needs_a_restart(void **state) {
    (void)state;
    buf_init(&differing, 10000);
    AUTOCONF struct conf *a = conf_unit_read(VIEW(MINIMAL), NULL);
    AUTOCONF struct conf *same = conf_unit_read(VIEW(MINIMAL "[daemon]\nlanguage = de\n[retry]\nfirst = 1h\n"), NULL);
    AUTOCONF struct conf *b = conf_unit_read(VIEW(MINIMAL "[daemon]\nstate-dir = /x\n[web]\nproxies = ::1\n"), NULL);
    assert_int_equal(conf_needs_restart(a, same, on_option, NULL), 0);
    assert_int_equal(conf_needs_restart(a, b, on_option, NULL), 2);
    assert_string_equal(buf_str(&differing), "t.ini: [daemon] state-dir\nt.ini: [web] proxies\n");
    buf_done(&differing);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dump_of_a_dump_is_the_same),
        cmocka_unit_test(dump_has_the_values_in_force),
        cmocka_unit_test(a_bundle_freezes_one_list),
        cmocka_unit_test(the_sample_is_the_shipped_file),
        cmocka_unit_test(the_sample_works_when_it_is_filled_in),
        cmocka_unit_test(the_sample_shows_the_defaults),
        cmocka_unit_test(what_needs_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
