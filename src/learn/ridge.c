/* One system per target item. Its matrix is assembled from the rows of its neighbours' counts: by
 * reading a row from end to end into place, or, where the row is long against the few columns
 * wanted, by binary searches for all of them in step, whose cache misses overlap. Only the lower
 * triangle is made; neighbours in ascending order, so that the part of a row behind its own item is
 * enough. Weights are kept by target until all are there, then turned round and pruned.
 *
 * Cost per item: K rows of counts or K^2/2 searches, K^3/3 flops a lambda. Memory: 8 K bytes an
 * item while turning, two K x K matrices a worker. */
#include "learn/ridge.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "blas.h"
#include "gram.h"
#include "rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_NEIGHBOURS 100
#define DEFAULT_LAMBDA     50.0f
#define DEFAULT_KEEP       200
#define RETRIES            12
#define PIECE_ITEMS        16
#define SEARCH_COST        3 /* a step of a search, in entries of a row read on end */

struct job {
    const struct cooc *pairs;
    const float *lambda;
    uint32_t lambdas;
    uint32_t most;    /* neighbours of any item */
    uint32_t *rank;   /* [items] by (n_i descending, item) */
    float scale;      /* of lambda: of masses, as it is of counts */
    float *norm;      /* [items] G_ii^-1/2 */
    float *factor;    /* [items] n_j^-a */
    struct csr found; /* target -> its neighbours, ascending */
    float **weight;   /* [lambdas][entries of found] */
    struct blas blas;
    struct progress *progress;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
    struct ridge_report report[PARALLEL_WORKERS_MAX];
};

/* One worker's system of m neighbours. Columns of the matrices are `stride`, most + 1, apart: the
 * last place of each takes what is read of items that are no neighbours. */
struct solver {
    uint32_t m, stride;
    uint32_t *place;         /* [items] of the neighbour in the system; most: none */
    struct topk_entry *best; /* [most] */
    uint64_t *chosen;        /* bitmap of the entries of a row */
    uint64_t *at;            /* [most] */
    float *gram, *matrix;    /* [stride x stride] lower triangles, by columns */
    float *both, *solution;  /* [most] */
};

static uint64_t row_length(const struct cooc *c, uint32_t i)
{
    return c->start[i + 1] - c->start[i];
}

/* The neighbours of j into its row of `found`, n_ij into both[]. */
static void choose(const struct job *job, struct solver *s, uint32_t j)
{
    const struct cooc *c = job->pairs;
    uint64_t begin = c->start[j], length = row_length(c, j);
    uint32_t *neighbour = job->found.column + job->found.start[j];
    const uint32_t *column = c->column + begin;
    s->m = (uint32_t)(job->found.start[j + 1] - job->found.start[j]);
    memset(s->chosen, s->m == length ? 0xff : 0, (length + 63) / 64 * sizeof *s->chosen);
    if (s->m < length) {
        struct topk best;
        topk_init(&best, s->best, s->m);
        for (uint32_t e = 0; e < length; e++) {
            float cosine = gram_pair(c, begin + e) * job->norm[column[e]];
            cosine = cosine > 0 ? cosine : 0; /* what is no number is the system's to refuse */
            if (best.count < s->m || cosine >= best.entries[0].score)
                topk_offer(&best, e, cosine, job->rank[column[e]]);
        }
        for (uint32_t x = 0; x < best.count; x++)
            s->chosen[best.entries[x].item / 64] |= 1ULL << (best.entries[x].item % 64);
    }
    uint32_t taken = 0;
    for (uint64_t word = 0; word < (length + 63) / 64; word++) {
        for (uint64_t bits = s->chosen[word]; bits && taken < s->m; bits &= bits - 1) {
            uint64_t e = word * 64 + (uint64_t)__builtin_ctzll(bits);
            neighbour[taken] = column[e];
            s->both[taken++] = gram_pair(c, begin + e);
        }
    }
}

/* For each of `wanted` keys the last of the ascending columns that is not above it, or the first.
 */
