#include "door/release.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "mail/when.h"
#include "mail/words.h"
#include "net/json.h"

#include "base/banned.h"

static void read_languages(const json_t *languages, struct release *ret) {
    size_t i;
    json_t *one;
    json_array_foreach(languages, i, one) {
        int64_t people = json_number(one, "people", 0);
        if (ret->language_count == RELEASE_LANGUAGES_MAX || people <= 0)
            continue;
        ret->languages[ret->language_count].people = (uint64_t)people;
        (void)snprintf(ret->languages[ret->language_count++].code, sizeof ret->languages[0].code, "%s",
                       json_text(one, "language")); /* a longer one is cut, and no language */
    }
}

int release_read(struct view answer, struct release *ret) {
    json_t *document = json_read(answer);
    const char *purpose = document ? json_text(document, "purpose") : "";
    *ret = (struct release){.held = false};
    int r = strcmp(purpose, "gone") == 0 || strcmp(purpose, "release") == 0 ? 0 : -EBADMSG;
    if (r == 0 && strcmp(purpose, "release") == 0) {
        int64_t list = json_number(document, "list", 0), at = json_number(document, "send_at", 0),
                total = json_number(document, "total", 0);
        ret->held = strcmp(json_text(document, "state"), "held") == 0;
        ret->list = list > 0 && list <= UINT32_MAX ? (uint32_t)list : 0;
        ret->send_at_usec = at > 0 && at < INT64_MAX / USEC_PER_SEC ? at * USEC_PER_SEC : 0;
        ret->total = total > 0 ? (uint64_t)total : 0;
        (void)snprintf(ret->subject, sizeof ret->subject, "%s", json_text(document, "subject")); /* a long one is cut */
        text_cut_clean(ret->subject);
        (void)snprintf(ret->timezone, sizeof ret->timezone, "%s", json_text(document, "timezone")); /* the same */
        read_languages(json_object_get(document, "languages"), ret);
    }
    json_decref(document);
    return r;
}

void release_say(const struct release *release, const struct words *words, struct buf *to) {
    AUTOBUF struct buf text = BUF_INIT(256);
    struct when at;
    words_format(words, "notice.fact-subject", release->subject, NULL, NULL, to);
    buf_putc(to, '\n');
    if (release->send_at_usec && when_from_usec(release->send_at_usec, release->timezone, &at) == 0) {
        at.has_time = true;
        when_say(words, &at, &text);
        words_format(words, "notice.fact-send-at", buf_str(&text), NULL, NULL, to);
    } else
        buf_puts(to, words_get(words, "notice.fact-send-now"));
    buf_putc(to, '\n');
    if (release->total)
        words_plural(words, "notice.fact-people", release->total, to);
    else
        buf_puts(to, words_get(words, "notice.fact-nobody"));
    for (size_t i = 0; i < release->language_count; i++) {
        buf_puts(to, i ? ", " : " (");
        words_say_language(words, release->languages[i].code, to);
        buf_putc(to, ' ');
        buf_put_i64(to, (int64_t)release->languages[i].people);
    }
    buf_puts(to, release->language_count ? ")\n" : "\n");
}
