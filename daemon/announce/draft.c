#include "announce/draft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/ini.h"
#include "base/text.h"
#include "mail/calendar.h"
#include "mail/calendar_lines.h"

#include "base/banned.h"

static const struct {
    const char *section, *key, *shown;
    bool first_file_only;
} keys[DRAFT_KEYS] = {
    [DRAFT_LIST] = {"announcement", "list", "[announcement] list", true},
    [DRAFT_SUBJECT] = {"announcement", "subject", "[announcement] subject", false},
    [DRAFT_TEMPLATE] = {"announcement", "template", "[announcement] template", true},
    [DRAFT_SEND_AT] = {"announcement", "send-at", "[announcement] send-at", true},
    [DRAFT_SEND_BEFORE] = {"announcement", "send-before", "[announcement] send-before", true},
    [DRAFT_SEND_UNTIL] = {"announcement", "send-until", "[announcement] send-until", true},
    [DRAFT_ATTACH] = {"announcement", "attach", "[announcement] attach", false},
    [DRAFT_FROM_NAME] = {"announcement", "from-name", "[announcement] from-name", false},
    [DRAFT_REPLY_TO] = {"announcement", "reply-to", "[announcement] reply-to", true},
    [DRAFT_ONLY] = {"announcement", "only", "[announcement] only", true},
    [DRAFT_LATE] = {"announcement", "late", "[announcement] late", true},
    [DRAFT_TITLE] = {"event", "title", "[event] title", false},
    [DRAFT_START] = {"event", "start", "[event] start", true},
    [DRAFT_END] = {"event", "end", "[event] end", true},
    [DRAFT_LOCATION] = {"event", "location", "[event] location", false},
    [DRAFT_URL] = {"event", "url", "[event] url", false},
    [DRAFT_TIMEZONE] = {"event", "timezone", "[event] timezone", true},
    [DRAFT_REPEAT] = {"event", "repeat", "[event] repeat", true},
    [DRAFT_CONTACT_NAME] = {"contact", "name", "[contact] name", false},
    [DRAFT_CONTACT_PHONE] = {"contact", "phone", "[contact] phone", false},
    [DRAFT_CONTACT_MAIL] = {"contact", "mail", "[contact] mail", false},
};

static const char *const sections[] = {"announcement", "event", "contact"};

const char *draft_key_name(enum draft_key key) {
    return keys[key].shown;
}

struct reading {
    struct draft *draft;
    struct problems *problems;
    unsigned first_line; /* lines of the file before the front matter */
    struct view front;
    bool translation, section_known;
};

static void complain(struct reading *r, unsigned line, const char *key, const char *a1, const char *a2,
                     const char *near) {
    problem_add(r->problems, false, r->draft->file, line, key, a1, a2, near);
}

static bool section_exists(const char *name) {
    for (size_t i = 0; i < COUNT_OF(sections); i++)
        if (strcmp(sections[i], name) == 0)
            return true;
    return false;
}

static void unknown_key(struct reading *r, unsigned line, const struct ini_item *item) {
    const char *names[DRAFT_KEYS];
    size_t count = 0;
    for (size_t k = 0; k < DRAFT_KEYS; k++) {
        if (strcmp(keys[k].key, item->key) == 0) {
            complain(r, line, "key-elsewhere", item->key, keys[k].section, NULL);
            return;
        }
        if (strcmp(keys[k].section, item->section) == 0)
            names[count++] = keys[k].key;
    }
    complain(r, line, "unknown-key", item->key, NULL, text_nearest(view_of(item->key), names, count));
}

/* Where the value of a line begins, as an editor counts. */
static unsigned column_of_value(struct view front, unsigned line) {
    struct view at = {0};
    for (unsigned n = 0; n < line && view_line(&front, &at); n++)
        ;
    size_t equals = view_find(at, '='), colon = view_find(at, ':'), i = (equals < colon ? equals : colon) + 1, length;
    while (i < at.len && (at.ptr[i] == ' ' || at.ptr[i] == '\t'))
        i++;
    unsigned column = 1;
    for (size_t n = 0; n < i && n < at.len; n += length, column++)
        (void)text_decode(view_slice(at, n, at.len), &length);
    return column;
}

static int take_pair(struct reading *r, unsigned line, const struct ini_item *item) {
    size_t k = 0;
    while (k < DRAFT_KEYS && (strcmp(keys[k].section, item->section) != 0 || strcmp(keys[k].key, item->key) != 0))
        k++;
    if (k == DRAFT_KEYS) {
        unknown_key(r, line, item);
        return 0;
    }
    struct view value = view_trim(view_of(item->value));
    if (r->draft->values[k].text)
        complain(r, line, "duplicate-key", item->key, NULL, NULL);
    else if (r->translation && keys[k].first_file_only)
        complain(r, line, "translation-key", item->key, NULL, NULL);
    else if (value.len > DRAFT_VALUE_MAX_BYTES)
        complain(r, line, "value-too-long", item->key, NULL, NULL);
    else if (text_has_control(value))
        complain(r, line, "control-characters", item->key, NULL, NULL);
    else if (value.len) {
        AUTOBUF struct buf nfc = BUF_INIT(DRAFT_VALUE_MAX_BYTES * 3);
        if (text_nfc(value, &nfc) < 0) /* ini.h passes valid UTF-8 only */
            return -ENOMEM;
        r->draft->values[k] = (struct draft_value){arena_dup(&r->draft->arena, buf_view(&nfc)), r->draft->file, line,
                                                   column_of_value(r->front, line - r->first_line)};
    } else if (k == DRAFT_ONLY) /* nobody is not everybody */
        complain(r, line, "filter-empty", NULL, NULL, NULL);
    return 0;
}

