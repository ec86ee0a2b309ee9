#include "people/columns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "mail/attributes.h"
#include "mail/salutation.h"
#include "mail/words.h"

#include "base/banned.h"

static const char *const keys[COLUMN_ATTRIBUTE] = {
    [COLUMN_EMAIL] = "email",
    [COLUMN_GIVEN_NAME] = "given_name",
    [COLUMN_FAMILY_NAME] = "family_name",
    [COLUMN_NAME] = "name",
    [COLUMN_FORM] = "form",
    [COLUMN_TITLE] = "title",
    [COLUMN_SALUTATION] = "salutation",
    [COLUMN_ORGANISATION] = "organisation",
    [COLUMN_LANGUAGE] = "language",
    [COLUMN_TIMEZONE] = "timezone",
    [COLUMN_CONSENT] = "consent",
    [COLUMN_CONSENT_DATE] = "consent_date",
    [COLUMN_TAGS] = "tags",
};

void columns_init(struct columns *c) {
    *c = (struct columns){0};
    arena_init(&c->arena);
    for (size_t i = 0; i < COUNT_OF(c->index); i++)
        c->index[i] = -1;
}

void columns_done(struct columns *c) {
    arena_done(&c->arena);
    columns_init(c);
}

const char *columns_language(const struct columns_reader *reader, struct view written) {
    return written.len ? words_find_language(reader->words, reader->words_count, written) : "";
}

const char *columns_form(const struct columns_reader *reader, struct view written) {
    return salutation_form(reader->words, reader->words_count, written);
}

/* --- The head ------------------------------------------------------------------------------------------------- */

static enum column column_of(const struct columns_reader *reader, struct view name) {
    for (size_t i = 0; i < reader->words_count; i++) {
        const char *key = words_find(reader->words[i], "columns", name);
        for (int k = COLUMN_EMAIL; key && k < COLUMN_ATTRIBUTE; k++)
            if (strcmp(keys[k], key) == 0)
                return (enum column)k;
    }
    return COLUMN_ATTRIBUTE;
}

static int refuse_twice(struct why *why, const struct csv_row *head, size_t a, size_t b) {
    (void)why_set(why, -EINVAL, "the columns “%.*s” and “%.*s” mean the same", (int)head->cells[a].len,
                  head->cells[a].ptr, (int)head->cells[b].len, head->cells[b].ptr);
    why_where(why, "line %u", head->line);
    why_todo(why, "Rename one of the two, or remove it");
    return -EINVAL;
}

static int add_attribute(struct columns *c, struct view name, size_t index, size_t *ret_other) {
    AUTOBUF struct buf key = BUF_INIT(ATTRIBUTE_NAME_MAX + 16);
    int r = attributes_name(name, &key);
    if (r < 0 || key.len == 0)
        return r;
    for (size_t i = 0; i < c->attribute_count; i++)
        if (view_eq_str(buf_view(&key), c->attributes[i].name)) {
            *ret_other = c->attributes[i].index;
            return -EEXIST;
        }
    struct column_attribute *more = arena_grow(&c->arena, c->attributes, c->attribute_count, sizeof *c->attributes);
    const char *kept = arena_dup(&c->arena, buf_view(&key));
    if (!more || !kept)
        return -ENOMEM;
    more[c->attribute_count++] = (struct column_attribute){kept, index};
    c->attributes = more;
    return 0;
}

static int by_name(const void *a, const void *b) {
    const struct column_attribute *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static int refuse_head(const struct csv_row *head, struct why *why) {
    struct address address;
    for (size_t i = 0; i < head->count; i++)
        if (address_parse_mailbox(head->cells[i], &address, NULL) == ADDRESS_OK) {
            (void)why_set(why, -EINVAL, "the first line has no names of columns, but an address");
            why_where(why, "line %u", head->line);
            why_todo(why, "Write a line above it, such as: E-Mail;Vorname;Nachname");
            return -EINVAL;
        }
    (void)why_set(why, -EINVAL, "no column is called “E-Mail”");
    why_where(why, "line %u", head->line);
    why_todo(why, "Name the column of the addresses so");
    return -EINVAL;
}

int columns_read(struct columns *c, const struct columns_reader *reader, const struct csv_row *head, struct why *why) {
    if (head->fault) {
        (void)why_set(why, -EINVAL, "the head cannot be read: %s", head->fault);
        why_where(why, "line %u", head->line);
        return -EINVAL;
    }
    c->count = head->count;
    for (size_t i = 0; i < head->count; i++) {
        enum column kind = column_of(reader, head->cells[i]);
        size_t other = 0;
        if (kind == COLUMN_ATTRIBUTE) {
            int r = add_attribute(c, head->cells[i], i, &other);
            if (r < 0)
                return r == -EEXIST ? refuse_twice(why, head, other, i) : r;
        } else if (c->index[kind] >= 0)
            return refuse_twice(why, head, (size_t)c->index[kind], i);
        else
            c->index[kind] = (int)i;
    }
    if (c->attribute_count)
        qsort(c->attributes, c->attribute_count, sizeof *c->attributes, by_name);
    return c->index[COLUMN_EMAIL] < 0 ? refuse_head(head, why) : 0;
}

/* --- Names ---------------------------------------------------------------------------------------------------- */

static bool is_lower_word(struct view word) {
    size_t n;
    if (word.len == 0)
        return false;
    AUTOBUF struct buf folded = BUF_INIT(4096);
    (void)text_decode(word, &n);
    struct view first = view_slice(word, 0, n);
    return text_fold(first, &folded) == 0 && view_eq(buf_view(&folded), first) &&
           (n > 1 || (first.ptr[0] >= 'a' && first.ptr[0] <= 'z'));
}

void columns_split_name(struct view whole, struct view *ret_given, struct view *ret_family) {
    whole = view_trim(whole);
    size_t comma = view_find(whole, ',');
    if (comma < whole.len) {
        *ret_family = view_trim(view_slice(whole, 0, comma));
        *ret_given = view_trim(view_slice(whole, comma + 1, whole.len));
        return;
    }
    size_t start = whole.len; /* of the last word, then of the particles before it */
    while (start > 0 && whole.ptr[start - 1] != ' ')
        start--;
    for (;;) {
        struct view before = view_trim(view_slice(whole, 0, start));
        size_t word = before.len;
        while (word > 0 && before.ptr[word - 1] != ' ')
            word--;
        if (!is_lower_word(view_slice(before, word, before.len)))
            break;
        start = word;
    }
    *ret_given = view_trim(view_slice(whole, 0, start));
    *ret_family = view_slice(whole, start, whole.len);
}
