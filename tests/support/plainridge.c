#include "support/plainridge.h"

#include <math.h>
#include <stdlib.h>

struct near {
    float cosine;
    uint32_t units, item;
};

static int by_cosine(const void *a, const void *b)
{
    const struct near *x = a, *y = b;
    if (x->cosine != y->cosine)
        return x->cosine > y->cosine ? -1 : 1;
    if (x->units != y->units)
        return x->units > y->units ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

static int by_item(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Without n_j, which is the same for all, and in single precision, so that ties are the same. */
/* Masses where the counts have them. */
static float pair(const struct cooc *c, uint32_t i, uint32_t j)
{
    for (uint64_t e = c->start[i]; c->mass && e < c->start[i + 1]; e++)
        if (c->column[e] == j)
            return c->mass[e];
    return (float)cooc_pair(c, i, j);
}

static float item(const struct cooc *c, uint32_t i)
{
    return c->mass ? c->item_mass[i] : (float)c->item_units[i];
}

uint32_t plain_neighbours(const struct cooc *c, uint32_t j, uint32_t k, uint32_t *out)
{
    uint32_t found = 0;
    struct near *list = malloc((c->item_count + (size_t)1) * sizeof *list);
    if (!list)
        abort();
    for (uint32_t i = 0; i < c->item_count; i++) {
        float norm = 1 / sqrtf(item(c, i));
        if (cooc_pair(c, i, j) > 0)
            list[found++] = (struct near){pair(c, i, j) * norm, c->item_units[i], i};
    }
    qsort(list, found, sizeof *list, by_cosine);
    found = found < k ? found : k;
    for (uint32_t x = 0; x < found; x++)
        out[x] = list[x].item;
    qsort(out, found, sizeof *out, by_item);
    free(list);
    return found;
}

void plain_ridge(const struct cooc *c, uint32_t j, const uint32_t *support, uint32_t m,
                 double lambda, double *weight)
{
    size_t wide = m + (size_t)1;
    double *a = malloc((m * wide + 1) * sizeof *a);
    if (!a)
        abort();
    for (uint32_t x = 0; x < m; x++) {
        for (uint32_t y = 0; y < m; y++)
            a[x * wide + y] =
                x == y ? item(c, support[x]) + lambda : pair(c, support[x], support[y]);
        a[x * wide + m] = pair(c, support[x], j);
    }
    for (uint32_t p = 0; p < m; p++)
        for (uint32_t x = 0; x < m; x++) {
            double factor = a[x * wide + p] / a[p * wide + p];
            for (uint32_t y = p; x != p && y <= m; y++)
                a[x * wide + y] -= factor * a[p * wide + y];
        }
    for (uint32_t x = 0; x < m; x++)
        weight[x] = a[x * wide + m] / a[x * wide + x];
    free(a);
}

double *plain_matrix(const struct csr *rows)
{
    double *out = calloc((size_t)rows->rows * rows->cols + 1, sizeof *out);
    if (!out)
        abort();
    for (uint32_t i = 0; i < rows->rows; i++)
        for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++)
            out[(size_t)i * rows->cols + rows->column[e]] = (double)rows->value[e];
    return out;
}
