/* Histories made up at random, for learners of order. */
#ifndef SUPPORT_MADEHISTORIES_H
#define SUPPORT_MADEHISTORIES_H

#include "base/rng.h"
#include "data/histories.h"

/* Histories of 0 to `longest` items, some repeated, some at one time with the one before; small
 * numbers are frequent. Aborts when out of memory. */
struct histories random_histories(struct rng *r, uint32_t count, uint32_t items, uint32_t longest);

#endif
