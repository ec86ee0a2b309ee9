#include "announce/mentions.h"

#include <errno.h>

#include "base/buf.h"

/* How far a name, and the text before it in brackets, are looked at. */
enum { NAME_MAX_BYTES = 1000, LABEL_MAX_BYTES = 1000 };

struct reading {
    mentions_on_name *on_name;
    void *user;
    unsigned line;
};

static int tell(struct reading *r, struct view name, struct view written, enum mention_kind kind) {
    const struct mention m = {view_trim(name), view_trim(written), kind, r->line};
    return m.name.len ? r->on_name(r->user, &m) : 0;
}

static int read_head_line(struct reading *r, struct view line) {
    static const char key[] = "attach";
    struct view name;
    line = view_trim(line);
    if (!view_starts(line, key))
        return 0;
    line = view_trim(view_slice(line, sizeof key - 1, line.len));
    if (!view_starts(line, "=") && !view_starts(line, ":"))
        return 0;
    line = view_slice(line, 1, line.len);
    int result = 0;
    while (result == 0 && view_split(&line, ',', &name))
        result = tell(r, name, name, MENTION_ATTACHMENT);
    return result;
}

static int digit_of(char c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static void add_decoded(struct view v, struct buf *to) {
    for (size_t i = 0; i < v.len; i++) {
        int high = v.ptr[i] == '%' && i + 2 < v.len ? digit_of(v.ptr[i + 1]) : -1;
        int low = high >= 0 ? digit_of(v.ptr[i + 2]) : -1;
        if (low >= 0) {
            buf_putc(to, (char)(high << 4 | low));
            i += 2;
        } else if (v.ptr[i] != '\\' || i + 1 == v.len) {
            buf_putc(to, v.ptr[i]);
        } else {
            buf_putc(to, v.ptr[++i]);
        }
    }
}

/* A link destination (CommonMark 0.30 §6.3) at the beginning of v. */
static int read_destination(struct reading *r, struct view v, enum mention_kind kind) {
    size_t end = 0;
    v = view_slice(view_trim(v), 0, 3 * NAME_MAX_BYTES);
    if (view_starts(v, "<")) {
        v = view_slice(v, 1, v.len);
        end = view_find(v, '>');
    } else {
        unsigned open = 0;
        for (; end < v.len && v.ptr[end] != ' ' && v.ptr[end] != '\t'; end++) {
            if (v.ptr[end] == '\\' && end + 1 < v.len)
                end++;
            else if (v.ptr[end] == '(')
                open++;
            else if (v.ptr[end] == ')' && open-- == 0)
                break;
        }
    }
    AUTOBUF struct buf name = BUF_INIT(NAME_MAX_BYTES);
    add_decoded(view_slice(v, 0, end), &name);
    if (buf_error(&name) == -ENOMEM)
        return -ENOMEM;
    return buf_error(&name) ? 0 : tell(r, buf_view(&name), view_slice(v, 0, end), kind); /* too long for a name */
}

/* What the brackets that end v belong to: an image's begin with "![". */
static enum mention_kind kind_of(struct view v) {
    unsigned open = 0;
    for (size_t i = v.len; i-- > 0 && v.len - i <= LABEL_MAX_BYTES;) {
        if (v.ptr[i] == ']')
            open++;
        else if (v.ptr[i] == '[' && open-- == 0)
            return i && v.ptr[i - 1] == '!' ? MENTION_IMAGE : MENTION_LINK;
    }
    return MENTION_LINK;
}

static int read_body_line(struct reading *r, struct view line) {
    int result = 0;
    line = view_trim(line);
    size_t at = view_search(line, VIEW("]:"));
    if (view_starts(line, "[") && at < line.len)
        result = read_destination(r, view_slice(line, at + 2, line.len), MENTION_LINK);
    for (size_t from = 0; result == 0; from = at + 2) {
        at = from + view_search(view_slice(line, from, line.len), VIEW("]("));
        if (at >= line.len)
            break;
        result = read_destination(r, view_slice(line, at + 2, line.len), kind_of(view_slice(line, 0, at)));
    }
    return result;
}

int mentions_each(struct view text, mentions_on_name *on_name, void *user) {
    struct reading r = {.on_name = on_name, .user = user};
    struct view line;
    bool in_head = true, blank = true;
    int result = 0;
    while (result == 0 && view_line(&text, &line)) {
        r.line++;
        bool separator = view_eq_str(view_trim(line), "---");
        if (in_head && separator)
            in_head = blank; /* the leading one, as site generators write it, begins the head */
        else
            result = in_head ? read_head_line(&r, line) : read_body_line(&r, line);
        blank = blank && !separator && view_trim(line).len == 0;
    }
    return result;
}

int mentions_in_body(struct view body, unsigned line, mentions_on_name *on_name, void *user) {
    struct reading r = {.on_name = on_name, .user = user, .line = line};
    struct view text;
    int result = 0;
    for (; result == 0 && view_line(&body, &text); r.line++)
        result = read_body_line(&r, text);
    return result;
}
