#include "conf_unit.h"

#include "conf/machine.h"
#include "trust/keys.h"

static const char *const templates[] = {"announcement.html", "announcement.txt", "workshop.html", "workshop.txt",
                                        "notice.txt"};

static void put(const char *folder, const char *name, const char *content, mode_t mode) {
    AUTOFREE char *path = unit_path(folder, name);
    AUTOFREE char *dir = strdup(path);
    *strrchr(dir, '/') = '\0';
    assert_int_equal(files_make_dirs(dir, 0755), 0);
    assert_int_equal(files_write_durable(AT_FDCWD, path, view_of(content), mode), 0);
}

/* A machine on which all is well: folders, templates in de and fr, files of a relay. */
static void make_machine(const char *folder) {
    for (size_t i = 0; i < COUNT_OF(templates); i++) {
        AUTOBUF struct buf name = BUF_INIT(100);
        buf_printf(&name, "shipped/common/%s", templates[i]);
        put(folder, buf_str(&name), "x", 0644);
    }
    put(folder, "shipped/de/words.ini", "x", 0644);
    put(folder, "local/fr/words.ini", "x", 0644);
    put(folder, "ca.pem", "x", 0644);
    put(folder, "password", "a;b#c\n", 0600);
    put(folder, "logo.png", "x", 0644);
    AUTOFREE char *state = unit_path(folder, "state");
    assert_int_equal(files_make_dirs(state, 0700), 0);
}

/* $ stands for the folder. */
static const char right[] = "[sender office]\nname = Office\naddress = news@partner.example\n"
                            "public-url = https://news.partner.example\nlogo = $/logo.png\n"
                            "[relay main]\nurl = smtp://mail.partner.example\nca-file = $/ca.pem\nusername = u\n"
                            "password-file = $/password\n"
                            "[list a]\nlanguages = de, fr\ntimezone = Europe/Warsaw\n"
                            "[daemon]\nstate-dir = $/state\nspool-dir = $/spool\ntemplates = $/shipped\n"
                            "local-templates = $/local\nlanguage = de\n";

static int check(const char *folder, const char *more, struct buf *errors) {
    AUTOBUF struct buf text = BUF_INIT(100000);
    for (const char *const *part = (const char *const[]){right, more, NULL}; *part; part++)
        for (const char *c = *part; *c; c++)
            if (*c == '$')
                buf_puts(&text, folder);
            else
                buf_putc(&text, *c);
    AUTOFREE char *path = unit_path(folder, "t.ini");
    struct conf *c = NULL;
    assert_int_equal(files_write_durable(AT_FDCWD, path, buf_view(&text), 0644), 0);
    buf_clear(errors);
    int r = conf_load_for_machine(path, conf_unit_on_error, errors, &c);
    (void)conf_unref(c);
    return r;
}

static void all_is_well(void **state) {
    AUTOBUF struct buf errors = BUF_INIT(10000);
    make_machine(*state);
    assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
    int r = check(*state, "", &errors);
    unit_str("errors", buf_str(&errors), "");
    assert_int_equal(r, 0);
}

/* One thing changed, one error, with its line and the file's name in it. */
static void single_faults(void **state) {
    static const struct {
        const char *gone; /* removed */
        const char *put;  /* or written, with this mode */
        mode_t mode;
        const char *more; /* goes into [daemon] */
        const char *wanted[3];
    } cases[] = {
        {"password",
         NULL,
         0,
         "",
         {"t.ini:10: [relay main] password-file: ", "/password: cannot read the secret: No such file"}},
        {NULL,
         "password",
         0644,
         "",
         {"t.ini:10: [relay main] password-file: ", "others may read or change this secret (mode 0644)",
          ". Run: chmod 0600 "}},
        {"ca.pem", NULL, 0, "", {"t.ini:8: [relay main] ca-file: ", "/ca.pem: No such file"}},
        {"logo.png", NULL, 0, "", {"t.ini:5: [sender office] logo: ", "/logo.png: No such file"}},
        {"local/fr/words.ini", NULL, 0, "", {"t.ini:12: [list a] languages: there are no texts in fr"}},
        {"shipped/de/words.ini", NULL, 0, "", {"t.ini:19: [daemon] language: there are no texts in de"}},
        {"shipped", NULL, 0, "", {"t.ini:17: [daemon] templates: ", "/shipped: No such file"}},
        {NULL,
         NULL,
         0,
         "timezone = Europe/Berlim\n",
         {"t.ini:20: [daemon] timezone: this machine knows no time zone Europe/Berlim"}},
        {NULL, NULL, 0, "timezone = Europe\n", {"t.ini:20: [daemon] timezone: this machine knows no time zone Europe"}},
        {NULL,
         NULL,
         0,
         "group = no-such-group-here\n",
         {"t.ini:20: [daemon] group: this machine has no group no-such-group-here"}},
        {NULL, "spool", 0644, "", {"t.ini:16: [daemon] spool-dir: ", "/spool: Not a directory"}},
    };
    assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf errors = BUF_INIT(10000), name = BUF_INIT(100);
        buf_printf(&name, "case-%zu", i);
        AUTOFREE char *folder = unit_path(*state, buf_str(&name));
        assert_int_equal(files_make_dirs(folder, 0755), 0);
        make_machine(folder);
        AUTOFREE char *gone = unit_path(folder, cases[i].gone ? cases[i].gone : "nothing");
        assert_int_equal(files_remove_tree(AT_FDCWD, gone), 0);
        if (cases[i].put)
            put(folder, cases[i].put, "x", cases[i].mode);
        unit_int(cases[i].wanted[0], check(folder, cases[i].more, &errors), -EINVAL);
        for (size_t w = 0; w < COUNT_OF(cases[i].wanted) && cases[i].wanted[w]; w++)
            if (!strstr(buf_str(&errors), cases[i].wanted[w]))
                fail_msg("\"%s\" lacks \"%s\"", buf_str(&errors), cases[i].wanted[w]);
        assert_int_equal(view_find(buf_view(&errors), '\n'), errors.len - 1);
    }
}

