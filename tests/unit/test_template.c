#include "unit.h"

#include <jansson.h>
#include <stdio.h>

#include "mail/template.h"
#include "merge_show.h"

enum { SALUTATION, UNSUBSCRIBE, CITY };

/* What the cases render against. */
static struct value make_root(struct arena *a, const struct merge *body) {
    struct value root = value_map(), event = value_map(), url = value_map(), attr = value_map(), topics = value_list(),
                 contact = value_map();
    static const char *const titles[] = {"Kunst & Kultur", "Sport"};
    (void)value_set(a, &event, "title", value_text("Tag \"der\" <Städte>"));
    (void)value_set(a, &event, "url", value_text("https://x.example/?a=1&b=ü"));
    (void)value_set(a, &event, "end", (struct value){0});
    (void)value_set(a, &contact, "mail", value_text("kontakt+a@x.example"));
    (void)value_set(a, &contact, "phone", value_text("+49 511 000000"));
    (void)value_set(a, &contact, "fax", value_text(""));
    (void)value_set(a, &url, "unsubscribe", value_field(UNSUBSCRIBE));
    (void)value_set(a, &attr, "city", value_field(CITY));
    for (size_t i = 0; i < COUNT_OF(titles); i++) {
        struct value topic = value_map();
        (void)value_set(a, &topic, "title", value_text(titles[i]));
        (void)value_append(a, &topics, topic);
    }
    (void)value_set(a, &root, "salutation", value_field(SALUTATION));
    (void)value_set(a, &root, "event", event);
    (void)value_set(a, &root, "contact", contact);
    (void)value_set(a, &root, "url", url);
    (void)value_set(a, &root, "attr", attr);
    (void)value_set(a, &root, "topics", topics);
    (void)value_set(a, &root, "nothing", value_list());
    (void)value_set(a, &root, "null", (struct value){0});
    (void)value_set(a, &root, "yes", (struct value){.kind = VALUE_BOOL, .truth = true});
    (void)value_set(a, &root, "no", (struct value){.kind = VALUE_BOOL});
    (void)value_set(a, &root, "bad", value_text("javascript:alert(1)"));
    (void)value_set(a, &root, "control", value_text("a\x1B[1mb\xE2\x80\xAE"));
    (void)value_set(a, &root, "html", (struct value){.kind = VALUE_TEXT, .text = VIEW("<b>"), .raw = true});
    (void)value_set(a, &root, "body", (struct value){.kind = VALUE_TEXT, .part = body});
    assert_false(arena_failed(a));
    return root;
}

struct fixture {
    struct arena arena;
    struct merge body;
    struct value root;
};

static int setup(void **state) {
    static struct fixture f;
    arena_init(&f.arena);
    merge_init(&f.body);
    merge_text(&f.body, VIEW("<p>"));
    merge_if(&f.body, CITY, false);
    merge_field(&f.body, CITY, MERGE_HTML);
    merge_end(&f.body);
    merge_text(&f.body, VIEW("</p>"));
    if (merge_seal(&f.body) < 0)
        return -1;
    f.root = make_root(&f.arena, &f.body);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    merge_done(&f->body);
    arena_done(&f->arena);
    return 0;
}

static void expect(struct fixture *f, const char *source, enum template_target target, const char *expected) {
    struct template_fault fault;
    struct merge m;
    AUTOBUF struct buf shown = BUF_INIT(1 << 20);
    merge_init(&m);
    int r = template_render(view_of(source), &f->root, target, true, &m, &fault);
    if (r < 0)
        fail_msg("%s: %d, fault %d, line %u, name %s", source, r, (int)fault.kind, fault.line, fault.name);
    assert_int_equal(merge_seal(&m), 0);
    merge_show(&m, &shown);
    unit_str(source, buf_str(&shown), expected);
    merge_done(&m);
}

