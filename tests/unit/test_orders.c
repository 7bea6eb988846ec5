#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/events.h"
#include "store/orders.h"
#include "store/sql.h"
#include "support/oom.h"
#include "support/orders_db.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINES(...)                                                                                 \
    (struct order_line[]){__VA_ARGS__},                                                            \
        sizeof((struct order_line[]){__VA_ARGS__}) / sizeof(struct order_line)

struct seen {
    char text[4096];
    int stop_after, visits;
};

static int note_order(void *context, const struct order_row *row, struct error *err)
{
    struct seen *seen = context;
    size_t used = strlen(seen->text);
    assert_true(used < sizeof seen->text / 2);
    used += (size_t)snprintf(seen->text + used, sizeof seen->text - used,
                             "%.*s/%llu/%lld:", STR_ARG(row->order_id),
                             (unsigned long long)row->user, (long long)row->time_ms);
    for (uint32_t i = 0; i < row->line_count; i++)
        used += (size_t)snprintf(seen->text + used, sizeof seen->text - used, " %ux%lld@%lld",
                                 row->lines[i].item, (long long)row->lines[i].quantity,
                                 row->lines[i].price_minor == ORDER_NO_PRICE
                                     ? -1LL
                                     : (long long)row->lines[i].price_minor);
    snprintf(seen->text + used, sizeof seen->text - used, "\n");
    if (++seen->visits == seen->stop_after)
        return error_set(err, ERR_LIMIT, "enough");
    return 0;
}

static const char *scan(struct seen *seen)
{
    uint64_t damaged;
    *seen = (struct seen){0};
    assert_int_equal(orders_scan(db, note_order, seen, NULL, &damaged, NULL), 0);
    assert_int_equal(damaged, 0);
    return seen->text;
}

static void an_order_is_stored_sorted_and_scanned_in_order_of_arrival(void **state)
{
    (void)state;
    struct seen seen;
    begin();
    assert_int_equal(put("b", 4, 200, LINES({9, 1, 50}, {2, 3, ORDER_NO_PRICE})), PUT_ACCEPTED);
    assert_int_equal(put("a", 0, 100, LINES({5, 1, 0})), PUT_ACCEPTED);
    assert_string_equal(scan(&seen), "b/4/200: 2x3@-1 9x1@50\na/0/100: 5x1@0\n");
    commit();
    struct order_stats s = stats();
    assert_int_equal(s.orders, 2);
    assert_int_equal(s.lines, 3);
    assert_int_equal(s.first_ms, 100);
    assert_int_equal(s.last_ms, 200);
    assert_int_equal(s.changes, 2);
    assert_int_equal(s.cancelled, 0);
}

static void an_equal_order_is_a_duplicate_and_another_replaces(void **state)
{
    (void)state;
    struct seen seen;
    begin();
    put("a", 4, 100, LINES({1, 1, 50}, {2, 1, 60}));
    assert_int_equal(put("a", 4, 100, LINES({2, 1, 60}, {1, 1, 50})), PUT_DUPLICATE);
    assert_int_equal(put("a", 4, ORDER_NO_TIME, LINES({1, 1, 50}, {2, 1, 60})), PUT_DUPLICATE);
    assert_int_equal(stats().changes, 1);
    assert_int_equal(put("a", 4, 101, LINES({1, 1, 50}, {2, 1, 60})), PUT_REPLACED);
    assert_int_equal(put("a", 5, 101, LINES({1, 1, 50}, {2, 1, 60})), PUT_REPLACED);
    assert_int_equal(put("a", 5, ORDER_NO_TIME, LINES({1, 2, 50})), PUT_REPLACED);
    assert_string_equal(scan(&seen), "a/5/101: 1x2@50\n");
    struct order_stats s = stats();
    assert_int_equal(s.orders, 1);
    assert_int_equal(s.lines, 1);
    assert_int_equal(s.changes, 4);
    assert_int_equal(s.first_ms, 101);
    assert_int_equal(s.last_ms, 101);
    commit();
}

