#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "engine/recommend.h"
#include "support/oom.h"
#include "support/question.h"
#include "support/reference.h"

#include "../../src/engine/recommend_internal.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof *(a))

static void assert_same_answer(const struct answer *a, const struct answer *b)
{
    assert_int_equal(a->surface, b->surface);
    assert_int_equal(a->fallback, b->fallback);
    assert_int_equal(a->count, b->count);
    assert_int_equal(a->candidates, b->candidates);
    assert_memory_equal(a->dropped, b->dropped, sizeof a->dropped);
    assert_int_equal(a->unknown_count, b->unknown_count);
    assert_memory_equal(a->unknown, b->unknown, a->unknown_count * sizeof *a->unknown);
    for (uint32_t x = 0; x < a->count; x++) {
        const struct suggestion *p = &a->items[x], *q = &b->items[x];
        assert_int_equal(p->item, q->item);
        assert_int_equal(p->slot, q->slot);
        assert_true(p->score == q->score);
        assert_int_equal(p->because.kind, q->because.kind);
        assert_int_equal(p->because.item_count, q->because.item_count);
        assert_memory_equal(p->because.items, q->because.items,
                            p->because.item_count * sizeof *p->because.items);
        assert_int_equal(p->because.count, q->because.count);
        if (p->because.kind != BECAUSE_NONE)
            assert_string_equal(p->because.source, q->because.source);
    }
}

struct random_query {
    struct query q;
    struct str items[80], exclude[8], categories[2], brands[2];
    struct attribute_filter attribute;
};

static void random_filter(struct random_query *to, struct rng *r)
{
    static const struct str categories[] = {{"Home", 4}, {"Kitchen", 7}, {"To\"ys", 5}};
    static const struct str brands[] = {{"X", 1}, {"Y", 1}, {"Z", 1}};
    struct filter *f = &to->q.filter;
    *f = NO_FILTER;
    f->in_stock = rng_below(r, 4) == 0;
    if (rng_below(r, 4) == 0)
        f->price_min = rng_below(r, 600);
    if (rng_below(r, 4) == 0)
        f->price_max = 300 + rng_below(r, 600);
    if (rng_below(r, 4) == 0) {
        f->category_count = 1 + rng_below(r, 2);
        f->categories = to->categories;
        to->categories[0] = categories[rng_below(r, 3)];
        to->categories[1] = categories[rng_below(r, 3)];
    }
    if (rng_below(r, 4) == 0) {
        to->brands[0] = brands[rng_below(r, 3)];
        to->brands[1] = brands[rng_below(r, 3)];
        to->attribute = (struct attribute_filter){STR("brand"), to->brands, 1 + rng_below(r, 2)};
        f->attributes = &to->attribute;
        f->attribute_count = 1;
    }
}

static struct str random_id(const struct tinyshop *t, struct rng *r)
{
    static const struct str unknown[] = {{"nobody", 6}, {"", 0}, {"p1", 2}};
    if (rng_below(r, 8) == 0)
        return unknown[rng_below(r, 3)];
    return str_of(t->names[rng_below(r, t->item_count)]);
}

static void make_query(struct random_query *to, const struct tinyshop *t, struct rng *r)
{
    uint32_t most = rng_below(r, 10) == 0 ? 80 : 7;
    *to = (struct random_query){0};
    to->q = (struct query){.surface = (enum surface)rng_below(r, SURFACE_COUNT),
                           .items = to->items,
                           .item_count = rng_below(r, most),
                           .exclude = to->exclude,
                           .exclude_count = rng_below(r, 2) ? rng_below(r, 8) : 0,
                           .limit = 1 + rng_below(r, 20),
                           .explain = rng_below(r, 4) > 0};
    if (rng_below(r, 3) > 0)
        to->q.surface = SURFACE_BASKET;
    for (uint32_t x = 0; x < to->q.item_count; x++)
        to->items[x] = random_id(t, r);
    for (uint32_t x = 0; x < to->q.exclude_count; x++)
        to->exclude[x] = random_id(t, r);
    random_filter(to, r);
}

