/* Candidates that need no context: what sells, what rises. Both walk an order made in training; a
 * filter that few items pass makes the walk long, so the catalogue entries ahead are prefetched. */
#include "recommend_internal.h"

static bool is_trending(const struct popularity *p, uint32_t item)
{
    return p->orders_7d[item] > 0 && p->trend[item] > 0;
}

uint32_t popular_begin(struct request *r)
{
    r->walk = r->m->popularity.by_rank;
    r->walk_count = r->m->popular_count;
    r->fresh_at = r->fresh ? fresh_first(r->fresh) : FRESH_NONE;
    return r->walk_count + (r->fresh ? r->fresh->new_count : 0) - r->s->masked_count;
}

uint32_t trending_begin(struct request *r)
{
    r->walk = r->m->popularity.by_trend;
    r->walk_count = r->m->trending_count;
    uint32_t count = r->walk_count;
    for (uint32_t x = 0; x < r->s->context_count; x++)
        count -= !is_new(r, r->s->context[x]) && is_trending(&r->m->popularity, r->s->context[x]);
    return count;
}

static bool walk_next(struct request *r, uint32_t *item)
{
    while (r->walk_count > 0) {
        if (r->walk_count > CATALOG_AHEAD)
            prefetch_entry(r, r->walk[CATALOG_AHEAD]);
        *item = *r->walk++;
        r->walk_count--;
        if (!is_masked(r->s, *item))
            return true;
    }
    return false;
}

struct sales {
    uint32_t orders_28d, orders_all, rank;
};

static struct sales sales_of(const struct request *r, uint32_t item)
{
    return (struct sales){item_orders_28d(r, item), item_orders(r, item), item_rank(r, item)};
}

static bool sells_more(struct sales a, struct sales b)
{
    if (a.orders_28d != b.orders_28d)
        return a.orders_28d > b.orders_28d;
    return a.orders_all != b.orders_all ? a.orders_all > b.orders_all : a.rank < b.rank;
}

/* The next of the fresh orders' items, not taken yet. False: none. */
static bool fresh_head(struct request *r, uint32_t *item)
{
    const struct fresh *f = r->fresh;
    for (; f && r->fresh_at != FRESH_NONE; r->fresh_at = fresh_next(f, r->fresh_at)) {
        uint32_t x = r->fresh_at;
        *item = f->items[x].item == DICT_NONE ? r->m->item_count + x : f->items[x].item;
        if (f->items[x].orders && !is_masked(r->s, *item))
            return true;
    }
    return false;
}

/* The next of the others in the order of training. False: none. */
static bool trained_head(struct request *r, uint32_t *item)
{
    for (; r->walk_count > 0; r->walk++, r->walk_count--) {
        if (r->walk_count > CATALOG_AHEAD)
            prefetch_entry(r, r->walk[CATALOG_AHEAD]);
        *item = *r->walk;
        const struct fresh_item *fresh = fresh_item_of(r, *item);
        if (!is_masked(r->s, *item) && (!fresh || !fresh->orders))
            return true;
    }
    return false;
}

/* Two lists, each in order: of the items with fresh orders, and of those without. */
static bool next_seller(struct request *r, uint32_t *item)
{
    uint32_t trained, fresh;
    bool has_trained = trained_head(r, &trained), has_fresh = fresh_head(r, &fresh);
    if (!has_trained && !has_fresh)
        return false;
    if (has_fresh && (!has_trained || sells_more(sales_of(r, fresh), sales_of(r, trained)))) {
        *item = fresh;
        r->fresh_at = fresh_next(r->fresh, r->fresh_at);
    } else {
        *item = trained;
        r->walk++;
        r->walk_count--;
    }
    return true;
}

static uint64_t best_28d(const struct request *r)
{
    const struct popularity *p = &r->m->popularity;
    const struct fresh *f = r->fresh;
    uint64_t best = p->orders_28d[p->by_rank[0]];
    if (!f || f->item_count == 0)
        return best;
    const struct fresh_item *first = &f->items[fresh_first(f)];
    uint64_t most = (uint64_t)first->trained_28d + first->orders_28d;
    return most > best ? most : best;
}

/* Orders of the last 28 days as a share of the best seller's, all-time orders as the fraction
 * below one order: falls along the walk. */
bool popular_next(struct request *r, struct candidate *out)
{
    if (!next_seller(r, &out->item))
        return false;
    struct sales sales = sales_of(r, out->item);
    double orders = r->m->basket_count + (r->fresh ? r->fresh->order_count : 0.0);
    double all = (double)sales.orders_all / (orders + 1);
    out->score = (float)(((double)sales.orders_28d + all) / ((double)best_28d(r) + 1));
    return true;
}

/* The share of today's rate that is new: 1 - before/now. */
bool trending_next(struct request *r, struct candidate *out)
{
    if (!walk_next(r, &out->item))
        return false;
    out->score = (float)-expm1(-(double)r->m->popularity.trend[out->item]);
    return true;
}
