#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/rng.h"
#include "mine/fisher.h"
#include "mine/measures.h"

static void assert_near(double value, double expected, double tolerance)
{
    if (isnan(expected))
        assert_true(isnan(value));
    else
        assert_true(fabs(value - expected) <= tolerance * fmax(1, fabs(expected)));
}

/* Each measure written down from the shares of the four cells, in long double; infinite and
 * undefined values as the arithmetic gives them. */
static void by_definition(const struct counts *t, long double out[MEASURE_COUNT])
{
    long double n = t->n, pxy = t->c / n, px = t->x / n, py = t->y / n;
    long double only_x = px - pxy, only_y = py - pxy, none = 1 - px - py + pxy;
    long double expected[4] = {px * py, px * (1 - py), (1 - px) * py, (1 - px) * (1 - py)};
    long double seen[4] = {pxy, only_x, only_y, none}, chi = 0;
    for (int cell = 0; cell < 4; cell++)
        chi += n * (seen[cell] - expected[cell]) * (seen[cell] - expected[cell]) / expected[cell];
    out[MEASURE_SUPPORT] = pxy;
    out[MEASURE_CONFIDENCE] = pxy / px;
    out[MEASURE_LIFT] = pxy / px / py;
    out[MEASURE_LEVERAGE] = pxy - px * py;
    out[MEASURE_CONVICTION] = t->c == t->x ? 1 / 0.0L : px * (1 - py) / only_x;
    out[MEASURE_COSINE] = pxy / sqrtl(px * py);
    out[MEASURE_JACCARD] = pxy / (px + py - pxy);
    out[MEASURE_KULCZYNSKI] = (pxy / px + pxy / py) / 2;
    out[MEASURE_IMBALANCE] = fabsl(px - py) / (px + py - pxy);
    out[MEASURE_CHI_SQUARED] = chi;
    out[MEASURE_ODDS_RATIO] = (long double)t->c * (t->n - t->x - t->y + t->c) /
                              ((long double)(t->x - t->c) * (t->y - t->c));
    out[MEASURE_CERTAINTY] = (pxy / px - py) / (1 - py);
    out[MEASURE_ZHANG] = (pxy - px * py) / fmaxl(pxy * (1 - px), px * only_y);
    out[MEASURE_ADDED_VALUE] = pxy / px - py;
    uint64_t most = t->x < t->y ? t->x : t->y,
             quantile = t->x + t->y > t->n ? t->x + t->y - t->n : 0;
    while (quantile < most && fisher_p(t->n, t->x, t->y, quantile + 1) > 0.01)
        quantile++;
    out[MEASURE_HYPER_LIFT] = (long double)t->c / quantile;
    out[MEASURE_FISHER_P] = fisher_p(t->n, t->x, t->y, t->c);
    out[MEASURE_HYPER_CONFIDENCE] = 1 - out[MEASURE_FISHER_P];
    /* Wilson's interval are the p with (hits/trials - p)^2 = z^2 p (1 - p)/trials. */
    long double z = 1.959963984540054L, x = t->x, a = 1 + z * z / x;
    long double b = -(2 * pxy / px + z * z / x), c = pxy / px * (pxy / px);
    out[MEASURE_CONFIDENCE_LOW] = (-b - sqrtl(b * b - 4 * a * c)) / (2 * a);
}

static struct counts random_table(struct rng *r, uint32_t largest)
{
    uint32_t n = 2 + rng_below(r, largest), x = 1 + rng_below(r, n), y = 1 + rng_below(r, n);
    uint32_t least = x + y > n ? x + y - n : 0, most = x < y ? x : y;
    return (struct counts){n, x, y, least + rng_below(r, most - least + 1)};
}

static void equal_their_definitions_on_random_tables(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    uint32_t compared[MEASURE_COUNT] = {0};
    for (int round = 0; round < 20000; round++) {
        struct counts t = random_table(&r, round % 2 ? 400 : 30);
        long double expected[MEASURE_COUNT];
        if (t.x == t.n || t.y == t.n)
            continue; /* an edge, below */
        by_definition(&t, expected);
        for (int m = 0; m < MEASURE_COUNT; m++) {
            double value = measure_of((enum measure)m, &t), want = (double)expected[m];
            assert_near(value, isfinite(want) ? want : (double)NAN, 1e-9);
            compared[m] += isfinite(want);
        }
    }
    for (int m = 0; m < MEASURE_COUNT; m++)
        assert_true(compared[m] > 4000);
}

