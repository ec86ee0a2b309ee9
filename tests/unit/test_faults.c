/* The matrix: in each state of the dialogue, each fault of a server, against relays that offer nothing, PIPELINING, and
 * CHUNKING too; and what must become of the messages. No cell is empty: a fault that is not spelled for a state is one
 * that the test does not pass.
 *
 * What holds in all of it: nobody is delivered but on a 2xx to the whole message, nobody refused but on a 5xx that
 * speaks of them, nobody in doubt but where every octet was handed over and no reply came. What a relay says out of turn
 * ends the connection as soon as it shows; with CHUNKING all replies are 250, so an extra one shows when it is left over.
 */
#include "talk.h"

#define FAULTS(X)                                                                                                      \
    X(later)                                                                                                           \
    X(never)                                                                                                           \
    X(going)                                                                                                           \
    X(close)                                                                                                           \
    X(reset) X(half_close) X(stall) X(garbage) X(huge) X(endless) X(orders) X(escapes) X(order) X(early) X(split)
#define AS_FAULT(name) FAULT_##name,
#define AS_NAME(name) #name,
enum fault { FAULTS(AS_FAULT) FAULT_COUNT };
static const char *const fault_names[] = {FAULTS(AS_NAME)};

/* What the server does, where that is the same in each state. */
static const char *const acts[FAULT_COUNT] = {
    [FAULT_going] = "421 4.3.2 going down",
    [FAULT_close] = "close",
    [FAULT_reset] = "reset",
    [FAULT_half_close] = "half-close",
    [FAULT_stall] = "stall",                                  /* past the deadline */
    [FAULT_garbage] = "garbage",                              /* NUL, octets beyond ASCII, an empty line */
    [FAULT_huge] = "huge-line",                               /* a megabyte without an end */
    [FAULT_endless] = "endless",                              /* 250- for ever */
    [FAULT_orders] = "say \\x1b[2J\\x1b]0;250 ok\\x07\\r\\n", /* to a terminal, no reply */
    [FAULT_early] = "extra 250 2.0.0 early\\r\\n",            /* the answer to what comes next, before it was asked */
    [FAULT_split] = "split",                                  /* octet by octet: no fault at all */
};

/* ---- with messages on the way ---- */

struct cell {
    const char *act;             /* NULL: as in acts[] */
    const char *expected[MODES]; /* of three messages; the fault meets the second. One alone: it is so in each mode */
    enum outcome_subject subject;
    const char *says;
};

struct state {
    const char *name;
    const char *when;   /* which time it fits */
    const char *before; /* a rule that leads there */
    struct cell cells[FAULT_COUNT];
};

#define LOST(plain, groups, chunks)                                                                                    \
    { NULL, {plain, groups, chunks}, CONNECTION, NULL }
/* All that ends a connection without a word that means something. */
#define ALL_LOST(plain, groups, chunks)                                                                                \
    [FAULT_close] = LOST(plain, groups, chunks), [FAULT_reset] = LOST(plain, groups, chunks),                          \
    [FAULT_half_close] = LOST(plain, groups, chunks), [FAULT_garbage] = LOST(plain, groups, chunks),                   \
    [FAULT_huge] = LOST(plain, groups, chunks), [FAULT_endless] = LOST(plain, groups, chunks),                         \
    [FAULT_orders] = LOST(plain, groups, chunks)

