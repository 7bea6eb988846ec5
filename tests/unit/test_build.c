#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/build.h"
#include "mine/fisher.h"
#include "support/oom.h"
#include "support/patterns.h"
#include "support/tinyshop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct build_params small = {.min_support = 2,
                                          .max_fisher_p = 1,
                                          .max_q = 1,
                                          .redundant_rules = true,
                                          .neighbours = 5,
                                          .sgns = {.epochs = 1}};

static struct model *build(struct tinyshop *t, const struct build_params *p,
                           struct build_report *report)
{
    struct error err = ERROR_INIT;
    struct model *m = model_build(&t->d, tinyshop_name, t, p, report, &err);
    if (!m)
        print_message("%s\n", err.text);
    assert_non_null(m);
    return m;
}

static void a_model_names_the_items_and_their_slots(void **state)
{
    struct tinyshop t;
    (void)state;
    tinyshop_random(&t, 30, 200, 1);
    tinyshop_train(&t, &small);
    assert_int_equal(t.m->item_count, t.d.item_count);
    assert_int_equal(t.m->basket_count, t.d.basket_count);
    assert_int_equal(t.m->user_count, t.d.user_count);
    for (uint32_t i = 0; i < t.d.item_count; i++) {
        assert_int_equal(t.m->slot[i], t.d.item_key[i]);
        assert_true(str_eq(dict_name(&t.m->items, i), tinyshop_name(&t, t.d.item_key[i])));
    }
    tinyshop_free(&t);
}

static void each_step_is_reported(void **state)
{
    struct tinyshop t;
    struct build_report report;
    (void)state;
    tinyshop_random(&t, 30, 200, 2);
    struct model *m = build(&t, &small, &report);
    assert_int_equal(report.step_count, 11);
    assert_string_equal(report.steps[0].name, "items");
    assert_string_equal(report.steps[10].name, "seal");
    for (uint32_t x = 0; x < report.step_count; x++)
        assert_true(report.steps[x].wall_s >= 0 && report.steps[x].cpu_s >= 0);
    assert_int_equal(report.steps[3].count, m->rules.count);
    assert_int_equal(report.steps[10].bytes, model_bytes(m));
    assert_int_equal(report.min_support, 2);
    assert_false(report.support_raised);
    assert_true(report.estimate_bytes > model_bytes(m));
    model_unref(m);
    tinyshop_free(&t);
}

static void evidence_equals_a_recount(void **state)
{
    struct tinyshop t;
    uint32_t checked = 0;
    (void)state;
    tinyshop_random(&t, 30, 200, 3);
    tinyshop_train(&t, &small);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        const struct matrix *s = &t.m->matrices[k];
        bool of_orders = k == MATRIX_ORDERS || k == MATRIX_ALIKE;
        for (uint32_t i = 0; i < t.m->item_count; i++) {
            for (uint64_t e = s->rows.start[i]; e < s->rows.start[i + 1]; e++, checked++) {
                uint32_t pair[] = {i, s->rows.column[e]};
                if (k == MATRIX_VISITS)
                    assert_int_equal(s->both[e], tinyshop_looked_after(&t, pair[0], pair[1]));
                else if (k == MATRIX_NEXT)
                    assert_int_equal(s->both[e], tinyshop_after(&t, pair[0], pair[1]));
                else
                    assert_int_equal(s->both[e], of_orders ? tinyshop_count(&t, pair, 2)
                                                           : tinyshop_shoppers(&t, pair, 2));
                assert_true(s->both[e] > 0);
            }
        }
    }
    for (uint32_t i = 0; i < t.m->item_count; i++)
        assert_int_equal(t.m->buyers[i], tinyshop_shoppers(&t, &i, 1));
    for (uint32_t i = 0; i < t.m->item_count; i++)
        assert_int_equal(t.m->visits[i], tinyshop_visits(&t, i));
    assert_true(checked > 300);
    tinyshop_free(&t);
}

