#include "send/outbox.h"

#include "base/banned.h"

void outbox_init(struct outbox *o, size_t limit_bytes) {
    *o = (struct outbox){0};
    buf_init(&o->sending, limit_bytes);
    buf_init(&o->next, limit_bytes);
}

void outbox_done(struct outbox *o) {
    buf_done(&o->sending);
    buf_done(&o->next);
}

static void clear(struct buf *b) {
    if (b->cap > OUTBOX_KEEP_MAX_BYTES)
        buf_done(b);
    else
        buf_clear(b);
}

int outbox_add(struct outbox *o, struct view octets) {
    buf_add_view(&o->next, octets);
    o->queued += octets.len;
    return buf_error(&o->next);
}

int outbox_take(struct outbox *o, struct buf *from) {
    struct buf *to = &o->next;
    if (to->len || buf_error(to) || buf_error(from) || from->len > to->limit_bytes) {
        int r = outbox_add(o, buf_view(from));
        clear(from);
        return r;
    }
    struct buf empty = *to;
    *to = *from;
    *from = empty;
    from->limit_bytes = to->limit_bytes;
    to->limit_bytes = empty.limit_bytes;
    o->queued += to->len;
    return 0;
}

struct view outbox_output(struct outbox *o) {
    if (o->sent == o->sending.len) {
        struct buf spare = o->sending;
        clear(&spare);
        o->sending = o->next;
        o->next = spare;
        o->sent = 0;
    }
    return view_slice(buf_view(&o->sending), o->sent, SIZE_MAX);
}

void outbox_handed(struct outbox *o, size_t len) {
    o->sent += len;
    o->handed += len;
}