static const struct state states[] = {
    {"mail",
     "nth=2",
     NULL,
     {[FAULT_later] = {"451 4.3.0 not now", {"DLD"}, CONNECTION, "not now"},
      [FAULT_never] = {"550 5.7.1 not you", {"DLD"}, OUTCOME_OF_SENDER, "not you"},
      [FAULT_going] = {NULL, {"DU-!", "DUU!", "DUU!"}, CONNECTION, "going down"},
      ALL_LOST("DU-!", "DUU!", "DXX!"),
      [FAULT_stall] = LOST("DU-!", "DUU!", "DXX!"),
      [FAULT_escapes] = {"say 250 2.1.0 a\\x00b\\x1b[31m\\x9b2J\\r\\n", {"DDD"}, ANY, NULL},
      [FAULT_order] = {"354 go on", {"DL-!", "DLU!", "DXX!"}, CONNECTION, "protocol"},
      [FAULT_early] = {NULL, {"DL-!", "DLU!", "DDD!"}, CONNECTION, "protocol"},
      [FAULT_split] = {NULL, {"DDD"}, ANY, NULL}}},
    {"rcpt",
     "nth=2",
     NULL,
     {[FAULT_later] = {"450 4.2.1 not now", {"DLD"}, ANY, "not now"},
      [FAULT_never] = {"550 5.1.1 nobody", {"DRD"}, ANY, "nobody"},
      [FAULT_going] = {NULL, {"DL-!", "DLU!", "DLU!"}, CONNECTION, "going down"},
      ALL_LOST("DL-!", "DLU!", "DXX!"),
      [FAULT_stall] = LOST("DL-!", "DLU!", "DXX!"),
      [FAULT_escapes] = {"say 250 2.1.5 a\\x00b\\x1b[31m\\x9b2J\\r\\n", {"DDD"}, ANY, NULL},
      [FAULT_order] = {"354 go on", {"DL-!", "DLU!", "DXX!"}, CONNECTION, "protocol"},
      [FAULT_early] = {NULL, {"DL-!", "DLU!", "DDD!"}, CONNECTION, "protocol"},
      [FAULT_split] = {NULL, {"DDD"}, ANY, NULL}}},
    {"data",
     "nth=2",
     NULL,
     {[FAULT_later] = {"451 4.3.0 not now", {"DLD", "DLD", "DDD"}, ANY, NULL},
      [FAULT_never] = {"554 5.7.0 no data", {"DLD", "DLD", "DDD"}, OUTCOME_OF_DESTINATION, NULL},
      [FAULT_going] = {NULL, {"DL-!", "DLU!", "DDD"}, CONNECTION, NULL},
      ALL_LOST("DL-!", "DLU!", "DDD"),
      [FAULT_stall] = LOST("DL-!", "DLU!", "DDD"),
      [FAULT_escapes] = {"say 354 a\\x00b\\x1b[31m\\x9b2J\\r\\n", {"DDD"}, ANY, NULL},
      [FAULT_order] = {"250 2.0.0 ok", {"DL-!", "DLU!", "DDD"}, CONNECTION, NULL},
      [FAULT_early] = {NULL, {"DL-!", "DLU!", "DDD"}, CONNECTION, NULL},
      [FAULT_split] = {NULL, {"DDD"}, ANY, NULL}}},
    {"end",
     "nth=2",
     NULL,
     {[FAULT_later] = {"452 4.3.1 full", {"DLD"}, OUTCOME_OF_DESTINATION, "full"},
      [FAULT_never] = {"550 5.2.2 too full", {"DRD"}, ANY, "too full"},
      [FAULT_going] = {NULL, {"DL-!", "DLU!", "DLU!"}, CONNECTION, "going down"},
      ALL_LOST("DX-!", "DXU!", "DXX!"),
      [FAULT_stall] = LOST("DX-!", "DXU!", "DXX!"),
      [FAULT_escapes] = {"say 250 2.0.0 a\\x00b\\x1b[31m\\x9b2J\\r\\n", {"DDD"}, ANY, NULL},
      [FAULT_order] = {"354 go on", {"DX-!", "DXU!", "DXX!"}, CONNECTION, "protocol"},
      [FAULT_early] = {NULL, {"DDU!", "DDL!", "DDD!"}, CONNECTION, "protocol"},
      [FAULT_split] = {NULL, {"DDD"}, ANY, NULL}}},
    {"rset",
     "nth=1",
     "rcpt nth=1 550 5.1.1 no",
     {[FAULT_later] = {"451 4.3.0 not now", {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_never] = {"502 5.5.1 what", {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_going] = {NULL, {"RU-!", "RU-!", "RU-!"}, ANY, "no"},
      [FAULT_close] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_reset] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_half_close] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_stall] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_garbage] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_huge] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_endless] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_orders] = {NULL, {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_escapes] = {"say 250 2.0.0 a\\x00b\\x1b[31m\\x9b2J\\r\\n", {"RDD"}, ANY, "no"},
      [FAULT_order] = {"354 go on", {"RU-!", "RL-!", "RX-!"}, ANY, "no"},
      [FAULT_early] = {NULL, {"RU-!", "RL-!", "RDU!"}, ANY, "no"},
      [FAULT_split] = {NULL, {"RDD"}, ANY, "no"}}},
    /* All is said by then: whatever comes is nobody's trouble. */
    {"quit",
     "nth=1",
     NULL,
     {[FAULT_later] = {"451 4.3.0 not now", {"DDD"}, ANY, NULL},
      [FAULT_never] = {"500 5.5.2 what", {"DDD"}, ANY, NULL},
      [FAULT_going] = {NULL, {"DDD"}, ANY, NULL},
      ALL_LOST("DDD", "DDD", "DDD"),
      [FAULT_stall] = LOST("DDD", "DDD", "DDD"),
      [FAULT_escapes] = {"say 221 2.0.0 a\\x00b\\x1b[31m\\x9b2J\\r\\n", {"DDD"}, ANY, NULL},
      [FAULT_order] = {"354 go on", {"DDD"}, ANY, NULL},
      [FAULT_early] = {NULL, {"DDD"}, ANY, NULL},
      [FAULT_split] = {NULL, {"DDD"}, ANY, NULL}}},
};
enum { STATES = sizeof states / sizeof states[0] };

