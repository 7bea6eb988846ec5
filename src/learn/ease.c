/* The inverse comes from the symmetric sweep, a block of columns at a time: with D the inverse of
 * the diagonal block k, U the block column k and W = U D,
 *
 *   A_ij -= W_i U_j'     A_ik = W_i     A_kk = -D
 *
 * turns A into -A^-1 once every block was swept. Every step is one pass of matrix products over
 * what is stored: the lower triangle in strips of BLOCK rows, each as wide as its diagonal block
 * reaches, so that a strip is one product and half a matrix is held. Strips are independent within
 * a step, and the order of additions is that of the product: the bits do not depend on the threads.
 *
 * Cost: n^3 flops; memory: 2 n^2 bytes and two block columns. */
#include "learn/ease.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "blas.h"
#include "gram.h"
#include "rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_LAMBDA    200.0f
#define DEFAULT_MAX_ITEMS 15000
#define DEFAULT_KEEP      200
#define RETRIES           4
#define BLOCK             256
#define ROWS_AT_A_TIME    16 /* floats of a cache line: rows are read down columns too */

struct job {
    const struct cooc *pairs;
    uint32_t items, blocks;
    float lambda;
    float **strip;  /* [blocks] BLOCK x (b + 1) BLOCK, by rows */
    float *column;  /* U, [blocks x BLOCK][BLOCK]; block k zero while strips are swept */
    float *scaled;  /* W, the same shape */
    float *inverse; /* D, [BLOCK][BLOCK] */
    float *pivot;   /* [items] 1 / P_jj */
    uint32_t k;     /* being swept */
    uint32_t keep;
    uint32_t *rank;
    struct rows rows;
    struct blas blas;
    struct progress *progress;
    struct cursor cursor;
    atomic_bool not_finite;
    int status[PARALLEL_WORKERS_MAX];
};

static size_t width(uint32_t block)
{
    return (block + (size_t)1) * BLOCK;
}

/* G + lambda I; beyond the items the unit matrix. */
static void fill_strips(void *context, uint32_t worker)
{
    struct job *job = context;
    const struct cooc *c = job->pairs;
    uint64_t b, end;
    (void)worker;
    while (cursor_take(&job->cursor, &b, &end)) {
        memset(job->strip[b], 0, BLOCK * width((uint32_t)b) * sizeof(float));
        for (uint32_t r = 0; r < BLOCK; r++) {
            uint32_t i = (uint32_t)b * BLOCK + r;
            float *row = job->strip[b] + r * width((uint32_t)b);
            row[i] = i < job->items ? gram_item(c, i) + job->lambda : 1;
            for (uint64_t e = i < job->items ? c->start[i] : 0;
                 i < job->items && e < c->start[i + 1] && c->column[e] < width((uint32_t)b); e++)
                row[c->column[e]] = gram_pair(c, e);
        }
    }
}

/* What block k had on its diagonal before it was swept. */
static bool pivots_hold(const struct job *job)
{
    bool hold = true;
    for (uint32_t r = 0; r < BLOCK; r++) {
        uint32_t i = job->k * BLOCK + r;
        float diagonal = i < job->items ? gram_item(job->pairs, i) + job->lambda : 1;
        hold &= gram_pivot_holds(job->inverse[(size_t)r * BLOCK + r], diagonal);
    }
    return hold;
}

/* D; false: the block is not positive definite. */
static bool invert_block(struct job *job)
{
    const float *from = job->strip[job->k] + (size_t)job->k * BLOCK;
    float *d = job->inverse;
    int n = BLOCK, info;
    for (uint32_t r = 0; r < BLOCK; r++)
        memcpy(d + (size_t)r * BLOCK, from + r * width(job->k), BLOCK * sizeof *d);
    job->blas.spotrf("L", &n, d, &n, &info);
    if (info || !pivots_hold(job))
        return false;
    job->blas.spotri("L", &n, d, &n, &info);
    for (uint32_t r = 0; r < BLOCK; r++) /* LAPACK's columns are our rows: the upper half is made */
        for (uint32_t c = 0; c < r; c++)
            d[(size_t)r * BLOCK + c] = d[(size_t)c * BLOCK + r];
    return info == 0;
}

/* U and W, a block at a time. */
static void take_column(void *context, uint32_t worker)
{
    struct job *job = context;
    uint32_t k = job->k;
    uint64_t b, end;
    (void)worker;
    while (cursor_take(&job->cursor, &b, &end)) {
        float *u = job->column + b * BLOCK * BLOCK, *w = job->scaled + b * BLOCK * BLOCK;
        for (uint32_t r = 0; r < BLOCK; r++) {
            for (uint32_t c = 0; c < BLOCK && b < k; c++)
                u[r * BLOCK + c] = job->strip[k][c * width(k) + b * BLOCK + r];
            if (b > k)
                memcpy(u + r * BLOCK, job->strip[b] + r * width((uint32_t)b) + (size_t)k * BLOCK,
                       BLOCK * sizeof *u);
        }
        if (b == k)
            memset(u, 0, BLOCK * BLOCK * sizeof *u);
        job->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, BLOCK, BLOCK, BLOCK, 1, u, BLOCK,
                        job->inverse, BLOCK, 0, w, BLOCK);
    }
}

