#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/browse.h"
#include "engine/recommend.h"
#include "learn/combine.h"
#include "support/oom.h"
#include "support/tinyshop.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void save(const struct model *m, struct parts *p)
{
    struct error err = ERROR_INIT;
    struct model_sink sink = parts_sink(p);
    p->count = 0;
    assert_int_equal(model_save(m, &sink, &err), 0);
}

static struct model *load(struct parts *p, struct error *err)
{
    struct model_source source = parts_source(p);
    return model_load(&source, err);
}

static void new_shop(struct tinyshop *t, struct parts *p, uint64_t seed)
{
    tinyshop_random(t, 30, 300, seed);
    tinyshop_train(t, NULL);
    t->m->changes = 77;
    save(t->m, p);
}

static void saving_a_loaded_model_gives_the_same_bytes(void **state)
{
    struct tinyshop t;
    struct parts first, second;
    struct error err = ERROR_INIT;
    (void)state;
    new_shop(&t, &first, 1);
    struct model *m = load(&first, &err);
    assert_non_null(m);
    assert_int_equal(m->changes, 77);
    assert_int_equal(m->id, 0);
    assert_int_equal(m->user_count, t.m->user_count);
    assert_int_equal(model_bytes(m), model_bytes(t.m));
    save(m, &second);
    assert_int_equal(first.count, second.count);
    for (uint32_t x = 0; x < first.count; x++) {
        assert_string_equal(first.at[x].name, second.at[x].name);
        assert_int_equal(first.at[x].count, second.at[x].count);
        assert_memory_equal(first.at[x].bytes, second.at[x].bytes, first.at[x].count);
    }
    model_unref(m);
    parts_free(&first);
    parts_free(&second);
    tinyshop_free(&t);
}

static bool same_bits(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void assert_same_because(const struct because *a, const struct because *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->item_count, b->item_count);
    assert_memory_equal(a->items, b->items, sizeof a->items);
    assert_int_equal(a->count, b->count);
    assert_true(same_bits(a->support, b->support) && same_bits(a->confidence, b->confidence));
    assert_true(same_bits(a->lift, b->lift) && same_bits(a->trend, b->trend));
}

static void a_loaded_model_answers_the_same(void **state)
{
    struct tinyshop t;
    struct parts parts;
    struct error err = ERROR_INIT;
    struct rng r;
    (void)state;
    rng_seed(&r, 3);
    new_shop(&t, &parts, 2);
    struct model *m = load(&parts, &err);
    struct scratch *s[2] = {scratch_new(&err), scratch_new(&err)};
    assert_true(m && s[0] && s[1]);
    for (uint32_t x = 0; x < 200; x++) {
        struct str items[3];
        for (uint32_t y = 0; y < 3; y++)
            items[y] = str_of(t.names[rng_below(&r, t.item_count)]);
        struct query q = {.surface = (enum surface)(x % SURFACE_COUNT),
                          .items = items,
                          .item_count = 3,
                          .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE},
                          .limit = 20,
                          .explain = true};
        struct answer a, b;
        assert_int_equal(recommend(t.m, &t.c, &q, s[0], &a, &err), 0);
        assert_int_equal(recommend(m, &t.c, &q, s[1], &b, &err), 0);
        assert_int_equal(a.count, b.count);
        for (uint32_t y = 0; y < a.count; y++) {
            assert_int_equal(a.items[y].item, b.items[y].item);
            assert_memory_equal(&a.items[y].score, &b.items[y].score, sizeof(float));
            assert_same_because(&a.items[y].because, &b.items[y].because);
        }
    }
    scratch_free(s[0]);
    scratch_free(s[1]);
    model_unref(m);
    parts_free(&parts);
    tinyshop_free(&t);
}

/* A model that loads must be safe to use, whatever it says. */
static void use(struct tinyshop *t, const struct model *m, struct scratch *s)
{
    struct error err = ERROR_INIT;
    for (uint32_t x = 0; x < 6; x++) {
        struct str items[3];
        for (uint32_t y = 0; y < 3; y++)
            items[y] = str_of(t->names[(5 * x + y) % t->item_count]);
        struct query q = {.surface = (enum surface)(x % SURFACE_COUNT),
                          .items = items,
                          .item_count = 3,
                          .filter = {.price_min = PRICE_NONE, .price_max = PRICE_NONE},
                          .limit = 40,
                          .explain = true};
        struct answer a;
        assert_int_equal(recommend(m, &t->c, &q, s, &a, &err), 0);
        struct rule_query rules = {.sort = (enum rule_sort)x, .min_lift = 1.1, .limit = 50};
        struct rule_page page;
        assert_int_equal(browse_rules(m, &rules, &page, &err), 0);
        free(page.rules);
    }
}

