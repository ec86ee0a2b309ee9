#include "spool/request.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/number.h"

#include "request_helper.h"
#include "unit.h"

static const char golden_1[] = "tests/data/requests-1.req", golden_2[] = "tests/data/requests-2.req";

struct seen {
    struct buf printed;
    size_t count, stop_at;
    uint32_t verbs, keys;
};

static int on_record(void *user, const struct request *r) {
    struct seen *seen = user;
    request_print(&seen->printed, r);
    seen->verbs |= UINT32_C(1) << r->verb;
    for (enum request_key key = 0; key < REQUEST_KEYS; key++)
        seen->keys |= r->value[key].len ? UINT32_C(1) << key : 0;
    return ++seen->count == seen->stop_at ? -ECANCELED : 0;
}

static void read_golden(const char *path, struct buf *to) {
    assert_int_equal(files_read(AT_FDCWD, path, to), 0);
}

static void the_golden_file_is_read_and_printed_again(void **state) {
    (void)state;
    AUTOBUF struct buf file = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    read_golden(golden_2, &file);
    struct seen seen = {.printed = BUF_INIT(REQUEST_FILE_MAX_BYTES)};
    unsigned line = 0;
    buf_puts(&seen.printed, REQUEST_HEAD);
    assert_int_equal(request_read(buf_view(&file), REQUEST_ANY_DOOR, on_record, &seen, &line), 0);
    buf_puts(&seen.printed, "end\n");
    assert_string_equal(buf_str(&seen.printed), buf_str(&file));
    /* it shows each verb and each key */
    assert_int_equal(seen.verbs, (UINT32_C(1) << REQUEST_VERBS) - 1);
    assert_int_equal(seen.keys, (UINT32_C(1) << REQUEST_KEYS) - 1);
    seen.count = 0;
    seen.stop_at = 2;
    assert_int_equal(request_read(buf_view(&file), REQUEST_ANY_DOOR, on_record, &seen, &line), -ECANCELED);
    assert_int_equal(seen.count, 2);
    buf_done(&seen.printed);
}

static void version_1_is_read(void **state) {
    (void)state;
    AUTOBUF struct buf file = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    read_golden(golden_1, &file);
    struct seen seen = {.printed = BUF_INIT(REQUEST_FILE_MAX_BYTES)};
    unsigned line = 0;
    assert_int_equal(request_read(buf_view(&file), REQUEST_WEB, on_record, &seen, &line), 0);
    struct view printed = buf_view(&seen.printed), first, second, third;
    assert_true(view_line(&printed, &first) && view_line(&printed, &second) && view_line(&printed, &third));
    assert_true(view_starts(first, "000102030405060708090a0b0c0d0e0f\t2025-09-02T10:00:00Z\tleave\ttoken=AQEB"));
    assert_true(view_ends(first, "AA\tannouncement=7\thow=link\tlanguage=de"));
    assert_true(view_ends(second, "AZ\thow=one-click"));
    assert_true(view_ends(third, "AA\tannouncement=9223372036854775807\thow=link\tlanguage=pt-BR"));
    assert_int_equal(printed.len, 0);
    buf_done(&seen.printed);
}

#define HEAD1 "rundbrief-requests 1\n"
#define HEAD REQUEST_HEAD
#define ID "000102030405060708090a0b0c0d0e0f"
#define AT "2025-09-02T10:00:00Z"
#define AS(verb) ID "\t" AT "\t" verb
#define OLD AS("leave") "\tAbc_-9\t7\tlink\tde\n"
#define GOOD AS("leave") "\ttoken=Abc_-9\tannouncement=7\thow=link\tlanguage=de\n"
#define KEPT AS("leave") "\ttoken=A\thow=link\tleave=7\thash=" HASH "\tsubscriber=7\n"
#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SIGN_UP AS("sign-up") "\tlanguage=de\tlist=7\taddress=a@b.example"

