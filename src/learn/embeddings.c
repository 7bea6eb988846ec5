/* The k best out-vectors of each in-vector. Tiles of the score matrix are made by sgemm, small
 * enough to stay in the level-2 cache, and offered to one heap per row; once a heap is full nearly
 * all scores are below its worst one, so looking at a score is one comparison. Cost: 2 d n² flops
 * and n² comparisons; memory: a tile and its heaps for each worker. */
#include "learn/sgns.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/topk.h"
#include "blas.h"

#include <math.h>
#include <stdlib.h>

#define ODDS_MAX     8.0f
#define LN_ODDS_MAX  2.0794415f
#define TILE_ROWS    64
#define TILE_COLUMNS 1024

struct job {
    const struct embeddings *e;
    struct blas blas;
    uint32_t k; /* entries of every row */
    struct csr *out;
    struct progress *progress;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* The odds that the two were bought together rather than drawn by chance. Sums of odds rank better
 * than sums of probabilities or of their logarithms; beyond 8 more adds nothing but a wider range.
 */
static float odds(float score)
{
    return score < LN_ODDS_MAX ? expf(score) : ODDS_MAX;
}

/* Scores of one row against the columns from `first` on. */
static void offer_scores(struct topk *best, const float *scores, uint32_t first, uint32_t count,
                         uint32_t self)
{
    float worst = best->count == best->k ? best->entries[0].score : -INFINITY;
    for (uint32_t c = 0; c < count; c++) {
        if (scores[c] < worst || first + c == self)
            continue;
        topk_offer(best, first + c, scores[c], 0);
        if (best->count == best->k)
            worst = best->entries[0].score;
    }
}

static void make_rows(const struct job *job, uint32_t begin, uint32_t rows, float *tile,
                      struct topk_entry *entries)
{
    const struct embeddings *e = job->e;
    int d = (int)e->dimensions;
    struct topk best[TILE_ROWS];
    for (uint32_t r = 0; r < rows; r++)
        topk_init(&best[r], entries + (size_t)r * job->k, job->k);
    for (uint32_t first = 0; first < e->item_count; first += TILE_COLUMNS) {
        uint32_t rest = e->item_count - first, columns = rest < TILE_COLUMNS ? rest : TILE_COLUMNS;
        job->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, d, 1,
                        e->in + (size_t)begin * e->dimensions, d,
                        e->out + (size_t)first * e->dimensions, d, 0, tile, TILE_COLUMNS);
        for (uint32_t r = 0; r < rows; r++)
            offer_scores(&best[r], tile + (size_t)r * TILE_COLUMNS, first, columns, begin + r);
    }
    for (uint32_t r = 0; r < rows; r++) {
        uint64_t to = (uint64_t)(begin + r) * job->k;
        topk_sort(&best[r]);
        for (uint32_t n = 0; n < job->k; n++) {
            job->out->column[to + n] = best[r].entries[n].item;
            job->out->value[to + n] = odds(best[r].entries[n].score);
        }
    }
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    float *tile;
    struct topk_entry *entries;
    MEM_NEW(tile, TILE_ROWS * TILE_COLUMNS);
    MEM_NEW(entries, (size_t)TILE_ROWS * job->k);
    int status = tile && entries ? 0 : ERR_NOMEM;
    uint64_t begin, end;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        make_rows(job, (uint32_t)begin, (uint32_t)(end - begin), tile, entries);
        if (progress_step(job->progress, end - begin))
            status = ERR_CANCELLED;
    }
    free(tile);
    free(entries);
    job->status[worker] = status;
}

int embeddings_rows(const struct embeddings *e, uint32_t k, struct progress *progress,
                    struct csr *out, struct error *err)
{
    struct csr made;
    struct job job = {.e = e, .out = &made, .progress = progress};
    uint32_t items = e->item_count, workers = parallel_workers(0);
    job.k = items > 0 && k > items - 1 ? items - 1 : k;
    int status = blas_load(&job.blas, "embeddings", err);
    if (status == 0)
        status = csr_alloc(&made, items, items, (uint64_t)items * job.k, 1, err);
    if (status)
        return status;
    for (uint32_t i = 0; i < items; i++)
        made.start[i + 1] = made.start[i] + job.k;
    progress_begin(progress, "ranking embeddings", items);
    cursor_init(&job.cursor, job.k ? items : 0, TILE_ROWS);
    parallel_run(workers, run_worker, &job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job.status[w];
    if (status == 0) {
        *out = made;
        return 0;
    }
    csr_deinit(&made);
    return error_set(err, status, "embeddings: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

uint64_t embeddings_rows_estimate_bytes(uint64_t items, uint32_t k)
{
    uint64_t worker = TILE_ROWS * (TILE_COLUMNS * sizeof(float) + k * sizeof(struct topk_entry));
    return 8 * items * (k + 1) + parallel_workers(0) * worker;
}