static void evidence_counts_orders_of_any_size_the_dataset_kept(void **state)
{
    enum { ITEMS = 1500 };
    struct tinyshop t;
    struct error err = ERROR_INIT;
    uint32_t keys[ITEMS];
    (void)state;
    tinyshop_random(&t, ITEMS, 20, 4);
    dataset_deinit(&t.d);
    assert_int_equal(dataset_init(&t.d, NULL, &err), 0);
    for (uint32_t x = 0; x < ITEMS; x++)
        keys[x] = 10 + 3 * x;
    assert_int_equal(dataset_add(&t.d, 1, 0, keys, ITEMS, &err), 0);
    assert_int_equal(dataset_add(&t.d, 2, 0, keys, 2, &err), 0);
    for (uint32_t x = 0; x < 4; x++)
        assert_int_equal(dataset_add(&t.d, 3 + x, 0, keys + 10 * x, 1, &err), 0);
    assert_int_equal(dataset_finish(&t.d, &err), 0);
    struct build_params p = small;
    p.without_sgns = true;
    p.min_support = 3;
    struct model *m = build(&t, &p, NULL);
    const struct matrix *s = &m->matrices[MATRIX_ALIKE];
    assert_int_equal(s->rows.column[0], 1);
    assert_int_equal(s->both[0], 2);
    assert_int_equal(s->both[1], 1);
    model_unref(m);
    tinyshop_free(&t);
}

static void rows_are_as_long_as_asked(void **state)
{
    struct tinyshop t;
    uint32_t full = 0;
    (void)state;
    tinyshop_random(&t, 30, 200, 5);
    tinyshop_train(&t, &small);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        const struct csr *rows = &t.m->matrices[k].rows;
        for (uint32_t i = 0; i < t.m->item_count; i++) {
            assert_true(rows->start[i + 1] - rows->start[i] <= 5);
            full += rows->start[i + 1] - rows->start[i] == 5;
        }
    }
    assert_true(full > 60);
    tinyshop_free(&t);
}

static void the_model_does_not_depend_on_the_threads(void **state)
{
    struct tinyshop t;
    struct parts one = {.count = 0}, two = {.count = 0};
    struct model_sink sinks[] = {parts_sink(&one), parts_sink(&two)};
    struct error err = ERROR_INIT;
    (void)state;
    tinyshop_random(&t, 60, 500, 6);
    for (uint32_t x = 0; x < 2; x++) {
        struct build_params p = small;
        p.threads = 1 + 2 * x;
        struct model *m = build(&t, &p, NULL);
        assert_int_equal(model_save(m, &sinks[x], &err), 0);
        model_unref(m);
    }
    assert_int_equal(one.count, two.count);
    for (uint32_t x = 0; x < one.count; x++) {
        assert_int_equal(one.at[x].count, two.at[x].count);
        assert_memory_equal(one.at[x].bytes, two.at[x].bytes, one.at[x].count);
    }
    parts_free(&one);
    parts_free(&two);
    tinyshop_free(&t);
}

static void without_embeddings_the_other_learners_speak(void **state)
{
    struct tinyshop t;
    struct build_params p = small;
    (void)state;
    tinyshop_random(&t, 30, 200, 7);
    p.without_sgns = true;
    tinyshop_train(&t, &p);
    assert_int_equal(t.m->vectors.dimensions, 0);
    assert_true(csr_entries(&t.m->matrices[MATRIX_ALIKE].rows) > 0);
    p.without_sgns = false;
    tinyshop_train(&t, &p);
    assert_int_equal(t.m->vectors.dimensions, 64);
    tinyshop_free(&t);
}

/* Every item on the left raises the share of those who also have the right one, by more than chance
 * gives among those who have the others. */
static bool each_item_earns_its_place(const struct tinyshop *t, const struct rules *r,
                                      uint32_t rule)
{
    uint32_t length = (uint32_t)(r->start[rule + 1] - r->start[rule]);
    const uint32_t *left = r->antecedent + r->start[rule];
    for (uint32_t without = 0; without < length; without++) {
        uint32_t rest[BECAUSE_ITEMS_MAX + 1], count = 0;
        for (uint32_t i = 0; i < length; i++)
            if (i != without)
                rest[count++] = left[i];
        uint32_t n = tinyshop_count(t, rest, count);
        rest[count++] = r->consequent[rule];
        uint32_t y = tinyshop_count(t, rest, count);
        if (fisher_p(n, r->body[rule], y, r->both[rule]) > 0.05)
            return false;
    }
    return r->improvement[rule] > 0;
}

