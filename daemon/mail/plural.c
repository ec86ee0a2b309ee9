#include "mail/plural.h"

#include <errno.h>
#include <stdbool.h>

#include "base/cleanup.h"
#include "base/text.h"

#include "base/banned.h"

static const char *const names[] = {
    [PLURAL_ONE_OTHER] = "one-other",   [PLURAL_ONE_OTHER_ZERO] = "one-other-zero",
    [PLURAL_OTHER] = "other",           [PLURAL_SLAVIC_PL] = "slavic-pl",
    [PLURAL_SLAVIC_UK] = "slavic-uk",   [PLURAL_SLAVIC_CS] = "slavic-cs",
    [PLURAL_SLAVIC_SL] = "slavic-sl",   [PLURAL_ROMANIAN] = "romanian",
    [PLURAL_LITHUANIAN] = "lithuanian", [PLURAL_LATVIAN] = "latvian",
    [PLURAL_HEBREW] = "hebrew",         [PLURAL_ARABIC] = "arabic",
};

int plural_rule(struct view name, enum plural *ret, const char **ret_nearest) {
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (view_eq_str(name, names[i])) {
            *ret = (enum plural)i;
            return 0;
        }
    *ret_nearest = text_nearest(name, names, COUNT_OF(names));
    return -ENOENT;
}

static bool within(uint64_t n, uint64_t from, uint64_t to) {
    return n >= from && n <= to;
}

const char *plural_form(enum plural rule, uint64_t n) {
    uint64_t tens = n % 100, units = n % 10;
    bool teen = within(tens, 11, 19), slavic_few = within(units, 2, 4) && !within(tens, 12, 14);
    switch (rule) {
    case PLURAL_ONE_OTHER: return n == 1 ? "one" : "other";
    case PLURAL_ONE_OTHER_ZERO: return n <= 1 ? "one" : "other";
    case PLURAL_OTHER: return "other";
    case PLURAL_SLAVIC_PL: return n == 1 ? "one" : slavic_few ? "few" : "many";
    case PLURAL_SLAVIC_UK: return units == 1 && tens != 11 ? "one" : slavic_few ? "few" : "many";
    case PLURAL_SLAVIC_CS: return n == 1 ? "one" : within(n, 2, 4) ? "few" : "other";
    case PLURAL_SLAVIC_SL: return tens == 1 ? "one" : tens == 2 ? "two" : within(tens, 3, 4) ? "few" : "other";
    case PLURAL_ROMANIAN: return n == 1 ? "one" : n == 0 || within(tens, 1, 19) ? "few" : "other";
    case PLURAL_LITHUANIAN: return teen || units == 0 ? "other" : units == 1 ? "one" : "few";
    case PLURAL_LATVIAN: return teen || units == 0 ? "zero" : units == 1 ? "one" : "other";
    case PLURAL_HEBREW: return n == 1 ? "one" : n == 2 ? "two" : "other";
    case PLURAL_ARABIC:
        if (n <= 2)
            return n == 0 ? "zero" : n == 1 ? "one" : "two";
        return within(tens, 3, 10) ? "few" : tens >= 11 ? "many" : "other";
    }
    return "other";
}
