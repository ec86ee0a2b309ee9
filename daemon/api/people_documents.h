/* Documents about a person, as far as the caller may see them; see docs/API.md. New documents, NULL or with keys missing
 * when memory runs out. */
#pragma once
#include <stdbool.h>

#include "net/json.h"
#include "people/member.h"

struct call;
struct db;

json_t *people_document(const struct person *p);
/* With subscriptions and the record, of the lists that the caller may see. */
json_t *people_record(const struct call *c, const struct member_record *m);
/* Whether one of their lists is the caller's. */
bool people_may_see(const struct call *c, const struct member_record *m);
/* What waits to be confirmed, by an address or by the person who has it (0: nobody), of the lists that the caller may
 * see: an array, empty where there is none; NULL when it cannot be read. */
json_t *people_sign_ups(const struct call *c, struct db *db, const char *address_key, int64_t subscriber);
/* The name of a list; NULL where the caller may not see it: then nothing is said of it. */
const char *people_list(const struct call *c, uint32_t id);
