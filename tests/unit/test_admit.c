/* Admission with a real store and spool: what is there after each step, and after a start that finds it cut off. */
#include "fixed_keys.h"
#include "intake_helper.h"

#include "announce/admit.h"
#include "announce/occur.h"
#include "base/clock.h"
#include "base/log.h"
#include "spool/spool.h"
#include "store/announcement.h"
#include "store/db.h"

struct house {
    char *folder;
    struct spool *spool;
    struct keyring *keys;
    struct conf *conf;
    struct db *db;
};

static void open_db(struct house *h) {
    struct why why;
    AUTOFREE char *path = unit_path(h->folder, "store.db");
    if (db_open(path, &why, &h->db) < 0)
        fail_msg("%s", why.what);
}

static int setup(void **state) {
    struct house *h = calloc(1, sizeof *h);
    struct why why;
    void *folder;
    if (!h || unit_folder(&folder) < 0)
        return -1;
    h->folder = folder;
    log_set_level(LOG_CRIT);
    AUTOFREE char *spool = unit_path(h->folder, "spool");
    if (spool_open(spool, &why, &h->spool) < 0)
        return -1;
    h->keys = fixed_keys();
    h->conf = intake_conf("");
    open_db(h);
    *state = h;
    return 0;
}

static int teardown(void **state) {
    struct house *h = *state;
    void *folder = h->folder;
    (void)db_close(h->db);
    h->spool = spool_close(h->spool);
    h->keys = keyring_free(h->keys);
    h->conf = conf_unref(h->conf);
    int r = unit_folder_gone(&folder);
    free(h);
    return r;
}

#define HOUSE_TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The text of an announcement that is always due: its event is in 2199. */
#define TEXT_A "[announcement]\nsubject = Eins\n[event]\nstart = 2.9.2199\n---\n{{salutation}},\n\nText.\n"
#define TEXT_B "[announcement]\nsubject = Zwei\n[event]\nstart = 2.9.2199\n---\n{{salutation}},\n\nanderer Text.\n"

static void begin(struct house *h, const char *name, const char *text, struct admit *a) {
    struct bundle b;
    struct why why;
    *a = (struct admit){0};
    bundle_init(&b);
    assert_int_equal(bundle_add(&b, name, view_of(text)), 0);
    assert_int_equal(source_from(&b, name, &a->source, &why), 0);
    bundle_done(&b);
    a->conf = conf_ref(h->conf);
    a->spool = h->spool;
    a->keys = h->keys;
    a->lists = "twins";
    a->by = "vera";
    admit_init(a);
}

/* One step in a transaction of its own, as the store gives it. */
static int step(struct house *h, struct admit *a) {
    assert_int_equal(db_begin(h->db), 0);
    assert_int_equal(db_savepoint(h->db), 0);
    int r = a->job.step(&a->job, h->db);
    if (r < 0)
        db_rollback_to(h->db);
    else
        assert_int_equal(db_release(h->db), 0);
    assert_int_equal(db_commit(h->db), 0);
    return r;
}

static int run(struct house *h, struct admit *a) {
    int r;
    do
        r = step(h, a);
    while (r == STORE_MORE);
    return r;
}

static struct announcement_row row_of(struct house *h, int64_t id, struct arena *arena) {
    struct announcement_row row = {0};
    assert_true(announcement_get(h->db, id, arena, &row) >= 0);
    return row;
}

static enum announcement_state state_of(struct house *h, int64_t id) {
    AUTOARENA struct arena arena = {0};
    return row_of(h, id, &arena).state;
}

static bool has_bundle(struct house *h, int64_t id) {
    char path[64];
    (void)snprintf(path, sizeof path, "announcements/%lld/bundle.ini", (long long)id);
    return faccessat(h->spool->dirfd, path, F_OK, 0) == 0;
}

static int64_t count(struct house *h, const char *what) {
    int64_t n = -1;
    if (strcmp(what, "rows") == 0)
        assert_int_equal(db_get_int(h->db, "SELECT count(*) FROM announcement", &n, ""), 1);
    else
        assert_int_equal(db_get_int(h->db, "SELECT count(*) FROM notice WHERE kind = ?", &n, "t", what), 1);
    return n;
}

