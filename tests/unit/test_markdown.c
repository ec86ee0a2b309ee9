#include "unit.h"

#include <stdio.h>

#include "base/text.h"
#include "mail/markdown.h"
#include "merge_show.h"

enum { SALUTATION, UNSUBSCRIBE, CITY, NAME };

struct fixture {
    struct arena arena;
    struct merge part;
    struct value root;
};

static int setup(void **state) {
    static struct fixture f;
    struct arena *a = &f.arena;
    arena_init(a);
    merge_init(&f.part);
    merge_text(&f.part, VIEW("<p>"));
    if (merge_seal(&f.part) < 0)
        return -1;
    struct value root = value_map(), event = value_map(), url = value_map(), attr = value_map(), topics = value_list(),
                 contact = value_map();
    static const char *const titles[] = {"Kunst & Kultur", "**Sport**", "1. Jugend"};
    (void)value_set(a, &event, "title", value_text("**Tag** der <Städte> [x](y) `&amp;`"));
    (void)value_set(a, &event, "url", value_text("https://x.example/?a=1&b=2"));
    (void)value_set(a, &event, "bad", value_text("javascript:alert(1)"));
    (void)value_set(a, &event, "lines", value_text("one\n\n# two\r\n> three\x1B[1m\xE2\x80\xAE\xFF"));
    (void)value_set(a, &contact, "mail", value_text("kontakt@x.example"));
    (void)value_set(a, &contact, "phone", value_text("+49 511 000000"));
    (void)value_set(a, &url, "unsubscribe", value_field(UNSUBSCRIBE));
    (void)value_set(a, &attr, "city", value_field(CITY));
    (void)value_set(a, &attr, "name", value_field(NAME));
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
    (void)value_set(a, &root, "yes", (struct value){.kind = VALUE_BOOL, .truth = true});
    (void)value_set(a, &root, "no", (struct value){.kind = VALUE_BOOL});
    (void)value_set(a, &root, "empty", value_text(""));
    (void)value_set(a, &root, "html", (struct value){.kind = VALUE_TEXT, .text = VIEW("<b>"), .raw = true});
    (void)value_set(a, &root, "body", (struct value){.kind = VALUE_TEXT, .part = &f.part});
    f.root = root;
    *state = &f;
    return arena_failed(a) ? -1 : 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    merge_done(&f->part);
    arena_done(&f->arena);
    return 0;
}

static const struct markdown_options options = {.links_title = "Links:", .cid_domain = "x.example"};

struct sample {
    const char *source, *html, *plain;
};

static void expect(struct fixture *f, const struct sample *s) {
    struct template_fault fault;
    struct markdown m;
    int r = markdown_render(view_of(s->source), &f->root, &options, &m, &fault);
    if (r < 0)
        fail_msg("%s: %d, fault %d, line %u, name %s", s->source, r, (int)fault.kind, fault.line, fault.name);
    AUTOBUF struct buf html = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20);
    merge_show(&m.html, &html);
    merge_show(&m.plain, &plain);
    unit_str(s->source, buf_str(&html), s->html);
    unit_str(s->source, buf_str(&plain), s->plain);
    markdown_done(&m);
}

static void expect_all(void **state, const struct sample *samples, size_t count) {
    for (size_t i = 0; i < count; i++)
        expect(*state, &samples[i]);
}

