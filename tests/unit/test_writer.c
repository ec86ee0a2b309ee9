#include "door/writer.h"

#include "base/clock.h"
#include "base/number.h"
#include "net/loop.h"

#include "request_helper.h"
#include "unit.h"

struct fixture {
    char *folder;
    struct loop *loop;
    struct loop_source *guard;
    struct writer *writer;
    size_t asked, answered, good;
    bool inside;
    size_t files_at_answer;
};

static void on_guard(void *user) {
    (void)user;
    fail_msg("no answer came");
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    void *folder;
    assert_non_null(f);
    assert_int_equal(unit_folder(&folder), 0);
    f->folder = folder;
    assert_int_equal(loop_new(&f->loop), 0);
    assert_int_equal(loop_add_timer(f->loop, on_guard, f, &f->guard), 0);
    loop_set_timer(f->guard, clock_mono_usec() + 30 * USEC_PER_SEC);
    assert_int_equal(writer_new(f->loop, f->folder, &f->writer), 0);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    (void)writer_free(f->writer);
    (void)loop_remove(f->guard);
    (void)loop_free(f->loop);
    void *folder = f->folder;
    free(f);
    return unit_folder_gone(&folder);
}

static void on_done(void *user, int result) {
    struct fixture *f = user;
    assert_false(f->inside);
    f->good += result == 0;
    f->files_at_answer = writer_files(f->writer);
    if (++f->answered == f->asked)
        loop_stop(f->loop, 0);
}

static int add(struct fixture *f, struct writer_job **ret_job) {
    char token[] = "Token", language[] = "de"; /* copied: gone when this returns */
    struct request request = {.verb = REQUEST_LEAVE,
                              .value = {[REQUEST_KEY_TOKEN] = view_of(token),
                                        [REQUEST_KEY_ANNOUNCEMENT] = VIEW("7"),
                                        [REQUEST_KEY_HOW] = VIEW("one-click"),
                                        [REQUEST_KEY_LANGUAGE] = view_of(language)}};
    f->inside = true;
    int r = writer_add(f->writer, &request, on_done, f, ret_job);
    f->inside = false;
    memset(token, 'x', sizeof token - 1);
    f->asked += r == 0;
    return r;
}

static int on_record(void *user, const struct request *r) {
    size_t *records = user;
    assert_true(view_eq_str(request_get(r, REQUEST_KEY_TOKEN), "Token"));
    assert_true(view_eq_str(request_get(r, REQUEST_KEY_LANGUAGE), "de"));
    assert_int_equal(request_number(r, REQUEST_KEY_ANNOUNCEMENT), 7);
    assert_true(clock_now_usec() - r->at_usec < 60 * USEC_PER_SEC);
    ++*records;
    return 0;
}

/* The number of records in all files. */
static size_t stored(const struct fixture *f, size_t *ret_files) {
    char **names;
    size_t records = 0;
    AUTOCLOSE int dir = files_open_dir(AT_FDCWD, f->folder);
    assert_int_equal(files_list(dir, ".", 10000, &names, ret_files), 0);
    for (size_t i = 0; i < *ret_files; i++) {
        AUTOBUF struct buf text = BUF_INIT(REQUEST_FILE_MAX_BYTES);
        unsigned line;
        assert_true(view_ends(view_of(names[i]), ".req"));
        assert_int_equal(files_read(dir, names[i], &text), 0);
        assert_int_equal(request_read(buf_view(&text), REQUEST_WEB, on_record, &records, &line), 0);
    }
    files_free_names(names, *ret_files);
    return records;
}

