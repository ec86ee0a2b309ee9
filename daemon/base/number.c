#include "base/number.h"

#include <errno.h>

int number_parse_u64(struct view v, uint64_t max, uint64_t *ret) {
    if (v.len == 0)
        return -EINVAL;
    uint64_t n = 0;
    for (size_t i = 0; i < v.len; i++) {
        if (v.ptr[i] < '0' || v.ptr[i] > '9')
            return -EINVAL;
        uint64_t digit = (uint64_t)(v.ptr[i] - '0');
        if (n > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        n = n * 10 + digit;
    }
    if (n > max)
        return -ERANGE;
    *ret = n;
    return 0;
}

int number_parse_i64(struct view v, int64_t *ret) {
    bool negative = v.len && v.ptr[0] == '-';
    uint64_t n;
    int r = number_parse_u64(negative ? view_slice(v, 1, v.len) : v, INT64_MAX, &n);
    if (r == 0)
        *ret = negative ? -(int64_t)n : (int64_t)n;
    return r;
}

int number_parse_bool(struct view v, bool *ret) {
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"yes", true}, {"true", true},   {"on", true},   {"1", true},
                 {"no", false}, {"false", false}, {"off", false}, {"0", false}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (view_eq_nocase(v, words[i].word)) {
            *ret = words[i].value;
            return 0;
        }
    return -EINVAL;
}

static int64_t unit_usec(char unit) {
    switch (unit) {
    case 's': return USEC_PER_SEC;
    case 'm': return USEC_PER_MIN;
    case 'h': return USEC_PER_HOUR;
    case 'd': return USEC_PER_DAY;
    case 'w': return 7 * USEC_PER_DAY;
    }
    return 0;
}

static size_t leading_digits(struct view v) {
    size_t n = 0;
    while (n < v.len && v.ptr[n] >= '0' && v.ptr[n] <= '9')
        n++;
    return n;
}

int number_parse_duration(struct view v, int64_t *ret_usec) {
    int64_t total = 0, last_unit = INT64_MAX;
    if (v.len == 0)
        return -EINVAL;
    while (v.len) {
        size_t digits = leading_digits(v);
        if (digits == 0 || digits == v.len)
            return -EINVAL;
        int64_t unit = unit_usec(v.ptr[digits]);
        if (unit == 0 || unit >= last_unit)
            return -EINVAL;
        uint64_t n;
        int r = number_parse_u64(view_slice(v, 0, digits), (uint64_t)((INT64_MAX - total) / unit), &n);
        if (r < 0)
            return r;
        total += (int64_t)n * unit;
        last_unit = unit;
        v = view_slice(v, digits + 1, v.len);
    }
    *ret_usec = total;
    return 0;
}

int number_parse_size(struct view v, uint64_t *ret_bytes) {
    size_t digits = leading_digits(v);
    struct view unit = view_slice(v, digits, v.len);
    uint64_t scale = 1;
    if (unit.len > 1 && unit.ptr[0] == ' ')
        unit = view_slice(unit, 1, unit.len);
    if (unit.len && (unit.ptr[0] == 'K' || unit.ptr[0] == 'k'))
        scale = UINT64_C(1) << 10;
    else if (unit.len && unit.ptr[0] == 'M')
        scale = UINT64_C(1) << 20;
    else if (unit.len && unit.ptr[0] == 'G')
        scale = UINT64_C(1) << 30;
    if (scale > 1)
        unit = view_slice(unit, 1, unit.len);
    if (unit.len && !view_eq_str(unit, "B") && !(scale > 1 && view_eq_str(unit, "iB")))
        return -EINVAL;
    uint64_t n;
    int r = number_parse_u64(view_slice(v, 0, digits), UINT64_MAX / scale, &n);
    if (r == 0)
        *ret_bytes = n * scale;
    return r;
}

int number_parse_rate(struct view v, uint32_t *ret_count, int64_t *ret_per_usec) {
    size_t slash = view_find(v, '/');
    struct view unit = view_slice(v, slash + 1, v.len);
    uint64_t n;
    if (slash == v.len || unit.len != 1 || unit.ptr[0] == 'w' || unit_usec(unit.ptr[0]) == 0)
        return -EINVAL;
    int r = number_parse_u64(view_slice(v, 0, slash), UINT32_MAX, &n);
    if (r < 0)
        return r;
    *ret_count = (uint32_t)n;
    *ret_per_usec = unit_usec(unit.ptr[0]);
    return 0;
}