/* Every matrix speaks, the newest items most, and popularity of both kinds. */
static struct build_params mixed_params(struct recipe *recipe)
{
    struct mix *mix = &recipe->mixes[MIX_BASKET];
    recipe_default(recipe);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        mix->weight[k] = 1.0f / (float)(1 + (k + 2) % MATRIX_COUNT);
        mix->decay[k] = 1 - 0.2f * (float)k;
    }
    mix->popular = 0.1f;
    mix->recent = 0.2f;
    recipe->mixes[MIX_SIMILAR].popular = 0.05f;
    return (struct build_params){.min_support = 2,
                                 .max_fisher_p = 1,
                                 .max_q = 1,
                                 .redundant_rules = true,
                                 .neighbours = 8,
                                 .recipe = recipe,
                                 .sgns = {.epochs = 2}};
}

/* Orders after the training, of known items and of ones that nobody had ordered before. */
static struct fresh *random_fresh(const struct tinyshop *t, struct rng *r, uint32_t orders)
{
    struct fresh *f = fresh_new(t->m, NULL, NULL);
    assert_non_null(f);
    for (uint32_t o = 1; o <= orders; o++) {
        uint32_t slots[4], count = 0;
        for (uint32_t x = 0; x < 4; x++) {
            uint32_t slot = 1 + rng_below(r, t->c.count - 1);
            bool repeated = !catalog_id(&t->c, slot).len;
            for (uint32_t y = 0; y < count; y++)
                repeated |= slots[y] == slot;
            if (!repeated)
                slots[count++] = slot;
        }
        int64_t age_ms = rng_below(r, 60) * (24 * 3600 * 1000LL);
        assert_int_equal(fresh_put(f, o, t->m->popularity.now_ms - age_ms, slots, count, NULL), 0);
        if (rng_below(r, 4) == 0)
            fresh_remove(f, 1 + rng_below(r, o));
    }
    return f;
}

static void add_new_items(struct tinyshop *t)
{
    for (uint32_t x = 0; x < 5; x++) {
        char id[8];
        snprintf(id, sizeof id, "new%u", x);
        struct catalog_item item = {.item_id = str_of(id),
                                    .category = STR("[\"Home\"]"),
                                    .price_minor = 100,
                                    .stock = STOCK_NONE,
                                    .available = true};
        assert_int_equal(catalog_put(&t->c, t->c.count, &item, NULL), 0);
    }
}

static void equals_the_obvious_way_on_random_shops(void **state)
{
    struct reference *want = calloc(1, sizeof *want);
    struct scratch *s = new_scratch();
    uint32_t reasons[BECAUSE_POPULAR + 1] = {0}, fallbacks = 0, new_items = 0, fresh_reasons = 0;
    (void)state;
    assert_non_null(want);
    for (uint64_t seed = 1; seed <= 12; seed++) {
        struct tinyshop t;
        struct rng r;
        struct recipe recipe;
        struct build_params mixed = mixed_params(&recipe);
        rng_seed(&r, 100 + seed);
        tinyshop_random(&t, 12 + 6 * (uint32_t)seed, 40 * (uint32_t)seed, seed);
        tinyshop_train(&t, seed % 2 ? &mixed : NULL);
        add_new_items(&t);
        struct fresh *fresh = seed % 3 ? random_fresh(&t, &r, 100) : NULL;
        for (uint32_t x = 0; x < 60; x++) {
            struct random_query q;
            make_query(&q, &t, &r);
            q.q.fresh = fresh;
            if (q.q.item_count && rng_below(&r, 4) == 0)
                q.items[0] = STR("new2");
            struct answer got = answer_of(&t, &q.q, s);
            reference_recommend(t.m, &t.c, &q.q, want);
            assert_same_answer(&got, &want->answer);
            fallbacks += got.fallback != FALLBACK_NONE;
            for (uint32_t y = 0; y < got.count; y++) {
                reasons[got.items[y].because.kind]++;
                new_items += got.items[y].item >= t.m->item_count;
                fresh_reasons += got.items[y].because.source &&
                                 strcmp(got.items[y].because.source, "fresh") == 0;
            }
        }
        fresh_free(fresh);
        tinyshop_free(&t);
    }
    assert_true(reasons[BECAUSE_RULE] > 100);
    assert_true(reasons[BECAUSE_NEIGHBOUR] > 100);
    assert_true(reasons[BECAUSE_AFTER] > 100);
    assert_true(reasons[BECAUSE_VISITS] > 20);
    assert_true(reasons[BECAUSE_POPULAR] > 100);
    assert_true(fallbacks > 10);
    assert_true(new_items > 20);
    assert_true(fresh_reasons > 20);
    scratch_free(s);
    free(want);
}