static void rules_are_the_productive_ones_unless_asked_for_all(void **state)
{
    struct tinyshop t;
    struct build_report report;
    uint32_t dropped = 0, longer = 0;
    (void)state;
    tinyshop_random(&t, 20, 400, 9);
    struct model *m = build(&t, &(struct build_params){.min_support = 2}, &report);
    struct build_params p = {.min_support = 2, .redundant_rules = true, .max_q = 1};
    struct model *all = build(&t, &p, NULL);
    const struct rules *few = &m->rules, *many = &all->rules;
    assert_true(few->count > 20 && few->count < many->count);
    assert_int_equal(report.rules_tested, many->candidates);
    for (uint32_t k = 0; k < many->count; k++) {
        const uint32_t *left = many->antecedent + many->start[k];
        uint32_t length = (uint32_t)(many->start[k + 1] - many->start[k]);
        bool good = each_item_earns_its_place(&t, many, k) && many->q[k] <= 0.05f;
        uint32_t kept = rules_find(few, left, length, many->consequent[k]);
        assert_int_equal(kept != UINT32_MAX, good);
        if (good)
            assert_true(few->q[kept] == many->q[k] &&
                        few->improvement[kept] == many->improvement[k]);
        dropped += !good;
        longer += good && length > 1;
    }
    assert_true(dropped > 20 && longer > 0);
    model_unref(m);
    model_unref(all);
    tinyshop_free(&t);
}

static void the_threshold_is_a_share_a_count_or_five(void **state)
{
    static const struct {
        double share;
        uint32_t count, in_force;
    } cases[] = {{0, 0, 5}, {0, 3, 3}, {0.04, 0, 8}, {0.04, 3, 8}};
    struct tinyshop t;
    (void)state;
    tinyshop_random(&t, 30, 200, 8);
    for (size_t x = 0; x < sizeof cases / sizeof *cases; x++) {
        struct build_params p = small;
        struct build_report report;
        p.min_support_share = cases[x].share;
        p.min_support = cases[x].count;
        model_unref(build(&t, &p, &report));
        assert_int_equal(report.min_support, cases[x].in_force);
    }
    tinyshop_free(&t);
}

static void a_memory_limit_below_the_estimate_refuses_with_both_numbers(void **state)
{
    struct tinyshop t;
    struct error err = ERROR_INIT;
    struct build_params p = small;
    struct build_report report;
    (void)state;
    tinyshop_random(&t, 30, 200, 9);
    p.memory_limit_bytes = 50 << 20;
    assert_null(model_build(&t.d, tinyshop_name, &t, &p, &report, &err));
    assert_int_equal(err.code, ERR_LIMIT);
    assert_non_null(strstr(err.text, "50 MiB"));
    assert_true(report.estimate_bytes > p.memory_limit_bytes);
    char number[32];
    snprintf(number, sizeof number, "%llu MiB", (unsigned long long)report.estimate_bytes >> 20);
    assert_non_null(strstr(err.text, number));
    p.memory_limit_bytes = report.estimate_bytes;
    model_unref(build(&t, &p, NULL));
    tinyshop_free(&t);
}

