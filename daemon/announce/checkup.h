/* What may be wrong with an installation, as far as it can be seen without its store: configuration, rights of files,
 * room on the disk, keys, templates. Each check says at least one finding; one that is not OK says what is wrong, why that
 * matters, and what to do. Nothing is changed. Everything is seen with the eyes of the process that asks: what the
 * daemon's user may do, only the daemon can say. */
#pragma once
#include <stdbool.h>

#include "base/why.h"

struct conf;

enum checkup_level { CHECKUP_OK, CHECKUP_WARNING, CHECKUP_WRONG };
const char *checkup_level_name(enum checkup_level level); /* ok, warning, wrong */

struct finding {
    const char *area;    /* configuration, rights, space, keys, templates … */
    const char *about;   /* which file, relay, language, or "" */
    const char *what;    /* one sentence without a point */
    const char *matters; /* what follows from it, "" where it is well */
    const char *todo;    /* in the imperative, "" where it is well */
    enum checkup_level level;
};

/* Borrowed for the call. */
typedef void checkup_on_finding(void *user, const struct finding *finding);
struct checkup {
    checkup_on_finding *on_finding;
    void *user;
    bool running;  /* the daemon has made its folders: one that is missing is wrong */
    bool troubled; /* the check's own: it has found something */
};

/* Says one finding, cleaned of control characters and cut where it is too long. todo may be NULL. */
void checkup_say(struct checkup *k, enum checkup_level level, const char *area, const char *about, const char *matters,
                 const char *todo, const char *format, ...) __attribute__((format(printf, 7, 8)));

/* The file as it stands, as the daemon would load it. The configuration in *ret, or NULL where it cannot be read at all. */
void checkup_configuration(struct checkup *k, const char *path, struct conf **ret);
void checkup_rights(struct checkup *k, const struct conf *conf);
void checkup_space(struct checkup *k, const struct conf *conf);
void checkup_keys(struct checkup *k, const struct conf *conf);
/* Compiles an announcement and an invitation in every language of every list, and the frame of system mail. */
void checkup_templates(struct checkup *k, const struct conf *conf);
