#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "engine/sources.h"
#include "support/madeorders.h"
#include "support/oom.h"
#include "support/rows.h"
#include "support/tinyshop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct sgns_params brief = {.epochs = 1};

static void start(struct sources *s, const struct tinyshop *t, const struct recipe *r)
{
    const struct source_params params = {.keep = 20, .sgns = &brief, .threads = 1};
    sources_init(s, &t->d, r, &params);
}

static void make(struct sources *s, enum matrix_kind kind)
{
    struct error err = ERROR_INIT;
    int rc = sources_make(s, kind, &err);
    if (rc)
        print_message("%s\n", err.text);
    assert_int_equal(rc, 0);
}

static void a_scale_is_the_mean_of_the_best_weight_over_sales(void **state)
{
    uint64_t starts[] = {0, 2, 2, 3};
    uint32_t columns[] = {1, 2, 0}, orders[] = {3, 5, 2};
    float values[] = {0.5f, -2, 2};
    const struct csr rows = {3, 3, starts, columns, values};
    (void)state;
    assert_true(fabs(rows_scale(&rows, orders) - (3 * 0.5 + 2 * 2) / 10) < 1e-12);
    values[0] = values[2] = -1;
    assert_true(rows_scale(&rows, orders) == 0);
    uint64_t none[] = {0, 0, 0, 0};
    assert_true(rows_scale(&(struct csr){3, 3, none, columns, values}, orders) == 0);
}

static void add_vectors(struct recipe *r)
{
    r->ingredients[r->ingredient_count++] = (struct ingredient){
        .matrix = MATRIX_SHOPPERS, .learner = LEARNER_LOWRANK, .share = 1, .rank = 4};
    r->ingredients[r->ingredient_count++] = (struct ingredient){
        .matrix = MATRIX_SHOPPERS, .learner = LEARNER_SOFTMAX, .share = 1, .rank = 4};
    static const char *const others[] = {"shoppers/stan", "orders/ials:rank=8", "shoppers/ials",
                                         "orders/cosine:min_count=2"};
    for (size_t x = 0; x < sizeof others / sizeof *others; x++)
        assert_int_equal(
            ingredient_parse(str_of(others[x]), &r->ingredients[r->ingredient_count++], NULL), 0);
}

static void every_learner_ends_on_one_scale(void **state)
{
    struct tinyshop t;
    struct recipe r;
    struct sources s;
    (void)state;
    tinyshop_random(&t, 40, 300, 1);
    recipe_default(&r);
    add_vectors(&r);
    start(&s, &t, &r);
    for (int k = 0; k < MATRIX_COUNT; k++)
        make(&s, (enum matrix_kind)k);
    for (uint32_t x = 0; x < r.ingredient_count; x++) {
        assert_non_null(s.rows[x].start);
        assert_true(fabs(rows_scale(&s.rows[x], t.d.item_orders) - 1) < 1e-5);
        assert_int_equal(s.after[x] != NULL, r.ingredients[x].learner == LEARNER_SEQUENCE);
    }
    sources_deinit(&s);
    sources_deinit(&s);
    tinyshop_free(&t);
}

/* Ridges that share their systems, others between them that do not. */
static void shared_recipe(struct recipe *r)
{
    static const struct {
        float lambda, unit_power;
        uint32_t neighbours;
        float half_life_days;
    } ridges[] = {{20, 0.5f, 10, 0},  {20, 0, 10, 0},    {50, 0.5f, 10, 0}, {20, 0.5f, 15, 0},
                  {20, 0.5f, 10, 30}, {20, 0, 10, 1000}, {80, 0.5f, 10, 0}, {50, 0.5f, 10, 30}};
    recipe_default(r);
    r->ingredient_count = 0;
    for (size_t x = 0; x < sizeof ridges / sizeof *ridges; x++)
        r->ingredients[r->ingredient_count++] =
            (struct ingredient){.matrix = MATRIX_ORDERS,
                                .learner = LEARNER_RIDGE,
                                .share = 1,
                                .neighbours = ridges[x].neighbours,
                                .lambda = ridges[x].lambda,
                                .unit_power = ridges[x].unit_power,
                                .half_life_days = ridges[x].half_life_days};
    r->ingredients[r->ingredient_count++] =
        (struct ingredient){.matrix = MATRIX_ORDERS, .learner = LEARNER_JACCARD, .share = 1};
}

