/* What the sink says: replies with their delays and misbehaviour, queued for a connection and written in one go. */
#pragma once
#include "conn.h"
#include "rules.h"

void reply_put(struct conn *c, const void *p, size_t len, enum after after);
/* With CRLF. */
void reply_line(struct conn *c, const char *text, enum after after);
/* Nothing more is heard from it; after it. */
void reply_last(struct conn *c, enum after after);
/* Answers as a rule says, or else (NULL, or none for the stage) normally. The first digit of what was said; 0 where nothing is to
 * follow. */
int reply_as_told(struct conn *c, const struct rule *r, const char *normal);
int reply_normal(struct conn *c, enum stage stage, const char *normal);
/* Writes what is due. */
void reply_flush(struct conn *c);
