/* Lists that follow a file kept elsewhere (`source` of a list's section).
 *
 * STATES  of each file
 *           quiet   -> copying  it changed (inotify; a file replaced by renaming, a folder that appears later and a link
 *                               are seen, too), or a start, a reload or somebody's accept asks for a look
 *           copying -> ready    the copy is whole (app/snapshot.h); else it waits for quiet, or something is wrong
 *           ready   -> working  its turn has come: there is one import at a time
 *           working -> quiet    the content is known already; or it was imported (people/import.h, `whole`): taken over in
 *                               one moment, or refused for what is wrong, or left waiting until it is accepted
 *
 * What is known lasts in the table followed (store/followed.h), by the digest of the content: so a content is taken over
 * once, an accept is for exactly what waits, and the coordinators are told of the same fault once. Where nobody tells of
 * changes (network file systems, no watches left) the file is looked at every FOLLOW_POLL_MINUTES; else nothing wakes. */
#pragma once
#include <stdint.h>

struct conf;
struct dispatch;
struct follow;
struct keyring;
struct loop;
struct spool;
struct store;

enum { FOLLOW_POLL_MINUTES = 15 };

struct follow_parts {
    struct loop *loop;
    struct store *store;
    struct spool *spool;
    const struct keyring *keys;
    struct dispatch *dispatch;
};

/* Looks at all files of the configuration. NULL when memory runs out. */
struct follow *follow_new(const struct follow_parts *parts, struct conf *conf);
/* Jobs under way end by themselves, in store_close(). NULL is fine. */
struct follow *follow_free(struct follow *f);
/* After a reload; looks at all. */
void follow_set_conf(struct follow *f, struct conf *conf);
/* What waited on this list was accepted. */
void follow_look(struct follow *f, uint32_t list);
