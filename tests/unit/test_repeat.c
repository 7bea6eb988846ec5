/* Repeat purchases: what is counted, against plain loops; that learning finds what was planted;
 * what it reaches on UCI Online Retail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/repeat.h"
#include "support/nextorders.h"
#include "support/oom.h"
#include "support/topfreq.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define ITEMS  20

static void random_orders(uint64_t seed, uint32_t orders, struct dataset *d)
{
    struct rng rng;
    rng_seed(&rng, seed);
    assert_int_equal(dataset_init(d, NULL, NULL), 0);
    for (uint32_t b = 0; b < orders; b++) {
        uint32_t keys[5], count = 1 + rng_below(&rng, 5);
        for (uint32_t x = 0; x < count; x++)
            keys[x] = 1 + rng_below(&rng, ITEMS);
        int64_t time = rng_below(&rng, 100) * DAY_MS;
        assert_int_equal(dataset_add(d, time, rng_below(&rng, 30), keys, count, NULL), 0);
    }
    assert_int_equal(dataset_finish(d, NULL), 0);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double plain_median(double *of, uint32_t count)
{
    qsort(of, count, sizeof *of, compare);
    double middle = count % 2 ? of[count / 2] : (of[count / 2 - 1] + of[count / 2]) / 2;
    return middle > 0.5 ? middle : 0.5;
}

static bool basket_has(const struct dataset *d, uint32_t b, uint32_t item)
{
    for (uint64_t x = d->baskets.start[b]; x < d->baskets.start[b + 1]; x++)
        if (d->baskets.column[x] == item)
            return true;
    return false;
}

/* All gaps of an item (UINT32_MAX: of all items), and who bought it, and again. */
static uint32_t plain_gaps(const struct dataset *d, uint32_t item, double *gap, double *buyers,
                           double *again)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->item_count; i++) {
        for (uint32_t u = 0; u < d->user_count && (item == UINT32_MAX || item == i); u++) {
            uint32_t times = 0;
            int64_t last = 0;
            for (uint32_t b = 0; b < d->basket_count; b++) {
                if (d->user[b] != u || !basket_has(d, b, i) || (times && d->time_ms[b] == last))
                    continue;
                if (times++)
                    gap[count++] = (double)(d->time_ms[b] - last) / DAY_MS;
                last = d->time_ms[b];
            }
            *buyers += times > 0;
            *again += times > 1;
        }
    }
    return count;
}

static void gaps_rates_and_demand_equal_the_plain_way(void **state)
{
    (void)state;
    static double gap[20000];
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct dataset d;
        struct repeat_model m;
        random_orders(seed, 10 + 20 * (uint32_t)seed, &d);
        assert_int_equal(repeat_build(&d, NULL, &m, NULL), 0);
        double buyers = 0, again = 0, recent = 0;
        uint32_t all = plain_gaps(&d, UINT32_MAX, gap, &buyers, &again);
        double usual = all ? plain_median(gap, all) : 30, rate = (again + 1) / (buyers + 2);
        int64_t now = d.time_ms[d.basket_count - 1];
        for (uint32_t b = 0; b < d.basket_count; b++)
            if (now - d.time_ms[b] < 28 * DAY_MS)
                recent += (double)(d.baskets.start[b + 1] - d.baskets.start[b]);
        double mean = (recent + 1) / (d.item_count + 1);
        assert_true(fabs(m.usual_gap_days - usual) < 1e-4);
        assert_true(fabs(m.usual_rate - rate) < 1e-5);
        assert_true(fabs(m.no_demand - log(1 / mean)) < 1e-5);
        for (uint32_t i = 0; i < d.item_count; i++) {
            double own_buyers = 0, own_again = 0, orders = 0;
            uint32_t count = plain_gaps(&d, i, gap, &own_buyers, &own_again);
            double own = count ? plain_median(gap, count) : 1;
            double drawn = exp((10 * log(usual) + count * log(own)) / (10 + count));
            for (uint32_t b = 0; b < d.basket_count; b++)
                orders += now - d.time_ms[b] < 28 * DAY_MS && basket_has(&d, b, i);
            assert_true(fabs(m.gap_days[i] / drawn - 1) < 1e-5);
            assert_true(fabs(m.rate[i] - (own_again + 5 * rate) / (own_buyers + 5)) < 1e-5);
            assert_true(fabs(m.demand[i] - log((orders + 1) / mean)) < 1e-5);
        }
        repeat_deinit(&m);
        dataset_deinit(&d);
    }
}

