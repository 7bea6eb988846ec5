#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/ranking.h"
#include "support/madeorders.h"
#include "support/near.h"
#include "support/oom.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LENGTH 7

static struct dataset shop(void)
{
    const struct made_params made = {.orders = 300, .items = 50, .shoppers = 20, .largest = 6};
    return made_orders(&made, 2);
}

/* Few different scores, some of them none. */
static void score_at_random(void *state, const struct split *split, uint32_t question,
                            float *scores, uint32_t worker)
{
    static const float levels[] = {-INFINITY, -2, 0, 0, 1, 2.5f, INFINITY};
    struct rng rng;
    (void)state;
    (void)worker;
    rng_seed(&rng, question);
    for (uint32_t i = 0; i < split->train.item_count; i++) {
        uint32_t level = rng_below(&rng, 8);
        scores[i] = level == 7 ? NAN : levels[level];
    }
}

static const struct contender at_random = {.name = "random", .score = score_at_random};

static bool candidate(const struct split *s, uint32_t question, uint32_t item)
{
    struct span given = s->questions.context[question];
    bool had = false, last = false;
    for (uint64_t k = given.begin; k < given.end; k++) {
        last = s->questions.item[k] == item;
        had = had || last;
    }
    switch (s->candidates) {
    case CANDIDATES_NOT_CONTEXT:
        return !had;
    case CANDIDATES_NOT_LAST:
        return !last;
    case CANDIDATES_CONTEXT:
        return had;
    default:
        return true;
    }
}

/* a before b, all else being candidates. */
static bool before(const struct split *s, const float *scores, uint32_t a, uint32_t b)
{
    return scores[a] > scores[b] || (scores[a] == scores[b] && s->rank[a] < s->rank[b]);
}

static void assert_question(const struct split *s, const struct ranking *r, uint32_t question,
                            float *scores)
{
    const struct questions *q = &s->questions;
    uint32_t items = s->train.item_count, wanted = 0;
    score_at_random(NULL, s, question, scores, 0);
    for (uint32_t i = 0; i < items; i++)
        if (isnan(scores[i]) || !candidate(s, question, i))
            scores[i] = -INFINITY;
    for (uint64_t t = q->target_start[question]; t < q->target_start[question + 1]; t++) {
        uint32_t above = 0, target = q->target[t];
        if (target == TARGET_LOST || isinf(scores[target]) < 0) {
            assert_int_equal(r->placing[t].above, PLACING_NEVER);
            continue;
        }
        for (uint32_t i = 0; i < items; i++)
            above += before(s, scores, i, target);
        assert_int_equal(r->placing[t].above, above);
        assert_int_equal(r->placing[t].level, 1);
    }
    for (uint32_t i = 0; i < items; i++)
        wanted += isinf(scores[i]) >= 0;
    for (uint32_t n = 0; n < LENGTH; n++) {
        uint32_t item = r->list[question * LENGTH + n], above = 0;
        if (n >= wanted) {
            assert_int_equal(item, LIST_END);
            continue;
        }
        for (uint32_t i = 0; i < items; i++)
            above += before(s, scores, i, item);
        assert_int_equal(above, n);
    }
}

static void answers_equal_counting_for_every_kind_of_question(void **state)
{
    (void)state;
    struct dataset d = shop();
    float scores[64];
    const struct split_params kinds[] = {
        {.task = TASK_BASKET, .test_share = .3},
        {.task = TASK_PERSONAL, .test_share = .3},
        {.task = TASK_PERSONAL, .test_share = .3, .bought = true},
        {.task = TASK_REBUY, .test_share = .3},
        {.task = TASK_SESSION, .test_share = .3},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        struct split s;
        struct ranking r;
        const struct ranking_params params = {.list_length = LENGTH, .threads = 2};
        assert_int_equal(split_make(&d, &kinds[k], STAGE_TEST, &s, NULL), 0);
        assert_int_equal(ranking_make(&s, &at_random, &params, &r, NULL), 0);
        for (uint32_t q = 0; q < s.questions.count; q++)
            assert_question(&s, &r, q, scores);
        ranking_deinit(&r);
        split_deinit(&s);
    }
    dataset_deinit(&d);
}

