/* A backup: a copy of the store that was read through and found sound (api/copying.h), handed over as it is. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/call.h"
#include "api/copying.h"
#include "api/route.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/number.h"
#include "conf/conf.h"

enum { PIECE_MAX_BYTES = 64 * 1024 };

/* One who reads nothing for so long lets go of the copy. */
static const int64_t silence_usec = 10 * USEC_PER_MIN;

struct backup {
    struct call *call;
    struct copying *copying;
    int fd; /* -1 until it is handed over */
};

static void backup_free(void *state) {
    struct backup *b = state;
    if (b->fd >= 0)
        (void)close(b->fd); /* only read */
    (void)copying_free(b->copying);
    free(b);
}

static int next(void *user, struct http_request *http, size_t room, struct buf *to) {
    struct backup *b = user;
    char piece[PIECE_MAX_BYTES];
    http_set_deadline(http, silence_usec);
    ssize_t n = read(b->fd, piece, room < sizeof piece ? room : sizeof piece);
    if (n < 0)
        return errno == EINTR ? next(user, http, room, to) : -errno;
    buf_add(to, piece, (size_t)n);
    return n > 0;
}

static void on_copied(void *user, int result, const struct why *why) {
    struct backup *b = user;
    struct call *c = b->call;
    if (result == 0 && (b->fd = open(copying_path(b->copying), O_RDONLY | O_CLOEXEC)) < 0)
        result = -errno;
    if (result < 0) {
        call_fail(c, result == -EUCLEAN ? 500 : call_status_of(result), why);
        return;
    }
    log_info("backup", LOG_TEXT("by", c->rights.name), LOG_NUM("bytes", copying_bytes(b->copying)));
    c->answered = true;
    http_answer_stream(c->http, 200, "application/vnd.sqlite3", next, b);
}

void route_backup(struct call *c) {
    struct why why;
    if (!c->rights.all) {
        call_refuse(c, 403, "a backup holds everything, and so is for admins",
                    "Ask root or a member of [daemon] group");
        return;
    }
    struct backup *b = calloc(1, sizeof *b);
    if (!b) {
        call_refuse(c, 503, "out of memory", NULL);
        return;
    }
    *b = (struct backup){.call = c, .fd = -1};
    c->state = b;
    c->free_state = backup_free;
    http_set_deadline(c->http, 0); /* a big store takes the time it takes */
    int r =
        copying_new(c->parts.loop, c->parts.store, c->parts.spool, c->conf->state_dir, on_copied, b, &why, &b->copying);
    if (r < 0)
        call_fail(c, call_status_of(r), &why);
}