static void sweep_own_strip(struct job *job)
{
    uint32_t k = job->k;
    for (uint32_t r = 0; r < BLOCK; r++) {
        float *row = job->strip[k] + r * width(k);
        for (uint32_t c = 0; c < k * BLOCK; c++)
            row[c] = job->scaled[(size_t)c * BLOCK + r];
        for (uint32_t c = 0; c < BLOCK; c++)
            row[k * BLOCK + c] = -job->inverse[(size_t)r * BLOCK + c];
    }
}

/* The widest strips first. */
static void sweep_strips(void *context, uint32_t worker)
{
    struct job *job = context;
    uint64_t taken, end;
    (void)worker;
    while (cursor_take(&job->cursor, &taken, &end)) {
        uint32_t b = job->blocks - 1 - (uint32_t)taken, k = job->k;
        const float *w = job->scaled + (size_t)b * BLOCK * BLOCK;
        if (b == k) {
            sweep_own_strip(job);
            continue;
        }
        job->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, BLOCK, (int)width(b), BLOCK, -1, w,
                        BLOCK, job->column, BLOCK, 1, job->strip[b], (int)width(b));
        for (uint32_t r = 0; r < BLOCK && b > k; r++)
            memcpy(job->strip[b] + r * width(b) + (size_t)k * BLOCK, w + (size_t)r * BLOCK,
                   BLOCK * sizeof *w);
    }
}

static void each_block(struct job *job, uint32_t workers, void (*body)(void *, uint32_t))
{
    cursor_init(&job->cursor, job->blocks, 1);
    parallel_run(workers, body, job);
}

/* ERR_INVALID: cannot be solved with this lambda. */
static int invert(struct job *job, uint32_t workers)
{
    progress_begin(job->progress, "inverting", job->blocks);
    each_block(job, workers, fill_strips);
    for (job->k = 0; job->k < job->blocks; job->k++) {
        if (!invert_block(job))
            return ERR_INVALID;
        each_block(job, workers, take_column);
        each_block(job, workers, sweep_strips);
        if (progress_step(job->progress, 1))
            return ERR_CANCELLED;
    }
    return 0;
}

static float entry(const struct job *job, uint32_t i, uint32_t j)
{
    return job->strip[i / BLOCK][i % BLOCK * width(i / BLOCK) + j];
}

/* Rows first .. first + ROWS_AT_A_TIME - 1 of -P, as far as there are items, side by side. */
static void read_rows(const struct job *job, uint32_t first, uint32_t count, float *out)
{
    for (uint32_t j = 0; j < job->items; j++)
        for (uint32_t r = 0; r < count; r++)
            out[(size_t)r * job->items + j] =
                j > first + r ? entry(job, j, first + r) : entry(job, first + r, j);
}

/* First the largest, then these in the order of the result. */
static void choose(struct job *job, uint32_t i, const float *row, struct topk_entry *large,
                   struct topk_entry *ordered)
{
    struct topk first, last;
    topk_init(&first, large, job->keep);
    topk_init(&last, ordered, job->keep);
    bool finite = true;
    for (uint32_t j = 0; j < job->items; j++) {
        float weight = row[j] * job->pivot[j];
        finite &= isfinite(weight) != 0;
        if (j != i && weight != 0 && (first.count < job->keep || fabsf(weight) >= large[0].score))
            topk_offer(&first, j, fabsf(weight), job->rank[j]);
    }
    if (!finite)
        atomic_store(&job->not_finite, true);
    for (uint32_t x = 0; x < first.count; x++) {
        uint32_t j = large[x].item;
        topk_offer(&last, j, row[j] * job->pivot[j], job->rank[j]);
    }
    rows_put(&job->rows, i, &last);
}

static void choose_rows(void *context, uint32_t worker)
{
    struct job *job = context;
    struct topk_entry *large, *ordered;
    float *rows;
    uint64_t begin, end;
    MEM_NEW(large, job->keep);
    MEM_NEW(ordered, job->keep);
    MEM_NEW(rows, ROWS_AT_A_TIME * (size_t)job->items);
    job->status[worker] = large && ordered && rows ? 0 : ERR_NOMEM;
    while (job->status[worker] == 0 && cursor_take(&job->cursor, &begin, &end)) {
        read_rows(job, (uint32_t)begin, (uint32_t)(end - begin), rows);
        for (uint64_t i = begin; i < end; i++)
            choose(job, (uint32_t)i, rows + (i - begin) * job->items, large, ordered);
    }
    free(large);
    free(ordered);
    free(rows);
}

