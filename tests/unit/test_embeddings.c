#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

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

static void nothing_and_out_of_memory(void **state)
{
    (void)state;
    struct embeddings none = {.dimensions = 8}, e;
    struct embeddings_rows_params five = {.k = 5};
    struct csr rows;
    assert_int_equal(embeddings_rows(&none, &five, &rows, NULL), 0);
    assert_int_equal(rows.rows, 0);
    csr_deinit(&rows);
    random_vectors(70, 8, &e);
    OOM_LOOP
    {
        int rc = embeddings_rows(&e, &five, &rows, NULL);
        assert_true(rc == 0 || (oom_fired() && rc == ERR_NOMEM));
        if (rc == 0)
            csr_deinit(&rows);
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
        cmocka_unit_test(equal_scores_go_by_the_smaller_item),
        cmocka_unit_test(nothing_and_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
