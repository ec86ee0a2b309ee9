#include "announce/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/text.h"

enum { NEIGHBOURS_MAX = 1000 };

static const char *const text_endings[] = {".md.txt", ".md", ".txt", ".markdown"};
static const char *const ignored_endings[] = {"~", ".part", ".filepart", ".tmp", ".swp", ".crdownload", ".bak"};
static const char *const ignored_names[] = {"Thumbs.db", "desktop.ini", "ehthumbs.db"};

bool source_ignores(const char *name) {
    if (name[0] == '.' || (name[0] == '~' && name[1] == '$'))
        return true;
    for (size_t i = 0; i < COUNT_OF(ignored_endings); i++)
        if (view_ends(view_of(name), ignored_endings[i]))
            return true;
    for (size_t i = 0; i < COUNT_OF(ignored_names); i++)
        if (view_eq_nocase(view_of(name), ignored_names[i]))
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

const char *source_translation(const char *name, const char *stem, const struct languages *languages) {
    struct view base = text_stem(name), own = view_of(stem);
    if (!base.ptr || base.len < own.len + 2 || !view_eq(view_slice(base, 0, own.len), own) || base.ptr[own.len] != '.')
        return "";
    return find_language(view_slice(base, own.len + 1, base.len), languages);
}

bool source_is_first(const char *name, char *const *names, size_t count, const struct languages *languages) {
    struct view stem = first_stem(name);
    if (!stem.ptr || stem.len == 0)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct view other = first_stem(names[i]);
        if (!other.ptr || other.len >= stem.len)
            continue;
        AUTOFREE char *other_stem = view_dup(other);
        if (other_stem && source_translation(name, other_stem, languages)[0])
            return false;
    }
    return true;
}

static int add_file(struct source *s, int dirfd, const char *name, struct why *why) {
    AUTOBUF struct buf content = BUF_INIT(BUNDLE_MAX_BYTES), nfc = BUF_INIT(NAME_MAX * 3);
    int r = text_nfc(view_of(name), &nfc);
    if (r == 0)
        r = files_read_regular(dirfd, name, &content);
    if (r == 0)
        r = bundle_add(&s->files, buf_str(&nfc), buf_view(&content));
    if (r < 0) {
        (void)why_set(why, r, r == -ELOOP || r == -EINVAL ? "this is not a plain file" : "cannot take this file: %s",
                      strerror(-r));
        why_where(why, "%s", name);
        if (r == -E2BIG || r == -EMSGSIZE)
            why_todo(why, "Put a link to large files into the text instead");
        return r;
    }
    if (s->name_count < BUNDLE_FILES_MAX)
        s->names[s->name_count++] = arena_strdup(&s->files.arena, name);
    return 0;
}

static bool is_named_in(const struct source *s, const char *name) {
    AUTOBUF struct buf nfc = BUF_INIT(NAME_MAX * 3);
    if (text_nfc(view_of(name), &nfc) < 0)
        return false;
    for (size_t i = 0; i < s->files.count; i++) {
        if (!text_stem(s->files.files[i].path).ptr)
            continue;
        AUTOBUF struct buf text = BUF_INIT(4 << 20), folded = BUF_INIT(4 << 20);
        const char *charset;
        struct view content = s->files.files[i].content;
        if (content.len > 256 * 1024 || text_read(content, &text, &charset) < 0 ||
            text_nfc(buf_view(&text), &folded) < 0)
            continue;
        if (view_search(buf_view(&folded), buf_view(&nfc)) < folded.len)
            return true;
    }
    return false;
}

static int set_first(struct source *s, const char *name, struct why *why) {
    AUTOBUF struct buf nfc = BUF_INIT(NAME_MAX * 3);
    if (text_nfc(view_of(name), &nfc) < 0 || !first_stem(buf_str(&nfc)).ptr) {
        (void)why_set(why, -EINVAL, "this is neither a text (.md) nor a calendar event (.ics)");
        why_where(why, "%s", name);
        why_todo(why, "`rundbrief new` writes a text to begin with");
        return -EINVAL;
    }
    s->first = arena_strdup(&s->files.arena, buf_str(&nfc));
    s->stem = s->first ? arena_dup(&s->files.arena, first_stem(s->first)) : NULL;
    return s->stem ? 0 : -ENOMEM;
}

static int read_beside(struct source *s, int dirfd, const char *name, const struct languages *languages,
                       struct why *why) {
    int r = add_file(s, dirfd, name, why);
    if (r == 0)
        r = set_first(s, name, why);
    char **names = NULL;
    size_t count = 0;
    if (r == 0)
        r = files_list(dirfd, ".", 100000, &names, &count);
    size_t looked = 0;
    for (size_t i = 0; r == 0 && i < count; i++)
        if (strcmp(names[i], name) != 0 && !source_ignores(names[i]) &&
            source_translation(names[i], s->stem, languages)[0])
            r = add_file(s, dirfd, names[i], why);
    for (size_t i = 0; r == 0 && i < count && looked < NEIGHBOURS_MAX; i++) {
        struct stat st;
        if (source_ignores(names[i]) || first_stem(names[i]).ptr ||
            fstatat(dirfd, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
            continue;
        looked++;
        if (is_named_in(s, names[i]))
            r = add_file(s, dirfd, names[i], why);
    }
    files_free_names(names, count);
    return r;
}

static int read_folder(struct source *s, int dirfd, const char *path, const struct languages *languages,
                       struct why *why) {
    char **names;
    size_t count, firsts = 0;
    int r = files_list(dirfd, ".", BUNDLE_FILES_MAX, &names, &count);
    if (r < 0)
        return why_set(why, r, "cannot read the folder: %s", strerror(-r));
    for (size_t i = 0; r == 0 && i < count; i++) {
        if (source_ignores(names[i]))
            continue;
        if (source_is_first(names[i], names, count, languages)) {
            r = firsts++ ? 0 : set_first(s, names[i], why);
        }
        if (r == 0)
            r = add_file(s, dirfd, names[i], why);
    }
    files_free_names(names, count);
    if (r == 0 && firsts != 1) {
        r = why_set(why, -EINVAL,
                    firsts ? "the folder holds more than one announcement"
                           : "the folder holds no announcement (.md or .ics)");
        why_where(why, "%s", path);
        why_todo(why, "Put one text, its translations and its attachments into one folder");
    }
    return r;
}

int source_read(int dirfd, const char *path, const struct languages *languages, struct source *ret, struct why *why) {
    struct source s = {0};
    bundle_init(&s.files);
    s.names = arena_alloc(&s.files.arena, BUNDLE_FILES_MAX * sizeof *s.names);
    if (!s.names)
        return -ENOMEM;
    AUTOFREE char *copy = strdup(path);
    if (!copy)
        return -ENOMEM;
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
        return r;
    }
    *ret = s;
    return 0;
}

int source_from(const struct bundle *files, const char *first, struct source *ret, struct why *why) {
    struct source s = {0};
    bundle_init(&s.files);
    s.names = arena_alloc(&s.files.arena, BUNDLE_FILES_MAX * sizeof *s.names);
    int r = s.names ? 0 : -ENOMEM;
    for (size_t i = 0; r == 0 && i < files->count; i++) {
        if (strchr(files->files[i].path, '/') || source_ignores(files->files[i].path))
            r = why_set(why, -EINVAL, "not a name of an announcement's file");
        else
            r = bundle_add(&s.files, files->files[i].path, files->files[i].content);
    }
    if (r == 0)
        r = bundle_get(&s.files, first).ptr ? set_first(&s, first, why)
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
