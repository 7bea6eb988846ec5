#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/recipe.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void the_default_is_valid(void **state)
{
    struct recipe r;
    const char *what = "?";
    (void)state;
    recipe_default(&r);
    assert_true(recipe_valid(&r, &what));
    assert_null(what);
    bool speaks[MATRIX_COUNT] = {false};
    for (uint32_t x = 0; x < r.ingredient_count; x++)
        speaks[r.ingredients[x].matrix] = true;
    for (int m = 0; m < MIX_COUNT; m++) { /* no surface asks a matrix that nobody fills */
        bool any = false;
        for (int k = 0; k < MATRIX_COUNT; k++) {
            assert_true(speaks[k] || r.mixes[m].weight[k] == 0);
            any = any || r.mixes[m].weight[k] > 0;
        }
        assert_true(any);
    }
}

enum {
    SHARE,
    LAMBDA,
    UNIT_POWER,
    HALF_LIFE,
    GAP,
    COUNT,
    SOURCE,
    TARGET,
    REG,
    UNSEEN,
    AGEING,
    REACH,
    NEIGHBOURS,
    DISTANCE,
    RANK,
    MIN_COUNT
};

static void set_field(struct ingredient *g, int field, double value)
{
    float x = (float)value;
    uint32_t n = value < 0 ? UINT32_MAX : (uint32_t)fmin(value, UINT32_MAX);
    float *reals[] = {[SHARE] = &g->share,
                      [LAMBDA] = &g->lambda,
                      [UNIT_POWER] = &g->unit_power,
                      [HALF_LIFE] = &g->half_life_days,
                      [GAP] = &g->gap_power,
                      [COUNT] = &g->count_power,
                      [SOURCE] = &g->source_power,
                      [TARGET] = &g->target_power,
                      [REG] = &g->reg,
                      [UNSEEN] = &g->unseen,
                      [AGEING] = &g->ageing,
                      [REACH] = &g->reach};
    uint32_t *numbers[] = {[NEIGHBOURS] = &g->neighbours,
                           [DISTANCE] = &g->distance,
                           [RANK] = &g->rank,
                           [MIN_COUNT] = &g->min_count};
    if (field >= NEIGHBOURS)
        *numbers[field] = n;
    else
        *reals[field] = x;
}

/* Good for whatever learner. */
static struct ingredient plain_of(enum matrix_kind matrix, enum learner_kind learner)
{
    return (struct ingredient){.matrix = matrix,
                               .learner = learner,
                               .share = 1,
                               .neighbours = 100,
                               .lambda = 20,
                               .distance = 10,
                               .gap_power = 1,
                               .count_power = 1,
                               .rank = 64,
                               .reg = 0.01f,
                               .unseen = 0.1f,
                               .ageing = 2,
                               .reach = 5};
}