static void without_a_time_the_arrival_counts(void **state)
{
    (void)state;
    struct seen seen;
    begin();
    put("a", 0, ORDER_NO_TIME, LINES({1, 1, 1}));
    assert_string_equal(scan(&seen), "a/0/9000: 1x1@1\n");
    assert_int_equal(stats().last_ms, 9000);
    commit();
}

static void a_cancelled_order_stays_out_whatever_comes(void **state)
{
    (void)state;
    struct seen seen;
    begin();
    put("a", 0, 100, LINES({1, 1, 1}));
    put("b", 0, 50, LINES({1, 1, 1}, {2, 1, 1}));
    put("c", 0, 300, LINES({1, 1, 1}));
    assert_int_equal(cancel("b", 1000), PUT_ACCEPTED);
    assert_int_equal(cancel("b", 1001), PUT_DUPLICATE);
    assert_int_equal(put("b", 0, 50, LINES({7, 1, 1})), PUT_CANCELLED);
    assert_int_equal(cancel("late", 1000), PUT_ACCEPTED);
    assert_int_equal(cancel("late", 1000), PUT_DUPLICATE);
    assert_int_equal(put("late", 0, 70, LINES({7, 1, 1})), PUT_CANCELLED);
    commit();
    assert_string_equal(scan(&seen), "a/0/100: 1x1@1\nc/0/300: 1x1@1\n");
    struct order_stats s = stats();
    assert_int_equal(s.orders, 2);
    assert_int_equal(s.lines, 2);
    assert_int_equal(s.cancelled, 2);
    assert_int_equal(s.changes, 5);
    assert_int_equal(s.first_ms, 100);
    assert_int_equal(s.last_ms, 300);
}

static void the_last_time_follows_a_cancelled_newest_order(void **state)
{
    (void)state;
    begin();
    put("a", 0, 100, LINES({1, 1, 1}));
    put("b", 0, 200, LINES({1, 1, 1}));
    put("c", 0, 300, LINES({1, 1, 1}));
    cancel("c", 400);
    commit();
    assert_int_equal(stats().last_ms, 200);
    begin();
    put("d", 0, 250, LINES({1, 1, 1})); /* below the bound that is left */
    commit();
    assert_int_equal(stats().last_ms, 250);
    begin();
    put("e", 0, 300, LINES({1, 1, 1})); /* at it: exact again, without a scan */
    assert_true(db->totals.last_exact);
    assert_int_equal(put("b", 0, 50, LINES({1, 1, 1})), PUT_REPLACED);
    commit();
    assert_int_equal(stats().last_ms, 300);
    assert_int_equal(stats().first_ms, 50);
}

static void stored_lines_are_plain_json_for_sql(void **state)
{
    (void)state;
    begin();
    put("a", 0, 100, LINES({3, 2, 250}, {1, 4, ORDER_NO_PRICE}));
    commit();
    int64_t sum;
    assert_int_equal(
        sql_integer(db,
                    "SELECT sum(json_extract(value, '$[0]') * json_extract(value, '$[1]')) "
                    "FROM orders, json_each(orders.lines)",
                    &sum, NULL),
        0);
    assert_int_equal(sum, 10);
    assert_int_equal(sql_integer(db,
                                 "SELECT count(*) FROM orders, json_each(orders.lines) "
                                 "WHERE json_extract(value, '$[2]') IS NULL",
                                 &sum, NULL),
                     0);
    assert_int_equal(sum, 1);
}

static void a_visitor_stops_the_scan(void **state)
{
    (void)state;
    begin();
    put("a", 0, 1, LINES({1, 1, 1}));
    put("b", 0, 1, LINES({1, 1, 1}));
    commit();
    struct seen seen = {.stop_after = 1};
    struct error err = ERROR_INIT;
    uint64_t damaged;
    assert_int_equal(orders_scan(db, note_order, &seen, NULL, &damaged, &err), ERR_LIMIT);
    assert_string_equal(err.text, "enough");
    assert_int_equal(seen.visits, 1);
    assert_string_equal(scan(&seen), "a/0/1: 1x1@1\nb/0/1: 1x1@1\n"); /* and the next one works */
}

static int count_order(void *context, const struct order_row *row, struct error *err)
{
    (void)row;
    (void)err;
    ++*(int *)context;
    return 0;
}

