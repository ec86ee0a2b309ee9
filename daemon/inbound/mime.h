/* A mail from outside taken apart with GMime (RFC 5322, 2045-2049, 6532), as a record (mail/record.h).
 *
 * GMime and GLib end the process when memory runs out, and hostile mail is their input: this runs only in
 * rundbrief-mime, behind inbound/sandbox.h. Whoever wants a mail read asks inbound/reader.h.
 *
 * LIMITS  MIME_PARTS_LOOKED_AT parts; levels, fields and texts as in mail/record.h. Of the header fields those that tell
 *         where a mail comes from and what it is for are kept. */
#pragma once
#include "base/buf.h"
#include "base/view.h"

enum { MIME_PARTS_LOOKED_AT = 1000, MIME_DEPTH_MAX = 30 };

/* Converters of charsets are files. They stay open to the program's end, so that they stay loaded. */
struct mime_converters {
    void *open[64];
};

/* Before sandbox_enter(), once: starts GMime, loads the converters of charsets, and takes a mail of its own apart, so that
 * what libraries put off until then is done. Where a converter is missing, bytes are taken for what they look like. */
void mime_begin(struct mime_converters *ret);
/* Appends the whole record. */
void mime_print_record(struct view message, struct buf *to);
