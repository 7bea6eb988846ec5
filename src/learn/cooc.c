/* Row i: every unit that holds i, found through the transpose, adds one to a counter for each of
 * its items; which counters were touched is kept in a bitmap with a summary bit for each 64-bit
 * word of it, so that a row comes out ascending at a cost that follows its length.
 *
 * A row is counted once, and what it keeps goes to blocks of its worker. Where rows are pruned, the
 * pairs that only one side keeps are then given to the other one too, found by the floors: the
 * least pair each row keeps. At last each row is put in its place, and blocks are freed on the way,
 * so that pairs are held little more than once.
 *
 * Cost: the sum of squared unit sizes. Memory: the transpose, 8 bytes (12 with masses) for each
 * pair kept and each given, some words an item and worker. */
#include "learn/cooc.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "cooc_internal.h"
#include "data/events.h"
#include "select.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_MIN_COUNT 1
#define DEFAULT_MAX_UNIT  1000
#define PIECE_ROWS        64
#define RANGES            12 /* of items, that are given pairs side by side */

/* The first of the columns that is not below `least`. */
static uint32_t find_column(const struct row *row, uint32_t least)
{
    uint32_t low = 0, high = row->length;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (row->column[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* What items begin..end-1 are given: counted, and when there is room put behind what they have,
 * from earlier items first. given_start[j + 1]: how much, or where j's next goes. */
static void give(struct pairs *p, uint32_t begin, uint32_t end)
{
    for (uint32_t i = 0; i < p->units->cols; i++) {
        const struct row *row = &p->kept[i];
        uint32_t k = begin < end ? find_column(row, begin) : row->length;
        for (; k < row->length && row->column[k] < end; k++) {
            uint32_t j = row->column[k];
            if (floor_allows(&p->floor[j], row->count[k], i))
                continue; /* j keeps it too */
            uint64_t at = p->given_start[j + 1]++;
            if (!p->given.column)
                continue;
            p->given.column[at] = i;
            p->given.count[at] = row->count[k];
            if (row->mass)
                p->given.mass[at] = row->mass[k];
        }
    }
}

static void give_ranges(void *context, uint32_t worker)
{
    struct pairs *p = context;
    uint64_t range, next;
    (void)worker;
    while (cursor_take(&p->cursor, &range, &next))
        give(p, (uint32_t)(p->units->cols * range / RANGES),
             (uint32_t)(p->units->cols * next / RANGES));
}

/* Pairs that only one side keeps, to the other side. */
static int give_pairs(struct pairs *p, uint32_t workers)
{
    uint32_t items = p->units->cols;
    uint64_t total = 0;
    cursor_init(&p->cursor, RANGES, 1);
    parallel_run(workers, give_ranges, p);
    for (uint32_t j = 0; j < items; j++) {
        uint64_t count = p->given_start[j + 1];
        p->given_start[j + 1] = total;
        total += count;
    }
    MEM_NEW(p->given.count, total);
    if (p->unit_mass)
        MEM_NEW(p->given.mass, total);
    if (!p->given.count || (p->unit_mass && !p->given.mass) || !MEM_NEW(p->given.column, total))
        return ERR_NOMEM;
    cursor_init(&p->cursor, RANGES, 1);
    parallel_run(workers, give_ranges, p);
    return 0;
}

static uint32_t given_count(const struct pairs *p, uint32_t item)
{
    return p->floor ? (uint32_t)(p->given_start[item + 1] - p->given_start[item]) : 0;
}

/* Both ascend and have nothing in common. */
static void merge_rows(struct row *to, const struct row *a, const struct row *b)
{
    uint32_t x = 0, y = 0;
    for (uint32_t n = 0; n < to->length; n++) {
        bool first = y == b->length || (x < a->length && a->column[x] < b->column[y]);
        const struct row *from = first ? a : b;
        uint32_t at = first ? x++ : y++;
        to->column[n] = from->column[at];
        to->count[n] = from->count[at];
        if (to->mass && from->mass)
            to->mass[n] = from->mass[at];
    }
}

static void put_row(const struct pairs *p, uint32_t item)
{
    const struct cooc *out = p->out;
    const struct row *kept = &p->kept[item];
    struct row all = {.column = out->column, .count = out->count, .mass = out->mass};
    all = row_advanced(all, out->start[item]);
    all.length = kept->length + given_count(p, item);
    if (all.length == kept->length) {
        row_copy(&all, kept);
        return;
    }
    struct row given = row_advanced(p->given, p->given_start[item]);
    given.length = given_count(p, item);
    merge_rows(&all, kept, &given);
}

/* The rows of the worker's blocks, which are freed one by one. */
static void put_blocks(void *context, uint32_t worker)
{
    struct pairs *p = context;
    while (p->blocks[worker]) {
        struct block *b = p->blocks[worker];
        for (uint32_t item = b->first; item != NO_ITEM; item = p->kept[item].next)
            put_row(p, item);
        p->blocks[worker] = b->older;
        free(b);
    }
}

static bool has_masses(const struct cooc_params *params)
{
    return params->unit_power > 0 || params->half_life_days > 0;
}

/* What each unit counts, and with it each item. */
static int weigh_units(struct pairs *p, const struct cooc_params *params)
{
    const struct csr *units = p->units;
    const struct event_weight fading = {1, (double)params->half_life_days};
    int64_t newest = INT64_MIN;
    if (!has_masses(params))
        return 0;
    for (uint32_t u = 0; params->half_life_days > 0 && u < units->rows; u++)
        newest = params->time_ms[u] > newest ? params->time_ms[u] : newest;
    MEM_NEW(p->unit_mass, units->rows);
    MEM_ZNEW(p->out->item_mass, units->cols);
    if (!p->unit_mass || !p->out->item_mass)
        return ERR_NOMEM;
    for (uint32_t u = 0; u < units->rows; u++) {
        uint64_t size = units->start[u + 1] - units->start[u];
        double mass = size ? pow((double)size, -(double)params->unit_power) : 0;
        if (params->half_life_days > 0)
            mass *= event_weight_at(&fading, newest - params->time_ms[u]);
        p->unit_mass[u] = (float)mass;
        for (uint64_t e = units->start[u]; e < units->start[u + 1]; e++)
            p->out->item_mass[units->column[e]] += p->unit_mass[u];
    }
    return 0;
}

static bool make_room(struct pairs *p)
{
    struct cooc *out = p->out;
    uint64_t total = out->start[out->item_count];
    MEM_NEW(out->column, total);
    MEM_NEW(out->count, total);
    if (p->unit_mass)
        MEM_NEW(out->mass, total);
    return out->column && out->count && (out->mass || !p->unit_mass);
}

static bool prepare(struct pairs *p)
{
    uint32_t items = p->units->cols;
    MEM_NEW(p->kept, items);
    if (p->max_per_row) {
        MEM_ZNEW(p->floor, items);
        MEM_ZNEW(p->given_start, (size_t)items + 1);
    }
    MEM_ZNEW(p->out->start, (size_t)items + 1);
    MEM_NEW(p->out->item_units, items);
    for (uint32_t i = 0; p->floor && i < items; i++)
        p->floor[i].column = UINT32_MAX; /* all are kept */
    for (uint32_t u = 0; u < p->units->rows; u++) {
        uint64_t size = p->units->start[u + 1] - p->units->start[u];
        p->most += size <= p->max_unit ? size * (size - 1) : 0;
    }
    return p->kept && p->out->start && p->out->item_units &&
           (!p->max_per_row || (p->floor && p->given_start));
}

static int count_all(struct pairs *p, uint32_t workers)
{
    uint32_t items = p->units->cols;
    struct cooc *out = p->out;
    int status = 0;
    progress_begin(p->progress, "counting pairs", items);
    if (!prepare(p))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < items; i++)
        out->item_units[i] = (uint32_t)(p->by_item->start[i + 1] - p->by_item->start[i]);
    cursor_init(&p->cursor, items, PIECE_ROWS);
    parallel_run(workers, cooc_count_rows, p);
    for (uint32_t w = 0; w < workers; w++)
        status = status ? status : p->status[w];
    if (status == 0 && p->floor)
        status = give_pairs(p, workers);
    if (status)
        return status;
    for (uint32_t i = 0; i < items; i++)
        out->start[i + 1] = out->start[i] + p->kept[i].length + given_count(p, i);
    if (!make_room(p))
        return ERR_NOMEM;
    parallel_run(workers, put_blocks, p);
    return 0;
}

static void pairs_deinit(struct pairs *p)
{
    for (uint32_t w = 0; w < PARALLEL_WORKERS_MAX; w++) {
        for (struct block *b = p->blocks[w], *older; b; b = older) {
            older = b->older;
            free(b);
        }
    }
    free(p->unit_mass);
    free(p->floor);
    free(p->kept);
    free(p->given_start);
    free(p->given.column);
    free(p->given.count);
    free(p->given.mass);
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
    status = weigh_units(&p, params);
    if (status == 0)
        status = count_all(&p, parallel_workers(params->threads));
    pairs_deinit(&p);
    csr_deinit(&by_item);
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
