#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/dataset.h"
#include "support/oom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define USERS 7
#define ITEMS 12

static void add(struct dataset *d, int64_t time_ms, uint64_t user, uint32_t count,
                const uint32_t *keys)
{
    assert_int_equal(dataset_add(d, time_ms, user, keys, count, NULL), 0);
}

static struct dataset small(void)
{
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    add(&d, 30, 5, 2, (uint32_t[]){40, 10});
    add(&d, 10, 5, 1, (uint32_t[]){20});
    add(&d, 20, 0, 1, (uint32_t[]){30});
    add(&d, 20, 6, 2, (uint32_t[]){30, 20});
    add(&d, 40, 5, 1, (uint32_t[]){10});
    assert_int_equal(dataset_finish(&d, NULL), 0);
    return d;
}

static void a_row_has_its_users_orders_oldest_first(void **state)
{
    (void)state;
    struct dataset d = small();
    struct histories h;
    assert_int_equal(histories_of_users(&d, &h, NULL), 0);
    assert_int_equal(h.count, 2);
    assert_int_equal(h.item_count, 4);
    assert_memory_equal(h.start, ((uint64_t[]){0, 4, 6}), 3 * sizeof *h.start);
    assert_memory_equal(h.item, ((uint32_t[]){1, 0, 3, 0, 1, 2}), 6 * sizeof *h.item);
    assert_memory_equal(h.time_ms, ((int64_t[]){10, 30, 30, 40, 20, 20}), 6 * sizeof *h.time_ms);
    assert_int_equal(histories_bytes(&h), 3 * 8 + 6 * 12);
    histories_deinit(&h);
    dataset_deinit(&d);
}

static void a_set_has_each_item_once(void **state)
{
    (void)state;
    struct dataset d = small();
    struct histories h;
    struct csr sets;
    assert_int_equal(histories_of_users(&d, &h, NULL), 0);
    assert_int_equal(histories_sets(&h, &sets, NULL), 0);
    assert_int_equal(sets.rows, 2);
    assert_int_equal(sets.cols, 4);
    assert_memory_equal(sets.start, ((uint64_t[]){0, 3, 5}), 3 * sizeof *sets.start);
    assert_memory_equal(sets.column, ((uint32_t[]){0, 1, 3, 1, 2}), 5 * sizeof *sets.column);
    assert_int_equal(csr_check(&sets, NULL), 0);
    csr_deinit(&sets);
    histories_deinit(&h);
    dataset_deinit(&d);
}

static void nobodys_orders_make_no_history(void **state)
{
    (void)state;
    struct dataset d;
    struct histories h;
    struct csr sets;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    add(&d, 1, 0, 1, (uint32_t[]){1});
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(histories_of_users(&d, &h, NULL), 0);
    assert_int_equal(h.count, 0);
    assert_int_equal(h.start[0], 0);
    assert_int_equal(histories_sets(&h, &sets, NULL), 0);
    assert_int_equal(sets.rows, 0);
    csr_deinit(&sets);
    histories_deinit(&h);
    dataset_deinit(&d);
}

/* Row by row, every basket of the user is looked for in order. */
static void random_histories_equal_a_walk_over_all_baskets(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 7);
    for (int round = 0; round < 50; round++) {
        struct dataset d;
        struct histories h;
        assert_int_equal(dataset_init(&d, NULL, NULL), 0);
        for (int b = 0; b < 40; b++) {
            uint32_t keys[4], count = 1 + (uint32_t)rng_below(&rng, 4);
            for (uint32_t x = 0; x < count; x++)
                keys[x] = 1 + (uint32_t)rng_below(&rng, ITEMS);
            add(&d, (int64_t)rng_below(&rng, 20), rng_below(&rng, USERS + 1), count, keys);
        }
        assert_int_equal(dataset_finish(&d, NULL), 0);
        assert_int_equal(histories_of_users(&d, &h, NULL), 0);
        for (uint32_t u = 0; u < d.user_count; u++) {
            uint64_t at = h.start[u];
            for (uint32_t b = 0; b < d.basket_count; b++) {
                for (uint64_t x = d.baskets.start[b]; d.user[b] == u && x < d.baskets.start[b + 1];
                     x++, at++) {
                    assert_int_equal(h.item[at], d.baskets.column[x]);
                    assert_int_equal(h.time_ms[at], d.time_ms[b]);
                }
            }
            assert_int_equal(at, h.start[u + 1]);
        }
        histories_deinit(&h);
        dataset_deinit(&d);
    }
}

#define DAY_MS 86400000LL

static void look(struct dataset *d, int64_t time_ms, uint64_t session, uint32_t item,
                 enum action action)
{
    const struct event e = {
        .time_ms = time_ms, .session = session, .item = item, .action = (uint8_t)action};
    assert_int_equal(dataset_add_event(d, &e, NULL), 0);
}

/* A view counts .1 and half of it after 14 days, a cart add .5; taking out of the cart nothing. */
static void visits_weigh_what_happened_by_kind_and_age(void **state)
{
    (void)state;
    struct dataset d;
    struct histories h;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    look(&d, 2 * DAY_MS, 8, 20, ACTION_VIEW);
    look(&d, 2 * DAY_MS + 1, 8, 10, ACTION_UNCART);
    look(&d, 2 * DAY_MS + 2, 8, 10, ACTION_VIEW);
    look(&d, 16 * DAY_MS, 9, 30, ACTION_CART);
    look(&d, 16 * DAY_MS + 1, 9, 20, ACTION_VIEW);
    add(&d, 16 * DAY_MS, 1, 1, (uint32_t[]){30});
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(histories_of_visits(&d, &h, NULL), 0);
    assert_int_equal(h.count, 2);
    assert_memory_equal(h.start, ((uint64_t[]){0, 2, 4}), 3 * sizeof *h.start);
    assert_memory_equal(h.item, ((uint32_t[]){1, 0, 2, 1}), 4 * sizeof *h.item);
    const double expected[] = {0.05, 0.05, 0.5, 0.1};
    for (size_t x = 0; x < 4; x++)
        assert_true(fabs((double)h.weight[x] - expected[x]) < 1e-6);
    histories_deinit(&h);
    dataset_deinit(&d);
    d = small(); /* without events */
    assert_int_equal(histories_of_visits(&d, &h, NULL), 0);
    assert_int_equal(h.count, 0);
    histories_deinit(&h);
    dataset_deinit(&d);
}

static void building_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct dataset d = small();
    OOM_LOOP
    {
        struct histories h = {0};
        struct csr sets = {0};
        int rc = histories_of_users(&d, &h, NULL);
        if (rc == 0)
            rc = histories_sets(&h, &sets, NULL);
        histories_deinit(&h);
        if (rc == 0)
            rc = histories_of_visits(&d, &h, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        csr_deinit(&sets);
        histories_deinit(&h);
    }
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_its_users_orders_oldest_first),
        cmocka_unit_test(a_set_has_each_item_once),
        cmocka_unit_test(nobodys_orders_make_no_history),
        cmocka_unit_test(random_histories_equal_a_walk_over_all_baskets),
        cmocka_unit_test(visits_weigh_what_happened_by_kind_and_age),
        cmocka_unit_test(building_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
