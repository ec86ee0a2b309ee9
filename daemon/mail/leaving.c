#include "mail/leaving.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "mail/bounce_inside.h"
#include "mail/record.h"
#include "mail/unhtml.h"
#include "mail/words.h"

#include "base/banned.h"

enum {
    WORDS_MAX_BYTES = 64 << 10,
    LINE_MAX_BYTES = 200,
    FOLDED_MAX_BYTES = 4 * LINE_MAX_BYTES,
    GREETING_WORDS_MAX = 6,
    GREETINGS_MAX = 3,
    PREFIX_MAX_BYTES = 8, /* of a subject: "Re:", "Antw:" */
    PREFIXES_MAX = 3,
    ENCLOSED_MAX = 3,
    HTML_MAX_BYTES = 4 * RECORD_TEXT_MAX_BYTES,
};

/* ---- words ---- */

static bool is_separator(uint32_t c) {
    if (c < 0x80)
        return !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'));
    return (c <= 0xBF && c != 0xAA && c != 0xB5 && c != 0xBA) || c == 0x060C || c == 0x061B || c == 0x061C ||
           c == 0x061F || c == 0x05BE || c == 0x05F3 || c == 0x05F4 || (c >= 0x2000 && c <= 0x2BFF) ||
           (c >= 0x3000 && c <= 0x303F) || (c >= 0xFE00 && c <= 0xFE0F) || c >= 0x1F000;
}

/* " word word ": folded, without what parts them; " " where there is none. Addresses are left out. */
static void normalise(struct view text, struct buf *to) {
    AUTOBUF struct buf folded = BUF_INIT(4 * WORDS_MAX_BYTES);
    if (text_fold(text, &folded) < 0)
        buf_clear(&folded); /* no text at all */
    struct view rest = buf_view(&folded), chunk;
    buf_putc(to, ' ');
    while (view_split(&rest, ' ', &chunk)) {
        bool blank = true;
        if (view_find(chunk, '@') < chunk.len)
            continue;
        for (size_t i = 0, len; i < chunk.len; i += len) {
            bool separates = is_separator(text_decode(view_slice(chunk, i, chunk.len), &len));
            if (!separates)
                buf_add_view(to, view_slice(chunk, i, len));
            else if (!blank)
                buf_putc(to, ' ');
            blank = separates;
        }
        if (!blank)
            buf_putc(to, ' ');
    }
}

/* Names as a line each, in the form of normalise(). */
static void add_names(struct buf *to, const char *names) {
    struct view rest = view_of(names), one;
    if (to->limit_bytes == 0)
        *to = (struct buf)BUF_INIT(WORDS_MAX_BYTES);
    while (view_split(&rest, ';', &one)) {
        size_t before = to->len;
        normalise(one, to);
        if (to->len == before + 1)
            buf_truncate(to, before);
        else
            buf_putc(to, '\n');
    }
}

void leave_words_add(struct leave_words *w, const struct words *language) {
    add_names(&w->words, words_get(language, "leave.words"));
    add_names(&w->beside, words_get(language, "leave.beside"));
    add_names(&w->from, words_get(language, "leave.from"));
    add_names(&w->subject, words_get(language, "leave.subject"));
}

int leave_words_error(const struct leave_words *w) {
    const struct buf *all[] = {&w->words, &w->beside, &w->from, &w->subject};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (buf_error(all[i]))
            return buf_error(all[i]);
    return 0;
}

void leave_words_done(struct leave_words *w) {
    buf_done(&w->words);
    buf_done(&w->beside);
    buf_done(&w->from);
    buf_done(&w->subject);
}

/* Whether it is one of the names as a whole; both normalised. */
static bool is_name(const struct buf *names, struct view normalised) {
    struct view rest = buf_view(names), one;
    while (view_line(&rest, &one))
        if (view_eq(one, normalised))
            return true;
    return false;
}

/* ---- lines ---- */

/* Whether each word may stand beside, or says so itself. */
static bool all_beside(const struct leave_words *w, struct view normalised) {
    struct view rest = view_slice(normalised, 1, normalised.len), word;
    while (view_split(&rest, ' ', &word)) {
        struct view with_blanks = view_make(word.ptr - 1, word.len + 2);
        if (word.len && !is_name(&w->beside, with_blanks) && !is_name(&w->words, with_blanks))
            return false;
    }
    return true;
}

