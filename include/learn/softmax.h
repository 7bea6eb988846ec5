/* Item embeddings: what a shopper takes next. The context of a place in a history is the sum of
 * the in-vectors of the items before it, the one t steps back times decay^t, and the chance that
 * item j comes next is the softmax over all items of context·out_j. Estimated from `negatives`
 * items drawn evenly for each batch (sampled softmax: Jean et al., ACL 2015), by steps of Adagrad
 * with one rate for each vector (Duchi et al., JMLR 2011).
 *
 * The score is linear in the items of the context, so that rows in_i·out_j answer for it
 * (embeddings_rows, EMBEDDINGS_MARGIN). */
#ifndef LEARN_SOFTMAX_H
#define LEARN_SOFTMAX_H

#include "data/histories.h"
#include "data/shape.h"
#include "learn/embeddings.h"

struct softmax_params {  /* zero = default */
    uint32_t dimensions; /* 64, at most 512 */
    uint32_t epochs;     /* 5 */
    uint32_t negatives;  /* 128, at most 1024 */
    uint32_t window;     /* items of a context, the newest; 30, at most 100 */
    uint64_t max_places; /* over all epochs: bounds the time; 4 million */
    float decay;         /* .7, in (0,1] */
    float rate;          /* .1, falls to a tenth of it */
    float shrink;        /* of the squares of the vectors in use; .003 */
    uint64_t seed;       /* 1 */
    struct progress *progress;
};

/* A place is learnt from when something with an earlier time stands before it; of more than
 * max_places the epochs are fewer, then places are chosen by chance. One thread. Without a place
 * the vectors stay as drawn. ERR_NOMEM, ERR_CANCELLED, ERR_INVALID for a parameter out of range,
 * ERR_NOT_FOUND without OpenBLAS. */
int softmax_train(const struct histories *h, const struct softmax_params *params,
                  struct embeddings *out, struct error *err) WARN_UNUSED;

/* Most bytes held at a time, the result included; `shape` of the histories. */
uint64_t softmax_estimate_bytes(const struct dataset_shape *shape,
                                const struct softmax_params *params);

#endif
