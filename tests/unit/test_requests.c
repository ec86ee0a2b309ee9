#include "fixed_keys.h"
#include "request_helper.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/number.h"
#include "people/requests.h"
#include "spool/request.h"
#include "spool/spool.h"
#include "store/db.h"
#include "trust/code.h"
#include "trust/token.h"

enum { LIST = 7, PERSON = 1 };

struct house {
    void *folder;
    int wake_fd, web, mail;
    struct store *store;
    struct spool *spool;
    struct keyring *keys;
    bool done, keeps, fails; /* fails: a run may */
    struct requests_ahead ahead;
    size_t portion; /* 0: the usual one */
    int result;
};

static void on_wake(void *user) {
    (void)eventfd_write(((struct house *)user)->wake_fd, 1); /* blocks at 2^64 only */
}

static void wait_for(struct house *h) {
    while (store_pending(h->store)) {
        struct pollfd fd = {.fd = h->wake_fd, .events = POLLIN};
        eventfd_t n;
        if (poll(&fd, 1, 60000) <= 0)
            fail_msg("the store does not wake the loop");
        (void)eventfd_read(h->wake_fd, &n); /* it was readable */
        store_dispatch(h->store);
    }
}

/* --- The store, asked and told by SQL ----------------------------------------------------------------------------- */

struct query_job {
    struct store_job job;
    const char *sql;
    int64_t value;
};
static int step_query(struct store_job *job, struct db *db) {
    struct query_job *q = (struct query_job *)job;
    return db_get_int(db, q->sql, &q->value, "") < 0 ? -EINVAL : 0;
}
static void query_done(struct store_job *job, int result) {
    (void)job;
    assert_int_equal(result, 0);
}
static int64_t query(struct house *h, const char *sql) {
    struct query_job q = {.job = {.lane = STORE_NORMAL, .step = step_query, .done = query_done}, .sql = sql};
    store_submit(h->store, &q.job);
    wait_for(h);
    return q.value;
}

static int open_house(void **state) {
    struct house *h = calloc(1, sizeof *h);
    struct why why;
    if (!h || unit_folder(&h->folder) < 0)
        return -1;
    log_set_level(LOG_CRIT);
    h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    h->keys = fixed_keys();
    *state = h;
    AUTOFREE char *spool = unit_path(h->folder, "spool"), *store = unit_path(h->folder, "state");
    if (spool_open(spool, &why, &h->spool) < 0 || store_open(store, on_wake, h, &why, &h->store) < 0)
        return -1;
    h->web = files_open_dir(h->spool->dirfd, "requests/web");
    h->mail = files_open_dir(h->spool->dirfd, "requests/mail");
    (void)query(h, "INSERT INTO subscriber (id, address_key, address, created, changed) VALUES (1, 'a@town.example', "
                   "'a@town.example', 1, 1) RETURNING 1");
    (void)query(h, "INSERT INTO subscription (list, subscriber, state, since) VALUES (7, 1, 2, 100), (8, 1, 2, 100), "
                   "(9, 1, 2, 100) RETURNING 1");
    (void)query(h, "INSERT INTO delivery (announcement, subscriber, list, language, state) VALUES (40, 1, 8, 'de', 2) "
                   "RETURNING 1");
    (void)query(
        h, "INSERT INTO announcement_list (announcement, place, list, name) VALUES (40, 0, 8, 'b'), (40, 1, 7, 'a'), "
           "(41, 0, 8, 'b'), (41, 1, 9, 'c') RETURNING 1");
    return 0;
}

static int close_house(void **state) {
    struct house *h = *state;
    h->store = store_close(h->store);
    h->spool = spool_close(h->spool);
    h->keys = keyring_free(h->keys);
    (void)close(h->web);
    (void)close(h->mail);
    (void)close(h->wake_fd);
    int r = unit_folder_gone(&h->folder);
    free(h);
    return r;
}

/* --- Requests ------------------------------------------------------------------------------------------------------
 */

static char token_text[TOKEN_TEXT_MAX + 1];

/* The link's token. */
static struct view token(struct house *h, enum token_purpose purpose, uint32_t list, uint64_t subscriber) {
    AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
    struct token t = {.purpose = purpose, .list = list, .subscriber = subscriber};
    assert_int_equal(token_sign(h->keys, &t, &text), 0);
    (void)snprintf(token_text, sizeof token_text, "%s", buf_str(&text)); /* fits: the cap */
    return view_of(token_text);
}

static struct request request(uint8_t id, enum request_verb verb, struct view token_view, int64_t at) {
    return (struct request){.id = {id},
                            .at_usec = at / USEC_PER_SEC * USEC_PER_SEC,
                            .verb = verb,
                            .value = {[REQUEST_KEY_TOKEN] = token_view,
                                      [REQUEST_KEY_HOW] = VIEW("one-click"),
                                      [REQUEST_KEY_LANGUAGE] = VIEW("de")}};
}

static struct house *here; /* the one at hand */

static void on_done(struct store_job *job, int result) {
    (void)job;
    here->result = result;
    if (!here->fails)
        assert_int_equal(result, 0);
}

static struct requests run(struct house *h) {
    struct requests *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->spool = h->spool;
    r->keys = h->keys;
    r->purge = !h->keeps;
    r->ahead = h->ahead;
    h->ahead.name[0] = '\0';
    here = h;
    r->job.done = on_done;
    requests_init(r);
    r->portion = h->portion ? h->portion : r->portion;
    store_submit(h->store, &r->job);
    wait_for(h);
    struct requests told = *r;
    requests_done(r);
    free(r);
    return told;
}

