#include <errno.h>
#include <stdio.h>

#include "base/number.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "people/joining.h"
#include "people/letters.h"
#include "people/requests.h"
#include "people/requests_act.h"
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/person.h"
#include "store/returned.h"
#include "store/suppression.h"
#include "trust/code.h"
#include "trust/token.h"

#include "base/banned.h"

enum { URL_MAX_BYTES = 4096 };

/* The person and the list, as a token says it, and through which announcement it came (0: unknown). */
struct proved {
    struct token token;
    int64_t announcement;
};

/* Each: 1 proved, 0 not. */

static int by_delivery(struct request_act *a, int64_t announcement, int64_t subscriber, struct proved *ret) {
    uint32_t list;
    int r = delivery_list_of(a->db, announcement, subscriber, &list);
    if (r == 1)
        *ret = (struct proved){{.list = list, .subscriber = (uint64_t)subscriber}, announcement};
    return r;
}

static int by_code(struct request_act *a, const struct request *q, struct proved *ret) {
    enum code_purpose purpose;
    uint64_t first, second;
    struct view code = request_get(q, REQUEST_KEY_CODE);
    if (code.len == 0 || code_check(a->keys, code, &purpose, &first, &second) < 0)
        return 0;
    if (purpose == CODE_BOUNCE)
        return by_delivery(a, (int64_t)first, (int64_t)second, ret);
    if (first > UINT32_MAX)
        return 0;
    *ret =
        (struct proved){{.list = (uint32_t)first, .subscriber = second}, request_number(q, REQUEST_KEY_ANNOUNCEMENT)};
    return 1;
}

/* writer: whose the address is, or 0. */
static int by_token(struct request_act *a, const struct request *q, int64_t writer, struct proved *ret) {
    struct token t;
    struct view token = request_get(q, REQUEST_KEY_TOKEN);
    if (token.len == 0 || token_verify(a->keys, token, &t) < 0 || t.purpose != TOKEN_RECIPIENT ||
        (writer && (uint64_t)writer != t.subscriber))
        return 0;
    *ret = (struct proved){t, request_number(q, REQUEST_KEY_ANNOUNCEMENT)};
    return 1;
}

static int by_messages(struct request_act *a, const struct request *q, int64_t writer, struct proved *ret) {
    struct view messages = request_get(q, REQUEST_KEY_MESSAGES), one;
    uint64_t announcement;
    int r = 0;
    while (r == 0 && writer && view_split(&messages, ',', &one))
        if (code_check_message_id(a->keys, one, (uint64_t)writer, &announcement) == 0)
            r = by_delivery(a, (int64_t)announcement, writer, ret);
    return r;
}

static int find_writer(struct request_act *a, const struct request *q, struct arena *arena, int64_t *ret) {
    struct view written = request_get(q, REQUEST_KEY_ADDRESS);
    struct address address;
    struct person p;
    *ret = 0;
    enum address_fault fault = address_parse(written, &address);
    if (fault != ADDRESS_OK)
        return fault == ADDRESS_NO_MEMORY ? -ENOMEM : 0;
    int r = person_find(a->db, address.key, arena, &p);
    if (r == 1)
        *ret = p.id;
    return r < 0 ? r : 0;
}

/* ---- the mail that confirms it ---- */

/* The page of what was left, as the door shows it behind the button; it offers undo (door/path.h). */
static int print_undo_url(struct request_act *a, const struct conf_list *list, const struct proved *who,
                          const char *language, struct buf *to) {
    struct token t = {.purpose = TOKEN_RECIPIENT, .list = who->token.list, .subscriber = who->token.subscriber};
    if (!list->sender->public_url[0] || a->now_usec - a->at_usec > REQUESTS_UNDO_USEC)
        return 0;
    buf_printf(to, "%s/u/", list->sender->public_url);
    int r = token_sign(a->keys, &t, to);
    buf_printf(to, "/%lld/%s/left-%lld", (long long)who->announcement, language,
               (long long)(a->at_usec / USEC_PER_SEC));
    return r < 0 ? r : buf_error(to);
}

static int confirm(struct request_act *a, const struct proved *who, const struct announcement_lists *left) {
    const struct letters l = {
        .db = a->db, .conf = a->conf, .keys = a->keys, .now_usec = a->now_usec, .mute = a->replayed};
    const struct conf_list *lists[ANNOUNCEMENT_LISTS_MAX];
    AUTOARENA struct arena arena = {0};
    AUTOBUF struct buf url = BUF_INIT(URL_MAX_BYTES);
    struct suppression suppression;
    struct person p;
    size_t count = 0;
    for (size_t i = 0; a->conf && i < left->count; i++) {
        lists[count] = joining_list(a->conf, left->ids[i]);
        count += lists[count] != NULL;
    }
    /* What a restore repeats was said when it happened. */
    if (count == 0 || a->now_usec - a->at_usec > USEC_PER_DAY)
        return 0;
    int r = person_get(a->db, (int64_t)who->token.subscriber, &arena, &p);
    if (r <= 0)
        return r;
    r = suppression_read(a->db, p.address_key, &arena, &suppression);
    if (r != 0)
        return r < 0 ? r : 0;
    const char *language = p.language[0] ? p.language : a->conf->language;
    r = print_undo_url(a, lists[0], who, language, &url);
    if (r < 0)
        return r;
    a->notices = true;
    return letters_left(&l, lists, count, language, p.address[0] ? p.address : p.address_key, buf_str(&url));
}

int requests_mail_leave(struct request_act *a, const struct request *q, const char **ret_result) {
    AUTOARENA struct arena arena = {0};
    struct announcement_lists left;
    struct proved who;
    int64_t writer;
    int r = find_writer(a, q, &arena, &writer);
    if (r == 0)
        r = by_code(a, q, &who);
    if (r == 0)
        r = by_token(a, q, writer, &who);
    if (r == 0)
        r = by_messages(a, q, writer, &who);
    if (r < 0)
        return r;
    if (r == 0) {
        *ret_result = REQUEST_REFUSED;
        r = returned_count(a->db, request_get(q, REQUEST_KEY_CODE).len && !writer ? "forged" : "mail-unproved");
        return r < 0 || !writer ? r : requests_link(a, q, ret_result);
    }
    r = requests_leave_proved(a, q, &who.token, who.announcement, &left);
    *ret_result = left.count ? "left" : "nothing";
    if (r == 0)
        r = returned_count(a->db, "mail-leave");
    return r < 0 ? r : confirm(a, &who, &left);
}