static void markup(void **state) {
    static const struct sample samples[] = {
        {"", "", ""},
        {"\n \n", "", ""},
        {"a\nb\n\nc", "<p>a\nb</p>\n<p>c</p>\n", "a b\n\nc\n"},
        {"a\r\nb\r\rc", "<p>a\nb</p>\n<p>c</p>\n", "a b\n\nc\n"},
        {"a\\\nb  \nc", "<p>a<br>\nb<br>\nc</p>\n", "a\nb\nc\n"},
        {"*a* **b** ***c*** `d  e`",
         "<p><em>a</em> <strong>b</strong> <em><strong>c</strong></em> <code>d  e</code></p>\n", "_a_ *b* _*c*_ d e\n"},
        {"\\*a\\* &copy; & < > \" '", "<p>*a* © &amp; &lt; &gt; &quot; &#39;</p>\n", "*a* © & < > \" '\n"},
        {"# Eins\nText\n\nZwei\n---\n### Drei ###\n", "<h1>Eins</h1>\n<p>Text</p>\n<h2>Zwei</h2>\n<h3>Drei</h3>\n",
         "Eins\n====\n\nText\n\nZwei\n----\n\nDrei\n----\n"},
        {"# A\n#\n", "<h1>A</h1>\n", "A\n===\n"},
        {"# Größe 東京", "<h1>Größe 東京</h1>\n", "Größe 東京\n==========\n"},
        {"- a\n- b\n  c\n\nd", "<ul>\n<li>a</li>\n<li>b\nc</li>\n</ul>\n<p>d</p>\n", "- a\n- b c\n\nd\n"},
        {"- a\n\n- b\n", "<ul>\n<li><p>a</p>\n</li>\n<li><p>b</p>\n</li>\n</ul>\n", "- a\n\n- b\n"},
        {"9. a\n10. b\n    - c\n", "<ol start=\"9\">\n<li>a</li>\n<li>b\n<ul>\n<li>c</li>\n</ul>\n</li>\n</ol>\n",
         "9. a\n10. b\n    - c\n"},
        {"-\n- x", "<ul>\n<li></li>\n<li>x</li>\n</ul>\n", "-\n- x\n"},
        {"> a\n> b\n>\n> > c\n", "<blockquote>\n<p>a\nb</p>\n<blockquote>\n<p>c</p>\n</blockquote>\n</blockquote>\n",
         "> a b\n>\n> > c\n"},
        {"- > a\n  > b\n\n  c\n", "<ul>\n<li><blockquote>\n<p>a\nb</p>\n</blockquote>\n<p>c</p>\n</li>\n</ul>\n",
         "- > a b\n\n  c\n"},
        {"    a  b\n\n    c\n", "<pre><code>a  b\n\nc</code></pre>\n", "    a  b\n\n    c\n"},
        {"- ```c\n  <x>\n  ```\n", "<ul>\n<li><pre><code>&lt;x&gt;</code></pre>\n</li>\n</ul>\n", "-     <x>\n"},
        {"a\n\n***\n\nb", "<p>a</p>\n<hr>\n<p>b</p>\n", "a\n\n* * *\n\nb\n"},
        {"Wir laden Sie und Ihre Freunde herzlich ein, am zweiten September nach Hildesheim zu kommen.",
         "<p>Wir laden Sie und Ihre Freunde herzlich ein, am zweiten September nach Hildesheim zu kommen.</p>\n",
         "Wir laden Sie und Ihre Freunde herzlich ein, am zweiten September nach\nHildesheim zu kommen.\n"},
        {"- Wir laden Sie und Ihre Freunde herzlich ein, am zweiten September nach Hildesheim zu kommen, wo",
         "<ul>\n<li>Wir laden Sie und Ihre Freunde herzlich ein, am zweiten September nach Hildesheim zu "
         "kommen, wo</li>\n</ul>\n",
         "- Wir laden Sie und Ihre Freunde herzlich ein, am zweiten September nach\n  Hildesheim zu kommen, wo\n"},
        {"| a | b |\n|---|---|\n| c | d |", "<p>| a | b |\n|---|---|\n| c | d |</p>\n",
         "| a | b | |---|---| | c | d |\n"},
    };
    expect_all(state, samples, COUNT_OF(samples));
}

static void links_and_images(void **state) {
    static const struct sample samples[] = {
        {"<https://x.example/> a", "<p><a href=\"https://x.example/\">https://x.example/</a> a</p>\n",
         "https://x.example/ a\n"},
        {"[a](https://x.example/) [b](<https://x.example/1 2>) [c](https://x.example/).",
         "<p><a href=\"https://x.example/\">a</a> <a href=\"https://x.example/1%202\">b</a> <a "
         "href=\"https://x.example/\">c</a>.</p>\n",
         "a [1] b [2] c [1].\n\nLinks:\n[1] https://x.example/\n[2] https://x.example/1%202\n"},
        {"<https://x.example/901234567890> <https://x.example/9012345678901>",
         "<p><a href=\"https://x.example/901234567890\">https://x.example/901234567890</a> <a "
         "href=\"https://x.example/9012345678901\">https://x.example/9012345678901</a></p>\n",
         "https://x.example/901234567890 [1]\n\nLinks:\n[1] https://x.example/9012345678901\n"},
        {"[a *b*][l]\n\n[l]: https://x.example/?a=1&b=\"2\" 'title'",
         "<p><a href=\"https://x.example/?a=1&amp;b=%222%22\">a <em>b</em></a></p>\n",
         "a _b_ [1]\n\nLinks:\n[1] https://x.example/?a=1&b=\"2\"\n"},
        {"<someone.with.a.long.name@partnerschaften.example>",
         "<p><a href=\"mailto:someone.with.a.long.name@partnerschaften.example\">"
         "someone.with.a.long.name@partnerschaften.example</a></p>\n",
         "someone.with.a.long.name@partnerschaften.example\n"},
        {"<v@x.example> [Mail](mailto:v@x.example) [+49 (511) 00-0](tel:+49511000) [Tel](tel:+49511000)",
         "<p><a href=\"mailto:v@x.example\">v@x.example</a> <a href=\"mailto:v@x.example\">Mail</a> <a "
         "href=\"tel:+49511000\">+49 (511) 00-0</a> <a href=\"tel:+49511000\">Tel</a></p>\n",
         "v@x.example Mail [1] +49 (511) 00-0 Tel [2]\n\nLinks:\n[1] v@x.example\n[2] +49511000\n"},
        {"[](https://x.example/) a", "<p><a href=\"https://x.example/\">https://x.example/</a> a</p>\n",
         "https://x.example/ a\n"},
        /* Others stay as text. */
        {"[a](javascript:alert(1)) [b](JAVASCRIPT:x) [c](data:text/html,x) [d](page.html) [e](#x) [f](//x.example) "
         "[*g*](ftp://x.example/)",
         "<p>a b c d e f <em>g</em></p>\n", "a b c d e f _g_\n"},
        {"[a](java&#10;script:x) [b](&#106;avascript:x)", "<p>a b</p>\n", "a b\n"},
        {"<javascript:alert(1)>", "<p>javascript:alert(1)</p>\n", "javascript:alert(1)\n"},
        /* Images. */
        {"![Ein *Bild*](a%20b.png) ![](<a b.png>) ![x](c.jpg)",
         "<p><img src=\"cid:img1@x.example\" alt=\"Ein Bild\"> <img src=\"cid:img1@x.example\" alt=\"\"> <img "
         "src=\"cid:img2@x.example\" alt=\"x\"></p>\n",
         "Ein Bild x\n"},
        {"[![Logo](l.png)](https://x.example/)",
         "<p><a href=\"https://x.example/\"><img src=\"cid:img1@x.example\" alt=\"Logo\"></a></p>\n",
         "Logo [1]\n\nLinks:\n[1] https://x.example/\n"},
        {"![a](https://x.example/a.png) ![*b*](../b.png) ![c](/etc/passwd) ![d](.d) ![e](x%2Fy.png) ![f](x%5Cy.png) "
         "![g](data:x) ![h](%0A.png) ![i](%FF.png) ![j]()",
         "<p>a <em>b</em> c d e f g h i j</p>\n", "a _b_ c d e f g h i j\n"},
        {"![\" onerror=\"x](a.png)", "<p><img src=\"cid:img1@x.example\" alt=\"&quot; onerror=&quot;x\"></p>\n",
         "\" onerror=\"x\n"},
    };
    expect_all(state, samples, COUNT_OF(samples));
}

