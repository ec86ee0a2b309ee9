#include "api/rights.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/users.h"
#include "conf/conf.h"
#include "store/announcement.h"

static bool in_group(const struct rights *r, const char *name) {
    gid_t gid;
    if (name[0] == '\0' || users_group(name, &gid) < 0)
        return false;
    for (int i = 0; i < r->group_count; i++)
        if (r->groups[i] == gid)
            return true;
    return false;
}

void rights_of(uid_t uid, gid_t gid, const struct conf *conf, struct rights *ret) {
    char memory[16384];
    struct passwd user, *found = NULL;
    *ret = (struct rights){.uid = uid, .group_count = 1};
    ret->groups[0] = gid;
    (void)snprintf(ret->name, sizeof ret->name, "uid %u", (unsigned)uid); /* bounded */
    if (getpwuid_r(uid, &user, memory, sizeof memory, &found) == 0 && found) {
        (void)snprintf(ret->name, sizeof ret->name, "%s", user.pw_name); /* cut is fine: it is for reading */
        ret->group_count = RIGHTS_GROUPS_MAX;
        if (getgrouplist(user.pw_name, gid, ret->groups, &ret->group_count) < 0)
            ret->group_count = RIGHTS_GROUPS_MAX; /* the first ones count */
    }
    ret->all = uid == 0 || uid == geteuid() || in_group(ret, conf->group);
}

bool rights_on_list(const struct rights *r, const struct conf_list *list) {
    return r->all || in_group(r, list->group) || in_group(r, list->sender->group);
}

int rights_of_group(gid_t gid, const struct conf *conf, const struct conf_list *list) {
    const char *const names[] = {conf->group, list->group, list->sender->group};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        gid_t found;
        int r = names[i][0] ? users_group(names[i], &found) : -ENOENT;
        if (r < 0 && r != -ENOENT)
            return r;
        if (r == 0 && found == gid)
            return 1;
    }
    return 0;
}

bool rights_on_any(const struct rights *r, const struct conf *conf, const struct announcement_lists *lists) {
    bool any = r->all;
    for (size_t i = 0; i < lists->count && !any; i++) {
        const struct conf_list *list = conf_find_list_id(conf, lists->ids[i]);
        any = list && rights_on_list(r, list);
    }
    return any;
}

bool rights_on_all(const struct rights *r, const struct conf *conf, const struct announcement_lists *lists) {
    bool all = r->all || lists->count;
    for (size_t i = 0; i < lists->count && all && !r->all; i++) {
        const struct conf_list *list = conf_find_list_id(conf, lists->ids[i]);
        all = list && rights_on_list(r, list);
    }
    return all;
}

bool rights_on_relay(const struct rights *r, const struct conf *conf, const char *relay) {
    if (r->all)
        return true;
    for (size_t i = 0; i < conf->list_count; i++) {
        const struct conf_list *list = &conf->lists[i];
        if (!rights_on_list(r, list))
            continue;
        bool uses = list->relays.count == 0;
        for (size_t k = 0; k < list->relays.count; k++)
            uses |= strcmp(list->relays.items[k], relay) == 0;
        if (uses)
            return true;
    }
    return false;
}