/* In the middle of a message that the sockets do not hold: of one alone. It is never whole, so nobody is in doubt. */
static const struct state in_body = {
    "body",
    "nth=1 bytes=2000",
    NULL,
    {[FAULT_later] = {"452 4.3.1 full", {"L!"}, OUTCOME_OF_DESTINATION, "full"},
     [FAULT_never] = {"552 5.3.4 too big", {"R!"}, OUTCOME_OF_MESSAGE, "too big"},
     [FAULT_going] = {NULL, {"L!"}, CONNECTION, "going down"},
     [FAULT_close] = LOST("L!", "L!", "L!"),
     [FAULT_reset] = LOST("L!", "L!", "L!"),
     [FAULT_garbage] = LOST("L!", "L!", "L!"),
     [FAULT_huge] = LOST("L!", "L!", "L!"),
     [FAULT_endless] = LOST("L!", "L!", "L!"),
     [FAULT_orders] = LOST("L!", "L!", "L!"),
     [FAULT_half_close] = LOST("?!", "?!", "?!"), /* it reads on, and may have it all before its end is seen */
     [FAULT_stall] = LOST("X!", "X!", "X!"),      /* it reads on */
     [FAULT_escapes] = {"say 550 5.1.1 a\\x00b\\x1b[31m\\x9b2J\\r\\n", {"R!"}, ANY, "a?b?[31m"},
     [FAULT_order] = {"354 go on", {"L!"}, CONNECTION, "protocol"},
     [FAULT_early] = {"say 250 2.0.0 early\\r\\n", {"L!"}, CONNECTION, "before"},
     [FAULT_split] = {"bytes=999999999 close", {"D"}, ANY, NULL} /* never met */}};

struct text {
    char name[64], rule[160];
};

static void write_case(const struct state *s, enum fault f, struct text *text, struct dialogue_case *to) {
    const struct cell *c = &s->cells[f];
    const char *act = c->act ? c->act : acts[f];
    if (!act || !c->expected[0])
        fail_msg("nobody says what becomes of %s at %s", fault_names[f], s->name);
    (void)snprintf(text->name, sizeof text->name, "%s at %s", fault_names[f], s->name);
    (void)snprintf(text->rule, sizeof text->rule, "%s %s %s", s->name, s->when, act);
    *to = (struct dialogue_case){.name = text->name,
                                 .rules = {text->rule, s->before},
                                 .expected = c->expected[0],
                                 .expected_in = {NULL, c->expected[1], c->expected[2]},
                                 .subject = c->subject,
                                 .says = c->says};
}

