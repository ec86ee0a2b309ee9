#include "announce/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "announce/draft.h"
#include "announce/mentions.h"
#include "base/files.h"
#include "base/text.h"

enum { NORMAL_MAX_BYTES = NAME_MAX * 3 + 1, NAMED_MAX = 2000 };

static const char *const text_endings[] = {".md.txt", ".md", ".txt", ".markdown"};
static const char *const ignored_endings[] = {"~", ".part", ".filepart", ".tmp", ".swp", ".crdownload", ".bak"};
static const char *const ignored_names[] = {"Thumbs.db", "desktop.ini", "ehthumbs.db"};

bool source_ignores(const char *written) {
    struct view name = view_trim(view_of(written)); /* as it will be kept */
    if (view_starts(name, ".") || view_starts(name, "~$"))
        return true;
    for (size_t i = 0; i < COUNT_OF(ignored_endings); i++)
        if (view_ends(name, ignored_endings[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(ignored_names); i++)
        if (view_eq_nocase(name, ignored_names[i]))
            return true;
    return false;
}

static bool ends_nocase(struct view name, const char *ending) {
    size_t len = strlen(ending);
    return name.len > len && view_eq_nocase(view_slice(name, name.len - len, len), ending);
}

/* The name without the ending of a text; ptr NULL where it is none. */
static struct view text_stem(const char *name) {
    struct view v = view_of(name);
    for (size_t i = 0; i < COUNT_OF(text_endings); i++)
        if (ends_nocase(v, text_endings[i]))
            return view_slice(v, 0, v.len - strlen(text_endings[i]));
    return (struct view){0};
}

static struct view first_stem(const char *name) {
    struct view v = view_of(name);
    return ends_nocase(v, ".ics") ? view_slice(v, 0, v.len - 4) : text_stem(name);
}

static const char *find_language(struct view code, const struct languages *languages) {
    for (size_t i = 0; i < languages->count; i++)
        if (view_eq_nocase(code, languages->codes[i]))
            return languages->codes[i];
    return "";
}

/* Names as they are compared and kept: NFC, without blanks at the ends. Where that cannot be said, no name is taken for
 * something else because of a shortage: why_is_trouble() tells that from a name that has no normal form. */
static int normal_name(const char *name, struct buf *to) {
    buf_clear(to);
    int r = text_nfc(view_trim(view_of(name)), to);
    return r < 0 ? r : buf_error(to);
}

static const char *translation_of(const char *name, struct view stem, const struct languages *languages) {
    struct view base = text_stem(name);
    if (!base.ptr || base.len < stem.len + 2 || !view_eq(view_slice(base, 0, stem.len), stem) ||
        base.ptr[stem.len] != '.')
        return "";
    return find_language(view_slice(base, stem.len + 1, base.len), languages);
}

int source_translation(const char *name, const char *stem, const struct languages *languages, const char **ret) {
    AUTOBUF struct buf normal = BUF_INIT(NORMAL_MAX_BYTES), normal_stem = BUF_INIT(NORMAL_MAX_BYTES);
    int r = normal_name(name, &normal);
    if (r == 0)
        r = normal_name(stem, &normal_stem);
    if (why_is_trouble(r))
        return r;
    *ret = r < 0 ? "" : translation_of(buf_str(&normal), buf_view(&normal_stem), languages);
    return 0;
}

int source_is_first(const char *name, char *const *names, size_t count, const struct languages *languages) {
    AUTOBUF struct buf normal = BUF_INIT(NORMAL_MAX_BYTES), other = BUF_INIT(NORMAL_MAX_BYTES);
    int r = normal_name(name, &normal);
    if (r < 0)
        return why_is_trouble(r) ? r : first_stem(name).ptr != NULL; /* an error, when it is read */
    struct view stem = first_stem(buf_str(&normal));
    if (!stem.ptr || stem.len == 0)
        return 0;
    for (size_t i = 0; i < count; i++) {
        if (source_ignores(names[i]))
            continue;
        r = normal_name(names[i], &other);
        if (why_is_trouble(r))
            return r;
        struct view other_stem = r < 0 ? (struct view){0} : first_stem(buf_str(&other));
        if (other_stem.ptr && other_stem.len < stem.len && translation_of(buf_str(&normal), other_stem, languages)[0])
            return 0;
    }
    return 1;
}

/* key: of [problem], for coordinators; the rest says the same to admins. */
static int refuse_source(const char *name, int error, const char *key, const char *what, const char *todo,
                         struct why *why) {
    (void)why_set(why, error, "%s", what);
    why_where(why, "%s", name);
    why_todo(why, "%s", todo);
    why->key = key;
    return error;
}

static int refuse_file(const char *name, int error, struct why *why) {
    if (error == -ELOOP || error == -EINVAL)
        return refuse_source(name, error, "not-plain-file", "this is not a plain file",
                             "Put the file itself there, no link", why);
    if (error == -EILSEQ)
        return refuse_source(name, error, "name-not-utf8", "the name of this file is not in UTF-8", "Rename it", why);
    if (error == -EEXIST)
        return refuse_source(name, error, "name-twice", "another file has the same name", "Rename one of the two", why);
    if (error == -E2BIG || error == -EMSGSIZE)
        return refuse_source(name, error, "files-too-big", "the files are too large together, or too many",
                             "Put a link to large files into the text instead", why);
    (void)why_set(why, error, "cannot take this file: %s", strerror(-error));
    why_where(why, "%s", name);
    return error;
}

static int add_file(struct source *s, int dirfd, const char *name, struct why *why) {
    AUTOBUF struct buf content = BUF_INIT(BUNDLE_MAX_BYTES), normal = BUF_INIT(NORMAL_MAX_BYTES);
    int r = normal_name(name, &normal);
    if (r == 0)
        r = files_read_regular(dirfd, name, &content);
    if (r == 0)
        r = bundle_add(&s->files, buf_str(&normal), buf_view(&content));
    if (r < 0)
        return refuse_file(name, r, why);
    s->names[s->name_count] = arena_strdup(&s->files.arena, name); /* bundle_add() took no more than fit */
    return s->names[s->name_count++] ? 0 : -ENOMEM;
}

/* What the texts taken so far name. */
struct named {
    struct arena arena;
    const char *by; /* the text that is read */
    struct {
        const char *name, *by;
    } items[NAMED_MAX];
    size_t count;
};

static int on_mention(void *user, const struct mention *m) {
    struct named *n = user;
    if (n->count == NAMED_MAX)
        return 0;
    const char *name = arena_dup(&n->arena, m->name);
    if (!name)
        return -ENOMEM;
    n->items[n->count].name = name;
    n->items[n->count++].by = n->by;
    return 0;
}

/* A text that cannot be read names nothing: what is wrong with it is said later. */
static int collect_named_by(const struct bundle_file *f, struct named *n) {
    AUTOBUF struct buf text = BUF_INIT(4 * DRAFT_FILE_MAX_BYTES), normal = BUF_INIT(4 * DRAFT_FILE_MAX_BYTES);
    const char *charset;
    int r = text_read(f->content, &text, &charset);
    if (r == 0)
        r = text_nfc(buf_view(&text), &normal);
    if (r < 0)
        return why_is_trouble(r) ? r : 0;
    n->by = f->path;
    return mentions_each(buf_view(&normal), on_mention, n);
}

static int collect_named(const struct source *s, struct named *n) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->files.count; i++)
        if (text_stem(s->files.files[i].path).ptr && s->files.files[i].content.len <= DRAFT_FILE_MAX_BYTES)
            r = collect_named_by(&s->files.files[i], n);
    return r;
}