static void search(const uint32_t *column, uint64_t length, const uint32_t *key, uint32_t wanted,
                   uint64_t *at)
{
    memset(at, 0, wanted * sizeof *at);
    for (uint64_t half; length > 1; length -= half) {
        half = length / 2;
        for (uint32_t x = 0; x < wanted; x++)
            at[x] += column[at[x] + half] <= key[x] ? half : 0;
    }
}

/* Column x of the system, below the diagonal: what neighbour x has in common with later ones. */
static void assemble_column(const struct job *job, struct solver *s, const uint32_t *neighbour,
                            uint32_t x)
{
    const struct cooc *c = job->pairs;
    uint64_t begin = c->start[neighbour[x]], length = row_length(c, neighbour[x]), first = 0;
    const uint32_t *column = c->column + begin;
    float *to = s->gram + (size_t)x * s->stride;
    uint32_t wanted = s->m - x - 1;
    memset(to, 0, s->m * sizeof *to);
    to[x] = gram_item(c, neighbour[x]);
    if (length == 0 || wanted == 0)
        return;
    uint64_t steps = 64 - (uint64_t)__builtin_clzll(length);
    if (wanted * steps * SEARCH_COST < length / 2) {
        search(column, length, neighbour + x + 1, wanted, s->at);
        for (uint32_t y = 0; y < wanted; y++)
            if (column[s->at[y]] == neighbour[x + 1 + y])
                to[x + 1 + y] = gram_pair(c, begin + s->at[y]);
        return;
    }
    search(column, length, &neighbour[x], 1, &first);
    for (uint64_t e = first + (column[first] <= neighbour[x]); e < length; e++)
        to[s->place[column[e]]] = gram_pair(c, begin + e);
}

static void assemble(const struct job *job, struct solver *s, const uint32_t *neighbour)
{
    for (uint32_t x = 0; x < s->m; x++)
        s->place[neighbour[x]] = x;
    for (uint32_t x = 0; x < s->m; x++)
        assemble_column(job, s, neighbour, x);
    for (uint32_t x = 0; x < s->m; x++)
        s->place[neighbour[x]] = s->stride - 1;
}

static bool all_finite(const float *v, uint32_t count)
{
    bool finite = true;
    for (uint32_t x = 0; x < count; x++)
        finite &= isfinite(v[x]) != 0;
    return finite;
}

static bool pivots_hold(const struct solver *s, float lambda)
{
    bool hold = true;
    for (uint32_t x = 0; x < s->m; x++) {
        size_t at = (size_t)x * s->stride + x;
        hold &= gram_pivot_holds(s->matrix[at], s->gram[at] + lambda);
    }
    return hold;
}

/* (gram + lambda I) solution = both; false: cannot be solved. */
static bool solve(const struct job *job, struct solver *s, float lambda)
{
    const struct blas *blas = &job->blas;
    int m = (int)s->m, stride = (int)s->stride, info;
    for (uint32_t x = 0; x < s->m; x++) {
        size_t at = (size_t)x * s->stride + x;
        memcpy(s->matrix + at, s->gram + at, (s->m - x) * sizeof *s->gram);
        s->matrix[at] += lambda;
    }
    blas->spotrf("L", &m, s->matrix, &stride, &info);
    if (info || !pivots_hold(s, lambda))
        return false;
    memcpy(s->solution, s->both, s->m * sizeof *s->both);
    blas->strsv(CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, m, s->matrix, stride,
                s->solution, 1);
    blas->strsv(CblasColMajor, CblasLower, CblasTrans, CblasNonUnit, m, s->matrix, stride,
                s->solution, 1);
    return all_finite(s->solution, s->m);
}

