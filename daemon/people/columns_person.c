/* Rows as persons: columns_person() of people/columns.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "mail/attributes.h"
#include "mail/tags.h"
#include "mail/when.h"
#include "mail/words.h"
#include "people/columns.h"

#include "base/banned.h"

enum { TEXT_MAX_BYTES = 500, SHOWN_MAX_BYTES = 60 };

/* A row on its way to a person. */
struct reading {
    const struct columns *columns;
    struct columns_reader *reader;
    const struct csv_row *row;
    struct arena *arena;
    struct columns_person *to;
    struct buf *reason; /* of the first thing that is wrong */
    bool bad;
};

static struct view cell(const struct reading *k, enum column column) {
    int i = k->columns->index[column];
    return i >= 0 && (size_t)i < k->row->count ? k->row->cells[i] : VIEW("");
}

/* The row is bad; a value is shown cut. */
static void complain(struct reading *k, const char *text, struct view value) {
    if (k->bad)
        return;
    k->bad = true;
    char shown[SHOWN_MAX_BYTES + 1];
    size_t len = value.len < SHOWN_MAX_BYTES ? value.len : SHOWN_MAX_BYTES;
    memcpy(shown, value.ptr, len);
    shown[len] = '\0';
    text_cut_clean(shown);
    buf_puts(k->reason, text);
    if (len)
        buf_printf(k->reason, ": “%s%s”", shown, value.len > len ? "…" : "");
}

/* One line of text: line ends and tabs within a cell become blanks. Marks of direction may stay. NULL for nothing. */
static const char *clean(struct reading *k, struct view v) {
    if (v.len == 0)
        return NULL;
    if (v.len > TEXT_MAX_BYTES) {
        complain(k, "a cell is longer than 500 bytes", v);
        return NULL;
    }
    char *text = arena_dup(k->arena, v);
    if (!text)
        return NULL;
    for (size_t i = 0; i < v.len; i++)
        if (text[i] == '\n' || text[i] == '\r' || text[i] == '\t')
            text[i] = ' ';
    struct view cleaned = view_make(text, v.len);
    if (text_is_printable(cleaned))
        return text;
    for (size_t at = 0, n; at < cleaned.len; at += n) {
        uint32_t c = text_decode(view_slice(cleaned, at, cleaned.len), &n);
        if (text_is_control(c) && !text_is_direction_mark(c)) {
            complain(k, "a cell holds characters that cannot be shown", cleaned);
            return NULL;
        }
    }
    return text;
}

/* --- Fields --------------------------------------------------------------------------------------------------- */

/* What a text means, asked of the words only where it is another than in the row before. */
#define REMEMBERED(slot, written, find)                                                                                \
    ({                                                                                                                 \
        if (!(slot).meaning || !view_eq_str((written), (slot).text)) {                                                 \
            (slot).meaning = (written).len < sizeof(slot).text ? (find) : NULL;                                        \
            size_t kept_ = (slot).meaning ? (written).len : 0;                                                         \
            memcpy((slot).text, (written).ptr, kept_);                                                                 \
            (slot).text[kept_] = '\0';                                                                                 \
        }                                                                                                              \
        (slot).meaning;                                                                                                \
    })

static void read_language(struct reading *k) {
    struct view written = cell(k, COLUMN_LANGUAGE);
    if (written.len == 0)
        return;
    const char *code = REMEMBERED(k->reader->last_language, written, columns_language(k->reader, written));
    if (!code)
        complain(k, "the language is not known", written);
    k->to->person.language = code;
}

static void read_form(struct reading *k) {
    struct view written = cell(k, COLUMN_FORM);
    if (written.len == 0)
        return;
    const char *form = REMEMBERED(k->reader->last_form, written, columns_form(k->reader, written));
    if (!form)
        complain(k, "the form of address is not known", written);
    k->to->person.form = form;
}

static void read_timezone(struct reading *k) {
    const char *zone = clean(k, cell(k, COLUMN_TIMEZONE));
    bool exists = zone && when_zone_exists(zone);
    if (zone && !exists && errno == ENOMEM)
        arena_fail(k->arena);
    else if (zone && !exists)
        complain(k, "the time zone is not known", view_of(zone));
    k->to->person.timezone = zone;
}

static void read_names(struct reading *k, struct view before_address) {
    struct view given = cell(k, COLUMN_GIVEN_NAME), family = cell(k, COLUMN_FAMILY_NAME), whole = cell(k, COLUMN_NAME);
    bool has_given = k->columns->index[COLUMN_GIVEN_NAME] >= 0, has_family = k->columns->index[COLUMN_FAMILY_NAME] >= 0;
    if (has_given && !has_family)
        family = whole;
    else if (given.len == 0 && family.len == 0) {
        bool any = has_given || has_family || k->columns->index[COLUMN_NAME] >= 0;
        columns_split_name(whole.len || any ? whole : before_address, &given, &family);
    }
    k->to->person.given_name = clean(k, given);
    k->to->person.family_name = clean(k, family);
}

