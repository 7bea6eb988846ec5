/* From orders to a model, one step after the other (struct step). Each step takes what the ones
 * before left in struct build and is timed; the order keeps the peak of memory low (estimate.c).
 *
 * Weights of the blend are constants, chosen on UCI Online Retail's training part split again by
 * time and carried to other shops unchanged (tests/bench/check_basket --tune prints the choice). */
#include "engine/build.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "build_internal.h"
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
    struct cooc cooc;
    struct build_report *report;
};

struct step {
    const char *name;
    int (*run)(struct build *b, struct build_step *cost, struct error *err);
};

/* Shares of each surface's score. On the tuning part the blend has a hit rate at 10 of .284, on a
 * plateau; its best source alone, the promise of the most telling pairs, .260. Their order says
 * what goes with an item rather than what is like it, so similar does without. */
static const struct {
    float basket, similar;
} source_weights[SOURCE_COUNT] = {
    [SOURCE_LLR] = {0.25f, 0.0f},
    [SOURCE_COSINE] = {0.375f, 0.6f},
    [SOURCE_SGNS] = {0.375f, 0.4f},
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

static int step_embeddings(struct build *b, struct build_step *cost, struct error *err)
{
    if (b->params->without_sgns)
        return 0;
    struct sgns_params params = build_sgns_params(b->params);
    int rc = sgns_train(b->d, &params, &b->m->vectors, err);
    if (rc)
        return rc;
    cost->count = b->m->vectors.item_count;
    cost->bytes = (uint64_t)cost->count * b->m->vectors.dimensions * 2 * sizeof(float);
    return 0;
}

/* Scales a matrix so that its largest weight is 1. */
static void scale_rows(struct csr *rows)
{
    uint64_t entries = csr_entries(rows);
    float largest = 0;
    for (uint64_t e = 0; e < entries; e++)
        largest = rows->value[e] > largest ? rows->value[e] : largest;
    for (uint64_t e = 0; e < entries; e++)
        rows->value[e] /= largest;
}

static void add_cost(struct build_step *cost, const struct csr *rows)
{
    cost->count += csr_entries(rows);
    cost->bytes += csr_bytes(rows);
}

static int step_embedding_rows(struct build *b, struct build_step *cost, struct error *err)
{
    if (b->params->without_sgns)
        return 0;
    struct csr *rows = &b->m->sources[SOURCE_SGNS].rows;
    struct embeddings_rows_params params = {.k = build_neighbours(b->params),
                                            .progress = b->params->progress};
    int rc = embeddings_rows(&b->m->vectors, &params, rows, err);
    if (rc)
        return rc;
    add_cost(cost, rows);
    return 0;
}

static int step_cooc(struct build *b, struct build_step *cost, struct error *err)
{
    struct cooc_params params = build_cooc_params(b->params);
    int rc = cooc_count(&b->d->baskets, &params, &b->cooc, err);
    if (rc)
        return rc;
    cost->count = b->cooc.start[b->cooc.item_count];
    cost->bytes = cooc_bytes(&b->cooc);
    return 0;
}

struct evidence {
    const struct cooc *cooc;
    struct source *source;
    struct cursor cursor;
    atomic_bool out_of_memory;
};

/* Looks the pairs of whole rows up: a row's counts are spread into a dense array, read, cleared. */
static void count_evidence(void *context, uint32_t worker)
{
    struct evidence *e = context;
    const struct cooc *cooc = e->cooc;
    const struct csr *rows = &e->source->rows;
    uint64_t begin, end;
    uint32_t *counts;
    (void)worker;
    if (!MEM_ZNEW(counts, cooc->item_count)) {
        atomic_store(&e->out_of_memory, true);
        return;
    }
    while (cursor_take(&e->cursor, &begin, &end)) {
        for (uint64_t i = begin; i < end; i++) {
            for (uint64_t x = cooc->start[i]; x < cooc->start[i + 1]; x++)
                counts[cooc->column[x]] = cooc->count[x];
            for (uint64_t x = rows->start[i]; x < rows->start[i + 1]; x++)
                e->source->both[x] = counts[rows->column[x]];
            for (uint64_t x = cooc->start[i]; x < cooc->start[i + 1]; x++)
                counts[cooc->column[x]] = 0;
        }
    }
    free(counts);
}

/* A neighbour that no order ever had together with the item is a guess nobody can check; leaving
 * them out raised the hit rate a little on all data tried. */
static void drop_unseen(struct source *s)
{
    struct csr *rows = &s->rows;
    uint64_t kept = 0, begin = 0;
    for (uint32_t i = 0; i < rows->rows; i++) {
        uint64_t end = rows->start[i + 1];
        for (uint64_t e = begin; e < end; e++) {
            if (s->both[e] == 0)
                continue;
            rows->column[kept] = rows->column[e];
            rows->value[kept] = rows->value[e];
            s->both[kept++] = s->both[e];
        }
        begin = end;
        rows->start[i + 1] = kept;
    }
}

static int add_evidence(struct build *b, struct source *s, struct error *err)
{
    if (!s->rows.start)
        return 0;
    struct evidence e = {.cooc = &b->cooc, .source = s};
    if (!MEM_NEW(s->both, csr_entries(&s->rows)))
        return out_of_memory(err);
    cursor_init(&e.cursor, b->d->item_count, 256);
    parallel_run(parallel_workers(b->params->threads), count_evidence, &e);
    if (atomic_load(&e.out_of_memory))
        return out_of_memory(err);
    drop_unseen(s);
    return 0;
}

/* From how telling the pairs of a row are to what they promise. In a row that grows with the number
 * of baskets with both, so the sort is by that; rows are short. */
static void weigh_by_promise(struct source *s, const uint32_t *orders)
{
    struct csr *rows = &s->rows;
    for (uint32_t i = 0; i < rows->rows; i++) {
        for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++) {
            uint32_t column = rows->column[e], both = s->both[e];
            uint64_t at = e;
            for (; at > rows->start[i] && s->both[at - 1] < both; at--) {
                rows->column[at] = rows->column[at - 1];
                s->both[at] = s->both[at - 1];
            }
            rows->column[at] = column;
            s->both[at] = both;
        }
        for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++)
            rows->value[e] = (float)wilson_low(s->both[e], orders[i]);
    }
}

