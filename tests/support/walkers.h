/* Shoppers with a habit of order: each buys one item at a time, mostly the one that follows the
 * last in a ring of items, else any. What is learnt of it tells good models from bad ones. */
#ifndef SUPPORT_WALKERS_H
#define SUPPORT_WALKERS_H

#include "data/dataset.h"

#include <stdbool.h>

struct walkers {
    uint32_t shoppers, items, steps; /* orders of each shopper */
    uint32_t back_to;                /* > 0: every so many orders they buy their own item again */
    bool shuffled;                   /* the order of each shopper's purchases is lost */
};

/* Keys are 1 .. items. Equal seeds give equal shops. Aborts when out of memory. */
struct dataset walkers_make(const struct walkers *w, uint64_t seed);

#endif