static void an_ingredient_out_of_range_is_named(void **state)
{
    static const struct {
        enum learner_kind learner;
        int field;
        double good[2], bad[3];
        const char *named;
    } cases[] = {
        {LEARNER_COSINE, SHARE, {0, 3}, {-0.1, NAN, INFINITY}, "share"},
        {LEARNER_RIDGE, NEIGHBOURS, {1, 1000}, {0, 1001, 1e9}, "neighbours"},
        {LEARNER_RIDGE, LAMBDA, {0.5, 1e5}, {0, NAN, INFINITY}, "lambda"},
        {LEARNER_RIDGE, UNIT_POWER, {0, 2}, {-0.1, 2.1, NAN}, "unit_power"},
        {LEARNER_RIDGE, HALF_LIFE, {0, 1e5}, {-1, 1e6, NAN}, "half_life_days"},
        {LEARNER_SEQUENCE, DISTANCE, {1, 1000}, {0, 1001, 1e9}, "distance"},
        {LEARNER_SEQUENCE, GAP, {0.001, 4}, {0, 4.1, NAN}, "gap_power"},
        {LEARNER_SEQUENCE, COUNT, {0.001, 2}, {0, 2.1, NAN}, "count_power"},
        {LEARNER_SEQUENCE, SOURCE, {0, 2}, {-1, 2.1, NAN}, "power"},
        {LEARNER_SEQUENCE, TARGET, {0, 2}, {-1, 2.1, NAN}, "power"},
        {LEARNER_LOWRANK, RANK, {1, 512}, {0, 513, 1e9}, "rank"},
        {LEARNER_SGNS, RANK, {8, 512}, {0, 12, 520}, "rank"},
        {LEARNER_SOFTMAX, RANK, {1, 512}, {0, 513, 1e9}, "rank"},
        {LEARNER_IALS, RANK, {8, 256}, {0, 12, 264}, "rank"},
        {LEARNER_IALS, REG, {1e-6, 1000}, {0, -1, NAN}, "reg"},
        {LEARNER_IALS, UNSEEN, {1e-6, 1000}, {0, -1, NAN}, "unseen"},
        {LEARNER_STAN, NEIGHBOURS, {1, 1000}, {0, 1001, 1e9}, "neighbours"},
        {LEARNER_STAN, AGEING, {0.001, 1000}, {0, -1, NAN}, "ageing"},
        {LEARNER_STAN, REACH, {0.001, 1000}, {0, -1, NAN}, "reach"},
        {LEARNER_COSINE, MIN_COUNT, {0, 1e6}, {1e7, 2e6, 1e9}, "min_count"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct recipe r;
        struct ingredient plain = plain_of(MATRIX_ORDERS, cases[c].learner);
        const char *what;
        if (cases[c].learner == LEARNER_SEQUENCE)
            plain.matrix = MATRIX_NEXT;
        if (cases[c].learner == LEARNER_SOFTMAX || cases[c].learner == LEARNER_STAN)
            plain.matrix = MATRIX_SHOPPERS;
        recipe_default(&r);
        struct ingredient *g = &r.ingredients[r.ingredient_count++];
        for (size_t x = 0; x < 2; x++) {
            *g = plain;
            set_field(g, cases[c].field, cases[c].good[x]);
            assert_true(recipe_valid(&r, &what));
        }
        for (size_t x = 0; x < 3; x++) {
            *g = plain;
            set_field(g, cases[c].field, cases[c].bad[x]);
            assert_false(recipe_valid(&r, &what));
            assert_non_null(strstr(what, cases[c].named));
        }
    }
}

static void a_learner_must_be_able_to_make_its_matrix(void **state)
{
    (void)state;
    for (int k = 0; k <= MATRIX_COUNT; k++) {
        for (int l = 0; l <= LEARNER_COUNT; l++) {
            struct recipe r;
            const char *what;
            recipe_default(&r);
            r.ingredients[0] = plain_of((enum matrix_kind)k, (enum learner_kind)l);
            bool known = k < MATRIX_COUNT && l < LEARNER_COUNT;
            bool fits = (k == MATRIX_NEXT || k == MATRIX_VISITS) == (l == LEARNER_SEQUENCE) &&
                        (k == MATRIX_SHOPPERS || (l != LEARNER_SOFTMAX && l != LEARNER_STAN));
            assert_int_equal(recipe_valid(&r, &what), known && fits);
        }
    }
}

static void a_learner_is_read_from_its_name_and_parameters(void **state)
{
    struct ingredient g;
    struct buf text;
    (void)state;
    assert_int_equal(ingredient_parse(STR("shoppers/ridge"), &g, NULL), 0);
    assert_true(g.matrix == MATRIX_SHOPPERS && g.learner == LEARNER_RIDGE && g.share == 1);
    assert_true(g.neighbours == 200 && g.lambda == 20 && g.unit_power == 0.5f);
    assert_int_equal(ingredient_parse(STR("next/sequence:distance=7:gap_power=1.25"), &g, NULL), 0);
    assert_true(g.distance == 7 && g.gap_power == 1.25f && g.count_power == 0.7f);
    buf_init(&text, 0);
    ingredient_json(&g, &text);
    static const char expected[] = "{\"matrix\":\"next\",\"learner\":\"sequence\",\"share\":1,"
                                   "\"distance\":7,\"gap_power\":1.25,\"count_power\":0.7,"
                                   "\"source_power\":0.25,\"target_power\":0.05}";
    assert_int_equal(text.len, strlen(expected));
    assert_memory_equal(text.ptr, expected, text.len);
    buf_deinit(&text);
    for (int k = 0; k < MATRIX_COUNT; k++) { /* all that can be made has defaults that fit */
        for (int l = 0; l < LEARNER_COUNT; l++) {
            char name[64];
            snprintf(name, sizeof name, "%s/%s", matrix_name((enum matrix_kind)k),
                     learner_name((enum learner_kind)l));
            if (ingredient_parse(str_of(name), &g, NULL) == 0)
                assert_null(ingredient_fault(&g));
        }
    }
}

static void a_learner_that_cannot_be_is_explained(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"ridge", "expected a matrix and who makes it"},
        {"orders/", "expected a matrix"},
        {"orders/magic", "expected a matrix"},
        {"next/ridge", "expected a matrix"},
        {"orders/ridge:rank=3", "no parameter 'rank'; it has neighbours, lambda, unit_power"},
        {"orders/ridge:lambda", "lambda="},
        {"orders/ridge:lambda=", "from 1e-06 to 1e+09"},
        {"orders/ridge:lambda=0", "from 1e-06 to 1e+09"},
        {"orders/ridge:lambda=nan", "from 1e-06"},
        {"orders/ridge:neighbours=2.5", "a whole one"},
        {"orders/ridge:", "no parameter ''"},
        {"orders/ridge:lambda=5:neighbours=9:lambda=5", "lambda is given twice"},
        {"alike/sgns:rank=12", "a multiple of 8"},
        {"shoppers/ridge:half_life_days=9", "no age"},
    };
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        struct ingredient g;
        struct error err = ERROR_INIT;
        assert_int_equal(ingredient_parse(str_of(cases[c].text), &g, &err), ERR_INVALID);
        if (!strstr(err.text, cases[c].said))
            fail_msg("%s: %s", cases[c].text, err.text);
    }
}

