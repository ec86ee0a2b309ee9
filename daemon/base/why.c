#include "base/why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

__attribute__((format(printf, 3, 0))) static void set(char *to, size_t size, const char *format, va_list args) {
    (void)vsnprintf(to, size, format, args); /* cut is fine: text_cut_clean() ends it at a whole character */
    text_cut_clean(to);
}

int why_set(struct why *why, int error, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(why->what, sizeof why->what, format, args);
    va_end(args);
    why->where[0] = why->todo[0] = '\0';
    why->key = NULL;
    return error;
}

void why_where(struct why *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(why->where, sizeof why->where, format, args);
    va_end(args);
}

void why_todo(struct why *why, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set(why->todo, sizeof why->todo, format, args);
    va_end(args);
}

void why_print(const struct why *why, struct buf *to) {
    if (why->where[0])
        buf_printf(to, "%s: ", why->where);
    buf_puts(to, why->what);
    size_t len = strlen(why->what);
    if (why->todo[0])
        buf_printf(to, "%s %s", len && (why->what[len - 1] == '?' || why->what[len - 1] == '.') ? "" : ".", why->todo);
}

bool why_is_trouble(int error) {
    return error == -ENOMEM || error == -EMFILE || error == -ENFILE || error == -ENOSPC || error == -EDQUOT ||
           error == -EIO || error == -EROFS || error == -EUCLEAN || error == -ENOBUFS;
}
