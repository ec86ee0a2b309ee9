/* Messages: what is wrong with them, the ledger, the files they are kept in. */
#pragma once
#include "conn.h"

/* Forgets sender, recipients and what came of the message. */
void message_reset(struct conn *c);
/* The message's last octet came: len octets at p (NULL where they are only counted), replied to and accounted for. */
void message_end(struct conn *c, const char *p, size_t len, bool stuffed);
void message_open_ledger(void);
/* Hands the ledger's lines to the system, with --ledger-fsync to the disk. */
void message_flush_ledger(void);
