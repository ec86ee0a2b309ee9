/* The body of an announcement: Markdown (CommonMark, with cmark) with merge fields, to HTML and to plain text.
 *
 * The source's fields are replaced in the tree, never in the output, and no value is ever parsed as Markdown. Sections
 * ({{#attr.x}}) lie inside one block or stand alone on lines around whole blocks; another is a fault
 * (TEMPLATE_SECTION_CROSSING). Names are strict. Raw HTML is shown as text. Links keep http, https, mailto and tel, and
 * whole URLs of ours; images keep files beside the announcement; of others the text stays.
 *
 * The plain text is wrapped at 72 columns (never a URL) and numbers its long links, listed at its end; emphasis is
 * _kept_ and *strong* too.
 *
 * Limits: source 64 KiB, also with its sections written out; nesting 48; 32 images; 500 different links in the list. */
#pragma once
#include "mail/merge.h"
#include "mail/template.h"

enum {
    MARKDOWN_SOURCE_MAX_BYTES = 64 * 1024,
    MARKDOWN_DEPTH_MAX = 48,
    MARKDOWN_IMAGES_MAX = 32,
    MARKDOWN_LINKS_MAX = 500,
    MARKDOWN_TEXT_MAX_BYTES = 4 * 1024 * 1024, /* of the tree: links and values may be written out many times */
};

struct markdown_image {
    const char *file;       /* as the source names it, %20 and the like decoded */
    const char *content_id; /* chosen by us: "img1" */
};

struct markdown {
    struct merge html, plain; /* sealed */
    struct markdown_image *images;
    size_t image_count;
    struct arena arena;
};

/* Inline CSS for the elements; "" or NULL: none. */
struct markdown_options {
    const char *link_style, *heading_style, *paragraph_style;
    const char *list_style, *quote_style, *code_style, *image_style, *rule_style;
    unsigned heading_top;    /* 2: the highest heading becomes h2, for texts below a heading; 0: # is h1 */
    const char *links_title; /* "Links:" in the language */
    /* The width in pixels to show an image at, which Outlook asks for; 0 for its own. May be NULL. */
    unsigned (*image_width)(void *user, const char *file);
    void *user;
    bool is_rtl;            /* addresses that are shown keep their own direction */
    const char *cid_domain; /* images become src="cid:img1@cid_domain"; NULL: src="file" as given (previews) */
};

/* 0, -EINVAL with the fault filled, or another errno; *ret is set on success only. */
int markdown_render(struct view source, const struct value *root, const struct markdown_options *options,
                    struct markdown *ret, struct template_fault *fault);
void markdown_done(struct markdown *m);