/* The machine's faults stand among those of the file, but none for a key that the file has wrong. */
static void all_at_once(void **state) {
    static const char *const wanted[] = {
        "t.ini:5: [sender office] logo: ", "t.ini:10: [relay main] password-file: ", "t.ini:20: [daemon] lanugage: ",
        "t.ini:21: [daemon] timezone: ",   "t.ini:23: [list b] timezone: ",          NULL};
    AUTOBUF struct buf errors = BUF_INIT(10000);
    AUTOFREE char *logo = unit_path(*state, "logo.png");
    make_machine(*state);
    put(*state, "password", "x", 0644);
    assert_int_equal(files_remove_tree(AT_FDCWD, logo), 0);
    assert_int_equal(setenv("TZ", "UTC", 1), 0);
    assert_int_equal(
        check(*state, "lanugage = de\ntimezone = ..\n[list b]\ntimezone = Europe/Berlim\nlanguages = de\n", &errors),
        -EINVAL);
    struct view rest = buf_view(&errors), line;
    for (size_t i = 0; wanted[i]; i++) {
        assert_true(view_line(&rest, &line));
        if (view_search(line, view_of(wanted[i])) == line.len)
            fail_msg("\"%.*s\" should be \"%s\"", (int)line.len, line.ptr, wanted[i]);
    }
    assert_int_equal(rest.len, 0);
}

static void every_template_is_needed_in_every_language(void **state) {
    AUTOBUF struct buf errors = BUF_INIT(10000);
    make_machine(*state);
    assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
    for (size_t i = 0; i < COUNT_OF(templates); i++) {
        AUTOBUF struct buf name = BUF_INIT(100), own = BUF_INIT(100);
        buf_printf(&name, "shipped/common/%s", templates[i]);
        AUTOFREE char *path = unit_path(*state, buf_str(&name));
        assert_int_equal(files_remove_tree(AT_FDCWD, path), 0);
        assert_int_equal(check(*state, "", &errors), -EINVAL);
        assert_non_null(strstr(buf_str(&errors), "is missing for de"));
        assert_non_null(strstr(buf_str(&errors), "is missing for fr"));
        assert_non_null(strstr(buf_str(&errors), templates[i]));
        buf_printf(&own, "local/fr/%s", templates[i]);
        put(*state, buf_str(&own), "x", 0644);
        assert_int_equal(check(*state, "", &errors), -EINVAL);
        assert_null(strstr(buf_str(&errors), "is missing for fr"));
        buf_clear(&own);
        buf_printf(&own, "local/common/%s", templates[i]);
        put(*state, buf_str(&own), "x", 0644);
        assert_int_equal(check(*state, "", &errors), 0);
    }
}

static void keys_must_be_secret(void **state) {
    AUTOBUF struct buf errors = BUF_INIT(10000);
    AUTOFREE char *secret = unit_path(*state, "state/keys");
    AUTOFREE char *public = unit_path(*state, "spool/public/keys");
    AUTOFREE char *master = unit_path(*state, "state/keys/master.key");
    struct why why;
    make_machine(*state);
    assert_int_equal(setenv("TZ", "Europe/Berlin", 1), 0);
    assert_int_equal(keyring_init(secret, public, &why), 0);
    assert_int_equal(check(*state, "", &errors), 0);
    assert_int_equal(chmod(master, 0644), 0);
    assert_int_equal(check(*state, "", &errors), -EINVAL);
    assert_non_null(strstr(buf_str(&errors), "t.ini:15: [daemon] state-dir: "));
    assert_non_null(strstr(buf_str(&errors), "master.key: others may read or change this secret"));
}

static void the_systems_zone(void **state) {
    static const struct {
        const char *tz, *zone;
    } cases[] = {
        {"Europe/Berlin", "Europe/Berlin"},
        {":Europe/Warsaw", "Europe/Warsaw"},
        {"/usr/share/zoneinfo/Europe/Paris", "Europe/Paris"},
        {"UTC", ""},
        {"Etc/UTC", ""},
        {"GMT", ""},
        {"", ""},
        {"CET-1CEST,M3.5.0,M10.5.0/3", ""},
        {"../../etc/passwd", ""},
        {"/etc/localtime", ""},
    };
    AUTOBUF struct buf errors = BUF_INIT(10000);
    make_machine(*state);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char zone[MACHINE_ZONE_MAX + 1];
        assert_int_equal(setenv("TZ", cases[i].tz, 1), 0);
        machine_zone(zone);
        unit_str(cases[i].tz, zone, cases[i].zone);
        unit_int(cases[i].tz, check(*state, "", &errors), cases[i].zone[0] ? 0 : -EINVAL);
        if (!cases[i].zone[0])
            assert_non_null(strstr(buf_str(&errors),
                                   "t.ini:14: [daemon] timezone: this machine's own time zone is UTC or "
                                   "not set, so times would be UTC. Say which zone is meant"));
        assert_int_equal(check(*state, "timezone = UTC\n", &errors), 0); /* who says so may have it */
    }
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, unit_folder, unit_folder_gone)

int main(void) {
    const struct CMUnitTest tests[] = {
        IN_FOLDER(all_is_well),
        IN_FOLDER(single_faults),
        IN_FOLDER(all_at_once),
        IN_FOLDER(keys_must_be_secret),
        IN_FOLDER(every_template_is_needed_in_every_language),
        IN_FOLDER(the_systems_zone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
