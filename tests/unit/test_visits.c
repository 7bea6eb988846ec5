/* Visits that ask: how they are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/split.h"
#include "support/oom.h"

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
    assert_non_null(strstr(err2.text, "of 0 visits kept for it"));
    wrong.task = TASK_PERSONAL;
    assert_int_equal(split_make(&old, &wrong, STAGE_TEST, &s, &err3), ERR_INVALID);
    dataset_deinit(&d);
    dataset_deinit(&old);
}

static void failed_allocations_are_reported(void **state)
{
    const struct plan small = {RING, RING, 300, 300, true};
    struct dataset d = make(&small, 13);
    (void)state;
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
        cmocka_unit_test(failed_allocations_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
