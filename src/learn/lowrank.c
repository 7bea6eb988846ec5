/* A basis of the space of items [items x width, width some more than k] is multiplied with Z'Z and
 * made orthonormal again until it spans the leading singular vectors. What they are in it, the
 * small matrix basis' Z'Z basis tells (Rayleigh and Ritz).
 *
 * Multiplying goes by panels of columns, a cache line wide: a worker takes a panel and runs through
 * the units, each of which sums the lines of its items and adds the share of it to each of them. So
 * nothing has to be there but the items' matrices, no two workers write the same, and the order of
 * sums is that of the units. Cost: iterations x 4 width (entries + items width) flops, and the time
 * of fetching two lines for each entry and panel. */
#include "learn/lowrank.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "tall.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_DIMENSIONS 128
#define DEFAULT_ITERATIONS 8
#define DIMENSIONS_MAX     512
#define ITERATIONS_MAX     100
#define OVERSAMPLING       8
#define PANEL              16 /* floats of a cache line */
#define PIECE_UNITS        4096
#define AHEAD              12   /* entries from prefetching to use */
#define LEAST_SINGULAR     1e-3 /* the square is rounding, seen from the largest, 1 */

/* One worker's panel of the basis and of the image, scaled. */
struct panel {
    float *memory;
    float *from, *to; /* [items x PANEL], whole cache lines */
};

struct job {
    const struct csr *units;
    struct lowrank_params p;
    struct tall tall;
    uint32_t items, dimensions, width, workers;
    float *scale;         /* [items] d_i^-1/2; 0: in no unit */
    float *basis, *image; /* [items x width] */
    struct panel *panel;  /* [workers] */
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* As wide as the smallest vector registers: a line is four of them. */
typedef float vector __attribute__((vector_size(16)));
struct line {
    vector a, b, c, d;
};

static struct line load(const float *from)
{
    struct line line;
    memcpy(&line, from, sizeof line);
    return line;
}

static struct line sum(struct line x, struct line y)
{
    return (struct line){x.a + y.a, x.b + y.b, x.c + y.c, x.d + y.d};
}

static struct line times(struct line x, float factor)
{
    vector by = {factor, factor, factor, factor};
    return (struct line){x.a * by, x.b * by, x.c * by, x.d * by};
}

static void store(float *to, struct line line)
{
    memcpy(to, &line, sizeof line);
}

/* to += D_u^-1 X' X from, over the units begin..end-1 */
static void visit_units(const struct csr *units, const struct panel *p, uint64_t begin,
                        uint64_t end)
{
    const uint32_t *item = units->column;
    uint64_t entries = csr_entries(units);
    for (uint64_t u = begin; u < end; u++) {
        uint64_t first = units->start[u], last = units->start[u + 1];
        struct line all = {0};
        for (uint64_t e = first; e < last; e++) {
            size_t ahead = (size_t)item[e + AHEAD < entries ? e + AHEAD : e] * PANEL;
            __builtin_prefetch(p->from + ahead);
            __builtin_prefetch(p->to + ahead, 1);
            all = sum(all, load(p->from + (size_t)item[e] * PANEL));
        }
        all = times(all, last > first ? 1 / (float)(last - first) : 0);
        for (uint64_t e = first; e < last; e++) {
            float *to = p->to + (size_t)item[e] * PANEL;
            store(to, sum(load(to), all));
        }
    }
}

static void fill_panel(const struct job *job, const struct panel *p, size_t column)
{
    memset(p->to, 0, (size_t)job->items * PANEL * sizeof *p->to);
    for (size_t i = 0; i < job->items; i++)
        store(p->from + i * PANEL,
              times(load(job->basis + i * job->width + column), job->scale[i]));
}

static void empty_panel(const struct job *job, const struct panel *p, size_t column)
{
    for (size_t i = 0; i < job->items; i++)
        store(job->image + i * job->width + column, times(load(p->to + i * PANEL), job->scale[i]));
}

static void multiply_panels(void *context, uint32_t worker)
{
    struct job *job = context;
    const struct panel *p = &job->panel[worker];
    uint64_t number, end, units = job->units->rows;
    while (job->status[worker] == 0 && cursor_take(&job->cursor, &number, &end)) {
        fill_panel(job, p, number * PANEL);
        for (uint64_t u = 0; job->status[worker] == 0 && u < units; u += PIECE_UNITS) {
            uint64_t piece = units - u < PIECE_UNITS ? units - u : PIECE_UNITS;
            visit_units(job->units, p, u, u + piece);
            if (progress_step(job->p.progress, piece))
                job->status[worker] = ERR_CANCELLED;
        }
        empty_panel(job, p, number * PANEL);
    }
}

/* image = Z'Z basis */
static int multiply(struct job *job)
{
    int status = 0;
    cursor_init(&job->cursor, job->width / PANEL, 1);
    parallel_run(job->workers, multiply_panels, job);
    for (uint32_t w = 0; w < job->workers; w++)
        status = status ? status : job->status[w];
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
    progress_begin(job->p.progress, "factorising units",
                   (rounds + 1ULL) * (width / PANEL) * job->units->rows);
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
    return (width + PANEL - 1) / PANEL * PANEL;
}

static bool init_panels(struct job *job)
{
    size_t line = PANEL * sizeof(float);
    MEM_ZNEW(job->panel, job->workers);
    for (uint32_t w = 0; job->panel && w < job->workers; w++) {
        struct panel *p = &job->panel[w];
        if (!MEM_NEW(p->memory, (2 * (size_t)job->items + 1) * PANEL))
            return false;
        p->from = p->memory + (line - (uintptr_t)p->memory % line) % line / sizeof *p->from;
        p->to = p->from + (size_t)job->items * PANEL;
    }
    return job->panel;
}

/* What is not needed when the vectors are found; may run twice. */
static void free_workspace(struct job *job)
{
    tall_deinit(&job->tall);
    for (uint32_t w = 0; job->panel && w < job->workers; w++)
        free(job->panel[w].memory);
    free(job->panel);
    free(job->basis);
    job->panel = NULL;
    job->basis = NULL;
}

static int prepare(struct job *job, struct error *err)
{
    uint32_t items = job->units->cols, least = at_most(items, job->units->rows);
    job->items = items;
    job->dimensions = at_most(job->p.dimensions, least ? least : 1);
    job->width = width_of(job->dimensions, items);
    job->workers = at_most(parallel_workers(job->p.threads), job->width / PANEL);
    int status = tall_init(&job->tall, items, job->width, job->workers, "low rank", err);
    if (status)
        return status;
    MEM_ZNEW(job->scale, items);
    MEM_NEW(job->basis, (size_t)items * job->width);
    MEM_NEW(job->image, (size_t)items * job->width);
    if (!job->scale || !job->basis || !job->image || !init_panels(job))
        return ERR_NOMEM;
    for (uint64_t e = 0; e < csr_entries(job->units); e++)
        job->scale[job->units->column[e]]++;
    for (uint32_t i = 0; i < items; i++)
        job->scale[i] = job->scale[i] > 0 ? 1 / sqrtf(job->scale[i]) : 0;
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
    free_workspace(job);
    free(job->scale);
    free(job->image);
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
    free_workspace(&job);
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
    uint64_t panels = parallel_workers(p.threads), all = width / PANEL;
    uint64_t work = width + (panels < all ? panels : all) * 2 * PANEL, vectors = 2 * p.dimensions;
    uint64_t floats = width + 1 + (work > vectors ? work : vectors);
    return 4 * shape->items * floats + tall_estimate_bytes((uint32_t)width);
}
