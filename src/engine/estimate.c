/* What training will need, before it starts. Each floor knows what its own steps hold; here they
 * are added up along the order of model_build, where the peak is the largest sum alive at one time:
 *
 *   step           alive besides it
 *   dataset        orders and events as they were collected
 *   itemsets       dataset
 *   rules          dataset, itemsets
 *   orders         dataset, rules, counts, rows of its ingredients
 *   alike          dataset, rules, counts, rows, the matrix of orders, vectors
 *   shoppers       dataset, rules, counts, rows, matrices so far, vectors, histories
 *   next           dataset, rules, rows, matrices so far, vectors, histories
 *   visits         dataset, rules, rows, matrices so far, vectors, histories, visits
 *   seal           dataset, the finished model (the caller holds the dataset until the end) */
#include "sources_internal.h"

#include "base/parallel.h"
#include "engine/sources.h"
#include "learn/combine.h"
#include "learn/ials.h"
#include "learn/lowrank.h"
#include "learn/ridge.h"
#include "learn/sequence.h"
#include "learn/sessionknn.h"
#include "learn/softmax.h"

#define DEFAULT_ITEMSETS   4000000u
#define DEFAULT_RULES      1000000u
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
#define EVENT_BYTES        21 /* item, time, action, and the start of a session of one */
#define ITEM_BYTES         48 /* slot, buyers, visits, priors, and what is bought again */
#define ROW_ENTRY_BYTES    12 /* column, value, evidence */
#define VISIT_EVENT_BYTES  8  /* item and weight; starts beside */
#define HISTORY_LINE_BYTES 12 /* item and time */

/* With more items than this only each item's most frequent pairs are counted on: rows need no more,
 * and all pairs of a large shop do not fit. */
#define ALL_PAIRS_ITEMS 20000
#define PAIRS_PER_ITEM  1000

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
 * left out the absurd ones, what is learnt of shoppers their longest histories. */
struct cooc_params build_cooc_params(uint64_t items, uint32_t threads)
{
    return (struct cooc_params){.max_per_row = items > ALL_PAIRS_ITEMS ? PAIRS_PER_ITEM : 0,
                                .max_unit = UINT32_MAX,
                                .threads = threads};
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

static uint64_t rows_bytes(uint64_t items, uint32_t k, uint64_t entry_bytes)
{
    return items * smaller(k, items) * entry_bytes + (items + 1) * sizeof(uint64_t);
}

/* What the estimate goes by. */
struct shop_size {
    const struct recipe *recipe;
    const struct build_params *params;
    const struct dataset_shape *orders;
    struct dataset_shape shoppers; /* units are histories */
    struct dataset_shape visits;   /* units are visits */
};

static bool is_walked(enum matrix_kind kind)
{
    return kind == MATRIX_NEXT || kind == MATRIX_VISITS;
}

static bool is_made(const struct shop_size *s, const struct ingredient *g)
{
    bool of_shoppers = g->matrix == MATRIX_SHOPPERS || g->matrix == MATRIX_NEXT;
    if (g->matrix == MATRIX_VISITS && !s->orders->events)
        return false;
    return g->share > 0 && (!of_shoppers || s->orders->users) &&
           (g->learner != LEARNER_SGNS || !s->params->without_sgns);
}

static bool is_matrix_made(const struct shop_size *s, enum matrix_kind kind)
{
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++)
        if (s->recipe->ingredients[x].matrix == kind && is_made(s, &s->recipe->ingredients[x]))
            return true;
    return false;
}

static const struct dataset_shape *units_of(const struct shop_size *s, enum matrix_kind kind)
{
    if (kind == MATRIX_VISITS)
        return &s->visits;
    return kind == MATRIX_SHOPPERS || kind == MATRIX_NEXT ? &s->shoppers : s->orders;
}

/* The dimensions of the largest embeddings. */
static uint32_t largest_rank(const struct shop_size *s)
{
    uint32_t rank = 0;
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++) {
        const struct ingredient *g = &s->recipe->ingredients[x];
        if (g->learner == LEARNER_SGNS && is_made(s, g) && g->rank > rank)
            rank = g->rank;
    }
    return rank;
}

static uint64_t vectors_bytes(const struct shop_size *s)
{
    return s->orders->items * largest_rank(s) * 2 * sizeof(float);
}

static uint64_t sgns_bytes(const struct shop_size *s)
{
    struct sgns_params params = build_sgns_params(s->params);
    params.dimensions = largest_rank(s);
    return params.dimensions ? sgns_estimate_bytes(s->orders, &params) : 0;
}

