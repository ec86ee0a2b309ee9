#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "people/runs.h"

/* As many as make runs of the second level. */
enum { RUNS = RUNS_FAN * 2 + 5, ROWS = 40 };

static void fill(struct rows *rows, unsigned run, char *organisation) {
    char address[64];
    rows_clear(rows);
    for (unsigned i = 0; i < ROWS; i++) {
        unsigned line = run * ROWS + i;
        (void)snprintf(address, sizeof address, "p%u@town.example", (line * 7919) % 1000);
        struct rows_row row = {.line = line,
                               .person = {.address_key = address, .address = address, .given_name = "Vera"},
                               .consent_usec = line};
        if (line % 500 == 0)
            row.person.organisation = organisation; /* longer than what is read at once */
        if (line % 3 == 0)
            row.person.address = "Spelled@town.example";
        assert_int_equal(rows_add(rows, &row), 0);
    }
    rows_sort(rows);
}

static void runs_come_out_in_order(void **state) {
    (void)state;
    void *folder = NULL;
    assert_int_equal(unit_folder(&folder), 0);
    char organisation[40000];
    memset(organisation, 'x', sizeof organisation - 1);
    organisation[sizeof organisation - 1] = '\0';
    static bool met[RUNS * ROWS];
    struct runs runs;
    struct rows rows = {0};
    runs_init(&runs, folder);
    for (unsigned run = 0; run < RUNS; run++) {
        fill(&rows, run, organisation);
        assert_int_equal(runs_add(&runs, &rows), 0);
        assert_true(runs.count < RUNS_FAN + 2);
    }
    assert_int_equal(runs.count, 2 + 5);
    assert_int_equal(rmdir(folder), 0); /* nothing lies in it */
    assert_int_equal(runs_merge(&runs), 0);
    const struct rows_record *record;
    struct rows_row row;
    char last[64] = "";
    unsigned count = 0, last_line = 0;
    for (; runs_next(&runs, &record) == 1; count++) {
        rows_read(record, &row);
        int order = strcmp(last, row.person.address_key);
        assert_true(order < 0 || (order == 0 && last_line < row.line));
        assert_false(met[row.line]);
        met[row.line] = true;
        (void)snprintf(last, sizeof last, "%s", row.person.address_key);
        last_line = row.line;
        assert_int_equal(row.consent_usec, row.line);
        assert_string_equal(row.person.given_name, "Vera");
        assert_string_equal(row.person.address, row.line % 3 == 0 ? "Spelled@town.example" : row.person.address_key);
        if (row.line % 500 == 0)
            assert_string_equal(row.person.organisation, organisation);
        else
            assert_null(row.person.organisation);
    }
    assert_int_equal(count, RUNS * ROWS);
    runs_done(&runs);
    rows_done(&rows);
    assert_int_equal(mkdir(folder, 0700), 0);
    assert_int_equal(unit_folder_gone(&folder), 0);
}

static void nothing_is_nothing(void **state) {
    (void)state;
    struct runs runs;
    const struct rows_record *record;
    runs_init(&runs, "/nowhere");
    assert_int_equal(runs_merge(&runs), 0);
    assert_int_equal(runs_next(&runs, &record), 0);
    struct rows rows = {0};
    fill(&rows, 0, NULL);
    assert_int_equal(runs_add(&runs, &rows), -ENOENT);
    runs_done(&runs);
    rows_done(&rows);
}

static void rows_have_a_limit(void **state) {
    (void)state;
    static char much[ROWS_RECORD_MAX_BYTES + 1];
    memset(much, 'x', sizeof much - 1);
    struct rows rows = {0};
    struct rows_row row = {.person = {.address_key = "a@town.example", .address = "a@town.example"}, .consent = much};
    assert_int_equal(rows_add(&rows, &row), -EMSGSIZE);
    much[ROWS_RECORD_MAX_BYTES - 200] = '\0';
    assert_int_equal(rows_add(&rows, &row), 0);
    rows_done(&rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_come_out_in_order),
        cmocka_unit_test(nothing_is_nothing),
        cmocka_unit_test(rows_have_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