/* True where a text names the file; not counting what it says of itself. */
static bool is_named(const struct named *n, const char *name) {
    for (size_t i = 0; i < n->count; i++)
        if (strcmp(n->items[i].name, name) == 0 && strcmp(n->items[i].by, name) != 0)
            return true;
    return false;
}

static int set_first(struct source *s, const char *name, struct why *why) {
    AUTOBUF struct buf normal = BUF_INIT(NORMAL_MAX_BYTES);
    int r = normal_name(name, &normal);
    if (why_is_trouble(r))
        return refuse_file(name, r, why);
    if (r < 0 || !first_stem(buf_str(&normal)).ptr)
        return refuse_source(name, -EINVAL, "not-announcement",
                             "this is neither a text (.md) nor a calendar event (.ics)",
                             "`rundbrief new` writes a text to begin with", why);
    s->first = arena_strdup(&s->files.arena, buf_str(&normal));
    s->stem = s->first ? arena_dup(&s->files.arena, view_trim(first_stem(s->first))) : NULL;
    return s->stem ? 0 : -ENOMEM;
}

/* 1, 0, or of which trouble nobody knows. */
static int is_plain_file(int dirfd, const char *name) {
    struct stat st;
    if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return why_is_trouble(-errno) ? -errno : 0;
    return !S_ISDIR(st.st_mode);
}