static void rendering(void **state) {
    static const struct {
        const char *source, *html, *plain; /* plain NULL: as html */
    } cases[] = {
        {"", "", NULL},
        {"a { b }} c", "a { b }} c", NULL},
        {"{{event.title}}", "Tag &quot;der&quot; &lt;Städte&gt;", "Tag \"der\" <Städte>"},
        {"{{{event.title}}}", "Tag \"der\" <Städte>", NULL},
        {"{{& event.title }}", "Tag \"der\" <Städte>", NULL},
        {"{{html}}", "<b>", NULL},
        {"{{control}}", "a[1mb", NULL},
        {"{{yes}}{{no}}{{null}}{{event}}{{topics}}", "", NULL},
        /* Sections over what is known. */
        {"{{#topics}}{{title}}, {{/topics}}", "Kunst &amp; Kultur, Sport, ", "Kunst & Kultur, Sport, "},
        {"{{#event}}{{#url}}{{.}}{{/url}}{{/event}}", "https://x.example/?a=1&amp;b=ü", "https://x.example/?a=1&b=ü"},
        {"{{#contact.fax}}Fax{{/contact.fax}}{{^contact.fax}}no fax{{/contact.fax}}", "no fax", NULL},
        {"{{#nothing}}x{{/nothing}}{{^nothing}}none{{/nothing}}", "none", NULL},
        {"{{#yes}}a{{/yes}}{{^yes}}b{{/yes}}{{#no}}c{{/no}}{{^no}}d{{/no}}", "ad", NULL},
        {"{{#body}}has{{/body}}", "has", NULL},
        {"a\n{{#yes}}\nb\n  {{/yes}}  \nc\n", "a\nb\nc\n", NULL},
        {"a\n{{! one\ntwo }}\nb", "a\nb", NULL},
        /* Fields of the person. */
        {"{{salutation}}, {{{salutation}}}, {{&salutation}}", "[0h], [0h], [0h]", "[0p], [0p], [0p]"},
        {"{{#salutation}}{{.}}!{{/salutation}}{{^salutation}}Hallo{{/salutation}}", "[?0 [0h]!][^0 Hallo]",
         "[?0 [0p]!][^0 Hallo]"},
        {"{{#attr}}{{city}}{{/attr}}", "[2h]", "[2p]"},
        {"a\n{{#attr.city}}\nin {{attr.city}}\n{{/attr.city}}\nb", "a\n[?2 in [2h]\n]b", "a\n[?2 in [2p]\n]b"},
        {"{{url.unsubscribe}}", "[1w]", "[1p]"},
        {"<a href=\"{{url.unsubscribe}}\">", "<a href=\"[1w]\">", "<a href=\"[1p]\">"},
        {"{{#url}}<a href='{{unsubscribe}}'>{{/url}}", "<a href='[1w]'>", "<a href='[1p]'>"},
        {"<a href=\"https://x.example/?c={{attr.city}}&amp;u={{url.unsubscribe}}\">",
         "<a href=\"https://x.example/?c=[2u]&amp;u=[1u]\">", "<a href=\"https://x.example/?c=[2p]&amp;u=[1p]\">"},
        {"<a href=\"{{attr.city}}\" title=\"{{attr.city}}\">", "<a href=\"[2u]\" title=\"[2h]\">",
         "<a href=\"[2p]\" title=\"[2p]\">"},
        {"<p class={{attr.city}}><script>{{attr.city}}</script>{{attr.city}}",
         "<p class=[2u]><script>[2u]</script>[2h]", "<p class=[2p]><script>[2p]</script>[2p]"},
        {"<a href=\"{{#attr.city}}https://x.example/{{attr.city}}{{/attr.city}}{{^attr.city}}{{url.unsubscribe}}"
         "{{/attr.city}}\">",
         "<a href=\"[?2 https://x.example/[2u]][^2 [1w]]\">", "<a href=\"[?2 https://x.example/[2p]][^2 [1p]]\">"},
        {"<a href=\"{{attr.city}}:{{bad}}\">", "<a href=\"[2u]:javascript%3Aalert%281%29\">",
         "<a href=\"[2p]:javascript:alert(1)\">"},
        /* What is known, in links. */
        {"<a href=\"{{event.url}}\">", "<a href=\"https://x.example/?a=1&amp;b=%C3%BC\">",
         "<a href=\"https://x.example/?a=1&b=ü\">"},
        {"<a href=\"mailto:{{contact.mail}}?subject={{event.title}}\">",
         "<a href=\"mailto:kontakt+a@x.example?subject=Tag%20%22der%22%20%3CSt%C3%A4dte%3E\">",
         "<a href=\"mailto:kontakt+a@x.example?subject=Tag \"der\" <Städte>\">"},
        {"<a href=\"tel:{{contact.phone}}\">", "<a href=\"tel:+49511000000\">", "<a href=\"tel:+49 511 000000\">"},
        {"<a href=\"{{bad}}\">{{bad}}", "<a href=\"#\">javascript:alert(1)",
         "<a href=\"javascript:alert(1)\">javascript:alert(1)"},
        /* Parts. */
        {"<div>{{body}}|{{{body}}}</div>", "<div><p>[?2 [2h]]</p>|<p>[?2 [2h]]</p></div>", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        expect(*state, cases[i].source, TEMPLATE_HTML, cases[i].html);
        expect(*state, cases[i].source, TEMPLATE_PLAIN, cases[i].plain ? cases[i].plain : cases[i].html);
    }
}

static int render_strict(struct fixture *f, struct view source, bool strict, struct template_fault *fault) {
    struct merge m;
    merge_init(&m);
    int r = template_render(source, &f->root, TEMPLATE_HTML, strict, &m, fault);
    merge_done(&m);
    return r;
}

static void faults(void **state) {
    static const struct {
        const char *source;
        int kind;
        unsigned line;
        const char *name, *nearest;
    } cases[] = {
        {"a\n{{b", TEMPLATE_UNCLOSED_TAG, 2, "", NULL},
        {"{{{event.title}}", TEMPLATE_UNCLOSED_TAG, 1, "", NULL},
        {"{{", TEMPLATE_UNCLOSED_TAG, 1, "", NULL},
        {"{{! a\n\n}}\n{{", TEMPLATE_UNCLOSED_TAG, 4, "", NULL},
        {"\n{{#event}}\n{{#yes}}{{/yes}}", TEMPLATE_UNCLOSED_SECTION, 2, "event", NULL},
        {"a\r\n\r\n{{/event}}", TEMPLATE_UNOPENED_SECTION, 3, "event", NULL},
        {"{{#event}}\n{{#yes}}\n{{/event}}{{/yes}}", TEMPLATE_WRONG_END, 3, "event", NULL},
        {"{{#event}}{{/ evnt }}", TEMPLATE_WRONG_END, 1, "evnt", NULL},
        {"\n{{> footer}}", TEMPLATE_NOT_SERVED, 2, "footer", NULL},
        {"{{=<% %>=}}", TEMPLATE_NOT_SERVED, 1, "<% %>=", NULL},
        {"{{<parent}}{{/parent}}", TEMPLATE_NOT_SERVED, 1, "parent", NULL},
        {"{{$block}}{{/block}}", TEMPLATE_NOT_SERVED, 1, "block", NULL},
        {"a\nb {{evnt.title}}", TEMPLATE_UNKNOWN_FIELD, 2, "evnt.title", "event.title"},
        {"{{}}", TEMPLATE_UNKNOWN_FIELD, 1, "", NULL},
        {"{{event.unheard-of}}", TEMPLATE_UNKNOWN_FIELD, 1, "event.unheard-of", NULL},
        {"{{event.end.date}}", TEMPLATE_UNKNOWN_FIELD, 1, "event.end.date", "event.end"},
        {"{{#attr.cty}}{{/attr.cty}}", TEMPLATE_UNKNOWN_FIELD, 1, "attr.cty", "attr.city"},
        {"{{^attr.cty}}{{/attr.cty}}", TEMPLATE_UNKNOWN_FIELD, 1, "attr.cty", "attr.city"},
        {"{{#topics}}{{tilte}}{{/topics}}", TEMPLATE_UNKNOWN_FIELD, 1, "tilte", "title"},
        /* Also in what is not rendered. */
        {"{{#no}}\n{{salutaton}}{{/no}}", TEMPLATE_UNKNOWN_FIELD, 2, "salutaton", "salutation"},
        {"{{^yes}}{{#yes}}{{salutaton}}{{/yes}}{{/yes}}", TEMPLATE_UNKNOWN_FIELD, 1, "salutaton", "salutation"},
        {"{{^topics}}{{salutaton}}{{/topics}}", TEMPLATE_UNKNOWN_FIELD, 1, "salutaton", "salutation"},
        {"{{^salutation}}{{salutaton}}{{/salutation}}", TEMPLATE_UNKNOWN_FIELD, 1, "salutaton", "salutation"},
        {"{{salutation.x}}", TEMPLATE_FIELD_IN_LIST, 1, "salutation.x", NULL},
        {"<p>\n{{#salutation}}<a href=\"{{/salutation}}", TEMPLATE_SECTION_CROSSING, 2, "salutation", NULL},
        {"{{a_name_of_more_than_sixty_three_bytes_is_cut_at_a_whole_character_here_ä}}", TEMPLATE_UNKNOWN_FIELD, 1,
         "a_name_of_more_than_sixty_three_bytes_is_cut_at_a_whole_charact", NULL},
        {"{{a_name_of_more_than_sixty_three_bytes_is_cut_at_a_whole_charac\xC3\xA4}}", TEMPLATE_UNKNOWN_FIELD, 1,
         "a_name_of_more_than_sixty_three_bytes_is_cut_at_a_whole_charac", NULL},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct template_fault f;
        unit_int(cases[i].source, render_strict(*state, view_of(cases[i].source), true, &f), -EINVAL);
        unit_int(cases[i].source, f.kind, cases[i].kind);
        unit_int(cases[i].source, f.line, cases[i].line);
        unit_str(cases[i].source, f.name, cases[i].name);
        unit_str(cases[i].source, f.nearest, cases[i].nearest);
        bool only_strict = cases[i].kind == TEMPLATE_UNKNOWN_FIELD;
        unit_int(cases[i].source, render_strict(*state, view_of(cases[i].source), false, &f),
                 only_strict ? 0 : -EINVAL);
    }
}

static void what_is_not_looked_into_is_no_fault(void **state) {
    static const char *const sources[] = {
        "{{#null}}{{whatever}}{{/null}}",
        "{{#nothing}}{{whatever}}{{/nothing}}",
        "{{#no}}{{event.end.date}}{{#event.end.date}}{{whatever}}{{/event.end.date}}{{/no}}",
        "{{^event.end}}{{event.title}}{{/event.end}}",
        "{{^topics}}{{#topics}}{{title}}{{/topics}}{{/topics}}",
    };
    struct template_fault f;
    for (size_t i = 0; i < COUNT_OF(sources); i++)
        unit_int(sources[i], render_strict(*state, view_of(sources[i]), true, &f), 0);
}

/* Rendering `count` times `unit`, with `end` after it; the fault's kind or 0. */
static int kind_of_many(struct fixture *f, const char *unit, size_t count, const char *end, size_t end_count) {
    AUTOBUF struct buf source = BUF_INIT(1 << 20);
    struct template_fault fault;
    for (size_t i = 0; i < count; i++)
        buf_puts(&source, unit);
    for (size_t i = 0; i < end_count; i++)
        buf_puts(&source, end);
    assert_int_equal(buf_error(&source), 0);
    int r = render_strict(f, buf_view(&source), true, &fault);
    assert_int_equal(r, fault.kind ? -EINVAL : 0);
    return fault.kind;
}

static void caps_hold_on_both_sides(void **state) {
    struct fixture *f = *state;
    assert_int_equal(kind_of_many(f, "x", TEMPLATE_SOURCE_MAX_BYTES, "", 0), 0);
    assert_int_equal(kind_of_many(f, "x", TEMPLATE_SOURCE_MAX_BYTES + 1, "", 0), TEMPLATE_TOO_BIG);
    assert_int_equal(kind_of_many(f, "{{yes}}", TEMPLATE_TAGS_MAX, "", 0), 0);
    assert_int_equal(kind_of_many(f, "{{yes}}", TEMPLATE_TAGS_MAX + 1, "", 0), TEMPLATE_TOO_BIG);
    static const char *const sections[][2] = {
        {"{{#yes}}", "{{/yes}}"}, {"{{#salutation}}", "{{/salutation}}"}, {"{{#no}}", "{{/no}}"}};
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        size_t n = TEMPLATE_DEPTH_MAX;
        assert_int_equal(kind_of_many(f, sections[i][0], n, sections[i][1], n), 0);
        assert_int_equal(kind_of_many(f, sections[i][0], n + 1, sections[i][1], n + 1), TEMPLATE_TOO_BIG);
    }
    /* A part that brings a span of its own into the deepest section. */
    AUTOBUF struct buf deep = BUF_INIT(4096);
    struct template_fault fault;
    for (int depth = MERGE_DEPTH_MAX - 1; depth <= MERGE_DEPTH_MAX; depth++) {
        buf_clear(&deep);
        for (int i = 0; i < depth; i++)
            buf_puts(&deep, "{{#salutation}}");
        buf_puts(&deep, "{{body}}");
        for (int i = 0; i < depth; i++)
            buf_puts(&deep, "{{/salutation}}");
        assert_int_equal(render_strict(f, buf_view(&deep), true, &fault), depth < MERGE_DEPTH_MAX ? 0 : -EINVAL);
        assert_int_equal(fault.kind, depth < MERGE_DEPTH_MAX ? TEMPLATE_OK : TEMPLATE_TOO_BIG);
    }
}

