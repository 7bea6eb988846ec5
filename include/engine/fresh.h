/* Orders since a model's training: what they add to its counts. A small overlay, so that an order
 * acts on the very next answer: on what is popular, on which items go together, and with items the
 * model has never seen. The next model has them all, and an overlay of its own.
 *
 * Bounded: the oldest orders make room for new ones. Everything is counted exactly; only the lists
 * of partners are bounded each (the most telling ones stay), and orders of more than
 * FRESH_PAIR_ITEMS items add no pairs.
 *
 * One writer, many readers; the owner (service/memory) holds a read-write lock around every use. */
#ifndef ENGINE_FRESH_H
#define ENGINE_FRESH_H

#include "engine/model.h"

#define FRESH_NONE       UINT32_MAX
#define FRESH_MIN_BOTH   3  /* orders that make two items the model knows partners */
#define FRESH_PARTNERS   32 /* of one item */
#define FRESH_LEVELS     8
#define FRESH_PAIR_ITEMS 100 /* of one order; 4,950 pairs */

struct fresh_limits {
    uint32_t orders, lines, pairs; /* 0: LIMIT_FRESH_… */
    uint32_t max_order_items;      /* orders with more items are left out, as in training */
};

/* Two items bought together: in at least FRESH_MIN_BOTH orders, or in one when the model does not
 * know one of them. */
struct fresh_partner {
    uint32_t other;   /* index into fresh.items */
    uint32_t both;    /* fresh orders with both */
    uint32_t trained; /* orders with both that the model's rows tell of; 0: they tell of none */
};

struct fresh_item {
    uint32_t slot;
    uint32_t item;                 /* model index; DICT_NONE: new */
    uint32_t orders, orders_28d;   /* fresh ones; 28d: as late as those of the model's window */
    uint32_t trained, trained_28d; /* the model's */
    uint16_t partner_count, partner_cap;
    struct fresh_partner *partners; /* in no order */
};

struct fresh_order {
    uint64_t key;
    int64_t time_ms;
    uint32_t first, count; /* its items in fresh.lines; 0: gone */
};

struct fresh {
    struct model *model; /* whose orders these follow */
    struct fresh_limits limits;
    struct fresh_item *items; /* [item_count], in order of first sight; they stay */
    uint32_t item_count;
    size_t item_cap;
    uint32_t *of_slot; /* [slot_cap] index into items, FRESH_NONE: none */
    size_t slot_cap;
    uint32_t (*next)[FRESH_LEVELS]; /* [item_cap] the order of popularity, see fresh_first */
    uint32_t first[FRESH_LEVELS];
    uint32_t new_count;        /* items with orders that had none in training */
    float scale[MATRIX_COUNT]; /* the largest weight of a row / its cosine, on average; 0: no say */

    struct fresh_order *orders; /* [order_end] ascending by key; [order_begin..] */
    uint32_t order_begin, order_end, order_count; /* count: not gone */
    size_t order_cap;
    uint32_t *lines; /* [line_end] indices into items */
    uint32_t line_end, line_count;
    size_t line_cap;
    struct fresh_pair *pairs; /* [pair_cap] open addressing */
    uint32_t pair_count, pair_cap;
    uint64_t floor;   /* orders up to this key are the model's, or made room */
    uint64_t dropped; /* orders that made room */
};

/* Takes a reference on the model. `limits` NULL: the usual ones. ERR_NOMEM. */
struct fresh *fresh_new(struct model *m, const struct fresh_limits *limits,
                        struct error *err) WARN_UNUSED;
void fresh_free(struct fresh *f);  /* NULL allowed */
void fresh_clear(struct fresh *f); /* as new, also after an error */

/* An order of distinct slots: new, or replacing the one with its key. One that the model's training
 * saw is none of this overlay's business. ERR_NOMEM: what is counted is unsound, free it. */
int fresh_put(struct fresh *f, uint64_t key, int64_t time_ms, const uint32_t *slots, uint32_t count,
              struct error *err) WARN_UNUSED;
void fresh_remove(struct fresh *f, uint64_t key);
void fresh_expire(struct fresh *f, int64_t before_ms); /* removes the orders older than that */

/* Items as they are popular: by all orders of 28 days, then of all time, then the model's rank,
 * then slot. FRESH_NONE: the end. */
static inline uint32_t fresh_first(const struct fresh *f)
{
    return f->first[0];
}
static inline uint32_t fresh_next(const struct fresh *f, uint32_t x)
{
    return f->next[x][0];
}

uint32_t fresh_find(const struct fresh *f, uint32_t slot); /* FRESH_NONE: no order had it */
/* Fresh orders with both items (indices into items). */
uint32_t fresh_both(const struct fresh *f, uint32_t a, uint32_t b);
/* What the fresh orders add to the cosine, shrunk for few orders, of an item and its partner; >= 0.
 * Times `scale` it stands beside the rows of a matrix. */
float fresh_gain(const struct fresh *f, const struct fresh_item *item,
                 const struct fresh_partner *partner);
size_t fresh_bytes(const struct fresh *f);
#endif
