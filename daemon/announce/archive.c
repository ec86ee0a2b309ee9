#include "announce/archive.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "announce/compile.h"
#include "base/files.h"
#include "spool/spool.h"

#include "base/banned.h"

/* The page and its calendar, into the folder. */
static int write_language(const struct archiving *a, const struct spool *spool, int64_t id, struct compiled *c,
                          const char *language) {
    const struct compose_recipient nobody = {.announcement = id};
    AUTOBUF struct buf page = BUF_INIT(ARCHIVE_FILE_MAX_BYTES), path = BUF_INIT(256);
    int r = compose_page(c, &nobody, &page);
    buf_printf(&path, "%s/%s.html", a->folder, language);
    if (r == 0)
        r = files_write_new(spool->dirfd, buf_str(&path), buf_view(&page), 0644);
    struct view calendar = compiled_calendar(c);
    if (r < 0 || calendar.len == 0)
        return r;
    buf_clear(&path);
    buf_printf(&path, "%s/%s.ics", a->folder, language);
    return files_write_new(spool->dirfd, buf_str(&path), calendar, 0644);
}

static int publish(struct archiving *a, struct spool *spool, const char *to) {
    a->over = true;
    int r = fchmodat(spool->dirfd, a->folder, 0755, 0) < 0 ? -errno : 0;
    if (r == 0)
        r = spool_publish_tree(spool, a->folder, to);
    return r;
}

int archive_publish(struct archiving *a, struct spool *spool, int64_t id, struct bundle *bundle,
                    const struct bundle_head *head, struct why *why) {
    static const struct compile_options options = {.archive = true};
    char to[64];
    (void)snprintf(to, sizeof to, "public/archive/%lld", (long long)id); /* always fits */
    int r = 0;
    if (a->over || (!a->folder && faccessat(spool->dirfd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
        return 0;
    if (!a->folder)
        r = spool_make_tmp(spool, &a->folder);
    struct compiled *c = NULL;
    const char *language = head->languages[a->done];
    if (r == 0)
        r = compile(bundle, language, &options, why, &c);
    if (r == 0)
        r = write_language(a, spool, id, c, language);
    (void)compiled_free(c);
    if (r == 0 && ++a->done == head->language_count)
        r = publish(a, spool, to);
    if (r == 0)
        return !a->over;
    if (a->folder)
        (void)files_remove_tree(spool->dirfd, a->folder); /* the next start sweeps it */
    a->over = true;
    return why->what[0] ? r : why_set(why, r, "the public page cannot be written: %s", strerror(-r));
}

void archiving_done(struct archiving *a) {
    free(a->folder);
    *a = (struct archiving){0};
}
