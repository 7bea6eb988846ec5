/* What training will need, before it starts. Each floor knows what its own steps hold; here they
 * are added up along the order of model_build, where the peak is the largest sum alive at one time:
 *
 *   step           alive besides it
 *   dataset        orders and events as they were collected
 *   itemsets       dataset
 *   rules          dataset, itemsets
 *   embeddings     dataset, rules
 *   co-occurrence  dataset, rules, vectors, rows of sgns
 *   rows           the same, counts, rows made so far
 *   seal           dataset, the finished model (the caller holds the dataset until the end) */
#include "build_internal.h"

#define DEFAULT_NEIGHBOURS 100
#define DEFAULT_ITEMSETS   4000000u
#define DEFAULT_RULES      1000000u
#define DEFAULT_DIMENSIONS 64
#define DEFAULT_SUPPORT    5
#define DEFAULT_SHARE      0.0001
#define ID_BYTES_GUESS     24 /* an external id, twice: text and map */
#define ITEM_MAP_BYTES     32 /* slots of the id map at its emptiest */
#define ITEMSET_BYTES      28 /* start, support and 4 items */
#define MAX_Q              0.05
#define RULE_BYTES         44 /* start, 3 items, consequent, 3 counts, q and improvement */
#define RULE_INDEX_BYTES   72 /* 8 orders, strong rules, both tries */
#define RULE_SORT_BYTES    32 /* while one order is made: entries and the sort's copy */
#define POPULARITY_BYTES   28
#define PAIR_BYTES         8
#define EVENT_BYTES        21 /* item, time, action, and the start of a session of one */
#define ROW_ENTRY_BYTES    12 /* column, value, evidence */

uint32_t build_neighbours(const struct build_params *p)
{
    return p->neighbours ? p->neighbours : DEFAULT_NEIGHBOURS;
}

static uint32_t min_support(const struct build_params *p, uint64_t orders)
{
    uint32_t baskets = orders < UINT32_MAX ? (uint32_t)orders : UINT32_MAX;
    if (p->min_support_share > 0)
        return itemsets_min_support(p->min_support_share, baskets);
    if (p->min_support)
        return p->min_support;
    uint32_t share = itemsets_min_support(DEFAULT_SHARE, baskets);
    return share > DEFAULT_SUPPORT ? share : DEFAULT_SUPPORT;
}

struct itemset_params build_itemset_params(const struct build_params *p, uint64_t orders)
{
    return (struct itemset_params){.min_support = min_support(p, orders),
                                   .max_length = p->max_length,
                                   .max_itemsets =
                                       p->max_itemsets ? p->max_itemsets : DEFAULT_ITEMSETS,
                                   .threads = p->threads,
                                   .progress = p->progress};
}

struct rule_params build_rule_params(const struct build_params *p)
{
    return (struct rule_params){.min_confidence = p->min_confidence,
                                .min_lift = p->min_lift,
                                .max_fisher_p = p->max_fisher_p,
                                .max_q = p->max_q != 0 ? p->max_q : MAX_Q,
                                .productive = !p->redundant_rules,
                                .with_q = true,
                                .with_improvement = true,
                                .max_antecedent = BECAUSE_ITEMS_MAX,
                                .max_rules = p->max_rules ? p->max_rules : DEFAULT_RULES,
                                .threads = p->threads,
                                .progress = p->progress};
}

/* No order is too large for the pair counts: evidence must be what a recount gives. The dataset has
 * left out the absurd ones. */
struct cooc_params build_cooc_params(const struct build_params *p)
{
    return (struct cooc_params){
        .max_unit = UINT32_MAX, .threads = p->threads, .progress = p->progress};
}

struct sgns_params build_sgns_params(const struct build_params *p)
{
    struct sgns_params sgns = p->sgns;
    sgns.threads = p->threads;
    sgns.progress = p->progress;
    return sgns;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t pair_bytes(const struct dataset_shape *shape)
{
    double square = (double)shape->items * (double)shape->items;
    uint64_t pairs = dataset_shape_pairs(shape);
    return (square < (double)pairs ? (uint64_t)square : pairs) * PAIR_BYTES;
}

/* Itemsets of one item are not more than items, of two not more than pairs; longer ones only the
 * budget bounds. */
static uint64_t rules_resident(const struct rule_params *rules)
{
    return rules->max_rules * RULE_BYTES;
}

static uint64_t rows_resident(const struct dataset_shape *shape, uint32_t k)
{
    uint64_t most = smaller(shape->items * k, shape->items * shape->items);
    return most * ROW_ENTRY_BYTES + (shape->items + 1) * sizeof(uint64_t);
}

void build_estimate(const struct dataset_shape *shape, const struct build_params *params,
                    struct estimate *out)
{
    struct itemset_params itemsets = build_itemset_params(params, shape->orders);
    struct rule_params rules = build_rule_params(params);
    struct cooc_params cooc = build_cooc_params(params);
    struct sgns_params sgns = build_sgns_params(params);
    uint32_t k = build_neighbours(params);
    uint64_t dimensions = sgns.dimensions ? sgns.dimensions : DEFAULT_DIMENSIONS;
    uint64_t items = shape->items, rows = rows_resident(shape, k);
    uint64_t vectors = params->without_sgns ? 0 : items * dimensions * 2 * sizeof(float);
    uint64_t names = items * (2 * ID_BYTES_GUESS + ITEM_MAP_BYTES + POPULARITY_BYTES + 12);
    *out = (struct estimate){
        .dataset_bytes =
            shape->lines * 4 + shape->orders * 20 + items * 8 + shape->events * EVENT_BYTES,
        .itemsets_bytes = itemsets_estimate_bytes(shape, &itemsets),
        .rules_bytes = rules_estimate_bytes(itemsets.max_itemsets, &rules),
        .cooc_bytes = cooc_estimate_bytes(shape, &cooc),
        .rows_bytes = larger(cooc_rows_estimate_bytes(shape, k),
                             params->without_sgns ? 0 : embeddings_rows_estimate_bytes(items, k)),
        .sgns_bytes = params->without_sgns ? 0 : sgns_estimate_bytes(shape, &sgns),
        .model_bytes = names + vectors + rules.max_rules * (RULE_BYTES + RULE_INDEX_BYTES) +
                       rows * (params->without_sgns ? 2 : 3)};
    uint64_t base = out->dataset_bytes + names;
    uint64_t peak = out->dataset_bytes + sessions_estimate_bytes(shape->events);
    peak = larger(peak, base + out->itemsets_bytes);
    peak = larger(peak, base + itemsets.max_itemsets * ITEMSET_BYTES + out->rules_bytes);
    base += rules_resident(&rules);
    peak = larger(peak, base + out->sgns_bytes);
    peak = larger(peak, base + vectors + out->rows_bytes);
    base += vectors + (params->without_sgns ? 0 : rows);
    peak = larger(peak, base + out->cooc_bytes);
    peak = larger(peak, base + pair_bytes(shape) + rows + out->rows_bytes);
    peak = larger(peak, out->dataset_bytes + out->model_bytes + rules.max_rules * RULE_SORT_BYTES);
    out->peak_bytes = peak;
}
