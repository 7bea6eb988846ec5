/* Item vectors, scored in·out, and the rows made of them, whoever learnt them: learn/sgns.h,
 * learn/lowrank.h, learn/ials.h. */
#ifndef LEARN_EMBEDDINGS_H
#define LEARN_EMBEDDINGS_H

#include "base/progress.h"
#include "data/csr.h"

struct embeddings {
    uint32_t item_count, dimensions;
    float *in, *out; /* [item_count x dimensions] each */
};

void embeddings_deinit(struct embeddings *e);

enum embeddings_weight {
    EMBEDDINGS_ODDS,   /* exp of the score, at most 8: the odds that the two were bought together
                          rather than drawn by chance, as skip-gram with negative sampling has it */
    EMBEDDINGS_SCORE,  /* the score, entries above 0 only */
    EMBEDDINGS_MARGIN, /* the score less that of the best item left out, for scores of which only
                          the differences mean something */
};

struct embeddings_rows_params {
    uint32_t k; /* entries of a row, at most */
    enum embeddings_weight weight;
    const uint32_t
        *rank;           /* [item_count] smaller first among equal scores; NULL: the smaller item */
    uint32_t candidates; /* items a row looks at, when there are more; 0: 20000 */
    uint32_t threads;    /* 0: one per core */
    struct progress *progress;
};

/* Row i = its k best j, j not i, by in_i·out_j, best first (ties: the smaller j), exactly so while
 * there are no more items than candidates. Of more, a row looks at those with the longest
 * out-vectors, half of the candidates, and at those whose vectors point its way. With a fifth of
 * the items as candidates that finds 98 % of the first 10 and 93 % of the first 200 of low-rank
 * rows (Yelp, Amazon Sports; HR@10 equal), 86 to 88 % of the first 10 of skip-gram's (HR@10 -2 to
 * +4 %). A score out of the range of floats is left out. Blocked sgemm, parallel, same result for
 * any number of threads. ERR_INVALID: a vector is not finite; ERR_NOMEM, ERR_CANCELLED;
 * ERR_NOT_FOUND without OpenBLAS. */
int embeddings_rows(const struct embeddings *e, const struct embeddings_rows_params *params,
                    struct csr *out, struct error *err) WARN_UNUSED;

/* Most bytes held at a time with the usual candidates, the result included, the vectors not. */
uint64_t embeddings_rows_estimate_bytes(uint64_t items, uint32_t dimensions, uint32_t k);

#endif
