#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "mine/itemsets.h"
#include "support/baskets.h"
#include "support/fimi.h"
#include "support/oom.h"
#include "support/patterns.h"

static void mine(const struct csr *baskets, struct itemset_params p, struct itemsets *out)
{
    struct error err = ERROR_INIT;
    int rc = itemsets_mine(baskets, &p, out, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
}

static void assert_same(const struct itemsets *a, const struct itemsets *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->min_support, b->min_support);
    assert_int_equal(a->raised, b->raised);
    assert_memory_equal(a->start, b->start, (a->count + 1) * sizeof *a->start);
    if (a->count == 0)
        return;
    assert_memory_equal(a->support, b->support, a->count * sizeof *a->support);
    assert_memory_equal(a->item, b->item, a->start[a->count] * sizeof *a->item);
}

static uint32_t mask_items(uint32_t mask, uint32_t *items)
{
    uint32_t length = 0;
    for (uint32_t i = 0; i < 32; i++)
        if (mask >> i & 1)
            items[length++] = i;
    return length;
}

/* supports[mask] for every combination of at most 12 items. */
static void count_all(const struct csr *baskets, uint32_t *supports)
{
    memset(supports, 0, sizeof *supports << baskets->cols);
    for (uint32_t b = 0; b < baskets->rows; b++) {
        uint32_t have = 0;
        for (uint64_t e = baskets->start[b]; e < baskets->start[b + 1]; e++)
            have |= 1u << baskets->column[e];
        for (uint32_t mask = have; mask; mask = (mask - 1) & have)
            supports[mask]++;
    }
}

/* The frequent ones of `supports`, checked one by one: nothing missing, nothing else, in order. */
static void assert_brute_force(const struct itemsets *s, const uint32_t *supports, uint32_t items,
                               uint32_t max_length)
{
    uint64_t expected = 0;
    uint32_t set[32];
    for (uint32_t mask = 1; mask < 1u << items; mask++) {
        uint32_t length = mask_items(mask, set);
        if (length > max_length)
            continue;
        uint64_t index = itemsets_find(s, set, length);
        if (supports[mask] < s->min_support) {
            assert_true(index == UINT64_MAX);
            continue;
        }
        assert_true(index != UINT64_MAX);
        assert_int_equal(s->support[index], supports[mask]);
        expected++;
    }
    assert_int_equal(s->count, expected);
    for (uint64_t k = 1; k < s->count; k++) {
        uint64_t before = s->start[k] - s->start[k - 1], length = s->start[k + 1] - s->start[k];
        assert_true(before <= length);
        const uint32_t *a = s->item + s->start[k - 1], *b = s->item + s->start[k];
        size_t i = 0;
        while (before == length && a[i] == b[i])
            i++;
        assert_true(before < length || a[i] < b[i]);
    }
}

static void equal_brute_force_for_any_number_of_threads(void **state)
{
    (void)state;
    static uint32_t supports[1 << 12];
    struct rng r;
    rng_seed(&r, 1);
    for (int round = 0; round < 2000; round++) {
        uint32_t items = 1 + rng_below(&r, 12);
        struct csr m = baskets_random(&r, rng_below(&r, 60), items, rng_unit(&r) * 1.2);
        struct itemset_params p = {.min_support = 1 + rng_below(&r, 5),
                                   .max_length =
                                       rng_below(&r, 2) ? UINT32_MAX : 1 + rng_below(&r, 6)};
        struct itemsets one, more;
        uint64_t count;
        count_all(&m, supports);
        p.threads = 1;
        mine(&m, p, &one);
        assert_false(one.raised);
        assert_brute_force(&one, supports, items, p.max_length);
        for (p.threads = 2; p.threads <= 4 && round % 8 == 0; p.threads += 2) {
            mine(&m, p, &more);
            assert_same(&one, &more);
            itemsets_deinit(&more);
        }
        assert_int_equal(itemsets_count(&m, &p, &count, NULL), 0);
        assert_int_equal(count, one.count);
        itemsets_deinit(&one);
        csr_deinit(&m);
    }
}

/* More items than a table holds, rows long enough for every way of sorting them. */
static void triples_of_wide_baskets_equal_a_recount(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    for (int round = 0; round < 3; round++) {
        uint32_t items = 40 + 25 * (uint32_t)round, set[3], least = 6;
        struct csr m = baskets_random(&r, 60, items, 0.5 + 0.1 * round);
        struct itemsets s;
        mine(&m, (struct itemset_params){.min_support = least, .max_length = 3, .threads = 2}, &s);
        uint64_t expected = 0;
        for (set[0] = 0; set[0] < items; set[0]++)
            for (set[1] = set[0] + 1; set[1] < items; set[1]++) {
                if (baskets_support(&m, set, 2) < least)
                    continue;
                for (set[2] = set[1] + 1; set[2] < items; set[2] += 3 + set[1] % 5) {
                    uint32_t support = baskets_support(&m, set, 3);
                    uint64_t index = itemsets_find(&s, set, 3);
                    assert_true((index != UINT64_MAX) == (support >= least));
                    if (support >= least)
                        assert_int_equal(s.support[index], support);
                    expected += support >= least;
                }
            }
        assert_true(expected > 100);
        itemsets_deinit(&s);
        csr_deinit(&m);
    }
}

