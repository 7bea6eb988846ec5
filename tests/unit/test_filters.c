#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/recommend.h"
#include "support/question.h"

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

/* Every filter on the same shop: c must go, for the one reason. */
static void assert_c_dropped(struct tinyshop *t, struct question *q, enum drop reason)
{
    struct scratch *s = new_scratch();
    struct answer a = answer_of(t, &q->q, s);
    for (uint32_t x = 0; x < a.count; x++)
        assert_int_not_equal(a.items[x].item, tinyshop_item(t, "c"));
    for (int d = 0; d < DROP_COUNT; d++)
        if (d == (int)reason)
            assert_true(a.dropped[d] >= 1);
    scratch_free(s);
}

static void excluded_items_stay_out(void **state)
{
    struct tinyshop t;
    struct question q;
    (void)state;
    bundle_shop(&t);
    ask(&q, SURFACE_BASKET, "a", "c nobody");
    assert_c_dropped(&t, &q, DROP_EXCLUDED);
    tinyshop_free(&t);
}

static void unavailable_and_removed_items_stay_out(void **state)
{
    struct tinyshop t;
    struct question q;
    (void)state;
    bundle_shop(&t);
    ask(&q, SURFACE_BASKET, "a", "");
    struct catalog_item item = tinyshop_get(&t, "c");
    item.available = false;
    tinyshop_put(&t, &item);
    assert_c_dropped(&t, &q, DROP_UNAVAILABLE);
    item = tinyshop_get(&t, "c");
    item.available = true;
    tinyshop_put(&t, &item);
    catalog_remove(&t.c, t.m->slot[tinyshop_item(&t, "c")]);
    assert_c_dropped(&t, &q, DROP_UNAVAILABLE);
    tinyshop_free(&t);
}

static void the_category_filter_takes_any_name_of_the_path(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    struct str names[] = {STR("Garden"), STR("Kitchen")};
    (void)state;
    bundle_shop(&t);
    ask(&q, SURFACE_BASKET, "a", "");
    struct catalog_item item = tinyshop_get(&t, "b");
    item.category = STR("[\"Home\",\"Kitchen\",\"Tea\"]");
    tinyshop_put(&t, &item);
    q.q.filter.categories = names;
    q.q.filter.category_count = 2;
    assert_c_dropped(&t, &q, DROP_CATEGORY);
    struct answer a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b");
    tinyshop_free(&t);
    scratch_free(s);
}

static void price_bounds_are_inclusive_and_need_a_price(void **state)
{
    static const struct {
        int64_t min, max;
        const char *answer;
    } cases[] = {{500, 500, "b"},
                 {501, PRICE_NONE, ""},
                 {PRICE_NONE, 499, ""},
                 {500, PRICE_NONE, "b"},
                 {PRICE_NONE, 500, "b"},
                 {0, 499, ""},
                 {PRICE_NONE, PRICE_NONE, "b c"}};
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    struct catalog_item item = tinyshop_get(&t, "b");
    item.price_minor = 500;
    tinyshop_put(&t, &item);
    for (size_t x = 0; x < COUNT_OF(cases); x++) {
        ask(&q, SURFACE_BASKET, "a", "f");
        q.q.filter.price_min = cases[x].min;
        q.q.filter.price_max = cases[x].max;
        struct answer a = answer_of(&t, &q.q, s);
        if (cases[x].answer[0])
            assert_string_equal(names_of(&t, &a), cases[x].answer);
        else
            assert_int_equal(a.fallback, FALLBACK_NO_CANDIDATES);
    }
    q.q.filter.price_min = q.q.filter.price_max = 500;
    assert_c_dropped(&t, &q, DROP_PRICE);
    tinyshop_free(&t);
    scratch_free(s);
}

static void sold_out_items_leave_only_when_asked(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    (void)state;
    bundle_shop(&t);
    struct catalog_item item = tinyshop_get(&t, "c");
    item.stock = 0;
    tinyshop_put(&t, &item);
    ask(&q, SURFACE_BASKET, "a", "f");
    struct answer a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b c");
    q.q.filter.in_stock = true;
    assert_c_dropped(&t, &q, DROP_IN_STOCK);
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b"); /* its stock is unknown */
    tinyshop_free(&t);
    scratch_free(s);
}

static void attribute_filters_need_one_value_of_each(void **state)
{
    struct tinyshop t;
    struct question q;
    struct scratch *s = new_scratch();
    struct str brands[] = {STR("Y"), STR("X")}, sizes[] = {STR("3")};
    struct attribute_filter filters[] = {{STR("brand"), brands, 2}, {STR("size"), sizes, 1}};
    (void)state;
    bundle_shop(&t);
    struct catalog_item item = tinyshop_get(&t, "b");
    item.attributes = STR("{\"brand\":[\"X\",\"W\"],\"size\":3}");
    tinyshop_put(&t, &item);
    item = tinyshop_get(&t, "c");
    item.attributes = STR("{\"brand\":\"Y\",\"size\":4}");
    tinyshop_put(&t, &item);
    ask(&q, SURFACE_BASKET, "a", "f");
    q.q.filter.attributes = filters;
    q.q.filter.attribute_count = 1;
    struct answer a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b c");
    q.q.filter.attribute_count = 2;
    assert_c_dropped(&t, &q, DROP_ATTRIBUTES);
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b");
    tinyshop_free(&t);
    scratch_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(excluded_items_stay_out),
        cmocka_unit_test(unavailable_and_removed_items_stay_out),
        cmocka_unit_test(the_category_filter_takes_any_name_of_the_path),
        cmocka_unit_test(price_bounds_are_inclusive_and_need_a_price),
        cmocka_unit_test(sold_out_items_leave_only_when_asked),
        cmocka_unit_test(attribute_filters_need_one_value_of_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
