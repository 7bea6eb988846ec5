/* From orders to a model, one step after the other (struct step). Each step takes what the ones
 * before left in struct build and is timed; the order keeps the peak of memory low (estimate.c). */
#include "engine/build.h"

#include "base/clock.h"
#include "base/mem.h"
#include "build_internal.h"
#include "engine/sources.h"
#include "model_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

struct build {
    const struct dataset *d;
    struct str (*name_of)(void *context, uint32_t item_key);
    void *context;
    const struct build_params *params;
    struct model *m;
    struct itemsets itemsets;
    struct sgns_params sgns;
    struct sources sources;
    struct build_report *report;
};

struct step {
    const char *name;
    int (*run)(struct build *b, struct build_step *cost, struct error *err);
};

static int out_of_memory(struct error *err)
{
    return error_set(err, ERR_NOMEM, "training: out of memory");
}

static int step_items(struct build *b, struct build_step *cost, struct error *err)
{
    struct model *m = b->m;
    const struct dataset *d = b->d;
    m->item_count = d->item_count;
    m->basket_count = d->basket_count;
    m->user_count = d->user_count;
    if (b->params->recipe)
        m->recipe = *b->params->recipe;
    else
        recipe_default(&m->recipe);
    recipe_bound(&m->recipe, d->item_count);
    m->slot = mem_copy(d->item_key, d->item_count * sizeof *d->item_key);
    if (!m->slot)
        return out_of_memory(err);
    int rc = dict_init(&m->items, err);
    for (uint32_t i = 0; i < d->item_count && rc == 0; i++) {
        uint32_t index;
        rc = dict_add(&m->items, b->name_of(b->context, d->item_key[i]), &index, err);
        if (rc == 0 && index != i)
            rc = error_set(err, ERR_INVALID, "training: item key %" PRIu32 " has another's id",
                           d->item_key[i]);
    }
    cost->count = d->item_count;
    return rc;
}

/* by_rank, ties by external id, so that the order of answers does not depend on the order of
 * import. */
static int compare_rank(const void *a, const void *b, void *context)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct model *m = context;
    const struct popularity *p = &m->popularity;
    if (p->orders_28d[x] != p->orders_28d[y])
        return p->orders_28d[x] > p->orders_28d[y] ? -1 : 1;
    if (p->orders_all[x] != p->orders_all[y])
        return p->orders_all[x] > p->orders_all[y] ? -1 : 1;
    return str_cmp(dict_name(&m->items, x), dict_name(&m->items, y));
}

static int compare_trend(const void *a, const void *b, void *context)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    const struct popularity *p = context;
    bool sold_x = p->orders_7d[x] > 0, sold_y = p->orders_7d[y] > 0;
    if (sold_x != sold_y)
        return sold_x ? -1 : 1;
    if (p->trend[x] != p->trend[y])
        return p->trend[x] > p->trend[y] ? -1 : 1;
    return p->rank[x] < p->rank[y] ? -1 : p->rank[x] > p->rank[y];
}

static int step_popularity(struct build *b, struct build_step *cost, struct error *err)
{
    struct popularity *p = &b->m->popularity;
    int rc = popularity_build(b->d, 0, p, err);
    if (rc)
        return rc;
    uint32_t n = p->item_count;
    qsort_r(p->by_rank, n, sizeof *p->by_rank, compare_rank, b->m);
    for (uint32_t x = 0; x < n; x++)
        p->rank[p->by_rank[x]] = x;
    qsort_r(p->by_trend, n, sizeof *p->by_trend, compare_trend, p);
    cost->count = n;
    return 0;
}

static int step_itemsets(struct build *b, struct build_step *cost, struct error *err)
{
    struct itemset_params params = build_itemset_params(b->params, b->d->basket_count);
    int rc = itemsets_mine(&b->d->baskets, &params, &b->itemsets, err);
    if (rc)
        return rc;
    b->report->min_support = b->itemsets.min_support;
    b->report->support_raised = b->itemsets.raised;
    cost->count = b->itemsets.count;
    cost->bytes = itemsets_bytes(&b->itemsets);
    return 0;
}