static void no_flipped_byte_crashes_or_reads_out_of_bounds(void **state)
{
    struct tinyshop t;
    struct parts parts;
    struct error scratch_err = ERROR_INIT;
    struct scratch *s = scratch_new(&scratch_err);
    struct rng r;
    uint32_t refused = 0, tried = 0;
    (void)state;
    rng_seed(&r, 11);
    tinyshop_random(&t, 12, 80, 5);
    tinyshop_train(&t, NULL);
    save(t.m, &parts);
    for (uint32_t x = 0; x < parts.count; x++) {
        uint64_t step = parts.at[x].count > 1500 ? parts.at[x].count / 1500 : 1;
        for (uint64_t at = 0; at < parts.at[x].count; at += step) {
            unsigned char old = parts.at[x].bytes[at];
            struct error err = ERROR_INIT;
            parts.at[x].bytes[at] ^= (unsigned char)(1u << rng_below(&r, 8));
            struct model *m = load(&parts, &err);
            parts.at[x].bytes[at] = old;
            tried++;
            if (m) {
                use(&t, m, s);
            } else {
                assert_int_equal(err.code, ERR_CORRUPT);
                refused++;
            }
            model_unref(m);
        }
    }
    /* What no invariant ties down (a count, a weight a little off) loads and is safe. */
    assert_true(refused > tried / 2);
    scratch_free(s);
    parts_free(&parts);
    tinyshop_free(&t);
}

static void random_garbage_in_a_part_never_crashes(void **state)
{
    struct tinyshop t;
    struct parts parts;
    struct error scratch_err = ERROR_INIT;
    struct scratch *s = scratch_new(&scratch_err);
    struct rng r;
    (void)state;
    rng_seed(&r, 12);
    new_shop(&t, &parts, 6);
    for (uint32_t x = 0; x < parts.count; x++) {
        unsigned char *old = malloc(parts.at[x].count);
        assert_non_null(old);
        memcpy(old, parts.at[x].bytes, parts.at[x].count);
        for (uint32_t y = 0; y < 20; y++) {
            struct error err = ERROR_INIT;
            uint64_t from = rng_below(&r, (uint32_t)parts.at[x].count);
            for (uint64_t at = from; at < parts.at[x].count && at < from + 64; at++)
                parts.at[x].bytes[at] = y % 2 ? 0xff : (unsigned char)rng_below(&r, 256);
            struct model *m = load(&parts, &err);
            memcpy(parts.at[x].bytes, old, parts.at[x].count);
            if (m)
                use(&t, m, s);
            else
                assert_int_equal(err.code, ERR_CORRUPT);
            model_unref(m);
        }
        free(old);
    }
    scratch_free(s);
    parts_free(&parts);
    tinyshop_free(&t);
}

static void a_missing_or_short_part_is_named(void **state)
{
    struct tinyshop t;
    struct parts parts;
    (void)state;
    new_shop(&t, &parts, 7);
    for (uint32_t x = 0; x < parts.count; x++) {
        struct error err = ERROR_INIT;
        char name[64];
        memcpy(name, parts.at[x].name, sizeof name);
        parts.at[x].name[0] = '?';
        assert_null(load(&parts, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.text, name));
        memcpy(parts.at[x].name, name, sizeof name);
        error_clear(&err);
        parts.at[x].count--;
        assert_null(load(&parts, &err));
        parts.at[x].count++;
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.text, name));
    }
    parts_free(&parts);
    tinyshop_free(&t);
}

static void another_format_version_says_so(void **state)
{
    struct tinyshop t;
    struct parts parts;
    struct error err = ERROR_INIT;
    (void)state;
    new_shop(&t, &parts, 8);
    parts.at[0].bytes[8] = 9;
    assert_string_equal(parts.at[0].name, "header");
    assert_null(load(&parts, &err));
    assert_non_null(strstr(err.text, "version 9"));
    parts_free(&parts);
    tinyshop_free(&t);
}

static struct part *part_of(struct parts *p, const char *name)
{
    for (uint32_t x = 0; x < p->count; x++)
        if (strcmp(p->at[x].name, name) == 0)
            return &p->at[x];
    fail_msg("no part %s", name);
    return NULL;
}

