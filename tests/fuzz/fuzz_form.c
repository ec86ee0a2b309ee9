/* First line: a Content-Type or nothing. The rest: a body; also read as a path, a query and a list of forwarders. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "net/form.h"
#include "net/remote.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct form *form, struct view body) {
    size_t sum = 0;
    assert(form->count <= FORM_FIELDS_MAX);
    for (size_t i = 0; i < form->count; i++)
        sum += form->fields[i].name.len + form->fields[i].value.len;
    assert(sum <= body.len); /* reading never makes more of it */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTOARENA struct arena arena = {0};
    struct view body = view_make(data, size), type;
    if (!view_split(&body, '\n', &type) || !body.ptr)
        return 0;
    AUTOFREE char *content_type = view_dup(type);
    struct form form;
    if (content_type && form_read(body, content_type, &arena, &form) == 0)
        check(&form, body);
    if (form_read_urlencoded(body, &arena, &form) == 0)
        check(&form, body);
    const char *path;
    if (form_read_path(body, &arena, &path) == 0)
        assert(path[0] == '/' && strlen(path) <= body.len);

    struct remote_net nets[2];
    if (remote_parse_net(VIEW("10.0.0.0/8"), &nets[0]) < 0 || remote_parse_net(VIEW("unix"), &nets[1]) < 0)
        abort();
    struct remote remote = remote_behind((struct remote){.is_unix = true}, body, nets, 2), again;
    char text[REMOTE_TEXT_MAX];
    remote_print(&remote, text, sizeof text);
    if (!remote.is_unix)
        assert(remote_parse(view_of(text), &again) == 0 && memcmp(again.ip, remote.ip, sizeof again.ip) == 0);
    struct remote_net net;
    if (remote_parse_net(body, &net) == 0)
        assert(net.bits <= 128);
    return 0;
}
