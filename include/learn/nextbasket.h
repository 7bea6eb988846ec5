/* The next order of a shopper, from theirs and everybody's orders so far: a simple method that
 * neural models rarely beat (Li et al., "A Next Basket Recommendation Reality Check", TOIS 2023).
 * It is for comparison, as is learn/repeat.h; what serves is simpler (engine/rebuy.c).
 *
 * A history is a row of struct histories with times: entries of one time are one order. Scores of
 * all items are written; nothing is masked. Pure; a scratch for each thread. */
#ifndef LEARN_NEXTBASKET_H
#define LEARN_NEXTBASKET_H

#include "data/histories.h"

struct history { /* oldest first */
    const uint32_t *item;
    const int64_t *time_ms;
    uint64_t count;
};
struct history history_of(const struct histories *h, uint32_t row);

/* TIFU-KNN (Hu et al., SIGIR 2020, as its authors' code does it): a shopper is a vector of decayed
 * frequencies, by order inside groups of orders and by group; the score is a blend of theirs and
 * the mean of the nearest shoppers'. A shopper of the index is their own nearest neighbour. */
struct tifu_params {     /* zero = default */
    uint32_t neighbours; /* 300; at most all shoppers */
    uint32_t groups;     /* 7 */
    double within_decay; /* .9, per order of a group */
    double group_decay;  /* .7, per group */
    double alpha;        /* .7: the share of the shopper's own vector */
};
struct tifu {
    struct tifu_params params; /* in force */
    struct csr vectors;        /* shoppers x items, columns ascending */
    struct csr postings;       /* its transpose */
    double *norm2;             /* [shoppers] squared length */
};
/* h: with times. ERR_NOMEM, ERR_INVALID for a parameter out of range. */
int tifu_build(const struct histories *h, const struct tifu_params *params, struct tifu *out,
               struct error *err) WARN_UNUSED;
void tifu_deinit(struct tifu *t);

struct tifu_scratch;
struct tifu_scratch *tifu_scratch_new(const struct tifu *t, struct error *err) WARN_UNUSED;
void tifu_scratch_free(struct tifu_scratch *s);
/* Distances: ties to the lower shopper. Cost: the postings of the shopper's items, and once over
 * all shoppers. */
void tifu_scores(const struct tifu *t, const struct history *of, struct tifu_scratch *s,
                 float *score);

#endif
