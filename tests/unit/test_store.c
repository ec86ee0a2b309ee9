#include "store_helper.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/number.h"
#include "store/store.h"

struct house {
    char folder[64];
    int wake_fd;
    struct store *store;
};

static void on_wake(void *user) {
    struct house *h = user;
    (void)eventfd_write(h->wake_fd, 1); /* blocks at 2^64 only */
}

static void open_store(struct house *h) {
    struct why why;
    if (store_open(h->folder, on_wake, h, &why, &h->store) < 0)
        fail_msg("%s", why.what);
}

static int setup(void **state) {
    struct house *h = calloc(1, sizeof *h);
    if (!h)
        return -1;
    (void)snprintf(h->folder, sizeof h->folder, "/tmp/rundbrief-test-XXXXXX");
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!mkdtemp(h->folder) || h->wake_fd < 0)
        return -1;
    log_set_level(LOG_CRIT);
    open_store(h);
    *state = h;
    return 0;
}

static int teardown(void **state) {
    struct house *h = *state;
    h->store = store_close(h->store);
    (void)close(h->wake_fd);
    int r = files_remove_tree(AT_FDCWD, h->folder);
    free(h);
    return r;
}

/* Waits for one wake-up and runs the callbacks; false after the time. */
static bool turn(struct house *h, int timeout_msec) {
    struct pollfd fd = {.fd = h->wake_fd, .events = POLLIN};
    if (poll(&fd, 1, timeout_msec) <= 0)
        return false;
    eventfd_t count;
    (void)eventfd_read(h->wake_fd, &count); /* it was readable */
    store_dispatch(h->store);
    return true;
}

/* What jobs leave behind, in the order of their callbacks. */
static char journal[256];

struct test_job {
    struct store_job job;
    char name;
    const char *sql;
    int answer, rounds, sleep_usec, done, result;
    const struct store_chain *asks; /* whether what came before came to nothing */
};

static int step(struct store_job *job, struct db *db) {
    struct test_job *t = (struct test_job *)job;
    if (t->asks && t->asks->failure)
        return t->asks->failure;
    if (t->sleep_usec)
        usleep((useconds_t)t->sleep_usec);
    if (t->sql) {
        int r = db_run(db, t->sql, NULL, "");
        if (r < 0)
            return r;
    }
    if (t->rounds > 0 && --t->rounds > 0) {
        usleep(1000);
        return STORE_MORE;
    }
    return t->answer;
}

static void on_done(struct store_job *job, int result) {
    struct test_job *t = (struct test_job *)job;
    t->done++;
    t->result = result;
    size_t len = strlen(journal);
    if (len + 1 < sizeof journal) {
        journal[len] = t->name;
        journal[len + 1] = '\0';
    }
}

#define JOB(lane_, name_, ...)                                                                                         \
    { .job = {.lane = (lane_), .step = step, .done = on_done}, .name = (name_), __VA_ARGS__ }

static void run_all(struct house *h) {
    while (store_pending(h->store))
        if (!turn(h, 20000))
            fail_msg("the store does not wake the loop");
}

static int64_t count_meta(struct house *h) {
    h->store = store_close(h->store);
    char path[96];
    (void)snprintf(path, sizeof path, "%s/store.db", h->folder);
    struct db *db;
    struct why why;
    assert_int_equal(db_open(path, &why, &db), 0);
    int64_t n = fixture_int(db, "SELECT count(*) FROM meta WHERE key <> 'probe'");
    (void)db_close(db);
    open_store(h);
    return n;
}

static void jobs_run_and_tell(void **state) {
    struct house *h = *state;
    journal[0] = '\0';
    struct test_job jobs[] = {
        JOB(STORE_URGENT, 'a', .sql = "INSERT INTO meta VALUES ('a', 1)"),
        JOB(STORE_URGENT, 'b', .sql = "INSERT INTO meta VALUES ('b', 1)", .answer = -EPERM),
        JOB(STORE_URGENT, 'c', .sql = "INSERT INTO meta VALUES ('a', 1)"),
        JOB(STORE_URGENT, 'd', .sql = "INSERT INTO meta VALUES ('d', 1)"),
    };
    for (size_t i = 0; i < 4; i++)
        store_submit(h->store, &jobs[i].job);
    assert_int_equal(store_pending(h->store), 4);
    run_all(h);
    assert_string_equal(journal, "abcd");
    assert_int_equal(jobs[0].result, 0);
    assert_int_equal(jobs[1].result, -EPERM);
    assert_int_equal(jobs[2].result, -EEXIST);
    assert_int_equal(jobs[3].result, 0);
    assert_int_equal(store_trouble(h->store), 0);
    assert_int_equal(count_meta(h), 2);
}

