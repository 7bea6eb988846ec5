#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/ridge.h"
#include "support/baskets.h"
#include "support/near.h"
#include "support/oom.h"
#include "support/plainridge.h"
#include "support/protocol.h"
#include "support/rows.h"

static void solve(const struct cooc *c, const struct ridge_params *p, struct csr *out,
                  struct ridge_report *report)
{
    struct error err = ERROR_INIT;
    int rc = ridge_rows(c, p, out, report, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

/* W of one lambda by plain loops in double: [source][target]. */
static double *reference(const struct cooc *c, uint32_t neighbours, double lambda, double power)
{
    uint32_t n = c->item_count;
    double *weights = calloc((size_t)n * n + 1, sizeof *weights);
    assert_non_null(weights);
    for (uint32_t j = 0; j < n; j++) {
        uint32_t support[128], m = plain_neighbours(c, j, neighbours, support);
        double w[128];
        plain_ridge(c, j, support, m, lambda, w);
        for (uint32_t x = 0; x < m; x++)
            weights[(size_t)support[x] * n + j] = w[x] * pow(c->item_units[j], -power);
    }
    return weights;
}

static void weights_are_near(const struct csr *rows, const double *weights)
{
    uint32_t n = rows->rows;
    assert_int_equal(csr_check(rows, NULL), 0);
    double *found = plain_matrix(rows);
    for (size_t x = 0; x < (size_t)n * n; x++)
        assert_true(fabs(found[x] - weights[x]) < 1e-5);
    free(found);
}

static void weights_equal_plain_loops(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 60; round++) {
        struct cooc c;
        struct csr rows[2];
        float lambdas[] = {1 + 50 * rng_unitf(&r), 20};
        uint32_t neighbours = 1 + rng_below(&r, round % 2 ? 8 : 100);
        float power = round % 3 ? 0 : 0.3f;
        pairs_random(&r, 100 + rng_below(&r, 300), 1 + rng_below(&r, 90), rng_unit(&r), 0, &c);
        struct ridge_params p = {.neighbours = neighbours,
                                 .lambdas = lambdas,
                                 .lambda_count = 2,
                                 .target_power = power,
                                 .threads = 1 + (uint32_t)round % 3};
        solve(&c, &p, rows, NULL);
        for (int l = 0; l < 2; l++) {
            double *weights = reference(&c, neighbours, (double)lambdas[l], (double)power);
            weights_are_near(&rows[l], weights);
            free(weights);
            csr_deinit(&rows[l]);
        }
        cooc_deinit(&c);
    }
}

/* lambda is given on the scale of counts. */
static double on_masses(const struct cooc *c, double lambda)
{
    double masses = 0, counts = 0;
    for (uint32_t i = 0; i < c->item_count; i++) {
        masses += (double)c->item_mass[i];
        counts += c->item_units[i];
    }
    return lambda * masses / counts;
}

static void masses_take_the_place_of_counts(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 8);
    for (int round = 0; round < 30; round++) {
        struct cooc c;
        struct csr rows;
        float lambda = 1 + 50 * rng_unitf(&r);
        uint32_t neighbours = 1 + rng_below(&r, round % 2 ? 8 : 100);
        pairs_random(&r, 100 + rng_below(&r, 300), 2 + rng_below(&r, 90), 0.1 + rng_unit(&r) / 2,
                     round % 2 ? 0.5f : 1, &c);
        struct ridge_params p = {
            .neighbours = neighbours, .lambdas = &lambda, .lambda_count = 1, .threads = 2};
        solve(&c, &p, &rows, NULL);
        double *weights = reference(&c, neighbours, on_masses(&c, (double)lambda), 0);
        weights_are_near(&rows, weights);
        free(weights);
        csr_deinit(&rows);
        cooc_deinit(&c);
    }
}

