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
    uint32_t count = r->walk_count;
    for (uint32_t x = 0; x < r->s->context_count; x++)
        count -= r->m->popularity.orders_all[r->s->context[x]] > 0;
    return count;
}

uint32_t trending_begin(struct request *r)
{
    r->walk = r->m->popularity.by_trend;
    r->walk_count = r->m->trending_count;
    uint32_t count = r->walk_count;
    for (uint32_t x = 0; x < r->s->context_count; x++)
        count -= is_trending(&r->m->popularity, r->s->context[x]);
    return count;
}

static bool walk_next(struct request *r, uint32_t *item)
{
    while (r->walk_count > 0) {
        if (r->walk_count > CATALOG_AHEAD)
            prefetch_entry(r, r->walk[CATALOG_AHEAD]);
        *item = *r->walk++;
        r->walk_count--;
        if (!is_context(r->s, *item))
            return true;
    }
    return false;
}

/* Orders of the last 28 days as a share of the best seller's, all-time orders as the fraction
 * below one order: falls along the walk. */
bool popular_next(struct request *r, struct candidate *out)
{
    const struct popularity *p = &r->m->popularity;
    if (!walk_next(r, &out->item))
        return false;
    double all = p->orders_all[out->item] / (r->m->basket_count + 1.0);
    double best = p->orders_28d[p->by_rank[0]] + 1.0;
    out->score = (float)((p->orders_28d[out->item] + all) / best);
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
