/* What requests in the spool tell of people: who was erased stands nowhere any more, and everybody else as before. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "fixed_keys.h"
#include "people/forgetting.h"
#include "people/privacy.h"
#include "people/requests_act.h"
#include "request_helper.h"
#include "spool/spool.h"
#include "store/applied.h"
#include "store/forget.h"
#include "store/sign_up.h"
#include "store_helper.h"
#include "trust/code.h"
#include "trust/token.h"

enum { LIST = 7, THEY = 41, OTHER = 42 };
static const int64_t second = 1000000;

struct house {
    struct fixture *f;
    struct keyring *keys;
    struct spool *spool;
    int applied, rejected;
    int64_t now;
    uint8_t last;
};

static int open_house(void **state) {
    AUTOBUF struct buf path = BUF_INIT(256);
    void *f;
    struct why why;
    if (fixture_setup(&f) < 0)
        return -1;
    struct house *h = calloc(1, sizeof *h);
    h->f = f;
    h->keys = fixed_keys();
    h->now = clock_now_usec();
    buf_printf(&path, "%s/spool", h->f->folder);
    if (spool_open(buf_str(&path), &why, &h->spool) < 0)
        return -1;
    h->applied = files_open_dir(h->spool->dirfd, "applied");
    h->rejected = files_open_dir(h->spool->dirfd, "rejected");
    *state = h;
    return 0;
}

static int close_house(void **state) {
    struct house *h = *state;
    void *f = h->f;
    (void)close(h->applied);
    (void)close(h->rejected);
    (void)spool_close(h->spool);
    h->keys = keyring_free(h->keys);
    free(h);
    return fixture_teardown(&f);
}

/* ---- records ---- */

static char token_text[TOKEN_TEXT_MAX + 1];

static struct view token_of(struct house *h, uint64_t subscriber) {
    AUTOBUF struct buf text = BUF_INIT(TOKEN_TEXT_MAX);
    struct token t = {.purpose = TOKEN_RECIPIENT, .list = LIST, .subscriber = subscriber};
    assert_int_equal(token_sign(h->keys, &t, &text), 0);
    (void)snprintf(token_text, sizeof token_text, "%s", buf_str(&text)); /* fits: the cap */
    return view_of(token_text);
}

/* One that was applied; ago: before now. */
static struct request *kept(struct house *h, struct request *q, int64_t ago_usec, const char *result) {
    q->id[0] = ++h->last;
    q->at_usec = (h->now - ago_usec) / second * second;
    assert_int_equal(applied_keep(h->f->db, q->id, h->now - ago_usec, result), 0);
    return q;
}

static struct request sign_up_of(struct house *h, const char *address, int64_t ago_usec, const char *result) {
    struct request q = {.verb = REQUEST_SIGN_UP,
                        .value = {[REQUEST_KEY_LIST] = VIEW("7"),
                                  [REQUEST_KEY_ADDRESS] = view_of(address),
                                  [REQUEST_KEY_LANGUAGE] = VIEW("de"),
                                  [REQUEST_KEY_GIVEN_NAME] = VIEW("Ada"),
                                  [REQUEST_KEY_CONSENT] = VIEW("1"),
                                  [REQUEST_KEY_WORDING] = VIEW("Ja"),
                                  [REQUEST_KEY_SOURCE] = VIEW("192.0.2.1")}};
    return *kept(h, &q, ago_usec, result);
}

static struct request leave_of(struct house *h, uint64_t subscriber) {
    struct request q = {.verb = REQUEST_LEAVE, .value = {[REQUEST_KEY_HOW] = VIEW("link")}};
    q.value[REQUEST_KEY_TOKEN] = token_of(h, subscriber);
    return *kept(h, &q, second, "left");
}

static struct request preferences_of(struct house *h, uint64_t subscriber, const char *address, const char *leave,
                                     const char *result) {
    struct request q = {.verb = REQUEST_PREFERENCES, .value = {[REQUEST_KEY_SOURCE] = VIEW("192.0.2.9")}};
    q.value[REQUEST_KEY_TOKEN] = token_of(h, subscriber);
    q.value[REQUEST_KEY_NEW_ADDRESS] = view_of(address);
    q.value[REQUEST_KEY_LEAVE] = view_of(leave);
    return *kept(h, &q, second, result);
}

