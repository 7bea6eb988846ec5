/* What shoppers buy again: for an item a shopper bought before, how likely their next order is to
 * hold it. Its logit is linear in seven things known of the shopper and the item:
 *
 *     times     ln(orders of theirs with it)
 *     recency   ln(1 + days since the last)
 *     due       ln(1/10 + days since the last / usual gap), the usual gap being their own mean gap
 *               between two purchases, drawn to the item's
 *     early     1 when less than half the usual gap has passed
 *     late      1 when more than three times the usual gap has passed
 *     rate      ln(share of the item's buyers who bought it again)
 *     demand    ln(orders of the item in the 28 days before, against the mean item's)
 *
 * The weights are learnt (repeat_build) from who bought what in the newest fifth of the orders, as
 * the model would have seen them before: a multinomial logit over each shopper's own items
 * (McFadden 1974), so that they rank a shopper's items and do not tell shoppers apart; then the
 * bias, so that the score is a probability. Both are drawn to defaults that UCI Online Retail
 * taught, which stay where there is little to learn from. What is counted (gaps, rates, demand) is
 * counted again on everything afterwards.
 *
 * Immutable after building; any thread reads. */
#ifndef LEARN_REPEAT_H
#define LEARN_REPEAT_H

#include "data/dataset.h"
#include "data/histories.h"

enum repeat_feature {
    REPEAT_TIMES,
    REPEAT_RECENCY,
    REPEAT_DUE,
    REPEAT_EARLY,
    REPEAT_LATE,
    REPEAT_RATE,
    REPEAT_DEMAND,
    REPEAT_FEATURES
};

struct repeat_model {
    uint32_t item_count;
    float *gap_days; /* [item_count] usual days between two purchases by one shopper: the median of
                        all such gaps, drawn to the median over all items; > 0 */
    float *rate;     /* [item_count] share of its buyers who bought it again, drawn to the share
                        over all items; (0,1) */
    float *demand;   /* [item_count] the last feature */
    float usual_gap_days, usual_rate, no_demand; /* of an item the model does not have */
    float weight[REPEAT_FEATURES], bias;
    uint32_t shoppers; /* whose orders taught the weights */
};

#define REPEAT_NO_ITEM UINT32_MAX

/* One item of a shopper's history. */
struct repeat_item {
    uint32_t item;  /* or REPEAT_NO_ITEM: newer than the model */
    uint32_t times; /* orders with it, at least 1 */
    int64_t first_ms, last_ms;
};

struct repeat_evidence {
    float score;    /* (0,1): how likely the next order, made now, holds it */
    float gap_days; /* the usual gap, of this shopper for this item */
    float due;      /* days since the last purchase / usual gap; 1: now is the time */
};

/* Pure; allocates nothing. */
struct repeat_evidence repeat_score(const struct repeat_model *m, const struct repeat_item *item,
                                    int64_t now_ms);

/* Gathers a history (times ascending) into `out`, which has room for `count`: an entry for each
 * distinct item, ascending; entries of one time are one order. Returns how many. */
uint32_t repeat_items(const uint32_t *item, const int64_t *time_ms, uint32_t count,
                      struct repeat_item *out);

/* `h`: the histories of d's users, if there are some already; NULL: they are made. ERR_NOMEM. No
 * users or no repeated purchase leaves the defaults. */
int repeat_build(const struct dataset *d, const struct histories *h, struct repeat_model *out,
                 struct error *err) WARN_UNUSED;
/* What is said of items of which nothing is known. ERR_NOMEM. */
int repeat_defaults(uint32_t items, struct repeat_model *out, struct error *err) WARN_UNUSED;
void repeat_deinit(struct repeat_model *m);
size_t repeat_bytes(const struct repeat_model *m);

#endif
