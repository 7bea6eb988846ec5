/* Allocation and growing arrays: overflow is out of memory, zero is something, failure changes
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/vec.h"
#include "support/oom.h"

#include <stdlib.h>
#include <string.h>

static void sizes_that_do_not_fit_are_out_of_memory(void **state)
{
    (void)state;
    static const size_t counts[][2] = {
        {SIZE_MAX, 2},         {2, SIZE_MAX},
        {SIZE_MAX / 2 + 1, 2}, {(size_t)1 << 33, (size_t)1 << 33},
        {SIZE_MAX, 1},         {(size_t)PTRDIFF_MAX + 1, 1},
    };
    char *kept = mem_array(8, 1);
    assert_non_null(kept);
    memcpy(kept, "kept...", 8);
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        assert_null(mem_array(counts[i][0], counts[i][1]));
        assert_null(mem_zarray(counts[i][0], counts[i][1]));
        assert_null(mem_resize(kept, counts[i][0], counts[i][1]));
    }
    assert_null(mem_strdup("x", SIZE_MAX));
    assert_string_equal(kept, "kept...");
    free(kept);
}

static void nothing_is_a_block_too(void **state)
{
    (void)state;
    void *blocks[] = {mem_array(0, 8), mem_array(8, 0), mem_zarray(0, 0), mem_resize(NULL, 0, 4),
                      mem_copy(NULL, 0)};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        assert_non_null(blocks[i]);
        memset(blocks[i], 1, 1);
        free(blocks[i]);
    }
    char *text = mem_strdup(NULL, 0);
    assert_string_equal(text, "");
    text = mem_resize(text, 0, 100); /* not the free of realloc(p, 0) */
    assert_non_null(text);
    free(text);
}

static void copies_and_zeros_are_what_they_say(void **state)
{
    (void)state;
    uint32_t *zeros;
    assert_non_null(MEM_ZNEW(zeros, 1000));
    for (int i = 0; i < 1000; i++)
        assert_int_equal(zeros[i], 0);
    zeros[999] = 7;
    uint32_t *copy = mem_copy(zeros, 1000 * sizeof *zeros);
    assert_non_null(copy);
    assert_int_equal(copy[999], 7);
    char *text = mem_strdup("a\0bc", 3);
    assert_memory_equal(text, "a\0b", 4);
    free(text);
    free(copy);
    free(zeros);
}

static void growth_is_by_half_and_never_too_little(void **state)
{
    (void)state;
    assert_true(mem_grow(0, 1) >= 1);
    assert_int_equal(mem_grow(1000, 1001), 1500);
    assert_int_equal(mem_grow(1000, 5000), 5000);
    assert_true(mem_grow(SIZE_MAX, SIZE_MAX) == SIZE_MAX);
    assert_true(mem_grow(SIZE_MAX - 1, SIZE_MAX) == SIZE_MAX);
}

static void a_vector_grows_as_it_is_pushed(void **state)
{
    (void)state;
    VEC(uint64_t) v = {0};
    int moves = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        size_t cap = v.cap;
        assert_true(VEC_PUSH(&v, i * i));
        moves += v.cap != cap;
    }
    assert_true(moves < 40);
    for (uint64_t i = 0; i < 100000; i++)
        assert_true(v.at[i] == i * i);
    assert_true(VEC_RESERVE(&v, 1));
    assert_true(VEC_RESERVE(&v, 500000));
    assert_true(v.cap >= 500000);
    assert_int_equal(v.count, 100000);
    assert_false(VEC_RESERVE(&v, SIZE_MAX / 4));
    assert_true(v.at[99999] == UINT64_C(99999) * 99999);
    VEC_FREE(&v);
    VEC_FREE(&v);
    assert_null(v.at);
    assert_int_equal(v.cap, 0);
}

static void without_memory_a_vector_stays_as_it_was(void **state)
{
    (void)state;
    OOM_LOOP
    {
        VEC(uint32_t) v = {0};
        uint32_t pushed = 0;
        while (pushed < 5000 && VEC_PUSH(&v, pushed))
            pushed++;
        assert_int_equal(v.count, pushed);
        assert_true(oom_fired() ? pushed < 5000 && v.cap == pushed : pushed == 5000);
        for (uint32_t i = 0; i < pushed; i++)
            assert_int_equal(v.at[i], i);
        VEC_FREE(&v);
    }
}

static void without_memory_every_call_says_so(void **state)
{
    (void)state;
    void *block = mem_array(1, 1);
    for (int i = 0; i < 5; i++) {
        oom_fail_at(1);
        void *made = i == 0   ? mem_array(10, 10)
                     : i == 1 ? mem_zarray(10, 10)
                     : i == 2 ? mem_resize(block, 10, 10)
                     : i == 3 ? mem_copy("x", 1)
                              : (void *)mem_strdup("x", 1);
        assert_true(oom_fired());
        assert_int_equal(oom_count(), 1);
        oom_disarm();
        assert_null(made);
    }
    free(block);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_that_do_not_fit_are_out_of_memory),
        cmocka_unit_test(nothing_is_a_block_too),
        cmocka_unit_test(copies_and_zeros_are_what_they_say),
        cmocka_unit_test(growth_is_by_half_and_never_too_little),
        cmocka_unit_test(a_vector_grows_as_it_is_pushed),
        cmocka_unit_test(without_memory_a_vector_stays_as_it_was),
        cmocka_unit_test(without_memory_every_call_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
