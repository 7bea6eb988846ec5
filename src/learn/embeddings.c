/* The k best out-vectors of each in-vector. Tiles of the score matrix are made by sgemm, small
 * enough to stay in the level-2 cache, and offered to a list for each row; nearly all scores are
 * below the worst of a row's k best so far, so looking at one is a part of a vector comparison.
 *
 * With many items a row looks at some cells of columns only: those of the longest vectors, which
 * are the popular items, and those of its neighbourhood. Rows of one direction are worked on
 * together and choose cells by the product of the cell's mean and their own. Cost: 2 d n flops and
 * n comparisons a row, n the candidates; memory: a tile and its lists for each worker, and the
 * columns once more if they have to be dealt. */
#include "learn/embeddings.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "blas.h"
#include "rows.h"
#include "select.h"
#include "vectors.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define ODDS_MAX     8.0f
#define LN_ODDS_MAX  2.0794415f
#define CANDIDATES   20000
#define TILE_ROWS    128
#define TILE_COLUMNS 512
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
    uint32_t k;            /* entries of a row, at most */
    float floor;           /* scores below it are none */
    uint32_t cells;        /* of TILE_COLUMNS columns, but for the last */
    uint32_t looked;       /* cells a row looks at: */
    uint32_t heads;        /* the first ones and what it chooses of the others */
    const float *out;      /* [items x dimensions] cell by cell */
    uint32_t *row_item;    /* [items] of a row's place; NULL: the place */
    uint32_t *column_item; /* [items] of a column's place; NULL: the place */
    float *moved;          /* [items x dimensions] memory of out, if not the caller's */
    float *centre;         /* [cells x dimensions] */
    struct rows rows;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* One worker's memory. */
struct worker {
    float *in;                 /* [TILE_ROWS x dimensions] */
    float *mean;               /* [dimensions] */
    uint64_t *cell;            /* [cells] */
    float *tile;               /* [TILE_ROWS x TILE_COLUMNS] */
    uint64_t *entry;           /* [TILE_ROWS x 2 k] */
    struct topk_entry *sorted; /* [k] */
};

/* Sums of odds rank better than sums of probabilities or of their logarithms; beyond 8 more adds
 * nothing but a wider range. */
static float odds(float score)
{
    return score < LN_ODDS_MAX ? expf(score) : ODDS_MAX;
}

static float weight_of(enum embeddings_weight weight, float score, float left_out)
{
    return weight == EMBEDDINGS_ODDS     ? odds(score)
           : weight == EMBEDDINGS_MARGIN ? score - left_out
                                         : score;
}

static bool all_below(const float *scores, float floor)
{
    int reached = 0;
    for (int n = 0; n < LOOK; n++)
        reached |= scores[n] >= floor;
    return !reached;
}

static void cut(struct shortlist *s)
{
    select_best(s->entry, s->count, s->k);
    s->count = s->k;
    s->floor = select_score(s->entry[s->k - 1]);
}

static uint32_t item_at(const uint32_t *item, uint32_t place)
{
    return item ? item[place] : place;
}