static void raw_html_is_text(void **state) {
    static const struct sample samples[] = {
        {"a <b onclick=\"x\">c</b> <!-- d -->",
         "<p>a &lt;b onclick=&quot;x&quot;&gt;c&lt;/b&gt; &lt;!-- d --&gt;</p>\n",
         "a <b onclick=\"x\">c</b> <!-- d -->\n"},
        {"<script>\nalert(1)\n\n</script>\n", "<p>&lt;script&gt;<br>\nalert(1)<br>\n<br>\n&lt;/script&gt;</p>\n",
         "<script>\nalert(1)\n\n</script>\n"},
        {"<div>\n*a*\n</div>", "<p>&lt;div&gt;<br>\n*a*<br>\n&lt;/div&gt;</p>\n", "<div>\n*a*\n</div>\n"},
        {"<div>{{salutation}}\n{{#attr.city}}\nx\n{{/attr.city}}\n\na",
         "<p>&lt;div&gt;[0h]</p>\n[?2 <p>x</p>\n]<p>a</p>\n", "<div>[0p]\n[?2 \nx\n]\na\n"},
    };
    expect_all(state, samples, COUNT_OF(samples));
}

static void fields(void **state) {
    static const struct sample samples[] = {
        {"{{salutation}},\n\n**{{attr.city}}**, {{{attr.name}}} `{{attr.name}}`",
         "<p>[0h],</p>\n<p><strong>[2h]</strong>, [3h] <code>[3h]</code></p>\n", "[0p],\n\n*[2p]*, [3p] [3p]\n"},
        {"# {{attr.city}}!\n\n    {{attr.city}}\n", "<h1>[2h]!</h1>\n<pre><code>[2h]</code></pre>\n",
         "[2p]!\n=====================\n\n    [2p]\n"},
        {"snake_{{attr.city}}_case *{{attr.city}}*", "<p>snake_[2h]_case <em>[2h]</em></p>\n",
         "snake_[2p]_case _[2p]_\n"},
        {"{{url.unsubscribe}}", "<p>[1w]</p>\n", "[1p]\n"},
        {"[a]({{url.unsubscribe}}) [b]({{url.unsubscribe}}) [{{url.unsubscribe}}]({{url.unsubscribe}}/x)",
         "<p><a href=\"[1w]\">a</a> <a href=\"[1w]\">b</a> <a href=\"[1w]/x\">[1w]</a></p>\n",
         "a [1] b [1]\n[1p] [2]\n\nLinks:\n[1] [1p]\n[2] [1p]/x\n"},
        {"[{{url.unsubscribe}}]({{url.unsubscribe}})", "<p><a href=\"[1w]\">[1w]</a></p>\n",
         "[1]\n\nLinks:\n[1] [1p]\n"},
        {"[a](https://x.example/{{attr.city}}?u={{url.unsubscribe}}) [b](mailto:{{attr.name}})",
         "<p><a href=\"https://x.example/[2u]?u=[1u]\">a</a> <a href=\"mailto:[3u]\">b</a></p>\n",
         "a [1] b [2]\n\nLinks:\n[1] https://x.example/[2u]?u=[1u]\n[2] [3u]\n"},
        {"[{{attr.city}}][x]\n\n[x]: https://x.example/{{attr.city}}",
         "<p><a href=\"https://x.example/[2u]\">[2h]</a></p>\n", "[2p] [1]\n\nLinks:\n[1] https://x.example/[2u]\n"},
        {"[a]({{attr.city}}) [b]({{attr.city}}://x.example) [c](javascript:{{attr.city}}) ![d]({{attr.city}}.png)",
         "<p>a b c d</p>\n", "a b c d\n"},
        {"![{{attr.city}} & x](a.png \"{{attr.name}}\")",
         "<p><img src=\"cid:img1@x.example\" alt=\"[2h] &amp; x\"></p>\n", "[2p] & x\n"},
        /* What is known is never Markdown, nor HTML. */
        {"{{event.title}}", "<p>**Tag** der &lt;Städte&gt; [x](y) `&amp;amp;`</p>\n",
         "**Tag** der <Städte> [x](y) `&amp;`\n"},
        {"{{{event.title}}} {{&html}} {{html}}",
         "<p>**Tag** der &lt;Städte&gt; [x](y) `&amp;amp;` &lt;b&gt; &lt;b&gt;</p>\n",
         "**Tag** der <Städte> [x](y) `&amp;` <b> <b>\n"},
        {"{{event.lines}}", "<p>one  # two &gt; three[1m\xEF\xBF\xBD</p>\n", "one # two > three[1m\xEF\xBF\xBD\n"},
        {"*{{empty}}* {{empty}} `{{empty}}`\n\n{{empty}}\n\n# {{empty}}", "", ""},
        {"{{yes}}{{topics}}", "", ""},
        {"[a]({{event.url}}) [b]({{event.bad}}) [c](https://x.example/{{event.bad}}) [d]({{attr.city}}{{event.bad}})",
         "<p><a href=\"https://x.example/?a=1&amp;b=2\">a</a> b <a "
         "href=\"https://x.example/javascript%3Aalert%281%29\">c</a> d</p>\n",
         "a [1] b c [2] d\n\nLinks:\n[1] https://x.example/?a=1&b=2\n[2] "
         "https://x.example/javascript%3Aalert%281%29\n"},
        {"[{{contact.mail}}](mailto:{{contact.mail}}) [{{contact.phone}}](tel:{{contact.phone}})",
         "<p><a href=\"mailto:kontakt@x.example\">kontakt@x.example</a> <a href=\"tel:+49511000000\">+49 511 "
         "000000</a></p>\n",
         "kontakt@x.example +49 511 000000\n"},
        /* The characters that stand for fields inside cannot be written by the author. */
        {"\xF3\xB0\x80\x80 &#xF0000; &#983040; &#x0F0001; &#xF{{! }}0000; {{salutation}} &#xE000;",
         "<p>\xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD [0h] \xEE\x80\x80</p>\n",
         "\xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD \xEF\xBF\xBD [0p] \xEE\x80\x80\n"},
        {"a\xFF \xE2\x80\xAE \x1B[1m &#x202E; \xE2\x80\x8F", "<p>a\xEF\xBF\xBD  [1m  \xE2\x80\x8F</p>\n",
         "a\xEF\xBF\xBD [1m \xE2\x80\x8F\n"},
    };
    expect_all(state, samples, COUNT_OF(samples));
}

