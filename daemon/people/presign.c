#include "people/presign.h"

#include <stdlib.h>

#include "store/store.h"
#include "store/subscription.h"
#include "trust/token.h"

enum { PAGE = 256 }; /* some milliseconds of signing */

struct presign {
    struct store_job job; /* first */
    struct store *store;
    const struct keyring *keys;
    uint32_t list;
    int64_t cursor;
    bool more;
};

static int step(struct store_job *job, struct db *db) {
    struct presign *p = (struct presign *)job;
    int64_t lacking[PAGE], cursor = p->cursor;
    size_t count = 0;
    int r = subscription_lacking_signature(db, p->list, &cursor, PAGE, lacking, &count);
    p->more = r == 1;
    for (size_t i = 0; i < count && r >= 0; i++) {
        uint8_t key_id, signature[TOKEN_SIGNATURE_BYTES];
        r = token_sign_recipient(p->keys, p->list, (uint64_t)lacking[i], &key_id, signature);
        if (r == 0)
            r = subscription_keep_signature(db, p->list, lacking[i], key_id, signature);
    }
    if (r >= 0)
        p->cursor = cursor;
    return r < 0 ? r : STORE_DONE;
}

static void on_page(struct store_job *job, int result) {
    struct presign *p = (struct presign *)job;
    if (result < 0 || !p->more)
        free(p);
    else
        store_submit(p->store, &p->job);
}

void presign_list(struct store *store, const struct keyring *keys, uint32_t list) {
    struct presign *p = calloc(1, sizeof *p);
    if (!p)
        return;
    *p = (struct presign){
        .job = {.lane = STORE_BULK, .step = step, .done = on_page}, .store = store, .keys = keys, .list = list};
    store_submit(store, &p->job);
}
