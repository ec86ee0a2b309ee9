#include "mail/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/why.h"
#include "mail/zone_rule.h"

#include "base/banned.h"

#define ZONEINFO "/usr/share/zoneinfo/"

enum { HEADER_BYTES = 44, TYPES_MAX = 256, DAY_SEC = 86400, CHANGES_IN_3_YEARS = 6 };
/* Beyond, 34,000 years from now, there is no more daylight saving time: so a year always fits an int. */
#define SECONDS_MAX (INT64_C(1) << 40)
/* Some files begin with the Big Bang, -2^59. */
#define CHANGE_MAX_SEC (INT64_C(1) << 60)

struct zone {
    struct zone *next;
    char name[ZONE_NAME_MAX + 1];
    size_t count; /* of changes */
    int64_t *at_sec;
    uint8_t *types; /* in force from that change on */
    struct {
        int32_t offset_sec;
        bool is_dst;
        uint8_t abbreviation; /* index */
    } type[TYPES_MAX];
    char abbreviations[256 + 1];
    struct zone_footer footer;
};

/* Grows only, at its head; the zones in it never change. So readers need no lock. */
static _Atomic(struct zone *) known;

static uint32_t read_u32(const char *p) {
    const uint8_t *b = (const uint8_t *)p;
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

struct counts {
    size_t isut, isstd, leap, time, type, abbreviation;
};

/* Takes a header off the file; false where it is none. */
static bool take_header(struct view *file, struct counts *ret) {
    if (file->len < HEADER_BYTES || memcmp(file->ptr, "TZif", 4) != 0 || file->ptr[4] < '2')
        return false;
    size_t *fields[] = {&ret->isut, &ret->isstd, &ret->leap, &ret->time, &ret->type, &ret->abbreviation};
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        *fields[i] = read_u32(file->ptr + 20 + 4 * i);
        if (*fields[i] > ZONE_FILE_MAX_BYTES)
            return false;
    }
    *file = view_slice(*file, HEADER_BYTES, file->len);
    return true;
}

static size_t block_bytes(const struct counts *n, size_t time_bytes) {
    return n->time * (time_bytes + 1) + n->type * 6 + n->abbreviation + n->leap * (time_bytes + 4) + n->isstd + n->isut;
}

static bool read_types(struct zone *z, const struct counts *n, const char *types, const char *abbreviations) {
    for (size_t i = 0; i < n->type; i++, types += 6) {
        z->type[i].offset_sec = (int32_t)read_u32(types);
        z->type[i].is_dst = types[4] != 0;
        z->type[i].abbreviation = (uint8_t)types[5];
        if (z->type[i].offset_sec > ZONE_OFFSET_MAX_SEC || z->type[i].offset_sec < -ZONE_OFFSET_MAX_SEC ||
            z->type[i].abbreviation >= n->abbreviation)
            return false;
    }
    memcpy(z->abbreviations, abbreviations, n->abbreviation);
    for (size_t i = 0; i < n->abbreviation; i++) /* they go into calendars and headers as they are */
        if (z->abbreviations[i] && !zone_is_abbreviation(z->abbreviations[i]))
            return false;
    return true;
}

/* Changes that change nothing (the first of a file often does not) are left out. */
static bool read_changes(struct zone *z, const struct counts *n, const char *times, const char *types) {
    z->at_sec = calloc(n->time + 1, sizeof *z->at_sec);
    z->types = calloc(n->time + 1, sizeof *z->types);
    if (!z->at_sec || !z->types)
        return false;
    int64_t last_sec = INT64_MIN;
    for (size_t i = 0; i < n->time; i++) {
        int64_t at_sec = (int64_t)((uint64_t)read_u32(times + 8 * i) << 32 | read_u32(times + 8 * i + 4));
        uint8_t type = (uint8_t)types[i], before = z->count ? z->types[z->count - 1] : 0;
        if (type >= n->type || (i && at_sec <= last_sec) || at_sec > CHANGE_MAX_SEC || at_sec < -CHANGE_MAX_SEC)
            return false;
        last_sec = at_sec;
        if (z->type[type].offset_sec == z->type[before].offset_sec && z->type[type].is_dst == z->type[before].is_dst &&
            z->type[type].abbreviation == z->type[before].abbreviation)
            continue;
        z->at_sec[z->count] = at_sec;
        z->types[z->count++] = type;
    }
    return true;
}