static void numbers_of_because_equal_a_recount(void **state)
{
    struct scratch *s = new_scratch();
    uint32_t checked = 0;
    (void)state;
    for (uint64_t seed = 30; seed < 36; seed++) {
        struct tinyshop t;
        tinyshop_random(&t, 40, 300, seed);
        tinyshop_train(&t, NULL);
        for (uint32_t i = 0; i + 1 < t.item_count; i++) {
            struct str items[2] = {str_of(t.names[i]), str_of(t.names[i + 1])};
            struct query q = {.items = items,
                              .item_count = 2,
                              .filter = NO_FILTER,
                              .limit = 20,
                              .explain = true,
                              .surface = i % 2 ? SURFACE_SIMILAR : SURFACE_BASKET};
            struct answer a = answer_of(&t, &q, s);
            for (uint32_t x = 0; x < a.count && a.fallback == FALLBACK_NONE; x++) {
                const struct because *b = &a.items[x].because;
                uint32_t all[BECAUSE_ITEMS_MAX + 1];
                if (b->kind == BECAUSE_AFTER) /* visits: below */
                    continue;
                memcpy(all, b->items, sizeof b->items);
                all[b->item_count] = a.items[x].item;
                double n = t.d.basket_count, body = tinyshop_count(&t, all, b->item_count);
                double both = tinyshop_count(&t, all, b->item_count + 1);
                double head = tinyshop_count(&t, &a.items[x].item, 1);
                assert_true(b->kind == BECAUSE_RULE || b->kind == BECAUSE_NEIGHBOUR);
                assert_true((double)b->count == both);
                assert_true(fabs(b->support - both / n) < 1e-12);
                assert_true(fabs(b->confidence - both / body) < 1e-12);
                assert_true(fabs(b->lift - both * n / (body * head)) < 1e-9);
                checked++;
            }
        }
        tinyshop_free(&t);
    }
    assert_true(checked > 500);
    scratch_free(s);
}

struct counted {
    uint32_t both, first, second, all;
};

/* What the matrix counts of two items, one by one. */
static struct counted count_for(const struct tinyshop *t, enum matrix_kind kind, uint32_t i,
                                uint32_t j)
{
    uint32_t pair[] = {i, j};
    switch (kind) {
    case MATRIX_VISITS:
        return (struct counted){tinyshop_looked_after(t, i, j), tinyshop_visits(t, i),
                                tinyshop_visits(t, j), t->d.sessions.rows.count};
    case MATRIX_NEXT:
        return (struct counted){tinyshop_after(t, i, j), tinyshop_shoppers(t, pair, 1),
                                tinyshop_shoppers(t, pair + 1, 1), t->d.user_count};
    case MATRIX_SHOPPERS:
        return (struct counted){tinyshop_shoppers(t, pair, 2), tinyshop_shoppers(t, pair, 1),
                                tinyshop_shoppers(t, pair + 1, 1), t->d.user_count};
    default:
        return (struct counted){tinyshop_count(t, pair, 2), tinyshop_count(t, pair, 1),
                                tinyshop_count(t, pair + 1, 1), t->d.basket_count};
    }
}

