/* A half epoch: the Gram matrix of the fixed side, then each row of the other by itself.
 *
 * A row's matrix starts as the Gram matrix, its items' vectors are gathered in blocks and added by
 * ssyrk, then Cholesky. Cost of a half epoch: entries times d^2, rows times d^3/3, the Gram matrix
 * rows times d^2. The Gram matrix is summed in blocks of fixed size, each by one worker, and the
 * blocks' sums in order, so that nothing depends on who did what. Memory: both sides, some blocks a
 * worker.
 *
 * Folding in a new unit does the same in double precision without a library, as it is asked for
 * one at a time. */
#include "learn/ials.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "blas.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GATHER_ROWS    256  /* vectors added at a time */
#define GRAM_ROWS      4096 /* rows of one block of the Gram matrix */
#define PIECE_ROWS     64
#define DIMENSIONS_MAX 256

/* One side, solved against the other. */
struct side {
    const struct csr *entries; /* rows of this side x rows of the other */
    float *vector;
    const float *other;
    uint32_t others;
};

struct job {
    const struct ials_params *p;
    uint32_t d;
    struct blas blas;
    struct side side;
    float *gram;  /* [d x d] of the other side, lower triangle as LAPACK sees it */
    float *parts; /* [blocks x d x d] */
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

static int refuse(struct error *err, int status)
{
    return error_set(err, status, "iALS: %s",
                     status == ERR_NOMEM       ? "out of memory"
                     : status == ERR_CANCELLED ? "cancelled"
                                               : "the numbers ran out of range; raise reg");
}

static int set_params(const struct ials_params *from, struct ials_params *to, struct error *err)
{
    struct ials_params p = from ? *from : (struct ials_params){0};
    p.dimensions = p.dimensions ? p.dimensions : 64;
    p.epochs = p.epochs ? p.epochs : 6;
    p.a0 = p.a0 != 0 ? p.a0 : 0.1;
    p.reg = p.reg != 0 ? p.reg : 0.003;
    p.nu = p.nu != 0 ? p.nu : 1;
    p.seed = p.seed ? p.seed : 1;
    *to = p;
    if (p.dimensions % 8 || p.dimensions > DIMENSIONS_MAX)
        return error_set(err, ERR_INVALID, "iALS: dimensions must be a multiple of 8 up to %d",
                         DIMENSIONS_MAX);
    if (!(p.a0 > 0 && p.a0 < INFINITY) || !(p.reg > 0 && p.reg < INFINITY))
        return error_set(err, ERR_INVALID, "iALS: a0 and reg must be above 0");
    if (!(p.nu > 0 && p.nu <= 1))
        return error_set(err, ERR_INVALID, "iALS: nu must be in (0,1]");
    return 0;
}

static double lambda_of(const struct ials_params *p, uint64_t entries, uint32_t others)
{
    return p->reg * pow((double)entries + p->a0 * others, p->nu);
}

/* ---- Gram matrix ---- */

static void sum_blocks(void *context, uint32_t worker)
{
    struct job *job = context;
    uint64_t begin, end;
    int d = (int)job->d;
    (void)worker;
    while (cursor_take(&job->cursor, &begin, &end))
        job->blas.ssyrk(CblasColMajor, CblasLower, CblasNoTrans, d, (int)(end - begin), 1,
                        job->side.other + begin * job->d, d, 0,
                        job->parts + begin / GRAM_ROWS * job->d * job->d, d);
}

static void make_gram(struct job *job, uint32_t workers)
{
    uint32_t others = job->side.others, blocks = (others + GRAM_ROWS - 1) / GRAM_ROWS;
    size_t cells = (size_t)job->d * job->d;
    cursor_init(&job->cursor, others, GRAM_ROWS);
    parallel_run(workers, sum_blocks, job);
    for (size_t c = 0; c < cells; c++) {
        double sum = 0;
        for (uint32_t b = 0; b < blocks; b++)
            sum += job->parts[b * cells + c];
        job->gram[c] = (float)sum;
    }
}

/* ---- rows ---- */

struct solver {
    float *matrix; /* [d x d] */
    float *gather; /* [GATHER_ROWS x d] */
};

/* False: the matrix is not positive definite, or the solution not finite. */
static bool solve_row(const struct job *job, struct solver *s, uint32_t row)
{
    const struct csr *m = job->side.entries;
    uint64_t begin = m->start[row], end = m->start[row + 1];
    uint32_t d = job->d;
    float *x = job->side.vector + (size_t)row * d;
    float lambda = (float)lambda_of(job->p, end - begin, job->side.others), a0 = (float)job->p->a0;
    for (size_t c = 0; c < (size_t)d * d; c++)
        s->matrix[c] = a0 * job->gram[c];
    for (uint32_t f = 0; f < d; f++)
        s->matrix[(size_t)f * d + f] += lambda;
    memset(x, 0, d * sizeof *x);
    for (uint64_t e = begin; e < end; e += GATHER_ROWS) {
        uint32_t count = end - e < GATHER_ROWS ? (uint32_t)(end - e) : GATHER_ROWS;
        for (uint32_t g = 0; g < count; g++) {
            const float *y = job->side.other + (size_t)m->column[e + g] * d;
            memcpy(s->gather + (size_t)g * d, y, d * sizeof *y);
            for (uint32_t f = 0; f < d; f++)
                x[f] += y[f];
        }
        job->blas.ssyrk(CblasColMajor, CblasLower, CblasNoTrans, (int)d, (int)count, 1, s->gather,
                        (int)d, 1, s->matrix, (int)d);
    }
    int n = (int)d, info;
    job->blas.spotrf("L", &n, s->matrix, &n, &info);
    if (info)
        return false;
    job->blas.strsv(CblasColMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, s->matrix, n, x, 1);
    job->blas.strsv(CblasColMajor, CblasLower, CblasTrans, CblasNonUnit, n, s->matrix, n, x, 1);
    bool finite = true;
    for (uint32_t f = 0; f < d; f++)
        finite &= isfinite(x[f]) != 0;
    return finite;
}

static void solve_rows(void *context, uint32_t worker)
{
    struct job *job = context;
    struct solver s;
    uint64_t begin, end;
    MEM_NEW(s.matrix, (size_t)job->d * job->d);
    MEM_NEW(s.gather, (size_t)GATHER_ROWS * job->d);
    int status = s.matrix && s.gather ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t row = begin; row < end && status == 0; row++)
            if (!solve_row(job, &s, (uint32_t)row))
                status = ERR_LIMIT;
        if (progress_step(job->p->progress, end - begin) && status == 0)
            status = ERR_CANCELLED;
    }
    free(s.matrix);
    free(s.gather);
    job->status[worker] = status;
}