/* Each number in the place of the float at `offset`. */
static void refused_with(struct parts *p, const char *name, size_t offset, const float *bad,
                         uint32_t count)
{
    unsigned char *at = part_of(p, name)->bytes + offset;
    float old;
    memcpy(&old, at, sizeof old);
    for (uint32_t x = 0; x < count; x++) {
        struct error err = ERROR_INIT;
        memcpy(at, &bad[x], sizeof *bad);
        assert_null(load(p, &err));
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.text, "model: ") || strstr(err.text, "sparse matrix: "));
    }
    memcpy(at, &old, sizeof old);
}

static void numbers_that_are_not_finite_are_refused(void **state)
{
    static const char *const names[] = {"popularity.trend", "orders.value", "shoppers.value",
                                        "next.value",       "alike.value",  "vectors.in",
                                        "vectors.out"};
    const float bad[] = {NAN, INFINITY, -INFINITY, 2 * ROWS_WEIGHT_MAX, -2 * ROWS_WEIGHT_MAX};
    struct tinyshop t;
    struct parts parts;
    (void)state;
    new_shop(&t, &parts, 9);
    for (size_t x = 0; x < sizeof names / sizeof *names; x++)
        for (size_t offset = 0; offset < 8; offset += sizeof *bad)
            refused_with(&parts, names[x], offset, bad, strstr(names[x], "value") ? 5 : 3);
    struct error err = ERROR_INIT;
    struct model *m = load(&parts, &err);
    assert_non_null(m);
    model_unref(m);
    parts_free(&parts);
    tinyshop_free(&t);
}

static void a_recipe_with_a_number_out_of_range_is_refused(void **state)
{
    const float bad[] = {NAN, INFINITY, -INFINITY, -1};
    struct tinyshop t;
    struct parts parts;
    (void)state;
    new_shop(&t, &parts, 9);
    const struct recipe *r = &t.m->recipe;
    for (size_t k = 0; k < MIX_COUNT; k++)
        for (size_t x = 0; x < sizeof(struct mix); x += sizeof(float))
            refused_with(&parts, "recipe", offsetof(struct recipe, mixes[k]) + x, bad, 4);
    for (size_t k = 0; k < r->ingredient_count; k++) {
        size_t at = offsetof(struct recipe, ingredients[k]);
        refused_with(&parts, "recipe", at + offsetof(struct ingredient, share), bad, 4);
        if (r->ingredients[k].learner == LEARNER_RIDGE)
            refused_with(&parts, "recipe", at + offsetof(struct ingredient, lambda), bad, 4);
        if (r->ingredients[k].learner == LEARNER_SEQUENCE)
            refused_with(&parts, "recipe", at + offsetof(struct ingredient, gap_power), bad, 4);
    }
    parts_free(&parts);
    tinyshop_free(&t);
}

/* The value at an index of a part becomes another one. */
static void visits_refused_with(struct parts *p, const char *name, uint64_t x, size_t size,
                                uint64_t bad, const char *said)
{
    unsigned char *at = part_of(p, name)->bytes + x * size;
    struct error err = ERROR_INIT;
    uint64_t old = 0;
    memcpy(&old, at, size);
    memcpy(at, &bad, size);
    assert_null(load(p, &err));
    assert_int_equal(err.code, ERR_CORRUPT);
    assert_non_null(strstr(err.text, said));
    memcpy(at, &old, size);
}

static void past_visits_that_do_not_fit_are_refused(void **state)
{
    struct tinyshop t;
    struct parts parts;
    (void)state;
    new_shop(&t, &parts, 10);
    const struct sessionknn *k = &t.m->neighbours;
    uint32_t last = k->session_count;
    assert_true(last > 3);
    const char *start = "neighbours.start", *item = "neighbours.item";
    const char *ends = "past visits end elsewhere", *items = "past visits are not of its items";
    visits_refused_with(&parts, start, 0, 8, 1, items);
    visits_refused_with(&parts, start, 1, 8, k->start[2], items);
    visits_refused_with(&parts, start, 1, 8, UINT64_MAX, items);
    visits_refused_with(&parts, start, last - 1, 8, k->start[last] + 1, items);
    visits_refused_with(&parts, start, last, 8, k->start[last] - 1, ends);
    visits_refused_with(&parts, start, last, 8, k->start[last] + 1, ends);
    visits_refused_with(&parts, item, 0, 4, t.m->item_count, items);
    visits_refused_with(&parts, item, k->start[last] - 1, 4, UINT32_MAX, items);
    struct error err = ERROR_INIT;
    struct model *m = load(&parts, &err);
    assert_non_null(m);
    assert_int_equal(m->neighbours.session_count, last);
    model_unref(m);
    parts_free(&parts);
    tinyshop_free(&t);
}