static void sharing_systems_changes_no_weight(void **state)
{
    struct tinyshop t;
    struct recipe all, one;
    struct sources s, alone;
    (void)state;
    tinyshop_random(&t, 40, 300, 2);
    shared_recipe(&all);
    start(&s, &t, &all);
    make(&s, MATRIX_ORDERS);
    for (uint32_t x = 0; x < all.ingredient_count; x++) {
        one = all;
        one.ingredients[0] = all.ingredients[x];
        one.ingredient_count = 1;
        start(&alone, &t, &one);
        make(&alone, MATRIX_ORDERS);
        assert_same_rows(&s.rows[x], &alone.rows[0]);
        sources_deinit(&alone);
    }
    sources_deinit(&s);
    tinyshop_free(&t);
}

static void matrices_do_not_depend_on_what_was_made_before(void **state)
{
    struct tinyshop t;
    struct recipe r;
    struct sources first, second;
    (void)state;
    tinyshop_random(&t, 40, 300, 3);
    recipe_default(&r);
    r.ingredients[r.ingredient_count++] = (struct ingredient){.matrix = MATRIX_ALIKE,
                                                              .learner = LEARNER_RIDGE,
                                                              .share = 1,
                                                              .neighbours = 10,
                                                              .lambda = 20,
                                                              .unit_power = 0.5f};
    start(&first, &t, &r);
    start(&second, &t, &r);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        make(&first, (enum matrix_kind)k);
        make(&second, (enum matrix_kind)(MATRIX_COUNT - 1 - k));
    }
    for (uint32_t x = 0; x < r.ingredient_count; x++)
        assert_same_rows(&first.rows[x], &second.rows[x]);
    make(&first, MATRIX_ORDERS); /* again: nothing to do */
    assert_same_rows(&first.rows[0], &second.rows[0]);
    sources_drop(&first, MATRIX_ORDERS);
    assert_null(first.rows[0].start);
    assert_non_null(first.rows[1].start);
    sources_deinit(&first);
    sources_deinit(&second);
    tinyshop_free(&t);
}

static uint32_t recount(const struct tinyshop *t, enum matrix_kind kind, uint32_t i, uint32_t j)
{
    uint32_t pair[] = {i, j};
    switch (kind) {
    case MATRIX_SHOPPERS:
        return tinyshop_shoppers(t, pair, 2);
    case MATRIX_NEXT:
        return tinyshop_after(t, i, j);
    case MATRIX_VISITS:
        return tinyshop_looked_after(t, i, j);
    default:
        return tinyshop_count(t, pair, 2);
    }
}

static void the_evidence_of_each_matrix_equals_a_recount(void **state)
{
    struct tinyshop t;
    struct recipe r;
    struct sources s;
    struct error err = ERROR_INIT;
    (void)state;
    tinyshop_random(&t, 40, 200, 4);
    tinyshop_train(&t, NULL);
    recipe_default(&r);
    start(&s, &t, &r);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        struct csr rows = {0};
        uint32_t *both = NULL;
        make(&s, (enum matrix_kind)k);
        assert_int_equal(
            sources_combine(&s, (enum matrix_kind)k, t.m->popularity.rank, &rows, &both, &err), 0);
        assert_true(csr_entries(&rows) > 200);
        for (uint32_t i = 0; i < rows.rows; i++) {
            for (uint64_t e = rows.start[i]; e < rows.start[i + 1]; e++) {
                assert_int_equal(both[e], recount(&t, (enum matrix_kind)k, i, rows.column[e]));
                assert_true(both[e] > 0);
                assert_true(e == rows.start[i] || rows.value[e] <= rows.value[e - 1]);
            }
        }
        csr_deinit(&rows);
        free(both);
    }
    sources_deinit(&s);
    tinyshop_free(&t);
}

