/* What comes in by HTTP as names and values: query strings and form bodies, urlencoded or multipart; and paths.
 * Pure functions over whole, bounded input. Values may hold any byte but NUL is refused in names and paths. */
#pragma once
#include "base/arena.h"
#include "base/view.h"

enum { FORM_FIELDS_MAX = 64 };

struct form_field {
    struct view name, value;
};
struct form {
    struct form_field *fields;
    size_t count;
};

/* application/x-www-form-urlencoded, also a query string without its '?'. A field without '=' has an empty value.
 * -EBADMSG for a bad escape, -E2BIG beyond FORM_FIELDS_MAX, -ENOMEM. */
int form_read_urlencoded(struct view body, struct arena *arena, struct form *ret);
/* multipart/form-data (RFC 7578). The boundary is taken from the Content-Type. Values are views into body; parts
 * without a name are left out. -EBADMSG where it is not whole and well-formed. */
int form_read_multipart(struct view body, const char *content_type, struct arena *arena, struct form *ret);
/* By the Content-Type: multipart/form-data, and everything else (or none: NULL) as urlencoded. */
int form_read(struct view body, const char *content_type, struct arena *arena, struct form *ret);
/* The first field of that name; ptr NULL where absent. */
struct view form_get(const struct form *form, const char *name);

/* The path of a request target, percent-decoded, as a string of the arena. -EBADMSG where it does not begin with '/',
 * holds a bad escape, a NUL or an octet that must be escaped. */
int form_read_path(struct view raw, struct arena *arena, const char **ret);
