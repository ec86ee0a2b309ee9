#include "people/retention.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/number.h"
#include "people/privacy.h"
#include "people/returns.h"
#include "spool/spool.h"
#include "store/db.h"
#include "store/kept.h"
#include "store/returned.h"
#include "store/sign_up.h"
#include "store/suppression.h"
#include "trust/code.h"

#include "base/banned.h"

enum { NOTICES, SCORES, TAKE_BACK, SIGN_UPS, DELIVERIES, GONE, REJECTED, KEPT, OVER };
enum { TIME_LEN = 20 };

/* --- Announcements that are over ----------------------------------------------------------------------------- */

/* The bundle first: cut off in between, the rows are found once more. */
static int begin_announcement(struct retention *r, struct db *db, int64_t now_usec) {
    char path[64];
    int found = retention_next_announcement(db, now_usec - r->deliveries_usec, r->announcement, &r->announcement);
    if (found <= 0)
        return found;
    (void)snprintf(path, sizeof path, "announcements/%lld", (long long)r->announcement); /* fits: a number */
    int error = files_remove_tree(r->spool->dirfd, path);
    return error < 0 ? error : 1;
}

static int purge_deliveries(struct retention *r, struct db *db, int64_t now_usec) {
    int found = begin_announcement(r, db, now_usec);
    if (found <= 0)
        return found;
    int more = retention_deliveries(db, r->announcement, now_usec, &r->deliveries);
    if (more == STORE_MORE)
        r->announcement--; /* found once more */
    else if (more == STORE_DONE)
        r->announcements++;
    return more < 0 ? more : STORE_MORE;
}

/* --- Who left ------------------------------------------------------------------------------------------------ */

/* System mail to the address is not theirs as a subscriber, and ends by itself. */
static int erase(struct retention *r, struct db *db, int64_t now_usec) {
    AUTOARENA struct arena arena = {0};
    uint8_t hash[ERASURE_HASH_BYTES];
    struct person p;
    bool was;
    int e = person_get(db, r->gone.subscriber, &arena, &p);
    if (e <= 0)
        return e;
    e = erasure_person(db, p.id);
    if (e == -EBUSY)
        return 0; /* tomorrow */
    if (e == 0)
        e = suppression_clear(db, p.address_key, &was);
    const struct erasure erasure = {.at_usec = now_usec, .by = "retention", .reason = "left long ago"};
    if (e == 0) {
        code_address_hash(r->keys, view_of(p.address_key), hash);
        e = erasure_mark(db, hash, p.id, &erasure);
    }
    r->people += e == 0;
    return e;
}

static int purge_gone(struct retention *r, struct db *db, int64_t now_usec) {
    int e;
    while ((e = retention_next_gone(db, now_usec - r->gone_usec, &r->gone)) == 1) {
        e = r->gone.everywhere ? erase(r, db, now_usec) : retention_consent(db, &r->gone, &r->entries);
        if (e < 0)
            return e;
        if (db_slice_over(db))
            return STORE_MORE;
    }
    return e;
}

/* --- Rejected files ------------------------------------------------------------------------------------------ */

/* Most names begin with the time; of others, moving them in changed the inode. */
static bool is_old(int dirfd, const char *name, int64_t keep_usec) {
    int64_t at;
    struct stat st;
    if (strlen(name) > TIME_LEN && clock_parse_utc(view_make(name, TIME_LEN), &at) == 0)
        return at < clock_now_usec() - keep_usec;
    return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           st.st_ctime < time(NULL) - (time_t)(keep_usec / USEC_PER_SEC);
}

static bool is_list_folder(int dirfd, const char *name) {
    int64_t at;
    struct stat st;
    return name[0] != '.' && !(strlen(name) > TIME_LEN && clock_parse_utc(view_make(name, TIME_LEN), &at) == 0) &&
           fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static int open_folder(int dirfd, const char *path, void **ret) {
    int fd = files_open_dir(dirfd, path);
    *ret = fd < 0 ? NULL : fdopendir(fd);
    if (fd >= 0 && !*ret)
        (void)close(fd); /* only read from */
    return *ret ? 0 : fd < 0 ? fd : -ENOMEM;
}

static void close_folder(void **folder) {
    if (*folder)
        (void)closedir(*folder); /* only read from */
    *folder = NULL;
}

/* One entry: what is old goes. What a crash left half-written has a name with a dot before. */
static void purge_entry(struct retention *r, int dirfd, const char *name) {
    if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && is_old(dirfd, name, r->rejected_usec))
        r->rejected += files_remove_tree(dirfd, name) == 0; /* the next time tries again */
}

static int purge_list_folder(struct retention *r, struct db *db) {
    for (const struct dirent *e; (e = readdir(r->list_folder));) {
        purge_entry(r, dirfd(r->list_folder), e->d_name);
        if (db_slice_over(db))
            return STORE_MORE;
    }
    close_folder(&r->list_folder);
    return STORE_DONE;
}

static int purge_rejected(struct retention *r, struct db *db) {
    int e = r->folder ? 0 : open_folder(r->spool->dirfd, "rejected", &r->folder);
    if (e < 0 || (r->list_folder && (e = purge_list_folder(r, db)) != STORE_DONE))
        return e;
    for (const struct dirent *entry; (entry = readdir(r->folder));) {
        bool of_list = is_list_folder(dirfd(r->folder), entry->d_name);
        if (!of_list)
            purge_entry(r, dirfd(r->folder), entry->d_name);
        else if (open_folder(dirfd(r->folder), entry->d_name, &r->list_folder) == 0) /* else the next time */
            (void)purge_list_folder(r, db);                                          /* goes on with the next step */
        if (r->list_folder || db_slice_over(db))
            return STORE_MORE;
    }
    return STORE_DONE;
}

/* --- The job ------------------------------------------------------------------------------------------------- */

static int step(struct store_job *job, struct db *db) {
    struct retention *r = (struct retention *)job;
    int64_t now_usec = clock_now_usec();
    int e = 0;
    switch (r->phase) {
    case NOTICES: e = retention_notices(db, now_usec - r->notices_usec, &r->notices); break;
    case SCORES: e = returned_forget_quiet(db, now_usec - RETURNS_QUIET_USEC); break;
    case TAKE_BACK: e = returned_take_back(db); break; /* what no further report has led to */
    case SIGN_UPS: e = sign_up_purge(db, now_usec, &r->sign_ups); break;
    case DELIVERIES: e = purge_deliveries(r, db, now_usec); break;
    case GONE: e = purge_gone(r, db, now_usec); break;
    case REJECTED: e = purge_rejected(r, db); break;
    case KEPT: e = r->state_dir ? kept_sweep(r->state_dir, &r->kept) : 0; break;
    case OVER:
        if (retention_removed_any(r))
            db_scrub(db);
        return STORE_DONE;
    }
    r->phase += e == STORE_DONE;
    return e < 0 ? e : STORE_MORE;
}

void retention_init(struct retention *r) {
    r->job.lane = STORE_BULK;
    r->job.step = step;
}

void retention_done(struct retention *r) {
    close_folder(&r->folder);
    close_folder(&r->list_folder);
}

bool retention_removed_any(const struct retention *r) {
    return r->notices || r->sign_ups || r->announcements || r->people || r->entries || r->rejected || r->kept;
}