static void test_with_messages_on_the_way(void **state) {
    (void)state;
    static struct text texts[STATES * FAULT_COUNT];
    static struct dialogue_case list[STATES * FAULT_COUNT];
    for (unsigned i = 0; i < STATES * FAULT_COUNT; i++)
        write_case(&states[i / FAULT_COUNT], i % FAULT_COUNT, &texts[i], &list[i]);
    hold_dialogues(list, STATES * FAULT_COUNT, 0);
}

static void test_within_a_message(void **state) {
    (void)state;
    struct text texts[FAULT_COUNT];
    struct dialogue_case list[FAULT_COUNT];
    for (unsigned f = 0; f < FAULT_COUNT; f++)
        write_case(&in_body, f, &texts[f], &list[f]);
    hold_dialogues(list, FAULT_COUNT, HUGE_MESSAGE);
}

/* ---- while it connects ---- */

struct way {
    const char *act;  /* NULL: as in acts[] */
    const char *says; /* NULL: it connects, and the message is delivered */
    enum outcome_subject subject;
    unsigned code;
    bool plain; /* connects, and offers nothing: with HELO */
};

struct step {
    const char *name, *rule, *before;
    struct way ways[FAULT_COUNT];
};

#define WORKS                                                                                                          \
    { NULL, NULL, ANY, 0, false }
#define SAYS(text)                                                                                                     \
    { NULL, text, CONNECTION, 0, false }

