/* Ranks, rows and places are made by two counting passes over the baskets: the first counts items,
 * the second deals each kept row to the lists of its items. Walking those lists by ascending rank
 * and appending the rank to each row yields sorted rows without comparing anything, and turns the
 * list entry from "this row" into "this place" where it stands. Cost: O(entries + items log items);
 * memory 8 bytes an entry. */
#include "itemsets_internal.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

struct span {
    uint32_t fill, end; /* of a row in data; end 0: left out */
};

/* Rows between two looks at the cancel flag: some milliseconds. */
#define ROWS_PER_LOOK 65536

static bool cancelled_at(const struct progress *p, uint32_t row)
{
    return row % ROWS_PER_LOOK == 0 && progress_cancelled(p);
}

struct ranked {
    uint64_t key; /* what to sort by, ascending */
    uint32_t item;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return (x->item > y->item) - (x->item < y->item);
}

/* Fills item, support and everywhere from the counts; rank_of[item] = rank + 1, 0: not ranked. */
static bool rank_items(struct root *r, const uint32_t *count, uint32_t *rank_of,
                       const struct csr *baskets, uint32_t min_support)
{
    struct ranked *order;
    if (!MEM_NEW(order, baskets->cols))
        return false;
    uint32_t ranked = 0, everywhere = 0;
    for (uint32_t i = 0; i < baskets->cols; i++) {
        rank_of[i] = 0;
        if (count[i] < min_support)
            continue;
        if (count[i] == baskets->rows)
            everywhere++;
        else
            order[ranked++] = (struct ranked){count[i], i};
    }
    qsort(order, ranked, sizeof *order, compare_ranked);
    MEM_NEW(r->item, ranked);
    MEM_NEW(r->support, ranked);
    MEM_NEW(r->everywhere, everywhere);
    if (!r->item || !r->support || !r->everywhere) {
        free(order);
        return false;
    }
    for (uint32_t k = 0; k < ranked; k++) {
        r->item[k] = order[k].item;
        r->support[k] = (uint32_t)order[k].key;
        rank_of[order[k].item] = k + 1;
    }
    for (uint32_t i = 0; i < baskets->cols; i++)
        if (count[i] == baskets->rows && count[i] >= min_support)
            r->everywhere[r->everywhere_count++] = i;
    r->item_count = ranked;
    free(order);
    return true;
}

/* Gives each row of two or more ranked items its span in data and counts the list lengths. Like the
 * two passes below it stops early when cancelled; the caller looks. */
static uint64_t lay_out_rows(struct root *r, const struct csr *baskets, const uint32_t *rank_of,
                             struct span *span, const struct progress *p)
{
    uint64_t at = 0;
    for (uint32_t b = 0; b < baskets->rows && !cancelled_at(p, b); b++) {
        uint32_t size = 0;
        for (uint64_t e = baskets->start[b]; e < baskets->start[b + 1]; e++)
            size += rank_of[baskets->column[e]] != 0;
        span[b] = (struct span){0, 0};
        if (size < 2)
            continue;
        span[b] = (struct span){(uint32_t)at, (uint32_t)at + size};
        at += size + 1;
        for (uint64_t e = baskets->start[b]; e < baskets->start[b + 1]; e++)
            if (rank_of[baskets->column[e]])
                r->start[rank_of[baskets->column[e]]]++;
    }
    return at;
}

/* place[] lists rows per rank. */
static void deal_rows(struct root *r, const struct csr *baskets, const uint32_t *rank_of,
                      const struct span *span, const struct progress *p)
{
    uint32_t before = 0;
    for (uint32_t k = 1; k <= r->item_count; k++) {
        uint32_t count = r->start[k];
        r->start[k] = before;
        before += count;
    }
    /* start[rank + 1] is where the rank's list grows, so it ends as the list's end. */
    for (uint32_t b = 0; b < baskets->rows && !cancelled_at(p, b); b++) {
        if (span[b].end == 0)
            continue;
        for (uint64_t e = baskets->start[b]; e < baskets->start[b + 1]; e++)
            if (rank_of[baskets->column[e]])
                r->place[r->start[rank_of[baskets->column[e]]]++] = b;
    }
}