/* Row i of the combined matrix, entry by entry, from the ingredients. */
static void a_matrix_is_the_sum_of_its_ingredients_by_share(void **state)
{
    struct tinyshop t;
    struct recipe r;
    struct sources s;
    struct error err = ERROR_INIT;
    struct csr rows;
    uint32_t *both, checked = 0;
    (void)state;
    tinyshop_random(&t, 30, 200, 5);
    tinyshop_train(&t, NULL);
    recipe_default(&r);
    start(&s, &t, &r);
    make(&s, MATRIX_ALIKE);
    assert_int_equal(sources_combine(&s, MATRIX_ALIKE, t.m->popularity.rank, &rows, &both, &err),
                     0);
    for (uint32_t i = 0; i < rows.rows; i++) {
        for (uint64_t e = rows.start[i]; e < rows.start[i + 1]; e++, checked++) {
            double sum = 0;
            for (uint32_t x = 0; x < r.ingredient_count; x++) {
                if (r.ingredients[x].matrix != MATRIX_ALIKE)
                    continue;
                for (uint64_t y = s.rows[x].start[i]; y < s.rows[x].start[i + 1]; y++)
                    if (s.rows[x].column[y] == rows.column[e])
                        sum += (double)r.ingredients[x].share * (double)s.rows[x].value[y];
            }
            assert_true(fabs((double)rows.value[e] - sum) < 1e-5);
        }
    }
    assert_true(checked > 200);
    csr_deinit(&rows);
    free(both);
    sources_deinit(&s);
    tinyshop_free(&t);
}

static void what_nobody_is_known_of_stays_empty(void **state)
{
    static const char *const orders[] = {"abc", "abd", "ab", "ce", "cd", "abe"};
    struct tinyshop t;
    struct recipe r;
    struct sources s;
    struct error err = ERROR_INIT;
    (void)state;
    tinyshop_orders(&t, orders, 6); /* of nobody */
    recipe_default(&r);
    r.ingredients[r.ingredient_count] = r.ingredients[0];
    r.ingredients[r.ingredient_count].share = 0;
    r.ingredients[r.ingredient_count++].lambda = 1;
    start(&s, &t, &r);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        make(&s, (enum matrix_kind)k);
        if (k == MATRIX_ORDERS || k == MATRIX_ALIKE)
            continue;
        struct csr rows = {0};
        uint32_t *both = NULL;
        assert_int_equal(sources_combine(&s, (enum matrix_kind)k, NULL, &rows, &both, &err), 0);
        assert_null(rows.start);
        assert_null(both);
    }
    assert_null(s.rows[r.ingredient_count - 1].start); /* without a share */
    assert_non_null(s.rows[0].start);
    sources_deinit(&s);
    tinyshop_free(&t);
}

static void shoppers_of_very_many_items_are_not_learnt_from(void **state)
{
    enum { ITEMS = 1400 };
    struct tinyshop t;
    struct recipe r;
    struct sources s;
    struct error err = ERROR_INIT;
    uint32_t keys[ITEMS];
    (void)state;
    tinyshop_random(&t, ITEMS, 20, 6);
    dataset_deinit(&t.d);
    assert_int_equal(dataset_init(&t.d, NULL, &err), 0);
    for (uint32_t x = 0; x < ITEMS; x++)
        keys[x] = 10 + 3 * x;
    assert_int_equal(dataset_add(&t.d, 1, 7, keys, 700, &err), 0);
    assert_int_equal(dataset_add(&t.d, 2, 7, keys + 700, 700, &err), 0);
    assert_int_equal(dataset_add(&t.d, 3, 8, keys, 999, &err), 0);
    assert_int_equal(dataset_add(&t.d, 4, 8, keys, 1000, &err), 0);
    assert_int_equal(dataset_add(&t.d, 5, 9, keys, 2, &err), 0);
    assert_int_equal(dataset_finish(&t.d, &err), 0);
    recipe_default(&r);
    start(&s, &t, &r);
    make(&s, MATRIX_SHOPPERS);
    assert_int_equal(s.histories.count, 3);
    assert_int_equal(s.histories.start[3], 1999 + 2);
    assert_int_equal(cooc_pair(&s.shoppers, 0, 1), 2);
    assert_int_equal(cooc_pair(&s.shoppers, 0, 999), 1);
    assert_int_equal(cooc_pair(&s.shoppers, 0, 1300), 0);
    sources_deinit(&s);
    tinyshop_free(&t);
}

