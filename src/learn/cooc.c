/* Row i: every unit that holds i, found through the transpose, adds one to a counter for each of
 * its items; which counters were touched is kept in a bitmap with a summary bit for each 64-bit
 * word of it, so that a row comes out ascending at a cost that follows its length.
 *
 * Each row is made again in each round: the first, where rows are pruned, finds the least pair each
 * row keeps, so that later rounds know for both sides of a pair whether one of them wants it and
 * the matrix stays symmetric; the second counts what stays, the last puts it in its place. Counting
 * is cheap, and so nothing is held that is not part of the result.
 *
 * Cost: two or three times the sum of squared unit sizes. Memory: the transpose, 8 bytes for each
 * pair kept, some words an item and worker. */
#include "learn/cooc.h"

#include "base/mem.h"
#include "base/parallel.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MIN_COUNT 1
#define DEFAULT_MAX_UNIT  1000
#define PIECE_ROWS        64

/* One worker's dense counters for one row at a time. */
struct counter {
    uint32_t *count;   /* [items] zero between rows */
    float *mass;       /* [items] likewise; NULL: not asked for */
    uint64_t *touched; /* bitmap of the items counted */
    uint64_t *summary; /* bitmap of the words of it that are not 0 */
    uint32_t summary_words;
};

/* One row, columns ascending. */
struct row {
    uint32_t *column, *count; /* [items] room */
    float *mass;              /* the same, or NULL */
    uint32_t length;
};

/* The least pair a row keeps: pairs as frequent but of a later item are dropped. */
struct floor {
    uint32_t count, column;
};

struct pairs {
    const struct csr *units;
    const struct csr *by_item; /* its transpose */
    uint32_t min_count, max_per_row, max_unit;
    struct floor *floor; /* [items], NULL: nothing is pruned */
    float *unit_mass;    /* [units], NULL: masses are not asked for */
    struct cooc *out;
    struct cursor cursor;
    struct progress *progress;
    void (*finish)(struct pairs *p, struct row *row, uint32_t item);
    int status[PARALLEL_WORKERS_MAX];
};

static bool counter_init(struct counter *c, uint32_t items, bool with_mass)
{
    uint32_t words = items / 64 + 1;
    c->summary_words = words / 64 + 1;
    MEM_ZNEW(c->count, items);
    MEM_ZNEW(c->touched, words);
    MEM_ZNEW(c->summary, c->summary_words);
    if (with_mass)
        MEM_ZNEW(c->mass, items);
    return c->count && c->touched && c->summary && (c->mass || !with_mass);
}

static void counter_deinit(struct counter *c)
{
    free(c->count);
    free(c->mass);
    free(c->touched);
    free(c->summary);
}

static void count_row(const struct pairs *p, struct counter *c, uint32_t item)
{
    const struct csr *units = p->units;
    for (uint64_t k = p->by_item->start[item]; k < p->by_item->start[item + 1]; k++) {
        uint32_t unit = p->by_item->column[k];
        uint64_t begin = units->start[unit], end = units->start[unit + 1];
        if (end - begin > p->max_unit)
            continue;
        for (uint64_t e = begin; e < end; e++) {
            uint32_t other = units->column[e];
            c->touched[other / 64] |= 1ULL << (other % 64);
            c->summary[other / 4096] |= 1ULL << (other / 64 % 64);
            c->count[other]++;
        }
        for (uint64_t e = begin; c->mass && e < end; e++)
            c->mass[units->column[e]] += p->unit_mass[unit];
    }
}

/* The pairs counted often enough, without the item itself; zeroes the counter. */
static void take_row(const struct pairs *p, struct counter *c, uint32_t item, struct row *row)
{
    row->length = 0;
    for (uint32_t s = 0; s < c->summary_words; s++) {
        for (uint64_t words = c->summary[s]; words; words &= words - 1) {
            uint32_t word = s * 64 + (uint32_t)__builtin_ctzll(words);
            for (uint64_t bits = c->touched[word]; bits; bits &= bits - 1) {
                uint32_t other = word * 64 + (uint32_t)__builtin_ctzll(bits);
                row->column[row->length] = other;
                row->count[row->length] = c->count[other];
                if (row->mass) {
                    row->mass[row->length] = c->mass[other];
                    c->mass[other] = 0;
                }
                row->length += other != item && c->count[other] >= p->min_count;
                c->count[other] = 0;
            }
            c->touched[word] = 0;
        }
        c->summary[s] = 0;
    }
}

