#include "support/rows.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support/baskets.h"

void pairs_random(struct rng *r, uint32_t rows, uint32_t items, double density, float unit_power,
                  struct cooc *out)
{
    struct csr units = baskets_random(r, rows, items, density);
    struct cooc_params params = {.threads = 1, .unit_power = unit_power};
    assert_int_equal(cooc_count(&units, &params, out, NULL), 0);
    csr_deinit(&units);
}

void assert_same_rows(const struct csr *a, const struct csr *b)
{
    assert_int_equal(a->rows, b->rows);
    assert_int_equal(a->cols, b->cols);
    assert_memory_equal(a->start, b->start, (a->rows + 1) * sizeof *a->start);
    assert_memory_equal(a->column, b->column, csr_entries(a) * sizeof *a->column);
    assert_int_equal(!a->value, !b->value);
    if (a->value)
        assert_memory_equal(a->value, b->value, csr_entries(a) * sizeof *a->value);
}