static struct requests hand_over(struct house *h, struct request q) {
    assert_int_equal(hand_over_all(h->web, &q, 1), 0);
    return run(h);
}

static size_t count_files(struct house *h, const char *folder) {
    char **names;
    size_t count;
    assert_int_equal(files_list(h->spool->dirfd, folder, 1000, &names, &count), 0);
    files_free_names(names, count);
    return count;
}

static int count_record(void *user, const struct request *q) {
    (void)q;
    ++*(size_t *)user;
    return 0;
}

/* Of all files in applied/, which must be whole. */
static size_t count_records(struct house *h, int (*count_one)(void *user, const struct request *q)) {
    AUTOCLOSE int applied = files_open_dir(h->spool->dirfd, "applied");
    char **names;
    size_t files, count = 0;
    unsigned line;
    assert_int_equal(files_list(applied, ".", 1000, &names, &files), 0);
    for (size_t i = 0; i < files; i++) {
        AUTOBUF struct buf text = BUF_INIT(REQUEST_FILE_MAX_BYTES);
        assert_int_equal(files_read(applied, names[i], &text), 0);
        assert_int_equal(request_read(buf_view(&text), REQUEST_ANY_DOOR, count_one, &count, &line), 0);
    }
    files_free_names(names, files);
    return count;
}

static size_t count_kept(struct house *h) {
    return count_records(h, count_record);
}

/* As a restore of a backup from before all requests leaves it. */
static void restore(struct house *h) {
    assert_int_equal(renameat(h->spool->dirfd, "applied", h->spool->dirfd, "requests/restored"), 0);
    assert_int_equal(mkdirat(h->spool->dirfd, "applied", 0700), 0);
    (void)query(h, "DELETE FROM request RETURNING 1");
    (void)query(h, "UPDATE subscription SET state = 2, since = 100 RETURNING 1");
}

static int64_t state_of(struct house *h, int list) {
    static const char *const queries[] = {"SELECT state FROM subscription WHERE list = 7 AND subscriber = 1",
                                          "SELECT state FROM subscription WHERE list = 8 AND subscriber = 1",
                                          "SELECT state FROM subscription WHERE list = 9 AND subscriber = 1"};
    return query(h, queries[list - LIST]);
}

/* --- Leaving -------------------------------------------------------------------------------------------------------
 */

static void a_leave_takes_effect_once(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec();
    struct requests r = hand_over(h, request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), now));
    assert_true(r.files == 1 && r.applied == 1 && r.refused == 0 && r.rejected == 0);
    assert_int_equal(state_of(h, 7), 3);
    assert_int_equal(state_of(h, 8), 2);
    assert_int_equal(query(h, "SELECT count(*) FROM consent WHERE what = 'left' AND how = 'one-click' AND "
                              "length(request) = 16"),
                     1);
    assert_true(query(h, "SELECT since FROM subscription WHERE list = 7") == now / USEC_PER_SEC * USEC_PER_SEC);
    assert_int_equal(count_files(h, "requests/web"), 0);
    assert_int_equal(count_files(h, "applied"), 1);
    /* the person comes back, and the same record comes again */
    (void)query(h, "UPDATE subscription SET state = 2 RETURNING 1");
    r = hand_over(h, request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), now));
    assert_true(r.files == 1 && r.applied == 0);
    assert_int_equal(state_of(h, 7), 2);
    /* another record about what is so already */
    r = hand_over(h, request(2, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), now));
    r = hand_over(h, request(3, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), now));
    assert_int_equal(r.applied, 1);
    assert_int_equal(query(h, "SELECT count(*) FROM consent"), 2);
}

static void all_lists_of_the_announcement_are_left(void **state) {
    struct house *h = *state;
    struct request q = request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), clock_now_usec());
    q.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("40");
    (void)hand_over(h, q);
    assert_int_equal(state_of(h, 7), 3);
    assert_int_equal(state_of(h, 8), 3);
    assert_int_equal(state_of(h, 9), 2);
    assert_int_equal(query(h, "SELECT count(DISTINCT list) FROM consent WHERE what = 'left'"), 2);
}

/* The number behind a token is not signed: only of what the person got, or of the token's own list, it means anything. */
static void a_number_of_something_else_leaves_nothing_more(void **state) {
    struct house *h = *state;
    const char *const numbers[] = {"41", "42"};
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct request q =
            request(1 + (uint8_t)i, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), clock_now_usec());
        q.value[REQUEST_KEY_ANNOUNCEMENT] = view_of(numbers[i]);
        (void)hand_over(h, q);
        assert_int_equal(state_of(h, 7), 3);
        assert_int_equal(state_of(h, 8), 2);
        assert_int_equal(state_of(h, 9), 2);
    }
    /* where the person got it, the lists are theirs to leave */
    (void)query(
        h, "INSERT INTO delivery (announcement, subscriber, list, language, state) SELECT 41, subscriber, 9, 'de', 2 "
           "FROM delivery WHERE announcement = 40 RETURNING 1");
    struct request q = request(3, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), clock_now_usec());
    q.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("41");
    (void)hand_over(h, q);
    assert_int_equal(state_of(h, 8), 3);
    assert_int_equal(state_of(h, 9), 3);
}

/* ---- By mail ---- */

enum proof { NO_PROOF, LEAVE_CODE, BOUNCE_CODE, CODE_OF_NOTHING, MESSAGE, MESSAGE_OF_ANOTHER, TOKEN, TOKEN_OF_ANOTHER };

