#include "unit.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/apart.h"
#include "failing.h"

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
        assert_int_equal(apart_run("add", add, numbers, &answer, sizeof answer), 0);
    assert_int_equal(answer.sum, 1 + 20 * 5);
    assert_int_equal(answer.open_files, 0);
    assert_int_equal(answer.text[sizeof answer.text - 1], 'x');
    assert_int_equal(changed_by_child, 0);
    assert_int_equal(count_open(), before + 1);
}

/* What the children do, and how often they were there, in memory that all have. */
struct plan {
    int runs, good_from; /* the run from which on it goes well */
    int argument;
    size_t needed_bytes;
};
static struct plan *plan;

static void stop_here(int signal_number) {
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)signal(signal_number, SIG_DFL); /* a sanitizer would tell of it */
    (void)raise(signal_number);
}

static void crash(void) {
    stop_here(plan->argument);
}

static void leave(void) {
    _exit(plan->argument);
}

static void be_killed_for_time(void) {
    (void)alarm(1); /* as APART_SECONDS_MAX, sooner */
    for (;;)
        (void)pause();
}

static void use_processor(void) {
    for (volatile unsigned n = 0;; n++)
        ;
}

static void need_memory(void) {
    char *memory = mmap(NULL, plan->needed_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memset(memory, 1, plan->needed_bytes);
    crash();
}

static void follow_plan(const void *in, void *out) {
    *(int *)out = 2;
    if (++plan->runs < plan->good_from)
        (*(void (*const *)(void))in)();
}

static int run_plan(const struct plan *p, void (*act)(void), int *out) {
    *plan = *p;
    *out = 1;
    return apart_run("test", follow_plan, &act, out, sizeof *out);
}

enum { NEVER = 1000 };

static void test_no_result(void **state) {
    (void)state;
    static const struct {
        const char *label;
        void (*act)(void);
        struct plan plan;
        long left; /* of failing.h: which question for memory fails */
        int result, runs;
    } cases[] = {
        {"segv", crash, {.good_from = NEVER, .argument = SIGSEGV}, -1, -ENOTRECOVERABLE, 2},
        {"abort", crash, {.good_from = NEVER, .argument = SIGABRT}, -1, -ENOTRECOVERABLE, 2},
        {"segv once", crash, {.good_from = 2, .argument = SIGSEGV}, -1, 0, 2},
        {"segv, no memory", crash, {.good_from = NEVER, .argument = SIGSEGV}, 0, -ENOMEM, 1},
        {"segv, soon no memory", crash, {.good_from = NEVER, .argument = SIGSEGV}, 1, -ENOMEM, 2},
        {"exit 0", leave, {.good_from = NEVER, .argument = 0}, -1, -ENOTRECOVERABLE, 2},
        {"exit 1 once", leave, {.good_from = 2, .argument = 1}, -1, 0, 2},
        {"killed, as for memory", crash, {.good_from = NEVER, .argument = SIGKILL}, -1, -ENOMEM, 1},
        {"waits", be_killed_for_time, {.good_from = NEVER}, -1, -ENOMEM, 1},
        {"comes to no end", use_processor, {.good_from = NEVER}, -1, -ENOTRECOVERABLE, 2},
    };
    sigset_t all, before; /* as threads that handle none */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, &before);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int out;
        left = cases[i].left;
        unit_int(cases[i].label, run_plan(&cases[i].plan, cases[i].act, &out), cases[i].result);
        unit_int(cases[i].label, out, cases[i].result == 0 ? 2 : 1);
        unit_int(cases[i].label, plan->runs, cases[i].runs);
        unit_int(cases[i].label, cases[i].left >= 0 ? has_failed : 1, 1);
        left = -1;
        has_failed = false;
    }
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}

/* What a child needed, its parent asks for: here there is no room for as much. */
static void test_needed_memory(void **state) {
    (void)state;
    enum { NEEDED = 64 << 20 };
    static const struct plan p = {.good_from = NEVER, .argument = SIGSEGV, .needed_bytes = NEEDED};
    int out;
    most_bytes = NEEDED / 2;
    int r = run_plan(&p, need_memory, &out);
    most_bytes = SIZE_MAX;
    assert_int_equal(r, -ENOMEM);
    assert_int_equal(plan->runs, 1);
    assert_int_equal(run_plan(&p, need_memory, &out), -ENOTRECOVERABLE);
}

static void test_whoever_ignores_children(void **state) {
    (void)state;
    static struct answer answer;
    int numbers[] = {2, 3};
    (void)signal(SIGCHLD, SIG_IGN);
    int r = apart_run("add", add, numbers, &answer, sizeof answer);
    (void)signal(SIGCHLD, SIG_DFL);
    assert_int_equal(r, 0);
    assert_int_equal(answer.sum, 5);
}

int main(void) {
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (plan == MAP_FAILED)
        return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result),
        cmocka_unit_test(test_no_result),
        cmocka_unit_test(test_needed_memory),
        cmocka_unit_test(test_whoever_ignores_children),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
