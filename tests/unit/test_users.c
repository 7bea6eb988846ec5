#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/events.h"
#include "store/users.h"
#include "support/oom.h"
#include "support/orders_db.h"

#include <stdio.h>
#include <string.h>

static uint64_t key_of(const char *name, bool add)
{
    uint64_t key = 99;
    assert_int_equal(users_key(db, str_of(name), add, &key, NULL), 0);
    return key;
}

static void put_order(const char *id, uint64_t user, int64_t time_ms)
{
    struct order_line line = {1, 1, 1};
    struct order_row row = {
        .order_id = str_of(id), .user = user, .time_ms = time_ms, .lines = &line, .line_count = 1};
    enum put_outcome outcome;
    assert_int_equal(orders_put(db, &row, &outcome, NULL), 0);
}

static enum put_outcome put_event(const char *id, uint64_t user, int64_t time_ms)
{
    struct event_row row = {.event_id = str_of(id),
                            .session_id = STR("s1"),
                            .user = user,
                            .item = 4000000000u,
                            .kind = 3,
                            .time_ms = time_ms};
    enum put_outcome outcome;
    assert_int_equal(events_put(db, &row, &outcome, NULL), 0);
    return outcome;
}

static void a_user_has_one_key_for_ever(void **state)
{
    (void)state;
    begin();
    assert_int_equal(key_of("ann", false), 0);
    uint64_t ann = key_of("ann", true), bob = key_of("bob", true);
    assert_true(ann > 0 && bob > 0 && ann != bob);
    assert_int_equal(key_of("ann", true), ann);
    commit();
    orders_db_reopen();
    assert_int_equal(key_of("ann", false), ann);
    assert_int_equal(key_of("ANN", false), 0);
}

static void what_is_stored_about_a_user_is_counted(void **state)
{
    (void)state;
    struct user_stats s;
    begin();
    uint64_t ann = key_of("ann", true), bob = key_of("bob", true), eve = key_of("eve", true);
    put_order("1", ann, 500);
    put_order("2", ann, 300);
    put_order("3", bob, 100);
    put_event("a", ann, 200);
    put_event("b", ann, 400);
    put_event("c", eve, 50);
    commit();
    assert_int_equal(users_stats(db, ann, &s, NULL), 0);
    assert_int_equal(s.orders, 2);
    assert_int_equal(s.events, 2);
    assert_int_equal(s.first_ms, 200);
    assert_int_equal(s.last_ms, 500);
    assert_int_equal(users_stats(db, bob, &s, NULL), 0);
    assert_int_equal(s.events, 0);
    assert_int_equal(s.first_ms, 100);
    assert_int_equal(s.last_ms, 100);
    assert_int_equal(users_stats(db, eve, &s, NULL), 0);
    assert_int_equal(s.orders, 0);
    assert_int_equal(s.first_ms, 50);
    assert_int_equal(s.last_ms, 50);
    assert_int_equal(users_stats(db, 12345, &s, NULL), 0);
    assert_int_equal(s.orders + s.events, 0);
    assert_int_equal(s.first_ms, 0);
    assert_int_equal(s.last_ms, 0);
}

static void count_all(uint64_t *orders, uint64_t *events)
{
    struct order_stats s;
    assert_int_equal(orders_stats(db, &s, NULL), 0);
    *orders = s.orders;
    assert_int_equal(events_count(db, events, NULL), 0);
}

static void erasing_a_user_unlinks_or_deletes_the_orders(void **state)
{
    (void)state;
    struct user_stats erased, left;
    uint64_t orders, events;
    begin();
    uint64_t ann = key_of("ann", true), bob = key_of("bob", true);
    put_order("1", ann, 500);
    put_order("2", bob, 600);
    put_order("3", bob, 700);
    put_event("a", ann, 200);
    put_event("b", bob, 200);
    put_event("c", 0, 200);
    commit();
    begin();
    assert_int_equal(users_erase(db, ann, false, &erased, NULL), 0);
    commit();
    assert_int_equal(erased.orders, 1);
    assert_int_equal(erased.events, 1);
    assert_int_equal(key_of("ann", false), 0);
    count_all(&orders, &events);
    assert_int_equal(orders, 3);
    assert_int_equal(events, 2);
    begin();
    assert_int_equal(users_erase(db, bob, true, &erased, NULL), 0);
    commit();
    assert_int_equal(erased.orders, 2);
    count_all(&orders, &events);
    assert_int_equal(orders, 1);
    assert_int_equal(events, 1);
    assert_int_equal(users_stats(db, bob, &left, NULL), 0);
    assert_int_equal(left.orders + left.events, 0);
}

