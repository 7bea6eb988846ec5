/* What the rounds of counting pairs, and estimating it, have in common. */
#ifndef LEARN_COOC_INTERNAL_H
#define LEARN_COOC_INTERNAL_H

#include "base/parallel.h"
#include "learn/cooc.h"

#include <string.h>

/* Pairs in one block of a worker's: so many that the system gets the memory back at once. */
#define COOC_BLOCK_PAIRS (4u << 20)

/* Pairs of one item, columns ascending. */
struct row {
    uint32_t *column, *count;
    float *mass; /* NULL: not asked for */
    uint32_t length;
    uint32_t next; /* the item of the next row in its block */
};

/* Memory of rows, the arrays behind each other in one. */
struct block {
    struct block *older;
    struct row room; /* what is left */
    uint32_t left, first, last;
    uint32_t memory[];
};
#define NO_ITEM UINT32_MAX

/* The least pair a row keeps: pairs as frequent but of a later item are dropped. */
struct floor {
    uint32_t count, column;
};

struct pairs {
    const struct csr *units;
    const struct csr *by_item; /* its transpose */
    uint32_t min_count, max_per_row, max_unit;
    uint64_t most;       /* pairs that may be kept */
    struct floor *floor; /* [items], NULL: nothing is pruned */
    float *unit_mass;    /* [units], NULL: masses are not asked for */
    struct row *kept;    /* [items] what each row keeps, in blocks */
    struct block *blocks[PARALLEL_WORKERS_MAX];
    uint64_t *given_start; /* [items + 1] and beside each row what others give it */
    struct row given;
    struct cooc *out;
    struct cursor cursor;
    struct progress *progress;
    int status[PARALLEL_WORKERS_MAX];
};

static inline bool floor_allows(const struct floor *floor, uint32_t count, uint32_t column)
{
    return count > floor->count || (count == floor->count && column <= floor->column);
}

static inline struct row row_advanced(struct row row, uint64_t by)
{
    row.column += by;
    row.count += by;
    row.mass = row.mass ? row.mass + by : NULL;
    return row;
}

static inline void row_copy(struct row *to, const struct row *from)
{
    to->length = from->length;
    memcpy(to->column, from->column, from->length * sizeof *from->column);
    memcpy(to->count, from->count, from->length * sizeof *from->count);
    if (from->mass && to->mass)
        memcpy(to->mass, from->mass, from->length * sizeof *from->mass);
}

/* cooc_count.c: one worker of the first round: counts rows, and keeps what each may keep in the
 * worker's blocks. `pairs` is a struct pairs. */
void cooc_count_rows(void *pairs, uint32_t worker);

#endif
