#include "door/lmtp.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/log.h"
#include "door/mail.h"
#include "inbound/reader.h"

#include "base/banned.h"

enum { CHUNK_BYTES = 64 << 10, ADDRESS_MAX_BYTES = 320 };

struct lmtp {
    struct mail_door *door;
    int in, out;
    char bytes[CHUNK_BYTES];
    size_t from, to; /* what was read and is not used yet */
    bool greeted, has_sender, is_from_nobody;
    char recipients[LMTP_RECIPIENTS_MAX][ADDRESS_MAX_BYTES + 1];
    size_t count;
};

static int say(struct lmtp *l, const char *line) {
    char text[256];
    int n = snprintf(text, sizeof text, "%s\r\n", line);
    return files_write_all(l->out, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* 1 a byte, 0 the end. */
static int next_byte(struct lmtp *l, char *ret) {
    while (l->from == l->to) {
        struct pollfd p = {.fd = l->in, .events = POLLIN};
        int n = poll(&p, 1, LMTP_WAIT_SECONDS * 1000);
        if (n == 0)
            return -ETIMEDOUT;
        ssize_t got = n < 0 ? -1 : read(l->in, l->bytes, sizeof l->bytes);
        if (got == 0)
            return 0;
        if (got < 0 && errno != EINTR)
            return -errno;
        l->from = 0;
        l->to = got > 0 ? (size_t)got : 0;
    }
    *ret = l->bytes[l->from++];
    return 1;
}

/* A command without its line end; what is longer than the limit is read and cut. 1, 0 at the end. */
static int next_line(struct lmtp *l, char line[LMTP_LINE_MAX_BYTES], bool *ret_cut) {
    size_t len = 0;
    char c;
    *ret_cut = false;
    for (;;) {
        int r = next_byte(l, &c);
        if (r <= 0)
            return r;
        if (c == '\n')
            break;
        if (len + 1 < LMTP_LINE_MAX_BYTES)
            line[len++] = c;
        else
            *ret_cut = true;
    }
    if (len && line[len - 1] == '\r')
        len--;
    line[len] = '\0';
    return 1;
}

/* The message up to the line with one dot (RFC 5321 §4.5.2), dots unstuffed; the beginning is kept. Only CR LF . CR LF
 * ends it. 1, 0 where the client went before. */
static int next_message(struct lmtp *l, struct buf *mail) {
    enum { TEXT, CR, LINE, DOT, DOT_CR } state = LINE;
    char c;
    int r;
    while ((r = next_byte(l, &c)) == 1) {
        if (state == DOT_CR && c == '\n')
            return 1;
        if (state == DOT_CR && mail->len < mail->limit_bytes)
            buf_putc(mail, '\r');
        bool stuffed = state == LINE && c == '.';
        bool dot_cr = state == DOT && c == '\r';
        if (!stuffed && !dot_cr && mail->len < mail->limit_bytes)
            buf_putc(mail, c);
        state = stuffed                        ? DOT
                : dot_cr                       ? DOT_CR
                : c == '\r'                    ? CR
                : state == CR && c == '\n'     ? LINE
                : state == DOT_CR && c == '\n' ? LINE
                                               : TEXT;
    }
    return r;
}

/* The address in "RCPT TO:<a@b> …". */
static bool path_of(const char *line, struct view *ret) {
    const char *open = strchr(line, '<'), *close = open ? strchr(open, '>') : NULL;
    if (!close)
        return false;
    *ret = view_make(open + 1, (size_t)(close - open - 1));
    if (ret->len && ret->ptr[0] == '@') { /* a route (RFC 5321 appendix C) */
        size_t colon = view_find(*ret, ':');
        *ret = view_slice(*ret, colon < ret->len ? colon + 1 : 0, ret->len);
    }
    return ret->len <= ADDRESS_MAX_BYTES;
}

static int recipient(struct lmtp *l, const char *line) {
    struct view path;
    if (!l->has_sender)
        return say(l, "503 5.5.1 MAIL first");
    if (!path_of(line, &path))
        return say(l, "501 5.1.3 That is no address");
    if (l->count == LMTP_RECIPIENTS_MAX)
        return say(l, "452 4.5.3 Too many recipients");
    if (!mail_door_is_ours(l->door, path))
        return say(l, "550 5.1.1 Nobody of that name here");
    memcpy(l->recipients[l->count], path.ptr, path.len);
    l->recipients[l->count++][path.len] = '\0';
    return say(l, "250 2.1.5 Go on");
}

/* All recipients have the same reply: what they ask for is durable together. */
static int take(struct lmtp *l, struct view mail) {
    struct view recipients[LMTP_RECIPIENTS_MAX];
    struct mail_taken taken;
    struct why why;
    for (size_t i = 0; i < l->count; i++)
        recipients[i] = view_of(l->recipients[i]);
    int r = mail_door_take(l->door, mail, recipients, l->count, &why, &taken);
    if (r < 0)
        log_why(LOG_ERR, "mail-not-taken", &why);
    else
        log_info("mail-taken", LOG_TEXT("as", taken.as), LOG_TEXT("reason", taken.reason));
    const char *reply = r < 0 ? "451 4.3.0 Cannot be taken now, try again" : "250 2.0.0 Taken";
    r = 0;
    for (size_t i = 0; r == 0 && i < l->count; i++)
        r = say(l, reply);
    return r;
}

static int data(struct lmtp *l) {
    AUTOBUF struct buf mail = BUF_INIT(READER_MAIL_MAX_BYTES);
    if (l->is_from_nobody)
        buf_puts(&mail, "Return-Path: <>\r\n"); /* as whoever delivers writes it (RFC 5321 section 4.4) */
    if (l->count == 0)
        return say(l, "503 5.5.1 No recipients");
    int r = say(l, "354 Go on");
    if (r == 0)
        r = next_message(l, &mail);
    if (r <= 0)
        return r < 0 ? r : -ECONNRESET;
    r = buf_error(&mail) < 0 ? 0 : take(l, buf_view(&mail));
    for (size_t i = 0; r == 0 && buf_error(&mail) < 0 && i < l->count; i++)
        r = say(l, "451 4.3.0 Out of memory, try again");
    l->count = 0;
    l->has_sender = false;
    return r;
}

static bool is(const char *line, const char *command) {
    size_t len = strlen(command);
    return strncasecmp(line, command, len) == 0 && (line[len] == '\0' || line[len] == ' ' || command[len - 1] == ':');
}

static int hello(struct lmtp *l) {
    l->greeted = true;
    l->count = 0;
    l->has_sender = false;
    return say(l, "250-rundbrief-mail\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250 SMTPUTF8");
}

/* 1: the client has said goodbye. */
static int command(struct lmtp *l, const char *line) {
    if (is(line, "LHLO"))
        return hello(l);
    if (is(line, "QUIT")) {
        int r = say(l, "221 2.0.0 Goodbye");
        return r < 0 ? r : 1;
    }
    if (is(line, "NOOP"))
        return say(l, "250 2.0.0 Well");
    if (is(line, "RSET")) {
        l->count = 0;
        l->has_sender = false;
        return say(l, "250 2.0.0 Well");
    }
    if (is(line, "VRFY"))
        return say(l, "252 2.5.0 Send something, and see");
    if (is(line, "HELO") || is(line, "EHLO"))
        return say(l, "500 5.5.1 This is LMTP");
    if (!l->greeted)
        return say(l, "503 5.5.1 LHLO first");
    if (is(line, "MAIL FROM:")) {
        struct view path;
        l->has_sender = true;
        l->is_from_nobody = path_of(line, &path) && path.len == 0;
        l->count = 0;
        return say(l, "250 2.1.0 Go on");
    }
    if (is(line, "RCPT TO:"))
        return recipient(l, line);
    if (is(line, "DATA"))
        return data(l);
    return say(l, "500 5.5.2 That is no command here");
}

int lmtp_serve(struct mail_door *door, int in, int out) {
    struct lmtp *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->door = door;
    l->in = in;
    l->out = out;
    int r = say(l, "220 rundbrief-mail LMTP");
    while (r == 0) {
        char line[LMTP_LINE_MAX_BYTES];
        bool cut;
        r = next_line(l, line, &cut);
        if (r <= 0)
            break;
        r = cut ? say(l, "500 5.5.2 Line too long") : command(l, line);
    }
    if (r == -ETIMEDOUT)
        (void)say(l, "421 4.4.2 Too slow"); /* it may be gone */
    free(l);
    return r > 0 ? 0 : r;
}
