/* Everything that is wrong with a configuration, collected and then reported in the order of lines. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"
#include "conf/conf.h"

struct place;

struct complaint;
struct complaints {
    const char *path;
    struct complaint *items;
    size_t count, room;
    size_t beyond; /* more than CONF_ERRORS_MAX are only counted */
    bool no_memory;
    int trouble; /* 0, or why something could not be looked at: nobody's mistake (base/why.h, why_is_trouble()) */
};
/* Adds a reason and sets where: "PATH:LINE: [section name] key". place and key may be NULL. line 0: the place's head.
 */
void complain(struct complaints *c, const struct place *place, unsigned line, const char *key, const struct why *why);
/* The same unless something was said of this key in this line already, which a second complaint would only follow from.
 */
void complain_once(struct complaints *c, const struct place *place, unsigned line, const char *key,
                   const struct why *why);
/* Reports all and forgets them: 0, -ENOMEM (reported too), the trouble, or -EINVAL where there was a complaint. */
int complaints_report(struct complaints *c, conf_on_error *on_error, void *user);
