#include "spool/request.h"

#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/number.h"

#include "unit.h"

static const char golden[] = "tests/data/requests-1.req";

struct seen {
    struct buf printed;
    size_t count, stop_at;
};

static int on_record(void *user, const struct request *r) {
    struct seen *seen = user;
    request_print(&seen->printed, r);
    return ++seen->count == seen->stop_at ? -ECANCELED : 0;
}

static void the_golden_file_is_read_and_printed_again(void **state) {
    (void)state;
    AUTOBUF struct buf file = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    assert_int_equal(files_read(AT_FDCWD, golden, &file), 0);
    struct seen seen = {.printed = BUF_INIT(REQUEST_FILE_MAX_BYTES)};
    unsigned line = 0;
    request_print_head(&seen.printed);
    assert_int_equal(request_read(buf_view(&file), on_record, &seen, &line), 0);
    request_print_end(&seen.printed);
    assert_string_equal(buf_str(&seen.printed), buf_str(&file));
    assert_int_equal(seen.count, 3);
    seen.count = 0;
    seen.stop_at = 2;
    assert_int_equal(request_read(buf_view(&file), on_record, &seen, &line), -ECANCELED);
    assert_int_equal(seen.count, 2);
    buf_done(&seen.printed);
}

#define HEAD "rundbrief-requests 1\n"
#define ID "000102030405060708090a0b0c0d0e0f"
#define AT "2025-09-02T10:00:00Z"
#define GOOD ID "\t" AT "\tleave\tAbc_-9\t7\tlink\tde\n"

static void anything_else_is_refused_whole(void **state) {
    (void)state;
    static const struct {
        const char *file;
        unsigned line; /* 0: accepted */
    } cases[] = {
        {HEAD GOOD "end\n", 0},
        {HEAD GOOD GOOD "end\n", 0},
        {HEAD ID "\t" AT "\tundo\tA\t0\tone-click\t-\nend\n", 0},
        {"", 1},
        {HEAD, 2},
        {HEAD "end\n", 2},
        {"rundbrief-requests 1", 1},
        {"rundbrief-requests 2\n" GOOD "end\n", 1},
        {"rundbrief-requests 1\r\n" GOOD "end\n", 1},
        {"\xef\xbb\xbf" HEAD GOOD "end\n", 1},
        {GOOD "end\n", 1},
        {HEAD GOOD, 3},
        {HEAD GOOD "end", 3},
        {HEAD GOOD "end\n\n", 4},
        {HEAD GOOD "end\n" GOOD, 4},
        {HEAD GOOD "\nend\n", 3},
        {HEAD GOOD "END\n", 3},
        {HEAD GOOD ID "\n", 3},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\tde\t\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\tde\r\nend\n", 2},
        {HEAD "00\t" AT "\tleave\tA\t7\tlink\tde\nend\n", 2},
        {HEAD ID "00\t" AT "\tleave\tA\t7\tlink\tde\nend\n", 2},
        {HEAD "g00102030405060708090a0b0c0d0e0f\t" AT "\tleave\tA\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t2025-09-02 10:00:00\tleave\tA\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t2025-02-30T10:00:00Z\tleave\tA\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tjoin\tA\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tLeave\tA\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\t\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA B\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA=\t7\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t-1\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t9223372036854775807\tlink\tde\nend\n", 0},
        {HEAD ID "\t" AT "\tleave\tA\t9223372036854775808\tlink\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t7\tmail\tde\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\t\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\t--\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\t../de\nend\n", 2},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\tabcdefghijklmnop\nend\n", 0},
        {HEAD ID "\t" AT "\tleave\tA\t7\tlink\tabcdefghijklmnopq\nend\n", 2},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct seen seen = {.printed = BUF_INIT(10000)};
        unsigned line = 0;
        unit_int(cases[i].file, request_read(view_of(cases[i].file), on_record, &seen, &line),
                 cases[i].line ? -EBADMSG : 0);
        unit_int(cases[i].file, line, cases[i].line);
        unit_int(cases[i].file, seen.count > 0, cases[i].line == 0); /* nothing of a bad file */
        buf_done(&seen.printed);
    }
}

static void every_cut_of_a_file_is_refused(void **state) {
    (void)state;
    AUTOBUF struct buf file = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    assert_int_equal(files_read(AT_FDCWD, golden, &file), 0);
    for (size_t len = 0; len < file.len; len++) {
        AUTOFREE char *cut = malloc(len + 1);
        assert_non_null(cut);
        memcpy(cut, file.data, len);
        struct seen seen = {.printed = BUF_INIT(10000)};
        unsigned line = 0;
        assert_int_equal(request_read(view_make(cut, len), on_record, &seen, &line), -EBADMSG);
        assert_int_equal(seen.count, 0);
        buf_done(&seen.printed);
    }
}

