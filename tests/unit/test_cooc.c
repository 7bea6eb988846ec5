#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "learn/cooc.h"
#include "support/baskets.h"
#include "support/oom.h"

static void random_dataset(struct rng *r, uint32_t rows, uint32_t items, double density,
                           struct dataset *d)
{
    struct csr m = baskets_random(r, rows, items, density);
    baskets_dataset(&m, d);
    csr_deinit(&m);
}

static void count(const struct dataset *d, struct cooc_params p, struct cooc *out)
{
    struct error err = ERROR_INIT;
    int rc = cooc_count(&d->baskets, &p, out, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

/* Plain double loop over each basket. */
static uint32_t *recount(const struct dataset *d, uint32_t max_unit)
{
    uint32_t n = d->item_count, *pairs = calloc((size_t)n * n + 1, sizeof *pairs);
    assert_non_null(pairs);
    for (uint32_t b = 0; b < d->basket_count; b++) {
        uint64_t begin = d->baskets.start[b], end = d->baskets.start[b + 1];
        for (uint64_t x = begin; x < end && end - begin <= max_unit; x++)
            for (uint64_t y = begin; y < end; y++)
                if (x != y)
                    pairs[d->baskets.column[x] * n + d->baskets.column[y]]++;
    }
    return pairs;
}

static void counts_equal_a_double_loop(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 200; round++) {
        struct dataset d;
        struct cooc c;
        uint32_t max_unit = rng_below(&r, 2) ? 1000 : 4, least = 1 + rng_below(&r, 3);
        random_dataset(&r, rng_below(&r, 80), 1 + rng_below(&r, 90), rng_unit(&r), &d);
        count(&d,
              (struct cooc_params){
                  .min_count = least, .max_unit = max_unit, .threads = 1 + (uint32_t)round % 3},
              &c);
        uint32_t *pairs = recount(&d, max_unit);
        uint64_t entries = 0;
        for (uint32_t i = 0; i < d.item_count; i++)
            for (uint32_t j = 0; j < d.item_count; j++) {
                uint32_t expected = pairs[i * d.item_count + j];
                expected = expected < least ? 0 : expected;
                entries += expected > 0;
                assert_int_equal(cooc_pair(&c, i, j), expected);
            }
        assert_int_equal(c.start[c.item_count], entries);
        assert_memory_equal(c.item_units, d.item_orders, d.item_count * sizeof *c.item_units);
        free(pairs);
        cooc_deinit(&c);
        dataset_deinit(&d);
    }
}

/* One day apart; the last is the newest. */
static int64_t *days(uint32_t count)
{
    int64_t *time_ms = calloc(count + 1, sizeof *time_ms);
    assert_non_null(time_ms);
    for (uint32_t b = 0; b < count; b++)
        time_ms[b] = (int64_t)b * 86400000;
    return time_ms;
}

static void masses_weigh_units_by_their_size_and_age(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 11);
    for (int round = 0; round < 40; round++) {
        struct dataset d;
        struct cooc c;
        float power = round % 2 ? 0.5f : 1, half_life = round % 5 ? (float)(round % 5) * 7 : 0;
        power = round % 10 == 1 ? 0 : power;
        random_dataset(&r, 1 + rng_below(&r, 80), 1 + rng_below(&r, 40), 0.05 + rng_unit(&r), &d);
        int64_t *time_ms = days(d.basket_count);
        count(&d,
              (struct cooc_params){.unit_power = power,
                                   .half_life_days = half_life,
                                   .time_ms = time_ms,
                                   .max_per_row = round % 3 ? 0 : 5,
                                   .threads = 1 + (uint32_t)round % 3},
              &c);
        for (uint32_t i = 0; i < d.item_count; i++) {
            double own = 0, *both = calloc(d.item_count, sizeof *both);
            assert_non_null(both);
            for (uint32_t b = 0; b < d.basket_count; b++) {
                uint64_t begin = d.baskets.start[b], end = d.baskets.start[b + 1];
                double mass = pow((double)(end - begin), (double)-power);
                if (half_life > 0)
                    mass *= pow(0.5, (d.basket_count - 1.0 - b) / (double)half_life);
                for (uint64_t x = begin; x < end; x++)
                    for (uint64_t y = begin; d.baskets.column[x] == i && y < end; y++)
                        both[d.baskets.column[y]] += mass;
            }
            own = both[i];
            assert_true(fabs((double)c.item_mass[i] - own) < 1e-4);
            for (uint64_t e = c.start[i]; e < c.start[i + 1]; e++)
                assert_true(fabs((double)c.mass[e] - both[c.column[e]]) < 1e-4);
            free(both);
        }
        free(time_ms);
        cooc_deinit(&c);
        dataset_deinit(&d);
    }
}

