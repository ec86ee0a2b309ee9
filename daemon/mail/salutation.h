/* How a person is addressed. The patterns stand in words.ini under [salutation]; the first that applies is used:
 *
 *   the contact's own salutation, without the comma at its end (the text has its own)
 *   TONE-FORM-title, TONE-FORM     a form of address; with the title where there is one
 *   TONE-name-title, TONE-name     somebody with a name, without a form
 *   TONE-nobody                    an organisation, or nothing known
 *
 * TONE is formal or informal, FORM a key of [forms]: f, m, two (a couple), family. A pattern applies only where all
 * that it names in {family_name} {given_name} {title} {name} is known, so the patterns decide what a language needs.
 * Gender is never guessed.
 *
 * TWO PEOPLE at one address: form, given name, family name (and title) hold both, parted by SALUTATION_AND: "f & m",
 * "Vera & Hans", "Müller & Schmidt"; a family name without it is shared. Both are addressed: TONE-FORM of the first and
 * TONE-FORM-and of the second joined by `both` (an empty -and: the first says it all); where that does not work,
 * TONE-names, whose {name} and {given_name} are both people's, joined by `and`. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

struct words;

#define SALUTATION_AND " & "

struct contact {
    struct view own_salutation, form, title, given_name, family_name, organisation;
};

/* What the column "Anrede" of an import means, in any of the languages: a FORM, or "" for a blank or "divers"; NULL
 * where nobody knows the word. Lives as long as the words. */
const char *salutation_form(const struct words *const *all, size_t count, struct view written);
void salutation_say(const struct words *words, bool formal, const struct contact *c, struct buf *to);
/* "Vera Müller", "Vera und Hans Müller"; nothing where no name is known. */
void salutation_name(const struct words *words, const struct contact *c, struct buf *to);
