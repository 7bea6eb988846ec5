/* Association rules X -> Y from frequent itemsets (Agrawal & Srikant, VLDB 1994), with tests of
 * what they say:
 *
 * fisher_p       the rule against independence: fisher_p of its counts.
 * q              Benjamini & Hochberg's (1995) adjusted p: among all rules with a q as small, a
 *                share of at most q is expected to be chance. Counted are all candidates: every
 *                split of every frequent set into a left and a right side within the limits on
 *                lengths and sides, also those that a threshold or a budget then drops. See fdr.h.
 * improvement    confidence minus the greatest confidence of a sub-rule Z -> Y, Z any proper subset
 *                of X, the empty one too (Bayardo, Agrawal, Gunopulos 2000).
 * improvement_p  fisher_p within the baskets that hold X without one item z, of having z too and
 *                having Y: the largest over all z (Webb, Discovering Significant Patterns, Machine
 *                Learning 68, 2007).
 * productive     improvement > 0 and improvement_p <= alpha: each item on the left earns its place.
 */
#ifndef MINE_RULES_H
#define MINE_RULES_H

#include "mine/itemsets.h"
#include "mine/measures.h"

/* All 2^n - 1 subsets of a frequent set of n items are in the table, which has below 2^32 sets. */
#define RULE_ITEMS_MAX 31

enum rule_side { SIDE_ANY, SIDE_ANTECEDENT, SIDE_CONSEQUENT, SIDE_NONE };

struct rule_params {         /* zero = default */
    double min_confidence;   /* (0,1]; 0: 0.1; nine decimals, compared in integers, ties are kept */
    double min_lift;         /* 0: 1.0: only positive association; compared likewise; 1e-9: any */
    double max_fisher_p;     /* 0: 0.05; >= 1: not looked at */
    double max_q;            /* 0: not looked at */
    double alpha;            /* what counts as productive; 0: 0.05 */
    bool productive;         /* only such rules */
    bool with_q;             /* worked out also without max_q */
    bool with_improvement;   /* worked out also when not only productive rules are asked for */
    uint32_t max_antecedent; /* items on the left; 0: 3; more than RULE_ITEMS_MAX is that */
    uint32_t max_consequent; /* items on the right; 0: 1 */
    const uint8_t *sides;    /* enum rule_side of every item; NULL: any. An item of SIDE_NONE is in
                                no rule, one of SIDE_ANTECEDENT only on the left */
    uint64_t max_rules;      /* rules_build: 0: 1 million; at most 2^32-2; the best by leverage are
                                kept (ties: rules_top's), `cut` counts the others */
    uint32_t threads;        /* 0: one per core; the result does not depend on it */
    struct progress *progress;
};

struct rule {
    const uint32_t *antecedent, *consequent; /* ascending */
    uint32_t antecedent_length, consequent_length;
    struct counts counts;
    double fisher_p, q; /* q: NAN when not asked for */
    double improvement, improvement_p;
    bool productive; /* false, and both improvements NAN, when not asked for */
};

struct rule_tally {
    uint64_t candidates; /* splits looked at: q's number of tests */
    uint64_t found;      /* those that met every condition */
    uint32_t min_support;
    bool proved; /* rules_best: no rule below min_support can be better */
};

/* A result other than 0 ends the search and is returned. Called by the calling thread only; what
 * `rule` points to is borrowed for the call. */
typedef int (*rule_taker)(void *context, const struct rule *rule);

/* All functions: `sets` must be all sets (TARGET_ALL) down to its threshold, of any length from 1
 * on, none required or left out but for whole items. ERR_NOMEM, ERR_CANCELLED, ERR_INVALID for a
 * parameter out of range. `tally` may be NULL. */

/* Gives out the rules in the order of the sets; of one set, by number of items on the right, then
 * by which. Memory does not grow with the number of rules. */
int rules_visit(const struct itemsets *sets, const struct rule_params *params, rule_taker take,
                void *context, struct rule_tally *tally, struct error *err) WARN_UNUSED;

/* The k best (at most 2^32-2) by measure_rank, best first; ties: more baskets, then the order of
 * rules_visit. */
struct rule_top {
    enum measure by;
    uint64_t k;
};
int rules_top(const struct itemsets *sets, const struct rule_params *params,
              const struct rule_top *top, rule_taker take, void *context, struct rule_tally *tally,
              struct error *err) WARN_UNUSED;

/* A model's rules: one item on the right. Flat arrays, sorted by (antecedent items, consequent):
 * the order the antecedent trie needs. */
struct rules {
    uint32_t count;
    uint32_t basket_count;
    uint64_t *start;      /* [count + 1] into antecedent */
    uint32_t *antecedent; /* ascending per rule, 1..max_antecedent items */
    uint32_t *consequent; /* [count] */
    uint32_t *both;       /* [count] baskets with antecedent and consequent: the rule's count */
    uint32_t *body;       /* [count] baskets with the antecedent */
    uint32_t *head;       /* [count] baskets with the consequent */
    float *q;             /* [count] in (0,1], NAN when not asked for */
    float *improvement;   /* [count] in [-1,1], NAN when not asked for */
    uint64_t cut;         /* rules dropped for max_rules */
    uint64_t candidates;  /* rule_tally's */
};

/* max_consequent is 1 here. */
int rules_build(const struct itemsets *sets, const struct rule_params *params, struct rules *out,
                struct error *err) WARN_UNUSED;
void rules_deinit(struct rules *r);
size_t rules_bytes(const struct rules *r);
struct counts rules_counts(const struct rules *r, uint32_t rule);
double rules_measure(const struct rules *r, uint32_t rule, enum measure m);
/* Shape, order, ranges: what a loaded model must satisfy. */
int rules_check(const struct rules *r, uint32_t item_count, struct error *err) WARN_UNUSED;

/* Most bytes rules_build holds at a time beyond the itemsets, its result included. */
uint64_t rules_estimate_bytes(uint64_t itemset_count, const struct rule_params *params);
#endif
