#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/catalog.h"
#include "support/oom.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct catalog_item kettle(void)
{
    return (struct catalog_item){
        .item_id = STR("sku-1"),
        .title = STR("Red kettle"),
        .category = STR("[\"Home\",\"Kitchen \\\"& Bar\\\"\",\"\\u00dcber \\ud83d\\ude00\"]"),
        .attributes =
            STR("{\"brand\":\"X\",\"sizes\":[\"S\",\"M\",10],\"nested\":{\"brand\":\"Q\","
                "\"a\":[1,\"]\"]},\"n\":12.5,\"yes\":true,\"none\":null,\"q\\\"k\":\"v\\/\","
                "\"empty\":[],\"e\":\"\"}"),
        .price_minor = 2490,
        .stock = 12,
        .available = true,
    };
}

static void an_item_is_found_and_read_back(void **state)
{
    (void)state;
    struct catalog c;
    struct catalog_item item = kettle();
    assert_int_equal(catalog_init(&c, NULL), 0);
    assert_null(catalog_at(&c, 0));
    assert_int_equal(catalog_put(&c, 7, &item, NULL), 0);
    assert_int_equal(c.count, 8);
    assert_int_equal(catalog_find(&c, STR("sku-1")), 7);
    assert_int_equal(catalog_find(&c, STR("sku-2")), CATALOG_NONE);
    const struct catalog_item *at = catalog_at(&c, 7);
    assert_non_null(at);
    assert_true(str_eq(at->item_id, STR("sku-1")));
    assert_true(str_eq(at->title, STR("Red kettle")));
    assert_ptr_not_equal(at->title.ptr, item.title.ptr);
    assert_int_equal(at->price_minor, 2490);
    assert_true(at->known);
    assert_null(catalog_at(&c, 6));
    assert_null(catalog_at(&c, 8));
    assert_null(catalog_at(&c, CATALOG_NONE));
    assert_int_equal(catalog_id(&c, 6).len, 0);
    assert_int_equal(catalog_id(&c, 999).len, 0);
    catalog_deinit(&c);
    catalog_deinit(&c);
}

static void an_item_is_replaced_from_its_own_strings(void **state)
{
    (void)state;
    struct catalog c;
    struct catalog_item item = kettle();
    assert_int_equal(catalog_init(&c, NULL), 0);
    assert_int_equal(catalog_put(&c, 1, &item, NULL), 0);
    struct catalog_item changed = *catalog_at(&c, 1); /* borrows the slot's strings */
    changed.stock = 0;
    changed.title = STR("Blue");
    assert_int_equal(catalog_put(&c, 1, &changed, NULL), 0);
    assert_true(str_eq(catalog_at(&c, 1)->title, STR("Blue")));
    assert_true(str_eq(catalog_at(&c, 1)->attributes, item.attributes));
    assert_int_equal(c.text_bytes,
                     5 + 4 + catalog_at(&c, 1)->category.len + catalog_at(&c, 1)->attributes.len);
    catalog_deinit(&c);
}

static void a_removed_item_keeps_slot_and_id_only(void **state)
{
    (void)state;
    struct catalog c;
    struct catalog_item item = kettle();
    assert_int_equal(catalog_init(&c, NULL), 0);
    assert_int_equal(catalog_put(&c, 3, &item, NULL), 0);
    catalog_remove(&c, 3);
    catalog_remove(&c, 3);
    catalog_remove(&c, 999);
    assert_null(catalog_at(&c, 3));
    assert_int_equal(catalog_find(&c, STR("sku-1")), 3);
    assert_true(str_eq(catalog_id(&c, 3), STR("sku-1")));
    assert_int_equal(c.text_bytes, 5);
    assert_int_equal(catalog_put(&c, 3, &item, NULL), 0); /* it comes back */
    assert_true(str_eq(catalog_at(&c, 3)->title, STR("Red kettle")));
    catalog_deinit(&c);
}

static void stock_counts_only_when_kept(void **state)
{
    (void)state;
    struct catalog_item item = kettle();
    assert_true(catalog_in_stock(&item));
    item.stock = 0;
    assert_false(catalog_in_stock(&item));
    item.stock = -3;
    assert_false(catalog_in_stock(&item));
    item.stock = STOCK_NONE;
    assert_true(catalog_in_stock(&item));
    item.available = false;
    assert_false(catalog_in_stock(&item));
}

static void a_category_matches_any_name_of_the_path(void **state)
{
    (void)state;
    struct catalog_item item = kettle();
    assert_true(catalog_in_category(&item, STR("Home")));
    assert_true(catalog_in_category(&item, STR("Kitchen \"& Bar\"")));
    assert_true(catalog_in_category(&item, STR("\xC3\x9C"
                                               "ber \xF0\x9F\x98\x80")));
    assert_false(catalog_in_category(&item, STR("home")));
    assert_false(catalog_in_category(&item, STR("Hom")));
    assert_false(catalog_in_category(&item, STR("Homes")));
    assert_false(catalog_in_category(&item, STR("")));
    item.category = STR("[]");
    assert_false(catalog_in_category(&item, STR("")));
    item.category = STR_NONE;
    assert_false(catalog_in_category(&item, STR("Home")));
}

