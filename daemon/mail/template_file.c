#include "mail/template_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/files.h"

static bool is_plain(const char *s) {
    return s[0] && s[0] != '.' &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")] == '\0';
}

int template_file_read(const char *local_dir, const char *shipped_dir, const char *language, const char *name,
                       struct buf *to) {
    if (!is_plain(language) || !is_plain(name))
        return -EINVAL;
    const char *folders[] = {language, "common"}, *roots[] = {local_dir, shipped_dir};
    for (size_t f = 0; f < COUNT_OF(folders); f++)
        for (size_t i = 0; i < COUNT_OF(roots); i++) {
            char path[PATH_MAX];
            if (roots[i][0] == '\0')
                continue;
            if (snprintf(path, sizeof path, "%s/%s/%s", roots[i], folders[f], name) >= (int)sizeof path)
                return -ENAMETOOLONG;
            size_t before = to->len;
            int r = files_read(AT_FDCWD, path, to);
            if (r != -ENOENT && r != -ENOTDIR)
                return r == 0 && to->len - before > TEMPLATE_FILE_MAX_BYTES ? -EMSGSIZE : r;
        }
    return -ENOENT;
}
