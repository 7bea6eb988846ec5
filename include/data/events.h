/* Views, cart adds and the like: what a shopper does besides ordering, and how much each kind of it
 * counts. Pure values and functions; any thread. */
#ifndef DATA_EVENTS_H
#define DATA_EVENTS_H

#include "base/str.h"

#include <stdint.h>

/* As they are stored. */
enum action {
    ACTION_VIEW,
    ACTION_CART,
    ACTION_UNCART,
    ACTION_WISH,
    ACTION_PURCHASE, /* of a shop that tells purchases as events; also what an order counts as */
    ACTION_COUNT
};

/* "view", "cart", "uncart", "wish", "purchase"; -1: none of them. */
int action_parse(struct str name);

struct event {
    int64_t time_ms;
    uint64_t user;    /* the store's key; 0: nobody */
    uint64_t session; /* a hash of the session's id; 0: none was given */
    uint32_t item;    /* the store's key, 1..2^32-2 */
    uint8_t action;
};

/* An event counts weight * 2^(-age / half-life). */
struct event_weight {
    double weight;         /* >= 0; 0: the kind is left out */
    double half_life_days; /* 0: it never fades */
};
struct event_weights {
    struct event_weight of[ACTION_COUNT];
};

/* view 0.1 14 d, cart 0.5 30 d, uncart 0, wish 0.3 30 d, purchase 1 without end. */
struct event_weights event_weights_default(void);

/* What an event of that age counts; an event of the future counts as one of now. */
double event_weight_at(const struct event_weight *w, int64_t age_ms);

#endif