static const struct step connecting[] = {
    {"greeting",
     "greeting nth=1",
     NULL,
     {[FAULT_later] = {"454 4.3.0 not now", "refuses the connection (454 4.3.0 not now)", CONNECTION, 454, false},
      [FAULT_never] = {"554 5.7.1 no", "refuses the connection (554 5.7.1 no)", CONNECTION, 554, false},
      [FAULT_going] = {NULL, "refuses the connection (421 4.3.2 going down)", CONNECTION, 421, false},
      [FAULT_close] = SAYS("failed"),
      [FAULT_reset] = SAYS("connect"),
      [FAULT_half_close] = SAYS("failed"),
      [FAULT_stall] = SAYS("took too long"),
      [FAULT_garbage] = SAYS("took too long"),
      [FAULT_huge] = SAYS("failed"),
      [FAULT_endless] = SAYS("too much"),
      [FAULT_orders] = SAYS("took too long"),
      [FAULT_escapes] = {"say 220 a\\x00b\\x1b[31m\\x9b2J\\r\\n", NULL, ANY, 0, false},
      [FAULT_order] = {"354 go on", "refuses the connection (354 go on)", CONNECTION, 354, false},
      /* Taken for the answer to EHLO, in which nothing is offered then. */
      [FAULT_early] = {NULL, "does not offer TLS", OUTCOME_OF_SENDER, 0, false},
      [FAULT_split] = WORKS}},
    {"EHLO",
     "ehlo nth=1",
     NULL,
     {[FAULT_later] = {"451 4.3.0 not now", "refuses the connection (451 4.3.0 not now)", CONNECTION, 451, false},
      [FAULT_never] = {"502 5.5.1 what", "refuses the connection (502 5.5.1 what)", CONNECTION, 502, false},
      [FAULT_going] = {NULL, "refuses the connection (421 4.3.2 going down)", CONNECTION, 421, false},
      [FAULT_close] = SAYS("failed"),
      [FAULT_reset] = SAYS("failed"),
      [FAULT_half_close] = SAYS("failed"),
      [FAULT_stall] = SAYS("took too long"),
      [FAULT_garbage] = SAYS("took too long"),
      [FAULT_huge] = SAYS("failed"),
      [FAULT_endless] = SAYS("oo "),
      [FAULT_orders] = SAYS("took too long"),
      [FAULT_escapes] = {"say 250-a\\x00b\\x1b[31m\\x9b2J\\r\\n250-x\\x00y\\r\\n250 STARTTLS\\r\\n", NULL, ANY, 0,
                         false},
      [FAULT_order] = {"354 go on", "refuses the connection (354 go on)", CONNECTION, 354, false},
      [FAULT_early] = {NULL, "no answer to STARTTLS (250 2.0.0 early)", CONNECTION, 250, false},
      [FAULT_split] = WORKS}},
    {"HELO",
     "helo nth=1",
     "ehlo 500 5.5.2 what",
     {[FAULT_later] = {"451 4.3.0 not now", "refuses the connection (451 4.3.0 not now)", CONNECTION, 451, true},
      [FAULT_never] = {"502 5.5.1 what", "refuses the connection (502 5.5.1 what)", CONNECTION, 502, true},
      [FAULT_going] = {NULL, "refuses the connection (421 4.3.2 going down)", CONNECTION, 421, true},
      [FAULT_close] = {NULL, "failed", CONNECTION, 0, true},
      [FAULT_reset] = {NULL, "failed", CONNECTION, 0, true},
      [FAULT_half_close] = {NULL, "failed", CONNECTION, 0, true},
      [FAULT_stall] = {NULL, "took too long", CONNECTION, 0, true},
      [FAULT_garbage] = {NULL, "took too long", CONNECTION, 0, true},
      [FAULT_huge] = {NULL, "failed", CONNECTION, 0, true},
      [FAULT_endless] = {NULL, "oo ", CONNECTION, 0, true},
      [FAULT_orders] = {NULL, "took too long", CONNECTION, 0, true},
      [FAULT_escapes] = {"say 250 a\\x00b\\x1b[31m\\x9b2J\\r\\n", NULL, ANY, 0, true},
      [FAULT_order] = {"354 go on", "refuses the connection (354 go on)", CONNECTION, 354, true},
      /* libcurl throws it away with what it read beyond the reply. */
      [FAULT_early] = {NULL, NULL, ANY, 0, true},
      [FAULT_split] = {NULL, NULL, ANY, 0, true}}},
    {"STARTTLS",
     "starttls nth=1",
     NULL,
     {[FAULT_later] = {"454 4.7.0 not now", "cannot begin TLS now (454 4.7.0 not now)", CONNECTION, 454, false},
      [FAULT_never] = {"554 5.7.0 never", "refuses TLS, which is required (554 5.7.0 never)", OUTCOME_OF_SENDER, 554,
                       false},
      [FAULT_going] = {NULL, "cannot begin TLS now (421 4.3.2 going down)", CONNECTION, 421, false},
      [FAULT_close] = SAYS("failed"),
      [FAULT_reset] = SAYS("failed"),
      [FAULT_half_close] = SAYS("failed"),
      [FAULT_stall] = SAYS("took too long"),
      [FAULT_garbage] = SAYS("took too long"),
      [FAULT_huge] = SAYS("failed"),
      [FAULT_endless] = SAYS("oo "),
      [FAULT_orders] = SAYS("took too long"),
      [FAULT_escapes] = {"say 220 a\\x00b\\x1b[31m\\x9b2J\\r\\n", NULL, ANY, 0, false},
      [FAULT_order] = {"354 go on", "no answer to STARTTLS (354 go on)", CONNECTION, 354, false},
      /* Octets behind the 220 are not of the relay that TLS will vouch for. */
      [FAULT_early] = SAYS("more behind its answer to STARTTLS"),
      [FAULT_split] = WORKS}},
    {"EHLO under TLS",
     "ehlo nth=2",
     NULL,
     {[FAULT_later] = {"451 4.3.0 not now", "does not say what it offers (451 4.3.0 not now)", CONNECTION, 451, false},
      [FAULT_never] = {"502 5.5.1 what", "no way to log in", OUTCOME_OF_SENDER, 0, false},
      [FAULT_going] = {NULL, "refuses the connection (421 4.3.2 going down)", CONNECTION, 421, false},
      [FAULT_close] = SAYS("failed"),
      [FAULT_reset] = SAYS("failed"),
      [FAULT_half_close] = SAYS("failed"),
      [FAULT_stall] = SAYS("took too long"),
      [FAULT_garbage] = SAYS("took too long"),
      [FAULT_huge] = SAYS("failed"),
      [FAULT_endless] = SAYS("oo "),
      [FAULT_orders] = SAYS("took too long"),
      [FAULT_escapes] = {"say 250-a\\x00b\\x1b[31m\\x9b2J\\r\\n250-x\\x00y\\r\\n250 AUTH PLAIN\\r\\n", NULL, ANY, 0,
                         false},
      [FAULT_order] = {"354 go on", "does not say what it offers (354 go on)", CONNECTION, 354, false},
      [FAULT_early] = {NULL, "no answer to AUTH (250 2.0.0 early)", CONNECTION, 250, false},
      [FAULT_split] = WORKS}},
    {"AUTH",
     "auth nth=1",
     NULL,
     {[FAULT_later] = {"454 4.7.0 not now", "cannot check user name and password now (454 4.7.0 not now)", CONNECTION,
                       454, false},
      [FAULT_never] = {"535 5.7.8 wrong", "refused user name or password (535 5.7.8 wrong)", OUTCOME_OF_SENDER, 535,
                       false},
      [FAULT_going] = {NULL, "cannot check user name and password now (421 4.3.2 going down)", CONNECTION, 421, false},
      [FAULT_close] = SAYS("failed"),
      [FAULT_reset] = SAYS("failed"),
      [FAULT_half_close] = SAYS("failed"),
      [FAULT_stall] = SAYS("took too long"),
      [FAULT_garbage] = SAYS("took too long"),
      [FAULT_huge] = SAYS("failed"),
      [FAULT_endless] = SAYS("oo "),
      [FAULT_orders] = SAYS("took too long"),
      [FAULT_escapes] = {"say 235 2.7.0 a\\x00b\\x1b[31m\\x9b2J\\r\\n", NULL, ANY, 0, false},
      [FAULT_order] = {"354 go on", "no answer to AUTH (354 go on)", CONNECTION, 354, false},
      [FAULT_early] = WORKS /* thrown away, as above */,
      [FAULT_split] = WORKS}},
};
enum { STEPS = sizeof connecting / sizeof connecting[0] };