static int step_rules(struct build *b, struct build_step *cost, struct error *err)
{
    struct rule_params params = build_rule_params(b->params);
    int rc = rules_build(&b->itemsets, &params, &b->m->rules, err);
    itemsets_deinit(&b->itemsets);
    if (rc)
        return rc;
    b->report->rules_cut = b->m->rules.cut;
    b->report->rules_tested = b->m->rules.candidates;
    cost->count = b->m->rules.count;
    cost->bytes = rules_bytes(&b->m->rules);
    return 0;
}

/* Learns one matrix and frees what only it needed, so that one matrix's learners at a time are
 * held.
 */
static int make_matrix(struct build *b, enum matrix_kind kind, struct build_step *cost,
                       struct error *err)
{
    struct matrix *to = &b->m->matrices[kind];
    int rc = sources_make(&b->sources, kind, err);
    if (rc == 0)
        rc = sources_combine(&b->sources, kind, b->m->popularity.rank, &to->rows, &to->both, err);
    sources_drop(&b->sources, kind);
    if (rc || !to->rows.start)
        return rc;
    cost->count = csr_entries(&to->rows);
    cost->bytes = csr_bytes(&to->rows) + cost->count * sizeof *to->both;
    return 0;
}

static int step_orders(struct build *b, struct build_step *cost, struct error *err)
{
    struct source_params params = {.keep = build_neighbours(b->params),
                                   .sgns = b->params->without_sgns ? NULL : &b->sgns,
                                   .threads = b->params->threads,
                                   .progress = b->params->progress};
    b->sgns = build_sgns_params(b->params);
    sources_init(&b->sources, b->d, &b->m->recipe, &params);
    return make_matrix(b, MATRIX_ORDERS, cost, err);
}

static int step_alike(struct build *b, struct build_step *cost, struct error *err)
{
    int rc = make_matrix(b, MATRIX_ALIKE, cost, err);
    cooc_deinit(&b->sources.orders);
    return rc;
}

static int step_shoppers(struct build *b, struct build_step *cost, struct error *err)
{
    int rc = make_matrix(b, MATRIX_SHOPPERS, cost, err);
    cooc_deinit(&b->sources.shoppers);
    return rc;
}

/* counts[i]: the histories that have item i. */
static int count_histories(const struct histories *h, uint32_t items, uint32_t **counts,
                           struct error *err)
{
    uint32_t *last; /* the history + 1 that counted the item last */
    if (!MEM_ZNEW(*counts, items) || !MEM_ZNEW(last, items))
        return out_of_memory(err);
    for (uint32_t u = 0; u < h->count; u++) {
        for (uint64_t x = h->start[u]; x < h->start[u + 1]; x++) {
            (*counts)[h->item[x]] += last[h->item[x]] != u + 1;
            last[h->item[x]] = u + 1;
        }
    }
    free(last);
    return 0;
}

static int step_next(struct build *b, struct build_step *cost, struct error *err)
{
    int rc = make_matrix(b, MATRIX_NEXT, cost, err);
    b->m->vectors = b->sources.vectors;
    b->sources.vectors = (struct embeddings){0};
    return rc ? rc : count_histories(&b->sources.histories, b->m->item_count, &b->m->buyers, err);
}

static int step_repeat(struct build *b, struct build_step *cost, struct error *err)
{
    const struct histories *h = &b->sources.histories;
    int rc = repeat_build(b->d, h->start ? h : NULL, &b->m->repeat, err);
    cost->count = b->m->repeat.shoppers;
    cost->bytes = rc ? 0 : repeat_bytes(&b->m->repeat);
    return rc;
}