static struct request bounce_of(struct house *h, const char *said) {
    struct request q = {.verb = REQUEST_BOUNCE,
                        .value = {[REQUEST_KEY_CODE] = VIEW("abc"),
                                  [REQUEST_KEY_CLASS] = VIEW("hard"),
                                  [REQUEST_KEY_ACTION] = VIEW("suppress"),
                                  [REQUEST_KEY_REASON] = VIEW("unknown"),
                                  [REQUEST_KEY_SAID] = view_of(said)}};
    return *kept(h, &q, second, "bounced");
}

/* Keeps what the record's text needs beyond the next token. */
static void add(struct buf *to, struct request q) {
    request_print(to, &q);
}

/* ---- files ---- */

static void write_in(int dirfd, const char *name, const char *text) {
    assert_int_equal(files_write_new(dirfd, name, view_of(text), 0640), 0);
}

static void write_records(struct house *h, const char *name, const struct buf *records) {
    AUTOBUF struct buf file = BUF_INIT(1 << 20);
    buf_printf(&file, REQUEST_HEAD "%send\n", buf_str(records));
    write_in(h->applied, name, buf_str(&file));
}

static const char *text_of(int dirfd, const char *name) {
    static struct buf text = BUF_INIT(1 << 20);
    buf_done(&text);
    return files_read(dirfd, name, &text) < 0 ? NULL : buf_str(&text);
}

static size_t lines_of(struct house *h, const char *name) {
    const char *text = text_of(h->applied, name);
    size_t n = 0;
    for (; text && *text; text++)
        n += *text == '\n';
    return n ? n - 2 : 0;
}

static int one_step(struct house *h, struct forgetting *f) {
    assert_int_equal(db_begin(h->f->db), 0);
    db_slice_begin(h->f->db, 0);
    int r = f->job.step(&f->job, h->f->db);
    assert_true(r >= 0);
    assert_int_equal(db_commit(h->f->db), 0);
    db_slice_begin(h->f->db, -1);
    return r;
}

/* As the store does, with slices that are over at once; cut off behind so many steps. */
static struct forgetting run(struct house *h, int steps_max) {
    struct forgetting f = {.spool = h->spool, .keys = h->keys};
    int steps = 0;
    forgetting_init(&f);
    assert_int_equal(f.job.lane, STORE_BULK);
    while (steps++ < steps_max && one_step(h, &f) == STORE_MORE)
        ;
    forgetting_done(&f);
    return f;
}

static void erased(struct house *h, const char *address, int64_t subscriber, int64_t at) {
    uint8_t hash[FORGET_HASH_BYTES];
    code_address_hash(h->keys, view_of(address), hash);
    assert_int_equal(forget_add(h->f->db, hash, subscriber, at), 0);
}

/* ---- tests ---- */

