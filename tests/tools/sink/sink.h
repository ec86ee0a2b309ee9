/* sink: what all parts of it share. One process, one thread: these are its globals. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct sink_options {
    const char *listen, *name, *ehlo, *cert, *key, *user, *password, *ledger, *mail, *port_file;
    int port, delay_msec;
    bool smtps, require_tls, require_auth, fsync, lenient_data, die_with_parent, count, quickack;
    int64_t delay_usec;
};

struct sink_counts {
    unsigned long connections, messages, recipients, refused, commands, round_trips, bytes, violations, tls, auth;
    unsigned long open, most_open; /* connections at once */
    int64_t last_usec;
    char first[200]; /* violation */
};

extern struct sink_options opt;
extern struct sink_counts counts;
extern int64_t now; /* CLOCK_MONOTONIC in microseconds, as of this turn of the loop */

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
/* p, or the end where memory is out. */
void *need(void *p);
/* Microseconds. */
int64_t read_clock(clockid_t clock);
