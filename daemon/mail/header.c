#include "mail/header.h"

#include <errno.h>
#include <stdint.h>

#include "base/text.h"
#include "mail/base64.h"

#include "base/banned.h"

enum {
    WORD_MAX = 75,        /* of an encoded word, RFC 2047 §2 */
    WORD_FRAME = 12,      /* =?UTF-8?Q??= */
    PLAIN_WORD_MAX = 500, /* a longer one is encoded, so that it can be folded */
    PHRASE_PLAIN_MAX = 60,
    NAME_MAX_BYTES = 40,
    SECTION_MAX = 54, /* digits of one section of a parameter: a line of at most 78 with the longest name */
};

/* Cleaning */

/* Cut to size at a whole character, without blanks at the ends and with single ones between. */
static struct view clean_text(struct view v, bool marks, char *to, size_t size) {
    size_t len = 0;
    bool blank = false;
    for (size_t at = 0, n; at < v.len; at += n) {
        const char *bytes = v.ptr + at;
        n = 1;
        size_t width = 1;
        if (*bytes <= ' ' || *bytes > '~') { /* beyond ASCII too, where char is signed */
            uint32_t c = text_decode(view_slice(v, at, v.len), &n);
            if (c <= ' ' || (c >= 0x7F && c < 0xA0) || c == 0x2028 || c == 0x2029) {
                blank = len > 0;
                continue;
            }
            if (text_is_control(c) && !(marks && text_is_direction_mark(c)))
                continue;
            width = c == 0xFFFD ? 3 : n;
            if (c == 0xFFFD)
                bytes = "\xEF\xBF\xBD";
        }
        if (len + blank + width > size)
            break;
        if (blank)
            to[len++] = ' ';
        blank = false;
        memcpy(to + len, bytes, width);
        len += width;
    }
    return view_make(to, len);
}

static bool is_plain(struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (v.ptr[i] < ' ' || v.ptr[i] > '~')
            return false;
    return view_search(v, VIEW("=?")) == v.len;
}

/* Encoded words */

struct line {
    struct buf *to;
    size_t column;
};

static void add(struct line *line, const void *bytes, size_t len) {
    buf_add(line->to, bytes, len);
    line->column += len;
}

static void fold(struct line *line) {
    buf_puts(line->to, "\r\n");
    line->column = 0;
}

static bool is_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* What stands as it is in the Q encoding, in a phrase too (RFC 2047 §5 (3)); a blank becomes "_". */
static bool is_q_literal(char c) {
    return is_alnum(c) || c == ' ' || c == '!' || c == '*' || c == '+' || c == '-' || c == '/';
}

static size_t q_width(struct view v) {
    size_t width = 0;
    for (size_t i = 0; i < v.len; i++)
        width += is_q_literal(v.ptr[i]) ? 1 : 3;
    return width;
}

static size_t b_width(struct view v) {
    return (v.len + 2) / 3 * 4;
}

static void add_q(struct buf *to, struct view bytes) {
    static const char digits[] = "0123456789ABCDEF";
    char *start = buf_reserve(to, 3 * bytes.len), *out = start;
    if (!start)
        return;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c == ' ') {
            *out++ = '_';
        } else if (is_q_literal((char)c)) {
            *out++ = (char)c;
        } else {
            *out++ = '=';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        }
    }
    buf_used(to, (size_t)(out - start));
}

static void add_word(struct line *line, struct view bytes, bool b) {
    size_t before = line->to->len;
    buf_puts(line->to, b ? "=?UTF-8?B?" : "=?UTF-8?Q?");
    if (b)
        base64_digits(line->to, bytes.ptr, bytes.len);
    else
        add_q(line->to, bytes);
    buf_puts(line->to, "?=");
    line->column += line->to->len - before;
}

/* As many whole characters as fit into width, at least one. */
static struct view take_word(struct view v, size_t width, bool b) {
    size_t len = 0, used = 0;
    while (len < v.len) {
        size_t n;
        (void)text_decode(view_slice(v, len, v.len), &n); /* its length is what counts */
        used = b ? b_width(view_slice(v, 0, len + n)) : used + q_width(view_slice(v, len, n));
        if (len && used > width)
            break;
        len += n;
    }
    return view_slice(v, 0, len);
}