static void who_was_erased_stands_nowhere(void **state) {
    struct house *h = *state;
    AUTOBUF struct buf a = BUF_INIT(1 << 20), b = BUF_INIT(1 << 20);
    add(&a, leave_of(h, OTHER));
    add(&a, sign_up_of(h, "Ada@Town.example", 5 * second, REQUEST_CONFIRMED));
    add(&a, sign_up_of(h, "bert@town.example", 5 * second, REQUEST_CONFIRMED));
    add(&a, leave_of(h, THEY));
    add(&a, preferences_of(h, THEY, "ada@new.example", "7", REQUEST_MOVED));
    add(&a, preferences_of(h, THEY, "ada@new.example", "", REQUEST_MOVED));
    add(&a, preferences_of(h, OTHER, "ada@town.example", "7", REQUEST_MOVED));
    add(&a, bounce_of(h, "550 <ada@town.example>: no such user (rcpt=ADA@town.example.)"));
    add(&a, bounce_of(h, "550 <bert@town.example>: no such user"));
    write_records(h, "20250902T100000.000000Z-1.req", &a);
    add(&b, sign_up_of(h, "ada@town.example", 5 * second, REQUEST_CONFIRMED));
    write_records(h, "20250902T100000.000000Z-2.req", &b);
    buf_clear(&b);
    add(&b, sign_up_of(h, "former@town.example", 5 * second, REQUEST_CONFIRMED));
    write_records(h, "20250902T100000.000000Z-3.req", &b);
    write_in(h->applied, "20250902T100000.000000Z-4.req.tmp", "ada@town.example");
    write_in(
        h->rejected, "2025-09-02T10:00:00Z-x.req",
        "rundbrief-requests 2\nid\tat\tsign-up\taddress=ada@town.example\nid\tat\tsign-up\taddress=bert@town.example");
    uint8_t hash[FORGET_HASH_BYTES];
    code_address_hash(h->keys, VIEW("former@town.example"), hash);
    assert_int_equal(former_address_keep(h->f->db, THEY, hash, h->now), 0);
    erased(h, "ada@town.example", THEY, h->now);
    (void)run(h, 4); /* cut off in the midst */
    struct forgetting f = run(h, 1000);
    assert_true(f.files >= 3);
    const char *text = text_of(h->applied, "20250902T100000.000000Z-1.req");
    assert_non_null(text);
    assert_null(strcasestr(text, "ada@"));
    assert_non_null(strstr(text, "bert@town.example\t"));
    assert_non_null(strstr(text, "said=550 <(erased)>: no such user ((erased).)"));
    assert_non_null(strstr(text, "said=550 <bert@town.example>"));
    assert_int_equal(lines_of(h, "20250902T100000.000000Z-1.req"), 7); /* two lines had nothing else */
    assert_null(text_of(h->applied, "20250902T100000.000000Z-2.req"));
    assert_null(text_of(h->applied, "20250902T100000.000000Z-3.req"));
    assert_null(text_of(h->applied, "20250902T100000.000000Z-4.req.tmp"));
    text = text_of(h->rejected, "2025-09-02T10:00:00Z-x.req");
    assert_null(strstr(text, "ada@"));
    assert_non_null(strstr(text, "bert@town.example"));
    struct stat st;
    assert_int_equal(fstatat(h->rejected, "2025-09-02T10:00:00Z-x.req", &st, 0), 0);
    assert_int_equal(st.st_mode & 0777, 0600); /* coordinators read in that folder */
    assert_int_equal(fixture_int(h->f->db, "SELECT count(*) FROM forgetting"), 0);
    assert_int_equal(fixture_int(h->f->db, "SELECT count(*) FROM former_address"), 0);
    /* The file is one, still. */
    struct request_reader reader = {0};
    unsigned line;
    AUTOBUF struct buf file = BUF_INIT(1 << 20);
    assert_int_equal(files_read(h->applied, "20250902T100000.000000Z-1.req", &file), 0);
    assert_int_equal(request_reader_open(&reader, buf_view(&file), REQUEST_ANY_DOOR, &line), 0);
    request_reader_done(&reader);
    assert_int_equal(run(h, 1000).files, 0);
}

static void who_came_back_is_kept(void **state) {
    struct house *h = *state;
    AUTOBUF struct buf a = BUF_INIT(1 << 20);
    add(&a, sign_up_of(h, "ada@town.example", 10 * second, REQUEST_CONFIRMED));
    add(&a, sign_up_of(h, "ada@town.example", 2 * second, REQUEST_CONFIRMED));
    write_records(h, "20250902T100000.000000Z-1.req", &a);
    erased(h, "ada@town.example", 0, h->now - 5 * second);
    assert_int_equal(run(h, 1000).records, 1);
    assert_int_equal(lines_of(h, "20250902T100000.000000Z-1.req"), 1);
}

