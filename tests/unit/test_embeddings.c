#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "learn/embeddings.h"
#include "support/oom.h"

static void random_vectors(uint32_t items, uint32_t dimensions, struct embeddings *e)
{
    struct rng r;
    size_t count = (size_t)items * dimensions;
    rng_seed(&r, items);
    *e = (struct embeddings){items, dimensions, malloc(4 * count + 4), malloc(4 * count + 4)};
    assert_non_null(e->in);
    assert_non_null(e->out);
    for (size_t k = 0; k < count; k++) {
        e->in[k] = 2 * rng_unitf(&r) - 1;
        e->out[k] = 2 * rng_unitf(&r) - 1;
    }
}

static double score(const struct embeddings *e, uint32_t i, uint32_t j)
{
    double sum = 0;
    for (uint32_t k = 0; k < e->dimensions; k++)
        sum += (double)e->in[(size_t)i * e->dimensions + k] *
               (double)e->out[(size_t)j * e->dimensions + k];
    return sum;
}

/* Against plain loops; items whose scores differ by less than floats can tell may change places. */
static void rows_equal_plain_loops(void **state)
{
    (void)state;
    static const uint32_t SIZES[] = {1, 2, 63, 65, 300, 2100};
    struct embeddings_rows_params ten = {.k = 10};
    for (size_t s = 0; s < sizeof SIZES / sizeof *SIZES; s++) {
        struct embeddings e;
        struct csr rows;
        uint32_t n = SIZES[s], k = 10 < n - 1 ? 10 : n - 1;
        random_vectors(n, 24, &e);
        assert_int_equal(embeddings_rows(&e, &ten, &rows, NULL), 0);
        assert_int_equal(csr_check(&rows, NULL), 0);
        assert_int_equal(csr_entries(&rows), (uint64_t)n * k);
        for (uint32_t i = 0; i < n; i += 1 + n / 50) {
            const uint32_t *column = rows.column + rows.start[i];
            const float *value = rows.value + rows.start[i];
            double least = INFINITY;
            for (uint32_t c = 0; c < k; c++) {
                double expected = score(&e, i, column[c]);
                assert_true(column[c] != i);
                assert_true(expected < least + 1e-5);
                assert_true(c == 0 || value[c] <= value[c - 1]);
                assert_true(fabs((double)value[c] - fmin(8, exp(expected))) < 1e-4);
                least = expected;
            }
            uint32_t better = 0;
            for (uint32_t j = 0; j < n; j++)
                better += j != i && score(&e, i, j) > least + 1e-5;
            assert_true(better < k || k == 0);
        }
        csr_deinit(&rows);
        embeddings_deinit(&e);
    }
}

/* The scores less that of the next one, which is no longer there; of all others the last. */
static void a_margin_is_what_is_above_the_best_left_out(void **state)
{
    struct embeddings e;
    struct csr rows, margins;
    struct embeddings_rows_params params = {.k = 11, .weight = EMBEDDINGS_SCORE};
    (void)state;
    random_vectors(300, 24, &e);
    assert_int_equal(embeddings_rows(&e, &params, &rows, NULL), 0);
    params = (struct embeddings_rows_params){.k = 10, .weight = EMBEDDINGS_MARGIN};
    assert_int_equal(embeddings_rows(&e, &params, &margins, NULL), 0);
    for (uint32_t i = 0; i < 300; i++) {
        uint64_t from = rows.start[i], to = margins.start[i];
        assert_int_equal(margins.start[i + 1] - to, 10);
        for (uint32_t x = 0; x < 10; x++) {
            assert_int_equal(margins.column[to + x], rows.column[from + x]);
            assert_true(margins.value[to + x] == rows.value[from + x] - rows.value[from + 10]);
        }
    }
    csr_deinit(&rows);
    csr_deinit(&margins);
    embeddings_deinit(&e);
    random_vectors(3, 24, &e);
    assert_int_equal(embeddings_rows(&e, &params, &margins, NULL), 0);
    assert_int_equal(csr_entries(&margins), 3); /* two others, the worse of which is the measure */
    csr_deinit(&margins);
    embeddings_deinit(&e);
    random_vectors(1, 24, &e);
    assert_int_equal(embeddings_rows(&e, &params, &margins, NULL), 0);
    assert_int_equal(csr_entries(&margins), 0);
    csr_deinit(&margins);
    embeddings_deinit(&e);
}

