/* Announcements that recur, and those that go out days before their event: what their values mean, and what problems they
 * have. */
#include <errno.h>

#include "announce/checking.h"
#include "base/number.h"
#include "conf/conf.h"

#include "base/banned.h"

static int find_series(struct checking *k, struct intake_series *ret) {
    const struct intake_options *o = k->options;
    if (!o->find_series || !checking_list(k))
        return 0;
    int r = o->find_series(o->user, checking_list(k), k->source->stem, &k->result->bundle.arena, ret);
    if (r == 1)
        k->series_uid = ret->uid;
    return r;
}

/* The date that is meant, or the next one. 1, 0 where there is none. */
static int choose(struct checking *k, const struct occurrence_rule *rule, struct occurrence *ret) {
    const struct intake_options *o = k->options;
    struct intake_series series = {0};
    if (o->occurrence)
        return occurrence_at(rule, o->occurrence, ret);
    int r = find_series(k, &series);
    if (r < 0)
        return r;
    bool late = false;
    (void)number_parse_bool(view_of(draft_text(checking_first(k), DRAFT_LATE)), &late); /* told elsewhere */
    /* A date of which its predecessor laid something before the coordinators is made anew, late or not. */
    if (occurrence_next(rule, series.has_last ? &series.last : NULL, o->now_usec, late || r == 1, ret))
        return 1;
    return o->allow_past && occurrence_at(rule, &rule->recurrence.start, ret);
}

int intake_check_repeat(struct checking *k) {
    struct intake_result *r = k->result;
    const char *text = draft_text(checking_first(k), DRAFT_REPEAT);
    struct why why = {0};
    if (!r->has_event)
        return 0;
    struct occurrence_rule *rule = arena_alloc(&r->bundle.arena, sizeof *rule);
    if (!rule)
        return -ENOMEM;
    *rule = (struct occurrence_rule){.end = r->event_end, .zone = r->event_zone};
    if (recur_read(view_of(text), &r->event_start, r->event_zone, &rule->recurrence, &why) < 0) {
        checking_complain(k, DRAFT_REPEAT, "bad-repeat", text, why.what, NULL);
        return 0;
    }
    (void)occurrence_read_days(view_of(draft_text(checking_first(k), DRAFT_SEND_BEFORE)),
                               &rule->before_days); /* below */
    int any = choose(k, rule, &r->occurrence);
    if (any < 0)
        return any;
    if (any == 0) {
        checking_complain(k, DRAFT_REPEAT, "repeat-over", text, NULL, NULL);
        return 0;
    }
    r->rule = rule;
    r->repeat = checking_own(k, text);
    r->is_series = !k->options->occurrence;
    r->event_start = r->occurrence.start;
    r->event_end = r->occurrence.end;
    r->event_end_usec = r->occurrence.end_usec > k->options->now_usec ? r->occurrence.end_usec : 0;
    return r->repeat ? 0 : -ENOMEM;
}

/* Moments of one day say nothing of the others. */
static void check_recurring(struct checking *k) {
    static const enum draft_key others[] = {DRAFT_SEND_AT, DRAFT_SEND_UNTIL};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (draft_has(checking_first(k), others[i]))
            checking_complain(k, others[i], "not-with-repeat", draft_key_name(others[i]), NULL, NULL);
    if (k->options->send_at_usec)
        checking_complain(k, DRAFT_REPEAT, "not-with-repeat", "--at", NULL, NULL);
    k->result->send_at_usec = k->result->occurrence.send_at_usec;
}

void intake_check_send_before(struct checking *k) {
    const struct draft *d = checking_first(k);
    struct intake_result *r = k->result;
    const char *text = draft_text(d, DRAFT_SEND_BEFORE);
    int days = 0;
    bool said = draft_has(d, DRAFT_SEND_BEFORE);
    if (said && occurrence_read_days(view_of(text), &days) < 0)
        checking_complain(k, DRAFT_SEND_BEFORE, "bad-days", text, NULL, NULL);
    else if (said && !draft_has_event(d))
        checking_complain(k, DRAFT_SEND_BEFORE, "send-before-no-event", NULL, NULL, NULL);
    else if (draft_has(d, DRAFT_REPEAT))
        check_recurring(k);
    else if (draft_has(d, DRAFT_SEND_AT))
        checking_complain(k, DRAFT_SEND_BEFORE, "send-before-and-at", NULL, NULL, NULL);
    else if (r->has_event && !k->options->send_at_usec) {
        r->send_at_usec = occurrence_send_at(&r->event_start, days, r->event_zone);
        if (r->send_at_usec < k->options->now_usec - USEC_PER_MIN && !checking_allows_past(k))
            checking_complain(k, DRAFT_SEND_BEFORE, "send-before-past", text, NULL, NULL);
    }
}
