#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/vec.h"
#include "mine/rulebest.h"
#include "support/allrules.h"
#include "support/baskets.h"
#include "support/fimi.h"
#include "support/oom.h"

/* Rules as they came, with items copied. */
struct seen {
    struct rule rule;
    uint32_t items[RULE_ITEMS_MAX];
};
struct log {
    VEC(struct seen) list;
    uint64_t stop_at; /* 0: never */
};

static int note(void *context, const struct rule *rule)
{
    struct log *log = context;
    struct seen seen = {.rule = *rule};
    for (uint32_t i = 0; i < rule->antecedent_length; i++)
        seen.items[i] = rule->antecedent[i];
    for (uint32_t i = 0; i < rule->consequent_length; i++)
        seen.items[rule->antecedent_length + i] = rule->consequent[i];
    if (!VEC_PUSH(&log->list, seen))
        return ERR_NOMEM;
    struct seen *own = &log->list.at[log->list.count - 1];
    own->rule.antecedent = own->rule.consequent = NULL;
    return log->list.count == log->stop_at ? 7 : 0;
}

static struct rule rule_at(const struct log *log, size_t k)
{
    struct rule rule = log->list.at[k].rule;
    rule.antecedent = log->list.at[k].items;
    rule.consequent = rule.antecedent + rule.antecedent_length;
    return rule;
}

static struct itemsets mined(const struct csr *m, uint32_t least, uint32_t length)
{
    struct itemset_params p = {.min_support = least, .max_length = length, .threads = 1};
    struct itemsets sets;
    assert_int_equal(itemsets_mine(m, &p, &sets, NULL), 0);
    return sets;
}

static struct log visited(const struct itemsets *sets, const struct rule_params *p,
                          struct rule_tally *tally)
{
    struct log log = {0};
    struct error err = ERROR_INIT;
    int rc = rules_visit(sets, p, note, &log, tally, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, 0);
    return log;
}

static void assert_same_bits(double a, double b)
{
    assert_memory_equal(&a, &b, sizeof a);
}

static void assert_same_rule(const struct seen *a, const struct seen *b)
{
    const struct rule *x = &a->rule, *y = &b->rule;
    assert_int_equal(x->antecedent_length, y->antecedent_length);
    assert_int_equal(x->consequent_length, y->consequent_length);
    assert_memory_equal(a->items, b->items, sizeof a->items);
    assert_memory_equal(&x->counts, &y->counts, sizeof x->counts);
    assert_same_bits(x->fisher_p, y->fisher_p);
    assert_same_bits(x->q, y->q);
    assert_same_bits(x->improvement, y->improvement);
    assert_same_bits(x->improvement_p, y->improvement_p);
    assert_int_equal(x->productive, y->productive);
}

static void assert_same_logs(const struct log *a, const struct log *b)
{
    assert_int_equal(a->list.count, b->list.count);
    for (size_t k = 0; k < a->list.count; k++)
        assert_same_rule(&a->list.at[k], &b->list.at[k]);
}

static void assert_near(double value, double expected)
{
    assert_true(isnan(value) ? isnan(expected) : fabs(value - expected) <= 1e-12);
}

static struct rule_params random_params(struct rng *r, uint8_t sides[ALLRULES_ITEMS_MAX])
{
    struct rule_params p = {.min_confidence =
                                rng_below(r, 2) ? 1e-9 : 0.05 * (1 + rng_below(r, 19)),
                            .min_lift = rng_below(r, 2) ? 1e-9 : 0.8 + 0.1 * rng_below(r, 5),
                            .max_fisher_p = rng_below(r, 2) ? 1 : 0.05,
                            .alpha = rng_below(r, 2) ? 0 : 0.3,
                            .with_q = true,
                            .with_improvement = true,
                            .productive = rng_below(r, 3) == 0,
                            .max_antecedent = 1 + rng_below(r, 5),
                            .max_consequent = 1 + rng_below(r, 3),
                            .threads = 1};
    for (uint32_t i = 0; i < ALLRULES_ITEMS_MAX; i++)
        sides[i] = rng_below(r, 2) ? SIDE_ANY : (uint8_t)rng_below(r, 4);
    p.sides = rng_below(r, 3) == 0 ? sides : NULL;
    return p;
}