static uint64_t sets_at(const uint32_t *supports, uint32_t items, uint32_t least)
{
    uint64_t count = 0;
    for (uint32_t mask = 1; mask < 1u << items; mask++)
        count += supports[mask] >= least;
    return count;
}

static void budget_gives_the_smallest_threshold_that_keeps_it(void **state)
{
    (void)state;
    static uint32_t supports[1 << 12];
    struct rng r;
    rng_seed(&r, 3);
    for (int round = 0; round < 500; round++) {
        uint32_t items = 2 + rng_below(&r, 11);
        struct csr m = baskets_random(&r, 5 + rng_below(&r, 60), items, rng_unit(&r) * 1.2);
        struct itemset_params p = {.min_support = 1 + rng_below(&r, 3),
                                   .max_length = UINT32_MAX,
                                   .max_itemsets = 1 + rng_below(&r, 400)};
        uint32_t least = p.min_support;
        count_all(&m, supports);
        while (sets_at(supports, items, least) > p.max_itemsets)
            least++;
        for (p.threads = 1; p.threads <= (round % 8 ? 1 : 4); p.threads *= 2) {
            struct itemsets s;
            mine(&m, p, &s);
            assert_int_equal(s.min_support, least);
            assert_int_equal(s.raised, least > p.min_support);
            assert_brute_force(&s, supports, items, items);
            itemsets_deinit(&s);
        }
        csr_deinit(&m);
    }
}

/* 2^40 - 1 sets are frequent; all but those of the two overlapping items go. */
static void budget_ends_what_could_never_be_listed(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 "
                              "26 27 28 29 30 31 32 33 34 35 36 37 38 39|0 1|0 1|1",
                              40);
    struct itemset_params p = {.max_length = UINT32_MAX, .max_itemsets = 10000, .threads = 2};
    struct itemsets s;
    uint64_t count;
    mine(&m, p, &s);
    assert_true(s.raised);
    assert_int_equal(s.min_support, 2);
    assert_int_equal(s.count, 3);
    assert_int_equal(itemsets_count(&m, &p, &count, NULL), 0);
    assert_true(count == (1ULL << 40) - 1);
    itemsets_deinit(&s);
    csr_deinit(&m);
}

static void budget_drops_sets_kept_before(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    struct csr m = baskets_random(&r, 3000, 60, 0.5);
    struct itemset_params p = {.min_support = 30, .max_length = 4, .threads = 1};
    struct itemsets all, some;
    mine(&m, p, &all);
    assert_true(all.count > 200000);
    p.max_itemsets = 50000;
    for (p.threads = 1; p.threads <= 4; p.threads *= 2) {
        mine(&m, p, &some);
        uint64_t at_least = 0, above = 0;
        for (uint64_t k = 0; k < all.count; k++) {
            at_least += all.support[k] >= some.min_support;
            above += all.support[k] >= some.min_support - 1;
        }
        assert_int_equal(some.count, at_least);
        assert_true(some.count <= 50000 && above > 50000);
        itemsets_deinit(&some);
    }
    itemsets_deinit(&all);
    csr_deinit(&m);
}

static void limits_are_kept(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1 2 3 4 5|0 1 2 3 4 5||0", 8);
    struct itemsets s;
    mine(&m, (struct itemset_params){0}, &s); /* support 1, length 4 */
    assert_int_equal(s.count, 6 + 15 + 20 + 15);
    assert_int_equal(s.support[0], 3);
    assert_int_equal(s.basket_count, 4);
    assert_true(itemsets_bytes(&s) >= s.count * 16);
    itemsets_deinit(&s);
    itemsets_deinit(&s);
    assert_int_equal(itemsets_bytes(&s), 0);
    mine(&m, (struct itemset_params){.min_support = 3, .max_length = 1}, &s);
    assert_int_equal(s.count, 1);
    itemsets_deinit(&s);
    mine(&m, (struct itemset_params){.min_support = 5}, &s);
    assert_int_equal(s.count, 0);
    assert_true(itemsets_find(&s, (uint32_t[]){0}, 1) == UINT64_MAX);
    itemsets_deinit(&s);
    csr_deinit(&m);
}

static void nothing_gives_nothing(void **state)
{
    (void)state;
    struct csr none = baskets_of("", 0), empty = baskets_of("||", 3);
    struct itemsets s;
    mine(&none, (struct itemset_params){0}, &s);
    assert_int_equal(s.count, 0);
    itemsets_deinit(&s);
    mine(&empty, (struct itemset_params){0}, &s);
    assert_int_equal(s.count, 0);
    itemsets_deinit(&s);
    csr_deinit(&none);
    csr_deinit(&empty);
}

