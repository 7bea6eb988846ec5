/* Rules of a file: all itemsets in memory, then rules one by one to the writer. Without a support
 * the best rules are searched with a falling one (mine/rulebest.h). */
#include "mining_internal.h"

#include "base/mem.h"
#include "mine/rulebest.h"

#include <stdlib.h>
#include <string.h>

#define ANY_LIFT 1e-9

struct taking {
    struct rulewriter *writer; /* NULL: count only */
    const struct mining *mining;
    uint64_t count;
};

static bool holds(const struct rule *rule, uint32_t item)
{
    for (uint32_t i = 0; i < rule->antecedent_length; i++)
        if (rule->antecedent[i] == item)
            return true;
    for (uint32_t i = 0; i < rule->consequent_length; i++)
        if (rule->consequent[i] == item)
            return true;
    return false;
}

static int take(void *context, const struct rule *rule)
{
    struct taking *t = context;
    for (uint32_t i = 0; i < t->mining->params.with_count; i++)
        if (!holds(rule, t->mining->with[i]))
            return 0;
    t->count++;
    return t->writer ? rulewriter_take(t->writer, rule) : 0;
}

static int set_side(struct mining *m, const char *option, const char *const *names, uint8_t side,
                    uint8_t *sides, struct error *err)
{
    uint32_t *items = NULL, count;
    int rc = mining_find_items(m, option, names, &items, &count, err);
    for (uint32_t i = 0; rc == 0 && i < count; i++)
        sides[items[i]] = sides[items[i]] == SIDE_ANY || sides[items[i]] == side ? side : SIDE_NONE;
    free(items);
    return rc;
}

static int choose_sides(struct mining *m, uint8_t **sides, struct error *err)
{
    const struct mining_request *q = m->request;
    *sides = NULL;
    if (!q->antecedent_only[0] && !q->consequent_only[0])
        return 0;
    if (!MEM_ZNEW(*sides, m->baskets.rows.cols))
        return error_set(err, ERR_NOMEM, "out of memory");
    int rc = set_side(m, "antecedent-only", q->antecedent_only, SIDE_ANTECEDENT, *sides, err);
    return rc ? rc
              : set_side(m, "consequent-only", q->consequent_only, SIDE_CONSEQUENT, *sides, err);
}

static struct rule_params params_of(const struct mining *m, const uint8_t *sides)
{
    const struct mining_request *q = m->request;
    return (struct rule_params){.min_confidence = q->min_confidence,
                                .min_lift = q->min_lift > 0 ? q->min_lift : ANY_LIFT,
                                .max_fisher_p = q->max_p > 0 ? q->max_p : 1,
                                .max_q = q->max_q,
                                .productive = q->productive,
                                .with_q = rule_columns_have(&q->columns, RULE_Q),
                                .with_improvement =
                                    rule_columns_have(&q->columns, RULE_IMPROVEMENT) ||
                                    rule_columns_have(&q->columns, RULE_IMPROVEMENT_P) ||
                                    rule_columns_have(&q->columns, RULE_PRODUCTIVE),
                                .max_antecedent = q->antecedents ? q->antecedents : RULE_ITEMS_MAX,
                                .max_consequent = q->consequents,
                                .sides = sides,
                                .threads = q->threads,
                                .progress = q->progress};
}

static int search(struct mining *m, const struct rule_params *params, struct taking *taking,
                  struct error *err)
{
    const struct mining_request *q = m->request;
    const struct rule_top top = {.by = q->by, .k = q->top};
    struct itemset_params sets_params = m->params;
    struct rule_tally tally = {0};
    struct itemsets sets;
    sets_params.with_count = 0; /* rules need the subsets too */
    if (!sets_params.max_itemsets)
        sets_params.max_itemsets = UINT32_MAX - 1;
    if (q->top && !q->support && q->support_share <= 0) {
        sets_params.min_support = 0;
        int rc =
            rules_best(&m->baskets.rows, &sets_params, params, &top, take, taking, &tally, err);
        m->report->support = tally.min_support;
        m->report->unproved = rc == 0 && !tally.proved;
        m->report->candidates = tally.candidates;
        return rc;
    }
    int rc = itemsets_mine(&m->baskets.rows, &sets_params, &sets, err);
    if (rc)
        return rc;
    m->report->support = sets.min_support;
    m->report->raised = sets.raised;
    m->report->itemsets = sets.count;
    rc = q->top ? rules_top(&sets, params, &top, take, taking, &tally, err)
                : rules_visit(&sets, params, take, taking, &tally, err);
    m->report->candidates = tally.candidates;
    itemsets_deinit(&sets);
    return rc;
}

int mining_rules(struct mining *m, struct laneout *out, struct error *err)
{
    const struct mining_request *q = m->request;
    struct taking taking = {.mining = m};
    struct strata strata = {0};
    uint8_t *sides;
    int rc = choose_sides(m, &sides, err);
    struct rule_params params = params_of(m, sides);
    if (rc == 0 && out) {
        const struct rulewriter_options options = {.items = &m->baskets,
                                                   .format = m->format,
                                                   .columns = &q->columns,
                                                   .strata = m->size_of ? &strata : NULL};
        if (m->size_of)
            rc = strata_build(&m->baskets.rows, m->size_of, SIZE_BINS, &strata, err);
        taking.writer = rc == 0 ? rulewriter_new(out, &options, err) : NULL;
        rc = taking.writer ? 0 : ERR_NOMEM;
    }
    if (rc == 0)
        rc = search(m, &params, &taking, err);
    if (rc == ERR_INVALID)
        m->report->usage = true;
    rulewriter_free(taking.writer);
    strata_deinit(&strata);
    free(sides);
    m->report->results = taking.count;
    return rc;
}