static void sections(void **state) {
    static const struct sample samples[] = {
        /* In a block. */
        {"a {{#attr.city}}*b* {{attr.city}} {{/attr.city}}c", "<p>a [?2 <em>b</em> [2h] ]c</p>\n",
         "a [?2 _b_ [2p] ]c\n"},
        {"{{#attr.city}}a{{/attr.city}}{{^attr.city}}b{{/attr.city}}", "<p>[?2 a][^2 b]</p>\n", "[?2 a][^2 b]\n"},
        {"[a{{#attr.city}} b{{/attr.city}}](https://x.example/)",
         "<p><a href=\"https://x.example/\">a[?2  b]</a></p>\n", "a[?2  b] [1]\n\nLinks:\n[1] https://x.example/\n"},
        {"`a{{#attr.city}}b{{/attr.city}}` ![c{{#attr.city}}d{{/attr.city}}](e.png)",
         "<p><code>a[?2 b]</code> <img src=\"cid:img1@x.example\" alt=\"c[?2 d]\"></p>\n", "a[?2 b] c[?2 d]\n"},
        {"a {{#yes}}*b* {{/yes}}{{#no}}c{{/no}}{{^no}}d{{/no}}", "<p>a <em>b</em> d</p>\n", "a _b_ d\n"},
        {"{{#topics}}{{title}}, {{/topics}}end", "<p>Kunst &amp; Kultur, **Sport**, 1. Jugend, end</p>\n",
         "Kunst & Kultur, **Sport**, 1. Jugend, end\n"},
        {"[a](https://x.example/{{#yes}}b{{/yes}})", "<p><a href=\"https://x.example/b\">a</a></p>\n",
         "a [1]\n\nLinks:\n[1] https://x.example/b\n"},
        /* Around whole blocks. */
        {"a\n\n{{#attr.city}}\nb\n\nc\n{{/attr.city}}\n\nd", "<p>a</p>\n[?2 <p>b</p>\n<p>c</p>\n]<p>d</p>\n",
         "a\n[?2 \nb\n\nc\n]\nd\n"},
        {"a\n{{#attr.city}}\nb\n{{/attr.city}}\nc", "<p>a</p>\n[?2 <p>b</p>\n]<p>c</p>\n", "a\n[?2 \nb\n]\nc\n"},
        {"{{#attr.city}}\na\n{{/attr.city}}\n{{^attr.city}}\nb\n{{/attr.city}}\nc",
         "[?2 <p>a</p>\n][^2 <p>b</p>\n]<p>c</p>\n", "[?2 a\n\n][^2 b\n\n]c\n"},
        {"{{#attr.city}}\n{{#attr.name}}\na\n{{/attr.name}}\nb\n{{/attr.city}}\nc",
         "[?2 [?3 <p>a</p>\n]<p>b</p>\n]<p>c</p>\n", "[?2 [?3 a\n\n]b\n\n]c\n"},
        {"{{#yes}}\n# a\n{{/yes}}\n{{#no}}\nb\n{{/no}}\nc", "<h1>a</h1>\n<p>c</p>\n", "a\n===\n\nc\n"},
        {"{{#attr.city}}{{#yes}}\n\na\n\n{{/yes}}{{/attr.city}}", "[?2 <p>a</p>\n]", "[?2 a\n\n]"},
        /* All there is of a block: the block itself goes. */
        {"{{#attr.city}}Aus {{attr.city}}.{{/attr.city}}\n\nb", "[?2 <p>Aus [2h].</p>\n]<p>b</p>\n",
         "[?2 Aus [2p].\n\n]b\n"},
        {"> {{#attr.city}}\n> a\n> {{/attr.city}}", "[?2 <blockquote>\n<p>a</p>\n</blockquote>\n]", "[?2 > a\n\n]"},
        {"- a\n- {{#attr.city}}b{{/attr.city}}\n", "<ul>\n<li>a</li>\n[?2 <li>b</li>\n]</ul>\n", "- a\n[?2 - b\n]"},
        {"1. a\n2. {{#attr.city}}b{{/attr.city}}\n3. c\n",
         "<ol>\n<li value=\"1\">a</li>\n[?2 <li value=\"2\">b</li>\n]<li value=\"3\">c</li>\n</ol>\n",
         "1. a\n[?2 2. b\n]3. c\n"},
        {"- {{#attr.city}}a{{/attr.city}}\n\n  b\n", "<ul>\n<li>[?2 <p>a</p>\n]<p>b</p>\n</li>\n</ul>\n",
         "-\n[?2   a\n\n]  b\n"},
        /* Around items. */
        {"- a\n{{#attr.city}}\n- b\n- c\n{{/attr.city}}\n- d\n",
         "<ul>\n<li>a</li>\n[?2 <li>b</li>\n<li>c</li>\n]<li>d</li>\n</ul>\n", "- a\n[?2 - b\n- c\n]- d\n"},
        {"{{#topics}}\n1. {{title}}\n{{/topics}}\n\na",
         "<ol>\n<li>Kunst &amp; Kultur</li>\n<li>**Sport**</li>\n<li>1. Jugend</li>\n</ol>\n<p>a</p>\n",
         "1. Kunst & Kultur\n2. **Sport**\n3. 1. Jugend\n\na\n"},
        {"1. a\n{{#attr.city}}\n2. b\n{{/attr.city}}\n",
         "<ol>\n<li>a</li>\n</ol>\n[?2 <ol start=\"2\">\n<li>b</li>\n</ol>\n]", "1. a\n[?2 \n2. b\n]"},
        /* In code. */
        {"```\na\n{{#attr.city}}\n  b\n{{/attr.city}}\nc\n\n{{#yes}}\nd\n{{/yes}}\n```\n",
         "<pre><code>a\n[?2   b\n]c\n\nd</code></pre>\n", "    a\n    [?2   b\n    ]c\n\n    d\n"},
        {"    a\n    {{#yes}}\n    b\n    {{/yes}}\n", "<pre><code>a\nb</code></pre>\n", "    a\n    b\n"},
        /* A link is listed where its text may stand. */
        {"{{#attr.city}}[a](https://x.example/1){{/attr.city}} [b](https://x.example/2)",
         "<p>[?2 <a href=\"https://x.example/1\">a</a>] <a href=\"https://x.example/2\">b</a></p>\n",
         "[?2 a [1]] b [2]\n\nLinks:\n[?2 [1] https://x.example/1\n][2] https://x.example/2\n"},
        {"{{#attr.city}}\n[a](https://x.example/1)\n{{/attr.city}}\n[b](https://x.example/1)",
         "[?2 <p><a href=\"https://x.example/1\">a</a></p>\n]<p><a href=\"https://x.example/1\">b</a></p>\n",
         "[?2 a [1]\n\n]b [1]\n\nLinks:\n[1] https://x.example/1\n"},
        {"{{#attr.city}}\n[a](https://x.example/1) "
         "{{^attr.name}}[b](https://x.example/2){{/attr.name}}\n{{/attr.city}}",
         "[?2 <p><a href=\"https://x.example/1\">a</a> [^3 <a href=\"https://x.example/2\">b</a>]</p>\n]",
         "[?2 a [1] [^3 b [2]]\n\n][?2 \nLinks:\n[1] https://x.example/1\n[^3 [2] https://x.example/2\n]]"},
    };
    expect_all(state, samples, COUNT_OF(samples));
}

