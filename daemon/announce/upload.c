#include "announce/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

static void print_file(const struct bundle_file *f, struct buf *to) {
    buf_printf(to, "%zu %zu\n%s", strlen(f->path), f->content.len, f->path);
    buf_add_view(to, f->content);
}

void upload_print(const struct source *source, struct buf *to) {
    buf_puts(to, "rundbrief-upload 1\n");
    for (size_t pass = 0; pass < 2; pass++) /* the first file first */
        for (size_t i = 0; i < source->files.count; i++)
            if ((strcmp(source->files.files[i].path, source->first) == 0) == (pass == 0))
                print_file(&source->files.files[i], to);
}

static int take_file(struct view *rest, struct bundle *files, char **ret_first) {
    struct view line, name_size, content_size;
    uint64_t name_len, content_len;
    size_t end = view_find(*rest, '\n');
    if (end == rest->len)
        return -EINVAL;
    line = view_slice(*rest, 0, end);
    *rest = view_slice(*rest, end + 1, rest->len);
    if (!view_split(&line, ' ', &name_size) || !view_split(&line, ' ', &content_size) || line.ptr ||
        number_parse_u64(name_size, 512, &name_len) < 0 ||
        number_parse_u64(content_size, BUNDLE_MAX_BYTES, &content_len) < 0 || name_len + content_len > rest->len)
        return -EINVAL;
    AUTOFREE char *name = view_dup(view_slice(*rest, 0, name_len));
    if (!name)
        return -ENOMEM;
    int r = strlen(name) == name_len ? bundle_add(files, name, view_slice(*rest, name_len, content_len)) : -EINVAL;
    *rest = view_slice(*rest, name_len + content_len, rest->len);
    if (r == 0 && !*ret_first)
        r = (*ret_first = strdup(name)) ? 0 : -ENOMEM;
    return r;
}

int upload_read(struct view body, struct source *ret, struct why *why) {
    struct bundle files;
    AUTOFREE char *first = NULL;
    static const char head[] = "rundbrief-upload 1\n";
    if (!view_starts(body, head))
        return why_set(why, -EINVAL, "this is not an upload of rundbrief");
    body = view_slice(body, sizeof head - 1, body.len);
    bundle_init(&files);
    int r = 0;
    while (r == 0 && body.len)
        r = take_file(&body, &files, &first);
    if (r < 0)
        (void)why_set(why, r, "the upload is damaged or too large: %s", strerror(-r));
    else if (!first)
        r = why_set(why, -EINVAL, "the upload holds no file");
    else
        r = source_from(&files, first, ret, why);
    bundle_done(&files);
    return r;
}
