/* All frequent itemsets of a basket matrix, exactly, in parallel.
 *
 * Pattern growth by projection with occurrence deliver (Uno et al., LCM ver. 2, FIMI 2004): items
 * in ascending frequency, merged equal transactions, one counting sweep per node. First-level items
 * are tasks (OpenMP, dynamic), results are put together in one canonical order, so the output is
 * the same for any number of threads. */
#ifndef MINE_ITEMSETS_H
#define MINE_ITEMSETS_H

#include "base/progress.h"
#include "data/csr.h"

struct itemset_params {   /* zero = default */
    uint32_t min_support; /* baskets, >= 1 (0: 1); see itemsets_min_support for a share */
    uint32_t max_length;  /* 0: 4 */
    uint64_t
        max_itemsets; /* budget; 0: 4 million. When it is hit the support threshold is raised */
    uint32_t threads; /* 0: OpenMP's */
    struct progress *progress;
};

/* Sets in ascending order of (length, items); items of a set ascending; all lengths >= 1. */
struct itemsets {
    uint64_t count;
    uint64_t *start; /* [count + 1] into item */
    uint32_t *item;
    uint32_t *support; /* [count] baskets that hold the set */
    uint32_t basket_count;
    uint32_t min_support; /* the threshold in force: every set with at least this support is here */
    bool raised;          /* the budget raised it above what was asked */
};

/* ceil(share * baskets), at least 1; the integer that "0.1 %" means. */
uint32_t itemsets_min_support(double share, uint32_t basket_count);

/* `baskets`: columns ascending and distinct per row. ERR_NOMEM, ERR_CANCELLED. */
int itemsets_mine(const struct csr *baskets, const struct itemset_params *params,
                  struct itemsets *out, struct error *err) WARN_UNUSED;
void itemsets_deinit(struct itemsets *s);
size_t itemsets_bytes(const struct itemsets *s);

/* Index of a set (items ascending), by binary search; UINT64_MAX: not frequent. */
uint64_t itemsets_find(const struct itemsets *s, const uint32_t *items, uint32_t length);
#endif