/* Of a learner of vectors that takes so much: then come their rows. */
static uint64_t rows_of_vectors_bytes(const struct shop_size *s, const struct ingredient *g,
                                      uint32_t k, uint64_t training)
{
    uint64_t items = s->orders->items, vectors = items * g->rank * 2 * sizeof(float);
    return larger(training, embeddings_rows_estimate_bytes(items, g->rank, k) + vectors);
}

/* While one ingredient's rows are made; all ridges of a matrix may be made at once. */
static uint64_t learner_bytes(const struct shop_size *s, const struct ingredient *g, uint32_t k)
{
    static const float lambdas[RECIPE_INGREDIENTS_MAX];
    struct ridge_params ridge = {
        .neighbours = g->neighbours, .lambdas = lambdas, .keep = k, .threads = s->params->threads};
    struct lowrank_params lowrank = {.dimensions = g->rank, .threads = s->params->threads};
    struct ials_params ials = {.dimensions = g->rank, .threads = s->params->threads};
    struct softmax_params softmax = {.dimensions = g->rank};
    struct sessionknn_rows_params stan = {.keep = k, .threads = s->params->threads};
    struct sequence_params sequence = {
        .distance = g->distance, .keep = k, .threads = s->params->threads};
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++)
        ridge.lambda_count += s->recipe->ingredients[x].matrix == g->matrix &&
                              s->recipe->ingredients[x].learner == LEARNER_RIDGE;
    switch (g->learner) {
    case LEARNER_COSINE:
    case LEARNER_JACCARD:
    case LEARNER_LLR:
    case LEARNER_CONFIDENCE:
        return cooc_rows_estimate_bytes(units_of(s, g->matrix), k);
    case LEARNER_RIDGE:
        return ridge_estimate_bytes(units_of(s, g->matrix), &ridge);
    case LEARNER_SGNS:
        return larger(sgns_bytes(s), embeddings_rows_estimate_bytes(s->orders->items, g->rank, k) +
                                         vectors_bytes(s));
    case LEARNER_LOWRANK:
        return rows_of_vectors_bytes(s, g, k,
                                     lowrank_estimate_bytes(units_of(s, g->matrix), &lowrank));
    case LEARNER_IALS:
        return rows_of_vectors_bytes(s, g, k, ials_estimate_bytes(units_of(s, g->matrix), &ials));
    case LEARNER_SOFTMAX:
        return rows_of_vectors_bytes(s, g, k, softmax_estimate_bytes(&s->shoppers, &softmax));
    case LEARNER_STAN:
        return sessionknn_rows_estimate_bytes(&s->shoppers, &stan);
    case LEARNER_SEQUENCE:
        sequence.by_time = g->matrix != MATRIX_VISITS;
        return sequence_estimate_bytes(units_of(s, g->matrix), &sequence);
    case LEARNER_COUNT:
        break;
    }
    return 0;
}

static uint64_t counts_bytes(const struct shop_size *s, enum matrix_kind kind)
{
    const struct dataset_shape *units = units_of(s, kind);
    struct cooc_params params = build_cooc_params(units->items, s->params->threads);
    if (is_walked(kind) || !is_matrix_made(s, kind))
        return 0;
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++) {
        const struct ingredient *g = &s->recipe->ingredients[x];
        if (g->matrix == kind && g->learner == LEARNER_RIDGE &&
            (g->unit_power > 0 || g->half_life_days > 0))
            params.unit_power = 1; /* any: there are masses */
    }
    return cooc_estimate_bytes(units, &params);
}

/* What is left of an ingredient: its rows. Vectors know of any pair, the others of those that were
 * together. */
static uint64_t left_bytes(const struct shop_size *s, const struct ingredient *g, uint32_t k)
{
    const struct dataset_shape *units = units_of(s, g->matrix);
    uint64_t items = s->orders->items, pairs = dataset_shape_pairs(units);
    uint64_t entries = items * smaller(k, items);
    if (g->learner == LEARNER_RIDGE)
        entries = smaller(entries, items * g->neighbours);
    if (pairs && g->rank == 0)
        entries = smaller(entries, pairs);
    return entries * (is_walked(g->matrix) ? ROW_ENTRY_BYTES : 8) + (items + 1) * sizeof(uint64_t);
}

