#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/ease.h"
#include "learn/ridge.h"
#include "support/baskets.h"
#include "support/near.h"
#include "support/oom.h"
#include "support/plainridge.h"
#include "support/protocol.h"
#include "support/rows.h"

static void solve(const struct cooc *c, const struct ease_params *p, struct csr *out)
{
    struct error err = ERROR_INIT;
    int rc = ease_rows(c, p, out, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_int_equal(csr_check(out, NULL), 0);
}

/* Each column is the ridge regression of its item on all others. */
static void columns_equal_plain_regressions(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 12; round++) {
        struct cooc c;
        struct csr rows;
        uint32_t n = 1 + rng_below(&r, 60), support[60];
        double weight[60];
        float unit_power = round % 3 ? 0 : 0.5f;
        pairs_random(&r, 300, n, 0.1 + 0.5 * rng_unit(&r), unit_power, &c);
        solve(&c, &(struct ease_params){.lambda = 20, .threads = 1 + (uint32_t)round % 3}, &rows);
        double *found = plain_matrix(&rows), units = 0, masses = 0;
        for (uint32_t i = 0; i < n; i++) {
            units += c.item_units[i];
            masses += c.mass ? (double)c.item_mass[i] : c.item_units[i];
        }
        for (uint32_t j = 0; j < n; j++) {
            for (uint32_t x = 0; x + 1 < n; x++)
                support[x] = x + (x >= j);
            plain_ridge(&c, j, support, n - 1, 20 * masses / units, weight);
            for (uint32_t x = 0; x + 1 < n; x++)
                assert_near(found[(size_t)support[x] * n + j], weight[x], 1e-5);
            assert_near(found[(size_t)j * n + j], 0, 0);
        }
        free(found);
        csr_deinit(&rows);
        cooc_deinit(&c);
    }
}

/* Several blocks, the last one partly filled; every pair seen, so that no support is left out. */
static void local_ridge_on_all_items_is_the_same(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr ease, ridge;
    uint32_t n = 300;
    rng_seed(&r, 2);
    pairs_random(&r, 3000, n, 0.3, 0, &c);
    assert_int_equal(c.start[n], n * (n - 1));
    solve(&c, &(struct ease_params){.lambda = 50, .keep = n}, &ease);
    struct ridge_params p = {.neighbours = n, .keep = n};
    assert_int_equal(ridge_rows(&c, &p, &ridge, NULL, NULL), 0);
    double *a = plain_matrix(&ease), *b = plain_matrix(&ridge);
    double largest = 0;
    for (size_t x = 0; x < (size_t)n * n; x++) {
        assert_near(a[x], b[x], 1e-4);
        largest = fmax(largest, fabs(a[x]));
    }
    assert_true(largest > 0.05);
    free(a);
    free(b);
    csr_deinit(&ease);
    csr_deinit(&ridge);
    cooc_deinit(&c);
}

static void rows_keep_the_largest_and_are_ordered(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr all, some;
    rng_seed(&r, 3);
    pairs_random(&r, 400, 60, 0.4, 0, &c);
    solve(&c, &(struct ease_params){0}, &all);
    solve(&c, &(struct ease_params){.keep = 5}, &some);
    for (uint32_t i = 0; i < c.item_count; i++) {
        assert_int_equal(some.start[i + 1] - some.start[i], 5);
        float least = INFINITY;
        for (uint64_t e = some.start[i]; e < some.start[i + 1]; e++) {
            least = fminf(least, fabsf(some.value[e]));
            assert_true(e == some.start[i] || some.value[e] <= some.value[e - 1]);
        }
        uint32_t larger = 0;
        for (uint64_t e = all.start[i]; e < all.start[i + 1]; e++)
            larger += fabsf(all.value[e]) > least;
        assert_int_equal(larger, 4);
    }
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
    pairs_random(&r, 800, 700, 0.05, 0, &c);
    solve(&c, &(struct ease_params){.keep = 20, .threads = 1}, &one);
    for (uint32_t threads = 2; threads <= 4; threads += 2) {
        solve(&c, &(struct ease_params){.keep = 20, .threads = threads}, &more);
        assert_same_rows(&one, &more);
        csr_deinit(&more);
    }
    csr_deinit(&one);
    cooc_deinit(&c);
}

static void more_items_than_allowed_are_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct cooc c = {.item_count = 15001};
    struct csr rows;
    assert_int_equal(ease_rows(&c, &(struct ease_params){0}, &rows, &err), ERR_LIMIT);
    assert_non_null(strstr(err.text, "15001 items, at most 15000"));
}

/* Counts no units could give. */
static void what_cannot_be_solved_is_an_error(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct csr rows;
    uint64_t start[] = {0, 1, 2};
    uint32_t column[] = {1, 0}, count[] = {900, 900}, units[] = {1, 1};
    struct cooc c = {.item_count = 2,
                     .unit_count = 1,
                     .start = start,
                     .column = column,
                     .count = count,
                     .item_units = units};
    assert_int_equal(ease_rows(&c, &(struct ease_params){.lambda = 1e-3f}, &rows, &err),
                     ERR_INVALID);
    assert_non_null(strstr(err.text, "pruned"));
    solve(&c, &(struct ease_params){.lambda = 100}, &rows); /* with ten times as much */
    assert_int_equal(csr_entries(&rows), 2);
    csr_deinit(&rows);
    float mass[] = {1, NAN}, item_mass[] = {NAN, 1};
    c.mass = mass;
    c.item_mass = item_mass;
    assert_int_equal(ease_rows(&c, &(struct ease_params){.lambda = 100}, &rows, NULL), ERR_INVALID);
    const float bad[] = {-1, NAN, INFINITY};
    for (int x = 0; x < 3; x++)
        assert_int_equal(ease_rows(&c, &(struct ease_params){.lambda = bad[x]}, &rows, NULL),
                         ERR_INVALID);
}

