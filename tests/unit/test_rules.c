#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mine/fisher.h"
#include "mine/rules.h"
#include "support/baskets.h"
#include "support/oom.h"
#include "support/patterns.h"
#include "support/uci.h"

static void mine_sets(const struct csr *m, uint32_t least, uint32_t length, struct itemsets *out)
{
    struct itemset_params p = {.min_support = least, .max_length = length, .threads = 1};
    assert_int_equal(itemsets_mine(m, &p, out, NULL), 0);
}

static void make(const struct itemsets *sets, struct rule_params p, struct rules *out)
{
    struct error err = ERROR_INIT;
    int rc = rules_build(sets, &p, out, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    assert_int_equal(rules_check(out, 64, NULL), 0);
}

static void assert_same(const struct rules *a, const struct rules *b)
{
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->cut, b->cut);
    assert_memory_equal(a->start, b->start, ((size_t)a->count + 1) * sizeof *a->start);
    if (a->count == 0)
        return;
    assert_memory_equal(a->antecedent, b->antecedent, a->start[a->count] * sizeof *a->antecedent);
    assert_memory_equal(a->consequent, b->consequent, a->count * sizeof *a->consequent);
    assert_memory_equal(a->both, b->both, a->count * sizeof *a->both);
    assert_memory_equal(a->body, b->body, a->count * sizeof *a->body);
    assert_memory_equal(a->head, b->head, a->count * sizeof *a->head);
}

/* A rule as a plain recount gives it. */
struct plain {
    uint32_t items[32], length, right, both, body, head;
};

static uint32_t support_of(const struct csr *m, uint32_t mask)
{
    uint32_t items[32], length = 0;
    for (uint32_t i = 0; i < 32; i++)
        if (mask >> i & 1)
            items[length++] = i;
    return baskets_support(m, items, length);
}

/* All rules of at most `most` items on the left whose sets are frequent. */
static struct plain *recount(const struct csr *m, uint32_t least, uint32_t most, uint32_t *count)
{
    struct plain *list = malloc(sizeof *list * m->cols << m->cols);
    assert_non_null(list);
    *count = 0;
    for (uint32_t mask = 1; mask < 1u << m->cols; mask++) {
        uint32_t length = (uint32_t)__builtin_popcount(mask), both = support_of(m, mask);
        if (length < 2 || length > most + 1 || both < least)
            continue;
        for (uint32_t right = 0; right < m->cols; right++) {
            if (!(mask >> right & 1))
                continue;
            struct plain *rule = &list[(*count)++];
            *rule = (struct plain){.right = right, .both = both};
            for (uint32_t i = 0; i < m->cols; i++)
                if (i != right && (mask >> i & 1))
                    rule->items[rule->length++] = i;
            rule->body = support_of(m, mask & ~(1u << right));
            rule->head = support_of(m, 1u << right);
        }
    }
    return list;
}

/* Thresholds as fractions, so that nothing is rounded. */
static bool passes(const struct plain *r, uint64_t n, uint64_t conf_num, uint64_t conf_den,
                   double max_p)
{
    uint64_t x = r->body, y = r->head, c = r->both;
    return c * conf_den >= x * conf_num && c * n >= x * y && fisher_p(n, x, y, c) <= max_p;
}

