/* What the web door asks of the daemon: a link's token, by one packet (net/question.h). A valid token is answered about
 * what it stands for, and about nothing else; any other text gets no answer.
 *
 * ANSWERS JSON, one object:
 *   a recipient's token
 *     {"purpose":"recipient","language":"de","lists":[{"list":N,"state":"active"}, ...]}
 *     lists: those of the sender of the token's list that the person is on, was on, or that are open to everybody;
 *     state "none" for those they never were on. language "" where none is known.
 *   a release token that has not expired
 *     {"purpose":"release","announcement":N,"list":N,"state":"held","subject":"…","send_at":SECONDS,
 *      "timezone":"Europe/Berlin","total":N,"languages":[{"language":"de","people":N}, ...]}
 *     send_at 0: at once. total and languages, whom it would reach now, only while it is held.
 *   {"purpose":"gone"} where the person or the announcement is not there any more, or the token has expired. */
#pragma once
#include "api/api.h"

struct asked;

/* Listens at conf_door_socket(). */
int asked_new(const struct api_parts *parts, struct why *why, struct asked **ret);
struct asked *asked_free(struct asked *a);
void asked_set_conf(struct asked *a, struct conf *conf);