static int on_item(void *user, const struct ini_item *item) {
    struct reading *r = user;
    unsigned line = r->first_line + item->line;
    switch (item->fault) {
    case INI_OK: break;
    case INI_NOT_A_PAIR: complain(r, line, "not-a-pair", item->value, NULL, NULL); return 0;
    case INI_UNCLOSED_SECTION: complain(r, line, "unclosed-section", item->section, NULL, NULL); return 0;
    case INI_EMPTY_NAME: complain(r, line, "empty-name", NULL, NULL, NULL); return 0;
    case INI_LINE_TOO_LONG: complain(r, line, "line-too-long", NULL, NULL, NULL); return 0;
    case INI_NOT_UTF8: complain(r, line, "not-text", NULL, NULL, NULL); return 0;
    }
    if (!item->key) {
        r->section_known = section_exists(item->section);
        if (!r->section_known)
            complain(r, line, "unknown-section", item->section, NULL,
                     text_nearest(view_of(item->section), sections, COUNT_OF(sections)));
    } else if (item->section[0] == '\0')
        complain(r, line, "no-section", item->key, NULL, NULL);
    else if (r->section_known)
        return take_pair(r, line, item);
    return 0;
}

static bool is_separator(struct view line) {
    return view_eq_str(view_trim(line), "---");
}

static int read_markdown(struct reading *r, struct view text) {
    struct view rest = text, line, front;
    unsigned number = 0;
    while (view_line(&rest, &line)) { /* a leading --- as site generators write it */
        number++;
        if (view_trim(line).len == 0)
            continue;
        if (!is_separator(line))
            rest = text, number = 0;
        break;
    }
    r->first_line = number;
    front = rest;
    bool found = false;
    while (!found && view_line(&rest, &line)) {
        number++;
        found = is_separator(line);
    }
    if (!found) {
        complain(r, 0, "no-separator", NULL, NULL, NULL);
        return 0;
    }
    front.len = (size_t)(line.ptr - front.ptr);
    r->front = front;
    int error = ini_read(front, on_item, r);
    if (error < 0)
        return error;
    r->draft->body_line = number + 1;
    if (rest.len > DRAFT_BODY_MAX_BYTES)
        complain(r, r->draft->body_line, "body-too-long", NULL, NULL, NULL);
    else
        r->draft->body = view_make(arena_dup(&r->draft->arena, rest), rest.len);
    return 0;
}

static void take_value(struct draft *d, enum draft_key key, const char *text) {
    if (text && text[0])
        d->values[key] = (struct draft_value){arena_strdup(&d->arena, text), d->file, 0, 0};
}

static void take_when(struct draft *d, enum draft_key key, const struct when *w) {
    char text[80];
    if (w->has_time)
        (void)snprintf(text, sizeof text, "%04d-%02d-%02d %02d:%02d", w->year, w->month, w->day, w->hour, w->minute);
    else
        (void)snprintf(text, sizeof text, "%04d-%02d-%02d", w->year, w->month, w->day);
    take_value(d, key, text);
}

/* The length of a web address at the beginning of v, or 0. Without what ends a sentence, and without braces, which
 * could be taken for a field. */
static size_t address_length(struct view v) {
    size_t len = view_starts(v, "https://") ? 8 : view_starts(v, "http://") ? 7 : 0, least = len;
    if (len == 0)
        return 0;
    while (len < v.len && (unsigned char)v.ptr[len] > ' ' && !strchr("<>\"{}\\", v.ptr[len]))
        len++;
    while (len > least && strchr(".,;:!?)]'", v.ptr[len - 1]))
        len--;
    return len > least ? len : 0;
}

/* The event's description is text, not Markdown and not a template: every mark is escaped, and web addresses become
 * links. */
static void escape_markdown(struct view text, struct buf *to) {
    bool line_start = true;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i], before = i ? text.ptr[i - 1] : ' ';
        size_t address = c == 'h' && strchr(" \t\n(<\"", before) ? address_length(view_slice(text, i, text.len)) : 0;
        if (address) {
            buf_printf(to, "<%.*s>", (int)address, text.ptr + i);
            i += address - 1;
            line_start = false;
            continue;
        }
        if (line_start && (c == ' ' || c == '\t'))
            continue;
        if (c > 0 && strchr("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", c) &&
            !(c == '.' || c == ',' || c == ':' || c == '/' || c == '-'))
            buf_putc(to, '\\');
        else if (line_start && (c == '-' || c == '.' || c == ':'))
            buf_putc(to, '\\');
        else if (c == '.' && before >= '0' && before <= '9')
            buf_putc(to, '\\');
        if (c == '\n' && !line_start && i + 1 < text.len && text.ptr[i + 1] != '\n')
            buf_puts(to, "\\"); /* a line end stays one */
        buf_putc(to, c);
        line_start = c == '\n';
    }
}

