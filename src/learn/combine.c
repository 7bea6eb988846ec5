/* A row is summed in a dense accumulator with a list of what was touched, cut to the entries of
 * largest magnitude by a heap, then sorted. Each row writes to room for `keep` entries; afterwards
 * the rows are moved together. Cost: one random access an entry. */
#include "learn/combine.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/topk.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define PIECE_ROWS 64

struct job {
    const struct combine_part *parts;
    uint32_t part_count, items, keep;
    const uint32_t *rank;
    uint64_t *room;   /* [items] where each row may write */
    uint32_t *length; /* [items] */
    struct csr *out;
    struct progress *progress;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

struct worker {
    float *sum;     /* [items], 0 where not touched */
    bool *touched;  /* [items] */
    uint32_t *list; /* [items] */
    uint32_t count;
    struct topk best;
};

static void add_row(struct worker *w, const struct combine_part *part, uint32_t i)
{
    const struct csr *rows = part->rows;
    for (uint64_t e = rows->start[i]; e < rows->start[i + 1]; e++) {
        uint32_t j = rows->column[e];
        if (!w->touched[j]) {
            w->touched[j] = true;
            w->list[w->count++] = j;
        }
        w->sum[j] += part->weight * rows->value[e];
    }
}

/* topk orders by the score: first the magnitudes choose, then the values sort. */
static void write_row(struct job *job, struct worker *w, uint32_t i)
{
    struct csr *out = job->out;
    topk_init(&w->best, w->best.entries, job->keep);
    for (uint32_t x = 0; x < w->count; x++) {
        float magnitude = fabsf(w->sum[w->list[x]]);
        if (magnitude > 0 && magnitude <= ROWS_WEIGHT_MAX)
            topk_offer(&w->best, w->list[x], magnitude, job->rank[w->list[x]]);
    }
    for (uint32_t x = 0; x < w->best.count; x++)
        w->best.entries[x].score = w->sum[w->best.entries[x].item];
    qsort(w->best.entries, w->best.count, sizeof *w->best.entries, topk_compare);
    uint64_t to = job->room[i];
    for (uint32_t x = 0; x < w->best.count; x++) {
        out->column[to + x] = w->best.entries[x].item;
        out->value[to + x] = w->best.entries[x].score;
    }
    job->length[i] = w->best.count;
}

static void make_row(struct job *job, struct worker *w, uint32_t i)
{
    w->count = 0;
    for (uint32_t p = 0; p < job->part_count; p++)
        if (job->parts[p].weight != 0)
            add_row(w, &job->parts[p], i);
    write_row(job, w, i);
    for (uint32_t x = 0; x < w->count; x++) {
        w->sum[w->list[x]] = 0;
        w->touched[w->list[x]] = false;
    }
}

static void run_worker(void *context, uint32_t index)
{
    struct job *job = context;
    struct worker w = {0};
    uint64_t begin, end;
    MEM_ZNEW(w.sum, job->items);
    MEM_ZNEW(w.touched, job->items);
    MEM_NEW(w.list, job->items);
    MEM_NEW(w.best.entries, job->keep);
    int status = w.sum && w.touched && w.list && w.best.entries ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t i = begin; i < end; i++)
            make_row(job, &w, (uint32_t)i);
        if (progress_step(job->progress, end - begin))
            status = ERR_CANCELLED;
    }
    free(w.sum);
    free(w.touched);
    free(w.list);
    free(w.best.entries);
    job->status[index] = status;
}

int rows_combine(const struct combine_part *parts, uint32_t part_count, const uint32_t *rank,
                 uint32_t keep, uint32_t threads, struct progress *progress, struct csr *out,
                 struct error *err)
{
    uint32_t items = parts[0].rows->rows, workers = parallel_workers(threads);
    struct csr made = {0};
    struct job job = {.parts = parts,
                      .part_count = part_count,
                      .items = items,
                      .keep = keep < items ? keep : items,
                      .rank = rank,
                      .out = &made,
                      .progress = progress};
    MEM_NEW(job.room, items);
    MEM_NEW(job.length, items);
    int status = job.room && job.length
                     ? csr_alloc(&made, items, items, (uint64_t)items * job.keep, 1, err)
                     : ERR_NOMEM;
    if (status == 0) {
        for (uint32_t i = 0; i < items; i++)
            job.room[i] = (uint64_t)i * job.keep;
        cursor_init(&job.cursor, items, PIECE_ROWS);
        parallel_run(workers, run_worker, &job);
        for (uint32_t w = 0; w < workers; w++)
            status = status ? status : job.status[w];
    }
    if (status == 0) {
        csr_pack(&made, job.room, job.length);
        *out = made;
    } else {
        csr_deinit(&made);
        error_set(err, status, "combining rows: %s",
                  status == ERR_NOMEM ? "out of memory" : "cancelled");
    }
    free(job.room);
    free(job.length);
    return status;
}

uint64_t rows_combine_estimate_bytes(uint64_t items, uint32_t keep)
{
    uint64_t worker = items * (sizeof(float) + sizeof(bool) + sizeof(uint32_t));
    return items * (8 * (uint64_t)keep + 12) + parallel_workers(0) * worker;
}