static void restart(struct house *h) {
    h->db = db_close(h->db);
    open_db(h);
    assert_int_equal(db_begin(h->db), 0);
    assert_int_equal(spool_sweep_tmp(h->spool), 0);
    assert_int_equal(admit_recover(h->db, h->spool), 0);
    assert_int_equal(db_commit(h->db), 0);
}

static void taken_in(void **state) {
    struct house *h = *state;
    struct admit a;
    AUTOARENA struct arena arena = {0};
    begin(h, "a.md", TEXT_A, &a);
    a.send_at_usec = INT64_C(7000000000000000);
    assert_int_equal(run(h, &a), 0);
    assert_int_equal(a.id, 1);
    struct announcement_row row = row_of(h, a.id, &arena);
    assert_int_equal(row.state, ANNOUNCEMENT_SCHEDULED);
    assert_string_equal(row.name, "a");
    assert_string_equal(row.list_names, "twins");
    assert_string_equal(row.subject, "Eins");
    assert_string_equal(row.by, "vera");
    assert_true(row.lists.count == 1 && row.lists.ids[0] == conf_find_list(h->conf, VIEW("twins"))->id);
    assert_true(row.send_at_usec == a.send_at_usec && row.send_until_usec == 0 && row.event_end_usec > 0);
    assert_true(row.event_uid[0] != '\0');
    assert_memory_equal(row.identity, a.result.head.identity, 32);
    assert_true(has_bundle(h, 1));
    assert_int_equal(count(h, "proof"), 0);
    admit_done(&a);

    /* The bundle on disk says the same. */
    AUTOCLOSE int fd = files_open_dir(h->spool->dirfd, "announcements/1");
    struct bundle b;
    struct bundle_head head;
    struct why why;
    bundle_init(&b);
    assert_int_equal(bundle_read(&b, fd, &why), 0);
    assert_int_equal(bundle_head_read(&b, &head, &why), 0);
    assert_string_equal(head.uid, row.event_uid);
    assert_memory_equal(head.identity, row.identity, 32);
    bundle_done(&b);
    char **names;
    size_t left;
    assert_int_equal(files_list(h->spool->dirfd, "tmp", 10, &names, &left), 0);
    files_free_names(names, left);
    assert_int_equal(left, 0);
}

static void held_with_a_proof(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md", TEXT_A, &a);
    a.hold = true;
    assert_int_equal(run(h, &a), 0);
    assert_int_equal(state_of(h, a.id), ANNOUNCEMENT_HELD);
    assert_int_equal(count(h, "proof"), 2); /* the facts, and the mail in its one language */
    admit_done(&a);
}

static const char *only_text(const char *only, struct arena *arena) {
    return arena_printf(arena, "[announcement]\nsubject = Eins\nonly = %s\n---\n{{salutation}},\n\nText.\n", only);
}

static void add_member(struct house *h, int n, const char *language, const char *attributes, const char *tags) {
    const struct conf_list *list = conf_find_list(h->conf, VIEW("twins"));
    char address[64];
    (void)snprintf(address, sizeof address, "person%d@town.example", n);
    assert_int_equal(db_run(h->db,
                            "INSERT INTO subscriber (address_key, address, language, created, changed) VALUES (?, '', "
                            "?, 1, 1)",
                            NULL, "tt", address, language),
                     0);
    int64_t id = db_last_id(h->db);
    assert_int_equal(db_run(h->db, "INSERT INTO subscription (list, subscriber, state, since) VALUES (?, ?, 2, 1)",
                            NULL, "ii", (int64_t)list->id, id),
                     0);
    assert_int_equal(db_run(h->db, "UPDATE subscriber SET attributes = ? WHERE id = ?", NULL, "ti", attributes, id), 0);
    assert_int_equal(db_run(h->db, "UPDATE subscription SET tags = ? WHERE subscriber = ?", NULL, "ti", tags, id), 0);
}