static void what_comes_meanwhile_shares_a_file(void **state) {
    struct fixture *f = *state;
    struct writer_job *job;
    size_t files;
    for (int i = 0; i < 100; i++)
        assert_int_equal(add(f, &job), 0);
    assert_int_equal(f->answered, 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->good, 100);
    assert_int_equal(stored(f, &files), 100);
    assert_int_equal(files, 2); /* the first, and all that came while it was written */
    assert_int_equal(writer_files(f->writer), 2);
    /* And it goes on. */
    assert_int_equal(add(f, &job), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(stored(f, &files), 101);
    assert_int_equal(files, 3);
}

static void the_number_that_waits_is_capped(void **state) {
    struct fixture *f = *state;
    struct writer_job *job;
    size_t files;
    for (size_t i = 0; i < 1 + WRITER_WAITING_MAX; i++) /* one is on its way already */
        assert_int_equal(add(f, &job), 0);
    assert_int_equal(add(f, &job), -EBUSY);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->good, 1 + WRITER_WAITING_MAX);
    assert_int_equal(stored(f, &files), 1 + WRITER_WAITING_MAX);
    assert_int_equal(files, 2);
}

/* Long records: as many as a file holds go together, and so many bytes wait. */
static void files_are_filled_and_the_bytes_that_wait_are_capped(void **state) {
    struct fixture *f = *state;
    static char wording[REQUEST_TEXT_MAX];
    struct writer_job *job;
    memset(wording, 'x', sizeof wording);
    struct request long_one = {.verb = REQUEST_SIGN_UP,
                               .value = {[REQUEST_KEY_LIST] = VIEW("7"),
                                         [REQUEST_KEY_ADDRESS] = VIEW("a@b.example"),
                                         [REQUEST_KEY_LANGUAGE] = VIEW("de"),
                                         [REQUEST_KEY_CONSENT] = VIEW("1"),
                                         [REQUEST_KEY_WORDING] = view_make(wording, sizeof wording)}};
    AUTOBUF struct buf line = BUF_INIT(REQUEST_LINE_MAX_BYTES);
    assert_int_equal(request_print_new(&line, &long_one), 0);
    int r;
    while ((r = writer_add(f->writer, &long_one, on_done, f, &job)) == 0)
        f->asked++;
    assert_int_equal(r, -EBUSY);
    assert_int_equal(f->asked, 1 + (WRITER_WAITING_MAX_BYTES + line.len - 1) / line.len);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->good, f->asked);
    assert_int_equal(writer_files(f->writer), 4); /* the first, two full ones, and what is left */
    long_one.value[REQUEST_KEY_LIST] = VIEW("");
    assert_int_equal(writer_add(f->writer, &long_one, on_done, f, &job), -EINVAL);
}

static void a_forgotten_request_is_written_all_the_same(void **state) {
    struct fixture *f = *state;
    struct writer_job *forgotten[2], *job;
    size_t files;
    assert_int_equal(add(f, &forgotten[0]), 0);
    assert_int_equal(add(f, &forgotten[1]), 0);
    assert_int_equal(add(f, &job), 0);
    writer_forget(forgotten[0]); /* being written */
    writer_forget(forgotten[1]); /* waiting */
    f->asked = 1;
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->answered, 1);
    assert_int_equal(stored(f, &files), 3);
}

static void failures_are_told_and_pass(void **state) {
    struct fixture *f = *state;
    struct writer_job *job;
    AUTOBUF struct buf away = BUF_INIT(4096);
    buf_printf(&away, "%s.away", f->folder);
    const char *aside = buf_str(&away);
    size_t files;
    assert_int_equal(rename(f->folder, aside), 0); /* the spool is not there (yet) */
    assert_int_equal(add(f, &job), 0);
    assert_int_equal(add(f, &job), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->answered, 2);
    assert_int_equal(f->good, 0);
    assert_int_equal(rename(aside, f->folder), 0);
    assert_int_equal(add(f, &job), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->good, 1);
    assert_int_equal(stored(f, &files), 1);
}

static void stopping_answers_nothing(void **state) {
    struct fixture *f = *state;
    struct writer_job *job;
    for (int i = 0; i < 100; i++)
        assert_int_equal(add(f, &job), 0);
    f->writer = writer_free(f->writer);
    assert_int_equal(f->answered, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_comes_meanwhile_shares_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(the_number_that_waits_is_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(files_are_filled_and_the_bytes_that_wait_are_capped, setup, teardown),
        cmocka_unit_test_setup_teardown(a_forgotten_request_is_written_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(failures_are_told_and_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_answers_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
