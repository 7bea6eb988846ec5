#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/browse.h"
#include "support/oom.h"
#include "support/tinyshop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void new_shop(struct tinyshop *t, uint32_t items, uint64_t seed)
{
    tinyshop_random(t, items, 12 * items, seed);
    tinyshop_train(t, NULL);
    assert_true(t->m->rules.count > 50);
}

struct naive {
    uint32_t rule;
    double value, both;
};

static bool naive_ascending;

static int compare_naive(const void *a, const void *b)
{
    const struct naive *x = a, *y = b;
    int order = x->value != y->value ? (x->value > y->value ? -1 : 1)
                : x->both != y->both ? (x->both > y->both ? -1 : 1)
                                     : (x->rule > y->rule) - (x->rule < y->rule);
    return naive_ascending ? -order : order;
}

static bool holds(const struct rules *r, uint32_t rule, uint32_t item, bool consequent_too)
{
    for (uint64_t e = r->start[rule]; e < r->start[rule + 1]; e++)
        if (r->antecedent[e] == item)
            return true;
    return consequent_too && r->consequent[rule] == item;
}

static bool matches(const struct model *m, const struct rule_query *q, uint32_t rule)
{
    const struct rules *r = &m->rules;
    if (rules_measure(r, rule, MEASURE_SUPPORT) < q->min_support ||
        rules_measure(r, rule, MEASURE_CONFIDENCE) < q->min_confidence ||
        rules_measure(r, rule, MEASURE_LIFT) < q->min_lift)
        return false;
    if (q->consequent.len && !str_eq(dict_name(&m->items, r->consequent[rule]), q->consequent))
        return false;
    for (uint32_t y = 0; y < q->contains_count; y++)
        if (!holds(r, rule, dict_find(&m->items, q->contains[y]), true))
            return false;
    uint32_t inside = 0, length = (uint32_t)(r->start[rule + 1] - r->start[rule]);
    if (!q->antecedent)
        return true;
    for (uint64_t e = r->start[rule]; e < r->start[rule + 1]; e++) {
        bool listed = false;
        for (uint32_t y = 0; y < q->antecedent_count; y++)
            listed = listed || str_eq(dict_name(&m->items, r->antecedent[e]), q->antecedent[y]);
        inside += listed;
    }
    return inside == length;
}

static uint32_t naive_browse(const struct model *m, const struct rule_query *q, struct naive *out)
{
    uint32_t count = 0;
    for (uint32_t rule = 0; rule < m->rules.count; rule++) {
        const struct rules *r = &m->rules;
        double conviction = rules_measure(r, rule, MEASURE_CONVICTION);
        double values[] = {
            rules_measure(r, rule, MEASURE_LIFT),
            rules_measure(r, rule, MEASURE_CONFIDENCE),
            rules_measure(r, rule, MEASURE_SUPPORT),
            (double)r->both[rule],
            rules_measure(r, rule, MEASURE_LEVERAGE),
            isnan(conviction) ? (double)INFINITY : conviction,
            rules_measure(r, rule, MEASURE_CONFIDENCE_LOW),
            (double)r->improvement[rule],
            (double)r->q[rule],
        };
        if (matches(m, q, rule))
            out[count++] = (struct naive){rule, values[q->sort], m->rules.both[rule]};
    }
    naive_ascending = q->ascending;
    qsort(out, count, sizeof *out, compare_naive);
    return count;
}

/* All pages put together are the naive list, with nothing missing or twice. */
static void assert_pages(const struct model *m, struct rule_query q)
{
    struct naive *want = calloc(m->rules.count, sizeof *want);
    assert_non_null(want);
    uint32_t total = naive_browse(m, &q, want), seen = 0, pages = 0;
    do {
        struct error err = ERROR_INIT;
        struct rule_page page;
        assert_int_equal(browse_rules(m, &q, &page, &err), 0);
        assert_int_equal(page.total, total);
        assert_true(page.count <= q.limit);
        assert_true(page.next == 0 || page.count == q.limit);
        for (uint32_t x = 0; x < page.count; x++)
            assert_int_equal(page.rules[x], want[seen++].rule);
        assert_true(page.next == 0 || page.next > q.after);
        q.after = page.next;
        free(page.rules);
        pages++;
    } while (q.after);
    assert_int_equal(seen, total);
    assert_int_equal(pages, total == 0 ? 1 : (total + q.limit - 1) / q.limit);
    free(want);
}

