/* From the context to scored cells: a sparse vector-matrix product into a dense accumulator.
 *
 * A cell's stamp tells whether it belongs to this request, so nothing is cleared between requests;
 * the first touch appends the item to the list of candidates. Cost: one random 8-byte cell per
 * entry of the context's rows.
 *
 * The source that counts by its largest entry goes first: then every cell is either empty, a
 * context item or one that holds the largest so far. */
#include "recommend_internal.h"

_Static_assert(SOURCE_LLR == 0, "the source pooled by the largest comes before those added to it");

static void touch(struct scratch *s, uint32_t item, float score)
{
    s->cells[item] = (struct cell){s->stamp, score};
    s->found[s->found_count++].item = item;
}

static void raise_to_row(struct scratch *s, const struct csr *rows, uint32_t item, float scale)
{
    for (uint64_t e = rows->start[item]; e < rows->start[item + 1]; e++) {
        struct cell *cell = &s->cells[rows->column[e]];
        float score = scale * rows->value[e];
        if (cell->stamp != s->stamp)
            touch(s, rows->column[e], score);
        else if (score > cell->score)
            cell->score = score;
    }
}

static void add_row(struct scratch *s, const struct csr *rows, uint32_t item, float scale)
{
    for (uint64_t e = rows->start[item]; e < rows->start[item + 1]; e++) {
        struct cell *cell = &s->cells[rows->column[e]];
        float score = scale * rows->value[e];
        if (cell->stamp != s->stamp)
            touch(s, rows->column[e], score);
        else
            cell->score += score;
    }
}

/* A row is a few hundred bytes anywhere in a matrix far larger than the caches: it is fetched while
 * the one before it is added. */
static void prefetch_row(const struct csr *rows, uint32_t item)
{
    const uint64_t end = rows->start[item + 1], per_line = 64 / sizeof *rows->column;
    for (uint64_t e = rows->start[item]; e < end; e += per_line) {
        __builtin_prefetch(rows->column + e);
        __builtin_prefetch(rows->value + e);
    }
}

static void gather_source(struct request *r, enum source_kind kind, float scale)
{
    struct scratch *s = r->s;
    const struct csr *rows = &r->m->sources[kind].rows;
    for (uint32_t x = 0; x < s->context_count; x++) {
        if (x + 1 < s->context_count)
            prefetch_row(rows, s->context[x + 1]);
        if (pools_largest(kind))
            raise_to_row(s, rows, s->context[x], scale);
        else
            add_row(s, rows, s->context[x], scale);
    }
}

void gather_rows(struct request *r)
{
    for (int k = 0; k < SOURCE_COUNT; k++) {
        float scale = entry_scale(r, (enum source_kind)k);
        if (scale > 0)
            gather_source(r, (enum source_kind)k, scale);
    }
}
