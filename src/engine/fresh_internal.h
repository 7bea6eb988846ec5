/* The counts behind the list of orders. */
#ifndef ENGINE_FRESH_INTERNAL_H
#define ENGINE_FRESH_INTERNAL_H

#include "engine/fresh.h"

#include <stdbool.h>

/* fresh_pairs.c: one slot a pair, at a fixed size, so that an order never waits for a table to
 * grow. */
struct fresh_pair {
    uint32_t low, high, both; /* both 0: free */
};

bool fresh_pairs_init(struct fresh *f);
/* The pair's count after it changed by `step` (+1, -1). */
uint32_t fresh_pairs_add(struct fresh *f, uint32_t a, uint32_t b, int step);

/* fresh_rank.c: an item stands in the order by its counts: take it out before they change. */
void fresh_rank_clear(struct fresh *f);
void fresh_rank_add(struct fresh *f, uint32_t x);
void fresh_rank_remove(struct fresh *f, uint32_t x);

/* fresh_count.c: the item that has the slot, added when new; FRESH_NONE: out of memory. */
uint32_t fresh_item_of_slot(struct fresh *f, uint32_t slot);
/* Counts an order's items and pairs up (step 1) or down (-1: takes no memory). */
int fresh_count_order(struct fresh *f, const struct fresh_order *order, int step,
                      struct error *err) WARN_UNUSED;
/* Shrunk towards 0 for few orders. */
double fresh_cosine(double both, double n_a, double n_b);

#endif
