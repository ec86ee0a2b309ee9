#include "announce/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/files.h"
#include "base/ini.h"
#include "base/number.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/enclosure.h"
#include "mail/filter.h"
#include "mail/words.h"

void bundle_init(struct bundle *b) {
    *b = (struct bundle){0};
}

void bundle_done(struct bundle *b) {
    for (size_t i = 0; i < b->count; i++) {
        (void)enclosure_unref(b->files[i].enclosure);
        (void)words_free(b->files[i].words);
    }
    (void)conf_unref(b->settings);
    arena_done(&b->arena);
    free(b->files);
    bundle_init(b);
}

static bool is_fit(struct view path) {
    if (path.len == 0 || path.len > 512 || path.ptr[0] == '/' || text_has_control(path) || !text_is_utf8(path))
        return false;
    struct view part;
    while (view_split(&path, '/', &part))
        if (part.len == 0 || part.len > NAME_MAX || view_eq_str(part, ".") || view_eq_str(part, ".."))
            return false;
    return true;
}

int bundle_add(struct bundle *b, const char *path, struct view content) {
    if (!is_fit(view_of(path)))
        return -EINVAL;
    if (bundle_get(b, path).ptr)
        return -EEXIST;
    size_t total = content.len;
    for (size_t i = 0; i < b->count; i++)
        total += b->files[i].content.len;
    if (b->count == BUNDLE_FILES_MAX || total > BUNDLE_MAX_BYTES)
        return -E2BIG;
    if (!b->files)
        b->files = calloc(BUNDLE_FILES_MAX, sizeof *b->files);
    char *name = arena_strdup(&b->arena, path), *bytes = arena_dup(&b->arena, content);
    if (!b->files || !name || !bytes)
        return -ENOMEM;
    b->files[b->count++] = (struct bundle_file){.path = name, .content = view_make(bytes, content.len)};
    return 0;
}

static struct bundle_file *find(const struct bundle *b, const char *path) {
    for (size_t i = 0; i < b->count; i++)
        if (strcmp(b->files[i].path, path) == 0)
            return &b->files[i];
    return NULL;
}

struct view bundle_get(const struct bundle *b, const char *path) {
    const struct bundle_file *f = find(b, path);
    return f ? f->content : (struct view){0};
}

static void on_settings_error(void *user, const struct why *why) {
    *(struct why *)user = *why;
}

int bundle_settings(struct bundle *b, struct why *why, struct conf **ret) {
    int r = 0;
    if (!b->settings)
        r = conf_parse_frozen(bundle_get(b, "settings.ini"), "settings.ini", on_settings_error, why, &b->settings);
    if (r == 0)
        *ret = conf_ref(b->settings);
    return r;
}

int bundle_words(struct bundle *b, const char *language, struct why *why, struct words **ret) {
    char path[64];
    (void)snprintf(path, sizeof path, "templates/%s/words.ini", language); /* a path that is cut is not there */
    struct bundle_file *f = find(b, path);
    if (f && f->words) {
        *ret = words_ref(f->words);
        return 0;
    }
    int r = words_parse(f ? f->content : (struct view){0}, (struct view){0}, language, why, ret);
    if (r == 0 && f)
        f->words = words_ref(*ret);
    return r;
}

int bundle_enclosure(struct bundle *b, struct view content, struct enclosure **ret) {
    size_t i = 0;
    while (i < b->count && b->files[i].content.ptr != content.ptr)
        i++;
    if (i == b->count)
        return -EINVAL;
    int r = b->files[i].enclosure ? 0 : enclosure_new(content, &b->files[i].enclosure);
    if (r == 0)
        *ret = b->files[i].enclosure;
    return r;
}

size_t bundle_enclosed_size(const struct bundle *b) {
    size_t size = 0;
    for (size_t i = 0; i < b->count; i++)
        size += b->files[i].enclosure ? enclosure_lines(b->files[i].enclosure).len : 0;
    return size;
}

static int make_parents(int dirfd, const char *path) {
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        AUTOFREE char *parent = view_dup(view_make(path, (size_t)(slash - path)));
        int r = parent ? files_make_dir(dirfd, parent, 0700) : -ENOMEM;
        if (r < 0)
            return r;
    }
    return 0;
}

