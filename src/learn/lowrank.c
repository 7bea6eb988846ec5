/* A basis of the space of items [items x width, width some more than k] is multiplied with Z'Z and
 * made orthonormal again until it spans the leading singular vectors. What they are in it, the
 * small matrix basis' Z'Z basis tells (Rayleigh and Ritz).
 *
 * Multiplying goes by blocks of units, so that beside the items' matrices only a block has to be
 * there: each unit of the block gathers its items, then each item its units of the block. Cost:
 * iterations x 4 width (entries + items width) flops. */
#include "learn/lowrank.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "tall.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIMENSIONS 128
#define DEFAULT_ITERATIONS 8
#define DIMENSIONS_MAX     512
#define ITERATIONS_MAX     100
#define OVERSAMPLING       8
#define WIDTH_UNIT         16 /* floats of a cache line */
#define BLOCK_UNITS        32768
#define PIECE              64
#define LEAST_SINGULAR     1e-3 /* the square is rounding, seen from the largest, 1 */

struct job {
    const struct csr *units;
    struct csr lists; /* item -> its units */
    struct lowrank_params p;
    struct tall tall;
    uint32_t items, dimensions, width, workers;
    float *scale;         /* [items] d_i^-1/2; 0: in no unit */
    float *basis, *image; /* [items x width] */
    float *block;         /* [units of a block x width] D_u^-1/2 Z basis */
    uint32_t begin, end;  /* units of the block */
    uint64_t *next;       /* [items] place in `lists` of the item's next unit */
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

typedef float vector __attribute__((vector_size(16)));

/* to += factor from */
static void add(float *to, const float *from, float factor, uint32_t width)
{
    vector by = {factor, factor, factor, factor}, a, b;
    for (uint32_t k = 0; k < width; k += 4) {
        memcpy(&a, to + k, sizeof a);
        memcpy(&b, from + k, sizeof b);
        a += b * by;
        memcpy(to + k, &a, sizeof a);
    }
}

static void gather_items_of(const struct job *job, uint64_t unit, float *sum)
{
    uint64_t e = job->units->start[unit], last = job->units->start[unit + 1];
    float share = last > e ? 1 / (float)(last - e) : 0;
    memset(sum, 0, job->width * sizeof *sum);
    for (; e < last; e++) {
        uint32_t i = job->units->column[e];
        add(sum, job->basis + (size_t)i * job->width, share * job->scale[i], job->width);
    }
}

static void visit_units(void *context, uint32_t worker)
{
    struct job *job = context;
    uint64_t begin, end;
    while (job->status[worker] == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t n = begin; n < end; n++)
            gather_items_of(job, job->begin + n, job->block + n * job->width);
        if (progress_step(job->p.progress, end - begin))
            job->status[worker] = ERR_CANCELLED;
    }
}

static void gather_units_of(const struct job *job, uint64_t item, float *sum)
{
    const uint32_t *unit = job->lists.column;
    uint64_t e = job->next[item], last = job->lists.start[item + 1];
    for (; e < last && unit[e] < job->end; e++)
        add(sum, job->block + (size_t)(unit[e] - job->begin) * job->width, job->scale[item],
            job->width);
    job->next[item] = e;
}

static void visit_items(void *context, uint32_t worker)
{
    struct job *job = context;
    uint64_t begin, end;
    while (job->status[worker] == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t i = begin; i < end; i++)
            gather_units_of(job, i, job->image + i * job->width);
        if (progress_cancelled(job->p.progress))
            job->status[worker] = ERR_CANCELLED;
    }
}

static int run(struct job *job, void (*body)(void *, uint32_t), uint64_t count)
{
    int status = 0;
    cursor_init(&job->cursor, count, PIECE);
    parallel_run(job->workers, body, job);
    for (uint32_t w = 0; w < job->workers; w++)
        status = status ? status : job->status[w];
    return status;
}

/* image = Z'Z basis */
static int multiply(struct job *job)
{
    int status = 0;
    uint32_t units = job->units->rows;
    memcpy(job->next, job->lists.start, job->items * sizeof *job->next);
    memset(job->image, 0, (size_t)job->items * job->width * sizeof *job->image);
    for (job->begin = 0; status == 0 && job->begin < units; job->begin = job->end) {
        uint32_t rest = units - job->begin;
        job->end = job->begin + (rest < BLOCK_UNITS ? rest : BLOCK_UNITS);
        status = run(job, visit_units, job->end - job->begin);
        status = status ? status : run(job, visit_items, job->items);
    }
    return status;
}

static void swap(struct job *job)
{
    float *image = job->image;
    job->image = job->basis;
    job->basis = image;
}

/* The space of all items where it is no larger than the basis, else a random one. */
static void begin_basis(struct job *job)
{
    size_t cells = (size_t)job->items * job->width;
    struct rng r;
    memset(job->basis, 0, cells * sizeof *job->basis);
    if (job->items <= job->width) {
        for (size_t i = 0; i < job->items; i++)
            job->basis[i * job->width + i] = 1;
        return;
    }
    rng_seed(&r, job->p.seed);
    for (size_t c = 0; c < cells; c++)
        job->basis[c] = (float)rng_normal(&r);
}

