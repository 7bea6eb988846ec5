#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/rng.h"
#include "service/live.h"
#include "service/modelstore.h"
#include "service/trainer.h"
#include "service/writer.h"
#include "store/models.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    shopkit_close(&kit);
    return 0;
}

static int by_slot(const void *a, const void *b)
{
    const struct fresh_item *const *x = a, *const *y = b;
    return ((*x)->slot > (*y)->slot) - ((*x)->slot < (*y)->slot);
}

/* What the live model's overlay counts, in order of slot. */
static void add_fresh(struct buf *out)
{
    struct model *model = live_ref(kit.shop->live);
    const struct fresh *f = memory_fresh(&kit.shop->memory, model);
    const struct fresh_item *items[200];
    uint32_t count = 0;
    model_unref(model);
    assert_true((model != NULL) == (f != NULL));
    for (uint32_t x = 0; f && x < f->item_count && count < 200; x++)
        if (f->items[x].orders)
            items[count++] = &f->items[x];
    qsort(items, count, sizeof *items, by_slot);
    for (uint32_t x = 0; x < count; x++) {
        buf_printf(out, "fresh %u %u %u\n", items[x]->slot, items[x]->orders, items[x]->orders_28d);
        for (uint32_t y = 0; y < x; y++)
            buf_printf(
                out, "%u ",
                fresh_both(f, (uint32_t)(items[x] - f->items), (uint32_t)(items[y] - f->items)));
    }
}

/* The histories of u0…u96 as text, items by their ids, and the fresh orders' counts. */
static char *histories(void)
{
    struct buf out;
    size_t length;
    struct memory *m = &kit.shop->memory;
    buf_init(&out, 0);
    pthread_rwlock_rdlock(&kit.shop->memory_lock);
    add_fresh(&out);
    for (uint32_t u = 0; u < 97; u++) {
        char id[16];
        snprintf(id, sizeof id, "u%u", u);
        const struct shopper *who = shoppers_find(&m->shoppers, str_of(id));
        for (uint32_t i = 0; who && i < who->line_count; i++)
            buf_printf(&out, "%s %.*s %u %u\n", id,
                       STR_ARG(catalog_id(&kit.shop->catalog, who->lines[i].slot)),
                       who->lines[i].time_s, who->lines[i].order);
        for (uint32_t i = 0; who && i < who->event_count; i++)
            buf_printf(&out, "%s saw %u %u %u\n", id, who->events[i].slot, who->events[i].time_s,
                       who->events[i].kind);
    }
    pthread_rwlock_unlock(&kit.shop->memory_lock);
    assert_non_null(buf_cstr(&out));
    return buf_detach(&out, &length);
}

static void erase(const char *user_id)
{
    struct user_op op;
    user_erase_prepare(&op, str_of(user_id), NULL);
    int rc = shop_write_wait(kit.shop, &op.op, NULL);
    assert_true(rc == 0 || rc == ERR_NOT_FOUND);
}

/* Orders new, changed, moved and cancelled; events; now and then a user goes. */
static void random_traffic(struct rng *r, uint32_t records)
{
    struct buf text;
    buf_init(&text, 0);
    for (uint32_t i = 0; i < records; i++) {
        uint32_t what = rng_below(r, 10), user = rng_below(r, 30);
        if (what == 0)
            buf_printf(&text, "{\"kind\":\"cancel\",\"order_id\":\"t%u\"}\n", rng_below(r, 300));
        else if (what < 3)
            buf_printf(&text,
                       "{\"event\":\"view\",\"user_id\":\"u%u\",\"item_id\":\"i%u\","
                       "\"timestamp\":%u}\n",
                       user, rng_below(r, 20), 1700000000 + rng_below(r, 1000000));
        else
            buf_printf(&text,
                       "{\"order_id\":\"t%u\",\"user_id\":\"u%u\",\"timestamp\":%u,"
                       "\"items\":[\"i%u\",\"j%u\"]}\n",
                       rng_below(r, 300), user, 1700000000 + rng_below(r, 1000000),
                       rng_below(r, 20), rng_below(r, 20));
    }
    assert_int_equal(shopkit_ingest(&kit, buf_cstr(&text), NULL), 0);
    buf_deinit(&text);
    if (rng_below(r, 2)) {
        char id[16];
        snprintf(id, sizeof id, "u%u", rng_below(r, 30));
        erase(id);
    }
}

static void reopened_as_before(void)
{
    char *before = histories();
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_SERVE);
    while (!kit.shop->memory.complete) /* a slow machine loads the rest behind the opening */
        assert_int_equal(memory_load_wait(kit.shop, NULL), 0);
    char *after = histories();
    assert_string_equal(after, before);
    assert_true(strlen(after) > 1000);
    free(before);
    free(after);
}

static void a_restart_finds_the_histories_that_were_there(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 11);
    for (int i = 0; i < 20; i++)
        random_traffic(&r, 50);
    reopened_as_before();
}

static void train(void)
{
    assert_int_equal(shopkit_wait_job(&kit, shopkit_submit_train(&kit)), JOB_DONE);
}

