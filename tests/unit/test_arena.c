#include "unit.h"

#include "base/arena.h"

static void copies_are_kept_apart(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    char source[] = "one";
    char *first = arena_strdup(&a, source);
    source[0] = 'X';
    char *cut = arena_dup(&a, view_make("two-and-more", 3));
    char *printed = arena_printf(&a, "%d-%s", 3, "three");
    char *empty = arena_dup(&a, (struct view){0});
    assert_string_equal(first, "one");
    assert_string_equal(cut, "two");
    assert_string_equal(printed, "3-three");
    assert_string_equal(empty, "");
    assert_false(arena_failed(&a));
}

static void memory_is_zeroed_and_aligned_at_every_size(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    for (size_t size = 0; size < 10000; size = size * 3 / 2 + 1) {
        unsigned char *p = arena_alloc(&a, size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xAA, size); /* the next must not see this */
    }
}

static void growing_keeps_what_was_there(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    int *items = NULL;
    for (int i = 0; i < 100; i++) {
        items = arena_grow(&a, items, (size_t)i, sizeof *items);
        assert_int_equal(items[i], 0);
        items[i] = i;
    }
    for (int i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
}

static void room_is_doubled(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    int *items = NULL, moved = 0;
    for (int i = 0; i < 100; i++) {
        int *more = arena_room(&a, items, (size_t)i, sizeof *items);
        moved += more != items;
        items = more;
        items[i] = i;
    }
    assert_int_equal(moved, 8); /* for 1, 2, 4 … 128 */
    for (int i = 0; i < 100; i++)
        assert_int_equal(items[i], i);
    arena_fail(&a);
    assert_ptr_equal(arena_room(&a, items, 100, sizeof *items), items);
    assert_null(arena_room(&a, items, 128, sizeof *items));
}

static void a_failure_sticks(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    assert_non_null(arena_strdup(&a, "before"));
    assert_null(arena_alloc(&a, SIZE_MAX - 10));
    assert_true(arena_failed(&a));
    assert_null(arena_alloc(&a, 1));
    assert_null(arena_strdup(&a, "after"));
    arena_done(&a);
    assert_false(arena_failed(&a));
    assert_non_null(arena_alloc(&a, 1));
}

static void what_is_cleared_is_empty_and_zeroed(void **state) {
    (void)state;
    AUTOARENA struct arena a;
    arena_init(&a);
    for (int round = 0; round < 3; round++) {
        unsigned char *first = arena_alloc(&a, 100);
        for (int i = 0; i < 100; i++)
            assert_int_equal(first[i], 0);
        memset(first, 'x', 100);
        (void)arena_dup(&a, view_make("a chunk of its own", 18));
        assert_non_null(arena_alloc(&a, round == 1 ? 100000 : 3000));
        arena_clear(&a);
    }
    assert_null(arena_alloc(&a, SIZE_MAX - 10));
    arena_clear(&a);
    assert_false(arena_failed(&a));
    assert_non_null(arena_strdup(&a, "again"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_cleared_is_empty_and_zeroed),
        cmocka_unit_test(copies_are_kept_apart),
        cmocka_unit_test(memory_is_zeroed_and_aligned_at_every_size),
        cmocka_unit_test(growing_keeps_what_was_there),
        cmocka_unit_test(room_is_doubled),
        cmocka_unit_test(a_failure_sticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
