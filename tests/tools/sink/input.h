/* Takes apart what a client sends. */
#pragma once
#include "conn.h"

/* All that can be read now. */
void input_read(struct conn *c);
