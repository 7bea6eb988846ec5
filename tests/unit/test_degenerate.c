/* Shops of which nothing can be told: each of them, with all learners and the strangest of their
 * parameters, gives a model of finite numbers or an error, never anything else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "engine/build.h"
#include "support/question.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define T0_MS  1700000000000LL
#define ITEMS  12
#define ORDERS 300

struct shape {
    const char *name;
    uint32_t users;   /* 0: nobody is known */
    int64_t apart_ms; /* from one order to the next */
    bool twins;       /* items 0, 1, 2 are never bought alone, 3 always */
    bool same;        /* all orders are one another's copies */
    bool single;      /* of one item each */
};

static const struct shape shapes[] = {
    {"twins, and an item in every order", 20, DAY_MS, true, false, false},
    {"one order, again and again", 20, DAY_MS, false, true, false},
    {"one order again and again, of nobody", 0, DAY_MS, false, true, false},
    {"orders of one item", 20, DAY_MS, false, false, true},
    {"one shopper, twins", 1, DAY_MS, true, false, false},
    {"all at one moment", 20, 0, true, false, false},
    {"as many shoppers as orders", ORDERS, 1, true, false, false},
};

static uint32_t fill_order(const struct shape *shape, struct rng *r, uint32_t keys[ITEMS])
{
    uint32_t count = 0;
    bool twins = rng_below(r, 3) == 0;
    if (shape->single) {
        keys[0] = 1 + rng_below(r, ITEMS);
        return 1;
    }
    for (uint32_t i = 0; i < ITEMS; i++) {
        bool some = shape->same ? i < 4 : rng_below(r, 3) == 0;
        if (shape->twins && i < 4)
            some = i == 3 || twins;
        if (some)
            keys[count++] = 1 + i;
    }
    return count;
}

static void make_shop(const struct shape *shape, const struct event_weights *weights,
                      struct dataset *d)
{
    struct rng r;
    const struct dataset_limits limits = {.weights = weights};
    rng_seed(&r, 5);
    assert_int_equal(dataset_init(d, &limits, NULL), 0);
    for (uint32_t o = 0; o < ORDERS; o++) {
        uint32_t keys[ITEMS], count = fill_order(shape, &r, keys);
        int64_t time_ms = T0_MS + o * shape->apart_ms;
        uint64_t user = shape->users ? 1 + o % shape->users : 0;
        assert_int_equal(dataset_add(d, time_ms, user, keys, count, NULL), 0);
        struct event event = {.time_ms = time_ms,
                              .user = user,
                              .item = 1 + rng_below(&r, ITEMS),
                              .action = (uint8_t)rng_below(&r, ACTION_COUNT)};
        assert_int_equal(dataset_add_event(d, &event, NULL), 0);
    }
    assert_int_equal(dataset_finish(d, NULL), 0);
}

/* Every learner in every matrix that it can make. */
static struct recipe everything(float lambda)
{
    struct recipe r;
    recipe_default(&r);
    r.ingredient_count = 0;
    for (int m = 0; m < MATRIX_COUNT; m++) {
        for (int l = 0; l < LEARNER_COUNT; l++) {
            struct recipe with = r;
            const char *what;
            with.ingredients[with.ingredient_count++] =
                (struct ingredient){.matrix = (enum matrix_kind)m,
                                    .learner = (enum learner_kind)l,
                                    .share = 1,
                                    .neighbours = 8,
                                    .lambda = lambda,
                                    .unit_power = m % 2 ? 0.5f : 0,
                                    .distance = 5,
                                    .rank = 16};
            if (recipe_valid(&with, &what))
                r = with;
        }
    }
    for (int k = 0; k < MIX_COUNT; k++) {
        struct mix *mix = &r.mixes[k];
        for (int m = 0; m < MATRIX_COUNT; m++)
            mix->weight[m] = 1e6f;
        mix->popular = mix->recent = mix->habit = 1e6f;
    }
    return r;
}

