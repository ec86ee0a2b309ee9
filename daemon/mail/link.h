/* Links in what we write: which are kept, and how they are escaped for an HTML attribute. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"

/* Whether the text begins with a scheme, allowed or not ("javascript:"). */
bool link_has_scheme(struct view url);
/* http, https, mailto or tel, with something after it; no control characters. */
bool link_is_allowed(struct view url);
/* Appends a URL for a quoted attribute: what may not stand in a URL is percent-encoded (RFC 3986), an existing % stays,
 * and what is special in HTML is escaped. */
void link_add_html(struct buf *to, struct view url);
/* The same for plain text: blanks and control characters percent-encoded, all else as it is. */
void link_add_plain(struct buf *to, struct view url);
/* Appends a value as a part of a URL that begins with the text before: percent-encoded but for RFC 3986's unreserved
 * characters; for mailto @ and + stay too, for tel blanks are dropped. Safe in HTML as well. */
void link_add_part(struct buf *to, struct view before, struct view value);
