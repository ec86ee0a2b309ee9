/* A record that is read, printed again, says the same; and whatever it says, reports come out of it, and perhaps somebody's
 * wish to leave. */
#include <assert.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "mail/bounce.h"
#include "mail/leaving.h"
#include "mail/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* As leave_words_add() leaves them. */
static const struct leave_words *leave_words(void) {
    static struct leave_words words = {
        .words = BUF_INIT(1000), .beside = BUF_INIT(1000), .from = BUF_INIT(1000), .subject = BUF_INIT(1000)};
    if (words.words.len == 0) {
        buf_puts(&words.words, " abmelden \n stop \n take me off \n");
        buf_puts(&words.beside, " bitte \n me \n hallo \n");
        buf_puts(&words.from, " von \n from \n");
        buf_puts(&words.subject, " betreff \n subject \n");
    }
    return &words;
}

static void leave(const struct record *r) {
    CLEANUP(leaving_done) struct leaving l;
    struct view announcement;
    size_t cursor = 0, tokens = 0;
    if (leaving_read(r, leave_words(), &l)) {
        assert(l.message_count <= LEAVING_MESSAGES_MAX);
        for (size_t i = 0; i < l.message_count; i++)
            assert(l.messages[i].len == LEAVING_MESSAGE_ID_LEN);
        assert(l.address.len == 0 || view_find(l.address, '@') < l.address.len);
    }
    while (leaving_next_token(r, &cursor, &announcement).ptr)
        assert(++tokens <= RECORD_MAX_BYTES);
}

static void understand(const struct record *r) {
    struct bounce b;
    struct view announcement;
    size_t cursor = 0, tokens = 0;
    bounce_read(r, &b);
    assert(b.count > 0 && b.count <= BOUNCE_REPORTS_MAX);
    for (size_t i = 0; i < b.count; i++)
        assert(bounce_class_name(b.reports[i].class)[0] && bounce_action_name(b.reports[i].action)[0] &&
               memchr(b.reports[i].recipient, '\0', sizeof b.reports[i].recipient));
    assert(bounce_mildest(&b));
    while (bounce_next_token(r, &cursor, &announcement).ptr)
        assert(++tokens <= RECORD_MAX_BYTES);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct record r, again;
    if (record_read(view_make(data, size), &r) < 0)
        return 0;
    AUTOBUF struct buf printed = BUF_INIT(RECORD_MAX_BYTES);
    record_print_head(&printed);
    for (size_t i = 0; i < r.field_count; i++)
        record_print_field(&printed, r.fields[i].name, r.fields[i].value);
    for (size_t i = 0; i < r.part_count; i++)
        record_print_part(&printed, r.parts[i].level, r.parts[i].type, r.parts[i].text);
    record_print_end(&printed);
    assert(view_eq(buf_view(&printed), view_make(data, size)));
    assert(record_read(buf_view(&printed), &again) == 0 && again.part_count == r.part_count);
    understand(&r);
    leave(&r);
    return 0;
}
