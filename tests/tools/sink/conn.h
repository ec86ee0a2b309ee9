/* One client's connection: its state, what came from it and was not taken yet, what is to be written to it and when. */
#pragma once
#include "sink.h"
#include <openssl/ssl.h>

struct bytes {
    char *p;
    size_t len, cap, off;
};

enum after { AFTER_NOTHING, AFTER_CLOSE, AFTER_RESET, AFTER_HALF_CLOSE, AFTER_TLS };

/* A part of the output that may be written from a moment on. */
struct chunk {
    int64_t due;
    size_t len;
    unsigned long round;
    enum after after;
};

enum mode { MODE_COMMAND, MODE_AUTH, MODE_DATA, MODE_BDAT, MODE_DEAF };

struct conn {
    struct conn *prev, *next, *next_active;
    int fd;
    unsigned long number, accepted;
    SSL *ssl;
    bool handshake, active, dead, endless, tls, authenticated, greeted, has_mail, bdat_last, bdat_failed, body_ruled;
    bool full; /* reads no more: whoever writes to it comes to an end before the message does */
    uint32_t events;
    enum mode mode;
    struct bytes in, out;
    char *at; /* of the octets read that were not taken yet */
    size_t left;
    size_t scanned, body; /* octets of the message: looked through where they stand; gone by already */
    /* Round trips: what comes now may answer every reply that was written, so it is of one round more than the latest
     * of them; a reply is of the round of what it answers. */
    unsigned long round_in, round_out;
    struct chunk *chunks;
    size_t chunk_count, chunk_room, chunk_first;
    int64_t extra_usec, mail_usec;
    char from[400], to[100][330], first_to[330];
    unsigned to_count;
    size_t bdat_left;
    struct bytes bdat;
};

extern struct conn *conns;
extern int epfd;

void bytes_add(struct bytes *b, const void *p, size_t len);
/* Room for so many more behind the last; where it begins. */
char *bytes_room(struct bytes *b, size_t len);

void conn_open(int fd);
/* Says what the client did wrong, and counts it. */
void conn_violation(const struct conn *c, const char *what);
/* It has something to write, or ends: conn_flush_all() looks at it. */
void conn_wake(struct conn *c);
void conn_drop(struct conn *c);
void conn_watch(struct conn *c, uint32_t events);
/* Writes what may be written now, after the ledger has it. */
void conn_flush_all(void);
/* Wakes what is due; the moment of what is due next, -1 for never. */
int64_t conn_wake_due(void);
