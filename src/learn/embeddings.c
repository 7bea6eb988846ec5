/* The k best out-vectors of each in-vector. Tiles of the score matrix are made by sgemm, small
 * enough to stay in the level-2 cache, and offered to one heap per row; once a heap is full nearly
 * all scores are below its worst one, so looking at a score is one comparison. Cost: 2 d n² flops
 * and n² comparisons; memory: a tile and its heaps for each worker. */
#include "learn/embeddings.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "blas.h"
#include "rows.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ODDS_MAX     8.0f
#define LN_ODDS_MAX  2.0794415f
#define TILE_ROWS    128
#define TILE_COLUMNS 512
#define SIGN         0x80000000u
#define LOOK         16 /* scores looked at in one go */

/* The k best of a row so far and up to k more that may be among them, as numbers that are larger
 * for what goes before: the score's bits above, the item's turned round below. */
struct shortlist {
    uint64_t *entry; /* [2 k] */
    uint32_t count, k;
    float floor; /* scores below it are none of the k best */
};

struct job {
    const struct embeddings *e;
    const struct embeddings_rows_params *params;
    struct blas blas;
    uint32_t k;  /* entries of a row, at most */
    float floor; /* scores below it are none */
    struct rows rows;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* Sums of odds rank better than sums of probabilities or of their logarithms; beyond 8 more adds
 * nothing but a wider range. */
static float odds(float score)
{
    return score < LN_ODDS_MAX ? expf(score) : ODDS_MAX;
}

static bool all_below(const float *scores, float floor)
{
    int reached = 0;
    for (int n = 0; n < LOOK; n++)
        reached |= scores[n] >= floor;
    return !reached;
}

static uint64_t entry_of(uint32_t item, float score)
{
    uint32_t bits;
    memcpy(&bits, &score, sizeof bits);
    bits = bits & SIGN ? ~bits : bits | SIGN;
    return (uint64_t)bits << 32 | (uint32_t)~item;
}

static float score_of(uint64_t entry)
{
    float score;
    uint32_t bits = (uint32_t)(entry >> 32);
    bits = bits & SIGN ? bits & ~SIGN : ~bits;
    memcpy(&score, &bits, sizeof score);
    return score;
}

/* Leaves the k best in front, the worst of them last of these (Hoare's selection). */
static void cut(struct shortlist *s)
{
    uint64_t *low = s->entry, *high = low + s->count - 1, *last = low + s->k - 1;
    while (low < high) {
        uint64_t middle = low[(high - low) / 2], *left = low, *right = high;
        while (left <= right) {
            while (*left > middle)
                left++;
            while (*right < middle)
                right--;
            if (left > right)
                break;
            uint64_t moved = *left;
            *left++ = *right;
            *right-- = moved;
        }
        if (last <= right)
            high = right;
        else if (last >= left)
            low = left;
        else
            break; /* what is between is equal to the middle */
    }
    s->count = s->k;
    s->floor = score_of(*last);
}

/* Scores of one row against the columns from `first` on. */
static void offer_scores(struct shortlist *best, const float *scores, uint32_t first,
                         uint32_t count, uint32_t self)
{
    for (uint32_t c = 0; c < count; c++) {
        if (c % LOOK == 0 && count - c >= LOOK && all_below(scores + c, best->floor)) {
            c += LOOK - 1;
            continue;
        }
        if (!(scores[c] >= best->floor) || first + c == self)
            continue;
        best->entry[best->count++] = entry_of(first + c, scores[c]);
        if (best->count == 2 * best->k)
            cut(best);
    }
}

static void put_row(struct job *job, uint32_t row, struct shortlist *s, struct topk_entry *entries)
{
    struct topk best;
    if (s->count > s->k)
        cut(s);
    topk_init(&best, entries, s->k);
    for (uint32_t n = 0; n < s->count; n++)
        topk_offer(&best, ~(uint32_t)s->entry[n], score_of(s->entry[n]), 0);
    rows_put(&job->rows, row, &best);
    float *value = job->rows.made.value + job->rows.room[row];
    for (uint32_t n = 0; n < best.count && job->params->weight == EMBEDDINGS_ODDS; n++)
        value[n] = odds(value[n]);
}

/* One worker's memory. */
struct worker {
    float *tile;               /* [TILE_ROWS x TILE_COLUMNS] */
    uint64_t *entry;           /* [TILE_ROWS x 2 k] */
    struct topk_entry *sorted; /* [k] */
};

static void make_rows(struct job *job, uint32_t begin, uint32_t rows, const struct worker *w)
{
    const struct embeddings *e = job->e;
    int d = (int)e->dimensions;
    struct shortlist best[TILE_ROWS];
    for (uint32_t r = 0; r < rows; r++)
        best[r] = (struct shortlist){w->entry + (size_t)r * 2 * job->k, 0, job->k, job->floor};
    for (uint32_t first = 0; first < e->item_count; first += TILE_COLUMNS) {
        uint32_t rest = e->item_count - first, columns = rest < TILE_COLUMNS ? rest : TILE_COLUMNS;
        job->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, d, 1,
                        e->in + (size_t)begin * e->dimensions, d,
                        e->out + (size_t)first * e->dimensions, d, 0, w->tile, TILE_COLUMNS);
        for (uint32_t r = 0; r < rows; r++)
            offer_scores(&best[r], w->tile + (size_t)r * TILE_COLUMNS, first, columns, begin + r);
    }
    for (uint32_t r = 0; r < rows; r++)
        put_row(job, begin + r, &best[r], w->sorted);
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    struct worker w;
    uint64_t begin, end;
    MEM_NEW(w.tile, TILE_ROWS * TILE_COLUMNS);
    MEM_NEW(w.entry, (size_t)TILE_ROWS * 2 * job->k);
    MEM_NEW(w.sorted, job->k);
    int status = w.tile && w.entry && w.sorted ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        make_rows(job, (uint32_t)begin, (uint32_t)(end - begin), &w);
        if (progress_step(job->params->progress, end - begin))
            status = ERR_CANCELLED;
    }
    free(w.tile);
    free(w.entry);
    free(w.sorted);
    job->status[worker] = status;
}

int embeddings_rows(const struct embeddings *e, const struct embeddings_rows_params *params,
                    struct csr *out, struct error *err)
{
    uint32_t items = e->item_count, workers = parallel_workers(params->threads);
    struct job job = {.e = e, .params = params};
    job.k = items > 0 && params->k > items - 1 ? items - 1 : params->k;
    job.floor = params->weight == EMBEDDINGS_SCORE ? FLT_MIN : -INFINITY;
    int status = blas_load(&job.blas, "embeddings", err);
    if (status == 0)
        status = rows_init(&job.rows, items, items, NULL, job.k, err);
    if (status)
        return status;
    progress_begin(params->progress, "ranking embeddings", items);
    cursor_init(&job.cursor, job.k ? items : 0, TILE_ROWS);
    parallel_run(workers, run_worker, &job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job.status[w];
    if (status == 0) {
        rows_finish(&job.rows, out, NULL);
        return 0;
    }
    rows_deinit(&job.rows);
    return error_set(err, status, "embeddings: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

void embeddings_deinit(struct embeddings *e)
{
    free(e->in);
    free(e->out);
    *e = (struct embeddings){0};
}

uint64_t embeddings_rows_estimate_bytes(uint64_t items, uint32_t k)
{
    uint64_t worker = TILE_ROWS * (TILE_COLUMNS * sizeof(float) + 2 * k * sizeof(uint64_t));
    return 8 * items * (k + 3) + parallel_workers(0) * worker;
}
