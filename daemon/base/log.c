#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

static _Atomic int max_level = LOG_INFO;

void log_set_level(int level) {
    max_level = level;
}

static void add_value(struct buf *line, const char *text) {
    bool quote = text[0] == '\0' || strpbrk(text, " \"=\\") != NULL;
    if (!quote) {
        text_add_safe(line, view_of(text));
        return;
    }
    buf_putc(line, '"');
    struct view rest = view_of(text);
    while (rest.len) {
        size_t n = strcspn(rest.ptr, "\"\\");
        text_add_safe(line, view_slice(rest, 0, n));
        if (n < rest.len)
            buf_printf(line, "\\%c", rest.ptr[n++]);
        rest = view_slice(rest, n, rest.len);
    }
    buf_putc(line, '"');
}

void log_emit(int level, const char *event, const struct log_field *fields) {
    if (level > max_level)
        return;
    AUTOBUF struct buf line = BUF_INIT(2 * LOG_LINE_MAX);
    buf_printf(&line, "<%d>%s", level, event);
    for (; fields->key; fields++) {
        buf_printf(&line, " %s=", fields->key);
        if (fields->text)
            add_value(&line, fields->text);
        else
            buf_printf(&line, "%lld", (long long)fields->number);
    }
    if (line.len > LOG_LINE_MAX) {
        buf_truncate(&line, LOG_LINE_MAX);
        text_cut_clean(line.data);
        line.len = strlen(line.data);
    }
    line.error = 0;
    buf_putc(&line, '\n');
    if (write(STDERR_FILENO, buf_str(&line), line.len) < 0)
        return; /* nowhere left to say so */
}

void log_why(int level, const char *event, const struct why *why) {
    log_event(level, event, LOG_TEXT("where", why->where), LOG_TEXT("what", why->what), LOG_TEXT("todo", why->todo));
}