static void a_history_is_gathered_by_item(void **state)
{
    (void)state;
    const uint32_t item[] = {7, 3, 7, 7, 3, 9};
    const int64_t time[] = {1, 2, 2, 5, 5, 5};
    struct repeat_item out[6];
    assert_int_equal(repeat_items(item, time, 6, out), 3);
    assert_memory_equal(&out[0], (&(struct repeat_item){3, 2, 2, 5}), sizeof *out);
    assert_memory_equal(&out[1], (&(struct repeat_item){7, 3, 1, 5}), sizeof *out);
    assert_memory_equal(&out[2], (&(struct repeat_item){9, 1, 5, 5}), sizeof *out);
    const uint32_t twice[] = {4, 4};
    const int64_t once[] = {8, 8}; /* two orders of one time count as one */
    assert_int_equal(repeat_items(twice, once, 2, out), 1);
    assert_int_equal(out[0].times, 1);
    assert_int_equal(repeat_items(NULL, NULL, 0, out), 0);
}

static void a_score_is_the_logistic_of_its_features(void **state)
{
    (void)state;
    struct dataset d;
    struct repeat_model m;
    random_orders(3, 300, &d);
    assert_int_equal(repeat_build(&d, NULL, &m, NULL), 0);
    int64_t now = 200 * DAY_MS;
    for (uint32_t times = 1; times < 5; times++) {
        for (uint32_t i = 0; i <= d.item_count; i++) {
            bool known = i < d.item_count;
            struct repeat_item item = {known ? i : REPEAT_NO_ITEM, times, 100 * DAY_MS,
                                       (99 + times * times) * DAY_MS};
            double days = 101.0 - times * times, gap = known ? m.gap_days[i] : m.usual_gap_days;
            if (times > 1)
                gap = (times * times - 1.0 + 2 * gap) / (times + 1);
            double due = days / gap;
            double x[REPEAT_FEATURES] = {log((double)times),
                                         log(1 + days),
                                         log(due + .1),
                                         due<.5, due> 3,
                                         log((double)(known ? m.rate[i] : m.usual_rate)),
                                         known ? m.demand[i] : m.no_demand};
            double logit = m.bias;
            for (int f = 0; f < REPEAT_FEATURES; f++)
                logit += m.weight[f] * x[f];
            struct repeat_evidence got = repeat_score(&m, &item, now);
            assert_true(fabs(got.score - 1 / (1 + exp(-logit))) < 1e-5);
            assert_true(fabs(got.gap_days / gap - 1) < 1e-5 && fabs(got.due / due - 1) < 1e-5);
        }
    }
    /* A purchase in the future, of a clock that is behind, is one of now. */
    struct repeat_item item = {0, 1, 300 * DAY_MS, 300 * DAY_MS};
    assert_true(repeat_score(&m, &item, now).due == 0);
    repeat_deinit(&m);
    dataset_deinit(&d);
}

static void with_nothing_to_learn_from_the_defaults_stay(void **state)
{
    (void)state;
    struct dataset d;
    struct repeat_model m;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (uint32_t b = 0; b < 10; b++)
        assert_int_equal(dataset_add(&d, b, 0, &(uint32_t){1 + b % 3}, 1, NULL), 0);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(repeat_build(&d, NULL, &m, NULL), 0);
    assert_int_equal(m.shoppers, 0);
    assert_true(m.weight[REPEAT_TIMES] == 0.6f && m.bias == -0.6f);
    assert_true(m.usual_gap_days == 30);
    struct repeat_evidence e = repeat_score(&m, &(struct repeat_item){0, 1, 0, 0}, 40 * DAY_MS);
    assert_true(e.score > 0 && e.score < 1);
    repeat_deinit(&m);
    dataset_deinit(&d);
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(repeat_build(&d, NULL, &m, NULL), 0);
    repeat_deinit(&m);
    dataset_deinit(&d);
}