/* Whom it reaches is counted before anything is kept; what it asks for in vain is told. */
static void filters_are_counted(void **state) {
    struct house *h = *state;
    static const struct {
        const char *only, *problems;
        unsigned reached;
    } cases[] = {
        {"country = FR or tag has funding", "", 2},
        {"Land = Deutschland", "", 2},
        {"language = uk, pl", "!a.md:3:filter-nobody(3)", 0},
        {"contry = FR", "a.md:3:8:filter-no-field(contry)?country !a.md:3:filter-nobody(3)", 0},
        {"not contry = FR", "a.md:3:12:filter-no-field(contry)?country", 3},
        {"country = FR and langauge = de", "a.md:3:25:filter-no-field(langauge)?language !a.md:3:filter-nobody(3)", 0},
        {"ortt = x", "a.md:3:8:filter-no-field(ortt)?ort !a.md:3:filter-nobody(3)", 0},
        {"not tag has fundng", "!a.md:3:20:filter-no-tag(fundng)?funding", 3},
    };
    add_member(h, 1, "de", "land\tDeutschland\nort\tCelle\n", "funding\n");
    add_member(h, 2, "fr", "country\tfr\n", "");
    add_member(h, 3, "de", "land\tDE\n", "");
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTOARENA struct arena arena = {0};
        AUTOBUF struct buf shown = BUF_INIT(10000);
        struct admit a;
        begin(h, "a.md", only_text(cases[i].only, &arena), &a);
        a.check_only = true;
        int r = run(h, &a);
        intake_show(&a.problems, &shown);
        unit_str(cases[i].only, buf_str(&shown), cases[i].problems);
        unit_int(cases[i].only, r, a.problems.errors ? -EINVAL : 0);
        unit_int(cases[i].only, a.reach.census.active, cases[i].reached);
        unit_int(cases[i].only, a.reach.members, 3);
        admit_done(&a);
    }
}

/* Text and meaning are kept: the one in the row, the other in the bundle. */
static void a_filter_is_frozen(void **state) {
    struct house *h = *state;
    AUTOARENA struct arena arena = {0};
    struct admit a;
    add_member(h, 1, "de", "land\tDeutschland\n", "");
    begin(h, "a.md", only_text("country = Germany", &arena), &a);
    assert_int_equal(run(h, &a), 0);
    assert_string_equal(row_of(h, a.id, &arena).only, "country = Germany");
    AUTOBUF struct buf text = BUF_INIT(100000);
    assert_int_equal(files_read(h->spool->dirfd, "announcements/1/filter", &text), 0);
    assert_non_null(strstr(buf_str(&text), "filter 1\ntest attribute =\nname country\n"));
    assert_non_null(strstr(buf_str(&text), "\nname land\n"));
    assert_non_null(strstr(buf_str(&text), "\nvalue deutschland\n"));
    admit_done(&a);
}

/* An empty list says nothing about how its fields are called. */
static void a_filter_on_an_empty_list(void **state) {
    struct house *h = *state;
    AUTOARENA struct arena arena = {0};
    struct admit a;
    begin(h, "a.md", only_text("contry = FR", &arena), &a);
    assert_int_equal(run(h, &a), 0);
    assert_int_equal(a.problems.count, 0);
    admit_done(&a);
}

static void what_is_wrong_leaves_nothing(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md", "[announcement]\nsubjct = x\n---\n{{salutation}}\n", &a);
    assert_int_equal(run(h, &a), -EINVAL);
    assert_true(a.problems.errors == 2);
    admit_done(&a);
    begin(h, "a.md", TEXT_A, &a);
    a.check_only = true;
    assert_int_equal(run(h, &a), 0);
    assert_string_equal(a.result.subject, "Eins");
    admit_done(&a);
    assert_int_equal(count(h, "rows"), 0);
}

static int never(void *user, const struct conf_list *list) {
    assert_string_equal(list->name, "twins");
    ++*(int *)user;
    return 0;
}

static void lists_of_others(void **state) {
    struct house *h = *state;
    struct admit a;
    int asked = 0;
    begin(h, "a.md", TEXT_A, &a);
    a.allows_list = never;
    a.user = &asked;
    assert_int_equal(run(h, &a), -EACCES);
    assert_int_equal(asked, 1);
    assert_int_equal(count(h, "rows"), 0);
    admit_done(&a);
}