static bool file_holds(const char *path, const char *needle)
{
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    static char bytes[1 << 20];
    size_t length = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    return memmem(bytes, length, needle, strlen(needle)) != NULL;
}

static void an_erased_id_is_not_in_the_file_any_more(void **state)
{
    (void)state;
    struct user_stats erased;
    begin();
    uint64_t key = key_of("quite-a-rare-name", true);
    put_event("event-of-quite-a-rare-name", key, 1);
    commit();
    assert_int_equal(db_checkpoint(db, 0, true, NULL), 0);
    assert_true(file_holds(tempdir_file(&dir, "orders.db"), "quite-a-rare-name"));
    begin();
    assert_int_equal(users_erase(db, key, true, &erased, NULL), 0);
    commit();
    assert_int_equal(db_checkpoint(db, 0, true, NULL), 0);
    assert_false(file_holds(tempdir_file(&dir, "orders.db"), "quite-a-rare-name"));
    assert_false(file_holds(tempdir_file(&dir, "orders.db-wal"), "quite-a-rare-name"));
}

struct events_seen {
    char text[256];
};

static int note_event(void *context, const struct event_row *row, struct error *err)
{
    (void)err;
    struct events_seen *seen = context;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used, "%.*s %.*s %llu %u %d %lld\n",
             STR_ARG(row->event_id), STR_ARG(row->session_id), (unsigned long long)row->user,
             row->item, row->kind, (long long)row->time_ms);
    return 0;
}

static void events_are_written_once_and_scanned_from_a_time(void **state)
{
    (void)state;
    struct events_seen seen = {0};
    uint64_t count;
    begin();
    assert_int_equal(put_event("a", 0, 300), PUT_ACCEPTED);
    assert_int_equal(put_event("b", 5, 100), PUT_ACCEPTED);
    assert_int_equal(put_event("c", 0, 200), PUT_ACCEPTED);
    assert_int_equal(put_event("a", 9, 999), PUT_DUPLICATE);
    commit();
    assert_int_equal(events_count(db, &count, NULL), 0);
    assert_int_equal(count, 3);
    assert_int_equal(events_scan(db, INT64_MIN, note_event, &seen, NULL, NULL), 0);
    assert_string_equal(seen.text, "a s1 0 4000000000 3 300\nb s1 5 4000000000 3 100\n"
                                   "c s1 0 4000000000 3 200\n");
    seen = (struct events_seen){0};
    assert_int_equal(events_scan(db, 200, note_event, &seen, NULL, NULL), 0);
    assert_string_equal(seen.text, "a s1 0 4000000000 3 300\nc s1 0 4000000000 3 200\n");
}

static int cancel_on_event(void *context, const struct event_row *row, struct error *err)
{
    (void)row;
    (void)err;
    progress_cancel(context);
    return 0;
}

static void a_scan_of_events_is_cancelled(void **state)
{
    (void)state;
    struct progress progress;
    begin();
    for (int i = 0; i < 2000; i++) {
        char id[16];
        snprintf(id, sizeof id, "%d", i);
        put_event(id, 0, i);
    }
    commit();
    progress_init(&progress);
    assert_int_equal(events_scan(db, 0, cancel_on_event, &progress, &progress, NULL),
                     ERR_CANCELLED);
    assert_int_equal(progress.total, 2000);
}

static void a_failed_allocation_while_erasing_is_harmless(void **state)
{
    (void)state;
    begin();
    uint64_t ann = key_of("ann", true);
    put_order("1", ann, 1);
    commit();
    OOM_LOOP
    {
        struct user_stats erased;
        begin();
        int rc = users_erase(db, ann, true, &erased, NULL);
        if (rc)
            db_rollback(db);
        else
            commit();
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    assert_int_equal(key_of("ann", false), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, orders_db_setup, orders_db_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_user_has_one_key_for_ever),
        TEST(what_is_stored_about_a_user_is_counted),
        TEST(erasing_a_user_unlinks_or_deletes_the_orders),
        TEST(an_erased_id_is_not_in_the_file_any_more),
        TEST(events_are_written_once_and_scanned_from_a_time),
        TEST(a_scan_of_events_is_cancelled),
        TEST(a_failed_allocation_while_erasing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
