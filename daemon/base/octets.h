/* Sixteen octets at once, for what looks at every octet of every message: a vector of GCC and Clang, for which the
 * compiler has instructions on any machine. A comparison of two gives all ones in each octet where it is true. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { OCTETS = 16 };
typedef uint8_t octets __attribute__((vector_size(OCTETS)));

static inline octets octets_at(const char *p) {
    octets o;
    memcpy(&o, p, sizeof o);
    return o;
}

/* Whether one of them is not zero. */
static inline bool octets_any(octets o) {
    uint64_t halves[2];
    memcpy(halves, &o, sizeof halves);
    return halves[0] | halves[1];
}

/* Those from first to last. */
static inline octets octets_between(octets o, uint8_t first, uint8_t last) {
    return (octets)((octets)(o - first) <= (uint8_t)(last - first));
}