static struct requests ask_by_mail(struct house *h, uint8_t id, enum proof proof, const char *address,
                                   const char *announcement) {
    AUTOBUF struct buf text = BUF_INIT(1000);
    struct request q = {
        .id = {id}, .at_usec = clock_now_usec() / USEC_PER_SEC * USEC_PER_SEC, .verb = REQUEST_MAIL_LEAVE};
    enum request_key key = REQUEST_KEY_CODE;
    switch (proof) {
    case NO_PROOF: break;
    case LEAVE_CODE: code_make(h->keys, CODE_LEAVE, LIST, PERSON, &text); break;
    case BOUNCE_CODE: code_make(h->keys, CODE_BOUNCE, 40, PERSON, &text); break;
    case CODE_OF_NOTHING: code_make(h->keys, CODE_BOUNCE, 44, PERSON, &text); break;
    case MESSAGE:
    case MESSAGE_OF_ANOTHER:
        key = REQUEST_KEY_MESSAGES;
        buf_puts(&text, "aaaaaaaaaaaaaaaaaaaaaaaaaa,");
        code_message_id(h->keys, 40, proof == MESSAGE ? PERSON : PERSON + 1, &text);
        break;
    case TOKEN:
    case TOKEN_OF_ANOTHER:
        key = REQUEST_KEY_TOKEN;
        buf_add_view(&text, token(h, TOKEN_RECIPIENT, LIST, proof == TOKEN ? PERSON : PERSON + 1));
        break;
    }
    q.value[key] = buf_view(&text);
    q.value[REQUEST_KEY_ADDRESS] = view_of(address);
    q.value[REQUEST_KEY_ANNOUNCEMENT] = view_of(announcement);
    assert_int_equal(hand_over_all(h->mail, &q, 1), 0);
    return run(h);
}

static void a_mail_proves_who_leaves(void **state) {
    struct house *h = *state;
    static const struct {
        enum proof proof;
        const char *address, *announcement;
        int left[3]; /* of the lists 7, 8, 9 */
    } cases[] = {
        {LEAVE_CODE, "", "", {1, 0, 0}},
        {LEAVE_CODE, "", "40", {1, 1, 0}},
        {LEAVE_CODE, "", "41", {1, 0, 0}},
        {BOUNCE_CODE, "", "", {1, 1, 0}},
        {BOUNCE_CODE, "other@town.example", "", {1, 1, 0}},
        {CODE_OF_NOTHING, "a@town.example", "", {0, 0, 0}},
        {MESSAGE, "A@TOWN.example", "", {1, 1, 0}},
        {MESSAGE, "other@town.example", "", {0, 0, 0}},
        {MESSAGE_OF_ANOTHER, "a@town.example", "", {0, 0, 0}},
        {TOKEN, "a@town.example", "40", {1, 1, 0}},
        {TOKEN, "alias@else.example", "", {1, 0, 0}},
        {TOKEN, "b@town.example", "40", {0, 0, 0}},
        {TOKEN_OF_ANOTHER, "a@town.example", "40", {0, 0, 0}},
        {NO_PROOF, "a@town.example", "40", {0, 0, 0}},
    };
    (void)query(h, "INSERT INTO subscriber (id, address_key, address, created, changed) VALUES (2, 'b@town.example', "
                   "'b@town.example', 1, 1) RETURNING 1");
    /* The one that is meant, and many later ones. */
    (void)query(h,
                "WITH RECURSIVE n (i) AS (VALUES (40) UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
                "INSERT INTO announcement (id, name, list, list_name, subject, state, identity, by, created, send_at, "
                "send_until) SELECT i, 'x', 8, 'b', 'x', 7, x'00', 'x', 1, 0, 0 FROM n RETURNING 1");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        (void)query(h, "UPDATE subscription SET state = 2 RETURNING 1");
        (void)ask_by_mail(h, (uint8_t)(i + 1), cases[i].proof, cases[i].address, cases[i].announcement);
        for (int list = 0; list < 3; list++)
            if (state_of(h, LIST + list) != (cases[i].left[list] ? 3 : 2))
                fail_msg("case %zu: list %d", i, LIST + list);
    }
    assert_int_equal(query(h, "SELECT count(*) FROM consent WHERE how <> 'mail' OR origin <> 'mail'"), 0);
    assert_int_equal(query(h, "SELECT count FROM returned_count WHERE kind = 'mail-leave'"), 8);
}

/* What was left by another mail before stays left. */
static void an_undo_takes_back_one_leave(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec();
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    (void)query(h, "UPDATE subscription SET state = 3, since = (SELECT 0) WHERE list = 8 RETURNING 1");
    struct request leave = request(1, REQUEST_LEAVE, t, now - 60 * USEC_PER_SEC),
                   undo = request(2, REQUEST_UNDO, t, now);
    leave.value[REQUEST_KEY_ANNOUNCEMENT] = undo.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("40");
    (void)hand_over(h, leave);
    assert_int_equal(state_of(h, 7), 3);
    (void)hand_over(h, undo);
    assert_int_equal(state_of(h, 7), 2);
    assert_int_equal(state_of(h, 8), 3);
}

