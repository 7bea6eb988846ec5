#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "support/oom.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ADD(d, time, user, ...)                                                                    \
    assert_int_equal(dataset_add((d), (time), (user), (uint32_t[]){__VA_ARGS__},                   \
                                 sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t), NULL),      \
                     0)

static void orders_become_a_matrix_in_time_order(void **state)
{
    (void)state;
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    ADD(&d, 300, 9, 70, 5);
    ADD(&d, 100, 0, 5, 5, 1000000, 5);
    ADD(&d, 200, 9, 70);
    ADD(&d, 100, 4, 6);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_null(d.builder);
    assert_int_equal(d.basket_count, 4);
    assert_int_equal(d.item_count, 4);
    assert_int_equal(d.user_count, 2);
    assert_memory_equal(d.item_key, ((uint32_t[]){5, 6, 70, 1000000}), 4 * sizeof(uint32_t));
    assert_memory_equal(d.item_orders, ((uint32_t[]){2, 1, 2, 1}), 4 * sizeof(uint32_t));
    assert_memory_equal(d.time_ms, ((int64_t[]){100, 100, 200, 300}), 4 * sizeof(int64_t));
    assert_memory_equal(d.user, ((uint32_t[]){DATASET_NO_USER, 0, 1, 1}), 4 * sizeof(uint32_t));
    assert_memory_equal(d.baskets.start, ((uint64_t[]){0, 2, 3, 4, 6}), 5 * sizeof(uint64_t));
    assert_memory_equal(d.baskets.column, ((uint32_t[]){0, 3, 1, 2, 0, 2}), 6 * sizeof(uint32_t));
    assert_int_equal(d.baskets.rows, 4);
    assert_int_equal(d.baskets.cols, 4);
    assert_int_equal(csr_check(&d.baskets, NULL), 0);
    assert_int_equal(dataset_bytes(&d), 4 * 8 + 4 * 12 + 5 * 8 + 6 * 4 + 8);
    dataset_deinit(&d);
    dataset_deinit(&d);
}

static void no_orders_make_an_empty_dataset(void **state)
{
    (void)state;
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    assert_int_equal(dataset_add(&d, 1, 1, NULL, 0, NULL), 0); /* no items: not a basket */
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(d.basket_count, 0);
    assert_int_equal(d.item_count, 0);
    assert_int_equal(d.user_count, 0);
    assert_int_equal(csr_check(&d.baskets, NULL), 0);
    dataset_deinit(&d);
}

static void orders_over_the_limit_are_skipped_and_counted(void **state)
{
    (void)state;
    struct dataset d;
    uint32_t many[4001];
    for (uint32_t i = 0; i < 4001; i++)
        many[i] = 4001 - i / 2; /* 2,001 distinct */
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    assert_int_equal(dataset_add(&d, 1, 1, many, 4001, NULL), 0);
    assert_int_equal(dataset_add(&d, 2, 1, many, 4000, NULL), 0); /* 2,000 distinct: fits */
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(d.skipped_orders, 1);
    assert_int_equal(d.basket_count, 1);
    assert_int_equal(d.item_count, 2000);
    dataset_deinit(&d);

    struct dataset_limits limits = {.max_order_items = 2};
    assert_int_equal(dataset_init(&d, &limits, NULL), 0);
    ADD(&d, 1, 0, 3, 2, 1);
    ADD(&d, 1, 0, 3, 2, 3);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(d.skipped_orders, 1);
    assert_int_equal(d.baskets.start[1], 2);
    dataset_deinit(&d);
}

static void extreme_times_and_keys_keep_their_order(void **state)
{
    (void)state;
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    ADD(&d, INT64_MAX, UINT64_MAX, 60000000);
    ADD(&d, INT64_MIN, 1, 1);
    ADD(&d, 0, UINT64_MAX, 511, 512, 513);
    ADD(&d, -1, 0, 64);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_memory_equal(d.time_ms, ((int64_t[]){INT64_MIN, -1, 0, INT64_MAX}), 4 * 8);
    assert_memory_equal(d.item_key, ((uint32_t[]){1, 64, 511, 512, 513, 60000000}), 6 * 4);
    assert_memory_equal(d.user, ((uint32_t[]){0, DATASET_NO_USER, 1, 1}), 4 * 4);
    dataset_deinit(&d);
}

/* The same by the simplest means: a stable insertion sort and linear searches. */
struct plain_order {
    int64_t time;
    uint64_t user;
    uint32_t keys[8], count;
};

