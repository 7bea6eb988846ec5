#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "learn/popularity.h"
#include "support/oom.h"

#define DAY 86400000LL

/* Items (by key) and the day they sell on, newest day 100. */
static void make(struct dataset *d)
{
    static const struct {
        int64_t day_ms;
        uint32_t keys[4], count;
    } ORDERS[] = {
        {100 * DAY, {10, 20}, 2},    {93 * DAY + 1, {20}, 1}, /* within 7 days, just */
        {93 * DAY, {30}, 1},                                  /* 7 days old: not within */
        {72 * DAY + 1, {30, 10}, 2},                          /* within 28 days, just */
        {72 * DAY, {40, 30, 10}, 3},                          /* beyond */
        {1 * DAY, {40, 50}, 2},      {99 * DAY, {20}, 1},
    };
    assert_int_equal(dataset_init(d, NULL, NULL), 0);
    for (size_t i = 0; i < sizeof ORDERS / sizeof *ORDERS; i++)
        assert_int_equal(dataset_add(d, ORDERS[i].day_ms, 0, ORDERS[i].keys, ORDERS[i].count, NULL),
                         0);
    assert_int_equal(dataset_finish(d, NULL), 0);
}

static void windows_end_at_the_newest_order(void **state)
{
    (void)state;
    struct dataset d;
    struct popularity p;
    make(&d);
    assert_int_equal(popularity_build(&d, 0, &p, NULL), 0);
    assert_int_equal(p.now_ms, 100 * DAY);
    static const uint32_t all[] = {3, 3, 3, 2, 1}, in_28d[] = {2, 3, 2, 0, 0},
                          in_7d[] = {1, 3, 0, 0, 0};
    assert_int_equal(p.item_count, 5);
    assert_memory_equal(p.orders_all, all, sizeof all);
    assert_memory_equal(p.orders_28d, in_28d, sizeof in_28d);
    assert_memory_equal(p.orders_7d, in_7d, sizeof in_7d);
    popularity_deinit(&p);
    popularity_deinit(&p);
    dataset_deinit(&d);
}

static void ranks_follow_28_days_then_all_time_then_item(void **state)
{
    (void)state;
    struct dataset d;
    struct popularity p;
    make(&d);
    assert_int_equal(popularity_build(&d, 0, &p, NULL), 0);
    static const uint32_t by_rank[] = {1, 0, 2, 3, 4}, rank[] = {1, 0, 2, 3, 4};
    assert_memory_equal(p.by_rank, by_rank, sizeof by_rank);
    assert_memory_equal(p.rank, rank, sizeof rank);
    popularity_deinit(&p);
    dataset_deinit(&d);
}

static void trend_is_the_ratio_of_shrunk_rates(void **state)
{
    (void)state;
    struct dataset d;
    struct popularity p;
    make(&d);
    assert_int_equal(popularity_build(&d, 0, &p, NULL), 0);
    assert_true(fabs(p.trend[0] - log(3 * 2.0 / 4)) < 1e-6);
    assert_true(fabs(p.trend[1] - log(3 * 4.0 / 3)) < 1e-6);
    assert_true(fabs(p.trend[2] - log(3 * 1.0 / 5)) < 1e-6);
    assert_true(p.trend[3] == 0 && p.trend[4] == 0);
    /* those without an order in 7 days come last, even where their trend is not negative */
    static const uint32_t by_trend[] = {1, 0, 3, 4, 2};
    assert_memory_equal(p.by_trend, by_trend, sizeof by_trend);
    popularity_deinit(&p);
    dataset_deinit(&d);
}

static void a_given_now_moves_the_windows(void **state)
{
    (void)state;
    struct dataset d;
    struct popularity p;
    make(&d);
    assert_int_equal(popularity_build(&d, 94 * DAY, &p, NULL), 0);
    assert_int_equal(p.orders_all[1], 3);
    assert_int_equal(p.orders_7d[1], 1); /* later orders are in no window */
    assert_int_equal(p.orders_28d[1], 1);
    assert_int_equal(p.orders_7d[2], 1);
    popularity_deinit(&p);
    assert_int_equal(popularity_build(&d, 1000 * DAY, &p, NULL), 0);
    for (uint32_t i = 0; i < p.item_count; i++)
        assert_int_equal(p.orders_28d[i], 0);
    popularity_deinit(&p);
    dataset_deinit(&d);
}

static void no_orders_have_no_popularity(void **state)
{
    (void)state;
    struct dataset d;
    struct popularity p;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(popularity_build(&d, 0, &p, NULL), 0);
    assert_int_equal(p.item_count, 0);
    popularity_deinit(&p);
    dataset_deinit(&d);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    (void)state;
    struct dataset d;
    struct popularity p;
    make(&d);
    OOM_LOOP
    {
        int rc = popularity_build(&d, 0, &p, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            popularity_deinit(&p);
    }
    dataset_deinit(&d);
}

/* Item 10 sells as it did, 20 falls; views of the last days turn both round, by their weight. */
static void views_count_in_the_trend_by_their_weight(void **state)
{
    (void)state;
    struct event_weights weights = event_weights_default();
    weights.of[ACTION_VIEW].weight = 0.25;
    struct dataset_limits limits = {.weights = &weights};
    struct dataset d;
    struct popularity p;
    assert_int_equal(dataset_init(&d, &limits, NULL), 0);
    assert_int_equal(dataset_add(&d, 100 * DAY, 0, (uint32_t[]){10}, 1, NULL), 0);
    assert_int_equal(dataset_add(&d, 80 * DAY, 0, (uint32_t[]){10, 20}, 2, NULL), 0);
    for (int64_t e = 0; e < 8; e++) {
        struct event view = {.time_ms = (98 + e) * DAY, .item = 20}; /* some after the last order */
        struct event old = {.time_ms = (85 + e) * DAY, .item = 30};
        assert_int_equal(dataset_add_event(&d, &view, NULL), 0);
        assert_int_equal(dataset_add_event(&d, &old, NULL), 0);
    }
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(popularity_build(&d, 0, &p, NULL), 0);
    assert_true(fabs(p.trend[0] - log(3 * (1 + 1.0) / (1 + 3.0))) < 1e-6);
    assert_true(fabs(p.trend[1] - log(3 * (2 + 1.0) / (1 + 3.0))) < 1e-6);
    assert_true(fabs(p.trend[2] - log(3 * (0 + 1.0) / (2 + 3.0))) < 1e-6);
    assert_int_equal(p.orders_7d[1], 0); /* orders are orders */
    assert_int_equal(p.orders_all[2], 0);
    popularity_deinit(&p);
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_end_at_the_newest_order),
        cmocka_unit_test(ranks_follow_28_days_then_all_time_then_item),
        cmocka_unit_test(trend_is_the_ratio_of_shrunk_rates),
        cmocka_unit_test(a_given_now_moves_the_windows),
        cmocka_unit_test(no_orders_have_no_popularity),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
        cmocka_unit_test(views_count_in_the_trend_by_their_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
