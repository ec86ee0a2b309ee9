/* A language: templates/<code>/words.ini, its words, patterns and names. Adding a language needs no C.
 *
 * FORMAT  [language]  name (in itself), dir (ltr|rtl), fallback (a code; en where absent), plural (a rule's name)
 *         [months] 1..12, [months-short], [weekdays] 1..7 (Monday first), [weekdays-short]
 *         [dates] patterns with {weekday} {day} {month} {year} {hour} {minute} {weekday-short} {month-short}, {hour2}
 *         {day2} {month2} (two digits) and {month-number}, the same with end- before them, and day-1 … day-31 where a
 *         day is not plainly its number ("1er"):
 *             date  datetime  time            one date; with its time; a time alone
 *             range-same-day                  a day, from hour to hour
 *             range-days  range-years         over several days; over the turn of the year (both years said)
 *             all-day  all-day-range  all-day-range-years
 *             zone                            {1} a time in words, {2} the zone's name ("CEST")
 *             reader-zone                     {1} the same moment in the reader's own zone, in words
 *         [salutation] formal-f, formal-nobody, …: see salutation.h; [mail] texts of the footer and event box; [page]
 *         texts of the web pages; [problem] texts of intake problems with {1} {2} {3}; [notice] subjects and texts of
 *         system mail
 *         [leave] what people write who want to leave: leaving.h
 *         [columns], [attributes], [forms], [language-names], [answers]: `key = Name; another; a third`, what people
 *         write in the head of a table (what we know, and what filters do: filter.h), as a form of address, as a
 *         language, as a no
 *         In every value \n is a line break, \s a blank (at an end, where plain ones do not count), \\ a backslash.
 *
 * LAYERS  The admin's file lies over the shipped one of the same language pair by pair, so it need hold only what
 *         differs; both lie over the fallback's, and so on to the last. [language] is never taken from another
 *         language. Every key of templates/en/words.ini is in every shipped language: a test holds that.
 *
 * LIMITS  files of 1 MiB, lines of 64 KiB (base/ini.h), WORDS_PAIRS_MAX pairs in all layers, WORDS_CHAIN_MAX
 *         languages in a chain of fallbacks. A key twice in a file, a bad dir, an unknown plural rule, a name under two
 *         keys of its section are refused, with file and line. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/why.h"

enum { WORDS_PAIRS_MAX = 8192, WORDS_CHAIN_MAX = 4 };

struct words;

/* Loads a language from the local folder (may be "") and the shipped one. -ENOENT where neither has it. */
int words_load(const char *local_dir, const char *shipped_dir, const char *language, struct why *why,
               struct words **ret);
/* The same from the text of words.ini and of the fallback's (may be empty). */
int words_parse(struct view text, struct view fallback_text, const char *language, struct why *why, struct words **ret);
struct words *words_ref(struct words *w);
struct words *words_free(struct words *w); /* lets one reference go: the last frees; NULL is fine, returns NULL */
/* All layers as one words.ini, for a bundle: words_parse() of it without a fallback gives the same words, but for the
 * names of words_find(), which a bundle does not need. */
void words_print(const struct words *w, struct buf *to);

const char *words_language(const struct words *w); /* code */
const char *words_dir(const struct words *w);      /* "ltr" or "rtl" */
/* "section.key"; never NULL: the key itself where the word is missing everywhere. */
const char *words_get(const struct words *w, const char *key);
/* The same, but NULL where it is missing. */
const char *words_known(const struct words *w, const char *key);
/* words_get with {1} {2} {3} replaced; NULL args stand for "". */
void words_format(const struct words *w, const char *key, const char *a1, const char *a2, const char *a3,
                  struct buf *to);
/* Picks the plural form: the keys "<key>.one" "<key>.few" … as the language's rule says (mail/plural.h); "<key>.other"
 * where the form is missing. {1} is the number. */
void words_plural(const struct words *w, const char *key, uint64_t n, struct buf *to);
/* The form that the rule picks: "zero", "one", "two", "few", "many" or "other". */
const char *words_plural_form(const struct words *w, uint64_t n);
/* What a language is called in the words' own: the first of its [language-names]. The code where they have none, a dash
 * for "". */
void words_say_language(const struct words *w, const char *code, struct buf *to);
/* Walks all pairs of a section, the language's own before the fallback's. */
typedef void words_on_pair(void *user, const char *key, const char *value);
void words_each(const struct words *w, const char *section, words_on_pair *on_pair, void *user);
/* The key under which a name stands in [columns], [attributes], [forms], [language-names] or [answers]
 * (mail/names.h), or NULL. */
const char *words_find(const struct words *w, const char *section, struct view written);
/* What people write as a language, in any of these: the code of one of them, a name in [language-names], or what one of them
 * calls itself. Its code, or NULL. */
const char *words_find_language(const struct words *const *words, size_t count, struct view written);

/* "de", "pt-BR": what may name a language and its folder. */
bool words_is_code(struct view v);
/* Codes of the languages that have a folder with words.ini in either place, sorted. Free with files_free_names(). */
int words_languages(const char *local_dir, const char *shipped_dir, char ***ret, size_t *ret_count);
