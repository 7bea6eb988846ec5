/* A matrix from the rows of its learners: they are added up, and each entry is given what was
 * counted of its pair. */
#include "engine/sources.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "learn/combine.h"
#include "sources_internal.h"

#include <stdlib.h>

struct evidence {
    const struct sources *s;
    enum matrix_kind kind;
    const struct csr *rows;
    uint32_t *both;
    struct cursor cursor;
    atomic_bool out_of_memory;
};

/* What is known of the pairs of item i, into a dense array; then out of it again. */
static void spread_pairs(const struct cooc *pairs, uint64_t i, uint32_t *counts, bool clear)
{
    for (uint64_t x = pairs->start[i]; x < pairs->start[i + 1]; x++)
        counts[pairs->column[x]] = clear ? 0 : pairs->count[x];
}

static void spread_after(const struct evidence *e, uint64_t i, uint32_t *counts, bool clear)
{
    const struct sources *s = e->s;
    for (uint32_t y = 0; y < s->recipe->ingredient_count; y++) {
        const struct csr *rows = &s->rows[y];
        if (!s->after[y] || s->recipe->ingredients[y].matrix != e->kind)
            continue;
        for (uint64_t x = rows->start[i]; x < rows->start[i + 1]; x++) {
            uint32_t *to = &counts[rows->column[x]];
            *to = clear ? 0 : *to > s->after[y][x] ? *to : s->after[y][x];
        }
    }
}

static void spread(const struct evidence *e, uint64_t i, uint32_t *counts, bool clear)
{
    if (e->kind == MATRIX_NEXT || e->kind == MATRIX_VISITS)
        spread_after(e, i, counts, clear);
    else
        spread_pairs(e->kind == MATRIX_SHOPPERS ? &e->s->shoppers : &e->s->orders, i, counts,
                     clear);
}

static void look_up(void *context, uint32_t worker)
{
    struct evidence *e = context;
    uint64_t begin, end;
    uint32_t *counts;
    (void)worker;
    if (!MEM_ZNEW(counts, e->rows->cols)) {
        atomic_store(&e->out_of_memory, true);
        return;
    }
    while (cursor_take(&e->cursor, &begin, &end)) {
        for (uint64_t i = begin; i < end; i++) {
            spread(e, i, counts, false);
            for (uint64_t x = e->rows->start[i]; x < e->rows->start[i + 1]; x++)
                e->both[x] = counts[e->rows->column[x]];
            spread(e, i, counts, true);
        }
    }
    free(counts);
}

/* Leaving out what no order ever had together raised the hit rate a little on all data tried; of
 * shoppers low rank knows more than they did (docs/evaluation.md). */
static void drop_unseen(struct csr *rows, uint32_t *both)
{
    uint64_t kept = 0, begin = 0;
    for (uint32_t i = 0; i < rows->rows; i++) {
        uint64_t end = rows->start[i + 1];
        for (uint64_t e = begin; e < end; e++) {
            if (both[e] == 0)
                continue;
            rows->column[kept] = rows->column[e];
            rows->value[kept] = rows->value[e];
            both[kept++] = both[e];
        }
        begin = end;
        rows->start[i + 1] = kept;
    }
}

static int add_evidence(struct evidence *e, struct error *err)
{
    if (!MEM_NEW(e->both, csr_entries(e->rows)))
        return error_set(err, ERR_NOMEM, "training: out of memory");
    cursor_init(&e->cursor, e->rows->rows, 256);
    parallel_run(parallel_workers(e->s->params.threads), look_up, e);
    if (atomic_load(&e->out_of_memory))
        return error_set(err, ERR_NOMEM, "training: out of memory");
    return 0;
}

int sources_combine(const struct sources *s, enum matrix_kind kind, const uint32_t *rank,
                    struct csr *rows, uint32_t **both, struct error *err)
{
    const struct ingredient *g = s->recipe->ingredients;
    struct combine_part parts[RECIPE_INGREDIENTS_MAX];
    uint32_t count = 0;
    struct csr made;
    for (uint32_t x = 0; x < s->recipe->ingredient_count; x++)
        if (g[x].matrix == kind && s->rows[x].start)
            parts[count++] = (struct combine_part){&s->rows[x], g[x].share};
    if (count == 0)
        return 0;
    int rc = rows_combine(parts, count, rank, sources_keep(s), s->params.threads,
                          s->params.progress, &made, err);
    if (rc)
        return rc;
    struct evidence e = {.s = s, .kind = kind, .rows = &made};
    rc = add_evidence(&e, err);
    if (rc) {
        csr_deinit(&made);
        free(e.both);
        return rc;
    }
    if (kind != MATRIX_SHOPPERS)
        drop_unseen(&made, e.both);
    *rows = made;
    *both = e.both;
    return 0;
}