static void anything_else_is_refused_whole(void **state) {
    (void)state;
    static const struct {
        const char *file;
        unsigned line; /* 0: accepted */
    } cases[] = {
        {HEAD1 OLD "end\n", 0},
        {HEAD1 OLD OLD "end\n", 0},
        {HEAD1 AS("undo") "\tA\t0\tone-click\t-\nend\n", 0},
        {HEAD1 GOOD "end\n", 2},
        {HEAD1 AS("leave-all") "\tA\t0\tlink\t-\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t7\tlink\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t7\tlink\tde\t\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t7\tlink\tde\r\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t7\tmail\tde\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t\tlink\tde\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t-1\tlink\tde\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t9223372036854775807\tlink\tde\nend\n", 0},
        {HEAD1 AS("leave") "\tA\t9223372036854775808\tlink\tde\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t7\tlink\t--\nend\n", 2},
        {HEAD1 AS("leave") "\tA\t7\tlink\tabcdefghijklmnopq\nend\n", 2},

        {HEAD GOOD "end\n", 0},
        {HEAD GOOD GOOD "end\n", 0},
        {HEAD OLD "end\n", 2},
        {"", 1},
        {HEAD, 2},
        {HEAD "end\n", 2},
        {"rundbrief-requests 2", 1},
        {"rundbrief-requests 0\n" GOOD "end\n", 1},
        {"rundbrief-requests 02\n" GOOD "end\n", 1},
        {"rundbrief-requests \n" GOOD "end\n", 1},
        {"rundbrief-requests 2\r\n" GOOD "end\n", 1},
        {"\xef\xbb\xbf" HEAD GOOD "end\n", 1},
        {GOOD "end\n", 1},
        {HEAD GOOD, 3},
        {HEAD GOOD "end", 3},
        {HEAD GOOD "end\n\n", 4},
        {HEAD GOOD "end\n" GOOD, 4},
        {HEAD GOOD "\nend\n", 3},
        {HEAD GOOD "END\n", 3},
        {HEAD GOOD ID "\n", 3},
        {HEAD "00\t" AT "\tleave\ttoken=A\thow=link\nend\n", 2},
        {HEAD ID "00\t" AT "\tleave\ttoken=A\thow=link\nend\n", 2},
        {HEAD "g00102030405060708090a0b0c0d0e0f\t" AT "\tleave\ttoken=A\thow=link\nend\n", 2},
        {HEAD ID "\t2025-09-02 10:00:00\tleave\ttoken=A\thow=link\nend\n", 2},
        {HEAD ID "\t2025-02-30T10:00:00Z\tleave\ttoken=A\thow=link\nend\n", 2},
        {HEAD AS("join") "\ttoken=A\thow=link\nend\n", 2},
        {HEAD AS("Leave") "\ttoken=A\thow=link\nend\n", 2},
        /* keys: all that must be there, once, in their order, none that may not */
        {HEAD AS("leave") "\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=link\nend\n", 0},
        {HEAD AS("leave") "\thow=link\ttoken=A\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\ttoken=A\thow=link\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=link\taddress=a@b.example\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=link\tcolour=red\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=link\t\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=link\r\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=\nend\n", 2},
        {HEAD AS("leave") "\t=\thow=link\nend\n", 2},
        {HEAD AS("preferences") "\ttoken=A\nend\n", 2}, /* one of several */
        {HEAD AS("preferences") "\ttoken=A\tleave=9\nend\n", 0},
        {HEAD AS("complaint") "\treason=abuse\nend\n", 2},
        {HEAD AS("complaint") "\tcode=abc\treason=abuse\nend\n", 0},
        /* values */
        {HEAD AS("leave") "\ttoken=A B\thow=link\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A=\thow=link\nend\n", 2},
        {HEAD AS("leave") "\ttoken=%41\thow=link\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\tannouncement=0\thow=link\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\tannouncement=007\thow=link\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\tannouncement=9223372036854775808\thow=link\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=link\tlanguage=../de\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=link\tlanguage=abcdefghijklmnop\nend\n", 0},
        {HEAD AS("leave") "\ttoken=A\thow=link\tlanguage=abcdefghijklmnopq\nend\n", 2},
        {HEAD AS("leave") "\ttoken=A\thow=one click\nend\n", 2},
        {HEAD AS("preferences") "\ttoken=A\tjoin=1,4294967295\nend\n", 0},
        {HEAD AS("preferences") "\ttoken=A\tjoin=1,4294967296\nend\n", 2},
        {HEAD AS("preferences") "\ttoken=A\tjoin=1,\nend\n", 2},
        {HEAD AS("preferences") "\ttoken=A\tjoin=1, 2\nend\n", 2},
        {HEAD SIGN_UP "\tconsent=1\twording=Ja\nend\n", 0},
        {HEAD SIGN_UP "\tconsent=1\nend\n", 2},
        {HEAD SIGN_UP "\tgiven-name=100%25 %0A%7F\tconsent=1\twording=Ja\tsource=192.0.2.7\nend\n", 0},
        {HEAD SIGN_UP "\tgiven-name=100%\tconsent=1\twording=Ja\nend\n", 2},
        {HEAD SIGN_UP "\tgiven-name=%4\tconsent=1\twording=Ja\nend\n", 2},
        {HEAD SIGN_UP "\tgiven-name=%0a\tconsent=1\twording=Ja\nend\n", 2},
        {HEAD SIGN_UP "\tgiven-name=%20\tconsent=1\twording=Ja\nend\n", 2},
        {HEAD SIGN_UP "\tgiven-name=%00\tconsent=1\twording=Ja\nend\n", 2},
        {HEAD SIGN_UP "\tgiven-name=\x7f\tconsent=1\twording=Ja\nend\n", 2},
        {HEAD SIGN_UP "\tgiven-name=\xff\tconsent=1\twording=Ja\nend\n", 2},
        {HEAD SIGN_UP "\tconsent=1\twording=Ja\tsource=192.0.2\nend\n", 2},
        {HEAD SIGN_UP "\tconsent=1\twording=Ja\tsource=2001:db8::7\nend\n", 0},
        {HEAD SIGN_UP "\tconsent=1\twording=Ja\tsource=host.example\nend\n", 2},
        {HEAD AS("link") "\taddress=nobody\nend\n", 2},
        {HEAD AS("link") "\taddress=@\nend\n", 0},
        {HEAD AS("erase") "\tby=a\treason=b\thash=abc\nend\n", 2},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct seen seen = {.printed = BUF_INIT(10000)};
        unsigned line = 0;
        unit_int(cases[i].file, request_read(view_of(cases[i].file), REQUEST_ANY_DOOR, on_record, &seen, &line),
                 cases[i].line ? -EBADMSG : 0);
        unit_int(cases[i].file, line, cases[i].line);
        unit_int(cases[i].file, seen.count > 0, cases[i].line == 0); /* nothing of a bad file */
        buf_done(&seen.printed);
    }
}

