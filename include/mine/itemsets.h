/* All frequent itemsets of a basket matrix, exactly, in parallel.
 *
 * Pattern growth by projection with occurrence deliver (Uno et al., LCM ver. 2, FIMI 2004), items
 * in ascending conditional frequency, perfect extensions set aside, equal rows merged. The heads of
 * the first level are tasks, heaviest first; sets are put in one canonical order at the end, so the
 * output is the same for any number of threads. */
#ifndef MINE_ITEMSETS_H
#define MINE_ITEMSETS_H

#include "base/progress.h"
#include "data/csr.h"
#include "data/shape.h"

struct itemset_params {    /* zero = default */
    uint32_t min_support;  /* baskets, >= 1 (0: 1); see itemsets_min_support for a share */
    uint32_t max_length;   /* 0: 4; UINT32_MAX: no limit */
    uint64_t max_itemsets; /* budget; 0: 4 million; at most 2^32-2. When there are more, the
                              threshold becomes the smallest one that keeps the budget */
    uint32_t threads;      /* 0: one per core */
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

/* ceil(share * baskets), at least 1: the integer that "0.1 %" means. The share is taken to nine
 * decimals, so that 0.07 of 100 is 7. */
uint32_t itemsets_min_support(double share, uint32_t basket_count);

/* `baskets`: columns ascending and distinct per row. ERR_NOMEM, ERR_CANCELLED; ERR_TOO_LARGE beyond
 * 2^32-2 entries. `out` is set only on success. */
int itemsets_mine(const struct csr *baskets, const struct itemset_params *params,
                  struct itemsets *out, struct error *err) WARN_UNUSED;
void itemsets_deinit(struct itemsets *s);
size_t itemsets_bytes(const struct itemsets *s);

/* How many there are, without making them (max_itemsets is not looked at); UINT64_MAX: that or
 * more. */
int itemsets_count(const struct csr *baskets, const struct itemset_params *params, uint64_t *count,
                   struct error *err) WARN_UNUSED;

/* Index of a set (items ascending), by binary search; UINT64_MAX: not frequent. */
uint64_t itemsets_find(const struct itemsets *s, const uint32_t *items, uint32_t length);

/* Most bytes itemsets_mine holds at a time for such data, its result included. */
uint64_t itemsets_estimate_bytes(const struct dataset_shape *shape,
                                 const struct itemset_params *params);
#endif
