/* Item embeddings: skip-gram with negative sampling over baskets (item2vec, Barkan & Koenigstein
 * 2016; word2vec, Mikolov et al. 2013), scored in·out.
 *
 * d in-vectors uniform(-.5,.5)/d, out-vectors 0. An epoch draws N baskets with replacement; per
 * position `pairs` random other items as targets, `negatives` from n_j^power. The learning rate
 * falls linearly.
 *
 * Threads never share a row: pairs are drawn in rounds and dealt into strata by the random block of
 * their in-item and of their out-item (Gemulla et al., KDD 2011), and only strata without a common
 * block run at the same time. So the result depends on the seed alone, not on the threads. */
#ifndef LEARN_SGNS_H
#define LEARN_SGNS_H

#include "base/progress.h"
#include "data/shape.h"

struct sgns_params {     /* zero = default */
    uint32_t dimensions; /* 64, a multiple of 8, at most 512 */
    uint32_t epochs;     /* 5 */
    uint32_t pairs;      /* 5 */
    uint32_t negatives;  /* 5 */
    uint64_t max_pairs;  /* over all epochs: bounds the time; 40 million */
    float rate;          /* .05, to rate/1000 */
    float power;         /* .75 */
    uint64_t seed;       /* 1 */
    uint32_t threads;    /* 0: one per core */
    struct progress *progress;
};

struct embeddings {
    uint32_t item_count, dimensions;
    float *in, *out; /* [item_count x dimensions] each */
};

/* ERR_NOMEM, ERR_CANCELLED, ERR_INVALID for a parameter out of range. A dataset without a basket of
 * two items leaves the out-vectors 0. */
int sgns_train(const struct dataset *d, const struct sgns_params *params, struct embeddings *out,
               struct error *err) WARN_UNUSED;
void embeddings_deinit(struct embeddings *e);

/* One step of stochastic gradient descent on -ln sigma(in·out) (label 1) or -ln sigma(-in·out)
 * (label 0): moves `out`, adds the move of `in` to `move`. */
void sgns_step(const float *in, float *out, float *move, uint32_t dimensions, float label,
               float rate);

/* Row i = its k best j by in_i·out_j, best first; weight = exp of it, at most 8: the odds that the
 * two were bought together rather than drawn by chance. Blocked sgemm, parallel. */
int embeddings_rows(const struct embeddings *e, uint32_t k, struct progress *progress,
                    struct csr *out, struct error *err) WARN_UNUSED;

/* Most bytes held at a time: by sgns_train, its result included; by embeddings_rows beyond e. */
uint64_t sgns_estimate_bytes(const struct dataset_shape *shape, const struct sgns_params *params);
uint64_t embeddings_rows_estimate_bytes(uint64_t items, uint32_t k);
#endif