static void a_later_version_is_known_as_one(void **state) {
    (void)state;
    struct seen seen = {.printed = BUF_INIT(10000)};
    unsigned line = 0;
    assert_int_equal(request_read(VIEW("rundbrief-requests 3\nwhatever\n"), REQUEST_ANY_DOOR, on_record, &seen, &line),
                     -EPROTONOSUPPORT);
    assert_int_equal(seen.count, 0);
}

static void a_door_asks_for_its_own_verbs(void **state) {
    (void)state;
    static const struct {
        const char *file;
        enum request_door doors;
        int result;
    } cases[] = {
        {HEAD GOOD "end\n", REQUEST_WEB, 0},
        {HEAD GOOD "end\n", REQUEST_MAIL, -EBADMSG},
        {HEAD GOOD "end\n", REQUEST_WEB | REQUEST_MAIL, 0},
        {HEAD KEPT "end\n", REQUEST_ANY_DOOR, 0},
        {HEAD KEPT "end\n", REQUEST_WEB | REQUEST_MAIL, -EBADMSG},
        {HEAD AS("preferences") "\ttoken=A\tleave=7\nend\n", REQUEST_WEB, 0},
        {HEAD AS("preferences") "\ttoken=A\tleave=7\tsubscriber=7\nend\n", REQUEST_WEB, -EBADMSG},
        {HEAD AS("complaint") "\tcode=abc\nend\n", REQUEST_MAIL, 0},
        {HEAD AS("complaint") "\tcode=abc\nend\n", REQUEST_WEB, -EBADMSG},
        {HEAD AS("suppress") "\taddress=a@b.example\tby=a\treason=b\nend\n", REQUEST_WEB | REQUEST_MAIL, -EBADMSG},
        {HEAD AS("suppress") "\taddress=a@b.example\tby=a\treason=b\nend\n", REQUEST_COMMAND, 0},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct seen seen = {.printed = BUF_INIT(10000)};
        unsigned line = 0;
        unit_int(cases[i].file, request_read(view_of(cases[i].file), cases[i].doors, on_record, &seen, &line),
                 cases[i].result);
        buf_done(&seen.printed);
    }
}

