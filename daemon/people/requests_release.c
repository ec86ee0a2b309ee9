#include "people/requests_act.h"

#include <errno.h>

#include "store/announcement.h"
#include "trust/token.h"

#include "base/banned.h"

int requests_release(struct request_act *a, const struct request *q, const char **ret_result) {
    struct token t;
    *ret_result = REQUEST_REFUSED;
    if (token_verify(a->keys, request_get(q, REQUEST_KEY_TOKEN), &t) < 0 || t.purpose != TOKEN_RELEASE ||
        t.expires_usec <= a->at_usec)
        return 0;
    struct why why;
    int error = announcement_release(a->db, (int64_t)t.announcement, a->now_usec, &why);
    if (error == 0)
        a->released = (int64_t)t.announcement;
    *ret_result = error == 0 ? "released" : "nothing";
    return error == -ESTALE || error == -ENOENT ? 0 : error;
}
