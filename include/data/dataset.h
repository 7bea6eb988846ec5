/* Every trainer's input: the orders as a basket matrix in time order, the events as sessions.
 *
 * Built by adding orders and events in any order and finishing: baskets are sorted by (time, order
 * of adding), items get dense indices by ascending store key. Items are known by the store's
 * integer key (the catalogue's slot) so that no strings are needed while scanning. Repeated items
 * in one order count once. An item that only has events is an item like others, with item_orders 0.
 * Immutable after dataset_finish; any thread reads. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include "data/sessions.h"

#define DATASET_NO_USER UINT32_MAX

struct dataset {
    uint32_t item_count, basket_count, user_count;
    uint32_t *item_key;              /* [item_count] the store's key of each item */
    uint32_t *item_orders;           /* [item_count] n_i: baskets that hold the item */
    struct csr baskets;              /* [basket_count x item_count], ones, columns ascending */
    int64_t *time_ms;                /* [basket_count], ascending */
    uint32_t *user;                  /* [basket_count] dense user index or DATASET_NO_USER */
    uint64_t skipped_orders;         /* larger than the limit, left out */
    struct sessions sessions;        /* of the events; no rows where there were none */
    struct event_weights weights;    /* what an event counts; an order as a purchase */
    struct dataset_builder *builder; /* NULL after finish */
};

struct dataset_limits {
    uint32_t max_order_items; /* 0: 2000; larger orders are skipped and counted */
    struct session_limits sessions;
    const struct event_weights *weights; /* copied; NULL: event_weights_default */
};

int dataset_init(struct dataset *d, const struct dataset_limits *limits,
                 struct error *err) WARN_UNUSED;
/* item_keys: the store's keys (1..2^32-2), any order, repeats allowed. user_key 0: nobody. */
int dataset_add(struct dataset *d, int64_t time_ms, uint64_t user_key, const uint32_t *item_keys,
                uint32_t count, struct error *err) WARN_UNUSED;
/* The user_key that gives basket b its shopper again, in a dataset made of some of d's baskets. */
static inline uint64_t dataset_user_key(const struct dataset *d, uint32_t b)
{
    return d->user[b] == DATASET_NO_USER ? 0 : (uint64_t)d->user[b] + 1;
}
/* Basket b of the finished d, as it is. `room`: [d->item_count]. */
int dataset_add_basket(struct dataset *to, const struct dataset *d, uint32_t b, uint32_t *room,
                       struct error *err) WARN_UNUSED;
int dataset_add_event(struct dataset *d, const struct event *e, struct error *err) WARN_UNUSED;
/* The first `count` sessions of the finished d, as they are; once, and no events beside them. */
int dataset_add_sessions(struct dataset *to, const struct dataset *d, uint32_t count,
                         struct error *err) WARN_UNUSED;
int dataset_finish(struct dataset *d, struct error *err) WARN_UNUSED;
void dataset_deinit(struct dataset *d);
size_t dataset_bytes(const struct dataset *d);
#endif