static void what_led_to_nothing_goes(void **state) {
    static const struct {
        const char *result;
        bool waits, stays;
    } cases[] = {{"asked", true, true},     {"asked", false, false},   {REQUEST_CONFIRMED, false, true},
                 {"limited", false, false}, {"blocked", false, false}, {"reminded", false, false}};
    struct house *h = *state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOBUF struct buf a = BUF_INIT(1 << 20);
        struct request q = sign_up_of(h, "ada@town.example", second, cases[i].result);
        uint8_t nonce[SIGN_UP_NONCE_BYTES];
        char name[64];
        code_nonce(h->keys, q.id, false, nonce);
        const struct sign_up s = {.nonce = nonce,
                                  .list = LIST,
                                  .token_list = LIST,
                                  .address_key = "x",
                                  .address = "x",
                                  .given_name = "",
                                  .family_name = "",
                                  .language = "",
                                  .version = "",
                                  .wording = "",
                                  .source = "",
                                  .message_id = "",
                                  .request = q.id,
                                  .expires_usec = h->now};
        if (cases[i].waits)
            assert_int_equal(sign_up_add(h->f->db, &s), 0);
        add(&a, q);
        (void)snprintf(name, sizeof name, "2025-%zu.req", i); /* fits */
        write_records(h, name, &a);
        (void)run(h, 1000);
        assert_int_equal(lines_of(h, name), cases[i].stays);
    }
    AUTOBUF struct buf a = BUF_INIT(1 << 20);
    struct request link = {.verb = REQUEST_LINK, .value = {[REQUEST_KEY_ADDRESS] = VIEW("ada@town.example")}};
    add(&a, *kept(h, &link, second, "sent"));
    add(&a, preferences_of(h, OTHER, "new@town.example", "8", "asked"));
    add(&a, preferences_of(h, OTHER, "moved@town.example", "8", REQUEST_MOVED));
    struct request unknown = sign_up_of(h, "cleo@town.example", second, "asked");
    unknown.id[0] = 250; /* nobody knows what became of it */
    add(&a, unknown);
    write_records(h, "2025-a.req", &a);
    (void)run(h, 1000);
    const char *text = text_of(h->applied, "2025-a.req");
    assert_null(strstr(text, "ada@"));
    assert_null(strstr(text, "new@town"));
    assert_non_null(strstr(text, "leave=8"));
    assert_non_null(strstr(text, "moved@town.example"));
    assert_non_null(strstr(text, "cleo@town.example"));
}

static void an_erasure_notes_who_is_to_be_forgotten(void **state) {
    struct house *h = *state;
    struct why why;
    AUTOBUF struct buf a = BUF_INIT(1 << 20);
    int64_t id = fixture_member(h->f->db, LIST, 1, "de", 1);
    add(&a, sign_up_of(h, "person1@town.example", second, REQUEST_CONFIRMED));
    add(&a, preferences_of(h, (uint64_t)id, "person1@new.example", "", REQUEST_MOVED));
    write_records(h, "2025-a.req", &a);
    const struct member_act act = {.by = "vera", .evidence = "letter", .now_usec = h->now, .keys = h->keys};
    assert_int_equal(privacy_erase(h->f->db, VIEW("person1@town.example"), &act, &why), 0);
    assert_int_equal(fixture_int(h->f->db, "SELECT count(*) FROM forgetting"), 1);
    assert_int_equal(run(h, 1000).records, 2);
    assert_null(text_of(h->applied, "2025-a.req"));
}

/* One that is no file of requests, or cannot be read, is left, and whoever is to be forgotten stays noted. */
static void what_cannot_be_read_is_tried_again(void **state) {
    struct house *h = *state;
    write_in(h->applied, "2025-a.req", "ada@town.example");
    erased(h, "ada@town.example", 0, h->now);
    (void)run(h, 1000);
    assert_int_equal(fixture_int(h->f->db, "SELECT count(*) FROM forgetting"), 1);
    assert_int_equal(unlinkat(h->applied, "2025-a.req", 0), 0);
    (void)run(h, 1000);
    assert_int_equal(fixture_int(h->f->db, "SELECT count(*) FROM forgetting"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(who_was_erased_stands_nowhere),      TEST(who_came_back_is_kept),
        TEST(what_led_to_nothing_goes),           TEST(an_erasure_notes_who_is_to_be_forgotten),
        TEST(what_cannot_be_read_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
