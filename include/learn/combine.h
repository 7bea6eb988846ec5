/* One matrix of several: rows of learners that are gathered alike are added up once, when a model
 * is built, so that an answer reads one row an item however many learners spoke. Rows in parallel,
 * same result for any number of threads. */
#ifndef LEARN_COMBINE_H
#define LEARN_COMBINE_H

#include "base/progress.h"
#include "data/csr.h"

struct combine_part {
    const struct csr *rows; /* [n x n], columns distinct in each row */
    float weight;           /* finite; 0: left out */
};

/* No weight of a model is larger: sums of as many as a question can bring together stay finite.
 * Rows on their common scale have weights about 1. */
#define ROWS_WEIGHT_MAX 1e16f

/* Row i = the `keep` entries of largest magnitude of the weighted sum of the parts' rows i, largest
 * value first (ties: the column with the smaller rank, then the smaller column). Entries that come
 * to 0, to no number or beyond ROWS_WEIGHT_MAX are left out. `rank` [n]: the tie order, n_j
 * descending. ERR_NOMEM; ERR_CANCELLED. */
int rows_combine(const struct combine_part *parts, uint32_t part_count, const uint32_t *rank,
                 uint32_t keep, uint32_t threads, struct progress *progress, struct csr *out,
                 struct error *err) WARN_UNUSED;

/* Most bytes held at a time, the result included. */
uint64_t rows_combine_estimate_bytes(uint64_t items, uint32_t keep);
#endif