/* One matrix speaks at a time; rules would hide what carried the score. */
static void each_matrix_explains_by_what_it_counts(void **state)
{
    static const enum because_kind kinds[] = {BECAUSE_NEIGHBOUR, BECAUSE_NEIGHBOUR, BECAUSE_AFTER,
                                              BECAUSE_NEIGHBOUR, BECAUSE_AFTER};
    struct scratch *s = new_scratch();
    struct tinyshop t;
    (void)state;
    tinyshop_random(&t, 30, 240, 41);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        struct recipe recipe;
        struct build_params params = {.min_support = 1000, .recipe = &recipe};
        recipe_default(&recipe);
        recipe.mixes[MIX_BASKET] = (struct mix){.habit_decay = 1};
        recipe.mixes[MIX_BASKET].weight[k] = 1;
        for (int x = 0; x < MATRIX_COUNT; x++)
            recipe.mixes[MIX_BASKET].decay[x] = 1;
        tinyshop_train(&t, &params);
        for (uint32_t i = 0; i < 30; i += 3) {
            struct question q;
            ask(&q, SURFACE_BASKET, "", "");
            q.items[0] = str_of(t.names[i]);
            q.q.item_count = 1;
            struct answer a = answer_of(&t, &q.q, s);
            assert_true(a.count > 3 && a.fallback == FALLBACK_NONE);
            uint32_t item = tinyshop_item(&t, t.names[i]);
            for (uint32_t x = 0; x < a.count; x++) {
                const struct because *b = &a.items[x].because;
                uint32_t pair[] = {item, a.items[x].item};
                struct counted c = count_for(&t, (enum matrix_kind)k, pair[0], pair[1]);
                uint32_t both = c.both;
                double n = c.all, first = c.first, second = c.second;
                assert_int_equal(b->kind, kinds[k]);
                assert_string_equal(b->source, matrix_name((enum matrix_kind)k));
                assert_int_equal(b->items[0], item);
                assert_int_equal(b->count, both);
                assert_true(fabs(b->support - both / n) < 1e-12);
                assert_true(fabs(b->confidence - both / first) < 1e-12);
                assert_true(fabs(b->lift - both * n / (first * second)) < 1e-9);
            }
        }
    }
    tinyshop_free(&t);
    scratch_free(s);
}

/* What low rank says of two items that no shopper has both of is no count of shoppers. */
static void nobody_is_said_to_have_bought_what_nobody_did(void **state)
{
    struct scratch *s = new_scratch();
    struct tinyshop t;
    struct recipe recipe;
    struct build_params params = {.min_support = 1000, .neighbours = 50, .recipe = &recipe};
    uint32_t tastes = 0, neighbours = 0;
    (void)state;
    tinyshop_random(&t, 60, 30, 43);
    recipe_default(&recipe);
    recipe.ingredients[0] = (struct ingredient){
        .matrix = MATRIX_SHOPPERS, .learner = LEARNER_LOWRANK, .share = 1, .rank = 8};
    recipe.ingredient_count = 1;
    recipe.mixes[MIX_BASKET] = (struct mix){.habit_decay = 1};
    recipe.mixes[MIX_BASKET].weight[MATRIX_SHOPPERS] = 1;
    for (int x = 0; x < MATRIX_COUNT; x++)
        recipe.mixes[MIX_BASKET].decay[x] = 1;
    tinyshop_train(&t, &params);
    for (uint32_t i = 0; i < t.m->item_count; i++) {
        struct question q;
        ask(&q, SURFACE_BASKET, "", "");
        q.items[0] = dict_name(&t.m->items, i);
        q.q.item_count = 1;
        q.q.limit = 50;
        struct answer a = answer_of(&t, &q.q, s);
        for (uint32_t x = 0; x < a.count && a.fallback == FALLBACK_NONE; x++) {
            const struct because *b = &a.items[x].because;
            uint32_t pair[] = {i, a.items[x].item}, both = tinyshop_shoppers(&t, pair, 2);
            assert_int_equal(b->items[0], i);
            assert_int_equal(b->kind, both ? BECAUSE_NEIGHBOUR : BECAUSE_TASTE);
            assert_string_equal(b->source, both ? "shoppers" : "buyers");
            assert_int_equal(b->count, both ? both : tinyshop_shoppers(&t, pair + 1, 1));
            assert_int_equal(isnan(b->confidence), both == 0);
            tastes += both == 0;
            neighbours += both > 0;
        }
    }
    assert_true(tastes > 20);
    assert_true(neighbours > 50);
    tinyshop_free(&t);
    scratch_free(s);
}

