/* Low rank: item vectors from the truncated singular value decomposition of the normalised matrix
 * of units (orders, histories or sessions as sets), which also tie items that were never together.
 *
 * X [units x items] ones, L_u the length of unit u, d_i the units of item i. Z = X_ui / sqrt(L_u
 * d_i), the normalised matrix of spectral co-clustering (Dhillon 2001), is about U S V' with k
 * singular values, at most 1. Weight of target j for item i: (v_i · S v_j) sqrt(d_j / d_i), which
 * embeddings_rows makes rows of.
 *
 * By randomised subspace iteration on Z'Z (Halko, Martinsson & Tropp 2011, algorithm 4.4), exact
 * where there are hardly more items than k. Seeded; equal bytes for any number of threads. */
#ifndef LEARN_LOWRANK_H
#define LEARN_LOWRANK_H

#include "data/shape.h"
#include "learn/embeddings.h"

struct lowrank_params {  /* zero = default */
    uint32_t dimensions; /* k; 128, at most 512 */
    uint32_t iterations; /* 8, at most 100 */
    uint64_t seed;       /* 1 */
    uint32_t threads;    /* 0: one per core */
    struct progress *progress;
};

/* in_i = v_i d_i^-1/2, out_j = S v_j d_j^1/2, singular values descending; k is at most the units
 * and the items, at least 1. `singular` [dimensions asked for] may be NULL; from the rank of Z on
 * it and the vectors are 0 (below .001 a value counts as 0), and so are the vectors of items of no
 * unit. ERR_INVALID, ERR_NOMEM, ERR_CANCELLED; ERR_NOT_FOUND without OpenBLAS. */
int lowrank_train(const struct csr *units, const struct lowrank_params *params,
                  struct embeddings *out, float *singular, struct error *err) WARN_UNUSED;

/* Most bytes held at a time, the result included. */
uint64_t lowrank_estimate_bytes(const struct dataset_shape *shape,
                                const struct lowrank_params *params);

#endif
