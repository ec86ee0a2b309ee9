/* Structured log lines on standard error, in the form that systemd's journal reads:
 *   <6>relay-paused relay=main seconds=30 reason="550 5.7.1 not allowed"
 * An event name, then key=value fields; values are cleaned of control bytes and quoted where they need it. Where standard
 * error leads to systemd's journal (JOURNAL_STREAM of systemd.exec(5)), the same line goes there as an entry with fields:
 * RUNDBRIEF_EVENT, RUNDBRIEF_ and each key in capitals, and the MESSAGE_ID that systemd/rundbrief.catalog has for it.
 * Addresses, tokens and secrets are never given to the log at any level above LOG_DEBUG; what looks like an address in a
 * value, because somebody's reply quoted one, is written as [address]. Thread-safe: one write(2)
 * a line, cut at LOG_LINE_MAX bytes. */
#pragma once
#include <stdint.h>
#include <syslog.h>

#include "base/why.h"

enum { LOG_LINE_MAX = 4000 };

struct log_field {
    const char *key;
    const char *text; /* NULL: number is meant */
    int64_t number;
};

#define LOG_TEXT(name, value) ((struct log_field){.key = (name), .text = (value)})
#define LOG_NUM(name, value) ((struct log_field){.key = (name), .number = (int64_t)(value)})

/* Lines above this level (LOG_ERR 3 … LOG_DEBUG 7) are dropped. Default LOG_INFO. */
void log_set_level(int level);
void log_emit(int level, const char *event, const struct log_field *fields);

#define log_event(level, event, ...)                                                                                   \
    log_emit((level), (event), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.key = NULL}})
#define log_error(event, ...) log_event(LOG_ERR, event __VA_OPT__(, ) __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_WARNING, event __VA_OPT__(, ) __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_INFO, event __VA_OPT__(, ) __VA_ARGS__)
#define log_debug(event, ...) log_event(LOG_DEBUG, event __VA_OPT__(, ) __VA_ARGS__)
/* An event whose fields are where=, what= and todo= of the reason. */
void log_why(int level, const char *event, const struct why *why);
