#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "eval/metrics.h"
#include "eval/tail.h"
#include "eval/trial.h"
#include "support/madeorders.h"
#include "support/near.h"
#include "support/oom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH 10
#define ITEMS  400

static void open_split(struct split *out)
{
    const struct made_params made = {.orders = 1500, .items = ITEMS, .shoppers = 80, .largest = 6};
    const struct split_params params = {.task = TASK_BASKET, .test_share = .2};
    struct dataset d = made_orders(&made, 4);
    assert_int_equal(split_make(&d, &params, STAGE_TEST, out, NULL), 0);
    dataset_deinit(&d);
}

/* What is popular, with something of the question's own; one item in ten has nothing for it. */
static void score(void *state, const struct split *split, uint32_t question, float *scores,
                  uint32_t worker)
{
    (void)state;
    (void)worker;
    for (uint32_t i = 0; i < split->train.item_count; i++) {
        float own = (float)((i * 7919u + question * 104729u) % 997u) / 997;
        scores[i] = i % 10 == 9 ? -own : sqrtf((float)split->train.item_orders[i]) * (own + .1f);
    }
}

static const struct contender popular = {.name = "popular", .score = score};

static void a_trial_says_what_the_ranking_measures(void **state)
{
    const struct ranking_params params = {.list_length = LENGTH, .threads = 2};
    struct split s;
    struct ranking ranking;
    struct trial all, odd;
    double sum = 0, *values;
    uint32_t count = 0;
    (void)state;
    open_split(&s);
    values = calloc(s.questions.count, sizeof *values);
    assert_non_null(values);
    assert_int_equal(trial_make(&s, &popular, &params, false, &all, NULL), 0);
    assert_int_equal(trial_make(&s, &popular, &params, true, &odd, NULL), 0);
    assert_int_equal(trial_values(&s, &popular, &params, values, NULL), 0);
    assert_int_equal(ranking_make(&s, &popular, &params, &ranking, NULL), 0);
    assert_true(all.tail_share == list_tail_share(&s, &ranking, LENGTH));
    for (uint32_t q = 0; q < s.questions.count; q++) {
        struct placing placing[LIMIT_ANSWER_ITEMS];
        uint64_t begin = s.questions.target_start[q], end = s.questions.target_start[q + 1];
        memcpy(placing, ranking.placing + begin, (end - begin) * sizeof *placing);
        if (isnan(values[q]) || s.questions.cluster[q] % 2 == 0)
            continue;
        assert_near(values[q], quality_of(QUALITY_NDCG, LENGTH, placing, (uint32_t)(end - begin)),
                    1e-12);
        sum += values[q];
        count++;
    }
    assert_true(odd.questions == count && count > 0 && count < all.questions);
    assert_near(odd.ndcg, sum / count, 1e-12);
    assert_true(odd.ndcg != all.ndcg);
    ranking_deinit(&ranking);
    free(values);
    split_deinit(&s);
}

static void the_head_is_the_fewest_items_that_make_four_fifths(void **state)
{
    struct split s;
    uint64_t all = 0, head = 0, least = UINT64_MAX;
    (void)state;
    open_split(&s);
    for (uint32_t i = 0; i < s.train.item_count; i++) {
        uint32_t orders = s.train.item_orders[i];
        all += orders;
        head += s.rank[i] < s.head_items ? orders : 0;
        if (s.rank[i] < s.head_items && orders < least)
            least = orders;
    }
    assert_true((double)head >= .8 * (double)all);
    assert_true((double)(head - least) < .8 * (double)all);
    for (uint32_t i = 0; i < s.train.item_count; i++)
        assert_true(s.rank[i] < s.head_items || s.train.item_orders[i] <= least);
    split_deinit(&s);
}

/* Plain loops: scores lifted, candidates sorted by selection, then chosen one by one. */
struct plain {
    float lifted[ITEMS];
    uint32_t order[ITEMS], count;
};

static bool before(const struct split *s, const float *scores, uint32_t a, uint32_t b)
{
    return scores[a] > scores[b] || (scores[a] == scores[b] && s->rank[a] < s->rank[b]);
}

static void sort_plain(const struct split *s, uint32_t question, double novelty, struct plain *p)
{
    struct span given = s->questions.context[question];
    score(NULL, s, question, p->lifted, 0);
    p->count = 0;
    for (uint32_t i = 0; i < s->train.item_count; i++) {
        bool masked = false;
        for (uint64_t k = given.begin; k < given.end; k++)
            masked = masked || s->questions.item[k] == i;
        if (p->lifted[i] > 0)
            p->lifted[i] *= powf((float)s->train.item_orders[i], -(float)novelty);
        if (!masked)
            p->order[p->count++] = i;
    }
    for (uint32_t n = 0; n < p->count; n++)
        for (uint32_t x = n + 1; x < p->count; x++)
            if (before(s, p->lifted, p->order[x], p->order[n])) {
                uint32_t swapped = p->order[n];
                p->order[n] = p->order[x];
                p->order[x] = swapped;
            }
}

