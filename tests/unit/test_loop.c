#include "net/loop.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/number.h"

#include "unit.h"

struct fixture {
    struct loop *loop;
    struct loop_source *a, *b, *guard;
    int calls_a, calls_b;
    char names[256];
};

static void on_guard(void *user) {
    (void)user;
    fail_msg("the loop waited too long");
}

static int setup(void **state) {
    static struct fixture f;
    f = (struct fixture){0};
    assert_int_equal(loop_new(&f.loop), 0);
    assert_int_equal(loop_add_timer(f.loop, on_guard, &f, &f.guard), 0);
    loop_set_timer(f.guard, clock_mono_usec() + 10 * USEC_PER_SEC);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    (void)loop_remove(f->a);
    (void)loop_remove(f->b);
    (void)loop_remove(f->guard);
    (void)loop_free(f->loop);
    return 0;
}

static void on_stop(void *user) {
    struct fixture *f = user;
    f->calls_a++;
    loop_stop(f->loop, 7);
}

static void test_timer(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_timer(f->loop, on_stop, f, &f->a), 0);
    assert_false(loop_timer_is_set(f->a));
    int64_t start = clock_mono_usec();
    loop_set_timer(f->a, start + 20000);
    assert_true(loop_timer_is_set(f->a));
    assert_int_equal(loop_run(f->loop), 7);
    assert_true(clock_mono_usec() >= start + 20000);
    assert_false(loop_timer_is_set(f->a)); /* once for each set */

    loop_set_timer(f->a, 0); /* long past: at once */
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->calls_a, 2);
}

static void on_count_b(void *user) {
    struct fixture *f = user;
    f->calls_b++;
}

static void test_unset_timer_does_not_fire(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_timer(f->loop, on_count_b, f, &f->b), 0);
    assert_int_equal(loop_add_timer(f->loop, on_stop, f, &f->a), 0);
    loop_set_timer(f->b, clock_mono_usec() + 1000);
    loop_unset_timer(f->b);
    loop_set_timer(f->a, clock_mono_usec() + 20000);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(f->calls_b, 0);
}

static void on_ready_remove_b(void *user, int fd, uint32_t events) {
    struct fixture *f = user;
    (void)fd, (void)events;
    f->a = loop_remove(f->a);
    f->b = loop_remove(f->b);
}

/* A sleep is a switch that was wanted: here one, until the loop stops. */
static void test_a_removed_timer_does_not_wake(void **state) {
    struct fixture *f = *state;
    struct loop_source *stop;
    struct rusage before, after;
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(loop_add_io(f->loop, fds[0], EPOLLIN, on_ready_remove_b, f, &f->a), 0);
    assert_int_equal(loop_add_timer(f->loop, on_count_b, f, &f->b), 0);
    assert_int_equal(loop_add_timer(f->loop, on_stop, f, &stop), 0);
    loop_set_timer(f->b, clock_mono_usec() + 100000);
    loop_set_timer(stop, clock_mono_usec() + 300000);
    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    assert_int_equal(loop_run(f->loop), 7);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    assert_int_equal(f->calls_b, 0);
    assert_in_range(after.ru_nvcsw - before.ru_nvcsw, 0, 1);
    (void)loop_remove(stop);
    (void)close(fds[0]), (void)close(fds[1]);
}

static void on_remove_itself(void *user) {
    struct fixture *f = user;
    f->a = loop_remove(f->a);
    f->b = loop_remove(f->b); /* its event may be pending already */
    f->calls_a++;
    loop_set_timer(f->guard, clock_mono_usec() + 10000);
}

static void on_guard_stop(void *user) {
    struct fixture *f = user;
    loop_stop(f->loop, 0);
}

static void test_removal_inside_callback(void **state) {
    struct fixture *f = *state;
    f->guard = loop_remove(f->guard);
    assert_int_equal(loop_add_timer(f->loop, on_guard_stop, f, &f->guard), 0);
    assert_int_equal(loop_add_post(f->loop, on_remove_itself, f, &f->a), 0);
    assert_int_equal(loop_add_post(f->loop, on_remove_itself, f, &f->b), 0);
    loop_post(f->a);
    loop_post(f->b);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->calls_a, 1);
}

/* Two pipes are ready together: what the first one's callback removes or stops is not served any more. */
struct pipes {
    struct fixture *f;
    int fds[2][2];
    struct loop_source *sources[2];
    bool stop;
};

static void on_either(void *user, int fd, uint32_t events) {
    (void)events;
    struct pipes *p = user;
    int other = fd == p->fds[0][0];
    p->f->calls_a++;
    if (p->stop)
        loop_stop(p->f->loop, 3);
    else
        p->sources[other] = loop_remove(p->sources[other]);
}

static void on_end(void *user) {
    struct fixture *f = user;
    loop_stop(f->loop, 0);
}

