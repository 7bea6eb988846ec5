#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/combine.h"
#include "support/oom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 23

static struct csr random_rows(struct rng *rng, uint32_t one_in)
{
    struct csr m;
    assert_int_equal(csr_alloc(&m, ITEMS, ITEMS, ITEMS * ITEMS, 1, NULL), 0);
    uint64_t at = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        for (uint32_t j = 0; j < ITEMS; j++) {
            if (i == j || rng_below(rng, one_in))
                continue;
            m.column[at] = j;
            m.value[at++] = (float)((int)rng_below(rng, 9) - 4) / 4;
        }
        m.start[i + 1] = at;
    }
    return m;
}

static uint32_t *ranks(void)
{
    static uint32_t rank[ITEMS];
    for (uint32_t i = 0; i < ITEMS; i++)
        rank[i] = i * 7 % ITEMS;
    return rank;
}

static float sum_at(const struct combine_part *parts, uint32_t count, uint32_t i, uint32_t j)
{
    float sum = 0;
    for (uint32_t p = 0; p < count; p++)
        for (uint64_t e = parts[p].rows->start[i]; e < parts[p].rows->start[i + 1]; e++)
            if (parts[p].rows->column[e] == j)
                sum += parts[p].weight * parts[p].rows->value[e];
    return sum;
}

/* How many columns go before j in a row that is cut by magnitude. */
static uint32_t stronger(const struct combine_part *parts, uint32_t count, uint32_t i, uint32_t j)
{
    float own = fabsf(sum_at(parts, count, i, j));
    uint32_t before = 0;
    for (uint32_t k = 0; k < ITEMS; k++) {
        float other = fabsf(sum_at(parts, count, i, k));
        before += k != j && (other > own || (other == own && ranks()[k] < ranks()[j]));
    }
    return before;
}

static void check_sum(const struct combine_part *parts, uint32_t count, uint32_t keep,
                      const struct csr *got)
{
    assert_int_equal(csr_check(got, NULL), 0);
    for (uint32_t i = 0; i < ITEMS; i++) {
        uint32_t expected = 0, found = 0;
        for (uint32_t j = 0; j < ITEMS; j++)
            expected += sum_at(parts, count, i, j) != 0 && stronger(parts, count, i, j) < keep;
        for (uint64_t e = got->start[i]; e < got->start[i + 1]; e++, found++) {
            uint32_t j = got->column[e];
            assert_true(got->value[e] == sum_at(parts, count, i, j));
            assert_true(stronger(parts, count, i, j) < keep);
            if (found == 0)
                continue;
            float before = got->value[e - 1];
            assert_true(before > got->value[e] ||
                        (before == got->value[e] && ranks()[got->column[e - 1]] < ranks()[j]));
        }
        assert_int_equal(found, expected);
    }
}

static void a_row_is_the_strongest_of_the_weighted_sum(void **state)
{
    struct rng rng;
    (void)state;
    rng_seed(&rng, 3);
    for (int round = 0; round < 40; round++) {
        struct csr a = random_rows(&rng, 2), b = random_rows(&rng, 3), got;
        struct combine_part parts[] = {{&a, 1}, {&b, round % 2 ? -0.5f : 2}, {&a, 0}};
        uint32_t keep = 1 + (uint32_t)rng_below(&rng, ITEMS + 5);
        assert_int_equal(rows_combine(parts, 3, ranks(), keep, 1 + round % 4, NULL, &got, NULL), 0);
        check_sum(parts, 3, keep, &got);
        csr_deinit(&got);
        csr_deinit(&a);
        csr_deinit(&b);
    }
}

static void what_is_no_number_stays_out(void **state)
{
    struct rng rng;
    (void)state;
    rng_seed(&rng, 5);
    struct csr a = random_rows(&rng, 1), got;
    a.value[0] = NAN;
    a.value[1] = INFINITY;
    a.value[2] = -INFINITY;
    a.value[3] = 2 * ROWS_WEIGHT_MAX;
    a.value[4] = -2 * ROWS_WEIGHT_MAX;
    struct combine_part part = {&a, 1};
    assert_int_equal(rows_combine(&part, 1, ranks(), ITEMS, 1, NULL, &got, NULL), 0);
    assert_int_equal(csr_check(&got, NULL), 0);
    for (uint64_t e = got.start[0]; e < got.start[1]; e++)
        for (uint64_t x = 0; x < 5; x++)
            assert_int_not_equal(got.column[e], a.column[x]);
    csr_deinit(&got);
    csr_deinit(&a);
}

static void combining_survives_every_failed_allocation(void **state)
{
    struct rng rng;
    (void)state;
    rng_seed(&rng, 6);
    struct csr a = random_rows(&rng, 2);
    struct combine_part part = {&a, 1};
    OOM_LOOP
    {
        struct csr got = {0};
        int rc = rows_combine(&part, 1, ranks(), 5, 1, NULL, &got, NULL);
        assert_true(rc == 0 || (oom_fired() && rc == ERR_NOMEM));
        csr_deinit(&got);
    }
    csr_deinit(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_is_the_strongest_of_the_weighted_sum),
        cmocka_unit_test(what_is_no_number_stays_out),
        cmocka_unit_test(combining_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