static void say_charset(struct reading *r, const char *charset) {
    if (strcmp(charset, "windows-1252") == 0)
        problem_add(r->problems, true, r->draft->file, 0, "read-as-windows-1252", NULL, NULL, NULL);
}

/* The file as it is: its folds are undone before its characters are decoded. */
static int read_calendar(struct reading *r, struct view text, const char *default_zone) {
    struct draft *d = r->draft;
    struct event event;
    struct why why;
    AUTOBUF struct buf unfolded = BUF_INIT(DRAFT_FILE_MAX_BYTES * 3);
    const char *charset = "";
    if (calendar_unfold(text, &unfolded, &charset, &why) == 0)
        say_charset(r, charset);
    int error = calendar_read(text, default_zone, &d->arena, &event, &why);
    if (error == -ENOMEM)
        return error;
    if (error < 0) {
        complain(r, 0, why.key ? why.key : "bad-calendar", why.what, NULL, NULL);
        return 0;
    }
    take_value(d, DRAFT_SUBJECT, event.title);
    take_value(d, DRAFT_TITLE, event.title);
    take_value(d, DRAFT_LOCATION, event.location);
    take_value(d, DRAFT_URL, event.url);
    take_value(d, DRAFT_TIMEZONE, event.zone);
    take_value(d, DRAFT_REPEAT, event.repeat);
    take_when(d, DRAFT_START, &event.start);
    take_when(d, DRAFT_END, &event.end);
    AUTOBUF struct buf body = BUF_INIT(DRAFT_BODY_MAX_BYTES);
    buf_puts(&body, "{{salutation}},\n\n");
    escape_markdown(view_of(event.description ? event.description : ""), &body);
    if (buf_error(&body))
        complain(r, 0, "body-too-long", NULL, NULL, NULL);
    d->body = view_make(arena_dup(&d->arena, buf_view(&body)), body.len);
    d->body_line = 1;
    d->from_calendar = true;
    return 0;
}

static bool is_calendar(const char *file) {
    struct view name = view_of(file);
    return name.len > 4 && view_eq_nocase(view_slice(name, name.len - 4, 4), ".ics");
}

static int read_text(struct reading *r, struct view content) {
    AUTOBUF struct buf text = BUF_INIT(DRAFT_FILE_MAX_BYTES * 3);
    const char *charset;
    int error = text_read(content, &text, &charset);
    if (why_is_trouble(error))
        return error;
    if (error < 0 || !text_is_utf8(buf_view(&text))) {
        complain(r, 0, "not-text", NULL, NULL, NULL);
        return 0;
    }
    say_charset(r, charset);
    return read_markdown(r, buf_view(&text));
}

int draft_read(const char *file, struct view content, bool translation, const char *default_zone,
               struct problems *problems, struct draft *ret) {
    struct draft d = {0};
    d.file = arena_strdup(&d.arena, file);
    struct reading r = {.draft = &d, .problems = problems, .translation = translation};
    size_t errors = problems->errors;
    int error = 0;
    if (content.len > DRAFT_FILE_MAX_BYTES)
        complain(&r, 0, "file-too-long", NULL, NULL, NULL);
    else if (is_calendar(file))
        error = read_calendar(&r, content, default_zone);
    else
        error = read_text(&r, content);
    if (arena_failed(&d.arena))
        error = -ENOMEM;
    if (error < 0) {
        draft_done(&d);
        return error;
    }
    *ret = d;
    return problems->errors > errors ? -EINVAL : 0;
}

void draft_done(struct draft *d) {
    arena_done(&d->arena);
    *d = (struct draft){0};
}

bool draft_is_literal(const struct draft *d, enum draft_key key) {
    return d->values[key].text && d->values[key].line == 0;
}

bool draft_has_event(const struct draft *d) {
    static const enum draft_key of_event[] = {DRAFT_TITLE, DRAFT_START,    DRAFT_END,   DRAFT_LOCATION,
                                              DRAFT_URL,   DRAFT_TIMEZONE, DRAFT_REPEAT};
    for (size_t i = 0; i < COUNT_OF(of_event); i++)
        if (draft_has(d, of_event[i]))
            return true;
    return false;
}

const char *draft_event_title(const struct draft *d) {
    return draft_has(d, DRAFT_TITLE) ? draft_text(d, DRAFT_TITLE) : draft_text(d, DRAFT_SUBJECT);
}

void draft_overlay(struct draft *d, const struct draft *first) {
    for (size_t k = 0; k < DRAFT_KEYS; k++)
        if (!d->values[k].text)
            d->values[k] = first->values[k];
}

void draft_problem(const struct draft *d, enum draft_key key, struct problems *problems, const char *problem,
                   const char *a1, const char *a2, const char *near) {
    const struct draft_value *v = &d->values[key];
    problem_add(problems, false, v->text ? v->file : d->file, v->line, problem, a1, a2, near);
}