static void a_mix_out_of_range_is_named(void **state)
{
    static const float bad_weights[] = {-1, NAN, INFINITY}, bad_decays[] = {0, 1.01f, NAN};
    (void)state;
    for (int m = 0; m < MIX_COUNT; m++) {
        for (int x = 0; x < 3; x++) {
            struct recipe r;
            const char *what;
            recipe_default(&r);
            r.mixes[m].weight[x] = bad_weights[x];
            assert_false(recipe_valid(&r, &what));
            assert_non_null(strstr(what, "weight"));
            recipe_default(&r);
            r.mixes[m].decay[x] = bad_decays[x];
            assert_false(recipe_valid(&r, &what));
            assert_non_null(strstr(what, "decay"));
            recipe_default(&r);
            *(x % 2 ? &r.mixes[m].popular : &r.mixes[m].recent) = bad_weights[x];
            assert_false(recipe_valid(&r, &what));
            assert_non_null(strstr(what, "popular"));
            recipe_default(&r);
            r.mixes[m].habit = bad_weights[x];
            assert_false(recipe_valid(&r, &what));
            assert_non_null(strstr(what, "habit"));
            recipe_default(&r);
            r.mixes[m].habit_decay = bad_decays[x];
            assert_false(recipe_valid(&r, &what));
        }
    }
    struct recipe r;
    const char *what;
    recipe_default(&r);
    r.ingredient_count = RECIPE_INGREDIENTS_MAX + 1;
    assert_false(recipe_valid(&r, &what));
    assert_non_null(strstr(what, "ingredients"));
}

static void a_shop_of_many_items_bounds_what_learners_may_do(void **state)
{
    struct recipe r, before;
    const char *what;
    (void)state;
    recipe_default(&r);
    r.ingredients[r.ingredient_count++] = (struct ingredient){
        .matrix = MATRIX_SHOPPERS, .learner = LEARNER_LOWRANK, .share = 1, .rank = 128};
    r.ingredients[r.ingredient_count++] = (struct ingredient){
        .matrix = MATRIX_SHOPPERS, .learner = LEARNER_RIDGE, .neighbours = 20, .lambda = 50};
    before = r;
    recipe_bound(&r, 20000);
    assert_memory_equal(&r, &before, sizeof r);
    recipe_bound(&r, 20001);
    assert_true(recipe_valid(&r, &what));
    for (uint32_t x = 0; x < r.ingredient_count; x++) {
        const struct ingredient *g = &r.ingredients[x], *was = &before.ingredients[x];
        assert_true(g->neighbours == was->neighbours || g->neighbours == 50);
        assert_true(g->neighbours <= 50 && g->distance <= 20);
        assert_true(g->rank == was->rank || g->rank == (g->learner == LEARNER_SGNS ? 32 : 64));
        assert_true(g->rank <= 64 && g->lambda == was->lambda && g->share == was->share);
    }
    assert_int_equal(r.ingredients[r.ingredient_count - 1].neighbours, 20);
}