static bool normalised_says(const struct leave_words *w, struct view line) {
    struct view rest = buf_view(&w->words), phrase;
    while (view_line(&rest, &phrase)) {
        size_t at = view_search(line, phrase);
        if (at < line.len && all_beside(w, view_slice(line, 0, at + 1)) &&
            all_beside(w, view_slice(line, at + phrase.len - 1, line.len)))
            return true;
    }
    return false;
}

bool leaving_says(const struct leave_words *words, struct view line) {
    AUTOBUF struct buf normalised = BUF_INIT(FOLDED_MAX_BYTES);
    if (line.len > LINE_MAX_BYTES)
        return false;
    normalise(line, &normalised);
    return buf_error(&normalised) == 0 && normalised_says(words, buf_view(&normalised));
}

/* "Hello,", "Dear Ms Miller,": what stands before what somebody says. */
static bool is_greeting(const struct leave_words *w, struct view line, struct view normalised) {
    if (normalised_says(w, normalised))
        return false;
    if (all_beside(w, normalised))
        return true;
    size_t blanks = 0;
    for (size_t i = 0; i < normalised.len; i++)
        blanks += normalised.ptr[i] == ' ';
    struct view words = view_slice(normalised, 1, normalised.len);
    struct view first = view_slice(normalised, 0, view_find(words, ' ') + 2);
    bool ends = view_ends(line, ",") || view_ends(line, "!") || view_ends(line, "،");
    return ends && blanks <= GREETING_WORDS_MAX + 1 && is_name(&w->beside, first);
}

static bool ends_text(struct view line) {
    return view_starts(line, "--") || view_starts(line, "__");
}

static bool first_line_says(const struct leave_words *w, struct view text) {
    struct view rest = text, line;
    for (unsigned greetings = 0; view_line(&rest, &line);) {
        AUTOBUF struct buf normalised = BUF_INIT(FOLDED_MAX_BYTES);
        line = view_trim(line);
        if (line.len == 0 || line.ptr[0] == '>')
            continue;
        if (ends_text(line) || line.len > LINE_MAX_BYTES)
            return false;
        normalise(line, &normalised);
        if (buf_error(&normalised))
            return false;
        if (greetings < GREETINGS_MAX && is_greeting(w, line, buf_view(&normalised)))
            greetings++;
        else
            return normalised_says(w, buf_view(&normalised));
    }
    return false;
}

/* Without "Re:" and the like; but the subject of a mail that forwards another is not its sender's. */
static bool subject_says(const struct leave_words *w, struct view subject, bool forwards) {
    for (unsigned i = 0; i < PREFIXES_MAX && !forwards; i++) {
        size_t colon = view_find(subject, ':');
        if (colon < subject.len && colon <= PREFIX_MAX_BYTES)
            subject = view_trim(view_slice(subject, colon + 1, subject.len));
    }
    return leaving_says(w, subject);
}

/* ---- letters ---- */

/* One mail: what came, or what it encloses. */
struct letter {
    struct view from, subject, in_reply_to, references;
    struct view text; /* what the person wrote, and all below it */
    bool forwards;    /* another one is in it */
};

/* The first text for people among parts of that level; of HTML what it says. */
static struct view text_of(const struct record *r, size_t from, unsigned level, struct buf *html) {
    for (unsigned pass = 0; pass < 2; pass++)
        for (size_t i = from; i < r->part_count && r->parts[i].level >= level; i++) {
            const struct record_part *p = &r->parts[i];
            if (p->level != level || !view_eq_str(p->type, pass ? "text/html" : "text/plain"))
                continue;
            if (!pass && view_trim(p->text).len)
                return p->text;
            if (pass) {
                *html = (struct buf)BUF_INIT(HTML_MAX_BYTES);
                unhtml(p->text, html);
                return buf_view(html);
            }
        }
    return VIEW("");
}

