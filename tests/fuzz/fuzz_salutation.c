/* A contact's fields, one a line, said by a language whose patterns come after them. */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "mail/salutation.h"
#include "mail/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct view rest = view_make(data, size), line[6] = {0};
    for (size_t i = 0; i < COUNT_OF(line) && view_line(&rest, &line[i]); i++)
        ;
    const struct contact c = {line[0], line[1], line[2], line[3], line[4], line[5]};
    struct why why;
    struct words *w;
    if (words_parse(rest, view_of(""), "xx", &why, &w) < 0)
        return 0;
    AUTOBUF struct buf said = BUF_INIT(1 << 20), name = BUF_INIT(1 << 20);
    salutation_say(w, size % 2, &c, &said);
    salutation_name(w, &c, &name);
    const char *form = salutation_form((const struct words *const *)&w, 1, line[1]);
    if (form && strcmp(form, "none") == 0)
        abort();
    words_free(w);
    return 0;
}
