#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "eval/contender_mix.h"
#include "eval/gate.h"
#include "eval/rehearsal.h"
#include "support/keymodel.h"
#include "support/madeorders.h"
#include "support/near.h"
#include "support/oom.h"
#include "support/question.h"
#include "support/walkers.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct walkers usual = {.shoppers = 300, .items = 40, .steps = 12};

static void cut(const struct dataset *d, struct split *out)
{
    const struct split_params params = {.protocol = PROTOCOL_LEAVE_LAST_OUT, .task = TASK_PERSONAL};
    assert_int_equal(split_make(d, &params, STAGE_TEST, out, NULL), 0);
}

/* Scores its own target with the given share of the questions, by the number in `state`. */
static void score_some(void *state, const struct split *s, uint32_t question, float *scores,
                       uint32_t worker)
{
    uint32_t of_ten = *(const uint32_t *)state;
    (void)worker;
    for (uint32_t i = 0; i < s->train.item_count; i++)
        scores[i] = (float)((i * 7919u + question * 31u) % 997u);
    uint32_t target = s->questions.target[s->questions.target_start[question]];
    if (question / 2 % 10 < of_ten && target != TARGET_LOST)
        scores[target] = 1000;
}

static struct gate judge(const struct split *s, uint32_t live_of_ten, uint32_t new_of_ten)
{
    struct contender live = {.name = "live", .state = &live_of_ten, .score = score_some};
    struct contender candidate = {.name = "new", .state = &new_of_ten, .score = score_some};
    struct gate g;
    struct error err = ERROR_INIT;
    if (gate_judge(s, &live, &candidate, &(struct gate_params){.seed = 1}, &g, &err))
        fail_msg("%s", err.text);
    return g;
}