static struct csr random_baskets(struct rng *r)
{
    return baskets_random(r, 4 + rng_below(r, 60), 2 + rng_below(r, 6), 0.2 + rng_unit(r));
}

/* q is the exact one, rounded up by 1/1024 at most. */
static void assert_q(double value, double exact)
{
    assert_true(value >= exact * (1 - 1e-12));
    assert_true(value <= exact * (1 + 1.0 / 1024) * (1 + 1e-12));
}

static void rules_and_tests_equal_all_candidates_tried(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 1);
    uint64_t rules = 0, productive = 0, doubtful = 0, wide = 0;
    for (int round = 0; round < 3000; round++) {
        uint8_t sides[ALLRULES_ITEMS_MAX];
        struct csr m = random_baskets(&r);
        struct rule_params p = random_params(&r, sides);
        uint32_t least = 1 + rng_below(&r, 4);
        struct itemsets sets = mined(&m, least, UINT32_MAX);
        struct allrules all = allrules_of(&m, least, &p);
        struct rule_tally tally;
        struct log log = visited(&sets, &p, &tally);
        size_t at = 0;
        for (uint32_t k = 0; k < all.count; k++) {
            if (!all.rules[k].passes)
                continue;
            assert_true(at < log.list.count);
            struct rule rule = rule_at(&log, at++);
            const struct plain_rule *want = allrules_find(&all, &rule);
            assert_ptr_equal(want, &all.rules[k]); /* the order too */
            assert_memory_equal(&rule.counts, &want->counts, sizeof rule.counts);
            assert_near(rule.fisher_p, want->fisher_p);
            assert_q(rule.q, want->q);
            assert_near(rule.improvement, want->improvement);
            assert_near(rule.improvement_p, want->improvement_p);
            assert_int_equal(rule.productive, want->productive);
            productive += rule.productive;
            doubtful += rule.q > 0.05 && rule.q < 1;
            wide += rule.consequent_length > 1;
        }
        assert_int_equal(at, log.list.count);
        assert_int_equal(tally.candidates, all.count);
        assert_int_equal(tally.found, at);
        rules += at;
        VEC_FREE(&log.list);
        allrules_free(&all);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
    assert_true(rules > 40000 && productive > 5000 && doubtful > 15000 && wide > 15000);
}

static void a_limit_on_q_keeps_those_below(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 2);
    uint32_t kept = 0, dropped = 0;
    for (int round = 0; round < 300; round++) {
        struct csr m = baskets_random(&r, 80, 6, 0.7);
        struct rule_params p = {.min_confidence = 1e-9,
                                .min_lift = 1e-9,
                                .max_fisher_p = 1,
                                .with_q = true,
                                .threads = 1};
        struct itemsets sets = mined(&m, 2, 4);
        struct log all = visited(&sets, &p, NULL);
        p.max_q = 0.01 + 0.5 * rng_unit(&r);
        struct log some = visited(&sets, &p, NULL);
        size_t at = 0;
        for (size_t k = 0; k < all.list.count; k++) {
            if (all.list.at[k].rule.q > p.max_q) {
                dropped++;
                continue;
            }
            assert_true(at < some.list.count);
            assert_same_rule(&all.list.at[k], &some.list.at[at++]);
        }
        assert_int_equal(at, some.list.count);
        kept += (uint32_t)at;
        VEC_FREE(&all.list);
        VEC_FREE(&some.list);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
    assert_true(kept > 1000 && dropped > 1000);
}

static void any_number_of_threads_gives_the_same_rules(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 3);
    struct csr m = baskets_random(&r, 400, 16, 0.9);
    struct itemsets sets = mined(&m, 3, 7);
    assert_true(sets.count > 10000); /* many pieces and several batches */
    struct rule_params p = {
        .max_antecedent = 6, .max_consequent = 3, .with_q = true, .productive = true, .threads = 1};
    struct rule_tally one_tally, tally;
    struct log one = visited(&sets, &p, &one_tally);
    assert_true(one.list.count > 100);
    for (p.threads = 2; p.threads <= 4; p.threads += 2) {
        struct log more = visited(&sets, &p, &tally);
        assert_same_logs(&one, &more);
        assert_int_equal(one_tally.candidates, tally.candidates);
        assert_int_equal(one_tally.found, tally.found);
        VEC_FREE(&more.list);
    }
    VEC_FREE(&one.list);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

