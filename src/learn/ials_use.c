/* What is done with the vectors: folding in, rows, the loss. Small dense algebra in double. */
#include "learn/ials.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A = L L', lower triangle in place, row by row; false: not positive definite. */
static bool factorise(double *a, uint32_t d)
{
    for (uint32_t i = 0; i < d; i++) {
        double *row = a + (size_t)i * d;
        for (uint32_t j = 0; j <= i; j++) {
            const double *other = a + (size_t)j * d;
            double sum = row[j];
            for (uint32_t k = 0; k < j; k++)
                sum -= row[k] * other[k];
            if (j < i)
                row[j] = sum / other[j];
            else if (sum > 0)
                row[i] = sqrt(sum);
            else
                return false;
        }
    }
    return true;
}

/* L L' x = b, in place. */
static void solve(const double *l, uint32_t d, double *b)
{
    for (uint32_t i = 0; i < d; i++) {
        for (uint32_t k = 0; k < i; k++)
            b[i] -= l[(size_t)i * d + k] * b[k];
        b[i] /= l[(size_t)i * d + i];
    }
    for (uint32_t i = d; i-- > 0;) {
        for (uint32_t k = i + 1; k < d; k++)
            b[i] -= l[(size_t)k * d + i] * b[k];
        b[i] /= l[(size_t)i * d + i];
    }
}

/* The matrix of a unit of `count` items without their own part. */
static void begin_matrix(const struct ials *m, uint32_t count, double *a)
{
    uint32_t d = m->params.dimensions;
    double lambda = m->params.reg * pow(count + m->params.a0 * m->item_count, m->params.nu);
    for (size_t c = 0; c < (size_t)d * d; c++)
        a[c] = m->params.a0 * m->gram[c];
    for (uint32_t f = 0; f < d; f++)
        a[(size_t)f * d + f] += lambda;
}

bool ials_fold_in(const struct ials *m, const uint32_t *items, uint32_t count, double *room,
                  float *x)
{
    uint32_t d = m->params.dimensions;
    double *a = room, *b = room + (size_t)d * d;
    begin_matrix(m, count, a);
    memset(b, 0, d * sizeof *b);
    for (uint32_t n = 0; n < count; n++) {
        const float *y = m->item + (size_t)items[n] * d;
        for (uint32_t f = 0; f < d; f++) {
            b[f] += y[f];
            for (uint32_t g = 0; g <= f; g++)
                a[(size_t)f * d + g] += (double)y[f] * y[g];
        }
    }
    if (!factorise(a, d))
        return false;
    solve(a, d, b);
    bool finite = true;
    for (uint32_t f = 0; f < d; f++) {
        x[f] = (float)b[f];
        finite &= isfinite(x[f]) != 0;
    }
    return finite;
}

static bool fold_in_one(const float *y, const double *factor, uint32_t d, double *b, float *x)
{
    double own = 1;
    bool finite = true;
    for (uint32_t f = 0; f < d; f++)
        b[f] = y[f];
    solve(factor, d, b);
    for (uint32_t f = 0; f < d; f++)
        own += y[f] * b[f];
    for (uint32_t f = 0; f < d; f++) {
        x[f] = (float)(b[f] / own);
        finite &= isfinite(x[f]) != 0;
    }
    return finite;
}

/* All units of one item have the same matrix A but for their own y y', and
 * (A + y y')^-1 y = A^-1 y / (1 + y' A^-1 y) (Sherman & Morrison). */
int ials_embeddings(const struct ials *m, struct embeddings *out, struct error *err)
{
    uint32_t d = m->params.dimensions;
    struct embeddings e = {.item_count = m->item_count, .dimensions = d};
    double *a, *b;
    MEM_NEW(a, (size_t)d * d);
    MEM_NEW(b, d);
    MEM_NEW(e.in, (size_t)e.item_count * d);
    e.out = mem_copy(m->item, (size_t)e.item_count * d * sizeof *e.out);
    bool room = a && b && e.in && e.out, good = room;
    if (good) {
        begin_matrix(m, 1, a);
        good = factorise(a, d);
    }
    for (uint32_t i = 0; i < e.item_count && good; i++)
        good = fold_in_one(m->item + (size_t)i * d, a, d, b, e.in + (size_t)i * d);
    free(a);
    free(b);
    if (good) {
        *out = e;
        return 0;
    }
    embeddings_deinit(&e);
    return room ? error_set(err, ERR_LIMIT, "iALS: the numbers ran out of range; raise reg")
                : error_set(err, ERR_NOMEM, "iALS: out of memory");
}