/* Scores of one row against the columns from `first` on. */
static void offer_scores(const struct job *job, struct shortlist *best, const float *scores,
                         uint32_t first, uint32_t count, uint32_t self)
{
    for (uint32_t c = 0; c < count; c++) {
        if (c % LOOK == 0 && count - c >= LOOK && all_below(scores + c, best->floor)) {
            c += LOOK - 1;
            continue;
        }
        uint32_t item = item_at(job->column_item, first + c);
        if (!(scores[c] >= best->floor && scores[c] <= FLT_MAX) || item == self)
            continue;
        best->entry[best->count++] = select_entry(item, scores[c]);
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
        topk_offer(&best, select_item(s->entry[n]), select_score(s->entry[n]), 0);
    rows_put(&job->rows, row, &best);
    float *value = job->rows.made.value + job->rows.room[row];
    if (job->params->weight == EMBEDDINGS_MARGIN && best.count)
        job->rows.length[row]--; /* the best one left out */
    for (uint32_t n = 0; n < job->rows.length[row]; n++)
        value[n] = weight_of(job->params->weight, value[n], best.entries[best.count - 1].score);
}

/* The cells to look at into the first places of cell[]. */
static void choose_cells(const struct job *job, uint32_t rows, const struct worker *w)
{
    uint32_t d = job->e->dimensions;
    for (uint32_t c = 0; c < job->heads; c++)
        w->cell[c] = select_entry(c, 0);
    if (job->heads == job->looked)
        return;
    memset(w->mean, 0, d * sizeof *w->mean);
    for (uint32_t r = 0; r < rows; r++) {
        const float *in = w->in + (size_t)r * d;
        float scale = vectors_scale(in, d);
        for (uint32_t k = 0; k < d; k++)
            w->mean[k] += scale * in[k];
    }
    for (uint32_t c = job->heads; c < job->cells; c++)
        w->cell[c] = select_entry(c, vectors_dot(w->mean, job->centre + (size_t)c * d, d));
    select_best(w->cell + job->heads, job->cells - job->heads, job->looked - job->heads);
}

static void make_rows(struct job *job, uint32_t begin, uint32_t rows, const struct worker *w)
{
    const struct embeddings *e = job->e;
    int d = (int)e->dimensions;
    struct shortlist best[TILE_ROWS];
    for (uint32_t r = 0; r < rows; r++) {
        size_t from = (size_t)item_at(job->row_item, begin + r) * e->dimensions;
        memcpy(w->in + (size_t)r * e->dimensions, e->in + from, e->dimensions * sizeof *w->in);
        best[r] = (struct shortlist){w->entry + (size_t)r * 2 * job->k, 0, job->k, job->floor};
    }
    choose_cells(job, rows, w);
    for (uint32_t n = 0; n < job->looked; n++) {
        uint32_t first = select_item(w->cell[n]) * TILE_COLUMNS, rest = e->item_count - first;
        uint32_t columns = rest < TILE_COLUMNS ? rest : TILE_COLUMNS;
        job->blas.sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)columns, d, 1,
                        w->in, d, job->out + (size_t)first * e->dimensions, d, 0, w->tile,
                        TILE_COLUMNS);
        for (uint32_t r = 0; r < rows; r++)
            offer_scores(job, &best[r], w->tile + (size_t)r * TILE_COLUMNS, first, columns,
                         item_at(job->row_item, begin + r));
    }
    for (uint32_t r = 0; r < rows; r++)
        put_row(job, item_at(job->row_item, begin + r), &best[r], w->sorted);
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    uint32_t d = job->e->dimensions;
    struct worker w;
    uint64_t begin, end;
    MEM_NEW(w.in, (size_t)TILE_ROWS * d);
    MEM_NEW(w.mean, d);
    MEM_NEW(w.cell, job->cells);
    MEM_NEW(w.tile, TILE_ROWS * TILE_COLUMNS);
    MEM_NEW(w.entry, (size_t)TILE_ROWS * 2 * job->k);
    MEM_NEW(w.sorted, job->k);
    int status = w.in && w.mean && w.cell && w.tile && w.entry && w.sorted ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        make_rows(job, (uint32_t)begin, (uint32_t)(end - begin), &w);
        if (progress_step(job->params->progress, end - begin))
            status = ERR_CANCELLED;
    }
    free(w.in);
    free(w.mean);
    free(w.cell);
    free(w.tile);
    free(w.entry);
    free(w.sorted);
    job->status[worker] = status;
}

/* The longest vectors to the front. */
static bool put_heads(const struct embeddings *e, uint32_t heads, uint32_t *item)
{
    uint64_t *entry;
    if (!MEM_NEW(entry, e->item_count))
        return false;
    for (uint32_t i = 0; i < e->item_count; i++) {
        const float *v = e->out + (size_t)i * e->dimensions;
        entry[i] = select_entry(i, vectors_dot(v, v, e->dimensions));
    }
    if (heads)
        select_best(entry, e->item_count, heads);
    for (uint32_t i = 0; i < e->item_count; i++)
        item[i] = select_item(entry[i]);
    free(entry);
    return true;
}

/* Copies the columns to their places and finds the centres of the cells. */
static void move_columns(struct job *job)
{
    uint32_t items = job->e->item_count, d = job->e->dimensions;
    for (uint32_t place = 0; place < items; place++) {
        uint32_t cell = place / TILE_COLUMNS, rest = items - cell * TILE_COLUMNS;
        float share = 1 / (float)(rest < TILE_COLUMNS ? rest : TILE_COLUMNS);
        float *to = job->moved + (size_t)place * d, *centre = job->centre + (size_t)cell * d;
        memcpy(to, job->e->out + (size_t)job->column_item[place] * d, d * sizeof *to);
        for (uint32_t k = 0; k < d; k++)
            centre[k] += to[k] * share;
    }
    job->out = job->moved;
}

