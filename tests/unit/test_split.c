#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "eval/split.h"
#include "support/madeorders.h"
#include "support/oom.h"

#include <string.h>

static void add(struct dataset *d, int64_t time_ms, uint64_t user, uint32_t count,
                const uint32_t *keys)
{
    assert_int_equal(dataset_add(d, time_ms, user, keys, count, NULL), 0);
}

/* Ten orders at the times 1 to 10; 1 has three shoppers and nobody. */
static struct dataset ten(void)
{
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    add(&d, 1, 1, 2, (uint32_t[]){1, 2});
    add(&d, 2, 2, 2, (uint32_t[]){2, 3});
    add(&d, 3, 1, 1, (uint32_t[]){3});
    add(&d, 4, 0, 2, (uint32_t[]){1, 3});
    add(&d, 5, 2, 3, (uint32_t[]){1, 2, 4});
    add(&d, 6, 3, 1, (uint32_t[]){2});
    add(&d, 7, 1, 2, (uint32_t[]){1, 4});
    add(&d, 8, 0, 2, (uint32_t[]){1, 2});
    add(&d, 9, 2, 2, (uint32_t[]){3, 5});
    add(&d, 10, 1, 3, (uint32_t[]){1, 3, 4});
    assert_int_equal(dataset_finish(&d, NULL), 0);
    return d;
}

static struct split make(const struct dataset *d, const struct split_params *params,
                         enum stage stage)
{
    struct split s;
    struct error err = ERROR_INIT;
    if (split_make(d, params, stage, &s, &err))
        fail_msg("%s", err.text);
    if (split_check(&s, d, &err))
        fail_msg("%s", err.text);
    return s;
}

/* "context > targets" of a question, by key; lost targets as 0. */
static void assert_question(const struct split *s, uint32_t i, uint32_t given,
                            const uint32_t *context, uint32_t asked, const uint32_t *targets)
{
    const struct questions *q = &s->questions;
    assert_int_equal(q->context[i].end - q->context[i].begin, given);
    for (uint32_t k = 0; k < given; k++)
        assert_int_equal(s->train.item_key[q->item[q->context[i].begin + k]], context[k]);
    assert_int_equal(q->target_start[i + 1] - q->target_start[i], asked);
    for (uint32_t k = 0; k < asked; k++) {
        uint32_t target = q->target[q->target_start[i] + k];
        assert_int_equal(target == TARGET_LOST ? 0 : s->train.item_key[target], targets[k]);
    }
}

static void by_time_the_newest_orders_ask(void **state)
{
    (void)state;
    struct dataset d = ten();
    const struct split_params params = {.task = TASK_PERSONAL, .test_share = .4};
    struct split s = make(&d, &params, STAGE_TEST);
    assert_int_equal(s.train.basket_count, 6);
    assert_int_equal(s.train.item_count, 4);
    assert_int_equal(s.questions.count, 2);
    assert_question(&s, 0, 3, (uint32_t[]){1, 2, 3}, 1, (uint32_t[]){4});
    assert_question(&s, 1, 5, (uint32_t[]){2, 3, 1, 2, 4}, 1, (uint32_t[]){0});
    /* the order at 8 is nobody's, the last has nothing new to its shopper */
    assert_int_equal(s.unasked_orders, 2);
    assert_int_equal(s.unknown_targets, 1);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void validation_comes_before_the_test(void **state)
{
    (void)state;
    struct dataset d = ten();
    const struct split_params params = {
        .task = TASK_PERSONAL, .test_share = .4, .valid_share = .2, .bought = true};
    struct split s = make(&d, &params, STAGE_VALID);
    assert_int_equal(s.train.basket_count, 4);
    assert_int_equal(s.questions.count, 2);
    assert_int_equal(s.questions.asked_ms[0], 5);
    assert_int_equal(s.questions.asked_ms[1], 6);
    assert_question(&s, 0, 2, (uint32_t[]){2, 3}, 3, (uint32_t[]){1, 2, 0});
    assert_question(&s, 1, 0, NULL, 1, (uint32_t[]){2}); /* a new shopper */
    split_deinit(&s);
    dataset_deinit(&d);
}

static void a_moment_is_never_on_both_sides(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 50; seed++) {
        const struct made_params made = {
            .orders = 60, .items = 9, .shoppers = 5, .largest = 3, .moments = 12};
        struct dataset d = made_orders(&made, seed);
        const struct split_params params = {.test_share = .3, .valid_share = .3};
        for (int stage = STAGE_VALID; stage <= STAGE_TEST; stage++) {
            struct split s = make(&d, &params, (enum stage)stage);
            int64_t newest = s.train.time_ms[s.train.basket_count - 1];
            for (uint32_t i = 0; i < s.questions.count; i++)
                assert_true(s.questions.asked_ms[i] > newest);
            split_deinit(&s);
        }
        dataset_deinit(&d);
    }
}