static int step_rows(struct build *b, struct build_step *cost, struct error *err)
{
    static const struct {
        enum source_kind source;
        enum weight weight;
    } made[] = {{SOURCE_LLR, WEIGHT_LLR}, {SOURCE_COSINE, WEIGHT_COSINE}};
    for (size_t x = 0; x < sizeof made / sizeof *made; x++) {
        struct csr *rows = &b->m->sources[made[x].source].rows;
        int rc = cooc_rows(&b->cooc, made[x].weight, build_neighbours(b->params), rows, err);
        if (rc)
            return rc;
        add_cost(cost, rows);
    }
    for (int k = 0; k < SOURCE_COUNT; k++) {
        struct source *s = &b->m->sources[k];
        int rc = add_evidence(b, s, err);
        if (rc)
            return rc;
        if (k == SOURCE_LLR)
            weigh_by_promise(s, b->m->popularity.orders_all);
        scale_rows(&s->rows);
        s->basket_weight = source_weights[k].basket;
        s->similar_weight = source_weights[k].similar;
    }
    cooc_deinit(&b->cooc);
    return 0;
}

static int step_seal(struct build *b, struct build_step *cost, struct error *err)
{
    int rc = model_seal(b->m, err);
    cost->bytes = rc ? 0 : model_bytes(b->m);
    return rc;
}

static const struct step steps[] = {
    {"items", step_items},
    {"popularity", step_popularity},
    {"itemsets", step_itemsets},
    {"rules", step_rules},
    {"embeddings", step_embeddings},
    {"embedding rows", step_embedding_rows},
    {"co-occurrence", step_cooc},
    {"neighbour rows", step_rows},
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
    if (d->basket_count == 0) {
        error_set(err, ERR_INVALID, "training: there are no orders to learn from");
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
    cooc_deinit(&b.cooc);
    if (rc == 0)
        return b.m;
    model_unref(b.m);
    return NULL;
}