static void every_page_equals_the_naive_list(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 4);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct tinyshop t;
        new_shop(&t, 20 + 10 * (uint32_t)seed, seed);
        for (uint32_t x = 0; x < 60; x++) {
            struct str antecedent[4], contains[2];
            struct rule_query q = {.sort = (enum rule_sort)rng_below(&r, SORT_COUNT_OF),
                                   .ascending = rng_below(&r, 2),
                                   .limit = 1 + rng_below(&r, 40)};
            for (uint32_t y = 0; y < 4; y++)
                antecedent[y] = str_of(t.names[rng_below(&r, t.item_count)]);
            for (uint32_t y = 0; y < 2; y++)
                contains[y] = str_of(t.names[rng_below(&r, t.item_count)]);
            if (rng_below(&r, 3) == 0) {
                q.antecedent = antecedent;
                q.antecedent_count = rng_below(&r, 5);
            }
            if (rng_below(&r, 4) == 0)
                q.consequent = str_of(t.names[rng_below(&r, t.item_count)]);
            q.contains = contains;
            q.contains_count = rng_below(&r, 3) ? 0 : rng_below(&r, 3);
            q.min_support = rng_below(&r, 3) ? 0 : 0.01;
            q.min_confidence = rng_below(&r, 3) ? 0 : 0.4;
            q.min_lift = rng_below(&r, 3) ? 0 : 2;
            assert_pages(t.m, q);
        }
        tinyshop_free(&t);
    }
}

static void bounds_taken_from_an_answer_keep_its_rule(void **state)
{
    struct tinyshop t;
    (void)state;
    new_shop(&t, 30, 9);
    for (uint32_t rule = 0; rule < t.m->rules.count; rule += 7) {
        struct error err = ERROR_INIT;
        struct rule_page page;
        struct rule_query q = {.min_support = rules_measure(&t.m->rules, rule, MEASURE_SUPPORT),
                               .min_confidence =
                                   rules_measure(&t.m->rules, rule, MEASURE_CONFIDENCE),
                               .min_lift = rules_measure(&t.m->rules, rule, MEASURE_LIFT),
                               .limit = t.m->rules.count};
        assert_int_equal(browse_rules(t.m, &q, &page, &err), 0);
        bool found = false;
        for (uint32_t y = 0; y < page.count; y++)
            found = found || page.rules[y] == rule;
        assert_true(found);
        free(page.rules);
    }
    tinyshop_free(&t);
}

static void unknown_ids_match_nothing_or_are_no_subset(void **state)
{
    struct tinyshop t;
    struct error err = ERROR_INIT;
    struct rule_page page;
    (void)state;
    new_shop(&t, 20, 3);
    struct str unknown = STR("nobody"), mixed[2];
    mixed[0] = unknown;
    mixed[1] = dict_name(&t.m->items, t.m->rules.antecedent[0]);
    struct rule_query queries[] = {{.consequent = unknown, .limit = 5},
                                   {.contains = &unknown, .contains_count = 1, .limit = 5},
                                   {.antecedent = &unknown, .antecedent_count = 1, .limit = 5},
                                   {.antecedent = &unknown, .antecedent_count = 0, .limit = 5}};
    for (size_t x = 0; x < sizeof queries / sizeof *queries; x++) {
        assert_int_equal(browse_rules(t.m, &queries[x], &page, &err), 0);
        assert_int_equal(page.total, 0);
        assert_int_equal(page.count, 0);
        assert_int_equal(page.next, 0);
        free(page.rules);
    }
    struct rule_query known = {.antecedent = mixed, .antecedent_count = 2, .limit = 5};
    assert_int_equal(browse_rules(t.m, &known, &page, &err), 0);
    assert_true(page.total > 0);
    free(page.rules);
    tinyshop_free(&t);
}

