#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "service/staging.h"
#include "service/writer.h"
#include "store/orders.h"
#include "support/oom.h"
#include "support/shopkit.h"

#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct shopkit kit;

static int setup(void **state)
{
    (void)state;
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

/* An op that puts one order of one item, then fails as told. */
struct put {
    struct op op;
    char order[32], item[32];
    int fail;
    uint32_t slot;
    bool applied, undone;
    sem_t *finished;
};

static int put_run(struct shop *shop, struct op *op, struct error *err)
{
    struct put *self = (struct put *)op;
    struct order_line line = {.quantity = 1, .price_minor = ORDER_NO_PRICE};
    int rc = staging_slot(writer_staging(shop->writer), str_of(self->item), &line.item, err);
    if (rc != 0)
        return rc;
    self->slot = line.item;
    struct order_row row = {.order_id = str_of(self->order),
                            .time_ms = 1000,
                            .arrival_ms = 1000,
                            .lines = &line,
                            .line_count = 1};
    enum put_outcome outcome;
    rc = orders_put(writer_db(shop->writer), &row, &outcome, err);
    if (rc == 0 && self->fail)
        rc = error_set(err, (enum err)self->fail, "as told");
    return rc;
}

static void put_apply(struct shop *shop, struct op *op)
{
    (void)shop;
    ((struct put *)op)->applied = true;
}

static void put_undo(struct shop *shop, struct op *op)
{
    (void)shop;
    ((struct put *)op)->undone = true;
}

static void put_done(struct op *op)
{
    sem_post(((struct put *)op)->finished);
}

static struct put make_put(const char *order, const char *item, int fail, sem_t *finished)
{
    struct put put = {
        .op = {.run = put_run, .apply = put_apply, .undo = put_undo, .done = put_done, .cost = 1},
        .fail = fail,
        .finished = finished};
    snprintf(put.order, sizeof put.order, "%s", order);
    snprintf(put.item, sizeof put.item, "%s", item);
    return put;
}

/* An op that holds the writer until told, so that the ops behind it make one group. */
struct gate {
    struct op op;
    sem_t entered, open, finished;
};

static int gate_run(struct shop *shop, struct op *op, struct error *err)
{
    (void)shop;
    (void)err;
    sem_post(&((struct gate *)op)->entered);
    sem_wait(&((struct gate *)op)->open);
    return 0;
}

static void gate_done(struct op *op)
{
    sem_post(&((struct gate *)op)->finished);
}

static void close_gate(struct gate *gate)
{
    *gate = (struct gate){.op = {.run = gate_run, .done = gate_done, .cost = 1}};
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
    sem_init(&gate->finished, 0, 0);
    assert_int_equal(shop_write(kit.shop, &gate->op, NULL), 0);
    sem_wait(&gate->entered);
}

static void open_gate(struct gate *gate)
{
    sem_post(&gate->open);
    sem_wait(&gate->finished);
}

/* Runs the ops as one group. */
static void run_together(struct put *puts, size_t count, sem_t *finished)
{
    struct gate gate;
    close_gate(&gate);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(shop_write(kit.shop, &puts[i].op, NULL), 0);
    open_gate(&gate);
    for (size_t i = 0; i < count; i++)
        sem_wait(finished);
}

static uint32_t slot_of(const char *item)
{
    pthread_rwlock_rdlock(&kit.shop->memory_lock);
    uint32_t slot = catalog_find(&kit.shop->catalog, str_of(item));
    pthread_rwlock_unlock(&kit.shop->memory_lock);
    return slot;
}

static void one_bad_op_of_a_group_harms_no_other(void **state)
{
    (void)state;
    sem_t finished;
    sem_init(&finished, 0, 0);
    struct put puts[] = {make_put("o1", "a", 0, &finished),
                         make_put("o2", "phantom", ERR_CONFLICT, &finished),
                         make_put("o3", "b", 0, &finished), make_put("o4", "a", 0, &finished)};
    run_together(puts, 4, &finished);
    assert_int_equal(puts[0].op.result, 0);
    assert_int_equal(puts[1].op.result, ERR_CONFLICT);
    assert_string_equal(puts[1].op.err.text, "as told");
    assert_int_equal(puts[2].op.result, 0);
    assert_true(puts[0].applied && puts[2].applied && !puts[1].applied);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 3);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM items"), 2);
    assert_int_equal(slot_of("phantom"), CATALOG_NONE);
    assert_int_equal(slot_of("a"), 1);
    assert_int_equal(slot_of("b"), 2); /* the phantom's slot was given back */
    assert_int_equal(puts[3].slot, 1);
    struct shop_health health;
    shop_health(kit.shop, &health);
    assert_true(health.store_writable);
}