static void leave_last_out_asks_for_the_last_and_keeps_the_one_before(void **state)
{
    (void)state;
    struct dataset d = ten();
    struct split_params params = {.protocol = PROTOCOL_LEAVE_LAST_OUT, .task = TASK_PERSONAL};
    struct split s = make(&d, &params, STAGE_TEST);
    /* taught: 1 and 3 of shopper 1, 2 of 2, nobody's 4 and 8 */
    assert_int_equal(s.train.basket_count, 5);
    assert_int_equal(s.questions.count, 2); /* shopper 3 has one order only */
    assert_question(&s, 0, 4, (uint32_t[]){2, 3, 1, 2}, 2, (uint32_t[]){0, 0});
    assert_question(&s, 1, 4, (uint32_t[]){1, 2, 3, 1}, 3, (uint32_t[]){0, 0, 0});
    assert_int_equal(s.repeat_targets, 3); /* 3 of the first, 1 and 3 of the second */
    assert_int_equal(s.unknown_targets, 2);
    split_deinit(&s);
    s = make(&d, &params, STAGE_VALID);
    assert_int_equal(s.train.basket_count, 5);
    assert_question(&s, 0, 2, (uint32_t[]){2, 3}, 3, (uint32_t[]){1, 0, 0});
    split_deinit(&s);
    params.refit = true;
    s = make(&d, &params, STAGE_TEST);
    assert_int_equal(s.train.basket_count, 7);
    assert_int_equal(s.train.item_count, 4);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void rebuying_asks_only_for_what_was_bought(void **state)
{
    (void)state;
    struct dataset d = ten();
    const struct split_params params = {.task = TASK_REBUY, .test_share = .4};
    struct split s = make(&d, &params, STAGE_TEST);
    assert_int_equal(s.candidates, CANDIDATES_CONTEXT);
    assert_int_equal(s.questions.count, 3);
    assert_question(&s, 0, 3, (uint32_t[]){1, 2, 3}, 1, (uint32_t[]){1});
    assert_question(&s, 1, 5, (uint32_t[]){2, 3, 1, 2, 4}, 1, (uint32_t[]){3});
    assert_question(&s, 2, 5, (uint32_t[]){1, 2, 3, 1, 4}, 3, (uint32_t[]){1, 3, 4});
    split_deinit(&s);
    dataset_deinit(&d);
}

/* Of a b b c: b after a, c after a b b; nothing comes before the first, b again is a reload. */
static void sessions_are_asked_at_every_step_but_reloads(void **state)
{
    (void)state;
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (int64_t t = 0; t < 9; t++)
        add(&d, t, 1 + (uint64_t)t, 3, (uint32_t[]){1, 2, 3});
    for (int step = 0; step < 4; step++)
        add(&d, 9, 20, 1, (uint32_t[]){(uint32_t[]){1, 2, 2, 3}[step]});
    assert_int_equal(dataset_finish(&d, NULL), 0);
    const struct split_params params = {.task = TASK_SESSION, .test_share = .2};
    struct split s = make(&d, &params, STAGE_TEST);
    assert_int_equal(s.questions.count, 2);
    assert_question(&s, 0, 1, (uint32_t[]){1}, 1, (uint32_t[]){2});
    assert_question(&s, 1, 3, (uint32_t[]){1, 2, 2}, 1, (uint32_t[]){3});
    split_deinit(&s);
    dataset_deinit(&d);
}

/* Each target with all other known items of its basket, at most so many of a basket. */
static void leave_one_out_asks_for_items_of_a_basket(void **state)
{
    (void)state;
    const struct made_params made = {.orders = 80, .items = 12, .largest = 6};
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct dataset d = made_orders(&made, seed);
        const struct split_params params = {
            .protocol = PROTOCOL_LEAVE_ONE_OUT, .task = TASK_BASKET, .seed = seed};
        struct split s = make(&d, &params, STAGE_TEST);
        const struct questions *q = &s.questions;
        uint32_t of_basket = 0;
        assert_int_equal(s.train.basket_count, 64);
        for (uint32_t i = 0; i < q->count; i++) {
            of_basket = i && q->order[i] == q->order[i - 1] ? of_basket + 1 : 1;
            assert_true(of_basket <= 3 && q->order[i] >= 64);
            assert_int_equal(q->target_start[i + 1] - q->target_start[i], 1);
            uint32_t known = 0, order = q->order[i];
            for (uint64_t x = d.baskets.start[order]; x < d.baskets.start[order + 1]; x++)
                for (uint32_t t = 0; t < s.train.item_count; t++)
                    known += s.train.item_key[t] == d.item_key[d.baskets.column[x]];
            assert_int_equal(q->context[i].end - q->context[i].begin, known - 1);
            if (i + 1 == q->count || q->order[i + 1] != order)
                assert_int_equal(of_basket, known < 3 ? known : 3);
        }
        split_deinit(&s);
        dataset_deinit(&d);
    }
}

