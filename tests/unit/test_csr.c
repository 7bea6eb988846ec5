#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/csr.h"
#include "support/oom.h"
#include "support/rows.h"

#include <math.h>
#include <string.h>

/* 3 x 4:  . 1 . 2
 *         . . . .
 *         3 4 . .  */
static struct csr small(void)
{
    struct csr m;
    assert_int_equal(csr_alloc(&m, 3, 4, 4, 1, NULL), 0);
    memcpy(m.start, (uint64_t[]){0, 2, 2, 4}, 4 * sizeof *m.start);
    memcpy(m.column, (uint32_t[]){1, 3, 0, 1}, 4 * sizeof *m.column);
    memcpy(m.value, (float[]){1, 2, 3, 4}, 4 * sizeof *m.value);
    return m;
}

static void a_transpose_lists_rows_by_column(void **state)
{
    (void)state;
    struct csr m = small(), t;
    assert_int_equal(csr_transpose(&m, &t, NULL), 0);
    assert_int_equal(t.rows, 4);
    assert_int_equal(t.cols, 3);
    assert_memory_equal(t.start, ((uint64_t[]){0, 1, 3, 3, 4}), 5 * sizeof *t.start);
    assert_memory_equal(t.column, ((uint32_t[]){2, 0, 2, 0}), 4 * sizeof *t.column);
    assert_memory_equal(t.value, ((float[]){3, 1, 4, 2}), 4 * sizeof *t.value);
    csr_deinit(&t);
    csr_deinit(&m);
    csr_deinit(&m);
}

static void packing_closes_the_gaps(void **state)
{
    (void)state;
    struct csr m;
    assert_int_equal(csr_alloc(&m, 3, 9, 6, 1, NULL), 0);
    memcpy(m.column, (uint32_t[]){9, 4, 9, 9, 7, 8}, 6 * sizeof *m.column);
    memcpy(m.value, (float[]){0, 1, 0, 0, 2, 3}, 6 * sizeof *m.value);
    csr_pack(&m, (uint64_t[]){1, 2, 4}, (uint32_t[]){1, 0, 2});
    assert_memory_equal(m.start, ((uint64_t[]){0, 1, 1, 3}), 4 * sizeof *m.start);
    assert_memory_equal(m.column, ((uint32_t[]){4, 7, 8}), 3 * sizeof *m.column);
    assert_memory_equal(m.value, ((float[]){1, 2, 3}), 3 * sizeof *m.value);
    csr_deinit(&m);
}

static struct csr random_ones(uint32_t rows, uint32_t cols, struct rng *rng)
{
    struct csr m;
    assert_int_equal(csr_alloc(&m, rows, cols, (uint64_t)rows * cols, 0, NULL), 0);
    uint64_t at = 0;
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < cols; c++)
            if (rng_below(rng, 5) == 0)
                m.column[at++] = c;
        m.start[r + 1] = at;
    }
    return m;
}

static void transposing_twice_gives_the_matrix_back(void **state)
{
    (void)state;
    struct rng rng;
    rng_seed(&rng, 4);
    for (int round = 0; round < 50; round++) {
        struct csr m = random_ones(rng_below(&rng, 30), rng_below(&rng, 20), &rng), t, back;
        assert_int_equal(csr_transpose(&m, &t, NULL), 0);
        assert_int_equal(csr_check(&t, NULL), 0);
        assert_int_equal(csr_transpose(&t, &back, NULL), 0);
        assert_null(t.value);
        assert_same_rows(&back, &m);
        csr_deinit(&m);
        csr_deinit(&t);
        csr_deinit(&back);
    }
}

static void an_empty_matrix_is_a_matrix(void **state)
{
    (void)state;
    struct csr m, t;
    assert_int_equal(csr_alloc(&m, 0, 0, 0, 0, NULL), 0);
    assert_int_equal(csr_check(&m, NULL), 0);
    assert_int_equal(csr_entries(&m), 0);
    assert_int_equal(csr_transpose(&m, &t, NULL), 0);
    assert_int_equal(t.rows, 0);
    csr_deinit(&m);
    csr_deinit(&t);
    assert_int_equal(csr_entries(&m), 0);
    assert_int_equal(csr_bytes(&m), 0);
}

static void bytes_count_the_arrays(void **state)
{
    (void)state;
    struct csr m = small();
    assert_int_equal(csr_bytes(&m), 4 * 8 + 4 * 4 + 4 * 4);
    csr_deinit(&m);
}

static void a_damaged_matrix_is_refused(void **state)
{
    (void)state;
    struct csr m = small();
    assert_int_equal(csr_check(&m, NULL), 0);
    m.column[2] = 4;
    assert_int_equal(csr_check(&m, NULL), ERR_CORRUPT);
    m.column[2] = 0;
    m.value[3] = NAN;
    assert_int_equal(csr_check(&m, NULL), ERR_CORRUPT);
    m.value[3] = 1;
    m.start[1] = 3;
    assert_int_equal(csr_check(&m, NULL), ERR_CORRUPT);
    m.start[1] = 2;
    m.start[0] = 1;
    assert_int_equal(csr_check(&m, NULL), ERR_CORRUPT);
    csr_deinit(&m);
    assert_int_equal(csr_check(&m, NULL), ERR_CORRUPT);
}

static void a_matrix_too_large_for_memory_is_refused(void **state)
{
    (void)state;
    struct csr m;
    struct error err = ERROR_INIT;
    assert_int_equal(csr_alloc(&m, 1, 1, UINT64_MAX / 2, 1, &err), ERR_NOMEM);
    assert_null(m.start);
}

static void every_failed_allocation_is_reported(void **state)
{
    (void)state;
    struct csr m = small(), t;
    for (unsigned n = 1; n <= 4; n++) {
        oom_fail_at(n);
        int rc = csr_transpose(&m, &t, NULL);
        oom_disarm();
        assert_int_equal(rc, n <= 3 ? ERR_NOMEM : 0);
        csr_deinit(&t);
    }
    csr_deinit(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packing_closes_the_gaps),
        cmocka_unit_test(a_transpose_lists_rows_by_column),
        cmocka_unit_test(transposing_twice_gives_the_matrix_back),
        cmocka_unit_test(an_empty_matrix_is_a_matrix),
        cmocka_unit_test(bytes_count_the_arrays),
        cmocka_unit_test(a_damaged_matrix_is_refused),
        cmocka_unit_test(a_matrix_too_large_for_memory_is_refused),
        cmocka_unit_test(every_failed_allocation_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
