#include "conf/value.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"
#include "conf/shape.h"

#include "base/banned.h"

/* The field of an item that a row stands for. */
#define FIELD(type, item, o) ((type *)(void *)((char *)(item) + (o)->offset))
#define CONST_FIELD(type, item, o) ((const type *)(const void *)((const char *)(item) + (o)->offset))

#define SHOWN(v) ((int)((v).len < 80 ? (v).len : 80)), (v).ptr

static int out_of_bounds(const struct option *o, struct view text, const char *what, struct why *why) {
    AUTOBUF struct buf bounds = BUF_INIT(200);
    value_print_bounds(o, &bounds);
    (void)why_set(why, -EINVAL, "“%.*s” is %s", SHOWN(text), what);
    why_todo(why, "Give %s", buf_str(&bounds));
    return -EINVAL;
}

static void print_duration(int64_t usec, struct buf *to) {
    static const struct {
        int64_t usec;
        char unit;
    } units[] = {{USEC_PER_DAY, 'd'}, {USEC_PER_HOUR, 'h'}, {USEC_PER_MIN, 'm'}, {USEC_PER_SEC, 's'}};
    if (usec < USEC_PER_SEC)
        buf_puts(to, "0s");
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (usec >= units[i].usec)
            buf_printf(to, "%" PRId64 "%c", usec / units[i].usec, units[i].unit);
        usec %= units[i].usec;
    }
}

static void print_size(uint64_t bytes, struct buf *to) {
    if (bytes && bytes % (1 << 20) == 0)
        buf_printf(to, "%" PRIu64 " MB", bytes >> 20);
    else if (bytes && bytes % (1 << 10) == 0)
        buf_printf(to, "%" PRIu64 " KB", bytes >> 10);
    else
        buf_printf(to, "%" PRIu64, bytes);
}

static void print_rate(struct rate rate, struct buf *to) {
    char unit = rate.per_usec == USEC_PER_SEC    ? 's'
                : rate.per_usec == USEC_PER_MIN  ? 'm'
                : rate.per_usec == USEC_PER_HOUR ? 'h'
                                                 : 'd';
    buf_printf(to, "%" PRIu32 "/%c", rate.count, unit);
}

void value_print_bounds(const struct option *o, struct buf *to) {
    size_t before = to->len;
    switch (o->type) {
    case OPTION_WORD:
        for (size_t i = 0; o->words[i]; i++)
            buf_printf(to, "%s%s", i == 0 ? "" : o->words[i + 1] ? ", " : " or ", o->words[i]);
        break;
    case OPTION_COUNT:
    case OPTION_COUNT64:
    case OPTION_ID: buf_printf(to, "%" PRId64 " to %" PRId64, o->min, o->max); break;
    case OPTION_RATE:
        buf_printf(to, "%" PRId64 " to %" PRId64 " for each s, m, h or d, as 100/s", o->min, o->max);
        break;
    case OPTION_DURATION:
        print_duration(o->min, to);
        buf_puts(to, " to ");
        print_duration(o->max, to);
        break;
    case OPTION_SIZE:
        print_size((uint64_t)o->min, to);
        buf_puts(to, " to ");
        print_size((uint64_t)o->max, to);
        break;
    case OPTION_TEXT:
    case OPTION_TITLES: buf_printf(to, "at most %" PRId64 " bytes", o->max); break;
    case OPTION_TEXTS: buf_printf(to, "at most %" PRId64 ", with commas between them", o->max); break;
    case OPTION_SENDER:
    case OPTION_LATER: break;
    }
    if (o->zero && to->len > before)
        buf_printf(to, ", or %s", o->zero);
}

static int read_text(const struct option *o, struct view text, struct arena *arena, const char **ret, struct why *why) {
    if ((int64_t)text.len > o->max)
        return out_of_bounds(o, text, "too long", why);
    int r = text.len && o->check ? o->check(text, why) : 0;
    if (r < 0)
        return r;
    *ret = arena_dup(arena, text);
    return *ret ? 0 : -ENOMEM;
}

static bool is_among(const struct conf_strings *strings, struct view v) {
    for (size_t i = 0; i < strings->count; i++)
        if (view_eq_str(v, strings->items[i]))
            return true;
    return false;
}