static void out_of_memory_while_loading_is_an_error(void **state)
{
    struct tinyshop t;
    struct parts parts;
    (void)state;
    new_shop(&t, &parts, 10);
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        struct model *m = load(&parts, &err);
        if (oom_fired()) {
            assert_null(m);
            assert_int_equal(err.code, ERR_NOMEM);
        } else {
            assert_non_null(m);
            assert_true(oom_count() > 40);
        }
        model_unref(m);
    }
    parts_free(&parts);
    tinyshop_free(&t);
}

static int refuse(void *context, const char *part, const void *bytes, uint64_t count,
                  struct error *err)
{
    (void)bytes;
    (void)count;
    return --*(int *)context > 0 ? 0 : error_set(err, ERR_FULL, "%s: disk full", part);
}

static void a_sink_that_fails_stops_the_saving(void **state)
{
    struct tinyshop t;
    struct parts parts;
    struct error err = ERROR_INIT;
    int left = 5;
    struct model_sink sink = {&left, refuse};
    (void)state;
    new_shop(&t, &parts, 11);
    assert_int_equal(model_save(t.m, &sink, &err), ERR_FULL);
    assert_int_equal(left, 0);
    parts_free(&parts);
    tinyshop_free(&t);
}

static void a_strong_rule_list_holds_every_rule_no_part_of_which_is_as_strong(void **state)
{
    struct tinyshop t;
    struct parts parts;
    (void)state;
    new_shop(&t, &parts, 12);
    const struct model *m = t.m;
    uint32_t singles = 0, kept = 0;
    for (uint32_t r = 0; r < m->rules.count; r++)
        singles += m->rules.start[r + 1] - m->rules.start[r] == 1;
    for (uint32_t x = 0; x < m->strong.count; x++) {
        uint32_t r = m->strong.index[x];
        kept += m->rules.start[r + 1] - m->rules.start[r] == 1;
        assert_int_equal(m->strong.rule[x].consequent, m->rules.consequent[r]);
        assert_true(m->strong.rule[x].strength > 0);
        double confidence = (double)m->rules.both[r] / m->rules.body[r];
        assert_true(m->strong.rule[x].strength < confidence);
    }
    assert_int_equal(kept, singles);
    assert_true(m->strong.count < m->rules.count);
    parts_free(&parts);
    tinyshop_free(&t);
}

static void an_undefined_conviction_sorts_first(void **state)
{
    static const char *const orders[] = {"ab", "ab", "abc", "c", "ce", "ce", "d", "ce"};
    struct tinyshop t;
    (void)state;
    tinyshop_orders(&t, orders, 8);
    tinyshop_train(&t, NULL);
    const uint32_t *order = model_rule_order(t.m, SORT_CONVICTION);
    assert_true(isnan(model_rule_value(t.m, SORT_CONVICTION, order[0])));
    assert_ptr_equal(model_rule_order(t.m, SORT_SUPPORT), model_rule_order(t.m, SORT_COUNT));
    tinyshop_free(&t);
}

static void an_empty_model_can_be_let_go(void **state)
{
    struct error err = ERROR_INIT;
    struct model *m = model_new(&err);
    (void)state;
    assert_non_null(m);
    assert_ptr_equal(model_ref(m), m);
    model_unref(m);
    assert_int_equal(model_seal(m, &err), ERR_CORRUPT);
    model_unref(m);
    model_unref(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saving_a_loaded_model_gives_the_same_bytes),
        cmocka_unit_test(a_loaded_model_answers_the_same),
        cmocka_unit_test(no_flipped_byte_crashes_or_reads_out_of_bounds),
        cmocka_unit_test(random_garbage_in_a_part_never_crashes),
        cmocka_unit_test(a_missing_or_short_part_is_named),
        cmocka_unit_test(another_format_version_says_so),
        cmocka_unit_test(numbers_that_are_not_finite_are_refused),
        cmocka_unit_test(a_recipe_with_a_number_out_of_range_is_refused),
        cmocka_unit_test(past_visits_that_do_not_fit_are_refused),
        cmocka_unit_test(out_of_memory_while_loading_is_an_error),
        cmocka_unit_test(a_sink_that_fails_stops_the_saving),
        cmocka_unit_test(a_strong_rule_list_holds_every_rule_no_part_of_which_is_as_strong),
        cmocka_unit_test(an_undefined_conviction_sorts_first),
        cmocka_unit_test(an_empty_model_can_be_let_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