static void test_what_is_ready_together(void **state) {
    struct fixture *f = *state;
    struct pipes p = {.f = f};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(p.fds[i]), 0);
        assert_int_equal(write(p.fds[i][1], "x", 1), 1);
        assert_int_equal(loop_add_io(f->loop, p.fds[i][0], EPOLLIN, on_either, &p, &p.sources[i]), 0);
    }
    p.stop = true;
    assert_int_equal(loop_run(f->loop), 3);
    assert_int_equal(f->calls_a, 1);
    assert_int_equal(loop_run(f->loop), 3); /* told again */
    assert_int_equal(f->calls_a, 2);
    p.stop = false;
    assert_int_equal(loop_add_timer(f->loop, on_end, f, &f->a), 0);
    loop_set_timer(f->a, clock_mono_usec() + 1000);
    assert_int_equal(loop_run(f->loop), 0);
    assert_true(f->calls_a > 2);
    assert_true(!p.sources[0] != !p.sources[1]); /* one was removed before its turn */
    for (int i = 0; i < 2; i++) {
        (void)loop_remove(p.sources[i]);
        close(p.fds[i][0]);
        close(p.fds[i][1]);
    }
}

/* What a callback before it in the batch no longer wants to know is not told. */
static void on_hush(void *user, int fd, uint32_t events) {
    (void)events;
    struct pipes *p = user;
    int other = fd == p->fds[0][0];
    *(other ? &p->f->calls_a : &p->f->calls_b) += 1;
    assert_int_equal(loop_set_io(p->sources[other], 0), 0);
}

static void test_a_changed_wish_counts_at_once(void **state) {
    struct fixture *f = *state;
    struct pipes p = {.f = f};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(p.fds[i]), 0);
        assert_int_equal(write(p.fds[i][1], "x", 1), 1);
        assert_int_equal(loop_add_io(f->loop, p.fds[i][0], EPOLLIN, on_hush, &p, &p.sources[i]), 0);
    }
    assert_int_equal(loop_add_timer(f->loop, on_end, f, &f->a), 0);
    loop_set_timer(f->a, clock_mono_usec() + 1000);
    assert_int_equal(loop_run(f->loop), 0);
    assert_true((f->calls_a == 0) != (f->calls_b == 0));
    /* Both hang up: with no events they are not watched, and wake nobody. */
    assert_int_equal(loop_set_io(p.sources[0], 0), 0);
    assert_int_equal(loop_set_io(p.sources[1], 0), 0);
    for (int i = 0; i < 2; i++)
        (void)close(p.fds[i][1]);
    int before = f->calls_a + f->calls_b;
    loop_set_timer(f->a, clock_mono_usec() + 20000);
    struct rusage from, to;
    assert_int_equal(getrusage(RUSAGE_THREAD, &from), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(getrusage(RUSAGE_THREAD, &to), 0);
    assert_int_equal(f->calls_a + f->calls_b, before);
    assert_true(to.ru_nvcsw - from.ru_nvcsw <= 2);
    for (int i = 0; i < 2; i++) {
        (void)loop_remove(p.sources[i]);
        (void)close(p.fds[i][0]);
    }
}

/* A socket that is always ready and a post that always comes back hold up neither timers nor signals nor the watchdog.
 */
struct crowd {
    struct fixture *f;
    struct loop_source *io, *post, *timer, *signal;
    int pipe_fds[2], ios, timers, signals;
};

static void on_always(void *user, int fd, uint32_t events) {
    (void)fd, (void)events;
    struct crowd *c = user;
    if (c->ios++ == 50)
        loop_set_timer(c->timer, 1);
    loop_post(c->post);
}

static void on_post_again(void *user) {
    struct crowd *c = user;
    loop_post(c->post);
}

static void on_tick(void *user) {
    struct crowd *c = user;
    c->timers++;
    if (c->timers == 20)
        (void)raise(SIGUSR2);
    loop_set_timer(c->timer, clock_mono_usec() + 1000);
}

static void on_usr2(void *user, int signal) {
    (void)signal;
    struct crowd *c = user;
    c->signals++;
}

static unsigned count_pings(int fd) {
    char text[64];
    unsigned n = 0;
    for (ssize_t len; (len = recv(fd, text, sizeof text, MSG_DONTWAIT)) > 0;)
        n += (size_t)len == strlen("WATCHDOG=1") && memcmp(text, "WATCHDOG=1", (size_t)len) == 0;
    return n;
}