static void a_test_goes_to_one_address(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md", TEXT_A, &a);
    a.check_only = true;
    a.test_recipient = "vera@town.example";
    assert_int_equal(run(h, &a), 0);
    admit_done(&a);
    begin(h, "a.md", TEXT_A, &a);
    a.check_only = true;
    a.test_recipient = "vera@town.example";
    a.test_language = "fr";
    assert_int_equal(run(h, &a), -EINVAL);
    assert_non_null(strstr(a.job.why.what, "no text in this language"));
    admit_done(&a);
    assert_int_equal(count(h, "test"), 1);
    assert_int_equal(count(h, "rows"), 0);
}

/* Its row was durable, then the disk was full: the next try is not in its way. */
static void a_date_is_made_after_a_failure(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md",
          "[announcement]\nsubject = Eins\n[event]\nstart = 2.9.2199\nrepeat = yearly\n---\n{{salutation}},\n", &a);
    assert_int_equal(run(h, &a), 0);
    assert_int_equal(state_of(h, a.id), ANNOUNCEMENT_RECURRING);
    admit_done(&a);
    assert_int_equal(db_run(h->db, "UPDATE series SET due = 1", NULL, ""), 0);
    struct occurring *o = occurring_new(h->conf, h->spool, h->keys);
    while (count(h, "rows") == 1)
        assert_int_equal(step(h, &o->admit), STORE_MORE);
    (void)occurring_free(o);
    o = occurring_new(h->conf, h->spool, h->keys);
    assert_int_equal(run(h, &o->admit), STORE_DONE);
    assert_true(o->made);
    assert_int_equal(count(h, "rows"), 2);
    assert_int_equal(state_of(h, o->admit.id), ANNOUNCEMENT_HELD);
    assert_true(has_bundle(h, o->admit.id));
    (void)occurring_free(o);
}

static void the_same_is_refused(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md", TEXT_A, &a);
    assert_int_equal(run(h, &a), 0);
    admit_done(&a);
    begin(h, "a.md", TEXT_A, &a);
    assert_int_equal(run(h, &a), -EEXIST);
    assert_int_equal(a.id, 1);
    assert_non_null(strstr(a.job.why.what, "as number 1 (scheduled)"));
    admit_done(&a);
    begin(h, "a.md", TEXT_A, &a);
    a.again = true;
    assert_int_equal(run(h, &a), 0);
    assert_int_equal(a.id, 2);
    assert_int_equal(a.replaced, 1); /* it had not begun */
    admit_done(&a);
    assert_int_equal(state_of(h, 1), ANNOUNCEMENT_STOPPED);
    assert_int_equal(state_of(h, 2), ANNOUNCEMENT_SCHEDULED);
}

static void a_later_one_replaces(void **state) {
    struct house *h = *state;
    struct admit a;
    AUTOARENA struct arena arena = {0};
    begin(h, "a.md", TEXT_A, &a);
    a.hold = true;
    assert_int_equal(run(h, &a), 0);
    admit_done(&a);
    begin(h, "b.md", TEXT_A, &a); /* another name: another announcement */
    assert_int_equal(run(h, &a), 0);
    assert_int_equal(a.replaced, 0);
    admit_done(&a);
    begin(h, "a.md", TEXT_B, &a);
    assert_int_equal(step(h, &a), STORE_MORE); /* checked */
    assert_int_equal(step(h, &a), STORE_MORE); /* counted */
    assert_int_equal(step(h, &a), STORE_MORE); /* kept: the earlier one stands until this one does */
    assert_int_equal(state_of(h, 1), ANNOUNCEMENT_HELD);
    assert_int_equal(step(h, &a), 0);
    assert_int_equal(a.replaced, 1);
    assert_int_equal(state_of(h, 1), ANNOUNCEMENT_STOPPED);
    assert_int_equal(state_of(h, 3), ANNOUNCEMENT_SCHEDULED);
    admit_done(&a);
    struct announcement_row first = row_of(h, 1, &arena), third = row_of(h, 3, &arena);
    assert_string_equal(first.event_uid, third.event_uid); /* calendars take it for the same event, changed */
    assert_int_equal(third.event_sequence, first.event_sequence + 1);
    assert_string_equal(first.why, "replaced");
}