static void explaining_changes_no_answer(void **state)
{
    struct tinyshop t;
    struct scratch *s = new_scratch(), *other = new_scratch();
    struct rng r;
    (void)state;
    rng_seed(&r, 5);
    tinyshop_random(&t, 50, 400, 77);
    tinyshop_train(&t, NULL);
    for (uint32_t x = 0; x < 50; x++) {
        struct random_query q;
        make_query(&q, &t, &r);
        q.q.explain = true;
        struct answer a = answer_of(&t, &q.q, s);
        q.q.explain = false;
        struct answer b = answer_of(&t, &q.q, other);
        assert_int_equal(a.count, b.count);
        for (uint32_t y = 0; y < a.count; y++) {
            assert_int_equal(a.items[y].item, b.items[y].item);
            assert_true(a.items[y].score == b.items[y].score);
            assert_int_equal(b.items[y].because.kind, BECAUSE_NONE);
        }
    }
    tinyshop_free(&t);
    scratch_free(s);
    scratch_free(other);
}

static void one_scratch_serves_models_of_any_size_and_a_wrapped_stamp(void **state)
{
    struct tinyshop small, large;
    struct reference *want = calloc(1, sizeof *want);
    struct scratch *s = new_scratch();
    struct rng r;
    (void)state;
    rng_seed(&r, 6);
    tinyshop_random(&small, 20, 200, 1);
    tinyshop_random(&large, 90, 300, 2);
    tinyshop_train(&small, NULL);
    tinyshop_train(&large, NULL);
    for (uint32_t x = 0; x < 40; x++) {
        const struct tinyshop *t = x % 3 ? &small : &large;
        struct random_query q;
        make_query(&q, t, &r);
        if (x == 20)
            s->stamp = UINT32_MAX - 3;
        struct answer got = answer_of(t, &q.q, s);
        reference_recommend(t->m, &t->c, &q.q, want);
        assert_same_answer(&got, &want->answer);
    }
    assert_true(s->stamp < 40);
    tinyshop_free(&small);
    tinyshop_free(&large);
    scratch_free(s);
    free(want);
}

static void the_largest_question_is_answered(void **state)
{
    static struct str items[LIMIT_QUERY_ITEMS];
    static char names[LIMIT_QUERY_ITEMS][16];
    struct tinyshop t;
    struct scratch *s = new_scratch();
    (void)state;
    tinyshop_random(&t, 700, 2000, 3);
    tinyshop_train(&t, NULL);
    for (uint32_t x = 0; x < LIMIT_QUERY_ITEMS; x++) {
        snprintf(names[x], sizeof names[x], "u%u", x / 2);
        items[x] = str_of(x < 100 ? t.names[x] : names[x]);
    }
    struct query q = {.items = items,
                      .item_count = LIMIT_QUERY_ITEMS,
                      .filter = NO_FILTER,
                      .limit = LIMIT_ANSWER_ITEMS,
                      .explain = true};
    struct answer a = answer_of(&t, &q, s);
    assert_int_equal(a.unknown_count, (LIMIT_QUERY_ITEMS - 100) / 2);
    assert_true(a.count > 100);
    for (uint32_t x = 0; x < a.count; x++)
        assert_int_not_equal(a.items[x].because.kind, BECAUSE_NONE);
    tinyshop_free(&t);
    scratch_free(s);
}

