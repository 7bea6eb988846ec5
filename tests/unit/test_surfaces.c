#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/recommend.h"
#include "support/question.h"

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static void a_bundle_comes_back_with_its_rule(void **state)
{
    struct tinyshop t;
    struct question ask_ab;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    ask(&ask_ab, SURFACE_BASKET, "a b", "");
    struct answer a = answer_of(&t, &ask_ab.q, s);
    assert_int_equal(a.fallback, FALLBACK_NONE);
    assert_true(a.count >= 1);
    assert_int_equal(a.items[0].item, tinyshop_item(&t, "c"));
    assert_int_equal(a.items[0].because.kind, BECAUSE_RULE);
    assert_true(a.items[0].score > 0 && a.items[0].score <= 1);
    tinyshop_free(&t);
    scratch_free(s);
}

static void a_short_list_is_not_filled_up(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    ask(&q, SURFACE_BASKET, "d", "");
    struct answer a = answer_of(&t, &q.q, s);
    assert_int_equal(a.fallback, FALLBACK_NONE);
    assert_string_equal(names_of(&t, &a), "e");
    tinyshop_free(&t);
    scratch_free(s);
}

static void each_reason_to_fall_back_says_so(void **state)
{
    static const struct {
        enum surface surface;
        const char *items, *exclude;
        enum fallback fallback;
    } cases[] = {{SURFACE_BASKET, "", "", FALLBACK_EMPTY_CONTEXT},
                 {SURFACE_SIMILAR, "", "", FALLBACK_EMPTY_CONTEXT},
                 {SURFACE_BASKET, "nobody nothing", "", FALLBACK_UNKNOWN_CONTEXT},
                 {SURFACE_BASKET, "z", "", FALLBACK_UNKNOWN_CONTEXT},
                 {SURFACE_BASKET, "d", "e", FALLBACK_NO_CANDIDATES},
                 {SURFACE_POPULAR, "", "", FALLBACK_NONE}};
    struct tinyshop t;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    for (size_t x = 0; x < COUNT_OF(cases); x++) {
        struct question q;
        ask(&q, cases[x].surface, cases[x].items, cases[x].exclude);
        struct answer a = answer_of(&t, &q.q, s);
        assert_int_equal(a.fallback, cases[x].fallback);
        assert_int_equal(a.surface, cases[x].surface);
        assert_true(a.count >= 5);
        assert_int_equal(a.items[0].because.kind, BECAUSE_POPULAR);
        assert_int_equal(a.items[0].because.count, 6);
    }
    tinyshop_free(&t);
    scratch_free(s);
}

static void unknown_items_are_listed_once(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    ask(&q, SURFACE_BASKET, "x1 a x2 x1 b x2 x1 z", "");
    struct answer a = answer_of(&t, &q.q, s);
    uint32_t want[] = {0, 2, 7};
    assert_int_equal(a.unknown_count, 3);
    assert_memory_equal(a.unknown, want, sizeof want);
    assert_int_equal(a.fallback, FALLBACK_NONE);
    tinyshop_free(&t);
    scratch_free(s);
}

static void the_context_is_never_suggested(void **state)
{
    struct tinyshop t;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    for (int surface = 0; surface < SURFACE_COUNT; surface++) {
        struct question q;
        ask(&q, (enum surface)surface, "f a", "b");
        struct answer a = answer_of(&t, &q.q, s);
        for (uint32_t x = 0; x < a.count; x++) {
            assert_int_not_equal(a.items[x].item, tinyshop_item(&t, "f"));
            assert_int_not_equal(a.items[x].item, tinyshop_item(&t, "a"));
            assert_int_not_equal(a.items[x].item, tinyshop_item(&t, "b"));
        }
    }
    tinyshop_free(&t);
    scratch_free(s);
}

