/* Whatever a relay says, and however the octets are cut: every message gets one answer, DELIVERED and IN_DOUBT only
 * when it was handed over whole, and what goes out is what a client may say. First byte: what the relay offers and how
 * many in flight; then commands of this file, one byte each with what follows. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "send/dialogue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MESSAGES_MAX = 200, HANDED_MAX = 1 << 20 };

struct run {
    struct dialogue *d;
    unsigned given;
    bool answered[MESSAGES_MAX], whole[MESSAGES_MAX];
    bool giving; /* more from inside callbacks */
    struct buf handed;
};

static bool is_whole(const struct run *r, uint64_t cookie) {
    char text[64];
    int n = snprintf(text, sizeof text, "message %03u\r\n", (unsigned)cookie);
    return view_search(buf_view(&r->handed), view_make(text, (size_t)n)) < r->handed.len;
}

static void give(struct run *r) {
    char text[64];
    if (r->given == MESSAGES_MAX || dialogue_room(r->d) == 0)
        return;
    int n = snprintf(text, sizeof text, "X: y\r\n\r\nmessage %03u\r\n", r->given);
    struct envelope e = {VIEW("a@b.example"), VIEW("c@d.example"), r->given % 7 == 3};
    assert(dialogue_send(r->d, &e, view_make(text, (size_t)n), r->given) == 0);
    r->given++;
}

static void on_outcome(void *user, uint64_t cookie, const struct outcome *o) {
    struct run *r = user;
    assert(cookie < r->given && !r->answered[cookie]);
    r->answered[cookie] = true;
    if (o->class == OUTCOME_DELIVERED || o->class == OUTCOME_IN_DOUBT)
        assert(is_whole(r, cookie));
    assert(strlen(o->text) <= OUTCOME_TEXT_MAX);
    if (r->giving)
        give(r);
}

static void on_unsent(void *user, uint64_t cookie) {
    struct run *r = user;
    assert(cookie < r->given && !r->answered[cookie]);
    r->answered[cookie] = true;
}

static void hand(struct run *r, size_t most) {
    struct view v = dialogue_output(r->d);
    size_t n = v.len < most ? v.len : most;
    if (r->handed.len + n > HANDED_MAX)
        return;
    buf_add(&r->handed, v.ptr, n);
    dialogue_handed(r->d, n);
}

/* Lines of commands and of messages only, none longer than they may be. */
static void check_output(const struct run *r) {
    static const char *const known[] = {"MAIL FROM:<a@b.example>",
                                        "RCPT TO:<c@d.example>\r",
                                        "DATA\r",
                                        "RSET\r",
                                        "QUIT\r",
                                        "BDAT ",
                                        "X: y\r",
                                        "\r",
                                        "message ",
                                        ".\r"};
    for (struct view rest = buf_view(&r->handed); rest.len;) {
        size_t n = view_find(rest, '\n');
        struct view line = view_slice(rest, 0, n);
        bool found = n == rest.len; /* the last one may be cut */
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
            found |= view_starts(line, known[i]);
        assert(found);
        rest = view_slice(rest, n + 1, SIZE_MAX);
    }
}

static const char *const canned[] = {
    "250 ok\r\n",          "354 go on\r\n",      "550 5.1.1 no\r\n",
    "450 4.2.0 later\r\n", "421 4.3.2 busy\r\n", "250-a\r\n250 b\r\n",
    "503 5.5.1 order\r\n", "221 bye\r\n",        "250 2.0.0 x\r\n250 2.0.0 y\r\n250 2.0.0 z\r\n250 w\r\n",
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct dialogue_handlers handlers = {.on_outcome = on_outcome, .on_unsent = on_unsent};
    if (size == 0)
        return 0;
    uint8_t first = data[0];
    struct capabilities offers = {
        .pipelining = first & 1, .chunking = first & 2, .smtputf8 = first & 4, .size = first & 8};
    struct run r = {.handed = BUF_INIT(HANDED_MAX + 1)};
    assert(dialogue_new(&offers, 1 + first / 16, 1000, &handlers, &r, &r.d) == 0);
    bool quit = false;
    for (size_t i = 1; i < size; i++) {
        uint8_t op = data[i] % 8, n = data[i] / 8;
        bool live = !dialogue_is_over(r.d);
        switch (op) {
        case 0: give(&r); break;
        case 1: hand(&r, n); break;
        case 2: hand(&r, SIZE_MAX); break;
        case 3:
            if (!dialogue_is_over(r.d))
                dialogue_pump(r.d);
            break;
        case 4:
            if (live)
                (void)dialogue_feed(r.d, view_of(canned[n % (sizeof canned / sizeof canned[0])]));
            break;
        case 5:
            if (live) {
                size_t len = n < size - i - 1 ? n : size - i - 1;
                (void)dialogue_feed(r.d, view_make(data + i + 1, len));
                i += len;
            }
            break;
        case 6: r.giving = n & 1; break;
        case 7:
            if (live && !quit && dialogue_in_flight(r.d) == 0) {
                dialogue_quit(r.d);
                quit = true;
                r.giving = false;
            }
            break;
        }
        if (quit)
            r.giving = false;
    }
    if (size % 2)
        dialogue_ended(r.d);
    dialogue_lost(r.d, "the end");
    assert(dialogue_in_flight(r.d) == 0);
    for (unsigned i = 0; i < r.given; i++)
        assert(r.answered[i]);
    check_output(&r);
    (void)dialogue_free(r.d);
    buf_done(&r.handed);
    return 0;
}