/* Rows long enough that columns are searched for, not read. */
static void long_rows_give_the_same_systems(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr rows;
    rng_seed(&r, 2);
    pairs_random(&r, 600, 1500, 0.05, 0, &c);
    assert_true(c.start[c.item_count] / c.item_count > 500);
    solve(&c, &(struct ridge_params){.neighbours = 6, .keep = 1500}, &rows, NULL);
    double *weights = reference(&c, 6, 50, 0);
    weights_are_near(&rows, weights);
    free(weights);
    csr_deinit(&rows);
    cooc_deinit(&c);
}

static void rows_keep_the_largest_and_are_ordered(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr all, some;
    bool negative = false;
    rng_seed(&r, 3);
    pairs_random(&r, 400, 60, 0.4, 0, &c);
    solve(&c, &(struct ridge_params){.neighbours = 40}, &all, NULL);
    solve(&c, &(struct ridge_params){.neighbours = 40, .keep = 5}, &some, NULL);
    for (uint32_t i = 0; i < c.item_count; i++) {
        assert_int_equal(some.start[i + 1] - some.start[i], 5);
        float least = INFINITY;
        for (uint64_t e = some.start[i]; e < some.start[i + 1]; e++) {
            least = fminf(least, fabsf(some.value[e]));
            negative |= some.value[e] < 0;
            assert_true(e == some.start[i] || some.value[e] <= some.value[e - 1]);
        }
        uint32_t larger = 0;
        for (uint64_t e = all.start[i]; e < all.start[i + 1]; e++)
            larger += fabsf(all.value[e]) > least;
        assert_int_equal(larger, 4);
    }
    assert_true(negative);
    csr_deinit(&all);
    csr_deinit(&some);
    cooc_deinit(&c);
}

static void the_number_of_threads_does_not_matter(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr one, more;
    rng_seed(&r, 4);
    pairs_random(&r, 500, 200, 0.1, 0, &c);
    solve(&c, &(struct ridge_params){.neighbours = 30, .keep = 20, .threads = 1}, &one, NULL);
    for (uint32_t threads = 2; threads <= 4; threads += 2) {
        solve(&c, &(struct ridge_params){.neighbours = 30, .keep = 20, .threads = threads}, &more,
              NULL);
        assert_same_rows(&one, &more);
        csr_deinit(&more);
    }
    csr_deinit(&one);
    cooc_deinit(&c);
}

/* Counts no units could give: the systems are indefinite. */
static void systems_that_cannot_be_solved_stay_out(void **state)
{
    (void)state;
    struct ridge_report report;
    struct csr rows[2];
    uint64_t start[] = {0, 2, 4, 6};
    uint32_t column[] = {1, 2, 0, 2, 0, 1}, count[] = {900, 900, 900, 900, 900, 900};
    uint32_t units[] = {1, 0, UINT32_MAX};
    struct cooc c = {.item_count = 3,
                     .unit_count = 1,
                     .start = start,
                     .column = column,
                     .count = count,
                     .item_units = units};
    struct ridge_params p = {.lambdas = (float[]){1, 1e-20f}, .lambda_count = 2};
    solve(&c, &p, rows, &report);
    assert_true(report.retried >= 2);
    assert_true(report.dropped >= 1);
    for (int l = 0; l < 2; l++) {
        assert_int_equal(csr_check(&rows[l], NULL), 0);
        csr_deinit(&rows[l]);
    }
    p.lambda_count = 1;
    solve(&c, &p, rows, &report);
    assert_int_equal(report.dropped, 0); /* ten times and again: at last it can be solved */
    assert_int_equal(csr_entries(&rows[0]), 6);
    csr_deinit(&rows[0]);
}

/* Items 0, 1, 2 are in the same units, 3 is in all of them: without lambda there is no solution,
 * and with a tiny one floats find any. */
static void twins(struct rng *r, float unit_power, struct cooc *out)
{
    struct cooc_params params = {.threads = 1, .unit_power = unit_power};
    struct csr units = baskets_with_twins(r, 3000, 12, 0.3);
    assert_int_equal(cooc_count(&units, &params, out, NULL), 0);
    csr_deinit(&units);
}