static void other_scripts(void **state) {
    static const struct sample samples[] = {
        {"שלום **עולם**, [קישור](https://x.example/א)",
         "<p>שלום <strong>עולם</strong>, <a href=\"https://x.example/%D7%90\">קישור</a></p>\n",
         "שלום *עולם*, קישור [1]\n\nLinks:\n[1] https://x.example/א\n"},
        {"- 東京都千代田区一番東京都千代田区一番東京都千代田区一番東京都千代田区一番町\n",
         "<ul>\n<li>東京都千代田区一番東京都千代田区一番東京都千代田区一番東京都千代田区一番町</li>\n</ul>\n",
         "- 東京都千代田区一番東京都千代田区一番東京都千代田区一番東京都千代田区一\n  番町\n"},
        {"# Привіт, друзі", "<h1>Привіт, друзі</h1>\n", "Привіт, друзі\n=============\n"},
    };
    expect_all(state, samples, COUNT_OF(samples));
}

static void headings_below_a_heading(void **state) {
    struct fixture *f = *state;
    const struct markdown_options below = {.heading_top = 2};
    struct template_fault fault;
    struct markdown m;
    AUTOBUF struct buf html = BUF_INIT(1 << 20);
    assert_int_equal(markdown_render(VIEW("# a\n## b\n##### e\n###### f\n"), &f->root, &below, &m, &fault), 0);
    merge_show(&m.html, &html);
    assert_string_equal(buf_str(&html), "<h2>a</h2>\n<h3>b</h3>\n<h6>e</h6>\n<h6>f</h6>\n");
    markdown_done(&m);
    /* Whichever sign the writer likes best: no level is left out, in lists and quotes neither. */
    buf_clear(&html);
    assert_int_equal(markdown_render(VIEW("### c\n> ## b\n\n###### f\n"), &f->root, &below, &m, &fault), 0);
    merge_show(&m.html, &html);
    assert_string_equal(buf_str(&html), "<h3>c</h3>\n<blockquote>\n<h2>b</h2>\n</blockquote>\n<h6>f</h6>\n");
    markdown_done(&m);
}

