/* The k best rules of baskets without a support threshold: mines at falling thresholds until no
 * rule below can be better (measure_rank_bound). */
#ifndef MINE_RULEBEST_H
#define MINE_RULEBEST_H

#include "data/csr.h"
#include "mine/rules.h"

/* With itemsets->min_support 0 the measure must have a bound (ERR_INVALID), otherwise the search
 * goes down to min_support at most. tally->min_support is the threshold it ended at, whose
 * candidates q counts; `proved` is false when the budget of `itemsets` kept it from going further.
 * The target must be TARGET_ALL, without items required, shards or min_length. */
int rules_best(const struct csr *baskets, const struct itemset_params *itemsets,
               const struct rule_params *params, const struct rule_top *top, rule_taker take,
               void *context, struct rule_tally *tally, struct error *err) WARN_UNUSED;
#endif
