/* Announcement files from anywhere, as texts, translations and calendars: what is read of them is clean text within its
 * caps, and problems are told where there was none. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/apart_here.h"
#include "announce/draft.h"
#include "announce/mentions.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth) {
    if (!truth)
        abort();
}

static int on_name(void *user, const struct mention *m) {
    const struct draft *d = user;
    expect(m->name.len > 0 && m->line >= d->body_line);
    return 0;
}

static void check(const struct draft *d, const struct problems *p, int result) {
    expect((result == -EINVAL) == (p->errors > 0) && (result == 0 || result == -EINVAL));
    for (enum draft_key k = 0; k < DRAFT_KEYS; k++) {
        const struct draft_value *v = &d->values[k];
        if (!v->text)
            continue;
        expect(v->text[0] && v->file && text_is_utf8(view_of(v->text)) && !text_has_control(view_of(v->text)));
        expect(d->from_calendar || strlen(v->text) <= 3 * DRAFT_VALUE_MAX_BYTES);
    }
    expect(d->body.len <= DRAFT_BODY_MAX_BYTES && text_is_utf8(d->body));
    for (size_t i = 0; i < p->count; i++)
        expect(text_is_utf8(view_of(p->items[i].args[0])) && p->items[i].key[0]);
    (void)mentions_in_body(d->body, d->body_line, on_name, (void *)d); /* always 0 */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct {
        const char *name;
        bool translation;
    } as[] = {{"a.md", false}, {"a.fr.md", true}, {"a.ics", false}};
    for (size_t i = 0; i < COUNT_OF(as); i++) {
        static struct problems problems;
        struct draft d;
        problems_init(&problems);
        int r = draft_read(as[i].name, view_make(data, size), as[i].translation, "Europe/Berlin", &problems, &d);
        check(&d, &problems, r);
        draft_done(&d);
        problems_done(&problems);
    }
    return 0;
}