static void styles_and_previews(void **state) {
    struct fixture *f = *state;
    const struct markdown_options styled = {
        .link_style = "color:\"red\"",
        .heading_style = "h",
        .paragraph_style = "p",
        .list_style = "l",
        .quote_style = "q",
        .code_style = "c",
        .image_style = "i",
        .rule_style = "r",
    };
    struct template_fault fault;
    struct markdown m;
    AUTOBUF struct buf html = BUF_INIT(1 << 20), plain = BUF_INIT(1 << 20);
    struct view source = VIEW("# a\n[b](https://x.example/) ![c](d%20<.png)\n- e\n> f\n\n    g\n\n***\n");
    assert_int_equal(markdown_render(source, &f->root, &styled, &m, &fault), 0);
    merge_show(&m.html, &html);
    assert_string_equal(buf_str(&html),
                        "<h1 style=\"h\">a</h1>\n"
                        "<p style=\"p\"><a href=\"https://x.example/\" style=\"color:&quot;red&quot;\">b</a> "
                        "<img src=\"d%20%3C.png\" alt=\"c\" style=\"i\"></p>\n"
                        "<ul style=\"l\">\n<li>e</li>\n</ul>\n"
                        "<blockquote style=\"q\">\n<p style=\"p\">f</p>\n</blockquote>\n"
                        "<pre style=\"c\"><code>g</code></pre>\n<hr style=\"r\">\n");
    merge_show(&m.plain, &plain);
    assert_string_equal(buf_str(&plain),
                        "a\n===\n\nb [1] c\n\n- e\n\n> f\n\n    g\n\n* * *\n\n\n[1] https://x.example/\n");
    assert_int_equal(m.image_count, 1);
    assert_string_equal(m.images[0].file, "d <.png");
    assert_string_equal(m.images[0].content_id, "img1");
    markdown_done(&m);
}

