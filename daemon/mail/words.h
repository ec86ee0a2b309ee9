/* A language: templates/<code>/words.ini, its words, patterns and names. Adding a language needs no C.
 *
 * FORMAT  [language]  name (in itself), dir (ltr|rtl), fallback
 *         [months] 1..12, [months-short], [weekdays] 1..7 (Monday first), [weekdays-short]
 *         [dates] patterns for mail/when.h: date, datetime, time; range-same-day, range-days, range-years (two times);
 *         all-day, all-day-range, all-day-range-years (two dates; "-years" where the years differ). In them stand
 *         {weekday} {weekday-short} {day} {day2} {month} {month-short} {month-number} {month2} {year} {hour} {hour2}
 *         {minute}, and for the end of a range the same with end- before: {end-day}. day2, month2, hour2 and minute
 *         always have two digits. Optional day-1 … day-31 stand for {day} ("1er"). For words_format: zone = {1} ({2})
 *         adds the zone's abbreviation, reader-zone says a range {1} in the reader's own zone.
 *         [salutation] formal, formal-title, …; [mail] texts of the footer and event box; [page] texts of the web
 * pages; [problem] texts of intake problems with {1} {2}; [notice] subjects and texts of system mail; [columns] and
 *         [language-names]: header names and language names as people write them, separated by ;
 *
 * A word that a language lacks is taken from its fallback (en by default); one that is nowhere is a programming error
 * that the tests find: every key of templates/en/words.ini is in every language. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

struct words;

/* Loads templates of one language from the local folder (may be "") before the shipped one. -ENOENT where neither has
 * it. */
int words_load(const char *local_dir, const char *shipped_dir, const char *language, struct why *why,
               struct words **ret);
/* The same from the text of words.ini and of the fallback's (bundles). */
int words_parse(struct view text, struct view fallback_text, const char *language, struct why *why, struct words **ret);
struct words *words_free(struct words *w);

const char *words_language(const struct words *w); /* code */
const char *words_dir(const struct words *w);      /* "ltr" or "rtl" */
/* "section.key"; never NULL: the key itself where the word is missing everywhere. */
const char *words_get(const struct words *w, const char *key);
bool words_has(const struct words *w, const char *key);
/* words_get with {1} {2} {3} replaced; NULL args stand for "". */
void words_format(const struct words *w, const char *key, const char *a1, const char *a2, const char *a3,
                  struct buf *to);
/* Picks the plural form: keys "<key>.one" "<key>.few" "<key>.many" "<key>.other" by the CLDR rule that the language
 * names
 * ([language] plural = one-other | one-other-zero (French) | slavic-pl | slavic-uk | other); {1} is the number. */
void words_plural(const struct words *w, const char *key, uint64_t n, struct buf *to);
/* Walks all pairs of a section. */
typedef void words_on_pair(void *user, const char *key, const char *value);
void words_each(const struct words *w, const char *section, words_on_pair *on_pair, void *user);

/* Codes of the languages that have a folder with words.ini in either place, sorted. Free with files_free_names(). */
int words_languages(const char *local_dir, const char *shipped_dir, char ***ret, size_t *ret_count);