static int cancel_progress(void *context, const struct order_row *row, struct error *err)
{
    (void)row;
    (void)err;
    progress_cancel(context);
    return 0;
}

static void a_scan_shows_progress_and_is_cancelled(void **state)
{
    (void)state;
    begin();
    for (int i = 0; i < 3000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        put(id, 0, i, LINES({1, 1, 1}));
    }
    commit();
    struct progress progress;
    uint64_t damaged;
    int visits = 0;
    progress_init(&progress);
    assert_int_equal(orders_scan(db, count_order, &visits, &progress, &damaged, NULL), 0);
    assert_int_equal(visits, 3000);
    assert_int_equal(progress.total, 3000);
    assert_int_equal(progress.done, 3000);
    assert_int_equal(orders_scan(db, cancel_progress, &progress, &progress, &damaged, NULL),
                     ERR_CANCELLED);
    assert_true(progress.done < 2000);
}

static void damaged_rows_are_skipped_and_counted(void **state)
{
    (void)state;
    begin();
    put("a", 0, 1, LINES({1, 1, 1}));
    put("b", 0, 1, LINES({1, 1, 1}));
    put("c", 0, 1, LINES({1, 1, 1}));
    commit();
    assert_int_equal(sqlite3_exec(db->handle,
                                  "UPDATE orders SET lines = '[[1,1' WHERE order_id = 'b'", NULL,
                                  NULL, NULL),
                     SQLITE_OK);
    struct seen seen = {0};
    uint64_t damaged;
    assert_int_equal(orders_scan(db, note_order, &seen, NULL, &damaged, NULL), 0);
    assert_int_equal(damaged, 1);
    assert_string_equal(seen.text, "a/0/1: 1x1@1\nc/0/1: 1x1@1\n");
}

static void the_newest_orders_of_a_user_come_first(void **state)
{
    (void)state;
    begin();
    put("a", 7, 300, LINES({1, 1, 1}));
    put("b", 8, 400, LINES({1, 1, 1}));
    put("c", 7, 100, LINES({2, 1, 1}));
    put("d", 7, 300, LINES({3, 1, 1}));
    put("e", 7, 500, LINES({4, 1, 1}));
    cancel("e", 600);
    commit();
    struct seen seen = {0};
    assert_int_equal(orders_of_user(db, 7, 10, note_order, &seen, NULL), 0);
    assert_string_equal(seen.text, "d/7/300: 3x1@1\na/7/300: 1x1@1\nc/7/100: 2x1@1\n");
    seen = (struct seen){0};
    assert_int_equal(orders_of_user(db, 7, 1, note_order, &seen, NULL), 0);
    assert_string_equal(seen.text, "d/7/300: 3x1@1\n");
    seen = (struct seen){0};
    assert_int_equal(orders_of_user(db, 99, 10, note_order, &seen, NULL), 0);
    assert_string_equal(seen.text, "");
}

static void put_event(const char *id, uint64_t user, int64_t time_ms)
{
    enum put_outcome outcome;
    struct event_row row = {.event_id = str_of(id), .user = user, .item = 1, .time_ms = time_ms};
    assert_int_equal(events_put(db, &row, &outcome, NULL), 0);
    assert_int_equal(outcome, PUT_ACCEPTED);
}