/* All in-vectors alike, out-vectors of three kinds, one of them against: many scores are equal. */
static void equal_scores_go_by_the_smaller_item(void **state)
{
    (void)state;
    static const float KINDS[] = {1, 0.5f, -1};
    struct embeddings e;
    struct csr rows;
    struct embeddings_rows_params params = {.weight = EMBEDDINGS_SCORE};
    random_vectors(100, 8, &e);
    for (uint32_t c = 0; c < 800; c++) {
        e.in[c] = c % 8 == 0;
        e.out[c] = KINDS[c / 8 % 3];
    }
    for (params.k = 1; params.k < 90; params.k += 11) {
        assert_int_equal(embeddings_rows(&e, &params, &rows, NULL), 0);
        for (uint32_t i = 0; i < 100; i++) {
            uint64_t at = rows.start[i];
            for (uint32_t kind = 0; kind < 2; kind++) {
                for (uint32_t j = kind; j < 100 && at < rows.start[i] + params.k; j += 3) {
                    if (j == i)
                        continue;
                    assert_int_equal(rows.column[at], j);
                    assert_true(rows.value[at++] == KINDS[kind]);
                }
            }
            assert_int_equal(rows.start[i + 1], at); /* none of what speaks against */
        }
        csr_deinit(&rows);
    }
    embeddings_deinit(&e);
}

/* Vectors about `centres` random ones. */
static void clustered_vectors(uint32_t items, uint32_t dimensions, uint32_t centres,
                              struct embeddings *e)
{
    struct embeddings centre;
    random_vectors(centres, dimensions, &centre);
    random_vectors(items, dimensions, e);
    for (uint32_t i = 0; i < items; i++)
        for (uint32_t k = 0; k < dimensions; k++) {
            float *in = &e->in[(size_t)i * dimensions + k],
                  *out = &e->out[(size_t)i * dimensions + k];
            *in = centre.in[i % centres * dimensions + k] + 0.2f * *in;
            *out = centre.in[i % centres * dimensions + k] + 0.2f * *out;
        }
    embeddings_deinit(&centre);
}

static uint64_t shared_entries(const struct csr *a, const struct csr *b, uint32_t row)
{
    uint64_t shared = 0;
    for (uint64_t x = a->start[row]; x < a->start[row + 1]; x++)
        for (uint64_t y = b->start[row]; y < b->start[row + 1]; y++)
            shared += a->column[x] == b->column[y];
    return shared;
}

static void of_many_items_a_row_finds_most_of_the_best(void **state)
{
    (void)state;
    enum { ITEMS = 9000, CANDIDATES = 2500 };
    struct embeddings e;
    struct csr all, some;
    struct embeddings_rows_params params = {.k = 20, .weight = EMBEDDINGS_SCORE};
    clustered_vectors(ITEMS, 19, 40, &e);
    assert_int_equal(embeddings_rows(&e, &params, &all, NULL), 0);
    params.candidates = CANDIDATES;
    assert_int_equal(embeddings_rows(&e, &params, &some, NULL), 0);
    assert_int_equal(csr_check(&some, NULL), 0);
    assert_int_equal(csr_entries(&some), ITEMS * params.k);
    uint64_t found = 0;
    for (uint32_t i = 0; i < ITEMS; i++) {
        found += shared_entries(&all, &some, i);
        assert_int_equal(shared_entries(&some, &some, i), params.k);
        for (uint64_t x = some.start[i]; x < some.start[i + 1]; x++) {
            assert_int_not_equal(some.column[x], i);
            assert_true(fabs(score(&e, i, some.column[x]) - (double)some.value[x]) < 1e-4);
            assert_true(x == some.start[i] || some.value[x] <= some.value[x - 1]);
        }
    }
    assert_in_range(found, ITEMS * params.k * 95 / 100, ITEMS * params.k - 1);
    csr_deinit(&some);
    params.candidates = ITEMS;
    assert_int_equal(embeddings_rows(&e, &params, &some, NULL), 0);
    assert_memory_equal(some.column, all.column, 4 * csr_entries(&all));
    csr_deinit(&some);
    csr_deinit(&all);
    embeddings_deinit(&e);
}

