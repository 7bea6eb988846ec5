#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "service/live.h"
#include "service/trainer.h"
#include "support/oom.h"
#include "support/patterns.h"
#include "support/shopkit.h"

#include <fcntl.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

static void reopen(void)
{
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
}

static struct train_outcome train_whole(void)
{
    struct error err = ERROR_INIT;
    struct train_outcome outcome;
    if (train_run(kit.shop, NULL, &outcome, &err) != 0)
        fail_msg("%s", err.text);
    return outcome;
}

static int64_t train(void)
{
    return train_whole().model_id;
}

static int64_t live_id(void)
{
    struct model *model = live_ref(kit.shop->live);
    int64_t id = model ? model->id : 0;
    model_unref(model);
    return id;
}

static void execute(const char *sql)
{
    sqlite3 *db;
    char file[4200];
    snprintf(file, sizeof file, "%s/models.db", kit.settings.data);
    assert_int_equal(sqlite3_open(file, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static json_t *models(int64_t id)
{
    struct models_op op;
    models_show_prepare(&op, id, NULL);
    assert_int_equal(shop_read_wait(kit.shop, &op.op, NULL), 0);
    json_t *json = json_loadb(op.json.ptr, op.json.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    buf_deinit(&op.json);
    return json;
}

static void a_training_publishes_what_it_stored(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct train_outcome outcome;
    shopkit_orders(&kit, "o", 500, 40, 2);
    assert_int_equal(train_run(kit.shop, NULL, &outcome, &err), 0);
    assert_int_equal(outcome.orders, 500);
    assert_int_equal(outcome.items, 40);
    assert_int_equal(outcome.users, 97);
    assert_true(outcome.rules > 0 && outcome.model_bytes > 0 && outcome.peak_rss_bytes > 0);
    assert_int_equal(live_id(), 1);
    struct model *model = live_ref(kit.shop->live);
    assert_int_equal(model->changes, 500);
    /* The planted pairs: 2k comes with 2k+1. */
    uint32_t even = dict_find(&model->items, STR("i4")), odd = dict_find(&model->items, STR("i5"));
    uint32_t rule = rules_find(&model->rules, &even, 1, odd);
    assert_int_not_equal(rule, UINT32_MAX);
    assert_int_equal(model->rules.both[rule], model->rules.body[rule]);
    assert_int_equal(model->slot[even], catalog_find(&kit.shop->catalog, STR("i4")));
    model_unref(model);
    reopen();
    assert_int_equal(live_id(), 1);
}

static void a_training_reads_the_events_that_weigh(void **state)
{
    (void)state;
    struct error err = ERROR_INIT;
    struct train_outcome outcome;
    shopkit_orders(&kit, "o", 300, 40, 2);
    static const char events[] =
        "{\"event\":\"view\",\"user_id\":\"u1\",\"session_id\":\"s\",\"item_id\":\"i1\"}\n"
        "{\"event\":\"view\",\"user_id\":\"u1\",\"session_id\":\"s\",\"item_id\":\"seen\"}\n"
        "{\"event\":\"uncart\",\"user_id\":\"u1\",\"session_id\":\"s\",\"item_id\":\"i2\"}\n"
        "{\"event\":\"cart\",\"user_id\":\"u2\",\"item_id\":\"i1\"}\n";
    assert_int_equal(shopkit_ingest(&kit, events, NULL), 0);
    assert_int_equal(train_run(kit.shop, NULL, &outcome, &err), 0);
    assert_int_equal(outcome.events, 3); /* taking out of the cart weighs nothing */
    assert_int_equal(outcome.sessions, 2);
    assert_int_equal(outcome.items, 41);
    struct model *model = live_ref(kit.shop->live);
    uint32_t seen = dict_find(&model->items, STR("seen"));
    assert_int_not_equal(seen, DICT_NONE);
    assert_int_equal(model->popularity.orders_all[seen], 0);
    model_unref(model);
    kit.settings.max_events = 1;
    assert_int_equal(train_run(kit.shop, NULL, &outcome, &err), 0);
    assert_int_equal(outcome.events, 1);
    assert_int_equal(outcome.items, 40);
}

static void models_are_shown_with_parameters_and_report(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 300, 40, 2);
    train();
    train();
    json_t *list = models(0), *one = models(1);
    assert_int_equal(json_array_size(json_object_get(list, "models")), 2);
    json_t *first = json_array_get(json_object_get(list, "models"), 0);
    assert_int_equal(json_integer_value(json_object_get(first, "id")), 2);
    assert_true(json_is_true(json_object_get(first, "live")));
    assert_false(json_is_true(json_object_get(one, "live")));
    json_t *report = json_object_get(one, "report");
    assert_int_equal(json_integer_value(json_object_get(report, "model")), 1);
    assert_int_equal(json_integer_value(json_object_get(report, "orders")), 300);
    assert_true(json_array_size(json_object_get(report, "steps")) > 0);
    assert_true(json_is_object(json_object_get(one, "parameters")));
    json_decref(list);
    json_decref(one);
    struct models_op op;
    models_show_prepare(&op, 9, NULL);
    assert_int_equal(shop_read_wait(kit.shop, &op.op, NULL), ERR_NOT_FOUND);
    buf_deinit(&op.json);
}

static int activate(int64_t id)
{
    struct models_op op;
    models_activate_prepare(&op, id, NULL);
    int rc = shop_read_wait(kit.shop, &op.op, NULL);
    buf_deinit(&op.json);
    return rc;
}

static void an_older_model_can_be_made_live_again(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 300, 40, 2);
    train();
    train();
    assert_int_equal(activate(1), 0);
    assert_int_equal(live_id(), 1);
    assert_int_equal(activate(77), ERR_NOT_FOUND);
    assert_int_equal(live_id(), 1);
    reopen();
    assert_int_equal(live_id(), 1);
}

static void only_the_newest_models_and_the_live_one_are_kept(void **state)
{
    (void)state;
    kit.settings.keep_models = 2;
    shopkit_orders(&kit, "o", 300, 40, 2);
    for (int i = 0; i < 4; i++)
        train();
    json_t *list = models(0);
    assert_int_equal(json_array_size(json_object_get(list, "models")), 2);
    json_decref(list);
    assert_int_equal(activate(3), 0);
}

static void a_damaged_newest_model_gives_way_to_the_one_before(void **state)
{
    (void)state;
    struct shop_health health;
    shopkit_orders(&kit, "o", 300, 40, 2);
    train();
    train();
    shopkit_shut(&kit);
    execute("UPDATE chunks SET checksum = checksum + 1 WHERE chunk_key = (SELECT max(chunk_key) "
            "FROM chunks)");
    log_set_level(LOG_LEVEL_ERROR);
    shopkit_open(&kit, SHOP_COMMAND);
    assert_int_equal(live_id(), 1);
    shop_health(kit.shop, &health);
    assert_true(health.model_loaded);
    assert_int_equal(health.damaged_model, 2);
    json_t *two = models(2), *one = models(1);
    assert_true(json_is_true(json_object_get(two, "damaged")));
    assert_true(json_is_true(json_object_get(one, "live")));
    json_decref(one);
    json_decref(two);
    assert_int_equal(activate(2), ERR_CORRUPT);
    assert_int_equal(live_id(), 1);
    reopen(); /* still said after the next start */
    shop_health(kit.shop, &health);
    assert_int_equal(health.damaged_model, 2);
    assert_int_equal(train(), 3);
    shop_health(kit.shop, &health);
    assert_int_equal(health.damaged_model, 0); /* a newer one answers */
}

static void without_any_good_model_the_shop_still_opens(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 300, 40, 2);
    train();
    shopkit_shut(&kit);
    execute("DELETE FROM chunks");
    shopkit_open(&kit, SHOP_COMMAND);
    assert_int_equal(live_id(), 0);
    assert_int_equal(train(), 2);
}

static void cut_file(double share)
{
    char file[4200];
    struct stat st;
    snprintf(file, sizeof file, "%s/models.db", kit.settings.data);
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(truncate(file, (off_t)((double)st.st_size * share)), 0);
}

static void a_truncated_models_file_gives_the_newest_whole_model(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 2000, 400, 4);
    for (int i = 0; i < 3; i++)
        train();
    shopkit_shut(&kit);
    cut_file(0.8);
    shopkit_open(&kit, SHOP_COMMAND);
    struct shop_health health;
    shop_health(kit.shop, &health);
    assert_true(health.model_loaded);
    assert_int_equal(live_id(), 2);
    assert_int_equal(health.damaged_model, 3);
    assert_int_equal(train(), 4);
    reopen();
    assert_int_equal(live_id(), 4);
}

