#include "people/rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

#include "base/banned.h"

enum { FIRST_BYTES = 64 * 1024, FIRST_COUNT = 1024 };

/* The texts behind the address_key, by bits of `present`. */
static const size_t texts[] = {
    offsetof(struct rows_row, person.address),    offsetof(struct rows_row, person.language),
    offsetof(struct rows_row, person.form),       offsetof(struct rows_row, person.title),
    offsetof(struct rows_row, person.given_name), offsetof(struct rows_row, person.family_name),
    offsetof(struct rows_row, person.salutation), offsetof(struct rows_row, person.organisation),
    offsetof(struct rows_row, person.timezone),   offsetof(struct rows_row, person.attributes),
    offsetof(struct rows_row, person.tags),       offsetof(struct rows_row, consent),
};

void rows_done(struct rows *r) {
    free(r->data);
    free(r->order);
    *r = (struct rows){0};
}

void rows_clear(struct rows *r) {
    r->len = r->count = 0;
}

/* Room for one more record; where it goes. */
static struct rows_record *make_room(struct rows *r, size_t size) {
    size_t room = r->room ? r->room : FIRST_BYTES;
    while (room < r->len + size)
        room *= 2;
    if (room > r->room) {
        char *more = realloc(r->data, room);
        if (!more)
            return NULL;
        r->data = more;
        r->room = room;
    }
    if (r->count == r->order_room) {
        size_t count = r->order_room ? 2 * r->order_room : FIRST_COUNT;
        uint32_t *more = reallocarray(r->order, count, sizeof *more);
        if (!more)
            return NULL;
        r->order = more;
        r->order_room = count;
    }
    return (struct rows_record *)(void *)(r->data + r->len);
}

static void take(struct rows *r, size_t size) {
    r->order[r->count++] = (uint32_t)r->len;
    r->len += size;
}

int rows_add(struct rows *r, const struct rows_row *row) {
    const char *value[COUNT_OF(texts)];
    size_t len[COUNT_OF(texts)], key_len = strlen(row->person.address_key) + 1;
    size_t size = offsetof(struct rows_record, texts) + key_len;
    uint32_t present = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        memcpy(&value[i], (const char *)row + texts[i], sizeof value[i]);
        if (!value[i] || (i == 0 && strcmp(value[0], row->person.address_key) == 0))
            continue;
        present |= UINT32_C(1) << i;
        len[i] = strlen(value[i]) + 1;
        size += len[i];
    }
    size = (size + 7) & ~(size_t)7;
    if (size > ROWS_RECORD_MAX_BYTES)
        return -EMSGSIZE;
    struct rows_record *record = make_room(r, size);
    if (!record)
        return -ENOMEM;
    record->size = (uint32_t)size;
    record->line = row->line;
    record->consent_usec = row->consent_usec;
    record->present = present;
    char *to = record->texts;
    memcpy(to, row->person.address_key, key_len);
    to += key_len;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (present & UINT32_C(1) << i) {
            memcpy(to, value[i], len[i]);
            to += len[i];
        }
    memset(to, 0, (size_t)((char *)record + size - to));
    take(r, size);
    return 0;
}

int rows_add_record(struct rows *r, const struct rows_record *record) {
    struct rows_record *to = make_room(r, record->size);
    if (!to)
        return -ENOMEM;
    memcpy(to, record, record->size);
    take(r, record->size);
    return 0;
}

int rows_compare(const struct rows_record *a, const struct rows_record *b) {
    int r = strcmp(a->texts, b->texts);
    return r ? r : a->line < b->line ? -1 : a->line > b->line;
}

static int by_address(const void *a, const void *b, void *data) {
    const char *base = data;
    return rows_compare((const struct rows_record *)(const void *)(base + *(const uint32_t *)a),
                        (const struct rows_record *)(const void *)(base + *(const uint32_t *)b));
}

void rows_sort(struct rows *r) {
    for (size_t i = 1; i < r->count; i++)
        if (rows_compare(rows_at(r, i - 1), rows_at(r, i)) > 0) {
            qsort_r(r->order, r->count, sizeof *r->order, by_address, r->data);
            return;
        }
}

void rows_read(const struct rows_record *record, struct rows_row *ret) {
    *ret = (struct rows_row){.line = record->line, .consent_usec = record->consent_usec};
    const char *text = record->texts;
    ret->person.address_key = ret->person.address = text;
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        if (record->present & UINT32_C(1) << i) {
            text += strlen(text) + 1;
            memcpy((char *)ret + texts[i], &text, sizeof text);
        }
}
