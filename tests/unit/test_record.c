#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ingest/record.h"

static void every_kind_has_a_name_that_parses_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < EVENT_KIND_COUNT; kind++)
        assert_int_equal(event_kind_parse(str_of(event_kind_name((enum event_kind)kind))), kind);
}

static void names_of_other_services_are_known_in_any_case(void **state)
{
    (void)state;
    assert_int_equal(event_kind_parse(STR("Click")), EVENT_VIEW);
    assert_int_equal(event_kind_parse(STR("detail-page-view")), EVENT_VIEW);
    assert_int_equal(event_kind_parse(STR("AddToCart")), EVENT_CART);
    assert_int_equal(event_kind_parse(STR("remove_from_cart")), EVENT_UNCART);
    assert_int_equal(event_kind_parse(STR("add_to_wishlist")), EVENT_WISH);
    assert_int_equal(event_kind_parse(STR("purchase-complete")), EVENT_PURCHASE);
}

static void other_names_are_not_kinds(void **state)
{
    (void)state;
    assert_int_equal(event_kind_parse(STR("")), -1);
    assert_int_equal(event_kind_parse(STR_NONE), -1);
    assert_int_equal(event_kind_parse(STR("vie")), -1);
    assert_int_equal(event_kind_parse(STR("views")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name_that_parses_back),
        cmocka_unit_test(names_of_other_services_are_known_in_any_case),
        cmocka_unit_test(other_names_are_not_kinds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
