/* Whatever comes over a connection: each answer is a line that a client may get, what is said to be taken was taken whole, for a
 * recipient that is ours, and nothing else was. The door behind it is this file's: to some it cannot take anything. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "base/log.h"
#include "door/lmtp.h"
#include "door/mail.h"
#include "inbound/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct mail_door {
    size_t taken, failed;
};

bool mail_door_is_ours(const struct mail_door *d, struct view address) {
    (void)d;
    return view_starts(address, "back");
}

int mail_door_take(struct mail_door *d, struct view mail, const struct view *recipients, size_t count, struct why *why,
                   struct mail_taken *ret) {
    assert(count > 0 && count <= LMTP_RECIPIENTS_MAX && mail.len <= READER_MAIL_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        assert(mail_door_is_ours(d, recipients[i]));
    *ret = (struct mail_taken){"ignored", "noreport"};
    if (recipients[0].len % 7 == 6) {
        d->failed += count;
        return why_set(why, -EIO, "full");
    }
    d->taken += count;
    return 0;
}

static size_t count_of(struct view answers, const char *line) {
    struct view rest = answers, one;
    size_t count = 0;
    while (view_line(&rest, &one))
        count += view_starts(one, line);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static int in = -1, out = -1;
    struct mail_door door = {0};
    if (in < 0) {
        log_set_level(0); /* what is taken and what not is said to the client, too */
        in = memfd_create("in", 0);
        out = memfd_create("out", 0);
        assert(in >= 0 && out >= 0);
    }
    assert(ftruncate(in, 0) == 0 && ftruncate(out, 0) == 0);
    assert(lseek(in, 0, SEEK_SET) == 0 && lseek(out, 0, SEEK_SET) == 0);
    assert(files_write_all(in, data, size) == 0 && lseek(in, 0, SEEK_SET) == 0);
    int r = lmtp_serve(&door, in, out);
    assert(r == 0 || r == -ECONNRESET);
    off_t len = lseek(out, 0, SEEK_END);
    char *text = len > 0 ? mmap(NULL, (size_t)len, PROT_READ, MAP_PRIVATE, out, 0) : NULL;
    assert(text && text != MAP_FAILED);
    struct view all = view_make(text, (size_t)len), rest = all, line;
    assert(view_starts(all, "220 ") && view_ends(all, "\r\n"));
    while (view_line(&rest, &line))
        assert(line.len >= 4 && strchr("2345", line.ptr[0]) && strchr(" -", line.ptr[3]));
    assert(count_of(all, "250 2.0.0 Taken") == door.taken);
    assert(count_of(all, "451 4.3.0 Cannot be taken") == door.failed);
    assert(munmap(text, (size_t)len) == 0);
    return 0;
}
