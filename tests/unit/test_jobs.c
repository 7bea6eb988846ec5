#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/live.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
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
    shopkit_open(&kit, SHOP_SERVE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    clock_set_for_test(0);
    shopkit_close(&kit);
    return 0;
}

/* NDJSON of orders "PREFIX0"…; the caller frees. */
static char *orders_text(const char *prefix, uint32_t count)
{
    struct buf text;
    buf_init(&text, 0);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(
            &text,
            "{\"order_id\":\"%s%u\",\"items\":[{\"item_id\":\"i%u\"},{\"item_id\":\"j%u\"}]}\n",
            prefix, i, i % 100, i % 77);
    assert_non_null(buf_cstr(&text));
    size_t length;
    return buf_detach(&text, &length);
}

static int64_t submit_orders(const char *prefix, uint32_t count)
{
    char *text = orders_text(prefix, count);
    int64_t id = shopkit_submit_import(&kit, text, false);
    free(text);
    return id;
}

static uint32_t spooled_files(void)
{
    uint32_t count = 0;
    char path[SPOOL_PATH_BYTES];
    spool_path(kit.shop, "", path);
    DIR *directory = opendir(path);
    assert_non_null(directory);
    for (struct dirent *entry = readdir(directory); entry; entry = readdir(directory))
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static int64_t order_count(void)
{
    return shopkit_count(&kit, "SELECT count(*) FROM orders");
}

static int cancel(int64_t id, bool *was_running)
{
    struct job_cancel_op op;
    jobs_cancel_prepare(&op, id, NULL);
    int rc = shop_write_wait(kit.shop, &op.op, NULL);
    if (was_running)
        *was_running = op.was_running;
    return rc;
}

static void an_import_job_reports_and_deletes_its_spool_file(void **state)
{
    (void)state;
    int64_t id = submit_orders("o", 3000);
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_DONE);
    assert_int_equal(order_count(), 3000);
    shopkit_job_has(&kit, id, "\"kind\":\"import\",\"state\":\"done\"");
    shopkit_job_has(&kit, id, "\"report\":{\"orders\":{\"read\":3000,\"accepted\":3000,");
    shopkit_job_has(&kit, id, "\"step\":null,\"done\":null,\"total\":null");
    shopkit_job_has(&kit, id, "\"error\":null}");
    for (int i = 0; i < 200 && spooled_files(); i++)
        usleep(10000);
    assert_int_equal(spooled_files(), 0);
}

static void a_strict_import_with_a_bad_line_fails_with_its_report(void **state)
{
    (void)state;
    int64_t id = shopkit_submit_import(
        &kit, "{\"order_id\":\"1\",\"items\":[{\"item_id\":\"a\"}]}\nbad\n", true);
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_FAILED);
    shopkit_job_has(&kit, id, "\"error\":\"strict: 1 bad lines, nothing was written\"");
    shopkit_job_has(&kit, id, "\"errors\":[{\"line\":2,");
    assert_int_equal(order_count(), 0);
}

static void jobs_are_listed_newest_first_in_pages(void **state)
{
    (void)state;
    int64_t ids[5];
    for (int i = 0; i < 5; i++)
        ids[i] = submit_orders("o", 1);
    for (int i = 0; i < 5; i++)
        shopkit_wait_job(&kit, ids[i]);
    struct job_show_op op;
    jobs_show_prepare(&op, 0, NULL);
    op.limit = 2;
    assert_int_equal(shop_read_wait(kit.shop, &op.op, NULL), 0);
    assert_memory_equal(buf_cstr(&op.json), "{\"jobs\":[{\"id\":5,", 17);
    assert_non_null(strstr(op.json.ptr, "],\"next\":4}"));
    buf_deinit(&op.json);
    jobs_show_prepare(&op, 0, NULL);
    op.before = 3;
    assert_int_equal(shop_read_wait(kit.shop, &op.op, NULL), 0);
    assert_non_null(strstr(buf_cstr(&op.json), "{\"id\":2,"));
    assert_non_null(strstr(op.json.ptr, "],\"next\":null}"));
    buf_deinit(&op.json);
    jobs_show_prepare(&op, 99, NULL);
    assert_int_equal(shop_read_wait(kit.shop, &op.op, NULL), ERR_NOT_FOUND);
    buf_deinit(&op.json);
}