/* A run as encoded words, in the encoding that is shorter; the first behind a blank where gap is set. */
static void add_encoded(struct line *line, struct view run, bool gap) {
    bool b = b_width(run) < q_width(run);
    while (run.len) {
        size_t taken = line->column + gap + WORD_FRAME;
        size_t width = taken < HEADER_LINE_MAX ? HEADER_LINE_MAX - taken : 0;
        if (width > WORD_MAX - WORD_FRAME)
            width = WORD_MAX - WORD_FRAME;
        if (width < 12) { /* a character may need four times three digits */
            fold(line);
            gap = true;
            continue;
        }
        if (gap)
            add(line, " ", 1);
        struct view word = take_word(run, width, b);
        add_word(line, word, b);
        run = view_slice(run, word.len, run.len);
        if (run.len)
            fold(line);
        gap = true;
    }
}

/* Text */

static struct view first_word(struct view v) {
    return view_slice(v, 0, view_find(v, ' '));
}

static bool is_plain_word(struct view word) {
    return word.len <= PLAIN_WORD_MAX && is_plain(word);
}

/* Neighbouring words that need encoding, with the blanks between: readers drop blanks between encoded words. */
static struct view encoded_run(struct view v) {
    size_t len = 0;
    for (struct view rest = v, word; rest.len && !is_plain_word(word = first_word(rest));) {
        len = (size_t)(word.ptr - v.ptr) + word.len;
        rest = view_slice(v, len + 1, v.len);
    }
    return view_slice(v, 0, len);
}

void header_add_text(struct buf *to, struct view text, size_t column) {
    char clean[HEADER_TEXT_MAX_BYTES];
    struct line line = {to, column};
    bool gap = false;
    for (struct view rest = clean_text(text, true, clean, sizeof clean); rest.len; gap = true) {
        struct view word = first_word(rest);
        if (is_plain_word(word)) {
            if (gap && line.column + 1 + word.len > HEADER_LINE_MAX)
                fold(&line);
            add(&line, " ", gap);
            add(&line, word.ptr, word.len);
        } else {
            word = encoded_run(rest);
            add_encoded(&line, word, gap);
        }
        rest = view_slice(rest, word.len + 1, rest.len);
    }
}

/* Mailboxes */

static bool is_atoms(struct view v) {
    static const bool atom[256] = {[' '] = true, ['!'] = true,         ['#' ... '\''] = true, ['*'] = true,
                                   ['+'] = true, ['-'] = true,         ['/' ... '9'] = true,  ['='] = true,
                                   ['?'] = true, ['A' ... 'Z'] = true, ['^' ... '~'] = true};
    for (size_t i = 0; i < v.len; i++)
        if (!atom[(unsigned char)v.ptr[i]])
            return false;
    return true;
}

static void add_quoted(struct line *line, struct view v) {
    add(line, "\"", 1);
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] == '"' || v.ptr[i] == '\\')
            add(line, "\\", 1);
        add(line, v.ptr + i, 1);
    }
    add(line, "\"", 1);
}

static bool is_address(struct view v) {
    static const bool special[256] = {[' '] = true, ['<'] = true, ['>'] = true, ['('] = true, [')'] = true,
                                      ['"'] = true, [','] = true, [';'] = true, [':'] = true, ['\\'] = true};
    if (v.len == 0 || v.len > HEADER_ADDRESS_MAX_BYTES || !text_is_utf8(v) || text_has_control(v))
        return false;
    for (size_t i = 0; i < v.len; i++)
        if (special[(unsigned char)v.ptr[i]])
            return false;
    return true;
}

void header_add_mailbox(struct buf *to, struct view display, struct view address, size_t column) {
    char clean[HEADER_TEXT_MAX_BYTES];
    struct line line = {to, column};
    if (!is_address(address)) {
        if (to->error == 0)
            to->error = -EINVAL;
        return;
    }
    struct view phrase = clean_text(display, true, clean, sizeof clean);
    if (phrase.len == 0) {
        buf_add_view(to, address);
        return;
    }
    if (!is_plain(phrase) || phrase.len > PHRASE_PLAIN_MAX)
        add_encoded(&line, phrase, false);
    else if (is_atoms(phrase))
        add(&line, phrase.ptr, phrase.len);
    else
        add_quoted(&line, phrase);
    if (line.column + 3 + address.len > HEADER_LINE_MAX)
        fold(&line);
    buf_puts(to, " <");
    buf_add_view(to, address);
    buf_putc(to, '>');
}

/* Parameters */

