#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "service/live.h"
#include "service/trainer.h"
#include "service/writer.h"
#include "store/sql.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct shopkit kit;

static int setup(void **state)
{
    (void)state;
    log_set_level(LOG_LEVEL_ERROR);
    shopkit_init(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    shopkit_close(&kit);
    return 0;
}

static void a_second_process_is_told_who_has_the_directory(void **state)
{
    (void)state;
    assert_int_equal(shop_describe(kit.shop, "127.0.0.1:4711", NULL), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct error err = ERROR_INIT;
        struct shop *second = shop_open(&kit.settings, SHOP_COMMAND, &err);
        _exit(!second && err.code == ERR_CONFLICT && strstr(err.text, "127.0.0.1:4711") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void execute(const char *database, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(database, &db), SQLITE_OK);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static int64_t count_in(const char *database, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *s;
    assert_int_equal(sqlite3_open_v2(database, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &s, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(s), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(s, 0);
    sqlite3_finalize(s);
    sqlite3_close(db);
    return value;
}

static void a_newer_schema_is_refused(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    char path[4200];
    shopkit_shut(&kit);
    snprintf(path, sizeof path, "%s/orders.db", kit.settings.data);
    execute(path, "INSERT INTO migrations SELECT max(number) + 1, 'later', 0, 0 FROM migrations");
    kit.shop = shop_open(&kit.settings, SHOP_COMMAND, &err);
    assert_null(kit.shop);
    assert_int_equal(err.code, ERR_CONFLICT);
}

/* Orders keep coming while the copy is made: it holds a prefix of them, whole. */
struct stream {
    pthread_t thread;
    atomic_bool stop;
    _Atomic uint32_t written;
};

static void *keep_writing(void *context)
{
    struct stream *self = context;
    for (uint32_t i = 0; !atomic_load(&self->stop); i++) {
        char text[128];
        snprintf(text, sizeof text, "{\"order_id\":\"s%u\",\"items\":[{\"item_id\":\"x%u\"}]}\n", i,
                 i % 50);
        if (shopkit_ingest(&kit, text, NULL) != 0)
            return (void *)1;
        atomic_store(&self->written, i + 1);
    }
    return NULL;
}

static void a_backup_beside_a_writer_is_a_prefix(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct train_outcome outcome;
    shopkit_orders(&kit, "o", 2000, 100, 3);
    assert_int_equal(train_run(kit.shop, NULL, &outcome, &err), 0);
    struct stream stream = {.stop = false};
    assert_int_equal(pthread_create(&stream.thread, NULL, keep_writing, &stream), 0);
    while (atomic_load(&stream.written) < 5)
        usleep(1000);
    char file[256], models[300];
    snprintf(file, sizeof file, "%s", tempdir_file(&kit.dir, "copy.db"));
    snprintf(models, sizeof models, "%s.models", file);
    uint32_t before = atomic_load(&stream.written);
    if (shop_backup(&kit.settings, file, &err) != 0)
        fail_msg("%s", err.text);
    uint32_t after = atomic_load(&stream.written);
    atomic_store(&stream.stop, true);
    void *bad;
    pthread_join(stream.thread, &bad);
    assert_null(bad);
    int64_t streamed = count_in(file, "SELECT count(*) FROM orders WHERE order_id LIKE 's%'");
    assert_true(streamed >= before && streamed <= (int64_t)after + 1);
    char highest[128];
    snprintf(highest, sizeof highest, "SELECT count(*) FROM orders WHERE order_id = 's%lld'",
             (long long)streamed - 1);
    assert_int_equal(count_in(file, highest), 1);
    assert_int_equal(count_in(file, "SELECT count(*) FROM orders WHERE order_id LIKE 'o%'"), 2000);
    assert_int_equal(count_in(models, "SELECT count(*) FROM models WHERE live = 1"), 1);
    assert_int_equal(shop_backup(&kit.settings, file, NULL), ERR_CONFLICT);

    /* Restored: the two files are all it takes. */
    struct shopkit restored;
    shopkit_init(&restored);
    char command[4400];
    assert_int_equal(mkdir(restored.settings.data, 0700), 0);
    snprintf(command, sizeof command, "%s/orders.db", restored.settings.data);
    assert_int_equal(rename(file, command), 0);
    snprintf(command, sizeof command, "%s/models.db", restored.settings.data);
    assert_int_equal(rename(models, command), 0);
    shopkit_open(&restored, SHOP_COMMAND);
    struct shop_health health;
    shop_health(restored.shop, &health);
    assert_int_equal(health.model_id, outcome.model_id);
    shopkit_close(&restored);
}

static void a_backup_needs_no_running_server(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 10, 10, 1);
    shopkit_shut(&kit);
    char file[256];
    snprintf(file, sizeof file, "%s", tempdir_file(&kit.dir, "copy.db"));
    assert_int_equal(shop_backup(&kit.settings, file, NULL), 0);
    assert_int_equal(count_in(file, "SELECT count(*) FROM orders"), 10);
    snprintf(kit.settings.data, sizeof kit.settings.data, "%s/elsewhere", kit.dir.path);
    assert_true(shop_backup(&kit.settings, tempdir_file(&kit.dir, "no.db"), NULL) != 0);
    assert_int_not_equal(access(tempdir_file(&kit.dir, "no.db"), F_OK), 0);
}

/* max_page_count makes SQLite answer SQLITE_FULL as a full disk does. */
struct limit_op {
    struct op op;
    int pages_more; /* 0: as many as there may be */
};

static int limit_run(struct shop *shop, struct op *op, struct error *err)
{
    struct limit_op *self = (struct limit_op *)op;
    struct db *db = writer_db(shop->writer);
    char sql[64];
    int64_t pages = 4294967294;
    if (self->pages_more) {
        int rc = sql_integer(db, "PRAGMA page_count", &pages, err);
        if (rc != 0)
            return rc;
        pages += self->pages_more;
    }
    snprintf(sql, sizeof sql, "PRAGMA max_page_count = %lld", (long long)pages);
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) ? ERR_DB : 0;
}

static void limit_pages(int more)
{
    struct limit_op self = {.op = {.run = limit_run, .cost = 1}, .pages_more = more};
    assert_int_equal(shop_write_wait(kit.shop, &self.op, NULL), 0);
}

static void a_full_disk_refuses_writes_keeps_answers_and_recovers(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 100, 20, 2);
    limit_pages(8);
    struct shop_health health;
    int rc = 0;
    uint32_t taken = 0;
    char text[300];
    for (; rc == 0 && taken < 5000; taken += rc == 0) {
        snprintf(text, sizeof text,
                 "{\"order_id\":\"%0200u\",\"items\":[{\"item_id\":\"full%u\"}]}\n", taken, taken);
        rc = shopkit_ingest(&kit, text, NULL);
    }
    assert_int_equal(rc, ERR_FULL);
    shop_health(kit.shop, &health);
    assert_false(health.store_writable);
    assert_true(strlen(health.store_problem) > 0);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 100 + taken);
    snprintf(text, sizeof text, "full%u", taken);
    assert_int_equal(catalog_find(&kit.shop->catalog, str_of(text)), CATALOG_NONE);
    struct user_op user;
    user_show_prepare(&user, STR("u1"), NULL);
    assert_int_equal(shop_read_wait(kit.shop, &user.op, NULL), 0); /* reading goes on */
    limit_pages(0);
    shopkit_orders(&kit, "p", 200, 20, 2);
    shop_health(kit.shop, &health);
    assert_true(health.store_writable);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 300 + taken);
    assert_int_equal(shopkit_count(&kit, "SELECT integrity_check = 'ok' FROM "
                                         "pragma_integrity_check LIMIT 1"),
                     1);
}

static void a_catalogue_survives_a_restart_whole(void **state)
{
    (void)state;
    assert_int_equal(shopkit_ingest(&kit,
                                    "{\"kind\":\"item\",\"item_id\":\"a\",\"title\":\"T\","
                                    "\"category\":[\"C\",\"D\"],\"price\":2.5,\"stock\":7,"
                                    "\"attributes\":{\"k\":\"v\"},\"available\":false}\n",
                                    NULL),
                     0);
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    const struct catalog_item *item =
        catalog_at(&kit.shop->catalog, catalog_find(&kit.shop->catalog, STR("a")));
    assert_non_null(item);
    assert_true(str_eq(item->title, STR("T")));
    assert_true(str_eq(item->category, STR("[\"C\",\"D\"]")));
    assert_true(str_eq(item->attributes, STR("{\"k\":\"v\"}")));
    assert_int_equal(item->price_minor, 250);
    assert_int_equal(item->stock, 7);
    assert_false(item->available);
}

/* The child tells every acknowledged order through a pipe, one byte each, until it is killed. */
static void acknowledge_until_killed(int round, int pipe_end)
{
    shopkit_open(&kit, SHOP_SERVE);
    for (uint32_t i = 0;; i++) {
        char text[128];
        snprintf(
            text, sizeof text,
            "{\"order_id\":\"r%d-%u\",\"user_id\":\"u%u\",\"items\":[{\"item_id\":\"r%dx%u\"}]}\n",
            round, i, i % 7, round, i % 50);
        if (shopkit_ingest(&kit, text, NULL) != 0 || write(pipe_end, "!", 1) != 1)
            _exit(1);
    }
}

static void what_was_acknowledged_survives_kills(void **state)
{
    (void)state;
    enum { ROUNDS = 12 };
    int64_t acknowledged = 0;
    shopkit_shut(&kit);
    for (int round = 0; round < ROUNDS; round++) {
        int ends[2];
        assert_int_equal(pipe(ends), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            acknowledge_until_killed(round, ends[1]);
        close(ends[1]);
        char byte;
        for (int i = 0; i < 5 + round * 7; i++)
            acknowledged += read(ends[0], &byte, 1) == 1;
        assert_int_equal(kill(child, SIGKILL), 0);
        while (read(ends[0], &byte, 1) == 1)
            acknowledged++;
        close(ends[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
    }
    shopkit_open(&kit, SHOP_COMMAND);
    int64_t orders = shopkit_count(&kit, "SELECT count(*) FROM orders");
    assert_true(orders >= acknowledged && orders <= acknowledged + ROUNDS);
    assert_int_equal(shopkit_count(&kit, "SELECT orders FROM totals"), orders);
    assert_int_equal(shopkit_count(&kit, "SELECT integrity_check = 'ok' FROM "
                                         "pragma_integrity_check LIMIT 1"),
                     1);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders, json_each(lines) WHERE "
                                         "value ->> 0 NOT IN (SELECT item_key FROM items)"),
                     0);
}

static void draining_is_said(void **state)
{
    (void)state;
    struct shop_health health;
    shop_health(kit.shop, &health);
    assert_false(health.draining);
    assert_false(health.model_loaded);
    shop_set_draining(kit.shop);
    shop_health(kit.shop, &health);
    assert_true(health.draining);
}

static void a_failed_allocation_opens_nothing_half(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct train_outcome outcome;
    shopkit_orders(&kit, "o", 50, 10, 1);
    assert_int_equal(train_run(kit.shop, NULL, &outcome, &err), 0);
    shopkit_shut(&kit);
    uint32_t failed = 0;
    OOM_LOOP
    {
        error_clear(&err);
        kit.shop = shop_open(&kit.settings, SHOP_SERVE, &err);
        if (!kit.shop && err.code != ERR_NOMEM)
            fail_msg("%s: %s", err_name(err.code), err.text);
        failed += !kit.shop;
        shopkit_shut(&kit);
    }
    assert_true(failed > 20);
    shopkit_open(&kit, SHOP_SERVE);
    struct model *model = live_ref(kit.shop->live);
    assert_non_null(model);
    model_unref(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_second_process_is_told_who_has_the_directory), /* forks before OpenMP has threads */
        T(what_was_acknowledged_survives_kills),
        T(a_newer_schema_is_refused),
        T(a_backup_beside_a_writer_is_a_prefix),
        T(a_backup_needs_no_running_server),
        T(a_full_disk_refuses_writes_keeps_answers_and_recovers),
        T(a_catalogue_survives_a_restart_whole),
        T(draining_is_said),
        T(a_failed_allocation_opens_nothing_half),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