/* The place of j in i's full row: pairs more frequent, or as frequent and of an earlier item. */
static uint32_t place_of(const uint32_t *pairs, uint32_t n, uint32_t i, uint32_t j)
{
    uint32_t place = 0;
    for (uint32_t k = 0; k < n; k++)
        place +=
            pairs[i * n + k] > pairs[i * n + j] || (pairs[i * n + k] == pairs[i * n + j] && k < j);
    return place;
}

static void a_pruned_pair_stays_when_one_side_keeps_it(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    for (int round = 0; round < 60; round++) {
        struct dataset d;
        struct cooc c;
        uint32_t keep = 1 + rng_below(&r, 8);
        random_dataset(&r, 60, 2 + rng_below(&r, 40), 0.3, &d);
        count(&d, (struct cooc_params){.max_per_row = keep, .threads = 2}, &c);
        uint32_t n = d.item_count, *pairs = recount(&d, 1000);
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t j = 0; j < n; j++) {
                bool stays = place_of(pairs, n, i, j) < keep || place_of(pairs, n, j, i) < keep;
                assert_int_equal(cooc_pair(&c, i, j), stays ? pairs[i * n + j] : 0);
            }
        free(pairs);
        cooc_deinit(&c);
        dataset_deinit(&d);
    }
}

/* More items than one summary word covers. */
static void wide_rows_come_out_ascending(void **state)
{
    (void)state;
    struct dataset d;
    struct cooc c;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (uint32_t b = 0; b < 10000; b++) {
        uint32_t keys[] = {1, 2 + b, 2 + (b * 7919) % 10000};
        assert_int_equal(dataset_add(&d, b, 0, keys, 3, NULL), 0);
    }
    assert_int_equal(dataset_finish(&d, NULL), 0);
    count(&d, (struct cooc_params){.threads = 2}, &c);
    assert_int_equal(c.start[1], 10000);
    for (uint32_t k = 0; k < 10000; k++) {
        assert_int_equal(c.column[k], k + 1);
        assert_int_equal(c.count[k], d.item_orders[k + 1]);
    }
    cooc_deinit(&c);
    dataset_deinit(&d);
}

static void weights_meet_worked_examples(void **state)
{
    (void)state;
    /* cells (99, 81, 54, 66): n 300, n_i 180, n_j 153 */
    assert_true(fabs(weight_of(WEIGHT_LLR, 300, 180, 153, 99) - 2.88501) < 5e-6);
    assert_true(fabs(weight_of(WEIGHT_COSINE, 300, 180, 45, 9) - 0.1) < 1e-15);
    assert_true(fabs(weight_of(WEIGHT_JACCARD, 300, 20, 15, 5) - 1.0 / 6) < 1e-15);
    assert_true(fabs(weight_of(WEIGHT_CONFIDENCE, 300, 20, 15, 5) - 0.25) < 1e-15);
    for (int w = WEIGHT_COSINE; w <= WEIGHT_CONFIDENCE; w++)
        assert_true(weight_of((enum weight)w, 300, 20, 15, 0) == 0);
    assert_true(weight_of(WEIGHT_LLR, 100, 50, 50, 25) == 0); /* as chance has it */
    assert_true(weight_of(WEIGHT_LLR, 100, 50, 50, 10) == 0); /* rarer */
    assert_true(isfinite(
        weight_of(WEIGHT_LLR, UINT32_MAX, UINT32_MAX / 2, UINT32_MAX / 2, UINT32_MAX / 2)));
    assert_true(weight_of(WEIGHT_LLR, 1, 1, 1, 1) == 0);
    /* large baskets are in n_i and n_j alone: fewer than none seem to have neither */
    assert_true(weight_of(WEIGHT_LLR, 10, 8, 8, 5) == 0);
    assert_true(isfinite(weight_of(WEIGHT_LLR, 10, 8, 8, 7)));
    assert_true(weight_of(WEIGHT_JACCARD, 10, 8, 8, 4) > 0);
}

struct entry {
    float weight;
    uint32_t orders, item;
};