static double of(enum measure m, uint64_t n, uint64_t x, uint64_t y, uint64_t c)
{
    return measure_of(m, &(struct counts){n, x, y, c});
}

static void one_table_reads_as_written(void **state)
{
    (void)state;
    const struct counts t = {1000, 50, 80, 20};
    const double expected[MEASURE_COUNT] = {[MEASURE_SUPPORT] = 0.02,
                                            [MEASURE_CONFIDENCE] = 0.4,
                                            [MEASURE_LIFT] = 5,
                                            [MEASURE_LEVERAGE] = 0.016,
                                            [MEASURE_CONVICTION] = 0.05 * 0.92 / 0.03,
                                            [MEASURE_COSINE] = 0.31622776601683794,
                                            [MEASURE_JACCARD] = 20.0 / 110,
                                            [MEASURE_KULCZYNSKI] = 0.325,
                                            [MEASURE_IMBALANCE] = 30.0 / 110,
                                            [MEASURE_CHI_SQUARED] = 73.22654462242563,
                                            [MEASURE_ODDS_RATIO] = 890.0 / 90,
                                            [MEASURE_CERTAINTY] = 0.32 / 0.92,
                                            [MEASURE_ZHANG] = 16.0 / 19,
                                            [MEASURE_ADDED_VALUE] = 0.32,
                                            [MEASURE_HYPER_LIFT] = 20.0 / 9,
                                            [MEASURE_HYPER_CONFIDENCE] = 1,
                                            [MEASURE_FISHER_P] = 7.913983e-11,
                                            [MEASURE_CONFIDENCE_LOW] = 0.2760838973};
    for (int m = 0; m < MEASURE_COUNT; m++)
        assert_near(measure_of((enum measure)m, &t), expected[m], 1e-10);
    /* cells (99, 81, 54, 66) */
    assert_near(of(MEASURE_FISHER_P, 1000, 50, 80, 20) * 1e11, 7.913983011809, 1e-6);
    assert_near(of(MEASURE_FISHER_P, 300, 180, 153, 99), 0.05705, 5e-6);
    assert_near(of(MEASURE_ODDS_RATIO, 300, 180, 153, 99), 1.4938, 5e-5);
}

static void undefined_values_are_nan_and_none_is_infinite(void **state)
{
    (void)state;
    for (int m = 0; m < MEASURE_COUNT; m++)
        for (uint64_t n = 0; n <= 9; n++)
            for (uint64_t x = 0; x <= n; x++)
                for (uint64_t y = 0; y <= n; y++)
                    for (uint64_t c = x + y > n ? x + y - n : 0; c <= x && c <= y; c++) {
                        struct counts t = {n, x, y, c};
                        double value = measure_of((enum measure)m, &t);
                        double rank = measure_rank((enum measure)m, &t);
                        assert_false(isinf(value));
                        assert_false(isnan(rank));
                        if (!isnan(value))
                            assert_true(rank == (m == MEASURE_FISHER_P ? -value : value));
                        else
                            assert_true(isinf(rank));
                    }
    assert_true(isnan(of(MEASURE_SUPPORT, 0, 0, 0, 0)));
    assert_true(isnan(of(MEASURE_CONFIDENCE, 10, 0, 5, 0)));
    assert_true(isnan(of(MEASURE_CONFIDENCE_LOW, 10, 0, 5, 0)));
    assert_true(isnan(of(MEASURE_LIFT, 10, 5, 0, 0)));
    assert_true(isnan(of(MEASURE_CHI_SQUARED, 10, 10, 5, 5)));
    assert_true(isnan(of(MEASURE_CERTAINTY, 10, 5, 10, 5)));
    assert_true(isnan(of(MEASURE_ZHANG, 10, 10, 10, 10)));
    assert_near(of(MEASURE_CONVICTION, 10, 5, 0, 0), 1, 1e-15);
    assert_near(of(MEASURE_CONFIDENCE_LOW, 10, 5, 5, 0), 0, 0);
}

