/* Templates from anywhere, against a tree with every kind of value; then the mail filled with values that try to break
 * out of the HTML. */
#include <stdint.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "mail/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOSTILE "<\"'&>zq"

static struct value make_root(struct arena *a) {
    struct value root = value_map(), map = value_map(), url = value_map(), list = value_list();
    (void)value_set(a, &map, "t", value_text(HOSTILE));
    (void)value_set(a, &map, "n", (struct value){0});
    (void)value_append(a, &list, map);
    (void)value_append(a, &list, value_field(1));
    (void)value_set(a, &url, "u", value_field(2));
    (void)value_set(a, &root, "m", map);
    (void)value_set(a, &root, "l", list);
    (void)value_set(a, &root, "f", value_field(0));
    (void)value_set(a, &root, "url", url);
    (void)value_set(a, &root, "b", (struct value){.kind = VALUE_BOOL, .truth = true});
    return root;
}

static bool holds(struct view text, const char *what) {
    return view_search(text, view_of(what)) < text.len;
}

static void render(struct view source, const struct value *root, enum template_target target, bool strict) {
    static const struct view values[] = {VIEW(HOSTILE), VIEW(HOSTILE), VIEW("https://x.example/" HOSTILE)};
    struct template_fault fault;
    struct merge m;
    merge_init(&m);
    int r = template_render(source, root, target, strict, &m, &fault);
    if ((r == 0) != (fault.kind == TEMPLATE_OK))
        abort();
    if (r == 0 && merge_seal(&m) == 0) {
        AUTOBUF struct buf filled = BUF_INIT(16 << 20);
        merge_fill(&m, values, &filled);
        /* A value in {{{ }}} is as it is; a person's never. */
        if (target == TEMPLATE_HTML && !holds(source, "zq") && !holds(source, "{{{") && !holds(source, "&") &&
            holds(buf_view(&filled), HOSTILE))
            abort();
    }
    merge_done(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    AUTOARENA struct arena a = {0};
    struct value root = make_root(&a);
    for (int target = TEMPLATE_PLAIN; target <= TEMPLATE_HTML; target++)
        for (int strict = 0; strict < 2; strict++)
            render(view_make(data, size), &root, (enum template_target)target, strict);
    return 0;
}
