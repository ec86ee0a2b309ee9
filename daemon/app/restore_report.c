#include "app/restore_report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/json.h"

#include "base/banned.h"

enum { SAID_MAX = 20, SAID_BYTES = 64 << 20 };

int restore_numbers_add(struct restore_numbers *n, int64_t number) {
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 64;
        int64_t *more = reallocarray(n->items, room, sizeof *more);
        if (!more)
            return -ENOMEM;
        n->items = more;
        n->room = room;
    }
    n->items[n->count++] = number;
    return 0;
}

void restore_report_done(struct restore_report *r) {
    free(r->unknown.items);
    free(r->missing.items);
}

static void print_made(const struct restore_report *r, struct buf *to) {
    if (r->made_usec)
        clock_print_utc(to, r->made_usec);
    else
        buf_puts(to, "of unknown time");
}

int restore_ask(const struct restore_report *r, bool yes) {
    AUTOBUF struct buf made = BUF_INIT(64);
    char answer[16] = "";
    print_made(r, &made);
    if (yes)
        return 0;
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        (void)fprintf(stderr, "rundbriefd: nothing was restored: there is nobody to ask. Add --yes\n");
        return EX_USAGE;
    }
    (void)fprintf(stderr, "A backup with %lld people, made %s, is to take the place of the store. Go on? [y/N] ",
                  (long long)r->people, buf_str(&made));
    if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
        return 0;
    (void)fprintf(stderr, "Nothing was restored.\n");
    return EX_TEMPFAIL;
}

static json_t *ids(const struct restore_numbers *n) {
    json_t *array = json_array();
    for (size_t i = 0; i < n->count; i++)
        (void)json_array_append_new(array, json_integer((json_int_t)n->items[i])); /* what is missing is not printed */
    return array;
}

/* On a terminal's line or two; --json has them all. */
static void say_ids(const char *what, const struct restore_numbers *n) {
    if (!n->count)
        return;
    (void)printf("%s:", what);
    for (size_t i = 0; i < n->count && i < SAID_MAX; i++)
        (void)printf(" %lld", (long long)n->items[i]);
    if (n->count > SAID_MAX)
        (void)printf(" and %zu more", n->count - SAID_MAX);
    (void)printf("\n");
}

int restore_say(const struct restore_report *r, bool json) {
    AUTOBUF struct buf made = BUF_INIT(64), text = BUF_INIT(SAID_BYTES);
    print_made(r, &made);
    log_info("restored", LOG_NUM("people", r->people), LOG_NUM("paused", r->paused), LOG_NUM("requests", r->requests),
             LOG_NUM("epoch", r->epoch));
    if (json) {
        json_t *document =
            json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:s}", "made", r->made_usec ? buf_str(&made) : "",
                      "people", (json_int_t)r->people, "paused", (json_int_t)r->paused, "notices_dropped",
                      (json_int_t)r->dropped, "requests", (json_int_t)r->requests, "epoch", (json_int_t)r->epoch,
                      "unknown", ids(&r->unknown), "missing", ids(&r->missing), "kept", r->kept);
        int error = document ? json_print(document, &text) : -ENOMEM;
        json_decref(document);
        return error == 0 && printf("%s\n", buf_str(&text)) > 0 ? EX_OK : EX_IOERR;
    }
    (void)printf("The store is that of a backup made %s, with %lld people.\n", buf_str(&made), (long long)r->people);
    if (r->had_store)
        (void)printf("What was there before is kept for %d days: %s/%s\n", (int)KEPT_DAYS, r->state_dir, r->kept);
    (void)printf(
        "Opt-outs, confirmed sign-ups, erasures and suppressions of the last 90 days (%llu files) are applied when the "
        "daemon starts.\n",
        (unsigned long long)r->requests);
    if (r->paused)
        (void)printf(
            "Unfinished announcements are paused: %llu. Who was written to after the backup would be written to once "
            "more:\nlook at each (rundbrief status ID) before you resume or stop it.\n",
            (unsigned long long)r->paused);
    say_ids("Taken in after the backup, and put aside in the spool's rejected/", &r->unknown);
    say_ids("Their bundles are missing; copy spool/announcements from the old machine before you resume them",
            &r->missing);
    (void)printf(
        "People who were imported, added or changed after the backup are as they were then: do that again. Who of them "
        "left\nsince stays out; what could not be repeated the journal says (restored-not-repeated).\n"
        "Now: systemctl start rundbriefd\n");
    return ferror(stdout) ? EX_IOERR : EX_OK;
}
