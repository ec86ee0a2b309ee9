#include "store/filtered.h"

#include "mail/filter.h"
#include "store/db.h"

#include "base/banned.h"

void filtered_person(const struct row *row, int first, struct filter_person *ret) {
    *ret = (struct filter_person){
        .email = row_view(row, first),
        .email_key = row_view(row, first + 1),
        .language = row_view(row, first + 2),
        .form = row_view(row, first + 3),
        .title = row_view(row, first + 4),
        .given_name = row_view(row, first + 5),
        .family_name = row_view(row, first + 6),
        .organisation = row_view(row, first + 7),
        .timezone = row_view(row, first + 8),
        .attributes = row_view(row, first + 9),
        .tags = row_view(row, first + 10),
        .joined_usec = row_int(row, first + 11),
    };
}

bool filtered_matches(struct filter *only, const struct row *row, int first) {
    struct filter_person p;
    filtered_person(row, first, &p);
    return filter_matches(only, &p);
}