/* The json of the default, parsed. */
static json_t *default_json(struct recipe *r)
{
    struct buf text;
    json_error_t why;
    recipe_default(r);
    buf_init(&text, 0);
    recipe_json(r, &text);
    assert_false(text.failed);
    json_t *json = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &why);
    if (!json)
        print_message("%s\n", why.text);
    assert_non_null(json);
    buf_deinit(&text);
    return json;
}

static void the_json_has_every_ingredient_with_its_own_parameters(void **state)
{
    struct recipe r;
    json_t *json = default_json(&r), *list = json_object_get(json, "ingredients");
    (void)state;
    assert_int_equal(json_array_size(list), r.ingredient_count);
    for (uint32_t x = 0; x < r.ingredient_count; x++) {
        const struct ingredient *g = &r.ingredients[x];
        json_t *one = json_array_get(list, x);
        bool ridge = g->learner == LEARNER_RIDGE, walks = g->learner == LEARNER_SEQUENCE;
        bool vectors = g->learner == LEARNER_SGNS;
        assert_string_equal(json_string_value(json_object_get(one, "matrix")),
                            matrix_name(g->matrix));
        assert_string_equal(json_string_value(json_object_get(one, "learner")),
                            learner_name(g->learner));
        assert_true((float)json_number_value(json_object_get(one, "share")) == g->share);
        assert_int_equal(json_object_get(one, "lambda") != NULL, ridge);
        assert_int_equal(json_object_get(one, "distance") != NULL, walks);
        assert_int_equal(json_object_get(one, "rank") != NULL, vectors);
        if (ridge)
            assert_true((float)json_number_value(json_object_get(one, "unit_power")) ==
                        g->unit_power);
        if (walks)
            assert_true((float)json_number_value(json_object_get(one, "gap_power")) ==
                        g->gap_power);
    }
    json_decref(json);
}

static void the_json_has_every_mix_with_the_matrices_that_count(void **state)
{
    struct recipe r;
    json_t *json = default_json(&r), *mixes = json_object_get(json, "mixes");
    (void)state;
    assert_int_equal(json_object_size(mixes), MIX_COUNT);
    for (int m = 0; m < MIX_COUNT; m++) {
        json_t *mix = json_object_get(mixes, mix_name((enum mix_kind)m));
        json_t *weights = json_object_get(mix, "weights"), *decays = json_object_get(mix, "decays");
        for (int k = 0; k < MATRIX_COUNT; k++) {
            const char *name = matrix_name((enum matrix_kind)k);
            bool counts = r.mixes[m].weight[k] > 0;
            assert_int_equal(json_object_get(weights, name) != NULL, counts);
            assert_int_equal(json_object_get(decays, name) != NULL, counts);
            if (counts)
                assert_true((float)json_number_value(json_object_get(decays, name)) ==
                            r.mixes[m].decay[k]);
        }
        assert_non_null(json_object_get(mix, "popular"));
        assert_non_null(json_object_get(mix, "recent"));
    }
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_is_valid),
        cmocka_unit_test(an_ingredient_out_of_range_is_named),
        cmocka_unit_test(a_learner_must_be_able_to_make_its_matrix),
        cmocka_unit_test(a_learner_is_read_from_its_name_and_parameters),
        cmocka_unit_test(a_learner_that_cannot_be_is_explained),
        cmocka_unit_test(a_mix_out_of_range_is_named),
        cmocka_unit_test(a_shop_of_many_items_bounds_what_learners_may_do),
        cmocka_unit_test(the_json_has_every_ingredient_with_its_own_parameters),
        cmocka_unit_test(the_json_has_every_mix_with_the_matrices_that_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
