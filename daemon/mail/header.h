/* Values of header fields, made safe and folded (RFC 5322 §2.2.3, RFC 2047): no CR, LF or NUL passes; encoded words of
 * at most 75 characters that never split a character; lines of at most 76 where words are encoded.
 *
 * In text and names, control characters become blanks, runs of blanks one, and none stays at the ends; bidi controls go
 * (the marks of text_is_direction_mark() stay); invalid bytes become U+FFFD. What is longer than
 * HEADER_TEXT_MAX_BYTES is cut at a whole character. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

enum {
    HEADER_LINE_MAX = 76,         /* where it can be folded */
    HEADER_TEXT_MAX_BYTES = 2000, /* of text and display names, before encoding */
    HEADER_FILE_NAME_MAX_BYTES = 200,
    HEADER_ADDRESS_MAX_BYTES = 320,
};

/* Unstructured text; column is where the value begins on its first line. Control characters become blanks. */
void header_add_text(struct buf *to, struct view text, size_t column);
/* A phrase and an address: `Vera Müller <v@x>` with the phrase as atom, quoted string or encoded words; "" display
 * gives the bare address. An address that cannot stand there (empty, too long, with blanks, control characters, quotes,
 * brackets, commas) is -EINVAL in the buffer. A local part beyond ASCII stays as it is (RFC 6532). */
void header_add_mailbox(struct buf *to, struct view display, struct view address, size_t column);
/* A file name as a parameter, on a line of its own behind a ";": name="..." where it is ASCII, else name*=UTF-8''...
 * (RFC 2231), in sections where it is long. What stands before the last / or \ goes, and so do control and bidi
 * characters and dots at the ends; what Windows does not take in a name becomes _. Never empty: "file" at least.
 *
 * Strict readers take name= and name*= in one field for a duplicate. So Content-Disposition has the name as it is, and
 * Content-Type the fallback. */
void header_add_parameter(struct buf *to, const char *name, struct view value);
/* The same with _ for each run of characters beyond ASCII. */
void header_add_parameter_ascii(struct buf *to, const char *name, struct view value);

/* The name of a field: printable ASCII without the colon, at most 40 characters. */
bool header_is_name(const char *name);