/* Of a header block as mail/record.h has it: a field a line. */
static struct view block_field(struct view block, const char *name) {
    struct view rest = block, line;
    while (view_line(&rest, &line)) {
        size_t colon = view_find(line, ':');
        if (colon < line.len && view_eq_nocase(view_trim(view_slice(line, 0, colon)), name))
            return view_trim(view_slice(line, colon + 1, line.len));
    }
    return (struct view){0};
}

/* The last address in angle brackets, else the first that stands there. */
static struct view address_of(struct view from) {
    struct view found = VIEW("");
    size_t at = 0, open = from.len;
    for (size_t i = 0; i < from.len; i++)
        open = from.ptr[i] == '<' ? i : open;
    struct view inside = view_slice(from, open < from.len ? open + 1 : 0, from.len);
    return bounce_next_address(inside, &at, &found) ? found : VIEW("");
}

/* Whether a line names that field, in any language, as programs write it above a mail that they forward. */
static bool is_field_line(const struct buf *names, struct view line, struct view *ret_value) {
    AUTOBUF struct buf label = BUF_INIT(FOLDED_MAX_BYTES);
    size_t colon = view_find(line, ':');
    if (colon == line.len || colon > LINE_MAX_BYTES || line.ptr[0] == '>')
        return false;
    normalise(view_slice(line, 0, colon), &label);
    *ret_value = view_trim(view_slice(line, colon + 1, line.len));
    while (ret_value->len && strchr("* ", ret_value->ptr[0]))
        *ret_value = view_slice(*ret_value, 1, ret_value->len);
    return is_name(names, buf_view(&label));
}

/* A mail that was forwarded as text: the fields' lines, a blank one, what it says. *own is cut before it. */
static bool find_inline(const struct leave_words *w, struct view *own, struct letter *ret) {
    struct view rest = *own, line, value, block = *own;
    bool found = false;
    *ret = (struct letter){.subject = VIEW("")};
    while (view_line(&rest, &line)) {
        if (view_trim(line).len == 0) {
            if (found)
                break;
            block = rest;
            ret->subject = VIEW("");
            continue;
        }
        if (!found && is_field_line(&w->from, line, &value) && address_of(value).len) {
            found = true;
            ret->from = value;
        }
        if (is_field_line(&w->subject, line, &value))
            ret->subject = value;
    }
    if (!found)
        return false;
    ret->text = rest;
    *own = view_slice(*own, 0, (size_t)(block.ptr - own->ptr));
    return true;
}

/* The same quoted, as some programs forward: without its marks in `copy`, as far as the quotation goes. */
static bool find_quoted(const struct leave_words *w, struct view text, struct buf *copy, struct letter *ret) {
    struct view rest = text, line, value;
    *copy = (struct buf)BUF_INIT(RECORD_TEXT_MAX_BYTES + 1);
    while (view_line(&rest, &line)) {
        if (line.len == 0 || line.ptr[0] != '>') {
            if (copy->len)
                break;
            continue;
        }
        line = view_slice(line, line.len > 1 && line.ptr[1] == ' ' ? 2 : 1, line.len);
        if (copy->len == 0 && !(is_field_line(&w->from, line, &value) && address_of(value).len))
            continue;
        buf_add_view(copy, line);
        buf_putc(copy, '\n');
    }
    struct view whole = buf_view(copy);
    return buf_error(copy) == 0 && whole.len && find_inline(w, &whole, ret);
}

static bool says(const struct leave_words *w, const struct letter *l) {
    return subject_says(w, l->subject, l->forwards) || first_line_says(w, l->text);
}

/* ---- machines ---- */

typedef struct view get_field(const void *from, const char *name);

static struct view field_of_record(const void *from, const char *name) {
    return record_field(from, name);
}

static struct view field_of_block(const void *from, const char *name) {
    return block_field(*(const struct view *)from, name);
}

static bool is_of_machine(get_field *get, const void *from) {
    static const char *const any[] = {"list-id",          "list-unsubscribe", "x-autoreply",   "x-autorespond",
                                      "x-autoreply-from", "x-autogenerated",  "feedback-type", "x-loop"};
    static const char *const many[] = {"bulk", "junk", "list", "auto_reply"};
    for (size_t i = 0; i < COUNT_OF(any); i++)
        if (get(from, any[i]).ptr)
            return true;
    struct view precedence = view_trim(get(from, "precedence")), submitted = view_trim(get(from, "auto-submitted"));
    for (size_t i = 0; i < COUNT_OF(many); i++)
        if (view_eq_nocase(precedence, many[i]))
            return true;
    return (submitted.len && !view_eq_nocase(submitted, "no")) ||
           view_eq_str(view_trim(get(from, "return-path")), "<>");
}

