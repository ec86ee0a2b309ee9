/* A calendar file. What is read can be published; what is published has the lines it must have, is read again, and is
 * the same event. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "../unit/apart_here.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "mail/calendar.h"
#include "mail/unhtml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(struct view text) {
    while (text.len) {
        size_t end = view_find(text, '\n');
        struct view line = view_slice(text, 0, end - 1);
        if (end == text.len || end == 0 || text.ptr[end - 1] != '\r' || line.len > 75 || !text_is_utf8(line) ||
            view_find(line, '\r') < line.len || view_starts(line, "ATTENDEE") || view_starts(line, "BEGIN:VALARM"))
            abort();
        text = view_slice(text, end + 1, text.len);
    }
}

static void same(const char *a, const char *b) {
    if (strcmp(a, b) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct calendar_identity identity = {
        .uid = "1@a.example", .organizer_name = "N", .organizer_address = "a@b.example"};
    AUTOARENA struct arena arena;
    arena_init(&arena);
    struct event e, again;
    struct why why;
    if (calendar_read(view_make(data, size), "Europe/Berlin", &arena, &e, &why) < 0)
        return 0;
    if (*e.title == '\0')
        e.title = "T";
    AUTOBUF struct buf text = BUF_INIT(CALENDAR_FILE_MAX_BYTES), second = BUF_INIT(CALENDAR_FILE_MAX_BYTES);
    int r = calendar_publish(&e, &identity, &text, &why);
    if (r < 0) {
        if (r == -EINVAL && *e.repeat) /* its end may be no day */
            return 0;
        abort();
    }
    check_lines(buf_view(&text));
    if (calendar_read(buf_view(&text), "Europe/Berlin", &arena, &again, &why) < 0)
        abort();
    if (!unhtml_is_html(view_of(e.location))) /* what once was "&amp;amp;" is read as HTML once more */
        same(e.location, again.location);
    same(e.url, again.url);
    if (when_cmp(&e.start, &again.start) || when_cmp(&e.end, &again.end))
        abort();
    (void)calendar_publish(&again, &identity, &second, &why); /* a text may grow by what its escapes hid */
    return 0;
}
