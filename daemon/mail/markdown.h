/* The body of an announcement: Markdown (CommonMark, with cmark) with merge fields, to HTML and to plain text.
 *
 * The source's fields are replaced in the tree, never in the output, and no value is ever parsed as Markdown. Sections
 * ({{#attr.x}}) lie inside one block or stand alone on lines around whole blocks. Raw HTML is shown as text. Links keep
 * http, https, mailto and tel; images keep files beside the announcement. The plain text is wrapped at 72 columns
 * (never a URL) and numbers its long links, listed at its end. Limits: source 64 KiB. */
#pragma once
#include "mail/merge.h"
#include "mail/template.h"

struct markdown_image {
    const char *file;       /* as the source names it */
    const char *content_id; /* chosen by us: "img1" */
};

struct markdown {
    struct merge html, plain; /* sealed */
    struct markdown_image *images;
    size_t image_count;
    struct arena arena;
};

struct markdown_options {
    const char *link_style, *heading_style, *paragraph_style; /* inline CSS for the elements, or "" */
    const char *links_title;                                  /* "Links:" in the language */
    const char *cid_domain; /* images become src="cid:img1@cid_domain"; NULL: src="file" as given (previews) */
};

int markdown_render(struct view source, const struct value *root, const struct markdown_options *options,
                    struct markdown *ret, struct template_fault *fault);
void markdown_done(struct markdown *m);