static double alike(const struct cooc *c, uint32_t a, uint32_t b)
{
    return cooc_pair(c, a, b) / sqrt((double)c->item_units[a] * c->item_units[b]);
}

/* The best of the first hundred, again and again, until the list is full. */
static void choose_plain(const struct cooc *c, double diversity, const struct plain *p,
                         uint32_t list[LENGTH])
{
    bool taken[ITEMS] = {false};
    double lead = p->lifted[p->order[0]];
    for (uint32_t n = 0; n < LENGTH; n++) {
        double most = -INFINITY;
        uint32_t best = 0;
        for (uint32_t x = 0; x < 100; x++) {
            double near = 0;
            for (uint32_t m = 0; m < n; m++)
                near = fmax(near, alike(c, list[m], p->order[x]));
            double gain = (1 - diversity) * p->lifted[p->order[x]] / lead - diversity * near;
            if (taken[x] || gain <= most + 1e-9)
                continue;
            most = gain;
            best = x;
        }
        taken[best] = true;
        list[n] = p->order[best];
    }
}

static void knobs_choose_as_plain_loops_do(void **state)
{
    static const double knobs[][2] = {{.3, 0}, {0, .4}, {.2, .7}};
    struct split s;
    struct cooc pairs;
    struct plain p;
    (void)state;
    open_split(&s);
    assert_int_equal(cooc_count(&s.train.baskets, &(struct cooc_params){0}, &pairs, NULL), 0);
    for (size_t x = 0; x < sizeof knobs / sizeof *knobs; x++) {
        const struct ranking_params params = {.list_length = LENGTH,
                                              .novelty = knobs[x][0],
                                              .diversity = knobs[x][1],
                                              .pairs = &pairs,
                                              .threads = 2};
        struct ranking r;
        assert_int_equal(ranking_make(&s, &popular, &params, &r, NULL), 0);
        for (uint32_t q = 0; q < s.questions.count; q++) {
            uint32_t list[LENGTH], target = s.questions.target[q], place = UINT32_MAX;
            sort_plain(&s, q, knobs[x][0], &p);
            memcpy(list, p.order, sizeof list);
            if (knobs[x][1] > 0)
                choose_plain(&pairs, knobs[x][1], &p, list);
            assert_memory_equal(r.list + q * LENGTH, list, sizeof list);
            for (uint32_t n = 0; n < LENGTH; n++)
                place = list[n] == target ? n : place;
            if (place != UINT32_MAX)
                assert_int_equal(r.placing[q].above, place);
            else
                assert_true(r.placing[q].above >= LENGTH);
        }
        ranking_deinit(&r);
    }
    cooc_deinit(&pairs);
    split_deinit(&s);
}

static struct tail_fit fit(const struct split *s, double target)
{
    const struct ranking_params params = {.threads = 2};
    struct tail_fit out;
    assert_int_equal(tail_fit(s, &popular, target, &params, &out, NULL), 0);
    assert_near(out.target, target, 0);
    return out;
}

static double share_at(const struct split *s, double novelty)
{
    const struct ranking_params params = {.list_length = LENGTH, .novelty = novelty};
    struct ranking r;
    assert_int_equal(ranking_make(s, &popular, &params, &r, NULL), 0);
    double share = list_tail_share(s, &r, LENGTH);
    ranking_deinit(&r);
    return share;
}

static void the_least_exponent_that_reaches_the_target_is_found(void **state)
{
    struct split s;
    (void)state;
    open_split(&s);
    struct tail_fit reached = fit(&s, .3);
    assert_true(reached.share_without < .3 && reached.share >= .3);
    assert_true(reached.novelty > 0 && reached.novelty < 1);
    assert_near(share_at(&s, reached.novelty), reached.share, 1e-12);
    assert_true(share_at(&s, reached.novelty - 1. / 128) < .3);
    struct tail_fit idle = fit(&s, reached.share_without), never = fit(&s, 1.1);
    assert_true(idle.novelty == 0 && idle.share == idle.share_without);
    assert_true(never.novelty == 1 && never.share < 1.1);
    split_deinit(&s);
}

static void out_of_memory_is_an_error(void **state)
{
    struct split s;
    (void)state;
    open_split(&s);
    OOM_LOOP
    {
        const struct ranking_params params = {.threads = 1};
        struct tail_fit out;
        int rc = tail_fit(&s, &popular, .3, &params, &out, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    split_deinit(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_says_what_the_ranking_measures),
        cmocka_unit_test(the_head_is_the_fewest_items_that_make_four_fifths),
        cmocka_unit_test(knobs_choose_as_plain_loops_do),
        cmocka_unit_test(the_least_exponent_that_reaches_the_target_is_found),
        cmocka_unit_test(out_of_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