/* Only what shows itself is no text of the language around it. */
static void addresses_keep_their_direction(void **state) {
    struct fixture *f = *state;
    static const struct {
        const char *source, *want;
    } cases[] = {
        {"<https://x.example/>", "<p><a dir=\"ltr\" href=\"https://x.example/\">https://x.example/</a></p>\n"},
        {"<a@x.example>", "<p><a dir=\"ltr\" href=\"mailto:a@x.example\">a@x.example</a></p>\n"},
        {"[שלום](https://x.example/)", "<p><a href=\"https://x.example/\">שלום</a></p>\n"},
        {"[https://x.example/ **b**](https://x.example/)",
         "<p><a href=\"https://x.example/\">https://x.example/ <strong>b</strong></a></p>\n"},
    };
    struct markdown_options rtl = options;
    rtl.is_rtl = true;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct template_fault fault;
        struct markdown m;
        AUTOBUF struct buf html = BUF_INIT(1 << 20);
        assert_int_equal(markdown_render(view_of(cases[i].source), &f->root, &rtl, &m, &fault), 0);
        merge_show(&m.html, &html);
        assert_string_equal(buf_str(&html), cases[i].want);
        markdown_done(&m);
    }
}

static int fault_of(struct fixture *f, struct view source, struct template_fault *fault) {
    struct markdown m;
    int r = markdown_render(source, &f->root, &options, &m, fault);
    if (r == 0)
        markdown_done(&m);
    assert_int_equal(r == 0, fault->kind == TEMPLATE_OK);
    assert_true(r == 0 || r == -EINVAL);
    return fault->kind;
}

