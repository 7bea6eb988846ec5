/* The k best of a stream of (item, score), in the one order used everywhere: score descending, then
 * tie ascending, then item ascending; callers pass as tie the item's rank by popularity. The caller
 * owns the memory: `entries` has room for k. Offering is O(log k), usually one comparison. NaN is
 * never kept. */
#ifndef BASE_TOPK_H
#define BASE_TOPK_H

#include <stdint.h>

struct topk_entry {
    float score;
    uint32_t tie, item;
};

struct topk {
    struct topk_entry *entries; /* a heap, the worst of the kept ones first */
    uint32_t count, k;
};

void topk_init(struct topk *t, struct topk_entry *entries, uint32_t k);
void topk_offer(struct topk *t, uint32_t item, float score, uint32_t tie);
void topk_sort(struct topk *t);                 /* best first; no offers afterwards */
int topk_compare(const void *a, const void *b); /* qsort order, best first */

#endif
