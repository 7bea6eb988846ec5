#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "support/question.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS 60 /* fewer than a row holds: every pair is in a row */

static double cosine(const struct tinyshop *t, uint32_t a, uint32_t b)
{
    double both = tinyshop_count(t, (uint32_t[]){a, b}, 2);
    return both / sqrt((double)tinyshop_count(t, &a, 1) * tinyshop_count(t, &b, 1));
}

/* Before it became s/(1+s); of popular items the score itself. */
static double sum_of(const struct answer *a, uint32_t x)
{
    double score = a->items[x].score;
    return a->surface == SURFACE_BASKET && a->fallback == FALLBACK_NONE ? score / (1 - score)
                                                                        : score;
}

/* What the next place of the answer should hold: the gain of each item left, counted afresh. */
static double gain(const struct tinyshop *t, const struct answer *plain, uint32_t x,
                   const uint32_t *chosen, uint32_t count, double diversity)
{
    double alike = 0;
    for (uint32_t n = 0; n < count; n++)
        alike = fmax(alike, cosine(t, plain->items[x].item, chosen[n]));
    return (1 - diversity) * sum_of(plain, x) / sum_of(plain, 0) - diversity * alike;
}

static void check_greedy(const struct tinyshop *t, struct question *q, struct scratch *s)
{
    struct suggestion all[LIMIT_ANSWER_ITEMS];
    uint32_t chosen[LIMIT_ANSWER_ITEMS], limit = q->q.limit;
    double diversity = q->q.diversity;
    q->q.diversity = 0;
    q->q.limit = 100;
    struct answer plain = answer_of(t, &q->q, s);
    memcpy(all, plain.items, plain.count * sizeof *all);
    plain.items = all;
    q->q.diversity = diversity;
    q->q.limit = limit;
    struct answer got = answer_of(t, &q->q, s);
    assert_int_equal(got.count, plain.count < limit ? plain.count : limit);
    for (uint32_t n = 0; n < got.count; n++) {
        double most = -INFINITY, own = -INFINITY;
        for (uint32_t x = 0; x < plain.count; x++) {
            bool taken = false;
            for (uint32_t k = 0; k < n; k++)
                taken = taken || chosen[k] == all[x].item;
            double g = taken ? -INFINITY : gain(t, &plain, x, chosen, n, diversity);
            most = fmax(most, g);
            if (all[x].item == got.items[n].item) {
                own = g;
                assert_true(got.items[n].score == all[x].score);
            }
        }
        assert_true(own >= most - 1e-5);
        chosen[n] = got.items[n].item;
    }
}

static void diversity_chooses_greedily_by_marginal_relevance(void **state)
{
    struct scratch *s = new_scratch();
    (void)state;
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct tinyshop t;
        tinyshop_random(&t, ITEMS, 300, seed);
        tinyshop_train(&t, NULL);
        for (uint32_t x = 0; x + 2 < ITEMS; x += 5) {
            struct question q;
            ask(&q, x % 2 ? SURFACE_BASKET : SURFACE_POPULAR, "", "");
            q.items[0] = str_of(t.names[x]);
            q.items[1] = str_of(t.names[x + 1]);
            q.q.item_count = 2;
            q.q.limit = 1 + x % 12;
            q.q.diversity = 0.1 + 0.9 * x / ITEMS;
            check_greedy(&t, &q, s);
        }
        tinyshop_free(&t);
    }
    scratch_free(s);
}

static void a_diverse_answer_is_explained_like_any_other(void **state)
{
    struct scratch *s = new_scratch();
    struct tinyshop t;
    struct question q;
    (void)state;
    tinyshop_random(&t, ITEMS, 300, 9);
    tinyshop_train(&t, NULL);
    ask(&q, SURFACE_BASKET, "", "");
    q.items[0] = str_of(t.names[0]);
    q.q.item_count = 1;
    q.q.diversity = 0.5;
    struct answer a = answer_of(&t, &q.q, s);
    assert_true(a.count > 3);
    uint32_t context = tinyshop_item(&t, t.names[0]);
    for (uint32_t x = 0; x < a.count; x++) {
        const struct because *b = &a.items[x].because;
        assert_int_not_equal(b->kind, BECAUSE_NONE);
        assert_int_equal(b->items[0], context);
        assert_int_equal(b->count, tinyshop_count(&t, (uint32_t[]){context, a.items[x].item}, 2));
    }
    tinyshop_free(&t);
    scratch_free(s);
}

/* a goes with b often and with c always: what is rarer comes up as novelty rises. */
static void novelty_lifts_what_sells_less(void **state)
{
    static const char *const orders[] = {"ab", "ab", "ab", "ab", "ab", "ab", "ab", "b",
                                         "ac", "ac", "ac", "ac", "ac", "d",  "d"};
    struct scratch *s = new_scratch();
    struct tinyshop t;
    struct question q;
    (void)state;
    tinyshop_orders(&t, orders, sizeof orders / sizeof *orders);
    tinyshop_train(&t, NULL);
    ask(&q, SURFACE_BASKET, "a", "");
    struct answer a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b c");
    double plain = sum_of(&a, 0);
    q.q.novelty = 1;
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "c b");
    assert_true(fabs(sum_of(&a, 1) - plain / 8) < 1e-6);
    t.m->recipe.mixes[MIX_BASKET].novelty = 1; /* the model's own goes for who says nothing */
    q.q.novelty = 0;
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "b c");
    q.q.novelty = -1;
    a = answer_of(&t, &q.q, s);
    assert_string_equal(names_of(&t, &a), "c b");
    tinyshop_free(&t);
    scratch_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(diversity_chooses_greedily_by_marginal_relevance),
        cmocka_unit_test(a_diverse_answer_is_explained_like_any_other),
        cmocka_unit_test(novelty_lifts_what_sells_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
