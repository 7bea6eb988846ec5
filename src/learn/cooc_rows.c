/* Weights of pairs and the best of them per item. Cost: one weight and mostly one comparison a
 * pair.
 */
#include "learn/cooc.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "cooc_internal.h"
#include "rows.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_ROWS 64

static double x_ln_x(uint64_t x)
{
    return x > 1 ? (double)x * log((double)x) : 0;
}

/* What an item with n_i of n baskets takes off every one of its log likelihood ratios. */
static double margin(uint64_t n, uint64_t n_i)
{
    return x_ln_x(n_i) + x_ln_x(n - n_i);
}

/* Dunning 1993; 0 for pairs no more frequent than chance. */
static double log_likelihood(uint64_t n, uint64_t n_i, uint64_t n_j, uint64_t n_ij, double margins)
{
    if (n_ij * n <= n_i * n_j)
        return 0;
    /* Units too large for n_ij are in n_i and n_j: there may seem to be fewer than none. */
    uint64_t neither = n + n_ij > n_i + n_j ? n + n_ij - n_i - n_j : 0;
    double sum = x_ln_x(n_ij) + x_ln_x(n_i - n_ij) + x_ln_x(n_j - n_ij) + x_ln_x(neither);
    double ratio = 2 * (sum - margins + x_ln_x(n));
    return ratio > 0 ? ratio : 0;
}

double weight_of(enum weight w, uint64_t n, uint64_t n_i, uint64_t n_j, uint64_t n_ij)
{
    assert(n_ij <= n_i && n_ij <= n_j && n_i <= n && n_j <= n);
    if (n_ij == 0)
        return 0;
    switch (w) {
    case WEIGHT_COSINE:
        return (double)n_ij / sqrt((double)n_i * (double)n_j);
    case WEIGHT_LLR:
        return log_likelihood(n, n_i, n_j, n_ij, margin(n, n_i) + margin(n, n_j));
    case WEIGHT_JACCARD:
        return (double)n_ij / (double)(n_i + n_j - n_ij);
    case WEIGHT_CONFIDENCE:
        return (double)n_ij / (double)n_i;
    }
    return 0;
}

struct job {
    const struct cooc *pairs;
    enum weight weight;
    uint32_t k, min_count, threads;
    uint32_t *rank;  /* [items] by (n_i descending, item) */
    double *margins; /* [items], LLR only */
    struct rows rows;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

static double weigh(const struct job *job, uint32_t i, uint32_t j, uint32_t count)
{
    const struct cooc *c = job->pairs;
    if (job->margins)
        return log_likelihood(c->unit_count, c->item_units[i], c->item_units[j], count,
                              job->margins[i] + job->margins[j]);
    return weight_of(job->weight, c->unit_count, c->item_units[i], c->item_units[j], count);
}

static void make_row(struct job *job, uint32_t i, struct topk *best)
{
    const struct cooc *c = job->pairs;
    topk_init(best, best->entries, job->k);
    for (uint64_t e = c->start[i]; e < c->start[i + 1]; e++) {
        if (c->count[e] < job->min_count)
            continue;
        float weight = (float)weigh(job, i, c->column[e], c->count[e]);
        if (weight > 0)
            topk_offer(best, c->column[e], weight, job->rank[c->column[e]]);
    }
    rows_put(&job->rows, i, best);
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    struct topk best = {0};
    uint64_t begin, end;
    if (!MEM_NEW(best.entries, job->k)) {
        job->status[worker] = ERR_NOMEM;
        return;
    }
    while (cursor_take(&job->cursor, &begin, &end))
        for (uint64_t i = begin; i < end; i++)
            make_row(job, (uint32_t)i, &best);
    free(best.entries);
}

static int make_rows(struct job *job, struct error *err)
{
    const struct cooc *c = job->pairs;
    uint32_t items = c->item_count, workers = parallel_workers(job->threads);
    if (!MEM_NEW(job->rank, items) || !rows_rank_items(c->item_units, items, job->rank))
        return ERR_NOMEM;
    int status = rows_init(&job->rows, items, items, c->start, job->k, err);
    if (status)
        return status;
    cursor_init(&job->cursor, items, PIECE_ROWS);
    parallel_run(workers, run_worker, job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job->status[w];
    return status;
}

/* Makes the rows when what they are weighed with is there. */
static int finish(struct job *job, bool prepared, struct csr *out, struct error *err)
{
    int status = prepared ? make_rows(job, err) : ERR_NOMEM;
    free(job->rank);
    free(job->margins);
    if (status == 0) {
        rows_finish(&job->rows, out, NULL);
        return 0;
    }
    rows_deinit(&job->rows);
    return error_set(err, status, "rows of pairs: out of memory");
}

int cooc_rows(const struct cooc *c, const struct cooc_rows_params *params, struct csr *out,
              struct error *err)
{
    struct job job = {.pairs = c,
                      .weight = params->weight,
                      .k = params->k,
                      .min_count = params->min_count,
                      .threads = params->threads};
    if (job.weight == WEIGHT_LLR)
        MEM_NEW(job.margins, c->item_count);
    for (uint32_t i = 0; job.margins && i < c->item_count; i++)
        job.margins[i] = margin(c->unit_count, c->item_units[i]);
    return finish(&job, job.weight != WEIGHT_LLR || job.margins, out, err);
}

uint64_t cooc_estimate_bytes(const struct dataset_shape *shape, const struct cooc_params *params)
{
    double kept = rows_distinct_pairs(shape);
    double most = 2.0 * params->max_per_row * (double)shape->items;
    if (params->max_per_row && kept > most)
        kept = most;
    uint64_t transpose = 4 * shape->lines + 8 * shape->items;
    uint64_t workers = (uint64_t)parallel_workers(params->threads) * 25 * shape->items;
    uint64_t mass = params->unit_power > 0 || params->half_life_days > 0 ? 4 : 0;
    uint64_t units = shape->orders;
    workers += mass * 2 * (uint64_t)parallel_workers(params->threads) * shape->items;
    /* the pairs and, where rows are pruned, those one side gave the other, at most half of them;
     * what is not freed yet of where each worker kept them */
    double held = kept * (params->max_per_row ? 1.5 : 1);
    double blocks = (double)parallel_workers(params->threads) * COOC_BLOCK_PAIRS;
    held += blocks < kept ? blocks : kept;
    return (uint64_t)((double)(8 + mass) * held) + transpose + workers + mass * units +
           (60 + mass) * shape->items;
}

uint64_t cooc_rows_estimate_bytes(const struct dataset_shape *shape, uint32_t k)
{
    double kept = rows_distinct_pairs(shape), most = (double)k * (double)shape->items;
    return (uint64_t)(8 * (kept < most ? kept : most)) + 40 * shape->items;
}