static void test_nobody_is_held_up(void **state) {
    struct fixture *f = *state;
    struct crowd c = {.f = f};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char pid[24];
    int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "rundbrief-loop-%d", (int)getpid());
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(address.sun_path + 1));
    assert_int_equal(bind(notify, (struct sockaddr *)&address, size), 0);
    address.sun_path[0] = '@';
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    assert_int_equal(setenv("NOTIFY_SOCKET", address.sun_path, 1), 0);
    assert_int_equal(setenv("WATCHDOG_USEC", "200000", 1), 0);
    assert_int_equal(setenv("WATCHDOG_PID", pid, 1), 0);
    assert_int_equal(pipe(c.pipe_fds), 0);
    assert_int_equal(write(c.pipe_fds[1], "x", 1), 1);
    assert_int_equal(loop_watchdog(f->loop), 0);
    /* Idle first. */
    assert_int_equal(loop_add_timer(f->loop, on_end, f, &f->a), 0);
    loop_set_timer(f->a, clock_mono_usec() + 500000);
    assert_int_equal(loop_run(f->loop), 0);
    assert_in_range(count_pings(notify), 2, 12);
    assert_int_equal(loop_add_post(f->loop, on_post_again, &c, &c.post), 0);
    assert_int_equal(loop_add_io(f->loop, c.pipe_fds[0], EPOLLIN, on_always, &c, &c.io), 0);
    assert_int_equal(loop_add_signal(f->loop, SIGUSR2, on_usr2, &c, &c.signal), 0);
    assert_int_equal(loop_add_timer(f->loop, on_tick, &c, &c.timer), 0);
    loop_set_timer(f->a, clock_mono_usec() + 500000);
    assert_int_equal(loop_run(f->loop), 0);
    assert_in_range(count_pings(notify), 2, 12);
    for (int i = 0; i < 20 && c.timers < 40; i++) { /* a busy machine may need more time */
        loop_set_timer(f->a, clock_mono_usec() + 500000);
        assert_int_equal(loop_run(f->loop), 0);
    }
    assert_true(c.ios > 100);
    assert_true(c.timers >= 40);
    assert_int_equal(c.signals, 1);
    (void)loop_remove(c.io);
    (void)loop_remove(c.post);
    (void)loop_remove(c.timer);
    (void)loop_remove(c.signal);
    (void)close(c.pipe_fds[0]);
    (void)close(c.pipe_fds[1]);
    (void)close(notify);
    (void)unsetenv("WATCHDOG_USEC");
    (void)unsetenv("WATCHDOG_PID");
}

static void on_for_ever(void *user) {
    struct fixture *f = user;
    f->calls_a++;
    loop_post(f->a);
}

static void test_a_post_cannot_keep_the_loop(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_post(f->loop, on_for_ever, f, &f->a), 0);
    assert_int_equal(loop_add_timer(f->loop, on_end, f, &f->b), 0);
    loop_set_timer(f->b, clock_mono_usec() + 5000);
    loop_post(f->a);
    assert_int_equal(loop_run(f->loop), 0);
    assert_true(f->calls_a > 1);
}

static void on_post_twice(void *user) {
    struct fixture *f = user;
    assert_int_equal(f->calls_b, f->calls_a); /* never from inside loop_post() */
    if (++f->calls_a < 3) {
        loop_post(f->a);
        loop_post(f->a); /* coalesces */
        f->calls_b++;
    } else {
        loop_stop(f->loop, 0);
    }
}

static void test_post(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_post(f->loop, on_post_twice, f, &f->a), 0);
    loop_post(f->a);
    assert_int_equal(f->calls_a, 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->calls_a, 3);
}

static void on_read(void *user, int fd, uint32_t events) {
    struct fixture *f = user;
    char c;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(fd, &c, 1), 1);
    if (++f->calls_a == 2)
        loop_stop(f->loop, 0);
}

static void on_hangup(void *user, int fd, uint32_t events) {
    (void)fd, (void)events;
    struct fixture *f = user;
    f->calls_a++;
}

static void test_io(void **state) {
    struct fixture *f = *state;
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(write(pipe_fds[1], "ab", 2), 2);
    assert_int_equal(loop_add_io(f->loop, pipe_fds[0], EPOLLIN, on_read, f, &f->a), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->calls_a, 2);
    f->a = loop_remove(f->a);

    /* No events means not watched: a hang-up must not spin. */
    assert_int_equal(close(pipe_fds[1]), 0);
    f->calls_a = 0;
    assert_int_equal(loop_add_io(f->loop, pipe_fds[0], 0, on_hangup, f, &f->a), 0);
    assert_int_equal(loop_add_timer(f->loop, on_guard_stop, f, &f->b), 0);
    loop_set_timer(f->b, clock_mono_usec() + 10000);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->calls_a, 0);
    assert_int_equal(loop_set_io(f->a, EPOLLIN), 0);
    loop_set_timer(f->b, clock_mono_usec() + 1000);
    assert_int_equal(loop_run(f->loop), 0);
    assert_true(f->calls_a > 0);
    f->calls_a = 0;
    assert_int_equal(loop_set_io(f->a, 0), 0);
    loop_set_timer(f->b, clock_mono_usec() + 1000);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(f->calls_a, 0);
    f->a = loop_remove(f->a);
    assert_int_equal(close(pipe_fds[0]), 0);
}