static void a_store_failure_answers_the_whole_group_and_leaves_nothing(void **state)
{
    (void)state;
    sem_t finished;
    sem_init(&finished, 0, 0);
    struct put puts[] = {make_put("o1", "a", 0, &finished),
                         make_put("o2", "b", ERR_FULL, &finished),
                         make_put("o3", "c", 0, &finished)};
    run_together(puts, 3, &finished);
    for (int i = 0; i < 3; i++)
        assert_int_equal(puts[i].op.result, ERR_FULL);
    assert_true(puts[0].undone && !puts[0].applied);
    assert_false(puts[1].undone || puts[2].undone); /* one failed by itself, one never ran */
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 0);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM items"), 0);
    assert_int_equal(slot_of("a"), CATALOG_NONE);
    struct shop_health health;
    shop_health(kit.shop, &health);
    assert_false(health.store_writable);
    assert_string_equal(health.store_problem, "as told");

    struct put again = make_put("o1", "a", 0, &finished);
    assert_int_equal(shop_write(kit.shop, &again.op, NULL), 0);
    sem_wait(&finished);
    assert_int_equal(again.op.result, 0);
    assert_int_equal(slot_of("a"), 1);
    shop_health(kit.shop, &health);
    assert_true(health.store_writable);
    assert_string_equal(health.store_problem, "");
}

static void after_an_io_error_the_database_is_opened_again(void **state)
{
    (void)state;
    sem_t finished;
    sem_init(&finished, 0, 0);
    assert_int_equal(
        shopkit_ingest(&kit, "{\"item_id\":\"x\",\"title\":\"T\",\"kind\":\"item\"}\n", NULL), 0);
    struct put bad = make_put("o1", "a", ERR_IO, &finished);
    assert_int_equal(shop_write(kit.shop, &bad.op, NULL), 0);
    sem_wait(&finished);
    assert_int_equal(bad.op.result, ERR_IO);
    struct put good = make_put("o2", "b", 0, &finished);
    assert_int_equal(shop_write(kit.shop, &good.op, NULL), 0);
    sem_wait(&finished);
    assert_int_equal(good.op.result, 0);
    assert_int_equal(slot_of("x"), 1);
    assert_int_equal(slot_of("b"), 2);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 1);
}

static void an_idle_writer_finds_out_by_itself_that_it_can_write_again(void **state)
{
    (void)state;
    sem_t finished;
    sem_init(&finished, 0, 0);
    struct put bad = make_put("o1", "a", ERR_FULL, &finished);
    assert_int_equal(shop_write(kit.shop, &bad.op, NULL), 0);
    sem_wait(&finished);
    struct shop_health health = {.store_writable = false};
    for (int i = 0; i < 500 && !health.store_writable; i++, usleep(10000))
        shop_health(kit.shop, &health);
    assert_true(health.store_writable);
}

