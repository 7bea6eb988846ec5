#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/ingest.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct shopkit kit;
static struct ingest_report report;

static int setup(void **state)
{
    (void)state;
    shopkit_init(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    ingest_report_init(&report);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ingest_report_deinit(&report);
    shopkit_close(&kit);
    return 0;
}

/* Sends the text; the report then has only its counts. */
static void send(const char *text)
{
    ingest_report_deinit(&report);
    assert_int_equal(shopkit_ingest(&kit, text, &report), 0);
}

/* A copy that may be looked at without the lock: nothing writes meanwhile. */
static struct catalog_item item(const char *id)
{
    uint32_t slot = catalog_find(&kit.shop->catalog, str_of(id));
    assert_int_not_equal(slot, CATALOG_NONE);
    const struct catalog_item *found = catalog_at(&kit.shop->catalog, slot);
    return found ? *found : (struct catalog_item){.known = false};
}

static void assert_title(const char *id, const char *title)
{
    struct str now = item(id).title;
    assert_int_equal(now.len, strlen(title));
    assert_memory_equal(now.ptr ? now.ptr : "", title, now.len);
}

static void orders_are_accepted_replaced_repeated_cancelled(void **state)
{
    (void)state;
    send("{\"order_id\":\"1\",\"user_id\":\"u\",\"timestamp\":\"2026-01-02T03:04:05Z\","
         "\"items\":[{\"item_id\":\"a\",\"quantity\":2,\"price\":3.5},{\"item_id\":\"b\"}]}\n"
         "{\"order_id\":\"2\",\"items\":[{\"item_id\":\"a\"}]}\n");
    assert_int_equal(report.counts.orders.accepted, 2);
    assert_int_equal(report.counts.lines.accepted, 3);
    send("{\"order_id\":\"2\",\"items\":[{\"item_id\":\"a\"}]}\n"
         "{\"order_id\":\"1\",\"user_id\":\"u\",\"timestamp\":\"2026-01-02T03:04:05Z\","
         "\"items\":[{\"item_id\":\"c\"}]}\n");
    assert_int_equal(report.counts.orders.duplicate, 1);
    assert_int_equal(report.counts.orders.replaced, 1);
    assert_int_equal(report.counts.lines.duplicate, 1);
    assert_int_equal(report.counts.lines.replaced, 1);
    send("{\"kind\":\"cancel\",\"order_id\":\"1\"}\n{\"kind\":\"cancel\",\"order_id\":\"9\"}\n");
    assert_int_equal(report.counts.cancels.accepted, 2);
    send("{\"kind\":\"cancel\",\"order_id\":\"1\"}\n"
         "{\"order_id\":\"9\",\"items\":[{\"item_id\":\"late\"}]}\n");
    assert_int_equal(report.counts.cancels.duplicate, 1);
    assert_int_equal(report.counts.orders.cancelled, 1);
    assert_int_equal(report.counts.lines.cancelled, 1);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders WHERE cancelled_ms IS NULL"),
                     1);
}

