/* Diversity by maximal marginal relevance (Carbonell & Goldstein, SIGIR 1998): the answer is chosen
 * one by one from a pool of the best candidates, each time the one with the most of
 *
 *     (1 - diversity) relevance - diversity (greatest similarity to what is chosen),
 *
 * relevance being the score divided by the best one's, similarity the cosine of being bought
 * together. A chosen item's row tells which of the pool are similar to it, so the cost is the
 * answer times (pool + a row). */
#include "recommend_internal.h"

/* Candidates to choose from, for each item of the answer and at least. */
#define POOL_TIMES 4
#define POOL_LEAST 100

uint32_t diversify_pool(const struct query *q)
{
    if (!(q->diversity > 0))
        return q->limit;
    uint32_t pool = POOL_TIMES * q->limit;
    pool = pool < POOL_LEAST ? POOL_LEAST : pool;
    return pool < LIMIT_ANSWER_ITEMS ? pool : LIMIT_ANSWER_ITEMS;
}

struct pool {
    uint32_t count;
    struct candidate at[LIMIT_ANSWER_ITEMS];
    float alike[LIMIT_ANSWER_ITEMS]; /* greatest similarity to what is chosen */
    bool chosen[LIMIT_ANSWER_ITEMS];
};

/* Takes the similarities that the row of `item` tells into account. */
static void look_alike(const struct request *r, struct pool *pool, uint32_t item)
{
    const struct matrix *source = &r->m->matrices[MATRIX_ORDERS];
    const uint32_t *orders = r->m->popularity.orders_all;
    if (is_new(r, item))
        return;
    for (uint64_t e = source->rows.start[item]; e < source->rows.start[item + 1]; e++) {
        uint32_t other = source->rows.column[e], place = place_of(r->s, other);
        if (place == NOT_ANSWERED)
            continue;
        float cosine = (float)source->both[e] / sqrtf((float)orders[item] * (float)orders[other]);
        if (cosine > pool->alike[place])
            pool->alike[place] = cosine;
    }
}

/* Ties: the better candidate. */
static uint32_t choose(const struct pool *pool, float diversity)
{
    float scale = pool->at[0].score > 0 ? 1 / pool->at[0].score : 0, most = -INFINITY;
    uint32_t best = 0;
    for (uint32_t x = 0; x < pool->count; x++) {
        float gain = (1 - diversity) * scale * pool->at[x].score - diversity * pool->alike[x];
        if (pool->chosen[x] || !(gain > most))
            continue;
        most = gain;
        best = x;
    }
    return best;
}

void diversify(struct request *r)
{
    struct scratch *s = r->s;
    struct pool pool = {.count = r->out->count};
    uint32_t wanted = pool.count < r->q->limit ? pool.count : r->q->limit;
    if (!(r->q->diversity > 0))
        return;
    for (uint32_t x = 0; x < pool.count; x++) {
        pool.at[x] = (struct candidate){s->items[x].score, s->items[x].item};
        mark_place(s, s->items[x].item, x);
    }
    for (uint32_t n = 0; n < wanted; n++) {
        uint32_t x = choose(&pool, (float)r->q->diversity);
        pool.chosen[x] = true;
        look_alike(r, &pool, pool.at[x].item);
        s->items[n] = (struct suggestion){.item = pool.at[x].item,
                                          .slot = item_slot(r, pool.at[x].item),
                                          .score = pool.at[x].score};
    }
    for (uint32_t x = 0; x < pool.count; x++) /* what was not chosen is not answered */
        s->cells[pool.at[x].item].score = 0;
    r->out->count = wanted;
}