static void a_worse_model_is_refused_and_a_better_one_is_not(void **state)
{
    struct dataset d = walkers_make(&usual, 1);
    struct split s;
    (void)state;
    cut(&d, &s);
    struct gate worse = judge(&s, 6, 2), better = judge(&s, 2, 6), same = judge(&s, 5, 5);
    assert_true(worse.judged && worse.refused);
    assert_true(worse.difference.high < 0 && worse.ndcg_new < worse.ndcg_live);
    assert_true(better.judged && !better.refused && better.difference.low > 0);
    assert_true(same.judged && !same.refused && same.difference.value == 0);
    assert_true(same.questions >= GATE_QUESTIONS_LEAST && same.questions < s.questions.count);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void a_handful_of_questions_judges_nothing(void **state)
{
    const struct walkers few = {.shoppers = 60, .items = 20, .steps = 6};
    struct dataset d = walkers_make(&few, 2);
    struct split s;
    (void)state;
    cut(&d, &s);
    struct gate g = judge(&s, 9, 0);
    assert_false(g.judged || g.refused);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void what_the_live_model_may_have_learnt_from_does_not_judge(void **state)
{
    struct dataset d = walkers_make(&usual, 3);
    struct split s;
    uint32_t all = 10, none = 0;
    struct contender live = {.name = "live", .state = &all, .score = score_some};
    struct contender candidate = {.name = "new", .state = &none, .score = score_some};
    struct gate g;
    (void)state;
    cut(&d, &s);
    struct gate_params params = {.after_ms = d.time_ms[d.basket_count - 1]};
    assert_int_equal(gate_judge(&s, &live, &candidate, &params, &g, NULL), 0);
    assert_int_equal(g.questions, 0);
    assert_false(g.judged);
    split_deinit(&s);
    dataset_deinit(&d);
}

/* Judging shoppers come to few: each of their clusters is one of `few`. */
static struct gate judge_by_few(uint32_t few)
{
    struct dataset d = walkers_make(&usual, 6);
    struct split s;
    cut(&d, &s);
    for (uint32_t q = 0; q < s.questions.count; q++)
        if (s.questions.cluster[q] % 2 == 1)
            s.questions.cluster[q] = 1 + 2 * (s.questions.cluster[q] / 2 % few);
    struct gate g = judge(&s, 6, 2);
    split_deinit(&s);
    dataset_deinit(&d);
    return g;
}

static void shoppers_too_few_to_draw_from_judge_nothing(void **state)
{
    (void)state;
    struct gate one = judge_by_few(1), enough = judge_by_few(GATE_CLUSTERS_LEAST);
    assert_int_equal(one.clusters, 1);
    assert_true(one.questions >= GATE_QUESTIONS_LEAST);
    assert_false(one.judged || one.refused);
    assert_int_equal(enough.clusters, GATE_CLUSTERS_LEAST);
    assert_true(enough.judged && enough.refused);
    assert_true(isfinite(enough.difference.low) && isfinite(enough.difference.high));
}

/* The order that times tell is what these shoppers live by: a model of shuffled times is worse on
 * what really came next, and no match for the live one. */
static void a_model_of_shuffled_times_is_refused(void **state)
{
    struct walkers lost = usual;
    struct dataset d = walkers_make(&usual, 4);
    struct split s;
    struct contender good, bad;
    struct gate g;
    (void)state;
    lost.shuffled = true;
    struct dataset shuffled = walkers_make(&lost, 4);
    cut(&d, &s);
    struct model *proper = keymodel_train(&s.train, NULL),
                 *sabotaged = keymodel_train(&shuffled, NULL);
    assert_int_equal(contender_model("live", proper, MIX_PERSONAL, &s, 1, &good, NULL), 0);
    assert_int_equal(contender_model("new", sabotaged, MIX_PERSONAL, &s, 1, &bad, NULL), 0);
    struct gate_params params = {.seed = 1};
    assert_int_equal(gate_judge(&s, &good, &bad, &params, &g, NULL), 0);
    assert_true(g.judged && g.refused);
    assert_int_equal(gate_judge(&s, &bad, &good, &params, &g, NULL), 0);
    assert_true(g.judged && !g.refused && g.difference.low > 0);
    contender_deinit(&good);
    contender_deinit(&bad);
    model_unref(proper);
    model_unref(sabotaged);
    split_deinit(&s);
    dataset_deinit(&shuffled);
    dataset_deinit(&d);
}

static void a_model_as_contender_scores_as_it_answers(void **state)
{
    struct tinyshop t;
    struct split s;
    struct contender c;
    struct scratch *scratch = new_scratch();
    uint32_t compared = 0;
    (void)state;
    tinyshop_random(&t, 40, 400, 6);
    const struct split_params params = {.protocol = PROTOCOL_LEAVE_ONE_OUT, .task = TASK_BASKET};
    assert_int_equal(split_make(&t.d, &params, STAGE_TEST, &s, NULL), 0);
    tinyshop_train(&t, NULL);
    assert_int_equal(contender_model("live", t.m, MIX_BASKET, &s, 1, &c, NULL), 0);
    float *scores = calloc(s.train.item_count, sizeof *scores);
    assert_non_null(scores);
    for (uint32_t q = 0; q < s.questions.count; q++) {
        struct question asked;
        struct span given = s.questions.context[q];
        ask(&asked, SURFACE_BASKET, "", "");
        for (uint64_t k = given.begin; k < given.end && asked.q.item_count < 32; k++)
            asked.items[asked.q.item_count++] =
                tinyshop_name(&t, s.train.item_key[s.questions.item[k]]);
        asked.q.limit = 30;
        struct answer a = answer_of(&t, &asked.q, scratch);
        c.score(c.state, &s, q, scores, 0);
        for (uint32_t x = 0; a.fallback == FALLBACK_NONE && x < a.count; x++) {
            uint32_t i = 0;
            while (i < s.train.item_count && s.train.item_key[i] != t.m->slot[a.items[x].item])
                i++;
            if (i == s.train.item_count)
                continue;
            assert_true(fabsf(scores[i] / (1 + scores[i]) - a.items[x].score) < 1e-5f);
            compared++;
        }
    }
    assert_true(compared > 300);
    free(scores);
    contender_deinit(&c);
    split_deinit(&s);
    scratch_free(scratch);
    tinyshop_free(&t);
}

/* Of a visit nobody is known, so a recipe that has a habit for it is served without. */
static void a_habit_counts_only_where_it_is_served(void **state)
{
    const struct split_params session = {.protocol = PROTOCOL_TIME, .task = TASK_SESSION};
    struct dataset d = walkers_make(&usual, 8);
    struct split s;
    (void)state;
    assert_int_equal(split_make(&d, &session, STAGE_TEST, &s, NULL), 0);
    struct model *m = keymodel_train(&s.train, NULL);
    float *scores = calloc(2 * (size_t)s.train.item_count, sizeof *scores);
    assert_non_null(scores);
    for (int k = MIX_PERSONAL; k <= MIX_SESSION; k++) {
        for (int with = 0; with < 2; with++) {
            struct contender c;
            m->recipe.mixes[k].habit = with ? 5 : 0;
            assert_int_equal(contender_model("live", m, (enum mix_kind)k, &s, 1, &c, NULL), 0);
            c.score(c.state, &s, 3, scores + with * s.train.item_count, 0);
            contender_deinit(&c);
        }
        bool same =
            memcmp(scores, scores + s.train.item_count, s.train.item_count * sizeof *scores) == 0;
        assert_int_equal(same, k == MIX_SESSION);
    }
    free(scores);
    model_unref(m);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void a_rehearsal_fits_and_judges_each_surface(void **state)
{
    struct dataset d = walkers_make(&usual, 7);
    struct rehearsal r;
    struct buf json;
    (void)state;
    struct model *live = keymodel_train(&d, NULL);
    live->popularity.now_ms = 0; /* as if it had learnt from none of these orders */
    struct rehearsal_params params = {.live = live, .seed = 1, .threads = 2, .held_back = .2};
    assert_int_equal(rehearse(&d, &params, &r, NULL), 0);
    assert_false(r.surface[REHEARSED_BASKET].held); /* of one item each */
    assert_true(strlen(r.surface[REHEARSED_BASKET].why_not) > 0);
    assert_true(r.surface[REHEARSED_PERSONAL].held);
    assert_true(r.surface[REHEARSED_PERSONAL].gate.judged);
    buf_init(&json, 0);
    rehearsal_json(&r, &json);
    json_t *read = json_loadb(json.ptr, json.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(read);
    assert_true(json_is_string(json_object_get(json_object_get(read, "basket"), "skipped")));
    json_t *gate = json_object_get(json_object_get(read, "personal"), "gate");
    assert_near(json_number_value(json_object_get(gate, "ndcg_live")),
                r.surface[REHEARSED_PERSONAL].gate.ndcg_live, 1e-6);
    assert_true(json_is_number(json_object_get(json_object_get(gate, "difference"), "high")));
    json_decref(read);
    buf_deinit(&json);
    model_unref(live);
    dataset_deinit(&d);
}

/* One thread: several have room that only large shops touch. */
static void estimates_cover_what_a_rehearsal_makes(void **state)
{
    static const struct made_params shops[] = {
        {.orders = 4000, .items = 200, .shoppers = 700, .largest = 6},
        {.orders = 20000, .items = 4000, .shoppers = 6000, .largest = 8},
        {.orders = 6000, .items = 1000, .largest = 12}};
    (void)state;
    for (size_t x = 0; x < sizeof shops / sizeof *shops; x++) {
        struct dataset d = made_orders(&shops[x], 4);
        const struct rehearsal_params params = {.seed = 1, .threads = 1};
        struct dataset_shape shape;
        struct rehearsal r;
        dataset_shape_of(&d, &shape);
        uint64_t said = rehearsal_estimate_bytes(&shape, &params);
        heap_watch();
        assert_int_equal(rehearse(&d, &params, &r, NULL), 0);
        assert_true(r.surface[REHEARSED_BASKET].held);
        assert_true(r.surface[REHEARSED_PERSONAL].held == (shops[x].shoppers > 0));
        assert_in_range(heap_most(), said / 4, said);
        dataset_deinit(&d);
    }
}

static void a_rehearsal_without_memory_is_an_error(void **state)
{
    const struct walkers small = {.shoppers = 300, .items = 40, .steps = 6};
    struct dataset d = walkers_make(&small, 9);
    struct rehearsal_params params = {.seed = 1, .threads = 1, .held_back = .2};
    struct rehearsal r;
    (void)state;
    oom_disarm();
    assert_int_equal(rehearse(&d, &params, &r, NULL), 0);
    assert_true(r.surface[REHEARSED_PERSONAL].held);
    for (long last = oom_count(), n = 1; n <= last; n += n < last - 60 ? 397 : 1) {
        oom_fail_at(n);
        int rc = rehearse(&d, &params, &r, NULL);
        assert_true(rc == 0 || (rc == ERR_NOMEM && oom_fired()));
        oom_disarm();
    }
    dataset_deinit(&d);
}

static void out_of_memory_is_an_error_everywhere(void **state)
{
    struct dataset d = walkers_make(&usual, 8);
    struct split s;
    uint32_t five = 5;
    struct contender c = {.name = "five", .state = &five, .score = score_some};
    (void)state;
    cut(&d, &s);
    OOM_LOOP
    {
        struct gate g;
        struct gate_params params = {.resamples = 100, .threads = 1};
        int rc = gate_judge(&s, &c, &c, &params, &g, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
    }
    split_deinit(&s);
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_worse_model_is_refused_and_a_better_one_is_not),
        cmocka_unit_test(a_handful_of_questions_judges_nothing),
        cmocka_unit_test(what_the_live_model_may_have_learnt_from_does_not_judge),
        cmocka_unit_test(shoppers_too_few_to_draw_from_judge_nothing),
        cmocka_unit_test(a_model_of_shuffled_times_is_refused),
        cmocka_unit_test(a_model_as_contender_scores_as_it_answers),
        cmocka_unit_test(a_habit_counts_only_where_it_is_served),
        cmocka_unit_test(a_rehearsal_fits_and_judges_each_surface),
        cmocka_unit_test(estimates_cover_what_a_rehearsal_makes),
        cmocka_unit_test(a_rehearsal_without_memory_is_an_error),
        cmocka_unit_test(out_of_memory_is_an_error_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