static void sending_everything_again_changes_nothing(void **state)
{
    (void)state;
    const char *all =
        "{\"kind\":\"item\",\"item_id\":\"a\",\"title\":\"Red kettle\",\"category\":[\"Home\"],"
        "\"price\":24.90,\"stock\":12,\"attributes\":{\"brand\":\"X\"}}\n"
        "{\"order_id\":\"1\",\"user_id\":\"u1\",\"timestamp\":\"2026-01-02T03:04:05Z\","
        "\"items\":[{\"item_id\":\"a\",\"price\":20},{\"item_id\":\"b\",\"price\":1,"
        "\"title\":\"B\"}]}\n"
        "{\"order_id\":\"2\",\"user_id\":\"u2\",\"timestamp\":\"2026-01-03T03:04:05Z\","
        "\"items\":[{\"item_id\":\"b\",\"price\":2,\"title\":\"B2\"}]}\n"
        "{\"order_id\":\"3\",\"items\":[{\"item_id\":\"b\"}]}\n"
        "{\"kind\":\"event\",\"event_id\":\"e1\",\"event\":\"view\",\"user_id\":\"u1\","
        "\"item_id\":\"a\",\"timestamp\":\"2026-01-02T03:04:05Z\"}\n"
        "{\"kind\":\"event\",\"event\":\"cart\",\"session_id\":\"s\",\"item_id\":\"c\","
        "\"timestamp\":\"2026-01-02T03:04:05Z\"}\n"
        "{\"kind\":\"event\",\"event\":\"view\",\"item_id\":\"c\"}\n"
        "{\"kind\":\"cancel\",\"order_id\":\"3\"}\n";
    send(all);
    assert_int_equal(report.counts.events.accepted, 3);
    char *before = shopkit_dump(&kit);
    send(all);
    assert_int_equal(report.counts.items.duplicate, 1);
    assert_int_equal(report.counts.orders.duplicate, 2);
    assert_int_equal(report.counts.orders.cancelled, 1);
    assert_int_equal(report.counts.events.duplicate, 3);
    assert_int_equal(report.counts.cancels.duplicate, 1);
    char *after = shopkit_dump(&kit);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void events_without_an_id_differ_by_their_contents(void **state)
{
    (void)state;
    send("{\"kind\":\"event\",\"event\":\"view\",\"user_id\":\"u\",\"item_id\":\"a\","
         "\"timestamp\":\"2026-01-02T03:04:05Z\"}\n"
         "{\"kind\":\"event\",\"event\":\"view\",\"user_id\":\"u\",\"item_id\":\"a\","
         "\"timestamp\":\"2026-01-02T03:04:06Z\"}\n"
         "{\"kind\":\"event\",\"event\":\"cart\",\"user_id\":\"u\",\"item_id\":\"a\","
         "\"timestamp\":\"2026-01-02T03:04:05Z\"}\n"
         "{\"kind\":\"event\",\"event\":\"view\",\"session_id\":\"u\",\"item_id\":\"a\","
         "\"timestamp\":\"2026-01-02T03:04:05Z\"}\n"
         "{\"kind\":\"event\",\"event\":\"view\",\"user_id\":\"u\",\"item_id\":\"a\","
         "\"timestamp\":\"2026-01-02T03:04:05Z\"}\n");
    assert_int_equal(report.counts.events.accepted, 4);
    assert_int_equal(report.counts.events.duplicate, 1);
}

static void an_item_record_changes_only_what_it_carries(void **state)
{
    (void)state;
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"title\":\"T\",\"price\":2,\"stock\":3,"
         "\"category\":[\"C\"],\"attributes\":{\"k\":\"v\"}}\n");
    assert_int_equal(report.counts.items.accepted, 1);
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"stock\":0}\n");
    assert_int_equal(report.counts.items.replaced, 1);
    assert_title("a", "T");
    assert_int_equal(item("a").stock, 0);
    assert_int_equal(item("a").price_minor, 200);
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"price\":null,\"available\":false}\n");
    assert_int_equal(item("a").price_minor, PRICE_NONE);
    assert_false(item("a").available);
    assert_int_equal(item("a").category.len, strlen("[\"C\"]"));
}

static void replacing_an_item_clears_what_is_not_given(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"title\":\"T\",\"price\":2,\"stock\":3,"
         "\"available\":false}\n");
    struct ingest_op *op = ingest_op_new(NULL, &err);
    struct record record = {.kind = RECORD_ITEM,
                            .item_id = STR("a"),
                            .fields = ITEM_TITLE,
                            .title = STR("New"),
                            .price_minor = RECORD_NO_PRICE,
                            .stock = RECORD_NO_STOCK};
    op->replace_items = true;
    assert_int_equal(ingest_op_add(op, &record, &err), 0);
    assert_int_equal(shop_write_wait(kit.shop, &op->op, &err), 0);
    assert_int_equal(op->counts.items.replaced, 1);
    ingest_op_free(op);
    assert_title("a", "New");
    assert_int_equal(item("a").price_minor, PRICE_NONE);
    assert_int_equal(item("a").stock, STOCK_NONE);
    assert_true(item("a").available);
}

