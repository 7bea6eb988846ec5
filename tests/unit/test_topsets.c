#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "mine/topsets.h"
#include "support/baskets.h"
#include "support/oom.h"

#define ITEMS_MAX 10

struct candidate {
    double value;
    uint32_t support, mask;
};

static double value_of(enum set_measure by, const struct csr *m, uint32_t mask, uint32_t support)
{
    double n = m->rows, expected = 1;
    uint32_t most = 0;
    for (uint32_t i = 0; i < m->cols; i++) {
        if (!(mask >> i & 1))
            continue;
        uint32_t alone = baskets_support(m, &i, 1);
        expected *= alone / n;
        most = alone > most ? alone : most;
    }
    const double values[] = {support / n, support / n - expected, support / n / expected,
                             (double)support / most};
    return values[by];
}

/* Of two sets of one length the one with the smaller first different item is before. */
static int compare(const void *first, const void *second)
{
    const struct candidate *a = first, *b = second;
    int a_length = __builtin_popcount(a->mask), b_length = __builtin_popcount(b->mask);
    if (fabs(a->value - b->value) > 1e-12)
        return a->value > b->value ? -1 : 1;
    if (a->support != b->support)
        return a->support > b->support ? -1 : 1;
    if (a_length != b_length)
        return a_length - b_length;
    uint32_t different = a->mask ^ b->mask;
    return different ? (a->mask & different & -different ? -1 : 1) : 0;
}

static uint32_t candidates(const struct csr *m, const struct itemset_params *p, enum set_measure by,
                           struct candidate *list)
{
    uint32_t count = 0, set[ITEMS_MAX];
    for (uint32_t mask = 1; mask < 1u << m->cols; mask++) {
        uint32_t length = 0;
        for (uint32_t i = 0; i < m->cols; i++)
            if (mask >> i & 1)
                set[length++] = i;
        uint32_t support = baskets_support(m, set, length);
        uint32_t least = p->min_support ? p->min_support : 1;
        if (support >= least && length >= p->min_length && length <= p->max_length)
            list[count++] = (struct candidate){value_of(by, m, mask, support), support, mask};
    }
    if (count)
        qsort(list, count, sizeof *list, compare);
    return count;
}

static void the_best_sets_equal_brute_force(void **state)
{
    (void)state;
    static struct candidate list[1 << ITEMS_MAX];
    struct rng r;
    rng_seed(&r, 21);
    for (int round = 0; round < 1500; round++) {
        struct csr m =
            baskets_random(&r, 1 + rng_below(&r, 40), 1 + rng_below(&r, ITEMS_MAX), rng_unit(&r));
        enum set_measure by = rng_below(&r, SET_MEASURE_COUNT);
        struct itemset_params p = {.min_support = rng_below(&r, 4),
                                   .min_length = 1 + rng_below(&r, 2),
                                   .max_length = rng_below(&r, 3) ? UINT32_MAX : 3};
        uint32_t all = candidates(&m, &p, by, list), k = 1 + rng_below(&r, 40);
        for (p.threads = 1; p.threads <= 2; p.threads++) {
            struct itemsets s;
            assert_int_equal(topsets_mine(&m, &p, by, k, &s, NULL), 0);
            assert_int_equal(s.count, all < k ? all : k);
            for (uint64_t x = 0; x < s.count; x++) {
                uint32_t mask = 0;
                for (uint64_t e = s.start[x]; e < s.start[x + 1]; e++)
                    mask |= 1u << s.item[e];
                double value = value_of(by, &m, mask, s.support[x]);
                assert_true(fabs(value - list[x].value) < 1e-9);
                if (by == SET_SUPPORT)
                    assert_int_equal(mask, list[x].mask);
            }
            itemsets_deinit(&s);
        }
        csr_deinit(&m);
    }
}

/* 2^40 - 1 sets are frequent, and the threshold rises before they are listed. */
static void what_could_never_be_listed_does_not_hold_it_up(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 "
                              "26 27 28 29 30 31 32 33 34 35 36 37 38 39|0 1|0 1|1",
                              40);
    struct itemset_params p = {.max_length = UINT32_MAX};
    struct itemsets s;
    assert_int_equal(topsets_mine(&m, &p, SET_SUPPORT, 5, &s, NULL), 0);
    assert_int_equal(s.count, 5);
    assert_int_equal(s.support[0], 4);
    assert_int_equal(s.item[s.start[4]], 3); /* {1}, {0}, {0,1}, then {2}, {3} of one basket */
    itemsets_deinit(&s);
    csr_deinit(&m);
}

static void names_are_read_back(void **state)
{
    (void)state;
    for (int m = 0; m < SET_MEASURE_COUNT; m++)
        assert_int_equal(set_measure_parse(str_of(set_measure_name((enum set_measure)m))), m);
    assert_int_equal(set_measure_parse(str_of("conviction")), -1);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 22);
    struct csr m = baskets_random(&r, 60, 10, 0.6);
    struct itemset_params p = {.threads = 2};
    OOM_LOOP
    {
        struct itemsets s;
        struct error err = ERROR_INIT;
        int rc = topsets_mine(&m, &p, SET_LEVERAGE, 20, &s, &err);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        assert_int_equal(err.code, rc);
        if (rc == 0)
            itemsets_deinit(&s);
    }
    csr_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_sets_equal_brute_force),
        cmocka_unit_test(what_could_never_be_listed_does_not_hold_it_up),
        cmocka_unit_test(names_are_read_back),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
