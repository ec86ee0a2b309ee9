/* What an open import (or one that is being swept) wrote is there for nobody else: the condition, as SQL, on rows that
 * have a column import. */
#pragma once

#define VISIBLE_IMPORT(column) column " NOT IN (SELECT id FROM import WHERE state <> 2)"

/* The address that a row of subscriber is written to; prefix: of its columns. */
#define ADDRESS_SENT_TO(prefix) "iif(" prefix "address = '', " prefix "address_key, " prefix "address)"
