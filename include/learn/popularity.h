/* What sells: orders per item over all time and the last 28 and 7 days, and the trend.
 * "Now" is the time of the newest basket unless given. trend = log ratio of the shrunk daily rate
 * of the last 7 days against the 21 days before them: > 0 rising; the rate of orders and events,
 * each by the weight of its kind. Ranks: position when sorted by (count descending, item
 * ascending). Immutable; any thread. */
#ifndef LEARN_POPULARITY_H
#define LEARN_POPULARITY_H

#include "data/dataset.h"

struct popularity {
    uint32_t item_count;
    uint32_t *orders_all, *orders_28d, *orders_7d; /* [item_count] each */
    float *trend;                                  /* [item_count] */
    uint32_t *rank;     /* [item_count] by (28-day, all-time) count: the tie order of answers */
    uint32_t *by_rank;  /* [item_count] items, most popular first */
    uint32_t *by_trend; /* [item_count] items, fastest rising first (7-day orders > 0 first) */
    int64_t now_ms;
};

int popularity_build(const struct dataset *d, int64_t now_ms, struct popularity *out,
                     struct error *err) WARN_UNUSED;
/* prior[item] = popular x its orders + recent x its orders of the last 28 days, each as a share of
 * the best seller's. */
void popularity_prior(const struct popularity *p, float popular, float recent, float *prior);
void popularity_deinit(struct popularity *p);
#endif