static int half_epoch(struct job *job, struct side side, uint32_t workers)
{
    int status = 0;
    job->side = side;
    make_gram(job, workers);
    cursor_init(&job->cursor, side.entries->rows, PIECE_ROWS);
    parallel_run(workers, solve_rows, job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job->status[w];
    return status;
}

static void init_items(struct ials *m)
{
    struct rng rng;
    double scale = 0.2 / sqrt(m->params.dimensions);
    rng_seed(&rng, m->params.seed);
    for (size_t x = 0; x < (size_t)m->item_count * m->params.dimensions; x++)
        m->item[x] = (float)((rng_unit(&rng) + rng_unit(&rng) + rng_unit(&rng) - 1.5) * scale);
}

/* Both triangles, for whoever folds in. */
static void keep_gram(struct job *job, struct ials *m, uint32_t workers)
{
    uint32_t d = job->d;
    job->side = (struct side){.other = m->item, .others = m->item_count};
    make_gram(job, workers);
    for (uint32_t f = 0; f < d; f++)
        for (uint32_t g = 0; g <= f; g++)
            job->gram[(size_t)f * d + g] = job->gram[(size_t)g * d + f];
    m->gram = job->gram;
    job->gram = NULL;
}

static int run(struct ials *m, const struct csr *units, const struct csr *items, struct error *err)
{
    uint32_t workers = parallel_workers(m->params.threads), d = m->params.dimensions;
    uint32_t most = units->rows > units->cols ? units->rows : units->cols;
    struct job job = {.p = &m->params, .d = d};
    int status = blas_load(&job.blas, "iALS", err);
    if (status)
        return status;
    MEM_NEW(job.gram, (size_t)d * d);
    MEM_ZNEW(job.parts, (size_t)(most / GRAM_ROWS + 1) * d * d);
    status = job.gram && job.parts ? 0 : ERR_NOMEM;
    progress_begin(m->params.progress, "factorising",
                   (uint64_t)m->params.epochs * ((uint64_t)units->rows + units->cols));
    for (uint32_t epoch = 0; epoch < m->params.epochs && status == 0; epoch++) {
        status = half_epoch(&job, (struct side){units, m->unit, m->item, m->item_count}, workers);
        if (status == 0)
            status =
                half_epoch(&job, (struct side){items, m->item, m->unit, m->unit_count}, workers);
    }
    if (status == 0)
        keep_gram(&job, m, workers);
    free(job.gram);
    free(job.parts);
    return status ? refuse(err, status) : 0;
}

int ials_train(const struct csr *units, const struct ials_params *params, struct ials *out,
               struct error *err)
{
    struct ials m = {.unit_count = units->rows, .item_count = units->cols};
    struct csr items;
    int status = set_params(params, &m.params, err);
    if (status == 0)
        status = csr_transpose(units, &items, err);
    if (status)
        return status;
    MEM_ZNEW(m.unit, (size_t)m.unit_count * m.params.dimensions);
    MEM_NEW(m.item, (size_t)m.item_count * m.params.dimensions);
    if (m.unit && m.item) {
        init_items(&m);
        status = run(&m, units, &items, err);
    } else {
        status = refuse(err, ERR_NOMEM);
    }
    csr_deinit(&items);
    if (status)
        ials_deinit(&m);
    else
        *out = m;
    return status;
}

void ials_deinit(struct ials *m)
{
    free(m->unit);
    free(m->item);
    free(m->gram);
    *m = (struct ials){0};
}

static uint64_t at_least_one(uint64_t x)
{
    return x ? x : 1;
}

uint64_t ials_estimate_bytes(const struct dataset_shape *shape, const struct ials_params *params)
{
    uint64_t d = params && params->dimensions ? params->dimensions : 64;
    uint64_t rows = shape->orders + shape->items;
    uint64_t workers = parallel_workers(params ? params->threads : 0);
    uint64_t blocks = rows / GRAM_ROWS + 2 + workers;
    return rows * d * sizeof(float) + blocks * d * d * sizeof(float) +
           workers * GATHER_ROWS * d * sizeof(float) + at_least_one(shape->lines) * 4 +
           (shape->items + 1) * 2 * sizeof(uint64_t);
}
