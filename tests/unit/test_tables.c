/* Items, users, events, jobs, keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/events.h"
#include "store/items.h"
#include "store/joblog.h"
#include "store/keys.h"
#include "store/sql.h"
#include "store/users.h"
#include "support/oom.h"
#include "support/tempdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tempdir dir;
static struct db *db;

static void reopen(void)
{
    struct error err = ERROR_INIT;
    db_close(db);
    db = db_open(tempdir_file(&dir, "orders.db"), "orders", DB_WRITE, &err);
    if (!db)
        fail_msg("%s", err.text);
}

static int setup(void **state)
{
    (void)state;
    tempdir_open(&dir);
    reopen();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_close(db);
    db = NULL;
    tempdir_close(&dir);
    return 0;
}

static void begin(void)
{
    assert_int_equal(db_begin(db, NULL), 0);
}

static void commit(void)
{
    assert_int_equal(db_commit(db, NULL), 0);
}

static void run(const char *sql)
{
    if (sqlite3_exec(db->handle, sql, NULL, NULL, NULL))
        fail_msg("%s: %s", sql, sqlite3_errmsg(db->handle));
}

static int stop(void *context, const void *row, struct error *err)
{
    (void)context;
    (void)row;
    return error_set(err, ERR_LIMIT, "enough");
}

/* Items. */

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
    return stop(context, row, err);
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

/* Users and events. */

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
    reopen();
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

/* Jobs. */

struct jobs_seen {
    char text[1024];
};

static int note_job(void *context, const struct job_row *row, struct error *err)
{
    (void)err;
    struct jobs_seen *seen = context;
    size_t used = strlen(seen->text);
    snprintf(seen->text + used, sizeof seen->text - used,
             "%lld %s %s %lld/%lld/%lld %llu/%llu %.*s %.*s %.*s\n", (long long)row->id,
             job_kind_name(row->kind), job_state_name(row->state), (long long)row->created_ms,
             (long long)row->started_ms, (long long)row->finished_ms, (unsigned long long)row->done,
             (unsigned long long)row->total, STR_ARG(row->request), STR_ARG(row->report),
             STR_ARG(row->error));
    return 0;
}

static struct job_row add_job(enum job_kind kind, enum job_state state)
{
    struct job_row row = {
        .kind = kind, .state = state, .created_ms = 10, .request = STR("{\"spool\":\"x\"}")};
    assert_int_equal(joblog_add(db, &row, NULL), 0);
    return row;
}

static void a_job_is_added_changed_and_read(void **state)
{
    (void)state;
    struct jobs_seen seen = {0};
    struct job_row row = add_job(JOB_IMPORT, JOB_QUEUED);
    assert_int_equal(row.id, 1);
    row.state = JOB_FAILED;
    row.started_ms = 20;
    row.finished_ms = 30;
    row.done = 5;
    row.total = 9;
    row.report = STR("{\"a\":1}");
    row.error = STR("no");
    row.kind = JOB_BACKUP; /* kind and request never change */
    row.request = STR("{\"other\":1}");
    assert_int_equal(joblog_update(db, &row, NULL), 0);
    reopen();
    assert_int_equal(joblog_get(db, row.id, note_job, &seen, NULL), 0);
    assert_string_equal(seen.text, "1 import failed 10/20/30 5/9 {\"spool\":\"x\"} {\"a\":1} no\n");
}

static void an_unknown_job_is_not_found(void **state)
{
    (void)state;
    struct jobs_seen seen = {0};
    struct error err = ERROR_INIT;
    struct job_row row = {.id = 7};
    assert_int_equal(joblog_get(db, 7, note_job, &seen, &err), ERR_NOT_FOUND);
    assert_string_equal(err.text, "job 7: not found");
    assert_int_equal(joblog_update(db, &row, NULL), ERR_NOT_FOUND);
}

struct ids_seen {
    int64_t id[16];
    enum job_state state[16];
    int count;
};

static int note_id(void *context, const struct job_row *row, struct error *err)
{
    (void)err;
    struct ids_seen *seen = context;
    seen->state[seen->count] = row->state;
    seen->id[seen->count++] = row->id;
    return 0;
}

