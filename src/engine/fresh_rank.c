/* The order of popularity: a skip list (Pugh, CACM 1990) over the items' indices. One order moves
 * each of its items past its equals, of which a long tail has tens of thousands, so an array would
 * have to be moved by as much. An item's height is a hash of its index, one level for each two
 * zero bits. */
#include "fresh_internal.h"

static uint32_t rank_of(const struct fresh *f, const struct fresh_item *item)
{
    return item->item == DICT_NONE ? UINT32_MAX : f->model->popularity.rank[item->item];
}

static bool is_more(const struct fresh *f, uint32_t a, uint32_t b)
{
    const struct fresh_item *x = &f->items[a], *y = &f->items[b];
    uint64_t x_28d = (uint64_t)x->trained_28d + x->orders_28d;
    uint64_t y_28d = (uint64_t)y->trained_28d + y->orders_28d;
    if (x_28d != y_28d)
        return x_28d > y_28d;
    uint64_t x_all = (uint64_t)x->trained + x->orders, y_all = (uint64_t)y->trained + y->orders;
    if (x_all != y_all)
        return x_all > y_all;
    uint32_t x_rank = rank_of(f, x), y_rank = rank_of(f, y);
    return x_rank != y_rank ? x_rank < y_rank : x->slot < y->slot;
}

static uint32_t height_of(uint32_t x)
{
    uint32_t mixed = (x + 1) * 2654435761u;
    mixed ^= mixed >> 15;
    uint32_t height = 1 + (uint32_t)__builtin_ctz(mixed | 1u << 30) / 2;
    return height < FRESH_LEVELS ? height : FRESH_LEVELS;
}

/* The links that lead to where x stands, or would stand. */
static void find_links(struct fresh *f, uint32_t x, uint32_t *links[FRESH_LEVELS])
{
    uint32_t *from = f->first;
    for (uint32_t level = FRESH_LEVELS; level-- > 0;) {
        while (from[level] != FRESH_NONE && is_more(f, from[level], x))
            from = f->next[from[level]];
        links[level] = &from[level];
    }
}

void fresh_rank_clear(struct fresh *f)
{
    for (uint32_t level = 0; level < FRESH_LEVELS; level++)
        f->first[level] = FRESH_NONE;
}

void fresh_rank_add(struct fresh *f, uint32_t x)
{
    uint32_t *links[FRESH_LEVELS];
    find_links(f, x, links);
    for (uint32_t level = 0; level < FRESH_LEVELS; level++) {
        bool stands = level < height_of(x);
        f->next[x][level] = stands ? *links[level] : FRESH_NONE;
        if (stands)
            *links[level] = x;
    }
}

void fresh_rank_remove(struct fresh *f, uint32_t x)
{
    uint32_t *links[FRESH_LEVELS];
    find_links(f, x, links);
    for (uint32_t level = 0; level < height_of(x); level++)
        *links[level] = f->next[x][level];
}
