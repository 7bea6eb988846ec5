/* The baskets as rows of ranks. A first pass counts how long rows and the lists of the ranks
 * become, a second deals each row to the lists of its items. Walking the lists by ascending rank
 * and appending the rank to each row yields sorted rows without comparing anything, and turns the
 * list entry from "this row" into "this place" where it stands. Cost: O(entries); memory 8 bytes an
 * entry.
 *
 * Large ones are made in parts, a range of rows for each thread: lists are in the order of the
 * rows, so a part has a piece of each list to itself. Parts begin at multiples of 64 rows, so that
 * they share no word of a bitmap either. */
#include "itemsets_root.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <stdlib.h>

/* Baskets are sparse that hold less than one in so many items. */
#define SPARSE 10
/* Dense baskets of more items are counted by sweeps. */
#define PAIRS_MAX 512
/* Fewer entries are not worth starting a thread for. */
#define PART_ENTRIES 100000

struct span {
    uint32_t fill, end; /* of a row in data; end 0: left out */
};

struct part {
    uint32_t begin, end; /* rows */
    uint32_t data;       /* where its rows begin; while counting: their length in all */
    uint32_t *list;      /* [item_count] where its piece of a list grows */
    uint64_t *cost;      /* [item_count] */
};

struct rows {
    struct root_builder *b;
    struct root *root;
    struct span *span; /* [rows] */
    uint64_t *bitmaps; /* [item_count][words] of the rows of dense baskets, else NULL */
    size_t words;
    struct part parts[PARALLEL_WORKERS_MAX];
    uint32_t part_count;
    void (*pass)(struct rows *rows, struct part *part);
};

static void run_part(void *context, uint32_t index)
{
    struct rows *rows = context;
    rows->pass(rows, &rows->parts[index]);
}

static bool run_pass(struct rows *rows, void (*pass)(struct rows *rows, struct part *part))
{
    rows->pass = pass;
    parallel_run(rows->part_count, run_part, rows);
    return !progress_cancelled(rows->b->params->progress);
}

/* Gives each row of two or more ranked items its span, from 0 on in each part, and counts the
 * pieces of the lists. */
static void lay_out_rows(struct rows *rows, struct part *part)
{
    const struct csr *m = rows->b->baskets;
    const uint32_t *rank_of = rows->b->rank_of;
    uint32_t at = 0;
    for (uint32_t r = part->begin; r < part->end; r++) {
        bool out = rows->b->apart && rows->b->apart[r];
        uint32_t size = 0;
        for (uint64_t e = m->start[r]; !out && e < m->start[r + 1]; e++)
            size += rank_of[m->column[e]] != 0;
        rows->span[r] = (struct span){0, 0};
        if (size < 2)
            continue;
        rows->span[r] = (struct span){at, at + size};
        at += size + 1;
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
            if (rank_of[m->column[e]])
                part->list[rank_of[m->column[e]] - 1]++;
    }
    part->data = at;
}

/* Lengths become places; returns the length of data. */
static uint32_t place_parts(struct rows *rows)
{
    struct root *root = rows->root;
    uint32_t at = 1, before = 0;
    for (uint32_t p = 0; p < rows->part_count; p++) {
        uint32_t length = rows->parts[p].data;
        rows->parts[p].data = at;
        at += length;
    }
    for (uint32_t rank = 0; rank < root->item_count; rank++) {
        root->start[rank] = before;
        for (uint32_t p = 0; p < rows->part_count; p++) {
            uint32_t length = rows->parts[p].list[rank];
            rows->parts[p].list[rank] = before;
            before += length;
        }
    }
    root->start[root->item_count] = before;
    return at;
}

/* place[] lists rows per rank; each piece of a list ends where `list` stands afterwards. */
static void deal_rows(struct rows *rows, struct part *part)
{
    const struct csr *m = rows->b->baskets;
    const uint32_t *rank_of = rows->b->rank_of;
    for (uint32_t r = part->begin; r < part->end; r++) {
        if (rows->span[r].end == 0)
            continue;
        rows->span[r].fill += part->data;
        rows->span[r].end += part->data;
        for (uint64_t e = m->start[r]; e < m->start[r + 1]; e++)
            if (rank_of[m->column[e]])
                rows->root->place[part->list[rank_of[m->column[e]] - 1]++] = r;
    }
}

static void fill_piece(struct rows *rows, struct part *part, uint32_t rank)
{
    struct root *root = rows->root;
    uint32_t begin = part == rows->parts ? root->start[rank] : part[-1].list[rank];
    uint64_t cost = 0;
    for (uint32_t k = begin; k < part->list[rank]; k++) {
        uint32_t r = root->place[k];
        struct span *row = &rows->span[r];
        if (rows->bitmaps)
            rows->bitmaps[rank * rows->words + r / 64] |= 1ULL << r % 64;
        if (root->basket)
            root->basket[k] = r;
        root->data[row->fill++] = rank;
        root->place[k] = row->fill;
        cost += row->end - row->fill;
    }
    part->cost[rank] = cost;
}

