#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/apart.h"

struct answer {
    int sum, open_files;
    char text[100000];
};

static int changed_by_child;

static int count_open(void) {
    int count = 0;
    for (int fd = 3; fd < 100; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void add(const void *in, void *out) {
    const int *numbers = in;
    struct answer *answer = out;
    AUTOFREE char *memory = malloc(1000); /* it may ask for memory */
    changed_by_child = memory ? 1 : 2;
    answer->sum += numbers[0] + numbers[1];
    answer->open_files = count_open();
    memset(answer->text, 'x', sizeof answer->text);
}

static void test_result(void **state) {
    (void)state;
    static struct answer answer = {.sum = 1};
    int numbers[] = {2, 3}, before = count_open();
    AUTOCLOSE int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 0; i < 20; i++)
        assert_int_equal(apart_run(add, numbers, &answer, sizeof answer), 0);
    assert_int_equal(answer.sum, 1 + 20 * 5);
    assert_int_equal(answer.open_files, 0);
    assert_int_equal(answer.text[sizeof answer.text - 1], 'x');
    assert_int_equal(changed_by_child, 0);
    assert_int_equal(count_open(), before + 1);
}

static void crash(const void *in, void *out) {
    *(int *)out = 2;
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(*(const int *)in, SIG_DFL); /* a sanitizer would tell of it */
    (void)raise(*(const int *)in);
}

static void leave(const void *in, void *out) {
    *(int *)out = 2;
    _exit(*(const int *)in);
}

static void hang(const void *in, void *out) {
    *(int *)out = *(const int *)in;
    (void)alarm(1); /* as APART_SECONDS_MAX, sooner */
    for (;;)
        (void)pause();
}

static void test_no_result(void **state) {
    (void)state;
    static const struct {
        const char *label;
        void (*run)(const void *in, void *out);
        int in;
    } cases[] = {{"abort", crash, SIGABRT}, {"segv", crash, SIGSEGV}, {"kill", crash, SIGKILL},
                 {"exit 0", leave, 0},      {"exit 1", leave, 1},     {"hang", hang, 2}};
    sigset_t all, before; /* as threads that handle none */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int out = 1;
        unit_int(cases[i].label, apart_run(cases[i].run, &cases[i].in, &out, sizeof out), -ENOMEM);
        unit_int(cases[i].label, out, 1);
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

static void test_whoever_ignores_children(void **state) {
    (void)state;
    static struct answer answer;
    int numbers[] = {2, 3};
    (void)signal(SIGCHLD, SIG_IGN);
    int r = apart_run(add, numbers, &answer, sizeof answer);
    (void)signal(SIGCHLD, SIG_DFL);
    assert_int_equal(r, 0);
    assert_int_equal(answer.sum, 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_no_result),
        cmocka_unit_test(test_whoever_ignores_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
