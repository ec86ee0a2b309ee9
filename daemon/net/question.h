/* Questions over a Unix socket: one packet asks, one packet answers, and the connection is over (SOCK_SEQPACKET, which
 * keeps packets whole). For what a door must know and may not read for itself.
 *
 * LIMITS  a question of QUESTION_MAX_BYTES, an answer of QUESTION_ANSWER_MAX_BYTES; QUESTION_CONNECTIONS at once, more
 *         wait in the listen queue; whoever connects and does not ask within QUESTION_DEADLINE_USEC is closed. */
#pragma once
#include <stdint.h>

#include "base/view.h"
#include "base/why.h"

struct loop;
struct question;
struct question_server;
struct asking;

enum { QUESTION_MAX_BYTES = 1024, QUESTION_ANSWER_MAX_BYTES = 16 * 1024, QUESTION_CONNECTIONS = 64 };
#define QUESTION_DEADLINE_USEC (3 * INT64_C(1000000))

/* --- The one that answers --- */

/* text is borrowed. question_answer() must follow exactly once, now or later. */
typedef void question_on_ask(void *user, struct question *q, struct view text);
/* A socket at path, for everybody (what is asked must prove the right to know); one that is left over is replaced. */
int question_server_new(struct loop *loop, const char *path, question_on_ask *on_ask, void *user, struct why *why,
                        struct question_server **ret);
/* Questions that are not answered yet stay until they are; their askers are told nothing. */
struct question_server *question_server_free(struct question_server *s);
/* Sends the answer, if the asker is still there, and ends q. Nothing for an empty one: the connection is closed. */
void question_answer(struct question *q, struct view answer);

/* --- The one that asks --- */

/* result: 0 and the answer, which is borrowed; -ETIMEDOUT, -ECONNREFUSED or -ENOENT where nobody serves, -ENOMSG for
 * no answer, or another errno. Called once from the loop, never from inside question_ask(). */
typedef void question_on_answer(void *user, int result, struct view answer);
/* Never waits. */
int question_ask(struct loop *loop, const char *path, struct view text, question_on_answer *on_answer, void *user,
                 struct asking **ret);
/* Before on_answer: nobody wants to know any more. NULL is fine. */
struct asking *asking_cancel(struct asking *a);