static int add_translations(struct source *s, int dirfd, char *const *names, size_t count,
                            const struct languages *languages, struct why *why) {
    int r = 0;
    for (size_t i = 0; r == 0 && i < count; i++) {
        const char *language = "";
        if (!source_ignores(names[i]))
            r = source_translation(names[i], s->stem, languages, &language);
        if (r == 0 && language[0])
            r = add_file(s, dirfd, names[i], why);
    }
    return r;
}

static int add_named(struct source *s, int dirfd, char *const *names, size_t count, struct why *why) {
    struct named *named = calloc(1, sizeof *named);
    int r = named ? collect_named(s, named) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < count && named->count; i++) {
        AUTOBUF struct buf normal = BUF_INIT(NORMAL_MAX_BYTES);
        int taken = source_ignores(names[i]) ? -EINVAL : normal_name(names[i], &normal);
        if (taken == 0 && is_named(named, buf_str(&normal)) && !bundle_get(&s->files, buf_str(&normal)).ptr)
            taken = is_plain_file(dirfd, names[i]);
        if (taken > 0)
            r = add_file(s, dirfd, names[i], why);
        else if (why_is_trouble(taken))
            r = refuse_file(names[i], taken, why);
    }
    if (named)
        arena_done(&named->arena);
    free(named);
    return r;
}

static int read_beside(struct source *s, int dirfd, const char *name, const struct languages *languages,
                       struct why *why) {
    int r = add_file(s, dirfd, name, why);
    if (r == 0)
        r = set_first(s, name, why);
    if (r < 0)
        return r;
    char **names = NULL;
    size_t count = 0;
    r = files_list(dirfd, ".", SOURCE_NEIGHBOURS_MAX, &names, &count);
    if (r < 0)
        return why_set(why, r, "cannot read the folder: %s", strerror(-r));
    r = add_translations(s, dirfd, names, count, languages, why);
    if (r == 0)
        r = add_named(s, dirfd, names, count, why);
    files_free_names(names, count);
    return r;
}

/* The first files among those taken, without those that another text names as its attachment. */
static int find_first(const struct source *s, char *const *names, size_t count, const struct languages *languages,
                      const char **ret_first, size_t *ret_count) {
    struct named *named = calloc(1, sizeof *named);
    int r = named ? collect_named(s, named) : -ENOMEM;
    for (size_t i = 0; r == 0 && i < count; i++) {
        AUTOBUF struct buf normal = BUF_INIT(NORMAL_MAX_BYTES);
        int is_first = source_ignores(names[i]) ? 0 : source_is_first(names[i], names, count, languages);
        if (is_first > 0)
            r = normal_name(names[i], &normal); /* as it could be taken, it has a normal form */
        if (is_first < 0)
            r = is_first;
        if (r < 0 || is_first == 0 || is_named(named, buf_str(&normal)))
            continue;
        *ret_first = names[i];
        ++*ret_count;
    }
    if (named)
        arena_done(&named->arena);
    free(named);
    return r;
}

