/* Requests as tests write them. */
#pragma once
#include <assert.h>
#include <stdlib.h>

#include "spool/request.h"

#define REQUEST_HEAD "rundbrief-requests 2\n"

static inline int hand_over_all(int dirfd, const struct request *records, size_t count) {
    AUTOBUF struct buf lines = BUF_INIT(2 * REQUEST_FILE_MAX_BYTES);
    for (size_t i = 0; i < count; i++)
        request_print(&lines, &records[i]);
    assert(buf_error(&lines) == 0);
    return request_hand_over(dirfd, buf_view(&lines));
}

/* Each record of a file in turn; a non-zero answer of on_record ends it and is returned. */
static inline int request_read(struct view file, enum request_door doors,
                               int (*on_record)(void *user, const struct request *r), void *user, unsigned *ret_line) {
    struct request_reader reader = {0};
    struct request r;
    int error = request_reader_open(&reader, file, doors, ret_line);
    while (error == 0 && request_reader_next(&reader, &r) == 1)
        error = on_record(user, &r);
    request_reader_done(&reader);
    return error;
}