static void numbers_are_taken_off_a_list_of_them(void **state) {
    (void)state;
    struct view rest = VIEW("0,7,4294967295");
    uint32_t list = 1;
    assert_true(request_next_list(&rest, &list) && list == 0);
    assert_true(request_next_list(&rest, &list) && list == 7);
    assert_true(request_next_list(&rest, &list) && list == UINT32_MAX);
    assert_false(request_next_list(&rest, &list));
    struct view none = VIEW("");
    assert_false(request_next_list(&none, &list));
}

static void every_cut_of_a_file_is_refused(void **state) {
    (void)state;
    AUTOBUF struct buf file = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    read_golden(golden_2, &file);
    for (size_t len = 0; len < file.len; len++) {
        AUTOFREE char *cut = malloc(len + 1);
        assert_non_null(cut);
        memcpy(cut, file.data, len);
        struct seen seen = {.printed = BUF_INIT(10000)};
        unsigned line = 0;
        assert_int_equal(request_read(view_make(cut, len), REQUEST_ANY_DOOR, on_record, &seen, &line), -EBADMSG);
        assert_int_equal(seen.count, 0);
        buf_done(&seen.printed);
    }
}

/* Each key takes a value of its greatest length and no longer one. */
static void the_caps_hold_on_both_sides(void **state) {
    (void)state;
    static const struct {
        enum request_key key;
        size_t max;
        char of;
    } caps[] = {{REQUEST_KEY_TOKEN, REQUEST_TOKEN_MAX, 'x'},    {REQUEST_KEY_LANGUAGE, REQUEST_LANGUAGE_MAX, 'x'},
                {REQUEST_KEY_HOW, REQUEST_WORD_MAX, 'x'},       {REQUEST_KEY_GIVEN_NAME, REQUEST_NAME_MAX, 'x'},
                {REQUEST_KEY_WORDING, REQUEST_TEXT_MAX, '\n'},  {REQUEST_KEY_CODE, 64, 'x'},
                {REQUEST_KEY_ADDRESS, REQUEST_ADDRESS_MAX, '@'}};
    char text[REQUEST_TEXT_MAX + 1];
    for (size_t i = 0; i < COUNT_OF(caps); i++) {
        memset(text, caps[i].of, sizeof text);
        assert_true(request_is_value(caps[i].key, view_make(text, caps[i].max)));
        assert_false(request_is_value(caps[i].key, view_make(text, caps[i].max + 1)));
        assert_false(request_is_value(caps[i].key, view_make(text, 0)));
    }
    AUTOBUF struct buf lists = BUF_INIT(10000);
    for (int i = 0; i < REQUEST_LISTS_MAX; i++)
        buf_printf(&lists, "%s4294967295", i ? "," : "");
    assert_true(request_is_value(REQUEST_KEY_JOIN, buf_view(&lists)));
    buf_puts(&lists, ",1");
    assert_false(request_is_value(REQUEST_KEY_JOIN, buf_view(&lists)));
}

/* Whatever stands in the values, a line is not longer than a reader takes. */
static void the_longest_line_is_read(void **state) {
    (void)state;
    static char text[REQUEST_TEXT_MAX], token[REQUEST_TOKEN_MAX];
    memset(text, '%', sizeof text);
    memset(token, 'x', sizeof token);
    struct request r = {.verb = REQUEST_ERASE,
                        .value = {[REQUEST_KEY_ADDRESS] = view_make(text, REQUEST_ADDRESS_MAX),
                                  [REQUEST_KEY_BY] = view_make(text, REQUEST_NAME_MAX),
                                  [REQUEST_KEY_REASON] = view_make(text, REQUEST_TEXT_MAX)}};
    text[0] = '@';
    AUTOBUF struct buf file = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    buf_puts(&file, HEAD);
    request_print(&file, &r);
    buf_puts(&file, "end\n");
    struct seen seen = {.printed = BUF_INIT(REQUEST_FILE_MAX_BYTES)};
    unsigned line = 0;
    assert_int_equal(request_read(buf_view(&file), REQUEST_COMMAND, on_record, &seen, &line), 0);
    assert_int_equal(seen.count, 1);
    buf_done(&seen.printed);
}

