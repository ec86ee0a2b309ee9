#include "mail/calendar_lines.h"

#include <errno.h>

#include "base/text.h"

#include "base/banned.h"

static bool is_fold(struct view rest) {
    return rest.len && (rest.ptr[0] == ' ' || rest.ptr[0] == '\t');
}

int calendar_unfold(struct view file, struct buf *to, const char **ret_charset, struct why *why) {
    if (file.len > CALENDAR_FILE_MAX_BYTES)
        return why_set(why, -EINVAL, "the calendar file is larger than %d KiB", CALENDAR_FILE_MAX_BYTES / 1024);
    AUTOBUF struct buf utf16 = BUF_INIT(4 * CALENDAR_FILE_MAX_BYTES), joined = BUF_INIT(4 * CALENDAR_FILE_MAX_BYTES);
    const char *utf_16 = NULL;
    if (view_starts(file, "\xff\xfe") || view_starts(file, "\xfe\xff")) {
        int r = text_read(file, &utf16, &utf_16);
        if (r < 0)
            return r != -EILSEQ ? r : why_set(why, -EINVAL, "the calendar file's characters cannot be read");
        file = buf_view(&utf16);
    }
    struct view line;
    bool first = true;
    while (view_line(&file, &line)) {
        if (is_fold(line) && !first) {
            buf_truncate(&joined, joined.len - 1); /* the line end */
            line = view_slice(line, 1, line.len);
        } else if (line.len == 0) {
            continue;
        }
        buf_add_view(&joined, line);
        buf_putc(&joined, '\n');
        first = false;
    }
    if (buf_error(&joined) < 0)
        return buf_error(&joined);
    if (joined.len && memchr(joined.data, '\0', joined.len))
        return why_set(why, -EINVAL, "the file is no calendar: it has NUL bytes");
    int r = text_read(buf_view(&joined), to, ret_charset);
    if (r == -EILSEQ)
        return why_set(why, -EINVAL, "the calendar file's characters cannot be read");
    if (utf_16)
        *ret_charset = utf_16;
    return r < 0 ? r : buf_error(to);
}

static void join_lines(struct view folded, struct buf *to) {
    for (size_t at; (at = view_search(folded, VIEW("\r\n "))) < folded.len;) {
        buf_add_view(to, view_slice(folded, 0, at));
        folded = view_slice(folded, at + 3, folded.len);
    }
    buf_add_view(to, folded);
}

int calendar_fold(struct view folded, struct buf *to) {
    AUTOBUF struct buf joined = BUF_INIT(folded.len + 1);
    join_lines(folded, &joined);
    if (buf_error(&joined) < 0)
        return buf_error(&joined);
    struct view rest = buf_view(&joined);
    for (size_t column = 0, n; rest.len; rest = view_slice(rest, n, rest.len)) {
        if (view_starts(rest, "\r\n")) {
            n = 2;
            column = 0;
        } else {
            (void)text_decode(rest, &n); /* only its length counts */
            if (column + n > CALENDAR_LINE_MAX) {
                buf_puts(to, "\r\n ");
                column = 1;
            }
            column += n;
        }
        buf_add(to, rest.ptr, n);
    }
    return buf_error(to);
}

static bool is_name_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* NAME *(";" parameter) ":" value */
static bool split_line(struct view whole, struct calendar_line *line) {
    size_t i = 0;
    while (i < whole.len && is_name_char(whole.ptr[i]))
        i++;
    line->whole = whole;
    line->name = view_slice(whole, 0, i);
    if (i == 0 || i == whole.len || (whole.ptr[i] != ':' && whole.ptr[i] != ';'))
        return false;
    for (bool quoted = false; i < whole.len; i++) {
        if (whole.ptr[i] == '"')
            quoted = !quoted;
        else if (whole.ptr[i] == ':' && !quoted) {
            line->value = view_slice(whole, i + 1, whole.len);
            return true;
        }
    }
    return false;
}

static bool same_name(struct view a, struct view b) {
    return a.len == b.len && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

int calendar_walk(struct view unfolded, calendar_on_line *on_line, void *user, struct why *why) {
    struct calendar_line line = {0};
    struct view whole;
    while (view_line(&unfolded, &whole)) {
        line.number++;
        if (!split_line(whole, &line))
            return why_set(why, -EINVAL, "“%.*s” is no line of a calendar", (int)(whole.len < 60 ? whole.len : 60),
                           whole.ptr);
        struct view value = view_trim(line.value);
        bool begin = view_eq_nocase(line.name, "BEGIN"), end = view_eq_nocase(line.name, "END");
        if (begin) {
            if (line.depth == CALENDAR_DEPTH_MAX)
                return why_set(why, -EINVAL, "the calendar's components stand more than %d deep", CALENDAR_DEPTH_MAX);
            line.component[line.depth++] = value;
        }
        if (line.depth == 0)
            return why_set(why, -EINVAL, "the file is no calendar: it does not begin with BEGIN:VCALENDAR");
        if (end && !same_name(value, line.component[line.depth - 1]))
            return why_set(why, -EINVAL, "the calendar is damaged: a component ends that did not begin");
        int r = on_line(user, &line, why);
        if (r != 0)
            return r;
        if (end)
            line.depth--;
    }
    if (line.depth)
        return why_set(why, -EINVAL, "the calendar is cut off: its end is missing");
    return 0;
}

bool calendar_line_is(const struct calendar_line *line, const char *component, const char *name) {
    return line->depth && view_eq_nocase(line->component[line->depth - 1], component) &&
           view_eq_nocase(line->name, name);
}