static bool read_file(struct zone *z, struct view file) {
    struct counts n = {0};
    if (file.len > ZONE_FILE_MAX_BYTES || !take_header(&file, &n) || block_bytes(&n, 4) > file.len)
        return false;
    file = view_slice(file, block_bytes(&n, 4), file.len); /* the 32-bit times of old readers */
    if (!take_header(&file, &n) || block_bytes(&n, 8) > file.len || n.leap || n.type < 1 || n.type > TYPES_MAX ||
        n.abbreviation < 1 || n.abbreviation >= sizeof z->abbreviations)
        return false;
    const char *types = file.ptr + 8 * n.time, *type = types + n.time;
    if (!read_types(z, &n, type, type + 6 * n.type) || !read_changes(z, &n, file.ptr, types))
        return false;
    struct view footer = view_slice(file, block_bytes(&n, 8), file.len);
    if (footer.len < 2 || footer.ptr[0] != '\n')
        return false;
    footer = view_slice(footer, 1, footer.len);
    footer = view_slice(footer, 0, view_find(footer, '\n'));
    return zone_footer_parse(footer, &z->footer);
}

struct zone *zone_free(struct zone *z) {
    if (z) {
        free(z->at_sec);
        free(z->types);
        free(z);
    }
    return NULL;
}

struct zone *zone_parse(const char *name, struct view file) {
    struct zone *z = calloc(1, sizeof *z);
    if (!z)
        return NULL;
    memcpy(z->name, name, strnlen(name, ZONE_NAME_MAX));
    return read_file(z, file) ? z : zone_free(z);
}

static bool is_name(const char *name) {
    static const char *const refused[] = {"localtime", "posixrules", "right", "posix"};
    struct view rest = view_of(name), part;
    if (rest.len == 0 || rest.len > ZONE_NAME_MAX)
        return false;
    for (size_t i = 0; i < COUNT_OF(refused); i++)
        if (view_eq_str(view_slice(rest, 0, view_find(rest, '/')), refused[i]))
            return false;
    size_t parts = 0;
    while (view_split(&rest, '/', &part)) {
        if (part.len == 0 || ++parts > 3)
            return false;
        for (size_t i = 0; i < part.len; i++) {
            char c = part.ptr[i];
            if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '-' ||
                  c == '_'))
                return false;
        }
    }
    return true;
}

const struct zone *zone_find(const char *name) {
    struct zone *head = atomic_load(&known);
    for (struct zone *z = head; z; z = z->next)
        if (strcmp(z->name, name) == 0)
            return z;
    errno = ENOENT;
    if (!is_name(name))
        return NULL;
    AUTOBUF struct buf path = BUF_INIT(sizeof ZONEINFO + ZONE_NAME_MAX), file = BUF_INIT(ZONE_FILE_MAX_BYTES);
    buf_puts(&path, ZONEINFO);
    buf_puts(&path, name);
    int r = buf_error(&path) < 0 ? buf_error(&path) : files_read(AT_FDCWD, buf_str(&path), &file);
    errno = 0;
    struct zone *z = r == 0 ? zone_parse(name, buf_view(&file)) : NULL;
    if (!z) {
        errno = why_is_trouble(r) ? -r : errno == ENOMEM ? ENOMEM : ENOENT;
        return NULL;
    }
    /* Where two threads read one zone at once, both copies are kept, and either answers. */
    z->next = head;
    while (!atomic_compare_exchange_weak(&known, &z->next, z))
        ;
    return z;
}

const char *zone_name(const struct zone *z) {
    return z->name;
}

static int64_t floor_days(int64_t sec) {
    return sec / DAY_SEC - (sec % DAY_SEC < 0);
}

static int year_of(int64_t sec) {
    int year, month, day;
    clock_civil_from_days(floor_days(sec), &year, &month, &day);
    return year;
}

static void span_of_type(const struct zone *z, uint8_t type, struct zone_span *s) {
    s->offset_sec = z->type[type].offset_sec;
    s->is_dst = z->type[type].is_dst;
    s->abbreviation = z->abbreviations + z->type[type].abbreviation;
}