static void a_short_context_is_a_sample_of_the_whole(void **state)
{
    (void)state;
    const struct made_params made = {.orders = 300, .items = 40, .largest = 9};
    struct dataset d = made_orders(&made, 1);
    struct split_params params = {.protocol = PROTOCOL_LEAVE_ONE_OUT, .targets = 1};
    struct split whole = make(&d, &params, STAGE_TEST);
    params.context_max = 2;
    struct split cut = make(&d, &params, STAGE_TEST);
    assert_int_equal(cut.questions.count, whole.questions.count);
    for (uint32_t i = 0; i < whole.questions.count; i++) {
        struct span all = whole.questions.context[i], some = cut.questions.context[i];
        uint64_t size = all.end - all.begin, at = all.begin;
        assert_int_equal(some.end - some.begin, size < 2 ? size : 2);
        for (uint64_t k = some.begin; k < some.end; k++, at++)
            while (assert_true(at < all.end), whole.questions.item[at] != cut.questions.item[k])
                at++;
    }
    split_deinit(&whole);
    split_deinit(&cut);
    dataset_deinit(&d);
}

static void baskets_that_were_learnt_from_before_are_counted(void **state)
{
    (void)state;
    struct dataset d = ten();
    const struct split_params params = {.protocol = PROTOCOL_LEAVE_ONE_OUT,
                                        .test_share = .3}; /* 8 is 1, again */
    struct split s = make(&d, &params, STAGE_TEST);
    assert_int_equal(s.seen_baskets, 1);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void ranks_go_by_orders_then_by_the_id_given(void **state)
{
    (void)state;
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (int64_t t = 0; t < 8; t++)
        add(&d, t, 0, 3, (uint32_t[]){5, 7, 8});
    add(&d, 8, 0, 1, (uint32_t[]){9});
    add(&d, 9, 0, 2, (uint32_t[]){5, 7});
    assert_int_equal(dataset_finish(&d, NULL), 0);
    const struct split_params params = {.id_rank = (uint32_t[]){3, 1, 2, 0}};
    struct split s = make(&d, &params, STAGE_TEST);
    assert_memory_equal(s.rank, ((uint32_t[]){2, 0, 1, 3}), 4 * sizeof *s.rank);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void a_sample_of_questions_is_of_that_size_and_seeded(void **state)
{
    (void)state;
    const struct made_params made = {.orders = 900, .items = 9, .shoppers = 9, .largest = 5};
    struct dataset d = made_orders(&made, 1);
    struct split_params params = {
        .task = TASK_PERSONAL, .bought = true, .test_share = .5, .questions_max = 100};
    struct split a = make(&d, &params, STAGE_TEST), b = make(&d, &params, STAGE_TEST);
    assert_true(a.questions.count <= 100 && a.questions.count > 80); /* some are nobody's */
    assert_int_equal(a.questions.count, b.questions.count);
    assert_memory_equal(a.questions.order, b.questions.order, a.questions.count * 4);
    split_deinit(&b);
    params.seed = 2;
    b = make(&d, &params, STAGE_TEST);
    assert_true(a.questions.count != b.questions.count ||
                memcmp(a.questions.order, b.questions.order, a.questions.count * 4) != 0);
    split_deinit(&a);
    split_deinit(&b);
    dataset_deinit(&d);
}

static void questions_of_one_shopper_are_one_cluster(void **state)
{
    (void)state;
    const struct made_params made = {.orders = 300, .items = 9, .shoppers = 9, .largest = 5};
    struct dataset d = made_orders(&made, 1);
    const struct split_params params = {.test_share = .3};
    struct split s = make(&d, &params, STAGE_TEST);
    const struct questions *q = &s.questions;
    for (uint32_t i = 0; i < q->count; i++) {
        assert_true(q->cluster[i] < q->cluster_count);
        for (uint32_t k = 0; k < i; k++) {
            uint32_t a = d.user[q->order[i]], b = d.user[q->order[k]];
            bool same = a == DATASET_NO_USER ? q->order[i] == q->order[k] : a == b;
            assert_int_equal(q->cluster[i] == q->cluster[k], same);
        }
    }
    split_deinit(&s);
    dataset_deinit(&d);
}

static void assert_refused(const struct dataset *d, const struct split_params *params,
                           const char *part)
{
    struct split s;
    struct error err = ERROR_INIT;
    assert_int_equal(split_make(d, params, STAGE_TEST, &s, &err), ERR_INVALID);
    if (!strstr(err.text, part))
        fail_msg("'%s' has no '%s'", err.text, part);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    struct dataset d = ten();
    struct split_params params = {.protocol = PROTOCOL_LEAVE_ONE_OUT, .task = TASK_REBUY};
    assert_refused(&d, &params, "leave-one-out");
    params = (struct split_params){.protocol = PROTOCOL_LEAVE_LAST_OUT, .task = TASK_BASKET};
    assert_refused(&d, &params, "leave-last-out");
    params = (struct split_params){.test_share = .95};
    assert_refused(&d, &params, "shares");
    params = (struct split_params){.test_share = .899, .valid_share = .1};
    struct dataset one;
    assert_int_equal(dataset_init(&one, NULL, NULL), 0);
    add(&one, 1, 0, 2, (uint32_t[]){1, 2});
    assert_int_equal(dataset_finish(&one, NULL), 0);
    assert_refused(&one, &params, "too few orders");
    params = (struct split_params){.task = TASK_PERSONAL};
    assert_refused(&one, &params, "names a shopper");
    dataset_deinit(&one);
    dataset_deinit(&d);
}

static void a_test_without_anything_to_ask_is_refused(void **state)
{
    (void)state;
    struct dataset d;
    assert_int_equal(dataset_init(&d, NULL, NULL), 0);
    for (int64_t t = 0; t < 10; t++)
        add(&d, t, 0, 1, (uint32_t[]){1});
    assert_int_equal(dataset_finish(&d, NULL), 0);
    const struct split_params params = {0};
    assert_refused(&d, &params, "nothing to test with");
    dataset_deinit(&d);
}

/* What the check is for: each leak planted in a good split is found. */
static void planted_leaks_are_found(void **state)
{
    (void)state;
    struct dataset d = ten();
    const struct split_params params = {.test_share = .4};
    struct error err = ERROR_INIT;
    struct split s = make(&d, &params, STAGE_TEST);
    struct questions *q = &s.questions;
    uint32_t target = q->target[0], order = q->order[0], item = q->item[q->context[0].begin];
    q->item[q->context[0].begin] = target;
    assert_int_equal(split_check(&s, &d, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.text, "in the context"));
    q->item[q->context[0].begin] = item;
    error_clear(&err);
    q->order[0] = s.taught[2];
    assert_int_equal(split_check(&s, &d, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.text, "learnt from"));
    q->order[0] = order;
    error_clear(&err);
    s.taught[0] = s.taught[1];
    assert_int_equal(split_check(&s, &d, &err), ERR_INTERNAL);
    s.taught[0] = 0;
    error_clear(&err);
    q->asked_ms[0] = 6;
    assert_int_equal(split_check(&s, &d, &err), ERR_INTERNAL);
    assert_non_null(strstr(err.text, "later"));
    q->asked_ms[0] = 7;
    assert_int_equal(split_check(&s, &d, NULL), 0);
    split_deinit(&s);
    dataset_deinit(&d);
}

static void splitting_survives_every_failed_allocation(void **state)
{
    (void)state;
    const struct made_params made = {.orders = 60, .items = 9, .shoppers = 5, .largest = 4};
    struct dataset d = made_orders(&made, 1);
    const struct split_params basket = {.test_share = .3};
    const struct split_params last = {.protocol = PROTOCOL_LEAVE_LAST_OUT, .task = TASK_PERSONAL};
    OOM_LOOP
    {
        struct split a = {0}, b = {0};
        int rc = split_make(&d, &basket, STAGE_TEST, &a, NULL);
        if (rc == 0)
            rc = split_make(&d, &last, STAGE_VALID, &b, NULL);
        if (rc == 0)
            rc = split_check(&a, &d, NULL);
        assert_int_equal(rc, oom_fired() ? ERR_NOMEM : 0);
        split_deinit(&a);
        split_deinit(&b);
    }
    dataset_deinit(&d);
}

static void nobody_has_a_history_when_anonymous(void **state)
{
    struct dataset d = ten();
    struct split_params params = {.protocol = PROTOCOL_LEAVE_ONE_OUT, .test_share = .5};
    uint64_t known = 0;
    (void)state;
    for (int anonymous = 0; anonymous < 2; anonymous++) {
        params.anonymous = anonymous;
        struct split s = make(&d, &params, STAGE_TEST);
        for (uint32_t q = 0; q < s.questions.count; q++) {
            uint64_t had = s.questions.history[q].end - s.questions.history[q].begin;
            known += had;
            assert_true(!anonymous || had == 0);
        }
        split_deinit(&s);
    }
    assert_true(known > 0);
    dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_has_a_history_when_anonymous),
        cmocka_unit_test(by_time_the_newest_orders_ask),
        cmocka_unit_test(validation_comes_before_the_test),
        cmocka_unit_test(a_moment_is_never_on_both_sides),
        cmocka_unit_test(leave_last_out_asks_for_the_last_and_keeps_the_one_before),
        cmocka_unit_test(rebuying_asks_only_for_what_was_bought),
        cmocka_unit_test(sessions_are_asked_at_every_step_but_reloads),
        cmocka_unit_test(leave_one_out_asks_for_items_of_a_basket),
        cmocka_unit_test(a_short_context_is_a_sample_of_the_whole),
        cmocka_unit_test(baskets_that_were_learnt_from_before_are_counted),
        cmocka_unit_test(ranks_go_by_orders_then_by_the_id_given),
        cmocka_unit_test(a_sample_of_questions_is_of_that_size_and_seeded),
        cmocka_unit_test(questions_of_one_shopper_are_one_cluster),
        cmocka_unit_test(contradictions_are_refused),
        cmocka_unit_test(a_test_without_anything_to_ask_is_refused),
        cmocka_unit_test(planted_leaks_are_found),
        cmocka_unit_test(splitting_survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
