#include "unit.h"

#include <sys/mman.h>

#include "base/log.h"

/* What standard error says while a test logs. */
static struct buf said = BUF_INIT(100000);
static int real_stderr = -1, capture = -1;

static int begin_capture(void **state) {
    (void)state;
    buf_clear(&said);
    capture = memfd_create("stderr", MFD_CLOEXEC);
    real_stderr = dup(STDERR_FILENO);
    return capture < 0 || real_stderr < 0 || dup2(capture, STDERR_FILENO) < 0 ? -1 : 0;
}

static int end_capture(void **state) {
    (void)state;
    log_set_level(LOG_INFO);
    buf_done(&said);
    return dup2(real_stderr, STDERR_FILENO) < 0 || close(real_stderr) < 0 || close(capture) < 0 ? -1 : 0;
}

static const char *logged(void) {
    char chunk[8192];
    off_t size = lseek(capture, 0, SEEK_END);
    buf_clear(&said);
    for (off_t at = 0; at < size;) {
        ssize_t n = pread(capture, chunk, sizeof chunk, at);
        assert_true(n > 0);
        buf_add(&said, chunk, (size_t)n);
        at += n;
    }
    assert_int_equal(ftruncate(capture, 0), 0);
    (void)lseek(capture, 0, SEEK_SET);
    return buf_str(&said);
}

static void fields(void **state) {
    (void)state;
    log_warning("relay-paused", LOG_TEXT("relay", "main"), LOG_NUM("seconds", 30),
                LOG_TEXT("reason", "550 5.7.1 not allowed"));
    assert_string_equal(logged(), "<4>relay-paused relay=main seconds=30 reason=\"550 5.7.1 not allowed\"\n");
    log_info("started");
    assert_string_equal(logged(), "<6>started\n");
    log_error("x", LOG_NUM("least", INT64_MIN), LOG_TEXT("empty", ""), LOG_TEXT("none", NULL));
    assert_string_equal(logged(), "<3>x least=-9223372036854775808 empty=\"\" none=0\n");
}

static void values_cannot_forge_fields_or_lines(void **state) {
    (void)state;
    log_info("x", LOG_TEXT("a", "q\" b=1"), LOG_TEXT("c", "line\nbreak"), LOG_TEXT("d", "back\\slash"),
             LOG_TEXT("e", "\x1B[31m"), LOG_TEXT("f", "b=2"), LOG_TEXT("g", "Zoë"), LOG_TEXT("h", "\xFF"));
    assert_string_equal(logged(),
                        "<6>x a=\"q\\\" b=1\" c=line\\x0abreak d=\"back\\\\slash\" e=\\x1b[31m f=\"b=2\" g=Zoë "
                        "h=\\xff\n");
}

static void addresses_are_masked(void **state) {
    (void)state;
    static const struct {
        const char *text, *masked;
    } cases[] = {
        {"550 5.1.1 <vera.m+x@subscribers.example>: unknown", "\"550 5.1.1 <[address]>: unknown\""},
        {"vera@subscribers.example", "[address]"},
        {"to=vera@a.example,orcpt=rfc822;luc@b.example", "\"to=[address],orcpt=rfc822;[address]\""},
        {"\"v. m\"@a.example", "\"\\\"v. m\\\"@a.example\""}, /* a quoted local part keeps its domain */
        {"Zoë@пошта.example!", "[address]"},
        {"@", "@"},
        {"a@ b", "\"a@ b\""},
        {"@@x@", "@@x@"},
        {"@relay.example:vera@a.example", "@relay.example:[address]"},
        {"@vera@a.example", "@[address]"},
        {"at @home", "\"at @home\""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf line = BUF_INIT(1000);
        buf_printf(&line, "<6>x reply=%s\n", cases[i].masked);
        log_info("x", LOG_TEXT("reply", cases[i].text));
        assert_string_equal(logged(), buf_str(&line));
    }
}

static void levels(void **state) {
    (void)state;
    log_debug("hidden");
    assert_string_equal(logged(), "");
    log_set_level(LOG_DEBUG);
    log_debug("shown");
    assert_string_equal(logged(), "<7>shown\n");
    log_set_level(LOG_ERR);
    log_warning("hidden");
    log_error("shown");
    assert_string_equal(logged(), "<3>shown\n");
}

static void long_lines_are_cut_at_a_whole_character(void **state) {
    (void)state;
    static char text[6000];
    for (size_t lead = 0; lead < 3; lead++) {
        memset(text, 0, sizeof text);
        memset(text, 'x', lead);
        for (size_t i = lead; i + 3 < sizeof text; i += 3)
            memcpy(text + i, "€", 3);
        log_info("long", LOG_TEXT("text", text));
        const char *line = logged();
        size_t len = strlen(line);
        assert_in_range(len, LOG_LINE_MAX - 2, LOG_LINE_MAX + 1);
        assert_int_equal(line[len - 1], '\n');
        assert_memory_equal(line + len - 4, "€", 3);
    }
    memset(text, 'y', sizeof text - 1);
    log_info("longer", LOG_TEXT("a", text), LOG_TEXT("b", text));
    assert_int_equal(strlen(logged()), LOG_LINE_MAX + 1);
}

static void reasons(void **state) {
    (void)state;
    struct why why;
    assert_int_equal(why_set(&why, -EINVAL, "\"%s\" is not a number", "ab\ncd"), -EINVAL);
    AUTOBUF struct buf b = BUF_INIT(1000);
    why_print(&why, &b);
    assert_string_equal(buf_str(&b), "\"ab?cd\" is not a number");
    why_where(&why, "%s:%d", "conf.ini", 7);
    why_todo(&why, "Give a number");
    buf_clear(&b);
    why_print(&why, &b);
    assert_string_equal(buf_str(&b), "conf.ini:7: \"ab?cd\" is not a number. Give a number");
    log_why(LOG_ERR, "refused", &why);
    assert_string_equal(logged(),
                        "<3>refused where=conf.ini:7 what=\"\\\"ab?cd\\\" is not a number\" todo=\"Give a number\"\n");
    (void)why_set(&why, 0, "which one?");
    why_todo(&why, "Say it");
    buf_clear(&b);
    why_print(&why, &b);
    assert_string_equal(buf_str(&b), "which one? Say it");
    char wide[1000] = "";
    for (size_t i = 0; i + 2 < sizeof wide; i += 2)
        memcpy(wide + i, "ä", 3);
    (void)why_set(&why, 0, "%s", wide);
    assert_int_equal(strlen(why.what), sizeof why.what - 2); /* odd room, two-byte characters */
    assert_string_equal(why.where, "");
    assert_string_equal(why.todo, "");
}

#define CAPTURED(test) cmocka_unit_test_setup_teardown(test, begin_capture, end_capture)

int main(void) {
    const struct CMUnitTest tests[] = {
        CAPTURED(fields), CAPTURED(values_cannot_forge_fields_or_lines),     CAPTURED(addresses_are_masked),
        CAPTURED(levels), CAPTURED(long_lines_are_cut_at_a_whole_character), CAPTURED(reasons),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