/* A set of 18 items has 262,142 splits: more than a batch. */
static void a_set_of_very_many_splits_is_given_out_too(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18|0 1 2 3 4 5 6 7 8 9 "
                              "10 11 12 13 14 15 16 17 18|0|1|18",
                              19);
    struct itemsets sets = mined(&m, 2, UINT32_MAX);
    struct rule_params p = {.min_confidence = 1,
                            .min_lift = 1e-9,
                            .max_fisher_p = 1,
                            .max_antecedent = UINT32_MAX,
                            .max_consequent = 1,
                            .threads = 2};
    struct rule_tally tally;
    struct log log = visited(&sets, &p, &tally);
    VEC_FREE(&log.list);
    /* each item on the right of each set of the others; a body of 0, 1 or 18 alone is no sure sign
     */
    uint64_t splits = 19 * ((UINT64_C(1) << 18) - 1);
    assert_int_equal(tally.candidates, splits);
    assert_int_equal(tally.found, splits - 3 * 18);
    itemsets_deinit(&sets);
    csr_deinit(&m);
    m = baskets_of("0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18", 19);
    sets = mined(&m, 1, UINT32_MAX);
    /* only the whole set has more than a batch holds: 2^19 - 2 splits */
    p.max_consequent = UINT32_MAX;
    log = (struct log){.stop_at = 1000};
    assert_int_equal(rules_visit(&sets, &p, note, &log, NULL, NULL), 7);
    assert_int_equal(log.list.count, 1000);
    VEC_FREE(&log.list);
    uint8_t sides[19];
    for (uint32_t i = 0; i < 19; i++)
        sides[i] = i < 16 ? SIDE_ANTECEDENT : SIDE_CONSEQUENT;
    p.sides = sides;
    log = visited(&sets, &p, &tally);
    assert_int_equal(tally.found, ((1u << 16) - 1) * ((1u << 3) - 1));
    VEC_FREE(&log.list);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

static struct log best(const struct itemsets *sets, const struct rule_params *p,
                       struct rule_top top, struct rule_tally *tally)
{
    struct log log = {0};
    assert_int_equal(rules_top(sets, p, &top, note, &log, tally, NULL), 0);
    return log;
}

/* A rule's place by the documented order. */
static bool comes_before(enum measure by, const struct plain_rule *a, const struct plain_rule *b)
{
    double x = measure_rank(by, &a->counts), y = measure_rank(by, &b->counts);
    if (x != y)
        return x > y;
    if (a->counts.c != b->counts.c)
        return a->counts.c > b->counts.c;
    return a < b;
}

