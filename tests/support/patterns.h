/* Finding a set or a rule among mined ones, by plain search. Items ascend. */
#ifndef SUPPORT_PATTERNS_H
#define SUPPORT_PATTERNS_H

#include "mine/itemsets.h"
#include "mine/rules.h"

/* UINT64_MAX: not frequent. */
uint64_t itemsets_find(const struct itemsets *s, const uint32_t *items, uint32_t length);

/* UINT32_MAX: none. */
uint32_t rules_find(const struct rules *r, const uint32_t *antecedent, uint32_t length,
                    uint32_t consequent);

#endif
