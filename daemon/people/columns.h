/* What the columns of a table of people mean, and its rows read as persons.
 *
 * The head's names are understood in every language ([columns] of words.ini); all others become attributes, named by
 * mail/attributes.h ("Teilnahme 2024" is attr.teilnahme_2024). A column without a name is not read. Two columns of one
 * meaning are refused, and so is a head without a column of addresses, or one that is a row of people.
 *
 * "Name" holds the whole name ("Vera Müller", "Müller, Vera", "Ludwig van Beethoven"), or the family name beside a
 * column of given names. A name before the address ("Vera Müller <vera@town.example>") counts where no column says it.
 * Tags (mail/tags.h) are parted by commas or semicolons; -tag takes one away. Languages and forms are read in every language; a value that nobody understands makes the row bad. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/why.h"
#include "mail/address.h"
#include "people/csv.h"
#include "store/person.h"

struct words;

enum column {
    COLUMN_NONE,
    COLUMN_EMAIL,
    COLUMN_GIVEN_NAME,
    COLUMN_FAMILY_NAME,
    COLUMN_NAME,
    COLUMN_FORM,
    COLUMN_TITLE,
    COLUMN_SALUTATION,
    COLUMN_ORGANISATION,
    COLUMN_LANGUAGE,
    COLUMN_TIMEZONE,
    COLUMN_CONSENT,
    COLUMN_CONSENT_DATE,
    COLUMN_TAGS,
    COLUMN_ATTRIBUTE,
};

struct column_attribute {
    const char *name;
    size_t index; /* of its column */
};

/* How texts are understood; words and timezone must outlive it. */
struct columns_reader {
    const struct words *const *words;
    size_t words_count;
    const char *timezone; /* of dates */
    /* the last text of each kind and what it meant: most rows say the same */
    struct {
        char text[64];
        const char *meaning;
    } last_language, last_form;
};

struct columns {
    struct arena arena;
    size_t count;
    int index[COLUMN_ATTRIBUTE];         /* -1: there is no such column */
    struct column_attribute *attributes; /* by name */
    size_t attribute_count;
};

void columns_init(struct columns *c);
void columns_done(struct columns *c);
/* Reads the head. -EINVAL with the reason. */
int columns_read(struct columns *c, const struct columns_reader *reader, const struct csv_row *head, struct why *why);

enum columns_row {
    COLUMNS_PERSON,
    COLUMNS_NO_ADDRESS, /* somebody, but no address */
    COLUMNS_NO_CONSENT, /* says no */
    COLUMNS_BAD,
};
struct columns_person {
    struct address address;
    struct person person; /* strings in the arena; NULL where there is no such column or the cell is blank */
    const char *consent;  /* what the cell says, or NULL */
    int64_t consent_usec; /* 0: not said */
};
/* Reads a row; where it is bad, the reason in words is appended to `reason`. Negative: out of memory. */
int columns_person(const struct columns *c, struct columns_reader *reader, const struct csv_row *row,
                   struct arena *arena, struct columns_person *ret, struct buf *reason);

/* "Müller, Vera" and "Vera Müller" to given and family name; particles ("van", "von der", "de la") go with the family
 * name, one word alone is a family name. */
void columns_split_name(struct view whole, struct view *ret_given, struct view *ret_family);
/* What people write as a language or a form of address; NULL where nobody knows it, "" for none. */
const char *columns_language(const struct columns_reader *reader, struct view written);
const char *columns_form(const struct columns_reader *reader, struct view written);
