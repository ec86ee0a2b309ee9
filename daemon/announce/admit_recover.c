/* What a crash, or a restore, left of announcements. */
#include <errno.h>
#include <stdio.h>

#include "announce/admit.h"
#include "base/files.h"
#include "base/log.h"
#include "base/number.h"
#include "spool/spool.h"
#include "store/announcement.h"

#include "base/banned.h"

enum { RECOVERED_MAX = 1000, BUNDLES_MAX = 1000000, PATH_BYTES = 64 };

struct recovery {
    int64_t rows[RECOVERED_MAX]; /* their ids */
    size_t count;
};

static void path_of(int64_t id, char ret[PATH_BYTES]) {
    (void)snprintf(ret, PATH_BYTES, "announcements/%lld", (long long)id); /* fits: a number */
}

/* The bundle first: a row without one is undone at the next start. */
int admit_undo(struct spool *spool, struct db *db, int64_t id) {
    char path[PATH_BYTES];
    path_of(id, path);
    int r = files_remove_tree(spool->dirfd, path);
    return r == 0 ? announcement_delete_intake(db, id) : r;
}

int admit_put_aside(struct spool *spool, int64_t id) {
    AUTOBUF struct buf reason = BUF_INIT(1024);
    char path[PATH_BYTES];
    path_of(id, path);
    buf_printf(&reason,
               "The store does not know announcement %lld: it was taken in after the backup that was restored. It may "
               "have been sent already: look at the relay's log before you queue what is in files/ again.\n",
               (long long)id);
    return spool_reject(spool, NULL, path, buf_view(&reason));
}

static int on_cut_off(void *user, const struct announcement_row *row) {
    struct recovery *v = user;
    if (row->state != ANNOUNCEMENT_INTAKE || v->count == RECOVERED_MAX)
        return 0;
    v->rows[v->count++] = row->id;
    return 0;
}

static int put_aside_unknown(struct db *db, struct spool *spool) {
    char **names = NULL;
    size_t count = 0;
    int r = files_list(spool->dirfd, "announcements", BUNDLES_MAX, &names, &count);
    for (size_t i = 0; r == 0 && i < count; i++) {
        struct announcement_lists lists;
        int64_t id;
        if (number_parse_i64(view_of(names[i]), &id) < 0)
            continue;
        int found = announcement_get_lists(db, id, &lists);
        if (found < 0)
            r = found;
        else if (found == 0) {
            log_warning("bundle-put-aside", LOG_NUM("announcement", id));
            r = admit_put_aside(spool, id);
        }
    }
    files_free_names(names, count);
    return r;
}

int admit_recover(struct db *db, struct spool *spool) {
    struct recovery v = {.count = 0};
    int r = announcement_each(db, true, RECOVERED_MAX, on_cut_off, &v);
    for (size_t i = 0; r == 0 && i < v.count; i++) {
        log_info("admission-undone", LOG_NUM("announcement", v.rows[i]));
        r = admit_undo(spool, db, v.rows[i]);
    }
    return r == 0 ? put_aside_unknown(db, spool) : r;
}