static void the_estimate_grows_with_the_shop_and_the_budgets(void **state)
{
    struct dataset_shape shape = {
        .orders = 2000000, .lines = 10000000, .items = 100000, .users = 300000};
    struct build_params p = {.neighbours = 100};
    struct estimate base, more;
    (void)state;
    build_estimate(&shape, &p, &base);
    assert_true(base.peak_bytes >= base.dataset_bytes + base.model_bytes);
    assert_true(base.peak_bytes >= base.cooc_bytes);
    shape.pairs = 2 * dataset_shape_pairs(&shape);
    build_estimate(&shape, &p, &more);
    assert_true(more.cooc_bytes > base.cooc_bytes);
    shape.pairs = 0;
    p.neighbours = 200;
    build_estimate(&shape, &p, &more);
    assert_true(more.model_bytes > base.model_bytes);
    p.neighbours = 100;
    p.without_sgns = true;
    build_estimate(&shape, &p, &more);
    assert_int_equal(more.sgns_bytes, 0);
    assert_true(more.model_bytes < base.model_bytes);
    p.without_sgns = false;
    p.max_rules = 2000000;
    build_estimate(&shape, &p, &more);
    assert_true(more.model_bytes > base.model_bytes);
    p.max_rules = 0;
    shape.users = 0;
    build_estimate(&shape, &p, &more);
    assert_int_equal(more.histories_bytes, 0);
    assert_true(more.model_bytes < base.model_bytes && base.histories_bytes > 0);
}

static void the_estimate_follows_the_recipe(void **state)
{
    struct dataset_shape shape = {
        .orders = 2000000, .lines = 10000000, .items = 20000, .users = 300000};
    struct recipe recipe;
    struct build_params p = {.recipe = &recipe};
    struct estimate base, more;
    (void)state;
    recipe_default(&recipe);
    build_estimate(&shape, &p, &base);
    build_estimate(&shape, &(struct build_params){0}, &more);
    assert_memory_equal(&base, &more, sizeof base);
    recipe.ingredients[0].neighbours = 500;
    build_estimate(&shape, &p, &more);
    assert_true(more.rows_bytes > base.rows_bytes);
    recipe_default(&recipe);
    recipe.ingredients[recipe.ingredient_count++] = (struct ingredient){
        .matrix = MATRIX_ORDERS, .learner = LEARNER_SGNS, .share = 1, .rank = 128};
    build_estimate(&shape, &p, &more);
    assert_true(more.sgns_bytes > base.sgns_bytes && more.model_bytes > base.model_bytes);
    recipe.ingredient_count = 1; /* of orders alone */
    build_estimate(&shape, &p, &more);
    assert_int_equal(more.sgns_bytes, 0);
    assert_true(more.model_bytes < base.model_bytes);
}

static struct str number_name(void *context, uint32_t item_key)
{
    char *name = context;
    return (struct str){name, (size_t)snprintf(name, 16, "%u", item_key)};
}

/* As when the recipe goes on from a model of fewer items. */
static void a_shop_of_many_items_gets_a_recipe_it_has_time_for(void **state)
{
    enum { ORDERS = 2001, SIZE = 10 };
    struct dataset d;
    struct recipe kept;
    struct error err = ERROR_INIT;
    char name[16];
    (void)state;
    assert_int_equal(dataset_init(&d, NULL, &err), 0);
    for (uint32_t o = 0; o < ORDERS; o++) {
        uint32_t items[SIZE];
        for (uint32_t x = 0; x < SIZE; x++)
            items[x] = 1 + o * SIZE + x;
        assert_int_equal(dataset_add(&d, o, 1 + o, items, SIZE, &err), 0);
    }
    assert_int_equal(dataset_finish(&d, &err), 0);
    recipe_default(&kept);
    kept.ingredients[0].neighbours = 300;
    for (int with = 0; with < 2; with++) {
        struct build_params p = {.without_sgns = true, .recipe = with ? &kept : NULL};
        struct model *m = model_build(&d, number_name, name, &p, NULL, &err);
        assert_non_null(m);
        assert_int_equal(m->recipe.ingredients[0].neighbours, 50);
        model_unref(m);
    }
    dataset_deinit(&d);
}