static void span_of_rule(const struct zone_rule *rule, struct zone_span *s) {
    s->offset_sec = rule->offset_sec;
    s->is_dst = rule->is_dst;
    s->abbreviation = rule->abbreviation;
}

/* Behind the last change that the file lists: that change's type up to the first yearly change behind it, also where a
 * yearly one falls on the same second (Nuuk, March 2023). */
static void span_of_footer(const struct zone *z, int64_t at_sec, struct zone_span *s) {
    const struct zone_footer *f = &z->footer;
    span_of_type(z, z->count ? z->types[z->count - 1] : 0, s);
    if (!f->has_dst || at_sec > SECONDS_MAX || at_sec < -SECONDS_MAX)
        return;
    int year = year_of(at_sec);
    for (int i = 0; i < CHANGES_IN_3_YEARS; i++) {
        const struct zone_rule *rule = &f->rule[i % 2];
        int64_t sec = zone_rule_in_year(rule, year - 1 + i / 2);
        if (sec <= at_sec && sec > s->from_sec) {
            s->from_sec = sec;
            span_of_rule(rule, s);
        }
        if (sec > at_sec && sec < s->until_sec)
            s->until_sec = sec;
    }
}

void zone_span(const struct zone *z, int64_t at_sec, struct zone_span *ret) {
    size_t low = 0, high = z->count; /* the first change behind at_sec */
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (z->at_sec[middle] <= at_sec)
            low = middle + 1;
        else
            high = middle;
    }
    ret->from_sec = low ? z->at_sec[low - 1] : INT64_MIN;
    ret->until_sec = low < z->count ? z->at_sec[low] : INT64_MAX;
    if (low == z->count)
        span_of_footer(z, at_sec, ret);
    else
        span_of_type(z, low ? z->types[low - 1] : 0, ret);
}

enum zone_fault zone_to_utc(const struct zone *z, int64_t civil_sec, int64_t *ret_sec) {
    struct zone_span span;
    int before_sec = 0; /* the offset before the span */
    for (int64_t at_sec = civil_sec - ZONE_OFFSET_MAX_SEC;; at_sec = span.until_sec) {
        zone_span(z, at_sec, &span);
        int64_t sec = civil_sec - span.offset_sec;
        if (sec < span.from_sec) {
            int64_t midnight_sec = floor_days(civil_sec) * DAY_SEC;
            *ret_sec = span.from_sec;
            return span.from_sec + before_sec <= midnight_sec &&
                           span.from_sec + span.offset_sec >= midnight_sec + DAY_SEC
                       ? ZONE_DAY_SKIPPED
                       : ZONE_IN_GAP;
        }
        if (sec < span.until_sec) {
            *ret_sec = sec;
            return ZONE_OK;
        }
        before_sec = span.offset_sec;
    }
}

bool zone_rules(const struct zone *z, int64_t at_sec, struct zone_rule ret[2]) {
    const struct zone_footer *f = &z->footer;
    if (!f->has_dst || f->rule[0].month == 0)
        return false;
    int year = year_of(at_sec);
    struct zone_span span;
    zone_span(z, at_sec, &span);
    int in_force = -1;
    for (int y = year - 1; y <= year; y++)
        for (int i = 0; i < 2; i++)
            if (zone_rule_in_year(&f->rule[i], y) == span.from_sec)
                in_force = i;
    if (in_force < 0)
        return false;
    /* Up to the last change of the file, each must be the next of the rules. */
    for (int i = in_force; span.until_sec != INT64_MAX; i = 1 - i) {
        const struct zone_rule *rule = &f->rule[i];
        if (span.offset_sec != rule->offset_sec || span.is_dst != rule->is_dst ||
            zone_rule_in_year(rule, year_of(span.from_sec + rule->offset_before_sec)) != span.from_sec)
            return false;
        if (z->count == 0 || span.from_sec >= z->at_sec[z->count - 1])
            break;
        zone_span(z, span.until_sec, &span);
    }
    ret[0] = f->rule[in_force];
    ret[1] = f->rule[1 - in_force];
    return true;
}