static void nothing_is_allocated_after_the_first_answer(void **state)
{
    struct tinyshop t;
    struct scratch *s = new_scratch();
    struct rng r;
    struct error err = ERROR_INIT;
    (void)state;
    rng_seed(&r, 9);
    tinyshop_random(&t, 60, 400, 4);
    tinyshop_train(&t, NULL);
    struct random_query q;
    make_query(&q, &t, &r);
    answer_of(&t, &q.q, s);
    for (uint32_t x = 0; x < 100; x++) {
        struct answer out;
        make_query(&q, &t, &r);
        oom_fail_at(1);
        int rc = recommend(t.m, &t.c, &q.q, s, &out, &err);
        bool failed = oom_fired();
        oom_disarm();
        assert_int_equal(rc, 0);
        assert_false(failed);
    }
    tinyshop_free(&t);
    scratch_free(s);
}

static void out_of_memory_is_an_error_and_the_scratch_recovers(void **state)
{
    struct tinyshop t;
    struct question q;
    (void)state;
    bundle_shop(&t);
    ask(&q, SURFACE_BASKET, "a b", "");
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        struct answer out;
        struct scratch *s = scratch_new(&err);
        int rc = s ? recommend(t.m, &t.c, &q.q, s, &out, &err) : ERR_NOMEM;
        if (oom_fired()) {
            assert_int_equal(rc, ERR_NOMEM);
            assert_int_equal(err.code, ERR_NOMEM);
        } else {
            assert_int_equal(rc, 0);
            assert_true(oom_count() >= 4);
        }
        if (s) {
            out = answer_of(&t, &q.q, s);
            assert_int_equal(out.items[0].item, tinyshop_item(&t, "c"));
        }
        scratch_free(s);
    }
    tinyshop_free(&t);
}

struct worker {
    struct tinyshop *t;
    uint64_t seed;
    uint32_t answered;
};

static void *answer_and_let_go(void *context)
{
    struct worker *w = context;
    struct error err = ERROR_INIT;
    struct scratch *s = scratch_new(&err);
    struct rng r;
    rng_seed(&r, w->seed);
    for (uint32_t x = 0; s && x < 200; x++) {
        struct model *m = model_ref(w->t->m);
        struct random_query q;
        struct answer out;
        make_query(&q, w->t, &r);
        if (recommend(m, &w->t->c, &q.q, s, &out, &err) == 0)
            w->answered++;
        model_unref(m);
    }
    scratch_free(s);
    model_unref(w->t->m); /* the reference given to this thread */
    return NULL;
}

static void threads_share_a_model_and_the_last_one_frees_it(void **state)
{
    struct tinyshop t;
    pthread_t threads[4];
    struct worker workers[4];
    (void)state;
    tinyshop_random(&t, 50, 300, 8);
    tinyshop_train(&t, NULL);
    for (uint32_t x = 0; x < 4; x++) {
        workers[x] = (struct worker){&t, x + 1, 0};
        model_ref(t.m);
        assert_int_equal(pthread_create(&threads[x], NULL, answer_and_let_go, &workers[x]), 0);
    }
    for (uint32_t x = 0; x < 4; x++) {
        assert_int_equal(pthread_join(threads[x], NULL), 0);
        assert_int_equal(workers[x].answered, 200);
    }
    assert_int_equal(atomic_load(&t.m->refs), 1);
    tinyshop_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_obvious_way_on_random_shops),
        cmocka_unit_test(numbers_of_because_equal_a_recount),
        cmocka_unit_test(each_matrix_explains_by_what_it_counts),
        cmocka_unit_test(nobody_is_said_to_have_bought_what_nobody_did),
        cmocka_unit_test(explaining_changes_no_answer),
        cmocka_unit_test(one_scratch_serves_models_of_any_size_and_a_wrapped_stamp),
        cmocka_unit_test(the_largest_question_is_answered),
        cmocka_unit_test(nothing_is_allocated_after_the_first_answer),
        cmocka_unit_test(out_of_memory_is_an_error_and_the_scratch_recovers),
        cmocka_unit_test(threads_share_a_model_and_the_last_one_frees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
