#include "door/fresh.h"

#include "base/clock.h"
#include "base/number.h"

static bool is_same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

bool fresh_changed(struct fresh *f, const char *path) {
    int64_t now = clock_mono_usec();
    struct stat st = {0};
    bool exists = stat(path, &st) == 0;
    bool again = f->unsettled && now - f->read_mono_usec >= USEC_PER_SEC;
    if (f->looked && !again && exists == f->exists && (!exists || is_same(&st, &f->st)))
        return false;
    int64_t written = (int64_t)st.st_ctim.tv_sec * USEC_PER_SEC;
    *f = (struct fresh){.read_mono_usec = now, .looked = true, .exists = exists, .st = st};
    f->unsettled = exists && clock_now_usec() - written < 2 * USEC_PER_SEC;
    return true;
}
