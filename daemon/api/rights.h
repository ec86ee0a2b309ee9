/* Who a caller is and what they may do. Root, the daemon's own user and members of [daemon] group may do everything;
 * members of a list's or its sender's group what concerns that list. A list without any group is for the former only.
 * An announcement of several lists is to be seen by whoever may use one of them, and acted on by whoever may use all.
 * A person is one address: whoever may use one of its lists sees and changes its name, language and fields, not which
 * other lists it is on; its address only where all of them are theirs.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct announcement_lists;
struct conf;
struct conf_list;

enum { RIGHTS_GROUPS_MAX = 256, RIGHTS_NAME_MAX = 64 };

struct rights {
    uid_t uid;
    char name[RIGHTS_NAME_MAX]; /* for the record: who did it */
    gid_t groups[RIGHTS_GROUPS_MAX];
    int group_count;
    bool all;
};

/* Looks the user up; one that the system does not know has the groups of the socket's peer only. */
void rights_of(uid_t uid, gid_t gid, const struct conf *conf, struct rights *ret);
bool rights_on_list(const struct rights *r, const struct conf_list *list);
/* Whether the members of a group may use the list, as members of it: 1, 0, or why that cannot be seen. */
int rights_of_group(gid_t gid, const struct conf *conf, const struct conf_list *list);
/* One of these lists is theirs, all of them are. Lists that are gone from the configuration are nobody's but whose that
 * may do everything. */
bool rights_on_any(const struct rights *r, const struct conf *conf, const struct announcement_lists *lists);
bool rights_on_all(const struct rights *r, const struct conf *conf, const struct announcement_lists *lists);
/* What a relay last said may quote what went through it: it is for those whose lists go that way. */
bool rights_on_relay(const struct rights *r, const struct conf *conf, const char *relay);