/* Of a text that had no room, and was not asked. */
static int step_short(struct store_job *job, struct db *db) {
    arena_fail(&(struct arena){0});
    return step(job, db);
}

/* Whatever its steps say then, and nothing of it for the job behind it. */
static void memory_that_ends_undoes_a_step(void **state) {
    struct house *h = *state;
    struct test_job jobs[] = {
        JOB(STORE_URGENT, 'a', .sql = "INSERT INTO meta VALUES ('a', 1)"),
        JOB(STORE_URGENT, 'b', .answer = -EINVAL),
        JOB(STORE_URGENT, 'c', .sql = "INSERT INTO meta VALUES ('c', 1)"),
    };
    jobs[0].job.step = jobs[1].job.step = step_short;
    for (size_t i = 0; i < COUNT_OF(jobs); i++)
        store_submit(h->store, &jobs[i].job);
    run_all(h);
    assert_int_equal(jobs[0].result, -ENOMEM);
    assert_string_equal(jobs[0].job.why.what, "out of memory");
    assert_int_equal(jobs[1].result, -ENOMEM);
    assert_int_equal(jobs[2].result, 0);
    assert_int_equal(store_trouble(h->store), 0);
    assert_int_equal(count_meta(h), 1);
}

static void lanes_keep_their_order(void **state) {
    struct house *h = *state;
    journal[0] = '\0';
    struct test_job jobs[] = {
        JOB(STORE_NORMAL, '0', .rounds = 5), /* holds the thread while the others are queued */
        JOB(STORE_BULK, 'x', .rounds = 2),   JOB(STORE_NORMAL, 'm', .rounds = 3),
        JOB(STORE_NORMAL, 'n', .rounds = 1), JOB(STORE_URGENT, 'u', .rounds = 0),
    };
    for (size_t i = 0; i < 5; i++)
        store_submit(h->store, &jobs[i].job);
    run_all(h);
    /* urgent ones with the next transaction; n is not held up by m; bulk after all normal ones */
    assert_string_equal(journal, "unm0x");
}

static void urgent_work_overtakes_a_long_one(void **state) {
    struct house *h = *state;
    journal[0] = '\0';
    struct test_job bulk = JOB(STORE_BULK, 'x', .rounds = 300), urgent = JOB(STORE_URGENT, 'u', .rounds = 0);
    store_submit(h->store, &bulk.job);
    usleep(5000);
    store_submit(h->store, &urgent.job);
    assert_true(turn(h, 5000));
    assert_string_equal(journal, "u");
    assert_int_equal(bulk.done, 0);
    run_all(h);
    assert_int_equal(bulk.done, 1);
}

static void urgent_work_may_take_several_turns(void **state) {
    struct house *h = *state;
    journal[0] = '\0';
    struct test_job jobs[] = {JOB(STORE_URGENT, 'l', .rounds = 4), JOB(STORE_URGENT, 's', .rounds = 0)};
    store_submit(h->store, &jobs[0].job);
    store_submit(h->store, &jobs[1].job);
    run_all(h);
    assert_string_equal(journal, "sl");
}

static void closing_runs_what_is_queued(void **state) {
    struct house *h = *state;
    journal[0] = '\0';
    struct test_job jobs[] = {JOB(STORE_BULK, 'x', .rounds = 3, .sql = "INSERT INTO meta VALUES (random(), 1)"),
                              JOB(STORE_URGENT, 'u', .sql = "INSERT INTO meta VALUES ('u', 1)")};
    store_submit(h->store, &jobs[0].job);
    store_submit(h->store, &jobs[1].job);
    assert_int_equal(count_meta(h), 4);
    assert_string_equal(journal, "ux");
}

struct resubmitting {
    struct store_job job;
    struct store *store;
    int count, last;
};

static int do_nothing(struct store_job *job, struct db *db) {
    (void)job, (void)db;
    return 0;
}

static void submit_again(struct store_job *job, int result) {
    struct resubmitting *t = (struct resubmitting *)job;
    t->last = result;
    if (t->count++ == 0)
        store_submit(t->store, job);
}

