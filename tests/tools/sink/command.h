/* The commands of SMTP. */
#pragma once
#include "conn.h"

void command_greet(struct conn *c);
/* line without its end; it is changed. */
void command_run(struct conn *c, char *line);
/* The client's response to 334. */
void command_auth(struct conn *c, const char *response);
bool command_offers(const char *keyword);
