#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/near.h"
#include "support/oom.h"
#include "support/question.h"

#include "../../src/engine/recommend_internal.h"

#include <string.h>

#define HOUR_S 3600u

static uint32_t slot_of(const struct tinyshop *t, struct str id)
{
    return catalog_find(&t->c, id);
}

/* Every surface by the mix of personal, so that one can be held against another. */
static void train_alike(struct tinyshop *t, uint64_t seed)
{
    struct recipe recipe;
    recipe_default(&recipe);
    recipe.mixes[MIX_PERSONAL].weight[MATRIX_ORDERS] = 0.5f;
    recipe.mixes[MIX_SESSION] = recipe.mixes[MIX_PERSONAL];
    struct build_params params = {.min_support = 2,
                                  .max_fisher_p = 1,
                                  .max_q = 1,
                                  .redundant_rules = true,
                                  .recipe = &recipe,
                                  .sgns = {.epochs = 2}};
    tinyshop_random(t, 70, 500, seed);
    tinyshop_train(t, &params);
}

/* Orders of nobody: what they tell of is what is bought together. */
static void train_bundles(struct tinyshop *t)
{
    struct recipe recipe;
    recipe_default(&recipe);
    recipe.mixes[MIX_PERSONAL].weight[MATRIX_ORDERS] = 1;
    struct build_params params = {
        .min_support = 2, .max_fisher_p = 1, .max_q = 1, .recipe = &recipe, .without_sgns = true};
    bundle_shop(t);
    tinyshop_train(t, &params);
}

static void assert_same(const struct answer *a, const struct answer *b)
{
    assert_int_equal(a->count, b->count);
    for (uint32_t x = 0; x < a->count; x++) {
        assert_int_equal(a->items[x].item, b->items[x].item);
        assert_true(a->items[x].score == b->items[x].score);
        assert_int_equal(a->items[x].because.kind, b->items[x].because.kind);
        assert_memory_equal(a->items[x].because.items, b->items[x].because.items,
                            sizeof a->items[x].because.items);
    }
}

/* The same items as clicks of a session must give the same answer. */
static void a_history_of_purchases_is_a_context_newest_last(void **state)
{
    struct scratch *s = new_scratch(), *other = new_scratch();
    struct rng r;
    (void)state;
    rng_seed(&r, 2);
    for (uint64_t seed = 50; seed < 56; seed++) {
        struct tinyshop t;
        train_alike(&t, seed);
        for (uint32_t round = 0; round < 30; round++) {
            struct purchase lines[HISTORY_CONTEXT_MAX];
            struct str items[HISTORY_CONTEXT_MAX];
            uint32_t count = 1 + rng_below(&r, HISTORY_CONTEXT_MAX);
            for (uint32_t x = 0; x < count; x++) {
                do
                    items[x] = str_of(t.names[rng_below(&r, t.item_count)]);
                while (slot_of(&t, items[x]) == CATALOG_NONE);
                lines[x] = (struct purchase){slot_of(&t, items[x]), 1000 + x * HOUR_S, x};
            }
            struct shopper who = {.lines = lines, .line_count = (uint16_t)count};
            struct query q = {.surface = SURFACE_PERSONAL,
                              .shopper = &who,
                              .filter = NO_FILTER,
                              .limit = 20,
                              .explain = true};
            struct answer personal = answer_of(&t, &q, s);
            q.surface = SURFACE_SESSION;
            q.items = items;
            q.item_count = count;
            struct answer session = answer_of(&t, &q, other);
            assert_same(&personal, &session);
        }
        tinyshop_free(&t);
    }
    scratch_free(s);
    scratch_free(other);
}

static bool answered(const struct answer *a, uint32_t slot)
{
    for (uint32_t x = 0; x < a->count; x++)
        if (a->items[x].slot == slot)
            return true;
    return false;
}

static struct answer personal(const struct tinyshop *t, const struct shopper *who,
                              bool bought_included, struct scratch *s)
{
    struct query q = {.surface = SURFACE_PERSONAL,
                      .shopper = who,
                      .bought_included = bought_included,
                      .filter = NO_FILTER,
                      .limit = 200,
                      .explain = true};
    return answer_of(t, &q, s);
}

static void what_was_bought_comes_back_only_when_wanted(void **state)
{
    struct tinyshop t;
    struct scratch *s = new_scratch();
    (void)state;
    train_bundles(&t);
    uint32_t a = slot_of(&t, STR("a")), b = slot_of(&t, STR("b")), c = slot_of(&t, STR("c"));
    struct purchase lines[] = {{a, 1000, 1}, {b, 2000, 2}};
    struct shopper who = {.lines = lines, .line_count = 2};
    struct answer without = personal(&t, &who, false, s);
    assert_int_equal(without.fallback, FALLBACK_NONE);
    assert_true(answered(&without, c));
    assert_false(answered(&without, a) || answered(&without, b));
    struct answer with = personal(&t, &who, true, s);
    assert_true(answered(&with, a) && answered(&with, b) && answered(&with, c));
    tinyshop_free(&t);
    scratch_free(s);
}

