/* What reading numbers and reading names share. */
#ifndef DATA_BASKETS_INTERNAL_H
#define DATA_BASKETS_INTERNAL_H

#include "data/baskets.h"

/* Sorts a row in place and drops repetitions; the number of items left. O(n log n), no memory. */
uint64_t basket_row_sort(uint32_t *items, uint64_t count);

int baskets_parse_names(struct str text, struct baskets *out, struct error *err) WARN_UNUSED;
#endif