static int read_texts(const struct option *o, struct view text, struct arena *arena, struct conf_strings *ret,
                      struct why *why) {
    struct conf_strings strings = {.items = arena_alloc(arena, (size_t)o->max * sizeof *strings.items)};
    struct view part;
    if (!strings.items)
        return -ENOMEM;
    if (text.len == 0)
        text = (struct view){0};
    while (view_split(&text, ',', &part)) {
        part = view_trim(part);
        if (part.len == 0) {
            (void)why_set(why, -EINVAL, "nothing stands between two commas");
            why_todo(why, "Put one comma between two values, and none at the end");
            return -EINVAL;
        }
        if (is_among(&strings, part))
            return why_set(why, -EINVAL, "“%.*s” is named twice", SHOWN(part));
        if (strings.count == (size_t)o->max)
            return out_of_bounds(o, part, "one too many", why);
        int r = o->check ? o->check(part, why) : 0;
        if (r < 0)
            return r;
        if (!(strings.items[strings.count++] = arena_dup(arena, part)))
            return -ENOMEM;
    }
    *ret = strings;
    return 0;
}

static int read_title(const struct option *o, struct view text, struct view language, struct arena *arena, void *item,
                      struct why *why) {
    struct conf_list *list = item;
    struct conf_list_title title = {.language = arena_dup(arena, language)};
    if (list->title_count == CONF_LANGUAGES_MAX)
        return why_set(why, -EINVAL, "a list has at most %d languages", CONF_LANGUAGES_MAX);
    for (size_t i = 0; i < list->title_count; i++)
        if (view_eq_str(language, list->titles[i].language))
            return why_set(why, -EINVAL, "the title in this language is there twice");
    int r = shape_language(language, why);
    if (r == 0)
        r = read_text(o, text, arena, &title.title, why);
    if (r < 0)
        return r;
    struct conf_list_title *titles = arena_grow(arena, list->titles, list->title_count, sizeof *titles);
    if (!titles || !title.language)
        return -ENOMEM;
    titles[list->title_count++] = title;
    list->titles = titles;
    return 0;
}

static int read_word(const struct option *o, struct view text, unsigned *ret, struct why *why) {
    size_t count = 0;
    for (; o->words[count]; count++)
        if (view_eq_str(text, o->words[count])) {
            *ret = (unsigned)count;
            return 0;
        }
    const char *near = text_nearest(text, o->words, count);
    int r = out_of_bounds(o, text, "none of the words that may stand here", why);
    if (near)
        why_todo(why, "Did you mean %s?", near);
    return r;
}

static int read_count(const struct option *o, struct view text, uint64_t *ret, struct why *why) {
    uint64_t n = 0;
    if (o->zero && view_eq_str(text, o->zero)) {
        *ret = 0;
        return 0;
    }
    int r = number_parse_u64(text, (uint64_t)o->max, &n);
    if (r == -EINVAL)
        return out_of_bounds(o, text, "not a whole number", why);
    if (r < 0 || n < (uint64_t)o->min)
        return out_of_bounds(o, text, "out of bounds", why);
    *ret = n;
    return 0;
}

static int read_rate(const struct option *o, struct view text, struct rate *ret, struct why *why) {
    struct rate rate = {0};
    if (o->zero && view_eq_str(text, o->zero)) {
        *ret = rate;
        return 0;
    }
    int r = number_parse_rate(text, &rate.count, &rate.per_usec);
    if (r == -EINVAL)
        return out_of_bounds(o, text, "not a rate", why);
    if (r < 0 || rate.count < o->min || rate.count > o->max)
        return out_of_bounds(o, text, "out of bounds", why);
    *ret = rate;
    return 0;
}

static int read_duration(const struct option *o, struct view text, int64_t *ret, struct why *why) {
    int64_t usec = 0;
    int r = number_parse_duration(text, &usec);
    if (r == -EINVAL)
        return out_of_bounds(o, text, "not a time such as 90s, 30m, 2h, 4d or 1h30m", why);
    if (r < 0 || usec < o->min || usec > o->max)
        return out_of_bounds(o, text, "out of bounds", why);
    *ret = usec;
    return 0;
}

