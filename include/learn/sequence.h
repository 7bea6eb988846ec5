/* Sequential rules: what follows an item in shoppers' histories, nearer followers counting more.
 *
 * From the first place p of item i in a history, or from every place, each item j at distance
 * z = 1..D behind it adds its weight z^-gap_power to a_ij. Row i = its best j by a_ij^count_power /
 * (n_i^source_power (n_j + 1)^target_power), n histories with the item. Rows in parallel, same
 * result for any thread count. */
#ifndef LEARN_SEQUENCE_H
#define LEARN_SEQUENCE_H

#include "base/progress.h"
#include "data/histories.h"
#include "data/shape.h"

struct sequence_params { /* zero = default */
    uint32_t distance;   /* D; 0: 10 */
    bool every_place;    /* each place of i counts, as sessions want it; else the first */
    bool by_time;        /* distance in different times, not items: items of one time do not follow
                            each other. For histories that have times */
    float gap_power;     /* 0: 1; smaller ones look further */
    float count_power;   /* 0: 1; smaller ones trust many repetitions less */
    float source_power;  /* 1 alone, .5 in a blend, 0 for sessions */
    float target_power;  /* 0; .25 in a blend. Larger ones favour rare followers */
    float backward;      /* share with which j before i counts too, 0 to 1 */
    uint32_t keep;       /* of each row; 0: 200 */
    uint32_t threads;    /* 0: one per core */
    struct progress *progress;
};

/* Row i = its best followers, best first (ties: n_j descending, j ascending), weights > 0.
 * (*after)[entry]: the histories that have j behind i (the first i or any, as above), however far,
 * for whoever wants to check "often after"; freed by the caller; `after` may be NULL, which saves
 * looking further than D. ERR_INVALID, ERR_NOMEM, ERR_CANCELLED. */
int sequence_rows(const struct histories *h, const struct sequence_params *params, struct csr *out,
                  uint32_t **after, struct error *err) WARN_UNUSED;

/* Most bytes held at a time, the result included, for histories of such data. */
uint64_t sequence_estimate_bytes(const struct dataset_shape *shape,
                                 const struct sequence_params *params);
#endif