static void equal_a_recount_ties_included(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    uint64_t seen = 0, ties = 0;
    for (int round = 0; round < 2000; round++) {
        uint32_t items = 2 + rng_below(&r, 7), least = 1 + rng_below(&r, 4);
        uint32_t conf_den = 2 + rng_below(&r, 9), conf_num = 1 + rng_below(&r, conf_den);
        struct csr m = baskets_random(&r, 4 + rng_below(&r, 50), items, rng_unit(&r) * 1.2);
        struct rule_params p = {.min_confidence = (double)conf_num / conf_den,
                                .max_antecedent = 1 + rng_below(&r, 4),
                                .max_fisher_p = rng_below(&r, 2) ? 0.05 : 1,
                                .threads = round % 8 ? 1 : 2};
        struct itemsets sets;
        struct rules rules;
        mine_sets(&m, least, UINT32_MAX, &sets);
        make(&sets, p, &rules);
        uint32_t candidates, expected = 0;
        struct plain *list = recount(&m, least, p.max_antecedent, &candidates);
        for (uint32_t k = 0; k < candidates; k++) {
            const struct plain *want = &list[k];
            uint32_t found = rules_find(&rules, want->items, want->length, want->right);
            bool wanted = passes(want, m.rows, conf_num, conf_den, p.max_fisher_p);
            assert_true((found != UINT32_MAX) == wanted);
            if (!wanted)
                continue;
            assert_int_equal(rules.both[found], want->both);
            assert_int_equal(rules.body[found], want->body);
            assert_int_equal(rules.head[found], want->head);
            ties += (uint64_t)want->both * conf_den == (uint64_t)want->body * conf_num;
            expected++;
        }
        assert_int_equal(rules.count, expected);
        assert_int_equal(rules.cut, 0);
        seen += expected;
        free(list);
        rules_deinit(&rules);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
    assert_true(seen > 10000 && ties > 200);
}

static void budget_keeps_the_best_by_leverage(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    for (int round = 0; round < 200; round++) {
        struct csr m = baskets_random(&r, 80, 10, 0.3 + 0.5 * rng_unit(&r));
        struct rule_params p = {.min_confidence = 0.01, .min_lift = 0.01, .max_fisher_p = 1};
        struct itemsets sets;
        struct rules all, one, more;
        mine_sets(&m, 2, 4, &sets);
        make(&sets, p, &all);
        p.max_rules = 1 + rng_below(&r, all.count ? all.count : 1);
        p.threads = 1;
        make(&sets, p, &one);
        p.threads = 3;
        make(&sets, p, &more);
        assert_same(&one, &more);
        assert_int_equal(one.count + one.cut, all.count);
        assert_int_equal(one.count, all.count < p.max_rules ? all.count : p.max_rules);
        double worst = 1;
        for (uint32_t k = 0; k < one.count; k++)
            worst = fmin(worst, rules_measure(&one, k, MEASURE_LEVERAGE));
        uint32_t better = 0;
        for (uint32_t k = 0; k < all.count; k++)
            better += rules_measure(&all, k, MEASURE_LEVERAGE) > worst;
        assert_true(better < one.count || one.count == 0);
        rules_deinit(&all);
        rules_deinit(&one);
        rules_deinit(&more);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
}

/* Pair rules of UCI Online Retail with support >= 1 % and confidence >= 50 %. */
static void pair_rules_of_a_real_shop_equal_a_recount(void **state)
{
    (void)state;
    struct uci uci;
    struct itemsets sets;
    struct rules rules;
    if (!uci_load(&uci)) {
        puts("skipped: no shared data");
        skip();
    }
    uint32_t n = uci.codes.count, baskets = uci.baskets.rows, expected = 0;
    uint32_t *pairs = calloc((size_t)n * n, sizeof *pairs);
    assert_non_null(pairs);
    for (uint32_t b = 0; b < baskets; b++)
        for (uint64_t x = uci.baskets.start[b]; x < uci.baskets.start[b + 1]; x++)
            for (uint64_t y = uci.baskets.start[b]; y < uci.baskets.start[b + 1]; y++)
                pairs[(size_t)uci.baskets.column[x] * n + uci.baskets.column[y]]++;
    mine_sets(&uci.baskets, itemsets_min_support(0.01, baskets), 4, &sets);
    struct rule_params p = {.min_confidence = 0.5, .max_antecedent = 1};
    assert_int_equal(rules_build(&sets, &p, &rules, NULL), 0);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t j = 0; j < n; j++) {
            uint32_t both = pairs[(size_t)i * n + j], body = pairs[(size_t)i * n + i];
            if (i == j || 100 * (uint64_t)both < baskets || 2 * both < body)
                continue;
            uint32_t k = rules_find(&rules, &i, 1, j);
            assert_int_not_equal(k, UINT32_MAX);
            assert_int_equal(rules.both[k], both);
            assert_int_equal(rules.body[k], body);
            assert_int_equal(rules.head[k], pairs[(size_t)j * n + j]);
            expected++;
        }
    assert_int_equal(rules.count, expected);
    assert_true(expected > 100);
    free(pairs);
    rules_deinit(&rules);
    itemsets_deinit(&sets);
    uci_free(&uci);
}

struct seen {
    const struct rules *rules;
    uint32_t count;
};

static int look_up(void *context, const struct rule *rule)
{
    struct seen *seen = context;
    const struct rules *r = seen->rules;
    uint32_t k = rules_find(r, rule->antecedent, rule->antecedent_length, rule->consequent[0]);
    assert_int_not_equal(k, UINT32_MAX);
    struct counts counts = rules_counts(r, k);
    assert_memory_equal(&counts, &rule->counts, sizeof counts);
    assert_true(r->q[k] == (float)rule->q && r->improvement[k] == (float)rule->improvement);
    assert_true(rule->productive && rule->q <= 0.95);
    seen->count++;
    return 0;
}

static void tests_of_a_models_rules_are_those_of_a_visit(void **state)
{
    (void)state;
    struct rng r;
    uint32_t all = 0;
    rng_seed(&r, 4);
    for (int round = 0; round < 20; round++) {
        struct csr m = baskets_random(&r, 300, 12, 0.7);
        struct rule_params p = {.max_fisher_p = 1,
                                .max_q = 0.95,
                                .alpha = 0.5,
                                .productive = true,
                                .min_confidence = 0.01,
                                .threads = 2};
        struct itemsets sets;
        struct rules rules;
        struct rule_tally tally;
        mine_sets(&m, 2, 4, &sets);
        make(&sets, p, &rules);
        struct seen seen = {.rules = &rules};
        assert_int_equal(rules_visit(&sets, &p, look_up, &seen, &tally, NULL), 0);
        assert_int_equal(seen.count, rules.count);
        assert_int_equal(tally.candidates, rules.candidates);
        assert_true(tally.candidates > seen.count);
        all += seen.count;
        rules_deinit(&rules);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
    assert_true(all > 300);
}

static void one_rule_reads_as_written(void **state)
{
    (void)state;
    struct csr m = baskets_of("3 5|3 5|3 5|3|5 7|7|7|7", 8);
    struct itemsets sets;
    struct rules rules;
    mine_sets(&m, 2, 4, &sets);
    make(&sets, (struct rule_params){.max_fisher_p = 1}, &rules);
    assert_int_equal(rules.count, 2);
    uint32_t k = rules_find(&rules, (uint32_t[]){3}, 1, 5);
    assert_int_equal(k, 0);
    assert_int_equal(rules.both[k], 3);
    assert_int_equal(rules.body[k], 4);
    assert_int_equal(rules.head[k], 4);
    assert_true(rules_measure(&rules, k, MEASURE_CONFIDENCE) == 0.75);
    assert_true(rules_measure(&rules, k, MEASURE_LIFT) == 1.5);
    assert_true(isnan(rules.q[k]) && isnan(rules.improvement[k]));
    assert_int_equal(rules_find(&rules, (uint32_t[]){3, 5}, 2, 7), UINT32_MAX);
    assert_true(rules_bytes(&rules) > 40);
    rules_deinit(&rules);
    rules_deinit(&rules);
    assert_int_equal(rules_bytes(&rules), 0);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

static void no_sets_give_no_rules(void **state)
{
    (void)state;
    struct csr m = baskets_of("||", 3);
    struct itemsets sets;
    struct rules rules;
    mine_sets(&m, 1, 4, &sets);
    make(&sets, (struct rule_params){0}, &rules);
    assert_int_equal(rules.count, 0);
    assert_int_equal(rules_find(&rules, (uint32_t[]){0}, 1, 1), UINT32_MAX);
    rules_deinit(&rules);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1", 2);
    struct itemsets sets;
    struct rules rules;
    struct error err = ERROR_INIT;
    mine_sets(&m, 1, 4, &sets);
    const struct rule_params bad[] = {
        {.min_confidence = 1.1}, {.min_confidence = -1}, {.min_confidence = 0.0 / 0.0},
        {.min_lift = -1},        {.min_lift = 1e10},     {.max_fisher_p = -0.1},
        {.max_q = -0.1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        error_clear(&err);
        assert_int_equal(rules_build(&sets, &bad[i], &rules, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "rules: m"));
    }
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

static void damaged_rules_are_found(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1 2|0 1 2|0 1|3", 4);
    struct itemsets sets;
    struct rules r;
    struct error err = ERROR_INIT;
    mine_sets(&m, 1, 4, &sets);
    make(&sets, (struct rule_params){.max_fisher_p = 1}, &r);
    assert_true(r.count > 4);
    assert_int_equal(rules_check(&r, 2, &err), ERR_CORRUPT); /* items beyond */
    assert_int_equal(rules_check(&r, 3, NULL), 0);
    uint64_t start = r.start[1];
    r.start[1] = r.start[0];
    assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
    r.start[1] = r.start[0] + RULE_ITEMS_MAX + 1;
    assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
    r.start[1] = start;
    r.start[0] = 1;
    assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
    r.start[0] = 0;
    uint32_t *fields[] = {r.both, r.body, r.head, r.consequent};
    for (size_t f = 0; f < 4; f++) {
        uint32_t saved = fields[f][0];
        fields[f][0] = f == 3 ? r.antecedent[0] : 5;
        assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
        fields[f][0] = saved;
    }
    float *tests[] = {r.q, r.improvement};
    for (size_t f = 0; f < 2; f++) {
        tests[f][0] = 1.5f;
        assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
        tests[f][0] = f ? -1.5f : 0;
        assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
        tests[f][0] = NAN;
        assert_int_equal(rules_check(&r, 4, NULL), 0);
    }
    uint32_t both = r.both[0];
    r.both[0] = 0;
    assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
    r.both[0] = both;
    r.consequent[0] = 3; /* not before rule 1 any more */
    assert_int_equal(rules_check(&r, 4, NULL), ERR_CORRUPT);
    struct rules none = {0};
    assert_int_equal(rules_check(&none, 4, NULL), ERR_CORRUPT);
    rules_deinit(&r);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    struct csr m = baskets_random(&r, 60, 12, 0.6);
    struct itemsets sets;
    struct rules rules;
    struct rule_params p = {.max_fisher_p = 1, .with_q = true, .productive = true, .threads = 2};
    mine_sets(&m, 5, 4, &sets);
    long failures = 0;
    OOM_LOOP
    {
        int rc = rules_build(&sets, &p, &rules, NULL);
        if (oom_fired())
            failures++;
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            rules_deinit(&rules);
    }
    assert_true(failures > 8);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

static void cancelling_is_heeded(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1|0 1", 2);
    struct itemsets sets;
    struct rules rules;
    struct progress progress;
    progress_init(&progress);
    progress_cancel(&progress);
    mine_sets(&m, 1, 4, &sets);
    struct rule_params p = {.progress = &progress};
    assert_int_equal(rules_build(&sets, &p, &rules, NULL), ERR_CANCELLED);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_a_recount_ties_included),
        cmocka_unit_test(budget_keeps_the_best_by_leverage),
        cmocka_unit_test(pair_rules_of_a_real_shop_equal_a_recount),
        cmocka_unit_test(tests_of_a_models_rules_are_those_of_a_visit),
        cmocka_unit_test(one_rule_reads_as_written),
        cmocka_unit_test(no_sets_give_no_rules),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(damaged_rules_are_found),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(cancelling_is_heeded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
