/* Visits that ask: how they are cut, and what the rehearsal of `session` makes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/contender_mix.h"
#include "eval/rehearsal.h"
#include "support/keymodel.h"
#include "support/near.h"
#include "support/oom.h"
#include "support/question.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDERS       2500
#define ITEMS        60
#define BUNDLE       5
#define BUNDLES_MADE (ITEMS / BUNDLE) /* no two neighbours are in one */
#define LOOKS        6
#define MINUTE_MS    60000LL
#define HOUR_MS      (60 * MINUTE_MS)

enum habit { RING, BUNDLES, ANYTHING }; /* what the next look of a visit follows */

struct plan {
    enum habit before, after; /* of visits that are over before the newest tenth, and of others */
    uint32_t orders, visits;
    bool seen_only; /* some items are looked at and never bought */
};

static const struct plan usual = {RING, RING, ORDERS, ORDERS, false};

static uint32_t bundle_item(struct rng *rng, uint32_t bundle)
{
    return 1 + bundle + rng_below(rng, BUNDLE) * BUNDLES_MADE;
}

static uint32_t next_look(struct rng *rng, enum habit habit, uint32_t item)
{
    if (habit == ANYTHING || rng_below(rng, 8) == 0)
        return 1 + rng_below(rng, ITEMS);
    return habit == RING ? item % ITEMS + 1 : bundle_item(rng, (item - 1) % BUNDLES_MADE);
}

static void look(struct dataset *d, uint64_t session, uint32_t item, int64_t time_ms,
                 enum action action)
{
    const struct event e = {
        .time_ms = time_ms, .session = session, .item = item, .action = (uint8_t)action};
    assert_int_equal(dataset_add_event(d, &e, NULL), 0);
}

/* An order of three of one bundle every hour, a visit half an hour after it. In the ring each item
 * leads to the next one, whatever is bought together. */
static struct dataset make(const struct plan *p, uint64_t seed)
{
    struct dataset d;
    struct rng rng;
    rng_seed(&rng, seed);
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (uint32_t n = 0; n < p->orders || n < p->visits; n++) {
        uint32_t bundle = rng_below(&rng, BUNDLES_MADE), item = 1 + rng_below(&rng, ITEMS);
        uint32_t lines[3];
        for (int k = 0; k < 3; k++)
            lines[k] = bundle_item(&rng, bundle);
        if (n < p->orders)
            assert_int_equal(dataset_add(&d, n * HOUR_MS, 1 + n % 400, lines, 3, NULL), 0);
        for (uint32_t k = 0; k < LOOKS && n < p->visits; k++) {
            int64_t time_ms = n * HOUR_MS + (30 + k) * MINUTE_MS;
            bool odd = p->seen_only && item % 3 == 0; /* keys between those of the others */
            look(&d, n + 1, odd ? 1000 - item : item, time_ms, ACTION_VIEW);
            item = next_look(&rng, n < p->orders * 9 / 10 ? p->before : p->after, item);
        }
    }
    assert_int_equal(dataset_finish(&d, NULL), 0);
    return d;
}

static const struct split_params by_visits = {.task = TASK_SESSION, .visits = true, .seed = 1};

static struct split cut(const struct dataset *d, const struct split_params *params)
{
    struct split s;
    struct error err = ERROR_INIT;
    if (split_make(d, params, STAGE_TEST, &s, &err) || split_check(&s, d, &err))
        fail_msg("%s", err.text);
    return s;
}

static struct rehearsal rehearse_it(const struct dataset *d, const struct rehearsal_params *params)
{
    struct rehearsal r;
    struct error err = ERROR_INIT;
    const char *what;
    if (rehearse(d, params, &r, &err))
        fail_msg("%s", err.text);
    assert_true(recipe_valid(&r.recipe, &what));
    return r;
}

static const float *weights_of(const struct rehearsal *r)
{
    return r->recipe.mixes[MIX_SESSION].weight;
}

