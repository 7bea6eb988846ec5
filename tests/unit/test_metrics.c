#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/metrics.h"
#include "support/madeorders.h"
#include "support/near.h"
#include "support/oom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NEAR 1e-12

static double of(enum quality q, uint32_t k, uint32_t count, const uint32_t *places)
{
    struct placing list[8];
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct placing){places[i] ? places[i] - 1 : PLACING_NEVER, 1};
    return quality_of(q, k, list, count);
}

static void one_target_at_place_three(void **state)
{
    (void)state;
    const uint32_t third[] = {3};
    assert_near(of(QUALITY_HR, 5, 1, third), 1, NEAR);
    assert_near(of(QUALITY_RECALL, 5, 1, third), 1, NEAR);
    assert_near(of(QUALITY_NDCG, 5, 1, third), .5, NEAR);
    assert_near(of(QUALITY_MRR, 5, 1, third), 1. / 3, NEAR);
    assert_near(of(QUALITY_MAP, 5, 1, third), 1. / 3, NEAR);
    for (int q = 0; q < QUALITY_COUNT; q++)
        assert_near(of((enum quality)q, 2, 1, third), 0, NEAR);
}

/* Places 2 and 5 of four targets, the others at 12 and never. */
static void several_targets_by_hand(void **state)
{
    (void)state;
    const uint32_t places[] = {12, 5, 0, 2};
    double best = 1 + 1 / log2(3) + .5 + 1 / log2(5);
    assert_near(of(QUALITY_HR, 10, 4, places), 1, NEAR);
    assert_near(of(QUALITY_RECALL, 10, 4, places), .5, NEAR);
    assert_near(of(QUALITY_NDCG, 10, 4, places), (1 / log2(3) + 1 / log2(6)) / best, NEAR);
    assert_near(of(QUALITY_MRR, 10, 4, places), .5, NEAR);
    assert_near(of(QUALITY_MAP, 10, 4, places), (1. / 2 + 2. / 5) / 4, NEAR);
}

/* At k = 2 the best order has two of the four targets. */
static void the_best_order_ends_at_k(void **state)
{
    (void)state;
    const uint32_t places[] = {1, 2, 3, 4};
    assert_near(of(QUALITY_NDCG, 2, 4, places), 1, NEAR);
    assert_near(of(QUALITY_MAP, 2, 4, places), 1, NEAR);
    assert_near(of(QUALITY_RECALL, 2, 4, places), .5, NEAR);
}

/* By walking down the list. hit[place - 1] */
static double plain(enum quality q, uint32_t k, const bool *hit, uint32_t length, uint32_t count)
{
    double hits = 0, dcg = 0, best = 0, ap = 0, first = 0;
    for (uint32_t p = 1; p <= k; p++) {
        best += p <= count ? 1 / log2(p + 1.) : 0;
        if (p > length || !hit[p - 1])
            continue;
        hits++;
        first = first > 0 ? first : 1. / p;
        dcg += 1 / log2(p + 1.);
        ap += hits / p;
    }
    switch (q) {
    case QUALITY_HR:
        return hits > 0;
    case QUALITY_RECALL:
        return hits / count;
    case QUALITY_NDCG:
        return dcg / best;
    case QUALITY_MRR:
        return first;
    default:
        return ap / (k < count ? k : count);
    }
}

static void random_places_equal_a_walk_down_the_list(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 3);
    for (int round = 0; round < 3000; round++) {
        bool hit[30] = {0};
        struct placing list[8];
        uint32_t count = 1 + rng_below(&rng, 8), never = rng_below(&rng, count + 1);
        for (uint32_t t = 0; t < count; t++) {
            uint32_t at;
            do
                at = rng_below(&rng, 30);
            while (hit[at]);
            list[t] = (struct placing){t < never ? PLACING_NEVER : at, 1};
            hit[at] = t >= never;
        }
        uint32_t k = 1 + rng_below(&rng, 25);
        for (int q = 0; q < QUALITY_COUNT; q++)
            assert_near(quality_of((enum quality)q, k, list, count),
                        plain((enum quality)q, k, hit, 30, count), NEAR);
    }
}

/* All orders of the tied, each as likely. Items 0..5; scores tell levels; targets as a bit set. */
static double over_all_orders(enum quality q, uint32_t k, const uint32_t *score, uint32_t targets)
{
    uint32_t order[6] = {0, 1, 2, 3, 4, 5}, stack[6] = {0}, level = 1;
    double sum = 0, orders = 0;
    uint32_t count = (uint32_t)__builtin_popcount(targets);
    for (;;) { /* Heap's permutations */
        bool sorted = true, hit[6];
        for (uint32_t i = 0; i < 6; i++) {
            sorted = sorted && (i == 0 || score[order[i - 1]] >= score[order[i]]);
            hit[i] = targets >> order[i] & 1;
        }
        if (sorted) {
            sum += plain(q, k, hit, 6, count);
            orders++;
        }
        while (level < 6 && stack[level] >= level)
            stack[level++] = 0;
        if (level == 6)
            return sum / orders;
        uint32_t other = level % 2 ? stack[level] : 0, swap = order[level];
        order[level] = order[other];
        order[other] = swap;
        stack[level]++;
        level = 1;
    }
}