static int by_weight(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->weight != y->weight)
        return x->weight > y->weight ? -1 : 1;
    if (x->orders != y->orders)
        return x->orders > y->orders ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static void rows_are_the_best_of_a_full_sort(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    for (int round = 0; round < 100; round++) {
        struct dataset d;
        struct cooc c;
        struct csr rows;
        enum weight kind = (enum weight)(round % 4);
        uint32_t k = 1 + rng_below(&r, 12), least = rng_below(&r, 4);
        random_dataset(&r, 50, 1 + rng_below(&r, 40), 0.2 + 0.6 * rng_unit(&r), &d);
        count(&d, (struct cooc_params){.threads = 1, .max_unit = 20}, &c);
        const struct cooc_rows_params params = {
            .weight = kind, .k = k, .min_count = least, .threads = k % 3};
        assert_int_equal(cooc_rows(&c, &params, &rows, NULL), 0);
        assert_int_equal(csr_check(&rows, NULL), 0);
        assert_int_equal(rows.rows, d.item_count);
        for (uint32_t i = 0; i < d.item_count; i++) {
            struct entry list[64] = {0};
            uint32_t length = 0;
            for (uint32_t j = 0; j < d.item_count; j++) {
                uint32_t n_ij = cooc_pair(&c, i, j);
                float weight =
                    (float)weight_of(kind, c.unit_count, c.item_units[i], c.item_units[j], n_ij);
                if (weight > 0 && n_ij >= least)
                    list[length++] = (struct entry){weight, d.item_orders[j], j};
            }
            qsort(list, length, sizeof *list, by_weight);
            length = length < k ? length : k;
            assert_int_equal(rows.start[i + 1] - rows.start[i], length);
            for (uint32_t n = 0; n < length; n++) {
                assert_int_equal(rows.column[rows.start[i] + n], list[n].item);
                assert_true(rows.value[rows.start[i] + n] == list[n].weight);
            }
        }
        csr_deinit(&rows);
        cooc_deinit(&c);
        dataset_deinit(&d);
    }
}

static void no_orders_make_no_pairs(void **state)
{
    (void)state;
    struct dataset d;
    struct cooc c;
    struct csr rows;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    count(&d, (struct cooc_params){.max_per_row = 3}, &c);
    assert_int_equal(c.start[0], 0);
    assert_int_equal(
        cooc_rows(&c, &(struct cooc_rows_params){.weight = WEIGHT_LLR, .k = 5}, &rows, NULL), 0);
    assert_int_equal(csr_entries(&rows), 0);
    csr_deinit(&rows);
    cooc_deinit(&c);
    cooc_deinit(&c);
    assert_int_equal(cooc_bytes(&c), 0);
    dataset_deinit(&d);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    struct dataset d;
    struct cooc c;
    struct csr rows;
    long failures = 0;
    rng_seed(&r, 4);
    random_dataset(&r, 50, 20, 0.4, &d);
    struct cooc_params p = {.max_per_row = 4, .unit_power = 0.5f, .threads = 2};
    OOM_LOOP
    {
        int rc = cooc_count(&d.baskets, &p, &c, NULL);
        failures += oom_fired();
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            cooc_deinit(&c);
    }
    assert_true(failures > 10);
    count(&d, p, &c);
    const struct cooc_rows_params rows_params = {.weight = WEIGHT_LLR, .k = 5, .threads = 2};
    OOM_LOOP
    {
        int rc = cooc_rows(&c, &rows_params, &rows, NULL);
        /* giving memory back may fail: the rows are good all the same */
        assert_true(rc == 0 || (oom_fired() && rc == ERR_NOMEM));
        if (rc == 0) {
            assert_int_equal(csr_check(&rows, NULL), 0);
            csr_deinit(&rows);
        }
    }
    cooc_deinit(&c);
    dataset_deinit(&d);
}

static void cancelling_is_heeded(void **state)
{
    (void)state;
    struct rng r;
    struct dataset d;
    struct cooc c;
    struct progress progress;
    rng_seed(&r, 5);
    random_dataset(&r, 50, 20, 0.4, &d);
    progress_init(&progress);
    struct cooc_params p = {.progress = &progress};
    assert_int_equal(cooc_count(&d.baskets, &p, &c, NULL), 0);
    assert_int_equal(progress.done, progress.total);
    cooc_deinit(&c);
    progress_cancel(&progress);
    assert_int_equal(cooc_count(&d.baskets, &p, &c, NULL), ERR_CANCELLED);
    dataset_deinit(&d);
}

static void estimates_cover_what_is_made(void **state)
{
    (void)state;
    struct rng r;
    struct dataset d;
    struct dataset_shape shape;
    struct cooc c;
    rng_seed(&r, 6);
    random_dataset(&r, 3000, 300, 0.05, &d);
    dataset_shape_of(&d, &shape);
    struct cooc_params p = {.threads = 1};
    count(&d, p, &c);
    uint64_t made = cooc_bytes(&c), said = cooc_estimate_bytes(&shape, &p);
    assert_true(said >= made && said <= 2 * made + (1 << 18));
    cooc_deinit(&c);
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_equal_a_double_loop),
        cmocka_unit_test(masses_weigh_units_by_their_size_and_age),
        cmocka_unit_test(a_pruned_pair_stays_when_one_side_keeps_it),
        cmocka_unit_test(wide_rows_come_out_ascending),
        cmocka_unit_test(weights_meet_worked_examples),
        cmocka_unit_test(rows_are_the_best_of_a_full_sort),
        cmocka_unit_test(no_orders_make_no_pairs),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_is_heeded),
        cmocka_unit_test(estimates_cover_what_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