static void faults(void **state) {
    static const struct {
        const char *source;
        int kind;
        unsigned line;
        const char *name;
    } cases[] = {
        {"a\n\n{{salutaton}}", TEMPLATE_UNKNOWN_FIELD, 3, "salutaton"},
        {"{{body}}", TEMPLATE_UNKNOWN_FIELD, 1, "body"},
        {"a\r\n{{#yes}}", TEMPLATE_UNCLOSED_SECTION, 2, "yes"},
        {"{{> x}}", TEMPLATE_NOT_SERVED, 1, "x"},
        {"{{salutation.x}}", TEMPLATE_FIELD_IN_LIST, 1, "salutation.x"},
        {"a\nb {{#attr.city}}c\n\nd{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 2, "attr.city"},
        {"a\nb {{#yes}}c\n\nd{{/yes}}", TEMPLATE_SECTION_CROSSING, 2, "yes"},
        {"*a {{#attr.city}}b* c{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 1, "attr.city"},
        {"{{#attr.city}}*a{{/attr.city}} b*", TEMPLATE_SECTION_CROSSING, 1, "attr.city"},
        {"- a\n- {{#attr.city}}b\n- c{{/attr.city}}\n", TEMPLATE_SECTION_CROSSING, 2, "attr.city"},
        {"\n{{#attr.city}}\na\n\nb{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 5, "attr.city"},
        {"> a\n> {{#attr.city}}\n\nb\n{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 2, "attr.city"},
        {"[a{{#attr.city}}](https://x.example/)b{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 1, "attr.city"},
        {"\n[a](https://x.example/{{#attr.city}}b{{/attr.city}})", TEMPLATE_SECTION_CROSSING, 2, "attr.city"},
        {"[a](https://x.example/{{#yes}}b) c{{/yes}}", TEMPLATE_SECTION_CROSSING, 1, "yes"},
        {"`a {{#attr.city}}` b{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 1, "attr.city"},
        {"```\na\n{{#attr.city}}\n```\n{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 3, "attr.city"},
        {"![a{{#attr.city}}](b.png)c{{/attr.city}}", TEMPLATE_SECTION_CROSSING, 1, "attr.city"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct template_fault f;
        unit_int(cases[i].source, fault_of(*state, view_of(cases[i].source), &f), cases[i].kind);
        unit_int(cases[i].source, f.line, cases[i].line);
        unit_str(cases[i].source, f.name, cases[i].name);
    }
}

/* `head`, then `unit` `count` times with its number for %u; the fault's kind. */
static int kind_of_many(void **state, const char *head, const char *before, const char *after, unsigned count) {
    AUTOBUF struct buf source = BUF_INIT(1 << 20);
    struct template_fault f;
    buf_puts(&source, head);
    for (unsigned i = 0; i < count; i++) {
        buf_puts(&source, before);
        if (after)
            buf_printf(&source, "%u%s", i, after);
    }
    buf_puts(&source, "x");
    assert_int_equal(buf_error(&source), 0);
    return fault_of(*state, buf_view(&source), &f);
}

static void caps_hold_on_both_sides(void **state) {
    static const struct {
        const char *head, *before, *after;
        unsigned most;
    } cases[] = {
        {"", "y", NULL, MARKDOWN_SOURCE_MAX_BYTES - 1},
        /* Each written out is four bytes in place of a name, the sections three items long. */
        {"", "{{#topics}}                    {{/topics}}\n\n", NULL, (MARKDOWN_SOURCE_MAX_BYTES - 1) / (28 * 3 + 2)},
        {"", "> ", NULL, MARKDOWN_DEPTH_MAX - 2}, /* the document and the paragraph */
        {"", "![a](", ".png) ", MARKDOWN_IMAGES_MAX},
        {"", "[a](https://x.example/", ") ", MARKDOWN_LINKS_MAX},
        {"![a](0.png) ![a](0.png)", "![a](", ".png) ", MARKDOWN_IMAGES_MAX},
        {"[a](https://x.example/0) ", "[a](https://x.example/", ") ", MARKDOWN_LINKS_MAX},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        unit_int(cases[i].before, kind_of_many(state, cases[i].head, cases[i].before, cases[i].after, cases[i].most),
                 TEMPLATE_OK);
        unit_int(cases[i].before,
                 kind_of_many(state, cases[i].head, cases[i].before, cases[i].after, cases[i].most + 1),
                 TEMPLATE_TOO_BIG);
    }
}

static void a_file_name_has_a_cap(void **state) {
    struct fixture *f = *state;
    for (size_t len = 254; len <= 257; len++) {
        AUTOBUF struct buf source = BUF_INIT(1000);
        struct template_fault fault;
        struct markdown m;
        buf_puts(&source, "![a](");
        for (size_t i = 0; i < len; i++)
            buf_putc(&source, 'x');
        buf_puts(&source, ")");
        assert_int_equal(markdown_render(buf_view(&source), &f->root, &options, &m, &fault), 0);
        assert_int_equal(m.image_count, len <= 255);
        markdown_done(&m);
    }
}

/* A value may be long and stand often: the tree has a cap of its own. */
static void written_out_values_have_a_cap(void **state) {
    struct fixture *f = *state;
    static char big[1 << 20];
    memset(big, 'x', sizeof big);
    struct value root = value_map();
    (void)value_set(&f->arena, &root, "v", (struct value){.kind = VALUE_TEXT, .text = view_make(big, sizeof big)});
    struct template_fault fault;
    struct markdown m;
    assert_int_equal(markdown_render(VIEW("{{v}}{{v}}{{v}}{{v}}"), &root, &options, &m, &fault), 0);
    markdown_done(&m);
    assert_int_equal(markdown_render(VIEW("{{v}}{{v}}{{v}}{{v}}x"), &root, &options, &m, &fault), -EINVAL);
    assert_int_equal(fault.kind, TEMPLATE_TOO_BIG);
}

/* What tries to break out, in every place, filled in: no mark of it may come through. */
static void no_value_breaks_out(void **state) {
    struct fixture *f = *state;
    static const char source[] =
        "{{attr.city}} *{{attr.city}}* `{{attr.city}}` [{{attr.city}}](https://x.example/{{attr.city}}) "
        "[a]({{url.unsubscribe}}) ![{{attr.city}}](a.png)\n\n# {{attr.city}}\n\n    {{attr.city}}\n";
    static const struct view values[] = {VIEW(""), VIEW("https://x.example/\"><script>&'"),
                                         VIEW("\"><script>'&\n\n# x"), VIEW("")};
    struct template_fault fault;
    struct markdown m;
    AUTOBUF struct buf html = BUF_INIT(1 << 20);
    assert_int_equal(markdown_render(view_of(source), &f->root, &options, &m, &fault), 0);
    merge_fill(&m.html, values, &html);
    assert_null(strstr(buf_str(&html), "<script"));
    assert_null(strstr(buf_str(&html), "\">&lt;script"));
    assert_null(strstr(buf_str(&html), "<h1>x"));
    assert_non_null(strstr(buf_str(&html), "href=\"https://x.example/%22%3E%3Cscript%3E%27%26"));
    markdown_done(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markup),
        cmocka_unit_test(links_and_images),
        cmocka_unit_test(raw_html_is_text),
        cmocka_unit_test(fields),
        cmocka_unit_test(sections),
        cmocka_unit_test(other_scripts),
        cmocka_unit_test(headings_below_a_heading),
        cmocka_unit_test(styles_and_previews),
        cmocka_unit_test(addresses_keep_their_direction),
        cmocka_unit_test(faults),
        cmocka_unit_test(caps_hold_on_both_sides),
        cmocka_unit_test(a_file_name_has_a_cap),
        cmocka_unit_test(written_out_values_have_a_cap),
        cmocka_unit_test(no_value_breaks_out),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
