#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "mine/strata.h"
#include "support/baskets.h"
#include "support/oom.h"

static void assert_near(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance);
}

/* Of a that have X, b of them Y; of c without X, d of them Y. */
static struct counts table(uint64_t with, uint64_t with_y, uint64_t without, uint64_t without_y)
{
    return (struct counts){with + without, with, with_y + without_y, with_y};
}

/* Tan, Steinbach, Kumar: television set -> exercise machine. Pooled it looks like a rule, among
 * students and among adults it is none. */
static void meets_the_worked_example(void **state)
{
    (void)state;
    const struct counts strata[] = {table(10, 1, 34, 4), table(170, 98, 86, 50)};
    struct adjusted a, one;
    strata_adjust(strata, 2, &a);
    assert_near(a.crude, 1.4938, 5e-5);
    assert_near(a.odds_ratio, 0.97194, 5e-6);
    assert_near(a.log_variance, 0.068235, 5e-7);
    assert_near(a.low, 0.582, 5e-4);
    assert_near(a.high, 1.622, 5e-4);
    assert_near(a.chi_squared, 0, 0);
    assert_near(a.uncorrected, 0.0118, 5e-5);
    strata_adjust(&strata[0], 1, &one);
    assert_near(one.odds_ratio, 0.8333, 5e-5);
    strata_adjust(&strata[1], 1, &one);
    assert_near(one.odds_ratio, 0.98, 5e-5);
}

static void without_confounding_it_is_the_crude_one(void **state)
{
    (void)state;
    const struct counts strata[] = {table(100, 30, 200, 20), table(300, 90, 600, 60),
                                    table(50, 15, 100, 10)};
    struct adjusted all, one;
    strata_adjust(strata, 3, &all);
    assert_near(all.odds_ratio, all.crude, 1e-12);
    assert_near(all.crude, 30.0 * 180 / (70 * 20), 1e-12);
    strata_adjust(strata, 1, &one);
    assert_near(one.odds_ratio, one.crude, 1e-12);
    /* one table: Woolf's variance of the log odds ratio */
    assert_near(one.log_variance, 1.0 / 30 + 1.0 / 70 + 1.0 / 20 + 1.0 / 180, 1e-12);
    assert_true(one.low < one.odds_ratio && one.odds_ratio < one.high);
    assert_true(all.high - all.low < one.high - one.low);
}

static void undefined_values_are_nan_and_none_is_infinite(void **state)
{
    (void)state;
    struct adjusted a;
    strata_adjust(NULL, 0, &a);
    assert_true(isnan(a.odds_ratio) && isnan(a.low) && isnan(a.chi_squared) && isnan(a.crude));
    const struct counts empty[] = {{0, 0, 0, 0}, {1, 1, 1, 1}, {5, 0, 3, 0}, {5, 5, 2, 2}};
    strata_adjust(empty, 4, &a);
    assert_true(isnan(a.odds_ratio) && isnan(a.low) && isnan(a.log_variance));
    assert_true(isnan(a.chi_squared));
    const struct counts never = table(5, 0, 5, 3); /* no basket with both */
    strata_adjust(&never, 1, &a);
    assert_near(a.odds_ratio, 0, 0);
    assert_true(isnan(a.low) && isnan(a.high));
    const struct counts always = table(5, 5, 5, 3); /* no exception: beyond all bounds */
    strata_adjust(&always, 1, &a);
    assert_true(isnan(a.odds_ratio) && isnan(a.high));
    assert_true(a.uncorrected > 0);
    for (uint64_t n = 0; n <= 8; n++)
        for (uint64_t x = 0; x <= n; x++)
            for (uint64_t y = 0; y <= n; y++)
                for (uint64_t c = x + y > n ? x + y - n : 0; c <= x && c <= y; c++) {
                    const struct counts two[] = {{n, x, y, c}, {8, 4, 3, 2}};
                    strata_adjust(two, 2, &a);
                    assert_false(isinf(a.odds_ratio) || isinf(a.log_variance) || isinf(a.low));
                    assert_false(isinf(a.high) || isinf(a.chi_squared) || isinf(a.crude));
                }
}

static void an_empty_stratum_changes_nothing(void **state)
{
    (void)state;
    const struct counts strata[] = {{0, 0, 0, 0}, table(10, 1, 34, 4), table(170, 98, 86, 50)};
    struct adjusted with, without;
    strata_adjust(strata, 3, &with);
    strata_adjust(strata + 1, 2, &without);
    assert_memory_equal(&with, &without, sizeof with);
}

static void sizes_fall_into_their_bins(void **state)
{
    static const uint64_t last[SIZE_BINS] = {1, 2, 3, 4, 6, 9, 14, 24, 49, UINT64_MAX};
    (void)state;
    assert_int_equal(size_bin(0), 0);
    for (uint32_t b = 0; b < SIZE_BINS; b++) {
        assert_int_equal(size_bin(last[b]), b);
        if (b + 1 < SIZE_BINS)
            assert_int_equal(size_bin(last[b] + 1), b + 1);
    }
}