static int read_folder(struct source *s, int dirfd, const char *path, const struct languages *languages,
                       struct why *why) {
    char **names;
    size_t count, firsts = 0;
    const char *first = NULL;
    int r = files_list(dirfd, ".", SOURCE_NEIGHBOURS_MAX, &names, &count);
    if (r < 0) {
        (void)why_set(why, r, "cannot read the folder: %s", strerror(-r));
        why_where(why, "%s", path);
        return r;
    }
    for (size_t i = 0; r == 0 && i < count; i++)
        if (!source_ignores(names[i]))
            r = add_file(s, dirfd, names[i], why);
    if (r == 0)
        r = find_first(s, names, count, languages, &first, &firsts);
    if (r == 0 && firsts == 1) {
        r = set_first(s, first, why);
    } else if (r == 0) {
        static const char todo[] = "Put one text, its translations and its attachments into one folder";
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        r = firsts ? refuse_source(name, -EINVAL, "folder-several", "the folder holds more than one announcement", todo,
                                   why)
                   : refuse_source(name, -EINVAL, "folder-empty", "the folder holds no announcement (.md or .ics)",
                                   todo, why);
    }
    files_free_names(names, count);
    return r;
}

int source_read(int dirfd, const char *path, const struct languages *languages, struct source *ret, struct why *why) {
    struct source s = {0};
    AUTOFREE char *copy = strdup(path);
    bundle_init(&s.files);
    *why = (struct why){0};
    s.names = arena_alloc(&s.files.arena, BUNDLE_FILES_MAX * sizeof *s.names);
    if (!s.names || !copy) {
        source_done(&s);
        return why_set(why, -ENOMEM, "out of memory");
    }
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    AUTOCLOSE int folder = openat(dirfd, copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int r;
    if (folder >= 0)
        r = read_folder(&s, folder, copy, languages, why);
    else {
        char *slash = strrchr(copy, '/');
        const char *name = slash ? slash + 1 : copy;
        AUTOCLOSE int parent = -1;
        if (slash == copy)
            parent = files_open_dir(AT_FDCWD, "/");
        else if (slash) {
            *slash = '\0';
            parent = files_open_dir(dirfd, copy);
        } else
            parent = files_open_dir(dirfd, ".");
        if (parent < 0) {
            r = why_set(why, parent, "cannot open the folder: %s", strerror(-parent));
            why_where(why, "%s", path);
        } else
            r = read_beside(&s, parent, name, languages, why);
    }
    if (r < 0) {
        source_done(&s);
        return why->what[0] ? r : why_set(why, r, "cannot read the announcement: %s", strerror(-r));
    }
    *ret = s;
    return 0;
}

static int add_uploaded(struct source *s, const struct bundle_file *f, struct why *why) {
    AUTOBUF struct buf normal = BUF_INIT(NORMAL_MAX_BYTES);
    int r = strchr(f->path, '/') || source_ignores(f->path) ? -EINVAL : normal_name(f->path, &normal);
    if (r < 0 && !why_is_trouble(r))
        return why_set(why, -EINVAL, "not a name of an announcement's file");
    if (r == 0)
        r = bundle_add(&s->files, buf_str(&normal), f->content);
    return r < 0 ? refuse_file(f->path, r, why) : 0;
}

int source_from(const struct bundle *files, const char *first, struct source *ret, struct why *why) {
    struct source s = {0};
    bundle_init(&s.files);
    int r = 0;
    for (size_t i = 0; r == 0 && i < files->count; i++)
        r = add_uploaded(&s, &files->files[i], why);
    if (r == 0)
        r = bundle_get(files, first).ptr ? set_first(&s, first, why)
                                         : why_set(why, -ENOENT, "the first file is missing");
    if (r < 0) {
        source_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

void source_done(struct source *s) {
    bundle_done(&s->files);
    *s = (struct source){0};
}