static void a_models_file_of_rubbish_is_put_aside(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 300, 40, 2);
    train();
    shopkit_shut(&kit);
    char file[4200];
    snprintf(file, sizeof file, "%s/models.db", kit.settings.data);
    FILE *rubbish = fopen(file, "wbe");
    for (int i = 0; i < 10000; i++)
        fputs("rubbish ", rubbish);
    fclose(rubbish);
    shopkit_open(&kit, SHOP_COMMAND);
    assert_int_equal(live_id(), 0);
    assert_true(train() > 0);
    reopen();
    assert_true(live_id() > 0);
    snprintf(file, sizeof file, "%s/models.db.damaged", kit.settings.data);
    assert_int_equal(access(file, F_OK), 0);
}

static void nothing_changes_when_a_training_fails(void **state)
{
    (void)state;
    struct train_outcome outcome;
    struct error err = ERROR_INIT;
    assert_int_equal(train_run(kit.shop, NULL, &outcome, &err), ERR_INVALID);
    assert_string_equal(err.text, "there are no orders to learn from");
    shopkit_orders(&kit, "o", 300, 40, 2);
    train();
    kit.settings.memory_limit_bytes = 1000;
    error_clear(&err);
    assert_int_equal(train_run(kit.shop, NULL, &outcome, &err), ERR_LIMIT);
    kit.settings.memory_limit_bytes = 0;
    struct progress progress;
    progress_init(&progress);
    progress_cancel(&progress);
    error_clear(&err);
    assert_int_equal(train_run(kit.shop, &progress, &outcome, &err), ERR_CANCELLED);
    assert_int_equal(live_id(), 1);
    json_t *list = models(0);
    assert_int_equal(json_array_size(json_object_get(list, "models")), 1);
    json_decref(list);
}