static void jobs_are_listed_newest_first_by_pages(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        add_job(JOB_TRAIN, JOB_DONE);
    struct ids_seen seen = {0};
    assert_int_equal(joblog_list(db, 0, 2, note_id, &seen, NULL), 0);
    assert_int_equal(joblog_list(db, 4, 10, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 5);
    for (int i = 0; i < 5; i++)
        assert_int_equal(seen.id[i], 5 - i);
}

static void running_jobs_are_found_interrupted_at_the_start(void **state)
{
    (void)state;
    struct ids_seen seen = {0};
    add_job(JOB_TRAIN, JOB_DONE);
    add_job(JOB_IMPORT, JOB_RUNNING);
    add_job(JOB_IMPORT, JOB_QUEUED);
    add_job(JOB_IMPORT, JOB_CANCELLED);
    reopen();
    assert_int_equal(joblog_recover(db, 500, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.id[0], 2);
    assert_int_equal(seen.state[0], JOB_INTERRUPTED);
    assert_int_equal(seen.id[1], 3);
    assert_int_equal(seen.state[1], JOB_QUEUED);
    int64_t finished_ms;
    assert_int_equal(
        sql_integer(db, "SELECT finished_ms FROM jobs WHERE job_id = 2", &finished_ms, NULL), 0);
    assert_int_equal(finished_ms, 500);
}

static void only_ended_jobs_are_pruned_and_ids_are_never_reused(void **state)
{
    (void)state;
    struct ids_seen seen = {0};
    add_job(JOB_TRAIN, JOB_DONE);
    add_job(JOB_TRAIN, JOB_QUEUED);
    add_job(JOB_TRAIN, JOB_FAILED);
    add_job(JOB_TRAIN, JOB_CANCELLED);
    assert_int_equal(joblog_prune(db, 1, NULL), 0);
    assert_int_equal(joblog_list(db, 0, 10, note_id, &seen, NULL), 0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.id[0], 4);
    assert_int_equal(seen.id[1], 2);
    assert_int_equal(joblog_prune(db, 0, NULL), 0);
    assert_int_equal(add_job(JOB_TRAIN, JOB_QUEUED).id, 5);
}

static void a_job_of_an_unknown_state_is_damage(void **state)
{
    (void)state;
    struct jobs_seen seen = {0};
    add_job(JOB_TRAIN, JOB_DONE);
    run("UPDATE jobs SET state = 'dreaming'");
    assert_int_equal(joblog_get(db, 1, note_job, &seen, NULL), ERR_CORRUPT);
}

/* Keys. */

static int note_key(void *context, const struct key_row *row, struct error *err)
{
    (void)err;
    char *text = context;
    size_t used = strlen(text);
    snprintf(text + used, 256 - used, "%s %02x%02x %u %.*s %lld %lld\n", row->id, row->hash[0],
             row->hash[KEY_HASH_BYTES - 1], row->scopes, STR_ARG(row->label),
             (long long)row->created_ms, (long long)row->revoked_ms);
    return 0;
}

static void keys_are_added_revoked_and_scanned(void **state)
{
    (void)state;
    struct key_row row = {.id = "0123456789abcdef",
                          .hash = {[0] = 0xab, [KEY_HASH_BYTES - 1] = 0xcd},
                          .scopes = SCOPE_READ | SCOPE_METRICS,
                          .label = STR("shop"),
                          .created_ms = 5};
    struct key_row second = {.id = "f", .scopes = SCOPE_ADMIN, .created_ms = 6};
    char text[256] = "";
    assert_int_equal(keys_add(db, &row, NULL), 0);
    assert_int_equal(keys_add(db, &second, NULL), 0);
    assert_int_equal(keys_add(db, &row, NULL), ERR_CONFLICT);
    assert_int_equal(keys_revoke(db, STR("0123456789abcdef"), 9, NULL), 0);
    assert_int_equal(keys_revoke(db, STR("0123456789abcdef"), 99, NULL), 0); /* stays at 9 */
    assert_int_equal(keys_revoke(db, STR("unknown"), 9, NULL), ERR_NOT_FOUND);
    reopen();
    assert_int_equal(keys_scan(db, note_key, text, NULL), 0);
    assert_string_equal(text, "0123456789abcdef abcd 9 shop 5 9\nf 0000 4  6 0\n");
}

static void a_damaged_key_is_reported(void **state)
{
    (void)state;
    struct key_row row = {.id = "a", .scopes = SCOPE_READ};
    char text[256] = "";
    assert_int_equal(keys_add(db, &row, NULL), 0);
    run("UPDATE keys SET hash = x'0102'");
    assert_int_equal(keys_scan(db, note_key, text, NULL), ERR_CORRUPT);
    run("UPDATE keys SET hash = zeroblob(32), key_id = '0123456789abcdef0'");
    assert_int_equal(keys_scan(db, note_key, text, NULL), ERR_CORRUPT);
    assert_string_equal(text, "");
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(items_come_back_by_key_with_their_unknowns),
        TEST(putting_an_item_again_replaces_the_whole_row),
        TEST(one_id_cannot_have_two_keys),
        TEST(a_scan_of_items_stops_for_its_visitor_and_at_damage),
        TEST(a_user_has_one_key_for_ever),
        TEST(what_is_stored_about_a_user_is_counted),
        TEST(erasing_a_user_unlinks_or_deletes_the_orders),
        TEST(an_erased_id_is_not_in_the_file_any_more),
        TEST(events_are_written_once_and_scanned_from_a_time),
        TEST(a_scan_of_events_is_cancelled),
        TEST(a_job_is_added_changed_and_read),
        TEST(an_unknown_job_is_not_found),
        TEST(jobs_are_listed_newest_first_by_pages),
        TEST(running_jobs_are_found_interrupted_at_the_start),
        TEST(only_ended_jobs_are_pruned_and_ids_are_never_reused),
        TEST(a_job_of_an_unknown_state_is_damage),
        TEST(keys_are_added_revoked_and_scanned),
        TEST(a_damaged_key_is_reported),
        TEST(a_failed_allocation_while_erasing_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
