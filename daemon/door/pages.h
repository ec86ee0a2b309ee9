/* The web door's pages: words and templates/common/page.html of every language, loaded once, rendered for each answer.
 *
 * Loading tries every page in every language, so that a template that cannot be rendered is found then and not by a
 * reader; such a language is left out, with a line in the log. What a page shows is text of ours, the list's title and
 * the sender's organisation; never an address. */
#pragma once
#include <stdbool.h>

#include "base/buf.h"
#include "base/view.h"
#include "base/why.h"

struct pages;
struct public_list;
struct release;

enum page_kind {
    PAGE_ASK,         /* one button: leave */
    PAGE_DONE,        /* left; buttons: undo, and leave all lists of the sender */
    PAGE_DONE_ALL,    /* left all; one button: undo */
    PAGE_UNDONE,      /* taken back */
    PAGE_UNDONE_ALL,  /* the same of all */
    PAGE_LATE,        /* too late for that */
    PAGE_TEST,        /* the link of a sample copy */
    PAGE_INVALID,     /* not a token of ours, whatever is wrong with it */
    PAGE_UNAVAILABLE, /* could not be stored; one button: the same again */
    PAGE_NOT_FOUND,
    PAGE_LIMIT,     /* too many requests from there */
    PAGE_SIGN_UP,   /* form */
    PAGE_SIGNED_UP, /* look into your mailbox, whoever it is */
    PAGE_CONFIRM,   /* one button: confirm */
    PAGE_CONFIRMED,
    PAGE_EXPIRED, /* a confirmation that came too late */
    PAGE_LINK,    /* form: an address asks for its links */
    PAGE_LINKED,
    PAGE_PREFERENCES, /* form */
    PAGE_AWAY,        /* the daemon cannot tell the preferences; one button: leave */
    PAGE_GONE,        /* nor are there any, as the list is not offered any more; the same button */
    PAGE_SAVED,
    PAGE_PARTLY,  /* but for a list that is not offered any more */
    PAGE_RELEASE, /* what would go out; one button: release */
    PAGE_RELEASED,
    PAGE_RELEASE_GONE, /* released, replaced or taken back before, or expired */
    PAGE_RELEASE_AWAY, /* the daemon does not answer */
    PAGE_KINDS,
};

/* Hidden in a form. */
enum { PAGE_FIELDS_MAX = 80 };
struct page_field {
    const char *name, *value;
};

/* A list to choose, or not. */
struct page_choice {
    uint32_t id;
    const char *title;
    bool on;
};

/* What was typed, to be shown again. "" where nothing was. */
struct page_input {
    const char *address, *given_name, *family_name;
    const char *language; /* chosen; NULL or "": the page's */
    bool bad_address, not_agreed;
};

struct page {
    enum page_kind kind;
    const char *language;                      /* of pages_language() */
    const struct public_list *list;            /* NULL: a text without its name, no footer */
    const char *lists;                         /* titles of all lists that are meant, where they are several; or NULL */
    const char *root;                          /* from the page to the door's root: "./", "../", "../../" … */
    const struct release *release;             /* of PAGE_RELEASE */
    const char *action;                        /* where a form posts to, below the root */
    const char *also;                          /* of PAGE_DONE: where leaving all posts to */
    struct page_field fields[PAGE_FIELDS_MAX]; /* of the form; name NULL ends them */
    struct page_input input;
    const struct page_choice *choices; /* of the preferences */
    size_t choice_count;
    bool may_join; /* one of them is not on yet */
};

enum { PAGE_MAX_BYTES = 1024 * 1024 };

/* Reads local_dir (may be "") and shipped_dir. Fails where no language is whole. */
int pages_load(const char *local_dir, const char *shipped_dir, struct why *why, struct pages **ret);
struct pages *pages_free(struct pages *p);

/* The first of these that there are pages for: the one named, the one that Accept-Language prefers (may be NULL), the
 * list's, English, any. Borrowed. */
const char *pages_language(const struct pages *p, struct view named, const char *accept, const char *list_language);
int pages_render(const struct pages *p, const struct page *page, struct buf *to);
struct view pages_style(const struct pages *p);
/* A word of [page] with {1} and {2} replaced: what the form showed, for the record. */
void pages_word(const struct pages *p, const char *language, const char *key, const char *a1, const char *a2,
                struct buf *to);
/* Whether its logo may be shown: an https address without anything odd, or a picture as data. */
bool pages_shows_logo(const struct public_list *list);
/* Whether there are pages in that language. */
bool pages_has(const struct pages *p, struct view language);
