/* The parameters of each step with defaults put in: what is estimated is what is run. */
#ifndef ENGINE_BUILD_INTERNAL_H
#define ENGINE_BUILD_INTERNAL_H

#include "engine/build.h"

#define DEFAULT_NEIGHBOURS 200 /* entries kept of every row */
/* A history of more distinct items says little about any pair of them, and costs their square. */
#define MAX_HISTORY_ITEMS 1000

uint32_t build_neighbours(const struct build_params *p);
struct itemset_params build_itemset_params(const struct build_params *p, uint64_t orders);
struct rule_params build_rule_params(const struct build_params *p);
/* Of the pairs of any matrix; without unit_power and progress. */
struct cooc_params build_cooc_params(uint64_t items, uint32_t threads);
struct sgns_params build_sgns_params(const struct build_params *p);

#endif