static void a_recipe_out_of_range_is_invalid(void **state)
{
    struct tinyshop t;
    struct recipe recipe;
    struct build_params p = small;
    struct error err = ERROR_INIT;
    (void)state;
    tinyshop_random(&t, 30, 200, 14);
    recipe_default(&recipe);
    recipe.mixes[MIX_BASKET].decay[MATRIX_ORDERS] = 0;
    p.recipe = &recipe;
    assert_null(model_build(&t.d, tinyshop_name, &t, &p, NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    assert_non_null(strstr(err.text, "decay"));
    tinyshop_free(&t);
}

static struct str cancel_at(void *context, uint32_t item_key)
{
    struct tinyshop **t = context;
    progress_cancel((struct progress *)t[1]);
    return tinyshop_name(t[0], item_key);
}

static void training_can_be_cancelled(void **state)
{
    struct tinyshop t;
    struct progress progress;
    struct error err = ERROR_INIT;
    struct build_params p = small;
    struct build_report report;
    (void)state;
    tinyshop_random(&t, 30, 200, 10);
    p.progress = &progress;
    progress_init(&progress);
    void *context[] = {&t, &progress};
    assert_null(model_build(&t.d, cancel_at, context, &p, &report, &err));
    assert_int_equal(err.code, ERR_CANCELLED);
    assert_int_equal(report.step_count, 1);
    tinyshop_free(&t);
}

static struct str same_name(void *context, uint32_t item_key)
{
    (void)context;
    (void)item_key;
    return STR("x");
}

static void no_orders_or_names_that_repeat_are_invalid(void **state)
{
    struct tinyshop t;
    struct dataset empty;
    struct error err = ERROR_INIT;
    (void)state;
    assert_int_equal(dataset_init(&empty, NULL, &err), 0);
    assert_int_equal(dataset_finish(&empty, &err), 0);
    assert_null(model_build(&empty, tinyshop_name, NULL, &small, NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    error_clear(&err);
    tinyshop_random(&t, 30, 200, 11);
    assert_null(model_build(&t.d, same_name, NULL, &small, NULL, &err));
    assert_int_equal(err.code, ERR_INVALID);
    dataset_deinit(&empty);
    tinyshop_free(&t);
}

static void one_order_of_one_item_is_enough(void **state)
{
    static const char *const orders[] = {"q"};
    struct tinyshop t;
    (void)state;
    tinyshop_orders(&t, orders, 1);
    tinyshop_train(&t, &small);
    assert_int_equal(t.m->item_count, 1);
    assert_int_equal(t.m->rules.count, 0);
    tinyshop_free(&t);
}

static void out_of_memory_anywhere_is_an_error(void **state)
{
    struct tinyshop t;
    struct build_params p = small;
    (void)state;
    tinyshop_random(&t, 10, 40, 12);
    p.threads = 1;
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        struct model *m = model_build(&t.d, tinyshop_name, &t, &p, NULL, &err);
        if (!m) {
            assert_true(oom_fired());
            assert_int_equal(err.code, ERR_NOMEM);
        } else if (!oom_fired()) { /* some steps only fail to give memory back, and go on */
            assert_true(oom_count() > 50);
        }
        model_unref(m);
    }
    tinyshop_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_names_the_items_and_their_slots),
        cmocka_unit_test(each_step_is_reported),
        cmocka_unit_test(evidence_equals_a_recount),
        cmocka_unit_test(evidence_counts_orders_of_any_size_the_dataset_kept),
        cmocka_unit_test(rows_are_as_long_as_asked),
        cmocka_unit_test(the_model_does_not_depend_on_the_threads),
        cmocka_unit_test(without_embeddings_the_other_learners_speak),
        cmocka_unit_test(rules_are_the_productive_ones_unless_asked_for_all),
        cmocka_unit_test(the_threshold_is_a_share_a_count_or_five),
        cmocka_unit_test(a_memory_limit_below_the_estimate_refuses_with_both_numbers),
        cmocka_unit_test(the_estimate_grows_with_the_shop_and_the_budgets),
        cmocka_unit_test(the_estimate_follows_the_recipe),
        cmocka_unit_test(a_shop_of_many_items_gets_a_recipe_it_has_time_for),
        cmocka_unit_test(a_recipe_out_of_range_is_invalid),
        cmocka_unit_test(training_can_be_cancelled),
        cmocka_unit_test(no_orders_or_names_that_repeat_are_invalid),
        cmocka_unit_test(one_order_of_one_item_is_enough),
        cmocka_unit_test(out_of_memory_anywhere_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
