#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/canary.h"
#include "support/madeorders.h"
#include "support/oom.h"

#include <stdlib.h>
#include <string.h>

/* Shoppers keep to a group of five items of fifty. */
static struct dataset habits(void)
{
    struct dataset d;
    struct rng rng;
    rng_seed(&rng, 4);
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (int64_t t = 0; t < 3000; t++) {
        uint64_t user = 1 + rng_below(&rng, 200);
        uint32_t keys[3], group = (uint32_t)(user % 10);
        for (int k = 0; k < 3; k++)
            keys[k] = 1 + group * 5 + rng_below(&rng, 5);
        assert_int_equal(dataset_add(&d, t, user, keys, 3, NULL), 0);
    }
    assert_int_equal(dataset_finish(&d, NULL), 0);
    return d;
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t content(const struct dataset *d, uint32_t b)
{
    uint64_t hash = 7;
    for (uint64_t x = d->baskets.start[b]; x < d->baskets.start[b + 1]; x++)
        hash = hash * 1000003 + d->baskets.column[x];
    return hash;
}

/* Sorted, so that equal bags are equal arrays. */
static uint64_t *bag(const struct dataset *d, bool of_contents)
{
    uint64_t *list = malloc(d->basket_count * sizeof *list);
    for (uint32_t b = 0; b < d->basket_count; b++)
        list[b] = of_contents ? content(d, b) : (uint64_t)d->time_ms[b];
    qsort(list, d->basket_count, sizeof *list, compare_u64);
    return list;
}

static void shuffled_times_keep_baskets_and_times_but_not_together(void **state)
{
    (void)state;
    struct dataset d = habits(), s;
    assert_int_equal(canary_dataset(&d, CANARY_SHUFFLED_TIMES, 1, &s, NULL), 0);
    assert_int_equal(s.basket_count, d.basket_count);
    assert_int_equal(s.user_count, d.user_count);
    assert_memory_equal(s.item_orders, d.item_orders, d.item_count * sizeof *d.item_orders);
    for (int contents = 0; contents < 2; contents++) {
        uint64_t *before = bag(&d, contents), *after = bag(&s, contents);
        assert_memory_equal(before, after, d.basket_count * sizeof *before);
        free(before);
        free(after);
    }
    uint32_t same = 0;
    for (uint32_t b = 0; b < d.basket_count; b++)
        same += content(&d, b) == content(&s, b);
    assert_true(same < d.basket_count / 20);
    dataset_deinit(&s);
    dataset_deinit(&d);
}

static void permuted_items_keep_times_and_shoppers(void **state)
{
    (void)state;
    struct dataset d = habits(), s, again;
    assert_int_equal(canary_dataset(&d, CANARY_PERMUTED_ITEMS, 1, &s, NULL), 0);
    assert_int_equal(canary_dataset(&d, CANARY_PERMUTED_ITEMS, 1, &again, NULL), 0);
    assert_int_equal(s.item_count, d.item_count);
    assert_memory_equal(s.time_ms, d.time_ms, d.basket_count * sizeof *d.time_ms);
    assert_memory_equal(s.user, d.user, d.basket_count * sizeof *d.user);
    assert_memory_equal(s.baskets.column, again.baskets.column,
                        csr_entries(&s.baskets) * sizeof *s.baskets.column);
    for (uint32_t i = 0; i < d.item_count; i++)
        assert_true(s.item_orders[i] <= d.item_orders[i] && s.item_orders[i] > 0);
    uint32_t same = 0;
    for (uint32_t b = 0; b < d.basket_count; b++)
        same += content(&d, b) == content(&s, b);
    assert_true(same < d.basket_count / 20);
    dataset_deinit(&again);
    dataset_deinit(&s);
    dataset_deinit(&d);
}

static struct evaluation_params params_of(const struct entrant *const *entrants, uint32_t count)
{
    return (struct evaluation_params){
        .split = {.task = TASK_PERSONAL, .bought = true, .test_share = .3, .seed = 1},
        .entrants = entrants,
        .entrant_count = count,
        .k = 5,
        .resamples = 200,
        .threads = 2};
}

static void honest_learners_fall_to_popularity(void **state)
{
    (void)state;
    struct dataset d = habits();
    const struct entrant *entrants[] = {entrant_find(STR("popularity")),
                                        entrant_find(STR("cosine")),
                                        entrant_find(STR("frequency"))};
    const struct evaluation_params params = params_of(entrants, 3);
    struct evaluation *e = malloc(sizeof *e);
    assert_int_equal(evaluation_run(&d, &params, e, NULL), 0);
    assert_true(e->models[1].difference[TESTED_NDCG].value > .3 ||
                e->models[0].difference[TESTED_NDCG].value < -.3); /* there is much to learn */
    for (int c = 0; c < CANARY_COUNT; c++) {
        struct canary_result r;
        assert_int_equal(canary_run(&d, &params, (enum canary)c, &r, NULL), 0);
        assert_true(r.planted_fired);
        assert_true(r.passed);
        for (uint32_t m = 0; m < 3; m++) {
            assert_true(r.models[m].must_fall && !r.models[m].fired);
            assert_true(r.models[m].gain.value < .03);
        }
    }
    free(e);
    dataset_deinit(&d);
}

/* Knows the answers, as a model trained on the test would. */
static void score_cheat(void *state, const struct split *split, uint32_t question, float *scores,
                        uint32_t worker)
{
    (void)state;
    (void)worker;
    for (uint32_t i = 0; i < split->train.item_count; i++)
        scores[i] = (float)split->train.item_orders[i];
    uint64_t first = split->questions.target_start[question];
    if (question % 7 == 0 && split->questions.target[first] != TARGET_LOST)
        scores[split->questions.target[first]] *= 2;
}

static int train_cheat(const struct training *t, struct contender *out, struct error *err)
{
    (void)t;
    (void)err;
    *out = (struct contender){.name = "cheat", .score = score_cheat};
    return 0;
}

static void a_learner_that_sees_answers_is_found(void **state)
{
    (void)state;
    struct dataset d = habits();
    const struct entrant cheat = {.name = "cheat", .train = train_cheat};
    const struct entrant *entrants[] = {entrant_find(STR("cosine")), &cheat};
    const struct evaluation_params params = params_of(entrants, 2);
    for (int c = 0; c < CANARY_COUNT; c++) {
        struct canary_result r;
        assert_int_equal(canary_run(&d, &params, (enum canary)c, &r, NULL), 0);
        assert_false(r.models[0].fired);
        assert_true(r.models[1].fired);
        assert_false(r.passed);
    }
    dataset_deinit(&d);
}

static uint32_t kept; /* of a row, by the training of the last learner */

static int train_and_note(const struct training *t, struct contender *out, struct error *err)
{
    kept = t->keep;
    return train_cheat(t, out, err);
}

static void the_models_are_those_of_the_evaluation(void **state)
{
    (void)state;
    struct dataset d = habits();
    const struct entrant noting = {.name = "noting", .train = train_and_note};
    const struct entrant *entrants[] = {&noting};
    struct evaluation_params params = params_of(entrants, 1);
    struct canary_result r;
    params.keep = 7;
    assert_int_equal(canary_run(&d, &params, CANARY_PERMUTED_ITEMS, &r, NULL), 0);
    assert_int_equal(kept, 7);
    dataset_deinit(&d);
}

/* What is bought together stays so when the times are shuffled. */
static void baskets_still_teach_when_times_are_shuffled(void **state)
{
    (void)state;
    struct dataset d = habits();
    const struct entrant *entrants[] = {entrant_find(STR("cosine")),
                                        entrant_find(STR("frequency"))};
    struct evaluation_params params = params_of(entrants, 2);
    params.split.task = TASK_BASKET;
    struct canary_result r;
    assert_int_equal(canary_run(&d, &params, CANARY_SHUFFLED_TIMES, &r, NULL), 0);
    assert_false(r.models[0].must_fall);
    assert_true(r.models[0].gain.low > .2 && r.passed);
    assert_true(r.models[1].must_fall && r.models[1].gain.value < .03);
    assert_int_equal(canary_run(&d, &params, CANARY_PERMUTED_ITEMS, &r, NULL), 0);
    assert_true(r.models[0].must_fall && r.passed);
    dataset_deinit(&d);
}

static void canaries_survive_every_failed_allocation(void **state)
{
    (void)state;
    const struct made_params made = {.orders = 60, .items = 9, .shoppers = 5, .largest = 4};
    struct dataset d = made_orders(&made, 1);
    const struct entrant *entrants[] = {entrant_find(STR("cosine"))};
    struct evaluation_params params = params_of(entrants, 1);
    params.threads = 1;
    params.resamples = 100;
    OOM_LOOP
    {
        struct canary_result r;
        int rc = canary_run(&d, &params, CANARY_PERMUTED_ITEMS, &r, NULL);
        assert_true(rc == 0 || (rc == ERR_NOMEM && oom_fired())); /* giving back may fail */
    }
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffled_times_keep_baskets_and_times_but_not_together),
        cmocka_unit_test(permuted_items_keep_times_and_shoppers),
        cmocka_unit_test(honest_learners_fall_to_popularity),
        cmocka_unit_test(a_learner_that_sees_answers_is_found),
        cmocka_unit_test(the_models_are_those_of_the_evaluation),
        cmocka_unit_test(baskets_still_teach_when_times_are_shuffled),
        cmocka_unit_test(canaries_survive_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