static struct str name_of(void *context, uint32_t key)
{
    static char names[ITEMS + 1][16];
    (void)context;
    snprintf(names[key], sizeof names[key], "i%u", key);
    return str_of(names[key]);
}

/* How many suggestions. */
static uint32_t check_answers(const struct model *m)
{
    uint32_t suggested = 0;
    struct catalog c;
    struct scratch *s = scratch_new(NULL);
    struct str all[ITEMS];
    assert_non_null(s);
    assert_int_equal(catalog_init(&c, NULL), 0);
    for (uint32_t i = 0; i < m->item_count; i++) {
        all[i] = dict_name(&m->items, i);
        struct catalog_item item = {
            .item_id = all[i], .price_minor = PRICE_NONE, .stock = STOCK_NONE, .available = true};
        assert_int_equal(catalog_put(&c, m->slot[i], &item, NULL), 0);
    }
    for (enum surface surface = SURFACE_BASKET; surface <= SURFACE_POPULAR; surface++) {
        for (uint32_t count = 1; count < m->item_count; count += 3) {
            struct query q = {.surface = surface,
                              .items = all,
                              .item_count = count,
                              .filter = NO_FILTER,
                              .limit = ITEMS,
                              .diversity = count % 2 ? 0.5 : 0,
                              .novelty = count % 3 ? 1 : 0,
                              .explain = true};
            struct answer a;
            assert_int_equal(recommend(m, &c, &q, s, &a, NULL), 0);
            suggested += a.count;
            for (uint32_t x = 0; x < a.count; x++)
                assert_true(a.items[x].score >= 0 && a.items[x].score <= 1);
        }
    }
    catalog_deinit(&c);
    scratch_free(s);
    return suggested;
}

static void check_model(const struct model *m)
{
    struct parts parts = {0};
    struct model_sink sink = parts_sink(&parts);
    struct error err = ERROR_INIT;
    assert_int_equal(model_save(m, &sink, NULL), 0);
    struct model_source source = parts_source(&parts);
    struct model *loaded = model_load(&source, &err);
    if (!loaded)
        fail_msg("%s", err.text);
    assert_true(check_answers(loaded) > 5);
    model_unref(loaded);
    parts_free(&parts);
}

static void train(const struct shape *shape, const struct event_weights *weights, float lambda)
{
    struct dataset d;
    struct error err = ERROR_INIT;
    struct recipe recipe = everything(lambda);
    struct build_params params = {
        .min_support = 2, .neighbours = 8, .sgns = {.epochs = 1}, .threads = 2, .recipe = &recipe};
    assert_true(recipe.ingredient_count > 12);
    make_shop(shape, weights, &d);
    struct model *m = model_build(&d, name_of, NULL, &params, NULL, &err);
    if (!m)
        fail_msg("%s, lambda %g: %s", shape->name, (double)lambda, err.text);
    check_model(m);
    model_unref(m);
    dataset_deinit(&d);
}

static void a_shop_nothing_can_be_told_of_gives_finite_numbers(void **state)
{
    const float lambdas[] = {1e-38f, 1e-3f, 20, 1e38f};
    const struct event_weights weights = event_weights_default();
    (void)state;
    for (size_t x = 0; x < sizeof shapes / sizeof *shapes; x++)
        for (size_t l = 0; l < sizeof lambdas / sizeof *lambdas; l++)
            train(&shapes[x], &weights, lambdas[l]);
}

static void weights_of_events_at_the_ends_of_their_range_do(void **state)
{
    const struct event_weight ends[] = {{0, 0}, {100, 0}, {100, 1}, {1e-30, 1e15}};
    (void)state;
    for (size_t x = 0; x < sizeof shapes / sizeof *shapes; x++) {
        for (size_t e = 0; e < sizeof ends / sizeof *ends; e++) {
            struct event_weights weights;
            for (int k = 0; k < ACTION_COUNT; k++)
                weights.of[k] = ends[e];
            train(&shapes[x], &weights, 1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shop_nothing_can_be_told_of_gives_finite_numbers),
        cmocka_unit_test(weights_of_events_at_the_ends_of_their_range_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
