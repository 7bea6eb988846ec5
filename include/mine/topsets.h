/* The k best itemsets by a measure, without a threshold where the measure gives one: the support a
 * set needs rises as better ones are found. Definitions for sets of any length: Brin et al., Beyond
 * Market Baskets, SIGMOD 1997 (lift); Omiecinski, Alternative Interest Measures, TKDE 2003
 * (all-confidence). Any thread. */
#ifndef MINE_TOPSETS_H
#define MINE_TOPSETS_H

#include "base/str.h"
#include "mine/itemsets.h"

enum set_measure {
    SET_SUPPORT,        /* c/n, c of n baskets hold the set */
    SET_LEVERAGE,       /* c/n - product of the items' supports */
    SET_LIFT,           /* c/n over that product */
    SET_ALL_CONFIDENCE, /* c over the count of the most frequent item */
    SET_MEASURE_COUNT
};

const char *set_measure_name(enum set_measure measure);
int set_measure_parse(struct str name); /* -1: unknown */
/* Whether the best sets are found without a minimum support. */
bool set_measure_proves(enum set_measure measure);

/* The k best, best first (`out->raised` is left false; min_support is what was asked). Equal
 * values: more baskets, then fewer items, then smaller ones first. Fewer than k when there are no
 * more. Budgets are not looked at. Errors as itemsets_mine. */
int topsets_mine(const struct csr *baskets, const struct itemset_params *params,
                 enum set_measure by, uint32_t k, struct itemsets *out,
                 struct error *err) WARN_UNUSED;
#endif