static void tokens_are_verified_again(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec();
    struct requests r = hand_over(h, request(1, REQUEST_LEAVE, token(h, TOKEN_TEST, LIST, 0), now));
    assert_true(r.applied == 1 && r.refused == 0);
    struct view forged = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    token_text[50] = token_text[50] == 'A' ? 'B' : 'A';
    r = hand_over(h, request(2, REQUEST_LEAVE, forged, now));
    assert_true(r.applied == 0 && r.refused == 1 && r.files == 1);
    AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
    struct token release = {.purpose = TOKEN_RELEASE, .announcement = 40, .expires_usec = now};
    assert_int_equal(token_sign(h->keys, &release, &text), 0);
    r = hand_over(h, request(3, REQUEST_LEAVE, buf_view(&text), now));
    assert_int_equal(r.refused, 1);
    /* of a list that is gone, of nobody: accepted, nothing to do */
    r = hand_over(h, request(4, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, 999, PERSON), now));
    assert_true(r.applied == 1 && r.refused == 0);
    r = hand_over(h, request(5, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, 999), now));
    assert_true(r.applied == 1 && r.refused == 0);
    for (int list = 7; list <= 9; list++)
        assert_int_equal(state_of(h, list), 2);
    assert_int_equal(query(h, "SELECT count(*) FROM consent"), 0);
    assert_int_equal(count_kept(h), 5);
}

static void a_leave_is_undone_within_an_hour(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec();
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    struct request leave = request(1, REQUEST_LEAVE, t, now - 7200 * USEC_PER_SEC);
    leave.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("40");
    (void)hand_over(h, leave);
    struct request late = request(2, REQUEST_UNDO, t, now - 3599 * USEC_PER_SEC);
    late.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("40");
    (void)hand_over(h, late);
    assert_int_equal(state_of(h, 7), 3);
    struct request undo = request(3, REQUEST_UNDO, t, now - 3601 * USEC_PER_SEC);
    undo.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("40");
    (void)hand_over(h, undo);
    assert_int_equal(state_of(h, 7), 2);
    assert_int_equal(state_of(h, 8), 2);
    assert_int_equal(query(h, "SELECT count(*) FROM consent WHERE what = 'undone'"), 2);
    /* nothing to undo */
    (void)hand_over(h, request(4, REQUEST_UNDO, t, now));
    assert_int_equal(query(h, "SELECT count(*) FROM consent WHERE what = 'undone'"), 2);
}

/* Somebody who took a door over may write any time into a record: what they left long ago is not taken back by it. */
static void an_undo_with_a_false_time_takes_back_nothing(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec(), left = now - 3 * USEC_PER_DAY;
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    (void)query(h, "UPDATE subscription SET state = 3, since = CAST(unixepoch('now', '-3 days') AS INTEGER) * 1000000 "
                   "WHERE list = 7 RETURNING 1");
    (void)hand_over(h, request(2, REQUEST_UNDO, t, left + 60 * USEC_PER_SEC));
    (void)hand_over(h, request(3, REQUEST_UNDO_ALL, t, left + 60 * USEC_PER_SEC));
    (void)hand_over(h, request(4, REQUEST_UNDO, t, left - 3600 * USEC_PER_SEC));
    assert_int_equal(state_of(h, 7), 3);
    /* Nor is what was left after the undo was asked for. */
    (void)query(h, "UPDATE subscription SET state = 2 WHERE list = 7 RETURNING 1");
    (void)hand_over(h, request(5, REQUEST_LEAVE, t, now));
    (void)hand_over(h, request(6, REQUEST_UNDO, t, now - 7200 * USEC_PER_SEC));
    assert_int_equal(state_of(h, 7), 3);
}

/* Nor does retention take somebody for gone for years: a leave counts from when its file came, or a little earlier. It
 * counts all the same, and of two on one slow way an undo takes back neither. */
static void a_leave_with_a_false_time_counts_from_now(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec(), oldest;
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    struct request choice = request(2, REQUEST_LEAVE, t, 10 * USEC_PER_DAY);
    (void)hand_over(h, request(1, REQUEST_LEAVE, t, 10 * USEC_PER_DAY));
    choice.value[REQUEST_KEY_ANNOUNCEMENT] = VIEW("40");
    (void)hand_over(h, choice);
    assert_int_equal(state_of(h, 7), 3);
    assert_int_equal(state_of(h, 8), 3);
    oldest = query(h, "SELECT min(since) FROM subscription WHERE state = 3");
    assert_true(oldest >= now - 2 * USEC_PER_DAY - USEC_PER_MIN && oldest <= now);
    assert_int_equal(query(h, "SELECT min(at) FROM consent WHERE what = 'left'"), oldest);
    (void)hand_over(h, request(3, REQUEST_UNDO, t, 10 * USEC_PER_DAY + USEC_PER_MIN));
    (void)hand_over(h, request(4, REQUEST_UNDO, t, now - USEC_PER_DAY - USEC_PER_MIN));
    assert_int_equal(state_of(h, 7), 3);
}

/* However many wait, and though the oldest cannot be taken. */
static void a_flooded_folder_is_taken_in_portions(void **state) {
    struct house *h = *state;
    static const char later[] = "20250101T100000Z-0123456789abcdef0123456789abcdef.req";
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    assert_int_equal(files_write_new(h->web, later, VIEW("rundbrief-requests 3\nend\n"), 0600), 0);
    for (uint8_t i = 1; i <= 40; i++) {
        struct request q = request(i, REQUEST_LEAVE, t, clock_now_usec());
        assert_int_equal(hand_over_all(h->web, &q, 1), 0);
    }
    h->portion = 7;
    struct requests r = run(h);
    assert_int_equal(r.files, 40);
    assert_int_equal(r.skipped, 1);
    assert_int_equal(count_files(h, "requests/web"), 1);
}

/* A door whose clock is ahead cannot keep the undo open. */
static void a_record_of_the_future_counts_as_now(void **state) {
    struct house *h = *state;
    (void)hand_over(
        h, request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), clock_now_usec() + 10 * USEC_PER_DAY));
    assert_true(query(h, "SELECT since FROM subscription WHERE list = 7") <= clock_now_usec());
}