static void write_connect(const struct step *s, enum fault f, unsigned mode, struct text *text,
                          struct connect_case *to) {
    const struct way *w = &s->ways[f];
    const char *act = w->act ? w->act : acts[f];
    if (!act || (!w->act && !w->says && f != FAULT_split && f != FAULT_early))
        fail_msg("nobody says what becomes of %s at %s", fault_names[f], s->name);
    (void)snprintf(text->name, sizeof text->name, "%s at %s, mode %u", fault_names[f], s->name, mode);
    (void)snprintf(text->rule, sizeof text->rule, "%s %s", s->rule, act);
    *to = (struct connect_case){.name = text->name,
                                .args = {"--ehlo", modes[mode], CERT, LOGIN, "--on", text->rule},
                                .relay = w->plain ? "tls = none\n" : "tls = required\n" TRUST AS_US,
                                .says = w->says,
                                .subject = w->subject,
                                .code = w->code,
                                .tls = !w->plain,
                                .login = !w->plain};
    if (s->before) {
        to->args[9] = "--on";
        to->args[10] = s->before;
    }
}

static void test_while_it_connects(void **state) {
    (void)state;
    static struct text texts[STEPS * FAULT_COUNT];
    static struct connect_case list[STEPS * FAULT_COUNT];
    for (unsigned mode = 0; mode < MODES; mode++) {
        for (unsigned i = 0; i < STEPS * FAULT_COUNT; i++)
            write_connect(&connecting[i / FAULT_COUNT], i % FAULT_COUNT, mode, &texts[i], &list[i]);
        connect_all(list, STEPS * FAULT_COUNT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_messages_on_the_way),
        cmocka_unit_test(test_within_a_message),
        cmocka_unit_test(test_while_it_connects),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