/* Cut off after each phase, for what was queued and for what was dropped. */
static void cut_off(void **state) {
    static const struct {
        const char *name, *by;
        int steps; /* done before the power went: 2 nothing kept, 3 row and unpublished bundle */
        bool rename, hold;
        enum announcement_state want; /* 0: nothing is left */
    } cases[] = {
        {"checked", "vera", 1, false, false, 0},
        {"counted", "vera", 2, false, false, 0},
        {"row", "vera", 3, false, false, 0},
        {"row, held", "vera", 3, false, true, 0},
        {"row and bundle", "vera", 3, true, false, 0},
        {"row and bundle, held", "vera", 3, true, true, 0},
        {"dropped, row and bundle", ADMIT_BY_DROP, 3, true, true, 0},
        {"dropped, row and bundle, released at once", ADMIT_BY_DROP, 3, true, false, 0},
        {"done", "vera", 4, false, false, ANNOUNCEMENT_SCHEDULED},
        {"done, held", ADMIT_BY_DROP, 4, false, true, ANNOUNCEMENT_HELD},
    };
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        void *own;
        struct admit a;
        assert_int_equal(setup(&own), 0);
        struct house *h = own;
        begin(h, "a.md", TEXT_A, &a);
        a.by = cases[i].by;
        a.hold = cases[i].hold;
        for (int n = 0; n < cases[i].steps; n++)
            unit_int(cases[i].name, step(h, &a), n < 3 ? STORE_MORE : 0);
        if (cases[i].rename)
            unit_int(cases[i].name, spool_publish_tree(h->spool, a.tmp_path, "announcements/1"), 0);
        char *left = a.tmp_path ? strdup(a.tmp_path) : NULL; /* the dead do not clean up */
        free(a.tmp_path);
        a.tmp_path = NULL;
        admit_done(&a);
        restart(h);
        unit_int(cases[i].name, state_of(h, 1), cases[i].want);
        unit_int(cases[i].name, has_bundle(h, 1), cases[i].want != 0);
        unit_int(cases[i].name, count(h, "rows"), cases[i].want != 0);
        if (left)
            unit_int(cases[i].name, faccessat(h->spool->dirfd, left, F_OK, 0), -1);
        free(left);
        restart(h); /* once more changes nothing */
        unit_int(cases[i].name, state_of(h, 1), cases[i].want);
        /* And it can be taken in again, unless it is there. */
        begin(h, "a.md", TEXT_A, &a);
        a.by = cases[i].by;
        unit_int(cases[i].name, run(h, &a),
                 !cases[i].want                            ? 0
                 : strcmp(cases[i].by, ADMIT_BY_DROP) == 0 ? -EALREADY /* its source was left */
                                                           : -EEXIST);
        admit_done(&a);
        assert_int_equal(teardown(&own), 0);
    }
}

static void one_that_is_undone_replaces_nothing(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md", TEXT_A, &a);
    assert_int_equal(run(h, &a), 0);
    admit_done(&a);
    begin(h, "a.md", TEXT_B, &a);
    for (int n = 0; n < 3; n++)
        assert_int_equal(step(h, &a), STORE_MORE);
    assert_int_equal(spool_publish_tree(h->spool, a.tmp_path, "announcements/2"), 0);
    admit_done(&a);
    assert_int_equal(state_of(h, 1), ANNOUNCEMENT_SCHEDULED);
    restart(h);
    assert_int_equal(state_of(h, 1), ANNOUNCEMENT_SCHEDULED);
    assert_int_equal(count(h, "rows"), 1);
}

/* The disk is full when the bundle moves, say: nothing is left, and the same can be taken in at once. */
static void what_cannot_be_moved_is_undone(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md", TEXT_A, &a);
    for (int n = 0; n < 3; n++)
        assert_int_equal(step(h, &a), STORE_MORE);
    assert_int_equal(mkdirat(h->spool->dirfd, "announcements/1", 0700), 0); /* in its way */
    assert_int_equal(run(h, &a), -EEXIST);
    assert_non_null(strstr(a.job.why.what, "cannot move the bundle"));
    admit_done(&a);
    assert_int_equal(count(h, "rows"), 0);
    assert_int_equal(faccessat(h->spool->dirfd, "announcements/1", F_OK, 0), -1);
    begin(h, "a.md", TEXT_A, &a);
    assert_int_equal(run(h, &a), 0);
    admit_done(&a);
}

