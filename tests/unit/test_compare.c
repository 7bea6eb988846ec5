#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/compare.h"
#include "support/near.h"
#include "support/oom.h"

#include <string.h>

#define QUESTIONS 4000

static double noise[3][QUESTIONS];
static const double *const columns[3] = {noise[0], noise[1], noise[2]};
static uint32_t cluster[QUESTIONS];

/* Column 1 is column 0 shifted by .01 with a little noise; 2 is on its own. */
static void draw(uint32_t per_cluster, uint64_t seed)
{
    struct rng rng;
    rng_seed(&rng, seed);
    double shared = 0;
    for (uint32_t q = 0; q < QUESTIONS; q++) {
        cluster[q] = q / per_cluster;
        if (q % per_cluster == 0)
            shared = rng_normal(&rng);
        noise[0][q] = per_cluster > 1 ? shared : rng_normal(&rng);
        noise[1][q] = noise[0][q] + .01 + .05 * rng_normal(&rng);
        noise[2][q] = rng_normal(&rng);
    }
}

static struct resamples resample(uint32_t clusters, uint32_t threads)
{
    struct resamples r;
    const struct resample_params params = {.count = 2000, .seed = 9, .threads = threads};
    assert_int_equal(resamples_make(columns, 3, QUESTIONS, cluster, clusters, &params, &r, NULL),
                     0);
    return r;
}

static void the_interval_of_a_mean_is_as_wide_as_theory_says(void **state)
{
    (void)state;
    struct interval i;
    draw(1, 1);
    struct resamples r = resample(QUESTIONS, 2);
    double theory = 2 * 1.95996 / sqrt(QUESTIONS), sum = 0;
    for (uint32_t q = 0; q < QUESTIONS; q++)
        sum += noise[2][q];
    assert_int_equal(resamples_interval(&r, 2, RESAMPLE_ZERO, .95, &i, NULL), 0);
    assert_near(i.value, sum / QUESTIONS, 1e-12);
    assert_near(i.high - i.low, theory, .06 * theory);
    assert_true(i.low < i.value && i.value < i.high);
    resamples_deinit(&r);
}

/* Ten alike questions in a cluster count as one: sqrt(10) times as wide. */
static void questions_of_one_cluster_do_not_count_as_many(void **state)
{
    (void)state;
    struct interval i;
    draw(10, 2);
    struct resamples r = resample(QUESTIONS / 10, 2);
    double theory = 2 * 1.95996 / sqrt(QUESTIONS / 10.);
    assert_int_equal(resamples_interval(&r, 0, RESAMPLE_ZERO, .95, &i, NULL), 0);
    assert_near(i.high - i.low, theory, .1 * theory);
    resamples_deinit(&r);
}

/* Apart, the two columns' intervals are .06 wide; the difference of .01 shows only in pairs. */
static void a_paired_difference_shows_what_two_intervals_hide(void **state)
{
    (void)state;
    struct interval apart, paired, none;
    draw(1, 3);
    struct resamples r = resample(QUESTIONS, 2);
    assert_int_equal(resamples_interval(&r, 1, RESAMPLE_ZERO, .95, &apart, NULL), 0);
    assert_int_equal(resamples_interval(&r, 1, 0, .95, &paired, NULL), 0);
    assert_int_equal(resamples_interval(&r, 2, 0, .95, &none, NULL), 0);
    assert_true(apart.high - apart.low > .05);
    assert_near(paired.high - paired.low, 2 * 1.95996 * .05 / sqrt(QUESTIONS), 3e-4);
    assert_true(paired.low > 0);
    assert_near(paired.p, 2. / 2001, 1e-12);
    assert_true(none.low < 0 && none.high > 0 && none.p > .05);
    resamples_deinit(&r);
}

static void a_column_never_differs_from_itself(void **state)
{
    (void)state;
    struct interval i;
    draw(1, 4);
    struct resamples r = resample(QUESTIONS, 1);
    assert_int_equal(resamples_interval(&r, 1, 1, .95, &i, NULL), 0);
    assert_true(i.value == 0 && i.low == 0 && i.high == 0 && i.p == 1);
    resamples_deinit(&r);
}

/* Of 200 samples of 60 without a difference about 5 % seem to have one. */
static void false_alarms_are_as_rare_as_promised(void **state)
{
    (void)state;
    struct rng rng;
    uint32_t alarms = 0;
    rng_seed(&rng, 8);
    for (uint64_t round = 0; round < 200; round++) {
        struct resamples r;
        struct interval i;
        const struct resample_params params = {.count = 400, .seed = round, .threads = 1};
        for (uint32_t q = 0; q < 60; q++) {
            cluster[q] = q;
            noise[0][q] = rng_normal(&rng);
            noise[1][q] = rng_normal(&rng);
        }
        assert_int_equal(resamples_make(columns, 2, 60, cluster, 60, &params, &r, NULL), 0);
        assert_int_equal(resamples_interval(&r, 1, 0, .95, &i, NULL), 0);
        alarms += i.low > 0 || i.high < 0;
        resamples_deinit(&r);
    }
    assert_in_range(alarms, 3, 24); /* binomial(200, .05 to .06): beyond with 1 in 1e4 */
}

static void threads_change_nothing(void **state)
{
    (void)state;
    draw(5, 5);
    struct resamples one = resample(QUESTIONS / 5, 1), four = resample(QUESTIONS / 5, 4);
    assert_memory_equal(one.mean, four.mean, 3 * 2000 * sizeof *one.mean);
    resamples_deinit(&one);
    resamples_deinit(&four);
}

/* Holm's own steps: .01 x 4, .02 x 3, .03 x 2, .04 x 1 and never down again. */
static void holm_steps_down(void **state)
{
    (void)state;
    double out[4];
    assert_int_equal(holm_adjust((double[]){.04, .01, .03, .02}, 4, out, NULL), 0);
    assert_near(out[1], .04, 1e-12);
    assert_near(out[3], .06, 1e-12);
    assert_near(out[2], .06, 1e-12);
    assert_near(out[0], .06, 1e-12);
    assert_int_equal(holm_adjust((double[]){.6, .7}, 2, out, NULL), 0);
    assert_true(out[0] == 1 && out[1] == 1);
    assert_int_equal(holm_adjust(NULL, 0, out, NULL), 0);
}

static void comparing_survives_every_failed_allocation(void **state)
{
    (void)state;
    draw(5, 5);
    OOM_LOOP
    {
        struct resamples r = {0};
        struct interval i;
        double p = .5;
        const struct resample_params params = {.count = 100, .threads = 1};
        int rc = resamples_make(columns, 3, QUESTIONS, cluster, QUESTIONS / 5, &params, &r, NULL);
        if (rc == 0)
            rc = resamples_interval(&r, 0, 1, .95, &i, NULL);
        if (rc == 0)
            rc = holm_adjust(&p, 1, &p, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        resamples_deinit(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_interval_of_a_mean_is_as_wide_as_theory_says),
        cmocka_unit_test(questions_of_one_cluster_do_not_count_as_many),
        cmocka_unit_test(a_paired_difference_shows_what_two_intervals_hide),
        cmocka_unit_test(a_column_never_differs_from_itself),
        cmocka_unit_test(false_alarms_are_as_rare_as_promised),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(holm_steps_down),
        cmocka_unit_test(comparing_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