static void twins_speak_alike_however_small_lambda_is(void **state)
{
    (void)state;
    struct rng r;
    const float lambdas[] = {1e-30f, 1e-9f, 1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 0.1f, 1, 20};
    rng_seed(&r, 11);
    for (int round = 0; round < 6; round++) {
        struct cooc c;
        struct csr rows[10];
        struct ridge_report report;
        twins(&r, round % 2 ? 0.5f : 0, &c);
        struct ridge_params p = {.lambdas = lambdas, .lambda_count = 10};
        solve(&c, &p, rows, &report);
        assert_true(report.retried > 0);
        for (int l = 0; l < 10; l++) {
            double *found = plain_matrix(&rows[l]);
            for (uint32_t j = 0; j < 12; j++) {
                for (uint32_t i = 0; i < 12; i++)
                    assert_true(fabs(found[i * 12 + j]) < 1.5);
                if (j > 2)
                    assert_near(found[j], found[12 + j], 0.05);
            }
            free(found);
            csr_deinit(&rows[l]);
        }
        cooc_deinit(&c);
    }
}

static void what_is_no_number_stays_out(void **state)
{
    (void)state;
    struct ridge_report report;
    struct rng r;
    struct cooc c;
    struct csr rows;
    rng_seed(&r, 9);
    struct csr units = baskets_random(&r, 60, 20, 0.4);
    struct cooc_params counting = {.unit_power = 0.5f};
    assert_int_equal(cooc_count(&units, &counting, &c, NULL), 0);
    c.mass[c.start[3]] = NAN;
    c.mass[c.start[5] + 1] = INFINITY;
    for (uint32_t neighbours = 3; neighbours <= 20; neighbours += 17) {
        solve(&c, &(struct ridge_params){.neighbours = neighbours}, &rows, &report);
        assert_true(report.dropped > 0);
        assert_int_equal(csr_check(&rows, NULL), 0);
        assert_true(csr_entries(&rows) > 0 || neighbours == 20);
        csr_deinit(&rows);
    }
    cooc_deinit(&c);
    csr_deinit(&units);
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr rows;
    rng_seed(&r, 5);
    pairs_random(&r, 20, 10, 0.4, 0, &c);
    const float bad[] = {0, -1, NAN, INFINITY};
    for (int x = 0; x < 4; x++) {
        struct error err = ERROR_INIT;
        struct ridge_params p = {.lambdas = &bad[x], .lambda_count = 1};
        assert_int_equal(ridge_rows(&c, &p, &rows, NULL, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "lambda"));
    }
    struct ridge_params p = {.target_power = NAN};
    assert_int_equal(ridge_rows(&c, &p, &rows, NULL, NULL), ERR_INVALID);
    cooc_deinit(&c);
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    struct csr units, rows;
    struct cooc c;
    assert_int_equal(csr_alloc(&units, 0, 3, 0, 0, NULL), 0);
    assert_int_equal(cooc_count(&units, &(struct cooc_params){0}, &c, NULL), 0);
    solve(&c, &(struct ridge_params){0}, &rows, NULL);
    assert_int_equal(rows.rows, 3);
    assert_int_equal(csr_entries(&rows), 0);
    csr_deinit(&rows);
    cooc_deinit(&c);
    csr_deinit(&units);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr rows[2];
    long failures = 0;
    rng_seed(&r, 6);
    pairs_random(&r, 60, 20, 0.4, 0, &c);
    struct ridge_params p = {
        .keep = 4, .lambdas = (float[]){1, 10}, .lambda_count = 2, .threads = 2};
    OOM_LOOP
    {
        int rc = ridge_rows(&c, &p, rows, NULL, NULL);
        failures += oom_fired();
        /* giving memory back may fail: the rows are good all the same */
        assert_true(rc == 0 || (oom_fired() && rc == ERR_NOMEM));
        for (int l = 0; l < 2 && rc == 0; l++) {
            assert_int_equal(csr_check(&rows[l], NULL), 0);
            csr_deinit(&rows[l]);
        }
    }
    assert_true(failures > 30);
    cooc_deinit(&c);
}