/* Ridges that share their systems are made with the first of them. */
static bool is_made_with(const struct shop_size *s, uint32_t x, uint32_t y)
{
    const struct ingredient *g = s->recipe->ingredients;
    return x == y || (is_made(s, &g[y]) && sources_share_systems(&g[x], &g[y]));
}

/* Softmaxes are trained beside the other learners of shoppers. */
static uint64_t beside_bytes(const struct shop_size *s, enum matrix_kind kind)
{
    uint64_t bytes = 0;
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++) {
        const struct ingredient *g = &s->recipe->ingredients[x];
        const struct softmax_params params = {.dimensions = g->rank};
        if (g->learner == LEARNER_SOFTMAX && g->matrix == kind && is_made(s, g))
            bytes += softmax_estimate_bytes(&s->shoppers, &params);
    }
    return parallel_workers(s->params->threads) > 1 ? bytes : 0;
}

/* While the rows of a matrix's ingredients are made; *left of them. */
static uint64_t making_bytes(const struct shop_size *s, enum matrix_kind kind, uint64_t *left)
{
    const struct ingredient *g = s->recipe->ingredients;
    uint32_t k = build_neighbours(s->params), first;
    uint64_t most = 0, beside = beside_bytes(s, kind);
    *left = 0;
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++) {
        if (g[x].matrix != kind || !is_made(s, &g[x]))
            continue;
        for (first = 0; !is_made_with(s, x, first); first++)
            ;
        if (first < x)
            continue;
        most = larger(most, *left + beside + learner_bytes(s, &g[x], k));
        for (uint32_t y = x; y < s->recipe->ingredient_count; y++)
            *left += is_made_with(s, x, y) ? left_bytes(s, &g[y], k) : 0;
    }
    return larger(most, *left);
}

/* While rows are added up, beside them. */
static uint64_t combining_bytes(const struct shop_size *s)
{
    uint32_t k = build_neighbours(s->params);
    uint64_t items = s->orders->items;
    return rows_combine_estimate_bytes(items, k) +
           (k + parallel_workers(s->params->threads)) * sizeof(uint32_t) * items;
}

/* The rows of a matrix's ingredients, while the last is made or all are added up. */
static uint64_t ingredients_bytes(const struct shop_size *s, enum matrix_kind kind)
{
    uint64_t left, most = making_bytes(s, kind, &left);
    return left ? larger(most, left + combining_bytes(s)) : 0;
}

/* The peak of the steps that make matrices, in their order; *base grows by what they leave. */
static uint64_t matrices_peak(const struct shop_size *s, uint64_t *base, struct estimate *out)
{
    static const enum matrix_kind order[] = {MATRIX_ORDERS, MATRIX_ALIKE, MATRIX_SHOPPERS,
                                             MATRIX_NEXT, MATRIX_VISITS};
    uint64_t peak = 0, alive = 0;
    for (size_t x = 0; x < MATRIX_COUNT; x++) {
        enum matrix_kind kind = order[x];
        uint64_t counts = counts_bytes(s, kind), rows = ingredients_bytes(s, kind);
        bool of_shoppers = kind == MATRIX_SHOPPERS || kind == MATRIX_NEXT;
        alive = of_shoppers ? out->histories_bytes : alive;
        alive += kind == MATRIX_VISITS ? s->visits.lines * VISIT_EVENT_BYTES : 0;
        out->cooc_bytes = larger(out->cooc_bytes, counts);
        out->rows_bytes = larger(out->rows_bytes, rows);
        if (kind == MATRIX_ALIKE) /* the counts of the orders matrix are still there */
            counts = larger(counts, counts_bytes(s, MATRIX_ORDERS));
        peak = larger(peak, *base + alive + counts + rows);
        if (is_matrix_made(s, kind))
            *base += rows_bytes(s->orders->items, build_neighbours(s->params), ROW_ENTRY_BYTES);
        if (kind == MATRIX_ALIKE)
            *base += vectors_bytes(s);
    }
    return peak;
}

/* Histories too long to count pairs in are left out. */
static struct dataset_shape shape_of_shoppers(const struct dataset_shape *orders)
{
    struct dataset_shape shape = *orders;
    shape.orders = orders->users;
    shape.pairs = smaller(orders->shopper_pairs, orders->lines * (MAX_HISTORY_ITEMS - 1));
    return shape;
}