static void open_ties_are_the_mean_over_all_orders(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 4);
    for (int round = 0; round < 200; round++) {
        uint32_t score[6], targets = 1 + rng_below(&rng, 63), count = 0;
        struct placing list[6];
        for (uint32_t i = 0; i < 6; i++)
            score[i] = rng_below(&rng, 3);
        for (uint32_t t = 0; t < 6; t++) {
            struct placing at = {0, 0};
            for (uint32_t i = 0; i < 6; i++) {
                at.above += score[i] > score[t];
                at.level += score[i] == score[t];
            }
            if (targets >> t & 1)
                list[count++] = at;
        }
        uint32_t k = 1 + rng_below(&rng, 7);
        for (int q = 0; q < QUALITY_COUNT; q++)
            assert_near(quality_of((enum quality)q, k, list, count),
                        over_all_orders((enum quality)q, k, score, targets), 1e-9);
    }
}

struct shop {
    struct dataset d;
    struct split split;
    struct contender contender;
    struct ranking ranking;
};

static void score_alike(void *state, const struct split *split, uint32_t question, float *scores,
                        uint32_t worker)
{
    (void)state;
    (void)question;
    (void)worker;
    for (uint32_t i = 0; i < split->train.item_count; i++)
        scores[i] = 7;
}

static struct shop open_shop(enum task task, bool open_ties)
{
    struct shop s = {.contender = {.name = "alike", .score = score_alike}};
    const struct made_params made = {.orders = 400, .items = 30, .shoppers = 20, .largest = 5};
    const struct split_params params = {.task = task, .bought = true, .test_share = .3};
    const struct ranking_params ranking = {.list_length = 10, .open_ties = open_ties};
    s.d = made_orders(&made, 5);
    assert_int_equal(split_make(&s.d, &params, STAGE_TEST, &s.split, NULL), 0);
    assert_int_equal(ranking_make(&s.split, &s.contender, &ranking, &s.ranking, NULL), 0);
    return s;
}

static void close_shop(struct shop *s)
{
    ranking_deinit(&s->ranking);
    split_deinit(&s->split);
    dataset_deinit(&s->d);
}

/* One target among all n items: it is in the first k with k/n. */
static void a_constant_scorer_hits_with_k_of_n(void **state)
{
    (void)state;
    struct shop s = open_shop(TASK_PERSONAL, true);
    uint32_t n = s.split.train.item_count, singles = 0;
    double values[400];
    assert_true(s.split.questions.count <= 400);
    for (uint32_t k = 1; k <= 20; k += 3) {
        assert_int_equal(
            quality_values(&s.split, &s.ranking, QUALITY_HR, k, SEGMENT_ALL, values, NULL), 0);
        for (uint32_t i = 0; i < s.split.questions.count; i++) {
            const uint64_t *start = s.split.questions.target_start;
            if (start[i + 1] - start[i] != 1 || s.split.questions.target[start[i]] == TARGET_LOST)
                continue;
            assert_near(values[i], (double)k / n, NEAR);
            singles++;
        }
    }
    assert_true(singles > 50);
    close_shop(&s);
}

static void segments_part_the_questions(void **state)
{
    (void)state;
    struct shop s = open_shop(TASK_BASKET, false);
    uint32_t all, given = 0, head, tail, repeat, explore, lost = 0;
    double *values = malloc(s.split.questions.count * sizeof *values);
#define COUNT(segment, numbers)                                                                    \
    (assert_int_equal(quality_values(&s.split, &s.ranking, QUALITY_HR, 5, segment, values, NULL),  \
                      0),                                                                          \
     mean_of(values, s.split.questions.count, numbers))
    COUNT(SEGMENT_ALL, &all);
    assert_int_equal(all, s.split.questions.count);
    for (int segment = SEGMENT_CONTEXT_0; segment <= SEGMENT_CONTEXT_MORE; segment++) {
        uint32_t part;
        COUNT((enum segment)segment, &part);
        given += part;
        for (uint32_t i = 0; i < s.split.questions.count; i++) {
            const struct span *c = &s.split.questions.context[i];
            uint64_t items = c->end - c->begin > 4 ? 4 : c->end - c->begin;
            assert_int_equal(!isnan(values[i]), items == (uint64_t)segment - SEGMENT_CONTEXT_0);
        }
    }
    assert_int_equal(given, all);
    for (uint32_t i = 0; i < all; i++)
        lost += s.split.questions.target[i] == TARGET_LOST;
    COUNT(SEGMENT_HEAD, &head);
    COUNT(SEGMENT_TAIL, &tail);
    assert_int_equal(head + tail + lost, all);
    COUNT(SEGMENT_REPEAT, &repeat);
    COUNT(SEGMENT_EXPLORE, &explore);
    assert_int_equal(repeat + explore + lost, all);
    assert_true(head && tail && repeat && explore);
    free(values);
    close_shop(&s);
}

