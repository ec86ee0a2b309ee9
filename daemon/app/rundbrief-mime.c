/* rundbrief-mime: takes one mail apart. Reads it on standard input, prints its record (mail/record.h) on standard
 * output, and ends. Started by inbound/reader.c, never by people; what it reads is hostile, so it goes behind a sandbox
 * before it looks at it.
 *
 * Exit status: 0 with a whole record; 71 without a sandbox, with nothing read; anything else is the mail's doing. */
#include <sysexits.h>
#include <unistd.h>

#include "base/files.h"
#include "inbound/mime.h"
#include "inbound/reader.h"
#include "inbound/sandbox.h"

#include "base/banned.h"

int main(void) {
    files_guard_standard();
    AUTOBUF struct buf mail = BUF_INIT(READER_MAIL_MAX_BYTES), record = BUF_INIT(2 * RECORD_MAX_BYTES);
    struct mime_converters converters = {0};
    uint64_t bytes;
    if (reader_gather(STDIN_FILENO, &mail, &bytes) < 0)
        return EX_IOERR;
    mime_begin(buf_view(&mail), &converters);
    if (sandbox_enter() < 0)
        return EX_OSERR;
    mime_print_record(buf_view(&mail), &record);
    int r = buf_error(&record);
    if (r == 0)
        r = files_write_all(STDOUT_FILENO, record.data, record.len);
    _exit(r == 0 ? EX_OK : EX_SOFTWARE); /* nothing of libraries runs any more */
}