static void values_without_bound_rank_first(void **state)
{
    (void)state;
    const struct counts sure = {10, 4, 5, 4}, nothing = {10, 10, 10, 10};
    assert_true(isnan(measure_of(MEASURE_CONVICTION, &sure)));
    assert_true(measure_rank(MEASURE_CONVICTION, &sure) == INFINITY);
    assert_true(isnan(measure_of(MEASURE_ODDS_RATIO, &sure)));
    assert_true(measure_rank(MEASURE_ODDS_RATIO, &sure) == INFINITY);
    assert_true(measure_rank(MEASURE_CONVICTION, &nothing) == -INFINITY);
    assert_near(measure_of(MEASURE_CONFIDENCE, &sure), 1, 0);
}

/* Over all tables of few baskets. */
static void no_rule_ranks_above_the_bound_of_its_count(void **state)
{
    (void)state;
    uint32_t met[MEASURE_COUNT] = {0};
    for (uint64_t n = 1; n <= 16; n++)
        for (uint64_t x = 1; x <= n; x++)
            for (uint64_t y = 1; y <= n; y++)
                for (uint64_t c = x + y > n ? x + y - n : 0; c <= x && c <= y; c++)
                    for (int m = 0; m < MEASURE_COUNT; m++) {
                        double rank = measure_rank((enum measure)m, &(struct counts){n, x, y, c});
                        double bound = measure_rank_bound((enum measure)m, n, c);
                        assert_true(rank <= bound + 1e-12);
                        met[m] += rank == bound;
                    }
    for (int m = 0; m < MEASURE_COUNT; m++)
        if (isfinite(measure_rank_bound((enum measure)m, 16, 3)))
            assert_true(met[m] > 50);
    assert_true(isfinite(measure_rank_bound(MEASURE_LEVERAGE, 16, 3)));
    assert_true(measure_rank_bound(MEASURE_LIFT, 16, 3) == INFINITY);
    assert_near(measure_rank_bound(MEASURE_LEVERAGE, 100, 10), 0.09, 1e-15);
    assert_near(measure_rank_bound(MEASURE_LEVERAGE, 100, 90), 0.25, 1e-15);
}

static void leverage_is_exact_where_products_are_large(void **state)
{
    (void)state;
    const uint64_t n = 4000000000u;
    assert_near(of(MEASURE_LEVERAGE, n, n / 2, n / 2, n / 4 + 1) * (double)n, 1, 1e-12);
    assert_near(of(MEASURE_LEVERAGE, n, n / 2, n / 2, n / 4 - 1) * (double)n, -1, 1e-12);
    assert_near(of(MEASURE_LEVERAGE, n, n / 2, n / 2, 0), -0.25, 1e-15);
    for (int m = 0; m < MEASURE_COUNT; m++)
        assert_true(isfinite(of((enum measure)m, n, n / 2, n / 2, n / 4 - 10)));
}

static void names_and_measures_go_both_ways(void **state)
{
    (void)state;
    for (int m = 0; m < MEASURE_COUNT; m++)
        assert_int_equal(measure_parse(str_of(measure_name((enum measure)m))), m);
    assert_int_equal(measure_parse(STR("hyper_lift")), MEASURE_HYPER_LIFT);
    assert_int_equal(measure_parse(STR("Lift")), -1);
    assert_int_equal(measure_parse(STR("")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_their_definitions_on_random_tables),
        cmocka_unit_test(one_table_reads_as_written),
        cmocka_unit_test(undefined_values_are_nan_and_none_is_infinite),
        cmocka_unit_test(values_without_bound_rank_first),
        cmocka_unit_test(no_rule_ranks_above_the_bound_of_its_count),
        cmocka_unit_test(leverage_is_exact_where_products_are_large),
        cmocka_unit_test(names_and_measures_go_both_ways),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
