/* What the tests of learners that make rows share. */
#ifndef SUPPORT_ROWS_H
#define SUPPORT_ROWS_H

#include "base/rng.h"
#include "learn/cooc.h"

/* Counts of baskets_random; masses with unit_power above 0. */
void pairs_random(struct rng *r, uint32_t rows, uint32_t items, double density, float unit_power,
                  struct cooc *out);

/* To the bit. */
void assert_same_rows(const struct csr *a, const struct csr *b);

#endif
