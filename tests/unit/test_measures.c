#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "mine/measures.h"

static void assert_near(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance);
}

static struct measures of(uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    struct measures m;
    measures_of(n, x, y, c, 1, &m);
    return m;
}

/* The definition: products of integers for the probability of each count. */
static double fisher_by_definition(int n, int x, int y, int c)
{
    double total = 0, tail = 0;
    for (int k = 0; k <= x && k <= y; k++) {
        if (n - x - y + k < 0)
            continue;
        double p = 1;
        for (int i = 0; i < k; i++)
            p *= (double)(x - i) / (i + 1);
        for (int i = 0; i < y - k; i++)
            p *= (double)(n - x - i) / (i + 1);
        total += p;
        tail += k >= c ? p : 0;
    }
    return tail / total;
}

static void formulas_are_those_of_the_header(void **state)
{
    (void)state;
    struct measures m = of(1000, 50, 80, 20);
    assert_near(m.support, 0.02, 1e-15);
    assert_near(m.confidence, 0.4, 1e-15);
    assert_near(m.lift, 5, 1e-14);
    assert_near(m.leverage, 0.016, 1e-15);
    assert_near(m.conviction, 0.05 * 0.92 / 0.03, 1e-12);
    struct measures without;
    measures_of(1000, 50, 80, 20, 0, &without);
    assert_true(isnan(without.fisher_p));
    assert_false(isnan(m.fisher_p));
}

static void fisher_meets_the_worked_example(void **state)
{
    (void)state;
    /* cells (99, 81, 54, 66) */
    assert_near(measures_fisher(300, 180, 153, 99), 0.05705, 5e-6);
    /* Fisher's tea: 3 of 4 cups right */
    assert_near(measures_fisher(8, 4, 4, 3), 17.0 / 70, 1e-12);
    assert_near(measures_fisher(8, 4, 4, 4), 1.0 / 70, 1e-13);
}

static void fisher_equals_its_definition(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 20000; round++) {
        uint32_t n = 1 + rng_below(&r, 80), x = rng_below(&r, n + 1), y = rng_below(&r, n + 1);
        uint32_t least = x + y > n ? x + y - n : 0, most = x < y ? x : y;
        uint32_t c = least + rng_below(&r, most - least + 1);
        double expected = fisher_by_definition((int)n, (int)x, (int)y, (int)c);
        assert_near(measures_fisher(n, x, y, c), expected, 1e-10);
    }
}

static void fisher_stays_a_probability_at_full_size(void **state)
{
    (void)state;
    const uint64_t n = UINT32_MAX;
    assert_near(measures_fisher(n, n, n, n), 1, 0);
    assert_near(measures_fisher(n, 1, 1, 1), 1.0 / (double)n, 1e-12);
    assert_true(measures_fisher(n, n / 2, n / 2, n / 2) < 1e-300);
    assert_near(measures_fisher(n, n / 2, n / 2, n / 4), 0.5, 0.01);
    assert_near(measures_fisher(n, n / 2, n / 2, n / 4 - 300000), 1, 1e-6);
    assert_near(measures_fisher(2000000, 20000, 20000, 200), 0.5095, 0.001);
}

static void bound_is_never_below_fisher(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    uint32_t close = 0;
    for (int round = 0; round < 20000; round++) {
        uint32_t n = 1 + rng_below(&r, 3000), x = rng_below(&r, n + 1), y = rng_below(&r, n + 1);
        uint32_t least = x + y > n ? x + y - n : 0, most = x < y ? x : y;
        uint32_t c = least + rng_below(&r, most - least + 1);
        double bound = measures_fisher_bound(n, x, y, c), p = measures_fisher(n, x, y, c);
        assert_true(bound >= p * (1 - 1e-9) && bound <= 1);
        close += bound < 0.05;
    }
    assert_true(close > 5000);
    assert_near(measures_fisher_bound(10, 3, 10, 3), 1, 0);
    assert_near(measures_fisher_bound(10, 0, 0, 0), 1, 0);
}

/* Falls as the count rises; the step at the mode, where the other tail is summed, is no exception.
 */
static void fisher_falls_with_the_count(void **state)
{
    (void)state;
    double last = 1;
    for (uint32_t c = 0; c <= 300; c++) {
        double p = measures_fisher(10000, 1000, 300, c);
        assert_true(p <= last && p >= 0);
        last = p;
    }
}

static void undefined_values_are_nan_and_none_is_infinite(void **state)
{
    (void)state;
    struct measures m = of(0, 0, 0, 0);
    assert_true(isnan(m.support) && isnan(m.confidence) && isnan(m.lift) && isnan(m.leverage));
    m = of(10, 0, 5, 0);
    assert_true(isnan(m.confidence) && isnan(m.lift) && isnan(m.conviction));
    assert_near(m.support, 0, 0);
    m = of(10, 5, 0, 0);
    assert_true(isnan(m.lift));
    assert_near(m.conviction, 1, 1e-15);
    m = of(10, 4, 5, 4);
    assert_true(isnan(m.conviction));
    assert_near(m.confidence, 1, 0);
    for (uint64_t n = 1; n <= 9; n++)
        for (uint64_t x = 0; x <= n; x++)
            for (uint64_t y = 0; y <= n; y++)
                for (uint64_t c = x + y > n ? x + y - n : 0; c <= x && c <= y; c++) {
                    m = of(n, x, y, c);
                    assert_false(isinf(m.support) || isinf(m.confidence) || isinf(m.lift));
                    assert_false(isinf(m.leverage) || isinf(m.conviction) || isinf(m.fisher_p));
                    assert_true(m.fisher_p >= 0 && m.fisher_p <= 1);
                }
}

static void leverage_is_exact_where_products_are_large(void **state)
{
    (void)state;
    const uint64_t n = 4000000000u;
    struct measures m = of(n, n / 2, n / 2, n / 4 + 1);
    assert_near(m.leverage * (double)n, 1, 1e-12);
    m = of(n, n / 2, n / 2, n / 4 - 1);
    assert_near(m.leverage * (double)n, -1, 1e-12);
    assert_near(of(n, n / 2, n / 2, 0).leverage, -0.25, 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas_are_those_of_the_header),
        cmocka_unit_test(fisher_meets_the_worked_example),
        cmocka_unit_test(fisher_equals_its_definition),
        cmocka_unit_test(fisher_stays_a_probability_at_full_size),
        cmocka_unit_test(bound_is_never_below_fisher),
        cmocka_unit_test(fisher_falls_with_the_count),
        cmocka_unit_test(undefined_values_are_nan_and_none_is_infinite),
        cmocka_unit_test(leverage_is_exact_where_products_are_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