static void read_attributes(struct reading *k) {
    AUTOBUF struct buf text = BUF_INIT(ATTRIBUTES_MAX_BYTES);
    for (size_t i = 0; i < k->columns->attribute_count; i++) {
        const struct column_attribute *a = &k->columns->attributes[i];
        const char *value = a->index < k->row->count ? clean(k, k->row->cells[a->index]) : NULL;
        if (value)
            buf_puts(&text, a->name), buf_putc(&text, '\t'), buf_puts(&text, value), buf_putc(&text, '\n');
    }
    if (buf_error(&text) == -EMSGSIZE)
        complain(k, "the row holds more text than 32 KiB", VIEW(""));
    else if (text.len)
        k->to->person.attributes = arena_dup(k->arena, buf_view(&text));
}

static void read_tags(struct reading *k) {
    AUTOBUF struct buf change = BUF_INIT(2 * TAGS_MAX_BYTES);
    struct view bad = VIEW("");
    const char *written = clean(k, cell(k, COLUMN_TAGS));
    if (!written)
        return;
    int r = tags_read(view_of(written), &change, &bad);
    if (r == -EINVAL)
        complain(k, "this is no tag (at most 64 bytes)", bad);
    else if (r < 0)
        complain(k, "there are more than 64 tags", VIEW(""));
    else if (change.len)
        k->to->person.tags = arena_dup(k->arena, buf_view(&change));
}

static bool says_no(const struct reading *k, struct view written) {
    for (size_t i = 0; i < k->reader->words_count; i++) {
        const char *answer = words_find(k->reader->words[i], "answers", written);
        if (answer && strcmp(answer, "no") == 0)
            return true;
    }
    return false;
}

static enum columns_row read_consent(struct reading *k) {
    struct view written = cell(k, COLUMN_CONSENT), date = cell(k, COLUMN_CONSENT_DATE);
    if (written.len && says_no(k, written))
        return COLUMNS_NO_CONSENT;
    k->to->consent = clean(k, written.len ? written : date);
    struct when when;
    if (date.len == 0)
        return COLUMNS_PERSON;
    if (when_parse(date, &when) != WHEN_OK || when_to_usec(&when, k->reader->timezone, &k->to->consent_usec) != WHEN_OK)
        complain(k, "the date of the consent is not understood (write 2025-09-02 or 2.9.2025)", date);
    return COLUMNS_PERSON;
}

static enum columns_row read_person(struct reading *k) {
    struct view written = cell(k, COLUMN_EMAIL), name = VIEW("");
    enum address_fault fault = address_parse_mailbox(written, &k->to->address, &name);
    if (fault == ADDRESS_EMPTY && written.len == 0)
        return COLUMNS_NO_ADDRESS;
    if (fault == ADDRESS_NO_MEMORY) {
        arena_fail(k->arena);
        return COLUMNS_BAD;
    }
    if (fault != ADDRESS_OK) {
        complain(k, address_fault_text(fault), written);
        return COLUMNS_BAD;
    }
    k->to->person.address = k->to->address.spelled;
    k->to->person.address_key = k->to->address.key;
    read_names(k, name);
    k->to->person.title = clean(k, cell(k, COLUMN_TITLE));
    k->to->person.salutation = clean(k, cell(k, COLUMN_SALUTATION));
    k->to->person.organisation = clean(k, cell(k, COLUMN_ORGANISATION));
    read_form(k);
    read_language(k);
    read_timezone(k);
    read_attributes(k);
    read_tags(k);
    return read_consent(k);
}

int columns_person(const struct columns *c, struct columns_reader *reader, const struct csv_row *row,
                   struct arena *arena, struct columns_person *ret, struct buf *reason) {
    struct reading k = {.columns = c, .reader = reader, .row = row, .arena = arena, .to = ret, .reason = reason};
    *ret = (struct columns_person){0};
    if (row->fault) {
        complain(&k, row->fault, VIEW(""));
        return COLUMNS_BAD;
    }
    for (size_t i = c->count; i < row->count; i++)
        if (row->cells[i].len) {
            complain(&k, "the row has more cells than the head", row->cells[i]);
            return COLUMNS_BAD;
        }
    enum columns_row result = read_person(&k);
    if (arena_failed(arena))
        return -ENOMEM;
    return k.bad ? COLUMNS_BAD : (int)result;
}
