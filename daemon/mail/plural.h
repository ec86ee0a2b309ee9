/* Plural rules: which form of a text a number asks for, in one group of languages (CLDR 42, cardinal rules for whole
 * numbers). A language names its rule in words.ini, `[language] plural`:
 *
 *   one-other       de, en, it, es, nl, sv …    one-other-zero  fr, pt-BR (0 is singular)    other   ja, zh, tr …
 *   slavic-pl       pl                          slavic-uk       uk, be, bs, hr, ru, sr       slavic-cs  cs, sk
 *   slavic-sl       sl      romanian  ro        lithuanian  lt  latvian  lv  hebrew  he      arabic  ar */
#pragma once
#include <stdint.h>

#include "base/view.h"

enum plural {
    PLURAL_ONE_OTHER,
    PLURAL_ONE_OTHER_ZERO,
    PLURAL_OTHER,
    PLURAL_SLAVIC_PL,
    PLURAL_SLAVIC_UK,
    PLURAL_SLAVIC_CS,
    PLURAL_SLAVIC_SL,
    PLURAL_ROMANIAN,
    PLURAL_LITHUANIAN,
    PLURAL_LATVIAN,
    PLURAL_HEBREW,
    PLURAL_ARABIC,
};

/* 0, or -ENOENT with the nearest known name (or NULL) in *ret_nearest. */
int plural_rule(struct view name, enum plural *ret, const char **ret_nearest);
/* "zero", "one", "two", "few", "many" or "other". */
const char *plural_form(enum plural rule, uint64_t n);
