/* How a person is addressed (DESIGN: first rule that applies): the contact's own salutation; form + title + family
 * name; given and family name; organisation or nobody. Gender is never guessed. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

struct words;

struct contact {
    struct view own_salutation, form, title, given_name, family_name, organisation;
};

/* form is the column "Anrede" as imported, normalised by salutation_form(): "f", "m", "two" (a couple), or "" for none.
 */
const char *salutation_form(const struct words *const *all, size_t count, struct view written);
void salutation_say(const struct words *words, bool formal, const struct contact *c, struct buf *to);