static void the_newest_order_row_gives_title_and_price(void **state)
{
    (void)state;
    send("{\"order_id\":\"2\",\"timestamp\":\"2026-02-01T00:00:00Z\",\"items\":[{\"item_id\":\"a\","
         "\"title\":\"Feb\",\"price\":2}]}\n"
         "{\"order_id\":\"1\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"items\":[{\"item_id\":\"a\","
         "\"title\":\"Jan\",\"price\":1}]}\n");
    assert_title("a", "Feb");
    assert_int_equal(item("a").price_minor, 200);
    /* The same price in March: a late order of February must not win over it. */
    send("{\"order_id\":\"4\",\"timestamp\":\"2026-03-01T00:00:00Z\",\"items\":[{\"item_id\":\"a\","
         "\"price\":2}]}\n");
    send("{\"order_id\":\"3\",\"timestamp\":\"2026-02-15T00:00:00Z\",\"items\":[{\"item_id\":\"a\","
         "\"price\":9}]}\n");
    assert_int_equal(item("a").price_minor, 200);
    send("{\"order_id\":\"5\",\"timestamp\":\"2026-04-01T00:00:00Z\",\"items\":[{\"item_id\":\"a\","
         "\"title\":\"Apr\",\"price\":4}]}\n");
    assert_title("a", "Apr");
    assert_int_equal(item("a").price_minor, 400);
}

static void an_old_order_still_fills_what_is_unknown(void **state)
{
    (void)state;
    send("{\"order_id\":\"2\",\"timestamp\":\"2026-02-01T00:00:00Z\",\"items\":[{\"item_id\":\"a\","
         "\"price\":2}]}\n"
         "{\"order_id\":\"1\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"items\":[{\"item_id\":\"a\","
         "\"title\":\"Jan\",\"price\":1}]}\n");
    assert_title("a", "Jan");
    assert_int_equal(item("a").price_minor, 200);
}

static void what_an_item_record_gave_no_order_changes(void **state)
{
    (void)state;
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"title\":\"Mine\"}\n"
         "{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\",\"title\":\"Theirs\",\"price\":5}]}\n");
    assert_title("a", "Mine");
    assert_int_equal(item("a").price_minor, 500); /* which no item record gave */
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"price\":7}\n"
         "{\"order_id\":\"2\",\"items\":[{\"item_id\":\"a\",\"price\":6}]}\n");
    assert_int_equal(item("a").price_minor, 700);
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"price\":null}\n"
         "{\"order_id\":\"3\",\"items\":[{\"item_id\":\"a\",\"price\":6}]}\n");
    assert_int_equal(item("a").price_minor, 600); /* given back to the orders */
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    send("{\"order_id\":\"4\",\"items\":[{\"item_id\":\"a\",\"title\":\"Theirs\"}]}\n");
    assert_title("a", "Mine"); /* also after a restart */
}

static int delete_item(const char *id)
{
    struct item_delete_op op;
    item_delete_prepare(&op, str_of(id), NULL);
    return shop_write_wait(kit.shop, &op.op, NULL);
}

static void a_deleted_item_keeps_its_slot_and_comes_back_with_an_item_record(void **state)
{
    (void)state;
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"title\":\"T\"}\n"
         "{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"},{\"item_id\":\"b\"}]}\n");
    uint32_t slot = catalog_find(&kit.shop->catalog, STR("a"));
    assert_int_equal(delete_item("a"), 0);
    assert_int_equal(delete_item("a"), ERR_NOT_FOUND);
    assert_int_equal(delete_item("never"), ERR_NOT_FOUND);
    assert_false(item("a").known);
    send("{\"order_id\":\"2\",\"items\":[{\"item_id\":\"a\",\"title\":\"ghost\",\"price\":1}]}\n");
    assert_false(item("a").known);
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    assert_false(item("a").known);
    send("{\"order_id\":\"3\",\"items\":[{\"item_id\":\"z\"}]}\n");
    assert_int_equal(catalog_find(&kit.shop->catalog, STR("z")), 3);
    send("{\"kind\":\"item\",\"item_id\":\"a\",\"stock\":1}\n");
    assert_int_equal(report.counts.items.accepted, 1);
    assert_true(item("a").known);
    assert_title("a", "");
    assert_int_equal(catalog_find(&kit.shop->catalog, STR("a")), slot);
}