/* A score before it is bounded. */
static double raw(const struct answer *a, uint32_t slot)
{
    for (uint32_t x = 0; x < a->count; x++)
        if (a->items[x].slot == slot)
            return (double)a->items[x].score / (1 - (double)a->items[x].score);
    fail_msg("item %u is not answered", slot);
    return 0;
}

static void habit_counts_where_it_can_be_answered(void **state)
{
    struct tinyshop t;
    struct scratch *s = new_scratch(), *other = new_scratch();
    (void)state;
    train_bundles(&t);
    uint32_t a = slot_of(&t, STR("a")), b = slot_of(&t, STR("b")), c = slot_of(&t, STR("c"));
    struct purchase lines[] = {{a, 1000, 1}, {b, 2000, 2}, {a, 3000, 3}};
    struct shopper who = {.lines = lines, .line_count = 3};
    struct mix *mix = &t.m->recipe.mixes[MIX_PERSONAL];
    double before[3];
    mix->habit_decay = 0.5f;
    struct answer with = personal(&t, &who, true, s);
    before[0] = raw(&with, a), before[1] = raw(&with, b), before[2] = raw(&with, c);
    struct answer plain = personal(&t, &who, false, other);
    mix->habit = 2;
    with = personal(&t, &who, true, s);
    assert_near(raw(&with, a) - before[0], 2 + 2 * .25, 1e-4);
    assert_near(raw(&with, b) - before[1], 2 * .5, 1e-4);
    assert_near(raw(&with, c) - before[2], 0, 1e-6);
    assert_int_equal(with.items[0].slot, a);
    assert_int_equal(with.items[0].because.kind, BECAUSE_HABIT);
    assert_int_equal(with.items[0].because.count, 2);
    struct answer without = personal(&t, &who, false, s);
    assert_same(&plain, &without);
    tinyshop_free(&t);
    scratch_free(s);
    scratch_free(other);
}

static void what_was_looked_at_speaks_and_may_be_suggested(void **state)
{
    struct tinyshop t;
    struct scratch *s = new_scratch();
    (void)state;
    train_bundles(&t);
    uint32_t a = slot_of(&t, STR("a")), d = slot_of(&t, STR("d")), e = slot_of(&t, STR("e"));
    struct purchase line = {a, 1000, 1};
    struct click events[] = {{d, 2000, ACTION_VIEW}, {e, 3000, ACTION_UNCART}};
    struct shopper bought = {.lines = &line, .line_count = 1}, both = bought;
    both.events = events;
    both.event_count = 2;
    struct answer before = personal(&t, &bought, false, s);
    assert_false(answered(&before, e));
    struct answer after = personal(&t, &both, false, s);
    assert_true(answered(&after, e)); /* goes with what was viewed; uncart says nothing */
    struct shopper only = {.events = events, .event_count = 1};
    after = personal(&t, &only, false, s);
    assert_int_equal(after.fallback, FALLBACK_NONE);
    assert_int_equal(after.items[0].slot, e);
    /* a cart counts more than a view, so its company scores more */
    float viewed = after.items[0].score;
    events[0].kind = ACTION_CART;
    assert_true(personal(&t, &only, false, s).items[0].score > viewed);
    tinyshop_free(&t);
    scratch_free(s);
}

static double sum_for(const struct answer *a, uint32_t slot)
{
    for (uint32_t x = 0; x < a->count; x++)
        if (a->items[x].slot == slot)
            return (double)a->items[x].score / (1 - (double)a->items[x].score);
    return 0;
}

/* As the settings events.* say: weight and half-life of each kind, age counted from the newest
 * deed; a kind without a weight says nothing. */
static void a_deed_counts_by_the_weight_and_half_life_of_its_kind(void **state)
{
    static const struct {
        struct event_weight weight;
        uint32_t days;
        double counts;
    } cases[] = {{{1, 0}, 0, 1},      {{.4, 0}, 0, .4},   {{.4, 0}, 300, .4}, {{.4, 10}, 10, .2},
                 {{.4, 10}, 30, .05}, {{.5, 1}, 2, .125}, {{0, 10}, 1, 0}};
    struct tinyshop t;
    struct scratch *s = new_scratch();
    (void)state;
    train_bundles(&t);
    uint32_t f = slot_of(&t, STR("f")), d = slot_of(&t, STR("d")), e = slot_of(&t, STR("e"));
    for (int kind = 0; kind < ACTION_PURCHASE; kind++) {
        double whole = 0;
        for (size_t x = 0; x < sizeof cases / sizeof *cases; x++) {
            struct event_weights weights = event_weights_default();
            struct click event = {d, 1000, (uint8_t)kind};
            struct purchase newest = {f, 1000 + cases[x].days * 24 * HOUR_S, 1};
            struct shopper who = {
                .lines = &newest, .line_count = 1, .events = &event, .event_count = 1};
            struct query q = {.surface = SURFACE_PERSONAL,
                              .shopper = &who,
                              .weights = &weights,
                              .filter = NO_FILTER,
                              .limit = 200};
            weights.of[kind] = cases[x].weight;
            struct answer a = answer_of(&t, &q, s);
            double sum = sum_for(&a, e);
            whole = x == 0 ? sum : whole;
            assert_true(whole > 0);
            assert_true(fabs(sum - cases[x].counts * whole) < 1e-5 * whole);
        }
    }
    tinyshop_free(&t);
    scratch_free(s);
}