static void nothing_new_while_closing(void **state) {
    struct house *h = *state;
    struct resubmitting t = {.job = {.step = do_nothing, .done = submit_again}, .store = h->store};
    store_submit(h->store, &t.job);
    h->store = store_close(h->store);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.last, -ESHUTDOWN);
    assert_null(store_close(NULL));
}

static void a_second_store_is_kept_out(void **state) {
    struct house *h = *state;
    struct why why;
    struct store *second = NULL;
    assert_int_equal(store_open(h->folder, on_wake, h, &why, &second), -EBUSY);
    assert_null(second);
}

/* A full disk: urgent work waits and comes through, other work fails, reading goes on. */
static void trouble_passes(void **state) {
    struct house *h = *state;
    journal[0] = '\0';
    struct test_job full = JOB(STORE_NORMAL, 'f', .sql = "PRAGMA max_page_count = 1"),
                    urgent = JOB(STORE_URGENT, 'u', .sql = "INSERT INTO meta VALUES ('u', zeroblob(300000))"),
                    other = JOB(STORE_BULK, 'o', .sql = "INSERT INTO meta VALUES ('o', zeroblob(300000))"),
                    reader = JOB(STORE_NORMAL, 'r', .sql = "SELECT count(*) FROM meta"),
                    later = JOB(STORE_URGENT, 'v', .sql = "INSERT INTO meta VALUES ('v', 1)"),
                    empty = JOB(STORE_NORMAL, 'e', .sql = "PRAGMA max_page_count = 100000");
    store_submit(h->store, &full.job);
    run_all(h);
    store_submit(h->store, &other.job);
    run_all(h);
    assert_int_equal(other.result, -ENOSPC);
    assert_string_equal(other.job.why.what, "the store cannot write: No space left on device");

    urgent.sleep_usec = 50000;
    store_submit(h->store, &urgent.job);
    usleep(10000);
    store_submit(h->store, &later.job); /* while the other is about to fail; its turn still comes after */
    for (int i = 0; i < 2000 && !store_trouble(h->store); i++)
        usleep(1000);
    assert_int_equal(store_trouble(h->store), -ENOSPC);
    assert_int_equal(urgent.done, 0);
    store_submit(h->store, &reader.job);
    assert_true(turn(h, 5000));
    assert_int_equal(reader.done, 1);
    assert_int_equal(reader.result, 0);
    assert_int_equal(urgent.done, 0);
    assert_int_equal(store_trouble(h->store), -ENOSPC);

    int64_t begun = clock_mono_usec();
    store_submit(h->store, &empty.job);
    run_all(h);
    assert_int_equal(urgent.done, 1);
    assert_int_equal(urgent.result, 0);
    assert_true(clock_mono_usec() - begun < 5 * USEC_PER_SEC);
    assert_int_equal(store_trouble(h->store), 0);
    assert_string_equal(journal, "foreuv");
}

/* Outside of any transaction, while others commit in between; a chain that is open ends before it. */
static int step_apart(struct store_job *job, struct db *db) {
    struct test_job *t = (struct test_job *)job;
    if (db_in_transaction(db))
        return -EINVAL;
    usleep(1000);
    return --t->rounds > 0 ? STORE_MORE : t->answer;
}

static void a_job_stands_apart(void **state) {
    struct house *h = *state;
    struct store_chain chain = {0};
    journal[0] = '\0';
    struct test_job link = JOB(STORE_BULK, 'l', .sql = "INSERT INTO meta VALUES ('l', 1)"),
                    apart = JOB(STORE_BULK, 'a', .rounds = 50),
                    wrong = JOB(STORE_BULK, 'w', .rounds = 1, .answer = -EPERM),
                    urgent = JOB(STORE_URGENT, 'u', .sql = "INSERT INTO meta VALUES ('u', 1)");
    apart.job.step = wrong.job.step = step_apart;
    apart.job.apart = wrong.job.apart = true;
    link.job.chain = &chain;
    store_submit(h->store, &link.job);
    run_all(h);
    store_submit(h->store, &apart.job);
    store_submit(h->store, &wrong.job);
    usleep(5000);
    store_submit(h->store, &urgent.job);
    run_all(h);
    assert_int_equal(apart.result, 0);
    assert_int_equal(wrong.result, -EPERM);
    assert_true(strchr(journal, 'u') < strchr(journal, 'a'));
    assert_int_equal(count_meta(h), 2);
}