static void a_cursor_beyond_the_end_gives_an_empty_page(void **state)
{
    struct tinyshop t;
    struct error err = ERROR_INIT;
    struct rule_page page;
    (void)state;
    new_shop(&t, 20, 3);
    struct rule_query q = {.limit = 5, .after = UINT32_MAX};
    for (int ascending = 0; ascending < 2; ascending++) {
        q.ascending = ascending;
        assert_int_equal(browse_rules(t.m, &q, &page, &err), 0);
        assert_int_equal(page.count, 0);
        assert_int_equal(page.next, 0);
        assert_int_equal(page.total, t.m->rules.count);
        free(page.rules);
    }
    tinyshop_free(&t);
}

static void a_model_without_rules_has_an_empty_page(void **state)
{
    static const char *const orders[] = {"a", "b", "c"};
    struct tinyshop t;
    struct error err = ERROR_INIT;
    struct rule_page page;
    (void)state;
    tinyshop_orders(&t, orders, 3);
    tinyshop_train(&t, NULL);
    struct rule_query q = {.limit = 5, .sort = SORT_SUPPORT};
    assert_int_equal(browse_rules(t.m, &q, &page, &err), 0);
    assert_int_equal(page.total, 0);
    free(page.rules);
    tinyshop_free(&t);
}

static void out_of_memory_is_an_error(void **state)
{
    struct tinyshop t;
    (void)state;
    new_shop(&t, 40, 2);
    struct str item = dict_name(&t.m->items, t.m->rules.consequent[0]);
    struct rule_query queries[] = {{.limit = 5},
                                   {.consequent = item, .limit = 5},
                                   {.antecedent = &item, .antecedent_count = 1, .limit = 5}};
    for (size_t x = 0; x < sizeof queries / sizeof *queries; x++) {
        OOM_LOOP
        {
            struct error err = ERROR_INIT;
            struct rule_page page = {0};
            int rc = browse_rules(t.m, &queries[x], &page, &err);
            if (oom_fired()) {
                assert_int_equal(rc, ERR_NOMEM);
                assert_int_equal(err.code, ERR_NOMEM);
                assert_null(page.rules);
            } else {
                assert_int_equal(rc, 0);
                assert_true(oom_count() > 3);
                free(page.rules);
            }
        }
    }
    tinyshop_free(&t);
}

static void names_are_those_of_the_measures(void **state)
{
    (void)state;
    static const char *const names[SORT_COUNT_OF] = {
        [SORT_LIFT] = "lift",
        [SORT_CONFIDENCE] = "confidence",
        [SORT_SUPPORT] = "support",
        [SORT_COUNT] = "count",
        [SORT_LEVERAGE] = "leverage",
        [SORT_CONVICTION] = "conviction",
        [SORT_CONFIDENCE_LOW] = "confidence_low",
        [SORT_IMPROVEMENT] = "improvement",
        [SORT_Q] = "q",
    };
    for (int s = 0; s < SORT_COUNT_OF; s++)
        assert_int_equal(rule_sort_parse(str_of(names[s])), s);
    assert_int_equal(rule_sort_parse(STR("-lift")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_page_equals_the_naive_list),
        cmocka_unit_test(bounds_taken_from_an_answer_keep_its_rule),
        cmocka_unit_test(unknown_ids_match_nothing_or_are_no_subset),
        cmocka_unit_test(a_cursor_beyond_the_end_gives_an_empty_page),
        cmocka_unit_test(a_model_without_rules_has_an_empty_page),
        cmocka_unit_test(out_of_memory_is_an_error),
        cmocka_unit_test(names_are_those_of_the_measures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