/* Shoppers who buy each of their items every `item + 5` days, and come by every day: what is due is
 * bought. Learning must find it: the due item above one bought as often that is not due. */
static void what_is_due_is_learnt_where_shoppers_have_rhythm(void **state)
{
    (void)state;
    struct dataset d;
    struct repeat_model m;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (uint32_t day = 0; day < 120; day++) {
        for (uint32_t user = 0; user < 60; user++) {
            uint32_t keys[ITEMS], count = 0;
            for (uint32_t i = user % 4; i < ITEMS; i += 4)
                if ((day + user) % (i + 5) == 0)
                    keys[count++] = 1 + i;
            assert_int_equal(dataset_add(&d, day * DAY_MS + user, 1 + user, keys, count, NULL), 0);
        }
    }
    assert_int_equal(dataset_finish(&d, NULL), 0);
    assert_int_equal(repeat_build(&d, NULL, &m, NULL), 0);
    assert_int_equal(m.shoppers, 60);
    for (uint32_t i = 0; i < d.item_count; i++)
        assert_true(fabs(m.gap_days[i] / (i + 5.0) - 1) < 0.2);
    struct repeat_item item = {10, 5, 0, 60 * DAY_MS}; /* every 15 days */
    float early = repeat_score(&m, &item, 64 * DAY_MS).score;
    float due = repeat_score(&m, &item, 75 * DAY_MS).score;
    assert_true(due > 2 * early);
    repeat_deinit(&m);
    dataset_deinit(&d);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct dataset d;
    random_orders(4, 200, &d);
    OOM_LOOP
    {
        struct repeat_model m;
        struct error err = ERROR_INIT;
        int rc = repeat_build(&d, NULL, &m, &err);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            repeat_deinit(&m);
    }
    dataset_deinit(&d);
}

struct scorer {
    const struct repeat_model *m;
    struct repeat_item items[20000];
};

/* What they never bought comes last. */
static void score_repeats(void *context, const struct history *of, int64_t now_ms, float *score)
{
    struct scorer *s = context;
    for (uint32_t i = 0; i < s->m->item_count; i++)
        score[i] = -1;
    uint32_t count = repeat_items(of->item, of->time_ms, (uint32_t)of->count, s->items);
    for (uint32_t x = 0; x < count; x++)
        score[s->items[x].item] = repeat_score(s->m, &s->items[x], now_ms).score;
}

static void score_personal(void *context, const struct history *of, int64_t now_ms, float *score)
{
    const struct dataset *d = context;
    (void)now_ms;
    topfreq_scores(TOPFREQ_GP, NULL, of, d->item_orders, d->item_count, score);
}

/* Everything learnt from the first four fifths of the orders, weights from their last fifth. */
static void uci_repeats_are_found_better_than_by_frequency(void **state)
{
    (void)state;
    struct nextorders n;
    static struct scorer s;
    if (!nextorders_uci(&n, 4, 5)) {
        skip();
        return;
    }
    struct repeat_model m;
    assert_int_equal(repeat_build(&n.train, NULL, &m, NULL), 0);
    s.m = &m;
    struct recall base = nextorders_recall(&n, "GP-TopFreq", score_personal, &n.train);
    struct recall learnt = nextorders_recall(&n, "repeat", score_repeats, &s);
    printf("  weights %.2f %.2f %.2f %.2f %.2f %.2f %.2f, bias %.2f, from %u shoppers\n",
           m.weight[0], m.weight[1], m.weight[2], m.weight[3], m.weight[4], m.weight[5],
           m.weight[6], m.bias, m.shoppers);
    assert_true(learnt.all > base.all + .006);
    assert_true(learnt.repeat > base.repeat + .025);
    repeat_deinit(&m);
    nextorders_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaps_rates_and_demand_equal_the_plain_way),
        cmocka_unit_test(a_history_is_gathered_by_item),
        cmocka_unit_test(a_score_is_the_logistic_of_its_features),
        cmocka_unit_test(with_nothing_to_learn_from_the_defaults_stay),
        cmocka_unit_test(what_is_due_is_learnt_where_shoppers_have_rhythm),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(uci_repeats_are_found_better_than_by_frequency),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
