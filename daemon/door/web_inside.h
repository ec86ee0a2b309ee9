/* The inside of the web door, for door/web*.c alone: web.c has the server, the published files and leaving; web_forms.c
 * signing up, confirming, preferences, and links by mail. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/http_server.h"
#include "net/question.h"
#include "spool/request.h"
#include "trust/token.h"

#include "door/fresh.h"
#include "door/lists.h"
#include "door/pages.h"
#include "door/path.h"
#include "door/quota.h"
#include "door/release.h"
#include "door/web.h"
#include "door/writer.h"

struct web {
    struct loop *loop;
    struct conf *conf;
    char *keys_path, *lists_path, *archive_path, *ask_path, *several_path;
    struct pages *pages;
    struct keyring *keys;       /* NULL: none could be read */
    struct public_lists *lists; /* NULL: none */
    struct fresh keys_fresh, lists_fresh;
    struct writer *writer;
    struct quota forms, questions;
    struct http_server *servers[WEB_SOCKETS_MAX];
    size_t server_count, draining;
    void (*on_drained)(void *user);
    void *drained_user;
};

/* A request whose answer waits for the writer, or for the daemon. */
struct post {
    struct web *web;
    struct http_request *http;
    struct writer_job *job;
    struct asking *asking;                         /* the daemon is asked */
    void (*answer)(struct post *post, int result); /* once it is written, or was not */
    enum request_verb verb;
    uint32_t list;
    bool partly; /* something that was chosen cannot be had */
};

/* ---- web.c ---- */

struct public_lists *web_lists(struct web *w); /* NULL: none. Until the handler returns */
const struct public_list *web_find_list(struct web *w, uint32_t id);
/* -ENOKEY without any key, -EBADMSG. */
int web_verify(struct web *w, struct view text, struct token *ret);
/* Shows the page; language (where it is NULL) and root are filled in. */
void web_answer(struct web *w, struct http_request *r, unsigned status, struct page *page);
/* 503: it could not be stored; the button tries the same again with these fields. */
void web_answer_unavailable(struct web *w, struct http_request *r, struct page *page);
/* The language of the pages for this reader. */
const char *web_language(struct web *w, struct http_request *r, const struct path *path,
                         const struct public_list *list);
/* Hands the request to the writer; post.answer is called later. false: not, and nothing is answered yet. */
bool web_write(struct web *w, struct http_request *r, struct request *request, const struct post *post);

/* ---- web_forms.c ---- */

/* GET and HEAD of one of its places. */
void web_forms_show(struct web *w, struct http_request *r, const struct path *path);
/* POST, with its body. */
void web_forms_post(struct web *w, struct http_request *r, const struct path *path);