static void queued_and_running_imports_can_be_cancelled(void **state)
{
    (void)state;
    bool was_running;
    int64_t first = submit_orders("a", 60000), second = submit_orders("b", 10);
    assert_int_equal(cancel(second, &was_running), 0);
    assert_false(was_running);
    assert_int_equal(shopkit_wait_job(&kit, second), JOB_CANCELLED);
    assert_int_equal(cancel(second, NULL), ERR_CONFLICT);
    for (int i = 0; i < 500 && order_count() == 0; i++)
        usleep(1000);
    assert_int_equal(cancel(first, &was_running), 0);
    assert_true(was_running);
    assert_int_equal(shopkit_wait_job(&kit, first), JOB_CANCELLED);
    assert_true(order_count() < 60000);
    assert_int_equal(cancel(first, NULL), ERR_CONFLICT);
    assert_int_equal(cancel(12345, NULL), ERR_NOT_FOUND);
    for (int i = 0; i < 200 && spooled_files(); i++)
        usleep(10000);
    assert_int_equal(spooled_files(), 0);
}

static void a_running_import_shows_how_far_it_is(void **state)
{
    (void)state;
    int64_t id = submit_orders("a", 60000);
    for (int i = 0; i < 500 && order_count() == 0; i++)
        usleep(1000);
    shopkit_job_has(&kit, id, "\"state\":\"running\"");
    shopkit_job_has(&kit, id, "\"step\":\"reading\"");
    shopkit_job_has(&kit, id, "\"report\":null");
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_DONE);
    assert_int_equal(order_count(), 60000);
}

/* A training that takes long: every set of up to 8 of few items. */
static void long_training(void)
{
    kit.settings.max_length = 8;
    snprintf(kit.settings.min_support, sizeof kit.settings.min_support, "2");
    shopkit_orders(&kit, "o", 20000, 60, 8);
}

static void a_second_training_joins_the_queued_one(void **state)
{
    (void)state;
    long_training();
    int64_t running = shopkit_submit_train(&kit);
    usleep(300000);
    struct job_submit_op op;
    int64_t queued = shopkit_submit_train(&kit);
    assert_int_not_equal(queued, running);
    jobs_train_prepare(&op, NULL);
    assert_int_equal(shop_write_wait(kit.shop, &op.op, NULL), 0);
    assert_true(op.already);
    assert_int_equal(op.job_id, queued);
    assert_int_equal(jobs_waiting(kit.shop->jobs), 1);
    assert_int_equal(cancel(queued, NULL), 0);
    assert_int_equal(cancel(running, NULL), 0);
    assert_int_equal(shopkit_wait_job(&kit, running), JOB_CANCELLED);
}

static void a_training_job_reports(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 300, 40, 2);
    int64_t id = shopkit_submit_train(&kit);
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_DONE);
    shopkit_job_has(&kit, id, "\"kind\":\"train\"");
    shopkit_job_has(&kit, id, "\"report\":{\"model\":1,");
}

static void a_training_without_orders_fails_and_says_why(void **state)
{
    (void)state;
    int64_t id = shopkit_submit_train(&kit);
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_FAILED);
    shopkit_job_has(&kit, id, "\"error\":\"there are no orders to learn from\"");
}

static void closing_stops_an_import_and_the_next_start_finishes_it(void **state)
{
    (void)state;
    int64_t id = submit_orders("a", 60000);
    for (int i = 0; i < 500 && order_count() == 0; i++)
        usleep(1000);
    uint64_t start_ns = clock_mono_ns();
    shopkit_shut(&kit);
    assert_true(clock_mono_ns() - start_ns < 5000000000u);
    assert_true(order_count() < 60000);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM jobs WHERE state = 'running'"), 1);
    shopkit_open(&kit, SHOP_SERVE);
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_DONE);
    assert_int_equal(order_count(), 60000);
    shopkit_job_has(&kit, id, "\"report\":{\"orders\":{\"read\":60000,");
}