/* ---- the whole ---- */

static bool is_message_id_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '2' && c <= '7');
}

static void add_messages(struct view field, struct leaving *ret) {
    for (size_t i = 0; i < field.len; i++) {
        size_t len = 0;
        if (field.ptr[i] != '<')
            continue;
        while (i + 1 + len < field.len && is_message_id_char(field.ptr[i + 1 + len]))
            len++;
        if (len != LEAVING_MESSAGE_ID_LEN || i + 1 + len >= field.len || field.ptr[i + 1 + len] != '@')
            continue;
        if (ret->message_count == LEAVING_MESSAGES_MAX) {
            memmove(ret->messages, ret->messages + 1, (LEAVING_MESSAGES_MAX - 1) * sizeof *ret->messages);
            ret->message_count--;
        }
        ret->messages[ret->message_count++] = view_slice(field, i + 1, len);
    }
}

static bool take(const struct letter *l, struct leaving *ret) {
    ret->address = address_of(l->from);
    add_messages(l->references, ret);
    add_messages(l->in_reply_to, ret);
    return true;
}

/* The mails that it encloses. */
static bool read_enclosed(const struct record *r, const struct leave_words *w, bool *ret_any, struct leaving *ret) {
    unsigned looked_at = 0;
    for (size_t i = 0; i < r->part_count && looked_at < ENCLOSED_MAX; i++) {
        const struct record_part *p = &r->parts[i];
        if (p->level != 0 || !(view_eq_str(p->type, "message/rfc822") || view_eq_str(p->type, "message/global")))
            continue;
        looked_at++;
        *ret_any = true;
        buf_done(&ret->memory[0]);
        const struct letter l = {.from = block_field(p->text, "from"),
                                 .subject = block_field(p->text, "subject"),
                                 .in_reply_to = block_field(p->text, "in-reply-to"),
                                 .references = block_field(p->text, "references"),
                                 .text = text_of(r, i + 1, 1, &ret->memory[0])};
        if (!is_of_machine(field_of_block, &p->text) && says(w, &l))
            return take(&l, ret);
    }
    return false;
}

bool leaving_read(const struct record *record, const struct leave_words *words, struct leaving *ret) {
    struct letter inside;
    bool forwards = false;
    *ret = (struct leaving){.address = VIEW("")};
    if (is_of_machine(field_of_record, record))
        return false;
    if (read_enclosed(record, words, &forwards, ret))
        return true;
    struct letter l = {.from = record_field(record, "from"),
                       .subject = record_field(record, "subject"),
                       .in_reply_to = record_field(record, "in-reply-to"),
                       .references = record_field(record, "references"),
                       .text = text_of(record, 0, 0, &ret->memory[1])};
    bool has_inside = find_inline(words, &l.text, &inside) || find_quoted(words, l.text, &ret->memory[2], &inside);
    if (has_inside && says(words, &inside))
        return take(&inside, ret);
    l.forwards = forwards || has_inside;
    return says(words, &l) && take(&l, ret);
}

void leaving_done(struct leaving *l) {
    buf_done(&l->memory[0]);
    buf_done(&l->memory[1]);
    buf_done(&l->memory[2]);
}

struct view leaving_next_token(const struct record *record, size_t *cursor, struct view *ret_announcement) {
    /* The part's number and the place in it are one number. */
    enum { PLACES = RECORD_TEXT_MAX_BYTES + 1 };
    for (size_t i = *cursor / PLACES; i < record->part_count; i++) {
        size_t at = *cursor > i * PLACES ? *cursor - i * PLACES : 0;
        struct view token = bounce_token_in(record->parts[i].text, &at, ret_announcement);
        *cursor = token.ptr ? i * PLACES + at + token.len : (i + 1) * PLACES;
        if (token.ptr)
            return token;
    }
    return (struct view){0};
}