/* --- Files ---------------------------------------------------------------------------------------------------------
 */

static void malformed_files_are_put_aside(void **state) {
    struct house *h = *state;
    static const char good[] = "20250902T100000Z-0123456789abcdef0123456789abcdef.req",
                      link_name[] = "20250902T100001Z-0123456789abcdef0123456789abcdef.req",
                      huge_name[] = "20250902T100002Z-0123456789abcdef0123456789abcdef.req";
    assert_int_equal(files_write_new(h->web, good, VIEW("rundbrief-requests 1\nnonsense\nend\n"), 0600), 0);
    assert_int_equal(symlinkat("/etc/passwd", h->mail, link_name), 0);
    AUTOBUF struct buf huge = BUF_INIT(REQUEST_FILE_MAX_BYTES + 1);
    char *room = buf_reserve(&huge, REQUEST_FILE_MAX_BYTES + 1);
    memset(room, 'x', REQUEST_FILE_MAX_BYTES + 1);
    buf_used(&huge, REQUEST_FILE_MAX_BYTES + 1);
    assert_int_equal(files_write_new(h->mail, huge_name, buf_view(&huge), 0600), 0);
    assert_int_equal(files_write_new(h->web, "notes.txt", VIEW("left alone"), 0600), 0);
    struct requests r = hand_over(h, request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), 0));
    assert_true(r.rejected == 3 && r.files == 1 && r.applied == 1);
    assert_int_equal(count_files(h, "rejected"), 6);
    assert_int_equal(count_files(h, "requests/web"), 1);
    assert_int_equal(count_files(h, "requests/mail"), 0);
    char **names;
    size_t count, reasons = 0;
    assert_int_equal(files_list(h->spool->dirfd, "rejected", 10, &names, &count), 0);
    for (size_t i = 0; i < count; i++) {
        AUTOBUF struct buf why = BUF_INIT(4096), path = BUF_INIT(400);
        buf_printf(&path, "rejected/%s", names[i]);
        if (strstr(names[i], good) && view_ends(view_of(names[i]), ".why")) {
            assert_int_equal(files_read(h->spool->dirfd, buf_str(&path), &why), 0);
            assert_non_null(strstr(buf_str(&why), "line 2"));
            reasons++;
        }
    }
    files_free_names(names, count);
    assert_int_equal(reasons, 1);
}

static void many_files_and_long_ones(void **state) {
    struct house *h = *state;
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    static struct request many[2500];
    for (int i = 0; i < 2500; i++) {
        many[i] = request(1, REQUEST_LEAVE, t, 0);
        many[i].id[1] = (uint8_t)i, many[i].id[2] = (uint8_t)(i >> 8);
    }
    assert_int_equal(hand_over_all(h->mail, many, 2000), 0);
    for (int i = 2000; i < 2300; i++)
        assert_int_equal(hand_over_all(i % 2 ? h->web : h->mail, &many[i], 1), 0);
    struct requests r = run(h);
    assert_true(r.files == 301 && r.applied == 2300 && r.refused == 0);
    assert_int_equal(query(h, "SELECT count(*) FROM request"), 2300);
    assert_int_equal(query(h, "SELECT count(*) FROM consent"), 1);
    assert_int_equal(count_kept(h), 2300);
    assert_int_equal(count_files(h, "requests/web") + count_files(h, "requests/mail"), 0);
}

static void make_old(int dirfd, const char *name, int64_t seconds) {
    struct timespec times[2] = {{.tv_sec = time(NULL) - seconds}, {.tv_sec = time(NULL) - seconds}};
    assert_int_equal(utimensat(dirfd, name, times, 0), 0);
}

static void old_things_go(void **state) {
    struct house *h = *state;
    AUTOCLOSE int applied = files_open_dir(h->spool->dirfd, "applied");
    AUTOBUF struct buf young = BUF_INIT(128), old = BUF_INIT(128), utc = BUF_INIT(64);
    for (int days = 89; days <= 91; days += 2) {
        struct buf *name = days < 90 ? &young : &old;
        buf_clear(&utc);
        clock_print_utc(&utc, clock_now_usec() - days * USEC_PER_DAY);
        for (const char *p = buf_str(&utc); *p; p++)
            if (*p != '-' && *p != ':')
                buf_putc(name, *p);
        buf_puts(name, "-0123456789abcdef0123456789abcdef.req");
        assert_int_equal(files_write_new(applied, buf_str(name), VIEW("x"), 0600), 0);
    }
    assert_int_equal(files_write_new(h->web, "young.tmp", VIEW("x"), 0600), 0);
    assert_int_equal(files_write_new(h->web, "old.tmp", VIEW("x"), 0600), 0);
    make_old(h->web, "young.tmp", 23 * 3600);
    make_old(h->web, "old.tmp", 25 * 3600);
    (void)query(h, "INSERT INTO request VALUES (x'01', 1, 'left') RETURNING 1");
    (void)run(h);
    assert_int_equal(faccessat(applied, buf_str(&young), F_OK, 0), 0);
    assert_int_equal(faccessat(applied, buf_str(&old), F_OK, 0), -1);
    assert_int_equal(faccessat(h->web, "young.tmp", F_OK, 0), 0);
    assert_int_equal(faccessat(h->web, "old.tmp", F_OK, 0), -1);
    assert_int_equal(query(h, "SELECT count(*) FROM request"), 0);
}

