/* How the sink misbehaves: rules as --help describes them. */
#pragma once
#include "sink.h"

#define STAGES(X) X(greeting) X(ehlo) X(helo) X(starttls) X(auth) X(mail) X(rcpt) X(data) X(body) X(end) X(rset) X(quit)
#define ACTIONS(X)                                                                                                     \
    X(say)                                                                                                             \
    X(extra)                                                                                                           \
    X(delay)                                                                                                           \
    X(split)                                                                                                           \
    X(stall)                                                                                                           \
    X(close)                                                                                                           \
    X(last) X(reset) X(half_close) X(accept_close) X(accept_reset) X(accept_stall) X(garbage) X(huge_line) X(endless)
#define AS_STAGE(n) STAGE_##n,
#define AS_ACTION(n) ACTION_##n,
#define AS_NAME(n) #n,
enum stage { STAGES(AS_STAGE) STAGE_COUNT };
enum action { ACTIONS(AS_ACTION) ACTION_COUNT, ACTION_reply };

struct rule {
    struct rule *next;
    enum stage stage;
    enum action action;
    char *to, *text;
    size_t text_len;
    unsigned long first, last, after, bytes, seen;
};

struct conn;

/* Both end the program where a rule is none. */
void rule_add(const char *line);
void rule_add_file(const char *path);
/* The first rule that fits; every rule counts how often it would have. NULL: none. */
struct rule *rule_for(struct conn *c, enum stage stage, size_t bytes);
