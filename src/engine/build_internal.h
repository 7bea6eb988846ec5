/* The parameters of each step with defaults put in: what is estimated is what is run. */
#ifndef ENGINE_BUILD_INTERNAL_H
#define ENGINE_BUILD_INTERNAL_H

#include "engine/build.h"

uint32_t build_neighbours(const struct build_params *p);
struct itemset_params build_itemset_params(const struct build_params *p, uint64_t orders);
struct rule_params build_rule_params(const struct build_params *p);
struct cooc_params build_cooc_params(const struct build_params *p);
struct sgns_params build_sgns_params(const struct build_params *p);

#endif
