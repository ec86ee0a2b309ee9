#include "base/users.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "base/cleanup.h"

#include "base/banned.h"

/* A group of many members needs much room. */
enum { ROOM_BYTES = 16 * 1024, GROUP_MAX_BYTES = 16 << 20, WARM_UP_BYTES = 64 * 1024, NOBODYS_ID = 0x7ffffffe };

int users_warm_up(void) {
    char memory[ROOM_BYTES];
    struct passwd user, *found;
    gid_t gid, groups[1];
    int count = 1;
    void *volatile room =
        malloc(WARM_UP_BYTES); /* freed, it is there for what follows; volatile: else it is left out */
    if (!room)
        return -ENOMEM;
    free(room);
    /* Who does not exist is asked for in every service. */
    (void)getpwuid_r(NOBODYS_ID, &user, memory, sizeof memory, &found);
    (void)users_group("rundbrief-nobody", &gid);
    (void)getgrouplist("rundbrief-nobody", NOBODYS_ID, groups, &count);
    return 0;
}

int users_group(const char *name, gid_t *ret) {
    for (size_t size = ROOM_BYTES; size <= GROUP_MAX_BYTES; size *= 4) {
        AUTOFREE char *memory = malloc(size);
        struct group group, *found = NULL;
        int r = memory ? getgrnam_r(name, &group, memory, size, &found) : ENOMEM;
        if (r == 0 && found)
            *ret = group.gr_gid;
        if (r != ERANGE)
            return found ? 0 : r == ENOMEM || r == EMFILE || r == ENFILE || r == EIO ? -r : -ENOENT;
    }
    return -ENOENT;
}
