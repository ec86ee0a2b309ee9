#include "door/accept.h"

#include <strings.h>

#include "base/banned.h"

int accept_named(struct view name, const char *const *codes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (view_eq_nocase(name, codes[i]))
            return (int)i;
    return -1;
}

/* Whether a is b up to a '-' in b. */
static bool is_prefix(struct view a, struct view b) {
    return a.len > 0 && a.len < b.len && b.ptr[a.len] == '-' && strncasecmp(a.ptr, b.ptr, a.len) == 0;
}

static int matching(struct view range, const char *const *codes, size_t count) {
    int named = accept_named(range, codes, count);
    for (size_t i = 0; i < count && named < 0; i++)
        if (is_prefix(view_of(codes[i]), range))
            named = (int)i;
    for (size_t i = 0; i < count && named < 0; i++)
        if (is_prefix(range, view_of(codes[i])))
            named = (int)i;
    return named;
}

/* "0.85" in thousandths; -1 where it is none. */
static int read_weight(struct view v) {
    if (v.len == 0 || v.len > 5 || (v.ptr[0] != '0' && v.ptr[0] != '1') || (v.len > 1 && v.ptr[1] != '.'))
        return -1;
    int weight = (v.ptr[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < v.len; i++, unit /= 10) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return -1;
        weight += (v.ptr[i] - '0') * unit;
    }
    return weight <= 1000 ? weight : -1;
}

int accept_best(const char *header, const char *const *codes, size_t count) {
    struct view rest = view_of(header), part;
    int best = -1, best_weight = 0;
    for (int i = 0; i < ACCEPT_RANGES_MAX && view_split(&rest, ',', &part); i++) {
        size_t semicolon = view_find(part, ';');
        struct view parameter = view_trim(view_slice(part, semicolon + 1, part.len));
        int weight = 1000;
        if (semicolon < part.len)
            weight = view_starts(parameter, "q=") || view_starts(parameter, "Q=")
                         ? read_weight(view_slice(parameter, 2, parameter.len))
                         : -1;
        if (weight <= best_weight)
            continue;
        int named = matching(view_trim(view_slice(part, 0, semicolon)), codes, count);
        if (named >= 0) {
            best = named;
            best_weight = weight;
        }
    }
    return best;
}
