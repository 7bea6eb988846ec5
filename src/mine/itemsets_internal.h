/* What the files of the itemset miner share: the root of the search (itemsets_root.c), the search
 * (itemsets_search.h) and the keeping of what it finds (itemsets_keep.c). */
#ifndef MINE_ITEMSETS_INTERNAL_H
#define MINE_ITEMSETS_INTERNAL_H

#include "mine/itemsets.h"

#include <stdatomic.h>

/* A frequent set of 64 items has 2^64 - 1 frequent subsets: nobody waits for longer ones. Closed
 * and maximal sets may be longer. */
#define SET_LENGTH_MAX 64
/* Begins the first row and ends every row; no item has this number. */
#define ROW_END UINT32_MAX

struct extent {
    uint64_t signature; /* of the items of the row; prefix and everywhere items too */
    uint32_t at, length;
};
uint64_t item_signature(uint32_t item); /* one bit */

/* The baskets as the first level of the search sees them: items numbered by rank, 0 the rarest
 * frequent one; rows ascending, ended by ROW_END, rows of fewer than two items left out. */
struct root {
    uint32_t basket_count; /* that hold the prefix */
    uint32_t item_count;   /* ranks; items of every basket are in `everywhere` instead */
    uint32_t *item;        /* [item_count] the item of a rank */
    uint32_t *support;     /* [item_count] ascending, unless ranked */
    uint32_t *data;        /* [data_count] ROW_END, then the rows */
    uint32_t data_count;
    uint32_t *start; /* [item_count + 1] into place */
    uint32_t *place; /* for each rank, where in data each of its rows goes on behind it */
    /* For closed sets of sparse baskets, else NULL: the row of each place, and where rows are. */
    uint32_t *basket;
    struct extent *extent;
    uint32_t *pairs; /* of dense baskets, else NULL: [item_count^2] how many hold both ranks */
    uint64_t *cost;  /* [item_count] entries behind the rank in its rows */
    uint64_t total_cost;
    uint32_t *heads; /* [head_count] the ranks to search, the most costly first */
    uint32_t head_count;
    const uint32_t *prefix; /* the items all sets must hold; borrowed */
    uint32_t prefix_count;
    uint32_t *everywhere; /* items of all baskets that are in no other's group */
    uint32_t everywhere_count;
};

/* [item_count^2] how many bits each two of the bitmaps share; NULL: out of memory. `plain`: without
 * the processor's own instruction, for tests. */
uint32_t *pairs_count(const uint64_t *bitmaps, uint32_t item_count, size_t words,
                      bool plain) WARN_UNUSED;

/* ERR_NOMEM, ERR_CANCELLED, ERR_TOO_LARGE, ERR_INVALID. */
int root_build(const struct csr *baskets, const struct itemset_params *params, struct root *out,
               struct error *err) WARN_UNUSED;
void root_deinit(struct root *r);

/* One is a group of the other, near or far. */
bool related(const uint32_t *parent, uint32_t a, uint32_t b);

struct grow_job {
    const struct root *root;
    enum itemset_target target;
    const uint32_t *parent; /* [item_span] or NULL */
    uint32_t item_span, shard;
    const atomic_uint *threshold; /* may rise while the search runs */
    uint32_t min_length, max_length;
    uint32_t workers;
    struct progress *progress;
    /* Receives the groups, which make up all sets without repetition; group.worker tells who. NULL:
     * they are only counted. */
    const struct itemset_visitor *visitor;
    uint64_t count; /* set by grow_sets when there is no visitor; saturated */
};

int grow_sets(struct grow_job *job, struct error *err) WARN_UNUSED;

/* A whole search without budgets, from params->min_support on; the threshold may rise meanwhile.
 * visitor NULL: only counts. */
int search_sets(const struct csr *baskets, const struct itemset_params *params,
                const struct itemset_visitor *visitor, const atomic_uint *threshold,
                uint64_t *count, struct error *err) WARN_UNUSED;

/* Keeps the sets of each worker and, while there are more than the budgets allow, raises the
 * threshold. */
struct keeper;

struct keeper_params {
    uint32_t min_support, basket_count, length_span, workers; /* sets are shorter than the span */
    uint64_t max_itemsets, max_bytes;
    struct progress *progress;
};
struct keeper *keeper_new(const struct keeper_params *params) WARN_UNUSED; /* NULL: no memory */
void keeper_free(struct keeper *k);
const atomic_uint *keeper_threshold(const struct keeper *k);
struct itemset_visitor keeper_visitor(struct keeper *k);
/* All sets at or above the threshold in canonical order; empties the keeper. */
int keeper_collect(struct keeper *k, uint32_t item_count, struct itemsets *out) WARN_UNUSED;

#endif