static int show_user(const char *id, struct user_op *op)
{
    user_show_prepare(op, str_of(id), NULL);
    return shop_read_wait(kit.shop, &op->op, NULL);
}

static void erasing_a_user_leaves_no_trace_of_the_id(void **state)
{
    (void)state;
    send("{\"order_id\":\"1\",\"user_id\":\"someone@example.org\",\"timestamp\":"
         "\"2026-01-02T00:00:00Z\",\"items\":[{\"item_id\":\"a\"}]}\n"
         "{\"order_id\":\"2\",\"user_id\":\"other@example.org\",\"items\":[{\"item_id\":\"a\"}]}\n"
         "{\"kind\":\"event\",\"event\":\"view\",\"user_id\":\"someone@example.org\",\"item_id\":"
         "\"a\",\"timestamp\":\"2026-01-03T00:00:00Z\"}\n");
    struct user_op op;
    assert_int_equal(show_user("someone@example.org", &op), 0);
    assert_int_equal(op.orders, 1);
    assert_int_equal(op.events, 1);
    assert_true(op.first_ms < op.last_ms);
    assert_true(shopkit_bytes_in_files(&kit, "someone@example.org") > 0);
    user_erase_prepare(&op, STR("someone@example.org"), NULL);
    assert_int_equal(shop_write_wait(kit.shop, &op.op, NULL), 0);
    assert_int_equal(op.orders, 1);
    assert_false(op.orders_deleted);
    assert_int_equal(shopkit_bytes_in_files(&kit, "someone@example.org"), 0);
    assert_true(shopkit_bytes_in_files(&kit, "other@example.org") > 0);
    assert_int_equal(show_user("someone@example.org", &op), ERR_NOT_FOUND);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 2);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM events"), 0);
    user_erase_prepare(&op, STR("someone@example.org"), NULL);
    assert_int_equal(shop_write_wait(kit.shop, &op.op, NULL), ERR_NOT_FOUND);
    /* The key cache has forgotten it too. */
    send("{\"order_id\":\"3\",\"user_id\":\"someone@example.org\",\"items\":[{\"item_id\":\"a\"}]}"
         "\n");
    assert_int_equal(show_user("someone@example.org", &op), 0);
    assert_int_equal(op.orders, 1);
}

static void a_reader_in_the_way_only_delays_the_erasure(void **state)
{
    (void)state;
    send("{\"order_id\":\"1\",\"user_id\":\"someone@example.org\",\"items\":[{\"item_id\":\"a\"}]}"
         "\n");
    struct sqlite3 *reader = shopkit_begin_read(&kit);
    struct user_op op;
    user_erase_prepare(&op, STR("someone@example.org"), NULL);
    assert_int_equal(shop_write_wait(kit.shop, &op.op, NULL), 0);
    assert_true(shopkit_bytes_in_files(&kit, "someone@example.org") > 0);
    shopkit_end_read(reader);
    for (int i = 0; i < 50 && shopkit_bytes_in_files(&kit, "someone@example.org"); i++)
        usleep(100000);
    assert_int_equal(shopkit_bytes_in_files(&kit, "someone@example.org"), 0);
}

static void erasing_deletes_the_orders_when_the_settings_say_so(void **state)
{
    (void)state;
    kit.settings.erase_orders = true;
    send("{\"order_id\":\"1\",\"user_id\":\"u\",\"items\":[{\"item_id\":\"a\"}]}\n"
         "{\"order_id\":\"2\",\"items\":[{\"item_id\":\"a\"}]}\n");
    struct user_op op;
    user_erase_prepare(&op, STR("u"), NULL);
    assert_int_equal(shop_write_wait(kit.shop, &op.op, NULL), 0);
    assert_true(op.orders_deleted);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 1);
}