static void popular_goes_by_recent_orders_then_all_time_then_id(void **state)
{
    /* 50 orders a day apart: those before day 20 are older than 28 days. */
    static const struct {
        const char *order;
        uint32_t until;
    } plan[] = {{"a", 9},   {"h", 12}, {"i", 20}, {"e", 22},
                {"cb", 30}, {"d", 36}, {"e", 44}, {"g", 50}};
    static const char *orders[50];
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    for (uint32_t x = 0, p = 0; x < 50; x++) {
        p += x == plan[p].until;
        orders[x] = plan[p].order;
    }
    tinyshop_orders(&t, orders, 50);
    tinyshop_train(&t, NULL);
    ask(&q, SURFACE_POPULAR, "", "");
    struct answer a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "e b c d g a i h");
    for (uint32_t x = 1; x < a.count; x++)
        assert_true(a.items[x].score <= a.items[x - 1].score);
    assert_true(a.items[0].score <= 1 && a.items[a.count - 1].score > 0);
    assert_string_equal(a.items[0].because.source, "orders_28d");
    assert_string_equal(a.items[5].because.source, "orders_all");
    assert_int_equal(a.items[5].because.count, 9);
    tinyshop_free(&t);
    scratch_free(s);
}

static void trending_shows_rising_items_only(void **state)
{
    static const char *orders[40];
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    for (uint32_t x = 0; x < 40; x++)
        orders[x] = x < 34 ? "a" : x < 36 ? "ab" : "bc";
    tinyshop_orders(&t, orders, 40);
    tinyshop_train(&t, NULL);
    ask(&q, SURFACE_TRENDING, "", "");
    struct answer a = answer_of(&t, &q.q, s);
    assert_int_equal(a.fallback, FALLBACK_NONE);
    assert_int_equal(a.count, 2);
    assert_int_equal(a.candidates, 2);
    for (uint32_t x = 0; x < a.count; x++) {
        assert_int_equal(a.items[x].because.kind, BECAUSE_TREND);
        assert_true(a.items[x].because.trend > 0);
        assert_true(a.items[x].score > 0 && a.items[x].score < 1);
    }
    tinyshop_free(&t);
    scratch_free(s);
}

static void similar_prefers_the_same_shelf(void **state)
{
    static const char *const orders[] = {"abc", "abc", "abc", "ab", "ac", "d"};
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    struct build_params params = {.min_support = 2, .without_sgns = true};
    tinyshop_orders(&t, orders, COUNT_OF(orders));
    tinyshop_train(&t, &params);
    ask(&q, SURFACE_SIMILAR, "a", "");
    struct answer a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b c"); /* equal but for the id */
    struct catalog_item item = tinyshop_get(&t, "a");
    item.category = STR("[\"Home\",\"Tea\"]");
    tinyshop_put(&t, &item);
    item = tinyshop_get(&t, "c");
    item.category = STR("[\"Home\",\"Pots\"]");
    tinyshop_put(&t, &item);
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "c b");
    item = tinyshop_get(&t, "b");
    item.category = STR("[\"Home\",\"Tea\"]");
    tinyshop_put(&t, &item);
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b c");
    assert_int_equal(a.items[0].because.kind, BECAUSE_NEIGHBOUR);
    tinyshop_free(&t);
    scratch_free(s);
}

static void names_are_those_of_the_interface(void **state)
{
    (void)state;
    for (int s = 0; s < SURFACE_COUNT; s++)
        assert_int_equal(surface_parse(str_of(surface_name((enum surface)s))), s);
    assert_int_equal(surface_parse(STR("Basket")), -1);
    assert_int_equal(surface_parse(STR("")), -1);
    assert_null(fallback_name(FALLBACK_NONE));
    assert_string_equal(fallback_name(FALLBACK_EMPTY_CONTEXT), "popular:empty_context");
    assert_string_equal(drop_name(DROP_IN_STOCK), "in_stock");
    assert_string_equal(because_kind_name(BECAUSE_RULE), "rule");
    assert_string_equal(because_kind_name(BECAUSE_POPULAR), "popular");
    assert_string_equal(because_kind_name(BECAUSE_AFTER), "after");
    assert_string_equal(because_kind_name(BECAUSE_TASTE), "taste");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_comes_back_with_its_rule),
        cmocka_unit_test(a_short_list_is_not_filled_up),
        cmocka_unit_test(each_reason_to_fall_back_says_so),
        cmocka_unit_test(unknown_items_are_listed_once),
        cmocka_unit_test(the_context_is_never_suggested),
        cmocka_unit_test(popular_goes_by_recent_orders_then_all_time_then_id),
        cmocka_unit_test(trending_shows_rising_items_only),
        cmocka_unit_test(similar_prefers_the_same_shelf),
        cmocka_unit_test(names_are_those_of_the_interface),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