static void open_ties_share_their_place(void **state)
{
    (void)state;
    struct dataset d = shop();
    struct split s;
    struct ranking r;
    float scores[64];
    const struct split_params split = {.task = TASK_PERSONAL, .bought = true, .test_share = .3};
    const struct ranking_params params = {.list_length = LENGTH, .open_ties = true};
    assert_int_equal(split_make(&d, &split, STAGE_TEST, &s, NULL), 0);
    assert_int_equal(ranking_make(&s, &at_random, &params, &r, NULL), 0);
    uint32_t shared = 0;
    for (uint32_t q = 0; q < s.questions.count; q++) {
        score_at_random(NULL, &s, q, scores, 0);
        for (uint64_t t = s.questions.target_start[q]; t < s.questions.target_start[q + 1]; t++) {
            uint32_t above = 0, level = 0, target = s.questions.target[t];
            if (target == TARGET_LOST || !(scores[target] > -INFINITY))
                continue;
            for (uint32_t i = 0; i < s.train.item_count; i++) {
                above += scores[i] > scores[target];
                level += scores[i] == scores[target];
            }
            assert_int_equal(r.placing[t].above, above);
            assert_int_equal(r.placing[t].level, level);
            shared += level > 1;
        }
    }
    assert_true(shared > 50);
    ranking_deinit(&r);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void threads_change_nothing(void **state)
{
    (void)state;
    struct dataset d = shop();
    struct split s;
    struct ranking one, four;
    const struct split_params split = {.test_share = .3};
    const struct ranking_params alone = {.list_length = LENGTH, .threads = 1};
    const struct ranking_params many = {.list_length = LENGTH, .threads = 4};
    assert_int_equal(split_make(&d, &split, STAGE_TEST, &s, NULL), 0);
    assert_int_equal(ranking_make(&s, &at_random, &alone, &one, NULL), 0);
    assert_int_equal(ranking_make(&s, &at_random, &many, &four, NULL), 0);
    assert_memory_equal(one.list, four.list, s.questions.count * LENGTH * sizeof *one.list);
    assert_memory_equal(one.placing, four.placing,
                        s.questions.target_start[s.questions.count] * sizeof *one.placing);
    ranking_deinit(&one);
    ranking_deinit(&four);
    split_deinit(&s);
    dataset_deinit(&d);
}

/* Two items' rows: the newest context item counts whole, those before by powers of the decay. */
static void rows_add_up_with_their_decay(void **state)
{
    (void)state;
    struct dataset d = shop();
    struct split s;
    float scores[64];
    const struct split_params split = {.task = TASK_PERSONAL, .test_share = .3};
    assert_int_equal(split_make(&d, &split, STAGE_TEST, &s, NULL), 0);
    uint32_t items = s.train.item_count;
    struct rows_term terms[2] = {{.weight = 2, .decay = .5f}, {.weight = -1, .decay = 1}};
    struct rng rng;
    rng_seed(&rng, 1);
    float *dense = calloc(2 * items * items, sizeof *dense), *prior = malloc(items * sizeof *prior);
    for (int t = 0; t < 2; t++) {
        assert_int_equal(csr_alloc(&terms[t].rows, items, items, 5 * items, 1, NULL), 0);
        for (uint32_t i = 0; i < items; i++) {
            terms[t].rows.start[i + 1] = 5 * (i + 1);
            for (uint32_t e = 5 * i; e < 5 * (i + 1); e++) {
                uint32_t j = (rng_below(&rng, items / 5) + (e - 5 * i) * (items / 5)) % items;
                terms[t].rows.column[e] = j;
                terms[t].rows.value[e] = rng_unitf(&rng) - .5f;
                dense[((size_t)t * items + i) * items + j] = terms[t].rows.value[e];
            }
        }
    }
    for (uint32_t i = 0; i < items; i++)
        prior[i] = (float)i;
    struct contender c;
    assert_int_equal(contender_rows("rows", terms, 2, prior, &c, NULL), 0);
    for (uint32_t q = 0; q < s.questions.count; q++) {
        struct span given = s.questions.context[q];
        c.score(c.state, &s, q, scores, 0);
        for (uint32_t j = 0; j < items; j++) {
            double sum = j;
            for (uint64_t k = given.begin; k < given.end; k++) {
                double decay = pow(.5, (double)(given.end - 1 - k));
                const float *row = dense + (size_t)s.questions.item[k] * items;
                sum += (decay >= 1e-3 ? 2 * decay : 0) * row[j] - row[(size_t)items * items + j];
            }
            assert_near(scores[j], sum, 1e-4);
        }
    }
    free(dense);
    contender_deinit(&c);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void frequency_counts_the_shoppers_own_then_everybodys(void **state)
{
    (void)state;
    struct dataset d = shop();
    struct split s;
    struct contender c;
    float scores[64];
    const struct split_params split = {.task = TASK_REBUY, .test_share = .3};
    assert_int_equal(split_make(&d, &split, STAGE_TEST, &s, NULL), 0);
    assert_int_equal(contender_frequency("frequency", &s.train, &c, NULL), 0);
    uint32_t most = 0;
    for (uint32_t i = 0; i < s.train.item_count; i++)
        most = s.train.item_orders[i] > most ? s.train.item_orders[i] : most;
    for (uint32_t q = 0; q < s.questions.count; q++) {
        c.score(c.state, &s, q, scores, 0);
        for (uint32_t i = 0; i < s.train.item_count; i++) {
            uint32_t own = 0;
            for (uint64_t k = s.questions.history[q].begin; k < s.questions.history[q].end; k++)
                own += s.questions.item[k] == i;
            assert_near(scores[i], own + .999 * s.train.item_orders[i] / (most + 1.), 1e-5);
        }
    }
    contender_deinit(&c);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void ranking_survives_every_failed_allocation(void **state)
{
    (void)state;
    struct dataset d = shop();
    struct split s;
    const struct split_params split = {.task = TASK_REBUY, .test_share = .3};
    const struct ranking_params params = {.list_length = LENGTH, .threads = 1};
    assert_int_equal(split_make(&d, &split, STAGE_TEST, &s, NULL), 0);
    OOM_LOOP
    {
        struct ranking r = {0};
        struct contender c = {0};
        int rc = contender_frequency("frequency", &s.train, &c, NULL);
        if (rc == 0)
            rc = ranking_make(&s, &c, &params, &r, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        ranking_deinit(&r);
        contender_deinit(&c);
    }
    split_deinit(&s);
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_equal_counting_for_every_kind_of_question),
        cmocka_unit_test(open_ties_share_their_place),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(rows_add_up_with_their_decay),
        cmocka_unit_test(frequency_counts_the_shoppers_own_then_everybodys),
        cmocka_unit_test(ranking_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