static void bad_lines_are_listed_and_the_good_ones_stay(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct ingest_op *op = ingest_op_new(NULL, &err);
    assert_int_equal(ingest_op_open(op, kit.shop, NULL, &err), 0);
    static const char text[] =
        "{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"}]}\nnonsense\n"
        "{\"order_id\":\"2\",\"items\":[{\"item_id\":\"a\",\"price\":\"x\"}]}\n"
        "{\"order_id\":\"3\",\"items\":[{\"item_id\":\"b\"}]}\n";
    for (size_t i = 0; i < sizeof text - 1; i++)
        assert_int_equal(ingest_op_feed(op, (struct str){text + i, 1}, &err), 0);
    assert_int_equal(ingest_op_finish(op, &err), 0);
    assert_int_equal(op->report.problem_total, 2);
    assert_int_equal(op->report.problems[0].line, 2);
    assert_int_equal(op->report.problems[1].line, 3);
    assert_int_equal(shop_write_wait(kit.shop, &op->op, &err), 0);
    assert_int_equal(op->report.counts.orders.accepted, 2);
    struct buf json;
    buf_init(&json, 0);
    ingest_report_json(&op->report, &json);
    assert_non_null(strstr(buf_cstr(&json), "\"error_count\":2,\"errors\":[{\"line\":2,"));
    buf_deinit(&json);
    ingest_op_free(op);
}

static void a_failed_allocation_ingests_all_or_nothing(void **state)
{
    (void)state;
    static const char text[] =
        "{\"order_id\":\"1\",\"user_id\":\"u\",\"items\":[{\"item_id\":\"a\",\"title\":\"T\"},"
        "{\"item_id\":\"b\",\"price\":1}]}\n"
        "{\"kind\":\"item\",\"item_id\":\"a\",\"price\":2,\"attributes\":{\"k\":1}}\n"
        "{\"kind\":\"event\",\"event\":\"view\",\"user_id\":\"u\",\"item_id\":\"c\"}\n";
    bool good = false;
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        struct ingest_op *op = ingest_op_new(NULL, &err);
        int rc = op ? ingest_op_open(op, kit.shop, NULL, &err) : ERR_NOMEM;
        if (rc == 0)
            rc = ingest_op_feed(op, STR(text), &err);
        if (rc == 0)
            rc = ingest_op_finish(op, &err);
        if (rc == 0)
            rc = shop_write_wait(kit.shop, &op->op, &err);
        assert_true(rc == 0 || (rc == ERR_NOMEM && oom_fired()));
        int64_t orders = shopkit_count(&kit, "SELECT count(*) FROM orders");
        int64_t events = shopkit_count(&kit, "SELECT count(*) FROM events");
        good = good || rc == 0;
        assert_int_equal(orders, good);
        assert_int_equal(events, good);
        ingest_op_free(op);
    }
    assert_true(good);
    send(text);
    assert_int_equal(item("a").price_minor, 200);
    assert_int_equal(kit.shop->catalog.slots.count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(orders_are_accepted_replaced_repeated_cancelled),
        T(sending_everything_again_changes_nothing),
        T(events_without_an_id_differ_by_their_contents),
        T(an_item_record_changes_only_what_it_carries),
        T(replacing_an_item_clears_what_is_not_given),
        T(the_newest_order_row_gives_title_and_price),
        T(an_old_order_still_fills_what_is_unknown),
        T(what_an_item_record_gave_no_order_changes),
        T(a_deleted_item_keeps_its_slot_and_comes_back_with_an_item_record),
        T(erasing_a_user_leaves_no_trace_of_the_id),
        T(a_reader_in_the_way_only_delays_the_erasure),
        T(erasing_deletes_the_orders_when_the_settings_say_so),
        T(bad_lines_are_listed_and_the_good_ones_stay),
        T(a_failed_allocation_ingests_all_or_nothing),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
