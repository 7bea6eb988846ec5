/* Each round halves the threshold and mines again: a round costs more than all before it together,
 * so the last, needed one leads the cost. Rules below a threshold s are in fewer than s baskets;
 * the k-th rule found must rank no lower than any such rule can. Where both rank the same, the one
 * with more baskets comes first, so the others still cannot enter. */
#include "mine/rulebest.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

/* A rule of the last round, kept until it is known to be the last. */
struct kept {
    struct rule rule;
    uint32_t items[RULE_ITEMS_MAX];
};

struct keeping {
    struct kept *kept;
    uint64_t count, cap;
};

static int keep(void *context, const struct rule *rule)
{
    struct keeping *k = context;
    if (k->count == k->cap) {
        uint64_t cap = mem_grow(k->cap, k->count + 1);
        struct kept *more = mem_resize(k->kept, cap, sizeof *more);
        if (!more)
            return ERR_NOMEM;
        k->kept = more;
        k->cap = cap;
    }
    struct kept *to = &k->kept[k->count++];
    to->rule = *rule;
    for (uint32_t i = 0; i < rule->antecedent_length; i++)
        to->items[i] = rule->antecedent[i];
    for (uint32_t i = 0; i < rule->consequent_length; i++)
        to->items[rule->antecedent_length + i] = rule->consequent[i];
    return 0;
}

static int give(const struct keeping *k, rule_taker take, void *context)
{
    for (uint64_t x = 0; x < k->count; x++) {
        struct rule rule = k->kept[x].rule;
        rule.antecedent = k->kept[x].items;
        rule.consequent = rule.antecedent + rule.antecedent_length;
        int rc = take(context, &rule);
        if (rc)
            return rc;
    }
    return 0;
}

/* Half of the most frequent item's baskets. */
static int first_threshold(const struct csr *baskets, uint32_t *out, struct error *err)
{
    uint32_t *count, most = 0;
    if (!MEM_ZNEW(count, baskets->cols))
        return error_set(err, ERR_NOMEM, "rules: out of memory");
    for (uint64_t e = 0; e < csr_entries(baskets); e++) {
        uint32_t now = ++count[baskets->column[e]];
        most = now > most ? now : most;
    }
    free(count);
    *out = most / 2;
    return 0;
}

static bool none_below_enters(const struct keeping *k, const struct rule_top *top,
                              uint32_t threshold)
{
    if (threshold <= 1)
        return true;
    if (k->count < top->k)
        return false;
    const struct counts *last = &k->kept[k->count - 1].rule.counts;
    return measure_rank(top->by, last) >= measure_rank_bound(top->by, last->n, threshold - 1);
}

/* Mines and ranks at one threshold; *reached: the one in force. */
static int run_round(const struct csr *baskets, const struct itemset_params *itemsets,
                     const struct rule_params *params, const struct rule_top *top,
                     struct keeping *k, struct rule_tally *tally, struct error *err)
{
    struct itemsets sets;
    int rc = itemsets_mine(baskets, itemsets, &sets, err);
    if (rc)
        return rc;
    k->count = 0;
    rc = rules_top(&sets, params, top, keep, k, tally, err);
    tally->proved = rc == 0 && none_below_enters(k, top, sets.min_support);
    itemsets_deinit(&sets);
    return rc;
}

int rules_best(const struct csr *baskets, const struct itemset_params *itemsets,
               const struct rule_params *params, const struct rule_top *top, rule_taker take,
               void *context, struct rule_tally *tally, struct error *err)
{
    struct itemset_params round = *itemsets;
    struct rule_tally own = {0};
    struct keeping k = {0};
    uint32_t least = itemsets->min_support ? itemsets->min_support : 1;
    assert(itemsets->target == TARGET_ALL && itemsets->with_count == 0 && itemsets->shards == 0);
    bool bounded = isfinite(measure_rank_bound(top->by, baskets->rows, 1));
    if (!bounded && itemsets->min_support == 0)
        return error_set(err, ERR_INVALID,
                         "rules: the best by %s need a minimum support, as rare rules can be best",
                         measure_name(top->by));
    tally = tally ? tally : &own;
    round.min_support = least;
    int rc = bounded ? first_threshold(baskets, &round.min_support, err) : 0;
    while (rc == 0) {
        if (round.min_support < least)
            round.min_support = least;
        rc = run_round(baskets, &round, params, top, &k, tally, err);
        if (rc || tally->proved || tally->min_support <= least ||
            tally->min_support > round.min_support)
            break;
        round.min_support /= 2;
    }
    tally->proved = rc == 0 && (tally->proved || tally->min_support <= least);
    if (rc == 0)
        rc = give(&k, take, context);
    free(k.kept);
    return rc;
}
