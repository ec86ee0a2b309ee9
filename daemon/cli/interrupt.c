#include "cli/interrupt.h"

#include <poll.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/number.h"

#include "base/banned.h"

static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};

static bool is_ignored(int signal) {
    struct sigaction action;
    return sigaction(signal, NULL, &action) < 0 || action.sa_handler == SIG_IGN;
}

/* It does what it always does when this returns. */
static void on_signal(int signal) {
    (void)!write(STDERR_FILENO, INTERRUPT_WIPE, sizeof INTERRUPT_WIPE - 1); /* nothing better could be done */
    (void)raise(signal);
}

void interrupt_wipes(bool on) {
    struct sigaction action = {.sa_flags = SA_RESETHAND};
    (void)sigemptyset(&action.sa_mask);
    action.sa_handler = on ? on_signal : SIG_DFL;
    for (size_t k = 0; k < COUNT_OF(signals); k++)
        if (signals[k] != SIGTSTP && !is_ignored(signals[k]))
            (void)sigaction(signals[k], &action, NULL); /* cannot fail: its arguments are good */
}

/* One that is ignored would wait as soon as it is blocked. Sets of good numbers cannot fail. */
void interrupt_hold(struct interrupt *i, bool stops) {
    (void)sigemptyset(&i->held);
    for (size_t k = 0; k < COUNT_OF(signals); k++)
        if ((stops || signals[k] != SIGTSTP) && !is_ignored(signals[k]))
            (void)sigaddset(&i->held, signals[k]);
    (void)sigprocmask(SIG_BLOCK, &i->held, &i->before);
}

bool interrupt_came(const struct interrupt *i) {
    sigset_t come;
    bool any = false;
    if (sigpending(&come) == 0)
        for (size_t k = 0; k < COUNT_OF(signals); k++)
            any |= sigismember(&i->held, signals[k]) == 1 && sigismember(&come, signals[k]) == 1;
    return any;
}

bool interrupt_wait(const struct interrupt *i, int fd, int timeout_msec) {
    /* It is not read from: what came stays until it is let go. */
    AUTOCLOSE int signal = signalfd(-1, &i->held, SFD_CLOEXEC);
    struct pollfd both[] = {{.fd = signal, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    (void)poll(both, COUNT_OF(both), timeout_msec); /* where it fails, whoever reads then waits */
    return interrupt_came(i);
}

void interrupt_let_go(const struct interrupt *i) {
    (void)sigprocmask(SIG_SETMASK, &i->before, NULL);
}
