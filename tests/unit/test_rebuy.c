#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "support/question.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DAY_S 86400u

static uint32_t slot_of(const struct tinyshop *t, const char *name)
{
    return catalog_find(&t->c, str_of(name));
}

static struct answer rebuy(const struct tinyshop *t, struct question *q, const struct shopper *who,
                           struct scratch *s)
{
    ask(q, SURFACE_REBUY, "", "");
    q->q.shopper = who;
    return answer_of(t, &q->q, s);
}

static void habits_come_back_with_their_dates(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    uint32_t b = slot_of(&t, "b"), d = slot_of(&t, "d");
    struct purchase lines[] = {
        {b, 100 * DAY_S, 1}, {d, 103 * DAY_S, 2}, {b, 107 * DAY_S, 3}, {b, 110 * DAY_S, 4}};
    struct shopper who = {.lines = lines, .line_count = 4};
    struct answer a = rebuy(&t, &q, &who, s);
    assert_int_equal(a.fallback, FALLBACK_NONE);
    assert_int_equal(a.surface, SURFACE_REBUY);
    assert_string_equal(names_of(&t, &a), "b d");
    const struct because *why = &a.items[0].because;
    assert_int_equal(why->kind, BECAUSE_HABIT);
    assert_int_equal(why->count, 3);
    assert_int_equal(why->last_ms, INT64_C(110) * DAY_S * 1000);
    assert_true(why->gap_days == 5);
    assert_int_equal(why->item_count, 0);
    assert_true(isnan(a.items[1].because.gap_days) && a.items[1].because.count == 1);
    tinyshop_free(&t);
    scratch_free(s);
}

static void items_the_model_never_saw_are_answered(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    struct error err = ERROR_INIT;
    (void)state;
    bundle_shop(&t);
    struct catalog_item fresh = {.item_id = STR("fresh"),
                                 .title = STR("Fresh"),
                                 .price_minor = 5,
                                 .available = true,
                                 .stock = STOCK_NONE};
    uint32_t slot = t.c.count;
    assert_int_equal(catalog_put(&t.c, slot, &fresh, &err), 0);
    struct purchase lines[] = {{slot_of(&t, "b"), 1, 1}, {slot, 2, 2}, {slot, 3, 3}};
    struct shopper who = {.lines = lines, .line_count = 3};
    struct answer a = rebuy(&t, &q, &who, s);
    assert_int_equal(a.count, 2);
    const struct suggestion *new = &a.items[a.items[1].slot == slot];
    assert_int_equal(new->slot, slot);
    assert_int_equal(new->item, DICT_NONE);
    assert_int_equal(new->because.count, 2);
    assert_true(new->score > 0);
    ask(&q, SURFACE_REBUY, "b",
        "fresh"); /* what is held may be bought again; what is excluded not */
    q.q.shopper = &who;
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b");
    assert_int_equal(a.dropped[DROP_EXCLUDED], 1);
    tinyshop_free(&t);
    scratch_free(s);
}

static void who_has_no_history_gets_popular_items_and_the_reason(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    struct shopper nothing = {.lines = NULL};
    (void)state;
    bundle_shop(&t);
    assert_int_equal(rebuy(&t, &q, NULL, s).fallback, FALLBACK_UNKNOWN_USER);
    assert_int_equal(rebuy(&t, &q, &nothing, s).fallback, FALLBACK_NO_CANDIDATES);
    ask(&q, SURFACE_REBUY, "", "");
    q.q.history_loading = true;
    struct answer a = answer_of(&t, &q.q, s);
    assert_int_equal(a.fallback, FALLBACK_HISTORY_LOADING);
    assert_int_equal(a.surface, SURFACE_REBUY);
    assert_int_equal(a.items[0].because.kind, BECAUSE_POPULAR);
    tinyshop_free(&t);
    scratch_free(s);
}

/* Each item of the shop by itself, from all lines: what learn/repeat says of its purchases. */
static void scores_are_how_likely_the_next_order_has_it(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    struct rng r;
    (void)state;
    rng_seed(&r, 5);
    bundle_shop(&t);
    for (uint32_t round = 0; round < 300; round++) {
        struct purchase lines[60];
        uint32_t count = 1 + rng_below(&r, 60), time_s = 1000000;
        if (round % 2) /* later than the model */
            time_s += (uint32_t)(t.m->popularity.now_ms / 1000);
        for (uint32_t i = 0; i < count; i++) {
            time_s += rng_below(&r, 20) * DAY_S;
            lines[i] = (struct purchase){slot_of(&t, names[rng_below(&r, 8)]), time_s, i};
        }
        struct shopper who = {.lines = lines, .line_count = (uint16_t)count};
        struct answer a = rebuy(&t, &q, &who, s);
        int64_t now_ms = round % 2 ? time_s * INT64_C(1000) : t.m->popularity.now_ms;
        float before = 2;
        uint64_t explained = 0;
        for (uint32_t x = 0; x < a.count; x++) {
            struct repeat_item had = {.item = a.items[x].item, .first_ms = INT64_MAX};
            for (uint32_t i = 0; i < count; i++) {
                int64_t time_ms = lines[i].time_s * INT64_C(1000);
                if (lines[i].slot != a.items[x].slot)
                    continue;
                had.times += time_ms != had.last_ms;
                had.first_ms = time_ms < had.first_ms ? time_ms : had.first_ms;
                had.last_ms = time_ms;
            }
            float score = repeat_score(&t.m->repeat, &had, now_ms).score;
            assert_true(fabsf(score - a.items[x].score) < 1e-6f);
            assert_true(score > 0 && score <= before);
            before = score;
            explained += a.items[x].because.count;
        }
        assert_int_equal(explained, count);
    }
    tinyshop_free(&t);
    scratch_free(s);
}

/* Where habit tells, a basket of a known shopper counts it, and says so. */
static void a_basket_counts_its_shoppers_habit(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    uint32_t f = t.m->slot[tinyshop_item(&t, "f")], c = t.m->slot[tinyshop_item(&t, "c")];
    struct purchase lines[] = {{.slot = f, .time_s = 86400},
                               {.slot = f, .time_s = 3 * 86400},
                               {.slot = c, .time_s = 3 * 86400}};
    struct shopper who = {.lines = lines, .line_count = 3};
    ask(&q, SURFACE_BASKET, "a", "");
    q.q.shopper = &who;
    struct answer plain = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &plain), "b c f");
    t.m->recipe.mixes[MIX_BASKET].habit = 10;
    t.m->recipe.mixes[MIX_BASKET].habit_decay = 0.5f;
    struct answer a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "f c b");
    assert_true(a.items[0].score >= 15.0f / 16 && a.items[0].score < 0.95f);
    assert_int_equal(a.items[0].because.kind, BECAUSE_HABIT);
    assert_int_equal(a.items[0].because.count, 2);
    assert_true(a.items[0].because.gap_days == 2);
    assert_int_equal(a.items[2].because.kind, BECAUSE_RULE);
    q.q.surface = SURFACE_SIMILAR;
    a = answer_of(&t, &q.q, s);
    for (uint32_t x = 0; x < a.count; x++)
        assert_int_not_equal(a.items[x].because.kind, BECAUSE_HABIT);
    scratch_free(s);
    tinyshop_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_basket_counts_its_shoppers_habit),
        cmocka_unit_test(habits_come_back_with_their_dates),
        cmocka_unit_test(items_the_model_never_saw_are_answered),
        cmocka_unit_test(who_has_no_history_gets_popular_items_and_the_reason),
        cmocka_unit_test(scores_are_how_likely_the_next_order_has_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
