/* What a command changed of people's will is kept outside of the store, too, so that a restore of an older backup does not
 * forget it: a record in spool/applied, beside the requests of the doors, which a restore applies again
 * (people/requests_command.c). Durable before the change itself is: a record of what then came to nothing says what
 * somebody had asked for all the same. In a step, on the store's thread. */
#pragma once
#include "spool/request.h"

struct db;
struct member_act;
struct spool;

/* verb and the keys but by and reason, which come from the act. 0 and nothing where act->spool is NULL. A negative errno
 * where it could not be made durable: then the change must not be made. */
int command_record(struct db *db, const struct member_act *act, struct request *q);
/* Of a person's subscription (list 0: of all), as it is now; how: phone, letter, mail, with who it was
 * (people/opt_outs.h); removed, restored. */
int command_record_member(struct db *db, const struct member_act *act, uint32_t list, int64_t subscriber,
                          const char *how);
