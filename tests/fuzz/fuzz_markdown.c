/* Announcement bodies from anywhere, with fields of every kind; then the HTML filled with values that try to break out,
 * and looked over: it may hold no element and no scheme but those that we write. */
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include "base/cleanup.h"
#include "mail/link.h"
#include "mail/markdown.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOSTILE "<script \"'>&\n\n# x](y)"

static struct value make_root(struct arena *a) {
    struct value root = value_map(), map = value_map(), url = value_map(), list = value_list();
    (void)value_set(a, &map, "t", value_text(HOSTILE));
    (void)value_append(a, &list, map);
    (void)value_append(a, &list, value_field(1));
    (void)value_set(a, &url, "u", value_field(2));
    (void)value_set(a, &root, "m", map);
    (void)value_set(a, &root, "l", list);
    (void)value_set(a, &root, "f", value_field(0));
    (void)value_set(a, &root, "j", value_text("javascript:alert(1)"));
    (void)value_set(a, &root, "h", value_text("https://x.example/?a=1&b=2"));
    (void)value_set(a, &root, "url", url);
    (void)value_set(a, &root, "b", (struct value){.kind = VALUE_BOOL, .truth = true});
    return root;
}

static void check_attribute(struct view tag, const char *name) {
    size_t at = view_search(tag, view_of(name));
    if (at == tag.len)
        return;
    struct view value = view_slice(tag, at + strlen(name), tag.len);
    if (!link_is_allowed(view_slice(value, 0, view_find(value, '"'))) && !view_starts(value, "cid:"))
        abort();
}

static void check_html(struct view html) {
    static const char *const elements[] = {"p", "h1", "h2", "h3",         "h4", "h5",  "h6",     "ul",   "ol", "li",
                                           "a", "hr", "br", "blockquote", "em", "pre", "strong", "code", "img"};
    for (size_t at; (at = view_find(html, '<')) < html.len;) {
        html = view_slice(html, at + 1, html.len);
        struct view tag = view_slice(html, 0, view_find(html, '>')), name = tag;
        if (view_starts(name, "/"))
            name = view_slice(name, 1, name.len);
        name = view_slice(name, 0, view_find(name, ' '));
        bool known = false;
        for (size_t i = 0; i < COUNT_OF(elements); i++)
            known = known || view_eq_str(name, elements[i]);
        if (!known || tag.len == html.len)
            abort();
        check_attribute(tag, "href=\"");
        check_attribute(tag, "src=\"");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const struct view values[] = {VIEW(HOSTILE), {0}, VIEW("https://x.example/" HOSTILE)};
    static const struct markdown_options options = {
        .link_style = "a", .links_title = "Links:", .cid_domain = "x.example"};
    AUTOARENA struct arena a = {0};
    struct value root = make_root(&a);
    struct template_fault fault;
    struct markdown m;
    int r = markdown_render(view_make(data, size), &root, &options, &m, &fault);
    if ((r == 0) != (fault.kind == TEMPLATE_OK))
        abort();
    if (r == 0) {
        AUTOBUF struct buf html = BUF_INIT(64 << 20), plain = BUF_INIT(64 << 20);
        merge_fill(&m.html, values, &html);
        merge_fill(&m.plain, values, &plain);
        check_html(buf_view(&html));
        markdown_done(&m);
    }
    return 0;
}
