/* Baskets of special shapes: nested ones, dense ones as bitmaps, and the shared data sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "mine/itemsets.h"
#include "support/baskets.h"
#include "support/fimi.h"

#include "../../src/mine/itemsets_internal.h"

/* Every basket is a part of the next: as deep as it gets. */
static void nested_baskets_are_an_error_or_right(void **state)
{
    (void)state;
    const uint32_t sizes[] = {100, 1000, 3000};
    for (size_t k = 0; k < 3; k++) {
        uint32_t n = sizes[k];
        struct csr m;
        assert_int_equal(csr_alloc(&m, n, n, (uint64_t)n * (n + 1) / 2, 0, NULL), 0);
        uint64_t at = 0;
        for (uint32_t r = 0; r < n; r++) {
            for (uint32_t i = n - 1 - r; i < n; i++)
                m.column[at++] = i;
            m.start[r + 1] = at;
        }
        struct itemset_params p = {
            .target = TARGET_CLOSED, .min_support = 1, .max_length = UINT32_MAX};
        uint64_t count = 0;
        int rc = itemsets_count(&m, &p, &count, NULL);
        assert_true(rc == 0 || rc == ERR_TOO_LARGE);
        if (rc == 0)
            assert_int_equal(count, n);
        csr_deinit(&m);
    }
}

/* The processor's instruction, the plain version and single bits agree. */
static void pairs_of_bitmaps_equal_a_recount(void **state)
{
    (void)state;
    enum { ITEMS = 9, WORDS = 7 };
    struct rng r;
    uint64_t maps[ITEMS * WORDS];
    rng_seed(&r, 19);
    for (size_t k = 0; k < ITEMS * WORDS; k++)
        maps[k] = rng_u64(&r) & rng_u64(&r);
    uint32_t *fast = pairs_count(maps, ITEMS, WORDS, false);
    uint32_t *plain = pairs_count(maps, ITEMS, WORDS, true);
    for (uint32_t a = 0; a < ITEMS; a++)
        for (uint32_t b = 0; b < ITEMS; b++) {
            uint32_t both = 0;
            for (uint32_t k = 0; k < 64 * WORDS; k++)
                both += (uint32_t)(maps[a * WORDS + k / 64] >> k % 64 &
                                   maps[b * WORDS + k / 64] >> k % 64 & 1);
            assert_int_equal(fast[a * ITEMS + b], both);
            assert_int_equal(plain[a * ITEMS + b], both);
        }
    free(fast);
    free(plain);
}

static const struct {
    const char *file;
    uint32_t min_support;
    uint64_t count;
} PUBLISHED[] = {
    {"retail", 88, 7695},       {"retail", 44, 19698},         {"retail", 9, 189077},
    {"retail", 5, 504142},      {"T10I4D100K", 100, 26806},    {"T10I4D100K", 20, 107822},
    {"T10I4D100K", 10, 283397}, {"mushroom", 812, 4897},       {"mushroom", 406, 12854},
    {"chess", 1598, 369450},    {"chess", 1278, 1366833},      {"groceries", 10, 13464},
    {"groceries", 5, 46267},    {"online_retail", 104, 16254}, {"online_retail", 62, 171149},
};

static void published_counts_of_closed_sets_are_met(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof PUBLISHED / sizeof *PUBLISHED; i++) {
        struct csr m;
        if (!fimi_read(PUBLISHED[i].file, &m)) {
            puts("skipped: no shared data");
            skip();
        }
        struct itemset_params p = {.target = TARGET_CLOSED,
                                   .min_support = PUBLISHED[i].min_support,
                                   .max_length = UINT32_MAX};
        uint64_t count;
        for (p.threads = 1; p.threads <= 4; p.threads *= 2) {
            assert_int_equal(itemsets_count(&m, &p, &count, NULL), 0);
            assert_int_equal(count, PUBLISHED[i].count);
        }
        csr_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nested_baskets_are_an_error_or_right),
        cmocka_unit_test(pairs_of_bitmaps_equal_a_recount),
        cmocka_unit_test(published_counts_of_closed_sets_are_met),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
