/* Small baskets for tests: random ones, and written ones. */
#ifndef SUPPORT_BASKETS_H
#define SUPPORT_BASKETS_H

#include "base/rng.h"
#include "data/dataset.h"

/* Each basket has each item with a probability that falls from `density` for the first item to
 * density/4 for the last; one basket in four is a copy of the one before.
 * Baskets may be empty. Aborts when out of memory. */
struct csr baskets_random(struct rng *r, uint32_t rows, uint32_t items, double density);

/* Random ones in which items 0, 1 and 2 are all there or none, and item 3 is in every basket:
 * without a lambda no regression on them has one solution. */
struct csr baskets_with_twins(struct rng *r, uint32_t rows, uint32_t items, double density);

/* "1 2 3|2 3||1": baskets separated by |, ascending numbers by blanks. */
struct csr baskets_of(const char *text, uint32_t items);

/* How many baskets hold all the items (ascending); plain loops. */
uint32_t baskets_support(const struct csr *baskets, const uint32_t *items, uint32_t length);

/* The baskets as orders a minute apart; item i has the store key i + 1, and every item is in the
 * dataset when each is in some basket. Empty baskets are left out. */
void baskets_dataset(const struct csr *baskets, struct dataset *out);

#endif
