/* The fields that templates and texts may use, as one tree: what is known when an announcement is compiled stands in it
 * as text, what only a recipient knows as a numbered merge field. docs/TEMPLATES.md lists them for people. */
#pragma once
#include "announce/draft.h"
#include "mail/merge.h"
#include "mail/template.h"
#include "mail/when.h"

struct conf_list;
struct words;

/* Numbers of a recipient's fields; attr.* follow from FIELD_COUNT on. The @ ones are whole values of header fields. */
enum recipient_field {
    FIELD_SALUTATION,
    FIELD_NAME,
    FIELD_GIVEN_NAME,
    FIELD_FAMILY_NAME,
    FIELD_ORGANISATION,
    FIELD_EMAIL,
    FIELD_URL_UNSUBSCRIBE,
    FIELD_URL_PREFERENCES,
    FIELD_URL_ARCHIVE,
    FIELD_TO,
    FIELD_DATE,
    FIELD_MESSAGE_ID,
    FIELD_LIST_UNSUBSCRIBE,
    FIELD_READER_TIME,
    FIELD_COUNT
};

struct fields_event {
    struct when start, end;
    const char *zone; /* NULL: no event */
    bool recurs;
    struct when first; /* of one that recurs: its first date */
};

/* Registers the numbers above. */
int fields_register(struct merge_fields *registry);
/* Registers and returns the attributes that a source uses ({{attr.x}}), into the map at *attr. */
int fields_add_attributes(struct view source, struct arena *a, struct merge_fields *registry, struct value *attr);
/* True for a field of the design that no page serves yet. */
bool fields_not_served(const char *name);
/* True for a field that only an event that recurs has. */
bool fields_of_recurring(const char *name);

struct fields_given {
    const struct draft *draft;
    const struct conf_list *list;
    const struct fields_event *event;
    const struct words *words;
    const struct value *attr;
    const char *timezone; /* the list's */
    const char *logo;     /* where the picture is: https or cid; "" for none */
    bool preview;
    bool archive;  /* for the public page */
    bool has_page; /* there will be one: url.archive leads to it */
};

/* The tree without subject, words and body. */
int fields_tree(const struct fields_given *given, struct arena *a, struct value *ret);
