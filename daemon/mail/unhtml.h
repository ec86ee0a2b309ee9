/* Plain text of the HTML that calendars put into descriptions (Google's <br> and <a>, Outlook's whole documents).
 * Not a browser: tags become line breaks or nothing, links keep their address behind their text, scripts, styles and
 * comments go, entities are decoded. The text that comes out is no safer than what went in: escape it for where it
 * goes. Linear in its input. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"

/* True where there is at least one tag or entity that HTML has: "a < b" is text, "a<br>b" is not. */
bool unhtml_is_html(struct view v);
void unhtml(struct view v, struct buf *to);
