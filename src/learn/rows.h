/* What learners that end as rows share: room for each row's entries while workers fill them in any
 * order, and the order of items by popularity, which breaks ties. */
#ifndef LEARN_ROWS_H
#define LEARN_ROWS_H

#include "base/topk.h"
#include "data/shape.h"

#include <stdbool.h>

struct rows {
    struct csr made; /* entries at room[row], not yet together */
    uint64_t *room;  /* [rows + 1] */
    uint32_t *length;
    uint32_t *count; /* [room[rows]] beside each entry, the caller's to make and fill; or NULL */
};

/* Room for k entries a row, or for as many as start[row] .. start[row + 1] may give if they are
 * fewer; NULL: k. ERR_NOMEM. */
int rows_init(struct rows *r, uint32_t rows, uint32_t cols, const uint64_t *start, uint32_t k,
              struct error *err) WARN_UNUSED;
/* The entries of `best`, in its order once sorted. Different rows at the same time. */
void rows_put(struct rows *r, uint32_t row, struct topk *best);
/* Moves the rows together; `r` is empty afterwards. `count` NULL: not wanted. */
void rows_finish(struct rows *r, struct csr *out, uint32_t **count);
void rows_deinit(struct rows *r); /* may run twice, and on zeroes */

/* The `keep` entries of largest |value| of each row, values descending (ties: smaller rank); zeroes
 * and what is not finite are left out. Parallel. ERR_NOMEM. */
int rows_prune(const struct csr *m, const uint32_t *rank, uint32_t keep, uint32_t threads,
               struct csr *out, struct error *err) WARN_UNUSED;

/* rank[i]: the place of item i by (units descending, item). False: out of memory. */
bool rows_rank_items(const uint32_t *units, uint32_t items, uint32_t *rank);

/* How many different pairs there may be, both ways. */
double rows_distinct_pairs(const struct dataset_shape *shape);

#endif