static void threads_do_not_change_a_byte(void **state)
{
    (void)state;
    struct embeddings e;
    struct csr rows[2];
    clustered_vectors(5000, 16, 30, &e);
    for (uint32_t candidates = 0; candidates <= 2000; candidates += 1000) {
        for (uint32_t x = 0; x < 2; x++) {
            struct embeddings_rows_params params = {
                .k = 30, .candidates = candidates, .threads = 1 + 3 * x};
            assert_int_equal(embeddings_rows(&e, &params, &rows[x], NULL), 0);
        }
        assert_memory_equal(rows[0].column, rows[1].column, 4 * csr_entries(&rows[0]));
        assert_memory_equal(rows[0].value, rows[1].value, 4 * csr_entries(&rows[0]));
        csr_deinit(&rows[0]);
        csr_deinit(&rows[1]);
    }
    embeddings_deinit(&e);
}

/* Each is as near as any other. */
static void vectors_that_are_all_alike_can_be_dealt(void **state)
{
    (void)state;
    struct embeddings e;
    struct csr rows;
    struct embeddings_rows_params params = {.k = 5, .candidates = 600, .weight = EMBEDDINGS_SCORE};
    random_vectors(2000, 8, &e);
    for (float length = 0; length < 2; length++) {
        for (uint32_t c = 0; c < 16000; c++)
            e.in[c] = e.out[c] = length;
        assert_int_equal(embeddings_rows(&e, &params, &rows, NULL), 0);
        assert_int_equal(csr_check(&rows, NULL), 0);
        assert_int_equal(csr_entries(&rows), length > 0 ? 2000 * 5 : 0);
        csr_deinit(&rows);
    }
    embeddings_deinit(&e);
}

static void what_is_no_number_is_refused_or_stays_out(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    struct embeddings_rows_params params = {.k = 5};
    struct embeddings e;
    struct csr rows;
    random_vectors(1100, 8, &e);
    for (int n = 0; n < 12; n++) {
        struct error err = ERROR_INIT;
        float *at = n < 6 ? &e.in[8799] : &e.out[17], old = *at;
        params.candidates = n / 3 % 2 ? 600 : 0;
        *at = bad[n % 3];
        assert_int_equal(embeddings_rows(&e, &params, &rows, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "not finite"));
        *at = old;
    }
    for (int n = 0; n < 4; n++) {
        for (uint32_t c = 0; c < 80; c++) /* their products are out of range, of both signs */
            e.in[c] = e.out[c] = c % 3 ? 1e30f : -1e30f;
        params.candidates = n % 2 ? 600 : 0;
        params.weight = n / 2 ? EMBEDDINGS_SCORE : EMBEDDINGS_ODDS;
        assert_int_equal(embeddings_rows(&e, &params, &rows, NULL), 0);
        assert_int_equal(csr_check(&rows, NULL), 0);
        csr_deinit(&rows);
    }
    embeddings_deinit(&e);
}

static void nothing_and_out_of_memory(void **state)
{
    (void)state;
    struct embeddings none = {.dimensions = 8}, e;
    struct embeddings_rows_params five = {.k = 5};
    struct csr rows;
    assert_int_equal(embeddings_rows(&none, &five, &rows, NULL), 0);
    assert_int_equal(rows.rows, 0);
    csr_deinit(&rows);
    random_vectors(1100, 8, &e);
    for (five.candidates = 0; five.candidates <= 600; five.candidates += 600) {
        OOM_LOOP
        {
            int rc = embeddings_rows(&e, &five, &rows, NULL);
            assert_true(rc == 0 || (oom_fired() && rc == ERR_NOMEM));
            if (rc == 0)
                csr_deinit(&rows);
        }
    }
    struct progress progress;
    progress_init(&progress);
    progress_cancel(&progress);
    five.progress = &progress;
    assert_int_equal(embeddings_rows(&e, &five, &rows, NULL), ERR_CANCELLED);
    embeddings_deinit(&e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_equal_plain_loops),
        cmocka_unit_test(a_margin_is_what_is_above_the_best_left_out),
        cmocka_unit_test(equal_scores_go_by_the_smaller_item),
        cmocka_unit_test(of_many_items_a_row_finds_most_of_the_best),
        cmocka_unit_test(threads_do_not_change_a_byte),
        cmocka_unit_test(vectors_that_are_all_alike_can_be_dealt),
        cmocka_unit_test(what_is_no_number_is_refused_or_stays_out),
        cmocka_unit_test(nothing_and_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
