/* The k best against sorting all, in the one order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "base/topk.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void the_order_is_score_then_tie_then_item(void **state)
{
    (void)state;
    static const struct topk_entry sorted[] = {{INFINITY, 9, 9}, {2, 9, 9},  {1, 0, 5},
                                               {1, 1, 3},        {1, 1, 4},  {-0.0f, 0, 0},
                                               {0.0f, 0, 1},     {-1, 0, 0}, {-INFINITY, 0, 0}};
    const int count = sizeof sorted / sizeof *sorted;
    for (int i = 0; i < count; i++)
        for (int j = 0; j < count; j++)
            assert_int_equal(topk_compare(&sorted[i], &sorted[j]), (i > j) - (i < j));
}

static void the_best_equal_those_of_sorting_all(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0, 1, 2, 3, 10, 100, 500, 1000};
    struct rng rng;
    rng_seed(&rng, 71);
    static struct topk_entry all[500], kept[1000];
    for (int round = 0; round < 300; round++) {
        uint32_t k = sizes[round % 8], count = rng_below(&rng, 501),
                 scores = 1 + rng_below(&rng, 50);
        struct topk t;
        topk_init(&t, kept, k);
        for (uint32_t i = 0; i < count; i++) {
            all[i] = (struct topk_entry){(float)rng_below(&rng, scores), rng_below(&rng, 5), i};
            topk_offer(&t, all[i].item, all[i].score, all[i].tie);
        }
        qsort(all, count, sizeof *all, topk_compare);
        topk_sort(&t);
        assert_int_equal(t.count, count < k ? count : k);
        for (uint32_t i = 0; i < t.count; i++)
            assert_int_equal(topk_compare(&kept[i], &all[i]), 0);
    }
}

static void rising_and_falling_scores_are_both_kept_right(void **state)
{
    (void)state;
    struct topk_entry kept[10];
    for (int rising = 0; rising < 2; rising++) {
        struct topk t;
        topk_init(&t, kept, 10);
        for (uint32_t i = 0; i < 1000; i++)
            topk_offer(&t, i, (float)(rising ? i : 999 - i), 0);
        topk_sort(&t);
        for (uint32_t i = 0; i < 10; i++)
            assert_true(kept[i].score == (float)(999 - i));
    }
}

static void what_is_no_number_is_never_kept(void **state)
{
    (void)state;
    struct topk_entry kept[3];
    struct topk t;
    topk_init(&t, kept, 3);
    for (uint32_t i = 0; i < 9; i++)
        topk_offer(&t, i, i % 2 ? NAN : (float)i, 0);
    topk_sort(&t);
    assert_int_equal(t.count, 3);
    assert_int_equal(kept[0].item, 8);
    assert_int_equal(kept[1].item, 6);
    assert_int_equal(kept[2].item, 4);
}

static void nothing_can_be_kept(void **state)
{
    (void)state;
    struct topk t;
    topk_init(&t, NULL, 0);
    topk_offer(&t, 1, 1, 1);
    topk_sort(&t);
    assert_int_equal(t.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_order_is_score_then_tie_then_item),
        cmocka_unit_test(the_best_equal_those_of_sorting_all),
        cmocka_unit_test(rising_and_falling_scores_are_both_kept_right),
        cmocka_unit_test(what_is_no_number_is_never_kept),
        cmocka_unit_test(nothing_can_be_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