/* The candidates that pass, best first, by the plainest of sorts. */
static uint32_t sort_all(const struct allrules *all, enum measure by,
                         const struct plain_rule **order)
{
    uint32_t count = 0;
    for (uint32_t k = 0; k < all->count; k++) {
        if (!all->rules[k].passes)
            continue;
        uint32_t at = count++;
        for (; at > 0 && comes_before(by, &all->rules[k], order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = &all->rules[k];
    }
    return count;
}

static void the_best_equal_a_sort_of_all_for_every_measure(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 4);
    uint64_t compared = 0, cut = 0;
    for (int round = 0; round < 900; round++) {
        uint8_t sides[ALLRULES_ITEMS_MAX];
        struct csr m = random_baskets(&r);
        struct rule_params p = random_params(&r, sides);
        uint32_t least = 1 + rng_below(&r, 4);
        struct itemsets sets = mined(&m, least, UINT32_MAX);
        struct allrules all = allrules_of(&m, least, &p);
        const struct plain_rule **order = calloc(all.count + 1, sizeof *order);
        assert_non_null(order);
        enum measure by = (enum measure)(round % MEASURE_COUNT);
        uint32_t count = sort_all(&all, by, order);
        struct rule_top top = {by, 1 + rng_below(&r, 20)};
        p.threads = 1 + round % 2;
        struct rule_tally tally;
        struct log log = best(&sets, &p, top, &tally);
        assert_int_equal(log.list.count, count < top.k ? count : top.k);
        assert_int_equal(tally.found, count);
        assert_int_equal(tally.candidates, all.count);
        for (size_t k = 0; k < log.list.count; k++) {
            struct rule rule = rule_at(&log, k);
            assert_ptr_equal(allrules_find(&all, &rule), order[k]);
            assert_near(rule.improvement, order[k]->improvement);
        }
        compared += log.list.count;
        cut += count > top.k;
        free(order);
        VEC_FREE(&log.list);
        allrules_free(&all);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
    assert_true(compared > 2000 && cut > 150);
}

static void the_best_without_a_threshold_equal_those_of_all_sets(void **state)
{
    static const enum measure bounded[] = {MEASURE_SUPPORT, MEASURE_LEVERAGE, MEASURE_FISHER_P,
                                           MEASURE_HYPER_CONFIDENCE, MEASURE_CONFIDENCE_LOW};
    struct rng r;
    uint32_t early = 0;
    (void)state;
    rng_seed(&r, 5);
    for (int round = 0; round < 600; round++) {
        struct csr m = baskets_random(&r, 20 + rng_below(&r, 200), 7, 0.2 + rng_unit(&r));
        struct rule_params p = {.min_confidence = 1e-9,
                                .max_fisher_p = rng_below(&r, 2) ? 1 : 0.05,
                                .productive = rng_below(&r, 2),
                                .with_improvement = true,
                                .threads = 1};
        struct itemset_params mining = {.max_length = 4, .threads = 1};
        struct rule_top top = {bounded[round % 5], 1 + rng_below(&r, 12)};
        struct itemsets sets = mined(&m, 1, 4);
        struct log want = best(&sets, &p, top, NULL), log = {0};
        struct rule_tally tally;
        assert_int_equal(rules_best(&m, &mining, &p, &top, note, &log, &tally, NULL), 0);
        assert_true(tally.proved);
        early += tally.min_support > 1;
        assert_same_logs(&want, &log);
        VEC_FREE(&log.list);
        VEC_FREE(&want.list);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
    assert_true(early > 150);
}

static void the_best_by_a_measure_without_bound_need_a_threshold(void **state)
{
    (void)state;
    struct csr m = baskets_of("0 1|0 1|0 2|1 2|0 1 2|3", 4);
    struct itemset_params mining = {.threads = 1};
    struct rule_params p = {.max_fisher_p = 1, .threads = 1};
    struct rule_top top = {MEASURE_LIFT, 3};
    struct error err = ERROR_INIT;
    struct rule_tally tally;
    struct log log = {0};
    assert_int_equal(rules_best(&m, &mining, &p, &top, note, &log, &tally, &err), ERR_INVALID);
    assert_string_equal(
        err.text, "rules: the best by lift need a minimum support, as rare rules can be best");
    mining.min_support = 2;
    assert_int_equal(rules_best(&m, &mining, &p, &top, note, &log, &tally, NULL), 0);
    assert_int_equal(tally.min_support, 2);
    assert_true(tally.proved);
    assert_int_equal(log.list.count, 3); /* 0 -> 1 and 1 -> 0, lift 9/8, then one of lift 1 */
    assert_true(measure_of(MEASURE_LIFT, &log.list.at[1].rule.counts) == 1.125);
    assert_true(measure_of(MEASURE_LIFT, &log.list.at[2].rule.counts) == 1);
    VEC_FREE(&log.list);
    top = (struct rule_top){MEASURE_SUPPORT, 1000};
    mining = (struct itemset_params){.max_itemsets = 3, .threads = 1};
    assert_int_equal(rules_best(&m, &mining, &p, &top, note, &log, &tally, NULL), 0);
    assert_false(tally.proved); /* the budget stopped it */
    VEC_FREE(&log.list);
    top.k = 0;
    assert_int_equal(rules_best(&m, &mining, &p, &top, note, &log, NULL, NULL), ERR_INVALID);
    csr_deinit(&m);
}

static void stopping_is_heeded_and_returned(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 6);
    struct csr m = baskets_random(&r, 60, 8, 0.9);
    struct itemsets sets = mined(&m, 2, 4);
    struct rule_params p = {.max_fisher_p = 1, .threads = 2};
    struct log log = {.stop_at = 5};
    assert_int_equal(rules_visit(&sets, &p, note, &log, NULL, NULL), 7);
    assert_int_equal(log.list.count, 5);
    VEC_FREE(&log.list);
    struct rule_top top = {MEASURE_LIFT, 10};
    assert_int_equal(rules_top(&sets, &p, &top, note, &log, NULL, NULL), 7);
    VEC_FREE(&log.list);
    struct progress progress;
    struct error err = ERROR_INIT;
    progress_init(&progress);
    progress_cancel(&progress);
    p.progress = &progress;
    log = (struct log){0};
    assert_int_equal(rules_visit(&sets, &p, note, &log, NULL, &err), ERR_CANCELLED);
    assert_string_equal(err.text, "rules: cancelled");
    p.with_q = true;
    assert_int_equal(rules_visit(&sets, &p, note, &log, NULL, NULL), ERR_CANCELLED);
    assert_int_equal(rules_top(&sets, &p, &top, note, &log, NULL, NULL), ERR_CANCELLED);
    VEC_FREE(&log.list);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

static int ignore(void *context, const struct rule *rule)
{
    (void)context;
    (void)rule;
    return 0;
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct rng r;
    rng_seed(&r, 7);
    struct csr m = baskets_random(&r, 60, 8, 0.9);
    struct itemsets sets = mined(&m, 3, 4);
    struct itemset_params mining = {.threads = 2};
    struct rule_params p = {.max_fisher_p = 1, .with_q = true, .productive = true, .threads = 2};
    struct rule_top top = {MEASURE_LEVERAGE, 4};
    long failures = 0;
    OOM_LOOP
    {
        int rc = rules_visit(&sets, &p, ignore, NULL, NULL, NULL);
        failures += oom_fired();
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    OOM_LOOP
    {
        int rc = rules_top(&sets, &p, &top, ignore, NULL, NULL, NULL);
        failures += oom_fired();
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    OOM_LOOP
    {
        int rc = rules_best(&m, &mining, &p, &top, ignore, NULL, NULL, NULL);
        failures += oom_fired();
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    assert_true(failures > 20);
    itemsets_deinit(&sets);
    csr_deinit(&m);
}

/* The counts of Borgelt's apriori, eclat and fpgrowth, without their rules with an empty left side
 * (1, 2, 1, 0, 0). */
static void counts_of_the_shared_files_are_those_of_the_peers(void **state)
{
    static const struct {
        const char *file;
        uint32_t least;
        double confidence;
        uint64_t rules;
    } tasks[] = {{"groceries", 10, 0.2, 21633},
                 {"retail", 44, 0.2, 22356},
                 {"retail", 9, 0.5, 370233},
                 {"online_retail", 104, 0.3, 26360},
                 {"online_retail", 62, 0.3, 605472}};
    (void)state;
    for (size_t t = 0; t < sizeof tasks / sizeof *tasks; t++) {
        struct csr m;
        if (!fimi_read(tasks[t].file, &m)) {
            puts("skipped: no shared data");
            skip();
        }
        struct itemsets sets = mined(&m, tasks[t].least, UINT32_MAX);
        struct rule_params p = {.min_confidence = tasks[t].confidence,
                                .min_lift = 1e-9,
                                .max_fisher_p = 1,
                                .max_antecedent = UINT32_MAX};
        struct rule_tally tally;
        assert_int_equal(rules_visit(&sets, &p, ignore, NULL, &tally, NULL), 0);
        assert_int_equal(tally.found, tasks[t].rules);
        itemsets_deinit(&sets);
        csr_deinit(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_and_tests_equal_all_candidates_tried),
        cmocka_unit_test(a_limit_on_q_keeps_those_below),
        cmocka_unit_test(any_number_of_threads_gives_the_same_rules),
        cmocka_unit_test(a_set_of_very_many_splits_is_given_out_too),
        cmocka_unit_test(the_best_equal_a_sort_of_all_for_every_measure),
        cmocka_unit_test(the_best_without_a_threshold_equal_those_of_all_sets),
        cmocka_unit_test(the_best_by_a_measure_without_bound_need_a_threshold),
        cmocka_unit_test(stopping_is_heeded_and_returned),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(counts_of_the_shared_files_are_those_of_the_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
