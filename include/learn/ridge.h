/* Local ridge: for each item one small ridge regression on its nearest neighbours, which takes out
 * what correlated neighbours say twice (neighbourhood form of EASE, Steck 2019, arXiv 1905.03375).
 *
 * For target j: S = the K items of largest cosine to j that share a unit with it;
 * w = (G_SS + lambda I)^-1 G_Sj, G the raw counts (diagonal n_i); W[i -> j] = w_i. Score of j = sum
 * of W[i -> j] over the context. Where the counts have masses, G and the cosine are of those, and
 * lambda is taken in proportion (times the masses' sum over the items by that of the n_i). With S =
 * all items it is exactly a column of EASE (learn/ease.h).
 *
 * Counts must be symmetric; counts pruned too far are no Gram matrix any more, and of items that
 * say the same a lambda too small to be felt beside the counts leaves nothing but rounding. A
 * system that cannot be solved, or only so, is tried again with 10 lambda, which is counted. Rows
 * in parallel, same result for any thread count. */
#ifndef LEARN_RIDGE_H
#define LEARN_RIDGE_H

#include "learn/cooc.h"

struct ridge_params {     /* zero = default */
    uint32_t neighbours;  /* K; 0: 100 */
    const float *lambdas; /* each > 0; NULL: one, 50 */
    uint32_t lambda_count;
    uint32_t keep;      /* of each source's row, those of largest |weight|; 0: 200 */
    float target_power; /* a: weights of target j times n_j^-a */
    uint32_t threads;   /* 0: one per core */
    struct progress *progress;
};

struct ridge_report {
    uint64_t retried; /* systems solved with more than their lambda */
    uint64_t dropped; /* not solved at all: the target is in no row */
};

/* out[lambda_count]: row i = the targets i speaks for, weights descending and also negative, finite
 * (ties: n_j descending, j ascending). The systems are assembled once for all lambdas. `report` may
 * be NULL. ERR_INVALID, ERR_NOMEM, ERR_CANCELLED; ERR_NOT_FOUND without OpenBLAS. */
int ridge_rows(const struct cooc *c, const struct ridge_params *params, struct csr *out,
               struct ridge_report *report, struct error *err) WARN_UNUSED;

/* Most bytes held at a time, the result included, the counts not. */
uint64_t ridge_estimate_bytes(const struct dataset_shape *shape, const struct ridge_params *params);
#endif