static int step_visits(struct build *b, struct build_step *cost, struct error *err)
{
    const struct histories *visits = &b->sources.visits;
    int rc = make_matrix(b, MATRIX_VISITS, cost, err);
    if (rc || !visits->start)
        return rc;
    b->m->visit_count = visits->count;
    if (b->m->recipe.mixes[MIX_SESSION].neighbours > 0)
        rc = sessionknn_build(visits, NULL, &b->m->neighbours, err);
    cost->bytes += sessionknn_bytes(&b->m->neighbours);
    return rc ? rc : count_histories(visits, b->m->item_count, &b->m->visits, err);
}

static int step_seal(struct build *b, struct build_step *cost, struct error *err)
{
    int rc = model_seal(b->m, err);
    cost->bytes = rc ? 0 : model_bytes(b->m);
    return rc;
}

static const struct step steps[] = {
    {"items", step_items},       {"popularity", step_popularity},
    {"itemsets", step_itemsets}, {"rules", step_rules},
    {"orders", step_orders},     {"alike", step_alike},
    {"shoppers", step_shoppers}, {"next", step_next},
    {"repeat", step_repeat},     {"visits", step_visits},
    {"seal", step_seal},
};
#define STEP_COUNT (sizeof steps / sizeof *steps)
_Static_assert(STEP_COUNT <= BUILD_STEPS_MAX, "the report has room for all steps");

static int run_steps(struct build *b, struct error *err)
{
    for (size_t x = 0; x < STEP_COUNT; x++) {
        struct build_step *cost = &b->report->steps[x];
        uint64_t wall = clock_mono_ns();
        double cpu = clock_cpu_s();
        cost->name = steps[x].name;
        progress_begin(b->params->progress, steps[x].name, 0);
        if (progress_cancelled(b->params->progress))
            return error_set(err, ERR_CANCELLED, "training: cancelled");
        int rc = steps[x].run(b, cost, err);
        if (rc)
            return rc;
        cost->wall_s = (double)(clock_mono_ns() - wall) / 1e9;
        cost->cpu_s = clock_cpu_s() - cpu;
        b->report->step_count = (uint32_t)x + 1;
    }
    return 0;
}

static int check_memory(struct build *b, struct error *err)
{
    struct dataset_shape shape;
    struct estimate estimate;
    dataset_shape_of(b->d, &shape);
    build_estimate(&shape, b->params, &estimate);
    b->report->estimate_bytes = estimate.peak_bytes;
    uint64_t limit = b->params->memory_limit_bytes;
    if (limit == 0 || estimate.peak_bytes <= limit)
        return 0;
    return error_set(err, ERR_LIMIT,
                     "training may need %" PRIu64 " MiB, the memory limit is %" PRIu64
                     " MiB: raise it, or lower the neighbours, itemsets or rules to keep, or train "
                     "without embeddings",
                     estimate.peak_bytes >> 20, limit >> 20);
}

struct model *model_build(const struct dataset *d,
                          struct str (*name_of)(void *context, uint32_t item_key), void *context,
                          const struct build_params *params, struct build_report *report,
                          struct error *err)
{
    struct build_report unasked = {0};
    struct build b = {.d = d,
                      .name_of = name_of,
                      .context = context,
                      .params = params,
                      .report = report ? report : &unasked};
    assert(!d->builder);
    *b.report = (struct build_report){0};
    const char *what;
    if (d->basket_count == 0) {
        error_set(err, ERR_INVALID, "training: there are no orders to learn from");
        return NULL;
    }
    if (params->recipe && !recipe_valid(params->recipe, &what)) {
        error_set(err, ERR_INVALID, "training: recipe: %s", what);
        return NULL;
    }
    int rc = check_memory(&b, err);
    if (rc)
        return NULL;
    b.m = model_new(err);
    if (!b.m)
        return NULL;
    rc = run_steps(&b, err);
    itemsets_deinit(&b.itemsets);
    sources_deinit(&b.sources);
    if (rc == 0)
        return b.m;
    model_unref(b.m);
    return NULL;
}