static bool basket_has(const struct csr *m, uint32_t basket, struct item_list list)
{
    uint32_t met = 0;
    for (uint64_t e = m->start[basket]; e < m->start[basket + 1] && met < list.count; e++)
        met += m->column[e] == list.items[met];
    return met == list.count;
}

static void tables_equal_a_recount_of_the_baskets(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 300; round++) {
        struct csr m = baskets_random(&r, 1 + rng_below(&r, 80), 8, 0.2 + rng_unit(&r));
        uint32_t own[80], strata_count_own = 1 + rng_below(&r, 5);
        for (uint32_t b = 0; b < m.rows; b++)
            own[b] = rng_below(&r, strata_count_own);
        bool by_size = round % 2;
        struct strata s;
        struct counts tables[SIZE_BINS], want[SIZE_BINS] = {{0}};
        assert_int_equal(strata_build(&m, by_size ? NULL : own, strata_count_own, &s, NULL), 0);
        uint32_t left[3], count = 0, right = rng_below(&r, 8);
        for (uint32_t i = 0; i < 8 && count < 3; i++)
            if (i != right && (rng_below(&r, 3) == 0 || (count == 0 && i == 6)))
                left[count++] = i;
        if (count == 0)
            left[count++] = right == 0 ? 1 : 0;
        struct item_list x = {left, count}, y = {&right, 1};
        assert_int_equal(strata_count(&s, x, y, tables, NULL), 0);
        for (uint32_t b = 0; b < m.rows; b++) {
            struct counts *to = &want[by_size ? size_bin(m.start[b + 1] - m.start[b]) : own[b]];
            to->n++;
            to->x += basket_has(&m, b, x);
            to->y += basket_has(&m, b, y);
            to->c += basket_has(&m, b, x) && basket_has(&m, b, y);
        }
        assert_int_equal(s.count, by_size ? SIZE_BINS : strata_count_own);
        assert_memory_equal(tables, want, s.count * sizeof *tables);
        strata_deinit(&s);
        csr_deinit(&m);
    }
}

/* Items at random, more of them in large baskets: crude the two go together, within sizes not. */
static void items_that_only_share_large_baskets_are_found_out(void **state)
{
    (void)state;
    struct rng r;
    struct csr m;
    rng_seed(&r, 2);
    assert_int_equal(csr_alloc(&m, 20000, 60, 20000 * 60, 0, NULL), 0);
    uint64_t at = 0;
    for (uint32_t b = 0; b < m.rows; b++) {
        double density = rng_below(&r, 2) ? 0.03 : 0.4;
        for (uint32_t i = 0; i < m.cols; i++)
            if (rng_unit(&r) < density)
                m.column[at++] = i;
        m.start[b + 1] = at;
    }
    struct strata s;
    struct counts tables[SIZE_BINS];
    struct adjusted a;
    uint32_t x = 3, y = 40;
    assert_int_equal(strata_build(&m, NULL, 0, &s, NULL), 0);
    assert_int_equal(
        strata_count(&s, (struct item_list){&x, 1}, (struct item_list){&y, 1}, tables, NULL), 0);
    strata_adjust(tables, s.count, &a);
    assert_true(a.crude > 2);
    assert_true(a.low < 1.05 && a.high > 0.8 && a.odds_ratio < 1.15);
    strata_deinit(&s);
    csr_deinit(&m);
}

static void bad_strata_and_lack_of_memory_are_errors(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1|0|1", 2);
    const uint32_t bad[] = {0, 1, 2}, good[] = {0, 1, 1}, x = 0, y = 1;
    struct strata s;
    struct error err = ERROR_INIT;
    assert_int_equal(strata_build(&m, bad, 2, &s, &err), ERR_INVALID);
    assert_string_equal(err.text, "strata: a basket's stratum is not below 2");
    OOM_LOOP
    {
        struct counts tables[2];
        int rc = strata_build(&m, good, 2, &s, NULL);
        if (rc == 0) {
            rc = strata_count(&s, (struct item_list){&x, 1}, (struct item_list){&y, 1}, tables,
                              NULL);
            strata_deinit(&s);
        }
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    csr_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(meets_the_worked_example),
        cmocka_unit_test(without_confounding_it_is_the_crude_one),
        cmocka_unit_test(undefined_values_are_nan_and_none_is_infinite),
        cmocka_unit_test(an_empty_stratum_changes_nothing),
        cmocka_unit_test(sizes_fall_into_their_bins),
        cmocka_unit_test(tables_equal_a_recount_of_the_baskets),
        cmocka_unit_test(items_that_only_share_large_baskets_are_found_out),
        cmocka_unit_test(bad_strata_and_lack_of_memory_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