/* The singular vectors into the first columns of `image`, their values into singular[]. */
static int iterate(struct job *job, float *singular)
{
    struct tall *tall = &job->tall;
    uint32_t width = job->width, rounds = job->items > width ? job->p.iterations : 0;
    int status = 0;
    progress_begin(job->p.progress, "factorising units", (rounds + 1ULL) * job->units->rows);
    begin_basis(job);
    for (uint32_t n = 0; status == 0 && n < rounds; n++) {
        status = multiply(job);
        status = status ? status : tall_orthonormalise(tall, job->image, job->basis);
    }
    if (status == 0 && rounds) {
        swap(job);
        status = tall_orthonormalise(tall, job->image, job->basis);
    }
    status = status ? status : multiply(job);
    if (status)
        return status;
    tall_products(tall, job->basis, job->image);
    status = tall_eigen(tall);
    for (uint32_t k = 0; k < job->dimensions; k++) {
        double value = sqrt(fmax(tall->value[width - 1 - k], 0));
        singular[k] = value < LEAST_SINGULAR ? 0 : value < 1 ? (float)value : 1;
    }
    for (size_t k = 0; k < width; k++)
        for (size_t r = 0; r < width; r++)
            tall->turn[r * width + k] = (float)tall->small[(width - 1 - k) * width + r];
    tall_turn(tall, job->basis, job->image);
    return status;
}

static int make_vectors(const struct job *job, const float *singular, struct embeddings *out)
{
    uint32_t dimensions = job->dimensions;
    *out = (struct embeddings){.item_count = job->items, .dimensions = dimensions};
    MEM_NEW(out->in, (size_t)job->items * dimensions);
    MEM_NEW(out->out, (size_t)job->items * dimensions);
    if (!out->in || !out->out)
        return ERR_NOMEM;
    for (size_t i = 0; i < job->items; i++) {
        const float *v = job->image + i * job->width;
        float scale = job->scale[i], inverse = scale > 0 ? 1 / scale : 0;
        for (size_t k = 0; k < dimensions; k++) {
            out->in[i * dimensions + k] = singular[k] > 0 ? v[k] * scale : 0;
            out->out[i * dimensions + k] = v[k] * singular[k] * inverse;
        }
    }
    return 0;
}

static uint32_t at_most(uint64_t value, uint64_t most)
{
    return (uint32_t)(value < most ? value : most);
}

static uint32_t width_of(uint32_t dimensions, uint64_t items)
{
    uint32_t width = at_most(dimensions + OVERSAMPLING, items ? items : 1);
    return (width + WIDTH_UNIT - 1) / WIDTH_UNIT * WIDTH_UNIT;
}

static int prepare(struct job *job, struct error *err)
{
    uint32_t items = job->units->cols, least = at_most(items, job->units->rows);
    job->items = items;
    job->dimensions = at_most(job->p.dimensions, least ? least : 1);
    job->width = width_of(job->dimensions, items);
    job->workers = parallel_workers(job->p.threads);
    int status = tall_init(&job->tall, items, job->width, job->workers, "low rank", err);
    status = status ? status : csr_transpose(job->units, &job->lists, err);
    if (status)
        return status;
    MEM_NEW(job->scale, items);
    MEM_NEW(job->next, items);
    MEM_NEW(job->basis, (size_t)items * job->width);
    MEM_NEW(job->image, (size_t)items * job->width);
    MEM_NEW(job->block, (size_t)at_most(job->units->rows, BLOCK_UNITS) * job->width);
    if (!job->scale || !job->next || !job->basis || !job->image || !job->block)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < items; i++) {
        uint64_t units = job->lists.start[i + 1] - job->lists.start[i];
        job->scale[i] = units ? 1 / sqrtf((float)units) : 0;
    }
    return 0;
}

static void with_defaults(struct lowrank_params *p)
{
    p->dimensions = p->dimensions ? p->dimensions : DEFAULT_DIMENSIONS;
    p->iterations = p->iterations ? p->iterations : DEFAULT_ITERATIONS;
    p->seed = p->seed ? p->seed : 1;
}

static int check(const struct lowrank_params *p, struct error *err)
{
    if (p->dimensions > DIMENSIONS_MAX)
        return error_set(err, ERR_INVALID, "low rank: %u dimensions are more than %d",
                         p->dimensions, DIMENSIONS_MAX);
    if (p->iterations > ITERATIONS_MAX)
        return error_set(err, ERR_INVALID, "low rank: %u iterations are more than %d",
                         p->iterations, ITERATIONS_MAX);
    return 0;
}

static void job_deinit(struct job *job)
{
    tall_deinit(&job->tall);
    csr_deinit(&job->lists);
    free(job->scale);
    free(job->next);
    free(job->basis);
    free(job->image);
    free(job->block);
}

int lowrank_train(const struct csr *units, const struct lowrank_params *params,
                  struct embeddings *out, float *singular, struct error *err)
{
    struct job job = {.units = units, .p = *params};
    struct embeddings made = {0};
    float value[DIMENSIONS_MAX] = {0};
    with_defaults(&job.p);
    int status = check(&job.p, err);
    status = status ? status : prepare(&job, err);
    status = status ? status : iterate(&job, value);
    status = status ? status : make_vectors(&job, value, &made);
    job_deinit(&job);
    if (status == 0) {
        *out = made;
        if (singular)
            memcpy(singular, value, job.p.dimensions * sizeof *value);
        return 0;
    }
    embeddings_deinit(&made);
    return error_set(err, status, "low rank: %s",
                     status == ERR_CANCELLED ? "cancelled"
                     : status == ERR_NOMEM   ? "out of memory"
                                             : "no eigenvalues were found");
}

uint64_t lowrank_estimate_bytes(const struct dataset_shape *shape,
                                const struct lowrank_params *params)
{
    struct lowrank_params p = *params;
    with_defaults(&p);
    uint64_t width = width_of(p.dimensions, shape->items);
    uint64_t lists = 4 * shape->lines + 8 * shape->items;
    uint64_t block = 4 * width * at_most(shape->orders, BLOCK_UNITS);
    uint64_t items = shape->items * (12 + 8 * width + 8ULL * at_most(p.dimensions, width));
    return lists + block + items + tall_estimate_bytes((uint32_t)width);
}