static void shares_become_counts_exactly(void **state)
{
    (void)state;
    assert_int_equal(itemsets_min_support(0.001, 88162), 89);
    assert_int_equal(itemsets_min_support(0.07, 100), 7);
    assert_int_equal(itemsets_min_support(0.29, 100), 29);
    assert_int_equal(itemsets_min_support(0.1, 30), 3);
    assert_int_equal(itemsets_min_support(1e-12, 1000), 1);
    assert_int_equal(itemsets_min_support(0, 1000), 1);
    assert_int_equal(itemsets_min_support(-1, 1000), 1);
    assert_int_equal(itemsets_min_support(1, 1000), 1000);
    assert_int_equal(itemsets_min_support(7, 1000), 1000);
    assert_int_equal(itemsets_min_support(0.5, 0), 1);
    assert_int_equal(itemsets_min_support(0.5, UINT32_MAX), 1u << 31);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 5);
    struct csr m = baskets_random(&r, 200, 30, 0.6);
    struct itemset_params p = {.min_support = 10, .threads = 2};
    struct itemsets s;
    uint64_t count;
    long failures = 0;
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        int rc = itemsets_mine(&m, &p, &s, &err);
        if (oom_fired()) {
            assert_int_equal(rc, ERR_NOMEM);
            assert_int_equal(err.code, ERR_NOMEM);
            failures++;
        } else {
            assert_int_equal(rc, 0);
            itemsets_deinit(&s);
        }
    }
    assert_true(failures > 20);
    OOM_LOOP
    {
        int rc = itemsets_count(&m, &p, &count, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    csr_deinit(&m);
}

static void *cancel_soon(void *progress)
{
    while (atomic_load(&((struct progress *)progress)->total) == 0)
        ;
    progress_cancel(progress);
    return NULL;
}

static void cancelling_ends_it_at_once(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 6);
    struct csr m = baskets_random(&r, 4000, 80, 0.9);
    struct progress progress;
    struct itemsets s;
    pthread_t thread;
    progress_init(&progress);
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, &progress), 0);
    struct itemset_params p = {.min_support = 2,
                               .max_length = UINT32_MAX,
                               .max_itemsets = UINT32_MAX,
                               .threads = 2,
                               .progress = &progress};
    uint64_t count, begin = clock_mono_ns();
    assert_int_equal(itemsets_count(&m, &p, &count, NULL), ERR_CANCELLED);
    assert_true(clock_mono_ns() - begin < 5000000000u); /* it would take hours */
    pthread_join(thread, NULL);
    assert_int_equal(itemsets_mine(&m, &p, &s, NULL), ERR_CANCELLED);
    csr_deinit(&m);
}

static void progress_reaches_its_total(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    struct csr m = baskets_random(&r, 100, 20, 0.5);
    struct progress progress;
    uint64_t count;
    progress_init(&progress);
    struct itemset_params p = {.threads = 2, .progress = &progress};
    assert_int_equal(itemsets_count(&m, &p, &count, NULL), 0);
    assert_true(progress.total > 0);
    assert_int_equal(progress.done, progress.total);
    csr_deinit(&m);
}

static const struct {
    const char *file;
    uint32_t min_support;
    uint64_t count;
} PUBLISHED[] = {{"retail", 9, 240852},     {"T10I4D100K", 20, 129875},
                 {"mushroom", 812, 574513}, {"chess", 1598, 1272932},
                 {"groceries", 5, 49580},   {"online_retail", 62, 192013}};

static void published_counts_are_met(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof PUBLISHED / sizeof *PUBLISHED; i++) {
        struct csr m;
        if (!fimi_read(PUBLISHED[i].file, &m)) {
            puts("skipped: no shared data");
            skip();
        }
        struct itemset_params p = {
            .min_support = PUBLISHED[i].min_support, .max_length = UINT32_MAX, .threads = 2};
        struct itemsets s;
        mine(&m, p, &s);
        assert_false(s.raised);
        assert_int_equal(s.count, PUBLISHED[i].count);
        itemsets_deinit(&s);
        csr_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_brute_force_for_any_number_of_threads),
        cmocka_unit_test(triples_of_wide_baskets_equal_a_recount),
        cmocka_unit_test(budget_gives_the_smallest_threshold_that_keeps_it),
        cmocka_unit_test(budget_ends_what_could_never_be_listed),
        cmocka_unit_test(budget_drops_sets_kept_before),
        cmocka_unit_test(limits_are_kept),
        cmocka_unit_test(nothing_gives_nothing),
        cmocka_unit_test(shares_become_counts_exactly),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_ends_it_at_once),
        cmocka_unit_test(progress_reaches_its_total),
        cmocka_unit_test(published_counts_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
