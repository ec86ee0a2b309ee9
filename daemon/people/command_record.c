#include "people/command_record.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "people/member.h"
#include "people/opt_outs.h"
#include "spool/spool.h"
#include "store/applied.h"

#include "base/banned.h"

static const char unknown[] = "-";

int command_record(struct db *db, const struct member_act *act, struct request *q) {
    AUTOBUF struct buf record = BUF_INIT(REQUEST_LINE_MAX_BYTES);
    struct view reason = view_trim(view_of(act->evidence ? act->evidence : ""));
    if (!act->spool)
        return 0;
    q->value[REQUEST_KEY_BY] = view_of(act->by && *act->by ? act->by : unknown);
    q->value[REQUEST_KEY_REASON] = reason.len ? reason : view_of(unknown);
    q->at_usec = clock_now_usec();
    int r = request_print_new(&record, q);
    AUTOCLOSE int dirfd = r < 0 ? -1 : files_open_dir(act->spool->dirfd, "applied");
    if (r == 0)
        r = dirfd < 0 ? dirfd : request_hand_over(dirfd, buf_view(&record));
    return r < 0 ? r : applied_keep(db, q->id, clock_now_usec(), request_verb_name(q->verb));
}

struct lists {
    uint32_t ids[REQUEST_LISTS_MAX + 1]; /* one more: too many are known as that */
    size_t count;
};

static int collect(void *user, const struct subscription *s) {
    struct lists *lists = user;
    if (s->state == SUBSCRIPTION_LEFT && lists->count < COUNT_OF(lists->ids))
        lists->ids[lists->count++] = s->list;
    return 0;
}

static int find_who(struct db *db, const struct member_act *act, uint32_t list, int64_t subscriber,
                    struct opt_outs_who *ret) {
    struct lists lists = {.ids = {list}, .count = list ? 1 : 0};
    int r = list ? 0 : subscription_each_of(db, subscriber, collect, &lists);
    return r < 0 ? r : opt_outs_who(db, act->keys, subscriber, SUBSCRIPTION_LEFT, lists.ids, lists.count, ret);
}

int command_record_member(struct db *db, const struct member_act *act, uint32_t list, int64_t subscriber,
                          const char *how) {
    char list_text[16], subscriber_text[24];
    (void)snprintf(list_text, sizeof list_text, "%u", (unsigned)list);                      /* fits */
    (void)snprintf(subscriber_text, sizeof subscriber_text, "%lld", (long long)subscriber); /* fits */
    struct request q = {.verb = REQUEST_COMMAND_LEAVE};
    struct opt_outs_who who = {0};
    q.value[REQUEST_KEY_HOW] = view_of(how);
    if (list)
        q.value[REQUEST_KEY_LIST] = view_of(list_text);
    q.value[REQUEST_KEY_SUBSCRIBER] = view_of(subscriber_text);
    int r = strcmp(how, "removed") == 0 || strcmp(how, "restored") == 0 ? 0 /* ours: an import brings them back */
                                                                        : find_who(db, act, list, subscriber, &who);
    if (r < 0)
        return r;
    opt_outs_put(&who, &q);
    return command_record(db, act, &q);
}