static void run_until_killed(void)
{
    shopkit_open(&kit, SHOP_SERVE);
    submit_orders("a", 30000);
    for (int i = 0; i < 5000 && order_count() == 0; i++)
        usleep(1000);
    raise(SIGKILL);
}

static void after_a_kill_the_import_is_resumed(void **state)
{
    (void)state;
    shopkit_shut(&kit);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        run_until_killed();
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    shopkit_open(&kit, SHOP_SERVE);
    assert_int_equal(shopkit_wait_job(&kit, 1), JOB_DONE);
    assert_int_equal(order_count(), 30000);
    assert_int_equal(shopkit_count(&kit, "SELECT count(DISTINCT order_id) FROM orders"), 30000);
    assert_int_equal(shopkit_count(&kit, "SELECT orders FROM totals"), 30000);
}

static void closing_stops_a_training_and_keeps_the_old_model(void **state)
{
    (void)state;
    shopkit_orders(&kit, "p", 300, 40, 2);
    assert_int_equal(shopkit_wait_job(&kit, shopkit_submit_train(&kit)), JOB_DONE);
    long_training();
    int64_t id = shopkit_submit_train(&kit);
    usleep(300000);
    shopkit_job_has(&kit, id, "\"state\":\"running\"");
    uint64_t start_ns = clock_mono_ns();
    shopkit_shut(&kit);
    assert_true(clock_mono_ns() - start_ns < 5000000000u);
    kit.settings.max_length = 2;
    kit.settings.min_support[0] = '\0';
    shopkit_open(&kit, SHOP_SERVE);
    struct model *live = live_ref(kit.shop->live);
    assert_non_null(live);
    assert_int_equal(live->id, 1);
    model_unref(live);
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_DONE); /* queued again by itself */
    live = live_ref(kit.shop->live);
    assert_true(live->id > 1);
    model_unref(live);
}

static void a_running_training_can_be_cancelled(void **state)
{
    (void)state;
    long_training();
    int64_t id = shopkit_submit_train(&kit);
    usleep(300000);
    bool was_running;
    assert_int_equal(cancel(id, &was_running), 0);
    assert_true(was_running);
    assert_int_equal(shopkit_wait_job(&kit, id), JOB_CANCELLED);
    assert_null(live_ref(kit.shop->live));
}

