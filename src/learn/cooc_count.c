/* The first round of counting: row after row into dense counters, out of them into blocks. */
#include "base/mem.h"
#include "cooc_internal.h"
#include "select.h"

#include <stdlib.h>
#include <string.h>

#define UNITS_AHEAD 8 /* from fetching to counting: where a unit begins, */
#define ITEMS_AHEAD 4 /* and what is in it */

/* One worker's dense counters for one row at a time. */
struct counter {
    uint32_t *count;   /* [items] zero between rows */
    float *mass;       /* [items] likewise; NULL: not asked for */
    uint64_t *touched; /* bitmap of the items counted */
    uint64_t *summary; /* bitmap of the words of it that are not 0 */
    uint32_t summary_words;
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

static void count_unit(const struct pairs *p, struct counter *c, uint32_t unit)
{
    const struct csr *units = p->units;
    uint64_t begin = units->start[unit], end = units->start[unit + 1];
    if (end - begin > p->max_unit)
        return;
    for (uint64_t e = begin; e < end; e++) {
        uint32_t other = units->column[e];
        if (c->count[other]++ == 0) {
            c->touched[other / 64] |= 1ULL << (other % 64);
            c->summary[other / 4096] |= 1ULL << (other / 64 % 64);
        }
    }
    for (uint64_t e = begin; c->mass && e < end; e++)
        c->mass[units->column[e]] += p->unit_mass[unit];
}

/* Units lie anywhere: they are fetched while others are counted. */
static void count_row(const struct pairs *p, struct counter *c, uint32_t item)
{
    const uint64_t end = p->by_item->start[item + 1];
    const uint32_t *unit = p->by_item->column;
    for (uint64_t k = p->by_item->start[item]; k < end; k++) {
        if (k + UNITS_AHEAD < end)
            __builtin_prefetch(p->units->start + unit[k + UNITS_AHEAD]);
        if (k + ITEMS_AHEAD < end)
            __builtin_prefetch(p->units->column + p->units->start[unit[k + ITEMS_AHEAD]]);
        count_unit(p, c, unit[k]);
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

/* Of a row longer than what is kept; `spare` has room for it. */
static struct floor find_floor(const struct row *row, uint32_t keep, uint64_t *spare)
{
    for (uint32_t k = 0; k < row->length; k++)
        spare[k] = (uint64_t)row->count[k] << 32 | (uint32_t)~row->column[k];
    select_best(spare, row->length, keep);
    return (struct floor){(uint32_t)(spare[keep - 1] >> 32), ~(uint32_t)spare[keep - 1]};
}

static void prune(struct row *row, const struct floor *floor)
{
    uint32_t kept = 0;
    for (uint32_t k = 0; k < row->length; k++) {
        row->column[kept] = row->column[k];
        row->count[kept] = row->count[k];
        if (row->mass)
            row->mass[kept] = row->mass[k];
        kept += floor_allows(floor, row->count[k], row->column[k]);
    }
    row->length = kept;
}

static struct block *block_new(const struct pairs *p, uint32_t least, struct block *older)
{
    uint64_t pairs = p->most < COOC_BLOCK_PAIRS ? p->most : COOC_BLOCK_PAIRS;
    uint32_t room = least < pairs ? (uint32_t)pairs : least;
    size_t arrays = p->unit_mass ? 3 : 2;
    struct block *b = mem_array(sizeof *b + room * arrays * sizeof *b->memory, 1);
    if (!b)
        return NULL;
    *b = (struct block){.older = older, .left = room, .first = NO_ITEM, .last = NO_ITEM};
    b->room.column = b->memory;
    b->room.count = b->memory + room;
    if (p->unit_mass)
        b->room.mass = (void *)(b->memory + 2 * (size_t)room);
    return b;
}

static bool keep_row(struct pairs *p, uint32_t worker, uint32_t item, const struct row *row)
{
    struct block *b = p->blocks[worker];
    if (!b || b->left < row->length) {
        b = block_new(p, row->length, b);
        if (!b)
            return false;
        p->blocks[worker] = b;
    }
    struct row *to = &p->kept[item];
    *to = b->room;
    row_copy(to, row);
    to->next = NO_ITEM;
    if (b->last == NO_ITEM)
        b->first = item;
    else
        p->kept[b->last].next = item;
    b->last = item;
    b->left -= row->length;
    b->room = row_advanced(b->room, row->length);
    return true;
}

/* What one worker counts with. */
struct bench {
    struct counter counter;
    struct row row;  /* [items] room */
    uint64_t *spare; /* [items], when rows are pruned */
};

static bool bench_init(struct bench *b, const struct pairs *p)
{
    size_t items = p->units->cols;
    *b = (struct bench){.spare = NULL};
    MEM_NEW(b->row.column, items + 1);
    MEM_NEW(b->row.count, items + 1);
    if (p->unit_mass)
        MEM_NEW(b->row.mass, items + 1);
    if (p->floor)
        MEM_NEW(b->spare, items);
    return counter_init(&b->counter, p->units->cols, p->unit_mass) && b->row.column &&
           b->row.count && (b->row.mass || !p->unit_mass) && (b->spare || !p->floor);
}

static void bench_deinit(struct bench *b)
{
    free(b->row.column);
    free(b->row.count);
    free(b->row.mass);
    free(b->spare);
    counter_deinit(&b->counter);
}

static bool make_row(struct pairs *p, struct bench *b, uint32_t worker, uint32_t item)
{
    count_row(p, &b->counter, item);
    take_row(p, &b->counter, item, &b->row);
    if (b->spare && b->row.length > p->max_per_row) {
        p->floor[item] = find_floor(&b->row, p->max_per_row, b->spare);
        prune(&b->row, &p->floor[item]);
    }
    return keep_row(p, worker, item, &b->row);
}

void cooc_count_rows(void *context, uint32_t worker)
{
    struct pairs *p = context;
    struct bench b;
    int status = bench_init(&b, p) ? 0 : ERR_NOMEM;
    uint64_t begin, end;
    while (status == 0 && cursor_take(&p->cursor, &begin, &end)) {
        for (uint64_t item = begin; item < end && status == 0; item++)
            status = make_row(p, &b, worker, (uint32_t)item) ? 0 : ERR_NOMEM;
        if (progress_step(p->progress, end - begin))
            status = status ? status : ERR_CANCELLED;
    }
    bench_deinit(&b);
    p->status[worker] = status;
}