static void old_orders_and_events_expire_in_pieces(void **state)
{
    (void)state;
    uint32_t deleted;
    uint64_t events;
    begin();
    for (int i = 0; i < 10; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        put(id, 0, 100 * i, LINES({1, 1, 1}, {2, 1, 1}));
        put_event(id, 0, 100 * i);
    }
    cancel("1", 5000);
    assert_int_equal(orders_expire(db, 600, 4, &deleted, NULL), 0);
    assert_int_equal(deleted, 4);
    assert_int_equal(orders_expire(db, 600, 4, &deleted, NULL), 0);
    assert_int_equal(deleted, 4); /* 2 orders, 2 events */
    commit();
    begin();
    assert_int_equal(orders_expire(db, 600, 10, &deleted, NULL), 0);
    assert_int_equal(deleted, 4);
    assert_int_equal(orders_expire(db, 600, 10, &deleted, NULL), 0);
    assert_int_equal(deleted, 0);
    commit();
    struct order_stats s = stats();
    assert_int_equal(s.orders, 4);
    assert_int_equal(s.cancelled, 0);
    assert_int_equal(s.lines, 8);
    assert_int_equal(s.first_ms, 600);
    assert_int_equal(s.last_ms, 900);
    assert_int_equal(s.changes, 11);
    assert_int_equal(events_count(db, &events, NULL), 0);
    assert_int_equal(events, 4);
    assert_true(db->totals.loaded == false);
    begin();
    assert_int_equal(orders_expire(db, 10000, 100, &deleted, NULL), 0);
    commit();
    s = stats();
    assert_int_equal(s.orders, 0);
    assert_int_equal(s.first_ms, 0);
    assert_int_equal(s.last_ms, 0);
}

static void an_order_of_a_million_lines_is_kept(void **state)
{
    (void)state;
    struct order_line *lines = malloc(1000000 * sizeof *lines);
    assert_non_null(lines);
    for (uint32_t i = 0; i < 1000000; i++)
        lines[i] = (struct order_line){4294967294u - i, INT64_MAX, INT64_MIN + 1};
    begin();
    assert_int_equal(put("giant", 0, 1, lines, 1000000), PUT_ACCEPTED);
    assert_int_equal(put("giant", 0, 1, lines, 1000000), PUT_DUPLICATE);
    commit();
    assert_int_equal(stats().lines, 1000000);
    assert_true(db->json.cap < (2u << 20)); /* the scratch was given back */
    free(lines);
}

static void every_failed_allocation_is_reported_and_harmless(void **state)
{
    (void)state;
    struct order_line lines[40];
    for (uint32_t i = 0; i < 40; i++)
        lines[i] = (struct order_line){100 - i, 1, 1};
    struct order_row row = {.order_id = STR("a"), .time_ms = 1, .lines = lines, .line_count = 40};
    enum put_outcome outcome;
    int rc = ERR_NOMEM;
    unsigned n;
    for (n = 1; rc; n++) {
        struct error err = ERROR_INIT;
        begin();
        oom_fail_at(n);
        rc = orders_put(db, &row, &outcome, &err);
        oom_disarm();
        assert_true(rc == 0 || (rc == ERR_NOMEM && err.code == ERR_NOMEM));
        commit();
        assert_int_equal(stats().orders, rc == 0);
    }
    assert_true(n > 3);
    rc = ERR_NOMEM;
    for (n = 1; rc; n++) {
        struct seen seen = {0};
        uint64_t damaged;
        oom_fail_at(n);
        rc = orders_scan(db, note_order, &seen, NULL, &damaged, NULL);
        oom_disarm();
        assert_true(rc == 0 || rc == ERR_NOMEM);
    }
    assert_true(n > 2);
    rc = ERR_NOMEM;
    for (n = 1; rc; n++) {
        uint32_t deleted;
        begin();
        oom_fail_at(n);
        rc = orders_expire(db, 100, 10, &deleted, NULL);
        oom_disarm();
        assert_true(rc == 0 || rc == ERR_NOMEM);
        if (rc)
            db_rollback(db);
        else
            commit();
        assert_int_equal(stats().orders, rc != 0);
    }
    assert_true(n > 2);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_order_is_stored_sorted_and_scanned_in_order_of_arrival),
        TEST(an_equal_order_is_a_duplicate_and_another_replaces),
        TEST(without_a_time_the_arrival_counts),
        TEST(a_cancelled_order_stays_out_whatever_comes),
        TEST(the_last_time_follows_a_cancelled_newest_order),
        TEST(stored_lines_are_plain_json_for_sql),
        TEST(a_visitor_stops_the_scan),
        TEST(a_scan_shows_progress_and_is_cancelled),
        TEST(damaged_rows_are_skipped_and_counted),
        TEST(the_newest_orders_of_a_user_come_first),
        TEST(old_orders_and_events_expire_in_pieces),
        TEST(an_order_of_a_million_lines_is_kept),
        TEST(every_failed_allocation_is_reported_and_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
