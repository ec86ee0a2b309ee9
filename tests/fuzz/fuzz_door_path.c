/* First line: a path; its token is verified against fixed public keys. Second: an Accept-Language. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "door/accept.h"
#include "door/path.h"
#include "fuzz_ring.h"
#include "mail/words.h"
#include "trust/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool inside(struct view part, const char *whole) {
    return part.len == 0 || (part.ptr >= whole && part.ptr + part.len <= whole + strlen(whole));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const codes[] = {"de", "en", "fr", "it", "pl", "pt-BR", "uk"};
    struct view rest = view_make(data, size), line = {0}, accept = {0};
    if (!view_split(&rest, '\n', &line))
        return 0;
    AUTOFREE char *text = view_dup(line);
    struct path path;
    if (text) {
        path_read(text, &path);
        assert(path.announcement >= 0 && path.left_sec >= 0 && path.depth <= strlen(text));
        if (path.place == PATH_LEAVE) {
            assert(path.token.len > 0 && inside(path.token, text) && inside(path.language, text));
            assert(path.language.len == 0 || words_is_code(path.language));
            struct token token;
            (void)token_verify(fuzz_ring(), path.token, &token); /* whatever it says */
        }
    }
    if (view_split(&rest, '\n', &accept)) {
        AUTOFREE char *header = view_dup(accept);
        int best = header ? accept_best(header, codes, sizeof codes / sizeof codes[0]) : -1;
        assert(best >= -1 && best < (int)(sizeof codes / sizeof codes[0]));
    }
    return 0;
}