static void activate(int64_t id)
{
    struct models_op op;
    models_activate_prepare(&op, id, NULL);
    assert_int_equal(shop_read_wait(kit.shop, &op.op, NULL), 0);
    buf_deinit(&op.json);
}

static uint32_t fresh_orders(void)
{
    pthread_rwlock_rdlock(&kit.shop->memory_lock);
    struct model *model = live_ref(kit.shop->live);
    uint32_t count = memory_fresh(&kit.shop->memory, model)->order_count;
    model_unref(model);
    pthread_rwlock_unlock(&kit.shop->memory_lock);
    return count;
}

/* Through trainings, rollbacks and restarts, with and without orders being erased. */
static void fresh_orders_are_those_after_the_live_model(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 14);
    shopkit_orders(&kit, "o", 300, 20, 2);
    train();
    assert_int_equal(fresh_orders(), 0);
    for (int round = 0; round < 3; round++) {
        kit.settings.erase_orders = round == 1;
        random_traffic(&r, 100);
        assert_true(fresh_orders() > 0);
        reopened_as_before();
    }
    uint32_t after_first = fresh_orders();
    train();
    assert_int_equal(fresh_orders(), 0);
    random_traffic(&r, 100);
    reopened_as_before();
    uint32_t after_second = fresh_orders();
    activate(1);
    assert_in_range(fresh_orders(), after_first / 2, 400);
    assert_true(fresh_orders() > after_second);
    reopened_as_before();
    activate(2);
    assert_int_equal(fresh_orders(), after_second);
}

/* The trainer makes the next overlay while orders come and go. */
static void orders_that_come_while_training_are_in_the_next_overlay(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 15);
    shopkit_orders(&kit, "o", 300, 20, 2);
    for (int round = 0; round < 3; round++) {
        int64_t job = shopkit_submit_train(&kit);
        for (int i = 0; i < 30; i++)
            random_traffic(&r, 10);
        assert_int_equal(shopkit_wait_job(&kit, job), JOB_DONE);
        reopened_as_before();
    }
}

static int restart_run(struct shop *shop, struct op *op, struct error *err)
{
    (void)op, (void)err;
    memory_restart(shop);
    return 0;
}

static struct model *load(int64_t id)
{
    pthread_mutex_lock(&kit.shop->models_mutex);
    struct model *model = modelstore_load(kit.shop, kit.shop->models, id, NULL);
    pthread_mutex_unlock(&kit.shop->models_mutex);
    assert_non_null(model);
    return model;
}

static bool live_has_overlay(void)
{
    pthread_rwlock_rdlock(&kit.shop->memory_lock);
    struct model *model = live_ref(kit.shop->live);
    bool has = memory_fresh(&kit.shop->memory, model) != NULL;
    model_unref(model);
    pthread_rwlock_unlock(&kit.shop->memory_lock);
    return has;
}

/* The keeper may not have been there since the last one. */
static void the_live_model_keeps_its_overlay_while_the_next_is_made(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 300, 20, 2);
    for (int round = 0; round < 3; round++) {
        train();
        struct model *next = load(1);
        memory_prepare(kit.shop, next);
        assert_true(live_has_overlay());
        model_unref(next);
    }
}

/* As after memory ran out, or the disk was full, when it was to be made. */
static void a_missing_overlay_is_made_again(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 300, 20, 2);
    train();
    shopkit_orders(&kit, "late", 7, 20, 2);
    pthread_rwlock_wrlock(&kit.shop->memory_lock);
    for (int x = 0; x < OVERLAYS; x++) {
        fresh_free(kit.shop->memory.overlays[x].fresh);
        kit.shop->memory.overlays[x] = (struct overlay){0};
    }
    pthread_rwlock_unlock(&kit.shop->memory_lock);
    memory_repair(kit.shop);
    assert_true(live_has_overlay());
    assert_int_equal(fresh_orders(), 7);
}

static void *publish_often(void *unused)
{
    (void)unused;
    for (int round = 0; round < 60; round++)
        assert_int_equal(modelstore_make_live(kit.shop, load(2), NULL), 0);
    return NULL;
}

/* A training ends while somebody rolls back. */
static void models_that_go_live_at_once_go_one_after_the_other(void **state)
{
    pthread_t thread;
    int64_t stored;
    (void)state;
    shopkit_orders(&kit, "o", 300, 20, 2);
    train();
    train();
    assert_int_equal(pthread_create(&thread, NULL, publish_often, NULL), 0);
    for (int round = 0; round < 60; round++) {
        activate(1);
        assert_true(live_has_overlay());
    }
    pthread_join(thread, NULL);
    assert_true(live_has_overlay());
    struct model *live = live_ref(kit.shop->live);
    pthread_mutex_lock(&kit.shop->models_mutex);
    assert_int_equal(models_live(kit.shop->models, &stored, NULL), 0);
    pthread_mutex_unlock(&kit.shop->models_mutex);
    assert_int_equal(live->id, stored);
    model_unref(live);
}

