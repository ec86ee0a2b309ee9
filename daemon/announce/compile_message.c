/* The message of a compiled announcement: its header fields and MIME parts. */
#include "announce/compiled.h"

#include <errno.h>
#include <string.h>

#include "base/encode.h"
#include "conf/conf.h"
#include "mail/calendar.h"

static const char *content_type(struct view bytes, const char *name) {
    static const struct {
        const char *magic;
        size_t len;
        const char *type;
    } magics[] = {{"\x89PNG\r\n\x1a\n", 8, "image/png"},
                  {"\xFF\xD8\xFF", 3, "image/jpeg"},
                  {"GIF8", 4, "image/gif"},
                  {"%PDF-", 5, "application/pdf"}};
    static const struct {
        const char *ending, *type;
    } endings[] = {
        {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
        {".odt", "application/vnd.oasis.opendocument.text"},
        {".ods", "application/vnd.oasis.opendocument.spreadsheet"},
        {".zip", "application/zip"},
    };
    for (size_t i = 0; i < COUNT_OF(magics); i++)
        if (bytes.len >= magics[i].len && memcmp(bytes.ptr, magics[i].magic, magics[i].len) == 0)
            return magics[i].type;
    for (size_t i = 0; i < COUNT_OF(endings); i++)
        if (view_ends(view_of(name), endings[i].ending))
            return endings[i].type;
    return "application/octet-stream";
}

static struct view bundled(struct compiling *g, const char *name) {
    const char *path = arena_printf(&g->c->arena, "files/%s", name);
    return path ? bundle_get(g->c->bundle, path) : (struct view){0};
}

static int make_calendar(struct compiling *g, struct buf *ics) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    AUTOBUF struct buf about = BUF_INIT(8192);
    static const enum draft_key lines[] = {DRAFT_CONTACT_NAME, DRAFT_CONTACT_PHONE, DRAFT_CONTACT_MAIL, DRAFT_URL};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (draft_has(d, lines[i]))
            buf_printf(&about, "%s%s", about.len ? "\n" : "", draft_text(d, lines[i]));
    const struct event event = {
        .title = draft_has(d, DRAFT_TITLE) ? draft_text(d, DRAFT_TITLE) : draft_text(d, DRAFT_SUBJECT),
        .location = draft_text(d, DRAFT_LOCATION),
        .url = draft_text(d, DRAFT_URL),
        .description = buf_str(&about),
        .start = c->event.start,
        .end = c->event.end,
        .zone = c->event.zone,
        .repeat = "",
    };
    const struct conf_sender *s = c->list->sender;
    const struct calendar_identity identity = {
        .uid = c->head.uid,
        .sequence = c->head.sequence,
        .organizer_name = s->organisation[0] ? s->organisation : s->name,
        .organizer_address = s->reply_to[0] ? s->reply_to : s->address,
        .stamp_usec = c->head.created_usec,
    };
    return calendar_publish(&event, &identity, ics, g->why);
}

enum { PARTS_MAX = 64 };

static int add_attachments(struct compiling *g, struct part *parts, size_t *count) {
    const struct draft *d = compiled_draft(g->c);
    struct view rest = view_of(draft_text(d, DRAFT_ATTACH)), item;
    while (view_split(&rest, ',', &item)) {
        item = view_trim(item);
        if (item.len == 0)
            continue;
        char *name = arena_dup(&g->c->arena, item);
        struct view bytes = name ? bundled(g, name) : (struct view){0};
        if (!bytes.ptr || *count == PARTS_MAX)
            return why_set(g->why, -EINVAL, "the bundle lacks an attachment");
        parts[(*count)++] =
            (struct part){.kind = PART_BYTES, .type = content_type(bytes, name), .bytes = bytes, .filename = name};
    }
    return 0;
}

static int add_images(struct compiling *g, struct part *parts, size_t *count) {
    struct compiled *c = g->c;
    for (size_t i = 0; i < c->body.image_count; i++) {
        const struct markdown_image *image = &c->body.images[i];
        struct view bytes = bundled(g, image->file);
        if (!bytes.ptr || *count == PARTS_MAX)
            return why_set(g->why, -EINVAL, "the bundle lacks an image");
        parts[(*count)++] = (struct part){
            .kind = PART_BYTES,
            .type = content_type(bytes, image->file),
            .bytes = bytes,
            .filename = image->file,
            .content_id = arena_printf(&c->arena, "%s@%s", image->content_id, compiled_domain(c)),
            .is_inline = true,
        };
    }
    return 0;
}