static int read_size(const struct option *o, struct view text, uint64_t *ret, struct why *why) {
    uint64_t bytes = 0;
    int r = number_parse_size(text, &bytes);
    if (r == -EINVAL)
        return out_of_bounds(o, text, "not a size such as 500 KB or 10 MB", why);
    if (r < 0 || bytes < (uint64_t)o->min || bytes > (uint64_t)o->max)
        return out_of_bounds(o, text, "out of bounds", why);
    *ret = bytes;
    return 0;
}

int value_read(const struct option *o, struct view text, struct view suffix, struct arena *arena, void *item,
               struct why *why) {
    uint64_t n = 0;
    int r = 0;
    switch (o->type) {
    case OPTION_TEXT: return read_text(o, text, arena, FIELD(const char *, item, o), why);
    case OPTION_TEXTS: return read_texts(o, text, arena, FIELD(struct conf_strings, item, o), why);
    case OPTION_TITLES: return read_title(o, text, suffix, arena, item, why);
    case OPTION_WORD: return read_word(o, text, FIELD(unsigned, item, o), why);
    case OPTION_COUNT:
        r = read_count(o, text, &n, why);
        if (r == 0)
            *FIELD(unsigned, item, o) = (unsigned)n;
        return r;
    case OPTION_COUNT64: return read_count(o, text, FIELD(uint64_t, item, o), why);
    case OPTION_ID:
        if (text.len)
            r = read_count(o, text, &n, why);
        if (r == 0)
            *FIELD(uint32_t, item, o) = (uint32_t)n;
        return r;
    case OPTION_RATE: return read_rate(o, text, FIELD(struct rate, item, o), why);
    case OPTION_DURATION: return read_duration(o, text, FIELD(int64_t, item, o), why);
    case OPTION_SIZE: return read_size(o, text, FIELD(uint64_t, item, o), why);
    case OPTION_SENDER:
    case OPTION_LATER: break;
    }
    return 0;
}

static void print_texts(const struct conf_strings *strings, struct buf *to) {
    for (size_t i = 0; i < strings->count; i++)
        buf_printf(to, "%s%s", i ? ", " : "", strings->items[i]);
}

static void print_titles(const struct option *o, const struct conf_list *list, struct buf *to) {
    int stem = (int)strlen(o->key) - 1;
    for (size_t i = 0; i < list->title_count; i++)
        buf_printf(to, "%.*s%s = %s\n", stem, o->key, list->titles[i].language, list->titles[i].title);
}

static void print_count(const struct option *o, uint64_t n, struct buf *to) {
    if (n == 0 && o->zero)
        buf_puts(to, o->zero);
    else
        buf_printf(to, "%" PRIu64, n);
}

void value_print(const struct option *o, const void *item, struct buf *to) {
    switch (o->type) {
    case OPTION_TEXT: buf_puts(to, *CONST_FIELD(char *, item, o)); break;
    case OPTION_TEXTS: print_texts(CONST_FIELD(struct conf_strings, item, o), to); break;
    case OPTION_TITLES: print_titles(o, item, to); break;
    case OPTION_SENDER: {
        const struct conf_sender *sender = ((const struct conf_list *)item)->sender;
        buf_puts(to, sender ? sender->id : "");
        break;
    }
    case OPTION_WORD: buf_puts(to, o->words[*CONST_FIELD(unsigned, item, o)]); break;
    case OPTION_COUNT: print_count(o, *CONST_FIELD(unsigned, item, o), to); break;
    case OPTION_COUNT64: print_count(o, *CONST_FIELD(uint64_t, item, o), to); break;
    case OPTION_ID: print_count(o, *CONST_FIELD(uint32_t, item, o), to); break;
    case OPTION_RATE: {
        struct rate rate = *CONST_FIELD(struct rate, item, o);
        if (rate.count == 0)
            buf_puts(to, o->zero);
        else
            print_rate(rate, to);
        break;
    }
    case OPTION_DURATION: print_duration(*CONST_FIELD(int64_t, item, o), to); break;
    case OPTION_SIZE: print_size(*CONST_FIELD(uint64_t, item, o), to); break;
    case OPTION_LATER: break;
    }
}

bool value_same(const struct option *o, const void *a, const void *b) {
    AUTOBUF struct buf one = BUF_INIT(CONF_FILE_MAX), other = BUF_INIT(CONF_FILE_MAX);
    value_print(o, a, &one);
    value_print(o, b, &other);
    return view_eq(buf_view(&one), buf_view(&other));
}
