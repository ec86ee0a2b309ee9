#include "send/ending.h"

#include "announce/inform.h"
#include "base/arena.h"
#include "conf/conf.h"
#include "store/announcement.h"
#include "store/delivery.h"
#include "store/store.h"

#include "base/banned.h"

void ending_init(struct ending *e, struct conf *conf) {
    *e = (struct ending){.conf = conf_ref(conf)};
    buf_init(&e->names, ENDING_NAMES_MAX_BYTES);
}

void ending_done(struct ending *e) {
    (void)conf_unref(e->conf);
    buf_done(&e->names);
}

static int on_row(void *user, const struct delivery_row *row) {
    struct ending *e = user;
    buf_printf(&e->names, "    %s: %s", row->address, delivery_state_name(row->state));
    if (row->code)
        buf_printf(&e->names, ", %u %s", row->code, row->status);
    if (row->text[0])
        buf_printf(&e->names, " %s", row->text);
    buf_puts(&e->names, ++e->shown == ENDING_SHOWN_MAX ? "\n    …\n" : "\n");
    return e->shown == ENDING_SHOWN_MAX;
}

int ending_step(struct ending *e, struct db *db, int64_t announcement, int64_t now_usec) {
    struct arena arena AUTOARENA = {0};
    struct announcement_row row;
    int r = delivery_report(db, announcement, true, &e->cursor, on_row, e);
    if (r != STORE_DONE && e->shown < ENDING_SHOWN_MAX)
        return r;
    r = announcement_finish(db, announcement, now_usec);
    if (r == 0)
        r = announcement_get(db, announcement, &arena, &row);
    const struct conf_list *lists[ANNOUNCEMENT_LISTS_MAX];
    size_t count = 0;
    for (size_t i = 0; r == 1 && i < row.lists.count; i++)
        if ((lists[count] = conf_find_list_id(e->conf, row.lists.ids[i])))
            count++;
    if (count == 0)
        return r < 0 ? r : STORE_DONE; /* the lists are gone from the configuration: nobody to tell */
    const struct inform i = {.conf = e->conf, .db = db, .now_usec = now_usec};
    return inform_finished(&i, lists, count, &row, buf_view(&e->names));
}