static int compare_counts(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x < y) - (x > y);
}

/* First round: the floor of the item's row. */
static void find_floor(struct pairs *p, struct row *row, uint32_t item)
{
    uint32_t keep = p->max_per_row, *spare = row->count + row->length;
    p->floor[item] = (struct floor){0, UINT32_MAX};
    if (row->length <= keep)
        return;
    memcpy(spare, row->count, row->length * sizeof *spare);
    qsort(spare, row->length, sizeof *spare, compare_counts);
    uint32_t least = spare[keep - 1];
    for (uint32_t k = 0; k < row->length; k++) /* those above the least always stay */
        keep -= row->count[k] > least;
    for (uint32_t k = 0; keep > 0; k++)
        if (row->count[k] == least && --keep == 0)
            p->floor[item] = (struct floor){least, row->column[k]};
}

static bool above(const struct floor *floor, uint32_t count, uint32_t column)
{
    return count > floor->count || (count == floor->count && column <= floor->column);
}

static void prune(const struct pairs *p, struct row *row, uint32_t item)
{
    uint32_t kept = 0;
    for (uint32_t k = 0; k < row->length; k++) {
        uint32_t other = row->column[k], count = row->count[k];
        row->column[kept] = other;
        row->count[kept] = count;
        if (row->mass)
            row->mass[kept] = row->mass[k];
        kept += above(&p->floor[item], count, other) || above(&p->floor[other], count, item);
    }
    row->length = kept;
}

/* Second round. */
static void measure_row(struct pairs *p, struct row *row, uint32_t item)
{
    if (p->floor)
        prune(p, row, item);
    p->out->start[item + 1] = row->length;
}

/* Last round. */
static void put_row(struct pairs *p, struct row *row, uint32_t item)
{
    if (p->floor)
        prune(p, row, item);
    uint64_t begin = p->out->start[item];
    assert(p->out->start[item + 1] == begin + row->length);
    memcpy(p->out->column + begin, row->column, row->length * sizeof *row->column);
    memcpy(p->out->count + begin, row->count, row->length * sizeof *row->count);
    if (row->mass)
        memcpy(p->out->mass + begin, row->mass, row->length * sizeof *row->mass);
}

static void run_worker(void *context, uint32_t worker)
{
    struct pairs *p = context;
    struct counter counter = {0};
    struct row row = {0};
    uint32_t items = p->units->cols;
    MEM_NEW(row.column, (size_t)items + 1);
    MEM_NEW(row.count, 2 * (size_t)items + 1); /* the second half: find_floor's */
    if (p->unit_mass)
        MEM_NEW(row.mass, (size_t)items + 1);
    bool ready = counter_init(&counter, items, p->unit_mass) && row.column && row.count;
    int status = ready && (row.mass || !p->unit_mass) ? 0 : ERR_NOMEM;
    uint64_t begin, end;
    while (status == 0 && cursor_take(&p->cursor, &begin, &end)) {
        for (uint32_t item = (uint32_t)begin; item < end; item++) {
            count_row(p, &counter, item);
            take_row(p, &counter, item, &row);
            p->finish(p, &row, item);
        }
        if (progress_step(p->progress, end - begin))
            status = ERR_CANCELLED;
    }
    free(row.column);
    free(row.count);
    free(row.mass);
    counter_deinit(&counter);
    p->status[worker] = status;
}

static int each_row(struct pairs *p, uint32_t workers,
                    void (*finish)(struct pairs *, struct row *, uint32_t))
{
    p->finish = finish;
    cursor_init(&p->cursor, p->units->cols, PIECE_ROWS);
    parallel_run(workers, run_worker, p);
    int status = 0;
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : p->status[w];
    return status;
}

