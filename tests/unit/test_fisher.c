#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "mine/fisher.h"

static void assert_near(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance);
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

static void fisher_meets_the_worked_example(void **state)
{
    (void)state;
    /* cells (99, 81, 54, 66) */
    assert_near(fisher_p(300, 180, 153, 99), 0.05705, 5e-6);
    /* Fisher's tea: 3 of 4 cups right */
    assert_near(fisher_p(8, 4, 4, 3), 17.0 / 70, 1e-12);
    assert_near(fisher_p(8, 4, 4, 4), 1.0 / 70, 1e-13);
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
        assert_near(fisher_p(n, x, y, c), expected, 1e-10);
    }
}

static void fisher_stays_a_probability_at_full_size(void **state)
{
    (void)state;
    const uint64_t n = UINT32_MAX;
    assert_near(fisher_p(n, n, n, n), 1, 0);
    assert_near(fisher_p(n, 1, 1, 1), 1.0 / (double)n, 1e-12);
    assert_true(fisher_p(n, n / 2, n / 2, n / 2) < 1e-300);
    assert_near(fisher_p(n, n / 2, n / 2, n / 4), 0.5, 0.01);
    assert_near(fisher_p(n, n / 2, n / 2, n / 4 - 300000), 1, 1e-6);
    assert_near(fisher_p(2000000, 20000, 20000, 200), 0.5095, 0.001);
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
        double bound = exp(fisher_ln_bound(n, x, y, c)), p = fisher_p(n, x, y, c);
        assert_true(bound >= p * (1 - 1e-9) && bound <= 1);
        close += bound < 0.05;
    }
    assert_true(close > 5000);
    assert_near(fisher_ln_bound(10, 3, 10, 3), 0, 0);
    assert_near(fisher_ln_bound(10, 0, 0, 0), 0, 0);
}

/* Falls as the count rises; the step at the mode, where the other tail is summed, is no exception.
 */
static void fisher_falls_with_the_count(void **state)
{
    (void)state;
    double last = 1;
    for (uint32_t c = 0; c <= 300; c++) {
        double p = fisher_p(10000, 1000, 300, c);
        assert_true(p <= last && p >= 0);
        last = p;
    }
}

static void quantile_equals_direct_summation(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    uint32_t above = 0;
    for (int round = 0; round < 20000; round++) {
        uint32_t n = 1 + rng_below(&r, 80), x = rng_below(&r, n + 1), y = rng_below(&r, n + 1);
        uint32_t k = x + y > n ? x + y - n : 0;
        while (k < x && k < y && fisher_by_definition((int)n, (int)x, (int)y, (int)k + 1) > 0.01)
            k++;
        double edge = fisher_by_definition((int)n, (int)x, (int)y, (int)k + 1);
        if (fabs(edge - 0.01) < 1e-12)
            continue; /* exactly 1 %: rounding decides in the definition */
        assert_int_equal(hypergeometric_q99(n, x, y), k);
        above += k > 0;
    }
    assert_true(above > 15000);
    assert_int_equal(hypergeometric_q99(100, 1, 1), 0); /* P[C <= 0] is exactly .99 */
    assert_int_equal(hypergeometric_q99(99, 1, 1), 1);
    assert_int_equal(hypergeometric_q99(0, 0, 0), 0);
    assert_int_equal(hypergeometric_q99(10, 10, 4), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fisher_meets_the_worked_example),
        cmocka_unit_test(fisher_equals_its_definition),
        cmocka_unit_test(fisher_stays_a_probability_at_full_size),
        cmocka_unit_test(bound_is_never_below_fisher),
        cmocka_unit_test(fisher_falls_with_the_count),
        cmocka_unit_test(quantile_equals_direct_summation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