static void execute(const char *sql)
{
    sqlite3 *db;
    char file[4200];
    snprintf(file, sizeof file, "%s/orders.db", kit.settings.data);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void a_start_drops_orphans_and_fails_what_it_cannot_read(void **state)
{
    (void)state;
    char name[64];
    int fd;
    assert_int_equal(spool_create(kit.shop, name, &fd, NULL), 0);
    assert_int_equal(spool_commit(kit.shop, fd, NULL), 0);
    assert_int_equal(spooled_files(), 1);
    shopkit_shut(&kit);
    execute("INSERT INTO jobs (kind, state, created_ms, started_ms, finished_ms, done, total, "
            "request, report, error) VALUES ('import', 'queued', 1, 0, 0, 0, 0, '{\"x\":1}', '', "
            "'')");
    shopkit_open(&kit, SHOP_SERVE);
    assert_int_equal(spooled_files(), 0);
    assert_int_equal(shopkit_wait_job(&kit, 1), JOB_FAILED);
    shopkit_job_has(&kit, 1, "\"error\":\"its request cannot be read\"");
}

static void an_import_whose_file_is_gone_fails(void **state)
{
    (void)state;
    struct import_request request = {.spool = "gone"};
    struct job_submit_op op;
    jobs_import_prepare(&op, &request, NULL);
    assert_int_equal(shop_write_wait(kit.shop, &op.op, NULL), 0);
    assert_int_equal(shopkit_wait_job(&kit, op.job_id), JOB_FAILED);
}

static void enough_new_orders_start_a_training_once(void **state)
{
    (void)state;
    shopkit_shut(&kit);
    kit.settings.min_new_orders = 200;
    shopkit_open(&kit, SHOP_SERVE);
    shopkit_orders(&kit, "o", 150, 40, 2);
    usleep(1500000);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM jobs"), 0);
    shopkit_orders(&kit, "p", 300, 40, 2);
    for (int i = 0; i < 400 && shopkit_count(&kit, "SELECT count(*) FROM jobs") == 0; i++)
        usleep(10000);
    assert_int_equal(shopkit_wait_job(&kit, 1), JOB_DONE);
    shopkit_orders(&kit, "q", 300, 40, 2);
    usleep(1500000);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM jobs"), 1); /* not within 60 s */
}

static void time_starts_a_training_only_when_something_is_new(void **state)
{
    (void)state;
    shopkit_shut(&kit);
    kit.settings.interval_ms = 1000;
    shopkit_open(&kit, SHOP_SERVE);
    usleep(1300000);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM jobs"), 0);
    shopkit_orders(&kit, "o", 50, 40, 2);
    for (int i = 0; i < 400 && shopkit_count(&kit, "SELECT count(*) FROM jobs") == 0; i++)
        usleep(10000);
    assert_int_equal(shopkit_wait_job(&kit, 1), JOB_DONE);
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_SERVE);
    usleep(2300000);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM jobs"), 1); /* it saw them all */
}

static void old_orders_are_deleted(void **state)
{
    (void)state;
    int64_t now;
    assert_true(str_to_time_ms(STR("2026-02-15T00:00:00Z"), &now));
    shopkit_orders(&kit, "o", 2800, 40, 2); /* 100 a day, 1 to 28 January */
    shopkit_shut(&kit);
    kit.settings.keep_days = 30;
    clock_set_for_test(now);
    shopkit_open(&kit, SHOP_SERVE);
    for (int i = 0; i < 500 && order_count() > 1300; i++)
        usleep(10000);
    assert_int_equal(order_count(), 1300); /* from 16 January */
}

static void a_failed_allocation_submits_no_half_job(void **state)
{
    (void)state;
    struct import_request request = {.spool = "gone"};
    int rc = ERR_NOMEM;
    uint32_t good = 0;
    OOM_LOOP
    {
        struct job_submit_op op;
        jobs_import_prepare(&op, &request, NULL);
        rc = shop_write_wait(kit.shop, &op.op, NULL);
        good += rc == 0;
        assert_true(rc == 0 || rc == ERR_NOMEM);
    }
    assert_int_equal(rc, 0);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM jobs"), good);
    for (int i = 0; i < 200 && jobs_waiting(kit.shop->jobs); i++)
        usleep(10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(after_a_kill_the_import_is_resumed), /* forks before OpenMP has threads */
        T(an_import_job_reports_and_deletes_its_spool_file),
        T(a_strict_import_with_a_bad_line_fails_with_its_report),
        T(jobs_are_listed_newest_first_in_pages),
        T(queued_and_running_imports_can_be_cancelled),
        T(a_running_import_shows_how_far_it_is),
        T(a_second_training_joins_the_queued_one),
        T(a_training_job_reports),
        T(a_training_without_orders_fails_and_says_why),
        T(closing_stops_an_import_and_the_next_start_finishes_it),
        T(closing_stops_a_training_and_keeps_the_old_model),
        T(a_running_training_can_be_cancelled),
        T(a_start_drops_orphans_and_fails_what_it_cannot_read),
        T(an_import_whose_file_is_gone_fails),
        T(enough_new_orders_start_a_training_once),
        T(time_starts_a_training_only_when_something_is_new),
        T(old_orders_are_deleted),
        T(a_failed_allocation_submits_no_half_job),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