/* Deals rows and columns into cells of neighbours. */
static int deal(struct job *job)
{
    const struct embeddings *e = job->e;
    uint32_t items = e->item_count, first = job->heads * TILE_COLUMNS;
    MEM_NEW(job->row_item, items);
    MEM_NEW(job->column_item, items);
    MEM_NEW(job->moved, (size_t)items * e->dimensions);
    MEM_ZNEW(job->centre, (size_t)job->cells * e->dimensions);
    if (!job->row_item || !job->column_item || !job->moved || !job->centre ||
        !put_heads(e, first, job->column_item))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < items; i++)
        job->row_item[i] = i;
    if (!vectors_partition(e->in, items, e->dimensions, TILE_ROWS, job->row_item, items) ||
        !vectors_partition(e->out, items, e->dimensions, TILE_COLUMNS, job->column_item + first,
                           items - first))
        return ERR_NOMEM;
    move_columns(job);
    return 0;
}

static int prepare(struct job *job, struct error *err)
{
    uint32_t items = job->e->item_count;
    uint64_t wanted = job->params->candidates ? job->params->candidates : CANDIDATES;
    job->cells = (items + TILE_COLUMNS - 1) / TILE_COLUMNS;
    job->looked = job->heads = job->cells;
    job->out = job->e->out;
    int status = blas_load(&job->blas, "embeddings", err);
    status = status ? status : rows_init(&job->rows, items, items, NULL, job->k, err);
    if (status || items <= wanted)
        return status;
    job->looked = (uint32_t)((wanted + TILE_COLUMNS - 1) / TILE_COLUMNS);
    job->heads = job->looked / 2;
    return deal(job);
}

static void job_deinit(struct job *job)
{
    free(job->row_item);
    free(job->column_item);
    free(job->moved);
    free(job->centre);
    rows_deinit(&job->rows);
}

static bool are_finite(const float *values, size_t count)
{
    bool finite = true;
    for (size_t x = 0; x < count; x++)
        finite &= isfinite(values[x]) != 0;
    return finite;
}

int embeddings_rows(const struct embeddings *e, const struct embeddings_rows_params *params,
                    struct csr *out, struct error *err)
{
    uint32_t items = e->item_count, workers = parallel_workers(params->threads);
    struct job job = {.e = e, .params = params};
    job.k = params->k + (params->weight == EMBEDDINGS_MARGIN);
    job.k = items > 0 && job.k > items - 1 ? items - 1 : job.k;
    job.floor = params->weight == EMBEDDINGS_SCORE ? FLT_MIN : -FLT_MAX;
    size_t values = (size_t)items * e->dimensions;
    if (!are_finite(e->in, values) || !are_finite(e->out, values))
        return error_set(err, ERR_INVALID, "embeddings: a vector is not finite");
    progress_begin(params->progress, "ranking embeddings", items);
    int status = prepare(&job, err);
    if (status == 0) {
        cursor_init(&job.cursor, job.k ? items : 0, TILE_ROWS);
        parallel_run(workers, run_worker, &job);
        for (uint32_t w = 0; w < workers; w++)
            status = status ? status : job.status[w];
    }
    if (status == 0)
        rows_finish(&job.rows, out, NULL);
    job_deinit(&job);
    if (status == 0)
        return 0;
    return error_set(err, status, "embeddings: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

void embeddings_deinit(struct embeddings *e)
{
    free(e->in);
    free(e->out);
    *e = (struct embeddings){0};
}

uint64_t embeddings_rows_estimate_bytes(uint64_t items, uint32_t dimensions, uint32_t k)
{
    uint64_t worker = TILE_ROWS * (TILE_COLUMNS * sizeof(float) + 2 * k * sizeof(uint64_t) +
                                   dimensions * sizeof(float));
    uint64_t dealt = items > CANDIDATES ? items * (4ULL * dimensions + 20) : 0;
    return 8 * items * (k + 3) + dealt + parallel_workers(0) * worker;
}