static void forget_all(void)
{
    struct op op = {.run = restart_run, .cost = 1};
    assert_int_equal(shop_write_wait(kit.shop, &op, NULL), 0);
}

/* Traffic goes on between the slices: of users, orders and events. */
static void what_changes_while_loading_is_neither_lost_nor_doubled(void **state)
{
    struct rng r;
    struct error err = ERROR_INIT;
    (void)state;
    rng_seed(&r, 12);
    shopkit_orders(&kit, "o", 100, 20, 2);
    train();
    for (int round = 0; round < 10; round++) {
        random_traffic(&r, 200);
        forget_all();
        while (!kit.shop->memory.complete) {
            random_traffic(&r, 40);
            assert_int_equal(memory_load_wait(kit.shop, &err), 0);
        }
        reopened_as_before();
    }
}

static void a_large_shop_is_served_before_its_histories_are_loaded(void **state)
{
    (void)state;
    shopkit_orders(&kit, "o", 6000, 50, 3); /* more than a slice of orders */
    char *before = histories();
    forget_all();
    assert_false(kit.shop->memory.loaded);
    uint32_t slices = 0;
    for (; !kit.shop->memory.loaded; slices++)
        assert_int_equal(memory_load_wait(kit.shop, NULL), 0);
    assert_in_range(slices, 1, 5); /* the keeper may have taken some */
    char *after = histories();
    assert_string_equal(after, before);
    free(before);
    free(after);
}

static void a_command_keeps_no_histories(void **state)
{
    (void)state;
    shopkit_shut(&kit);
    shopkit_open(&kit, SHOP_COMMAND);
    shopkit_orders(&kit, "o", 10, 5, 2);
    assert_int_equal(memory_load_wait(kit.shop, NULL), 0);
    assert_int_equal(shoppers_count(&kit.shop->memory.shoppers), 0);
}

/* What was committed must be in memory in the end, whichever allocation failed. */
static void after_memory_ran_out_the_histories_are_loaded_anew(void **state)
{
    struct rng r;
    (void)state;
    rng_seed(&r, 13);
    random_traffic(&r, 100);
    for (long n = 1; n < 60; n++) {
        char line[160];
        snprintf(line, sizeof line,
                 "{\"order_id\":\"n%ld\",\"user_id\":\"u%ld\",\"items\":[\"i1\",\"new%ld\"]}\n", n,
                 40 + n % 50, n);
        struct ingest_op *op = ingest_op_new(NULL, NULL);
        assert_int_equal(ingest_op_open(op, kit.shop, NULL, NULL), 0);
        assert_int_equal(ingest_op_feed(op, str_of(line), NULL), 0);
        assert_int_equal(ingest_op_finish(op, NULL), 0);
        oom_fail_at(n);
        int rc = shop_write_wait(kit.shop, &op->op, NULL);
        oom_disarm();
        assert_true(rc == 0 || rc == ERR_NOMEM);
        ingest_op_free(op);
        while (!kit.shop->memory.loaded)
            assert_int_equal(memory_load_wait(kit.shop, NULL), 0);
    }
    reopened_as_before();
}

static uint64_t lines_kept(void)
{
    pthread_rwlock_rdlock(&kit.shop->memory_lock);
    uint64_t lines = kit.shop->memory.shoppers.line_count;
    pthread_rwlock_unlock(&kit.shop->memory_lock);
    return lines;
}

static void old_orders_that_expire_leave_the_histories(void **state)
{
    (void)state;
    assert_int_equal(
        shopkit_ingest(&kit,
                       "{\"order_id\":\"old\",\"user_id\":\"u1\",\"timestamp\":1000000000,"
                       "\"items\":[\"a\"]}\n"
                       "{\"order_id\":\"now\",\"user_id\":\"u1\",\"items\":[\"b\"]}\n",
                       NULL),
        0);
    assert_int_equal(lines_kept(), 2);
    shopkit_shut(&kit);
    kit.settings.keep_days = 30;
    shopkit_open(&kit, SHOP_SERVE);
    for (int i = 0; i < 500 && lines_kept() != 1; i++)
        usleep(10000);
    char *left = histories();
    assert_non_null(strstr(left, "u1 b "));
    assert_null(strstr(left, "u1 a "));
    free(left);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_restart_finds_the_histories_that_were_there),
        TEST(fresh_orders_are_those_after_the_live_model),
        TEST(orders_that_come_while_training_are_in_the_next_overlay),
        TEST(the_live_model_keeps_its_overlay_while_the_next_is_made),
        TEST(a_missing_overlay_is_made_again),
        TEST(models_that_go_live_at_once_go_one_after_the_other),
        TEST(what_changes_while_loading_is_neither_lost_nor_doubled),
        TEST(a_large_shop_is_served_before_its_histories_are_loaded),
        TEST(a_command_keeps_no_histories),
        TEST(after_memory_ran_out_the_histories_are_loaded_anew),
        TEST(old_orders_that_expire_leave_the_histories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
