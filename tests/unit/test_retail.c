/* The engine on a year of a real shop (support/retail.h), small enough for every run: rules of two
 * items, no embeddings. tests/bench/bench_basket has the full figures. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/browse.h"
#include "engine/build.h"
#include "support/basketeval.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct build_params quick = {
    .min_support_share = 0.002, .max_length = 2, .without_sgns = true};

static struct retail shop;
static bool have_shop;

static struct model *train_by(const struct recipe *recipe, size_t orders, struct dataset *d)
{
    struct error err = ERROR_INIT;
    struct build_params params = quick;
    params.recipe = recipe;
    retail_dataset(&shop, 0, orders, d);
    struct model *m = model_build(d, retail_name, &shop, &params, NULL, &err);
    if (!m)
        print_message("%s\n", err.text);
    assert_non_null(m);
    return m;
}

static struct model *train(size_t orders, struct dataset *d)
{
    return train_by(NULL, orders, d);
}

static void the_shop_is_read_as_the_literature_counts_it(void **state)
{
    struct dataset d;
    (void)state;
    if (!have_shop)
        skip();
    retail_dataset(&shop, 0, shop.orders.count * 4 / 5, &d);
    assert_int_equal(d.basket_count, 15818);
    assert_int_equal(d.item_count, 3826);
    /* Two of the literature's 401,396 lines cost less than half a penny. */
    assert_int_equal(csr_entries(&d.baskets), 401394);
    dataset_deinit(&d);
}

static void the_green_teacup_goes_with_the_pink_and_the_roses_one(void **state)
{
    struct dataset d;
    struct error err = ERROR_INIT;
    struct answer a;
    struct str green = STR("22697");
    struct query q = {.items = &green,
                      .item_count = 1,
                      .limit = 3,
                      .explain = true,
                      .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE}};
    (void)state;
    if (!have_shop)
        skip();
    struct model *m = train(shop.orders.count, &d);
    struct scratch *s = scratch_new(&err);
    assert_non_null(s);
    assert_int_equal(recommend(m, &shop.catalog, &q, s, &a, &err), 0);
    assert_int_equal(a.count, 3);
    uint32_t pink = 0, roses = 0, green_item = dict_find(&m->items, green);
    for (uint32_t x = 0; x < 3; x++) {
        const struct because *b = &a.items[x].because;
        bool is_pink = str_eq(dict_name(&m->items, a.items[x].item), STR("22698"));
        bool is_roses = str_eq(dict_name(&m->items, a.items[x].item), STR("22699"));
        pink += is_pink;
        roses += is_roses;
        if (!is_pink && !is_roses)
            continue;
        assert_int_equal(b->kind, BECAUSE_RULE);
        assert_int_equal(b->item_count, 1);
        assert_int_equal(b->items[0], green_item);
        assert_true(b->lift > 5);
    }
    assert_int_equal(pink, 1);
    assert_int_equal(roses, 1);
    scratch_free(s);
    model_unref(m);
    dataset_deinit(&d);
}

static uint32_t shared_baskets(const struct csr *lists, uint32_t i, uint32_t j)
{
    uint64_t x = lists->start[i], y = lists->start[j];
    uint32_t both = 0;
    while (x < lists->start[i + 1] && y < lists->start[j + 1]) {
        uint32_t a = lists->column[x], b = lists->column[y];
        both += a == b;
        x += a <= b;
        y += b <= a;
    }
    return both;
}

static void every_rule_has_the_numbers_of_a_recount(void **state)
{
    struct dataset d;
    struct csr lists; /* item -> its baskets */
    struct error err = ERROR_INIT;
    struct rule_page page;
    (void)state;
    if (!have_shop)
        skip();
    struct model *m = train(shop.orders.count, &d);
    assert_int_equal(csr_transpose(&d.baskets, &lists, &err), 0);
    struct rule_query q = {.min_support = 0.01, .min_confidence = 0.5, .limit = UINT32_MAX};
    assert_int_equal(browse_rules(m, &q, &page, &err), 0);
    assert_true(page.total > 20);
    assert_int_equal(page.count, page.total);
    for (uint32_t x = 0; x < page.count; x++) {
        const struct rules *r = &m->rules;
        uint32_t rule = page.rules[x], i = r->antecedent[r->start[rule]], j = r->consequent[rule];
        assert_int_equal(r->both[rule], shared_baskets(&lists, i, j));
        assert_int_equal(r->body[rule], lists.start[i + 1] - lists.start[i]);
        assert_int_equal(r->head[rule], lists.start[j + 1] - lists.start[j]);
    }
    free(page.rules);
    csr_deinit(&lists);
    model_unref(m);
    dataset_deinit(&d);
}

/* Asks the basket surface of a model of the recipe; NULL: the default. */
static struct basketeval measure(const struct recipe *recipe, const char *name)
{
    struct dataset d;
    struct basketeval e;
    size_t split = shop.orders.count * 4 / 5;
    struct model *m = train_by(recipe, split, &d);
    basketeval_run(&shop, m, split, shop.orders.count, BASKETEVAL_ALL, &e);
    print_message("%s: HR@10 %.4f NDCG@10 %.4f of %u questions\n", name, e.hit_rate, e.ndcg,
                  e.questions);
    model_unref(m);
    dataset_deinit(&d);
    return e;
}

static void the_default_recipe_finds_more_than_any_count_alone(void **state)
{
    static const enum learner_kind alone[] = {LEARNER_COSINE, LEARNER_JACCARD, LEARNER_LLR,
                                              LEARNER_CONFIDENCE};
    (void)state;
    if (!have_shop)
        skip();
    struct basketeval all = measure(NULL, "default");
    assert_true(all.questions > 10000);
    assert_true(all.hit_rate > 0.32 && all.ndcg > 0.195);
    for (size_t x = 0; x < sizeof alone / sizeof *alone; x++) {
        struct recipe recipe;
        recipe_default(&recipe);
        recipe.ingredients[0] =
            (struct ingredient){.matrix = MATRIX_ORDERS, .learner = alone[x], .share = 1};
        recipe.ingredient_count = 1;
        struct basketeval one = measure(&recipe, learner_name(alone[x]));
        assert_true(one.hit_rate > 0.05);
        assert_true(all.hit_rate > one.hit_rate + 0.03);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shop_is_read_as_the_literature_counts_it),
        cmocka_unit_test(the_green_teacup_goes_with_the_pink_and_the_roses_one),
        cmocka_unit_test(every_rule_has_the_numbers_of_a_recount),
        cmocka_unit_test(the_default_recipe_finds_more_than_any_count_alone),
    };
    have_shop = retail_read(&shop);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (have_shop)
        retail_free(&shop);
    return failed;
}