/* What each unit counts, and with it each item. */
static int weigh_units(struct pairs *p, float power)
{
    const struct csr *units = p->units;
    if (!(power > 0))
        return 0;
    MEM_NEW(p->unit_mass, units->rows);
    MEM_ZNEW(p->out->item_mass, units->cols);
    if (!p->unit_mass || !p->out->item_mass)
        return ERR_NOMEM;
    for (uint32_t u = 0; u < units->rows; u++) {
        uint64_t size = units->start[u + 1] - units->start[u];
        p->unit_mass[u] = size ? powf((float)size, -power) : 0;
        for (uint64_t e = units->start[u]; e < units->start[u + 1]; e++)
            p->out->item_mass[units->column[e]] += p->unit_mass[u];
    }
    return 0;
}

static int count_all(struct pairs *p, uint32_t workers)
{
    uint32_t items = p->units->cols;
    struct cooc *out = p->out;
    int status = 0;
    progress_begin(p->progress, "counting pairs", (p->max_per_row ? 3 : 2) * (uint64_t)items);
    if (p->max_per_row) {
        if (!MEM_NEW(p->floor, items))
            return ERR_NOMEM;
        status = each_row(p, workers, find_floor);
    }
    if (status)
        return status;
    MEM_ZNEW(out->start, (size_t)items + 1);
    MEM_NEW(out->item_units, items);
    if (!out->start || !out->item_units)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < items; i++)
        out->item_units[i] = (uint32_t)(p->by_item->start[i + 1] - p->by_item->start[i]);
    status = each_row(p, workers, measure_row);
    if (status)
        return status;
    for (uint32_t i = 0; i < items; i++)
        out->start[i + 1] += out->start[i];
    MEM_NEW(out->column, out->start[items]);
    MEM_NEW(out->count, out->start[items]);
    if (p->unit_mass)
        MEM_NEW(out->mass, out->start[items]);
    if (!out->column || !out->count || (p->unit_mass && !out->mass))
        return ERR_NOMEM;
    return each_row(p, workers, put_row);
}

int cooc_count(const struct csr *units, const struct cooc_params *params, struct cooc *out,
               struct error *err)
{
    struct csr by_item;
    struct cooc made = {.item_count = units->cols, .unit_count = units->rows};
    struct pairs p = {.units = units,
                      .by_item = &by_item,
                      .min_count = params->min_count ? params->min_count : DEFAULT_MIN_COUNT,
                      .max_per_row = params->max_per_row,
                      .max_unit = params->max_unit ? params->max_unit : DEFAULT_MAX_UNIT,
                      .out = &made,
                      .progress = params->progress};
    int status = csr_transpose(units, &by_item, err);
    if (status)
        return status;
    status = weigh_units(&p, params->unit_power);
    if (status == 0)
        status = count_all(&p, parallel_workers(params->threads));
    free(p.unit_mass);
    csr_deinit(&by_item);
    free(p.floor);
    if (status == 0) {
        *out = made;
        return 0;
    }
    cooc_deinit(&made);
    return error_set(err, status, "co-occurrence: %s",
                     status == ERR_NOMEM ? "out of memory" : "cancelled");
}

void cooc_deinit(struct cooc *c)
{
    free(c->start);
    free(c->column);
    free(c->count);
    free(c->item_units);
    free(c->mass);
    free(c->item_mass);
    *c = (struct cooc){0};
}

size_t cooc_bytes(const struct cooc *c)
{
    if (!c->start)
        return 0;
    size_t mass = c->mass ? sizeof *c->mass : 0;
    return ((size_t)c->item_count + 1) * sizeof *c->start +
           c->item_count * (sizeof *c->item_units + mass) +
           c->start[c->item_count] * (sizeof *c->column + sizeof *c->count + mass);
}

uint32_t cooc_pair(const struct cooc *c, uint32_t i, uint32_t j)
{
    assert(i < c->item_count && j < c->item_count);
    uint64_t low = c->start[i], high = c->start[i + 1];
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (c->column[middle] == j)
            return c->count[middle];
        if (c->column[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return 0;
}
