/* EASE (Steck 2019, arXiv 1905.03375): for each item the ridge regression on all others, in closed
 * form. P = (G + lambda I)^-1, B_ij = -P_ij / P_jj; the score of j is the sum of B_ij over the
 * context. Local ridge (learn/ridge.h) comes near or ahead of it without an n x n matrix, which is
 * why this is for small catalogues and for comparing.
 *
 * G is of counts, or of masses where the pairs have some; lambda is then taken in proportion, as
 * for ridge. Same result for any thread count. */
#ifndef LEARN_EASE_H
#define LEARN_EASE_H

#include "learn/cooc.h"

struct ease_params {    /* zero = default */
    float lambda;       /* 0: 200 */
    uint32_t max_items; /* more are refused; 0: 15000, which take half a GB and n^3 flops */
    uint32_t keep;      /* of each row, those of largest |weight|; 0: 200 */
    uint32_t threads;   /* 0: one per core */
    struct progress *progress;
};

/* Row i = the targets i speaks for, weights descending and also negative, finite (ties: n_j
 * descending, j ascending). ERR_LIMIT: too many items; ERR_INVALID: lambda out of range, or nothing
 * can be solved, not even with some powers of 10 times lambda: counts pruned too far, or items that
 * say the same and a lambda too small to be felt; ERR_NOMEM; ERR_CANCELLED; ERR_NOT_FOUND without
 * OpenBLAS. */
int ease_rows(const struct cooc *c, const struct ease_params *params, struct csr *out,
              struct error *err) WARN_UNUSED;

/* Most bytes held at a time, the result included, the counts not. */
uint64_t ease_estimate_bytes(const struct dataset_shape *shape, const struct ease_params *params);
#endif