/* A file of more records than a door writes at once. */
static void a_long_file_is_applied_whole_and_once(void **state) {
    enum { RECORDS = 5000 };
    struct house *h = *state;
    static const char name[] = "20250902T100000.000000Z-0123456789abcdef0123456789abcdef.req";
    AUTOBUF struct buf text = BUF_INIT(REQUEST_FILE_MAX_BYTES);
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    buf_puts(&text, REQUEST_HEAD);
    for (int i = 0; i < RECORDS; i++) {
        struct request q = request(1, REQUEST_LEAVE, t, 0);
        q.id[1] = (uint8_t)i, q.id[2] = (uint8_t)(i >> 8);
        request_print(&text, &q);
    }
    buf_puts(&text, "end\n");
    assert_int_equal(buf_error(&text), 0);
    h->keeps = true; /* by its name it is old */
    for (int round = 0; round < 2; round++) {
        assert_int_equal(files_write_new(h->mail, name, buf_view(&text), 0600), 0);
        struct requests r = run(h);
        assert_true(r.files == 1 && r.refused == 0 && r.rejected == 0);
        assert_int_equal(r.applied, round ? 0 : RECORDS);
        assert_int_equal(query(h, "SELECT count(*) FROM request"), RECORDS);
        assert_int_equal(query(h, "SELECT count(*) FROM consent"), 1);
        assert_int_equal(count_kept(h), (round + 1) * RECORDS); /* once more: it may have been cut off */
    }
}

/* After a kill between the commit and the move: the files are there once more. */
static void a_run_that_was_cut_off_goes_on(void **state) {
    struct house *h = *state;
    static struct request many[600];
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    for (int i = 0; i < 600; i++) {
        many[i] = request(1, REQUEST_LEAVE, t, 0);
        many[i].id[1] = (uint8_t)i, many[i].id[2] = (uint8_t)(i >> 8);
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(hand_over_all(h->web, &many[i], 1), 0);
    assert_int_equal(run(h).applied, 100);
    for (int i = 0; i < 100; i++)
        assert_int_equal(hand_over_all(h->web, &many[i], 1), 0);
    for (int i = 100; i < 600; i++)
        assert_int_equal(hand_over_all(i % 2 ? h->web : h->mail, &many[i], 1), 0);
    struct requests r = run(h);
    assert_true(r.files == 600 && r.rejected == 0 && r.applied == 500);
    assert_int_equal(count_kept(h), 700);
    assert_int_equal(query(h, "SELECT count(*) FROM consent"), 1);
    /* nothing of it stood in applied/ */
    assert_int_equal(hand_over_all(h->web, many, 600), 0);
    assert_int_equal(files_remove_tree(h->spool->dirfd, "applied"), 0);
    assert_int_equal(mkdirat(h->spool->dirfd, "applied", 0700), 0);
    assert_int_equal(run(h).applied, 0);
    assert_int_equal(count_kept(h), 600);
}

static void what_is_cut_off_is_rejected_whole(void **state) {
    struct house *h = *state;
    AUTOBUF struct buf whole = BUF_INIT(4096), odd = BUF_INIT(4096);
    struct request q = request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), 0);
    buf_puts(&whole, REQUEST_HEAD);
    request_print(&whole, &q);
    buf_puts(&whole, "end\n");
    static const char name[] = "20250902T100000.000000Z-0123456789abcdef0123456789abcdef.req";
    size_t rejected = 0;
    for (size_t len = 0; len < whole.len - 1; len += len < 30 || len > whole.len - 8 ? 1 : 17, rejected++) {
        assert_int_equal(files_write_new(h->web, name, view_slice(buf_view(&whole), 0, len), 0600), 0);
        struct requests r = run(h);
        assert_true(r.rejected == 1 && r.files == 0 && r.applied == 0);
    }
    const char *const behind[] = {"x\n", "\n", "end\n"};
    for (size_t i = 0; i < COUNT_OF(behind); i++, rejected++) {
        buf_clear(&odd);
        buf_add_view(&odd, buf_view(&whole));
        buf_puts(&odd, behind[i]);
        assert_int_equal(files_write_new(h->web, name, buf_view(&odd), 0600), 0);
        struct requests r = run(h);
        assert_true(r.rejected == 1 && r.applied == 0);
    }
    assert_int_equal(state_of(h, 7), 2);
    assert_int_equal(count_files(h, "rejected"), 2 * rejected); /* none took the place of another */
}

/* What is no file, names as long as they may be: moved away, and the others are applied. */
static void nothing_in_the_folder_holds_up_the_others(void **state) {
    struct house *h = *state;
    char name[256];
    (void)snprintf(name, sizeof name, "%0250d.req", 1); /* 254 bytes */
    assert_int_equal(files_write_new(h->web, name, VIEW("?"), 0600), 0);
    assert_int_equal(mkdirat(h->web, "0-folder.req", 0700), 0);
    assert_int_equal(mkfifoat(h->web, "0-pipe.req", 0600), 0);
    struct requests r = hand_over(h, request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), 0));
    assert_true(r.rejected == 3 && r.files == 1 && r.applied == 1 && r.skipped == 0);
    assert_int_equal(count_files(h, "requests/web"), 0);
    assert_int_equal(count_files(h, "rejected"), 6);
    /* where it cannot even be moved away, it stays */
    assert_int_equal(files_write_new(h->web, "0-bad.req", VIEW("?"), 0600), 0);
    assert_int_equal(renameat(h->spool->dirfd, "rejected", h->spool->dirfd, "elsewhere"), 0);
    r = hand_over(h, request(2, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, 8, PERSON), 0));
    assert_true(r.skipped == 1 && r.files == 1 && r.applied == 1);
    assert_int_equal(count_files(h, "requests/web"), 1);
    assert_int_equal(state_of(h, 8), 3);
}