static void the_caps_hold_on_both_sides(void **state) {
    (void)state;
    AUTOBUF struct buf token = BUF_INIT(300), file = BUF_INIT(REQUEST_FILE_MAX_BYTES + 1000);
    while (token.len < REQUEST_TOKEN_MAX)
        buf_putc(&token, 'x');
    assert_true(request_is_token(buf_view(&token)));
    buf_putc(&token, 'x');
    assert_false(request_is_token(buf_view(&token)));

    request_print_head(&file);
    while (file.len < REQUEST_FILE_MAX_BYTES - 4 - 400)
        buf_puts(&file, GOOD);
    buf_puts(&file, "end\n");
    struct seen seen = {.printed = BUF_INIT(REQUEST_FILE_MAX_BYTES)};
    unsigned line;
    assert_int_equal(request_read(buf_view(&file), on_record, &seen, &line), 0);
    buf_truncate(&file, file.len - 4);
    while (file.len <= REQUEST_FILE_MAX_BYTES - 4)
        buf_puts(&file, GOOD);
    buf_puts(&file, "end\n");
    assert_int_equal(request_read(buf_view(&file), on_record, &seen, &line), -EBADMSG);
    buf_done(&seen.printed);
}

/* ---- handing over ---- */

static struct request sample(unsigned n) {
    struct request r = {.at_usec = INT64_C(1756807200) * USEC_PER_SEC,
                        .verb = REQUEST_LEAVE,
                        .token = VIEW("AQEB"),
                        .announcement = n,
                        .how = REQUEST_ONE_CLICK,
                        .language = VIEW("de")};
    memset(r.id, (int)n, sizeof r.id);
    return r;
}

static void records_are_handed_over_in_one_file(void **state) {
    clock_start_at(INT64_C(1756807200) * USEC_PER_SEC); /* 2025-09-02 10:00 UTC */
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    const struct request records[] = {sample(1), sample(2)};
    mode_t before = umask(0077);
    assert_int_equal(request_hand_over(dir, records, 2), 0);
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
    assert_string_equal(buf_str(&file), HEAD "01010101010101010101010101010101\t2025-09-02T10:00:00Z\tleave\tAQEB\t1\t"
                                             "one-click\tde\n02020202020202020202020202020202\t2025-09-02T10:00:00Z\t"
                                             "leave\tAQEB\t2\tone-click\tde\nend\n");
    files_free_names(names, count);
}

static void names_sort_as_they_were_written(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    for (unsigned n = 1; n <= 20; n++) {
        const struct request record = sample(n);
        assert_int_equal(request_hand_over(dir, &record, 1), 0);
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

static void the_promised_number_fits_in_one_file(void **state) {
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, *state);
    char token[REQUEST_TOKEN_MAX];
    memset(token, 'x', sizeof token);
    AUTOFREE struct request *records = calloc(2 * REQUEST_HAND_OVER_MAX, sizeof *records);
    assert_non_null(records);
    for (size_t i = 0; i < 2 * REQUEST_HAND_OVER_MAX; i++) {
        records[i] = sample(0);
        records[i].announcement = INT64_MAX;
        records[i].token = view_make(token, sizeof token);
        records[i].language = VIEW("abcdefghijklmnop");
    }
    assert_int_equal(request_hand_over(dir, records, REQUEST_HAND_OVER_MAX), 0);
    assert_int_equal(request_hand_over(dir, records, 2 * REQUEST_HAND_OVER_MAX), -EMSGSIZE);
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
    int r = request_hand_over(dir, &record, 1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(r, -EFBIG);
    assert_empty(dir);
    assert_int_equal(request_hand_over(-1, &record, 1), -EBADF);
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
    int no_space = request_hand_over(dir, &record, 1);
    int freed = unlinkat(dir, "filler", 0);
    assert_empty(dir);
    int fits = request_hand_over(dir, &record, 1);
    int no_inode = request_hand_over(dir, &record, 1) == 0 ? request_hand_over(dir, &record, 1) : -ENOSPC;
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
        cmocka_unit_test(anything_else_is_refused_whole),
        cmocka_unit_test(every_cut_of_a_file_is_refused),
        cmocka_unit_test(the_caps_hold_on_both_sides),
        cmocka_unit_test_setup_teardown(records_are_handed_over_in_one_file, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(names_sort_as_they_were_written, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(the_promised_number_fits_in_one_file, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(a_failed_write_is_told, unit_folder, unit_folder_gone),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told, unit_folder, unit_folder_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
