/* Filters from anywhere, on a person from anywhere: parts parted by NUL, the filter, attributes, tags, a name. What is
 * read means the same when it was frozen and thawed; a frozen one from anywhere is refused or means something. */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "mail/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct view part(struct view *rest) {
    struct view v = {0};
    return view_split(rest, '\0', &v) ? v : VIEW("");
}

static void check_thawed(struct view frozen, const struct filter_person *p) {
    struct filter *f, *again;
    AUTOBUF struct buf text = BUF_INIT(2 * FILTER_FROZEN_MAX_BYTES), twice = BUF_INIT(2 * FILTER_FROZEN_MAX_BYTES);
    if (filter_thaw(frozen, &f) < 0)
        return;
    bool matches = filter_matches(f, p);
    filter_freeze(f, &text);
    if (text.len <= FILTER_FROZEN_MAX_BYTES) { /* folding may make it longer once */
        assert(filter_thaw(buf_view(&text), &again) == 0);
        assert(filter_matches(again, p) == matches);
        filter_freeze(again, &twice);
        assert(view_eq(buf_view(&text), buf_view(&twice)));
        (void)filter_free(again);
    }
    (void)filter_free(f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_make(data, size), text = part(&rest);
    struct filter_person p = {.attributes = part(&rest), .tags = part(&rest), .family_name = rest, .email = rest};
    const struct filter_language language = {NULL, 0, "", "", "Europe/Berlin"};
    struct filter *f;
    struct filter_fault fault;
    struct filter_unseen unseen;
    check_thawed(text, &p);
    int r = filter_read(text, &language, &f, &fault);
    if (r < 0) {
        assert(r == -EINVAL && fault.key[0] && fault.column >= 1 && fault.column <= text.len + 1);
        return 0;
    }
    assert(text.len <= FILTER_MAX_BYTES);
    AUTOBUF struct buf frozen = BUF_INIT(FILTER_FROZEN_MAX_BYTES);
    filter_freeze(f, &frozen);
    assert(buf_error(&frozen) == 0);
    struct filter *thawed;
    assert(filter_thaw(buf_view(&frozen), &thawed) == 0);
    assert(filter_matches(f, &p) == filter_matches(thawed, &p));
    (void)filter_free(thawed);
    check_thawed(buf_view(&frozen), &p);
    filter_look(f, &p);
    for (size_t at = 0; filter_next_unseen(f, &at, &unseen);)
        assert(unseen.column >= 1 && strlen(unseen.name) <= text.len);
    (void)filter_free(f);
    return 0;
}