static void an_attribute_matches_by_text_or_element(void **state)
{
    (void)state;
    struct catalog_item item = kettle();
    const struct {
        struct str key, value;
        bool match;
    } cases[] = {
        {STR("brand"), STR("X"), true},      {STR("brand"), STR("Q"), false},
        {STR("brand"), STR("\"X\""), false}, {STR("sizes"), STR("M"), true},
        {STR("sizes"), STR("10"), true},     {STR("sizes"), STR("L"), false},
        {STR("sizes"), STR(""), false},      {STR("n"), STR("12.5"), true},
        {STR("n"), STR("12.50"), false},     {STR("yes"), STR("true"), true},
        {STR("yes"), STR("false"), false},   {STR("none"), STR("null"), false},
        {STR("nested"), STR("{"), false},    {STR("a"), STR("1"), false},
        {STR("q\"k"), STR("v/"), true},      {STR("empty"), STR(""), false},
        {STR("e"), STR(""), true},           {STR("absent"), STR("x"), false},
        {STR("bran"), STR("X"), false},      {STR(""), STR(""), false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_int_equal(catalog_has_attribute(&item, cases[i].key, cases[i].value),
                         cases[i].match);
    item.attributes = STR("{}");
    assert_false(catalog_has_attribute(&item, STR("a"), STR("b")));
    item.attributes = STR_NONE;
    assert_false(catalog_has_attribute(&item, STR("a"), STR("b")));
}

/* Every prefix of valid texts, each in a block of its own size so that a sanitizer sees a byte read
 * beyond the end. */
static void cut_off_text_is_no_match_and_is_not_read_past(void **state)
{
    (void)state;
    struct catalog_item item = kettle();
    for (size_t length = 0; length < item.attributes.len; length++) {
        char *copy = malloc(length + (length == 0));
        assert_non_null(copy);
        memcpy(copy, item.attributes.ptr, length);
        struct catalog_item cut = {.attributes = {copy, length}, .category = {copy, length}};
        assert_false(catalog_has_attribute(&cut, STR("absent"), STR("x")));
        assert_false(catalog_in_category(&cut, STR("X")));
        free(copy);
    }
    for (size_t length = 0; length < item.category.len; length++) {
        char *copy = malloc(length + (length == 0));
        assert_non_null(copy);
        memcpy(copy, item.category.ptr, length);
        struct catalog_item cut = {.attributes = {copy, length}, .category = {copy, length}};
        assert_false(catalog_in_category(&cut, STR("absent")));
        assert_false(catalog_has_attribute(&cut, STR("Home"), STR("x")));
        free(copy);
    }
}

static void malformed_text_is_no_match(void **state)
{
    (void)state;
    const char *bad[] = {"[\"\\x\"]", "[\"\\u12G4\"]", "[\"\\ud800\"]", "[\"\\ud800\\u0041\"]",
                         "[[[[\"a\"", "{\"a\"}",       "[,\"a\"]",      "[\"a",
                         "nonsense",  "[\"\\"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct catalog_item item = {.category = str_of(bad[i]), .attributes = str_of(bad[i])};
        assert_false(catalog_in_category(&item, STR("a")));
        assert_false(catalog_has_attribute(&item, STR("a"), STR("a")));
    }
}

static int put_many(struct catalog *c, struct error *err)
{
    int rc = 0;
    for (uint32_t slot = 1; slot < 200 && rc == 0; slot++) {
        char id[16];
        struct catalog_item item = kettle();
        item.item_id = (struct str){id, (size_t)snprintf(id, sizeof id, "i%u", slot)};
        rc = catalog_put(c, slot, &item, err);
    }
    return rc;
}

static void every_failed_allocation_is_reported_and_harmless(void **state)
{
    (void)state;
    int rc = ERR_NOMEM;
    for (unsigned n = 1; rc; n++) {
        struct catalog c;
        struct error err = ERROR_INIT;
        oom_fail_at(n);
        rc = catalog_init(&c, &err);
        if (rc == 0)
            rc = put_many(&c, &err);
        catalog_remove(&c, 1);
        oom_disarm();
        assert_true(rc == 0 || (rc == ERR_NOMEM && err.code == ERR_NOMEM));
        if (rc && c.items)
            assert_int_equal(put_many(&c, NULL), 0);
        catalog_deinit(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_item_is_found_and_read_back),
        cmocka_unit_test(an_item_is_replaced_from_its_own_strings),
        cmocka_unit_test(a_removed_item_keeps_slot_and_id_only),
        cmocka_unit_test(stock_counts_only_when_kept),
        cmocka_unit_test(a_category_matches_any_name_of_the_path),
        cmocka_unit_test(an_attribute_matches_by_text_or_element),
        cmocka_unit_test(cut_off_text_is_no_match_and_is_not_read_past),
        cmocka_unit_test(malformed_text_is_no_match),
        cmocka_unit_test(every_failed_allocation_is_reported_and_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
