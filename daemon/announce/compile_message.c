/* The message of a compiled announcement: its header fields and MIME parts. */
#include "announce/compiled.h"

#include <errno.h>
#include <string.h>

#include "base/encode.h"
#include "base/text.h"
#include "conf/conf.h"
#include "mail/address.h"
#include "mail/calendar.h"
#include "mail/link.h"

static const char *content_type(struct view bytes, const char *name) {
    static const struct {
        const char *ending, *type;
    } endings[] = {
        {".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
        {".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
        {".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
        {".odt", "application/vnd.oasis.opendocument.text"},
        {".ods", "application/vnd.oasis.opendocument.spreadsheet"},
        {".odp", "application/vnd.oasis.opendocument.presentation"},
        {".zip", "application/zip"},
    };
    const char *picture = compile_picture_type(bytes);
    struct view v = view_of(name);
    if (picture)
        return picture;
    if (view_starts(bytes, "%PDF-"))
        return "application/pdf";
    for (size_t i = 0; i < COUNT_OF(endings); i++) {
        size_t len = strlen(endings[i].ending);
        if (v.len > len && view_eq_nocase(view_slice(v, v.len - len, len), endings[i].ending))
            return endings[i].type;
    }
    return "application/octet-stream";
}

/* An address as it goes on the wire. */
static const char *wire_address(struct compiling *g, const char *text) {
    struct address a;
    enum address_fault fault = address_parse(view_of(text), &a);
    if (fault == ADDRESS_NO_MEMORY)
        arena_fail(g->arena);
    const char *spelled = fault == ADDRESS_OK ? arena_strdup(g->arena, a.spelled) : NULL;
    return spelled ? spelled : text;
}

static int make_calendar(struct compiling *g, struct buf *ics) {
    struct compiled *c = g->c;
    const struct draft *d = compiled_draft(c);
    AUTOBUF struct buf about = BUF_INIT(8192);
    static const enum draft_key lines[] = {DRAFT_CONTACT_NAME, DRAFT_CONTACT_PHONE, DRAFT_CONTACT_MAIL, DRAFT_URL};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (draft_has(d, lines[i]))
            buf_printf(&about, "%s%s", about.len ? "\n" : "", draft_text(d, lines[i]));
    if (buf_error(&about) == -ENOMEM)
        return -ENOMEM;
    const struct event event = {
        .title = draft_event_title(d),
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
        .organizer_address = wire_address(g, s->reply_to[0] ? s->reply_to : s->address),
        .stamp_usec = c->head.created_usec,
    };
    return calendar_publish(&event, &identity, ics, g->why);
}

const char *compiled_logo_id(const struct compiling *g) {
    return arena_printf(&g->c->arena, "logo@%s", g->c->domain);
}

/* With the body and the event; the logo. */
enum { MIXED_MAX = COMPILE_ATTACHMENTS_MAX + 2, RELATED_MAX = MARKDOWN_IMAGES_MAX + 2 };

/* p.bytes are one of the bundle's files. */
static int add_file(struct compiling *g, struct part *parts, size_t *count, struct part p) {
    p.kind = PART_BYTES;
    int r = bundle_enclosure(g->c->bundle, p.bytes, &p.enclosure);
    if (r < 0)
        return why_set(g->why, r, "an attachment or picture cannot be encoded: %s", strerror(-r));
    parts[(*count)++] = p;
    return 0;
}

static int add_attachments(struct compiling *g, struct part *parts, size_t *count) {
    const struct draft *d = compiled_draft(g->c);
    struct view rest = view_of(draft_text(d, DRAFT_ATTACH)), item;
    while (view_split(&rest, ',', &item)) {
        item = view_trim(item);
        if (item.len == 0)
            continue;
        char *name = arena_dup(g->arena, item);
        struct view bytes = name ? compiled_file(g, name) : (struct view){0};
        if (arena_failed(g->arena))
            return -ENOMEM;
        if (!bytes.ptr || *count == MIXED_MAX)
            return why_set(g->why, -EINVAL, "the bundle lacks an attachment, or has too many");
        int r = add_file(g, parts, count,
                         (struct part){.type = content_type(bytes, name), .bytes = bytes, .filename = name});
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_images(struct compiling *g, struct part *parts, size_t *count) {
    struct compiled *c = g->c;
    for (size_t i = 0; i < g->body.image_count; i++) {
        const struct markdown_image *image = &g->body.images[i];
        struct view bytes = compiled_file(g, image->file);
        if (arena_failed(g->arena))
            return -ENOMEM;
        if (!bytes.ptr)
            return why_set(g->why, -EINVAL, "the bundle lacks an image");
        const struct part p = {
            .type = content_type(bytes, image->file),
            .bytes = bytes,
            .filename = image->file,
            .content_id = arena_printf(&c->arena, "%s@%s", image->content_id, c->domain),
            .is_inline = true,
        };
        int r = add_file(g, parts, count, p);
        if (r < 0)
            return r;
    }
    return 0;
}

static int add_logo(struct compiling *g, struct part *parts, size_t *count) {
    if (!g->logo.ptr)
        return 0;
    const char *type = compile_picture_type(g->logo);
    const struct part p = {
        .type = type,
        .bytes = g->logo,
        .filename = arena_printf(g->arena, "logo.%s", strcmp(type, "image/jpeg") == 0 ? "jpg" : type + 6),
        .content_id = compiled_logo_id(g),
        .is_inline = true,
    };
    return add_file(g, parts, count, p);
}

static int keep_pictures(struct compiling *g, const struct part *parts, size_t count) {
    struct compiled *c = g->c;
    for (size_t i = 0; i < count && c->picture_count < COUNT_OF(c->pictures); i++) {
        const char *bytes = arena_dup(&c->arena, parts[i].bytes);
        if (!bytes)
            return -ENOMEM;
        c->pictures[c->picture_count++] =
            (struct picture){parts[i].content_id, parts[i].type, view_make(bytes, parts[i].bytes.len)};
    }
    return 0;
}

static int build_body(struct compiling *g) {
    struct compiled *c = g->c;
    struct part mixed[MIXED_MAX] = {0}, related[RELATED_MAX] = {0}, alternative[2] = {0};
    size_t mixed_count = 1, related_count = 1;
    AUTOBUF struct buf ics = BUF_INIT(CALENDAR_FILE_MAX_BYTES), seed = BUF_INIT(512);
    int r = add_logo(g, related, &related_count);
    if (r == 0)
        r = add_images(g, related, &related_count);
    if (r == 0 && (g->options->preview || g->options->archive))
        r = keep_pictures(g, &related[1], related_count - 1);
    related[0] = (struct part){.kind = PART_TEXT, .type = "text/html", .text = &c->html, .language = g->language};
    alternative[0] = (struct part){.kind = PART_TEXT, .type = "text/plain", .text = &c->plain, .language = g->language};
    alternative[1] = related_count > 1
                         ? (struct part){.kind = PART_RELATED, .children = related, .child_count = related_count}
                         : related[0];
    mixed[0] = (struct part){.kind = PART_ALTERNATIVE, .children = alternative, .child_count = 2};
    if (r == 0 && c->event.zone) {
        r = make_calendar(g, &ics);
        const char *kept = r == 0 && g->options->archive ? arena_dup(&c->arena, buf_view(&ics)) : NULL;
        if (kept)
            c->calendar = view_make(kept, ics.len);
        mixed[mixed_count++] = (struct part){
            .kind = PART_BYTES,
            .type = "text/calendar; method=PUBLISH; charset=UTF-8; component=vevent",
            .bytes = buf_view(&ics),
            .filename = arena_printf(g->arena, "%s.ics", c->head.name),
        };
    }
    if (r == 0)
        r = add_attachments(g, mixed, &mixed_count);
    const struct part root =
        mixed_count > 1 ? (struct part){.kind = PART_MIXED, .children = mixed, .child_count = mixed_count} : mixed[0];
    encode_hex(&seed, c->head.identity, 8);
    buf_printf(&seed, "%s", g->language);
    if (r == 0 && (arena_failed(g->arena) || arena_failed(&c->arena) || buf_error(&seed)))
        r = -ENOMEM;
    if (r == 0)
        r = message_body(c->message, &root, buf_str(&seed));
    return r;
}

int compile_list_id(const struct conf_list *list, struct buf *to) {
    const char *at = strrchr(list->sender->address, '@');
    AUTOBUF struct buf domain = BUF_INIT(1024);
    int r = at ? address_domain_ascii(view_of(at + 1), &domain) : -EINVAL;
    if (r == -ENOMEM)
        return r;
    buf_printf(to, "%s.%s", list->name, r == 0 ? buf_str(&domain) : "localhost");
    return buf_error(to);
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
    const char *address = wire_address(g, s->address), *reply_to = wire_address(g, reply_to_of(c, d));
    AUTOBUF struct buf text = BUF_INIT(4096);
    int r = 0;
    first_of(&r, message_header_mailbox(m, "From", view_of(from), view_of(address)));
    first_of(&r, message_header_field_utf8(m, "To", FIELD_TO));
    first_of(&r, message_header_merge(m, "Subject", &g->subject));
    first_of(&r, message_header_field(m, "Date", FIELD_DATE));
    first_of(&r, message_header_field(m, "Message-ID", FIELD_MESSAGE_ID));
    if (strcmp(reply_to, address) != 0)
        first_of(&r, message_header_mailbox(m, "Reply-To", (struct view){0}, view_of(reply_to)));
    first_of(&r, compile_list_id(l, &text));
    first_of(&r, message_header_mailbox(m, "List-Id", view_of(conf_list_title(l, g->language)), buf_view(&text)));
    first_of(&r, message_header_field(m, "List-Unsubscribe", FIELD_LIST_UNSUBSCRIBE));
    first_of(&r, message_header_raw(m, "List-Unsubscribe-Post", VIEW("List-Unsubscribe=One-Click")));
    first_of(&r, buf_error(&text));
    buf_clear(&text);
    buf_puts(&text, "<mailto:");
    link_add_part(&text, VIEW("mailto:"), view_of(reply_to));
    buf_putc(&text, '>');
    first_of(&r, message_header_raw(m, "List-Owner", buf_view(&text)));
    if (text_is_ascii(view_of(s->imprint_url)) && s->imprint_url[0]) {
        first_of(&r, buf_error(&text));
        buf_clear(&text);
        buf_printf(&text, "<%s>", s->imprint_url);
    }
    first_of(&r, buf_error(&text));
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
