/* Strict readings of numbers as people write them in configuration and on the command line: the whole view or
 * nothing, -EINVAL where it is not of the form, -ERANGE where it does not fit. Blanks around are not accepted. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "base/view.h"

#define USEC_PER_SEC INT64_C(1000000)
#define USEC_PER_MIN (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)

int number_parse_u64(struct view v, uint64_t max, uint64_t *ret);
int number_parse_i64(struct view v, int64_t *ret);
/* yes no true false on off 1 0, in any ASCII case. */
int number_parse_bool(struct view v, bool *ret);
/* "90s", "30m", "2h", "14d", "2w", or several in falling order ("1h30m"); a bare number is refused. */
int number_parse_duration(struct view v, int64_t *ret_usec);
/* "25 MB", "100K", "512": bytes; K, M, G are 1024-based, an optional B or iB may follow. */
int number_parse_size(struct view v, uint64_t *ret_bytes);
/* "100/s", "600/m", "3000/h", "20000/d". */
int number_parse_rate(struct view v, uint32_t *ret_count, int64_t *ret_per_usec);
