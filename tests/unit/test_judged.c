/* Messages of all shapes before judges that nobody of us wrote: GMime and Python's email package, both strict. */
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample_messages.h"

#include "base/files.h"

extern char **environ;

enum { FILES = SAMPLE_SHAPES * SAMPLE_PEOPLE };

struct samples {
    char folder[PATH_MAX];
    char files[FILES + 1][PATH_MAX];
};

static int setup(void **state) {
    static struct samples s;
    (void)snprintf(s.folder, sizeof s.folder, "%s/rundbrief-judged-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(s.folder));
    *state = &s;
    return 0;
}

static int teardown(void **state) {
    struct samples *s = *state;
    return files_remove_tree(AT_FDCWD, s->folder);
}

static void write_sample(const char *path, enum sample_shape shape, size_t person) {
    CLEANUP(merge_done) struct merge plain;
    CLEANUP(merge_done) struct merge html;
    AUTOBUF struct buf proof = BUF_INIT(SAMPLE_LIMIT), to = BUF_INIT(SAMPLE_LIMIT);
    struct message *m = sample_message(SAMPLE_RELATED, &plain, &html, (struct view){0});
    assert_int_equal(message_fill(m, sample_values(person), &proof), 0);
    (void)message_free(m);
    merge_done(&plain);
    merge_done(&html);
    m = sample_message(shape, &plain, &html, buf_view(&proof));
    assert_int_equal(message_fill(m, sample_values(person), &to), 0);
    (void)message_free(m);
    assert_int_equal(files_write_new(AT_FDCWD, path, buf_view(&to), 0600), 0);
}

static int run(const char *const argv[]) {
    pid_t pid;
    int status;
    assert_int_equal(posix_spawnp(&pid, argv[0], NULL, NULL, (char *const *)argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* judge_mime stands in the tools/ beside this program's folder. */
static void find_judge(char path[static PATH_MAX]) {
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 32);
    assert_true(len > 0);
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    (void)snprintf(slash, 32, "/../tools/judge_mime");
}

static void test_write(void **state) {
    struct samples *s = *state;
    for (size_t i = 0; i < FILES; i++) {
        (void)snprintf(s->files[i], sizeof s->files[i], "%.4000s/%s-%zu.eml", s->folder,
                       sample_shape_names[i / SAMPLE_PEOPLE], i % SAMPLE_PEOPLE);
        write_sample(s->files[i], (enum sample_shape)(i / SAMPLE_PEOPLE), i % SAMPLE_PEOPLE);
    }
    (void)snprintf(s->files[FILES], sizeof s->files[FILES], "%.4000s/broken.eml", s->folder);
    assert_int_equal(files_write_new(AT_FDCWD, s->files[FILES],
                                     VIEW("From: a@x.example\r\nTo: <b@x.example\r\nDate: today\r\n"
                                          "Content-Type: multipart/mixed; boundary=b\r\n\r\n--c\r\n\r\n"),
                                     0600),
                     0);
}

/* The judge finds nothing in ours, and something in the broken one. */
static void judge(const struct samples *s, const char *program, const char *script) {
    const char *argv[FILES + 4] = {program, script};
    size_t argc = script ? 2 : 1;
    for (size_t i = 0; i < FILES; i++)
        argv[argc + i] = s->files[i];
    assert_int_equal(run(argv), 0);
    argv[argc] = s->files[FILES];
    argv[argc + 1] = NULL;
    assert_int_equal(run(argv), 1);
}

static void test_gmime(void **state) {
    char path[PATH_MAX];
    find_judge(path);
    judge(*state, path, NULL);
}

static void test_python(void **state) {
    judge(*state, "python3", "tests/tools/judge_mime.py");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_write),
        cmocka_unit_test(test_gmime),
        cmocka_unit_test(test_python),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
