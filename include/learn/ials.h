/* Matrix factorisation by alternating least squares on implicit feedback (Hu, Koren & Volinsky
 * 2008; regularised by how often a row is seen, Rendle et al., RecSys 2022, arXiv 2110.14037). A
 * unit u (an order, a history or a session as a set) and an item get a vector each; in turn
 *
 *     (a0 Y'Y + sum of y_i y_i' over u's items + lambda_u I) x_u = sum of y_i,
 *     lambda_u = reg (items of u + a0 items)^nu,
 *
 * units first, then items alike with units and items changed round. It lowers
 *
 *     sum over (u, i in u) (1 - x_u·y_i)^2 + a0 sum over all (u, i) (x_u·y_i)^2
 *     + sum lambda_u |x_u|^2 + sum lambda_i |y_i|^2.
 *
 * A new basket is a new unit, solved for against the items (ials_fold_in). Rows are solved in
 * parallel, each by itself: equal bytes for any number of threads. */
#ifndef LEARN_IALS_H
#define LEARN_IALS_H

#include "base/progress.h"
#include "data/shape.h"
#include "learn/embeddings.h"

#include <stdbool.h>

struct ials_params {     /* zero = default */
    uint32_t dimensions; /* 64, a multiple of 8, at most 256 */
    uint32_t epochs;     /* 6 */
    double a0;           /* .1: the weight of what was not seen */
    double reg;          /* .003; depends on the data, tune it */
    double nu;           /* 1, in (0,1] */
    uint64_t seed;       /* 1 */
    uint32_t threads;    /* 0: one per core */
    struct progress *progress;
};

struct ials {
    struct ials_params params; /* in force */
    uint32_t unit_count, item_count;
    float *unit; /* [units x dimensions] */
    float *item; /* [items x dimensions] */
    float *gram; /* [dimensions x dimensions] Y'Y of the items, symmetric */
};

/* units: ones, columns distinct. ERR_INVALID for a parameter out of range, ERR_NOMEM,
 * ERR_CANCELLED; ERR_NOT_FOUND without OpenBLAS; ERR_LIMIT when the numbers run out of range, which
 * a larger reg mends. */
int ials_train(const struct csr *units, const struct ials_params *params, struct ials *out,
               struct error *err) WARN_UNUSED;
void ials_deinit(struct ials *m);

/* The vector of a new unit with these items (distinct): x [dimensions]; the score of item j is
 * x·y_j. `room` [dimensions^2 + dimensions]. False: not to be solved in finite
 * numbers. Allocates nothing. */
bool ials_fold_in(const struct ials *m, const uint32_t *items, uint32_t count, double *room,
                  float *x);

/* As a source of rows (embeddings_rows with EMBEDDINGS_SCORE): in_i is the vector of a unit with
 * item i alone, out_j = y_j. ERR_NOMEM;
 * ERR_LIMIT when the numbers run out of range. */
int ials_embeddings(const struct ials *m, struct embeddings *out, struct error *err) WARN_UNUSED;

/* Most bytes held at a time by ials_train, its result included. */
uint64_t ials_estimate_bytes(const struct dataset_shape *shape, const struct ials_params *params);

#endif
