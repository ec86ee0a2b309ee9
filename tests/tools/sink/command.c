#include "command.h"
#include "message.h"
#include "reply.h"
#include "tls.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void command_greet(struct conn *c) {
    char text[300];
    snprintf(text, sizeof text, "220 %s ESMTP sink", opt.name);
    reply_normal(c, STAGE_greeting, text);
}

bool command_offers(const char *keyword) {
    size_t n = strlen(keyword);
    for (const char *p = opt.ehlo; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
        if (strncasecmp(p, keyword, n) == 0 && (p[n] == '\0' || p[n] == ',' || p[n] == ' '))
            return true;
    return false;
}

static void on_ehlo(struct conn *c, bool helo) {
    char text[2000];
    message_reset(c);
    c->greeted = true;
    if (helo) {
        snprintf(text, sizeof text, "250 %s", opt.name);
        reply_normal(c, STAGE_helo, text);
        return;
    }
    struct rule *r = rule_for(c, STAGE_ehlo, 0);
    if (r && r->action != ACTION_extra && r->action != ACTION_delay && r->action != ACTION_split) {
        reply_as_told(c, r, "250 hello");
        return;
    }
    char all[1500];
    bool can_auth = opt.user && (!tls_ready() || c->tls);
    snprintf(all, sizeof all, "%s%s%s", opt.ehlo, tls_ready() && !c->tls ? ",STARTTLS" : "",
             can_auth ? ",AUTH PLAIN" : "");
    size_t at = (size_t)snprintf(text, sizeof text, "250%c%s", all[0] ? '-' : ' ', opt.name);
    for (char *rest = all[0] == ',' ? all + 1 : all, *word; (word = strsep(&rest, ","));)
        if (word[0] || !rest)
            at += (size_t)snprintf(text + at, sizeof text - at, "\r\n250%c%s", rest ? '-' : ' ', word);
    if (r)
        reply_as_told(c, r, text);
    else
        reply_line(c, text, AFTER_NOTHING);
}

void command_auth(struct conn *c, const char *response) {
    unsigned char plain[800] = {0};
    size_t len = strlen(response);
    char expected[400];
    c->mode = MODE_COMMAND;
    bool good = false;
    if (len % 4 == 0 && len <= 1000 && EVP_DecodeBlock(plain, (const unsigned char *)response, (int)len) >= 0) {
        int n = snprintf(expected, sizeof expected, "%c%s%c%s", 0, opt.user, 0, opt.password);
        good = memcmp(plain, expected, (size_t)n + 1) == 0;
    }
    if (reply_normal(c, STAGE_auth, good ? "235 2.7.0 welcome" : "535 5.7.8 user name or password is wrong") == 2) {
        c->authenticated = true;
        counts.auth++;
    }
}

/* The path between < and >; false where it is not one. */
static bool path(const char *args, const char *keyword, char *to, size_t size, const char **ret_params) {
    size_t n = strlen(keyword);
    if (strncasecmp(args, keyword, n) != 0 || args[n] != '<')
        return false;
    const char *end = strchr(args + n, '>');
    if (!end || (size_t)(end - args) - n >= size)
        return false;
    size_t len = (size_t)(end - args) - n - 1;
    memcpy(to, args + n + 1, len);
    to[len] = '\0';
    *ret_params = end + 1;
    return end[1] == '\0' || end[1] == ' ';
}

static bool is_ascii(const char *s) {
    for (; *s; s++)
        if (*s & 0x80)
            return false;
    return true;
}

static void on_mail(struct conn *c, const char *args) {
    const char *params, *size;
    char from[sizeof c->from];
    if (opt.require_tls && !c->tls) {
        reply_line(c, "530 5.7.0 STARTTLS first", AFTER_NOTHING);
    } else if (opt.require_auth && !c->authenticated) {
        reply_line(c, "530 5.7.0 AUTH first", AFTER_NOTHING);
    } else if (!path(args, "FROM:", from, sizeof from, &params)) {
        conn_violation(c, "a malformed MAIL");
        reply_line(c, "501 5.5.4 MAIL FROM:<address>", AFTER_NOTHING);
    } else if (c->has_mail) {
        conn_violation(c, "MAIL within a transaction");
        reply_line(c, "503 5.5.1 nested MAIL", AFTER_NOTHING);
    } else {
        if (!is_ascii(from) && !strstr(params, "SMTPUTF8"))
            conn_violation(c, "a sender that is not ASCII without SMTPUTF8");
        if ((strstr(params, "SMTPUTF8") && !command_offers("SMTPUTF8")) ||
            (strstr(params, "SIZE=") && !command_offers("SIZE")) ||
            (strstr(params, "BODY=") && !command_offers("8BITMIME")))
            conn_violation(c, "a parameter of MAIL that was not offered");
        c->mail_usec = opt.count ? 0 : read_clock(CLOCK_MONOTONIC);
        size = strstr(params, "SIZE=");
        const char *most = strstr(opt.ehlo, "SIZE ");
        snprintf(c->from, sizeof c->from, "%s", from);
        if (size && most && strtoul(size + 5, NULL, 10) > strtoul(most + 5, NULL, 10))
            reply_line(c, "552 5.3.4 too big", AFTER_NOTHING);
        else
            c->has_mail = reply_normal(c, STAGE_mail, "250 2.1.0 ok") == 2;
    }
}

static void on_rcpt(struct conn *c, const char *args) {
    const char *params;
    char to[sizeof c->to[0]];
    if (!path(args, "TO:", to, sizeof to, &params) || !to[0]) {
        conn_violation(c, "a malformed RCPT");
        reply_line(c, "501 5.5.4 RCPT TO:<address>", AFTER_NOTHING);
    } else if (!c->has_mail) {
        reply_line(c, "503 5.5.1 MAIL first", AFTER_NOTHING);
    } else if (c->to_count == sizeof c->to / sizeof c->to[0]) {
        reply_line(c, "452 4.5.3 too many recipients", AFTER_NOTHING);
    } else {
        snprintf(c->first_to, sizeof c->first_to, "%s", to);
        if (reply_normal(c, STAGE_rcpt, "250 2.1.5 ok") == 2)
            snprintf(c->to[c->to_count++], sizeof c->to[0], "%s", to);
    }
}

static void on_data(struct conn *c) {
    if (!c->has_mail)
        reply_line(c, "503 5.5.1 MAIL first", AFTER_NOTHING);
    else if (!c->to_count && !opt.lenient_data)
        reply_line(c, "554 5.5.1 no valid recipients", AFTER_NOTHING);
    else if (c->body)
        conn_violation(c, "DATA within BDAT"), reply_line(c, "503 5.5.1 BDAT has begun", AFTER_NOTHING);
    else if (reply_normal(c, STAGE_data, "354 go on") == 3)
        c->mode = c->mode == MODE_COMMAND ? MODE_DATA : c->mode;
}

static void on_bdat(struct conn *c, const char *args) {
    char *end;
    c->bdat_left = strtoul(args, &end, 10);
    c->bdat_last = strcasecmp(end, " LAST") == 0;
    c->bdat_failed |= !c->has_mail || !c->to_count;
    if (end == args || (*end && !c->bdat_last))
        conn_violation(c, "a malformed BDAT");
    c->mode = MODE_BDAT;
}

void command_run(struct conn *c, char *line) {
    counts.commands++;
    char *args = strchr(line, ' ');
    size_t n = args ? (size_t)(args - line) : strlen(line);
    args = args ? args + 1 : line + n;
#define IS(name) (n == sizeof name - 1 && strncasecmp(line, name, n) == 0)
    if (IS("EHLO")) {
        on_ehlo(c, false);
    } else if (IS("HELO")) {
        on_ehlo(c, true);
    } else if (IS("STARTTLS") && tls_ready() && !c->tls) {
        if (c->left)
            conn_violation(c, "octets behind STARTTLS");
        if (reply_normal(c, STAGE_starttls, "220 2.0.0 go on") == 2)
            reply_put(c, "", 0, AFTER_TLS);
        c->greeted = false;
    } else if (IS("AUTH") && opt.user && (!tls_ready() || c->tls) && strncasecmp(args, "PLAIN", 5) == 0) {
        if (args[5])
            command_auth(c, args + 6);
        else
            reply_line(c, "334 ", AFTER_NOTHING), c->mode = MODE_AUTH;
    } else if (!c->greeted) {
        conn_violation(c, "a command before EHLO");
        reply_line(c, "503 5.5.1 EHLO first", AFTER_NOTHING);
    } else if (IS("MAIL")) {
        on_mail(c, args);
    } else if (IS("RCPT")) {
        on_rcpt(c, args);
    } else if (IS("DATA")) {
        on_data(c);
    } else if (IS("BDAT") && command_offers("CHUNKING")) {
        on_bdat(c, args);
    } else if (IS("RSET")) {
        (void)reply_normal(c, STAGE_rset, "250 2.0.0 ok");
        message_reset(c); /* whatever it said: what comes next is judged as after a RSET */
    } else if (IS("NOOP")) {
        reply_line(c, "250 2.0.0 ok", AFTER_NOTHING);
    } else if (IS("QUIT")) {
        if (reply_normal(c, STAGE_quit, "221 2.0.0 bye"))
            reply_last(c, AFTER_CLOSE);
    } else {
        conn_violation(c, "an unknown command");
        reply_line(c, "500 5.5.2 what?", AFTER_NOTHING);
    }
}