static void items_of_the_question_come_after_the_history(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    train_bundles(&t);
    struct purchase lines[] = {{slot_of(&t, STR("f")), 1000, 1}, {slot_of(&t, STR("d")), 2000, 2}};
    struct shopper who = {.lines = lines, .line_count = 2};
    ask(&q, SURFACE_PERSONAL, "a f", "");
    q.q.shopper = &who;
    struct answer a = answer_of(&t, &q.q, s);
    assert_int_equal(a.fallback, FALLBACK_NONE);
    static const char *const want[] = {"d", "a", "f"};
    assert_int_equal(s->context_count, 3);
    for (uint32_t x = 0; x < 3; x++)
        assert_int_equal(s->context[x], tinyshop_item(&t, want[x]));
    tinyshop_free(&t);
    scratch_free(s);
}

static void who_is_not_known_gets_popular_items_and_the_reason(void **state)
{
    struct tinyshop t;
    struct scratch *s = new_scratch();
    struct shopper nothing = {.lines = NULL};
    struct purchase line = {4000, 1, 1};
    struct shopper strange = {.lines = &line, .line_count = 1};
    (void)state;
    train_bundles(&t);
    assert_int_equal(personal(&t, NULL, false, s).fallback, FALLBACK_UNKNOWN_USER);
    assert_int_equal(personal(&t, &nothing, false, s).fallback, FALLBACK_EMPTY_CONTEXT);
    assert_int_equal(personal(&t, &strange, false, s).fallback, FALLBACK_UNKNOWN_CONTEXT);
    struct query q = {.surface = SURFACE_PERSONAL,
                      .shopper = &strange,
                      .history_loading = true,
                      .filter = NO_FILTER,
                      .limit = 5};
    assert_int_equal(answer_of(&t, &q, s).fallback, FALLBACK_HISTORY_LOADING);
    q = (struct query){.surface = SURFACE_SESSION, .filter = NO_FILTER, .limit = 5};
    assert_int_equal(answer_of(&t, &q, s).fallback, FALLBACK_EMPTY_CONTEXT);
    tinyshop_free(&t);
    scratch_free(s);
}

/* Through orders alone: nothing of it was there in training. */
static void a_new_item_is_answered_for_after_one_order(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    struct error err = ERROR_INIT;
    (void)state;
    train_bundles(&t);
    struct catalog_item item = {
        .item_id = STR("new"), .price_minor = 5, .available = true, .stock = STOCK_NONE};
    uint32_t slot = t.c.count, a = slot_of(&t, STR("a"));
    assert_int_equal(catalog_put(&t.c, slot, &item, &err), 0);
    struct fresh *f = fresh_new(t.m, NULL, &err);
    assert_non_null(f);
    const uint32_t order[] = {a, slot};
    ask(&q, SURFACE_BASKET, "new", "");
    q.q.fresh = f;
    assert_int_equal(answer_of(&t, &q.q, s).fallback, FALLBACK_UNKNOWN_CONTEXT);
    assert_int_equal(fresh_put(f, 1, t.m->popularity.now_ms, order, 2, &err), 0);
    struct answer with = answer_of(&t, &q.q, s);
    assert_int_equal(with.fallback, FALLBACK_NONE);
    assert_int_equal(with.unknown_count, 0);
    assert_int_equal(with.items[0].slot, a);
    assert_string_equal(with.items[0].because.source, "fresh");
    assert_int_equal(with.items[0].because.count, 1);
    assert_true(with.items[0].because.confidence == 1 && with.items[0].because.support == 1);
    struct str id = answer_item_id(t.m, &t.c, &q.q, with.items[0].because.items[0]);
    assert_true(str_eq(id, STR("new")));
    ask(&q, SURFACE_BASKET, "a", "");
    q.q.fresh = f;
    with = answer_of(&t, &q.q, s);
    assert_true(answered(&with, slot));
    fresh_remove(f, 1);
    with = answer_of(&t, &q.q, s);
    assert_false(answered(&with, slot));
    fresh_free(f);
    tinyshop_free(&t);
    scratch_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_history_of_purchases_is_a_context_newest_last),
        cmocka_unit_test(what_was_bought_comes_back_only_when_wanted),
        cmocka_unit_test(habit_counts_where_it_can_be_answered),
        cmocka_unit_test(what_was_looked_at_speaks_and_may_be_suggested),
        cmocka_unit_test(a_deed_counts_by_the_weight_and_half_life_of_its_kind),
        cmocka_unit_test(items_of_the_question_come_after_the_history),
        cmocka_unit_test(who_is_not_known_gets_popular_items_and_the_reason),
        cmocka_unit_test(a_new_item_is_answered_for_after_one_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