/* Identical items: without a lambda that is felt there is no one solution. */
static void twins_speak_alike_however_small_lambda_is(void **state)
{
    (void)state;
    struct rng r;
    const float lambdas[] = {1e-3f, 1e-2f, 0.1f, 1, 20};
    rng_seed(&r, 11);
    for (int round = 0; round < 4; round++) {
        struct cooc c;
        struct csr rows, units = baskets_with_twins(&r, 3000, 300, 0.1);
        struct cooc_params counting = {.unit_power = round % 2 ? 0.5f : 0, .threads = 2};
        assert_int_equal(cooc_count(&units, &counting, &c, NULL), 0);
        for (int l = 0; l < 5; l++) {
            solve(&c, &(struct ease_params){.lambda = lambdas[l], .keep = 300}, &rows);
            double *found = plain_matrix(&rows);
            for (uint32_t j = 3; j < 300; j++)
                assert_near(found[j], found[300 + j], 0.05);
            free(found);
            csr_deinit(&rows);
        }
        struct error err = ERROR_INIT;
        struct ease_params none = {.lambda = 1e-20f};
        assert_int_equal(ease_rows(&c, &none, &rows, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "lambda"));
        cooc_deinit(&c);
        csr_deinit(&units);
    }
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    for (uint32_t items = 0; items <= 3; items += 3) {
        struct csr units, rows;
        struct cooc c;
        assert_int_equal(csr_alloc(&units, 0, items, 0, 0, NULL), 0);
        assert_int_equal(cooc_count(&units, &(struct cooc_params){0}, &c, NULL), 0);
        solve(&c, &(struct ease_params){0}, &rows);
        assert_int_equal(rows.rows, items);
        assert_int_equal(csr_entries(&rows), 0);
        csr_deinit(&rows);
        cooc_deinit(&c);
        csr_deinit(&units);
    }
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr rows;
    long failures = 0;
    rng_seed(&r, 5);
    pairs_random(&r, 60, 20, 0.4, 0, &c);
    struct ease_params p = {.keep = 4, .threads = 2};
    OOM_LOOP
    {
        int rc = ease_rows(&c, &p, &rows, NULL);
        failures += oom_fired();
        /* giving memory back may fail: the rows are good all the same */
        assert_true(rc == 0 || (oom_fired() && rc == ERR_NOMEM));
        if (rc == 0) {
            assert_int_equal(csr_check(&rows, NULL), 0);
            csr_deinit(&rows);
        }
    }
    assert_true(failures > 15);
    cooc_deinit(&c);
}

static void cancelling_is_heeded(void **state)
{
    (void)state;
    struct rng r;
    struct cooc c;
    struct csr rows;
    struct progress progress;
    rng_seed(&r, 6);
    pairs_random(&r, 60, 20, 0.4, 0, &c);
    progress_init(&progress);
    struct ease_params p = {.progress = &progress};
    solve(&c, &p, &rows);
    assert_int_equal(progress.done, progress.total);
    csr_deinit(&rows);
    progress_cancel(&progress);
    assert_int_equal(ease_rows(&c, &p, &rows, NULL), ERR_CANCELLED);
    cooc_deinit(&c);
}

static void estimates_grow_with_the_square(void **state)
{
    (void)state;
    struct dataset_shape shape = {.items = 15000};
    uint64_t said = ease_estimate_bytes(&shape, &(struct ease_params){.threads = 1});
    uint64_t least = 15000ULL * 15000 / 2 * 4;
    assert_true(said > least && said < least + least / 4);
}

static void baskets_are_completed_as_well_as_published(void **state)
{
    (void)state;
    struct completion data;
    struct cooc c;
    struct csr rows;
    if (!completion_load(&data))
        skip();
    assert_int_equal(cooc_count(&data.train.baskets, &(struct cooc_params){0}, &c, NULL), 0);
    solve(&c, &(struct ease_params){.lambda = 200, .keep = data.train.item_count}, &rows);
    struct protocol_rows model = {&rows, 1};
    assert_near(completion_rank(&data, protocol_by_rows, &model).hit_rate, 0.3077, 0.009);
    csr_deinit(&rows);
    cooc_deinit(&c);
    completion_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_equal_plain_regressions),
        cmocka_unit_test(local_ridge_on_all_items_is_the_same),
        cmocka_unit_test(rows_keep_the_largest_and_are_ordered),
        cmocka_unit_test(the_number_of_threads_does_not_matter),
        cmocka_unit_test(more_items_than_allowed_are_refused),
        cmocka_unit_test(what_cannot_be_solved_is_an_error),
        cmocka_unit_test(twins_speak_alike_however_small_lambda_is),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_is_heeded),
        cmocka_unit_test(estimates_grow_with_the_square),
        cmocka_unit_test(baskets_are_completed_as_well_as_published),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