int bundle_write(const struct bundle *b, int dirfd) {
    for (size_t i = 0; i < b->count; i++) {
        int r = make_parents(dirfd, b->files[i].path);
        if (r == 0)
            r = files_write_new(dirfd, b->files[i].path, b->files[i].content, 0600);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_tree(struct bundle *b, int dirfd, const char *prefix, unsigned depth) {
    char **names;
    size_t count;
    int r = files_list(dirfd, ".", BUNDLE_FILES_MAX, &names, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; r == 0 && i < count; i++) {
        AUTOBUF struct buf path = BUF_INIT(1024);
        buf_printf(&path, "%s%s", prefix, names[i]);
        if ((r = buf_error(&path)) < 0)
            break;
        AUTOCLOSE int below = openat(dirfd, names[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) {
            buf_putc(&path, '/');
            r = buf_error(&path) ? buf_error(&path) : depth ? read_tree(b, below, buf_str(&path), depth - 1) : -E2BIG;
            continue;
        }
        AUTOBUF struct buf content = BUF_INIT(BUNDLE_MAX_BYTES);
        r = files_read_regular(dirfd, names[i], &content);
        if (r == 0)
            r = bundle_add(b, buf_str(&path), buf_view(&content));
    }
    files_free_names(names, count);
    return r;
}

int bundle_read(struct bundle *b, int dirfd, struct why *why) {
    int r = read_tree(b, dirfd, "", 3);
    return r < 0 ? why_set(why, r, "cannot read the bundle: %s", strerror(-r)) : 0;
}

void bundle_head_print(const struct bundle_head *h, struct buf *to) {
    buf_puts(to, "[bundle]\nformat = 2\n");
    buf_printf(to, "name = %s\nlist = ", h->name);
    for (size_t i = 0; i < h->list_count; i++)
        buf_printf(to, "%s%s", i ? ", " : "", h->lists[i]);
    buf_printf(to, "\nfirst = %s\ncreated = ", h->first);
    clock_print_utc(to, h->created_usec);
    buf_puts(to, "\nidentity = ");
    encode_hex(to, h->identity, sizeof h->identity);
    buf_putc(to, '\n');
    buf_printf(to, "template = %s\n", h->template);
    if (h->uid[0])
        buf_printf(to, "uid = %s\nsequence = %u\n", h->uid, h->sequence);
    if (h->occurrence && h->occurrence[0])
        buf_printf(to, "occurrence = %s\n", h->occurrence);
    buf_puts(to, "[texts]\n");
    for (size_t i = 0; i < h->language_count; i++)
        buf_printf(to, "%s = %s\n", h->languages[i], h->texts[i]);
}

int bundle_filter(const struct bundle *b, struct filter **ret, struct why *why) {
    struct view frozen = bundle_get(b, "filter");
    *ret = NULL;
    int r = frozen.ptr ? filter_thaw(frozen, ret) : 0;
    return r < 0 ? why_set(why, r, "the bundle's filter is damaged: %s", strerror(-r)) : 0;
}

struct head_reading {
    struct bundle *bundle;
    struct bundle_head *head;
    bool has_format;
};

static int read_lists(struct head_reading *r, struct view value) {
    struct bundle_head *h = r->head;
    struct view name;
    while (view_split(&value, ',', &name)) {
        if (h->list_count == BUNDLE_LISTS_MAX)
            return -EINVAL;
        h->lists[h->list_count++] = arena_dup(&r->bundle->arena, view_trim(name));
    }
    return arena_failed(&r->bundle->arena) ? -ENOMEM : 0;
}

static int on_head_item(void *user, const struct ini_item *item) {
    struct head_reading *r = user;
    struct bundle_head *h = r->head;
    struct view value = view_of(item->value);
    if (item->fault != INI_OK)
        return -EINVAL;
    if (!item->key)
        return 0;
    const char *kept = arena_strdup(&r->bundle->arena, item->value);
    if (!kept)
        return -ENOMEM;
    if (strcmp(item->section, "texts") == 0) {
        if (h->language_count == BUNDLE_LANGUAGES_MAX)
            return -EINVAL;
        h->languages[h->language_count] = arena_strdup(&r->bundle->arena, item->key);
        h->texts[h->language_count++] = kept;
        return 0;
    }
    uint64_t number = 0;
    if (strcmp(item->key, "format") == 0)
        r->has_format = view_eq_str(value, "2") || view_eq_str(value, "1");
    else if (strcmp(item->key, "name") == 0)
        h->name = kept;
    else if (strcmp(item->key, "list") == 0)
        return read_lists(r, value);
    else if (strcmp(item->key, "first") == 0)
        h->first = kept;
    else if (strcmp(item->key, "template") == 0)
        h->template = kept;
    else if (strcmp(item->key, "uid") == 0)
        h->uid = kept;
    else if (strcmp(item->key, "occurrence") == 0)
        h->occurrence = kept;
    else if (strcmp(item->key, "created") == 0)
        return clock_parse_utc(value, &h->created_usec);
    else if (strcmp(item->key, "identity") == 0)
        return decode_hex(value, h->identity, sizeof h->identity);
    else if (strcmp(item->key, "sequence") == 0) {
        int error = number_parse_u64(value, UINT32_MAX, &number);
        h->sequence = (unsigned)number;
        return error;
    }
    return 0;
}

int bundle_head_read(struct bundle *b, struct bundle_head *ret, struct why *why) {
    struct bundle_head head = {.name = "", .first = "", .template = "", .uid = "", .occurrence = ""};
    struct head_reading r = {b, &head, false};
    int error = ini_read(bundle_get(b, "bundle.ini"), on_head_item, &r);
    if (error < 0 || !r.has_format || head.language_count == 0 || head.list_count == 0)
        return why_set(why, error == -ENOMEM ? error : -EINVAL,
                       "the bundle's bundle.ini is damaged or of another format");
    *ret = head;
    return 0;
}