static void the_rendered_text_has_a_cap(void **state) {
    struct fixture *f = *state;
    struct arena *a = &f->arena;
    static char block[1024];
    memset(block, 'x', sizeof block);
    struct value root = value_map();
    struct fixture own = {.root = root};
    (void)value_set(a, &own.root, "k", (struct value){.kind = VALUE_TEXT, .text = view_make(block, sizeof block)});
    assert_int_equal(kind_of_many(&own, "{{k}}", TEMPLATE_TEXT_MAX_BYTES / 1024, "", 0), 0);
    assert_int_equal(kind_of_many(&own, "{{k}}", TEMPLATE_TEXT_MAX_BYTES / 1024 - 1, "y", 1024), 0);
    assert_int_equal(kind_of_many(&own, "{{k}}", TEMPLATE_TEXT_MAX_BYTES / 1024 - 1, "y", 1025), TEMPLATE_TOO_BIG);
}

/* 1 + 1 + n * (1 + ...) steps: a list of a hundred in a list of a hundred in ... */
static void the_steps_have_a_cap(void **state) {
    struct fixture *f = *state;
    struct value list = value_list();
    struct fixture own = {.root = value_map()};
    for (int i = 0; i < 99; i++)
        (void)value_append(&f->arena, &list, value_text("x"));
    (void)value_set(&f->arena, &own.root, "l", list);
    assert_int_equal(kind_of_many(&own, "{{#l}}", 3, "{{/l}}", 3), 0); /* 99 ^ 3 = 970299 */
    (void)value_append(&f->arena, &list, value_text("x"));
    (void)value_set(&f->arena, &own.root, "l", list);
    assert_int_equal(kind_of_many(&own, "{{#l}}", 3, "{{/l}}", 3), TEMPLATE_TOO_BIG);
    assert_int_equal(kind_of_many(&own, "{{#l}}", 16, "{{/l}}", 16), TEMPLATE_TOO_BIG);
}

