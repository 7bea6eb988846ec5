/* Item embeddings: skip-gram with negative sampling over baskets (item2vec, Barkan & Koenigstein
 * 2016; word2vec, Mikolov et al. 2013), scored in·out.
 *
 * d in-vectors uniform(-.5,.5)/d, out-vectors 0. An epoch draws N baskets with replacement; per
 * position `pairs` random other items as targets, `negatives` from n_j^power (a table). Learning
 * rate falls linearly. Deterministic for a seed and thread count 1; with more threads each thread
 * owns a share of the baskets and works on a private copy that is averaged at fixed points, so that
 * the result is equal for equal (seed, threads) and free of data races. */
#ifndef LEARN_SGNS_H
#define LEARN_SGNS_H

#include "base/progress.h"
#include "data/dataset.h"

struct sgns_params {     /* zero = default */
    uint32_t dimensions; /* 64, a multiple of 8 */
    uint32_t epochs;     /* 5 */
    uint32_t pairs;      /* 5 */
    uint32_t negatives;  /* 5 */
    float rate;          /* .05, to rate/1000 */
    float power;         /* .75 */
    uint64_t seed;       /* 1 */
    uint32_t threads;    /* OpenMP's */
    struct progress *progress;
};

struct embeddings {
    uint32_t item_count, dimensions;
    float *in, *out; /* [item_count x dimensions] each */
};

int sgns_train(const struct dataset *d, const struct sgns_params *params, struct embeddings *out,
               struct error *err) WARN_UNUSED;
void embeddings_deinit(struct embeddings *e);

/* Row i = its k best j by in_i·out_j, weight = the sigmoid of it; best first. Blocked sgemm,
 * parallel. */
int embeddings_rows(const struct embeddings *e, uint32_t k, struct progress *progress,
                    struct csr *out, struct error *err) WARN_UNUSED;
#endif
