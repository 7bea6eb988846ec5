/* Next-basket scores against plain loops; what they reach on UCI Online Retail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "learn/nextbasket.h"
#include "support/nextorders.h"
#include "support/oom.h"
#include "support/topfreq.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 30
#define USERS 40

static void random_histories(uint64_t seed, struct dataset *d, struct histories *h)
{
    struct rng rng;
    rng_seed(&rng, seed);
    assert_int_equal(dataset_init(d, NULL, NULL), 0);
    for (uint32_t b = 0; b < 300; b++) {
        uint32_t keys[6], count = 1 + rng_below(&rng, 6), user = 1 + rng_below(&rng, USERS);
        for (uint32_t x = 0; x < count; x++)
            keys[x] = 1 + (user * 3 + rng_below(&rng, 12)) % ITEMS;
        assert_int_equal(dataset_add(d, rng_below(&rng, 1000), user, keys, count, NULL), 0);
    }
    assert_int_equal(dataset_finish(d, NULL), 0);
    assert_int_equal(histories_of_users(d, h, NULL), 0);
}

/* Order numbers of a history's entries, 0 the oldest; returns how many orders. */
static uint32_t number_orders(const struct history *of, uint32_t *order)
{
    uint32_t orders = 0;
    for (uint64_t x = 0; x < of->count; x++) {
        orders += x == 0 || of->time_ms[x] != of->time_ms[x - 1];
        order[x] = orders - 1;
    }
    return orders;
}

static void a_score_of_frequency_counts_orders(void **state)
{
    (void)state;
    const uint32_t item[] = {0, 1, 0, 2, 0}, orders[] = {9, 4, 1, 3};
    const int64_t time[] = {10, 10, 20, 20, 30};
    struct history of = {item, time, 5};
    float score[4];
    topfreq_scores(TOPFREQ_G, NULL, &of, orders, 4, score);
    assert_true(score[0] == 9 && score[1] == 4 && score[3] == 3);
    topfreq_scores(TOPFREQ_P, NULL, &of, orders, 4, score);
    assert_true(score[0] == 3 && score[1] == 1 && score[2] == 1 && score[3] == -1);
    topfreq_scores(TOPFREQ_GP, NULL, &of, orders, 4, score);
    assert_true(fabs(score[0] - (3 + .999 * .9)) < 1e-6);
    assert_true(fabs(score[3] - .999 * .3) < 1e-6);
    struct topfreq_params params = {.decay = .5, .popularity = .15};
    topfreq_scores(TOPFREQ_GP, &params, &of, orders, 4, score);
    assert_true(fabs(score[0] - (1.75 + .15 * .9)) < 1e-6);
    assert_true(fabs(score[1] - (.25 + .15 * .4)) < 1e-6);
    assert_true(fabs(score[2] - (.5 + .15 * .1)) < 1e-6);
}

/* v_u[j] as the paper's code has it, for all items. */
static void plain_vector(const struct history *of, const struct tifu_params *p, double v[ITEMS])
{
    static uint32_t order[2000];
    uint32_t orders = number_orders(of, order), groups = p->groups, group_of[2000],
             size[2000] = {0};
    memset(v, 0, ITEMS * sizeof *v);
    if (orders < groups) {
        for (uint32_t i = 0; i < orders; i++)
            group_of[i] = i;
        groups = orders;
    } else {
        uint32_t base = orders / groups, larger = orders % groups, at = 0;
        for (uint32_t g = 0; g < groups; g++)
            for (uint32_t i = 0; i < base + (g >= groups - larger); i++)
                group_of[at++] = g;
        assert_int_equal(at, orders);
    }
    for (uint32_t i = 0; i < orders; i++)
        size[group_of[i]]++;
    for (uint64_t x = 0; x < of->count; x++) {
        uint32_t i = order[x], g = group_of[i];
        v[of->item[x]] += pow(p->within_decay, orders - 1.0 - i) *
                          pow(p->group_decay, p->groups - 1.0 - g) / size[g] / groups;
    }
}

