/* Unicode text: validity, normal forms, charsets, and what may be shown to a person.
 * Wraps libunistring and iconv. Text inside the program is UTF-8; input is checked here where it comes in. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

/* Valid UTF-8 (RFC 3629: no surrogates, no overlong forms) and free of NUL. */
bool text_is_utf8(struct view v);
bool text_is_ascii(struct view v);
/* ASCII without control characters: most text is, and then needs no other question. */
bool text_is_printable(struct view v);
/* Decodes the character at v[0]; its length in bytes in *ret_len. Invalid bytes give U+FFFD and length 1.
 * v must not be empty. */
uint32_t text_decode(struct view v, size_t *ret_len);
/* Appends the character in UTF-8. */
void text_encode(struct buf *to, uint32_t c);
/* C0, DEL, C1, and the characters that reorder or hide text on a screen (bidi controls U+202A-E, U+2066-9,
 * U+200E/F, U+061C; U+2028/9; U+FEFF; tags). Tab and LF count as control here too. */
bool text_is_control(uint32_t c);
/* Those of them that right-to-left texts need and that reorder nothing but their neighbours: U+200E, U+200F, U+061C. */
bool text_is_direction_mark(uint32_t c);
bool text_has_control(struct view v);

/* NFC of v appended to `to`. -EILSEQ on invalid UTF-8. */
int text_nfc(struct view v, struct buf *to);
/* Full case folding, then NFC: the form in which two spellings are compared. -EILSEQ on invalid UTF-8. */
int text_fold(struct view v, struct buf *to);

/* Converts from charset (an iconv name) to UTF-8, appended to `to`. -EINVAL unknown charset, -EILSEQ bad input; what the
 * machine lacks as it is. */
int text_convert(struct view v, const char *charset, struct buf *to);
/* Reads the text of a file that people made: strips a BOM; UTF-16 by its BOM; UTF-8 when valid; else
 * windows-1252. *ret_charset is a static name ("UTF-8", "UTF-16", "windows-1252"). -EILSEQ where it is none of these
 * or holds a NUL. */
int text_read(struct view v, struct buf *to, const char **ret_charset);

/* In place: control characters and invalid bytes become '?', a character cut off at the end goes. */
void text_cut_clean(char *s);
/* Appends v for a terminal or a log: control characters and invalid bytes as \xNN. */
void text_add_safe(struct buf *to, struct view v);
/* Columns on a terminal (wide characters count two). */
size_t text_width(struct view v);
/* The name among names[0..count) that is nearest to what was typed (one edit, and one more for each three letters),
 * or NULL. */
const char *text_nearest(struct view typed, const char *const *names, size_t count);