/* The public specification */

static struct value from_json(struct arena *a, const json_t *j) {
    struct value v = {0}, item;
    size_t i;
    const char *key;
    json_t *below;
    switch (json_typeof(j)) {
    case JSON_NULL: break;
    case JSON_TRUE:
    case JSON_FALSE: v = (struct value){.kind = VALUE_BOOL, .truth = json_is_true(j)}; break;
    case JSON_STRING: v = value_text(json_string_value(j)); break;
    case JSON_INTEGER: v = value_text(arena_printf(a, "%lld", (long long)json_integer_value(j))); break;
    case JSON_REAL: v = value_text(arena_printf(a, "%g", json_real_value(j))); break;
    case JSON_ARRAY:
        v = value_list();
        json_array_foreach(j, i, below) {
            item = from_json(a, below);
            assert_int_equal(value_append(a, &v, item), 0);
        }
        break;
    case JSON_OBJECT:
        v = value_map();
        json_object_foreach((json_t *)j, key, below) {
            item = from_json(a, below);
            assert_int_equal(value_set(a, &v, key, item), 0);
        }
        break;
    }
    return v;
}

static void check_spec_case(const char *file, const json_t *test) {
    AUTOARENA struct arena a = {0};
    AUTOBUF struct buf shown = BUF_INIT(1 << 20);
    struct value root = from_json(&a, json_object_get(test, "data"));
    const char *source = json_string_value(json_object_get(test, "template"));
    const char *name = arena_printf(&a, "%s: %s", file, json_string_value(json_object_get(test, "name")));
    struct template_fault fault;
    struct merge m;
    merge_init(&m);
    unit_int(name, template_render(view_of(source), &root, TEMPLATE_HTML, false, &m, &fault), 0);
    assert_int_equal(merge_seal(&m), 0);
    merge_show(&m, &shown);
    unit_str(name, buf_str(&shown), json_string_value(json_object_get(test, "expected")));
    merge_done(&m);
}

static void the_specification_holds(void **state) {
    (void)state;
    static const struct {
        const char *file;
        size_t least;
    } files[] = {{"interpolation", 40}, {"sections", 30}, {"inverted", 20}, {"comments", 10}};
    if (access("../shared/corpora/mustache", R_OK) < 0) {
        print_message("skipped: ../shared/corpora/mustache is not there\n");
        skip();
    }
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        char path[128];
        (void)snprintf(path, sizeof path, "../shared/corpora/mustache/%s.json", files[i].file);
        json_t *all = json_load_file(path, 0, NULL), *test;
        const json_t *tests = json_object_get(all, "tests");
        size_t n;
        assert_true(json_array_size(tests) >= files[i].least);
        json_array_foreach(tests, n, test) check_spec_case(files[i].file, test);
        json_decref(all);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rendering),
        cmocka_unit_test(faults),
        cmocka_unit_test(what_is_not_looked_into_is_no_fault),
        cmocka_unit_test(caps_hold_on_both_sides),
        cmocka_unit_test(the_rendered_text_has_a_cap),
        cmocka_unit_test(the_steps_have_a_cap),
        cmocka_unit_test(the_specification_holds),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
