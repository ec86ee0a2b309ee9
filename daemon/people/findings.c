#include "people/findings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "people/import.h"

#include "base/banned.h"

enum { REMARKS_MAX = IMPORT_PROBLEMS_MAX / 2 };

static void done(struct findings_kind *k) {
    for (size_t i = 0; i < k->count; i++)
        free(k->items[i].text);
    free(k->items);
    *k = (struct findings_kind){0};
}

void findings_done(struct findings *f) {
    done(&f->bad);
    done(&f->remarks);
}

static void swap(struct import_problem *a, struct import_problem *b) {
    struct import_problem c = *a;
    *a = *b;
    *b = c;
}

static void sift_down(struct findings_kind *k) {
    for (size_t at = 0, child; (child = 2 * at + 1) < k->count; at = child) {
        if (child + 1 < k->count && k->items[child + 1].line > k->items[child].line)
            child++;
        if (k->items[at].line >= k->items[child].line)
            return;
        swap(&k->items[at], &k->items[child]);
    }
}

/* Takes out the one of the last line. */
static void drop_last(struct findings_kind *k) {
    free(k->items[0].text);
    k->items[0] = k->items[--k->count];
    sift_down(k);
}

static int make_room(struct findings_kind *k) {
    if (k->count < k->room)
        return 0;
    size_t room = k->room ? k->room * 2 : 16;
    struct import_problem *more = reallocarray(k->items, room, sizeof *more);
    if (!more)
        return -ENOMEM;
    k->items = more;
    k->room = room;
    return 0;
}

static int push(struct findings_kind *k, struct import_problem problem) {
    if (make_room(k) < 0)
        return -ENOMEM;
    size_t at = k->count++;
    k->items[at] = problem;
    for (; at && k->items[(at - 1) / 2].line < k->items[at].line; at = (at - 1) / 2)
        swap(&k->items[at], &k->items[(at - 1) / 2]);
    return 0;
}

static int add(struct findings_kind *k, size_t max, unsigned line, bool bad, const char *text) {
    if (k->count == max && line >= k->items[0].line)
        return 0;
    char *kept = strdup(text);
    if (!kept)
        return -ENOMEM;
    if (k->count == max)
        drop_last(k);
    int r = push(k, (struct import_problem){line, bad, kept});
    if (r < 0)
        free(kept);
    return r;
}

int findings_add(struct findings *f, unsigned line, bool bad, const char *text) {
    f->all++;
    return add(bad ? &f->bad : &f->remarks, bad ? IMPORT_PROBLEMS_MAX : REMARKS_MAX, line, bad, text);
}

int findings_move_remarks(struct findings *to, struct findings *from) {
    int r = 0;
    for (size_t i = 0; i < from->remarks.count && r == 0; i++)
        r = add(&to->remarks, REMARKS_MAX, from->remarks.items[i].line, false, from->remarks.items[i].text);
    if (r < 0)
        return r;
    to->all += from->all;
    from->all = 0;
    done(&from->remarks);
    return 0;
}

static int by_line(const void *a, const void *b) {
    const struct import_problem *x = a, *y = b;
    return x->line < y->line ? -1 : x->line > y->line;
}

int findings_finish(struct findings *f, const struct import_problem **ret, size_t *ret_count, uint64_t *ret_unlisted) {
    while (f->bad.count + f->remarks.count > IMPORT_PROBLEMS_MAX)
        drop_last(&f->remarks);
    for (; f->remarks.count; f->remarks.count--) {
        if (make_room(&f->bad) < 0)
            return -ENOMEM;
        f->bad.items[f->bad.count++] = f->remarks.items[f->remarks.count - 1];
    }
    if (f->bad.count)
        qsort(f->bad.items, f->bad.count, sizeof *f->bad.items, by_line);
    *ret = f->bad.items;
    *ret_count = f->bad.count;
    *ret_unlisted = f->all - f->bad.count;
    return 0;
}
