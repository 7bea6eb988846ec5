/* Association rules with one item on the right, from frequent itemsets (Agrawal & Srikant, VLDB
 * 1994). Flat arrays, sorted by (antecedent items, consequent): the order the antecedent trie
 * needs. */
#ifndef MINE_RULES_H
#define MINE_RULES_H

#include "mine/itemsets.h"
#include "mine/measures.h"

/* A frequent set of more items has more subsets than a 64-bit number counts. */
#define RULE_ITEMS_MAX 64

struct rule_params {         /* zero = default */
    double min_confidence;   /* (0,1]; 0: 0.1; nine decimals, compared in integers, ties are kept */
    double min_lift;         /* 0: 1.0: only positive association; compared likewise */
    double max_fisher_p;     /* 0: 0.05; >= 1: not looked at */
    uint32_t max_antecedent; /* items on the left; 0: 3; at most RULE_ITEMS_MAX */
    uint64_t max_rules; /* 0: 1 million; at most 2^32-2; the best by leverage are kept (ties: the
                           shorter, then smaller set first), `cut` counts the others */
    uint32_t threads;   /* 0: one per core; the result does not depend on it */
    struct progress *progress;
};

struct rules {
    uint32_t count;
    uint32_t basket_count;
    uint64_t *start;      /* [count + 1] into antecedent */
    uint32_t *antecedent; /* ascending per rule, 1..max_antecedent items */
    uint32_t *consequent; /* [count] */
    uint32_t *both;       /* [count] baskets with antecedent and consequent: the rule's count */
    uint32_t *body;       /* [count] baskets with the antecedent */
    uint32_t *head;       /* [count] baskets with the consequent */
    uint64_t cut;         /* rules dropped for max_rules */
};

/* `sets` must be complete down to its threshold, as itemsets_mine gives them. ERR_NOMEM,
 * ERR_CANCELLED, ERR_INVALID for a parameter out of range. */
int rules_build(const struct itemsets *sets, const struct rule_params *params, struct rules *out,
                struct error *err) WARN_UNUSED;
void rules_deinit(struct rules *r);
size_t rules_bytes(const struct rules *r);
void rules_measures(const struct rules *r, uint32_t rule, int with_fisher, struct measures *out);
/* Index of the rule, UINT32_MAX: none. */
uint32_t rules_find(const struct rules *r, const uint32_t *antecedent, uint32_t length,
                    uint32_t consequent);
/* Shape, order, ranges: what a loaded model must satisfy. */
int rules_check(const struct rules *r, uint32_t item_count, struct error *err) WARN_UNUSED;

/* Most bytes rules_build holds at a time beyond the itemsets, its result included. */
uint64_t rules_estimate_bytes(uint64_t itemset_count, const struct rule_params *params);
#endif
