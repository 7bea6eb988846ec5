#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/buf.h"
#include "store/items.h"
#include "support/orders_db.h"

#include <string.h>

struct items_seen {
    struct item_row row[4];
    struct buf text[4]; /* id|title|category|attributes */
    int count;
};

static int note_item(void *context, const struct item_row *row, struct error *err)
{
    (void)err;
    struct items_seen *seen = context;
    assert_true(seen->count < 4);
    buf_clear(&seen->text[seen->count]);
    buf_printf(&seen->text[seen->count], "%.*s|%.*s|%.*s|%.*s", STR_ARG(row->item_id),
               STR_ARG(row->title), STR_ARG(row->category), STR_ARG(row->attributes));
    assert_non_null(buf_cstr(&seen->text[seen->count]));
    seen->row[seen->count++] = *row;
    return 0;
}

static const struct item_row KETTLE = {
    .key = 3,
    .item_id = {"sku-1", 5},
    .title = {"Red kettle", 10},
    .category = {"[\"Home\"]", 8},
    .attributes = {"{\"brand\":\"X\"}", 13},
    .price_minor = 2490,
    .stock = 12,
    .updated_ms = 77,
    .order_ms = 66,
    .described = 5,
    .available = true,
};

static void items_come_back_by_key_with_their_unknowns(void **state)
{
    (void)state;
    struct item_row bare = {.key = 1,
                            .item_id = STR("b"),
                            .price_minor = INT64_MIN,
                            .stock = INT64_MIN,
                            .order_ms = INT64_MIN,
                            .deleted = true};
    begin();
    assert_int_equal(items_put(db, &KETTLE, NULL), 0);
    assert_int_equal(items_put(db, &bare, NULL), 0);
    commit();
    struct items_seen seen = {0};
    assert_int_equal(items_scan(db, note_item, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.text[0].ptr, "b|||");
    assert_true(seen.row[0].price_minor == INT64_MIN && seen.row[0].stock == INT64_MIN);
    assert_true(seen.row[0].order_ms == INT64_MIN);
    assert_true(seen.row[0].deleted && !seen.row[0].available);
    assert_string_equal(seen.text[1].ptr, "sku-1|Red kettle|[\"Home\"]|{\"brand\":\"X\"}");
    assert_int_equal(seen.row[1].key, 3);
    assert_int_equal(seen.row[1].price_minor, 2490);
    assert_int_equal(seen.row[1].stock, 12);
    assert_int_equal(seen.row[1].updated_ms, 77);
    assert_int_equal(seen.row[1].order_ms, 66);
    assert_int_equal(seen.row[1].described, 5);
    assert_true(seen.row[1].available && !seen.row[1].deleted);
    for (int i = 0; i < 4; i++)
        buf_deinit(&seen.text[i]);
}

static void putting_an_item_again_replaces_the_whole_row(void **state)
{
    (void)state;
    struct item_row changed = KETTLE;
    changed.title = STR_NONE;
    changed.stock = INT64_MIN;
    changed.price_minor = 1;
    begin();
    assert_int_equal(items_put(db, &KETTLE, NULL), 0);
    assert_int_equal(items_put(db, &changed, NULL), 0);
    commit();
    struct items_seen seen = {0};
    assert_int_equal(items_scan(db, note_item, &seen, NULL), 0);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.text[0].ptr, "sku-1||[\"Home\"]|{\"brand\":\"X\"}");
    assert_true(seen.row[0].stock == INT64_MIN);
    assert_int_equal(seen.row[0].price_minor, 1);
    buf_deinit(&seen.text[0]);
}

static void one_id_cannot_have_two_keys(void **state)
{
    (void)state;
    struct item_row twin = KETTLE;
    twin.key = 4;
    assert_int_equal(items_put(db, &KETTLE, NULL), 0);
    assert_int_equal(items_put(db, &twin, NULL), ERR_CONFLICT);
}

static int stop_items(void *context, const struct item_row *row, struct error *err)
{
    (void)context;
    (void)row;
    return error_set(err, ERR_LIMIT, "enough");
}

static void a_scan_of_items_stops_for_its_visitor_and_at_damage(void **state)
{
    (void)state;
    assert_int_equal(items_put(db, &KETTLE, NULL), 0);
    assert_int_equal(items_scan(db, stop_items, NULL, NULL), ERR_LIMIT);
    run("UPDATE items SET item_key = 4294967295");
    struct items_seen seen = {0};
    assert_int_equal(items_scan(db, note_item, &seen, NULL), ERR_CORRUPT);
    assert_int_equal(seen.count, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown)
    const struct CMUnitTest tests[] = {
        TEST(items_come_back_by_key_with_their_unknowns),
        TEST(putting_an_item_again_replaces_the_whole_row),
        TEST(one_id_cannot_have_two_keys),
        TEST(a_scan_of_items_stops_for_its_visitor_and_at_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
