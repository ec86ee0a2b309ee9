#include "door/archived.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/files.h"
#include "mail/words.h"

#include "door/accept.h"

#include "base/banned.h"

enum { FILES_MAX = 256 };

int archived_open(const char *archive, int64_t announcement, struct view language, bool calendar) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s/%lld/%.*s.%s", archive, (long long)announcement, (int)language.len,
                 language.ptr, calendar ? "ics" : "html") >= (int)sizeof path)
        return -ENOENT;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int archived_language(const char *archive, int64_t announcement, const char *accept, char ret[ARCHIVED_LANGUAGE_SIZE]) {
    char path[PATH_MAX];
    char **names;
    size_t count, codes = 0;
    if (snprintf(path, sizeof path, "%s/%lld", archive, (long long)announcement) >= (int)sizeof path)
        return -ENOENT;
    int r = files_list(AT_FDCWD, path, FILES_MAX, &names, &count);
    if (r < 0)
        return r;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(names[i]);
        if (len <= 5 || strcmp(names[i] + len - 5, ".html") != 0)
            continue;
        names[i][len - 5] = '\0';
        if (words_is_code(view_of(names[i]))) {
            char *code = names[i];
            names[i] = names[codes];
            names[codes++] = code;
        }
    }
    const char *const *list = (const char *const *)names;
    int best = accept_best(accept, list, codes);
    if (best < 0)
        best = accept_named(VIEW("en"), list, codes);
    r = codes == 0 ? -ENOENT : 0;
    if (r == 0 && snprintf(ret, ARCHIVED_LANGUAGE_SIZE, "%s", names[best < 0 ? 0 : best]) >= ARCHIVED_LANGUAGE_SIZE)
        r = -ENOENT;
    files_free_names(names, count);
    return r;
}