/* Beside the store's thread: while a step of that one waits for it. */
static atomic_bool aside_ran;
static int step_aside(struct store_job *job, struct db *db) {
    assert_null(db);
    aside_ran = true;
    return ((struct test_job *)job)->answer;
}
static int step_waits_for_aside(struct store_job *job, struct db *db) {
    (void)job, (void)db;
    for (int i = 0; i < 5000 && !aside_ran; i++)
        usleep(1000);
    return aside_ran ? STORE_DONE : -ETIME;
}

static void a_job_goes_aside(void **state) {
    struct house *h = *state;
    aside_ran = false;
    journal[0] = '\0';
    struct test_job waits = JOB(STORE_NORMAL, 'w', .rounds = 1), aside = JOB(STORE_NORMAL, 'a', .answer = -EPERM),
                    last = JOB(STORE_NORMAL, 'l', .rounds = 1);
    waits.job.step = step_waits_for_aside;
    aside.job.step = last.job.step = step_aside;
    aside.job.aside = last.job.aside = true;
    store_submit(h->store, &waits.job);
    store_submit(h->store, &aside.job);
    run_all(h);
    assert_int_equal(waits.result, 0);
    assert_int_equal(aside.result, -EPERM);
    /* what is queued is done when the store closes */
    store_submit(h->store, &last.job);
    h->store = store_close(h->store);
    assert_int_equal(last.done, 1);
    assert_int_equal(last.result, 0);
}

static uint64_t commits(struct house *h) {
    struct store_times times;
    store_times(h->store, &times);
    return times.commits;
}

static void a_chain_shares_a_transaction(void **state) {
    struct house *h = *state;
    struct store_chain chain = {0}, other = {0};
    uint64_t before = commits(h);
    int64_t begun = clock_mono_usec();
    for (int i = 0; i < 20; i++) {
        struct test_job piece = JOB(STORE_BULK, 'p', .sql = "INSERT INTO meta VALUES (hex(randomblob(8)), 1)");
        piece.job.chain = &chain;
        store_submit(h->store, &piece.job);
        run_all(h); /* done comes before the commit */
        assert_int_equal(piece.result, 0);
    }
    bool quick = clock_mono_usec() - begun < STORE_CHAIN_USEC;
    assert_true(commits(h) - before <= (quick ? 0 : 10));
    /* what comes to nothing in it undoes itself alone */
    struct test_job wrong = JOB(STORE_BULK, 'w', .sql = "INSERT INTO meta VALUES ('w', 1)", .answer = -EPERM);
    wrong.job.chain = &chain;
    store_submit(h->store, &wrong.job);
    run_all(h);
    assert_int_equal(wrong.result, -EPERM);
    /* another chain, or a job without one, ends it */
    before = commits(h);
    struct test_job last = JOB(STORE_BULK, 'l', .rounds = 0), more = last;
    last.job.chain = &chain;
    more.job.chain = &other;
    store_submit(h->store, &last.job);
    run_all(h);
    store_submit(h->store, &more.job);
    run_all(h);
    assert_true(commits(h) > before);
    /* and time does */
    store_submit(h->store, &last.job);
    run_all(h);
    before = commits(h);
    usleep(STORE_CHAIN_USEC + 300000);
    assert_int_equal(commits(h), before + 1);
    assert_int_equal(chain.failure, 0);
    assert_int_equal(count_meta(h), 20);
}

static void urgent_work_ends_a_chain(void **state) {
    struct house *h = *state;
    struct store_chain chain = {0};
    struct test_job piece = JOB(STORE_BULK, 'p', .sql = "INSERT INTO meta VALUES ('p', 1)"),
                    urgent = JOB(STORE_URGENT, 'u', .sql = "INSERT INTO meta VALUES ('u', 1)");
    piece.job.chain = &chain;
    store_submit(h->store, &piece.job);
    run_all(h);
    uint64_t before = commits(h);
    store_submit(h->store, &urgent.job);
    run_all(h);
    assert_int_equal(commits(h), before + 1);
    assert_int_equal(count_meta(h), 2);
}

