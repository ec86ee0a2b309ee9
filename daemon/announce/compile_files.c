/* The files of a compiled announcement: pictures that its text shows, and attachments. */
#include "announce/compiled.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "announce/mentions.h"
#include "base/text.h"
#include "mail/link.h"

struct view compiled_file(const struct compiling *g, const char *name) {
    AUTOBUF struct buf path = BUF_INIT(4096);
    buf_puts(&path, "files/");
    /* Bundles keep names in NFC; another one is not there. */
    if (text_nfc(view_of(name), &path) == -ENOMEM || buf_error(&path) == -ENOMEM)
        arena_fail(g->arena);
    return bundle_get(g->c->bundle, buf_str(&path));
}

const char *compile_picture_type(struct view bytes) {
    static const struct {
        const char *magic;
        size_t len;
        const char *type;
    } magics[] = {{"\x89PNG\r\n\x1a\n", 8, "image/png"}, {"\xFF\xD8\xFF", 3, "image/jpeg"}, {"GIF8", 4, "image/gif"}};
    for (size_t i = 0; i < COUNT_OF(magics); i++)
        if (bytes.len >= magics[i].len && memcmp(bytes.ptr, magics[i].magic, magics[i].len) == 0)
            return magics[i].type;
    return NULL;
}

static unsigned byte_at(struct view v, size_t at) {
    return at < v.len ? (unsigned char)v.ptr[at] : 0;
}

/* The frame header of a JPEG (ITU-T T.81 B.1.1.3): the first SOF segment. */
static unsigned jpeg_width(struct view v) {
    for (size_t at = 2; at + 9 < v.len && byte_at(v, at) == 0xFF;) {
        unsigned marker = byte_at(v, at + 1), len = byte_at(v, at + 2) << 8 | byte_at(v, at + 3);
        bool is_frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
        if (is_frame)
            return byte_at(v, at + 7) << 8 | byte_at(v, at + 8);
        if (marker == 0xFF)
            at++;
        else if (len < 2)
            return 0;
        else
            at += 2 + len;
    }
    return 0;
}

unsigned compiled_image_width(void *user, const char *name) {
    const struct compiling *g = user;
    struct view v = compiled_file(g, name);
    const char *type = compile_picture_type(v);
    unsigned width = 0;
    if (type && strcmp(type, "image/png") == 0)
        width = byte_at(v, 16) || byte_at(v, 17) ? COMPILED_IMAGE_WIDTH : byte_at(v, 18) << 8 | byte_at(v, 19);
    else if (type && strcmp(type, "image/gif") == 0)
        width = byte_at(v, 6) | byte_at(v, 7) << 8;
    else if (type)
        width = jpeg_width(v);
    return width < COMPILED_IMAGE_WIDTH ? width : COMPILED_IMAGE_WIDTH;
}

/* Checking */

struct checking_files {
    const struct compiling *g;
    const struct draft *draft;
    const char *sought; /* an image whose line is sought */
    unsigned line;
};

static int on_sought(void *user, const struct mention *m) {
    struct checking_files *k = user;
    AUTOBUF struct buf name = BUF_INIT(4096);
    (void)text_nfc(m->name, &name); /* the draft is UTF-8 */
    if (strcmp(buf_str(&name), k->sought) != 0)
        return 0;
    k->line = m->line;
    return 1;
}

/* The line of the body that names the image; 0 where it is not to be found. */
static unsigned line_of(struct checking_files *k, const char *image) {
    AUTOBUF struct buf name = BUF_INIT(4096);
    (void)text_nfc(view_of(image), &name); /* the draft is UTF-8 */
    k->sought = buf_str(&name);
    k->line = 0;
    (void)mentions_in_body(k->draft->body, k->draft->body_line, on_sought, k); /* only whether it is found */
    return k->line;
}

