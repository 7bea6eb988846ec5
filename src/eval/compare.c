/* Sums per cluster once, then each resample adds the sums of the clusters it draws. Cost: clusters
 * x columns x resamples additions. */
#include "eval/compare.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define GOLDEN 0x9e3779b97f4a7c15u

struct job {
    uint32_t columns, clusters;
    const double *sums;   /* [clusters x columns] */
    const uint32_t *size; /* [clusters] questions */
    uint64_t seed;
    struct resamples *out;
    struct progress *progress;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

static void draw(struct job *job, uint32_t sample, double *total)
{
    struct rng rng;
    uint64_t questions = 0;
    rng_seed(&rng, job->seed * GOLDEN + sample);
    for (uint32_t c = 0; c < job->columns; c++)
        total[c] = 0;
    for (uint32_t n = 0; n < job->clusters; n++) {
        uint32_t cluster = rng_below(&rng, job->clusters);
        const double *sums = job->sums + (size_t)cluster * job->columns;
        questions += job->size[cluster];
        for (uint32_t c = 0; c < job->columns; c++)
            total[c] += sums[c];
    }
    for (uint32_t c = 0; c < job->columns; c++)
        job->out->mean[(size_t)c * job->out->count + sample] = total[c] / (double)questions;
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    double *total;
    uint64_t begin, end;
    int status = MEM_NEW(total, job->columns) ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t s = begin; s < end; s++)
            draw(job, (uint32_t)s, total);
        if (progress_step(job->progress, end - begin))
            status = ERR_CANCELLED;
    }
    free(total);
    job->status[worker] = status;
}

static bool sum_clusters(struct job *job, const double *const *values, uint32_t questions,
                         const uint32_t *cluster, double **sums, uint32_t **size)
{
    MEM_ZNEW(*sums, (size_t)job->clusters * job->columns);
    MEM_ZNEW(*size, job->clusters);
    if (!*sums || !*size)
        return false;
    for (uint32_t c = 0; c < job->columns; c++) {
        double all = 0;
        for (uint32_t q = 0; q < questions; q++) {
            assert(isfinite(values[c][q]) && cluster[q] < job->clusters);
            (*sums)[(size_t)cluster[q] * job->columns + c] += values[c][q];
            all += values[c][q];
        }
        job->out->observed[c] = all / questions;
    }
    for (uint32_t q = 0; q < questions; q++)
        ++(*size)[cluster[q]];
    job->sums = *sums;
    job->size = *size;
    return true;
}

int resamples_make(const double *const *values, uint32_t columns, uint32_t questions,
                   const uint32_t *cluster, uint32_t clusters, const struct resample_params *params,
                   struct resamples *out, struct error *err)
{
    struct resamples made = {.columns = columns,
                             .count = params->count ? params->count : RESAMPLES_DEFAULT};
    struct job job = {.columns = columns,
                      .clusters = clusters,
                      .seed = params->seed,
                      .out = &made,
                      .progress = params->progress};
    double *sums = NULL;
    uint32_t *size = NULL, workers = parallel_workers(params->threads);
    assert(questions && clusters);
    MEM_NEW(made.mean, (size_t)columns * made.count);
    MEM_NEW(made.observed, columns);
    int status =
        made.mean && made.observed && sum_clusters(&job, values, questions, cluster, &sums, &size)
            ? 0
            : ERR_NOMEM;
    if (status == 0) {
        cursor_init(&job.cursor, made.count, 8);
        parallel_run(workers, run_worker, &job);
    }
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job.status[w];
    free(sums);
    free(size);
    if (status == 0) {
        *out = made;
        return 0;
    }
    resamples_deinit(&made);
    return error_set(err, status, "bootstrap: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

void resamples_deinit(struct resamples *r)
{
    free(r->mean);
    free(r->observed);
    *r = (struct resamples){0};
}

static int compare_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Of sorted numbers, between neighbours linearly. */
static double quantile(const double *sorted, uint32_t count, double p)
{
    double place = p * (count - 1.0);
    uint32_t below = (uint32_t)place;
    uint32_t next = below + 1 < count ? below + 1 : below;
    return sorted[below] + (place - below) * (sorted[next] - sorted[below]);
}

int resamples_interval(const struct resamples *r, uint32_t column, uint32_t against, double level,
                       struct interval *out, struct error *err)
{
    double *list;
    uint32_t below = 0, above = 0;
    bool paired = against != RESAMPLE_ZERO;
    if (!MEM_NEW(list, r->count))
        return error_set(err, ERR_NOMEM, "bootstrap: out of memory");
    for (uint32_t s = 0; s < r->count; s++) {
        list[s] = r->mean[(size_t)column * r->count + s];
        if (paired)
            list[s] -= r->mean[(size_t)against * r->count + s];
        below += list[s] <= 0;
        above += list[s] >= 0;
    }
    qsort(list, r->count, sizeof *list, compare_double);
    double tail = (1.0 + (below < above ? below : above)) / (r->count + 1.0);
    *out = (struct interval){
        .value = r->observed[column] - (paired ? r->observed[against] : 0),
        .low = quantile(list, r->count, (1 - level) / 2),
        .high = quantile(list, r->count, (1 + level) / 2),
        .p = 2 * tail < 1 ? 2 * tail : 1,
    };
    free(list);
    return 0;
}

struct numbered {
    double p;
    uint32_t at;
};

static int compare_numbered(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    if (x->p != y->p)
        return x->p < y->p ? -1 : 1;
    return (x->at > y->at) - (x->at < y->at);
}

int holm_adjust(const double *p, uint32_t count, double *adjusted, struct error *err)
{
    struct numbered *list;
    if (!MEM_NEW(list, count))
        return error_set(err, ERR_NOMEM, "bootstrap: out of memory");
    for (uint32_t i = 0; i < count; i++)
        list[i] = (struct numbered){p[i], i};
    qsort(list, count, sizeof *list, compare_numbered);
    double least = 0;
    for (uint32_t i = 0; i < count; i++) {
        double value = list[i].p * (count - i);
        least = value > least ? value : least;
        adjusted[list[i].at] = least < 1 ? least : 1;
    }
    free(list);
    return 0;
}

void interval_json(const struct interval *i, struct buf *out)
{
    buf_text(out, "{\"value\":");
    buf_f64(out, i->value);
    buf_text(out, ",\"low\":");
    buf_f64(out, i->low);
    buf_text(out, ",\"high\":");
    buf_f64(out, i->high);
    buf_char(out, '}');
}
