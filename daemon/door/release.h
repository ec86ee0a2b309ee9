/* A held announcement as the page of its release shows it: what the daemon answers to a release token (api/asked.h). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/view.h"

struct words;

enum { RELEASE_LANGUAGES_MAX = 32 };

struct release {
    bool held; /* else it is too late: released, replaced, taken back, expired */
    uint32_t list;
    int64_t send_at_usec; /* 0: at once */
    uint64_t total;
    char subject[512], timezone[64];
    struct {
        char code[17];
        uint64_t people;
    } languages[RELEASE_LANGUAGES_MAX];
    size_t language_count;
};

/* -EBADMSG for anything but such an answer. */
int release_read(struct view answer, struct release *ret);
/* Subject, moment, how many people, in which languages: lines of text in the words' language. */
void release_say(const struct release *release, const struct words *words, struct buf *to);
