/* Signals that end the command (SIGINT, SIGTERM, SIGHUP, SIGQUIT) leave the terminal as it was found, and then do what they
 * always do. What the command was told to ignore stays ignored. */
#pragma once
#include <signal.h>
#include <stdbool.h>

/* While a bar is drawn on standard error, it is wiped first. */
#define INTERRUPT_WIPE "\r\033[K"
void interrupt_wipes(bool on);

/* Held back: whoever holds them looks for them often, and puts the terminal right before letting them go. */
struct interrupt {
    sigset_t before, held;
};
/* stops: SIGTSTP, too, which does not end it. */
void interrupt_hold(struct interrupt *i, bool stops);
/* Whether one has come. */
bool interrupt_came(const struct interrupt *i);
/* Until fd can be read (-1: none), one has come, or the time is over (-1: never). True where one has come. */
bool interrupt_wait(const struct interrupt *i, int fd, int timeout_msec);
/* What has come takes effect now; the call returns where that was only a stop, or where nothing had come. */
void interrupt_let_go(const struct interrupt *i);
