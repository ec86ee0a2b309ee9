#include "base/ini.h"

#include <errno.h>
#include <ini.h>
#include <pthread.h>

#include "base/buf.h"
#include "base/text.h"

/* inih passes no line numbers, cuts a section's name at 49 bytes and reports the first fault only. So the lines are
 * handed to it one at a time: section heads and faulty lines are dealt with here and reach it as empty lines. */
struct reader {
    struct view rest;
    struct view line; /* what of the current line inih has not yet taken */
    bool in_line;
    unsigned number;
    struct buf section;
    ini_on_item *on_item;
    void *user;
    int result;
};

static void report(struct reader *r, const char *key, const char *value, enum ini_fault fault) {
    if (r->result)
        return;
    struct ini_item item = {r->number, buf_str(&r->section), key, value, fault};
    r->result = r->on_item(r->user, &item);
}

static void on_section(struct reader *r, struct view line) {
    size_t close = view_find(line, ']');
    struct view name = view_trim(view_slice(line, 1, close < line.len ? close - 1 : line.len));
    struct view behind = view_trim(view_slice(line, close + 1, line.len));
    bool unclosed = close == line.len || (behind.len && behind.ptr[0] != ';' && behind.ptr[0] != '#');
    buf_clear(&r->section);
    buf_add_view(&r->section, name);
    if (buf_error(&r->section) == -ENOMEM)
        r->result = r->result ? r->result : -ENOMEM;
    report(r, NULL, "", unclosed ? INI_UNCLOSED_SECTION : name.len == 0 ? INI_EMPTY_NAME : INI_OK);
}

/* True where the line is a pair that inih should read. */
static bool screen(struct reader *r, struct view line) {
    if (line.len > INI_LINE_MAX) {
        report(r, NULL, "", INI_LINE_TOO_LONG);
        return false;
    }
    if (!text_is_utf8(line)) {
        report(r, NULL, "", INI_NOT_UTF8);
        return false;
    }
    struct view bare = view_trim(line);
    if (bare.len == 0 || bare.ptr[0] == ';' || bare.ptr[0] == '#')
        return false;
    if (bare.ptr[0] == '[') {
        on_section(r, bare);
        return false;
    }
    size_t equals = view_find(bare, '='), colon = view_find(bare, ':');
    size_t at = equals < colon ? equals : colon;
    /* a key that begins with a form feed or another BOM would read as something else to inih */
    if (at > 0 && at < bare.len && !text_has_control(view_trim(view_slice(bare, 0, at))))
        return true;
    enum { SHOWN_MAX = 64 };
    AUTOBUF struct buf shown = BUF_INIT(SHOWN_MAX);
    buf_add_view(&shown, view_slice(bare, 0, SHOWN_MAX));
    report(r, NULL, buf_str(&shown), at == 0 ? INI_EMPTY_NAME : INI_NOT_A_PAIR);
    return false;
}

static char *on_read(char *to, int room, void *stream) {
    struct reader *r = stream;
    if (!r->in_line) {
        if (r->result || !view_line(&r->rest, &r->line))
            return NULL;
        r->number++;
        r->in_line = true;
        r->line = screen(r, r->line) ? view_trim(r->line) : (struct view){0};
    }
    size_t n = (size_t)room - 1;
    if (r->line.len < n) {
        if (r->line.len)
            memcpy(to, r->line.ptr, r->line.len);
        to[r->line.len] = '\n';
        to[r->line.len + 1] = '\0';
        r->in_line = false;
    } else {
        memcpy(to, r->line.ptr, n);
        to[n] = '\0';
        r->line = view_slice(r->line, n, r->line.len);
    }
    return to;
}

static int on_pair(void *user, const char *section, const char *key, const char *value) {
    (void)section; /* ours is not cut */
    struct reader *r = user;
    report(r, key, value ? value : "", INI_OK);
    return 1;
}

/* Debian's library takes these from globals; two threads may read at a time. */
static void set_up(void) {
    ini_use_stack = false;
    ini_allow_realloc = true;
    ini_max_line = INI_LINE_MAX + 16;
    ini_allow_multiline = false;
    ini_allow_inline_comments = false;
}

int ini_read(struct view text, ini_on_item *on_item, void *user) {
    if (text.len > INI_FILE_MAX)
        return -EMSGSIZE;
    if (view_starts(text, "\xEF\xBB\xBF"))
        text = view_slice(text, 3, text.len);
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, set_up); /* cannot fail */
    struct reader r = {.rest = text, .section = BUF_INIT(INI_LINE_MAX), .on_item = on_item, .user = user};
    int error = ini_parse_stream(on_read, &r, on_pair, &r);
    int failed = buf_error(&r.section);
    buf_done(&r.section);
    if (r.result)
        return r.result;
    return error == -2 ? -ENOMEM : failed;
}