static bool plain_has(const struct plain_order *o, uint32_t key)
{
    for (uint32_t i = 0; i < o->count; i++)
        if (o->keys[i] == key)
            return true;
    return false;
}

static void check_against_plain(const struct dataset *d, const struct plain_order *orders)
{
    for (uint32_t b = 0; b < d->basket_count; b++) {
        assert_int_equal(d->time_ms[b], orders[b].time);
        assert_int_equal(d->user[b] == DATASET_NO_USER, orders[b].user == 0);
        uint32_t distinct = 0;
        for (uint32_t i = 0; i < d->item_count; i++)
            distinct += plain_has(&orders[b], d->item_key[i]);
        assert_int_equal(d->baskets.start[b + 1] - d->baskets.start[b], distinct);
        for (uint64_t e = d->baskets.start[b]; e < d->baskets.start[b + 1]; e++) {
            assert_true(plain_has(&orders[b], d->item_key[d->baskets.column[e]]));
            assert_true(e == d->baskets.start[b] ||
                        d->baskets.column[e - 1] < d->baskets.column[e]);
        }
        for (uint32_t c = 0; c < b; c++)
            assert_int_equal(orders[b].user == orders[c].user, d->user[b] == d->user[c]);
    }
    for (uint32_t i = 0; i < d->item_count; i++) {
        uint32_t holding = 0;
        for (uint32_t b = 0; b < d->basket_count; b++)
            holding += plain_has(&orders[b], d->item_key[i]);
        assert_int_equal(d->item_orders[i], holding);
        assert_true(holding > 0);
        assert_true(i == 0 || d->item_key[i - 1] < d->item_key[i]);
    }
}

/* Days, which often tie, and times of every magnitude. */
static int64_t random_time(struct rng *rng)
{
    int64_t time = (int64_t)(rng_u64(rng) >> (1 + rng_below(rng, 63)));
    return rng_below(rng, 2)   ? (int64_t)rng_below(rng, 20) * 86400000
           : rng_below(rng, 2) ? time
                               : -time;
}

static void random_orders_equal_the_plain_way(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 11);
    for (int round = 0; round < 60; round++) {
        struct plain_order orders[64];
        uint32_t count = rng_below(&rng, 64), span = 1 + rng_below(&rng, 2000);
        struct dataset d;
        assert_int_equal(dataset_init(&d, NULL, NULL), 0);
        for (uint32_t i = 0; i < count; i++) {
            struct plain_order o = {.time = random_time(&rng),
                                    .user = rng_below(&rng, 6),
                                    .count = 1 + rng_below(&rng, 8)};
            for (uint32_t k = 0; k < o.count; k++)
                o.keys[k] = 1 + rng_below(&rng, span);
            assert_int_equal(dataset_add(&d, o.time, o.user, o.keys, o.count, NULL), 0);
            uint32_t at = i;
            for (; at > 0 && orders[at - 1].time > o.time; at--)
                orders[at] = orders[at - 1];
            orders[at] = o;
        }
        assert_int_equal(dataset_finish(&d, NULL), 0);
        assert_int_equal(d.basket_count, count);
        check_against_plain(&d, orders);
        dataset_deinit(&d);
    }
}

static int build(struct dataset *d, struct error *err)
{
    int rc = dataset_init(d, NULL, err);
    for (uint32_t i = 0; i < 100 && rc == 0; i++)
        rc = dataset_add(d, 1000 - i, 1 + i % 40, (uint32_t[]){1 + i, 2 + i, 700}, 3, err);
    return rc ? rc : dataset_finish(d, err);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    int rc = ERR_NOMEM;
    unsigned n;
    for (n = 1; rc; n++) {
        struct dataset d;
        struct error err = ERROR_INIT;
        oom_fail_at(n);
        rc = build(&d, &err);
        oom_disarm();
        assert_true(rc == 0 || (rc == ERR_NOMEM && err.code == ERR_NOMEM));
        dataset_deinit(&d);
    }
    assert_true(n > 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders_become_a_matrix_in_time_order),
        cmocka_unit_test(no_orders_make_an_empty_dataset),
        cmocka_unit_test(orders_over_the_limit_are_skipped_and_counted),
        cmocka_unit_test(extreme_times_and_keys_keep_their_order),
        cmocka_unit_test(random_orders_equal_the_plain_way),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
