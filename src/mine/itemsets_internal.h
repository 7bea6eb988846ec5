/* What the files of the itemset miner share: the root of the search (itemsets_root.c), the search
 * (itemsets_grow.c) and the keeping of what it finds (itemsets_keep.c). */
#ifndef MINE_ITEMSETS_INTERNAL_H
#define MINE_ITEMSETS_INTERNAL_H

#include "mine/itemsets.h"

#include <stdatomic.h>

/* A frequent set of 64 items has 2^64 - 1 frequent subsets: nobody waits for longer ones. */
#define SET_LENGTH_MAX 64
/* Ends a row; no item has this number. */
#define ROW_END UINT32_MAX

/* The baskets as the first level of the search sees them: items numbered by rank, 0 the rarest
 * frequent one; rows ascending, each ended by ROW_END, rows of fewer than two items left out. */
struct root {
    uint32_t item_count;  /* ranks; items of every basket are in `everywhere` instead */
    uint32_t *item;       /* [item_count] the item of a rank */
    uint32_t *support;    /* [item_count] ascending */
    uint32_t *data;       /* the rows */
    uint32_t *start;      /* [item_count + 1] into place */
    uint32_t *place;      /* for each rank, where in data each of its rows goes on behind it */
    uint32_t *heads;      /* [item_count] ranks, the most costly first */
    uint64_t *cost;       /* [item_count] entries behind the rank in its rows */
    uint32_t *everywhere; /* items of all baskets */
    uint32_t everywhere_count;
};

/* ERR_NOMEM, ERR_CANCELLED, ERR_TOO_LARGE. */
int root_build(const struct csr *baskets, uint32_t min_support, struct progress *p,
               struct root *out, struct error *err) WARN_UNUSED;
void root_deinit(struct root *r);

struct grow_job {
    const struct root *root;
    uint32_t basket_count;
    const atomic_uint *threshold; /* may rise while the search runs */
    uint32_t max_length;          /* at most SET_LENGTH_MAX */
    uint32_t workers;
    struct progress *progress;
    /* Called by each worker for its groups, which make up all frequent sets without repetition;
     * sets longer than max_length are to be left out by it. A negative result ends the search. */
    int (*found)(void *context, uint32_t worker, const struct itemset_group *group);
    void *context;
};

int grow_sets(const struct grow_job *job, struct error *err) WARN_UNUSED;

/* Keeps the sets of each worker and, while there are more than `budget`, raises the threshold. */
struct keeper;

struct keeper_params {
    uint32_t min_support, basket_count, max_length, workers;
    uint64_t budget;
    struct progress *progress;
};
struct keeper *keeper_new(const struct keeper_params *params) WARN_UNUSED; /* NULL: no memory */
void keeper_free(struct keeper *k);
const atomic_uint *keeper_threshold(const struct keeper *k);
int keeper_found(void *keeper, uint32_t worker, const struct itemset_group *group) WARN_UNUSED;
/* All sets at or above the threshold in canonical order; empties the keeper. */
int keeper_collect(struct keeper *k, uint32_t item_count, struct itemsets *out) WARN_UNUSED;

#endif