static void fill_rows(struct root *r, struct span *span, uint32_t row_count,
                      const struct progress *p)
{
    for (uint32_t rank = 0; rank < r->item_count && !progress_cancelled(p); rank++) {
        for (uint32_t k = r->start[rank]; k < r->start[rank + 1]; k++) {
            struct span *row = &span[r->place[k]];
            r->data[row->fill++] = rank;
            r->place[k] = row->fill;
            r->cost[rank] += row->end - row->fill;
        }
    }
    for (uint32_t b = 0; b < row_count; b++)
        if (span[b].end)
            r->data[span[b].end] = ROW_END;
}

static bool order_heads(struct root *r)
{
    struct ranked *order;
    if (!MEM_NEW(order, r->item_count))
        return false;
    for (uint32_t k = 0; k < r->item_count; k++)
        order[k] = (struct ranked){UINT64_MAX - r->cost[k], k};
    qsort(order, r->item_count, sizeof *order, compare_ranked);
    for (uint32_t k = 0; k < r->item_count; k++)
        r->heads[k] = order[k].item;
    free(order);
    return true;
}

static int make_rows(struct root *r, const struct csr *baskets, const uint32_t *rank_of,
                     struct span *span, const struct progress *p)
{
    if (!MEM_ZNEW(r->start, (size_t)r->item_count + 1))
        return ERR_NOMEM;
    uint64_t data = lay_out_rows(r, baskets, rank_of, span, p);
    MEM_NEW(r->data, data);
    MEM_NEW(r->place, data);
    MEM_NEW(r->heads, r->item_count);
    MEM_ZNEW(r->cost, r->item_count);
    if (!r->data || !r->place || !r->heads || !r->cost)
        return ERR_NOMEM;
    if (progress_cancelled(p))
        return ERR_CANCELLED;
    deal_rows(r, baskets, rank_of, span, p);
    if (progress_cancelled(p))
        return ERR_CANCELLED;
    fill_rows(r, span, baskets->rows, p);
    if (progress_cancelled(p))
        return ERR_CANCELLED;
    return order_heads(r) ? 0 : ERR_NOMEM;
}

static int build(struct root *r, const struct csr *baskets, uint32_t min_support,
                 const struct progress *p)
{
    int status = ERR_NOMEM;
    uint32_t *count, *rank_of;
    struct span *span;
    MEM_ZNEW(count, baskets->cols);
    MEM_NEW(rank_of, baskets->cols);
    MEM_NEW(span, baskets->rows);
    if (count && rank_of && span) {
        for (uint64_t e = 0; e < csr_entries(baskets); e++)
            count[baskets->column[e]]++;
        if (rank_items(r, count, rank_of, baskets, min_support))
            status = make_rows(r, baskets, rank_of, span, p);
    }
    free(count);
    free(rank_of);
    free(span);
    return status;
}

int root_build(const struct csr *baskets, uint32_t min_support, struct progress *p,
               struct root *out, struct error *err)
{
    assert(min_support > 0);
    *out = (struct root){0};
    if (csr_entries(baskets) + baskets->rows >= UINT32_MAX)
        return error_set(err, ERR_TOO_LARGE, "itemsets: more than %u order lines", UINT32_MAX - 1);
    progress_begin(p, "sorting items", 0);
    int status = build(out, baskets, min_support, p);
    if (status == 0)
        return 0;
    root_deinit(out);
    return error_set(err, status, "itemsets: %s",
                     status == ERR_NOMEM ? "out of memory for the baskets" : "cancelled");
}

void root_deinit(struct root *r)
{
    free(r->item);
    free(r->support);
    free(r->data);
    free(r->start);
    free(r->place);
    free(r->heads);
    free(r->cost);
    free(r->everywhere);
    *r = (struct root){0};
}
