/* Frequent itemsets of a basket matrix, exactly, in parallel: all of them, the closed ones (no
 * superset has the same support) or the maximal ones (no superset is frequent).
 *
 * Pattern growth by projection with occurrence deliver (Uno et al., LCM ver. 2, FIMI 2004), items
 * in ascending conditional frequency, perfect extensions set aside, equal rows merged; closed sets
 * by prefix-preserving closure extension (Uno et al., DS 2004), without a store of what was found.
 * The result and its order do not depend on the number of threads. Any thread. */
#ifndef MINE_ITEMSETS_H
#define MINE_ITEMSETS_H

#include "base/progress.h"
#include "data/csr.h"
#include "data/shape.h"

#define ITEM_NONE UINT32_MAX

enum itemset_target { TARGET_ALL, TARGET_CLOSED, TARGET_MAXIMAL };

struct itemset_params { /* zero = default */
    enum itemset_target target;
    uint32_t min_support;  /* baskets, >= 1 (0: 1); see itemsets_min_support for a share */
    uint32_t min_length;   /* 0: 1 */
    uint32_t max_length;   /* 0: 4; UINT32_MAX: no limit. Closed and maximal ones are so among all
                              sets; the limits then choose among them */
    uint64_t max_itemsets; /* itemsets_mine's budget; 0: 4 million; at most 2^32-2. When there are
                              more, the threshold becomes the smallest one that keeps the budget */
    uint64_t max_bytes;    /* itemsets_mine: what the sets found may take; 0: no limit. Raises the
                              threshold likewise */
    const uint32_t *with;  /* items that every set must hold; part of the sets given out */
    uint32_t with_count;
    const uint32_t *without; /* items that no set may hold: as if they were never bought */
    uint32_t without_count;
    /* [cols] the group an item belongs to (a column too, which every basket with the item has: see
     * groups.h), ITEM_NONE: none; groups have groups. NULL: no groups. An item and its group, near
     * or far, are never in one set: closed and maximal sets leave out the groups of their items. */
    const uint32_t *parent;
    /* One of `shards` parts of the result (0: all of it): the sets whose rarest item has a rank of
     * `shard` modulo `shards`; rank 0 is the most frequent item, ties by number. */
    uint32_t shards, shard;
    bool ranked;      /* the columns are ranks already, of a matrix of which this is a shard */
    uint32_t threads; /* 0: one per core */
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
    bool raised;          /* a budget raised it above what was asked */
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

/* How many there are, without making them (budgets are not looked at); UINT64_MAX: that or more. */
int itemsets_count(const struct csr *baskets, const struct itemset_params *params, uint64_t *count,
                   struct error *err) WARN_UNUSED;

/* `items` and any choice of `extra` are held by `support` baskets: a group stands for
 * 2^extra_count sets. Items are column numbers, each once, in search order. */
struct itemset_group {
    const uint32_t *items, *extra;
    uint32_t length, extra_count, support;
    uint32_t same;       /* the first `same` items are those of the lane's group before */
    uint32_t max_choice; /* at most this many extras may be chosen, and ... */
    uint32_t min_choice; /* ... at least this many: the length limits */
    uint32_t worker;     /* who gives it out, below the number of threads */
};

/* Receives sets as they are found (itemsets_visit). The sets of a lane come one after the other;
 * lanes are made and filled by several threads at a time, and their order is the order of the
 * result, the same for any number of threads. Callbacks return 0, or an error that ends the search
 * and is returned by itemsets_visit. Each lane is closed exactly once, also after an error. */
struct itemset_visitor {
    void *context;
    /* A lane directly behind `after`, NULL: behind all others. NULL result: out of memory. Calls of
     * lane_open do not overlap. */
    void *(*lane_open)(void *context, void *after);
    int (*found)(void *context, void *lane, const struct itemset_group *group);
    int (*lane_close)(void *context, void *lane);
};

/* Gives out all sets; budgets are not looked at. A `found` may block as long as its lane is not the
 * first open one: the thread that fills the first one is never waiting for others. */
int itemsets_visit(const struct csr *baskets, const struct itemset_params *params,
                   const struct itemset_visitor *visitor, struct error *err) WARN_UNUSED;

/* Most bytes itemsets_mine holds at a time for such data, its result included. */
uint64_t itemsets_estimate_bytes(const struct dataset_shape *shape,
                                 const struct itemset_params *params);
#endif