/* ERR_INVALID: something is no number. */
static int choose_all(struct job *job, uint32_t workers)
{
    int status = 0;
    atomic_store(&job->not_finite, false);
    for (uint32_t j = 0; j < job->items; j++)
        job->pivot[j] = -1 / entry(job, j, j);
    cursor_init(&job->cursor, job->items, ROWS_AT_A_TIME);
    parallel_run(workers, choose_rows, job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job->status[w];
    if (status == 0 && atomic_load(&job->not_finite))
        return ERR_INVALID;
    return status;
}

static int prepare(struct job *job, struct error *err)
{
    const struct cooc *c = job->pairs;
    size_t block = (size_t)BLOCK * BLOCK;
    int status = blas_load(&job->blas, "ease", err);
    if (status)
        return status;
    MEM_ZNEW(job->strip, job->blocks);
    MEM_NEW(job->column, job->blocks * block);
    MEM_NEW(job->scaled, job->blocks * block);
    MEM_NEW(job->inverse, block);
    MEM_NEW(job->pivot, job->items);
    MEM_NEW(job->rank, job->items);
    if (!job->strip || !job->column || !job->scaled || !job->inverse || !job->pivot || !job->rank ||
        !rows_rank_items(c->item_units, job->items, job->rank))
        return ERR_NOMEM;
    for (uint32_t b = 0; b < job->blocks; b++)
        if (!MEM_NEW(job->strip[b], BLOCK * width(b)))
            return ERR_NOMEM;
    return rows_init(&job->rows, job->items, job->items, NULL, job->keep, err);
}

static void job_deinit(struct job *job)
{
    for (uint32_t b = 0; job->strip && b < job->blocks; b++)
        free(job->strip[b]);
    free(job->strip);
    free(job->column);
    free(job->scaled);
    free(job->inverse);
    free(job->pivot);
    free(job->rank);
    rows_deinit(&job->rows);
}

static int learn(struct job *job, uint32_t threads, struct error *err)
{
    uint32_t workers = parallel_workers(threads);
    int status = prepare(job, err);
    if (status)
        return status;
    for (int tries = 0; tries <= RETRIES; tries++, job->lambda *= 10) {
        status = invert(job, workers);
        if (status == 0)
            status = choose_all(job, workers);
        if (status != ERR_INVALID)
            return status;
    }
    return error_set(err, ERR_INVALID,
                     "ease: the pairs cannot be solved: lambda is too small for items that say the "
                     "same, or they are pruned too far");
}

static int check(const struct cooc *c, const struct ease_params *params, struct error *err)
{
    uint32_t most = params->max_items ? params->max_items : DEFAULT_MAX_ITEMS;
    if (!isfinite(params->lambda) || params->lambda < 0)
        return error_set(err, ERR_INVALID, "ease: lambda is %g, must be above 0",
                         (double)params->lambda);
    if (c->item_count <= most)
        return 0;
    return error_set(err, ERR_LIMIT,
                     "ease: %" PRIu32 " items, at most %" PRIu32
                     " are inverted: use ridge, or raise max_items",
                     c->item_count, most);
}

int ease_rows(const struct cooc *c, const struct ease_params *params, struct csr *out,
              struct error *err)
{
    uint32_t keep = params->keep ? params->keep : DEFAULT_KEEP;
    struct job job = {.pairs = c,
                      .items = c->item_count,
                      .blocks = (c->item_count + BLOCK - 1) / BLOCK,
                      .lambda = params->lambda > 0 ? params->lambda : DEFAULT_LAMBDA,
                      .keep = keep < c->item_count ? keep : c->item_count,
                      .progress = params->progress};
    int status = check(c, params, err);
    if (status)
        return status;
    job.lambda *= gram_scale(c);
    status = learn(&job, params->threads, err);
    if (status == 0)
        rows_finish(&job.rows, out, NULL);
    job_deinit(&job);
    if (status)
        return error_set(err, status, "ease: %s",
                         status == ERR_NOMEM ? "out of memory" : "cancelled");
    return 0;
}

uint64_t ease_estimate_bytes(const struct dataset_shape *shape, const struct ease_params *params)
{
    uint64_t items = shape->items, blocks = (items + BLOCK - 1) / BLOCK, block = BLOCK * BLOCK * 4;
    uint64_t keep = params->keep ? params->keep : DEFAULT_KEEP;
    uint64_t matrix = block * (blocks * (blocks + 1) / 2 + 2 * blocks + 1);
    uint64_t workers = parallel_workers(params->threads) * (ROWS_AT_A_TIME * 4 * items + 24 * keep);
    return matrix + workers + items * (40 + 8 * (keep < items ? keep : items));
}
