/* What making rules is composed of:
 *
 *   rules_limits.c    parameters -> limits
 *   rules_supports.c  item set -> support, by a key
 *   rules_test.c      one split of one set: does it pass, what is to be said of it
 *   rules_search.c    all splits of all sets: counting them, giving out those that pass
 *   rules_top.c       the best of them, or a model's arrays
 *   rules.c           the arrays */
#ifndef MINE_RULES_INTERNAL_H
#define MINE_RULES_INTERNAL_H

#include "base/mem.h"
#include "mine/fdr.h"
#include "mine/rules.h"

struct rule_limits {
    uint64_t confidence, lift; /* billionths */
    double fisher_p, max_q, alpha;
    uint32_t max_antecedent, max_consequent, max_rules;
    bool productive, with_q, with_improvement;
};
int rule_limits_of(const struct rule_params *p, struct rule_limits *out,
                   struct error *err) WARN_UNUSED;

/* Supports of sets by key: a set's key is the sum of its items' keys, so that keys of subsets cost
 * an addition. When built, all keys are found to differ; so what is known to be in the table is
 * found by its key alone, one cache line each, without looking at its items. */
struct supports {
    struct support_slot {
        uint32_t key_low, key_high, support; /* support 0: empty */
    } * slots;
    uint64_t size;
    uint64_t seed;
};
/* Sets [0, count) of the table. */
int supports_build(const struct itemsets *sets, uint64_t count, struct supports *out,
                   struct error *err) WARN_UNUSED;
void supports_deinit(struct supports *s);
uint64_t supports_key(const struct supports *s, uint32_t item);
uint32_t supports_get(const struct supports *s, uint64_t key); /* the set must be in */

struct p_limit {
    double p, ln; /* ln: never above the logarithm of p */
};

/* Shared by all workers, not changed while they run but for the counts of `fdr`. */
struct rule_finder {
    const struct itemsets *sets;
    const uint8_t *sides;
    struct rule_limits limits;
    struct p_limit p_limit; /* of fisher_p, max_q considered; above 1: any p */
    struct p_limit alpha;
    uint64_t set_count; /* sets short enough to make a rule of */
    uint32_t longest;   /* items in the longest of them */
    struct supports supports;
    struct fdr fdr; /* when q is asked for */
    struct progress *progress;
};

/* A worker's view of one set. The mask of a subset has bit i for the set's i-th item. */
struct rule_set {
    const struct rule_finder *finder;
    uint64_t set;
    const uint32_t *items;
    uint32_t length, both;
    uint32_t left_only, right_only; /* masks */
    uint64_t keys[RULE_ITEMS_MAX], key;
    bool filled;
    uint32_t *support; /* [2^longest] by mask, once `filled` */
};

/* A rule before its items are written out. */
struct rule_found {
    uint64_t set;
    uint32_t right, body, head;
    bool productive;
    double fisher_p, q, improvement, improvement_p;
};

int rule_set_init(struct rule_set *s, const struct rule_finder *f) WARN_UNUSED; /* or ERR_NOMEM */
void rule_set_deinit(struct rule_set *s);
void rule_set_load(struct rule_set *s, uint64_t set);
struct counts rule_set_counts(const struct rule_set *s, uint32_t right);
/* The split meets every condition. */
bool rule_passes(struct rule_set *s, uint32_t right, const struct counts *t);
void rule_describe(struct rule_set *s, uint32_t right, struct rule_found *out);

/* The splits of a set that the limits allow: right sides in ascending (items, mask). */
struct splits {
    uint32_t length, left_only, right_only, most_left, most_right;
    uint32_t size;  /* of the present right side */
    uint64_t right; /* 0: before the first */
};
struct splits splits_of(const struct rule_set *s);
bool splits_next(struct splits *s);

/* Index, and when q is asked for a first pass over all candidates. */
int rule_finder_init(struct rule_finder *f, const struct itemsets *sets,
                     const struct rule_params *params, struct error *err) WARN_UNUSED;
void rule_finder_deinit(struct rule_finder *f);
/* The rule with its items, which are kept in items[RULE_ITEMS_MAX]. */
struct rule rule_written(const struct rule_finder *f, const struct rule_found *found,
                         uint32_t *items);

#endif