static struct shop_size size_of(const struct dataset_shape *shape, const struct recipe *recipe,
                                const struct build_params *params)
{
    return (struct shop_size){.recipe = recipe,
                              .params = params,
                              .orders = shape,
                              .shoppers = shape_of_shoppers(shape),
                              .visits = {.orders = shape->events,
                                         .lines = shape->events,
                                         .items = shape->items,
                                         .users = shape->events}};
}

/* And the sets that pairs are counted in. */
static uint64_t histories_estimate(const struct dataset_shape *shape)
{
    return shape->users ? shape->lines * (HISTORY_LINE_BYTES + 4) + shape->users * 16 : 0;
}

void sources_estimate(const struct dataset_shape *shape, const struct recipe *recipe,
                      const struct source_params *params, const bool wanted[MATRIX_COUNT],
                      struct sources_estimate *out)
{
    struct build_params build = {
        .neighbours = params->keep, .threads = params->threads, .without_sgns = !params->sgns};
    if (params->sgns)
        build.sgns = *params->sgns;
    struct shop_size s = size_of(shape, recipe, &build);
    uint64_t pairs[2] = {0, 0}; /* of orders, of shoppers */
    uint64_t combined = rows_bytes(shape->items, build_neighbours(&build), 8);
    bool has_histories = false;
    *out = (struct sources_estimate){0};
    for (int k = 0; k < MATRIX_COUNT; k++) {
        enum matrix_kind kind = (enum matrix_kind)k;
        bool of_shoppers = kind == MATRIX_SHOPPERS || kind == MATRIX_NEXT;
        if (!wanted[k] || !is_matrix_made(&s, kind))
            continue;
        if (of_shoppers && !has_histories)
            out->held_bytes += histories_estimate(shape);
        has_histories = has_histories || of_shoppers;
        if (kind == MATRIX_VISITS)
            out->held_bytes += s.visits.lines * VISIT_EVENT_BYTES;
        uint64_t left, counts = larger(pairs[of_shoppers], counts_bytes(&s, kind));
        out->held_bytes += counts - pairs[of_shoppers];
        pairs[of_shoppers] = counts;
        out->peak_bytes = larger(out->peak_bytes, out->held_bytes + making_bytes(&s, kind, &left));
        out->held_bytes += left;
        out->combined_bytes += smaller(combined, left);
    }
    out->held_bytes += vectors_bytes(&s);
    out->combined_bytes += out->combined_bytes ? combining_bytes(&s) : 0;
    out->peak_bytes = larger(out->peak_bytes, out->held_bytes);
}

void build_estimate(const struct dataset_shape *shape, const struct build_params *params,
                    struct estimate *out)
{
    struct itemset_params itemsets = build_itemset_params(params, shape->orders);
    struct rule_params rules = build_rule_params(params);
    struct recipe recipe;
    if (params->recipe)
        recipe = *params->recipe;
    else
        recipe_default(&recipe);
    recipe_bound(&recipe, (uint32_t)smaller(shape->items, UINT32_MAX));
    struct shop_size s = size_of(shape, &recipe, params);
    uint64_t items = shape->items;
    uint64_t names = items * (2 * ID_BYTES_GUESS + ITEM_MAP_BYTES + POPULARITY_BYTES + ITEM_BYTES);
    *out = (struct estimate){.dataset_bytes = shape->lines * 4 + shape->orders * 20 + items * 8 +
                                              shape->events * EVENT_BYTES,
                             .itemsets_bytes = itemsets_estimate_bytes(shape, &itemsets),
                             .rules_bytes = rules_estimate_bytes(itemsets.max_itemsets, &rules),
                             .histories_bytes = histories_estimate(shape),
                             .sgns_bytes = sgns_bytes(&s)};
    uint64_t base = out->dataset_bytes + names;
    uint64_t peak = out->dataset_bytes + sessions_estimate_bytes(shape->events);
    peak = larger(peak, base + out->itemsets_bytes);
    peak = larger(peak, base + itemsets.max_itemsets * ITEMSET_BYTES + out->rules_bytes);
    base += rules.max_rules * RULE_BYTES;
    if (shape->events && recipe.mixes[MIX_SESSION].neighbours > 0)
        base += sessionknn_estimate_bytes(shape->events, items);
    peak = larger(peak, matrices_peak(&s, &base, out));
    out->model_bytes = base - out->dataset_bytes + rules.max_rules * RULE_INDEX_BYTES;
    out->peak_bytes =
        larger(peak, out->dataset_bytes + out->model_bytes + rules.max_rules * RULE_SORT_BYTES);
}
