/* Every rule of a few small baskets, found by trying all item sets and all their splits, with every
 * test worked out from its definition. The reference of the rule miner's tests. */
#ifndef SUPPORT_ALLRULES_H
#define SUPPORT_ALLRULES_H

#include "data/csr.h"
#include "mine/rules.h"

#define ALLRULES_ITEMS_MAX 12

struct plain_rule {
    uint32_t left, right; /* masks of items */
    struct counts counts;
    double fisher_p, q, improvement, improvement_p;
    bool productive, passes;
};

struct allrules {
    struct plain_rule *rules; /* in the order of rules_visit */
    uint32_t count;
    uint32_t *support; /* [1 << items] */
};

/* Candidates of the limits on lengths and sides of `params` among the sets in at least min_support
 * baskets; `passes` is by all its other conditions. Aborts when out of memory. */
struct allrules allrules_of(const struct csr *baskets, uint32_t min_support,
                            const struct rule_params *params);
void allrules_free(struct allrules *a);
/* The candidate that a rule is; NULL: none. */
const struct plain_rule *allrules_find(const struct allrules *a, const struct rule *rule);
#endif
