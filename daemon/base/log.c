#include "base/log.h"

#include <ctype.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "base/text.h"

static _Atomic int max_level = LOG_INFO;

void log_set_level(int level) {
    max_level = level;
}

/* What a relay says may quote the address that it speaks of. */
static void add_masked(struct buf *to, struct view text) {
    static const char around[] = " \t\r\n<>()[]\"',;:=";
    while (text.len) {
        size_t at = view_find(text, '@'), first = at, end = at + 1;
        while (first > 0 && at < text.len && !strchr(around, text.ptr[first - 1]))
            first--;
        while (end < text.len && !strchr(around, text.ptr[end]))
            end++;
        bool is_address = at < text.len && first < at && end > at + 1;
        if (!is_address)
            first = end = at < text.len ? at + 1 : text.len;
        buf_add_view(to, view_slice(text, 0, first));
        if (is_address)
            buf_puts(to, "[address]");
        text = view_slice(text, end, text.len);
    }
}

static const struct {
    const char *event, *message_id;
} events[] = {
#include "events.h"
};

static bool journal_reads_stderr;

static void look_for_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM"); /* DEVICE:INODE */
    unsigned long long device, inode;
    struct stat st;
    journal_reads_stderr = stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
                           fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

enum { JOURNAL_FIELDS_MAX = 16 };

/* Fields one after the other in one text. */
struct entry {
    struct buf text;
    size_t ends[JOURNAL_FIELDS_MAX];
    int count;
};

static void end_field(struct entry *e) {
    if (e->count < JOURNAL_FIELDS_MAX)
        e->ends[e->count++] = e->text.len;
}

static void add_text(struct buf *to, const char *text) {
    AUTOBUF struct buf masked = BUF_INIT(4 * LOG_LINE_MAX);
    add_masked(&masked, view_of(text));
    text_add_safe(to, buf_view(&masked));
}

static void add_field(struct entry *e, const struct log_field *f) {
    buf_puts(&e->text, "RUNDBRIEF_");
    for (const char *c = f->key; *c; c++)
        buf_putc(&e->text, *c == '-' ? '_' : (char)toupper((unsigned char)*c));
    buf_putc(&e->text, '=');
    if (f->text)
        add_text(&e->text, f->text);
    else
        buf_printf(&e->text, "%lld", (long long)f->number);
    end_field(e);
}

static int hand_over(const struct entry *e) {
    struct iovec parts[JOURNAL_FIELDS_MAX];
    size_t from = 0;
    for (int i = 0; i < e->count; from = e->ends[i++])
        parts[i] = (struct iovec){e->text.data + from, e->ends[i] - from};
    return e->text.error ? e->text.error : sd_journal_sendv(parts, e->count);
}

/* 0, or a negative errno where the journal did not take it. */
static int to_journal(int level, const char *event, const struct log_field *fields, struct view line) {
    struct entry e = {.text = BUF_INIT(4 * LOG_LINE_MAX)};
    buf_printf(&e.text, "MESSAGE=%.*s", (int)line.len, line.ptr);
    end_field(&e);
    buf_printf(&e.text, "PRIORITY=%d", level);
    end_field(&e);
    buf_printf(&e.text, "RUNDBRIEF_EVENT=%s", event);
    end_field(&e);
    for (size_t i = 0; i < COUNT_OF(events); i++)
        if (strcmp(events[i].event, event) == 0) {
            buf_printf(&e.text, "MESSAGE_ID=%s", events[i].message_id);
            end_field(&e);
        }
    for (; fields->key; fields++)
        add_field(&e, fields);
    int r = hand_over(&e);
    buf_done(&e.text);
    return r;
}

static void add_value(struct buf *line, const char *text) {
    bool quote = text[0] == '\0' || strpbrk(text, " \"=\\") != NULL;
    AUTOBUF struct buf masked = BUF_INIT(4 * LOG_LINE_MAX);
    add_masked(&masked, view_of(text));
    struct view rest = buf_view(&masked);
    if (!quote) {
        text_add_safe(line, rest);
        return;
    }
    buf_putc(line, '"');
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
    char memory[2 * LOG_LINE_MAX]; /* not of the heap: to say that there is no memory takes none */
    struct buf line = {.data = memory, .cap = sizeof memory, .limit_bytes = sizeof memory - 1};
    memory[0] = '\0';
    buf_printf(&line, "<%d>%s", level, event);
    for (const struct log_field *f = fields; f->key; f++) {
        buf_printf(&line, " %s=", f->key);
        if (f->text)
            add_value(&line, f->text);
        else
            buf_printf(&line, "%lld", (long long)f->number);
    }
    if (line.len > LOG_LINE_MAX) {
        buf_truncate(&line, LOG_LINE_MAX);
        text_cut_clean(line.data);
        line.len = strlen(line.data);
    }
    line.error = 0;
    static pthread_once_t looked = PTHREAD_ONCE_INIT;
    (void)pthread_once(&looked, look_for_journal);
    struct view message = view_slice(buf_view(&line), strlen("<0>"), line.len);
    if (journal_reads_stderr && to_journal(level, event, fields, message) >= 0)
        return;
    buf_putc(&line, '\n');
    if (write(STDERR_FILENO, buf_str(&line), line.len) < 0)
        return; /* nowhere left to say so */
}

void log_why(int level, const char *event, const struct why *why) {
    log_event(level, event, LOG_TEXT("where", why->where), LOG_TEXT("what", why->what), LOG_TEXT("todo", why->todo));
}