static void a_file_is_bounded(void **state) {
    (void)state;
    AUTOBUF struct buf file = BUF_INIT(REQUEST_FILE_MAX_BYTES + 1000);
    buf_puts(&file, HEAD);
    while (file.len < REQUEST_FILE_MAX_BYTES - 4 - 400)
        buf_puts(&file, GOOD);
    buf_puts(&file, "end\n");
    struct seen seen = {.printed = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES)};
    unsigned line;
    assert_int_equal(request_read(buf_view(&file), REQUEST_WEB, on_record, &seen, &line), 0);
    buf_truncate(&file, file.len - 4);
    while (file.len <= REQUEST_FILE_MAX_BYTES - 4)
        buf_puts(&file, GOOD);
    buf_puts(&file, "end\n");
    assert_int_equal(request_read(buf_view(&file), REQUEST_WEB, on_record, &seen, &line), -EBADMSG);
    buf_done(&seen.printed);
}

static void a_new_record_has_an_id_and_a_time(void **state) {
    (void)state;
    AUTOBUF struct buf lines = BUF_INIT(100);
    struct request r = {.verb = REQUEST_LEAVE, .value = {[REQUEST_KEY_TOKEN] = VIEW("A")}};
    assert_int_equal(request_print_new(&lines, &r), -EINVAL);
    assert_int_equal(lines.len, 0);
    r.value[REQUEST_KEY_HOW] = VIEW("link");
    assert_int_equal(request_print_new(&lines, &r), 0);
    struct request other = r;
    size_t one = lines.len;
    assert_int_equal(request_print_new(&lines, &other), -EMSGSIZE);
    assert_int_equal(lines.len, one);
    assert_memory_not_equal(r.id, other.id, sizeof r.id);
    assert_true(clock_now_usec() - r.at_usec < 60 * USEC_PER_SEC);
}

/* ---- handing over ---- */

static struct request sample(unsigned n) {
    struct request r = {.at_usec = INT64_C(1756807200) * USEC_PER_SEC,
                        .verb = REQUEST_LEAVE,
                        .value = {[REQUEST_KEY_TOKEN] = VIEW("AQEB"),
                                  [REQUEST_KEY_HOW] = VIEW("one-click"),
                                  [REQUEST_KEY_LANGUAGE] = VIEW("de")}};
    memset(r.id, (int)n, sizeof r.id);
    return r;
}