/* The weights of j's neighbours for each lambda; zeroes where there is no solution. */
static void learn_item(const struct job *job, struct solver *s, struct ridge_report *report,
                       uint32_t j)
{
    uint64_t to = job->found.start[j];
    if (job->found.start[j + 1] == to)
        return;
    choose(job, s, j);
    assemble(job, s, job->found.column + to);
    for (uint32_t l = 0; l < job->lambdas; l++) {
        float lambda = job->lambda[l] * job->scale;
        bool solved = solve(job, s, lambda);
        report->retried += !solved;
        for (int n = 0; !solved && n < RETRIES; n++)
            solved = solve(job, s, lambda *= 10);
        report->dropped += !solved;
        for (uint32_t x = 0; x < s->m; x++)
            job->weight[l][to + x] = solved ? s->solution[x] * job->factor[j] : 0;
    }
}

static bool solver_init(struct solver *s, const struct job *job)
{
    uint32_t items = job->pairs->item_count;
    size_t stride = (size_t)job->most + 1;
    *s = (struct solver){.stride = job->most + 1};
    MEM_NEW(s->place, items);
    MEM_NEW(s->best, job->most);
    MEM_NEW(s->chosen, items / 64 + 1);
    MEM_NEW(s->at, job->most);
    MEM_NEW(s->gram, stride * stride);
    MEM_NEW(s->matrix, stride * stride);
    MEM_NEW(s->both, job->most);
    MEM_NEW(s->solution, job->most);
    for (uint32_t i = 0; s->place && i < items; i++)
        s->place[i] = job->most;
    return s->place && s->best && s->chosen && s->at && s->gram && s->matrix && s->both &&
           s->solution;
}

static void solver_deinit(struct solver *s)
{
    free(s->place);
    free(s->best);
    free(s->chosen);
    free(s->at);
    free(s->gram);
    free(s->matrix);
    free(s->both);
    free(s->solution);
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    struct solver s;
    struct ridge_report report = {0};
    int status = solver_init(&s, job) ? 0 : ERR_NOMEM;
    uint64_t begin, end;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t j = begin; j < end; j++)
            learn_item(job, &s, &report, (uint32_t)j);
        if (progress_step(job->progress, end - begin))
            status = ERR_CANCELLED;
    }
    solver_deinit(&s);
    job->status[worker] = status;
    job->report[worker] = report;
}

/* Room for the neighbours of each item. */
static int make_room(struct job *job, uint32_t neighbours, struct error *err)
{
    const struct cooc *c = job->pairs;
    uint64_t entries = 0;
    for (uint32_t j = 0; j < c->item_count; j++)
        entries += row_length(c, j) < neighbours ? row_length(c, j) : neighbours;
    int status = csr_alloc(&job->found, c->item_count, c->item_count, entries, 0, err);
    if (status)
        return status;
    for (uint32_t j = 0; j < c->item_count; j++) {
        uint64_t length = row_length(c, j), taken = length < neighbours ? length : neighbours;
        job->found.start[j + 1] = job->found.start[j] + taken;
        job->most = taken > job->most ? (uint32_t)taken : job->most;
    }
    if (!MEM_ZNEW(job->weight, job->lambdas))
        return ERR_NOMEM;
    for (uint32_t l = 0; l < job->lambdas; l++)
        if (!MEM_NEW(job->weight[l], entries))
            return ERR_NOMEM;
    return 0;
}

static int prepare(struct job *job, const struct ridge_params *params, struct error *err)
{
    const struct cooc *c = job->pairs;
    int status = blas_load(&job->blas, "ridge", err);
    if (status)
        return status;
    MEM_NEW(job->rank, c->item_count);
    MEM_NEW(job->norm, c->item_count);
    MEM_NEW(job->factor, c->item_count);
    if (!job->rank || !job->norm || !job->factor ||
        !rows_rank_items(c->item_units, c->item_count, job->rank))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < c->item_count; i++) {
        float units = c->item_units[i] ? (float)c->item_units[i] : 1;
        job->norm[i] = 1 / sqrtf(c->item_units[i] ? gram_item(c, i) : 1);
        job->factor[i] = powf(units, -params->target_power);
    }
    job->scale = gram_scale(c);
    return make_room(job, params->neighbours ? params->neighbours : DEFAULT_NEIGHBOURS, err);
}