static void a_full_queue_refuses_requests_but_not_urgent_work(void **state)
{
    (void)state;
    sem_t finished;
    sem_init(&finished, 0, 0);
    struct gate gate;
    close_gate(&gate);
    enum { MANY = 5000 };
    struct put *puts = calloc(MANY, sizeof *puts);
    uint32_t taken = 0;
    struct error err = ERROR_INIT;
    int rc = 0;
    while (taken < MANY) {
        puts[taken] = make_put("same", "a", 0, &finished);
        if ((rc = shop_write(kit.shop, &puts[taken].op, &err)) != 0)
            break;
        taken++;
    }
    assert_int_equal(rc, ERR_LIMIT);
    assert_int_equal(taken, kit.settings.ingest_queue);
    struct put urgent = make_put("urgent", "b", 0, &finished);
    assert_int_equal(shop_write_urgent(kit.shop, &urgent.op, NULL), 0);
    open_gate(&gate);
    for (uint32_t i = 0; i <= taken; i++)
        sem_wait(&finished);
    assert_int_equal(urgent.op.result, 0);
    free(puts);
}

static void what_waits_at_the_end_is_still_written(void **state)
{
    (void)state;
    sem_t finished;
    sem_init(&finished, 0, 0);
    struct put puts[3] = {make_put("o1", "a", 0, &finished), make_put("o2", "b", 0, &finished),
                          make_put("o3", "c", 0, &finished)};
    for (int i = 0; i < 3; i++)
        assert_int_equal(shop_write(kit.shop, &puts[i].op, NULL), 0);
    shopkit_shut(&kit);
    for (int i = 0; i < 3; i++)
        assert_int_equal(puts[i].op.result, 0);
    shopkit_open(&kit, SHOP_COMMAND);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), 3);
    assert_int_equal(slot_of("c"), 3);
}

static void a_failed_allocation_fails_the_op_and_nothing_else(void **state)
{
    (void)state;
    sem_t finished;
    sem_init(&finished, 0, 0);
    char order[32];
    int number = 0, good = 0;
    OOM_LOOP
    {
        snprintf(order, sizeof order, "o%d", number);
        struct put put = make_put(order, order, 0, &finished);
        number++;
        assert_int_equal(shop_write(kit.shop, &put.op, NULL), 0);
        sem_wait(&finished);
        assert_true(put.op.result == 0 || put.op.result == ERR_NOMEM);
        good += put.op.result == 0;
    }
    assert_true(number > 3 && good >= 1);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), good);
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM items"), good);
    struct put last = make_put("last", "last", 0, &finished);
    assert_int_equal(shop_write(kit.shop, &last.op, NULL), 0);
    sem_wait(&finished);
    assert_int_equal(last.op.result, 0);
    assert_int_equal(slot_of("last"), good + 1); /* also after an apply that found no memory */
}

static void *submit_many(void *context)
{
    int thread = *(int *)context;
    sem_t finished;
    sem_init(&finished, 0, 0);
    for (int i = 0; i < 50; i++) {
        char order[32];
        snprintf(order, sizeof order, "t%d-%d", thread, i);
        struct put put = make_put(order, order, i % 10 == 9 ? ERR_INVALID : 0, &finished);
        if (shop_write(kit.shop, &put.op, NULL) != 0)
            return (void *)1;
        sem_wait(&finished);
        if (put.op.result != (i % 10 == 9 ? ERR_INVALID : 0))
            return (void *)1;
    }
    return NULL;
}

static void many_threads_may_submit(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, &numbers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
    assert_int_equal(shopkit_count(&kit, "SELECT count(*) FROM orders"), THREADS * 45);
    assert_int_equal(shopkit_count(&kit, "SELECT max(item_key) FROM items"), THREADS * 45);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_bad_op_of_a_group_harms_no_other, setup, teardown),
        cmocka_unit_test_setup_teardown(a_store_failure_answers_the_whole_group_and_leaves_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(after_an_io_error_the_database_is_opened_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(an_idle_writer_finds_out_by_itself_that_it_can_write_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(a_full_queue_refuses_requests_but_not_urgent_work, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_waits_at_the_end_is_still_written, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_allocation_fails_the_op_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_threads_may_submit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