static void records_are_handed_over_in_one_file(void **state) {
    clock_start_at(INT64_C(1756807200) * USEC_PER_SEC); /* 2025-09-02 10:00 UTC */
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    const struct request records[] = {sample(1), sample(2)};
    mode_t before = umask(0077);
    assert_int_equal(hand_over_all(dir, records, 2), 0);
    (void)umask(before);
    char **names;
    size_t count;
    assert_int_equal(files_list(dir, ".", 10, &names, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(strlen(names[0]), strlen("20250902T100000.000000Z-00000000000000000000000000000000.req"));
    assert_memory_equal(names[0], "20250902T10000", 14);
    assert_int_equal(names[0][15], '.');
    assert_memory_equal(names[0] + 22, "Z-", 2);
    assert_string_equal(names[0] + strlen(names[0]) - 4, ".req");
    struct stat st;
    assert_int_equal(fstatat(dir, names[0], &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    AUTOBUF struct buf file = BUF_INIT(10000);
    assert_int_equal(files_read(dir, names[0], &file), 0);
    assert_string_equal(buf_str(&file), HEAD "01010101010101010101010101010101\t2025-09-02T10:00:00Z\tleave\t"
                                             "token=AQEB\thow=one-click\tlanguage=de\n"
                                             "02020202020202020202020202020202\t2025-09-02T10:00:00Z\tleave\t"
                                             "token=AQEB\thow=one-click\tlanguage=de\nend\n");
    files_free_names(names, count);
}

static void names_sort_as_they_were_written(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    for (unsigned n = 1; n <= 20; n++) {
        const struct request record = sample(n);
        assert_int_equal(hand_over_all(dir, &record, 1), 0);
    }
    char **names;
    size_t count;
    assert_int_equal(files_list(dir, ".", 100, &names, &count), 0);
    assert_int_equal(count, 20);
    for (unsigned n = 1; n <= 20; n++) {
        AUTOBUF struct buf file = BUF_INIT(10000), id = BUF_INIT(10);
        assert_int_equal(files_read(dir, names[n - 1], &file), 0);
        buf_printf(&id, "\n%02x%02x", n, n);
        assert_non_null(strstr(buf_str(&file), buf_str(&id)));
    }
    files_free_names(names, count);
}

static void what_does_not_fit_in_one_file_is_told(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    AUTOBUF struct buf records = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES);
    while (records.len + strlen(GOOD) <= REQUEST_RECORDS_MAX_BYTES)
        buf_puts(&records, GOOD);
    assert_int_equal(request_hand_over(dir, buf_view(&records)), 0);
    buf_puts(&records, GOOD);
    assert_int_equal(request_hand_over(dir, buf_view(&records)), -EMSGSIZE);
    char **names;
    size_t count;
    assert_int_equal(files_list(dir, ".", 10, &names, &count), 0);
    files_free_names(names, count);
    assert_int_equal(count, 1);
}

/* What is left after a failure must not be taken for a request. */
static void assert_empty(int dir) {
    char **names;
    size_t count;
    assert_int_equal(files_list(dir, ".", 10, &names, &count), 0);
    files_free_names(names, count);
    assert_int_equal(count, 0);
}

static void a_failed_write_is_told(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    const struct request record = sample(1);
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 50; /* the disk takes the first bytes only */
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int r = hand_over_all(dir, &record, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(r, -EFBIG);
    assert_empty(dir);
    assert_int_equal(hand_over_all(-1, &record, 1), -EBADF);
}

static void a_full_disk_is_told(void **state) {
    const char *folder = *state;
    if (geteuid() != 0 || mount("none", folder, "tmpfs", 0, "size=4k,nr_inodes=3") < 0) {
        print_message("skipped: needs root to mount a tiny file system\n");
        skip();
    }
    int dir = files_open_dir(AT_FDCWD, folder);
    const struct request record = sample(1);
    AUTOBUF struct buf filler = BUF_INIT(4096);
    while (filler.len < 4096)
        buf_putc(&filler, 'x');
    int full = files_write_new(dir, "filler", buf_view(&filler), 0600);
    int no_space = hand_over_all(dir, &record, 1);
    int freed = unlinkat(dir, "filler", 0);
    assert_empty(dir);
    int fits = hand_over_all(dir, &record, 1);
    int no_inode = hand_over_all(dir, &record, 1) == 0 ? hand_over_all(dir, &record, 1) : -ENOSPC;
    (void)close(dir);
    assert_int_equal(umount(folder), 0);
    assert_int_equal(full, 0);
    assert_int_equal(no_space, -ENOSPC);
    assert_int_equal(freed, 0);
    assert_int_equal(fits, 0);
    assert_int_equal(no_inode, -ENOSPC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_golden_file_is_read_and_printed_again),
        cmocka_unit_test(version_1_is_read),
        cmocka_unit_test(a_later_version_is_known_as_one),
        cmocka_unit_test(a_door_asks_for_its_own_verbs),
        cmocka_unit_test(numbers_are_taken_off_a_list_of_them),
        cmocka_unit_test(the_longest_line_is_read),
        cmocka_unit_test(a_file_is_bounded),
        cmocka_unit_test(a_new_record_has_an_id_and_a_time),
        cmocka_unit_test(anything_else_is_refused_whole),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(the_caps_hold_on_both_sides),
        cmocka_unit_test_setup_teardown(records_are_handed_over_in_one_file, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(names_sort_as_they_were_written, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(what_does_not_fit_in_one_file_is_told, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(a_failed_write_is_told, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