/* A door that is newer than the daemon: nothing is lost by it. */
static void a_later_version_waits(void **state) {
    struct house *h = *state;
    assert_int_equal(files_write_new(h->web, "0.req", VIEW("rundbrief-requests 3\nend\n"), 0600), 0);
    struct requests r = hand_over(h, request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), 0));
    assert_true(r.skipped == 1 && r.files == 1 && r.applied == 1 && r.rejected == 0 && r.trouble == 0);
    assert_int_equal(count_files(h, "requests/web"), 1);
}

/* What is a command's, or a mail's, nobody can ask at the web door. */
static void a_door_asks_for_its_own_verbs(void **state) {
    struct house *h = *state;
    struct request suppress = {.id = {1},
                               .verb = REQUEST_SUPPRESS,
                               .value = {[REQUEST_KEY_ADDRESS] = VIEW("a@b.example"),
                                         [REQUEST_KEY_BY] = VIEW("mallory"),
                                         [REQUEST_KEY_REASON] = VIEW("no")}};
    struct requests r = hand_over(h, suppress);
    assert_true(r.rejected == 1 && r.files == 0);
    assert_int_equal(hand_over_all(h->mail, &suppress, 1), 0);
    r = run(h);
    assert_true(r.rejected == 1 && r.files == 0);
    struct request complaint = {.id = {2}, .verb = REQUEST_COMPLAINT, .value = {[REQUEST_KEY_CODE] = VIEW("abc")}};
    r = hand_over(h, complaint);
    assert_true(r.rejected == 1 && r.files == 0);
    assert_int_equal(query(h, "SELECT count(*) FROM suppression"), 0);
}

/* What a door handed over, it may still hold by another name: what it writes there later reaches no restore. */
static void a_door_cannot_change_what_was_applied(void **state) {
    struct house *h = *state;
    char **names;
    size_t count;
    int64_t now = clock_now_usec(), since;
    struct request leave = request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), now - 30 * USEC_PER_DAY);
    assert_int_equal(hand_over_all(h->web, &leave, 1), 0);
    assert_int_equal(files_list(h->web, ".", 10, &names, &count), 0);
    assert_int_equal(linkat(h->web, names[0], h->spool->dirfd, "tmp/held", 0), 0);
    files_free_names(names, count);
    assert_int_equal(run(h).applied, 1);
    since = query(h, "SELECT since FROM subscription WHERE list = 7");
    AUTOBUF struct buf evil = BUF_INIT(4096);
    struct request suppress = {.id = {2},
                               .at_usec = now,
                               .verb = REQUEST_SUPPRESS,
                               .value = {[REQUEST_KEY_ADDRESS] = VIEW("a@town.example"),
                                         [REQUEST_KEY_BY] = VIEW("mallory"),
                                         [REQUEST_KEY_REASON] = VIEW("no")}};
    buf_puts(&evil, REQUEST_HEAD);
    request_print(&evil, &suppress);
    buf_puts(&evil, "end\n");
    AUTOCLOSE int held = openat(h->spool->dirfd, "tmp/held", O_WRONLY | O_TRUNC | O_CLOEXEC);
    assert_int_equal(files_write_all(held, evil.data, evil.len), 0);
    restore(h);
    struct requests r = run(h);
    assert_true(r.applied == 1 && r.rejected == 0);
    assert_int_equal(query(h, "SELECT count(*) FROM suppression"), 0);
    assert_int_equal(state_of(h, 7), 3);
    /* nor is a time believed then that was not */
    assert_int_equal(query(h, "SELECT since FROM subscription WHERE list = 7"), since / USEC_PER_SEC * USEC_PER_SEC);
    assert_int_equal(count_files(h, "requests/restored"), 0);
    assert_int_equal(count_kept(h), 1);
}

/* What waits was asked for after what is repeated. */
static void what_is_repeated_comes_first(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec();
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    (void)hand_over(h, request(1, REQUEST_LEAVE, t, now - 50 * USEC_PER_SEC));
    (void)hand_over(h, request(2, REQUEST_UNDO, t, now - 40 * USEC_PER_SEC));
    restore(h);
    (void)hand_over(h, request(3, REQUEST_LEAVE, t, now));
    assert_int_equal(query(h, "SELECT count(*) FROM request"), 3);
    assert_int_equal(state_of(h, 7), 3);
}

static void only_a_purge_removes(void **state) {
    struct house *h = *state;
    AUTOCLOSE int applied = files_open_dir(h->spool->dirfd, "applied");
    static const char old[] = "20000101T000000.000000Z-0123456789abcdef0123456789abcdef.req";
    assert_int_equal(files_write_new(applied, old, VIEW("x"), 0600), 0);
    h->keeps = true;
    (void)run(h);
    assert_int_equal(faccessat(applied, old, F_OK, 0), 0);
    h->keeps = false;
    (void)run(h);
    assert_int_equal(faccessat(applied, old, F_OK, 0), -1);
}

/* The disk is full: nothing is applied, and the files stay for a better day. */
static void a_full_disk_loses_nothing(void **state) {
    struct house *h = *state;
    struct request q = request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), 0);
    static struct request many[2000];
    for (int i = 0; i < 2000; i++) {
        many[i] = q;
        many[i].id[1] = (uint8_t)i, many[i].id[2] = (uint8_t)(i >> 8);
    }
    assert_int_equal(hand_over_all(h->web, many, 2000), 0);
    (void)query(h, "PRAGMA max_page_count = 1");
    struct requests *r = calloc(1, sizeof *r);
    r->spool = h->spool, r->keys = h->keys;
    requests_init(r);
    r->portion = h->portion ? h->portion : r->portion;
    store_submit(h->store, &r->job);
    wait_for(h);
    requests_done(r);
    free(r);
    assert_int_equal(count_files(h, "requests/web"), 1);
    size_t before = count_kept(h);
    assert_true(before < 2000 && before == (size_t)query(h, "SELECT count(*) FROM request"));
    (void)query(h, "PRAGMA max_page_count = 100000");
    (void)run(h);
    assert_int_equal(count_kept(h), 2000 + before);
    assert_int_equal(query(h, "SELECT count(*) FROM request"), 2000);
}