/* A transaction that came to nothing is told to the next of the chain; urgent work in it comes through all the same. */
static void a_chain_may_come_to_nothing(void **state) {
    struct house *h = *state;
    struct store_chain chain = {0};
    struct test_job full = JOB(STORE_NORMAL, 'f', .sql = "PRAGMA max_page_count = 1"),
                    piece = JOB(STORE_BULK, 'p', .sql = "INSERT INTO meta VALUES ('p', 1)"),
                    big = JOB(STORE_BULK, 'b', .sql = "INSERT INTO meta VALUES ('b', zeroblob(300000))"),
                    next = JOB(STORE_BULK, 'n', .asks = &chain),
                    urgent = JOB(STORE_URGENT, 'u', .sql = "INSERT INTO meta VALUES ('u', 1)");
    piece.job.chain = big.job.chain = next.job.chain = &chain;
    store_submit(h->store, &full.job);
    run_all(h);
    store_submit(h->store, &piece.job);
    run_all(h);
    assert_int_equal(piece.result, 0);
    store_submit(h->store, &big.job);
    store_submit(h->store, &urgent.job);
    run_all(h);
    assert_int_equal(big.result, -ENOSPC);
    assert_int_equal(urgent.result, 0);
    store_submit(h->store, &next.job);
    run_all(h);
    assert_int_equal(next.result, chain.failure);
    assert_int_equal(store_trouble(h->store), 0);
    int64_t n = count_meta(h);
    assert_int_equal(n, chain.failure ? 1 : 2); /* or the urgent one's transaction had taken the first piece */
}

static void what_holds_the_store_is_measured(void **state) {
    struct house *h = *state;
    struct store_times times;
    struct test_job job = JOB(STORE_NORMAL, 'a', .sleep_usec = 30000);
    store_submit(h->store, &job.job);
    run_all(h);
    store_times(h->store, &times);
    assert_true(times.step_usec >= 30000);
    assert_true(times.step_cpu_usec < times.step_usec);
    assert_true(times.commits >= 1);
}

static void closing_in_trouble_ends(void **state) {
    struct house *h = *state;
    journal[0] = '\0';
    struct test_job full = JOB(STORE_NORMAL, 'f', .sql = "PRAGMA max_page_count = 1"),
                    urgent = JOB(STORE_URGENT, 'u', .sql = "INSERT INTO meta VALUES ('u', zeroblob(300000))");
    store_submit(h->store, &full.job);
    run_all(h);
    store_submit(h->store, &urgent.job);
    for (int i = 0; i < 2000 && !store_trouble(h->store); i++)
        usleep(1000);
    h->store = store_close(h->store);
    assert_int_equal(urgent.done, 1);
    assert_int_equal(urgent.result, -ENOSPC);
}

/* Voluntary switches of the thread named "store". */
static long switches(void) {
    DIR *tasks = opendir("/proc/self/task");
    long n = -1;
    assert_non_null(tasks);
    for (struct dirent *entry; (entry = readdir(tasks));) {
        char path[512], line[128];
        (void)snprintf(path, sizeof path, "/proc/self/task/%s/status", entry->d_name);
        FILE *status = fopen(path, "re");
        bool ours = false;
        while (status && fgets(line, sizeof line, status)) {
            ours |= strcmp(line, "Name:\tstore\n") == 0;
            if (ours && sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
                break;
        }
        if (status)
            (void)fclose(status);
    }
    (void)closedir(tasks);
    return n;
}

static void an_idle_store_sleeps(void **state) {
    struct house *h = *state;
    struct test_job job = JOB(STORE_NORMAL, 'a', .rounds = 0);
    store_submit(h->store, &job.job);
    run_all(h);
    usleep(50000);
    long before = switches();
    assert_true(before > 0);
    usleep(300000);
    assert_int_equal(switches(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(jobs_run_and_tell, setup, teardown),
        cmocka_unit_test_setup_teardown(a_job_stands_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_job_goes_aside, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_that_ends_undoes_a_step, setup, teardown),
        cmocka_unit_test_setup_teardown(lanes_keep_their_order, setup, teardown),
        cmocka_unit_test_setup_teardown(urgent_work_overtakes_a_long_one, setup, teardown),
        cmocka_unit_test_setup_teardown(urgent_work_may_take_several_turns, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_runs_what_is_queued, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_new_while_closing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_second_store_is_kept_out, setup, teardown),
        cmocka_unit_test_setup_teardown(trouble_passes, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_in_trouble_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(a_chain_shares_a_transaction, setup, teardown),
        cmocka_unit_test_setup_teardown(urgent_work_ends_a_chain, setup, teardown),
        cmocka_unit_test_setup_teardown(a_chain_may_come_to_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(what_holds_the_store_is_measured, setup, teardown),
        cmocka_unit_test_setup_teardown(an_idle_store_sleeps, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
