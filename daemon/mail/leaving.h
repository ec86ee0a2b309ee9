/* A mail in which a person says that they want to leave: read from its record (mail/record.h). Pure; the mail is hostile.
 *
 * WORDS   [leave] of each language's words.ini, names separated by ";": words (one of them must be said), beside (what may
 *         stand beside it: please, from the list, a greeting), from and subject (how mail programs name these fields
 *         where they forward a mail as text).
 *
 * SAYS    The subject, or the first line that the person wrote and that is no greeting, is such a word and nothing but words
 *         that may stand beside it, and addresses. What is quoted, signatures and what follows do not count.
 *
 * WHO     Of a mail that was forwarded, as an attachment or as text, the one inside counts where it says so, with its
 *         sender and its fields; else the one around it.
 *
 * MACHINE Answers of programs and mail of lists (RFC 3834 section 2, RFC 2919) say nothing, whatever they contain. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/view.h"

struct record;
struct words;

/* Of all languages together. Begin with it zeroed. */
struct leave_words {
    struct buf words, beside, from, subject;
};
void leave_words_add(struct leave_words *w, const struct words *language);
int leave_words_error(const struct leave_words *w); /* 0 or -ENOMEM */
void leave_words_done(struct leave_words *w);

enum { LEAVING_MESSAGES_MAX = 10, LEAVING_MESSAGE_ID_LEN = 26 };

/* Views into the record, or into its own memory. */
struct leaving {
    struct view address; /* who wrote it, as the mail says; "" where it does not */
    /* Left parts of Message-IDs that it answers and that have the form of ours (trust/code.h), the latest ones. */
    struct view messages[LEAVING_MESSAGES_MAX];
    size_t message_count;
    struct buf memory[3]; /* what was made of HTML, and of what was quoted */
};
/* Whether it says so. Release *ret in both cases. */
bool leaving_read(const struct record *record, const struct leave_words *words, struct leaving *ret);
void leaving_done(struct leaving *l);
/* Whether one line says so. */
bool leaving_says(const struct leave_words *words, struct view line);

/* The next thing in any text of the mail that looks like the token of a link of ours: see bounce_next_token(). */
struct view leaving_next_token(const struct record *record, size_t *cursor, struct view *ret_announcement);