static int build_body(struct compiling *g) {
    struct compiled *c = g->c;
    struct part mixed[PARTS_MAX + 2] = {0}, related[PARTS_MAX + 1] = {0}, alternative[2] = {0};
    size_t mixed_count = 1, related_count = 1;
    AUTOBUF struct buf ics = BUF_INIT(CALENDAR_FILE_MAX_BYTES), seed = BUF_INIT(512);
    int r = add_images(g, related, &related_count);
    related[0] = (struct part){.kind = PART_TEXT, .type = "text/html", .text = &c->html, .language = g->language};
    alternative[0] = (struct part){.kind = PART_TEXT, .type = "text/plain", .text = &c->plain, .language = g->language};
    alternative[1] = related_count > 1
                         ? (struct part){.kind = PART_RELATED, .children = related, .child_count = related_count}
                         : related[0];
    mixed[0] = (struct part){.kind = PART_ALTERNATIVE, .children = alternative, .child_count = 2};
    if (r == 0 && c->event.zone) {
        r = make_calendar(g, &ics);
        mixed[mixed_count++] = (struct part){
            .kind = PART_BYTES,
            .type = "text/calendar; method=PUBLISH; charset=UTF-8; component=vevent",
            .bytes = buf_view(&ics),
            .filename = arena_printf(&c->arena, "%s.ics", c->head.name),
        };
    }
    if (r == 0)
        r = add_attachments(g, mixed, &mixed_count);
    const struct part root =
        mixed_count > 1 ? (struct part){.kind = PART_MIXED, .children = mixed, .child_count = mixed_count} : mixed[0];
    encode_hex(&seed, c->head.identity, 8);
    buf_printf(&seed, "%s", g->language);
    if (r == 0 && arena_failed(&c->arena))
        r = -ENOMEM;
    if (r == 0)
        r = message_body(c->message, &root, buf_str(&seed));
    return r;
}

void compile_list_id(const struct conf_list *list, struct buf *to) {
    const char *at = strrchr(list->sender->address, '@');
    buf_printf(to, "%s.%s", list->name, at ? at + 1 : "localhost");
}

static const char *reply_to_of(const struct compiled *c, const struct draft *d) {
    const struct conf_sender *s = c->list->sender;
    const char *const choices[] = {draft_text(d, DRAFT_REPLY_TO), draft_text(d, DRAFT_CONTACT_MAIL), c->list->reply_to,
                                   s->reply_to};
    for (size_t i = 0; i < COUNT_OF(choices); i++)
        if (choices[i][0])
            return choices[i];
    return s->address;
}

static void first_of(int *error, int r) {
    if (*error == 0)
        *error = r;
}

static int build_headers(struct compiling *g) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    const struct conf_list *l = c->list;
    const struct conf_sender *s = l->sender;
    struct message *m = c->message;
    const char *from = draft_has(d, DRAFT_FROM_NAME) ? draft_text(d, DRAFT_FROM_NAME)
                       : l->from_name[0]             ? l->from_name
                                                     : s->name;
    const char *reply_to = reply_to_of(c, d);
    AUTOBUF struct buf text = BUF_INIT(4096);
    int r = 0;
    first_of(&r, message_header_mailbox(m, "From", view_of(from), view_of(s->address)));
    first_of(&r, message_header_field_utf8(m, "To", FIELD_TO));
    first_of(&r, message_header_merge(m, "Subject", &c->subject));
    first_of(&r, message_header_field(m, "Date", FIELD_DATE));
    first_of(&r, message_header_field(m, "Message-ID", FIELD_MESSAGE_ID));
    if (strcmp(reply_to, s->address) != 0)
        first_of(&r, message_header_mailbox(m, "Reply-To", (struct view){0}, view_of(reply_to)));
    compile_list_id(l, &text);
    first_of(&r, message_header_mailbox(m, "List-Id", view_of(conf_list_title(l, g->language)), buf_view(&text)));
    first_of(&r, message_header_field(m, "List-Unsubscribe", FIELD_LIST_UNSUBSCRIBE));
    first_of(&r, message_header_raw(m, "List-Unsubscribe-Post", VIEW("List-Unsubscribe=One-Click")));
    buf_clear(&text);
    buf_printf(&text, "<mailto:%s>", reply_to);
    first_of(&r, message_header_raw(m, "List-Owner", buf_view(&text)));
    if (s->imprint_url[0]) {
        buf_clear(&text);
        buf_printf(&text, "<%s>", s->imprint_url);
    }
    first_of(&r, message_header_raw(m, "List-Help", buf_view(&text)));
    first_of(&r, message_header_raw(m, "Precedence", VIEW("bulk")));
    first_of(&r, message_header_raw(m, "X-Auto-Response-Suppress", VIEW("OOF, AutoReply")));
    return r;
}

int compile_message(struct compiling *g) {
    int r = message_new(&g->c->message);
    if (r == 0) {
        r = build_headers(g);
        if (r < 0)
            (void)why_set(g->why, r, "a setting or the subject cannot stand in a header field");
    }
    return r == 0 ? build_body(g) : r;
}