static void fill_rows(struct rows *rows, struct part *part)
{
    struct root *root = rows->root;
    for (uint32_t rank = 0; rank < root->item_count; rank++) {
        if (progress_cancelled(rows->b->params->progress))
            return;
        fill_piece(rows, part, rank);
    }
    for (uint32_t r = part->begin; r < part->end; r++)
        if (rows->span[r].end)
            root->data[rows->span[r].end] = ROW_END;
}

static void sign_rows(struct rows *rows, struct part *part)
{
    struct root *root = rows->root;
    uint64_t always = 0;
    for (uint32_t i = 0; i < root->prefix_count; i++)
        always |= item_signature(root->prefix[i]);
    for (uint32_t i = 0; i < root->everywhere_count; i++)
        always |= item_signature(root->everywhere[i]);
    for (uint32_t r = part->begin; r < part->end; r++) {
        struct extent *row = &root->extent[r];
        *row = (struct extent){.signature = always};
        if (rows->span[r].end == 0)
            continue;
        uint32_t begin = rows->span[r].end;
        while (root->data[begin - 1] != ROW_END)
            row->signature |= item_signature(root->item[root->data[--begin]]);
        row->at = begin;
        row->length = rows->span[r].end - begin;
    }
}

/* Where rows hold few of the items, baskets seldom share more than the set at hand, and looking at
 * some of them shows it; elsewhere the past of the rows is worth its keep (both measured on all the
 * shared data sets). */
static bool is_sparse(const struct root *r)
{
    return (uint64_t)r->data_count * SPARSE < (uint64_t)r->basket_count * r->item_count;
}

/* The first row of part p of `parts`, by entries. */
static uint32_t part_begin(const struct csr *m, uint32_t p, uint32_t parts)
{
    uint64_t entry = csr_entries(m) / parts * p;
    uint32_t low = 0, high = m->rows;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (m->start[middle] < entry)
            low = middle + 1;
        else
            high = middle;
    }
    return low & ~63u;
}

static bool divide(struct rows *rows)
{
    const struct csr *m = rows->b->baskets;
    uint32_t workers = parallel_workers(rows->b->params->threads);
    uint64_t most = csr_entries(m) / PART_ENTRIES + 1;
    rows->part_count = most < workers ? (uint32_t)most : workers;
    bool good = true;
    for (uint32_t p = 0; p < rows->part_count; p++) {
        struct part *part = &rows->parts[p];
        part->begin = p ? part_begin(m, p, rows->part_count) : 0;
        part->end = p + 1 < rows->part_count ? part_begin(m, p + 1, rows->part_count) : m->rows;
        MEM_ZNEW(part->list, rows->root->item_count);
        MEM_NEW(part->cost, rows->root->item_count);
        good = good && part->list && part->cost;
    }
    MEM_NEW(rows->span, m->rows);
    MEM_NEW(rows->root->start, (size_t)rows->root->item_count + 1);
    return good && rows->span && rows->root->start;
}

static bool allocate(struct rows *rows)
{
    struct root *r = rows->root;
    uint32_t row_count = rows->b->baskets->rows;
    bool sparse = is_sparse(r), good = true;
    MEM_NEW(r->data, r->data_count);
    MEM_NEW(r->place, r->data_count);
    MEM_ZNEW(r->cost, r->item_count);
    rows->words = row_count / 64 + 1;
    if (!sparse && r->item_count <= PAIRS_MAX)
        good = MEM_ZNEW(rows->bitmaps, r->item_count * rows->words) != NULL;
    if (sparse && rows->b->params->target == TARGET_CLOSED) {
        MEM_NEW(r->basket, r->data_count);
        MEM_NEW(r->extent, row_count);
        good = r->basket && r->extent;
    }
    return good && r->data && r->place && r->cost;
}

static int make(struct rows *rows)
{
    struct root *root = rows->root;
    if (!divide(rows))
        return ERR_NOMEM;
    if (!run_pass(rows, lay_out_rows))
        return ERR_CANCELLED;
    root->data_count = place_parts(rows);
    if (!allocate(rows))
        return ERR_NOMEM;
    root->data[0] = ROW_END;
    if (!run_pass(rows, deal_rows) || !run_pass(rows, fill_rows) ||
        (root->extent && !run_pass(rows, sign_rows)))
        return ERR_CANCELLED;
    for (uint32_t p = 0; p < rows->part_count; p++)
        for (uint32_t rank = 0; rank < root->item_count; rank++)
            root->cost[rank] += rows->parts[p].cost[rank];
    if (rows->bitmaps)
        root->pairs = pairs_count(rows->bitmaps, root->item_count, rows->words, false);
    return root->pairs || !rows->bitmaps ? 0 : ERR_NOMEM;
}

int rows_build(struct root_builder *b)
{
    struct rows rows = {.b = b, .root = b->root};
    int status = make(&rows);
    for (uint32_t p = 0; p < rows.part_count; p++) {
        free(rows.parts[p].list);
        free(rows.parts[p].cost);
    }
    free(rows.span);
    free(rows.bitmaps);
    return status;
}