static void a_visit_teaches_or_asks_as_a_whole(void **state)
{
    struct dataset d = make(&usual, 1);
    struct split s = cut(&d, &by_visits);
    const struct questions *q = &s.questions;
    const struct histories *rows = &d.sessions.rows;
    int64_t cut_ms = d.time_ms[split_time_begin(&d, .1)];
    uint32_t taught = s.train.sessions.rows.count;
    (void)state;
    assert_int_equal(s.train.basket_count, split_time_begin(&d, .1));
    assert_true(rows->time_ms[rows->start[taught] - 1] < cut_ms);
    assert_true(rows->time_ms[rows->start[taught + 1] - 1] >= cut_ms);
    assert_true(q->count > 300);
    assert_int_equal(s.candidates, CANDIDATES_NOT_CONTEXT);
    for (uint32_t i = 0; i < q->count; i++) {
        assert_true(q->order[i] >= taught && q->asked_ms[i] >= cut_ms);
        assert_true(q->history[i].begin == q->history[i].end);
        assert_true(i == 0 ||
                    (q->order[i] == q->order[i - 1]) == (q->cluster[i] == q->cluster[i - 1]));
    }
    assert_int_equal(q->cluster[q->count - 1] + 1, q->cluster_count);
    split_deinit(&s);
    dataset_deinit(&d);
}

/* The visit a b a c, all but one place: c is asked for from b a; nothing is asked of what was had
 * before, nor by what counts nothing, nor before the cut; d has never been seen before. */
