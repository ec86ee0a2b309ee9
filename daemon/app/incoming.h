/* The drop folders spool/incoming/<list>/: what coordinators put there is taken in, or rejected with a reason.
 *
 * A group (a text with its translations and attachments, or a folder) is taken when nothing in the list's folder has
 * changed for ten seconds. What belongs to no announcement for an hour is rejected too. One group at a time (app/drop.h);
 * one that can neither be taken nor moved away is tried again each minute and keeps nobody waiting. A folder is given to
 * the group of its list. */
#pragma once
#include "base/why.h"

struct conf;
struct dispatch;
struct incoming;
struct keyring;
struct loop;
struct spool;
struct store;

struct incoming_parts {
    struct loop *loop;
    struct store *store;
    struct spool *spool;
    const struct keyring *keys;
    struct dispatch *dispatch;
};

int incoming_new(const struct incoming_parts *parts, struct conf *conf, struct why *why, struct incoming **ret);
struct incoming *incoming_free(struct incoming *i);
/* Makes and watches the folders of the configuration's lists. */
int incoming_set_conf(struct incoming *i, struct conf *conf);
/* Begins no further group. */
void incoming_stop(struct incoming *i);
