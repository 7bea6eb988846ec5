/* Each row writes to room for the most it may keep; afterwards the rows are moved together. */
#include "rows.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE_ROWS 64

int rows_init(struct rows *r, uint32_t rows, uint32_t cols, const uint64_t *start, uint32_t k,
              struct error *err)
{
    *r = (struct rows){0};
    MEM_NEW(r->room, (size_t)rows + 1);
    MEM_ZNEW(r->length, rows);
    if (!r->room || !r->length) {
        rows_deinit(r);
        return error_set(err, ERR_NOMEM, "rows: out of memory");
    }
    r->room[0] = 0;
    for (uint32_t i = 0; i < rows; i++) {
        uint64_t most = start ? start[i + 1] - start[i] : k;
        r->room[i + 1] = r->room[i] + (most < k ? most : k);
    }
    int status = csr_alloc(&r->made, rows, cols, r->room[rows], 1, err);
    if (status)
        rows_deinit(r);
    return status;
}

void rows_put(struct rows *r, uint32_t row, struct topk *best)
{
    uint64_t to = r->room[row];
    assert(best->count <= r->room[row + 1] - to);
    topk_sort(best);
    for (uint32_t n = 0; n < best->count; n++) {
        r->made.column[to + n] = best->entries[n].item;
        r->made.value[to + n] = best->entries[n].score;
    }
    r->length[row] = best->count;
}

/* Gives back what an array has too much. */
static void *shrink(void *array, uint64_t count, size_t size)
{
    void *smaller = mem_resize(array, count, size);
    return smaller ? smaller : array;
}

void rows_finish(struct rows *r, struct csr *out, uint32_t **count)
{
    struct csr *m = &r->made;
    for (uint32_t i = 0; i < m->rows; i++) {
        uint64_t to = m->start[i];
        memmove(m->column + to, m->column + r->room[i], r->length[i] * sizeof *m->column);
        memmove(m->value + to, m->value + r->room[i], r->length[i] * sizeof *m->value);
        if (r->count)
            memmove(r->count + to, r->count + r->room[i], r->length[i] * sizeof *r->count);
        m->start[i + 1] = to + r->length[i];
    }
    m->column = shrink(m->column, csr_entries(m), sizeof *m->column);
    m->value = shrink(m->value, csr_entries(m), sizeof *m->value);
    *out = *m;
    *m = (struct csr){0};
    if (count) {
        *count = shrink(r->count, csr_entries(out), sizeof **count);
        r->count = NULL;
    }
    rows_deinit(r);
}

void rows_deinit(struct rows *r)
{
    csr_deinit(&r->made);
    free(r->room);
    free(r->length);
    free(r->count);
    *r = (struct rows){0};
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

bool rows_rank_items(const uint32_t *units, uint32_t items, uint32_t *rank)
{
    uint64_t *keys;
    if (!MEM_NEW(keys, items))
        return false;
    for (uint32_t i = 0; i < items; i++)
        keys[i] = (uint64_t)(UINT32_MAX - units[i]) << 32 | i;
    qsort(keys, items, sizeof *keys, compare_u64);
    for (uint32_t r = 0; r < items; r++)
        rank[(uint32_t)keys[r]] = r;
    free(keys);
    return true;
}

struct pruning {
    const struct csr *m;
    const uint32_t *rank;
    uint32_t keep;
    struct rows rows;
    struct cursor cursor;
    int status[PARALLEL_WORKERS_MAX];
};

/* First the largest, by their place in the row, then these in the order of the result. */
static void prune_row(struct pruning *p, uint32_t row, struct topk_entry *large,
                      struct topk_entry *ordered)
{
    const struct csr *m = p->m;
    struct topk first, last;
    uint64_t begin = m->start[row], length = m->start[row + 1] - begin;
    topk_init(&first, large, p->keep);
    topk_init(&last, ordered, p->keep);
    for (uint32_t e = 0; e < length; e++) {
        float size = fabsf(m->value[begin + e]);
        if (size > 0 && isfinite(size))
            topk_offer(&first, e, size, p->rank[m->column[begin + e]]);
    }
    for (uint32_t x = 0; x < first.count; x++) {
        uint64_t e = begin + first.entries[x].item;
        topk_offer(&last, m->column[e], m->value[e], p->rank[m->column[e]]);
    }
    rows_put(&p->rows, row, &last);
}

static void prune_rows(void *context, uint32_t worker)
{
    struct pruning *p = context;
    struct topk_entry *large, *ordered;
    uint64_t begin, end;
    MEM_NEW(large, p->keep);
    MEM_NEW(ordered, p->keep);
    p->status[worker] = large && ordered ? 0 : ERR_NOMEM;
    while (p->status[worker] == 0 && cursor_take(&p->cursor, &begin, &end))
        for (uint64_t row = begin; row < end; row++)
            prune_row(p, (uint32_t)row, large, ordered);
    free(large);
    free(ordered);
}

int rows_prune(const struct csr *m, const uint32_t *rank, uint32_t keep, uint32_t threads,
               struct csr *out, struct error *err)
{
    uint32_t workers = parallel_workers(threads);
    struct pruning p = {.m = m, .rank = rank, .keep = keep < m->cols ? keep : m->cols};
    int status = rows_init(&p.rows, m->rows, m->cols, m->start, p.keep, err);
    if (status)
        return status;
    cursor_init(&p.cursor, m->rows, PIECE_ROWS);
    parallel_run(workers, prune_rows, &p);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : p.status[w];
    if (status == 0) {
        rows_finish(&p.rows, out, NULL);
        return 0;
    }
    rows_deinit(&p.rows);
    return error_set(err, status, "rows: out of memory");
}

/* How many different pairs there are, both ways: no more than drawing them at random from all cells
 * would hit, less a quarter, as no shop sells all pairs alike (UCI Online Retail and power laws
 * have half of it). */
double rows_distinct_pairs(const struct dataset_shape *shape)
{
    double cells = (double)shape->items * (double)shape->items;
    double pairs = (double)dataset_shape_pairs(shape);
    return cells > 0 ? 0.75 * cells * -expm1(-pairs / cells) : 0;
}