static int learn(struct job *job, const struct ridge_params *params, struct error *err)
{
    uint32_t workers = parallel_workers(params->threads), items = job->pairs->item_count;
    int status = prepare(job, params, err);
    if (status)
        return status;
    progress_begin(job->progress, "solving ridge", items);
    cursor_init(&job->cursor, items, PIECE_ITEMS);
    parallel_run(workers, run_worker, job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job->status[w];
    return status;
}

/* From weights by target to the rows of sources. */
static int turn(struct job *job, uint32_t lambda, const struct ridge_params *params,
                struct csr *out, struct error *err)
{
    struct csr by_source;
    job->found.value = job->weight[lambda];
    int status = csr_transpose(&job->found, &by_source, err);
    job->found.value = NULL;
    free(job->weight[lambda]);
    job->weight[lambda] = NULL;
    if (status)
        return status;
    status = rows_prune(&by_source, job->rank, params->keep ? params->keep : DEFAULT_KEEP,
                        params->threads, out, err);
    csr_deinit(&by_source);
    return status;
}

static void job_deinit(struct job *job)
{
    free(job->rank);
    free(job->norm);
    free(job->factor);
    csr_deinit(&job->found);
    for (uint32_t l = 0; job->weight && l < job->lambdas; l++)
        free(job->weight[l]);
    free(job->weight);
}

static int check(const struct job *job, const struct ridge_params *params, struct error *err)
{
    for (uint32_t l = 0; l < job->lambdas; l++)
        if (!isfinite(job->lambda[l]) || job->lambda[l] <= 0)
            return error_set(err, ERR_INVALID, "ridge: lambda is %g, must be above 0",
                             (double)job->lambda[l]);
    if (!isfinite(params->target_power))
        return error_set(err, ERR_INVALID, "ridge: target_power is not a number");
    return 0;
}

int ridge_rows(const struct cooc *c, const struct ridge_params *params, struct csr *out,
               struct ridge_report *report, struct error *err)
{
    static const float usual = DEFAULT_LAMBDA;
    struct job job = {.pairs = c,
                      .lambda = params->lambdas ? params->lambdas : &usual,
                      .lambdas = params->lambdas ? params->lambda_count : 1,
                      .progress = params->progress};
    int status = check(&job, params, err);
    if (status)
        return status;
    status = learn(&job, params, err);
    uint32_t made = 0;
    while (status == 0 && made < job.lambdas) {
        status = turn(&job, made, params, &out[made], err);
        made += status == 0;
    }
    while (status && made > 0)
        csr_deinit(&out[--made]);
    struct ridge_report sum = {0};
    for (uint32_t w = 0; w < PARALLEL_WORKERS_MAX; w++) {
        sum.retried += job.report[w].retried;
        sum.dropped += job.report[w].dropped;
    }
    job_deinit(&job);
    if (status)
        return error_set(err, status, "ridge: %s",
                         status == ERR_NOMEM ? "out of memory" : "cancelled");
    if (report)
        *report = sum;
    return 0;
}

uint64_t ridge_estimate_bytes(const struct dataset_shape *shape, const struct ridge_params *params)
{
    uint64_t neighbours = params->neighbours ? params->neighbours : DEFAULT_NEIGHBOURS;
    uint64_t lambdas = params->lambdas ? params->lambda_count : 1, items = shape->items;
    uint64_t most = neighbours < items ? neighbours : items;
    double entries = (double)most * (double)items, pairs = rows_distinct_pairs(shape);
    entries = entries < pairs ? entries : pairs;
    /* found and weights; one lambda turned, and its rows while they move together */
    uint64_t held = (uint64_t)entries * (4 + 4 * lambdas + 8 + 8 * lambdas);
    uint64_t worker = 8 * (most + 1) * (most + 1) + 5 * items + 40 * most;
    return held + parallel_workers(params->threads) * worker + items * (60 + 8 * lambdas);
}
