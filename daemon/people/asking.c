#include "people/asking.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/number.h"
#include "conf/conf.h"
#include "store/sign_up.h"
#include "store/suppression.h"
#include "trust/code.h"

#include "base/banned.h"

void asking_network(struct view source, struct buf *to) {
    char text[INET6_ADDRSTRLEN];
    uint8_t b[16];
    if (source.len >= sizeof text)
        return;
    (void)snprintf(text, sizeof text, "%.*s", (int)source.len, source.ptr); /* fits */
    if (inet_pton(AF_INET, text, b) == 1)
        buf_printf(to, "%u.%u.%u", b[0], b[1], b[2]);
    else if (inet_pton(AF_INET6, text, b) == 1)
        buf_printf(to, "%02x%02x:%02x%02x:%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

/* Domains of one provider, whose mailboxes are the same in all of them and have no dots. */
static const struct {
    const char *domain, *as;
} dotless[] = {
    {"gmail.com", "gmail.com"},      {"googlemail.com", "gmail.com"}, {"proton.me", "proton.me"},
    {"protonmail.com", "proton.me"}, {"protonmail.ch", "proton.me"},  {"pm.me", "proton.me"},
};

void asking_mailbox(struct view address_key, struct buf *to) {
    size_t at = view_find(address_key, '@');
    struct view local = view_slice(address_key, 0, at), domain = view_slice(address_key, at + 1, address_key.len);
    const char *as = NULL;
    size_t plus = view_find(local, '+');
    if (plus > 0)
        local = view_slice(local, 0, plus);
    for (size_t i = 0; i < COUNT_OF(dotless) && !as; i++)
        as = view_eq_str(domain, dotless[i].domain) ? dotless[i].as : NULL;
    for (size_t i = 0; i < local.len; i++)
        if (!as || local.ptr[i] != '.')
            buf_putc(to, local.ptr[i]);
    buf_putc(to, '@');
    if (as)
        buf_puts(to, as);
    else
        buf_add_view(to, domain);
}

int asking_blocked(struct request_act *a, const char *address_key) {
    AUTOARENA struct arena arena = {0};
    const char *reason;
    struct opt_out opt_out;
    int r = suppression_get(a->db, address_key, &arena, &reason);
    if (r < 0)
        return r;
    if (r == 1 && strcmp(reason, "hard-bounce") != 0 && strcmp(reason, "soft-bounces") != 0)
        return 1;
    return opt_outs_get(a->db, a->keys, address_key, OPT_OUT_EVERYTHING, &opt_out);
}

static bool is_over(int64_t count, const struct rate *rate) {
    return rate->count && count >= (int64_t)rate->count;
}

int asking_admit(struct request_act *a, const char *what, const struct address *address, uint32_t list,
                 struct view source, int64_t *ret_due_usec, const char **ret_result) {
    AUTOBUF struct buf network = BUF_INIT(64), mailbox = BUF_INIT(sizeof address->key + 16);
    uint8_t hash[ASKED_ADDRESS_BYTES];
    struct asked_counts counts;
    const struct rate *from_source = &a->conf->sign_ups_source, *of_list = &a->conf->sign_ups_list;
    bool confirms = what[0] == 'c';
    *ret_result = "blocked";
    int r = asking_blocked(a, address->key);
    if (r != 0)
        return r < 0 ? r : 0;
    *ret_due_usec = a->at_usec;
    if (a->replayed)
        return 1;
    asking_mailbox(view_of(address->key), &mailbox);
    if (buf_error(&mailbox) < 0)
        return buf_error(&mailbox);
    code_address_hash(a->keys, buf_view(&mailbox), hash);
    asking_network(source, &network);
    struct asked asked = {
        .what = what, .address = hash, .list = list, .network = buf_str(&network), .at_usec = a->now_usec};
    r = asked_count(a->db, &asked, a->now_usec - USEC_PER_DAY, a->now_usec - USEC_PER_HOUR,
                    a->now_usec - from_source->per_usec, a->now_usec - of_list->per_usec, &counts);
    if (r < 0)
        return r;
    *ret_result = "limited";
    if (counts.address >= (confirms ? ASKING_CONFIRMATIONS_A_DAY : ASKING_LINKS_A_DAY) ||
        (confirms && counts.same > 0) || is_over(counts.network, from_source) ||
        (confirms && is_over(counts.list, of_list)))
        return 0;
    asked.due_usec = a->now_usec;
    if (counts.last_due_usec && counts.last_due_usec + ASKING_GAP_USEC > a->now_usec)
        asked.due_usec = counts.last_due_usec + ASKING_GAP_USEC;
    *ret_due_usec = asked.due_usec;
    r = asked_add(a->db, &asked);
    return r < 0 ? r : 1;
}
