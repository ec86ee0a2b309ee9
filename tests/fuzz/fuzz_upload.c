/* Uploads from anywhere: one that is read, printed and read again is the same, and its names lead nowhere else. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "announce/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool truth) {
    if (!truth)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct source one, two;
    struct why why = {0};
    AUTOBUF struct buf first = BUF_INIT(64 << 20), second = BUF_INIT(64 << 20);
    if (upload_read(view_make(data, size), &one, &why) < 0) {
        expect(why.what[0] != '\0');
        return 0;
    }
    expect(one.files.count > 0 && bundle_get(&one.files, one.first).ptr);
    for (size_t i = 0; i < one.files.count; i++) {
        const char *name = one.files.files[i].path;
        expect(name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) <= 512);
    }
    upload_print(&one, &first);
    expect(upload_read(buf_view(&first), &two, &why) == 0);
    upload_print(&two, &second);
    expect(view_eq(buf_view(&first), buf_view(&second)) && strcmp(one.first, two.first) == 0);
    source_done(&one);
    source_done(&two);
    return 0;
}