static void sources_of_drops(void **state) {
    struct house *h = *state;
    struct admit a;
    for (int round = 0; round < 3; round++) {
        begin(h, "a.md", TEXT_A, &a);
        a.by = ADMIT_BY_DROP;
        a.hold = true;
        assert_int_equal(run(h, &a), round == 0 ? 0 : round == 1 ? -EALREADY : -EEXIST);
        assert_int_equal(a.id, 1);
        admit_done(&a);
        if (round == 1) /* the files are gone: another drop of the same is one more */
            assert_int_equal(announcement_source_gone(h->db, 1), 0);
    }
    /* What the command line queued is never taken for a drop. */
    begin(h, "b.md", TEXT_B, &a);
    assert_int_equal(run(h, &a), 0);
    admit_done(&a);
    begin(h, "b.md", TEXT_B, &a);
    a.by = ADMIT_BY_DROP;
    assert_int_equal(run(h, &a), -EEXIST);
    admit_done(&a);
}

static void two_at_once(void **state) {
    struct house *h = *state;
    struct admit a, b;
    begin(h, "a.md", TEXT_A, &a);
    begin(h, "a.md", TEXT_A, &b);
    for (int n = 0; n < 3; n++)
        assert_int_equal(step(h, &a), STORE_MORE);
    assert_int_equal(run(h, &b), -EAGAIN);
    assert_int_equal(step(h, &a), 0);
    assert_int_equal(state_of(h, 1), ANNOUNCEMENT_SCHEDULED);
    assert_int_equal(count(h, "rows"), 1);
    admit_done(&b);
    admit_done(&a);
}

static void one_that_failed_half_way_is_undone_later(void **state) {
    struct house *h = *state;
    struct admit a;
    begin(h, "a.md", TEXT_A, &a);
    for (int n = 0; n < 3; n++)
        assert_int_equal(step(h, &a), STORE_MORE);
    admit_done(&a); /* its bundle could not be moved, say */
    assert_int_equal(db_run(h->db, "UPDATE announcement SET created = created - 61000000", NULL, ""), 0);
    begin(h, "a.md", TEXT_A, &a);
    assert_int_equal(run(h, &a), 0);
    assert_int_equal(a.id, 2);
    assert_int_equal(count(h, "rows"), 1);
    admit_done(&a);
}

static void what_the_store_does_not_know_is_put_aside(void **state) {
    struct house *h = *state;
    char **names;
    size_t count;
    assert_int_equal(files_make_dir(h->spool->dirfd, "announcements/7", 0700), 0);
    assert_int_equal(files_write_new(h->spool->dirfd, "announcements/7/bundle.ini", VIEW("x"), 0600), 0);
    assert_int_equal(files_make_dir(h->spool->dirfd, "announcements/notes", 0700), 0);
    restart(h);
    assert_false(has_bundle(h, 7));
    assert_int_equal(files_list(h->spool->dirfd, "rejected", 10, &names, &count), 0);
    assert_int_equal(count, 2);
    assert_true(view_ends(view_of(names[0]), "-7") && view_ends(view_of(names[1]), "-7.why"));
    files_free_names(names, count);
    assert_int_equal(faccessat(h->spool->dirfd, "announcements/notes", F_OK, 0), 0); /* not ours */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        HOUSE_TEST(taken_in),
        HOUSE_TEST(held_with_a_proof),
        HOUSE_TEST(filters_are_counted),
        HOUSE_TEST(a_filter_is_frozen),
        HOUSE_TEST(a_filter_on_an_empty_list),
        HOUSE_TEST(what_is_wrong_leaves_nothing),
        HOUSE_TEST(lists_of_others),
        HOUSE_TEST(a_test_goes_to_one_address),
        HOUSE_TEST(a_date_is_made_after_a_failure),
        HOUSE_TEST(the_same_is_refused),
        HOUSE_TEST(a_later_one_replaces),
        cmocka_unit_test(cut_off),
        HOUSE_TEST(one_that_is_undone_replaces_nothing),
        HOUSE_TEST(sources_of_drops),
        HOUSE_TEST(two_at_once),
        HOUSE_TEST(one_that_failed_half_way_is_undone_later),
        HOUSE_TEST(what_cannot_be_moved_is_undone),
        HOUSE_TEST(what_the_store_does_not_know_is_put_aside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