/* Three items and four lists of which one is empty. */
static void lists_by_hand(void **state)
{
    (void)state;
    struct shop s = open_shop(TASK_BASKET, false);
    struct cooc pairs;
    struct list_measures m;
    const struct cooc_params params = {0};
    uint32_t n = s.split.train.item_count, questions = s.split.questions.count;
    double coverage;
    assert_int_equal(cooc_count(&s.split.train.baskets, &params, &pairs, NULL), 0);
    for (uint32_t i = 0; i < questions * 10; i++)
        s.ranking.list[i] = LIST_END;
    memcpy(s.ranking.list, (uint32_t[]){0, 1}, 8);
    memcpy(s.ranking.list + 10, (uint32_t[]){1}, 4);
    memcpy(s.ranking.list + 20, (uint32_t[]){1, 2, 5}, 12);
    assert_int_equal(list_measures(&s.split, &s.ranking, 2, &pairs, 1, &m, NULL), 0);
    assert_int_equal(list_coverage(&s.split, &s.ranking, 2, &coverage, NULL), 0);
    assert_int_equal(m.empty, questions - 3);
    assert_near(coverage, 3. / n, NEAR);
    const uint32_t *orders = s.split.train.item_orders;
    double all = s.split.train.basket_count;
    assert_near(m.novelty,
                -(log2(orders[0] / all) + 3 * log2(orders[1] / all) + log2(orders[2] / all)) / 5,
                1e-9);
    double near01 = cooc_pair(&pairs, 0, 1) / sqrt((double)orders[0] * orders[1]);
    double near12 = cooc_pair(&pairs, 1, 2) / sqrt((double)orders[1] * orders[2]);
    assert_near(m.diversity, 1 - (near01 + near12) / 2, 1e-9);
    /* Times suggested: n - 3 of 0, then 1, 1, 3: the mean difference of two over twice the mean. */
    double differences = 2 * ((n - 3.) * 5 + 2 + 2);
    assert_near(m.gini, differences / (2. * n * n * (5. / n)), 1e-9);
    uint32_t tail = 0;
    for (uint32_t i = 0; i < 3; i++)
        tail += s.split.rank[i] >= s.split.head_items ? (i == 1 ? 3 : 1) : 0;
    assert_near(m.tail_share, tail / 5., NEAR);
    cooc_deinit(&pairs);
    close_shop(&s);
}

static void quantiles_are_nearest_ranks(void **state)
{
    (void)state;
    float us[] = {4, 1, 3, 2};
    const struct ranking r = {.answer_us = us};
    double out[4];
    assert_int_equal(answer_quantiles(&r, 4, (double[]){0, .5, .51, 1}, 4, out, NULL), 0);
    assert_memory_equal(out, ((double[]){1, 2, 3, 4}), sizeof out);
}

static void measuring_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct shop s = open_shop(TASK_BASKET, false);
    struct cooc pairs;
    const struct cooc_params params = {0};
    double *values = malloc(s.split.questions.count * sizeof *values);
    assert_int_equal(cooc_count(&s.split.train.baskets, &params, &pairs, NULL), 0);
    OOM_LOOP
    {
        struct list_measures m;
        double coverage, quantile;
        int rc = list_measures(&s.split, &s.ranking, 5, &pairs, 1, &m, NULL);
        if (rc == 0)
            rc = list_coverage(&s.split, &s.ranking, 5, &coverage, NULL);
        if (rc == 0)
            rc = quality_values(&s.split, &s.ranking, QUALITY_MAP, 5, SEGMENT_TAIL, values, NULL);
        if (rc == 0)
            rc = answer_quantiles(&s.ranking, s.split.questions.count, (double[]){.5}, 1, &quantile,
                                  NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    free(values);
    cooc_deinit(&pairs);
    close_shop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_target_at_place_three),
        cmocka_unit_test(several_targets_by_hand),
        cmocka_unit_test(the_best_order_ends_at_k),
        cmocka_unit_test(random_places_equal_a_walk_down_the_list),
        cmocka_unit_test(open_ties_are_the_mean_over_all_orders),
        cmocka_unit_test(a_constant_scorer_hits_with_k_of_n),
        cmocka_unit_test(segments_part_the_questions),
        cmocka_unit_test(lists_by_hand),
        cmocka_unit_test(quantiles_are_nearest_ranks),
        cmocka_unit_test(measuring_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
