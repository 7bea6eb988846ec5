/* The bump allocator: alignment, marks, the block that is kept, no memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/rng.h"
#include "support/oom.h"

#include <stdio.h>
#include <string.h>

static void blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 61);
    struct arena a;
    arena_init(&a);
    static struct {
        unsigned char *at;
        size_t size;
    } got[3000];
    size_t sum = 0;
    for (size_t i = 0; i < 3000; i++) {
        got[i].size = rng_below(&rng, i % 100 ? 200 : 20000);
        got[i].at = arena_alloc(&a, got[i].size, 1);
        assert_non_null(got[i].at);
        assert_int_equal((uintptr_t)got[i].at % 16, 0);
        memset(got[i].at, (int)(i % 251), got[i].size);
        sum += got[i].size;
    }
    assert_true(a.used >= sum);
    for (size_t i = 0; i < 3000; i++)
        for (size_t j = 0; j < got[i].size; j++)
            assert_int_equal(got[i].at[j], i % 251);
    arena_deinit(&a);
    arena_deinit(&a);
    assert_int_equal(a.used, 0);
}

static void sizes_that_do_not_fit_are_out_of_memory(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    assert_null(arena_alloc(&a, SIZE_MAX, 2));
    assert_null(arena_alloc(&a, SIZE_MAX, 1));
    assert_null(arena_alloc(&a, SIZE_MAX / 2, 1));
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 0, 8));
    assert_non_null(arena_alloc(&a, 8, 0));
    arena_deinit(&a);
}

static void copies_end_in_a_zero(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct str empty = arena_str(&a, STR_NONE), text = arena_str(&a, STR("te\0xt"));
    assert_non_null(empty.ptr);
    assert_int_equal(empty.len, 0);
    assert_string_equal(empty.ptr, "");
    assert_true(str_eq(text, STR("te\0xt")));
    assert_int_equal(text.ptr[5], '\0');
    arena_deinit(&a);
}

static void a_mark_brings_back_what_was(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    struct arena_mark nothing = arena_mark(&a);
    char *kept = arena_alloc(&a, 100, 1);
    assert_non_null(kept);
    memset(kept, 'k', 100);
    struct arena_mark mark = arena_mark(&a);
    char *first = arena_alloc(&a, 50, 1);
    for (int i = 0; i < 10; i++) /* also across blocks, and nested */
    {
        struct arena_mark inner = arena_mark(&a);
        for (int j = 0; j < 100; j++)
            memset(arena_alloc(&a, 1000, 1), 'x', 1000);
        arena_release(&a, inner);
        assert_int_equal(a.used, inner.used);
    }
    arena_release(&a, mark);
    assert_int_equal(a.used, mark.used);
    assert_ptr_equal(arena_alloc(&a, 50, 1), first);
    for (int i = 0; i < 100; i++)
        assert_int_equal(kept[i], 'k');
    arena_release(&a, nothing);
    assert_int_equal(a.used, 0);
    assert_non_null(arena_alloc(&a, 10, 1));
    arena_deinit(&a);
}

static void similar_rounds_soon_need_no_allocation(void **state)
{
    (void)state;
    struct arena a;
    arena_init(&a);
    long last = -1;
    for (int round = 0; round < 10; round++) {
        oom_disarm(); /* counts from here */
        for (int i = 0; i < 1000; i++)
            assert_non_null(arena_alloc(&a, 300, 1));
        last = oom_count();
        arena_clear(&a);
        assert_int_equal(a.used, 0);
    }
    assert_int_equal(last, 0);
    arena_deinit(&a);
    arena_clear(&a);
    assert_null(a.head);
}

static void no_memory_leaves_the_arena_usable(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct arena a;
        arena_init(&a);
        char *all[50];
        int count = 0;
        while (count < 50 && (all[count] = arena_alloc(&a, 1000, 1)))
            memset(all[count++], 'a', 1000);
        size_t used = a.used;
        assert_true(oom_fired() ? count < 50 : count == 50);
        if (oom_fired()) {
            assert_int_equal(a.used, (size_t)count * 1008);
            struct str after = arena_str(&a, STR("after")); /* only one allocation fails */
            assert_true(str_eq(after, STR("after")));
            assert_int_equal(a.used, used + 16);
        }
        for (int i = 0; i < count; i++)
            assert_int_equal(all[i][999], 'a');
        arena_deinit(&a);
    }
    struct arena a;
    arena_init(&a);
    oom_fail_at(1);
    assert_null(arena_str(&a, STR("x")).ptr);
    oom_disarm();
    arena_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_apart),
        cmocka_unit_test(sizes_that_do_not_fit_are_out_of_memory),
        cmocka_unit_test(copies_end_in_a_zero),
        cmocka_unit_test(a_mark_brings_back_what_was),
        cmocka_unit_test(similar_rounds_soon_need_no_allocation),
        cmocka_unit_test(no_memory_leaves_the_arena_usable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