static int make_all(struct sources *s, const struct tinyshop *t, struct error *err)
{
    for (int k = 0; k < MATRIX_COUNT; k++) {
        struct csr rows = {0};
        uint32_t *both = NULL;
        int rc = sources_make(s, (enum matrix_kind)k, err);
        if (rc == 0)
            rc = sources_combine(s, (enum matrix_kind)k, t->m->popularity.rank, &rows, &both, err);
        csr_deinit(&rows);
        free(both);
        if (rc)
            return rc;
    }
    return 0;
}

static void out_of_memory_anywhere_is_an_error(void **state)
{
    struct tinyshop t;
    struct recipe r;
    (void)state;
    tinyshop_random(&t, 10, 40, 7);
    tinyshop_train(&t, NULL);
    recipe_default(&r);
    add_vectors(&r);
    OOM_LOOP
    {
        struct error err = ERROR_INIT;
        struct sources s;
        start(&s, &t, &r);
        int rc = make_all(&s, &t, &err);
        if (rc) {
            assert_true(oom_fired());
            assert_int_equal(rc, ERR_NOMEM);
            assert_int_equal(err.code, ERR_NOMEM);
        } else if (!oom_fired()) {
            assert_true(oom_count() > 50);
        }
        sources_deinit(&s);
    }
    tinyshop_free(&t);
}

static void making_can_be_cancelled(void **state)
{
    struct tinyshop t;
    struct recipe r;
    struct progress progress;
    (void)state;
    tinyshop_random(&t, 40, 300, 8);
    recipe_default(&r);
    progress_init(&progress);
    progress_cancel(&progress);
    for (int k = 0; k < MATRIX_COUNT; k++) {
        const struct source_params params = {.sgns = &brief, .threads = 1, .progress = &progress};
        struct error err = ERROR_INIT;
        struct sources s;
        sources_init(&s, &t.d, &r, &params);
        assert_int_equal(sources_make(&s, (enum matrix_kind)k, &err), ERR_CANCELLED);
        sources_deinit(&s);
    }
    tinyshop_free(&t);
}

/* Of all matrices, nothing dropped. */
static void estimates_cover_what_is_made(void **state)
{
    static const struct made_params shops[] = {
        {.orders = 1000, .items = 150, .shoppers = 200, .largest = 8},
        {.orders = 8000, .items = 2500, .shoppers = 3000, .largest = 8},
        {.orders = 3000, .items = 1000, .largest = 12}};
    const struct source_params params = {.keep = 20, .sgns = &brief, .threads = 1};
    const bool wanted[MATRIX_COUNT] = {true, true, true, true, true};
    (void)state;
    for (size_t x = 0; x < sizeof shops / sizeof *shops; x++) {
        struct dataset d = made_orders(&shops[x], 4);
        struct recipe r;
        struct sources s;
        struct dataset_shape shape;
        struct sources_estimate said;
        recipe_default(&r);
        add_vectors(&r);
        dataset_shape_of(&d, &shape);
        sources_estimate(&shape, &r, &params, wanted, &said);
        heap_watch();
        sources_init(&s, &d, &r, &params);
        for (int k = 0; k < MATRIX_COUNT; k++)
            make(&s, (enum matrix_kind)k);
        assert_in_range(heap_most(), said.peak_bytes / 4, said.peak_bytes);
        assert_in_range(heap_held(), said.held_bytes / 4, said.held_bytes);
        sources_deinit(&s);
        dataset_deinit(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scale_is_the_mean_of_the_best_weight_over_sales),
        cmocka_unit_test(every_learner_ends_on_one_scale),
        cmocka_unit_test(sharing_systems_changes_no_weight),
        cmocka_unit_test(matrices_do_not_depend_on_what_was_made_before),
        cmocka_unit_test(the_evidence_of_each_matrix_equals_a_recount),
        cmocka_unit_test(a_matrix_is_the_sum_of_its_ingredients_by_share),
        cmocka_unit_test(what_nobody_is_known_of_stays_empty),
        cmocka_unit_test(shoppers_of_very_many_items_are_not_learnt_from),
        cmocka_unit_test(out_of_memory_anywhere_is_an_error),
        cmocka_unit_test(making_can_be_cancelled),
        cmocka_unit_test(estimates_cover_what_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