static bool is_shown(const struct compiling *g, struct view name) {
    for (size_t i = 0; i < g->body.image_count; i++)
        if (view_eq_str(name, g->body.images[i].file))
            return true;
    return false;
}

static bool is_field(struct view name) {
    return view_search(name, VIEW("{{")) < name.len;
}

/* What Markdown shows as mere text is told. */
static int on_mention(void *user, const struct mention *m) {
    const struct checking_files *k = user;
    AUTOBUF struct buf name = BUF_INIT(4096);
    buf_add_view(&name, m->name);
    if (is_field(m->name) || is_shown(k->g, m->name))
        return 0;
    if (m->kind == MENTION_IMAGE)
        problem_add(k->g->options->problems, true, k->draft->file, m->line, "image-elsewhere", buf_str(&name), NULL,
                    NULL);
    else if (m->kind == MENTION_LINK && !link_is_allowed(m->written))
        problem_add(k->g->options->problems, true, k->draft->file, m->line, "link-dropped", buf_str(&name), NULL, NULL);
    return 0;
}

static const char *nearest_file(const struct compiling *g, const char *name) {
    const char *names[BUNDLE_FILES_MAX];
    size_t count = 0;
    for (size_t i = 0; i < g->c->bundle->count; i++)
        if (view_starts(view_of(g->c->bundle->files[i].path), "files/"))
            names[count++] = g->c->bundle->files[i].path + sizeof "files/" - 1;
    return text_nearest(view_of(name), names, count);
}

static void check_images(struct checking_files *k, uint64_t *total) {
    const struct compiling *g = k->g;
    for (size_t i = 0; i < g->body.image_count; i++) {
        const char *name = g->body.images[i].file;
        struct view bytes = compiled_file(g, name);
        *total += bytes.len;
        if (!bytes.ptr)
            problem_add(g->options->problems, false, k->draft->file, line_of(k, name), "image-missing", name, NULL,
                        nearest_file(g, name));
        else if (!compile_picture_type(bytes))
            problem_add(g->options->problems, false, k->draft->file, line_of(k, name), "image-type", name, NULL, NULL);
    }
}

static void check_attachments(const struct checking_files *k, uint64_t *total) {
    struct view rest = view_of(draft_text(k->draft, DRAFT_ATTACH)), item;
    size_t count = 0;
    while (view_split(&rest, ',', &item)) {
        AUTOFREE char *name = view_dup(view_trim(item));
        if (!name || !name[0])
            continue;
        count++;
        *total += compiled_file(k->g, name).len;
    }
    if (count > COMPILE_ATTACHMENTS_MAX) {
        char is[32], may[32];
        (void)snprintf(is, sizeof is, "%zu", count);
        (void)snprintf(may, sizeof may, "%d", COMPILE_ATTACHMENTS_MAX);
        draft_problem(k->draft, DRAFT_ATTACH, k->g->options->problems, "too-many-attachments", is, may, NULL);
    }
}

int compile_check_files(const struct compiling *g) {
    struct problems *problems = g->options->problems;
    struct checking_files k = {.g = g, .draft = compiled_draft(g->c)};
    uint64_t total = 0, limit = g->options->attachment_limit_bytes;
    if (!problems)
        return 0;
    size_t errors = problems->errors;
    check_images(&k, &total);
    check_attachments(&k, &total);
    (void)mentions_in_body(k.draft->body, k.draft->body_line, on_mention, &k); /* never fails but for memory */
    if (limit && total > limit) {
        char is[32], may[32];
        (void)snprintf(is, sizeof is, "%.1f", (double)total / (1 << 20));
        (void)snprintf(may, sizeof may, "%.1f", (double)limit / (1 << 20));
        draft_problem(k.draft, DRAFT_ATTACH, problems, "attachments-too-big", is, may, NULL);
    }
    if (arena_failed(g->arena))
        return -ENOMEM;
    return problems->errors > errors ? why_set(g->why, -EINVAL, "files of the announcement are missing or unfit") : 0;
}