static void tifu_equals_the_plain_way(void **state)
{
    (void)state;
    static const struct tifu_params settings[] = {
        {.neighbours = 5, .groups = 3, .within_decay = .9, .group_decay = .6, .alpha = .2},
        {.neighbours = 900, .groups = 1, .within_decay = 1, .group_decay = .5, .alpha = .7},
        {.neighbours = 1, .groups = 20, .within_decay = .8, .group_decay = 1, .alpha = 1},
    };
    for (uint32_t round = 0; round < 9; round++) {
        const struct tifu_params *p = &settings[round % 3];
        struct dataset d;
        struct histories h;
        struct tifu t;
        random_histories(round, &d, &h);
        assert_int_equal(tifu_build(&h, p, &t, NULL), 0);
        struct tifu_scratch *s = tifu_scratch_new(&t, NULL);
        assert_non_null(s);
        double v[USERS][ITEMS];
        for (uint32_t u = 0; u < h.count; u++)
            plain_vector(&(struct history[]){history_of(&h, u)}[0], p, v[u]);
        for (uint32_t u = 0; u < h.count; u++) {
            struct history of = history_of(&h, u);
            float score[ITEMS];
            bool taken[USERS] = {false};
            double mean[ITEMS] = {0};
            uint32_t k = p->neighbours < h.count ? p->neighbours : h.count;
            for (uint32_t x = 0; x < k; x++) {
                uint32_t best = UINT32_MAX;
                double least = INFINITY;
                for (uint32_t o = 0; o < h.count; o++) {
                    double distance = 0;
                    for (uint32_t i = 0; i < d.item_count; i++)
                        distance += (v[u][i] - v[o][i]) * (v[u][i] - v[o][i]);
                    if (!taken[o] && distance < least - 1e-9) {
                        least = distance;
                        best = o;
                    }
                }
                taken[best] = true;
                for (uint32_t i = 0; i < d.item_count; i++)
                    mean[i] += v[best][i] / k;
            }
            tifu_scores(&t, &of, s, score);
            for (uint32_t i = 0; i < d.item_count; i++)
                assert_true(fabs(score[i] - (p->alpha * v[u][i] + (1 - p->alpha) * mean[i])) <
                            1e-5);
        }
        tifu_scratch_free(s);
        tifu_deinit(&t);
        histories_deinit(&h);
        dataset_deinit(&d);
    }
}

static void parameters_out_of_range_are_refused(void **state)
{
    (void)state;
    struct dataset d;
    struct histories h;
    random_histories(1, &d, &h);
    static const struct tifu_params bad[] = {
        {.within_decay = 1.1}, {.group_decay = -1}, {.alpha = 2}, {.alpha = NAN}};
    for (size_t x = 0; x < sizeof bad / sizeof *bad; x++) {
        struct tifu t;
        struct error err = ERROR_INIT;
        assert_int_equal(tifu_build(&h, &bad[x], &t, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "not in (0,1]"));
    }
    histories_deinit(&h);
    dataset_deinit(&d);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct dataset d;
    struct histories h;
    random_histories(2, &d, &h);
    OOM_LOOP
    {
        struct tifu t;
        struct error err = ERROR_INIT;
        int rc = tifu_build(&h, NULL, &t, &err);
        if (rc == 0) {
            struct tifu_scratch *s = tifu_scratch_new(&t, &err);
            rc = s ? 0 : (int)err.code;
            tifu_scratch_free(s);
            tifu_deinit(&t);
        }
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    histories_deinit(&h);
    dataset_deinit(&d);
}

struct frequent {
    const struct dataset *d;
    enum topfreq kind;
    struct topfreq_params params;
};

static void score_frequent(void *context, const struct history *of, int64_t now_ms, float *score)
{
    const struct frequent *f = context;
    (void)now_ms;
    topfreq_scores(f->kind, &f->params, of, f->d->item_orders, f->d->item_count, score);
}

struct nearest {
    const struct tifu *t;
    struct tifu_scratch *s;
};

static void score_nearest(void *context, const struct history *of, int64_t now_ms, float *score)
{
    struct nearest *n = context;
    (void)now_ms;
    tifu_scores(n->t, of, n->s, score);
}

/* The published order of these methods: popularity far behind, personal frequency better, with
 * popularity behind it better still. The figures are of this protocol (support/nextorders.h). */
static void uci_shoppers_buy_what_they_bought(void **state)
{
    (void)state;
    struct nextorders n;
    if (!nextorders_uci(&n, 4, 5)) {
        skip();
        return;
    }
    struct frequent g = {&n.train, TOPFREQ_G, {0, 0}}, p = {&n.train, TOPFREQ_P, {0, 0}},
                    gp = {&n.train, TOPFREQ_GP, {0, 0}},
                    decayed = {&n.train, TOPFREQ_GP, {.decay = .95, .popularity = .15}};
    double at_g = nextorders_recall(&n, "G-TopFreq", score_frequent, &g).all;
    double at_p = nextorders_recall(&n, "P-TopFreq", score_frequent, &p).all;
    double at_gp = nextorders_recall(&n, "GP-TopFreq", score_frequent, &gp).all;
    nextorders_recall(&n, "GP-TopFreq, decay .95", score_frequent, &decayed);
    struct tifu t;
    assert_int_equal(tifu_build(&n.history, NULL, &t, NULL), 0);
    struct nearest near = {&t, tifu_scratch_new(&t, NULL)};
    double at_t = nextorders_recall(&n, "TIFU-KNN 300 .9 .7 .7 7", score_nearest, &near).all;
    tifu_scratch_free(near.s);
    tifu_deinit(&t);
    assert_true(fabs(at_g - .031) < .002);
    assert_true(fabs(at_p - .1705) < .003);
    assert_true(at_gp >= at_p);
    assert_true(at_t > at_p - .01);
    nextorders_free(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_score_of_frequency_counts_orders),
        cmocka_unit_test(tifu_equals_the_plain_way),
        cmocka_unit_test(parameters_out_of_range_are_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
        cmocka_unit_test(uci_shoppers_buy_what_they_bought),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
