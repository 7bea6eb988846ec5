/* One pass over the baskets and one over the events, newest windows found by time; three sorts of
 * the items.
 *
 * Trend: with c7 orders in the last 7 days and c21 in the 21 before, the logarithm of the ratio of
 * the daily rates (c7 + s/4) / 7 and (c21 + 3 s/4) / 21, s = SHRINK orders spread over the 28 days.
 * So an item without orders has trend 0 and one order more of a rare item moves little. Events are
 * parts of orders here, by the weight of their kind; half-lives have no say, the windows are short.
 */
#include "learn/popularity.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define DAY_MS (24 * 3600 * 1000LL)
#define SHRINK 4.0

/* Weighted orders and events of an item in the last 7 days and in the 21 before. */
struct rate {
    double in_7d, in_21d;
};

static void count_orders(const struct dataset *d, struct popularity *p, struct rate *rate)
{
    double weight = d->weights.of[ACTION_PURCHASE].weight;
    for (uint32_t b = 0; b < d->basket_count; b++) {
        int64_t age = p->now_ms - d->time_ms[b];
        uint32_t in_28d = age >= 0 && age < 28 * DAY_MS, in_7d = age >= 0 && age < 7 * DAY_MS;
        for (uint64_t e = d->baskets.start[b]; e < d->baskets.start[b + 1]; e++) {
            uint32_t item = d->baskets.column[e];
            p->orders_all[item]++;
            p->orders_28d[item] += in_28d;
            p->orders_7d[item] += in_7d;
        }
    }
    for (uint32_t i = 0; i < p->item_count; i++)
        rate[i] =
            (struct rate){weight * p->orders_7d[i], weight * (p->orders_28d[i] - p->orders_7d[i])};
}

static void count_events(const struct dataset *d, int64_t now_ms, struct rate *rate)
{
    const struct histories *rows = &d->sessions.rows;
    for (uint64_t e = 0; e < sessions_events(&d->sessions); e++) {
        int64_t age = now_ms - rows->time_ms[e];
        double weight = d->weights.of[d->sessions.action[e]].weight;
        if (age < 7 * DAY_MS)
            rate[rows->item[e]].in_7d += weight;
        else if (age < 28 * DAY_MS)
            rate[rows->item[e]].in_21d += weight;
    }
}

static void find_trend(struct popularity *p, const struct rate *rate)
{
    for (uint32_t i = 0; i < p->item_count; i++) {
        double recent = rate[i].in_7d + SHRINK / 4, before = rate[i].in_21d + 3 * SHRINK / 4;
        p->trend[i] = (float)log(3 * recent / before);
    }
}

/* Ascending a, then ascending b, then ascending item: callers negate to turn round. */
struct ranked {
    double a, b;
    uint32_t item;
};

static int compare_ranked(const void *x, const void *y)
{
    const struct ranked *p = x, *q = y;
    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    if (p->b != q->b)
        return p->b < q->b ? -1 : 1;
    return (p->item > q->item) - (p->item < q->item);
}

static void order_items(struct popularity *p, struct ranked *list)
{
    size_t items = p->item_count;
    for (uint32_t i = 0; i < items; i++)
        list[i] = (struct ranked){-(double)p->orders_28d[i], -(double)p->orders_all[i], i};
    qsort(list, items, sizeof *list, compare_ranked);
    for (uint32_t r = 0; r < items; r++) {
        p->by_rank[r] = list[r].item;
        p->rank[list[r].item] = r;
    }
    for (uint32_t i = 0; i < items; i++)
        list[i] = (struct ranked){p->orders_7d[i] == 0, -(double)p->trend[i], p->rank[i]};
    qsort(list, items, sizeof *list, compare_ranked);
    for (uint32_t r = 0; r < items; r++)
        p->by_trend[r] = p->by_rank[list[r].item];
}

static int64_t now_of(const struct dataset *d, int64_t now_ms)
{
    return now_ms || !d->basket_count ? now_ms : d->time_ms[d->basket_count - 1];
}

int popularity_build(const struct dataset *d, int64_t now_ms, struct popularity *out,
                     struct error *err)
{
    struct popularity p = {.item_count = d->item_count, .now_ms = now_of(d, now_ms)};
    struct ranked *list;
    struct rate *rate;
    MEM_ZNEW(p.orders_all, p.item_count);
    MEM_ZNEW(p.orders_28d, p.item_count);
    MEM_ZNEW(p.orders_7d, p.item_count);
    MEM_NEW(p.trend, p.item_count);
    MEM_NEW(p.rank, p.item_count);
    MEM_NEW(p.by_rank, p.item_count);
    MEM_NEW(p.by_trend, p.item_count);
    MEM_NEW(list, p.item_count);
    MEM_NEW(rate, p.item_count);
    if (!p.orders_all || !p.orders_28d || !p.orders_7d || !p.trend || !p.rank || !p.by_rank ||
        !p.by_trend || !list || !rate) {
        popularity_deinit(&p);
        free(list);
        free(rate);
        return error_set(err, ERR_NOMEM, "popularity: out of memory");
    }
    count_orders(d, &p, rate);
    count_events(d, p.now_ms, rate);
    find_trend(&p, rate);
    order_items(&p, list);
    free(list);
    free(rate);
    *out = p;
    return 0;
}

void popularity_prior(const struct popularity *p, float popular, float recent, float *prior)
{
    uint32_t most_all = 1, most_recent = 1;
    for (uint32_t i = 0; i < p->item_count; i++) {
        most_all = p->orders_all[i] > most_all ? p->orders_all[i] : most_all;
        most_recent = p->orders_28d[i] > most_recent ? p->orders_28d[i] : most_recent;
    }
    for (uint32_t i = 0; i < p->item_count; i++)
        prior[i] = popular * (float)p->orders_all[i] / (float)most_all +
                   recent * (float)p->orders_28d[i] / (float)most_recent;
}

void popularity_deinit(struct popularity *p)
{
    free(p->orders_all);
    free(p->orders_28d);
    free(p->orders_7d);
    free(p->trend);
    free(p->rank);
    free(p->by_rank);
    free(p->by_trend);
    *p = (struct popularity){0};
}
