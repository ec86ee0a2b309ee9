#include "send/work.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

static void on_done(struct store_job *job, int result) {
    struct work *w = (struct work *)job;
    struct works *works = w->works;
    works->under_way--;
    if (result < 0 && result != -ESTALE)
        log_error("job-failed", LOG_NUM("announcement", w->announcement), LOG_TEXT("what", job->why.what),
                  LOG_TEXT("reason", strerror(-result)));
    w->done(w, result);
    works->on_done(works->user);
}

void work_submit(struct works *works, struct work *w, enum store_lane lane,
                 int (*step)(struct store_job *job, struct db *db), void (*done)(struct work *w, int result)) {
    w->job = (struct store_job){.lane = lane, .step = step, .done = on_done};
    w->works = works;
    w->done = done;
    works->under_way++;
    if (!works->gathering) {
        store_submit(works->store, &w->job);
        return;
    }
    w->job.next = NULL;
    if (works->last)
        works->last->job.next = &w->job;
    else
        works->first = w;
    works->last = w;
}

void works_gather(struct works *works) {
    works->gathering = true;
}

void works_hand_over(struct works *works) {
    struct work *first = works->first;
    works->gathering = false;
    works->first = works->last = NULL;
    store_submit_all(works->store, first ? &first->job : NULL);
}
