#include "spool/several.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "base/files.h"
#include "base/number.h"
#include "spool/spool.h"

#include "base/banned.h"

static const char head[] = "rundbrief-several 1";
enum { FILE_MAX_BYTES = 1024 };

int several_publish(struct spool *spool, int64_t announcement, const uint32_t *lists, size_t count) {
    char name[64];
    AUTOBUF struct buf text = BUF_INIT(FILE_MAX_BYTES);
    (void)snprintf(name, sizeof name, "several/%lld", (long long)announcement); /* always fits */
    buf_printf(&text, "%s\n", head);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%u\n", (unsigned)lists[i]);
    return count > SEVERAL_MAX ? -E2BIG
           : buf_error(&text)  ? buf_error(&text)
                               : spool_publish(spool, name, buf_view(&text));
}

size_t several_read(const char *folder, int64_t announcement, uint32_t ret[SEVERAL_MAX]) {
    char path[PATH_MAX];
    AUTOBUF struct buf text = BUF_INIT(FILE_MAX_BYTES);
    if (announcement <= 0 ||
        snprintf(path, sizeof path, "%s/%lld", folder, (long long)announcement) >= (int)sizeof path ||
        files_read_regular(AT_FDCWD, path, &text) < 0)
        return 0;
    struct view rest = buf_view(&text), line;
    size_t count = 0;
    if (!view_line(&rest, &line) || !view_eq_str(line, head))
        return 0;
    for (uint64_t id; view_line(&rest, &line); ret[count++] = (uint32_t)id)
        if (count == SEVERAL_MAX || number_parse_u64(line, UINT32_MAX, &id) < 0)
            return 0;
    return count;
}
