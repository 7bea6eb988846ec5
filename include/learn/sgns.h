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

#include "data/shape.h"
#include "learn/embeddings.h"

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

/* ERR_NOMEM, ERR_CANCELLED, ERR_INVALID for a parameter out of range. A dataset without a basket of
 * two items leaves the out-vectors 0. */
int sgns_train(const struct dataset *d, const struct sgns_params *params, struct embeddings *out,
               struct error *err) WARN_UNUSED;

/* One step of stochastic gradient descent on -ln sigma(in·out) (label 1) or -ln sigma(-in·out)
 * (label 0): moves `out`, adds the move of `in` to `move`. */
void sgns_step(const float *in, float *out, float *move, uint32_t dimensions, float label,
               float rate);

/* Most bytes held at a time, the result included. */
uint64_t sgns_estimate_bytes(const struct dataset_shape *shape, const struct sgns_params *params);

#endif
