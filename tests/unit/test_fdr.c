#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "mine/fdr.h"
#include "support/oom.h"

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void random_ps(struct rng *r, double *p, uint32_t count)
{
    for (uint32_t k = 0; k < count; k++) {
        p[k] = rng_below(r, 3) ? rng_unit(r) : pow(10, -40 * rng_unit(r));
        if (k && rng_below(r, 8) == 0)
            p[k] = p[k - 1];
    }
}

static void q_equals_the_sorted_definition_within_a_step(void **state)
{
    enum { MOST = 300 };
    struct rng r;
    uint32_t small = 0;
    (void)state;
    rng_seed(&r, 1);
    for (int round = 0; round < 200; round++) {
        uint32_t count = 1 + rng_below(&r, MOST);
        double p[MOST], exact[MOST], least = 1;
        struct fdr f;
        random_ps(&r, p, count);
        assert_int_equal(fdr_init(&f, NULL), 0);
        for (uint32_t k = 0; k < count; k++)
            fdr_add(&f, p[k]);
        fdr_seal(&f);
        assert_int_equal(f.count, count);
        qsort(p, count, sizeof *p, compare);
        for (uint32_t k = count; k-- > 0;)
            exact[k] = least = fmin(least, p[k] * count / (k + 1));
        for (uint32_t k = 0; k < count; k++) {
            double q = fdr_q(&f, p[k]), floor = FDR_LEAST * count / (k + 1);
            assert_true(q >= exact[k] * (1 - 1e-12));
            assert_true(q <= fmax(exact[k], floor) * (1 + 1.0 / 1024) * (1 + 1e-12));
            small += q < 0.05;
        }
        fdr_deinit(&f);
    }
    assert_true(small > 5000);
}

static void the_limit_parts_small_from_large_q(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 2);
    for (int round = 0; round < 100; round++) {
        double p[100], max_q = rng_unit(&r);
        struct fdr f;
        random_ps(&r, p, 100);
        assert_int_equal(fdr_init(&f, NULL), 0);
        for (uint32_t k = 0; k < 100; k++)
            fdr_add(&f, p[k]);
        fdr_seal(&f);
        for (uint32_t k = 0; k < 100; k++)
            assert_int_equal(p[k] <= fdr_p_limit(&f, max_q), fdr_q(&f, p[k]) <= max_q);
        fdr_deinit(&f);
    }
}

static void ends_of_the_range_are_exact(void **state)
{
    struct fdr f;
    (void)state;
    assert_int_equal(fdr_init(&f, NULL), 0);
    fdr_add(&f, 1);
    fdr_seal(&f);
    assert_true(fdr_q(&f, 1) == 1);
    assert_true(fdr_p_limit(&f, 0.5) < 1);
    assert_true(fdr_p_limit(&f, 1) == 1);
    fdr_deinit(&f);
    assert_int_equal(fdr_init(&f, NULL), 0);
    fdr_add(&f, 0); /* underflow counts as the least */
    fdr_add(&f, 0.25);
    fdr_seal(&f);
    assert_true(fdr_q(&f, 0) == 2 * FDR_LEAST);
    assert_true(fdr_q(&f, 0.25) == 0.25);
    assert_true(fdr_p_limit(&f, FDR_LEAST) < 0);
    fdr_deinit(&f);
    fdr_deinit(&f);
    assert_int_equal(fdr_init(&f, NULL), 0);
    fdr_seal(&f); /* no tests at all */
    assert_int_equal(f.count, 0);
    assert_true(fdr_q(&f, 0.01) == 1);
    fdr_deinit(&f);
}

static void out_of_memory_is_an_error(void **state)
{
    (void)state;
    OOM_LOOP
    {
        struct fdr f;
        int rc = fdr_init(&f, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            fdr_deinit(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(q_equals_the_sorted_definition_within_a_step),
        cmocka_unit_test(the_limit_parts_small_from_large_q),
        cmocka_unit_test(ends_of_the_range_are_exact),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