static void trim_name(struct view *v) {
    while (v->len && (v->ptr[0] == '.' || v->ptr[0] == ' '))
        *v = view_slice(*v, 1, v->len);
    while (v->len && (v->ptr[v->len - 1] == '.' || v->ptr[v->len - 1] == ' '))
        v->len--;
}

/* The file's name alone, clean, with its ending even where it is cut; ascii: _ for what is not. */
static void clean_name(struct view v, bool ascii, struct buf *to) {
    size_t from = v.len;
    while (from > 0 && v.ptr[from - 1] != '/' && v.ptr[from - 1] != '\\')
        from--;
    char text[HEADER_TEXT_MAX_BYTES];
    v = clean_text(view_slice(v, from, v.len), false, text, sizeof text);
    trim_name(&v);
    struct view ending = {0};
    if (v.len > HEADER_FILE_NAME_MAX_BYTES) {
        size_t dot = v.len;
        while (dot > 0 && v.len - dot < 12 && v.ptr[dot - 1] != '.')
            dot--;
        if (dot > 0 && v.ptr[dot - 1] == '.')
            ending = view_slice(v, dot - 1, v.len);
        size_t keep = HEADER_FILE_NAME_MAX_BYTES - ending.len;
        while (keep && ((unsigned char)v.ptr[keep] & 0xC0) == 0x80)
            keep--;
        v = view_slice(v, 0, keep);
    }
    size_t before = to->len;
    for (int part = 0; part < 2; part++, v = ending)
        for (size_t i = 0; i < v.len; i++) {
            bool beyond = (unsigned char)v.ptr[i] >= 0x80;
            if (strchr("<>:\"|?*", v.ptr[i]) || (ascii && beyond)) {
                bool again = beyond && to->len > before && to->data[to->len - 1] == '_';
                buf_add(to, "_", !again);
            } else {
                buf_putc(to, v.ptr[i]);
            }
        }
    if (to->len == before)
        buf_puts(to, "file");
}

/* attribute-char of RFC 2231 §7, and no more than RFC 3986 leaves alone. */
static bool is_attribute_char(char c) {
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static size_t percent_width(struct view v) {
    size_t width = 0;
    for (size_t i = 0; i < v.len; i++)
        width += is_attribute_char(v.ptr[i]) ? 1 : 3;
    return width;
}

static void add_percent(struct buf *to, struct view v) {
    for (size_t i = 0; i < v.len; i++)
        if (is_attribute_char(v.ptr[i]))
            buf_putc(to, v.ptr[i]);
        else
            buf_printf(to, "%%%02X", (unsigned char)v.ptr[i]);
}

static void add_extended(struct buf *to, const char *name, struct view value) {
    bool whole = percent_width(value) <= SECTION_MAX;
    for (unsigned section = 0; value.len; section++) {
        size_t len = 0;
        while (len < value.len) {
            size_t n;
            (void)text_decode(view_slice(value, len, value.len), &n); /* its length is what counts */
            if (percent_width(view_slice(value, 0, len + n)) > SECTION_MAX)
                break;
            len += n;
        }
        buf_printf(to, ";\r\n %s", name);
        if (!whole)
            buf_printf(to, "*%u", section);
        buf_puts(to, section ? "*=" : "*=UTF-8''");
        add_percent(to, view_slice(value, 0, len));
        value = view_slice(value, len, value.len);
    }
}

static void add_parameter(struct buf *to, const char *name, struct view value, bool ascii) {
    AUTOBUF struct buf clean = BUF_INIT(2 * HEADER_TEXT_MAX_BYTES);
    clean_name(value, ascii, &clean);
    if (buf_error(&clean)) {
        if (to->error == 0)
            to->error = buf_error(&clean);
    } else if (text_is_ascii(buf_view(&clean))) {
        struct line line = {to, 0};
        buf_printf(to, ";\r\n %s=", name);
        add_quoted(&line, buf_view(&clean));
    } else {
        add_extended(to, name, buf_view(&clean));
    }
}

void header_add_parameter(struct buf *to, const char *name, struct view value) {
    add_parameter(to, name, value, false);
}

void header_add_parameter_ascii(struct buf *to, const char *name, struct view value) {
    add_parameter(to, name, value, true);
}

bool header_is_name(const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; i < len; i++)
        if (name[i] <= ' ' || name[i] > '~' || name[i] == ':')
            return false;
    return len > 0 && len <= NAME_MAX_BYTES;
}
