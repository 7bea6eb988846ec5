/* Each item asked about by itself. Cost: an answer an item. */
#include "learn/sessionknn.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/topk.h"
#include "rows.h"

#include <stdlib.h>

#define PIECE_ROWS 32

struct job {
    const struct sessionknn *k;
    uint32_t keep, threads;
    struct progress *progress;
    uint32_t *rank; /* [items] by how many of the sessions kept have it */
    struct rows rows;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

static void make_row(struct job *job, uint32_t i, struct sessionknn_scratch *s, struct topk *best)
{
    struct sessionknn_answer answer;
    sessionknn_ask(job->k, &i, 1, s, &answer);
    topk_init(best, best->entries, job->keep);
    for (uint32_t x = 0; x < answer.count; x++)
        topk_offer(best, answer.item[x], answer.score[answer.item[x]], job->rank[answer.item[x]]);
    rows_put(&job->rows, i, best);
}

static void run_worker(void *context, uint32_t worker)
{
    struct job *job = context;
    struct topk best = {0};
    struct sessionknn_scratch *scratch = sessionknn_scratch_new(job->k, NULL);
    uint64_t begin, end;
    MEM_NEW(best.entries, job->keep);
    int status = scratch && best.entries ? 0 : ERR_NOMEM;
    while (status == 0 && cursor_take(&job->cursor, &begin, &end)) {
        for (uint64_t i = begin; i < end; i++)
            make_row(job, (uint32_t)i, scratch, &best);
        if (progress_cancelled(job->progress))
            status = ERR_CANCELLED;
    }
    sessionknn_scratch_free(scratch);
    free(best.entries);
    job->status[worker] = status;
}

static bool rank_items(struct job *job)
{
    const struct sessionknn *k = job->k;
    uint32_t *sessions;
    if (!MEM_NEW(sessions, k->item_count) || !MEM_NEW(job->rank, k->item_count)) {
        free(sessions);
        return false;
    }
    for (uint32_t i = 0; i < k->item_count; i++)
        sessions[i] = (uint32_t)(k->by_start[i + 1] - k->by_start[i]);
    bool ranked = rows_rank_items(sessions, k->item_count, job->rank);
    free(sessions);
    return ranked;
}

static int run(struct job *job)
{
    uint32_t items = job->k->item_count, workers = parallel_workers(job->threads);
    int status =
        rank_items(job) ? rows_init(&job->rows, items, items, NULL, job->keep, NULL) : ERR_NOMEM;
    if (status)
        return status;
    progress_begin(job->progress, "session neighbours", 0);
    cursor_init(&job->cursor, items, PIECE_ROWS);
    parallel_run(workers, run_worker, job);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : job->status[w];
    return status;
}

int sessionknn_rows(const struct sessionknn *k, const struct sessionknn_rows_params *params,
                    struct csr *out, struct error *err)
{
    struct job job = {
        .k = k, .keep = params->keep, .threads = params->threads, .progress = params->progress};
    int status = run(&job);
    free(job.rank);
    if (status == 0) {
        rows_finish(&job.rows, out, NULL);
        return 0;
    }
    rows_deinit(&job.rows);
    return error_set(err, status, "session neighbours: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

uint64_t sessionknn_rows_estimate_bytes(const struct dataset_shape *shape,
                                        const struct sessionknn_rows_params *params)
{
    uint64_t items = shape->items, keep = params->keep < items ? params->keep : items;
    return sessionknn_estimate_bytes(shape->lines, items) +
           parallel_workers(params->threads) *
               sessionknn_scratch_estimate_bytes(shape->lines, items) +
           items * (keep * (sizeof(uint32_t) + sizeof(float)) + 40);
}