static void on_signal(void *user, int signal) {
    struct fixture *f = user;
    f->calls_a++;
    loop_stop(f->loop, signal);
}

static void test_signal(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_signal(f->loop, SIGUSR1, on_signal, f, &f->a), 0);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(loop_run(f->loop), SIGUSR1);
    assert_true(loop_add_signal(f->loop, 4711, on_signal, f, &f->b) < 0);
}

static void on_wake(void *user) {
    struct fixture *f = user;
    f->calls_a++;
    loop_stop(f->loop, 3);
}

static void *waker(void *user) {
    struct fixture *f = user;
    (void)usleep(5000);
    for (int i = 0; i < 100; i++)
        loop_wake(f->a);
    return NULL;
}

static void test_wake_from_another_thread(void **state) {
    struct fixture *f = *state;
    assert_int_equal(loop_add_wake(f->loop, on_wake, f, &f->a), 0);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, waker, f), 0);
    assert_int_equal(loop_run(f->loop), 3);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(f->calls_a, 1);
}

static void on_entry(void *user, const char *name) {
    struct fixture *f = user;
    size_t at = strlen(f->names);
    (void)snprintf(f->names + at, sizeof f->names - at, "%s;", name);
    if (name[0] == '\0' || strcmp(name, "last") == 0)
        loop_stop(f->loop, 0);
}

static void test_folder(void **state) {
    struct fixture *f = *state;
    char path[] = "/tmp/test_loop.XXXXXX", elsewhere[] = "/tmp/test_loop.XXXXXX";
    assert_non_null(mkdtemp(path));
    assert_non_null(mkdtemp(elsewhere));
    AUTOCLOSE int in = files_open_dir(AT_FDCWD, path);
    AUTOCLOSE int out = files_open_dir(AT_FDCWD, elsewhere);
    assert_int_equal(loop_add_folder(f->loop, path, on_entry, f, &f->a), 0);

    AUTOCLOSE int half = openat(in, "half-written", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(half >= 0);
    assert_int_equal(files_write_new(in, "written", VIEW("x"), 0600), 0);
    assert_int_equal(files_make_dir(in, "folder", 0700), 0);
    assert_int_equal(files_make_dir(out, "moved", 0700), 0);
    assert_int_equal(renameat(out, "moved", in, "moved"), 0);
    assert_int_equal(files_write_new(in, "last", VIEW("x"), 0600), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_string_equal(f->names, "written;folder;moved;last;");

    /* The folder itself goes: look again. */
    f->names[0] = '\0';
    assert_int_equal(close(half), 0);
    assert_int_equal(close(in), 0);
    half = in = -1;
    assert_int_equal(files_remove_tree(AT_FDCWD, path), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_string_equal(f->names, "half-written;;");
    assert_int_equal(files_remove_tree(AT_FDCWD, elsewhere), 0);

    assert_true(loop_add_folder(f->loop, path, on_entry, f, &f->b) < 0);
}

static void test_idle_does_not_wake(void **state) {
    struct fixture *f = *state;
    f->guard = loop_remove(f->guard);
    int pipe_fds[2];
    assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
    assert_int_equal(loop_add_io(f->loop, pipe_fds[0], EPOLLIN, on_read, f, &f->a), 0);
    assert_int_equal(loop_add_timer(f->loop, on_guard_stop, f, &f->b), 0);
    loop_set_timer(f->b, clock_mono_usec() + 200000);
    struct rusage before, after;
    assert_int_equal(getrusage(RUSAGE_THREAD, &before), 0);
    assert_int_equal(loop_run(f->loop), 0);
    assert_int_equal(getrusage(RUSAGE_THREAD, &after), 0);
    assert_true(after.ru_nvcsw - before.ru_nvcsw <= 2); /* the one timer */
    f->a = loop_remove(f->a);
    (void)close(pipe_fds[0]);
    (void)close(pipe_fds[1]);
}

static void test_without_systemd(void **state) {
    struct fixture *f = *state;
    int first = -1;
    assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
    loop_notify("READY=1");
    assert_int_equal(loop_listen_fds(&first), 0);
    assert_int_equal(loop_watchdog(f->loop), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unset_timer_does_not_fire, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_removed_timer_does_not_wake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_removal_inside_callback, setup, teardown),
        cmocka_unit_test_setup_teardown(test_post, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_post_cannot_keep_the_loop, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_ready_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_changed_wish_counts_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_is_held_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_io, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wake_from_another_thread, setup, teardown),
        cmocka_unit_test_setup_teardown(test_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(test_idle_does_not_wake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_systemd, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
