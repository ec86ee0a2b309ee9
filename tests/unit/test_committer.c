/* Requests of several threads: each is durable when its caller goes on, many are in one file, and a failure is everybody's. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "base/files.h"
#include "door/committer.h"
#include "spool/ignored.h"
#include "spool/request.h"

enum { THREADS = 16, EACH = 40 };

static char folder[] = "/tmp/rundbrief-committer-XXXXXX";
static struct committer *committer;

static int setup(void **state) {
    (void)state;
    return mkdtemp(folder) ? committer_new(folder, &committer) : -1;
}

static int teardown(void **state) {
    (void)state;
    committer = committer_free(committer);
    return files_remove_tree(AT_FDCWD, folder);
}

/* The records of all files; how many files. */
static size_t read_all(struct buf *to) {
    char **names;
    size_t count, files = 0;
    assert_int_equal(files_list(AT_FDCWD, folder, 10000, &names, &count), 0);
    for (size_t i = 0; i < count; i++) {
        if (!view_ends(view_of(names[i]), ".req"))
            continue; /* being written */
        AUTOBUF struct buf path = BUF_INIT(1000), one = BUF_INIT(REQUEST_FILE_MAX_BYTES);
        buf_printf(&path, "%s/%s", folder, names[i]);
        assert_int_equal(files_read(AT_FDCWD, buf_str(&path), &one), 0);
        buf_add_view(to, buf_view(&one));
        files++;
    }
    files_free_names(names, count);
    return files;
}

static void *put_many(void *user) {
    long me = (long)(intptr_t)user;
    for (int i = 0; i < EACH; i++) {
        AUTOBUF struct buf record = BUF_INIT(1000), all = BUF_INIT(64 << 20), sought = BUF_INIT(100);
        buf_printf(&sought, "code=a%ldb%dc\t", me, i);
        buf_printf(&record, "%032x\t2025-07-01T08:00:00Z\tbounce\t", (unsigned)(me * EACH + i));
        buf_add_view(&record, buf_view(&sought));
        buf_puts(&record, "class=soft\taction=score\treason=full\n");
        if (committer_put(committer, buf_view(&record)) < 0)
            return (void *)"not put";
        if (i % 10 == 0) { /* it is there before its caller goes on */
            (void)read_all(&all);
            if (!strstr(buf_str(&all), buf_str(&sought)))
                return (void *)"not there";
        }
    }
    return NULL;
}

static void test_threads(void **state) {
    (void)state;
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, (void *)(intptr_t)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        if (wrong)
            fail_msg("%s", (const char *)wrong);
    }
    AUTOBUF struct buf all = BUF_INIT(64 << 20);
    size_t files = read_all(&all), records = 0;
    struct view rest = buf_view(&all), line;
    while (view_line(&rest, &line))
        records += view_search(line, VIEW("\tbounce\t")) < line.len;
    assert_int_equal(records, THREADS * EACH);
    assert_int_equal(files, committer_files(committer));
    assert_true(files < THREADS * EACH); /* some came while a file was being synced */
}

static void test_trouble(void **state) {
    (void)state;
    AUTOBUF struct buf large = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES), away = BUF_INIT(100);
    while (large.len <= REQUEST_RECORDS_MAX_BYTES)
        buf_puts(&large, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n");
    assert_int_equal(committer_put(committer, buf_view(&large)), -EMSGSIZE);
    buf_printf(&away, "%s.away", folder);
    assert_int_equal(rename(folder, buf_str(&away)), 0);
    assert_int_equal(committer_put(committer, VIEW("x\n")), -ENOENT);
    committer_ignored(committer); /* is not counted, and that is all */
    assert_int_equal(rename(buf_str(&away), folder), 0);
    assert_int_equal(committer_put(committer, VIEW("x\n")), 0);
}

static void test_ignored(void **state) {
    (void)state;
    static const struct {
        struct view content;
        uint64_t is, next;
    } cases[] = {
        {VIEW("00000000000000000041\n"), 41, 42},
        {VIEW(""), 0, 1},
        {VIEW("00000000000000000041"), 0, 1},
        {VIEW("00000000000000000041\nx"), 0, 1},
        {VIEW("-0000000000000000041\n"), 0, 1},
        {VIEW("00009007199254740992\n"), UINT64_C(1) << 53, UINT64_C(1) << 53},
        {VIEW("99999999999999999999\n"), 0, 1},
    };
    AUTOCLOSE int fd = files_open_dir(AT_FDCWD, folder);
    assert_true(fd >= 0);
    (void)unlinkat(fd, IGNORED_FILE, 0); /* it need not be there */
    assert_int_equal(ignored_read(fd), 0);
    assert_int_equal(ignored_add(fd), 0);
    assert_int_equal(ignored_read(fd), 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        assert_int_equal(unlinkat(fd, IGNORED_FILE, 0), 0);
        assert_int_equal(files_write_new(fd, IGNORED_FILE, cases[i].content, 0644), 0);
        assert_int_equal(ignored_read(fd), cases[i].is);
        assert_int_equal(ignored_add(fd), 0);
        assert_int_equal(ignored_read(fd), cases[i].next);
    }
    /* Somebody else's. */
    assert_int_equal(unlinkat(fd, IGNORED_FILE, 0), 0);
    assert_int_equal(symlinkat("/etc/hostname", fd, IGNORED_FILE), 0);
    assert_int_equal(ignored_read(fd), 0);
    assert_int_equal(ignored_add(fd), -ELOOP);
    assert_int_equal(unlinkat(fd, IGNORED_FILE, 0), 0);
    assert_int_equal(mkfifoat(fd, IGNORED_FILE, 0600), 0);
    assert_int_equal(ignored_read(fd), 0);
    assert_int_not_equal(ignored_add(fd), 0);
    assert_int_equal(unlinkat(fd, IGNORED_FILE, 0), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_trouble),
                                       cmocka_unit_test(test_ignored)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