static void the_estimate_follows_the_orders(void **state)
{
    (void)state;
    struct train_need small, large;
    assert_int_equal(train_estimate(kit.shop, &small, NULL), 0);
    assert_int_equal(small.shape.orders, 0);
    shopkit_orders(&kit, "o", 2000, 400, 4);
    assert_int_equal(train_estimate(kit.shop, &large, NULL), 0);
    assert_int_equal(large.shape.orders, 2000);
    assert_int_equal(large.shape.items, 400);
    assert_true(large.shape.lines >= 2000 * 2 && large.peak_bytes > small.peak_bytes);
    assert_true(large.shape.pairs > 2000 && large.rehearsal_bytes > 0);
    assert_true(large.peak_bytes >= large.rehearsal_bytes);
    assert_true(large.peak_bytes >= large.build.peak_bytes);
}

static void what_does_not_fit_is_not_rehearsed_but_trained(void **state)
{
    (void)state;
    struct train_need need, limited;
    shopkit_orders(&kit, "o", 2000, 400, 4);
    kit.settings.rehearse = true;
    kit.settings.max_itemsets = 1000; /* so that the rehearsal is what needs the most */
    kit.settings.max_rules = 1000;
    assert_int_equal(train_estimate(kit.shop, &need, NULL), 0);
    assert_string_equal(need.not_rehearsed, "");
    assert_true(need.rehearsal_bytes > need.build.peak_bytes);
    kit.settings.memory_limit_bytes = need.peak_bytes - 1;
    assert_int_equal(train_estimate(kit.shop, &limited, NULL), 0);
    assert_non_null(strstr(limited.not_rehearsed, "memory-limit"));
    assert_int_equal(limited.rehearsal_bytes, need.rehearsal_bytes);
    assert_true(limited.peak_bytes < kit.settings.memory_limit_bytes);
    struct train_outcome outcome = train_whole();
    assert_false(outcome.rehearsed);
    assert_non_null(strstr(outcome.not_rehearsed, "memory-limit"));
    assert_true(live_id() == outcome.model_id);
    kit.settings.memory_limit_bytes = need.peak_bytes;
    assert_true(train_whole().rehearsed);
    kit.settings.memory_limit_bytes = 0;
}

static void a_failed_allocation_fails_the_training_alone(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 40, 10, 1);
    train();
    int rc = ERR_NOMEM;
    uint32_t failed = 0;
    OOM_LOOP
    {
        struct train_outcome outcome;
        struct error err = ERROR_INIT;
        rc = train_run(kit.shop, NULL, &outcome, &err);
        if (rc != 0 && rc != ERR_NOMEM)
            fail_msg("%s: %s", err_name((enum err)rc), err.text);
        failed += rc != 0;
        assert_true(live_id() >= 1);
    }
    assert_int_equal(rc, 0);
    assert_true(failed > 50);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(a_training_publishes_what_it_stored),
        T(a_training_reads_the_events_that_weigh),
        T(models_are_shown_with_parameters_and_report),
        T(an_older_model_can_be_made_live_again),
        T(only_the_newest_models_and_the_live_one_are_kept),
        T(a_damaged_newest_model_gives_way_to_the_one_before),
        T(without_any_good_model_the_shop_still_opens),
        T(a_truncated_models_file_gives_the_newest_whole_model),
        T(a_models_file_of_rubbish_is_put_aside),
        T(nothing_changes_when_a_training_fails),
        T(the_estimate_follows_the_orders),
        T(what_does_not_fit_is_not_rehearsed_but_trained),
        T(a_failed_allocation_fails_the_training_alone),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
