/* The generator: its published sequence, and that each distribution is what it is called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

#include <math.h>

/* xoshiro256** from the state 1, 2, 3, 4; splitmix64 from the seed 0: the authors' own values. */
static void the_sequence_is_the_published_one(void **state)
{
    (void)state;
    static const uint64_t want[] = {
        11520u, 0u, 1509978240u, 1215971899390074240u, 1216172134540287360u, 607988272756665600u};
    struct rng r = {{1, 2, 3, 4}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++)
        assert_true(rng_u64(&r) == want[i]);
    rng_seed(&r, 0);
    assert_true(r.s[0] == 0xe220a8397b1dcdafu);
    assert_true(r.s[1] == 0x6e789e6aa1b965f4u);
    assert_true(r.s[2] == 0x06c45d188009454fu);
    assert_true(r.s[3] == 0xf88bb8a8724c81ecu);
}

static void equal_seeds_give_equal_numbers(void **state)
{
    (void)state;
    struct rng a, b, c;
    rng_seed(&a, 5);
    rng_seed(&b, 5);
    rng_seed(&c, 6);
    int same = 0;
    for (int i = 0; i < 1000; i++) {
        uint64_t x = rng_u64(&a);
        assert_true(x == rng_u64(&b));
        same += x == rng_u64(&c);
    }
    assert_int_equal(same, 0);
}

static void bounded_numbers_are_uniform(void **state)
{
    (void)state;
    static const uint32_t bounds[] = {1, 2, 3, 10, 100};
    struct rng r;
    rng_seed(&r, 7);
    for (size_t b = 0; b < 5; b++) {
        uint32_t seen[100] = {0};
        for (int i = 0; i < 100000; i++) {
            uint32_t x = rng_below(&r, bounds[b]);
            assert_true(x < bounds[b]);
            seen[x]++;
        }
        double mean = 100000.0 / bounds[b], chi = 0;
        for (uint32_t i = 0; i < bounds[b]; i++)
            chi += (seen[i] - mean) * (seen[i] - mean) / mean;
        assert_true(chi < bounds[b] + 5 * sqrt(2.0 * bounds[b]));
    }
    /* 3/4 of 2^32: without the rejection every third number would come twice as often. */
    uint32_t thirds = 0;
    for (int i = 0; i < 100000; i++)
        thirds += rng_below(&r, 3u << 30) % 3 == 0;
    assert_in_range(thirds, 32500, 34200);
    assert_true(rng_below(&r, UINT32_MAX) < UINT32_MAX);
}

static void units_fill_the_interval(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 8);
    double sum = 0, sumf = 0, least = 1, most = 0;
    for (int i = 0; i < 100000; i++) {
        double x = rng_unit(&r);
        float y = rng_unitf(&r);
        assert_true(x >= 0 && x < 1);
        assert_true(y >= 0 && y < 1);
        sum += x;
        sumf += y;
        least = fmin(least, x);
        most = fmax(most, x);
    }
    assert_true(fabs(sum / 100000 - 0.5) < 0.005);
    assert_true(fabs(sumf / 100000 - 0.5) < 0.005);
    assert_true(least < 0.001);
    assert_true(most > 0.999);
}

static void normals_have_mean_0_and_variance_1(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 9);
    double sum = 0, squares = 0;
    int beyond = 0;
    for (int i = 0; i < 200000; i++) {
        double x = rng_normal(&r);
        assert_true(isfinite(x));
        sum += x;
        squares += x * x;
        beyond += fabs(x) > 1.959964;
    }
    assert_true(fabs(sum / 200000) < 0.01);
    assert_true(fabs(squares / 200000 - 1) < 0.02);
    assert_in_range(beyond, 9500, 10500); /* 5 % */
}

static void poisson_counts_have_equal_mean_and_variance(void **state)
{
    (void)state;
    static const double means[] = {0.1, 1.6, 10, 59, 61, 1000, 1e6};
    struct rng r;
    rng_seed(&r, 10);
    assert_int_equal(rng_poisson(&r, 0), 0);
    for (size_t m = 0; m < sizeof means / sizeof *means; m++) {
        double sum = 0, squares = 0, mean = means[m];
        for (int i = 0; i < 50000; i++) {
            double x = rng_poisson(&r, mean) - mean;
            sum += x;
            squares += x * x;
        }
        assert_true(fabs(sum / 50000) < 5 * sqrt(mean / 50000));
        assert_true(fabs(squares / 50000 / mean - 1) < 0.05);
    }
    assert_int_equal(rng_poisson(&r, 1e18), UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_is_the_published_one),
        cmocka_unit_test(equal_seeds_give_equal_numbers),
        cmocka_unit_test(bounded_numbers_are_uniform),
        cmocka_unit_test(units_fill_the_interval),
        cmocka_unit_test(normals_have_mean_0_and_variance_1),
        cmocka_unit_test(poisson_counts_have_equal_mean_and_variance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