static void cancelling_is_heeded(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr rows;
    struct progress progress;
    rng_seed(&r, 7);
    pairs_random(&r, 60, 20, 0.4, 0, &c);
    progress_init(&progress);
    struct ridge_params p = {.progress = &progress};
    assert_int_equal(ridge_rows(&c, &p, &rows, NULL, NULL), 0);
    assert_int_equal(progress.done, progress.total);
    csr_deinit(&rows);
    progress_cancel(&progress);
    assert_int_equal(ridge_rows(&c, &p, &rows, NULL, NULL), ERR_CANCELLED);
    cooc_deinit(&c);
}

static void estimates_cover_what_is_made(void **state)
{
    (void)state;
    struct rng r;
    struct dataset d;
    struct dataset_shape shape;
    struct cooc c;
    struct csr rows, units;
    rng_seed(&r, 8);
    units = baskets_random(&r, 3000, 300, 0.05);
    baskets_dataset(&units, &d);
    dataset_shape_of(&d, &shape);
    assert_int_equal(cooc_count(&d.baskets, &(struct cooc_params){0}, &c, NULL), 0);
    struct ridge_params p = {.neighbours = 50, .threads = 1};
    solve(&c, &p, &rows, NULL);
    uint64_t made = csr_bytes(&rows), said = ridge_estimate_bytes(&shape, &p);
    assert_true(said >= 3 * made && said <= 5 * made + (1 << 18));
    csr_deinit(&rows);
    cooc_deinit(&c);
    dataset_deinit(&d);
    csr_deinit(&units);
}

static double completed(const struct completion *data, const struct cooc *c, uint32_t neighbours,
                        float lambda)
{
    struct csr rows;
    struct ridge_params p = {.neighbours = neighbours, .lambdas = &lambda, .lambda_count = 1};
    solve(c, &p, &rows, NULL);
    struct protocol_rows model = {&rows, 1};
    double rate = completion_rank(data, protocol_by_rows, &model).hit_rate;
    csr_deinit(&rows);
    return rate;
}

static void baskets_are_completed_as_well_as_published(void **state)
{
    (void)state;
    struct completion data;
    struct cooc c;
    if (!completion_load(&data))
        skip();
    assert_int_equal(cooc_count(&data.train.baskets, &(struct cooc_params){0}, &c, NULL), 0);
    assert_true(fabs(completed(&data, &c, 50, 200) - 0.3068) < 0.009);
    assert_true(fabs(completed(&data, &c, 200, 50) - 0.3224) < 0.009);
    cooc_deinit(&c);
    completion_free(&data);
}

static void last_items_are_told_as_well_as_published(void **state)
{
    (void)state;
    struct lastitem data;
    struct cooc c;
    struct csr rows;
    if (!lastitem_load(&data, "sequences/beauty.txt.gz"))
        skip();
    assert_int_equal(cooc_count(&data.sets, &(struct cooc_params){0}, &c, NULL), 0);
    solve(&c,
          &(struct ridge_params){.neighbours = 50, .lambdas = (float[]){100}, .lambda_count = 1},
          &rows, NULL);
    struct protocol_rows model = {&rows, 0.7f};
    assert_true(fabs(lastitem_rank(&data, protocol_by_rows, &model).hit_rate - 0.0793) < 0.004);
    csr_deinit(&rows);
    cooc_deinit(&c);
    lastitem_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_equal_plain_loops),
        cmocka_unit_test(masses_take_the_place_of_counts),
        cmocka_unit_test(long_rows_give_the_same_systems),
        cmocka_unit_test(rows_keep_the_largest_and_are_ordered),
        cmocka_unit_test(the_number_of_threads_does_not_matter),
        cmocka_unit_test(systems_that_cannot_be_solved_stay_out),
        cmocka_unit_test(twins_speak_alike_however_small_lambda_is),
        cmocka_unit_test(what_is_no_number_stays_out),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_is_heeded),
        cmocka_unit_test(estimates_cover_what_is_made),
        cmocka_unit_test(baskets_are_completed_as_well_as_published),
        cmocka_unit_test(last_items_are_told_as_well_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
