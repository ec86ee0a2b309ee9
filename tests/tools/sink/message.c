#include "message.h"
#include "reply.h"
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int ledger_fd = -1;
static struct bytes ledger;

void message_reset(struct conn *c) {
    c->from[0] = c->first_to[0] = '\0';
    c->has_mail = c->bdat_failed = c->body_ruled = false;
    c->to_count = 0;
    c->body = c->scanned = 0;
    c->bdat.len = 0;
}

/* The value of Message-ID among the header's lines. */
static int message_id(const char *p, size_t len, const char **ret) {
    const char *end = p + len;
    for (const char *line = p; line < end && *line != '\r';) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        size_t n = stop ? (size_t)(stop - line) : (size_t)(end - line);
        if (n > 11 && strncasecmp(line, "message-id:", 11) == 0) {
            const char *from = line + 11;
            size_t left = n - 11;
            while (left && (*from == ' ' || *from == '\t'))
                from++, left--;
            while (left && (from[left - 1] == '\r' || from[left - 1] == ' '))
                left--;
            *ret = from;
            return (int)left;
        }
        if (!stop)
            break;
        line = stop + 1;
    }
    *ret = "-";
    return 1;
}

static void inspect(struct conn *c, const char *p, size_t len, bool stuffed) {
    const char *end = p + len;
    bool eight = false;
    while (p < end) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t n = lf ? (size_t)(lf - p) + 1 : (size_t)(end - p);
        const char *cr = memchr(p, '\r', n);
        if (lf && (cr != lf - 1))
            conn_violation(c, cr ? "a bare CR in the message" : "a bare LF in the message");
        else if (!lf)
            conn_violation(c, "the message does not end with CRLF");
        if (n > 1000)
            conn_violation(c, "a line of more than 998 octets");
        if (stuffed && *p == '.' && p[1] != '.')
            conn_violation(c, "a line begins with a dot that is not stuffed");
        for (size_t i = 0; i < n && !eight; i += 8) { /* eight at a time, and the rest of the line */
            uint64_t w = 0;
            memcpy(&w, p + i, n - i < 8 ? n - i : 8);
            eight = (w & UINT64_C(0x8080808080808080)) != 0;
        }
        p += n;
    }
    if (eight && !strstr(opt.ehlo, "8BITMIME"))
        conn_violation(c, "8-bit octets without 8BITMIME");
}

static void store(unsigned long number, const char *p, size_t len, bool stuffed) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%08lu.eml", opt.mail, number);
    FILE *f = fopen(path, "we");
    if (!f)
        die("%s: %s", path, strerror(errno));
    for (const char *end = p + len; p < end;) {
        const char *lf = memchr(p, '\n', (size_t)(end - p));
        size_t n = lf ? (size_t)(lf - p) + 1 : (size_t)(end - p);
        size_t skip = stuffed && *p == '.';
        fwrite(p + skip, 1, n - skip, f);
        p += n;
    }
    if (fclose(f) != 0)
        die("%s: %s", path, strerror(errno));
}

static void take_message(struct conn *c, const char *p, size_t len, bool stuffed) {
    c->accepted++;
    counts.messages++;
    counts.recipients += c->to_count;
    counts.last_usec = now;
    if (ledger_fd >= 0) {
        int64_t accepted_usec = read_clock(CLOCK_MONOTONIC);
        const char *id;
        int id_len = message_id(p, len, &id);
        for (unsigned i = 0; i < c->to_count; i++) {
            char line[2048];
            bytes_add(&ledger, line,
                      (size_t)snprintf(line, sizeof line, "%lu\t%s\t%s\t%zu\t%.*s\t%lu\t%" PRId64 "\t%" PRId64 "\n",
                                       counts.messages, c->from, c->to[i], len, id_len > 300 ? 300 : id_len, id,
                                       c->number, c->mail_usec, accepted_usec));
        }
    }
    if (opt.mail)
        store(counts.messages, p, len, stuffed);
}

void message_end(struct conn *c, const char *p, size_t len, bool stuffed) {
    char normal[64];
    counts.bytes += len;
    if (p)
        inspect(c, p, len, stuffed);
    c->mode = MODE_COMMAND;
    snprintf(normal, sizeof normal, "250 2.0.0 taken as %lu", counts.messages + 1);
    int said = c->to_count || c->bdat_failed
                   ? reply_normal(c, STAGE_end, c->to_count ? normal : "554 5.5.1 nobody to send to")
                   : (reply_line(c, "554 5.5.1 nobody to send to", AFTER_NOTHING), 5);
    if (said == 2 && c->to_count)
        take_message(c, p, len, stuffed);
    else
        counts.refused++;
    message_reset(c);
}

void message_open_ledger(void) {
    if (opt.ledger && (ledger_fd = open(opt.ledger, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        die("%s: %s", opt.ledger, strerror(errno));
}

void message_flush_ledger(void) {
    if (ledger_fd >= 0)
        for (size_t at = 0; at < ledger.len;) {
            ssize_t n = write(ledger_fd, ledger.p + at, ledger.len - at);
            if (n < 0 && errno != EINTR)
                die("%s: %s", opt.ledger, strerror(errno));
            at += n > 0 ? (size_t)n : 0;
        }
    if (ledger.len && opt.fsync && fdatasync(ledger_fd) < 0)
        die("%s: %s", opt.ledger, strerror(errno));
    ledger.len = 0;
}
