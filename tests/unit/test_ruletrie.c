#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "mine/ruletrie.h"
#include "support/baskets.h"
#include "support/oom.h"

static void make_rules(const struct csr *m, uint32_t least, struct rules *out)
{
    struct itemsets sets;
    struct itemset_params sp = {.min_support = least, .max_length = 5, .threads = 1};
    struct rule_params rp = {
        .min_confidence = 0.01, .min_lift = 0.01, .max_fisher_p = 1, .max_antecedent = 4};
    assert_int_equal(itemsets_mine(m, &sp, &sets, NULL), 0);
    assert_int_equal(rules_build(&sets, &rp, out, NULL), 0);
    itemsets_deinit(&sets);
}

struct hits {
    uint8_t *times; /* [rules] */
    uint32_t rules;
};

static void count_hits(void *context, uint32_t begin, uint32_t end)
{
    struct hits *hits = context;
    assert_true(begin < end && end <= hits->rules);
    for (uint32_t k = begin; k < end; k++)
        hits->times[k]++;
}

static bool contained(const struct rules *r, uint32_t rule, const uint32_t *items, uint32_t count)
{
    uint32_t met = 0, length = (uint32_t)(r->start[rule + 1] - r->start[rule]);
    for (uint32_t i = 0; i < length; i++)
        for (uint32_t k = 0; k < count; k++)
            met += items[k] == r->antecedent[r->start[rule] + i];
    return met == length;
}

static void matches_equal_a_scan_of_all_rules(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    uint64_t matched = 0;
    for (int round = 0; round < 60; round++) {
        uint32_t items = 4 + rng_below(&r, 16), basket[24];
        struct csr m = baskets_random(&r, 60, items, 0.2 + 0.5 * rng_unit(&r));
        struct rules rules;
        struct ruletrie trie;
        make_rules(&m, 4, &rules);
        assert_int_equal(ruletrie_build(&rules, items, &trie, NULL), 0);
        struct hits hits = {calloc(rules.count + 1, 1), rules.count};
        assert_non_null(hits.times);
        for (int query = 0; query < 20; query++) {
            uint32_t count = 0;
            for (uint32_t i = 0; i < items + 2; i++) /* two items no rule has */
                if (rng_below(&r, 3) > 0)
                    basket[count++] = i;
            memset(hits.times, 0, rules.count);
            ruletrie_match(&trie, basket, count, count_hits, &hits);
            for (uint32_t k = 0; k < rules.count; k++) {
                assert_int_equal(hits.times[k], contained(&rules, k, basket, count));
                matched += hits.times[k];
            }
        }
        free(hits.times);
        ruletrie_deinit(&trie);
        rules_deinit(&rules);
        csr_deinit(&m);
    }
    assert_true(matched > 100000);
}

/* Few items against many children, and many against few: both ways of searching by halves. */
static void uneven_sides_find_the_same(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    struct csr m = baskets_random(&r, 400, 300, 0.12);
    struct rules rules;
    struct ruletrie trie;
    make_rules(&m, 8, &rules);
    assert_true(rules.count > 500);
    assert_int_equal(ruletrie_build(&rules, 300, &trie, NULL), 0);
    struct hits hits = {calloc(rules.count, 1), rules.count};
    assert_non_null(hits.times);
    for (int query = 0; query < 40; query++) {
        uint32_t basket[300], count = 0, step = query % 2 ? 1 : 40;
        for (uint32_t i = rng_below(&r, step); i < 300; i += 1 + rng_below(&r, 2 * step - 1))
            basket[count++] = i;
        memset(hits.times, 0, rules.count);
        ruletrie_match(&trie, basket, count, count_hits, &hits);
        for (uint32_t k = 0; k < rules.count; k++)
            assert_int_equal(hits.times[k], contained(&rules, k, basket, count));
    }
    free(hits.times);
    ruletrie_deinit(&trie);
    rules_deinit(&rules);
    csr_deinit(&m);
}

static void fail_visit(void *context, uint32_t begin, uint32_t end)
{
    (void)context;
    (void)begin;
    (void)end;
    fail();
}

static void no_rules_match_nothing(void **state)
{
    (void)state;
    struct csr m = baskets_of("||", 3);
    struct rules rules;
    struct ruletrie trie;
    make_rules(&m, 1, &rules);
    assert_int_equal(ruletrie_build(&rules, 3, &trie, NULL), 0);
    assert_int_equal(trie.node_count, 0);
    ruletrie_match(&trie, (uint32_t[]){0, 1, 2}, 3, fail_visit, NULL);
    ruletrie_match(&trie, NULL, 0, fail_visit, NULL);
    assert_true(ruletrie_bytes(&trie) > 0);
    ruletrie_deinit(&trie);
    ruletrie_deinit(&trie);
    rules_deinit(&rules);
    csr_deinit(&m);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    struct csr m = baskets_random(&r, 40, 8, 0.7);
    struct rules rules;
    struct ruletrie trie;
    long failures = 0;
    make_rules(&m, 3, &rules);
    OOM_LOOP
    {
        int rc = ruletrie_build(&rules, 8, &trie, NULL);
        if (oom_fired())
            failures++;
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            ruletrie_deinit(&trie);
    }
    assert_true(failures > 5);
    rules_deinit(&rules);
    csr_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_equal_a_scan_of_all_rules),
        cmocka_unit_test(uneven_sides_find_the_same),
        cmocka_unit_test(no_rules_match_nothing),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