/* ---- Of somebody whom the backup does not know ---- */

static void forget_the_person(struct house *h) {
    restore(h);
    (void)query(h, "DELETE FROM subscriber RETURNING 1");
    (void)query(h, "DELETE FROM subscription RETURNING 1");
}

static int count_named(void *user, const struct request *q) {
    *(size_t *)user +=
        request_get(q, REQUEST_KEY_HASH).len == 64 && request_number(q, REQUEST_KEY_SUBSCRIBER) == PERSON;
    return 0;
}

/* Also a second restore finds it; what says nothing of who it was is counted. */
static void who_left_is_known_by_a_hash(void **state) {
    struct house *h = *state;
    int64_t now = clock_now_usec();
    struct view t = token(h, TOKEN_RECIPIENT, LIST, PERSON);
    (void)hand_over(h, request(1, REQUEST_LEAVE, t, now));
    (void)hand_over(h, request(2, REQUEST_LEAVE, t, now));
    (void)hand_over(h, request(3, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON + 1), now));
    assert_int_equal(count_records(h, count_named), 2);
    for (int round = 0; round < 2; round++) {
        forget_the_person(h);
        (void)query(h, "DELETE FROM opt_out RETURNING 1");
        struct requests r = run(h);
        assert_int_equal(query(h, "SELECT count(*) FROM opt_out WHERE list = 7 AND how = 'one-click'"), 1);
        assert_int_equal(query(h, "SELECT count(*) FROM opt_out"), 1);
        assert_int_equal(r.missed_count, 1);
        assert_true(r.missed[0].list == LIST && r.missed[0].opt_outs == 1 && r.missed[0].confirmations == 0);
        assert_int_equal(count_kept(h), 3);
    }
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN); /* fails for bad arguments only */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* applied/ takes the file, and the store does not: the next try takes it back. */
static void what_came_to_nothing_is_taken_back(void **state) {
    struct house *h = *state;
    struct request q = request(1, REQUEST_LEAVE, token(h, TOKEN_RECIPIENT, LIST, PERSON), clock_now_usec());
    assert_int_equal(hand_over_all(h->web, &q, 1), 0);
    h->fails = true;
    limit_files(4096); /* the log has more already */
    for (int i = 0; i < 3; i++) {
        h->ahead = run(h).ahead;
        assert_true(h->result < 0 && h->ahead.name[0]);
        assert_int_equal(count_files(h, "applied"), 1);
    }
    limit_files(RLIM_INFINITY);
    h->fails = false;
    struct requests r = run(h);
    assert_true(r.applied == 1 && !r.ahead.name[0]);
    assert_int_equal(count_kept(h), 1);
    assert_int_equal(state_of(h, 7), 3);
    /* what was committed all the same stays */
    q.id[0] = 2;
    (void)hand_over(h, q);
    h->ahead = (struct requests_ahead){.id = {2}};
    AUTOCLOSE int applied = files_open_dir(h->spool->dirfd, "applied");
    char **names;
    size_t files;
    assert_int_equal(files_list(applied, ".", 10, &names, &files), 0);
    (void)snprintf(h->ahead.name, sizeof h->ahead.name, "%s", names[1]);
    files_free_names(names, files);
    (void)run(h);
    assert_int_equal(count_kept(h), 2);
}

int main(void) {
#define HOUSE_TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(a_leave_takes_effect_once),
        HOUSE_TEST(all_lists_of_the_announcement_are_left),
        HOUSE_TEST(a_mail_proves_who_leaves),
        HOUSE_TEST(a_number_of_something_else_leaves_nothing_more),
        HOUSE_TEST(an_undo_takes_back_one_leave),
        HOUSE_TEST(tokens_are_verified_again),
        HOUSE_TEST(a_leave_is_undone_within_an_hour),
        HOUSE_TEST(an_undo_with_a_false_time_takes_back_nothing),
        HOUSE_TEST(a_leave_with_a_false_time_counts_from_now),
        HOUSE_TEST(a_flooded_folder_is_taken_in_portions),
        HOUSE_TEST(a_record_of_the_future_counts_as_now),
        HOUSE_TEST(malformed_files_are_put_aside),
        HOUSE_TEST(many_files_and_long_ones),
        HOUSE_TEST(old_things_go),
        HOUSE_TEST(a_long_file_is_applied_whole_and_once),
        HOUSE_TEST(a_run_that_was_cut_off_goes_on),
        HOUSE_TEST(what_is_cut_off_is_rejected_whole),
        HOUSE_TEST(nothing_in_the_folder_holds_up_the_others),
        HOUSE_TEST(a_later_version_waits),
        HOUSE_TEST(a_door_asks_for_its_own_verbs),
        HOUSE_TEST(a_door_cannot_change_what_was_applied),
        HOUSE_TEST(what_is_repeated_comes_first),
        HOUSE_TEST(who_left_is_known_by_a_hash),
        HOUSE_TEST(what_came_to_nothing_is_taken_back),
        HOUSE_TEST(only_a_purge_removes),
        HOUSE_TEST(a_full_disk_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
