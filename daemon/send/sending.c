#include "send/sending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "spool/spool.h"

static void take_domain(struct item *i, struct view address) {
    size_t at = address.len;
    while (at > 0 && address.ptr[at - 1] != '@')
        at--;
    (void)snprintf(i->domain, sizeof i->domain, "%.*s", (int)(address.len - at),
                   address.ptr + at); /* domains are shorter */
}

struct item *item_of_claim(struct sending *s, struct claim *claim) {
    struct item *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->sending = s;
    i->claim = *claim;
    claim->memory = NULL;
    take_domain(i, i->claim.address);
    return i;
}

struct item *item_of_notice(struct notice *notice) {
    struct item *i = calloc(1, sizeof *i);
    if (!i)
        return NULL;
    i->notice = *notice;
    *notice = (struct notice){0};
    take_domain(i, view_of(i->notice.recipient));
    return i;
}

struct item *item_free(struct item *i) {
    if (i) {
        free(i->claim.memory);
        notice_done(&i->notice);
        free(i);
    }
    return NULL;
}

void items_init(struct items *q) {
    *q = (struct items){.last = &q->first};
}

void items_push(struct items *q, struct item *i) {
    i->next = NULL;
    *q->last = i;
    q->last = &i->next;
    q->count++;
}

void items_push_front(struct items *q, struct item *i) {
    i->next = q->first;
    q->first = i;
    if (!i->next)
        q->last = &i->next;
    q->count++;
}

struct item *items_pop(struct items *q) {
    struct item *i = q->first;
    if (i) {
        q->first = i->next;
        q->count--;
        if (!q->first)
            q->last = &q->first;
        i->next = NULL;
    }
    return i;
}

struct sending *sending_new(const struct announcement_row *row) {
    struct sending *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->id = row->id;
    s->list = row->list;
    s->send_until_usec = row->send_until_usec;
    s->started_usec = row->started_usec;
    items_init(&s->waiting);
    return s;
}

struct sending *sending_free(struct sending *s) {
    if (!s)
        return NULL;
    for (struct item *i; (i = items_pop(&s->waiting));)
        (void)item_free(i);
    for (size_t i = 0; i < s->mail_count; i++)
        (void)compiled_free(s->mails[i].compiled);
    free(s->relays);
    free(s);
    return NULL;
}

static int read_bundle(struct spool *spool, int64_t id, struct bundle *b, struct bundle_head *head, struct why *why) {
    char path[64];
    (void)snprintf(path, sizeof path, "announcements/%lld", (long long)id); /* always fits */
    AUTOCLOSE int fd = files_open_dir(spool->dirfd, path);
    int r = fd < 0 ? why_set(why, fd, "the bundle is not in the spool: %s", strerror(-fd)) : bundle_read(b, fd, why);
    if (r == 0)
        r = bundle_head_read(b, head, why);
    if (r < 0)
        why_where(why, "%s/%s", spool->path, path);
    return r;
}

int sending_load(struct sending *s, struct spool *spool, struct why *why) {
    const struct compile_options options = {0};
    struct bundle b;
    struct bundle_head head;
    bundle_init(&b);
    int r = read_bundle(spool, s->id, &b, &head, why);
    for (size_t i = 0; r == 0 && i < head.language_count; i++) {
        struct sending_mail *m = &s->mails[s->mail_count];
        (void)snprintf(m->language, sizeof m->language, "%s", head.languages[i]); /* codes are shorter */
        r = compile(&b, head.languages[i], &options, why, &m->compiled);
        if (r == 0)
            s->mail_count++;
    }
    bundle_done(&b);
    return r;
}

int sending_languages(struct spool *spool, int64_t id, struct arena *arena, const char *ret[BUNDLE_LANGUAGES_MAX],
                      size_t *ret_count, struct why *why) {
    struct bundle b;
    struct bundle_head head;
    bundle_init(&b);
    int r = read_bundle(spool, id, &b, &head, why);
    if (r == 0) {
        *ret_count = head.language_count;
        for (size_t i = 0; i < head.language_count; i++)
            ret[i] = arena_strdup(arena, head.languages[i]);
        r = arena_failed(arena) ? -ENOMEM : 0;
    }
    bundle_done(&b);
    return r;
}

struct compiled *sending_mail(const struct sending *s, const char *language) {
    for (size_t i = 0; i < s->mail_count; i++)
        if (strcmp(s->mails[i].language, language) == 0)
            return s->mails[i].compiled;
    return s->mail_count ? s->mails[0].compiled : NULL;
}

bool sending_is_quiet(const struct sending *s) {
    return s->waiting.count == 0 && s->on_wire == 0 && s->recording == 0 && !s->claiming;
}

void sending_reopen(struct sending *s) {
    s->exhausted = s->settled = false;
}