static void a_visit_asks_as_the_server_answers(void **state)
{
    struct dataset d;
    (void)state;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (uint32_t n = 0; n < 10; n++)
        assert_int_equal(dataset_add(&d, n * HOUR_MS, 0, (uint32_t[]){1, 2, 3}, 3, NULL), 0);
    look(&d, 1, 3, 9 * HOUR_MS - 10, ACTION_VIEW); /* before the cut, but of a visit that goes on */
    look(&d, 1, 1, 9 * HOUR_MS - 9, ACTION_VIEW);
    look(&d, 1, 2, 9 * HOUR_MS + 1, ACTION_VIEW);
    look(&d, 1, 1, 9 * HOUR_MS + 2, ACTION_CART);
    look(&d, 1, 1, 9 * HOUR_MS + 3, ACTION_UNCART);
    look(&d, 1, 4, 9 * HOUR_MS + 4, ACTION_VIEW);
    look(&d, 2, 4, 9 * HOUR_MS + 4, ACTION_VIEW); /* nobody knows what comes behind the unknown */
    look(&d, 2, 2, 9 * HOUR_MS + 5, ACTION_VIEW);
    assert_int_equal(dataset_finish(&d, NULL), 0);
    struct split s = cut(&d, &by_visits);
    const struct questions *q = &s.questions;
    assert_int_equal(s.train.sessions.rows.count, 0);
    assert_int_equal(s.train.item_count, 3);
    assert_int_equal(q->count, 2);
    assert_int_equal(q->context[0].end - q->context[0].begin, 2);
    assert_memory_equal(q->item + q->context[0].begin, ((uint32_t[]){2, 0}), 8);
    assert_int_equal(q->target[0], 1);
    assert_int_equal(q->context[1].end - q->context[1].begin, 3);
    assert_memory_equal(q->item + q->context[1].begin, ((uint32_t[]){2, 1, 0}), 12);
    assert_int_equal(q->target[1], TARGET_LOST);
    assert_int_equal(s.unknown_targets, 1);
    assert_int_equal(s.unasked_orders, 1);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void questions_of_visits_are_sampled_evenly(void **state)
{
    struct dataset d = make(&usual, 2);
    struct split_params some = by_visits;
    some.questions_max = 100;
    struct split all = cut(&d, &by_visits), few = cut(&d, &some);
    uint32_t last = all.questions.order[all.questions.count - 1];
    (void)state;
    assert_int_equal(few.questions.count, 100);
    assert_int_equal(few.questions.order[0], all.questions.order[0]);
    assert_true(last - few.questions.order[99] <= 2);
    assert_true(few.questions.cluster_count >= 95);
    split_deinit(&all);
    split_deinit(&few);
    dataset_deinit(&d);
}

static void a_leak_of_visits_is_found(void **state)
{
    struct dataset d = make(&usual, 3);
    struct split s = cut(&d, &by_visits);
    struct error err = ERROR_INIT;
    (void)state;
    uint32_t order = s.questions.order[0], item = s.train.sessions.rows.item[0];
    s.questions.order[0] = 0;
    assert_int_equal(split_check(&s, &d, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.text, "its visit was learnt from"));
    s.questions.order[0] = order;
    s.train.sessions.rows.item[0] = (item + 1) % s.train.item_count;
    assert_int_equal(split_check(&s, &d, NULL), ERR_INTERNAL);
    s.train.sessions.rows.item[0] = item;
    s.train.sessions.rows.time_ms[s.train.sessions.rows.start[s.train.sessions.rows.count] - 1] =
        s.questions.asked_ms[0];
    assert_int_equal(split_check(&s, &d, NULL), ERR_INTERNAL);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void what_visits_cannot_ask_is_said(void **state)
{
    const struct plan orders_alone = {RING, RING, ORDERS, 0, false};
    const struct plan long_ago = {RING, RING, ORDERS, ORDERS / 2, false};
    struct split_params wrong = by_visits;
    struct dataset d = make(&orders_alone, 4), old = make(&long_ago, 4);
    struct split s;
    struct error err = ERROR_INIT, err2 = ERROR_INIT, err3 = ERROR_INIT;
    (void)state;
    assert_int_equal(split_make(&d, &by_visits, STAGE_TEST, &s, &err), ERR_INVALID);
    assert_non_null(strstr(err.text, "there are no visits"));
    assert_int_equal(split_make(&old, &by_visits, STAGE_TEST, &s, &err2), ERR_INVALID);
    assert_non_null(strstr(err2.text, "no visit is of the time kept for it"));
    wrong.task = TASK_PERSONAL;
    assert_int_equal(split_make(&old, &wrong, STAGE_TEST, &s, &err3), ERR_INVALID);
    dataset_deinit(&d);
    dataset_deinit(&old);
}

/* Orders tell nothing of the ring that visits follow. The menu has visits weigh as much as both
 * others. */
static void visits_that_know_what_comes_next_get_the_weight(void **state)
{
    struct dataset d = make(&usual, 5);
    struct rehearsal r = rehearse_it(&d, &(struct rehearsal_params){.seed = 1, .threads = 2});
    const struct rehearsed *session = &r.surface[REHEARSED_SESSION];
    const float *weight = weights_of(&r);
    (void)state;
    assert_true(session->held && session->fit.questions >= FIT_QUESTIONS_LEAST);
    assert_true(session->fit.ndcg > .6 && session->fit.ndcg >= session->fit.ndcg_menu);
    assert_true(weight[MATRIX_VISITS] > 2 * (weight[MATRIX_ORDERS] + weight[MATRIX_NEXT]));
    assert_false(session->gate.judged);
    dataset_deinit(&d);
}

/* What was looked at was anything, and now it is what is bought together. */
static void visits_that_are_noise_get_little(void **state)
{
    const struct plan noise = {ANYTHING, BUNDLES, ORDERS, ORDERS, false};
    struct dataset d = make(&noise, 6);
    struct rehearsal r = rehearse_it(&d, &(struct rehearsal_params){.seed = 1, .threads = 2});
    const float *weight = weights_of(&r);
    (void)state;
    assert_true(r.surface[REHEARSED_SESSION].fit.ndcg > r.surface[REHEARSED_SESSION].fit.ndcg_menu);
    assert_true(4 * weight[MATRIX_VISITS] < weight[MATRIX_ORDERS] + weight[MATRIX_NEXT]);
    dataset_deinit(&d);
}

static void what_the_other_surfaces_fitted_is_left_alone(void **state)
{
    struct dataset with = make(&usual, 7), without = make(&usual, 7);
    const struct rehearsal_params params = {.seed = 1, .threads = 2};
    (void)state;
    without.sessions.rows.count = 0;
    struct rehearsal a = rehearse_it(&with, &params), b = rehearse_it(&without, &params);
    assert_true(a.surface[REHEARSED_BASKET].held && a.surface[REHEARSED_PERSONAL].held);
    assert_true(a.surface[REHEARSED_SESSION].held && !b.surface[REHEARSED_SESSION].held);
    assert_non_null(strstr(b.surface[REHEARSED_SESSION].why_not, "there are no visits"));
    assert_int_equal(a.recipe.ingredient_count, b.recipe.ingredient_count);
    assert_memory_equal(a.recipe.ingredients, b.recipe.ingredients, sizeof a.recipe.ingredients);
    for (int k = 0; k < MIX_COUNT; k++)
        if (k != MIX_SESSION)
            assert_memory_equal(&a.recipe.mixes[k], &b.recipe.mixes[k], sizeof(struct mix));
    struct recipe menu;
    recipe_menu(&menu, with.item_count);
    assert_memory_equal(&b.recipe.mixes[MIX_SESSION], &menu.mixes[MIX_SESSION], sizeof(struct mix));
    dataset_deinit(&with);
    dataset_deinit(&without);
}

/* Also where visits know items that no order has, so that matrices are numbered anew. */
static void matrices_at_hand_are_as_good_as_new_ones(void **state)
{
    const struct plan plan = {RING, RING, ORDERS, ORDERS, true};
    struct dataset d = make(&plan, 8);
    struct rehearsal r = rehearse_it(&d, &(struct rehearsal_params){.seed = 1, .threads = 2});
    struct recipe menu, out;
    struct csr rows[MATRIX_COUNT] = {0};
    struct fit_report report;
    const struct fit_params params = {.half = true, .whole = true, .threads = 2};
    struct split s = cut(&d, &by_visits);
    (void)state;
    assert_true(s.train.item_orders[s.train.item_count - 1] == 0);
    recipe_menu(&menu, d.item_count);
    struct mix usual_mix = menu.mixes[MIX_SESSION];
    menu = r.recipe;
    menu.mixes[MIX_SESSION] = usual_mix;
    assert_int_equal(recipe_fit(&s, &menu, MIX_SESSION, &params, &out, rows, &report, NULL), 0);
    assert_int_equal(report.questions, r.surface[REHEARSED_SESSION].fit.questions);
    assert_near(report.ndcg, r.surface[REHEARSED_SESSION].fit.ndcg, 1e-6);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        assert_near(out.mixes[MIX_SESSION].weight[k], weights_of(&r)[k], 1e-6);
        csr_deinit(&rows[k]);
    }
    split_deinit(&s);
    dataset_deinit(&d);
}

static void too_few_visits_leave_the_default(void **state)
{
    struct plan few = usual;
    struct recipe menu;
    few.visits = ORDERS * 9 / 10 + 20;
    struct dataset d = make(&few, 9);
    struct rehearsal r = rehearse_it(&d, &(struct rehearsal_params){.seed = 1, .threads = 2});
    (void)state;
    recipe_menu(&menu, d.item_count);
    assert_false(r.surface[REHEARSED_SESSION].held);
    assert_non_null(strstr(r.surface[REHEARSED_SESSION].why_not, "questions to choose by"));
    assert_memory_equal(weights_of(&r), menu.mixes[MIX_SESSION].weight,
                        sizeof(float[MATRIX_COUNT]));
    dataset_deinit(&d);
}

/* Events have just begun: nothing is known of what visits are worth. */
static void a_matrix_not_learnt_of_yet_keeps_its_weight(void **state)
{
    struct dataset d = make(&usual, 10);
    struct histories *rows = &d.sessions.rows;
    uint32_t first = 0;
    struct recipe menu;
    (void)state;
    while (rows->time_ms[rows->start[first + 1] - 1] < d.time_ms[split_time_begin(&d, .1)])
        first++;
    struct sessions all = d.sessions;
    rows->count -= first;
    rows->start += first;
    struct rehearsal r = rehearse_it(&d, &(struct rehearsal_params){.seed = 1, .threads = 2});
    assert_true(r.surface[REHEARSED_SESSION].held);
    recipe_menu(&menu, d.item_count);
    assert_near(weights_of(&r)[MATRIX_VISITS], menu.mixes[MIX_SESSION].weight[MATRIX_VISITS], 0);
    assert_near(r.recipe.mixes[MIX_SESSION].neighbours, menu.mixes[MIX_SESSION].neighbours, 0);
    d.sessions = all;
    dataset_deinit(&d);
}

static void the_rehearsal_is_the_same_on_any_threads(void **state)
{
    struct dataset d = make(&usual, 11);
    struct rehearsal one = rehearse_it(&d, &(struct rehearsal_params){.seed = 1, .threads = 1});
    struct rehearsal three = rehearse_it(&d, &(struct rehearsal_params){.seed = 1, .threads = 3});
    (void)state;
    assert_memory_equal(&one.recipe, &three.recipe, sizeof one.recipe);
    assert_true(one.surface[REHEARSED_SESSION].fit.ndcg ==
                three.surface[REHEARSED_SESSION].fit.ndcg);
    dataset_deinit(&d);
}

/* A model of visits of anything against one of the ring; but not by visits that it may have learnt
 * from, up to the hour it was made. */
static void a_model_that_is_worse_for_visits_is_refused(void **state)
{
    const struct plan lost = {ANYTHING, RING, ORDERS, ORDERS, false};
    struct dataset good = make(&usual, 12), bad = make(&lost, 12);
    struct model *live = keymodel_train(&good, NULL);
    (void)state;
    live->popularity.now_ms = 0; /* as if it had learnt from none of these orders */
    const struct rehearsal_params params = {.live = live, .seed = 1, .threads = 2};
    struct rehearsal r = rehearse_it(&bad, &params);
    assert_true(r.surface[REHEARSED_SESSION].gate.judged);
    assert_true(r.surface[REHEARSED_SESSION].gate.refused && r.refused);
    live->created_ms = ORDERS * HOUR_MS;
    r = rehearse_it(&bad, &params);
    assert_true(r.surface[REHEARSED_BASKET].gate.judged);
    assert_false(r.surface[REHEARSED_SESSION].gate.judged);
    assert_int_equal(r.surface[REHEARSED_SESSION].gate.questions, 0);
    model_unref(live);
    dataset_deinit(&good);
    dataset_deinit(&bad);
}

/* What was looked at up to a question's moment, repeats and all, as a page would send it. */
static void ask_server(struct question *to, struct tinyshop *t, const struct questions *q,
                       uint32_t question)
{
    const struct histories *rows = &t->d.sessions.rows;
    uint64_t end = rows->start[q->order[question] + 1];
    ask(to, SURFACE_SESSION, "", "");
    for (uint64_t e = rows->start[q->order[question]];
         e < end && rows->time_ms[e] < q->asked_ms[question]; e++)
        to->items[to->q.item_count++] = tinyshop_name(t, t->d.item_key[rows->item[e]]);
    to->q.limit = 30;
}

static void a_rehearsal_counts_what_the_server_answers(void **state)
{
    struct tinyshop t;
    struct contender c;
    struct scratch *scratch = new_scratch();
    uint32_t compared = 0;
    (void)state;
    tinyshop_random(&t, 40, 400, 6);
    tinyshop_train(&t, NULL);
    struct split s = cut(&t.d, &by_visits);
    assert_int_equal(contender_model("live", t.m, MIX_SESSION, &s, 1, &c, NULL), 0);
    float *scores = calloc(s.train.item_count, sizeof *scores);
    assert_non_null(scores);
    for (uint32_t i = 0; i < s.questions.count; i++) {
        struct question asked;
        struct span given = s.questions.context[i];
        ask_server(&asked, &t, &s.questions, i);
        struct answer a = answer_of(&t, &asked.q, scratch);
        c.score(c.state, &s, i, scores, 0);
        for (uint64_t k = given.begin; k < given.end; k++)
            scores[s.questions.item[k]] = -INFINITY; /* no candidates */
        for (uint32_t x = 0; a.fallback == FALLBACK_NONE && x < a.count; x++) {
            uint32_t item = 0;
            while (s.train.item_key[item] != t.m->slot[a.items[x].item])
                assert_true(++item < s.train.item_count);
            assert_near(scores[item] / (1 + scores[item]), a.items[x].score, 1e-5);
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

static void failed_allocations_are_reported(void **state)
{
    const struct plan small = {RING, RING, 300, 300, true};
    struct dataset d = make(&small, 13);
    struct rehearsal_params params = {.seed = 1, .threads = 1, .held_back = .4};
    struct rehearsal r;
    (void)state;
    oom_disarm();
    assert_int_equal(rehearse(&d, &params, &r, NULL), 0);
    assert_true(r.surface[REHEARSED_SESSION].held);
    for (long last = oom_count(), n = 1; n <= last; n += n < last - 400 ? 997 : 3) {
        oom_fail_at(n);
        int rc = rehearse(&d, &params, &r, NULL);
        assert_true(rc == 0 || (rc == ERR_NOMEM && oom_fired()));
        oom_disarm();
    }
    OOM_LOOP
    {
        struct split s = {0};
        int rc = split_make(&d, &by_visits, STAGE_TEST, &s, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        if (rc == 0)
            split_deinit(&s);
    }
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_visit_teaches_or_asks_as_a_whole),
        cmocka_unit_test(a_visit_asks_as_the_server_answers),
        cmocka_unit_test(questions_of_visits_are_sampled_evenly),
        cmocka_unit_test(a_leak_of_visits_is_found),
        cmocka_unit_test(what_visits_cannot_ask_is_said),
        cmocka_unit_test(visits_that_know_what_comes_next_get_the_weight),
        cmocka_unit_test(visits_that_are_noise_get_little),
        cmocka_unit_test(what_the_other_surfaces_fitted_is_left_alone),
        cmocka_unit_test(matrices_at_hand_are_as_good_as_new_ones),
        cmocka_unit_test(too_few_visits_leave_the_default),
        cmocka_unit_test(a_matrix_not_learnt_of_yet_keeps_its_weight),
        cmocka_unit_test(the_rehearsal_is_the_same_on_any_threads),
        cmocka_unit_test(a_model_that_is_worse_for_visits_is_refused),
        cmocka_unit_test(a_rehearsal_counts_what_the_server_answers),
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
