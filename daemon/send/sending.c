#include "send/sending.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "announce/compile.h"
#include "base/files.h"
#include "spool/spool.h"
#include "store/store.h"

enum { MAIL_BYTES = 48 * 1024 }; /* what a compiled mail takes besides its octets */

struct sending *sending_new(const struct announcement_row *row) {
    struct sending *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->id = row->id;
    s->list = row->lists.ids[0];
    s->send_until_usec = row->send_until_usec;
    items_init(&s->waiting);
    return s;
}

struct sending *sending_free(struct sending *s) {
    if (!s)
        return NULL;
    items_free(&s->waiting);
    sending_unload(s);
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

void sending_unload(struct sending *s) {
    for (size_t i = 0; i < s->mail_count; i++)
        (void)compiled_free(s->mails[i].compiled);
    free(s->mails);
    s->mails = NULL;
    s->mail_count = s->bytes = 0;
    s->loaded = false;
}

void sending_loading_done(struct sending_loading *l) {
    bundle_done(&l->bundle);
    archiving_done(&l->archiving);
}

int sending_load(struct sending *s, struct spool *spool, struct sending_loading *l, struct why *why) {
    if (!l->is_open) {
        bundle_init(&l->bundle);
        l->is_open = true;
        sending_unload(s); /* of an attempt that came to nothing */
        int r = read_bundle(spool, s->id, &l->bundle, &l->head, why);
        if (r == 0 && !(s->mails = calloc(l->head.list_count * l->head.language_count, sizeof *s->mails)))
            r = why_set(why, -ENOMEM, "out of memory");
        return r < 0 ? r : STORE_MORE;
    }
    if (s->mail_count == l->head.list_count * l->head.language_count) {
        int r = compiled_has_page(s->mails[0].compiled)
                    ? archive_publish(&l->archiving, spool, s->id, &l->bundle, &l->head, why)
                    : 0;
        s->bytes += r == 0 ? bundle_enclosed_size(&l->bundle) : 0;
        return r < 0 ? r : r ? STORE_MORE : STORE_DONE;
    }
    struct sending_mail *m = &s->mails[s->mail_count];
    const struct compile_options options = {.list = l->head.lists[s->mail_count / l->head.language_count],
                                            .mail_only = true};
    const char *language = l->head.languages[s->mail_count % l->head.language_count];
    int r = compile(&l->bundle, language, &options, why, &m->compiled);
    if (r < 0)
        return r;
    (void)snprintf(m->language, sizeof m->language, "%s", language); /* codes are shorter */
    m->list = compiled_list(m->compiled);
    s->mail_count++;
    s->bytes += MAIL_BYTES + compiled_size(m->compiled) - compiled_enclosed_size(m->compiled);
    return STORE_MORE;
}

int sending_audience(struct spool *spool, int64_t id, struct arena *arena, const char *ret[BUNDLE_LANGUAGES_MAX],
                     size_t *ret_count, struct filter **ret_only, struct why *why) {
    struct bundle b;
    struct bundle_head head;
    bundle_init(&b);
    int r = read_bundle(spool, id, &b, &head, why);
    if (r == 0) {
        *ret_count = head.language_count;
        for (size_t i = 0; i < head.language_count; i++)
            ret[i] = arena_strdup(arena, head.languages[i]);
        r = arena_failed(arena) ? -ENOMEM : bundle_filter(&b, ret_only, why);
    }
    bundle_done(&b);
    return r;
}

struct compiled *sending_mail(const struct sending *s, uint32_t list, const char *language) {
    struct compiled *first = NULL;
    for (size_t i = 0; i < s->mail_count; i++) {
        if (s->mails[i].list != list)
            continue;
        if (strcmp(s->mails[i].language, language) == 0)
            return s->mails[i].compiled;
        first = first ? first : s->mails[i].compiled;
    }
    return first;
}

unsigned sending_claimed(const struct sending *s) {
    return s->waiting.count + s->on_wire + s->held + s->recording;
}

bool sending_is_quiet(const struct sending *s) {
    return sending_claimed(s) == 0 && !s->claiming;
}

void sending_reopen(struct sending *s) {
    s->exhausted = s->settled = false;
    s->reopened = true;
}
