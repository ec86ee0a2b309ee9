#include "door/lists.h"

#include "base/why.h"
#include "conf/conf.h"

#include "unit.h"

static void on_error(void *user, const struct why *why) {
    (void)user;
    AUTOBUF struct buf text = BUF_INIT(2000);
    why_print(why, &text);
    print_error("%s\n", buf_str(&text));
}

static const char ini[] = "[daemon]\n"
                          "state-dir = /var/lib/rundbrief\n"
                          "timezone = Europe/Berlin\n"
                          "[sender partner]\n"
                          "name = Partnerschaften\n"
                          "address = rundbrief@partner.example\n"
                          "organisation = Koordinierungsstelle \"Partner\" & Co\n"
                          "postal-address = Markt 1, Hildesheim\n"
                          "imprint-url = https://partner.example/impressum\n"
                          "privacy-url = https://partner.example/datenschutz\n"
                          "public-url = https://brief.partner.example\n"
                          "logo = /etc/rundbrief/logo.png\n"
                          "colour = #1d5c8f\n"
                          "[relay main]\n"
                          "url = smtp://relay.example\n"
                          "[list partners]\n"
                          "id = 7\n"
                          "sender = partner\n"
                          "title = Städtepartnerschaften\n"
                          "title.fr = Jumelages\n"
                          "languages = de, fr\n"
                          "[list others]\n"
                          "sender = partner\n"
                          "title = Others\n"
                          "languages = en\n";

static void what_is_printed_is_read(void **state) {
    (void)state;
    struct conf *conf;
    assert_int_equal(conf_parse(view_of(ini), "test.ini", on_error, NULL, &conf), 0);
    AUTOBUF struct buf text = BUF_INIT(LISTS_FILE_MAX_BYTES);
    assert_int_equal(public_lists_print(conf, &text), 0);
    assert_null(strstr(buf_str(&text), "/etc/")); /* a path of this machine is nobody's business */
    uint32_t other_id = conf_find_list(conf, VIEW("others"))->id;
    conf_unref(conf);

    struct public_lists *lists;
    assert_int_equal(public_lists_read(buf_view(&text), &lists), 0);
    const struct public_list *list = public_lists_find(lists, 7);
    assert_non_null(list);
    assert_string_equal(list->name, "partners");
    assert_string_equal(list->language, "de");
    assert_string_equal(public_list_title(list, "fr"), "Jumelages");
    assert_string_equal(public_list_title(list, "de"), "St\xc3\xa4"
                                                       "dtepartnerschaften");
    assert_string_equal(public_list_title(list, "it"), "St\xc3\xa4"
                                                       "dtepartnerschaften");
    assert_string_equal(list->organisation, "Koordinierungsstelle \"Partner\" & Co");
    assert_string_equal(list->imprint_url, "https://partner.example/impressum");
    assert_string_equal(list->privacy_url, "https://partner.example/datenschutz");
    assert_string_equal(list->colour, "#1d5c8f");
    assert_string_equal(list->logo, ""); /* there is no such file */
    assert_string_equal(public_lists_find(lists, other_id)->title, "Others");
    assert_null(public_lists_find(lists, 8));
    public_lists_free(lists);
}

static void other_formats_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int result;
        const char *title; /* of list 1 */
    } cases[] = {
        {"{\"format\":1,\"lists\":[]}", 0, ""},
        {"{\"format\":1,\"lists\":[{\"id\":1}]}", 0, ""},
        {"{\"format\":1,\"new\":2,\"lists\":[{\"id\":1,\"title\":\"A\",\"more\":[]}]}", 0, "A"},
        {"{\"format\":1,\"lists\":[{\"id\":1,\"title\":7,\"titles\":[],\"languages\":{}}]}", 0, ""},
        {"{\"format\":1,\"lists\":[{\"id\":1,\"titles\":{\"de\":7,\"x\":\"B\"},\"languages\":[7]}]}", 0, ""},
        {"{\"format\":1,\"lists\":[{\"id\":4294967295}]}", 0, ""},
        {"{\"format\":1,\"lists\":[{\"id\":4294967296}]}", -EBADMSG, NULL},
        {"{\"format\":1,\"lists\":[{\"id\":-1}]}", -EBADMSG, NULL},
        {"{\"format\":1,\"lists\":[{\"id\":\"1\"}]}", -EBADMSG, NULL},
        {"{\"format\":1,\"lists\":[7]}", -EBADMSG, NULL},
        {"{\"format\":1,\"lists\":{}}", -EBADMSG, NULL},
        {"{\"format\":1}", -EBADMSG, NULL},
        {"{\"format\":2,\"lists\":[]}", -EBADMSG, NULL},
        {"{\"lists\":[]}", -EBADMSG, NULL},
        {"[]", -EBADMSG, NULL},
        {"", -EBADMSG, NULL},
        {"{\"format\":1,\"lists\":[", -EBADMSG, NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct public_lists *lists = NULL;
        unit_int(cases[i].text, public_lists_read(view_of(cases[i].text), &lists), cases[i].result);
        unit_str(cases[i].text, public_list_title(public_lists_find(lists, 1), "de"),
                 cases[i].title ? cases[i].title : "");
        public_lists_free(lists);
    }
}

static void addresses_are_kept_only_for_the_web(void **state) {
    (void)state;
    struct public_lists *lists;
    assert_int_equal(
        public_lists_read(VIEW("{\"format\":1,\"lists\":[{\"id\":1,\"imprint_url\":\"javascript:alert(1)\","
                               "\"privacy_url\":\"//x.example\",\"logo\":\"data:,\"}]}"),
                          &lists),
        0);
    const struct public_list *list = public_lists_find(lists, 1);
    assert_string_equal(list->imprint_url, "");
    assert_string_equal(list->privacy_url, "");
    assert_string_equal(list->logo, "");
    public_lists_free(lists);
}

static void the_file_is_capped(void **state) {
    (void)state;
    for (int over = 0; over <= 1; over++) {
        AUTOBUF struct buf text = BUF_INIT(LISTS_FILE_MAX_BYTES + 1);
        buf_puts(&text, "{\"format\":1,\"lists\":[]}");
        while (text.len < (size_t)LISTS_FILE_MAX_BYTES + (size_t)over)
            buf_putc(&text, ' ');
        struct public_lists *lists = NULL;
        assert_int_equal(public_lists_read(buf_view(&text), &lists), over ? -EBADMSG : 0);
        public_lists_free(lists);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_printed_is_read),
        cmocka_unit_test(other_formats_are_refused),
        cmocka_unit_test(addresses_are_kept_only_for_the_web),
        cmocka_unit_test(the_file_is_capped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
